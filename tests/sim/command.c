#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "sim/oracle.h"
#include "sim/redis.h"
#include "stream/cursor.h"

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

static void send_text(struct sim_redis *redis, uint32_t link, uint64_t token, enum hg_reply_type type, const char *text)
{
    struct sim_reply *reply = sim_reply_new(token);

    *reply->root = string_of(reply, hg_slice_str(text));
    reply->root->type = type;
    sim_reply_send(redis, link, reply);
}

static void send_error(struct sim_redis *redis, uint32_t link, uint64_t token, const char *text)
{
    send_text(redis, link, token, HG_REPLY_ERROR, text);
}

static const char wrong_type[] = "WRONGTYPE Operation against a key holding the wrong kind of value";

_Noreturn static void bad(struct sim_redis *redis, const struct sim_command *c, const char *why)
{
    char line[300];
    size_t len = 0;

    line[0] = '\0';
    for (size_t i = 0; i < c->argc && len < 200; i++)
        len += (size_t)snprintf(line + len, sizeof line - len, " %.*s",
                                (int)(c->argv[i].len < 60 ? c->argv[i].len : 60), c->argv[i].ptr);
    sim_violation(redis->env, "redis: %s:%s", why, line);
}

static uint64_t number_of(struct sim_redis *redis, const struct sim_command *c, size_t at)
{
    uint64_t number = 0;

    if (at >= c->argc || c->argv[at].len == 0 || c->argv[at].len > 19)
        bad(redis, c, "a number is missing");
    for (size_t i = 0; i < c->argv[at].len; i++) {
        char digit = c->argv[at].ptr[i];
        if (digit < '0' || digit > '9')
            bad(redis, c, "this is no number");
        number = number * 10 + (uint64_t)(digit - '0');
    }
    return number;
}

/* An id as XRANGE and XREAD take it: "-", "+", "ms", "ms-seq", each with "(" in front. `seq` fills in a missing one. */
static hg_stream_id id_of(struct sim_redis *redis, const struct sim_command *c, size_t at, uint64_t seq, bool *ret_open)
{
    hg_stream_id id;

    if (at >= c->argc)
        bad(redis, c, "an id is missing");
    struct hg_slice text = c->argv[at];
    *ret_open = text.len > 1 && text.ptr[0] == '(';
    if (*ret_open)
        text = hg_slice_from(text, 1);
    if (word_is(text, "-"))
        return HG_STREAM_ID_ZERO;
    if (word_is(text, "+"))
        return HG_STREAM_ID_MAX;
    if (hg_stream_id_parse(text, &id))
        return id;
    struct hg_slice whole = sim_arena_printf(&redis->env->arena, "%.*s-0", HG_SLICE_ARG(text));
    if (!hg_stream_id_parse(whole, &id))
        bad(redis, c, "this is no id");
    id.seq = seq;
    return id;
}

static struct hg_reply entry_of(struct sim_reply *reply, const struct sim_entry *entry)
{
    struct hg_reply *pair, *fields;
    struct hg_reply whole = array_of(reply, 2, &pair);
    char id[64];
    int len = snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, entry->id.ms, entry->id.seq);

    pair[0] = string_of(reply, hg_slice(id, (size_t)len));
    pair[1] = array_of(reply, entry->field_count, &fields);
    for (size_t i = 0; i < entry->field_count; i++)
        fields[i] = string_of(reply, entry->fields[i]);
    return whole;
}

static struct hg_reply entries_of(struct sim_reply *reply, const struct sim_key *key, size_t from, size_t count,
                                  bool reverse)
{
    struct hg_reply *items;
    struct hg_reply whole = array_of(reply, count, &items);

    for (size_t i = 0; i < count; i++)
        items[i] = entry_of(reply, &key->entries[key->log[reverse ? from + count - 1 - i : from + i]]);
    return whole;
}

static bool has_id(const struct sim_key *key, size_t position, hg_stream_id id)
{
    return hg_stream_id_cmp(key->entries[key->log[position]].id, id) == 0;
}

