/* require.h – what a rule asks of an emitted event: one attribute, "name" or "name=value", and "prefix*" of its type.
 * A name ends at the first '='; names are of 1 to 255 bytes, and nothing has control characters. Ownership: slices
 * point into the text. Errors: SYNTAX with a phrase. Calls out: none. */
#ifndef HG_CONFIG_REQUIRE_H
#define HG_CONFIG_REQUIRE_H

#include "base/error.h"
#include "base/slice.h"

struct hg_requirement {
    struct hg_slice name;
    struct hg_slice value; /* null pointer: any */
};

/* `reterr_why` (may be NULL): a static phrase that completes "the requirement …". */
HG_RESULT hg_requirement_parse(struct hg_slice text, struct hg_requirement *ret_requirement, const char **reterr_why);

/* An element of "types": a type, or what types begin with and a '*'. "the type …". */
HG_RESULT hg_type_pattern_check(struct hg_slice pattern, const char **reterr_why);
/* `pattern` is checked; `type` may be any bytes. */
bool hg_type_pattern_match(struct hg_slice pattern, struct hg_slice type);

#endif
