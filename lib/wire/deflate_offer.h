/* deflate_offer.h – what a client offers in Sec-WebSocket-Extensions, and what is answered (RFC 6455, section 9.1; RFC
 * 7692, section 7.1).
 *
 * Of several offers of permessage-deflate the first that can be met is taken. Our answer always says that neither side
 * remembers a message for the next. Pure. Units: windows in bits. Calls out: none. */
#ifndef HG_WIRE_DEFLATE_OFFER_H
#define HG_WIRE_DEFLATE_OFFER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define HG_DEFLATE_EXTENSION "permessage-deflate"

struct hg_deflate_terms {
    bool agreed;
    unsigned window_bits; /* of ours, to be told in the answer; 0: the client did not ask */
    unsigned offers;      /* of permessage-deflate, those that were not taken too */
};

/* `window_bits`: what our deflated messages need; an offer that allows less is not taken. Error: SYNTAX, when the field
 * is not a list of extensions. */
HG_RESULT hg_deflate_offer_choose(struct hg_slice field, unsigned window_bits, struct hg_deflate_terms *ret_terms);
/* Appends the field's value for the answer; the terms are agreed. */
void hg_deflate_offer_answer(const struct hg_deflate_terms *terms, struct hg_buf *to);

#endif