/* XREAD [COUNT n] [BLOCK ms] STREAMS key… id… True when a reply was sent. */
static bool read_streams(struct sim_redis *redis, uint32_t link, struct sim_command *c, bool again, hg_time *ret_until)
{
    struct sim_env *env = redis->env;
    uint64_t limit = UINT64_MAX;
    bool blocks = false, open;
    size_t at = 1;

    for (; at < c->argc && !word_is(c->argv[at], "STREAMS"); at += 2) {
        if (word_is(c->argv[at], "COUNT")) {
            limit = number_of(redis, c, at + 1);
        } else if (word_is(c->argv[at], "BLOCK")) {
            uint64_t ms = number_of(redis, c, at + 1);
            *ret_until = ms == 0 ? HG_TIME_NEVER : hg_time_add(env->now, hg_ms(ms));
            blocks = true;
        } else {
            bad(redis, c, "XREAD does not know this option");
        }
    }
    if (++at >= c->argc || (c->argc - at) % 2 != 0)
        bad(redis, c, "XREAD needs as many keys as ids");

    size_t n = (c->argc - at) / 2, found = 0;
    struct sim_reply *reply = sim_reply_new(c->token);
    struct hg_reply *items;
    struct hg_reply whole = array_of(reply, n, &items);
    for (size_t i = 0; i < n; i++) {
        struct sim_key *key = sim_store_find(env->store, c->argv[at + i]);
        if (key && !again) {
            key->asked = true;
            key->asked_at = env->now;
        }
        if (!key || key->type == SIM_KEY_NONE)
            continue;
        if (key->type != SIM_KEY_STREAM) {
            *reply->root = string_of(reply, hg_slice_str(wrong_type));
            reply->root->type = HG_REPLY_ERROR;
            sim_reply_send(redis, link, reply);
            return true;
        }
        hg_stream_id id = id_of(redis, c, at + n + i, 0, &open);
        size_t from = sim_store_lower(key, id);
        if (from < key->log_count && has_id(key, from, id))
            from++;
        size_t count = key->log_count - from < limit ? key->log_count - from : (size_t)limit;
        if (count == 0)
            continue;
        struct hg_reply *pair;
        items[found] = array_of(reply, 2, &pair);
        pair[0] = string_of(reply, key->name);
        pair[1] = entries_of(reply, key, from, count, false);
        found++;
    }
    whole.count = found;
    if (found > 0)
        *reply->root = whole;
    if (found == 0 && (blocks || again)) {
        sim_arena_clear(&reply->arena);
        free(reply);
        return false;
    }
    sim_reply_send(redis, link, reply);
    return true;
}

/* XRANGE key start end [COUNT n], XREVRANGE key end start [COUNT n] */
static void range(struct sim_redis *redis, uint32_t link, struct sim_command *c, bool reverse)
{
    bool low_open, high_open;

    if (c->argc != 4 && !(c->argc == 6 && word_is(c->argv[4], "COUNT")))
        bad(redis, c, "the shape of a range");
    hg_stream_id low = id_of(redis, c, reverse ? 3 : 2, 0, &low_open);
    hg_stream_id high = id_of(redis, c, reverse ? 2 : 3, UINT64_MAX, &high_open);
    uint64_t limit = c->argc == 6 ? number_of(redis, c, 5) : UINT64_MAX;
    struct sim_reply *reply = sim_reply_new(c->token);
    struct hg_reply *none;
    struct sim_key *key = sim_store_find(redis->env->store, c->argv[1]);

    *reply->root = array_of(reply, 0, &none);
    if (key && link == HG_LINK_REPLAY)
        key->ranges++;
    if (key && link < HG_LINK_READER) { /* not for a proof */
        key->asked = true;
        key->asked_at = redis->env->now;
    }
    if (key && key->type == SIM_KEY_STRING) {
        *reply->root = string_of(reply, hg_slice_str(wrong_type));
        reply->root->type = HG_REPLY_ERROR;
    } else if (key && key->type == SIM_KEY_STREAM) {
        size_t from = sim_store_lower(key, low), to = sim_store_lower(key, high);

        if (low_open && from < key->log_count && has_id(key, from, low))
            from++;
        if (!high_open && to < key->log_count && has_id(key, to, high))
            to++;
        size_t count = to > from ? to - from : 0;
        if (count > limit) {
            if (reverse)
                from = to - (size_t)limit;
            count = (size_t)limit;
        }
        *reply->root = entries_of(reply, key, from, count, reverse);
    }
    sim_reply_send(redis, link, reply);
}

