/* When the gate sheds, and how many it takes in a turn: by itself, and against a model in floating point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "core/admission.h"

#define MIB (1u << 20)

static const struct hg_load easy = {.descriptors = 1000, .descriptors_left = 900};

static struct hg_admission admission_of(uint64_t turn_ms, uint64_t bytes_max)
{
    struct hg_admission admission;
    hg_admission_init(&admission, hg_ms(turn_ms), bytes_max);
    return admission;
}

/* Turns of one length, back to back, for so long; whether it sheds then. */
static bool work(struct hg_admission *admission, hg_time *now, uint64_t turn_ms, uint64_t for_ms)
{
    struct hg_load load = easy;
    load.turn = hg_ms(turn_ms);
    for (uint64_t passed = 0; passed < for_ms; passed += turn_ms) {
        *now = hg_time_add(*now, load.turn);
        hg_admission_feed(admission, *now, &load);
    }
    return hg_admission_state(admission) == HG_ADMISSION_SHEDDING;
}

static void test_long_turns(void **state)
{
    (void)state;
    struct hg_admission admission = admission_of(200, 0);
    hg_time now = {5000000};
    assert_false(work(&admission, &now, 10, 10000));
    assert_false(work(&admission, &now, 5000, 5000)); /* one is none */
    assert_false(work(&admission, &now, 400, 800));
    assert_false(work(&admission, &now, 10, 2000));
    assert_false(work(&admission, &now, 190, 10000)); /* long, but not too long */
    assert_true(work(&admission, &now, 400, 4000));
    assert_int_equal(admission.strains, HG_STRAIN_TURNS);
    assert_true(work(&admission, &now, 150, 10000)); /* between the two levels it stays */
    assert_false(work(&admission, &now, 50, 10000));
    assert_false(work(&admission, &now, 150, 10000));
}

static void test_a_long_turn_after_a_sleep(void **state)
{
    (void)state;
    struct hg_admission admission = admission_of(200, 0);
    struct hg_load load = easy;
    load.turn = hg_ms(500);
    hg_time now = {0};
    for (int i = 0; i < 100; i++) {
        now = hg_time_add(now, hg_ms(10000));
        assert_false(hg_admission_feed(&admission, now, &load));
    }
}

/* Nothing happens any more, so no turn comes but the one it asks for. */
static void test_it_ends_when_nothing_happens(void **state)
{
    (void)state;
    struct hg_admission admission = admission_of(200, 0);
    hg_time now = {0};
    assert_int_equal(hg_admission_deadline(&admission).us, HG_TIME_NEVER.us);
    assert_true(work(&admission, &now, 1000, 10000));
    unsigned looks = 0;
    for (; hg_admission_state(&admission) == HG_ADMISSION_SHEDDING; looks++) {
        now = hg_admission_deadline(&admission);
        hg_admission_feed(&admission, now, &easy);
        assert_true(looks < 10);
    }
    assert_true(looks > 0);
    assert_int_equal(hg_admission_deadline(&admission).us, HG_TIME_NEVER.us);
}

static void test_memory(void **state)
{
    (void)state;
    struct hg_admission admission = admission_of(0, 64 * MIB);
    struct hg_load load = easy;
    static const struct {
        uint64_t mib;
        bool sheds;
    } steps[] = {{0, false}, {55, false}, {56, true}, {64, true}, {100, true}, {48, true}, {47, false}, {55, false}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        load.bytes = steps[i].mib * MIB;
        bool before = hg_admission_state(&admission) == HG_ADMISSION_SHEDDING;
        bool changed = hg_admission_feed(&admission, (hg_time){i * 1000}, &load);
        bool sheds = hg_admission_state(&admission) == HG_ADMISSION_SHEDDING;
        assert_int_equal(sheds, steps[i].sheds);
        assert_int_equal(changed, sheds != before);
        assert_int_equal(admission.strains, sheds ? HG_STRAIN_MEMORY : 0);
    }
}

static void test_excess(void **state)
{
    (void)state;
    struct hg_admission admission = admission_of(0, 64 * MIB), endless = admission_of(0, 0);
    assert_int_equal(hg_admission_excess(&admission, 64 * MIB - 1), 0);
    assert_int_equal(hg_admission_excess(&admission, 64 * MIB), 8 * MIB);
    assert_int_equal(hg_admission_excess(&admission, 70 * MIB), 14 * MIB);
    assert_int_equal(hg_admission_excess(&endless, UINT64_MAX), 0);
}

