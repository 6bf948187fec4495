#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "support/oom.h"

static struct hg_config *good(const char *json)
{
    struct hg_config *config = NULL;
    struct hg_buf why;
    hg_buf_init(&why, 10000);
    if (!hg_ok(hg_config_parse(HG_LIT("c.json"), hg_slice_str(json), &config, &why)))
        fail_msg("%s refused: %.*s", json, HG_SLICE_ARG(hg_buf_slice(&why)));
    hg_buf_done(&why);
    return config;
}

static void bad(const char *json, const char *expected)
{
    struct hg_config *config = (void *)1;
    struct hg_buf why;
    hg_buf_init(&why, 10000);
    hg_result result = hg_config_parse(HG_LIT("c.json"), hg_slice_str(json), &config, &why);
    assert_int_equal(result.code, HG_ERR_BAD_REQUEST);
    assert_ptr_equal(config, (void *)1);
    if (!hg_slice_is(hg_buf_slice(&why), expected))
        fail_msg("%s\n told     %.*s\n expected %s", json, HG_SLICE_ARG(hg_buf_slice(&why)), expected);
    hg_buf_done(&why);
}

static void test_an_empty_object_is_the_defaults(void **state)
{
    (void)state;
    struct hg_config *config = good(" { } ");
    assert_string_equal(config->listen, "127.0.0.1:8080");
    assert_string_equal(config->redis, "redis://127.0.0.1:6379");
    assert_true(config->page);
    assert_int_equal(config->origins.count, 0);
    assert_int_equal(config->rule_count, 1);
    assert_string_equal(config->rules[0].match, "**");
    assert_int_equal(config->rules[0].source, HG_SOURCE_AUTO);
    assert_string_equal(config->rules[0].key, "{topic}");
    assert_string_equal(config->rules[0].payload_field, "event");
    hg_config_free(config);
}

static void test_every_kind_of_value(void **state)
{
    (void)state;
    struct hg_config *config =
        good("{\"listen\": \"[::1]:0\", \"red\\u0069s\": \"unix://u:p%40@/run/r.sock?db=3\", \"page\": false, "
             "\"ping_ms\": 100,\n"
             " \"origins\": [\"https://app.example\", \"http://localhost:5173\", \"*\"], \"log_level\": \"debug\",\n"
             " \"topics\": [{\"match\": \"orders.**\", \"source\": \"stream\", \"key\": \"ev\\u00e9nts:{topic}\", "
             "\"maxlen\": 1000000000000,\n"
             "               \"emit\": false, \"dedupe_window_ms\": 1000, \"payload_field\": \"data\"},\n"
             "              {\"match\": \"one\", \"source\": \"channel\", \"channel\": \"fixed\"}]}");
    assert_string_equal(config->listen, "[::1]:0");
    assert_string_equal(config->redis, "unix://u:p%40@/run/r.sock?db=3");
    assert_false(config->page);
    assert_int_equal(config->ping_ms, 100);
    assert_int_equal(config->origins.count, 3);
    assert_string_equal(config->origins.items[1], "http://localhost:5173");
    assert_int_equal(config->rule_count, 2);
    assert_int_equal(config->rules[0].source, HG_SOURCE_STREAM);
    assert_string_equal(config->rules[0].key, "ev\xc3\xa9nts:{topic}");
    assert_true(config->rules[0].maxlen == 1000000000000);
    assert_false(config->rules[0].emit);
    assert_string_equal(config->rules[0].payload_field, "data");
    assert_int_equal(config->rules[1].source, HG_SOURCE_CHANNEL);
    assert_string_equal(config->rules[1].channel, "fixed");
    assert_true(config->rules[1].emit);
    hg_config_free(config);
}

