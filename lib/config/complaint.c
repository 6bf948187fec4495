#include "config/complaint.h"

#include "base/suggest.h"
#include "base/visible.h"
#include "config/redis_url.h"

#define FOUND_BYTES_MAX 80

size_t hg_where_line(struct hg_where where)
{
    size_t line = 1;
    for (const char *at = where.text.ptr; at < where.at; at++)
        line += *at == '\n';
    return line;
}

/* From 1, in characters, as editors count. */
static size_t column_of(struct hg_where where)
{
    size_t column = 1;
    for (const char *at = where.text.ptr; at < where.at; at++)
        column = *at == '\n' ? 1 : column + (((unsigned char)*at & 0xc0) != 0x80);
    return column;
}

static void put_where(struct hg_where where, bool column, struct hg_buf *into)
{
    hg_buf_clear(into);
    if (where.name.len > 0) {
        hg_visible_put(where.name, SIZE_MAX, into);
        if (where.at) {
            hg_buf_put_char(into, ':');
            hg_buf_put_u64(into, hg_where_line(where));
            if (column) {
                hg_buf_put_char(into, ':');
                hg_buf_put_u64(into, column_of(where));
            }
        }
        hg_buf_put_str(into, ": ");
    }
    size_t before = into->len;
    if (where.rule != HG_NOWHERE)
        hg_buf_printf(into, "topics[%zu]", where.rule);
    if (where.key.len > 0) {
        if (where.rule != HG_NOWHERE)
            hg_buf_put_char(into, '.');
        hg_visible_put(where.key, FOUND_BYTES_MAX, into);
    }
    if (where.element != HG_NOWHERE)
        hg_buf_printf(into, "[%zu]", where.element);
    if (into->len > before)
        hg_buf_put_str(into, ": ");
    hg_buf_put_str(into, "found ");
}

/* A refusal stands even when its line had to be cut; only memory that is lacking is another matter. */
static hg_result refusal(const struct hg_buf *reterr)
{
    return reterr->error == HG_ERR_NOMEM ? HG_FAIL(NOMEM) : HG_FAIL(BAD_REQUEST);
}

static void put_why(const char *noun, const char *why, struct hg_buf *into)
{
    if (!why)
        return;
    hg_buf_put_str(into, noun ? ": the " : ": ");
    if (noun) {
        hg_buf_put_str(into, noun);
        hg_buf_put_char(into, ' ');
    }
    hg_buf_put_str(into, why);
}

hg_result hg_complain(struct hg_where where, const char *found, const char *why, const char *allowed,
                      struct hg_buf *reterr)
{
    put_where(where, false, reterr);
    hg_buf_put_str(reterr, found);
    put_why(NULL, why, reterr);
    hg_buf_put_str(reterr, "; allowed: ");
    hg_buf_put_str(reterr, allowed);
    return refusal(reterr);
}

hg_result hg_complain_value(struct hg_where where, struct hg_slice value, const char *why, const char *allowed,
                            struct hg_buf *reterr)
{
    put_where(where, false, reterr);
    hg_buf_put_char(reterr, '"');
    hg_visible_put(value, FOUND_BYTES_MAX, reterr);
    hg_buf_put_char(reterr, '"');
    put_why(NULL, why, reterr);
    hg_buf_put_str(reterr, "; allowed: ");
    hg_buf_put_str(reterr, allowed);
    return refusal(reterr);
}

/* `text` in quotes, without its password if the row may hold one. */
static void put_found_text(struct hg_slice text, const struct hg_setting *row, struct hg_buf *into)
{
    hg_buf_put_char(into, '"');
    if (hg_setting_is_secret(row)) {
        struct hg_buf masked;
        hg_buf_init(&masked, text.len + 3 > text.len ? text.len + 3 : text.len);
        hg_redis_url_mask(text, &masked);
        if (hg_ok(hg_buf_result(&masked)))
            hg_visible_put(hg_buf_slice(&masked), FOUND_BYTES_MAX, into);
        else
            into->error = HG_ERR_NOMEM;
        hg_buf_done(&masked);
    } else {
        hg_visible_put(text, FOUND_BYTES_MAX, into);
    }
    hg_buf_put_char(into, '"');
}

static void put_allowed(const struct hg_setting *row, const char *noun, const char *why, struct hg_buf *into)
{
    put_why(noun, why, into);
    hg_buf_put_str(into, "; allowed: ");
    hg_setting_put_allowed(row, into);
}

