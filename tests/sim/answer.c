/* Answers: each order once, with what it may be answered; emits against what stands in the streams. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/oracle.h"
#include "stream/cursor.h"

enum {
    CODE_FORBIDDEN = 103,
    CODE_LIMIT = 106,
    CODE_BAD_REQUEST = 107,
    CODE_UNAVAILABLE = 108,
    CODE_TOO_MANY = 111,
    CODE_FILTER = 120,
    CODE_CONFLICT = 122,
};

static bool same_emit(const struct sim_order *a, const struct sim_order *b)
{
    return a->kind == SIM_ORDER_EMIT && a->topic == b->topic && hg_slice_eq(a->id, b->id);
}

void sim_answer_emit_ordered(struct sim_oracle *oracle, struct sim_order *order)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, order->topic);

    order->troubles = oracle->troubles;
    for (size_t i = 0; key && i < key->count; i++)
        if (key->entries[i].went < SIM_WENT_WITH_TAIL && key->entries[i].emitted &&
            hg_slice_eq(key->entries[i].emit_id, order->id))
            order->stood_before = true;
}

void sim_oracle_appended(struct sim_oracle *oracle, const struct sim_key *key, const struct sim_entry *entry,
                         uint64_t window_ms, uint64_t maxlen)
{
    struct sim_env *env = oracle->env;
    const struct sim_clients *clients = env->clients;
    const struct hg_rule *rule = &env->options.rules[sim_topics[key->topic].rule];
    bool known = false;

    if (!hg_slice_is(entry->fields[0], rule->payload_field) || window_ms < rule->dedupe_window_ms ||
        maxlen != rule->maxlen || !rule->emit || rule->source == HG_SOURCE_CHANNEL)
        sim_violation(env, "emit: to %.*s with window %" PRIu64 " and maxlen %" PRIu64 ", against its rule",
                      HG_SLICE_ARG(key->name), window_ms, maxlen);
    for (size_t i = 0; i < clients->order_count && !known; i++) {
        const struct sim_order *order = clients->orders[i];
        known = order->kind == SIM_ORDER_EMIT && order->delivered && order->topic == key->topic &&
                hg_slice_eq(order->id, entry->emit_id) && hg_slice_eq(order->event, entry->fields[1]);
    }
    if (!known)
        sim_violation(env, "emit: %.*s got an event with id %.*s that no client sent so", HG_SLICE_ARG(key->name),
                      HG_SLICE_ARG(entry->emit_id));
    for (size_t i = 0; i + 1 < key->count; i++) {
        const struct sim_entry *other = &key->entries[i];
        if (other->went < SIM_WENT_WITH_TAIL && other->emitted && hg_slice_eq(other->emit_id, entry->emit_id) &&
            env->now.us - other->at.us < rule->dedupe_window_ms * 1000)
            sim_violation(env, "emit: id %.*s stands twice in %.*s", HG_SLICE_ARG(entry->emit_id),
                          HG_SLICE_ARG(key->name));
    }
}

static bool has_rival(const struct sim_clients *clients, const struct sim_order *order, bool other_event)
{
    for (size_t i = 0; i < clients->order_count; i++) {
        const struct sim_order *o = clients->orders[i];
        if (o != order && o->delivered && same_emit(o, order) && (!other_event || !hg_slice_eq(o->event, order->event)))
            return true;
    }
    return false;
}

static void emit_acknowledged(struct sim_oracle *oracle, const struct sim_order *order, const json_t *message)
{
    struct sim_env *env = oracle->env;
    struct sim_key *key = sim_store_key(env->store, order->topic);
    const char *text = json_string_value(json_object_get(message, "cursor"));
    const json_t *duplicate_json = json_object_get(message, "duplicate");
    bool duplicate = json_is_true(duplicate_json);
    struct hg_cursor cursor;

    if (!text || !hg_cursor_parse(hg_slice_str(text), &cursor) || !json_is_boolean(duplicate_json))
        sim_violation(env, "emit: the ok has no cursor or no duplicate");
    size_t index = key ? sim_store_ever(key, cursor.id, &cursor.fingerprint, key->count) : 0;
    if (!key || index == key->count || !key->entries[index].emitted ||
        !hg_slice_eq(key->entries[index].emit_id, order->id))
        sim_violation(env, "emit: id %.*s is acknowledged as %s of %s, where it does not stand",
                      HG_SLICE_ARG(order->id), text, sim_topics[order->topic].name);
    struct sim_entry *entry = &key->entries[index];
    if (duplicate) {
        if (!order->stood_before && oracle->troubles == order->troubles && !has_rival(env->clients, order, false))
            sim_violation(env, "emit: id %.*s was new, but is acknowledged as a duplicate", HG_SLICE_ARG(order->id));
        return;
    }
    if (entry->claimed)
        sim_violation(env, "emit: id %.*s is acknowledged as new twice", HG_SLICE_ARG(order->id));
    entry->claimed = true;
    if (!hg_slice_eq(entry->fields[1], order->event))
        sim_violation(env, "emit: id %.*s is acknowledged, but another event stands in the stream",
                      HG_SLICE_ARG(order->id));
    if (order->stood_before && key->fence_count == 0 &&
        env->options.rules[sim_topics[order->topic].rule].dedupe_window_ms >= 60000)
        sim_violation(env, "emit: id %.*s stood there before, but is acknowledged as new", HG_SLICE_ARG(order->id));
}

static bool may_emit(const struct sim_env *env, const struct sim_order *order)
{
    const struct sim_topic *topic = &sim_topics[order->topic];

    if (topic->rule < 0 || (size_t)topic->rule >= env->options.config.rule_count || topic->kind == SIM_TOPIC_WRONG)
        return false;
    const struct hg_rule *rule = &env->options.rules[topic->rule];
    return rule->emit && rule->source != HG_SOURCE_CHANNEL && order->event.len <= env->options.config.event_bytes_max;
}

/* Whether the client said so of the subscription that an update is for. */
static bool has_ended(const struct sim_clients *clients, const struct sim_order *update)
{
    for (size_t i = 0; i < clients->order_count; i++) {
        const struct sim_order *order = clients->orders[i];
        if (order->kind == SIM_ORDER_UNSUBSCRIBE && order->client == update->client && order->sub == update->sub &&
            order->delivered)
            return true;
    }
    return false;
}

