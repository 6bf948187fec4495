#include "topic/template.h"

#include "topic/name.h"
#include "topic/segment.h"
#include "topic/text.h"

#define PLACE HG_LIT("{topic}")

/* A template is `before`, the topic when it `varies`, `after`. */
struct parts {
    struct hg_slice before, after;
    bool varies;
};

static struct parts split(struct hg_slice tmpl)
{
    for (size_t at = 0; at < tmpl.len; at++) {
        if (hg_slice_starts(hg_slice_from(tmpl, at), PLACE))
            return (struct parts){hg_slice_first(tmpl, at), hg_slice_from(tmpl, at + PLACE.len), true};
    }
    return (struct parts){tmpl, HG_SLICE_NULL, false};
}

hg_result hg_template_check(struct hg_slice tmpl, const char **reterr_why)
{
    const char *why = hg_text_objection(tmpl);
    if (!why && split(split(tmpl).after).varies)
        why = "has more than one {topic}";
    if (!why)
        return HG_OK;
    if (reterr_why)
        *reterr_why = why;
    return HG_FAIL(SYNTAX);
}

bool hg_template_varies(struct hg_slice tmpl)
{
    return split(tmpl).varies;
}

hg_result hg_template_expand(struct hg_slice tmpl, struct hg_slice topic, struct hg_buf *into)
{
    struct parts parts = split(tmpl);
    hg_buf_put(into, parts.before);
    if (parts.varies)
        hg_buf_put(into, topic);
    hg_buf_put(into, parts.after);
    return hg_buf_result(into);
}

bool hg_template_extract(struct hg_slice tmpl, struct hg_slice redis_name, struct hg_slice *ret_topic)
{
    struct parts parts = split(tmpl);
    if (!parts.varies) {
        if (!hg_slice_eq(redis_name, tmpl))
            return false;
        *ret_topic = HG_SLICE_NULL;
        return true;
    }
    if (redis_name.len < parts.before.len + parts.after.len || !hg_slice_starts(redis_name, parts.before))
        return false;
    struct hg_slice rest = hg_slice_from(redis_name, parts.before.len);
    struct hg_slice topic = hg_slice_first(rest, rest.len - parts.after.len);
    if (!hg_slice_eq(hg_slice_from(rest, topic.len), parts.after) || !hg_ok(hg_topic_check(topic, NULL)))
        return false;
    *ret_topic = topic;
    return true;
}

static void put_escaped(struct hg_buf *into, struct hg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\0' && strchr("*?[]\\^-", text.ptr[i]))
            hg_buf_put_char(into, '\\');
        hg_buf_put_char(into, text.ptr[i]);
    }
}

hg_result hg_template_glob(struct hg_slice tmpl, struct hg_slice pattern, struct hg_buf *into)
{
    struct parts parts = split(tmpl);
    put_escaped(into, parts.before);
    if (parts.varies) {
        for (struct hg_segment s = hg_segment_first(pattern); s.there; s = hg_segment_next(pattern, s)) {
            if (s.separator)
                hg_buf_put_char(into, s.separator);
            if (hg_segment_kind(s) == HG_SEGMENT_LITERAL)
                put_escaped(into, s.body);
            else
                hg_buf_put_char(into, '*');
        }
    }
    put_escaped(into, parts.after);
    return hg_buf_result(into);
}
