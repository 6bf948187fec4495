/* lane.h – the emits of one stream, in order: sent to Redis one call at a time, what comes meanwhile goes with the
 * next.
 *
 * READY → CALLING → READY …, gone when it has been EMPTY for a while.
 * One call under way keeps the order whatever fails, and makes calls larger the more there is to do. A lone event
 * leaves at once. After a call of several the next one waits for as many again, since those who were answered often go
 * on, but no longer than HG_LANE_GATHER_US: else one half of what is under way would wait for the other, in calls of
 * half the size. A call whose outcome is unknown is made again from its first event that is not answered: the step in
 * Redis makes that harmless. Ownership: the emitter owns lanes, a lane owns its emits. */
#ifndef HG_CORE_LANE_H
#define HG_CORE_LANE_H

#include "base/list.h"
#include "base/map.h"
#include "base/time.h"
#include "core/dedupe.h"
#include "core/ports.h"
#include "core/uplink.h"

#define HG_LANE_CALL_EVENTS 256u
#define HG_LANE_CALL_BYTES  (1u << 20) /* of events; a larger one goes alone */
#define HG_LANE_GATHER_US   500u
#define HG_LANE_GATHER_MIN  4u    /* events of a call after which the next one waits */
#define HG_LANE_LINGER_MS   1000u /* how long an empty one is kept, so that it knows what was last */
#define HG_LANE_LINGER_MAX  1024u /* so many of them at most */
#define HG_EMIT_MORE_MAX    16    /* names and values that stand beside an event */

struct hg_core;
struct hg_request;

/* One event that was accepted: for its stream, or, refused for good, for the stream of dead letters. */
struct hg_emit {
    struct hg_list_node in_order; /* emitter->emits: by deadline */
    struct hg_list_node in_lane;
    struct hg_lane *lane;
    hg_session_ref session;
    hg_time deadline;
    uint32_t fingerprint, digest;
    size_t bytes;
    bool tried;  /* sent before, and what became of it is not known, or refused for now */
    bool placed; /* it stands in the stream, but how durably is not known: */
    bool duplicate;
    bool confirmed; /* by the call under way */
    struct hg_cursor cursor;
    struct hg_emit **slot; /* in lane->items; NULL: not in a call */
    uint8_t more_count;
    enum hg_error verdict; /* of a dead letter: what its client is told; else OK */
    struct hg_slice pointer, why;
    char stamp[HG_DEDUPE_STAMP_BYTES];
    uint8_t stamp_len;
    struct hg_slice ref, id, event, scope; /* within the memory behind `more` */
    struct hg_slice more[];
};

enum hg_lane_kind { HG_LANE_EVENTS, HG_LANE_DEAD_LETTERS };
enum hg_lane_state { HG_LANE_EMPTY, HG_LANE_READY, HG_LANE_CALLING };

struct hg_lane {
    struct hg_map_node by_name; /* emitter->lanes */
    enum hg_lane_kind kind;
    const struct hg_rule *rule;
    struct hg_uplink *uplink;
    struct hg_list emits;
    enum hg_lane_state state;
    struct hg_list_node in_state; /* READY: uplink->ready; EMPTY: emitter->empty */
    hg_time emptied;              /* EMPTY: since when */
    size_t expected;              /* the next call waits for so many events: */
    hg_time gathers_until;
    hg_time look_at; /* when Redis is to look again whether its hashes are to be turned (dedupe.h) */
    /* CALLING: */
    struct hg_request *call, *wait;
    struct hg_emit **items; /* of the call, in order; NULL: answered meanwhile */
    size_t item_count, item_capacity;
    bool in_transaction; /* plain commands, without dedupe */
    size_t comparing;    /* entries that are read (idmp.h), of the items with a bit set: */
    uint64_t compared[HG_LANE_CALL_EVENTS / 64];
    char *refusal; /* what a command of a transaction was answered */
    struct hg_slice name, topic, stream, current, previous;
    char text[];
};

/* The lane of a topic, whose rule and stream are given, made if need be. */
struct hg_lane *hg_lane_get(struct hg_core *core, const struct hg_rule *rule, enum hg_lane_kind kind,
                            struct hg_slice topic, struct hg_slice stream);
/* The name of the field that holds the event's bytes. */
struct hg_slice hg_lane_field(const struct hg_lane *lane);
/* Takes the emit. */
void hg_lane_push(struct hg_core *core, struct hg_lane *lane, struct hg_emit *emit);
/* The emit is about to be freed. */
void hg_lane_remove(struct hg_core *core, struct hg_emit *emit);

/* What a call was answered, and the WAIT behind it; NULL: lost with the link. */
void hg_lane_answered(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply);
void hg_lane_waited(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply);
/* A command of its transaction was queued, or refused. */
void hg_lane_queued(struct hg_lane *lane, const struct hg_reply *reply);

/* For idmp.c. The call is over; what it did not settle goes with the next. */
void hg_lane_end_call(struct hg_core *core, struct hg_lane *lane);
/* The whole call was answered with an error, or oddly; ends it. */
void hg_lane_call_failed(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply);
/* What became of one event. False: it was refused, and those behind it were not tried. */
bool hg_lane_settle(struct hg_core *core, struct hg_lane *lane, struct hg_emit *emit, struct hg_dedupe_answer answer);
/* Room for the words of one command; valid until the next call. */
struct hg_slice *hg_lane_words(struct hg_core *core, size_t count);
/* Refused for now: the same may go through later. */
bool hg_lane_may_pass(struct hg_slice words);

/* Sends what is ready. */
void hg_lanes_pump(struct hg_core *core);
/* When one has gathered for long enough. */
hg_time hg_lanes_deadline(const struct hg_core *core);
/* All of them. */
void hg_lanes_done(struct hg_core *core);
void hg_lanes_validate(const struct hg_core *core);

#endif
