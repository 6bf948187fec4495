#include "sim/frame.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/assert.h"
#include "base/utf8.h"

/* As a client would, with nothing but zlib. */
static struct hg_slice inflate_payload(struct sim_env *env, struct hg_slice payload)
{
    static const unsigned char tail[] = {0, 0, 0xff, 0xff};
    size_t room = (size_t)env->options.config.event_bytes_max * 8 + 65536;
    unsigned char *out = malloc(room);
    z_stream z = {0};

    HG_ASSERT(out && inflateInit2(&z, -(int)env->options.config.deflate_window_bits) == Z_OK);
    z.next_out = out;
    z.avail_out = (uInt)room;
    z.next_in = (Bytef *)(uintptr_t)payload.ptr;
    z.avail_in = (uInt)payload.len;
    int status = inflate(&z, Z_SYNC_FLUSH);
    if (status == Z_OK && z.avail_in == 0) {
        z.next_in = (Bytef *)(uintptr_t)tail;
        z.avail_in = sizeof tail;
        status = inflate(&z, Z_SYNC_FLUSH);
    }
    bool whole = status == Z_OK && z.avail_in == 0 && z.avail_out > 0;
    struct hg_slice message = sim_arena_copy(&env->arena, hg_slice(out, whole ? room - z.avail_out : 0));
    inflateEnd(&z);
    free(out);
    if (!whole)
        sim_violation(env, "wire: a deflated message does not inflate");
    if (message.len <= payload.len)
        sim_violation(env, "wire: a message did not become smaller by being deflated");
    if (message.len < env->options.config.deflate_min_bytes)
        sim_violation(env, "wire: a message is too small to be deflated");
    return message;
}

struct sim_frame sim_frame_next(struct sim_env *env, struct hg_slice *bytes, bool deflates)
{
    const unsigned char *b = (const unsigned char *)bytes->ptr;
    size_t header = 2;

    if (bytes->len < 2)
        sim_violation(env, "wire: half a frame");
    uint64_t len = b[1] & 127u;
    if (len == 126) {
        if (bytes->len < 4)
            sim_violation(env, "wire: half a frame");
        len = (uint64_t)b[2] << 8 | b[3];
        header = 4;
        if (len < 126)
            sim_violation(env, "wire: a length is not minimal");
    } else if (len == 127) {
        if (bytes->len < 10)
            sim_violation(env, "wire: half a frame");
        len = 0;
        for (size_t i = 2; i < 10; i++)
            len = len << 8 | b[i];
        header = 10;
        if (len < 65536)
            sim_violation(env, "wire: a length is not minimal");
    }
    if (b[1] & 0x80)
        sim_violation(env, "wire: a server's frame is masked");
    if (len > bytes->len - header)
        sim_violation(env, "wire: half a frame");
    struct sim_frame frame = {b[0] == 0x89, b[0] == 0xc1, hg_slice(bytes->ptr + header, (size_t)len)};
    if (frame.deflated && !deflates)
        sim_violation(env, "wire: a deflated frame for a client that did not agree to it");
    if (frame.deflated)
        frame.payload = inflate_payload(env, frame.payload);
    else if (b[0] != 0x81 && (b[0] != 0x89 || len > 125))
        sim_violation(env, "wire: a frame that begins with %02x", b[0]);
    if (frame.ping && len == 0)
        sim_violation(env, "wire: a ping without payload: its pong would not be reported");
    if (!frame.ping && !hg_utf8_valid(frame.payload))
        sim_violation(env, "wire: a text message is not UTF-8");
    *bytes = hg_slice_from(*bytes, header + (size_t)len);
    return frame;
}
