/* The small parts: arena, token queue, phrases for the log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/prng.h"
#include "redis/arena.h"
#include "redis/tokens.h"
#include "redis/words.h"
#include "support/oom.h"

static void pieces_of_an_arena_do_not_touch(void **state)
{
    (void)state;
    struct hg_arena arena;
    hg_arena_init(&arena, 8 << 20, 1 << 20);
    struct hg_prng prng;
    hg_prng_init(&prng, 7);
    for (int round = 0; round < 30; round++) {
        struct {
            unsigned char *bytes;
            size_t len;
        } pieces[64];
        for (size_t i = 0; i < 64; i++) {
            void *piece = NULL;
            pieces[i].len = 1 + hg_prng_below(&prng, hg_prng_chance(&prng, 20) ? 100000 : 200);
            assert_true(hg_ok(hg_arena_alloc(&arena, pieces[i].len, &piece)));
            assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
            pieces[i].bytes = piece;
            memset(piece, (int)i, pieces[i].len);
        }
        for (size_t i = 0; i < 64; i++) {
            for (size_t j = 0; j < pieces[i].len; j++)
                assert_int_equal(pieces[i].bytes[j], i);
        }
        hg_arena_reset(&arena);
    }
    hg_arena_done(&arena);
}

static void an_arena_has_a_ceiling(void **state)
{
    (void)state;
    struct hg_arena arena;
    hg_arena_init(&arena, 1000, 4000);
    void *piece = NULL;
    assert_int_equal(hg_arena_alloc(&arena, 1001, &piece).code, HG_ERR_TOO_BIG);
    assert_int_equal(hg_arena_alloc(&arena, SIZE_MAX, &piece).code, HG_ERR_TOO_BIG);
    assert_null(piece);
    assert_true(hg_ok(hg_arena_alloc(&arena, 600, &piece)));
    assert_int_equal(hg_arena_alloc(&arena, 401, &piece).code, HG_ERR_TOO_BIG);
    assert_true(hg_ok(hg_arena_alloc(&arena, 400, &piece)));
    hg_arena_reset(&arena);
    assert_true(hg_ok(hg_arena_alloc(&arena, 1000, &piece)));
    hg_arena_done(&arena);
}

static bool use_arena(void)
{
    struct hg_arena arena;
    hg_arena_init(&arena, 8 << 20, 1 << 20);
    bool fine = true;
    for (int round = 0; fine && round < 3; round++) {
        void *piece = NULL;
        fine = hg_ok(hg_arena_alloc(&arena, 100, &piece)) && hg_ok(hg_arena_alloc(&arena, 3 << 20, &piece)) &&
               hg_ok(hg_arena_alloc(&arena, 20000, &piece));
        hg_arena_reset(&arena);
    }
    hg_arena_done(&arena);
    return fine;
}

static void tokens_come_out_in_order(void **state)
{
    (void)state;
    struct hg_tokens tokens = {0};
    struct hg_prng prng;
    hg_prng_init(&prng, 3);
    uint64_t in = 0, out = 0, token = 0;
    assert_false(hg_tokens_pop(&tokens, &token));
    for (int i = 0; i < 20000; i++) {
        if (hg_prng_below(&prng, 100) < (i < 10000 ? 60 : 45)) {
            assert_true(hg_ok(hg_tokens_push(&tokens, in++)));
        } else if (hg_tokens_pop(&tokens, &token)) {
            assert_true(token == out++);
        } else {
            assert_true(in == out);
        }
    }
    while (hg_tokens_pop(&tokens, &token))
        assert_true(token == out++);
    assert_true(in == out);
    hg_tokens_done(&tokens);
}

static void tokens_have_a_ceiling(void **state)
{
    (void)state;
    struct hg_tokens tokens = {0};
    for (uint32_t i = 0; i < HG_TOKENS_MAX; i++)
        assert_true(hg_ok(hg_tokens_push(&tokens, i)));
    assert_int_equal(hg_tokens_push(&tokens, 0).code, HG_ERR_TOO_BIG);
    uint64_t token = 1;
    assert_true(hg_tokens_pop(&tokens, &token));
    assert_true(token == 0);
    assert_true(hg_ok(hg_tokens_push(&tokens, 0)));
    hg_tokens_done(&tokens);
}

static bool use_tokens(void)
{
    struct hg_tokens tokens = {0};
    bool fine = true;
    for (uint64_t i = 0; fine && i < 100; i++)
        fine = hg_ok(hg_tokens_push(&tokens, i));
    hg_tokens_done(&tokens);
    return fine;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(use_arena);
    HGT_OOM_SWEEP(use_tokens);
}

#define EXPECT_WORDS(said, secret, quoting, expected)                                                                  \
    do {                                                                                                               \
        struct hg_phrase phrase = hg_server_words(said, secret, quoting);                                              \
        assert_string_equal(phrase.text, expected);                                                                    \
    } while (0)

static void words_are_one_line_of_ascii(void **state)
{
    (void)state;
    EXPECT_WORDS(HG_LIT("LOADING Redis is loading"), NULL, true, "LOADING Redis is loading");
    EXPECT_WORDS(HG_LIT("a\nb\tc\x1b[2Jd\0e\x7f\xc3\xa4"), NULL, true, "a?b?c?[2Jd?e???");
    EXPECT_WORDS(HG_LIT("100%s %n"), NULL, true, "100%s %n");
    EXPECT_WORDS(HG_LIT("No. "), NULL, true, "No");
    EXPECT_WORDS(HG_LIT(""), NULL, true, "(no words)");
    EXPECT_WORDS(HG_SLICE_NULL, "x", true, "(no words)");
    char long_[1000];
    memset(long_, 'x', sizeof(long_));
    struct hg_phrase phrase = hg_server_words(hg_slice(long_, sizeof(long_)), NULL, true);
    assert_int_equal(strlen(phrase.text), 160);
    hg_phrase_printf(&phrase, "%.*s", (int)sizeof(long_), long_);
    assert_int_equal(strlen(phrase.text), sizeof(phrase.text) - 1);
}

static void words_never_repeat_the_password(void **state)
{
    (void)state;
    EXPECT_WORDS(HG_LIT("ERR args: `hunter2`, "), "hunter2", true,
                 "ERR (the rest is withheld: it repeats the password)");
    EXPECT_WORDS(HG_LIT("hunter2 is wrong"), "hunter2", true,
                 "(no words) (the rest is withheld: it repeats the password)");
    EXPECT_WORDS(HG_LIT("ERR unknown command `AUTH`, with args: `hunte"), "hunter2", false, "ERR unknown command");
    EXPECT_WORDS(HG_LIT("ERR unknown command 'AUTH'"), NULL, false, "ERR unknown command");
    EXPECT_WORDS(HG_LIT("ERR invalid password"), "", true, "ERR invalid password");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_an_arena_do_not_touch), cmocka_unit_test(an_arena_has_a_ceiling),
        cmocka_unit_test(tokens_come_out_in_order),        cmocka_unit_test(tokens_have_a_ceiling),
        cmocka_unit_test(each_allocation_may_fail),        cmocka_unit_test(words_are_one_line_of_ascii),
        cmocka_unit_test(words_never_repeat_the_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
