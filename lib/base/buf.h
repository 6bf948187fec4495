/* buf.h – a growing byte buffer with a mandatory maximum.
 *
 * Units: bytes. Ownership: the buffer owns its bytes; a slice of it is valid until the next put or clear.
 * Errors are sticky: after a put that failed (NOMEM, or TOO_BIG past `max`) every later put does nothing and
 * hg_buf_result() keeps telling the first error, so a frame is built by a row of puts and one check at the end.
 * A failed put leaves the bytes before it untouched; hg_buf_truncate() and hg_buf_clear() also clear the error.
 * Calls out: none. */
#ifndef HG_BASE_BUF_H
#define HG_BASE_BUF_H

#include "base/error.h"
#include "base/slice.h"

struct hg_buf {
    char *ptr;
    size_t len, capacity, max;
    enum hg_error error;
};

/* No allocation happens before the first put. `max` > 0. */
void hg_buf_init(struct hg_buf *buf, size_t max);
/* Frees the bytes; the buffer may be used again as after init. */
void hg_buf_done(struct hg_buf *buf);
/* Empties it and keeps the memory. */
void hg_buf_clear(struct hg_buf *buf);
/* Empties it and gives memory above `keep` bytes back. */
void hg_buf_reset(struct hg_buf *buf, size_t keep);
/* Gives back what it has and does not fill; when that fails, it keeps it. */
void hg_buf_trim(struct hg_buf *buf);

void hg_buf_put(struct hg_buf *buf, struct hg_slice bytes);
void hg_buf_put_str(struct hg_buf *buf, const char *text);
void hg_buf_put_char(struct hg_buf *buf, char c);
void hg_buf_put_u64(struct hg_buf *buf, uint64_t number);
void hg_buf_put_i64(struct hg_buf *buf, int64_t number);
void hg_buf_printf(struct hg_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for `len` more bytes at the returned place, or NULL with the error set. The caller fills them and adds to len.
 */
char *hg_buf_reserve(struct hg_buf *buf, size_t len);
/* Cuts the tail off; len ≤ buf->len. */
void hg_buf_truncate(struct hg_buf *buf, size_t len);
/* Drops `len` bytes from the front; len ≤ buf->len. Costs a move of what is left. */
void hg_buf_consume(struct hg_buf *buf, size_t len);

HG_RESULT hg_buf_result(const struct hg_buf *buf);

static inline struct hg_slice hg_buf_slice(const struct hg_buf *buf)
{
    return hg_slice(buf->ptr, buf->len);
}

#endif
