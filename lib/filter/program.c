#include "filter/program.h"

#include <stdlib.h>

#include "base/assert.h"
#include "filter/cast.h"
#include "filter/function.h"

struct compiler {
    const struct hg_tree *tree;
    struct hg_buf code, constants, paths, texts;
    size_t canonical_len;
    unsigned depth, deepest; /* of the stack */
};

static hg_result compile(struct compiler *c, uint16_t number);

static size_t count_of(const struct hg_buf *buf, size_t size)
{
    return buf->len / size;
}

static void emit(struct compiler *c, struct hg_instruction instruction, int grows)
{
    hg_buf_put(&c->code, hg_slice(&instruction, sizeof(instruction)));
    c->depth = (unsigned)((int)c->depth + grows);
    if (c->depth > c->deepest)
        c->deepest = c->depth;
}

static uint16_t here(const struct compiler *c)
{
    return (uint16_t)count_of(&c->code, sizeof(struct hg_instruction));
}

/* Where a text stands among the texts; the canonical text holds most of them already. */
static uint32_t place(struct compiler *c, struct hg_slice text)
{
    const char *found =
        text.len > 0 && c->texts.len > 0 ? memmem(c->texts.ptr, c->texts.len, text.ptr, text.len) : NULL;
    if (found)
        return (uint32_t)(found - c->texts.ptr);
    uint32_t at = (uint32_t)c->texts.len;
    hg_buf_put(&c->texts, text);
    return at;
}

/* Until the block is built, the pointer of a text is its place. */
static uint16_t constant(struct compiler *c, struct hg_value value)
{
    if (value.type == HG_VALUE_STRING)
        value.number = place(c, hg_value_text(value));
    size_t number = count_of(&c->constants, sizeof(value));
    hg_buf_put(&c->constants, hg_slice(&value, sizeof(value)));
    return (uint16_t)number;
}

static uint16_t path(struct compiler *c, struct hg_slice text)
{
    struct hg_program_path entry = {place(c, text), (uint32_t)text.len};
    size_t count = count_of(&c->paths, sizeof(entry));
    if (!hg_ok(hg_buf_result(&c->texts)))
        return 0; /* told at the end */
    for (size_t i = 0; i < count; i++) {
        struct hg_program_path other;
        memcpy(&other, c->paths.ptr + i * sizeof(other), sizeof(other));
        if (hg_slice_eq(text, hg_slice(c->texts.ptr + other.at, other.len)))
            return (uint16_t)i;
    }
    hg_buf_put(&c->paths, hg_slice(&entry, sizeof(entry)));
    return (uint16_t)count;
}

static const struct hg_node *node_of(const struct compiler *c, uint16_t number)
{
    return &c->tree->nodes[number];
}

/* CloudEvents SQL does not look into the data. */
static bool is_data(const struct compiler *c, const struct hg_node *node)
{
    return node->strict && hg_slice_is(hg_tree_text(c->tree, node), "data");
}

static hg_result compile_children(struct compiler *c, const struct hg_node *node)
{
    for (uint16_t child = node->first; child; child = node_of(c, child)->next)
        HG_TRY(compile(c, child));
    return HG_OK;
}

static hg_result compile_row(struct compiler *c, const struct hg_node *node)
{
    struct hg_instruction jump = {.op = node->kind == HG_NODE_AND ? HG_OP_AND : HG_OP_OR, .strict = node->strict};
    uint16_t jumps = 0; /* a chain through `a` of those that wait for their target; 0 ends it */
    for (uint16_t child = node->first; child; child = node_of(c, child)->next) {
        HG_TRY(compile(c, child));
        if (!node_of(c, child)->next)
            break;
        jump.a = jumps;
        jumps = here(c);
        emit(c, jump, -1);
    }
    emit(c, (struct hg_instruction){.op = HG_OP_TRUTH, .strict = node->strict}, 0);
    HG_TRY(hg_buf_result(&c->code));
    struct hg_instruction *code = (struct hg_instruction *)(void *)c->code.ptr;
    while (jumps) { /* an operand stands in front of each jump, so none has number 0 */
        uint16_t before = code[jumps].a;
        code[jumps].a = here(c);
        jumps = before;
    }
    return HG_OK;
}

