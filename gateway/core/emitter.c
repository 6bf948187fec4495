#include "core/emitter.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "stream/cursor.h"
#include "topic/template.h"
#include "wire/message.h"

#define RETRY_MS         1000u
#define REFUSED_PAUSE_MS 500u

/* KEYS: stream, dedupe key. ARGV: event, id, fingerprint, window in ms, maxlen or 0, user or "", the event's field.
 * Returns {cursor, duplicate}. XADD comes before SET: when it is refused nothing is remembered. Redis before 7 must be
 * told to replicate the effects, since "*" gives another id on each server. */
static const char script[] = "local known = redis.call('GET', KEYS[2])\n"
                             "if known then return {known, 1} end\n"
                             "if redis.replicate_commands then redis.replicate_commands() end\n"
                             "local args = {KEYS[1]}\n"
                             "if ARGV[5] ~= '0' then\n"
                             "  args[2], args[3], args[4] = 'MAXLEN', '~', ARGV[5]\n"
                             "end\n"
                             "for _, v in ipairs({'*', ARGV[7], ARGV[1], 'id', ARGV[2]}) do args[#args + 1] = v end\n"
                             "if ARGV[6] ~= '' then\n"
                             "  args[#args + 1] = 'user'\n"
                             "  args[#args + 1] = ARGV[6]\n"
                             "end\n"
                             "local cursor = redis.call('XADD', unpack(args)) .. '~' .. ARGV[3]\n"
                             "redis.call('SET', KEYS[2], cursor, 'PX', ARGV[4])\n"
                             "return {cursor, 0}\n";

/* All keys of one stream share its hash slot (Redis Cluster specification, hash tags). */
static void put_dedupe_key(struct hg_buf *buf, struct hg_slice stream, struct hg_slice principal, struct hg_slice id)
{
    struct hg_slice tag = stream;
    const char *open = memchr(stream.ptr, '{', stream.len);
    if (open) {
        size_t at = (size_t)(open + 1 - stream.ptr);
        const char *end = memchr(stream.ptr + at, '}', stream.len - at);
        if (end && end > stream.ptr + at)
            tag = hg_slice(stream.ptr + at, (size_t)(end - stream.ptr) - at);
    }
    hg_buf_printf(buf, "headgate:dedupe:{%.*s}:%.*s:%zu:%.*s:", HG_SLICE_ARG(tag), HG_SLICE_ARG(stream), principal.len,
                  HG_SLICE_ARG(principal));
    hg_buf_put(buf, id);
}

static void refuse(struct hg_core *core, struct hg_session *session, const struct hg_command *command,
                   enum hg_error error, const char *why, uint64_t retry_ms)
{
    hg_session_error(core, session, command->ref, error, hg_slice_str(why), SIZE_MAX, retry_ms);
}

static struct hg_slice keep(char **at, struct hg_slice text)
{
    struct hg_slice kept = hg_slice(*at, text.len);
    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return kept;
}

