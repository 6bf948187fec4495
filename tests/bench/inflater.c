#include "bench/inflater.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "bench/process.h"

#define KEPT 512 /* messages, by their checksum */

struct kept {
    char *deflated, *message;
    size_t deflated_len, message_len;
};

struct hgt_inflater {
    z_stream stream;
    size_t message_max;
    char *deflated, *message;
    struct kept kept[KEPT];
};

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        hgt_die("out of memory");
    return memory;
}

struct hgt_inflater *hgt_inflater_new(size_t message_max)
{
    struct hgt_inflater *inflater = allocate(sizeof(*inflater));
    inflater->message_max = message_max;
    inflater->message = allocate(message_max + 1);
    inflater->deflated = allocate(message_max * 2 + 64);
    if (inflateInit2(&inflater->stream, -MAX_WBITS) != Z_OK)
        hgt_die("out of memory");
    return inflater;
}

void hgt_inflater_free(struct hgt_inflater *inflater)
{
    if (!inflater)
        return;
    for (size_t i = 0; i < KEPT; i++) {
        free(inflater->kept[i].deflated);
        free(inflater->kept[i].message);
    }
    inflateEnd(&inflater->stream);
    free(inflater->deflated);
    free(inflater->message);
    free(inflater);
}

/* RFC 7692, section 7.2.2: the sender took these four bytes from the end. */
static struct hg_slice inflate_anew(struct hgt_inflater *inflater, struct hg_slice deflated)
{
    static const char tail[] = {0, 0, (char)0xff, (char)0xff};
    z_stream *stream = &inflater->stream;
    if (deflated.len > inflater->message_max * 2)
        return HG_SLICE_NULL;
    memcpy(inflater->deflated, deflated.ptr, deflated.len);
    memcpy(inflater->deflated + deflated.len, tail, sizeof(tail));
    inflateReset(stream);
    stream->next_in = (Bytef *)inflater->deflated;
    stream->avail_in = (uInt)(deflated.len + sizeof(tail));
    stream->next_out = (Bytef *)inflater->message;
    stream->avail_out = (uInt)(inflater->message_max + 1);
    int done = inflate(stream, Z_SYNC_FLUSH);
    size_t len = inflater->message_max + 1 - stream->avail_out;
    if ((done != Z_OK && done != Z_BUF_ERROR && done != Z_STREAM_END) || stream->avail_in > 0 || stream->avail_out == 0)
        return HG_SLICE_NULL;
    return hg_slice(inflater->message, len);
}

static char *copy_of(struct hg_slice bytes)
{
    return memcpy(allocate(bytes.len + 1), bytes.ptr, bytes.len);
}

struct hg_slice hgt_inflater_take(struct hgt_inflater *inflater, struct hg_slice deflated)
{
    struct kept *kept = &inflater->kept[crc32(0, (const Bytef *)deflated.ptr, (uInt)deflated.len) % KEPT];
    if (kept->deflated && hg_slice_eq(hg_slice(kept->deflated, kept->deflated_len), deflated))
        return hg_slice(kept->message, kept->message_len);
    struct hg_slice message = inflate_anew(inflater, deflated);
    if (!message.ptr)
        return message;
    free(kept->deflated);
    free(kept->message);
    *kept = (struct kept){copy_of(deflated), copy_of(message), deflated.len, message.len};
    return hg_slice(kept->message, kept->message_len);
}
