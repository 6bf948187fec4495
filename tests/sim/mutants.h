/* mutants.h – the faults of core/mutant.h by number and name; without HG_MUTANTS there are none. Number 0 is no fault.
 */
#ifndef HG_SIM_MUTANTS_H
#define HG_SIM_MUTANTS_H

#include <stdbool.h>

int sim_mutant_count(void);
const char *sim_mutant_name(int mutant);
const char *sim_mutant_text(int mutant);
/* Whether it is a fault of emits, which hg_sim_once is there for. */
bool sim_mutant_is_of_emits(int mutant);
void sim_mutant_choose(int mutant);
/* False: there is none of that name. */
bool sim_mutant_choose_name(const char *name);

#endif
