#include "ws/tickets.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

hg_result hg_ws_tickets_turn(struct hg_ws_tickets *tickets, hg_time now)
{
    struct hg_ws_ticket_key key;
    if (tickets->count > 0 && !hg_time_reached(tickets->next, now))
        return HG_OK;
    if (RAND_bytes(key.name, sizeof(key.name)) != 1 || RAND_priv_bytes(key.seal, sizeof(key.seal)) != 1 ||
        RAND_priv_bytes(key.proof, sizeof(key.proof)) != 1)
        return HG_FAIL(INTERNAL);
    tickets->keys[1] = tickets->keys[0];
    tickets->keys[0] = key;
    tickets->count = tickets->count > 0 ? 2 : 1;
    tickets->next = hg_time_add(now, hg_ms(HG_WS_TICKETS_MS));
    OPENSSL_cleanse(&key, sizeof(key));
    return HG_OK;
}

void hg_ws_tickets_done(struct hg_ws_tickets *tickets)
{
    OPENSSL_cleanse(tickets, sizeof(*tickets));
}

const struct hg_ws_ticket_key *hg_ws_tickets_find(const struct hg_ws_tickets *tickets, const unsigned char name[16])
{
    for (size_t i = 0; i < tickets->count; i++)
        if (memcmp(tickets->keys[i].name, name, sizeof(tickets->keys[i].name)) == 0)
            return &tickets->keys[i];
    return NULL;
}
