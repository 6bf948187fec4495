#include "sim/redis.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/oracle.h"

void sim_redis_init(struct sim_redis *redis, struct sim_env *env)
{
    *redis = (struct sim_redis){.env = env, .next_client_id = 5 + sim_below(env, 100), .old = sim_chance(env, 8)};

    for (uint32_t i = 0; i < SIM_LINKS; i++) {
        redis->links[i].commands_end = &redis->links[i].commands;
        redis->links[i].replies_end = &redis->links[i].replies;
    }
}

bool sim_names_has(const struct sim_names *names, struct hg_slice name)
{
    for (size_t i = 0; i < names->count; i++)
        if (hg_slice_eq(names->items[i], name))
            return true;
    return false;
}

bool sim_redis_hears(const struct sim_redis *redis, struct hg_slice channel)
{
    return sim_names_has(&redis->channels, channel);
}

bool sim_redis_hears_glob(const struct sim_redis *redis, struct hg_slice glob)
{
    return sim_names_has(&redis->globs, glob);
}

struct sim_reply *sim_reply_new(uint64_t token)
{
    struct sim_reply *reply = calloc(1, sizeof *reply);

    HG_ASSERT(reply);
    reply->token = token;
    reply->root = sim_arena_get(&reply->arena, sizeof *reply->root);
    return reply;
}

static void reply_free(struct sim_reply *reply)
{
    sim_arena_clear(&reply->arena);
    free(reply);
}

static void drop_reply(struct sim_redis *redis, struct sim_reply *reply)
{
    if (reply->is_message)
        sim_oracle_message_lost(redis->env->oracle, reply->topic, reply->glob, reply->number);
    reply_free(reply);
}

void sim_reply_send(struct sim_redis *redis, uint32_t link, struct sim_reply *reply)
{
    struct sim_link *l = &redis->links[link];
    struct sim_env *env = redis->env;
    hg_time at = sim_soon(env, env->options.redis_us);

    if (l->half_open) {
        drop_reply(redis, reply);
        return;
    }

    if (at.us < l->way_back.us)
        at = l->way_back;
    l->way_back = at;
    reply->at = at;
    *l->replies_end = reply;
    l->replies_end = &reply->next;
    if (l->state == SIM_LINK_IS_UP)
        sim_agenda_put(&env->agenda, at, SIM_LINK_REPLY, link, l->generation);
}

static struct sim_reply *pop_reply(struct sim_link *l)
{
    struct sim_reply *reply = l->replies;

    if (reply) {
        l->replies = reply->next;
        if (!l->replies)
            l->replies_end = &l->replies;
    }
    return reply;
}

static struct sim_command *pop_command(struct sim_link *l)
{
    struct sim_command *command = l->commands;

    if (command) {
        l->commands = command->next;
        if (!l->commands)
            l->commands_end = &l->commands;
    }
    return command;
}

/* The connection is no more, on both sides; what is under way is gone. */
static void forget(struct sim_redis *redis, uint32_t link)
{
    struct sim_link *l = &redis->links[link];
    struct sim_reply *reply;
    struct sim_command *command;

    l->state = SIM_LINK_IS_CLOSED;
    l->generation++;
    l->deaf = false;
    free(l->blocked);
    l->blocked = NULL;
    while ((reply = pop_reply(l)))
        drop_reply(redis, reply);
    while ((command = pop_command(l)))
        free(command);
    l->half_open = false;
    if (link == HG_LINK_LISTENER) {
        redis->channels.count = 0;
        redis->globs.count = 0;
        sim_oracle_listener_lost(redis->env->oracle);
    }
}

void sim_redis_done(struct sim_redis *redis)
{
    struct sim_reply *reply;
    struct sim_command *command;

    for (uint32_t i = 0; i < SIM_LINKS; i++) {
        while ((reply = pop_reply(&redis->links[i])))
            reply_free(reply);
        while ((command = pop_command(&redis->links[i])))
            free(command);
        free(redis->links[i].blocked);
    }
    free(redis->channels.items);
    free(redis->globs.items);
    free(redis->scripts.items);
    free(redis->functions.items);
}

static struct sim_link *get(struct sim_redis *redis, uint32_t link)
{
    if (link >= SIM_LINKS)
        sim_violation(redis->env, "ports: link %" PRIu32 " of the simulator's %d", link, SIM_LINKS);
    return &redis->links[link];
}

