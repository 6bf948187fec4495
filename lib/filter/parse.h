/* parse.h – text to tree: the grammar of CloudEvents SQL v1.0 (sections 2 and 3.6) and of the subscription's
 * expressions.
 *
 * Precedence, tightest first: functions; NOT and -; LIKE, IN, EXISTS; * / %; + -; comparisons; AND, OR and XOR, which
 * are equal and go from left to right. Bounded: nesting by HG_FILTER_DEPTH_MAX, nodes by the tree's maximum. Errors:
 * FILTER_INVALID with the report filled; NOMEM. A report on success is a hint. Calls out: none. */
#ifndef HG_FILTER_PARSE_H
#define HG_FILTER_PARSE_H

#include "filter/lexer.h"
#include "filter/report.h"
#include "filter/tree.h"

#define HG_FILTER_DEPTH_MAX    64
#define HG_CANONICAL_DEPTH_MAX 400 /* rows that alternate need parentheses there */

struct hg_parse_options {
    enum hg_dialect dialect;
    bool unknown_functions; /* let them through, for the specification: they evaluate to false with missingFunction */
};

/* Adds the expression to `tree` and tells its node; the tree's root stays. In dialect SQL the nodes are strict, without
 * an HG_NODE_SQL around them. `report` is cleared first. After an error the tree is good for nothing but its end. */
HG_RESULT hg_parse_expression(struct hg_slice source, struct hg_parse_options options, struct hg_tree *tree,
                              uint16_t *ret_node, struct hg_filter_report *report);
/* The same for a path alone, appended in its canonical form. */
HG_RESULT hg_parse_path(struct hg_slice source, struct hg_buf *into, struct hg_filter_report *report);

#endif
