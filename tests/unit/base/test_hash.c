#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

/* The key 00 01 … 0f and the messages 00 01 … of the paper and its reference implementation. */
static const struct hg_hash_key paper_key = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};

static void test_published_vectors(void **state)
{
    (void)state;
    static const uint64_t by_length[] = {
        0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au, 0x85676696d7fb7e2du, 0xcf2794e0277187b7u,
        0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u, 0x93f5f5799a932462u,
    };
    char message[64];
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (char)i;
    for (size_t len = 0; len < sizeof(by_length) / sizeof(by_length[0]); len++)
        assert_true(hg_hash_bytes(paper_key, hg_slice(message, len)) == by_length[len]);
    assert_true(hg_hash_bytes(paper_key, hg_slice(message, 15)) == 0xa129ca6149be45e5u); /* appendix A of the paper */
}

static void test_pieces_give_the_same_as_the_whole(void **state)
{
    (void)state;
    char message[40];
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (char)(i * 37);
    uint64_t whole = hg_hash_bytes(paper_key, hg_slice(message, sizeof(message)));
    for (size_t a = 0; a <= sizeof(message); a++) {
        for (size_t b = a; b <= sizeof(message); b++) {
            struct hg_hash hash;
            hg_hash_init(&hash, paper_key);
            hg_hash_add(&hash, hg_slice(message, a));
            hg_hash_add(&hash, hg_slice(message + a, b - a));
            hg_hash_value(&hash); /* looking does not change it */
            hg_hash_add(&hash, hg_slice(message + b, sizeof(message) - b));
            assert_true(hg_hash_value(&hash) == whole);
        }
    }
}

static void test_single_bytes_give_the_same_as_the_whole(void **state)
{
    (void)state;
    char message[67];
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (char)(i * 91 + 128);
    for (size_t from = 0; from < 8; from++)
        for (size_t len = 0; from + len <= sizeof(message); len++) {
            struct hg_hash hash;
            hg_hash_init(&hash, paper_key);
            for (size_t i = 0; i < len; i++)
                hg_hash_add(&hash, hg_slice(message + from + i, 1));
            assert_true(hg_hash_value(&hash) == hg_hash_bytes(paper_key, hg_slice(message + from, len)));
        }
}

static void test_numbers_are_little_endian_bytes(void **state)
{
    (void)state;
    struct hg_hash hash;
    hg_hash_init(&hash, paper_key);
    hg_hash_add_u64(&hash, 0x0706050403020100u);
    assert_true(hg_hash_value(&hash) == 0x93f5f5799a932462u);
}

static void test_the_key_matters(void **state)
{
    (void)state;
    struct hg_hash_key other = {paper_key.k0 ^ 1, paper_key.k1};
    assert_true(hg_hash_bytes(paper_key, HG_LIT("x")) != hg_hash_bytes(other, HG_LIT("x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_pieces_give_the_same_as_the_whole),
        cmocka_unit_test(test_single_bytes_give_the_same_as_the_whole),
        cmocka_unit_test(test_numbers_are_little_endian_bytes),
        cmocka_unit_test(test_the_key_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
