#include "sim/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#if defined(__SANITIZE_ADDRESS__)
#define CHUNK_SIZE 0 /* one allocation each */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHUNK_SIZE 0
#endif
#endif
#ifndef CHUNK_SIZE
#define CHUNK_SIZE 4000
#endif

struct sim_chunk {
    struct sim_chunk *next;
    size_t size;
    max_align_t bytes[];
};

void *sim_arena_get(struct sim_arena *arena, size_t size)
{
    size_t aligned = CHUNK_SIZE == 0 ? size : (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);

    if (!arena->chunks || arena->used + aligned > arena->chunks->size || CHUNK_SIZE == 0) {
        size_t room = aligned > CHUNK_SIZE ? aligned : CHUNK_SIZE;
        struct sim_chunk *chunk = malloc(sizeof *chunk + room);

        HG_ASSERT(chunk);
        chunk->next = arena->chunks;
        chunk->size = room;
        arena->chunks = chunk;
        arena->used = 0;
    }
    void *memory = (char *)arena->chunks->bytes + arena->used;
    arena->used += aligned;
    memset(memory, 0, size);
    return memory;
}

struct hg_slice sim_arena_copy(struct sim_arena *arena, struct hg_slice bytes)
{
    char *memory = sim_arena_get(arena, bytes.len + 1);

    if (bytes.len > 0)
        memcpy(memory, bytes.ptr, bytes.len);
    return hg_slice(memory, bytes.len);
}

struct hg_slice sim_arena_printf(struct sim_arena *arena, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    HG_ASSERT(len >= 0 && (size_t)len < sizeof text);
    return sim_arena_copy(arena, hg_slice(text, (size_t)len));
}

void sim_arena_clear(struct sim_arena *arena)
{
    while (arena->chunks) {
        struct sim_chunk *chunk = arena->chunks;

        arena->chunks = chunk->next;
        free(chunk);
    }
    arena->used = 0;
}

void *sim_grow(void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 8;
    items = realloc(items, *capacity * item_size);
    HG_ASSERT(items);
    return items;
}
