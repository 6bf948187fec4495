/* main.c – composition: builds core, adapters and loop, ties them together, and takes them apart again. Decides
 * nothing. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "cli.h"
#include "core/core.h"
#include "deadletter_command.h"
#include "filter_command.h"
#include "logger.h"
#include "loop/loop.h"
#include "machine/need.h"
#include "redis/redis.h"
#include "ws/tls.h"
#include "ws/ws.h"

/* After the first signal clients get this long to be told goodbye, after the second this much longer; the third ends at
 * once. */
#define DRAIN_MS       10000
#define DRAIN_AGAIN_MS 500

#define ERROR_BYTES_MAX 4096

struct gateway {
    const struct hg_cli *cli;
    struct hg_logger logger;
    struct hg_loop *loop;
    struct hg_core *core;
    struct hg_redis *redis;
    struct hg_ws *ws;
    struct hg_ws_files files;
    unsigned stops;       /* signals so far */
    hg_time stop_at_last; /* when to end although clients are left */
};

/* --- ports: what the core wants, handed to the adapters ----------------------------------------------------------- */

static enum hg_send port_ws_send(void *context, hg_session_ref session, struct hg_slice frames)
{
    struct gateway *gateway = context;
    return hg_ws_send(gateway->ws, session, frames);
}

static void port_ws_close(void *context, hg_session_ref session, uint16_t code, struct hg_slice reason)
{
    struct gateway *gateway = context;
    hg_ws_close(gateway->ws, session, code, reason);
}

static size_t port_ws_peer(void *context, hg_session_ref session, char *to, size_t size)
{
    struct gateway *gateway = context;
    return hg_ws_peer(gateway->ws, session, to, size);
}

static void port_ws_pause(void *context, hg_session_ref session, bool paused)
{
    struct gateway *gateway = context;
    hg_ws_pause(gateway->ws, session, paused);
}

static void port_redis_open(void *context, uint32_t link)
{
    struct gateway *gateway = context;
    hg_redis_open(gateway->redis, link);
}

static void port_redis_close(void *context, uint32_t link)
{
    struct gateway *gateway = context;
    hg_redis_close(gateway->redis, link);
}

static void port_redis_command(void *context, uint32_t link, uint64_t token, const struct hg_slice *argv, size_t argc)
{
    struct gateway *gateway = context;
    hg_redis_command(gateway->redis, link, token, argv, argc);
}

static void port_log(void *context, enum hg_log_level level, struct hg_slice line)
{
    struct gateway *gateway = context;
    hg_logger_put(&gateway->logger, level, line);
}

/* --- sinks: what happened in the adapters, told to the core ------------------------------------------------------- */

static void sink_up(void *context, hg_time now, uint32_t link, uint64_t client_id)
{
    struct gateway *gateway = context;
    hg_on_redis_up(gateway->core, now, link, client_id);
}

static void sink_down(void *context, hg_time now, uint32_t link, struct hg_slice reason)
{
    struct gateway *gateway = context;
    hg_on_redis_down(gateway->core, now, link, reason);
}

static void sink_reply(void *context, hg_time now, uint32_t link, uint64_t token, const struct hg_reply *reply)
{
    struct gateway *gateway = context;
    hg_on_redis_reply(gateway->core, now, link, token, reply);
}

static bool sink_admit(void *context, hg_time now, unsigned *reterr_retry_s)
{
    struct gateway *gateway = context;
    return hg_core_admits(gateway->core, now, reterr_retry_s);
}

static bool sink_open(void *context, hg_time now, hg_session_ref *ret_session, int *ret_refusal)
{
    struct gateway *gateway = context;
    return hg_on_ws_open(gateway->core, now, ret_session, ret_refusal);
}

static void sink_message(void *context, hg_time now, hg_session_ref session, bool text, struct hg_slice message)
{
    struct gateway *gateway = context;
    hg_on_ws_message(gateway->core, now, session, text, message);
}

static void sink_deflates(void *context, hg_time now, hg_session_ref session)
{
    struct gateway *gateway = context;
    hg_on_ws_deflates(gateway->core, now, session);
}

static void sink_garbled(void *context, hg_time now, hg_session_ref session)
{
    struct gateway *gateway = context;
    hg_on_ws_garbled(gateway->core, now, session);
}

static void sink_too_big(void *context, hg_time now, hg_session_ref session)
{
    struct gateway *gateway = context;
    hg_on_ws_too_big(gateway->core, now, session);
}

