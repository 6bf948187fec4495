/* case.h – upper and lower case of single characters: the simple mappings of Unicode, one code point for one.
 * So "ß" stays what it is, and a text keeps its length in characters. Calls out: none. */
#ifndef HG_FILTER_CASE_H
#define HG_FILTER_CASE_H

#include <stdint.h>

uint32_t hg_case_lower(uint32_t point);
uint32_t hg_case_upper(uint32_t point);

#endif
