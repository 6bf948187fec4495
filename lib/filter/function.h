/* function.h – the built-in functions of CloudEvents SQL, section 3.5, and the casts: one row each.
 * Calls out: none. */
#ifndef HG_FILTER_FUNCTION_H
#define HG_FILTER_FUNCTION_H

#include "filter/text.h"
#include "filter/value.h"

#define HG_FUNCTION_ARGUMENTS_MAX 255

/* clang-format off */
/*    name       least most returns  arguments: s text, i number, * anything; the last one counts for all that follow */
#define HG_FUNCTIONS(X)                                                                                                \
    X(LENGTH,    1,   1,   INT,    "s")                                                                                \
    X(CONCAT,    0, 255,   STRING, "s")                                                                                \
    X(CONCAT_WS, 1, 255,   STRING, "s")                                                                                \
    X(LOWER,     1,   1,   STRING, "s")                                                                                \
    X(UPPER,     1,   1,   STRING, "s")                                                                                \
    X(TRIM,      1,   1,   STRING, "s")                                                                                \
    X(LEFT,      2,   2,   STRING, "si")                                                                               \
    X(RIGHT,     2,   2,   STRING, "si")                                                                               \
    X(SUBSTRING, 2,   3,   STRING, "sii")                                                                              \
    X(ABS,       1,   1,   INT,    "i")                                                                                \
    X(INT,       1,   1,   INT,    "*")                                                                                \
    X(BOOL,      1,   1,   BOOL,   "*")                                                                                \
    X(STRING,    1,   1,   STRING, "*")                                                                                \
    X(IS_INT,    1,   1,   BOOL,   "*")                                                                                \
    X(IS_BOOL,   1,   1,   BOOL,   "*")
/* clang-format on */

enum hg_function {
#define X(name, least, most, returns, arguments) HG_FUNCTION_##name,
    HG_FUNCTIONS(X)
#undef X
        HG_FUNCTION_UNKNOWN
};

struct hg_function_row {
    const char *name;
    unsigned least, most; /* arguments */
    enum hg_value_type returns;
    const char *arguments;
};

/* Static. Not for HG_FUNCTION_UNKNOWN. */
const struct hg_function_row *hg_function_row(enum hg_function function);
/* By name in any case. */
enum hg_function hg_function_find(struct hg_slice name);

/* The result, text of it in the arguments or the scratch. An argument that failed, or cannot be cast, makes it the zero
 * value with that error; so does a scratch that is full, with HG_VALUE_EVALUATION. `count` suits the function. */
struct hg_value hg_function_call(enum hg_function function, const struct hg_value *arguments, unsigned count,
                                 bool strict, struct hg_scratch *scratch);

#endif