static void test_what_is_not_json_is_told_with_its_column(void **state)
{
    (void)state;
    bad("", "c.json:1:1: found an empty file; allowed: JSON (RFC 8259)");
    bad(" \n ", "c.json:2:2: found an empty file; allowed: JSON (RFC 8259)");
    bad("{\"page\": true", "c.json:1:14: found the end of the file too early; allowed: JSON (RFC 8259)");
    bad("{\n  // hello\n}", "c.json:2:3: found a comment; JSON has none; allowed: JSON (RFC 8259)");
    bad("{\"page\": true} # bye", "c.json:1:16: found a comment; JSON has none; allowed: JSON (RFC 8259)");
    bad("{\"page\": true,\n}",
        "c.json:2:1: found a comma before a closing bracket; JSON allows none there; allowed: JSON (RFC 8259)");
    bad("{'page': true}",
        "c.json:1:2: found a single quote; JSON writes strings in double quotes; allowed: JSON (RFC 8259)");
    bad("{\"page\": true \"x\": 1}",
        "c.json:1:15: found a string where a comma or a closing bracket is missing; allowed: JSON (RFC 8259)");
    bad("{\"listen\": \"a\nb\"}", "c.json:1:14: found the end of the line inside a string; allowed: JSON (RFC 8259)");
    bad("{\"page\": yes}", "c.json:1:10: found \"y\"; allowed: JSON (RFC 8259)");
    bad("{\"\xc3\xa9\": \xc3\xa9}", "c.json:1:7: found \"\xc3\xa9\"; allowed: JSON (RFC 8259)");
    bad("{}\n{}", "c.json:2:1: found a bracket that does not belong here, or more than 512 inside each other; allowed: "
                  "JSON (RFC 8259)");
    bad("{\n\"listen\": \"\xff\"}", "c.json:2:12: found bytes that are not UTF-8; allowed: JSON (RFC 8259)");
    bad("\xef\xbb\xbf{}", "c.json:1:1: found a byte order mark; save the file without it; allowed: JSON (RFC 8259)");
    bad("[1]", "c.json:1: found something else than an object; allowed: an object of settings");
}

static void test_unknown_settings_are_refused_with_the_nearest(void **state)
{
    (void)state;
    bad("{\n\"redsi\": 1}", "c.json:2: redsi: found a setting that does not exist; did you mean redis?");
    bad("{\"topic\": []}", "c.json:1: topic: found a setting that does not exist; did you mean topics?");
    bad("{\"pingMs\": 5}", "c.json:1: pingMs: found a setting that does not exist; did you mean ping_ms?");
    bad("{\"topics\": [{\"math\": \"a\"}]}",
        "c.json:1: topics[0].math: found a setting that does not exist; did you mean match?");
    bad("{\"topics\": [{\"match\": \"a\",\n\"whatever\": 1}]}",
        "c.json:2: topics[0].whatever: found a setting that does not exist; allowed: match, source, key, channel, "
        "payload_field, "
        "maxlen, emit, emit_rate, dedupe, dedupe_window_ms, durability, carry, types, require, schema, dead_letter, "
        "dead_letter_maxlen");
    bad("{\"\\u001b[2J\x7f\": 1}",
        "c.json:1: \\u001b[2J\\x7f: found a setting that does not exist; allowed: listen, redis, log_level, page, "
        "origins, workers, tls_certificate, tls_key, tls_min_version, tls_reload_ms, connections_max, handshakes_max, "
        "handshake_timeout_ms, memory_bytes_max, overload_turn_ms, "
        "message_bytes_max, deflate, deflate_min_bytes, deflate_level, deflate_window_bits, event_bytes_max, "
        "subscriptions_per_session_max, groups_max, topics_max, log_bytes_max, "
        "log_bytes_total_max, history_bytes_max, history_ms, conflate_keys_max, reply_bytes_max, linger_ms, "
        "discover_ms, system_topic, system_ms, ping_ms, pong_timeout_ms, stall_timeout_ms, "
        "subscribe_timeout_ms, emit_timeout_ms, emits_per_session_max, emits_max, emits_bytes_max, "
        "emit_rate_session, emit_rate_principal, emit_burst_ms, emit_backoff_min_ms, emit_backoff_max_ms, "
        "breaker_failures, breaker_open_min_ms, breaker_open_max_ms, durability_timeout_ms, redis_timeout_ms, "
        "canary_ms, redis_backoff_min_ms, redis_backoff_max_ms, streams_per_link_max, topics");
}

