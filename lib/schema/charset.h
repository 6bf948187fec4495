/* charset.h – sets of characters, as classes of a regular expression write them. Private to the regular expressions.
 * Ownership: a set owns its ranges. Errors: NOMEM. Calls out: none. */
#ifndef HG_SCHEMA_CHARSET_H
#define HG_SCHEMA_CHARSET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define HG_CHAR_MAX 0x10ffff

struct hg_range {
    uint32_t first, last;
};

/* Once it is closed the ranges are sorted and do not touch; `ascii` says the same of the first 128 again. */
struct hg_charset {
    struct hg_range *ranges;
    uint32_t count, capacity;
    uint64_t ascii[2];
};

void hg_charset_done(struct hg_charset *set);
HG_RESULT hg_charset_add(struct hg_charset *set, uint32_t first, uint32_t last);
/* What the letters d, w, s stand for, and in capitals all else; '.' all but the ends of lines. */
HG_RESULT hg_charset_add_named(struct hg_charset *set, char name);
/* Characters of these categories (category.h), or of all others. */
HG_RESULT hg_charset_add_categories(struct hg_charset *set, uint32_t categories, bool others);
/* To be done once, at the end. */
HG_RESULT hg_charset_close(struct hg_charset *set, bool negated);

bool hg_charset_has_far(const struct hg_charset *set, uint32_t c);

static inline bool hg_charset_has(const struct hg_charset *set, uint32_t c)
{
    return c < 128 ? set->ascii[c >> 6] >> (c & 63) & 1 : hg_charset_has_far(set, c);
}

#endif
