/* redis.h – the fake Redis: links with latency that live and die, commands executed in order, replies built as trees,
 * Pub/Sub pushes, blocked reads; and its bad manners. The keys are in store.h, the commands in command.c.
 *
 * A command travels, is executed, and its reply travels back; a link that is killed loses what is under way, and
 * whether its last commands were executed is open. Ownership: replies own their trees. Calls out: the core's
 * hg_on_redis_… functions from sim_redis_event() only, and the oracle. */
#ifndef HG_SIM_REDIS_H
#define HG_SIM_REDIS_H

#include "core/ports.h"
#include "core/reply.h"
#include "sim/env.h"
#include "sim/store.h"

#define SIM_LINKS 64

struct sim_reply {
    struct sim_reply *next;
    struct sim_arena arena;
    struct hg_reply *root;
    uint64_t token;
    hg_time at;
    bool is_message; /* of Pub/Sub: */
    int topic;
    uint64_t number;
    struct hg_slice glob; /* null pointer: by the channel's name */
};

struct sim_command {
    struct sim_command *next;
    hg_time arrives;
    uint64_t token;
    size_t argc;
    struct hg_slice argv[];
};

enum sim_link_state {
    SIM_LINK_IS_CLOSED,
    SIM_LINK_IS_OPENING,
    SIM_LINK_IS_UP,
    SIM_LINK_IS_DYING, /* dead, but the gateway has not learned of it yet */
};

struct sim_link {
    enum sim_link_state state;
    uint32_t generation; /* of agenda entries; others are stale */
    uint64_t client_id;
    hg_time way_there, way_back; /* nothing arrives before what was sent earlier */
    bool deaf;                   /* DYING: replies under way are lost too */
    bool half_open;              /* UP: whatever is sent, either way, is swallowed, and nobody is told */
    hg_time half_open_since;
    hg_time up_at;
    uint32_t topics; /* of the last XREAD, a bit each */
    struct sim_command *commands, **commands_end;
    struct sim_reply *replies, **replies_end;
    struct sim_command *blocked; /* an XREAD that waits */
    hg_time blocked_until;
};

struct sim_names {
    struct hg_slice *items;
    size_t count, capacity;
};

struct sim_redis {
    struct sim_env *env;
    struct sim_link links[SIM_LINKS];
    struct sim_names channels, globs; /* what link 0 is subscribed to */
    struct sim_names scripts;         /* hashes that are loaded */
    struct sim_names functions;       /* libraries */
    uint64_t next_client_id;
    hg_time down_until, loading_until;
    bool old;               /* does not know SCAN … TYPE */
    uint64_t published[32]; /* messages so far, by topic */
};

void sim_redis_init(struct sim_redis *redis, struct sim_env *env);
void sim_redis_done(struct sim_redis *redis);

/* The ports. */
void sim_redis_open(struct sim_redis *redis, uint32_t link);
void sim_redis_close(struct sim_redis *redis, uint32_t link);
void sim_redis_command(struct sim_redis *redis, uint32_t link, uint64_t token, const struct hg_slice *argv,
                       size_t argc);

/* An entry of the agenda is due. */
void sim_redis_event(struct sim_redis *redis, const struct sim_event *event);

/* Publishers, and faults. */
void sim_redis_publish(struct sim_redis *redis, int topic);
void sim_redis_append(struct sim_redis *redis, int topic);
/* `executed`: what was under way to Redis is still done; `answered`: replies under way still arrive. */
void sim_redis_kill(struct sim_redis *redis, uint32_t link, bool executed, bool answered);
void sim_redis_restart(struct sim_redis *redis, hg_dur away, hg_dur loading);
/* A firewall that swallows packets. */
void sim_redis_half_open(struct sim_redis *redis, uint32_t link, bool executed);
/* The gateway notices such links in time. */
void sim_redis_turn(const struct sim_redis *redis);
/* All links die, and who answers now lacks what was done within the last while. */
void sim_redis_fail_over(struct sim_redis *redis, hg_dur lost, hg_dur away);
/* SCRIPT FLUSH, by somebody else. */
void sim_redis_flush_scripts(struct sim_redis *redis);
void sim_redis_spike(struct sim_redis *redis, uint32_t link, hg_dur delay);
/* A push that is none. */
void sim_redis_odd_push(struct sim_redis *redis);

/* Whether link 0 is subscribed. */
bool sim_redis_hears(const struct sim_redis *redis, struct hg_slice channel);
bool sim_redis_hears_glob(const struct sim_redis *redis, struct hg_slice glob);

/* For command.c: executes one command of a link. False: it blocks. */
bool sim_command_execute(struct sim_redis *redis, uint32_t link, struct sim_command *command);
/* A blocked XREAD whose streams may have something now: true when it was answered. */
bool sim_command_retry(struct sim_redis *redis, uint32_t link, struct sim_command *command);
struct sim_reply *sim_reply_new(uint64_t token);
void sim_reply_send(struct sim_redis *redis, uint32_t link, struct sim_reply *reply);
/* Wakes readers of this key. */
void sim_redis_appended(struct sim_redis *redis, struct sim_key *key);
bool sim_redis_unblock(struct sim_redis *redis, uint64_t client_id);

bool sim_names_has(const struct sim_names *names, struct hg_slice name);

#endif
