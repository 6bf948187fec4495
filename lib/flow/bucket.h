/* bucket.h – token bucket: so many a second on average, so many at once. A token is there for the taking as long as
 * the bucket is not empty; it fills evenly with time and never past its burst.
 *
 * Units: tokens; `rate` in tokens per second; microseconds. Credit is counted in millionths of a token, of which one
 * microsecond brings exactly `rate`: nothing is ever rounded away, however often it is asked. A clock that stands still
 * brings nothing, and one that steps back neither. Calls out: none. */
#ifndef HG_FLOW_BUCKET_H
#define HG_FLOW_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

/* Of tokens and of the rate: credit is counted in 64 bits. */
#define HG_BUCKET_MAX (UINT64_MAX / 1000000)

struct hg_bucket {
    uint64_t rate;   /* 1 … HG_BUCKET_MAX */
    uint64_t burst;  /* tokens, 1 … HG_BUCKET_MAX */
    uint64_t credit; /* millionths of a token, as of `at` */
    hg_time at;
};

/* A full bucket. */
void hg_bucket_init(struct hg_bucket *bucket, uint64_t rate, uint64_t burst, hg_time now);
/* The burst that is what `rate` brings in `span`: whole tokens, 1 … HG_BUCKET_MAX. */
uint64_t hg_bucket_burst_of(uint64_t rate, hg_dur span);

/* Whether a token is there; if not, `reterr_wait` is how long until one is. For a caller that needs one of each of
 * several buckets. */
bool hg_bucket_has(struct hg_bucket *bucket, hg_time now, hg_dur *reterr_wait);
/* The same, and takes it. */
bool hg_bucket_take(struct hg_bucket *bucket, hg_time now, hg_dur *reterr_wait);
/* Nothing distinguishes a full bucket from a new one: it may be forgotten. */
bool hg_bucket_is_full(const struct hg_bucket *bucket, hg_time now);

#endif
