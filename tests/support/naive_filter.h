/* naive_filter.h – the filter language as a walk over the tree, one rule of the language after the other: the model for
 * the compiled program. Shares with it the parser's tree, the arithmetic of numbers and the table of cases, nothing
 * else. */
#ifndef HGT_SUPPORT_NAIVE_FILTER_H
#define HGT_SUPPORT_NAIVE_FILTER_H

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "base/json.h"
#include "filter/case.h"
#include "filter/function.h"
#include "filter/path.h"
#include "filter/tree.h"

struct naive_event {
    struct hg_json json; /* no object: nothing is there */
    struct hg_slice topic;
};

/* Texts that an evaluation makes; lost at the next naive_filter_passes(). */
struct naive_memory {
    char bytes[64 << 20];
    size_t used;
};

static inline struct naive_memory *naive_memory(void)
{
    static struct naive_memory memory;
    return &memory;
}

static inline char *naive_take(size_t len)
{
    struct naive_memory *memory = naive_memory();
    HG_ASSERT(len <= sizeof(memory->bytes) - memory->used);
    memory->used += len;
    return memory->bytes + memory->used - len;
}

static inline struct hg_value naive_text(const char *ptr, size_t len)
{
    char *copy = naive_take(len + 1);
    memcpy(copy, ptr, len);
    return hg_value_string(hg_slice(copy, len));
}

/* ---- attributes ---- */

static inline bool naive_member(struct hg_json object, struct hg_slice name, struct hg_json *ret_value)
{
    bool found = false;
    struct hg_json key, value;
    if (object.type != HG_JSON_OBJECT)
        return false;
    struct hg_json_iter iter = hg_json_iter(object);
    while (hg_json_next_member(&iter, &key, &value)) {
        struct hg_buf text;
        hg_buf_init(&text, 1 << 20);
        if (hg_ok(hg_json_string_decode(key, &text)) && hg_slice_eq(hg_buf_slice(&text), name)) {
            *ret_value = value;
            found = true;
        }
        hg_buf_done(&text);
    }
    return found;
}

static inline bool naive_find(struct hg_json json, struct hg_slice path, struct hg_json *ret_value)
{
    struct hg_path_segment segment;
    while (hg_path_next(&path, &segment)) {
        struct hg_buf name;
        bool found = false;
        hg_buf_init(&name, 1 << 16);
        if (segment.is_index) {
            struct hg_json element;
            uint32_t index = 0;
            if (json.type == HG_JSON_ARRAY) {
                struct hg_json_iter iter = hg_json_iter(json);
                while (hg_json_next_element(&iter, &element))
                    if (index++ == segment.index) {
                        json = element;
                        found = true;
                        break;
                    }
            }
        } else {
            hg_buf_put(&name, segment.name);
            if (segment.is_quoted) {
                hg_buf_clear(&name);
                struct hg_json raw = {HG_JSON_STRING, hg_slice(segment.name.ptr - 1, segment.name.len + 2)};
                HG_ASSERT(hg_ok(hg_json_string_decode(raw, &name)));
            }
            found = naive_member(json, hg_buf_slice(&name), &json);
        }
        hg_buf_done(&name);
        if (!found)
            return false;
    }
    *ret_value = json;
    return true;
}

static inline struct hg_value naive_typed(struct hg_json json)
{
    struct hg_value value = hg_value_fail(HG_VALUE_BOOL, HG_VALUE_MISSING);
    struct hg_buf text;
    switch (json.type) {
    case HG_JSON_NULL:
        return (struct hg_value){.type = HG_VALUE_NULL};
    case HG_JSON_BOOL:
        return hg_value_bool(json.raw.ptr[0] == 't');
    case HG_JSON_NUMBER:
        hg_number_parse(json.raw, &value);
        return value;
    case HG_JSON_STRING:
        hg_buf_init(&text, 1 << 20);
        if (hg_ok(hg_json_string_decode(json, &text)))
            value = naive_text(text.ptr ? text.ptr : "", text.len);
        hg_buf_done(&text);
        return value;
    default:
        return (struct hg_value){.type = HG_VALUE_OTHER};
    }
}

