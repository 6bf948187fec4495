/* arena.h – memory that lives as long as one run, or as one reply: allocate, never free one by one.
 *
 * With AddressSanitizer each allocation is a malloc of its own, so that a byte read past a slice, or kept longer than
 * the call it was borrowed for, is found. Ownership: the arena owns all. Out of memory ends the process. Calls out:
 * none. */
#ifndef HG_SIM_ARENA_H
#define HG_SIM_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct sim_chunk;

struct sim_arena {
    struct sim_chunk *chunks; /* the newest first */
    size_t used;              /* of the newest */
};

/* Zeroed memory, aligned for everything. */
void *sim_arena_get(struct sim_arena *arena, size_t size);
/* A copy, followed by a NUL that is not part of it. */
struct hg_slice sim_arena_copy(struct sim_arena *arena, struct hg_slice bytes);
struct hg_slice sim_arena_printf(struct sim_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Frees all; the arena may be used again. */
void sim_arena_clear(struct sim_arena *arena);

/* Grows a plain array of the run's own: returns items with room for one more. */
void *sim_grow(void *items, size_t count, size_t *capacity, size_t item_size);
#define SIM_PUSH(array, count, capacity)                                                                               \
    ((array) = sim_grow((array), (count), &(capacity), sizeof *(array)), &(array)[(count)++])

#endif
