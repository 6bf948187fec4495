/* hg_sim_once – the simulator of emits: see ../README.md. */
#include <stdlib.h>

#include "sim/mutants.h"
#include "sim/once/world.h"
#include "sim/runner.h"

static void print_options(uint64_t seed)
{
    struct once_options *options = calloc(1, sizeof *options);
    struct hg_prng prng;

    if (!options)
        return;
    hg_prng_init(&prng, seed);
    once_options_init(options, &prng);
    once_options_print(options);
    free(options);
}

int main(int argc, char **argv)
{
    static const struct sim_program program = {
        .name = "hg_sim_once",
        .run = once_world_run,
        .print_options = print_options,
        .sums = {"events", "sent", "acknowledged", "as duplicates", "told unavailable", "too many", "conflicts",
                 "pauses"},
        .catches = sim_mutant_is_of_emits,
        .mutant_seeds = 5000,
    };
    return sim_runner_main(&program, argc, argv);
}
