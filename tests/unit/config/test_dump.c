#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/prng.h"
#include "config/config.h"
#include "support/oom.h"

static void assert_same_list(const struct hg_string_list *a, const struct hg_string_list *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++)
        assert_string_equal(a->items[i], b->items[i]);
}

static void assert_same_rule(const struct hg_rule *a, const struct hg_rule *b)
{
#define TEXT(field, ...) assert_string_equal(a->field, b->field);
#define LIST(field, ...) assert_same_list(&a->field, &b->field);
#define SAME(field, ...) assert_true(a->field == b->field);
    HG_RULE_SETTINGS(TEXT, SAME, LIST, SAME, SAME)
#undef TEXT
#undef LIST
}

static void assert_same(const struct hg_config *a, const struct hg_config *b)
{
#define TEXT(field, ...) assert_string_equal(a->field, b->field);
#define LIST(field, ...) assert_same_list(&a->field, &b->field);
    HG_SETTINGS(TEXT, SAME, LIST, SAME)
#undef TEXT
#undef LIST
#undef SAME
    assert_int_equal(a->rule_count, b->rule_count);
    for (size_t i = 0; i < a->rule_count; i++)
        assert_same_rule(&a->rules[i], &b->rules[i]);
}

static const char *pick(struct hg_prng *prng, const char *const *from, size_t count)
{
    return from[hg_prng_below(prng, count)];
}

#define PICK(prng, ...)                                                                                                \
    pick(prng, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void replace(char **field, const char *text)
{
    free(*field);
    *field = strdup(text);
    assert_non_null(*field);
}

static uint64_t between(struct hg_prng *prng, uint64_t minimum, uint64_t maximum)
{
    if (hg_prng_chance(prng, 20))
        return hg_prng_chance(prng, 50) ? minimum : maximum;
    return minimum + hg_prng_below(prng, maximum - minimum + 1);
}

#define RANDOM_LIST(prng, list, ...)                                                                                   \
    random_list(prng, list, (const char *const[]){__VA_ARGS__},                                                        \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* Some of the words, in their order. */
static void random_list(struct hg_prng *prng, struct hg_string_list *list, const char *const *words, size_t count)
{
    list->items = calloc(count, sizeof(char *));
    assert_non_null(list->items);
    for (size_t i = 0; i < count; i++)
        if (hg_prng_chance(prng, 40))
            replace(&list->items[list->count++], words[i]);
}

/* What only rules that are not of channels may say. */
static void random_emits(struct hg_prng *prng, struct hg_rule *rule)
{
    if (rule->dedupe == HG_DEDUPE_ONCE)
        replace(&rule->durability, PICK(prng, "memory", "replicas:1", "replicas:100", "fsync"));
    replace(&rule->schema, PICK(prng, "", "a.json", "/x/\xc3\xa9 \"q\".json"));
    replace(&rule->dead_letter, PICK(prng, "", "dead:{topic}", "dead \"\\"));
    RANDOM_LIST(prng, &rule->carry, "ip", "session", "user");
    RANDOM_LIST(prng, &rule->types, "a.*", "*", "\"\\", "a.*");
    RANDOM_LIST(prng, &rule->require, "subject", "source=", "x=\"=\xe2\x82\xac", "subject");
}

static void random_rule(struct hg_prng *prng, struct hg_rule *rule, size_t index)
{
    char match[64];
    snprintf(match, sizeof(match), "%s%zu%s", PICK(prng, "a", "\xc3\xa9:", "\"q\"/", "\\."), index,
             PICK(prng, "", ".*", ":**"));
    replace(&rule->match, match);
    rule->source = (enum hg_source_kind)hg_prng_below(prng, 3);
    replace(&rule->key, PICK(prng, "{topic}", "k:{topic}", "{topic}\xe2\x82\xac", "\"{topic}\\"));
    replace(&rule->channel, PICK(prng, "{topic}", "c/{topic}"));
    replace(&rule->payload_field, PICK(prng, "event", "data", "\xf0\x9f\x92\xa9", "a b\"c"));
    rule->emit = hg_prng_chance(prng, 50);
    rule->dedupe = (enum hg_dedupe)hg_prng_below(prng, 2);
    replace(&rule->durability, "memory");
    replace(&rule->schema, "");
    replace(&rule->dead_letter, "");
#define IGNORE(...)
#define NUMBER(field, minimum, maximum, ...) rule->field = between(prng, minimum, maximum);
    HG_RULE_SETTINGS(IGNORE, IGNORE, IGNORE, NUMBER, IGNORE)
#undef NUMBER
    if (rule->source == HG_SOURCE_CHANNEL)
        rule->emit_rate = 0;
    else
        random_emits(prng, rule);
}

static struct hg_config *random_config(struct hg_prng *prng)
{
    struct hg_config *config;
    assert_true(hg_ok(hg_config_new(&config)));
    replace(&config->listen, PICK(prng, ":0", "[::1]:80", "h:1"));
    replace(&config->redis,
            PICK(prng, "redis://u:p%22@h/3", "unix:///a\\b\"c", "redis://:\xc3\xa9@h", "redis://[::1]:1"));
    replace(&config->log_level, PICK(prng, "error", "warning", "info", "debug"));
    replace(&config->tls_certificate, PICK(prng, "", "/etc/a \"b\".pem", "chain.pem"));
    replace(&config->tls_key, *config->tls_certificate ? "a.key" : "");
    replace(&config->tls_min_version, PICK(prng, "1.2", "1.3"));
    config->page = hg_prng_chance(prng, 50);
    config->origins.count = (size_t)hg_prng_below(prng, 4);
    config->origins.items = calloc(config->origins.count + 1, sizeof(char *));
    for (size_t i = 0; i < config->origins.count; i++)
        replace(&config->origins.items[i], PICK(prng, "*", "https://a.example", "http://[::1]:8"));
#define NUMBER(field, minimum, maximum, ...) config->field = between(prng, minimum, maximum);
    HG_SETTINGS(IGNORE, IGNORE, IGNORE, NUMBER)
#undef NUMBER
#undef IGNORE
    size_t count = 1 + (size_t)hg_prng_below(prng, 4);
    struct hg_rule *rules = realloc(config->rules, count * sizeof(*rules));
    assert_non_null(rules);
    config->rules = rules;
    memset(&rules[1], 0, (count - 1) * sizeof(*rules));
    config->rule_count = count;
    for (size_t i = 0; i < count; i++)
        random_rule(prng, &rules[i], i);
    return config;
}

static void test_a_dump_reads_back_to_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct hg_prng prng;
        hg_prng_init(&prng, seed);
        struct hg_config *config = random_config(&prng), *back;
        struct hg_buf json, why;
        hg_buf_init(&json, 1 << 20);
        hg_buf_init(&why, 10000);
        hg_config_dump(config, false, &json);
        assert_true(hg_ok(hg_buf_result(&json)));
        if (!hg_ok(hg_config_parse(HG_LIT("dump"), hg_buf_slice(&json), &back, &why)))
            fail_msg("seed %llu: %.*s", (unsigned long long)seed, HG_SLICE_ARG(hg_buf_slice(&why)));
        assert_same(config, back);
        hg_config_free(config);
        hg_config_free(back);
        hg_buf_done(&json);
        hg_buf_done(&why);
    }
}

