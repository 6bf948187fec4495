#include "filter/plan.h"

#include "base/assert.h"
#include "filter/cast.h"

#define IMPOSSIBLE UINT64_MAX

struct planner {
    const struct hg_tree *tree;
    uint64_t (*weigh)(void *context, const struct hg_condition *condition);
    void *context;
    struct hg_plan *plan;
    hg_result result;
};

struct outcome {
    uint64_t cost; /* IMPOSSIBLE: no condition was added */
    bool exact;
};

static const struct outcome nothing = {IMPOSSIBLE, false};

static struct outcome plan_node(struct planner *p, uint16_t number);

static const struct hg_node *node_of(const struct planner *p, uint16_t number)
{
    return &p->tree->nodes[number];
}

static struct outcome add(struct planner *p, struct hg_condition condition, bool exact)
{
    hg_buf_put(&p->plan->conditions, hg_slice(&condition, sizeof(condition)));
    return (struct outcome){p->weigh(p->context, &condition), exact};
}

static struct hg_condition at_path(const struct hg_node *path, enum hg_condition_kind kind)
{
    return (struct hg_condition){.kind = kind, .path_at = path->text_at, .path_len = path->text_len};
}

/* CloudEvents SQL sees no data: no event ever passes by it. */
static bool is_usable(const struct planner *p, const struct hg_node *node)
{
    return node->kind == HG_NODE_PATH && !(node->strict && hg_slice_is(hg_tree_text(p->tree, node), "data"));
}

/* A path without which this value cannot be: operators and functions fail when something is missing. */
static const struct hg_node *needed_path(const struct planner *p, const struct hg_node *node)
{
    if (is_usable(p, node))
        return node;
    if (node->kind != HG_NODE_MATH && node->kind != HG_NODE_NEGATE && node->kind != HG_NODE_CALL)
        return NULL;
    for (uint16_t child = node->first; child; child = node_of(p, child)->next) {
        const struct hg_node *found = needed_path(p, node_of(p, child));
        if (found)
            return found;
    }
    return NULL;
}

static struct outcome plan_existence(struct planner *p, const struct hg_node *operand)
{
    const struct hg_node *path = needed_path(p, operand);
    return path ? add(p, at_path(path, HG_CONDITION_EXISTS), false) : nothing;
}

/* The key for `path = constant`. */
static struct hg_condition equality(const struct planner *p, const struct hg_node *path, const struct hg_node *constant)
{
    static const enum hg_condition_kind kinds[] = {[HG_VALUE_BOOL] = HG_CONDITION_TRUTH,
                                                   [HG_VALUE_INT] = HG_CONDITION_NUMBER,
                                                   [HG_VALUE_DECIMAL] = HG_CONDITION_NUMBER,
                                                   [HG_VALUE_STRING] = HG_CONDITION_TEXT,
                                                   [HG_VALUE_NULL] = HG_CONDITION_NULL};
    struct hg_condition condition = at_path(path, kinds[constant->value.type]);
    condition.key = hg_tree_constant(p->tree, constant);
    return condition;
}

static bool is_range(const struct planner *p, const struct hg_node *node)
{
    if (node->kind != HG_NODE_COMPARE || node->op < HG_LT)
        return false;
    const struct hg_node *left = node_of(p, node->first), *right = node_of(p, left->next);
    return is_usable(p, left) && right->kind == HG_NODE_CONST && hg_value_is_number(right->value);
}

/* The tighter of what was known and what this comparison says. */
static void narrow(const struct planner *p, const struct hg_node *node, struct hg_condition *condition)
{
    struct hg_value at = node_of(p, node_of(p, node->first)->next)->value;
    bool low = node->op == HG_GT || node->op == HG_GE, open = node->op == HG_GT || node->op == HG_LT;
    struct hg_interval_end *end = low ? &condition->low : &condition->high;
    int order = end->none ? 1 : low ? hg_number_compare(at, end->at) : hg_number_compare(end->at, at);
    if (order > 0 || (order == 0 && open))
        *end = (struct hg_interval_end){.at = at, .open = open};
}

static struct hg_condition range_at(const struct hg_node *path)
{
    struct hg_condition condition = at_path(path, HG_CONDITION_RANGE);
    condition.low.none = condition.high.none = true;
    return condition;
}

