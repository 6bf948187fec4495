/* prng.h – a seeded pseudo-random generator: xoshiro256** seeded through splitmix64 (Blackman and Vigna, 2018).
 * The same seed gives the same numbers on every machine. Not for secrets. Calls out: none. */
#ifndef HG_BASE_PRNG_H
#define HG_BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct hg_prng {
    uint64_t s[4];
};

void hg_prng_init(struct hg_prng *prng, uint64_t seed);
uint64_t hg_prng_next(struct hg_prng *prng);
/* Even over 0 … bound-1; bound > 0. */
uint64_t hg_prng_below(struct hg_prng *prng, uint64_t bound);
/* True `percent` times in a hundred. */
bool hg_prng_chance(struct hg_prng *prng, unsigned percent);

#endif
