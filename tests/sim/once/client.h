/* client.h – clients with outboxes, and their sockets.
 *
 * An item is one event under one id, and stands in the outbox of one client, or of two that share it. A client sends it
 * until it is told what became of it: again after 108 and 111 when it is told to, again on each new connection, at
 * whatever gateway; and no more once the window is over, since then nobody can tell. Ownership: all is in the run's
 * arena, but for arrays. Calls out: the core's hg_on_ws_… functions from once_client_event() only; the oracle. */
#ifndef HG_SIM_ONCE_CLIENT_H
#define HG_SIM_ONCE_CLIENT_H

#include <jansson.h>

#include "core/ports.h"
#include "sim/agenda.h"
#include "sim/once/options.h"
#include "sim/once/server.h"

struct once_world;

enum { ONCE_CLIENTS = 8, ONCE_CONNS = 48 };

struct once_item {
    uint64_t number;
    int topic;
    struct hg_slice id, event;
    bool no_echo;
    bool shared;
    hg_time first_sent;    /* HG_TIME_NEVER: not yet */
    uint64_t tolerance_ms; /* the window its clients were told at first */
    bool arrived;          /* at any gateway */
    uint64_t appended;     /* how often */
    hg_time appeared;      /* in its stream for the first time */
    uint64_t order;        /* among all that appeared; 0: never */
    uint64_t conflicts;    /* calls that found another event under its id */
    bool disturbed;        /* a call with it was refused, or could not be read */
    bool plainly;          /* it was appended without dedupe */
    struct once_slot *slots[2];
};

enum once_slot_state {
    ONCE_WAITING, /* to be sent when `due` */
    ONCE_SENT,
    ONCE_KEPT,    /* acknowledged */
    ONCE_REFUSED, /* for good */
    ONCE_GIVEN_UP /* after the window */
};

/* An item in a client's outbox. */
struct once_slot {
    struct once_item *item;
    struct once_client *client;
    enum once_slot_state state;
    hg_time due;
    struct once_sending *sending; /* SENT */
    bool refused;                 /* ever told 108 or 111, even if it was not heard */
    bool vanished;                /* a sending was never answered before its connection ended */
    hg_time delivered_at;         /* the first such, to a gateway */
};

/* One emit on the wire; its number is its ref. */
struct once_sending {
    uint64_t number;
    struct once_slot *slot;
    struct once_conn *conn;
    uint32_t generation; /* of the connection */
    bool delivered, answered;
    hg_time delivered_at;
    struct once_sending *next; /* in its message */
};

struct once_message {
    struct once_message *next;
    struct hg_slice bytes;
    struct once_sending *sendings;
};

/* What the gateway wrote, on its way. */
struct once_bytes {
    struct once_bytes *next;
    hg_time at;
    size_t len;
    json_t *messages; /* an array */
    unsigned pings;
};

/* One connection of a client. It may live on at the gateway when the client has long made another. */
enum once_conn_state { ONCE_FREE, ONCE_CONNECTING, ONCE_OPEN, ONCE_CLOSING };

struct once_conn {
    enum once_conn_state state;
    struct once_client *client;
    uint32_t generation; /* of agenda entries */
    uint32_t gateway;
    hg_session_ref session;
    bool welcomed;
    bool gone; /* the client is, the gateway was not told yet */
    bool dead; /* and what it had sent does not arrive either */
    /* the way there */
    struct once_message *messages, **messages_end;
    hg_time way_there;
    bool paused; /* by the gateway */
    unsigned held;
    /* the way back */
    struct once_bytes *bytes, **bytes_end;
    hg_time way_back;
    uint64_t under_way;
    bool full, was_full;
};

struct once_client {
    uint32_t number;
    struct once_conn *conn;  /* NULL: none */
    hg_time back_at;         /* without one: when it connects */
    bool ready;              /* it was welcomed */
    bool stalled;            /* reads nothing */
    struct hg_slice name;    /* of its session */
    struct once_names names; /* all that it ever had */
    uint64_t emits_limit, tolerance_ms;
    struct once_slot **outbox;
    size_t slot_count, slot_capacity;
    size_t settled; /* all before it are */
};

struct once_clients {
    struct once_world *world;
    struct once_client items[ONCE_CLIENTS];
    struct once_conn conns[ONCE_CONNS];
    struct once_item **all;
    size_t item_count, item_capacity;
    struct once_sending **sendings;
    size_t sending_count, sending_capacity;
    uint64_t acknowledged; /* as they heard */
};

void once_clients_init(struct once_clients *clients, struct once_world *world);
void once_clients_done(struct once_clients *clients);

/* The ports. */
enum hg_send once_client_send(struct once_world *world, uint32_t gateway, hg_session_ref session,
                              struct hg_slice bytes);
void once_client_close(struct once_world *world, uint32_t gateway, hg_session_ref session, uint16_t code,
                       struct hg_slice reason);
void once_client_pause(struct once_world *world, uint32_t gateway, hg_session_ref session, bool paused);

/* An entry of the agenda is due. */
void once_client_event(struct once_world *world, const struct sim_event *event);

/* What clients do. `a` and `b` choose among what there is. */
void once_client_emit(struct once_world *world, struct once_client *client, uint32_t a, uint32_t b);
void once_client_leave(struct once_world *world, struct once_client *client);
void once_client_stall(struct once_world *world, struct once_client *client, bool stalled);
/* The gateway is no more. */
void once_clients_cut(struct once_world *world, uint32_t gateway);
/* Nothing in any outbox is left to do. */
bool once_clients_are_settled(const struct once_clients *clients);

#endif
