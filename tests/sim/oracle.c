#include "sim/oracle.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "topic/template.h"

#define PAGE_BYTES 131072 /* how far histories may go beyond their bounds */
#define READ_BYTES 393216 /* and more for each stream that was just read */

void sim_oracle_init(struct sim_oracle *oracle, struct sim_env *env)
{
    HG_ASSERT(sim_topic_count <= SIM_TOPICS_MAX);
    *oracle = (struct sim_oracle){.env = env};
}

static void track_free(struct sim_track *track)
{
    for (size_t i = 0; i < SIM_TOPICS_MAX; i++)
        free(track->feeds[i].items);
    free(track);
}

void sim_oracle_done(struct sim_oracle *oracle)
{
    for (size_t i = 0; i < oracle->track_count; i++)
        track_free(oracle->tracks[i]);
    free(oracle->tracks);
    for (size_t i = 0; i < SIM_TOPICS_MAX; i++)
        free(oracle->messages[i]);
}

/* ---- what is what ------------------------------------------------------------------------------------------------ */

bool sim_is_channel(const struct sim_env *env, int topic)
{
    return sim_topics[topic].kind == SIM_TOPIC_CHANNEL ||
           (sim_topics[topic].kind == SIM_TOPIC_NONE && env->options.catch_all);
}

bool sim_is_converted(const struct sim_env *env, int topic)
{
    const struct sim_key *key = sim_store_key(env->store, topic);
    return sim_topics[topic].kind == SIM_TOPIC_CHANNEL && key && key->type == SIM_KEY_STREAM;
}

static bool is_stream(const struct sim_env *env, int topic)
{
    const struct sim_key *key = sim_store_key(env->store, topic);
    return key && (sim_topics[topic].kind == SIM_TOPIC_STREAM || key->type == SIM_KEY_STREAM);
}

bool sim_is_oversize(const struct sim_env *env, const struct sim_key *key, size_t index)
{
    const struct sim_entry *entry = &key->entries[index];
    uint64_t bytes = 0;

    if (entry->emitted)
        return false;
    if (entry->payload.kind != SIM_PAYLOAD_FIELDS)
        return entry->payload.bytes.len > env->options.config.event_bytes_max;
    for (size_t i = 0; i < entry->field_count; i++)
        bytes += entry->fields[i].len + 4; /* and what stands around it */
    return bytes > env->options.config.event_bytes_max;
}

bool sim_entry_passes(const struct sim_env *env, const struct sim_filter *filter, const struct sim_key *key,
                      size_t index)
{
    const struct sim_entry *entry = &key->entries[index];

    /* One too large without a payload field is not looked at: everybody is told. */
    if (filter && entry->payload.kind == SIM_PAYLOAD_FIELDS && sim_is_oversize(env, key, index))
        return true;
    return sim_filter_passes(filter, &entry->payload.facts, sim_topics[key->topic].name);
}

/* ---- tracks ------------------------------------------------------------------------------------------------------ */

static struct sim_track *find_active(struct sim_oracle *oracle, uint64_t client, uint64_t sub)
{
    for (size_t i = 0; i < oracle->track_count; i++) {
        struct sim_track *track = oracle->tracks[i];
        if (track->state == SIM_TRACK_ACTIVE && track->client == client && track->sub == sub)
            return track;
    }
    return NULL;
}

static struct sim_track *find_same(struct sim_oracle *oracle, uint64_t client, const char *pattern,
                                   const struct sim_filter *filter, const struct sim_pace *pace,
                                   enum sim_track_state state)
{
    for (size_t i = 0; i < oracle->track_count; i++) {
        struct sim_track *track = oracle->tracks[i];
        if (track->state == state && track->client == client && track->filter == filter && track->pace == pace &&
            strcmp(track->pattern, pattern) == 0)
            return track;
    }
    return NULL;
}

static void remove_track(struct sim_oracle *oracle, struct sim_track *track)
{
    size_t i = 0;

    while (oracle->tracks[i] != track)
        i++;
    memmove(&oracle->tracks[i], &oracle->tracks[i + 1], (--oracle->track_count - i) * sizeof track);
    track_free(track);
}

/* Its client goes, with what it has. */
static void keep(struct sim_oracle *oracle, struct sim_luggage luggage)
{
    const size_t places = sizeof oracle->luggage / sizeof *oracle->luggage;

    oracle->luggage[oracle->luggage_count++ % places] = luggage;
}

void sim_oracle_mark(struct sim_oracle *oracle, int topic, size_t index, struct hg_slice cursor)
{
    struct sim_arena *arena = &oracle->env->arena;
    struct sim_luggage luggage = {.pattern = sim_topics[topic].name,
                                  .marks = sim_arena_get(arena, sim_topic_count * sizeof *luggage.marks)};

    luggage.marks[topic] = (struct sim_mark){.text = sim_arena_copy(arena, cursor),
                                             .begun = true,
                                             .stands = true,
                                             .stand = index,
                                             .next = index + 1};
    if (sim_chance(oracle->env, 20))
        keep(oracle, luggage);
}

