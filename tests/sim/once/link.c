#include "sim/once/link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/once/world.h"

static uint32_t who(const struct once_link *link)
{
    return link->gateway * ONCE_LINKS + link->number;
}

void once_links_init(struct once_world *world)
{
    for (uint32_t g = 0; g < ONCE_GATEWAYS; g++)
        for (uint32_t n = 0; n < ONCE_LINKS; n++) {
            struct once_link *link = &world->links[g * ONCE_LINKS + n];
            *link = (struct once_link){.gateway = g, .number = n};
            link->commands_end = &link->commands;
            link->replies_end = &link->replies;
        }
}

static void reply_free(struct sim_reply *reply)
{
    sim_arena_clear(&reply->arena);
    free(reply);
}

static struct sim_reply *pop_reply(struct once_link *link)
{
    struct sim_reply *reply = link->replies;

    if (reply) {
        link->replies = reply->next;
        if (!link->replies)
            link->replies_end = &link->replies;
    }
    return reply;
}

static struct sim_command *pop_command(struct once_link *link)
{
    struct sim_command *command = link->commands;

    if (command) {
        link->commands = command->next;
        if (!link->commands)
            link->commands_end = &link->commands;
        command->next = NULL;
    }
    return command;
}

static void drop_stray(struct once_stray *stray)
{
    once_transaction_end(&stray->transaction);
    while (stray->commands) {
        struct sim_command *command = stray->commands;
        stray->commands = command->next;
        free(command);
    }
}

static void drop_all(struct once_link *link)
{
    struct sim_reply *reply;
    struct sim_command *command;

    once_transaction_end(&link->transaction);
    free(link->blocked);
    link->blocked = NULL;
    while ((reply = pop_reply(link)))
        reply_free(reply);
    while ((command = pop_command(link)))
        free(command);
}

/* The connection is no more, on both sides; what is under way is gone. */
static void forget(struct once_link *link)
{
    drop_all(link);
    link->state = SIM_LINK_IS_CLOSED;
    link->generation++;
    link->deaf = link->half_open = false;
    link->written = 0;
    link->channels.count = 0;
}

void once_links_done(struct once_world *world)
{
    for (size_t i = 0; i < ONCE_GATEWAYS * ONCE_LINKS; i++) {
        drop_all(&world->links[i]);
        free(world->links[i].channels.items);
    }
    for (size_t i = 0; i < ONCE_STRAYS; i++)
        drop_stray(&world->strays[i]);
}

static struct once_link *get(struct once_world *world, uint32_t gateway, uint32_t number)
{
    if (number >= ONCE_LINKS)
        sim_violation(&world->env, "ports: link %" PRIu32 " of the simulator's %d", number, ONCE_LINKS);
    return &world->links[gateway * ONCE_LINKS + number];
}

struct once_link *once_link_hears(struct once_world *world, struct hg_slice channel)
{
    for (uint32_t g = 0; g < ONCE_GATEWAYS; g++) {
        struct once_link *link = get(world, g, HG_LINK_LISTENER);
        if (link->state == SIM_LINK_IS_UP && once_names_has(&link->channels, channel))
            return link;
    }
    return NULL;
}

/* ---- ports ------------------------------------------------------------------------------------------------------- */

void once_link_open(struct once_world *world, uint32_t gateway, uint32_t number)
{
    struct once_link *link = get(world, gateway, number);

    if (link->state != SIM_LINK_IS_CLOSED)
        sim_violation(&world->env, "ports: redis_open(%" PRIu32 ") of a link that is not closed", number);
    SIM_TRACE(&world->env, "gateway %" PRIu32 ": opens link %" PRIu32, gateway, number);
    link->state = SIM_LINK_IS_OPENING;
    link->generation++;
    link->way_there = link->way_back = world->env.now;
    sim_agenda_put(&world->env.agenda, sim_soon(&world->env, world->options.redis_us), SIM_LINK_OPENED, who(link),
                   link->generation);
}

