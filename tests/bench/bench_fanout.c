/* bench_fanout.c – one round of the fan-out benchmark: many WebSocket clients, one publisher, all in this process on
 * one core, against one server. tests/bench/run starts Redis and server for it and makes a table of what it prints.
 *
 * Every event is checked at every client, byte for byte and in order; the first thing amiss ends the round with 1 and a
 * sentence. A figure is one line on standard output: measure, figure, value.
 * Units: times in nanoseconds of the monotonic clock unless a name says otherwise.
 * Calls out: Redis and server at the addresses given, /proc of the server's process. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/list.h"
#include "bench/audience.h"
#include "bench/client.h"
#include "bench/delays.h"
#include "bench/process.h"
#include "bench/publisher.h"

#define PATIENCE      (10 * HGT_SECOND) /* so long nothing may happen that should */
#define WARM_EVENTS   64                /* on each lane */
#define WARM_MOST     8192
#define STALL_BYTES   (5u << 20) /* of events; with what frames them, more than log_bytes_max and the kernel hold */
#define STALLED_MAX   10000
#define ESTABLISHED   1     /* as the kernel counts a connection's states; linux/tcp.h has no name for it */
#define OPENING_MAX   256   /* connections on their way at the same time */
#define IN_FLIGHT_MAX 65536 /* events; a power of two */
#define MEASURES_MAX  16
#define COUNTS_MAX    8

struct measure {
    bool steady;
    uint64_t number; /* events in flight, or a second when steady */
};

struct bench {
    /* what was asked for */
    struct sockaddr_in redis_address;
    pid_t pid;
    size_t counts[COUNTS_MAX], count_count, measure_count;
    struct measure measures[MEASURES_MAX];
    uint64_t duration, idle, events_max;
    size_t stalls, stalled_count;
    /* connections */
    int timer;
    struct hgt_publisher publisher;
    struct hgt_clients pool;
    struct hgt_audience audience;
    struct hgt_listener *clients, *stalled; /* stalled: more of them, which read nothing */
    size_t client_count, opening, subscribed, left;
    /* events */
    uint64_t done;                   /* arrived wherever they must */
    uint64_t deliveries;             /* owed for all that were published */
    uint64_t sent_at[IN_FLIGHT_MAX]; /* by number */
    uint32_t missing[IN_FLIGHT_MAX]; /* clients that have it not yet */
    struct hgt_delays delays;
    double anon_before; /* memory of the server without clients */
    uint64_t ticks;     /* of the timer, not yet published */
};

static void tell(const struct measure *measure, const char *figure, double value)
{
    printf("%s:%" PRIu64 " %s %.6g\n", measure->steady ? "rate" : "window", measure->number, figure, value);
}

/* ---- what clients get -------------------------------------------------------------------------------------------- */

static struct hgt_listener *listener_of(struct hgt_client *ws)
{
    return HG_CONTAINER(ws, struct hgt_listener, ws);
}

static void on_open(void *owner, struct hgt_client *ws)
{
    struct bench *bench = owner;
    hgt_audience_subscribe(&bench->audience, &bench->pool, listener_of(ws));
}

static void on_end(void *owner, struct hgt_client *ws)
{
    struct bench *bench = owner;
    (void)ws;
    bench->left++;
}

static bool take_ok(struct bench *bench, struct hgt_listener *listener, struct hg_slice message)
{
    if (!hgt_audience_take_ok(&bench->audience, listener, message))
        return false;
    if (listener->subscribed == listener->wanted) {
        bench->subscribed++;
        bench->opening--;
    }
    return true;
}

static void on_message(void *owner, struct hgt_client *ws, struct hg_slice message, uint64_t now)
{
    struct bench *bench = owner;
    struct hgt_listener *listener = listener_of(ws);
    uint64_t number;
    if (hgt_audience_take_event(&bench->audience, listener, message, &number)) {
        size_t slot = number % IN_FLIGHT_MAX;
        hgt_delays_note(&bench->delays, now - bench->sent_at[slot]);
        if (--bench->missing[slot] == 0)
            bench->done++;
        return;
    }
    if (hg_slice_starts(message, HG_LIT("{\"op\":\"welcome\",")))
        return;
    if (listener->subscribed < listener->wanted && take_ok(bench, listener, message))
        return;
    hgt_die("client %zu, with %" PRIu64 " of %" PRIu64 " events arrived everywhere, got: %.*s", ws->number, bench->done,
            bench->audience.published, message.len > 400 ? 400 : (int)message.len, message.ptr);
}