void sim_redis_open(struct sim_redis *redis, uint32_t link)
{
    struct sim_link *l = get(redis, link);

    if (l->state != SIM_LINK_IS_CLOSED)
        sim_violation(redis->env, "ports: redis_open(%" PRIu32 ") of a link that is not closed", link);
    SIM_TRACE(redis->env, "core: opens link %" PRIu32, link);
    l->state = SIM_LINK_IS_OPENING;
    l->generation++;
    l->way_there = l->way_back = redis->env->now;
    sim_agenda_put(&redis->env->agenda, sim_soon(redis->env, redis->env->options.redis_us), SIM_LINK_OPENED, link,
                   l->generation);
}

void sim_redis_close(struct sim_redis *redis, uint32_t link)
{
    struct sim_env *env = redis->env;
    struct sim_link *l = get(redis, link);

    SIM_TRACE(env, "core: closes link %" PRIu32, link);
    if (l->state == SIM_LINK_IS_CLOSED)
        return;
    bool well = l->state == SIM_LINK_IS_UP && !l->half_open;
    if (well && link < HG_LINK_READER && sim_options_are_calm(&env->options))
        sim_violation(env, "ports: link %" PRIu32 " is closed, but nothing is wrong with it", link);
    if (l->half_open)
        sim_oracle_unheard(env->oracle, link == HG_LINK_LISTENER, l->topics);
    /* A reader that is not needed any more is no trouble. */
    if (!well || link < HG_LINK_READER || !sim_options_are_calm(&env->options))
        sim_oracle_trouble(env->oracle);
    forget(redis, link);
}

static bool word_is(struct hg_slice word, const char *text)
{
    return hg_slice_is(word, text);
}

/* The topics whose streams a command names. */
static uint32_t topics_of(struct sim_redis *redis, const struct hg_slice *argv, size_t argc)
{
    uint32_t topics = 0;

    for (size_t i = 0; i < argc; i++) {
        const struct sim_key *key = sim_store_find(redis->env->store, argv[i]);
        if (key)
            topics |= 1u << key->topic;
    }
    return topics;
}

/* The link that named them last reads them. */
static void follow_topics(struct sim_redis *redis, uint32_t link, uint32_t topics)
{
    for (uint32_t i = HG_LINK_READER; i < SIM_LINKS; i++)
        redis->links[i].topics &= ~topics;
    redis->links[link].topics = topics;
}

void sim_redis_command(struct sim_redis *redis, uint32_t link, uint64_t token, const struct hg_slice *argv, size_t argc)
{
    struct sim_env *env = redis->env;
    struct sim_link *l = get(redis, link);
    size_t bytes = 0;

    if (l->state != SIM_LINK_IS_UP && l->state != SIM_LINK_IS_DYING)
        sim_violation(env, "ports: a command on link %" PRIu32 ", which is not up", link);
    if (argc == 0)
        sim_violation(env, "ports: a command without words");
    if (sim_tracing) {
        char line[400];
        size_t len = 0;
        for (size_t i = 0; i < argc && len < sizeof line - 60; i++)
            len += (size_t)snprintf(line + len, sizeof line - len, " %.*s", (int)(argv[i].len < 40 ? argv[i].len : 40),
                                    argv[i].ptr ? argv[i].ptr : "");
        SIM_TRACE(env, "core: link %" PRIu32 " #%" PRIu64 ":%s%s", link, token, line,
                  l->state == SIM_LINK_IS_DYING ? " (into a dead link)"
                  : l->half_open                ? " (swallowed)"
                                                : "");
    }
    if (word_is(argv[0], "XREAD"))
        follow_topics(redis, link, topics_of(redis, argv, argc));
    if (l->state == SIM_LINK_IS_DYING || l->half_open)
        return;

    for (size_t i = 0; i < argc; i++)
        bytes += argv[i].len + 1;
    struct sim_command *command = malloc(sizeof *command + argc * sizeof *argv + bytes);
    HG_ASSERT(command);
    *command = (struct sim_command){.token = token, .argc = argc};
    char *text = (char *)&command->argv[argc];
    for (size_t i = 0; i < argc; i++) {
        if (argv[i].len)
            memcpy(text, argv[i].ptr, argv[i].len);
        text[argv[i].len] = '\0';
        command->argv[i] = hg_slice(text, argv[i].len);
        text += argv[i].len + 1;
    }
    command->arrives = sim_soon(env, env->options.redis_us);
    if (command->arrives.us < l->way_there.us)
        command->arrives = l->way_there;
    l->way_there = command->arrives;
    *l->commands_end = command;
    l->commands_end = &command->next;
    sim_agenda_put(&env->agenda, command->arrives, SIM_LINK_WORK, link, l->generation);
}

