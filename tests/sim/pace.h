/* pace.h – subscriptions with conflate or rate, and what must be true of them. Clients ask for them on channels only:
 * what a pace leaves out is the same for streams.
 *
 * In order, no event twice; a gap before what comes after a lost link; the events that came, those that were told as
 * left out, and those too large are all that were due, exactly; and of what is the same key, the last one comes. Only
 * a gap "overflow" without a count excuses that. Static data; calls out: none. */
#ifndef HG_SIM_PACE_H
#define HG_SIM_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/filter.h"

struct sim_oracle;
struct sim_track;

struct sim_pace {
    const char *spellings[2]; /* members of a subscribe, as JSON with a comma in front */
    bool (*is_same_key)(const struct sim_facts *a, const struct sim_facts *b);
};

extern const struct sim_pace sim_paces[];
extern const size_t sim_pace_count;
/* Whether clients ask for a pace there. */
bool sim_pace_is_for(const char *pattern);

void sim_pace_event(struct sim_oracle *oracle, struct sim_track *track, int topic, uint64_t number);
void sim_pace_conflated(struct sim_oracle *oracle, struct sim_track *track, uint64_t count);
/* `count` 0: not known. */
void sim_pace_overflow(struct sim_oracle *oracle, struct sim_track *track, uint64_t count);
bool sim_pace_is_waiting(const struct sim_oracle *oracle, const struct sim_track *track, int topic);
void sim_pace_settled(struct sim_oracle *oracle, struct sim_track *track, int topic);

#endif
