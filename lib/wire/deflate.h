/* deflate.h – messages deflated and inflated one by one, as permessage-deflate puts them into frames (RFC 7692, section
 * 7.2; RFC 1951): raw deflate data without the 00 00 ff ff that a flush ends with.
 *
 * Nothing of a message is remembered for the next ("no context takeover"), so one deflater and one inflater serve any
 * number of connections, and a deflated message any number of clients. Units: bytes. Ownership: results are put into
 * the caller's buffer. Not for several threads at once. Calls out: zlib, which calls malloc. */
#ifndef HG_WIRE_DEFLATE_H
#define HG_WIRE_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

enum {
    HG_DEFLATE_WINDOW_BITS_MIN = 9, /* zlib has no raw deflate with 8 */
    HG_DEFLATE_WINDOW_BITS_MAX = 15,
};

struct hg_deflater;
struct hg_inflater;

/* About 260 KiB at 15 bits, 96 KiB at 9. Level: 1 to 9. Error: NOMEM. */
HG_RESULT hg_deflater_new(unsigned level, unsigned window_bits, struct hg_deflater **ret_deflater);
/* Accepts NULL. */
void hg_deflater_free(struct hg_deflater *deflater);
/* Appends the message, deflated to fewer than `limit` bytes. False, and nothing appended, when that is not possible or
 * `to` has no room for it. */
bool hg_deflate(struct hg_deflater *deflater, struct hg_slice message, size_t limit, struct hg_buf *to);

/* About 40 KiB once it has inflated something. Error: NOMEM. */
HG_RESULT hg_inflater_new(struct hg_inflater **ret_inflater);
/* Accepts NULL. */
void hg_inflater_free(struct hg_inflater *inflater);
/* Puts into `to`, which is empty, what a whole message inflates to, whatever windows and blocks the sender used. The
 * work is bounded by the bytes in and out: blocks that say next to nothing are dear to read, and only so many are
 * taken. Errors, which leave `to` empty: TOO_BIG, more than `to` may hold; SYNTAX, no deflate data, or not whole, or
 * too many blocks; NOMEM. */
HG_RESULT hg_inflate(struct hg_inflater *inflater, struct hg_slice data, struct hg_buf *to);

#endif
