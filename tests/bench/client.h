/* client.h – WebSocket clients of a benchmark (RFC 6455, the client's side): many in one process, on one epoll.
 *
 * A client connects, shakes hands, and hands on each message it gets; what it must be is the benchmark's business.
 * Pings are answered. Whatever else is unexpected ends the program with a sentence that names the client's number.
 * Ownership: the benchmark owns the clients' memory; a client belongs to the pool from start to its end.
 * Calls out: the three functions of the pool, from hgt_client_ready() alone. */
#ifndef HGT_BENCH_CLIENT_H
#define HGT_BENCH_CLIENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/prng.h"
#include "base/slice.h"
#include "bench/inflater.h"
#include "bench/transport.h"

#define HGT_READ_BYTES 131072

enum hgt_client_state {
    HGT_CLIENT_NONE,
    HGT_CLIENT_CONNECTING,
    HGT_CLIENT_SECURING, /* TLS */
    HGT_CLIENT_SHAKING,
    HGT_CLIENT_OPEN,
    HGT_CLIENT_CLOSING /* sent a close frame */
};

struct hgt_client {
    struct hgt_transport transport;
    enum hgt_client_state state;
    size_t number; /* in what is said of it */
    char *rest;    /* the beginning of what has not come whole yet */
    size_t rest_len, rest_capacity;
    char *out; /* frames that wait to be sent */
    size_t out_len, out_capacity;
    bool blocked; /* the socket is full: goes on when it is writable */
};

struct hgt_clients {
    /* Set before the first client starts. */
    int epoll; /* data.ptr of a client's events is the client */
    struct sockaddr_in gateway;
    struct ssl_ctx_st *tls;        /* NULL: none is spoken */
    struct hgt_inflater *inflater; /* NULL: no compression is offered */
    void *owner;
    void (*on_open)(void *owner, struct hgt_client *client);
    void (*on_message)(void *owner, struct hgt_client *client, struct hg_slice message, uint64_t now);
    void (*on_end)(void *owner, struct hgt_client *client); /* after hgt_client_close() */
    /* Told. */
    uint64_t last_progress; /* when a message came, or an answer to a handshake */
    uint64_t bytes;         /* so much came, inside TLS */
    uint64_t compressed;    /* messages */
    uint64_t pings;         /* that were answered */
    struct hg_prng prng;
    char input[HGT_READ_BYTES];
};

void hgt_epoll(int epoll, int fd, uint32_t events, void *data, int operation);
/* receive_bytes: of the socket's buffer; 0: what the system sees fit. */
void hgt_client_start(struct hgt_clients *pool, struct hgt_client *client, size_t number, int receive_bytes);
/* Something happened on its socket. */
void hgt_client_ready(struct hgt_clients *pool, struct hgt_client *client);
void hgt_client_send(struct hgt_clients *pool, struct hgt_client *client, struct hg_slice text);
/* Of many messages at once: put one behind the other, then sent in as few writes as the socket takes. */
void hgt_client_put(struct hgt_clients *pool, struct hgt_client *client, struct hg_slice text);
void hgt_client_flush(struct hgt_clients *pool, struct hgt_client *client);
/* With a close frame; on_end() follows when the gateway has closed, too. */
void hgt_client_close(struct hgt_clients *pool, struct hgt_client *client);
/* At once, with a reset: as a network that breaks would, and no address waits to be used again. */
void hgt_client_drop(struct hgt_client *client);
/* The sub that the answer to a subscribe with ref 1 tells; 0: it is none. */
uint64_t hgt_client_sub_in(struct hg_slice message);

#endif
