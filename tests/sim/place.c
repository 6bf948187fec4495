/* Places in streams: where a subscription begins, that what is due comes and nothing else, and that gaps are told where
 * something is missing, before what follows, and nowhere else. */
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

/* Redis tells too little to know what happened. */
static bool is_blind(const struct sim_env *env)
{
    return env->redis->old || env->options.info_denied;
}

/* ---- where it begins --------------------------------------------------------------------------------------------- */

/* Longer than any lingering subscription and any answer under way. */
static uint64_t memory_us(const struct sim_env *env)
{
    const struct hg_config *config = &env->options.config;
    return (config->linger_ms + 4 * config->redis_timeout_ms + 8000) * 1000;
}

void sim_place_ordered(struct sim_oracle *oracle, const struct sim_track *track, const struct sim_order *order,
                       int topic, struct sim_place *ret_place)
{
    struct sim_env *env = oracle->env;
    const struct hg_config *config = &env->options.config;
    const struct sim_key *key = sim_store_key(env->store, topic);
    const struct sim_mark *mark = order->marks ? &order->marks[topic] : NULL;

    *ret_place = (struct sim_place){.from = order->from};
    if (!key)
        return;
    struct sim_place *place = ret_place;
    place->count_at_order = place->count_at_ok = key->count;
    place->first_at_order = sim_store_first(key);
    place->shown_at_order = key->shown;
    place->followed = key->asked && env->now.us - key->asked_at.us < memory_us(env);
    place->there = place->followed && key->shown < key->count ? key->shown : key->count;
    /* A stream that has just appeared is found by patterns at the next pass over all keys; then all of it comes. */
    uint64_t pass_us =
        (12 * config->discover_ms + 2 * config->redis_timeout_ms + 5000) * 1000; /* refused now and then */
    if (!track->exact && key->line_count > 0 && env->now.us - key->entries[key->line[0]].at.us < pass_us)
        place->there = 0;
    place->recent = key->count;
    while (place->recent > 0 && env->now.us - key->entries[place->recent - 1].at.us < memory_us(env))
        place->recent--;
    place->since_ms = order->since_ms;
    while (place->since_low < key->count && key->entries[place->since_low].id.ms < order->since_ms)
        place->since_low++;
    if (order->from != HG_FROM_CURSORS)
        return;
    if (!mark || !mark->text.ptr) {
        place->from = order->otherwise;
        return;
    }
    place->begun = mark->begun;
    place->next = mark->next;
    place->seam = !mark->begun;
    place->seam_low = place->seam_from = mark->low;
    place->seam_high = mark->high;
    place->stands = mark->stands;
    place->stand = mark->stand;
    place->forged = mark->forged;
    place->bare = mark->bare;
    place->mark = *mark;
}

/* `since` finds what is there. */
static size_t find_since(const struct sim_key *key, uint64_t since_ms)
{
    for (size_t at = key->head; at < key->line_count; at++)
        if (sim_entry_is_there(&key->entries[key->line[at]]) && key->entries[key->line[at]].id.ms >= since_ms)
            return key->line[at];
    return key->count;
}

void sim_place_answered(struct sim_oracle *oracle, const struct sim_track *track, const struct sim_order *order,
                        int topic, struct sim_place *place)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);

    (void)track;
    if (!key)
        return;
    place->count_at_ok = key->count;
    place->since_high = find_since(key, order->since_ms);
}

/* The place `last` entries that pass before `end`; `all`: those count too that are not there any more. */
static size_t go_back(const struct sim_env *env, const struct sim_track *track, const struct sim_key *key, size_t end,
                      uint64_t last, bool all)
{
    while (end > 0 && last > 0) {
        end--;
        if (all || sim_entry_is_there(&key->entries[end]))
            last -= sim_entry_passes(env, track->filter, key, end);
    }
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
    *ret_low = low;
    *ret_high = place->count_at_ok;
    /* What was lost before is no part of it. */
    while (*ret_low > 0 && key->entries[*ret_low - 1].lost != SIM_NOT_LOST &&
           key->entries[*ret_low - 1].lost_at <= place->count_at_order)
        --*ret_low;
    if (track->from_unclear) {
        *ret_low = 0;
        return;
    }
    switch (place->from) {
    case HG_FROM_LIVE:
    case HG_FROM_CURSORS:
        return;
    case HG_FROM_SINCE:
        if (place->since_low < low)
            *ret_low = place->since_low;
        if (place->since_high < place->count_at_ok)
            *ret_high = place->since_high;
        return;
    case HG_FROM_START:
        *ret_low = 0;
        *ret_high = place->first_at_order;
        return;
    case HG_FROM_LAST:
        *ret_low = go_back(env, track, key, low, track->order->last, false);
        *ret_high = go_back(env, track, key, key->count, track->order->last, true);
        return;
    }
}

