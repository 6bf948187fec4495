/* runner.h – the command line of a simulator: runs seeds; on a broken rule prints the seed, its options and the last
 * lines of its trace, and exits with 1. The seeds run in a child process, so that a panic or a sanitizer's report is
 * told with its seed too. Single thread; calls out: the program's functions, in the child. */
#ifndef HG_SIM_RUNNER_H
#define HG_SIM_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_SUMS_MAX = 8 };

struct sim_program {
    const char *name;
    /* One seed. `sums` are added to; false: `reterr_text` says which rule was broken. */
    bool (*run)(uint64_t seed, uint64_t *sums, char *reterr_text, size_t size);
    void (*print_options)(uint64_t seed);
    const char *sums[SIM_SUMS_MAX + 1]; /* what is counted, up to a NULL */
    bool (*catches)(int mutant);        /* whether this simulator is there for that fault */
    uint64_t mutant_seeds;              /* within which each must be caught */
};

int sim_runner_main(const struct sim_program *program, int argc, char **argv);

#endif
