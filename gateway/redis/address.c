#include "redis/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "config/redis_url.h"

#define ADDRESSES_MAX 16

struct address {
    struct sockaddr_storage at;
    socklen_t len;
};

struct hg_addresses {
    size_t refs, count;
    struct address items[];
};

static struct hg_addresses *addresses_new(size_t count)
{
    struct hg_addresses *addresses = calloc(1, sizeof(*addresses) + count * sizeof(addresses->items[0]));
    if (addresses)
        addresses->refs = 1;
    return addresses;
}

static hg_result resolve_path(const char *path, struct hg_addresses **ret_addresses, struct hg_phrase *reterr)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(at.sun_path)) {
        hg_phrase_printf(reterr, "the path of the socket is longer than %zu bytes", sizeof(at.sun_path) - 1);
        return HG_FAIL(TOO_BIG);
    }
    memcpy(at.sun_path, path, len);
    struct hg_addresses *addresses = addresses_new(1);
    if (!addresses) {
        hg_phrase_printf(reterr, "out of memory");
        return HG_FAIL(NOMEM);
    }
    memcpy(&addresses->items[0].at, &at, sizeof(at));
    addresses->items[0].len = sizeof(at);
    addresses->count = 1;
    *ret_addresses = addresses;
    return HG_OK;
}

static hg_result resolve_host(const char *host, uint16_t port, struct hg_addresses **ret_addresses,
                              struct hg_phrase *reterr)
{
    char service[6];
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int error = getaddrinfo(host, service, &hints, &list);
    if (error != 0) {
        hg_phrase_printf(reterr, "resolve %s: %s", host, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        return HG_FAIL(UNAVAILABLE);
    }
    struct hg_addresses *addresses = addresses_new(ADDRESSES_MAX);
    if (!addresses) {
        freeaddrinfo(list);
        hg_phrase_printf(reterr, "out of memory");
        return HG_FAIL(NOMEM);
    }
    for (const struct addrinfo *info = list; info && addresses->count < ADDRESSES_MAX; info = info->ai_next) {
        struct address *address = &addresses->items[addresses->count];
        if (info->ai_addrlen > sizeof(address->at))
            continue;
        memcpy(&address->at, info->ai_addr, info->ai_addrlen);
        address->len = info->ai_addrlen;
        addresses->count++;
    }
    freeaddrinfo(list);
    *ret_addresses = addresses;
    return HG_OK;
}

hg_result hg_addresses_resolve(const struct hg_redis_url *url, struct hg_addresses **ret_addresses,
                               struct hg_phrase *reterr)
{
    HG_ASSERT(url->path || url->host);
    return url->path ? resolve_path(url->path, ret_addresses, reterr)
                     : resolve_host(url->host, url->port, ret_addresses, reterr);
}

void hg_addresses_ref(struct hg_addresses *addresses)
{
    addresses->refs++;
}

void hg_addresses_unref(struct hg_addresses *addresses)
{
    if (addresses && --addresses->refs == 0)
        free(addresses);
}

size_t hg_addresses_count(const struct hg_addresses *addresses)
{
    return addresses->count;
}

/* Commands leave as they are written; a peer whose machine vanished is noticed within about half a minute. */
static void tune(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},   {SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 15},
        {IPPROTO_TCP, TCP_KEEPINTVL, 5}, {IPPROTO_TCP, TCP_KEEPCNT, 3},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

int hg_addresses_connect(const struct hg_addresses *addresses, size_t index)
{
    HG_ASSERT(index < addresses->count);
    const struct address *address = &addresses->items[index];
    int fd = socket(address->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (address->at.ss_family != AF_UNIX)
        tune(fd);
    if (connect(fd, (const struct sockaddr *)&address->at, address->len) != 0 && errno != EINPROGRESS &&
        errno != EINTR) {
        int error = errno; /* EAGAIN too: a unix socket whose backlog is full does not connect later */
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

struct hg_phrase hg_redis_url_place(const struct hg_redis_url *url)
{
    struct hg_phrase place;
    if (url->path)
        hg_phrase_printf(&place, "%.150s", url->path);
    else
        hg_phrase_printf(&place, strchr(url->host, ':') ? "[%.150s]:%u" : "%.150s:%u", url->host, (unsigned)url->port);
    return place;
}
