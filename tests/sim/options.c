#include "sim/options.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t sim_pick(struct hg_prng *prng, const uint64_t *choices, size_t count)
{
    return choices[hg_prng_below(prng, count)];
}
#define PICK(prng, ...) SIM_PICK(prng, __VA_ARGS__)

const struct hg_rule sim_default_rule = {
#define TEXT(field, def, ...)               .field = (char *)(uintptr_t)(def),
#define FLAG(field, def, ...)               .field = (def),
#define LIST(field, ...)                    .field = {NULL, 0},
#define NUMBER(field, min, max, def, ...)   .field = (def),
#define ENUM(field, type, values, def, ...) .field = (def),
    HG_RULE_SETTINGS(TEXT, FLAG, LIST, NUMBER, ENUM)
#undef TEXT
#undef FLAG
#undef LIST
#undef NUMBER
#undef ENUM
};

const struct hg_config sim_default_config = {
#define TEXT(field, def, ...)             .field = (char *)(uintptr_t)(def),
#define FLAG(field, def, ...)             .field = (def),
#define LIST(field, ...)                  .field = {NULL, 0},
#define NUMBER(field, min, max, def, ...) .field = (def),
    HG_SETTINGS(TEXT, FLAG, LIST, NUMBER)
#undef TEXT
#undef FLAG
#undef LIST
#undef NUMBER
};

static void add_rule(struct sim_options *o, const char *match, enum hg_source_kind source, const char *key,
                     const char *channel)
{
    struct hg_rule *rule = &o->rules[o->config.rule_count++];

    *rule = sim_default_rule;
    rule->match = (char *)(uintptr_t)match;
    rule->source = source;
    rule->key = (char *)(uintptr_t)key;
    rule->channel = (char *)(uintptr_t)channel;
}

static void make_rules(struct sim_options *o, struct hg_prng *prng)
{
    const char *key = o->long_names ? "s[1]:{topic}" : "{topic}";
    const char *channel = o->long_names ? "c:{topic}:x" : "{topic}";

    o->config.rules = o->rules;
    add_rule(o, "st.**", HG_SOURCE_STREAM, key, "{topic}");
    o->rules[0].dedupe_window_ms = PICK(prng, 3000, 60000, 600000);
    o->rules[0].maxlen = o->trims && hg_prng_chance(prng, 50) ? PICK(prng, 1, 5, 20) : 0;
    add_rule(o, "no.**", HG_SOURCE_STREAM, "{topic}", "{topic}");
    o->rules[1].emit = false;
    o->rules[1].payload_field = (char *)(uintptr_t) "payload";
    add_rule(o, "ch.**", HG_SOURCE_CHANNEL, "{topic}", channel);
    add_rule(o, "au.**", HG_SOURCE_AUTO, key, channel);
    o->rules[3].payload_field = (char *)(uintptr_t) "payload";
    if (o->catch_all)
        add_rule(o, "**", HG_SOURCE_CHANNEL, "{topic}", o->long_names ? "z:{topic}" : "{topic}");
}

static void make_config(struct sim_options *o, struct hg_prng *prng)
{
    struct hg_config *c = &o->config;

    *c = sim_default_config;
    make_rules(o, prng);
    c->linger_ms = PICK(prng, 0, 20, 200);
    c->discover_ms = PICK(prng, 50, 50, 200);
    c->ping_ms = PICK(prng, 300, 1000, 25000);
    c->pong_timeout_ms = PICK(prng, 400, 1000);
    c->stall_timeout_ms = PICK(prng, 500, 2000);
    c->subscribe_timeout_ms = PICK(prng, 100, 500, 2000);
    c->emit_timeout_ms = PICK(prng, 100, 500, 1500);
    c->redis_timeout_ms = PICK(prng, 100, 500, 1000);
    c->canary_ms = PICK(prng, 100, 300, 1000);
    c->history_bytes_max = PICK(prng, 0, 2048, 16384, 4194304);
    c->history_ms = PICK(prng, 0, 500, 600000);
    c->redis_backoff_min_ms = PICK(prng, 1, 10, 50);
    c->redis_backoff_max_ms = PICK(prng, 50, 200, 500);
    c->streams_per_link_max = PICK(prng, 1, 2, 3, 150);
    c->event_bytes_max = PICK(prng, 1024, 1024, 65536);
    c->message_bytes_max = PICK(prng, 4096, 65536);
    c->conflate_keys_max = PICK(prng, 1, 3, 10000, 10000);
    c->log_bytes_max = PICK(prng, 1024, 4096, 65536);
    c->log_bytes_total_max = PICK(prng, 8192, 65536, 1048576);
    c->reply_bytes_max = PICK(prng, 4096, 262144);
    if (o->roomy) {
        c->history_bytes_max = 4194304;
        c->history_ms = 600000;
        c->log_bytes_max = 65536;
        c->log_bytes_total_max = 1048576;
    }
    if (o->tight) {
        c->connections_max = PICK(prng, 1, 3, 100);
        c->subscriptions_per_session_max = PICK(prng, 1, 3, 100);
        c->groups_max = PICK(prng, 2, 5, 100);
        c->topics_max = o->patterns ? 100 : PICK(prng, 2, 5, 100);
        c->emits_per_session_max = PICK(prng, 1, 2, 100);
        c->emits_max = PICK(prng, 1, 4, 100);
        c->emits_bytes_max = PICK(prng, 256, 4096);
    }
}

