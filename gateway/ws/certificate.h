/* certificate.h – a certificate with its chain and its key, read from two PEM files (RFC 7468) and checked: each part
 * is there, the key is the certificate's, and OpenSSL would use them.
 *
 * Ownership: hg_ws_certificate_done() gives all back. Errors: BAD_REQUEST with one line in `reterr`, "SETTING: PATH:
 * what is wrong there"; NOMEM. Calls out: none. */
#ifndef HG_WS_CERTIFICATE_H
#define HG_WS_CERTIFICATE_H

#include <openssl/ssl.h>

#include "base/buf.h"
#include "base/error.h"
#include "core/ports.h"

struct hg_ws_certificate {
    X509 *leaf;
    STACK_OF(X509) * chain; /* those that the file holds behind the leaf; may be empty */
    EVP_PKEY *key;
};

/* The two paths may be of one file. */
HG_RESULT hg_ws_certificate_read(const char *certificate_path, const char *key_path,
                                 struct hg_ws_certificate *ret_certificate, struct hg_buf *reterr);
/* Accepts one that is zeroed. */
void hg_ws_certificate_done(struct hg_ws_certificate *certificate);
/* "the certificate of NAME, valid until DATE", and how loud that should be said: one that no client will take is a
 * warning. By the system's clock. */
enum hg_log_level hg_ws_certificate_describe(const struct hg_ws_certificate *certificate, struct hg_buf *into);

#endif
