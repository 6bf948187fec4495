#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/workers.h"

static void test_auto_and_the_numbers(void **state)
{
    (void)state;
    unsigned workers = 77;
    assert_true(hg_ok(hg_workers_parse(HG_LIT("auto"), &workers, NULL)));
    assert_int_equal(workers, 0);
    for (unsigned n = 1; n <= HG_WORKERS_MAX; n++) {
        char text[8];
        snprintf(text, sizeof(text), "%u", n);
        assert_true(hg_ok(hg_workers_parse(hg_slice_str(text), &workers, NULL)));
        assert_int_equal(workers, n);
    }
}

static void test_anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const refused[][2] = {
        {"", "is neither auto nor a whole number"},
        {"Auto", "is neither auto nor a whole number"},
        {"two", "is neither auto nor a whole number"},
        {"1.5", "is neither auto nor a whole number"},
        {"-1", "is neither auto nor a whole number"},
        {"2 ", "is neither auto nor a whole number"},
        {"0", "is not from 1 to 64"},
        {"01", "is not from 1 to 64"},
        {"65", "is not from 1 to 64"},
        {"4294967298", "is not from 1 to 64"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        unsigned workers = 77;
        const char *why = NULL;
        assert_int_equal(hg_workers_parse(hg_slice_str(refused[i][0]), &workers, &why).code, HG_ERR_SYNTAX);
        assert_string_equal(why, refused[i][1]);
        assert_int_equal(workers, 77);
        assert_false(hg_ok(hg_workers_parse(hg_slice_str(refused[i][0]), &workers, NULL)));
    }
    assert_false(hg_ok(hg_workers_parse(HG_SLICE_NULL, &(unsigned){0}, NULL)));
}

static void reads(const char *json, const char *expected)
{
    struct hg_buf why;
    struct hg_config *config = NULL;
    hg_buf_init(&why, 1000);
    hg_result result = hg_config_parse(HG_LIT("c.json"), hg_slice_str(json), &config, &why);
    const char *got = hg_ok(result) ? config->workers : hg_buf_result(&why).code == HG_ERR_OK ? why.ptr : "";
    size_t len = hg_ok(result) ? strlen(got) : why.len;
    if (!hg_slice_is(hg_slice(got, len), expected))
        fail_msg("%s\n told     %.*s\n expected %s", json, (int)len, got, expected);
    if (hg_ok(result))
        hg_config_free(config);
    hg_buf_done(&why);
}

/* A number may stand in the file as it is, or as text. */
static void test_in_a_file(void **state)
{
    (void)state;
    reads("{}", "1");
    reads("{\"workers\": \"auto\"}", "auto");
    reads("{\"workers\": 4}", "4");
    reads("{\"workers\": \"4\"}", "4");
    reads("{\"workers\": 65}", "c.json:1: workers: found 65: the number of workers is not from 1 to 64; allowed: auto, "
                               "or a whole number from 1 to 64");
    reads("{\n\"workers\": 2.0}", "c.json:2: workers: found 2.0: the number of workers is neither auto nor a whole "
                                  "number; allowed: auto, or a whole number from 1 to 64");
    reads("{\"workers\": \"many\"}", "c.json:1: workers: found \"many\": the number of workers is neither auto nor a "
                                     "whole number; allowed: auto, or a whole number from 1 to 64");
    reads("{\"workers\": true}", "c.json:1: workers: found true; allowed: auto, or a whole number from 1 to 64");
    /* Other texts are texts. */
    reads("{\"listen\": 8080}", "c.json:1: listen: found 8080; allowed: HOST:PORT, [IPV6]:PORT or :PORT for all "
                                "addresses, port 0 to 65535");
}

/* Together the workers use no more than one would. */
static void test_shares(void **state)
{
    (void)state;
    struct hg_config *whole, share;
    assert_true(hg_ok(hg_config_new(&whole)));
    hg_workers_share(whole, 1, &share);
    assert_memory_equal(&share, whole, sizeof(share));
    hg_workers_share(whole, 3, &share);
    assert_true(share.log_bytes_total_max == 256 * HG_MIB / 3);
    assert_true(share.history_bytes_max == 4 * HG_MIB / 3);
    assert_true(share.emits_bytes_max == 64 * HG_MIB / 3);
    assert_int_equal(share.emits_max, 3334);
    assert_int_equal(share.connections_max, whole->connections_max); /* counted by all together */
    assert_int_equal(share.log_bytes_max, whole->log_bytes_max);
    assert_ptr_equal(share.rules, whole->rules);
    whole->emits_max = 1;
    hg_workers_share(whole, HG_WORKERS_MAX, &share);
    assert_int_equal(share.emits_max, 1);
    hg_config_free(whole);
}

static void test_shares_must_be_large_enough(void **state)
{
    (void)state;
    struct hg_config *config;
    struct hg_buf why;
    hg_buf_init(&why, 1000);
    assert_true(hg_ok(hg_config_new(&config)));
    assert_true(hg_ok(hg_workers_check(config, HG_WORKERS_MAX, &why)));
    config->log_bytes_total_max = 16 * HG_MIB;
    assert_true(hg_ok(hg_workers_check(config, 4, &why)));
    assert_int_equal(hg_workers_check(config, 5, &why).code, HG_ERR_BAD_REQUEST);
    assert_true(hg_slice_is(hg_buf_slice(&why),
                            "log_bytes_max: found 4194304: each worker has its share of log_bytes_total_max; allowed: "
                            "at most that share, which is 3355443 with 5 workers"));
    config->log_bytes_total_max = 1024 * HG_MIB;
    config->emits_bytes_max = 1 * HG_MIB;
    assert_true(hg_ok(hg_workers_check(config, 1, &why)));
    assert_int_equal(hg_workers_check(config, 2, &why).code, HG_ERR_BAD_REQUEST);
    assert_true(hg_slice_is(hg_buf_slice(&why),
                            "event_bytes_max: found 1048576: each worker has its share of emits_bytes_max; allowed: at "
                            "most that share, which is 524288 with 2 workers"));
    hg_config_free(config);
    hg_buf_done(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auto_and_the_numbers),
        cmocka_unit_test(test_anything_else_is_refused),
        cmocka_unit_test(test_in_a_file),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_shares_must_be_large_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
