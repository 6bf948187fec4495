#include "sim/once/options.h"

#include <inttypes.h>
#include <stdio.h>

#include "sim/options.h"

#define PICK(prng, ...) SIM_PICK(prng, __VA_ARGS__)

const struct once_topic once_topics[ONCE_TOPICS] = {
    {"once.a", 0, true}, {"once.{t}:b", 0, true}, {"some.a", 1, true},  {"safe.a", 2, true},
    {"disk.a", 3, true}, {"shut.a", 4, false},    {"chan.a", 5, false}, {"nowhere", -1, false},
};

static struct hg_rule *add_rule(struct once_options *o, const char *match, const char *key)
{
    struct hg_rule *rule = &o->rules[o->config.rule_count++];

    *rule = sim_default_rule;
    rule->match = (char *)(uintptr_t)match;
    rule->source = HG_SOURCE_STREAM;
    rule->key = (char *)(uintptr_t)key;
    return rule;
}

static void make_rules(struct once_options *o, struct hg_prng *prng)
{
    o->config.rules = o->rules;
    add_rule(o, "once.**", "{topic}");
    add_rule(o, "some.**", "some:{topic}")->dedupe = HG_DEDUPE_BEST_EFFORT;
    add_rule(o, "safe.**", "{topic}")->payload_field = (char *)(uintptr_t) "body";
    o->rules[2].durability = (char *)(uintptr_t)(o->wanted == 1 ? "replicas:1" : "replicas:2");
    add_rule(o, "disk.**", "{topic}")->durability = (char *)(uintptr_t) "fsync";
    for (size_t i = 0; i < o->config.rule_count; i++) {
        o->rules[i].dedupe_window_ms = PICK(prng, 1000, 3000, 10000, 60000, 600000);
        if (i > 1 && hg_prng_chance(prng, 20))
            o->rules[i].dedupe = HG_DEDUPE_BEST_EFFORT;
        o->rules[i].maxlen = hg_prng_chance(prng, 20) ? PICK(prng, 1, 5, 20) : 0;
    }
    add_rule(o, "shut.**", "{topic}")->emit = false;
    add_rule(o, "chan.**", "{topic}")->source = HG_SOURCE_CHANNEL;
}

static void make_config(struct once_options *o, struct hg_prng *prng)
{
    struct hg_config *c = &o->config;

    *c = sim_default_config;
    make_rules(o, prng);
    c->ping_ms = PICK(prng, 300, 1000, 25000);
    c->pong_timeout_ms = PICK(prng, 400, 1000);
    c->stall_timeout_ms = PICK(prng, 500, 2000);
    c->emit_timeout_ms = PICK(prng, 100, 300, 500, 800);
    c->redis_timeout_ms = PICK(prng, 100, 500, 1000);
    c->canary_ms = PICK(prng, 100, 300, 1000);
    c->durability_timeout_ms = PICK(prng, 10, 10, 25, c->emit_timeout_ms / 4);
    c->emit_backoff_min_ms = PICK(prng, 1, 50);
    c->emit_backoff_max_ms = PICK(prng, 100, 2000);
    c->breaker_failures = PICK(prng, 1, 3, 1000);
    c->breaker_open_min_ms = PICK(prng, 10, 500);
    c->breaker_open_max_ms = PICK(prng, 500, 5000);
    c->redis_backoff_min_ms = PICK(prng, 1, 10, 50);
    c->redis_backoff_max_ms = PICK(prng, 50, 200, 500);
    c->event_bytes_max = PICK(prng, 1024, 65536);
    c->message_bytes_max = 1048576;
    if (o->rates) {
        c->emit_rate_session = PICK(prng, 0, 200, 1000);
        c->emit_rate_principal = PICK(prng, 0, 1000);
        c->emit_burst_ms = PICK(prng, 100, 1000);
        o->rules[0].emit_rate = PICK(prng, 0, 200);
    }
    if (o->tight) {
        c->emits_per_session_max = PICK(prng, 1, 2, 5, 256);
        c->emits_max = PICK(prng, 1, 4, 20, 10000);
        c->emits_bytes_max = PICK(prng, 2000, 4096, 65536);
    }
}

