/* decimal.h – the numbers of JSON as they are written: exact, of any size, never a double.
 *
 * A number is digits × 10^exponent. Ownership: the digits are those of the text it was read from, and valid as long.
 * Bounded: every function is linear in the digits. Calls out: none. */
#ifndef HG_SCHEMA_DECIMAL_H
#define HG_SCHEMA_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Written exponents go to ±10^15; beyond that a number is of no use to anybody. */
#define HG_DECIMAL_EXPONENT_MAX 1000000000000000

struct hg_decimal {
    const char *from, *end; /* first significant digit, and behind the last; a point may stand between */
    int64_t exponent;       /* of the last significant digit */
    uint64_t digits;        /* significant ones; 0: the number is zero */
    bool negative;          /* never of zero */
};

/* `text` is a number that hg_json_parse() has accepted. False when its exponent is out of bounds. */
bool hg_decimal_read(struct hg_slice text, struct hg_decimal *ret_number);
/* Below zero, zero or above. */
int hg_decimal_compare(const struct hg_decimal *a, const struct hg_decimal *b);
/* 1.0 and 1e2 are whole. */
bool hg_decimal_is_whole(const struct hg_decimal *number);
/* A whole number of 0 … UINT64_MAX; false for others. */
bool hg_decimal_u64(const struct hg_decimal *number, uint64_t *ret_number);
/* Whether `number` is a whole multiple of digits × 10^exponent; 0 < digits ≤ 10^18. */
bool hg_decimal_is_multiple(const struct hg_decimal *number, uint64_t digits, int64_t exponent);

#endif
