/* replay.h – a dead letter put into the stream it was meant for, once, and then taken out of its own.
 *
 * It is held against the rule of its topic as an emit is, and appended by the same step (core/dedupe.h), under the
 * letter's id: so a replay that broke off between the two may be repeated for as long as the topic remembers ids. Under
 * a fresh id the same holds, for what is remembered then is the letter. Ownership: hg_replay_done() frees what was
 * loaded and copied; box and options are borrowed. Letters may borrow from a page of the box: they are copied first.
 * Errors: FAILED, with a sentence in box->why. Blocks: like the box. Calls out: none. */
#ifndef HG_DEADLETTER_REPLAY_H
#define HG_DEADLETTER_REPLAY_H

#include "deadletter/box.h"

struct hg_replay_options {
    bool force;   /* without the checks */
    bool dry_run; /* only the checks */
    bool new_id;  /* a fresh id where the letter's own will not do */
};

enum hg_replay_way { HG_REPLAY_NOT_LOADED, HG_REPLAY_FUNCTION, HG_REPLAY_SCRIPT, HG_REPLAY_NO_SCRIPT };

struct hg_replay {
    struct hg_box *box;
    struct hg_replay_options options;
    enum hg_replay_way way;
    char sha[41];
    struct hg_buf copy, pointer, message, stream, current, previous, scope; /* scratch of one letter */
};

void hg_replay_init(struct hg_replay *replay, struct hg_box *box, struct hg_replay_options options);
void hg_replay_done(struct hg_replay *replay);

enum hg_replayed {
    HG_REPLAYED,      /* or would be, in a dry run */
    HG_REPLAY_STAYS,  /* refused again, with the reason in `words` */
    HG_REPLAY_FAILED, /* Redis is gone or refuses everything */
};

/* Appends what became of it to `words`, a phrase without an end. */
enum hg_replayed hg_replay_letter(struct hg_replay *replay, const char *stream, const struct hg_letter *letter,
                                  struct hg_buf *words);

#endif
