/* object.h – filter objects to trees: CloudEvents Subscriptions v1.0, section 3.2.4, dialects exact prefix suffix all
 * any not sql. Names of attributes may be paths into the event. Errors: FILTER_INVALID with the report filled, offsets
 * counted from the object's brace; NOMEM. Calls out: none. */
#ifndef HG_FILTER_OBJECT_H
#define HG_FILTER_OBJECT_H

#include "base/json.h"
#include "filter/report.h"
#include "filter/tree.h"

/* Adds it to the tree. `report` is cleared first. */
HG_RESULT hg_object_parse(struct hg_json object, struct hg_tree *tree, uint16_t *ret_node,
                          struct hg_filter_report *report);

/* Where byte `at` of a JSON string's decoded text stands in the raw one, quotes counted. */
size_t hg_object_raw_offset(struct hg_json string, size_t at);

#endif
