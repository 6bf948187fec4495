/* group.h – one distinct subscription, shared by all who made it: its sources, its log of frames, its members.
 *
 * The log is a list of segments; a segment holds whole WebSocket frames that one turn gathered, built once for all
 * members. A member has a position, not a queue: the segment it needs next, or none when it has everything. A segment
 * goes when nobody waits for it, or when the log outgrows its bounds; then its waiters fall off: a stream fills their
 * hole by replay, a channel cannot and they are told a gap with the exact count. Ownership: a group owns segments;
 * subscriptions are owned by their sessions. */
#ifndef HG_CORE_GROUP_H
#define HG_CORE_GROUP_H

#include "base/list.h"
#include "base/map.h"
#include "base/time.h"
#include "core/source.h"

#define HG_SEGMENT_BYTES                                                                                               \
    65536 /* a segment is closed when one more frame would pass this; a larger frame stands alone */

struct hg_session;
struct hg_sub;

/* The entries of one stream within one segment. */
struct hg_span {
    struct hg_attachment *attachment;
    hg_stream_id first, last;
};

struct hg_segment {
    struct hg_list_node in_log;
    struct hg_list_node in_age; /* groups->by_age, oldest first */
    struct hg_group *group;
    struct hg_buf frames;
    uint64_t waiting; /* subscriptions whose next segment this is */
    uint64_t channel_events, stream_events;
    bool interrupted; /* holds a gap "disconnected" */
    enum hg_segment_alive {
        HG_SEGMENT_SAYS_NOTHING,
        HG_SEGMENT_SAYS_STALE,
        HG_SEGMENT_SAYS_LIVE
    } alive; /* the last that it says of its sources */
    struct hg_span *spans;
    size_t span_count, span_capacity;
};

struct hg_group {
    struct hg_map_node node; /* by pattern */
    struct hg_list_node in_all;
    uint64_t number;         /* "sub" on the wire */
    struct hg_slice pattern; /* owned */
    bool exact;
    const struct hg_rule *rule; /* exact */

    struct hg_list attachments;
    size_t unready;              /* attached sources that are not READY */
    size_t not_alive;            /* attached sources that are not alive */
    bool stale;                  /* members were told so */
    bool wants_streams;          /* a pattern: registered with discovery */
    uint64_t needs_pass;         /* ready after this discovery pass; 0: not waiting */
    bool undecided;              /* exact, "auto": the type is not known yet */
    bool full_told;              /* a stream was left out at topics_max, and members were told */
    struct hg_list_node in_auto; /* discovery->undecided or ->watched */
    struct hg_request *type_request;

    struct hg_sub **members; /* joined subscriptions; dense */
    size_t member_count, member_capacity;
    struct hg_list pending; /* subscriptions that wait for the group to be ready */
    size_t sub_count;       /* members and pending */

    struct hg_list log;        /* segments, oldest first */
    struct hg_segment *open;   /* the last of them while it may still grow */
    struct hg_segment *unseen; /* the first that members in step have not been pointed to */
    uint64_t log_bytes;
    struct hg_list_node dirty; /* groups->dirty while unseen */
    struct hg_list_node full;  /* groups->full while log_bytes > log_bytes_max */

    struct hg_list_node linger; /* groups->lingering */
    hg_time linger_until;
};

struct hg_groups {
    struct hg_map map;
    struct hg_list all, dirty, full, lingering, by_age;
    uint64_t next_number;
};

/* The group of a pattern, made if need be. Errors, with a sentence in `message`: UNKNOWN_TOPIC, LIMIT_EXCEEDED. */
HG_RESULT hg_group_get(struct hg_core *core, struct hg_slice pattern, struct hg_group **ret_group,
                       struct hg_buf *message);
bool hg_group_is_ready(const struct hg_group *group);
/* Something it waited for came true; answers pending subscriptions if all did. */
void hg_group_check_ready(struct hg_core *core, struct hg_group *group);
/* Redis refused a source for good: pending subscriptions are answered with the error. */
void hg_group_refuse(struct hg_core *core, struct hg_group *group, enum hg_error error, const char *why);
/* How many attached sources are not alive has changed. */
void hg_group_check_alive(struct hg_core *core, struct hg_group *group);

/* Takes a stream that was discovered. `whole`: members of a ready group get it from its first entry. */
void hg_group_take_stream(struct hg_core *core, struct hg_group *group, struct hg_source *source,
                          const struct hg_rule *rule, bool whole);

/* An event for the log. `id` NULL for channels; `tail` from hg_message_event_tail(). */
void hg_group_append(struct hg_core *core, struct hg_attachment *attachment, const hg_stream_id *id,
                     struct hg_slice tail);
/* The same for an event that is larger than event_bytes_max: a gap of one takes its place. */
void hg_group_append_oversize(struct hg_core *core, struct hg_attachment *attachment, const hg_stream_id *id,
                              struct hg_slice topic);
/* All members are told that a channel was not heard for a while, in order with their events. */
void hg_group_append_interruption(struct hg_core *core, struct hg_group *group);
/* All members are told that a stream is left out, in order with their events. */
void hg_group_append_left_out(struct hg_core *core, struct hg_group *group, struct hg_slice topic);

void hg_group_join(struct hg_core *core, struct hg_sub *sub);
void hg_group_leave(struct hg_core *core, struct hg_sub *sub);
/* Points members in step to what is new, so that later joiners are not. */
void hg_group_distribute(struct hg_core *core, struct hg_group *group);
/* `sub` has what its segment holds; sets its next one, or none. */
void hg_group_advance(struct hg_core *core, struct hg_sub *sub);

/* Called when the last subscription left: it stays for linger_ms. */
void hg_group_linger(struct hg_core *core, struct hg_group *group);
void hg_group_free(struct hg_core *core, struct hg_group *group);

/* Frees the attachment and what hangs on it: replays of members, spans of the log. */
void hg_group_detach(struct hg_core *core, struct hg_attachment *attachment);

void hg_groups_init(struct hg_core *core);
void hg_groups_done(struct hg_core *core);
void hg_groups_distribute(struct hg_core *core);
/* Keeps logs within their bounds; after sessions were flushed. */
void hg_groups_evict(struct hg_core *core);
void hg_groups_tick(struct hg_core *core);
hg_time hg_groups_deadline(const struct hg_core *core);
void hg_groups_validate(const struct hg_core *core);

#endif
