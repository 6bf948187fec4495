/* list.h – `headgate deadletter list`: which streams of dead letters there are, and which letters are in one.
 *
 * Ownership: nothing is kept. Blocks: like the box. Calls out: none. */
#ifndef HG_DEADLETTER_LIST_H
#define HG_DEADLETTER_LIST_H

#include "deadletter/box.h"
#include "deadletter/errand.h"

/* Returns the exit code. */
int hg_deadletter_list(const struct hg_errand *errand, struct hg_box *box);

#endif
