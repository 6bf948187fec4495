#include "sim/once/oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/once/world.h"
#include "stream/cursor.h"

enum {
    CODE_UNKNOWN_TOPIC = 102,
    CODE_FORBIDDEN = 103,
    CODE_BAD_REQUEST = 107,
    CODE_UNAVAILABLE = 108,
    CODE_TOO_MANY = 111,
    CODE_ID_CONFLICT = 122,
    CODE_TOO_LARGE = 123,
    CALL_EVENTS_MAX = 256,
    HOLD_MS_MAX = 10000
};

static const struct hg_rule *rule_of(const struct once_world *world, int topic)
{
    return once_topics[topic].rule < 0 ? NULL : &world->options.rules[once_topics[topic].rule];
}

/* ---- what Redis does --------------------------------------------------------------------------------------------- */

static uint64_t number_in(struct hg_slice text, size_t from)
{
    uint64_t number = 0;

    for (size_t i = from; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    return number;
}

/* NULL: nobody emitted this. */
static struct once_item *item_of(struct once_world *world, struct hg_slice event)
{
    uint64_t number = number_in(event, 5); /* {"n": */

    if (number >= world->clients.item_count || !hg_slice_eq(world->clients.all[number]->event, event))
        return NULL;
    return world->clients.all[number];
}

void once_oracle_call(struct once_world *world, const struct once_stream *stream, const struct sim_dedupe_call *call)
{
    const struct hg_rule *rule = rule_of(world, stream->topic);

    if (call->window_ms < rule->dedupe_window_ms || call->maxlen != rule->maxlen ||
        !hg_slice_is(call->field, rule->payload_field))
        sim_violation(&world->env, "call: to %.*s with window %" PRIu64 ", maxlen %" PRIu64 ", field %.*s",
                      HG_SLICE_ARG(stream->key), call->window_ms, call->maxlen, HG_SLICE_ARG(call->field));
    if (call->event_count > CALL_EVENTS_MAX)
        sim_violation(&world->env, "call: %zu events at once", call->event_count);
}

static bool is_name_of(const struct once_item *item, struct hg_slice name)
{
    for (size_t i = 0; i < 2; i++)
        if (item->slots[i] && once_names_has(&item->slots[i]->client->names, name))
            return true;
    return false;
}

/* The fields are those of an emit, in their order, and say what its clients said. */
static void check_fields(struct once_world *world, const struct once_stream *stream, const struct once_entry *entry)
{
    const struct hg_slice *fields = entry->fields;
    const struct once_item *item = entry->item;
    size_t at = 4;

    if (!hg_slice_is(fields[0], rule_of(world, stream->topic)->payload_field) || !hg_slice_is(fields[2], "id") ||
        !hg_slice_eq(fields[3], item->id) || item->topic != stream->topic)
        sim_violation(&world->env, "emit: %.*s gets the event of item %" PRIu64 " with id %.*s, as nobody emitted it",
                      HG_SLICE_ARG(stream->key), item->number, HG_SLICE_ARG(fields[3]));
    if (item->no_echo && at + 1 < entry->field_count && hg_slice_is(fields[at], "except") &&
        is_name_of(item, fields[at + 1]))
        at += 2;
    else if (item->no_echo)
        sim_violation(&world->env, "emit: item %" PRIu64 " does not say from whom it is to be kept", item->number);
    if (at != entry->field_count)
        sim_violation(&world->env, "emit: item %" PRIu64 " has further fields, the first is %.*s", item->number,
                      HG_SLICE_ARG(fields[at]));
}

/* What its clients were told is true: sent again until then it is never doubled; a gateway may keep it for a while. */
static bool is_promised(const struct once_world *world, const struct once_item *item)
{
    const struct once_options *o = &world->options;
    hg_time until = hg_time_add(item->first_sent, hg_ms(item->tolerance_ms + o->config.emit_timeout_ms));

    return !o->clock_jumps && world->env.now.us < until.us;
}

/* No entry under the same id stands there, unless it was appended longer than the window ago. */
static void check_double(struct once_world *world, struct once_stream *stream, struct once_entry *entry)
{
    uint64_t window_ms = rule_of(world, stream->topic)->dedupe_window_ms;
    uint64_t key = number_in(entry->item->id, 3); /* id- */

    while (stream->newest_count <= key)
        *SIM_PUSH(stream->newest, stream->newest_count, stream->newest_capacity) = 0;
    entry->before = stream->newest[key];
    stream->newest[key] = stream->entry_count;
    for (size_t i = entry->before; i > 0; i = stream->entries[i - 1].before) {
        const struct once_entry *other = &stream->entries[i - 1];
        uint64_t passed_ms = (world->env.now.us - other->at.us) / 1000 + (world->server.forward_ms - other->forward_ms);
        bool known = passed_ms + 1 < window_ms || (other->item == entry->item && is_promised(world, entry->item));
        if (!other->lost && !other->plain && known)
            sim_violation(&world->env,
                          "emit: id %.*s stands twice in %.*s, as entries %zu and %zu, %" PRIu64
                          " ms apart in a window of %" PRIu64 " ms; first sent %" PRIu64 " us ago",
                          HG_SLICE_ARG(entry->item->id), HG_SLICE_ARG(stream->key), i - 1, stream->entry_count - 1,
                          passed_ms, window_ms, world->env.now.us - entry->item->first_sent.us);
    }
}

static void appeared(struct once_world *world, struct once_stream *stream, struct once_entry *entry)
{
    struct once_item *item = item_of(world, entry->fields[1]);

    if (!item || !item->arrived)
        sim_violation(&world->env, "emit: %.*s gets an event that nobody emitted: %.*s", HG_SLICE_ARG(stream->key),
                      HG_SLICE_ARG(hg_slice_first(entry->fields[1], 100)));
    entry->item = item;
    check_fields(world, stream, entry);
    if (item->order == 0) {
        item->order = ++world->oracle.appearances;
        item->appeared = world->env.now;
    }
}

void once_oracle_appended(struct once_world *world, struct once_stream *stream, struct once_entry *entry,
                          struct hg_slice scope)
{
    appeared(world, stream, entry);
    check_double(world, stream, entry);
    if (!hg_slice_eq(scope, entry->item->id))
        sim_violation(&world->env, "emit: id %.*s is remembered as %.*s", HG_SLICE_ARG(entry->item->id),
                      HG_SLICE_ARG(scope));
}

void once_oracle_appended_plainly(struct once_world *world, struct once_stream *stream, struct once_entry *entry,
                                  uint64_t maxlen)
{
    const struct hg_rule *rule = rule_of(world, stream->topic);

    appeared(world, stream, entry);
    entry->plain = true;
    if (!once_may_be_plain(&world->options, stream->topic))
        sim_violation(&world->env, "emit: id %.*s is appended to %.*s without dedupe", HG_SLICE_ARG(entry->item->id),
                      HG_SLICE_ARG(stream->key));
    if (maxlen != rule->maxlen)
        sim_violation(&world->env, "emit: to %.*s with maxlen %" PRIu64, HG_SLICE_ARG(stream->key), maxlen);
}

/* When an id is forgotten at the latest: a hash lives for two windows, and what Redis itself remembers goes by
 * whole seconds. The gateway may add what it keeps an emit for. */
static uint64_t forgotten_ms(uint64_t window_ms)
{
    return 2 * (window_ms + HOLD_MS_MAX) + 1000;
}

void once_oracle_found(struct once_world *world, struct once_stream *stream, struct hg_slice event,
                       struct once_entry *entry)
{
    uint64_t window_ms = rule_of(world, stream->topic)->dedupe_window_ms;
    struct once_item *item = item_of(world, event);

    HG_ASSERT(entry && !entry->lost);
    if (!item)
        sim_violation(&world->env, "emit: nobody emitted %.*s", HG_SLICE_ARG(hg_slice_first(event, 100)));
    SIM_TRACE(&world->env, "redis: id %.*s is known as entry %zu of %.*s", HG_SLICE_ARG(item->id),
              (size_t)(entry - stream->entries), HG_SLICE_ARG(stream->key));
    if (entry->item == item)
        entry->repeated++;
    else
        item->conflicts++;
    uint64_t passed_ms = (world->env.now.us - entry->at.us) / 1000;
    if (!world->options.clock_jumps && passed_ms > forgotten_ms(window_ms))
        sim_violation(&world->env, "emit: id %.*s is still known after %" PRIu64 " ms, in a window of %" PRIu64 " ms",
                      HG_SLICE_ARG(item->id), passed_ms, window_ms);
}

void once_oracle_refused(struct once_world *world, struct hg_slice event)
{
    struct once_item *item = item_of(world, event);

    if (item)
        item->disturbed = true;
}

/* The events of a command are those of its words that are some. */
void once_oracle_error(struct once_world *world, const struct hg_slice *argv, size_t argc)
{
    for (size_t i = 1; i < argc; i++)
        if (hg_slice_starts(argv[i], HG_LIT("{\"n\":"))) {
            struct once_item *item = item_of(world, argv[i]);
            if (item)
                item->disturbed = true;
        }
}

/* ---- what gateways say ------------------------------------------------------------------------------------------- */

static bool is_for_nothing(const struct once_world *world, const struct once_item *item)
{
    return !once_topics[item->topic].stream || item->event.len > world->options.config.event_bytes_max;
}

static void check_durability(struct once_world *world, const struct once_entry *entry, int topic, const char *reached)
{
    struct once_server *server = &world->server;
    uint64_t replicas = once_server_replicas(server, entry->number);
    bool on_disk = once_server_reached(server, &server->disk) >= entry->number;

    if (entry->lost) {
        replicas = entry->replicas;
        on_disk = entry->on_disk;
    }
    if (!once_wants_durability(&world->options, topic)) {
        if (reached)
            sim_violation(&world->env, "durability: %s, but nobody asked", reached);
    } else if (!reached) {
        sim_violation(&world->env, "durability: not told");
    } else if (strncmp(reached, "replicas:", 9) == 0) {
        uint64_t told = number_in(hg_slice_str(reached), 9);
        if (told == 0 || told > (replicas > entry->replicas ? replicas : entry->replicas))
            sim_violation(&world->env,
                          "durability: entry %" PRIu64 "-%" PRIu64 " is told to be on %s, but is on %" PRIu64,
                          entry->id.ms, entry->id.seq, reached, replicas);
    } else if (strcmp(reached, "fsync") == 0) {
        if (!on_disk && !entry->on_disk)
            sim_violation(&world->env, "durability: entry %" PRIu64 "-%" PRIu64 " is told to be on disk, but is not",
                          entry->id.ms, entry->id.seq);
    } else if (strcmp(reached, "memory") != 0) {
        sim_violation(&world->env, "durability: %s", reached);
    }
}

/* Of an entry that Redis itself remembers nobody can tell any more what it was, once it is trimmed. */
static bool is_trimmed_for_idmp(struct once_world *world, const struct once_item *item, hg_stream_id id)
{
    const struct once_stream *stream = &world->server.streams[item->topic];

    if (!once_is_by_idmp(&world->options, item->topic))
        return false;
    for (size_t i = stream->entry_count; i > 0; i--)
        if (hg_stream_id_cmp(stream->entries[i - 1].id, id) == 0 && !stream->entries[i - 1].lost)
            return stream->entries[i - 1].trimmed && hg_slice_eq(stream->entries[i - 1].item->id, item->id);
    return false;
}

static bool was_trimmed_for_idmp(const struct once_world *world, const struct once_item *item)
{
    return item->conflicts > 0 && once_is_by_idmp(&world->options, item->topic) &&
           rule_of(world, item->topic)->maxlen > 0;
}

static void acknowledged(struct once_world *world, const struct once_item *item, const json_t *message)
{
    struct sim_env *env = &world->env;
    const char *text = json_string_value(json_object_get(message, "cursor"));
    const json_t *duplicate_json = json_object_get(message, "duplicate");
    bool duplicate = json_is_true(duplicate_json);
    struct hg_cursor cursor;

    if (is_for_nothing(world, item))
        sim_violation(env, "ok: item %" PRIu64 " cannot be taken, but is", item->number);
    if (!text || !hg_cursor_parse(hg_slice_str(text), &cursor) || !json_is_boolean(duplicate_json))
        sim_violation(env, "ok: no cursor, or no duplicate");
    struct once_entry *entry = once_stream_find(&world->server.streams[item->topic], cursor.id, cursor.fingerprint);
    if (!entry && duplicate && is_trimmed_for_idmp(world, item, cursor.id))
        return;
    if (!entry)
        sim_violation(env, "ok: id %.*s is acknowledged as %s, where nothing stands", HG_SLICE_ARG(item->id), text);
    if (entry->item != item)
        sim_violation(env, "ok: id %.*s is acknowledged as %s, where another event stands", HG_SLICE_ARG(item->id),
                      text);
    world->oracle.acknowledged++;
    check_durability(world, entry, item->topic, json_string_value(json_object_get(message, "durability")));
    if (duplicate) {
        world->oracle.duplicates++;
        if (entry->repeated == 0)
            sim_violation(env, "ok: id %.*s was appended by one call only, but is acknowledged as a duplicate",
                          HG_SLICE_ARG(item->id));
        return;
    }
    if (entry->claimed)
        sim_violation(env, "ok: id %.*s is acknowledged as new twice", HG_SLICE_ARG(item->id));
    entry->claimed = true;
}

static void refused(struct once_world *world, struct once_slot *slot, const json_t *message)
{
    struct sim_env *env = &world->env;
    const struct once_item *item = slot->item;
    const struct hg_rule *rule = rule_of(world, item->topic);
    int code = (int)json_integer_value(json_object_get(message, "code"));
    const char *words = json_string_value(json_object_get(message, "message"));
    const struct once_options *o = &world->options;
    bool calm = once_options_are_calm(o), quick = o->redis_us <= 1000 && o->config.emit_timeout_ms >= 500;
    bool fits;

    switch (code) {
    case CODE_UNAVAILABLE:
        slot->refused = true;
        world->oracle.unavailable++;
        /* What waits for copies waits for those that lag. */
        fits = once_topics[item->topic].stream &&
               (!calm || !quick || !once_can_settle(o, item->topic) || once_wants_durability(o, item->topic));
        break;
    case CODE_TOO_MANY:
        slot->refused = true;
        world->oracle.too_many++;
        fits = once_topics[item->topic].stream && (!calm || !o->polite || o->rates);
        break;
    case CODE_ID_CONFLICT:
        world->oracle.conflicts++;
        fits = item->conflicts > 0;
        break;
    case CODE_TOO_LARGE:
        fits = item->event.len > world->options.config.event_bytes_max;
        break;
    case CODE_UNKNOWN_TOPIC:
        fits = !rule;
        break;
    case CODE_BAD_REQUEST:
        fits = rule && rule->source == HG_SOURCE_CHANNEL;
        break;
    case CODE_FORBIDDEN:
        fits = rule && !rule->emit;
        break;
    default:
        fits = false;
    }
    if (!fits)
        sim_violation(env, "error: item %" PRIu64 " is refused without a reason: %d %s", item->number, code, words);
    bool again = code == CODE_UNAVAILABLE || code == CODE_TOO_MANY;
    if (again != (json_integer_value(json_object_get(message, "retry_ms")) > 0))
        sim_violation(env, "error: %d %s a time to try again", code, again ? "without" : "with");
}

/* How long an answer may take. */
static uint64_t patience_us(const struct once_world *world)
{
    const struct hg_config *config = &world->options.config;
    return hg_ms(config->emit_timeout_ms + config->durability_timeout_ms).us + 4 * world->options.turn_us + 1000;
}

void once_oracle_message(struct once_world *world, struct once_conn *conn, const char *op, const json_t *message)
{
    struct sim_env *env = &world->env;
    const json_t *ref = json_object_get(message, "ref");
    bool ok = strcmp(op, "ok") == 0;

    if (strcmp(op, "welcome") == 0)
        return;
    if ((!ok && strcmp(op, "error") != 0) || !ref)
        sim_violation(env, "wire: %s, which nobody asked for", op);
    if (!json_is_integer(ref)) {
        if (!ok)
            sim_violation(env, "error: a hello is refused: %s", json_string_value(json_object_get(message, "message")));
        return;
    }
    uint64_t number = (uint64_t)json_integer_value(ref);
    struct once_sending *sending = number < world->clients.sending_count ? world->clients.sendings[number] : NULL;
    if (!sending || sending->conn != conn || sending->generation != conn->generation || !sending->delivered)
        sim_violation(env, "answer: to %" PRIu64 ", which was not sent through this connection", number);
    if (sending->answered)
        sim_violation(env, "answer: to %" PRIu64 " for the second time", number);
    sending->answered = true;
    if (!conn->was_full && env->now.us - sending->delivered_at.us > patience_us(world))
        sim_violation(env, "answer: to %" PRIu64 " after %" PRIu64 " us", number,
                      env->now.us - sending->delivered_at.us);
    if (ok)
        acknowledged(world, sending->slot->item, message);
    else
        refused(world, sending->slot, message);
}

/* ---- all in all -------------------------------------------------------------------------------------------------- */

void once_oracle_turn(struct once_world *world, const struct hg_core *core)
{
    struct hg_core_stats s;

    hg_core_stats(core, &s);
    if (s.emits != s.emits_appended + s.emits_duplicate + s.emits_failed + s.emits_pending)
        sim_violation(&world->env,
                      "counters: %" PRIu64 " emits, but %" PRIu64 " + %" PRIu64 " + %" PRIu64 " + %" PRIu64, s.emits,
                      s.emits_appended, s.emits_duplicate, s.emits_failed, s.emits_pending);
    if (s.emits_pending > world->options.config.emits_max)
        sim_violation(&world->env, "bounds: %" PRIu64 " emits wait", s.emits_pending);
}

/* What each client emitted to one topic stands there in that order; but for what was refused on the way, or was not
 * answered for so long that it was dropped. */
static void check_order(struct once_world *world, const struct once_client *client)
{
    uint64_t last[ONCE_TOPICS] = {0}, after[ONCE_TOPICS] = {0};

    for (size_t i = 0; i < client->slot_count; i++) {
        const struct once_slot *slot = client->outbox[i];
        const struct once_item *item = slot->item;
        hg_time limit = hg_time_add(slot->delivered_at, hg_ms(world->options.config.emit_timeout_ms));
        bool dropped = slot->vanished && item->appeared.us >= limit.us;

        if (item->order == 0 || item->slots[1] || item->disturbed || item->conflicts > 0 || slot->refused || dropped ||
            slot->state == ONCE_GIVEN_UP)
            continue;
        if (item->order < last[item->topic])
            sim_violation(&world->env,
                          "order: client %" PRIu32 " emitted item %" PRIu64 " before %" PRIu64
                          ", but they stand the other way round",
                          client->number, after[item->topic], item->number);
        last[item->topic] = item->order;
        after[item->topic] = item->number;
    }
}

void once_oracle_settled(struct once_world *world)
{
    struct sim_env *env = &world->env;
    static const char *const states[] = {"waiting", "sent", "kept", "refused", "given up"};

    for (size_t i = 0; i < world->clients.sending_count; i++) {
        const struct once_sending *sending = world->clients.sendings[i];
        if (sending->delivered && env->now.us - sending->delivered_at.us > patience_us(world) && !sending->answered &&
            sending->generation == sending->conn->generation && sending->conn->state == ONCE_OPEN &&
            !sending->conn->gone)
            sim_violation(env, "answer: sending %" PRIu64 " was never answered", sending->number);
    }
    for (uint32_t c = 0; c < world->options.clients; c++) {
        const struct once_client *client = &world->clients.items[c];
        for (size_t i = 0; i < client->slot_count; i++) {
            const struct once_slot *slot = client->outbox[i];
            if (slot->state < ONCE_KEPT && once_can_settle(&world->options, slot->item->topic))
                sim_violation(env, "answer: item %" PRIu64 " of client %" PRIu32 " is still %s", slot->item->number, c,
                              states[slot->state]);
            if (slot->state == ONCE_KEPT && slot->item->order == 0 && !was_trimmed_for_idmp(world, slot->item))
                sim_violation(env, "ok: item %" PRIu64 " is acknowledged, but never stood anywhere",
                              slot->item->number);
        }
        check_order(world, client);
    }
}
