#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "support/death.h"
#include "wire/close.h"

static void test_every_row(void **state)
{
    (void)state;
    for (int i = 0; i < HG_CLOSE__COUNT; i++) {
        const struct hg_close_row *row = hg_close_row((enum hg_close)i);
        /* RFC 6455, 7.4: what an endpoint may send; 4000 and up are ours. */
        bool registered =
            row->code >= 1000 && row->code <= 1014 && row->code != 1004 && row->code != 1005 && row->code != 1006;
        assert_true(registered || (row->code >= 4000 && row->code <= 4999));
        /* A control frame holds 125 bytes, two of them the code. */
        assert_in_range(strlen(row->reason), 1, 123);
        assert_true(row->text[0] != '\0' && row->text[strlen(row->text) - 1] == '.');
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(row->name, hg_close_row((enum hg_close)j)->name);
            assert_string_not_equal(row->reason, hg_close_row((enum hg_close)j)->reason);
        }
    }
    assert_string_equal(hg_close_row(HG_CLOSE_RESTART)->name, "RESTART");
    assert_int_equal(hg_close_row(HG_CLOSE_RESTART)->code, 1012);
}

static void past_the_end(void)
{
    hg_close_row(HG_CLOSE__COUNT);
}

static void test_no_such_row(void **state)
{
    (void)state;
    assert_true(hgt_dies(past_the_end));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_row), cmocka_unit_test(test_no_such_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
