#include "sim/store.h"

#include <inttypes.h>
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
        struct sim_key *key = &store->keys[i];
        free(key->entries);
        free(key->line);
        free(key->deeds);
        free(key->moment.line);
        free(key->moment.removed);
    }
    free(store->remembered);
    free(store->moment);
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

static bool is_auto(const struct sim_store *store, const struct sim_key *key)
{
    return store->env->options.rules[sim_topics[key->topic].rule].source == HG_SOURCE_AUTO;
}

bool sim_entry_is_there(const struct sim_entry *entry)
{
    return entry->removed == SIM_NOT_REMOVED && entry->lost == SIM_NOT_LOST;
}

static void note(struct sim_store *store, struct sim_key *key, enum sim_deed_kind kind, bool anew)
{
    *SIM_PUSH(key->deeds, key->deed_count, key->deed_capacity) =
        (struct sim_deed){.kind = kind, .count = key->count, .anew = anew};
    (void)store;
}

static void find_head(struct sim_key *key)
{
    while (key->head < key->line_count && !sim_entry_is_there(&key->entries[key->line[key->head]]))
        key->head++;
}

struct sim_entry *sim_store_append(struct sim_store *store, struct sim_key *key, struct sim_entry entry)
{
    struct sim_env *env = store->env;
    bool made = key->type == SIM_KEY_NONE;

    HG_ASSERT(key->type != SIM_KEY_STRING);
    if (made) {
        key->type = SIM_KEY_STREAM;
        key->life = ++key->lives;
    }
    entry.id = (hg_stream_id){store->wall_ms + env->now.us / 1000, 0};
    if (entry.id.ms <= key->last_id.ms)
        entry.id = (hg_stream_id){key->last_id.ms, key->last_id.seq + 1};
    entry.life = key->life;
    entry.at = env->now;
    entry.fingerprint = hg_fingerprint(entry.fields, entry.field_count);
    key->last_id = entry.id;
    key->added++;
    key->length++;
    *SIM_PUSH(key->line, key->line_count, key->line_capacity) = key->count;
    *SIM_PUSH(key->entries, key->count, key->capacity) = entry;
    if (made && is_auto(store, key))
        sim_store_replicate(store); /* it stays */
    return &key->entries[key->count - 1];
}

static void remove_entry(struct sim_store *store, struct sim_key *key, size_t at, enum sim_removal how)
{
    struct sim_entry *entry = &key->entries[key->line[at]];

    entry->removed = how;
    entry->removed_tick = store->tick;
    key->length--;
}

void sim_store_trim(struct sim_store *store, struct sim_key *key, size_t keep)
{
    if (key->type != SIM_KEY_STREAM || key->length <= keep)
        return;
    store->tick++;
    for (size_t at = key->head; key->length > keep; at++)
        if (sim_entry_is_there(&key->entries[key->line[at]]))
            remove_entry(store, key, at, SIM_TRIMMED);
    find_head(key);
    note(store, key, SIM_DEED_TRIM, false);
    SIM_TRACE(store->env, "redis: %.*s trimmed before entry %zu, %" PRIu64 " are left", HG_SLICE_ARG(key->name),
              sim_store_first(key), key->length);
}

void sim_store_delete(struct sim_store *store, struct sim_key *key, size_t at)
{
    const struct sim_entry *entry = &key->entries[key->line[at]];

    if (!sim_entry_is_there(entry))
        return;
    store->tick++;
    remove_entry(store, key, at, SIM_DELETED);
    if (hg_stream_id_cmp(entry->id, key->max_deleted) > 0)
        key->max_deleted = entry->id;
    find_head(key);
    note(store, key, SIM_DEED_DELETE, false);
    SIM_TRACE(store->env, "redis: XDEL %.*s #%zu", HG_SLICE_ARG(key->name), key->line[at]);
}

/* The key is without a stream. */
static void clear(struct sim_key *key)
{
    key->type = SIM_KEY_NONE;
    key->line_count = key->head = 0;
    key->last_id = key->max_deleted = HG_STREAM_ID_ZERO;
    key->added = key->length = 0;
}

static void lose(struct sim_store *store, struct sim_key *key, size_t from, enum sim_loss how)
{
    for (size_t at = from; at < key->line_count; at++) {
        key->entries[key->line[at]].lost = how;
        key->entries[key->line[at]].lost_at = key->count;
        key->entries[key->line[at]].lost_tick = store->tick;
    }
}

void sim_store_drop(struct sim_store *store, struct sim_key *key)
{
    if (key->type != SIM_KEY_STREAM || is_auto(store, key))
        return;
    SIM_TRACE(store->env, "redis: DEL %.*s, after #%zu", HG_SLICE_ARG(key->name), key->count);
    store->tick++;
    lose(store, key, 0, SIM_DROPPED);
    clear(key);
    note(store, key, SIM_DEED_DROP, false);
}

