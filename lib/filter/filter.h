/* filter.h – one filter of a subscription: what a client wrote, made ready to be asked for every event.
 *
 * Three ways to write it: an expression (the language of subscriptions, CloudEvents SQL with reach into the event), an
 * object (CloudEvents Subscriptions: exact prefix suffix all any not sql), and inside of that `sql`, CloudEvents SQL
 * v1.0 to the letter. An event passes when the result is TRUE; in `sql`, when no error occurred besides. A filter never
 * changes. It is one block of memory: program, constants and canonical text. Filters with the same canonical text
 * answer alike for every event: make them one group. Units: bytes; offsets count from the start of what was written.
 * Ownership: counted references. Errors: FILTER_INVALID with the report filled, NOMEM. On success the report holds a
 * hint, or is empty. Not for several threads at once. Calls out: none. */
#ifndef HG_FILTER_FILTER_H
#define HG_FILTER_FILTER_H

#include "base/error.h"
#include "base/json.h"
#include "base/slice.h"
#include "filter/report.h"
#include "filter/text.h"
#include "filter/value.h"

#define HG_FILTER_BYTES_MAX     4096 /* of what a client writes */
#define HG_FILTER_NODES_MAX     256
#define HG_FILTER_CANONICAL_MAX (16u << 10) /* with a second filter joined to it */

struct hg_filter;

/* An expression. */
HG_RESULT hg_filter_parse(struct hg_slice text, struct hg_filter **ret_filter, struct hg_filter_report *report);
/* A filter as a message holds it: a JSON string is an expression (offsets count inside the decoded text), an object a
 * filter object (offsets count from the object's brace). `json` was accepted by hg_json_parse(). */
HG_RESULT hg_filter_parse_json(struct hg_json json, struct hg_filter **ret_filter, struct hg_filter_report *report);
/* CloudEvents SQL alone, for its value: unknown functions are no error of the text but of the evaluation. */
HG_RESULT hg_filter_parse_sql(struct hg_slice text, struct hg_filter **ret_filter, struct hg_filter_report *report);
/* Passes what both pass. Takes no reference; TOO_BIG when the two together are. */
HG_RESULT hg_filter_and(struct hg_filter *a, struct hg_filter *b, struct hg_filter **ret_filter);

struct hg_filter *hg_filter_ref(struct hg_filter *filter);
/* Accepts NULL. */
void hg_filter_unref(struct hg_filter *filter);

/* Valid while the filter is. */
struct hg_slice hg_filter_canonical(const struct hg_filter *filter);
/* All of the block, in bytes. */
size_t hg_filter_size(const struct hg_filter *filter);

/* The places in the event that it reads, in a fixed order (path.h). */
unsigned hg_filter_path_count(const struct hg_filter *filter);
struct hg_slice hg_filter_path(const struct hg_filter *filter, unsigned number);

/* Whether an event passes. `values` are the event's; path number i of the filter stands at values[slots[i]], or at
 * values[i] where `slots` is NULL. Allocates nothing; what must be built lives in the scratch and is gone again at the
 * end. When that is full, the part that needed it fails. */
bool hg_filter_passes(const struct hg_filter *filter, const struct hg_value *values, const uint32_t *slots,
                      struct hg_scratch *scratch);
/* The result itself, text of it in the values or the scratch. */
struct hg_value hg_filter_value(const struct hg_filter *filter, const struct hg_value *values, const uint32_t *slots,
                                struct hg_scratch *scratch);

#endif
