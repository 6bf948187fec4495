/* bench_emit.c – clients that emit: events go to the gateway over many WebSockets, each client with a window of
 * unanswered ones, or steadily; or, with --bare, straight to Redis as pipelined XADDs of the same entries, to compare
 * with. All in this process on one core. tests/bench/run emit starts what is needed and makes a table of what this
 * prints.
 *
 * Each emit must be answered once, to its client, as new and with a cursor that no other got and that holds the
 * fingerprint of its entry; the stream must hold as many entries; a sample of them is read back, and emitted again:
 * the answer must be the same cursor as a duplicate, and the stream must not grow. The first thing amiss ends the
 * program with 1 and a sentence. A figure is one line on standard output: measure, figure, value. Units: times in
 * nanoseconds of the monotonic clock unless a name says otherwise. Calls out: Redis at the address given, where it
 * deletes everything, the gateway, /proc of both. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/list.h"
#include "bench/client.h"
#include "bench/process.h"
#include "stream/cursor.h"

#define PATIENCE       (20 * HGT_SECOND) /* so long nothing may happen that should */
#define WARM           (HGT_SECOND / 5)  /* at full speed before the measure */
#define TOPIC          "bench.emit"
#define FIRST_NUMBER   UINT64_C(1000000000) /* so that every number has as many digits: */
#define NUMBER_DIGITS  10
#define ID_BYTES       36
#define BYTES_MIN      192
#define BYTES_MAX      32768
#define BARE_MAX       256   /* XADDs under way; the gateway puts as many events into one call at most */
#define UNANSWERED_MAX 20000 /* when steady */
#define SAMPLE         200   /* entries read back and emitted again */

/* One event; its number is its place, its ref, and what its id is made from. */
struct emit {
    uint64_t sent_at, delay; /* delay 0: not answered */
    struct hg_cursor cursor;
    uint32_t client;
    bool again; /* emitted again, not answered yet */
};

struct client {
    struct hgt_client ws;
    bool welcome;
    size_t unanswered;
};

struct bench {
    /* what was asked for */
    struct sockaddr_in redis_address;
    pid_t gateway;
    size_t client_count, window, event_bytes;
    uint64_t rate, duration;
    bool bare, no_dedupe;
    /* connections */
    int timer;
    pid_t redis_pid;
    redisContext *redis, *pipe; /* pipe: of the bare one */
    struct hgt_clients pool;
    struct client *clients;
    size_t welcomed, left;
    /* emits */
    struct emit *emits;
    uint64_t emit_count, emit_capacity, answered, answered_again;
    uint64_t ticks; /* of the timer, not yet emitted */
    char *event;    /* the next one */
    char *command;  /* an XADD of it, or the message that emits it */
    size_t id_at, number_at, command_len, command_event_at, command_id_at;
};

static char measure[48];

static void tell(const char *figure, double value)
{
    printf("%s %s %.7g\n", measure, figure, value);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void write_number(uint64_t number, char *to)
{
    for (int i = NUMBER_DIGITS - 1; i >= 0; i--, number /= 10)
        to[i] = (char)('0' + number % 10);
}

/* Looks like a UUID, and each number has its own. */
static void write_id(uint64_t number, char *to)
{
    uint64_t bits = number * UINT64_C(0x9e3779b97f4a7c15), more = ~bits; /* odd: no two numbers meet */
    for (int i = 0; i < ID_BYTES; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            to[i] = '-';
            continue;
        }
        uint64_t *from = i < 18 ? &bits : &more;
        to[i] = "0123456789abcdef"[*from & 15];
        *from >>= 4;
    }
}

/* An envelope with an id of its own, as services write them. With nothing but a counter in it, thousands of events in a
 * row would be one chain in the string table of Lua 5.1, which hashes every ninth of 256 bytes: 3.3 XADDs each. */
static void make_event(struct bench *bench)
{
    static const char head[] = "{\"eventId\":\"",
                      middle[] = "\",\"eventType\":\"cart.changed\",\"timestamp\":\"2026-11-24T16:20:00.000Z\","
                                 "\"source\":\"shop\",\"data\":{\"n\":",
                      tail[] = ",\"pad\":\"";
    memset(bench->event, 'x', bench->event_bytes);
    bench->id_at = sizeof(head) - 1;
    bench->number_at = bench->id_at + ID_BYTES + sizeof(middle) - 1;
    memcpy(bench->event, head, sizeof(head) - 1);
    memcpy(bench->event + bench->id_at + ID_BYTES, middle, sizeof(middle) - 1);
    memcpy(bench->event + bench->number_at + NUMBER_DIGITS, tail, sizeof(tail) - 1);
    memcpy(bench->event + bench->event_bytes - 3, "\"}}", 4);
}

