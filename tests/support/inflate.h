/* inflate.h – what a client does with a deflated message (RFC 7692, section 7.2.2), with nothing but zlib: written
 * apart from what deflates. */
#ifndef HGT_SUPPORT_INFLATE_H
#define HGT_SUPPORT_INFLATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/slice.h"

/* The message, in memory that the caller frees, with a window of so many bits; NULL when it is not whole or larger than
 * `max`. */
static inline char *hgt_inflate(struct hg_slice data, int window_bits, size_t max, size_t *ret_len)
{
    z_stream z = {0};
    char *in = malloc(data.len + 4), *out = malloc(max + 1);
    bool good = in && out && inflateInit2(&z, -window_bits) == Z_OK;
    if (good) {
        if (data.len > 0)
            memcpy(in, data.ptr, data.len);
        memcpy(in + data.len, "\x00\x00\xff\xff", 4);
        z.next_in = (Bytef *)in;
        z.avail_in = (uInt)(data.len + 4);
        z.next_out = (Bytef *)out;
        z.avail_out = (uInt)(max + 1);
        int status = inflate(&z, Z_SYNC_FLUSH);
        good = (status == Z_OK || status == Z_BUF_ERROR) && z.avail_in == 0 && z.avail_out > 0;
        *ret_len = max + 1 - z.avail_out;
        inflateEnd(&z);
    }
    free(in);
    if (!good) {
        free(out);
        out = NULL;
    }
    return out;
}

#endif
