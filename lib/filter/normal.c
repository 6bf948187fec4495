#include "filter/normal.h"

#include <stdlib.h>

#include "base/assert.h"
#include "filter/function.h"

struct writer {
    const struct hg_tree *tree;
    struct hg_buf *into;
    bool sorted;
};

/* How tightly a node holds together: an operand that holds less tightly than its place asks for gets parentheses. */
enum tightness { LOGIC, COMPARISON, SUM, PRODUCT, POSTFIX, UNARY, ATOM };

static hg_result put(struct writer *w, uint16_t number, enum tightness least);

static const struct hg_node *node_of(const struct writer *w, uint16_t number)
{
    return &w->tree->nodes[number];
}

static enum tightness tightness(const struct hg_node *node)
{
    switch ((enum hg_node_kind)node->kind) {
    case HG_NODE_AND:
    case HG_NODE_OR:
    case HG_NODE_XOR:
        return LOGIC;
    case HG_NODE_COMPARE:
        return COMPARISON;
    case HG_NODE_MATH:
        return node->op == '+' || node->op == '-' ? SUM : PRODUCT;
    case HG_NODE_LIKE:
    case HG_NODE_IN:
        return POSTFIX;
    case HG_NODE_NOT:
    case HG_NODE_NEGATE:
        return UNARY;
    default:
        return ATOM;
    }
}

static void put_text(struct hg_buf *into, struct hg_slice text)
{
    hg_buf_put_char(into, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'' || text.ptr[i] == '\\')
            hg_buf_put_char(into, '\\');
        hg_buf_put_char(into, text.ptr[i]);
    }
    hg_buf_put_char(into, '\'');
}

static void put_constant(struct writer *w, const struct hg_node *node)
{
    char text[HG_NUMBER_TEXT_MAX];
    switch ((enum hg_value_type)node->value.type) {
    case HG_VALUE_BOOL:
        hg_buf_put_str(w->into, node->value.number ? "TRUE" : "FALSE");
        break;
    case HG_VALUE_INT:
    case HG_VALUE_DECIMAL:
        hg_buf_put(w->into, hg_slice(text, hg_number_format(node->value, text)));
        break;
    case HG_VALUE_STRING:
        put_text(w->into, hg_tree_text(w->tree, node));
        break;
    default:
        hg_buf_put_str(w->into, "NULL");
    }
}

/* ---- rows that may be put into order ---- */

struct rows {
    struct hg_slice *of; /* after all are written: parts of the buffer; before: only lengths */
    size_t count, capacity;
};

static int by_bytes(const void *a, const void *b)
{
    const struct hg_slice *left = a, *right = b;
    size_t len = left->len < right->len ? left->len : right->len;
    int order = len > 0 ? memcmp(left->ptr, right->ptr, len) : 0;
    return order ? order : (left->len > right->len) - (left->len < right->len);
}

static hg_result rows_add(struct rows *rows, size_t len)
{
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity ? rows->capacity * 2 : 8;
        struct hg_slice *of = realloc(rows->of, capacity * sizeof(*of));
        if (!of)
            return HG_FAIL(NOMEM);
        rows->of = of;
        rows->capacity = capacity;
    }
    rows->of[rows->count++] = hg_slice(NULL, len);
    return HG_OK;
}

/* Sorts what was written from `from` on, row behind row, drops repetitions and writes it with `between`. */
static hg_result rows_sort(struct writer *w, struct rows *rows, size_t from, const char *between, bool keep_two)
{
    HG_TRY(hg_buf_result(w->into));
    size_t len = w->into->len - from;
    char *copy = malloc(len + 1);
    if (!copy)
        return HG_FAIL(NOMEM);
    memcpy(copy, w->into->ptr + from, len);
    size_t at = 0;
    for (size_t i = 0; i < rows->count; i++) {
        rows->of[i].ptr = copy + at;
        at += rows->of[i].len;
    }
    HG_ASSERT(at == len);
    qsort(rows->of, rows->count, sizeof(*rows->of), by_bytes);
    hg_buf_truncate(w->into, from);
    size_t written = 0;
    for (size_t i = 0; i < rows->count; i++) {
        bool again = i > 0 && hg_slice_eq(rows->of[i], rows->of[i - 1]);
        if (again && !(keep_two && written == 1 && i + 1 == rows->count))
            continue;
        if (written++ > 0)
            hg_buf_put_str(w->into, between);
        hg_buf_put(w->into, rows->of[i]);
    }
    free(copy);
    return hg_buf_result(w->into);
}

/* ---- the strict part ---- */

