/* bench_fanout.c – one round of the fan-out benchmark: many WebSocket clients on one topic, one publisher, all in this
 * process on one core. tests/bench/run starts Redis and gateway for it and makes a table of what it prints.
 *
 * Every event is checked at every client, byte for byte and in order; the first thing amiss ends the round with 1 and a
 * sentence. A figure is one line on standard output: measure, figure, value.
 * Units: times in nanoseconds of the monotonic clock unless a name says otherwise.
 * Calls out: Redis and gateway at the addresses given, /proc of the gateway's process. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <linux/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/prng.h"
#include "base/slice.h"
#include "support/frame_reader.h"

#define SECOND            UINT64_C(1000000000)
#define PATIENCE          (10 * SECOND) /* so long nothing may happen that should */
#define WARM_EVENTS       64
#define OPENING_MAX       256   /* connections on their way at the same time */
#define IN_FLIGHT_MAX     65536 /* events; a power of two */
#define READ_BYTES        131072
#define MEASURES_MAX      16
#define COUNTS_MAX        8
#define EVENT_BYTES_MIN   64
#define EVENT_BYTES_MAX   65536
#define FIRST_NUMBER      UINT64_C(1000000000) /* so that every number has ten digits */
#define DIGITS            10
#define STREAM_LENGTH_MAX "100000"
/* Delays: buckets of 1/16 of a power of two, from 1 µs. */
#define DELAY_BUCKETS (16 * 40)

/* The nonce of RFC 6455, section 1.3, and what a server must make of it. */
#define NONCE  "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum client_state { CLIENT_CONNECTING, CLIENT_SHAKING, CLIENT_OPEN, CLIENT_SUBSCRIBED, CLIENT_CLOSING };

struct client {
    int fd;
    enum client_state state;
    uint64_t expected; /* the event that must come next */
    char *rest;        /* the beginning of what has not come whole yet */
    size_t rest_len, rest_capacity;
};

struct measure {
    bool steady;
    uint64_t number; /* events in flight, or a second when steady */
};

struct cpu {
    uint64_t total, user, system, waited; /* waited: ready to run while others had the core */
};

struct bench {
    /* what was asked for */
    struct sockaddr_in gateway, redis_address;
    pid_t pid;
    bool stream;
    const char *topic;
    size_t event_bytes, counts[COUNTS_MAX], count_count, measure_count;
    struct measure measures[MEASURES_MAX];
    uint64_t duration, events_max;
    /* connections */
    int epoll, timer;
    redisContext *redis;
    size_t replies_due;
    struct client *clients;
    size_t client_count, opening, subscribed, left;
    struct hg_prng prng;
    char *event;      /* what is published; its number is filled in each time */
    char prefix[512]; /* of every event's frame, up to the cursor or the event */
    size_t prefix_len;
    uint64_t sub; /* 0: not known yet */
    /* events */
    uint64_t published, done; /* done: arrived at all clients */
    uint64_t last_progress;
    uint64_t sent_at[IN_FLIGHT_MAX];
    uint32_t arrived[IN_FLIGHT_MAX]; /* clients that have it */
    uint64_t delays[DELAY_BUCKETS];
    uint64_t ticks; /* of the timer, not yet published */
    char input[READ_BYTES];
};

__attribute__((format(printf, 1, 2))) static _Noreturn void die(const char *format, ...)
{
    va_list args;
    fputs("bench_fanout: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void tell(const struct measure *measure, const char *figure, double value)
{
    printf("%s:%" PRIu64 " %s %.6g\n", measure->steady ? "rate" : "window", measure->number, figure, value);
}

/* ---- the gateway's process --------------------------------------------------------------------------------------- */

static void read_proc(const struct bench *bench, const char *file, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)bench->pid, file);
    int fd = open(path, O_RDONLY);
    ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);
    if (len <= 0)
        die("cannot read %s: has the gateway ended?", path);
    text[len] = '\0';
    close(fd);
}

