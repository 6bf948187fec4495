/* What each command does. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "base/hash.h"
#include "core/dedupe.h"
#include "sim/once/world.h"
#include "stream/cursor.h"

/* One command that is executed: where its reply goes. */
struct call {
    struct once_world *world;
    struct once_link *link; /* NULL: nobody is there any more */
    struct sim_command *command;
    struct once_transaction *transaction;
    struct sim_reply *reply;
    struct once_stream *stream;         /* that it writes to */
    struct once_stream *stream_written; /* that it wrote to */
    bool in_exec;
};

static bool word_is(struct hg_slice word, const char *text)
{
    return word.len == strlen(text) && strncasecmp(word.ptr, text, word.len) == 0;
}

static struct hg_reply string_of(struct sim_reply *reply, struct hg_slice text)
{
    return (struct hg_reply){.type = HG_REPLY_STRING, .text = sim_arena_copy(&reply->arena, text)};
}

static struct hg_reply integer_of(int64_t integer)
{
    return (struct hg_reply){.type = HG_REPLY_INTEGER, .integer = integer};
}

static struct hg_reply array_of(struct sim_reply *reply, size_t count, struct hg_reply **ret_items)
{
    *ret_items = sim_arena_get(&reply->arena, (count + 1) * sizeof **ret_items);
    return (struct hg_reply){.type = HG_REPLY_ARRAY, .items = *ret_items, .count = count};
}

static void answer(struct call *call, enum hg_reply_type type, struct hg_slice text)
{
    *call->reply->root = string_of(call->reply, text);
    call->reply->root->type = type;
}

static void fail(struct call *call, const char *text)
{
    answer(call, HG_REPLY_ERROR, hg_slice_str(text));
}

static void unknown(struct call *call)
{
    struct hg_slice text = sim_arena_printf(
        &call->reply->arena,
        "ERR unknown command '%.*s', with args beginning with: ", HG_SLICE_ARG(call->command->argv[0]));
    answer(call, HG_REPLY_ERROR, text);
}

static void denied(struct call *call)
{
    struct hg_slice text = sim_arena_printf(&call->reply->arena,
                                            "NOPERM this user has no permissions to run the '%.*s' command or its "
                                            "subcommand",
                                            HG_SLICE_ARG(call->command->argv[0]));
    answer(call, HG_REPLY_ERROR, text);
}

_Noreturn static void bad(const struct call *call, const char *why)
{
    const struct sim_command *c = call->command;
    char line[300];
    size_t len = 0;

    line[0] = '\0';
    for (size_t i = 0; i < c->argc && len < 200; i++)
        len += (size_t)snprintf(line + len, sizeof line - len, " %.*s",
                                (int)(c->argv[i].len < 60 ? c->argv[i].len : 60), c->argv[i].ptr);
    sim_violation(&call->world->env, "redis: %s:%s", why, line);
}

static uint64_t number_of(const struct call *call, size_t at)
{
    const struct sim_command *c = call->command;
    uint64_t number = 0;

    if (at >= c->argc || c->argv[at].len == 0 || c->argv[at].len > 18)
        bad(call, "a number is missing");
    for (size_t i = 0; i < c->argv[at].len; i++) {
        if (c->argv[at].ptr[i] < '0' || c->argv[at].ptr[i] > '9')
            bad(call, "this is no number");
        number = number * 10 + (uint64_t)(c->argv[at].ptr[i] - '0');
    }
    return number;
}

/* ---- what the gateway asks when a link comes up ------------------------------------------------------------------ */

static void info(struct call *call)
{
    static const char *const versions[ONCE_KINDS] = {"7.0.15", "6.2.14", "7.2.4", "7.0.15", "8.6.2", "8.6.3"};
    char text[200];

    if (call->world->options.info_denied) {
        denied(call);
        return;
    }
    snprintf(text, sizeof text, "# Server\r\nredis_version:%s\r\nredis_mode:standalone\r\nos:Linux\r\n",
             versions[call->world->options.kind]);
    answer(call, HG_REPLY_STRING, hg_slice_str(text));
}

