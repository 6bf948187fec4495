/* continuity.h – whether anything of a stream was missed, judged from what XINFO STREAM says, when the entry at a
 * place is not there to prove it.
 *
 * As long as the entry at a place is found again with its fingerprint, nothing behind it was trimmed, for trimming
 * takes the oldest, and nothing was rewritten; then nobody asks here. Redis 7 counts what was ever added, so that what
 * is missing can be counted too; Redis 5 and 6 do not, and the verdict is then the graver one that fits. Pure; calls
 * out: none. */
#ifndef HG_STREAM_CONTINUITY_H
#define HG_STREAM_CONTINUITY_H

#include "stream/id.h"

/* XINFO STREAM. */
struct hg_stream_info {
    bool exists;
    uint64_t length;
    hg_stream_id first; /* length > 0 */
    hg_stream_id last_generated;
    bool counts; /* Redis 7: the two below are known */
    uint64_t added;
    hg_stream_id max_deleted; /* by XDEL; trimming does not change it */
};

enum hg_continuity {
    HG_CONTINUITY_WHOLE, /* nothing was missed */
    HG_CONTINUITY_TRIMMED,
    HG_CONTINUITY_DELETED,
    HG_CONTINUITY_ROLLED_BACK, /* this is another history of the same stream */
    HG_CONTINUITY_GONE         /* this is another stream, or none */
};

struct hg_verdict {
    enum hg_continuity kind;
    uint64_t missed; /* entries; 0: not known */
};

/* A client's place whose entry is not there. The place 0-0 is that before the first entry. */
struct hg_verdict hg_continuity_of_place(const struct hg_stream_info *info, hg_stream_id place);

/* A reader's place whose entry is not there, and what it read behind it before `info` was asked for. */
struct hg_reading {
    hg_stream_id last;                    /* the place */
    bool counted;                         /* `added` is known */
    uint64_t added;                       /* entries ever added up to the place */
    uint64_t held;                        /* entries read behind it */
    uint64_t held_trimmed;                /* of these, older than info->first */
    hg_stream_id held_first, held_newest; /* held > 0 */
    bool older_is_there;                  /* an entry older than the place is there */
    bool older_is_strange;                /* and it is not the one that was read under its id */
};
struct hg_verdict hg_continuity_of_reading(const struct hg_stream_info *info, const struct hg_reading *reading);

#endif
