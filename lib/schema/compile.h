/* compile.h – a document on its way to rules. Private to schema.
 *
 * Ownership: what is made is the schema's at once. Errors: BAD_REQUEST with the line in reterr, NOMEM. Recursion: as
 * deep as HG_SCHEMA_DEPTH_MAX and HG_SCHEMA_CHAIN_MAX. Calls out: none. */
#ifndef HG_SCHEMA_COMPILE_H
#define HG_SCHEMA_COMPILE_H

#include "schema/rules.h"

struct hg_compiler {
    struct hg_schema *schema;
    const struct hg_dom *dom;
    struct hg_buf *reterr;
    unsigned depth;
    uint32_t resource; /* that we are in */
};

/* Room for `need` items of an array. */
HG_RESULT hg_compiler_grow(void **items, uint32_t *capacity, uint32_t need, size_t size);
/* The rule of the schema in a node; made when it is not there yet. */
HG_RESULT hg_compiler_rule(struct hg_compiler *c, uint32_t node, uint32_t *ret_rule);

/* Enters the resource that a schema begins, if it has an $id or is the document (reference.c). */
HG_RESULT hg_compiler_enter(struct hg_compiler *c, uint32_t node);
/* Finds what each $ref means. Targets may be in places that are no schemas by themselves, and become some. */
HG_RESULT hg_compiler_resolve(struct hg_compiler *c);
/* Refuses rules that come back to themselves with the same value, which would never end, or get there through too many
 * (chain.c). */
HG_RESULT hg_compiler_check_chains(struct hg_compiler *c);

static inline enum hg_json_type hg_compiler_type(const struct hg_compiler *c, uint32_t node)
{
    return c->dom->nodes[node].type;
}

#endif