static void pack(struct sim_oracle *oracle, const struct sim_track *track)
{
    struct sim_luggage luggage = {.pattern = track->pattern,
                                  .filter = track->filter,
                                  .has_since = track->has_since,
                                  .since_ms = track->since_ms};
    bool any = track->has_since;

    if (track->state != SIM_TRACK_ACTIVE)
        return;
    luggage.marks = sim_arena_get(&oracle->env->arena, sim_topic_count * sizeof *luggage.marks);
    for (size_t t = 0; t < sim_topic_count; t++)
        if (track->matches[t]) {
            luggage.marks[t] = track->places[t].mark;
            any = any || luggage.marks[t].text.ptr;
        }
    if (any)
        keep(oracle, luggage);
}

const struct sim_luggage *sim_oracle_luggage(const struct sim_oracle *oracle, uint32_t chance)
{
    const size_t places = sizeof oracle->luggage / sizeof *oracle->luggage;
    size_t count = oracle->luggage_count < places ? oracle->luggage_count : places;

    return count ? &oracle->luggage[chance % count] : NULL;
}

/* Somebody else has followed the stream since before the entry that the client saw last, the histories have room for
 * all of it, and nothing else was asked of the past: then nothing of it is asked of Redis. */
static bool is_in_memory(const struct sim_oracle *oracle, const struct sim_track *track, int topic)
{
    const struct hg_config *config = &oracle->env->options.config;
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);
    const struct sim_place *place = &track->places[topic];
    bool followed = false;

    if (config->history_bytes_max < 4194304 || config->history_ms < 600000 || config->log_bytes_total_max < 1048576 ||
        !sim_options_are_calm(&oracle->env->options) || sim_options_are_slow(&oracle->env->options) ||
        key->deed_count > 0 || !place->begun || place->forged || !track->exact)
        return false;
    for (size_t i = 0; i < oracle->track_count; i++) {
        const struct sim_track *other = oracle->tracks[i];
        if (other == track || !other->matches[topic])
            continue;
        if (other->caught_up_due || other->state == SIM_TRACK_PENDING)
            return false;
        followed = followed || (other->exact && other->live_from[topic] <= place->stand);
    }
    return followed;
}

static void disturb_memory(struct sim_oracle *oracle, int topic)
{
    for (size_t i = 0; i < oracle->track_count; i++)
        oracle->tracks[i]->places[topic].in_memory = false;
}

const struct sim_track *sim_oracle_pick(const struct sim_oracle *oracle, uint64_t client, uint32_t chance)
{
    const struct sim_track *mine[64];
    size_t count = 0;

    for (size_t i = 0; i < oracle->track_count && count < 64; i++)
        if (oracle->tracks[i]->client == client && oracle->tracks[i]->state == SIM_TRACK_ACTIVE)
            mine[count++] = oracle->tracks[i];
    return count ? mine[chance % count] : NULL;
}

static void new_track(struct sim_oracle *oracle, struct sim_order *order)
{
    struct sim_env *env = oracle->env;
    const struct hg_config *config = &env->options.config;
    struct sim_track *track = calloc(1, sizeof *track);

    HG_ASSERT(track);
    track->client = order->client;
    track->order = order;
    track->pattern = order->pattern;
    track->filter = order->filter;
    track->pace = order->pace;
    track->troubles_at_order = oracle->troubles;
    track->exact = !strchr(order->pattern, '*');
    track->from_unclear =
        find_same(oracle, order->client, order->pattern, order->filter, order->pace, SIM_TRACK_PENDING) != NULL;
    for (size_t t = 0; t < sim_topic_count; t++) {
        const struct sim_key *key = sim_store_key(env->store, (int)t);

        track->matches[t] = sim_pattern_matches(order->pattern, sim_topics[t].name);
        if (!track->matches[t])
            continue;
        sim_place_ordered(oracle, track, order, (int)t, &track->places[t]);
        if (order->from != HG_FROM_LIVE)
            disturb_memory(oracle, (int)t);
        if (key && order->from == HG_FROM_CURSORS) {
            track->places[t].in_memory = is_in_memory(oracle, track, (int)t);
            track->places[t].pages_asked = key->pages_asked;
        }
    }
    if (track->exact) {
        track->sources = 1;
    } else if (sim_pattern_is_valid(order->pattern)) {
        for (size_t r = 0; r < config->rule_count; r++) {
            struct hg_buf buf;

            if (config->rules[r].source == HG_SOURCE_STREAM)
                continue;
            hg_buf_init(&buf, 4096);
            if (!hg_ok(hg_template_glob(hg_slice_str(config->rules[r].channel), hg_slice_str(order->pattern), &buf)))
                HG_UNREACHABLE();
            track->globs[r] = sim_arena_copy(&env->arena, hg_buf_slice(&buf));
            hg_buf_done(&buf);
            track->sources++;
        }
    }
    *SIM_PUSH(oracle->tracks, oracle->track_count, oracle->track_capacity) = track;
}

/* ---- channels ---------------------------------------------------------------------------------------------------- */

/* Whether the track hears this topic by this name or glob. */
static bool hears_by(const struct sim_track *track, int topic, struct hg_slice glob)
{
    if (!track->matches[topic])
        return false;
    if (!glob.ptr)
        return track->exact;
    int rule = sim_topics[topic].rule;
    return !track->exact && track->globs[rule].ptr && hg_slice_eq(track->globs[rule], glob);
}

static void put(struct sim_oracle *oracle, struct sim_track *track, int topic, enum sim_item_kind kind, uint64_t number)
{
    bool optional = track->state == SIM_TRACK_PENDING || sim_is_converted(oracle->env, topic);
    sim_feed_put(&track->feeds[topic], kind, optional, number);
}

