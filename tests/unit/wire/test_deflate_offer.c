#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/death.h"
#include "wire/deflate_offer.h"

#define PMD     "permessage-deflate"
#define NEITHER "; server_no_context_takeover; client_no_context_takeover"

static struct hg_deflate_terms choose(const char *field, unsigned bits)
{
    struct hg_deflate_terms terms = {.offers = 99};
    assert_true(hg_ok(hg_deflate_offer_choose(hg_slice_str(field), bits, &terms)));
    return terms;
}

static void test_what_is_answered(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        const char *answer; /* with 13 bits; NULL: not agreed */
    } rows[] = {
        {"", NULL},
        {",, ,", NULL},
        {PMD, PMD NEITHER},                            /* Firefox */
        {PMD "; client_max_window_bits", PMD NEITHER}, /* Chromium, Python, Node */
        {PMD "; client_max_window_bits; server_max_window_bits=15", PMD NEITHER "; server_max_window_bits=13"},
        {PMD "; server_max_window_bits=13", PMD NEITHER "; server_max_window_bits=13"},
        {PMD "; server_max_window_bits=\"13\"", PMD NEITHER "; server_max_window_bits=13"},
        {PMD "; server_max_window_bits=\"1\\3\"", PMD NEITHER "; server_max_window_bits=13"},
        {PMD "; server_max_window_bits=12", NULL},
        {PMD "; server_max_window_bits=8", NULL},
        {PMD "; server_max_window_bits=8, " PMD, PMD NEITHER},
        {PMD "; server_max_window_bits=14, " PMD, PMD NEITHER "; server_max_window_bits=13"},
        {PMD ", " PMD "; server_max_window_bits=14", PMD NEITHER},
        {PMD ";client_max_window_bits=8", PMD NEITHER},
        {PMD ";client_max_window_bits=15", PMD NEITHER},
        {PMD ";server_no_context_takeover;client_no_context_takeover", PMD NEITHER},
        {" " PMD "\t;\tserver_no_context_takeover ;client_max_window_bits = 10 ", PMD NEITHER},
        {"x-webkit-deflate-frame, " PMD, PMD NEITHER},
        {"foo; bar=\"baz\"; x, " PMD ",bar", PMD NEITHER},
        /* Not ours. */
        {"Permessage-Deflate", NULL},
        {PMD "2", NULL},
        {"permessage-bzip2", NULL},
        {"foo; permessage-deflate", NULL},
        /* Offers that must be declined (RFC 7692, section 7.1). */
        {PMD "; unknown", NULL},
        {PMD "; unknown=7", NULL},
        {PMD "; Server_no_context_takeover", NULL},
        {PMD "; server_no_context_takeover=1", NULL},
        {PMD "; client_no_context_takeover=\"x\"", NULL},
        {PMD "; server_no_context_takeover; server_no_context_takeover", NULL},
        {PMD "; client_max_window_bits; client_max_window_bits=9", NULL},
        {PMD "; server_max_window_bits", NULL},
        {PMD "; server_max_window_bits=7", NULL},
        {PMD "; server_max_window_bits=16", NULL},
        {PMD "; server_max_window_bits=015", NULL},
        {PMD "; server_max_window_bits=0", NULL},
        {PMD "; server_max_window_bits=1x", NULL},
        {PMD "; server_max_window_bits=-9", NULL},
        {PMD "; server_max_window_bits=+9", NULL},
        {PMD "; server_max_window_bits=4294967307", NULL},
        {PMD "; client_max_window_bits=7", NULL},
        {PMD "; client_max_window_bits=16", NULL},
        {PMD "; client_max_window_bits=08", NULL},
        {PMD "; unknown, " PMD "; server_max_window_bits=9, " PMD, PMD NEITHER},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hg_deflate_terms terms = choose(rows[i].field, 13);
        if (terms.agreed != (rows[i].answer != NULL))
            fail_msg("%s: %s", rows[i].field, terms.agreed ? "agreed" : "not agreed");
        if (!terms.agreed)
            continue;
        struct hg_buf answer;
        hg_buf_init(&answer, 200);
        hg_deflate_offer_answer(&terms, &answer);
        hg_buf_put_char(&answer, '\0');
        assert_string_equal(answer.ptr, rows[i].answer);
        hg_buf_done(&answer);
    }
    assert_int_equal(choose(PMD ", foo, " PMD "; x," PMD, 15).offers, 3);
    assert_int_equal(choose("foo", 15).offers, 0);
}

