/* source.h – what is followed in Redis: a channel, a channel pattern (glob), or a stream; and which groups it feeds.
 *
 * A source exists while a group is attached to it. WANTED (to be subscribed or located) → ASKED → READY, and back to
 * WANTED when the listener is lost; a stream keeps its place once it is READY. BROKEN: Redis refused; asked again
 * later. A stream starts behind its newest entry, found once with XINFO STREAM, never with "$": across a reconnect "$"
 * would be another place. Ownership: sources own their attachments' source side; attachments are freed by
 * hg_source_detach(). */
#ifndef HG_CORE_SOURCE_H
#define HG_CORE_SOURCE_H

#include "base/list.h"
#include "base/map.h"
#include "base/time.h"
#include "config/config.h"
#include "core/history.h"
#include "core/proof.h"
#include "core/replay.h"
#include "core/reply.h"
#include "flow/backoff.h"
#include "stream/id.h"

struct hg_core;
struct hg_interest;
struct hg_reader;
struct hg_request;

enum hg_source_type { HG_SOURCE_TYPE_CHANNEL, HG_SOURCE_TYPE_PATTERN, HG_SOURCE_TYPE_STREAM };
enum hg_source_state { HG_SOURCE_WANTED, HG_SOURCE_ASKED, HG_SOURCE_READY, HG_SOURCE_BROKEN };

struct hg_source {
    struct hg_map_node node; /* by Redis name */
    struct hg_list_node in_all;
    enum hg_source_type type;
    enum hg_source_state state;
    struct hg_slice name;  /* the Redis name; owned */
    struct hg_slice topic; /* owned; empty for a pattern */
    struct hg_list attachments;
    struct hg_list_node todo;   /* in sources->wanted or sources->broken */
    struct hg_request *request; /* ASKED, or an INSPECT under way */
    struct hg_backoff backoff;  /* BROKEN */
    hg_time retry_at;           /* BROKEN */
    char *trouble;              /* BROKEN: Redis's words */
    bool interrupted;           /* channel or pattern: was READY, then lost its link; a gap is owed */
    bool alive;                 /* what its groups were told: false after stale, true after live */
    /* streams */
    bool placed;          /* its place is known */
    bool whole;           /* read from its beginning for the groups that want it whole, and not up to `tail` yet */
    struct hg_place last; /* the newest entry handed to the groups */
    struct hg_place read; /* the newest entry read; those behind `last` wait for proof that none is missing */
    struct hg_place tail; /* the newest entry when it was located */
    bool by_range;        /* located with XREVRANGE, not XINFO */
    struct hg_place tip;  /* what Redis said last of its newest entry, when it was asked for a client that is ahead */
    hg_time tip_asked_at;
    struct hg_request *tip_request;
    struct hg_verdict hole; /* in front of the next entry, WHOLE: none */
    struct hg_proving proving;
    struct hg_history history;
    struct hg_past_wants wants;
    struct hg_reader *reader; /* READY */
    struct hg_list_node in_reader;
    uint64_t asked_in;   /* the reader's request that names it */
    uint64_t brought_in; /* the reader's request that brought entries last */
    uint64_t seen_in;    /* the discovery pass that saw its key */
    hg_time last_entry_at;
};

/* One source feeds one interest. */
struct hg_attachment {
    struct hg_list_node in_source, in_interest;
    struct hg_source *source;
    struct hg_interest *interest;
    const struct hg_rule *rule;
    bool whole;            /* the stream is wanted from its first entry; until then nobody new may join the group */
    struct hg_place after; /* only newer entries of a stream are for the interest */
    uint64_t marked;       /* the last look-up of given places that found one for it: */
    struct hg_place given;
    size_t fallen; /* one past its place in groups->fall, 0: none */
};

/* Up to where the group has got the stream. */
struct hg_place hg_attachment_place(const struct hg_attachment *attachment);

