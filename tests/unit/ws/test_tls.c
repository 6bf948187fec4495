/* What workers share of TLS: tickets that are good with each, certificates that change under them. Handshakes are
 * carried in memory. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ws/context.h"
#include "ws/tickets.h"
#include "ws/tls.h"
#include "ws/tls_context.h"

#include <openssl/pem.h>

enum { WORKERS = 3, HANDSHAKES = 40 };

/* As much of an adapter as a handshake needs. */
struct worker {
    struct hg_ws ws;
    SSL_CTX *context;
    struct hg_ws_tls *tls;
    unsigned resumed;
    bool failed;
};

static char folder[] = "/tmp/hgt-tls-XXXXXX", certificate_path[64], key_path[64];
static hg_time now = {1000};

static hg_time now_of(void *context)
{
    (void)context;
    return now;
}

static void write_pair(const char *curve)
{
    EVP_PKEY *key = EVP_EC_gen(curve);
    X509 *certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)curve, -1,
                               -1, 0);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(certificate_path, "w");
    assert_true(file && PEM_write_X509(file, certificate));
    fclose(file);
    file = fopen(key_path, "w");
    assert_true(file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(certificate_path, sizeof(certificate_path), "%s/c.pem", folder);
    snprintf(key_path, sizeof(key_path), "%s/k.pem", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(certificate_path);
    unlink(key_path);
    return rmdir(folder);
}

static struct hg_ws_tls *new_tls(void)
{
    struct hg_ws_tls_config config = {certificate_path, key_path, false, hg_ms(1000)};
    struct hg_ws_tls *tls = NULL;
    struct hg_buf why;
    hg_buf_init(&why, 1024);
    assert_true(hg_ok(hg_ws_tls_new(&config, &tls, &why)));
    hg_buf_done(&why);
    return tls;
}

static void open_worker(struct worker *worker, struct hg_ws_tls *tls)
{
    *worker = (struct worker){.ws = {.tls = tls, .sink = {.now = now_of}}, .tls = tls};
    worker->context = SSL_CTX_new(TLS_server_method());
    assert_true(hg_ws_tls_prepare(&worker->ws, worker->context));
    hg_ws_tls_complete(&worker->ws);
}

static void close_worker(struct worker *worker)
{
    SSL_CTX_free(worker->context);
}

static void carry(SSL *from, SSL *to)
{
    char bytes[16384];
    int got;
    while ((got = BIO_read(SSL_get_wbio(from), bytes, sizeof(bytes))) > 0)
        BIO_write(SSL_get_rbio(to), bytes, got);
}

/* One handshake; `session` is taken up and replaced. False when it failed. */
static bool shake(struct worker *worker, SSL_CTX *client_context, SSL_SESSION **session, bool *ret_resumed)
{
    SSL *server = SSL_new(worker->context), *client = SSL_new(client_context);
    char byte;
    SSL_set_bio(server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (*session)
        SSL_set_session(client, *session);
    for (int i = 0; i < 10 && !(SSL_is_init_finished(server) && SSL_is_init_finished(client)); i++) {
        SSL_connect(client);
        carry(client, server);
        SSL_accept(server);
        carry(server, client);
    }
    bool good = SSL_is_init_finished(server) && SSL_is_init_finished(client);
    (void)SSL_read(client, &byte, 1); /* the ticket of TLS 1.3 */
    *ret_resumed = SSL_session_reused(server);
    SSL_SESSION_free(*session);
    *session = SSL_get1_session(client);
    SSL_shutdown(client);
    SSL_free(server);
    SSL_free(client);
    return good;
}

static void test_a_ticket_is_good_with_every_worker_and_for_its_time(void **state)
{
    (void)state;
    write_pair("P-256");
    struct hg_ws_tls *tls = new_tls(), *foreign = new_tls();
    struct worker workers[WORKERS], other;
    for (int i = 0; i < WORKERS; i++)
        open_worker(&workers[i], tls);
    open_worker(&other, foreign);
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t v = 0; v < 2; v++) {
        SSL_CTX *client = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(client, versions[v]);
        SSL_CTX_set_max_proto_version(client, versions[v]);
        SSL_SESSION *session = NULL;
        bool resumed;
        uint64_t proven = workers[0].ws.handshakes;
        assert_true(shake(&workers[0], client, &session, &resumed));
        assert_false(resumed);
        assert_int_equal(workers[0].ws.handshakes, proven + 1);
        for (int i = 0; i < 2 * WORKERS; i++) {
            assert_true(shake(&workers[i % WORKERS], client, &session, &resumed));
            assert_true(resumed);
        }
        assert_int_equal(workers[0].ws.handshakes, proven + 1); /* those that come back cost no proof */

        /* The next key: the ticket is good, and replaced by one of that key; so a client that stays away for less than
         * a term always comes back. */
        enum hg_log_level level;
        struct hg_buf line;
        hg_buf_init(&line, 1024);
        for (int i = 0; i < 3; i++) {
            now = hg_time_add(now, hg_ms(HG_WS_TICKETS_MS));
            assert_false(hg_ws_tls_tick(tls, now, &level, &line));
            assert_true(shake(&workers[i % WORKERS], client, &session, &resumed));
            assert_true(resumed);
        }
        /* Two terms: it is too old. */
        now = hg_time_add(now, hg_ms(HG_WS_TICKETS_MS));
        assert_false(hg_ws_tls_tick(tls, now, &level, &line));
        now = hg_time_add(now, hg_ms(HG_WS_TICKETS_MS));
        assert_false(hg_ws_tls_tick(tls, now, &level, &line));
        assert_true(shake(&workers[0], client, &session, &resumed));
        assert_false(resumed);
        hg_buf_done(&line);

        assert_true(shake(&other, client, &session, &resumed));
        assert_false(resumed);
        SSL_SESSION_free(session);
        SSL_CTX_free(client);
    }
    for (int i = 0; i < WORKERS; i++)
        close_worker(&workers[i]);
    close_worker(&other);
    hg_ws_tls_free(tls);
    hg_ws_tls_free(foreign);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SSL_SESSION *session = NULL;
    enum hg_log_level level;
    struct hg_buf line;
    hg_buf_init(&line, 1024);
    for (int i = 0; i < HANDSHAKES; i++) {
        bool resumed;
        if (i % 4 == 0) {
            SSL_SESSION_free(session);
            session = NULL;
        }
        worker->failed |= !shake(worker, client, &session, &resumed);
        worker->resumed += resumed;
        (void)hg_ws_tls_tick(worker->tls, hg_time_add(now, hg_ms((uint64_t)i * 1000)), &level, &line);
        hg_buf_clear(&line);
    }
    hg_buf_done(&line);
    SSL_SESSION_free(session);
    SSL_CTX_free(client);
    return NULL;
}

static void test_workers_meet_certificates_that_change(void **state)
{
    (void)state;
    write_pair("P-256");
    struct hg_ws_tls *tls = new_tls();
    struct worker workers[WORKERS];
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        open_worker(&workers[i], tls);
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    struct hg_buf line;
    hg_buf_init(&line, 1024);
    for (int i = 0; i < 20; i++) {
        write_pair(i % 2 ? "P-256" : "P-384");
        assert_true(hg_ok(hg_ws_tls_reload(tls, &line)));
        hg_ws_tls_describe(tls, &line);
        assert_non_null(memmem(line.ptr, line.len, i % 2 ? "P-256" : "P-384", 5));
        hg_buf_clear(&line);
    }
    hg_buf_done(&line);
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        assert_false(workers[i].failed);
        assert_int_equal(workers[i].resumed, HANDSHAKES / 4 * 3);
        assert_int_equal(workers[i].ws.handshakes, HANDSHAKES / 4);
        close_worker(&workers[i]);
    }
    hg_ws_tls_free(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ticket_is_good_with_every_worker_and_for_its_time),
        cmocka_unit_test(test_workers_meet_certificates_that_change),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
