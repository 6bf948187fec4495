#include "sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/client.h"
#include "sim/oracle.h"
#include "sim/redis.h"
#include "sim/store.h"

#define TURNS_WITHOUT_EVENT_MAX 20000

struct sim_world {
    struct sim_env env;
    struct sim_store store;
    struct sim_redis redis;
    struct sim_clients clients;
    struct sim_oracle oracle;
    jmp_buf on_violation;
    uint64_t idle_turns;
    hg_time busy_until; /* turns are told to be long */
};

/* ---- ports ------------------------------------------------------------------------------------------------------- */

static enum hg_send ws_send(void *context, hg_session_ref session, struct hg_slice frames)
{
    return sim_client_send(&((struct sim_world *)context)->clients, session, frames);
}

static void ws_close(void *context, hg_session_ref session, uint16_t code, struct hg_slice reason)
{
    sim_client_close(&((struct sim_world *)context)->clients, session, code, reason);
}

static void ws_pause(void *context, hg_session_ref session, bool paused)
{
    sim_client_pause(&((struct sim_world *)context)->clients, session, paused);
}

static void redis_open(void *context, uint32_t link)
{
    sim_redis_open(&((struct sim_world *)context)->redis, link);
}

static void redis_close(void *context, uint32_t link)
{
    sim_redis_close(&((struct sim_world *)context)->redis, link);
}

static void redis_command(void *context, uint32_t link, uint64_t token, const struct hg_slice *argv, size_t argc)
{
    sim_redis_command(&((struct sim_world *)context)->redis, link, token, argv, argc);
}