static void test_wrong_types_and_bounds(void **state)
{
    (void)state;
    bad("{\"connections_max\": 0}",
        "c.json:1: connections_max: found 0; allowed: a whole number from 1 to 1000000 (connections)");
    bad("{\"connections_max\": 1000001}",
        "c.json:1: connections_max: found 1000001; allowed: a whole number from 1 to 1000000 (connections)");
    bad("{\"ping_ms\": 1e3}", "c.json:1: ping_ms: found 1e3; allowed: a whole number from 100 to 3600000 (ms)");
    bad("{\"ping_ms\": -100}", "c.json:1: ping_ms: found -100; allowed: a whole number from 100 to 3600000 (ms)");
    bad("{\"ping_ms\": \"100\"}", "c.json:1: ping_ms: found \"100\"; allowed: a whole number from 100 to 3600000 (ms)");
    bad("{\"ping_ms\": 18446744073709551716}",
        "c.json:1: ping_ms: found 18446744073709551716; allowed: a whole number from 100 to 3600000 (ms)");
    bad("{\"page\":\n null}", "c.json:2: page: found null; allowed: true, false");
    bad("{\"page\": {\"a\": 1}}", "c.json:1: page: found an object; allowed: true, false");
    bad("{\"log_level\": \"warn\"}", "c.json:1: log_level: found \"warn\"; allowed: error, warning, info, debug");
    bad("{\"log_level\": 3}", "c.json:1: log_level: found 3; allowed: error, warning, info, debug");
    bad("{\"origins\": \"*\"}",
        "c.json:1: origins: found \"*\"; allowed: a list of origins such as \"https://app.example\", or \"*\"");
    bad("{\"origins\": [\"*\",\n 5]}",
        "c.json:2: origins[1]: found 5; allowed: a list of origins such as \"https://app.example\", or \"*\"");
    bad("{\"origins\": [\"https://app.example/\"]}", "c.json:1: origins[0]: found \"https://app.example/\": the origin "
                                                     "has something besides scheme, host and port; allowed: a list of "
                                                     "origins such as \"https://app.example\", or \"*\"");
    bad("{\"listen\": \"8080\"}",
        "c.json:1: listen: found \"8080\": the address has no port; allowed: HOST:PORT, [IPV6]:PORT or "
        ":PORT for all addresses, port 0 to 65535");
    bad("{\"listen\": \"a\\u0000:1\"}", "c.json:1: listen: found \"a\\u0000:1\": the string has a NUL character; "
                                        "allowed: HOST:PORT, [IPV6]:PORT or :PORT for all "
                                        "addresses, port 0 to 65535");
    bad("{\"listen\": \"\\ud800\"}", "c.json:1: listen: found \"\\ud800\": the string has half of a surrogate pair; "
                                     "allowed: HOST:PORT, [IPV6]:PORT or :PORT for "
                                     "all addresses, port 0 to 65535");
}

static void test_a_long_value_is_cut(void **state)
{
    (void)state;
    bad("{\"log_level\": "
        "\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
        "\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\"}",
        "c.json:1: log_level: found "
        "\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
        "\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xe2\x80\xa6; allowed: error, "
        "warning, info, debug");
}

static void test_duplicates_are_refused(void **state)
{
    (void)state;
    bad("{\"page\": true,\n\"page\": true}", "c.json:2: page: found the setting a second time; allowed: once");
    bad("{\"page\": true,\n\"p\\u0061ge\": true}", "c.json:2: page: found the setting a second time; allowed: once");
    bad("{\"topics\": [{\"match\": \"a\"}],\n\"topics\": [{\"match\": \"b\"}]}",
        "c.json:2: topics: found the setting a second time; allowed: once");
    bad("{\"topics\": [{\"match\": \"a\", \"match\": \"b\"}]}",
        "c.json:1: topics[0].match: found the setting a second time; allowed: once");
}

