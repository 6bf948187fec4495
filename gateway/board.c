#include "board.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/map.h"
#include "base/prng.h"

struct part {
    struct hg_standing standing;
    hg_time until; /* in the past: there is none */
};

struct entry {
    struct hg_map_node by_topic;
    size_t index;
    struct part *parts; /* one a worker */
    char topic[];
};

struct hg_board {
    pthread_mutex_t lock;
    unsigned workers;
    struct hg_map by_topic;
    struct entry **entries; /* in no order */
    size_t count, capacity;
};

hg_result hg_board_new(unsigned workers, uint64_t seed, struct hg_board **ret_board)
{
    struct hg_board *board = calloc(1, sizeof(*board));
    if (!board)
        return HG_FAIL(NOMEM);
    struct hg_prng prng;
    hg_prng_init(&prng, seed);
    hg_map_init(&board->by_topic, (struct hg_hash_key){hg_prng_next(&prng), hg_prng_next(&prng)});
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&board->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    board->workers = workers;
    *ret_board = board;
    return HG_OK;
}

static void take_down(struct hg_board *board, struct entry *entry)
{
    hg_map_remove(&board->by_topic, &entry->by_topic);
    board->entries[entry->index] = board->entries[--board->count];
    board->entries[entry->index]->index = entry->index;
    free(entry->parts);
    free(entry);
}

void hg_board_free(struct hg_board *board)
{
    if (!board)
        return;
    while (board->count > 0)
        take_down(board, board->entries[0]);
    hg_map_done(&board->by_topic);
    pthread_mutex_destroy(&board->lock);
    free(board->entries);
    free(board);
}

static bool make_room(struct hg_board *board)
{
    if (board->count < board->capacity)
        return true;
    size_t capacity = board->capacity > 0 ? 2 * board->capacity : 64;
    struct entry **entries = realloc(board->entries, capacity * sizeof(struct entry *));
    if (!entries)
        return false;
    board->entries = entries;
    board->capacity = capacity;
    return true;
}

/* NULL: no memory. */
static struct entry *put_up(struct hg_board *board, struct hg_slice topic)
{
    if (!make_room(board))
        return NULL;
    struct entry *entry = calloc(1, sizeof(*entry) + topic.len);
    struct part *parts = calloc(board->workers, sizeof(*parts));
    if (entry && parts) {
        memcpy(entry->topic, topic.ptr, topic.len);
        entry->parts = parts;
        entry->index = board->count;
        if (hg_ok(hg_map_insert(&board->by_topic, &entry->by_topic, hg_slice(entry->topic, topic.len)))) {
            board->entries[board->count++] = entry;
            return entry;
        }
    }
    free(entry);
    free(parts);
    return NULL;
}

void hg_board_put(struct hg_board *board, unsigned worker, struct hg_slice topic, const struct hg_standing *standing,
                  hg_time until)
{
    HG_ASSERT(worker < board->workers && topic.len > 0);
    pthread_mutex_lock(&board->lock);
    struct hg_map_node *node = hg_map_find(&board->by_topic, topic);
    struct entry *entry = node ? HG_CONTAINER(node, struct entry, by_topic) : put_up(board, topic);
    if (entry)
        entry->parts[worker] = (struct part){*standing, until};
    pthread_mutex_unlock(&board->lock);
}

/* False: nothing of it is of now. */
static bool sum_up(const struct hg_board *board, const struct entry *entry, hg_time now, struct hg_standing *ret_sum)
{
    bool any = false;
    for (unsigned i = 0; i < board->workers; i++) {
        const struct part *part = &entry->parts[i];
        if (hg_time_reached(part->until, now))
            continue;
        if (any)
            hg_standing_merge(ret_sum, &part->standing);
        else
            *ret_sum = part->standing;
        any = true;
    }
    return any;
}

bool hg_board_next(struct hg_board *board, hg_time now, size_t *cursor, struct hg_buf *topic,
                   struct hg_standing *ret_standing)
{
    bool found = false;
    pthread_mutex_lock(&board->lock);
    while (!found && *cursor < board->count) {
        struct entry *entry = board->entries[*cursor];
        found = sum_up(board, entry, now, ret_standing);
        if (!found) {
            take_down(board, entry); /* another has its place now */
            continue;
        }
        hg_buf_clear(topic);
        hg_buf_put(topic, entry->by_topic.key);
        ++*cursor;
    }
    pthread_mutex_unlock(&board->lock);
    return found;
}

bool hg_board_is_held(struct hg_board *board)
{
    int error = pthread_mutex_lock(&board->lock);
    if (error == 0)
        pthread_mutex_unlock(&board->lock);
    return error == EDEADLK;
}