static struct outcome plan_compare(struct planner *p, const struct hg_node *node)
{
    const struct hg_node *left = node_of(p, node->first), *right = node_of(p, left->next);
    if (node->op == HG_EQ && is_usable(p, left) && right->kind == HG_NODE_CONST)
        return add(p, equality(p, left, right), !node->strict);
    if (is_range(p, node)) {
        struct hg_condition condition = range_at(left);
        narrow(p, node, &condition);
        return add(p, condition, !node->strict);
    }
    struct outcome found = plan_existence(p, left);
    return found.cost == IMPOSSIBLE ? plan_existence(p, right) : found;
}

static struct outcome plan_like(struct planner *p, const struct hg_node *node)
{
    const struct hg_node *left = node_of(p, node->first);
    struct hg_slice written = hg_tree_text(p->tree, node);
    if (node->negated || !is_usable(p, left))
        return plan_existence(p, left);
    struct hg_buf *texts = &p->plan->texts;
    char *room = hg_buf_reserve(texts, written.len + 1);
    if (!room)
        return nothing;
    size_t len = hg_like_compile(written, room), prefix = 0;
    while (prefix < len && room[prefix] != HG_LIKE_ONE && room[prefix] != HG_LIKE_MANY)
        prefix++;
    if (prefix == 0 && len > 0)
        return plan_existence(p, left);
    struct hg_condition condition = at_path(left, prefix == len ? HG_CONDITION_TEXT : HG_CONDITION_PREFIX);
    condition.key = hg_value_string(hg_slice(room, prefix));
    texts->len += prefix;
    bool exact = prefix == len || (prefix + 1 == len && room[prefix] == HG_LIKE_MANY);
    return add(p, condition, exact && !node->strict);
}

static void add_own_keys(struct planner *p, const struct hg_node *path, struct hg_value element, struct outcome *sum)
{
    struct hg_condition text = at_path(path, HG_CONDITION_OWN_TEXT), number = at_path(path, HG_CONDITION_OWN_NUMBER),
                        truth = at_path(path, HG_CONDITION_OWN_TRUTH);
    struct hg_scratch scratch = {text.made, sizeof(text.made), 0};
    if (element.type == HG_VALUE_NULL) {
        sum->cost += add(p, at_path(path, HG_CONDITION_NULL), true).cost;
        return;
    }
    text.key = hg_cast_text(element, &scratch);
    text.made_len = (uint8_t)scratch.used;
    if (scratch.used > 0)
        text.key.ptr = NULL;
    sum->cost += add(p, text, true).cost;
    number.key = hg_cast_number(element, false);
    if (!number.key.error)
        sum->cost += add(p, number, true).cost;
    truth.key = hg_cast_bool(element);
    if (!truth.key.error)
        sum->cost += add(p, truth, true).cost;
}

static struct outcome plan_in(struct planner *p, const struct hg_node *node)
{
    const struct hg_node *left = node_of(p, node->first);
    bool constants = is_usable(p, left) && !node->negated;
    for (uint16_t child = left->next; child && constants; child = node_of(p, child)->next)
        constants = node_of(p, child)->kind == HG_NODE_CONST;
    if (!constants)
        return plan_existence(p, left);
    struct outcome sum = {0, !node->strict};
    for (uint16_t child = left->next; child; child = node_of(p, child)->next)
        add_own_keys(p, left, hg_tree_constant(p->tree, node_of(p, child)), &sum);
    return sum;
}

static void drop(struct planner *p, size_t from)
{
    if (p->plan->conditions.len > from)
        hg_buf_truncate(&p->plan->conditions, from);
}

/* Conditions from `second` on go to where those from `first` on stand. */
static void replace(struct planner *p, size_t first, size_t second)
{
    struct hg_buf *buf = &p->plan->conditions;
    size_t len = buf->len - second;
    memmove(buf->ptr + first, buf->ptr + second, len);
    hg_buf_truncate(buf, first + len);
}

