#include "sim/mutants.h"

#include <string.h>

#include "core/mutant.h"

static const struct {
    const char *name, *text;
    unsigned every;
    bool of_emits;
} rows[] = {{"none", "the core as it is", 1, false},
#ifdef HG_MUTANTS
#define X(name, every, text) {#name, text, every, false},
            HG_MUTANTS_OF_DELIVERIES(X)
#undef X
#define X(name, every, text) {#name, text, every, true},
                HG_MUTANTS_OF_EMITS(X)
#undef X
#endif
};

#ifdef HG_MUTANTS
enum hg_mutant hg_mutant_chosen;
static uint64_t evaluations;

bool hg_mutant_strikes(void)
{
    return ++evaluations % rows[hg_mutant_chosen].every == 0;
}
#endif

int sim_mutant_count(void)
{
    return (int)(sizeof rows / sizeof *rows);
}

const char *sim_mutant_name(int mutant)
{
    return rows[mutant].name;
}

const char *sim_mutant_text(int mutant)
{
    return rows[mutant].text;
}

bool sim_mutant_is_of_emits(int mutant)
{
    return rows[mutant].of_emits;
}

void sim_mutant_choose(int mutant)
{
    (void)mutant;
#ifdef HG_MUTANTS
    hg_mutant_chosen = (enum hg_mutant)mutant;
    evaluations = 0;
#endif
}

bool sim_mutant_choose_name(const char *name)
{
    for (int mutant = 0; mutant < sim_mutant_count(); mutant++)
        if (strcmp(rows[mutant].name, name) == 0) {
            sim_mutant_choose(mutant);
            return true;
        }
    return false;
}
