#include "ws/context.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "ws/connection.h"
#include "ws/extension.h"
#include "ws/handshake.h"
#include "ws/listener.h"
#include "ws/tls_context.h"

enum {
    SWEEP_MS = 500,
    HEADERS_LATER_S = 5,          /* by so much libwebsockets' own timer for headers comes after ours */
    KEEPALIVE_S = 15,             /* an HTTP connection without a request */
    HEADERS_BYTES_MAX = 16 << 10, /* cookies, tokens */
    SCRATCH_BYTES = 16 << 10,     /* one buffer per context: reads of HTTP, the answer to the handshake */
    RECEIVE_BYTES = 768,          /* per connection: 0 would mean SCRATCH_BYTES */
    SEND_BYTES = 256 << 10,       /* one write to the kernel at most; more is copied and waits */
    DESCRIPTORS_SPARE = 256,      /* Redis, files, the loop */
    DESCRIPTORS_MAX = 1 << 20, /* libwebsockets keeps two tables of this size, and past 10 million mistrusts the number
                                  and allows 2,560 connections */
};

_Static_assert(SEND_BYTES >= HG_WS_TLS_RECORDS_MAX * HG_WS_TLS_RECORD_BYTES,
               "as many records as are expected of a write must come of it");

/* libwebsockets logs for the whole process; each worker is one thread with one context. */
static _Thread_local struct hg_ws *log_target;

static void on_lws_log(int level, const char *line)
{
    struct hg_ws *ws = log_target;
    if (!ws)
        return;
    size_t len = strlen(line);
    while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == ' '))
        len--;
    if (ws->errors && ws->errors->len == 0)
        hg_buf_put(ws->errors, hg_slice(line, len));
    hg_ws_log(ws, level == LLL_ERR ? HG_LOG_WARNING : HG_LOG_DEBUG, "libwebsockets: %.*s", (int)len, line);
}

void hg_ws_log(struct hg_ws *ws, enum hg_log_level level, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (len < 0)
        return;
    if ((size_t)len >= sizeof(line))
        len = sizeof(line) - 1;
    ws->sink.log(ws->sink.context, level, hg_slice(line, (size_t)len));
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    /* Some callbacks come with a made-up object, some before a connection knows who it is. */
    switch (reason) {
    case LWS_CALLBACK_PROTOCOL_INIT:
    case LWS_CALLBACK_PROTOCOL_DESTROY:
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
    case LWS_CALLBACK_GET_THREAD_ID:
    case LWS_CALLBACK_WSI_CREATE:
    case LWS_CALLBACK_VHOST_CERT_AGING:
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_CLIENT_VERIFY_CERTS:
        return 0;
    case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
        return hg_ws_tls_prepare(lws_context_user(lws_get_context(wsi)), user) ? 0 : -1;
    default:
        break;
    }
    enum hg_ws_tag *tag = wsi ? lws_get_opaque_user_data(wsi) : NULL;
    if (!tag)
        return 0;
    if (*tag == HG_WS_TAG_LISTENER) {
        struct hg_ws_listener *listener = (struct hg_ws_listener *)(void *)tag;
        log_target = listener->ws;
        if (reason == LWS_CALLBACK_RAW_RX_FILE)
            hg_ws_accept(listener, (int)lws_get_socket_fd(wsi));
        else if (reason == LWS_CALLBACK_RAW_CLOSE_FILE)
            listener->wsi = NULL;
        return 0;
    }
    HG_ASSERT(*tag == HG_WS_TAG_CONNECTION);
    struct hg_ws_connection *connection = (struct hg_ws_connection *)(void *)tag;
    log_target = connection->ws;
    return hg_ws_connection_event(connection, reason, in, len);
}

/* One protocol, for HTTP too: a name that a client may offer is one that libwebsockets would answer with. The user data
 * of one byte is not used; without any, libwebsockets does not tell when it starts to close. */
static const struct lws_protocols protocols[] = {
    {.name = HG_WS_PROTOCOL,
     .callback = on_event,
     .per_session_data_size = 1,
     .rx_buffer_size = RECEIVE_BYTES,
     .tx_packet_size = SEND_BYTES},
    {.name = NULL},
};

