#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "sim/oracle.h"
#include "stream/cursor.h"

static const char *who(const struct sim_track *track, int topic)
{
    static char text[200];

    snprintf(text, sizeof text, "client %" PRIu64 " sub %" PRIu64 " (%s) stream %s", track->client, track->sub,
             track->pattern, sim_topics[topic].name);
    return text;
}

/* Whether a place is in memory for sure: somebody has followed the stream since it was appended, and nothing had to go.
 */
static bool is_in_memory(const struct sim_oracle *oracle, const struct sim_key *key, int topic,
                         const struct sim_cursor *cursor)
{
    const struct sim_options *o = &oracle->env->options;
    const struct hg_config *config = &o->config;
    uint64_t bytes = 0;

    for (size_t i = 0; i < oracle->env->store->key_count; i++)
        bytes += oracle->env->store->keys[i].count * (o->pad_max + 500);
    if (!sim_options_are_calm(o) || o->stalls || o->plays || o->socket_bytes < 1000000 || bytes > 400000 ||
        config->log_bytes_max < 65536 || config->log_bytes_total_max < 1048576 || config->history_ms < 600000 ||
        config->history_bytes_max < 4194304 || key->fence_count > 0 || key->deletions > 0 || key->trims > 0)
        return false;
    for (size_t i = 0; i < oracle->track_count; i++) {
        const struct sim_track *track = oracle->tracks[i];
        if (track->state == SIM_TRACK_ACTIVE && track->exact && track->matches[topic] && cursor->index != SIZE_MAX &&
            track->places[topic].count_at_ok <= cursor->index)
            return true;
    }
    return false;
}

void sim_place_ordered(struct sim_oracle *oracle, struct sim_track *track, int topic)
{
    struct sim_env *env = oracle->env;
    const struct hg_config *config = &env->options.config;
    const struct sim_key *key = sim_store_key(env->store, topic);
    struct sim_place *place = &track->places[topic];

    if (!key)
        return;
    *place = (struct sim_place){.count_at_order = key->count,
                                .first_at_order = key->log_count > 0 ? key->log[0] : key->count,
                                .shown_at_order = key->shown,
                                .since_high = key->count,
                                .fence_told = key->fence_count};
    /* Longer than any lingering subscription and any answer under way. */
    uint64_t memory_us = (config->linger_ms + 4 * config->redis_timeout_ms + 8000) * 1000;
    /* The gateway may not know yet of the newest ones. */
    while (place->fence_told > 0 && env->now.us - key->fences[place->fence_told - 1].at.us < memory_us)
        place->fence_told--;
    const struct sim_order *order = track->order;
    if (order->from != HG_FROM_LIVE || track->from_unclear)
        oracle->replays_asked[topic]++;
    place->replays_at_order = oracle->replays_asked[topic];
    place->ranges_at_order = key->ranges;
    for (size_t i = key->log_count; i > 0 && key->entries[key->log[i - 1]].id.ms >= order->since_ms; i--)
        place->since_high = key->log[i - 1];
    if (order->from == HG_FROM_CURSORS && order->cursors[topic].given) {
        struct sim_cursor *given = &order->cursors[topic];
        /* Without a fingerprint it means whatever has that id now. */
        if (!given->proven && given->index != SIZE_MAX)
            given->index = sim_store_ever(key, given->id, NULL, key->count);
        place->held = *given;
        place->fence_told = 0;
        place->in_memory = !place->held.forged && is_in_memory(oracle, key, topic, &place->held);
    }
    place->followed = key->asked && env->now.us - key->asked_at.us < memory_us;
    place->there = place->followed && key->shown < key->count ? key->shown : key->count;
    /* A stream that has just appeared is found by patterns at the next pass over all keys; then all of it comes. */
    uint64_t pass_us =
        (12 * config->discover_ms + 2 * config->redis_timeout_ms + 5000) * 1000; /* refused now and then */
    if (!track->exact && key->count > 0 && env->now.us - key->entries[0].at.us < pass_us)
        place->there = 0;
    place->recent = key->count;
    while (place->recent > 0 && env->now.us - key->entries[place->recent - 1].at.us < memory_us)
        place->recent--;
}

static bool may_lose(const struct sim_env *env)
{
    return env->options.trims || env->options.deletions || env->options.failovers;
}

