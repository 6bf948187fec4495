/* regex.h – regular expressions of ECMA-262 with its flag u, answered in bounded time: does the text hold a match?
 *
 * Matching goes through the text once for all ways to match at the same time (K. Thompson, 1968), so that no expression
 * and no text is catastrophic: the time is at most bytes of the text × states of the expression, and that once more for
 * each lookahead and lookbehind, which are worked out for every place of the text beforehand. The price is that
 * references to groups (\1, \k<name>) are refused: nothing known matches them in bounded time. So are properties other
 * than general categories, Any, ASCII and Assigned (\p{Script=…}), and flags inside of groups.
 *
 * Units: bytes, and one unit of work for each state that is looked at. Ownership: a regex owns what it holds; the text
 * it was made from is not kept. It never changes: several threads may use one, each with a room of its own. Calls out:
 * none. */
#ifndef HG_SCHEMA_REGEX_H
#define HG_SCHEMA_REGEX_H

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define HG_REGEX_BYTES_MAX  4096
#define HG_REGEX_STATES_MAX 4096 /* with repeats written out */
#define HG_REGEX_LOOKS_MAX  16
#define HG_REGEX_DEPTH_MAX  64 /* groups inside each other */

struct hg_regex;

/* `text` is valid UTF-8. SYNTAX with a sentence appended to reterr: what was found at which character, what is allowed;
 * or NOMEM. */
HG_RESULT hg_regex_compile(struct hg_slice text, struct hg_regex **ret_regex, struct hg_buf *reterr);
/* Accepts NULL. */
void hg_regex_free(struct hg_regex *regex);

/* Memory to match in; it grows to what is needed and may be used for any regex, one at a time. */
struct hg_regex_room {
    uint16_t *states;
    size_t capacity;
    uint8_t *looks;
    size_t looks_capacity;
};

void hg_regex_room_done(struct hg_regex_room *room); /* an empty one is all zero */

/* Whether any part of `text`, which is valid UTF-8, matches. Takes the work off `*work`; LIMIT_EXCEEDED when that is
 * not enough, or NOMEM. */
HG_RESULT hg_regex_test(const struct hg_regex *regex, struct hg_slice text, struct hg_regex_room *room, uint64_t *work,
                        bool *ret_matches);

#endif
