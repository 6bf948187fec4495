/* oracle.h – what must be true: it sees what publishers did, what reached the gateway, and what clients were told, and
 * ends the run when a rule of the architecture is broken.
 *
 * A track follows one subscription of one client, from the moment its order reached the gateway. For each topic it has
 *   a feed   (channels): what the gateway was handed or has missed, in order; a client must get each event, or be told;
 *   a place  (streams): the entry that must come next.
 * What happened between the order and its ok may or may not be told; from the ok on, everything is due that passes the
 * filter, and nothing else. With the ok of an update another filter applies, from one point on that lies between the
 * order and the ok: what the gateway had before is due under the old filter, before the ok; the rest under the new one.
 * Calls out: none; sim_violation() does not return. */
#ifndef HG_SIM_ORACLE_H
#define HG_SIM_ORACLE_H

#include <jansson.h>

#include "sim/client.h"
#include "sim/env.h"
#include "sim/pace.h"
#include "sim/redis.h"
#include "sim/store.h"

#define SIM_TOPICS_MAX 16
#define SIM_RULES_MAX  8

enum sim_item_kind {
    SIM_ITEM_EVENT, /* handed to the gateway */
    SIM_ITEM_LOST,  /* published while the gateway could not hear it */
    SIM_ITEM_BREAK, /* the listener's link was lost */
};

struct sim_item {
    enum sim_item_kind kind;
    bool optional; /* before the ok */
    bool covered;  /* LOST, BREAK: a gap came after it, and no event since */
    bool old;      /* handed before an update was ordered, so its old filter applies */
    bool got;      /* with a pace: it came */
    uint64_t number;
};

struct sim_feed {
    struct sim_item *items;
    size_t head, count, capacity;
    bool begun; /* an event came: from it on nothing is optional */
};

struct sim_place {
    size_t count_at_order, first_at_order, shown_at_order, count_at_ok;
    size_t there;   /* entries that the gateway knows of, or must find */
    size_t recent;  /* the first entry that was young when the order came */
    bool in_memory; /* where it begins is: no XRANGE may be needed */
    uint64_t ranges_at_order, replays_at_order;
    bool followed;     /* somebody else's subscription may have had the gateway read it already */
    size_t since_high; /* the first entry of the log at the time asked for */
    bool begun;
    size_t next; /* begun: the entry that is due */
    bool *came;  /* which entries did, since its subscribe or seek */
    size_t came_capacity;
    uint64_t budget; /* entries too large to be shown, told as gaps, not yet passed */
    size_t shown_at_update;
    bool seam; /* an update was answered, or a fence was told: the next entry is of [seam_low, seam_high], or the first
                * after that passes */
    size_t seam_low, seam_high;
    /* It was told that something is missing: what went before that need not come, and nothing up to the next event. */
    bool gap, gap_is_last;
    hg_time gap_at;
    /* Entries told as trimmed, and those that were missing: at least, at most. */
    bool unclear;
    bool vague; /* some of them before the first event */
    uint64_t told, missing_least, missing_most;
    bool fenced;       /* told since the last event that ids may begin again */
    size_t fence_told; /* fences of the key when it was told so */
    /* The newest entry that the client knows of: by an event, the ok, or the cursor it came with. */
    struct sim_cursor held;
};

/* What a client keeps of a subscription to come back to. */
struct sim_memory {
    const char *pattern;
    const struct sim_filter *filter;
    uint64_t since_ms;
    struct sim_cursor cursors[SIM_TOPICS_MAX];
};

enum sim_track_state { SIM_TRACK_PENDING, SIM_TRACK_ACTIVE };

