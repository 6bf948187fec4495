#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/prng.h"
#include "support/death.h"
#include "support/oom.h"

static void test_puts_join(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 1000);
    assert_null(buf.ptr);
    hg_buf_put_str(&buf, "a");
    hg_buf_put_char(&buf, '\0');
    hg_buf_put(&buf, HG_LIT("bc"));
    hg_buf_put(&buf, HG_SLICE_NULL);
    hg_buf_printf(&buf, "[%d %s]", -7, "x");
    assert_true(hg_ok(hg_buf_result(&buf)));
    assert_true(hg_slice_eq(hg_buf_slice(&buf), HG_LIT("a\0bc[-7 x]")));
    hg_buf_done(&buf);
    assert_null(buf.ptr);
    hg_buf_put_str(&buf, "usable again");
    assert_true(hg_slice_is(hg_buf_slice(&buf), "usable again"));
    hg_buf_done(&buf);
}

static void test_numbers(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 1000);
    hg_buf_put_u64(&buf, 0);
    hg_buf_put_char(&buf, ' ');
    hg_buf_put_u64(&buf, UINT64_MAX);
    hg_buf_put_char(&buf, ' ');
    hg_buf_put_i64(&buf, INT64_MIN);
    hg_buf_put_char(&buf, ' ');
    hg_buf_put_i64(&buf, INT64_MAX);
    hg_buf_put_char(&buf, ' ');
    hg_buf_put_i64(&buf, -1);
    assert_true(hg_slice_is(hg_buf_slice(&buf), "0 18446744073709551615 -9223372036854775808 9223372036854775807 -1"));
    hg_buf_done(&buf);
}

static void test_the_ceiling_is_exact_and_the_error_sticks(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 10);
    hg_buf_put_str(&buf, "0123456789");
    assert_true(hg_ok(hg_buf_result(&buf)));
    hg_buf_put_char(&buf, 'x');
    assert_int_equal(hg_buf_result(&buf).code, HG_ERR_TOO_BIG);
    assert_true(hg_slice_is(hg_buf_slice(&buf), "0123456789"));
    hg_buf_truncate(&buf, 4);
    assert_true(hg_ok(hg_buf_result(&buf)));
    hg_buf_put_str(&buf, "too long for what is left");
    hg_buf_put_char(&buf, 'x'); /* would fit, but the error sticks: half a frame must not look whole */
    assert_int_equal(hg_buf_result(&buf).code, HG_ERR_TOO_BIG);
    assert_true(hg_slice_is(hg_buf_slice(&buf), "0123"));
    hg_buf_clear(&buf);
    hg_buf_put_str(&buf, "ok");
    assert_true(hg_ok(hg_buf_result(&buf)));
    assert_null(hg_buf_reserve(&buf, SIZE_MAX));
    assert_int_equal(hg_buf_result(&buf).code, HG_ERR_TOO_BIG);
    assert_true(buf.capacity <= 64);
    hg_buf_done(&buf);
}

static void test_memory_never_exceeds_the_ceiling(void **state)
{
    (void)state;
    for (size_t max = 64; max < 700; max += 13) {
        struct hg_buf buf;
        hg_buf_init(&buf, max);
        while (hg_ok(hg_buf_result(&buf)))
            hg_buf_put_str(&buf, "seven..");
        assert_true(buf.len <= max && buf.len + 7 > max);
        assert_true(buf.capacity <= max);
        hg_buf_done(&buf);
    }
}

static void test_consume_and_reset(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 10000);
    hg_buf_put_str(&buf, "0123456789");
    hg_buf_consume(&buf, 0);
    hg_buf_consume(&buf, 4);
    assert_true(hg_slice_is(hg_buf_slice(&buf), "456789"));
    hg_buf_consume(&buf, 6);
    assert_int_equal(buf.len, 0);
    hg_buf_put_str(&buf, "small");
    hg_buf_reset(&buf, 64);
    assert_int_equal(buf.len, 0);
    assert_non_null(buf.ptr);
    for (int i = 0; i < 100; i++)
        hg_buf_put_str(&buf, "0123456789");
    hg_buf_reset(&buf, 64);
    assert_null(buf.ptr);
    assert_int_equal(buf.capacity, 0);
    hg_buf_put_str(&buf, "again");
    assert_true(hg_slice_is(hg_buf_slice(&buf), "again"));
    hg_buf_done(&buf);
}

