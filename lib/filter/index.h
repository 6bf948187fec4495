/* index.h – many filters on one topic, and which of them an event passes, at a cost that follows the matches.
 *
 * Every filter hangs on the conditions that bring in fewest candidates (plan.h): equalities and prefixes in a hash
 * table, ranges in a tree, existence in a list for each place. A filter without any is evaluated for each event. What
 * an event has is looked up there; a candidate is evaluated, unless its conditions say all. Ownership: the index takes
 * one reference of each filter; `value` is the caller's and only handed back. An entry is good until it is removed.
 * Errors: NOMEM from new and add. Extracting and matching allocate nothing. Calls out: match calls visit, which may not
 * use the index but to ask for the values. */
#ifndef HG_FILTER_INDEX_H
#define HG_FILTER_INDEX_H

#include "filter/fields.h"
#include "filter/filter.h"

struct hg_filter_index;
struct hg_filter_entry;

HG_RESULT hg_filter_index_new(struct hg_hash_key hash_key, struct hg_filter_index **ret_index);
/* Lets all filters go. Accepts NULL. */
void hg_filter_index_free(struct hg_filter_index *index);

/* The same filter may be added several times. */
HG_RESULT hg_filter_index_add(struct hg_filter_index *index, struct hg_filter *filter, void *value,
                              struct hg_filter_entry **ret_entry);
void hg_filter_index_remove(struct hg_filter_index *index, struct hg_filter_entry *entry);
size_t hg_filter_index_count(const struct hg_filter_index *index);

/* Finds what the filters want to know of an event; as hg_fields_extract(). The scratch begins with `used` 0 and stays
 * the event's until the next one. */
bool hg_filter_index_extract(struct hg_filter_index *index, struct hg_slice event, struct hg_slice topic,
                             struct hg_scratch *scratch);
void hg_filter_index_extract_json(struct hg_filter_index *index, struct hg_json event, struct hg_slice topic,
                                  struct hg_scratch *scratch);
/* Visits the value of each filter that the event extracted last passes, once, in no particular order. */
void hg_filter_index_match(struct hg_filter_index *index, struct hg_scratch *scratch,
                           void (*visit)(void *context, void *value), void *context);
/* Whether it passes this one. */
bool hg_filter_index_test(const struct hg_filter_index *index, const struct hg_filter_entry *entry,
                          struct hg_scratch *scratch);

/* Walks everything and asserts that it agrees. */
void hg_filter_index_validate(const struct hg_filter_index *index);

#endif
