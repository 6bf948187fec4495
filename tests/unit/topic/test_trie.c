#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/death.h"
#include "support/naive_topic.h"
#include "support/oom.h"
#include "topic/name.h"
#include "topic/pattern.h"
#include "topic/trie.h"

static const struct hg_hash_key hash_key = {1, 2};

static struct hg_trie *trie_new(void)
{
    struct hg_trie *trie = NULL;
    assert_true(hg_ok(hg_trie_new(hash_key, &trie)));
    return trie;
}

/* The model: pairs in a row. Values are numbers below VALUES; `value` of the trie points into `numbers`. */
#define VALUES    6
#define PAIRS_MAX 400

struct pair {
    char pattern[HG_TOPIC_BYTES_MAX];
    size_t len;
    unsigned value;
};

struct model {
    struct pair pairs[PAIRS_MAX];
    size_t count;
};

static unsigned numbers[VALUES];

/* How often each value was visited; a value stands under many patterns, so that once too often shows as well as never.
 */
struct visits {
    unsigned of[VALUES];
};

static void count_visit(void *context, void *value)
{
    size_t number = (size_t)((unsigned *)value - numbers);
    assert_true(number < VALUES);
    ((struct visits *)context)->of[number]++;
}

static struct visits visits_of_trie(const struct hg_trie *trie, struct hg_slice name)
{
    struct visits visits = {0};
    hg_trie_match(trie, name, count_visit, &visits);
    return visits;
}

static struct visits visits_of_model(const struct model *model, struct hg_slice name, enum naive_flaw flaw)
{
    struct visits visits = {0};
    for (size_t i = 0; i < model->count; i++)
        visits.of[model->pairs[i].value] +=
            naive_match(hg_slice(model->pairs[i].pattern, model->pairs[i].len), name, flaw);
    return visits;
}

/* A text with few distinct segments, so that patterns share branches and names hit them. */
static size_t draw_text(struct hg_prng *prng, bool is_pattern, size_t segments_max, char *ret_text)
{
    static const char *const bodies[] = {"a", "b", "", "$", "ab", "*", "**"};
    size_t len = 0, segments = 1 + (size_t)hg_prng_below(prng, segments_max);
    for (size_t i = 0; i < segments; i++) {
        if (i > 0)
            ret_text[len++] = ".:/"[hg_prng_below(prng, hg_prng_chance(prng, 70) ? 1 : 3)];
        /* Names may hold stars too, but in patterns they count: more of them there, and '**' at the end only. */
        size_t kind = (size_t)hg_prng_below(prng, 5);
        if (hg_prng_chance(prng, is_pattern ? 35 : 10))
            kind = i + 1 == segments && hg_prng_chance(prng, 50) ? 6 : 5;
        size_t body = strlen(bodies[kind]);
        memcpy(ret_text + len, bodies[kind], body);
        len += body;
    }
    if (len == 0)
        ret_text[len++] = 'a';
    return len;
}

static bool model_has(const struct model *model, struct hg_slice pattern, unsigned value)
{
    for (size_t i = 0; i < model->count; i++) {
        const struct pair *pair = &model->pairs[i];
        if (pair->value == value && hg_slice_eq(hg_slice(pair->pattern, pair->len), pattern))
            return true;
    }
    return false;
}

static void apply_random(struct hg_trie *trie, struct model *model, struct hg_prng *prng, unsigned percent_adds,
                         size_t segments_max)
{
    if (model->count < PAIRS_MAX && (model->count == 0 || hg_prng_chance(prng, percent_adds))) {
        struct pair *pair = &model->pairs[model->count];
        pair->len = draw_text(prng, true, segments_max, pair->pattern);
        pair->value = (unsigned)hg_prng_below(prng, VALUES);
        struct hg_slice pattern = hg_slice(pair->pattern, pair->len);
        if (model_has(model, pattern, pair->value))
            return;
        assert_true(hg_ok(hg_trie_add(trie, pattern, &numbers[pair->value])));
        model->count++;
    } else if (model->count > 0) {
        struct pair *pair = &model->pairs[hg_prng_below(prng, model->count)];
        hg_trie_remove(trie, hg_slice(pair->pattern, pair->len), &numbers[pair->value]);
        *pair = model->pairs[--model->count];
    }
}

