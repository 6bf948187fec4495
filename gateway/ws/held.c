#include "ws/held.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"

enum { HELD_BYTES_MAX = 1 << 20 }; /* far more than a record of the shortest messages, with what is noted of each */

struct hg_ws_held {
    struct hg_buf pieces; /* each a struct hg_ws_piece, and its bytes behind it */
    size_t taken;
};

bool hg_ws_held_put(struct hg_ws_held **held, struct hg_ws_piece piece)
{
    if (!*held) {
        *held = calloc(1, sizeof(**held));
        if (!*held)
            return false;
        hg_buf_init(&(*held)->pieces, HELD_BYTES_MAX);
    }
    struct hg_buf *pieces = &(*held)->pieces;
    hg_buf_put(pieces, hg_slice((const char *)&piece, sizeof(piece)));
    hg_buf_put(pieces, piece.bytes);
    return pieces->error == HG_ERR_OK;
}

bool hg_ws_held_take(struct hg_ws_held **held, struct hg_ws_piece *ret_piece)
{
    if (!*held)
        return false;
    struct hg_slice rest = hg_slice_from(hg_buf_slice(&(*held)->pieces), (*held)->taken);
    if (rest.len == 0) {
        hg_ws_held_done(held);
        return false;
    }
    HG_ASSERT(rest.len >= sizeof(*ret_piece));
    memcpy(ret_piece, rest.ptr, sizeof(*ret_piece)); /* they lie there without alignment */
    rest = hg_slice_from(rest, sizeof(*ret_piece));
    HG_ASSERT(rest.len >= ret_piece->bytes.len);
    ret_piece->bytes = hg_slice_first(rest, ret_piece->bytes.len);
    (*held)->taken += sizeof(*ret_piece) + ret_piece->bytes.len;
    return true;
}

void hg_ws_held_done(struct hg_ws_held **held)
{
    if (!*held)
        return;
    hg_buf_done(&(*held)->pieces);
    free(*held);
    *held = NULL;
}
