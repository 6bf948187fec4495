/* durability.h – what an emit must have reached before it is acknowledged, as configuration and protocol write it:
 * "memory", "replicas:N" with N of 1 to 100, "fsync". Ownership: nothing is kept. Errors: SYNTAX with a phrase; those
 * of the buffer. Calls out: none. */
#ifndef HG_CONFIG_DURABILITY_H
#define HG_CONFIG_DURABILITY_H

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define HG_DURABILITY_REPLICAS_MAX 100

enum hg_durability_kind { HG_DURABILITY_MEMORY, HG_DURABILITY_REPLICAS, HG_DURABILITY_FSYNC, HG_DURABILITY__COUNT };

struct hg_durability {
    enum hg_durability_kind kind;
    unsigned replicas; /* REPLICAS; else 0 */
};

/* `reterr_why` (may be NULL): a static phrase that completes "the durability …". */
HG_RESULT hg_durability_parse(struct hg_slice text, struct hg_durability *ret_durability, const char **reterr_why);
/* Appends it as parse reads it. */
void hg_durability_put(struct hg_durability durability, struct hg_buf *into);

#endif
