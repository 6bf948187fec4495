/* mutant.c – the gateway with one of the faults of core/mutant.h in it, for scenarios: HEADGATE_TEST_MUTANT names it,
 * and it strikes each time. Without the variable it is the gateway as it is. */
#include "core/mutant.h"

#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"NONE",
#define X(name, every, text) #name,
                                    HG_MUTANT_LIST(X)
#undef X
};

enum hg_mutant hg_mutant_chosen;

/* Before there are threads. */
__attribute__((constructor)) static void choose(void)
{
    const char *wanted = getenv("HEADGATE_TEST_MUTANT");
    for (size_t i = 0; wanted && i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], wanted) == 0)
            hg_mutant_chosen = (enum hg_mutant)i;
}

bool hg_mutant_strikes(void)
{
    return true;
}