static inline struct hg_value naive_attribute(const struct naive_event *event, struct hg_slice path)
{
    static const char *const doubled[][2] = {{"id", "eventId"}, {"type", "eventType"}, {"time", "timestamp"}};
    struct hg_value value = hg_value_fail(HG_VALUE_BOOL, HG_VALUE_MISSING), other;
    struct hg_json json;
    if (hg_slice_is(path, "topic"))
        return hg_value_string(event->topic);
    if (naive_find(event->json, path, &json))
        value = naive_typed(json);
    for (size_t i = 0; i < 3; i++)
        if (hg_slice_is(path, doubled[i][0]) && (value.error || value.type == HG_VALUE_NULL) &&
            naive_find(event->json, hg_slice_str(doubled[i][1]), &json)) {
            other = naive_typed(json);
            if (!other.error)
                value = other;
        }
    return value;
}

/* ---- casts ---- */

static inline struct hg_value naive_as_text(struct hg_value v)
{
    char out[HG_NUMBER_TEXT_MAX];
    if (v.error)
        return hg_value_fail(HG_VALUE_STRING, v.error);
    if (v.type == HG_VALUE_STRING)
        return v;
    if (v.type == HG_VALUE_BOOL)
        return v.number ? naive_text("true", 4) : naive_text("false", 5);
    if (hg_value_is_number(v))
        return naive_text(out, hg_number_format(v, out));
    return hg_value_fail(HG_VALUE_STRING, HG_VALUE_CAST);
}

static inline struct hg_value naive_as_number(struct hg_value v, bool strict)
{
    struct hg_value number;
    if (v.error)
        return hg_value_fail(HG_VALUE_INT, v.error);
    if (hg_value_is_number(v))
        return v;
    if (v.type == HG_VALUE_BOOL)
        return hg_value_int(v.number ? 1 : 0);
    if (v.type != HG_VALUE_STRING || !hg_number_parse(hg_value_text(v), &number))
        return hg_value_fail(HG_VALUE_INT, HG_VALUE_CAST);
    if (strict) {
        /* Digits only, and within 32 bits. */
        for (size_t i = 0; i < v.len; i++)
            if (!isdigit((unsigned char)v.ptr[i]) && !(i == 0 && (v.ptr[i] == '-' || v.ptr[i] == '+')))
                return hg_value_fail(HG_VALUE_INT, HG_VALUE_CAST);
        if (number.type != HG_VALUE_INT || number.number > INT32_MAX || number.number < INT32_MIN)
            return hg_value_fail(HG_VALUE_INT, HG_VALUE_CAST);
    }
    return number;
}

static inline bool naive_is(struct hg_value v, const char *word)
{
    return v.len == strlen(word) && strncasecmp(v.ptr, word, v.len) == 0;
}

static inline struct hg_value naive_as_bool(struct hg_value v)
{
    if (v.error)
        return hg_value_fail(HG_VALUE_BOOL, v.error);
    if (v.type == HG_VALUE_BOOL)
        return v;
    if (hg_value_is_number(v))
        return hg_value_bool(v.number != 0);
    if (v.type == HG_VALUE_STRING && naive_is(v, "true"))
        return hg_value_bool(true);
    if (v.type == HG_VALUE_STRING && naive_is(v, "false"))
        return hg_value_bool(false);
    return hg_value_fail(HG_VALUE_BOOL, HG_VALUE_CAST);
}

/* ---- operators ---- */

