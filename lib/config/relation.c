#include "config/relation.h"

#include "topic/pattern.h"
#include "topic/template.h"

/* A setting that says something of emits, or NULL. */
static const char *emit_setting(const struct hg_rule *rule)
{
    return rule->emit_rate > 0                       ? "emit_rate"
           : strcmp(rule->durability, "memory") != 0 ? "durability"
           : rule->carry.count > 0                   ? "carry"
           : rule->types.count > 0                   ? "types"
           : rule->require.count > 0                 ? "require"
           : *rule->schema                           ? "schema"
           : *rule->dead_letter                      ? "dead_letter"
                                                     : NULL;
}

/* Whether the dead letters of a topic would stand in its own stream. Of two templates that vary, only equal ones are
 * looked for. */
static bool buries_in_itself(const struct hg_rule *rule)
{
    struct hg_slice key = hg_slice_str(rule->key), dead = hg_slice_str(rule->dead_letter), topic;
    bool dead_varies = hg_template_varies(dead);
    if (hg_slice_eq(key, dead))
        return true;
    if (hg_template_varies(key) == dead_varies)
        return false;
    return hg_template_extract(dead_varies ? dead : key, dead_varies ? key : dead, &topic) &&
           hg_pattern_match(hg_slice_str(rule->match), topic);
}

bool hg_rule_is_sound(const struct hg_rule *rule, struct hg_rule_fault *reterr_fault)
{
    const char *of_emits = rule->source == HG_SOURCE_CHANNEL ? emit_setting(rule) : NULL;
    if (of_emits) {
        *reterr_fault = (struct hg_rule_fault){
            .setting = of_emits,
            .found = "a setting for emits",
            .why = "clients emit to streams only, and the source is channel",
            .allowed = "it in rules whose source is stream or auto",
        };
        return false;
    }
    if (rule->dedupe == HG_DEDUPE_BEST_EFFORT && strcmp(rule->durability, "memory") != 0) {
        *reterr_fault = (struct hg_rule_fault){
            .setting = "durability",
            .value = rule->durability,
            .why = "dedupe is best_effort, which makes no promise that could be kept for longer",
            .allowed = "memory, or dedupe once",
        };
        return false;
    }
    if (*rule->dead_letter && buries_in_itself(rule)) {
        *reterr_fault = (struct hg_rule_fault){
            .setting = "dead_letter",
            .value = rule->dead_letter,
            .why = "it would be the stream of the topic itself, whose name key tells",
            .allowed = "another Redis name, such as dead:{topic}",
        };
        return false;
    }
    return true;
}

hg_result hg_rule_complain(struct hg_where where, const struct hg_rule_fault *fault, struct hg_buf *reterr)
{
    if (fault->value)
        return hg_complain_value(where, hg_slice_str(fault->value), fault->why, fault->allowed, reterr);
    return hg_complain(where, fault->found, fault->why, fault->allowed, reterr);
}
