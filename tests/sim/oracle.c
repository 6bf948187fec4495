#include "sim/oracle.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "topic/template.h"

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

/* Of another filter, or the same: what is told of topics is told for each. */
static bool is_company(const struct sim_track *a, const struct sim_track *b)
{
    return a != b && a->client == b->client && b->state == SIM_TRACK_ACTIVE && strcmp(a->pattern, b->pattern) == 0;
}

static void remember(struct sim_oracle *oracle, const struct sim_track *track)
{
    struct sim_memory memory = {.pattern = track->pattern, .filter = track->filter, .since_ms = track->since_ms};
    bool any = false;

    for (size_t t = 0; t < sim_topic_count; t++)
        if (track->matches[t] && track->places[t].held.given && !track->places[t].held.forged) {
            memory.cursors[t] = track->places[t].held;
            any = true;
        }
    if (any)
        oracle->memories[oracle->memory_count++ % 16] = memory;
}

const struct sim_memory *sim_oracle_memory(const struct sim_oracle *oracle, uint32_t chance)
{
    size_t count = oracle->memory_count < 16 ? oracle->memory_count : 16;

    return count ? &oracle->memories[chance % count] : NULL;
}

static void remove_track(struct sim_oracle *oracle, struct sim_track *track)
{
    size_t i = 0;
    bool unclear = track->stale_unclear;

    if (track->state == SIM_TRACK_ACTIVE)
        remember(oracle, track);

    for (i = 0; i < oracle->track_count; i++)
        if (is_company(track, oracle->tracks[i]))
            unclear = unclear || oracle->tracks[i]->stale != track->stale;
    for (i = 0; i < oracle->track_count; i++)
        if (track->state == SIM_TRACK_ACTIVE && is_company(track, oracle->tracks[i]))
            oracle->tracks[i]->stale_unclear = unclear;
    i = 0;
    while (oracle->tracks[i] != track)
        i++;
    memmove(&oracle->tracks[i], &oracle->tracks[i + 1], (--oracle->track_count - i) * sizeof track);
    track_free(track);
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
    track->company = 1;
    track->troubles_at_order = oracle->troubles;
    track->exact = !strchr(order->pattern, '*');
    track->from_unclear =
        find_same(oracle, order->client, order->pattern, order->filter, order->pace, SIM_TRACK_PENDING) != NULL;
    for (size_t t = 0; t < sim_topic_count; t++) {
        track->matches[t] = sim_pattern_matches(order->pattern, sim_topics[t].name);
        if (track->matches[t])
            sim_place_ordered(oracle, track, (int)t);
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

void sim_oracle_unheard(struct sim_oracle *oracle, bool channels, uint32_t topics)
{
    const struct sim_env *env = oracle->env;
    const struct sim_options *o = &env->options;
    bool slow = o->stalls || o->plays || o->socket_bytes < 1000000;

    for (size_t i = 0; i < oracle->track_count; i++) {
        struct sim_track *track = oracle->tracks[i];
        int topic = track->exact ? sim_topic_find(hg_slice_str(track->pattern)) : -1;

        if (topic < 0 || track->state != SIM_TRACK_ACTIVE || track->stale || slow || track->company > 1 ||
            is_moving(oracle, track) || sim_topics[topic].rule == 3)
            continue;
        track->stale_due = channels ? sim_is_channel(env, topic) : (topics >> topic & 1) != 0;
    }
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

static void event(struct sim_oracle *oracle, struct sim_client *client, struct hg_slice text, const json_t *message)
{
    struct sim_track *track = track_of(oracle, client, "event", message);
    const char *name = json_string_value(json_object_get(message, "topic"));
    const json_t *cursor = json_object_get(message, "cursor");
    int topic = name ? sim_topic_find(hg_slice_str(name)) : -1;

    oracle->events_seen++;
    if (topic < 0 || !track->matches[topic])
        sim_violation(oracle->env, "event: client %" PRIu64 ": topic %s is not of subscription %" PRIu64 " (%s)",
                      client->number, name ? name : "(none)", track->sub, track->pattern);
    if (cursor)
        sim_place_event(oracle, track, topic, hg_slice_str(json_string_value(cursor) ? json_string_value(cursor) : ""),
                        text, message);
    else
        channel_event(oracle, track, topic, text, message);
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
    } else {
        if (topic < 0 && strcmp(reason, "gone") != 0)
            sim_violation(env, "gap: client %" PRIu64 " sub %" PRIu64 ": %s of %s, which is no topic", client->number,
                          track->sub, reason, name);
        for (size_t t = 0; t < sim_topic_count; t++)
            if (track->matches[t] && (topic < 0 ? sim_place_is_in_doubt(oracle, track, (int)t) : (int)t == topic))
                sim_place_gap(oracle, track, (int)t, topic < 0, reason, count);
    }
}

static void caught_up(struct sim_oracle *oracle, struct sim_client *client, const json_t *message)
{
    struct sim_track *track = track_of(oracle, client, "caught_up", message);

    if (!track->caught_up_due)
        sim_violation(oracle->env, "caught_up: client %" PRIu64 " sub %" PRIu64 " (%s): twice, or not asked for",
                      client->number, track->sub, track->pattern);
    track->caught_up_due = false;
    for (size_t t = 0; t < sim_topic_count; t++) {
        const struct sim_key *key = sim_store_key(oracle->env->store, (int)t);
        const struct sim_place *place = &track->places[t];
        bool alone = place->replays_at_order == oracle->replays_asked[t];
        if (track->matches[t] && place->in_memory && !track->from_unclear && alone &&
            key->ranges != place->ranges_at_order)
            sim_violation(oracle->env,
                          "memory: client %" PRIu64 " sub %" PRIu64
                          " (%s): what it missed of %s is in memory, but Redis "
                          "was asked for it",
                          track->client, track->sub, track->pattern, sim_topics[t].name);
    }
    for (size_t t = 0; t < sim_topic_count; t++)
        if (track->matches[t] && sim_topics[t].kind == SIM_TOPIC_STREAM && !track->from_unclear &&
            !sim_place_is_in_doubt(oracle, track, (int)t) &&
            !sim_place_has(oracle, track, (int)t, track->places[t].there, false))
            sim_violation(oracle->env, "caught_up: client %" PRIu64 " sub %" PRIu64 " (%s): before all of %s came",
                          client->number, track->sub, track->pattern, sim_topics[t].name);
}

/* Live means proven as well: another history was told before. */
static void check_proven(const struct sim_oracle *oracle, const struct sim_track *track)
{
    struct sim_env *env = oracle->env;
    int topic = track->exact ? sim_topic_find(hg_slice_str(track->pattern)) : -1;
    const struct sim_key *key = topic >= 0 ? sim_store_key(env->store, topic) : NULL;

    /* Who fell behind the log is told in another order. */
    if (!key || env->options.stalls || env->options.plays || env->options.socket_bytes < 1000000 ||
        track->company > 1 || !sim_place_owes_fence(oracle, track, topic))
        return;
    const struct sim_fence *fence = &key->fences[key->entries[track->places[topic].held.index].fence - 1];
    for (uint32_t i = HG_LINK_READER; i < SIM_LINKS; i++) {
        const struct sim_link *link = &env->redis->links[i];
        if (link->state == SIM_LINK_IS_UP && (link->topics >> topic & 1) && fence->at.us < link->up_at.us)
            sim_violation(env,
                          "live: client %" PRIu64 " sub %" PRIu64 " (%s): the history of entry %zu was lost before the "
                          "link came up, and no gap told",
                          track->client, track->sub, track->pattern, track->places[topic].held.index);
    }
}

static void alive(struct sim_oracle *oracle, struct sim_client *client, bool stale, const json_t *message)
{
    const json_t *topics = json_object_get(message, "topics");
    const char *pattern = json_string_value(json_array_get(topics, 0));
    struct sim_track *track = NULL;

    /* Each subscription of these topics is told for itself; which of them it was does not matter. */
    for (size_t i = 0; i < oracle->track_count; i++) {
        struct sim_track *other = oracle->tracks[i];
        if (other->state == SIM_TRACK_ACTIVE && other->client == client->number && pattern &&
            strcmp(other->pattern, pattern) == 0 &&
            (!track || (track->stale == stale && (other->stale != stale || other->stale_unclear))))
            track = other;
    }
    if (json_array_size(topics) != 1 || !track)
        sim_violation(oracle->env, "%s: client %" PRIu64 " has no subscription of %s", stale ? "stale" : "live",
                      client->number, pattern ? pattern : "(nothing)");
    if (track->stale == stale && !track->stale_unclear)
        sim_violation(oracle->env, "%s: client %" PRIu64 " sub %" PRIu64 " (%s) was told so already",
                      stale ? "stale" : "live", client->number, track->sub, pattern);
    track->stale = stale;
    track->stale_due = false;
    if (!stale)
        check_proven(oracle, track);
    if (stale && sim_options_are_calm(&oracle->env->options) && oracle->env->now.us - oracle->env->started.us > 1000000)
        sim_violation(oracle->env, "stale: client %" PRIu64 " sub %" PRIu64 " (%s) on a calm day", client->number,
                      track->sub, pattern);
    if (stale && ++track->stales > (oracle->troubles - track->troubles_at_order + 1) * track->company)
        sim_violation(oracle->env, "stale: client %" PRIu64 " sub %" PRIu64 " (%s), but nothing has failed",
                      client->number, track->sub, pattern);
}

static void count_company(struct sim_oracle *oracle, struct sim_track *track)
{
    uint64_t count = 1;

    for (size_t i = 0; i < oracle->track_count; i++) {
        if (!is_company(track, oracle->tracks[i]))
            continue;
        count++;
        track->stale_unclear = track->stale_unclear || oracle->tracks[i]->stale_unclear;
    }
    for (size_t i = 0; i < oracle->track_count; i++)
        if ((oracle->tracks[i] == track || is_company(track, oracle->tracks[i])) && oracle->tracks[i]->company < count)
            oracle->tracks[i]->company = count;
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

static void played(struct sim_oracle *oracle, struct sim_track *track, struct sim_order *order)
{
    track->played = true;
    if (order->kind != SIM_ORDER_SEEK) {
        track->paused = order->kind == SIM_ORDER_PAUSE;
        return;
    }
    if (!order->seek_places && !order->sub_was_coming)
        sim_violation(oracle->env, "ok: client %" PRIu64 " sub %" PRIu64 " seeks, but was not there", track->client,
                      track->sub);
    track->order = order;
    /* Its number was not told yet when the seek came: where it stood is not known. */
    track->from_unclear = order->seek_places == NULL;
    track->caught_up_due = order->from != HG_FROM_LIVE;
    track->origin_at = oracle->env->now;
    for (size_t t = 0; t < sim_topic_count; t++)
        if (track->matches[t]) {
            if (order->seek_places)
                track->places[t] = order->seek_places[t];
            else
                sim_place_ordered(oracle, track, (int)t);
            sim_place_answered(oracle, track, (int)t, NULL);
        }
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
        count_company(oracle, track);
        check_number(oracle, track);
        track->caught_up_due = order->from != HG_FROM_LIVE || track->from_unclear;
        track->origin_at = env->now;
        for (size_t t = 0; t < sim_topic_count; t++) {
            if (track->matches[t])
                sim_place_answered(oracle, track, (int)t, json_string_value(json_object_get(message, "cursor")));
        }
        track->since_ms = (uint64_t)json_integer_value(json_object_get(message, "since"));
    } else if (order->kind == SIM_ORDER_UPDATE) {
        struct sim_track *track = find_active(oracle, client->number, order->sub);
        if (track && track->update == order)
            track->update = NULL;
        if (is_ok)
            updated(oracle, order, (uint64_t)json_integer_value(json_object_get(message, "sub")));
    } else if (order->kind == SIM_ORDER_PAUSE || order->kind == SIM_ORDER_RESUME || order->kind == SIM_ORDER_SEEK) {
        struct sim_track *track = find_active(oracle, client->number, order->sub);
        if (is_ok && track)
            played(oracle, track, order);
    } else if (order->kind == SIM_ORDER_UNSUBSCRIBE) {
        struct sim_track *track = find_active(oracle, client->number, order->sub);
        if (is_ok && track)
            remove_track(oracle, track);
        else if (!is_ok && track && order->sub_was_there)
            sim_violation(env, "error: client %" PRIu64 " may not unsubscribe %" PRIu64 " (%s)", client->number,
                          order->sub, track->pattern);
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

static void play_ordered(struct sim_oracle *oracle, struct sim_order *order)
{
    struct sim_track *track = find_active(oracle, order->client, order->sub);

    order->delivered = false;
    order->sub_was_there = track != NULL;
    order->was_busy = !track || is_moving(oracle, track);
    order->delivered = true;
    for (size_t i = 0; i < oracle->track_count; i++)
        order->sub_was_coming = order->sub_was_coming || (oracle->tracks[i]->client == order->client &&
                                                          oracle->tracks[i]->state == SIM_TRACK_PENDING);
    if (track && order->kind == SIM_ORDER_SEEK)
        sim_place_seek_ordered(oracle, track, order);
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

void sim_oracle_order(struct sim_oracle *oracle, struct sim_order *order, bool open)
{
    if (!open)
        return;
    if (order->kind == SIM_ORDER_UPDATE)
        update_ordered(oracle, order);
    order->delivered = true;
    if (order->kind == SIM_ORDER_SUBSCRIBE)
        new_track(oracle, order);
    else if (order->kind == SIM_ORDER_UNSUBSCRIBE)
        order->sub_was_there = find_active(oracle, order->client, order->sub) != NULL;
    else if (order->kind == SIM_ORDER_PAUSE || order->kind == SIM_ORDER_RESUME || order->kind == SIM_ORDER_SEEK)
        play_ordered(oracle, order);
    else if (order->kind == SIM_ORDER_EMIT)
        sim_answer_emit_ordered(oracle, order);
}

void sim_oracle_client_closing(struct sim_oracle *oracle, uint64_t client)
{
    for (size_t i = oracle->track_count; i > 0; i--)
        if (oracle->tracks[i - 1]->client == client)
            remove_track(oracle, oracle->tracks[i - 1]);
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
    /* What waits for its proof cannot go; but it does not wait for long. */
    if (s.log_bytes + s.history_bytes <= config->log_bytes_total_max)
        oracle->full_since = env->now;
    RULE(env->now.us - oracle->full_since.us <
         (4 * config->canary_ms + 4 * config->redis_timeout_ms + 2 * config->redis_backoff_max_ms + 3000) * 1000);
    RULE(s.log_bytes <= config->log_bytes_max * s.groups);
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
        if (track->paused)
            return false;
        if (track->state == SIM_TRACK_PENDING || (track->stale && !track->stale_unclear && track->company == 1) ||
            (track->caught_up_due && !track->from_unclear))
            return false;
        for (size_t t = 0; t < sim_topic_count; t++) {
            const struct sim_key *key = sim_store_key(env->store, (int)t);
            if (track->matches[t] && (sim_feed_is_waiting(oracle, track, (int)t) ||
                                      (key && key->type != SIM_KEY_STRING &&
                                       (!sim_place_has(oracle, track, (int)t, key->count, true) ||
                                        sim_place_owes_fence(oracle, track, (int)t)))))
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
        if (track->stale && !track->stale_unclear && track->company == 1 && strcmp(track->pattern, "st.bad") != 0)
            sim_violation(env, "settled: client %" PRIu64 " sub %" PRIu64 " (%s) is still stale", track->client,
                          track->sub, track->pattern);
        if (track->stale_due)
            sim_violation(env, "settled: client %" PRIu64 " sub %" PRIu64 " (%s) was never told that it was stale",
                          track->client, track->sub, track->pattern);
        if (track->caught_up_due && !track->from_unclear)
            sim_violation(env, "settled: client %" PRIu64 " sub %" PRIu64 " (%s) never caught up", track->client,
                          track->sub, track->pattern);
        for (size_t t = 0; t < sim_topic_count; t++) {
            if (!track->matches[t])
                continue;
            sim_feed_settled(oracle, track, (int)t);
            const struct sim_key *key = sim_store_key(env->store, (int)t);
            if (key && key->type != SIM_KEY_STRING && sim_place_owes_fence(oracle, track, (int)t))
                sim_violation(env,
                              "settled: client %" PRIu64 " sub %" PRIu64 " (%s): %s has another history than entry "
                              "%zu is of, and no gap told",
                              track->client, track->sub, track->pattern, sim_topics[t].name,
                              track->places[t].held.index);
            if (key && key->type != SIM_KEY_STRING && !sim_place_has(oracle, track, (int)t, key->count, true))
                sim_violation(
                    env, "settled: client %" PRIu64 " sub %" PRIu64 " (%s): %s has %zu entries, and %zu never came",
                    track->client, track->sub, track->pattern, sim_topics[t].name, key->count,
                    sim_place_due(oracle, track, (int)t, key->count, true));
        }
        for (size_t t = 0; t < sim_topic_count; t++)
            if (track->matches[t] && sim_store_key(env->store, (int)t))
                sim_place_settled(oracle, track, (int)t);
        if (!track->pace && track->overflow_told > track->skipped + track->skipped_optional && !env->options.tight)
            sim_violation(env,
                          "settled: client %" PRIu64 " sub %" PRIu64 " (%s): gaps told %" PRIu64
                          " events that were not missed",
                          track->client, track->sub, track->pattern,
                          track->overflow_told - track->skipped - track->skipped_optional);
    }
    hg_core_stats(env->core, &s);
    RULE(s.emits_pending == 0);
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