/* x = y, x being cast to y's type. */
static inline struct hg_value naive_equal(struct hg_value x, struct hg_value y, bool strict)
{
    if (x.error || y.error)
        return hg_value_fail(HG_VALUE_BOOL, x.error ? x.error : y.error);
    if (x.type == HG_VALUE_OTHER || y.type == HG_VALUE_OTHER)
        return hg_value_fail(HG_VALUE_BOOL, HG_VALUE_CAST);
    if (x.type == HG_VALUE_NULL || y.type == HG_VALUE_NULL)
        return hg_value_bool(x.type == HG_VALUE_NULL && y.type == HG_VALUE_NULL);
    if (y.type == HG_VALUE_STRING) {
        x = naive_as_text(x);
        return x.error ? hg_value_fail(HG_VALUE_BOOL, x.error)
                       : hg_value_bool(x.len == y.len && memcmp(x.ptr, y.ptr, x.len) == 0);
    }
    if (y.type == HG_VALUE_BOOL) {
        x = naive_as_bool(x);
        return x.error ? x : hg_value_bool(x.number == y.number);
    }
    x = naive_as_number(x, strict);
    return x.error ? hg_value_fail(HG_VALUE_BOOL, x.error) : hg_value_bool(hg_number_compare(x, y) == 0);
}

static inline uint32_t naive_point(const char *at, size_t len)
{
    uint32_t point = (unsigned char)at[0];
    if (len > 1)
        point &= 0x7fu >> len;
    for (size_t i = 1; i < len; i++)
        point = point * 64 + ((unsigned char)at[i] & 63u);
    return point;
}

static inline void naive_put_point(struct hg_value *text, uint32_t point)
{
    char *out = (char *)(uintptr_t)text->ptr + text->len;
    if (point < 0x80) {
        out[0] = (char)point;
        text->len += 1;
    } else if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 63));
        text->len += 2;
    } else if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 63));
        out[2] = (char)(0x80 | (point & 63));
        text->len += 3;
    } else {
        out[0] = (char)(0xf0 | point >> 18);
        out[1] = (char)(0x80 | (point >> 12 & 63));
        out[2] = (char)(0x80 | (point >> 6 & 63));
        out[3] = (char)(0x80 | (point & 63));
        text->len += 4;
    }
}

/* Text as code points; returns how many. */
static inline size_t naive_points(struct hg_value text, uint32_t **ret_points)
{
    uint32_t *points = calloc(text.len + 1, sizeof(*points));
    size_t count = 0;
    HG_ASSERT(points);
    for (size_t at = 0; at < text.len;) {
        size_t len = 1;
        while (at + len < text.len && ((unsigned char)text.ptr[at + len] & 0xc0) == 0x80)
            len++;
        points[count++] = naive_point(text.ptr + at, len);
        at += len;
    }
    *ret_points = points;
    return count;
}

/* The pattern as written, over code points: there[i] says whether the pattern so far matches the first i of the text.
 */
static inline bool naive_like(struct hg_value text, struct hg_value pattern)
{
    uint32_t *t, *p;
    size_t n = naive_points(text, &t), m = naive_points(pattern, &p);
    bool *there = calloc(n + 1, sizeof(*there));
    HG_ASSERT(there);
    there[0] = true;
    for (size_t j = 0; j < m; j++) {
        bool escaped = p[j] == '\\' && j + 1 < m && (p[j + 1] == '%' || p[j + 1] == '_');
        j += escaped;
        if (p[j] == '%' && !escaped) {
            for (size_t i = 1; i <= n; i++)
                there[i] = there[i] || there[i - 1];
            continue;
        }
        for (size_t i = n; i > 0; i--)
            there[i] = there[i - 1] && ((p[j] == '_' && !escaped) || p[j] == t[i - 1]);
        there[0] = false;
    }
    bool matches = there[n];
    free(there);
    free(t);
    free(p);
    return matches;
}

static inline struct hg_value naive_from_points(const uint32_t *points, size_t count)
{
    struct hg_value text = hg_value_string(hg_slice(naive_take(4 * count + 1), 0));
    for (size_t i = 0; i < count; i++)
        naive_put_point(&text, points[i]);
    return text;
}

