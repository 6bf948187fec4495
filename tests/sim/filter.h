/* filter.h – the filters that clients ask for, and a judgement of each that is too simple to be wrong: a C expression
 * over what a publisher put into the event. Spellings of one filter mean the same and must share its subscription.
 * Static data; calls out: none. */
#ifndef HG_SIM_FILTER_H
#define HG_SIM_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

/* What filters may ask of an event besides its topic. All missing: it is no JSON object. */
struct sim_facts {
    bool has_n, has_kind, has_k;
    int n, k;         /* n, data.k */
    const char *kind; /* static */
};

struct sim_filter {
    const char *spellings[4]; /* JSON as in a command; the first stands always */
    bool (*passes)(const struct sim_facts *facts, const char *topic);
};

extern const struct sim_filter sim_filters[];
extern const size_t sim_filter_count;
/* JSON as well; each must be refused. */
extern const char *const sim_bad_filters[];
extern const size_t sim_bad_filter_count;

/* Without a filter everything passes. */
bool sim_filter_passes(const struct sim_filter *filter, const struct sim_facts *facts, const char *topic);
/* How to write it; `chance` chooses the spelling. */
const char *sim_filter_spelling(const struct sim_filter *filter, size_t chance);

/* Facts that follow from a number; their members as JSON, each followed by a comma. */
struct sim_facts sim_facts_make(size_t chance);
void sim_facts_put(const struct sim_facts *facts, char *into, size_t size);
/* Those of an event that was made with sim_facts_put(). */
struct sim_facts sim_facts_read(struct hg_slice event);

#endif
