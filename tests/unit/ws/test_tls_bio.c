/* The BIO that gathers records: a server of OpenSSL behind it, and a client whose bytes the test carries by hand, so
 * that it sees what left together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/death.h"
#include "ws/tls_bio.h"

#include <openssl/x509.h>

enum { BYTES_MAX = HG_WS_TLS_RECORDS_MAX * HG_WS_TLS_RECORD_BYTES, PACKET_BYTES_MAX = 1 << 20 };

struct pair {
    int ours, theirs; /* the ends of the socket */
    SSL *server, *client;
    BIO *to_client; /* what came off the socket; the client's answers are carried from its write BIO */
    struct hg_ws_tls_gather gather;
    unsigned packets; /* that came off the socket: of a seqpacket socket one for each system call */
    unsigned char sent[BYTES_MAX], received[BYTES_MAX];
};

static BIO_METHOD *method;
static SSL_CTX *server_context, *client_context;

static int open_all(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_true(key && certificate);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    server_context = SSL_CTX_new(TLS_server_method());
    client_context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_cert_and_key(server_context, certificate, key, NULL, 1), 1);
    SSL_CTX_set_mode(server_context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    X509_free(certificate);
    EVP_PKEY_free(key);
    method = hg_ws_tls_bio_method();
    assert_non_null(method);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    BIO_meth_free(method);
    return 0;
}

/* One packet from the socket to the client; false when there is none. */
static bool carry_one(struct pair *pair)
{
    static char packet[PACKET_BYTES_MAX];
    ssize_t got = recv(pair->theirs, packet, sizeof(packet), MSG_DONTWAIT);
    if (got <= 0)
        return false;
    pair->packets++;
    assert_int_equal(BIO_write(pair->to_client, packet, (int)got), (int)got);
    return true;
}

/* Byte by byte: of a packet OpenSSL would take a record's head and lose the rest. */
static void carry_back(struct pair *pair)
{
    char byte;
    while (BIO_read(SSL_get_wbio(pair->client), &byte, 1) == 1)
        while (send(pair->theirs, &byte, 1, 0) != 1)
            SSL_accept(pair->server);
}

static struct pair *open_pair(int type, int version)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    int ends[2];
    assert_non_null(pair);
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends), 0);
    pair->ours = ends[0];
    pair->theirs = ends[1];
    hg_buf_init(&pair->gather.records, HG_WS_TLS_GATHER_BYTES_MAX);
    pair->server = SSL_new(server_context);
    pair->client = SSL_new(client_context);
    SSL_set_min_proto_version(pair->client, version);
    SSL_set_max_proto_version(pair->client, version);
    SSL_set_fd(pair->server, pair->ours);
    assert_true(hg_ws_tls_bio_attach(method, pair->server, &pair->gather));
    assert_int_equal(SSL_get_fd(pair->server), pair->ours);
    pair->to_client = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(pair->to_client, -1);
    SSL_set_bio(pair->client, pair->to_client, BIO_new(BIO_s_mem()));
    for (int i = 0; i < 20 && !(SSL_is_init_finished(pair->server) && SSL_is_init_finished(pair->client)); i++) {
        SSL_connect(pair->client);
        carry_back(pair);
        SSL_accept(pair->server);
        while (carry_one(pair))
            ;
    }
    assert_true(SSL_is_init_finished(pair->server) && SSL_is_init_finished(pair->client));
    pair->packets = 0;
    return pair;
}

static void close_pair(struct pair *pair)
{
    SSL_free(pair->server);
    SSL_free(pair->client);
    hg_buf_done(&pair->gather.records);
    close(pair->ours);
    close(pair->theirs);
    free(pair);
}

static int write_some(struct pair *pair, size_t len)
{
    hg_ws_tls_bio_expect(pair->server, len);
    int result = SSL_write(pair->server, pair->sent, (int)len);
    hg_ws_tls_bio_end(pair->server, result <= 0 && SSL_get_error(pair->server, result) != SSL_ERROR_WANT_WRITE);
    return result;
}

