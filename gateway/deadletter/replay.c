#include "deadletter/replay.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/json.h"
#include "core/dedupe.h"
#include "core/door.h"
#include "topic/template.h"
#include "topic/text.h"
#include "wire/command.h"

#define COPY_BYTES_MAX (256u << 20)
#define KEY_BYTES_MAX  (64u << 10)
#define UUID_BYTES     36
#define MORE_MAX       6

void hg_replay_init(struct hg_replay *replay, struct hg_box *box, struct hg_replay_options options)
{
    *replay = (struct hg_replay){.box = box, .options = options};
    hg_buf_init(&replay->copy, COPY_BYTES_MAX);
    hg_buf_init(&replay->pointer, 1024);
    hg_buf_init(&replay->message, 1024);
    hg_buf_init(&replay->stream, KEY_BYTES_MAX);
    hg_buf_init(&replay->current, KEY_BYTES_MAX);
    hg_buf_init(&replay->previous, KEY_BYTES_MAX);
    hg_buf_init(&replay->scope, KEY_BYTES_MAX);
}

void hg_replay_done(struct hg_replay *replay)
{
    hg_buf_done(&replay->copy);
    hg_buf_done(&replay->pointer);
    hg_buf_done(&replay->message);
    hg_buf_done(&replay->stream);
    hg_buf_done(&replay->current);
    hg_buf_done(&replay->previous);
    hg_buf_done(&replay->scope);
}

/* ---- whether it may -----------------------------------------------------------------------------------------------
 */

static enum hg_replayed stay(struct hg_buf *words, const char *why)
{
    hg_buf_put_str(words, "stays: ");
    hg_buf_put_str(words, why);
    return HG_REPLAY_STAYS;
}

static enum hg_replayed fail(struct hg_replay *replay, const char *why)
{
    (void)hg_box_fail(replay->box, "%s", why);
    return HG_REPLAY_FAILED;
}

/* The checks an emit has to pass. */
static enum hg_replayed check(struct hg_replay *replay, const struct hg_rule *rule, const struct hg_letter *letter,
                              struct hg_buf *words)
{
    uint64_t most = replay->box->config->event_bytes_max;
    if (!rule->emit)
        return stay(words, "clients may not emit to its topic");
    if (letter->event.len > most) {
        hg_buf_printf(words, "stays: the event has %zu bytes, event_bytes_max is %llu", letter->event.len,
                      (unsigned long long)most);
        return HG_REPLAY_STAYS;
    }
    if (!hg_ok(hg_json_parse(letter->event, NULL, NULL)))
        return stay(words, "the event is not JSON");
    hg_result result = hg_door_check(rule, letter->event, &replay->pointer, &replay->message);
    if (hg_ok(result))
        return HG_REPLAYED;
    if (result.code != HG_ERR_EVENT_INVALID)
        return fail(replay, hg_error_row(result.code)->text);
    struct hg_slice message =
        replay->message.len > 0 ? hg_buf_slice(&replay->message) : hg_slice_str(hg_error_row(result.code)->text);
    hg_buf_put_str(words, "stays: ");
    if (replay->pointer.len > 0)
        hg_buf_printf(words, "%.*s: ", HG_SLICE_ARG(hg_buf_slice(&replay->pointer)));
    hg_buf_put(words, message);
    if (words->len > 0 && words->ptr[words->len - 1] == '.')
        hg_buf_truncate(words, words->len - 1);
    return HG_REPLAY_STAYS;
}

/* NULL, or why its own id will not do. */
static const char *objection_to_id(const struct hg_letter *letter)
{
    if (hg_slice_is(letter->code, "122"))
        return "its id was used for another event; --new-id gives it a fresh one";
    if (letter->id.len > HG_EMIT_ID_BYTES_MAX || hg_text_objection(letter->id))
        return "it has no valid id; --new-id gives it one";
    return NULL;
}

/* ---- appending ----------------------------------------------------------------------------------------------------
 */

static const struct hg_reply *call(struct hg_replay *replay, const struct hg_slice *argv, size_t argc)
{
    const struct hg_reply *reply = NULL;
    struct hg_phrase phrase;
    if (hg_ok(hg_blocking_call(replay->box->redis, argv, argc, &reply, &phrase)))
        return reply;
    (void)hg_box_failed(replay->box, &phrase);
    return NULL;
}

static bool says(const struct hg_reply *reply, const char *words)
{
    return reply->type == HG_REPLY_ERROR && memmem(reply->text.ptr, reply->text.len, words, strlen(words));
}