void sim_place_seek_ordered(struct sim_oracle *oracle, struct sim_track *track, struct sim_order *order)
{
    struct sim_order *now = track->order;
    bool unclear = track->from_unclear;

    order->seek_places = sim_arena_get(&oracle->env->arena, sim_topic_count * sizeof *order->seek_places);
    track->order = order;
    track->from_unclear = false;
    for (size_t t = 0; t < sim_topic_count; t++) {
        struct sim_place place = track->places[t];
        if (!track->matches[t])
            continue;
        sim_place_ordered(oracle, track, (int)t);
        order->seek_places[t] = track->places[t];
        track->places[t] = place;
    }
    track->order = now;
    track->from_unclear = unclear;
}

static bool is_old(const struct sim_oracle *oracle)
{
    return oracle->env->redis->old; /* and counts nothing */
}

/* What was trimmed behind a fence can make up for what was lost in front of it: as many were added as there should be,
 * and no entry is left that tells. Nobody can know then. */
static bool is_covered(const struct sim_key *key, size_t fence)
{
    if (key->log_count > 0 && key->log[0] < fence)
        return false;
    for (size_t i = fence; i < key->count; i++)
        if (key->entries[i].went == SIM_WENT_TRIMMED || key->entries[i].went == SIM_WENT_DELETED)
            return true;
    return false;
}

/* Whether an entry that was trimmed was so before the gateway can have known of its stream. */
static bool was_not_known(const struct sim_oracle *oracle, const struct sim_track *track, const struct sim_place *place,
                          const struct sim_key *key, const struct sim_entry *entry)
{
    const struct hg_config *config = &oracle->env->options.config;
    uint64_t pass_us = (12 * config->discover_ms + 2 * config->redis_timeout_ms + 5000) * 1000;

    if (place->fence_told < key->fence_count && is_covered(key, key->fences[place->fence_told].index))
        return true;
    if (place->begun)
        return false;
    if (is_old(oracle) && (!place->held.given || place->held.index == SIZE_MAX))
        return true;
    return !track->exact && entry->went_at.us - entry->life_at.us < pass_us;
}

static bool has_come(const struct sim_place *place, size_t index)
{
    return index < place->came_capacity && place->came[index];
}

/* The entry that a client was told; key->count: there never was one. An emit that was lost with its history and sent
 * again may stand there under the same id: nobody can tell the two apart, and who has the one has the other. */
static size_t entry_told(const struct sim_place *place, const struct sim_key *key, const struct hg_cursor *cursor)
{
    size_t told = key->count;

    for (size_t i = key->count; i > 0; i--) {
        const struct sim_entry *entry = &key->entries[i - 1];
        bool same = hg_stream_id_cmp(entry->id, cursor->id) == 0 && entry->fingerprint == cursor->fingerprint;
        if (same && !has_come(place, i - 1))
            return i - 1;
        if (same && told == key->count)
            told = i - 1;
    }
    return told;
}

/* The first entry of `from` up to `to` that a client cannot have missed rightly, or `to`. Rightly: those that do not
 * pass; those that came, as what cannot be told apart from them; those too large, which gaps told; those that XDEL
 * took; those of a history that is another one now; and trimmed ones, of which those from `told_from` on must have been
 * told. */
static size_t first_due(const struct sim_oracle *oracle, const struct sim_track *track, const struct sim_place *place,
                        const struct sim_key *key, size_t from, size_t to, size_t told_from, uint64_t *budget)
{
    for (size_t i = from; i < to; i++) {
        const struct sim_entry *entry = &key->entries[i];
        bool passes = sim_entry_passes(oracle->env, track->filter, key, i);

        if (!passes || entry->went >= SIM_WENT_DELETED || has_come(place, i))
            continue;
        if (entry->went == SIM_WENT_TRIMMED &&
            (i < told_from || (place->gap && (place->gap_is_last || entry->went_at.us <= place->gap_at.us)) ||
             was_not_known(oracle, track, place, key, entry)))
            continue;
        if (*budget > 0 && sim_is_oversize(oracle->env, key, i)) {
            (*budget)--;
            continue;
        }
        return i;
    }
    return to;
}

/* The place `last` entries that pass before `end`; `there`: those that are not there any more do not count. */
static size_t go_back(const struct sim_env *env, const struct sim_track *track, const struct sim_key *key, size_t end,
                      uint64_t last, bool there)
{
    while (end > 0 && last > 0) {
        end--;
        if (!there || key->entries[end].went == SIM_IS_THERE)
            last -= sim_entry_passes(env, track->filter, key, end);
    }
    return end;
}

