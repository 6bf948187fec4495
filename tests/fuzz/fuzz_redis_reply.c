/* Bytes of a hostile Redis → the codec → every reader of shapes. The first byte seeds how the rest is cut. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/prng.h"
#include "core/reply.h"
#include "redis/redis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t sum;

/* Reads all of the tree, as the core might. */
static void walk(const struct hg_reply *reply, int depth)
{
    HG_ASSERT(depth <= 8);
    for (size_t i = 0; i < reply->text.len; i++)
        sum += (unsigned char)reply->text.ptr[i];
    sum += (uint64_t)reply->integer + hg_reply_is(reply, "message") + hg_reply_is_error(reply, "ERR") +
           hg_reply_is_array(reply, 3);
    struct hg_entry entry;
    if (hg_reply_entry(reply, &entry)) {
        HG_ASSERT(entry.field_count % 2 == 0);
        for (size_t i = 0; i < entry.field_count; i++)
            HG_ASSERT(entry.fields[i].type == HG_REPLY_STRING);
    }
    HG_ASSERT(reply->type == HG_REPLY_ARRAY || reply->count == 0);
    for (size_t i = 0; i < reply->count; i++)
        walk(&reply->items[i], depth + 1);
}

static bool on_reply(void *context, const struct hg_reply *reply)
{
    size_t *left = context;
    walk(reply, 0);
    return --*left > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct hg_resp *resp = NULL;
    if (!hg_ok(hg_resp_new(&resp)))
        abort();
    struct hg_prng prng;
    hg_prng_init(&prng, data[0]);
    size_t left = data[0] < 8 ? data[0] + 1u : SIZE_MAX; /* some stop early */
    struct hg_slice bytes = hg_slice(data + 1, size - 1);
    const char *why = NULL;
    while (bytes.len > 0 && left > 0) {
        /* Memory of exactly its size, so that a sanitizer sees a read past the piece. */
        size_t len = 1 + (size_t)hg_prng_below(&prng, data[0] % 2 ? 8 : bytes.len);
        len = len < bytes.len ? len : bytes.len;
        char *piece = malloc(len);
        if (!piece)
            abort();
        memcpy(piece, bytes.ptr, len);
        bytes = hg_slice_from(bytes, len);
        bool fine = hg_resp_feed(resp, hg_slice(piece, len), on_reply, &left, &why);
        free(piece);
        if (!fine) {
            HG_ASSERT(why && why[0]);
            break;
        }
    }
    hg_resp_free(resp);
    return 0;
}
