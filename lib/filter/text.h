/* text.h – text by characters: what LENGTH, LEFT, UPPER and their like are made of.
 * Units: characters are Unicode code points; text must be valid UTF-8. Ownership: slices returned are parts of what was
 * given. Calls out: none. */
#ifndef HG_FILTER_TEXT_H
#define HG_FILTER_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Memory for what an evaluation has to build: a block of the caller's, filled from the front. Nothing is given back but
 * all at once, by setting `used` to what it was. */
struct hg_scratch {
    char *ptr;
    size_t size, used;
};

/* NULL when there is no room. Not aligned. */
static inline char *hg_scratch_take(struct hg_scratch *scratch, size_t bytes)
{
    if (bytes > scratch->size - scratch->used)
        return NULL;
    char *taken = scratch->ptr + scratch->used;
    scratch->used += bytes;
    return taken;
}

/* Bytes of the character that starts with `lead`. */
static inline size_t hg_text_step(char lead)
{
    unsigned char byte = (unsigned char)lead;
    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

uint64_t hg_text_length(struct hg_slice text);
/* The offset in bytes of the character number `count`, or the end. */
size_t hg_text_offset(struct hg_slice text, uint64_t count);
/* Without the characters of Unicode's White_Space at both ends. */
struct hg_slice hg_text_trim(struct hg_slice text);
/* Every character mapped; false when there is no room. */
bool hg_text_map(struct hg_slice text, uint32_t (*mapping)(uint32_t), struct hg_scratch *scratch,
                 struct hg_slice *ret_text);

/* Patterns of LIKE, in a form of their own: the bytes to be found, HG_LIKE_ONE for any one character and HG_LIKE_MANY
 * for any row of them, neither of which occurs in UTF-8. */
#define HG_LIKE_ONE  '\xfe'
#define HG_LIKE_MANY '\xff'

/* Turns `pattern` as written (% and _ with \ in front stand for themselves) into that form; `out` has room for
 * pattern.len bytes. Returns how many it took. */
size_t hg_like_compile(struct hg_slice pattern, char *out);
/* A piece between two % that holds an _ may have this many bytes: it is tried at every place of the text. */
#define HG_LIKE_PIECE_MAX 256
/* False when a piece is longer. */
bool hg_like_bounded(struct hg_slice compiled);
/* Whether all of `text` matches. Takes time in proportion to the text, and to the piece for those with _ behind a %. */
bool hg_like_match(struct hg_slice text, struct hg_slice compiled);

#endif
