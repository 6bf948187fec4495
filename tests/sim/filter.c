#include "sim/filter.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

#define FILTER(name, condition)                                                                                        \
    static bool name(const struct sim_facts *f, const char *topic)                                                     \
    {                                                                                                                  \
        (void)f;                                                                                                       \
        (void)topic;                                                                                                   \
        return (condition);                                                                                            \
    }

static bool kind_is(const struct sim_facts *f, const char *kind)
{
    return f->has_kind && strcmp(f->kind, kind) == 0;
}

static bool kind_begins(const struct sim_facts *f, char c)
{
    return f->has_kind && f->kind[0] == c;
}

static bool kind_ends(const struct sim_facts *f, char c)
{
    return f->has_kind && f->kind[0] && f->kind[strlen(f->kind) - 1] == c;
}

FILTER(n_is_3, f->has_n && f->n == 3)
FILTER(kind_is_ab, kind_is(f, "ab"))
FILTER(kind_in, kind_is(f, "a") || kind_is(f, "b"))
FILTER(n_between, f->has_n && f->n > 2 && f->n <= 6)
FILTER(kind_like_a, kind_begins(f, 'a'))
FILTER(exists_k, f->has_k)
FILTER(k_or_n, (f->has_k && f->k == 1) || (f->has_n && f->n < 3))
FILTER(not_kind_a, !kind_is(f, "a"))
FILTER(topic_is_st_a, strcmp(topic, "st.a") == 0)
FILTER(topic_like_ch, strncmp(topic, "ch.", 3) == 0)
FILTER(all_of, kind_ends(f, 'b') && f->has_n && f->n > 1)
FILTER(almost_all, f->has_n && f->n >= 0)
FILTER(nothing, f->has_n && f->n == 99)
FILTER(k_in, f->has_n && f->has_k && (f->k == 0 || f->k == 2))
FILTER(not_prefix, !kind_begins(f, 'a'))
FILTER(mixed, f->has_n && (f->n == 1 || f->n == 2) && kind_begins(f, 'a'))
FILTER(odd_name, kind_is(f, "c d") || (f->has_n && f->n > 7))
FILTER(sql_n, f->has_n && f->n > 4)

const struct sim_filter sim_filters[] = {
    {{"\"n = 3\"", "\"n=3\"", "\"  ( n = 3 ) \""}, n_is_3},
    {{"\"kind = 'ab'\"", "{\"exact\":{\"kind\":\"ab\"}}", "\"kind=\\\"ab\\\"\"", "{\"sql\":\"kind = 'ab'\"}"},
     kind_is_ab},
    {{"\"kind IN ('a', 'b')\"", "\"kind in ('b','a')\"", "\"kind IN ('a','b','a')\""}, kind_in},
    {{"\"n > 2 AND n <= 6\"", "\"n<=6 and n>2\"", "\"(n > 2) AND (n <= 6)\""}, n_between},
    {{"\"kind LIKE 'a%'\"", "{\"prefix\":{\"kind\":\"a\"}}", "{\"all\":[{\"prefix\":{\"kind\":\"a\"}}]}"}, kind_like_a},
    {{"\"EXISTS data.k\"", "\"exists data.k\"", "\"EXISTS data[\\\"k\\\"]\""}, exists_k},
    {{"\"data.k = 1 OR n < 3\"", "\"n < 3 or data.k = 1\""}, k_or_n},
    {{"\"NOT (kind = 'a')\"", "{\"not\":{\"exact\":{\"kind\":\"a\"}}}", "\"not(kind='a')\""}, not_kind_a},
    {{"\"topic = 'st.a'\"", "{\"exact\":{\"topic\":\"st.a\"}}"}, topic_is_st_a},
    {{"\"topic LIKE 'ch.%'\"", "{\"prefix\":{\"topic\":\"ch.\"}}"}, topic_like_ch},
    {{"{\"all\":[{\"suffix\":{\"kind\":\"b\"}},{\"sql\":\"n > 1\"}]}",
      "{\"all\":[{\"sql\":\"n > 1\"},{\"suffix\":{\"kind\":\"b\"}}]}"},
     all_of},
    {{"\"n >= 0\"", "\"n>=0\""}, almost_all},
    {{"\"n = 99\"", "\"(n = 99)\""}, nothing},
    {{"\"data.k IN (0, 2) AND EXISTS n\"", "\"EXISTS n AND data.k IN (2,0)\""}, k_in},
    {{"{\"not\":{\"prefix\":{\"kind\":\"a\"}}}"}, not_prefix},
    {{"\"(n = 1 OR n = 2) AND kind LIKE 'a%'\"", "\"n = 1 OR n = 2 AND kind LIKE 'a%'\""}, mixed},
    {{"\"kind = 'c d' OR n > 7\"", "\"n > 7 OR kind = \\\"c d\\\"\""}, odd_name},
    {{"{\"sql\":\"n > 4\"}"}, sql_n},
};
const size_t sim_filter_count = sizeof sim_filters / sizeof sim_filters[0];