static void test_descriptors(void **state)
{
    (void)state;
    struct hg_admission admission = admission_of(0, 0);
    struct hg_load load = {.descriptors = 1024};
    static const struct {
        uint64_t left;
        bool sheds;
    } steps[] = {{1000, false}, {17, false}, {16, true}, {0, true}, {33, true}, {34, false}, {17, false}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        load.descriptors_left = steps[i].left;
        hg_admission_feed(&admission, (hg_time){i * 1000}, &load);
        assert_int_equal(hg_admission_state(&admission) == HG_ADMISSION_SHEDDING, steps[i].sheds);
    }
}

static void test_accepts(void **state)
{
    (void)state;
    struct hg_admission admission = admission_of(200, 0);
    struct hg_load load = easy;
    static const struct {
        uint64_t turn_us;
        unsigned accepts;
    } steps[] = {{0, 64}, {8000, 64}, {16000, 32}, {32000, 16}, {64000, 8}, {10000000, 8}, {100, 64}};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        load.turn = hg_us(steps[i].turn_us);
        hg_admission_feed(&admission, (hg_time){i * 20000000}, &load);
        assert_int_equal(hg_admission_accepts(&admission), steps[i].accepts);
    }
}

/* What admission.h says, written down as plainly as can be, in floating point and with every strain by itself. */
struct naive {
    double mean_us;
    hg_time fed;
    bool turns, memory, descriptors;
};

static double naive_blend(double mean, double value, double us)
{
    us = us < 1e9 ? us : 1e9;
    return mean + (value - mean) * (us / (us + 1e6));
}

static void naive_feed(struct naive *naive, hg_time now, const struct hg_load *load, double turn_max, double max)
{
    double turn = (double)load->turn.us, passed = (double)(now.us - naive->fed.us);
    naive->fed = now;
    naive->mean_us = naive_blend(naive->mean_us, 0, passed > turn ? passed - turn : 0);
    naive->mean_us =
        naive_blend(naive->mean_us, turn < 2 * turn_max ? turn : 2 * turn_max, turn < 250e3 ? turn : 250e3);
    if (naive->mean_us > turn_max)
        naive->turns = true;
    else if (naive->mean_us < turn_max / 2)
        naive->turns = false;
    if ((double)load->bytes >= max * 7 / 8)
        naive->memory = true;
    else if ((double)load->bytes < max * 3 / 4)
        naive->memory = false;
    if (load->descriptors_left < load->descriptors / 64 + 1)
        naive->descriptors = true;
    else if (load->descriptors_left >= 2 * (load->descriptors / 64 + 1))
        naive->descriptors = false;
}

static void test_against_naive(void **state)
{
    (void)state;
    struct hg_prng prng;
    unsigned changes = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        hg_prng_init(&prng, seed);
        struct hg_admission admission = admission_of(200, 64 * MIB);
        struct naive naive = {.mean_us = 0};
        uint64_t about_us = 0, bytes = 0;
        hg_time now = {0};
        for (int i = 0; i < 400; i++) {
            if (hg_prng_below(&prng, 20) == 0)
                about_us = hg_prng_below(&prng, 1000000);
            if (hg_prng_below(&prng, 20) == 0)
                bytes = hg_prng_below(&prng, 80) * MIB;
            struct hg_load load = {.turn = hg_us(hg_prng_below(&prng, about_us + 1)),
                                   .bytes = bytes,
                                   .descriptors = 1024,
                                   .descriptors_left = 10 + hg_prng_below(&prng, 1000)};
            uint64_t sleep = hg_prng_below(&prng, 4) == 0 ? hg_prng_below(&prng, 500000) : 0;
            now = hg_time_add(now, hg_us(load.turn.us + sleep));
            bool changed = hg_admission_feed(&admission, now, &load);
            naive_feed(&naive, now, &load, 200e3, 64.0 * MIB);
            changes += changed;
            /* Rounding must not decide: near a level both are taken for right, and the model follows. */
            double mean = naive.mean_us, low = mean / 100000, high = mean / 200000;
            bool near = (low > 0.97 && low < 1.03) || (high > 0.97 && high < 1.03);
            if (near)
                naive.turns = admission.strains & HG_STRAIN_TURNS;
            assert_int_equal((admission.strains & HG_STRAIN_TURNS) != 0, naive.turns);
            assert_int_equal((admission.strains & HG_STRAIN_MEMORY) != 0, naive.memory);
            assert_int_equal((admission.strains & HG_STRAIN_DESCRIPTORS) != 0, naive.descriptors);
            assert_int_equal(hg_admission_state(&admission) == HG_ADMISSION_SHEDDING,
                             naive.turns || naive.memory || naive.descriptors);
        }
    }
    assert_true(changes > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_turns),
        cmocka_unit_test(test_a_long_turn_after_a_sleep),
        cmocka_unit_test(test_it_ends_when_nothing_happens),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_excess),
        cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_against_naive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
