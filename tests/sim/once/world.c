#include "sim/once/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#define TURNS_WITHOUT_EVENT_MAX 20000

/* ---- ports ------------------------------------------------------------------------------------------------------- */

static struct once_world *world_of(void *context)
{
    return ((struct once_gateway *)context)->world;
}

static uint32_t number_of(const void *context)
{
    const struct once_gateway *gateway = context;
    return (uint32_t)(gateway - gateway->world->gateways);
}

static enum hg_send ws_send(void *context, hg_session_ref session, struct hg_slice frames)
{
    return once_client_send(world_of(context), number_of(context), session, frames);
}

static void ws_close(void *context, hg_session_ref session, uint16_t code, struct hg_slice reason)
{
    once_client_close(world_of(context), number_of(context), session, code, reason);
}

static void ws_pause(void *context, hg_session_ref session, bool paused)
{
    once_client_pause(world_of(context), number_of(context), session, paused);
}

static void redis_open(void *context, uint32_t link)
{
    once_link_open(world_of(context), number_of(context), link);
}

static void redis_close(void *context, uint32_t link)
{
    once_link_close(world_of(context), number_of(context), link);
}

static void redis_command(void *context, uint32_t link, uint64_t token, const struct hg_slice *argv, size_t argc)
{
    once_link_command(world_of(context), number_of(context), link, token, argv, argc);
}

static void log_line(void *context, enum hg_log_level level, struct hg_slice line)
{
    (void)level;
    SIM_TRACE(&world_of(context)->env, "gateway %" PRIu32 ": log: %.*s", number_of(context), HG_SLICE_ARG(line));
}

/* ---- gateways ---------------------------------------------------------------------------------------------------- */

static void start(struct once_world *world, struct once_gateway *gateway)
{
    struct sim_env *env = &world->env;
    const struct hg_ports ports = {
        .context = gateway,
        .ws_send = ws_send,
        .ws_close = ws_close,
        .ws_pause = ws_pause,
        .redis_open = redis_open,
        .redis_close = redis_close,
        .redis_command = redis_command,
        .log = log_line,
    };

    gateway->world = world;
    if (!hg_ok(hg_core_new(&world->options.config, &ports, hg_prng_next(&env->prng), &gateway->core)))
        HG_UNREACHABLE();
    SIM_TRACE(env, "gateway %" PRIu32 ": starts", number_of(gateway));
    hg_core_start(gateway->core, env->now);
    hg_core_turn_end(gateway->core, env->now);
}

