/* link.h – the gateways' links to Redis: latency, commands in order, and deaths of every kind.
 *
 * A command travels, is executed, and its reply travels back. A link that dies loses what is under way; whether its
 * last commands were executed is open, and with `strays` they may be executed much later, when the gateway has long
 * asked again elsewhere. Ownership: replies own their trees. Calls out: the core's hg_on_redis_… functions from
 * once_link_event() only; the oracle. */
#ifndef HG_SIM_ONCE_LINK_H
#define HG_SIM_ONCE_LINK_H

#include "sim/once/server.h"
#include "sim/redis.h"

struct once_world;

enum { ONCE_LINKS = 8, ONCE_STRAYS = 64 };

enum once_fate { ONCE_LOST, ONCE_EXECUTED, ONCE_STRAYED };

/* Between MULTI and EXEC, and what was watched before. */
struct once_transaction {
    bool open, spoiled; /* a command could not be queued */
    const struct once_stream *watched;
    uint64_t watched_number;
    struct sim_command *queued, **queued_end;
};

struct once_link {
    enum sim_link_state state;
    uint32_t gateway, number;
    uint32_t generation;         /* of agenda entries; others are stale */
    hg_time way_there, way_back; /* nothing arrives before what was sent earlier */
    bool deaf;                   /* DYING: replies under way are lost too */
    bool half_open;              /* UP: whatever is sent, either way, is swallowed, and nobody is told */
    hg_time half_open_since;
    struct sim_command *commands, **commands_end;
    struct sim_reply *replies, **replies_end;
    struct sim_command *blocked; /* a WAIT or WAITAOF */
    hg_time blocked_until;
    uint64_t written; /* the last write that was done through it */
    struct once_transaction transaction;
    struct once_names channels;
};

/* Commands that a dead link had sent. */
struct once_stray {
    struct sim_command *commands;
    struct once_transaction transaction;
};

void once_links_init(struct once_world *world);
void once_links_done(struct once_world *world);

/* The ports. */
void once_link_open(struct once_world *world, uint32_t gateway, uint32_t number);
void once_link_close(struct once_world *world, uint32_t gateway, uint32_t number);
void once_link_command(struct once_world *world, uint32_t gateway, uint32_t number, uint64_t token,
                       const struct hg_slice *argv, size_t argc);

/* An entry of the agenda is due: who is a link, or a stray. */
void once_link_event(struct once_world *world, const struct sim_event *event);

/* Faults. `answered`: replies under way still arrive. */
void once_link_kill(struct once_world *world, struct once_link *link, enum once_fate fate, bool answered);
/* Redis itself goes: what was under way is executed at once or never. */
void once_links_die(struct once_world *world);
/* The gateway itself goes: nobody hears anything any more. */
void once_link_abandon(struct once_world *world, struct once_link *link, enum once_fate fate);
void once_link_half_open(struct once_world *world, struct once_link *link, bool executed);
void once_link_spike(struct once_world *world, struct once_link *link, hg_dur delay);
/* The gateways notice half-open links in time. */
void once_links_turn(struct once_world *world);

/* For command.c: executes one command of a link, or of one that is dead (NULL). False: it blocks. True: it is done, and
 * `*command` is NULL if it was kept. */
bool once_command_execute(struct once_world *world, struct once_link *link, struct once_transaction *transaction,
                          struct sim_command **command);
void once_transaction_end(struct once_transaction *transaction);
/* A command that blocks: true when it was answered. */
bool once_command_retry(struct once_world *world, struct once_link *link, struct sim_command *command);
/* `link` NULL: nobody is there any more. */
void once_reply_send(struct once_world *world, struct once_link *link, struct sim_reply *reply);
/* The subscribed listener of any gateway; NULL: nobody hears this channel. */
struct once_link *once_link_hears(struct once_world *world, struct hg_slice channel);

#endif