/* No pings of libwebsockets' own: the core sends them, and a timer per connection in a sorted list is dear. */
static const lws_retry_bo_t no_validity_checks;

static void tick_tls(struct hg_ws *ws, hg_time now)
{
    enum hg_log_level level;
    struct hg_buf line;
    hg_buf_init(&line, 8192);
    if (ws->tls && hg_ws_tls_tick(ws->tls, now, &level, &line))
        ws->sink.log(ws->sink.context, level, hg_buf_slice(&line));
    hg_buf_done(&line);
}

static void on_sweep(lws_sorted_usec_list_t *sweep)
{
    struct hg_ws *ws = HG_CONTAINER(sweep, struct hg_ws, sweep);
    hg_time now = ws->sink.now(ws->sink.context);
    log_target = ws;
    hg_ws_accept_resume(ws);
    hg_ws_connections_sweep(ws, now);
    tick_tls(ws, now);
    lws_sul_schedule(ws->lws, 0, &ws->sweep, on_sweep, (lws_usec_t)SWEEP_MS * 1000);
}

void hg_ws_kill(struct hg_ws *ws, struct lws *wsi)
{
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
    /* Set from outside of its callbacks, libwebsockets' timer would wait for the next thing that happens. */
    lws_cancel_service(ws->lws);
}

static bool create_context(struct hg_ws *ws, void *native_loop)
{
    unsigned headers_s = (unsigned)(ws->handshake_timeout.us / 1000000) + HEADERS_LATER_S;
    void *loops[] = {native_loop};
    struct lws_context_creation_info info;
    memset(&info, 0, sizeof(info)); /* its members move between versions */
    info.options = LWS_SERVER_OPTION_LIBUV;
    if (ws->tls)
        /* Those who speak plainly to a port of TLS are let in to be told so: see http.c. */
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX |
                        LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS | LWS_SERVER_OPTION_ALLOW_NON_SSL_ON_SSL_PORT |
                        LWS_SERVER_OPTION_ALLOW_HTTP_ON_HTTPS_LISTENER;
    info.foreign_loops = loops;
    info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info.vhost_name = "headgate";
    info.protocols = protocols;
    info.extensions = ws->deflate_window_bits ? hg_ws_extensions() : NULL;
    info.alpn = "http/1.1";
    info.retry_and_idle_policy = &no_validity_checks;
    info.max_http_header_data = HEADERS_BYTES_MAX;
    info.pt_serv_buf_size = SCRATCH_BYTES;
    info.timeout_secs = headers_s;
    info.timeout_secs_ah_idle = headers_s;
    info.keepalive_timeout = KEEPALIVE_S;
    info.user = ws;
    ws->lws = lws_create_context(&info);
    ws->vhost = ws->lws ? lws_get_vhost_by_name(ws->lws, info.vhost_name) : NULL;
    if (ws->vhost && ws->tls)
        hg_ws_tls_complete(ws);
    return ws->vhost != NULL;
}

/* On failure the descriptors that were not adopted are closed. */
static bool watch_listeners(struct hg_ws *ws, const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct hg_ws_listener *listener = &ws->listeners[i];
        *listener = (struct hg_ws_listener){.tag = HG_WS_TAG_LISTENER, .ws = ws};
        lws_sock_file_fd_type file = {.filefd = fds[i]};
        listener->wsi = lws_adopt_descriptor_vhost(ws->vhost, LWS_ADOPT_RAW_FILE_DESC, file, HG_WS_PROTOCOL, NULL);
        if (!listener->wsi) {
            for (; i < count; i++)
                close(fds[i]);
            return false;
        }
        lws_set_opaque_user_data(listener->wsi, listener);
        ws->listener_count++;
    }
    return true;
}

