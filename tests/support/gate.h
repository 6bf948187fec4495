/* gate.h – a core with a recording world around it, for unit tests of single decisions. (The simulator has a world with
 * manners of its own; here each event is put by hand.)
 *
 * Commands to Redis are recorded as text, `link: WORD WORD …` one a line; answers are put by the test, or with
 * hgt_serve() by streams that it fills. The canary and PING are answered by themselves, and not recorded, unless
 * canary_by_hand is set; so are INFO and FUNCTION LOAD, unless greetings_by_hand is. Frames sent to a client are
 * recorded as the JSON of their messages, one a line; pings as `ping`. A client's socket can be made to buffer. */
#ifndef HGT_SUPPORT_GATE_H
#define HGT_SUPPORT_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/core.h"
#include "support/stream.h"

#define HGT_CLIENTS_MAX 8
#define HGT_STREAMS_MAX 16

struct hgt_client {
    hg_session_ref ref;
    struct hg_buf said;  /* messages, one a line */
    struct hg_buf bytes; /* of the last write */
    unsigned writes;
    bool deflates;       /* permessage-deflate was agreed */
    unsigned deflated;   /* frames that came so; they are recorded inflated */
    bool buffering;      /* the next write fills the socket */
    uint16_t close_code; /* 0: not closed by the core */
    bool paused;
};

struct hgt_gate {
    struct hg_config *config;
    struct hg_core *core;
    hg_time now;
    struct hg_buf asked; /* commands to Redis */
    struct hg_buf log;
    struct hgt_request {
        struct hgt_request *next;
        uint64_t token;
        char text[];
    } * requests[HG_LINK_COUNT_MAX]; /* not answered, in order */
    bool opening[HG_LINK_COUNT_MAX];
    bool canary_by_hand;
    bool greetings_by_hand; /* so are INFO and FUNCTION LOAD, which a link is asked first */
    struct hgt_stream streams[HGT_STREAMS_MAX];
    unsigned stream_count;
    struct hgt_client clients[HGT_CLIENTS_MAX];
    unsigned client_count;
};

/* `config`: JSON. All three standing links are up; readers are brought up by the test, or by hgt_serve(). */
void hgt_gate_open(struct hgt_gate *gate, const char *config);
void hgt_gate_close(struct hgt_gate *gate);

struct hgt_client *hgt_gate_connect(struct hgt_gate *gate);
/* The same, with permessage-deflate. */
struct hgt_client *hgt_gate_connect_deflating(struct hgt_gate *gate);
void hgt_say(struct hgt_gate *gate, const struct hgt_client *client, const char *message);
/* Ends the turn, after `ms` have passed. */
void hgt_turn(struct hgt_gate *gate, uint64_t ms);
/* What was recorded contains this text. */
bool hgt_said(const struct hgt_client *client, const char *text);
bool hgt_asked(const struct hgt_gate *gate, const char *text);
/* Forgets what was recorded. */
void hgt_forget(struct hgt_gate *gate);

/* An answer to the oldest command of a link, or a push on the listener, in RESP as Redis sends it. */
void hgt_answer(struct hgt_gate *gate, uint32_t link, const char *resp);
void hgt_down(struct hgt_gate *gate, uint32_t link);
void hgt_up(struct hgt_gate *gate, uint32_t link);

/* A stream that Redis has, empty and not there yet; lives as long as the gate. */
struct hgt_stream *hgt_gate_stream(struct hgt_gate *gate, const char *name);
/* Brings up links that are wanted, answers whatever the streams can answer, and ends turns, until nothing is left to do
 * but to wait for an entry. */
void hgt_serve(struct hgt_gate *gate);
/* Only what one link asked so far, without a turn; false: there was nothing to answer. */
bool hgt_serve_link(struct hgt_gate *gate, uint32_t link);
/* How often this text was recorded. */
unsigned hgt_said_times(const struct hgt_client *client, const char *text);
unsigned hgt_asked_times(const struct hgt_gate *gate, const char *text);
unsigned hgt_logged_times(const struct hgt_gate *gate, const char *text);

#endif