hg_result hg_complain_json(struct hg_where where, struct hg_json value, const char *noun, const char *why,
                           const struct hg_setting *row, struct hg_buf *reterr)
{
    put_where(where, false, reterr);
    if (value.type == HG_JSON_ARRAY) {
        hg_buf_put_str(reterr, "an array");
    } else if (value.type == HG_JSON_OBJECT) {
        hg_buf_put_str(reterr, "an object");
    } else if (value.type == HG_JSON_STRING && hg_setting_is_secret(row)) {
        struct hg_buf text;
        hg_buf_init(&text, value.raw.len);
        hg_result result = hg_json_string_decode(value, &text);
        if (hg_ok(result))
            put_found_text(hg_buf_slice(&text), row, reterr);
        else if (result.code == HG_ERR_NOMEM)
            reterr->error = HG_ERR_NOMEM;
        else
            hg_buf_put_str(reterr, "a string");
        hg_buf_done(&text);
    } else {
        hg_visible_put(value.raw, FOUND_BYTES_MAX, reterr);
    }
    put_allowed(row, noun, why, reterr);
    return refusal(reterr);
}

hg_result hg_complain_text(struct hg_where where, struct hg_slice text, const char *noun, const char *why,
                           const struct hg_setting *row, struct hg_buf *reterr)
{
    put_where(where, false, reterr);
    put_found_text(text, row, reterr);
    put_allowed(row, noun, why, reterr);
    return refusal(reterr);
}

hg_result hg_complain_unknown(struct hg_where where, const char *(*name)(size_t i), struct hg_buf *reterr)
{
    put_where(where, false, reterr);
    const char *nearest = hg_suggest(where.key, name);
    hg_buf_put_str(reterr, "a setting that does not exist; ");
    if (nearest) {
        hg_buf_put_str(reterr, "did you mean ");
        hg_buf_put_str(reterr, nearest);
        hg_buf_put_char(reterr, '?');
        return refusal(reterr);
    }
    hg_buf_put_str(reterr, "allowed: ");
    for (size_t i = 0; name(i); i++) {
        hg_buf_put_str(reterr, i > 0 ? ", " : "");
        hg_buf_put_str(reterr, name(i));
    }
    return refusal(reterr);
}

/* The first byte that is not UTF-8, or the length. */
static size_t utf8_prefix(struct hg_slice text)
{
    size_t i = 0, len;
    while (i < text.len && (len = hg_visible_char(hg_slice_from(text, i))) > 0)
        i += len;
    return i;
}

/* What mistake this is likely to be, in the words of somebody who edits a file. */
static const char *likely_mistake(struct hg_slice text, size_t offset)
{
    size_t before = offset;
    while (before > 0 && strchr(" \t\r\n", text.ptr[before - 1]))
        before--;
    char last = before > 0 ? text.ptr[before - 1] : '\0';
    if (offset == text.len)
        return before == 0 ? "an empty file" : "the end of the file too early";
    unsigned char c = (unsigned char)text.ptr[offset];
    if (offset == 0 && hg_slice_starts(text, HG_LIT("\xef\xbb\xbf")))
        return "a byte order mark; save the file without it";
    if (c == '/' || c == '#')
        return "a comment; JSON has none";
    if ((c == '}' || c == ']') && last == ',')
        return "a comma before a closing bracket; JSON allows none there";
    if (c == '\'')
        return "a single quote; JSON writes strings in double quotes";
    if (c == '\n' || c == '\r')
        return "the end of the line inside a string";
    if (c < 0x20)
        return "a control character inside a string; JSON writes it as \\u00XX";
    if (c == '"' &&
        (last == '"' || last == '}' || last == ']' || (last >= '0' && last <= '9') || last == 'e' || last == 'l'))
        return "a string where a comma or a closing bracket is missing";
    return NULL;
}

hg_result hg_complain_syntax(struct hg_where where, size_t offset, struct hg_buf *reterr)
{
    size_t valid = utf8_prefix(where.text);
    if (valid < where.text.len)
        offset = valid;
    where.at = where.text.ptr ? where.text.ptr + offset : NULL;
    put_where(where, true, reterr);
    const char *mistake = valid < where.text.len ? "bytes that are not UTF-8" : likely_mistake(where.text, offset);
    if (mistake) {
        hg_buf_put_str(reterr, mistake);
    } else if (where.text.ptr[offset] == '{' || where.text.ptr[offset] == '[') {
        hg_buf_put_str(reterr, "a bracket that does not belong here, or more than 512 inside each other");
    } else {
        struct hg_slice rest = hg_slice_from(where.text, offset);
        hg_buf_put_char(reterr, '"');
        hg_visible_put(hg_slice_first(rest, hg_visible_char(rest)), SIZE_MAX, reterr);
        hg_buf_put_char(reterr, '"');
    }
    hg_buf_put_str(reterr, "; allowed: JSON (RFC 8259)");
    return refusal(reterr);
}