void hg_emitter_emit(struct hg_core *core, struct hg_session *session, const struct hg_command *command)
{
    struct hg_emitter *emitter = &core->emitter;
    const struct hg_config *config = core->config;
    const struct hg_rule *rule = hg_core_rule(core, command->topic);
    if (!rule) {
        refuse(core, session, command, HG_ERR_UNKNOWN_TOPIC, "", 0);
        return;
    }
    if (rule->source == HG_SOURCE_CHANNEL) {
        refuse(core, session, command, HG_ERR_BAD_REQUEST,
               "This topic is a channel; events can be emitted to streams only.", 0);
        return;
    }
    if (!rule->emit) {
        refuse(core, session, command, HG_ERR_FORBIDDEN, "Clients may not emit to this topic.", 0);
        return;
    }
    if (command->event.len > config->event_bytes_max) {
        refuse(core, session, command, HG_ERR_EVENT_TOO_LARGE, "", 0);
        return;
    }
    if (session->emits >= config->emits_per_session_max || emitter->emits.count >= config->emits_max ||
        emitter->bytes + command->event.len > config->emits_bytes_max) {
        refuse(core, session, command, HG_ERR_TOO_MANY_REQUESTS,
               "Too many emits wait for Redis; try again with the same id.", RETRY_MS);
        return;
    }

    struct hg_buf *text = &core->text;
    hg_buf_clear(text);
    (void)hg_core_must(hg_template_expand(hg_slice_str(rule->key), command->topic, text));
    size_t key_len = text->len;
    hg_buf_reserve(text, key_len * 2 + command->id.len + 128); /* the key is read while it is copied behind itself */
    put_dedupe_key(text, hg_slice(text->ptr, key_len), HG_SLICE_NULL, command->id);
    (void)hg_core_must(hg_buf_result(text));
    struct hg_slice key = hg_slice(text->ptr, key_len), dedupe_key = hg_slice_from(hg_buf_slice(text), key_len);

    size_t bytes = command->ref.len + key.len + dedupe_key.len + command->id.len + command->event.len;
    struct hg_emit *emit = hg_core_alloc(sizeof(*emit) + bytes);
    char *at = emit->text;
    emit->ref = keep(&at, command->ref);
    emit->key = keep(&at, key);
    emit->dedupe_key = keep(&at, dedupe_key);
    emit->id = keep(&at, command->id);
    emit->event = keep(&at, command->event);
    emit->bytes = bytes;
    emit->session = session->ref;
    emit->deadline = hg_time_add(core->now, hg_ms(config->emit_timeout_ms));
    emit->maxlen = rule->maxlen;
    emit->window_ms = rule->dedupe_window_ms;
    emit->payload_field = hg_slice_str(rule->payload_field);
    const struct hg_slice fields[] = {emit->payload_field, emit->event, HG_LIT("id"), emit->id};
    emit->fingerprint = hg_fingerprint(fields, 4);
    hg_list_push_back(&emitter->emits, &emit->node);
    if (!emitter->first_queued)
        emitter->first_queued = emit;
    emitter->bytes += bytes;
    session->emits++;
    core->stats.emits++;
}

static void set_queued(struct hg_core *core, struct hg_emit *emit)
{
    HG_ASSERT(emit->state == HG_EMIT_SENT);
    emit->state = HG_EMIT_QUEUED;
    emit->request = NULL;
    core->emitter.sent--;
}

/* Emits that went back to the queue stand before those that never left it. */
static void find_first_queued(struct hg_core *core)
{
    struct hg_list_node *node = core->emitter.emits.first;
    while (node && HG_CONTAINER(node, struct hg_emit, node)->state != HG_EMIT_QUEUED)
        node = node->next;
    core->emitter.first_queued = node ? HG_CONTAINER(node, struct hg_emit, node) : NULL;
}

static struct hg_emit *after(struct hg_emit *emit)
{
    return emit->node.next ? HG_CONTAINER(emit->node.next, struct hg_emit, node) : NULL;
}

static void free_emit(struct hg_core *core, struct hg_emit *emit)
{
    struct hg_emitter *emitter = &core->emitter;
    struct hg_session *session = hg_session_get(core, emit->session);
    if (session)
        session->emits--;
    if (emit->state == HG_EMIT_SENT)
        emitter->sent--;
    if (emit->request)
        emit->request->object = NULL;
    if (emitter->first_queued == emit)
        emitter->first_queued = after(emit);
    emitter->bytes -= emit->bytes;
    hg_list_remove(&emitter->emits, &emit->node);
    free(emit);
}

static struct hg_session *client_of(struct hg_core *core, const struct hg_emit *emit)
{
    struct hg_session *session = hg_session_get(core, emit->session);
    if (session && session->state == HG_SESSION_OPEN)
        return session;
    core->stats.emits_orphaned++;
    return NULL;
}

static void fail(struct hg_core *core, struct hg_emit *emit, enum hg_error error, struct hg_slice why)
{
    core->stats.emits_failed++;
    struct hg_session *session = client_of(core, emit);
    if (session)
        hg_session_error(core, session, emit->ref, error, why, SIZE_MAX,
                         hg_error_row(error)->class_ == HG_CLASS_AGAIN ? RETRY_MS : 0);
    free_emit(core, emit);
}

