#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "stream/id.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool same(hg_stream_id a, hg_stream_id b)
{
    return a.ms == b.ms && a.seq == b.seq;
}

/* In order, with everything that is next to a limit. */
static const hg_stream_id ladder[] = {
    {0, 0},
    {0, 1},
    {0, UINT64_MAX - 1},
    {0, UINT64_MAX},
    {1, 0},
    {1, 1},
    {1700000000000, 0},
    {1700000000000, 1},
    {1700000000001, 0},
    {INT64_MAX, UINT64_MAX},
    {(uint64_t)INT64_MAX + 1, 0},
    {UINT64_MAX - 1, UINT64_MAX},
    {UINT64_MAX, 0},
    {UINT64_MAX, UINT64_MAX - 1},
    {UINT64_MAX, UINT64_MAX},
};

static void test_order(void **state)
{
    (void)state;
    for (size_t a = 0; a < COUNT(ladder); a++)
        for (size_t b = 0; b < COUNT(ladder); b++)
            assert_int_equal(hg_stream_id_cmp(ladder[a], ladder[b]), a < b ? -1 : a > b);
    assert_true(same(ladder[0], HG_STREAM_ID_ZERO) && same(ladder[COUNT(ladder) - 1], HG_STREAM_ID_MAX));
}

static void test_neighbours(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ladder); i++) {
        hg_stream_id id = ladder[i], next = {7, 7}, prev = {7, 7}, back;
        bool has_next = hg_stream_id_next(id, &next), has_prev = hg_stream_id_prev(id, &prev);
        assert_int_equal(has_next, i + 1 < COUNT(ladder));
        assert_int_equal(has_prev, i > 0);
        assert_true(has_next ? hg_stream_id_cmp(next, id) > 0 && hg_stream_id_prev(next, &back) && same(back, id)
                             : same(next, (hg_stream_id){7, 7}));
        assert_true(has_prev ? hg_stream_id_cmp(prev, id) < 0 && hg_stream_id_next(prev, &back) && same(back, id)
                             : same(prev, (hg_stream_id){7, 7}));
        /* Nothing lies between: the next is not past anything that is above. */
        if (has_next)
            assert_true(hg_stream_id_cmp(next, ladder[i + 1]) <= 0);
        if (has_prev)
            assert_true(hg_stream_id_cmp(prev, ladder[i - 1]) >= 0);
    }
    hg_stream_id id;
    assert_true(hg_stream_id_next((hg_stream_id){4, UINT64_MAX}, &id) && same(id, (hg_stream_id){5, 0}));
    assert_true(hg_stream_id_prev((hg_stream_id){5, 0}, &id) && same(id, (hg_stream_id){4, UINT64_MAX}));
}

static void assert_round_trip(hg_stream_id id)
{
    struct hg_buf buf;
    hg_buf_init(&buf, HG_STREAM_ID_TEXT_MAX);
    hg_stream_id_put(&buf, id);
    assert_true(hg_ok(hg_buf_result(&buf)));
    hg_stream_id back;
    assert_true(hg_stream_id_parse(hg_buf_slice(&buf), &back) && same(back, id));
    hg_buf_done(&buf);
}

static void test_text_round_trip(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ladder); i++)
        assert_round_trip(ladder[i]);
    struct hg_prng prng;
    hg_prng_init(&prng, 1);
    for (unsigned i = 0; i < 10000; i++)
        assert_round_trip((hg_stream_id){hg_prng_next(&prng) >> hg_prng_below(&prng, 64),
                                         hg_prng_next(&prng) >> hg_prng_below(&prng, 64)});

    struct hg_buf buf;
    hg_buf_init(&buf, 100);
    hg_stream_id_put(&buf, HG_STREAM_ID_MAX);
    assert_true(hg_slice_is(hg_buf_slice(&buf), "18446744073709551615-18446744073709551615"));
    assert_int_equal(buf.len, HG_STREAM_ID_TEXT_MAX);
    hg_buf_clear(&buf);
    hg_stream_id_put(&buf, HG_STREAM_ID_ZERO);
    assert_true(hg_slice_is(hg_buf_slice(&buf), "0-0"));
    hg_buf_done(&buf);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "-",
                                        "0",
                                        "0-",
                                        "-0",
                                        "00-0",
                                        "0-00",
                                        "01-0",
                                        "0-01",
                                        "+1-0",
                                        "1-+0",
                                        "--1-0",
                                        "1--1",
                                        "1-0 ",
                                        " 1-0",
                                        "1 -0",
                                        "1-0-0",
                                        "1-0x",
                                        "0x1-0",
                                        "1.0-0",
                                        "1-*",
                                        "*",
                                        "$",
                                        "+",
                                        "(1-0",
                                        "1_0",
                                        "1–0",
                                        "18446744073709551616-0",
                                        "0-18446744073709551616",
                                        "99999999999999999999-0",
                                        "0-100000000000000000000000000000000000000000",
                                        "1-0~00000000",
                                        "1e3-0"};
    hg_stream_id id = {7, 7};
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_false(hg_stream_id_parse(hg_slice_str(texts[i]), &id));
    assert_false(hg_stream_id_parse(HG_SLICE_NULL, &id));
    assert_false(hg_stream_id_parse(HG_LIT("1-0\0"), &id));
    assert_true(same(id, (hg_stream_id){7, 7}));
    assert_true(hg_stream_id_parse(hg_slice("1-23", 3), &id) && same(id, (hg_stream_id){1, 2})); /* the slice ends it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
