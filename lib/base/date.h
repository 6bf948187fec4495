/* date.h – a moment as people write it (RFC 3339): "2026-11-23T10:00:00.5Z", "2026-11-23t11:00:00+01:00".
 *
 * Unit: milliseconds since 1970-01-01T00:00:00Z; finer fractions are cut off. A leap second counts as the last moment
 * before it. Calls out: none. */
#ifndef HG_BASE_DATE_H
#define HG_BASE_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* False for what is no such moment, or before 1970; `ret_ms` is untouched then. */
bool hg_date_parse(struct hg_slice text, uint64_t *ret_ms);

#endif
