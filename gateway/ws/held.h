/* held.h – what a client sent in one record of TLS behind the message at which reading from it was to stop.
 *
 * OpenSSL opens a record as a whole, and libwebsockets 4.1 turns for ever when it may not hand on what OpenSSL has
 * opened. So it hands on all of it, and what is not wanted yet waits here: less than a record, 16 KiB. Ownership: the
 * caller's pointer; NULL holds nothing. Errors: hg_ws_held_put() tells that memory is out. Calls out: none. */
#ifndef HG_WS_HELD_H
#define HG_WS_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct hg_ws_held;

/* What libwebsockets hands on at once: a message or a part of one. */
struct hg_ws_piece {
    struct hg_slice bytes;
    bool text, last;  /* of its message */
    bool marked;      /* its frame has RSV1 set */
    size_t announced; /* bytes of its frame that are still to come */
};

bool hg_ws_held_put(struct hg_ws_held **held, struct hg_ws_piece piece);
/* The oldest piece, whose bytes are good until the next call. False: there is none, and nothing is held any more. */
bool hg_ws_held_take(struct hg_ws_held **held, struct hg_ws_piece *ret_piece);
void hg_ws_held_done(struct hg_ws_held **held);

#endif
