/* utf8.h – UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing past U+10FFFF. Calls out: none. */
#ifndef HG_BASE_UTF8_H
#define HG_BASE_UTF8_H

#include "base/slice.h"

bool hg_utf8_valid(struct hg_slice text);

#endif
