/* lexer.h – the words of the filter language (CloudEvents SQL v1.0, section 2, and our additions).
 * Units: bytes. Ownership: tokens are parts of the text. Calls out: none. */
#ifndef HG_FILTER_LEXER_H
#define HG_FILTER_LEXER_H

#include "base/buf.h"
#include "filter/value.h"

enum hg_dialect {
    HG_DIALECT_SQL,        /* CloudEvents SQL, strict */
    HG_DIALECT_EXPRESSION, /* what a subscription says */
    HG_DIALECT_CANONICAL,  /* what normal.h writes: that, and SQL{…}, and \ in front of any byte of a text */
};

enum hg_token_kind {
    HG_TOKEN_END,
    HG_TOKEN_WORD,   /* keyword, name or function */
    HG_TOKEN_NUMBER, /* without sign */
    HG_TOKEN_STRING, /* text: the inside, not decoded */
    HG_TOKEN_SYMBOL, /* text: ( ) , [ { } + - * / % = != <> < <= > >= */
    HG_TOKEN_WRONG,  /* nothing can begin here; `why` tells */
};

struct hg_token {
    enum hg_token_kind kind;
    size_t at, end;
    struct hg_slice text;
    const char *why; /* a sentence, static */
};

/* The token at or behind `at`. */
struct hg_token hg_lexer_next(struct hg_slice source, size_t at, enum hg_dialect dialect);

bool hg_token_is(const struct hg_token *token, const char *symbol);
/* A word, in any case. */
bool hg_token_is_word(const struct hg_token *token, const char *word);

/* Appends what a STRING token stands for. */
void hg_token_decode(const struct hg_token *token, struct hg_slice source, enum hg_dialect dialect,
                     struct hg_buf *into);

#endif