/* The subscription's ok says where it stands: that must be within the bounds, and is exact from then on. */
void sim_place_told(struct sim_oracle *oracle, struct sim_track *track, int topic, struct hg_slice text)
{
    struct sim_env *env = oracle->env;
    const struct sim_key *key = sim_store_key(env->store, topic);
    struct sim_place *place = &track->places[topic];
    struct hg_cursor cursor = {.fingerprint = 0};
    bool proven = hg_cursor_parse(text, &cursor);
    size_t low, high;

    if (!proven && !hg_stream_id_parse(text, &cursor.id))
        sim_violation(env, "ok: %s: no cursor: %.*s", who(track, topic), HG_SLICE_ARG(text));
    if (place->from == HG_FROM_CURSORS || track->from_unclear)
        return; /* it has its own */
    bounds(env, track, place, key, topic, &low, &high);
    place->mark = (struct sim_mark){.text = sim_arena_copy(&env->arena, text), .low = low, .high = place->count_at_ok};
    if (hg_stream_id_cmp(cursor.id, HG_STREAM_ID_ZERO) == 0)
        return;
    size_t index = sim_store_lookup(key, cursor.id, proven ? &cursor.fingerprint : NULL, 0);
    if (index == key->count)
        sim_violation(env, "ok: %s: there was never an entry at %.*s", who(track, topic), HG_SLICE_ARG(text));
    place->mark.begun = place->mark.stands = true;
    place->mark.stand = index;
    place->mark.next = index + 1;
    place->mark.bare = !proven;
    if (place->from != HG_FROM_LIVE)
        return;
    while (low > index + 1 && !sim_entry_is_there(&key->entries[low - 1]))
        low--;
    if (index + 1 < low || index + 1 > high)
        sim_violation(env, "ok: %s: it stands at entry %zu, but should behind one of %zu to %zu", who(track, topic),
                      index, low, high);
    place->begun = place->stands = true;
    place->stand = index;
    place->bare = !proven;
    place->next = index + 1;
}

/* ---- what may be missing ----------------------------------------------------------------------------------------- */

/* Whether an entry need not come before entry `i`, which was added later. `gently`: who has not begun yet has to be
 * told nothing of what is trimmed. */
static bool may_miss(const struct sim_env *env, const struct sim_place *place, const struct sim_key *key, size_t index,
                     size_t i, bool gently)
{
    const struct sim_entry *entry = &key->entries[index];

    /* Lost before the other one was added: it is no part of the same history. */
    if (entry->lost != SIM_NOT_LOST && (entry->lost_at <= i || entry->lost_tick <= place->gap.tick))
        return true;
    if (!place->begun && !place->seam && place->from == HG_FROM_SINCE && index < place->count_at_ok &&
        entry->id.ms < place->since_ms)
        return true; /* not asked for */
    switch (entry->removed) {
    case SIM_DELETED: /* nobody can know what else was there */
        return true;
    case SIM_TRIMMED:
        return gently || (!place->begun && index < place->count_at_ok) || entry->removed_tick <= place->gap.tick ||
               index < place->gap.skips || (is_blind(env) && !place->stands);
    case SIM_NOT_REMOVED:
        break;
    }
    return index < place->gap.skips;
}

/* The first entry of `from` up to `to` that a client cannot have missed rightly before entry `i`, or `to`: of those
 * that pass, and are not too large, which gaps told. */
static size_t first_due(const struct sim_oracle *oracle, const struct sim_track *track, const struct sim_place *place,
                        const struct sim_key *key, size_t from, size_t to, size_t i, bool gently, uint64_t *budget)
{
    for (size_t index = from; index < to; index++) {
        if (may_miss(oracle->env, place, key, index, i, gently) ||
            !sim_entry_passes(oracle->env, track->filter, key, index))
            continue;
        if (*budget == 0 || !sim_is_oversize(oracle->env, key, index))
            return index;
        (*budget)--;
    }
    return to;
}

