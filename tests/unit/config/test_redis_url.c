#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/listen.h"
#include "config/redis_url.h"
#include "support/oom.h"

static void same(const char *found, const char *expected)
{
    if (!expected)
        assert_null(found);
    else
        assert_string_equal(found, expected);
}

static void good(const char *text, struct hg_redis_url expected)
{
    struct hg_redis_url url;
    const char *why = "";
    if (!hg_ok(hg_redis_url_parse(hg_slice_str(text), &url, &why)))
        fail_msg("%s refused: the URL %s", text, why);
    same(url.host, expected.host);
    same(url.path, expected.path);
    same(url.user, expected.user);
    same(url.password, expected.password);
    assert_int_equal(url.port, expected.port);
    assert_int_equal(url.db, expected.db);
    hg_redis_url_done(&url);
    assert_null(url.host);
    hg_redis_url_done(&url);
}

#define GOOD(text, ...) good(text, (struct hg_redis_url){__VA_ARGS__})

static void test_tcp(void **state)
{
    (void)state;
    GOOD("redis://h", .host = "h", .port = 6379);
    GOOD("REDIS://h/", .host = "h", .port = 6379);
    GOOD("redis://10.0.0.1:7000/15", .host = "10.0.0.1", .port = 7000, .db = 15);
    GOOD("redis://[::1]", .host = "::1", .port = 6379);
    GOOD("redis://[fe80::1%25eth0]:1/2", .host = "fe80::1%eth0", .port = 1, .db = 2);
    GOOD("redis://my_redis.local:6379/2147483647", .host = "my_redis.local", .port = 6379, .db = 2147483647);
}

static void test_users(void **state)
{
    (void)state;
    GOOD("redis://u:p@h", .host = "h", .port = 6379, .user = "u", .password = "p");
    GOOD("redis://:p@h", .host = "h", .port = 6379, .password = "p");
    GOOD("redis://u@h", .host = "h", .port = 6379, .user = "u");
    GOOD("redis://u:@h", .host = "h", .port = 6379, .user = "u", .password = "");
    GOOD("redis://:@h", .host = "h", .port = 6379);
    GOOD("redis://@h", .host = "h", .port = 6379);
    GOOD("redis://u%3A:a:b%2F%40%25%ff@h", .host = "h", .port = 6379, .user = "u:", .password = "a:b/@%\xff");
}

static void test_unix(void **state)
{
    (void)state;
    GOOD("unix:///run/redis.sock", .path = "/run/redis.sock");
    GOOD("unix://u:p@/run/r%20s?db=7", .path = "/run/r s", .user = "u", .password = "p", .db = 7);
    GOOD("unix:///a:b@c", .path = "/a:b@c");
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "does not start with redis:// or unix://"},
        {"redis", "does not start with redis:// or unix://"},
        {"redis:/h", "does not start with redis:// or unix://"},
        {"localhost:6379", "does not start with redis:// or unix://"},
        {"rediss://h", "asks for TLS, which is not built in; use redis:// and a tunnel such as stunnel"},
        {"redis://", "has no host"},
        {"redis://:6379", "has no host"},
        {"redis://u:p@", "has no host"},
        {"redis://a b", "has a space or a control character; write it as %20 and the like"},
        {"redis://h#1", "has a #; write it as %23"},
        {"redis://u:p@p@h", "has two @; write one in a user name or password as %40"},
        {"redis://h:0", NULL},
        {"redis://h:65536", NULL},
        {"redis://h:", NULL},
        {"redis://h:1:2", NULL},
        {"redis://::1", "has no host"},
        {"redis://h/x", NULL},
        {"redis://h/1/2", NULL},
        {"redis://h/2147483648", NULL},
        {"redis://h?db=1", "has a query; only unix:// takes one"},
        {"redis://h/1?x", "has a query; only unix:// takes one"},
        {"redis://h%41", "has a host that is neither a name nor an IP address"},
        {"redis://h\xc3\xa9", "has a host that is neither a name nor an IP address"},
        {"redis://[::1", "has something else than an IPv6 address in brackets"},
        {"redis://[h]", "has something else than an IPv6 address in brackets"},
        {"redis://[::1]x", "has something else than an IPv6 address in brackets"},
        {"redis://u:%0@h", NULL},
        {"redis://u:%00@h", NULL},
        {"redis://u:%g0@h", NULL},
        {"redis://%:x@h", NULL},
        {"unix://", "has no path"},
        {"unix:///", "has no path"},
        {"unix://run/r.sock", "has a host; a socket is written as unix:///path, with three /"},
        {"unix:///r?x=1", "has another query than ?db=n"},
        {"unix:///r?db=", NULL},
        {"unix:///r?db=1&x=2", NULL},
        {"unix:///r%", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hg_redis_url url = {.port = 77};
        const char *why = NULL;
        assert_int_equal(hg_redis_url_parse(hg_slice_str(cases[i].text), &url, &why).code, HG_ERR_SYNTAX);
        assert_non_null(why);
        if (cases[i].why && strcmp(cases[i].why, why) != 0)
            fail_msg("%s: told \"%s\", expected \"%s\"", cases[i].text, why, cases[i].why);
        assert_int_equal(url.port, 77);
        assert_int_equal(hg_redis_url_parse(hg_slice_str(cases[i].text), &url, NULL).code, HG_ERR_SYNTAX);
    }
}

