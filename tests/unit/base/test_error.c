#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "support/death.h"

static void test_rows_are_complete(void **state)
{
    (void)state;
    for (enum hg_error code = 0; code < HG_ERR__COUNT; code++) {
        const struct hg_error_row *row = hg_error_row(code);
        assert_true(strlen(row->name) > 0 && strlen(row->reason) > 0 && strlen(row->text) > 0);
        assert_in_range(row->http, 200, 599);
        assert_true((row->class_ == HG_CLASS_OK) == (code == HG_ERR_OK));
        assert_true(row->wire_code == 0 || (row->wire_code >= 100 && row->wire_code <= 199));
    }
}

static void test_wire_codes_are_unique(void **state)
{
    (void)state;
    for (enum hg_error a = 0; a < HG_ERR__COUNT; a++) {
        for (enum hg_error b = a + 1; b < HG_ERR__COUNT; b++) {
            assert_string_not_equal(hg_error_row(a)->name, hg_error_row(b)->name);
            if (hg_error_row(a)->wire_code != 0)
                assert_int_not_equal(hg_error_row(a)->wire_code, hg_error_row(b)->wire_code);
        }
    }
}

/* The table as the protocol document tells it to applications. */
static void test_wire_codes_are_those_of_the_protocol(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *reason;
        int http;
    } protocol[] = {
        {100, "internal", 500},          {101, "unauthorized", 401},  {102, "unknown_topic", 404},
        {103, "forbidden", 403},         {104, "unknown_op", 400},    {106, "limit_exceeded", 429},
        {107, "bad_request", 400},       {108, "unavailable", 503},   {109, "token_expired", 401},
        {111, "too_many_requests", 429}, {112, "position_lost", 410}, {120, "filter_invalid", 400},
        {121, "event_invalid", 422},     {122, "id_conflict", 409},   {123, "event_too_large", 413},
    };
    size_t count = sizeof(protocol) / sizeof(protocol[0]), found = 0;
    for (enum hg_error code = 0; code < HG_ERR__COUNT; code++) {
        const struct hg_error_row *row = hg_error_row(code);
        for (size_t i = 0; i < count; i++) {
            if (row->wire_code == protocol[i].code) {
                assert_string_equal(row->reason, protocol[i].reason);
                assert_int_equal(row->http, protocol[i].http);
                found++;
            }
        }
    }
    assert_int_equal(found, count);
}

static hg_result first_fails(bool fails, int *steps)
{
    ++*steps;
    HG_TRY(fails ? HG_FAIL(SYNTAX) : HG_OK);
    ++*steps;
    return HG_OK;
}

static void test_try_returns_the_first_failure(void **state)
{
    (void)state;
    int steps = 0;
    assert_int_equal(first_fails(true, &steps).code, HG_ERR_SYNTAX);
    assert_int_equal(steps, 1);
    assert_true(hg_ok(first_fails(false, &steps)));
    assert_int_equal(steps, 3);
}

static void ask_past_the_table(void)
{
    hg_error_row(HG_ERR__COUNT);
}

static void test_a_code_outside_the_table_is_our_mistake(void **state)
{
    (void)state;
    assert_true(hgt_dies(ask_past_the_table));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_complete),
        cmocka_unit_test(test_wire_codes_are_unique),
        cmocka_unit_test(test_wire_codes_are_those_of_the_protocol),
        cmocka_unit_test(test_try_returns_the_first_failure),
        cmocka_unit_test(test_a_code_outside_the_table_is_our_mistake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
