/* dedupe.h – what the gateway's script does in Redis, said once more in C, for the fake servers.
 *
 * A stream has two hashes, of which the script is told the names: scope → "<id>~<fingerprint><digest>". An id is looked
 * for in both and learnt in the current one; when that is as old as the window it becomes the previous one. The fields
 * of a hash are a list that is put in front of and never changed, so a copy of struct sim_dedupe is all that was known
 * at that time: a failover goes back to such a copy.
 * Units: milliseconds of the server's clock. Ownership: what is learnt is in the arena; calls borrow their words.
 * Errors: sim_dedupe_parse() says what is wrong with a call. Calls out: the append function. */
#ifndef HG_SIM_DEDUPE_H
#define HG_SIM_DEDUPE_H

#include "sim/arena.h"

struct sim_field {
    const struct sim_field *next;
    struct hg_slice scope, value;
};

struct sim_hash {
    const struct sim_field *fields; /* NULL: there is no such key */
    uint64_t begun_ms;
    uint64_t expires_ms;
};

struct sim_dedupe {
    struct sim_hash current, previous;
};

struct sim_dedupe_call {
    struct hg_slice stream;
    uint64_t window_ms, maxlen;
    bool look, touch;
    struct hg_slice field;
    bool scoped;
    size_t more; /* further words of each event */
    const struct hg_slice *words;
    size_t event_count, step;
};

struct sim_dedupe_event {
    struct hg_slice id, event, stamp, scope;
    const struct hg_slice *more;
};

/* `words`: a FCALL's or EVALSHA's, from the number of keys on. NULL, or what is wrong with them. */
const char *sim_dedupe_parse(const struct hg_slice *words, size_t count, struct sim_dedupe_call *ret_call);
struct sim_dedupe_event sim_dedupe_event(const struct sim_dedupe_call *call, size_t at);

/* XADD of one event: its id as text; or "-" and the words with which Redis refuses it. */
typedef struct hg_slice sim_dedupe_append(void *context, const struct sim_dedupe_call *call,
                                          const struct sim_dedupe_event *event);

/* Runs it; it stops behind an event that is refused. `ret_answers` has room for one an event; returns how many there
 * are. */
size_t sim_dedupe_run(struct sim_dedupe *dedupe, struct sim_arena *arena, const struct sim_dedupe_call *call,
                      uint64_t now_ms, sim_dedupe_append *append, void *context, struct hg_slice *ret_answers,
                      bool *ret_wrote);

#endif
