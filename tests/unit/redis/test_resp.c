/* The codec: however the bytes are cut the same trees come out; what is no RESP, or too much of it, is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/prng.h"
#include "redis/redis.h"
#include "support/oom.h"

/* A reply as text: N, +text, -text, "text", 12, [ … ]. */
static void render(struct hg_buf *buf, const struct hg_reply *reply)
{
    switch (reply->type) {
    case HG_REPLY_NIL:
        hg_buf_put_char(buf, 'N');
        break;
    case HG_REPLY_STATUS:
        hg_buf_put_char(buf, '+');
        hg_buf_put(buf, reply->text);
        break;
    case HG_REPLY_ERROR:
        hg_buf_put_char(buf, '-');
        hg_buf_put(buf, reply->text);
        break;
    case HG_REPLY_STRING:
        hg_buf_put_char(buf, '"');
        hg_buf_put(buf, reply->text);
        hg_buf_put_char(buf, '"');
        break;
    case HG_REPLY_INTEGER:
        hg_buf_put_i64(buf, reply->integer);
        break;
    case HG_REPLY_ARRAY:
        hg_buf_put_char(buf, '[');
        for (size_t i = 0; i < reply->count; i++) {
            hg_buf_put_str(buf, i > 0 ? " " : "");
            render(buf, &reply->items[i]);
        }
        hg_buf_put_char(buf, ']');
        break;
    }
}

static bool on_reply(void *context, const struct hg_reply *reply)
{
    render(context, reply);
    hg_buf_put_char(context, ';');
    return true;
}

/* Feeds `bytes` in pieces that end at `cut` and then every `step` bytes; memory of exactly their size, so that a
 * sanitizer sees a read past a piece. False: refused. */
static bool feed_cut(struct hg_slice bytes, size_t cut, size_t step, struct hg_buf *ret_text, char reterr[256])
{
    struct hg_resp *resp = NULL;
    assert_true(hg_ok(hg_resp_new(&resp)));
    bool fine = true;
    for (size_t from = 0; fine && from < bytes.len;) {
        size_t to = from < cut ? cut : from + step;
        if (to > bytes.len)
            to = bytes.len;
        char *piece = malloc(to - from);
        assert_non_null(piece);
        memcpy(piece, bytes.ptr + from, to - from);
        const char *why = NULL;
        fine = hg_resp_feed(resp, hg_slice(piece, to - from), on_reply, ret_text, &why);
        free(piece);
        if (!fine)
            snprintf(reterr, 256, "%s", why);
        from = to;
    }
    hg_resp_free(resp);
    return fine;
}

static void expect(struct hg_slice bytes, const char *text)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 1 << 20);
    for (size_t cut = 0; cut <= bytes.len; cut++) {
        for (size_t step = 1; step <= 7; step += 6) {
            char why[256] = "";
            hg_buf_clear(&buf);
            if (!feed_cut(bytes, cut, step, &buf, why))
                fail_msg("refused: %s", why);
            assert_true(hg_ok(hg_buf_result(&buf)));
            if (!hg_slice_is(hg_buf_slice(&buf), text))
                fail_msg("cut at %zu, then each %zu: %.*s", cut, step, HG_SLICE_ARG(hg_buf_slice(&buf)));
        }
    }
    hg_buf_done(&buf);
}

static void refuse(struct hg_slice bytes, const char *why_part)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 1 << 20);
    for (size_t step = bytes.len; step > 0; step = step > 1000 ? step / 2 : step > 1 ? 1 : 0) {
        char why[256] = "";
        hg_buf_clear(&buf);
        assert_false(feed_cut(bytes, 0, step, &buf, why));
        if (!strstr(why, why_part))
            fail_msg("refused for \"%s\" instead of \"%s\"", why, why_part);
    }
    hg_buf_done(&buf);
}

