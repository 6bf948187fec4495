/* text.h – what names, patterns and templates have in common: none may be empty, ill-formed or hold control characters.
 * Ownership: the phrases are static. Calls out: none. */
#ifndef HG_TOPIC_TEXT_H
#define HG_TOPIC_TEXT_H

#include "base/slice.h"

/* NULL, or the phrase that tells what is wrong: "is empty", "is not valid UTF-8", "contains a control character".
 * Control characters are those of Unicode's category Cc: U+0000–U+001F, U+007F–U+009F. */
const char *hg_text_objection(struct hg_slice text);

#endif
