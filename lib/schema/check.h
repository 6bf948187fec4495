/* check.h – one event held against one schema: what is going on while it is. Private to schema.
 * Ownership: of the event's DOM and the room, by who began the check. Calls out: none. */
#ifndef HG_SCHEMA_CHECK_H
#define HG_SCHEMA_CHECK_H

#include "schema/rules.h"

/* Why a value is not valid. */
struct hg_fault {
    enum hg_check check;      /* HG_CHECK__COUNT: the schema is false */
    uint32_t node;            /* of the event */
    uint32_t place;           /* of the keyword's value in the schema */
    uint32_t detail, detail2; /* what else the check has to tell; see sentence.c */
    bool of_name;             /* it is the member's name that is not valid */
};

struct hg_run {
    const struct hg_schema *schema;
    struct hg_dom event;
    struct hg_regex_room room;
    uint64_t work;
    unsigned depth;
    uint32_t name_of; /* the member whose name the spare node stands for */
    struct hg_fault fault;
    hg_result result; /* other than OK: the check cannot go on; the answers do not count any more */
    uint32_t reached; /* the node where that was */
};

/* Whether the value is valid. False with run->fault, or with run->result when the check cannot go on. */
bool hg_run_apply(struct hg_run *run, uint32_t rule, uint32_t node);
/* Takes work off; false, with run->result, when there is not enough. */
bool hg_run_pay(struct hg_run *run, uint64_t work, uint32_t node);
/* Takes work off and goes one schema deeper, run->depth; false, with run->result, when there is no more of either. */
bool hg_run_enter(struct hg_run *run, uint64_t work, uint32_t node);
bool hg_run_fail(struct hg_run *run, enum hg_check check, uint32_t node, uint32_t place, uint32_t detail,
                 uint32_t detail2);
/* Whether a text matches; false also when the check cannot go on. */
bool hg_run_matches(struct hg_run *run, const struct hg_regex *regex, struct hg_slice text, uint32_t node);

/* anyOf and oneOf (choice.c). */
bool hg_run_choose(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node);
/* unevaluatedItems and unevaluatedProperties (evaluated.c). */
bool hg_run_unevaluated(struct hg_run *run, const struct hg_rule *rule, const struct hg_keyword *keyword,
                        uint32_t node);

/* The sentence of run->fault (sentence.c). */
void hg_run_put_sentence(const struct hg_run *run, struct hg_buf *into);

#endif
