/* redis_url.h – where Redis is: redis://[user[:password]@]host[:port][/db] (IANA provisional scheme "redis"), with
 * ":password@" for the default user, IPv6 hosts in brackets, and unix://[user[:password]@]/path[?db=n]. User, password
 * and path are percent-decoded (RFC 3986). rediss:// is refused with a sentence (TLS to Redis is not built in).
 * Ownership: strings belong to the struct; hg_redis_url_done() frees them. Errors: SYNTAX with a sentence, NOMEM. */
#ifndef HG_CONFIG_REDIS_URL_H
#define HG_CONFIG_REDIS_URL_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

struct hg_redis_url {
    char *host;     /* NULL for a unix socket */
    uint16_t port;  /* default 6379 */
    char *path;     /* NULL for TCP */
    char *user;     /* NULL: none */
    char *password; /* NULL: none */
    unsigned db;
};

/* `reterr_why` (may be NULL): a static phrase. */
HG_RESULT hg_redis_url_parse(struct hg_slice text, struct hg_redis_url *ret_url, const char **reterr_why);
void hg_redis_url_done(struct hg_redis_url *url);
/* Appends the URL with "***" for its password; in one that does not parse, for all that may be part of one. */
void hg_redis_url_mask(struct hg_slice text, struct hg_buf *into);

#endif
