#include "bench/delays.h"

#include <stddef.h>

void hgt_delays_note(struct hgt_delays *delays, uint64_t ns)
{
    uint64_t us = ns / 1000;
    size_t at = (size_t)us;
    if (us >= 16) {
        unsigned log = 63u - (unsigned)__builtin_clzll(us);
        at = (size_t)(log - 3) * 16 + (size_t)((us >> (log - 4)) & 15);
    }
    delays->buckets[at < HGT_DELAY_BUCKETS ? at : HGT_DELAY_BUCKETS - 1]++;
}

static double middle_of_bucket(size_t at)
{
    if (at < 16)
        return (double)at + 0.5;
    size_t log = at / 16 + 3;
    return ((double)(at % 16) + 16.5) * (double)(UINT64_C(1) << (log - 4));
}

double hgt_delays_within(const struct hgt_delays *delays, double share)
{
    uint64_t sum = 0, below = 0;
    for (size_t i = 0; i < HGT_DELAY_BUCKETS; i++)
        sum += delays->buckets[i];
    for (size_t i = 0; i < HGT_DELAY_BUCKETS; i++) {
        below += delays->buckets[i];
        if (sum > 0 && (double)below >= share * (double)sum)
            return middle_of_bucket(i);
    }
    return 0;
}
