/* map.h – an intrusive hash table from bytes to objects, keyed with SipHash so that peers cannot steer collisions.
 * Ownership: the map owns its bucket array only; nodes live in the caller's objects, and so do the bytes of their keys,
 * which must stay unchanged while the node is in the map. Errors: NOMEM from insert when the first buckets cannot be
 * had; a later growth that fails only makes the map slower. Calls out: none. */
#ifndef HG_BASE_MAP_H
#define HG_BASE_MAP_H

#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"

struct hg_map_node {
    struct hg_map_node *next;
    uint64_t hash;
    struct hg_slice key;
};

struct hg_map {
    struct hg_map_node **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
    struct hg_hash_key hash_key;
};

void hg_map_init(struct hg_map *map, struct hg_hash_key hash_key);
/* The map must be empty. */
void hg_map_done(struct hg_map *map);
/* The node of `key`, or NULL. */
struct hg_map_node *hg_map_find(const struct hg_map *map, struct hg_slice key);
/* `key` must not be in the map yet. */
HG_RESULT hg_map_insert(struct hg_map *map, struct hg_map_node *node, struct hg_slice key);
/* `node` must be in the map. */
void hg_map_remove(struct hg_map *map, struct hg_map_node *node);
/* Any node, or NULL when empty: for tearing down. */
struct hg_map_node *hg_map_any(const struct hg_map *map);

#endif
