/* The compiled program against the naive tree evaluator, and the index against asking each filter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/prng.h"
#include "filter/fields.h"
#include "filter/filter.h"
#include "filter/index.h"
#include "filter/object.h"
#include "filter/parse.h"
#include "support/naive_filter.h"
#include "support/random_filter.h"

#ifdef HG_PARANOID
#define FILTERS 3000
#else
#define FILTERS 62500
#endif
#define EVENTS 16

static const struct hg_hash_key hash_key = {3, 4};
static char memory[1 << 16];

struct texts {
    struct hg_buf filter, events[EVENTS];
};

static void texts_init(struct texts *texts)
{
    hg_buf_init(&texts->filter, 1 << 20);
    for (size_t i = 0; i < EVENTS; i++)
        hg_buf_init(&texts->events[i], 1 << 20);
}

static void texts_done(struct texts *texts)
{
    hg_buf_done(&texts->filter);
    for (size_t i = 0; i < EVENTS; i++)
        hg_buf_done(&texts->events[i]);
}

/* A filter in any face, as text and, when that parses, as filter and as the tree of what was written. */
static bool random_filter(struct hg_prng *prng, struct hg_buf *text, struct hg_filter **ret_filter,
                          struct hg_tree *tree)
{
    struct hg_filter_report report;
    struct hg_parse_options options = {.dialect = HG_DIALECT_EXPRESSION};
    hg_result r;
    hg_buf_clear(text);
    hg_tree_init(tree, HG_FILTER_NODES_MAX);
    if (hg_prng_chance(prng, 25)) {
        struct hg_json json;
        random_object(prng, 3, text);
        assert_true(hg_ok(hg_json_parse(hg_buf_slice(text), &json, NULL)));
        r = hg_filter_parse_json(json, ret_filter, &report);
        if (hg_ok(r))
            assert_true(hg_ok(hg_object_parse(json, tree, &tree->root, &report)));
    } else {
        random_expression(prng, (unsigned)hg_prng_below(prng, 4), false, text);
        r = hg_filter_parse(hg_buf_slice(text), ret_filter, &report);
        if (hg_ok(r))
            assert_true(hg_ok(hg_parse_expression(hg_buf_slice(text), options, tree, &tree->root, &report)));
    }
    if (!hg_ok(r)) {
        assert_int_equal(r.code, HG_ERR_FILTER_INVALID);
        assert_true(report.text[0] != '\0');
        hg_tree_done(tree);
    }
    return hg_ok(r);
}

static struct naive_event parsed(struct hg_slice text)
{
    struct naive_event event = {.topic = HG_LIT("order.eu")};
    assert_true(hg_ok(hg_json_parse(text, &event.json, NULL)));
    return event;
}

static void test_program_and_tree_agree(void **state)
{
    struct hg_prng prng;
    struct texts texts;
    unsigned parsed_count = 0, passed = 0;
    (void)state;
    texts_init(&texts);
    hg_prng_init(&prng, 20261124);
    for (unsigned i = 0; i < FILTERS; i++) {
        struct hg_filter *filter = NULL;
        struct hg_tree tree;
        struct hg_fields *fields = NULL;
        uint32_t slots[HG_FILTER_NODES_MAX];
        if (!random_filter(&prng, &texts.filter, &filter, &tree))
            continue;
        parsed_count++;
        assert_true(hg_ok(hg_fields_new(hash_key, &fields)));
        assert_true(hg_ok(hg_fields_add_filter(fields, filter, slots)));
        for (unsigned j = 0; j < EVENTS; j++) {
            struct hg_scratch scratch = {memory, sizeof(memory), 0};
            struct hg_buf *text = &texts.events[j];
            hg_buf_clear(text);
            random_event(&prng, text);
            struct naive_event event = parsed(hg_buf_slice(text));
            assert_true(hg_fields_extract(fields, hg_buf_slice(text), event.topic, &scratch));
            bool passes = hg_filter_passes(filter, hg_fields_values(fields), slots, &scratch);
            if (passes != naive_filter_passes(&tree, &event))
                fail_msg("filter %u: %.*s\ncanonical: %.*s\nevent: %.*s\nprogram says %d", i,
                         HG_SLICE_ARG(hg_buf_slice(&texts.filter)), HG_SLICE_ARG(hg_filter_canonical(filter)),
                         HG_SLICE_ARG(hg_buf_slice(text)), passes);
            passed += passes;
        }
        hg_fields_remove_filter(fields, filter, slots);
        hg_fields_validate(fields);
        hg_fields_free(fields);
        hg_tree_done(&tree);
        hg_filter_unref(filter);
    }
    texts_done(&texts);
    print_message("%u filters parsed, %u of %u answers were yes\n", parsed_count, passed, parsed_count * EVENTS);
    assert_true(passed > parsed_count);
}

