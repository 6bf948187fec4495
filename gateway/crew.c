#include "crew.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/assert.h"
#include "bell.h"
#include "certificate_log.h"
#include "config/workers.h"
#include "crash.h"
#include "flow/backoff.h"
#include "loop/loop.h"
#include "owner.h"
#include "tally.h"
#include "worker.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 30000
#define SOUND_MS       60000 /* a worker that lives so long has nothing to do with the panic before it */
#define STACK_BYTES    (8u << 20)

/* RESTING, STARTING and OVER are set by the crew's thread, the others by the member's. */
enum state {
    RESTING,  /* no thread; one is due at `due` */
    STARTING, /* the thread builds its worker */
    SERVING,
    FAILED,   /* the worker could not be built; the thread ends */
    PANICKED, /* the thread ends */
    ENDED,    /* told to stop, and done; the thread ends */
    OVER,     /* no thread, and none comes */
};

struct crew;

struct member {
    struct crew *crew;
    char name[24]; /* "worker 2" */
    struct hg_logger logger;
    struct hg_worker_plan plan;
    atomic_int state;
    pthread_t thread;

    /* The member's thread: */
    struct hg_worker *worker;
    uint64_t clients_left;
    jmp_buf way_out;

    /* The crew's: */
    enum state seen; /* the state that was acted upon */
    hg_time due;     /* RESTING: to start; SERVING: to be held for sound */
    struct hg_backoff backoff;
};

struct crew {
    const struct hg_cli *cli;
    const struct hg_logger *logger;
    struct hg_config share;
    struct hg_loop *loop;
    struct hg_tally *tally;
    struct hg_board *board;
    struct hg_prng prng;
    int bell; /* rung when a member's state has changed */
    struct hg_watch *watch;
    atomic_uint stops, serving, panics;
    pthread_mutex_t building; /* libwebsockets makes, and unmakes, one context at a time */
    unsigned complete;        /* so many have been serving, in their order; from then on failing is no reason to end */
    bool failed;
    uint64_t clients_left;
    struct hg_worker *quarantined[HG_CREW_PANICS_MAX]; /* never touched again */
    size_t quarantined_count;
    struct member members[HG_WORKERS_MAX];
};

/* --- a member's thread -------------------------------------------------------------------------------------------- */

static void announce(struct member *member, enum state state)
{
    atomic_store(&member->state, state);
    hg_bell_ring(member->crew->bell);
}

/* False: it is the last, or there were too many, or what it was at is not its own. */
static bool may_leave(struct crew *crew)
{
    if (hg_board_is_held(crew->board))
        return false;
    unsigned serving = atomic_load(&crew->serving);
    do
        if (serving <= 1)
            return false;
    while (!atomic_compare_exchange_weak(&crew->serving, &serving, serving - 1));
    return atomic_fetch_add(&crew->panics, 1) < HG_CREW_PANICS_MAX;
}

/* The worker has panicked. What it kept is not looked at: the kernel knows its descriptors. */
static void leave(void *context)
{
    struct member *member = context;
    if (!may_leave(member->crew))
        return;
    hg_owner_close_all();
    longjmp(member->way_out, 1);
}

static bool build(struct member *member)
{
    pthread_mutex_lock(&member->crew->building);
    bool built = hg_worker_new(&member->plan, &member->worker);
    hg_owner_claim_rest(); /* those of libraries; the crew has claimed its own */
    pthread_mutex_unlock(&member->crew->building);
    return built;
}

static void take_apart(struct member *member)
{
    member->clients_left = hg_worker_clients(member->worker);
    pthread_mutex_lock(&member->crew->building);
    hg_worker_free(member->worker);
    pthread_mutex_unlock(&member->crew->building);
    member->worker = NULL;
}

static void *run_member(void *context)
{
    struct member *member = context;
    hg_panic_set_name(member->name);
    (void)pthread_setname_np(pthread_self(), member->name);
    hg_crash_prepare_thread();
    if (!build(member)) {
        announce(member, FAILED);
        return NULL;
    }
    if (setjmp(member->way_out) != 0) {
        announce(member, PANICKED);
        return NULL;
    }
    /* Only while it runs: what goes wrong while it is made or unmade may hold a lock of the process. */
    atomic_fetch_add(&member->crew->serving, 1);
    hg_panic_set_way_out(leave, member);
    announce(member, SERVING);
    hg_worker_run(member->worker);
    hg_panic_set_way_out(NULL, NULL);
    atomic_fetch_sub(&member->crew->serving, 1);
    take_apart(member);
    announce(member, ENDED);
    return NULL;
}

/* --- the crew's thread -------------------------------------------------------------------------------------------- */

static unsigned size_of(const struct crew *crew)
{
    return crew->cli->workers;
}

