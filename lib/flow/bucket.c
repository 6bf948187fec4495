#include "flow/bucket.h"

#include "base/assert.h"

#define TOKEN UINT64_C(1000000) /* credit */

void hg_bucket_init(struct hg_bucket *bucket, uint64_t rate, uint64_t burst, hg_time now)
{
    HG_ASSERT(rate > 0 && rate <= HG_BUCKET_MAX);
    HG_ASSERT(burst > 0 && burst <= HG_BUCKET_MAX);
    *bucket = (struct hg_bucket){.rate = rate, .burst = burst, .credit = burst * TOKEN, .at = now};
}

uint64_t hg_bucket_burst_of(uint64_t rate, hg_dur span)
{
    HG_ASSERT(rate > 0 && rate <= HG_BUCKET_MAX);
    uint64_t seconds = span.us / 1000000, rest = rate * (span.us % 1000000) / 1000000;
    if (seconds > (HG_BUCKET_MAX - rest) / rate)
        return HG_BUCKET_MAX;
    uint64_t burst = rate * seconds + rest;
    return burst > 0 ? burst : 1;
}

/* The credit there is by `now`. */
static uint64_t credit_at(const struct hg_bucket *bucket, hg_time now)
{
    uint64_t lacking = bucket->burst * TOKEN - bucket->credit, elapsed = hg_time_since(bucket->at, now).us;
    /* Divided, because the product does not fit after a long rest. */
    return elapsed > lacking / bucket->rate ? bucket->burst * TOKEN : bucket->credit + elapsed * bucket->rate;
}

bool hg_bucket_has(struct hg_bucket *bucket, hg_time now, hg_dur *reterr_wait)
{
    bucket->credit = credit_at(bucket, now);
    if (hg_time_before(bucket->at, now))
        bucket->at = now;
    if (bucket->credit >= TOKEN)
        return true;
    /* Rounded up, and counted from `at`, which a clock that stepped back has yet to reach. */
    *reterr_wait = hg_us(1 + (TOKEN - bucket->credit - 1) / bucket->rate + hg_time_since(now, bucket->at).us);
    return false;
}

bool hg_bucket_take(struct hg_bucket *bucket, hg_time now, hg_dur *reterr_wait)
{
    if (!hg_bucket_has(bucket, now, reterr_wait))
        return false;
    bucket->credit -= TOKEN;
    return true;
}

bool hg_bucket_is_full(const struct hg_bucket *bucket, hg_time now)
{
    return credit_at(bucket, now) == bucket->burst * TOKEN;
}
