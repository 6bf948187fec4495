#include "base/map.h"

#include <stdlib.h>

#include "base/assert.h"

void hg_map_init(struct hg_map *map, struct hg_hash_key hash_key)
{
    *map = (struct hg_map){.hash_key = hash_key};
}

void hg_map_done(struct hg_map *map)
{
    HG_ASSERT(map->count == 0);
    free(map->buckets);
    hg_map_init(map, map->hash_key);
}

struct hg_map_node *hg_map_find(const struct hg_map *map, struct hg_slice key)
{
    if (map->count == 0)
        return NULL;
    uint64_t hash = hg_hash_bytes(map->hash_key, key);
    struct hg_map_node *node = map->buckets[hash & (map->bucket_count - 1)];
    while (node && (node->hash != hash || !hg_slice_eq(node->key, key)))
        node = node->next;
    return node;
}

static void grow(struct hg_map *map)
{
    size_t bucket_count = map->bucket_count ? map->bucket_count * 2 : 16;
    struct hg_map_node **buckets = calloc(bucket_count, sizeof(struct hg_map_node *));
    if (!buckets)
        return;
    for (size_t i = 0; i < map->bucket_count; i++) {
        struct hg_map_node *node = map->buckets[i], *next;
        for (; node; node = next) {
            next = node->next;
            struct hg_map_node **bucket = &buckets[node->hash & (bucket_count - 1)];
            node->next = *bucket;
            *bucket = node;
        }
    }
    free(map->buckets);
    map->buckets = buckets;
    map->bucket_count = bucket_count;
}

hg_result hg_map_insert(struct hg_map *map, struct hg_map_node *node, struct hg_slice key)
{
    HG_ASSERT(!hg_map_find(map, key));
    if (map->count >= map->bucket_count)
        grow(map);
    if (!map->buckets)
        return HG_FAIL(NOMEM);
    uint64_t hash = hg_hash_bytes(map->hash_key, key);
    struct hg_map_node **bucket = &map->buckets[hash & (map->bucket_count - 1)];
    *node = (struct hg_map_node){.next = *bucket, .hash = hash, .key = key};
    *bucket = node;
    map->count++;
    return HG_OK;
}

void hg_map_remove(struct hg_map *map, struct hg_map_node *node)
{
    HG_ASSERT(map->bucket_count > 0);
    struct hg_map_node **at = &map->buckets[node->hash & (map->bucket_count - 1)];
    while (*at && *at != node)
        at = &(*at)->next;
    HG_ASSERT(*at == node);
    *at = node->next;
    *node = (struct hg_map_node){0};
    map->count--;
}

struct hg_map_node *hg_map_any(const struct hg_map *map)
{
    for (size_t i = 0; map->count > 0 && i < map->bucket_count; i++)
        if (map->buckets[i])
            return map->buckets[i];
    return NULL;
}
