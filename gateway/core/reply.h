/* reply.h – what Redis answered, as a tree of plain values (RESP2, and what RESP3 adds is mapped onto it).
 *
 * Ownership: the adapter owns the tree; it is valid during the call that hands it to the core. Peers make it: no shape
 * is trusted, every reader below says whether the shape was what it should be. Calls out: none. */
#ifndef HG_CORE_REPLY_H
#define HG_CORE_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "stream/continuity.h"
#include "stream/id.h"

enum hg_reply_type {
    HG_REPLY_NIL,
    HG_REPLY_STATUS, /* text */
    HG_REPLY_ERROR,  /* text, such as "WRONGTYPE Operation against …" */
    HG_REPLY_STRING, /* text */
    HG_REPLY_INTEGER,
    HG_REPLY_ARRAY,
};

struct hg_reply {
    enum hg_reply_type type;
    int64_t integer;
    struct hg_slice text;
    const struct hg_reply *items; /* `count` of them, ARRAY only */
    size_t count;
};

/* One entry of a stream: [id, [name, value, …]]. */
struct hg_entry {
    hg_stream_id id;
    const struct hg_reply *fields; /* strings: name, value, … */
    size_t field_count;            /* even */
};

/* An array of exactly `count` items. */
bool hg_reply_is_array(const struct hg_reply *reply, size_t count);
/* A string or status that equals `text`, ASCII case ignored. */
bool hg_reply_is(const struct hg_reply *reply, const char *text);
/* An error whose first word is `word`. */
bool hg_reply_is_error(const struct hg_reply *reply, const char *word);
/* A refusal that does not pass: no permission, or a command that this server does not know. */
bool hg_reply_is_denial(const struct hg_reply *reply);
/* False unless it is a well-formed entry; a deleted entry's nil fields are refused too. */
bool hg_reply_entry(const struct hg_reply *reply, struct hg_entry *ret_entry);
/* The answer to XINFO STREAM, "no such key" included; false when it is no such answer. `ret_first`, `ret_last`, may be
 * NULL: the oldest and the newest entry that are there; without fields (field_count 0, id 0-0) when there is none. */
bool hg_reply_stream_info(const struct hg_reply *reply, struct hg_stream_info *ret_info, struct hg_entry *ret_first,
                          struct hg_entry *ret_last);

#endif