struct bounds {
    size_t low, high; /* a replay or the live stream may begin there */
    size_t told_from; /* what is missing from there on must be told */
};

static struct bounds bounds_of(const struct sim_env *env, const struct sim_track *track, const struct sim_place *place,
                               const struct sim_key *key, int topic)
{
    const struct sim_order *order = track->order;
    size_t low = place->count_at_order, since;

    if (place->seam)
        return (struct bounds){place->seam_low, place->seam_high, place->seam_high};
    if (place->followed && place->shown_at_order < low)
        low = place->shown_at_order;
    if ((!track->exact || sim_topics[topic].rule == 3) && place->recent < low)
        low = place->recent;
    if (key->fence_count > 0)
        low = 0;
    if (track->from_unclear)
        return (struct bounds){0, place->count_at_ok, place->count_at_ok};
    enum hg_from_kind from = order->from;
    if (from == HG_FROM_CURSORS && !order->cursors[topic].given)
        from = order->otherwise;
    struct bounds bounds = {0, place->count_at_ok, place->count_at_ok};
    switch (from) {
    case HG_FROM_LIVE:
        bounds.low = low;
        return bounds;
    case HG_FROM_SINCE:
        for (since = place->since_high; since < key->count && key->entries[since].id.ms < order->since_ms;)
            since++;
        bounds.low = since < low ? since : low;
        while (bounds.low > 0 && key->entries[bounds.low - 1].id.ms >= order->since_ms)
            bounds.low--;
        if (key->fence_count > 0)
            bounds.low = 0;
        if (since < bounds.high && key->fence_count == 0)
            bounds.high = since;
        return bounds;
    case HG_FROM_START:
        bounds.high = place->first_at_order;
        return bounds;
    case HG_FROM_LAST:
        bounds.low = key->fence_count > 0 ? 0 : go_back(env, track, key, low, order->last, true);
        bounds.high = go_back(env, track, key, key->count, order->last, false);
        return bounds;
    case HG_FROM_CURSORS:
        if (order->cursors[topic].index == SIZE_MAX) { /* 0-0 */
            bounds.high = place->first_at_order;
            return bounds;
        }
        low = order->cursors[topic].index + !order->cursors[topic].forged;
        bounds = (struct bounds){low, low, low};
        /* Without a fingerprint it may mean whatever got that id before it was looked at. */
        for (size_t i = low; i < key->count && !order->cursors[topic].proven; i++)
            if (hg_stream_id_cmp(key->entries[i].id, order->cursors[topic].id) == 0)
                bounds.high = bounds.told_from = i + 1;
        /* The fingerprint of an entry that is not there any more cannot be compared. */
        if (order->cursors[topic].forged && key->entries[low].went != SIM_IS_THERE)
            bounds.high = bounds.told_from = low + 1;
        return bounds;
    }
    HG_UNREACHABLE();
}

static void check_entry(struct sim_oracle *oracle, struct sim_track *track, int topic, const struct sim_key *key,
                        size_t index, struct hg_slice text, const json_t *message)
{
    const struct sim_entry *entry = &key->entries[index];
    struct sim_payload payload = entry->payload;

    if (entry->emitted)
        payload = (struct sim_payload){.kind = SIM_PAYLOAD_JSON, .bytes = entry->fields[1]};
    if (!sim_payload_is_shown(&payload, text, message))
        sim_violation(oracle->env, "event: %s: entry %zu is not shown as it stands in the stream", who(track, topic),
                      index);
    if (sim_is_oversize(oracle->env, key, index))
        sim_violation(oracle->env, "event: %s: entry %zu is larger than event_bytes_max", who(track, topic), index);
    if (!sim_entry_passes(oracle->env, track->filter, key, index))
        sim_violation(oracle->env, "filter: %s: entry %zu does not pass %s", who(track, topic), index,
                      track->filter->spellings[0]);
}

bool sim_place_is_in_doubt(const struct sim_oracle *oracle, const struct sim_track *track, int topic)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);

    return key && track->places[topic].fence_told < key->fence_count;
}