static void sink_pong(void *context, hg_time now, hg_session_ref session)
{
    struct gateway *gateway = context;
    hg_on_ws_pong(gateway->core, now, session);
}

static void sink_writable(void *context, hg_time now, hg_session_ref session)
{
    struct gateway *gateway = context;
    hg_on_ws_writable(gateway->core, now, session);
}

static void sink_closed(void *context, hg_time now, hg_session_ref session)
{
    struct gateway *gateway = context;
    hg_on_ws_closed(gateway->core, now, session);
}

/* --- the loop ---------------------------------------------------------------------------------------------------- */

static hg_time now_of_loop(void *context)
{
    struct gateway *gateway = context;
    return hg_loop_now(gateway->loop);
}

static void *watch(void *context, int fd, void (*callback)(void *link, hg_time now, int events), void *link)
{
    struct gateway *gateway = context;
    struct hg_watch *opened = NULL;
    return hg_ok(hg_watch_open(gateway->loop, fd, callback, link, &opened)) ? opened : NULL;
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
    struct gateway *gateway = context;
    uint64_t descriptors, descriptors_left;
    hg_ws_descriptors(gateway->ws, &descriptors, &descriptors_left);
    (void)hg_redis_tick(gateway->redis, now);
    hg_on_load(gateway->core, now, hg_loop_busy(gateway->loop), descriptors, descriptors_left);
    hg_core_turn_end(gateway->core, now);
    hg_ws_pace(gateway->ws, hg_core_accepts(gateway->core));
    hg_redis_flush(gateway->redis, now);

    hg_time next = hg_time_min(hg_core_next_deadline(gateway->core), hg_redis_next_deadline(gateway->redis));
    if (gateway->stops == 0)
        return next;
    if (hg_core_is_drained(gateway->core) || hg_time_reached(gateway->stop_at_last, now))
        hg_loop_stop(gateway->loop);
    return hg_time_min(next, gateway->stop_at_last);
}

static void stop(void *context, hg_time now)
{
    struct gateway *gateway = context;
    gateway->stops++;
    if (gateway->stops == 1) {
        hg_logger_printf(&gateway->logger, HG_LOG_INFO, "stopping: saying goodbye to the clients");
        gateway->stop_at_last = hg_time_add(now, hg_ms(DRAIN_MS));
        hg_ws_stop_accepting(gateway->ws);
        hg_core_shutdown(gateway->core, now);
    } else {
        hg_time soon = gateway->stops == 2 ? hg_time_add(now, hg_ms(DRAIN_AGAIN_MS)) : now;
        gateway->stop_at_last = hg_time_min(gateway->stop_at_last, soon);
    }
}

/* SIGHUP. */
static void reload(void *context, hg_time now)
{
    struct gateway *gateway = context;
    struct hg_buf line;
    (void)now;
    if (!gateway->cli->tls) {
        hg_logger_printf(&gateway->logger, HG_LOG_INFO, "SIGHUP: there is no certificate to read again");
        return;
    }
    hg_buf_init(&line, ERROR_BYTES_MAX);
    hg_result result = hg_ws_tls_reload(gateway->cli->tls, &line);
    if (hg_ok(result)) {
        hg_buf_put_str(&line, "SIGHUP: serving ");
        enum hg_log_level level = hg_ws_tls_describe(gateway->cli->tls, &line);
        hg_logger_put(&gateway->logger, level, hg_buf_slice(&line));
    } else {
        hg_logger_printf(&gateway->logger, HG_LOG_ERROR, "SIGHUP: %.*s; the old certificate is served on",
                         HG_SLICE_ARG(line.len > 0 ? hg_buf_slice(&line) : HG_LIT("memory is out")));
    }
    hg_buf_done(&line);
}

/* --- the process ------------------------------------------------------------------------------------------------- */

/* A closed standard stream would be reused for a socket, and lines meant for it sent to a client. */
static bool keep_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    return true;
}

/* As many descriptors as the settings may need, within the system's hard limit. Not more either: libwebsockets keeps a
 * table as long as the limit, which some systems set to a thousand million. */
