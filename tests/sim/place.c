#include <inttypes.h>
#include <stdio.h>

#include "sim/oracle.h"
#include "stream/cursor.h"

static const char *who(const struct sim_track *track, int topic)
{
    static char text[200];

    snprintf(text, sizeof text, "client %" PRIu64 " sub %" PRIu64 " (%s) stream %s", track->client, track->sub,
             track->pattern, sim_topics[topic].name);
    return text;
}

void sim_place_ordered(struct sim_oracle *oracle, struct sim_track *track, int topic)
{
    struct sim_env *env = oracle->env;
    const struct hg_config *config = &env->options.config;
    const struct sim_key *key = sim_store_key(env->store, topic);
    struct sim_place *place = &track->places[topic];

    if (!key)
        return;
    *place =
        (struct sim_place){.count_at_order = key->count, .first_at_order = key->first, .shown_at_order = key->shown};
    /* Longer than any lingering subscription and any answer under way. */
    uint64_t memory_us = (config->linger_ms + 4 * config->redis_timeout_ms + 8000) * 1000;
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

/* The first entry of `from` up to `to` that a client cannot have missed rightly, or `to`. Rightly: trimmed ones, those
 * that do not pass, and those too large, which gaps told. */
static size_t first_due(const struct sim_oracle *oracle, const struct sim_filter *filter, const struct sim_key *key,
                        size_t from, size_t to, uint64_t *budget)
{
    for (size_t i = from; i < to; i++) {
        if (i < key->first || !sim_entry_passes(oracle->env, filter, key, i))
            continue;
        if (*budget == 0 || !sim_is_oversize(oracle->env, key, i))
            return i;
        (*budget)--;
    }
    return to;
}

static bool is_excused(const struct sim_oracle *oracle, const struct sim_track *track, const struct sim_key *key,
                       size_t from, size_t to, uint64_t *budget)
{
    return from >= to || first_due(oracle, track->filter, key, from, to, budget) == to;
}

/* The place `last` entries that pass before `end`. */
static size_t go_back(const struct sim_env *env, const struct sim_track *track, const struct sim_key *key, size_t end,
                      uint64_t last)
{
    while (end > 0 && last > 0)
        last -= sim_entry_passes(env, track->filter, key, --end);
    return end;
}

/* Where a replay or the live stream may begin for a place: [low, high]. */
static void bounds(const struct sim_env *env, const struct sim_track *track, const struct sim_place *place,
                   const struct sim_key *key, int topic, size_t *ret_low, size_t *ret_high)
{
    size_t low = place->count_at_order;

    if (place->seam) {
        *ret_low = place->seam_low;
        *ret_high = place->seam_high;
        return;
    }
    if (place->followed && place->shown_at_order < low)
        low = place->shown_at_order;
    if ((!track->exact || sim_topics[topic].rule == 3) && place->recent < low)
        low = place->recent;
    if (track->from_unclear) {
        *ret_low = 0;
        *ret_high = place->count_at_ok;
        return;
    }
    switch (track->order->from) {
    case HG_FROM_LIVE:
    case HG_FROM_SINCE:
    case HG_FROM_CURSORS:
        *ret_low = low;
        *ret_high = place->count_at_ok;
        return;
    case HG_FROM_START:
        *ret_low = 0;
        *ret_high = place->first_at_order;
        return;
    case HG_FROM_LAST:
        *ret_low = go_back(env, track, key, low, track->order->last);
        *ret_high = go_back(env, track, key, key->count, track->order->last);
        return;
    }
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

void sim_place_event(struct sim_oracle *oracle, struct sim_track *track, int topic, struct hg_slice text_cursor,
                     struct hg_slice text, const json_t *message)
{
    struct sim_env *env = oracle->env;
    struct sim_key *key = sim_store_key(env->store, topic);
    struct sim_place *place = &track->places[topic];
    struct hg_cursor cursor;

    if (!key || key->type != SIM_KEY_STREAM)
        sim_violation(env, "event: %s: it is no stream, but the event has a cursor", who(track, topic));
    if (!hg_cursor_parse(text_cursor, &cursor))
        sim_violation(env, "event: %s: no cursor: %.*s", who(track, topic), HG_SLICE_ARG(text_cursor));
    size_t index = sim_store_lower(key, cursor.id);
    if (index == key->count || hg_stream_id_cmp(key->entries[index].id, cursor.id) != 0)
        sim_violation(env, "event: %s: no entry has the id of %.*s", who(track, topic), HG_SLICE_ARG(text_cursor));
    if (key->entries[index].fingerprint != cursor.fingerprint)
        sim_violation(env, "event: %s: entry %zu has another fingerprint than %.*s", who(track, topic), index,
                      HG_SLICE_ARG(text_cursor));
    check_entry(oracle, track, topic, key, index, text, message);
    if (key->shown <= index)
        key->shown = index + 1;

    if (!place->begun) {
        size_t low, high, start = index;
        uint64_t budget = place->budget;

        while (start > 0) {
            bool passes = sim_entry_passes(env, track->filter, key, start - 1);
            if (passes && (budget == 0 || !sim_is_oversize(env, key, start - 1)))
                break;
            budget -= passes;
            start--;
        }
        bounds(env, track, place, key, topic, &low, &high);
        if (index < low)
            sim_violation(env, "place: %s: begins with entry %zu, but nothing before %zu was asked for",
                          who(track, topic), index, low);
        if (start > high && !is_excused(oracle, track, key, high, start, &budget))
            sim_violation(env, "place: %s: begins with entry %zu, but should begin at %zu at latest", who(track, topic),
                          start, high);
        place->begun = true;
        place->budget = 0;
        place->next = index + 1;
        return;
    }
    if (index < place->next)
        sim_violation(env, "place: %s: entry %zu came again or too late; %zu was due", who(track, topic), index,
                      place->next);
    if (!is_excused(oracle, track, key, place->next, index, &place->budget))
        sim_violation(env, "place: %s: entry %zu came, but %zu was due, and no gap told", who(track, topic), index,
                      place->next);
    if (place->budget > 0 && !env->options.trims)
        sim_violation(env, "place: %s: a gap told %" PRIu64 " entries before %zu that were not missed",
                      who(track, topic), place->budget, index);
    place->budget = 0;
    place->next = index + 1;
}

void sim_place_updated(struct sim_oracle *oracle, struct sim_track *track, int topic)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);
    struct sim_place *place = &track->places[topic];
    size_t low = place->next, high = place->next;

    if (!key)
        return;
    /* A pattern may not have found this stream yet, whatever others were shown of it. */
    size_t known = track->exact || place->begun ? place->shown_at_update : 0;
    if (!place->begun)
        bounds(oracle->env, track, place, key, topic, &low, &high);
    size_t due = first_due(oracle, track->filter, key, high, key->count, &place->budget);
    if (place->begun && place->budget > 0 && !oracle->env->options.trims)
        sim_violation(oracle->env, "seam: %s: a gap told %" PRIu64 " entries that were not missed", who(track, topic),
                      place->budget);
    if (due < known)
        sim_violation(oracle->env, "seam: %s: entry %zu was there before the update, and did not come before its ok",
                      who(track, topic), due);
    place->seam = true;
    place->seam_low = low < known ? known : low;
    place->seam_high = due;
    place->begun = false;
    place->budget = 0;
}

bool sim_place_has(const struct sim_oracle *oracle, const struct sim_track *track, int topic, size_t upto)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);
    const struct sim_place *place = &track->places[topic];
    uint64_t budget = place->budget;
    size_t low, high;

    if (place->begun)
        return is_excused(oracle, track, key, place->next, upto, &budget);
    bounds(oracle->env, track, place, key, topic, &low, &high);
    return is_excused(oracle, track, key, high, upto, &budget);
}