/* Whether what it stands at was lost before entry `i` was added, so that `i` goes on with another history. */
static bool is_broken_before(const struct sim_place *place, const struct sim_key *key, size_t i)
{
    if (place->forged)
        return true;
    if (!place->stands)
        return false;
    const struct sim_entry *entry = &key->entries[place->stand];
    if (entry->lost == SIM_NOT_LOST || entry->lost_at > i)
        return false;
    if (!place->bare)
        return true;
    /* An id alone proves nothing: whatever is there under it now will do. */
    size_t at = sim_store_lower(key, entry->id);
    return at == key->line_count || hg_stream_id_cmp(key->entries[key->line[at]].id, entry->id) != 0;
}

/* ---- gaps -------------------------------------------------------------------------------------------------------- */

static const char *const reasons[] = {"trimmed", "deleted", "rolled_back", "gone"};

/* What was done to the stream since its place. */
static void deeds_since(const struct sim_key *key, size_t count, uint64_t *ret_deeds, bool *ret_anew)
{
    *ret_anew = false;
    for (int kind = 0; kind < SIM_DEED__COUNT; kind++)
        ret_deeds[kind] = 0;
    for (size_t i = 0; i < key->deed_count; i++)
        if (key->deeds[i].count >= count) {
            ret_deeds[key->deeds[i].kind]++;
            *ret_anew = *ret_anew || key->deeds[i].anew;
        }
}

static bool has_cause(const struct sim_env *env, enum sim_deed_kind reason, const uint64_t *deeds, bool anew)
{
    bool blind = is_blind(env);
    bool any = deeds[SIM_DEED_TRIM] || deeds[SIM_DEED_DELETE] || deeds[SIM_DEED_ROLLBACK] || deeds[SIM_DEED_DROP];

    switch (reason) {
    case SIM_DEED_TRIM:
        return deeds[SIM_DEED_TRIM] || (blind && any);
    case SIM_DEED_DELETE:
        return deeds[SIM_DEED_DELETE];
    case SIM_DEED_ROLLBACK: /* a key made anew may have ids that are lower, or the same */
        return deeds[SIM_DEED_ROLLBACK] || deeds[SIM_DEED_DROP] || (blind && deeds[SIM_DEED_DELETE]);
    case SIM_DEED_DROP: /* what was rolled back and trimmed may have nothing in common with what it was */
        return deeds[SIM_DEED_DROP] || anew || (deeds[SIM_DEED_ROLLBACK] && deeds[SIM_DEED_TRIM]);
    case SIM_DEED__COUNT:
        break;
    }
    return false;
}

static size_t begins_at(const struct sim_env *env, const struct sim_track *track, const struct sim_place *place,
                        const struct sim_key *key, int topic)
{
    size_t low, high;

    if (place->begun)
        return place->next;
    bounds(env, track, place, key, topic, &low, &high);
    if (place->seam && place->seam_from < low)
        low = place->seam_from;
    return place->stands && place->stand + 1 < low ? place->stand + 1 : low;
}

/* Entries that are trimmed and were not told yet. */
static uint64_t count_missing(const struct sim_place *place, const struct sim_key *key)
{
    uint64_t missing = 0;

    for (size_t i = place->next; i < key->count; i++)
        missing += key->entries[i].removed == SIM_TRIMMED && key->entries[i].removed_tick > place->gap.tick;
    return missing;
}

