/* The input is a seed: filters and events by chance, program against naive evaluator. Finds depth that bytes seldom
 * reach; many seeds one after the other: fuzz_filter_random -runs=1000000. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/hash.h"
#include "filter/fields.h"
#include "filter/filter.h"
#include "filter/parse.h"
#include "support/naive_filter.h"
#include "support/random_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char memory[4 << 20];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_prng prng;
    struct hg_buf text, event_text;
    struct hg_filter *filter = NULL;
    struct hg_filter_report report;
    struct hg_tree tree;
    struct hg_parse_options options = {.dialect = HG_DIALECT_EXPRESSION};
    hg_prng_init(&prng, hg_hash_bytes((struct hg_hash_key){0, 0}, hg_slice(data, size)));
    hg_buf_init(&text, 1 << 20);
    hg_buf_init(&event_text, 1 << 20);
    hg_tree_init(&tree, HG_FILTER_NODES_MAX);
    random_expression(&prng, 5, false, &text);
    if (hg_ok(hg_filter_parse(hg_buf_slice(&text), &filter, &report))) {
        struct hg_fields *fields = NULL;
        uint32_t slots[HG_FILTER_NODES_MAX];
        HG_ASSERT(hg_ok(hg_parse_expression(hg_buf_slice(&text), options, &tree, &tree.root, &report)));
        HG_ASSERT(hg_ok(hg_fields_new((struct hg_hash_key){1, 2}, &fields)));
        HG_ASSERT(hg_ok(hg_fields_add_filter(fields, filter, slots)));
        for (unsigned i = 0; i < 8; i++) {
            struct hg_scratch scratch = {memory, sizeof(memory), 0};
            struct naive_event event = {.topic = HG_LIT("order.eu")};
            hg_buf_clear(&event_text);
            random_event(&prng, &event_text);
            HG_ASSERT(hg_ok(hg_json_parse(hg_buf_slice(&event_text), &event.json, NULL)));
            hg_fields_extract(fields, hg_buf_slice(&event_text), event.topic, &scratch);
            HG_ASSERT(hg_filter_passes(filter, hg_fields_values(fields), slots, &scratch) ==
                      naive_filter_passes(&tree, &event));
        }
        hg_fields_free(fields);
        hg_filter_unref(filter);
    }
    hg_tree_done(&tree);
    hg_buf_done(&text);
    hg_buf_done(&event_text);
    return 0;
}
