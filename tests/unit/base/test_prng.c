#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/death.h"

static void test_published_sequence(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        11520u,
        0u,
        1509978240u,
        1215971899390074240u,
        1216172134540287360u,
        607988272756665600u,
        16172922978634559625u,
        8476171486693032832u,
        10595114339597558777u,
        2904607092377533576u,
    };
    struct hg_prng prng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_true(hg_prng_next(&prng) == expected[i]);
}

static void test_the_seed_decides(void **state)
{
    (void)state;
    struct hg_prng a, b, c;
    hg_prng_init(&a, 42);
    hg_prng_init(&b, 42);
    hg_prng_init(&c, 43);
    /* The first word of state is splitmix64's first output for its seed. */
    struct hg_prng zero;
    hg_prng_init(&zero, 0);
    assert_true(zero.s[0] == 0xe220a8397b1dcdafu);
    bool differs = false;
    for (int i = 0; i < 100; i++) {
        uint64_t x = hg_prng_next(&a);
        assert_true(x == hg_prng_next(&b));
        differs |= x != hg_prng_next(&c);
    }
    assert_true(differs);
}

static void test_below_is_in_range_and_even(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 7);
    unsigned seen[7] = {0};
    for (int i = 0; i < 70000; i++)
        seen[hg_prng_below(&prng, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 9500, 10500); /* five standard deviations */
    for (int i = 0; i < 100; i++) {
        assert_true(hg_prng_below(&prng, 1) == 0);
        assert_true(hg_prng_below(&prng, UINT64_MAX) < UINT64_MAX);
    }
}

static void test_chance(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 7);
    unsigned hits = 0;
    for (int i = 0; i < 10000; i++) {
        assert_false(hg_prng_chance(&prng, 0));
        assert_true(hg_prng_chance(&prng, 100));
        hits += hg_prng_chance(&prng, 30);
    }
    assert_in_range(hits, 2750, 3250);
}

static void below_nothing(void)
{
    struct hg_prng prng;
    hg_prng_init(&prng, 7);
    hg_prng_below(&prng, 0);
}

static void test_an_empty_range_is_our_mistake(void **state)
{
    (void)state;
    assert_true(hgt_dies(below_nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_sequence),
        cmocka_unit_test(test_the_seed_decides),
        cmocka_unit_test(test_below_is_in_range_and_even),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_an_empty_range_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