void sim_oracle_published(struct sim_oracle *oracle, int topic, struct sim_payload payload)
{
    struct sim_env *env = oracle->env;

    *SIM_PUSH(oracle->messages[topic], oracle->message_count[topic], oracle->message_capacity[topic]) = payload;
    if (!sim_is_channel(env, topic))
        return;
    int rule = sim_topics[topic].rule;
    struct hg_slice channel = sim_store_expand(env, env->options.rules[rule].channel, sim_topics[topic].name);
    for (size_t i = 0; i < oracle->track_count; i++) {
        struct sim_track *track = oracle->tracks[i];
        if (!track->matches[topic])
            continue;
        bool heard = track->exact ? sim_redis_hears(env->redis, channel)
                                  : track->globs[rule].ptr && sim_redis_hears_glob(env->redis, track->globs[rule]);
        if (!heard)
            put(oracle, track, topic, SIM_ITEM_LOST, oracle->message_count[topic] - 1);
    }
}

void sim_oracle_message_handed(struct sim_oracle *oracle, int topic, struct hg_slice glob, uint64_t number)
{
    if (!sim_is_channel(oracle->env, topic))
        return;
    for (size_t i = 0; i < oracle->track_count; i++)
        if (hears_by(oracle->tracks[i], topic, glob))
            put(oracle, oracle->tracks[i], topic, SIM_ITEM_EVENT, number);
}

void sim_oracle_message_lost(struct sim_oracle *oracle, int topic, struct hg_slice glob, uint64_t number)
{
    if (!sim_is_channel(oracle->env, topic))
        return;
    for (size_t i = 0; i < oracle->track_count; i++)
        if (hears_by(oracle->tracks[i], topic, glob))
            put(oracle, oracle->tracks[i], topic, SIM_ITEM_LOST, number);
}

void sim_oracle_listener_lost(struct sim_oracle *oracle)
{
    for (size_t i = 0; i < oracle->track_count; i++) {
        struct sim_track *track = oracle->tracks[i];
        bool listens = false;

        for (size_t t = 0; t < sim_topic_count; t++) {
            if (!track->matches[t] || !sim_is_channel(oracle->env, (int)t))
                continue;
            put(oracle, track, (int)t, SIM_ITEM_BREAK, 0);
            listens = true;
        }
        if (listens || !track->exact || sim_topic_find(hg_slice_str(track->pattern)) < 0)
            track->gaps_due += track->sources;
    }
}

void sim_oracle_trouble(struct sim_oracle *oracle)
{
    oracle->troubles++;
}

static void channel_event(struct sim_oracle *oracle, struct sim_track *track, int topic, struct hg_slice text,
                          const json_t *message)
{
    struct sim_env *env = oracle->env;
    uint64_t number;

    if (!sim_is_channel(env, topic))
        sim_violation(env, "event: client %" PRIu64 " sub %" PRIu64 ": %s is no channel, but the event has no cursor",
                      track->client, track->sub, sim_topics[topic].name);
    if (!sim_payload_number(message, text, sim_topics[topic].name, &number) || number >= oracle->message_count[topic])
        sim_violation(env, "event: client %" PRIu64 " gets one that nobody published on %s: %.*s", track->client,
                      sim_topics[topic].name, HG_SLICE_ARG(hg_slice_first(text, 200)));
    const struct sim_payload *payload = &oracle->messages[topic][number];
    if (!sim_payload_is_shown(payload, text, message))
        sim_violation(env, "event: client %" PRIu64 ": %s #%" PRIu64 " is not shown as it was published: %.*s",
                      track->client, sim_topics[topic].name, number, HG_SLICE_ARG(hg_slice_first(text, 200)));
    if (payload->bytes.len > env->options.config.event_bytes_max)
        sim_violation(env, "event: client %" PRIu64 ": %s #%" PRIu64 " is larger than event_bytes_max", track->client,
                      sim_topics[topic].name, number);
    if (track->pace)
        sim_pace_event(oracle, track, topic, number);
    else
        sim_feed_event(oracle, track, topic, number);
}

/* ---- what clients are told --------------------------------------------------------------------------------------- */

static struct sim_track *track_of(struct sim_oracle *oracle, struct sim_client *client, const char *op,
                                  const json_t *message)
{
    uint64_t sub = (uint64_t)json_integer_value(json_object_get(message, "sub"));
    struct sim_track *track = find_active(oracle, client->number, sub);

    if (!track)
        sim_violation(oracle->env, "%s: client %" PRIu64 " has no subscription %" PRIu64, op, client->number, sub);
    return track;
}

/* Of the past comes nothing sooner than it happened, at that speed. */
static void check_pace(struct sim_oracle *oracle, struct sim_track *track, const struct sim_place *place)
{
    uint64_t ms = place->newest.ms;

    if (!track->looks_back || !track->exact || !track->caught_up_due)
        return;
    if (!track->has_first)
        track->first_ms = ms;
    track->has_first = true;
    uint64_t passed_us = oracle->env->now.us - track->order->delivered_at.us;
    if (ms > track->first_ms && passed_us < (ms - track->first_ms) * 100000 / track->speed)
        sim_violation(oracle->env,
                      "pace: client %" PRIu64 " sub %" PRIu64 " (%s) gets within %" PRIu64 " us what took %" PRIu64
                      " ms, at a speed of %" PRIu32 " %%",
                      track->client, track->sub, track->pattern, passed_us, ms - track->first_ms, track->speed);
}

