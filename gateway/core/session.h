/* session.h – one connected client: what it subscribed to, what it is owed, what may be sent.
 *
 * OPEN → CLOSING (close was asked for, nothing is sent any more) → gone when the adapter says closed.
 * `out` holds what is this session's alone (answers, replayed events, its own gaps), whole frames in order; what it
 * shares with others it reads from the logs of its groups. Ownership: a session owns its subscriptions. */
#ifndef HG_CORE_SESSION_H
#define HG_CORE_SESSION_H

#include "base/buf.h"
#include "base/list.h"
#include "base/time.h"
#include "core/echo.h"
#include "core/ports.h"
#include "core/sub.h"
#include "wire/close.h"

#define HG_PEER_BYTES_MAX 64
#define HG_WRITE_BYTES    65536 /* more than this is not gathered into one write */

enum hg_session_state { HG_SESSION_OPEN, HG_SESSION_CLOSING };
/* Why a client is not listened to for a while; independent of each other. */
enum hg_deaf {
    HG_DEAF_ANSWERS = 1, /* it asks faster than it reads */
    HG_DEAF_EMITS = 2    /* it emits faster than Redis takes it */
};

/* What goes to one client at its own pace, out of step with the logs. */
struct hg_backlog {
    struct hg_list ready;   /* replays that can go on */
    struct hg_list overdue; /* subscriptions with a pace that are behind */
};

/* There are many of them: what few need stands elsewhere. */
struct hg_session {
    hg_session_ref ref;
    struct hg_sub **subs;
    uint32_t sub_count, sub_capacity;
    struct hg_list lagging;
    struct hg_list_node queued; /* writable: sessions->dirty while it has something; not writable: sessions->blocked */
    struct hg_buf out;
    struct hg_backlog *backlog; /* NULL: it never had one */
    struct hg_filter *forced;   /* joined to every filter of the client's; NULL: none */
    struct hg_echo *echo;       /* NULL: it minds no echo */
    struct hg_bucket *rate;     /* of its emits; NULL: none yet */
    struct hg_session_name name;
    hg_time blocked_since; /* while not writable */
    hg_time heard;         /* last sign of life */
    hg_time pinged;        /* last ping; unanswered while later than heard */
    uint32_t held;         /* not writable: bytes that the adapter took and the kernel did not, at most */
    uint32_t out_events;   /* in `out`, of subscriptions with a pace */
    uint32_t answer_bytes; /* of `out`, what answers commands */
    uint32_t emits;        /* waiting for Redis */
    uint32_t wait_count;   /* subscribes that wait for their answer; at most subscriptions_per_session_max */
    enum hg_session_state state;
    bool writable; /* independent of the state: the adapter took all so far */
    bool deflates; /* takes deflated frames; from the beginning or never */
    uint8_t deaf;  /* enum hg_deaf: reading is stopped until none is left */
};

struct hg_session_slot {
    struct hg_session *session; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

struct hg_sessions {
    struct hg_session_slot *slots;
    uint32_t slot_count, slot_capacity, free_slot;
    uint64_t count;
    struct hg_list dirty;   /* have something to send */
    struct hg_list blocked; /* not writable, for the longest time first */
    uint64_t held;          /* of all that are open */
    uint64_t leaving_held;  /* of all that are closing */
    struct hg_list waits, updates, seeks;
    struct hg_map echoes;
    uint64_t dedupe_window_ms; /* the least of all rules that take emits */
    struct hg_buf gather;
    uint32_t ping_slice;
    hg_time next_slice;
};

struct hg_session *hg_session_open(struct hg_core *core);
/* NULL: it is gone. */
struct hg_session *hg_session_get(const struct hg_core *core, hg_session_ref ref);
/* Its address as text, in `to` of HG_PEER_BYTES_MAX bytes; empty when it is not known. */
struct hg_slice hg_session_peer(const struct hg_core *core, const struct hg_session *session, char *to);
void hg_session_free(struct hg_core *core, struct hg_session *session);
/* Made if it has none yet. */
struct hg_backlog *hg_session_backlog(struct hg_session *session);
/* A second close is a no-op. */
void hg_session_close(struct hg_core *core, struct hg_session *session, enum hg_close reason);
/* Around each message put into session->out that answers a command. */
void hg_session_answer_begin(struct hg_session *session, size_t *ret_mark);
void hg_session_answer_end(struct hg_core *core, struct hg_session *session, size_t mark);
void hg_session_error(struct hg_core *core, struct hg_session *session, struct hg_slice ref, enum hg_error error,
                      struct hg_slice message, size_t at, uint64_t retry_ms);
/* Stops reading from it, until it is listened to again for this reason and no other is left. */
void hg_session_deafen(struct hg_core *core, struct hg_session *session, enum hg_deaf why);
void hg_session_listen(struct hg_core *core, struct hg_session *session, enum hg_deaf why);
/* It has something to send at the end of the turn. */
void hg_session_touch(struct hg_core *core, struct hg_session *session);

/* The one whose socket has taken nothing for the longest time, while the gateway holds bytes for it; NULL: none. */
struct hg_session *hg_sessions_worst(const struct hg_core *core);
/* The socket takes more. */
void hg_session_writable(struct hg_core *core, struct hg_session *session);
void hg_sessions_init(struct hg_core *core);
void hg_sessions_flush(struct hg_core *core);
void hg_sessions_tick(struct hg_core *core);
hg_time hg_sessions_deadline(const struct hg_core *core);
void hg_sessions_shutdown(struct hg_core *core);
void hg_sessions_done(struct hg_core *core);
void hg_sessions_validate(const struct hg_core *core);

#endif
