/* gap.h – why events of a subscription were missed: what `gap` says, and what a user is told about it.
 *
 * One row a reason: name, the word on the wire, what happened, what to do. Static data; calls out: none. */
#ifndef HG_WIRE_GAP_H
#define HG_WIRE_GAP_H

/* clang-format off */
#define HG_GAP_REASONS(X)                                                                                              \
    X(TRIMMED,      "trimmed",      "The stream was trimmed: entries after the client's place are not there any more.", \
      "Fetch the present state from where it is kept, or keep more entries in the stream.")                            \
    X(ROLLED_BACK,  "rolled_back",  "The stream's history was rewritten, as when a failover loses a tail: the entry at the client's place is not the one it saw.", \
      "Drop what was derived from the newest events and fetch the present state; events may come again under new ids.") \
    X(DELETED,      "deleted",      "Entries were deleted from the stream (XDEL) before the client got them, or the one at its place was.", \
      "Usually nothing; fetch the present state if each event counts.")                                                \
    X(GONE,         "gone",         "The stream was deleted, emptied with its database, or made anew: there is no history to go on from.", \
      "Fetch the present state; what comes now is a new stream's.")                                                    \
    X(OVERFLOW,     "overflow",     "The client was too slow for a channel, or an event or the number of topics was larger than the gateway's limits.", \
      "Fetch the present state; read faster, filter, or use conflate; for what must not be lost use a stream.")        \
    X(DISCONNECTED, "disconnected", "The gateway lost its connection to Redis and a channel does not keep what was published meanwhile.", \
      "Fetch the present state; for what must not be lost use a stream.")
/* clang-format on */

enum hg_gap {
#define X(name, word, text, advice) HG_GAP_##name,
    HG_GAP_REASONS(X)
#undef X
        HG_GAP__COUNT
};

struct hg_gap_row {
    const char *word, *text, *advice;
};

const struct hg_gap_row *hg_gap_row(enum hg_gap reason);

#endif
