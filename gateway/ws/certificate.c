#include "ws/certificate.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/visible.h"

enum { FILE_BYTES_MAX = 1 << 20, PIECE_BYTES = 16 << 10, NAME_BYTES_MAX = 256 };

static hg_result complain(struct hg_buf *reterr, const char *setting, const char *path, const char *what)
{
    hg_buf_clear(reterr);
    hg_buf_printf(reterr, "%s: ", setting);
    hg_visible_put(hg_slice_str(path), SIZE_MAX, reterr);
    hg_buf_printf(reterr, ": %s", what);
    return reterr->error == HG_ERR_NOMEM ? HG_FAIL(NOMEM) : HG_FAIL(BAD_REQUEST);
}

/* With the reason that OpenSSL gave last, in its words. */
static hg_result complain_openssl(struct hg_buf *reterr, const char *setting, const char *path, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    char text[256];
    snprintf(text, sizeof(text), "%s: %s", what, reason ? reason : "no reason given");
    ERR_clear_error();
    return complain(reterr, setting, path, text);
}

static hg_result read_whole(const char *setting, const char *path, struct hg_buf *into, struct hg_buf *reterr)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return complain(reterr, setting, path, strerror(errno));
    setvbuf(file, NULL, _IONBF, 0); /* no copy of a key stays behind in stdio's buffer */
    char *to;
    size_t got = 1;
    while (got > 0 && (to = hg_buf_reserve(into, PIECE_BYTES))) {
        got = fread(to, 1, PIECE_BYTES, file);
        into->len += got;
    }
    hg_result result = HG_OK;
    if (into->error == HG_ERR_TOO_BIG)
        result = complain(reterr, setting, path, "is larger than 1 MiB");
    else if (into->error != HG_ERR_OK)
        result = HG_FAIL(NOMEM);
    else if (ferror(file))
        result = complain(reterr, setting, path, strerror(errno));
    fclose(file);
    return result;
}