static void acknowledge(struct hg_core *core, struct hg_emit *emit, struct hg_slice cursor, bool duplicate)
{
    if (duplicate)
        core->stats.emits_duplicate++;
    else
        core->stats.emits_appended++;
    if (!duplicate && !hg_source_find(core, HG_SOURCE_TYPE_STREAM, emit->key))
        hg_discovery_hint(core, emit->key);
    struct hg_session *session = client_of(core, emit);
    if (session) {
        size_t mark;
        hg_session_answer_begin(session, &mark);
        hg_message_ok_emit(&session->out, emit->ref, cursor, duplicate);
        hg_session_answer_end(core, session, mark);
    }
    free_emit(core, emit);
}

void hg_emitter_answered(struct hg_core *core, struct hg_emit *emit, const struct hg_reply *reply)
{
    emit->request = NULL;
    struct hg_cursor cursor;
    if (!reply) {
        if (HG_MUTANT(LOST_ACK))
            free_emit(core, emit);
        else
            set_queued(core, emit);
    } else if (hg_reply_is_error(reply, "NOSCRIPT")) {
        set_queued(core, emit);
        find_first_queued(core);
        core->emitter.script = HG_SCRIPT_UNKNOWN;
    } else if (hg_reply_is_array(reply, 2) && reply->items[0].type == HG_REPLY_STRING &&
               reply->items[1].type == HG_REPLY_INTEGER && hg_cursor_parse(reply->items[0].text, &cursor)) {
        acknowledge(core, emit, reply->items[0].text, reply->items[1].integer != 0);
    } else {
        struct hg_slice words = hg_core_words(core, reply);
        enum hg_error error = hg_reply_is_error(reply, "NOPERM") ? HG_ERR_FORBIDDEN : HG_ERR_UNAVAILABLE;
        hg_buf_clear(&core->message);
        /* Redis names the script and the line; the part a client can use comes first. */
        if (memmem(words.ptr, words.len, "WRONGTYPE", 9)) {
            error = HG_ERR_BAD_REQUEST;
            hg_buf_put_str(&core->message, "The key of this topic in Redis is not a stream.");
        } else {
            hg_buf_put_str(&core->message, "Redis refused: ");
            hg_buf_put(&core->message, words);
        }
        if (!core->emitter.trouble || !hg_slice_is(words, core->emitter.trouble)) {
            hg_core_log(core, HG_LOG_WARNING, "redis refuses an emit to '%.*s': %.*s", HG_SLICE_ARG(emit->key),
                        HG_SLICE_ARG(words));
            free(core->emitter.trouble);
            core->emitter.trouble = hg_core_copy(words);
        }
        fail(core, emit, error, hg_buf_slice(&core->message));
        return;
    }
    if (reply) {
        free(core->emitter.trouble);
        core->emitter.trouble = NULL;
    }
}

void hg_emitter_script_loaded(struct hg_core *core, const struct hg_reply *reply)
{
    struct hg_emitter *emitter = &core->emitter;
    emitter->script = HG_SCRIPT_UNKNOWN;
    if (!reply)
        return;
    if (reply->type != HG_REPLY_STRING || reply->text.len != 40) {
        struct hg_slice words = hg_core_words(core, reply);
        if (!emitter->trouble || !hg_slice_is(words, emitter->trouble)) {
            hg_core_log(core, HG_LOG_WARNING, "redis refuses SCRIPT LOAD: %.*s; emits wait, trying again",
                        HG_SLICE_ARG(words));
            free(emitter->trouble);
            emitter->trouble = hg_core_copy(words);
        }
        emitter->retry_at = hg_time_add(core->now, hg_ms(REFUSED_PAUSE_MS));
        return;
    }
    free(emitter->sha);
    emitter->sha = hg_core_copy(reply->text);
    emitter->script = HG_SCRIPT_LOADED;
}

