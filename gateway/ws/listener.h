/* listener.h – listening sockets of our own. libwebsockets' acceptor spins when descriptors run out, and cannot share a
 * port; so it only watches the descriptors, as raw files. */
#ifndef HG_WS_LISTENER_H
#define HG_WS_LISTENER_H

#include "ws/context.h"

/* Binds and listens on every address of `host`. Errors: INTERNAL with a message. */
HG_RESULT hg_ws_listen(const char *host, uint16_t port, enum hg_ws_sharing sharing, int *fds, size_t fds_max,
                       size_t *ret_count, uint16_t *ret_port, struct hg_buf *reterr);
/* The listening socket is readable: takes in what waits, bounded. */
void hg_ws_accept(struct hg_ws_listener *listener, int fd);
/* After accepting had to stop, whyever. */
void hg_ws_accept_resume(struct hg_ws *ws);
/* A place among the handshakes became free. */
void hg_ws_accept_room(struct hg_ws *ws);

#endif