void once_link_close(struct once_world *world, uint32_t gateway, uint32_t number)
{
    struct once_link *link = get(world, gateway, number);

    if (link->state == SIM_LINK_IS_CLOSED)
        return;
    SIM_TRACE(&world->env, "gateway %" PRIu32 ": closes link %" PRIu32, gateway, number);
    if (link->state == SIM_LINK_IS_UP && !link->half_open && once_options_are_calm(&world->options))
        sim_violation(&world->env, "ports: link %" PRIu32 " is closed, but nothing is wrong with it", number);
    /* What it sent before may still reach Redis. */
    once_link_abandon(world, link, link->half_open ? ONCE_LOST : (enum once_fate)sim_below(&world->env, 3));
}

void once_link_command(struct once_world *world, uint32_t gateway, uint32_t number, uint64_t token,
                       const struct hg_slice *argv, size_t argc)
{
    struct sim_env *env = &world->env;
    struct once_link *link = get(world, gateway, number);
    size_t bytes = 0;

    if (link->state != SIM_LINK_IS_UP && link->state != SIM_LINK_IS_DYING)
        sim_violation(env, "ports: a command on link %" PRIu32 ", which is not up", number);
    if (argc == 0)
        sim_violation(env, "ports: a command without words");
    if (sim_tracing) {
        char line[600];
        size_t len = 0;
        for (size_t i = 0; i < argc && len < sizeof line - 60; i++)
            len += (size_t)snprintf(line + len, sizeof line - len, " %.*s", (int)(argv[i].len < 40 ? argv[i].len : 40),
                                    argv[i].ptr ? argv[i].ptr : "");
        SIM_TRACE(env, "gateway %" PRIu32 ": link %" PRIu32 " #%" PRIu64 ":%s%s", gateway, number, token, line,
                  link->state == SIM_LINK_IS_DYING ? " (into a dead link)"
                  : link->half_open                ? " (swallowed)"
                                                   : "");
    }
    if (link->state == SIM_LINK_IS_DYING || link->half_open)
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
    command->arrives = sim_soon(env, world->options.redis_us);
    if (command->arrives.us < link->way_there.us)
        command->arrives = link->way_there;
    link->way_there = command->arrives;
    *link->commands_end = command;
    link->commands_end = &command->next;
    sim_agenda_put(&env->agenda, command->arrives, SIM_LINK_WORK, who(link), link->generation);
}

/* ---- there and back ---------------------------------------------------------------------------------------------- */

void once_reply_send(struct once_world *world, struct once_link *link, struct sim_reply *reply)
{
    struct sim_env *env = &world->env;

    if (!link || link->half_open) {
        reply_free(reply);
        return;
    }
    hg_time at = sim_soon(env, world->options.redis_us);
    if (at.us < link->way_back.us)
        at = link->way_back;
    link->way_back = at;
    reply->at = at;
    *link->replies_end = reply;
    link->replies_end = &reply->next;
    if (link->state == SIM_LINK_IS_UP)
        sim_agenda_put(&env->agenda, at, SIM_LINK_REPLY, who(link), link->generation);
}

/* Executes what has arrived, unless a command that blocks stands before it. */
static void work(struct once_world *world, struct once_link *link, hg_time until)
{
    while (!link->blocked && link->commands && link->commands->arrives.us <= until.us) {
        struct sim_command *command = pop_command(link);

        if (once_command_execute(world, link, &link->transaction, &command)) {
            free(command);
        } else {
            link->blocked = command;
            sim_agenda_put(&world->env.agenda, link->blocked_until, SIM_LINK_UNBLOCK, who(link), link->generation);
        }
    }
}

static void deliver(struct once_world *world, struct once_link *link)
{
    struct sim_env *env = &world->env;
    struct once_gateway *gateway = &world->gateways[link->gateway];
    struct sim_reply *reply = pop_reply(link);

    HG_ASSERT(reply);
    if (sim_tracing) {
        char line[400];
        size_t len = 0;
        const struct hg_reply *root = reply->root;
        line[0] = '\0';
        for (size_t i = 0; root->type == HG_REPLY_ARRAY && i < root->count && len < sizeof line - 70; i++)
            len += (size_t)snprintf(line + len, sizeof line - len, " %.*s",
                                    (int)(root->items[i].text.len < 60 ? root->items[i].text.len : 60),
                                    root->items[i].text.ptr ? root->items[i].text.ptr : "…");
        SIM_TRACE(env, "link %" PRIu32 "/%" PRIu32 " #%" PRIu64 ": reply type %d, integer %" PRId64 " %.*s%s",
                  link->gateway, link->number, reply->token, (int)root->type, root->integer,
                  HG_SLICE_ARG(hg_slice_first(root->text, 60)), line);
    }
    gateway->fed = true;
    hg_on_redis_reply(gateway->core, env->now, link->number, reply->token, reply->root);
    reply_free(reply);
}

