/* replay.h – what a subscription gets of a stream's past before it goes on with its group's log: for `from`, when it
 * comes back, and when it fell behind the log.
 *
 * A replay goes through the stream's history (history.h), as fast as its client takes it or at a pace. What is not in
 * memory is read from Redis, one page at a time for a stream, and all replays that want it share it. A replay ends at
 * `until`, the source's place when the subscription was pinned to the log; what comes later is in the log, so the two
 * meet without a hole or a double. A replay that has to prove its place begins with the entry there, included: with the
 * same fingerprint nothing was missed; else XINFO STREAM is asked, the client is told a gap, and it goes on from the
 * first entry that is there. */
#ifndef HG_CORE_REPLAY_H
#define HG_CORE_REPLAY_H

#include "base/list.h"
#include "base/time.h"
#include "core/history.h"

#define HG_REPLAYS_RUNNING 16
#define HG_REPLAY_SCANS    100000u /* entries that all replays look at in one turn */

struct hg_attachment;
struct hg_session;
struct hg_sub;

enum hg_proof {
    HG_PROOF_NONE,  /* begins with the first entry from `from` on */
    HG_PROOF_FIRST, /* begins with the entry `from`, which was there */
    HG_PROOF_SEEN   /* the client has the entry `from`; begins behind it */
};

struct hg_replay {
    struct hg_list_node in_sub;
    struct hg_list_node queue; /* where it waits: see below; in none while its subscription is paused */
    struct hg_sub *sub;
    struct hg_attachment *attachment;
    enum hg_proof proof;
    struct hg_place from;
    hg_stream_id until;       /* included */
    struct hg_place end;      /* proven: an entry stood there, which must come, or be told as missing */
    struct hg_verdict hole;   /* behind `until`, found before it began: its log has no gap for it */
    bool told;                /* what is missing behind the last entry that came */
    bool ended;               /* it did not come: what became of it is asked */
    enum hg_continuity after; /* to be told at the end: its log goes on in a history that is another one now */
    uint64_t last;            /* > 0: `from` is to be found, this many entries that pass, not newer than `upper` */
    hg_stream_id upper;
    struct hg_verdict owed; /* what its subscription lost of the log with a gap in it; told first */
    hg_stream_id fallen;    /* the first entry that its subscription lost of the log meanwhile; 0-0: none */
    hg_time due;            /* paced: of the next entry */
};

/* Of one source: who waits for what, and what is asked. */
struct hg_past_wants {
    struct hg_list pages;    /* replays that need a page */
    struct hg_list verdicts; /* replays whose place is in doubt */
    struct hg_list_node hungry;
    struct hg_request *page, *verdict;
    hg_stream_id page_from, page_to;
    uint64_t page_count, pages_asked;
    struct hg_place joint; /* the entry that the page must end with, or begin with if backwards; proven: one is: the
                            * next in memory, or else the newest that was read */
    bool unjoined;         /* it was not there: the next page is taken without one, once the stream is proven */
    bool page_backwards, page_stale; /* stale: the history was made anew since */
};

struct hg_replays {
    struct hg_list hungry; /* sources that need a page or a verdict and have asked for none */
    struct hg_list paced;  /* replays that wait for their time */
    hg_time paced_until;   /* none of them is due before */
    size_t running;        /* pages under way */
    uint64_t entry_bytes;  /* moving average, for COUNT */
    uint64_t scans_left;   /* entries that may be looked at in this turn */
    hg_time retry_at;      /* after Redis refused */
};

/* Up to the source's place now. */
void hg_replay_start(struct hg_core *core, struct hg_sub *sub, struct hg_attachment *attachment, enum hg_proof proof,
                     struct hg_place from);
/* The last entries that pass. */
void hg_replay_start_last(struct hg_core *core, struct hg_sub *sub, struct hg_attachment *attachment, uint64_t last);
/* Its subscription fell behind the log, and lost this of it. */
struct hg_span;
void hg_replay_start_fallen(struct hg_core *core, struct hg_sub *sub, const struct hg_span *span);
void hg_replay_extend(struct hg_replay *replay, const struct hg_span *span);
void hg_replay_free(struct hg_core *core, struct hg_replay *replay);
/* Its subscription goes on after a pause. */
void hg_replay_wake(struct hg_core *core, struct hg_replay *replay);
void hg_replay_sleep(struct hg_core *core, struct hg_replay *replay);
/* The source's history is another from `place` on: its replays end there. Their clients are told in the log, and
 * before, if the log has entries of it that they have not got yet. */
void hg_replays_end(struct hg_core *core, struct hg_source *source, struct hg_place place, enum hg_continuity why);

/* Puts events into session->out, up to HG_WRITE_BYTES, while there are any in memory. */
void hg_replays_fill(struct hg_core *core, struct hg_session *session);

void hg_replay_page(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply);
void hg_replay_verdict(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply);
/* The source is about to be freed. */
void hg_replays_forget(struct hg_core *core, struct hg_source *source);
/* The source was read up to where it stood when it was found. */
void hg_replays_settled(struct hg_core *core, struct hg_source *source);
void hg_replays_tick(struct hg_core *core);
void hg_replays_pump(struct hg_core *core);
hg_time hg_replays_deadline(const struct hg_core *core);

#endif