/* All that the client can read of what was carried. */
static size_t read_some(struct pair *pair, size_t have)
{
    int got;
    while (have < BYTES_MAX && (got = SSL_read(pair->client, pair->received + have, (int)(BYTES_MAX - have))) > 0)
        have += (size_t)got;
    return have;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static void test_a_write_is_one_system_call(void **state)
{
    (void)state;
    static const size_t lens[] = {1, 16383, 16384, 16385, 32768, 50000, 100000, BYTES_MAX};
    for (size_t v = 0; v < 2; v++) {
        struct pair *pair = open_pair(SOCK_SEQPACKET, versions[v]);
        int room = 1 << 20;
        setsockopt(pair->ours, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
        setsockopt(pair->ours, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
            memset(pair->sent, 'a' + (int)i, lens[i]);
            pair->packets = 0;
            int result = write_some(pair, lens[i]);
            if (result <= 0 && lens[i] > 100000)
                break; /* without privileges the system allows no packet of that size */
            assert_int_equal(result, (int)lens[i]);
            while (carry_one(pair))
                ;
            assert_int_equal(pair->packets, 1);
            assert_int_equal(read_some(pair, 0), lens[i]);
            assert_memory_equal(pair->received, pair->sent, lens[i]);
        }
        /* Without a word before, each record goes by itself. */
        pair->packets = 0;
        assert_int_equal(SSL_write(pair->server, pair->sent, 50000), 50000);
        while (carry_one(pair))
            ;
        assert_int_equal(pair->packets, 4);
        close_pair(pair);
    }
}

/* A socket that takes little at a time: what was not taken is offered again, as libwebsockets does it, and nothing is
 * lost, doubled or out of order, whoever else writes in between. */
static void test_a_socket_that_takes_little(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct hg_prng prng;
        hg_prng_init(&prng, seed);
        struct pair *pair = open_pair(SOCK_STREAM, versions[seed % 2]);
        int room = (int)(2048 << hg_prng_below(&prng, 7));
        setsockopt(pair->ours, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
        size_t len = 1 + (size_t)hg_prng_below(&prng, BYTES_MAX), have = 0;
        for (size_t i = 0; i < len; i++)
            pair->sent[i] = (unsigned char)hg_prng_below(&prng, 256);
        int result = write_some(pair, len);
        assert_int_equal(pair->gather.records.len, 0); /* what is shared is free for others again */
        for (int turns = 0; result <= 0 && turns < 100000; turns++) {
            assert_int_equal(SSL_get_error(pair->server, result), SSL_ERROR_WANT_WRITE);
            for (uint64_t packets = hg_prng_below(&prng, 4); packets > 0 && carry_one(pair); packets--)
                have = read_some(pair, have);
            result = SSL_write(pair->server, pair->sent, (int)len);
        }
        assert_int_equal(result, (int)len);
        /* It was told to be sent: all of it is in the socket, and nothing waits anywhere else. */
        while (carry_one(pair))
            have = read_some(pair, have);
        assert_int_equal(have, len);
        assert_memory_equal(pair->received, pair->sent, len);
        close_pair(pair);
    }
}

static void test_a_connection_that_breaks(void **state)
{
    (void)state;
    struct pair *pair = open_pair(SOCK_STREAM, TLS1_3_VERSION), *other = open_pair(SOCK_STREAM, TLS1_3_VERSION);
    close(pair->theirs);
    pair->theirs = -1;
    assert_true(write_some(pair, 100000) <= 0);
    assert_int_equal(pair->gather.records.len, 0);
    assert_int_equal(write_some(other, 1000), 1000);
    close_pair(pair);
    close_pair(other);
}

static void write_less_than_was_said(void)
{
    struct pair *pair = open_pair(SOCK_STREAM, TLS1_3_VERSION);
    hg_ws_tls_bio_expect(pair->server, 100000);
    int result = SSL_write(pair->server, pair->sent, 1000);
    hg_ws_tls_bio_end(pair->server, result <= 0);
}

static void test_less_than_was_said_is_a_mistake(void **state)
{
    (void)state;
    assert_true(hgt_dies(write_less_than_was_said));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_write_is_one_system_call),
        cmocka_unit_test(test_a_socket_that_takes_little),
        cmocka_unit_test(test_a_connection_that_breaks),
        cmocka_unit_test(test_less_than_was_said_is_a_mistake),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