static bool is_stopping(const struct crew *crew)
{
    return atomic_load(&crew->stops) > 0;
}

static void set_state(struct member *member, enum state state)
{
    atomic_store(&member->state, state);
    member->seen = state;
}

static void tell_all_to_stop(struct crew *crew)
{
    atomic_fetch_add(&crew->stops, 1);
    for (unsigned i = 0; i < size_of(crew); i++)
        hg_bell_ring(crew->members[i].plan.bell);
}

static void on_signal(void *context, hg_time now)
{
    struct crew *crew = context;
    (void)now;
    if (!is_stopping(crew))
        hg_logger_printf(crew->logger, HG_LOG_INFO, "stopping: saying goodbye to the clients");
    tell_all_to_stop(crew);
}

/* All workers have one certificate. */
static void on_hangup(void *context, hg_time now)
{
    struct crew *crew = context;
    (void)now;
    hg_certificate_reload(crew->cli->tls, crew->logger);
}

static void on_bell(void *context, hg_time now, int events)
{
    struct crew *crew = context;
    (void)now, (void)events;
    hg_bell_hush(crew->bell); /* the turn's end looks at all */
}

/* There is no worker in its place. */
static void replace(struct member *member, hg_time now)
{
    struct crew *crew = member->crew;
    if (is_stopping(crew)) {
        set_state(member, OVER);
        return;
    }
    hg_dur delay = hg_backoff_next(&member->backoff, &crew->prng);
    member->due = hg_time_add(now, delay);
    set_state(member, RESTING);
    hg_logger_printf(&member->logger, HG_LOG_INFO, "a fresh one starts in %u ms", (unsigned)(delay.us / 1000));
}

/* At the start that is the end; later the others serve on. */
static void fail(struct member *member, hg_time now)
{
    struct crew *crew = member->crew;
    if (crew->complete < size_of(crew)) {
        crew->failed = true;
        tell_all_to_stop(crew);
    }
    replace(member, now);
}

static void start(struct member *member, hg_time now)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    /* Signals are for the crew's thread, but for those that tell of a fault. */
    static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
    sigfillset(&all);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    set_state(member, STARTING);
    int error = pthread_create(&member->thread, &attributes, run_member, member);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        hg_logger_printf(&member->logger, HG_LOG_ERROR, "cannot start its thread: %s", strerror(error));
        fail(member, now);
    }
}

/* It serves. For the first time: then the next may start, where the first one found a port. */
static void welcome(struct member *member, hg_time now)
{
    struct crew *crew = member->crew;
    member->due = hg_time_add(now, hg_ms(SOUND_MS));
    if (member->plan.number != crew->complete)
        return;
    crew->complete++;
    uint16_t port = hg_worker_port(member->worker);
    for (unsigned i = 0; i < size_of(crew); i++) {
        crew->members[i].plan.port = port;
        crew->members[i].plan.sharing = HG_WS_JOINS;
    }
    if (crew->complete < size_of(crew) || is_stopping(crew))
        return;
    char address[300];
    hg_worker_put_address(&crew->cli->listen, port, address, sizeof(address));
    hg_logger_printf(crew->logger, HG_LOG_INFO, "listening on %s://%s with %u workers",
                     crew->cli->tls ? "https" : "http", address, size_of(crew));
}

static void bury(struct member *member, hg_time now)
{
    struct crew *crew = member->crew;
    crew->quarantined[crew->quarantined_count++] = member->worker;
    member->worker = NULL;
    hg_tally_bury(crew->tally, member->plan.number);
    hg_logger_printf(&member->logger, HG_LOG_ERROR, "it has panicked; its clients come back to the others");
    crew->failed = crew->failed || is_stopping(crew); /* else its clients are served still, and it ends well */
    replace(member, now);
}

/* Acts upon what has become of a member. */
static void look_at(struct member *member, hg_time now)
{
    struct crew *crew = member->crew;
    enum state state = (enum state)atomic_load(&member->state);
    if (state == member->seen)
        return;
    member->seen = state;
    switch (state) {
    case SERVING:
        welcome(member, now);
        break;
    case FAILED:
        pthread_join(member->thread, NULL);
        fail(member, now);
        break;
    case PANICKED:
        pthread_join(member->thread, NULL);
        bury(member, now);
        break;
    case ENDED:
        pthread_join(member->thread, NULL);
        crew->clients_left += member->clients_left;
        set_state(member, OVER);
        break;
    case RESTING:
    case STARTING:
    case OVER:
        HG_UNREACHABLE();
    }
}

static bool is_to_start(const struct member *member)
{
    return member->seen == RESTING && member->plan.number <= member->crew->complete;
}

