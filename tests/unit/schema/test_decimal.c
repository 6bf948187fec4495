#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "schema/decimal.h"

static struct hg_decimal read_number(const char *text)
{
    struct hg_decimal number;
    if (!hg_decimal_read(hg_slice_str(text), &number))
        fail_msg("%s is out of bounds", text);
    return number;
}

static int order(const char *a, const char *b)
{
    struct hg_decimal x = read_number(a), y = read_number(b);
    int order = hg_decimal_compare(&x, &y), back = hg_decimal_compare(&y, &x);
    assert_true((order > 0) == (back < 0) && (order == 0) == (back == 0));
    return (order > 0) - (order < 0);
}

static void test_equal_however_written(void **state)
{
    (void)state;
    static const char *const equal[][2] = {
        {"0", "-0"},       {"0", "0.000e17"}, {"1", "1.0"},        {"1", "0.1e1"},
        {"1", "10e-1"},    {"1e2", "100"},    {"-1.50", "-15e-1"}, {"123.456", "123456e-3"},
        {"0.001", "1e-3"}, {"1E+2", "1e2"},   {"1e000002", "100"},
    };
    for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
        if (order(equal[i][0], equal[i][1]) != 0)
            fail_msg("%s is not %s", equal[i][0], equal[i][1]);
}

static void test_ascending(void **state)
{
    (void)state;
    static const char *const ascending[] = {
        "-1e999999999",
        "-123456789012345678901234567891",
        "-123456789012345678901234567890",
        "-10",
        "-9.99",
        "-1",
        "-0.5",
        "-1e-999999999",
        "0",
        "1e-999999999",
        "0.1",
        "0.11",
        "0.2",
        "1",
        "1.000000000000000000000000000001",
        "9007199254740992",
        "9007199254740993",
        "123456789012345678901234567890",
        "1e999999999",
        "1.1e999999999",
    };
    size_t count = sizeof(ascending) / sizeof(ascending[0]);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            if (order(ascending[i], ascending[j]) != (i > j) - (i < j))
                fail_msg("%s and %s stand in the wrong order", ascending[i], ascending[j]);
}

static void test_exponents_have_bounds(void **state)
{
    (void)state;
    struct hg_decimal number;
    assert_true(hg_decimal_read(HG_LIT("1e1000000000000000"), &number));
    assert_false(hg_decimal_read(HG_LIT("1e1000000000000001"), &number));
    assert_false(hg_decimal_read(HG_LIT("1e-9999999999999999999999"), &number));
}

static void test_whole_numbers(void **state)
{
    (void)state;
    static const char *const whole[] = {"0", "-0.0", "1", "1.0", "1e2", "12.5e1", "-3", "1e400", "0e-7"};
    static const char *const broken[] = {"0.5", "1.01", "-12.5", "125e-1", "1e-400"};
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        struct hg_decimal number = read_number(whole[i]);
        assert_true(hg_decimal_is_whole(&number));
    }
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct hg_decimal number = read_number(broken[i]);
        assert_false(hg_decimal_is_whole(&number));
    }
}

static void test_as_64_bits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } rows[] = {{"0", 0},
                {"-0", 0},
                {"2.0", 2},
                {"1e3", 1000},
                {"18446744073709551615", UINT64_MAX},
                {"1844674407370955161.5e1", UINT64_MAX}};
    static const char *const others[] = {"-1", "0.5", "18446744073709551616", "1e20", "1e400", "99999999999999999999"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hg_decimal number = read_number(rows[i].text);
        uint64_t value;
        assert_true(hg_decimal_u64(&number, &value));
        assert_true(value == rows[i].value);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct hg_decimal number = read_number(others[i]);
        uint64_t value;
        assert_false(hg_decimal_u64(&number, &value));
    }
}

static bool is_multiple(const char *text, uint64_t digits, int64_t exponent)
{
    struct hg_decimal number = read_number(text);
    return hg_decimal_is_multiple(&number, digits, exponent);
}

static void test_multiples(void **state)
{
    (void)state;
    assert_true(is_multiple("0.3", 1, -1));
    assert_true(is_multiple("19.99", 1, -2));
    assert_false(is_multiple("19.995", 1, -2));
    assert_true(is_multiple("4.5", 15, -1));
    assert_false(is_multiple("35", 15, -1));
    assert_true(is_multiple("0", 7, 3));
    assert_true(is_multiple("-21", 7, 0));
    assert_true(is_multiple("1e308", 5, -1));
    assert_true(is_multiple("7e1000000", 7, 0));
    assert_false(is_multiple("1e1000000", 7, 0));
    assert_true(is_multiple("100", 100, 0));
    assert_false(is_multiple("10", 100, 0));
    assert_true(is_multiple("12345678901234567890123456789012345678901234567890", 10, 0));
    assert_true(is_multiple("999999999999999999", 999999999999999999u, 0));
    assert_false(is_multiple("999999999999999998", 999999999999999999u, 0));
}

/* Against arithmetic in 64 bits, both numbers with the same two digits behind the point. */
static void test_small_numbers_at_random(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 7);
    for (int i = 0; i < 200000; i++) {
        char a[40], b[40];
        int64_t x = (int64_t)hg_prng_below(&prng, 4000) - 2000, y = (int64_t)hg_prng_below(&prng, 4000) - 2000;
        int zeros = (int)hg_prng_below(&prng, 4);
        snprintf(a, sizeof(a), "%s%d.%02d%.*s", x < 0 ? "-" : "", (int)(llabs(x) / 100), (int)(llabs(x) % 100), zeros,
                 "000");
        snprintf(b, sizeof(b), "%lld%.*se-%d", (long long)y, zeros, "000", zeros + 2);
        if (order(a, b) != (x > y) - (x < y))
            fail_msg("%s and %s", a, b);
        if (y > 0 && is_multiple(a, (uint64_t)y, -2) != (x % y == 0))
            fail_msg("%s as a multiple of %s", a, b);
        struct hg_decimal number = read_number(a);
        assert_true(hg_decimal_is_whole(&number) == (x % 100 == 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_however_written),
        cmocka_unit_test(test_ascending),
        cmocka_unit_test(test_exponents_have_bounds),
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_as_64_bits),
        cmocka_unit_test(test_multiples),
        cmocka_unit_test(test_small_numbers_at_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
