#include "filter/tree.h"

#include <stdlib.h>

#include "base/assert.h"

#define TEXTS_MAX (256u << 10)

void hg_tree_init(struct hg_tree *tree, uint16_t nodes_max)
{
    *tree = (struct hg_tree){.max = nodes_max};
    hg_buf_init(&tree->texts, TEXTS_MAX);
}

void hg_tree_done(struct hg_tree *tree)
{
    free(tree->nodes);
    hg_buf_done(&tree->texts);
    *tree = (struct hg_tree){0};
}

hg_result hg_tree_add(struct hg_tree *tree, struct hg_node node, uint16_t *ret_number)
{
    if (tree->count > tree->max)
        return HG_FAIL(TOO_BIG);
    HG_TRY(hg_buf_result(&tree->texts));
    if (tree->count == tree->capacity) {
        uint16_t capacity = tree->capacity ? (uint16_t)(tree->capacity * 2) : 16;
        struct hg_node *nodes = realloc(tree->nodes, capacity * sizeof(*nodes));
        if (!nodes)
            return HG_FAIL(NOMEM);
        tree->nodes = nodes;
        tree->capacity = capacity;
        if (tree->count == 0)
            tree->nodes[tree->count++] = (struct hg_node){0};
    }
    tree->nodes[tree->count] = node;
    *ret_number = tree->count++;
    return HG_OK;
}

void hg_tree_hang(struct hg_tree *tree, uint16_t parent, uint16_t child)
{
    HG_ASSERT(parent > 0 && parent < tree->count && child > 0 && child < tree->count);
    uint16_t *place = &tree->nodes[parent].first;
    while (*place)
        place = &tree->nodes[*place].next;
    *place = child;
    tree->nodes[parent].count++;
}
