/* The readers of Redis's replies: right shapes are read, every other shape is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/reply.h"

#define STRING(literal)                                                                                                \
    {                                                                                                                  \
        .type = HG_REPLY_STRING, .text = { "" literal, sizeof(literal) - 1 }                                           \
    }
#define STATUS(literal)                                                                                                \
    {                                                                                                                  \
        .type = HG_REPLY_STATUS, .text = { "" literal, sizeof(literal) - 1 }                                           \
    }
#define FAULT(literal)                                                                                                 \
    {                                                                                                                  \
        .type = HG_REPLY_ERROR, .text = { "" literal, sizeof(literal) - 1 }                                            \
    }
#define INTEGER(number)                                                                                                \
    {                                                                                                                  \
        .type = HG_REPLY_INTEGER, .integer = (number)                                                                  \
    }
#define NIL                                                                                                            \
    {                                                                                                                  \
        .type = HG_REPLY_NIL                                                                                           \
    }
#define ARRAY(list, len)                                                                                               \
    {                                                                                                                  \
        .type = HG_REPLY_ARRAY, .items = (list), .count = (len)                                                        \
    }

static void arrays_are_told_by_their_length(void **state)
{
    (void)state;
    const struct hg_reply items[] = {NIL, INTEGER(1)};
    const struct hg_reply two = ARRAY(items, 2), none = ARRAY(NULL, 0), nil = NIL, text = STRING("ab");
    assert_true(hg_reply_is_array(&two, 2));
    assert_false(hg_reply_is_array(&two, 1));
    assert_false(hg_reply_is_array(&two, 3));
    assert_true(hg_reply_is_array(&none, 0));
    assert_false(hg_reply_is_array(&nil, 0));
    assert_false(hg_reply_is_array(&text, 2));
}

static void texts_are_compared_without_case(void **state)
{
    (void)state;
    const struct hg_reply string = STRING("subscribe"), status = STATUS("OK"), error = FAULT("OK"), nil = NIL,
                          nul = STRING("o\0k"), empty = STRING(""), at_sign = STRING("@`[{");
    assert_true(hg_reply_is(&string, "SUBSCRIBE"));
    assert_true(hg_reply_is(&status, "ok"));
    assert_false(hg_reply_is(&string, "subscribed"));
    assert_false(hg_reply_is(&string, "subscrib"));
    assert_false(hg_reply_is(&error, "OK"));
    assert_false(hg_reply_is(&nil, ""));
    assert_false(hg_reply_is(&nul, "o"));
    assert_true(hg_reply_is(&empty, ""));
    assert_false(hg_reply_is(&at_sign, "`@{[")); /* only letters have a case */
}

static void errors_are_told_by_their_first_word(void **state)
{
    (void)state;
    const struct hg_reply long_ = FAULT("WRONGTYPE Operation against a key"), bare = FAULT("BUSY"),
                          text = STRING("BUSY"), empty = FAULT("");
    assert_true(hg_reply_is_error(&long_, "WRONGTYPE"));
    assert_false(hg_reply_is_error(&long_, "WRONG"));
    assert_false(hg_reply_is_error(&long_, "Operation"));
    assert_true(hg_reply_is_error(&bare, "BUSY"));
    assert_false(hg_reply_is_error(&bare, "BUSYGROUP"));
    assert_false(hg_reply_is_error(&text, "BUSY"));
    assert_false(hg_reply_is_error(&empty, "ERR"));
}

static void an_entry_is_read(void **state)
{
    (void)state;
    const struct hg_reply fields[] = {STRING("event"), STRING("{}"), STRING("id"), STRING("")};
    const struct hg_reply entry[] = {STRING("1700000000000-7"), ARRAY(fields, 4)};
    const struct hg_reply reply = ARRAY(entry, 2);
    struct hg_entry ret;
    assert_true(hg_reply_entry(&reply, &ret));
    assert_true(ret.id.ms == 1700000000000 && ret.id.seq == 7);
    assert_ptr_equal(ret.fields, fields);
    assert_int_equal(ret.field_count, 4);
}

static void what_is_no_entry_is_refused_and_leaves_the_output_alone(void **state)
{
    (void)state;
    const struct hg_reply pair[] = {STRING("a"), STRING("b")}, odd[] = {STRING("a"), STRING("b"), STRING("c")},
                          mixed[] = {STRING("a"), INTEGER(1)}, with_nil[] = {NIL, STRING("b")};
    const struct hg_reply items[][3] = {
        {STRING("1-1"), NIL}, /* a deleted entry */
        {STRING("1-1"), STRING("a")},
        {STRING("1-1"), ARRAY(odd, 3)},
        {STRING("1-1"), ARRAY(mixed, 2)},
        {STRING("1-1"), ARRAY(with_nil, 2)},
        {STRING("1"), ARRAY(pair, 2)},
        {STRING("1-"), ARRAY(pair, 2)},
        {STRING(""), ARRAY(pair, 2)},
        {STRING("1-18446744073709551616"), ARRAY(pair, 2)},
        {STRING("-1-1"), ARRAY(pair, 2)},
        {INTEGER(1), ARRAY(pair, 2)},
        {FAULT("1-1"), ARRAY(pair, 2)},
        {NIL, ARRAY(pair, 2)},
        {ARRAY(pair, 2), ARRAY(pair, 2)},
    };
    struct hg_entry ret = {.field_count = 99};
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        const struct hg_reply reply = ARRAY(items[i], 2);
        assert_false(hg_reply_entry(&reply, &ret));
    }
    const struct hg_reply good[] = {STRING("1-1"), ARRAY(pair, 2), NIL};
    const struct hg_reply replies[] = {ARRAY(good, 1), ARRAY(good, 3), ARRAY(NULL, 0), NIL, STRING("1-1"), INTEGER(2)};
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
        assert_false(hg_reply_entry(&replies[i], &ret));
    assert_int_equal(ret.field_count, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_are_told_by_their_length),
        cmocka_unit_test(texts_are_compared_without_case),
        cmocka_unit_test(errors_are_told_by_their_first_word),
        cmocka_unit_test(an_entry_is_read),
        cmocka_unit_test(what_is_no_entry_is_refused_and_leaves_the_output_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
