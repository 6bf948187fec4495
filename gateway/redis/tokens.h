/* tokens.h – FIFO of the tokens whose replies are outstanding: a growing ring with a ceiling.
 * Ownership: the struct owns its memory; zeroed it is empty and ready. Errors: NOMEM; TOO_BIG at HG_TOKENS_MAX.
 * Calls out: none. */
#ifndef HG_REDIS_TOKENS_H
#define HG_REDIS_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define HG_TOKENS_MAX (1u << 20)

struct hg_tokens {
    uint64_t *ring;
    size_t capacity, head, count; /* capacity: 0 or a power of two */
};

void hg_tokens_done(struct hg_tokens *tokens);
HG_RESULT hg_tokens_push(struct hg_tokens *tokens, uint64_t token);
/* False when empty. */
bool hg_tokens_pop(struct hg_tokens *tokens, uint64_t *ret_token);

#endif