static bool has_functions(const struct call *call)
{
    return call->world->options.kind == ONCE_FUNCTION || call->world->options.kind == ONCE_IDMP;
}

static bool has_scripts(const struct call *call)
{
    return call->world->options.kind != ONCE_PLAIN && call->world->options.kind != ONCE_IDMP_BARE;
}

static void function(struct call *call)
{
    struct once_server *server = &call->world->server;
    const struct sim_command *c = call->command;
    struct hg_slice intro = HG_LIT("#!lua name=");

    if (call->world->options.kind == ONCE_SCRIPT) {
        unknown(call);
        return;
    }
    if (!has_functions(call)) {
        denied(call);
        return;
    }
    if (c->argc != 3 || !word_is(c->argv[1], "LOAD") || !hg_slice_starts(c->argv[2], intro))
        bad(call, "FUNCTION LOAD takes a library");
    struct hg_slice name = hg_slice_from(c->argv[2], intro.len);
    name.len = strcspn(name.ptr, " \r\n");
    char registration[100];
    snprintf(registration, sizeof registration, "'%.*s'", HG_SLICE_ARG(name));
    if (!memmem(c->argv[2].ptr, c->argv[2].len, registration, strlen(registration)))
        bad(call, "the library does not register a function of its own name");
    if (once_names_has(&server->functions, name)) {
        snprintf(registration, sizeof registration, "ERR Library '%.*s' already exists", HG_SLICE_ARG(name));
        fail(call, registration);
        return;
    }
    once_names_put(&server->functions, &call->world->env.arena, name);
    answer(call, HG_REPLY_STRING, name);
}

static void script(struct call *call)
{
    const struct sim_command *c = call->command;
    char hash[64];

    if (!has_scripts(call)) {
        denied(call);
        return;
    }
    if (c->argc != 3 || !word_is(c->argv[1], "LOAD"))
        bad(call, "SCRIPT LOAD takes a script");
    if (hg_slice_starts(c->argv[2], HG_LIT("#!")) && call->world->options.kind == ONCE_SCRIPT) {
        fail(call, "ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'");
        return;
    }
    uint64_t h = hg_hash_bytes((struct hg_hash_key){1, 2}, c->argv[2]);
    snprintf(hash, sizeof hash, "%016" PRIx64 "%016" PRIx64 "%08" PRIx64, h, ~h, h & 0xffffffffu);
    once_names_put(&call->world->server.scripts, &call->world->env.arena, hg_slice_str(hash));
    answer(call, HG_REPLY_STRING, hg_slice_str(hash));
}

/* ---- appending --------------------------------------------------------------------------------------------------- */

static const char *refusal(struct once_world *world)
{
    static const char *const words[] = {
        "OOM command not allowed when used memory > 'maxmemory'.",
        "ERR The stream has exhausted the last possible ID, unable to add more items",
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
        "NOREPLICAS Not enough good replicas to write.",
    };
    return words[sim_below(&world->env, sizeof words / sizeof *words)];
}

static bool refuses_single(const struct once_world *world)
{
    struct sim_env *env = (struct sim_env *)(uintptr_t)&world->env;
    return env->faults && sim_chance(env, world->options.single_chance);
}

static struct hg_slice append_event(void *context, const struct sim_dedupe_call *dedupe,
                                    const struct sim_dedupe_event *event)
{
    struct call *call = context;
    struct once_world *world = call->world;
    struct hg_slice fields[32] = {dedupe->field, event->event, HG_LIT("id"), event->id};
    char stamp[16];

    if (refuses_single(world))
        return sim_arena_printf(&world->env.arena, "-%s", refusal(world));
    if (dedupe->more > 28)
        bad(call, "too many fields");
    for (size_t i = 0; i < dedupe->more; i++)
        fields[4 + i] = event->more[i];
    struct once_entry *entry =
        once_server_append(&world->server, call->stream, fields, 4 + dedupe->more, dedupe->maxlen);
    snprintf(stamp, sizeof stamp, "~%08" PRIx32, entry->fingerprint);
    if (!hg_slice_starts(event->stamp, hg_slice_str(stamp)))
        sim_violation(&world->env, "emit: the stamp %.*s, but the entry's fingerprint is %s",
                      HG_SLICE_ARG(event->stamp), stamp + 1);
    once_oracle_appended(world, call->stream, entry, event->scope);
    return sim_arena_printf(&world->env.arena, "%" PRIu64 "-%" PRIu64, entry->id.ms, entry->id.seq);
}