static bool load_script(struct hg_replay *replay)
{
    const struct hg_slice argv[] = {HG_LIT("SCRIPT"), HG_LIT("LOAD"), hg_dedupe_script()};
    const struct hg_reply *reply = call(replay, argv, 3);
    if (!reply)
        return false;
    if (reply->type == HG_REPLY_STRING && reply->text.len == sizeof(replay->sha) - 1) {
        memcpy(replay->sha, reply->text.ptr, reply->text.len);
        replay->way = HG_REPLAY_SCRIPT;
        return true;
    }
    if (!hg_reply_is_denial(reply))
        return hg_box_refused(replay->box, "SCRIPT LOAD", reply);
    replay->way = HG_REPLAY_NO_SCRIPT;
    return true;
}

/* As gateways do (core/uplink.c): a Function, else a script. */
static bool load(struct hg_replay *replay)
{
    struct hg_buf library;
    if (replay->way != HG_REPLAY_NOT_LOADED)
        return true;
    hg_buf_init(&library, 65536);
    hg_dedupe_put_library(&library);
    const struct hg_slice argv[] = {HG_LIT("FUNCTION"), HG_LIT("LOAD"), hg_buf_slice(&library)};
    const struct hg_reply *reply = hg_ok(hg_buf_result(&library)) ? call(replay, argv, 3) : NULL;
    hg_buf_done(&library);
    if (!reply)
        return false;
    if (reply->type != HG_REPLY_ERROR || says(reply, "already exists")) {
        replay->way = HG_REPLAY_FUNCTION;
        return true;
    }
    return hg_reply_is_denial(reply) ? load_script(replay) : hg_box_refused(replay->box, "FUNCTION LOAD", reply);
}

/* One letter on its way; slices are borrowed from replay->copy and from the caller's frames. */
struct parcel {
    const struct hg_rule *rule;
    struct hg_slice stream, current, previous;
    struct hg_slice id, event, scope;
    struct hg_slice more[MORE_MAX];
    size_t more_count;
    uint32_t digest;
    char stamp[HG_DEDUPE_STAMP_BYTES];
    size_t stamp_len;
};

static void put_more(struct parcel *parcel, const char *name, struct hg_slice value)
{
    const struct hg_string_list *carry = &parcel->rule->carry;
    if (value.len == 0 || !hg_string_list_has(carry, hg_slice_str(name)))
        return;
    parcel->more[parcel->more_count++] = hg_slice_str(name);
    parcel->more[parcel->more_count++] = value;
}

/* The very entry that the emit would have made (core/emitter.c). */
static void stamp(struct parcel *parcel)
{
    struct hg_slice fields[4 + MORE_MAX] = {hg_slice_str(parcel->rule->payload_field), parcel->event, HG_LIT("id"),
                                            parcel->id};
    memcpy(fields + 4, parcel->more, sizeof(parcel->more));
    parcel->digest = hg_fingerprint(fields, 4);
    parcel->stamp_len = hg_dedupe_stamp(hg_fingerprint(fields, 4 + parcel->more_count), parcel->digest, parcel->stamp);
}

static const struct hg_reply *send_step(struct hg_replay *replay, const struct parcel *parcel)
{
    bool by_function = replay->way == HG_REPLAY_FUNCTION;
    struct hg_dedupe_call dedupe = {
        .stream = parcel->stream,
        .current = parcel->current,
        .previous = parcel->previous,
        .window_ms = hg_dedupe_remember_ms(replay->box->config, parcel->rule),
        .maxlen = parcel->rule->maxlen,
        .look = true,
        .field = hg_slice_str(parcel->rule->payload_field),
        .scoped = parcel->scope.len > 0,
        .more = parcel->more_count,
    };
    struct hg_dedupe_event event = {
        .id = parcel->id,
        .event = parcel->event,
        .stamp = hg_slice(parcel->stamp, parcel->stamp_len),
        .scope = parcel->scope,
        .more = parcel->more,
    };
    struct hg_dedupe_numbers numbers;
    struct hg_slice argv[HG_DEDUPE_CALL_WORDS + HG_DEDUPE_EVENT_WORDS + MORE_MAX];
    size_t argc = hg_dedupe_begin(&dedupe, by_function ? HG_LIT("FCALL") : HG_LIT("EVALSHA"),
                                  hg_slice_str(by_function ? hg_dedupe_name() : replay->sha), &numbers, argv);
    argc += hg_dedupe_put(&dedupe, &event, argv + argc);
    return call(replay, argv, argc);
}

