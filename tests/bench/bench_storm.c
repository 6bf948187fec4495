/* bench_storm.c – a storm of clients that come back: many WebSocket clients follow one stream, all are cut off,
 * entries are added meanwhile, and all come back at once, each with the cursor of a place of its own. All in this
 * process on one core. tests/bench/run starts Redis and makes a table of what this prints.
 *
 * The gateway is this program's child, so that it can be killed between. Each client must get each entry that it
 * missed, byte for byte with its cursor, once and in order, then caught_up, then what is added after; the first thing
 * amiss ends the program with 1 and a sentence. A figure is one line on standard output: measure, figure, value. Units:
 * times in nanoseconds of the monotonic clock unless a name says otherwise. Calls out: Redis at the address given, the
 * gateway, /proc of both. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "bench/client.h"
#include "bench/process.h"
#include "stream/cursor.h"

#define PATIENCE     (20 * HGT_SECOND) /* so long nothing may happen that should */
#define WARM_ENTRIES 64                /* are there before anybody comes */
#define SEEN_ENTRIES 16                /* come to everybody before the storm */
#define LIVE_ENTRIES 20                /* are added after all have come back */
#define PIPELINE     500               /* commands */
#define FILTERS_MAX  10
#define TOPIC        "bench.resume"
#define FIRST_NUMBER UINT64_C(1000000000) /* so that every number has ten digits */
#define BYTES_MIN    64
#define BYTES_MAX    65536
#define CURSOR_MAX   64

struct entry {
    char *tail; /* of the message that brings it, from the cursor on */
    size_t len;
    char cursor[CURSOR_MAX];
};

enum client_phase { CLIENT_COMING, CLIENT_REPLAYING, CLIENT_LIVE };

struct client {
    struct hgt_client ws;
    enum client_phase phase;
    uint64_t place;    /* the last entry it has seen */
    uint64_t expected; /* the entry that must come next */
    bool complete;     /* has all there are */
};

/* All with the same filter. */
struct kind {
    uint64_t sub; /* 0: not known yet */
    char prefix[128];
    size_t prefix_len;
};

struct bench {
    /* what was asked for */
    struct sockaddr_in redis_address;
    size_t client_count, missed, opening_max, filters;
    uint64_t rate;
    size_t event_bytes;
    bool kill;
    const char *log_file;
    char **command;
    /* processes */
    pid_t gateway, redis_pid;
    redisContext *redis, *monitor;
    /* clients */
    struct hgt_clients pool;
    struct client *clients;
    struct kind kinds[FILTERS_MAX];
    size_t started, opened, answered, caught_up, complete, told_stale;
    bool from_cursors;
    /* entries */
    struct entry *entries;
    size_t entry_count, entry_capacity, owed; /* owed: were there when the storm began; caught_up comes behind them */
    char *event;                              /* the next one */
};

