#include "core/core.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/visible.h"
#include "core/request.h"
#include "core/state.h"
#include "topic/pattern.h"
#include "wire/message.h"

#define TEXT_BYTES_MAX       (4u * 1024 * 1024)
#define WORDS_BYTES_MAX      200u
#define FILTER_SCRATCH_BYTES 65536u

/* ---- what all files use ------------------------------------------------------------------------------------------ */

void *hg_core_alloc(size_t size)
{
    void *memory = calloc(1, size);
    HG_ASSERT(memory);
    return memory;
}

char *hg_core_copy(struct hg_slice text)
{
    char *copy = hg_core_alloc(text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

struct hg_slice hg_core_keep(char **at, struct hg_slice text)
{
    struct hg_slice kept = hg_slice(*at, text.len);
    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return kept;
}

struct hg_slice hg_core_words(struct hg_core *core, const struct hg_reply *reply)
{
    hg_buf_clear(&core->words);
    if (reply->type == HG_REPLY_ERROR)
        hg_visible_put(reply->text, WORDS_BYTES_MAX, &core->words);
    else
        hg_buf_put_str(&core->words, "an answer of unexpected shape");
    (void)hg_core_must(hg_buf_result(&core->words));
    return hg_buf_slice(&core->words);
}

size_t hg_core_filter_scratch_bytes(const struct hg_core *core)
{
    return (size_t)core->config->event_bytes_max + FILTER_SCRATCH_BYTES;
}

struct hg_slice hg_core_json(const struct hg_core *core)
{
    struct hg_slice name = HG_LIT("\"event\":"), member = hg_buf_slice(&core->member);
    return hg_slice_starts(member, name) ? hg_slice_from(member, name.len) : HG_SLICE_NULL;
}

hg_result hg_core_must(hg_result result)
{
    HG_ASSERT(result.code != HG_ERR_NOMEM);
    return result;
}

void hg_core_log(struct hg_core *core, enum hg_log_level level, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (len >= (int)sizeof(line))
        len = (int)sizeof(line) - 1;
    core->ports.log(core->ports.context, level, hg_slice(line, (size_t)(len < 0 ? 0 : len)));
}

const struct hg_rule *hg_core_rule(const struct hg_core *core, struct hg_slice topic)
{
    if (topic.len == 0 || topic.ptr[0] == '$')
        return NULL;
    for (size_t i = 0; i < core->config->rule_count; i++)
        if (hg_pattern_match(hg_slice_str(core->config->rules[i].match), topic))
            return &core->config->rules[i];
    return NULL;
}

const struct hg_slice *hg_core_fields(struct hg_core *core, const struct hg_entry *entry)
{
    if (entry->field_count > core->field_capacity) {
        free(core->fields);
        core->fields = hg_core_alloc(entry->field_count * sizeof(*core->fields));
        core->field_capacity = entry->field_count;
    }
    for (size_t i = 0; i < entry->field_count; i++)
        core->fields[i] = entry->fields[i].text;
    return core->fields;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

hg_result hg_core_new(const struct hg_config *config, const struct hg_ports *ports, uint64_t seed,
                      struct hg_core **ret_core)
{
    struct hg_core *core = calloc(1, sizeof(*core));
    if (!core)
        return HG_FAIL(NOMEM);
    core->config = config;
    core->ports = *ports;
    hg_prng_init(&core->prng, seed);
    core->hash_key = (struct hg_hash_key){hg_prng_next(&core->prng), hg_prng_next(&core->prng)};
    /* The worst encoding of an event: control characters, six bytes each; and fields of no length. */
    size_t event_max = (size_t)core->config->event_bytes_max * 8 + 65536;
    hg_buf_init(&core->member, event_max);
    hg_buf_init(&core->tail, event_max + 4096);
    hg_buf_init(&core->decoded, (size_t)config->message_bytes_max + 64);
    hg_buf_init(&core->message, 4096);
    hg_buf_init(&core->text, TEXT_BYTES_MAX);
    hg_buf_init(&core->words, 8 * WORDS_BYTES_MAX);
    hg_buf_init(&core->key, TEXT_BYTES_MAX);
    hg_deflation_init(core);
    hg_sessions_init(core);
    hg_emitter_init(core);
    hg_overload_init(core);
    core->replays.entry_bytes = 512;
    hg_canary_init(core);
    hg_sources_init(core);
    hg_interests_init(core);
    hg_discovery_init(core);
    *ret_core = core;
    return HG_OK;
}

void hg_core_free(struct hg_core *core)
{
    if (!core)
        return;
    /* Nothing is asked of the world any more: without links up, nothing is unsubscribed either. */
    for (uint32_t link = 0; link < core->links.count; link++)
        if (core->links.items[link])
            core->links.items[link]->state = HG_LINK_CLOSED;
    hg_emitter_done(core);
    hg_sessions_done(core);
    hg_groups_done(core);
    hg_conflations_done(core);
    hg_deflation_done(core);
    hg_interests_done(core);
    hg_discovery_done(core);
    hg_sources_done(core);
    hg_readers_done(core);
    hg_links_done(core);
    HG_ASSERT(core->stats.frames_alive == 0 && core->stats.log_bytes == 0);
    hg_buf_done(&core->member);
    hg_buf_done(&core->tail);
    hg_buf_done(&core->decoded);
    hg_buf_done(&core->message);
    hg_buf_done(&core->text);
    hg_buf_done(&core->words);
    hg_buf_done(&core->key);
    free(core->fields);
    free(core->filter_scratch);
    free(core->key_scratch);
    free(core);
}

static void enter(struct hg_core *core, hg_time now)
{
    HG_ASSERT(core->depth == 0); /* a port called back */
    HG_ASSERT(!hg_time_before(now, core->now));
    core->depth++;
    core->now = now;
}

static void leave(struct hg_core *core)
{
    core->depth--;
}

void hg_core_start(struct hg_core *core, hg_time now)
{
    enter(core, now);
    HG_ASSERT(!core->started);
    core->started = true;
    hg_link_want(core, HG_LINK_COMMANDER);
    hg_link_want(core, HG_LINK_LISTENER);
    hg_link_want(core, HG_LINK_REPLAY);
    hg_uplinks_start(core);
    leave(core);
}

void hg_core_shutdown(struct hg_core *core, hg_time now)
{
    enter(core, now);
    if (!core->shutting_down) {
        core->shutting_down = true;
        hg_conflations_tick(core, true);
        hg_groups_distribute(core);
        hg_sessions_shutdown(core);
    }
    leave(core);
}

bool hg_core_is_drained(const struct hg_core *core)
{
    return core->shutting_down && core->sessions.count == 0;
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

bool hg_core_admits(struct hg_core *core, hg_time now, unsigned *reterr_retry_s)
{
    enter(core, now);
    bool admits = hg_overload_admits(core, reterr_retry_s);
    leave(core);
    return admits;
}

bool hg_on_ws_open(struct hg_core *core, hg_time now, hg_session_ref *ret_session, int *ret_refusal)
{
    enter(core, now);
    bool full = core->sessions.count >= core->config->connections_max;
    bool taken = !full && !core->shutting_down;
    if (taken) {
        *ret_session = hg_session_open(core)->ref;
        core->stats.sessions_opened++;
    } else {
        *ret_refusal = core->shutting_down ? HG_CLOSE_RESTART : HG_CLOSE_OVERLOADED;
        core->stats.sessions_refused++;
    }
    leave(core);
    return taken;
}

static struct hg_session *open_session(struct hg_core *core, hg_session_ref ref)
{
    struct hg_session *session = hg_session_get(core, ref);
    return session && session->state == HG_SESSION_OPEN ? session : NULL;
}

void hg_on_ws_deflates(struct hg_core *core, hg_time now, hg_session_ref ref)
{
    enter(core, now);
    struct hg_session *session = open_session(core, ref);
    if (session) {
        HG_ASSERT(session->sub_count == 0); /* groups count those who do */
        session->deflates = core->config->deflate;
    }
    leave(core);
}

static void run_command(struct hg_core *core, struct hg_session *session, struct hg_slice line)
{
    struct hg_command command = {.ref = HG_SLICE_NULL};
    struct hg_command_error error = {&core->message, SIZE_MAX};
    core->stats.commands_in++;
    hg_result result = hg_core_must(hg_command_parse(line, &core->decoded, &command, &error));
    if (!hg_ok(result)) {
        hg_session_error(core, session, command.ref, result.code, hg_buf_slice(&core->message), error.at, 0);
        return;
    }
    size_t mark;
    switch (command.op) {
    case HG_OP_SUBSCRIBE:
        hg_session_subscribe(core, session, &command);
        return;
    case HG_OP_UPDATE:
        hg_session_update(core, session, &command);
        return;
    case HG_OP_UNSUBSCRIBE:
        hg_session_unsubscribe(core, session, &command);
        return;
    case HG_OP_PAUSE:
        hg_session_pause(core, session, &command);
        return;
    case HG_OP_RESUME:
        hg_session_resume(core, session, &command);
        return;
    case HG_OP_SEEK:
        hg_session_seek(core, session, &command);
        return;
    case HG_OP_EMIT:
        hg_emitter_emit(core, session, &command);
        return;
    case HG_OP_HELLO:
        if (command.has_session)
            hg_echo_hello(core, session, command.session);
        hg_session_answer_begin(session, &mark);
        hg_message_ok(&session->out, command.ref);
        hg_session_answer_end(core, session, mark);
        return;
    case HG_OP_EXPLAIN:
        hg_session_explain(core, session, &command);
        return;
    case HG_OP_PING:
        HG_ASSERT(!HG_MUTANT(PANIC));
        hg_session_answer_begin(session, &mark);
        hg_message_ok(&session->out, command.ref);
        hg_session_answer_end(core, session, mark);
        return;
    }
    HG_UNREACHABLE();
}

static struct hg_slice strip(struct hg_slice line)
{
    while (line.len > 0 && strchr(" \t\r\n", line.ptr[0]) && line.ptr[0] != '\0')
        line = hg_slice_from(line, 1);
    while (line.len > 0 && strchr(" \t\r\n", line.ptr[line.len - 1]) && line.ptr[line.len - 1] != '\0')
        line.len--;
    return line;
}

static void run_message(struct hg_core *core, struct hg_session *session, struct hg_slice message)
{
    /* One command written over several lines is one command still. */
    if (!memchr(message.ptr, '\n', message.len) || hg_ok(hg_json_parse(message, NULL, NULL))) {
        run_command(core, session, message);
        return;
    }
    while (message.len > 0 && session->state == HG_SESSION_OPEN) {
        const char *end = memchr(message.ptr, '\n', message.len);
        size_t len = end ? (size_t)(end - message.ptr) : message.len;
        struct hg_slice line = strip(hg_slice_first(message, len));
        if (line.len > 0)
            run_command(core, session, line);
        message = hg_slice_from(message, end ? len + 1 : len);
    }
}

void hg_on_ws_message(struct hg_core *core, hg_time now, hg_session_ref ref, bool text, struct hg_slice message)
{
    enter(core, now);
    struct hg_session *session = open_session(core, ref);
    if (message.len == 0)
        message = HG_LIT("");
    if (session) {
        session->heard = now;
        if (!text)
            hg_session_close(core, session, HG_CLOSE_BINARY);
        else if (!hg_utf8_valid(message))
            hg_session_close(core, session, HG_CLOSE_NOT_UTF8);
        else
            run_message(core, session, message);
    }
    leave(core);
}

void hg_on_ws_too_big(struct hg_core *core, hg_time now, hg_session_ref ref)
{
    enter(core, now);
    struct hg_session *session = open_session(core, ref);
    if (session)
        hg_session_close(core, session, HG_CLOSE_TOO_BIG);
    leave(core);
}

void hg_on_ws_garbled(struct hg_core *core, hg_time now, hg_session_ref ref)
{
    enter(core, now);
    struct hg_session *session = open_session(core, ref);
    if (session) {
        core->stats.messages_garbled++;
        hg_session_close(core, session, HG_CLOSE_GARBLED);
    }
    leave(core);
}

void hg_on_ws_pong(struct hg_core *core, hg_time now, hg_session_ref ref)
{
    enter(core, now);
    struct hg_session *session = open_session(core, ref);
    if (session)
        session->heard = now;
    leave(core);
}

void hg_on_ws_writable(struct hg_core *core, hg_time now, hg_session_ref ref)
{
    enter(core, now);
    struct hg_session *session = open_session(core, ref);
    if (session && !session->writable)
        hg_session_writable(core, session);
    leave(core);
}

void hg_on_ws_closed(struct hg_core *core, hg_time now, hg_session_ref ref)
{
    enter(core, now);
    struct hg_session *session = hg_session_get(core, ref);
    if (session)
        hg_session_free(core, session);
    leave(core);
}

hg_result hg_core_force_filter(struct hg_core *core, hg_time now, hg_session_ref ref, struct hg_slice expression)
{
    enter(core, now);
    struct hg_session *session = open_session(core, ref);
    hg_result result = session ? hg_session_force_filter(session, expression) : HG_OK;
    leave(core);
    return hg_core_must(result);
}

/* ---- Redis ------------------------------------------------------------------------------------------------------- */

void hg_on_redis_up(struct hg_core *core, hg_time now, uint32_t link, uint64_t client_id)
{
    enter(core, now);
    hg_link_up(core, link, client_id);
    leave(core);
}

void hg_on_redis_down(struct hg_core *core, hg_time now, uint32_t link, struct hg_slice reason)
{
    enter(core, now);
    hg_link_lost(core, link, reason, false);
    leave(core);
}

void hg_on_redis_reply(struct hg_core *core, hg_time now, uint32_t link, uint64_t token, const struct hg_reply *reply)
{
    enter(core, now);
    (void)token;
    if (link == HG_LINK_LISTENER && hg_request_push(core, reply)) {
        hg_link_heard(core, link);
        hg_canary_noise(core);
    } else {
        hg_link_answered(core, link, reply);
    }
    leave(core);
}

/* ---- the load ---------------------------------------------------------------------------------------------------- */

void hg_on_load(struct hg_core *core, hg_time now, hg_dur turn, uint64_t descriptors, uint64_t descriptors_left)
{
    enter(core, now);
    hg_overload_feed(core, turn, descriptors, descriptors_left);
    leave(core);
}

unsigned hg_core_accepts(const struct hg_core *core)
{
    return hg_admission_accepts(&core->overload.admission);
}

/* ---- the turn ---------------------------------------------------------------------------------------------------- */

void hg_core_turn_end(struct hg_core *core, hg_time now)
{
    enter(core, now);
    /* What is due. */
    hg_links_tick(core);
    hg_canary_tick(core);
    hg_replays_tick(core);
    hg_overload_tick(core);
    hg_sessions_tick(core);
    hg_emitter_tick(core);
    hg_groups_reap(core);
    hg_interests_tick(core);
    /* What to ask of Redis. */
    hg_discovery_pump(core);
    hg_sources_pump(core);
    hg_readers_pump(core);
    hg_lanes_pump(core);
    hg_reports_tick(core);
    /* What to tell the clients; then the logs may shrink. */
    hg_conflations_tick(core, false);
    hg_groups_distribute(core);
    hg_deflation_tick(core);
    hg_sessions_flush(core);
    hg_groups_evict(core);
    hg_histories_evict(core);
    hg_sessions_update(core);
    hg_replays_pump(core);
    leave(core);
    HG_PARANOID_CHECK(core->sessions.count <= 8 ? hg_core_validate(core) : (void)0);
}

hg_time hg_core_next_deadline(const struct hg_core *core)
{
    hg_time deadline = hg_time_min(hg_links_deadline(core), hg_canary_deadline(core));
    deadline = hg_time_min(deadline, hg_sessions_deadline(core));
    deadline = hg_time_min(deadline, hg_conflations_deadline(core));
    deadline = hg_time_min(deadline, hg_emitter_deadline(core));
    deadline = hg_time_min(deadline, hg_interests_deadline(core));
    deadline = hg_time_min(deadline, hg_discovery_deadline(core));
    deadline = hg_time_min(deadline, hg_sources_deadline(core));
    deadline = hg_time_min(deadline, hg_readers_deadline(core));
    deadline = hg_time_min(deadline, hg_histories_deadline(core));
    deadline = hg_time_min(deadline, hg_reports_deadline(core));
    deadline = hg_time_min(deadline, hg_overload_deadline(core));
    return hg_time_min(deadline, hg_replays_deadline(core));
}

void hg_core_stats(const struct hg_core *core, struct hg_core_stats *ret_stats)
{
    *ret_stats = core->stats;
    ret_stats->sessions = core->sessions.count;
    ret_stats->groups = core->groups.all.count;
    ret_stats->system_subscribers = hg_reports_subscribers(core);
    ret_stats->topics = hg_sources_count(core);
    ret_stats->emits_pending = core->emitter.emits.count;
    ret_stats->emits_bytes = core->emitter.bytes;
    ret_stats->bytes_held = hg_overload_bytes(core);
}

void hg_core_validate(const struct hg_core *core)
{
    hg_emitter_validate(core);
    hg_sources_validate(core);
    hg_interests_validate(core);
    hg_groups_validate(core);
    hg_histories_validate(core);
    hg_sessions_validate(core);
}