static void event(struct sim_oracle *oracle, struct sim_client *client, struct hg_slice text, const json_t *message)
{
    struct sim_track *track = track_of(oracle, client, "event", message);
    const char *name = json_string_value(json_object_get(message, "topic"));
    const json_t *cursor = json_object_get(message, "cursor");
    int topic = name ? sim_topic_find(hg_slice_str(name)) : -1;

    oracle->events_seen++;
    if (track->paused)
        sim_violation(oracle->env, "event: client %" PRIu64 " sub %" PRIu64 " (%s) is paused", client->number,
                      track->sub, track->pattern);
    if (topic < 0 || !track->matches[topic])
        sim_violation(oracle->env, "event: client %" PRIu64 ": topic %s is not of subscription %" PRIu64 " (%s)",
                      client->number, name ? name : "(none)", track->sub, track->pattern);
    if (cursor) {
        sim_place_event(oracle, track, topic, hg_slice_str(json_string_value(cursor) ? json_string_value(cursor) : ""),
                        text, message);
        check_pace(oracle, track, &track->places[topic]);
    } else {
        channel_event(oracle, track, topic, text, message);
    }
}

static void gap_overflow(struct sim_oracle *oracle, struct sim_track *track, bool all, int topic, uint64_t count)
{
    struct sim_env *env = oracle->env;

    if (track->pace) {
        sim_pace_overflow(oracle, track, count);
        return;
    }
    if (count == 0) {
        if (!env->options.tight)
            sim_violation(env, "gap: overflow without a count, client %" PRIu64 " sub %" PRIu64, track->client,
                          track->sub);
        return;
    }
    if (all && !track->exact) {
        track->overflow_told += count;
        return;
    }
    if (is_stream(env, topic))
        track->places[topic].budget += count;
    if (sim_is_channel(env, topic) && !sim_is_converted(env, topic))
        track->overflow_told += count;
}

static void gap(struct sim_oracle *oracle, struct sim_client *client, const json_t *message)
{
    struct sim_env *env = oracle->env;
    struct sim_track *track = track_of(oracle, client, "gap", message);
    const char *name = json_string_value(json_object_get(message, "topic"));
    const char *reason = json_string_value(json_object_get(message, "reason"));
    uint64_t count = (uint64_t)json_integer_value(json_object_get(message, "count"));
    bool all = name && strcmp(name, track->pattern) == 0;
    int topic = name ? sim_topic_find(hg_slice_str(name)) : -1;

    oracle->gaps_seen++;
    if (!reason || (!all && (topic < 0 || !track->matches[topic])))
        sim_violation(env, "gap: client %" PRIu64 " sub %" PRIu64 " (%s): no reason, or a topic that is not of it",
                      client->number, track->sub, track->pattern);
    if (strcmp(reason, "disconnected") == 0) {
        if (track->gaps_due == 0)
            sim_violation(env, "gap: client %" PRIu64 " sub %" PRIu64 " (%s): disconnected, but the link was not lost",
                          client->number, track->sub, track->pattern);
        track->gaps_due--;
        for (size_t t = 0; t < sim_topic_count; t++)
            if (track->matches[t] && (all || (int)t == topic))
                sim_feed_disconnected(track, (int)t);
    } else if (strcmp(reason, "overflow") == 0) {
        gap_overflow(oracle, track, all, topic, count);
    } else if (strcmp(reason, "gone") == 0 && topic < 0) {
        bool any = false;
        for (size_t t = 0; t < sim_topic_count; t++)
            any = (track->matches[t] && sim_place_gone(oracle, track, (int)t)) || any;
        if (!any)
            sim_violation(env, "gap: client %" PRIu64 " sub %" PRIu64 " (%s): gone, but no stream of it is",
                          client->number, track->sub, track->pattern);
    } else if (topic < 0 || !track->matches[topic]) {
        sim_violation(env, "gap: client %" PRIu64 " sub %" PRIu64 " (%s): %s, and there is no cause for it",
                      client->number, track->sub, track->pattern, reason);
    } else {
        sim_place_gap(oracle, track, topic, reason, count);
    }
}

static void caught_up(struct sim_oracle *oracle, struct sim_client *client, const json_t *message)
{
    struct sim_track *track = track_of(oracle, client, "caught_up", message);

    if (!track->caught_up_due)
        sim_violation(oracle->env, "caught_up: client %" PRIu64 " sub %" PRIu64 " (%s): twice, or not asked for",
                      client->number, track->sub, track->pattern);
    track->caught_up_due = false;
    for (size_t t = 0; t < sim_topic_count; t++)
        if (track->matches[t] && sim_topics[t].kind == SIM_TOPIC_STREAM && !track->from_unclear &&
            !sim_place_has(oracle, track, (int)t, track->places[t].there, true))
            sim_violation(oracle->env, "caught_up: client %" PRIu64 " sub %" PRIu64 " (%s): before all of %s came",
                          client->number, track->sub, track->pattern, sim_topics[t].name);
    for (size_t t = 0; t < sim_topic_count; t++) {
        const struct sim_key *key = sim_store_key(oracle->env->store, (int)t);
        struct sim_place *place = &track->places[t];
        if (place->in_memory && key->pages_asked != place->pages_asked)
            sim_violation(oracle->env,
                          "memory: client %" PRIu64 " sub %" PRIu64 " (%s) came back to what somebody follows all "
                          "along, and Redis was asked",
                          client->number, track->sub, track->pattern);
        place->in_memory = false;
    }
}