static void note_write(struct call *call)
{
    call->stream_written = call->stream;
    if (call->in_exec)
        return; /* all of a transaction is one write */
    uint64_t number = once_server_wrote(&call->world->server, call->stream);

    if (call->link)
        call->link->written = number;
}

/* FCALL and EVALSHA. */
static void append_once(struct call *call)
{
    struct once_world *world = call->world;
    struct sim_command *c = call->command;
    struct sim_dedupe_call dedupe;
    struct hg_reply *items;

    const char *why = c->argc < 3 ? "no keys" : sim_dedupe_parse(c->argv + 2, c->argc - 2, &dedupe);
    if (why)
        bad(call, why);
    call->stream = once_server_stream(&world->server, dedupe.stream);
    if (!call->stream)
        bad(call, "an emit to a key that no topic has");
    struct hg_slice *answers = sim_arena_get(&call->reply->arena, dedupe.event_count * sizeof *answers);
    bool wrote;
    once_oracle_call(world, call->stream, &dedupe);
    size_t count = sim_dedupe_run(&call->stream->state.dedupe, &world->env.arena, &dedupe,
                                  once_server_clock(&world->server), append_event, call, answers, &wrote);
    if (wrote)
        note_write(call);
    *call->reply->root = array_of(call->reply, count, &items);
    for (size_t i = 0; i < count; i++) {
        items[i] = string_of(call->reply, answers[i]);
        struct hg_slice event = sim_dedupe_event(&dedupe, i).event;
        struct hg_slice known = hg_slice_from(answers[i], 1);
        struct hg_cursor cursor;
        if (answers[i].ptr[0] == '-')
            once_oracle_refused(world, event);
        if (answers[i].ptr[0] != '=')
            continue;
        const char *wave = memchr(known.ptr, '~', known.len);
        if (!wave ||
            !hg_cursor_parse(hg_slice_first(known, (size_t)(wave + 1 - known.ptr) + HG_FINGERPRINT_DIGITS), &cursor))
            HG_UNREACHABLE();
        once_oracle_found(world, call->stream, event, once_stream_find(call->stream, cursor.id, cursor.fingerprint));
    }
}

static void answer_id(struct call *call, hg_stream_id id)
{
    answer(call, HG_REPLY_STRING, sim_arena_printf(&call->reply->arena, "%" PRIu64 "-%" PRIu64, id.ms, id.seq));
}

static struct once_stream *stream_of(const struct call *call, size_t at)
{
    struct once_stream *stream =
        at < call->command->argc ? once_server_stream(&call->world->server, call->command->argv[at]) : NULL;

    if (!stream)
        bad(call, "a key that no topic has");
    return stream;
}

