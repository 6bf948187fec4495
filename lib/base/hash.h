/* hash.h – SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed 64-bit hash that peers cannot steer into collisions.
 * Incremental use gives the same value as one call over the joined bytes. Calls out: none. */
#ifndef HG_BASE_HASH_H
#define HG_BASE_HASH_H

#include <stdint.h>

#include "base/slice.h"

struct hg_hash_key {
    uint64_t k0, k1;
};

struct hg_hash {
    uint64_t v0, v1, v2, v3, tail;
    uint64_t total; /* bytes so far */
};

void hg_hash_init(struct hg_hash *hash, struct hg_hash_key key);
void hg_hash_add(struct hg_hash *hash, struct hg_slice bytes);
/* Adds the eight bytes of `number`, least significant first. */
void hg_hash_add_u64(struct hg_hash *hash, uint64_t number);
uint64_t hg_hash_value(const struct hg_hash *hash);

uint64_t hg_hash_bytes(struct hg_hash_key key, struct hg_slice bytes);

#endif
