#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "flow/bucket.h"
#include "support/death.h"

#define SECOND   UINT64_C(1000000)
#define YEAR     (UINT64_C(366) * 86400 * SECOND)
#define UNTOLD   UINT64_MAX
#define AT(time) ((hg_time){time})

static bool takes(struct hg_bucket *bucket, uint64_t now)
{
    hg_dur wait;
    return hg_bucket_take(bucket, AT(now), &wait);
}

/* Every microsecond drops its millionths into the bucket; what is past the brim is spilt. */
struct model {
    uint64_t rate, burst, credit, at;
};

static void model_pass(struct model *model, uint64_t now)
{
    for (; model->at < now; model->at++) {
        model->credit += model->rate;
        if (model->credit > model->burst * SECOND)
            model->credit = model->burst * SECOND;
    }
}

static bool model_take(struct model *model, uint64_t now, uint64_t *ret_wait)
{
    model_pass(model, now);
    if (model->credit >= SECOND) {
        model->credit -= SECOND;
        return true;
    }
    *ret_wait = 0;
    for (uint64_t credit = model->credit; credit < SECOND; credit += model->rate)
        (*ret_wait)++;
    return false;
}

static void against_the_model(uint64_t seed, uint64_t rate, uint64_t burst, uint64_t step)
{
    struct hg_prng prng;
    hg_prng_init(&prng, seed);
    uint64_t now = 1000 + hg_prng_below(&prng, 1000);
    struct model model = {rate, burst, burst * SECOND, now};
    struct hg_bucket bucket;
    hg_bucket_init(&bucket, rate, burst, AT(now));
    for (int i = 0; i < 200; i++) {
        now += hg_prng_chance(&prng, 40) ? 0 : hg_prng_below(&prng, step);
        uint64_t expected = UNTOLD, before = bucket.credit;
        hg_dur wait = {UNTOLD};
        if (hg_prng_chance(&prng, 30)) {
            model_pass(&model, now);
            assert_int_equal(hg_bucket_is_full(&bucket, AT(now)), model.credit == burst * SECOND);
            assert_true(bucket.credit == before);
        }
        if (hg_prng_chance(&prng, 30)) { /* asking takes nothing */
            struct model asked = model;
            assert_int_equal(hg_bucket_has(&bucket, AT(now), &wait), model_take(&asked, now, &expected));
        } else {
            assert_int_equal(hg_bucket_take(&bucket, AT(now), &wait), model_take(&model, now, &expected));
        }
        assert_true(wait.us == expected); /* both untold when it was there */
        model_pass(&model, now);
        assert_true(bucket.credit == model.credit);
    }
}

static void test_against_a_naive_model(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 2, 3, 7, 333, 1000, 999983, 1000000, 1000001, 7777777, 1000000000};
    for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++)
        for (uint64_t seed = 0; seed < (rates[r] < 1000 ? 3 : 24); seed++) {
            uint64_t burst = 1 + seed % 6, token = 1 + SECOND / rates[r];
            against_the_model(seed, rates[r], burst, token < 4000 ? 2 * token : 4000);
        }
}

/* The wait is exact: one microsecond sooner there is no token. */
static void test_the_wait_is_exact(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct hg_prng prng;
        hg_prng_init(&prng, seed);
        uint64_t rate = 1 + hg_prng_below(&prng, seed % 2 ? 1000 : 3 * SECOND), now = hg_prng_below(&prng, YEAR);
        struct hg_bucket bucket, sooner;
        hg_bucket_init(&bucket, rate, 1 + hg_prng_below(&prng, 10), AT(now));
        hg_dur wait;
        while (hg_bucket_take(&bucket, AT(now), &wait))
            now += hg_prng_below(&prng, 2);
        assert_true(wait.us > 0 && wait.us <= 1 + SECOND / rate);
        sooner = bucket;
        assert_false(takes(&sooner, now + wait.us - 1));
        assert_true(takes(&bucket, now + wait.us));
    }
}

/* However often it is asked: in an hour there are exactly the burst and what the hour brings. */
static void test_nothing_drifts(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 3, 7, 11, 333};
    for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
        struct hg_prng prng;
        hg_prng_init(&prng, r);
        struct hg_bucket often, greedy;
        hg_bucket_init(&often, rates[r], 5, AT(0));
        greedy = often;
        uint64_t taken_often = 0, taken_greedy = 0;
        for (uint64_t now = 0; now < 3600 * SECOND; now += hg_prng_below(&prng, 3000))
            taken_often += takes(&often, now);
        while (takes(&often, 3600 * SECOND))
            taken_often++;
        for (uint64_t now = 0; now <= 3600 * SECOND;) {
            hg_dur wait;
            if (hg_bucket_take(&greedy, AT(now), &wait))
                taken_greedy++;
            else
                now += wait.us;
        }
        assert_true(taken_often == 5 + 3600 * rates[r]);
        assert_true(taken_greedy == 5 + 3600 * rates[r]);
    }
}