/* Executes what has arrived, unless a blocked read stands before it. */
static void work(struct sim_redis *redis, uint32_t link, hg_time until)
{
    struct sim_link *l = &redis->links[link];

    while (!l->blocked && l->commands && l->commands->arrives.us <= until.us) {
        struct sim_command *command = pop_command(l);

        command->next = NULL;
        if (sim_command_execute(redis, link, command)) {
            free(command);
        } else {
            l->blocked = command;
            if (l->blocked_until.us != UINT64_MAX)
                sim_agenda_put(&redis->env->agenda, l->blocked_until, SIM_LINK_UNBLOCK, link, l->generation);
        }
    }
}

static void unblock(struct sim_redis *redis, uint32_t link, bool with_nil)
{
    struct sim_link *l = &redis->links[link];
    struct sim_command *command = l->blocked;

    l->blocked = NULL;
    if (with_nil)
        sim_reply_send(redis, link, sim_reply_new(command->token));
    free(command);
    work(redis, link, redis->env->now);
}

bool sim_redis_unblock(struct sim_redis *redis, uint64_t client_id)
{
    for (uint32_t i = 0; i < SIM_LINKS; i++) {
        struct sim_link *l = &redis->links[i];
        if (l->state == SIM_LINK_IS_UP && l->client_id == client_id && l->blocked) {
            unblock(redis, i, true);
            return true;
        }
    }
    return false;
}

void sim_redis_appended(struct sim_redis *redis, struct sim_key *key)
{
    (void)key;
    for (uint32_t i = HG_LINK_READER; i < SIM_LINKS; i++) {
        struct sim_link *l = &redis->links[i];
        if (l->blocked && sim_command_retry(redis, i, l->blocked))
            unblock(redis, i, false);
    }
}

static void deliver(struct sim_redis *redis, uint32_t link)
{
    struct sim_env *env = redis->env;
    struct sim_reply *reply = pop_reply(&redis->links[link]);

    HG_ASSERT(reply);
    if (reply->is_message) {
        SIM_TRACE(env, "link 0: message %s #%" PRIu64 "%s%.*s", sim_topics[reply->topic].name, reply->number,
                  reply->glob.ptr ? " by " : "", HG_SLICE_ARG(reply->glob));
        sim_oracle_message_handed(env->oracle, reply->topic, reply->glob, reply->number);
    } else {
        SIM_TRACE(env, "link %" PRIu32 " #%" PRIu64 ": reply type %d, %zu items, integer %" PRId64 " %.*s", link,
                  reply->token, (int)reply->root->type, reply->root->count, reply->root->integer,
                  HG_SLICE_ARG(hg_slice_first(reply->root->text, 60)));
    }
    env->fed = true;
    hg_on_redis_reply(env->core, env->now, link, reply->token, reply->root);
    reply_free(reply);
}

void sim_redis_event(struct sim_redis *redis, const struct sim_event *event)
{
    struct sim_env *env = redis->env;

    if (event->kind == SIM_SERVER_BACK)
        return;
    struct sim_link *l = &redis->links[event->who];
    if (l->generation != event->generation)
        return;
    switch (event->kind) {
    case SIM_LINK_OPENED:
        env->fed = true;
        if (env->now.us < redis->down_until.us || (env->faults && env->options.kills && sim_chance(env, 10))) {
            SIM_TRACE(env, "link %" PRIu32 ": refused", event->who);
            sim_oracle_trouble(env->oracle);
            forget(redis, event->who);
            hg_on_redis_down(env->core, env->now, event->who, HG_LIT("connection refused"));
            return;
        }
        l->state = SIM_LINK_IS_UP;
        l->up_at = env->now;
        l->client_id = redis->next_client_id++;
        SIM_TRACE(env, "link %" PRIu32 ": up, client %" PRIu64, event->who, l->client_id);
        hg_on_redis_up(env->core, env->now, event->who, sim_chance(env, 5) ? 0 : l->client_id);
        return;
    case SIM_LINK_WORK:
        if (l->state == SIM_LINK_IS_UP)
            work(redis, event->who, env->now);
        return;
    case SIM_LINK_UNBLOCK:
        if (l->state == SIM_LINK_IS_UP && l->blocked && l->blocked_until.us <= env->now.us)
            unblock(redis, event->who, true);
        return;
    case SIM_LINK_REPLY:
        if (!l->deaf)
            deliver(redis, event->who);
        return;
    case SIM_LINK_DOWN:
        SIM_TRACE(env, "link %" PRIu32 ": down", event->who);
        env->fed = true;
        sim_oracle_trouble(env->oracle);
        forget(redis, event->who);
        hg_on_redis_down(env->core, env->now, event->who, HG_LIT("connection reset by peer"));
        return;
    default:
        HG_UNREACHABLE();
    }
}