/* In bytes; `name` as in /proc/PID/status. */
static double read_memory(const struct bench *bench, const char *name)
{
    char text[8192];
    read_proc(bench, "status", text, sizeof(text));
    const char *line = strstr(text, name);
    if (!line)
        die("the kernel does not tell %s", name);
    return (double)strtoull(line + strlen(name), NULL, 10) * 1024;
}

/* The sum is exact; how it divides into user and system, the kernel samples at its ticks. */
static struct cpu read_cpu(const struct bench *bench)
{
    char text[4096];
    unsigned long long user, system, waited;
    clockid_t clock;
    struct timespec total;
    read_proc(bench, "stat", text, sizeof(text));
    const char *after_name = strrchr(text, ')');
    if (!after_name ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2 ||
        clock_getcpuclockid(bench->pid, &clock) != 0 || clock_gettime(clock, &total) != 0)
        die("cannot read the CPU time of process %d", (int)bench->pid);
    read_proc(bench, "schedstat", text, sizeof(text));
    if (sscanf(text, "%*u %llu", &waited) != 1)
        waited = 0;
    return (struct cpu){(uint64_t)total.tv_sec * SECOND + (uint64_t)total.tv_nsec, user, system, waited};
}

static uint64_t own_cpu(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* ---- WebSocket, the client's side -------------------------------------------------------------------------------- */

static size_t number_of(const struct bench *bench, const struct client *client)
{
    return (size_t)(client - bench->clients);
}

static void send_all(const struct bench *bench, const struct client *client, const char *bytes, size_t len)
{
    /* What is sent is short, and the gateway reads it: it fits into the socket's buffer. */
    if (send(client->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        die("client %zu cannot send: %s", number_of(bench, client), strerror(errno));
}

static void send_frame(struct bench *bench, const struct client *client, unsigned opcode, struct hg_slice payload)
{
    char frame[2 + 2 + 4 + 1024];
    size_t len = 0;
    if (payload.len > 1024)
        die("a frame of %zu bytes is more than this program sends", payload.len);
    frame[len++] = (char)(0x80 | opcode);
    if (payload.len > 125) {
        frame[len++] = (char)(0x80 | 126);
        frame[len++] = (char)(payload.len >> 8);
    }
    frame[len] = (char)(payload.len & 0xff);
    if (payload.len <= 125)
        frame[len] = (char)(0x80 | payload.len);
    len++;
    uint64_t random = hg_prng_next(&bench->prng);
    const char *mask = memcpy(frame + len, &random, 4);
    len += 4;
    for (size_t i = 0; i < payload.len; i++)
        frame[len++] = (char)(payload.ptr[i] ^ mask[i % 4]);
    send_all(bench, client, frame, len);
}

static void shake(const struct bench *bench, struct client *client)
{
    char request[512], host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &bench->gateway.sin_addr, host, sizeof(host));
    int len = snprintf(request, sizeof(request),
                       "GET /ws HTTP/1.1\r\nHost: %s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: " NONCE "\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Protocol: headgate.v1\r\n\r\n",
                       host, ntohs(bench->gateway.sin_port));
    send_all(bench, client, request, (size_t)len);
    client->state = CLIENT_SHAKING;
}

/* Takes the answer to the handshake from the front; false while it is not whole. */
static bool take_handshake(struct bench *bench, struct client *client, struct hg_slice *bytes)
{
    const char *end = memmem(bytes->ptr, bytes->len, "\r\n\r\n", 4);
    if (!end)
        return false;
    size_t len = (size_t)(end - bytes->ptr) + 4;
    if (!hg_slice_starts(*bytes, HG_LIT("HTTP/1.1 101 ")) || !memmem(bytes->ptr, len, ACCEPT, sizeof(ACCEPT) - 1))
        die("client %zu was refused: %.*s", number_of(bench, client), (int)len, bytes->ptr);
    *bytes = hg_slice_from(*bytes, len);
    client->state = CLIENT_OPEN;
    char command[512];
    int command_len =
        snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"%s\"}", bench->topic);
    send_frame(bench, client, 1, hg_slice(command, (size_t)command_len));
    return true;
}

static void take_ok(struct bench *bench, struct client *client, struct hg_slice message)
{
    static const char head[] = "{\"op\":\"ok\",\"ref\":1,\"sub\":";
    char text[64] = "";
    if (message.len < sizeof(text))
        memcpy(text, message.ptr, message.len);
    uint64_t sub = strncmp(text, head, sizeof(head) - 1) == 0 ? strtoull(text + sizeof(head) - 1, NULL, 10) : 0;
    if (client->state != CLIENT_OPEN || sub == 0)
        die("client %zu got instead of an ok: %.*s", number_of(bench, client), HG_SLICE_ARG(message));
    if (bench->sub == 0) {
        bench->sub = sub;
        bench->prefix_len = (size_t)snprintf(bench->prefix, sizeof(bench->prefix),
                                             "{\"op\":\"event\",\"sub\":%" PRIu64 ",\"topic\":\"%s\",%s", sub,
                                             bench->topic, bench->stream ? "\"cursor\":\"" : "\"event\":");
    }
    if (sub != bench->sub)
        die("client %zu got another sub for the same topic", number_of(bench, client));
    client->state = CLIENT_SUBSCRIBED;
    client->expected = bench->published;
    bench->subscribed++;
    bench->opening--;
}

static void note_delay(struct bench *bench, uint64_t delay)
{
    uint64_t us = delay / 1000;
    size_t at = (size_t)us;
    if (us >= 16) {
        unsigned log = 63u - (unsigned)__builtin_clzll(us);
        at = (size_t)(log - 3) * 16 + (size_t)((us >> (log - 4)) & 15);
    }
    bench->delays[at < DELAY_BUCKETS ? at : DELAY_BUCKETS - 1]++;
}

static double delay_of_bucket(size_t at)
{
    if (at < 16)
        return (double)at + 0.5;
    size_t log = at / 16 + 3;
    return ((double)(at % 16) + 16.5) * (double)(UINT64_C(1) << (log - 4));
}

/* The delay in µs within which `share` of the deliveries arrived. */
static double delay_within(const struct bench *bench, double share)
{
    uint64_t sum = 0, below = 0;
    for (size_t i = 0; i < DELAY_BUCKETS; i++)
        sum += bench->delays[i];
    for (size_t i = 0; i < DELAY_BUCKETS; i++) {
        below += bench->delays[i];
        if (sum > 0 && (double)below >= share * (double)sum)
            return delay_of_bucket(i);
    }
    return 0;
}

/* The hot path: whether the message is the event that this client must get next. */
static bool take_event(struct bench *bench, struct client *client, struct hg_slice message, uint64_t now)
{
    static const char before[] = "\",\"event\":";
    size_t head = bench->prefix_len, tail = bench->event_bytes + 1;
    if (message.len < head + tail || memcmp(message.ptr, bench->prefix, head) != 0)
        return false;
    const char *event = message.ptr + message.len - tail;
    if (bench->stream) { /* between prefix and event a cursor of any length */
        if (message.len < head + sizeof(before) - 1 + tail ||
            memcmp(event - (sizeof(before) - 1), before, sizeof(before) - 1) != 0)
            return false;
    } else if (message.len != head + tail) {
        return false;
    }
    uint64_t number = 0;
    const char *digits = event + 5;
    for (int i = 0; i < DIGITS; i++)
        number = number * 10 + (uint64_t)(digits[i] - '0');
    if (number != FIRST_NUMBER + client->expected || client->expected >= bench->published ||
        memcmp(event, bench->event, 5) != 0 || event[bench->event_bytes] != '}' ||
        memcmp(digits + DIGITS, bench->event + 5 + DIGITS, bench->event_bytes - 5 - DIGITS) != 0)
        return false;
    size_t slot = client->expected++ % IN_FLIGHT_MAX;
    note_delay(bench, now - bench->sent_at[slot]);
    if (++bench->arrived[slot] == bench->client_count)
        bench->done++;
    return true;
}

static void take_frame(struct bench *bench, struct client *client, struct hgt_frame frame, uint64_t now)
{
    switch (frame.opcode) {
    case 1:
        if (client->state == CLIENT_SUBSCRIBED && take_event(bench, client, frame.payload, now))
            return;
        if (hg_slice_starts(frame.payload, HG_LIT("{\"op\":\"welcome\",")))
            return;
        if (client->state == CLIENT_OPEN) {
            take_ok(bench, client, frame.payload);
            return;
        }
        die("client %zu waits for event %" PRIu64 " of %" PRIu64 " and got: %.*s", number_of(bench, client),
            client->expected, bench->published, frame.payload.len > 400 ? 400 : (int)frame.payload.len,
            frame.payload.ptr);
    case 8:
        if (client->state == CLIENT_CLOSING)
            return;
        break;
    case 9:
        send_frame(bench, client, 10, frame.payload);
        return;
    }
    die("client %zu got an unexpected frame with opcode %u", number_of(bench, client), frame.opcode);
}

static void keep_rest(struct client *client, struct hg_slice rest)
{
    if (rest.len > client->rest_capacity) {
        client->rest_capacity = rest.len * 2;
        client->rest = realloc(client->rest, client->rest_capacity);
        if (!client->rest)
            die("out of memory");
    }
    if (rest.len > 0)
        memcpy(client->rest, rest.ptr, rest.len);
    client->rest_len = rest.len;
}

static void leave(struct bench *bench, struct client *client)
{
    if (client->state != CLIENT_CLOSING)
        die("client %zu was dropped", number_of(bench, client));
    close(client->fd);
    client->fd = -1;
    free(client->rest);
    client->rest = NULL;
    bench->left++;
}

static void client_readable(struct bench *bench, struct client *client)
{
    for (;;) {
        size_t had = client->rest_len, room = READ_BYTES - had;
        ssize_t got = recv(client->fd, bench->input + had, room, 0);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got < 0 && !(client->state == CLIENT_CLOSING && errno == ECONNRESET))
            die("client %zu cannot receive: %s", number_of(bench, client), strerror(errno));
        if (got <= 0) {
            leave(bench, client);
            return;
        }
        if (had > 0)
            memcpy(bench->input, client->rest, had);
        struct hg_slice bytes = hg_slice(bench->input, had + (size_t)got);
        struct hgt_frame frame;
        uint64_t now = now_ns();
        bench->last_progress = now;
        if (client->state != CLIENT_SHAKING || take_handshake(bench, client, &bytes))
            while (hgt_frame_take(&bytes, &frame))
                take_frame(bench, client, frame, now);
        if (bytes.len == READ_BYTES)
            die("client %zu got what is no frame", number_of(bench, client));
        keep_rest(client, bytes);
        if ((size_t)got < room)
            return;
    }
}