/* XADD key [IDMP producer id] [MAXLEN ~ n] * name value … */
static void append(struct call *call)
{
    struct once_world *world = call->world;
    struct sim_command *c = call->command;
    struct hg_slice producer = HG_SLICE_NULL, id = HG_SLICE_NULL;
    uint64_t maxlen = 0;
    size_t at = 2, known;

    call->stream = stream_of(call, 1);
    bool only_there = at < c->argc && word_is(c->argv[at], "NOMKSTREAM");
    at += only_there;
    if (at + 2 < c->argc && word_is(c->argv[at], "IDMP")) {
        if (world->options.kind < ONCE_IDMP)
            bad(call, "this server does not know IDMP");
        producer = c->argv[at + 1];
        id = c->argv[at + 2];
        at += 3;
    }
    if (at + 3 < c->argc && word_is(c->argv[at], "MAXLEN") && word_is(c->argv[at + 1], "~")) {
        maxlen = number_of(call, at + 2);
        at += 3;
    }
    if (at >= c->argc || !word_is(c->argv[at], "*") || (c->argc - at - 1) % 2 != 0 || c->argc - at < 5)
        bad(call, "the shape of XADD");
    at++;
    if (refuses_single(world)) {
        fail(call, refusal(world));
        once_oracle_refused(world, c->argv[at + 1]);
        return;
    }
    if (only_there && !call->stream->state.there) {
        *call->reply->root = (struct hg_reply){.type = HG_REPLY_NIL};
        return;
    }
    if (producer.ptr && once_server_idmp_find(&world->server, call->stream, producer, id, &known)) {
        once_oracle_found(world, call->stream, c->argv[at + 1], &call->stream->entries[known]);
        answer_id(call, call->stream->entries[known].id);
        return;
    }
    struct once_entry *entry = once_server_append(&world->server, call->stream, c->argv + at, c->argc - at, maxlen);
    if (producer.ptr) {
        once_server_idmp_put(&world->server, call->stream, producer, id, call->stream->entry_count - 1);
        once_oracle_appended(world, call->stream, entry, id);
    } else {
        once_oracle_appended_plainly(world, call->stream, entry, maxlen);
    }
    note_write(call);
    answer_id(call, entry->id);
}

/* XTRIM key MAXLEN ~ n, behind emits of IDMP. */
static void trim(struct call *call)
{
    call->stream = stream_of(call, 1);
    if (call->command->argc != 5 ||
        number_of(call, 4) != call->world->options.rules[once_topics[call->stream->topic].rule].maxlen)
        bad(call, "the shape of XTRIM, or its length");
    once_server_trim(&call->world->server, call->stream, number_of(call, 4));
    note_write(call);
    *call->reply->root = integer_of(0);
}

static void length(struct call *call)
{
    const struct once_state *state = &stream_of(call, 1)->state;
    *call->reply->root = integer_of((int64_t)(state->count - state->first));
}

/* XRANGE key id id */
static void entry_at(struct call *call)
{
    const struct once_stream *stream = stream_of(call, 1);
    struct hg_reply *items, *pair, *fields;
    hg_stream_id id;

    if (call->command->argc != 4 || !hg_slice_eq(call->command->argv[2], call->command->argv[3]) ||
        !hg_stream_id_parse(call->command->argv[2], &id))
        bad(call, "the shape of XRANGE");
    *call->reply->root = array_of(call->reply, 0, &items);
    for (size_t i = stream->state.first; i < stream->state.count; i++) {
        const struct once_entry *entry = &stream->entries[stream->log[i]];
        if (hg_stream_id_cmp(entry->id, id) != 0)
            continue;
        items[0] = array_of(call->reply, 2, &pair);
        pair[0] = string_of(call->reply, call->command->argv[2]);
        pair[1] = array_of(call->reply, entry->field_count, &fields);
        for (size_t f = 0; f < entry->field_count; f++)
            fields[f] = string_of(call->reply, entry->fields[f]);
        call->reply->root->count = 1;
    }
}

static void stream_info(struct call *call)
{
    const struct once_stream *stream = stream_of(call, 2);
    struct hg_reply *items;

    if (!stream->state.there) {
        fail(call, "ERR no such key");
        return;
    }
    *call->reply->root = array_of(call->reply, 6, &items);
    items[0] = string_of(call->reply, HG_LIT("length"));
    items[1] = integer_of((int64_t)(stream->state.count - stream->state.first));
    items[2] = string_of(call->reply, HG_LIT("idmp-duration"));
    items[3] = integer_of((int64_t)stream->state.idmp_seconds);
    items[4] = string_of(call->reply, HG_LIT("idmp-maxsize"));
    items[5] = integer_of((int64_t)stream->state.idmp_ids);
}

