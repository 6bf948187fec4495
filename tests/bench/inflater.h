/* inflater.h – what compressed messages hold (RFC 7692), when each stands by itself.
 *
 * All clients are sent the same bytes, so what was inflated once is kept: the same bytes again cost a comparison.
 * Ownership: what is returned is valid until the next call. Errors: a NULL slice for what cannot be inflated; running
 * out of memory ends the program. Calls out: none. */
#ifndef HGT_BENCH_INFLATER_H
#define HGT_BENCH_INFLATER_H

#include "base/slice.h"

struct hgt_inflater;

/* `message_max`: a larger message is an error. */
struct hgt_inflater *hgt_inflater_new(size_t message_max);
void hgt_inflater_free(struct hgt_inflater *inflater);
struct hg_slice hgt_inflater_take(struct hgt_inflater *inflater, struct hg_slice deflated);

#endif
