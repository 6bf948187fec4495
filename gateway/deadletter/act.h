/* act.h – `headgate deadletter show`, `replay` and `drop`: what is done with single letters, or with all of them.
 *
 * Ownership: nothing is kept. Blocks: like the box. Calls out: none. */
#ifndef HG_DEADLETTER_ACT_H
#define HG_DEADLETTER_ACT_H

#include "deadletter/box.h"
#include "deadletter/errand.h"

/* Return the exit code. */
int hg_deadletter_show(const struct hg_errand *errand, struct hg_box *box);
int hg_deadletter_replay(const struct hg_errand *errand, struct hg_box *box);
int hg_deadletter_drop(const struct hg_errand *errand, struct hg_box *box);

#endif