static void push_message(struct sim_redis *redis, int topic, uint64_t number, struct hg_slice channel,
                         struct hg_slice glob, struct hg_slice bytes)
{
    struct sim_reply *reply = sim_reply_new(0);
    bool by_glob = glob.ptr != NULL;
    struct hg_reply *items = sim_arena_get(&reply->arena, 4 * sizeof *items);
    size_t n = 0;

    reply->is_message = true;
    reply->topic = topic;
    reply->number = number;
    reply->glob = glob;
    items[n++] = (struct hg_reply){.type = HG_REPLY_STRING, .text = by_glob ? HG_LIT("pmessage") : HG_LIT("message")};
    if (by_glob)
        items[n++] = (struct hg_reply){.type = HG_REPLY_STRING, .text = sim_arena_copy(&reply->arena, glob)};
    items[n++] = (struct hg_reply){.type = HG_REPLY_STRING, .text = sim_arena_copy(&reply->arena, channel)};
    items[n++] = (struct hg_reply){.type = HG_REPLY_STRING, .text = sim_arena_copy(&reply->arena, bytes)};
    *reply->root = (struct hg_reply){.type = HG_REPLY_ARRAY, .items = items, .count = n};
    sim_reply_send(redis, HG_LINK_LISTENER, reply);
}

void sim_redis_publish(struct sim_redis *redis, int topic)
{
    struct sim_env *env = redis->env;
    const struct sim_topic *t = &sim_topics[topic];
    uint64_t number = redis->published[topic]++;
    struct sim_payload payload = sim_payload_make(env, t->name, number, false);
    bool mapped = t->rule >= 0 && (size_t)t->rule < env->options.config.rule_count;
    struct hg_slice channel = sim_store_expand(env, mapped ? env->options.rules[t->rule].channel : "{topic}", t->name);

    SIM_TRACE(env, "redis: PUBLISH %.*s #%" PRIu64, HG_SLICE_ARG(channel), number);
    sim_oracle_published(env->oracle, topic, payload);
    if (sim_redis_hears(redis, channel))
        push_message(redis, topic, number, channel, HG_SLICE_NULL, payload.bytes);
    for (size_t i = 0; i < redis->globs.count; i++)
        if (sim_glob_match(redis->globs.items[i], channel))
            push_message(redis, topic, number, channel, redis->globs.items[i], payload.bytes);
}

void sim_redis_append(struct sim_redis *redis, int topic)
{
    struct sim_env *env = redis->env;
    struct sim_key *key = sim_store_key(env->store, topic);
    const struct hg_rule *rule = &env->options.rules[sim_topics[topic].rule];
    struct sim_payload payload = sim_payload_make(env, sim_topics[topic].name, key->count, true);
    struct hg_slice *fields = sim_arena_get(&env->arena, 8 * sizeof *fields);
    struct sim_entry entry = {.fields = fields, .payload = payload};

    entry.field_count = sim_payload_fields(env, &payload, rule->payload_field, fields);
    sim_store_append(env->store, key, entry);
    SIM_TRACE(env, "redis: XADD %.*s #%zu", HG_SLICE_ARG(key->name), key->count - 1);
    sim_redis_appended(redis, key);
}

void sim_redis_kill(struct sim_redis *redis, uint32_t link, bool executed, bool answered)
{
    struct sim_env *env = redis->env;
    struct sim_link *l = &redis->links[link];

    if (l->state != SIM_LINK_IS_UP)
        return;
    SIM_TRACE(env, "redis: link %" PRIu32 " dies, what was under way is %s and %s", link,
              executed ? "executed" : "lost", answered ? "answered" : "not answered");
    if (executed) {
        free(l->blocked);
        l->blocked = NULL;
        work(redis, link, HG_TIME_NEVER);
    }
    l->state = SIM_LINK_IS_DYING;
    l->deaf = !answered;
    hg_time at = sim_soon(env, 5000);
    if (answered && at.us <= l->way_back.us)
        at.us = l->way_back.us + 1;
    sim_agenda_put(&env->agenda, at, SIM_LINK_DOWN, link, l->generation);
}