/* XGROUP CREATE key group $ MKSTREAM, XGROUP DESTROY key group: to make a stream without entries. */
static void group(struct call *call)
{
    call->stream = stream_of(call, 2);
    if (!call->stream->state.there && !word_is(call->command->argv[1], "CREATE"))
        bad(call, "a group of no stream");
    call->stream->state.there = true;
    note_write(call);
    answer(call, HG_REPLY_STATUS, HG_LIT("OK"));
}

/* XCFGSET key IDMP-DURATION seconds IDMP-MAXSIZE n: forgets all. */
static void configure(struct call *call)
{
    const struct sim_command *c = call->command;

    call->stream = stream_of(call, 1);
    if (c->argc != 6 || !word_is(c->argv[2], "IDMP-DURATION") || !word_is(c->argv[4], "IDMP-MAXSIZE"))
        bad(call, "the shape of XCFGSET");
    if (!call->stream->state.there) {
        fail(call, "ERR no such key");
        return;
    }
    call->stream->state.idmp_seconds = number_of(call, 3);
    call->stream->state.idmp_ids = number_of(call, 5);
    call->stream->state.idmp = NULL;
    note_write(call);
    answer(call, HG_REPLY_STATUS, HG_LIT("OK"));
}

static void watch(struct call *call)
{
    call->transaction->watched = stream_of(call, 1);
    call->transaction->watched_number = call->transaction->watched->state.number;
    answer(call, HG_REPLY_STATUS, HG_LIT("OK"));
}

/* ---- durability -------------------------------------------------------------------------------------------------- */

