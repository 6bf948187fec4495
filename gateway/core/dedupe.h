/* dedupe.h – the step that appends events once: its text for Redis, the words of a call, and what was answered.
 *
 * Redis runs the step alone, so that it is atomic: an id that it remembers is not appended again. It remembers in two
 * hashes beside the stream, in its hash slot (Redis Cluster specification, hash tags): `current`, and `previous`, which
 * was current before; they are turned when the current one is found to be as old as the window, and each lives for two
 * windows from when it was begun, so an id is known for at least the window and at most little more than twice as long.
 * A hash holds, by scope, `<id>~<fingerprint>`, and then the digest where it is another; its field "" when it was
 * begun, by Redis's clock, whose steps back it stands. XADD comes before what is remembered of it, in one script that
 * nothing interrupts; it stops at the first XADD that Redis refuses, so that order is kept.
 *
 * The same text serves as a Function (Redis 7, Valkey) and by EVALSHA (Redis 5 and 6). Calls out: none. */
#ifndef HG_CORE_DEDUPE_H
#define HG_CORE_DEDUPE_H

#include "base/buf.h"
#include "config/config.h"
#include "core/reply.h"
#include "stream/cursor.h"

/* The text for FUNCTION LOAD, whose first line names the library, and for SCRIPT LOAD. */
void hg_dedupe_put_library(struct hg_buf *into);
struct hg_slice hg_dedupe_script(void);
/* Name of the library and of its function: it changes with the text, so that gateways of two versions live side by
 * side. The calling thread's. */
const char *hg_dedupe_name(void);

/* `headgate:dedupe:{tag}:<stream>:current` and the same of `previous`: the part they share. */
void hg_dedupe_put_key(struct hg_slice stream, struct hg_buf *into);

/* What is the same for all events of a call. */
struct hg_dedupe_call {
    struct hg_slice stream, current, previous;
    uint64_t window_ms, maxlen; /* maxlen 0: none */
    bool look;                  /* whether the hashes are to be turned: at least every hg_dedupe_look_ms() */
    bool touch;                 /* that, and something is written in any case: WAIT then covers what was there before */
    struct hg_slice field;      /* of the event's bytes */
    bool scoped;                /* events come with a scope of their own; else their id is it */
    size_t more;                /* further names and values of each event, even */
};

/* One event. `stamp`: hg_dedupe_stamp(). No two of a call have the same scope: what a call learns it does not look up.
 */
struct hg_dedupe_event {
    struct hg_slice id, event, stamp, scope;
    const struct hg_slice *more;
};

#define HG_DEDUPE_STAMP_BYTES (1 + 2 * HG_FINGERPRINT_DIGITS)
#define HG_DEDUPE_CALL_WORDS  12 /* of a call besides its events' */
#define HG_DEDUPE_EVENT_WORDS 4  /* of an event besides its `more` */

/* "~", the fingerprint of the entry and, where it is another, the digest: the fingerprint of an entry of nothing but
 * the event and its id. Returns how many bytes, at most HG_DEDUPE_STAMP_BYTES. */
size_t hg_dedupe_stamp(uint32_t fingerprint, uint32_t digest, char *to);

/* How often somebody has to look, so that the hashes are turned soon after the window has passed. */
uint64_t hg_dedupe_look_ms(uint64_t window_ms);

/* How long Redis is to remember ids: for the window, in which clients send again, and then for as long as a gateway
 * itself tries what they sent at its end. */
uint64_t hg_dedupe_remember_ms(const struct hg_config *config, const struct hg_rule *rule);

/* The words up to the first event, HG_DEDUPE_CALL_WORDS of them at most; then those of one event each. `verb`: FCALL or
 * EVALSHA, `name`: of the function, or the script's SHA1. `numbers` holds what was written out. They return how many
 * words they put. */
struct hg_dedupe_numbers {
    char window[24], maxlen[24], more[24];
};
size_t hg_dedupe_begin(const struct hg_dedupe_call *call, struct hg_slice verb, struct hg_slice name,
                       struct hg_dedupe_numbers *numbers, struct hg_slice *argv);
size_t hg_dedupe_put(const struct hg_dedupe_call *call, const struct hg_dedupe_event *event, struct hg_slice *argv);

enum hg_dedupe_result {
    HG_DEDUPE_APPENDED, /* id */
    HG_DEDUPE_KNOWN,    /* id, fingerprint, digest: of what is remembered */
    HG_DEDUPE_REFUSED,  /* words */
    HG_DEDUPE_ODD       /* no such answer */
};

struct hg_dedupe_answer {
    enum hg_dedupe_result result;
    hg_stream_id id;
    uint32_t fingerprint, digest;
    struct hg_slice words; /* borrowed from the reply */
};

/* What one item of the answer says. */
struct hg_dedupe_answer hg_dedupe_read(const struct hg_reply *item);

#endif
