/* transport.h – how a client's bytes travel: over TCP as they are, or in TLS.
 *
 * Errors: as recv() and send() tell them, EAGAIN when the socket has to be waited for; a handshake of TLS that fails
 * ends the program. The server may show any certificate. Ownership: a transport owns its socket. Calls out: the socket.
 */
#ifndef HGT_BENCH_TRANSPORT_H
#define HGT_BENCH_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ssl_st;
struct ssl_ctx_st;

struct hgt_transport {
    int fd;
    struct ssl_st *tls; /* NULL: none */
};

/* What all clients share that speak TLS. */
struct ssl_ctx_st *hgt_tls_new(void);
void hgt_tls_free(struct ssl_ctx_st *tls);

/* Goes on with the handshake of a socket that is connected; `tls` NULL: there is none. True when it is done; until then
 * to be called again whenever the socket is readable. */
bool hgt_transport_secure(struct hgt_transport *transport, struct ssl_ctx_st *tls);
ssize_t hgt_transport_receive(struct hgt_transport *transport, void *to, size_t size);
ssize_t hgt_transport_send(struct hgt_transport *transport, const void *from, size_t len);
/* The socket may hold nothing and this still have more. */
bool hgt_transport_holds_more(const struct hgt_transport *transport);
void hgt_transport_close(struct hgt_transport *transport);

#endif