static void test_a_clock_that_does_not_move(void **state)
{
    (void)state;
    struct hg_bucket bucket;
    hg_bucket_init(&bucket, 1000, 3, AT(77));
    hg_dur wait = {UNTOLD};
    for (int i = 0; i < 3; i++)
        assert_true(hg_bucket_take(&bucket, AT(77), &wait));
    assert_true(wait.us == UNTOLD);
    for (int i = 0; i < 1000; i++) {
        assert_false(hg_bucket_take(&bucket, AT(77), &wait));
        assert_int_equal(wait.us, 1000);
    }
    /* One that steps back brings nothing, and the way forward is not counted twice. */
    assert_false(hg_bucket_take(&bucket, AT(7), &wait));
    assert_int_equal(wait.us, 1070);
    assert_false(takes(&bucket, 77));
    assert_false(takes(&bucket, 1076));
    assert_true(takes(&bucket, 1077));
    assert_false(takes(&bucket, 1077));
}

static void test_years_of_rest_at_the_highest_rate(void **state)
{
    (void)state;
    /* The last ones bring 2^64 millionths and a few: 0 in 64 bits. */
    static const uint64_t rests[] = {YEAR, 100 * YEAR, UINT64_MAX - 5, UINT64_C(1) << 34, (UINT64_C(1) << 34) + 1};
    static const uint64_t rates[] = {1, 1000000000, HG_BUCKET_MAX, UINT64_C(1) << 30};
    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++)
        for (size_t r = 0; r < sizeof(rates) / sizeof(rates[0]); r++) {
            struct hg_bucket bucket;
            hg_bucket_init(&bucket, rates[r], 2000, AT(5));
            for (int n = 0; n < 2000; n++)
                assert_true(takes(&bucket, 5));
            assert_false(takes(&bucket, 5));
            assert_false(hg_bucket_is_full(&bucket, AT(5)));
            assert_true(hg_bucket_is_full(&bucket, AT(5 + rests[i])));
            for (int n = 0; n < 2000; n++)
                assert_true(takes(&bucket, 5 + rests[i]));
            assert_false(takes(&bucket, 5 + rests[i]));
        }
    struct hg_bucket deep;
    hg_bucket_init(&deep, 1, HG_BUCKET_MAX, AT(0));
    assert_true(takes(&deep, 0));
    assert_false(hg_bucket_is_full(&deep, AT(SECOND - 1)));
    assert_true(hg_bucket_is_full(&deep, AT(SECOND)));
}

/* A bucket that is full behaves as a new one, and only then. */
static void test_only_a_full_bucket_may_be_forgotten(void **state)
{
    (void)state;
    struct hg_bucket bucket;
    hg_bucket_init(&bucket, 3, 2, AT(0));
    assert_true(hg_bucket_is_full(&bucket, AT(0)));
    assert_true(takes(&bucket, 0));
    assert_false(hg_bucket_is_full(&bucket, AT(0)));
    assert_false(hg_bucket_is_full(&bucket, AT(333333)));
    assert_true(hg_bucket_is_full(&bucket, AT(333334)));
    assert_true(hg_bucket_is_full(&bucket, AT(900000)));
}

static void test_the_burst_of_a_time(void **state)
{
    (void)state;
    assert_int_equal(hg_bucket_burst_of(10, hg_ms(1000)), 10);
    assert_int_equal(hg_bucket_burst_of(10, hg_ms(100)), 1);
    assert_int_equal(hg_bucket_burst_of(1, hg_ms(100)), 1); /* never none */
    assert_int_equal(hg_bucket_burst_of(15, hg_ms(100)), 1);
    assert_int_equal(hg_bucket_burst_of(19, hg_ms(60000)), 1140);
    assert_int_equal(hg_bucket_burst_of(7, hg_us(2999999)), 20);
    assert_int_equal(hg_bucket_burst_of(7, hg_us(3000000)), 21);
    assert_int_equal(hg_bucket_burst_of(1000000000, hg_ms(60000)), 60000000000);
    assert_true(hg_bucket_burst_of(HG_BUCKET_MAX, hg_ms(1000)) == HG_BUCKET_MAX);
    assert_true(hg_bucket_burst_of(HG_BUCKET_MAX, hg_us(1000001)) == HG_BUCKET_MAX);
    assert_true(hg_bucket_burst_of(2, hg_us(UINT64_MAX)) == HG_BUCKET_MAX);
}

static void no_rate(void)
{
    struct hg_bucket bucket;
    hg_bucket_init(&bucket, 0, 1, AT(0));
}

static void no_burst(void)
{
    struct hg_bucket bucket;
    hg_bucket_init(&bucket, 1, 0, AT(0));
}

static void a_burst_too_large(void)
{
    struct hg_bucket bucket;
    hg_bucket_init(&bucket, 1, HG_BUCKET_MAX + 1, AT(0));
}

static void a_rate_too_large(void)
{
    struct hg_bucket bucket;
    hg_bucket_init(&bucket, HG_BUCKET_MAX + 1, 1, AT(0));
}

static void test_what_cannot_be(void **state)
{
    (void)state;
    assert_true(hgt_dies(no_rate));
    assert_true(hgt_dies(no_burst));
    assert_true(hgt_dies(a_burst_too_large));
    assert_true(hgt_dies(a_rate_too_large));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_naive_model),
        cmocka_unit_test(test_the_wait_is_exact),
        cmocka_unit_test(test_nothing_drifts),
        cmocka_unit_test(test_a_clock_that_does_not_move),
        cmocka_unit_test(test_years_of_rest_at_the_highest_rate),
        cmocka_unit_test(test_only_a_full_bucket_may_be_forgotten),
        cmocka_unit_test(test_the_burst_of_a_time),
        cmocka_unit_test(test_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