void sim_place_gap(struct sim_oracle *oracle, struct sim_track *track, int topic, const char *reason, uint64_t count)
{
    struct sim_env *env = oracle->env;
    const struct sim_key *key = sim_store_key(env->store, topic);
    struct sim_place *place = &track->places[topic];
    uint64_t deeds[SIM_DEED__COUNT], all = 0;
    bool anew;
    int kind = 0;

    while (kind < SIM_DEED__COUNT && strcmp(reasons[kind], reason) != 0)
        kind++;
    if (!key || kind == SIM_DEED__COUNT)
        sim_violation(env, "gap: %s: %s, which is no reason here", who(track, topic), reason);
    deeds_since(key, begins_at(env, track, place, key, topic), deeds, &anew);
    for (int i = 0; i < SIM_DEED__COUNT; i++)
        all += deeds[i];
    if (place->forged)
        all++;
    else if (!has_cause(env, (enum sim_deed_kind)kind, deeds, anew))
        sim_violation(env,
                      "gap: %s: %s, but since its place it was trimmed %" PRIu64 ", deleted from %" PRIu64
                      ", rolled back %" PRIu64 ", made anew %" PRIu64 " times",
                      who(track, topic), reason, deeds[0], deeds[1], deeds[2], deeds[3]);
    /* One who replays may hear of it from Redis first, and then with everybody else. */
    bool lives = place->from == HG_FROM_LIVE && !sim_options_are_slow(&env->options);
    if (++place->gap.told > (lives ? all : 2 * all))
        sim_violation(env, "gap: %s: %s, the %" PRIu64 ". gap in a row, but only %" PRIu64 " things happened",
                      who(track, topic), reason, place->gap.told, all);
    /* Who lives with the stream is told only of what it will never get. */
    if (kind == SIM_DEED_TRIM && place->begun && place->from == HG_FROM_LIVE && track->exact && !track->filter &&
        !is_blind(env) && !sim_options_are_slow(&env->options) && all == deeds[SIM_DEED_TRIM] &&
        count_missing(place, key) == 0)
        sim_violation(env, "gap: %s: trimmed, but nothing is missing", who(track, topic));
    place->gap.counted = place->gap.told == 1 ? count > 0 : place->gap.counted && count > 0;
    place->gap.count += count;
    place->gap.tick = env->store->tick;
    if (kind == SIM_DEED_ROLLBACK)
        place->gap.skips = key->count;
    place->gap.broken = true;
    if (kind == SIM_DEED_ROLLBACK || kind == SIM_DEED_DROP)
        place->has_newest = false;
    /* Of keys that were made anew and rolled back to what was before, all may come again. */
    if (anew && place->begun && (kind == SIM_DEED_ROLLBACK || kind == SIM_DEED_DROP)) {
        place->seam = true;
        place->seam_low = place->seam_from = 0;
        place->seam_high = key->count;
        place->begun = false;
    }
}

