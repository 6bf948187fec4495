/* bench_fanout.c – one round of the fan-out benchmark: many WebSocket clients on one topic, one publisher, all in this
 * process on one core. tests/bench/run starts Redis and gateway for it and makes a table of what it prints.
 *
 * Every event is checked at every client, byte for byte and in order; the first thing amiss ends the round with 1 and a
 * sentence. A figure is one line on standard output: measure, figure, value.
 * Units: times in nanoseconds of the monotonic clock unless a name says otherwise.
 * Calls out: Redis and gateway at the addresses given, /proc of the gateway's process. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/list.h"
#include "bench/client.h"
#include "bench/process.h"

#define PATIENCE          (10 * HGT_SECOND) /* so long nothing may happen that should */
#define WARM_EVENTS       64
#define STALL_BYTES       (5u << 20) /* of events; with what frames them, more than log_bytes_max and the kernel hold */
#define ESTABLISHED       1          /* as the kernel counts a connection's states; linux/tcp.h has no name for it */
#define OPENING_MAX       256        /* connections on their way at the same time */
#define IN_FLIGHT_MAX     65536      /* events; a power of two */
#define MEASURES_MAX      16
#define COUNTS_MAX        8
#define EVENT_BYTES_MIN   64
#define EVENT_BYTES_MAX   65536
#define FIRST_NUMBER      UINT64_C(1000000000) /* so that every number has ten digits */
#define DIGITS            10
#define STREAM_LENGTH_MAX "100000"
/* Delays: buckets of 1/16 of a power of two, from 1 µs. */
#define DELAY_BUCKETS (16 * 40)

struct client {
    struct hgt_client ws;
    bool subscribed;
    uint64_t expected; /* the event that must come next */
};

struct measure {
    bool steady;
    uint64_t number; /* events in flight, or a second when steady */
};

struct bench {
    /* what was asked for */
    struct sockaddr_in redis_address;
    pid_t pid;
    bool stream;
    const char *topic;
    size_t event_bytes, counts[COUNTS_MAX], count_count, measure_count;
    struct measure measures[MEASURES_MAX];
    uint64_t duration, events_max;
    size_t stalls;
    /* connections */
    int timer;
    redisContext *redis;
    size_t replies_due;
    struct hgt_clients pool;
    struct client *clients;
    struct client stalled; /* one more, which reads nothing */
    size_t client_count, opening, subscribed, left;
    char *event;      /* what is published; its number is filled in each time */
    char prefix[512]; /* of every event's frame, up to the cursor or the event */
    size_t prefix_len;
    uint64_t sub; /* 0: not known yet */
    /* events */
    uint64_t published, done; /* done: arrived at all clients */
    uint64_t sent_at[IN_FLIGHT_MAX];
    uint32_t arrived[IN_FLIGHT_MAX]; /* clients that have it */
    uint64_t delays[DELAY_BUCKETS];
    uint64_t ticks; /* of the timer, not yet published */
};

static void tell(const struct measure *measure, const char *figure, double value)
{
    printf("%s:%" PRIu64 " %s %.6g\n", measure->steady ? "rate" : "window", measure->number, figure, value);
}

/* ---- what clients get -------------------------------------------------------------------------------------------- */

static struct client *client_of(struct hgt_client *ws)
{
    return HG_CONTAINER(ws, struct client, ws);
}

static void on_open(void *owner, struct hgt_client *ws)
{
    struct bench *bench = owner;
    char command[512];
    int len = snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"ref\":1,\"topic\":\"%s\"}", bench->topic);
    hgt_client_send(&bench->pool, ws, hg_slice(command, (size_t)len));
}

static void on_end(void *owner, struct hgt_client *ws)
{
    struct bench *bench = owner;
    (void)ws;
    bench->left++;
}