static void test_mask(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"redis://h:6379/1", "redis://h:6379/1"}, {"redis://u:p@h:6379/1", "redis://u:***@h:6379/1"},
        {"redis://:p@h", "redis://:***@h"},       {"redis://u@h", "redis://u@h"},
        {"redis://u:@h", "redis://u:@h"},         {"unix://u:p:q@/a@b?db=1", "unix://u:***@/a@b?db=1"},
        {"unix:///a:b@c", "unix:///a:b@c"},       {"redis://u:p@/x@h", "redis://u:***@h"},
        {"localhost:6379", "localhost:***"},      {"", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hg_buf buf;
        hg_buf_init(&buf, 1000);
        hg_redis_url_mask(hg_slice_str(cases[i][0]), &buf);
        if (!hg_slice_is(hg_buf_slice(&buf), cases[i][1]))
            fail_msg("%s is masked as %.*s", cases[i][0], HG_SLICE_ARG(hg_buf_slice(&buf)));
        hg_buf_done(&buf);
    }
}

static bool parse_a_url(void)
{
    struct hg_redis_url url;
    hg_result result = hg_redis_url_parse(HG_LIT("redis://u:p@[::1]:7/1"), &url, NULL);
    if (hg_ok(result))
        hg_redis_url_done(&url);
    return result.code != HG_ERR_NOMEM;
}

static bool parse_a_path(void)
{
    struct hg_redis_url url;
    hg_result result = hg_redis_url_parse(HG_LIT("unix://u:p@/x"), &url, NULL);
    if (hg_ok(result))
        hg_redis_url_done(&url);
    return result.code != HG_ERR_NOMEM;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(parse_a_url);
    HGT_OOM_SWEEP(parse_a_path);
}

static void test_listen(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } accepted[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"localhost:0", "localhost", 0},
        {"[::1]:65535", "::1", 65535},
        {"[::]:80", "::", 80},
        {":8080", "", 8080},
        {"*:1", "", 1},
        {"[fe80::1%eth0]:80", "fe80::1%eth0", 80},
    };
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        struct hg_listen listen;
        assert_true(hg_ok(hg_listen_parse(hg_slice_str(accepted[i].text), &listen, NULL)));
        assert_string_equal(listen.host, accepted[i].host);
        assert_int_equal(listen.port, accepted[i].port);
    }
    static const char *const refused[] = {"",
                                          "8080",
                                          "h:",
                                          "h:x",
                                          "h:65536",
                                          "h:-1",
                                          "::1:80",
                                          "[::1]",
                                          "[::1:80",
                                          "[h]:80",
                                          "a b:80",
                                          "h/:1",
                                          "http://h:80",
                                          "[]:80",
                                          "]:1",
                                          "[:1",
                                          "\xc3\xa9:1",
                                          "h:1 ",
                                          " h:1",
                                          "[::1]x:1",
                                          "**:1",
                                          "h:00000000000000000000080x"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct hg_listen listen;
        const char *why = NULL;
        if (hg_ok(hg_listen_parse(hg_slice_str(refused[i]), &listen, &why)))
            fail_msg("%s was accepted", refused[i]);
        assert_non_null(why);
    }
    char long_host[300];
    memset(long_host, 'a', sizeof(long_host));
    memcpy(long_host + 253, ":1", 3);
    struct hg_listen listen;
    assert_true(hg_ok(hg_listen_parse(hg_slice_str(long_host), &listen, NULL)));
    assert_int_equal(strlen(listen.host), 253);
    memcpy(long_host + 253, "a:1", 4);
    assert_false(hg_ok(hg_listen_parse(hg_slice_str(long_host), &listen, NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),      cmocka_unit_test(test_users), cmocka_unit_test(test_unix),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_mask),  cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
