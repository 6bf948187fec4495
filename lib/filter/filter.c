#include "filter/filter.h"

#include <stdlib.h>

#include "base/assert.h"
#include "filter/normal.h"
#include "filter/object.h"
#include "filter/parse.h"
#include "filter/program.h"

/* Two filters joined, and what normalising adds. */
#define CANONICAL_NODES_MAX (4 * HG_FILTER_NODES_MAX)
/* Dropping what repeats may leave a row of one, and parentheses around it that go in the next round. */
#define ROUNDS_MAX 8

static hg_result too_long(struct hg_filter_report *report)
{
    return hg_report_refuse(report, HG_FILTER_BYTES_MAX, "The filter is too long; 4096 bytes are allowed.",
                            HG_SLICE_NULL, NULL);
}

/* Writes the tree as text and reads that again, until it is the same text; then compiles. */
static hg_result settle(const struct hg_tree *given, uint16_t node, struct hg_filter **ret_filter)
{
    struct hg_buf texts[2];
    struct hg_tree tree;
    hg_buf_init(&texts[0], HG_FILTER_CANONICAL_MAX);
    hg_buf_init(&texts[1], HG_FILTER_CANONICAL_MAX);
    hg_tree_init(&tree, CANONICAL_NODES_MAX);
    hg_result r = hg_normal_put(given, node, &texts[0]);
    for (unsigned round = 0; hg_ok(r); round++) {
        struct hg_filter_report report;
        struct hg_parse_options options = {.dialect = HG_DIALECT_CANONICAL};
        struct hg_buf *now = &texts[round % 2], *next = &texts[(round + 1) % 2];
        hg_tree_done(&tree);
        hg_tree_init(&tree, CANONICAL_NODES_MAX);
        r = hg_parse_expression(hg_buf_slice(now), options, &tree, &tree.root, &report);
        if (!hg_ok(r))
            break;
        hg_buf_clear(next);
        r = hg_normal_put(&tree, tree.root, next);
        if (hg_ok(r) && (hg_slice_eq(hg_buf_slice(now), hg_buf_slice(next)) || round == ROUNDS_MAX)) {
            r = hg_program_compile(&tree, tree.root, hg_buf_slice(now), ret_filter);
            break;
        }
    }
    hg_tree_done(&tree);
    hg_buf_done(&texts[0]);
    hg_buf_done(&texts[1]);
    return r;
}

/* Only the text that we made ourselves was read here, so what is wrong with it is its size. */
static hg_result too_big(hg_result r, struct hg_filter_report *report)
{
    if (r.code == HG_ERR_TOO_BIG || r.code == HG_ERR_FILTER_INVALID)
        return hg_report_refuse(report, 0, "The filter is too large once it is written out.", HG_SLICE_NULL, NULL);
    return r;
}

hg_result hg_filter_parse(struct hg_slice text, struct hg_filter **ret_filter, struct hg_filter_report *report)
{
    *report = (struct hg_filter_report){0};
    if (text.len > HG_FILTER_BYTES_MAX)
        return too_long(report);
    struct hg_tree tree;
    hg_tree_init(&tree, HG_FILTER_NODES_MAX);
    struct hg_parse_options options = {.dialect = HG_DIALECT_EXPRESSION};
    hg_result r = hg_parse_expression(text, options, &tree, &tree.root, report);
    if (hg_ok(r))
        r = too_big(settle(&tree, tree.root, ret_filter), report);
    hg_tree_done(&tree);
    return r;
}