/* Where both languages agree about true and not true, so that one spelling serves both faces. */
static bool is_plain_strict(const struct hg_tree *tree, const struct hg_node *node)
{
    if (node->count == 0)
        return false;
    const struct hg_node *left = &tree->nodes[node->first], *right = &tree->nodes[left->next];
    if (left->kind != HG_NODE_PATH || hg_slice_is(hg_tree_text(tree, left), "data"))
        return false;
    if (node->kind == HG_NODE_LIKE)
        return !node->negated;
    return node->kind == HG_NODE_COMPARE && node->op == HG_EQ && right->kind == HG_NODE_CONST &&
           right->value.type == HG_VALUE_STRING;
}

/* SQL{a AND b} is true when both SQL{a} and SQL{b} are, a and b being cast to truth as AND does. */
static bool is_and(const struct hg_tree *tree, uint16_t number)
{
    const struct hg_node *node = &tree->nodes[number];
    if (node->kind == HG_NODE_SQL)
        return is_and(tree, node->first);
    return node->kind == HG_NODE_AND;
}

static bool is_truth(const struct hg_node *node)
{
    return node->kind != HG_NODE_PATH && node->kind != HG_NODE_CONST && node->kind != HG_NODE_MATH &&
           node->kind != HG_NODE_NEGATE && node->kind != HG_NODE_CALL;
}

/* `operand`: of an AND. */
static hg_result put_sql(struct writer *w, uint16_t inner, bool operand, enum tightness least)
{
    const struct hg_node *node = node_of(w, inner);
    if (is_plain_strict(w->tree, node))
        return put(w, inner, least);
    hg_buf_put_str(w->into, operand && !is_truth(node) ? "SQL{BOOL(" : "SQL{");
    HG_TRY(put(w, inner, LOGIC));
    hg_buf_put_str(w->into, operand && !is_truth(node) ? ")}" : "}");
    return hg_buf_result(w->into);
}

/* The operands of a row of ANDs or ORs, those of rows inside included. Strict ones only where SQL{} stands around each.
 */
static hg_result gather(struct writer *w, uint16_t number, enum hg_node_kind kind, bool sql, struct rows *rows,
                        bool *all_truth)
{
    const struct hg_node *node = node_of(w, number);
    if (node->kind == HG_NODE_SQL && kind == HG_NODE_AND && is_and(w->tree, number))
        return gather(w, node->first, kind, true, rows, all_truth);
    if (node->kind == kind && (sql || !node->strict)) {
        for (uint16_t child = node->first; child; child = node_of(w, child)->next)
            HG_TRY(gather(w, child, kind, sql, rows, all_truth));
        return HG_OK;
    }
    size_t from = w->into->len;
    HG_TRY(sql ? put_sql(w, number, true, COMPARISON) : put(w, number, COMPARISON));
    *all_truth = *all_truth && (sql || is_truth(node));
    return rows_add(rows, w->into->len - from);
}

static hg_result put_row(struct writer *w, uint16_t number, enum hg_node_kind kind, bool strict)
{
    const struct hg_node *node = node_of(w, number);
    const char *between = kind == HG_NODE_AND ? " AND " : kind == HG_NODE_OR ? " OR " : " XOR ";
    if (strict || !w->sorted || kind == HG_NODE_XOR) {
        for (uint16_t child = node->first; child; child = node_of(w, child)->next) {
            if (child != node->first)
                hg_buf_put_str(w->into, between);
            HG_TRY(put(w, child, COMPARISON));
        }
        return hg_buf_result(w->into);
    }
    struct rows rows = {0};
    size_t from = w->into->len;
    bool all_truth = true;
    hg_result r = gather(w, number, kind, false, &rows, &all_truth);
    if (hg_ok(r))
        r = rows_sort(w, &rows, from, between, !all_truth);
    free(rows.of);
    return r;
}

/* ---- everything else ---- */

static hg_result put_set(struct writer *w, const struct hg_node *node)
{
    const struct hg_node *first = node_of(w, node->first);
    bool constant = w->sorted && !node->strict;
    hg_buf_put_str(w->into, node->negated ? " NOT IN (" : " IN (");
    for (uint16_t child = first->next; child && constant; child = node_of(w, child)->next)
        constant = node_of(w, child)->kind == HG_NODE_CONST;
    struct rows rows = {0};
    size_t from = w->into->len;
    hg_result r = HG_OK;
    for (uint16_t child = first->next; child && hg_ok(r); child = node_of(w, child)->next) {
        size_t before = w->into->len;
        if (!constant && child != first->next)
            hg_buf_put_str(w->into, ", ");
        r = put(w, child, LOGIC);
        if (constant && hg_ok(r))
            r = rows_add(&rows, w->into->len - before);
    }
    if (constant && hg_ok(r))
        r = rows_sort(w, &rows, from, ", ", false);
    free(rows.of);
    hg_buf_put_char(w->into, ')');
    return hg_ok(r) ? hg_buf_result(w->into) : r;
}