/* ---- the publisher ----------------------------------------------------------------------------------------------- */

static void publish(struct bench *bench, uint64_t count)
{
    struct hgt_audience *audience = &bench->audience;
    uint64_t now = hgt_now();
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = audience->published;
        size_t slot = number % IN_FLIGHT_MAX;
        if (bench->missing[slot] > 0)
            hgt_die("the server falls behind: one of the %" PRIu64 " events on their way is as old as %d others",
                    number - bench->done, IN_FLIGHT_MAX);
        bench->sent_at[slot] = now;
        bench->missing[slot] = (uint32_t)hgt_audience_hear(audience, number, bench->client_count);
        bench->deliveries += bench->missing[slot];
        if (bench->missing[slot] == 0)
            bench->done++;
        const char *topic = hgt_audience_make_event(audience, number);
        hgt_publisher_put(&bench->publisher, topic, audience->event);
        audience->published++;
    }
    if (count > 0)
        hgt_publisher_flush(&bench->publisher);
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
        if (data == &bench->publisher)
            hgt_publisher_ready(&bench->publisher);
        else if (data != &bench->timer)
            hgt_client_ready(&bench->pool, data);
        else if (read(bench->timer, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
            bench->ticks += ticks;
    }
    if (hgt_now() - bench->pool.last_progress > PATIENCE)
        hgt_die("nothing comes any more: %zu of %zu clients subscribed, %zu left; %" PRIu64 " of %" PRIu64
                " events everywhere",
                bench->subscribed, bench->client_count, bench->left, bench->done, bench->audience.published);
}

/* ---- clients come and go ----------------------------------------------------------------------------------------- */