/* Instead of a prompt at the terminal. */
static int no_password(char *to, int size, int writing, void *asked)
{
    (void)to, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static hg_result parse_chain(BIO *pem, const char *path, struct hg_ws_certificate *certificate, struct hg_buf *reterr)
{
    static const char setting[] = "tls_certificate";
    bool asked = false;
    X509 *next;
    ERR_clear_error();
    certificate->chain = sk_X509_new_null();
    if (!certificate->chain)
        return HG_FAIL(NOMEM);
    certificate->leaf = PEM_read_bio_X509_AUX(pem, NULL, no_password, &asked);
    while (certificate->leaf && (next = PEM_read_bio_X509(pem, NULL, no_password, &asked)))
        if (sk_X509_push(certificate->chain, next) <= 0) {
            X509_free(next);
            return HG_FAIL(NOMEM);
        }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return complain_openssl(reterr, setting, path, "holds a certificate that cannot be read");
    ERR_clear_error(); /* the end of the file was reached */
    if (!certificate->leaf)
        return complain(reterr, setting, path, "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
    return HG_OK;
}

static hg_result parse_key(BIO *pem, const char *path, struct hg_ws_certificate *certificate, struct hg_buf *reterr)
{
    static const char setting[] = "tls_key";
    bool asked = false;
    char *bytes;
    long len = BIO_get_mem_data(pem, &bytes);
    bool holds_key = memmem(bytes, (size_t)len, "PRIVATE KEY-----", 16) != NULL;
    ERR_clear_error();
    certificate->key = PEM_read_bio_PrivateKey(pem, NULL, no_password, &asked);
    if (certificate->key)
        return HG_OK;
    if (asked) {
        ERR_clear_error();
        return complain(reterr, setting, path,
                        "the key is encrypted, and nobody is there to type its password; keep it without one (openssl "
                        "pkey -in OLD -out NEW) where only the gateway can read it");
    }
    ERR_clear_error();
    if (!holds_key)
        return complain(reterr, setting, path, "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
    return complain(reterr, setting, path, "holds a private key that cannot be read");
}

static hg_result read_part(const char *setting, const char *path,
                           hg_result (*parse)(BIO *, const char *, struct hg_ws_certificate *, struct hg_buf *),
                           struct hg_ws_certificate *certificate, struct hg_buf *reterr)
{
    struct hg_buf bytes;
    hg_buf_init(&bytes, FILE_BYTES_MAX + PIECE_BYTES);
    /* All of it at once: a buffer that grows would leave copies of a key in freed memory. */
    if (!hg_buf_reserve(&bytes, bytes.max))
        return HG_FAIL(NOMEM);
    hg_result result = read_whole(setting, path, &bytes, reterr);
    BIO *pem = hg_ok(result) ? BIO_new_mem_buf(bytes.ptr, (int)bytes.len) : NULL;
    if (hg_ok(result))
        result = pem ? parse(pem, path, certificate, reterr) : HG_FAIL(NOMEM);
    BIO_free(pem);
    OPENSSL_cleanse(bytes.ptr, bytes.len);
    hg_buf_done(&bytes);
    return result;
}

/* Whether OpenSSL would serve it: too weak a key or signature is refused here and not at each handshake. */
static hg_result try_out(const struct hg_ws_certificate *certificate, const char *path, struct hg_buf *reterr)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        return HG_FAIL(NOMEM);
    ERR_clear_error();
    bool good = SSL_CTX_use_cert_and_key(context, certificate->leaf, certificate->key, certificate->chain, 1) == 1;
    SSL_CTX_free(context);
    return good ? HG_OK : complain_openssl(reterr, "tls_certificate", path, "cannot be served");
}

hg_result hg_ws_certificate_read(const char *certificate_path, const char *key_path,
                                 struct hg_ws_certificate *ret_certificate, struct hg_buf *reterr)
{
    struct hg_ws_certificate read = {0};
    hg_result result = read_part("tls_certificate", certificate_path, parse_chain, &read, reterr);
    if (hg_ok(result))
        result = read_part("tls_key", key_path, parse_key, &read, reterr);
    if (hg_ok(result) && X509_check_private_key(read.leaf, read.key) != 1) {
        char what[5000];
        snprintf(what, sizeof(what), "is not the key of the certificate in %s", certificate_path);
        ERR_clear_error();
        result = complain(reterr, "tls_key", key_path, what);
    }
    if (hg_ok(result))
        result = try_out(&read, certificate_path, reterr);
    if (!hg_ok(result)) {
        hg_ws_certificate_done(&read);
        return result;
    }
    *ret_certificate = read;
    return HG_OK;
}

void hg_ws_certificate_done(struct hg_ws_certificate *certificate)
{
    X509_free(certificate->leaf);
    sk_X509_pop_free(certificate->chain, X509_free);
    EVP_PKEY_free(certificate->key);
    *certificate = (struct hg_ws_certificate){0};
}

/* The first host name it is for; those without have only a subject. */
static void put_name(X509 *leaf, struct hg_buf *into)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    struct hg_slice found = HG_SLICE_NULL;
    char subject[NAME_BYTES_MAX];
    for (int i = 0; found.len == 0 && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            found = hg_slice((const char *)ASN1_STRING_get0_data(name->d.dNSName),
                             (size_t)ASN1_STRING_length(name->d.dNSName));
    }
    if (found.len == 0)
        found = hg_slice_str(X509_NAME_oneline(X509_get_subject_name(leaf), subject, sizeof(subject)));
    hg_visible_put(found, NAME_BYTES_MAX, into);
    GENERAL_NAMES_free(names);
}

static void put_date(const ASN1_TIME *date, struct hg_buf *into)
{
    struct tm utc = {0};
    char text[40] = "an unreadable date";
    if (ASN1_TIME_to_tm(date, &utc) == 1)
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc);
    hg_buf_put_str(into, text);
}

enum hg_log_level hg_ws_certificate_describe(const struct hg_ws_certificate *certificate, struct hg_buf *into)
{
    const ASN1_TIME *from = X509_get0_notBefore(certificate->leaf), *until = X509_get0_notAfter(certificate->leaf);
    bool early = X509_cmp_current_time(from) > 0, late = X509_cmp_current_time(until) < 0;
    hg_buf_put_str(into, "the certificate of ");
    put_name(certificate->leaf, into);
    hg_buf_put_str(into, early ? ", not valid before " : late ? ", expired since " : ", valid until ");
    put_date(early ? from : until, into);
    return early || late ? HG_LOG_WARNING : HG_LOG_INFO;
}