/* Its process is gone from one moment to the next: nothing is said to anybody. */
static void crash(struct once_world *world, struct once_gateway *gateway, hg_dur away)
{
    uint32_t number = number_of(gateway);

    if (!gateway->core)
        return;
    SIM_TRACE(&world->env, "gateway %" PRIu32 ": crashes", number);
    hg_core_free(gateway->core);
    gateway->core = NULL;
    gateway->fed = false;
    for (size_t i = 0; i < ONCE_LINKS; i++)
        once_link_abandon(world, &world->links[number * ONCE_LINKS + i], (enum once_fate)sim_below(&world->env, 3));
    once_clients_cut(world, number);
    sim_agenda_put(&world->env.agenda, hg_time_add(world->env.now, away), SIM_GATEWAY_BACK, number, 0);
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

static void dispatch(struct once_world *world, const struct sim_event *event)
{
    if (event->kind == SIM_GATEWAY_BACK) {
        if (!world->gateways[event->who].core)
            start(world, &world->gateways[event->who]);
    } else if (event->kind <= SIM_LINK_DOWN || event->kind == SIM_STRAY_WORK) {
        once_link_event(world, event);
    } else {
        once_client_event(world, event);
    }
}

static void gateway_turn(struct once_world *world, struct once_gateway *gateway)
{
    struct sim_env *env = &world->env;

    if (!gateway->core)
        return;
    if (gateway->fed)
        gateway->idle_turns = 0;
    else if (hg_core_next_deadline(gateway->core).us > env->now.us)
        return;
    else if (++gateway->idle_turns > TURNS_WITHOUT_EVENT_MAX)
        sim_violation(env, "turns: the core asks for one after the other, and nothing happens");
    gateway->fed = false;
    hg_core_turn_end(gateway->core, env->now);
    if (world->options.validate)
        hg_core_validate(gateway->core);
    once_oracle_turn(world, gateway->core);
}

static void turn(struct once_world *world)
{
    struct sim_env *env = &world->env;

    while (sim_agenda_next(&env->agenda).us <= env->now.us) {
        struct sim_event event = sim_agenda_pop(&env->agenda);
        dispatch(world, &event);
    }
    for (size_t i = 0; i < world->options.gateways; i++)
        gateway_turn(world, &world->gateways[i]);
    once_links_turn(world);
}

static void run_until(struct once_world *world, hg_time end)
{
    struct sim_env *env = &world->env;

    for (;;) {
        hg_time next = sim_agenda_next(&env->agenda);

        for (size_t i = 0; i < world->options.gateways; i++)
            if (world->gateways[i].core)
                next = hg_time_min(next, hg_core_next_deadline(world->gateways[i].core));
        if (next.us <= env->now.us)
            next.us = env->now.us + 1;
        if (world->options.turn_us > 1)
            next = hg_time_add(next, hg_us(sim_below(env, world->options.turn_us)));
        if (next.us > end.us) {
            if (env->now.us < end.us)
                env->now = end;
            return;
        }
        env->now = next;
        turn(world);
    }
}

static void run_for(struct once_world *world, hg_dur span)
{
    run_until(world, hg_time_add(world->env.now, span));
}

/* ---- operations -------------------------------------------------------------------------------------------------- */

enum op {
    OP_WAIT,
    OP_EMIT,
    OP_LEAVE,
    OP_STALL,
    OP_CRASH,
    OP_KILL,
    OP_HALF_OPEN,
    OP_SPIKE,
    OP_RESTART,
    OP_FLUSH, /* SCRIPT FLUSH, FUNCTION FLUSH by somebody else */
    OP_POWER_CUT,
    OP_FAIL_OVER,
    OP_CLOCK,
    OP_LAG,
    OP__COUNT
};

static uint64_t weight(const struct once_options *o, enum op op)
{
    const uint64_t weights[OP__COUNT] = {
        [OP_WAIT] = 4,
        [OP_EMIT] = 40,
        [OP_LEAVE] = o->leaves ? 8 : 0,
        [OP_STALL] = o->stalls ? 6 : 0,
        [OP_CRASH] = o->crashes ? 4 : 0,
        [OP_KILL] = o->kills ? 8 : 0,
        [OP_HALF_OPEN] = o->half_opens ? 3 : 0,
        [OP_SPIKE] = o->spikes ? 4 : 0,
        [OP_RESTART] = o->restarts ? 3 : 0,
        [OP_FLUSH] = o->restarts ? 1 : 0,
        [OP_POWER_CUT] = o->power_cuts ? 2 : 0,
        [OP_FAIL_OVER] = o->failovers ? 3 : 0,
        [OP_CLOCK] = o->clock_jumps ? 3 : 0,
        [OP_LAG] = o->replicas > 0 ? 2 : 0,
    };
    return weights[op];
}

static enum op choose(struct once_world *world)
{
    uint64_t sum = 0;
    int op = 0;

    for (int i = 0; i < OP__COUNT; i++)
        sum += weight(&world->options, (enum op)i);
    uint64_t chosen = sim_below(&world->env, sum);
    while (chosen >= weight(&world->options, (enum op)op))
        chosen -= weight(&world->options, (enum op)op++);
    return (enum op)op;
}

/* Mostly one that carries emits. */
static struct once_link *choose_link(struct once_world *world, uint32_t chance)
{
    uint32_t gateway = chance % (uint32_t)world->options.gateways;
    uint32_t number = chance / 4 % 3 > 0 ? HG_LINK_COMMANDER : chance / 16 % ONCE_LINKS;

    return &world->links[gateway * ONCE_LINKS + number];
}

static void apply(struct once_world *world, enum op op)
{
    struct sim_env *env = &world->env;
    uint32_t a = (uint32_t)hg_prng_next(&env->prng), b = (uint32_t)hg_prng_next(&env->prng);
    struct once_client *client = &world->clients.items[a % world->options.clients];

    switch (op) {
    case OP_WAIT:
        run_for(world, hg_us(a % (10 * world->options.tempo_us + 1)));
        return;
    case OP_EMIT:
        once_client_emit(world, client, a / 8, b);
        return;
    case OP_LEAVE:
        once_client_leave(world, client);
        return;
    case OP_STALL:
        once_client_stall(world, client, b % 3 != 0);
        return;
    case OP_CRASH:
        crash(world, &world->gateways[a % world->options.gateways], hg_ms(b % 300));
        return;
    case OP_KILL:
        once_link_kill(world, choose_link(world, a), (enum once_fate)(b % 3), b / 4 % 2 == 0);
        return;
    case OP_HALF_OPEN:
        once_link_half_open(world, choose_link(world, a), b % 2 == 0);
        return;
    case OP_SPIKE:
        once_link_spike(world, choose_link(world, a), hg_ms(b % 1500));
        return;
    case OP_RESTART:
        once_server_restart(&world->server, hg_ms(a % 300), hg_ms(b % 3 == 0 ? b % 200 : 0));
        return;
    case OP_FLUSH:
        SIM_TRACE(env, "redis: scripts are flushed");
        world->server.scripts.count = 0;
        if (b % 2 == 0)
            world->server.functions.count = 0;
        return;
    case OP_POWER_CUT:
        once_server_cut_power(&world->server, hg_ms(a % 300), hg_ms(b % 3 == 0 ? b % 200 : 0));
        return;
    case OP_FAIL_OVER:
        once_server_fail_over(&world->server, a % world->options.replicas, hg_ms(b % 100));
        return;
    case OP_CLOCK:
        once_server_set_clock(&world->server, a % 4 == 0 ? -(int64_t)(b % 20000) : (int64_t)(b % 2000) - 1000);
        return;
    case OP_LAG:
        world->server.replicas[a % ONCE_REPLICAS].lag_us = b % 4 == 0 ? 2000000 : 1 + b % world->options.lag_us;
        return;
    case OP__COUNT:
        HG_UNREACHABLE();
    }
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

static void heal(struct once_world *world)
{
    SIM_TRACE(&world->env, "all heals");
    world->env.faults = false;
    world->server.down_until = world->server.loading_until = world->env.now;
    for (size_t i = 0; i < ONCE_REPLICAS; i++)
        world->server.replicas[i].lag_us = 1;
    for (size_t i = 0; i < world->options.gateways; i++)
        if (!world->gateways[i].core)
            start(world, &world->gateways[i]);
    for (size_t i = 0; i < world->options.clients; i++)
        once_client_stall(world, &world->clients.items[i], false);
}

static void settle(struct once_world *world)
{
    const struct hg_config *config = &world->options.config;

    /* Where emits find no end they are answered all the same. */
    run_for(world, hg_ms(100 + config->emit_timeout_ms + config->durability_timeout_ms));
    for (uint64_t waited = 0; waited < 60000 && !once_clients_are_settled(&world->clients); waited += 50)
        run_for(world, hg_ms(50));
    once_oracle_settled(world);
}

static void everybody_leaves(struct once_world *world)
{
    struct hg_core_stats stats;

    for (size_t i = 0; i < world->options.clients; i++) {
        once_client_leave(world, &world->clients.items[i]);
        world->clients.items[i].back_at = HG_TIME_NEVER;
    }
    run_for(world, hg_ms(1000 + 2 * world->options.config.emit_timeout_ms));
    for (size_t i = 0; i < world->options.gateways; i++) {
        hg_core_stats(world->gateways[i].core, &stats);
        if (stats.sessions != 0 || stats.emits_pending != 0)
            sim_violation(&world->env, "end: gateway %zu keeps %" PRIu64 " sessions and %" PRIu64 " emits", i,
                          stats.sessions, stats.emits_pending);
    }
}

static void live(struct once_world *world)
{
    for (size_t i = 0; i < world->options.gateways; i++)
        start(world, &world->gateways[i]);
    for (uint64_t i = 0; i < world->options.operations; i++) {
        apply(world, choose(world));
        run_until(world, sim_soon(&world->env, world->options.tempo_us));
    }
    heal(world);
    settle(world);
    everybody_leaves(world);
}

static void sum_up(const struct once_world *world, uint64_t *sums)
{
    sums[0] += world->clients.item_count;
    sums[1] += world->clients.sending_count;
    sums[2] += world->oracle.acknowledged;
    sums[3] += world->oracle.duplicates;
    sums[4] += world->oracle.unavailable;
    sums[5] += world->oracle.too_many;
    sums[6] += world->oracle.conflicts;
    sums[7] += world->oracle.pauses;
}

static struct once_world *new_world(uint64_t seed)
{
    struct once_world *world = calloc(1, sizeof *world);

    HG_ASSERT(world);
    struct sim_env *env = &world->env;
    hg_prng_init(&env->prng, seed);
    once_options_init(&world->options, &env->prng);
    env->now = hg_time_add((hg_time){0}, hg_ms(1000 + sim_below(env, 100000)));
    env->faults = true;
    env->on_violation = &world->on_violation;
    once_server_init(&world->server, world);
    once_links_init(world);
    once_clients_init(&world->clients, world);
    return world;
}

static void free_world(struct once_world *world)
{
    for (size_t i = 0; i < ONCE_GATEWAYS && world->env.violation[0] == '\0'; i++)
        hg_core_free(world->gateways[i].core);
    once_clients_done(&world->clients);
    once_links_done(world);
    once_server_done(&world->server);
    sim_agenda_done(&world->env.agenda);
    sim_arena_clear(&world->env.arena);
    free(world);
}

bool once_world_run(uint64_t seed, uint64_t *sums, char *reterr_text, size_t size)
{
    struct once_world *world = new_world(seed);
    bool good = setjmp(world->on_violation) == 0;

    if (good)
        live(world);
    else
        snprintf(reterr_text, size, "%s", world->env.violation);
    sum_up(world, sums);
    free_world(world);
    return good;
}
