#include "ws/tls.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "ws/certificate.h"
#include "ws/tickets.h"
#include "ws/tls_bio.h"
#include "ws/tls_context.h"

/* Tells whether a file is still what it was. The change time moves with every way of changing it, permissions too. */
struct stamp {
    int error; /* of stat(2); 0: the rest counts */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed, modified;
};

struct hg_ws_tls {
    char *certificate_path, *key_path;
    bool only_1_3;
    hg_dur look_every;
    BIO_METHOD *bio_method;

    pthread_mutex_t reading; /* the files, so that what was read last is what is served */
    pthread_mutex_t lock;    /* for all below; within the other */
    struct hg_ws_certificate certificate;
    struct hg_ws_tickets tickets;
    struct stamp stamps[2]; /* of the two files when they were last read, for good or ill */
    hg_time next_look;
};

/* ---- the files ---- */

static struct stamp look_at(const char *path)
{
    struct stat status;
    struct stamp stamp;
    memset(&stamp, 0, sizeof(stamp)); /* stamps are compared as bytes */
    if (stat(path, &status) != 0) {
        stamp.error = errno;
        return stamp;
    }
    stamp.device = status.st_dev;
    stamp.inode = status.st_ino;
    stamp.size = status.st_size;
    stamp.changed = status.st_ctim;
    stamp.modified = status.st_mtim;
    return stamp;
}

static void look(const struct hg_ws_tls *tls, struct stamp ret_stamps[2])
{
    ret_stamps[0] = look_at(tls->certificate_path);
    ret_stamps[1] = look_at(tls->key_path);
}

hg_result hg_ws_tls_reload(struct hg_ws_tls *tls, struct hg_buf *reterr)
{
    struct stamp stamps[2];
    struct hg_ws_certificate read = {0}, old = {0};
    pthread_mutex_lock(&tls->reading);
    /* Before the files are read: if one changes meanwhile, it differs at the next look. */
    look(tls, stamps);
    hg_result result = hg_ws_certificate_read(tls->certificate_path, tls->key_path, &read, reterr);
    pthread_mutex_lock(&tls->lock);
    memcpy(tls->stamps, stamps, sizeof(stamps));
    if (hg_ok(result)) {
        old = tls->certificate;
        tls->certificate = read;
    }
    pthread_mutex_unlock(&tls->lock);
    pthread_mutex_unlock(&tls->reading);
    hg_ws_certificate_done(&old);
    return result;
}

enum hg_log_level hg_ws_tls_describe(struct hg_ws_tls *tls, struct hg_buf *into)
{
    pthread_mutex_lock(&tls->lock);
    enum hg_log_level level = hg_ws_certificate_describe(&tls->certificate, into);
    pthread_mutex_unlock(&tls->lock);
    return level;
}

/* Whether it is time to look at the files, for one of all callers. */
static bool is_due(struct hg_ws_tls *tls, hg_time now)
{
    pthread_mutex_lock(&tls->lock);
    if (!hg_ok(hg_ws_tickets_turn(&tls->tickets, now)))
        tls->tickets.next = hg_time_add(now, tls->look_every); /* without random numbers the old key goes on */
    bool due = hg_time_reached(tls->next_look, now);
    if (due)
        tls->next_look = hg_time_add(now, tls->look_every);
    pthread_mutex_unlock(&tls->lock);
    return due;
}

static bool has_changed(struct hg_ws_tls *tls)
{
    struct stamp stamps[2];
    look(tls, stamps);
    pthread_mutex_lock(&tls->lock);
    bool changed = memcmp(stamps, tls->stamps, sizeof(stamps)) != 0;
    pthread_mutex_unlock(&tls->lock);
    return changed;
}

bool hg_ws_tls_tick(struct hg_ws_tls *tls, hg_time now, enum hg_log_level *ret_level, struct hg_buf *ret_line)
{
    if (!is_due(tls, now) || !has_changed(tls))
        return false;
    struct hg_buf why;
    hg_buf_init(&why, ret_line->max);
    hg_result result = hg_ws_tls_reload(tls, &why);
    hg_buf_put_str(ret_line, hg_ok(result) ? "the files have changed; serving " : "the files have changed, but ");
    if (hg_ok(result)) {
        *ret_level = hg_ws_tls_describe(tls, ret_line);
    } else {
        *ret_level = HG_LOG_ERROR;
        hg_buf_put(ret_line, result.code == HG_ERR_NOMEM ? HG_LIT("memory is out") : hg_buf_slice(&why));
        hg_buf_put_str(ret_line, "; the old certificate is served on");
    }
    hg_buf_done(&why);
    return true;
}

/* ---- from first to last ---- */

hg_result hg_ws_tls_new(const struct hg_ws_tls_config *config, struct hg_ws_tls **ret_tls, struct hg_buf *reterr)
{
    struct hg_ws_tls *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return HG_FAIL(NOMEM);
    pthread_mutex_init(&tls->reading, NULL);
    pthread_mutex_init(&tls->lock, NULL);
    tls->only_1_3 = config->only_1_3;
    tls->look_every = config->look_every;
    tls->certificate_path = strdup(config->certificate);
    tls->key_path = strdup(config->key);
    tls->bio_method = hg_ws_tls_bio_method();
    hg_result result = tls->certificate_path && tls->key_path && tls->bio_method ? HG_OK : HG_FAIL(NOMEM);
    if (hg_ok(result))
        result = hg_ws_tls_reload(tls, reterr);
    if (!hg_ok(result)) {
        hg_ws_tls_free(tls);
        return result;
    }
    *ret_tls = tls;
    return HG_OK;
}