void sim_redis_restart(struct sim_redis *redis, hg_dur away, hg_dur loading)
{
    struct sim_env *env = redis->env;

    SIM_TRACE(env, "redis: restarts");
    for (uint32_t i = 0; i < SIM_LINKS; i++) {
        bool executed = sim_chance(env, 50), answered = sim_chance(env, 50);
        sim_redis_kill(redis, i, executed, answered);
    }
    redis->scripts.count = 0;
    if (sim_chance(env, 30)) /* it kept them nowhere */
        redis->functions.count = 0;
    redis->down_until = hg_time_add(env->now, away);
    redis->loading_until = hg_time_add(redis->down_until, loading);
}

void sim_redis_half_open(struct sim_redis *redis, uint32_t link, bool executed)
{
    struct sim_env *env = redis->env;
    struct sim_link *l = &redis->links[link];
    struct sim_reply *reply;
    struct sim_command *command;

    if (l->state != SIM_LINK_IS_UP || l->half_open)
        return;
    SIM_TRACE(env, "redis: link %" PRIu32 " is half open, what was under way is %s", link,
              executed ? "executed" : "lost");
    free(l->blocked);
    l->blocked = NULL;
    if (executed)
        work(redis, link, HG_TIME_NEVER);
    free(l->blocked);
    l->blocked = NULL;
    l->generation++;
    l->half_open = true;
    l->half_open_since = env->now;
    while ((reply = pop_reply(l)))
        drop_reply(redis, reply);
    while ((command = pop_command(l)))
        free(command);
    sim_oracle_trouble(env->oracle);
}

void sim_redis_turn(const struct sim_redis *redis)
{
    const struct sim_options *o = &redis->env->options;
    /* A canary that was sent just before, and the next one; then what the loop takes. */
    uint64_t bound_us = 2 * o->config.canary_ms * 1000 + 4 * o->turn_us + 2 * o->redis_us + 5000;

    for (uint32_t i = 0; i < SIM_LINKS; i++) {
        const struct sim_link *l = &redis->links[i];
        if (l->state == SIM_LINK_IS_UP && l->half_open && redis->env->now.us - l->half_open_since.us > bound_us)
            sim_violation(redis->env, "canary: link %" PRIu32 " has been half open for %" PRIu64 " us", i,
                          redis->env->now.us - l->half_open_since.us);
    }
}

void sim_redis_fail_over(struct sim_redis *redis, hg_dur lost, hg_dur away)
{
    sim_redis_restart(redis, away, hg_us(0));
    SIM_TRACE(redis->env, "redis: fails over, the last %" PRIu64 " us are lost", lost.us);
    sim_store_lose_tail(redis->env->store, (hg_time){redis->env->now.us > lost.us ? redis->env->now.us - lost.us : 0});
}

void sim_redis_flush_scripts(struct sim_redis *redis)
{
    SIM_TRACE(redis->env, "redis: scripts are flushed");
    redis->scripts.count = 0;
    redis->functions.count = 0;
}

void sim_redis_spike(struct sim_redis *redis, uint32_t link, hg_dur delay)
{
    struct sim_link *l = &redis->links[link];

    if (l->state != SIM_LINK_IS_UP)
        return;
    SIM_TRACE(redis->env, "redis: link %" PRIu32 " is slow by %" PRIu64 " us", link, delay.us);
    hg_time *way = sim_chance(redis->env, 50) ? &l->way_there : &l->way_back;
    if (way->us < redis->env->now.us)
        *way = redis->env->now;
    *way = hg_time_add(*way, delay);
}

void sim_redis_odd_push(struct sim_redis *redis)
{
    static const char *const words[] = {"sunsubscribe", "message", "pong", "subscribe", "", "tracking-redir-broken"};

    if (redis->links[HG_LINK_LISTENER].state != SIM_LINK_IS_UP)
        return;
    struct sim_reply *reply = sim_reply_new(0);
    size_t count = sim_below(redis->env, 4);
    struct hg_reply *items = sim_arena_get(&reply->arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        if (sim_chance(redis->env, 80))
            items[i] =
                (struct hg_reply){.type = HG_REPLY_STRING,
                                  .text = hg_slice_str(words[sim_below(redis->env, sizeof words / sizeof *words)])};
    *reply->root = (struct hg_reply){.type = HG_REPLY_ARRAY, .items = items, .count = count};
    sim_reply_send(redis, HG_LINK_LISTENER, reply);
}