static void test_rules(void **state)
{
    (void)state;
    static const char rules[] =
        "an array of 1 to 1000 rules such as {\"match\": \"orders.**\", \"source\": \"stream\"}";
    char line[300];
    snprintf(line, sizeof(line), "c.json:1: topics: found no rule; allowed: %s", rules);
    bad("{\"topics\": []}", line);
    snprintf(line, sizeof(line), "c.json:1: topics: found something else than an array; allowed: %s", rules);
    bad("{\"topics\": {}}", line);
    bad("{\"topics\": [\n\"a\"]}",
        "c.json:2: topics[0]: found something else than an object; allowed: an object such as "
        "{\"match\": \"orders.**\", \"source\": \"stream\"}");
    bad("{\"topics\": [\n{\"source\": \"auto\"}]}",
        "c.json:2: topics[0]: found no \"match\"; allowed: \"match\" with a topic pattern such as orders.**");
    bad("{\"topics\": [{\"match\": \"a\"},\n{\"match\": \"b\",\n\"source\": \"strem\"}]}",
        "c.json:3: topics[1].source: found \"strem\"; allowed: auto, channel, stream");
    bad("{\"topics\": [{\"match\": \"$system\"}]}", "c.json:1: topics[0].match: found \"$system\": the pattern starts "
                                                    "with $, which is reserved for the gateway's own topics; "
                                                    "allowed: a topic pattern such as orders.** or prices.*");
    bad("{\"topics\": [{\"match\": \"\"}]}", "c.json:1: topics[0].match: found \"\": the pattern is empty; allowed: a "
                                             "topic pattern such as orders.** or prices.*");
    bad("{\"topics\": [{\"match\": \"a\", \"key\": \"{topic}{topic}\"}]}",
        "c.json:1: topics[0].key: found \"{topic}{topic}\": the template has more than one {topic}; allowed: a Redis "
        "name with at most one "
        "{topic}, such as events:{topic}");
    bad("{\"topics\": [{\"match\": \"a\", \"payload_field\": \"\"}]}",
        "c.json:1: topics[0].payload_field: found \"\": the name is empty; allowed: a field name of 1 to 255 bytes");
}

static void test_settings_of_emits(void **state)
{
    (void)state;
    struct hg_config *config =
        good("{\"emit_rate_session\": 20, \"emit_rate_principal\": 1000000, \"emit_burst_ms\": 60000, "
             "\"emit_backoff_min_ms\": 1, \"emit_backoff_max_ms\": 600000, \"breaker_failures\": 1000, "
             "\"breaker_open_min_ms\": 10, \"breaker_open_max_ms\": 600000, \"durability_timeout_ms\": 60000,\n"
             "\"topics\": [{\"match\": \"a.*\", \"emit_rate\": 7, \"dedupe\": \"best_effort\", "
             "\"carry\": [\"ip\", \"us\\u0065r\"],\n"
             "\"types\": [\"order.*\", \"*\", \"x\"], \"require\": [\"subject\", \"source=a=b\"], "
             "\"dead_letter\": \"dead\", \"dead_letter_maxlen\": 0,\n \"schema\": \"schemas/a.json\"},\n"
             "{\"match\": \"b\", \"durability\": \"replicas:2\", \"schema\": \"\"}, {\"match\": \"c\"}]}");
    assert_int_equal(config->emit_rate_session, 20);
    assert_int_equal(config->emit_rate_principal, 1000000);
    assert_int_equal(config->durability_timeout_ms, 60000);
    const struct hg_rule *rule = &config->rules[0];
    assert_int_equal(rule->emit_rate, 7);
    assert_int_equal(rule->dedupe, HG_DEDUPE_BEST_EFFORT);
    assert_int_equal(rule->carry.count, 2);
    assert_true(hg_string_list_has(&rule->carry, HG_LIT("user")) && hg_string_list_has(&rule->carry, HG_LIT("ip")));
    assert_false(hg_string_list_has(&rule->carry, HG_LIT("session")));
    assert_false(hg_string_list_has(&rule->carry, HG_LIT("use")));
    assert_int_equal(rule->types.count, 3);
    assert_string_equal(rule->types.items[1], "*");
    assert_string_equal(rule->require.items[1], "source=a=b");
    assert_string_equal(rule->dead_letter, "dead");
    assert_int_equal(rule->dead_letter_maxlen, 0);
    assert_string_equal(rule->schema, "schemas/a.json");
    assert_int_equal(rule->schema_line, 4);
    assert_null(rule->compiled_schema);
    assert_string_equal(config->rules[1].durability, "replicas:2");
    assert_string_equal(config->rules[1].schema, "");
    assert_int_equal(config->rules[1].schema_line, 5);
    rule = &config->rules[2];
    assert_int_equal(rule->emit_rate, 0);
    assert_int_equal(rule->dedupe, HG_DEDUPE_ONCE);
    assert_string_equal(rule->durability, "memory");
    assert_string_equal(rule->schema, "");
    assert_string_equal(rule->dead_letter, "");
    assert_int_equal(rule->dead_letter_maxlen, 100000);
    assert_int_equal(rule->carry.count + rule->types.count + rule->require.count, 0);
    assert_int_equal(rule->schema_line, 0);
    hg_config_free(config);
}