static void connect_clients(struct bench *bench, size_t count)
{
    bench->pool.last_progress = hgt_now();
    while (bench->subscribed < count) {
        while (bench->client_count < count && bench->opening < OPENING_MAX) {
            struct hgt_listener *listener = &bench->clients[bench->client_count];
            hgt_client_start(&bench->pool, &listener->ws, bench->client_count++, 0);
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
    while (bench->done < bench->audience.published || bench->publisher.replies_due > 0)
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
        if (getsockopt(bench->clients[i].ws.transport.fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
            hgt_die("TCP_INFO: %s", strerror(errno));
        sum += info.tcpi_data_segs_in;
    }
    return sum;
}

/* Publishes for so long, or so many events if `events` > 0; ends with nothing on its way. */
static void pump(struct bench *bench, const struct measure *measure, uint64_t duration, uint64_t events)
{
    uint64_t began = hgt_now(), end = began + duration, first = bench->audience.published;
    uint64_t last = events > 0 ? first + events : UINT64_MAX;
    bench->pool.last_progress = began;
    bench->ticks = 0;
    if (measure->steady)
        set_timer(bench, HGT_SECOND / measure->number);
    while (bench->audience.published < last && (events > 0 || hgt_now() < end)) {
        uint64_t in_flight = bench->audience.published - bench->done,
                 may = measure->steady ? bench->ticks : measure->number - in_flight;
        if (may > last - bench->audience.published)
            may = last - bench->audience.published;
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
    uint64_t owed = bench->deliveries, began = hgt_now();
    pump(bench, measure, bench->duration, bench->events_max);
    return (struct outcome){(double)(bench->deliveries - owed), (double)(hgt_now() - began),
                            hgt_cpu_between(before, hgt_cpu_of(bench->pid))};
}

static void run_measure(struct bench *bench, const struct measure *measure)
{
    bench->delays = (struct hgt_delays){{0}};
    uint64_t segments = count_segments(bench), own_before = hgt_own_cpu(), bytes = bench->pool.bytes,
             compressed = bench->pool.compressed;
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
    tell(measure, "bytes", (double)(bench->pool.bytes - bytes) / deliveries);
    tell(measure, "compressed_%", (double)(bench->pool.compressed - compressed) / deliveries * 100);
    tell(measure, "server_busy_%", (double)cpu->total / wall * 100);
    tell(measure, "server_waited_%", (double)cpu->waited / wall * 100);
    tell(measure, "generator_busy_%", own / wall * 100);
    tell(measure, "delay_median_us", hgt_delays_within(&bench->delays, 0.5));
    tell(measure, "delay_99%_us", hgt_delays_within(&bench->delays, 0.99));
    tell(measure, "delay_99.9%_us", hgt_delays_within(&bench->delays, 0.999));
}

/* ---- some that read nothing -------------------------------------------------------------------------------------- */

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
    size_t count = bench->stalled_count, subscribed = bench->subscribed;
    for (size_t i = 0; i < count; i++)
        hgt_client_start(&bench->pool, &bench->stalled[i].ws, bench->client_count + i, 1);
    bench->opening += count;
    bench->pool.last_progress = hgt_now();
    while (bench->subscribed < subscribed + count)
        turn(bench);
    bench->subscribed = subscribed; /* they are not of those who must get everything */
    for (size_t i = 0; i < count; i++)
        hgt_epoll(bench->pool.epoll, bench->stalled[i].ws.transport.fd, 0, NULL, EPOLL_CTL_DEL);
}

static void end_stalled(struct bench *bench)
{
    size_t had = hgt_descriptors_of(bench->pid);
    for (size_t i = 0; i < bench->stalled_count; i++) {
        struct tcp_info info = {.tcpi_state = 0};
        socklen_t len = sizeof(info);
        if (getsockopt(bench->stalled[i].ws.transport.fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
            info.tcpi_state != ESTABLISHED)
            hgt_die("the server did not bear with a client that reads nothing");
        hgt_client_drop(&bench->stalled[i].ws);
    }
    bench->pool.last_progress = hgt_now();
    while (hgt_descriptors_of(bench->pid) + bench->stalled_count > had)
        turn(bench);
}

/* Without and with them, in turns; each "with" stands between two "without", and what these differ by is noise. Before
 * each measure as many events as fill what the kernel and the server's log hold for one that reads nothing. */
static void run_stalls(struct bench *bench, const struct measure *measure)
{
    struct outcome before = {.deliveries = 0}, with = before;
    for (size_t i = 0; i <= 2 * bench->stalls; i++) {
        bool stalls = i % 2 == 1;
        double anon = hgt_memory_of(bench->pid, "RssAnon:");
        if (stalls)
            start_stalled(bench);
        pump(bench, measure, 0, STALL_BYTES / bench->audience.event_bytes);
        struct outcome outcome = pump_measured(bench, measure);
        tell(measure, stalls ? "stalled_deliveries/s" : "none_deliveries/s", speed_of(&outcome));
        tell(measure, stalls ? "stalled_cpu_us" : "none_cpu_us", cost_of(&outcome));
        tell(measure, "server_waited_%", (double)outcome.cpu.waited / outcome.wall * 100);
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

/* ---- clients that get nothing ------------------------------------------------------------------------------------ */

/* Of the whole system: both ends of the connections, and whatever else happens meanwhile. */
static double kernel_memory(void)
{
    return hgt_memory_of_system("/proc/meminfo", "Slab:", 1024) +
           hgt_memory_of_system("/proc/net/sockstat", " mem ", (double)sysconf(_SC_PAGESIZE));
}

static void tell_connected(const struct bench *bench, size_t had, double wall, const struct hgt_cpu *cpu, double anon,
                           double kernel)
{
    size_t count = bench->client_count;
    double added = (double)(count - had);
    if (added > 0) {
        printf("clients:%zu connects/s %.6g\n", count, added / wall * 1e9);
        printf("clients:%zu connect_us %.6g\n", count, (double)cpu->total / added / 1e3);
        printf("clients:%zu server_waited_%% %.6g\n", count, (double)cpu->waited / wall * 100);
    }
    printf("clients:%zu bytes_per_connection %.6g\n", count,
           (hgt_memory_of(bench->pid, "RssAnon:") - anon) / (double)count);
    printf("clients:%zu kernel_bytes_per_connection %.6g\n", count, (kernel_memory() - kernel) / (double)count);
}

/* Nothing happens but pings. */
static void run_idle(struct bench *bench)
{
    struct hgt_cpu before = hgt_cpu_of(bench->pid);
    uint64_t began = hgt_now(), pings = bench->pool.pings, own = hgt_own_cpu();
    while (hgt_now() - began < bench->idle) {
        bench->pool.last_progress = hgt_now();
        turn(bench);
    }
    double wall = (double)(hgt_now() - began), all = (double)bench->client_count;
    struct hgt_cpu cpu = hgt_cpu_between(before, hgt_cpu_of(bench->pid));
    printf("idle:%zu cpu_%% %.6g\n", bench->client_count, (double)cpu.total / wall * 100);
    printf("idle:%zu pings_per_client %.6g\n", bench->client_count, (double)(bench->pool.pings - pings) / all);
    printf("idle:%zu generator_busy_%% %.6g\n", bench->client_count, (double)(hgt_own_cpu() - own) / wall * 100);
    printf("idle:%zu bytes_per_connection_later %.6g\n", bench->client_count,
           (hgt_memory_of(bench->pid, "RssAnon:") - bench->anon_before) / all);
}

static void run(struct bench *bench)
{
    double kernel = kernel_memory();
    bench->anon_before = hgt_memory_of(bench->pid, "RssAnon:");
    printf("start rss %.6g\n", hgt_memory_of(bench->pid, "VmRSS:"));
    for (size_t i = 0; i < bench->count_count; i++) {
        struct hgt_cpu before = hgt_cpu_of(bench->pid);
        size_t had = bench->client_count;
        uint64_t began = hgt_now();
        connect_clients(bench, bench->counts[i]);
        double wall = (double)(hgt_now() - began);
        struct hgt_cpu cpu = hgt_cpu_between(before, hgt_cpu_of(bench->pid));
        tell_connected(bench, had, wall, &cpu, bench->anon_before, kernel);
        if (bench->idle > 0)
            run_idle(bench);
    }
    /* Once through everything before it counts. */
    if (bench->events_max == 0 && bench->measure_count > 0) {
        size_t warm = bench->audience.lanes * WARM_EVENTS;
        struct measure measure = {false, 64};
        pump(bench, &measure, 0, warm < WARM_MOST ? warm : WARM_MOST);
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
    fputs("Usage: bench_fanout --gateway ADDRESS:PORT --pid PID --redis ADDRESS:PORT [OPTION]…\n\n"
          "  --pid PID          the server's process\n"
          "  --source KIND      channel (default) or stream; the gateway's rules must say the same\n"
          "  --topic TOPIC      default bench.fanout; with several, what they begin with\n"
          "  --by KIND          clients subscribe by topic (default), pattern, or filter\n"
          "  --subscribers N    that Redis must find on each channel: so many workers; default 1\n"
          "  --groups N         so many different subscriptions, shared out among the clients; default 1\n"
          "  --lanes N          topics that each pattern matches; default 1\n"
          "  --clients N[,N…]   connect so many, telling the memory at each number; default 1000\n"
          "  --bytes N          of an event; default 256\n"
          "  --records          events are full of JSON as shops know it, in place of one long string\n"
          "  --tls              speak TLS; the server may show any certificate\n"
          "  --deflate          offer compression, of each message by itself\n"
          "  --window W         measure with W events in flight, as fast as they go; may be repeated\n"
          "  --rate R           measure with R events a second; may be repeated\n"
          "  --seconds S        of each measure; default 1\n"
          "  --events N         of each measure instead, and no warming up\n"
          "  --idle S           once connected, tell what S seconds cost in which nothing is published\n"
          "  --stalls N         do each measure without and with more clients, which read nothing, N times in turns\n"
          "  --stalled N        so many of them; default 1\n"
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

static uint64_t duration_from(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (*end != '\0' || !(seconds >= 0.01 && seconds <= 600))
        usage(2);
    return (uint64_t)(seconds * (double)HGT_SECOND);
}

static size_t choice_from(const char *text, const char *const *choices)
{
    for (size_t i = 0; choices[i]; i++)
        if (strcmp(text, choices[i]) == 0)
            return i;
    usage(2);
}

static void read_options(struct bench *bench, int argc, char **argv)
{
    static const char *const sources[] = {"channel", "stream", NULL}, *const kinds[] = {"topic", "pattern", "filter",
                                                                                        NULL};
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
        {"stalls", required_argument, NULL, 'S'},
        {"stalled", required_argument, NULL, 'n'},
        {"by", required_argument, NULL, 'k'},
        {"groups", required_argument, NULL, 'G'},
        {"lanes", required_argument, NULL, 'l'},
        {"idle", required_argument, NULL, 'i'},
        {"help", no_argument, NULL, 'h'},
        {"tls", no_argument, NULL, 'T'},
        {"deflate", no_argument, NULL, 'D'},
        {"records", no_argument, NULL, 'J'},
        {"subscribers", required_argument, NULL, 'W'},
        {NULL, 0, NULL, 0},
    };
    struct hgt_audience *audience = &bench->audience;
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
            audience->stream = choice_from(optarg, sources) == 1;
            break;
        case 't':
            audience->topic = optarg;
            break;
        case 'k':
            audience->kind = (enum hgt_audience_kind)choice_from(optarg, kinds);
            break;
        case 'G':
            audience->groups = (size_t)hgt_number_from("groups", optarg, 1, 1000000);
            break;
        case 'l':
            audience->lanes_each = (size_t)hgt_number_from("lanes", optarg, 1, 1000);
            break;
        case 'c':
            counts_from(bench, optarg);
            break;
        case 'b':
            audience->event_bytes = (size_t)hgt_number_from("bytes", optarg, HGT_EVENT_BYTES_MIN, HGT_EVENT_BYTES_MAX);
            break;
        case 'w':
        case 'R':
            if (bench->measure_count == MEASURES_MAX)
                usage(2);
            bench->measures[bench->measure_count++] = (struct measure){
                option == 'R', hgt_number_from(option == 'R' ? "rate" : "window", optarg, 1, IN_FLIGHT_MAX / 2)};
            break;
        case 'd':
            bench->duration = duration_from(optarg);
            break;
        case 'i':
            bench->idle = duration_from(optarg);
            break;
        case 'e':
            bench->events_max = hgt_number_from("events", optarg, 1, 1000000);
            break;
        case 'S':
            bench->stalls = hgt_number_from("stalls", optarg, 1, 1000);
            break;
        case 'n':
            bench->stalled_count = (size_t)hgt_number_from("stalled", optarg, 1, STALLED_MAX);
            break;
        case 'W':
            bench->publisher.subscribers = (long long)hgt_number_from("subscribers", optarg, 1, 64);
            break;
        case 'T':
            bench->pool.tls = hgt_tls_new();
            break;
        case 'D':
            bench->pool.inflater = hgt_inflater_new(HGT_READ_BYTES);
            break;
        case 'J':
            audience->records = true;
            break;
        case 'h':
            usage(0);
        default:
            usage(2);
        }
    }
    if (optind < argc || bench->pid == 0 || bench->pool.gateway.sin_port == 0 || bench->redis_address.sin_port == 0 ||
        strlen(audience->topic) > 32 || (audience->lanes_each > 1 && audience->kind != HGT_BY_PATTERN))
        usage(2);
}

int main(int argc, char **argv)
{
    hgt_program = "bench_fanout";
    static struct bench bench = {
        .audience = {.topic = "bench.fanout", .event_bytes = 256, .groups = 1, .lanes_each = 1},
        .counts = {1000},
        .count_count = 1,
        .duration = HGT_SECOND,
        .stalled_count = 1,
        .publisher = {.subscribers = 1}};
    read_options(&bench, argc, argv);
    hg_prng_init(&bench.pool.prng, 1);
    bench.pool.owner = &bench;
    bench.pool.on_open = on_open;
    bench.pool.on_message = on_message;
    bench.pool.on_end = on_end;

    size_t most = 0;
    for (size_t i = 0; i < bench.count_count; i++)
        if (bench.counts[i] > most)
            most = bench.counts[i];
    hgt_raise_open_files();
    bench.audience.clients = most;
    hgt_audience_init(&bench.audience);
    bench.clients = calloc(most, sizeof(*bench.clients));
    bench.stalled = calloc(bench.stalled_count, sizeof(*bench.stalled));
    bench.pool.epoll = epoll_create1(EPOLL_CLOEXEC);
    bench.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!bench.clients || !bench.stalled || bench.pool.epoll < 0 || bench.timer < 0)
        hgt_die("cannot start: %s", strerror(errno));
    bench.publisher.stream = bench.audience.stream;
    hgt_publisher_open(&bench.publisher, bench.redis_address);
    hgt_epoll(bench.pool.epoll, hgt_publisher_fd(&bench.publisher), EPOLLIN, &bench.publisher, EPOLL_CTL_ADD);
    hgt_epoll(bench.pool.epoll, bench.timer, EPOLLIN, &bench.timer, EPOLL_CTL_ADD);

    run(&bench);

    hgt_publisher_close(&bench.publisher);
    hgt_tls_free(bench.pool.tls);
    hgt_inflater_free(bench.pool.inflater);
    close(bench.timer);
    close(bench.pool.epoll);
    hgt_audience_done(&bench.audience, bench.clients, most);
    for (size_t i = 0; i < bench.stalled_count; i++)
        free(bench.stalled[i].next);
    free(bench.stalled);
    free(bench.clients);
    return 0;
}