hg_result hg_filter_parse_json(struct hg_json json, struct hg_filter **ret_filter, struct hg_filter_report *report)
{
    *report = (struct hg_filter_report){0};
    if (json.type == HG_JSON_STRING) {
        struct hg_buf text;
        hg_buf_init(&text, HG_FILTER_BYTES_MAX);
        hg_result r = hg_json_string_decode(json, &text);
        if (hg_ok(r))
            r = hg_filter_parse(hg_buf_slice(&text), ret_filter, report);
        else if (r.code == HG_ERR_SYNTAX)
            r = hg_report_refuse(report, 0, "The filter holds half of a surrogate pair.", HG_SLICE_NULL, NULL);
        else if (r.code == HG_ERR_TOO_BIG)
            r = too_long(report);
        hg_buf_done(&text);
        return r;
    }
    if (json.raw.len > HG_FILTER_BYTES_MAX)
        return too_long(report);
    if (json.type != HG_JSON_OBJECT)
        return hg_report_refuse(report, 0, "A filter is an expression in quotes or an object.", HG_SLICE_NULL, NULL);
    struct hg_tree tree;
    hg_tree_init(&tree, HG_FILTER_NODES_MAX);
    hg_result r = hg_object_parse(json, &tree, &tree.root, report);
    if (hg_ok(r))
        r = too_big(settle(&tree, tree.root, ret_filter), report);
    hg_tree_done(&tree);
    return r;
}

hg_result hg_filter_parse_sql(struct hg_slice text, struct hg_filter **ret_filter, struct hg_filter_report *report)
{
    *report = (struct hg_filter_report){0};
    if (text.len > HG_FILTER_BYTES_MAX)
        return too_long(report);
    struct hg_tree tree;
    hg_tree_init(&tree, HG_FILTER_NODES_MAX);
    struct hg_parse_options options = {.dialect = HG_DIALECT_SQL, .unknown_functions = true};
    hg_result r = hg_parse_expression(text, options, &tree, &tree.root, report);
    if (hg_ok(r))
        r = hg_program_compile(&tree, tree.root, HG_SLICE_NULL, ret_filter);
    hg_tree_done(&tree);
    return r;
}

hg_result hg_filter_and(struct hg_filter *a, struct hg_filter *b, struct hg_filter **ret_filter)
{
    struct hg_buf text;
    struct hg_tree tree;
    struct hg_filter_report report;
    struct hg_parse_options options = {.dialect = HG_DIALECT_CANONICAL};
    hg_buf_init(&text, 2 * HG_FILTER_CANONICAL_MAX + 16);
    hg_tree_init(&tree, CANONICAL_NODES_MAX);
    hg_buf_put_char(&text, '(');
    hg_buf_put(&text, hg_filter_canonical(a));
    hg_buf_put_str(&text, ") AND (");
    hg_buf_put(&text, hg_filter_canonical(b));
    hg_buf_put_char(&text, ')');
    hg_result r = hg_buf_result(&text);
    if (hg_ok(r))
        r = hg_parse_expression(hg_buf_slice(&text), options, &tree, &tree.root, &report);
    if (hg_ok(r))
        r = settle(&tree, tree.root, ret_filter);
    hg_tree_done(&tree);
    hg_buf_done(&text);
    return r.code == HG_ERR_FILTER_INVALID ? HG_FAIL(TOO_BIG) : r;
}

struct hg_filter *hg_filter_ref(struct hg_filter *filter)
{
    HG_ASSERT(filter->refs > 0 && filter->refs < UINT32_MAX);
    filter->refs++;
    return filter;
}

void hg_filter_unref(struct hg_filter *filter)
{
    if (!filter)
        return;
    HG_ASSERT(filter->refs > 0);
    if (--filter->refs == 0)
        free(filter);
}

struct hg_slice hg_filter_canonical(const struct hg_filter *filter)
{
    return hg_slice(hg_program_texts(filter), filter->canonical_len);
}

size_t hg_filter_size(const struct hg_filter *filter)
{
    return (size_t)(hg_program_texts(filter) - (const char *)filter) + filter->texts_len;
}

unsigned hg_filter_path_count(const struct hg_filter *filter)
{
    return filter->path_count;
}

struct hg_slice hg_filter_path(const struct hg_filter *filter, unsigned number)
{
    HG_ASSERT(number < filter->path_count);
    struct hg_program_path path = hg_program_paths(filter)[number];
    return hg_slice(hg_program_texts(filter) + path.at, path.len);
}
