#include "ws/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "wire/deflate_offer.h"
#include "ws/extension.h"
#include "ws/handshake.h"
#include "ws/http.h"
#include "ws/listener.h"
#include "ws/receive.h"
#include "ws/tls_context.h"

enum {
    /* Nobody loses its place before. Those who have said nothing are not accepted yet, so a decent client needs no time
     * here without TLS, and one round trip with it. */
    GRACE_MS = 100,
    CLOSE_MS = 4500, /* with the sweep's period no more than the 5 s that ports.h promises */
    DEAF_SWEEPS_MAX = 2,
    CLOSE_REASON_BYTES_MAX = 123, /* RFC 6455, section 5.5: a control frame carries 125 bytes */
    SESSIONS_MAX = 1 << 24,
};

static hg_time now_of(struct hg_ws *ws)
{
    return ws->sink.now(ws->sink.context);
}

/* ---- from accept to destruction ---- */

void hg_ws_connection_adopt(struct hg_ws *ws, int fd)
{
    struct hg_ws_connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        close(fd);
        return;
    }
    *connection = (struct hg_ws_connection){.tag = HG_WS_TAG_CONNECTION, .ws = ws};
    hg_buf_init(&connection->message, hg_ws_receive_bytes_max(ws, true));
    /* Not handed over as opaque data at adoption: when that fails, nobody can tell whether a WSI_DESTROY will follow.
     */
    connection->wsi = lws_adopt_socket_vhost(ws->vhost, fd);
    if (!connection->wsi) { /* libwebsockets has closed the socket */
        free(connection);
        return;
    }
    lws_set_opaque_user_data(connection->wsi, connection);
    if (ws->tls)
        hg_ws_tls_adopted(ws, connection->wsi);
    ws->connections++;
    hg_list_push_back(&ws->opening, &connection->in_stage);
    connection->deadline = hg_time_add(now_of(ws), ws->handshake_timeout);
}

void hg_ws_connection_moved(struct hg_ws_connection *connection)
{
    struct hg_ws *ws = connection->ws;
    if (!hg_list_contains(&ws->opening, &connection->in_stage))
        return;
    hg_list_remove(&ws->opening, &connection->in_stage);
    hg_list_push_back(&ws->opening, &connection->in_stage);
    connection->deadline = hg_time_add(now_of(ws), ws->handshake_timeout);
}

static struct hg_ws_connection *first_opening(struct hg_ws *ws)
{
    struct hg_list_node *first = ws->opening.first;
    return first ? HG_CONTAINER(first, struct hg_ws_connection, in_stage) : NULL;
}

static void leave_opening(struct hg_ws_connection *connection)
{
    struct hg_ws *ws = connection->ws;
    if (!hg_list_contains(&ws->opening, &connection->in_stage))
        return;
    hg_list_remove(&ws->opening, &connection->in_stage);
    hg_ws_accept_room(ws);
}

/* It gives its place free at once, and its descriptor soon. */
static void give_up(struct hg_ws_connection *connection)
{
    hg_list_remove(&connection->ws->opening, &connection->in_stage);
    connection->leaving = true;
    hg_ws_kill(connection->ws, connection->wsi);
}

bool hg_ws_connections_make_room(struct hg_ws *ws, hg_time now)
{
    if (ws->opening.count < ws->handshakes_max)
        return true;
    struct hg_ws_connection *oldest = first_opening(ws);
    hg_time moved = {oldest->deadline.us - ws->handshake_timeout.us};
    if (!hg_time_reached(hg_time_add(moved, hg_ms(GRACE_MS)), now))
        return false;
    give_up(oldest);
    return true;
}

static bool bind_session(struct hg_ws_connection *connection, hg_session_ref session)
{
    struct hg_ws *ws = connection->ws;
    HG_ASSERT(session.index < SESSIONS_MAX);
    if (session.index >= ws->by_session_count) {
        size_t count = ws->by_session_count ? ws->by_session_count : 64;
        while (count <= session.index)
            count *= 2;
        struct hg_ws_connection **table = realloc(ws->by_session, count * sizeof(struct hg_ws_connection *));
        if (!table)
            return false;
        memset(table + ws->by_session_count, 0, (count - ws->by_session_count) * sizeof(struct hg_ws_connection *));
        ws->by_session = table;
        ws->by_session_count = count;
    }
    HG_ASSERT(!ws->by_session[session.index]);
    ws->by_session[session.index] = connection;
    connection->session = session;
    connection->open = true;
    return true;
}

