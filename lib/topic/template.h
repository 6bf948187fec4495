/* template.h – how a rule writes topics as Redis names: text with at most one "{topic}", such as "events:{topic}".
 *
 * Without "{topic}" the template is one fixed Redis name. Ownership: nothing is kept; extracted topics point into the
 * name. Errors: SYNTAX with a sentence. Calls out: none. */
#ifndef HG_TOPIC_TEMPLATE_H
#define HG_TOPIC_TEMPLATE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

/* Not empty, UTF-8, no control characters, at most one "{topic}"; other braces are text. `reterr_why` (may be NULL)
 * completes "template …". */
HG_RESULT hg_template_check(struct hg_slice tmpl, const char **reterr_why);
/* The following take checked templates, patterns and topics; only `redis_name` may be any bytes. */

/* Whether it contains "{topic}". */
bool hg_template_varies(struct hg_slice tmpl);
/* Appends the Redis name of `topic`. Errors: those of the buffer. */
HG_RESULT hg_template_expand(struct hg_slice tmpl, struct hg_slice topic, struct hg_buf *into);
/* The topic that a Redis name stands for, checked; false when the name is not of this template or what stands in the
 * topic's place is no topic name. For a fixed template that equals the name, true and an empty slice: the rule's
 * pattern, which is exact then, is the topic. */
bool hg_template_extract(struct hg_slice tmpl, struct hg_slice redis_name, struct hg_slice *ret_topic);
/* Appends a Redis glob (PSUBSCRIBE, SCAN MATCH) that matches every Redis name of a topic that `pattern` matches, and
 * possibly more ('*' of a glob crosses separators). Glob characters of template and pattern (* ? [ ] \ ^ -) are
 * escaped. Errors: those of the buffer. */
HG_RESULT hg_template_glob(struct hg_slice tmpl, struct hg_slice pattern, struct hg_buf *into);

#endif