/* SCAN cursor [MATCH glob] [COUNT n] [TYPE stream]: the keys' places are fixed, so that one that was there all the time
 * is told at least once; a page may be empty, and a key may come twice. */
/* XINFO STREAM key, as Redis 7 answers it, or Redis 6 when the server is old. */
static void stream_info(struct sim_redis *redis, uint32_t link, struct sim_command *c)
{
    struct sim_store *store = redis->env->store;

    if (c->argc != 3 || !word_is(c->argv[1], "STREAM"))
        bad(redis, c, "XINFO STREAM takes one key");
    struct sim_key *key = sim_store_find(store, c->argv[2]);
    if (key && link == HG_LINK_COMMANDER) { /* asked for the place, not for a proof */
        key->asked = true;
        key->asked_at = redis->env->now;
    }
    if (!key || key->type == SIM_KEY_NONE) {
        send_error(redis, link, c->token, "ERR no such key");
        return;
    }
    if (key->type == SIM_KEY_STRING) {
        send_error(redis, link, c->token, wrong_type);
        return;
    }
    struct sim_reply *reply = sim_reply_new(c->token);
    struct hg_reply *items;
    char id[HG_STREAM_ID_TEXT_MAX + 1];
    bool any = key->log_count > 0;
    *reply->root = array_of(reply, redis->old ? 8 : 12, &items);
    items[0] = string_of(reply, HG_LIT("length"));
    items[1] = integer_of((int64_t)key->log_count);
    items[2] = string_of(reply, HG_LIT("last-generated-id"));
    snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, key->last_id.ms, key->last_id.seq);
    items[3] = string_of(reply, hg_slice_str(id));
    items[4] = string_of(reply, HG_LIT("first-entry"));
    items[5] = any ? entry_of(reply, &key->entries[key->log[0]]) : (struct hg_reply){.type = HG_REPLY_NIL};
    items[6] = string_of(reply, HG_LIT("last-entry"));
    items[7] =
        any ? entry_of(reply, &key->entries[key->log[key->log_count - 1]]) : (struct hg_reply){.type = HG_REPLY_NIL};
    if (!redis->old) {
        items[8] = string_of(reply, HG_LIT("entries-added"));
        items[9] = integer_of((int64_t)key->added);
        items[10] = string_of(reply, HG_LIT("max-deleted-entry-id"));
        snprintf(id, sizeof id, "%" PRIu64 "-%" PRIu64, key->max_deleted.ms, key->max_deleted.seq);
        items[11] = string_of(reply, hg_slice_str(id));
    }
    sim_reply_send(redis, link, reply);
}

/* PUBLISH of the gateway's own: the canary. */
static void publish(struct sim_redis *redis, uint32_t link, struct sim_command *c)
{
    struct sim_reply *reply;
    struct hg_reply *items;

    if (c->argc != 3 || !hg_slice_starts(c->argv[1], HG_LIT("__headgate__:")))
        bad(redis, c, "the gateway publishes canaries only");
    bool heard = sim_redis_hears(redis, c->argv[1]);
    if (heard) {
        reply = sim_reply_new(0);
        *reply->root = array_of(reply, 3, &items);
        items[0] = string_of(reply, HG_LIT("message"));
        items[1] = string_of(reply, c->argv[1]);
        items[2] = string_of(reply, c->argv[2]);
        sim_reply_send(redis, HG_LINK_LISTENER, reply);
    }
    reply = sim_reply_new(c->token);
    *reply->root = integer_of(heard);
    sim_reply_send(redis, link, reply);
}

