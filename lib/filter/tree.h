/* tree.h – an expression as a tree: one form for all three faces of the language.
 *
 * Nodes are numbers into one array; 0 is no node. Children hang in a row: `first`, then `next`. `strict` nodes follow
 * CloudEvents SQL to the letter; the others are of the subscription's language, where a comparison with what is missing
 * is false. HG_NODE_SQL stands between: above it the one, below it the other.
 * Ownership: the tree owns nodes and texts. Errors: NOMEM, and TOO_BIG past the node limit. Calls out: none. */
#ifndef HG_FILTER_TREE_H
#define HG_FILTER_TREE_H

#include "base/buf.h"
#include "filter/value.h"

enum hg_node_kind {
    HG_NODE_CONST,
    HG_NODE_PATH,   /* text: the path (path.h) */
    HG_NODE_EXISTS, /* text: the path */
    HG_NODE_NOT,    /* one child */
    HG_NODE_NEGATE, /* one child */
    HG_NODE_AND,    /* two children or more, from left to right; so do OR and XOR */
    HG_NODE_OR,
    HG_NODE_XOR,
    HG_NODE_COMPARE, /* two children; op: enum hg_compare */
    HG_NODE_MATH,    /* two children; op: one of + - * / % */
    HG_NODE_LIKE,    /* one child; text: the pattern as written; may be negated */
    HG_NODE_IN,      /* what, then the elements; may be negated */
    HG_NODE_CALL,    /* arguments; op: the function's number, or HG_FUNCTION_UNKNOWN */
    HG_NODE_SQL,     /* one child, strict: true when that is TRUE without any error */
};

enum hg_compare { HG_EQ, HG_NE, HG_LT, HG_LE, HG_GT, HG_GE };

struct hg_node {
    uint8_t kind, op;
    bool negated, strict;
    uint16_t first, next, count; /* children */
    struct hg_value value;       /* of a CONST that is no text */
    uint32_t text_at, text_len;  /* in the tree's texts: path, pattern, text of a CONST */
    uint32_t at, end;            /* where it stands in the source, in bytes */
};

struct hg_tree {
    struct hg_node *nodes;
    uint16_t count, capacity, max; /* count includes node 0 */
    uint16_t root;
    struct hg_buf texts;
};

/* Allocates nothing yet. */
void hg_tree_init(struct hg_tree *tree, uint16_t nodes_max);
void hg_tree_done(struct hg_tree *tree);
HG_RESULT hg_tree_add(struct hg_tree *tree, struct hg_node node, uint16_t *ret_number);
/* Hangs `child` behind the other children of `parent`. */
void hg_tree_hang(struct hg_tree *tree, uint16_t parent, uint16_t child);

static inline struct hg_slice hg_tree_text(const struct hg_tree *tree, const struct hg_node *node)
{
    return hg_slice(tree->texts.ptr ? tree->texts.ptr + node->text_at : "", node->text_len);
}

/* The text of a CONST of type STRING stands in the tree, everything else in the node. Valid until the tree changes. */
static inline struct hg_value hg_tree_constant(const struct hg_tree *tree, const struct hg_node *node)
{
    return node->value.type == HG_VALUE_STRING ? hg_value_string(hg_tree_text(tree, node)) : node->value;
}

#endif