static inline bool naive_white(uint32_t point)
{
    static const uint32_t white[] = {0x9,    0xa,    0xb,    0xc,    0xd,    0x20,   0x85,   0xa0,   0x1680,
                                     0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008,
                                     0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000};
    for (size_t i = 0; i < sizeof(white) / sizeof(white[0]); i++)
        if (white[i] == point)
            return true;
    return false;
}

static inline struct hg_value naive_call(enum hg_function function, struct hg_value *v, unsigned count, bool strict)
{
    const struct hg_function_row *row = hg_function_row(function);
    uint32_t *points = NULL;
    struct hg_value result = {0};
    bool texts = function <= HG_FUNCTION_SUBSTRING;
    for (unsigned i = 0; i < count; i++) {
        bool number =
            function == HG_FUNCTION_ABS || (i > 0 && (function == HG_FUNCTION_LEFT || function == HG_FUNCTION_RIGHT ||
                                                      function == HG_FUNCTION_SUBSTRING));
        if (number)
            v[i] = naive_as_number(v[i], strict);
        else if (texts)
            v[i] = naive_as_text(v[i]);
        if (v[i].error)
            return hg_value_fail(row->returns, v[i].error);
    }
    if (function == HG_FUNCTION_CONCAT || function == HG_FUNCTION_CONCAT_WS) {
        unsigned first = function == HG_FUNCTION_CONCAT_WS;
        size_t len = 0;
        for (unsigned i = 0; i < count; i++)
            len += v[i].len + v[0].len;
        char *out = naive_take(len + 1);
        len = 0;
        for (unsigned i = first; i < count; i++) {
            if (i > first && first) {
                memcpy(out + len, v[0].ptr, v[0].len);
                len += v[0].len;
            }
            memcpy(out + len, v[i].ptr, v[i].len);
            len += v[i].len;
        }
        return hg_value_string(hg_slice(out, len));
    }
    int64_t a = 0, b = INT64_MAX;
    if (count > 1) {
        struct hg_value first = hg_number_truncate(v[1]),
                        second = count > 2 ? hg_number_truncate(v[2]) : hg_value_int(b);
        if (first.error || second.error)
            return hg_value_fail(HG_VALUE_STRING, HG_VALUE_CAST);
        a = first.number;
        b = second.number;
    }
    int64_t n = texts ? (int64_t)naive_points(v[0], &points) : 0, from = 0, to = n;
    switch (function) {
    case HG_FUNCTION_LENGTH:
        result = hg_value_int(n);
        break;
    case HG_FUNCTION_LOWER:
    case HG_FUNCTION_UPPER:
        for (int64_t i = 0; i < n; i++)
            points[i] = function == HG_FUNCTION_LOWER ? hg_case_lower(points[i]) : hg_case_upper(points[i]);
        result = naive_from_points(points, (size_t)n);
        break;
    case HG_FUNCTION_TRIM:
        while (from < to && naive_white(points[from]))
            from++;
        while (to > from && naive_white(points[to - 1]))
            to--;
        result = naive_from_points(points + from, (size_t)(to - from));
        break;
    case HG_FUNCTION_LEFT:
    case HG_FUNCTION_RIGHT:
        if (a < 0) {
            result = v[0];
            result.error = HG_VALUE_EVALUATION;
        } else {
            a = a > n ? n : a;
            result = naive_from_points(function == HG_FUNCTION_LEFT ? points : points + (n - a), (size_t)a);
        }
        break;
    case HG_FUNCTION_SUBSTRING:
        result = naive_from_points(points, 0);
        if (b < 0 || a > n || (a < 0 && a < -n)) {
            result.error = HG_VALUE_EVALUATION;
        } else if (a != 0) {
            from = a > 0 ? a - 1 : n + a;
            to = b < n - from ? from + b : n;
            result = naive_from_points(points + from, (size_t)(to - from));
        }
        break;
    case HG_FUNCTION_ABS:
        result = v[0];
        if (strict && result.number == INT32_MIN) {
            result.number = INT32_MAX;
            result.error = HG_VALUE_MATH;
        } else if (hg_number_compare(result, hg_value_int(0)) < 0) {
            result = hg_number_calculate('*', result, hg_value_int(-1));
        }
        break;
    case HG_FUNCTION_INT:
        result = naive_as_number(v[0], strict);
        if (!result.error)
            result = hg_number_truncate(result);
        break;
    case HG_FUNCTION_BOOL:
        result = naive_as_bool(v[0]);
        break;
    case HG_FUNCTION_STRING:
        result = naive_as_text(v[0]);
        break;
    case HG_FUNCTION_IS_INT:
        result = naive_as_number(v[0], strict);
        result = hg_value_bool(!result.error && result.type == HG_VALUE_INT);
        break;
    default:
        result = hg_value_bool(!naive_as_bool(v[0]).error);
    }
    free(points);
    return result;
}

