/* frame.h – WebSocket frames from a server (RFC 6455, section 5): unmasked, so that the same bytes serve every client.
 *
 * A text frame is built in place: begin, put the payload, end. Ownership and errors: those of the buffer. Calls out: none. */
#ifndef HG_WIRE_FRAME_H
#define HG_WIRE_FRAME_H

#include "base/buf.h"
#include "base/slice.h"

#define HG_FRAME_HEADER_MAX 10

/* Appends the header of a final text frame whose payload of `len` bytes the caller puts next. */
void hg_frame_put_text_header(struct hg_buf *buf, size_t len);
/* Where the length is not known beforehand: returns a mark; hg_frame_end() writes the header in front of what was put since
 * (moving it). On a buffer with an error both do nothing. */
size_t hg_frame_begin(struct hg_buf *buf);
void hg_frame_end(struct hg_buf *buf, size_t mark);
/* Appends a ping with one byte of payload (a pong without payload is not reported by every library). */
void hg_frame_put_ping(struct hg_buf *buf, char payload);

#endif
