#include "sim/env.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

bool sim_tracing;

uint64_t sim_below(struct sim_env *env, uint64_t bound)
{
    return hg_prng_below(&env->prng, bound);
}

bool sim_chance(struct sim_env *env, uint64_t percent)
{
    return percent > 0 && hg_prng_below(&env->prng, 100) < percent;
}

hg_time sim_soon(struct sim_env *env, uint64_t longest_us)
{
    uint64_t bound = sim_below(env, 4) == 0 ? longest_us : longest_us / 8;
    return hg_time_add(env->now, hg_us(1 + sim_below(env, bound + 1)));
}

void sim_violation(struct sim_env *env, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(env->violation, sizeof env->violation, format, args);
    va_end(args);
    SIM_TRACE(env, "VIOLATION: %s", env->violation);
    longjmp(*env->on_violation, 1);
}

void sim_trace_line(const struct sim_env *env, const char *format, ...)
{
    va_list args;

    printf("%10.3f ms  ", (double)env->now.us / 1000.0);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}
