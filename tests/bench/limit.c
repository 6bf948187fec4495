/* limit.c – the practical limit: a bare fan-out from Redis to WebSocket clients, to hold the gateway against.
 *
 * One thread, one epoll. Each turn takes what Redis has sent, builds an event's frame once for all clients of its
 * topic, and then makes one send() for each client that has something new. A client whose socket is full keeps its
 * position in the topic's log and goes on when it is writable. Nothing is allocated, looked up or asked of the kernel
 * per delivery besides. The bytes are those that the gateway sends, so that the generators check the same.
 *
 * All else that makes a gateway is left out: a client has one subscription, to a channel or to all names one segment
 * below ("a.b.*"); commands are searched for what matters, not parsed; events are believed to be JSON; a client too far
 * behind is told nothing and gets nothing more; when Redis is lost, this ends.
 *
 * Units: times in nanoseconds of the monotonic clock, sizes in bytes. Calls out: Redis at the address given. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/process.h"

#define EVENTS_A_TURN   512
#define ACCEPTS_A_TURN  64
#define REDIS_READ      (64u << 10) /* at once; then what is whole is taken */
#define REDIS_TURN      (1u << 20)  /* read in one turn; the gateway's bound */
#define REDIS_ROOM      (4u << 20)  /* the largest message from Redis, with what frames it */
#define CLIENT_READ     (64u << 10)
#define LOG_MAX         (4u << 20) /* kept for clients that are behind; the gateway's default */
#define TOPIC_MAX       255
#define WORDS_MAX       4 /* of a push from Redis */
#define TICK            (HGT_SECOND / 10)
#define PING_EVERY      (25 * HGT_SECOND)
#define HANDSHAKE_GUID  "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define ACCEPT_MAX      64
#define FRAME_HEAD_MAX  10
#define FRAME_SMALL_MAX 512 /* of what is said to one client alone */

struct slice {
    const char *at;
    size_t len;
};

enum client_state { CLIENT_SHAKING, CLIENT_OPEN, CLIENT_GONE };

struct client {
    int fd;
    enum client_state state;
    bool lost;           /* got a part of what the log no longer holds: nothing more can be said to it */
    uint32_t index;      /* in the list of all */
    uint32_t member;     /* its place in the topic */
    struct topic *topic; /* NULL: none yet */
    char *rest;          /* the beginning of what has not come whole; NULL: nothing */
    size_t rest_len;
    struct client *next_gone;
};

struct member {
    struct client *client;
    int fd;
    bool behind, ok_due; /* ok_due: waits for Redis to confirm the topic */
    uint64_t position;   /* only of one that is behind; the others have all that was fanned out */
};

struct topic {
    char name[TOPIC_MAX + 1];
    size_t name_len;
    bool confirmed; /* Redis has said that it is subscribed */
    bool dirty;
    struct topic *next_dirty;
    char head[64]; /* of each frame's payload, up to the topic */
    size_t head_len;
    uint64_t sub;
    struct member *members;
    uint32_t count, capacity, behind;
    /* Frames at positions start … start + log_len; all that are not behind have everything below `fanned`. */
    char *log;
    size_t log_len, log_capacity;
    uint64_t start, fanned;
};

static struct {
    int epoll, listener, redis;
    struct client **clients;
    uint32_t client_count, client_capacity, ping_next;
    uint64_t last_tick, pings_due; /* pings_due: clients times nanoseconds */
    struct client *gone;
    struct topic **table; /* open addressing, a power of two */
    size_t table_size, topic_count;
    struct topic *dirty;
    char *from_redis;
    size_t from_redis_len;
    char from_client[CLIENT_READ];
} limit;

static volatile sig_atomic_t told_to_end;

static void *allocate(void *old, size_t size)
{
    void *memory = realloc(old, size);
    if (!memory)
        hgt_die("out of memory");
    return memory;
}

static void watch(int fd, uint32_t events, void *data, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    if (epoll_ctl(limit.epoll, operation, fd, &event) != 0)
        hgt_die("epoll: %s", strerror(errno));
}

/* ---- topics ------------------------------------------------------------------------------------------------------ */

static size_t slot_of(struct slice name)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.at[i]) * UINT64_C(1099511628211);
    size_t slot = (size_t)(hash ^ hash >> 32) & (limit.table_size - 1);
    while (limit.table[slot] &&
           (limit.table[slot]->name_len != name.len || memcmp(limit.table[slot]->name, name.at, name.len) != 0))
        slot = (slot + 1) & (limit.table_size - 1);
    return slot;
}