static hg_result compile_compare(struct compiler *c, const struct hg_node *node)
{
    const struct hg_node *left = node_of(c, node->first), *right = node_of(c, left->next);
    if (left->kind == HG_NODE_PATH && right->kind == HG_NODE_CONST && !is_data(c, left)) {
        uint16_t a = path(c, hg_tree_text(c->tree, left)), b = constant(c, hg_tree_constant(c->tree, right));
        emit(c, (struct hg_instruction){.op = HG_OP_TEST, .arg = node->op, .strict = node->strict, .a = a, .b = b}, 1);
        return HG_OK;
    }
    HG_TRY(compile_children(c, node));
    emit(c, (struct hg_instruction){.op = HG_OP_COMPARE, .arg = node->op, .strict = node->strict}, -1);
    return HG_OK;
}

static hg_result compile_in(struct compiler *c, const struct hg_node *node)
{
    bool constants = true;
    uint16_t first = node_of(c, node->first)->next, elements = (uint16_t)(node->count - 1);
    for (uint16_t child = first; child && constants; child = node_of(c, child)->next)
        constants = node_of(c, child)->kind == HG_NODE_CONST;
    HG_TRY(compile(c, node->first));
    struct hg_instruction in = {.op = HG_OP_IN, .arg = node->negated, .strict = node->strict, .a = elements};
    if (!constants) {
        for (uint16_t child = first; child; child = node_of(c, child)->next)
            HG_TRY(compile(c, child));
        emit(c, in, -(int)elements);
        return HG_OK;
    }
    in.op = HG_OP_IN_CONST;
    in.a = (uint16_t)count_of(&c->constants, sizeof(struct hg_value));
    in.b = elements;
    for (uint16_t child = first; child; child = node_of(c, child)->next)
        constant(c, hg_tree_constant(c->tree, node_of(c, child)));
    emit(c, in, 0);
    return HG_OK;
}

static hg_result compile_like(struct compiler *c, const struct hg_node *node)
{
    HG_TRY(compile(c, node->first));
    struct hg_slice written = hg_tree_text(c->tree, node);
    char *compiled = malloc(written.len + 1);
    if (!compiled)
        return HG_FAIL(NOMEM);
    struct hg_slice pattern = hg_slice(compiled, hg_like_compile(written, compiled));
    uint16_t a = constant(c, hg_value_string(pattern));
    free(compiled);
    emit(c, (struct hg_instruction){.op = HG_OP_LIKE, .arg = node->negated, .strict = node->strict, .a = a}, 0);
    return HG_OK;
}