static void take_ok(struct bench *bench, struct client *client, struct hg_slice message)
{
    uint64_t sub = hgt_client_sub_in(message);
    if (sub == 0)
        hgt_die("client %zu got instead of an ok: %.*s", client->ws.number, HG_SLICE_ARG(message));
    if (bench->sub == 0) {
        bench->sub = sub;
        bench->prefix_len = (size_t)snprintf(bench->prefix, sizeof(bench->prefix),
                                             "{\"op\":\"event\",\"sub\":%" PRIu64 ",\"topic\":\"%s\",%s", sub,
                                             bench->topic, bench->stream ? "\"cursor\":\"" : "\"event\":");
    }
    if (sub != bench->sub)
        hgt_die("client %zu got another sub for the same topic", client->ws.number);
    client->subscribed = true;
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

static void on_message(void *owner, struct hgt_client *ws, struct hg_slice message, uint64_t now)
{
    struct bench *bench = owner;
    struct client *client = client_of(ws);
    if (client->subscribed && take_event(bench, client, message, now))
        return;
    if (hg_slice_starts(message, HG_LIT("{\"op\":\"welcome\",")))
        return;
    if (!client->subscribed) {
        take_ok(bench, client, message);
        return;
    }
    hgt_die("client %zu waits for event %" PRIu64 " of %" PRIu64 " and got: %.*s", ws->number, client->expected,
            bench->published, message.len > 400 ? 400 : (int)message.len, message.ptr);
}

/* ---- the publisher ----------------------------------------------------------------------------------------------- */

static void redis_readable(struct bench *bench)
{
    if (redisBufferRead(bench->redis) != REDIS_OK)
        hgt_die("Redis: %s", bench->redis->errstr);
    void *answer;
    while (redisGetReplyFromReader(bench->redis, &answer) == REDIS_OK && answer) {
        const redisReply *reply = answer;
        if (reply->type == REDIS_REPLY_ERROR)
            hgt_die("Redis: %s", reply->str);
        if (!bench->stream && (reply->type != REDIS_REPLY_INTEGER || reply->integer != 1))
            hgt_die("Redis passed an event on to %lld subscribers; the gateway alone should be there", reply->integer);
        freeReplyObject(answer);
        bench->replies_due--;
    }
    if (bench->redis->err)
        hgt_die("Redis: %s", bench->redis->errstr);
}

static void publish(struct bench *bench, uint64_t count)
{
    if (bench->published - bench->done + count > IN_FLIGHT_MAX)
        hgt_die("the gateway falls behind: %" PRIu64 " events are on their way", bench->published - bench->done);
    uint64_t now = hgt_now();
    for (uint64_t i = 0; i < count; i++) {
        char digits[32];
        snprintf(digits, sizeof(digits), "%" PRIu64, FIRST_NUMBER + bench->published);
        memcpy(bench->event + 5, digits, DIGITS);
        const char *to_stream[] = {"XADD", bench->topic, "MAXLEN", "~", STREAM_LENGTH_MAX, "*", "event", bench->event};
        const char *to_channel[] = {"PUBLISH", bench->topic, bench->event};
        int done = bench->stream ? redisAppendCommandArgv(bench->redis, 8, to_stream, NULL)
                                 : redisAppendCommandArgv(bench->redis, 3, to_channel, NULL);
        if (done != REDIS_OK)
            hgt_die("Redis: %s", bench->redis->errstr);
        bench->replies_due++;
        size_t slot = bench->published++ % IN_FLIGHT_MAX;
        bench->sent_at[slot] = now;
        bench->arrived[slot] = 0;
    }
    int all_sent = count == 0;
    while (!all_sent)
        if (redisBufferWrite(bench->redis, &all_sent) != REDIS_OK)
            hgt_die("Redis: %s", bench->redis->errstr);
}

static void open_redis(struct bench *bench)
{
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &bench->redis_address.sin_addr, host, sizeof(host));
    bench->redis = redisConnectWithTimeout(host, ntohs(bench->redis_address.sin_port), (struct timeval){.tv_sec = 5});
    if (!bench->redis || bench->redis->err)
        hgt_die("Redis: %s", bench->redis ? bench->redis->errstr : "out of memory");
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

/* Takes what is there, waiting for it if there is nothing; ends the program when nothing comes. */
static void turn(struct bench *bench)
{
    struct epoll_event events[512];
    int count = epoll_wait(bench->pool.epoll, events, 512, 1000);
    if (count < 0 && errno != EINTR)
        hgt_die("epoll: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        void *data = events[i].data.ptr;
        uint64_t ticks;
        if (data == &bench->redis)
            redis_readable(bench);
        else if (data != &bench->timer)
            hgt_client_ready(&bench->pool, data);
        else if (read(bench->timer, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
            bench->ticks += ticks;
    }
    if (count <= 0 && hgt_now() - bench->pool.last_progress > PATIENCE)
        hgt_die("nothing comes any more: %zu of %zu clients subscribed, %zu left; %" PRIu64 " of %" PRIu64
                " events everywhere",
                bench->subscribed, bench->client_count, bench->left, bench->done, bench->published);
}

/* ---- clients come and go ----------------------------------------------------------------------------------------- */

static void connect_clients(struct bench *bench, size_t count)
{
    bench->pool.last_progress = hgt_now();
    while (bench->subscribed < count) {
        while (bench->client_count < count && bench->opening < OPENING_MAX) {
            struct client *client = &bench->clients[bench->client_count];
            hgt_client_start(&bench->pool, &client->ws, bench->client_count++, 0);
            bench->opening++;
        }
        turn(bench);
    }
}

static void disconnect_clients(struct bench *bench)
{
    for (size_t i = 0; i < bench->client_count; i++)
        hgt_client_close(&bench->pool, &bench->clients[i].ws);
    bench->pool.last_progress = hgt_now();
    while (bench->left < bench->client_count)
        turn(bench);
}

/* ---- measures ---------------------------------------------------------------------------------------------------- */

static void drain(struct bench *bench)
{
    bench->pool.last_progress = hgt_now();
    while (bench->done < bench->published || bench->replies_due > 0)
        turn(bench);
}

static void set_timer(const struct bench *bench, uint64_t interval)
{
    struct timespec time = {(time_t)(interval / HGT_SECOND), (long)(interval % HGT_SECOND)};
    struct itimerspec setting = {time, time};
    if (timerfd_settime(bench->timer, 0, &setting, NULL) != 0)
        hgt_die("timerfd: %s", strerror(errno));
}

/* How many pieces with data have come in at all clients: as many as the gateway has written, since with TCP_NODELAY
 * over loopback each write up to 64 KiB goes out at once as one segment. Counting them does not slow the gateway. */
static uint64_t count_segments(const struct bench *bench)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bench->client_count; i++) {
        struct tcp_info info = {.tcpi_state = 0};
        socklen_t len = sizeof(info);
        if (getsockopt(bench->clients[i].ws.fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
            hgt_die("TCP_INFO: %s", strerror(errno));
        sum += info.tcpi_data_segs_in;
    }
    return sum;
}

/* Publishes for so long, or so many events if `events` > 0; ends with nothing on its way. */
static void pump(struct bench *bench, const struct measure *measure, uint64_t duration, uint64_t events)
{
    uint64_t began = hgt_now(), end = began + duration, first = bench->published;
    uint64_t last = events > 0 ? first + events : UINT64_MAX;
    bench->pool.last_progress = began;
    bench->ticks = 0;
    if (measure->steady)
        set_timer(bench, HGT_SECOND / measure->number);
    while (bench->published < last && (events > 0 || hgt_now() < end)) {
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
}

struct outcome {
    double deliveries, wall;
    struct hgt_cpu cpu;
};

/* Begins and ends with nothing on its way, so that the CPU time between belongs to just these deliveries. */
static struct outcome pump_measured(struct bench *bench, const struct measure *measure)
{
    struct hgt_cpu before = hgt_cpu_of(bench->pid);
    uint64_t first = bench->published, began = hgt_now();
    pump(bench, measure, bench->duration, bench->events_max);
    return (struct outcome){(double)(bench->published - first) * (double)bench->client_count,
                            (double)(hgt_now() - began), hgt_cpu_between(before, hgt_cpu_of(bench->pid))};
}

static void run_measure(struct bench *bench, const struct measure *measure)
{
    memset(bench->delays, 0, sizeof(bench->delays));
    uint64_t segments = count_segments(bench), own_before = hgt_own_cpu();
    struct outcome outcome = pump_measured(bench, measure);
    double own = (double)(hgt_own_cpu() - own_before), deliveries = outcome.deliveries, wall = outcome.wall;
    const struct hgt_cpu *cpu = &outcome.cpu;
    if (deliveries <= 0)
        return;
    tell(measure, "deliveries", deliveries);
    tell(measure, "deliveries/s", deliveries / wall * 1e9);
    tell(measure, "cpu_us", (double)cpu->total / deliveries / 1e3);
    tell(measure, "user_us", (double)cpu->user / deliveries / 1e3);
    tell(measure, "system_us", (double)cpu->system / deliveries / 1e3);
    tell(measure, "writes", (double)(count_segments(bench) - segments) / deliveries);
    tell(measure, "gateway_busy_%", (double)cpu->total / wall * 100);
    tell(measure, "gateway_waited_%", (double)cpu->waited / wall * 100);
    tell(measure, "generator_busy_%", own / wall * 100);
    tell(measure, "delay_median_us", delay_within(bench, 0.5));
    tell(measure, "delay_99%_us", delay_within(bench, 0.99));
}

/* ---- one that reads nothing -------------------------------------------------------------------------------------- */

static double speed_of(const struct outcome *outcome)
{
    return outcome->deliveries / outcome->wall * 1e9;
}

static double cost_of(const struct outcome *outcome)
{
    return (double)outcome->cpu.total / outcome->deliveries / 1e3;
}

static void tell_ratios(const struct measure *measure, const struct outcome *before, const struct outcome *with,
                        const struct outcome *after)
{
    tell(measure, "stalled/none_deliveries", speed_of(with) * 2 / (speed_of(before) + speed_of(after)));
    tell(measure, "stalled/none_cpu", cost_of(with) * 2 / (cost_of(before) + cost_of(after)));
    tell(measure, "none/none_deliveries", speed_of(after) / speed_of(before));
    tell(measure, "none/none_cpu", cost_of(after) / cost_of(before));
}

static void start_stalled(struct bench *bench)
{
    hgt_client_start(&bench->pool, &bench->stalled.ws, bench->client_count, 1);
    bench->stalled.subscribed = false;
    bench->opening++;
    bench->pool.last_progress = hgt_now();
    while (!bench->stalled.subscribed)
        turn(bench);
    bench->subscribed--; /* it is not one of those who must get everything */
    hgt_epoll(bench->pool.epoll, bench->stalled.ws.fd, 0, NULL, EPOLL_CTL_DEL);
}

static void end_stalled(struct bench *bench)
{
    struct tcp_info info = {.tcpi_state = 0};
    socklen_t len = sizeof(info);
    if (getsockopt(bench->stalled.ws.fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 || info.tcpi_state != ESTABLISHED)
        hgt_die("the gateway did not bear with the client that reads nothing");
    size_t had = hgt_descriptors_of(bench->pid);
    hgt_client_drop(&bench->stalled.ws);
    bench->pool.last_progress = hgt_now();
    while (hgt_descriptors_of(bench->pid) >= had)
        turn(bench);
}

/* Without and with it, in turns; each "with" stands between two "without", and what these differ by is noise. Before
 * each measure as many events as fill what the kernel and the gateway's log hold for one that reads nothing. */
static void run_stalls(struct bench *bench, const struct measure *measure)
{
    struct outcome before = {.deliveries = 0}, with = before;
    for (size_t i = 0; i <= 2 * bench->stalls; i++) {
        bool stalls = i % 2 == 1;
        double anon = hgt_memory_of(bench->pid, "RssAnon:");
        if (stalls)
            start_stalled(bench);
        pump(bench, measure, 0, STALL_BYTES / bench->event_bytes);
        struct outcome outcome = pump_measured(bench, measure);
        tell(measure, stalls ? "stalled_deliveries/s" : "none_deliveries/s", speed_of(&outcome));
        tell(measure, stalls ? "stalled_cpu_us" : "none_cpu_us", cost_of(&outcome));
        tell(measure, "gateway_waited_%", (double)outcome.cpu.waited / outcome.wall * 100);
        if (stalls) {
            tell(measure, "stalled_growth", hgt_memory_of(bench->pid, "RssAnon:") - anon);
            end_stalled(bench);
            with = outcome;
        } else {
            if (i > 0)
                tell_ratios(measure, &before, &with, &outcome);
            before = outcome;
        }
    }
}

static void run(struct bench *bench)
{
    double anon = hgt_memory_of(bench->pid, "RssAnon:");
    printf("start rss %.6g\n", hgt_memory_of(bench->pid, "VmRSS:"));
    for (size_t i = 0; i < bench->count_count; i++) {
        struct hgt_cpu before = hgt_cpu_of(bench->pid);
        size_t had = bench->client_count;
        connect_clients(bench, bench->counts[i]);
        double added = (double)(bench->client_count - had);
        if (added > 0)
            printf("clients:%zu connect_us %.6g\n", bench->counts[i],
                   (double)(hgt_cpu_of(bench->pid).total - before.total) / added / 1e3);
        printf("clients:%zu bytes_per_connection %.6g\n", bench->counts[i],
               (hgt_memory_of(bench->pid, "RssAnon:") - anon) / (double)bench->client_count);
    }
    /* Once through everything before it counts. */
    if (bench->events_max == 0) {
        publish(bench, WARM_EVENTS);
        drain(bench);
    }
    for (size_t i = 0; i < bench->measure_count; i++)
        if (bench->stalls > 0)
            run_stalls(bench, &bench->measures[i]);
        else
            run_measure(bench, &bench->measures[i]);
    printf("end rss %.6g\n", hgt_memory_of(bench->pid, "VmRSS:"));
    disconnect_clients(bench);
    printf("end rss_disconnected %.6g\n", hgt_memory_of(bench->pid, "VmRSS:"));
}

/* ---- the command line -------------------------------------------------------------------------------------------- */

static _Noreturn void usage(int status)
{
    fputs(
        "Usage: bench_fanout --gateway ADDRESS:PORT --pid PID --redis ADDRESS:PORT [OPTION]…\n\n"
        "  --pid PID          the gateway's process\n"
        "  --source KIND      channel (default) or stream; the gateway's rules must say the same\n"
        "  --topic TOPIC      default bench.fanout\n"
        "  --clients N[,N…]   connect so many, telling the memory at each number; default 1000\n"
        "  --bytes N          of an event; default 256\n"
        "  --window W         measure with W events in flight, as fast as they go; may be repeated\n"
        "  --rate R           measure with R events a second; may be repeated\n"
        "  --seconds S        of each measure; default 1\n"
        "  --events N         of each measure instead, and no warming up\n"
        "  --stalls N         do each measure without and with one more client, which reads nothing, N times in turns\n"
        "\nFigures go to standard output, one a line. tests/bench/run does it all.\n",
        status == 0 ? stdout : stderr);
    exit(status);
}

static void counts_from(struct bench *bench, char *text)
{
    bench->count_count = 0;
    for (char *rest, *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        if (bench->count_count == COUNTS_MAX)
            usage(2);
        bench->counts[bench->count_count++] = (size_t)hgt_number_from("clients", one, 1, 1000000);
    }
    if (bench->count_count == 0)
        usage(2);
}

static void read_options(struct bench *bench, int argc, char **argv)
{
    static const struct option options[] = {
        {"gateway", required_argument, NULL, 'g'}, {"pid", required_argument, NULL, 'p'},
        {"redis", required_argument, NULL, 'r'},   {"source", required_argument, NULL, 's'},
        {"topic", required_argument, NULL, 't'},   {"clients", required_argument, NULL, 'c'},
        {"bytes", required_argument, NULL, 'b'},   {"window", required_argument, NULL, 'w'},
        {"rate", required_argument, NULL, 'R'},    {"seconds", required_argument, NULL, 'd'},
        {"events", required_argument, NULL, 'e'},  {"stalls", required_argument, NULL, 'S'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    for (int option, at; (option = getopt_long(argc, argv, "h", options, &at)) != -1;) {
        switch (option) {
        case 'g':
            bench->pool.gateway = hgt_address_from("gateway", optarg);
            break;
        case 'p':
            bench->pid = (pid_t)hgt_number_from("pid", optarg, 1, INT32_MAX);
            break;
        case 'r':
            bench->redis_address = hgt_address_from("redis", optarg);
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
            bench->event_bytes = (size_t)hgt_number_from("bytes", optarg, EVENT_BYTES_MIN, EVENT_BYTES_MAX);
            break;
        case 'w':
        case 'R':
            if (bench->measure_count == MEASURES_MAX)
                usage(2);
            bench->measures[bench->measure_count++] = (struct measure){
                option == 'R', hgt_number_from(option == 'R' ? "rate" : "window", optarg, 1, IN_FLIGHT_MAX / 2)};
            break;
        case 'd': {
            char *end;
            double seconds = strtod(optarg, &end);
            if (*end != '\0' || !(seconds >= 0.01 && seconds <= 60))
                usage(2);
            bench->duration = (uint64_t)(seconds * (double)HGT_SECOND);
            break;
        }
        case 'e':
            bench->events_max = hgt_number_from("events", optarg, 1, 1000000);
            break;
        case 'S':
            bench->stalls = hgt_number_from("stalls", optarg, 1, 1000);
            break;
        case 'h':
            usage(0);
        default:
            usage(2);
        }
    }
    if (optind < argc || bench->pid == 0 || bench->pool.gateway.sin_port == 0 || bench->redis_address.sin_port == 0 ||
        strlen(bench->topic) > 255)
        usage(2);
}

static void make_event(struct bench *bench)
{
    static const char head[] = "{\"n\":1000000000,\"pad\":\"";
    bench->event = malloc(bench->event_bytes + 1);
    if (!bench->event)
        hgt_die("out of memory");
    memset(bench->event, 'x', bench->event_bytes);
    memcpy(bench->event, head, sizeof(head) - 1);
    memcpy(bench->event + bench->event_bytes - 2, "\"}", 3);
}

int main(int argc, char **argv)
{
    hgt_program = "bench_fanout";
    static struct bench bench = {
        .topic = "bench.fanout", .event_bytes = 256, .counts = {1000}, .count_count = 1, .duration = HGT_SECOND};
    read_options(&bench, argc, argv);
    hg_prng_init(&bench.pool.prng, 1);
    bench.pool.owner = &bench;
    bench.pool.on_open = on_open;
    bench.pool.on_message = on_message;
    bench.pool.on_end = on_end;
    make_event(&bench);

    size_t most = 0;
    for (size_t i = 0; i < bench.count_count; i++)
        if (bench.counts[i] > most)
            most = bench.counts[i];
    hgt_raise_open_files();
    bench.clients = calloc(most, sizeof(*bench.clients));
    bench.pool.epoll = epoll_create1(EPOLL_CLOEXEC);
    bench.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!bench.clients || bench.pool.epoll < 0 || bench.timer < 0)
        hgt_die("cannot start: %s", strerror(errno));
    open_redis(&bench);
    hgt_epoll(bench.pool.epoll, bench.redis->fd, EPOLLIN, &bench.redis, EPOLL_CTL_ADD);
    hgt_epoll(bench.pool.epoll, bench.timer, EPOLLIN, &bench.timer, EPOLL_CTL_ADD);

    run(&bench);

    redisFree(bench.redis);
    close(bench.timer);
    close(bench.pool.epoll);
    free(bench.clients);
    free(bench.event);
    return 0;
}
