/* tickets.h – the keys of session tickets (RFC 8446, section 4.6.1; RFC 5077, section 4): what a client brings back so
 * that no certificate need be proven again. Nothing is kept of a session here; the ticket holds it, sealed.
 *
 * The current key seals, it and the one before open. A key seals for HG_WS_TICKETS_MS, which is also how long a ticket
 * is good. They are made here and never leave: a gateway that starts knows no tickets of before.
 * Not for several threads at once; see tls.h. Errors: INTERNAL when the system has no random numbers. Calls out: none.
 */
#ifndef HG_WS_TICKETS_H
#define HG_WS_TICKETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/time.h"

#define HG_WS_TICKETS_MS (12ull * 3600 * 1000)

struct hg_ws_ticket_key {
    unsigned char name[16], seal[32], proof[32];
};
struct hg_ws_tickets {
    struct hg_ws_ticket_key keys[2]; /* the current one first */
    size_t count;
    hg_time next; /* when a new one is due; that of before hg_ws_tickets_turn() is called is due at once */
};

/* A new key, if one is due. */
HG_RESULT hg_ws_tickets_turn(struct hg_ws_tickets *tickets, hg_time now);
/* Wipes them. */
void hg_ws_tickets_done(struct hg_ws_tickets *tickets);
/* NULL: none of ours, or too old. */
const struct hg_ws_ticket_key *hg_ws_tickets_find(const struct hg_ws_tickets *tickets, const unsigned char name[16]);

#endif