/* WAIT n timeout; WAITAOF local replicas timeout. True: it is answered. */
static bool wait_for_copies(struct call *call, bool again)
{
    struct once_world *world = call->world;
    struct once_server *server = &world->server;
    bool aof = word_is(call->command->argv[0], "WAITAOF");
    uint64_t wanted = number_of(call, 1), timeout = number_of(call, aof ? 3 : 2);
    struct hg_reply *items;

    if (call->command->argc != (aof ? 4u : 3u))
        bad(call, "the shape of a wait");
    if (aof && (wanted != 1 || number_of(call, 2) != 0))
        bad(call, "one disk, and no replica's");
    if (aof && world->options.kind == ONCE_SCRIPT) {
        unknown(call);
        return true;
    }
    if (aof && !world->options.disk) {
        fail(call, "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
        return true;
    }
    if (!call->link)
        return true;
    if (!again)
        call->link->blocked_until = timeout == 0 ? HG_TIME_NEVER : hg_time_add(world->env.now, hg_ms(timeout));
    uint64_t number = call->link->written;
    uint64_t count = aof ? once_server_reached(server, &server->disk) >= number : once_server_replicas(server, number);
    if (count < wanted && (!again || world->env.now.us < call->command->arrives.us)) {
        /* `arrives` has no use any more: it is when the wait ends. */
        if (!again)
            call->command->arrives = call->link->blocked_until;
        hg_time next = call->command->arrives;
        for (size_t i = 0; !aof && i < world->options.replicas; i++)
            if (once_server_reached(server, &server->replicas[i]) < number)
                next = hg_time_min(next, once_server_reaches_at(server, &server->replicas[i], number));
        if (aof)
            next = hg_time_min(next, once_server_reaches_at(server, &server->disk, number));
        if (next.us <= world->env.now.us)
            next.us = world->env.now.us + 1;
        call->link->blocked_until = next;
        return false;
    }
    if (!aof) {
        *call->reply->root = integer_of((int64_t)count);
        return true;
    }
    *call->reply->root = array_of(call->reply, 2, &items);
    items[0] = integer_of((int64_t)count);
    items[1] = integer_of(0);
    return true;
}

/* ---- the listener ------------------------------------------------------------------------------------------------ */

static void push(struct once_world *world, struct once_link *to, const char *verb, struct hg_slice channel,
                 struct hg_reply last)
{
    struct sim_reply *reply = sim_reply_new(0);
    struct hg_reply *items;

    *reply->root = array_of(reply, 3, &items);
    items[0] = string_of(reply, hg_slice_str(verb));
    items[1] = string_of(reply, channel);
    items[2] = last;
    if (last.type == HG_REPLY_STRING)
        items[2].text = sim_arena_copy(&reply->arena, last.text);
    once_reply_send(world, to, reply);
}

static void subscribe(struct call *call)
{
    const struct sim_command *c = call->command;

    if (call->link && call->link->number != HG_LINK_LISTENER)
        bad(call, "this link does not listen");
    if (!call->link)
        return;
    for (size_t i = 1; i < c->argc; i++) {
        once_names_put(&call->link->channels, &call->world->env.arena, c->argv[i]);
        push(call->world, call->link, "subscribe", c->argv[i], integer_of((int64_t)call->link->channels.count));
    }
}

/* The canary. */
static void publish(struct call *call)
{
    const struct sim_command *c = call->command;

    if (c->argc != 3 || !hg_slice_starts(c->argv[1], HG_LIT("__headgate__:")))
        bad(call, "the gateway publishes canaries only");
    struct once_link *hears = once_link_hears(call->world, c->argv[1]);
    if (hears)
        push(call->world, hears, "message", c->argv[1], (struct hg_reply){.type = HG_REPLY_STRING, .text = c->argv[2]});
    *call->reply->root = integer_of(hears != NULL);
}

static void ping(struct call *call)
{
    struct hg_reply *items;

    if (call->link && call->link->number == HG_LINK_LISTENER && call->link->channels.count > 0) {
        *call->reply->root = array_of(call->reply, 2, &items);
        items[0] = string_of(call->reply, HG_LIT("pong"));
        items[1] = string_of(call->reply, HG_SLICE_NULL);
    } else {
        answer(call, HG_REPLY_STATUS, HG_LIT("PONG"));
    }
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

static bool refused(struct call *call)
{
    static const char *const errors[] = {
        "LOADING Redis is loading the dataset in memory",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "ERR something went wrong",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "NOPERM this user has no permissions",
    };
    struct once_world *world = call->world;
    struct sim_env *env = &world->env;
    struct hg_slice verb = call->command->argv[0];

    if (env->now.us < world->server.loading_until.us && !word_is(verb, "INFO")) {
        fail(call, errors[0]);
        return true;
    }
    /* A right that comes and goes is a lie; and a subscription that is refused is never asked for again. */
    if (!env->faults || !sim_chance(env, world->options.error_chance) || word_is(verb, "SUBSCRIBE") ||
        word_is(verb, "INFO"))
        return false;
    fail(call, errors[sim_below(env, sizeof errors / sizeof *errors - 1)]);
    return true;
}

/* Makes the reply one that cannot be: never one that could be, which would be a lie. */
static void make_odd(struct call *call)
{
    struct sim_reply *reply = call->reply;
    struct hg_reply *items;

    /* A server that is not known to be a new one is taken for an old one. */
    struct hg_slice verb = call->command->argv[0];
    if (word_is(verb, "INFO") && call->world->options.kind >= ONCE_IDMP)
        return;
    if (reply->root->type == HG_REPLY_ERROR || (call->link && call->link->number == HG_LINK_LISTENER))
        return;
    if (reply->root->type == HG_REPLY_ARRAY && reply->root->count > 0 && sim_chance(&call->world->env, 50)) {
        struct hg_reply *within = (struct hg_reply *)(uintptr_t)reply->root->items;
        size_t at = (size_t)sim_below(&call->world->env, reply->root->count);
        /* An entry less could be: it was trimmed; and of a hash nothing: it was never there. */
        switch (sim_below(&call->world->env, word_is(verb, "XRANGE") ? 3 : word_is(verb, "HMGET") ? 4 : 5)) {
        case 0:
            within[at] = string_of(reply, HG_SLICE_NULL);
            break;
        case 1:
            within[at] = string_of(reply, HG_LIT("=odd"));
            break;
        case 2:
            within[at] = array_of(reply, 0, &items);
            break;
        case 3:
            reply->root->count--;
            break;
        default:
            within[at] = (struct hg_reply){.type = HG_REPLY_NIL};
        }
    } else {
        struct hg_reply odd[] = {integer_of(-1), string_of(reply, HG_LIT("odd")), {.type = HG_REPLY_NIL}};
        *reply->root = odd[sim_below(&call->world->env, sizeof odd / sizeof *odd)];
    }
    SIM_TRACE(&call->world->env, "redis: the reply to #%" PRIu64 " is odd", reply->token);
}

/* HMGET of a stream's current hash, for the time it was begun: whether the step remembers anything. */
static void hash_begun(struct call *call)
{
    struct once_server *server = &call->world->server;
    const struct sim_command *c = call->command;
    struct hg_reply *items;

    if (c->argc != 3 || c->argv[2].len != 0)
        bad(call, "HMGET is used to ask for one field");
    *call->reply->root = array_of(call->reply, 1, &items);
    items[0] = (struct hg_reply){.type = HG_REPLY_NIL};
    for (size_t i = 0; i < ONCE_STREAMS; i++) {
        const struct once_stream *stream = &server->streams[i];
        const struct sim_hash *current = &stream->state.dedupe.current;
        struct hg_buf key;
        char begun[24];

        hg_buf_init(&key, 1024);
        hg_dedupe_put_key(stream->key, &key);
        hg_buf_put_str(&key, ":current");
        snprintf(begun, sizeof begun, "%" PRIu64, current->begun_ms);
        if (hg_slice_eq(hg_buf_slice(&key), c->argv[1]) && current->fields &&
            current->expires_ms > once_server_clock(server))
            items[0] = string_of(call->reply, hg_slice_str(begun));
        hg_buf_done(&key);
    }
}

/* False: it blocks, and the reply is not used. */
static bool run(struct call *call)
{
    struct once_server *server = &call->world->server;
    const struct sim_command *c = call->command;
    struct hg_slice verb = c->argv[0];

    if (word_is(verb, "INFO")) {
        info(call);
    } else if (word_is(verb, "FUNCTION")) {
        function(call);
    } else if (word_is(verb, "SCRIPT")) {
        script(call);
    } else if (word_is(verb, "FCALL") && c->argc >= 2) {
        if (call->world->options.kind == ONCE_SCRIPT)
            unknown(call);
        else if (!has_functions(call))
            denied(call);
        else if (once_names_has(&server->functions, c->argv[1]))
            append_once(call);
        else
            fail(call, "ERR Function not found");
    } else if (word_is(verb, "EVALSHA") && c->argc >= 2) {
        if (!has_scripts(call))
            denied(call);
        else if (once_names_has(&server->scripts, c->argv[1]))
            append_once(call);
        else
            fail(call, "NOSCRIPT No matching script. Please use EVAL.");
    } else if (word_is(verb, "HMGET")) {
        hash_begun(call);
    } else if (word_is(verb, "XADD")) {
        append(call);
    } else if (word_is(verb, "XLEN")) {
        length(call);
    } else if (word_is(verb, "XTRIM")) {
        trim(call);
    } else if (word_is(verb, "XRANGE")) {
        entry_at(call);
    } else if (word_is(verb, "XINFO")) {
        stream_info(call);
    } else if (word_is(verb, "XGROUP")) {
        group(call);
    } else if (word_is(verb, "XCFGSET")) {
        configure(call);
    } else if (word_is(verb, "WATCH")) {
        watch(call);
    } else if (word_is(verb, "UNWATCH")) {
        call->transaction->watched = NULL;
        answer(call, HG_REPLY_STATUS, HG_LIT("OK"));
    } else if (word_is(verb, "WAIT") || word_is(verb, "WAITAOF")) {
        return wait_for_copies(call, false);
    } else if (word_is(verb, "PUBLISH")) {
        publish(call);
    } else if (word_is(verb, "PING")) {
        ping(call);
    } else if (word_is(verb, "SCAN")) {
        struct hg_reply *pair, *keys;
        *call->reply->root = array_of(call->reply, 2, &pair);
        pair[0] = string_of(call->reply, HG_LIT("0"));
        pair[1] = array_of(call->reply, 0, &keys);
    } else {
        bad(call, "not known");
    }
    return true;
}

static void exec(struct call *call)
{
    struct once_transaction *transaction = call->transaction;
    struct sim_command *c = call->command, *next;
    struct hg_reply *items;
    size_t count = 0;

    if (!transaction->open || transaction->spoiled) {
        for (next = transaction->queued; next; next = next->next)
            once_oracle_error(call->world, next->argv, next->argc);
        fail(call, transaction->open ? "EXECABORT Transaction discarded because of previous errors."
                                     : "ERR EXEC without MULTI");
        once_transaction_end(transaction);
        return;
    }
    if (transaction->watched && transaction->watched->state.number != transaction->watched_number) {
        call->reply->root->type = HG_REPLY_NIL;
        once_transaction_end(transaction);
        return;
    }
    for (next = transaction->queued; next; next = next->next)
        count++;
    call->in_exec = true;
    *call->reply->root = array_of(call->reply, count, &items);
    struct hg_reply *root = call->reply->root, whole = *root;
    for (size_t i = 0; i < count; i++) {
        call->command = transaction->queued;
        transaction->queued = call->command->next;
        call->reply->root = &items[i];
        (void)run(call);
        free(call->command);
    }
    call->command = c;
    call->reply->root = root;
    *root = whole;
    call->in_exec = false;
    if (call->stream_written) {
        call->stream = call->stream_written;
        note_write(call);
    }
    once_transaction_end(transaction);
}

void once_transaction_end(struct once_transaction *transaction)
{
    while (transaction->queued) {
        struct sim_command *command = transaction->queued;
        transaction->queued = command->next;
        free(command);
    }
    *transaction = (struct once_transaction){0};
}

/* Takes the command. */
static void queue(struct call *call, struct sim_command **command)
{
    struct once_transaction *transaction = call->transaction;

    if (!transaction->queued)
        transaction->queued_end = &transaction->queued;
    (*command)->next = NULL;
    *transaction->queued_end = *command;
    transaction->queued_end = &(*command)->next;
    *command = NULL;
    answer(call, HG_REPLY_STATUS, HG_LIT("QUEUED"));
}

bool once_command_execute(struct once_world *world, struct once_link *link, struct once_transaction *transaction,
                          struct sim_command **command)
{
    bool listener = link && link->number == HG_LINK_LISTENER;
    struct call call = {.world = world, .link = link, .command = *command, .transaction = transaction};
    struct hg_slice verb = (*command)->argv[0];

    if (word_is(verb, "SUBSCRIBE") && world->env.now.us >= world->server.loading_until.us) {
        subscribe(&call);
        return true;
    }
    call.reply = sim_reply_new(listener ? 0 : call.command->token);
    if (word_is(verb, "MULTI")) {
        transaction->open = true;
        answer(&call, HG_REPLY_STATUS, HG_LIT("OK"));
    } else if (word_is(verb, "EXEC")) {
        exec(&call);
        if (world->env.faults && sim_chance(&world->env, world->options.odd_chance))
            make_odd(&call);
    } else if (refused(&call)) {
        transaction->spoiled = true;
        once_oracle_error(world, call.command->argv, call.command->argc);
    } else if (transaction->open) {
        queue(&call, command);
    } else {
        if (!run(&call)) {
            sim_arena_clear(&call.reply->arena);
            free(call.reply);
            return false;
        }
        if (world->env.faults && sim_chance(&world->env, world->options.odd_chance))
            make_odd(&call);
    }
    once_reply_send(world, link, call.reply);
    return true;
}

bool once_command_retry(struct once_world *world, struct once_link *link, struct sim_command *command)
{
    struct call call = {.world = world, .link = link, .command = command, .reply = sim_reply_new(command->token)};

    if (wait_for_copies(&call, true)) {
        once_reply_send(world, link, call.reply);
        return true;
    }
    sim_arena_clear(&call.reply->arena);
    free(call.reply);
    return false;
}
