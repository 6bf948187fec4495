/* tls_bio.h – between OpenSSL and the socket: lets the records of one write leave in one system call.
 *
 * OpenSSL makes records of 16 KiB (RFC 8446, section 5.1) and hands each on by itself. Who is about to write says how
 * much, hg_ws_tls_bio_expect(); all records but the last are then gathered in memory that the adapter's connections
 * share, and the last takes them along. The last is accepted only when the kernel has taken all before it: what
 * libwebsockets believes to be sent has been sent, and what was not it offers again.
 * Ownership: belongs to the SSL. Errors: those of send(2) and recv(2); with none of these in place everything works the
 * same, in more writes. Calls out: none. */
#ifndef HG_WS_TLS_BIO_H
#define HG_WS_TLS_BIO_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/buf.h"

/* Of one thread; an empty buffer with a maximum of HG_WS_TLS_GATHER_BYTES_MAX. */
struct hg_ws_tls_gather {
    struct hg_buf records;
};

enum {
    HG_WS_TLS_RECORD_BYTES = 16 << 10,
    HG_WS_TLS_RECORDS_MAX = 16,
    /* A record's head, its tag and what TLS 1.3 puts in between are less than 256 bytes (RFC 8446, section 5.2). */
    HG_WS_TLS_GATHER_BYTES_MAX = HG_WS_TLS_RECORDS_MAX * (HG_WS_TLS_RECORD_BYTES + 256),
};

/* The kind of BIO; of the process. NULL: no memory. */
BIO_METHOD *hg_ws_tls_bio_method(void);
/* Takes the place of the socket BIO that `ssl` has. False: no memory, all is as before. `gather` must outlive it. */
bool hg_ws_tls_bio_attach(const BIO_METHOD *method, SSL *ssl, struct hg_ws_tls_gather *gather);
/* The next SSL_write() is of at least `len` bytes; hg_ws_tls_bio_end() follows it, `failed` when the connection is
 * broken. */
void hg_ws_tls_bio_expect(SSL *ssl, size_t len);
void hg_ws_tls_bio_end(SSL *ssl, bool failed);

#endif
