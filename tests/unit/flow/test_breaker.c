#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "flow/breaker.h"
#include "support/death.h"

#define AT(time) ((hg_time){time})

enum { FAILURES = 3, OPEN_MIN = 1000, OPEN_MAX = 16000 };

static struct hg_breaker breaker;
static struct hg_prng prng;

static int setup(void **state)
{
    (void)state;
    hg_prng_init(&prng, 1);
    hg_breaker_init(&breaker, FAILURES, hg_us(OPEN_MIN), hg_us(OPEN_MAX));
    return 0;
}

static bool allows(uint64_t now)
{
    return hg_breaker_allows(&breaker, AT(now));
}

static bool fails(uint64_t now)
{
    return hg_breaker_failure(&breaker, AT(now), &prng);
}

static uint64_t retry_in(uint64_t now)
{
    return hg_breaker_retry_in(&breaker, AT(now)).us;
}

static void opened_at(uint64_t now)
{
    for (int i = 1; i < FAILURES; i++)
        assert_false(fails(now));
    assert_true(fails(now));
    assert_int_equal(breaker.state, HG_BREAKER_OPEN);
}

static void test_it_opens_after_failures_in_a_row(void **state)
{
    (void)state;
    assert_true(allows(0));
    assert_int_equal(retry_in(0), 0);
    for (int round = 0; round < 10; round++) {
        for (int i = 1; i < FAILURES; i++)
            assert_false(fails(0));
        assert_true(allows(0));
        assert_false(hg_breaker_success(&breaker)); /* one success, and the row is over */
    }
    assert_int_equal(breaker.state, HG_BREAKER_CLOSED);
    opened_at(0);
    assert_false(allows(0));
}

static void test_while_open_it_refuses_and_tells_for_how_long(void **state)
{
    (void)state;
    opened_at(500);
    uint64_t wait = retry_in(500);
    assert_in_range(wait, OPEN_MIN / 4, OPEN_MIN);
    for (uint64_t passed = 0; passed < wait; passed++) {
        assert_false(allows(500 + passed));
        assert_int_equal(retry_in(500 + passed), wait - passed);
    }
    assert_false(hg_breaker_tick(&breaker, AT(500 + wait - 1)));
    assert_int_equal(retry_in(500 + wait), 0);
    assert_true(allows(500 + wait));
    assert_int_equal(breaker.state, HG_BREAKER_HALF_OPEN);
}

/* What comes in from calls made before is no news. */
static void test_outcomes_while_open_change_nothing(void **state)
{
    (void)state;
    opened_at(0);
    struct hg_breaker before = breaker;
    struct hg_prng unused = prng;
    assert_false(fails(10));
    assert_false(hg_breaker_success(&breaker));
    assert_memory_equal(&breaker, &before, sizeof(breaker));
    assert_memory_equal(&prng, &unused, sizeof(prng));
}

static void test_one_trial_at_a_time(void **state)
{
    (void)state;
    opened_at(0);
    uint64_t now = retry_in(0);
    assert_true(hg_breaker_tick(&breaker, AT(now)));
    assert_false(hg_breaker_tick(&breaker, AT(now)));
    assert_int_equal(retry_in(now), 0); /* nobody has tried yet */
    assert_true(allows(now));
    assert_false(allows(now));
    assert_false(allows(now + OPEN_MIN - 1));
    assert_int_equal(retry_in(now), OPEN_MIN);
    /* A trial that is never answered does not hold the gate for ever. */
    assert_true(allows(now + OPEN_MIN));
    assert_false(allows(now + OPEN_MIN));
}

static void test_a_good_trial_closes_and_resets(void **state)
{
    (void)state;
    uint64_t now = 0;
    opened_at(now);
    for (int i = 0; i < 10; i++) {
        now += retry_in(now);
        assert_true(allows(now));
        assert_true(fails(now));
    }
    now += retry_in(now);
    assert_true(allows(now));
    assert_true(hg_breaker_success(&breaker));
    assert_int_equal(breaker.state, HG_BREAKER_CLOSED);
    assert_int_equal(retry_in(now), 0);
    assert_true(allows(now) && allows(now));
    opened_at(now);                         /* needs the whole row again … */
    assert_true(retry_in(now) <= OPEN_MIN); /* … and the shortest time */
}

static void test_failed_trials_keep_it_open_for_longer(void **state)
{
    (void)state;
    uint64_t sums[8] = {0};
    for (uint64_t seed = 0; seed < 2000; seed++) {
        uint64_t now = 0;
        hg_prng_init(&prng, seed);
        hg_breaker_init(&breaker, FAILURES, hg_us(OPEN_MIN), hg_us(OPEN_MAX));
        opened_at(now);
        for (int n = 0; n < 8; n++) {
            uint64_t wait = retry_in(now);
            assert_in_range(wait, OPEN_MIN / 4, n < 4 ? OPEN_MIN << n : OPEN_MAX);
            sums[n] += wait;
            now += wait;
            assert_true(allows(now));
            assert_true(fails(now)); /* one is enough */
        }
    }
    for (int n = 1; n <= 4; n++)
        assert_true(sums[n] > sums[n - 1] * 15 / 10);
    for (int n = 5; n < 8; n++)
        assert_true(sums[n] < sums[4] * 11 / 10 && sums[n] > sums[4] * 9 / 10);
}

/* The same without states: what is known follows from counts and times. */
struct model {
    unsigned row, opens; /* failures in a row; times it opened since it was last closed */
    uint64_t shut_until, next_trial;
    bool seen_over; /* somebody asked after `shut_until` */
};

