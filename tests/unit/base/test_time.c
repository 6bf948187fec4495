#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"

static hg_time at(uint64_t us)
{
    return (hg_time){us};
}

static void test_units(void **state)
{
    (void)state;
    assert_true(hg_us(5).us == 5);
    assert_true(hg_ms(5).us == 5000);
    assert_true(hg_ms(UINT64_MAX).us == UINT64_MAX);
    assert_true(hg_ms(UINT64_MAX / 1000).us == UINT64_MAX / 1000 * 1000);
    assert_true(hg_ms(UINT64_MAX / 1000 + 1).us == UINT64_MAX);
}

static void test_sums_saturate(void **state)
{
    (void)state;
    assert_true(hg_time_add(at(5), hg_us(7)).us == 12);
    assert_true(hg_time_add(at(5), hg_us(UINT64_MAX)).us == HG_TIME_NEVER.us);
    assert_true(hg_time_add(HG_TIME_NEVER, hg_us(1)).us == HG_TIME_NEVER.us);
    assert_true(hg_time_add(at(UINT64_MAX - 1), hg_us(1)).us == UINT64_MAX);
}

static void test_order(void **state)
{
    (void)state;
    assert_true(hg_time_before(at(1), at(2)));
    assert_false(hg_time_before(at(2), at(2)));
    assert_true(hg_time_reached(at(2), at(2)));
    assert_false(hg_time_reached(at(3), at(2)));
    assert_false(hg_time_reached(HG_TIME_NEVER, at(UINT64_MAX - 1)));
    assert_true(hg_time_min(at(3), at(2)).us == 2);
    assert_true(hg_time_min(HG_TIME_NEVER, at(2)).us == 2);
    assert_true(hg_time_since(at(3), at(10)).us == 7);
    assert_true(hg_time_since(at(10), at(3)).us == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_sums_saturate),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
