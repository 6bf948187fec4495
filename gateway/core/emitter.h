/* emitter.h – events that clients emit: checked, kept until Redis has them, and answered once.
 *
 * An emit is looked at (rates, door.h), then waits in the lane of its stream (lane.h) until Redis has it, or until
 * emit_timeout_ms: then its client may ask again with the same id. What is refused for good goes to the stream of dead
 * letters first, if the topic names one: the client is told the refusal once the event is safe there. Bounds: emits_max
 * and emits_bytes_max for all; for one client reading stops at emits_per_session_max, and at twice as many it is
 * refused. Ownership: the emitter owns emits and lanes. */
#ifndef HG_CORE_EMITTER_H
#define HG_CORE_EMITTER_H

#include "core/door.h"
#include "core/lane.h"
#include "core/limiter.h"
#include "wire/command.h"

struct hg_emitter {
    struct hg_list emits; /* by deadline */
    uint64_t bytes;
    struct hg_map lanes;
    struct hg_list empty;                     /* lanes, the one that has been for longest first */
    hg_time gathers_until;                    /* the first of the lanes that wait for more; HG_TIME_NEVER: none does */
    uint64_t scopes[2 * HG_LANE_CALL_EVENTS]; /* scratch of one call: hashes of what is in it, 0: free */
    struct hg_limiter limiter;
    struct hg_buf pointer;  /* scratch: where an event is wrong */
    struct hg_slice *words; /* scratch of one call */
    size_t word_capacity;
};

void hg_emitter_init(struct hg_core *core);
void hg_emitter_done(struct hg_core *core);

void hg_emitter_emit(struct hg_core *core, struct hg_session *session, const struct hg_command *command);

/* It stands in its stream: its client is told. `reached`: how durably, empty when nobody asked. */
void hg_emit_acknowledge(struct hg_core *core, struct hg_emit *emit, struct hg_cursor cursor, bool duplicate,
                         struct hg_slice reached);
/* It never will: its client is told, or it goes to the dead letters first. `why` empty: the table's text. */
void hg_emit_reject(struct hg_core *core, struct hg_emit *emit, enum hg_error error, struct hg_slice why);

void hg_emitter_tick(struct hg_core *core);
hg_time hg_emitter_deadline(const struct hg_core *core);
void hg_emitter_validate(const struct hg_core *core);

#endif
