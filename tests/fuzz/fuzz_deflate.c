/* fuzz_deflate.c – what clients send as a deflated message: it inflates to what zlib alone makes of it, or is refused;
 * never more than the ceiling. And any message comes back as it went through our own deflater. The first byte chooses
 * the ceiling, the window and the level. */
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/assert.h"
#include "wire/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WHOLE_MAX = 1 << 20 };

/* All that zlib makes of it, block after block, whatever follows a last one; false: it does not inflate, or to more. */
static bool inflate_plainly(struct hg_slice data, struct hg_buf *to)
{
    static const unsigned char tail[] = {0, 0, 0xff, 0xff};
    z_stream z = {0};
    char *all = malloc(data.len + sizeof(tail));
    HG_ASSERT(all && inflateInit2(&z, -15) == Z_OK);
    if (data.len > 0)
        memcpy(all, data.ptr, data.len);
    memcpy(all + data.len, tail, sizeof(tail));
    z.next_in = (Bytef *)all;
    z.avail_in = (uInt)(data.len + sizeof(tail));
    bool good = true, whole = false;
    while (good && z.avail_in > 0) {
        unsigned char out[4096];
        z.next_out = out;
        z.avail_out = sizeof(out);
        int status = inflate(&z, Z_BLOCK);
        hg_buf_put(to, hg_slice(out, sizeof(out) - z.avail_out));
        whole = status == Z_STREAM_END || ((z.data_type & 128) && (z.data_type & 7) == 0);
        good = (status == Z_OK || status == Z_STREAM_END) && to->error == HG_ERR_OK;
        if (status == Z_STREAM_END)
            HG_ASSERT(inflateReset(&z) == Z_OK);
    }
    inflateEnd(&z);
    free(all);
    return good && whole;
}

static void inflate_foreign(struct hg_slice data, size_t ceiling)
{
    static struct hg_inflater *inflater;
    struct hg_buf ours, plainly;
    if (!inflater)
        HG_ASSERT(hg_ok(hg_inflater_new(&inflater)));
    hg_buf_init(&ours, ceiling);
    hg_buf_init(&plainly, WHOLE_MAX);
    enum hg_error error = hg_inflate(inflater, data, &ours).code;
    bool good = inflate_plainly(data, &plainly);
    HG_ASSERT(error == HG_ERR_OK || error == HG_ERR_TOO_BIG || error == HG_ERR_SYNTAX);
    HG_ASSERT(ours.len <= ceiling);
    if (error == HG_ERR_OK)
        HG_ASSERT(good && hg_slice_eq(hg_buf_slice(&ours), hg_buf_slice(&plainly)));
    if (error == HG_ERR_TOO_BIG)
        HG_ASSERT(ours.len == 0 && plainly.len > ceiling);
    if (error == HG_ERR_SYNTAX && good) /* too many blocks: more than one for each 32 bytes in and out, and 64 */
        HG_ASSERT(ours.len == 0 && data.len > 64);
    hg_buf_done(&ours);
    hg_buf_done(&plainly);
}

static void deflate_own(struct hg_slice message, unsigned level, unsigned window_bits)
{
    struct hg_deflater *deflater;
    struct hg_buf there, back;
    HG_ASSERT(hg_ok(hg_deflater_new(level, window_bits, &deflater)));
    hg_buf_init(&there, message.len + 64);
    hg_buf_init(&back, message.len + 1);
    for (unsigned i = 0; i < 2; i++) { /* nothing is remembered */
        if (hg_deflate(deflater, message, message.len, &there)) {
            HG_ASSERT(there.len < message.len);
            HG_ASSERT(inflate_plainly(hg_buf_slice(&there), &back));
            HG_ASSERT(hg_slice_eq(hg_buf_slice(&back), message));
        }
        hg_buf_clear(&there);
        hg_buf_clear(&back);
    }
    hg_buf_done(&there);
    hg_buf_done(&back);
    hg_deflater_free(deflater);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t ceilings[] = {1, 100, 5000, 70000};
    if (size == 0)
        return 0;
    struct hg_slice rest = hg_slice(data + 1, size - 1);
    inflate_foreign(rest, ceilings[data[0] & 3]);
    if (data[0] & 4)
        deflate_own(rest, 1 + data[0] / 8 % 9, 9 + data[0] / 72u);
    return 0;
}