bool sim_place_owes_fence(const struct sim_oracle *oracle, const struct sim_track *track, int topic)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);
    const struct sim_place *place = &track->places[topic];

    if (!place->held.given || !place->held.proven || place->held.index == SIZE_MAX)
        return false;
    const struct sim_entry *entry = &key->entries[place->held.index];
    /* A place without a fingerprint cannot tell the entry from another one that got its id. */
    for (size_t i = 0; !place->held.proven && i < key->count; i++)
        if (i != place->held.index && hg_stream_id_cmp(key->entries[i].id, place->held.id) == 0)
            return false;
    return entry->went >= SIM_WENT_WITH_TAIL && place->fence_told < entry->fence &&
           !is_covered(key, key->fences[entry->fence - 1].index);
}

void sim_place_answered(struct sim_oracle *oracle, struct sim_track *track, int topic, const char *text)
{
    struct sim_env *env = oracle->env;
    const struct sim_key *key = sim_store_key(env->store, topic);
    struct sim_place *place = &track->places[topic];
    struct hg_cursor told;

    if (!key)
        return;
    place->count_at_ok = key->count;
    if (!text || !track->exact)
        return;
    bool proven = hg_cursor_parse(hg_slice_str(text), &told);
    if (!proven && !hg_stream_id_parse(hg_slice_str(text), &told.id))
        sim_violation(env, "ok: %s: no cursor: %s", who(track, topic), text);
    if (track->order->from != HG_FROM_LIVE || track->from_unclear)
        return; /* it tells where the live stream stands, and the client is not there yet */
    struct sim_cursor *held = &place->held;
    *held = (struct sim_cursor){true, proven, false, told.id, proven ? told.fingerprint : 0, SIZE_MAX};
    if (hg_stream_id_cmp(told.id, HG_STREAM_ID_ZERO) == 0)
        return;
    held->index = sim_store_ever(key, told.id, proven ? &told.fingerprint : NULL, key->count);
    if (held->index == key->count && !proven) { /* in front of one that was rewritten */
        held->given = false;
        return;
    }
    if (held->index == key->count)
        sim_violation(env, "ok: %s: no entry ever stood at %s", who(track, topic), text);
    place->seam = true;
    place->seam_low = place->seam_high = held->index + 1;
    /* The gateway may not know yet what happened before the order. */
    const struct sim_entry *entry = &key->entries[held->index];
    if (entry->went >= SIM_WENT_WITH_TAIL && place->fence_told >= entry->fence)
        place->fence_told = entry->fence - 1;
}

/* Whether the entry is of the log, and a fence told before means those behind it. */
static void told_fence(struct sim_place *place, const struct sim_key *key, bool gone, size_t from)
{
    const struct sim_fence *fence = &key->fences[key->fence_count - 1];
    hg_stream_id lost = HG_STREAM_ID_ZERO;
    size_t high = fence->index;

    for (size_t i = 0; i < fence->index; i++)
        if (key->entries[i].went >= SIM_WENT_WITH_TAIL && hg_stream_id_cmp(key->entries[i].id, lost) > 0)
            lost = key->entries[i].id;
    /* What took the ids of lost entries before that was noticed went with them. */
    while (!gone && high < key->count && hg_stream_id_cmp(key->entries[high].id, lost) <= 0)
        high++;
    place->seam = true;
    place->seam_low = gone ? 0 : from;
    place->seam_high = high > from ? high : from; /* it may have come already: the gap is told late to slow ones */
    place->begun = place->unclear = place->vague = false;
    place->budget = place->told = place->missing_least = place->missing_most = 0;
    place->fence_told = key->fence_count;
}

/* Where what is missing can be counted. */
static bool is_countable(const struct sim_env *env, const struct sim_track *track, const struct sim_key *key)
{
    return !track->filter && !track->from_unclear && key->fence_count == 0 && key->deletions == 0 && !env->redis->old;
}

static bool is_slow(const struct sim_env *env, const struct sim_track *track)
{
    const struct sim_options *o = &env->options;
    return o->stalls || o->plays || o->socket_bytes < 1000000 || track->caught_up_due;
}

/* A live subscription is told that entries were trimmed. */
static void check_told(const struct sim_oracle *oracle, const struct sim_track *track, int topic,
                       const struct sim_key *key)
{
    const struct sim_place *place = &track->places[topic];
    bool missed = false;

    if (is_slow(oracle->env, track) || !is_countable(oracle->env, track, key))
        return;
    for (size_t i = place->next; i < key->count; i++)
        missed = missed || key->entries[i].went == SIM_WENT_TRIMMED;
    if (!missed)
        sim_violation(oracle->env, "gap: %s: trimmed, but nothing behind entry %zu is", who(track, topic), place->next);
}

