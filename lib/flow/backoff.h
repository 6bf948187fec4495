/* backoff.h – exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", 2015): delay n, counted
 * from 0 since the last success, is even over min/4 … min(max, min·2^n). The lower end is above zero so that a refused
 * connection is not retried in a loop. Units: microseconds. Calls out: none. */
#ifndef HG_FLOW_BACKOFF_H
#define HG_FLOW_BACKOFF_H

#include "base/prng.h"
#include "base/time.h"

struct hg_backoff {
    hg_dur min, max;
    unsigned attempts; /* since the last success */
};

/* `min` > 0. A `max` below `min` counts as `min`. */
void hg_backoff_init(struct hg_backoff *backoff, hg_dur min, hg_dur max);
/* The delay before the next attempt; counts it. */
hg_dur hg_backoff_next(struct hg_backoff *backoff, struct hg_prng *prng);
void hg_backoff_success(struct hg_backoff *backoff);

#endif
