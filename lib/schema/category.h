/* category.h – the general category of every character, from the Unicode Character Database, version 14.0.0.
 * Calls out: none. */
#ifndef HG_SCHEMA_CATEGORY_H
#define HG_SCHEMA_CATEGORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* A set of categories, one bit each. False when `name` is no category or group of them in its short or long form: "Lu",
 * "Uppercase_Letter", "L", "Letter". */
bool hg_category_find(struct hg_slice name, uint32_t *ret_categories);
/* Run number `i` of characters of one category; false behind the last, which ends with U+10FFFF. */
bool hg_category_run(uint32_t i, uint32_t *ret_first, uint32_t *ret_last, uint32_t *ret_category);

#endif
