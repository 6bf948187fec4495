/* receive.h – what a client sends, from the pieces that libwebsockets hands on to whole messages.
 *
 * A deflated message is gathered as it comes and inflated once it is whole, by the one inflater of the context: so a
 * message that is not finished costs no more than its bytes, and no connection keeps a window. Ownership: the
 * connection's buffer. */
#ifndef HG_WS_RECEIVE_H
#define HG_WS_RECEIVE_H

#include "ws/connection.h"

/* The largest message that is taken as it comes: one that was deflated may have become larger by that, a little. */
size_t hg_ws_receive_bytes_max(const struct hg_ws *ws, bool deflated);
/* One piece: libwebsockets hands a frame on as it comes off the socket. */
void hg_ws_receive(struct hg_ws_connection *connection, struct hg_slice bytes);
/* What had to wait while it was paused (held.h), until it is paused anew; or all, because nothing follows. */
void hg_ws_receive_held(struct hg_ws_connection *connection, bool all);

#endif