static void log_line(void *context, enum hg_log_level level, struct hg_slice line)
{
    struct sim_world *world = context;

    (void)level;
    SIM_TRACE(&world->env, "core: log: %.*s", HG_SLICE_ARG(line));
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

static void dispatch(struct sim_world *world, const struct sim_event *event)
{
    if (event->kind <= SIM_LINK_DOWN)
        sim_redis_event(&world->redis, event);
    else
        sim_client_event(&world->clients, event);
    if (world->env.options.validate && world->env.fed)
        hg_core_validate(world->env.core);
}

/* Now and then turns are told to have been long, until all heals. */
static void feed_load(struct sim_world *world)
{
    struct sim_env *env = &world->env;

    if (!env->options.overloads)
        return;
    if (env->faults && sim_below(env, 300) == 0)
        world->busy_until = hg_time_add(env->now, hg_ms(sim_below(env, 2000)));
    bool busy = env->faults && hg_time_before(env->now, world->busy_until);
    hg_on_load(env->core, env->now, busy ? hg_ms(400) : hg_us(10), 1000, 900);
}

static void turn(struct sim_world *world)
{
    struct sim_env *env = &world->env;

    env->fed = false;
    while (sim_agenda_next(&env->agenda).us <= env->now.us) {
        struct sim_event event = sim_agenda_pop(&env->agenda);
        dispatch(world, &event);
    }
    if (env->fed)
        world->idle_turns = 0;
    else if (hg_core_next_deadline(env->core).us > env->now.us)
        return;
    else if (++world->idle_turns > TURNS_WITHOUT_EVENT_MAX)
        sim_violation(env, "turns: the core asks for one after the other, and nothing happens");
    feed_load(world);
    hg_core_turn_end(env->core, env->now);
    if (env->options.validate)
        hg_core_validate(env->core);
    sim_oracle_turn(&world->oracle);
    sim_redis_turn(&world->redis);
}

static void run_until(struct sim_world *world, hg_time end)
{
    struct sim_env *env = &world->env;

    for (;;) {
        hg_time next = hg_time_min(sim_agenda_next(&env->agenda), hg_core_next_deadline(env->core));

        if (next.us <= env->now.us)
            next.us = env->now.us + 1;
        if (env->options.turn_us > 1)
            next = hg_time_add(next, hg_us(sim_below(env, env->options.turn_us)));
        if (next.us > end.us) {
            if (env->now.us < end.us)
                env->now = end;
            return;
        }
        env->now = next;
        turn(world);
    }
}

static void run_for(struct sim_world *world, hg_dur span)
{
    run_until(world, hg_time_add(world->env.now, span));
}

/* ---- beginning and end ------------------------------------------------------------------------------------------- */

struct sim_world *sim_world_new(uint64_t seed)
{
    struct sim_world *world = calloc(1, sizeof *world);

    HG_ASSERT(world);
    struct sim_env *env = &world->env;
    hg_prng_init(&env->prng, seed);
    env->now = hg_time_add((hg_time){0}, hg_ms(1000 + sim_below(env, 100000)));
    env->faults = true;
    env->on_violation = &world->on_violation;
    env->store = &world->store;
    env->redis = &world->redis;
    env->clients = &world->clients;
    env->oracle = &world->oracle;
    sim_options_init(&env->options, &env->prng);
    sim_store_init(&world->store, env);
    sim_redis_init(&world->redis, env);
    sim_clients_init(&world->clients, env);
    sim_oracle_init(&world->oracle, env);

    const struct hg_ports ports = {
        .context = world,
        .ws_send = ws_send,
        .ws_close = ws_close,
        .ws_pause = ws_pause,
        .redis_open = redis_open,
        .redis_close = redis_close,
        .redis_command = redis_command,
        .log = log_line,
    };
    if (!hg_ok(hg_core_new(&env->options.config, &ports, hg_prng_next(&env->prng), &env->core)))
        HG_UNREACHABLE();
    if (setjmp(world->on_violation))
        return world;
    for (size_t i = 0; i < sim_topic_count; i++)
        for (uint64_t n = sim_topics[i].there ? 1 + sim_below(env, 12) : 0; n > 0; n--)
            sim_redis_append(&world->redis, (int)i);
    env->started = env->now;
    hg_core_start(env->core, env->now);
    hg_core_turn_end(env->core, env->now);
    for (uint64_t n = 1 + sim_below(env, env->options.clients_max); n > 0; n--)
        sim_client_connect(&world->clients);
    return world;
}

void sim_world_free(struct sim_world *world)
{
    if (world->env.violation[0] == '\0')
        hg_core_free(world->env.core);
    sim_oracle_done(&world->oracle);
    sim_clients_done(&world->clients);
    sim_redis_done(&world->redis);
    sim_store_done(&world->store);
    sim_agenda_done(&world->env.agenda);
    sim_arena_clear(&world->env.arena);
    free(world);
}

const struct sim_options *sim_world_options(const struct sim_world *world)
{
    return &world->env.options;
}

const char *sim_world_violation(const struct sim_world *world)
{
    return world->env.violation;
}

void sim_world_sums(const struct sim_world *world, struct sim_sums *sums)
{
    sums->events += world->oracle.events_seen;
    sums->gaps += world->oracle.gaps_seen;
    sums->orders += world->clients.order_count;
    for (size_t i = 0; i < world->store.key_count; i++)
        sums->entries += world->store.keys[i].count;
    for (size_t i = 0; i < sim_topic_count; i++)
        sums->messages += world->redis.published[i];
}

/* How long nothing may come although something is due: past the longest backoff and blocking read; when nothing ever
 * failed, only past a slow pass over all keys. Where a reader cannot be unblocked its first blocking read may end by
 * itself. */
static uint64_t patience_ms(const struct sim_world *world)
{
    const struct sim_options *o = &world->env.options;
    bool slow = o->stalls || o->mutes || o->socket_bytes < 100000 || o->unblock_denied;

    return sim_options_are_calm(o) && !slow ? 4000 : 20000;
}

static void play_on(struct sim_world *world);

/* Waits until the oracle has no wish left; then insists. */
static void settle(struct sim_world *world)
{
    uint64_t limit = patience_ms(world), idle = 0, seen = 0;

    while (idle < limit && !sim_oracle_is_settled(&world->oracle)) {
        play_on(world);
        run_for(world, hg_ms(100));
        uint64_t sees = world->oracle.events_seen + world->oracle.gaps_seen;
        bool reads = sees != seen;
        for (size_t i = 0; i < SIM_CLIENTS; i++)
            reads = reads || (world->clients.items[i].full && world->clients.items[i].state == SIM_CLIENT_OPEN);
        idle = reads ? 0 : idle + 100;
        seen = sees;
    }
    sim_oracle_settled(&world->oracle);
}

/* A newcomer is served as if nothing had happened. */
static void probe(struct sim_world *world)
{
    struct sim_env *env = &world->env;
    struct sim_order *orders[3];

    if (env->options.tight)
        return;
    /* The last slow answer and the longest backoff have passed then, and a breaker lets somebody try. */
    run_for(world, hg_ms(4000 + env->options.config.breaker_open_max_ms));
    struct sim_client *client = sim_client_connect(&world->clients);
    if (!client)
        return;
    uint64_t number = client->number;
    int stream = sim_topic_find(HG_LIT("st.a")), channel = sim_topic_find(HG_LIT("ch.a"));
    orders[0] = sim_order_subscribe(&world->clients, "st.a", 2);
    orders[1] = sim_order_subscribe(&world->clients, "ch.a", 0);
    orders[2] = sim_order_emit(&world->clients, stream, 1, 3);
    for (int i = 0; i < 3; i++)
        sim_client_say(&world->clients, client, orders[i]);
    settle(world);
    for (int i = 0; i < 3; i++)
        if (!orders[i]->answered_ok && (i < 2 || orders[i]->event.len <= env->options.config.event_bytes_max) &&
            client->number == number && client->state == SIM_CLIENT_OPEN)
            sim_violation(env, "probe: all is well, but order %" PRIu64 " of a new client is not granted",
                          orders[i]->number);
    sim_redis_publish(&world->redis, channel);
    sim_redis_append(&world->redis, stream);
    run_for(world, hg_ms(50));
    settle(world);
}

static void everybody_leaves(struct sim_world *world)
{
    struct sim_env *env = &world->env;
    struct hg_core_stats stats;

    if (env->options.shutdown) {
        SIM_TRACE(env, "shutdown");
        hg_core_shutdown(env->core, env->now);
        hg_core_turn_end(env->core, env->now);
        sim_client_connect(&world->clients);
    } else {
        for (size_t i = 0; i < SIM_CLIENTS; i++)
            sim_client_leave(&world->clients.items[i], env);
    }
    for (uint64_t waited = 0; waited < 20000; waited += 100) {
        run_for(world, hg_ms(100));
        hg_core_stats(env->core, &stats);
        if (stats.sessions == 0 && stats.topics == 0 && stats.groups == 0 && stats.emits_pending == 0 &&
            world->redis.channels.count + world->redis.globs.count == 0)
            break;
    }
    if (env->options.shutdown && !hg_core_is_drained(env->core))
        sim_violation(env, "shutdown: the core is not drained");
    sim_oracle_empty(&world->oracle);
    for (size_t i = 0; i < SIM_CLIENTS; i++)
        if (world->clients.items[i].state == SIM_CLIENT_OPEN)
            sim_violation(env, "shutdown: a client is still there");
}

bool sim_world_finish(struct sim_world *world)
{
    struct sim_env *env = &world->env;

    if (env->violation[0])
        return false;
    if (setjmp(world->on_violation))
        return false;
    SIM_TRACE(env, "all heals");
    env->faults = false;
    world->redis.down_until = world->redis.loading_until = env->now;
    for (size_t i = 0; i < SIM_CLIENTS; i++) {
        sim_client_stall(&world->clients.items[i], env, false);
        sim_client_mute(&world->clients.items[i], env, false);
    }
    settle(world);
    probe(world);
    everybody_leaves(world);
    return true;
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

static struct sim_client *choose_client(struct sim_world *world, uint32_t chance)
{
    struct sim_client *there[SIM_CLIENTS];
    size_t count = 0;

    for (size_t i = 0; i < SIM_CLIENTS; i++)
        if (world->clients.items[i].state != SIM_CLIENT_FREE && !world->clients.items[i].leaving)
            there[count++] = &world->clients.items[i];
    return count ? there[chance % count] : NULL;
}

static const char *choose_pattern(const struct sim_world *world, uint32_t chance)
{
    size_t exact = 0;

    while (exact < sim_pattern_count && !strchr(sim_patterns[exact], '*'))
        exact++;
    /* Few topics get most subscriptions: what is shared is where it gets interesting. */
    if (chance % 2 == 0)
        return sim_patterns[chance / 2 % 3];
    return sim_patterns[chance / 2 % (world->env.options.patterns ? sim_pattern_count : exact)];
}

static int choose_topic(uint32_t chance, bool (*fits)(const struct sim_topic *topic))
{
    int fitting[SIM_TOPICS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < sim_topic_count; i++)
        if (fits(&sim_topics[i]))
            fitting[count++] = (int)i;
    return fitting[chance % count];
}

static bool is_stream(const struct sim_topic *topic)
{
    return topic->kind == SIM_TOPIC_STREAM;
}

static bool is_channel(const struct sim_topic *topic)
{
    return topic->kind == SIM_TOPIC_CHANNEL;
}

static bool is_any(const struct sim_topic *topic)
{
    (void)topic;
    return true;
}

static void publish(struct sim_world *world, struct sim_op op)
{
    struct sim_env *env = &world->env;
    int topic = choose_topic(op.a, op.b % 16 == 0 ? is_any : is_channel);

    if (env->options.catch_all && sim_topics[topic].kind == SIM_TOPIC_WRONG)
        return;
    /* Under an "auto" rule the channel of a topic that is a stream is neither forbidden nor promised. */
    if (sim_topics[topic].rule == 3 && (sim_topics[topic].kind != SIM_TOPIC_CHANNEL || sim_is_converted(env, topic)))
        return;
    for (uint64_t n = 1 + op.b / 16 % env->options.burst_max; n > 0; n--)
        sim_redis_publish(&world->redis, topic);
}

static void append(struct sim_world *world, struct sim_op op)
{
    int topic = choose_topic(op.a, is_stream);

    for (uint64_t n = 1 + op.b % world->env.options.burst_max; n > 0; n--)
        sim_redis_append(&world->redis, topic);
}

/* A time around one of which something is known. */
static uint64_t choose_time(struct sim_world *world, uint32_t chance)
{
    const struct sim_key *key = sim_store_key(&world->store, choose_topic(chance, is_stream));

    if (key->count == 0)
        return world->store.wall_ms;
    return key->entries[chance / 16 % key->count].id.ms + chance / 8 % 2;
}

/* As another gateway told them, which has read all that is there, often a moment before this one; of the history that
 * this one knows. */
static void go_ahead(struct sim_world *world, struct sim_cursor *cursors)
{
    for (size_t t = 0; t < sim_topic_count; t++) {
        const struct sim_key *key = sim_store_key(&world->store, (int)t);
        if (!cursors[t].given || !key || key->log_count == 0)
            continue;
        const struct sim_fence *fence = key->fence_count > 0 ? &key->fences[key->fence_count - 1] : NULL;
        if (fence && (cursors[t].index == SIZE_MAX || cursors[t].index < fence->index))
            continue;
        if (sim_chance(&world->env, 50))
            sim_redis_append(&world->redis, (int)t);
        size_t index = key->log[key->log_count - 1];
        const struct sim_entry *entry = &key->entries[index];
        cursors[t] = (struct sim_cursor){true, true, false, entry->id, entry->fingerprint, index};
    }
}

/* Lets the subscribe or seek begin where one was before; false: none was. */
static bool resume(struct sim_world *world, struct sim_order *order, const struct sim_track *track, uint32_t chance)
{
    const struct sim_memory *memory = sim_oracle_memory(&world->oracle, chance / 8);
    struct sim_cursor cursors[SIM_TOPICS_MAX] = {{0}};
    bool any = false, ahead = world->env.options.elsewhere && chance / 32 % 2 == 0;

    if (world->env.options.plays && chance / 4 % 3 == 0)
        order->speed = 10 + chance / 16 % 300;
    if (chance % 8 == 0) {
        sim_order_since(order, choose_time(world, chance / 8));
        return true;
    }
    if (track) {
        for (size_t t = 0; t < sim_topic_count; t++)
            cursors[t] = track->places[t].held.forged ? (struct sim_cursor){0} : track->places[t].held;
        if (ahead)
            go_ahead(world, cursors);
        sim_order_resume(&world->clients, order, cursors, track->since_ms, chance / 64);
    } else if (memory) {
        order->pattern = memory->pattern;
        order->filter = memory->filter;
        order->filter_text = memory->filter ? sim_filter_spelling(memory->filter, chance / 8) : NULL;
        memcpy(cursors, memory->cursors, sizeof cursors);
        if (ahead)
            go_ahead(world, cursors);
        sim_order_resume(&world->clients, order, cursors, memory->since_ms, chance / 64);
    }
    for (size_t t = 0; (track || memory) && t < sim_topic_count; t++)
        any = any || order->cursors[t].given;
    if (!any)
        order->from = HG_FROM_LIVE;
    return any;
}

static void subscribe(struct sim_world *world, struct sim_op op, struct sim_client *client, bool anew)
{
    bool resumes = world->env.options.resumes;

    const struct sim_track *track = sim_oracle_pick(&world->oracle, client->number, op.b);

    if (!anew) {
        struct sim_order *order = sim_order_subscribe(&world->clients, choose_pattern(world, op.b), op.a >> 8);
        if (resumes && op.b % 8 < 5)
            resume(world, order, NULL, op.a / 8);
        if (world->env.options.filters && op.a / 8 % 4 != 0 && (order->from != HG_FROM_CURSORS || op.b % 3 == 0))
            sim_order_filter(order, (uint32_t)sim_below(&world->env, 1u << 20));
        if (world->env.options.paces && sim_pace_is_for(order->pattern) && op.a / 32 % 3 != 0)
            order->pace = &sim_paces[op.a / 96 % sim_pace_count];
        sim_client_say(&world->clients, client, order);
    } else if (track) {
        struct sim_order *first = sim_order_unsubscribe(&world->clients, track->sub);
        first->next = sim_order_subscribe(&world->clients, track->pattern, op.a >> 8);
        first->next->filter = track->filter;
        first->next->pace = track->pace;
        if (track->filter)
            first->next->filter_text = sim_filter_spelling(track->filter, op.a / 8);
        if (resumes && op.b % 8 < 6)
            resume(world, first->next, track, op.a / 8);
        if (op.b % 4 == 0)
            first->next->next = sim_order_ping(&world->clients);
        sim_client_say(&world->clients, client, first);
    }
}

static void play(struct sim_world *world, struct sim_op op, struct sim_client *client)
{
    struct sim_clients *clients = &world->clients;
    const struct sim_track *track = sim_oracle_pick(&world->oracle, client->number, op.b);
    int topic = track && track->exact ? sim_topic_find(hg_slice_str(track->pattern)) : -1;

    if (!track || track->pace)
        return;
    if (op.a / 8 % 4 == 0 && topic >= 0 && sim_topics[topic].kind == SIM_TOPIC_STREAM && sim_topics[topic].rule != 3) {
        struct sim_order *like = sim_order_play(clients, SIM_ORDER_SEEK, track->sub);
        sim_order_from(like, op.a / 32);
        if (op.a / 32 % 2 == 0)
            resume(world, like, track, op.a / 64);
        sim_client_say(clients, client, like);
        return;
    }
    struct sim_order *order = sim_order_play(clients, track->paused ? SIM_ORDER_RESUME : SIM_ORDER_PAUSE, track->sub);
    if (order->kind == SIM_ORDER_RESUME && op.a / 32 % 2 == 0)
        order->speed = 10 + op.a / 64 % 100;
    sim_client_say(clients, client, order);
}

/* Everybody wants to hear again. */
static void play_on(struct sim_world *world)
{
    for (size_t i = 0; i < world->oracle.track_count; i++) {
        struct sim_track *track = world->oracle.tracks[i];
        for (size_t c = 0; track->paused && c < SIM_CLIENTS; c++) {
            struct sim_client *client = &world->clients.items[c];
            if (client->number == track->client && client->state == SIM_CLIENT_OPEN)
                sim_client_say(&world->clients, client, sim_order_play(&world->clients, SIM_ORDER_RESUME, track->sub));
        }
    }
}

static void trim(struct sim_world *world, struct sim_op op)
{
    struct sim_key *key = sim_store_key(&world->store, choose_topic(op.a, is_stream));

    if (world->env.options.trims)
        sim_store_trim(&world->store, key, op.b % 6);
}

/* DEL of one stream, FLUSHALL, or XDEL of one entry. */
static void delete (struct sim_world *world, struct sim_op op)
{
    struct sim_store *store = &world->store;
    struct sim_key *key = sim_store_key(store, choose_topic(op.a, is_stream));

    if (op.b % 8 == 0)
        sim_store_flush(store);
    else if (op.b % 8 < 5 && sim_topics[key->topic].rule != 3)
        sim_store_delete_key(store, key);
    else if (key->log_count > 0)
        sim_store_delete(store, key, op.b / 8 % 3 == 0 ? key->log_count - 1 : op.b / 32 % key->log_count);
}

static void client_op(struct sim_world *world, struct sim_op op)
{
    struct sim_env *env = &world->env;
    struct sim_client *client = choose_client(world, op.a);

    if (!client) {
        sim_client_connect(&world->clients);
        return;
    }
    switch (op.kind) {
    case SIM_OP_LEAVE:
        sim_client_leave(client, env);
        return;
    case SIM_OP_SUBSCRIBE:
        subscribe(world, op, client, false);
        return;
    case SIM_OP_RESUBSCRIBE:
        subscribe(world, op, client, true);
        return;
    case SIM_OP_UNSUBSCRIBE: {
        const struct sim_track *track = sim_oracle_pick(&world->oracle, client->number, op.b);
        if (track)
            sim_client_say(&world->clients, client, sim_order_unsubscribe(&world->clients, track->sub));
        return;
    }
    case SIM_OP_PLAY:
        play(world, op, client);
        return;
    case SIM_OP_UPDATE: {
        const struct sim_track *track = sim_oracle_pick(&world->oracle, client->number, op.b);
        if (!track || track->pace)
            return;
        struct sim_order *order = sim_order_update(&world->clients, track->sub, op.a / 8);
        if (op.b % 16 == 1)
            order->next = sim_order_update(&world->clients, track->sub, op.a / 64);
        if (op.b % 16 == 2)
            order->next = sim_order_unsubscribe(&world->clients, track->sub);
        if (op.b % 16 == 3)
            sim_redis_publish(&world->redis, choose_topic(op.a, is_channel));
        sim_client_say(&world->clients, client, order);
        return;
    }
    case SIM_OP_EMIT: {
        int topic = choose_topic(op.b, op.a % 16 == 3 ? is_any : is_stream);
        struct sim_order *order = sim_order_emit(&world->clients, topic, op.a / 16, op.b / 16);
        if (op.b % 5 == 0)
            order->next = sim_order_emit(&world->clients, topic, op.b / 32, op.a / 8);
        sim_client_say(&world->clients, client, order);
        return;
    }
    case SIM_OP_PING:
        sim_client_say(&world->clients, client, sim_order_ping(&world->clients));
        return;
    case SIM_OP_GARBAGE:
        sim_client_garbage(&world->clients, client, op.b);
        return;
    case SIM_OP_STALL:
        sim_client_stall(client, env, op.b % 3 != 0);
        return;
    case SIM_OP_MUTE:
        sim_client_mute(client, env, op.b % 3 != 0);
        return;
    default:
        HG_UNREACHABLE();
    }
}

/* One of those that this world has: listener, commander, replay, and two that read. */
static uint32_t choose_link(uint32_t chance)
{
    uint32_t link = chance % 5;
    return link <= HG_LINK_REPLAY ? link : HG_LINK_READER + link - HG_LINK_REPLAY - 1;
}

static void apply(struct sim_world *world, struct sim_op op)
{
    struct sim_env *env = &world->env;
    size_t there = 0;

    switch (op.kind) {
    case SIM_OP_WAIT:
        run_for(world, hg_us(op.a % (10 * env->options.tempo_us + 1)));
        return;
    case SIM_OP_CONNECT:
        for (size_t i = 0; i < SIM_CLIENTS; i++)
            there += world->clients.items[i].state != SIM_CLIENT_FREE;
        if (there < env->options.clients_max)
            sim_client_connect(&world->clients);
        return;
    case SIM_OP_PUBLISH:
        publish(world, op);
        return;
    case SIM_OP_APPEND:
        append(world, op);
        return;
    case SIM_OP_KILL:
        sim_redis_kill(&world->redis, op.b % 3 == 0 ? choose_link(op.a) : op.a % 2, op.b % 4 < 2, op.b % 2 == 0);
        return;
    case SIM_OP_RESTART:
        if (op.b % 4 == 0)
            sim_redis_flush_scripts(&world->redis);
        else
            sim_redis_restart(&world->redis, hg_ms(op.a % 300), hg_ms(op.b % 3 == 0 ? op.b % 200 : 0));
        return;
    case SIM_OP_SPIKE:
        sim_redis_spike(&world->redis, choose_link(op.a), hg_ms(op.b % 1500));
        return;
    case SIM_OP_ODD_PUSH:
        sim_redis_odd_push(&world->redis);
        return;
    case SIM_OP_TRIM:
        trim(world, op);
        return;
    case SIM_OP_FAILOVER:
        sim_redis_fail_over(&world->redis, hg_us(op.a % (4 * env->options.tempo_us)), hg_ms(op.b % 100));
        return;
    case SIM_OP_HALF_OPEN:
        sim_redis_half_open(&world->redis, choose_link(op.a), op.b % 2 == 0);
        return;
    case SIM_OP_DELETE:
        delete (world, op);
        return;
    case SIM_OP_CLOCK_BACK:
        world->store.wall_ms -= op.a % 300;
        SIM_TRACE(env, "redis: its clock goes back by %" PRIu32 " ms", op.a % 300);
        return;
    default:
        client_op(world, op);
        return;
    }
}

/* How often each is chosen; 0: not in this world. */
static uint64_t weight(const struct sim_options *o, enum sim_op_kind kind)
{
    const uint64_t weights[SIM_OP__COUNT] = {
        [SIM_OP_WAIT] = 4,
        [SIM_OP_CONNECT] = 4,
        [SIM_OP_LEAVE] = o->leaves ? 3 : 0,
        [SIM_OP_SUBSCRIBE] = 16,
        [SIM_OP_UNSUBSCRIBE] = 4,
        [SIM_OP_RESUBSCRIBE] = 3,
        [SIM_OP_EMIT] = o->emits ? 14 : 0,
        [SIM_OP_PING] = 1,
        [SIM_OP_GARBAGE] = o->garbage ? 3 : 0,
        [SIM_OP_PUBLISH] = 20,
        [SIM_OP_APPEND] = 20,
        [SIM_OP_STALL] = o->stalls ? 5 : 0,
        [SIM_OP_MUTE] = o->mutes ? 3 : 0,
        [SIM_OP_KILL] = o->kills ? 4 : 0,
        [SIM_OP_RESTART] = o->restarts ? 1 : 0,
        [SIM_OP_SPIKE] = o->spikes ? 2 : 0,
        [SIM_OP_ODD_PUSH] = o->odd_chance ? 1 : 0,
        [SIM_OP_TRIM] = o->trims ? 5 : 0,
        [SIM_OP_FAILOVER] = o->failovers ? 2 : 0,
        [SIM_OP_DELETE] = o->deletions ? 3 : 0,
        [SIM_OP_CLOCK_BACK] = o->clock_back ? 1 : 0,
        [SIM_OP_PLAY] = o->plays ? 8 : 0,
        [SIM_OP_HALF_OPEN] = o->half_opens ? 2 : 0,
        [SIM_OP_UPDATE] = o->filters ? 6 : 0,
    };
    return weights[kind];
}

bool sim_world_apply(struct sim_world *world, struct sim_op op)
{
    struct sim_env *env = &world->env;

    if (env->violation[0])
        return false;
    if (weight(&env->options, op.kind) == 0)
        return true;
    if (setjmp(world->on_violation))
        return false;
    apply(world, op);
    run_until(world, sim_soon(env, env->options.tempo_us));
    return true;
}

struct sim_op sim_op_random(struct sim_world *world)
{
    struct sim_env *env = &world->env;
    uint64_t sum = 0;

    for (int i = 0; i < SIM_OP__COUNT; i++)
        sum += weight(&env->options, (enum sim_op_kind)i);
    uint64_t chosen = sim_below(env, sum);
    int kind = 0;
    while (chosen >= weight(&env->options, (enum sim_op_kind)kind))
        chosen -= weight(&env->options, (enum sim_op_kind)kind++);
    struct sim_op op = {.kind = (enum sim_op_kind)kind};
    op.a = (uint32_t)hg_prng_next(&env->prng);
    op.b = (uint32_t)hg_prng_next(&env->prng);
    return op;
}

bool sim_world_run(uint64_t seed, struct sim_sums *sums, char *reterr_text, size_t size)
{
    struct sim_world *world = sim_world_new(seed);
    bool good = world->env.violation[0] == '\0';

    for (uint64_t i = 0; good && i < world->env.options.operations; i++)
        good = sim_world_apply(world, sim_op_random(world));
    good = good && sim_world_finish(world);
    if (!good)
        snprintf(reterr_text, size, "%s", world->env.violation);
    sim_world_sums(world, sums);
    sim_world_free(world);
    return good;
}
