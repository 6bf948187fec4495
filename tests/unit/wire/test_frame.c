#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/death.h"
#include "support/frame_reader.h"
#include "support/oom.h"
#include "wire/frame.h"

static void test_headers_at_the_edges(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        struct hg_slice header;
    } rows[] = {
        {0, HG_LIT("\x81\x00")},
        {1, HG_LIT("\x81\x01")},
        {125, HG_LIT("\x81\x7d")},
        {126, HG_LIT("\x81\x7e\x00\x7e")},
        {255, HG_LIT("\x81\x7e\x00\xff")},
        {256, HG_LIT("\x81\x7e\x01\x00")},
        {65535, HG_LIT("\x81\x7e\xff\xff")},
        {65536, HG_LIT("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00")},
        {0x0123456789abcdef, HG_LIT("\x81\x7f\x01\x23\x45\x67\x89\xab\xcd\xef")},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hg_buf buf;
        hg_buf_init(&buf, HG_FRAME_HEADER_MAX);
        hg_frame_put_text_header(&buf, rows[i].len);
        assert_true(hg_slice_eq(hg_buf_slice(&buf), rows[i].header));
        assert_int_equal(hg_frame_header_len(rows[i].len), rows[i].header.len);
        hg_buf_done(&buf);
    }
}

static char byte_at(size_t i)
{
    return (char)('a' + i % 23);
}

/* Builds in place and puts the header first; both are read by the same independent reader. */
static void check_round_trip(size_t len, size_t max)
{
    char *payload = malloc(len + 1);
    assert_non_null(payload);
    for (size_t i = 0; i < len; i++)
        payload[i] = byte_at(i);
    struct hg_buf buf;
    hg_buf_init(&buf, max);
    hg_frame_put_ping(&buf, 'p');
    size_t mark = hg_frame_begin(&buf);
    for (size_t done = 0, piece; done < len; done += piece) {
        piece = len - done < 1000 ? len - done : 1000;
        hg_buf_put(&buf, hg_slice(payload + done, piece));
    }
    hg_frame_end(&buf, mark);
    assert_true(hg_ok(hg_buf_result(&buf)));
    hg_frame_put_text_header(&buf, len);
    hg_buf_put(&buf, hg_slice(payload, len));
    assert_true(hg_ok(hg_buf_result(&buf)));

    struct hg_slice rest = hg_buf_slice(&buf);
    struct hgt_frame frame = {0};
    assert_true(hgt_frame_take(&rest, &frame) && frame.opcode == 9 && hg_slice_is(frame.payload, "p"));
    for (int i = 0; i < 2; i++) {
        assert_true(hgt_frame_take(&rest, &frame) && frame.opcode == 1);
        assert_true(hg_slice_eq(frame.payload, hg_slice(payload, len)));
    }
    assert_int_equal(rest.len, 0);
    hg_buf_done(&buf);
    free(payload);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, 100000};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
        check_round_trip(lens[i], 3 + 2 * (lens[i] + hg_frame_header_len(lens[i]))); /* exactly what is needed */
}

static void put_frame(struct hg_buf *buf, size_t len)
{
    size_t mark = hg_frame_begin(buf);
    for (size_t i = 0; i < len; i++)
        hg_buf_put_char(buf, byte_at(i));
    hg_frame_end(buf, mark);
}

/* Whatever the ceiling, what is in the buffer is whole frames, and the error says that one is missing. */
static void test_no_part_of_a_frame_is_left(void **state)
{
    (void)state;
    for (size_t max = 1; max < 300; max++) {
        struct hg_buf buf;
        hg_buf_init(&buf, max);
        size_t fit = 0, used = 0;
        for (size_t len = 0; len <= 130; len += 13) {
            put_frame(&buf, len);
            if (used == fit && fit + len + hg_frame_header_len(len) <= max)
                fit += len + hg_frame_header_len(len);
            used += len + hg_frame_header_len(len);
            assert_int_equal(buf.len, fit);
            assert_int_equal(hg_buf_result(&buf).code, fit == used ? HG_ERR_OK : HG_ERR_TOO_BIG);
        }
        struct hg_slice rest = hg_buf_slice(&buf);
        struct hgt_frame frame = {0};
        while (rest.len > 0)
            assert_true(hgt_frame_take(&rest, &frame));
        hg_buf_done(&buf);
    }
}

static void end_behind_the_end(void)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 100);
    hg_buf_put_str(&buf, "abc");
    hg_frame_end(&buf, 4);
}

