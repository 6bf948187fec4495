/* visible.h – text from anywhere as one may show it on a terminal or in a log. Ownership: nothing is kept. Errors:
 * those of the buffer. Calls out: none. */
#ifndef HG_BASE_VISIBLE_H
#define HG_BASE_VISIBLE_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends the text in one line of valid UTF-8: controls (C0, DEL, C1, the line and paragraph separators) and bytes that
 * are not UTF-8 as \xNN or \u20NN. What is past `most` bytes of it is cut off and told as "…". */
void hg_visible_put(struct hg_slice text, size_t most, struct hg_buf *into);
/* Bytes of the first character; 0 when the text is empty or does not start with UTF-8. */
size_t hg_visible_char(struct hg_slice text);

#endif