/* `id`, of ID_BYTES, is written into the event, too. */
static void write_event(struct bench *bench, uint64_t number, char *event, char *id)
{
    write_number(FIRST_NUMBER + number, event + bench->number_at);
    write_id(number, id);
    memcpy(event + bench->id_at, id, ID_BYTES);
}

/* The entry that event `number` must become; the id is written to `id`, of ID_BYTES. */
static uint32_t fingerprint_of(struct bench *bench, uint64_t number, char *id)
{
    write_event(bench, number, bench->event, id);
    const struct hg_slice fields[] = {HG_LIT("event"), hg_slice(bench->event, bench->event_bytes), HG_LIT("id"),
                                      hg_slice(id, ID_BYTES)};
    return hg_fingerprint(fields, 4);
}

static void make_xadd(struct bench *bench)
{
    int head = snprintf(bench->command, 256, "*7\r\n$4\r\nXADD\r\n$%zu\r\n%s\r\n$1\r\n*\r\n$5\r\nevent\r\n$%zu\r\n",
                        sizeof(TOPIC) - 1, TOPIC, bench->event_bytes);
    bench->command_event_at = (size_t)head;
    bench->command_len = (size_t)head + bench->event_bytes;
    memcpy(bench->command + head, bench->event, bench->event_bytes);
    memcpy(bench->command + bench->command_len, "\r\n$2\r\nid\r\n$36\r\n", 15);
    bench->command_id_at = bench->command_len + 15;
    memcpy(bench->command + bench->command_id_at + ID_BYTES, "\r\n", 2);
    bench->command_len = bench->command_id_at + ID_BYTES + 2;
}

