/* frame_reader.h – reads frames as a client would (RFC 6455, section 5.2), written apart from what builds them. */
#ifndef HGT_SUPPORT_FRAME_READER_H
#define HGT_SUPPORT_FRAME_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct hgt_frame {
    unsigned opcode; /* 1 text, 9 ping */
    bool deflated;   /* RSV1 is set (RFC 7692) */
    struct hg_slice payload;
};

/* Takes one frame from the front of `bytes`. False when there is none that is whole, final, unmasked, without reserved
 * bits but RSV1 of a text, and with its length in the fewest bytes. */
static inline bool hgt_frame_take_any(struct hg_slice *bytes, struct hgt_frame *ret_frame)
{
    const unsigned char *at = (const unsigned char *)bytes->ptr;
    if (bytes->len < 2 || ((at[0] & 0xf0) != 0x80 && at[0] != 0xc1) || (at[1] & 0x80))
        return false;
    uint64_t len = at[1], least = 0;
    size_t header = 2, more = len == 126 ? 2 : len == 127 ? 8 : 0;
    if (more > 0) {
        if (bytes->len < header + more)
            return false;
        least = len == 126 ? 126 : 65536;
        len = 0;
        for (size_t i = 0; i < more; i++)
            len = len << 8 | at[header + i];
        header += more;
    }
    if (len < least || bytes->len - header < len)
        return false;
    *ret_frame = (struct hgt_frame){at[0] & 0x0fu, at[0] == 0xc1, hg_slice(bytes->ptr + header, (size_t)len)};
    *bytes = hg_slice_from(*bytes, header + (size_t)len);
    return true;
}

/* The same, and RSV1 is not set either. */
static inline bool hgt_frame_take(struct hg_slice *bytes, struct hgt_frame *ret_frame)
{
    return hgt_frame_take_any(bytes, ret_frame) && !ret_frame->deflated;
}

#endif
