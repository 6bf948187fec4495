/* delays.h – how long things took: a histogram with buckets of a sixteenth of a power of two, from 1 µs.
 *
 * Units: delays go in as nanoseconds and come out as microseconds. A zeroed one is empty. Calls out: none. */
#ifndef HGT_BENCH_DELAYS_H
#define HGT_BENCH_DELAYS_H

#include <stdint.h>

#define HGT_DELAY_BUCKETS (16 * 40)

struct hgt_delays {
    uint64_t buckets[HGT_DELAY_BUCKETS];
};

void hgt_delays_note(struct hgt_delays *delays, uint64_t ns);
/* The time within which `share` of them ended; 0 when there are none. */
double hgt_delays_within(const struct hgt_delays *delays, double share);

#endif