hg_result hg_ws_new(const struct hg_ws_config *config, struct hg_ws_sink sink, struct hg_ws **ret_ws,
                    struct hg_buf *reterr)
{
    int fds[HG_WS_LISTENERS_MAX];
    size_t count;
    uint16_t port;
    hg_result result =
        hg_ws_listen(config->host, config->port, config->sharing, fds, HG_WS_LISTENERS_MAX, &count, &port, reterr);
    if (result.code != HG_ERR_OK)
        return result;
    struct hg_ws *ws = calloc(1, sizeof(*ws));
    if (!ws) {
        while (count > 0)
            close(fds[--count]);
        return HG_FAIL(NOMEM);
    }
    ws->sink = sink;
    ws->files = config->files;
    ws->origins = config->origins;
    ws->origin_count = config->origin_count;
    ws->message_bytes_max = config->message_bytes_max;
    ws->deflate_window_bits = config->deflate_window_bits;
    hg_buf_init(&ws->inflated, ws->message_bytes_max);
    ws->opened = config->opened;
    ws->handshakes_max = config->handshakes_max;
    ws->handshake_timeout = config->handshake_timeout;
    ws->accepts = HG_WS_ACCEPTS;
    struct rlimit limit;
    ws->descriptors = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
    ws->descriptors_left = ws->descriptors;
    ws->tls = config->tls;
    hg_buf_init(&ws->gather.records, HG_WS_TLS_GATHER_BYTES_MAX);
    ws->port = port;
    ws->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    struct hg_buf errors;
    hg_buf_init(&errors, 512);
    ws->errors = &errors;
    log_target = ws;
    lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
    bool made = create_context(ws, config->native_loop);
    if (!made)
        while (count > 0)
            close(fds[--count]);
    bool watched = made && watch_listeners(ws, fds, count);
    ws->errors = NULL;
    if (!watched) {
        hg_buf_printf(reterr, "libwebsockets does not start (is the package libwebsockets-evlib-uv installed?): %.*s",
                      HG_SLICE_ARG(hg_buf_slice(&errors)));
        hg_buf_done(&errors);
        hg_ws_end(ws);
        if (!ws->lws)
            free(ws);
        /* Else handles in the loop still point here. The process is about to end, so nobody frees it. */
        return HG_FAIL(INTERNAL);
    }
    hg_buf_done(&errors);
    lws_sul_schedule(ws->lws, 0, &ws->sweep, on_sweep, (lws_usec_t)SWEEP_MS * 1000);
    *ret_ws = ws;
    return HG_OK;
}

uint16_t hg_ws_port(const struct hg_ws *ws)
{
    return ws->port;
}

void hg_ws_pace(struct hg_ws *ws, unsigned accepts)
{
    ws->accepts = accepts;
}

void hg_ws_descriptors(const struct hg_ws *ws, uint64_t *ret_all, uint64_t *ret_left)
{
    *ret_all = ws->descriptors;
    *ret_left = ws->descriptors_left;
}

void hg_ws_stop_accepting(struct hg_ws *ws)
{
    for (size_t i = 0; i < ws->listener_count; i++)
        if (ws->listeners[i].wsi)
            lws_set_timeout(ws->listeners[i].wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

void hg_ws_end(struct hg_ws *ws)
{
    if (!ws || ws->ended)
        return;
    ws->ended = true;
    if (ws->reserve_fd >= 0)
        close(ws->reserve_fd);
    if (!ws->lws)
        return;
    lws_sul_schedule(ws->lws, 0, &ws->sweep, on_sweep, LWS_SET_TIMER_USEC_CANCEL);
    lws_context_destroy(ws->lws);
}

void hg_ws_free(struct hg_ws *ws)
{
    if (!ws)
        return;
    HG_ASSERT(ws->ended);
    HG_ASSERT(ws->connections == 0 && ws->opening.count == 0);
    /* The second half of what hg_ws_end() began; the handles in the loop, which are part of the context, are closed
     * now. */
    lws_context_destroy(ws->lws);
    if (log_target == ws)
        log_target = NULL;
    hg_buf_done(&ws->gather.records);
    free(ws->by_session);
    hg_inflater_free(ws->inflater);
    hg_buf_done(&ws->inflated);
    free(ws);
}