struct sim_track {
    enum sim_track_state state;
    uint64_t client, sub;
    struct sim_order *order;
    const char *pattern;
    const struct sim_filter *filter; /* NULL: everything passes */
    const struct sim_order *update;  /* under way */
    bool paused;                     /* as the last ok told */
    bool played;                     /* ever paused, resumed or made to seek */
    bool replay_began;               /* with a speed: */
    uint64_t origin_ms;              /* of its first event; its way began then at the earliest: */
    hg_time origin_at;
    bool exact, stale;
    bool stale_due;     /* for a link that was half open */
    bool stale_unclear; /* another of the same topics went, and which of them was told what is not known */
    uint64_t company;   /* most subscriptions of the same topics at the same time */
    bool caught_up_due; /* may still come */
    bool from_unclear;  /* another order for the same was pending: its `from` may be the one that counts */
    bool matches[SIM_TOPICS_MAX];
    struct hg_slice globs[SIM_RULES_MAX]; /* of a pattern; null pointer: it does not listen for this rule */
    uint64_t sources;                     /* channels and globs it listens to */
    uint64_t gaps_due;                    /* gaps of reason disconnected that may be told */
    uint64_t stales, troubles_at_order;
    uint64_t overflow_told, skipped, skipped_optional;
    uint64_t since_ms;           /* as its ok told */
    const struct sim_pace *pace; /* NULL: everything comes */
    size_t pace_at;              /* of its feed, what comes next at the earliest; its head stays */
    uint64_t received, conflated;
    bool vague; /* it was told that something is missing, and not how much */
    struct sim_feed feeds[SIM_TOPICS_MAX];
    struct sim_place places[SIM_TOPICS_MAX];
};

struct sim_oracle {
    struct sim_env *env;
    struct sim_track **tracks;
    size_t track_count, track_capacity;
    struct sim_payload *messages[SIM_TOPICS_MAX]; /* published, by number */
    size_t message_count[SIM_TOPICS_MAX], message_capacity[SIM_TOPICS_MAX];
    uint64_t replays_asked[SIM_TOPICS_MAX];
    hg_time full_since; /* more bytes are held than allowed */
    uint64_t troubles;  /* links lost, commands refused, odd answers so far */
    uint64_t events_seen, gaps_seen;
    struct sim_memory memories[16]; /* of subscriptions that ended, in turn */
    size_t memory_count;
};

void sim_oracle_init(struct sim_oracle *oracle, struct sim_env *env);
void sim_oracle_done(struct sim_oracle *oracle);

/* Publishers and Redis. A glob with a null pointer: by the channel's own name. */
void sim_oracle_published(struct sim_oracle *oracle, int topic, struct sim_payload payload);
void sim_oracle_message_handed(struct sim_oracle *oracle, int topic, struct hg_slice glob, uint64_t number);
void sim_oracle_message_lost(struct sim_oracle *oracle, int topic, struct hg_slice glob, uint64_t number);
void sim_oracle_listener_lost(struct sim_oracle *oracle);
void sim_oracle_trouble(struct sim_oracle *oracle);
/* The gateway found out that it was not told anything of these streams, or of any channel: stale is due. */
void sim_oracle_unheard(struct sim_oracle *oracle, bool channels, uint32_t topics);
void sim_oracle_appended(struct sim_oracle *oracle, const struct sim_key *key, const struct sim_entry *entry,
                         uint64_t window_ms, uint64_t maxlen);

/* Clients. `open`: the gateway had not closed it. */
void sim_oracle_order(struct sim_oracle *oracle, struct sim_order *order, bool open);
void sim_oracle_message(struct sim_oracle *oracle, struct sim_client *client, struct hg_slice text, const char *op,
                        const json_t *message);
void sim_oracle_client_closing(struct sim_oracle *oracle, uint64_t client);

/* Cheap rules, after each turn. */
void sim_oracle_turn(struct sim_oracle *oracle);
/* Whether everything due has come; then there is no need to wait longer. */
bool sim_oracle_is_settled(const struct sim_oracle *oracle);
/* After everything healed and time passed: whatever is due has come, or the run ends. */
void sim_oracle_settled(struct sim_oracle *oracle);
/* After all clients left and lingering ended: nothing is kept. */
void sim_oracle_empty(struct sim_oracle *oracle);

