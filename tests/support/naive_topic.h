/* naive_topic.h – the rules of topics, patterns and Redis globs once more, written to be read and not to be fast, byte
 * by byte where lib/topic goes by segments. Each rule can be broken on purpose, so that a test can show that its
 * comparison would notice. */
#ifndef HGT_SUPPORT_NAIVE_TOPIC_H
#define HGT_SUPPORT_NAIVE_TOPIC_H

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/slice.h"

/* Which rule is broken. */
enum naive_flaw {
    NAIVE_SOUND,
    NAIVE_SEPARATORS_ALIKE, /* a.b = a:b */
    NAIVE_DOLLAR_SEEN,      /* wildcards match names that start with '$' */
    NAIVE_STAR_CROSSES,     /* '*' crosses separators */
    NAIVE_STAR_NOT_EMPTY,   /* '*' wants at least one byte */
    NAIVE_REST_MAY_BE_NONE, /* a.** matches a */
    NAIVE_REST_IS_ONE,      /* '**' is exactly one segment */
    NAIVE_FLAW_COUNT
};

static inline bool naive_separator(char c)
{
    return c == '.' || c == ':' || c == '/';
}

/* The rules for '*' alone: a star has a separator, an end or, as the second of the last two bytes, a star beside it. */
static inline bool naive_stars_stand_alone(struct hg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '*')
            continue;
        bool opens = i == 0 || naive_separator(text.ptr[i - 1]);
        bool closes = i + 1 == text.len || naive_separator(text.ptr[i + 1]);
        bool first_of_two = opens && i + 2 == text.len && text.ptr[i + 1] == '*';
        bool second_of_two =
            i + 1 == text.len && i >= 1 && text.ptr[i - 1] == '*' && (i == 1 || naive_separator(text.ptr[i - 2]));
        if (!(opens && closes) && !first_of_two && !second_of_two)
            return false;
    }
    return true;
}

static inline bool naive_match_from(const char *p, const char *p_end, const char *n, const char *n_end,
                                    enum naive_flaw flaw)
{
    if (p_end - p == 2 && p[0] == '*' && p[1] == '*') {
        if (flaw != NAIVE_REST_IS_ONE)
            return true;
        p++;
    }
    if (p < p_end && *p == '*') {
        const char *from = n;
        for (; n <= n_end; n++) {
            bool enough = flaw != NAIVE_STAR_NOT_EMPTY || n > from;
            if (enough && naive_match_from(p + 1, p_end, n, n_end, flaw))
                return true;
            if (n < n_end && naive_separator(*n) && flaw != NAIVE_STAR_CROSSES)
                return false;
        }
        return false;
    }
    if (flaw == NAIVE_REST_MAY_BE_NONE && n == n_end && p_end - p == 3 && p[1] == '*' && p[2] == '*')
        return true;
    if (p == p_end || n == n_end)
        return p == p_end && n == n_end;
    bool same = *p == *n || (flaw == NAIVE_SEPARATORS_ALIKE && naive_separator(*p) && naive_separator(*n));
    return same && naive_match_from(p + 1, p_end, n + 1, n_end, flaw);
}

static inline bool naive_match(struct hg_slice pattern, struct hg_slice name, enum naive_flaw flaw)
{
    if (name.ptr[0] == '$' && pattern.ptr[0] != '$' && flaw != NAIVE_DOLLAR_SEEN)
        return false;
    return naive_match_from(pattern.ptr, pattern.ptr + pattern.len, name.ptr, name.ptr + name.len, flaw);
}

/* One element of a glob other than '*', with the meaning it has in Redis: '?', a class with ranges and negation that
 * may lack its
 * ']', an escaped byte, a byte. Tells whether `c` fits and how many bytes of the glob it took. */
static inline bool naive_glob_element(struct hg_slice glob, unsigned char c, size_t *ret_len)
{
    const unsigned char *g = (const unsigned char *)glob.ptr;
    size_t at = 1;
    bool fits = false;
    switch (g[0]) {
    case '?':
        fits = true;
        break;
    case '\\':
        if (glob.len >= 2)
            at = 2;
        fits = g[at - 1] == c;
        break;
    case '[': {
        bool negated = at < glob.len && g[at] == '^';
        if (negated)
            at++;
        for (; at < glob.len && g[at] != ']'; at++) {
            if (g[at] == '\\' && at + 1 < glob.len) {
                at++;
                fits |= g[at] == c;
            } else if (at + 2 < glob.len && g[at + 1] == '-') {
                unsigned char low = g[at] < g[at + 2] ? g[at] : g[at + 2], high = g[at] < g[at + 2] ? g[at + 2] : g[at];
                fits |= c >= low && c <= high;
                at += 2;
            } else {
                fits |= g[at] == c;
            }
        }
        if (at < glob.len)
            at++;
        fits ^= negated;
        break;
    }
    default:
        fits = g[0] == c;
    }
    *ret_len = at;
    return fits;
}

/* Whether the glob of PSUBSCRIBE or SCAN MATCH matches. Follows all beginnings of the text at once instead of trying
 * one after the other, so that many stars cost nothing much. */
static inline bool naive_glob(struct hg_slice glob, struct hg_slice text)
{
    bool *here = calloc(text.len + 1, sizeof(bool)), *there = calloc(text.len + 1, sizeof(bool));
    HG_ASSERT(here && there);
    here[0] = true; /* here[i]: the glob so far matches the first i bytes */
    while (glob.len > 0) {
        size_t taken = 1;
        memset(there, 0, text.len + 1);
        if (glob.ptr[0] == '*') {
            for (size_t i = 0; i <= text.len; i++)
                there[i] = here[i] || (i > 0 && there[i - 1]);
        } else {
            naive_glob_element(glob, 0, &taken);
            for (size_t i = 0; i < text.len; i++)
                there[i + 1] = here[i] && naive_glob_element(glob, (unsigned char)text.ptr[i], &taken);
        }
        glob = hg_slice_from(glob, taken);
        bool *other = here;
        here = there;
        there = other;
    }
    bool matches = here[text.len];
    free(here);
    free(there);
    return matches;
}

/* All texts of 1 to `len_max` bytes over an alphabet. `texts` holds naive_text_count() of them; the bytes belong to it
 * too. */
struct naive_text {
    char bytes[8];
    size_t len;
};

static inline size_t naive_text_count(size_t symbols, size_t len_max)
{
    size_t sum = 0, power = 1;
    for (size_t len = 1; len <= len_max; len++)
        sum += power *= symbols;
    return sum;
}

static inline struct naive_text *naive_texts(const char *alphabet, size_t len_max, size_t *ret_count)
{
    size_t symbols = strlen(alphabet), count = naive_text_count(symbols, len_max), at = 0, power = 1;
    struct naive_text *texts = calloc(count, sizeof(*texts));
    HG_ASSERT(texts && len_max <= sizeof(texts->bytes));
    for (size_t len = 1; len <= len_max; len++) {
        power *= symbols;
        for (size_t number = 0; number < power; number++, at++) {
            size_t rest = number;
            for (size_t i = 0; i < len; i++, rest /= symbols)
                texts[at].bytes[i] = alphabet[rest % symbols];
            texts[at].len = len;
        }
    }
    HG_ASSERT(at == count);
    *ret_count = count;
    return texts;
}

static inline struct hg_slice naive_slice(const struct naive_text *text)
{
    return hg_slice(text->bytes, text->len);
}

#endif
