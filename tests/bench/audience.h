/* audience.h – who hears what in a fan-out: subscriptions, events, and the check that each arrives where it must.
 *
 * Events are numbered from 0 and go round the lanes: event n goes to lane n % lanes. A lane is one topic or, with
 * filters, one value in the event. Listeners with the same subscription are a group; lane l belongs to group l %
 * groups, so that a pattern's group has several. Where there are fewer groups than clients, they share them out: client
 * i hears group i % groups. Where there are more, client i hears each group g with g % clients == i. A listener must
 * get each event of its lanes, byte for byte, once, and in order within each lane.
 *
 * Ownership: the audience owns what it points to; listeners are the benchmark's until hgt_audience_done().
 * Errors: what a client must not get is told by `false`. Calls out: none. */
#ifndef HGT_BENCH_AUDIENCE_H
#define HGT_BENCH_AUDIENCE_H

#include "bench/client.h"

enum hgt_audience_kind { HGT_BY_TOPIC, HGT_BY_PATTERN, HGT_BY_FILTER };

#define HGT_EVENT_BYTES_MIN 64
#define HGT_EVENT_BYTES_MAX 65536

struct hgt_listener {
    struct hgt_client ws;
    size_t wanted, subscribed; /* subscriptions */
    uint32_t *next;            /* of each lane that it hears: how many of its events have come */
};

struct hgt_lane {
    char topic[64];
    char *prefix; /* of a frame's payload, up to the cursor or the event; NULL: not known yet */
    size_t prefix_len;
};

struct hgt_audience {
    /* Set before hgt_audience_init(). */
    enum hgt_audience_kind kind;
    bool stream;
    const char *topic; /* of the only one; the beginning of each where there are several */
    size_t groups, lanes_each, clients, event_bytes;
    bool records; /* events are full of records, which compress as JSON does, not of one long string */
    /* Told. */
    size_t lanes;
    uint64_t published; /* the benchmark counts it up; lanes divide it among themselves */
    struct hgt_lane *lane;
    uint64_t *subs; /* of each group; 0: not known yet */
    char *event;    /* the last one that was made */
    size_t kind_at; /* where the filter's value stands in it; 0: nowhere */
};

void hgt_audience_init(struct hgt_audience *audience);
void hgt_audience_done(struct hgt_audience *audience, struct hgt_listener *listeners, size_t count);

/* Sends the subscribes of a listener that has connected. */
void hgt_audience_subscribe(struct hgt_audience *audience, struct hgt_clients *pool, struct hgt_listener *listener);
/* An answer to one of them; the listener then waits for what is published from here on. */
bool hgt_audience_take_ok(struct hgt_audience *audience, struct hgt_listener *listener, struct hg_slice message);
/* The hot path: an event that must come next in its lane. */
bool hgt_audience_take_event(const struct hgt_audience *audience, struct hgt_listener *listener,
                             struct hg_slice message, uint64_t *ret_number);

/* Makes event `number` and returns its topic. */
const char *hgt_audience_make_event(struct hgt_audience *audience, uint64_t number);
/* How many of the first `count` clients must get it. */
size_t hgt_audience_hear(const struct hgt_audience *audience, uint64_t number, size_t count);

#endif
