#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/date.h"

#define UNTOUCHED 77u

static uint64_t parse(const char *text)
{
    uint64_t ms = UNTOUCHED;
    if (!hg_date_parse(hg_slice_str(text), &ms))
        fail_msg("refused: %s", text);
    return ms;
}

static void test_moments(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } moments[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.001Z", 1},
        {"1970-01-01t00:00:01z", 1000}, /* RFC 3339 5.6: lower case may be accepted, and a space between */
        {"1970-01-01 00:00:01Z", 1000},
        {"2026-11-23T10:00:00.5Z", 1795428000500},
        {"2026-11-23T11:00:00.50+01:00", 1795428000500},
        {"2026-11-23T04:30:00.500-05:30", 1795428000500},
        {"2026-11-23T10:00:00.5-00:00", 1795428000500},
        {"2001-09-09T01:46:40Z", 1000000000000},
        {"2038-01-19T03:14:08Z", 2147483648000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
        {"9999-12-31T23:59:59.999-23:59", 253402300799999 + 86340000},
        {"1970-01-01T23:59:00+23:59", 0},
        {"1969-12-31T23:00:00-01:00", 0}, /* 1970 in Greenwich */
        {"1969-12-31T00:01:00.25-23:59", 250},
        /* Finer fractions are cut off, not rounded. */
        {"1970-01-01T00:00:00.0009Z", 0},
        {"1970-01-01T00:00:00.1239999999999999999999999999999999999999Z", 123},
        {"1970-01-01T00:00:00.02Z", 20},
        /* A leap second is the last moment before it. */
        {"2016-12-31T23:59:60Z", 1483228799999},
        {"2016-12-31T23:59:60.7Z", 1483228799999},
        {"2017-01-01T00:59:60+01:00", 1483228799999},
        /* RFC 3339 5.8. */
        {"1985-04-12T23:20:50.52Z", 482196050520},
        {"1996-12-19T16:39:57-08:00", 851042397000},
        {"1990-12-31T15:59:60-08:00", 662687999999},
    };
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        uint64_t ms = parse(moments[i].text);
        if (ms != moments[i].ms)
            fail_msg("%s: %llu", moments[i].text, (unsigned long long)ms);
    }
}

/* Every day of the years there are, counted one by one. */
static void test_every_day(void **state)
{
    (void)state;
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t day = 0, ms;
    char text[32];
    for (unsigned year = 1970; year <= 9999; year++)
        for (unsigned month = 1; month <= 12; month++) {
            bool leap = year % 400 == 0 || (year % 100 != 0 && year % 4 == 0);
            unsigned count = days[month - 1] + (month == 2 && leap);
            for (unsigned d = 1; d <= count; d++, day++) {
                snprintf(text, sizeof(text), "%04u-%02u-%02uT00:00:00Z", year, month, d);
                assert_int_equal(parse(text), day * 86400000);
            }
            snprintf(text, sizeof(text), "%04u-%02u-%02uT00:00:00Z", year, month, count + 1);
            assert_false(hg_date_parse(hg_slice_str(text), &ms));
        }
}

static void test_what_is_no_moment(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "2026",
        "2026-11-23",
        "2026-11-23T10:00",
        "2026-11-23T10:00Z",
        "2026-11-23T10:00:00", /* without a zone it is no moment */
        "2026-11-23T10:00:00+01",
        "2026-11-23T10:00:00+0100",
        "2026-11-23T10:00:00+1:00",
        "2026-11-23T10:00:00+24:00",
        "2026-11-23T10:00:00+01:60",
        "2026-11-23T10:00:00.Z",
        "2026-11-23T10:00:00,5Z",
        "2026-11-23T10:00:00.5",
        "2026-11-23T10:00:00ZZ",
        "2026-11-23T10:00:00Z ",
        " 2026-11-23T10:00:00Z",
        "2026-11-23_10:00:00Z",
        "2026-11-23  10:00:00Z",
        "2026-1-23T10:00:00Z",
        "26-11-23T10:00:00Z",
        "02026-11-23T10:00:00Z",
        "+2026-11-23T10:00:00Z",
        "2026-00-23T10:00:00Z",
        "2026-13-23T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "2100-02-29T10:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T10:60:00Z",
        "2026-11-23T10:00:61Z",
        "2026-11-23T-1:00:00Z",
        "2026-11-23T 1:00:00Z",
        "1969-12-31T23:59:59Z",
        "1969-12-31T22:59:59.999-01:00",
        "1969-01-01T00:00:00-23:59",
        "1968-12-31T23:59:59-23:59",
        "1970-01-01T00:00:00+00:01", /* before 1970 */
        "0000-01-01T00:00:00Z",
        "now",
        "1795428000000",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t ms = UNTOUCHED;
        if (hg_date_parse(hg_slice_str(texts[i]), &ms))
            fail_msg("accepted: %s", texts[i]);
        assert_int_equal(ms, UNTOUCHED);
    }
}

/* Any byte in any place, and any end: nothing is read behind the text, and nothing but digits is a digit. */
static void test_any_byte_anywhere(void **state)
{
    (void)state;
    static const char good[] = "2026-11-23T10:00:00.25+01:00";
    uint64_t ms;
    for (size_t len = 0; len < sizeof(good) - 1; len++) {
        char *exact = test_malloc(len + 1); /* guarded */
        memcpy(exact, good, len);
        assert_false(hg_date_parse(hg_slice(exact, len), &ms));
        test_free(exact);
    }
    for (size_t at = 0; at < sizeof(good) - 1; at++)
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof(good)];
            memcpy(text, good, sizeof(good));
            text[at] = (char)byte;
            bool digit = byte >= '0' && byte <= '9', was_digit = good[at] >= '0' && good[at] <= '9';
            bool accepted = hg_date_parse(hg_slice(text, sizeof(good) - 1), &ms);
            if (was_digit && !digit)
                assert_false(accepted);
            if (!was_digit && digit && at != 19) /* the point */
                assert_false(accepted);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_what_is_no_moment),
        cmocka_unit_test(test_any_byte_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
