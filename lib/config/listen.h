/* listen.h – where to accept connections: HOST:PORT with a name or IPv4 address, [IPV6]:PORT, and :PORT or *:PORT for
 * all addresses. Ownership: nothing is kept. Errors: SYNTAX with a phrase. Calls out: none. */
#ifndef HG_CONFIG_LISTEN_H
#define HG_CONFIG_LISTEN_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

struct hg_listen {
    char host[256]; /* IPv6 without brackets; empty: all addresses */
    uint16_t port;  /* 0: the system chooses one */
};

/* `reterr_why` (may be NULL): a static phrase that completes "the address …". */
HG_RESULT hg_listen_parse(struct hg_slice text, struct hg_listen *ret_listen, const char **reterr_why);

#endif