static void grow_table(void)
{
    struct topic **old = limit.table;
    size_t old_size = limit.table_size;
    limit.table_size = old_size ? old_size * 2 : 1024;
    limit.table = calloc(limit.table_size, sizeof(*limit.table));
    if (!limit.table)
        hgt_die("out of memory");
    for (size_t i = 0; i < old_size; i++)
        if (old[i])
            limit.table[slot_of((struct slice){old[i]->name, old[i]->name_len})] = old[i];
    free(old);
}

static void ask_redis(struct slice name)
{
    bool pattern = name.len > 1 && name.at[name.len - 1] == '*';
    char command[TOPIC_MAX + 64];
    int len = snprintf(command, sizeof(command), "*2\r\n$%d\r\n%s\r\n$%zu\r\n%.*s\r\n", pattern ? 10 : 9,
                       pattern ? "PSUBSCRIBE" : "SUBSCRIBE", name.len, (int)name.len, name.at);
    for (int sent = 0; sent < len;) {
        ssize_t done = send(limit.redis, command + sent, (size_t)(len - sent), MSG_NOSIGNAL);
        if (done < 0 && errno != EINTR)
            hgt_die("cannot send to Redis: %s", strerror(errno));
        sent += done > 0 ? (int)done : 0;
    }
}

static struct topic *topic_named(struct slice name)
{
    if (limit.topic_count * 2 >= limit.table_size)
        grow_table();
    size_t slot = slot_of(name);
    struct topic *topic = limit.table[slot];
    if (topic)
        return topic;
    topic = calloc(1, sizeof(*topic));
    if (!topic)
        hgt_die("out of memory");
    memcpy(topic->name, name.at, name.len);
    topic->name_len = name.len;
    topic->sub = ++limit.topic_count;
    topic->head_len = (size_t)snprintf(topic->head, sizeof(topic->head),
                                       "{\"op\":\"event\",\"sub\":%" PRIu64 ",\"topic\":\"", topic->sub);
    limit.table[slot] = topic;
    ask_redis(name);
    return topic;
}

/* ---- frames ------------------------------------------------------------------------------------------------------ */

/* The head of a server's frame (RFC 6455, section 5.2) to `to`, of FRAME_HEAD_MAX; returns where the payload goes. */
static char *put_head(char *to, unsigned opcode, size_t len)
{
    *to++ = (char)(0x80 | opcode);
    if (len < 126) {
        *to++ = (char)len;
        return to;
    }
    int bytes = len <= UINT16_MAX ? 2 : 8;
    *to++ = bytes == 2 ? 126 : 127;
    while (bytes-- > 0)
        *to++ = (char)(len >> (8 * bytes));
    return to;
}

static char *put(char *to, const char *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return to + len;
}

static void append_event(struct topic *topic, struct slice channel, struct slice event)
{
    static const char between[] = "\",\"event\":";
    size_t len = topic->head_len + channel.len + sizeof(between) - 1 + event.len + 1,
           need = topic->log_len + FRAME_HEAD_MAX + len;
    if (need > topic->log_capacity) {
        topic->log_capacity = need * 2;
        topic->log = allocate(topic->log, topic->log_capacity);
    }
    char *to = put_head(topic->log + topic->log_len, 1, len);
    to = put(to, topic->head, topic->head_len);
    to = put(to, channel.at, channel.len);
    to = put(to, between, sizeof(between) - 1);
    to = put(to, event.at, event.len);
    *to++ = '}';
    topic->log_len = (size_t)(to - topic->log);
    if (!topic->dirty) {
        topic->dirty = true;
        topic->next_dirty = limit.dirty;
        limit.dirty = topic;
    }
}

/* ---- clients leave ----------------------------------------------------------------------------------------------- */

/* Its memory goes at the end of the turn. */
static void client_leaves(struct client *client)
{
    if (client->state == CLIENT_GONE)
        return;
    client->state = CLIENT_GONE;
    client->next_gone = limit.gone;
    limit.gone = client;
}

static void detach(struct client *client)
{
    struct topic *topic = client->topic;
    if (!topic)
        return;
    struct member *place = &topic->members[client->member];
    topic->behind -= place->behind;
    *place = topic->members[--topic->count];
    place->client->member = client->member;
    client->topic = NULL;
}

