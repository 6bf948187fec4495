/* conflation.h – a group with a pace (conflate, rate): what its members have not been told yet, latest only.
 *
 * Events of a topic with the same key share one slot, which holds the latest frame; without a key all events share one.
 * What else members are told (gaps, stale, live) stands between them. All of it is in one order, by version, so ids of
 * a topic increase in it, and what follows a gap comes after it. Every so often, or at once when there is something to
 * be told that is no event, the group ticks: what changed since goes into the group's log, shared by all who are in
 * step, then the number of events that were left out. Who has not taken its last tick by then leaves the log: it is
 * behind, and when its socket takes more, what changed since what it has is built for it alone, with its own count. So
 * it costs no log, and always gets the latest.
 *
 * Bounds: conflate_keys_max and log_bytes_max a group; beyond, what is oldest goes, and those who had not seen it are
 * told a gap of unknown count. What everybody has seen goes when the last one has. Counts: of the events offered to a
 * member, each is sent, or in a count of those left out, or still to come; so what is lost to the bounds is in the
 * count too. Ownership: a conflation is its group's; frames are its own. */
#ifndef HG_CORE_CONFLATION_H
#define HG_CORE_CONFLATION_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/time.h"
#include "filter/value.h"

struct hg_core;
struct hg_filter;
struct hg_group;
struct hg_session;
struct hg_sub;

/* How a client wants its events: at most the latest of each key so often. */
struct hg_tempo {
    struct hg_filter *key; /* NULL: none, all events are of one key */
    uint32_t every_ms;     /* 0: as they come; there is no key then */
};

struct hg_conflation {
    struct hg_group *group;
    struct hg_tempo tempo; /* its key is a reference */
    uint32_t *key_slots;   /* of the key's places in interest->keys */
    struct hg_slice name;  /* owned; with the filter, what tells the group from others */
    struct hg_list_node in_all;
    struct hg_list entries; /* by version, oldest first */
    struct hg_map slots;    /* of these, those that hold events, by topic and key */
    uint64_t bytes;
    uint64_t version, events;       /* of the newest entry; events offered so far */
    uint64_t ticked, ticked_events; /* the same at the last tick */
    uint64_t lost;                  /* the newest version that went although somebody had not seen it */
    size_t late;                    /* members that have not seen all of the last tick */
    bool has_ticked;
    hg_time last_tick, due;
    size_t in_agenda; /* where in the agenda; SIZE_MAX: nothing is to be told */
};

/* What one member has. Made when it joins, gone when it leaves. */
struct hg_drain {
    struct hg_list_node overdue; /* the backlog's: behind, and it could have more */
    struct hg_sub *sub;
    uint64_t seen;    /* the version up to which it has everything */
    uint64_t counted; /* the events up to which each is accounted for */
    uint64_t taken;   /* events put out to it since */
    uint64_t told;    /* the lost version that it was told a gap for */
    bool building;    /* in the middle of what is built for it, up to here: */
    uint64_t upto, upto_events;
};

struct hg_conflations {
    struct hg_list all;
    struct hg_conflation **agenda; /* a heap, soonest first */
    size_t agenda_count, agenda_capacity;
};

/* The name of a pace and a filter (NULL: none), appended: equal for what is the same subscription. Never that of a
 * filter alone. */
void hg_tempo_put_name(struct hg_tempo tempo, const struct hg_filter *filter, struct hg_buf *into);

/* The group is in its interest already. */
void hg_conflation_new(struct hg_core *core, struct hg_group *group, struct hg_tempo tempo, struct hg_slice name);
/* Accepts NULL. */
void hg_conflation_free(struct hg_core *core, struct hg_conflation *conflation);

/* An event. `key`: what its key expression is worth; anything but text, a number, a truth or NULL is no key, and all
 * such events of a topic are of one. `tail` from hg_message_event_tail(). */
void hg_conflation_offer(struct hg_core *core, struct hg_group *group, struct hg_slice topic, struct hg_value key,
                         struct hg_slice tail);
enum hg_notice { HG_NOTICE_GAP, HG_NOTICE_OVERSIZE /* a gap in an event's place */, HG_NOTICE_STALE, HG_NOTICE_LIVE };
/* Something else that all members are told: the caller puts its frame into the buffer, then calls noted(). */
struct hg_buf *hg_conflation_note(struct hg_core *core, struct hg_group *group, enum hg_notice notice);
void hg_conflation_noted(struct hg_core *core, struct hg_group *group);
/* The oldest entry goes. False: there is none. */
bool hg_conflation_evict(struct hg_core *core, struct hg_conflation *conflation);

/* For group.c, whatever the group: a member came (nothing that was before is for it); is about to go; is about to have
 * its segment; is to have nothing of what it was owed; fell off the log. */
void hg_conflation_joined(struct hg_sub *sub);
void hg_conflation_leaves(struct hg_core *core, struct hg_sub *sub);
void hg_conflation_took(struct hg_core *core, struct hg_sub *sub);
void hg_conflation_skip(struct hg_core *core, struct hg_sub *sub);
void hg_conflation_fell(struct hg_core *core, struct hg_sub *sub);
/* Its state, place or wishes changed: whether it is overdue. */
void hg_conflation_check(struct hg_core *core, struct hg_sub *sub);
/* Whether it has been given everything that was ever offered; true without a pace. */
bool hg_conflation_is_even(const struct hg_sub *sub);

/* Puts what is overdue into session->out, up to HG_WRITE_BYTES. */
void hg_conflations_fill(struct hg_core *core, struct hg_session *session);
/* Those that are due tick; `all`: those that have something to tell. */
void hg_conflations_tick(struct hg_core *core, bool all);
/* One entry of some group goes. False: there is none. */
bool hg_conflations_evict(struct hg_core *core);
hg_time hg_conflations_deadline(const struct hg_core *core);
void hg_conflations_done(struct hg_core *core);
void hg_conflation_validate(const struct hg_core *core, const struct hg_conflation *conflation);

#endif
