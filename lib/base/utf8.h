/* utf8.h – UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF.
 * Units: bytes. Calls out: none. */
#ifndef HG_BASE_UTF8_H
#define HG_BASE_UTF8_H

#include "base/slice.h"

bool hg_utf8_valid(struct hg_slice text);

/* How many bytes at the front are whole, valid characters: text.len when all of it is valid, else the offset of the
 * first byte of the first sequence that is not. */
size_t hg_utf8_prefix(struct hg_slice text);

#endif