static void reap(void)
{
    while (limit.gone) {
        struct client *client = limit.gone;
        limit.gone = client->next_gone;
        detach(client);
        limit.clients[client->index] = limit.clients[--limit.client_count];
        limit.clients[client->index]->index = client->index;
        close(client->fd);
        free(client->rest);
        free(client);
    }
}

/* ---- fan-out ----------------------------------------------------------------------------------------------------- */

/* One send of all that the member lacks. */
static void push(struct topic *topic, struct member *member)
{
    size_t want = (size_t)(topic->fanned - member->position);
    ssize_t sent = send(member->fd, topic->log + (member->position - topic->start), want, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        client_leaves(member->client);
        return;
    }
    member->position += sent > 0 ? (uint64_t)sent : 0;
    bool behind = sent < 0 || (size_t)sent < want;
    if (behind == member->behind)
        return;
    member->behind = behind;
    topic->behind += behind ? 1 : -1u;
    watch(member->fd, behind ? EPOLLIN | EPOLLOUT : EPOLLIN, member->client, EPOLL_CTL_MOD);
}

static void forget(struct topic *topic, size_t len)
{
    topic->log_len -= len;
    topic->start += len;
    memmove(topic->log, topic->log + len, topic->log_len);
}

/* Those that are behind what must go are left behind for good. */
static void cut_log(struct topic *topic)
{
    uint64_t keep = topic->start + topic->log_len / 2;
    for (uint32_t i = topic->count; i-- > 0;) {
        struct member *member = &topic->members[i];
        if (!member->behind || member->position >= keep)
            continue;
        member->client->lost = true;
        watch(member->fd, EPOLLIN, member->client, EPOLL_CTL_MOD);
        detach(member->client);
    }
    forget(topic, (size_t)(keep - topic->start));
}

static void fan_out(struct topic *topic)
{
    uint64_t before = topic->fanned;
    topic->fanned = topic->start + topic->log_len;
    for (uint32_t i = 0; i < topic->count && topic->fanned > before; i++) {
        struct member *member = &topic->members[i];
        if (member->behind || member->ok_due)
            continue;
        member->position = before;
        push(topic, member);
    }
    if (topic->behind == 0)
        forget(topic, topic->log_len);
    else if (topic->log_len > LOG_MAX)
        cut_log(topic);
}

static void fan_out_all(void)
{
    while (limit.dirty) {
        struct topic *topic = limit.dirty;
        limit.dirty = topic->next_dirty;
        topic->dirty = false;
        fan_out(topic);
    }
}

/* ---- Redis ------------------------------------------------------------------------------------------------------- */

/* A number that ends its line; NULL: it is not whole yet. */
static const char *take_number(const char *at, const char *end, size_t *ret_number)
{
    size_t number = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (size_t)(*at - '0');
    if (end - at < 2)
        return NULL;
    if (at[0] != '\r' || number > REDIS_ROOM)
        hgt_die("Redis sends what is no push");
    *ret_number = number;
    return at + 2;
}

/* A push is an array of words and, in answers, of a number. Returns where it ends; NULL: it is not whole yet. */
static const char *take_push(const char *at, const char *end, struct slice *words, size_t *ret_count)
{
    if (at == end)
        return NULL;
    if (*at != '*')
        hgt_die("Redis says: %.*s", end - at > 200 ? 200 : (int)(end - at), at);
    at = take_number(at + 1, end, ret_count);
    if (at && (*ret_count == 0 || *ret_count > WORDS_MAX))
        hgt_die("Redis sends a push of %zu words", *ret_count);
    for (size_t i = 0; at && i < *ret_count; i++) {
        size_t number;
        if (at == end)
            return NULL;
        bool word = *at == '$';
        at = take_number(at + 1, end, &number);
        if (!at || !word)
            continue;
        if ((size_t)(end - at) < number + 2)
            return NULL;
        words[i] = (struct slice){at, number};
        at += number + 2;
    }
    return at;
}

static bool is(struct slice word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.at, text, word.len) == 0;
}

static void say(struct client *client, unsigned opcode, const char *text, size_t len);

static void say_ok(struct client *client)
{
    char text[96];
    int len = snprintf(text, sizeof(text), "{\"op\":\"ok\",\"ref\":1,\"sub\":%" PRIu64 "}", client->topic->sub);
    say(client, 1, text, (size_t)len);
}