#define MODEL_MAX 60

struct model {
    struct {
        struct hg_filter *filter;
        struct hg_filter_entry *entry;
        unsigned visits;
    } of[MODEL_MAX];
    size_t count;
};

static void count_visit(void *context, void *value)
{
    (void)context;
    ++*(unsigned *)value;
}

static void check_match(struct hg_filter_index *index, struct model *model, struct hg_slice event)
{
    struct hg_scratch scratch = {memory, sizeof(memory), 0};
    hg_filter_index_extract(index, event, HG_LIT("order.eu"), &scratch);
    for (size_t i = 0; i < model->count; i++)
        model->of[i].visits = 0;
    hg_filter_index_match(index, &scratch, count_visit, NULL);
    for (size_t i = 0; i < model->count; i++) {
        bool passes = hg_filter_index_test(index, model->of[i].entry, &scratch);
        if (model->of[i].visits != passes)
            fail_msg("%.*s\nevent: %.*s\npasses: %d, visited: %u",
                     HG_SLICE_ARG(hg_filter_canonical(model->of[i].filter)), HG_SLICE_ARG(event), passes,
                     model->of[i].visits);
    }
}

static void test_index_agrees_with_asking_each(void **state)
{
    struct hg_prng prng;
    struct hg_buf text;
    (void)state;
    hg_buf_init(&text, 1 << 20);
    for (unsigned seed = 0; seed < FILTERS / 300; seed++) {
        struct hg_filter_index *index = NULL;
        /* Entries hand back the address of their counter, so those must not move: an entry that goes leaves a hole. */
        struct model *model = calloc(1, sizeof(*model));
        assert_non_null(model);
        hg_prng_init(&prng, seed);
        assert_true(hg_ok(hg_filter_index_new(hash_key, &index)));
        for (unsigned step = 0; step < 200; step++) {
            size_t i = (size_t)hg_prng_below(&prng, MODEL_MAX);
            struct hg_tree tree;
            if (i < model->count && hg_prng_chance(&prng, 40)) {
                hg_filter_index_remove(index, model->of[i].entry);
                hg_filter_unref(model->of[i].filter);
                size_t last = --model->count;
                if (i != last) {
                    /* The last one moves into the hole: taken out and put in again with its new counter. */
                    struct hg_filter *filter = model->of[last].filter;
                    hg_filter_index_remove(index, model->of[last].entry);
                    model->of[i].filter = filter;
                    assert_true(hg_ok(hg_filter_index_add(index, filter, &model->of[i].visits, &model->of[i].entry)));
                }
            } else if (model->count < MODEL_MAX &&
                       random_filter(&prng, &text, &model->of[model->count].filter, &tree)) {
                size_t at = model->count++;
                hg_tree_done(&tree);
                assert_true(hg_ok(
                    hg_filter_index_add(index, model->of[at].filter, &model->of[at].visits, &model->of[at].entry)));
            }
            if (step % 10 == 0)
                hg_filter_index_validate(index);
            assert_int_equal(hg_filter_index_count(index), model->count);
            for (unsigned j = 0; j < 4; j++) {
                hg_buf_clear(&text);
                random_event(&prng, &text);
                check_match(index, model, hg_buf_slice(&text));
            }
        }
        hg_filter_index_free(index);
        for (size_t i = 0; i < model->count; i++)
            hg_filter_unref(model->of[i].filter);
        free(model);
    }
    hg_buf_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program_and_tree_agree),
        cmocka_unit_test(test_index_agrees_with_asking_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