/* Runs one seed of random operations; how many matches differed from the model's. */
static size_t run_seed(uint64_t seed, enum naive_flaw flaw, size_t *ret_visits)
{
    struct hg_prng prng;
    hg_prng_init(&prng, seed);
    struct hg_trie *trie = trie_new();
    struct model *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    size_t differences = 0, segments_max = 2 + (size_t)(seed % 4);
    for (unsigned step = 0; step < 300; step++) {
        /* Grows for two thirds of the time, then shrinks to nothing or nearly so. */
        apply_random(trie, model, &prng, step < 200 ? 80 : 10, segments_max);
        hg_trie_validate(trie);
        assert_int_equal(hg_trie_count(trie), model->count);
        for (unsigned i = 0; i < 4; i++) {
            char text[HG_TOPIC_BYTES_MAX];
            struct hg_slice name = hg_slice(text, draw_text(&prng, false, segments_max + 1, text));
            struct visits got = visits_of_trie(trie, name), want = visits_of_model(model, name, flaw);
            differences += memcmp(&got, &want, sizeof(got)) != 0;
            for (unsigned v = 0; v < VALUES; v++)
                *ret_visits += got.of[v];
        }
    }
    hg_trie_free(trie); /* with what is left in it */
    free(model);
    return differences;
}

static void test_agrees_with_the_model(void **state)
{
    (void)state;
    size_t visits = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        if (run_seed(seed, NAIVE_SOUND, &visits) > 0) {
            print_error("seed %u\n", (unsigned)seed);
            fail();
        }
    }
    assert_true(visits > 40000);
}

static void test_a_flawed_model_is_noticed(void **state)
{
    (void)state;
    for (enum naive_flaw flaw = NAIVE_SOUND + 1; flaw < NAIVE_FLAW_COUNT; flaw++) {
        size_t differences = 0, visits = 0;
        for (uint64_t seed = 1; seed <= 5; seed++)
            differences += run_seed(seed, flaw, &visits);
        assert_true(differences > 0);
    }
}

/* All patterns of a small alphabet at once, all names. */
static void test_every_pattern_at_once(void **state)
{
    (void)state;
    size_t count = 0, patterns = 0;
    struct naive_text *texts = naive_texts("a*.:$", 4, &count);
    struct hg_trie *trie = trie_new();
    for (size_t i = 0; i < count; i++) {
        if (!naive_stars_stand_alone(naive_slice(&texts[i])))
            continue;
        assert_true(hg_ok(hg_trie_add(trie, naive_slice(&texts[i]), &numbers[i % VALUES])));
        patterns++;
    }
    hg_trie_validate(trie);
    assert_int_equal(hg_trie_count(trie), patterns);
    for (size_t n = 0; n < count; n++) {
        struct visits got = visits_of_trie(trie, naive_slice(&texts[n])), want = {0};
        for (size_t i = 0; i < count; i++) {
            if (naive_stars_stand_alone(naive_slice(&texts[i])))
                want.of[i % VALUES] += naive_match(naive_slice(&texts[i]), naive_slice(&texts[n]), NAIVE_SOUND);
        }
        assert_memory_equal(&got, &want, sizeof(got));
    }
    for (size_t i = 0; i < count; i++) {
        if (naive_stars_stand_alone(naive_slice(&texts[i])))
            hg_trie_remove(trie, naive_slice(&texts[i]), &numbers[i % VALUES]);
    }
    hg_trie_validate(trie);
    assert_int_equal(hg_trie_count(trie), 0);
    hg_trie_free(trie);
    free(texts);
}

/* Many values under one pattern are what many filters on one topic are. */
static void test_many_values_of_one_pattern(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    char *values = calloc(MANY, 1);
    struct hg_trie *trie = trie_new();
    for (size_t i = 0; i < MANY; i++)
        assert_true(hg_ok(hg_trie_add(trie, HG_LIT("a.*"), values + i)));
    hg_trie_validate(trie);
    for (size_t i = 0; i < MANY; i += 2)
        hg_trie_remove(trie, HG_LIT("a.*"), values + i);
    hg_trie_validate(trie);
    assert_int_equal(hg_trie_count(trie), MANY / 2);
    hg_trie_free(trie);
    free(values);
}

