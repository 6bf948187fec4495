/* emitter.h – events that clients emit: each appended to its stream once, by one script, and answered once.
 *
 * QUEUED → SENT → answered. An emit whose outcome is unknown (the link was lost) is sent again with the same id, which the
 * script makes harmless, until emit_timeout_ms. Emits leave in the order they came. All are bounded in count and bytes. */
#ifndef HG_CORE_EMITTER_H
#define HG_CORE_EMITTER_H

#include "base/list.h"
#include "base/time.h"
#include "core/ports.h"
#include "core/reply.h"
#include "wire/command.h"

struct hg_core;
struct hg_request;
struct hg_session;

enum hg_emit_state { HG_EMIT_QUEUED, HG_EMIT_SENT };

struct hg_emit {
    struct hg_list_node node; /* emitter->emits */
    enum hg_emit_state state;
    hg_session_ref session;
    struct hg_request *request; /* SENT */
    hg_time deadline;
    uint64_t maxlen, window_ms;
    uint32_t fingerprint;
    bool was_sent; /* before, with an outcome that is not known */
    size_t bytes;
    struct hg_slice payload_field; /* of the rule */
    struct hg_slice ref, key, dedupe_key, id, event; /* within text */
    char text[];
};

enum hg_script_state { HG_SCRIPT_UNKNOWN, HG_SCRIPT_LOADING, HG_SCRIPT_LOADED };

struct hg_emitter {
    struct hg_list emits; /* in order of arrival and of deadline: SENT ones, then QUEUED ones */
    struct hg_emit *first_queued;
    size_t sent;
    uint64_t bytes;
    enum hg_script_state script;
    char *sha;
    char *trouble; /* Redis's words, said once */
    hg_time retry_at; /* after the script could not be loaded */
};

void hg_emitter_emit(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
void hg_emitter_answered(struct hg_core *core, struct hg_emit *emit, const struct hg_reply *reply);
void hg_emitter_script_loaded(struct hg_core *core, const struct hg_reply *reply);
void hg_emitter_link_lost(struct hg_core *core);
void hg_emitter_pump(struct hg_core *core);
void hg_emitter_tick(struct hg_core *core);
hg_time hg_emitter_deadline(const struct hg_core *core);
void hg_emitter_done(struct hg_core *core);

#endif
