#include "topic/pattern.h"

#include "topic/name.h"
#include "topic/segment.h"

static const char *wildcard_objection(struct hg_slice pattern)
{
    bool ended = false;
    for (struct hg_segment s = hg_segment_first(pattern); s.there; s = hg_segment_next(pattern, s)) {
        enum hg_segment_kind kind = hg_segment_kind(s);
        if (ended)
            return "has '**' before its last segment";
        if (kind == HG_SEGMENT_LITERAL && s.body.len > 0 && memchr(s.body.ptr, '*', s.body.len))
            return "has a '*' that does not stand alone in its segment";
        ended = kind == HG_SEGMENT_REST;
    }
    return NULL;
}

hg_result hg_pattern_check(struct hg_slice pattern, const char **reterr_why)
{
    HG_TRY(hg_topic_check(pattern, reterr_why));
    const char *why = wildcard_objection(pattern);
    if (!why)
        return HG_OK;
    if (reterr_why)
        *reterr_why = why;
    return HG_FAIL(SYNTAX);
}

bool hg_pattern_is_exact(struct hg_slice pattern)
{
    /* In a checked pattern every '*' is a wildcard. */
    return !memchr(pattern.ptr, '*', pattern.len);
}

/* A pattern that starts with '$' does so with a literal segment; only wildcards need the rule. */
static bool is_hidden(struct hg_slice text)
{
    return text.ptr[0] == '$';
}

bool hg_pattern_match(struct hg_slice pattern, struct hg_slice name)
{
    if (is_hidden(name) && !is_hidden(pattern))
        return false;
    struct hg_segment p = hg_segment_first(pattern), n = hg_segment_first(name);
    for (; p.there && n.there; p = hg_segment_next(pattern, p), n = hg_segment_next(name, n)) {
        if (p.separator != n.separator)
            return false;
        enum hg_segment_kind kind = hg_segment_kind(p);
        if (kind == HG_SEGMENT_REST)
            return true;
        if (kind == HG_SEGMENT_LITERAL && !hg_slice_eq(p.body, n.body))
            return false;
    }
    return !p.there && !n.there;
}

/* The bytes that a segment asks of a name at least: a wildcard's segment may be empty. */
static size_t least_len(struct hg_segment segment)
{
    return segment.whole.len - (hg_segment_kind(segment) == HG_SEGMENT_LITERAL ? 0 : segment.body.len);
}

static size_t least_len_of_rest(struct hg_slice pattern, struct hg_segment segment)
{
    size_t len = 0;
    for (; segment.there; segment = hg_segment_next(pattern, segment))
        len += least_len(segment);
    return len;
}

bool hg_pattern_intersects(struct hg_slice a, struct hg_slice b)
{
    if (is_hidden(a) != is_hidden(b))
        return false;
    /* Builds the shortest name that both match, of which only the length counts: it may be too long for a name. */
    size_t len = 0;
    struct hg_segment s = hg_segment_first(a), t = hg_segment_first(b);
    for (; s.there && t.there; s = hg_segment_next(a, s), t = hg_segment_next(b, t)) {
        if (s.separator != t.separator)
            return false;
        enum hg_segment_kind s_kind = hg_segment_kind(s), t_kind = hg_segment_kind(t);
        if (s_kind == HG_SEGMENT_REST)
            return len + least_len_of_rest(b, t) <= HG_TOPIC_BYTES_MAX;
        if (t_kind == HG_SEGMENT_REST)
            return len + least_len_of_rest(a, s) <= HG_TOPIC_BYTES_MAX;
        if (s_kind == HG_SEGMENT_LITERAL && t_kind == HG_SEGMENT_LITERAL && !hg_slice_eq(s.body, t.body))
            return false;
        len += s_kind == HG_SEGMENT_LITERAL ? least_len(s) : least_len(t);
    }
    return !s.there && !t.there && len <= HG_TOPIC_BYTES_MAX;
}
