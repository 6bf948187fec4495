/* tally.h – what the workers of a process count, seen together: a slot each, written by its worker alone and read by
 * all, without a lock. A sum is of one moment only as far as each slot is; it never counts anything twice.
 * Ownership: the tally owns its slots. Calls out: none. */
#ifndef HG_TALLY_H
#define HG_TALLY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/error.h"
#include "core/core.h"

struct hg_tally;

HG_RESULT hg_tally_new(unsigned workers, struct hg_tally **ret_tally);
/* Accepts NULL. */
void hg_tally_free(struct hg_tally *tally);

/* Workers count from 0. What it has now; by its own thread. */
void hg_tally_publish(struct hg_tally *tally, unsigned worker, const struct hg_core_stats *stats);
/* Adds the counts of all workers but this one, those that are gone for good included; a `worker` that there is not: of
 * all. */
void hg_tally_add_others(struct hg_tally *tally, unsigned worker, struct hg_core_stats *stats);
/* Clients, of whom there are at most so many with all workers; by its own thread. */
bool hg_tally_take_seat(struct hg_tally *tally, unsigned worker, uint64_t seats_max);
void hg_tally_give_seat(struct hg_tally *tally, unsigned worker);

/* The worker's thread is gone, and what it had with it: nothing of it counts as being there any more, what happened
 * stays. Its slot is free for the next. */
void hg_tally_bury(struct hg_tally *tally, unsigned worker);

#endif