void sim_store_flush(struct sim_store *store)
{
    size_t kept = 0;

    SIM_TRACE(store->env, "redis: FLUSHALL");
    store->rewrites++;
    for (size_t i = 0; i < store->key_count; i++)
        sim_store_drop(store, &store->keys[i]);
    for (size_t i = 0; i < store->remembered_count; i++)
        if (is_auto(store, store->remembered[i].stream))
            store->remembered[kept++] = store->remembered[i];
    store->remembered_count = kept;
}

static void *copy_of(const void *items, size_t size)
{
    void *copy = malloc(size + 1);

    HG_ASSERT(copy);
    if (size)
        memcpy(copy, items, size);
    return copy;
}

void sim_store_replicate(struct sim_store *store)
{
    for (size_t i = 0; i < store->key_count; i++) {
        struct sim_key *key = &store->keys[i];
        struct sim_moment *moment = &key->moment;

        free(moment->line);
        free(moment->removed);
        *moment = (struct sim_moment){.type = key->type,
                                      .life = key->life,
                                      .last_id = key->last_id,
                                      .max_deleted = key->max_deleted,
                                      .added = key->added,
                                      .line_count = key->line_count};
        moment->line = copy_of(key->line, key->line_count * sizeof *key->line);
        moment->removed = malloc((key->line_count + 1) * sizeof *moment->removed);
        HG_ASSERT(moment->removed);
        for (size_t at = 0; at < key->line_count; at++)
            moment->removed[at] = key->entries[key->line[at]].removed;
    }
    free(store->moment);
    store->moment = copy_of(store->remembered, store->remembered_count * sizeof *store->remembered);
    store->moment_count = store->remembered_count;
}

static void go_back(struct sim_store *store, struct sim_key *key)
{
    const struct sim_moment *moment = &key->moment;
    bool same = key->type == moment->type && key->life == moment->life;
    bool lost = same ? key->line_count > moment->line_count : key->type != moment->type || key->type == SIM_KEY_STREAM;
    size_t kept = same ? moment->line_count : 0;

    if (key->type == SIM_KEY_STRING)
        return;
    lose(store, key, kept, SIM_ROLLED_BACK);
    clear(key);
    key->type = moment->type;
    key->life = moment->life;
    key->last_id = moment->last_id;
    key->max_deleted = moment->max_deleted;
    key->added = moment->added;
    for (size_t at = 0; at < moment->line_count; at++) {
        struct sim_entry *entry = &key->entries[moment->line[at]];
        *SIM_PUSH(key->line, key->line_count, key->line_capacity) = moment->line[at];
        entry->removed = moment->removed[at];
        entry->lost = SIM_NOT_LOST;
        key->length += sim_entry_is_there(entry);
    }
    find_head(key);
    if (lost)
        note(store, key, SIM_DEED_ROLLBACK, !same);
    SIM_TRACE(store->env, "redis: %.*s goes on behind #%zu of %zu%s", HG_SLICE_ARG(key->name),
              key->line_count ? key->line[key->line_count - 1] : 0, key->count,
              key->type == SIM_KEY_NONE ? ": it is not there" : "");
}

void sim_store_failover(struct sim_store *store)
{
    store->tick++;
    store->rewrites++;
    for (size_t i = 0; i < store->key_count; i++)
        go_back(store, &store->keys[i]);
    free(store->remembered);
    store->remembered = copy_of(store->moment, store->moment_count * sizeof *store->moment);
    store->remembered_count = store->moment_count;
    store->remembered_capacity = store->moment_count;
}

size_t sim_store_first(const struct sim_key *key)
{
    return key->head < key->line_count ? key->line[key->head] : key->count;
}

size_t sim_store_lower(const struct sim_key *key, hg_stream_id id)
{
    size_t low = 0, high = key->line_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hg_stream_id_cmp(key->entries[key->line[middle]].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t sim_store_lookup(const struct sim_key *key, hg_stream_id id, const uint32_t *fingerprint, size_t from)
{
    size_t at = sim_store_lower(key, id), found = key->count;

#define IS_IT(number)                                                                                                  \
    (hg_stream_id_cmp(key->entries[number].id, id) == 0 &&                                                             \
     (!fingerprint || key->entries[number].fingerprint == *fingerprint))
    if (at < key->line_count && IS_IT(key->line[at]))
        found = key->line[at];
    if (found < key->count && found >= from)
        return found;
    for (size_t number = from; number < key->count; number++)
        if (IS_IT(number))
            return number;
    for (size_t number = key->count; found == key->count && number > 0; number--)
        if (IS_IT(number - 1))
            found = number - 1;
#undef IS_IT
    return found;
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
