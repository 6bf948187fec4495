/* The step that appends once: its text, its keys, the words of a call, and answers of any kind. What Redis makes of it
 * is tested with Redis, in tests/scenario. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "core/dedupe.h"

static void test_the_text(void **state)
{
    (void)state;
    struct hg_buf library;
    hg_buf_init(&library, 1 << 16);
    hg_dedupe_put_library(&library);
    hg_buf_put_char(&library, '\0');
    char start[100];
    snprintf(start, sizeof(start), "#!lua name=%s\nredis.register_function('%s', function(KEYS, ARGV)\n",
             hg_dedupe_name(), hg_dedupe_name());
    assert_int_equal(strncmp(library.ptr, start, strlen(start)), 0);
    struct hg_slice script = hg_dedupe_script();
    assert_memory_equal(library.ptr + strlen(start), script.ptr, script.len);
    assert_string_equal(library.ptr + strlen(start) + script.len, "end)\n");
    /* A name that both FUNCTION LOAD and FCALL take; always the same for the same text. */
    assert_int_equal(strlen(hg_dedupe_name()), strlen("headgate_") + 8);
    assert_int_equal(strspn(hg_dedupe_name(), "abcdefghijklmnopqrstuvwxyz_0123456789"), strlen(hg_dedupe_name()));
    assert_string_equal(hg_dedupe_name(), hg_dedupe_name());
    hg_buf_done(&library);
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

