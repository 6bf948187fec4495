#include "base/utf8.h"

#include <stdint.h>

bool hg_utf8_valid(struct hg_slice text)
{
    const unsigned char *at = (const unsigned char *)text.ptr, *end = at + text.len;
    while (at < end) {
        if (*at < 0x80) {
            uint64_t word;
            while (end - at >= 8 && (memcpy(&word, at, 8), (word & 0x8080808080808080u) == 0))
                at += 8;
            while (at < end && *at < 0x80)
                at++;
            continue;
        }
        /* The second byte's range is what tells overlong forms, surrogates and too large code points apart. */
        unsigned char lead = *at, low = 0x80, high = 0xbf;
        int more;
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
            return false;
        }
        if (end - at <= more || at[1] < low || at[1] > high)
            return false;
        for (int i = 2; i <= more; i++)
            if ((at[i] & 0xc0) != 0x80)
                return false;
        at += more + 1;
    }
    return true;
}