/* ---- the tree ---- */

static inline struct hg_value naive_eval(const struct hg_tree *tree, uint16_t number, const struct naive_event *event);

static inline struct hg_value naive_logic(const struct hg_tree *tree, const struct hg_node *node,
                                          const struct naive_event *event)
{
    struct hg_value so_far = naive_as_bool(naive_eval(tree, node->first, event));
    for (uint16_t child = tree->nodes[node->first].next; child; child = tree->nodes[child].next) {
        struct hg_value next;
        if (node->kind == HG_NODE_XOR) {
            next = naive_as_bool(naive_eval(tree, child, event));
            if (!so_far.error)
                so_far = next.error ? next : hg_value_bool((so_far.number != 0) != (next.number != 0));
            continue;
        }
        if (node->strict && so_far.error)
            return so_far;
        bool left = so_far.number && !so_far.error;
        if (left == (node->kind == HG_NODE_OR))
            return hg_value_bool(left);
        so_far = naive_as_bool(naive_eval(tree, child, event));
    }
    if (so_far.error && !node->strict && node->kind != HG_NODE_XOR)
        return hg_value_bool(false);
    return so_far;
}

static inline struct hg_value naive_compare(const struct hg_node *node, struct hg_value x, struct hg_value y)
{
    bool strict = node->strict;
    if (node->op == HG_EQ || node->op == HG_NE) {
        struct hg_value equal = naive_equal(x, y, strict);
        if (strict && equal.error)
            return equal;
        if (x.error || y.error)
            return hg_value_bool(false);
        bool same = !equal.error && equal.number;
        return hg_value_bool(node->op == HG_EQ ? same : !same);
    }
    x = naive_as_number(x, strict);
    y = naive_as_number(y, strict);
    if (x.error || y.error)
        return hg_value_fail(HG_VALUE_BOOL, strict ? (x.error ? x.error : y.error) : HG_VALUE_OK);
    int order = hg_number_compare(x, y);
    bool truths[] = {[HG_LT] = order<0, [HG_LE] = order <= 0, [HG_GT] = order> 0, [HG_GE] = order >= 0};
    return hg_value_bool(truths[node->op]);
}

