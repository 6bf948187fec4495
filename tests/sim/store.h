/* store.h – the keys of the fake Redis: streams that keep all that ever was in them, and what emits are remembered by.
 *
 * Entries stay in memory after they were trimmed, so that the oracle can tell what is missing. Indices of entries count
 * from 0 over a stream's whole life. Ownership: all is in the run's arena, but for the arrays. Calls out: none. */
#ifndef HG_SIM_STORE_H
#define HG_SIM_STORE_H

#include "sim/env.h"
#include "sim/payload.h"
#include "sim/topics.h"
#include "stream/id.h"

struct sim_entry {
    hg_stream_id id;
    const struct hg_slice *fields;
    size_t field_count;
    uint32_t fingerprint;
    hg_time at;
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
    size_t first;     /* entries before it are trimmed */
    size_t shown;     /* entries before it were told to some client, so the gateway knows them */
    hg_time asked_at; /* when XREAD or XREVRANGE last named it */
    bool asked;
};

struct sim_remembered {
    struct hg_slice key, text;
    hg_time until;
};

struct sim_store {
    struct sim_env *env;
    struct sim_key keys[16]; /* one a topic that has a key; in the order of their making for SCAN */
    size_t key_count;
    struct sim_remembered *remembered;
    size_t remembered_count, remembered_capacity;
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
void sim_store_trim(struct sim_store *store, struct sim_key *key, size_t keep);
/* The index of the first entry with an id ≥ `id`, trimmed ones included. */
size_t sim_store_lower(const struct sim_key *key, hg_stream_id id);
/* Redis's own glob (util.c stringmatch, as documented for KEYS): * ? [a-z] [^a] and backslash. */
bool sim_glob_match(struct hg_slice glob, struct hg_slice text);

#endif