/* The hash slot of a key (Redis Cluster specification, "Key distribution model": CRC16 of XMODEM, modulo 16384). */
static unsigned slot_of(struct hg_slice key)
{
    const char *open = key.len > 0 ? memchr(key.ptr, '{', key.len) : NULL;
    if (open) {
        struct hg_slice rest = hg_slice_from(key, (size_t)(open + 1 - key.ptr));
        const char *close = rest.len > 0 ? memchr(rest.ptr, '}', rest.len) : NULL;
        if (close && close > rest.ptr)
            key = hg_slice_first(rest, (size_t)(close - rest.ptr));
    }
    unsigned crc = 0;
    for (size_t i = 0; i < key.len; i++) {
        crc ^= (unsigned)(unsigned char)key.ptr[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
    }
    return crc % 16384;
}

static const char *key_of(const char *stream)
{
    static char text[600];
    struct hg_buf key;
    hg_buf_init(&key, 512);
    hg_dedupe_put_key(hg_slice_str(stream), &key);
    snprintf(text, sizeof(text), "%.*s", HG_SLICE_ARG(hg_buf_slice(&key)));
    hg_buf_done(&key);
    return text;
}

static void test_keys(void **state)
{
    (void)state;
    assert_int_equal(slot_of(HG_LIT("123456789")), 0x31c3); /* the specification's example */
    assert_int_equal(slot_of(HG_LIT("foo{bar}{zap}")), slot_of(HG_LIT("bar")));
    assert_string_equal(key_of("orders.eu"), "headgate:dedupe:{orders.eu}:orders.eu");
    assert_string_equal(key_of("a{b}c"), "headgate:dedupe:{b}:a{b}c");
    assert_string_equal(key_of("{b}{c}"), "headgate:dedupe:{b}:{b}{c}");
    assert_string_equal(key_of("a{{b}c"), "headgate:dedupe:{{b}:a{{b}c");
    assert_string_equal(key_of("a{b"), "headgate:dedupe:{a{b}:a{b");
}

/* The script names all of its keys in one call, so they must stand in one slot. Redis takes for the tag what stands
 * between the first '{' and the next '}', if that is anything; a name like "a}b" or "a{}b" has none, and cannot be
 * made one of. */
static void test_keys_share_the_slot_of_the_stream(void **state)
{
    (void)state;
    static const char alphabet[] = "ab.{}";
    struct hg_prng prng;
    hg_prng_init(&prng, 1);
    unsigned tagged = 0, plain = 0;
    for (int round = 0; round < 20000; round++) {
        char stream[12];
        size_t len = 1 + hg_prng_below(&prng, 10);
        for (size_t i = 0; i < len; i++)
            stream[i] = alphabet[hg_prng_below(&prng, sizeof(alphabet) - 1)];
        stream[len] = '\0';
        const char *open = strchr(stream, '{'), *close = open ? strchr(open, '}') : NULL;
        bool has_tag = close && close > open + 1;
        if (!has_tag && strchr(stream, '}'))
            continue;
        tagged += has_tag;
        plain += !has_tag;
        if (slot_of(hg_slice_str(key_of(stream))) != slot_of(hg_slice_str(stream)))
            fail_msg("%s: %s", stream, key_of(stream));
    }
    assert_true(tagged > 1000 && plain > 1000);
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static void test_words(void **state)
{
    (void)state;
    const struct hg_slice more[] = {HG_LIT("ip"), HG_LIT("192.0.2.1")};
    struct hg_dedupe_call call = {
        .stream = HG_LIT("s"),
        .current = HG_LIT("c"),
        .previous = HG_LIT("p"),
        .window_ms = UINT64_MAX,
        .maxlen = 0,
        .field = HG_LIT("event"),
    };
    struct hg_dedupe_event event = {.id = HG_LIT("i"), .event = HG_LIT("{}"), .stamp = HG_LIT("~00000001")};
    struct hg_dedupe_numbers numbers;
    struct hg_slice argv[HG_DEDUPE_CALL_WORDS + HG_DEDUPE_EVENT_WORDS + 2];
    static const char *const plain[] = {"FCALL", "f", "3", "s",  "c",        "p", "18446744073709551615",
                                        "",      "",  "i", "{}", "~00000001"};
    size_t count = hg_dedupe_begin(&call, HG_LIT("FCALL"), HG_LIT("f"), &numbers, argv);
    count += hg_dedupe_put(&call, &event, argv + count);
    assert_int_equal(count, sizeof(plain) / sizeof(plain[0]));
    for (size_t i = 0; i < count; i++)
        assert_true(hg_slice_is(argv[i], plain[i]));

    call.look = true;
    call.field = HG_LIT("data");
    count = hg_dedupe_begin(&call, HG_LIT("FCALL"), HG_LIT("f"), &numbers, argv);
    static const char *const other[] = {"look", "data", "0", "0", "0"};
    assert_int_equal(count, HG_DEDUPE_CALL_WORDS);
    for (size_t i = 0; i < 5; i++)
        assert_true(hg_slice_is(argv[7 + i], other[i]));
    call.field = HG_LIT("event");

    static const char *const full[] = {"EVALSHA", "h", "3", "s", "c",  "p",         "1000",  "write", "event",
                                       "7",       "1", "2", "i", "{}", "~00000001", "scope", "ip",    "192.0.2.1"};
    call.window_ms = 1000;
    call.maxlen = 7;
    call.touch = call.scoped = true;
    call.more = 2;
    event.scope = HG_LIT("scope");
    event.more = more;
    count = hg_dedupe_begin(&call, HG_LIT("EVALSHA"), HG_LIT("h"), &numbers, argv);
    assert_true(count <= HG_DEDUPE_CALL_WORDS);
    size_t words = hg_dedupe_put(&call, &event, argv + count);
    assert_true(words <= HG_DEDUPE_EVENT_WORDS + call.more);
    count += words;
    assert_int_equal(count, sizeof(full) / sizeof(full[0]));
    for (size_t i = 0; i < count; i++)
        assert_true(hg_slice_is(argv[i], full[i]));
    char stamp[HG_DEDUPE_STAMP_BYTES + 1] = {0};
    assert_int_equal(hg_dedupe_stamp(0xabc, 0xabc, stamp), 9);
    assert_string_equal(stamp, "~00000abc");
    assert_int_equal(hg_dedupe_stamp(0xabc, UINT32_MAX, stamp), 17);
    assert_string_equal(stamp, "~00000abcffffffff");
    assert_int_equal(hg_dedupe_look_ms(600000), 1000);
    assert_int_equal(hg_dedupe_look_ms(1010), 63);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static struct hg_dedupe_answer read_text(const char *text)
{
    const struct hg_reply reply = {.type = HG_REPLY_STRING, .text = hg_slice_str(text)};
    return hg_dedupe_read(&reply);
}

static void test_answers(void **state)
{
    (void)state;
    struct hg_dedupe_answer answer = read_text("1700000000000-3");
    assert_int_equal(answer.result, HG_DEDUPE_APPENDED);
    assert_true(answer.id.ms == 1700000000000 && answer.id.seq == 3);
    answer = read_text("=18446744073709551615-18446744073709551615~0000000affffffff");
    assert_int_equal(answer.result, HG_DEDUPE_KNOWN);
    assert_true(answer.id.ms == UINT64_MAX && answer.id.seq == UINT64_MAX);
    assert_true(answer.fingerprint == 0xa && answer.digest == UINT32_MAX);
    answer = read_text("=1-2~0000000b");
    assert_int_equal(answer.result, HG_DEDUPE_KNOWN);
    assert_true(answer.id.ms == 1 && answer.id.seq == 2 && answer.fingerprint == 0xb && answer.digest == 0xb);
    answer = read_text("-OOM command not allowed");
    assert_int_equal(answer.result, HG_DEDUPE_REFUSED);
    assert_true(hg_slice_is(answer.words, "OOM command not allowed"));
    assert_int_equal(read_text("-").result, HG_DEDUPE_REFUSED);
    static const char *const odd[] = {"",
                                      "=",
                                      "~",
                                      "1",
                                      "1-",
                                      "1-1 ",
                                      " 1-1",
                                      "1-1-1",
                                      "x-1",
                                      "01-1x",
                                      "=1-1",
                                      "=1-1~0000001",
                                      "=1-1~000000010",
                                      "=1-1~00000001~",
                                      "=1-1~00000001~00000001",
                                      "=~00000001",
                                      "=1-1~0000000100000001f",
                                      "=1-1~000000010000000g",
                                      "=1-1~0000000G00000001",
                                      "==1-1~0000000100000001",
                                      "=1~0000000100000001",
                                      "=18446744073709551616-0~0000000100000001",
                                      "+OK"};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        if (read_text(odd[i]).result != HG_DEDUPE_ODD)
            fail_msg("'%s' was taken for an answer", odd[i]);
    for (int type = 0; type <= HG_REPLY_ARRAY; type++) {
        const struct hg_reply reply = {.type = (enum hg_reply_type)type, .text = HG_LIT("1-1"), .integer = 1};
        if (type != HG_REPLY_STRING)
            assert_int_equal(hg_dedupe_read(&reply).result, HG_DEDUPE_ODD);
    }
}

/* Any bytes: what is taken for an answer says itself again, to the letter; and nothing is read past its end. */
static void test_answers_of_any_bytes(void **state)
{
    (void)state;
    static const char alphabet[] = "=-~0123456789abcdefg";
    struct hg_prng prng;
    hg_prng_init(&prng, 7);
    unsigned known = 0, appended = 0;
    for (int round = 0; round < 200000; round++) {
        char text[40];
        size_t len = 0;
        if (hg_prng_chance(&prng, 25))
            len = (size_t)snprintf(text, sizeof(text), "=%u-%u~%08x", (unsigned)hg_prng_below(&prng, 1000),
                                   (unsigned)hg_prng_below(&prng, 10), (unsigned)hg_prng_next(&prng));
        else if (hg_prng_chance(&prng, 33))
            len = (size_t)snprintf(text, sizeof(text), "=%u-%u~%08x%08x", (unsigned)hg_prng_below(&prng, 1000),
                                   (unsigned)hg_prng_below(&prng, 10), (unsigned)hg_prng_next(&prng),
                                   (unsigned)hg_prng_next(&prng));
        else
            for (len = hg_prng_below(&prng, 24); len < 3 && hg_prng_chance(&prng, 90);)
                len++;
        for (size_t i = 0; i < len; i++)
            if (text[0] != '=' || hg_prng_chance(&prng, 2))
                text[i] = hg_prng_chance(&prng, 1) ? (char)hg_prng_next(&prng)
                                                   : alphabet[hg_prng_below(&prng, sizeof(alphabet) - 1)];
        char *exact = malloc(len > 0 ? len : 1); /* so that a sanitizer sees its end */
        assert_non_null(exact);
        memcpy(exact, text, len);
        const struct hg_reply reply = {.type = HG_REPLY_STRING, .text = hg_slice(exact, len)};
        struct hg_dedupe_answer answer = hg_dedupe_read(&reply);
        char again[64] = "";
        if (answer.result == HG_DEDUPE_KNOWN) {
            known++;
            const char *wave = memrchr(exact, '~', len);
            size_t stamp_len = (size_t)(exact + len - wave);
            snprintf(again, sizeof(again), "~%08x%08x", (unsigned)answer.fingerprint, (unsigned)answer.digest);
            /* Leading zeros of an id are the one liberty. */
            assert_true(stamp_len == 17 || (stamp_len == 9 && answer.fingerprint == answer.digest));
            assert_memory_equal(again, wave, stamp_len);
        } else if (answer.result == HG_DEDUPE_APPENDED) {
            appended++;
        }
        free(exact);
    }
    assert_true(known > 1000 && appended > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_text),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_keys_share_the_slot_of_the_stream),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_answers_of_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
