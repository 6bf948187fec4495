/* normal.h – tree to text, one text for all trees that mean the same by sight: spelling, quotes, needless parentheses,
 * the order and repetition of what AND and OR join, the order of a set's constants. Read again in dialect CANONICAL it
 * gives a tree of the same meaning, and the same text. Errors: those of the buffer; NOMEM. Calls out: none. */
#ifndef HG_FILTER_NORMAL_H
#define HG_FILTER_NORMAL_H

#include "filter/tree.h"

HG_RESULT hg_normal_put(const struct hg_tree *tree, uint16_t node, struct hg_buf *into);
/* One part as a reader wants to see it: not sorted, otherwise the same. */
HG_RESULT hg_normal_show(const struct hg_tree *tree, uint16_t node, struct hg_buf *into);

#endif