static inline struct hg_value naive_eval(const struct hg_tree *tree, uint16_t number, const struct naive_event *event)
{
    const struct hg_node *node = &tree->nodes[number];
    bool strict = node->strict;
    uint16_t second = node->first ? tree->nodes[node->first].next : 0;
    struct hg_value x, y, v[256];
    unsigned count = 0;
    switch ((enum hg_node_kind)node->kind) {
    case HG_NODE_CONST:
        x = hg_tree_constant(tree, node);
        return x.type == HG_VALUE_STRING ? naive_text(x.ptr, x.len) : x;
    case HG_NODE_PATH:
    case HG_NODE_EXISTS:
        x = naive_attribute(event, hg_tree_text(tree, node));
        if (strict && !x.error) {
            if (x.type == HG_VALUE_NULL || x.type == HG_VALUE_OTHER || hg_slice_is(hg_tree_text(tree, node), "data"))
                x = hg_value_fail(HG_VALUE_BOOL, HG_VALUE_MISSING);
            else if (hg_value_is_number(x) &&
                     (x.type == HG_VALUE_DECIMAL || x.number > INT32_MAX || x.number < INT32_MIN))
                x = naive_as_text(x);
        }
        return node->kind == HG_NODE_PATH ? x : hg_value_bool(!x.error);
    case HG_NODE_NOT:
        x = naive_as_bool(naive_eval(tree, node->first, event));
        return x.error ? x : hg_value_bool(!x.number);
    case HG_NODE_NEGATE:
    case HG_NODE_MATH:
        x = node->kind == HG_NODE_MATH ? naive_eval(tree, node->first, event) : hg_value_int(0);
        y = naive_eval(tree, node->kind == HG_NODE_MATH ? second : node->first, event);
        x = naive_as_number(x, strict);
        y = naive_as_number(y, strict);
        if (x.error || y.error)
            return hg_value_fail(HG_VALUE_INT, x.error ? x.error : y.error);
        x = hg_number_calculate(node->kind == HG_NODE_MATH ? (char)node->op : '-', x, y);
        if (strict && (x.type != HG_VALUE_INT || x.number > INT32_MAX || x.number < INT32_MIN))
            return hg_value_fail(HG_VALUE_INT, HG_VALUE_MATH);
        return x;
    case HG_NODE_AND:
    case HG_NODE_OR:
    case HG_NODE_XOR:
        return naive_logic(tree, node, event);
    case HG_NODE_COMPARE:
        x = naive_eval(tree, node->first, event);
        return naive_compare(node, x, naive_eval(tree, second, event));
    case HG_NODE_LIKE:
        x = naive_eval(tree, node->first, event);
        y = naive_as_text(x);
        if (y.error) {
            if (strict)
                return hg_value_fail(HG_VALUE_BOOL, y.error);
            return hg_value_bool(node->negated && !x.error);
        }
        return hg_value_bool(naive_like(y, hg_value_string(hg_tree_text(tree, node))) != node->negated);
    case HG_NODE_IN: {
        bool found = false;
        enum hg_value_error error = HG_VALUE_OK;
        x = naive_eval(tree, node->first, event);
        for (uint16_t child = second; child; child = tree->nodes[child].next) {
            y = naive_equal(naive_eval(tree, child, event), x, strict);
            found = found || (!y.error && y.number);
            if (!error)
                error = y.error;
        }
        if (x.error)
            return hg_value_fail(HG_VALUE_BOOL, strict ? x.error : HG_VALUE_OK);
        if (error && strict)
            return hg_value_fail(HG_VALUE_BOOL, error);
        return hg_value_bool(found != node->negated);
    }
    case HG_NODE_CALL:
        for (uint16_t child = node->first; child; child = tree->nodes[child].next)
            v[count++] = naive_eval(tree, child, event);
        if (node->op == HG_FUNCTION_UNKNOWN)
            return hg_value_fail(HG_VALUE_BOOL, HG_VALUE_NO_FUNCTION);
        return naive_call((enum hg_function)node->op, v, count, strict);
    case HG_NODE_SQL:
        x = naive_eval(tree, node->first, event);
        return hg_value_bool(x.type == HG_VALUE_BOOL && x.number && !x.error);
    }
    HG_UNREACHABLE();
}

static inline bool naive_filter_passes(const struct hg_tree *tree, const struct naive_event *event)
{
    naive_memory()->used = 0;
    struct hg_value value = naive_eval(tree, tree->root, event);
    return value.type == HG_VALUE_BOOL && value.number && !value.error;
}

#endif