/* The longest names, every byte a separator or every second one, against patterns that branch at each segment. Were the
 * match to visit more than the nodes that are there, it would not end: there are 2^128 ways down. */
static void test_hostile_depth(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 7);
    struct hg_trie *trie = trie_new();
    struct model *model = calloc(1, sizeof(*model));
    assert_non_null(model);
    char name[HG_TOPIC_BYTES_MAX];
    for (size_t i = 0; i < sizeof(name); i++)
        name[i] = i % 2 ? '.' : 'a';
    while (model->count < PAIRS_MAX) {
        struct pair *pair = &model->pairs[model->count];
        memcpy(pair->pattern, name, sizeof(name));
        pair->len = sizeof(name);
        pair->value = (unsigned)(model->count % VALUES);
        /* Stars here and there from some segment on; the first pattern is stars throughout. */
        size_t from = model->count == 0 ? 0 : (size_t)hg_prng_below(&prng, sizeof(name));
        for (size_t i = from + from % 2; i < sizeof(name); i += 2)
            pair->pattern[i] = model->count == 0 || hg_prng_chance(&prng, 50) ? '*' : 'a';
        if (hg_prng_chance(&prng, 30)) {
            pair->len = 2 * (size_t)hg_prng_below(&prng, sizeof(name) / 2);
            memcpy(pair->pattern + pair->len, "**", 2);
            pair->len += 2;
        }
        if (model_has(model, hg_slice(pair->pattern, pair->len), pair->value))
            continue;
        assert_true(hg_ok(hg_trie_add(trie, hg_slice(pair->pattern, pair->len), &numbers[pair->value])));
        model->count++;
    }
    hg_trie_validate(trie);
    struct visits got = visits_of_trie(trie, hg_slice(name, sizeof(name)));
    struct visits want = {0};
    for (size_t i = 0; i < model->count; i++)
        want.of[model->pairs[i].value]++; /* each is made to match */
    assert_memory_equal(&got, &want, sizeof(got));
    free(model);
    hg_trie_free(trie);

    trie = trie_new();
    memset(name, '/', sizeof(name)); /* 256 empty segments */
    assert_true(hg_ok(hg_trie_add(trie, hg_slice(name, sizeof(name)), &numbers[0])));
    assert_true(hg_ok(hg_trie_add(trie, HG_LIT("**"), &numbers[1])));
    hg_trie_validate(trie);
    memset(name, '/', sizeof(name));
    got = visits_of_trie(trie, hg_slice(name, sizeof(name)));
    assert_true(got.of[0] == 1 && got.of[1] == 1);
    got = visits_of_trie(trie, hg_slice(name, sizeof(name) - 1));
    assert_true(got.of[0] == 0 && got.of[1] == 1);
    hg_trie_free(trie);
}

static void test_the_text_is_copied(void **state)
{
    (void)state;
    struct hg_trie *trie = trie_new();
    char pattern[] = "a.b";
    assert_true(hg_ok(hg_trie_add(trie, hg_slice_str(pattern), &numbers[0])));
    memset(pattern, 'x', 3);
    hg_trie_validate(trie);
    assert_int_equal(visits_of_trie(trie, HG_LIT("a.b")).of[0], 1);
    hg_trie_remove(trie, HG_LIT("a.b"), &numbers[0]);
    hg_trie_free(trie);
    hg_trie_free(NULL);
}

static void add_twice(void)
{
    struct hg_trie *trie = trie_new();
    if (!hg_ok(hg_trie_add(trie, HG_LIT("a.*"), &numbers[0])) || !hg_ok(hg_trie_add(trie, HG_LIT("a.*"), &numbers[1])))
        return;
    (void)hg_ok(hg_trie_add(trie, HG_LIT("a.*"), &numbers[0]));
}

