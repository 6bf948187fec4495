#include "schema/uri.h"

/* An absent authority or query differs from an empty one; an absent path does not. */
struct parts {
    struct hg_slice scheme, authority, path, query;
    bool has_scheme, has_authority, has_query;
};

static size_t find(struct hg_slice text, const char *any_of)
{
    size_t i = 0;
    while (i < text.len && !(text.ptr[i] != '\0' && strchr(any_of, text.ptr[i])))
        i++;
    return i;
}

static bool is_scheme(struct hg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)(text.ptr[i] | 32);
        bool letter = c >= 'a' && c <= 'z';
        bool other = (text.ptr[i] >= '0' && text.ptr[i] <= '9') || strchr("+-.", text.ptr[i]);
        if (!letter && (i == 0 || !other))
            return false;
    }
    return text.len > 0;
}

/* `text` has no fragment. */
static struct parts split(struct hg_slice text)
{
    struct parts parts = {.has_scheme = false};
    size_t colon = find(text, ":/?");
    if (colon < text.len && text.ptr[colon] == ':' && is_scheme(hg_slice_first(text, colon))) {
        parts.has_scheme = true;
        parts.scheme = hg_slice_first(text, colon);
        text = hg_slice_from(text, colon + 1);
    }
    if (hg_slice_starts(text, HG_LIT("//"))) {
        text = hg_slice_from(text, 2);
        parts.has_authority = true;
        parts.authority = hg_slice_first(text, find(text, "/?"));
        text = hg_slice_from(text, parts.authority.len);
    }
    parts.path = hg_slice_first(text, find(text, "?"));
    parts.has_query = parts.path.len < text.len;
    parts.query = hg_slice_from(text, parts.path.len + 1);
    return parts;
}

/* Takes the last step off what was put behind `from`, with its slash. */
static void drop_step(struct hg_buf *into, size_t from)
{
    size_t len = into->len;
    while (len > from && into->ptr[len - 1] != '/')
        len--;
    if (len > from)
        len--;
    if (into->error == HG_ERR_OK)
        hg_buf_truncate(into, len);
}

/* Section 5.2.4: without the steps . and .. */
static void put_path(struct hg_slice path, struct hg_buf *into)
{
    size_t from = into->len;
    while (path.len > 0) {
        bool slash = path.ptr[0] == '/';
        struct hg_slice rest = hg_slice_from(path, slash);
        struct hg_slice step = hg_slice_first(rest, find(rest, "/"));
        bool last = step.len == rest.len;
        path = hg_slice_from(rest, step.len);
        if (hg_slice_is(step, ".") || hg_slice_is(step, "..")) {
            if (step.len == 2 && slash)
                drop_step(into, from);
            if (last && slash)
                hg_buf_put_char(into, '/');
            if (!last && !slash)
                path = hg_slice_from(path, 1);
            continue;
        }
        if (slash)
            hg_buf_put_char(into, '/');
        hg_buf_put(into, step);
    }
}

/* Section 5.2.3: the base's path up to its last slash, then the reference's. */
static void put_merged(const struct parts *base, struct hg_slice path, struct hg_buf *into)
{
    struct hg_buf merged;
    size_t keep = base->path.len;
    while (keep > 0 && base->path.ptr[keep - 1] != '/')
        keep--;
    hg_buf_init(&merged, base->path.len + path.len + 1);
    if (base->has_authority && base->path.len == 0)
        hg_buf_put_char(&merged, '/');
    hg_buf_put(&merged, hg_slice_first(base->path, keep));
    hg_buf_put(&merged, path);
    put_path(hg_buf_slice(&merged), into);
    if (!hg_ok(hg_buf_result(&merged)))
        into->error = HG_ERR_NOMEM;
    hg_buf_done(&merged);
}

static void put_front(const struct parts *scheme, const struct parts *authority, struct hg_buf *into)
{
    if (scheme->has_scheme) {
        hg_buf_put(into, scheme->scheme);
        hg_buf_put_char(into, ':');
    }
    if (authority->has_authority) {
        hg_buf_put_str(into, "//");
        hg_buf_put(into, authority->authority);
    }
}

void hg_uri_resolve(struct hg_slice base_text, struct hg_slice reference, struct hg_buf *into,
                    struct hg_slice *ret_fragment)
{
    struct hg_slice text = hg_slice_first(reference, find(reference, "#"));
    struct parts base = split(base_text), part = split(text), *query = &part;
    *ret_fragment = hg_slice_from(reference, text.len + 1);
    if (part.has_scheme || part.has_authority) {
        put_front(part.has_scheme ? &part : &base, &part, into);
        put_path(part.path, into);
    } else {
        put_front(&base, &base, into);
        if (part.path.len == 0) {
            hg_buf_put(into, base.path);
            query = part.has_query ? &part : &base;
        } else if (part.path.ptr[0] == '/') {
            put_path(part.path, into);
        } else {
            put_merged(&base, part.path, into);
        }
    }
    if (query->has_query) {
        hg_buf_put_char(into, '?');
        hg_buf_put(into, query->query);
    }
}
