#include "filter/object.h"

#include "base/assert.h"
#include "filter/parse.h"

struct reader {
    const char *start;
    struct hg_tree *tree;
    struct hg_filter_report *report;
    unsigned depth;
};

static hg_result read_filter(struct reader *r, struct hg_json json, uint16_t *ret_node);

static hg_result refuse(struct reader *r, struct hg_json where, const char *sentence)
{
    return hg_report_refuse(r->report, (size_t)(where.raw.ptr - r->start), sentence, HG_SLICE_NULL, NULL);
}

size_t hg_object_raw_offset(struct hg_json string, size_t at)
{
    const char *c = string.raw.ptr + 1, *end = string.raw.ptr + string.raw.len - 1;
    size_t decoded = 0;
    while (c < end && decoded < at) {
        if (*c != '\\') {
            c++;
            decoded++;
        } else if (c[1] != 'u') {
            c += 2;
            decoded++;
        } else {
            unsigned point = 0;
            for (int i = 2; i < 6; i++)
                point = point * 16 + (unsigned)(c[i] <= '9' ? c[i] - '0' : (c[i] | 32) - 'a' + 10);
            bool pair = point >= 0xd800 && point < 0xdc00;
            c += pair ? 12 : 6;
            decoded += pair ? 4u : point < 0x80 ? 1u : point < 0x800 ? 2u : 3u;
        }
    }
    return (size_t)((c < end ? c : end) - string.raw.ptr);
}

static hg_result add(struct reader *r, struct hg_json where, struct hg_node node, uint16_t *ret_node)
{
    node.at = (uint32_t)(where.raw.ptr - r->start);
    node.end = (uint32_t)(node.at + where.raw.len);
    hg_result result = hg_tree_add(r->tree, node, ret_node);
    if (result.code == HG_ERR_TOO_BIG)
        return refuse(r, where, "The filter has too many parts; 256 are allowed.");
    return result;
}

static hg_result decode(struct reader *r, struct hg_json string, struct hg_buf *into)
{
    hg_result result = hg_json_string_decode(string, into);
    return result.code == HG_ERR_SYNTAX ? refuse(r, string, "This text holds half of a surrogate pair.") : result;
}

/* The path that a member's name means, into the tree's texts. */
static hg_result read_name(struct reader *r, struct hg_json key, struct hg_node *node)
{
    struct hg_buf name;
    hg_buf_init(&name, 1u << 16);
    hg_result result = decode(r, key, &name);
    node->text_at = (uint32_t)r->tree->texts.len;
    if (hg_ok(result)) {
        result = hg_parse_path(hg_buf_slice(&name), &r->tree->texts, r->report);
        if (result.code == HG_ERR_FILTER_INVALID)
            r->report->at = (size_t)(key.raw.ptr - r->start) + hg_object_raw_offset(key, r->report->at);
    }
    node->text_len = (uint32_t)(r->tree->texts.len - node->text_at);
    hg_buf_done(&name);
    return result;
}

/* A text, or a pattern for it, into the tree's texts. */
static hg_result read_text(struct reader *r, struct hg_json json, char edge, struct hg_node *node)
{
    if (json.type != HG_JSON_STRING)
        return refuse(r, json, "A text in quotes was expected here.");
    if (json.raw.len == 2)
        return refuse(r, json, "The text to compare with may not be empty.");
    struct hg_buf text, *into = &r->tree->texts;
    hg_buf_init(&text, 1u << 16);
    hg_result result = decode(r, json, &text);
    node->text_at = (uint32_t)into->len;
    if (hg_ok(result) && edge == 's')
        hg_buf_put_char(into, '%');
    for (size_t i = 0; i < text.len && hg_ok(result); i++) {
        if (edge != 'e' && (text.ptr[i] == '%' || text.ptr[i] == '_'))
            hg_buf_put_char(into, '\\');
        hg_buf_put_char(into, text.ptr[i]);
    }
    if (hg_ok(result) && edge == 'p')
        hg_buf_put_char(into, '%');
    node->text_len = (uint32_t)(into->len - node->text_at);
    hg_buf_done(&text);
    return hg_ok(result) ? hg_buf_result(into) : result;
}

/* exact, prefix and suffix: names and texts, all of which must fit. `edge` is the dialect's first letter. */
static hg_result read_pairs(struct reader *r, struct hg_json json, char edge, uint16_t *ret_node)
{
    struct hg_json key, value;
    uint16_t all = 0;
    if (json.type != HG_JSON_OBJECT)
        return refuse(r, json, "An object of attribute names and texts was expected here.");
    struct hg_json_iter iter = hg_json_iter(json);
    while (hg_json_next_member(&iter, &key, &value)) {
        struct hg_node left = {.kind = HG_NODE_PATH};
        struct hg_node node = {.kind = edge == 'e' ? HG_NODE_COMPARE : HG_NODE_LIKE, .op = HG_EQ};
        struct hg_node right = {.kind = HG_NODE_CONST, .value = {.type = HG_VALUE_STRING}};
        uint16_t left_number, right_number, number;
        HG_TRY(read_name(r, key, &left));
        HG_TRY(add(r, key, left, &left_number));
        HG_TRY(read_text(r, value, edge, edge == 'e' ? &right : &node));
        HG_TRY(add(r, value, node, &number));
        hg_tree_hang(r->tree, number, left_number);
        if (edge == 'e') {
            HG_TRY(add(r, value, right, &right_number));
            hg_tree_hang(r->tree, number, right_number);
        }
        if (*ret_node == 0) {
            *ret_node = number;
            continue;
        }
        if (all == 0) {
            HG_TRY(add(r, json, (struct hg_node){.kind = HG_NODE_AND}, &all));
            hg_tree_hang(r->tree, all, *ret_node);
            *ret_node = all;
        }
        hg_tree_hang(r->tree, all, number);
    }
    return *ret_node ? HG_OK : refuse(r, json, "At least one attribute is needed here.");
}

