/* host.h – host names, IP addresses and ports as text. Private to config. Ownership: nothing is kept. Calls out: none.
 */
#ifndef HG_CONFIG_HOST_H
#define HG_CONFIG_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* Longest host name (RFC 1035, section 2.3.4, as text). */
#define HG_HOST_BYTES_MAX 253

/* Letters, digits, '-', '_' and '.'; whether it resolves is the system's business. */
bool hg_host_is_name(struct hg_slice host);
/* The characters of an IPv6 address (RFC 4291, section 2.2), with an optional "%zone" (RFC 4007, section 11). */
bool hg_host_is_ipv6(struct hg_slice host);
/* Decimal digits only, at most `most`. */
bool hg_host_number(struct hg_slice text, uint32_t most, uint32_t *ret_number);

#endif
