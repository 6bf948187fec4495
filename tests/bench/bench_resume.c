/* bench_resume.c – the resume storm: many clients come back to one stream at the same moment, each at a place of its
 * own, and must get what they missed, each entry once and in order, then `caught_up`, then what is live.
 *
 * Fills the stream (Redis at --redis), connects the clients to the gateway at --gateway, and prints one line a figure.
 * With --keeper a client is subscribed before the stream is filled, as when the others were dropped from a gateway that
 * goes on: it has the entries in memory. Without, the gateway has never seen the stream, as after a crash. With
 * --filters N the clients have N distinct filters, which let everything pass. The first thing amiss ends it with 1.
 * Calls out: Redis and gateway at the addresses given. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/slice.h"
#include "stream/cursor.h"
#include "support/frame_reader.h"

#define TOPIC        "storm"
#define READ_BYTES   262144
#define OPENING_MAX  512
#define PATIENCE_S   30
#define PORTS_A_HOST 20000
#define LIVE_ENTRIES 20

struct client {
    int fd;
    enum { SHAKING, OPEN, CAUGHT_UP } state;
    uint32_t expected; /* the entry that must come next */
    char *rest;
    size_t rest_len, rest_capacity;
};

static struct {
    struct sockaddr_in gateway, redis_address;
    size_t clients, entries, bytes, filters;
    bool keeper;
    redisContext *redis;
    int epoll;
    struct client *list;
    struct hg_cursor *cursors; /* of entry 1 … entries; [0] is the place in front */
    size_t opening, opened, caught_up, done;
    uint32_t last; /* the newest entry there is */
    uint64_t events, bytes_in;
    char input[READ_BYTES];
} bench;

