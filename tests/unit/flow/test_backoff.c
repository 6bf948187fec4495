#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow/backoff.h"
#include "support/death.h"

/* The ceiling of delay n, with more bits than it can need. */
static uint64_t ceiling_of(uint64_t min, uint64_t max, unsigned n)
{
    __uint128_t ceiling = n < 64 ? (__uint128_t)min << n : (__uint128_t)max;
    return ceiling < max ? (uint64_t)ceiling : max;
}

static void assert_within_bounds(uint64_t min, uint64_t max, uint64_t seed)
{
    struct hg_prng prng;
    hg_prng_init(&prng, seed);
    struct hg_backoff backoff;
    hg_backoff_init(&backoff, hg_us(min), hg_us(max));
    for (unsigned n = 0; n < 140; n++) {
        uint64_t delay = hg_backoff_next(&backoff, &prng).us;
        assert_true(delay >= min / 4 && delay <= ceiling_of(min, max, n));
        assert_int_equal(backoff.attempts, n + 1);
    }
    hg_backoff_success(&backoff);
    assert_int_equal(backoff.attempts, 0);
    assert_true(hg_backoff_next(&backoff, &prng).us <= min);
}

static void test_bounds(void **state)
{
    (void)state;
    static const uint64_t pairs[][2] = {{50000, 3000000},
                                        {1, 1},
                                        {1, 3},
                                        {3, 1000},
                                        {1000, 1000},
                                        {1, UINT64_MAX},
                                        {UINT64_MAX, UINT64_MAX},
                                        {UINT64_MAX / 2, UINT64_MAX},
                                        {UINT64_MAX / 2 + 1, UINT64_MAX},
                                        {5, (UINT64_C(1) << 63) + 1}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        for (uint64_t seed = 1; seed <= 50; seed++)
            assert_within_bounds(pairs[i][0], pairs[i][1], seed);
}

/* Both ends of the range occur and every part of it as often as it should, for early and late delays. */
static void test_even_over_the_range(void **state)
{
    (void)state;
    enum { MIN = 8, MAX = 20, ROUNDS = 19000 };
    struct hg_prng prng;
    hg_prng_init(&prng, 3);
    for (unsigned n = 0; n < 4; n++) {
        unsigned counts[MAX + 1] = {0}, low = MIN / 4, high = (unsigned)ceiling_of(MIN, MAX, n),
                              values = high - low + 1;
        for (unsigned i = 0; i < ROUNDS; i++) {
            struct hg_backoff backoff;
            hg_backoff_init(&backoff, hg_us(MIN), hg_us(MAX));
            for (unsigned skip = 0; skip < n; skip++)
                hg_backoff_next(&backoff, &prng);
            uint64_t delay = hg_backoff_next(&backoff, &prng).us;
            assert_true(delay <= MAX);
            counts[delay]++;
        }
        for (unsigned delay = 0; delay <= MAX; delay++) {
            if (delay < low || delay > high)
                assert_int_equal(counts[delay], 0);
            else /* the spread is sqrt(1000) at least; a fixed seed, so no luck is involved */
                assert_in_range(counts[delay], ROUNDS / values * 8 / 10, ROUNDS / values * 12 / 10);
        }
    }
}

static void test_it_grows_and_starts_anew(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 4);
    uint64_t sums[8] = {0}, again = 0;
    for (unsigned i = 0; i < 2000; i++) {
        struct hg_backoff backoff;
        hg_backoff_init(&backoff, hg_ms(50), hg_ms(3000));
        for (unsigned n = 0; n < 8; n++)
            sums[n] += hg_backoff_next(&backoff, &prng).us;
        hg_backoff_success(&backoff);
        again += hg_backoff_next(&backoff, &prng).us;
    }
    for (unsigned n = 1; n <= 6; n++)
        assert_true(sums[n] > sums[n - 1] * 14 / 10); /* 50 100 200 400 800 1600 3000: the last step is the smallest */
    assert_true(sums[7] < sums[6] * 11 / 10 && sums[7] * 11 / 10 > sums[6]); /* capped */
    assert_true(again < sums[0] * 11 / 10);
}

static void test_a_seed_replays_it(void **state)
{
    (void)state;
    struct hg_prng a, b, other;
    hg_prng_init(&a, 5);
    hg_prng_init(&b, 5);
    hg_prng_init(&other, 6);
    struct hg_backoff x, y, z;
    hg_backoff_init(&x, hg_ms(50), hg_ms(3000));
    y = z = x;
    unsigned differ = 0;
    for (unsigned n = 0; n < 100; n++) {
        uint64_t delay = hg_backoff_next(&x, &a).us;
        assert_true(delay == hg_backoff_next(&y, &b).us);
        differ += delay != hg_backoff_next(&z, &other).us;
    }
    assert_true(differ > 90);
}

static void test_attempts_do_not_wrap(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 7);
    struct hg_backoff backoff;
    hg_backoff_init(&backoff, hg_us(1), hg_us(1000000));
    backoff.attempts = UINT32_MAX - 1;
    uint64_t longest = 0;
    for (unsigned i = 0; i < 50; i++) {
        uint64_t delay = hg_backoff_next(&backoff, &prng).us;
        longest = delay > longest ? delay : longest;
    }
    assert_int_equal(backoff.attempts, UINT32_MAX);
    assert_true(longest > 500000);
}

static void init_with_nothing(void)
{
    struct hg_backoff backoff;
    hg_backoff_init(&backoff, hg_us(0), hg_us(10));
}

static void test_limits_in_the_wrong_order(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 8);
    struct hg_backoff backoff;
    hg_backoff_init(&backoff, hg_us(100), hg_us(10));
    for (unsigned i = 0; i < 100; i++)
        assert_in_range(hg_backoff_next(&backoff, &prng).us, 25, 100);
    assert_true(hgt_dies(init_with_nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_even_over_the_range),
        cmocka_unit_test(test_it_grows_and_starts_anew),
        cmocka_unit_test(test_a_seed_replays_it),
        cmocka_unit_test(test_attempts_do_not_wrap),
        cmocka_unit_test(test_limits_in_the_wrong_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
