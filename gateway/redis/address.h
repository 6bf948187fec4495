/* address.h – where Redis listens: what a redis_url resolves to, and sockets that begin to connect there.
 *
 * Ownership: counted references; the caller of resolve has one. Blocks: hg_addresses_resolve() for host names, as long
 * as the system's resolver takes; never for numeric addresses and unix sockets. Calls out: none. */
#ifndef HG_REDIS_ADDRESS_H
#define HG_REDIS_ADDRESS_H

#include <stddef.h>

#include "base/error.h"
#include "redis/words.h"

struct hg_redis_url;
struct hg_addresses;

/* `reterr`: why, when it failed. */
HG_RESULT hg_addresses_resolve(const struct hg_redis_url *url, struct hg_addresses **ret_addresses,
                               struct hg_phrase *reterr);
void hg_addresses_ref(struct hg_addresses *addresses);
/* Accepts NULL. */
void hg_addresses_unref(struct hg_addresses *addresses);
size_t hg_addresses_count(const struct hg_addresses *addresses);

/* A non-blocking socket that is connecting to the `index`th address, or has. -1 with errno set when that failed at
 * once. */
int hg_addresses_connect(const struct hg_addresses *addresses, size_t index);

/* "host:port", "[host]:port" or the path of the socket. */
struct hg_phrase hg_redis_url_place(const struct hg_redis_url *url);

#endif
