#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bell.h"
#include "certificate_log.h"
#include "core/core.h"
#include "loop/loop.h"
#include "owner.h"
#include "redis/redis.h"
#include "wire/close.h"

/* After the first signal clients get this long to be told goodbye, after the second this much longer; the third ends at
 * once. */
#define DRAIN_MS       10000
#define DRAIN_AGAIN_MS 500

#define ERROR_BYTES_MAX 4096

struct hg_worker {
    struct hg_worker_plan plan;
    struct hg_loop *loop;
    struct hg_watch *bell;
    struct hg_core *core;
    struct hg_redis *redis;
    struct hg_ws *ws;
    unsigned stops;       /* signals so far */
    hg_time stop_at_last; /* when to end although clients are left */
};

static bool is_one_of_several(const struct hg_worker *worker)
{
    return worker->plan.tally != NULL;
}

/* --- ports: what the core wants, handed to the adapters ----------------------------------------------------------- */

static enum hg_send port_ws_send(void *context, hg_session_ref session, struct hg_slice frames)
{
    struct hg_worker *worker = context;
    return hg_ws_send(worker->ws, session, frames);
}

static void port_ws_close(void *context, hg_session_ref session, uint16_t code, struct hg_slice reason)
{
    struct hg_worker *worker = context;
    hg_ws_close(worker->ws, session, code, reason);
}

static size_t port_ws_peer(void *context, hg_session_ref session, char *to, size_t size)
{
    struct hg_worker *worker = context;
    return hg_ws_peer(worker->ws, session, to, size);
}

static void port_ws_pause(void *context, hg_session_ref session, bool paused)
{
    struct hg_worker *worker = context;
    hg_ws_pause(worker->ws, session, paused);
}

static void port_redis_open(void *context, uint32_t link)
{
    struct hg_worker *worker = context;
    hg_redis_open(worker->redis, link);
}

static void port_redis_close(void *context, uint32_t link)
{
    struct hg_worker *worker = context;
    hg_redis_close(worker->redis, link);
}

static void port_redis_command(void *context, uint32_t link, uint64_t token, const struct hg_slice *argv, size_t argc)
{
    struct hg_worker *worker = context;
    hg_redis_command(worker->redis, link, token, argv, argc);
}

static void port_add_others(void *context, struct hg_core_stats *stats)
{
    struct hg_worker *worker = context;
    hg_tally_add_others(worker->plan.tally, worker->plan.number, stats);
}

static void port_put_standing(void *context, struct hg_slice topic, const struct hg_standing *standing, hg_time until)
{
    struct hg_worker *worker = context;
    hg_board_put(worker->plan.board, worker->plan.number, topic, standing, until);
}

static bool port_next_standing(void *context, size_t *cursor, struct hg_buf *topic, struct hg_standing *ret_standing)
{
    struct hg_worker *worker = context;
    return hg_board_next(worker->plan.board, hg_loop_now(worker->loop), cursor, topic, ret_standing);
}

static void port_log(void *context, enum hg_log_level level, struct hg_slice line)
{
    struct hg_worker *worker = context;
    hg_logger_put(worker->plan.logger, level, line);
}

/* --- sinks: what happened in the adapters, told to the core ------------------------------------------------------- */

static void sink_up(void *context, hg_time now, uint32_t link, uint64_t client_id)
{
    struct hg_worker *worker = context;
    hg_on_redis_up(worker->core, now, link, client_id);
}

static void sink_down(void *context, hg_time now, uint32_t link, struct hg_slice reason)
{
    struct hg_worker *worker = context;
    hg_on_redis_down(worker->core, now, link, reason);
}

static void sink_reply(void *context, hg_time now, uint32_t link, uint64_t token, const struct hg_reply *reply)
{
    struct hg_worker *worker = context;
    hg_on_redis_reply(worker->core, now, link, token, reply);
}

static bool sink_admit(void *context, hg_time now, unsigned *reterr_retry_s)
{
    struct hg_worker *worker = context;
    return hg_core_admits(worker->core, now, reterr_retry_s);
}

/* Who was admitted takes a seat now; another worker's client may have been faster. */
static bool sink_open(void *context, hg_time now, hg_session_ref *ret_session, int *ret_refusal)
{
    struct hg_worker *worker = context;
    bool several = is_one_of_several(worker);
    *ret_refusal = HG_CLOSE_OVERLOADED;
    if (several && !hg_tally_take_seat(worker->plan.tally, worker->plan.number, worker->plan.settings->connections_max))
        return false;
    bool opened = hg_on_ws_open(worker->core, now, ret_session, ret_refusal);
    if (several && !opened)
        hg_tally_give_seat(worker->plan.tally, worker->plan.number);
    return opened;
}

static void sink_message(void *context, hg_time now, hg_session_ref session, bool text, struct hg_slice message)
{
    struct hg_worker *worker = context;
    hg_on_ws_message(worker->core, now, session, text, message);
}

static void sink_deflates(void *context, hg_time now, hg_session_ref session)
{
    struct hg_worker *worker = context;
    hg_on_ws_deflates(worker->core, now, session);
}

