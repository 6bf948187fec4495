/* What each connection costs in the adapter, beside what libwebsockets takes for it (gateway/ws/README.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ws/connection.h"

/* Of a system with pointers of 64 bits; the allocator adds 8 and rounds up to a multiple of 16. */
static void test_a_connection(void **state)
{
    (void)state;
    if (sizeof(void *) == 8)
        assert_in_range(sizeof(struct hg_ws_connection), 1, 168);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_connection)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