static void every_cut_gives_the_same_trees(void **state)
{
    (void)state;
    expect(HG_LIT("+OK\r\n"), "+OK;");
    expect(HG_LIT("+\r\n-\r\n"), "+;-;");
    expect(HG_LIT("-ERR unknown\r\n:0\r\n:-1\r\n"), "-ERR unknown;0;-1;");
    expect(HG_LIT(":9223372036854775807\r\n:-9223372036854775808\r\n"), "9223372036854775807;-9223372036854775808;");
    expect(HG_LIT("$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"), "\"\";N;N;[];");
    expect(HG_LIT("$4\r\n\r\n\r\n\r\n"), "\"\r\n\r\n\";");
    expect(HG_LIT("*3\r\n$7\r\nmessage\r\n$6\r\norders\r\n$2\r\n{}\r\n:1\r\n"), "[\"message\" \"orders\" \"{}\"];1;");
    expect(HG_LIT("*5\r\n*0\r\n*-1\r\n$-1\r\n*1\r\n*0\r\n-no\r\n"), "[[] N N [[]] -no];");
    expect(
        HG_LIT(
            "*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3\r\n1-2\r\n*-1\r\n"),
        "[[\"s\" [[\"1-1\" [\"a\" \"b\"]] [\"1-2\" N]]]];");
}

static void strings_are_bytes(void **state)
{
    (void)state;
    struct hg_buf buf;
    hg_buf_init(&buf, 1 << 20);
    char why[256] = "";
    const struct hg_slice bytes = HG_LIT("$3\r\na\0b\r\n");
    assert_true(feed_cut(bytes, 0, 1, &buf, why));
    assert_true(hg_slice_eq(hg_buf_slice(&buf), HG_LIT("\"a\0b\";")));
    hg_buf_done(&buf);
}

static void odd_bytes_are_refused(void **state)
{
    (void)state;
    refuse(HG_LIT("HTTP/1.1 400 Bad Request\r\n"), "H");
    refuse(HG_LIT("\r\n"), "rotocol");
    refuse(HG_LIT("\0"), "rotocol");
    refuse(HG_LIT("\xff\xfe"), "rotocol");
    refuse(HG_LIT(":abc\r\n"), "integer");
    refuse(HG_LIT(":\r\n"), "integer");
    refuse(HG_LIT(":99999999999999999999\r\n"), "integer");
    refuse(HG_LIT("$\r\n"), "ulk");
    refuse(HG_LIT("$-2\r\n"), "ulk");
    refuse(HG_LIT("$1x\r\n"), "ulk");
    refuse(HG_LIT("$99999999999999999999\r\n"), "ulk");
    refuse(HG_LIT("*\r\n"), "ulti-bulk");
    refuse(HG_LIT("*-2\r\n"), "ulti-bulk");
    refuse(HG_LIT("*1\r\n!\r\n"), "rotocol");
    refuse(HG_LIT("*2\r\n:1\r\nx"), "rotocol");
}

/* Which of the two depends on hiredis; never anything else. */
static void resp3_is_mapped_or_refused(void **state)
{
    (void)state;
    const struct {
        struct hg_slice bytes;
        const char *text; /* NULL: refused in any case */
    } cases[] = {
        {HG_LIT("%1\r\n+a\r\n:1\r\n"), "[+a 1];"},
        {HG_LIT("~2\r\n:1\r\n:2\r\n"), "[1 2];"},
        {HG_LIT(">2\r\n$7\r\nmessage\r\n_\r\n"), "[\"message\" N];"},
        {HG_LIT("#t\r\n#f\r\n"), "1;0;"},
        {HG_LIT(",1.5\r\n"), "\"1.5\";"},
        {HG_LIT("(12345678901234567890123\r\n"), "\"12345678901234567890123\";"},
        {HG_LIT("=7\r\ntxt:abc\r\n"), "\"abc\";"},
        {HG_LIT("%1048576\r\n"), NULL},
        {HG_LIT("|1\r\n+a\r\n:1\r\n:2\r\n"), NULL},
    };
    struct hg_buf text;
    hg_buf_init(&text, 1000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char why[256] = "";
        hg_buf_clear(&text);
        bool fine = feed_cut(cases[i].bytes, 0, 1, &text, why);
        if (fine ? !cases[i].text || !hg_slice_is(hg_buf_slice(&text), cases[i].text) : text.len > 0)
            fail_msg("%.*s became %.*s", HG_SLICE_ARG(cases[i].bytes), HG_SLICE_ARG(hg_buf_slice(&text)));
    }
    hg_buf_done(&text);
}

