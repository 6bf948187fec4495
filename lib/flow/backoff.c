#include "flow/backoff.h"

#include <limits.h>

#include "base/assert.h"

void hg_backoff_init(struct hg_backoff *backoff, hg_dur min, hg_dur max)
{
    HG_ASSERT(min.us > 0);
    *backoff = (struct hg_backoff){.min = min, .max = max.us > min.us ? max : min};
}

hg_dur hg_backoff_next(struct hg_backoff *backoff, struct hg_prng *prng)
{
    uint64_t min = backoff->min.us, ceiling = backoff->max.us;
    /* Compared by shifting down, so that nothing overflows however many attempts there were. */
    if (backoff->attempts < 64 && min <= ceiling >> backoff->attempts)
        ceiling = min << backoff->attempts;
    if (backoff->attempts < UINT_MAX)
        backoff->attempts++;
    uint64_t floor = min / 4, span = ceiling - floor;
    return hg_us(floor + (span < UINT64_MAX ? hg_prng_below(prng, span + 1) : hg_prng_next(prng)));
}

void hg_backoff_success(struct hg_backoff *backoff)
{
    backoff->attempts = 0;
}
