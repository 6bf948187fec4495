/* agenda.h – what is going to happen, by time: a binary heap; equal times keep the order in which they were put.
 * Ownership: `data` is the caller's. Calls out: none. */
#ifndef HG_SIM_AGENDA_H
#define HG_SIM_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

enum sim_event_kind {
    SIM_LINK_OPENED, /* who: link, generation: the connection's */
    SIM_LINK_WORK,   /* a command has reached Redis */
    SIM_LINK_UNBLOCK,
    SIM_LINK_REPLY, /* a reply has reached the gateway */
    SIM_LINK_DOWN,
    SIM_SERVER_BACK,
    SIM_WS_OPEN, /* who: client */
    SIM_WS_MESSAGE,
    SIM_WS_WRITABLE,
    SIM_WS_PONG,
    SIM_WS_CLOSED,
    /* of the simulator of emits only (once/): */
    SIM_WS_BYTES,     /* what the gateway wrote has reached the client */
    SIM_OUTBOX_DUE,   /* the client has something to send, or wants to connect */
    SIM_GATEWAY_BACK, /* who: gateway */
    SIM_STRAY_WORK,   /* commands of a connection that is no more reach Redis */
};

struct sim_event {
    hg_time at;
    uint64_t order;
    enum sim_event_kind kind;
    uint32_t who, generation;
};

struct sim_agenda {
    struct sim_event *heap;
    size_t count, capacity;
    uint64_t order;
};

void sim_agenda_put(struct sim_agenda *agenda, hg_time at, enum sim_event_kind kind, uint32_t who, uint32_t generation);
/* HG_TIME_NEVER when empty. */
hg_time sim_agenda_next(const struct sim_agenda *agenda);
struct sim_event sim_agenda_pop(struct sim_agenda *agenda);
/* Empties it and keeps the memory. */
void sim_agenda_clear(struct sim_agenda *agenda);
void sim_agenda_done(struct sim_agenda *agenda);

#endif
