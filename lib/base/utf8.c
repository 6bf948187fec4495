#include "base/utf8.h"

#include <stdint.h>

size_t hg_utf8_prefix(struct hg_slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.ptr;
    size_t at = 0;
    while (at < text.len) {
        if (bytes[at] < 0x80) {
            uint64_t word;
            while (text.len - at >= 8 && (memcpy(&word, bytes + at, 8), (word & 0x8080808080808080u) == 0))
                at += 8;
            while (at < text.len && bytes[at] < 0x80)
                at++;
            continue;
        }
        /* The second byte's range is what tells overlong forms, surrogates and too large code points apart. */
        unsigned char lead = bytes[at], low = 0x80, high = 0xbf;
        size_t more;
        if (lead >= 0xc2 && lead <= 0xdf) {
            more = 1;
        } else if ((lead & 0xf0) == 0xe0) {
            more = 2;
            low = lead == 0xe0 ? 0xa0 : 0x80;
            high = lead == 0xed ? 0x9f : 0xbf;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            more = 3;
            low = lead == 0xf0 ? 0x90 : 0x80;
            high = lead == 0xf4 ? 0x8f : 0xbf;
        } else {
            return at;
        }
        if (text.len - at <= more || bytes[at + 1] < low || bytes[at + 1] > high)
            return at;
        for (size_t i = 2; i <= more; i++)
            if ((bytes[at + i] & 0xc0) != 0x80)
                return at;
        at += more + 1;
    }
    return at;
}

bool hg_utf8_valid(struct hg_slice text)
{
    return hg_utf8_prefix(text) == text.len;
}
