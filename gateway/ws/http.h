/* http.h – plain HTTP: the bundled files, a liveness answer, and refusals (RFC 9110, RFC 9112). */
#ifndef HG_WS_HTTP_H
#define HG_WS_HTTP_H

#include "ws/connection.h"

/* Text of a header field without white space around it, copied into `into`; empty when absent. False when it does not
 * fit. */
bool hg_ws_http_field(struct lws *wsi, enum lws_token_indexes token, char *into, size_t size,
                      struct hg_slice *ret_text);

/* Each returns what libwebsockets wants from the callback. */
int hg_ws_http_request(struct hg_ws_connection *connection);
int hg_ws_http_writable(struct hg_ws_connection *connection);
/* A request without TLS to a port that speaks it, and the answer to that. */
bool hg_ws_http_is_misplaced(const struct hg_ws_connection *connection);
int hg_ws_http_refuse_misplaced(struct hg_ws_connection *connection);
/* A short plain text, after which the connection is closed. `headers`: complete lines or "". */
int hg_ws_http_refuse(struct hg_ws_connection *connection, int status, const char *headers, const char *text);

#endif
