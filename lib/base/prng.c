#include "base/prng.h"

#include "base/assert.h"

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

void hg_prng_init(struct hg_prng *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        prng->s[i] = splitmix64(&seed);
}

uint64_t hg_prng_next(struct hg_prng *prng)
{
    uint64_t *s = prng->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t hg_prng_below(struct hg_prng *prng, uint64_t bound)
{
    HG_ASSERT(bound > 0);
    uint64_t reject = (0 - bound) % bound, number;
    do
        number = hg_prng_next(prng);
    while (number < reject);
    return number % bound;
}

bool hg_prng_chance(struct hg_prng *prng, unsigned percent)
{
    return hg_prng_below(prng, 100) < percent;
}