static void sink_garbled(void *context, hg_time now, hg_session_ref session)
{
    struct hg_worker *worker = context;
    hg_on_ws_garbled(worker->core, now, session);
}

static void sink_too_big(void *context, hg_time now, hg_session_ref session)
{
    struct hg_worker *worker = context;
    hg_on_ws_too_big(worker->core, now, session);
}

static void sink_pong(void *context, hg_time now, hg_session_ref session)
{
    struct hg_worker *worker = context;
    hg_on_ws_pong(worker->core, now, session);
}

static void sink_writable(void *context, hg_time now, hg_session_ref session)
{
    struct hg_worker *worker = context;
    hg_on_ws_writable(worker->core, now, session);
}

static void sink_closed(void *context, hg_time now, hg_session_ref session)
{
    struct hg_worker *worker = context;
    hg_on_ws_closed(worker->core, now, session);
    if (is_one_of_several(worker))
        hg_tally_give_seat(worker->plan.tally, worker->plan.number);
}

/* --- the loop ---------------------------------------------------------------------------------------------------- */

static hg_time now_of_loop(void *context)
{
    struct hg_worker *worker = context;
    return hg_loop_now(worker->loop);
}

static void *watch(void *context, int fd, void (*callback)(void *link, hg_time now, int events), void *link)
{
    struct hg_worker *worker = context;
    struct hg_watch *opened = NULL;
    if (is_one_of_several(worker))
        hg_owner_claim(fd);
    return hg_ok(hg_watch_open(worker->loop, fd, callback, link, &opened)) ? opened : NULL;
}

static void set_watch(void *opened, int events)
{
    hg_watch_set(opened, events);
}

static void unwatch(void *opened)
{
    hg_watch_close(opened);
}

static hg_time end_turn(void *context, hg_time now)
{
    struct hg_worker *worker = context;
    uint64_t descriptors, descriptors_left;
    hg_ws_descriptors(worker->ws, &descriptors, &descriptors_left);
    (void)hg_redis_tick(worker->redis, now);
    hg_on_load(worker->core, now, hg_loop_busy(worker->loop), descriptors, descriptors_left);
    hg_core_turn_end(worker->core, now);
    hg_ws_pace(worker->ws, hg_core_accepts(worker->core));
    hg_redis_flush(worker->redis, now);
    if (is_one_of_several(worker)) {
        struct hg_core_stats stats;
        hg_core_stats(worker->core, &stats);
        hg_tally_publish(worker->plan.tally, worker->plan.number, &stats);
    }

    hg_time next = hg_time_min(hg_core_next_deadline(worker->core), hg_redis_next_deadline(worker->redis));
    if (worker->stops == 0)
        return next;
    if (hg_core_is_drained(worker->core) || hg_time_reached(worker->stop_at_last, now))
        hg_loop_stop(worker->loop);
    return hg_time_min(next, worker->stop_at_last);
}

static void stop(struct hg_worker *worker, hg_time now)
{
    worker->stops++;
    if (worker->stops == 1) {
        worker->stop_at_last = hg_time_add(now, hg_ms(DRAIN_MS));
        hg_ws_stop_accepting(worker->ws);
        hg_core_shutdown(worker->core, now);
    } else {
        hg_time soon = worker->stops == 2 ? hg_time_add(now, hg_ms(DRAIN_AGAIN_MS)) : now;
        worker->stop_at_last = hg_time_min(worker->stop_at_last, soon);
    }
}

static void on_signal(void *context, hg_time now)
{
    struct hg_worker *worker = context;
    if (worker->stops == 0)
        hg_logger_printf(worker->plan.logger, HG_LOG_INFO, "stopping: saying goodbye to the clients");
    stop(worker, now);
}

static void on_hangup(void *context, hg_time now)
{
    struct hg_worker *worker = context;
    (void)now;
    hg_certificate_reload(worker->plan.tls, worker->plan.logger);
}

