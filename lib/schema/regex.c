#include "schema/regex.h"

#include <stdlib.h>

#include "base/assert.h"
#include "schema/regex_program.h"
#include "schema/regex_tree.h"

#define NONE HG_REGEX_NONE

struct writer {
    struct hg_regex *regex;
    const struct hg_regex_tree *tree;
    bool backwards;
};

static hg_result write_node(struct writer *w, uint32_t node);

static hg_result put(struct writer *w, enum hg_regex_op op, uint32_t a)
{
    struct hg_regex *regex = w->regex;
    if (regex->count == HG_REGEX_STATES_MAX)
        return HG_FAIL(TOO_BIG);
    if (regex->count == regex->capacity) {
        uint32_t capacity = regex->capacity ? regex->capacity * 2 : 16;
        struct hg_regex_instruction *program = realloc(regex->program, capacity * sizeof(*program));
        if (!program)
            return HG_FAIL(NOMEM);
        regex->program = program;
        regex->capacity = capacity;
    }
    regex->program[regex->count++] = (struct hg_regex_instruction){op, a};
    return HG_OK;
}

/* Puts a jump whose end is not known yet. */
static hg_result put_open(struct writer *w, enum hg_regex_op op, uint32_t *ret_at)
{
    *ret_at = w->regex->count;
    return put(w, op, NONE);
}

static void land(struct writer *w, uint32_t at)
{
    w->regex->program[at].a = w->regex->count;
}

static hg_result write_sequence(struct writer *w, const struct hg_regex_node *node)
{
    uint32_t child = w->backwards ? node->last : node->first;
    while (child != NONE) {
        HG_TRY(write_node(w, child));
        child = w->backwards ? w->tree->nodes[child].previous : w->tree->nodes[child].next;
    }
    return HG_OK;
}

/* The jumps to the end are strung together through their ends until that is known. */
static hg_result write_choice(struct writer *w, const struct hg_regex_node *node)
{
    uint32_t jumps = NONE;
    for (uint32_t child = node->first; child != NONE; child = w->tree->nodes[child].next) {
        uint32_t split, jump;
        if (child == node->last) {
            HG_TRY(write_node(w, child));
            break;
        }
        HG_TRY(put_open(w, HG_REGEX_OP_SPLIT, &split));
        HG_TRY(write_node(w, child));
        HG_TRY(put_open(w, HG_REGEX_OP_JUMP, &jump));
        w->regex->program[jump].a = jumps;
        jumps = jump;
        land(w, split);
    }
    while (jumps != NONE) {
        uint32_t next = w->regex->program[jumps].a;
        land(w, jumps);
        jumps = next;
    }
    return HG_OK;
}

/* x{2,} is x x+, x{0,2} is (x(x)?)?, each x written out; ways that lead out all lead to one end. */
static hg_result write_repeat(struct writer *w, const struct hg_regex_node *node)
{
    uint32_t splits = NONE, start = w->regex->count, at = 0;
    uint32_t least = node->a, most = node->b;
    for (uint32_t i = 0; i < least; i++) {
        at = w->regex->count;
        HG_TRY(write_node(w, node->first));
        if (w->regex->count == start) /* of the empty text, however often */
            return HG_OK;
    }
    if (most == HG_REGEX_ENDLESS && least > 0) {
        uint32_t split;
        HG_TRY(put_open(w, HG_REGEX_OP_SPLIT, &split));
        HG_TRY(put(w, HG_REGEX_OP_JUMP, at));
        land(w, split);
        return HG_OK;
    }
    if (most == HG_REGEX_ENDLESS) {
        uint32_t split;
        HG_TRY(put_open(w, HG_REGEX_OP_SPLIT, &split));
        HG_TRY(write_node(w, node->first));
        HG_TRY(put(w, HG_REGEX_OP_JUMP, split));
        land(w, split);
        return HG_OK;
    }
    for (uint32_t i = least; i < most; i++) {
        uint32_t split;
        HG_TRY(put_open(w, HG_REGEX_OP_SPLIT, &split));
        w->regex->program[split].a = splits;
        splits = split;
        HG_TRY(write_node(w, node->first));
        if (w->regex->count == split + 1)
            break;
    }
    while (splits != NONE) {
        uint32_t next = w->regex->program[splits].a;
        land(w, splits);
        splits = next;
    }
    return HG_OK;
}

