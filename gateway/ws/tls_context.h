/* tls_context.h – how an adapter's listener speaks TLS: OpenSSL's side of what tls.h shares, set up in the SSL_CTX that
 * libwebsockets makes for the adapter.
 *
 * TLS 1.3, and 1.2 with forward secrecy and authenticated ciphers alone (RFC 9325, section 4.2); no compression, no
 * renegotiation, no early data; ALPN knows http/1.1 only (RFC 7301, RFC 9325, section 3.8). Private to ws. Ownership:
 * the context is libwebsockets'. Calls out: none. */
#ifndef HG_WS_TLS_CONTEXT_H
#define HG_WS_TLS_CONTEXT_H

#include <openssl/ssl.h>

#include "ws/context.h"
#include "ws/tls.h"

/* While libwebsockets makes its context. False: OpenSSL has no memory. */
bool hg_ws_tls_prepare(struct hg_ws *ws, SSL_CTX *context);
/* After it did, to have the last word. */
void hg_ws_tls_complete(struct hg_ws *ws);
/* A connection that has just been adopted. */
void hg_ws_tls_adopted(struct hg_ws *ws, struct lws *wsi);
/* Whether OpenSSL holds more of a record than was read of it. */
bool hg_ws_tls_pending(struct lws *wsi);
/* lws_write() to a TLS connection, in as few writes as the kernel takes. */
int hg_ws_tls_write(struct lws *wsi, struct hg_slice bytes, enum lws_write_protocol how);

#endif
