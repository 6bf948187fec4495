/* sub.h – one subscription of one session: made, answered, joined to its group, changed, ended.
 *
 * PENDING → LIVE ⇄ REPLAYING. It is answered when its group is ready, then reads the group's log, or first what its
 * replays bring. Ownership: a session owns its subscriptions; a subscription owns its replays. */
#ifndef HG_CORE_SUB_H
#define HG_CORE_SUB_H

#include "base/list.h"
#include "base/time.h"
#include "core/group.h"
#include "wire/command.h"

struct hg_seek;
struct hg_session;

enum hg_sub_state {
    HG_SUB_PENDING,  /* its group is not ready; not answered yet */
    HG_SUB_LIVE,     /* reads the log */
    HG_SUB_REPLAYING /* replays first; the log waits, pinned at `next` */
};

/* There are many of them: what few need at a time stands elsewhere, and is there while it is needed. */
struct hg_sub {
    struct hg_session *session;
    struct hg_group *group;
    struct hg_segment *next;     /* LIVE: to be sent next; REPLAYING: where it will go on; NULL: has everything */
    struct hg_list_node lagging; /* session->lagging while LIVE and next */
    struct hg_list replays;
    struct hg_pending *pending; /* while PENDING */
    struct hg_update *update;   /* a change of filter under way */
    struct hg_seek *seek;       /* one that waits (playback.h) */
    struct hg_drain *drain;     /* while it is in a group with a pace */
    uint64_t gap;               /* events of channels lost over a jump to the log's end, still to be told */
    hg_time paused_at;
    /* Replay at a pace: the entry of origin_ms was due at origin_at. */
    uint64_t origin_ms;
    hg_time origin_at;
    uint32_t speed;        /* in hundredths; 0: none */
    uint32_t member_index; /* in group->members */
    enum hg_sub_state state;
    bool origin_known;
    bool paused;         /* by the client: whatever the state, nothing is sent */
    bool behind;         /* with a pace: out of step, what it is owed is built for it alone */
    bool tell_caught_up; /* a replay was asked for */
    bool interrupted;    /* a gap "disconnected" was lost over a jump, too */
    bool forgotten;      /* and what streams brought that are gone since */
    bool told_stale;     /* what the client was told last of its sources */
    bool jumped_stale;   /* what it would have been told by where it jumped to */
};

/* What one that waits to join was asked for. */
struct hg_pending {
    struct hg_list_node in_interest; /* interest->pending */
    struct hg_sub *sub;
    struct hg_list waits;
    struct hg_from from; /* its cursors are in `cursors` */
    hg_time made_at;
    char cursors[];
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
    struct hg_list_node in_pending; /* pending->waits */
    struct hg_sub *sub;
    hg_time deadline;
    size_t ref_len, hint_len;
    char text[]; /* ref, hint */
};

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
/* Whether it may begin what was asked for at `since`. False: its client is further than the gateway; it waits until
 * that is here, or known to be gone. */
bool hg_sub_may_begin(struct hg_core *core, struct hg_sub *sub, const struct hg_from *from, hg_time since);
/* Of all that waits to begin. */
uint64_t hg_session_cursor_bytes(const struct hg_session *session);
/* Whether it gets what is in its group's log. */
static inline bool hg_sub_is_live(const struct hg_sub *sub)
{
    return sub->state == HG_SUB_LIVE && !sub->paused;
}
/* The subscription that a command names, not a pending one; NULL: there is none, and the client was told. */
struct hg_sub *hg_session_sub(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
/* Whatever its state; what waits for it is not answered. */
void hg_sub_free(struct hg_core *core, struct hg_sub *sub);
/* Subscribes and changes that have waited too long. */
void hg_subs_tick(struct hg_core *core);

#endif
