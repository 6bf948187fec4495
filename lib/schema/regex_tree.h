/* regex_tree.h – a regular expression as its author wrote it. Private to the regular expressions.
 *
 * Units: nodes by number. Ownership: the tree owns nodes and character sets; the sets move to the program. Calls out:
 * none. */
#ifndef HG_SCHEMA_REGEX_TREE_H
#define HG_SCHEMA_REGEX_TREE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "schema/charset.h"

#define HG_REGEX_NONE     UINT32_MAX
#define HG_REGEX_ENDLESS  UINT32_MAX
#define HG_REGEX_SETS_MAX HG_REGEX_BYTES_MAX

enum hg_regex_kind {
    HG_REGEX_CHAR,     /* a: the character */
    HG_REGEX_SET,      /* a: number of the set */
    HG_REGEX_BEGIN,    /* ^ */
    HG_REGEX_END,      /* $ */
    HG_REGEX_WORD,     /* \b */
    HG_REGEX_NOT_WORD, /* \B */
    HG_REGEX_SEQUENCE, /* of all children; none: the empty text */
    HG_REGEX_CHOICE,   /* of one child */
    HG_REGEX_REPEAT,   /* of the one child, a to b times */
    HG_REGEX_LOOK,     /* whether the one child matches here. a: its number, inner ones first; b: enum hg_regex_look */
};

enum hg_regex_look { HG_REGEX_BEHIND = 1, HG_REGEX_NEGATED = 2 };

struct hg_regex_node {
    enum hg_regex_kind kind;
    uint32_t a, b;
    uint32_t first, last; /* children */
    uint32_t next, previous;
};

struct hg_regex_tree {
    struct hg_regex_node *nodes;
    uint32_t count, capacity;
    struct hg_charset *sets;
    uint32_t set_count, set_capacity;
    uint32_t looks;
    uint32_t root;
};

/* As hg_regex_compile(); the tree must be given to done in any case. */
HG_RESULT hg_regex_parse(struct hg_slice text, struct hg_regex_tree *tree, struct hg_buf *reterr);
void hg_regex_tree_done(struct hg_regex_tree *tree);

#endif