static void end_without_begin(void)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 100);
    hg_frame_end(&buf, buf.len);
}

static void take_half_a_frame(void)
{
    struct hg_slice half = HG_LIT("\x81\x02"
                                  "a"),
                    payload;
    (void)hg_frame_take(&half, &payload);
}

static void test_misuse_is_our_mistake(void **state)
{
    (void)state;
    assert_true(hgt_dies(end_behind_the_end));
    assert_true(hgt_dies(end_without_begin));
    assert_true(hgt_dies(take_half_a_frame));
}

/* The reader that the tests rely on refuses what it should. */
static void test_the_reader_can_refuse(void **state)
{
    (void)state;
    static const struct hg_slice rows[] = {
        HG_LIT(""),
        HG_LIT("\x81"),
        HG_LIT("\x81\x02"
               "a"),
        HG_LIT("\x01\x00"),
        HG_LIT("\xc1\x00"),
        HG_LIT("\x81\x80\x00\x00\x00\x00"),
        HG_LIT("\x81\x7e\x00\x01"
               "a"),
        HG_LIT("\x81\x7e\x00"),
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hg_slice bytes = rows[i];
        struct hgt_frame frame = {0};
        assert_false(hgt_frame_take(&bytes, &frame));
    }
}

static void test_frames_are_taken_one_by_one(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 125, 126, 65535, 65536, 3};
    struct hg_buf buf;
    struct hg_slice payload;
    hg_buf_init(&buf, 1 << 20);
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
        put_frame(&buf, lens[i]);
    struct hg_slice ours = hg_buf_slice(&buf), theirs = ours;
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct hgt_frame frame = {0};
        struct hg_slice before = ours, taken = hg_frame_take(&ours, &payload);
        assert_true(hgt_frame_take(&theirs, &frame));
        assert_true(payload.len == lens[i] && hg_slice_eq(payload, frame.payload));
        assert_true(taken.ptr == before.ptr && taken.len == lens[i] + hg_frame_header_len(lens[i]));
        assert_int_equal(ours.len, theirs.len);
    }
    assert_int_equal(ours.len, 0);
    hg_buf_done(&buf);
}

static void test_a_deflated_payload_is_marked(void **state)
{
    (void)state;
    struct hg_buf buf;
    struct hgt_frame frame = {0};
    hg_buf_init(&buf, 200);
    for (size_t len = 0; len < 150; len += 50) {
        hg_buf_clear(&buf);
        size_t mark = hg_frame_begin(&buf);
        for (size_t i = 0; i < len; i++)
            hg_buf_put_char(&buf, byte_at(i));
        hg_frame_end_deflated(&buf, mark);
        struct hg_slice rest = hg_buf_slice(&buf), again = rest;
        assert_false(hgt_frame_take(&again, &frame));
        assert_true(hgt_frame_take_any(&rest, &frame) && frame.deflated && frame.opcode == 1);
        assert_int_equal(frame.payload.len, len);
    }
    /* What does not fit leaves nothing, and marks nothing. */
    hg_buf_clear(&buf);
    put_frame(&buf, 100);
    size_t mark = hg_frame_begin(&buf);
    for (size_t i = 0; i < 120; i++)
        hg_buf_put_char(&buf, byte_at(i));
    hg_frame_end_deflated(&buf, mark);
    struct hg_slice rest = hg_buf_slice(&buf);
    assert_int_equal(rest.len, 102);
    assert_true(hgt_frame_take(&rest, &frame));
    hg_buf_done(&buf);
}

static bool build(void)
{
    struct hg_buf buf;
    hg_buf_init(&buf, 10000);
    hg_frame_put_ping(&buf, 'p');
    put_frame(&buf, 10);
    put_frame(&buf, 200);
    hg_frame_put_text_header(&buf, 0);
    bool ok = hg_ok(hg_buf_result(&buf));
    struct hg_slice rest = hg_buf_slice(&buf);
    struct hgt_frame frame = {0};
    while (rest.len > 0)
        assert_true(hgt_frame_take(&rest, &frame));
    hg_buf_done(&buf);
    return ok;
}

static void test_each_allocation_failed(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(build);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_at_the_edges),        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_no_part_of_a_frame_is_left),  cmocka_unit_test(test_misuse_is_our_mistake),
        cmocka_unit_test(test_the_reader_can_refuse),       cmocka_unit_test(test_each_allocation_failed),
        cmocka_unit_test(test_frames_are_taken_one_by_one), cmocka_unit_test(test_a_deflated_payload_is_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
