/* json.h – a strict JSON scanner (RFC 8259) that copies nothing: it tells whether bytes are JSON and where the parts
 * stand.
 *
 * A client's event must reach the stream byte for byte, and a published one the client; a parser that builds a tree
 * loses the bytes. So this scanner finds parts as slices of the input; scalar values are decoded by who needs them.
 * Units: bytes; columns are byte offsets from the start of the text. Ownership: slices point into the scanned text.
 * Errors: SYNTAX with the offset of the first byte that cannot stand where it stands (what is before it is the
 * beginning of some JSON text), or with the text's length where it ends too early. Bounded: nesting up to
 * HG_JSON_DEPTH_MAX, refused at the bracket that goes deeper; no recursion, no allocation but in the caller's buffer;
 * every function is linear in the bytes it is given. What the grammar allows passes: names that repeat, numbers of any
 * size, escapes of lone surrogates. Calls out: none. */
#ifndef HG_BASE_JSON_H
#define HG_BASE_JSON_H

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define HG_JSON_DEPTH_MAX 512

enum hg_json_type { HG_JSON_NULL, HG_JSON_BOOL, HG_JSON_NUMBER, HG_JSON_STRING, HG_JSON_ARRAY, HG_JSON_OBJECT };

struct hg_json {
    enum hg_json_type type;
    struct hg_slice raw; /* without white space around it; a string with its quotes */
};

/* The whole of `text` is one JSON value in valid UTF-8, white space around it allowed. ret_value and reterr_at may be
 * NULL. */
HG_RESULT hg_json_parse(struct hg_slice text, struct hg_json *ret_value, size_t *reterr_at);

/* Walks the members of an object or the elements of an array that hg_json_parse() has accepted, or that was found in
 * such a text; on other bytes it may panic. A value's bytes are read once more to find its end. */
struct hg_json_iter {
    struct hg_slice rest;
};
struct hg_json_iter hg_json_iter(struct hg_json container);
/* False at the end. `ret_key` is the raw key with its quotes. */
bool hg_json_next_member(struct hg_json_iter *iter, struct hg_json *ret_key, struct hg_json *ret_value);
bool hg_json_next_element(struct hg_json_iter *iter, struct hg_json *ret_value);
/* The last member called `key` (later duplicates win); false when there is none. */
bool hg_json_get(struct hg_json object, const char *key, struct hg_json *ret_value);

/* Whether a raw string's decoded text equals `text`. */
bool hg_json_string_eq(struct hg_json string, struct hg_slice text);
static inline bool hg_json_string_is(struct hg_json string, const char *text)
{
    return hg_json_string_eq(string, hg_slice_str(text));
}
/* Appends the decoded text of a raw string. SYNTAX for a lone surrogate, which has no UTF-8 form; nothing is appended
 * then. The text may hold NUL. Otherwise the errors of the buffer. */
HG_RESULT hg_json_string_decode(struct hg_json string, struct hg_buf *into);
/* A number without sign, fraction and exponent that fits; false for all else, other types included. */
bool hg_json_u64(struct hg_json number, uint64_t *ret_number);

/* Appends `text`, which must be valid UTF-8, as a JSON string with its quotes: at most six times its bytes, and two. */
void hg_json_put_string(struct hg_buf *buf, struct hg_slice text);

#endif