static void topic_is_confirmed(struct topic *topic)
{
    topic->confirmed = true;
    for (uint32_t i = 0; i < topic->count; i++) {
        struct member *member = &topic->members[i];
        if (member->ok_due)
            say_ok(member->client);
        member->ok_due = false;
    }
}

static void take_words(const struct slice *words, size_t count)
{
    bool pattern = words[0].at[0] == 'p';
    if (is(words[0], pattern ? "pmessage" : "message") && count == (pattern ? 4 : 3)) {
        struct topic *topic = limit.table[slot_of(words[1])];
        if (topic)
            append_event(topic, words[pattern ? 2 : 1], words[pattern ? 3 : 2]);
    } else if (is(words[0], pattern ? "psubscribe" : "subscribe")) {
        topic_is_confirmed(topic_named(words[1]));
    }
}

static void redis_readable(void)
{
    for (size_t total = 0; total < REDIS_TURN;) {
        ssize_t got = recv(limit.redis, limit.from_redis + limit.from_redis_len, REDIS_READ, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0)
            hgt_die("Redis is lost: %s", got < 0 ? strerror(errno) : "it closed the connection");
        struct slice words[WORDS_MAX] = {{NULL, 0}};
        size_t count;
        const char *at = limit.from_redis, *end = at + limit.from_redis_len + (size_t)got, *next;
        while ((next = take_push(at, end, words, &count)) != NULL) {
            take_words(words, count);
            at = next;
        }
        limit.from_redis_len = (size_t)(end - at);
        if (limit.from_redis_len > REDIS_ROOM)
            hgt_die("Redis sends a push that is too large");
        memmove(limit.from_redis, at, limit.from_redis_len);
        if ((size_t)got < REDIS_READ)
            return;
        total += (size_t)got;
    }
}

/* ---- what clients say -------------------------------------------------------------------------------------------- */

/* To one that is behind nothing can be said between its frames; it has other worries. */
static void say(struct client *client, unsigned opcode, const char *text, size_t len)
{
    char frame[FRAME_HEAD_MAX + FRAME_SMALL_MAX];
    if (client->state != CLIENT_OPEN || client->lost ||
        (client->topic && client->topic->members[client->member].behind))
        return;
    char *end = put(put_head(frame, opcode, len), text, len);
    if (send(client->fd, frame, (size_t)(end - frame), MSG_NOSIGNAL) != end - frame)
        client_leaves(client);
}

static void subscribe(struct client *client, struct slice name)
{
    if (client->topic || client->lost)
        hgt_die("a client subscribes twice; it may have one topic");
    struct topic *topic = topic_named(name);
    if (topic->dirty)
        fan_out(topic); /* what came before it is not for it */
    if (topic->count == topic->capacity) {
        topic->capacity = topic->capacity ? topic->capacity * 2 : 1;
        topic->members = allocate(topic->members, topic->capacity * sizeof(*topic->members));
    }
    client->topic = topic;
    client->member = topic->count++;
    topic->members[client->member] = (struct member){client, client->fd, .ok_due = !topic->confirmed};
    if (topic->confirmed)
        say_ok(client);
}

static void take_command(struct client *client, struct slice text)
{
    static const char op[] = "\"op\":\"subscribe\"", topic[] = "\"topic\":\"";
    const char *name = memmem(text.at, text.len, topic, sizeof(topic) - 1);
    if (!name || !memmem(text.at, text.len, op, sizeof(op) - 1))
        hgt_die("a client says what is no subscribe: %.*s", (int)text.len, text.at);
    name += sizeof(topic) - 1;
    const char *stop = memchr(name, '"', (size_t)(text.at + text.len - name));
    if (!stop || stop == name || stop - name > TOPIC_MAX)
        hgt_die("a client subscribes to no topic: %.*s", (int)text.len, text.at);
    subscribe(client, (struct slice){name, (size_t)(stop - name)});
}

/* Takes one frame of a client, which masks them; NULL: it is not whole yet. */
static char *take_frame(struct client *client, char *at, const char *end)
{
    const unsigned char *byte = (unsigned char *)at;
    size_t have = (size_t)(end - at), head = 2, len = have < 2 ? 0 : byte[1] & 0x7f;
    if (have < 4)
        return NULL;
    if (len == 126) {
        len = (size_t)byte[2] << 8 | byte[3];
        head = 4;
    }
    bool control = byte[0] & 8;
    if (byte[1] < 0x80 || len > (control ? 125 : CLIENT_READ / 2)) {
        client_leaves(client);
        return NULL;
    }
    if (have < head + 4 + len)
        return NULL;
    char *text = at + head + 4;
    for (size_t i = 0; i < len; i++)
        text[i] = (char)(text[i] ^ at[head + i % 4]);
    switch (byte[0] & 0x0f) {
    case 1:
        take_command(client, (struct slice){text, len});
        break;
    case 8:
        say(client, 8, text, len < 2 ? 0 : 2);
        client_leaves(client);
        break;
    case 9:
        say(client, 10, text, len);
        break;
    }
    return text + len;
}