static void alive(struct sim_oracle *oracle, struct sim_client *client, bool stale, const json_t *message)
{
    const json_t *topics = json_object_get(message, "topics");
    const char *pattern = json_string_value(json_array_get(topics, 0));
    struct sim_track *track = track_of(oracle, client, stale ? "stale" : "live", message);

    if (json_array_size(topics) != 1 || !pattern || strcmp(track->pattern, pattern) != 0)
        sim_violation(oracle->env, "%s: client %" PRIu64 " has no subscription of %s", stale ? "stale" : "live",
                      client->number, pattern ? pattern : "(nothing)");
    if (track->stale == stale)
        sim_violation(oracle->env, "%s: client %" PRIu64 " sub %" PRIu64 " (%s) was told so already",
                      stale ? "stale" : "live", client->number, track->sub, pattern);
    track->stale = stale;
    if (stale && ++track->stales > oracle->troubles - track->troubles_at_order + 1)
        sim_violation(oracle->env, "stale: client %" PRIu64 " sub %" PRIu64 " (%s), but nothing has failed",
                      client->number, track->sub, pattern);
}

/* Whether the gateway may have ended or changed it, and the answer has not come yet. */
static bool is_moving(const struct sim_oracle *oracle, const struct sim_track *track)
{
    const struct sim_clients *clients = oracle->env->clients;

    for (size_t i = 0; i < clients->order_count; i++) {
        const struct sim_order *order = clients->orders[i];
        if (order->client == track->client && order->sub == track->sub && order->delivered && !order->answered)
            return true;
    }
    return false;
}

/* The same topics and filter are the same subscription for everybody, however the filter is spelled. */
static void check_number(struct sim_oracle *oracle, const struct sim_track *track)
{
    for (size_t i = 0; i < oracle->track_count; i++) {
        const struct sim_track *other = oracle->tracks[i];
        bool same =
            strcmp(other->pattern, track->pattern) == 0 && other->filter == track->filter && other->pace == track->pace;

        if (other->state == SIM_TRACK_ACTIVE && same != (other->sub == track->sub) && !is_moving(oracle, other) &&
            !is_moving(oracle, track))
            sim_violation(
                oracle->env,
                "ok: %s with %s is subscription %" PRIu64 ", but client %" PRIu64 " has %" PRIu64 " for %s with %s",
                track->pattern, track->filter ? track->filter->spellings[0] : "no filter", track->sub, other->client,
                other->sub, other->pattern, other->filter ? other->filter->spellings[0] : "no filter");
    }
}

static void updated(struct sim_oracle *oracle, const struct sim_order *order, uint64_t sub)
{
    struct sim_track *track = find_active(oracle, order->client, order->sub);

    if (!track)
        sim_violation(oracle->env, "ok: client %" PRIu64 ": subscription %" PRIu64 " is changed, but is not there",
                      order->client, order->sub);
    if (track->caught_up_due && !track->from_unclear)
        sim_violation(oracle->env, "seam: client %" PRIu64 " sub %" PRIu64 " (%s) is changed, but has not caught up",
                      track->client, track->sub, track->pattern);
    for (size_t t = 0; t < sim_topic_count; t++) {
        if (!track->matches[t])
            continue;
        sim_feed_updated(oracle, track, (int)t);
        sim_place_updated(oracle, track, (int)t);
    }
    struct sim_track *same =
        find_same(oracle, order->client, track->pattern, order->filter, track->pace, SIM_TRACK_ACTIVE);
    if (same && same != track) {
        if (same->sub != sub)
            sim_violation(oracle->env, "ok: client %" PRIu64 ": %s is subscription %" PRIu64 " and %" PRIu64,
                          order->client, track->pattern, same->sub, sub);
        remove_track(oracle, track);
        return;
    }
    if (sub == 0 || (track->filter == order->filter) != (track->sub == sub) ||
        (same != track && find_active(oracle, order->client, sub)))
        sim_violation(oracle->env,
                      "ok: client %" PRIu64 ": %s is subscription %" PRIu64 " after %" PRIu64 ", which cannot be",
                      order->client, track->pattern, sub, track->sub);
    track->sub = sub;
    track->filter = order->filter;
    track->overflow_told = track->skipped = track->skipped_optional = 0;
    check_number(oracle, track);
}

static void subscribed(struct sim_oracle *oracle, struct sim_track *track, const json_t *message)
{
    struct sim_env *env = oracle->env;
    const struct sim_order *order = track->order;
    const char *cursor = json_string_value(json_object_get(message, "cursor"));
    const json_t *since = json_object_get(message, "since");
    int topic = track->exact ? sim_topic_find(hg_slice_str(track->pattern)) : -1;

    track->caught_up_due = order->from != HG_FROM_LIVE || track->from_unclear;
    track->speed = order->speed;
    track->looks_back = order->speed > 0 && !track->from_unclear;
    for (size_t t = 0; t < sim_topic_count; t++)
        sim_place_answered(oracle, track, order, (int)t, &track->places[t]);
    track->has_since = json_is_integer(since);
    track->since_ms = (uint64_t)json_integer_value(since);
    if (topic >= 0 && sim_topics[topic].kind == SIM_TOPIC_STREAM && !cursor)
        sim_violation(env, "ok: client %" PRIu64 ": no cursor for the stream %s", track->client, track->pattern);
    if (cursor && (topic < 0 || !sim_store_key(env->store, topic)))
        sim_violation(env, "ok: client %" PRIu64 ": a cursor for %s, which is no stream", track->client,
                      track->pattern);
    if (cursor) {
        sim_place_told(oracle, track, topic, hg_slice_str(cursor));
        track->live_from[topic] = track->places[topic].mark.begun ? track->places[topic].mark.stand : SIZE_MAX;
    }
}