/* A rule with one setting more. */
static void bad_setting(const char *name, const char *value, const char *expected)
{
    char json[1200], line[1500];
    snprintf(json, sizeof(json), "{\"topics\": [{\"match\": \"a\",\n\"%s\": %s}]}", name, value);
    snprintf(line, sizeof(line), "c.json:2: topics[0].%s%s", name, expected);
    bad(json, line);
}

static void test_wrong_settings_of_emits(void **state)
{
    (void)state;
    static const char range[] = ": found 1000001; allowed: a whole number from 0 to 1000000 (emits/s)";
    bad_setting("emit_rate", "1000001", range);
    bad("{\"emit_burst_ms\": 99}", "c.json:1: emit_burst_ms: found 99; allowed: a whole number from 100 to 60000 (ms)");
    bad("{\"breaker_failures\": 0}",
        "c.json:1: breaker_failures: found 0; allowed: a whole number from 1 to 1000 (failures)");
    bad_setting("dedupe", "\"always\"", ": found \"always\"; allowed: once, best_effort");
    bad_setting("dedupe", "1", ": found 1; allowed: once, best_effort");
    bad_setting("carry", "\"user\"", ": found \"user\"; allowed: a list of user, session, ip, each at most once");
    bad_setting("carry", "[\"user\", \"User\"]",
                "[1]: found \"User\"; allowed: a list of user, session, ip, each at most once");
    bad_setting(
        "carry", "[\"ip\", \"user\", \"i\\u0070\"]",
        "[2]: found \"i\\u0070\": the word stands there twice; allowed: a list of user, session, ip, each at most "
        "once");
    bad_setting("carry", "[\"\"]", "[0]: found \"\"; allowed: a list of user, session, ip, each at most once");
    bad_setting("types", "[\"a*b\"]",
                "[0]: found \"a*b\": the type has a * that is not its end; allowed: a list of event types such as "
                "\"OrderPlaced\" or \"order.*\"");
    bad_setting("types", "[\"a\", {}]",
                "[1]: found an object; allowed: a list of event types such as \"OrderPlaced\" or \"order.*\"");
    bad_setting("require", "[\"=x\"]",
                "[0]: found \"=x\": the requirement has no name before the =; allowed: a list of attributes such as "
                "\"subject\" or \"source=shop\"");
    bad_setting("durability", "\"replicas:101\"",
                ": found \"replicas:101\": the durability has no number of replicas from 1 to 100; allowed: memory, "
                "replicas:N with N from 1 to 100, fsync");
    bad_setting("durability", "\"\"",
                ": found \"\": the durability is not known; allowed: memory, replicas:N with N from 1 to 100, fsync");
    bad_setting(
        "dead_letter", "\"{topic}{topic}\"",
        ": found \"{topic}{topic}\": the template has more than one {topic}; allowed: a Redis name with at most "
        "one {topic}, such as events:{topic}, or \"\" for none");
    bad_setting(
        "dead_letter", "null",
        ": found null; allowed: a Redis name with at most one {topic}, such as events:{topic}, or \"\" for none");
    bad_setting("schema", "\"a\\nb\"",
                ": found \"a\\nb\": the path has a control character; allowed: a path of 1 to 4095 bytes, or \"\" for "
                "none");
    bad_setting("key", "\"\"",
                ": found \"\": the template is empty; allowed: a Redis name with at most one {topic}, such as "
                "events:{topic}");
}