static void fit_to_machine(const struct gateway *gateway)
{
    struct hg_config *config = gateway->cli->config;
    struct hg_machine machine;
    struct rlimit limit;
    struct hg_buf why;
    hg_machine_read("", &machine);
    struct hg_need need = hg_need_of(config, &machine);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = (rlim_t)need.files;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            hg_logger_printf(&gateway->logger, HG_LOG_WARNING, "cannot set the limit of open files: %s",
                             strerror(errno));
    }
    hg_buf_init(&why, ERROR_BYTES_MAX);
    hg_need_put_files_warning(&need, config, &why);
    if (why.len > 0)
        hg_logger_put(&gateway->logger, HG_LOG_WARNING, hg_buf_slice(&why));
    hg_buf_clear(&why);
    hg_need_put_memory_warning(&need, config, &machine, &why);
    if (why.len > 0)
        hg_logger_put(&gateway->logger, HG_LOG_WARNING, hg_buf_slice(&why));
    hg_buf_done(&why);
    hg_need_apply(&need, config);
}

static bool make_seed(uint64_t *ret_seed)
{
    return getrandom(ret_seed, sizeof(*ret_seed), 0) == (ssize_t)sizeof(*ret_seed);
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Where the bundled page is, from where the program is: installed, or in the tree it was built in. */
static bool find_web(char *ret_path, size_t size)
{
    static const char *const candidates[] = {HG_WEB_INSTALLED, HG_WEB_BUILT};
    char program[4096], page[8192 + 8];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (len <= 0)
        return false;
    program[len] = '\0';
    char *slash = strrchr(program, '/');
    if (!slash)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        int fits = snprintf(ret_path, size, "%s/%s", program, candidates[i]);
        snprintf(page, sizeof(page), "%s/page", ret_path);
        if (fits > 0 && (size_t)fits < size && is_folder(page))
            return true;
    }
    return false;
}

static bool read_web(struct gateway *gateway)
{
    static const struct {
        const char *folder, *prefix;
        bool may_be_absent;
    } parts[] = {{"page", "/", false}, {"docs", "/docs/", false}, {"client", "/client/", true}};
    char found[8192];
    const char *web = gateway->cli->web;
    if (!gateway->cli->config->page)
        return true;
    if (!web && !find_web(found, sizeof(found))) {
        hg_logger_printf(
            &gateway->logger, HG_LOG_ERROR,
            "the page's files are not where they were installed; say where with --web DIR, or set \"page\": false");
        return false;
    }
    web = web ? web : found;

    bool good = true;
    struct hg_buf why;
    hg_buf_init(&why, ERROR_BYTES_MAX);
    for (size_t i = 0; good && i < sizeof(parts) / sizeof(parts[0]); i++) {
        char folder[8192 + 16];
        snprintf(folder, sizeof(folder), "%s/%s", web, parts[i].folder);
        if (parts[i].may_be_absent && !is_folder(folder))
            continue;
        good = hg_ok(hg_ws_files_read(folder, parts[i].prefix, &gateway->files, &why));
    }
    if (!good)
        hg_logger_printf(&gateway->logger, HG_LOG_ERROR, "the page cannot be served: %.*s",
                         HG_SLICE_ARG(hg_buf_slice(&why)));
    hg_buf_done(&why);
    return good;
}