static const struct hg_reply *send_plain(struct hg_replay *replay, const struct parcel *parcel)
{
    struct hg_slice argv[10 + MORE_MAX] = {HG_LIT("XADD"), parcel->stream};
    char maxlen[24];
    size_t argc = 2;
    snprintf(maxlen, sizeof(maxlen), "%llu", (unsigned long long)parcel->rule->maxlen);
    if (parcel->rule->maxlen > 0) {
        argv[argc++] = HG_LIT("MAXLEN");
        argv[argc++] = HG_LIT("~");
        argv[argc++] = hg_slice_str(maxlen);
    }
    argv[argc++] = HG_LIT("*");
    argv[argc++] = hg_slice_str(parcel->rule->payload_field);
    argv[argc++] = parcel->event;
    argv[argc++] = HG_LIT("id");
    argv[argc++] = parcel->id;
    for (size_t i = 0; i < parcel->more_count; i++)
        argv[argc++] = parcel->more[i];
    return call(replay, argv, argc);
}

/* What Redis refuses for this letter alone leaves it where it is; anything else ends the replay. */
static enum hg_replayed refused(struct hg_replay *replay, const struct parcel *parcel, const struct hg_reply *error,
                                struct hg_buf *words)
{
    char what[160];
    snprintf(what, sizeof(what), "%.*s", (int)(parcel->stream.len < 150 ? parcel->stream.len : 150),
             parcel->stream.ptr);
    (void)hg_box_refused(replay->box, what, error);
    if (!hg_reply_is_error(error, "NOPERM") && !hg_reply_is_error(error, "WRONGTYPE"))
        return HG_REPLAY_FAILED;
    return stay(words, replay->box->why);
}

enum outcome { APPENDED, KNOWN, CONFLICT, REFUSED };

/* Sends it the way that is open; REFUSED: `ret_end` says how that ends. */
static enum outcome append(struct hg_replay *replay, struct parcel *parcel, hg_stream_id *ret_id,
                           enum hg_replayed *ret_end, struct hg_buf *words)
{
    *ret_end = HG_REPLAY_FAILED;
    stamp(parcel);
    if (!load(replay))
        return REFUSED;
    bool plain = replay->way == HG_REPLAY_NO_SCRIPT;
    if (plain && parcel->rule->dedupe != HG_DEDUPE_BEST_EFFORT) {
        *ret_end = stay(words, "Redis allows its user no script, without which nothing is appended once");
        return REFUSED;
    }
    const struct hg_reply *reply = plain ? send_plain(replay, parcel) : send_step(replay, parcel);
    if (!reply)
        return REFUSED;
    if (!plain && hg_reply_is_error(reply, "NOPERM") && (says(reply, "fcall") || says(reply, "evalsha"))) {
        /* It may be loaded, but not called. */
        if (replay->way == HG_REPLAY_SCRIPT)
            replay->way = HG_REPLAY_NO_SCRIPT;
        else if (!load_script(replay))
            return REFUSED;
        return append(replay, parcel, ret_id, ret_end, words);
    }
    struct hg_dedupe_answer answer = {.result = HG_DEDUPE_ODD};
    if (plain ? reply->type == HG_REPLY_STRING : hg_reply_is_array(reply, 1))
        answer = hg_dedupe_read(plain ? reply : &reply->items[0]);
    struct hg_reply error = *reply;
    if (answer.result == HG_DEDUPE_REFUSED)
        error = (struct hg_reply){.type = HG_REPLY_ERROR, .text = answer.words};
    *ret_id = answer.id;
    switch (answer.result) {
    case HG_DEDUPE_APPENDED:
        return APPENDED;
    case HG_DEDUPE_KNOWN:
        /* Under a scope of its own only this letter is remembered, with the fresh id of the first time. */
        return answer.digest == parcel->digest || parcel->scope.len > 0 ? KNOWN : CONFLICT;
    case HG_DEDUPE_REFUSED:
    case HG_DEDUPE_ODD:
        *ret_end = refused(replay, parcel, &error, words);
        return REFUSED;
    }
    HG_UNREACHABLE();
}

/* Random, version 4 (RFC 9562). */
static bool make_uuid(char *to)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return false;
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(to, 3, "%02x", bytes[i]);
        to += 2;
        if (i == 3 || i == 5 || i == 7 || i == 9)
            *to++ = '-';
    }
    return true;
}

/* Remembered is the letter then, by a name that no client's id has: those have no control characters. */
static bool rename_parcel(struct hg_replay *replay, struct parcel *parcel, const char *stream, hg_stream_id entry,
                          char *uuid)
{
    hg_buf_clear(&replay->scope);
    hg_buf_printf(&replay->scope, "\n%s\n", stream);
    hg_stream_id_put(&replay->scope, entry);
    parcel->scope = hg_buf_slice(&replay->scope);
    parcel->id = hg_slice(uuid, UUID_BYTES);
    return hg_ok(hg_buf_result(&replay->scope)) && make_uuid(uuid);
}