static void tell(const char *figure, double value)
{
    printf("storm %s %.7g\n", figure, value);
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static size_t kind_of(const struct bench *bench, size_t number)
{
    return bench->filters > 0 ? number % bench->filters : 0;
}

/* The first from `number` on that passes the client's filter. */
static uint64_t next_for(const struct bench *bench, const struct client *client, uint64_t number)
{
    if (bench->filters == 0)
        return number;
    uint64_t own = kind_of(bench, client->ws.number);
    return number + (own + bench->filters - number % bench->filters) % bench->filters;
}

static void make_event(struct bench *bench, size_t number)
{
    char head[64];
    int len = snprintf(head, sizeof(head), "{\"n\":%" PRIu64 ",\"kind\":\"k%zu\",\"pad\":\"", FIRST_NUMBER + number,
                       kind_of(bench, number));
    memset(bench->event, 'x', bench->event_bytes);
    memcpy(bench->event, head, (size_t)len);
    memcpy(bench->event + bench->event_bytes - 2, "\"}", 3);
}

static void append_add(struct bench *bench, size_t number)
{
    make_event(bench, number);
    const char *argv[] = {"XADD", TOPIC, "*", "event", bench->event};
    if (redisAppendCommandArgv(bench->redis, 5, argv, NULL) != REDIS_OK)
        hgt_die("Redis: %s", bench->redis->errstr);
}

/* What clients must get, as Redis numbered it. */
static void note_entry(struct bench *bench)
{
    void *answer;
    if (redisGetReply(bench->redis, &answer) != REDIS_OK)
        hgt_die("Redis: %s", bench->redis->errstr);
    const redisReply *reply = answer;
    if (reply->type != REDIS_REPLY_STRING)
        hgt_die("Redis answers to XADD: %s", reply->str ? reply->str : "no id");
    struct entry *entry = &bench->entries[bench->entry_count];
    make_event(bench, bench->entry_count);
    struct hg_slice fields[] = {HG_LIT("event"), hg_slice(bench->event, bench->event_bytes)};
    snprintf(entry->cursor, sizeof(entry->cursor), "%s~%08" PRIx32, reply->str, hg_fingerprint(fields, 2));
    size_t size = CURSOR_MAX + bench->event_bytes + 32;
    entry->tail = malloc(size);
    if (!entry->tail)
        hgt_die("out of memory");
    entry->len = (size_t)snprintf(entry->tail, size, "%s\",\"event\":%s}", entry->cursor, bench->event);
    bench->entry_count++;
    freeReplyObject(answer);
}

static void count_complete(struct bench *bench)
{
    bench->complete = 0;
    for (size_t i = 0; i < bench->client_count; i++) {
        struct client *client = &bench->clients[i];
        client->complete = client->expected >= bench->entry_count;
        bench->complete += client->complete;
    }
}

/* Ends when Redis has them all. */
static void add_entries(struct bench *bench, size_t count)
{
    if (bench->entry_count + count > bench->entry_capacity)
        hgt_die("the storm lasts longer than entries were foreseen for");
    while (count > 0) {
        size_t some = count < PIPELINE ? count : PIPELINE, first = bench->entry_count;
        for (size_t i = 0; i < some; i++)
            append_add(bench, first + i);
        for (size_t i = 0; i < some; i++)
            note_entry(bench);
        count -= some;
    }
    count_complete(bench);
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

static redisReply *ask_redis(redisContext *redis, const char *command)
{
    redisReply *reply = redisCommand(redis, command);
    if (!reply || reply->type == REDIS_REPLY_ERROR)
        hgt_die("Redis answers to %s: %s", command, reply ? reply->str : redis->errstr);
    return reply;
}

static uint64_t number_in_info(struct bench *bench, const char *command, const char *name)
{
    redisReply *reply = ask_redis(bench->redis, command);
    const char *at = strstr(reply->str, name);
    if (!at)
        hgt_die("Redis does not tell %s", name);
    uint64_t number = strtoull(at + strlen(name), NULL, 10);
    freeReplyObject(reply);
    return number;
}

/* What Redis was asked about the topic since the last time, ADDs apart. */
struct commands {
    unsigned xread, proof; /* the reader's own, which it asks whether clients come or not */
    unsigned xrange, xrevrange, xinfo, other;
};

/* Redis tells each command that it executes; up to one that stands for now. */
static struct commands commands_since(struct bench *bench)
{
    struct commands commands = {.xread = 0};
    freeReplyObject(ask_redis(bench->redis, "ECHO bench-up-to-here"));
    for (;;) {
        void *answer;
        if (redisGetReply(bench->monitor, &answer) != REDIS_OK)
            hgt_die("Redis: %s", bench->monitor->errstr);
        const redisReply *reply = answer;
        const char *line = reply->str ? reply->str : "";
        const char *command = strstr(line, "] \"");
        bool last = strstr(line, "\"bench-up-to-here\"") != NULL;
        if (command && strstr(command, "\"" TOPIC "\"")) {
            command += 3;
            if (strncmp(command, "XREAD\"", 6) == 0)
                commands.xread++;
            else if (strncmp(command, "XREVRANGE\"", 10) == 0 && strstr(command, "\"COUNT\" \"1\""))
                commands.proof++;
            else if (strncmp(command, "XRANGE\"", 7) == 0)
                commands.xrange++;
            else if (strncmp(command, "XREVRANGE\"", 10) == 0)
                commands.xrevrange++;
            else if (strncmp(command, "XINFO\"", 6) == 0)
                commands.xinfo++;
            else if (strncmp(command, "XADD\"", 5) != 0)
                commands.other++;
        }
        freeReplyObject(answer);
        if (last)
            return commands;
    }
}

/* ---- the gateway ------------------------------------------------------------------------------------------------- */

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/* The address that the gateway says it listens on; false: it has not said so yet. */
static bool find_address(struct bench *bench)
{
    static const char mark[] = "listening on http://";
    char text[4096], host[64];
    int fd = open(bench->log_file, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (len <= 0)
        return false;
    text[len] = '\0';
    const char *at = strstr(text, mark);
    if (!at || !strchr(at, '\n'))
        return false;
    at += sizeof(mark) - 1;
    size_t host_len = strcspn(at, " \n");
    if (host_len >= sizeof(host))
        return false;
    memcpy(host, at, host_len);
    host[host_len] = '\0';
    bench->pool.gateway = hgt_address_from("gateway", host);
    return true;
}

static void start_gateway(struct bench *bench)
{
    int log = open(bench->log_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (log < 0)
        hgt_die("cannot write %s: %s", bench->log_file, strerror(errno));
    bench->gateway = fork();
    if (bench->gateway < 0)
        hgt_die("fork: %s", strerror(errno));
    if (bench->gateway == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        execvp(bench->command[0], bench->command);
        _exit(127);
    }
    close(log);
    uint64_t end = hgt_now() + PATIENCE;
    while (!find_address(bench)) {
        if (waitpid(bench->gateway, NULL, WNOHANG) != 0)
            hgt_die("the gateway ended; see %s", bench->log_file);
        if (hgt_now() > end)
            hgt_die("the gateway does not start");
        nap();
    }
}

static int end_gateway(struct bench *bench, int number)
{
    int status;
    kill(bench->gateway, number);
    if (waitpid(bench->gateway, &status, 0) != bench->gateway)
        hgt_die("waitpid: %s", strerror(errno));
    return status;
}

/* ---- what clients get -------------------------------------------------------------------------------------------- */

static struct client *client_of(struct hgt_client *ws)
{
    return HG_CONTAINER(ws, struct client, ws);
}

static void on_open(void *owner, struct hgt_client *ws)
{
    struct bench *bench = owner;
    struct client *client = client_of(ws);
    char command[1024];
    size_t len = (size_t)snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"" TOPIC "\"");
    if (bench->filters > 0)
        len += (size_t)snprintf(command + len, sizeof(command) - len, ",\"filter\":\"kind = 'k%zu'\"",
                                kind_of(bench, ws->number));
    if (bench->from_cursors)
        len += (size_t)snprintf(command + len, sizeof(command) - len, ",\"from\":{\"cursors\":{\"" TOPIC "\":\"%s\"}}",
                                bench->entries[client->place].cursor);
    len += (size_t)snprintf(command + len, sizeof(command) - len, "}");
    hgt_client_send(&bench->pool, ws, hg_slice(command, len));
    bench->opened++;
}

static void on_end(void *owner, struct hgt_client *ws)
{
    (void)owner;
    hgt_die("client %zu ended", ws->number);
}

static bool take_ok(struct bench *bench, struct client *client, struct hg_slice message)
{
    uint64_t sub = hgt_client_sub_in(message);
    struct kind *kind = &bench->kinds[kind_of(bench, client->ws.number)];
    if (sub == 0)
        return false;
    if (kind->sub == 0) {
        kind->sub = sub;
        kind->prefix_len =
            (size_t)snprintf(kind->prefix, sizeof(kind->prefix),
                             "{\"op\":\"event\",\"sub\":%" PRIu64 ",\"topic\":\"" TOPIC "\",\"cursor\":\"", sub);
    }
    client->phase = bench->from_cursors ? CLIENT_REPLAYING : CLIENT_LIVE;
    bench->answered++;
    return kind->sub == sub;
}

/* The hot path: whether the message is the entry that this client must get next. */
static bool take_event(struct bench *bench, struct client *client, struct hg_slice message)
{
    const struct kind *kind = &bench->kinds[kind_of(bench, client->ws.number)];
    if (client->expected >= bench->entry_count)
        return false;
    const struct entry *entry = &bench->entries[client->expected];
    if (message.len != kind->prefix_len + entry->len || memcmp(message.ptr, kind->prefix, kind->prefix_len) != 0 ||
        memcmp(message.ptr + kind->prefix_len, entry->tail, entry->len) != 0)
        return false;
    client->expected = next_for(bench, client, client->expected + 1);
    if (client->expected >= bench->entry_count && !client->complete) {
        client->complete = true;
        bench->complete++;
    }
    return true;
}

static bool take_caught_up(struct bench *bench, struct client *client, struct hg_slice message)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "{\"op\":\"caught_up\",\"sub\":%" PRIu64 "}",
                       bench->kinds[kind_of(bench, client->ws.number)].sub);
    if (client->phase != CLIENT_REPLAYING || client->expected < bench->owed ||
        !hg_slice_eq(message, hg_slice(text, (size_t)len)))
        return false;
    client->phase = CLIENT_LIVE;
    bench->caught_up++;
    return true;
}

static void on_message(void *owner, struct hgt_client *ws, struct hg_slice message, uint64_t now)
{
    struct bench *bench = owner;
    struct client *client = client_of(ws);
    (void)now;
    if (client->phase != CLIENT_COMING && take_event(bench, client, message))
        return;
    if (hg_slice_starts(message, HG_LIT("{\"op\":\"welcome\",")))
        return;
    if (hg_slice_starts(message, HG_LIT("{\"op\":\"stale\",")) ||
        hg_slice_starts(message, HG_LIT("{\"op\":\"live\","))) {
        bench->told_stale++; /* a busy machine may cause it; it is told */
        return;
    }
    if (client->phase == CLIENT_COMING ? take_ok(bench, client, message) : take_caught_up(bench, client, message))
        return;
    hgt_die("client %zu, which came back from entry %" PRIu64 ", waits for %" PRIu64 " of %zu and got: %.*s",
            ws->number, client->place, client->expected, bench->entry_count, message.len > 400 ? 400 : (int)message.len,
            message.ptr);
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static void turn(struct bench *bench, int wait_ms)
{
    struct epoll_event events[512];
    int count = epoll_wait(bench->pool.epoll, events, 512, wait_ms);
    if (count < 0 && errno != EINTR)
        hgt_die("epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++)
        hgt_client_ready(&bench->pool, events[i].data.ptr);
    if (hgt_now() - bench->pool.last_progress > PATIENCE)
        hgt_die(
            "nothing comes any more: of %zu clients %zu have opened, %zu were answered, %zu caught up, %zu have all",
            bench->client_count, bench->opened, bench->answered, bench->caught_up, bench->complete);
}

/* Some are on their way at the same time; the others follow as soon as one of them is open. */
static void start_clients(struct bench *bench)
{
    while (bench->started < bench->client_count && bench->started - bench->opened < bench->opening_max) {
        struct client *client = &bench->clients[bench->started];
        hgt_client_start(&bench->pool, &client->ws, bench->started, 0);
        client->phase = CLIENT_COMING;
        bench->started++;
    }
}

static void begin(struct bench *bench, bool from_cursors)
{
    bench->started = bench->opened = bench->answered = bench->caught_up = 0;
    bench->from_cursors = from_cursors;
    memset(bench->kinds, 0, sizeof(bench->kinds));
    bench->pool.last_progress = hgt_now();
}

static void connect_all(struct bench *bench)
{
    begin(bench, false);
    for (size_t i = 0; i < bench->client_count; i++)
        bench->clients[i].expected = next_for(bench, &bench->clients[i], bench->entry_count);
    while (bench->answered < bench->client_count) {
        start_clients(bench);
        turn(bench, 1000);
    }
}

static void await_complete(struct bench *bench)
{
    bench->pool.last_progress = hgt_now();
    while (bench->complete < bench->client_count)
        turn(bench, 1000);
}

/* Ends when the gateway knows, and has read what is in Redis: then it rests. */
static void drop_all(struct bench *bench, size_t descriptors)
{
    for (size_t i = 0; i < bench->client_count; i++)
        hgt_client_drop(&bench->clients[i].ws);
    uint64_t end = hgt_now() + PATIENCE;
    while (hgt_descriptors_of(bench->gateway) > descriptors + 8) { /* connections to Redis come and go */
        if (hgt_now() > end)
            hgt_die("the gateway keeps connections that were dropped");
        nap();
    }
}

/* A reader that blocks has read all: Redis answers at once while there is more. */
static void await_reader(struct bench *bench)
{
    uint64_t end = hgt_now() + PATIENCE;
    while (number_in_info(bench, "INFO clients", "\r\nblocked_clients:") == 0) {
        if (hgt_now() > end)
            hgt_die("the gateway does not read the stream");
        nap();
    }
}

/* Each its own place, evenly spread over what is missed; neighbours in coming are not neighbours in the stream. */
static void spread_places(struct bench *bench)
{
    size_t count = bench->client_count;
    for (size_t i = 0; i < count; i++)
        bench->clients[i].place = bench->entry_count - bench->missed - 1 + i * bench->missed / count;
    for (size_t i = count; i > 1; i--) {
        struct client *one = &bench->clients[i - 1], *other = &bench->clients[hg_prng_below(&bench->pool.prng, i)];
        uint64_t place = one->place;
        one->place = other->place;
        other->place = place;
    }
    for (size_t i = 0; i < count; i++) {
        struct client *client = &bench->clients[i];
        if (bench->filters > 0) /* one that it has seen has passed its filter */
            while (kind_of(bench, client->place) != kind_of(bench, i))
                client->place--;
        client->expected = next_for(bench, client, client->place + 1);
    }
    count_complete(bench);
}

static uint64_t entries_owed(const struct bench *bench)
{
    uint64_t sum = 0, step = bench->filters > 0 ? bench->filters : 1;
    for (size_t i = 0; i < bench->client_count; i++) {
        const struct client *client = &bench->clients[i];
        if (bench->entry_count > client->expected)
            sum += (bench->entry_count - client->expected + step - 1) / step;
    }
    return sum;
}

static void tell_storm(struct bench *bench, uint64_t wall, uint64_t connected, uint64_t deliveries,
                       const struct hgt_cpu *gateway, const struct hgt_cpu *redis, uint64_t own)
{
    struct commands commands = commands_since(bench);
    tell("seconds", (double)wall / 1e9);
    tell("connected_s", (double)connected / 1e9);
    tell("deliveries", (double)deliveries);
    tell("bytes", (double)bench->pool.bytes);
    tell("gateway_cpu_s", (double)gateway->total / 1e9);
    tell("gateway_user_s", (double)gateway->user / 1e9);
    tell("gateway_system_s", (double)gateway->system / 1e9);
    tell("gateway_cpu_us_each", (double)gateway->total / 1e3 / (double)deliveries);
    tell("gateway_user_us_each", (double)gateway->user / 1e3 / (double)deliveries);
    tell("server_waited_%", (double)gateway->waited / (double)wall * 100);
    tell("redis_cpu_s", (double)redis->total / 1e9);
    tell("generator_busy_%", (double)own / (double)wall * 100);
    tell("rss_peak", hgt_memory_of(bench->gateway, "VmHWM:"));
    tell("rss_after", hgt_memory_of(bench->gateway, "VmRSS:"));
    tell("commands_for_replays", commands.xrange + commands.xrevrange + commands.xinfo + commands.other);
    tell("commands_xrange", commands.xrange);
    tell("commands_xrevrange", commands.xrevrange);
    tell("commands_xinfo", commands.xinfo);
    tell("commands_other", commands.other);
    tell("commands_of_reader", commands.xread + commands.proof);
    tell("commands_xread", commands.xread);
    tell("commands_proof", commands.proof);
    tell("told_stale_or_live", (double)bench->told_stale);
}

static void storm(struct bench *bench)
{
    begin(bench, true);
    bench->owed = bench->entry_count;
    (void)commands_since(bench);
    bench->pool.bytes = 0;
    hgt_memory_forget_peak(bench->gateway);
    tell("rss_before", hgt_memory_of(bench->gateway, "VmRSS:"));
    struct hgt_cpu gateway = hgt_cpu_of(bench->gateway), redis = hgt_cpu_of(bench->redis_pid);
    uint64_t own = hgt_own_cpu(), deliveries = entries_owed(bench), connected = 0, began = hgt_now(), added = 0;
    while (bench->caught_up < bench->client_count) {
        start_clients(bench);
        turn(bench, bench->rate > 0 ? 5 : 1000);
        uint64_t elapsed = hgt_now() - began;
        if (connected == 0 && bench->opened == bench->client_count)
            connected = elapsed;
        for (; bench->rate > 0 && elapsed * bench->rate / HGT_SECOND > added; added++)
            add_entries(bench, 1);
    }
    uint64_t wall = hgt_now() - began;
    own = hgt_own_cpu() - own;
    gateway = hgt_cpu_between(gateway, hgt_cpu_of(bench->gateway));
    redis = hgt_cpu_between(redis, hgt_cpu_of(bench->redis_pid));
    await_complete(bench);
    tell_storm(bench, wall, connected, deliveries + added * bench->client_count / (bench->filters ? bench->filters : 1),
               &gateway, &redis, own);
}

static void run(struct bench *bench)
{
    freeReplyObject(ask_redis(bench->redis, "DEL " TOPIC));
    freeReplyObject(ask_redis(bench->monitor, "MONITOR"));
    start_gateway(bench);
    add_entries(bench, WARM_ENTRIES);
    size_t descriptors = hgt_descriptors_of(bench->gateway);
    connect_all(bench);
    add_entries(bench, SEEN_ENTRIES);
    await_complete(bench);
    drop_all(bench, descriptors);
    if (bench->kill)
        end_gateway(bench, SIGKILL);
    add_entries(bench, bench->missed);
    if (bench->kill)
        start_gateway(bench);
    else
        await_reader(bench);
    spread_places(bench);
    storm(bench);
    add_entries(bench, LIVE_ENTRIES);
    await_complete(bench);
    drop_all(bench, descriptors);
    tell("rss_dropped", hgt_memory_of(bench->gateway, "VmRSS:"));
    int status = end_gateway(bench, SIGTERM);
    if (status != 0)
        hgt_die("the gateway ended with status %d; see %s", status, bench->log_file);
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

static _Noreturn void usage(int status)
{
    fputs(
        "Usage: bench_storm --redis ADDRESS:PORT --log FILE [OPTION]… -- COMMAND…\n\n"
        "  COMMAND…           starts the gateway; " TOPIC " must be a stream there\n"
        "  --log FILE         what the gateway says goes there\n"
        "  --clients N        default 10000\n"
        "  --missed N         entries that are added while they are away; default 5000\n"
        "  --bytes N          of an event; default 256\n"
        "  --filters N        so many filters, one for each client, each passing as many of the entries; default none\n"
        "  --kill             kill the gateway meanwhile, and start a new one\n"
        "  --opening N        connections on their way at the same time; default 1000\n"
        "  --rate R           add R entries a second during the storm; default none\n"
        "\nFigures go to standard output, one a line. tests/bench/run resume does it all.\n",
        status == 0 ? stdout : stderr);
    exit(status);
}

static void read_options(struct bench *bench, int argc, char **argv)
{
    static const struct option options[] = {
        {"redis", required_argument, NULL, 'r'},
        {"log", required_argument, NULL, 'l'},
        {"clients", required_argument, NULL, 'c'},
        {"missed", required_argument, NULL, 'm'},
        {"bytes", required_argument, NULL, 'b'},
        {"filters", required_argument, NULL, 'f'},
        {"kill", no_argument, NULL, 'k'},
        {"opening", required_argument, NULL, 'o'},
        {"rate", required_argument, NULL, 'R'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option, at; (option = getopt_long(argc, argv, "+h", options, &at)) != -1;) {
        switch (option) {
        case 'r':
            bench->redis_address = hgt_address_from("redis", optarg);
            break;
        case 'l':
            bench->log_file = optarg;
            break;
        case 'c':
            bench->client_count = (size_t)hgt_number_from("clients", optarg, 1, 1000000);
            break;
        case 'm':
            bench->missed = (size_t)hgt_number_from("missed", optarg, 1, 1000000);
            break;
        case 'b':
            bench->event_bytes = (size_t)hgt_number_from("bytes", optarg, BYTES_MIN, BYTES_MAX);
            break;
        case 'f':
            bench->filters = (size_t)hgt_number_from("filters", optarg, 1, FILTERS_MAX);
            break;
        case 'k':
            bench->kill = true;
            break;
        case 'o':
            bench->opening_max = (size_t)hgt_number_from("opening", optarg, 1, 100000);
            break;
        case 'R':
            bench->rate = hgt_number_from("rate", optarg, 1, 10000);
            break;
        case 'h':
            usage(0);
        default:
            usage(2);
        }
    }
    if (optind == argc || !bench->log_file || bench->redis_address.sin_port == 0)
        usage(2);
    bench->command = argv + optind;
}

int main(int argc, char **argv)
{
    static struct bench bench = {.client_count = 10000, .missed = 5000, .event_bytes = 256, .opening_max = 1000};
    hgt_program = "bench_storm";
    read_options(&bench, argc, argv);
    hg_prng_init(&bench.pool.prng, 1);
    bench.pool.owner = &bench;
    bench.pool.on_open = on_open;
    bench.pool.on_message = on_message;
    bench.pool.on_end = on_end;
    hgt_raise_open_files();
    bench.entry_capacity = WARM_ENTRIES + SEEN_ENTRIES + bench.missed + LIVE_ENTRIES + (size_t)bench.rate * 300;
    bench.entries = calloc(bench.entry_capacity, sizeof(*bench.entries));
    bench.clients = calloc(bench.client_count, sizeof(*bench.clients));
    bench.event = malloc(bench.event_bytes + 1);
    bench.pool.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!bench.entries || !bench.clients || !bench.event || bench.pool.epoll < 0)
        hgt_die("cannot start: %s", strerror(errno));
    for (size_t i = 0; i < bench.client_count; i++)
        bench.clients[i].ws.number = i;
    bench.redis = connect_redis(&bench);
    bench.monitor = connect_redis(&bench);
    bench.redis_pid = (pid_t)number_in_info(&bench, "INFO server", "\r\nprocess_id:");

    run(&bench);

    redisFree(bench.monitor);
    redisFree(bench.redis);
    close(bench.pool.epoll);
    for (size_t i = 0; i < bench.entry_count; i++)
        free(bench.entries[i].tail);
    free(bench.entries);
    free(bench.clients);
    free(bench.event);
    return 0;
}