void hg_emitter_link_lost(struct hg_core *core)
{
    core->emitter.script = HG_SCRIPT_UNKNOWN;
    find_first_queued(core);
}

static void send(struct hg_core *core, struct hg_emit *emit)
{
    char fingerprint[9], window[24], maxlen[24];
    snprintf(fingerprint, sizeof(fingerprint), "%08x", (unsigned)emit->fingerprint);
    snprintf(window, sizeof(window), "%llu", (unsigned long long)emit->window_ms);
    snprintf(maxlen, sizeof(maxlen), "%llu", (unsigned long long)emit->maxlen);
    struct hg_slice dedupe_key = emit->dedupe_key;
    if (emit->was_sent && HG_MUTANT(NO_DEDUPE))
        dedupe_key = emit->ref;
    struct hg_slice argv[] = {HG_LIT("EVALSHA"),
                              hg_slice_str(core->emitter.sha),
                              HG_LIT("2"),
                              emit->key,
                              dedupe_key,
                              emit->event,
                              emit->id,
                              hg_slice_str(fingerprint),
                              hg_slice_str(window),
                              hg_slice_str(maxlen),
                              HG_LIT(""),
                              emit->payload_field};
    emit->request = hg_link_send(core, HG_LINK_COMMANDER, HG_REQUEST_EMIT, emit, argv, sizeof(argv) / sizeof(argv[0]));
    emit->state = HG_EMIT_SENT;
    emit->was_sent = true;
    core->emitter.sent++;
}

void hg_emitter_pump(struct hg_core *core)
{
    struct hg_emitter *emitter = &core->emitter;
    if (!emitter->first_queued || !hg_link_is_up(core, HG_LINK_COMMANDER))
        return;
    if (emitter->script == HG_SCRIPT_UNKNOWN) {
        /* After NOSCRIPT those under way come back too; none may overtake another. */
        if (emitter->sent > 0 || !hg_time_reached(emitter->retry_at, core->now))
            return;
        struct hg_slice argv[] = {HG_LIT("SCRIPT"), HG_LIT("LOAD"), hg_slice(script, sizeof(script) - 1)};
        emitter->script = HG_SCRIPT_LOADING;
        hg_link_send(core, HG_LINK_COMMANDER, HG_REQUEST_SCRIPT, NULL, argv, 3);
    }
    if (emitter->script != HG_SCRIPT_LOADED)
        return;
    for (struct hg_emit *emit = emitter->first_queued; emit; emit = after(emit))
        if (emit->state == HG_EMIT_QUEUED)
            send(core, emit);
    emitter->first_queued = NULL;
}

void hg_emitter_tick(struct hg_core *core)
{
    struct hg_emitter *emitter = &core->emitter;
    while (emitter->emits.first) {
        struct hg_emit *emit = HG_CONTAINER(emitter->emits.first, struct hg_emit, node);
        if (!hg_time_reached(emit->deadline, core->now))
            return;
        fail(core, emit, HG_ERR_UNAVAILABLE,
             HG_LIT("Redis did not answer within emit_timeout_ms; emit again with the same id to learn what became of "
                    "it."));
    }
}

hg_time hg_emitter_deadline(const struct hg_core *core)
{
    const struct hg_emitter *emitter = &core->emitter;
    if (!emitter->emits.first)
        return HG_TIME_NEVER;
    hg_time deadline = HG_CONTAINER(emitter->emits.first, struct hg_emit, node)->deadline;
    if (emitter->first_queued && emitter->script == HG_SCRIPT_UNKNOWN && emitter->sent == 0 &&
        hg_link_is_up(core, HG_LINK_COMMANDER))
        deadline = hg_time_min(deadline, emitter->retry_at);
    return deadline;
}

void hg_emitter_done(struct hg_core *core)
{
    while (core->emitter.emits.first)
        free_emit(core, HG_CONTAINER(core->emitter.emits.first, struct hg_emit, node));
    free(core->emitter.sha);
    free(core->emitter.trouble);
}