/* From a chance of its own, so that worlds without stay what they were. */
static void choose_deflate(struct sim_options *o, struct hg_prng prng)
{
    hg_prng_init(&prng, hg_prng_next(&prng) + 1);
    o->deflates = hg_prng_chance(&prng, 40);
    if (!o->deflates)
        return;
    o->config.deflate_min_bytes = PICK(&prng, 0, 64, 200, 512);
    o->config.deflate_level = PICK(&prng, 1, 3, 9);
    o->config.deflate_window_bits = PICK(&prng, 9, 12, 15);
}

void sim_options_init(struct sim_options *o, struct hg_prng *prng)
{
    *o = (struct sim_options){0};
    o->operations = PICK(prng, 30, 100, 200);
    o->tempo_us = PICK(prng, 200, 3000, 20000, 50000);
    o->clients_max = 1 + hg_prng_below(prng, 6);
    o->net_us = PICK(prng, 50, 1000, 8000);
    o->redis_us = PICK(prng, 50, 1000, 8000);
    o->turn_us = PICK(prng, 1, 100, 2000);
    o->burst_max = PICK(prng, 1, 5, 5, 40);
    o->pad_max = PICK(prng, 0, 0, 100, 600, 1500);
    o->odd_payload_chance = PICK(prng, 0, 0, 10, 60);
    o->socket_bytes = PICK(prng, 200, 2000, 1000000, 1000000);
    o->socket_refill_us = PICK(prng, 100, 3000, 30000);
    o->stalls = hg_prng_chance(prng, 40);
    o->mutes = hg_prng_chance(prng, 15);
    o->leaves = hg_prng_chance(prng, 60);
    o->garbage = hg_prng_chance(prng, 20);
    o->emits = hg_prng_chance(prng, 60);
    o->patterns = hg_prng_chance(prng, 60);
    o->filters = hg_prng_chance(prng, 60);
    o->kills = hg_prng_chance(prng, 50);
    o->restarts = hg_prng_chance(prng, 25);
    o->spikes = hg_prng_chance(prng, 25);
    o->error_chance = hg_prng_chance(prng, 25) ? PICK(prng, 1, 10) : 0;
    o->odd_chance = hg_prng_chance(prng, 15) ? PICK(prng, 1, 5) : 0;
    o->unblock_denied = hg_prng_chance(prng, 15);
    o->paces = hg_prng_chance(prng, 40);
    o->resumes = hg_prng_chance(prng, 60);
    o->trims = hg_prng_chance(prng, 25);
    o->failovers = hg_prng_chance(prng, 15);
    o->deletions = hg_prng_chance(prng, 15);
    o->clock_back = (o->failovers || o->deletions) && hg_prng_chance(prng, 40);
    o->plays = hg_prng_chance(prng, 20);
    o->roomy = hg_prng_chance(prng, 25);
    o->half_opens = hg_prng_chance(prng, 20);
    o->scan_page = PICK(prng, 1, 3, 100);
    o->page_repeats = hg_prng_chance(prng, 30);
    o->long_names = hg_prng_chance(prng, 50);
    o->catch_all = hg_prng_chance(prng, 25);
    o->shutdown = hg_prng_chance(prng, 20);
    o->validate = hg_prng_chance(prng, 10);
    o->tight = hg_prng_chance(prng, 15);
    make_config(o, prng);
    o->elsewhere = o->resumes && hg_prng_chance(prng, 40);
    choose_deflate(o, *prng);
    /* One seed of nine, without a draw: all the others stay what they were. */
    o->overloads = o->turn_us == 2000 && o->socket_refill_us == 3000;
}

bool sim_options_are_calm(const struct sim_options *o)
{
    return !o->kills && !o->restarts && !o->failovers && !o->half_opens && !o->spikes && !o->error_chance &&
           !o->odd_chance && !o->tight && !o->overloads;
}

void sim_options_print(const struct sim_options *o)
{
#define X(name, text) printf("  %-20s %8" PRIu64 "  %s\n", #name, o->name, text);
    SIM_OPTIONS(X)
#undef X
    sim_config_print(&o->config);
}

void sim_config_print(const struct hg_config *c)
{
    printf("  configuration, where it is not the default:\n");
#define SKIP(...)
#define NUMBER(field, min, max, def, ...)                                                                              \
    if (c->field != (def))                                                                                             \
        printf("    %-30s %10" PRIu64 "\n", #field, c->field);
    HG_SETTINGS(SKIP, SKIP, SKIP, NUMBER)
#undef NUMBER
    for (size_t i = 0; i < c->rule_count; i++) {
        const struct hg_rule *rule = &c->rules[i];

        printf("    %-6s source %d key %s channel %s maxlen %" PRIu64 " window %" PRIu64 " ms\n", rule->match,
               (int)rule->source, rule->key, rule->channel, rule->maxlen, rule->dedupe_window_ms);
    }
}