static void opened(struct once_world *world, struct once_link *link)
{
    struct sim_env *env = &world->env;
    struct once_gateway *gateway = &world->gateways[link->gateway];

    gateway->fed = true;
    if (env->now.us < world->server.down_until.us || (env->faults && world->options.kills && sim_chance(env, 10))) {
        SIM_TRACE(env, "link %" PRIu32 "/%" PRIu32 ": refused", link->gateway, link->number);
        forget(link);
        hg_on_redis_down(gateway->core, env->now, link->number, HG_LIT("connection refused"));
        return;
    }
    SIM_TRACE(env, "link %" PRIu32 "/%" PRIu32 ": up", link->gateway, link->number);
    link->state = SIM_LINK_IS_UP;
    hg_on_redis_up(gateway->core, env->now, link->number, sim_chance(env, 5) ? 0 : 1 + who(link));
}

/* What a dead link had sent arrives; whatever it wants to know, nobody hears. */
static void stray_work(struct once_world *world, struct once_stray *stray)
{
    while (stray->commands) {
        struct sim_command *command = stray->commands;

        stray->commands = command->next;
        command->next = NULL;
        (void)once_command_execute(world, NULL, &stray->transaction, &command);
        free(command);
    }
    once_transaction_end(&stray->transaction);
}

void once_link_event(struct once_world *world, const struct sim_event *event)
{
    struct sim_env *env = &world->env;

    if (event->kind == SIM_STRAY_WORK) {
        stray_work(world, &world->strays[event->who]);
        return;
    }
    struct once_link *link = &world->links[event->who];
    if (link->generation != event->generation)
        return;
    switch (event->kind) {
    case SIM_LINK_OPENED:
        opened(world, link);
        return;
    case SIM_LINK_WORK:
        if (link->state == SIM_LINK_IS_UP && !link->half_open)
            work(world, link, env->now);
        return;
    case SIM_LINK_UNBLOCK:
        if (link->state != SIM_LINK_IS_UP || !link->blocked)
            return;
        if (once_command_retry(world, link, link->blocked)) {
            free(link->blocked);
            link->blocked = NULL;
            work(world, link, env->now);
        } else {
            sim_agenda_put(&env->agenda, link->blocked_until, SIM_LINK_UNBLOCK, who(link), link->generation);
        }
        return;
    case SIM_LINK_REPLY:
        if (!link->deaf)
            deliver(world, link);
        return;
    case SIM_LINK_DOWN:
        SIM_TRACE(env, "link %" PRIu32 "/%" PRIu32 ": down", link->gateway, link->number);
        world->gateways[link->gateway].fed = true;
        forget(link);
        hg_on_redis_down(world->gateways[link->gateway].core, env->now, link->number,
                         HG_LIT("connection reset by peer"));
        return;
    default:
        HG_UNREACHABLE();
    }
}

/* ---- deaths ------------------------------------------------------------------------------------------------------ */

static void stray(struct once_world *world, struct once_link *link)
{
    for (uint32_t i = 0; link->commands && i < ONCE_STRAYS; i++)
        if (!world->strays[i].commands) {
            world->strays[i].commands = link->commands;
            world->strays[i].transaction = link->transaction;
            if (!link->transaction.queued)
                world->strays[i].transaction.queued_end = &world->strays[i].transaction.queued;
            link->transaction = (struct once_transaction){0};
            link->commands = NULL;
            link->commands_end = &link->commands;
            hg_dur late = hg_time_since(world->env.now, link->way_there);
            hg_time at = hg_time_add(sim_soon(&world->env, 300000), late);
            SIM_TRACE(&world->env, "redis: what link %" PRIu32 "/%" PRIu32 " has sent will arrive late", link->gateway,
                      link->number);
            sim_agenda_put(&world->env.agenda, at, SIM_STRAY_WORK, i, 0);
        }
}