/* NULL: the connection is gone, and the core has been told or is about to be. */
static struct hg_ws_connection *find(struct hg_ws *ws, hg_session_ref session)
{
    if (session.index >= ws->by_session_count)
        return NULL;
    struct hg_ws_connection *connection = ws->by_session[session.index];
    return connection && connection->session.generation == session.generation ? connection : NULL;
}

/* The core is told once, whichever of libwebsockets' callbacks comes first. */
static void tell_closed(struct hg_ws_connection *connection)
{
    struct hg_ws *ws = connection->ws;
    leave_opening(connection);
    hg_list_unlink(&connection->in_stage);
    hg_list_unlink(&connection->in_sending);
    hg_buf_done(&connection->message);
    hg_ws_held_done(&connection->held);
    connection->leaving = true;
    if (!connection->open)
        return;
    connection->open = false;
    ws->by_session[connection->session.index] = NULL;
    ws->sink.closed(ws->sink.context, now_of(ws), connection->session);
}

static void destroy(struct hg_ws_connection *connection)
{
    tell_closed(connection);
    connection->ws->connections--;
    connection->ws->descriptors_left++;
    free(connection);
}

/* ---- whether input is read ---- */

/* While OpenSSL has more of a record libwebsockets is not stopped: see held.h. It is asked again with each piece. */
void hg_ws_connection_set_flow(struct hg_ws_connection *connection)
{
    bool stop = connection->paused || connection->held;
    if (stop == connection->stopped || (stop && connection->ws->tls && hg_ws_tls_pending(connection->wsi)))
        return;
    connection->stopped = stop;
    lws_rx_flow_control(connection->wsi, !stop);
}

/* ---- sending ---- */

void hg_ws_connection_set_sending(struct hg_ws_connection *connection, bool sending)
{
    if (sending && !connection->in_sending.owner)
        hg_list_push_back(&connection->ws->sending, &connection->in_sending);
    else if (!sending)
        hg_list_unlink(&connection->in_sending);
    connection->deaf = 0;
}

int hg_ws_connection_write(struct hg_ws_connection *connection, struct hg_slice bytes, enum lws_write_protocol how)
{
    if (connection->ws->tls)
        return hg_ws_tls_write(connection->wsi, bytes, how);
    return lws_write(connection->wsi, (unsigned char *)bytes.ptr, bytes.len, how);
}

/* Whole frames, as they are: behind what is buffered, if anything is. False when the connection is broken. */
static bool write_frames(struct hg_ws_connection *connection, struct hg_slice frames)
{
    /* With LWS_WRITE_RAW libwebsockets frames nothing and writes nothing into or in front of the bytes: they may be
     * shared. */
    if (hg_ws_connection_write(connection, frames, LWS_WRITE_RAW) >= 0)
        return true;
    connection->leaving = true;
    hg_ws_kill(connection->ws, connection->wsi);
    return false;
}

enum hg_send hg_ws_send(struct hg_ws *ws, hg_session_ref session, struct hg_slice frames)
{
    struct hg_ws_connection *connection = find(ws, session);
    if (!connection || connection->leaving || !write_frames(connection, frames))
        return HG_SEND_CLOSED;
    if (!lws_partial_buffered(connection->wsi))
        return HG_SEND_DONE;
    connection->buffered = true;
    hg_ws_connection_set_sending(connection, true);
    lws_callback_on_writable(connection->wsi);
    return HG_SEND_BUFFERED;
}

static void on_writable(struct hg_ws_connection *connection)
{
    hg_ws_receive_held(connection, false);
    if (lws_partial_buffered(connection->wsi)) {
        lws_callback_on_writable(connection->wsi);
        return;
    }
    hg_ws_connection_set_sending(connection, false);
    if (!connection->buffered)
        return; /* libwebsockets had a pong to send */
    connection->buffered = false;
    if (connection->open && !connection->leaving)
        connection->ws->sink.writable(connection->ws->sink.context, now_of(connection->ws), connection->session);
}

