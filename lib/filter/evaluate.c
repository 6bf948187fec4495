/* evaluate.c – runs a filter's program over the values of an event. */
#include "base/assert.h"
#include "filter/cast.h"
#include "filter/function.h"
#include "filter/program.h"

/* Truth in a row of ANDs and ORs: outside of strict parts whatever failed counts as false. */
static struct hg_value truth(struct hg_value value, bool strict)
{
    value = hg_cast_bool(value);
    return value.error && !strict ? hg_value_bool(false) : value;
}

static struct hg_value compare(struct hg_value x, struct hg_value y, enum hg_compare op, bool strict)
{
    if (op == HG_EQ || op == HG_NE) {
        struct hg_value equal = hg_cast_equal(x, y, strict);
        if (!equal.error)
            return hg_value_bool(equal.number == (op == HG_EQ));
        if (strict)
            return equal;
        /* Both are there, and one cannot be what the other is: they differ. */
        return hg_value_bool(op == HG_NE && !x.error && !y.error);
    }
    int order = 0;
    enum hg_value_error error = hg_cast_order(x, y, strict, &order);
    if (error)
        return strict ? hg_value_fail(HG_VALUE_BOOL, error) : hg_value_bool(false);
    return hg_value_bool(op == HG_LT ? order < 0 : op == HG_LE ? order <= 0 : op == HG_GT ? order > 0 : order >= 0);
}

static struct hg_value contains(struct hg_value x, const struct hg_value *elements, unsigned count, bool negated,
                                bool strict)
{
    if (x.error)
        return hg_value_fail(HG_VALUE_BOOL, strict ? x.error : HG_VALUE_OK);
    bool found = false;
    for (unsigned i = 0; i < count && (strict || !found); i++) {
        struct hg_value equal = hg_cast_equal(elements[i], x, strict);
        if (equal.error && strict)
            return equal;
        found = found || (!equal.error && equal.number);
    }
    return hg_value_bool(found != negated);
}

static struct hg_value like(struct hg_value x, struct hg_value pattern, bool negated, bool strict)
{
    char made[HG_NUMBER_TEXT_MAX];
    struct hg_scratch scratch = {made, sizeof(made), 0};
    struct hg_value text = hg_cast_text(x, &scratch);
    struct hg_value result;
    if (text.error)
        result = hg_value_fail(HG_VALUE_BOOL, strict ? text.error : HG_VALUE_OK);
    else
        result = hg_value_bool(hg_like_match(hg_value_text(text), hg_value_text(pattern)) != negated);
    if (!strict && !x.error && text.error == HG_VALUE_CAST && negated)
        result = hg_value_bool(true); /* it is there, and no text: as with != */
    return result;
}

static struct hg_value calculate(char op, struct hg_value x, struct hg_value y, bool strict)
{
    x = hg_cast_number(x, strict);
    y = hg_cast_number(y, strict);
    if (x.error || y.error)
        return hg_value_fail(HG_VALUE_INT, x.error ? x.error : y.error);
    struct hg_value result = hg_number_calculate(op, x, y);
    if (strict && (result.type != HG_VALUE_INT || result.number < INT32_MIN || result.number > INT32_MAX))
        return hg_value_fail(HG_VALUE_INT, HG_VALUE_MATH);
    return result;
}

static struct hg_value run(const struct hg_filter *filter, const struct hg_value *values, const uint32_t *slots,
                           struct hg_scratch *scratch)
{
    const struct hg_instruction *code = hg_program_code(filter);
    const struct hg_value *constants = hg_program_constants(filter);
    struct hg_value stack[HG_PROGRAM_STACK_MAX];
    struct hg_value *top = stack; /* the place above the topmost */
    for (unsigned at = 0; at < filter->code_count; at++) {
        struct hg_instruction i = code[at];
        switch ((enum hg_op)i.op) {
        case HG_OP_CONST:
            *top++ = constants[i.a];
            break;
        case HG_OP_LOAD:
        case HG_OP_EXISTS:
        case HG_OP_TEST: {
            struct hg_value value = values[slots ? slots[i.a] : i.a];
            if (i.strict)
                value = hg_cast_attribute(value, scratch);
            if (i.op == HG_OP_TEST)
                value = compare(value, constants[i.b], (enum hg_compare)i.arg, i.strict);
            else if (i.op == HG_OP_EXISTS)
                value = hg_value_bool(value.error != HG_VALUE_MISSING);
            *top++ = value;
            break;
        }
        case HG_OP_NOT:
            top[-1] = hg_cast_bool(top[-1]);
            top[-1].number = !top[-1].number && !top[-1].error;
            break;
        case HG_OP_NEGATE:
            top[-1] = calculate('-', hg_value_int(0), top[-1], i.strict);
            break;
        case HG_OP_AND:
        case HG_OP_OR:
            top[-1] = truth(top[-1], i.strict);
            if (top[-1].error || top[-1].number == (i.op == HG_OP_OR))
                at = i.a - 1u;
            else
                top--;
            break;
        case HG_OP_TRUTH:
            top[-1] = truth(top[-1], i.strict);
            break;
        case HG_OP_XOR: {
            struct hg_value x = hg_cast_bool(top[-2]), y = hg_cast_bool(top[-1]);
            top--;
            top[-1] = x.error ? x : y.error ? y : hg_value_bool(x.number != y.number);
            break;
        }
        case HG_OP_COMPARE:
            top--;
            top[-1] = compare(top[-1], top[0], (enum hg_compare)i.arg, i.strict);
            break;
        case HG_OP_MATH:
            top--;
            top[-1] = calculate((char)i.arg, top[-1], top[0], i.strict);
            break;
        case HG_OP_LIKE:
            top[-1] = like(top[-1], constants[i.a], i.arg, i.strict);
            break;
        case HG_OP_IN:
            top -= i.a;
            top[-1] = contains(top[-1], top, i.a, i.arg, i.strict);
            break;
        case HG_OP_IN_CONST:
            top[-1] = contains(top[-1], constants + i.a, i.b, i.arg, i.strict);
            break;
        case HG_OP_CALL:
            top -= i.a;
            *top = i.arg == HG_FUNCTION_UNKNOWN
                       ? hg_value_fail(HG_VALUE_BOOL, HG_VALUE_NO_FUNCTION)
                       : hg_function_call((enum hg_function)i.arg, top, i.a, i.strict, scratch);
            top++;
            break;
        case HG_OP_SQL:
            top[-1] = hg_value_bool(top[-1].type == HG_VALUE_BOOL && top[-1].number && !top[-1].error);
            break;
        }
    }
    HG_ASSERT(top == stack + 1);
    return stack[0];
}

struct hg_value hg_filter_value(const struct hg_filter *filter, const struct hg_value *values, const uint32_t *slots,
                                struct hg_scratch *scratch)
{
    return run(filter, values, slots, scratch);
}

bool hg_filter_passes(const struct hg_filter *filter, const struct hg_value *values, const uint32_t *slots,
                      struct hg_scratch *scratch)
{
    size_t used = scratch->used;
    struct hg_value value = run(filter, values, slots, scratch);
    scratch->used = used;
    return value.type == HG_VALUE_BOOL && value.number && !value.error;
}
