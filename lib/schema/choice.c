#include "schema/check.h"

#define NONE HG_RULE_NONE

static uint32_t depth_of(const struct hg_dom *dom, uint32_t node)
{
    uint32_t depth = 0;
    for (; node != HG_DOM_NONE; node = dom->nodes[node].parent)
        depth++;
    return depth;
}

/* Which of the alternatives was meant can be told when just one of them failed furthest in: not because it is of
 * another kind (type, const, enum), or deeper in the value. */
struct nearest {
    struct hg_fault fault;
    uint32_t rank;
    bool single;
    uint32_t types; /* while all wanted other types of the very value: these */
};

static void note_fault(struct hg_run *run, struct nearest *nearest, uint32_t node)
{
    const struct hg_fault *fault = &run->fault;
    bool kind = fault->check == HG_CHECK_TYPE || fault->check == HG_CHECK_CONST || fault->check == HG_CHECK_ENUM ||
                fault->check == HG_CHECK__COUNT;
    uint32_t depth = depth_of(&run->event, fault->node), rank = depth + (kind ? 0 : HG_JSON_DEPTH_MAX + 2);
    hg_run_pay(run, depth / 8, node);
    if (fault->check == HG_CHECK_TYPE && fault->node == node && !fault->of_name && (nearest->types || !nearest->rank))
        nearest->types |= fault->detail;
    else
        nearest->types = 0;
    if (rank == nearest->rank)
        nearest->single = false;
    if (rank > nearest->rank) {
        nearest->rank = rank;
        nearest->fault = *fault;
        nearest->single = true;
    }
}

/* Counts the alternatives that fit, up to `enough`. */
static uint32_t count_fitting(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node, uint32_t enough,
                              struct nearest *nearest, uint32_t ret_numbers[2])
{
    const struct hg_dom *schema = &run->schema->dom;
    uint32_t fitting = 0, number = 0;
    *nearest = (struct nearest){.rank = 0};
    for (uint32_t at = keyword->place + 1; at < schema->nodes[keyword->place].next; at = schema->nodes[at].next) {
        bool fits = hg_run_apply(run, run->schema->rule_of[at], node);
        if (!hg_ok(run->result))
            return fitting;
        if (fits) {
            ret_numbers[fitting++] = number;
            if (fitting == enough)
                return fitting;
        } else {
            note_fault(run, nearest, node);
        }
        number++;
    }
    return fitting;
}

bool hg_run_choose(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    struct nearest nearest;
    uint32_t numbers[2] = {0, 0};
    bool one = keyword->check == HG_CHECK_ONE_OF;
    uint32_t fitting = count_fitting(run, keyword, node, one ? 2 : 1, &nearest, numbers);
    if (!hg_ok(run->result))
        return false;
    if (fitting == 1)
        return true;
    if (fitting > 1)
        return hg_run_fail(run, keyword->check, node, keyword->place, numbers[0], numbers[1]);
    if (nearest.types)
        return hg_run_fail(run, HG_CHECK_TYPE, node, keyword->place, nearest.types, 0);
    if (!nearest.single)
        return hg_run_fail(run, keyword->check, node, keyword->place, NONE, NONE);
    run->fault = nearest.fault;
    return false;
}