void once_options_init(struct once_options *o, struct hg_prng *prng)
{
    *o = (struct once_options){0};
    o->operations = PICK(prng, 10, 20, 40, 80);
    o->tempo_us = PICK(prng, 500, 5000, 30000, 150000);
    o->kind = PICK(prng, ONCE_FUNCTION, ONCE_FUNCTION, ONCE_FUNCTION, ONCE_SCRIPT, ONCE_SCRIPT, ONCE_DENIED, ONCE_PLAIN,
                   ONCE_IDMP, ONCE_IDMP, ONCE_IDMP, ONCE_IDMP_BARE);
    o->gateways = 1 + hg_prng_below(prng, 3);
    o->clients = 1 + hg_prng_below(prng, 8);
    o->net_us = PICK(prng, 50, 1000, 8000);
    o->redis_us = PICK(prng, 50, 1000, 8000);
    o->turn_us = PICK(prng, 1, 100, 2000);
    o->burst_max = PICK(prng, 1, 1, 2, 3, 3, 5, 10, 30);
    o->pad_max = PICK(prng, 0, 0, 100, 600);
    o->polite = hg_prng_chance(prng, 60);
    o->joined = hg_prng_chance(prng, 50);
    o->hiding = hg_prng_chance(prng, 40);
    o->conflicts = hg_prng_chance(prng, 25);
    o->twins = hg_prng_chance(prng, 40);
    o->wrong = hg_prng_chance(prng, 15);
    o->leaves = hg_prng_chance(prng, 60);
    o->stalls = hg_prng_chance(prng, 20);
    o->socket_bytes = o->stalls ? PICK(prng, 300, 2000, 1000000) : 1000000;
    o->crashes = hg_prng_chance(prng, 40);
    o->kills = hg_prng_chance(prng, 50);
    o->strays = hg_prng_chance(prng, 30);
    o->half_opens = hg_prng_chance(prng, 20);
    o->spikes = hg_prng_chance(prng, 25);
    o->restarts = hg_prng_chance(prng, 25);
    o->amnesia = hg_prng_chance(prng, 30);
    o->power_cuts = hg_prng_chance(prng, 15);
    o->failovers = hg_prng_chance(prng, 25);
    o->clock_jumps = hg_prng_chance(prng, 15);
    o->error_chance = hg_prng_chance(prng, 25) ? PICK(prng, 1, 10) : 0;
    o->single_chance = hg_prng_chance(prng, 25) ? PICK(prng, 2, 20, 50) : 0;
    o->odd_chance = hg_prng_chance(prng, 15) ? PICK(prng, 1, 5) : 0;
    o->info_denied = hg_prng_chance(prng, 15);
    o->replicas = o->failovers ? 1 + hg_prng_below(prng, 2) : hg_prng_below(prng, 3);
    o->wanted = 1 + hg_prng_below(prng, 2);
    o->lag_us = PICK(prng, 100, 3000, 50000);
    o->disk = hg_prng_chance(prng, 70);
    o->disk_us = PICK(prng, 100, 5000, 100000);
    o->rates = o->burst_max <= 5 && hg_prng_chance(prng, 15);
    o->validate = hg_prng_chance(prng, 10);
    o->tight = hg_prng_chance(prng, 20);
    make_config(o, prng);
}

bool once_wants_durability(const struct once_options *o, int topic)
{
    const char *durability = o->rules[once_topics[topic].rule].durability;
    return durability[0] != 'm';
}

bool once_is_by_idmp(const struct once_options *o, int topic)
{
    return (o->kind == ONCE_IDMP || o->kind == ONCE_IDMP_BARE) && !o->info_denied && !once_wants_durability(o, topic);
}

static bool has_scripts(const struct once_options *o)
{
    return o->kind != ONCE_PLAIN && o->kind != ONCE_IDMP_BARE;
}

bool once_may_be_plain(const struct once_options *o, int topic)
{
    return !has_scripts(o) && !once_is_by_idmp(o, topic) &&
           o->rules[once_topics[topic].rule].dedupe == HG_DEDUPE_BEST_EFFORT;
}

bool once_can_settle(const struct once_options *o, int topic)
{
    return !once_topics[topic].stream || has_scripts(o) || once_is_by_idmp(o, topic) || once_may_be_plain(o, topic);
}

bool once_options_are_calm(const struct once_options *o)
{
    return !o->crashes && !o->kills && !o->half_opens && !o->spikes && !o->restarts && !o->power_cuts &&
           !o->failovers && !o->clock_jumps && !o->error_chance && !o->single_chance && !o->odd_chance && !o->tight &&
           !o->stalls;
}

void once_options_print(const struct once_options *o)
{
#define X(name, text) printf("  %-20s %8" PRIu64 "  %s\n", #name, o->name, text);
    ONCE_OPTIONS(X)
#undef X
    sim_config_print(&o->config);
}
