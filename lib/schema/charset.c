#include "schema/charset.h"

#include <stdlib.h>

#include "base/assert.h"
#include "schema/category.h"

void hg_charset_done(struct hg_charset *set)
{
    free(set->ranges);
    *set = (struct hg_charset){.ranges = NULL};
}

hg_result hg_charset_add(struct hg_charset *set, uint32_t first, uint32_t last)
{
    HG_ASSERT(first <= last && last <= HG_CHAR_MAX);
    if (set->count == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 8;
        struct hg_range *ranges = realloc(set->ranges, capacity * sizeof(*ranges));
        if (!ranges)
            return HG_FAIL(NOMEM);
        set->ranges = ranges;
        set->capacity = capacity;
    }
    set->ranges[set->count++] = (struct hg_range){first, last};
    return HG_OK;
}

/* clang-format off */
static const struct hg_range digits[] = {{'0', '9'}};
static const struct hg_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct hg_range spaces[] = {{'\t', '\r'}, {' ', ' '}, {0xa0, 0xa0}, {0x1680, 0x1680}, {0x2000, 0x200a},
    {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
static const struct hg_range line_ends[] = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
/* clang-format on */

/* The ranges, or what lies between them. */
static hg_result add_ranges(struct hg_charset *set, const struct hg_range *ranges, size_t count, bool others)
{
    uint32_t from = 0;
    for (size_t i = 0; i < count; i++) {
        if (!others)
            HG_TRY(hg_charset_add(set, ranges[i].first, ranges[i].last));
        else if (ranges[i].first > from)
            HG_TRY(hg_charset_add(set, from, ranges[i].first - 1));
        from = ranges[i].last + 1;
    }
    return others && from <= HG_CHAR_MAX ? hg_charset_add(set, from, HG_CHAR_MAX) : HG_OK;
}

#define ADD(ranges, others) add_ranges(set, ranges, sizeof(ranges) / sizeof(ranges[0]), others)

hg_result hg_charset_add_named(struct hg_charset *set, char name)
{
    switch (name) {
    case 'd':
    case 'D':
        return ADD(digits, name == 'D');
    case 'w':
    case 'W':
        return ADD(words, name == 'W');
    case 's':
    case 'S':
        return ADD(spaces, name == 'S');
    default:
        HG_ASSERT(name == '.');
        return ADD(line_ends, true);
    }
}

hg_result hg_charset_add_categories(struct hg_charset *set, uint32_t categories, bool others)
{
    uint32_t first, last, category;
    for (uint32_t i = 0; hg_category_run(i, &first, &last, &category); i++)
        if ((categories >> category & 1) != others)
            HG_TRY(hg_charset_add(set, first, last));
    return HG_OK;
}

static int by_first(const void *a, const void *b)
{
    const struct hg_range *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void join_touching(struct hg_charset *set)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < set->count; i++) {
        struct hg_range range = set->ranges[i];
        if (kept > 0 && range.first <= set->ranges[kept - 1].last + 1) {
            if (range.last > set->ranges[kept - 1].last)
                set->ranges[kept - 1].last = range.last;
        } else {
            set->ranges[kept++] = range;
        }
    }
    set->count = kept;
}

hg_result hg_charset_close(struct hg_charset *set, bool negated)
{
    if (set->count > 1)
        qsort(set->ranges, set->count, sizeof(*set->ranges), by_first);
    join_touching(set);
    if (negated) {
        struct hg_charset others = {.ranges = NULL};
        hg_result r = add_ranges(&others, set->ranges, set->count, true);
        if (!hg_ok(r)) {
            hg_charset_done(&others);
            return r;
        }
        hg_charset_done(set);
        *set = others;
    }
    for (uint32_t i = 0; i < set->count; i++)
        for (uint32_t c = set->ranges[i].first; c <= set->ranges[i].last && c < 128; c++)
            set->ascii[c >> 6] |= 1ull << (c & 63);
    return HG_OK;
}

bool hg_charset_has_far(const struct hg_charset *set, uint32_t c)
{
    uint32_t from = 0, end = set->count;
    while (from < end) {
        uint32_t middle = from + (end - from) / 2;
        if (c > set->ranges[middle].last)
            from = middle + 1;
        else if (c < set->ranges[middle].first)
            end = middle;
        else
            return true;
    }
    return false;
}
