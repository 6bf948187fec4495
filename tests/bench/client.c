#include "bench/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/process.h"
#include "support/frame_reader.h"

#define HEADER_BYTES_MAX 8     /* of a frame that this program sends */
#define COMPRESSED       0x40  /* in a frame's first byte */
#define CLIENTS_AN_ADDR  16384 /* from one address; the system has some 28,000 ports to give */

/* The nonce of RFC 6455, section 1.3, and what a server must make of it. */
#define NONCE "dGhlIHNhbXBsZSBub25jZQ=="
/* RFC 7692; messages that stand by themselves are the same for all clients. */
#define OFFER  "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

void hgt_epoll(int epoll, int fd, uint32_t events, void *data, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    if (epoll_ctl(epoll, operation, fd, &event) != 0)
        hgt_die("epoll: %s", strerror(errno));
}

static void send_all(struct hgt_client *client, const char *bytes, size_t len)
{
    /* The handshake alone is sent so: it fits into the socket's buffer. */
    if (hgt_transport_send(&client->transport, bytes, len) != (ssize_t)len)
        hgt_die("client %zu cannot send: %s", client->number, strerror(errno));
}

/* Writes a frame to `to`, of HEADER_BYTES_MAX + payload.len bytes; returns its length. */
static size_t write_frame(struct hgt_clients *pool, const struct hgt_client *client, unsigned opcode,
                          struct hg_slice payload, char *to)
{
    size_t len = 0;
    if (payload.len > UINT16_MAX)
        hgt_die("client %zu: a frame of %zu bytes is more than this program sends", client->number, payload.len);
    to[len++] = (char)(0x80 | opcode);
    if (payload.len > 125) {
        to[len++] = (char)(0x80 | 126);
        to[len++] = (char)(payload.len >> 8);
        to[len++] = (char)(payload.len & 0xff);
    } else {
        to[len++] = (char)(0x80 | payload.len);
    }
    uint64_t random = hg_prng_next(&pool->prng);
    const char *mask = memcpy(to + len, &random, 4);
    len += 4;
    for (size_t i = 0; i < payload.len; i++)
        to[len++] = (char)(payload.ptr[i] ^ mask[i % 4]);
    return len;
}

static void put_frame(struct hgt_clients *pool, struct hgt_client *client, unsigned opcode, struct hg_slice payload)
{
    size_t need = client->out_len + HEADER_BYTES_MAX + payload.len;
    if (need > client->out_capacity) {
        client->out_capacity = need * 2;
        client->out = realloc(client->out, client->out_capacity);
        if (!client->out)
            hgt_die("out of memory");
    }
    client->out_len += write_frame(pool, client, opcode, payload, client->out + client->out_len);
}

void hgt_client_put(struct hgt_clients *pool, struct hgt_client *client, struct hg_slice text)
{
    put_frame(pool, client, 1, text);
}

void hgt_client_flush(struct hgt_clients *pool, struct hgt_client *client)
{
    if (client->out_len == 0)
        return;
    ssize_t sent = hgt_transport_send(&client->transport, client->out, client->out_len);
    if (sent < 0 && errno != EAGAIN)
        hgt_die("client %zu cannot send: %s", client->number, strerror(errno));
    if (sent > 0) {
        client->out_len -= (size_t)sent;
        memmove(client->out, client->out + sent, client->out_len);
    }
    bool blocked = client->out_len > 0;
    if (blocked != client->blocked)
        hgt_epoll(pool->epoll, client->transport.fd, blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, client, EPOLL_CTL_MOD);
    client->blocked = blocked;
}

static void send_frame(struct hgt_clients *pool, struct hgt_client *client, unsigned opcode, struct hg_slice payload)
{
    put_frame(pool, client, opcode, payload);
    hgt_client_flush(pool, client);
}

void hgt_client_send(struct hgt_clients *pool, struct hgt_client *client, struct hg_slice text)
{
    send_frame(pool, client, 1, text);
}

