#include "sim/frame.h"

#include "base/utf8.h"

struct sim_frame sim_frame_next(struct sim_env *env, struct hg_slice *bytes)
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
    struct sim_frame frame = {b[0] == 0x89, hg_slice(bytes->ptr + header, (size_t)len)};
    if (b[0] != 0x81 && (b[0] != 0x89 || len > 125))
        sim_violation(env, "wire: a frame that begins with %02x", b[0]);
    if (frame.ping && len == 0)
        sim_violation(env, "wire: a ping without payload: its pong would not be reported");
    if (!frame.ping && !hg_utf8_valid(frame.payload))
        sim_violation(env, "wire: a text message is not UTF-8");
    *bytes = hg_slice_from(*bytes, header + (size_t)len);
    return frame;
}
