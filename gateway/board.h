/* board.h – where the workers of a process tell each other how the streams stand that they follow, while somebody
 * listens to $system. Not a way that events take: a lock guards it, and it is used every system_ms at most.
 *
 * Ownership: the board owns what stands there; what is read is copied. What is not told again is dropped after its
 * time. Errors: without memory what was told does not stand there. Calls out: none. */
#ifndef HG_BOARD_H
#define HG_BOARD_H

#include "base/buf.h"
#include "base/error.h"
#include "base/time.h"
#include "core/standing.h"

struct hg_board;

HG_RESULT hg_board_new(unsigned workers, uint64_t seed, struct hg_board **ret_board);
/* Accepts NULL. */
void hg_board_free(struct hg_board *board);

/* Workers count from 0. It stands there until `until`. */
void hg_board_put(struct hg_board *board, unsigned worker, struct hg_slice topic, const struct hg_standing *standing,
                  hg_time until);
/* The next topic and what all told of it, together; from `*cursor`, which is 0 at first and moves on. False: there is
 * no further one. While others write, one may be left out or come twice. */
bool hg_board_next(struct hg_board *board, hg_time now, size_t *cursor, struct hg_buf *topic,
                   struct hg_standing *ret_standing);

/* Whether the calling thread is in the middle of one of these, with the lock: nobody else would get it any more. */
bool hg_board_is_held(struct hg_board *board);

#endif