/* ---- closing ---- */

static void expect_end(struct hg_ws_connection *connection)
{
    struct hg_ws *ws = connection->ws;
    connection->leaving = true;
    hg_buf_done(&connection->message);
    hg_ws_held_done(&connection->held);
    if (connection->in_stage.owner)
        return;
    connection->deadline = hg_time_add(now_of(ws), hg_ms(CLOSE_MS));
    hg_list_push_back(&ws->closing, &connection->in_stage);
}

/* The close frame goes out at once, behind what is buffered. libwebsockets' own way, lws_close_reason() and a failing
 * callback, costs further turns and timers in a sorted list: 15,000 clients sent away took 0.49 s of CPU, and 0.11 s
 * like this. */
static void close_with(struct hg_ws_connection *connection, uint16_t code, struct hg_slice reason)
{
    if (connection->leaving)
        return;
    reason = hg_slice_first(reason, CLOSE_REASON_BYTES_MAX);
    unsigned char frame[4 + CLOSE_REASON_BYTES_MAX] = {0x88, (unsigned char)(2 + reason.len),
                                                       (unsigned char)(code >> 8), (unsigned char)(code & 0xff)};
    if (reason.len > 0)
        memcpy(frame + 4, reason.ptr, reason.len);
    if (!write_frames(connection, hg_slice(frame, 4 + reason.len)))
        return;
    if (lws_partial_buffered(connection->wsi)) {
        hg_ws_connection_set_sending(connection, true);
        lws_callback_on_writable(connection->wsi);
    }
    expect_end(connection);
    connection->paused = false; /* the client's close frame is waited for */
    hg_ws_connection_set_flow(connection);
}

void hg_ws_close(struct hg_ws *ws, hg_session_ref session, uint16_t code, struct hg_slice reason)
{
    struct hg_ws_connection *connection = find(ws, session);
    if (connection)
        close_with(connection, code, reason);
}

void hg_ws_connection_close(struct hg_ws_connection *connection, enum hg_close why)
{
    const struct hg_close_row *row = hg_close_row(why);
    close_with(connection, row->code, hg_slice_str(row->reason));
}

/* A close frame came in. 0: libwebsockets answers with the same code and ends the connection; else it ends it at once.
 */
static int on_peer_close(struct hg_ws_connection *connection, const unsigned char *payload, size_t len)
{
    if (connection->leaving)
        return -1; /* the answer to ours */
    if (hg_ws_extension_marked(connection)) {
        hg_ws_connection_close(connection, HG_CLOSE_PROTOCOL);
        return -1;
    }
    /* libwebsockets would send either back as it came (RFC 6455, sections 5.5.1 and 8.1). */
    bool broken = len == 1, garbled = len > 2 && !hg_utf8_valid(hg_slice(payload + 2, len - 2));
    if (broken || garbled) {
        hg_ws_connection_close(connection, broken ? HG_CLOSE_PROTOCOL : HG_CLOSE_NOT_UTF8);
        return -1;
    }
    hg_ws_receive_held(connection, true);
    expect_end(connection);
    return 0;
}

size_t hg_ws_peer(struct hg_ws *ws, hg_session_ref session, char *to, size_t size)
{
    struct hg_ws_connection *connection = find(ws, session);
    char text[64];
    if (!connection || !lws_get_peer_simple(connection->wsi, text, sizeof(text)))
        return 0;
    /* An IPv4 client of a socket that takes both comes as ::ffff:192.0.2.1 (RFC 4291, section 2.5.5.2). */
    const char *plain = strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.') ? text + 7 : text;
    size_t len = strlen(plain);
    if (len > size)
        return 0;
    memcpy(to, plain, len);
    return len;
}

void hg_ws_pause(struct hg_ws *ws, hg_session_ref session, bool paused)
{
    struct hg_ws_connection *connection = find(ws, session);
    if (!connection || connection->leaving || connection->paused == paused)
        return;
    connection->paused = paused;
    if (connection->held)
        lws_callback_on_writable(connection->wsi); /* what is held comes first, and from there */
    else
        hg_ws_connection_set_flow(connection);
}