/* RFC 6455, section 4.2.2. */
static void answer_handshake(struct client *client, const char *key)
{
    static const char welcome[] =
        "{\"op\":\"welcome\",\"session\":\"none\",\"ping_ms\":25000,\"limits\":"
        "{\"message_bytes\":1048576,\"event_bytes\":1048576,\"subscriptions\":1,\"emits\":0}}";
    char text[ACCEPT_MAX + sizeof(HANDSHAKE_GUID)], accept[ACCEPT_MAX], answer[1024];
    unsigned char digest[SHA_DIGEST_LENGTH];
    size_t len = strcspn(key, "\r ");
    if (len >= ACCEPT_MAX) {
        client_leaves(client);
        return;
    }
    put(put(text, key, len), HANDSHAKE_GUID, sizeof(HANDSHAKE_GUID) - 1);
    SHA1((unsigned char *)text, len + sizeof(HANDSHAKE_GUID) - 1, digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest));
    int head = snprintf(answer, sizeof(answer),
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: headgate.v1\r\n\r\n",
                        accept);
    char *end = put(put_head(answer + head, 1, sizeof(welcome) - 1), welcome, sizeof(welcome) - 1);
    client->state = CLIENT_OPEN;
    if (send(client->fd, answer, (size_t)(end - answer), MSG_NOSIGNAL) != end - answer)
        client_leaves(client);
}

static char *take_handshake(struct client *client, char *at, const char *end)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    char *stop = memmem(at, (size_t)(end - at), "\r\n\r\n", 4),
         *key = memmem(at, (size_t)(end - at), name, sizeof(name) - 1);
    if (!stop)
        return NULL;
    if (!key || key > stop)
        client_leaves(client);
    else
        answer_handshake(client, key + sizeof(name) - 1);
    return stop + 4;
}

static void keep_rest(struct client *client, const char *at, size_t len)
{
    free(client->rest);
    client->rest = NULL;
    client->rest_len = len;
    if (len > 0)
        client->rest = memcpy(allocate(NULL, len), at, len);
}

static void client_readable(struct client *client)
{
    char *at = limit.from_client;
    ssize_t got = recv(client->fd, at + client->rest_len, CLIENT_READ - client->rest_len, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        client_leaves(client);
        return;
    }
    if (client->rest_len > 0)
        memcpy(at, client->rest, client->rest_len);
    char *end = at + client->rest_len + (size_t)got, *next = at;
    while (client->state != CLIENT_GONE && next && at < end) {
        next = client->state == CLIENT_SHAKING ? take_handshake(client, at, end) : take_frame(client, at, end);
        at = next ? next : at;
    }
    if (at == limit.from_client && end == at + CLIENT_READ)
        client_leaves(client);
    else if (client->rest || at < end)
        keep_rest(client, at, (size_t)(end - at));
}

static void client_ready(struct client *client, uint32_t events)
{
    if (client->state == CLIENT_GONE)
        return;
    if ((events & EPOLLOUT) && client->topic && client->topic->members[client->member].behind) {
        struct topic *topic = client->topic;
        push(topic, &topic->members[client->member]);
        if (topic->behind == 0 && !topic->dirty)
            forget(topic, topic->log_len);
    }
    if (events & ~(uint32_t)EPOLLOUT)
        client_readable(client);
}

static void accept_clients(void)
{
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(limit.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR))
            return;
        if (fd < 0)
            hgt_die("cannot accept: %s", strerror(errno));
        struct client *client = calloc(1, sizeof(*client));
        if (!client)
            hgt_die("out of memory");
        if (limit.client_count == limit.client_capacity) {
            limit.client_capacity = limit.client_capacity ? limit.client_capacity * 2 : 1024;
            limit.clients = allocate(limit.clients, limit.client_capacity * sizeof(*limit.clients));
        }
        *client = (struct client){.fd = fd, .index = limit.client_count};
        limit.clients[limit.client_count++] = client;
        watch(fd, EPOLLIN, client, EPOLL_CTL_ADD);
    }
}