/* All comparisons of one path with numbers, as one range. */
static struct outcome plan_ranges(struct planner *p, const struct hg_node *row, const struct hg_node *path)
{
    struct hg_condition condition = range_at(path);
    unsigned used = 0;
    for (uint16_t child = row->first; child; child = node_of(p, child)->next) {
        const struct hg_node *node = node_of(p, child);
        if (!is_range(p, node) ||
            !hg_slice_eq(hg_tree_text(p->tree, node_of(p, node->first)), hg_tree_text(p->tree, path)))
            continue;
        narrow(p, node, &condition);
        used++;
    }
    return add(p, condition, used == row->count && !row->strict);
}

static struct outcome plan_and(struct planner *p, const struct hg_node *row)
{
    struct outcome best = nothing;
    size_t from = p->plan->conditions.len, best_end = from;
    for (uint16_t child = row->first; child; child = node_of(p, child)->next) {
        const struct hg_node *node = node_of(p, child);
        struct outcome other;
        if (is_range(p, node)) {
            other = plan_ranges(p, row, node_of(p, node->first));
        } else {
            other = plan_node(p, child);
            other.exact = false; /* there are more conditions than this one */
        }
        if (hg_buf_result(&p->plan->conditions).code != HG_ERR_OK)
            return nothing;
        if (other.cost < best.cost) {
            best = other;
            replace(p, from, best_end);
            best_end = p->plan->conditions.len;
        } else {
            drop(p, best_end);
        }
    }
    return best;
}

static struct outcome plan_or(struct planner *p, const struct hg_node *row)
{
    struct outcome sum = {0, true};
    size_t from = p->plan->conditions.len;
    for (uint16_t child = row->first; child; child = node_of(p, child)->next) {
        struct outcome one = plan_node(p, child);
        if (one.cost == IMPOSSIBLE) {
            drop(p, from);
            return nothing;
        }
        sum.cost += one.cost;
        sum.exact = sum.exact && one.exact;
    }
    sum.exact = sum.exact && !row->strict;
    return sum;
}

static struct outcome plan_node(struct planner *p, uint16_t number)
{
    const struct hg_node *node = node_of(p, number);
    struct outcome inner;
    struct hg_condition condition;
    switch ((enum hg_node_kind)node->kind) {
    case HG_NODE_COMPARE:
        return plan_compare(p, node);
    case HG_NODE_LIKE:
        return plan_like(p, node);
    case HG_NODE_IN:
        return plan_in(p, node);
    case HG_NODE_EXISTS:
        if (node->strict && hg_slice_is(hg_tree_text(p->tree, node), "data"))
            return nothing;
        return add(p, at_path(node, HG_CONDITION_EXISTS), !node->strict);
    case HG_NODE_AND:
        return plan_and(p, node);
    case HG_NODE_OR:
        return plan_or(p, node);
    case HG_NODE_SQL:
        inner = plan_node(p, node->first);
        inner.exact = false;
        return inner;
    case HG_NODE_PATH:
        if (!is_usable(p, node))
            return nothing;
        condition = at_path(node, HG_CONDITION_TRUTH);
        condition.key = hg_value_bool(true);
        return add(p, condition, false); /* alone it must be a truth, in a row it may be cast to one */
    default:
        return nothing;
    }
}

void hg_plan_done(struct hg_plan *plan)
{
    hg_buf_done(&plan->conditions);
    hg_buf_done(&plan->texts);
}

hg_result hg_plan_make(const struct hg_tree *tree,
                       uint64_t (*weigh)(void *context, const struct hg_condition *condition), void *context,
                       struct hg_plan *ret_plan)
{
    struct planner planner = {.tree = tree, .weigh = weigh, .context = context, .plan = ret_plan};
    hg_buf_init(&ret_plan->conditions, 64u << 20);
    hg_buf_init(&ret_plan->texts, 64u << 20);
    /* Room for all prefixes at once, so that they never move. */
    hg_buf_reserve(&ret_plan->texts, 2 * tree->texts.len + 64);
    struct outcome outcome = plan_node(&planner, tree->root);
    ret_plan->exact = outcome.exact && outcome.cost != IMPOSSIBLE;
    hg_result r = hg_buf_result(&ret_plan->conditions);
    if (hg_ok(r))
        r = hg_buf_result(&ret_plan->texts);
    if (!hg_ok(r)) {
        hg_plan_done(ret_plan);
        return r;
    }
    return HG_OK;
}
