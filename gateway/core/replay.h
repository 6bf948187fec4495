/* replay.h – entries that a subscription gets from the stream itself, by XRANGE, page after page, before it goes on
 * with its group's log: for `from`, and when it fell behind the log.
 *
 * A replay ends at `until`, the source's place when the subscription was pinned to the log; what comes later is in the
 * log, so the two meet without a hole or a double. One entry more than needed is read with each page: its id is known
 * to exist, and if the next page does not begin with it, the stream was trimmed in between and the client is told a
 * gap. One page is under way for a session at a time, and at most HG_REPLAYS_RUNNING for all. */
#ifndef HG_CORE_REPLAY_H
#define HG_CORE_REPLAY_H

#include "base/list.h"
#include "base/time.h"
#include "core/reply.h"
#include "stream/id.h"

#define HG_REPLAYS_RUNNING 16

struct hg_core;
struct hg_request;
struct hg_session;
struct hg_attachment;
struct hg_sub;

struct hg_replay {
    struct hg_list_node in_sub;
    struct hg_list_node ready; /* replays->ready: may ask for a page */
    struct hg_sub *sub;
    struct hg_attachment *attachment;
    hg_stream_id from, until; /* both included */
    hg_stream_id scanned;     /* `last` > 0: how far back was looked */
    bool from_exists;         /* an entry with the id `from` was seen */
    uint64_t last;            /* > 0: `from` is to be found, this many entries before what was found so far */
    bool more;                /* `until` was moved while a page was under way; go on at more_from */
    hg_stream_id more_from;
    size_t asked; /* COUNT of the page under way */
    struct hg_request *request;
};

struct hg_replays {
    struct hg_list ready;
    size_t running;
    uint64_t entry_bytes; /* moving average, for COUNT */
    hg_time retry_at;     /* after Redis refused a page */
};

/* `last` as above, then `from` is past `until` at first; 0: `from` is known. Nothing is made when the range is empty.
 */
void hg_replay_start(struct hg_core *core, struct hg_sub *sub, struct hg_attachment *attachment, hg_stream_id from,
                     bool from_exists, hg_stream_id until, uint64_t last);
/* The subscription fell behind the log: `first` to `last` of the stream are to be replayed, after what is already. */
void hg_replay_extend(struct hg_replay *replay, hg_stream_id first, hg_stream_id last);
void hg_replay_free(struct hg_core *core, struct hg_replay *replay);
void hg_replay_page(struct hg_core *core, struct hg_replay *replay, const struct hg_reply *reply);
/* The session has room again. */
void hg_replays_unblock(struct hg_core *core, struct hg_session *session);
void hg_replays_pump(struct hg_core *core);
hg_time hg_replays_deadline(const struct hg_core *core);

#endif
