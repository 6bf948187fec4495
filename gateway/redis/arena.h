/* arena.h – memory for one reply at a time: handed out piece by piece, taken back all at once.
 *
 * Units: bytes. Ownership: the arena owns all it handed out, until reset or done. In steady state nothing is allocated:
 * reset keeps up to `keep` bytes. With HG_ARENA_EMULATE each piece is a malloc of its own and reset frees it, so that a
 * sanitizer sees what reads past a piece or after the reset. Errors: NOMEM; TOO_BIG past `max` since the last reset.
 * Calls out: none. */
#ifndef HG_REDIS_ARENA_H
#define HG_REDIS_ARENA_H

#include "base/error.h"

#include <stddef.h>

struct hg_arena_chunk;

struct hg_arena {
    struct hg_arena_chunk *first, *current; /* those after `current` are unused */
    size_t used, max, keep;
};

void hg_arena_init(struct hg_arena *arena, size_t max, size_t keep);
void hg_arena_done(struct hg_arena *arena);
/* Aligned for any type; not initialised. `len` > 0. */
HG_RESULT hg_arena_alloc(struct hg_arena *arena, size_t len, void **ret_piece);
/* Everything handed out is gone. */
void hg_arena_reset(struct hg_arena *arena);

#endif
