/* pattern.h – topic patterns: a name in which the segment '*' stands for exactly one segment, and '**' as last segment
 * for one or more, whatever separators stand between them. The separator in front of a segment is matched as written,
 * wildcard or not; an empty segment is one. A pattern without wildcard segments is exact. No pattern matches a name
 * that starts with '$' unless it starts with '$' itself. Errors: SYNTAX with a sentence. Ownership: nothing is kept.
 * Calls out: none. */
#ifndef HG_TOPIC_PATTERN_H
#define HG_TOPIC_PATTERN_H

#include "base/error.h"
#include "base/slice.h"

/* The rules of names, and: '*' may only stand alone between separators, '**' only as last segment.
 * `reterr_why` (may be NULL): a static phrase that completes "pattern …". */
HG_RESULT hg_pattern_check(struct hg_slice pattern, const char **reterr_why);

/* The following take checked patterns and names. */
bool hg_pattern_is_exact(struct hg_slice pattern);
bool hg_pattern_match(struct hg_slice pattern, struct hg_slice name);
/* Whether there is a name, of at most HG_TOPIC_BYTES_MAX bytes as all are, that matches both. */
bool hg_pattern_intersects(struct hg_slice a, struct hg_slice b);

#endif
