/* interval.h – which of many ranges of numbers hold a number: a treap ordered by the lower ends, every node of which
 * knows the farthest upper end below it. Finding k of n ranges costs about k + log n. Ownership: nodes live in the
 * caller's objects, and must not change while they are in a tree. Calls out: visit. */
#ifndef HG_FILTER_INTERVAL_H
#define HG_FILTER_INTERVAL_H

#include "filter/value.h"

struct hg_interval_end {
    struct hg_value at; /* a number */
    bool open;          /* `at` itself does not belong to it */
    bool none;          /* no end on this side */
};

struct hg_interval {
    struct hg_interval_end low, high;
    struct hg_interval *left, *right;
    const struct hg_interval *farthest;
    uint64_t priority; /* by chance, so that nobody can make the tree a list */
};

/* `*root` is NULL for an empty tree. low, high and priority are set. */
void hg_interval_insert(struct hg_interval **root, struct hg_interval *node);
void hg_interval_remove(struct hg_interval **root, struct hg_interval *node);
bool hg_interval_holds(const struct hg_interval *interval, struct hg_value number);
void hg_interval_find(const struct hg_interval *root, struct hg_value number,
                      void (*visit)(void *context, const struct hg_interval *interval), void *context);
/* Returns how many there are. */
size_t hg_interval_validate(const struct hg_interval *root);

#endif
