#include "tally.h"

#include <stdlib.h>

#include "base/assert.h"

/* What is there now, as opposed to what has happened so far. */
#define NOW(X)                                                                                                         \
    X(sessions)                                                                                                        \
    X(system_subscribers)                                                                                              \
    X(subscriptions)                                                                                                   \
    X(groups)                                                                                                          \
    X(topics)                                                                                                          \
    X(frames_alive)                                                                                                    \
    X(log_bytes)                                                                                                       \
    X(history_bytes)                                                                                                   \
    X(emits_pending)                                                                                                   \
    X(emits_bytes)                                                                                                     \
    X(bytes_held)

struct counts {
#define X(name, text) atomic_uint_least64_t name;
    HG_CORE_STATS(X)
#undef X
};

/* On cache lines of its own: it is written at each turn. */
struct slot {
    _Alignas(128) struct counts counts;
    atomic_size_t seats;
};

struct hg_tally {
    unsigned workers;
    _Alignas(128) atomic_size_t seats;
    struct counts gone; /* of workers that are buried */
    struct slot slots[];
};

hg_result hg_tally_new(unsigned workers, struct hg_tally **ret_tally)
{
    size_t size = sizeof(struct hg_tally) + workers * sizeof(struct slot);
    struct hg_tally *tally = aligned_alloc(_Alignof(struct hg_tally), size);
    if (!tally)
        return HG_FAIL(NOMEM);
    memset(tally, 0, size);
    tally->workers = workers;
    *ret_tally = tally;
    return HG_OK;
}

void hg_tally_free(struct hg_tally *tally)
{
    free(tally);
}

static struct slot *slot_of(struct hg_tally *tally, unsigned worker)
{
    HG_ASSERT(worker < tally->workers);
    return &tally->slots[worker];
}

void hg_tally_publish(struct hg_tally *tally, unsigned worker, const struct hg_core_stats *stats)
{
    struct counts *counts = &slot_of(tally, worker)->counts;
#define X(name, text) atomic_store_explicit(&counts->name, stats->name, memory_order_relaxed);
    HG_CORE_STATS(X)
#undef X
}

static void add(struct counts *counts, struct hg_core_stats *stats)
{
#define X(name, text) stats->name += atomic_load_explicit(&counts->name, memory_order_relaxed);
    HG_CORE_STATS(X)
#undef X
}

void hg_tally_add_others(struct hg_tally *tally, unsigned worker, struct hg_core_stats *stats)
{
    add(&tally->gone, stats);
    for (unsigned i = 0; i < tally->workers; i++)
        if (i != worker)
            add(&tally->slots[i].counts, stats);
}

bool hg_tally_take_seat(struct hg_tally *tally, unsigned worker, uint64_t seats_max)
{
    if (atomic_fetch_add(&tally->seats, 1) >= seats_max) {
        atomic_fetch_sub(&tally->seats, 1);
        return false;
    }
    atomic_fetch_add_explicit(&slot_of(tally, worker)->seats, 1, memory_order_relaxed);
    return true;
}

void hg_tally_give_seat(struct hg_tally *tally, unsigned worker)
{
    atomic_fetch_sub_explicit(&slot_of(tally, worker)->seats, 1, memory_order_relaxed);
    atomic_fetch_sub(&tally->seats, 1);
}

void hg_tally_bury(struct hg_tally *tally, unsigned worker)
{
    struct slot *slot = slot_of(tally, worker);
    struct hg_core_stats all = {0}, none = {0};
    add(&slot->counts, &all);
#define X(name) all.name = 0;
    NOW(X)
#undef X
    add(&tally->gone, &all);
    /* For a moment what happened counts on neither side; nothing is counted twice. */
    hg_tally_publish(tally, worker, &none);
#define X(name, text) atomic_store_explicit(&tally->gone.name, all.name, memory_order_relaxed);
    HG_CORE_STATS(X)
#undef X
    atomic_fetch_sub(&tally->seats, atomic_exchange(&slot->seats, 0));
}
