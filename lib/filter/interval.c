#include "filter/interval.h"

#include "base/assert.h"

static bool begins_by(const struct hg_interval *interval, struct hg_value number)
{
    if (interval->low.none)
        return true;
    int order = hg_number_compare(interval->low.at, number);
    return order < 0 || (order == 0 && !interval->low.open);
}

static bool reaches(const struct hg_interval *interval, struct hg_value number)
{
    if (interval->high.none)
        return true;
    int order = hg_number_compare(interval->high.at, number);
    return order > 0 || (order == 0 && !interval->high.open);
}

/* Lower ends in the order in which they begin to hold a number that grows; addresses tell equal ones apart. */
static bool is_before(const struct hg_interval *a, const struct hg_interval *b)
{
    if (a->low.none != b->low.none)
        return a->low.none;
    if (!a->low.none) {
        int order = hg_number_compare(a->low.at, b->low.at);
        if (order != 0)
            return order < 0;
        if (a->low.open != b->low.open)
            return b->low.open;
    }
    return (uintptr_t)a < (uintptr_t)b;
}

static bool is_farther(const struct hg_interval *a, const struct hg_interval *b)
{
    if (a->high.none || b->high.none)
        return a->high.none && !b->high.none;
    int order = hg_number_compare(a->high.at, b->high.at);
    return order > 0 || (order == 0 && !a->high.open && b->high.open);
}

static void renew(struct hg_interval *node)
{
    node->farthest = node;
    if (node->left && is_farther(node->left->farthest, node->farthest))
        node->farthest = node->left->farthest;
    if (node->right && is_farther(node->right->farthest, node->farthest))
        node->farthest = node->right->farthest;
}

static void lift_left(struct hg_interval **root)
{
    struct hg_interval *old = *root, *up = old->left;
    old->left = up->right;
    up->right = old;
    renew(old);
    renew(up);
    *root = up;
}

static void lift_right(struct hg_interval **root)
{
    struct hg_interval *old = *root, *up = old->right;
    old->right = up->left;
    up->left = old;
    renew(old);
    renew(up);
    *root = up;
}

void hg_interval_insert(struct hg_interval **root, struct hg_interval *node)
{
    if (!*root) {
        node->left = node->right = NULL;
        renew(node);
        *root = node;
        return;
    }
    if (is_before(node, *root)) {
        hg_interval_insert(&(*root)->left, node);
        if ((*root)->left->priority > (*root)->priority)
            lift_left(root);
        else
            renew(*root);
    } else {
        hg_interval_insert(&(*root)->right, node);
        if ((*root)->right->priority > (*root)->priority)
            lift_right(root);
        else
            renew(*root);
    }
}

/* Takes the root out: it sinks until it is a leaf. */
static void sink(struct hg_interval **root)
{
    struct hg_interval *node = *root;
    if (!node->left || !node->right) {
        *root = node->left ? node->left : node->right;
        return;
    }
    if (node->left->priority > node->right->priority) {
        lift_left(root);
        sink(&(*root)->right);
    } else {
        lift_right(root);
        sink(&(*root)->left);
    }
    renew(*root);
}

void hg_interval_remove(struct hg_interval **root, struct hg_interval *node)
{
    HG_ASSERT(*root);
    if (*root == node) {
        sink(root);
        return;
    }
    hg_interval_remove(is_before(node, *root) ? &(*root)->left : &(*root)->right, node);
    renew(*root);
}

bool hg_interval_holds(const struct hg_interval *interval, struct hg_value number)
{
    return begins_by(interval, number) && reaches(interval, number);
}

void hg_interval_find(const struct hg_interval *root, struct hg_value number,
                      void (*visit)(void *context, const struct hg_interval *interval), void *context)
{
    while (root && reaches(root->farthest, number)) {
        hg_interval_find(root->left, number, visit, context);
        if (!begins_by(root, number))
            return; /* nor does anything on the right */
        if (reaches(root, number))
            visit(context, root);
        root = root->right;
    }
}

size_t hg_interval_validate(const struct hg_interval *root)
{
    if (!root)
        return 0;
    const struct hg_interval *farthest = root;
    if (root->left) {
        HG_ASSERT(is_before(root->left, root) && root->left->priority <= root->priority);
        if (is_farther(root->left->farthest, farthest))
            farthest = root->left->farthest;
    }
    if (root->right) {
        HG_ASSERT(is_before(root, root->right) && root->right->priority <= root->priority);
        if (is_farther(root->right->farthest, farthest))
            farthest = root->right->farthest;
    }
    HG_ASSERT(!is_farther(farthest, root->farthest) && !is_farther(root->farthest, farthest));
    return 1 + hg_interval_validate(root->left) + hg_interval_validate(root->right);
}
