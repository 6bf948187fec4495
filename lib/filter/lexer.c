#include "filter/lexer.h"

#include <strings.h>

#include "base/assert.h"
#include "filter/path.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word_byte(char c, enum hg_dialect dialect)
{
    if (dialect != HG_DIALECT_SQL)
        return hg_path_is_name_byte(c);
    return hg_path_is_name_byte(c) && c != '$' && (unsigned char)c < 0x80;
}

static struct hg_token wrong(size_t at, const char *why)
{
    return (struct hg_token){.kind = HG_TOKEN_WRONG, .at = at, .end = at, .why = why};
}

static struct hg_token string(struct hg_slice source, size_t at)
{
    char quote = source.ptr[at];
    for (size_t i = at + 1; i < source.len; i++) {
        if (source.ptr[i] == '\\' && i + 1 < source.len) {
            i++;
        } else if (source.ptr[i] == quote) {
            if (i + 1 < source.len && source.ptr[i + 1] == quote) {
                i++; /* twice the quote is one of it */
                continue;
            }
            return (struct hg_token){
                .kind = HG_TOKEN_STRING, .at = at, .end = i + 1, .text = hg_slice(source.ptr + at + 1, i - at - 1)};
        }
    }
    return wrong(at,
                 quote == '\'' ? "This text has no end; a ' is missing." : "This text has no end; a \" is missing.");
}

static size_t digits(struct hg_slice source, size_t at)
{
    while (at < source.len && is_digit(source.ptr[at]))
        at++;
    return at;
}

/* A number, or a word that begins with a digit. */
static struct hg_token number(struct hg_slice source, size_t at, enum hg_dialect dialect)
{
    size_t word = at, end = digits(source, at);
    while (word < source.len && is_word_byte(source.ptr[word], dialect))
        word++;
    if (dialect != HG_DIALECT_SQL) {
        if (end + 1 < source.len && source.ptr[end] == '.' && is_digit(source.ptr[end + 1]))
            end = digits(source, end + 1);
        if (end < source.len && (source.ptr[end] == 'e' || source.ptr[end] == 'E')) {
            size_t exponent = end + 1;
            if (exponent < source.len && (source.ptr[exponent] == '-' || source.ptr[exponent] == '+'))
                exponent++;
            if (digits(source, exponent) > exponent)
                end = digits(source, exponent);
        }
    }
    bool is_number = end >= source.len || !is_word_byte(source.ptr[end], dialect);
    if (!is_number)
        end = word;
    return (struct hg_token){.kind = is_number ? HG_TOKEN_NUMBER : HG_TOKEN_WORD,
                             .at = at,
                             .end = end,
                             .text = hg_slice(source.ptr + at, end - at)};
}

static const char *objection(struct hg_slice rest)
{
    if (hg_slice_starts(rest, HG_LIT("&&")))
        return "Write AND instead of &&.";
    if (hg_slice_starts(rest, HG_LIT("||")))
        return "Write OR instead of ||.";
    if (rest.ptr[0] == '!')
        return "Write NOT (…) to negate, and != or <> for \"is not equal\".";
    if ((unsigned char)rest.ptr[0] >= 0x80)
        return "This character can only stand inside a text in quotes.";
    return "This character means nothing here; texts stand in 'quotes', odd names as data[\"odd name\"].";
}

struct hg_token hg_lexer_next(struct hg_slice source, size_t at, enum hg_dialect dialect)
{
    while (at < source.len && is_space(source.ptr[at]))
        at++;
    if (at >= source.len)
        return (struct hg_token){.kind = HG_TOKEN_END, .at = source.len, .end = source.len};
    char c = source.ptr[at];
    if (c == '\'' || c == '"')
        return string(source, at);
    if (is_digit(c))
        return number(source, at, dialect);
    if (is_word_byte(c, dialect)) {
        size_t end = at;
        while (end < source.len && is_word_byte(source.ptr[end], dialect))
            end++;
        return (struct hg_token){
            .kind = HG_TOKEN_WORD, .at = at, .end = end, .text = hg_slice(source.ptr + at, end - at)};
    }
    static const char *const symbols[] = {"!=", "<>", "<=", ">=", "<", ">", "=", "(",
                                          ")",  ",",  "+",  "-",  "*", "/", "%"};
    struct hg_slice rest = hg_slice_from(source, at);
    size_t len = 0;
    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]) && len == 0; i++)
        if (hg_slice_starts(rest, hg_slice_str(symbols[i])))
            len = strlen(symbols[i]);
    if (len == 0 &&
        ((dialect != HG_DIALECT_SQL && c == '[') || (dialect == HG_DIALECT_CANONICAL && (c == '{' || c == '}'))))
        len = 1;
    if (len == 0)
        return wrong(at, objection(rest));
    if (hg_slice_starts(rest, HG_LIT("==")))
        return wrong(at, "Write a single = to compare.");
    return (struct hg_token){.kind = HG_TOKEN_SYMBOL, .at = at, .end = at + len, .text = hg_slice_first(rest, len)};
}

bool hg_token_is(const struct hg_token *token, const char *symbol)
{
    return token->kind == HG_TOKEN_SYMBOL && hg_slice_is(token->text, symbol);
}

bool hg_token_is_word(const struct hg_token *token, const char *word)
{
    return token->kind == HG_TOKEN_WORD && token->text.len == strlen(word) &&
           strncasecmp(token->text.ptr, word, token->text.len) == 0;
}

void hg_token_decode(const struct hg_token *token, struct hg_slice source, enum hg_dialect dialect, struct hg_buf *into)
{
    HG_ASSERT(token->kind == HG_TOKEN_STRING);
    char quote = source.ptr[token->at];
    struct hg_slice text = token->text;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool pair = i + 1 < text.len &&
                    (c == quote || (c == '\\' && (dialect == HG_DIALECT_CANONICAL || text.ptr[i + 1] == quote)));
        if (pair)
            c = text.ptr[++i];
        else if (c == '\\' && i + 1 < text.len && text.ptr[i + 1] == '\\') {
            hg_buf_put_char(into, c); /* two of them stay two, and the second escapes nothing */
            i++;
        }
        hg_buf_put_char(into, c);
    }
}
