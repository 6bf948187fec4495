/* What a paused client sent in one record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/oom.h"
#include "ws/held.h"

static struct hg_ws_piece piece_of(const char *text, bool is_text, bool last, size_t announced)
{
    return (struct hg_ws_piece){.bytes = hg_slice_str(text), .text = is_text, .last = last, .announced = announced};
}

static void test_what_goes_in_comes_out(void **state)
{
    (void)state;
    struct hg_ws_held *held = NULL;
    struct hg_ws_piece piece;
    assert_false(hg_ws_held_take(&held, &piece));
    for (int round = 0; round < 2; round++) {
        assert_true(hg_ws_held_put(&held, piece_of("one", true, false, 7)));
        assert_true(hg_ws_held_put(&held, piece_of("", false, true, 0)));
        assert_true(hg_ws_held_take(&held, &piece));
        assert_true(hg_slice_is(piece.bytes, "one") && piece.text && !piece.last && piece.announced == 7);
        assert_true(hg_ws_held_put(&held, piece_of("three", true, true, 0)));
        assert_true(hg_ws_held_take(&held, &piece));
        assert_true(piece.bytes.len == 0 && !piece.text && piece.last && piece.announced == 0);
        assert_true(hg_ws_held_take(&held, &piece));
        assert_true(hg_slice_is(piece.bytes, "three") && piece.text && piece.last);
        assert_non_null(held);
        assert_false(hg_ws_held_take(&held, &piece));
        assert_null(held);
    }
}

static void test_it_is_given_up_in_the_middle(void **state)
{
    (void)state;
    struct hg_ws_held *held = NULL;
    assert_true(hg_ws_held_put(&held, piece_of("one", true, true, 0)));
    hg_ws_held_done(&held);
    assert_null(held);
    hg_ws_held_done(&held);
}

static bool put_and_take(void)
{
    struct hg_ws_held *held = NULL;
    struct hg_ws_piece piece;
    bool put = hg_ws_held_put(&held, piece_of("one", true, true, 0));
    if (put)
        assert_true(hg_ws_held_take(&held, &piece) && hg_slice_is(piece.bytes, "one"));
    hg_ws_held_done(&held);
    return put;
}

static void test_memory_that_is_out(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(put_and_take);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_in_comes_out),
        cmocka_unit_test(test_it_is_given_up_in_the_middle),
        cmocka_unit_test(test_memory_that_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
