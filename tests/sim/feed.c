#include <inttypes.h>
#include <stdlib.h>

#include "sim/oracle.h"

void sim_feed_put(struct sim_feed *feed, enum sim_item_kind kind, bool optional, uint64_t number)
{
    if (feed->head > 0 && feed->head == feed->count)
        feed->head = feed->count = 0;
    *SIM_PUSH(feed->items, feed->count, feed->capacity) =
        (struct sim_item){.kind = kind, .optional = optional, .number = number};
}

static bool passes(const struct sim_oracle *oracle, const struct sim_track *track, int topic,
                   const struct sim_item *item)
{
    return item->kind != SIM_ITEM_EVENT ||
           sim_filter_passes(track->filter, &oracle->messages[topic][item->number].facts, sim_topics[topic].name);
}

static bool is_due(const struct sim_oracle *oracle, const struct sim_track *track, int topic,
                   const struct sim_item *item)
{
    const struct sim_feed *feed = &track->feeds[topic];

    if (item->covered || sim_is_converted(oracle->env, topic) || !passes(oracle, track, topic, item))
        return false;
    return !item->optional || (feed->begun && item->kind == SIM_ITEM_EVENT);
}

static const char *who(const struct sim_track *track, int topic)
{
    static char text[200];

    snprintf(text, sizeof text, "client %" PRIu64 " sub %" PRIu64 " (%s) topic %s", track->client, track->sub,
             track->pattern, sim_topics[topic].name);
    return text;
}

void sim_feed_event(struct sim_oracle *oracle, struct sim_track *track, int topic, uint64_t number)
{
    struct sim_feed *feed = &track->feeds[topic];
    size_t at = feed->head;
    uint64_t skipped = 0, skipped_optional = 0;

    if (!sim_filter_passes(track->filter, &oracle->messages[topic][number].facts, sim_topics[topic].name))
        sim_violation(oracle->env, "filter: %s: event %" PRIu64 " does not pass %s", who(track, topic), number,
                      track->filter->spellings[0]);
    while (at < feed->count && (feed->items[at].kind != SIM_ITEM_EVENT || feed->items[at].number != number))
        at++;
    if (at == feed->count)
        sim_violation(oracle->env,
                      "feed: %s: event %" PRIu64 " came twice, out of order, or was never handed to the gateway",
                      who(track, topic), number);
    for (size_t i = feed->head; i < at; i++) {
        const struct sim_item *item = &feed->items[i];
        bool due = is_due(oracle, track, topic, item);

        if (item->kind != SIM_ITEM_EVENT && due)
            sim_violation(oracle->env, "feed: %s: event %" PRIu64 " comes after a %s without a gap before it",
                          who(track, topic), number, item->kind == SIM_ITEM_LOST ? "lost message" : "lost link");
        if (item->kind == SIM_ITEM_EVENT && passes(oracle, track, topic, item)) {
            skipped += due;
            skipped_optional += !due;
        }
    }
    track->skipped += skipped;
    track->skipped_optional += skipped_optional;
    if (track->skipped > track->overflow_told)
        sim_violation(oracle->env, "feed: %s: event %" PRIu64 " leaves out %" PRIu64 " before it, of which no gap told",
                      who(track, topic), number, track->skipped - track->overflow_told);
    if (track->exact && track->overflow_told > track->skipped + track->skipped_optional)
        sim_violation(oracle->env, "feed: %s: a gap told %" PRIu64 " events that were not missed", who(track, topic),
                      track->overflow_told - track->skipped - track->skipped_optional);
    feed->begun = true;
    feed->head = at + 1;
    for (size_t i = feed->head; i < feed->count; i++)
        feed->items[i].covered = false;
}

void sim_feed_disconnected(struct sim_track *track, int topic)
{
    struct sim_feed *feed = &track->feeds[topic];

    for (size_t i = feed->head; i < feed->count; i++)
        feed->items[i].covered = feed->items[i].kind != SIM_ITEM_EVENT;
}

void sim_feed_update_ordered(struct sim_track *track, int topic)
{
    struct sim_feed *feed = &track->feeds[topic];

    for (size_t i = feed->head; i < feed->count; i++)
        feed->items[i].old = true;
}

static void forget(struct sim_item *item)
{
    item->kind = SIM_ITEM_LOST;
    item->optional = true;
}

void sim_feed_updated(struct sim_oracle *oracle, struct sim_track *track, int topic)
{
    struct sim_feed *feed = &track->feeds[topic];
    uint64_t told = track->overflow_told - track->skipped;
    /* Which events a gap meant is known only where all of them were due, and on one channel. */
    bool unclear = told > 0 && (!track->exact || track->skipped_optional > 0);
    bool after = false; /* under the new filter */

    for (size_t i = feed->head; i < feed->count && told > 0; i++)
        unclear = unclear || (feed->items[i].kind == SIM_ITEM_EVENT && !is_due(oracle, track, topic, &feed->items[i]) &&
                              passes(oracle, track, topic, &feed->items[i]));
    for (size_t i = feed->head; i < feed->count; i++) {
        struct sim_item *item = &feed->items[i];
        bool due = is_due(oracle, track, topic, item);

        if (item->kind != SIM_ITEM_EVENT)
            continue;
        if (!unclear && !after && due && told > 0) {
            told--;
            forget(item);
        } else if (!unclear && item->old) {
            if (due)
                sim_violation(oracle->env,
                              "seam: %s: event %" PRIu64 " was there before the update, and did not come before its ok",
                              who(track, topic), item->number);
            forget(item);
        } else {
            after = after || (due && !unclear);
            item->optional = !after;
        }
        item->old = false;
    }
    if (!unclear && track->exact && told > 0)
        sim_violation(oracle->env, "seam: %s: a gap told %" PRIu64 " events that were not missed", who(track, topic),
                      told);
    feed->begun = false;
}

void sim_feed_sought(struct sim_track *track, int topic)
{
    struct sim_feed *feed = &track->feeds[topic];

    for (size_t i = feed->head; i < feed->count; i++)
        feed->items[i].optional = true;
    feed->begun = false;
}

void sim_feed_settled(struct sim_oracle *oracle, struct sim_track *track, int topic)
{
    struct sim_feed *feed = &track->feeds[topic];

    if (track->pace) {
        sim_pace_settled(oracle, track, topic);
        return;
    }
    for (; feed->head < feed->count; feed->head++) {
        const struct sim_item *item = &feed->items[feed->head];
        bool due = is_due(oracle, track, topic, item);

        if (item->kind != SIM_ITEM_EVENT && due)
            sim_violation(oracle->env, "settled: %s: a %s was never told as a gap", who(track, topic),
                          item->kind == SIM_ITEM_LOST ? "lost message" : "lost link");
        if (item->kind == SIM_ITEM_EVENT && passes(oracle, track, topic, item)) {
            track->skipped += due;
            track->skipped_optional += !due;
            if (track->skipped > track->overflow_told)
                sim_violation(oracle->env, "settled: %s: event %" PRIu64 " never came", who(track, topic),
                              item->number);
        }
    }
}

bool sim_feed_is_waiting(const struct sim_oracle *oracle, const struct sim_track *track, int topic)
{
    const struct sim_feed *feed = &track->feeds[topic];

    if (track->pace)
        return sim_pace_is_waiting(oracle, track, topic);
    for (size_t i = feed->head; i < feed->count; i++)
        if (is_due(oracle, track, topic, &feed->items[i]))
            return true;
    return false;
}
