/* base64.h – Base 64 with padding (RFC 4648, section 4). Calls out: none. */
#ifndef HG_EVENT_BASE64_H
#define HG_EVENT_BASE64_H

#include "base/buf.h"
#include "base/slice.h"

void hg_base64_put(struct hg_buf *buf, struct hg_slice bytes);

#endif
