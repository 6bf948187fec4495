#include "loop/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/assert.h"

#define CLOSE_GRACE_MS 5000
#define ALARM_US       1500
#define SIGNALS        3

/* libuv gives a callback nothing but its handle, whose `data` leads back here. */
#define LOOP_MAGIC  0x6c6f6f70u
#define WATCH_MAGIC 0x77617463u

struct hg_loop {
    unsigned magic;
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t timer;
    int alarm_fd; /* a timer of the kernel's, for what is nearer than libuv's milliseconds tell apart */
    uv_poll_t alarm;
    uint64_t alarm_us;
    uv_idle_t idle;               /* active: poll without sleeping */
    uv_signal_t signals[SIGNALS]; /* `data` is set of those that are taken */
    struct hg_loop_hooks hooks;
    hg_time now;  /* while `inside`: the clock of the callback under way */
    bool inside;  /* within a callback of ours */
    bool touched; /* a foreign callback asked for the time since the last turn_end */
    bool stopping;
    uint64_t wake_ms; /* what the timer is set to, on libuv's clock */
    /* As of the last turn_end; and what lies between the two last ones without the sleep. */
    hg_time ended;
    uint64_t idle_ns;
    hg_dur busy;
    size_t watches;
};

struct hg_watch {
    unsigned magic;
    uv_poll_t poll;
    struct hg_loop *loop;
    hg_watch_fn *callback;
    void *context;
    int events; /* what the poll reports now */
};

static struct hg_loop *loop_of(void *data)
{
    struct hg_loop *loop = data;
    HG_ASSERT(loop && loop->magic == LOOP_MAGIC);
    return loop;
}

static hg_time read_clock(void)
{
    return (hg_time){uv_hrtime() / 1000};
}

static hg_time enter(struct hg_loop *loop)
{
    HG_ASSERT(!loop->inside);
    loop->inside = true;
    loop->now = read_clock();
    return loop->now;
}

static void leave(struct hg_loop *loop)
{
    loop->inside = false;
}

static void on_nothing_idle(uv_idle_t *idle)
{
    (void)idle;
}

/* It comes between turn_end and the poll when the deadline passes there, late turns and foreign callbacks being what
 * they are; nothing but this would then keep the poll from sleeping on. */
static void on_deadline(uv_timer_t *timer)
{
    uv_idle_start(&loop_of(timer->data)->idle, on_nothing_idle);
}

static void on_alarm(uv_poll_t *poll, int status, int events)
{
    uint64_t times;
    (void)status;
    (void)events;
    ssize_t ignored = read(loop_of(poll->data)->alarm_fd, &times, sizeof(times));
    (void)ignored;
}

static bool open_alarm(struct hg_loop *loop)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0)
        return false;
    if (uv_poll_init(&loop->uv, &loop->alarm, fd) != 0) {
        close(fd);
        return false;
    }
    loop->alarm_fd = fd;
    loop->alarm.data = loop;
    HG_ASSERT(uv_poll_start(&loop->alarm, UV_READABLE, on_alarm) == 0);
    return true;
}