const char *const sim_bad_filters[] = {
    "\"n >\"",
    "\"kind = 'a\"",
    "\"n = 1 AND\"",
    "{\"exact\":{}}",
    "{\"nope\":{\"n\":\"1\"}}",
    "\"FOO(n) = 1\"",
    "\"\"",
    "7",
    "[]",
    "\"n LIKE kind\"",
    "{\"sql\":\"n =\"}",
    "{\"all\":[\"n = 1\"]}",
    "{}",
    "\"n = 1)\"",
};
const size_t sim_bad_filter_count = sizeof sim_bad_filters / sizeof sim_bad_filters[0];

bool sim_filter_passes(const struct sim_filter *filter, const struct sim_facts *facts, const char *topic)
{
    return !filter || filter->passes(facts, topic);
}

const char *sim_filter_spelling(const struct sim_filter *filter, size_t chance)
{
    size_t count = 0;

    while (count < 4 && filter->spellings[count])
        count++;
    return filter->spellings[chance % count];
}

static const char *const kinds[] = {"a", "b", "ab", "abc", "cab", "c d"};
#define KINDS (sizeof kinds / sizeof kinds[0])

struct sim_facts sim_facts_make(size_t chance)
{
    struct sim_facts facts = {0};

    facts.has_n = chance % 8 != 0;
    facts.n = facts.has_n ? (int)(chance / 8 % 10) : 0;
    chance /= 80;
    facts.has_kind = chance % 8 != 0;
    facts.kind = facts.has_kind ? kinds[chance / 8 % KINDS] : NULL;
    chance /= 8 * KINDS;
    facts.has_k = chance % 4 != 0;
    facts.k = facts.has_k ? (int)(chance / 4 % 3) : 0;
    return facts;
}

void sim_facts_put(const struct sim_facts *facts, char *into, size_t size)
{
    size_t len = 0;

    into[0] = '\0';
    if (facts->has_n)
        len += (size_t)snprintf(into + len, size - len, "\"n\":%d,", facts->n);
    if (facts->has_kind)
        len += (size_t)snprintf(into + len, size - len, "\"kind\":\"%s\",", facts->kind);
    if (facts->has_k)
        len += (size_t)snprintf(into + len, size - len, "\"data\":{\"k\":%d},", facts->k);
    HG_ASSERT(len < size);
}

struct sim_facts sim_facts_read(struct hg_slice event)
{
    struct sim_facts facts = {0};
    json_t *json = json_loadb(event.ptr, event.len, JSON_DECODE_ANY, NULL);
    const json_t *n = json_object_get(json, "n"), *kind = json_object_get(json, "kind");
    const json_t *k = json_object_get(json_object_get(json, "data"), "k");

    facts.has_n = json_is_integer(n);
    facts.n = (int)json_integer_value(n);
    facts.has_k = json_is_integer(k);
    facts.k = (int)json_integer_value(k);
    for (size_t i = 0; json_is_string(kind) && i < KINDS; i++)
        if (strcmp(kinds[i], json_string_value(kind)) == 0) {
            facts.has_kind = true;
            facts.kind = kinds[i];
        }
    json_decref(json);
    return facts;
}
