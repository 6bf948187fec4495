#include "base/hash.h"

static uint64_t rotl(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

static void sip_round(struct hg_hash *h)
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

static void compress(struct hg_hash *h, uint64_t word)
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

void hg_hash_add(struct hg_hash *hash, struct hg_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned at = (unsigned)(hash->total++ & 7);
        hash->tail |= (uint64_t)(unsigned char)bytes.ptr[i] << (8 * at);
        if (at == 7) {
            compress(hash, hash->tail);
            hash->tail = 0;
        }
    }
}

void hg_hash_add_u64(struct hg_hash *hash, uint64_t number)
{
    char bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (char)(number >> (8 * i));
    hg_hash_add(hash, hg_slice(bytes, sizeof(bytes)));
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
