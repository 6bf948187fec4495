/* oracle.h – what must be true of emits, whatever breaks. It sees what Redis does and what clients are sent, and asks
 * the cores for nothing but counters. Calls out: sim_violation(). */
#ifndef HG_SIM_ONCE_ORACLE_H
#define HG_SIM_ONCE_ORACLE_H

#include <jansson.h>

#include "core/core.h"
#include "sim/dedupe.h"

struct once_world;
struct once_stream;
struct once_entry;
struct once_sending;
struct once_conn;

struct once_oracle {
    uint64_t appearances;
    uint64_t acknowledged, duplicates, unavailable, too_many, conflicts, pauses;
};

/* What Redis does: a call begins; an event was appended, found, refused; a command was refused as a whole. */
void once_oracle_call(struct once_world *world, const struct once_stream *stream, const struct sim_dedupe_call *call);
void once_oracle_appended(struct once_world *world, struct once_stream *stream, struct once_entry *entry,
                          struct hg_slice scope);
void once_oracle_appended_plainly(struct once_world *world, struct once_stream *stream, struct once_entry *entry,
                                  uint64_t maxlen);
void once_oracle_found(struct once_world *world, struct once_stream *stream, struct hg_slice event,
                       struct once_entry *entry);
void once_oracle_refused(struct once_world *world, struct hg_slice event);
void once_oracle_error(struct once_world *world, const struct hg_slice *argv, size_t argc);

/* What a gateway says, when it says it: the client may never hear it. */
void once_oracle_message(struct once_world *world, struct once_conn *conn, const char *op, const json_t *message);

/* At the end of each turn of a gateway; and before it is freed. */
void once_oracle_turn(struct once_world *world, const struct hg_core *core);
/* All has healed and time has passed. */
void once_oracle_settled(struct once_world *world);

#endif
