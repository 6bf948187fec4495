#include "ws/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ws/connection.h"

enum {
    BACKLOG = 4096,  /* the kernel lowers it to net.core.somaxconn */
    PORT_TRIES = 16, /* a port that is free on one address may be taken on another */
    /* What the kernel holds of ours for a client that does not read. More only delays what comes next; the part that is
     * on its way to the client (congestion window) comes on top, so a fast but distant one is not slowed. */
    NOTSENT_BYTES = 128 << 10,
    DEFER_S = 10,
    KEEPALIVE_IDLE_S = 60,
    KEEPALIVE_INTERVAL_S = 15,
    KEEPALIVE_COUNT = 4,
};

static void set_option(int fd, int level, int option, int value)
{
    /* None of these is needed for service; on a kernel that lacks one, it is as if we had not asked. */
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* Linux hands the options of a listening socket down to those it accepts: set once here, no system call per client. */
static void set_options(int fd)
{
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    /* Who has said nothing yet stays with the kernel, costs us nothing, and takes no place from anybody. */
    set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, DEFER_S);
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_BYTES);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

/* Returns the descriptor, or -1 with errno. */
static int listen_on(const struct addrinfo *info, uint16_t port, bool both_families, enum hg_ws_sharing sharing)
{
    struct sockaddr_storage address = {0};
    memcpy(&address, info->ai_addr, info->ai_addrlen);
    if (info->ai_family == AF_INET6)
        ((struct sockaddr_in6 *)&address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&address)->sin_port = htons(port);

    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_options(fd);
    if (sharing == HG_WS_JOINS)
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (info->ai_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both_families);
    if (bind(fd, (struct sockaddr *)&address, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    /* Not before it listens: two sockets that both let others in would not be in each other's way, and a second gateway
     * on this port would share its clients instead of being refused. */
    if (sharing == HG_WS_FIRST)
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    return fd;
}

/* Every address that the machine has; one that it lacks (no IPv6, say) is no error while another works. Returns errno.
 */
static int listen_on_all(const struct addrinfo *infos, bool any, uint16_t port, enum hg_ws_sharing sharing, int *fds,
                         size_t fds_max, size_t *ret_count)
{
    size_t count = 0;
    int error = EADDRNOTAVAIL;
    for (const struct addrinfo *info = infos; info && count < fds_max; info = info->ai_next) {
        int fd = listen_on(info, count > 0 ? port_of(fds[0]) : port, any, sharing);
        if (fd >= 0) {
            fds[count++] = fd;
            if (any)
                break; /* [::] takes IPv4 as well, and comes first; 0.0.0.0 is for machines without IPv6 */
            continue;
        }
        error = errno;
        if (error == EADDRNOTAVAIL || error == EAFNOSUPPORT)
            continue;
        while (count > 0)
            close(fds[--count]);
        return error;
    }
    *ret_count = count;
    return count > 0 ? 0 : error;
}

hg_result hg_ws_listen(const char *host, uint16_t port, enum hg_ws_sharing sharing, int *fds, size_t fds_max,
                       size_t *ret_count, uint16_t *ret_port, struct hg_buf *reterr)
{
    bool any = !host || strcmp(host, "*") == 0;
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct sockaddr_in any4 = {.sin_family = AF_INET};
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6};
    struct addrinfo info4 = {.ai_family = AF_INET, .ai_addr = (struct sockaddr *)&any4, .ai_addrlen = sizeof(any4)};
    struct addrinfo info6 = {
        .ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&any6, .ai_addrlen = sizeof(any6), .ai_next = &info4};
    struct addrinfo *found = NULL;
    if (!any) {
        int failed = getaddrinfo(host, "0", &hints, &found);
        if (failed != 0) {
            hg_buf_printf(reterr, "cannot listen on %s: %s", host, gai_strerror(failed));
            return HG_FAIL(INTERNAL);
        }
    }
    size_t count = 0;
    int error = 0;
    for (int tries = 0; tries < PORT_TRIES; tries++) {
        error = listen_on_all(any ? &info6 : found, any, port, sharing, fds, fds_max, &count);
        if (error != EADDRINUSE || port != 0)
            break;
    }
    if (found)
        freeaddrinfo(found);
    if (error != 0) {
        hg_buf_printf(reterr, "cannot listen on %s port %u: %s", any ? "any address" : host, port, strerror(error));
        return HG_FAIL(INTERNAL);
    }
    *ret_count = count;
    *ret_port = port_of(fds[0]);
    return HG_OK;
}

static void complain(struct hg_ws *ws, const char *consequence, int error)
{
    hg_time now = ws->sink.now(ws->sink.context);
    if (hg_time_before(now, ws->next_accept_log))
        return;
    ws->next_accept_log = hg_time_add(now, hg_ms(10000));
    hg_ws_log(ws, HG_LOG_ERROR, "cannot accept connections: %s; %s", strerror(error), consequence);
}

static void pause_accepting(struct hg_ws *ws, enum hg_ws_accepting why)
{
    ws->accepting = why;
    for (size_t i = 0; i < ws->listener_count; i++)
        if (ws->listeners[i].wsi)
            lws_rx_flow_control(ws->listeners[i].wsi, 0);
}

static void open_reserve(struct hg_ws *ws)
{
    ws->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (ws->reserve_fd >= 0 && ws->opened)
        ws->opened(ws->reserve_fd);
}

void hg_ws_accept_resume(struct hg_ws *ws)
{
    if (ws->accepting == HG_WS_ACCEPTING)
        return;
    ws->accepting = HG_WS_ACCEPTING;
    if (ws->reserve_fd < 0)
        open_reserve(ws);
    for (size_t i = 0; i < ws->listener_count; i++)
        if (ws->listeners[i].wsi)
            lws_rx_flow_control(ws->listeners[i].wsi, 1);
}

/* Not for each place: each time costs system calls. */
void hg_ws_accept_room(struct hg_ws *ws)
{
    if (ws->accepting == HG_WS_ACCEPTING_FULL && !ws->ended &&
        ws->opening.count <= ws->handshakes_max - ws->handshakes_max / 4)
        hg_ws_accept_resume(ws);
}

/* No descriptor left: a connection that stays in the queue would wake us again at once, for ever. The reserve
 * descriptor lets us take it and close it, so that its client knows. Returns errno: EAGAIN when the queue is empty. */
static int shed(struct hg_ws *ws, int fd)
{
    if (ws->reserve_fd < 0)
        return EMFILE;
    close(ws->reserve_fd);
    int unlucky = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), error = unlucky < 0 ? errno : 0;
    if (unlucky >= 0)
        close(unlucky);
    open_reserve(ws);
    return error;
}

