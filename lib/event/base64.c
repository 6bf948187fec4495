#include "event/base64.h"

void hg_base64_put(struct hg_buf *buf, struct hg_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (bytes.len == 0)
        return;
    size_t len = (bytes.len - 1) / 3 * 4 + 4;
    char *to = hg_buf_reserve(buf, len);
    if (!to)
        return;
    buf->len += len;
    const unsigned char *at = (const unsigned char *)bytes.ptr;
    for (size_t left = bytes.len; left > 0; to += 4) {
        unsigned take = left < 3 ? (unsigned)left : 3;
        unsigned word = (unsigned)at[0] << 16 | (take > 1 ? (unsigned)at[1] << 8 : 0) | (take > 2 ? at[2] : 0);
        to[0] = digits[word >> 18];
        to[1] = digits[word >> 12 & 63];
        to[2] = take > 1 ? digits[word >> 6 & 63] : '=';
        to[3] = take > 2 ? digits[word & 63] : '=';
        at += take;
        left -= take;
    }
}
