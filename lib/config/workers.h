/* workers.h – how many workers a gateway has, as configuration writes it ("auto" or a number of 1 to 64), and what each
 * of them may use. Ownership: nothing is kept. Errors: SYNTAX with a phrase; as config.h has them. Calls out: none. */
#ifndef HG_CONFIG_WORKERS_H
#define HG_CONFIG_WORKERS_H

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "config/config.h"

#define HG_WORKERS_MAX 64

/* `*ret_workers` 0: auto, one for each core that the process may use. `reterr_why` (may be NULL): a static phrase that
 * completes "the number of workers …". */
HG_RESULT hg_workers_parse(struct hg_slice text, unsigned *ret_workers, const char **reterr_why);

/* The settings of one of so many workers: those that bound the whole process are divided by them. All that is no number
 * is borrowed from `whole`, so the share is not to be freed. */
void hg_workers_share(const struct hg_config *whole, unsigned workers, struct hg_config *ret_share);
/* Whether the shares are large enough; messages as hg_config_check() has them. */
HG_RESULT hg_workers_check(const struct hg_config *whole, unsigned workers, struct hg_buf *reterr);

#endif
