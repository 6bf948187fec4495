/* extension.h – permessage-deflate as far as libwebsockets must know of it (RFC 7692).
 *
 * To libwebsockets it is an extension that does nothing: it is there so that RSV1 is taken in frames, and that the
 * answer to the handshake tells of it. What a message holds is inflated in connection.c, what is sent comes deflated
 * from the core. (Its own extension of this name aborts the process at some messages.) Every function is called from
 * libwebsockets' callback for the connection. */
#ifndef HG_WS_EXTENSION_H
#define HG_WS_EXTENSION_H

#include "ws/connection.h"

/* For the context; NULL when this libwebsockets was built without extensions. */
const struct lws_extension *hg_ws_extensions(void);
/* Whether the next offer in the handshake, as libwebsockets goes through them, is the one to be taken: it takes one at
 * most, and drops a connection that offers another behind it. */
bool hg_ws_extension_confirm(struct hg_ws_connection *connection);
/* The answer to the handshake is nearly done: puts all of ours in place of the extension's bare name. False: what
 * stands there is not what we know, and must not be sent; later handshakes do without the extension. */
bool hg_ws_extension_answer(struct hg_ws_connection *connection, struct lws_process_html_args *headers);
/* Whether the frame that was read last has RSV1 set. */
bool hg_ws_extension_marked(const struct hg_ws_connection *connection);

#endif
