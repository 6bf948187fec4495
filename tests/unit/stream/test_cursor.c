#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "stream/cursor.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_round_trip(struct hg_cursor cursor)
{
    struct hg_buf buf;
    hg_buf_init(&buf, HG_CURSOR_TEXT_MAX);
    hg_cursor_put(&buf, cursor);
    assert_true(hg_ok(hg_buf_result(&buf)));
    struct hg_cursor back;
    assert_true(hg_cursor_parse(hg_buf_slice(&buf), &back));
    assert_true(hg_stream_id_cmp(back.id, cursor.id) == 0 && back.fingerprint == cursor.fingerprint);
    hg_buf_done(&buf);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 2);
    for (unsigned i = 0; i < 10000; i++)
        assert_round_trip(
            (struct hg_cursor){{hg_prng_next(&prng) >> hg_prng_below(&prng, 64), hg_prng_below(&prng, 1000)},
                               (uint32_t)(hg_prng_next(&prng) >> hg_prng_below(&prng, 32))});
    assert_round_trip((struct hg_cursor){HG_STREAM_ID_ZERO, 0});
    assert_round_trip((struct hg_cursor){HG_STREAM_ID_MAX, UINT32_MAX});

    struct hg_buf buf;
    hg_buf_init(&buf, 100);
    hg_cursor_put(&buf, (struct hg_cursor){{1700000000000, 0}, 0x0f3a11c2});
    assert_true(hg_slice_is(hg_buf_slice(&buf), "1700000000000-0~0f3a11c2"));
    hg_buf_clear(&buf);
    hg_cursor_put(&buf, (struct hg_cursor){HG_STREAM_ID_MAX, UINT32_MAX});
    assert_int_equal(buf.len, HG_CURSOR_TEXT_MAX);
    hg_buf_done(&buf);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "~",
                                        "1-0",
                                        "1-0~",
                                        "1-0~0000000",
                                        "1-0~000000000",
                                        "1-0~0000000g",
                                        "1-0~ABCDEF00",
                                        "1-0~0x000000",
                                        "1-0~-0000000",
                                        "1-0~ 0000000",
                                        "~00000000",
                                        "00000000",
                                        "1~00000000",
                                        "1-~00000000",
                                        "01-0~00000000",
                                        "1-0~~0000000",
                                        "1-0~0000~000",
                                        "1-0-00000000",
                                        "1-0~00000000 ",
                                        " 1-0~00000000",
                                        "1-0 ~00000000",
                                        "1-0~00000000~00000000",
                                        "18446744073709551616-0~00000000"};
    struct hg_cursor cursor = {{7, 7}, 7};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_false(hg_cursor_parse(hg_slice_str(texts[i]), &cursor));
    assert_false(hg_cursor_parse(HG_SLICE_NULL, &cursor));
    assert_true(cursor.id.ms == 7 && cursor.id.seq == 7 && cursor.fingerprint == 7);
    assert_true(hg_cursor_parse(HG_LIT("1-2~0000000a"), &cursor));
    assert_true(cursor.id.ms == 1 && cursor.id.seq == 2 && cursor.fingerprint == 10);
}

static uint32_t fingerprint_of(const char *const *texts, size_t count)
{
    struct hg_slice fields[8];
    for (size_t i = 0; i < count; i++)
        fields[i] = hg_slice_str(texts[i]);
    return hg_fingerprint(fields, count);
}

/* Clients keep cursors across releases: these numbers never change. They were made by another SipHash than ours. */
static void test_stability(void **state)
{
    (void)state;
    static const char *const plain[] = {"event", "{\"n\":1}"};
    static const char *const full[] = {"event", "{\"type\":\"OrderPlaced\"}", "id", "7c9e", "user", "alice"};
    static const char *const none[] = {"event", ""};
    assert_int_equal(fingerprint_of(plain, 2), 0x61ff729d);
    assert_int_equal(fingerprint_of(full, 6), 0xe2666db0);
    assert_int_equal(fingerprint_of(none, 2), 0xc1199e5b);
    assert_int_equal(hg_fingerprint(NULL, 0), 0xaf3bee59);
}

/* Bytes that move from one field to the next, fields that change places, one that is missing: all differ. */
static void test_sensitivity(void **state)
{
    (void)state;
    static const char *const variants[][6] = {
        {"ab", "c"},          {"a", "bc"},          {"", "abc"}, {"abc", ""},  {"c", "ab"},
        {"ab", "c", "", ""},  {"", "", "ab", "c"},  {"ab", "C"}, {"ab", "c "}, {"x", "1", "y", "2"},
        {"y", "2", "x", "1"}, {"x", "2", "y", "1"}, {"x", "1"}};
    uint32_t seen[COUNT(variants)];
    for (size_t i = 0; i < COUNT(variants); i++) {
        size_t count = 0;
        while (count < COUNT(variants[i]) && variants[i][count])
            count++;
        seen[i] = fingerprint_of(variants[i], count);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(seen[i], seen[j]);
    }

    /* Every single bit of an entry; one in 2^32 may collide, this fixed input does not. */
    char event[] = "{\"id\":\"7c9e\",\"total\":12}";
    struct hg_slice fields[] = {HG_LIT("event"), hg_slice(event, sizeof(event) - 1)};
    uint32_t original = hg_fingerprint(fields, 2), all_flipped = 0;
    for (size_t bit = 0; bit < 8 * (sizeof(event) - 1); bit++) {
        event[bit / 8] = (char)(event[bit / 8] ^ 1 << bit % 8);
        uint32_t changed = hg_fingerprint(fields, 2);
        assert_int_not_equal(changed, original);
        all_flipped |= changed ^ original;
        event[bit / 8] = (char)(event[bit / 8] ^ 1 << bit % 8);
    }
    assert_int_equal(hg_fingerprint(fields, 2), original);
    assert_int_equal(all_flipped, UINT32_MAX); /* no bit of the fingerprint stands still */
}

static void test_fingerprint_text(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 100);
    hg_fingerprint_put(&buf, 0);
    hg_fingerprint_put(&buf, 0x0123abcd);
    hg_fingerprint_put(&buf, UINT32_MAX);
    assert_true(hg_slice_is(hg_buf_slice(&buf), "000000000123abcdffffffff"));
    hg_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_refusals),         cmocka_unit_test(test_stability),
        cmocka_unit_test(test_sensitivity), cmocka_unit_test(test_fingerprint_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