static void scan(struct sim_redis *redis, uint32_t link, struct sim_command *c)
{
    struct sim_env *env = redis->env;
    struct sim_store *store = env->store;
    struct hg_slice glob = HG_LIT("*");
    uint64_t cursor = number_of(redis, c, 1), limit = 10;
    bool streams_only = false;

    for (size_t at = 2; at < c->argc; at += 2) {
        if (word_is(c->argv[at], "COUNT")) {
            limit = number_of(redis, c, at + 1);
        } else if (at + 1 < c->argc && word_is(c->argv[at], "MATCH")) {
            glob = c->argv[at + 1];
        } else if (at + 1 < c->argc && word_is(c->argv[at], "TYPE") && !redis->old) {
            streams_only = true;
        } else {
            send_error(redis, link, c->token, "ERR syntax error");
            return;
        }
    }
    if (limit > env->options.scan_page)
        limit = env->options.scan_page;
    size_t slots = store->key_count + 2;
    size_t from = cursor < slots ? (size_t)cursor : slots, to = slots - from < limit ? slots : from + (size_t)limit;
    if (env->options.page_repeats && from > 0 && sim_chance(env, 30))
        from--;

    struct sim_reply *reply = sim_reply_new(c->token);
    struct hg_reply *pair, *keys;
    size_t found = 0;
    *reply->root = array_of(reply, 2, &pair);
    pair[0] = string_of(reply, sim_arena_printf(&env->arena, "%zu", to < slots ? to : 0));
    pair[1] = array_of(reply, slots, &keys);
    for (size_t i = from; i < to && i < store->key_count; i++) {
        struct sim_key *key = &store->keys[i];
        if (key->type != SIM_KEY_NONE && (!streams_only || key->type == SIM_KEY_STREAM) &&
            sim_glob_match(glob, key->name))
            keys[found++] = string_of(reply, key->name);
    }
    if (!streams_only && to == slots && sim_glob_match(glob, HG_LIT("elsewhere")))
        keys[found++] = string_of(reply, HG_LIT("elsewhere"));
    pair[1].count = found;
    sim_reply_send(redis, link, reply);
}

static void subscribe(struct sim_redis *redis, uint32_t link, struct sim_command *c, const char *verb)
{
    bool by_glob = verb[0] == 'p', leaves = strstr(verb, "un") != NULL;
    struct sim_names *names = by_glob ? &redis->globs : &redis->channels;

    if (link != HG_LINK_LISTENER)
        bad(redis, c, "this link does not listen");
    if (c->argc < 2)
        bad(redis, c, "no names");
    for (size_t i = 1; i < c->argc; i++) {
        struct sim_reply *reply = sim_reply_new(0);
        struct hg_reply *items;

        if (leaves) {
            for (size_t k = 0; k < names->count; k++)
                if (hg_slice_eq(names->items[k], c->argv[i]))
                    names->items[k] = names->items[--names->count];
        } else if (!sim_names_has(names, c->argv[i])) {
            *SIM_PUSH(names->items, names->count, names->capacity) = sim_arena_copy(&redis->env->arena, c->argv[i]);
        }
        *reply->root = array_of(reply, 3, &items);
        items[0] = string_of(reply, hg_slice_str(verb));
        items[1] = string_of(reply, c->argv[i]);
        items[2] = integer_of((int64_t)(redis->channels.count + redis->globs.count));
        sim_reply_send(redis, link, reply);
    }
}

static void ping(struct sim_redis *redis, uint32_t link, struct sim_command *c)
{
    struct sim_reply *reply = sim_reply_new(link == HG_LINK_LISTENER ? 0 : c->token);
    struct hg_reply *items;

    if (link == HG_LINK_LISTENER && redis->channels.count + redis->globs.count > 0) {
        *reply->root = array_of(reply, 2, &items);
        items[0] = string_of(reply, HG_LIT("pong"));
        items[1] = string_of(reply, c->argc > 1 ? c->argv[1] : HG_SLICE_NULL);
    } else {
        *reply->root = string_of(reply, c->argc > 1 ? c->argv[1] : HG_LIT("PONG"));
        if (c->argc == 1)
            reply->root->type = HG_REPLY_STATUS;
    }
    sim_reply_send(redis, link, reply);
}

static struct hg_slice hash_of(struct sim_env *env, struct hg_slice script)
{
    uint64_t h = hg_hash_bytes((struct hg_hash_key){1, 2}, script);
    return sim_arena_printf(&env->arena, "%016" PRIx64 "%016" PRIx64 "%08" PRIx64, h, ~h, h & 0xffffffffu);
}