static hg_result put_bare(struct writer *w, uint16_t number)
{
    static const char *const compare[] = {
        [HG_EQ] = " = ", [HG_NE] = " != ", [HG_LT] = " < ", [HG_LE] = " <= ", [HG_GT] = " > ", [HG_GE] = " >= "};
    const struct hg_node *node = node_of(w, number);
    uint16_t second = node->first ? node_of(w, node->first)->next : 0;
    switch ((enum hg_node_kind)node->kind) {
    case HG_NODE_CONST:
        put_constant(w, node);
        break;
    case HG_NODE_EXISTS:
        hg_buf_put_str(w->into, "EXISTS ");
        hg_buf_put(w->into, hg_tree_text(w->tree, node));
        break;
    case HG_NODE_PATH:
        hg_buf_put(w->into, hg_tree_text(w->tree, node));
        break;
    case HG_NODE_NOT:
        hg_buf_put_str(w->into, "NOT ");
        return put(w, node->first, UNARY);
    case HG_NODE_NEGATE:
        hg_buf_put_char(w->into, '-');
        if (node_of(w, node->first)->kind != HG_NODE_CONST)
            return put(w, node->first, UNARY);
        hg_buf_put_char(w->into, '('); /* else the sign would belong to the number */
        HG_TRY(put(w, node->first, LOGIC));
        hg_buf_put_char(w->into, ')');
        break;
    case HG_NODE_AND:
    case HG_NODE_OR:
    case HG_NODE_XOR:
        return put_row(w, number, (enum hg_node_kind)node->kind, node->strict);
    case HG_NODE_COMPARE:
        HG_TRY(put(w, node->first, COMPARISON));
        hg_buf_put_str(w->into, compare[node->op]);
        return put(w, second, SUM);
    case HG_NODE_MATH:
        HG_TRY(put(w, node->first, tightness(node)));
        hg_buf_printf(w->into, " %c ", node->op);
        return put(w, second, tightness(node) + 1);
    case HG_NODE_LIKE:
        HG_TRY(put(w, node->first, POSTFIX));
        hg_buf_put_str(w->into, node->negated ? " NOT LIKE " : " LIKE ");
        put_text(w->into, hg_tree_text(w->tree, node));
        break;
    case HG_NODE_IN:
        HG_TRY(put(w, node->first, POSTFIX));
        return put_set(w, node);
    case HG_NODE_CALL:
        HG_ASSERT(node->op != HG_FUNCTION_UNKNOWN);
        hg_buf_put_str(w->into, hg_function_row((enum hg_function)node->op)->name);
        hg_buf_put_char(w->into, '(');
        for (uint16_t child = node->first; child; child = node_of(w, child)->next) {
            if (child != node->first)
                hg_buf_put_str(w->into, ", ");
            HG_TRY(put(w, child, LOGIC));
        }
        hg_buf_put_char(w->into, ')');
        break;
    case HG_NODE_SQL:
        return put_sql(w, node->first, false, LOGIC);
    }
    return hg_buf_result(w->into);
}

static hg_result put(struct writer *w, uint16_t number, enum tightness least)
{
    const struct hg_node *node = node_of(w, number);
    enum tightness own = tightness(node);
    if (node->kind == HG_NODE_SQL) {
        if (w->sorted && is_and(w->tree, number))
            own = LOGIC;
        else if (is_plain_strict(w->tree, node_of(w, node->first)))
            own = tightness(node_of(w, node->first));
    }
    bool parentheses = own < least;
    if (parentheses)
        hg_buf_put_char(w->into, '(');
    if (node->kind == HG_NODE_SQL && own == LOGIC)
        HG_TRY(put_row(w, number, HG_NODE_AND, false));
    else
        HG_TRY(put_bare(w, number));
    if (parentheses)
        hg_buf_put_char(w->into, ')');
    return hg_buf_result(w->into);
}

hg_result hg_normal_put(const struct hg_tree *tree, uint16_t node, struct hg_buf *into)
{
    struct writer writer = {tree, into, true};
    return put(&writer, node, LOGIC);
}

hg_result hg_normal_show(const struct hg_tree *tree, uint16_t node, struct hg_buf *into)
{
    struct writer writer = {tree, into, false};
    return put(&writer, node, LOGIC);
}
