/* interest.h – one topic or pattern that somebody wants: the sources that feed it, whether they are ready and alive,
 * and the groups that share it, one for each distinct filter and pace.
 *
 * It exists while a group does, and lingers for linger_ms after the last one, so that a reload of all pages does not
 * churn Redis; not when groups_max or topics_max leave no room for others. Ownership: an interest owns its attachments;
 * groups are owned by groups.h. */
#ifndef HG_CORE_INTEREST_H
#define HG_CORE_INTEREST_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/time.h"
#include "core/source.h"

struct hg_core;
struct hg_fields;
struct hg_filter;
struct hg_filter_index;
struct hg_group;

struct hg_interest {
    struct hg_map_node node; /* by pattern */
    struct hg_list_node in_all;
    struct hg_slice pattern; /* owned */
    bool exact;
    const struct hg_rule *rule; /* exact */

    struct hg_list attachments;
    size_t unready;              /* attached sources that are not READY, or are read whole first */
    size_t not_alive;            /* attached sources that are not alive */
    size_t holding;              /* attached sources with entries that wait for their proof */
    struct hg_list pending;      /* subscriptions that wait to join, of all groups */
    struct hg_list seeks;        /* seeks of members that wait for an entry */
    bool stale;                  /* members were told so */
    bool wants_streams;          /* a pattern: registered with discovery */
    uint64_t needs_pass;         /* ready after this discovery pass; 0: not waiting */
    bool undecided;              /* exact, "auto": the type is not known yet */
    bool full_told;              /* a stream was left out at topics_max, and members were told */
    uint64_t left_out_in;        /* the discovery pass that left out a stream last */
    struct hg_list_node in_auto; /* a list of discovery's */
    struct hg_request *type_request;

    struct hg_list groups;
    struct hg_group *plain;        /* of these, the one without a filter and without a pace */
    struct hg_map others;          /* the others, by the canonical text of their filters and paces */
    struct hg_list paced;          /* of the others, those without a filter */
    struct hg_filter_index *index; /* of their filters; made with the first */
    struct hg_fields *keys;        /* what the keys of their paces read; made with the first */
    size_t member_count;           /* of all groups */
    uint64_t newest_ms;            /* of its streams' entries */

    struct hg_list_node linger; /* interests->lingering */
    hg_time linger_until;
};

struct hg_interests {
    struct hg_map map;
    struct hg_list all, lingering;
};

/* The interest in a pattern, made if need be. Errors, with a sentence in `message`: UNKNOWN_TOPIC, LIMIT_EXCEEDED,
 * BAD_REQUEST. One that gets no group must be given back with hg_interest_linger(). */
HG_RESULT hg_interest_get(struct hg_core *core, struct hg_slice pattern, struct hg_interest **ret_interest,
                          struct hg_buf *message);
/* Its last group is gone. */
void hg_interest_linger(struct hg_core *core, struct hg_interest *interest);

bool hg_interest_is_ready(const struct hg_interest *interest);
/* Something it waited for came true; answers pending subscriptions if all did. */
void hg_interest_check_ready(struct hg_core *core, struct hg_interest *interest);
/* Redis refused a source: pending subscriptions are answered with the error. */
void hg_interest_refuse(struct hg_core *core, struct hg_interest *interest, enum hg_error error, const char *why);
/* How many attached sources are not alive has changed. */
void hg_interest_check_alive(struct hg_core *core, struct hg_interest *interest);

/* Takes a stream that was discovered. `whole`: members of a ready interest get it from its first entry. */
void hg_interest_take_stream(struct hg_core *core, struct hg_interest *interest, struct hg_source *source,
                             const struct hg_rule *rule, bool whole);
/* Frees the attachment and what hangs on it: replays of members, spans of logs. */
void hg_interest_detach(struct hg_core *core, struct hg_attachment *attachment);

/* A filtered group comes, or is about to go. */
void hg_interest_add_filter(struct hg_core *core, struct hg_group *group);
void hg_interest_remove_filter(struct hg_group *group);

/* What happened on a topic, for the groups. */
struct hg_happening {
    struct hg_slice topic;
    const hg_stream_id *id; /* NULL: a channel's message */
    struct hg_slice json;   /* the event's bytes; empty when they are no JSON */
    struct hg_slice tail;   /* of its message, from hg_message_event_tail() */
    bool fits;              /* false: larger than event_bytes_max, so a gap of one takes its place */
    uint64_t except;        /* a session here that it is not for; 0: none */
};
void hg_interest_offer(struct hg_core *core, struct hg_attachment *attachment, const struct hg_happening *happening);
/* Whether an event passes one group's filter: for replays. `known`: its bytes were found to be JSON. */
bool hg_interest_passes(struct hg_core *core, const struct hg_group *group, struct hg_slice topic, struct hg_slice json,
                        bool known);
/* All members are told what was missed of a stream, in order with their events. */
void hg_interest_missed(struct hg_core *core, struct hg_attachment *attachment, struct hg_verdict verdict);
void hg_interest_interrupted(struct hg_core *core, struct hg_interest *interest);
/* All members are told that a stream is left out, in order with their events. */
void hg_interest_left_out(struct hg_core *core, struct hg_interest *interest, struct hg_slice topic);

void hg_interests_init(struct hg_core *core);
void hg_interests_done(struct hg_core *core);
void hg_interests_tick(struct hg_core *core);
hg_time hg_interests_deadline(const struct hg_core *core);
void hg_interests_validate(const struct hg_core *core);

#endif