static hg_result compile(struct compiler *c, uint16_t number)
{
    const struct hg_node *node = node_of(c, number);
    struct hg_instruction i = {.strict = node->strict, .arg = node->op};
    switch ((enum hg_node_kind)node->kind) {
    case HG_NODE_CONST:
        i.op = HG_OP_CONST;
        i.a = constant(c, hg_tree_constant(c->tree, node));
        emit(c, i, 1);
        break;
    case HG_NODE_PATH:
    case HG_NODE_EXISTS:
        if (is_data(c, node)) {
            i.op = HG_OP_CONST;
            i.a =
                constant(c, hg_value_fail(HG_VALUE_BOOL, node->kind == HG_NODE_PATH ? HG_VALUE_MISSING : HG_VALUE_OK));
        } else {
            i.op = node->kind == HG_NODE_PATH ? HG_OP_LOAD : HG_OP_EXISTS;
            i.a = path(c, hg_tree_text(c->tree, node));
        }
        emit(c, i, 1);
        break;
    case HG_NODE_NOT:
    case HG_NODE_NEGATE:
    case HG_NODE_SQL:
        HG_TRY(compile(c, node->first));
        i.op = node->kind == HG_NODE_NOT ? HG_OP_NOT : node->kind == HG_NODE_SQL ? HG_OP_SQL : HG_OP_NEGATE;
        emit(c, i, 0);
        break;
    case HG_NODE_AND:
    case HG_NODE_OR:
        return compile_row(c, node);
    case HG_NODE_XOR:
        HG_TRY(compile(c, node->first));
        for (uint16_t child = node_of(c, node->first)->next; child; child = node_of(c, child)->next) {
            HG_TRY(compile(c, child));
            emit(c, (struct hg_instruction){.op = HG_OP_XOR, .strict = node->strict}, -1);
        }
        break;
    case HG_NODE_COMPARE:
        return compile_compare(c, node);
    case HG_NODE_MATH:
        HG_TRY(compile_children(c, node));
        i.op = HG_OP_MATH;
        emit(c, i, -1);
        break;
    case HG_NODE_LIKE:
        return compile_like(c, node);
    case HG_NODE_IN:
        return compile_in(c, node);
    case HG_NODE_CALL:
        HG_TRY(compile_children(c, node));
        i.op = HG_OP_CALL;
        i.a = node->count;
        emit(c, i, 1 - (int)node->count);
        break;
    }
    return HG_OK;
}

/* The block: everything behind each other, and places turned into pointers. */
static hg_result assemble(struct compiler *c, struct hg_filter **ret_filter)
{
    size_t size = sizeof(struct hg_filter) + c->constants.len + c->code.len + c->paths.len + c->texts.len;
    struct hg_filter *filter = malloc(size);
    if (!filter)
        return HG_FAIL(NOMEM);
    *filter = (struct hg_filter){.refs = 1,
                                 .texts_len = (uint32_t)c->texts.len,
                                 .canonical_len = (uint32_t)c->canonical_len,
                                 .code_count = here(c),
                                 .constant_count = (uint16_t)count_of(&c->constants, sizeof(struct hg_value)),
                                 .path_count = (uint16_t)count_of(&c->paths, sizeof(struct hg_program_path))};
    char *at = (char *)(filter + 1);
    struct hg_value *constants = (struct hg_value *)(void *)at;
    const struct hg_buf *parts[] = {&c->constants, &c->code, &c->paths, &c->texts};
    for (size_t i = 0; i < 4; i++)
        if (parts[i]->len > 0)
            at = mempcpy(at, parts[i]->ptr, parts[i]->len);
    for (size_t i = 0; i < filter->constant_count; i++)
        if (constants[i].type == HG_VALUE_STRING)
            constants[i].ptr = hg_program_texts(filter) + constants[i].number;
    *ret_filter = filter;
    return HG_OK;
}

hg_result hg_program_compile(const struct hg_tree *tree, uint16_t node, struct hg_slice canonical,
                             struct hg_filter **ret_filter)
{
    struct compiler compiler = {.tree = tree, .canonical_len = canonical.len};
    struct hg_buf *const parts[] = {&compiler.code, &compiler.constants, &compiler.paths, &compiler.texts};
    for (size_t i = 0; i < 4; i++)
        hg_buf_init(parts[i], 512u << 10);
    hg_buf_put(&compiler.texts, canonical);
    hg_result r = compile(&compiler, node);
    for (size_t i = 0; i < 4 && hg_ok(r); i++)
        r = hg_buf_result(parts[i]);
    if (hg_ok(r) && (compiler.deepest > HG_PROGRAM_STACK_MAX || count_of(&compiler.code, 8) > UINT16_MAX))
        r = HG_FAIL(TOO_BIG);
    if (hg_ok(r))
        r = assemble(&compiler, ret_filter);
    for (size_t i = 0; i < 4; i++)
        hg_buf_done(parts[i]);
    return r;
}
