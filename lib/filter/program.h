/* program.h – the inside of a filter: a row of instructions for a small stack, and the compiler that makes it.
 *
 * Every instruction is eight bytes and pushes, replaces or drops values; jumps go forward only, so an evaluation takes
 * at most as many steps as there are instructions. For lib/filter alone. Calls out: none. */
#ifndef HG_FILTER_PROGRAM_H
#define HG_FILTER_PROGRAM_H

#include "filter/filter.h"
#include "filter/tree.h"

#define HG_PROGRAM_STACK_MAX 320

enum hg_op {
    HG_OP_CONST,  /* a: constant */
    HG_OP_LOAD,   /* a: path */
    HG_OP_EXISTS, /* a: path */
    HG_OP_TEST,   /* a: path, b: constant, arg: enum hg_compare; LOAD, CONST and COMPARE in one */
    HG_OP_NOT,
    HG_OP_NEGATE,
    HG_OP_AND, /* a: where to go when the top decides; else drops it */
    HG_OP_OR,
    HG_OP_TRUTH, /* the last operand of a row of ANDs or ORs */
    HG_OP_XOR,
    HG_OP_COMPARE,  /* arg: enum hg_compare */
    HG_OP_MATH,     /* arg: the sign */
    HG_OP_LIKE,     /* a: constant, the pattern in its compiled form; arg: negated */
    HG_OP_IN,       /* a: how many elements stand above; arg: negated */
    HG_OP_IN_CONST, /* a: first constant, b: how many; arg: negated */
    HG_OP_CALL,     /* arg: function, a: how many arguments */
    HG_OP_SQL,      /* strict value to plain truth */
};

struct hg_instruction {
    uint8_t op, arg;
    bool strict;
    uint16_t a, b;
};
_Static_assert(sizeof(struct hg_instruction) == 8, "half of a filter is instructions");

struct hg_program_path {
    uint32_t at;
    uint32_t len; /* in the texts */
};

struct hg_filter {
    uint32_t refs;
    uint32_t texts_len;
    uint32_t canonical_len; /* at the front of the texts */
    uint16_t code_count, constant_count, path_count;
    uint16_t spare[3];
    /* Behind it: constants, instructions, paths, texts. */
};
_Static_assert(sizeof(struct hg_filter) % _Alignof(struct hg_value) == 0, "the constants follow at once");

static inline const struct hg_value *hg_program_constants(const struct hg_filter *filter)
{
    return (const struct hg_value *)(const void *)(filter + 1);
}

static inline const struct hg_instruction *hg_program_code(const struct hg_filter *filter)
{
    return (const struct hg_instruction *)(const void *)(hg_program_constants(filter) + filter->constant_count);
}

static inline const struct hg_program_path *hg_program_paths(const struct hg_filter *filter)
{
    return (const struct hg_program_path *)(const void *)(hg_program_code(filter) + filter->code_count);
}

static inline const char *hg_program_texts(const struct hg_filter *filter)
{
    return (const char *)(hg_program_paths(filter) + filter->path_count);
}

/* A filter of one node of a tree. `canonical` is its text, or empty where nobody will ask. */
HG_RESULT hg_program_compile(const struct hg_tree *tree, uint16_t node, struct hg_slice canonical,
                             struct hg_filter **ret_filter);

#endif