static void sought(struct sim_oracle *oracle, const struct sim_order *order)
{
    struct sim_track *track = find_active(oracle, order->client, order->sub);

    if (!track || !order->places)
        sim_violation(oracle->env, "ok: client %" PRIu64 ": subscription %" PRIu64 " sought, but is not there",
                      order->client, order->sub);
    for (size_t t = 0; t < sim_topic_count; t++) {
        struct sim_place *place = &track->places[t];
        struct sim_place before = *place;

        if (!track->matches[t])
            continue;
        *place = order->places[t];
        place->shown_at_update = before.shown_at_update;
        if (!place->mark.text.ptr)
            place->mark = before.mark;
        sim_place_answered(oracle, track, order, (int)t, place);
        sim_feed_sought(track, (int)t);
    }
    track->order = order;
    track->from_unclear = false;
    track->caught_up_due = order->from != HG_FROM_LIVE;
    track->speed = order->speed;
    track->looks_back = order->speed > 0 && !track->paused && !track->pause;
    track->has_first = false;
}

static void ok(struct sim_oracle *oracle, struct sim_client *client, bool is_ok, const json_t *message)
{
    struct sim_env *env = oracle->env;
    struct sim_order *order = sim_answer_order(oracle, client, is_ok, message);

    if (!order)
        return;
    if (order->kind == SIM_ORDER_SUBSCRIBE) {
        struct sim_track *track = NULL;
        uint64_t sub = (uint64_t)json_integer_value(json_object_get(message, "sub"));

        for (size_t i = 0; i < oracle->track_count && !track; i++)
            if (oracle->tracks[i]->order == order)
                track = oracle->tracks[i];
        HG_ASSERT(track);
        struct sim_track *same =
            find_same(oracle, client->number, order->pattern, order->filter, order->pace, SIM_TRACK_ACTIVE);
        if (is_ok && (sub == 0 || (same && same->sub != sub) || (!same && find_active(oracle, client->number, sub))))
            sim_violation(env, "ok: client %" PRIu64 ": %s is subscription %" PRIu64 ", which cannot be",
                          client->number, order->pattern, sub);
        if (!is_ok || same) {
            remove_track(oracle, track);
            return;
        }
        track->state = SIM_TRACK_ACTIVE;
        track->sub = sub;
        check_number(oracle, track);
        subscribed(oracle, track, message);
    } else if (order->kind == SIM_ORDER_UPDATE) {
        struct sim_track *track = find_active(oracle, client->number, order->sub);
        if (track && track->update == order)
            track->update = NULL;
        if (is_ok)
            updated(oracle, order, (uint64_t)json_integer_value(json_object_get(message, "sub")));
    } else if (order->kind == SIM_ORDER_UNSUBSCRIBE) {
        struct sim_track *track = find_active(oracle, client->number, order->sub);
        if (is_ok && track) {
            pack(oracle, track);
            remove_track(oracle, track);
        } else if (!is_ok && track && order->sub_was_there)
            sim_violation(env, "error: client %" PRIu64 " may not unsubscribe %" PRIu64 " (%s)", client->number,
                          order->sub, track->pattern);
    } else if (order->kind == SIM_ORDER_SEEK && is_ok) {
        sought(oracle, order);
    } else if (order->kind == SIM_ORDER_PAUSE && is_ok) {
        struct sim_track *track = find_active(oracle, client->number, order->sub);
        if (track && track->pause == order)
            track->paused = true;
    }
}

void sim_oracle_message(struct sim_oracle *oracle, struct sim_client *client, struct hg_slice text, const char *op,
                        const json_t *message)
{
    if (strcmp(op, "event") == 0)
        event(oracle, client, text, message);
    else if (strcmp(op, "ok") == 0)
        ok(oracle, client, true, message);
    else if (strcmp(op, "error") == 0)
        ok(oracle, client, false, message);
    else if (strcmp(op, "gap") == 0)
        gap(oracle, client, message);
    else if (strcmp(op, "conflated") == 0)
        sim_pace_conflated(oracle, track_of(oracle, client, op, message),
                           (uint64_t)json_integer_value(json_object_get(message, "count")));
    else if (strcmp(op, "caught_up") == 0)
        caught_up(oracle, client, message);
    else if (strcmp(op, "stale") == 0 || strcmp(op, "live") == 0)
        alive(oracle, client, op[0] == 's', message);
    else if (strcmp(op, "welcome") != 0 && strcmp(op, "goodbye") != 0)
        sim_violation(oracle->env, "wire: there is no op %s", op);
}