static hg_result write_node(struct writer *w, uint32_t number)
{
    const struct hg_regex_node *node = &w->tree->nodes[number];
    switch (node->kind) {
    case HG_REGEX_CHAR:
        return put(w, HG_REGEX_OP_CHAR, node->a);
    case HG_REGEX_SET:
        return put(w, HG_REGEX_OP_SET, node->a);
    case HG_REGEX_BEGIN:
        return put(w, HG_REGEX_OP_BEGIN, 0);
    case HG_REGEX_END:
        return put(w, HG_REGEX_OP_END, 0);
    case HG_REGEX_WORD:
        return put(w, HG_REGEX_OP_WORD, 0);
    case HG_REGEX_NOT_WORD:
        return put(w, HG_REGEX_OP_NOT_WORD, 0);
    case HG_REGEX_SEQUENCE:
        return write_sequence(w, node);
    case HG_REGEX_CHOICE:
        return write_choice(w, node);
    case HG_REGEX_REPEAT:
        return write_repeat(w, node);
    case HG_REGEX_LOOK:
        return put(w, node->b & HG_REGEX_NEGATED ? HG_REGEX_OP_NOT_LOOK : HG_REGEX_OP_LOOK, node->a);
    }
    HG_UNREACHABLE();
}

static hg_result write_whole(struct writer *w, uint32_t node, bool backwards, uint32_t *ret_start)
{
    *ret_start = w->regex->count;
    w->backwards = backwards;
    HG_TRY(write_node(w, node));
    return put(w, HG_REGEX_OP_MATCH, 0);
}

/* Whether every match of the node begins where the text does. */
static bool is_at_begin(const struct hg_regex_tree *tree, uint32_t number)
{
    const struct hg_regex_node *node = &tree->nodes[number];
    if (node->kind == HG_REGEX_SEQUENCE)
        return node->first != NONE && is_at_begin(tree, node->first);
    if (node->kind != HG_REGEX_CHOICE)
        return node->kind == HG_REGEX_BEGIN;
    for (uint32_t child = node->first; child != NONE; child = tree->nodes[child].next)
        if (!is_at_begin(tree, child))
            return false;
    return true;
}

static hg_result write_all(struct hg_regex *regex, struct hg_regex_tree *tree)
{
    struct writer w = {regex, tree, false};
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct hg_regex_node *node = &tree->nodes[i];
        if (node->kind != HG_REGEX_LOOK)
            continue;
        struct hg_regex_look_program *look = &regex->looks[node->a];
        look->backwards = !(node->b & HG_REGEX_BEHIND);
        HG_TRY(write_whole(&w, node->first, look->backwards, &look->start));
    }
    regex->look_count = tree->looks;
    regex->at_begin = is_at_begin(tree, tree->root);
    HG_TRY(write_whole(&w, tree->root, false, &regex->start));
    regex->sets = tree->sets;
    regex->set_count = tree->set_count;
    tree->sets = NULL;
    tree->set_count = 0;
    return HG_OK;
}

hg_result hg_regex_compile(struct hg_slice text, struct hg_regex **ret_regex, struct hg_buf *reterr)
{
    struct hg_regex_tree tree;
    hg_result r = hg_regex_parse(text, &tree, reterr);
    struct hg_regex *regex = hg_ok(r) ? calloc(1, sizeof(*regex)) : NULL;
    if (hg_ok(r))
        r = regex ? write_all(regex, &tree) : HG_FAIL(NOMEM);
    hg_regex_tree_done(&tree);
    if (hg_ok(r)) {
        *ret_regex = regex;
        return HG_OK;
    }
    hg_regex_free(regex);
    if (r.code != HG_ERR_TOO_BIG)
        return r;
    hg_buf_printf(reterr, "found an expression of more than %d states; allowed: fewer, or repeats with smaller numbers",
                  HG_REGEX_STATES_MAX);
    return reterr->error == HG_ERR_NOMEM ? HG_FAIL(NOMEM) : HG_FAIL(SYNTAX);
}

void hg_regex_free(struct hg_regex *regex)
{
    if (!regex)
        return;
    for (uint32_t i = 0; i < regex->set_count; i++)
        hg_charset_done(&regex->sets[i]);
    free(regex->sets);
    free(regex->program);
    free(regex);
}
