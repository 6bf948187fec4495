/* How long the keys of session tickets live. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ws/tickets.h"

static const hg_time start = {1000};

static hg_time after(uint64_t ms)
{
    return hg_time_add(start, hg_ms(ms));
}

static void test_a_key_opens_for_two_terms(void **state)
{
    (void)state;
    struct hg_ws_tickets tickets = {0};
    unsigned char first[16] = {0}, second[16];
    assert_null(hg_ws_tickets_find(&tickets, first));
    assert_true(hg_ok(hg_ws_tickets_turn(&tickets, start)));
    memcpy(first, tickets.keys[0].name, sizeof(first));
    assert_ptr_equal(hg_ws_tickets_find(&tickets, first), &tickets.keys[0]);

    assert_true(hg_ok(hg_ws_tickets_turn(&tickets, after(HG_WS_TICKETS_MS - 1))));
    assert_memory_equal(tickets.keys[0].name, first, sizeof(first));

    assert_true(hg_ok(hg_ws_tickets_turn(&tickets, after(HG_WS_TICKETS_MS))));
    memcpy(second, tickets.keys[0].name, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
    assert_ptr_equal(hg_ws_tickets_find(&tickets, second), &tickets.keys[0]);
    assert_ptr_equal(hg_ws_tickets_find(&tickets, first), &tickets.keys[1]);

    assert_true(hg_ok(hg_ws_tickets_turn(&tickets, after(2 * HG_WS_TICKETS_MS))));
    assert_ptr_equal(hg_ws_tickets_find(&tickets, second), &tickets.keys[1]);
    assert_null(hg_ws_tickets_find(&tickets, first));
    hg_ws_tickets_done(&tickets);
    assert_null(hg_ws_tickets_find(&tickets, second));
}

static void test_keys_differ_in_all_parts(void **state)
{
    (void)state;
    struct hg_ws_tickets tickets = {0};
    assert_true(hg_ok(hg_ws_tickets_turn(&tickets, start)));
    assert_true(hg_ok(hg_ws_tickets_turn(&tickets, after(HG_WS_TICKETS_MS))));
    const struct hg_ws_ticket_key *a = &tickets.keys[0], *b = &tickets.keys[1];
    assert_memory_not_equal(a->seal, b->seal, sizeof(a->seal));
    assert_memory_not_equal(a->proof, b->proof, sizeof(a->proof));
    assert_memory_not_equal(a->seal, a->proof, sizeof(a->seal));
    hg_ws_tickets_done(&tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_opens_for_two_terms),
        cmocka_unit_test(test_keys_differ_in_all_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