static void huge_counts_are_refused_before_memory_is_asked_for(void **state)
{
    (void)state;
    refuse(HG_LIT("*2147483647\r\n"), "1048576 items");
    refuse(HG_LIT("*1048577\r\n"), "1048576 items");
    refuse(HG_LIT("*2\r\n*1\r\n*2000000000\r\n"), "1048576 items");
    refuse(HG_LIT("*9223372036854775807\r\n"), ""); /* by the reader or by us */
}

static void nesting_has_a_bound(void **state)
{
    (void)state;
    expect(HG_LIT("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:8\r\n"), "[[[[[[[8]]]]]]];");
    expect(HG_LIT("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*-1\r\n"), "[[[[[[[N]]]]]]];");
    refuse(HG_LIT("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:9\r\n"), "deeper than 7");
    refuse(HG_LIT("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n"), "deeper than 7");
    refuse(HG_LIT("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"), "deeper than 7");
}

static void endless_lines_are_refused(void **state)
{
    (void)state;
    size_t len = 200000;
    char *bytes = malloc(len);
    assert_non_null(bytes);
    struct hg_buf text;
    hg_buf_init(&text, 1 << 20);
    static const char kinds[] = "+-:$*";
    for (size_t i = 0; kinds[i]; i++) {
        char why[256] = "";
        memset(bytes, '1', len);
        bytes[0] = kinds[i];
        assert_false(feed_cut(hg_slice(bytes, len), 0, 10000, &text, why));
        assert_non_null(strstr(why, "line"));
    }
    /* A long line that ends in time is fine, and so is a long string. */
    char why[256] = "";
    memset(bytes, 'x', len);
    bytes[0] = '+';
    memcpy(bytes + 60000, "\r\n$139987\r\n", 11);
    memcpy(bytes + len - 2, "\r\n", 2);
    assert_true(feed_cut(hg_slice(bytes, len), 0, 10000, &text, why));
    assert_int_equal(text.len, 60000 + 1 + 139987 + 3);
    free(bytes);
    hg_buf_done(&text);
}

static void large_strings_pass(void **state)
{
    (void)state;
    size_t len = 5 << 20;
    struct hg_buf bytes, text;
    hg_buf_init(&bytes, 16 << 20);
    hg_buf_init(&text, 16 << 20);
    hg_buf_printf(&bytes, "*2\r\n$%zu\r\n", len);
    struct hg_prng prng;
    hg_prng_init(&prng, 1);
    size_t start = bytes.len;
    for (size_t i = 0; i < len; i++)
        hg_buf_put_char(&bytes, (char)hg_prng_below(&prng, 256));
    hg_buf_put_str(&bytes, "\r\n:5\r\n:6\r\n");
    assert_true(hg_ok(hg_buf_result(&bytes)));
    char why[256] = "";
    assert_true(feed_cut(hg_buf_slice(&bytes), 0, 65537, &text, why));
    assert_int_equal(text.len, strlen("[\"\" 5];6;") + len);
    assert_memory_equal(text.ptr + 2, bytes.ptr + start, len);
    hg_buf_done(&bytes);
    hg_buf_done(&text);
}

static bool stop_at_second(void *context, const struct hg_reply *reply)
{
    int *count = context;
    assert_int_equal(reply->integer, ++*count);
    return *count < 2;
}