static void test_what_is_no_list(void **state)
{
    (void)state;
    static const char *const rows[] = {
        ";",
        "=",
        PMD ";",
        PMD "; ;x",
        PMD "; x=",
        PMD "; x=,",
        PMD "; =x",
        PMD "=1",
        PMD " x",
        PMD "; x y",
        PMD "; x=\"",
        PMD "; x=\"\"",
        PMD "; x=\"a",
        PMD "; x=\"a\\",
        PMD "; x=\"a b\"",
        PMD "; x=\"a,b\"",
        PMD "; x=\"a\"b",
        PMD "; x=a=b",
        PMD "; x@y",
        PMD "/1",
        "\"" PMD "\"",
        PMD "\x7f",
        PMD "; \xc3\xa9",
        PMD "\r\n",
        "foo, " PMD ", (",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hg_deflate_terms terms = {.offers = 99};
        if (hg_deflate_offer_choose(hg_slice_str(rows[i]), 15, &terms).code != HG_ERR_SYNTAX)
            fail_msg("%s is a list", rows[i]);
        assert_int_equal(terms.offers, 99);
    }
    struct hg_deflate_terms terms;
    assert_int_equal(hg_deflate_offer_choose(HG_LIT(PMD "\0"), 15, &terms).code, HG_ERR_SYNTAX);
}

/* Offers made of what they may hold: all that is agreed keeps what the client asked for. */
static void test_made_offers(void **state)
{
    (void)state;
    static const char *const names[] = {"server_no_context_takeover", "client_no_context_takeover",
                                        "server_max_window_bits", "client_max_window_bits", "other"};
    struct hg_prng prng;
    hg_prng_init(&prng, 5);
    for (unsigned i = 0; i < 20000; i++) {
        struct hg_buf field;
        unsigned seen[5] = {0}, server_bits = 15, ours = 9 + (unsigned)hg_prng_below(&prng, 7);
        bool good = true;
        hg_buf_init(&field, 4096);
        hg_buf_put_str(&field, PMD);
        for (size_t count = hg_prng_below(&prng, 4); count > 0; count--) {
            size_t which = hg_prng_below(&prng, hg_prng_chance(&prng, 5) ? 5 : 4);
            unsigned bits = 7 + (unsigned)hg_prng_below(&prng, 10);
            bool valued = which >= 2 && which <= 3 ? hg_prng_chance(&prng, 85) : hg_prng_chance(&prng, 5);
            hg_buf_put_str(&field, hg_prng_chance(&prng, 50) ? "; " : " ;\t");
            hg_buf_put_str(&field, names[which]);
            if (valued)
                hg_buf_printf(&field, hg_prng_chance(&prng, 30) ? "=\"%u\"" : "= %u", bits);
            good = good && seen[which]++ == 0 && which < 4 && (which < 2 ? !valued : valued || which == 3) &&
                   (!valued || (bits >= 8 && bits <= 15));
            if (which == 2)
                server_bits = bits;
        }
        struct hg_deflate_terms terms;
        assert_true(hg_ok(hg_deflate_offer_choose(hg_buf_slice(&field), ours, &terms)));
        assert_int_equal(terms.agreed, good && server_bits >= ours);
        assert_int_equal(terms.offers, 1);
        if (terms.agreed)
            assert_int_equal(terms.window_bits, seen[2] ? ours : 0);
        hg_buf_done(&field);
    }
}

static struct hg_deflate_terms none;

static void answer_nothing(void)
{
    struct hg_buf to;
    hg_buf_init(&to, 100);
    hg_deflate_offer_answer(&none, &to);
}

static void choose_8_bits(void)
{
    (void)hg_deflate_offer_choose(HG_LIT(PMD), 8, &none).code;
}

static void choose_16_bits(void)
{
    (void)hg_deflate_offer_choose(HG_LIT(PMD), 16, &none).code;
}

static void test_misuse_is_caught(void **state)
{
    (void)state;
    assert_true(hgt_dies(answer_nothing));
    assert_true(hgt_dies(choose_8_bits));
    assert_true(hgt_dies(choose_16_bits));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_answered),
        cmocka_unit_test(test_what_is_no_list),
        cmocka_unit_test(test_made_offers),
        cmocka_unit_test(test_misuse_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