static void add_unchecked(void)
{
    (void)hg_ok(hg_trie_add(trie_new(), HG_LIT("**.a"), &numbers[0]));
}

static void remove_other_value(void)
{
    struct hg_trie *trie = trie_new();
    if (hg_ok(hg_trie_add(trie, HG_LIT("a.*"), &numbers[0])))
        hg_trie_remove(trie, HG_LIT("a.*"), &numbers[1]);
}

static void remove_other_pattern(void)
{
    struct hg_trie *trie = trie_new();
    if (hg_ok(hg_trie_add(trie, HG_LIT("a.b.c"), &numbers[0])))
        hg_trie_remove(trie, HG_LIT("a.b"), &numbers[0]); /* a node, but no pattern ends there */
}

static void match_unchecked(void)
{
    char name[HG_TOPIC_BYTES_MAX + 1] = {0};
    visits_of_trie(trie_new(), hg_slice(name, sizeof(name)));
}

static void test_mistakes_are_asserted(void **state)
{
    (void)state;
    assert_true(hgt_dies(add_twice));
    assert_true(hgt_dies(add_unchecked));
    assert_true(hgt_dies(remove_other_value));
    assert_true(hgt_dies(remove_other_pattern));
    assert_true(hgt_dies(match_unchecked));
}

/* On NOMEM nothing has changed: as many pairs as before, the structure whole, the same matches, and the same patterns
 * can be added and removed. Kept below the sixteen entries at which a map grows, since growth may fail unnoticed. */
static bool grow_and_shrink(void)
{
    static const char *const patterns[] = {"a.b.c.d", "a.*", "a.**", "**", "a.b:*/d", "$x.y", "a.b"};
    struct hg_trie *trie = NULL;
    if (!hg_ok(hg_trie_new(hash_key, &trie)))
        return false;
    size_t added = 0;
    bool all = true;
    for (size_t i = 0; all && i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        struct visits before = visits_of_trie(trie, HG_LIT("a.b"));
        hg_result r = hg_trie_add(trie, hg_slice_str(patterns[i]), &numbers[0]);
        all = hg_ok(r);
        hg_trie_validate(trie);
        added += all;
        assert_int_equal(hg_trie_count(trie), added);
        if (!all) {
            struct visits after = visits_of_trie(trie, HG_LIT("a.b"));
            assert_int_equal(r.code, HG_ERR_NOMEM);
            assert_memory_equal(&before, &after, sizeof(before));
        }
    }
    for (size_t i = 0; i < added / 2; i++) {
        hg_trie_remove(trie, hg_slice_str(patterns[i]), &numbers[0]);
        hg_trie_validate(trie);
    }
    hg_trie_free(trie);
    return all;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(grow_and_shrink);
}

/* Whatever was added and removed, an empty trie holds as much memory as a new one, but for the table of pairs. */
static void test_empty_branches_are_freed(void **state)
{
    (void)state;
    struct hg_trie *trie = trie_new();
    assert_true(hg_ok(hg_trie_add(trie, HG_LIT("a.b.c"), &numbers[0])));
    assert_true(hg_ok(hg_trie_add(trie, HG_LIT("a.b.c.*.**"), &numbers[0])));
    hg_trie_remove(trie, HG_LIT("a.b.c"), &numbers[0]);
    hg_trie_validate(trie); /* asserts that every node is needed */
    assert_int_equal(visits_of_trie(trie, HG_LIT("a.b.c.x.y")).of[0], 1);
    hg_trie_remove(trie, HG_LIT("a.b.c.*.**"), &numbers[0]);
    hg_trie_validate(trie);
    assert_int_equal(hg_trie_count(trie), 0);
    hg_trie_free(trie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees_with_the_model),
        cmocka_unit_test(test_a_flawed_model_is_noticed),
        cmocka_unit_test(test_every_pattern_at_once),
        cmocka_unit_test(test_many_values_of_one_pattern),
        cmocka_unit_test(test_hostile_depth),
        cmocka_unit_test(test_the_text_is_copied),
        cmocka_unit_test(test_mistakes_are_asserted),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_empty_branches_are_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
