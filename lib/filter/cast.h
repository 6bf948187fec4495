/* cast.h – values as another type: CloudEvents SQL v1.0 section 3.7 where `strict`, and its continuation to 64 bits,
 * decimals, null and containers where not.
 * A value with an error gives the zero value of the asked type with the same error; a cast that cannot be, with
 * HG_VALUE_CAST. Text that has to be made goes to the scratch; HG_VALUE_EVALUATION when that is full.
 * Calls out: none. */
#ifndef HG_FILTER_CAST_H
#define HG_FILTER_CAST_H

#include "filter/text.h"
#include "filter/value.h"

struct hg_value hg_cast_bool(struct hg_value value);
struct hg_value hg_cast_number(struct hg_value value, bool strict);
struct hg_value hg_cast_text(struct hg_value value, struct hg_scratch *scratch);

/* What an event holds as CloudEvents SQL sees it: no null, no container, no number beyond 32 bits (those are text). */
struct hg_value hg_cast_attribute(struct hg_value value, struct hg_scratch *scratch);

/* `x = y`: x is cast to the type of y. BOOL; an error of an operand, or of the cast, is the error of the result. */
struct hg_value hg_cast_equal(struct hg_value x, struct hg_value y, bool strict);
/* Below zero, zero or above in *ret_order; returns HG_VALUE_OK or why there is no order. */
enum hg_value_error hg_cast_order(struct hg_value x, struct hg_value y, bool strict, int *ret_order);

#endif
