#include "base/json.h"

#include "base/assert.h"
#include "base/utf8.h"
#include "base/word.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

/* Where the first of eight bytes stands that a string does not simply go on with: a quote, a backslash, a control
 * character; 8 when there is none. What a subtraction borrows from the byte above can mark that one wrongly, never the
 * first. */
static unsigned plain_bytes(const char *at)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t word = hg_word_load(at), quote = word ^ ones * '"', backslash = word ^ ones * '\\';
    uint64_t marked =
        (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & tops;
    return marked ? (unsigned)__builtin_ctzll(marked) / 8 : 8;
}

static const char *skip_plain(const char *at, const char *end)
{
    while (end - at >= 8) {
        unsigned plain = plain_bytes(at);
        at += plain;
        if (plain < 8)
            return at;
    }
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

/* Each scan_ function returns the place behind what it read, or NULL with *bad at the first byte that does not fit. */

static const char *scan_string(const char *at, const char *end, const char **bad)
{
    HG_ASSERT(at < end && *at == '"');
    at++;
    for (;;) {
        at = skip_plain(at, end);
        if (at >= end || (unsigned char)*at < 0x20) {
            *bad = at;
            return NULL;
        }
        if (*at == '"')
            return at + 1;
        at++;
        if (at < end && *at == 'u') {
            for (int i = 1; i <= 4; i++)
                if (end - at <= i || !is_hex(at[i])) {
                    *bad = end - at <= i ? end : at + i;
                    return NULL;
                }
            at += 5;
        } else if (at < end && memchr("\"\\/bfnrt", *at, 8)) {
            at++;
        } else {
            *bad = at;
            return NULL;
        }
    }
}

static const char *scan_digits(const char *at, const char *end, const char **bad)
{
    if (at >= end || !is_digit(*at)) {
        *bad = at;
        return NULL;
    }
    while (at < end && is_digit(*at))
        at++;
    return at;
}

static const char *scan_number(const char *at, const char *end, const char **bad)
{
    if (*at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else if (!(at = scan_digits(at, end, bad)))
        return NULL;
    if (at < end && *at == '.' && !(at = scan_digits(at + 1, end, bad)))
        return NULL;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = scan_digits(at, end, bad);
    }
    return at;
}

static const char *scan_word(const char *at, const char *end, const char *word, const char **bad)
{
    for (; *word; word++, at++)
        if (at >= end || *at != *word) {
            *bad = at;
            return NULL;
        }
    return at;
}

static const char *scan_scalar(const char *at, const char *end, enum hg_json_type *ret_type, const char **bad)
{
    switch (*at) {
    case '"':
        *ret_type = HG_JSON_STRING;
        return scan_string(at, end, bad);
    case 't':
        *ret_type = HG_JSON_BOOL;
        return scan_word(at, end, "true", bad);
    case 'f':
        *ret_type = HG_JSON_BOOL;
        return scan_word(at, end, "false", bad);
    case 'n':
        *ret_type = HG_JSON_NULL;
        return scan_word(at, end, "null", bad);
    default:
        if (*at == '-' || is_digit(*at)) {
            *ret_type = HG_JSON_NUMBER;
            return scan_number(at, end, bad);
        }
        *bad = at;
        return NULL;
    }
}

/* The key and colon of a member; returns the place of its value. */
static const char *scan_key(const char *at, const char *end, const char **bad)
{
    if (at >= end || *at != '"') {
        *bad = at;
        return NULL;
    }
    if (!(at = scan_string(at, end, bad)))
        return NULL;
    at = skip_space(at, end);
    if (at >= end || *at != ':') {
        *bad = at;
        return NULL;
    }
    return skip_space(at + 1, end);
}

static const char *scan_value(const char *at, const char *end, enum hg_json_type *ret_type, const char **bad)
{
    unsigned char is_object[HG_JSON_DEPTH_MAX / 8] = {0}; /* one bit for each open container */
    unsigned depth = 0;
    enum hg_json_type type;
    bool first = true;

    for (;;) {
        /* A value starts here. */
        *bad = at;
        if (at >= end)
            return NULL;
        if (*at == '{' || *at == '[') {
            if (depth == HG_JSON_DEPTH_MAX)
                return NULL;
            bool object = *at == '{';
            if (first)
                *ret_type = object ? HG_JSON_OBJECT : HG_JSON_ARRAY;
            first = false;
            unsigned char bit = (unsigned char)(1u << (depth & 7));
            if (object)
                is_object[depth >> 3] |= bit;
            else
                is_object[depth >> 3] &= (unsigned char)~bit;
            depth++;
            at = skip_space(at + 1, end);
            if (at < end && *at == (object ? '}' : ']')) {
                at++;
                depth--;
            } else {
                if (object && !(at = scan_key(at, end, bad)))
                    return NULL;
                continue;
            }
        } else {
            if (!(at = scan_scalar(at, end, &type, bad)))
                return NULL;
            if (first)
                *ret_type = type;
            first = false;
        }
        /* A value ended here: close what closes, or go on behind a comma. */
        for (;;) {
            if (depth == 0)
                return at;
            bool object = is_object[(depth - 1) >> 3] >> ((depth - 1) & 7) & 1;
            at = skip_space(at, end);
            *bad = at;
            if (at >= end)
                return NULL;
            if (*at == (object ? '}' : ']')) {
                at++;
                depth--;
            } else if (*at == ',') {
                at = skip_space(at + 1, end);
                if (object && !(at = scan_key(at, end, bad)))
                    return NULL;
                break;
            } else {
                return NULL;
            }
        }
    }
}

hg_result hg_json_parse(struct hg_slice text, struct hg_json *ret_value, size_t *reterr_at)
{
    if (!text.ptr)
        text = HG_LIT("");
    const char *end = text.ptr + text.len, *bad = text.ptr;
    const char *from = skip_space(text.ptr, end);
    enum hg_json_type type = HG_JSON_NULL;
    size_t utf8 = hg_utf8_prefix(text);
    const char *to = scan_value(from, end, &type, &bad);
    if (to)
        bad = skip_space(to, end);
    if (to && bad == end && utf8 == text.len) {
        if (ret_value)
            *ret_value = (struct hg_json){type, hg_slice(from, (size_t)(to - from))};
        return HG_OK;
    }
    if (reterr_at) {
        size_t at = (size_t)(bad - text.ptr);
        *reterr_at = at < utf8 ? at : utf8;
    }
    return HG_FAIL(SYNTAX);
}

struct hg_json_iter hg_json_iter(struct hg_json container)
{
    HG_ASSERT(container.type == HG_JSON_OBJECT || container.type == HG_JSON_ARRAY);
    return (struct hg_json_iter){hg_slice(container.raw.ptr + 1, container.raw.len - 2)};
}

/* The text was accepted by hg_json_parse() before, so a scan that fails is our own mistake. */
static struct hg_json take_value(struct hg_json_iter *iter)
{
    const char *at = iter->rest.ptr, *end = at + iter->rest.len, *bad;
    struct hg_json value = {HG_JSON_NULL, HG_SLICE_NULL};
    HG_ASSERT(at < end);
    const char *to =
        *at == '{' || *at == '[' ? scan_value(at, end, &value.type, &bad) : scan_scalar(at, end, &value.type, &bad);
    HG_ASSERT(to);
    value.raw = hg_slice(at, (size_t)(to - at));
    iter->rest = hg_slice(to, (size_t)(end - to));
    return value;
}

static bool skip_to(struct hg_json_iter *iter, char separator)
{
    const char *at = iter->rest.ptr, *end = at + iter->rest.len;
    at = skip_space(at, end);
    if (at < end && *at == separator)
        at = skip_space(at + 1, end);
    iter->rest = hg_slice(at, (size_t)(end - at));
    return at < end;
}

bool hg_json_next_element(struct hg_json_iter *iter, struct hg_json *ret_value)
{
    if (!skip_to(iter, ','))
        return false;
    *ret_value = take_value(iter);
    return true;
}

bool hg_json_next_member(struct hg_json_iter *iter, struct hg_json *ret_key, struct hg_json *ret_value)
{
    if (!skip_to(iter, ','))
        return false;
    *ret_key = take_value(iter);
    HG_ASSERT(ret_key->type == HG_JSON_STRING);
    bool more = skip_to(iter, ':');
    HG_ASSERT(more);
    *ret_value = take_value(iter);
    return true;
}

bool hg_json_get(struct hg_json object, const char *key, struct hg_json *ret_value)
{
    struct hg_json_iter iter = hg_json_iter(object);
    struct hg_json name, value;
    bool found = false;
    while (hg_json_next_member(&iter, &name, &value))
        if (hg_json_string_is(name, key)) {
            *ret_value = value;
            found = true;
        }
    return found;
}

static unsigned hex_value(const char *at)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        value = value * 16 + (unsigned)(is_digit(c) ? c - '0' : (c | 32) - 'a' + 10);
    }
    return value;
}

