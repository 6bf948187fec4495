#include "filter/text.h"

#include "filter/case.h"

uint64_t hg_text_length(struct hg_slice text)
{
    uint64_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

size_t hg_text_offset(struct hg_slice text, uint64_t count)
{
    size_t at = 0;
    for (; count > 0 && at < text.len; count--)
        at += hg_text_step(text.ptr[at]);
    return at;
}

static uint32_t decode(const char *at, size_t step)
{
    const unsigned char *bytes = (const unsigned char *)at;
    static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = bytes[0] & mask[step];
    for (size_t i = 1; i < step; i++)
        point = point << 6 | (bytes[i] & 0x3f);
    return point;
}

static size_t encode(uint32_t point, char out[4])
{
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)(lead[len] | point);
    return len;
}

static bool is_white(uint32_t point)
{
    return (point >= 0x09 && point <= 0x0d) || point == 0x20 || point == 0x85 || point == 0xa0 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 || point == 0x202f ||
           point == 0x205f || point == 0x3000;
}

struct hg_slice hg_text_trim(struct hg_slice text)
{
    size_t from = 0, to = text.len;
    while (from < to && is_white(decode(text.ptr + from, hg_text_step(text.ptr[from]))))
        from += hg_text_step(text.ptr[from]);
    while (to > from) {
        size_t last = to - 1;
        while (((unsigned char)text.ptr[last] & 0xc0) == 0x80)
            last--;
        if (!is_white(decode(text.ptr + last, to - last)))
            break;
        to = last;
    }
    return hg_slice_first(hg_slice_from(text, from), to - from);
}

bool hg_text_map(struct hg_slice text, uint32_t (*mapping)(uint32_t), struct hg_scratch *scratch,
                 struct hg_slice *ret_text)
{
    size_t before = scratch->used;
    for (size_t at = 0; at < text.len;) {
        size_t step = hg_text_step(text.ptr[at]);
        char bytes[4];
        size_t len = encode(mapping(decode(text.ptr + at, step)), bytes);
        char *room = hg_scratch_take(scratch, len);
        if (!room) {
            scratch->used = before;
            return false;
        }
        memcpy(room, bytes, len);
        at += step;
    }
    *ret_text = hg_slice(scratch->ptr ? scratch->ptr + before : NULL, scratch->used - before);
    return true;
}

size_t hg_like_compile(struct hg_slice pattern, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.ptr[i];
        if (c == '\\' && i + 1 < pattern.len && (pattern.ptr[i + 1] == '%' || pattern.ptr[i + 1] == '_'))
            out[len++] = pattern.ptr[++i];
        else if (c == '%' && len > 0 && out[len - 1] == HG_LIKE_MANY)
            continue; /* two in a row say no more than one */
        else
            out[len++] = c == '%' ? HG_LIKE_MANY : c == '_' ? HG_LIKE_ONE : c;
    }
    return len;
}

/* Whether `text` begins with the piece, which holds no HG_LIKE_MANY; tells how many bytes of the text it took. */
static bool begins(struct hg_slice text, struct hg_slice piece, size_t *ret_taken)
{
    size_t at = 0;
    for (size_t i = 0; i < piece.len; i++) {
        if (at >= text.len)
            return false;
        if (piece.ptr[i] == HG_LIKE_ONE)
            at += hg_text_step(text.ptr[at]);
        else if (text.ptr[at] == piece.ptr[i])
            at++;
        else
            return false;
    }
    *ret_taken = at;
    return true;
}

/* The same at the end of the text. */
static bool ends(struct hg_slice text, struct hg_slice piece)
{
    size_t at = text.len;
    for (size_t i = piece.len; i > 0; i--) {
        if (at == 0)
            return false;
        at--;
        if (piece.ptr[i - 1] == HG_LIKE_ONE) {
            while (((unsigned char)text.ptr[at] & 0xc0) == 0x80)
                at--;
        } else if (text.ptr[at] != piece.ptr[i - 1]) {
            return false;
        }
    }
    return true;
}

/* Bytes up to and with the first place where the piece stands; false when it stands nowhere. */
static bool find(struct hg_slice text, struct hg_slice piece, size_t *ret_taken)
{
    if (!memchr(piece.ptr, HG_LIKE_ONE, piece.len)) {
        const char *found = text.len > 0 ? memmem(text.ptr, text.len, piece.ptr, piece.len) : NULL;
        if (found)
            *ret_taken = (size_t)(found - text.ptr) + piece.len;
        return found;
    }
    for (size_t at = 0; at < text.len; at += hg_text_step(text.ptr[at])) {
        size_t taken;
        if (begins(hg_slice_from(text, at), piece, &taken)) {
            *ret_taken = at + taken;
            return true;
        }
    }
    return false;
}

static struct hg_slice take_piece(struct hg_slice *pattern)
{
    const char *many = pattern->len > 0 ? memchr(pattern->ptr, HG_LIKE_MANY, pattern->len) : NULL;
    struct hg_slice piece = hg_slice_first(*pattern, many ? (size_t)(many - pattern->ptr) : pattern->len);
    *pattern = hg_slice_from(*pattern, piece.len);
    return piece;
}

bool hg_like_bounded(struct hg_slice compiled)
{
    take_piece(&compiled);
    while (compiled.len > 0) {
        compiled = hg_slice_from(compiled, 1);
        struct hg_slice piece = take_piece(&compiled);
        if (compiled.len > 0 && piece.len > HG_LIKE_PIECE_MAX && memchr(piece.ptr, HG_LIKE_ONE, piece.len))
            return false;
    }
    return true;
}

bool hg_like_match(struct hg_slice text, struct hg_slice compiled)
{
    size_t taken;
    struct hg_slice piece = take_piece(&compiled);
    if (!begins(text, piece, &taken))
        return false;
    text = hg_slice_from(text, taken);
    if (compiled.len == 0)
        return text.len == 0;
    /* Each inner piece where it first stands leaves most for the others; the last one must stand at the end. */
    for (;;) {
        compiled = hg_slice_from(compiled, 1); /* the HG_LIKE_MANY */
        piece = take_piece(&compiled);
        if (compiled.len == 0)
            return ends(text, piece);
        if (!find(text, piece, &taken))
            return false;
        text = hg_slice_from(text, taken);
    }
}