void hg_ws_accept(struct hg_ws_listener *listener, int fd)
{
    struct hg_ws *ws = listener->ws;
    hg_time now = ws->sink.now(ws->sink.context);
    /* The clients that are there come first; the rest waits in the kernel's queue. */
    for (unsigned i = 0; i < ws->accepts; i++) {
        if (!hg_ws_connections_make_room(ws, now)) {
            pause_accepting(ws, HG_WS_ACCEPTING_FULL);
            return;
        }
        int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0) {
            if (ws->opened)
                ws->opened(client);
            /* The system gives out the lowest number that is free. */
            ws->descriptors_left = ws->descriptors > (uint64_t)client + 1 ? ws->descriptors - (uint64_t)client - 1 : 0;
            hg_ws_connection_adopt(ws, client);
            continue;
        }
        int error = errno;
        if (error == EMFILE || error == ENFILE) {
            ws->descriptors_left = 0;
            error = shed(ws, fd);
            if (error == 0) {
                complain(ws, "new ones are closed at once", EMFILE);
                continue;
            }
        }
        if (error == EAGAIN || error == EWOULDBLOCK)
            return;
        if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
            complain(ws, "new ones wait", error);
            pause_accepting(ws, HG_WS_ACCEPTING_FAILED);
            return;
        }
        /* Else that client left before we looked; accept(2) hands its network errors down. */
    }
}
