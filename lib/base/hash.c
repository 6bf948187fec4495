#include "base/hash.h"

#include "base/word.h"

static inline uint64_t rotl(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

static inline void sip_round(struct hg_hash *h)
{
    h->v0 += h->v1;
    h->v1 = rotl(h->v1, 13) ^ h->v0;
    h->v0 = rotl(h->v0, 32);
    h->v2 += h->v3;
    h->v3 = rotl(h->v3, 16) ^ h->v2;
    h->v0 += h->v3;
    h->v3 = rotl(h->v3, 21) ^ h->v0;
    h->v2 += h->v1;
    h->v1 = rotl(h->v1, 17) ^ h->v2;
    h->v2 = rotl(h->v2, 32);
}

static inline void compress(struct hg_hash *h, uint64_t word)
{
    h->v3 ^= word;
    sip_round(h);
    sip_round(h);
    h->v0 ^= word;
}

void hg_hash_init(struct hg_hash *hash, struct hg_hash_key key)
{
    *hash = (struct hg_hash){
        .v0 = key.k0 ^ 0x736f6d6570736575u,
        .v1 = key.k1 ^ 0x646f72616e646f6du,
        .v2 = key.k0 ^ 0x6c7967656e657261u,
        .v3 = key.k1 ^ 0x7465646279746573u,
    };
}

/* Adds `count` bytes, 8 at most, the first least significant; those above them must be 0. */
static inline void add_word(struct hg_hash *h, uint64_t word, size_t count)
{
    unsigned at = (unsigned)(h->total & 7);
    h->total += count;
    h->tail |= word << (8 * at);
    if (at + count >= 8) {
        compress(h, h->tail);
        h->tail = at > 0 ? word >> (64 - 8 * at) : 0;
    }
}

void hg_hash_add(struct hg_hash *hash, struct hg_slice bytes)
{
    struct hg_hash h = *hash; /* so that it can stay in registers */
    size_t at = 0;
    for (; bytes.len - at >= 8; at += 8)
        add_word(&h, hg_word_load(bytes.ptr + at), 8);
    for (; at < bytes.len; at++)
        add_word(&h, (unsigned char)bytes.ptr[at], 1);
    *hash = h;
}

void hg_hash_add_u64(struct hg_hash *hash, uint64_t number)
{
    add_word(hash, number, 8);
}

uint64_t hg_hash_value(const struct hg_hash *hash)
{
    struct hg_hash h = *hash;
    compress(&h, h.tail | (h.total & 0xff) << 56);
    h.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&h);
    return h.v0 ^ h.v1 ^ h.v2 ^ h.v3;
}

uint64_t hg_hash_bytes(struct hg_hash_key key, struct hg_slice bytes)
{
    struct hg_hash hash;
    hg_hash_init(&hash, key);
    hg_hash_add(&hash, bytes);
    return hg_hash_value(&hash);
}
