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
#include "core/group.h"
#include "core/ports.h"
#include "wire/close.h"
#include "wire/command.h"

#define HG_WRITE_BYTES 65536 /* more than this is not gathered into one write */

enum hg_session_state { HG_SESSION_OPEN, HG_SESSION_CLOSING };
enum hg_sub_state {
    HG_SUB_PENDING,  /* its group is not ready; not answered yet */
    HG_SUB_LIVE,     /* reads the log */
    HG_SUB_REPLAYING /* replays first; the log waits, pinned at `next` */
};

struct hg_sub {
    struct hg_session *session;
    struct hg_group *group;
    struct hg_segment *next; /* LIVE: to be sent next; REPLAYING: where it will go on; NULL: has everything */
    enum hg_sub_state state;
    bool tell_caught_up;         /* a replay was asked for */
    uint64_t gap;                /* events of channels lost over a jump to the log's end, still to be told */
    bool interrupted;            /* so was a gap "disconnected" */
    bool forgotten;              /* and what streams brought that are gone since */
    bool told_stale;             /* what the client was told last of its sources */
    bool jumped_stale;           /* what it would have been told by where it jumped to */
    uint32_t member_index;       /* in group->members */
    struct hg_list_node lagging; /* session->lagging while LIVE and next */
    struct hg_list_node pending; /* interest->pending */
    struct hg_list replays;
    struct hg_update *update; /* a change of filter under way */
    struct hg_from from;      /* PENDING; its cursors are `cursors` */
    char *cursors;
    hg_time made_at;
    bool behind; /* with a pace: out of step, what it is owed is built for it alone */
    struct hg_drain drain;
    bool paused; /* by the client: whatever the state, nothing is sent */
    hg_time paused_at;
    /* Replay at a pace: the entry of origin_ms was due at origin_at. */
    uint32_t speed; /* in hundredths; 0: none */
    bool origin_known;
    uint64_t origin_ms;
    hg_time origin_at;
};

/* A change of filter that waits until its subscription has everything of its old group: from there on the new one
 * applies, and nothing is lost or repeated around it. */
struct hg_update {
    struct hg_list_node in_order; /* sessions->updates, by deadline */
    struct hg_sub *sub;
    struct hg_group *group; /* the new one; counted as coming there */
    hg_time deadline;
    size_t ref_len, hint_len;
    char text[]; /* ref, hint */
};

/* A subscribe that waits for its answer; several may wait for one subscription. */
struct hg_wait {
    struct hg_list_node in_order;   /* sessions->waits, by deadline */
    struct hg_list_node in_session; /* session->waits */
    struct hg_sub *sub;
    hg_time deadline;
    size_t ref_len, hint_len;
    char text[]; /* ref, hint */
};

struct hg_session {
    hg_session_ref ref;
    enum hg_session_state state;
    struct hg_sub **subs;
    uint32_t sub_count, sub_capacity;
    struct hg_list lagging;
    struct hg_list waits;   /* at most subscriptions_per_session_max */
    struct hg_list ready;   /* replays that can go on */
    struct hg_list overdue; /* subscriptions with a pace that are behind */
    struct hg_buf out;
    uint64_t out_events;       /* in `out`, of subscriptions with a pace */
    size_t answer_bytes;       /* of `out`, what answers commands */
    struct hg_list_node dirty; /* sessions->dirty */
    struct hg_filter *forced;  /* joined to every filter of the client's; NULL: none */
    uint32_t emits;            /* waiting for Redis */
    bool writable;             /* independent of the state: the adapter took all so far */
    bool paused;               /* reading is stopped until `out` is sent */
    hg_time blocked_since;     /* while not writable */
    hg_time heard;             /* last sign of life */
    hg_time pinged;            /* last ping; unanswered while later than heard */
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
    struct hg_list dirty; /* have something to send */
    struct hg_list waits, updates;
    struct hg_buf gather;
    uint32_t ping_slice;
    hg_time next_slice;
};

struct hg_session *hg_session_open(struct hg_core *core);
/* NULL: it is gone. */
struct hg_session *hg_session_get(const struct hg_core *core, hg_session_ref ref);
void hg_session_free(struct hg_core *core, struct hg_session *session);
/* A second close is a no-op. */
void hg_session_close(struct hg_core *core, struct hg_session *session, enum hg_close reason);
/* Around each message put into session->out that answers a command. */
void hg_session_answer_begin(struct hg_session *session, size_t *ret_mark);
void hg_session_answer_end(struct hg_core *core, struct hg_session *session, size_t mark);
void hg_session_error(struct hg_core *core, struct hg_session *session, struct hg_slice ref, enum hg_error error,
                      struct hg_slice message, size_t at, uint64_t retry_ms);
/* It has something to send at the end of the turn. */
void hg_session_touch(struct hg_core *core, struct hg_session *session);

void hg_session_subscribe(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
HG_RESULT hg_session_force_filter(struct hg_session *session, struct hg_slice expression);
void hg_session_explain(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
void hg_session_update(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
/* Changes of filter whose subscriptions have everything of their old groups; between two turns. */
void hg_sessions_update(struct hg_core *core);
void hg_session_unsubscribe(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
/* The group of a pending subscription is ready: answer, join, replay. */
void hg_sub_activate(struct hg_core *core, struct hg_sub *sub);
/* A pending subscription cannot be had: its waits are answered with the error, it is freed. */
void hg_sub_refuse(struct hg_core *core, struct hg_sub *sub, enum hg_error error, const char *why);
/* Its replays changed: go live when none is left. */
void hg_sub_check_replays(struct hg_core *core, struct hg_sub *sub);
/* What it lost when it jumped to the end of the log; told when the socket takes more, all together. */
void hg_sub_tell_jump(struct hg_core *core, struct hg_sub *sub);
/* A live one got a replay: the log waits. */
void hg_sub_set_replaying(struct hg_core *core, struct hg_sub *sub);
/* Begins what `from` asks for, after it joined its group. */
void hg_sub_start_replays(struct hg_core *core, struct hg_sub *sub, const struct hg_from *from);
/* False: its client is further than the gateway; it waits until that is here, or known to be gone. */
bool hg_sub_may_activate(struct hg_core *core, struct hg_sub *sub);
/* Whether it gets what is in its group's log. */
static inline bool hg_sub_is_live(const struct hg_sub *sub)
{
    return sub->state == HG_SUB_LIVE && !sub->paused;
}
/* The subscription that a command names, not a pending one; NULL: there is none, and the client was told. */
struct hg_sub *hg_session_sub(struct hg_core *core, struct hg_session *session, const struct hg_command *command);

/* The socket takes more. */
void hg_session_writable(struct hg_core *core, struct hg_session *session);
void hg_sessions_flush(struct hg_core *core);
void hg_sessions_tick(struct hg_core *core);
hg_time hg_sessions_deadline(const struct hg_core *core);
void hg_sessions_shutdown(struct hg_core *core);
void hg_sessions_done(struct hg_core *core);
void hg_sessions_validate(const struct hg_core *core);

#endif
