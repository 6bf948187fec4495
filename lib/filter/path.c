#include "filter/path.h"

#include "base/assert.h"
#include "base/json.h"

bool hg_path_next(struct hg_slice *rest, struct hg_path_segment *ret_segment)
{
    if (rest->len == 0)
        return false;
    size_t at = 0;
    *ret_segment = (struct hg_path_segment){0};
    if (rest->ptr[0] == '[' && rest->ptr[1] == '"') {
        for (at = 2; rest->ptr[at] != '"'; at++)
            at += rest->ptr[at] == '\\';
        ret_segment->is_quoted = true;
        ret_segment->name = hg_slice(rest->ptr + 2, at - 2);
        at += 2;
    } else if (rest->ptr[0] == '[') {
        ret_segment->is_index = true;
        for (at = 1; rest->ptr[at] != ']'; at++)
            ret_segment->index = ret_segment->index * 10 + (uint32_t)(rest->ptr[at] - '0');
        at++;
    } else {
        size_t from = rest->ptr[0] == '.';
        for (at = from; at < rest->len && hg_path_is_name_byte(rest->ptr[at]); at++)
            ;
        ret_segment->name = hg_slice(rest->ptr + from, at - from);
        HG_ASSERT(at > from);
    }
    HG_ASSERT(at <= rest->len);
    *rest = hg_slice_from(*rest, at);
    return true;
}

void hg_path_put_name(struct hg_buf *buf, size_t path_from, struct hg_slice name)
{
    bool bare = name.len > 0;
    for (size_t i = 0; i < name.len && bare; i++)
        bare = hg_path_is_name_byte(name.ptr[i]);
    /* A root that looks like a number or a keyword must not be read as one. */
    if (bare && buf->len == path_from) {
        static const char *const words[] = {"and", "or", "xor", "not", "like", "in", "exists", "true", "false", "null"};
        bare = name.ptr[0] < '0' || name.ptr[0] > '9';
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (name.len == strlen(words[i]) && strncasecmp(name.ptr, words[i], name.len) == 0)
                bare = false;
    }
    if (!bare) {
        hg_buf_put_char(buf, '[');
        hg_json_put_string(buf, name);
        hg_buf_put_char(buf, ']');
        return;
    }
    if (buf->len > path_from)
        hg_buf_put_char(buf, '.');
    hg_buf_put(buf, name);
}

void hg_path_put_index(struct hg_buf *buf, uint32_t index)
{
    hg_buf_put_char(buf, '[');
    hg_buf_put_u64(buf, index);
    hg_buf_put_char(buf, ']');
}

struct hg_slice hg_path_spelling(struct hg_slice name)
{
    static const struct hg_slice known[] = {{"id", 2},        {"type", 4},     {"time", 4},         {"source", 6},
                                            {"subject", 7},   {"topic", 5},    {"specversion", 11}, {"eventId", 7},
                                            {"eventType", 9}, {"timestamp", 9}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        bool alias = i >= 7;
        if (name.len == known[i].len &&
            (alias ? memcmp(name.ptr, known[i].ptr, name.len) : strncasecmp(name.ptr, known[i].ptr, name.len)) == 0)
            return alias ? known[i - 7] : known[i];
    }
    return name;
}