/* ---- the publisher ----------------------------------------------------------------------------------------------- */

static void redis_readable(struct bench *bench)
{
    if (redisBufferRead(bench->redis) != REDIS_OK)
        die("Redis: %s", bench->redis->errstr);
    void *answer;
    while (redisGetReplyFromReader(bench->redis, &answer) == REDIS_OK && answer) {
        const redisReply *reply = answer;
        if (reply->type == REDIS_REPLY_ERROR)
            die("Redis: %s", reply->str);
        if (!bench->stream && (reply->type != REDIS_REPLY_INTEGER || reply->integer != 1))
            die("Redis passed an event on to %lld subscribers; the gateway alone should be there", reply->integer);
        freeReplyObject(answer);
        bench->replies_due--;
    }
    if (bench->redis->err)
        die("Redis: %s", bench->redis->errstr);
}

static void publish(struct bench *bench, uint64_t count)
{
    if (bench->published - bench->done + count > IN_FLIGHT_MAX)
        die("the gateway falls behind: %" PRIu64 " events are on their way", bench->published - bench->done);
    uint64_t now = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        char digits[32];
        snprintf(digits, sizeof(digits), "%" PRIu64, FIRST_NUMBER + bench->published);
        memcpy(bench->event + 5, digits, DIGITS);
        const char *to_stream[] = {"XADD", bench->topic, "MAXLEN", "~", STREAM_LENGTH_MAX, "*", "event", bench->event};
        const char *to_channel[] = {"PUBLISH", bench->topic, bench->event};
        int done = bench->stream ? redisAppendCommandArgv(bench->redis, 8, to_stream, NULL)
                                 : redisAppendCommandArgv(bench->redis, 3, to_channel, NULL);
        if (done != REDIS_OK)
            die("Redis: %s", bench->redis->errstr);
        bench->replies_due++;
        size_t slot = bench->published++ % IN_FLIGHT_MAX;
        bench->sent_at[slot] = now;
        bench->arrived[slot] = 0;
    }
    int all_sent = count == 0;
    while (!all_sent)
        if (redisBufferWrite(bench->redis, &all_sent) != REDIS_OK)
            die("Redis: %s", bench->redis->errstr);
}

