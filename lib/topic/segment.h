/* segment.h – walks a name or pattern segment by segment. "a.b:" is "a", ".b", ":": a segment carries the separator in
 * front of it, which the first one has not, and may be empty but for that.
 *
 *     for (struct hg_segment s = hg_segment_first(text); s.there; s = hg_segment_next(text, s))
 *
 * Ownership: segments point into the text. Calls out: none. */
#ifndef HG_TOPIC_SEGMENT_H
#define HG_TOPIC_SEGMENT_H

#include "base/slice.h"
#include "topic/name.h"

enum hg_segment_kind { HG_SEGMENT_LITERAL, HG_SEGMENT_ONE, HG_SEGMENT_REST }; /* in a checked pattern: "*" and "**" */

struct hg_segment {
    struct hg_slice whole; /* with the separator */
    struct hg_slice body;  /* without */
    char separator;        /* '\0': the first segment */
    bool there;            /* false: past the end */
};

static inline struct hg_segment hg_segment_at(struct hg_slice text, size_t at, bool first)
{
    if (!first && at == text.len)
        return (struct hg_segment){.there = false};
    size_t body = first ? at : at + 1, end = body;
    while (end < text.len && !hg_topic_is_separator(text.ptr[end]))
        end++;
    return (struct hg_segment){
        .whole = hg_slice(text.ptr + at, end - at),
        .body = hg_slice(text.ptr + body, end - body),
        .separator = first ? '\0' : text.ptr[at],
        .there = true,
    };
}

static inline struct hg_segment hg_segment_first(struct hg_slice text)
{
    return hg_segment_at(text, 0, true);
}

static inline struct hg_segment hg_segment_next(struct hg_slice text, struct hg_segment segment)
{
    return hg_segment_at(text, (size_t)(segment.whole.ptr - text.ptr) + segment.whole.len, false);
}

static inline enum hg_segment_kind hg_segment_kind(struct hg_segment segment)
{
    if (hg_slice_eq(segment.body, HG_LIT("*")))
        return HG_SEGMENT_ONE;
    return hg_slice_eq(segment.body, HG_LIT("**")) ? HG_SEGMENT_REST : HG_SEGMENT_LITERAL;
}

#endif
