#include "ws/tls_bio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/assert.h"

/* What stands behind one connection's BIO. */
struct link {
    int fd;
    unsigned due; /* records that are still to come of the write under way; 0: none was announced */
    struct hg_ws_tls_gather *gather;
    /* Records that OpenSSL was told are gone and the kernel did not take; they go before all others. */
    char *left;
    size_t left_len, left_sent;
};

static struct link *link_of(BIO *bio)
{
    return BIO_get_data(bio);
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* -1 for OpenSSL, which asks whether to come again. */
static int fail(BIO *bio)
{
    if (would_block())
        BIO_set_retry_write(bio);
    return -1;
}

/* False: the kernel does not take them all, or the connection is broken; errno tells. */
static bool send_left(struct link *link)
{
    while (link->left) {
        ssize_t sent = send(link->fd, link->left + link->left_sent, link->left_len - link->left_sent, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        link->left_sent += (size_t)sent;
        if (link->left_sent < link->left_len)
            continue; /* the next send tells why */
        free(link->left);
        link->left = NULL;
        link->left_len = link->left_sent = 0;
    }
    return true;
}

static bool keep_left(struct link *link, struct hg_slice bytes)
{
    HG_ASSERT(!link->left);
    link->left = malloc(bytes.len);
    if (!link->left)
        return false;
    memcpy(link->left, bytes.ptr, bytes.len);
    link->left_len = bytes.len;
    link->left_sent = 0;
    return true;
}

/* What was gathered, and the record behind it: as many bytes of the latter as the kernel took, or -1. */
static int send_gathered(BIO *bio, struct link *link, const char *bytes, size_t len)
{
    struct hg_buf *records = &link->gather->records;
    struct iovec parts[] = {{.iov_base = records->ptr, .iov_len = records->len},
                            {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    size_t before = records->len;
    ssize_t sent = sendmsg(link->fd, &message, MSG_NOSIGNAL);
    int error = errno;
    size_t gone = sent > 0 ? (size_t)sent : 0;
    bool kept = true;
    if (gone < before && (sent >= 0 || would_block()))
        kept = keep_left(link, hg_slice(records->ptr + gone, before - gone));
    hg_buf_clear(records);
    if (!kept) {
        errno = ENOMEM;
        return -1;
    }
    if (gone > before)
        return (int)(gone - before);
    errno = sent < 0 ? error : EAGAIN;
    return fail(bio);
}

static int on_write(BIO *bio, const char *bytes, int len)
{
    struct link *link = link_of(bio);
    struct hg_buf *records = &link->gather->records;
    BIO_clear_retry_flags(bio);
    if (len <= 0)
        return 0;
    if (!send_left(link)) {
        link->due = 0;
        return fail(bio);
    }
    if (link->due > 1) {
        link->due--;
        hg_buf_put(records, hg_slice(bytes, (size_t)len));
        if (records->error == HG_ERR_OK)
            return len;
        hg_buf_truncate(records, records->len); /* no memory, or no room: this one goes with those before it */
    }
    link->due = 0;
    if (records->len > 0)
        return send_gathered(bio, link, bytes, (size_t)len);
    ssize_t sent = send(link->fd, bytes, (size_t)len, MSG_NOSIGNAL);
    return sent < 0 ? fail(bio) : (int)sent;
}

static int on_read(BIO *bio, char *to, int size)
{
    BIO_clear_retry_flags(bio);
    if (size <= 0)
        return 0;
    ssize_t got = recv(link_of(bio)->fd, to, (size_t)size, 0);
    if (got < 0 && would_block())
        BIO_set_retry_read(bio);
    return (int)got;
}

static long on_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    switch (command) {
    case BIO_C_GET_FD: /* libwebsockets asks for it when it closes */
        if (pointer)
            *(int *)pointer = link_of(bio)->fd;
        return link_of(bio)->fd;
    case BIO_CTRL_FLUSH:
        return 1;
    default:
        return 0;
    }
}

static int on_create(BIO *bio)
{
    struct link *link = calloc(1, sizeof(*link));
    if (!link)
        return 0;
    BIO_set_data(bio, link);
    return 1;
}

static int on_destroy(BIO *bio)
{
    struct link *link = link_of(bio);
    if (!link)
        return 1;
    free(link->left);
    free(link);
    return 1;
}

BIO_METHOD *hg_ws_tls_bio_method(void)
{
    BIO_METHOD *method =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "socket that gathers");
    if (!method)
        return NULL;
    BIO_meth_set_write(method, on_write);
    BIO_meth_set_read(method, on_read);
    BIO_meth_set_ctrl(method, on_control);
    BIO_meth_set_create(method, on_create);
    BIO_meth_set_destroy(method, on_destroy);
    return method;
}

bool hg_ws_tls_bio_attach(const BIO_METHOD *method, SSL *ssl, struct hg_ws_tls_gather *gather)
{
    int fd = SSL_get_fd(ssl);
    BIO *bio = BIO_new(method);
    if (!bio)
        return false;
    struct link *link = link_of(bio);
    link->fd = fd;
    link->gather = gather;
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return true;
}

/* NULL: it could not be attached. */
static struct link *link_of_ssl(SSL *ssl)
{
    BIO *bio = SSL_get_wbio(ssl);
    return bio && BIO_method_type(bio) != BIO_TYPE_SOCKET ? link_of(bio) : NULL;
}

void hg_ws_tls_bio_expect(SSL *ssl, size_t len)
{
    struct link *link = link_of_ssl(ssl);
    size_t records = (len + HG_WS_TLS_RECORD_BYTES - 1) / HG_WS_TLS_RECORD_BYTES;
    /* Fewer records than this there cannot be, so the last one that counts is one that comes. Where there are more (a
     * client may ask for smaller ones), each of those beyond leaves by itself. */
    if (link)
        link->due = records > HG_WS_TLS_RECORDS_MAX ? HG_WS_TLS_RECORDS_MAX : (unsigned)records;
}

void hg_ws_tls_bio_end(SSL *ssl, bool failed)
{
    struct link *link = link_of_ssl(ssl);
    if (!link)
        return;
    link->due = 0;
    HG_ASSERT(failed || link->gather->records.len == 0);
    hg_buf_clear(&link->gather->records); /* OpenSSL failed between two records */
}
