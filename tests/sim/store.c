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
    for (size_t i = 0; i < store->key_count; i++) {
        free(store->keys[i].entries);
        free(store->keys[i].log);
        free(store->keys[i].fences);
        free(store->keys[i].versions);
    }
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
    if (key->type == SIM_KEY_NONE)
        key->made_at = env->now;
    key->type = SIM_KEY_STREAM;
    entry.life_at = key->made_at;
    entry.id = (hg_stream_id){store->wall_ms + env->now.us / 1000, 0};
    if (entry.id.ms <= key->last_id.ms)
        entry.id = (hg_stream_id){key->last_id.ms, key->last_id.seq + 1};
    key->last_id = entry.id;
    key->added++;
    entry.at = env->now;
    entry.fingerprint = hg_fingerprint(entry.fields, entry.field_count);
    *SIM_PUSH(key->log, key->log_count, key->log_capacity) = key->count;
    *SIM_PUSH(key->entries, key->count, key->capacity) = entry;
    return &key->entries[key->count - 1];
}

/* Takes `count` entries out of the log. */
static void take_out(struct sim_key *key, size_t position, size_t count, enum sim_went why, hg_time now)
{
    for (size_t i = position; i < position + count; i++) {
        key->entries[key->log[i]].went = why;
        key->entries[key->log[i]].went_at = now;
    }
    memmove(&key->log[position], &key->log[position + count], (key->log_count - position - count) * sizeof *key->log);
    key->log_count -= count;
}

void sim_store_trim(struct sim_store *store, struct sim_key *key, size_t keep)
{
    if (key->log_count <= keep)
        return;
    take_out(key, 0, key->log_count - keep, SIM_WENT_TRIMMED, store->env->now);
    key->trims++;
    SIM_TRACE(store->env, "redis: %.*s trimmed to %zu entries", HG_SLICE_ARG(key->name), keep);
}

void sim_store_delete(struct sim_store *store, struct sim_key *key, size_t position)
{
    size_t index = key->log[position];

    SIM_TRACE(store->env, "redis: XDEL %.*s #%zu", HG_SLICE_ARG(key->name), index);
    if (hg_stream_id_cmp(key->entries[index].id, key->max_deleted) > 0)
        key->max_deleted = key->entries[index].id;
    take_out(key, position, 1, SIM_WENT_DELETED, store->env->now);
    key->deletions++;
}

static void put_fence(struct sim_store *store, struct sim_key *key)
{
    *SIM_PUSH(key->fences, key->fence_count, key->fence_capacity) =
        (struct sim_fence){.index = key->count, .at = store->env->now};
}

static void lose(struct sim_store *store, struct sim_key *key, size_t index, enum sim_went why)
{
    struct sim_entry *entry = &key->entries[index];

    if (entry->went >= SIM_WENT_WITH_TAIL)
        return;
    entry->went = why;
    entry->went_at = store->env->now;
    entry->fence = key->fence_count;
}

void sim_store_delete_key(struct sim_store *store, struct sim_key *key)
{
    if (key->type != SIM_KEY_STREAM)
        return;
    SIM_TRACE(store->env, "redis: DEL %.*s with %zu entries", HG_SLICE_ARG(key->name), key->log_count);
    put_fence(store, key);
    /* Whatever went before went with it: nobody can tell any more. */
    for (size_t i = 0; i < key->count; i++)
        lose(store, key, i, SIM_WENT_WITH_KEY);
    key->log_count = 0;
    key->type = SIM_KEY_NONE;
    key->last_id = key->max_deleted = HG_STREAM_ID_ZERO;
    key->added = 0;
}

void sim_store_remembered(struct sim_key *key)
{
    *SIM_PUSH(key->versions, key->version_count, key->version_capacity) = (struct sim_version){key->count, key->dedupe};
}

/* What emits are remembered by from this entry on. */
static void forget(struct sim_key *key, size_t from)
{
    while (key->version_count > 0 && key->versions[key->version_count - 1].count > from)
        key->version_count--;
    key->dedupe = key->version_count > 0 ? key->versions[key->version_count - 1].dedupe : (struct sim_dedupe){0};
}

static void lose_tail(struct sim_store *store, struct sim_key *key, hg_time cut)
{
    size_t end = key->count, lost = 0;

    while (end > 0 && key->entries[end - 1].at.us > cut.us &&
           (key->fence_count == 0 || end > key->fences[key->fence_count - 1].index))
        end--;
    for (size_t i = end; i < key->count; i++)
        lost += key->entries[i].went != SIM_WENT_WITH_KEY && key->entries[i].went != SIM_WENT_WITH_TAIL;
    if (key->type != SIM_KEY_STREAM || lost == 0 || lost >= key->added)
        return; /* a key that was just made stays: a prefix as good as another */
    SIM_TRACE(store->env, "redis: %.*s loses its entries from %zu on", HG_SLICE_ARG(key->name), end);
    put_fence(store, key);
    forget(key, end);
    while (key->log_count > 0 && key->log[key->log_count - 1] >= end)
        key->log_count--;
    for (size_t i = end; i < key->count; i++)
        lose(store, key, i, SIM_WENT_WITH_TAIL);
    key->added -= lost;
    key->last_id = HG_STREAM_ID_ZERO;
    for (size_t i = 0; i < end; i++)
        if (key->entries[i].went <= SIM_WENT_DELETED)
            key->last_id = key->entries[i].id;
    if (hg_stream_id_cmp(key->max_deleted, key->last_id) > 0)
        key->max_deleted = key->last_id;
}

void sim_store_lose_tail(struct sim_store *store, hg_time cut)
{
    for (size_t i = 0; i < store->key_count; i++)
        lose_tail(store, &store->keys[i], cut);
}

void sim_store_flush(struct sim_store *store)
{
    for (size_t i = 0; i < store->key_count; i++)
        if (sim_topics[store->keys[i].topic].rule != 3) {
            sim_store_delete_key(store, &store->keys[i]);
            forget(&store->keys[i], 0);
        }
}

size_t sim_store_lower(const struct sim_key *key, hg_stream_id id)
{
    size_t low = 0, high = key->log_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hg_stream_id_cmp(key->entries[key->log[middle]].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_entry(const struct sim_entry *entry, hg_stream_id id, const uint32_t *fingerprint)
{
    return hg_stream_id_cmp(entry->id, id) == 0 && (!fingerprint || entry->fingerprint == *fingerprint);
}

size_t sim_store_ever(const struct sim_key *key, hg_stream_id id, const uint32_t *fingerprint, size_t from)
{
    if (from > key->count)
        from = key->count;
    for (size_t i = from; i < key->count; i++)
        if (is_entry(&key->entries[i], id, fingerprint))
            return i;
    for (size_t i = from; i > 0; i--)
        if (is_entry(&key->entries[i - 1], id, fingerprint))
            return i - 1;
    return key->count;
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