static struct emit *next_emit(struct bench *bench, size_t client)
{
    if (bench->emit_count == bench->emit_capacity) {
        bench->emit_capacity = bench->emit_capacity ? bench->emit_capacity * 2 : 65536;
        bench->emits = realloc(bench->emits, bench->emit_capacity * sizeof(*bench->emits));
        if (!bench->emits)
            hgt_die("out of memory");
    }
    struct emit *emit = &bench->emits[bench->emit_count++];
    *emit = (struct emit){.client = (uint32_t)client};
    return emit;
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

static struct client *client_of(struct hgt_client *ws)
{
    return HG_CONTAINER(ws, struct client, ws);
}

static void put_emit(struct bench *bench, struct client *client, uint64_t number)
{
    char id[ID_BYTES];
    write_event(bench, number, bench->event, id);
    int len = snprintf(bench->command, 256 + BYTES_MAX,
                       "{\"op\":\"emit\",\"ref\":%" PRIu64 ",\"topic\":\"" TOPIC "\",\"id\":\"%.*s\",\"event\":%s}",
                       number, ID_BYTES, id, bench->event);
    hgt_client_put(&bench->pool, &client->ws, hg_slice(bench->command, (size_t)len));
}

static void emit_some(struct bench *bench, struct client *client, size_t count)
{
    uint64_t now = hgt_now();
    for (size_t i = 0; i < count; i++) {
        struct emit *emit = next_emit(bench, client->ws.number);
        emit->sent_at = now;
        put_emit(bench, client, bench->emit_count - 1);
        client->unanswered++;
    }
    hgt_client_flush(&bench->pool, &client->ws);
}

static void on_open(void *owner, struct hgt_client *ws)
{
    (void)owner, (void)ws;
}

static void on_end(void *owner, struct hgt_client *ws)
{
    struct bench *bench = owner;
    (void)ws;
    bench->left++;
}

/* `{"op":"ok","ref":N,"cursor":"C","duplicate":B}` and nothing else. */
static bool read_ok(struct hg_slice message, uint64_t *ret_ref, struct hg_cursor *ret_cursor, bool *ret_duplicate)
{
    static const struct hg_slice head = {"{\"op\":\"ok\",\"ref\":", 17}, middle = {",\"cursor\":\"", 11},
                                 new = {"\",\"duplicate\":false}", 20}, known = {"\",\"duplicate\":true}", 19};
    if (!hg_slice_starts(message, head))
        return false;
    struct hg_slice rest = hg_slice_from(message, head.len);
    uint64_t ref = 0;
    for (; rest.len > 0 && rest.ptr[0] >= '0' && rest.ptr[0] <= '9'; rest = hg_slice_from(rest, 1))
        ref = ref * 10 + (uint64_t)(rest.ptr[0] - '0');
    if (!hg_slice_starts(rest, middle))
        return false;
    rest = hg_slice_from(rest, middle.len);
    const char *quote = memchr(rest.ptr, '"', rest.len);
    if (!quote || !hg_cursor_parse(hg_slice_first(rest, (size_t)(quote - rest.ptr)), ret_cursor))
        return false;
    rest = hg_slice_from(rest, (size_t)(quote - rest.ptr));
    *ret_ref = ref;
    *ret_duplicate = hg_slice_eq(rest, known);
    return *ret_duplicate || hg_slice_eq(rest, new);
}

static bool is_same(struct hg_cursor one, struct hg_cursor other)
{
    return hg_stream_id_cmp(one.id, other.id) == 0 && one.fingerprint == other.fingerprint;
}

static bool take_answer(struct bench *bench, struct client *client, struct hg_slice message, uint64_t now)
{
    uint64_t number;
    struct hg_cursor cursor;
    bool duplicate;
    if (!read_ok(message, &number, &cursor, &duplicate) || number >= bench->emit_count)
        return false;
    struct emit *emit = &bench->emits[number];
    if (emit->client != client->ws.number || (emit->delay > 0 && !emit->again) || duplicate != emit->again ||
        (emit->again && !is_same(cursor, emit->cursor)))
        return false;
    client->unanswered--;
    if (emit->again) {
        emit->again = false;
        bench->answered_again++;
    } else {
        emit->cursor = cursor;
        emit->delay = now - emit->sent_at;
        bench->answered++;
    }
    return true;
}

static void on_message(void *owner, struct hgt_client *ws, struct hg_slice message, uint64_t now)
{
    struct bench *bench = owner;
    struct client *client = client_of(ws);
    if (take_answer(bench, client, message, now))
        return;
    if (!client->welcome && hg_slice_starts(message, HG_LIT("{\"op\":\"welcome\","))) {
        client->welcome = true;
        bench->welcomed++;
        return;
    }
    hgt_die("client %zu with %zu unanswered emits got: %.*s", ws->number, client->unanswered,
            message.len > 400 ? 400 : (int)message.len, message.ptr);
}

/* ---- the bare one ------------------------------------------------------------------------------------------------ */

static void pipe_some(struct bench *bench, size_t count)
{
    uint64_t now = hgt_now();
    for (size_t i = 0; i < count; i++) {
        uint64_t number = bench->emit_count;
        next_emit(bench, 0)->sent_at = now;
        write_event(bench, number, bench->command + bench->command_event_at, bench->command + bench->command_id_at);
        if (redisAppendFormattedCommand(bench->pipe, bench->command, bench->command_len) != REDIS_OK)
            hgt_die("Redis: %s", bench->pipe->errstr);
    }
    int all_sent = count == 0;
    while (!all_sent)
        if (redisBufferWrite(bench->pipe, &all_sent) != REDIS_OK)
            hgt_die("Redis: %s", bench->pipe->errstr);
}

static void pipe_readable(struct bench *bench)
{
    if (redisBufferRead(bench->pipe) != REDIS_OK)
        hgt_die("Redis: %s", bench->pipe->errstr);
    void *answer;
    uint64_t now = bench->pool.last_progress = hgt_now();
    while (redisGetReplyFromReader(bench->pipe, &answer) == REDIS_OK && answer) {
        const redisReply *reply = answer;
        struct emit *emit = &bench->emits[bench->answered++];
        if (reply->type != REDIS_REPLY_STRING || !hg_stream_id_parse(hg_slice_str(reply->str), &emit->cursor.id))
            hgt_die("Redis answers to XADD: %s", reply->str ? reply->str : "no id");
        emit->delay = now - emit->sent_at;
        freeReplyObject(answer);
    }
    if (bench->pipe->err)
        hgt_die("Redis: %s", bench->pipe->errstr);
}

/* ---- Redis ------------------------------------------------------------------------------------------------------- */

static redisContext *connect_redis(const struct bench *bench)
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &bench->redis_address.sin_addr, host, sizeof(host));
    redisContext *redis =
        redisConnectWithTimeout(host, ntohs(bench->redis_address.sin_port), (struct timeval){.tv_sec = 5});
    if (!redis || redis->err)
        hgt_die("Redis: %s", redis ? redis->errstr : "out of memory");
    return redis;
}

