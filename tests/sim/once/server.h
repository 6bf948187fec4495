/* server.h – the one fake Redis of all gateways: streams and what emits are remembered by, replicas and a disk that lag
 * behind, functions and scripts, a clock of its own. Links are in link.h, what commands do in command.c.
 *
 * Each command that writes has a number. Streams keep a journal of what they were after each, so that a failover or a
 * power cut goes back to one number for everything at once, as a replication stream or an append-only file does.
 * `entries` are all that ever were appended; `log` what the stream holds now, as indices. Ownership: all is in the
 * run's arena, but for arrays. Calls out: the oracle. */
#ifndef HG_SIM_ONCE_SERVER_H
#define HG_SIM_ONCE_SERVER_H

#include "base/time.h"
#include "sim/dedupe.h"
#include "sim/once/options.h"
#include "stream/id.h"

struct once_world;
struct once_item;

enum { ONCE_REPLICAS = 2 };

struct once_entry {
    hg_stream_id id;
    const struct hg_slice *fields;
    size_t field_count;
    uint32_t fingerprint;
    uint64_t number; /* of the write */
    hg_time at;
    uint64_t forward_ms; /* how far the server's clock had been set forward until then */
    struct once_item *item;
    size_t before; /* the entry under the same id before it, counted from 1; 0: there is none */
    bool plain;    /* appended without dedupe */
    bool lost;     /* with a tail */
    bool trimmed;
    bool claimed;      /* acknowledged as new */
    uint64_t repeated; /* times a call found it there */
    uint64_t replicas; /* that ever had it, once it is lost or they are no more */
    bool on_disk;
};

/* What Redis 8.6 remembers of XADD … IDMP; a list that is never changed, only put in front of. */
struct once_idmp {
    const struct once_idmp *next;
    struct hg_slice producer, id;
    size_t entry;   /* index */
    uint64_t at_ms; /* by its clock */
};

struct once_state {
    uint64_t number;
    bool there;          /* the key exists */
    size_t first, count; /* of the log */
    hg_stream_id last_id;
    struct sim_dedupe dedupe;
    const struct once_idmp *idmp;
    uint64_t idmp_seconds, idmp_ids;
};

struct once_stream {
    struct hg_slice key;
    int topic;
    struct once_entry *entries;
    size_t entry_count, entry_capacity;
    size_t *log;
    size_t log_capacity;
    struct once_state state;
    struct once_state *journal; /* ascending numbers */
    size_t *newest;             /* by the number in an id: its newest entry, counted from 1 */
    size_t newest_count, newest_capacity;
    size_t journal_count, journal_capacity;
};

/* A replica, or the disk: how far it has come. */
struct once_copy {
    uint64_t lag_us;
    uint64_t number;
};

struct once_names {
    struct hg_slice *items;
    size_t count, capacity;
};

struct once_server {
    struct once_world *world;
    struct once_stream streams[ONCE_STREAMS];
    hg_time *writes; /* when each was done: number n at n - 1 */
    size_t write_count, write_capacity;
    struct once_copy replicas[ONCE_REPLICAS], disk;
    struct once_names functions, scripts;
    hg_time down_until, loading_until;
    uint64_t wall_ms;    /* its clock at time zero */
    uint64_t forward_ms; /* how far it was set forward so far */
    uint64_t jumps_back; /* by more than the shortest window */
};

void once_server_init(struct once_server *server, struct once_world *world);
void once_server_done(struct once_server *server);

uint64_t once_server_clock(const struct once_server *server);
/* NULL: no topic has this key. */
struct once_stream *once_server_stream(struct once_server *server, struct hg_slice key);
/* Appends without a number yet; once_server_wrote() gives it one. `maxlen` 0: none. */
struct once_entry *once_server_append(struct once_server *server, struct once_stream *stream,
                                      const struct hg_slice *fields, size_t field_count, uint64_t maxlen);
void once_server_trim(struct once_server *server, struct once_stream *stream, uint64_t maxlen);
/* Whether an entry is remembered under this id of a producer, and which one; and remembers one. */
bool once_server_idmp_find(const struct once_server *server, const struct once_stream *stream, struct hg_slice producer,
                           struct hg_slice id, size_t *ret_entry);
void once_server_idmp_put(struct once_server *server, struct once_stream *stream, struct hg_slice producer,
                          struct hg_slice id, size_t entry);
/* The command that is executed wrote to this stream; returns its number. */
uint64_t once_server_wrote(struct once_server *server, struct once_stream *stream);
/* How far a copy has come by now. */
uint64_t once_server_reached(struct once_server *server, struct once_copy *copy);
/* How many replicas have this write. */
uint64_t once_server_replicas(struct once_server *server, uint64_t number);
/* When that copy will have it, as things are. */
hg_time once_server_reaches_at(const struct once_server *server, const struct once_copy *copy, uint64_t number);

/* Faults. All links die with each. */
void once_server_restart(struct once_server *server, hg_dur away, hg_dur loading);
void once_server_cut_power(struct once_server *server, hg_dur away, hg_dur loading);
void once_server_fail_over(struct once_server *server, size_t replica, hg_dur away);
void once_server_set_clock(struct once_server *server, int64_t by_ms);

/* The entry with this id and fingerprint that stands there, or if none does, that did last; NULL: there never was one.
 */
struct once_entry *once_stream_find(const struct once_stream *stream, hg_stream_id id, uint32_t fingerprint);

bool once_names_has(const struct once_names *names, struct hg_slice name);
void once_names_put(struct once_names *names, struct sim_arena *arena, struct hg_slice name);

#endif
