#include "stream/cursor.h"

#define DIGITS HG_FINGERPRINT_DIGITS

/* The bytes "headgate cursor1". Clients keep cursors: another key, or another way to feed it, makes all of them
 * worthless. */
static const struct hg_hash_key fingerprint_key = {0x6574616764616568u, 0x31726f7372756320u};

static bool parse_fingerprint(struct hg_slice text, uint32_t *ret_fingerprint)
{
    uint32_t number = 0;
    if (text.len != DIGITS)
        return false;
    for (size_t i = 0; i < DIGITS; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9')
            number = number << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            number = number << 4 | (uint32_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret_fingerprint = number;
    return true;
}

bool hg_cursor_parse(struct hg_slice text, struct hg_cursor *ret_cursor)
{
    struct hg_cursor cursor;
    if (text.len < DIGITS + 1)
        return false;
    size_t tilde = text.len - DIGITS - 1;
    if (text.ptr[tilde] != '~' || !hg_stream_id_parse(hg_slice_first(text, tilde), &cursor.id) ||
        !parse_fingerprint(hg_slice_from(text, tilde + 1), &cursor.fingerprint))
        return false;
    *ret_cursor = cursor;
    return true;
}

void hg_cursor_put(struct hg_buf *buf, struct hg_cursor cursor)
{
    hg_stream_id_put(buf, cursor.id);
    hg_buf_put_char(buf, '~');
    hg_fingerprint_put(buf, cursor.fingerprint);
}

uint32_t hg_fingerprint(const struct hg_slice *fields, size_t count)
{
    struct hg_hash hash;
    hg_hash_init(&hash, fingerprint_key);
    for (size_t i = 0; i < count; i++) {
        hg_hash_add_u64(&hash, fields[i].len);
        hg_hash_add(&hash, fields[i]);
    }
    return (uint32_t)hg_hash_value(&hash);
}

void hg_fingerprint_write(uint32_t fingerprint, char *to)
{
    for (size_t i = 0; i < DIGITS; i++)
        to[i] = "0123456789abcdef"[fingerprint >> (4 * (DIGITS - 1 - i)) & 0xf];
}

void hg_fingerprint_put(struct hg_buf *buf, uint32_t fingerprint)
{
    char digits[DIGITS];
    hg_fingerprint_write(fingerprint, digits);
    hg_buf_put(buf, hg_slice(digits, DIGITS));
}
