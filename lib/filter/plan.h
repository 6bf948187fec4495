/* plan.h – what an event must have, at least, to pass a filter: the conditions by which the index finds it.
 *
 * One of the conditions must hold for an event that passes; where `exact`, an event passes if one holds. No condition
 * at all means that only evaluation can tell. Ownership: the texts belong to the tree. Errors: NOMEM. Calls out: weigh.
 * For lib/filter alone. */
#ifndef HG_FILTER_PLAN_H
#define HG_FILTER_PLAN_H

#include "filter/interval.h"
#include "filter/tree.h"

/* By how a value is looked up: as text, number or truth, whatever it is (`path = constant` casts it to what the
 * constant is), or as what it is (IN casts the constants to that). */
enum hg_condition_kind {
    HG_CONDITION_TEXT,
    HG_CONDITION_NUMBER,
    HG_CONDITION_TRUTH,
    HG_CONDITION_NULL,
    HG_CONDITION_OWN_TEXT,
    HG_CONDITION_OWN_NUMBER,
    HG_CONDITION_OWN_TRUTH,
    HG_CONDITION_PREFIX,
    HG_CONDITION_KEYS, /* how many there are of those that are equal to something */
    HG_CONDITION_RANGE = HG_CONDITION_KEYS,
    HG_CONDITION_EXISTS,
};

struct hg_condition {
    enum hg_condition_kind kind;
    uint32_t path_at, path_len; /* in the tree's texts */
    struct hg_value key;        /* the text, number, truth or prefix; text lives in the tree, or in `made` */
    char made[HG_NUMBER_TEXT_MAX];
    uint8_t made_len; /* > 0: the key's text is here */
    struct hg_interval_end low, high;
};

/* The text of a condition's key. */
static inline struct hg_slice hg_condition_text(const struct hg_condition *condition)
{
    return condition->made_len > 0 ? hg_slice(condition->made, condition->made_len) : hg_value_text(condition->key);
}

struct hg_plan {
    struct hg_buf conditions; /* of struct hg_condition */
    struct hg_buf texts;      /* prefixes */
    bool exact;
};

void hg_plan_done(struct hg_plan *plan);
/* `weigh` tells about how many candidates a condition brings in; of several ways to find a filter the cheapest is
 * taken. The tree must outlive the plan. */
HG_RESULT hg_plan_make(const struct hg_tree *tree,
                       uint64_t (*weigh)(void *context, const struct hg_condition *condition), void *context,
                       struct hg_plan *ret_plan);

static inline size_t hg_plan_count(const struct hg_plan *plan)
{
    return plan->conditions.len / sizeof(struct hg_condition);
}

static inline const struct hg_condition *hg_plan_at(const struct hg_plan *plan, size_t number)
{
    return (const struct hg_condition *)(const void *)plan->conditions.ptr + number;
}

#endif