static void test_a_channel_takes_no_settings_of_emits(void **state)
{
    (void)state;
    static const char *const settings[][3] = {
        {"emit_rate", "1", "0"},         {"durability", "\"fsync\"", "\"memory\""},
        {"carry", "[\"user\"]", "[]"},   {"types", "[\"a\"]", "[]"},
        {"require", "[\"a\"]", "[]"},    {"schema", "\"a\"", "\"\""},
        {"dead_letter", "\"d\"", "\"\""}};
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        char json[200], line[300];
        snprintf(json, sizeof(json), "{\"topics\": [{\"match\": \"a\", \"source\": \"channel\",\n\"%s\": %s}]}",
                 settings[i][0], settings[i][1]);
        snprintf(line, sizeof(line),
                 "c.json:2: topics[0].%s: found a setting for emits: clients emit to streams only, and the source is "
                 "channel; allowed: it in rules whose source is stream or auto",
                 settings[i][0]);
        bad(json, line);
        snprintf(json, sizeof(json), "{\"topics\": [{\"match\": \"a\", \"source\": \"channel\", \"%s\": %s}]}",
                 settings[i][0], settings[i][2]);
        hg_config_free(good(json));
        snprintf(json, sizeof(json), "{\"topics\": [{\"match\": \"a\", \"source\": \"auto\", \"%s\": %s}]}",
                 settings[i][0], settings[i][1]);
        hg_config_free(good(json));
    }
}

static void test_no_durability_without_dedupe(void **state)
{
    (void)state;
    bad("{\"topics\": [{\"match\": \"a\", \"dedupe\": \"best_effort\",\n\"durability\": \"replicas:3\"}]}",
        "c.json:2: topics[0].durability: found \"replicas:3\": dedupe is best_effort, which makes no promise that "
        "could "
        "be kept for longer; allowed: memory, or dedupe once");
    hg_config_free(good("{\"topics\": [{\"match\": \"a\", \"dedupe\": \"best_effort\", \"durability\": \"memory\"}]}"));
    hg_config_free(good("{\"topics\": [{\"match\": \"a\", \"dedupe\": \"once\", \"durability\": \"fsync\"}]}"));
}

static bool accepts_dead_letter(const char *match, const char *key, const char *dead_letter)
{
    char json[300];
    struct hg_config *config;
    struct hg_buf why;
    hg_buf_init(&why, 10000);
    snprintf(json, sizeof(json),
             "{\"topics\": [{\"match\": \"%s\", \"source\": \"stream\", \"key\": \"%s\", \"dead_letter\": \"%s\"}]}",
             match, key, dead_letter);
    hg_result result = hg_config_parse(HG_LIT("c.json"), hg_slice_str(json), &config, &why);
    if (hg_ok(result))
        hg_config_free(config);
    else
        assert_non_null(strstr(why.ptr, "topics[0].dead_letter"));
    hg_buf_done(&why);
    return hg_ok(result);
}

static void test_dead_letters_stand_elsewhere(void **state)
{
    (void)state;
    bad("{\"topics\": [{\"match\": \"a.*\", \"source\": \"stream\",\n\"dead_letter\": \"{topic}\"}]}",
        "c.json:2: topics[0].dead_letter: found \"{topic}\": it would be the stream of the topic itself, whose name "
        "key "
        "tells; allowed: another Redis name, such as dead:{topic}");
    assert_false(accepts_dead_letter("a", "x", "x"));
    assert_false(accepts_dead_letter("a", "{topic}", "a"));
    assert_false(accepts_dead_letter("a", "a", "{topic}"));
    assert_false(accepts_dead_letter("a.*", "e:{topic}", "e:a.b")); /* that of a.b */
    assert_true(accepts_dead_letter("a.*", "e:{topic}", "e:a"));
    assert_true(accepts_dead_letter("a.*", "e:{topic}", "a.b"));
    assert_true(accepts_dead_letter("a.*", "{topic}", "dead:{topic}"));
    assert_true(accepts_dead_letter("a", "x", "{topic}"));
    assert_true(accepts_dead_letter("a", "{topic}", "b"));
}

