#include "bench/transport.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/process.h"

static _Noreturn void die_of_tls(const char *what)
{
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    hgt_die("TLS: %s: %s", what, text);
}

struct ssl_ctx_st *hgt_tls_new(void)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (!tls)
        die_of_tls("no context");
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(tls,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    return tls;
}

void hgt_tls_free(struct ssl_ctx_st *tls)
{
    SSL_CTX_free(tls);
}

bool hgt_transport_secure(struct hgt_transport *transport, struct ssl_ctx_st *tls)
{
    if (!tls)
        return true;
    if (!transport->tls) {
        transport->tls = SSL_new(tls);
        if (!transport->tls || SSL_set_fd(transport->tls, transport->fd) != 1)
            die_of_tls("no connection");
    }
    ERR_clear_error();
    int done = SSL_connect(transport->tls);
    if (done != 1 && SSL_get_error(transport->tls, done) != SSL_ERROR_WANT_READ)
        die_of_tls("the handshake failed");
    return done == 1;
}

/* As a system call would tell it. */
static ssize_t outcome_of(const struct hgt_transport *transport, int done)
{
    if (done > 0)
        return done;
    switch (SSL_get_error(transport->tls, done)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        errno = errno ? errno : ECONNRESET;
        return -1;
    default:
        errno = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? ECONNRESET : EPROTO;
        return -1;
    }
}

static int at_once(size_t len)
{
    return len < INT_MAX ? (int)len : INT_MAX;
}

ssize_t hgt_transport_receive(struct hgt_transport *transport, void *to, size_t size)
{
    if (!transport->tls)
        return recv(transport->fd, to, size, 0);
    ERR_clear_error();
    errno = 0;
    return outcome_of(transport, SSL_read(transport->tls, to, at_once(size)));
}

ssize_t hgt_transport_send(struct hgt_transport *transport, const void *from, size_t len)
{
    if (!transport->tls)
        return send(transport->fd, from, len, MSG_NOSIGNAL);
    ERR_clear_error();
    errno = 0;
    return outcome_of(transport, SSL_write(transport->tls, from, at_once(len)));
}

bool hgt_transport_holds_more(const struct hgt_transport *transport)
{
    return transport->tls && SSL_pending(transport->tls) > 0;
}

void hgt_transport_close(struct hgt_transport *transport)
{
    SSL_free(transport->tls);
    close(transport->fd);
    *transport = (struct hgt_transport){.fd = -1};
}
