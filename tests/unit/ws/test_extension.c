/* The answer to a handshake that agrees to permessage-deflate, and what becomes of answers that are not what they
 * should be; test_deflate.py meets those of the libwebsockets that is installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ws/extension.h"

#define BEFORE "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x"
#define BARE   BEFORE "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n"
#define WHOLE                                                                                                          \
    BEFORE "\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"

static unsigned warnings;

static void note(void *context, enum hg_log_level level, struct hg_slice line)
{
    (void)context, (void)line;
    warnings += level == HG_LOG_WARNING;
}

static struct hg_ws ws;
static struct hg_ws_connection connection;
static char response[1024];

static int set_up(void **state)
{
    (void)state;
    warnings = 0;
    ws = (struct hg_ws){.deflate_window_bits = 13, .sink = {.log = note}};
    connection = (struct hg_ws_connection){.ws = &ws, .deflates = true};
    return 0;
}

static bool answer(const char *begun, int room)
{
    size_t len = strlen(begun);
    memset(response, '#', sizeof(response));
    memcpy(response, begun, len);
    struct lws_process_html_args headers = {.p = response + len, .max_len = room};
    bool good = hg_ws_extension_answer(&connection, &headers);
    *headers.p = '\0';
    return good;
}

static void test_the_whole_answer(void **state)
{
    (void)state;
    assert_true(answer(BARE, 900));
    assert_string_equal(response, WHOLE "\r\n");
    connection.window_bits = 13;
    assert_true(answer(BARE, 900));
    assert_string_equal(response, WHOLE "; server_max_window_bits=13\r\n");
    connection.deflates = false;
    assert_true(answer(BARE, 900));
    assert_string_equal(response, BARE);
    assert_true(answer(BEFORE "\r\n", 900));
    assert_int_equal(warnings, 0);
    assert_int_equal(ws.deflate_window_bits, 13);
}

static void test_an_answer_that_is_not_known(void **state)
{
    (void)state;
    static const char *const rows[] = {
        BEFORE "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
        BEFORE "\r\nsec-websocket-extensions: permessage-deflate\r\n",
        BEFORE "\r\nSec-WebSocket-Extensions: permessage-deflate",
        BARE "X-More: 1\r\n",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ws.deflate_window_bits = 13;
        assert_false(answer(rows[i], 900));
        assert_string_equal(response, rows[i]);
        assert_int_equal(warnings, i + 1);
        /* Told once; no handshake agrees to it from now on. */
        assert_int_equal(ws.deflate_window_bits, 0);
        assert_false(answer(rows[i], 900));
        assert_int_equal(warnings, i + 1);
    }
    assert_false(answer(BARE, 50));
    assert_string_equal(response, BARE);
}

static void test_the_last_offer_is_confirmed(void **state)
{
    (void)state;
    for (uint8_t offers = 0; offers < 4; offers++) {
        connection.deflates = false;
        connection.offers_left = offers;
        for (uint8_t i = 1; i < offers; i++)
            assert_false(hg_ws_extension_confirm(&connection));
        assert_false(connection.deflates);
        assert_int_equal(hg_ws_extension_confirm(&connection), offers > 0);
        assert_int_equal(connection.deflates, offers > 0);
        assert_false(hg_ws_extension_confirm(&connection));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_whole_answer, set_up),
        cmocka_unit_test_setup(test_an_answer_that_is_not_known, set_up),
        cmocka_unit_test_setup(test_the_last_offer_is_confirmed, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
