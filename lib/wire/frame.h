/* frame.h – WebSocket frames from a server (RFC 6455, section 5): unmasked, so that the same bytes serve every client.
 *
 * A text frame is built in place: begin, put the payload, end. Ownership and errors: those of the buffer.
 * Calls out: none. */
#ifndef HG_WIRE_FRAME_H
#define HG_WIRE_FRAME_H

#include "base/buf.h"
#include "base/slice.h"

#define HG_FRAME_HEADER_MAX 10

/* How many bytes the header of a text frame with `len` bytes of payload has: 2, 4 or 10. */
size_t hg_frame_header_len(size_t len);
/* Writes that header to `to` and returns its length. */
size_t hg_frame_write_text_header(char *to, size_t len);
/* Appends the header of a final text frame whose payload of `len` bytes the caller puts next. */
void hg_frame_put_text_header(struct hg_buf *buf, size_t len);
/* Where the length is not known beforehand: begin returns a mark; end makes what was put since a frame (moving it when
 * it is longer than 125 bytes). When a put failed on the way, end takes back all that was put since the mark, so that
 * no part of a frame is ever left; the error stays. Frames do not nest. */
size_t hg_frame_begin(struct hg_buf *buf);
void hg_frame_end(struct hg_buf *buf, size_t mark);
/* The same end for a payload that is deflated (RFC 7692, section 6): RSV1 is set. */
void hg_frame_end_deflated(struct hg_buf *buf, size_t mark);
/* Takes the first frame off `*frames`, which were built here and are not empty. */
struct hg_slice hg_frame_take(struct hg_slice *frames, struct hg_slice *ret_payload);
/* Appends a ping with one byte of payload (a pong without payload is not reported by every library). */
void hg_frame_put_ping(struct hg_buf *buf, char payload);

#endif