static enum hg_breaker_state model_state(const struct model *model)
{
    return model->opens == 0 ? HG_BREAKER_CLOSED : model->seen_over ? HG_BREAKER_HALF_OPEN : HG_BREAKER_OPEN;
}

static bool model_allows(struct model *model, uint64_t now)
{
    if (model->opens == 0)
        return true;
    model->seen_over = model->seen_over || now >= model->shut_until;
    if (now < model->shut_until || now < model->next_trial)
        return false;
    model->next_trial = now + OPEN_MIN;
    return true;
}

static bool model_success(struct model *model)
{
    if (model->opens > 0 && !model->seen_over)
        return false;
    bool closes = model->opens > 0;
    *model = (struct model){0};
    return closes;
}

static bool model_failure(struct model *model)
{
    if (model->opens == 0 ? ++model->row < FAILURES : !model->seen_over)
        return false;
    model->opens++;
    model->seen_over = false;
    model->next_trial = 0;
    return true;
}

static void model_step(struct model *model, uint64_t now, struct hg_prng *choice)
{
    switch (hg_prng_below(choice, 5)) {
    case 0: {
        bool expected = model->opens > 0 && !model->seen_over && now >= model->shut_until;
        assert_int_equal(hg_breaker_tick(&breaker, AT(now)), expected);
        model->seen_over = model->seen_over || expected;
        break;
    }
    case 1:
        assert_int_equal(allows(now), model_allows(model, now));
        break;
    case 2:
        if (hg_prng_chance(choice, 30))
            assert_int_equal(hg_breaker_success(&breaker), model_success(model));
        break;
    default: {
        bool opens = model_failure(model);
        assert_int_equal(fails(now), opens);
        if (opens) { /* chance decides, within these bounds */
            model->shut_until = now + retry_in(now);
            assert_in_range(retry_in(now), OPEN_MIN / 4, model->opens <= 4 ? OPEN_MIN << (model->opens - 1) : OPEN_MAX);
        }
    }
    }
    uint64_t until = model->shut_until > model->next_trial ? model->shut_until : model->next_trial;
    assert_int_equal(breaker.state, model_state(model));
    assert_int_equal(retry_in(now), model->opens > 0 && until > now ? until - now : 0);
}

static void test_against_a_naive_model(void **state)
{
    (void)state;
    unsigned seen[HG_BREAKER__COUNT] = {0};
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct hg_prng choice;
        hg_prng_init(&choice, seed);
        hg_prng_init(&prng, ~seed);
        hg_breaker_init(&breaker, FAILURES, hg_us(OPEN_MIN), hg_us(OPEN_MAX));
        struct model model = {0};
        uint64_t now = hg_prng_below(&choice, 1000);
        for (int i = 0; i < 400; i++) {
            now +=
                hg_prng_chance(&choice, 40) ? 0 : hg_prng_below(&choice, hg_prng_chance(&choice, 5) ? OPEN_MAX : 500);
            model_step(&model, now, &choice);
            seen[breaker.state]++;
        }
    }
    for (int i = 0; i < HG_BREAKER__COUNT; i++)
        assert_true(seen[i] > 10000);
}

static void test_a_seed_replays_it(void **state)
{
    (void)state;
    uint64_t waits[2][20];
    for (int run = 0; run < 2; run++) {
        setup(state);
        uint64_t now = 0;
        opened_at(now);
        for (int i = 0; i < 20; i++) {
            now += waits[run][i] = retry_in(now);
            assert_true(allows(now) && fails(now));
        }
    }
    assert_memory_equal(waits[0], waits[1], sizeof(waits[0]));
}

static void test_the_end_of_time(void **state)
{
    (void)state;
    hg_breaker_init(&breaker, 1, hg_us(UINT64_MAX), hg_us(UINT64_MAX));
    assert_true(fails(UINT64_MAX - 1));
    assert_false(allows(UINT64_MAX - 1));
    assert_int_equal(retry_in(UINT64_MAX - 1), 1);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(hg_breaker_state_name(HG_BREAKER_CLOSED), "closed");
    assert_string_equal(hg_breaker_state_name(HG_BREAKER_OPEN), "open");
    assert_string_equal(hg_breaker_state_name(HG_BREAKER_HALF_OPEN), "half_open");
}

static void no_failures(void)
{
    hg_breaker_init(&breaker, 0, hg_us(1), hg_us(1));
}

static void no_time(void)
{
    hg_breaker_init(&breaker, 1, hg_us(0), hg_us(1));
}

static void a_state_that_is_none(void)
{
    hg_breaker_state_name(HG_BREAKER__COUNT);
}

static void test_what_cannot_be(void **state)
{
    (void)state;
    assert_true(hgt_dies(no_failures));
    assert_true(hgt_dies(no_time));
    assert_true(hgt_dies(a_state_that_is_none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_it_opens_after_failures_in_a_row, setup),
        cmocka_unit_test_setup(test_while_open_it_refuses_and_tells_for_how_long, setup),
        cmocka_unit_test_setup(test_outcomes_while_open_change_nothing, setup),
        cmocka_unit_test_setup(test_one_trial_at_a_time, setup),
        cmocka_unit_test_setup(test_a_good_trial_closes_and_resets, setup),
        cmocka_unit_test(test_failed_trials_keep_it_open_for_longer),
        cmocka_unit_test(test_against_a_naive_model),
        cmocka_unit_test(test_a_seed_replays_it),
        cmocka_unit_test(test_the_end_of_time),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
