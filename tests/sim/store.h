/* store.h – the keys of the fake Redis: streams that remember all that ever was in them, and what emits are remembered
 * by.
 *
 * `entries` are all that were ever appended to a key, in that order, whatever became of them: the oracle counts in
 * these indices over the key's whole life. `log` is what the stream holds now: indices, ascending, and by id as well.
 * A fault that takes what was appended last (a failover that loses a tail) or all of it (DEL) leaves a fence: from its
 * index on, ids may begin again below those before it. Ownership: all is in the run's arena, but for the arrays. Calls
 * out: none. */
#ifndef HG_SIM_STORE_H
#define HG_SIM_STORE_H

#include "sim/dedupe.h"
#include "sim/env.h"
#include "sim/payload.h"
#include "sim/topics.h"
#include "stream/id.h"

enum sim_went {
    SIM_IS_THERE,
    SIM_WENT_TRIMMED,
    SIM_WENT_DELETED,   /* XDEL */
    SIM_WENT_WITH_TAIL, /* a failover lost it */
    SIM_WENT_WITH_KEY,  /* DEL, FLUSHALL */
};

struct sim_entry {
    hg_stream_id id;
    const struct hg_slice *fields;
    size_t field_count;
    uint32_t fingerprint;
    hg_time at;
    enum sim_went went;
    size_t fence;    /* WITH_TAIL, WITH_KEY: went at this one, counted from 1 */
    hg_time life_at; /* when the key was made that it was appended to */
    hg_time went_at;
    bool emitted;
    bool claimed; /* acknowledged as new */
    struct sim_payload payload;
    struct hg_slice emit_id; /* of emitted ones */
};

enum sim_key_type { SIM_KEY_NONE, SIM_KEY_STREAM, SIM_KEY_STRING };

struct sim_key {
    struct hg_slice name;
    enum sim_key_type type;
    int topic;
    struct sim_entry *entries;
    size_t count, capacity;
    size_t *log;
    size_t log_count, log_capacity;
    hg_stream_id last_id, max_deleted; /* as XINFO tells */
    uint64_t added;
    hg_time made_at;
    uint64_t trims, deletions; /* so far */
    struct sim_fence {
        size_t index; /* of the first entry behind it */
        hg_time at;
    } * fences;
    size_t fence_count, fence_capacity;
    struct sim_dedupe dedupe; /* what emits to it are remembered by */
    struct sim_version {
        size_t count; /* of all entries, then */
        struct sim_dedupe dedupe;
    } * versions;
    size_t version_count, version_capacity;
    uint64_t ranges;  /* XRANGE and XREVRANGE for replays so far */
    size_t shown;     /* entries before it were told to some client, so the gateway knows them */
    hg_time asked_at; /* when XREAD or XREVRANGE last named it */
    bool asked;
};

struct sim_store {
    struct sim_env *env;
    struct sim_key keys[16]; /* one a topic that has a key; in the order of their making for SCAN */
    size_t key_count;
    uint64_t wall_ms; /* the server's clock at time zero */
};

void sim_store_init(struct sim_store *store, struct sim_env *env);
void sim_store_done(struct sim_store *store);
/* The Redis name that a rule's template makes of a topic. */
struct hg_slice sim_store_expand(struct sim_env *env, const char *tmpl, const char *topic);
/* NULL when there is no such key, or it does not exist yet. */
struct sim_key *sim_store_find(struct sim_store *store, struct hg_slice name);
/* The key of a topic, existing or not; NULL when it has none. */
struct sim_key *sim_store_key(struct sim_store *store, int topic);
/* Appends with the next id of the server's clock. The stream is made if need be. `entry` needs fields and payload only.
 */
struct sim_entry *sim_store_append(struct sim_store *store, struct sim_key *key, struct sim_entry entry);
/* The dedupe of this key was changed. */
void sim_store_remembered(struct sim_key *key);
void sim_store_trim(struct sim_store *store, struct sim_key *key, size_t keep);
/* XDEL of one entry of the log. */
void sim_store_delete(struct sim_store *store, struct sim_key *key, size_t position);
void sim_store_delete_key(struct sim_store *store, struct sim_key *key);
/* A failover to a replica that had not heard of what was done since `cut`. */
void sim_store_lose_tail(struct sim_store *store, hg_time cut);
/* FLUSHALL, but for topics whose rule decides by the key's type. */
void sim_store_flush(struct sim_store *store);
/* The place in the log of the first entry with an id ≥ `id`. */
size_t sim_store_lower(const struct sim_key *key, hg_stream_id id);
/* The entry with that id, and that fingerprint unless it is NULL, that ever was: the first one from `from` on, or else
 * the last one before; key->count when there never was one. */
size_t sim_store_ever(const struct sim_key *key, hg_stream_id id, const uint32_t *fingerprint, size_t from);
/* Redis's own glob (util.c stringmatch, as documented for KEYS): * ? [a-z] [^a] and backslash. */
bool sim_glob_match(struct hg_slice glob, struct hg_slice text);

#endif
