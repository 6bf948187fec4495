/* fields.h – which places of an event some filter reads, and their values, found in one walk over the event's JSON.
 *
 * A place is a path (path.h) and has a slot, a number that stays the same while anybody needs it. Extracting fills the
 * slots: what is not there, what is no number of ours, text with half of a surrogate pair, and everything when the
 * event is no JSON object, is missing. Of names that repeat in an object the last one counts. The topic is `topic`,
 * whatever the event says; id, type and time are found under eventId, eventType and timestamp too when they are absent
 * or null. Units: bytes. Ownership: the fields own places and slots; values point into the event, the topic and the
 * scratch, and are good as long as those are, until the next extraction or change of the places. Errors: NOMEM from new
 * and add; extracting allocates nothing. Text with escapes is decoded into the scratch: one as large as the event
 * always suffices, in a smaller one the text may be missing. Calls out: none. */
#ifndef HG_FILTER_FIELDS_H
#define HG_FILTER_FIELDS_H

#include "base/hash.h"
#include "base/json.h"
#include "filter/filter.h"

struct hg_fields;

#define HG_FIELDS_NONE UINT32_MAX

HG_RESULT hg_fields_new(struct hg_hash_key hash_key, struct hg_fields **ret_fields);
/* Accepts NULL. */
void hg_fields_free(struct hg_fields *fields);

/* Wants one more time the place of a canonical path. */
HG_RESULT hg_fields_add(struct hg_fields *fields, struct hg_slice path, uint32_t *ret_slot);
/* Wants it once less. The values are all missing then until the next extraction. */
void hg_fields_remove(struct hg_fields *fields, uint32_t slot);
/* The places that a filter reads, in its order; `ret_slots` has room for hg_filter_path_count(). All or none. */
HG_RESULT hg_fields_add_filter(struct hg_fields *fields, const struct hg_filter *filter, uint32_t *ret_slots);
void hg_fields_remove_filter(struct hg_fields *fields, const struct hg_filter *filter, const uint32_t *slots);

/* Finds the values of an event, bytes as they came. False when they are no JSON: then only the topic is there. */
bool hg_fields_extract(struct hg_fields *fields, struct hg_slice event, struct hg_slice topic,
                       struct hg_scratch *scratch);
/* The same where hg_json_parse() has accepted the event. */
void hg_fields_extract_json(struct hg_fields *fields, struct hg_json event, struct hg_slice topic,
                            struct hg_scratch *scratch);

/* By slot. */
const struct hg_value *hg_fields_values(const struct hg_fields *fields);
/* The slots that may have a value, each once, in no particular order; the others are missing. */
const uint32_t *hg_fields_present(const struct hg_fields *fields, size_t *ret_count);
/* How many slots there are, wanted or not: the bound of slot numbers. */
size_t hg_fields_slot_count(const struct hg_fields *fields);

void hg_fields_validate(const struct hg_fields *fields);

#endif
