/* path.h – where an attribute stands in an event, as text in one canonical form: data.items[0].sku, data["odd name"].
 *
 * A name of letters, digits, _ and $ (and what lies beyond ASCII) stands bare; any other stands in brackets as a JSON
 * string. Two paths are the same place if and only if their texts are the same bytes. Bare root names have one
 * spelling: id, type and time for eventId, eventType and timestamp too; those, source, subject, specversion and topic
 * are known in any case. Ownership: slices are parts of the text given. Calls out: none. */
#ifndef HG_FILTER_PATH_H
#define HG_FILTER_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define HG_PATH_DEPTH_MAX 64

struct hg_path_segment {
    bool is_index;
    bool is_quoted; /* `name` is the inside of a JSON string, escapes and all */
    uint32_t index;
    struct hg_slice name;
};

static inline bool hg_path_is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

/* Takes the first segment off a canonical path; false at its end. */
bool hg_path_next(struct hg_slice *rest, struct hg_path_segment *ret_segment);

/* Append one segment. `name` is decoded text. A first segment stands without a dot. */
void hg_path_put_name(struct hg_buf *buf, size_t path_from, struct hg_slice name);
void hg_path_put_index(struct hg_buf *buf, uint32_t index);

/* The one spelling of a root name that is the whole path, or the name itself. */
struct hg_slice hg_path_spelling(struct hg_slice name);

#endif