/* The entries of [from, to) did not come. */
static void count_missing(struct sim_oracle *oracle, struct sim_track *track, int topic, const struct sim_key *key,
                          size_t from, size_t to)
{
    struct sim_place *place = &track->places[topic];

    for (size_t i = from; i < to; i++) {
        place->missing_most += key->entries[i].went == SIM_WENT_TRIMMED;
        place->missing_least += key->entries[i].went == SIM_WENT_TRIMMED && !sim_is_oversize(oracle->env, key, i);
    }
    if (is_countable(oracle->env, track, key) && !place->unclear && !place->vague && place->told < place->missing_least)
        sim_violation(oracle->env, "gap: %s: %" PRIu64 " entries are missing before %zu, %" PRIu64 " were told",
                      who(track, topic), place->missing_least, to, place->told);
}

void sim_place_settled(struct sim_oracle *oracle, struct sim_track *track, int topic)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);
    struct sim_place *place = &track->places[topic];
    const struct sim_place before = *place;

    if (!place->begun || place->vague || !is_countable(oracle->env, track, key))
        return;
    count_missing(oracle, track, topic, key, place->next, key->count);
    if (!place->unclear && !is_slow(oracle->env, track) && place->told > place->missing_most)
        sim_violation(oracle->env, "gap: %s: %" PRIu64 " entries were told as trimmed, but %" PRIu64 " are missing",
                      who(track, topic), place->told, place->missing_most);
    *place = before; /* more may come */
    if (place->unclear && !is_slow(oracle->env, track) && track->order->from == HG_FROM_LIVE &&
        sim_options_are_calm(&oracle->env->options) && oracle->env->options.config.log_bytes_max >= 65536 &&
        oracle->env->options.config.log_bytes_total_max >= 1048576)
        sim_violation(oracle->env, "gap: %s: entries were trimmed, but not told how many", who(track, topic));
}

void sim_place_gap(struct sim_oracle *oracle, struct sim_track *track, int topic, bool maybe, const char *reason,
                   uint64_t count)
{
    struct sim_env *env = oracle->env;
    const struct sim_key *key = sim_store_key(env->store, topic);
    struct sim_place *place = &track->places[topic];
    const struct sim_order *order = track->order;
    bool gone = strcmp(reason, "gone") == 0, rolled_back = strcmp(reason, "rolled_back") == 0;

    if (!key)
        sim_violation(env, "gap: %s: %s, but it is no stream", who(track, topic), reason);
    bool forged = order->from == HG_FROM_CURSORS && order->cursors[topic].forged;
    bool cause = key->fence_count > 0 || forged;
    if (strcmp(reason, "trimmed") == 0)
        cause = cause || key->trims > 0 || key->deletions > 0;
    else if (strcmp(reason, "deleted") == 0)
        cause = key->deletions > 0;
    else if (rolled_back && is_old(oracle))
        cause = cause || key->deletions > 0;
    else if (!rolled_back && !gone)
        cause = false;
    if (!cause)
        sim_violation(env, "gap: %s: %s, and there is no cause for it", who(track, topic), reason);

    if (strcmp(reason, "trimmed") == 0 && place->begun)
        check_told(oracle, track, topic, key);
    place->gap = place->gap_is_last = true;
    place->gap_at = env->now;
    place->told += count;
    place->unclear = place->unclear || count == 0;
    bool holds = place->held.given && place->held.index != SIZE_MAX;
    size_t from = place->begun ? place->next : holds ? place->held.index : 0;
    size_t high = place->begun ? place->next : bounds_of(env, track, place, key, topic).high;
    /* An entry that went with its history may have been deleted as well, for all that anybody can see. */
    bool rewritten = strcmp(reason, "deleted") == 0 && holds && sim_place_owes_fence(oracle, track, topic);
    if (!rolled_back && !gone && !rewritten) {
        place->fence_told = key->fence_count;
        return;
    }
    place->fenced = true;
    if (rolled_back && is_old(oracle) && key->deletions > 0) {
        /* The entry at its place was taken by XDEL, which an old Redis does not tell. */
        place->seam = true;
        place->seam_low = from;
        place->seam_high = key->count;
        place->begun = false;
        place->fence_told = key->fence_count;
        return;
    }
    if (key->fence_count > 0)
        told_fence(place, key, gone, from);
    if (maybe && key->fence_count > 0 && place->seam_high < high)
        place->seam_high = high;
    if (forged && place->seam && place->seam_high < order->cursors[topic].index)
        place->seam_high = order->cursors[topic].index;
    if (key->fence_count > 0 && place->seam)
        return;
    if (gone)
        place->seam = place->begun = false;
}

