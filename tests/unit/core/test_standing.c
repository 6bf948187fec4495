#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/standing.h"

static const struct hg_standing first = {{{10, 0}, 1, true}, {{50, 0}, 5, true}, {40, 0}, 1000, 3, 7},
                                second = {{{20, 0}, 2, true}, {{45, 0}, 4, true}, {30, 0}, 500, 1, 2};

static void assert_sum(struct hg_standing sum)
{
    assert_int_equal(sum.oldest.id.ms, 20);
    assert_int_equal(sum.oldest.fingerprint, 2);
    assert_int_equal(sum.newest.id.ms, 50);
    assert_int_equal(sum.newest.fingerprint, 5);
    assert_int_equal(sum.slowest.ms, 30);
    assert_int_equal(sum.history_bytes, 1500);
    assert_int_equal(sum.subscribers, 4);
    assert_int_equal(sum.events_behind, 7);
}

static void test_whoever_is_asked_first(void **state)
{
    (void)state;
    struct hg_standing one = first, other = second;
    hg_standing_merge(&one, &second);
    assert_sum(one);
    hg_standing_merge(&other, &first);
    assert_sum(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whoever_is_asked_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