static void tick(struct member *member, hg_time now)
{
    if (member->seen == RESTING && is_stopping(member->crew)) {
        set_state(member, OVER);
    } else if (is_to_start(member) && hg_time_reached(member->due, now)) {
        start(member, now);
    } else if (member->seen == SERVING && hg_time_reached(member->due, now)) {
        hg_backoff_success(&member->backoff);
        member->due = HG_TIME_NEVER;
    }
}

static hg_time end_turn(void *context, hg_time now)
{
    struct crew *crew = context;
    hg_time next = HG_TIME_NEVER;
    unsigned over = 0;
    for (unsigned i = 0; i < size_of(crew); i++) {
        struct member *member = &crew->members[i];
        look_at(member, now);
        tick(member, now);
        if (is_to_start(member) || member->seen == SERVING)
            next = hg_time_min(next, member->due);
        over += member->seen == OVER;
    }
    if (over == size_of(crew))
        hg_loop_stop(crew->loop);
    return next;
}

static bool open_bells(struct crew *crew)
{
    crew->bell = hg_bell_new();
    bool all = crew->bell >= 0;
    for (unsigned i = 0; i < size_of(crew); i++) {
        crew->members[i].plan.bell = hg_bell_new();
        all = all && crew->members[i].plan.bell >= 0;
    }
    return all;
}

static void close_bells(struct crew *crew)
{
    for (unsigned i = 0; i < size_of(crew); i++)
        if (crew->members[i].plan.bell >= 0)
            close(crew->members[i].plan.bell);
    if (crew->bell >= 0)
        close(crew->bell);
}

static void set_up_members(struct crew *crew, const struct hg_ws_files *files)
{
    for (unsigned i = 0; i < size_of(crew); i++) {
        struct member *member = &crew->members[i];
        member->crew = crew;
        snprintf(member->name, sizeof(member->name), "worker %u", i + 1);
        member->logger = *crew->logger;
        member->logger.name = member->name;
        member->plan = (struct hg_worker_plan){
            .settings = &crew->share,
            .redis = &crew->cli->redis,
            .listen = &crew->cli->listen,
            .files = files,
            .logger = &member->logger,
            .tls = crew->cli->tls,
            .number = i,
            .sharing = HG_WS_FIRST,
            .tally = crew->tally,
            .board = crew->board,
            .bell = -1,
            .stops = &crew->stops,
        };
        hg_backoff_init(&member->backoff, hg_ms(BACKOFF_MIN_MS), hg_ms(BACKOFF_MAX_MS));
    }
}

static hg_result set_up(struct crew *crew, const struct hg_ws_files *files)
{
    uint64_t seed;
    struct hg_loop_hooks hooks = {crew, end_turn, on_signal, on_hangup};
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        return HG_FAIL(INTERNAL);
    hg_prng_init(&crew->prng, seed);
    hg_workers_share(crew->cli->config, size_of(crew), &crew->share);
    HG_TRY(hg_tally_new(size_of(crew), &crew->tally));
    HG_TRY(hg_board_new(size_of(crew), hg_prng_next(&crew->prng), &crew->board));
    set_up_members(crew, files);
    if (!open_bells(crew))
        return HG_FAIL(INTERNAL);
    HG_TRY(hg_loop_new(hooks, &crew->loop));
    HG_TRY(hg_watch_open(crew->loop, crew->bell, on_bell, crew, &crew->watch));
    hg_watch_set(crew->watch, HG_READABLE);
    hg_owner_claim_rest();
    return HG_OK;
}

static void take_down(struct crew *crew)
{
    hg_watch_close(crew->watch);
    hg_loop_free(crew->loop);
    close_bells(crew);
    hg_tally_free(crew->tally);
    hg_board_free(crew->board);
    pthread_mutex_destroy(&crew->building);
}

bool hg_crew_run(const struct hg_cli *cli, const struct hg_ws_files *files, const struct hg_logger *logger)
{
    static struct crew crew; /* here, so that what is quarantined stays known to whoever looks for leaks */
    HG_ASSERT(cli->workers <= HG_WORKERS_MAX);
    crew = (struct crew){.cli = cli, .logger = logger, .bell = -1, .building = PTHREAD_MUTEX_INITIALIZER};
    hg_result result = set_up(&crew, files);
    if (hg_ok(result)) {
        hg_loop_run(crew.loop);
        if (crew.clients_left > 0)
            hg_logger_printf(logger, HG_LOG_WARNING, "stopped with %" PRIu64 " clients left", crew.clients_left);
        else if (crew.complete == size_of(&crew))
            hg_logger_printf(logger, HG_LOG_INFO, "stopped");
    } else {
        hg_logger_printf(logger, HG_LOG_ERROR, "cannot start: %s", hg_error_row(result.code)->text);
    }
    take_down(&crew);
    return hg_ok(result) && !crew.failed;
}