/* ---- the callback ---- */

static void choose_offer(struct hg_ws_connection *connection, struct hg_slice offers)
{
    struct hg_deflate_terms terms;
    unsigned bits = connection->ws->deflate_window_bits;
    if (bits == 0 || !hg_ok(hg_deflate_offer_choose(offers, bits, &terms)) || !terms.agreed)
        return;
    connection->offers_left = (uint8_t)terms.offers;
    connection->window_bits = (uint8_t)terms.window_bits;
}

static int on_upgrade(struct hg_ws_connection *connection)
{
    struct hg_ws *ws = connection->ws;
    struct lws *wsi = connection->wsi;
    char path[64], host[256], origin[512], upgrade[32], connection_text[256], version[16], key[64], protocols[256];
    char extensions[256];
    struct hg_ws_request request = {
        .get = lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0,
    };
    struct hg_slice http;
    hg_ws_connection_set_sending(connection, false); /* an answer before this one has gone */
    /* The body of a foreign Upgrade is not touched: libwebsockets has freed the headers by then (CVE-2025-11677). */
    if (lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE) <= 0 || connection->leaving)
        return -1;
    if (hg_ws_http_is_misplaced(connection))
        return hg_ws_http_refuse_misplaced(connection);
    static const enum lws_token_indexes methods[] = {WSI_TOKEN_GET_URI,    WSI_TOKEN_HEAD_URI,  WSI_TOKEN_POST_URI,
                                                     WSI_TOKEN_PUT_URI,    WSI_TOKEN_PATCH_URI, WSI_TOKEN_DELETE_URI,
                                                     WSI_TOKEN_OPTIONS_URI};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]) && request.path.len == 0; i++)
        if (!hg_ws_http_field(wsi, methods[i], path, sizeof(path), &request.path))
            request.path = HG_LIT("(long)"); /* no path of ours */
    hg_ws_http_field(wsi, WSI_TOKEN_HTTP, version, sizeof(version), &http);
    request.http_1_1 = hg_slice_is(http, "HTTP/1.1");

#define FIELD(token, text, member)                                                                                     \
    if (!hg_ws_http_field(wsi, token, text, sizeof(text), &request.member))                                            \
    request.too_long = #member
    FIELD(WSI_TOKEN_HOST, host, host);
    FIELD(WSI_TOKEN_ORIGIN, origin, origin);
    FIELD(WSI_TOKEN_UPGRADE, upgrade, upgrade);
    FIELD(WSI_TOKEN_CONNECTION, connection_text, connection);
    FIELD(WSI_TOKEN_VERSION, version, version);
    FIELD(WSI_TOKEN_KEY, key, key);
    FIELD(WSI_TOKEN_PROTOCOL, protocols, protocols);
    FIELD(WSI_TOKEN_EXTENSIONS, extensions, extensions);
#undef FIELD

    struct hg_ws_refusal refusal = hg_ws_handshake_judge(&request, ws->origins, ws->origin_count);
    if (refusal.status != 0)
        return hg_ws_http_refuse(connection, refusal.status, refusal.headers, refusal.text);
    unsigned retry_s;
    if (ws->sink.admit && !ws->sink.admit(ws->sink.context, now_of(ws), &retry_s)) {
        char retry_after[40];
        snprintf(retry_after, sizeof(retry_after), "Retry-After: %u\r\n", retry_s);
        return hg_ws_http_refuse(connection, 503, retry_after, "The gateway has no room for this connection now.\n");
    }
    choose_offer(connection, request.extensions);
    return 0;
}

static void on_established(struct hg_ws_connection *connection)
{
    struct hg_ws *ws = connection->ws;
    hg_session_ref session;
    int refusal;
    leave_opening(connection);
    if (!ws->sink.open(ws->sink.context, now_of(ws), &session, &refusal)) {
        hg_ws_connection_close(connection, (enum hg_close)refusal);
    } else if (!bind_session(connection, session)) {
        ws->sink.closed(ws->sink.context, now_of(ws), session);
        hg_ws_connection_close(connection, HG_CLOSE_OVERLOADED);
    } else if (connection->deflates) {
        ws->sink.deflates(ws->sink.context, now_of(ws), session);
    }
}

