#include "topic/text.h"

#include "base/utf8.h"

static bool has_control(struct hg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return true;
        /* U+0080–U+009F is C2 80–9F; the text is valid UTF-8, so a second byte is there. */
        if (c == 0xc2 && (unsigned char)text.ptr[i + 1] < 0xa0)
            return true;
    }
    return false;
}

const char *hg_text_objection(struct hg_slice text)
{
    if (text.len == 0)
        return "is empty";
    if (!hg_utf8_valid(text))
        return "is not valid UTF-8";
    return has_control(text) ? "contains a control character" : NULL;
}