static redisReply *ask_redis(struct bench *bench, const char *command)
{
    redisReply *reply = redisCommand(bench->redis, command);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        hgt_die("Redis answers to %s: %s", command, reply ? reply->str : bench->redis->errstr);
    return reply;
}

/* The number behind `name` in what INFO says; 0 when the name is not there. */
static uint64_t number_in_info(struct bench *bench, const char *command, const char *name)
{
    redisReply *reply = ask_redis(bench, command);
    const char *at = strstr(reply->str, name);
    uint64_t number = at ? strtoull(at + strlen(name), NULL, 10) : 0;
    freeReplyObject(reply);
    return number;
}

/* How often Redis was called to append, however many events a call brought. */
static uint64_t calls_of(struct bench *bench)
{
    static const char *const names[] = {"cmdstat_fcall:calls=", "cmdstat_evalsha:calls=", "cmdstat_exec:calls="};
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        sum += number_in_info(bench, "INFO commandstats", names[i]);
    return sum;
}

static void check_length(struct bench *bench, const char *when)
{
    redisReply *reply = ask_redis(bench, "XLEN " TOPIC);
    if (reply->type != REDIS_REPLY_INTEGER || (uint64_t)reply->integer != bench->emit_count)
        hgt_die("%s the stream holds %lld entries, and %" PRIu64 " were emitted", when, reply->integer,
                bench->emit_count);
    freeReplyObject(reply);
}

/* The entry with the id that emit `number` was told is that emit. */
static void check_entry(struct bench *bench, uint64_t number)
{
    struct emit *emit = &bench->emits[number];
    char id[ID_BYTES];
    uint32_t fingerprint = fingerprint_of(bench, number, id);
    if (!bench->bare && fingerprint != emit->cursor.fingerprint)
        hgt_die("emit %" PRIu64 " was told another fingerprint than its entry's", number);
    redisReply *reply = redisCommand(bench->redis, "XRANGE " TOPIC " %llu-%llu %llu-%llu",
                                     (unsigned long long)emit->cursor.id.ms, (unsigned long long)emit->cursor.id.seq,
                                     (unsigned long long)emit->cursor.id.ms, (unsigned long long)emit->cursor.id.seq);
    const redisReply *fields = NULL;
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 && reply->element[0]->elements == 2)
        fields = reply->element[0]->element[1];
    if (!fields || fields->elements != 4 || strcmp(fields->element[0]->str, "event") != 0 ||
        strcmp(fields->element[1]->str, bench->event) != 0 || strcmp(fields->element[2]->str, "id") != 0 ||
        fields->element[3]->len != ID_BYTES || memcmp(fields->element[3]->str, id, ID_BYTES) != 0)
        hgt_die("emit %" PRIu64 " was told the id %" PRIu64 "-%" PRIu64 ", where its entry is not", number,
                emit->cursor.id.ms, emit->cursor.id.seq);
    freeReplyObject(reply);
}

static int compare_ids(const void *one, const void *other)
{
    return hg_stream_id_cmp(*(const hg_stream_id *)one, *(const hg_stream_id *)other);
}