__attribute__((format(printf, 1, 2))) static _Noreturn void die(const char *format, ...)
{
    va_list args;
    fputs("bench_resume: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Redis ------------------------------------------------------------------------------------------------------- */

static void add(uint32_t first, uint32_t last)
{
    char *event = calloc(1, bench.bytes + 64);
    for (uint32_t n = first; n <= last; n++) {
        int len = snprintf(event, bench.bytes, "{\"n\":%u,\"pad\":\"", n);
        memset(event + len, 'x', bench.bytes - (size_t)len - 2);
        memcpy(event + bench.bytes - 2, "\"}", 3);
        redisAppendCommand(bench.redis, "XADD " TOPIC " %u-0 event %b", 1000 + n, event, bench.bytes);
        const struct hg_slice fields[] = {HG_LIT("event"), hg_slice(event, bench.bytes)};
        if (n <= bench.entries)
            bench.cursors[n] = (struct hg_cursor){{1000 + n, 0}, hg_fingerprint(fields, 2)};
    }
    for (uint32_t n = first; n <= last; n++) {
        redisReply *reply;
        if (redisGetReply(bench.redis, (void **)&reply) != REDIS_OK || reply->type != REDIS_REPLY_STRING)
            die("XADD failed");
        freeReplyObject(reply);
    }
    bench.last = last;
    free(event);
}

/* ---- a client ---------------------------------------------------------------------------------------------------- */

static void send_text(const struct client *client, const char *text)
{
    char frame[2048];
    size_t payload = strlen(text), len = 0;
    frame[len++] = (char)0x81;
    if (payload > 125) {
        frame[len++] = (char)(0x80 | 126);
        frame[len++] = (char)(payload >> 8);
    }
    frame[len] = (char)(payload & 0xff);
    if (payload <= 125)
        frame[len] = (char)(0x80 | payload);
    len++;
    memset(frame + len, 0, 4); /* a mask of zeros is one, too */
    len += 4;
    memcpy(frame + len, text, payload);
    if (send(client->fd, frame, len + payload, MSG_NOSIGNAL) != (ssize_t)(len + payload))
        die("a client cannot send: %s", strerror(errno));
}

static void subscribe(const struct client *client, size_t number, uint32_t place)
{
    char text[1024], filter[128] = "", cursor[64] = "0-0";
    if (bench.filters > 0)
        snprintf(filter, sizeof(filter), ",\"filter\":\"n > -%zu\"", number % bench.filters + 1);
    if (place > 0)
        snprintf(cursor, sizeof(cursor), "%" PRIu64 "-0~%08x", bench.cursors[place].id.ms,
                 bench.cursors[place].fingerprint);
    snprintf(text, sizeof(text),
             "{\"op\":\"subscribe\",\"topic\":\"" TOPIC "\",\"from\":{\"cursors\":{\"" TOPIC "\":\"%s\"}}%s}", cursor,
             filter);
    send_text(client, text);
}

static void connect_client(struct client *client, size_t number)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    /* One address has not ports enough for all. */
    from.sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)(number / PORTS_A_HOST));
    int one = 1;
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(client->fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof(one));
    if (client->fd < 0 || bind(client->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        connect(client->fd, (struct sockaddr *)&bench.gateway, sizeof(bench.gateway)) != 0)
        die("client %zu cannot connect: %s", number, strerror(errno));
    char host[INET_ADDRSTRLEN], request[512];
    inet_ntop(AF_INET, &bench.gateway.sin_addr, host, sizeof(host));
    int len = snprintf(request, sizeof(request),
                       "GET /ws HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                       host, ntohs(bench.gateway.sin_port));
    if (send(client->fd, request, (size_t)len, MSG_NOSIGNAL) != len)
        die("client %zu cannot send: %s", number, strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(bench.epoll, EPOLL_CTL_ADD, client->fd, &event) != 0)
        die("epoll: %s", strerror(errno));
    bench.opening++;
}

static uint32_t place_of(size_t number)
{
    return (uint32_t)((number * 2654435761u) % bench.entries);
}

static void take_event(struct client *client, struct hg_slice message)
{
    const char *n = memmem(message.ptr, message.len, "{\"n\":", 5);
    uint32_t number = n ? (uint32_t)strtoul(n + 5, NULL, 10) : 0;
    if (number != client->expected)
        die("a client waits for entry %u and got: %.*s", client->expected, message.len > 200 ? 200 : (int)message.len,
            message.ptr);
    client->expected++;
    bench.events++;
    if (number == bench.entries + LIVE_ENTRIES)
        bench.done++;
}

static void take_message(struct client *client, struct hg_slice message)
{
    if (hg_slice_starts(message, HG_LIT("{\"op\":\"event\""))) {
        take_event(client, message);
    } else if (hg_slice_starts(message, HG_LIT("{\"op\":\"welcome\""))) {
        size_t number = (size_t)(client - bench.list);
        client->state = OPEN;
        client->expected = place_of(number) + 1;
        subscribe(client, number, place_of(number));
        bench.opening--;
        bench.opened++;
    } else if (hg_slice_starts(message, HG_LIT("{\"op\":\"caught_up\""))) {
        if (client->expected != bench.entries + 1)
            die("a client has caught up, but waits for entry %u", client->expected);
        client->state = CAUGHT_UP;
        bench.caught_up++;
    } else if (!hg_slice_starts(message, HG_LIT("{\"op\":\"ok\""))) {
        die("a client got: %.*s", HG_SLICE_ARG(message));
    }
}

static void readable(struct client *client)
{
    size_t had = client->rest_len;
    if (had > 0)
        memcpy(bench.input, client->rest, had);
    ssize_t got = recv(client->fd, bench.input + had, READ_BYTES - had, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0)
        die("a client was dropped");
    bench.bytes_in += (uint64_t)got;
    struct hg_slice bytes = hg_slice(bench.input, had + (size_t)got);
    if (client->state == SHAKING && hg_slice_starts(bytes, HG_LIT("HTTP/1.1 101"))) {
        const char *end = memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4);
        bytes = hg_slice_from(bytes, end ? (size_t)(end - bytes.ptr) + 4 : bytes.len);
    } else if (client->state == SHAKING && hg_slice_starts(bytes, HG_LIT("HTTP"))) {
        die("a client was refused: %.*s", HG_SLICE_ARG(bytes));
    }
    struct hgt_frame frame;
    while (hgt_frame_take(&bytes, &frame))
        if (frame.opcode == 1)
            take_message(client, frame.payload);
        else if (frame.opcode != 9)
            die("a client got a frame with opcode %u", frame.opcode);
    if (bytes.len > client->rest_capacity) {
        client->rest_capacity = bytes.len * 2;
        client->rest = realloc(client->rest, client->rest_capacity);
    }
    if (bytes.len > 0)
        memcpy(client->rest, bytes.ptr, bytes.len);
    client->rest_len = bytes.len;
}

static void pump(void)
{
    static double last;
    struct epoll_event events[256];
    int count = epoll_wait(bench.epoll, events, 256, 1000);
    if (count > 0 || last == 0)
        last = now_s();
    if (now_s() - last > PATIENCE_S)
        die("nothing came for %d s: %zu opened, %zu caught up, %zu done", PATIENCE_S, bench.opened, bench.caught_up,
            bench.done);
    for (int i = 0; i < count; i++)
        readable(events[i].data.ptr);
}

