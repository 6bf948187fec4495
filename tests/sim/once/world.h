/* world.h – one run of emits: gateways, each a core of its own, between clients with outboxes and one fake Redis, under
 * a fake clock.
 *
 * Ownership: once_world_run() frees all; after a broken rule the cores are left as they were. Single thread. */
#ifndef HG_SIM_ONCE_WORLD_H
#define HG_SIM_ONCE_WORLD_H

#include "sim/env.h"
#include "sim/once/client.h"
#include "sim/once/link.h"
#include "sim/once/options.h"
#include "sim/once/oracle.h"
#include "sim/once/server.h"

enum { ONCE_GATEWAYS = 3 };

struct once_gateway {
    struct once_world *world;
    struct hg_core *core; /* NULL: it is down */
    uint32_t life;        /* which start this is */
    bool fed;             /* the core was given an event in this turn */
    uint64_t idle_turns;
};

struct once_world {
    struct sim_env env; /* clock, chance, agenda, memory, trace; what belongs to the other simulator stays empty */
    struct once_options options;
    struct once_server server;
    struct once_gateway gateways[ONCE_GATEWAYS];
    struct once_link links[ONCE_GATEWAYS * ONCE_LINKS];
    struct once_stray strays[ONCE_STRAYS];
    struct once_clients clients;
    struct once_oracle oracle;
    jmp_buf on_violation;
};

/* All of one seed. `sums`: sim/once/main.c. */
bool once_world_run(uint64_t seed, uint64_t *sums, char *reterr_text, size_t size);

#endif
