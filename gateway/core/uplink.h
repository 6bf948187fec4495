/* uplink.h – a link that carries emits to Redis: how the server there can append once, and whether it is worth trying.
 *
 * After each connection the server is asked what it is (INFO) and given the step of dedupe.h: as a Function, else as a
 * script, whichever it takes first. What is denied is not tried again until the next connection. A circuit breaker
 * (flow/breaker.h) counts what fails: while it is open emits are refused at once. It also opens when the link is gone
 * for breaker_open_min_ms, and as soon as the link is back a trial may go. There is one uplink for each durability,
 * since WAIT counts the writes of its own connection. Ownership: the core owns its uplinks; lanes come and go. */
#ifndef HG_CORE_UPLINK_H
#define HG_CORE_UPLINK_H

#include "base/list.h"
#include "base/map.h"
#include "base/time.h"
#include "config/config.h"
#include "config/durability.h"
#include "core/reply.h"
#include "flow/breaker.h"

struct hg_core;
struct hg_told;

/* How the step is called there. */
enum hg_scripting {
    HG_SCRIPTING_UNKNOWN,
    HG_SCRIPTING_ASKING,
    HG_SCRIPTING_FUNCTION,
    HG_SCRIPTING_SCRIPT,
    HG_SCRIPTING_DENIED
};

struct hg_uplink {
    uint32_t link;
    bool used; /* some rule takes emits over it */
    enum hg_scripting scripting;
    bool no_functions; /* denied, or not known there; until the next connection */
    bool forgotten;    /* the step, and no call went through since */
    bool idmp;         /* XADD … IDMP is to be had */
    char server[40];   /* such as "Redis 7.0.15"; empty: not known */
    char *sha;         /* of the script */
    char *trouble;     /* Redis's words as the log has them */
    bool trouble_over; /* a call went through since */
    hg_time trouble_said;
    char *told;       /* how it works, as the log has it */
    hg_time retry_at; /* UNKNOWN: not asked again before */
    bool down;
    hg_time down_since;
    struct hg_breaker breaker;
    struct hg_backoff backoff; /* of refusals that may pass: */
    hg_time rest_until;        /* nothing is sent before */
    struct hg_list ready;      /* lanes with something to send */
    /* idmp.h: */
    struct hg_map told_streams;
    struct hg_list told_order; /* the oldest first */
    struct hg_told *telling;   /* who is told; nothing else is sent meanwhile, for EXEC ends what WATCH began */
    char *idmp_trouble;        /* Redis's words, said once */
};

struct hg_uplinks {
    const char *function;                         /* hg_dedupe_name() */
    struct hg_uplink items[HG_DURABILITY__COUNT]; /* by enum hg_durability_kind */
};

void hg_uplinks_init(struct hg_core *core);
/* Opens those that are used; the commander's link is opened in any case. */
void hg_uplinks_start(struct hg_core *core);
void hg_uplinks_done(struct hg_core *core);

/* What a rule asks for; its text was checked. */
struct hg_durability hg_rule_durability(const struct hg_rule *rule);

/* NULL: no emits go over this link. */
struct hg_uplink *hg_uplink_find(struct hg_core *core, uint32_t link);
void hg_uplink_up(struct hg_core *core, struct hg_uplink *uplink);
void hg_uplink_lost(struct hg_core *core, struct hg_uplink *uplink);

/* What INFO, FUNCTION LOAD and SCRIPT LOAD answered; NULL: lost with the link. */
void hg_uplink_server(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply);
void hg_uplink_function(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply);
void hg_uplink_script(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply);
/* A call found the step forgotten, or was not allowed to call it this way: asks again, unless another call that was
 * under way with it did. */
void hg_uplink_forgot(struct hg_core *core, struct hg_uplink *uplink, struct hg_slice words);
void hg_uplink_denied(struct hg_core *core, struct hg_uplink *uplink);

/* A stream's events cannot go by XADD IDMP; Redis's words are logged when they change. */
void hg_uplink_not_by_idmp(struct hg_core *core, struct hg_uplink *uplink, struct hg_slice words);

/* Something was refused: Redis's words are logged once, until a call succeeds, and then not too often. */
void hg_uplink_trouble(struct hg_core *core, struct hg_uplink *uplink, struct hg_slice words);
/* Redis answered, if with a refusal that concerns one topic only: it is there. */
void hg_uplink_answered(struct hg_core *core, struct hg_uplink *uplink);
/* The outcome of a call: it went through; it was refused with words that may pass, and nothing is sent for a while. */
void hg_uplink_success(struct hg_core *core, struct hg_uplink *uplink);
void hg_uplink_rest(struct hg_core *core, struct hg_uplink *uplink, struct hg_slice words);

/* Whether an emit may come in; if not, when to try again. */
bool hg_uplink_admits(struct hg_core *core, struct hg_uplink *uplink, uint64_t *reterr_retry_ms);
/* How events are appended there, in a word: "idmp", "function", "script", "none", or "" while it is not known. */
const char *hg_uplink_way(const struct hg_uplink *uplink);
/* Calls can be sent. */
bool hg_uplink_is_ready(const struct hg_core *core, const struct hg_uplink *uplink);

void hg_uplinks_tick(struct hg_core *core);
hg_time hg_uplinks_deadline(const struct hg_core *core);

#endif
