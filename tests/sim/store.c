#include "sim/store.h"

#include <stdlib.h>

#include "base/assert.h"
#include "stream/cursor.h"

void sim_store_init(struct sim_store *store, struct sim_env *env)
{
    *store = (struct sim_store){.env = env, .wall_ms = 1700000000000 + sim_below(env, 1000)};

    for (size_t i = 0; i < sim_topic_count; i++) {
        const struct sim_topic *topic = &sim_topics[i];

        if (topic->rule < 0 || (size_t)topic->rule >= env->options.config.rule_count ||
            env->options.rules[topic->rule].source == HG_SOURCE_CHANNEL)
            continue;
        struct sim_key *key = &store->keys[store->key_count++];
        key->name = sim_store_expand(env, env->options.rules[topic->rule].key, topic->name);
        key->topic = (int)i;
        key->type = topic->kind == SIM_TOPIC_WRONG ? SIM_KEY_STRING : SIM_KEY_NONE;
    }
}

void sim_store_done(struct sim_store *store)
{
    for (size_t i = 0; i < store->key_count; i++)
        free(store->keys[i].entries);
    free(store->remembered);
}

struct hg_slice sim_store_expand(struct sim_env *env, const char *tmpl, const char *topic)
{
    const char *hole = strstr(tmpl, "{topic}");

    if (!hole)
        return sim_arena_copy(&env->arena, hg_slice_str(tmpl));
    return sim_arena_printf(&env->arena, "%.*s%s%s", (int)(hole - tmpl), tmpl, topic, hole + 7);
}

struct sim_key *sim_store_find(struct sim_store *store, struct hg_slice name)
{
    for (size_t i = 0; i < store->key_count; i++)
        if (hg_slice_eq(store->keys[i].name, name))
            return &store->keys[i];
    return NULL;
}

struct sim_key *sim_store_key(struct sim_store *store, int topic)
{
    for (size_t i = 0; i < store->key_count; i++)
        if (store->keys[i].topic == topic)
            return &store->keys[i];
    return NULL;
}

struct sim_entry *sim_store_append(struct sim_store *store, struct sim_key *key, struct sim_entry entry)
{
    struct sim_env *env = store->env;

    HG_ASSERT(key->type != SIM_KEY_STRING);
    key->type = SIM_KEY_STREAM;
    entry.id = (hg_stream_id){store->wall_ms + env->now.us / 1000, 0};
    if (key->count > 0) {
        hg_stream_id last = key->entries[key->count - 1].id;
        if (entry.id.ms <= last.ms)
            entry.id = (hg_stream_id){last.ms, last.seq + 1};
    }
    entry.at = env->now;
    entry.fingerprint = hg_fingerprint(entry.fields, entry.field_count);
    *SIM_PUSH(key->entries, key->count, key->capacity) = entry;
    return &key->entries[key->count - 1];
}

void sim_store_trim(struct sim_store *store, struct sim_key *key, size_t keep)
{
    if (key->count - key->first > keep) {
        key->first = key->count - keep;
        SIM_TRACE(store->env, "redis: %.*s trimmed before entry %zu", HG_SLICE_ARG(key->name), key->first);
    }
}

size_t sim_store_lower(const struct sim_key *key, hg_stream_id id)
{
    size_t low = 0, high = key->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hg_stream_id_cmp(key->entries[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool class_match(struct hg_slice *glob, char c)
{
    bool negated = false, match = false;

    *glob = hg_slice_from(*glob, 1);
    if (glob->len && glob->ptr[0] == '^') {
        negated = true;
        *glob = hg_slice_from(*glob, 1);
    }
    while (glob->len && glob->ptr[0] != ']') {
        if (glob->ptr[0] == '\\' && glob->len >= 2) {
            *glob = hg_slice_from(*glob, 1);
            match |= glob->ptr[0] == c;
        } else if (glob->len >= 3 && glob->ptr[1] == '-') {
            match |= c >= glob->ptr[0] && c <= glob->ptr[2];
            *glob = hg_slice_from(*glob, 2);
        } else {
            match |= glob->ptr[0] == c;
        }
        *glob = hg_slice_from(*glob, 1);
    }
    return match != negated;
}

bool sim_glob_match(struct hg_slice glob, struct hg_slice text)
{
    while (glob.len > 0) {
        if (glob.ptr[0] == '*') {
            glob = hg_slice_from(glob, 1);
            for (size_t i = 0; i <= text.len; i++)
                if (sim_glob_match(glob, hg_slice_from(text, i)))
                    return true;
            return false;
        }
        if (text.len == 0)
            return false;
        if (glob.ptr[0] == '[') {
            if (!class_match(&glob, text.ptr[0]))
                return false;
        } else if (glob.ptr[0] != '?') {
            if (glob.ptr[0] == '\\' && glob.len >= 2)
                glob = hg_slice_from(glob, 1);
            if (glob.ptr[0] != text.ptr[0])
                return false;
        }
        glob = hg_slice_from(glob, 1);
        text = hg_slice_from(text, 1);
    }
    return text.len == 0;
}