/* Whether another seek of the same subscription came behind it, which takes the place of one that waits. */
static bool is_replaced(const struct sim_clients *clients, const struct sim_order *seek)
{
    for (size_t i = 0; i < clients->order_count; i++) {
        const struct sim_order *order = clients->orders[i];
        if (order->kind == SIM_ORDER_SEEK && order->client == seek->client && order->sub == seek->sub &&
            order->number > seek->number && order->delivered)
            return true;
    }
    return false;
}

static bool may_subscribe(const struct sim_env *env, const char *pattern)
{
    if (!sim_pattern_is_valid(pattern) || pattern[0] == '$')
        return false;
    if (env->options.catch_all || strchr(pattern, '*'))
        return env->options.catch_all || strcmp(pattern, "*") != 0;
    return strcmp(pattern, "zz") != 0;
}

/* Whether an update may be answered with this error. */
static bool may_fail_to_update(const struct sim_env *env, const struct sim_order *order, int64_t code)
{
    const struct sim_options *o = &env->options;
    bool slow = o->stalls || o->mutes || o->socket_bytes < 100000 || o->plays;

    switch (code) {
    case CODE_FILTER:
        return order->filter_is_bad;
    case CODE_BAD_REQUEST: /* ended before, or meanwhile: nothing may be said against it without an end */
        return !order->sub_was_there || order->was_busy || has_ended(env->clients, order);
    case CODE_TOO_MANY:
        return order->was_busy;
    case CODE_UNAVAILABLE:
        return slow || !sim_options_are_calm(o) || o->redis_us > 1000 || o->config.subscribe_timeout_ms < 500;
    case CODE_LIMIT:
        return o->tight;
    default:
        return false;
    }
}

/* Whether a pause, a resume or a seek may be answered with this error. */
static bool may_fail_to_play(const struct sim_env *env, const struct sim_order *order, int64_t code)
{
    const struct sim_options *o = &env->options;
    bool seeks = order->kind == SIM_ORDER_SEEK;

    switch (code) {
    case CODE_BAD_REQUEST:
        return !order->sub_was_there || order->was_busy || has_ended(env->clients, order) ||
               (seeks && is_replaced(env->clients, order));
    case CODE_UNAVAILABLE:
        return seeks && (!sim_options_are_calm(o) || o->redis_us > 1000 || o->config.subscribe_timeout_ms < 500);
    default:
        return false;
    }
}

/* And not just started. */
static bool is_calm(const struct sim_env *env)
{
    return sim_options_are_calm(&env->options) && env->now.us - env->started.us > 1000000;
}