static void test_trim_keeps_the_bytes(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 1000);
    hg_buf_trim(&buf);
    assert_null(buf.ptr);
    hg_buf_put_str(&buf, "0123456789");
    assert_true(buf.capacity > 10);
    hg_buf_trim(&buf);
    assert_int_equal(buf.capacity, 10);
    assert_true(hg_slice_is(hg_buf_slice(&buf), "0123456789"));
    hg_buf_trim(&buf);
    hg_buf_put_str(&buf, "ab");
    assert_true(hg_slice_is(hg_buf_slice(&buf), "0123456789ab"));
    hg_buf_clear(&buf);
    hg_buf_trim(&buf); /* an empty one keeps what it has, to be filled again */
    assert_true(buf.capacity >= 12);
    hg_buf_done(&buf);
}

static void test_reserve_lets_the_caller_fill(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 100);
    char *to = hg_buf_reserve(&buf, 5);
    assert_non_null(to);
    assert_int_equal(buf.len, 0);
    memcpy(to, "hello", 5);
    buf.len += 5;
    assert_true(hg_slice_is(hg_buf_slice(&buf), "hello"));
    hg_buf_done(&buf);
}

/* Against the simplest model: a fixed array and a length. */
static void test_against_a_model(void **state)
{
    (void)state;
    enum { MAX = 300 };
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct hg_prng prng;
        hg_prng_init(&prng, seed);
        struct hg_buf buf;
        hg_buf_init(&buf, MAX);
        char model[MAX];
        size_t len = 0;
        bool stuck = false;
        for (int step = 0; step < 200; step++) {
            size_t n = (size_t)hg_prng_below(&prng, 40);
            char bytes[40];
            memset(bytes, 'a' + step % 26, sizeof(bytes));
            switch (hg_prng_below(&prng, 5)) {
            case 0:
            case 1:
                hg_buf_put(&buf, hg_slice(bytes, n));
                if (!stuck && n <= MAX - len) {
                    memcpy(model + len, bytes, n);
                    len += n;
                } else if (n > 0) {
                    stuck = true;
                }
                break;
            case 2:
                n = n > len ? len : n;
                hg_buf_truncate(&buf, len - n);
                len -= n;
                stuck = false;
                break;
            case 3:
                n = n > len ? len : n;
                hg_buf_consume(&buf, n);
                memmove(model, model + n, len - n);
                len -= n;
                break;
            case 4:
                if (hg_prng_chance(&prng, 10)) {
                    hg_buf_clear(&buf);
                    len = 0;
                    stuck = false;
                }
                break;
            }
            assert_true(hg_slice_eq(hg_buf_slice(&buf), hg_slice(model, len)));
            assert_int_equal(hg_ok(hg_buf_result(&buf)), !stuck);
        }
        hg_buf_done(&buf);
    }
}

static bool builds_a_line(void)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 4096);
    for (int i = 0; i < 100; i++)
        hg_buf_printf(&buf, "line %d\n", i);
    hg_result result = hg_buf_result(&buf);
    assert_true(hg_ok(result) || result.code == HG_ERR_NOMEM);
    hg_buf_done(&buf);
    return hg_ok(result);
}

static void test_each_allocation_failed(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(builds_a_line);
}

static void init_without_ceiling(void)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 0);
}

static void truncate_past_the_end(void)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 10);
    hg_buf_truncate(&buf, 1);
}

static void consume_past_the_end(void)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 10);
    hg_buf_consume(&buf, 1);
}

static void test_misuse_is_our_mistake(void **state)
{
    (void)state;
    assert_true(hgt_dies(init_without_ceiling));
    assert_true(hgt_dies(truncate_past_the_end));
    assert_true(hgt_dies(consume_past_the_end));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_puts_join),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_the_ceiling_is_exact_and_the_error_sticks),
        cmocka_unit_test(test_memory_never_exceeds_the_ceiling),
        cmocka_unit_test(test_consume_and_reset),
        cmocka_unit_test(test_trim_keeps_the_bytes),
        cmocka_unit_test(test_reserve_lets_the_caller_fill),
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_each_allocation_failed),
        cmocka_unit_test(test_misuse_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