static void update_ordered(struct sim_oracle *oracle, struct sim_order *order)
{
    struct sim_track *track = find_active(oracle, order->client, order->sub);

    order->troubles = oracle->troubles;
    order->sub_was_there = track != NULL;
    order->was_busy = !track || is_moving(oracle, track);
    order->delivered = true;
    if (order->was_busy || order->filter_is_bad)
        return;
    track->update = order;
    for (size_t t = 0; t < sim_topic_count; t++) {
        const struct sim_key *key = sim_store_key(oracle->env->store, (int)t);
        if (!track->matches[t])
            continue;
        sim_feed_update_ordered(track, (int)t);
        track->places[t].shown_at_update = key ? key->shown : 0;
    }
}

static void playback_ordered(struct sim_oracle *oracle, struct sim_order *order)
{
    struct sim_track *track = find_active(oracle, order->client, order->sub);

    order->sub_was_there = track != NULL;
    order->was_busy = !track || is_moving(oracle, track);
    if (!track)
        return;
    track->looks_back = false;
    switch (order->kind) {
    case SIM_ORDER_PAUSE:
        track->pause = order;
        return;
    case SIM_ORDER_RESUME:
        track->pause = NULL;
        track->paused = false;
        return;
    default:
        break;
    }
    order->places = sim_arena_get(&oracle->env->arena, sim_topic_count * sizeof *order->places);
    for (size_t t = 0; t < sim_topic_count; t++) {
        if (!track->matches[t])
            continue;
        sim_place_ordered(oracle, track, order, (int)t, &order->places[t]);
        disturb_memory(oracle, (int)t);
    }
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

void sim_oracle_order(struct sim_oracle *oracle, struct sim_order *order, bool open)
{
    if (!open)
        return;
    if (order->kind == SIM_ORDER_UPDATE)
        update_ordered(oracle, order);
    if (order->kind == SIM_ORDER_PAUSE || order->kind == SIM_ORDER_RESUME || order->kind == SIM_ORDER_SEEK)
        playback_ordered(oracle, order);
    order->delivered = true;
    order->delivered_at = oracle->env->now;
    if (order->kind == SIM_ORDER_SUBSCRIBE)
        new_track(oracle, order);
    else if (order->kind == SIM_ORDER_UNSUBSCRIBE)
        order->sub_was_there = find_active(oracle, order->client, order->sub) != NULL;
    else if (order->kind == SIM_ORDER_EMIT)
        sim_answer_emit_ordered(oracle, order);
}

void sim_oracle_client_closing(struct sim_oracle *oracle, uint64_t client)
{
    for (size_t i = oracle->track_count; i > 0; i--)
        if (oracle->tracks[i - 1]->client == client) {
            pack(oracle, oracle->tracks[i - 1]);
            remove_track(oracle, oracle->tracks[i - 1]);
        }
    for (size_t i = 0; i < oracle->env->clients->order_count; i++) {
        struct sim_order *order = oracle->env->clients->orders[i];
        if (order->client == client)
            order->excused = true;
    }
}

/* ---- at the end -------------------------------------------------------------------------------------------------- */

void sim_oracle_turn(struct sim_oracle *oracle)
{
    struct sim_env *env = oracle->env;
    const struct hg_config *config = &env->options.config;
    const struct sim_clients *clients = env->clients;
    struct hg_core_stats s;
    uint64_t open = 0;

    hg_core_stats(env->core, &s);
    for (size_t i = 0; i < SIM_CLIENTS; i++)
        open += clients->items[i].state == SIM_CLIENT_OPEN || clients->items[i].state == SIM_CLIENT_CLOSING;
#define RULE(condition)                                                                                                \
    if (!(condition))                                                                                                  \
    sim_violation(env, "counters: %s does not hold", #condition)
    RULE(s.sessions == open);
    RULE(s.sessions_opened == clients->opened);
    RULE(s.sessions_refused == clients->refused);
    RULE(s.writes == clients->writes);
    RULE(s.bytes_out == clients->bytes);
    RULE(s.deliveries_sent + s.replayed >= clients->event_frames);
    RULE(s.deliveries_offered >= s.deliveries_sent + s.deliveries_gapped + s.deliveries_replaced +
                                     s.deliveries_dropped + s.deliveries_conflated);
    RULE(s.emits == s.emits_appended + s.emits_duplicate + s.emits_failed + s.emits_pending);
    RULE(s.log_bytes <= config->log_bytes_total_max);
    RULE(s.log_bytes <= config->log_bytes_max * s.groups);
    /* What was read waits for its proof. */
    uint64_t unproven = sim_topic_count * READ_BYTES;
    if (s.log_bytes + s.history_bytes > config->log_bytes_total_max + PAGE_BYTES + unproven)
        sim_violation(env, "counters: logs hold %" PRIu64 " and histories %" PRIu64 " bytes, of %" PRIu64 " allowed", s.log_bytes,
                      s.history_bytes, config->log_bytes_total_max);
    if (sim_options_are_calm(&env->options))
        RULE(s.redis_losses == 0);
    RULE(s.emits_pending <= config->emits_max);
    RULE(s.sessions <= config->connections_max);
    RULE(s.groups <= config->groups_max);
    RULE(s.topics <= config->topics_max);
    RULE((s.frames_alive == 0) == (s.log_bytes == 0));
}

bool sim_oracle_is_settled(const struct sim_oracle *oracle)
{
    const struct sim_env *env = oracle->env;
    struct hg_core_stats s;

    for (size_t i = 0; i < SIM_CLIENTS; i++) {
        const struct sim_client *client = &env->clients->items[i];
        bool rests = client->state == SIM_CLIENT_OPEN && !client->messages && !client->full;
        if (client->state != SIM_CLIENT_FREE && !rests)
            return false;
    }
    for (size_t i = 0; i < env->clients->order_count; i++) {
        const struct sim_order *order = env->clients->orders[i];
        if (order->delivered && order->has_ref && !order->answered && !order->excused)
            return false;
    }
    for (size_t i = 0; i < oracle->track_count; i++) {
        const struct sim_track *track = oracle->tracks[i];
        if (track->state == SIM_TRACK_PENDING || track->stale || (track->caught_up_due && !track->from_unclear))
            return false;
        for (size_t t = 0; t < sim_topic_count; t++) {
            const struct sim_key *key = sim_store_key(env->store, (int)t);
            if (track->matches[t] &&
                (sim_feed_is_waiting(oracle, track, (int)t) || !sim_place_knows(oracle, track, (int)t) ||
                 (key && key->type == SIM_KEY_STREAM && !sim_place_has(oracle, track, (int)t, key->count, false))))
                return false;
        }
    }
    hg_core_stats(env->core, &s);
    return s.emits_pending == 0 && s.log_bytes == 0;
}

void sim_oracle_settled(struct sim_oracle *oracle)
{
    struct sim_env *env = oracle->env;
    const struct sim_clients *clients = env->clients;
    struct hg_core_stats s;

    for (size_t i = 0; i < clients->order_count; i++) {
        const struct sim_order *order = clients->orders[i];
        if (order->delivered && order->has_ref && !order->answered && !order->excused)
            sim_violation(env, "settled: order %" PRIu64 " of client %" PRIu64 " was never answered", order->number,
                          order->client);
    }
    for (size_t i = 0; i < oracle->track_count; i++) {
        struct sim_track *track = oracle->tracks[i];

        if (track->state == SIM_TRACK_PENDING)
            sim_violation(env, "settled: client %" PRIu64 ": %s is neither ok nor refused", track->client,
                          track->pattern);
        if (track->stale && strcmp(track->pattern, "st.bad") != 0)
            sim_violation(env, "settled: client %" PRIu64 " sub %" PRIu64 " (%s) is still stale", track->client,
                          track->sub, track->pattern);
        if (track->caught_up_due && !track->from_unclear)
            sim_violation(env, "settled: client %" PRIu64 " sub %" PRIu64 " (%s) never caught up", track->client,
                          track->sub, track->pattern);
        for (size_t t = 0; t < sim_topic_count; t++) {
            if (!track->matches[t])
                continue;
            sim_feed_settled(oracle, track, (int)t);
            const struct sim_key *key = sim_store_key(env->store, (int)t);
            if (!sim_place_knows(oracle, track, (int)t))
                sim_violation(env,
                              "settled: client %" PRIu64 " sub %" PRIu64 " (%s): entry %zu of %s is not of its history "
                              "any more, and no gap told",
                              track->client, track->sub, track->pattern, track->places[t].stand, sim_topics[t].name);
            if (key && key->type == SIM_KEY_STREAM && !sim_place_has(oracle, track, (int)t, key->count, false))
                sim_violation(env, "settled: client %" PRIu64 " sub %" PRIu64 " (%s): %s has %zu entries, %s %zu came",
                              track->client, track->sub, track->pattern, sim_topics[t].name, key->count,
                              track->places[t].begun ? "of which before" : "none; due from",
                              track->places[t].begun ? track->places[t].next : track->places[t].count_at_ok);
        }
        if (!track->pace && track->overflow_told > track->skipped + track->skipped_optional && !env->options.tight)
            sim_violation(env,
                          "settled: client %" PRIu64 " sub %" PRIu64 " (%s): gaps told %" PRIu64
                          " events that were not missed",
                          track->client, track->sub, track->pattern,
                          track->overflow_told - track->skipped - track->skipped_optional);
    }
    hg_core_stats(env->core, &s);
    RULE(s.emits_pending == 0);
    RULE(s.log_bytes + s.history_bytes <= env->options.config.log_bytes_total_max + PAGE_BYTES);
    RULE(s.deliveries_offered == s.deliveries_sent + s.deliveries_gapped + s.deliveries_replaced +
                                     s.deliveries_dropped + s.deliveries_conflated);
}

void sim_oracle_empty(struct sim_oracle *oracle)
{
    struct sim_env *env = oracle->env;
    struct hg_core_stats s;

    hg_core_stats(env->core, &s);
    RULE(s.sessions == 0);
    RULE(s.subscriptions == 0);
    RULE(s.groups == 0);
    RULE(s.topics == 0);
    RULE(s.frames_alive == 0);
    RULE(s.log_bytes == 0);
    RULE(s.emits_pending == 0);
    RULE(s.deliveries_offered == s.deliveries_sent + s.deliveries_gapped + s.deliveries_replaced +
                                     s.deliveries_dropped + s.deliveries_conflated);
    RULE(s.history_bytes == 0);
    for (size_t i = 0; i < env->redis->channels.count + env->redis->globs.count; i++) {
        struct hg_slice left = i < env->redis->channels.count ? env->redis->channels.items[i]
                                                              : env->redis->globs.items[i - env->redis->channels.count];
        if (!hg_slice_starts(left, HG_LIT("__headgate__:")))
            sim_violation(env, "empty: nobody is there, but Redis still sends %.*s", HG_SLICE_ARG(left));
    }
}
