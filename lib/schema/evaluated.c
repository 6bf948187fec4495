#include <stdlib.h>

#include "schema/check.h"

#define NONE HG_RULE_NONE

/* Which members or elements of a value the keywords beside unevaluatedProperties or unevaluatedItems have looked at,
 * their own and those of every schema that applies to the same value and fits it. It is found out afterwards, by asking
 * again which of them fit, so that schemas without these keywords pay nothing for it. */
struct evaluated {
    struct hg_run *run;
    uint32_t node;
    bool all;
    uint8_t *seen; /* for each node of the value */
};

static bool collect(void *context, uint32_t rule);

static void mark(struct evaluated *e, uint32_t child)
{
    e->seen[child - e->node] = 1;
}

static bool collect_members(struct evaluated *e, const struct hg_keyword *keyword)
{
    const struct hg_dom *event = &e->run->event, *schema = &e->run->schema->dom;
    if (keyword->u.members.others != NONE)
        e->all = true; /* each member is either named, or one of the others */
    for (uint32_t at = e->node + 1; at < event->nodes[e->node].next && !e->all; at = event->nodes[at].next) {
        struct hg_slice name = hg_dom_name(event, at);
        uint32_t patterns = keyword->u.members.patterns, regex = keyword->u.members.regexes;
        if (!hg_run_pay(e->run, 1, at))
            return false;
        if (keyword->place != NONE && hg_dom_find(schema, keyword->place, name) != HG_DOM_NONE) {
            mark(e, at);
            continue;
        }
        if (patterns == NONE)
            continue;
        for (uint32_t i = patterns + 1; i < schema->nodes[patterns].next; i = schema->nodes[i].next, regex++)
            if (hg_run_matches(e->run, e->run->schema->regexes[regex], name, at))
                mark(e, at);
    }
    return hg_ok(e->run->result);
}

static bool collect_items(struct evaluated *e, const struct hg_keyword *keyword)
{
    const struct hg_dom *event = &e->run->event;
    uint32_t left =
        keyword->check == HG_CHECK_PREFIX_ITEMS ? e->run->schema->dom.nodes[keyword->place].count : UINT32_MAX;
    for (uint32_t at = e->node + 1; at < event->nodes[e->node].next && left > 0; at = event->nodes[at].next, left--) {
        if (!hg_run_pay(e->run, 1, at))
            return false;
        if (keyword->check == HG_CHECK_PREFIX_ITEMS || hg_run_apply(e->run, keyword->u.contains.rule, at))
            mark(e, at);
    }
    return hg_ok(e->run->result);
}

/* A schema beside others that may or may not fit. */
static bool collect_if_fits(void *context, uint32_t rule)
{
    struct evaluated *e = context;
    bool fits = hg_run_apply(e->run, rule, e->node);
    return hg_ok(e->run->result) && (!fits || collect(e, rule));
}

static bool collect_branch(struct evaluated *e, const struct hg_keyword *keyword)
{
    bool condition = hg_run_apply(e->run, keyword->u.branch.condition, e->node);
    uint32_t rule = condition ? keyword->u.branch.then : keyword->u.branch.otherwise;
    return hg_ok(e->run->result) && (!condition || collect(e, keyword->u.branch.condition)) &&
           (rule == NONE || collect(e, rule));
}

static bool collect_dependent(struct evaluated *e, const struct hg_keyword *keyword)
{
    const struct hg_dom *schema = &e->run->schema->dom;
    for (uint32_t at = keyword->place + 1; at < schema->nodes[keyword->place].next; at = schema->nodes[at].next)
        if (hg_dom_find(&e->run->event, e->node, hg_dom_name(schema, at)) != HG_DOM_NONE &&
            !collect(e, e->run->schema->rule_of[at]))
            return false;
    return true;
}

static bool collect_keyword(struct evaluated *e, const struct hg_keyword *keyword)
{
    bool object = e->run->event.nodes[e->node].type == HG_JSON_OBJECT;
    switch (keyword->check) {
    case HG_CHECK_MEMBERS:
        return !object || collect_members(e, keyword);
    case HG_CHECK_ITEMS:
    case HG_CHECK_UNEVALUATED_ITEMS:
        e->all |= !object;
        return true;
    case HG_CHECK_UNEVALUATED_PROPERTIES:
        e->all |= object;
        return true;
    case HG_CHECK_PREFIX_ITEMS:
    case HG_CHECK_CONTAINS:
        return object || collect_items(e, keyword);
    case HG_CHECK_REF:
    case HG_CHECK_ALL_OF:
        return hg_keyword_each_in_place(e->run->schema, keyword, collect, e);
    case HG_CHECK_ANY_OF:
    case HG_CHECK_ONE_OF:
        return hg_keyword_each_in_place(e->run->schema, keyword, collect_if_fits, e);
    case HG_CHECK_IF:
        return collect_branch(e, keyword);
    case HG_CHECK_DEPENDENT_SCHEMAS:
        return !object || collect_dependent(e, keyword);
    default:
        return true;
    }
}

/* `but`: the keyword that asks, which has not been there yet. */
static bool collect_rule(struct evaluated *e, const struct hg_rule *rule, const struct hg_keyword *but)
{
    if (rule->kind != HG_RULE_KEYWORDS)
        return true;
    if (!hg_run_enter(e->run, 1 + rule->count, e->node))
        return false;
    bool good = true;
    for (uint32_t i = 0; i < rule->count && !e->all && good; i++) {
        const struct hg_keyword *keyword = &e->run->schema->keywords[rule->first + i];
        good = keyword == but || collect_keyword(e, keyword);
    }
    e->run->depth--;
    return good;
}

static bool collect(void *context, uint32_t rule)
{
    struct evaluated *e = context;
    return collect_rule(e, &e->run->schema->rules[rule], NULL);
}

static bool check_rest(struct evaluated *e, const struct hg_keyword *keyword)
{
    const struct hg_dom *event = &e->run->event;
    for (uint32_t at = e->node + 1; at < event->nodes[e->node].next; at = event->nodes[at].next) {
        if (e->seen[at - e->node])
            continue;
        if (e->run->schema->rules[keyword->u.rule].kind == HG_RULE_NOTHING)
            return hg_run_fail(e->run, keyword->check, at, keyword->place, 0, 0);
        if (!hg_run_apply(e->run, keyword->u.rule, at))
            return false;
    }
    return true;
}

bool hg_run_unevaluated(struct hg_run *run, const struct hg_rule *rule, const struct hg_keyword *keyword, uint32_t node)
{
    const struct hg_dom_node *value = &run->event.nodes[node];
    struct evaluated e = {run, node, false, NULL};
    bool items = keyword->check == HG_CHECK_UNEVALUATED_ITEMS;
    if (value->type != (items ? HG_JSON_ARRAY : HG_JSON_OBJECT) || value->count == 0)
        return true;
    if (!hg_run_pay(run, (value->next - node) / 8, node))
        return false;
    e.seen = calloc(value->next - node, 1);
    if (!e.seen) {
        run->result = HG_FAIL(NOMEM);
        return false;
    }
    bool valid = collect_rule(&e, rule, keyword) && (e.all || check_rest(&e, keyword));
    free(e.seen);
    return valid;
}
