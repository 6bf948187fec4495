/* breaker.h – circuit breaker (Nygard, "Release It!", 2007, section 5.2): after so many failures in a row it refuses
 * calls at once instead of letting each wait for a peer that is not there. After a while one call goes through as a
 * trial, and its outcome decides.
 *
 *   CLOSED ── failures_max failures in a row ──► OPEN ── time ──► HALF_OPEN ── success ──► CLOSED
 *                                                 ▲                   │
 *                                                 └───── failure ─────┘
 *
 * The time it stays open is that of backoff.h: even over open_min/4 … open_max, its upper end twice as long at each
 * failed trial. A trial whose outcome is not told within open_min is given up for lost, and another call may try.
 * Outcomes that arrive while it is open are of calls made before and change nothing. Time and chance are arguments.
 * Units: microseconds. Calls out: none. */
#ifndef HG_FLOW_BREAKER_H
#define HG_FLOW_BREAKER_H

#include <stdbool.h>

#include "base/prng.h"
#include "base/time.h"
#include "flow/backoff.h"

enum hg_breaker_state { HG_BREAKER_CLOSED, HG_BREAKER_OPEN, HG_BREAKER_HALF_OPEN, HG_BREAKER__COUNT };

struct hg_breaker {
    enum hg_breaker_state state;
    unsigned failures_max;
    unsigned failures; /* CLOSED: in a row */
    hg_time until;     /* OPEN: when it ends; HALF_OPEN: when the next trial may go */
    struct hg_backoff backoff;
};

/* Closed. `failures_max` and `open_min` > 0; an `open_max` below `open_min` counts as `open_min`. */
void hg_breaker_init(struct hg_breaker *breaker, unsigned failures_max, hg_dur open_min, hg_dur open_max);

/* Whether a call may be made now. While half open a true is the trial: ask only for a call that will be made, and tell
 * its outcome. */
bool hg_breaker_allows(struct hg_breaker *breaker, hg_time now);
/* OPEN becomes HALF_OPEN when its time is over; true if it did. hg_breaker_allows() does the same. */
bool hg_breaker_tick(struct hg_breaker *breaker, hg_time now);
/* The peer gave a sign of life: a trial may go at once. */
void hg_breaker_try_now(struct hg_breaker *breaker, hg_time now);
/* The outcome of a call. True if it closed, or opened, the breaker. */
bool hg_breaker_success(struct hg_breaker *breaker);
bool hg_breaker_failure(struct hg_breaker *breaker, hg_time now, struct hg_prng *prng);
/* How long until a call may be made; zero: now. */
hg_dur hg_breaker_retry_in(const struct hg_breaker *breaker, hg_time now);

/* "closed", "open", "half_open"; static. */
const char *hg_breaker_state_name(enum hg_breaker_state state);

#endif
