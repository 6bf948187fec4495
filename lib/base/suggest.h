/* suggest.h – "did you mean": the name that is nearest to a misspelt one. Ownership: nothing is kept. Calls out:
 * `name`. */
#ifndef HG_BASE_SUGGEST_H
#define HG_BASE_SUGGEST_H

#include <stddef.h>

#include "base/slice.h"

/* Insertions, deletions, replacements and swaps of neighbours between two texts (optimal string alignment), ASCII case
 * ignored. Of texts longer than 64 bytes the first 64 count. */
size_t hg_edit_distance(struct hg_slice a, struct hg_slice b);
/* The nearest of name(0), name(1), … up to NULL, or NULL when none is near enough to be meant. */
const char *hg_suggest(struct hg_slice word, const char *(*name)(size_t i));

#endif