static void meet(struct once_world *world, struct once_link *link, enum once_fate fate)
{
    static const char *const words[] = {"lost", "executed", "still on its way"};

    if (fate == ONCE_STRAYED && (!world->options.strays || !world->env.faults))
        fate = ONCE_LOST;
    SIM_TRACE(&world->env, "redis: link %" PRIu32 "/%" PRIu32 " dies, what was under way is %s", link->gateway,
              link->number, words[fate]);
    free(link->blocked);
    link->blocked = NULL;
    while (fate == ONCE_EXECUTED && link->commands) {
        work(world, link, HG_TIME_NEVER);
        free(link->blocked);
        link->blocked = NULL;
    }
    if (fate == ONCE_STRAYED)
        stray(world, link);
}

void once_link_kill(struct once_world *world, struct once_link *link, enum once_fate fate, bool answered)
{
    if (link->state != SIM_LINK_IS_UP || link->half_open)
        return;
    meet(world, link, fate);
    link->state = SIM_LINK_IS_DYING;
    link->deaf = !answered;
    hg_time at = sim_soon(&world->env, 5000);
    if (answered && at.us <= link->way_back.us)
        at.us = link->way_back.us + 1;
    sim_agenda_put(&world->env.agenda, at, SIM_LINK_DOWN, who(link), link->generation);
}

void once_links_die(struct once_world *world)
{
    for (size_t i = 0; i < ONCE_GATEWAYS * ONCE_LINKS; i++) {
        bool executed = sim_chance(&world->env, 50), answered = sim_chance(&world->env, 50);
        once_link_kill(world, &world->links[i], executed ? ONCE_EXECUTED : ONCE_LOST, answered);
    }
    /* They were on their way to a server that is no more. */
    for (size_t i = 0; i < ONCE_STRAYS; i++)
        drop_stray(&world->strays[i]);
}

void once_link_abandon(struct once_world *world, struct once_link *link, enum once_fate fate)
{
    if (link->state == SIM_LINK_IS_UP && !link->half_open)
        meet(world, link, fate);
    forget(link);
}

void once_link_half_open(struct once_world *world, struct once_link *link, bool executed)
{
    if (link->state != SIM_LINK_IS_UP || link->half_open)
        return;
    SIM_TRACE(&world->env, "redis: link %" PRIu32 "/%" PRIu32 " is half open", link->gateway, link->number);
    meet(world, link, executed ? ONCE_EXECUTED : ONCE_STRAYED);
    drop_all(link);
    link->generation++;
    link->half_open = true;
    link->half_open_since = world->env.now;
}

void once_link_spike(struct once_world *world, struct once_link *link, hg_dur delay)
{
    if (link->state != SIM_LINK_IS_UP)
        return;
    SIM_TRACE(&world->env, "redis: link %" PRIu32 "/%" PRIu32 " is slow by %" PRIu64 " us", link->gateway, link->number,
              delay.us);
    hg_time *way = sim_chance(&world->env, 50) ? &link->way_there : &link->way_back;
    if (way->us < world->env.now.us)
        *way = world->env.now;
    *way = hg_time_add(*way, delay);
}

void once_links_turn(struct once_world *world)
{
    const struct once_options *o = &world->options;
    /* A canary that was sent just before, and the next one; then what the loop takes. */
    uint64_t bound_us =
        (2 * o->config.canary_ms + o->config.durability_timeout_ms) * 1000 + 4 * o->turn_us + 2 * o->redis_us + 5000;

    for (size_t i = 0; i < ONCE_GATEWAYS * ONCE_LINKS; i++) {
        const struct once_link *link = &world->links[i];
        if (link->state == SIM_LINK_IS_UP && link->half_open && world->env.now.us - link->half_open_since.us > bound_us)
            sim_violation(&world->env, "canary: link %" PRIu32 "/%" PRIu32 " has been half open for %" PRIu64 " us",
                          link->gateway, link->number, world->env.now.us - link->half_open_since.us);
    }
}
