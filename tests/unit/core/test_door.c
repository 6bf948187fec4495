/* What an event must be to be let in: attributes it must have, types it may have; where it is wrong, and in what words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "core/door.h"

static struct hg_config *config;
static struct hg_buf pointer, message;

/* `asks`: members of the rule. */
static void ask(const char *asks)
{
    char text[2048];
    struct hg_buf why;
    hg_buf_init(&why, 4096);
    hg_config_free(config);
    config = NULL;
    snprintf(text, sizeof(text), "{\"topics\":[{\"match\":\"**\",\"source\":\"stream\",%s}]}", asks);
    if (!hg_ok(hg_config_parse(HG_LIT("test"), hg_slice_str(text), &config, &why)))
        fail_msg("%.*s", HG_SLICE_ARG(hg_buf_slice(&why)));
    hg_buf_done(&why);
}

static hg_result check(const char *event)
{
    hg_buf_put_str(&pointer, "left over");
    hg_buf_put_str(&message, "left over");
    return hg_door_check(&config->rules[0], hg_slice_str(event), &pointer, &message);
}

static void let_in(const char *event)
{
    if (!hg_ok(check(event)))
        fail_msg("%s: %.*s", event, HG_SLICE_ARG(hg_buf_slice(&message)));
    assert_int_equal(pointer.len, 0);
    assert_int_equal(message.len, 0);
}

static void keep_out(const char *event, const char *where, const char *sentence)
{
    assert_int_equal(check(event).code, HG_ERR_EVENT_INVALID);
    if (!hg_slice_is(hg_buf_slice(&pointer), where))
        fail_msg("%s: at '%.*s', not '%s'", event, HG_SLICE_ARG(hg_buf_slice(&pointer)), where);
    if (!hg_slice_is(hg_buf_slice(&message), sentence))
        fail_msg("%s:\n%.*s, not\n%s", event, HG_SLICE_ARG(hg_buf_slice(&message)), sentence);
}

