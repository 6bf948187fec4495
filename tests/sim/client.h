/* client.h – fake clients and their sockets: what they say, when they read, how they leave.
 *
 * A socket takes a number of bytes, then it is full until it was emptied; a client may stop reading, stop answering
 * pings, or vanish. What the gateway sends is taken apart frame by frame (RFC 6455) and told to the oracle; what the
 * client says is an order, which the oracle follows until it is answered. Ownership: orders are in the run's arena.
 * Calls out: the core's hg_on_ws_… functions from sim_client_event() only. */
#ifndef HG_SIM_CLIENT_H
#define HG_SIM_CLIENT_H

#include "core/ports.h"
#include "sim/env.h"
#include "sim/filter.h"
#include "sim/pace.h"
#include "sim/topics.h"
#include "wire/command.h"

#define SIM_CLIENTS 8

enum sim_order_kind {
    SIM_ORDER_SUBSCRIBE,
    SIM_ORDER_UPDATE,
    SIM_ORDER_UNSUBSCRIBE,
    SIM_ORDER_PAUSE,
    SIM_ORDER_RESUME,
    SIM_ORDER_SEEK,
    SIM_ORDER_EMIT,
    SIM_ORDER_PING,
    SIM_ORDER_GARBAGE
};

/* A place in a stream that a client was told. */
struct sim_cursor {
    bool given, proven;
    bool forged; /* its fingerprint is none of this stream's */
    hg_stream_id id;
    uint32_t fingerprint;
    size_t index; /* of the entry; of none when the id is 0-0 */
};

/* One command of a client. Its ref is its number, as JSON number or string. */
struct sim_order {
    struct sim_order *next; /* in the same message */
    enum sim_order_kind kind;
    uint64_t number;
    bool has_ref, ref_is_string;
    uint64_t client; /* the connection's number */
    bool delivered, answered, answered_ok;
    bool excused;        /* the session was closed */
    const char *pattern; /* SUBSCRIBE */
    enum hg_from_kind from, otherwise;
    uint64_t last, since_ms;
    struct sim_cursor *cursors;      /* CURSORS: one a topic */
    uint64_t speed;                  /* SUBSCRIBE, SEEK, RESUME: times the original pace; 0: as fast as it goes */
    struct sim_place *seek_places;   /* SEEK: where it begins, one a topic */
    const struct sim_filter *filter; /* SUBSCRIBE, UPDATE; NULL: every event */
    const char *filter_text;         /* its JSON; NULL: none is written */
    const struct sim_pace *pace;     /* SUBSCRIBE; NULL: none */
    bool filter_is_bad;              /* GARBAGE too: error 120 is due */
    uint64_t sub;                    /* UPDATE, UNSUBSCRIBE */
    bool sub_was_there;
    bool sub_was_coming; /* PAUSE, RESUME, SEEK: a subscribe of the client was not answered yet */
    bool was_busy;       /* UPDATE: another may have been under way */
    int topic;           /* EMIT */
    struct hg_slice id, event;
    bool stood_before; /* EMIT: the id stood in the stream already when the order arrived */
    uint64_t troubles; /* faults before it arrived */
};

struct sim_message {
    struct sim_message *next;
    bool text, too_big;
    struct hg_slice bytes;
    struct sim_order *orders;
};

enum sim_client_state { SIM_CLIENT_FREE, SIM_CLIENT_CONNECTING, SIM_CLIENT_OPEN, SIM_CLIENT_CLOSING };

struct sim_client {
    enum sim_client_state state;
    uint64_t number;     /* of the connection; never used again */
    uint32_t generation; /* of agenda entries */
    hg_session_ref session;
    bool stalled, muted, leaving; /* reads nothing; answers no ping; gone, but the gateway was not told yet */
    bool rude;                    /* ever did something that may end the connection */
    bool deflates;                /* permessage-deflate was agreed */
    bool welcomed, farewelled;
    /* what it says */
    struct sim_message *messages, **messages_end;
    hg_time way_there;
    bool paused; /* by the gateway */
    unsigned held;
    /* its socket */
    uint64_t room;
    hg_time refill_at;
    uint64_t buffered; /* bytes the adapter holds */
    bool full;         /* the gateway waits for writable */
    unsigned pings;    /* not answered yet */
};

struct sim_clients {
    struct sim_env *env;
    struct sim_client items[SIM_CLIENTS];
    uint64_t next_number;
    struct sim_order **orders; /* all, by number */
    size_t order_count, order_capacity;
    uint64_t next_id; /* of emits */
    struct hg_slice *used_ids;
    size_t used_count, used_capacity;
    /* for the oracle's sums */
    uint64_t opened, refused, writes, bytes, event_frames, error_frames, deflated_frames;
};

void sim_clients_init(struct sim_clients *clients, struct sim_env *env);
void sim_clients_done(struct sim_clients *clients);

/* The ports. */
enum hg_send sim_client_send(struct sim_clients *clients, hg_session_ref session, struct hg_slice frames);
void sim_client_close(struct sim_clients *clients, hg_session_ref session, uint16_t code, struct hg_slice reason);
void sim_client_pause(struct sim_clients *clients, hg_session_ref session, bool paused);

/* An entry of the agenda is due. */
void sim_client_event(struct sim_clients *clients, const struct sim_event *event);

/* What clients do. NULL: no free place. */
struct sim_client *sim_client_connect(struct sim_clients *clients);
void sim_client_leave(struct sim_client *client, struct sim_env *env);
void sim_client_stall(struct sim_client *client, struct sim_env *env, bool stalled);
void sim_client_mute(struct sim_client *client, struct sim_env *env, bool muted);
/* A message of one order; `follows` is sent in the same message before it (NULL: none). */
void sim_client_say(struct sim_clients *clients, struct sim_client *client, struct sim_order *order);
/* Orders, ready to be said; `a` and `b` choose among what there is. */
struct sim_order *sim_order_subscribe(struct sim_clients *clients, const char *pattern, uint32_t from);
/* Lets a subscribe or a seek begin anywhere. */
void sim_order_from(struct sim_order *order, uint32_t from);
/* Lets a subscribe begin at places that were told; or at a time. `cursors` has one a topic; `chance` chooses what is
 * done with them, and what those without one get. */
void sim_order_resume(struct sim_clients *clients, struct sim_order *order, const struct sim_cursor *cursors,
                      uint64_t since_ms, uint32_t chance);
void sim_order_since(struct sim_order *order, uint64_t since_ms);
/* Gives a subscribe or an update its filter. */
void sim_order_filter(struct sim_order *order, uint32_t chance);
struct sim_order *sim_order_update(struct sim_clients *clients, uint64_t sub, uint32_t chance);
struct sim_order *sim_order_unsubscribe(struct sim_clients *clients, uint64_t sub);
struct sim_order *sim_order_emit(struct sim_clients *clients, int topic, uint32_t a, uint32_t b);
/* Pause, resume or seek; a seek is to be given a `from`, as a subscribe. */
struct sim_order *sim_order_play(struct sim_clients *clients, enum sim_order_kind kind, uint64_t sub);
struct sim_order *sim_order_ping(struct sim_clients *clients);
void sim_client_garbage(struct sim_clients *clients, struct sim_client *client, uint32_t kind);

#endif
