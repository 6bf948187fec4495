/* env.h – what all parts of one run share: clock, chance, agenda, memory, and the core under test.
 * Ownership: world.c owns the parts. Single thread. */
#ifndef HG_SIM_ENV_H
#define HG_SIM_ENV_H

#include <setjmp.h>

#include "base/prng.h"
#include "base/time.h"
#include "core/core.h"
#include "sim/agenda.h"
#include "sim/arena.h"
#include "sim/options.h"

struct sim_store;
struct sim_redis;
struct sim_clients;
struct sim_oracle;

struct sim_env {
    hg_time now, started;
    struct hg_prng prng;
    struct sim_options options;
    struct sim_agenda agenda;
    struct sim_arena arena; /* lives as long as the run */
    bool faults;            /* the phase of faults; false: everything heals */
    bool fed;               /* the core was given an event in this turn */
    struct hg_core *core;
    struct sim_store *store;
    struct sim_redis *redis;
    struct sim_clients *clients;
    struct sim_oracle *oracle;
    jmp_buf *on_violation;
    char violation[512];
};

/* Even over 0 … bound-1. */
uint64_t sim_below(struct sim_env *env, uint64_t bound);
bool sim_chance(struct sim_env *env, uint64_t percent);
/* A while from now, at most `longest_us`; mostly short. */
hg_time sim_soon(struct sim_env *env, uint64_t longest_us);

/* A rule was broken: ends the run; does not return. */
_Noreturn void sim_violation(struct sim_env *env, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Traces cost more than the run itself: a run that failed is run once more with them. */
extern bool sim_tracing;
void sim_trace_line(const struct sim_env *env, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define SIM_TRACE(env, ...)                                                                                            \
    do {                                                                                                               \
        if (sim_tracing)                                                                                               \
            sim_trace_line(env, __VA_ARGS__);                                                                          \
    } while (0)

#endif
