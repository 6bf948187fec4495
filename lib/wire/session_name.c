#include "wire/session_name.h"

static void write_half(uint64_t half, char *to)
{
    for (int i = 15; i >= 0; i--, half >>= 4)
        to[i] = "0123456789abcdef"[half & 15];
}

static bool parse_half(const char *text, uint64_t *ret_half)
{
    uint64_t half = 0;
    for (int i = 0; i < 16; i++) {
        char c = text[i];
        bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f'))
            return false;
        half = half << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
    }
    *ret_half = half;
    return true;
}

void hg_session_name_write(struct hg_session_name name, char *to)
{
    write_half(name.high, to);
    write_half(name.low, to + 16);
}

bool hg_session_name_parse(struct hg_slice text, struct hg_session_name *ret_name)
{
    struct hg_session_name name;
    if (text.len != HG_SESSION_NAME_BYTES || !parse_half(text.ptr, &name.high) || !parse_half(text.ptr + 16, &name.low))
        return false;
    *ret_name = name;
    return true;
}
