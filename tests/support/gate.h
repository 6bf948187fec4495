/* gate.h – a core with a recording world around it, for unit tests of single decisions. (The simulator has a world with
 * manners of its own; here each event is put by hand.)
 *
 * Commands to Redis are recorded as text, `link: WORD WORD …` one a line; answers are put by the test. Frames sent to a
 * client are recorded as the JSON of their messages, one a line; pings as `ping`. A client's socket can be made to
 * buffer. */
#ifndef HGT_SUPPORT_GATE_H
#define HGT_SUPPORT_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/core.h"

#define HGT_CLIENTS_MAX 8

struct hgt_client {
    hg_session_ref ref;
    struct hg_buf said;  /* messages, one a line */
    struct hg_buf bytes; /* of the last write */
    unsigned writes;
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
    uint64_t tokens[HG_LINK_COUNT_MAX][64]; /* of commands not answered, in order */
    unsigned token_count[HG_LINK_COUNT_MAX];
    struct hgt_client clients[HGT_CLIENTS_MAX];
    unsigned client_count;
};

/* `config`: JSON. All three standing links are up; so are readers as soon as they are wanted, unless told otherwise. */
void hgt_gate_open(struct hgt_gate *gate, const char *config);
void hgt_gate_close(struct hgt_gate *gate);

struct hgt_client *hgt_gate_connect(struct hgt_gate *gate);
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

#endif
