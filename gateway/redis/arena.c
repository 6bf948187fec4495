#include "redis/arena.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"

#define CHUNK_BYTES_MIN (16 * 1024)
#define CHUNK_BYTES_MAX (256 * 1024) /* one that a single larger piece needs apart */
#define ALIGNMENT       _Alignof(max_align_t)

struct hg_arena_chunk {
    struct hg_arena_chunk *next;
    size_t size, used;
    _Alignas(max_align_t) char bytes[];
};

void hg_arena_init(struct hg_arena *arena, size_t max, size_t keep)
{
    HG_ASSERT(max > 0 && max <= SIZE_MAX / 4);
    *arena = (struct hg_arena){.max = max, .keep = keep};
}

static struct hg_arena_chunk *chunk_new(size_t size)
{
    struct hg_arena_chunk *chunk = malloc(sizeof(*chunk) + size);
    if (chunk) {
        chunk->next = NULL;
        chunk->size = size;
        chunk->used = 0;
    }
    return chunk;
}

/* Frees `from` and all after it. */
static void chunks_free(struct hg_arena_chunk *from)
{
    while (from) {
        struct hg_arena_chunk *next = from->next;
        free(from);
        from = next;
    }
}

void hg_arena_done(struct hg_arena *arena)
{
    chunks_free(arena->first);
    hg_arena_init(arena, arena->max, arena->keep);
}

#ifdef HG_ARENA_EMULATE

static struct hg_arena_chunk *chunk_with_room(struct hg_arena *arena, size_t len)
{
    struct hg_arena_chunk *chunk = chunk_new(len);
    if (chunk) {
        chunk->next = arena->first;
        arena->first = chunk;
    }
    return chunk;
}

void hg_arena_reset(struct hg_arena *arena)
{
    hg_arena_done(arena);
}

#else

static struct hg_arena_chunk *chunk_with_room(struct hg_arena *arena, size_t len)
{
    struct hg_arena_chunk *chunk = arena->current;
    if (chunk && chunk->size - chunk->used >= len)
        return chunk;
    /* Kept from earlier replies; one too small for this piece lies fallow until the next reset. */
    for (struct hg_arena_chunk *next = chunk ? chunk->next : arena->first; next; next = next->next) {
        if (next->size >= len) {
            arena->current = next;
            return next;
        }
        chunk = next;
    }
    size_t size = chunk ? chunk->size * 2 : CHUNK_BYTES_MIN;
    if (size > CHUNK_BYTES_MAX)
        size = CHUNK_BYTES_MAX;
    if (size < len)
        size = len;
    struct hg_arena_chunk *fresh = chunk_new(size);
    if (!fresh)
        return NULL;
    if (chunk)
        chunk->next = fresh;
    else
        arena->first = fresh;
    arena->current = fresh;
    return fresh;
}

void hg_arena_reset(struct hg_arena *arena)
{
    size_t kept = 0;
    struct hg_arena_chunk **at = &arena->first;
    while (*at) {
        if ((*at)->size > arena->keep - kept) {
            struct hg_arena_chunk *large = *at;
            *at = large->next;
            free(large);
        } else {
            kept += (*at)->size;
            (*at)->used = 0;
            at = &(*at)->next;
        }
    }
    arena->current = NULL;
    arena->used = 0;
}

#endif

hg_result hg_arena_alloc(struct hg_arena *arena, size_t len, void **ret_piece)
{
    HG_ASSERT(len > 0);
    if (len > arena->max || len > arena->max - arena->used)
        return HG_FAIL(TOO_BIG);
    size_t padded = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
#ifdef HG_ARENA_EMULATE
    padded = len; /* the very next byte is out of bounds */
#endif
    struct hg_arena_chunk *chunk = chunk_with_room(arena, padded);
    if (!chunk)
        return HG_FAIL(NOMEM);
    *ret_piece = chunk->bytes + chunk->used;
    chunk->used += padded;
    arena->used += len;
    return HG_OK;
}
