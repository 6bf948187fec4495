/* store.h – the keys of the fake Redis: streams that keep all that ever was in them, and what emits are remembered by.
 *
 * Entries stay in memory after they were trimmed, deleted, lost by a failover, or went with their key, so that the
 * oracle can tell what is missing, and why. An entry's number counts from 0 over all that was ever added under a key,
 * in the order of time; what the stream is now, its `line`, lists those that are of its present history by id. A
 * failover goes back to an earlier moment: the line of then. Ownership: all is in the run's arena, but for the arrays.
 * Calls out: none. */
#ifndef HG_SIM_STORE_H
#define HG_SIM_STORE_H

#include "sim/env.h"
#include "sim/payload.h"
#include "sim/topics.h"
#include "stream/id.h"

enum sim_removal { SIM_NOT_REMOVED, SIM_TRIMMED, SIM_DELETED /* by XDEL */ };
enum sim_loss { SIM_NOT_LOST, SIM_ROLLED_BACK /* by a failover */, SIM_DROPPED /* with its key */ };

struct sim_entry {
    enum sim_removal removed;
    enum sim_loss lost;
    uint64_t removed_tick; /* of the store */
    size_t lost_at;        /* entries that were there before it was lost */
    uint64_t lost_tick;
    uint32_t life;         /* which making of the key it is of */
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

/* What was done to a stream that a client may have to be told. */
enum sim_deed_kind { SIM_DEED_TRIM, SIM_DEED_DELETE, SIM_DEED_ROLLBACK, SIM_DEED_DROP, SIM_DEED__COUNT };

struct sim_deed {
    enum sim_deed_kind kind;
    size_t count;  /* entries that were added before it */
    bool anew;     /* ROLLBACK: to before the key was made, or to one that was dropped since */
};

/* What a failover goes back to. */
struct sim_moment {
    enum sim_key_type type;
    uint32_t life;
    hg_stream_id last_id, max_deleted;
    uint64_t added;
    size_t *line;
    enum sim_removal *removed;
    size_t line_count;
};

struct sim_key {
    struct hg_slice name;
    enum sim_key_type type;
    int topic;
    struct sim_entry *entries; /* all that ever were */
    size_t count, capacity;
    size_t *line; /* numbers of those that are of its present history, removed ones included; by id */
    size_t line_count, line_capacity;
    size_t head; /* of the line: those before it are removed */
    uint32_t life, lives;
    hg_stream_id last_id, max_deleted; /* as XINFO tells them */
    uint64_t added, length;
    struct sim_deed *deeds;
    size_t deed_count, deed_capacity;
    struct sim_moment moment;
    uint64_t pages_asked; /* XRANGE, XREVRANGE and XINFO on the replay link */
    size_t shown;     /* entries before it were told to some client, so the gateway knows them */
    hg_time asked_at; /* when XREAD or XREVRANGE last named it */
    bool asked;
};

struct sim_remembered {
    const struct sim_key *stream;
    struct hg_slice key, text;
    hg_time until;
};

struct sim_store {
    struct sim_env *env;
    struct sim_key keys[16]; /* one a topic that has a key; in the order of their making for SCAN */
    size_t key_count;
    struct sim_remembered *remembered;
    size_t remembered_count, remembered_capacity;
    struct sim_remembered *moment; /* remembered then */
    size_t moment_count;
    uint64_t wall_ms; /* the server's clock at time zero */
    uint64_t tick;    /* deeds so far */
    uint64_t rewrites; /* failovers and FLUSHALLs so far */
};

void sim_store_init(struct sim_store *store, struct sim_env *env);
void sim_store_done(struct sim_store *store);
/* The Redis name that a rule's template makes of a topic. */
struct hg_slice sim_store_expand(struct sim_env *env, const char *tmpl, const char *topic);
/* NULL when there is no such key, or it does not exist yet. */
struct sim_key *sim_store_find(struct sim_store *store, struct hg_slice name);
/* The key of a topic, existing or not; NULL when it has none. */
struct sim_key *sim_store_key(struct sim_store *store, int topic);
/* Appends with the next id of the server's clock, which may stand behind the last one. The stream is made if need be.
 * `entry` needs fields and payload only. */
struct sim_entry *sim_store_append(struct sim_store *store, struct sim_key *key, struct sim_entry entry);
void sim_store_trim(struct sim_store *store, struct sim_key *key, size_t keep);
/* XDEL of the entry at this place of the line. */
void sim_store_delete(struct sim_store *store, struct sim_key *key, size_t at);
/* DEL. */
void sim_store_drop(struct sim_store *store, struct sim_key *key);
/* FLUSHALL, but for keys of "auto" rules: what such a topic is without its key is another matter. */
void sim_store_flush(struct sim_store *store);
/* The replica is as far as this. */
void sim_store_replicate(struct sim_store *store);
/* And is the master now. */
void sim_store_failover(struct sim_store *store);
/* Whether the entry is in the stream. */
bool sim_entry_is_there(const struct sim_entry *entry);
/* The number of the first entry that is there; key->count when there is none. */
size_t sim_store_first(const struct sim_key *key);
/* The place in the line of the first entry with an id ≥ `id`, removed ones included. */
size_t sim_store_lower(const struct sim_key *key, hg_stream_id id);
/* The number of the entry with this id and fingerprint (NULL: any), at or behind `from` if there is one; of several the
 * one of the present history. key->count when there is none. */
size_t sim_store_lookup(const struct sim_key *key, hg_stream_id id, const uint32_t *fingerprint, size_t from);
/* Redis's own glob (util.c stringmatch, as documented for KEYS): * ? [a-z] [^a] and backslash. */
bool sim_glob_match(struct hg_slice glob, struct hg_slice text);

#endif
