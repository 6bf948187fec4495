#include "base/visible.h"

#include "base/utf8.h"

size_t hg_visible_char(struct hg_slice text)
{
    for (size_t len = 1; len <= 4 && len <= text.len; len++)
        if (hg_utf8_valid(hg_slice_first(text, len)))
            return len;
    return 0;
}

/* False: may stand as it is. */
static bool put_escaped(struct hg_slice character, struct hg_buf *into)
{
    unsigned char c = (unsigned char)character.ptr[0];
    unsigned char last = (unsigned char)character.ptr[character.len - 1];
    if (character.len == 1 && (c < 0x20 || c >= 0x7f))
        hg_buf_printf(into, "\\x%02x", c);
    else if (character.len == 2 && c == 0xc2 && last < 0xa0)
        hg_buf_printf(into, "\\x%02x", last);
    else if (character.len == 3 &&
             (memcmp(character.ptr, "\xe2\x80\xa8", 3) == 0 || memcmp(character.ptr, "\xe2\x80\xa9", 3) == 0))
        hg_buf_printf(into, "\\u20%02x", last - 0x80u);
    else
        return false;
    return true;
}

void hg_visible_put(struct hg_slice text, size_t most, struct hg_buf *into)
{
    size_t i = 0;
    while (i < text.len) {
        size_t len = hg_visible_char(hg_slice_from(text, i));
        len = len > 0 ? len : 1;
        if (i + len > most)
            break;
        struct hg_slice character = hg_slice(text.ptr + i, len);
        if (!put_escaped(character, into))
            hg_buf_put(into, character);
        i += len;
    }
    if (i < text.len)
        hg_buf_put_str(into, "…");
}