/* Spread evenly over the time between two pings. */
static void ping_some(void)
{
    uint64_t now = hgt_now(), elapsed = now - limit.last_tick;
    if (elapsed < TICK)
        return;
    limit.last_tick = now;
    limit.pings_due += elapsed * limit.client_count;
    for (; limit.pings_due >= PING_EVERY; limit.pings_due -= PING_EVERY) {
        if (limit.client_count == 0)
            continue;
        if (limit.ping_next >= limit.client_count)
            limit.ping_next = 0;
        say(limit.clients[limit.ping_next++], 9, "x", 1);
    }
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void turn(void)
{
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(limit.epoll, events, EVENTS_A_TURN, (int)(TICK / 1000000));
    if (count < 0 && errno != EINTR)
        hgt_die("epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        void *data = events[i].data.ptr;
        if (data == &limit.redis)
            redis_readable();
        else if (data == &limit.listener)
            accept_clients();
        else
            client_ready(data, events[i].events);
    }
    fan_out_all();
    ping_some();
    reap();
}

static void open_redis(struct sockaddr_in address)
{
    int one = 1;
    limit.redis = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (limit.redis < 0 || connect(limit.redis, (struct sockaddr *)&address, sizeof(address)) != 0)
        hgt_die("cannot connect to Redis: %s", strerror(errno));
    setsockopt(limit.redis, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    limit.from_redis = allocate(NULL, REDIS_ROOM + REDIS_READ);
    watch(limit.redis, EPOLLIN, &limit.redis, EPOLL_CTL_ADD);
}

/* Connections inherit from the socket that listens that they do not wait to fill a segment. */
static void open_listener(struct sockaddr_in address)
{
    int one = 1;
    socklen_t len = sizeof(address);
    char host[INET_ADDRSTRLEN];
    limit.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (limit.listener < 0 || setsockopt(limit.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        setsockopt(limit.listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
        bind(limit.listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(limit.listener, 4096) != 0 ||
        getsockname(limit.listener, (struct sockaddr *)&address, &len) != 0)
        hgt_die("cannot listen: %s", strerror(errno));
    watch(limit.listener, EPOLLIN, &limit.listener, EPOLL_CTL_ADD);
    inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host));
    printf("listening on http://%s:%u\n", host, ntohs(address.sin_port));
    fflush(stdout);
}

static void on_signal(int number)
{
    (void)number;
    told_to_end = 1;
}

static _Noreturn void usage(int status)
{
    fputs("Usage: limit --redis ADDRESS:PORT [--listen ADDRESS:PORT]\n\n"
          "A bare fan-out from Redis channels to WebSocket clients, for tests/bench/run to hold the gateway against.\n"
          "Says where it listens (default 127.0.0.1:0: a free port) and ends with SIGTERM.\n",
          status == 0 ? stdout : stderr);
    exit(status);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"redis", required_argument, NULL, 'r'},
                                            {"listen", required_argument, NULL, 'l'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct sockaddr_in redis = {.sin_family = 0},
                       listen_at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    hgt_program = "limit";
    for (int option, at; (option = getopt_long(argc, argv, "h", options, &at)) != -1;) {
        if (option == 'r')
            redis = hgt_address_from("redis", optarg);
        else if (option == 'l')
            listen_at = hgt_address_from("listen", optarg);
        else
            usage(option == 'h' ? 0 : 2);
    }
    if (optind < argc || redis.sin_family == 0)
        usage(2);
    struct sigaction end = {.sa_handler = on_signal};
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    hgt_raise_open_files();
    limit.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (limit.epoll < 0)
        hgt_die("epoll: %s", strerror(errno));
    grow_table();
    open_redis(redis);
    open_listener(listen_at);
    limit.last_tick = hgt_now();
    while (!told_to_end)
        turn();
    for (uint32_t i = 0; i < limit.client_count; i++)
        client_leaves(limit.clients[i]);
    reap();
    for (size_t i = 0; i < limit.table_size; i++) {
        if (!limit.table[i])
            continue;
        free(limit.table[i]->members);
        free(limit.table[i]->log);
        free(limit.table[i]);
    }
    free(limit.table);
    free(limit.clients);
    free(limit.from_redis);
    close(limit.redis);
    close(limit.listener);
    close(limit.epoll);
    return 0;
}