/* Decodes one character of a string's inside into up to four bytes; returns how many, 0 for a lone surrogate. */
static unsigned decode_char(const char **at, const char *end, char out[4])
{
    if (**at != '\\') {
        out[0] = *(*at)++;
        return 1;
    }
    char escape = (*at)[1];
    *at += 2;
    if (escape != 'u') {
        static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
        const char *found = memchr(from, escape, 5);
        out[0] = found ? to[found - from] : escape;
        return 1;
    }
    unsigned point = hex_value(*at);
    *at += 4;
    if (point >= 0xd800 && point <= 0xdfff) {
        if (point >= 0xdc00 || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
            return 0;
        unsigned low = hex_value(*at + 2);
        if (low < 0xdc00 || low > 0xdfff)
            return 0;
        *at += 6;
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    unsigned len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (unsigned i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)(lead[len] | point);
    return len;
}

bool hg_json_string_eq(struct hg_json string, struct hg_slice text)
{
    HG_ASSERT(string.type == HG_JSON_STRING);
    const char *at = string.raw.ptr + 1, *end = string.raw.ptr + string.raw.len - 1;
    size_t inside = (size_t)(end - at);
    /* Every escape is longer than what it stands for: without one the lengths are equal, with one they differ. */
    if (inside < text.len)
        return false;
    if (inside == text.len)
        return inside == 0 || (memcmp(at, text.ptr, inside) == 0 && !memchr(at, '\\', inside));
    while (at < end) {
        char bytes[4];
        unsigned len = decode_char(&at, end, bytes);
        if (len == 0 || !hg_slice_starts(text, hg_slice(bytes, len)))
            return false;
        text = hg_slice_from(text, len);
    }
    return text.len == 0;
}

hg_result hg_json_string_decode(struct hg_json string, struct hg_buf *into)
{
    HG_ASSERT(string.type == HG_JSON_STRING);
    const char *at = string.raw.ptr + 1, *end = string.raw.ptr + string.raw.len - 1;
    size_t before = into->len;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        const char *plain = escape ? escape : end;
        hg_buf_put(into, hg_slice(at, (size_t)(plain - at)));
        at = plain;
        if (at < end) {
            char bytes[4];
            unsigned count = decode_char(&at, end, bytes);
            if (count == 0) {
                into->len = before;
                return HG_FAIL(SYNTAX);
            }
            hg_buf_put(into, hg_slice(bytes, count));
        }
    }
    return hg_buf_result(into);
}

bool hg_json_u64(struct hg_json number, uint64_t *ret_number)
{
    uint64_t value = 0;
    if (number.type != HG_JSON_NUMBER)
        return false;
    for (size_t i = 0; i < number.raw.len; i++) {
        char c = number.raw.ptr[i];
        if (!is_digit(c) || value > (UINT64_MAX - (uint64_t)(c - '0')) / 10)
            return false;
        value = value * 10 + (uint64_t)(c - '0');
    }
    *ret_number = value;
    return true;
}

void hg_json_put_string(struct hg_buf *buf, struct hg_slice text)
{
    static const char hex[] = "0123456789abcdef", raw[] = "\b\f\n\r\t\"\\", named[] = "bfnrt\"\\";
    HG_PARANOID_CHECK(HG_ASSERT(hg_utf8_valid(text)));
    hg_buf_put_char(buf, '"');
    const char *at = text.len > 0 ? text.ptr : "", *end = at + text.len; /* an empty one may have no place */
    for (;;) {
        const char *plain = at;
        at = skip_plain(at, end);
        hg_buf_put(buf, hg_slice(plain, (size_t)(at - plain)));
        if (at == end)
            break;
        unsigned char c = (unsigned char)*at++;
        const char *found = memchr(raw, c, sizeof(raw) - 1);
        char escape[6] = {'\\', found ? named[found - raw] : 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        hg_buf_put(buf, hg_slice(escape, found ? 2 : 6));
    }
    hg_buf_put_char(buf, '"');
}
