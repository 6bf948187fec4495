#include "wire/frame.h"

#include <stdint.h>

#include "base/assert.h"

/* First byte: FIN and the opcode. Second: no mask bit, and the length, or which wider length follows. */
enum { FIN_TEXT = 0x81, FIN_PING = 0x89, RSV1 = 0x40, LEN_MAX = 125, LEN_16 = 126, LEN_64 = 127, SHORT_HEADER = 2 };

size_t hg_frame_header_len(size_t len)
{
    return len <= LEN_MAX ? SHORT_HEADER : len <= UINT16_MAX ? SHORT_HEADER + 2 : SHORT_HEADER + 8;
}

size_t hg_frame_write_text_header(char *to, size_t len)
{
    size_t header = hg_frame_header_len(len);
    to[0] = (char)FIN_TEXT;
    to[1] = (char)(header == SHORT_HEADER ? len : header == SHORT_HEADER + 2 ? LEN_16 : LEN_64);
    uint64_t rest = len;
    for (size_t i = header - 1; i >= SHORT_HEADER; i--, rest >>= 8)
        to[i] = (char)(rest & 0xff);
    return header;
}

void hg_frame_put_text_header(struct hg_buf *buf, size_t len)
{
    char header[HG_FRAME_HEADER_MAX];
    hg_buf_put(buf, hg_slice(header, hg_frame_write_text_header(header, len)));
}

size_t hg_frame_begin(struct hg_buf *buf)
{
    size_t mark = buf->len;
    hg_buf_put(buf, HG_LIT("\0\0")); /* most frames that are built this way are short: room for their header */
    return mark;
}

void hg_frame_end(struct hg_buf *buf, size_t mark)
{
    HG_ASSERT(mark <= buf->len);
    if (buf->error == HG_ERR_OK) {
        HG_ASSERT(buf->len - mark >= SHORT_HEADER);
        size_t len = buf->len - mark - SHORT_HEADER, more = hg_frame_header_len(len) - SHORT_HEADER;
        if (more == 0 || hg_buf_reserve(buf, more)) {
            char *frame = buf->ptr + mark;
            if (more > 0)
                memmove(frame + SHORT_HEADER + more, frame + SHORT_HEADER, len);
            hg_frame_write_text_header(frame, len);
            buf->len += more;
        }
    }
    if (buf->error != HG_ERR_OK)
        buf->len = mark;
}

void hg_frame_end_deflated(struct hg_buf *buf, size_t mark)
{
    hg_frame_end(buf, mark);
    if (buf->len > mark)
        buf->ptr[mark] = (char)(FIN_TEXT | RSV1);
}

struct hg_slice hg_frame_take(struct hg_slice *frames, struct hg_slice *ret_payload)
{
    const unsigned char *at = (const unsigned char *)frames->ptr;
    HG_ASSERT(frames->len >= SHORT_HEADER);
    uint64_t len = at[1];
    size_t header = len <= LEN_MAX ? SHORT_HEADER : len == LEN_16 ? SHORT_HEADER + 2 : SHORT_HEADER + 8;
    HG_ASSERT(frames->len >= header);
    if (header > SHORT_HEADER)
        len = 0;
    for (size_t i = SHORT_HEADER; i < header; i++)
        len = len << 8 | at[i];
    HG_ASSERT(frames->len - header >= len);
    struct hg_slice frame = hg_slice_first(*frames, header + (size_t)len);
    *ret_payload = hg_slice_from(frame, header);
    *frames = hg_slice_from(*frames, frame.len);
    return frame;
}

void hg_frame_put_ping(struct hg_buf *buf, char payload)
{
    const char ping[3] = {(char)FIN_PING, 1, payload};
    hg_buf_put(buf, hg_slice(ping, sizeof(ping)));
}