static int setup(void **state)
{
    (void)state;
    hg_buf_init(&pointer, 1024);
    hg_buf_init(&message, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hg_config_free(config);
    config = NULL;
    hg_buf_done(&pointer);
    hg_buf_done(&message);
    return 0;
}

static void test_nothing_asked(void **state)
{
    (void)state;
    ask("\"emit\":true");
    let_in("null");
    let_in("[1,2]");
    let_in("{}");
}

static void test_required(void **state)
{
    (void)state;
    ask("\"require\":[\"subject\",\"id\"]");
    let_in("{\"subject\":1,\"id\":\"x\"}");
    let_in("{\"subject\":[],\"eventId\":false}");
    let_in("{\"\\u0073ubject\":\"\",\"\\u0069d\":{}}"); /* however it is written */
    keep_out("{\"id\":1}", "", "\"subject\" is missing; this topic requires it.");
    keep_out("{\"subject\":null,\"id\":1}", "", "\"subject\" is missing; this topic requires it.");
    keep_out("{\"subject\":1,\"subject\":null,\"id\":1}", "", "\"subject\" is missing; this topic requires it.");
    let_in("{\"subject\":null,\"subject\":1,\"id\":1}");
    keep_out("{\"subject\":1}", "", "\"id\" (or \"eventId\") is missing; this topic requires it.");
    keep_out("{\"Subject\":1,\"id\":1}", "", "\"subject\" is missing; this topic requires it.");
    keep_out("{\"data\":{\"subject\":1},\"id\":1}", "", "\"subject\" is missing; this topic requires it.");
    for (const char *const *e = (const char *const[]){"null", "1", "\"subject\"", "[\"subject\",1]", "true", NULL}; *e;
         e++)
        keep_out(*e, "", "\"subject\" is missing; this topic requires it.");
}

static void test_required_value(void **state)
{
    (void)state;
    ask("\"require\":[\"source=shop\",\"version=2\",\"empty=\",\"live=true\"]");
    let_in("{\"source\":\"shop\",\"version\":2,\"empty\":\"\",\"live\":true}");
    let_in("{\"source\":\"sh\\u006fp\",\"version\":\"2\",\"empty\":\"\",\"live\":\"true\"}");
    keep_out("{\"source\":\"shops\",\"version\":2,\"empty\":\"\",\"live\":true}", "/source",
             "\"source\" is \"shops\"; this topic takes shop only.");
    keep_out("{\"source\":\"shop\",\"version\":2.0,\"empty\":\"\",\"live\":true}", "/version",
             "\"version\" is 2.0; this topic takes 2 only.");
    keep_out("{\"source\":\"shop\",\"version\":2,\"empty\":0,\"live\":true}", "/empty",
             "\"empty\" is 0; this topic takes \"\" only.");
    keep_out("{\"source\":{\"x\":\n\"shop\"},\"version\":2}", "/source",
             "\"source\" is {\"x\": \"shop\"}; this topic takes shop only.");
}

/* The pointer names the member as it is called, not as it was written. */
static void test_pointers(void **state)
{
    (void)state;
    ask("\"require\":[\"a~b/c=1\",\"type=x\"]");
    keep_out("{\"a~b/c\":2}", "/a~0b~1c", "\"a~b/c\" is 2; this topic takes 1 only.");
    keep_out("{\"a\\u007eb\\/c\":2}", "/a~0b~1c", "\"a~b/c\" is 2; this topic takes 1 only.");
    keep_out("{\"a~b/c\":1,\"eventType\":2}", "/eventType",
             "\"type\" (or \"eventType\") is 2; this topic takes x only.");
    keep_out("{\"a~b/c\":1,\"t\\u0079pe\":2}", "/type", "\"type\" (or \"eventType\") is 2; this topic takes x only.");
    /* Under either name, the last one stands. */
    keep_out("{\"a~b/c\":1,\"type\":\"x\",\"eventType\":\"y\"}", "/eventType",
             "\"type\" (or \"eventType\") is \"y\"; this topic takes x only.");
    let_in("{\"a~b/c\":1,\"eventType\":\"y\",\"type\":\"x\"}");
    ask("\"require\":[\"\\\"quoted\\\"\",\"time\",\"eventId=7\"]");
    keep_out("{}", "", "\"\\\"quoted\\\"\" is missing; this topic requires it.");
    keep_out("{\"\\\"quoted\\\"\":1}", "", "\"time\" (or \"timestamp\") is missing; this topic requires it.");
    keep_out("{\"\\\"quoted\\\"\":1,\"timestamp\":1,\"\\u0069d\":8}", "/id",
             "\"eventId\" (or \"id\") is 8; this topic takes 7 only.");
}

static void test_types(void **state)
{
    (void)state;
    ask("\"types\":[\"order.*\",\"Added\",\"ö\"]");
    let_in("{\"type\":\"Added\"}");
    let_in("{\"eventType\":\"order.\"}");
    let_in("{\"type\":\"order.x.y\"}");
    let_in("{\"type\":\"\\u00f6\"}");
    keep_out("{\"type\":\"order\"}", "/type",
             "The type is \"order\"; this topic takes \"order.*\", \"Added\" and \"ö\".");
    keep_out("{\"type\":\"Added \"}", "/type",
             "The type is \"Added \"; this topic takes \"order.*\", \"Added\" and \"ö\".");
    keep_out("{\"t\\u0079pe\":\"x\"}", "/type",
             "The type is \"x\"; this topic takes \"order.*\", \"Added\" and \"ö\".");
    keep_out("{}", "", "The type is missing; this topic takes \"order.*\", \"Added\" and \"ö\".");
    keep_out("[]", "", "The type is missing; this topic takes \"order.*\", \"Added\" and \"ö\".");
    keep_out("{\"eventType\":5}", "/eventType", "The type is 5; this topic takes \"order.*\", \"Added\" and \"ö\".");
    keep_out("{\"type\":\"\\ud800\"}", "/type",
             "The type is \"\\ud800\"; this topic takes \"order.*\", \"Added\" and \"ö\".");
    ask("\"types\":[\"*\"]");
    let_in("{\"type\":\"\"}");
    keep_out("{\"type\":null}", "", "The type is missing; this topic takes \"*\".");
}

/* What a client sent comes back cut short, never in the middle of a character. */
static void test_long_values(void **state)
{
    (void)state;
    static char event[20000];
    ask("\"types\":[\"x\"],\"require\":[\"n=1\"]");
    for (size_t lead = 0; lead < 5; lead++)
        for (size_t count = 10; count < 4000; count = count * 2 + lead) {
            size_t len = (size_t)snprintf(event, sizeof(event), "{\"n\":1,\"type\":\"%.*s", (int)lead, "aaaaa");
            for (size_t i = 0; i < count; i++, len += 4)
                memcpy(event + len, "😀", 5);
            strcpy(event + len, "\"}");
            assert_int_equal(check(event).code, HG_ERR_EVENT_INVALID);
            assert_true(hg_slice_is(hg_buf_slice(&pointer), "/type"));
            assert_true(hg_utf8_valid(hg_buf_slice(&message)));
            assert_in_range(message.len, 40, 200);
            bool cut = memmem(message.ptr, message.len, "…", strlen("…")) != NULL;
            assert_int_equal(cut, lead + 4 * count + 2 > 64);
        }
}

/* Sentences that grow with the rule end somewhere, and a rule whose own words are longer than that still refuses. */
static void test_long_rules(void **state)
{
    (void)state;
    static char asks[2000];
    size_t len = (size_t)snprintf(asks, sizeof(asks), "\"types\":[\"first\"");
    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(asks + len, sizeof(asks) - len, ",\"a.type.%d\"", i);
    snprintf(asks + len, sizeof(asks) - len, "]");
    ask(asks);
    assert_int_equal(check("{\"type\":1}").code, HG_ERR_EVENT_INVALID);
    assert_in_range(message.len, 400, 450);
    assert_memory_equal(message.ptr + message.len - 12, " and others.", 12);
    let_in("{\"type\":\"a.type.99\"}");
    hg_buf_done(&message);
    hg_buf_init(&message, 16);
    assert_int_equal(check("{\"type\":1}").code, HG_ERR_EVENT_INVALID);
    assert_int_equal(message.len, 0); /* the table's sentence stands then */
    assert_true(hg_ok(hg_buf_result(&message)));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_nothing_asked), T(test_required),    T(test_required_value), T(test_pointers),
        T(test_types),         T(test_long_values), T(test_long_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