static void test_a_masked_dump_hides_the_password_and_nothing_else(void **state)
{
    (void)state;
    struct hg_config *config, *back;
    struct hg_buf json, why;
    hg_buf_init(&json, 1 << 20);
    hg_buf_init(&why, 10000);
    assert_true(hg_ok(hg_config_new(&config)));
    replace(&config->redis, "redis://u:secret@h:1/2");
    hg_config_dump(config, true, &json);
    assert_true(hg_ok(hg_config_parse(HG_LIT("dump"), hg_buf_slice(&json), &back, &why)));
    assert_string_equal(back->redis, "redis://u:***@h:1/2");
    replace(&config->redis, back->redis);
    assert_same(config, back);
    hg_buf_put_char(&json, '\0');
    assert_null(strstr(json.ptr, "secret"));
    hg_config_free(config);
    hg_config_free(back);
    hg_buf_done(&json);
    hg_buf_done(&why);
}

/* The page that is served must say what the table says. */
static void test_the_reference_page_is_up_to_date(void **state)
{
    (void)state;
    static const char here[] = "tests/unit/config/test_dump.c";
    char path[4096];
    size_t root = strlen(__FILE__) - strlen(here);
    assert_string_equal(&__FILE__[root], here);
    snprintf(path, sizeof(path), "%.*sweb/docs/configuration.md", (int)root, __FILE__);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("there is no %s; write it with: headgate --document-config", path);
    struct hg_buf expected, found;
    hg_buf_init(&expected, 1 << 20);
    hg_buf_init(&found, 1 << 20);
    hg_config_document(&expected);
    char *to = hg_buf_reserve(&found, 1 << 19);
    found.len += fread(to, 1, 1 << 19, file);
    fclose(file);
    if (!hg_slice_eq(hg_buf_slice(&expected), hg_buf_slice(&found)))
        fail_msg("web/docs/configuration.md is out of date; write it again with: headgate --document-config");
    hg_buf_done(&expected);
    hg_buf_done(&found);
}

static bool dump_once(void)
{
    struct hg_config *config;
    struct hg_buf json;
    hg_buf_init(&json, 1 << 20);
    if (!hg_ok(hg_config_new(&config)))
        return false;
    hg_config_dump(config, true, &json);
    hg_result result = hg_buf_result(&json);
    hg_config_free(config);
    hg_buf_done(&json);
    return hg_ok(result);
}

static bool document_once(void)
{
    struct hg_buf text;
    hg_buf_init(&text, 1 << 20);
    hg_config_document(&text);
    hg_result result = hg_buf_result(&text);
    hg_buf_done(&text);
    return hg_ok(result);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(dump_once);
    HGT_OOM_SWEEP(document_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_dump_reads_back_to_the_same),
        cmocka_unit_test(test_a_masked_dump_hides_the_password_and_nothing_else),
        cmocka_unit_test(test_the_reference_page_is_up_to_date),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
