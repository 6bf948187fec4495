/* word.h – eight bytes at a time, the first one least significant on every machine. Calls out: none. */
#ifndef HG_BASE_WORD_H
#define HG_BASE_WORD_H

#include <stdint.h>
#include <string.h>

/* Of eight bytes that need not be aligned. */
static inline uint64_t hg_word_load(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

#endif
