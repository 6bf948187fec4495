#include <stdlib.h>

#include "schema/compile.h"
#include "schema/refusal.h"

#define NONE HG_RULE_NONE

static bool each_child(const struct hg_schema *schema, uint32_t node, bool (*visit)(void *context, uint32_t rule),
                       void *context)
{
    const struct hg_dom_node *nodes = schema->dom.nodes;
    for (uint32_t at = node + 1; at < nodes[node].next; at = nodes[at].next)
        if (!visit(context, schema->rule_of[at]))
            return false;
    return true;
}

bool hg_keyword_each_in_place(const struct hg_schema *schema, const struct hg_keyword *keyword,
                              bool (*visit)(void *context, uint32_t rule), void *context)
{
    switch (keyword->check) {
    case HG_CHECK_REF:
    case HG_CHECK_NOT:
        return visit(context, keyword->u.rule);
    case HG_CHECK_ALL_OF:
    case HG_CHECK_ANY_OF:
    case HG_CHECK_ONE_OF:
    case HG_CHECK_DEPENDENT_SCHEMAS:
        return each_child(schema, keyword->place, visit, context);
    case HG_CHECK_IF:
        return visit(context, keyword->u.branch.condition) &&
               (keyword->u.branch.then == NONE || visit(context, keyword->u.branch.then)) &&
               (keyword->u.branch.otherwise == NONE || visit(context, keyword->u.branch.otherwise));
    default:
        return true;
    }
}

struct chain {
    struct hg_compiler *c;
    uint16_t *heights; /* how many rules follow one another from each; 0: not known, UINT16_MAX: being found out */
    uint32_t depth, height;
    hg_result result;
};

static bool refuse_chain(struct chain *chain, uint32_t rule, const char *found)
{
    struct hg_compiler *c = chain->c;
    hg_refusal_begin(c->dom, c->schema->rules[rule].place, c->reterr);
    hg_buf_put_str(c->reterr, found);
    chain->result = hg_refusal_end("references that lead to an end, or to a part of the value", c->reterr);
    return false;
}

static bool find_height(void *context, uint32_t rule)
{
    struct chain *chain = context;
    const struct hg_schema *schema = chain->c->schema;
    if (chain->heights[rule] == UINT16_MAX)
        return refuse_chain(chain, rule, "a schema that applies itself to the same value again, without end");
    if (chain->heights[rule] == 0) {
        if (chain->depth > HG_SCHEMA_CHAIN_MAX)
            return refuse_chain(chain, rule, "a schema that applies to a value through more than 256 others");
        uint32_t above = chain->height;
        chain->height = 0;
        chain->heights[rule] = UINT16_MAX;
        chain->depth++;
        for (uint32_t i = 0; i < schema->rules[rule].count; i++)
            if (!hg_keyword_each_in_place(schema, &schema->keywords[schema->rules[rule].first + i], find_height, chain))
                return false;
        chain->depth--;
        if (chain->height >= HG_SCHEMA_CHAIN_MAX)
            return refuse_chain(chain, rule, "a schema that applies more than 256 others, one through the other");
        chain->heights[rule] = (uint16_t)(chain->height + 1);
        chain->height = above;
    }
    if (chain->heights[rule] > chain->height)
        chain->height = chain->heights[rule];
    return true;
}

hg_result hg_compiler_check_chains(struct hg_compiler *c)
{
    struct chain chain = {.c = c, .result = HG_OK};
    chain.heights = calloc(c->schema->rule_count, sizeof(*chain.heights));
    if (!chain.heights)
        return HG_FAIL(NOMEM);
    for (uint32_t i = 0; i < c->schema->rule_count && hg_ok(chain.result); i++) {
        chain.height = 0;
        if (!find_height(&chain, i))
            break;
    }
    free(chain.heights);
    return chain.result;
}