static void open_redis(struct bench *bench)
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &bench->redis_address.sin_addr, host, sizeof(host));
    bench->redis = redisConnectWithTimeout(host, ntohs(bench->redis_address.sin_port), (struct timeval){.tv_sec = 5});
    if (!bench->redis || bench->redis->err)
        die("Redis: %s", bench->redis ? bench->redis->errstr : "out of memory");
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void add_to_epoll(const struct bench *bench, int fd, uint32_t events, void *data, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    if (epoll_ctl(bench->epoll, operation, fd, &event) != 0)
        die("epoll: %s", strerror(errno));
}

static void client_ready(struct bench *bench, struct client *client)
{
    if (client->state != CLIENT_CONNECTING) {
        client_readable(bench, client);
        return;
    }
    int error = 0;
    socklen_t len = sizeof(error);
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error != 0)
        die("client %zu cannot connect: %s", number_of(bench, client), strerror(error));
    add_to_epoll(bench, client->fd, EPOLLIN, client, EPOLL_CTL_MOD);
    shake(bench, client);
}

/* Takes what is there, waiting for it if there is nothing; ends the program when nothing comes. */
static void turn(struct bench *bench)
{
    struct epoll_event events[512];
    int count = epoll_wait(bench->epoll, events, 512, 1000);
    if (count < 0 && errno != EINTR)
        die("epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        void *data = events[i].data.ptr;
        uint64_t ticks;
        if (data == &bench->redis)
            redis_readable(bench);
        else if (data != &bench->timer)
            client_ready(bench, data);
        else if (read(bench->timer, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
            bench->ticks += ticks;
    }
    if (count <= 0 && now_ns() - bench->last_progress > PATIENCE)
        die("nothing comes any more: %zu of %zu clients subscribed, %zu left; %" PRIu64 " of %" PRIu64
            " events everywhere",
            bench->subscribed, bench->client_count, bench->left, bench->done, bench->published);
}

/* ---- clients come and go ----------------------------------------------------------------------------------------- */

static void start_client(struct bench *bench, struct client *client)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    *client = (struct client){.fd = fd, .state = CLIENT_CONNECTING};
    if (connect(fd, (struct sockaddr *)&bench->gateway, sizeof(bench->gateway)) != 0 && errno != EINPROGRESS)
        die("client %zu cannot connect: %s", number_of(bench, client), strerror(errno));
    add_to_epoll(bench, fd, EPOLLOUT, client, EPOLL_CTL_ADD);
    bench->opening++;
}

static void connect_clients(struct bench *bench, size_t count)
{
    bench->last_progress = now_ns();
    while (bench->subscribed < count) {
        while (bench->client_count < count && bench->opening < OPENING_MAX)
            start_client(bench, &bench->clients[bench->client_count++]);
        turn(bench);
    }
}

static void disconnect_clients(struct bench *bench)
{
    for (size_t i = 0; i < bench->client_count; i++) {
        bench->clients[i].state = CLIENT_CLOSING;
        send_frame(bench, &bench->clients[i], 8, HG_LIT("\x03\xe8"));
    }
    bench->last_progress = now_ns();
    while (bench->left < bench->client_count)
        turn(bench);
}

/* ---- measures ---------------------------------------------------------------------------------------------------- */

static void drain(struct bench *bench)
{
    bench->last_progress = now_ns();
    while (bench->done < bench->published || bench->replies_due > 0)
        turn(bench);
}

static void set_timer(const struct bench *bench, uint64_t interval)
{
    struct timespec time = {(time_t)(interval / SECOND), (long)(interval % SECOND)};
    struct itimerspec setting = {time, time};
    if (timerfd_settime(bench->timer, 0, &setting, NULL) != 0)
        die("timerfd: %s", strerror(errno));
}

/* How many pieces with data have come in at all clients: as many as the gateway has written, since with TCP_NODELAY
 * over loopback each write up to 64 KiB goes out at once as one segment. Counting them does not slow the gateway. */
static uint64_t count_segments(const struct bench *bench)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bench->client_count; i++) {
        struct tcp_info info = {.tcpi_state = 0};
        socklen_t len = sizeof(info);
        if (getsockopt(bench->clients[i].fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
            die("TCP_INFO: %s", strerror(errno));
        sum += info.tcpi_data_segs_in;
    }
    return sum;
}

/* Begins and ends with nothing on its way, so that the CPU time between belongs to just these deliveries. */
static void run_measure(struct bench *bench, const struct measure *measure)
{
    memset(bench->delays, 0, sizeof(bench->delays));
    uint64_t segments = count_segments(bench);
    struct cpu cpu_before = read_cpu(bench);
    uint64_t own_before = own_cpu(), first = bench->published, began = now_ns(), end = began + bench->duration;
    uint64_t last = bench->events_max > 0 ? first + bench->events_max : UINT64_MAX;
    bench->last_progress = began;
    bench->ticks = 0;
    if (measure->steady)
        set_timer(bench, SECOND / measure->number);
    while (bench->published < last && (bench->events_max > 0 || now_ns() < end)) {
        uint64_t in_flight = bench->published - bench->done,
                 may = measure->steady ? bench->ticks : measure->number - in_flight;
        if (may > last - bench->published)
            may = last - bench->published;
        bench->ticks = 0;
        publish(bench, may);
        turn(bench);
    }
    set_timer(bench, 0);
    drain(bench);

    struct cpu cpu = read_cpu(bench);
    double wall = (double)(now_ns() - began), own = (double)(own_cpu() - own_before);
    double used = (double)(cpu.total - cpu_before.total);
    double deliveries = (double)(bench->published - first) * (double)bench->client_count;
    if (deliveries <= 0)
        return;
    double user = (double)(cpu.user - cpu_before.user), system = (double)(cpu.system - cpu_before.system);
    double user_share = user + system > 0 ? user / (user + system) : 0;
    tell(measure, "deliveries", deliveries);
    tell(measure, "deliveries/s", deliveries / wall * 1e9);
    tell(measure, "cpu_us", used / deliveries / 1e3);
    tell(measure, "user_us", used * user_share / deliveries / 1e3);
    tell(measure, "system_us", used * (1 - user_share) / deliveries / 1e3);
    tell(measure, "writes", (double)(count_segments(bench) - segments) / deliveries);
    tell(measure, "gateway_busy_%", used / wall * 100);
    tell(measure, "gateway_waited_%", (double)(cpu.waited - cpu_before.waited) / wall * 100);
    tell(measure, "generator_busy_%", own / wall * 100);
    tell(measure, "delay_median_us", delay_within(bench, 0.5));
    tell(measure, "delay_99%_us", delay_within(bench, 0.99));
}

static void run(struct bench *bench)
{
    double anon = read_memory(bench, "RssAnon:");
    printf("start rss %.6g\n", read_memory(bench, "VmRSS:"));
    for (size_t i = 0; i < bench->count_count; i++) {
        struct cpu before = read_cpu(bench);
        size_t had = bench->client_count;
        connect_clients(bench, bench->counts[i]);
        double added = (double)(bench->client_count - had);
        if (added > 0)
            printf("clients:%zu connect_us %.6g\n", bench->counts[i],
                   (double)(read_cpu(bench).total - before.total) / added / 1e3);
        printf("clients:%zu bytes_per_connection %.6g\n", bench->counts[i],
               (read_memory(bench, "RssAnon:") - anon) / (double)bench->client_count);
    }
    /* Once through everything before it counts. */
    if (bench->events_max == 0) {
        publish(bench, WARM_EVENTS);
        drain(bench);
    }
    for (size_t i = 0; i < bench->measure_count; i++)
        run_measure(bench, &bench->measures[i]);
    printf("end rss %.6g\n", read_memory(bench, "VmRSS:"));
    disconnect_clients(bench);
    printf("end rss_disconnected %.6g\n", read_memory(bench, "VmRSS:"));
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

static _Noreturn void usage(int status)
{
    fputs("Usage: bench_fanout --gateway ADDRESS:PORT --pid PID --redis ADDRESS:PORT [OPTION]…\n\n"
          "  --pid PID          the gateway's process\n"
          "  --source KIND      channel (default) or stream; the gateway's rules must say the same\n"
          "  --topic TOPIC      default bench.fanout\n"
          "  --clients N[,N…]   connect so many, telling the memory at each number; default 1000\n"
          "  --bytes N          of an event; default 256\n"
          "  --window W         measure with W events in flight, as fast as they go; may be repeated\n"
          "  --rate R           measure with R events a second; may be repeated\n"
          "  --seconds S        of each measure; default 1\n"
          "  --events N         of each measure instead, and no warming up\n"
          "\nFigures go to standard output, one a line. tests/bench/run does it all.\n",
          status == 0 ? stdout : stderr);
    exit(status);
}

static uint64_t number_from(const char *option, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || number < least || number > most) {
        fprintf(stderr, "bench_fanout: --%s wants a whole number from %" PRIu64 " to %" PRIu64 "\n", option, least,
                most);
        exit(2);
    }
    return number;
}

static struct sockaddr_in address_from(const char *option, char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char *colon = strrchr(text, ':');
    if (colon)
        *colon = '\0';
    if (!colon || inet_pton(AF_INET, text, &address.sin_addr) != 1) {
        fprintf(stderr, "bench_fanout: --%s wants an IPv4 address and a port\n", option);
        exit(2);
    }
    address.sin_port = htons((uint16_t)number_from(option, colon + 1, 1, 65535));
    return address;
}

static void counts_from(struct bench *bench, char *text)
{
    bench->count_count = 0;
    for (char *rest, *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        if (bench->count_count == COUNTS_MAX)
            usage(2);
        bench->counts[bench->count_count++] = (size_t)number_from("clients", one, 1, 1000000);
    }
    if (bench->count_count == 0)
        usage(2);
}

static void read_options(struct bench *bench, int argc, char **argv)
{
    static const struct option options[] = {
        {"gateway", required_argument, NULL, 'g'},
        {"pid", required_argument, NULL, 'p'},
        {"redis", required_argument, NULL, 'r'},
        {"source", required_argument, NULL, 's'},
        {"topic", required_argument, NULL, 't'},
        {"clients", required_argument, NULL, 'c'},
        {"bytes", required_argument, NULL, 'b'},
        {"window", required_argument, NULL, 'w'},
        {"rate", required_argument, NULL, 'R'},
        {"seconds", required_argument, NULL, 'd'},
        {"events", required_argument, NULL, 'e'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option, at; (option = getopt_long(argc, argv, "h", options, &at)) != -1;) {
        switch (option) {
        case 'g':
            bench->gateway = address_from("gateway", optarg);
            break;
        case 'p':
            bench->pid = (pid_t)number_from("pid", optarg, 1, INT32_MAX);
            break;
        case 'r':
            bench->redis_address = address_from("redis", optarg);
            break;
        case 's':
            bench->stream = strcmp(optarg, "stream") == 0;
            if (!bench->stream && strcmp(optarg, "channel") != 0)
                usage(2);
            break;
        case 't':
            bench->topic = optarg;
            break;
        case 'c':
            counts_from(bench, optarg);
            break;
        case 'b':
            bench->event_bytes = (size_t)number_from("bytes", optarg, EVENT_BYTES_MIN, EVENT_BYTES_MAX);
            break;
        case 'w':
        case 'R':
            if (bench->measure_count == MEASURES_MAX)
                usage(2);
            bench->measures[bench->measure_count++] = (struct measure){
                option == 'R', number_from(option == 'R' ? "rate" : "window", optarg, 1, IN_FLIGHT_MAX / 2)};
            break;
        case 'd': {
            char *end;
            double seconds = strtod(optarg, &end);
            if (*end != '\0' || !(seconds >= 0.01 && seconds <= 60))
                usage(2);
            bench->duration = (uint64_t)(seconds * (double)SECOND);
            break;
        }
        case 'e':
            bench->events_max = number_from("events", optarg, 1, 1000000);
            break;
        case 'h':
            usage(0);
        default:
            usage(2);
        }
    }
    if (optind < argc || bench->pid == 0 || bench->gateway.sin_port == 0 || bench->redis_address.sin_port == 0 ||
        strlen(bench->topic) > 255)
        usage(2);
}

static void make_event(struct bench *bench)
{
    static const char head[] = "{\"n\":1000000000,\"pad\":\"";
    bench->event = malloc(bench->event_bytes + 1);
    if (!bench->event)
        die("out of memory");
    memset(bench->event, 'x', bench->event_bytes);
    memcpy(bench->event, head, sizeof(head) - 1);
    memcpy(bench->event + bench->event_bytes - 2, "\"}", 3);
}

int main(int argc, char **argv)
{
    static struct bench bench = {
        .topic = "bench.fanout", .event_bytes = 256, .counts = {1000}, .count_count = 1, .duration = SECOND};
    read_options(&bench, argc, argv);
    hg_prng_init(&bench.prng, 1);
    make_event(&bench);

    size_t most = 0;
    for (size_t i = 0; i < bench.count_count; i++)
        if (bench.counts[i] > most)
            most = bench.counts[i];
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    bench.clients = calloc(most, sizeof(*bench.clients));
    bench.epoll = epoll_create1(EPOLL_CLOEXEC);
    bench.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!bench.clients || bench.epoll < 0 || bench.timer < 0)
        die("cannot start: %s", strerror(errno));
    open_redis(&bench);
    add_to_epoll(&bench, bench.redis->fd, EPOLLIN, &bench.redis, EPOLL_CTL_ADD);
    add_to_epoll(&bench, bench.timer, EPOLLIN, &bench.timer, EPOLL_CTL_ADD);

    run(&bench);

    redisFree(bench.redis);
    close(bench.timer);
    close(bench.epoll);
    free(bench.clients);
    free(bench.event);
    return 0;
}
