/* schema.h – a JSON Schema (draft 2020-12), made ready to hold events against.
 *
 * Supported is all of the core, applicator, unevaluated and validation vocabularies but $dynamicRef and references out
 * of the document; these are refused when the schema is compiled, as is everything else that could be taken for a check
 * and is none (a misspelt keyword). `format` and `content…` are annotations, as the draft has it: accepted, and not
 * checked. A word of one's own begins with "x-", or is not near to any keyword.
 * Numbers are exact and of any size: 1.0 is an integer, 0.3 a multiple of 0.1. Lengths count characters (Unicode code
 * points). Patterns are ECMA-262 with flag u (regex.h). An event must be JSON that all readers read alike (RFC 7493): a
 * name twice in an object, or half of a surrogate pair, is refused, whatever the schema says.
 *
 * Units: bytes; places are JSON pointers (RFC 6901). Ownership: a schema owns what it holds; the texts given are
 * borrowed for the call, of messages nothing is kept. A schema never changes: several threads may use one.
 * Bounded: a schema by the numbers below. A check goes at most HG_SCHEMA_NESTING_MAX schemas deep, which takes less
 * than 1 MiB of stack; it allocates up to 50 times the event (10 is usual), and does HG_SCHEMA_WORK_LEAST +
 * HG_SCHEMA_WORK_PER_BYTE × bytes pieces of work at most, about 40 ns each: one for each schema and keyword applied,
 * each name looked for, each eight bytes compared and each state of a pattern at each character. A schema needs about
 * its own size × that of the event of them (uniqueItems sorts: n log n) unless anyOf, oneOf, not, if, contains or
 * unevaluated… apply one schema to one value more than once; for these the draft sets no bound, hence ours. Calls out:
 * none. */
#ifndef HG_SCHEMA_SCHEMA_H
#define HG_SCHEMA_SCHEMA_H

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define HG_SCHEMA_BYTES_MAX     (1u << 20)
#define HG_SCHEMA_RULES_MAX     20000 /* schemas within the document */
#define HG_SCHEMA_DEPTH_MAX     128   /* schemas inside each other as they are written */
#define HG_SCHEMA_CHAIN_MAX     256   /* schemas that apply to one and the same value, one through the other */
#define HG_SCHEMA_NESTING_MAX   2000  /* the same, values inside of values together */
#define HG_SCHEMA_WORK_LEAST    20000
#define HG_SCHEMA_WORK_PER_BYTE 50

struct hg_schema;

/* BAD_REQUEST with one line in reterr (place in the schema, what was found, what is allowed), or NOMEM. */
HG_RESULT hg_schema_compile(struct hg_slice json, struct hg_schema **ret_schema, struct hg_buf *reterr);
/* Accepts NULL. */
void hg_schema_free(struct hg_schema *schema);

/* Holds one JSON text against the schema. EVENT_INVALID with the first fault found: the pointer of its place in the
 * event and one sentence (what was found, cut short, and what is allowed). LIMIT_EXCEEDED, with pointer and sentence
 * too, when it is too complex to be checked within the bounds above. NOMEM. Both buffers are cleared first; a pointer
 * that does not fit is left out, a sentence that does not is cut. */
HG_RESULT hg_schema_check(const struct hg_schema *schema, struct hg_slice event, struct hg_buf *reterr_pointer,
                          struct hg_buf *reterr_message);

#endif
