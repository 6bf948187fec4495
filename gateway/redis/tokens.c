#include "redis/tokens.h"

#include <stdlib.h>

void hg_tokens_done(struct hg_tokens *tokens)
{
    free(tokens->ring);
    *tokens = (struct hg_tokens){0};
}

hg_result hg_tokens_push(struct hg_tokens *tokens, uint64_t token)
{
    if (tokens->count == HG_TOKENS_MAX)
        return HG_FAIL(TOO_BIG);
    if (tokens->count == tokens->capacity) {
        size_t capacity = tokens->capacity > 0 ? tokens->capacity * 2 : 16;
        uint64_t *ring = malloc(capacity * sizeof(*ring));
        if (!ring)
            return HG_FAIL(NOMEM);
        for (size_t i = 0; i < tokens->count; i++)
            ring[i] = tokens->ring[(tokens->head + i) & (tokens->capacity - 1)];
        free(tokens->ring);
        tokens->ring = ring;
        tokens->capacity = capacity;
        tokens->head = 0;
    }
    tokens->ring[(tokens->head + tokens->count++) & (tokens->capacity - 1)] = token;
    return HG_OK;
}

bool hg_tokens_pop(struct hg_tokens *tokens, uint64_t *ret_token)
{
    if (tokens->count == 0)
        return false;
    *ret_token = tokens->ring[tokens->head];
    tokens->head = (tokens->head + 1) & (tokens->capacity - 1);
    tokens->count--;
    return true;
}