void hg_ws_tls_free(struct hg_ws_tls *tls)
{
    if (!tls)
        return;
    hg_ws_certificate_done(&tls->certificate);
    hg_ws_tickets_done(&tls->tickets);
    BIO_meth_free(tls->bio_method);
    pthread_mutex_destroy(&tls->reading);
    pthread_mutex_destroy(&tls->lock);
    free(tls->certificate_path);
    free(tls->key_path);
    free(tls);
}

/* ---- within a handshake ---- */

static struct hg_ws *ws_of(const SSL *ssl)
{
    return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* Where no ticket makes it unnecessary. A handshake begins with the certificate of its moment, so none must be taken
 * from the context, where one of another kind (RSA, ECDSA) would stay beside a new one. */
static int on_certificate(SSL *ssl, void *argument)
{
    struct hg_ws *ws = argument;
    struct hg_ws_tls *tls = ws->tls;
    ws->handshakes++;
    pthread_mutex_lock(&tls->lock);
    const struct hg_ws_certificate *certificate = &tls->certificate;
    int good = SSL_use_cert_and_key(ssl, certificate->leaf, certificate->key, certificate->chain, 1);
    pthread_mutex_unlock(&tls->lock);
    return good;
}

static bool take_key(struct hg_ws_tls *tls, const unsigned char *name, struct hg_ws_ticket_key *ret_key,
                     bool *ret_current)
{
    pthread_mutex_lock(&tls->lock);
    const struct hg_ws_ticket_key *key = name                     ? hg_ws_tickets_find(&tls->tickets, name)
                                         : tls->tickets.count > 0 ? &tls->tickets.keys[0]
                                                                  : NULL;
    if (key)
        *ret_key = *key;
    *ret_current = key == &tls->tickets.keys[0];
    pthread_mutex_unlock(&tls->lock);
    return key != NULL;
}

static bool start_ciphers(const struct hg_ws_ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *seal,
                          EVP_MAC_CTX *proof, int sealing)
{
    OSSL_PARAM parts[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->proof, sizeof(key->proof)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(proof, parts) == 1 &&
           EVP_CipherInit_ex(seal, EVP_aes_256_cbc(), NULL, key->seal, iv, sealing) == 1;
}

/* Seals a new ticket, or gets ready to open one. 0: no ticket, or not one of ours; 2: good, to be replaced. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *seal, EVP_MAC_CTX *proof,
                     int sealing)
{
    struct hg_ws_ticket_key key;
    bool current;
    if (!take_key(ws_of(ssl)->tls, sealing ? NULL : name, &key, &current))
        return 0;
    /* A client of TLS 1.3 uses each ticket once (RFC 8446, section C.4): it gets another whatever the key. */
    int result = current && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
    if (sealing) {
        memcpy(name, key.name, sizeof(key.name));
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            result = -1;
    }
    if (result > 0 && !start_ciphers(&key, iv, seal, proof, sealing))
        result = -1;
    OPENSSL_cleanse(&key, sizeof(key));
    return result;
}

static int on_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len, const unsigned char *offered,
                   unsigned len, void *argument)
{
    static const unsigned char known[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl, (void)argument;
    if (SSL_select_next_proto(&chosen, ret_len, known, sizeof(known) - 1, offered, len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- the adapter's context and connections ---- */

bool hg_ws_tls_prepare(struct hg_ws *ws, SSL_CTX *context)
{
    static const unsigned char session_context[] = "headgate"; /* the same in all adapters, for they share tickets */
    struct hg_ws_tls *tls = ws->tls;
    ws->tls_context = context;
    pthread_mutex_lock(&tls->lock);
    bool keyed = hg_ok(hg_ws_tickets_turn(&tls->tickets, ws->sink.now(ws->sink.context)));
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_set_app_data(context, ws);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    /* Else OpenSSL looks for the rest of a chain in its store, at each handshake. */
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* the tickets hold all */
    SSL_CTX_set_timeout(context, (long)(HG_WS_TICKETS_MS / 1000));
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_tlsext_servername_callback(context, NULL); /* libwebsockets' would look for a host of that name */
    SSL_CTX_set_cert_cb(context, on_certificate, ws);
    return keyed && SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket) == 1 &&
           SSL_CTX_set_session_id_context(context, session_context, sizeof(session_context) - 1) == 1 &&
           SSL_CTX_set_min_proto_version(context, tls->only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

void hg_ws_tls_complete(struct hg_ws *ws)
{
    /* libwebsockets' own says yes to clients that offer other protocols only (RFC 7301, section 3.2). */
    SSL_CTX_set_alpn_select_cb(ws->tls_context, on_alpn, NULL);
}

void hg_ws_tls_adopted(struct hg_ws *ws, struct lws *wsi)
{
    SSL *ssl = lws_get_ssl(wsi);
    if (ssl)
        (void)hg_ws_tls_bio_attach(ws->tls->bio_method, ssl, &ws->gather);
}

bool hg_ws_tls_pending(struct lws *wsi)
{
    SSL *ssl = lws_get_ssl(wsi);
    return ssl && SSL_pending(ssl) > 0;
}

int hg_ws_tls_write(struct lws *wsi, struct hg_slice bytes, enum lws_write_protocol how)
{
    SSL *ssl = lws_get_ssl(wsi);
    /* With something buffered libwebsockets writes that, as much as it was. */
    bool expect = ssl && !lws_partial_buffered(wsi);
    if (expect)
        hg_ws_tls_bio_expect(ssl, bytes.len);
    int written = lws_write(wsi, (unsigned char *)(uintptr_t)bytes.ptr, bytes.len, how);
    if (expect)
        hg_ws_tls_bio_end(ssl, written < 0);
    return written;
}