struct append {
    struct sim_redis *redis;
    struct sim_command *command;
    struct sim_key *key;
};

static struct hg_slice append_event(void *context, const struct sim_dedupe_call *call,
                                    const struct sim_dedupe_event *event)
{
    const struct append *append = context;
    struct sim_env *env = append->redis->env;
    struct sim_key *key = append->key;
    char stamp[16];

    if (key->type == SIM_KEY_STRING)
        return sim_arena_printf(&env->arena, "-%s", wrong_type);
    if (call->more > 0)
        bad(append->redis, append->command, "further fields, but nobody asked for any");
    struct hg_slice *fields = sim_arena_get(&env->arena, 4 * sizeof *fields);
    fields[0] = sim_arena_copy(&env->arena, call->field);
    fields[1] = sim_arena_copy(&env->arena, event->event);
    fields[2] = HG_LIT("id");
    fields[3] = sim_arena_copy(&env->arena, event->id);
    struct sim_payload payload = {.kind = SIM_PAYLOAD_JSON, .bytes = fields[1], .facts = sim_facts_read(fields[1])};
    struct sim_entry *entry = sim_store_append(
        env->store, key,
        (struct sim_entry){
            .fields = fields, .field_count = 4, .emitted = true, .payload = payload, .emit_id = fields[3]});
    snprintf(stamp, sizeof stamp, "~%08" PRIx32, entry->fingerprint);
    if (!hg_slice_starts(event->stamp, hg_slice_str(stamp)))
        sim_violation(env, "emit: the stamp %.*s, but the entry's fingerprint is %s", HG_SLICE_ARG(event->stamp),
                      stamp + 1);
    SIM_TRACE(env, "redis: emit %.*s appended to %.*s as #%zu", HG_SLICE_ARG(event->id), HG_SLICE_ARG(key->name),
              key->count - 1);
    struct hg_slice id = sim_arena_printf(&env->arena, "%" PRIu64 "-%" PRIu64, entry->id.ms, entry->id.seq);
    sim_oracle_appended(env->oracle, key, entry, call->window_ms, call->maxlen);
    if (call->maxlen > 0) /* "about": as many more as Redis pleases */
        sim_store_trim(env->store, key, (size_t)call->maxlen + sim_below(env, 3));
    return id;
}

/* FCALL and EVALSHA of the step that appends once. */
static void append_once(struct sim_redis *redis, uint32_t link, struct sim_command *c)
{
    struct sim_env *env = redis->env;
    struct sim_dedupe_call call;
    struct hg_reply *items;
    bool wrote;

    const char *why = c->argc < 3 ? "no keys" : sim_dedupe_parse(c->argv + 2, c->argc - 2, &call);
    if (why)
        bad(redis, c, why);
    struct append append = {redis, c, sim_store_find(env->store, call.stream)};
    if (!append.key)
        bad(redis, c, "an emit to a key that no topic has");
    struct sim_reply *reply = sim_reply_new(c->token);
    struct hg_slice *answers = sim_arena_get(&reply->arena, call.event_count * sizeof *answers);
    size_t before = append.key->count;
    size_t count = sim_dedupe_run(&append.key->dedupe, &env->arena, &call, env->store->wall_ms + env->now.us / 1000,
                                  append_event, &append, answers, &wrote);
    if (wrote)
        sim_store_remembered(append.key);
    *reply->root = array_of(reply, count, &items);
    for (size_t i = 0; i < count; i++)
        items[i] = string_of(reply, answers[i]);
    if (append.key->count > before)
        sim_redis_appended(redis, append.key);
    sim_reply_send(redis, link, reply);
}

