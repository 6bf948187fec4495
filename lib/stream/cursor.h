/* cursor.h – a place in a stream that proves itself: "<ms>-<seq>~<fingerprint>", the entry's id and 32 bits over its
 * fields.
 *
 * After a failover the new master may hand out ids that the lost tail had; the fingerprint tells such entries apart.
 * It is the lower half of SipHash-2-4 under a fixed key over each field name and value in order, each preceded by its
 * length in eight bytes; the id is not part of it. Written as eight lower-case hexadecimal digits. Calls out: none. */
#ifndef HG_STREAM_CURSOR_H
#define HG_STREAM_CURSOR_H

#include "base/hash.h"
#include "stream/id.h"

struct hg_cursor {
    hg_stream_id id;
    uint32_t fingerprint;
};

/* A place in a stream. Proven: the fingerprint of the entry there is known. */
struct hg_place {
    hg_stream_id id;
    uint32_t fingerprint;
    bool proven;
};

#define HG_CURSOR_TEXT_MAX (HG_STREAM_ID_TEXT_MAX + 9)

/* Exactly what hg_cursor_put() writes; false for anything else. */
bool hg_cursor_parse(struct hg_slice text, struct hg_cursor *ret_cursor);
void hg_cursor_put(struct hg_buf *buf, struct hg_cursor cursor);

/* fields: name, value, name, value … (`count` slices). Cursors outlive the process: the value never changes. */
uint32_t hg_fingerprint(const struct hg_slice *fields, size_t count);
/* Appends the eight digits. */
void hg_fingerprint_put(struct hg_buf *buf, uint32_t fingerprint);
/* The same digits to `to`, HG_FINGERPRINT_DIGITS of them. */
#define HG_FINGERPRINT_DIGITS 8
void hg_fingerprint_write(uint32_t fingerprint, char *to);

#endif
