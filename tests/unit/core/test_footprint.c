/* What each client costs in the core while it is silent. There are ten thousand of them: who adds a field here adds it
 * ten thousand times, and may find a place for it that only those have who need it. */
#include "core/state.h"
#include "support/emits.h"

/* Of a system with pointers of 64 bits; the allocator adds 8 and rounds up to a multiple of 16. */
_Static_assert(sizeof(void *) != 8 || sizeof(struct hg_session) <= 216, "a session takes a chunk of 224 bytes");
_Static_assert(sizeof(void *) != 8 || sizeof(struct hg_sub) <= 168, "a subscription takes a chunk of 176 bytes");
_Static_assert(sizeof(void *) != 8 || sizeof(struct hg_session_slot) <= 16, "its place in the table takes 16 bytes");

/* What few need at a time is not there at rest. */
static void test_a_silent_client_holds_nothing_else(void **state)
{
    (void)state;
    static struct hgt_gate gate;
    hgt_gate_open(&gate, "{\"topics\":[{\"match\":\"st.*\",\"source\":\"stream\"}]}");
    hgt_gate_stream(&gate, "st.a");
    struct hgt_client *client = hgt_gate_connect(&gate);
    hgt_say(&gate, client, "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"st.a\"}");
    hgt_serve(&gate);
    const struct hg_session *session = hg_session_get(gate.core, client->ref);
    assert_int_equal(session->sub_count, 1);
    const struct hg_sub *sub = session->subs[0];
    assert_int_equal(sub->state, HG_SUB_LIVE);
    assert_null(sub->pending);
    assert_null(sub->drain);
    assert_null(session->backlog);
    assert_null(session->rate);
    assert_null(session->out.ptr);
    hgt_gate_close(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_silent_client_holds_nothing_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