/* FUNCTION LOAD of a library that is named in its first line. */
static void load_function(struct sim_redis *redis, uint32_t link, struct sim_command *c)
{
    struct hg_slice intro = HG_LIT("#!lua name=");

    if (redis->old) {
        send_error(redis, link, c->token, "ERR unknown command 'FUNCTION', with args beginning with: 'LOAD'");
        return;
    }
    if (c->argc != 3 || !word_is(c->argv[1], "LOAD") || !hg_slice_starts(c->argv[2], intro))
        bad(redis, c, "FUNCTION LOAD takes a library");
    struct hg_slice name = hg_slice_from(c->argv[2], intro.len);
    name.len = strcspn(name.ptr, " \r\n");
    name = sim_arena_copy(&redis->env->arena, name);
    if (sim_names_has(&redis->functions, name)) {
        send_error(redis, link, c->token,
                   sim_arena_printf(&redis->env->arena, "ERR Library '%s' already exists", name.ptr).ptr);
        return;
    }
    *SIM_PUSH(redis->functions.items, redis->functions.count, redis->functions.capacity) = name;
    send_text(redis, link, c->token, HG_REPLY_STRING, name.ptr);
}

static void type_of(struct sim_redis *redis, uint32_t link, struct sim_command *c)
{
    static const char *const names[] = {"none", "stream", "string"};

    if (c->argc != 2)
        bad(redis, c, "TYPE takes one key");
    const struct sim_key *key = sim_store_find(redis->env->store, c->argv[1]);
    send_text(redis, link, c->token, HG_REPLY_STATUS, names[key ? key->type : SIM_KEY_NONE]);
}

static void client(struct sim_redis *redis, uint32_t link, struct sim_command *c)
{
    if (c->argc < 3 || !word_is(c->argv[1], "UNBLOCK"))
        bad(redis, c, "not known");
    if (redis->env->options.unblock_denied) {
        send_error(redis, link, c->token, "NOPERM this user has no permissions to run the 'client|unblock' command");
        return;
    }
    struct sim_reply *reply = sim_reply_new(c->token);
    *reply->root = integer_of(sim_redis_unblock(redis, number_of(redis, c, 2)));
    sim_reply_send(redis, link, reply);
}

static bool refused(struct sim_redis *redis, uint32_t link, struct sim_command *c)
{
    static const char *const errors[] = {
        "LOADING Redis is loading the dataset in memory",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "READONLY You can't write against a read only replica.",
        "ERR something went wrong",
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "BUSY Redis is busy running a script.",
        "NOPERM this user has no permissions",
    };
    struct sim_env *env = redis->env;
    uint64_t token = link == HG_LINK_LISTENER ? 0 : c->token;
    /* A stream that may not be read is no part of a pattern, and who may use no script is not asked for one again, both
     * rightly so: a right that comes and goes would be a lie. */
    bool entries = c->argv[0].ptr[0] == 'X';
    bool emits = strchr("EFS", c->argv[0].ptr[0]) && !word_is(c->argv[0], "SUBSCRIBE") && !word_is(c->argv[0], "SCAN");
    size_t kinds = sizeof errors / sizeof *errors - (entries || emits ? 1 : 0);

    if (word_is(c->argv[0], "UNSUBSCRIBE") || word_is(c->argv[0], "PUNSUBSCRIBE"))
        return false; /* nothing can be wrong with these */
    if (env->now.us < redis->loading_until.us) {
        send_error(redis, link, token, errors[0]);
        sim_oracle_trouble(env->oracle);
        return true;
    }
    if (env->faults && sim_chance(env, env->options.error_chance) &&
        (link != HG_LINK_LISTENER || sim_chance(env, 30))) {
        send_error(redis, link, token, errors[sim_below(env, kinds)]);
        sim_oracle_trouble(env->oracle);
        return true;
    }
    return false;
}

