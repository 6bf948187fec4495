#include "core/emitter.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "topic/template.h"
#include "wire/message.h"

#define RETRY_MS          1000u
#define POINTER_BYTES_MAX 1024u

void hg_emitter_init(struct hg_core *core)
{
    struct hg_emitter *emitter = &core->emitter;
    hg_map_init(&emitter->lanes, core->hash_key);
    hg_limiter_init(core);
    hg_buf_init(&emitter->pointer, POINTER_BYTES_MAX);
    hg_uplinks_init(core);
}

/* Of its session nothing is known here: it may be on its way out too. */
static void drop(struct hg_core *core, struct hg_emit *emit)
{
    struct hg_emitter *emitter = &core->emitter;
    emitter->bytes -= emit->bytes;
    hg_lane_remove(core, emit);
    hg_list_remove(&emitter->emits, &emit->in_order);
    free(emit);
}

static void free_emit(struct hg_core *core, struct hg_emit *emit)
{
    struct hg_session *session = hg_session_get(core, emit->session);
    if (session) {
        session->emits--;
        if (session->emits <= core->config->emits_per_session_max / 2)
            hg_session_listen(core, session, HG_DEAF_EMITS);
    }
    drop(core, emit);
}

void hg_emitter_done(struct hg_core *core)
{
    struct hg_emitter *emitter = &core->emitter;
    while (emitter->emits.first)
        drop(core, HG_CONTAINER(emitter->emits.first, struct hg_emit, in_order));
    hg_lanes_done(core);
    hg_uplinks_done(core);
    hg_limiter_done(core);
    hg_map_done(&emitter->lanes);
    hg_buf_done(&emitter->pointer);
    free(emitter->words);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static uint64_t retry_ms(struct hg_core *core)
{
    return RETRY_MS / 2 + hg_prng_below(&core->prng, RETRY_MS);
}

static struct hg_session *client_of(struct hg_core *core, const struct hg_emit *emit)
{
    struct hg_session *session = hg_session_get(core, emit->session);
    if (session && session->state == HG_SESSION_OPEN && !HG_MUTANT(LOST_ACK))
        return session;
    core->stats.emits_orphaned++;
    return NULL;
}

/* It failed for now: its client keeps it and asks again. */
static void put_off(struct hg_core *core, struct hg_emit *emit, enum hg_error error, struct hg_slice why)
{
    core->stats.emits_failed++;
    struct hg_session *session = client_of(core, emit);
    if (session)
        hg_session_error(core, session, emit->ref, error, why, SIZE_MAX, retry_ms(core));
    free_emit(core, emit);
}

static void tell_verdict(struct hg_core *core, struct hg_session *session, struct hg_slice ref, enum hg_error error,
                         struct hg_slice why, struct hg_slice pointer)
{
    size_t mark;
    core->stats.errors_out++;
    hg_session_answer_begin(session, &mark);
    hg_message_error_event(&session->out, ref, error, why, pointer);
    hg_session_answer_end(core, session, mark);
}

static void condemn(struct hg_core *core, struct hg_emit *emit, enum hg_error error, struct hg_slice why,
                    struct hg_slice pointer)
{
    core->stats.emits_failed++;
    struct hg_session *session = client_of(core, emit);
    if (session)
        tell_verdict(core, session, emit->ref, error, why, pointer);
    free_emit(core, emit);
}

void hg_emit_acknowledge(struct hg_core *core, struct hg_emit *emit, struct hg_cursor cursor, bool duplicate,
                         struct hg_slice reached)
{
    const struct hg_lane *lane = emit->lane;
    if (!duplicate && !hg_source_find(core, HG_SOURCE_TYPE_STREAM, lane->stream))
        hg_discovery_hint(core, lane->stream);
    if (lane->kind == HG_LANE_DEAD_LETTERS) {
        core->stats.dead_letters++;
        condemn(core, emit, emit->verdict, emit->why, emit->pointer);
        return;
    }
    if (duplicate)
        core->stats.emits_duplicate++;
    else
        core->stats.emits_appended++;
    struct hg_session *session = client_of(core, emit);
    if (session) {
        struct hg_buf *text = &core->words;
        hg_buf_clear(text);
        hg_cursor_put(text, cursor);
        (void)hg_core_must(hg_buf_result(text));
        size_t mark;
        hg_session_answer_begin(session, &mark);
        hg_message_ok_emit(&session->out, emit->ref, hg_buf_slice(text), duplicate, reached);
        hg_session_answer_end(core, session, mark);
    }
    free_emit(core, emit);
}

/* ---- taking one in ----------------------------------------------------------------------------------------------- */

/* What the memory of an emit is made from; slices are borrowed. */
struct draft {
    hg_session_ref session;
    struct hg_slice ref, id, event, scope, pointer, why;
    enum hg_error verdict;
    struct hg_slice more[HG_EMIT_MORE_MAX];
    size_t more_count;
};

static void put_more(struct draft *draft, const char *name, struct hg_slice value)
{
    if (value.len == 0)
        return;
    HG_ASSERT(draft->more_count + 2 <= HG_EMIT_MORE_MAX);
    draft->more[draft->more_count++] = hg_slice_str(name);
    draft->more[draft->more_count++] = value;
}

static void take_in(struct hg_core *core, struct hg_session *session, struct hg_lane *lane, const struct draft *draft)
{
    size_t bytes =
        draft->ref.len + draft->id.len + draft->event.len + draft->scope.len + draft->pointer.len + draft->why.len;
    for (size_t i = 0; i < draft->more_count; i++)
        bytes += draft->more[i].len;
    struct hg_emit *emit = hg_core_alloc(sizeof(*emit) + draft->more_count * sizeof(*emit->more) + bytes);
    char *at = (char *)(emit->more + draft->more_count);
    emit->ref = hg_core_keep(&at, draft->ref);
    emit->id = hg_core_keep(&at, draft->id);
    emit->event = hg_core_keep(&at, draft->event);
    emit->scope = hg_core_keep(&at, draft->scope);
    emit->pointer = hg_core_keep(&at, draft->pointer);
    if (!draft->pointer.ptr)
        emit->pointer = HG_SLICE_NULL;
    emit->why = hg_core_keep(&at, draft->why);
    for (size_t i = 0; i < draft->more_count; i++)
        emit->more[i] = hg_core_keep(&at, draft->more[i]);
    emit->more_count = (uint8_t)draft->more_count;
    emit->bytes = bytes;
    emit->session = draft->session;
    emit->deadline = hg_time_add(core->now, hg_ms(core->config->emit_timeout_ms));
    emit->verdict = draft->verdict;

    struct hg_slice fields[4 + HG_EMIT_MORE_MAX] = {hg_lane_field(lane), emit->event, HG_LIT("id"), emit->id};
    memcpy(fields + 4, emit->more, emit->more_count * sizeof(*fields));
    emit->digest = hg_fingerprint(fields, 4);
    emit->fingerprint = emit->more_count > 0 ? hg_fingerprint(fields, 4 + (size_t)emit->more_count) : emit->digest;
    emit->stamp_len = (uint8_t)hg_dedupe_stamp(emit->fingerprint, emit->digest, emit->stamp);

    struct hg_emitter *emitter = &core->emitter;
    hg_list_push_back(&emitter->emits, &emit->in_order);
    emitter->bytes += bytes;
    if (session)
        session->emits++;
    hg_lane_push(core, lane, emit);
}

/* The key a topic has by a template; in core->key. */
static struct hg_slice key_of(struct hg_core *core, const char *template, struct hg_slice topic)
{
    hg_buf_clear(&core->key);
    (void)hg_core_must(hg_template_expand(hg_slice_str(template), topic, &core->key));
    return hg_buf_slice(&core->key);
}

struct facts {
    char session[HG_SESSION_NAME_BYTES], peer[HG_PEER_BYTES_MAX];
};

/* What is known of who emits, as the rule wants it beside the event; all of it beside a dead letter. */
static void put_facts(struct hg_core *core, const struct hg_session *session, const struct hg_rule *rule, bool all,
                      struct facts *facts, struct draft *draft)
{
    if (all || hg_string_list_has(&rule->carry, HG_LIT("session"))) {
        hg_session_name_write(session->name, facts->session);
        put_more(draft, "session", hg_slice(facts->session, sizeof(facts->session)));
    }
    if (all || hg_string_list_has(&rule->carry, HG_LIT("ip")))
        put_more(draft, "ip", hg_session_peer(core, session, facts->peer));
}

/* A dead letter may stand beside others of the same id, with another event or of another topic. */
static void put_dead_letter(struct hg_core *core, struct hg_session *session, const struct hg_rule *rule,
                            struct hg_slice topic, struct draft *draft)
{
    const struct hg_error_row *row = hg_error_row(draft->verdict);
    char code[12], scope[16];
    struct facts facts;
    struct hg_slice why = draft->why.len > 0 ? draft->why : hg_slice_str(row->text);
    const struct hg_slice all[] = {topic, draft->id, draft->event};
    snprintf(code, sizeof(code), "%d", row->wire_code);
    snprintf(scope, sizeof(scope), "%08x", (unsigned)hg_fingerprint(all, 3));
    draft->more_count = 0;
    draft->scope = hg_slice_str(scope);
    put_more(draft, "topic", topic);
    put_more(draft, "code", hg_slice_str(code));
    put_more(draft, "reason", hg_slice_str(row->reason));
    put_more(draft, "message", why);
    put_more(draft, "pointer", draft->pointer);
    if (session)
        put_facts(core, session, rule, true, &facts, draft);
    struct hg_lane *lane = hg_lane_get(core, rule, HG_LANE_DEAD_LETTERS, topic, key_of(core, rule->dead_letter, topic));
    take_in(core, session, lane, draft);
}

void hg_emit_reject(struct hg_core *core, struct hg_emit *emit, enum hg_error error, struct hg_slice why)
{
    const struct hg_lane *lane = emit->lane;
    if (hg_error_row(error)->class_ == HG_CLASS_AGAIN) {
        put_off(core, emit, error, why);
    } else if (lane->kind == HG_LANE_DEAD_LETTERS) {
        core->stats.dead_letters_lost++;
        condemn(core, emit, emit->verdict, emit->why, emit->pointer);
    } else if (!lane->rule->dead_letter[0]) {
        condemn(core, emit, error, why, HG_SLICE_NULL);
    } else {
        struct draft draft = {
            .session = emit->session,
            .ref = emit->ref,
            .id = emit->id,
            .event = emit->event,
            .why = why,
            .verdict = error,
        };
        put_dead_letter(core, hg_session_get(core, emit->session), lane->rule, lane->topic, &draft);
        free_emit(core, emit);
    }
}

static void refuse(struct hg_core *core, struct hg_session *session, const struct hg_command *command,
                   enum hg_error error, const char *why)
{
    hg_session_error(core, session, command->ref, error, hg_slice_str(why), SIZE_MAX, 0);
}

static bool is_full(const struct hg_core *core, const struct hg_session *session, const struct hg_command *command)
{
    const struct hg_config *config = core->config;
    return session->emits >= 2 * config->emits_per_session_max || core->emitter.emits.count >= config->emits_max ||
           core->emitter.bytes + command->event.len > config->emits_bytes_max;
}

/* For now, and before anything was tried. */
static void turn_away(struct hg_core *core, struct hg_session *session, const struct hg_command *command,
                      enum hg_error error, const char *why, uint64_t retry)
{
    size_t mark;
    core->stats.errors_out++;
    hg_session_answer_begin(session, &mark);
    hg_message_error_untried(&session->out, command->ref, error, hg_slice_str(why), retry);
    hg_session_answer_end(core, session, mark);
}

/* What may pass: the client is to come again. True when the event may come in now. */
static bool has_room(struct hg_core *core, struct hg_session *session, const struct hg_rule *rule,
                     const struct hg_command *command)
{
    uint64_t retry = retry_ms(core);
    const char *limit;
    hg_dur wait;
    if (is_full(core, session, command)) {
        if (HG_MUTANT(SILENT_LIMIT))
            return false;
        turn_away(core, session, command, HG_ERR_TOO_MANY_REQUESTS,
                  "Too many emits wait for Redis; try again with the same id.", retry);
        return false;
    }
    if (!hg_uplink_admits(core, &core->uplinks.items[hg_rule_durability(rule).kind], &retry)) {
        turn_away(core, session, command, HG_ERR_UNAVAILABLE, "", retry);
        return false;
    }
    if (!hg_limiter_take(core, session, rule, command->topic, &limit, &wait)) {
        char why[96];
        snprintf(why, sizeof(why), "More events than %s allows; try again with the same id.", limit);
        turn_away(core, session, command, HG_ERR_TOO_MANY_REQUESTS, why, wait.us / 1000 + 1);
        return false;
    }
    return true;
}

void hg_emitter_emit(struct hg_core *core, struct hg_session *session, const struct hg_command *command)
{
    const struct hg_rule *rule = hg_core_rule(core, command->topic);
    if (!rule) {
        refuse(core, session, command, HG_ERR_UNKNOWN_TOPIC, "");
        return;
    }
    if (rule->source == HG_SOURCE_CHANNEL) {
        refuse(core, session, command, HG_ERR_BAD_REQUEST,
               "This topic is a channel; events can be emitted to streams only.");
        return;
    }
    if (!rule->emit) {
        refuse(core, session, command, HG_ERR_FORBIDDEN, "Clients may not emit to this topic.");
        return;
    }
    if (!has_room(core, session, rule, command))
        return;

    struct hg_emitter *emitter = &core->emitter;
    struct draft draft = {
        .session = session->ref,
        .ref = command->ref,
        .id = command->id,
        .event = command->event,
    };
    hg_buf_clear(&core->message);
    hg_buf_clear(&emitter->pointer);
    if (command->event.len > core->config->event_bytes_max)
        draft.verdict = HG_ERR_EVENT_TOO_LARGE;
    else
        draft.verdict = hg_core_must(hg_door_check(rule, command->event, &emitter->pointer, &core->message)).code;
    core->stats.emits++;
    if (draft.verdict != HG_ERR_OK) {
        draft.why = hg_buf_slice(&core->message);
        if (draft.verdict == HG_ERR_EVENT_INVALID)
            draft.pointer = emitter->pointer.len > 0 ? hg_buf_slice(&emitter->pointer) : HG_LIT("");
        if (rule->dead_letter[0])
            put_dead_letter(core, session, rule, command->topic, &draft);
        else
            tell_verdict(core, session, command->ref, draft.verdict, draft.why, draft.pointer);
        core->stats.emits_failed += !rule->dead_letter[0];
    } else {
        struct facts facts;
        char except[HG_SESSION_NAME_BYTES];
        put_facts(core, session, rule, false, &facts, &draft);
        if (command->no_echo) {
            hg_echo_mute(core, session);
            hg_session_name_write(session->echo->name, except);
            put_more(&draft, "except", hg_slice(except, sizeof(except)));
        }
        struct hg_lane *lane =
            hg_lane_get(core, rule, HG_LANE_EVENTS, command->topic, key_of(core, rule->key, command->topic));
        take_in(core, session, lane, &draft);
    }
    /* Who emits faster than Redis takes it is not listened to for a while. */
    if (session->emits >= core->config->emits_per_session_max)
        hg_session_deafen(core, session, HG_DEAF_EMITS);
}

/* ---- the turn ---------------------------------------------------------------------------------------------------- */

void hg_emitter_tick(struct hg_core *core)
{
    hg_uplinks_tick(core);
    while (core->emitter.emits.first) {
        struct hg_emit *emit = HG_CONTAINER(core->emitter.emits.first, struct hg_emit, in_order);
        if (!hg_time_reached(emit->deadline, core->now))
            break;
        put_off(core, emit, HG_ERR_UNAVAILABLE,
                HG_LIT("Redis did not answer within emit_timeout_ms; emit again with the same id to learn what became "
                       "of it."));
    }
}

hg_time hg_emitter_deadline(const struct hg_core *core)
{
    hg_time deadline = hg_time_min(hg_uplinks_deadline(core), hg_lanes_deadline(core));
    const struct hg_list_node *first = core->emitter.emits.first;
    return first ? hg_time_min(deadline, HG_CONTAINER(first, struct hg_emit, in_order)->deadline) : deadline;
}

void hg_emitter_validate(const struct hg_core *core)
{
    uint64_t bytes = 0, with_session = 0;
    hg_time last = {0};
    hg_list_validate(&core->emitter.emits);
    for (struct hg_list_node *n = core->emitter.emits.first; n; n = n->next) {
        const struct hg_emit *emit = HG_CONTAINER(n, const struct hg_emit, in_order);
        bytes += emit->bytes;
        with_session += hg_session_get(core, emit->session) != NULL;
        HG_ASSERT(!hg_time_before(emit->deadline, last));
        HG_ASSERT(!emit->slot || *emit->slot == emit);
        last = emit->deadline;
    }
    HG_ASSERT(bytes == core->emitter.bytes);
    uint64_t of_sessions = 0;
    for (uint32_t i = 0; i < core->sessions.slot_count; i++) {
        const struct hg_session *session = core->sessions.slots[i].session;
        of_sessions += session ? session->emits : 0;
    }
    HG_ASSERT(of_sessions == with_session);
    hg_lanes_validate(core);
}
