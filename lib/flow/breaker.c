#include "flow/breaker.h"

#include <stdint.h>

#include "base/assert.h"

#define TO(state) (1u << HG_BREAKER_##state)

static const uint8_t may[HG_BREAKER__COUNT] = {
    [HG_BREAKER_CLOSED] = TO(OPEN),
    [HG_BREAKER_OPEN] = TO(HALF_OPEN),
    [HG_BREAKER_HALF_OPEN] = TO(OPEN) | TO(CLOSED),
};

static void set_state(struct hg_breaker *breaker, enum hg_breaker_state next, hg_time until)
{
    HG_ASSERT(may[breaker->state] & (1u << next));
    breaker->state = next;
    breaker->failures = 0;
    breaker->until = until;
}

void hg_breaker_init(struct hg_breaker *breaker, unsigned failures_max, hg_dur open_min, hg_dur open_max)
{
    HG_ASSERT(failures_max > 0);
    *breaker = (struct hg_breaker){.state = HG_BREAKER_CLOSED, .failures_max = failures_max, .until = HG_TIME_NEVER};
    hg_backoff_init(&breaker->backoff, open_min, open_max);
}

bool hg_breaker_tick(struct hg_breaker *breaker, hg_time now)
{
    if (breaker->state != HG_BREAKER_OPEN || !hg_time_reached(breaker->until, now))
        return false;
    set_state(breaker, HG_BREAKER_HALF_OPEN, now);
    return true;
}

bool hg_breaker_allows(struct hg_breaker *breaker, hg_time now)
{
    hg_breaker_tick(breaker, now);
    if (breaker->state == HG_BREAKER_CLOSED)
        return true;
    if (!hg_time_reached(breaker->until, now))
        return false;
    breaker->until = hg_time_add(now, breaker->backoff.min);
    return true;
}

void hg_breaker_try_now(struct hg_breaker *breaker, hg_time now)
{
    if (breaker->state == HG_BREAKER_OPEN)
        set_state(breaker, HG_BREAKER_HALF_OPEN, now);
    else if (breaker->state == HG_BREAKER_HALF_OPEN)
        breaker->until = now;
}

bool hg_breaker_success(struct hg_breaker *breaker)
{
    if (breaker->state == HG_BREAKER_OPEN)
        return false;
    hg_backoff_success(&breaker->backoff);
    breaker->failures = 0;
    if (breaker->state == HG_BREAKER_CLOSED)
        return false;
    set_state(breaker, HG_BREAKER_CLOSED, HG_TIME_NEVER);
    return true;
}

bool hg_breaker_failure(struct hg_breaker *breaker, hg_time now, struct hg_prng *prng)
{
    if (breaker->state == HG_BREAKER_OPEN)
        return false;
    if (breaker->state == HG_BREAKER_CLOSED && ++breaker->failures < breaker->failures_max)
        return false;
    set_state(breaker, HG_BREAKER_OPEN, hg_time_add(now, hg_backoff_next(&breaker->backoff, prng)));
    return true;
}

hg_dur hg_breaker_retry_in(const struct hg_breaker *breaker, hg_time now)
{
    return breaker->state == HG_BREAKER_CLOSED ? hg_us(0) : hg_time_since(now, breaker->until);
}

const char *hg_breaker_state_name(enum hg_breaker_state state)
{
    static const char *const names[HG_BREAKER__COUNT] = {
        [HG_BREAKER_CLOSED] = "closed",
        [HG_BREAKER_OPEN] = "open",
        [HG_BREAKER_HALF_OPEN] = "half_open",
    };
    HG_ASSERT((unsigned)state < HG_BREAKER__COUNT);
    return names[state];
}