/* Makes the reply that was just sent one that cannot be: never one that could be, which would be a lie. */
static void make_odd(struct sim_redis *redis, uint32_t link, struct hg_slice verb)
{
    struct sim_link *l = &redis->links[link];
    struct sim_reply *reply = l->replies;
    bool entries = verb.ptr[0] == 'X';

    if (!reply)
        return;
    while (reply->next)
        reply = reply->next;
    if (reply->is_message || reply->root->type == HG_REPLY_ERROR)
        return;
    struct hg_reply *pair, *single, *triple;
    struct hg_reply odd[5] = {integer_of(-1),
                              string_of(reply, HG_LIT("odd")),
                              array_of(reply, 2, &pair),
                              array_of(reply, 1, &single),
                              {.type = HG_REPLY_NIL}};
    single[0] = array_of(reply, 3, &triple);
    if (word_is(verb, "TYPE"))
        odd[1] = integer_of(0);                      /* a word would be a type */
    size_t choices = word_is(verb, "XREAD") ? 4 : 5; /* nil: nothing came in time */
    if (entries && reply->root->type == HG_REPLY_ARRAY && reply->root->count > 0 && sim_chance(redis->env, 50)) {
        /* Right outside, wrong within. */
        struct hg_reply *within = (struct hg_reply *)(uintptr_t)reply->root->items;
        size_t at = (size_t)sim_below(redis->env, reply->root->count);
        within[at] = odd[sim_below(redis->env, 5)];
    } else {
        *reply->root = odd[sim_below(redis->env, choices)];
    }
    sim_oracle_trouble(redis->env->oracle);
    SIM_TRACE(redis->env, "redis: the reply to #%" PRIu64 " on link %" PRIu32 " is odd", reply->token, link);
}

bool sim_command_execute(struct sim_redis *redis, uint32_t link, struct sim_command *c)
{
    struct sim_env *env = redis->env;
    struct hg_slice verb = c->argv[0];

    if (refused(redis, link, c))
        return true;
    if (word_is(verb, "XREAD")) {
        if (!read_streams(redis, link, c, false, &redis->links[link].blocked_until))
            return false;
    } else if (word_is(verb, "XRANGE")) {
        range(redis, link, c, false);
    } else if (word_is(verb, "XREVRANGE")) {
        range(redis, link, c, true);
    } else if (word_is(verb, "XINFO")) {
        stream_info(redis, link, c);
    } else if (word_is(verb, "PUBLISH")) {
        publish(redis, link, c);
    } else if (word_is(verb, "SUBSCRIBE")) {
        subscribe(redis, link, c, "subscribe");
    } else if (word_is(verb, "UNSUBSCRIBE")) {
        subscribe(redis, link, c, "unsubscribe");
    } else if (word_is(verb, "PSUBSCRIBE")) {
        subscribe(redis, link, c, "psubscribe");
    } else if (word_is(verb, "PUNSUBSCRIBE")) {
        subscribe(redis, link, c, "punsubscribe");
    } else if (word_is(verb, "PING")) {
        ping(redis, link, c);
    } else if (word_is(verb, "SCAN") && c->argc >= 2) {
        scan(redis, link, c);
    } else if (word_is(verb, "TYPE")) {
        type_of(redis, link, c);
    } else if (word_is(verb, "SCRIPT") && c->argc == 3 && word_is(c->argv[1], "LOAD")) {
        struct hg_slice hash = hash_of(env, c->argv[2]);
        if (!sim_names_has(&redis->scripts, hash))
            *SIM_PUSH(redis->scripts.items, redis->scripts.count, redis->scripts.capacity) = hash;
        send_text(redis, link, c->token, HG_REPLY_STRING, hash.ptr);
    } else if (word_is(verb, "EVALSHA") && c->argc >= 2) {
        if (sim_names_has(&redis->scripts, c->argv[1]))
            append_once(redis, link, c);
        else
            send_error(redis, link, c->token, "NOSCRIPT No matching script. Please use EVAL.");
    } else if (word_is(verb, "FCALL") && c->argc >= 2 && !redis->old) {
        if (sim_names_has(&redis->functions, c->argv[1]))
            append_once(redis, link, c);
        else
            send_error(redis, link, c->token, "ERR Function not found");
    } else if (word_is(verb, "FUNCTION")) {
        load_function(redis, link, c);
    } else if (word_is(verb, "INFO")) {
        send_text(redis, link, c->token, HG_REPLY_STRING,
                  redis->old ? "# Server\r\nredis_version:5.0.14\r\n" : "# Server\r\nredis_version:7.0.15\r\n");
    } else if (word_is(verb, "CLIENT")) {
        client(redis, link, c);
    } else {
        bad(redis, c, "not known");
    }
    if (env->faults && sim_chance(env, env->options.odd_chance))
        make_odd(redis, link, verb);
    return true;
}

bool sim_command_retry(struct sim_redis *redis, uint32_t link, struct sim_command *command)
{
    hg_time until;
    return read_streams(redis, link, command, true, &until);
}
