/* value.h – what an attribute, a literal or a part of an expression is worth: sixteen bytes, and the numbers' algebra.
 *
 * A number is INT when it is a whole number of 64 bits, else DECIMAL: number × 10^exponent, at most 18 significant
 * digits, without trailing zeros, never whole within 64 bits. So equal numbers have equal members. What has more digits
 * is rounded, half away from zero; what lies outside of 10^±400 is no number at all. A value that failed has an
 * `error`; its type and number are then the zero value of what was asked for, or what the language defines. Text is
 * valid UTF-8 and may hold NUL. Ownership: text is borrowed; who makes a value says for how long. Calls out: none. */
#ifndef HG_FILTER_VALUE_H
#define HG_FILTER_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum hg_value_type {
    HG_VALUE_BOOL,
    HG_VALUE_INT,
    HG_VALUE_DECIMAL,
    HG_VALUE_STRING,
    HG_VALUE_NULL,  /* JSON null */
    HG_VALUE_OTHER, /* an object or array: it is there, and equals nothing */
};

/* The errors of CloudEvents SQL, section 3.3. */
enum hg_value_error {
    HG_VALUE_OK,
    HG_VALUE_MATH,
    HG_VALUE_CAST,
    HG_VALUE_MISSING, /* attribute */
    HG_VALUE_NO_FUNCTION,
    HG_VALUE_EVALUATION, /* of a function */
};

struct hg_value {
    uint8_t type;  /* enum hg_value_type */
    uint8_t error; /* enum hg_value_error */
    int16_t exponent;
    uint32_t len; /* bytes of a STRING */
    union {
        int64_t number; /* BOOL 0 or 1, INT, mantissa of a DECIMAL */
        const char *ptr;
    };
};
_Static_assert(sizeof(struct hg_value) == 16, "values are copied a lot");

static inline struct hg_value hg_value_bool(bool truth)
{
    return (struct hg_value){.type = HG_VALUE_BOOL, .number = truth};
}

static inline struct hg_value hg_value_int(int64_t number)
{
    return (struct hg_value){.type = HG_VALUE_INT, .number = number};
}

/* `text` is shorter than 4 GiB. */
static inline struct hg_value hg_value_string(struct hg_slice text)
{
    return (struct hg_value){.type = HG_VALUE_STRING, .len = (uint32_t)text.len, .ptr = text.ptr};
}

/* The zero value of a type, with an error. */
static inline struct hg_value hg_value_fail(enum hg_value_type type, enum hg_value_error error)
{
    return (struct hg_value){.type = (uint8_t)type, .error = (uint8_t)error};
}

static inline struct hg_slice hg_value_text(struct hg_value value)
{
    return hg_slice(value.ptr, value.len);
}

static inline bool hg_value_is_number(struct hg_value value)
{
    return value.type == HG_VALUE_INT || value.type == HG_VALUE_DECIMAL;
}

/* "missingAttribute" …, the names of the conformance kit; "" for HG_VALUE_OK. Static. */
const char *hg_value_error_name(enum hg_value_error error);

/* A decimal number with optional sign, fraction and exponent; leading zeros allowed. False when it is none, or too
 * large. */
bool hg_number_parse(struct hg_slice text, struct hg_value *ret_value);
/* A whole number with optional sign. False when it is none or does not fit into 64 bits. */
bool hg_number_parse_int(struct hg_slice text, int64_t *ret_number);

/* Of two numbers: below zero, zero or above, exact for what the values hold. */
int hg_number_compare(struct hg_value a, struct hg_value b);

static inline bool hg_number_equal(struct hg_value a, struct hg_value b)
{
    return a.number == b.number && a.type == b.type && a.exponent == b.exponent;
}

/* Of two numbers; `operation` is one of + - * / %. Two whole numbers give a whole quotient, rounded towards zero.
 * A result that is no number of ours, and division by zero, give 0 with HG_VALUE_MATH. */
struct hg_value hg_number_calculate(char operation, struct hg_value a, struct hg_value b);
/* The whole part; HG_VALUE_CAST when it does not fit. */
struct hg_value hg_number_truncate(struct hg_value number);

#define HG_NUMBER_TEXT_MAX 40
/* The shortest text: 100, -0.25, 1.5e300. Returns its bytes; no NUL at the end. */
size_t hg_number_format(struct hg_value number, char out[HG_NUMBER_TEXT_MAX]);

#endif
