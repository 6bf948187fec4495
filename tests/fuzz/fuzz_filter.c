/* The first line is a filter, as an expression or an object; the rest an event. Whatever they are, nothing breaks; what
 * parses answers as the naive evaluator does, and its explanation says so too. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "filter/explain.h"
#include "filter/fields.h"
#include "filter/filter.h"
#include "filter/object.h"
#include "filter/parse.h"
#include "support/naive_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Beyond, the texts that naive evaluation copies would be too many. */
#define EVENT_MAX 1024

static char memory[16 << 20];

static void check_report(hg_result r, const struct hg_filter_report *report, size_t len)
{
    HG_ASSERT(hg_ok(r) || r.code == HG_ERR_FILTER_INVALID);
    HG_ASSERT(hg_ok(r) || report->text[0]);
    HG_ASSERT(report->at <= len || report->at == HG_FILTER_BYTES_MAX);
    HG_ASSERT(hg_utf8_valid(hg_slice_str(report->text)));
}

static void check_explanation(const struct hg_filter *filter, struct hg_slice event, bool passes)
{
    struct hg_buf out;
    struct hg_json json, part;
    hg_buf_init(&out, 16u << 20);
    HG_ASSERT(hg_ok(hg_filter_explain_json(filter, event, HG_LIT("a.b"), &out)));
    HG_ASSERT(hg_ok(hg_json_parse(hg_buf_slice(&out), &json, NULL)));
    HG_ASSERT(hg_json_get(json, "result", &part) && (part.raw.ptr[0] == 't') == passes);
    hg_buf_clear(&out);
    HG_ASSERT(hg_ok(hg_filter_explain_text(filter, event, HG_LIT("a.b"), &out)));
    HG_ASSERT(hg_utf8_valid(hg_buf_slice(&out)));
    hg_buf_done(&out);
}

static void check_event(const struct hg_filter *filter, const struct hg_tree *tree, struct hg_slice text)
{
    struct naive_event event = {.topic = HG_LIT("a.b")};
    struct hg_scratch scratch = {memory, sizeof(memory), 0};
    struct hg_fields *fields = NULL;
    uint32_t slots[HG_FILTER_NODES_MAX];
    bool json = hg_ok(hg_json_parse(text, &event.json, NULL));
    HG_ASSERT(hg_ok(hg_fields_new((struct hg_hash_key){1, 2}, &fields)));
    HG_ASSERT(hg_ok(hg_fields_add_filter(fields, filter, slots)));
    HG_ASSERT(hg_fields_extract(fields, text, event.topic, &scratch) == json);
    bool passes = hg_filter_passes(filter, hg_fields_values(fields), slots, &scratch);
    HG_ASSERT(passes == naive_filter_passes(tree, &event));
    check_explanation(filter, text, passes);
    hg_fields_remove_filter(fields, filter, slots);
    hg_fields_validate(fields);
    hg_fields_free(fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_slice rest = hg_slice(data, size);
    const char *end = size > 0 ? memchr(rest.ptr, '\n', size) : NULL;
    struct hg_slice text = hg_slice_first(rest, end ? (size_t)(end - rest.ptr) : size);
    struct hg_slice event = hg_slice_first(hg_slice_from(rest, text.len + 1), EVENT_MAX);
    struct hg_filter_report report;
    struct hg_filter *filter = NULL, *both = NULL, *sql = NULL;
    struct hg_tree tree;
    struct hg_json json;
    hg_result r;

    r = hg_filter_parse_sql(text, &sql, &report);
    check_report(r, &report, text.len);
    if (hg_ok(r))
        hg_filter_unref(sql);

    hg_tree_init(&tree, HG_FILTER_NODES_MAX);
    if (text.len > 0 && text.ptr[0] == '{' && hg_ok(hg_json_parse(text, &json, NULL))) {
        r = hg_filter_parse_json(json, &filter, &report);
        if (hg_ok(r))
            HG_ASSERT(hg_ok(hg_object_parse(json, &tree, &tree.root, &(struct hg_filter_report){0})));
    } else {
        struct hg_parse_options options = {.dialect = HG_DIALECT_EXPRESSION};
        r = hg_filter_parse(text, &filter, &report);
        if (hg_ok(r))
            HG_ASSERT(hg_ok(hg_parse_expression(text, options, &tree, &tree.root, &(struct hg_filter_report){0})));
    }
    check_report(r, &report, text.len);
    if (hg_ok(r)) {
        HG_ASSERT(hg_utf8_valid(hg_filter_canonical(filter)));
        check_event(filter, &tree, event);
        r = hg_filter_and(filter, filter, &both);
        HG_ASSERT(hg_ok(r) || r.code == HG_ERR_TOO_BIG);
        hg_filter_unref(both);
        hg_filter_unref(filter);
    }
    hg_tree_done(&tree);
    return 0;
}
