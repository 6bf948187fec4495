/* world.h – one run: the core between fake clients and a fake Redis, under a fake clock.
 *
 * Operations are applied one after the other, whoever chose them: chance (sim_op_random), a fuzzer's bytes, an
 * enumeration. Between them time passes: turns like those of the real loop, in which events that are due are fed to the
 * core together. Ownership: sim_world_free() frees all. A broken rule makes the functions return false; then only
 * sim_world_violation() and sim_world_free() may be called. The core is left as it was then: it is not freed. */
#ifndef HG_SIM_WORLD_H
#define HG_SIM_WORLD_H

#include "sim/env.h"

enum sim_op_kind {
    SIM_OP_WAIT,
    SIM_OP_CONNECT,
    SIM_OP_LEAVE,
    SIM_OP_SUBSCRIBE,
    SIM_OP_UNSUBSCRIBE,
    SIM_OP_RESUBSCRIBE, /* both in one message */
    SIM_OP_EMIT,
    SIM_OP_PING,
    SIM_OP_GARBAGE,
    SIM_OP_PUBLISH,
    SIM_OP_APPEND,
    SIM_OP_STALL,
    SIM_OP_MUTE,
    SIM_OP_KILL,
    SIM_OP_RESTART,
    SIM_OP_SPIKE,
    SIM_OP_ODD_PUSH,
    SIM_OP_TRIM,
    SIM_OP_UPDATE,
    SIM_OP_FAILOVER,
    SIM_OP_DELETE,
    SIM_OP_CLOCK_BACK,
    SIM_OP_HALF_OPEN,
    SIM_OP_PLAY,
    SIM_OP__COUNT
};

struct sim_op {
    enum sim_op_kind kind;
    uint32_t a, b; /* choose among what there is: any number will do */
};

struct sim_world;

struct sim_world *sim_world_new(uint64_t seed);
void sim_world_free(struct sim_world *world);
const struct sim_options *sim_world_options(const struct sim_world *world);
const char *sim_world_violation(const struct sim_world *world);
/* What happened, for the summary. */
struct sim_sums {
    uint64_t events, gaps, orders, entries, messages;
};
void sim_world_sums(const struct sim_world *world, struct sim_sums *sums);

struct sim_op sim_op_random(struct sim_world *world);
/* Applies it and lets some time pass. What this world does not know (its options) is left out. */
bool sim_world_apply(struct sim_world *world, struct sim_op op);
/* Heals everything, waits until all that is due has come, lets all clients go, and checks that nothing is left. */
bool sim_world_finish(struct sim_world *world);

/* All of it for one seed. */
bool sim_world_run(uint64_t seed, struct sim_sums *sums, char *reterr_text, size_t size);

#endif
