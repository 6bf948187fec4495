#include "wire/deflate.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/assert.h"

enum {
    MEMORY_LEVEL = 8,
    FLUSH_ROOM = 16, /* what a flush may need besides; the header of zlib asks for more than six */
    ROOM_MIN = 1024,
    /* How many blocks of a message are taken: a block of a dozen bytes can cost as much as hundreds of bytes of text.
     */
    BLOCKS_FREE = 64,
    BYTES_PER_BLOCK = 32,
};

/* What a flush ends with, and a message in a frame does not. */
static const unsigned char tail[4] = {0x00, 0x00, 0xff, 0xff};

struct hg_deflater {
    z_stream z;
};

struct hg_inflater {
    z_stream z;
    uint64_t blocks;
};

static Bytef *bytes_of(const void *ptr)
{
    return (Bytef *)(uintptr_t)ptr; /* zlib reads only */
}

/* Our own, so that tests can let them fail. */
static voidpf allocate(voidpf context, uInt items, uInt size)
{
    (void)context;
    return calloc(items, size);
}

static void release(voidpf context, voidpf memory)
{
    (void)context;
    free(memory);
}

/* ---- deflate ----------------------------------------------------------------------------------------------------- */

hg_result hg_deflater_new(unsigned level, unsigned window_bits, struct hg_deflater **ret_deflater)
{
    HG_ASSERT(level >= 1 && level <= 9);
    HG_ASSERT(window_bits >= HG_DEFLATE_WINDOW_BITS_MIN && window_bits <= HG_DEFLATE_WINDOW_BITS_MAX);
    struct hg_deflater *deflater = calloc(1, sizeof(*deflater));
    if (!deflater)
        return HG_FAIL(NOMEM);
    deflater->z.zalloc = allocate;
    deflater->z.zfree = release;
    if (deflateInit2(&deflater->z, (int)level, Z_DEFLATED, -(int)window_bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        free(deflater);
        return HG_FAIL(NOMEM);
    }
    *ret_deflater = deflater;
    return HG_OK;
}

void hg_deflater_free(struct hg_deflater *deflater)
{
    if (!deflater)
        return;
    deflateEnd(&deflater->z);
    free(deflater);
}

bool hg_deflate(struct hg_deflater *deflater, struct hg_slice message, size_t limit, struct hg_buf *to)
{
    if (limit == 0 || message.len > UINT_MAX || limit > UINT_MAX - FLUSH_ROOM || to->max - to->len < limit + FLUSH_ROOM)
        return false;
    char *room = hg_buf_reserve(to, limit + FLUSH_ROOM);
    if (!room)
        return false;
    z_stream *z = &deflater->z;
    HG_ASSERT(deflateReset(z) == Z_OK);
    z->next_in = bytes_of(message.ptr ? message.ptr : "");
    z->avail_in = (uInt)message.len;
    z->next_out = bytes_of(room);
    z->avail_out = (uInt)(limit + FLUSH_ROOM);
    int status = deflate(z, Z_SYNC_FLUSH);
    size_t len = limit + FLUSH_ROOM - z->avail_out;
    if (status != Z_OK || z->avail_in > 0 || z->avail_out == 0 || len < sizeof(tail) || len - sizeof(tail) >= limit)
        return false;
    HG_ASSERT(memcmp(room + len - sizeof(tail), tail, sizeof(tail)) == 0);
    to->len += len - sizeof(tail);
    return true;
}

/* ---- inflate ----------------------------------------------------------------------------------------------------- */

hg_result hg_inflater_new(struct hg_inflater **ret_inflater)
{
    struct hg_inflater *inflater = calloc(1, sizeof(*inflater));
    if (!inflater)
        return HG_FAIL(NOMEM);
    inflater->z.zalloc = allocate;
    inflater->z.zfree = release;
    if (inflateInit2(&inflater->z, -HG_DEFLATE_WINDOW_BITS_MAX) != Z_OK) {
        free(inflater);
        return HG_FAIL(NOMEM);
    }
    *ret_inflater = inflater;
    return HG_OK;
}

void hg_inflater_free(struct hg_inflater *inflater)
{
    if (!inflater)
        return;
    inflateEnd(&inflater->z);
    free(inflater);
}

/* Room for more output; at the buffer's end the `spare` byte, which no message that fits writes to. */
static bool make_room(z_stream *z, struct hg_buf *to, unsigned char *spare)
{
    size_t left = to->max - to->len, wanted = to->len < ROOM_MIN ? ROOM_MIN : to->len;
    if (left == 0) {
        z->next_out = spare;
        z->avail_out = 1;
        return true;
    }
    wanted = wanted < left ? wanted : left;
    wanted = wanted < UINT_MAX ? wanted : UINT_MAX;
    char *room = hg_buf_reserve(to, wanted);
    if (!room)
        return false;
    z->next_out = bytes_of(room);
    z->avail_out = (uInt)wanted;
    return true;
}

/* Inflates one piece of a message. `ret_whole`: it ends where a block does. */
static hg_result inflate_piece(struct hg_inflater *inflater, struct hg_slice piece, uint64_t blocks_max, bool last,
                               struct hg_buf *to)
{
    z_stream *z = &inflater->z;
    unsigned char spare;
    bool whole = false;
    z->next_in = bytes_of(piece.ptr);
    z->avail_in = (uInt)piece.len;
    for (;;) {
        if (!make_room(z, to, &spare))
            return HG_FAIL(NOMEM);
        uInt in = z->avail_in, room = z->avail_out;
        int status = inflate(z, Z_BLOCK);
        if (z->avail_out < room && to->len == to->max)
            return HG_FAIL(TOO_BIG);
        to->len += room - z->avail_out;
        bool full = z->avail_out == 0, ended = status == Z_STREAM_END;
        if (status == Z_MEM_ERROR)
            return HG_FAIL(NOMEM);
        if (status != Z_OK && status != Z_BUF_ERROR && !ended)
            return HG_FAIL(SYNTAX);
        /* Between two blocks, at the end of a byte. After a block that says it is the last one others may follow (RFC
         * 7692, section 7.2.3.5). */
        whole = ended || ((z->data_type & 128) && (z->data_type & 7) == 0);
        if ((ended || (z->data_type & 128)) && z->avail_in < in &&
            ++inflater->blocks > blocks_max + to->len / BYTES_PER_BLOCK)
            return HG_FAIL(SYNTAX);
        if (ended)
            HG_ASSERT(inflateReset(z) == Z_OK);
        if (z->avail_in == 0 && !full)
            return whole || !last ? HG_OK : HG_FAIL(SYNTAX);
        if (z->avail_in == in && !full && status == Z_BUF_ERROR)
            return HG_FAIL(SYNTAX); /* zlib would not go on */
    }
}

hg_result hg_inflate(struct hg_inflater *inflater, struct hg_slice data, struct hg_buf *to)
{
    if (data.len > UINT_MAX)
        return HG_FAIL(TOO_BIG);
    HG_TRY(hg_buf_result(to));
    HG_ASSERT(to->len == 0);
    uint64_t blocks_max = BLOCKS_FREE + data.len / BYTES_PER_BLOCK;
    inflater->blocks = 0;
    HG_ASSERT(inflateReset(&inflater->z) == Z_OK);
    hg_result result = HG_OK;
    if (data.len > 0)
        result = inflate_piece(inflater, data, blocks_max, false, to);
    if (hg_ok(result))
        result = inflate_piece(inflater, hg_slice(tail, sizeof(tail)), blocks_max, true, to);
    if (!hg_ok(result))
        hg_buf_clear(to);
    return result;
}