/* ---- one letter ---------------------------------------------------------------------------------------------------
 */

/* The answer to the next call takes the place of the page that the letter borrows from. */
static bool own(struct hg_replay *replay, struct hg_letter *letter)
{
    struct hg_slice *const parts[] = {&letter->event, &letter->id,      &letter->topic, &letter->code,
                                      &letter->user,  &letter->session, &letter->ip};
    hg_buf_clear(&replay->copy);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        hg_buf_put(&replay->copy, *parts[i]);
    if (!hg_ok(hg_buf_result(&replay->copy)))
        return false;
    const char *at = replay->copy.ptr;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        parts[i]->ptr = at;
        at += parts[i]->len;
    }
    return true;
}

static enum hg_replayed take_out(struct hg_replay *replay, const char *stream, hg_stream_id entry, struct hg_buf *words)
{
    size_t removed;
    if (hg_box_remove(replay->box, stream, &entry, 1, &removed))
        return HG_REPLAYED;
    hg_buf_printf(words, ", but the letter is still there: %s", replay->box->why);
    return HG_REPLAY_STAYS;
}

static enum hg_replayed deliver(struct hg_replay *replay, const char *stream, const struct hg_letter *letter,
                                struct parcel *parcel, struct hg_buf *words)
{
    const char *objection = objection_to_id(letter);
    char uuid[UUID_BYTES + 1];
    hg_stream_id id = HG_STREAM_ID_ZERO;
    enum hg_replayed end;
    if (objection && !replay->options.new_id)
        return stay(words, objection);
    if (replay->options.dry_run) {
        hg_buf_printf(words, "would be replayed%s", objection ? " under a fresh id" : "");
        return HG_REPLAYED;
    }
    enum outcome outcome = objection ? CONFLICT : append(replay, parcel, &id, &end, words);
    if (outcome == CONFLICT && !replay->options.new_id)
        return stay(words, "its id is that of another event in the stream; --new-id gives it a fresh one");
    if (outcome == CONFLICT) {
        if (!rename_parcel(replay, parcel, stream, letter->entry, uuid))
            return fail(replay, "no memory or no random number for a fresh id");
        outcome = append(replay, parcel, &id, &end, words);
    }
    if (outcome == REFUSED)
        return end;
    hg_buf_put_str(words, outcome == APPENDED ? "replayed as " : "is in the stream already, as ");
    hg_stream_id_put(words, id);
    return take_out(replay, stream, letter->entry, words);
}

static bool write_keys(struct hg_replay *replay, const struct hg_rule *rule, struct hg_slice topic)
{
    hg_buf_clear(&replay->stream);
    hg_buf_clear(&replay->current);
    hg_buf_clear(&replay->previous);
    if (!hg_ok(hg_template_expand(hg_slice_str(rule->key), topic, &replay->stream)))
        return false;
    hg_dedupe_put_key(hg_buf_slice(&replay->stream), &replay->current);
    hg_buf_put_str(&replay->current, ":current");
    hg_dedupe_put_key(hg_buf_slice(&replay->stream), &replay->previous);
    hg_buf_put_str(&replay->previous, ":previous");
    return hg_ok(hg_buf_result(&replay->current)) && hg_ok(hg_buf_result(&replay->previous));
}

enum hg_replayed hg_replay_letter(struct hg_replay *replay, const char *stream, const struct hg_letter *borrowed,
                                  struct hg_buf *words)
{
    struct hg_letter letter = *borrowed;
    if (!own(replay, &letter))
        return fail(replay, "out of memory");
    const struct hg_rule *rule = hg_box_rule(replay->box, letter.topic);
    if (!rule)
        return stay(words, "no topic rule matches its topic");
    if (rule->source == HG_SOURCE_CHANNEL)
        return stay(words, "its topic is a channel; events can be replayed to streams only");
    if (!replay->options.force) {
        enum hg_replayed checked = check(replay, rule, &letter, words);
        if (checked != HG_REPLAYED)
            return checked;
    }
    if (!write_keys(replay, rule, letter.topic))
        return fail(replay, "out of memory");
    struct parcel parcel = {
        .rule = rule,
        .stream = hg_buf_slice(&replay->stream),
        .current = hg_buf_slice(&replay->current),
        .previous = hg_buf_slice(&replay->previous),
        .id = letter.id,
        .event = letter.event,
    };
    put_more(&parcel, "user", letter.user);
    put_more(&parcel, "session", letter.session);
    put_more(&parcel, "ip", letter.ip);
    return deliver(replay, stream, &letter, &parcel, words);
}