/* libuv's clock, uv_hrtime(), is this one. An alarm that nobody waits for any more makes one turn for nothing. */
static void set_alarm(struct hg_loop *loop, hg_time deadline)
{
    if (deadline.us == loop->alarm_us)
        return;
    loop->alarm_us = deadline.us;
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(deadline.us / 1000000), .tv_nsec = (long)(deadline.us % 1000000) * 1000}};
    HG_ASSERT(timerfd_settime(loop->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

/* Whatever woke the poll, the check after it ends the turn; so timer and idle handle only have to end the sleep. */
static void sleep_until(struct hg_loop *loop, hg_time deadline)
{
    hg_time now = read_clock();
    if (hg_time_reached(deadline, now)) {
        uv_idle_start(&loop->idle, on_nothing_idle);
        return;
    }
    if (deadline.us - now.us < ALARM_US)
        set_alarm(loop, deadline);
    uv_idle_stop(&loop->idle);
    if (deadline.us > UINT64_MAX - 1000) {
        uv_timer_stop(&loop->timer);
        return;
    }
    /* An absolute time on libuv's clock, which is the same one, read at the latest at the start of the poll: a late
     * or coarse reading of it makes the timer late by that much, never early. The poll itself may end early: it counts
     * the time before each interruption several times. The turn then comes for nothing, and the timer stays. */
    uint64_t wake_ms = (deadline.us + 999) / 1000, uv_ms = uv_now(&loop->uv);
    if (uv_is_active((uv_handle_t *)&loop->timer) && loop->wake_ms == wake_ms)
        return;
    loop->wake_ms = wake_ms;
    uv_timer_start(&loop->timer, on_deadline, wake_ms > uv_ms ? wake_ms - uv_ms : 0, 0);
}

static void measure(struct hg_loop *loop, hg_time now)
{
    uint64_t idle_ns = uv_metrics_idle_time(&loop->uv), slept_us = (idle_ns - loop->idle_ns) / 1000;
    uint64_t passed_us = hg_time_since(loop->ended, now).us;
    loop->busy = hg_us(loop->ended.us > 0 && passed_us > slept_us ? passed_us - slept_us : 0);
    loop->ended = now;
    loop->idle_ns = idle_ns;
}

static void on_check(uv_check_t *check)
{
    struct hg_loop *loop = loop_of(check->data);
    loop->touched = false;
    measure(loop, enter(loop));
    hg_time deadline = loop->hooks.turn_end(loop->hooks.context, loop->now);
    leave(loop);
    sleep_until(loop, deadline);
}

/* Foreign timers and closings run between turn_end and the next poll. What they told the core must not wait out a
 * sleep. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct hg_loop *loop = loop_of(prepare->data);
    if (loop->touched)
        uv_idle_start(&loop->idle, on_nothing_idle);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    struct hg_loop *loop = loop_of(handle->data);
    loop->hooks.stop(loop->hooks.context, enter(loop));
    leave(loop);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    (void)number;
    struct hg_loop *loop = loop_of(handle->data);
    loop->hooks.reload(loop->hooks.context, enter(loop));
    leave(loop);
}

/* Its `data` tells that the handle is to be closed. */
static bool take_signal(struct hg_loop *loop, int number, uv_signal_cb callback)
{
    uv_signal_t *handle = loop->signals;
    while (handle->data)
        handle++;
    if (uv_signal_init(&loop->uv, handle) != 0)
        return false;
    handle->data = loop;
    return uv_signal_start(handle, callback, number) == 0;
}

static bool open_signals(struct hg_loop *loop)
{
    bool stop = !loop->hooks.stop || (take_signal(loop, SIGINT, on_signal) && take_signal(loop, SIGTERM, on_signal));
    return stop && (!loop->hooks.reload || take_signal(loop, SIGHUP, on_hangup));
}

static void close_own(struct hg_loop *loop)
{
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    for (size_t i = 0; i < SIGNALS; i++)
        if (loop->signals[i].data)
            uv_close((uv_handle_t *)&loop->signals[i], NULL);
    if (loop->alarm_fd >= 0)
        uv_close((uv_handle_t *)&loop->alarm, NULL);
}

hg_result hg_loop_new(struct hg_loop_hooks hooks, struct hg_loop **ret_loop)
{
    struct hg_loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return HG_FAIL(NOMEM);
    loop->magic = LOOP_MAGIC;
    loop->alarm_fd = -1;
    loop->hooks = hooks;
    if (uv_loop_init(&loop->uv) != 0) {
        free(loop);
        return HG_FAIL(INTERNAL);
    }
    /* These cannot fail. */
    uv_loop_configure(&loop->uv, UV_METRICS_IDLE_TIME);
    uv_prepare_init(&loop->uv, &loop->prepare);
    uv_check_init(&loop->uv, &loop->check);
    uv_timer_init(&loop->uv, &loop->timer);
    uv_idle_init(&loop->uv, &loop->idle);
    loop->prepare.data = loop->check.data = loop->timer.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    uv_check_start(&loop->check, on_check);

    if (!open_signals(loop) || !open_alarm(loop)) {
        close_own(loop);
        uv_close((uv_handle_t *)&loop->timer, NULL);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
        HG_ASSERT(uv_loop_close(&loop->uv) == 0);
        free(loop);
        return HG_FAIL(INTERNAL);
    }
    *ret_loop = loop;
    return HG_OK;
}

static void on_grace_over(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

void hg_loop_free(struct hg_loop *loop)
{
    if (!loop)
        return;
    HG_ASSERT(!loop->inside);
    HG_ASSERT(loop->watches == 0);
    close_own(loop);
    /* Until only the timer is left, which does not count; it bounds the wait for foreign handles that nobody closes. */
    uv_unref((uv_handle_t *)&loop->timer);
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->timer, on_grace_over, CLOSE_GRACE_MS, 0);
    uv_run(&loop->uv, UV_RUN_NOWAIT); /* uses up a stop that no run has seen */
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    HG_ASSERT(uv_loop_close(&loop->uv) == 0);
    close(loop->alarm_fd);
    free(loop);
}

void *hg_loop_native(struct hg_loop *loop)
{
    return &loop->uv;
}

hg_time hg_loop_now(struct hg_loop *loop)
{
    if (loop->inside)
        return loop->now;
    loop->touched = true;
    return read_clock();
}

hg_dur hg_loop_busy(const struct hg_loop *loop)
{
    return loop->busy;
}

void hg_loop_run(struct hg_loop *loop)
{
    HG_ASSERT(!loop->inside);
    uv_idle_start(&loop->idle, on_nothing_idle); /* no deadline is known yet */
    while (!loop->stopping)
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop->stopping = false;
}

void hg_loop_stop(struct hg_loop *loop)
{
    loop->stopping = true;
    uv_stop(&loop->uv);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct hg_watch *watch = poll->data;
    HG_ASSERT(watch && watch->magic == WATCH_MAGIC);
    struct hg_loop *loop = watch->loop;
    int told = (events & UV_READABLE ? HG_READABLE : 0) | (events & UV_WRITABLE ? HG_WRITABLE : 0);
    if (status < 0) {
        /* libuv has stopped the poll; what is wrong, the owner's next system call tells better than libuv. */
        watch->events = 0;
        told = HG_READABLE | HG_WRITABLE;
    }
    watch->callback(watch->context, enter(loop), told);
    leave(loop);
}

hg_result hg_watch_open(struct hg_loop *loop, int fd, hg_watch_fn *callback, void *context, struct hg_watch **ret_watch)
{
    struct hg_watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return HG_FAIL(NOMEM);
    *watch = (struct hg_watch){.magic = WATCH_MAGIC, .loop = loop, .callback = callback, .context = context};
    if (uv_poll_init(&loop->uv, &watch->poll, fd) != 0) {
        free(watch);
        return HG_FAIL(INTERNAL);
    }
    watch->poll.data = watch;
    loop->watches++;
    *ret_watch = watch;
    return HG_OK;
}

void hg_watch_set(struct hg_watch *watch, int events)
{
    HG_ASSERT((events & ~(HG_READABLE | HG_WRITABLE)) == 0);
    if (events == watch->events)
        return; /* each start of a poll costs system calls */
    watch->events = events;
    if (events == 0) {
        uv_poll_stop(&watch->poll);
        return;
    }
    int wanted = (events & HG_READABLE ? UV_READABLE : 0) | (events & HG_WRITABLE ? UV_WRITABLE : 0);
    HG_ASSERT(uv_poll_start(&watch->poll, wanted, on_poll) == 0);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct hg_watch *watch = handle->data;
    watch->magic = 0;
    free(watch);
}

void hg_watch_close(struct hg_watch *watch)
{
    if (!watch)
        return;
    watch->loop->watches--;
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}
