#include "config/complaint.h"
#include "config/config.h"
#include "config/durability.h"
#include "config/relation.h"

/* LESS must not be greater than MORE, and why. */
#define HG_CONFIG_RELATIONS(X)                                                                                         \
    X(redis_backoff_min_ms, redis_backoff_max_ms, "the first delay is the shortest one")                               \
    X(emit_backoff_min_ms, emit_backoff_max_ms, "the first delay is the shortest one")                                 \
    X(breaker_open_min_ms, breaker_open_max_ms, "the first time is the shortest one")                                  \
    X(event_bytes_max, log_bytes_max, "a group must be able to keep its largest event")                                \
    X(event_bytes_max, emits_bytes_max, "the largest event must be possible to emit")                                  \
    X(log_bytes_max, log_bytes_total_max, "one group's events are part of those of all groups")

static hg_result refuse(const char *less_name, uint64_t less, const char *more_name, uint64_t more, const char *why,
                        struct hg_buf *reterr)
{
    hg_buf_clear(reterr);
    hg_buf_printf(reterr, "%s: found %llu: %s; allowed: at most %s, which is %llu", less_name, (unsigned long long)less,
                  why, more_name, (unsigned long long)more);
    return reterr->error == HG_ERR_NOMEM ? HG_FAIL(NOMEM) : HG_FAIL(BAD_REQUEST);
}

hg_result hg_config_check(const struct hg_config *config, struct hg_buf *reterr)
{
#define X(less, more, why)                                                                                             \
    if (config->less > config->more)                                                                                   \
        return refuse(#less, config->less, #more, config->more, why, reterr);
    HG_CONFIG_RELATIONS(X)
#undef X
    bool certificate = *config->tls_certificate, key = *config->tls_key;
    if (certificate != key)
        return hg_complain((struct hg_where){.rule = HG_NOWHERE,
                                             .key = hg_slice_str(key ? "tls_certificate" : "tls_key"),
                                             .element = HG_NOWHERE},
                           "nothing", key ? "tls_key is set" : "tls_certificate is set", "both or none", reterr);
    if (config->rule_count == 0)
        return hg_complain((struct hg_where){.rule = HG_NOWHERE, .key = HG_LIT("topics"), .element = HG_NOWHERE},
                           "no rule", NULL, "at least one", reterr);
    for (size_t i = 0; i < config->rule_count; i++) {
        struct hg_rule_fault fault;
        struct hg_durability durability;
        if (!hg_rule_is_sound(&config->rules[i], &fault))
            return hg_rule_complain(
                (struct hg_where){.rule = i, .key = hg_slice_str(fault.setting), .element = HG_NOWHERE}, &fault,
                reterr);
        HG_TRY(hg_durability_parse(hg_slice_str(config->rules[i].durability), &durability, NULL));
        if (durability.kind != HG_DURABILITY_MEMORY && config->durability_timeout_ms > config->emit_timeout_ms)
            return refuse("durability_timeout_ms", config->durability_timeout_ms, "emit_timeout_ms",
                          config->emit_timeout_ms, "an emit would be given up before it is known to be durable",
                          reterr);
    }
    return HG_OK;
}