/* A subscription that the client knows of, by chance; NULL when it has none. */
const struct sim_track *sim_oracle_pick(const struct sim_oracle *oracle, uint64_t client, uint32_t chance);

/* For the parts of the oracle. */
const struct sim_memory *sim_oracle_memory(const struct sim_oracle *oracle, uint32_t chance);

bool sim_is_channel(const struct sim_env *env, int topic);
/* A channel under an "auto" rule that became a stream: what is published on it is not due any more. */
bool sim_is_converted(const struct sim_env *env, int topic);
bool sim_is_oversize(const struct sim_env *env, const struct sim_key *key, size_t index);
/* Whether an entry is due under a filter. */
bool sim_entry_passes(const struct sim_env *env, const struct sim_filter *filter, const struct sim_key *key,
                      size_t index);

void sim_feed_put(struct sim_feed *feed, enum sim_item_kind kind, bool optional, uint64_t number);
void sim_feed_event(struct sim_oracle *oracle, struct sim_track *track, int topic, uint64_t number);
void sim_feed_disconnected(struct sim_track *track, int topic);
void sim_feed_update_ordered(struct sim_track *track, int topic);
/* The ok of an update came; the track still has the old filter. */
void sim_feed_updated(struct sim_oracle *oracle, struct sim_track *track, int topic);
/* Whether something may still come. */
bool sim_feed_is_waiting(const struct sim_oracle *oracle, const struct sim_track *track, int topic);
void sim_feed_settled(struct sim_oracle *oracle, struct sim_track *track, int topic);

void sim_place_ordered(struct sim_oracle *oracle, struct sim_track *track, int topic);
void sim_place_event(struct sim_oracle *oracle, struct sim_track *track, int topic, struct hg_slice cursor,
                     struct hg_slice text, const json_t *message);
/* A seek reached the gateway: where it begins. */
void sim_place_seek_ordered(struct sim_oracle *oracle, struct sim_track *track, struct sim_order *order);
/* The ok of a subscribe. `cursor`: as it told, NULL without. */
void sim_place_answered(struct sim_oracle *oracle, struct sim_track *track, int topic, const char *cursor);
/* A gap of a reason that streams have. `maybe`: it was told of the pattern, and may mean another stream of it. */
void sim_place_gap(struct sim_oracle *oracle, struct sim_track *track, int topic, bool maybe, const char *reason,
                   uint64_t count);
/* As sim_feed_updated(). */
void sim_place_updated(struct sim_oracle *oracle, struct sim_track *track, int topic);
/* The first entry before `upto` that has to come still, or `upto`. `strictly`: as below. */
size_t sim_place_due(const struct sim_oracle *oracle, const struct sim_track *track, int topic, size_t upto,
                     bool strictly);
/* Whether everything before entry `upto` has come, or cannot. `strictly`: and what is missing was told. */
bool sim_place_has(const struct sim_oracle *oracle, const struct sim_track *track, int topic, size_t upto,
                   bool strictly);
/* At the end: what was told of entries that are missing. */
void sim_place_settled(struct sim_oracle *oracle, struct sim_track *track, int topic);
/* Whether the stream may be another since, and the gateway not know it. */
bool sim_place_is_in_doubt(const struct sim_oracle *oracle, const struct sim_track *track, int topic);
/* Whether the client knows of an entry that was lost with its history, and was not told so. */
bool sim_place_owes_fence(const struct sim_oracle *oracle, const struct sim_track *track, int topic);

/* Answers to orders. The order that `message` answers, checked; NULL: an error that answers none. */
struct sim_order *sim_answer_order(struct sim_oracle *oracle, struct sim_client *client, bool ok,
                                   const json_t *message);
void sim_answer_emit_ordered(struct sim_oracle *oracle, struct sim_order *order);

#endif