static void check_error(struct sim_oracle *oracle, const struct sim_order *order, const json_t *message)
{
    struct sim_env *env = oracle->env;
    int64_t code = json_integer_value(json_object_get(message, "code"));
    const char *reason = json_string_value(json_object_get(message, "reason"));
    const char *words = json_string_value(json_object_get(message, "message"));
    bool known = false;

    for (int i = 0; i < HG_ERR__COUNT; i++) {
        const struct hg_error_row *row = hg_error_row((enum hg_error)i);
        known |= row->wire_code == code && code != 0 && reason && strcmp(row->reason, reason) == 0;
    }
    if (!known || !words || words[0] == '\0')
        sim_violation(env, "error: code %" PRId64 " %s is not in the table, or nothing is said", code,
                      reason ? reason : "");
    if (!order)
        return;
    bool limited = code == CODE_LIMIT || (code == CODE_TOO_MANY && order->kind != SIM_ORDER_UPDATE);
    if (code == CODE_FILTER) {
        if (!order->filter_is_bad)
            sim_violation(env, "error: the filter of order %" PRIu64 " is refused: %s", order->number, words);
        if (!json_is_integer(json_object_get(message, "at")))
            sim_violation(env, "error: the filter of order %" PRIu64 " is refused, but not where: %s", order->number,
                          words);
    }
    if (limited && !env->options.tight)
        sim_violation(env, "error: order %" PRIu64 " meets a limit: %s", order->number, words);
    switch (order->kind) {
    case SIM_ORDER_PING:
        sim_violation(env, "error: a ping is refused: %s", words);
    case SIM_ORDER_UPDATE:
        if (!may_fail_to_update(env, order, code))
            sim_violation(env, "error: the update of %" PRIu64 " is refused: %s", order->sub, words);
        break;
    case SIM_ORDER_SUBSCRIBE:
        if (order->filter_is_bad) {
            bool shed = env->options.overloads && code == CODE_UNAVAILABLE;
            if (may_subscribe(env, order->pattern) && code != CODE_FILTER && !limited && !shed)
                sim_violation(env, "error: a filter that is none is refused as: %s", words);
            break;
        }
        if (may_subscribe(env, order->pattern) && code != CODE_UNAVAILABLE && !limited)
            sim_violation(env, "error: %s is refused: %s", order->pattern, words);
        if (may_subscribe(env, order->pattern) && is_calm(env) && strcmp(order->pattern, "st.bad") != 0 &&
            env->options.config.subscribe_timeout_ms >= 500 && env->options.redis_us <= 1000)
            sim_violation(env, "error: %s is refused on a calm day: %s", order->pattern, words);
        break;
    case SIM_ORDER_EMIT:
        if (!may_emit(env, order) || limited || code == CODE_UNAVAILABLE)
            break;
        if (code == CODE_CONFLICT && has_rival(env->clients, order, true))
            break;
        if (code == CODE_FORBIDDEN && env->options.error_chance > 0)
            break;
        sim_violation(env, "error: emit %.*s to %s is refused: %s", HG_SLICE_ARG(order->id),
                      sim_topics[order->topic].name, words);
    case SIM_ORDER_PAUSE:
    case SIM_ORDER_RESUME:
    case SIM_ORDER_SEEK:
        if (!may_fail_to_play(env, order, code))
            sim_violation(env, "error: the playing of %" PRIu64 " is refused: %s", order->sub, words);
        break;
    case SIM_ORDER_UNSUBSCRIBE:
    case SIM_ORDER_GARBAGE:
        break;
    }
    if (order->kind == SIM_ORDER_EMIT && may_emit(env, order) && is_calm(env) && code == CODE_UNAVAILABLE &&
        env->options.config.emit_timeout_ms >= 500)
        sim_violation(env, "error: emit %.*s is refused on a calm day: %s", HG_SLICE_ARG(order->id), words);
}

struct sim_order *sim_answer_order(struct sim_oracle *oracle, struct sim_client *client, bool ok, const json_t *message)
{
    struct sim_env *env = oracle->env;
    const struct sim_clients *clients = env->clients;
    const json_t *ref = json_object_get(message, "ref");
    uint64_t number = UINT64_MAX;

    if (!ref) {
        if (ok)
            sim_violation(env, "ok: client %" PRIu64 " gets one without ref", client->number);
        check_error(oracle, NULL, message);
        return NULL;
    }
    if (json_is_integer(ref))
        number = (uint64_t)json_integer_value(ref);
    else if (json_is_string(ref))
        number = strtoull(json_string_value(ref), NULL, 10);
    if (number >= clients->order_count)
        sim_violation(env, "answer: client %" PRIu64 " gets a ref that it never gave", client->number);
    struct sim_order *order = clients->orders[number];
    if (order->client != client->number || !order->delivered || !order->has_ref ||
        order->ref_is_string != (json_is_string(ref) != 0))
        sim_violation(env, "answer: client %" PRIu64 " gets ref %" PRIu64 ", which is not its own", client->number,
                      number);
    if (order->answered)
        sim_violation(env, "answer: order %" PRIu64 " of client %" PRIu64 " is answered twice", number, client->number);
    order->answered = true;
    order->answered_ok = ok;
    if (!ok) {
        check_error(oracle, order, message);
        return order;
    }
    switch (order->kind) {
    case SIM_ORDER_GARBAGE:
        sim_violation(env, "answer: nonsense is answered with ok, order %" PRIu64, number);
    case SIM_ORDER_SUBSCRIBE:
        if (order->filter_is_bad)
            sim_violation(env, "answer: %s is no filter, but is taken", order->filter_text);
        if (!may_subscribe(env, order->pattern))
            sim_violation(env, "answer: \"%s\" cannot be subscribed to, but is", order->pattern);
        break;
    case SIM_ORDER_EMIT:
        if (!may_emit(env, order))
            sim_violation(env, "answer: emit %.*s to %s cannot be, but is", HG_SLICE_ARG(order->id),
                          sim_topics[order->topic].name);
        emit_acknowledged(oracle, order, message);
        break;
    case SIM_ORDER_UPDATE:
        if (order->filter_is_bad)
            sim_violation(env, "answer: %s is no filter, but is taken", order->filter_text);
        break;
    case SIM_ORDER_UNSUBSCRIBE:
    case SIM_ORDER_PAUSE:
    case SIM_ORDER_RESUME:
    case SIM_ORDER_SEEK:
    case SIM_ORDER_PING:
        break;
    }
    return order;
}
