#include "sim/pace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/oracle.h"

static bool is_same_kind(const struct sim_facts *a, const struct sim_facts *b)
{
    return a->has_kind == b->has_kind && (!a->has_kind || strcmp(a->kind, b->kind) == 0);
}

static bool is_same_k(const struct sim_facts *a, const struct sim_facts *b)
{
    return a->has_k == b->has_k && (!a->has_k || a->k == b->k);
}

static bool is_always_same(const struct sim_facts *a, const struct sim_facts *b)
{
    (void)a;
    (void)b;
    return true;
}

const struct sim_pace sim_paces[] = {
    {{",\"conflate\":{\"key\":\"data.k\",\"every_ms\":50}", ",\"conflate\":{\"every_ms\":50,\"key\":\"(data.k)\"}"},
     is_same_k},
    {{",\"conflate\":{\"key\":\"kind\"}", ",\"conflate\":{\"key\":\"kind\",\"every_ms\":200}"}, is_same_kind},
    {{",\"rate\":20", ",\"rate\":20"}, is_always_same},
    {{",\"rate\":300", ",\"rate\":300"}, is_always_same},
};
const size_t sim_pace_count = sizeof sim_paces / sizeof sim_paces[0];

bool sim_pace_is_for(const char *pattern)
{
    return strncmp(pattern, "ch.", 3) == 0 && !strchr(pattern, '*');
}

static const char *who(const struct sim_track *track)
{
    static char text[200];

    snprintf(text, sizeof text, "client %" PRIu64 " sub %" PRIu64 " (%s%s)", track->client, track->sub, track->pattern,
             track->pace->spellings[0]);
    return text;
}

static const struct sim_payload *payload_of(const struct sim_oracle *oracle, int topic, const struct sim_item *item)
{
    return &oracle->messages[topic][item->number];
}

static bool is_event(const struct sim_oracle *oracle, const struct sim_track *track, int topic,
                     const struct sim_item *item)
{
    return item->kind == SIM_ITEM_EVENT &&
           sim_filter_passes(track->filter, &payload_of(oracle, topic, item)->facts, sim_topics[topic].name);
}

static bool is_shown(const struct sim_oracle *oracle, const struct sim_track *track, int topic,
                     const struct sim_item *item)
{
    return is_event(oracle, track, topic, item) &&
           payload_of(oracle, topic, item)->bytes.len <= oracle->env->options.config.event_bytes_max;
}

static bool is_untold_loss(const struct sim_track *track, const struct sim_item *item)
{
    return item->kind != SIM_ITEM_EVENT && !item->optional && !item->covered && !track->vague;
}

static uint64_t accounted(const struct sim_track *track)
{
    return track->received + track->conflated + track->overflow_told;
}

/* Events handed to the gateway: surely due, and all. */
static void count(const struct sim_oracle *oracle, const struct sim_track *track, uint64_t *ret_due, uint64_t *ret_all)
{
    *ret_due = *ret_all = 0;
    for (size_t t = 0; t < sim_topic_count; t++)
        for (size_t i = 0; i < track->feeds[t].count; i++)
            if (is_event(oracle, track, (int)t, &track->feeds[t].items[i])) {
                *ret_due += !track->feeds[t].items[i].optional;
                (*ret_all)++;
            }
}

static void check_most(struct sim_oracle *oracle, const struct sim_track *track)
{
    uint64_t due, all;

    count(oracle, track, &due, &all);
    if (accounted(track) > all)
        sim_violation(oracle->env,
                      "pace: %s: %" PRIu64 " events came, %" PRIu64 " were left out, %" PRIu64
                      " too large: more than the %" PRIu64 " there were",
                      who(track), track->received, track->conflated, track->overflow_told, all);
}

void sim_pace_event(struct sim_oracle *oracle, struct sim_track *track, int topic, uint64_t number)
{
    struct sim_feed *feed = &track->feeds[topic];
    size_t at = track->pace_at;

    while (at < feed->count && (feed->items[at].kind != SIM_ITEM_EVENT || feed->items[at].number != number))
        at++;
    if (at == feed->count)
        sim_violation(oracle->env,
                      "pace: %s: event %" PRIu64 " came twice, out of order, or was never handed to the gateway",
                      who(track), number);
    if (!is_event(oracle, track, topic, &feed->items[at]))
        sim_violation(oracle->env, "pace: %s: event %" PRIu64 " does not pass the filter", who(track), number);
    for (size_t i = track->pace_at; i < at; i++)
        if (is_untold_loss(track, &feed->items[i]))
            sim_violation(oracle->env, "pace: %s: event %" PRIu64 " comes after a loss without a gap before it",
                          who(track), number);
    feed->items[at].got = true;
    track->pace_at = at + 1;
    for (size_t i = at + 1; i < feed->count; i++)
        feed->items[i].covered = false;
    track->received++;
    check_most(oracle, track);
}

void sim_pace_conflated(struct sim_oracle *oracle, struct sim_track *track, uint64_t conflated)
{
    if (!track->pace || conflated == 0)
        sim_violation(oracle->env, "conflated: client %" PRIu64 " sub %" PRIu64 " (%s) has no pace, or it counts none",
                      track->client, track->sub, track->pattern);
    track->conflated += conflated;
    check_most(oracle, track);
}

void sim_pace_overflow(struct sim_oracle *oracle, struct sim_track *track, uint64_t overflow)
{
    track->overflow_told += overflow;
    track->vague = track->vague || overflow == 0;
    check_most(oracle, track);
}

bool sim_pace_is_waiting(const struct sim_oracle *oracle, const struct sim_track *track, int topic)
{
    const struct sim_feed *feed = &track->feeds[topic];
    uint64_t due, all;

    count(oracle, track, &due, &all);
    for (size_t i = track->pace_at; i < feed->count; i++)
        if (is_untold_loss(track, &feed->items[i]))
            return true;
    return accounted(track) < due;
}

void sim_pace_settled(struct sim_oracle *oracle, struct sim_track *track, int topic)
{
    const struct sim_feed *feed = &track->feeds[topic];
    uint64_t due, all;

    count(oracle, track, &due, &all);
    if (accounted(track) < due)
        sim_violation(oracle->env,
                      "settled: %s: %" PRIu64 " events came, %" PRIu64 " were left out, %" PRIu64
                      " too large: fewer than the %" PRIu64 " there were",
                      who(track), track->received, track->conflated, track->overflow_told, due);
    for (size_t i = 0; i < feed->count && !track->vague; i++) {
        const struct sim_item *item = &feed->items[i];
        bool last = is_shown(oracle, track, topic, item) && !item->optional;

        for (size_t later = i + 1; later < feed->count && last; later++)
            last = !is_shown(oracle, track, topic, &feed->items[later]) ||
                   !track->pace->is_same_key(&payload_of(oracle, topic, item)->facts,
                                             &payload_of(oracle, topic, &feed->items[later])->facts);
        if (last && !item->got)
            sim_violation(oracle->env, "settled: %s: event %" PRIu64 ", the last of its key, never came", who(track),
                          item->number);
        if (i >= track->pace_at && is_untold_loss(track, item))
            sim_violation(oracle->env, "settled: %s: a loss was never told as a gap", who(track));
    }
}
