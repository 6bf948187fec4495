/* time.h – time is an argument and its unit a type. hg_time: microseconds of a monotonic clock whose zero means
 * nothing; hg_dur: a span in microseconds. Calls out: none. */
#ifndef HG_BASE_TIME_H
#define HG_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t us;
} hg_time;

typedef struct {
    uint64_t us;
} hg_dur;

#define HG_TIME_NEVER ((hg_time){UINT64_MAX})

static inline hg_dur hg_us(uint64_t us)
{
    return (hg_dur){us};
}

static inline hg_dur hg_ms(uint64_t ms)
{
    return (hg_dur){ms > UINT64_MAX / 1000 ? UINT64_MAX : ms * 1000};
}

/* Saturates at HG_TIME_NEVER. */
static inline hg_time hg_time_add(hg_time t, hg_dur d)
{
    return (hg_time){d.us > UINT64_MAX - t.us ? UINT64_MAX : t.us + d.us};
}

static inline bool hg_time_before(hg_time a, hg_time b)
{
    return a.us < b.us;
}

/* True once `now` has reached `deadline`. */
static inline bool hg_time_reached(hg_time deadline, hg_time now)
{
    return now.us >= deadline.us;
}

static inline hg_time hg_time_min(hg_time a, hg_time b)
{
    return a.us < b.us ? a : b;
}

/* The span from a to b; zero when b is not after a. */
static inline hg_dur hg_time_since(hg_time a, hg_time b)
{
    return (hg_dur){b.us > a.us ? b.us - a.us : 0};
}

#endif