static void test_a_fixed_template_needs_an_exact_pattern(void **state)
{
    (void)state;
    static const char tail[] =
        "the template has no {topic}, so that all topics of the pattern would be one Redis name; allowed: a Redis "
        "name with at most one {topic}, such as events:{topic}";
    char line[400];
    snprintf(line, sizeof(line), "c.json:2: topics[0].key: found \"all\": %s", tail);
    bad("{\"topics\": [{\"match\": \"a.*\",\n\"key\": \"all\"}]}", line);
    bad("{\"topics\": [{\n\"key\": \"all\", \"source\": \"stream\", \"match\": \"a.**\"}]}", line);
    snprintf(line, sizeof(line), "c.json:2: topics[0].channel: found \"all\": %s", tail);
    bad("{\"topics\": [{\"match\": \"a.*\",\n\"channel\": \"all\"}]}", line);
    /* What the source does not use may be anything. */
    hg_config_free(good("{\"topics\": [{\"match\": \"a.*\", \"source\": \"channel\", \"key\": \"all\"}]}"));
    hg_config_free(good("{\"topics\": [{\"match\": \"a.*\", \"source\": \"stream\", \"channel\": \"all\"}]}"));
    hg_config_free(good("{\"topics\": [{\"match\": \"a.b\", \"key\": \"all\", \"channel\": \"all\"}]}"));
}

static bool accepts_both(const char *first, const char *second)
{
    char json[200];
    struct hg_config *config;
    struct hg_buf why;
    hg_buf_init(&why, 10000);
    snprintf(json, sizeof(json), "{\"topics\": [{\"match\": \"%s\"}, {\"match\": \"%s\"}]}", first, second);
    hg_result result = hg_config_parse(HG_LIT("c.json"), hg_slice_str(json), &config, &why);
    if (hg_ok(result))
        hg_config_free(config);
    else
        assert_non_null(strstr(why.ptr, "is covered by topics[0], which comes first"));
    hg_buf_done(&why);
    return hg_ok(result);
}

static void test_a_rule_that_never_applies_is_refused(void **state)
{
    (void)state;
    bad("{\"topics\": [{\"match\": \"x\"}, {\"match\": \"**\"},\n{\"match\": \"orders.*\"}]}",
        "c.json:2: topics[2].match: found \"orders.*\": the pattern is covered by topics[1], which comes first, so "
        "that this rule would "
        "never apply; allowed: a topic pattern such as orders.** or prices.*");
    assert_false(accepts_both("a.b", "a.b"));
    assert_false(accepts_both("a.*", "a.b"));
    assert_false(accepts_both("a.*", "a.*"));
    assert_false(accepts_both("a.**", "a.*.b.**"));
    assert_false(accepts_both("**", "**"));
    assert_true(accepts_both("a.b", "a.*"));
    assert_true(accepts_both("a.*", "a.**"));
    assert_true(accepts_both("a.*", "a:*"));
    assert_true(accepts_both("*", "**"));
    assert_true(accepts_both("a.*.**", "a.**"));
}

static void test_passwords_are_not_shown(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "redis://u:secret@h:x",
        "redis://:secret@h:99999",
        "rediss://u:secret@h",
        "redis://u:se/secret@h",
        "redis://u:a@secret@h",
        "http://u:secret@h",
        "u:secret@h",
        "redis://:secret",
        "redis://u:secret#@h",
        "redis:/u:secret@h",
        "redis://u:secret@h:1/db",
        "redis://u:secret @h",
        "redis://u:%zzsecret@h",
        "unix://u:secret@host/p",
        "redis://secret@",
        "redis:secret@h",
    };
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        char json[200];
        struct hg_config *config;
        struct hg_buf why;
        hg_buf_init(&why, 10000);
        snprintf(json, sizeof(json), "{\"redis\": \"%s\"}", urls[i]);
        assert_int_equal(hg_config_parse(HG_LIT("c.json"), hg_slice_str(json), &config, &why).code, HG_ERR_BAD_REQUEST);
        hg_buf_put_char(&why, '\0');
        if (strstr(why.ptr, "secret") || !strstr(why.ptr, "***"))
            fail_msg("%s is told as %s", urls[i], why.ptr);
        hg_buf_done(&why);
    }
}