struct hg_sources {
    struct hg_map maps[3]; /* one a type */
    struct hg_list all[3];
    struct hg_list wanted[2]; /* of the listener and of the commander */
    struct hg_list broken;
    hg_time retry_at;  /* no BROKEN one is due before */
    char *trouble;     /* Redis's words about streams that patterns brought, said last */
    bool without_info; /* Redis refuses XINFO: nothing is counted */
    bool cannot_prove; /* and it was said */
};

/* The source, made if need be. Errors: LIMIT_EXCEEDED at topics_max; BAD_REQUEST when the Redis name is followed under
 * another topic already (two rules map two topics to it). `topic` is ignored for patterns. */
HG_RESULT hg_source_get(struct hg_core *core, enum hg_source_type type, struct hg_slice name, struct hg_slice topic,
                        struct hg_source **ret_source);
struct hg_source *hg_source_find(const struct hg_core *core, enum hg_source_type type, struct hg_slice name);

struct hg_attachment *hg_source_attach(struct hg_core *core, struct hg_source *source, struct hg_interest *interest,
                                       const struct hg_rule *rule);
/* Frees the attachment, and the source with the last one. */
void hg_source_detach(struct hg_core *core, struct hg_attachment *attachment);

/* Everything up to the tail was read, or is not there any more: who waits to join may. */
void hg_source_settle(struct hg_core *core, struct hg_source *source);

/* Answers. `reply` NULL: lost. */
void hg_source_subscribed(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply);
void hg_source_located(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply);
void hg_source_inspected(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply);
void hg_source_inspect(struct hg_core *core, struct hg_source *source);

/* Events. */
void hg_source_message(struct hg_core *core, struct hg_slice channel, struct hg_slice payload);
void hg_source_pattern_message(struct hg_core *core, struct hg_slice glob, struct hg_slice channel,
                               struct hg_slice payload);
/* An entry was read; it waits for its proof. */
void hg_source_entry(struct hg_core *core, struct hg_source *source, const struct hg_entry *entry);
/* What was read and not handed on is forgotten. */
void hg_source_unread(struct hg_core *core, struct hg_source *source);
/* What was read goes to the groups. */
void hg_source_offer(struct hg_core *core, struct hg_source *source);
/* The stream's history is another one: it is read on from `place`, and everybody is told. */
void hg_source_reset(struct hg_core *core, struct hg_source *source, struct hg_place place, enum hg_continuity why);
/* Everybody who follows the stream is told. */
void hg_source_tell(struct hg_core *core, struct hg_source *source, struct hg_verdict verdict);
/* Its key is of another type now. The source may be freed. */
void hg_source_is_no_stream(struct hg_core *core, struct hg_source *source);
/* A client is at `id`, further than the groups. True: Redis, asked since `since`, is not as far, and the groups have
 * all that it has; false: it is, or is asked now, and the entry may come. */
bool hg_source_is_behind(struct hg_core *core, struct hg_source *source, hg_stream_id id, hg_time since);
void hg_source_tipped(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply);
/* What history and place know of an entry. */
enum hg_known hg_source_knows(const struct hg_source *source, struct hg_place place);

/* Builds the tail of an entry's event message in core->tail; false when it is larger than event_bytes_max. `ret_json`:
 * the event's bytes, for filters; nothing when they are no JSON, or of an entry too large without a payload field. */
bool hg_source_put_entry(struct hg_core *core, const struct hg_rule *rule, struct hg_slice topic,
                         const struct hg_entry *entry, uint32_t *ret_fingerprint, struct hg_slice *ret_json,
                         struct hg_slice *ret_tail);

void hg_source_set_alive(struct hg_core *core, struct hg_source *source, bool alive);
void hg_sources_init(struct hg_core *core);
void hg_sources_listener_lost(struct hg_core *core);
void hg_sources_validate(const struct hg_core *core);
void hg_sources_done(struct hg_core *core);
size_t hg_sources_count(const struct hg_core *core);
/* Asks Redis for what is wanted, as far as the links are up. */
void hg_sources_pump(struct hg_core *core);
hg_time hg_sources_deadline(const struct hg_core *core);

#endif