/* all and any. */
static hg_result read_list(struct reader *r, struct hg_json json, enum hg_node_kind kind, uint16_t *ret_node)
{
    struct hg_json element;
    uint16_t row = 0;
    if (json.type != HG_JSON_ARRAY)
        return refuse(r, json, "An array of filters was expected here.");
    struct hg_json_iter iter = hg_json_iter(json);
    while (hg_json_next_element(&iter, &element)) {
        uint16_t number = 0;
        HG_TRY(read_filter(r, element, &number));
        if (*ret_node == 0) {
            *ret_node = number;
            continue;
        }
        if (row == 0) {
            HG_TRY(add(r, json, (struct hg_node){.kind = (uint8_t)kind}, &row));
            hg_tree_hang(r->tree, row, *ret_node);
            *ret_node = row;
        }
        hg_tree_hang(r->tree, row, number);
    }
    return *ret_node ? HG_OK : refuse(r, json, "At least one filter is needed here.");
}

static hg_result read_sql(struct reader *r, struct hg_json json, uint16_t *ret_node)
{
    if (json.type != HG_JSON_STRING)
        return refuse(r, json, "An expression in quotes was expected here.");
    struct hg_buf text;
    uint16_t inner = 0;
    hg_buf_init(&text, 1u << 16);
    hg_result result = decode(r, json, &text);
    if (hg_ok(result)) {
        struct hg_parse_options options = {.dialect = HG_DIALECT_SQL};
        struct hg_filter_report report;
        result = hg_parse_expression(hg_buf_slice(&text), options, r->tree, &inner, &report);
        if (report.text[0]) {
            *r->report = report;
            r->report->at = (size_t)(json.raw.ptr - r->start) + hg_object_raw_offset(json, report.at);
        }
    }
    hg_buf_done(&text);
    HG_TRY(result);
    HG_TRY(add(r, json, (struct hg_node){.kind = HG_NODE_SQL}, ret_node));
    hg_tree_hang(r->tree, *ret_node, inner);
    return HG_OK;
}

static hg_result read_filter(struct reader *r, struct hg_json json, uint16_t *ret_node)
{
    struct hg_json key, value, other;
    if (json.type != HG_JSON_OBJECT)
        return refuse(r, json, "A filter is an object like {\"exact\": {\"type\": \"OrderPlaced\"}}.");
    struct hg_json_iter iter = hg_json_iter(json);
    if (!hg_json_next_member(&iter, &key, &value))
        return refuse(r, json, "A filter object has one member: exact, prefix, suffix, all, any, not or sql.");
    if (hg_json_next_member(&iter, &other, &(struct hg_json){0}))
        return refuse(r, other, "A filter object has one member only; \"all\" joins several filters.");
    if (r->depth == HG_FILTER_DEPTH_MAX)
        return refuse(r, json, "The filter is nested too deeply; 64 levels are allowed.");
    r->depth++;
    hg_result result;
    if (hg_json_string_is(key, "exact")) {
        result = read_pairs(r, value, 'e', ret_node);
    } else if (hg_json_string_is(key, "prefix")) {
        result = read_pairs(r, value, 'p', ret_node);
    } else if (hg_json_string_is(key, "suffix")) {
        result = read_pairs(r, value, 's', ret_node);
    } else if (hg_json_string_is(key, "all")) {
        result = read_list(r, value, HG_NODE_AND, ret_node);
    } else if (hg_json_string_is(key, "any")) {
        result = read_list(r, value, HG_NODE_OR, ret_node);
    } else if (hg_json_string_is(key, "not")) {
        uint16_t inner = 0;
        result = read_filter(r, value, &inner);
        if (hg_ok(result))
            result = add(r, json, (struct hg_node){.kind = HG_NODE_NOT}, ret_node);
        if (hg_ok(result))
            hg_tree_hang(r->tree, *ret_node, inner);
    } else if (hg_json_string_is(key, "sql")) {
        result = read_sql(r, value, ret_node);
    } else {
        result = hg_report_refuse(r->report, (size_t)(key.raw.ptr - r->start), "There is no dialect ", key.raw,
                                  "; there are exact, prefix, suffix, all, any, not and sql.");
    }
    r->depth--;
    return result;
}

hg_result hg_object_parse(struct hg_json object, struct hg_tree *tree, uint16_t *ret_node,
                          struct hg_filter_report *report)
{
    *report = (struct hg_filter_report){0};
    struct reader reader = {.start = object.raw.ptr, .tree = tree, .report = report};
    uint16_t node = 0;
    HG_TRY(read_filter(&reader, object, &node));
    *ret_node = node;
    return HG_OK;
}