static void test_the_file_name_is_told_without_its_tricks(void **state)
{
    (void)state;
    struct hg_config *config;
    struct hg_buf why;
    hg_buf_init(&why, 1000);
    assert_false(hg_ok(hg_config_parse(HG_LIT("a\n\x1b[31m.json"), HG_LIT("[]"), &config, &why)));
    assert_true(hg_slice_is(hg_buf_slice(&why),
                            "a\\x0a\\x1b[31m.json:1: found something else than an object; allowed: an object of "
                            "settings"));
    hg_buf_done(&why);
}

static bool parse_once(struct hg_slice json, hg_result expected)
{
    struct hg_config *config = NULL;
    struct hg_buf why;
    hg_buf_init(&why, 10000);
    hg_result result = hg_config_parse(HG_LIT("c.json"), json, &config, &why);
    hg_buf_done(&why);
    if (hg_ok(result))
        hg_config_free(config);
    if (result.code == HG_ERR_NOMEM)
        return false;
    assert_int_equal(result.code, expected.code);
    return true;
}

static bool parse_a_file(void)
{
    return parse_once(
        HG_LIT("{\"redis\": \"redis://u:p@h/1\", \"origins\": [\"http://a\", \"http://b\"], \"log_level\": \"debug\","
               "\"topics\": [{\"match\": \"a.**\", \"key\": \"k:{topic}\"}, {\"match\": \"b\", "
               "\"types\": [\"a\", \"b\"], \"carry\": [\"ip\"], \"dead_letter\": \"d\", \"durability\": \"fsync\"}]}"),
        HG_OK);
}

static bool refuse_a_covered_rule(void)
{
    return parse_once(HG_LIT("{\"topics\": [{\"match\": \"**\"}, {\"match\": \"b\"}]}"), HG_FAIL(BAD_REQUEST));
}

static bool refuse_a_url(void)
{
    return parse_once(HG_LIT("{\"redis\": \"redis://u:p@h/x\"}"), HG_FAIL(BAD_REQUEST));
}

static bool refuse_a_list(void)
{
    return parse_once(HG_LIT("{\"origins\": [\"http://a\", 7]}"), HG_FAIL(BAD_REQUEST));
}

static bool refuse_a_dead_letter(void)
{
    return parse_once(HG_LIT("{\"topics\": [{\"match\": \"b\", \"carry\": [\"ip\"], \"dead_letter\": \"b\"}]}"),
                      HG_FAIL(BAD_REQUEST));
}

static bool refuse_a_word_twice(void)
{
    return parse_once(HG_LIT("{\"topics\": [{\"match\": \"b\", \"carry\": [\"ip\", \"ip\"]}]}"), HG_FAIL(BAD_REQUEST));
}

static bool refuse_a_comment(void)
{
    return parse_once(HG_LIT("{ // }"), HG_FAIL(BAD_REQUEST));
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(parse_a_file);
    HGT_OOM_SWEEP(refuse_a_covered_rule);
    HGT_OOM_SWEEP(refuse_a_url);
    HGT_OOM_SWEEP(refuse_a_list);
    HGT_OOM_SWEEP(refuse_a_dead_letter);
    HGT_OOM_SWEEP(refuse_a_word_twice);
    HGT_OOM_SWEEP(refuse_a_comment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_object_is_the_defaults),
        cmocka_unit_test(test_every_kind_of_value),
        cmocka_unit_test(test_what_is_not_json_is_told_with_its_column),
        cmocka_unit_test(test_unknown_settings_are_refused_with_the_nearest),
        cmocka_unit_test(test_wrong_types_and_bounds),
        cmocka_unit_test(test_a_long_value_is_cut),
        cmocka_unit_test(test_duplicates_are_refused),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_settings_of_emits),
        cmocka_unit_test(test_wrong_settings_of_emits),
        cmocka_unit_test(test_a_channel_takes_no_settings_of_emits),
        cmocka_unit_test(test_no_durability_without_dedupe),
        cmocka_unit_test(test_dead_letters_stand_elsewhere),
        cmocka_unit_test(test_a_fixed_template_needs_an_exact_pattern),
        cmocka_unit_test(test_a_rule_that_never_applies_is_refused),
        cmocka_unit_test(test_passwords_are_not_shown),
        cmocka_unit_test(test_the_file_name_is_told_without_its_tricks),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