/* A plain client that is there before the entries come, so that the gateway follows the stream. */
static void open_keeper(struct client *keeper)
{
    connect_client(keeper, 0);
    char text[4096];
    size_t len = 0;
    send_text(keeper, "{\"op\":\"subscribe\",\"topic\":\"" TOPIC "\"}");
    while (!memmem(text, len, "\"op\":\"ok\"", 9)) {
        ssize_t got = recv(keeper->fd, text + len, sizeof(text) - len, 0);
        if (got <= 0 || len == sizeof(text))
            die("the keeper was dropped");
        len += (size_t)got;
    }
    epoll_ctl(bench.epoll, EPOLL_CTL_DEL, keeper->fd, NULL);
    bench.opening--;
}

static void drain(const struct client *keeper)
{
    while (recv(keeper->fd, bench.input, READ_BYTES, MSG_DONTWAIT) > 0)
        ;
}

static void run(void)
{
    struct client keeper = {0};
    if (bench.keeper)
        open_keeper(&keeper);
    for (uint32_t n = 1; n <= bench.entries; n += 500) {
        add(n, n + 499 <= bench.entries ? n + 499 : (uint32_t)bench.entries);
        if (bench.keeper) { /* it reads along, as the clients did before they were dropped */
            usleep(20000);
            drain(&keeper);
        }
    }
    if (bench.keeper)
        close(keeper.fd);
    puts("filled");
    fflush(stdout);
    (void)getchar(); /* tests/bench/resume counts commands and CPU from here */
    double start = now_s();
    for (size_t next = 0; bench.caught_up < bench.clients; pump())
        for (; next < bench.clients && bench.opening < OPENING_MAX; next++)
            connect_client(&bench.list[next], next);
    printf("seconds %.3f\n", now_s() - start);
    printf("events %" PRIu64 "\nbytes %" PRIu64 "\n", bench.events, bench.bytes_in);
    puts("caught_up");
    fflush(stdout);
    (void)getchar();
    add((uint32_t)bench.entries + 1, (uint32_t)bench.entries + LIVE_ENTRIES);
    while (bench.done < bench.clients)
        pump();
    puts("live");
}

static struct sockaddr_in address_of(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    unsigned port;
    if (sscanf(text, "%63[^:]:%u", host, &port) != 2 || inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("%s is no HOST:PORT", text);
    address.sin_port = htons((uint16_t)port);
    return address;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"gateway", 1, NULL, 'g'}, {"redis", 1, NULL, 'r'},   {"clients", 1, NULL, 'c'}, {"entries", 1, NULL, 'e'},
        {"bytes", 1, NULL, 'b'},   {"filters", 1, NULL, 'f'}, {"keeper", 0, NULL, 'k'},  {0}};
    bench.clients = 10000;
    bench.entries = 5000;
    bench.bytes = 256;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        switch (option) {
        case 'g':
            bench.gateway = address_of(optarg);
            break;
        case 'r':
            bench.redis_address = address_of(optarg);
            break;
        case 'c':
            bench.clients = strtoul(optarg, NULL, 10);
            break;
        case 'e':
            bench.entries = strtoul(optarg, NULL, 10);
            break;
        case 'b':
            bench.bytes = strtoul(optarg, NULL, 10);
            break;
        case 'f':
            bench.filters = strtoul(optarg, NULL, 10);
            break;
        case 'k':
            bench.keeper = true;
            break;
        default:
            die("see tests/bench/README.md");
        }
    if (!bench.gateway.sin_port || !bench.redis_address.sin_port || bench.clients == 0 || bench.entries == 0 ||
        bench.bytes < 64)
        die("--gateway, --redis, and at least one client, one entry, 64 bytes");
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &bench.redis_address.sin_addr, host, sizeof(host));
    bench.redis = redisConnect(host, ntohs(bench.redis_address.sin_port));
    bench.epoll = epoll_create1(0);
    bench.list = calloc(bench.clients, sizeof(*bench.list));
    bench.cursors = calloc(bench.entries + 1, sizeof(*bench.cursors));
    if (!bench.redis || bench.redis->err || bench.epoll < 0 || !bench.list || !bench.cursors)
        die("cannot begin");
    run();
    return 0;
}
