#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/suggest.h"
#include "config/config.h"
#include "support/oom.h"

static struct hg_config *config;
static struct hg_buf why;

static int setup(void **state)
{
    (void)state;
    hg_buf_init(&why, 10000);
    return hg_ok(hg_config_new(&config)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    hg_config_free(config);
    hg_buf_done(&why);
    return 0;
}

static void good(const char *field, const char *text)
{
    assert_true(hg_ok(hg_config_set(config, hg_slice_str(field), hg_slice_str(text), HG_LIT("--x"), &why)));
}

static void bad(const char *field, const char *text, const char *expected)
{
    hg_result result = hg_config_set(config, hg_slice_str(field), hg_slice_str(text), HG_LIT("--x"), &why);
    assert_int_equal(result.code, HG_ERR_BAD_REQUEST);
    if (!hg_slice_is(hg_buf_slice(&why), expected))
        fail_msg("%s=%s\n told     %.*s\n expected %s", field, text, HG_SLICE_ARG(hg_buf_slice(&why)), expected);
}

static void test_every_kind(void **state)
{
    (void)state;
    good("listen", ":0");
    assert_string_equal(config->listen, ":0");
    good("log_level", "warning");
    assert_string_equal(config->log_level, "warning");
    static const char *const no[] = {"false", "0", "no", "off"}, *const yes[] = {"true", "1", "yes", "on"};
    for (int i = 0; i < 4; i++) {
        good("page", no[i]);
        assert_false(config->page);
        good("page", yes[i]);
        assert_true(config->page);
    }
    good("workers", "auto");
    assert_string_equal(config->workers, "auto");
    good("workers", "64");
    assert_string_equal(config->workers, "64");
    good("ping_ms", "0000100");
    assert_int_equal(config->ping_ms, 100);
    good("origins", "http://a, https://b:8 ,*");
    assert_int_equal(config->origins.count, 3);
    assert_string_equal(config->origins.items[0], "http://a");
    assert_string_equal(config->origins.items[1], "https://b:8");
    assert_string_equal(config->origins.items[2], "*");
    good("origins", " ");
    assert_int_equal(config->origins.count, 0);
}

static void test_refusals_leave_all_as_it_was(void **state)
{
    (void)state;
    good("origins", "http://a");
    bad("page", "maybe", "--x: found \"maybe\"; allowed: true, false");
    bad("ping_ms", "", "--x: found \"\"; allowed: a whole number from 100 to 3600000 (ms)");
    bad("ping_ms", "99", "--x: found \"99\"; allowed: a whole number from 100 to 3600000 (ms)");
    bad("ping_ms", "18446744073709551716",
        "--x: found \"18446744073709551716\"; allowed: a whole number from 100 to 3600000 (ms)");
    bad("ping_ms", "100 ", "--x: found \"100 \"; allowed: a whole number from 100 to 3600000 (ms)");
    bad("tls_min_version", "1.1", "--x: found \"1.1\"; allowed: 1.2, 1.3");
    bad("log_level", "INFO", "--x: found \"INFO\"; allowed: error, warning, info, debug");
    bad("log_level", "\xff\x1b", "--x: found \"\\xff\\x1b\": not UTF-8; allowed: error, warning, info, debug");
    bad("origins", "http://b,,http://c",
        "--x: [1]: found \"\": the origin is not scheme://host[:port]; allowed: a list of origins such as "
        "\"https://app.example\", or "
        "\"*\"");
    bad("redis", "rediss://u:secret@h",
        "--x: found \"rediss://u:***@h\": the URL asks for TLS, which is not built in; use redis:// and a tunnel such "
        "as stunnel; allowed: "
        "redis://[user:password@]host[:port][/db] or unix://[user:password@]/path[?db=n]");
    bad("workers", "0",
        "--x: found \"0\": the number of workers is not from 1 to 64; allowed: auto, or a whole number from 1 to 64");
    bad("topics", "[]", "--x: found topic rules; allowed: these in a configuration file only");
    bad("lisen", "x", "--x: lisen: found a setting that does not exist; did you mean listen?");
    assert_true(config->page);
    assert_int_equal(config->ping_ms, 25000);
    assert_string_equal(config->log_level, "info");
    assert_int_equal(config->origins.count, 1);
    assert_string_equal(config->redis, "redis://127.0.0.1:6379");
}

static void broken(const char *expected)
{
    assert_int_equal(hg_config_check(config, &why).code, HG_ERR_BAD_REQUEST);
    hg_buf_put_char(&why, '\0');
    assert_string_equal(why.ptr, expected);
}

/* Only where a rule waits for it. */
static void test_durability_is_known_before_an_emit_is_given_up(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"emit_timeout_ms\": 500, \"topics\": [{\"match\": \"a\", \"source\": \"stream\"}]}",
        "{\"emit_timeout_ms\": 500, \"topics\": [{\"match\": \"a\", \"source\": \"stream\", \"durability\": "
        "\"fsync\"}]}",
    };
    for (int i = 0; i < 2; i++) {
        struct hg_config *parsed;
        assert_true(hg_ok(hg_config_parse(HG_LIT("t"), hg_slice_str(texts[i]), &parsed, &why)));
        assert_int_equal(hg_config_check(parsed, &why).code, i == 0 ? HG_ERR_OK : HG_ERR_BAD_REQUEST);
        hg_config_free(parsed);
    }
    hg_buf_put_char(&why, '\0');
    assert_string_equal(why.ptr,
                        "durability_timeout_ms: found 1000: an emit would be given up before it is known to be "
                        "durable; allowed: at most emit_timeout_ms, which is 500");
}