/* A replay with a speed is not faster than that. */
static void check_speed(struct sim_oracle *oracle, struct sim_track *track, int topic, uint64_t ms)
{
    struct sim_env *env = oracle->env;
    uint64_t speed = track->order->speed;

    if (track->paused)
        sim_violation(env, "pause: %s: an event came while it was paused", who(track, topic));
    if (speed == 0 || track->played || !track->exact || track->from_unclear || !track->caught_up_due)
        return;
    if (!track->replay_began) {
        track->replay_began = true;
        track->origin_ms = ms;
    } else if (ms > track->origin_ms &&
               (env->now.us - track->origin_at.us + 1000) * speed < (ms - track->origin_ms) * 1000) {
        sim_violation(env, "speed: %s: %" PRIu64 " ms of the past came after %" PRIu64 " us, at a speed of %" PRIu64,
                      who(track, topic), ms - track->origin_ms, env->now.us - track->origin_at.us, speed);
    }
}

/* Up to where the gateway can know what is due: a fence is noticed with the next proofs. */
static size_t known_end(const struct sim_oracle *oracle, const struct sim_place *place, const struct sim_key *key,
                        size_t end)
{
    const struct hg_config *config = &oracle->env->options.config;
    uint64_t notice_us = (4 * config->canary_ms + 2 * config->redis_timeout_ms + 1000) * 1000;

    if (place->fence_told >= key->fence_count)
        return end;
    const struct sim_fence *fence = &key->fences[key->fence_count - 1];
    return oracle->env->now.us - fence->at.us < notice_us && fence->index < end ? fence->index : end;
}

/* Nobody is told an entry twice, whatever was told to be missing between the two. */
static void check_twice(struct sim_oracle *oracle, struct sim_track *track, int topic, size_t index)
{
    struct sim_place *place = &track->places[topic];

    if (index >= place->came_capacity) {
        size_t capacity = 2 * index + 64;
        bool *came = sim_arena_get(&oracle->env->arena, capacity * sizeof *came);
        if (place->came_capacity > 0)
            memcpy(came, place->came, place->came_capacity * sizeof *came);
        place->came = came;
        place->came_capacity = capacity;
    }
    if (place->came[index])
        sim_violation(oracle->env, "place: %s: entry %zu came twice", who(track, topic), index);
    place->came[index] = true;
}

void sim_place_event(struct sim_oracle *oracle, struct sim_track *track, int topic, struct hg_slice text_cursor,
                     struct hg_slice text, const json_t *message)
{
    struct sim_env *env = oracle->env;
    struct sim_key *key = sim_store_key(env->store, topic);
    struct sim_place *place = &track->places[topic];
    struct hg_cursor cursor;

    if (!key || key->count == 0)
        sim_violation(env, "event: %s: it is no stream, but the event has a cursor", who(track, topic));
    if (!hg_cursor_parse(text_cursor, &cursor))
        sim_violation(env, "event: %s: no cursor: %.*s", who(track, topic), HG_SLICE_ARG(text_cursor));
    size_t index = entry_told(place, key, &cursor);
    if (index == key->count)
        sim_violation(env, "event: %s: no entry ever was %.*s", who(track, topic), HG_SLICE_ARG(text_cursor));
    check_entry(oracle, track, topic, key, index, text, message);
    check_twice(oracle, track, topic, index);
    if (key->shown <= index)
        key->shown = index + 1;
    if (sim_place_owes_fence(oracle, track, topic) &&
        index >= key->fences[key->entries[place->held.index].fence - 1].index)
        sim_violation(env, "fence: %s: entry %zu came, but %zu was lost with its history, and no gap told",
                      who(track, topic), index, place->held.index);
    if (place->held.given && !place->fenced && !place->held.forged &&
        hg_stream_id_cmp(cursor.id, place->held.id) <= 0 && (place->begun || place->held.index != SIZE_MAX))
        sim_violation(env, "place: %s: entry %zu comes after %zu, and its id is not higher", who(track, topic), index,
                      place->held.index);

    check_speed(oracle, track, topic, cursor.id.ms);

