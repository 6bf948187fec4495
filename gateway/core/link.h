/* link.h – the connections to Redis: opened, kept, given up and opened again with backoff; requests and their answers.
 *
 * A link: CLOSED (not wanted) → OPENING → UP → WAITING (lost; opened again at a time) → OPENING …
 * Answers come in the order of requests, so each link keeps its requests in a list. A request that is lost with its
 * link is handed back as done without a reply. Ownership: the link owns its requests; an object that dies before its
 * answer sets request->object to NULL. */
#ifndef HG_CORE_LINK_H
#define HG_CORE_LINK_H

#include "base/list.h"
#include "base/time.h"
#include "core/ports.h"
#include "core/reply.h"
#include "flow/backoff.h"

struct hg_core;

enum hg_request_kind {
    HG_REQUEST_SUBSCRIBE,   /* object: struct hg_source; listener */
    HG_REQUEST_UNSUBSCRIBE, /* no object */
    HG_REQUEST_PING,        /* no object */
    HG_REQUEST_CANARY,      /* no object; listener */
    HG_REQUEST_PUBLISH,     /* no object */
    HG_REQUEST_TYPE,        /* object: struct hg_interest, an exact one of an "auto" rule */
    HG_REQUEST_LOCATE,      /* object: struct hg_source, a stream */
    HG_REQUEST_INSPECT,     /* object: struct hg_source, a stream whose type is in doubt */
    HG_REQUEST_TIP,         /* object: struct hg_source, a stream */
    HG_REQUEST_SCAN,        /* no object */
    HG_REQUEST_SERVER,      /* object: struct hg_uplink; INFO */
    HG_REQUEST_FUNCTION,    /* object: struct hg_uplink; FUNCTION LOAD */
    HG_REQUEST_SCRIPT,      /* object: struct hg_uplink; SCRIPT LOAD */
    HG_REQUEST_EMIT,        /* object: struct hg_lane */
    HG_REQUEST_WAIT,        /* object: struct hg_lane; WAIT, WAITAOF */
    HG_REQUEST_QUEUED,      /* object: struct hg_lane, or none; within a transaction */
    HG_REQUEST_IDMP_QUEUED, /* object: struct hg_uplink; before IDMP_INFO and IDMP_SET */
    HG_REQUEST_IDMP_STEP,   /* object: struct hg_uplink */
    HG_REQUEST_IDMP_INFO,   /* object: struct hg_uplink */
    HG_REQUEST_IDMP_SET,    /* object: struct hg_uplink */
    HG_REQUEST_IDMP_EVENTS, /* object: struct hg_lane */
    HG_REQUEST_IDMP_ENTRY,  /* object: struct hg_lane */
    HG_REQUEST_UNBLOCK,     /* object: struct hg_reader */
    HG_REQUEST_READ,        /* object: struct hg_reader */
    HG_REQUEST_PROVE,       /* object: struct hg_source; a reader's link */
    HG_REQUEST_JUDGE,       /* object: struct hg_source; a reader's link */
    HG_REQUEST_PAGE,        /* object: struct hg_source */
    HG_REQUEST_VERDICT,     /* object: struct hg_source */
};

struct hg_request {
    struct hg_list_node node;
    uint64_t token;
    enum hg_request_kind kind;
    void *object;
};

enum hg_link_state { HG_LINK_CLOSED, HG_LINK_OPENING, HG_LINK_UP, HG_LINK_WAITING };

struct hg_link {
    enum hg_link_state state;
    struct hg_list requests;
    struct hg_backoff backoff;
    hg_time reopen_at; /* WAITING */
    hg_time up_at;
    hg_time progress; /* UP: the last that came, or the first request after all were answered */
    uint64_t client_id;
    char *trouble; /* why it was lost last; NULL while all is well */
};

struct hg_links {
    struct hg_link *items[HG_LINK_COUNT_MAX]; /* NULL: never opened */
    uint32_t count;                           /* one past the highest that was opened */
    uint64_t next_token;
};

/* Opens a link unless it is open, opening or waiting already. */
void hg_link_want(struct hg_core *core, uint32_t link);
/* Closes it for good; its requests are forgotten (objects must have let go of them). */
void hg_link_drop(struct hg_core *core, uint32_t link);
bool hg_link_is_up(const struct hg_core *core, uint32_t link);
/* "listener", "commander", … */
const char *hg_link_name(uint32_t link);
/* Why the link is not up, for people. */
const char *hg_link_trouble(const struct hg_core *core, uint32_t link);

/* Only on a link that is up. */
struct hg_request *hg_link_send(struct hg_core *core, uint32_t link, enum hg_request_kind kind, void *object,
                                const struct hg_slice *argv, size_t argc);
/* An answer is expected that no command of its own caused (one SUBSCRIBE names many channels). */
struct hg_request *hg_link_expect(struct hg_core *core, uint32_t link, enum hg_request_kind kind, void *object);
void hg_link_ping(struct hg_core *core, uint32_t link);
/* Something came that answers no request: what was asked may stand behind more of that. */
void hg_link_heard(struct hg_core *core, uint32_t link);
/* The oldest request was answered. */
void hg_link_answered(struct hg_core *core, uint32_t link, const struct hg_reply *reply);

void hg_link_up(struct hg_core *core, uint32_t link, uint64_t client_id);
/* `close`: the core gave up on it and the adapter must be told. */
void hg_link_lost(struct hg_core *core, uint32_t link, struct hg_slice reason, bool close);

void hg_links_tick(struct hg_core *core);
hg_time hg_links_deadline(const struct hg_core *core);
void hg_links_done(struct hg_core *core);

#endif