bool sim_place_gone(struct sim_oracle *oracle, struct sim_track *track, int topic)
{
    struct sim_env *env = oracle->env;
    const struct sim_key *key = sim_store_key(env->store, topic);
    struct sim_place *place = &track->places[topic];
    uint64_t deeds[SIM_DEED__COUNT];
    bool anew;

    if (!key)
        return false;
    deeds_since(key, begins_at(env, track, place, key, topic), deeds, &anew);
    if (!deeds[SIM_DEED_DROP] && !anew)
        return false;
    place->gap.broken = true;
    place->gap.tick = env->store->tick;
    place->has_newest = false;
    return true;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

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

/* The first event: where did it begin? */
static void begin(struct sim_oracle *oracle, struct sim_track *track, int topic, const struct sim_key *key,
                  size_t index)
{
    struct sim_env *env = oracle->env;
    struct sim_place *place = &track->places[topic];
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
        sim_violation(env, "place: %s: begins with entry %zu, but nothing before %zu was asked for", who(track, topic),
                      index, low);
    size_t due = high < start ? first_due(oracle, track, place, key, high, start, index, false, &budget) : start;
    if (due < start)
        sim_violation(env, "place: %s: begins with entry %zu, but should begin with %zu at latest", who(track, topic),
                      start, due);
}

/* What was told of a hole, now that what follows it came. */
static void check_count(struct sim_oracle *oracle, struct sim_track *track, int topic, const struct sim_key *key,
                        size_t index)
{
    struct sim_place *place = &track->places[topic];
    uint64_t deeds[SIM_DEED__COUNT], missing = 0;
    bool anew, odd = place->budget > 0;

    if (place->gap.told == 0 || !place->gap.counted || track->filter || is_blind(oracle->env) || place->forged)
        return;
    deeds_since(key, place->next, deeds, &anew);
    for (size_t i = place->next; i < index; i++) {
        odd = odd || sim_is_oversize(oracle->env, key, i);
        missing += key->entries[i].removed == SIM_TRIMMED;
    }
    if (deeds[SIM_DEED_DELETE] || deeds[SIM_DEED_ROLLBACK] || deeds[SIM_DEED_DROP] || odd)
        return;
    if (missing != place->gap.count)
        sim_violation(oracle->env, "gap: %s: %" PRIu64 " are missing in front of entry %zu, but gaps told %" PRIu64,
                      who(track, topic), missing, index, place->gap.count);
}

void sim_place_event(struct sim_oracle *oracle, struct sim_track *track, int topic, struct hg_slice text_cursor,
                     struct hg_slice text, const json_t *message)
{
    struct sim_env *env = oracle->env;
    struct sim_key *key = sim_store_key(env->store, topic);
    struct sim_place *place = &track->places[topic];
    struct hg_cursor cursor;

    if (!key || key->type == SIM_KEY_STRING)
        sim_violation(env, "event: %s: it is no stream, but the event has a cursor", who(track, topic));
    if (!hg_cursor_parse(text_cursor, &cursor))
        sim_violation(env, "event: %s: no cursor: %.*s", who(track, topic), HG_SLICE_ARG(text_cursor));
    size_t index = sim_store_lookup(key, cursor.id, &cursor.fingerprint, place->begun ? place->next : 0);
    if (index == key->count)
        sim_violation(env, "event: %s: there was never an entry of this id and fingerprint: %.*s", who(track, topic),
                      HG_SLICE_ARG(text_cursor));
    check_entry(oracle, track, topic, key, index, text, message);
    if (key->shown <= index)
        key->shown = index + 1;
    if (place->has_newest && hg_stream_id_cmp(cursor.id, place->newest) <= 0)
        sim_violation(env, "place: %s: entry %zu has an id that is not above the one before", who(track, topic), index);
    if (place->begun && index < place->next)
        sim_violation(env, "place: %s: entry %zu came again or too late; %zu was due", who(track, topic), index,
                      place->next);
    if (is_broken_before(place, key, index) && !place->gap.broken)
        sim_violation(env, "place: %s: entry %zu came, but it stands at %zu, of another history, and no gap told",
                      who(track, topic), index, place->stand);
    if (!place->begun) {
        begin(oracle, track, topic, key, index);
    } else {
        size_t due = first_due(oracle, track, place, key, place->next, index, index, false, &place->budget);
        if (due < index)
            sim_violation(env, "place: %s: entry %zu came, but %zu was due, and no gap told", who(track, topic), index,
                          due);
        check_count(oracle, track, topic, key, index);
        if (place->budget > 0 && key->deed_count == 0)
            sim_violation(env, "place: %s: a gap told %" PRIu64 " entries before %zu that were not missed",
                          who(track, topic), place->budget, index);
    }
    place->begun = place->stands = place->has_newest = true;
    place->forged = place->bare = place->seam = false;
    place->newest = cursor.id;
    place->budget = 0;
    place->next = index + 1;
    place->stand = index;
    place->gap = (struct sim_place_gap){0};
    place->mark = (struct sim_mark){.text = sim_arena_copy(&env->arena, text_cursor),
                                    .begun = true,
                                    .stands = true,
                                    .stand = index,
                                    .next = index + 1};
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
    size_t due = first_due(oracle, track, place, key, high, key->count, key->count, true, &place->budget);
    if (place->begun && place->budget > 0 && key->deed_count == 0)
        sim_violation(oracle->env, "seam: %s: a gap told %" PRIu64 " entries that were not missed", who(track, topic),
                      place->budget);
    if (due < known)
        sim_violation(oracle->env, "seam: %s: entry %zu was there before the update, and did not come before its ok",
                      who(track, topic), due);
    place->seam_from = begins_at(oracle->env, track, place, key, topic);
    place->seam = true;
    place->seam_low = low < known ? known : low;
    place->seam_high = due;
    place->begun = false;
    place->budget = 0;
}

bool sim_place_has(const struct sim_oracle *oracle, const struct sim_track *track, int topic, size_t upto, bool gently)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);
    const struct sim_place *place = &track->places[topic];
    uint64_t budget = place->budget;
    size_t low, high = place->next;

    if (!place->begun)
        bounds(oracle->env, track, place, key, topic, &low, &high);
    /* Who may not ask cannot tell an empty stream from one that was emptied. */
    gently = gently || (oracle->env->options.info_denied && key->length == 0);
    return high >= upto || first_due(oracle, track, place, key, high, upto, key->count, gently, &budget) == upto;
}

bool sim_place_knows(const struct sim_oracle *oracle, const struct sim_track *track, int topic)
{
    const struct sim_key *key = sim_store_key(oracle->env->store, topic);
    const struct sim_place *place = &track->places[topic];

    return !key || place->gap.broken || !is_broken_before(place, key, key->count) ||
           (oracle->env->options.info_denied && key->length == 0);
}