static void on_pong(struct hg_ws_connection *connection)
{
    connection->heard = true;
    if (hg_ws_extension_marked(connection))
        hg_ws_connection_close(connection, HG_CLOSE_PROTOCOL);
    if (connection->open && !connection->leaving)
        connection->ws->sink.pong(connection->ws->sink.context, now_of(connection->ws), connection->session);
}

int hg_ws_connection_event(struct hg_ws_connection *connection, enum lws_callback_reasons reason, void *in, size_t len)
{
    switch (reason) {
    case LWS_CALLBACK_HTTP:
        return hg_ws_http_request(connection);
    case LWS_CALLBACK_HTTP_WRITEABLE:
        return hg_ws_http_writable(connection);
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        return on_upgrade(connection);
    case LWS_CALLBACK_CONFIRM_EXTENSION_OKAY:
        return hg_ws_extension_confirm(connection) ? 0 : 1;
    case LWS_CALLBACK_ADD_HEADERS:
        return hg_ws_extension_answer(connection, in) ? 0 : -1;
    case LWS_CALLBACK_ESTABLISHED:
        on_established(connection);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        hg_ws_receive(connection, hg_slice(in, len));
        return 0;
    case LWS_CALLBACK_RECEIVE_PONG:
        on_pong(connection);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        on_writable(connection);
        return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        return on_peer_close(connection, in, len);
    case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
        /* libwebsockets is closing of itself: a protocol error of the client, or a lost connection. */
        connection->leaving = true;
        return 0;
    case LWS_CALLBACK_CLOSED:
        tell_closed(connection);
        return 0;
    case LWS_CALLBACK_WSI_DESTROY:
        destroy(connection);
        return 0;
    case LWS_CALLBACK_RAW_ADOPT:
    case LWS_CALLBACK_RAW_RX:
        return -1; /* what CONNECT makes of a connection */
    default:
        return 0;
    }
}

/* ---- the sweep ---- */

/* Input that has arrived, or the client's end of the stream, and libwebsockets does not read it: while it flushes what
 * is buffered before it closes, and while an answer over HTTP is under way, it ignores the input but lets it wake the
 * loop, again and again. */
static bool has_unread(struct lws *wsi)
{
    int fd = lws_get_socket_fd(wsi), waiting = 0;
    struct tcp_info info;
    socklen_t len = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_CLOSE_WAIT)
        return true;
    return ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0;
}

static bool is_deaf(struct hg_ws_connection *connection)
{
    if (connection->heard || connection->paused || !has_unread(connection->wsi))
        connection->deaf = 0;
    else
        connection->deaf++;
    connection->heard = false;
    return connection->deaf >= DEAF_SWEEPS_MAX;
}

void hg_ws_connections_sweep(struct hg_ws *ws, hg_time now)
{
    while (ws->closing.first) {
        struct hg_ws_connection *connection = HG_CONTAINER(ws->closing.first, struct hg_ws_connection, in_stage);
        if (!hg_time_reached(connection->deadline, now))
            break;
        hg_list_remove(&ws->closing, &connection->in_stage);
        hg_ws_kill(ws, connection->wsi);
    }
    struct hg_ws_connection *slow;
    while ((slow = first_opening(ws)) && hg_time_reached(slow->deadline, now)) {
        if (slow->in_sending.owner)
            hg_ws_connection_moved(slow); /* it waits for us; whether it reads, libwebsockets looks after */
        else
            give_up(slow);
    }
    struct hg_list_node *next;
    for (struct hg_list_node *node = ws->sending.first; node; node = next) {
        next = node->next;
        struct hg_ws_connection *connection = HG_CONTAINER(node, struct hg_ws_connection, in_sending);
        if (!is_deaf(connection))
            continue;
        connection->leaving = true;
        hg_list_remove(&ws->sending, &connection->in_sending);
        hg_ws_kill(ws, connection->wsi);
    }
}