static void on_bell(void *context, hg_time now, int events)
{
    struct hg_worker *worker = context;
    (void)events;
    hg_bell_hush(worker->plan.bell);
    for (unsigned stops = atomic_load(worker->plan.stops); worker->stops < stops;)
        stop(worker, now);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static bool make_seed(uint64_t *ret_seed)
{
    return getrandom(ret_seed, sizeof(*ret_seed), 0) == (ssize_t)sizeof(*ret_seed);
}

void hg_worker_put_address(const struct hg_listen *listen, uint16_t port, char *ret_text, size_t size)
{
    const char *host = listen->host[0] ? listen->host : "0.0.0.0";
    snprintf(ret_text, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

static bool open_ws(struct hg_worker *worker)
{
    const struct hg_config *settings = worker->plan.settings;
    const struct hg_listen *listen = worker->plan.listen;
    uint16_t port = worker->plan.port ? worker->plan.port : listen->port;
    struct hg_ws_config config = {
        .host = listen->host[0] ? listen->host : NULL,
        .port = port,
        .sharing = worker->plan.sharing,
        .message_bytes_max = settings->message_bytes_max,
        .handshakes_max = settings->handshakes_max,
        .handshake_timeout = hg_ms(settings->handshake_timeout_ms),
        .deflate_window_bits = settings->deflate ? (unsigned)settings->deflate_window_bits : 0,
        .origins = (const char *const *)settings->origins.items,
        .origin_count = settings->origins.count,
        .files = settings->page ? worker->plan.files : NULL,
        .tls = worker->plan.tls,
        .native_loop = hg_loop_native(worker->loop),
    };
    struct hg_ws_sink sink = {
        .context = worker,
        .now = now_of_loop,
        .admit = sink_admit,
        .open = sink_open,
        .message = sink_message,
        .too_big = sink_too_big,
        .deflates = sink_deflates,
        .garbled = sink_garbled,
        .pong = sink_pong,
        .writable = sink_writable,
        .closed = sink_closed,
        .log = port_log,
    };
    if (is_one_of_several(worker))
        config.opened = hg_owner_claim;
    char address[300];
    struct hg_buf why;
    hg_buf_init(&why, ERROR_BYTES_MAX);
    hg_result result = hg_ws_new(&config, sink, &worker->ws, &why);
    if (!hg_ok(result) && why.len > 0) {
        hg_logger_put(worker->plan.logger, HG_LOG_ERROR, hg_buf_slice(&why));
    } else if (!hg_ok(result)) {
        hg_worker_put_address(listen, port, address, sizeof(address));
        hg_logger_printf(worker->plan.logger, HG_LOG_ERROR, "cannot listen on %s: %s", address,
                         hg_error_row(result.code)->text);
    } else if (!is_one_of_several(worker)) {
        hg_worker_put_address(listen, hg_ws_port(worker->ws), address, sizeof(address));
        hg_logger_printf(worker->plan.logger, HG_LOG_INFO, "listening on %s://%s", config.tls ? "https" : "http",
                         address);
    }
    hg_buf_done(&why);
    return hg_ok(result);
}

static hg_result build(struct hg_worker *worker)
{
    struct hg_loop_hooks hooks = {worker, end_turn, NULL, NULL};
    if (worker->plan.bell < 0) {
        hooks.stop = on_signal;
        hooks.reload = on_hangup;
    }
    struct hg_ports ports = {
        .context = worker,
        .ws_send = port_ws_send,
        .ws_close = port_ws_close,
        .ws_pause = port_ws_pause,
        .ws_peer = port_ws_peer,
        .redis_open = port_redis_open,
        .redis_close = port_redis_close,
        .redis_command = port_redis_command,
        .log = port_log,
    };
    if (is_one_of_several(worker)) {
        ports.add_others = port_add_others;
        ports.put_standing = port_put_standing;
        ports.next_standing = port_next_standing;
    }
    struct hg_redis_loop redis_loop = {worker, watch, set_watch, unwatch, now_of_loop};
    struct hg_redis_sink redis_sink = {worker, sink_up, sink_down, sink_reply};
    uint64_t seed;
    if (!make_seed(&seed))
        return HG_FAIL(INTERNAL);
    HG_TRY(hg_loop_new(hooks, &worker->loop));
    if (worker->plan.bell >= 0) {
        HG_TRY(hg_watch_open(worker->loop, worker->plan.bell, on_bell, worker, &worker->bell));
        hg_watch_set(worker->bell, HG_READABLE);
    }
    HG_TRY(hg_core_new(worker->plan.settings, &ports, seed, &worker->core));
    return hg_redis_new(worker->plan.redis, hg_ms(worker->plan.settings->redis_timeout_ms), HG_LINK_LISTENER,
                        redis_loop, redis_sink, &worker->redis);
}

bool hg_worker_new(const struct hg_worker_plan *plan, struct hg_worker **ret_worker)
{
    struct hg_worker *worker = calloc(1, sizeof(*worker));
    hg_result result = HG_FAIL(NOMEM);
    if (worker) {
        worker->plan = *plan;
        result = build(worker);
    }
    if (!hg_ok(result))
        hg_logger_printf(plan->logger, HG_LOG_ERROR, "cannot start: %s", hg_error_row(result.code)->text);
    if (!hg_ok(result) || !open_ws(worker)) {
        hg_worker_free(worker);
        return false;
    }
    *ret_worker = worker;
    return true;
}

void hg_worker_run(struct hg_worker *worker)
{
    hg_core_start(worker->core, hg_loop_now(worker->loop));
    hg_loop_run(worker->loop);
}

/* Adapters first, while core and loop are there for their last words. */
void hg_worker_free(struct hg_worker *worker)
{
    if (!worker)
        return;
    hg_ws_end(worker->ws);
    hg_redis_free(worker->redis);
    hg_watch_close(worker->bell);
    hg_loop_free(worker->loop); /* turns until the handles of libwebsockets are closed */
    hg_ws_free(worker->ws);
    hg_core_free(worker->core);
    free(worker);
}

uint16_t hg_worker_port(const struct hg_worker *worker)
{
    return hg_ws_port(worker->ws);
}

uint64_t hg_worker_clients(const struct hg_worker *worker)
{
    struct hg_core_stats stats;
    hg_core_stats(worker->core, &stats);
    return stats.sessions;
}
