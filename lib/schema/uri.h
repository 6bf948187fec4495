/* uri.h – what a reference means where it stands (RFC 3986, section 5.2). Private to schema.
 * Ownership: nothing is kept. Errors: those of the buffer. Calls out: none. */
#ifndef HG_SCHEMA_URI_H
#define HG_SCHEMA_URI_H

#include "base/buf.h"
#include "base/slice.h"

/* Appends the target of `reference` seen from `base`, which may be empty, without its fragment; the fragment (the bytes
 * behind the #, none: empty) is part of `reference`. */
void hg_uri_resolve(struct hg_slice base, struct hg_slice reference, struct hg_buf *into,
                    struct hg_slice *ret_fragment);

#endif
