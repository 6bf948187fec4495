#include "sim/topics.h"

const struct sim_topic sim_topics[] = {
    {"st.a", SIM_TOPIC_STREAM, 0, false},   {"st.b", SIM_TOPIC_STREAM, 0, true},
    {"st.a.x", SIM_TOPIC_STREAM, 0, false}, {"st.bad", SIM_TOPIC_WRONG, 0, false},
    {"no.a", SIM_TOPIC_STREAM, 1, false},   {"ch.a", SIM_TOPIC_CHANNEL, 2, false},
    {"ch.b", SIM_TOPIC_CHANNEL, 2, false},  {"ch.a:x", SIM_TOPIC_CHANNEL, 2, false},
    {"au.s", SIM_TOPIC_STREAM, 3, true},    {"au.c", SIM_TOPIC_CHANNEL, 3, false},
    {"zz", SIM_TOPIC_NONE, 4, false},
};
const size_t sim_topic_count = sizeof sim_topics / sizeof sim_topics[0];

/* The first ones are asked for more often (client.c). */
const char *const sim_patterns[] = {
    "st.a",   "ch.a",   "st.b",   "ch.b", "st.a.x", "no.a",  "ch.a:x", "au.s",    "au.c",
    "zz",     "st.bad", "st.*",   "ch.*", "st.**",  "ch.**", "*.a",    "au.*",    "**",
    "st.*.x", "no.*",   "ch.*:*", "*",    "st.a*",  "**.a",  "",       "$system", "ch.a.b.c.none",
};
const size_t sim_pattern_count = sizeof sim_patterns / sizeof sim_patterns[0];

int sim_topic_find(struct hg_slice name)
{
    for (size_t i = 0; i < sim_topic_count; i++)
        if (hg_slice_is(name, sim_topics[i].name))
            return (int)i;
    return -1;
}

static const char separators[] = ".:/";

bool sim_pattern_is_valid(const char *pattern)
{
    size_t len = strlen(pattern);

    if (len == 0)
        return false;
    for (size_t i = 0; i < len;) {
        size_t n = strcspn(pattern + i, separators);

        if (memchr(pattern + i, '*', n) &&
            !(n == 1 || (n == 2 && pattern[i] == '*' && pattern[i + 1] == '*' && i + n == len)))
            return false;
        i += n + 1;
    }
    return true;
}

bool sim_pattern_matches(const char *pattern, const char *name)
{
    if (!sim_pattern_is_valid(pattern) || (name[0] == '$' && pattern[0] != '$'))
        return false;
    for (;;) {
        size_t p = strcspn(pattern, separators), n = strcspn(name, separators);

        if (p == 2 && pattern[0] == '*' && pattern[1] == '*')
            return true;
        if (!(p == 1 && pattern[0] == '*') && (p != n || memcmp(pattern, name, n) != 0))
            return false;
        if (pattern[p] == '\0' || name[n] == '\0')
            return pattern[p] == name[n];
        if (pattern[p] != name[n])
            return false;
        pattern += p + 1;
        name += n + 1;
    }
}
