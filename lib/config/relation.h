/* relation.h – what the settings of one rule must not be together. Private to config.
 *
 * Ownership: what a fault points to is static or of the rule. Calls out: none. */
#ifndef HG_CONFIG_RELATION_H
#define HG_CONFIG_RELATION_H

#include "config/complaint.h"
#include "config/config.h"

struct hg_rule_fault {
    const char *setting; /* the one to be told */
    const char *value;   /* what was found there; NULL: `found` tells it */
    const char *found;
    const char *why, *allowed;
};

/* Whether the settings go together; every one of them is allowed by itself, and the rule has a `match`. */
bool hg_rule_is_sound(const struct hg_rule *rule, struct hg_rule_fault *reterr_fault);
/* Refuses it; `where` is the place of the fault's setting. */
HG_RESULT hg_rule_complain(struct hg_where where, const struct hg_rule_fault *fault, struct hg_buf *reterr);

#endif
