#include "base/suggest.h"

#define WORD_BYTES_MAX 64

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t hg_edit_distance(struct hg_slice a, struct hg_slice b)
{
    size_t rows[3][WORD_BYTES_MAX + 1]; /* the current row of the table and the two above it, taking turns */
    a = hg_slice_first(a, WORD_BYTES_MAX);
    b = hg_slice_first(b, WORD_BYTES_MAX);
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *now = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = lower(a.ptr[i - 1]), y = lower(b.ptr[j - 1]);
            now[j] = least(above[j - 1] + (x != y), least(above[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && x == lower(b.ptr[j - 2]) && y == lower(a.ptr[i - 2]))
                now[j] = least(now[j], two_above[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

/* Whether somebody left the end off, such as the unit. */
static bool begins(struct hg_slice name, struct hg_slice word)
{
    return word.len >= 3 && word.len < name.len && hg_edit_distance(hg_slice_first(name, word.len), word) == 0;
}

const char *hg_suggest(struct hg_slice word, const char *(*name)(size_t i))
{
    const char *best = NULL, *candidate;
    size_t best_distance = 0;
    for (size_t i = 0; (candidate = name(i)); i++) {
        struct hg_slice text = hg_slice_str(candidate);
        size_t distance = hg_edit_distance(word, text);
        if (distance > 2 && begins(text, word))
            distance = 2;
        /* About a quarter of the letters may be wrong; beyond that it is another word. */
        if (distance <= 1 + text.len / 4 && distance < text.len && (!best || distance < best_distance)) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}