/* As in a URL; all addresses are reached by 0.0.0.0 on the machine itself. */
static void put_address(const struct hg_listen *listen, uint16_t port, char *ret_text, size_t size)
{
    const char *host = listen->host[0] ? listen->host : "0.0.0.0";
    snprintf(ret_text, size, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

static void tell_certificate(const struct gateway *gateway)
{
    struct hg_buf line;
    if (!gateway->cli->tls)
        return;
    hg_buf_init(&line, ERROR_BYTES_MAX);
    hg_buf_put_str(&line, "serving ");
    enum hg_log_level level = hg_ws_tls_describe(gateway->cli->tls, &line);
    hg_logger_put(&gateway->logger, level, hg_buf_slice(&line));
    hg_buf_done(&line);
}

static bool open_ws(struct gateway *gateway)
{
    const struct hg_config *settings = gateway->cli->config;
    const struct hg_listen *listen = &gateway->cli->listen;
    struct hg_ws_config config = {
        .host = listen->host[0] ? listen->host : NULL,
        .port = listen->port,
        .message_bytes_max = settings->message_bytes_max,
        .deflate_window_bits = settings->deflate ? (unsigned)settings->deflate_window_bits : 0,
        .handshakes_max = settings->handshakes_max,
        .handshake_timeout = hg_ms(settings->handshake_timeout_ms),
        .origins = (const char *const *)settings->origins.items,
        .origin_count = settings->origins.count,
        .files = settings->page ? &gateway->files : NULL,
        .tls = gateway->cli->tls,
        .native_loop = hg_loop_native(gateway->loop),
    };
    struct hg_ws_sink sink = {
        .context = gateway,
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
    char address[300];
    struct hg_buf why;
    hg_buf_init(&why, ERROR_BYTES_MAX);
    hg_result result = hg_ws_new(&config, sink, &gateway->ws, &why);
    if (!hg_ok(result) && why.len > 0) {
        hg_logger_put(&gateway->logger, HG_LOG_ERROR, hg_buf_slice(&why));
    } else if (!hg_ok(result)) {
        put_address(listen, listen->port, address, sizeof(address));
        hg_logger_printf(&gateway->logger, HG_LOG_ERROR, "cannot listen on %s: %s", address,
                         hg_error_row(result.code)->text);
    } else {
        put_address(listen, hg_ws_port(gateway->ws), address, sizeof(address));
        hg_logger_printf(&gateway->logger, HG_LOG_INFO, "listening on %s://%s", config.tls ? "https" : "http", address);
    }
    hg_buf_done(&why);
    return hg_ok(result);
}

static hg_result build(struct gateway *gateway)
{
    const struct hg_cli *cli = gateway->cli;
    struct hg_loop_hooks hooks = {gateway, end_turn, stop, reload};
    struct hg_ports ports = {
        .context = gateway,
        .ws_send = port_ws_send,
        .ws_close = port_ws_close,
        .ws_pause = port_ws_pause,
        .ws_peer = port_ws_peer,
        .redis_open = port_redis_open,
        .redis_close = port_redis_close,
        .redis_command = port_redis_command,
        .log = port_log,
    };
    struct hg_redis_loop redis_loop = {gateway, watch, set_watch, unwatch, now_of_loop};
    struct hg_redis_sink redis_sink = {gateway, sink_up, sink_down, sink_reply};
    uint64_t seed;
    if (!make_seed(&seed))
        return HG_FAIL(INTERNAL);
    HG_TRY(hg_loop_new(hooks, &gateway->loop));
    HG_TRY(hg_core_new(cli->config, &ports, seed, &gateway->core));
    return hg_redis_new(&cli->redis, hg_ms(cli->config->redis_timeout_ms), HG_LINK_LISTENER, redis_loop, redis_sink,
                        &gateway->redis);
}

/* Adapters first, while core and loop are there for their last words. */
static void take_apart(struct gateway *gateway)
{
    hg_ws_end(gateway->ws);
    hg_redis_free(gateway->redis);
    hg_loop_free(gateway->loop); /* turns until the handles of libwebsockets are closed */
    hg_ws_free(gateway->ws);
    hg_core_free(gateway->core);
    hg_ws_files_done(&gateway->files);
}

static void tell_end(const struct gateway *gateway)
{
    struct hg_core_stats stats;
    hg_core_stats(gateway->core, &stats);
    if (stats.sessions > 0)
        hg_logger_printf(&gateway->logger, HG_LOG_WARNING, "stopped with %" PRIu64 " clients left", stats.sessions);
    else
        hg_logger_printf(&gateway->logger, HG_LOG_INFO, "stopped");
}

static bool run(struct gateway *gateway)
{
    fit_to_machine(gateway);
    if (!read_web(gateway))
        return false;
    hg_result result = build(gateway);
    if (!hg_ok(result)) {
        hg_logger_printf(&gateway->logger, HG_LOG_ERROR, "cannot start: %s", hg_error_row(result.code)->text);
        return false;
    }
    hg_logger_printf(&gateway->logger, HG_LOG_INFO, "headgate " HG_VERSION);
    tell_certificate(gateway);
    if (!open_ws(gateway))
        return false;
    hg_core_start(gateway->core, hg_loop_now(gateway->loop));
    hg_loop_run(gateway->loop);
    tell_end(gateway);
    return true;
}

int main(int argc, char **argv)
{
    struct hg_cli cli;
    int code;
    if (!keep_standard_streams())
        return HG_EXIT_FAILURE;
    if (argc > 1 && strcmp(argv[1], "filter") == 0)
        return hg_filter_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "deadletter") == 0)
        return hg_deadletter_command(argc - 1, argv + 1, environ);
    if (!hg_cli_read(argc, argv, environ, &cli, &code))
        return code;
    signal(SIGPIPE, SIG_IGN);
    struct gateway gateway = {.cli = &cli};
    hg_logger_init(&gateway.logger, cli.config->log_level);
    code = run(&gateway) ? EXIT_SUCCESS : HG_EXIT_FAILURE;
    take_apart(&gateway);
    hg_cli_done(&cli);
    return code;
}