void hgt_client_close(struct hgt_clients *pool, struct hgt_client *client)
{
    client->state = HGT_CLIENT_CLOSING;
    send_frame(pool, client, 8, HG_LIT("\x03\xe8"));
}

static void end(struct hgt_client *client)
{
    hgt_transport_close(&client->transport);
    free(client->rest);
    free(client->out);
    *client = (struct hgt_client){.transport = {.fd = -1}, .number = client->number};
}

void hgt_client_drop(struct hgt_client *client)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    if (client->state == HGT_CLIENT_NONE)
        return;
    setsockopt(client->transport.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    end(client);
}

void hgt_client_start(struct hgt_clients *pool, struct hgt_client *client, size_t number, int receive_bytes)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        hgt_die("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (receive_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    *client = (struct hgt_client){.transport = {.fd = fd}, .state = HGT_CLIENT_CONNECTING, .number = number};
    if (ntohl(pool->gateway.sin_addr.s_addr) >> 24 == 127) {
        struct sockaddr_in from = {.sin_family = AF_INET};
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(number / CLIENTS_AN_ADDR));
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
        if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0)
            hgt_die("client %zu cannot bind: %s", number, strerror(errno));
    }
    if (connect(fd, (struct sockaddr *)&pool->gateway, sizeof(pool->gateway)) != 0 && errno != EINPROGRESS)
        hgt_die("client %zu cannot connect: %s", number, strerror(errno));
    hgt_epoll(pool->epoll, fd, EPOLLOUT, client, EPOLL_CTL_ADD);
}

static void shake(const struct hgt_clients *pool, struct hgt_client *client)
{
    char request[512], host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &pool->gateway.sin_addr, host, sizeof(host));
    int len = snprintf(request, sizeof(request),
                       "GET /ws HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: " NONCE "\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Protocol: headgate.v1\r\n%s\r\n",
                       host, ntohs(pool->gateway.sin_port), pool->inflater ? OFFER : "");
    send_all(client, request, (size_t)len);
    client->state = HGT_CLIENT_SHAKING;
}

/* Takes the answer to the handshake from the front; false while it is not whole. */
static bool take_handshake(struct hgt_clients *pool, struct hgt_client *client, struct hg_slice *bytes)
{
    const char *stop = memmem(bytes->ptr, bytes->len, "\r\n\r\n", 4);
    if (!stop)
        return false;
    size_t len = (size_t)(stop - bytes->ptr) + 4;
    if (!hg_slice_starts(*bytes, HG_LIT("HTTP/1.1 101 ")) || !memmem(bytes->ptr, len, ACCEPT, sizeof(ACCEPT) - 1))
        hgt_die("client %zu was refused: %.*s", client->number, (int)len, bytes->ptr);
    if (pool->inflater && !memmem(bytes->ptr, len, "server_no_context_takeover", 26))
        hgt_die("client %zu may not compress message by message: %.*s", client->number, (int)len, bytes->ptr);
    *bytes = hg_slice_from(*bytes, len);
    client->state = HGT_CLIENT_OPEN;
    pool->last_progress = hgt_now();
    pool->on_open(pool->owner, client);
    return true;
}

uint64_t hgt_client_sub_in(struct hg_slice message)
{
    static const char head[] = "{\"op\":\"ok\",\"ref\":1,\"sub\":";
    char text[64] = "";
    memcpy(text, message.ptr, message.len < sizeof(text) ? message.len : sizeof(text) - 1);
    return strncmp(text, head, sizeof(head) - 1) == 0 ? strtoull(text + sizeof(head) - 1, NULL, 10) : 0;
}

static void take_frame(struct hgt_clients *pool, struct hgt_client *client, struct hgt_frame frame, uint64_t now)
{
    switch (frame.opcode) {
    case 1:
        pool->last_progress = now;
        pool->on_message(pool->owner, client, frame.payload, now);
        return;
    case 8:
        if (client->state == HGT_CLIENT_CLOSING)
            return;
        hgt_die("client %zu was sent away: %.*s", client->number,
                frame.payload.len > 2 ? (int)frame.payload.len - 2 : 0, frame.payload.ptr + 2);
    case 9:
        pool->pings++;
        send_frame(pool, client, 10, frame.payload);
        return;
    }
    hgt_die("client %zu got an unexpected frame with opcode %u", client->number, frame.opcode);
}