    if (!place->begun) {
        uint64_t budget = place->budget;
        struct bounds bounds = bounds_of(env, track, place, key, topic);
        /* Behind a fence what came of the new history before that was noticed may come again. */
        if (index < bounds.low && !place->fenced)
            sim_violation(env, "place: %s: begins with entry %zu, but nothing before %zu was asked for",
                          who(track, topic), index, bounds.low);
        size_t end = known_end(oracle, place, key, index);
        size_t due = first_due(oracle, track, place, key, bounds.high, end, bounds.told_from, &budget);
        if (due < end)
            sim_violation(env, "place: %s: begins with entry %zu, but should begin at %zu at latest, and %zu was due",
                          who(track, topic), index, bounds.high, due);
        /* From where it began on, nobody knows how many were missing before. */
        place->vague = place->vague || place->told > 0;
        /* The fingerprint of an entry that is not there cannot be compared. */
        bool forged = track->order->from == HG_FROM_CURSORS && track->order->cursors[topic].forged &&
                      key->entries[track->order->cursors[topic].index].went == SIM_IS_THERE;
        if (forged && !place->seam && !place->gap && !track->from_unclear)
            sim_violation(env, "place: %s: entry %zu came after a cursor that is none, and no gap told",
                          who(track, topic), index);
    } else {
        /* Another history is not noticed at once: until then the two may be mixed, by id. */
        if (index < place->next && place->fence_told == key->fence_count)
            sim_violation(env, "place: %s: entry %zu came again or too late; %zu was due", who(track, topic), index,
                          place->next);
        size_t end = known_end(oracle, place, key, index);
        if (first_due(oracle, track, place, key, place->next, end, place->next, &place->budget) < end)
            sim_violation(env, "place: %s: entry %zu came, but %zu was due, and no gap told", who(track, topic), index,
                          place->next);
        if (place->budget > 0 && !may_lose(env))
            sim_violation(env, "place: %s: a gap told %" PRIu64 " entries before %zu that were not missed",
                          who(track, topic), place->budget, index);
        count_missing(oracle, track, topic, key, place->next, index);
    }
    place->begun = true;
    place->budget = 0;
    place->next = index + 1;
    place->fenced = place->gap_is_last = false;
    place->held = (struct sim_cursor){true, true, false, cursor.id, cursor.fingerprint, index};
}

void sim_place_updated(struct sim_oracle *oracle, struct sim_track *track, int topic)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);
    struct sim_place *place = &track->places[topic];
    struct bounds bounds = {place->next, place->next, place->next};

    if (!key)
        return;
    /* A pattern may not have found this stream yet, whatever others were shown of it. */
    size_t known = track->exact || place->begun ? place->shown_at_update : 0;
    if (place->fence_told < key->fence_count && known > key->fences[place->fence_told].index)
        known = key->fences[place->fence_told].index; /* what is behind it is not known to be that */
    if (!place->begun)
        bounds = bounds_of(oracle->env, track, place, key, topic);
    size_t due = first_due(oracle, track, place, key, bounds.high, key->count, key->count, &place->budget);
    if (place->begun && place->budget > 0 && !may_lose(oracle->env))
        sim_violation(oracle->env, "seam: %s: a gap told %" PRIu64 " entries that were not missed", who(track, topic),
                      place->budget);
    if (due < known)
        sim_violation(oracle->env, "seam: %s: entry %zu was there before the update, and did not come before its ok",
                      who(track, topic), due);
    place->seam = true;
    place->seam_low = bounds.low < known ? known : bounds.low;
    place->seam_high = due;
    place->begun = place->unclear = place->vague = false;
    place->budget = place->told = place->missing_least = place->missing_most = 0;
}

size_t sim_place_due(const struct sim_oracle *oracle, const struct sim_track *track, int topic, size_t upto,
                     bool strictly)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);
    const struct sim_place *place = &track->places[topic];
    uint64_t budget = place->budget;
    struct bounds bounds = {place->next, place->next, place->next};

    if (!place->begun)
        bounds = bounds_of(oracle->env, track, place, key, topic);
    if (!strictly)
        bounds.told_from = upto;
    return bounds.high < upto ? first_due(oracle, track, place, key, bounds.high, upto, bounds.told_from, &budget)
                              : upto;
}

bool sim_place_has(const struct sim_oracle *oracle, const struct sim_track *track, int topic, size_t upto,
                   bool strictly)
{
    return sim_place_due(oracle, track, topic, upto, strictly) >= upto;
}
