#include "redis/words.h"

#include <stdarg.h>
#include <stdio.h>

#define WORDS_BYTES_MAX 160

void hg_phrase_printf(struct hg_phrase *phrase, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(phrase->text, sizeof(phrase->text), format, args);
    va_end(args);
    for (char *c = phrase->text; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
}

static size_t length_before(struct hg_slice text, const char *stops)
{
    size_t len = 0;
    while (len < text.len && (text.ptr[len] == '\0' || !strchr(stops, text.ptr[len])))
        len++;
    return len;
}

static bool repeats(struct hg_slice text, const char *secret)
{
    return secret && *secret && text.len > 0 && memmem(text.ptr, text.len, secret, strlen(secret));
}

struct hg_phrase hg_server_words(struct hg_slice text, const char *secret, bool quoting)
{
    const char *withheld = "";
    if (repeats(text, secret)) {
        text.len = length_before(text, " ");
        withheld = text.len > 0 ? " (the rest is withheld: it repeats the password)" : "";
        if (repeats(text, secret))
            text.len = 0;
    } else if (!quoting) {
        text.len = length_before(text, "'`\"");
    }
    text = hg_slice_first(text, WORDS_BYTES_MAX);
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '.'))
        text.len--;
    /* "%.*s" would stop at a NUL of the peer's. */
    char line[WORDS_BYTES_MAX + 1];
    for (size_t i = 0; i < text.len; i++)
        line[i] = text.ptr[i] ? text.ptr[i] : '?';
    line[text.len] = '\0';
    struct hg_phrase words;
    hg_phrase_printf(&words, "%s%s", text.len > 0 ? line : "(no words)", withheld);
    return words;
}