static void test_relations(void **state)
{
    (void)state;
    assert_true(hg_ok(hg_config_check(config, &why)));
    good("redis_backoff_min_ms", "3001");
    broken("redis_backoff_min_ms: found 3001: the first delay is the shortest one; allowed: at most "
           "redis_backoff_max_ms, which is 3000");
    good("redis_backoff_max_ms", "3001");
    assert_true(hg_ok(hg_config_check(config, &why)));
    good("emit_backoff_min_ms", "2001");
    broken("emit_backoff_min_ms: found 2001: the first delay is the shortest one; allowed: at most "
           "emit_backoff_max_ms, which is 2000");
    good("emit_backoff_max_ms", "2001");
    assert_true(hg_ok(hg_config_check(config, &why)));
    good("breaker_open_max_ms", "499");
    broken("breaker_open_min_ms: found 500: the first time is the shortest one; allowed: at most "
           "breaker_open_max_ms, which is 499");
    good("breaker_open_min_ms", "499");
    assert_true(hg_ok(hg_config_check(config, &why)));
    good("log_bytes_max", "65536");
    broken("event_bytes_max: found 1048576: a group must be able to keep its largest event; allowed: at most "
           "log_bytes_max, which is "
           "65536");
    good("event_bytes_max", "65536");
    assert_true(hg_ok(hg_config_check(config, &why)));
    good("log_bytes_total_max", "1048576");
    good("log_bytes_max", "1048577");
    broken("log_bytes_max: found 1048577: one group's events are part of those of all groups; allowed: at most "
           "log_bytes_total_max, "
           "which is 1048576");
    good("log_bytes_max", "1048576");
    good("tls_certificate", "a.pem");
    broken("tls_key: found nothing: tls_certificate is set; allowed: both or none");
    good("tls_key", "a.key");
    assert_true(hg_ok(hg_config_check(config, &why)));
    good("tls_certificate", "");
    broken("tls_certificate: found nothing: tls_key is set; allowed: both or none");
    good("tls_key", "");
    size_t rule_count = config->rule_count;
    config->rule_count = 0;
    broken("topics: found no rule; allowed: at least one");
    config->rule_count = rule_count;
}

static void test_relations_within_a_rule(void **state)
{
    (void)state;
    struct hg_rule *rule = config->rules;
    rule->emit_rate = 1;
    assert_true(hg_ok(hg_config_check(config, &why)));
    rule->source = HG_SOURCE_CHANNEL;
    broken("topics[0].emit_rate: found a setting for emits: clients emit to streams only, and the source is channel; "
           "allowed: it in rules whose source is stream or auto");
    rule->emit_rate = 0;
    assert_true(hg_ok(hg_config_check(config, &why)));
}

static void test_names_end_with_null(void **state)
{
    (void)state;
    size_t count = 0;
    while (hg_config_name(count)) {
        assert_string_not_equal(hg_config_name(count), "topics");
        count++;
    }
    assert_string_equal(hg_config_name(0), "listen");
    assert_true(count > 20);
    assert_null(hg_config_name(SIZE_MAX));
}

static void test_suggestions(void **state)
{
    (void)state;
    assert_string_equal(hg_suggest(HG_LIT("connection_max"), hg_config_name), "connections_max");
    assert_string_equal(hg_suggest(HG_LIT("LOG_LEVLE"), hg_config_name), "log_level");
    assert_string_equal(hg_suggest(HG_LIT("ping"), hg_config_name), "ping_ms");
    assert_string_equal(hg_suggest(HG_LIT("pages"), hg_config_name), "page");
    assert_null(hg_suggest(HG_LIT("pi"), hg_config_name));
    assert_null(hg_suggest(HG_LIT("x"), hg_config_name));
    assert_null(hg_suggest(HG_LIT("frobnicate"), hg_config_name));
    assert_null(hg_suggest(HG_SLICE_NULL, hg_config_name));
}

static bool set_and_check(void)
{
    struct hg_config *c;
    struct hg_buf told;
    hg_buf_init(&told, 1000);
    hg_result result = hg_config_new(&c);
    if (!hg_ok(result))
        return false;
    result = hg_config_set(c, HG_LIT("listen"), HG_LIT(":1"), HG_LIT("--listen"), &told);
    if (hg_ok(result))
        result = hg_config_set(c, HG_LIT("origins"), HG_LIT("http://a,http://b"), HG_LIT("X"), &told);
    if (hg_ok(result))
        result = hg_config_set(c, HG_LIT("redis"), HG_LIT("redis://u:p@h"), HG_LIT("X"), &told);
    if (hg_ok(result)) {
        result = hg_config_set(c, HG_LIT("redis"), HG_LIT("redis://u:p@h:"), HG_LIT("X"), &told);
        assert_false(hg_ok(result));
        c->redis_backoff_max_ms = 1;
        if (result.code == HG_ERR_BAD_REQUEST)
            result = hg_config_check(c, &told);
    }
    hg_config_free(c);
    hg_buf_done(&told);
    return result.code != HG_ERR_NOMEM;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(set_and_check);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals_leave_all_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(test_relations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_durability_is_known_before_an_emit_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_relations_within_a_rule, setup, teardown),
        cmocka_unit_test(test_names_end_with_null),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