static void check_ids_differ(const struct bench *bench)
{
    hg_stream_id *ids = malloc(bench->emit_count * sizeof(*ids));
    if (!ids)
        hgt_die("out of memory");
    for (uint64_t i = 0; i < bench->emit_count; i++)
        ids[i] = bench->emits[i].cursor.id;
    qsort(ids, bench->emit_count, sizeof(*ids), compare_ids);
    for (uint64_t i = 1; i < bench->emit_count; i++)
        if (hg_stream_id_cmp(ids[i - 1], ids[i]) == 0)
            hgt_die("two emits were told the same id, %" PRIu64 "-%" PRIu64, ids[i].ms, ids[i].seq);
    free(ids);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* May one more be emitted now? How many, in all. */
static size_t room(const struct bench *bench, const struct client *client)
{
    size_t under_way = bench->client_count * bench->window;
    if (client)
        return client->unanswered < bench->window ? bench->window - client->unanswered : 0;
    under_way = under_way < BARE_MAX ? under_way : BARE_MAX;
    size_t unanswered = (size_t)(bench->emit_count - bench->answered);
    return unanswered < under_way ? under_way - unanswered : 0;
}

/* Takes what is there, waiting for it if there is nothing; ends the program when nothing comes. `full`: what was
 * answered is replaced at once. */
static void turn(struct bench *bench, bool full)
{
    struct epoll_event events[512];
    int count = epoll_wait(bench->pool.epoll, events, 512, 1000);
    if (count < 0 && errno != EINTR)
        hgt_die("epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        void *data = events[i].data.ptr;
        uint64_t ticks;
        if (data == &bench->timer) {
            if (read(bench->timer, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
                bench->ticks += ticks;
        } else if (data == &bench->pipe) {
            pipe_readable(bench);
            if (full)
                pipe_some(bench, room(bench, NULL));
        } else {
            struct client *client = client_of(data);
            hgt_client_ready(&bench->pool, &client->ws);
            if (full)
                emit_some(bench, client, room(bench, client));
        }
    }
    if (hgt_now() - bench->pool.last_progress > PATIENCE)
        hgt_die("nothing comes any more: %zu of %zu clients are welcome, %zu left; %" PRIu64 " of %" PRIu64
                " emits were answered",
                bench->welcomed, bench->client_count, bench->left, bench->answered, bench->emit_count);
}

static void drain(struct bench *bench)
{
    bench->pool.last_progress = hgt_now();
    while (bench->answered < bench->emit_count)
        turn(bench, false);
}

static void full_speed(struct bench *bench, uint64_t duration)
{
    uint64_t end = hgt_now() + duration;
    bench->pool.last_progress = hgt_now();
    if (bench->bare)
        pipe_some(bench, room(bench, NULL));
    for (size_t i = 0; !bench->bare && i < bench->client_count; i++)
        emit_some(bench, &bench->clients[i], bench->window);
    while (hgt_now() < end)
        turn(bench, true);
    drain(bench);
}

static void set_timer(const struct bench *bench, uint64_t interval)
{
    struct timespec time = {(time_t)(interval / HGT_SECOND), (long)(interval % HGT_SECOND)};
    struct itimerspec setting = {time, time};
    if (timerfd_settime(bench->timer, 0, &setting, NULL) != 0)
        hgt_die("timerfd: %s", strerror(errno));
}

static void steadily(struct bench *bench, uint64_t duration)
{
    uint64_t end = hgt_now() + duration;
    size_t next = 0;
    bench->pool.last_progress = hgt_now();
    bench->ticks = 0;
    set_timer(bench, HGT_SECOND / bench->rate);
    while (hgt_now() < end) {
        turn(bench, false);
        for (; bench->ticks > 0; bench->ticks--, next++)
            if (bench->bare)
                pipe_some(bench, 1);
            else
                emit_some(bench, &bench->clients[next % bench->client_count], 1);
        if (bench->emit_count - bench->answered > UNANSWERED_MAX)
            hgt_die("%d emits are unanswered: that is more than it can do in this time", UNANSWERED_MAX);
    }
    set_timer(bench, 0);
    drain(bench);
}

static void connect_clients(struct bench *bench)
{
    bench->pool.last_progress = hgt_now();
    for (size_t i = 0; i < bench->client_count; i++)
        hgt_client_start(&bench->pool, &bench->clients[i].ws, i, 0);
    while (bench->welcomed < bench->client_count)
        turn(bench, false);
}

static void disconnect_clients(struct bench *bench)
{
    for (size_t i = 0; i < bench->client_count; i++)
        hgt_client_close(&bench->pool, &bench->clients[i].ws);
    bench->pool.last_progress = hgt_now();
    while (bench->left < bench->client_count)
        turn(bench, false);
}

/* ---- the measure ------------------------------------------------------------------------------------------------- */

static int compare_numbers(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

static void tell_delays(const struct bench *bench, uint64_t from)
{
    uint64_t count = bench->emit_count - from, *delays = malloc(count * sizeof(*delays));
    if (!delays)
        hgt_die("out of memory");
    for (uint64_t i = 0; i < count; i++)
        delays[i] = bench->emits[from + i].delay;
    qsort(delays, count, sizeof(*delays), compare_numbers);
    tell("ack_median_us", (double)delays[count / 2] / 1e3);
    tell("ack_99%_us", (double)delays[count * 99 / 100] / 1e3);
    free(delays);
}

static void run_measure(struct bench *bench)
{
    full_speed(bench, WARM);
    uint64_t from = bench->emit_count, calls = bench->bare ? 0 : calls_of(bench);
    struct hgt_cpu redis = hgt_cpu_of(bench->redis_pid), gateway = {0};
    if (!bench->bare)
        gateway = hgt_cpu_of(bench->gateway);
    uint64_t own = hgt_own_cpu(), began = hgt_now();
    if (bench->rate > 0)
        steadily(bench, bench->duration);
    else
        full_speed(bench, bench->duration);
    double wall = (double)(hgt_now() - began), count = (double)(bench->emit_count - from);
    own = hgt_own_cpu() - own;
    redis = hgt_cpu_between(redis, hgt_cpu_of(bench->redis_pid));
    tell("emits/s", count / wall * 1e9);
    tell("redis_us", (double)redis.total / 1e3 / count);
    tell("redis_waited_%", (double)redis.waited / wall * 100);
    tell("generator_busy_%", (double)own / wall * 100);
    tell_delays(bench, from);
    if (bench->bare)
        return;
    gateway = hgt_cpu_between(gateway, hgt_cpu_of(bench->gateway));
    tell("gateway_us", (double)gateway.total / 1e3 / count);
    tell("gateway_user_us", (double)gateway.user / 1e3 / count);
    tell("server_waited_%", (double)gateway.waited / wall * 100);
    tell("events/call", count / (double)(calls_of(bench) - calls));
}

static uint64_t sample(const struct bench *bench, uint64_t i)
{
    return bench->emit_count * i / SAMPLE;
}

static void emit_again(struct bench *bench)
{
    uint64_t asked = 0;
    for (uint64_t i = 0; i < SAMPLE && i < bench->emit_count; i++) {
        struct emit *emit = &bench->emits[sample(bench, i)];
        if (emit->again)
            continue;
        struct client *client = &bench->clients[emit->client];
        emit->again = true;
        client->unanswered++;
        put_emit(bench, client, sample(bench, i));
        hgt_client_flush(&bench->pool, &client->ws);
        asked++;
        while (bench->answered_again + 16 < asked) /* not so many that a client would be refused */
            turn(bench, false);
    }
    bench->pool.last_progress = hgt_now();
    while (bench->answered_again < asked)
        turn(bench, false);
}

static void run(struct bench *bench)
{
    freeReplyObject(ask_redis(bench, "FLUSHALL"));
    make_event(bench);
    if (bench->bare) {
        make_xadd(bench);
        bench->pipe = connect_redis(bench);
        hgt_epoll(bench->pool.epoll, bench->pipe->fd, EPOLLIN, &bench->pipe, EPOLL_CTL_ADD);
    } else {
        connect_clients(bench);
    }
    run_measure(bench);
    check_length(bench, "after all were answered");
    check_ids_differ(bench);
    for (uint64_t i = 0; i < SAMPLE; i++)
        check_entry(bench, sample(bench, i));
    if (bench->bare)
        return;
    if (!bench->no_dedupe) {
        emit_again(bench);
        check_length(bench, "after some were emitted again");
    }
    disconnect_clients(bench);
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

static _Noreturn void usage(int status)
{
    fputs(
        "Usage: bench_emit --redis ADDRESS:PORT --gateway ADDRESS:PORT --pid PID [OPTION]…\n"
        "       bench_emit --redis ADDRESS:PORT --bare [OPTION]…\n\n"
        "  --redis ADDRESS    all that is in this Redis is deleted\n"
        "  --gateway ADDRESS  clients may emit to " TOPIC " there, which is a stream\n"
        "  --pid PID          of the gateway\n"
        "  --bare             pipelined XADDs over one connection instead: as many under way as all clients together\n"
        "                     would have, but not more than 256\n"
        "  --no-dedupe        this gateway cannot tell what was emitted before: do not try\n"
        "  --clients N        default 50\n"
        "  --window W         unanswered emits of each client, as fast as they go; default 16\n"
        "  --rate R           emits a second of all clients together, steadily, instead\n"
        "  --seconds S        default 1\n"
        "  --bytes N          of an event; default 256\n"
        "\nFigures go to standard output, one a line. tests/bench/run emit does it all.\n",
        status == 0 ? stdout : stderr);
    exit(status);
}

static void read_options(struct bench *bench, int argc, char **argv)
{
    static const struct option options[] = {
        {"redis", required_argument, NULL, 'r'},   {"gateway", required_argument, NULL, 'g'},
        {"pid", required_argument, NULL, 'p'},     {"bare", no_argument, NULL, 'B'},
        {"no-dedupe", no_argument, NULL, 'D'},     {"clients", required_argument, NULL, 'c'},
        {"window", required_argument, NULL, 'w'},  {"rate", required_argument, NULL, 'R'},
        {"seconds", required_argument, NULL, 'd'}, {"bytes", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    double seconds = 1;
    for (int option, at; (option = getopt_long(argc, argv, "h", options, &at)) != -1;) {
        switch (option) {
        case 'r':
            bench->redis_address = hgt_address_from("redis", optarg);
            break;
        case 'g':
            bench->pool.gateway = hgt_address_from("gateway", optarg);
            break;
        case 'p':
            bench->gateway = (pid_t)hgt_number_from("pid", optarg, 1, INT32_MAX);
            break;
        case 'B':
            bench->bare = true;
            break;
        case 'D':
            bench->no_dedupe = true;
            break;
        case 'c':
            bench->client_count = (size_t)hgt_number_from("clients", optarg, 1, 16000);
            break;
        case 'w':
            bench->window = (size_t)hgt_number_from("window", optarg, 1, 100000);
            break;
        case 'R':
            bench->rate = hgt_number_from("rate", optarg, 1, 1000000);
            break;
        case 'd':
            seconds = strtod(optarg, NULL);
            if (!(seconds > 0 && seconds <= 60)) {
                fprintf(stderr, "%s: --seconds wants a number above 0, 60 at most\n", hgt_program);
                exit(2);
            }
            break;
        case 'b':
            bench->event_bytes = (size_t)hgt_number_from("bytes", optarg, BYTES_MIN, BYTES_MAX);
            break;
        case 'h':
            usage(0);
        default:
            usage(2);
        }
    }
    bool gateway = bench->pool.gateway.sin_port != 0 && bench->gateway != 0;
    if (optind != argc || bench->redis_address.sin_port == 0 || bench->bare == gateway)
        usage(2);
    bench->duration = (uint64_t)(seconds * (double)HGT_SECOND);
    if (bench->rate > 0)
        snprintf(measure, sizeof(measure), "rate:%" PRIu64, bench->rate);
    else
        snprintf(measure, sizeof(measure), "%zux%zu", bench->client_count, bench->window);
}

int main(int argc, char **argv)
{
    static struct bench bench = {.client_count = 50, .window = 16, .event_bytes = 256};
    hgt_program = "bench_emit";
    read_options(&bench, argc, argv);
    hg_prng_init(&bench.pool.prng, 1);
    bench.pool.owner = &bench;
    bench.pool.on_open = on_open;
    bench.pool.on_message = on_message;
    bench.pool.on_end = on_end;
    hgt_raise_open_files();
    bench.clients = calloc(bench.client_count, sizeof(*bench.clients));
    bench.event = malloc(bench.event_bytes + 1);
    bench.command = malloc(256 + BYTES_MAX);
    bench.pool.epoll = epoll_create1(EPOLL_CLOEXEC);
    bench.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!bench.clients || !bench.event || !bench.command || bench.pool.epoll < 0 || bench.timer < 0)
        hgt_die("cannot start: %s", strerror(errno));
    hgt_epoll(bench.pool.epoll, bench.timer, EPOLLIN, &bench.timer, EPOLL_CTL_ADD);
    bench.redis = connect_redis(&bench);
    bench.redis_pid = (pid_t)number_in_info(&bench, "INFO server", "\r\nprocess_id:");

    run(&bench);

    if (bench.pipe)
        redisFree(bench.pipe);
    redisFree(bench.redis);
    close(bench.timer);
    close(bench.pool.epoll);
    free(bench.emits);
    free(bench.clients);
    free(bench.event);
    free(bench.command);
    return 0;
}
