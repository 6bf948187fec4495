/* name.h – topic names: 1 to 255 bytes of UTF-8 without control characters, in segments separated by '.', ':' or '/'.
 *
 * A segment may be empty, and '*' has no meaning in a name: any existing Redis channel or key that fits is a topic.
 * Control characters are those of Unicode's category Cc: U+0000–U+001F and U+007F–U+009F.
 * Names starting with '$' are the gateway's own; hg_topic_check() accepts them, the caller decides.
 * Errors: SYNTAX with a sentence. Ownership: nothing is kept. Calls out: none. */
#ifndef HG_TOPIC_NAME_H
#define HG_TOPIC_NAME_H

#include "base/error.h"
#include "base/slice.h"

#define HG_TOPIC_BYTES_MAX 255

/* `reterr_why` (may be NULL): a static phrase that completes "topic …", such as "is empty". */
HG_RESULT hg_topic_check(struct hg_slice name, const char **reterr_why);

bool hg_topic_is_separator(char c);

#endif
