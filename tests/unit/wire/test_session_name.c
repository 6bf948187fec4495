#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "wire/session_name.h"

static void test_there_and_back(void **state)
{
    (void)state;
    static const uint64_t halves[] = {0, 1, 0x0123456789abcdef, UINT64_MAX, UINT64_C(1) << 63, 0xf};
    enum { HALVES = sizeof(halves) / sizeof(halves[0]) };
    struct hg_prng prng;
    hg_prng_init(&prng, 1);
    for (unsigned i = 0; i < HALVES * HALVES + 1000; i++) {
        struct hg_session_name name = {hg_prng_next(&prng), hg_prng_next(&prng)}, again;
        if (i < HALVES * HALVES)
            name = (struct hg_session_name){halves[i / HALVES], halves[i % HALVES]};
        char text[HG_SESSION_NAME_BYTES + 2], expected[HG_SESSION_NAME_BYTES + 1];
        memset(text, '!', sizeof(text));
        hg_session_name_write(name, text);
        snprintf(expected, sizeof(expected), "%016llx%016llx", (unsigned long long)name.high,
                 (unsigned long long)name.low);
        assert_memory_equal(text, expected, HG_SESSION_NAME_BYTES);
        assert_true(text[HG_SESSION_NAME_BYTES] == '!'); /* no NUL, nothing behind it */
        assert_true(hg_session_name_parse(hg_slice(text, HG_SESSION_NAME_BYTES), &again));
        assert_true(again.high == name.high && again.low == name.low);
    }
}

static void test_nothing_else(void **state)
{
    (void)state;
    static const char good[] = "0123456789abcdef0123456789abcdef";
    struct hg_session_name name = {7, 8};
    for (size_t len = 0; len < HG_SESSION_NAME_BYTES; len++)
        assert_false(hg_session_name_parse(hg_slice(good, len), &name));
    assert_false(hg_session_name_parse(HG_LIT("0123456789abcdef0123456789abcdef0"), &name));
    assert_false(hg_session_name_parse(HG_SLICE_NULL, &name));
    for (size_t at = 0; at < HG_SESSION_NAME_BYTES; at++)
        for (int byte = 0; byte < 256; byte++) {
            char text[HG_SESSION_NAME_BYTES];
            struct hg_session_name any;
            memcpy(text, good, sizeof(text));
            text[at] = (char)byte;
            bool hex = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
            assert_int_equal(hg_session_name_parse(hg_slice(text, sizeof(text)), &any), hex);
            if (!hex)
                assert_false(hg_session_name_parse(hg_slice(text, sizeof(text)), &name));
        }
    assert_true(name.high == 7 && name.low == 8); /* untouched */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_nothing_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