static void the_caller_may_stop(void **state)
{
    (void)state;
    struct hg_resp *resp = NULL;
    assert_true(hg_ok(hg_resp_new(&resp)));
    int count = 0;
    const char *why = NULL;
    assert_true(hg_resp_feed(resp, HG_LIT(":1\r\n:2\r\n:3\r\ngarbage"), stop_at_second, &count, &why));
    assert_int_equal(count, 2);
    hg_resp_free(resp);
}

static void it_knows_whether_a_reply_is_half_read(void **state)
{
    (void)state;
    struct hg_resp *resp = NULL;
    assert_true(hg_ok(hg_resp_new(&resp)));
    assert_true(hg_resp_is_between(resp));
    struct hg_buf text;
    hg_buf_init(&text, 1024);
    const char *why = NULL;
    static const char bytes[] = "*2\r\n:1\r\n$1\r\na\r\n";
    for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
        assert_true(hg_resp_feed(resp, hg_slice(bytes + i, 1), on_reply, &text, &why));
        assert_int_equal(hg_resp_is_between(resp), i == sizeof(bytes) - 2);
    }
    hg_resp_free(resp);
    hg_resp_free(NULL);
    hg_buf_done(&text);
}

static void any_bytes_are_survived(void **state)
{
    (void)state;
    static const char alphabet[] = "*$+-:0123456789\r\n\r\n\r\na\0";
    struct hg_buf text, again;
    hg_buf_init(&text, 1 << 20);
    hg_buf_init(&again, 1 << 20);
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct hg_prng prng;
        hg_prng_init(&prng, seed);
        char bytes[128], why[256] = "", why_again[256] = "";
        size_t len = 1 + hg_prng_below(&prng, sizeof(bytes));
        for (size_t i = 0; i < len; i++)
            bytes[i] = alphabet[hg_prng_below(&prng, sizeof(alphabet) - 1)];
        hg_buf_clear(&text);
        hg_buf_clear(&again);
        bool fine = feed_cut(hg_slice(bytes, len), 0, len, &text, why);
        size_t step = 1 + hg_prng_below(&prng, 9);
        bool fine_again = feed_cut(hg_slice(bytes, len), 0, step, &again, why_again);
        if (fine != fine_again || !hg_slice_eq(hg_buf_slice(&text), hg_buf_slice(&again)))
            fail_msg("seed %d: whole and in pieces of %zu differ", (int)seed, step);
    }
    hg_buf_done(&text);
    hg_buf_done(&again);
}

static bool count_replies(void *context, const struct hg_reply *reply)
{
    (void)reply;
    ++*(int *)context;
    return true;
}

static bool read_some(void)
{
    struct hg_resp *resp = NULL;
    hg_result r = hg_resp_new(&resp);
    if (!hg_ok(r))
        return r.code != HG_ERR_NOMEM;
    int count = 0;
    const char *why = "";
    bool fine =
        hg_resp_feed(resp, HG_LIT("*2\r\n*2\r\n$3\r\nabc\r\n:1\r\n+OK\r\n$2\r\nxy\r\n"), count_replies, &count, &why);
    if (!fine)
        assert_string_equal(why, "out of memory");
    hg_resp_free(resp);
    return fine;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(read_some);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same_trees),
        cmocka_unit_test(strings_are_bytes),
        cmocka_unit_test(odd_bytes_are_refused),
        cmocka_unit_test(resp3_is_mapped_or_refused),
        cmocka_unit_test(huge_counts_are_refused_before_memory_is_asked_for),
        cmocka_unit_test(nesting_has_a_bound),
        cmocka_unit_test(endless_lines_are_refused),
        cmocka_unit_test(large_strings_pass),
        cmocka_unit_test(the_caller_may_stop),
        cmocka_unit_test(it_knows_whether_a_reply_is_half_read),
        cmocka_unit_test(any_bytes_are_survived),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
