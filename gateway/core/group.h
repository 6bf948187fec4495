/* group.h – one distinct subscription, shared by all who made it: its log of frames, its members.
 *
 * The log is a list of segments; a segment holds whole WebSocket frames that one turn gathered, built once for all
 * members. A member has a position, not a queue: the segment it needs next, or none when it has everything. A segment
 * goes when nobody waits for it, or when the log outgrows its bounds; then its waiters fall off: a stream fills their
 * hole by replay, a channel cannot and they are told a gap with the exact count. Ownership: a group owns segments;
 * subscriptions are owned by their sessions. */
#ifndef HG_CORE_GROUP_H
#define HG_CORE_GROUP_H

#include "base/list.h"
#include "core/conflation.h"
#include "core/deflated.h"
#include "core/interest.h"

#define HG_SEGMENT_BYTES                                                                                               \
    65536 /* a segment is closed when one more frame would pass this; a larger frame stands alone */

struct hg_conflation;
struct hg_filter;
struct hg_filter_entry;
struct hg_session;
struct hg_sub;

/* The entries of one stream within one segment. */
struct hg_span {
    struct hg_attachment *attachment;
    bool any; /* there are entries: */
    hg_stream_id first, last;
    struct hg_verdict missed; /* told within the segment; after ROLLED_BACK and GONE `first` begins anew */
};

struct hg_segment {
    struct hg_list_node in_log;
    struct hg_list_node in_age; /* groups->by_age, oldest first */
    struct hg_group *group;
    struct hg_buf frames;
    struct hg_deflated deflated; /* the same */
    size_t held;                 /* bytes of memory, all in all */
    uint64_t waiting;            /* subscriptions whose next segment this is */
    uint64_t channel_events, stream_events;
    uint64_t except; /* a session that gets nothing of it (echo.h); 0: it is for all */
    /* Of a tick (conflation.h). */
    uint64_t paced_events;
    uint64_t version;               /* of the last entry in it */
    bool settles;                   /* the last of its tick: */
    uint64_t left_out, events_upto; /* events that the tick left out; that were offered up to it */
    bool interrupted;               /* holds a gap "disconnected" */
    enum hg_segment_alive {
        HG_SEGMENT_SAYS_NOTHING,
        HG_SEGMENT_SAYS_STALE,
        HG_SEGMENT_SAYS_LIVE
    } alive; /* the last that it says of its sources */
    struct hg_span *spans;
    size_t span_count, span_capacity;
};

struct hg_group {
    struct hg_list_node in_all, in_interest;
    struct hg_list_node idle; /* groups->idle while nobody subscribes */
    struct hg_interest *interest;
    struct hg_filter *filter;         /* a reference; NULL: every event */
    struct hg_filter_entry *entry;    /* in interest->index */
    struct hg_map_node by_text;       /* interest->others */
    struct hg_conflation *conflation; /* NULL: it has no pace, everything is told as it comes */
    struct hg_list_node in_paced;     /* interest->paced: a pace and no filter */
    uint64_t number;                  /* "sub" on the wire */

    struct hg_sub **members; /* joined subscriptions; dense */
    size_t member_count, member_capacity;
    size_t deflating; /* of these, those that take deflated frames */
    size_t sub_count; /* members, and those that wait to join */
    size_t coming;    /* subscriptions of other groups that are about to change to this one */

    struct hg_list log;        /* segments, oldest first */
    struct hg_segment *open;   /* the last of them while it may still grow */
    struct hg_segment *unseen; /* the first that members in step have not been pointed to */
    uint64_t log_bytes;
    struct hg_list_node dirty; /* groups->dirty while unseen */
    struct hg_list_node full;  /* groups->full while log_bytes > log_bytes_max */
};

/* Scratch of one eviction: what is lost from the evicted segment to the end of its log. */
struct hg_fall {
    uint64_t channel_events, stream_events;
    bool interrupted;
    bool forgotten; /* of streams that are not followed any more */
    struct hg_fallen {
        struct hg_span span;           /* of one stream, over all segments */
        const struct hg_sub *extended; /* the last one whose replay took it on */
    } * items;
    size_t count, capacity;
};

struct hg_groups {
    struct hg_list all, idle, dirty, full, by_age;
    struct hg_list spare; /* segments that nobody waits for any more, for the next turn: in_log */
    struct hg_fall fall;
    uint64_t next_number;
};

/* The group of an interest, a filter (NULL: none) and a pace, made if need be; takes its own references. Error, with a
 * sentence in `message`: LIMIT_EXCEEDED. */
HG_RESULT hg_group_get(struct hg_core *core, struct hg_interest *interest, struct hg_filter *filter,
                       struct hg_tempo tempo, struct hg_group **ret_group, struct hg_buf *message);
/* A subscription left: without any it is freed at the end of the turn unless one comes back. */
void hg_group_check_idle(struct hg_core *core, struct hg_group *group);

/* An event for the log. */
void hg_group_append(struct hg_core *core, struct hg_group *group, struct hg_attachment *attachment,
                     const struct hg_happening *happening);
/* The same for an event that is larger than event_bytes_max: a gap of one takes its place. */
void hg_group_append_oversize(struct hg_core *core, struct hg_group *group, struct hg_attachment *attachment,
                              const hg_stream_id *id, struct hg_slice topic);
/* What all members are told in order with their events: that a channel was not heard for a while; that entries of
 * a stream are missing; that a stream is left out; that the sources are alive, or not. */
void hg_group_append_interruption(struct hg_core *core, struct hg_group *group);
void hg_group_append_missed(struct hg_core *core, struct hg_group *group, struct hg_attachment *attachment,
                            struct hg_verdict verdict);
void hg_group_append_left_out(struct hg_core *core, struct hg_group *group, struct hg_slice topic);
void hg_group_append_alive(struct hg_core *core, struct hg_group *group, bool alive);

/* For conflation.c. A segment that has room for a frame of so many bytes; the caller puts it there, then calls grew().
 */
struct hg_segment *hg_group_segment(struct hg_core *core, struct hg_group *group, size_t bytes);
void hg_group_grew(struct hg_core *core, struct hg_segment *segment);
/* What counts as its log's bytes has become more or less. */
void hg_group_hold(struct hg_core *core, struct hg_group *group, size_t before, size_t now);
/* Nothing of the log is for `sub` any more. */
void hg_group_leave_log(struct hg_core *core, struct hg_sub *sub);

void hg_group_join(struct hg_core *core, struct hg_sub *sub);
void hg_group_leave(struct hg_core *core, struct hg_sub *sub);
/* Points members in step to what is new, so that later joiners are not. */
void hg_group_distribute(struct hg_core *core, struct hg_group *group);
/* `sub` has what its segment holds; sets its next one, or none. */
void hg_group_advance(struct hg_core *core, struct hg_sub *sub);
/* `sub` is at the log's end, without what it did not get yet; what it lost before is told. */
void hg_group_skip(struct hg_core *core, struct hg_sub *sub);
/* Each member replays what the stream holds so far. */
void hg_group_replay_whole(struct hg_core *core, struct hg_group *group, struct hg_attachment *attachment);
/* The attachment is to be freed: replays and spans let go of it. */
void hg_group_forget(struct hg_core *core, struct hg_group *group, const struct hg_attachment *attachment);

void hg_groups_distribute(struct hg_core *core);
/* Keeps logs within their bounds; after sessions were flushed. */
void hg_groups_evict(struct hg_core *core);
/* Frees what is idle. */
void hg_groups_reap(struct hg_core *core);
void hg_groups_done(struct hg_core *core);
void hg_groups_validate(const struct hg_core *core);

#endif
