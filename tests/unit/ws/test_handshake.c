/* The guard in front of the handshake; test_ws.py meets it over sockets, here are the corners and the bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/prng.h"
#include "ws/handshake.h"

static const struct hg_ws_request good = {
    .get = true,
    .http_1_1 = true,
    .path = {"/ws", 3},
    .host = {"gate.example:8080", 17},
    .upgrade = {"websocket", 9},
    .connection = {"Upgrade", 7},
    .version = {"13", 2},
    .key = {"MDEyMzQ1Njc4OWFiY2RlZg==", 24},
};

static int judge(const struct hg_ws_request *request)
{
    struct hg_ws_refusal refusal = hg_ws_handshake_judge(request, NULL, 0);
    assert_non_null(refusal.headers);
    assert_non_null(refusal.text);
    size_t len = strlen(refusal.headers);
    assert_true(len == 0 || strcmp(refusal.headers + len - 2, "\r\n") == 0);
    return refusal.status;
}

static void test_good(void **state)
{
    (void)state;
    assert_int_equal(judge(&good), 0);
    struct hg_ws_request request = good;
    request.upgrade = HG_LIT("WebSocket");
    request.connection = HG_LIT("keep-alive , upgrade");
    request.protocols = HG_LIT(" ,, headgate.v1");
    request.origin = HG_LIT("http://GATE.example:8080");
    assert_int_equal(judge(&request), 0);
}

static void test_protocols(void **state)
{
    (void)state;
    static const struct {
        const char *offered;
        int status;
    } cases[] = {
        {"headgate.v1", 0},       {"a.b-c_d, headgate.v1", 0}, {"headgate.v1, 7", 0},    {"7, headgate.v1", 400},
        {"Headgate.v1", 400},     {"headgate.v10", 400},       {"headgate.v", 400},      {",", 400},
        {"headgate.v1 x", 400},   {"a=b, headgate.v1", 400},   {"\t headgate.v1\t,", 0}, {"headgate.v1;q=1", 400},
        {"\"headgate.v1\"", 400},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hg_ws_request request = good;
        request.protocols = hg_slice_str(cases[i].offered);
        if (judge(&request) != cases[i].status)
            fail_msg("%s", cases[i].offered);
    }
}

static void test_origins(void **state)
{
    (void)state;
    static const char *const listed[] = {"https://app.example", "http://[::1]:8080/", "null"};
    static const struct {
        const char *origin, *host;
        bool allowed;
    } cases[] = {
        {"", "", true},
        {"http://a", "a", true},
        {"https://a:443", "a", true},
        {"https://a", "a:443", true},
        {"http://a:80", "a:443", true},
        {"http://a:8080", "a", false},
        {"http://a", "", false},
        {"http://", "", false},
        {"http", "http", false},
        {"ws://a", "a", false},
        {"null", "null", true},
        {"https://app.example", "b", true},
        {"HTTPS://APP.EXAMPLE:443", "b", true},
        {"https://app.example/", "b", false},
        {"https://app.example:444", "b", false},
        {"http://[::1]:8080", "b", true},
        {"http://[::1]:80", "[::1]", true},
        {"http://a.b", "xa.b", false},
        {"http://xa.b", "a.b", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool allowed = hg_ws_origin_allowed(hg_slice_str(cases[i].origin), hg_slice_str(cases[i].host), listed,
                                            sizeof(listed) / sizeof(listed[0]));
        if (allowed != cases[i].allowed)
            fail_msg("%s at %s", cases[i].origin, cases[i].host);
    }
}

static void test_extensions(void **state)
{
    (void)state;
    static const struct {
        const char *offered;
        int status;
    } cases[] = {
        {"permessage-deflate", 0},
        {"permessage-deflate; client_max_window_bits=99", 0},
        {"a; b=\"c\", d", 0},
        {"permessage-deflate; x=\"a, b\"", 400},
        {"permessage-deflate; x=", 400},
        {"permessage-deflate, ;", 400},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hg_ws_request request = good;
        request.extensions = hg_slice_str(cases[i].offered);
        if (judge(&request) != cases[i].status)
            fail_msg("%s: %d", cases[i].offered, judge(&request));
    }
}

/* Random fields in blocks of exactly their size: the sanitizer sees a read past the end. Only what libwebsockets' own
 * handshake copes with may pass. */
static void test_random_fields(void **state)
{
    (void)state;
    static const char alphabet[] = "headgate.v1,, \tupgrade-:/=_\"websocket13AZ";
    struct hg_prng prng;
    hg_prng_init(&prng, 1);
    for (int run = 0; run < 20000; run++) {
        struct hg_ws_request request = good;
        struct hg_slice *fields[] = {&request.host,    &request.origin, &request.upgrade,   &request.connection,
                                     &request.version, &request.key,    &request.protocols, &request.extensions};
        size_t count = sizeof(fields) / sizeof(fields[0]), which = hg_prng_below(&prng, count);
        size_t len = hg_prng_below(&prng, hg_prng_chance(&prng, 10) ? 300 : 24);
        char *bytes = malloc(len ? len : 1);
        assert_non_null(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = alphabet[hg_prng_below(&prng, sizeof(alphabet) - 1)];
        *fields[which] = hg_slice(bytes, len);
        if (judge(&request) == 0) {
            assert_true(request.connection.len <= HG_WS_CONNECTION_BYTES_MAX);
            assert_true(request.protocols.len <= HG_WS_PROTOCOLS_BYTES_MAX);
            assert_true(request.extensions.len <= HG_WS_EXTENSIONS_BYTES_MAX);
            assert_int_equal(request.key.len, 24);
            assert_true(hg_slice_is(request.version, "13"));
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_protocols),     cmocka_unit_test(test_origins),
        cmocka_unit_test(test_extensions), cmocka_unit_test(test_random_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