static void keep_rest(struct hgt_client *client, struct hg_slice rest)
{
    if (rest.len > client->rest_capacity) {
        client->rest_capacity = rest.len * 2;
        client->rest = realloc(client->rest, client->rest_capacity);
        if (!client->rest)
            hgt_die("out of memory");
    }
    if (rest.len > 0)
        memcpy(client->rest, rest.ptr, rest.len);
    client->rest_len = rest.len;
}

static void hung_up(struct hgt_clients *pool, struct hgt_client *client)
{
    if (client->state != HGT_CLIENT_CLOSING)
        hgt_die("client %zu was dropped", client->number);
    end(client);
    pool->on_end(pool->owner, client);
}

/* One frame, inflated where its first reserved bit says that it is compressed. */
static bool take_any(struct hgt_clients *pool, const struct hgt_client *client, struct hg_slice *bytes,
                     struct hgt_frame *ret_frame)
{
    char *first = pool->input + (bytes->ptr - pool->input);
    bool compressed = pool->inflater && bytes->len > 0 && (*first & COMPRESSED);
    if (!compressed)
        return hgt_frame_take(bytes, ret_frame);
    *first &= (char)~COMPRESSED;
    if (!hgt_frame_take(bytes, ret_frame)) {
        *first |= COMPRESSED;
        return false;
    }
    ret_frame->payload = hgt_inflater_take(pool->inflater, ret_frame->payload);
    if (!ret_frame->payload.ptr || ret_frame->opcode != 1)
        hgt_die("client %zu got a compressed message that cannot be inflated", client->number);
    pool->compressed++;
    return true;
}

static void readable(struct hgt_clients *pool, struct hgt_client *client)
{
    for (;;) {
        size_t had = client->rest_len, room = HGT_READ_BYTES - had;
        ssize_t got = hgt_transport_receive(&client->transport, pool->input + had, room);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got < 0 && !(client->state == HGT_CLIENT_CLOSING && errno == ECONNRESET))
            hgt_die("client %zu cannot receive: %s", client->number, strerror(errno));
        if (got <= 0) {
            hung_up(pool, client);
            return;
        }
        if (had > 0)
            memcpy(pool->input, client->rest, had);
        struct hg_slice bytes = hg_slice(pool->input, had + (size_t)got);
        struct hgt_frame frame;
        uint64_t now = hgt_now();
        pool->bytes += (size_t)got;
        if (client->state != HGT_CLIENT_SHAKING || take_handshake(pool, client, &bytes))
            while (take_any(pool, client, &bytes, &frame))
                take_frame(pool, client, frame, now);
        if (bytes.len == HGT_READ_BYTES)
            hgt_die("client %zu got what is no frame", client->number);
        keep_rest(client, bytes);
        if ((size_t)got < room && !hgt_transport_holds_more(&client->transport))
            return;
    }
}

void hgt_client_ready(struct hgt_clients *pool, struct hgt_client *client)
{
    if (client->state == HGT_CLIENT_SECURING) {
        if (hgt_transport_secure(&client->transport, pool->tls))
            shake(pool, client);
        return;
    }
    if (client->state != HGT_CLIENT_CONNECTING) {
        if (client->blocked)
            hgt_client_flush(pool, client);
        readable(pool, client);
        return;
    }
    int error = 0;
    socklen_t len = sizeof(error);
    getsockopt(client->transport.fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0)
        hgt_die("client %zu cannot connect: %s", client->number, strerror(error));
    hgt_epoll(pool->epoll, client->transport.fd, EPOLLIN, client, EPOLL_CTL_MOD);
    client->state = HGT_CLIENT_SECURING;
    if (hgt_transport_secure(&client->transport, pool->tls))
        shake(pool, client);
}
