/* proof.h – that a stream goes on where it was left: asked after each reading, after each reconnection, and of quiet
 * streams now and then, before anything is handed on.
 *
 * XREAD tells what is there behind a place, not what was there: trimming, XDEL, DEL, FLUSHALL and failovers make holes
 * that it does not show. So the reader asks for the newest entry up to its place (XREVRANGE … COUNT 1). Found again
 * with its fingerprint, it proves that nothing behind it is missing, for trimming takes the oldest first. Otherwise
 * XINFO STREAM is asked, and continuity.h judges. Both questions go over the reader's own link, between two XREADs.
 * Of a stream that is read from its beginning, the entry that was its newest when it was found is asked for first, then
 * XINFO STREAM: some may have joined there already, and are told only what is missing behind it.
 * When all that was read is trimmed as well before Redis answers, it is dropped, and counted: otherwise nobody could
 * say on which side of it something is missing. Ownership: part of a source. */
#ifndef HG_CORE_PROOF_H
#define HG_CORE_PROOF_H

#include "core/history.h"

struct hg_reader;

enum hg_anchor {
    HG_ANCHOR_UNKNOWN, /* whatever is found is taken */
    HG_ANCHOR_NOTHING, /* nothing is there up to the place */
    HG_ANCHOR_ENTRY
};

struct hg_proving {
    enum hg_anchor anchor;
    struct hg_place entry;      /* ENTRY: what must be found */
    struct hg_place older;      /* what was found instead; proven: something was */
    bool strange;               /* something was found that had not been there */
    enum hg_known tail;         /* at the beginning of a stream that is read whole; ABSENT: what is older is there */
    uint64_t held;              /* entries read, not handed on */
    bool held_before;           /* and before the link came up: once handed on, they are to be proven too */
    bool counted;               /* `added` is known */
    uint64_t added;             /* entries ever added to the stream up to its place */
    uint64_t tail_added;        /* the same up to its tail, or to what was told as missing behind it */
    struct hg_list_node wanted; /* reader->unproven */
    struct hg_request *request;
};

/* Where the stream was found. */
void hg_proof_begin(struct hg_source *source, const struct hg_stream_info *info);
/* Sends the question; an answer follows on the same link. */
void hg_proof_ask(struct hg_core *core, struct hg_source *source, uint32_t link);
/* `reply` NULL: lost. */
enum hg_proof_step {
    HG_PROOF_STEP_DONE,
    HG_PROOF_STEP_NO_STREAM, /* the source may be freed */
    HG_PROOF_STEP_ASKED,     /* another question was sent */
    HG_PROOF_STEP_REFUSED,   /* for now: to be asked again */
    HG_PROOF_STEP_MALFORMED
};
enum hg_proof_step hg_proof_found(struct hg_core *core, struct hg_source *source, uint32_t link,
                                  const struct hg_reply *reply);
enum hg_proof_step hg_proof_judged(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply);

#endif
