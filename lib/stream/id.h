/* id.h – stream entry ids of Redis, "<ms>-<seq>", as a value with its own algebra. Calls out: none. */
#ifndef HG_STREAM_ID_H
#define HG_STREAM_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

typedef struct {
    uint64_t ms, seq;
} hg_stream_id;

#define HG_STREAM_ID_ZERO     ((hg_stream_id){0, 0})
#define HG_STREAM_ID_MAX      ((hg_stream_id){UINT64_MAX, UINT64_MAX})
#define HG_STREAM_ID_TEXT_MAX 41 /* bytes, without NUL */

static inline int hg_stream_id_cmp(hg_stream_id a, hg_stream_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq == b.seq ? 0 : a.seq < b.seq ? -1 : 1;
}

static inline hg_stream_id hg_stream_id_max(hg_stream_id a, hg_stream_id b)
{
    return hg_stream_id_cmp(a, b) >= 0 ? a : b;
}

/* The smallest id above; false at the maximum. */
bool hg_stream_id_next(hg_stream_id id, hg_stream_id *ret_next);
/* The greatest id below; false at zero. */
bool hg_stream_id_prev(hg_stream_id id, hg_stream_id *ret_prev);
/* Exactly "<ms>-<seq>" in decimal, no signs, no leading zeros but "0" itself, both within 64 bits.
 * `ret_id` is untouched on false. */
bool hg_stream_id_parse(struct hg_slice text, hg_stream_id *ret_id);
void hg_stream_id_put(struct hg_buf *buf, hg_stream_id id);

#endif
