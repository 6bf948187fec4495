/* hg_sim – the simulator of deliveries: see README.md. */
#include <stdlib.h>

#include "sim/mutants.h"
#include "sim/runner.h"
#include "sim/world.h"

static bool run(uint64_t seed, uint64_t *sums, char *reterr_text, size_t size)
{
    struct sim_sums these = {0};
    bool good = sim_world_run(seed, &these, reterr_text, size);

    sums[0] += these.orders;
    sums[1] += these.messages;
    sums[2] += these.entries;
    sums[3] += these.events;
    sums[4] += these.gaps;
    return good;
}

static void print_options(uint64_t seed)
{
    struct sim_options *options = calloc(1, sizeof *options);
    struct hg_prng prng;

    if (!options)
        return;
    /* As sim_world_new() draws them. */
    hg_prng_init(&prng, seed);
    hg_prng_below(&prng, 100000);
    sim_options_init(options, &prng);
    sim_options_print(options);
    free(options);
}

static bool catches(int mutant)
{
    return !sim_mutant_is_of_emits(mutant);
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "hg_sim",
        .run = run,
        .print_options = print_options,
        .sums = {"orders", "messages", "entries published", "events delivered", "gaps told"},
        .catches = catches,
        .mutant_seeds = 15000,
    };
    return sim_runner_main(&program, argc, argv);
}
