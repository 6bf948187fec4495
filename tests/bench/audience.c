#include "bench/audience.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/process.h"

#define FIRST_NUMBER UINT64_C(1000000000) /* so that every number has ten digits */
#define NUMBER_AT    5
#define DIGITS       10
#define KIND_DIGITS  6

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        hgt_die("out of memory");
    return memory;
}

static void write_digits(char *to, int digits, uint64_t number)
{
    while (digits-- > 0) {
        to[digits] = (char)('0' + number % 10);
        number /= 10;
    }
}

static uint64_t read_digits(const char *from, int digits)
{
    uint64_t number = 0;
    for (int i = 0; i < digits; i++)
        number = number * 10 + (uint64_t)(unsigned char)(from[i] - '0');
    return number;
}

/* As many as fit before `end`, always the same ones; returns where they end. */
static char *put_records(char *to, const char *end)
{
    static const char *const states[] = {"placed", "paid", "packed", "shipped", "returned"}, *const cities[] = {
                                                                                                 "Leipzig", "Porto",
                                                                                                 "Tartu",   "Lyon",
                                                                                                 "Galway",  "Brno",
                                                                                                 "Turin"};
    struct hg_prng prng;
    char record[256];
    hg_prng_init(&prng, 7);
    for (int i = 0;; i++) {
        int len = snprintf(record, sizeof(record),
                           "\"order%d\":{\"id\":\"%08" PRIx64 "\",\"state\":\"%s\",\"city\":\"%s\",\"items\":%" PRIu64
                           ",\"total\":%" PRIu64 ".%02" PRIu64 ",\"currency\":\"EUR\"},",
                           i, hg_prng_next(&prng) & 0xffffffff, states[hg_prng_below(&prng, 5)],
                           cities[hg_prng_below(&prng, 7)], 1 + hg_prng_below(&prng, 9), hg_prng_below(&prng, 900),
                           hg_prng_below(&prng, 100));
        if (len > end - to)
            return to;
        memcpy(to, record, (size_t)len);
        to += len;
    }
}

void hgt_audience_init(struct hgt_audience *audience)
{
    static const char head[] = "{\"n\":1000000000,", kind[] = "\"kind\":\"k000000\",", pad[] = "\"pad\":\"";
    audience->lanes = audience->groups * audience->lanes_each;
    audience->lane = allocate(audience->lanes, sizeof(*audience->lane));
    audience->subs = allocate(audience->groups, sizeof(*audience->subs));
    for (size_t i = 0; i < audience->lanes; i++) {
        struct hgt_lane *lane = &audience->lane[i];
        size_t group = i % audience->groups;
        if (audience->kind == HGT_BY_PATTERN)
            snprintf(lane->topic, sizeof(lane->topic), "%s.g%zu.t%zu", audience->topic, group, i / audience->groups);
        else if (audience->kind == HGT_BY_TOPIC && audience->groups > 1)
            snprintf(lane->topic, sizeof(lane->topic), "%s.t%zu", audience->topic, group);
        else
            snprintf(lane->topic, sizeof(lane->topic), "%s", audience->topic);
    }
    char *to = audience->event = allocate(audience->event_bytes + 1, 1);
    memset(to, 'x', audience->event_bytes);
    memcpy(to + audience->event_bytes - 2, "\"}", 2);
    to = (char *)memcpy(to, head, sizeof(head) - 1) + sizeof(head) - 1;
    if (audience->kind == HGT_BY_FILTER) {
        to = (char *)memcpy(to, kind, sizeof(kind) - 1) + sizeof(kind) - 1;
        audience->kind_at = (size_t)(to - audience->event) - 2 - KIND_DIGITS;
    }
    if (audience->records)
        to = put_records(to, audience->event + audience->event_bytes - sizeof(pad) - 2);
    memcpy(to, pad, sizeof(pad) - 1);
}

void hgt_audience_done(struct hgt_audience *audience, struct hgt_listener *listeners, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(listeners[i].next);
    for (size_t i = 0; i < audience->lanes; i++)
        free(audience->lane[i].prefix);
    free(audience->lane);
    free(audience->subs);
    free(audience->event);
}

/* ---- subscriptions ----------------------------------------------------------------------------------------------- */

/* The i-th group that a client hears. */
static size_t group_of(const struct hgt_audience *audience, const struct hgt_listener *listener, size_t i)
{
    return audience->groups <= audience->clients ? listener->ws.number % audience->groups
                                                 : listener->ws.number + i * audience->clients;
}

void hgt_audience_subscribe(struct hgt_audience *audience, struct hgt_clients *pool, struct hgt_listener *listener)
{
    size_t groups = audience->groups, clients = audience->clients, number = listener->ws.number;
    listener->wanted = groups <= clients ? 1 : (groups - number + clients - 1) / clients;
    listener->subscribed = 0;
    free(listener->next);
    listener->next = allocate(listener->wanted * audience->lanes_each, sizeof(*listener->next));
    for (size_t i = 0; i < listener->wanted; i++) {
        size_t group = group_of(audience, listener, i);
        char command[512];
        int len = snprintf(command, sizeof(command), "{\"op\":\"subscribe\",\"ref\":%zu,\"topic\":\"", i + 1);
        if (audience->kind == HGT_BY_PATTERN)
            len += snprintf(command + len, sizeof(command) - (size_t)len, "%s.g%zu.*\"}", audience->topic, group);
        else if (audience->kind == HGT_BY_TOPIC)
            len += snprintf(command + len, sizeof(command) - (size_t)len, "%s\"}", audience->lane[group].topic);
        else
            len += snprintf(command + len, sizeof(command) - (size_t)len,
                            "%s\",\"filter\":\"kind = 'k%06zu' AND n > 0\"}", audience->topic, group);
        hgt_client_put(pool, &listener->ws, hg_slice(command, (size_t)len));
    }
    hgt_client_flush(pool, &listener->ws);
}

static void note_sub(struct hgt_audience *audience, size_t group, uint64_t sub)
{
    audience->subs[group] = sub;
    for (size_t i = group; i < audience->lanes; i += audience->groups) {
        struct hgt_lane *lane = &audience->lane[i];
        char text[sizeof(lane->topic) + 96];
        lane->prefix_len =
            (size_t)snprintf(text, sizeof(text), "{\"op\":\"event\",\"sub\":%" PRIu64 ",\"topic\":\"%s\",%s", sub,
                             lane->topic, audience->stream ? "\"cursor\":\"" : "\"event\":");
        lane->prefix = strdup(text);
        if (!lane->prefix)
            hgt_die("out of memory");
    }
}

bool hgt_audience_take_ok(struct hgt_audience *audience, struct hgt_listener *listener, struct hg_slice message)
{
    char text[96] = "";
    size_t ref;
    uint64_t sub;
    memcpy(text, message.ptr, message.len < sizeof(text) ? message.len : sizeof(text) - 1);
    if (sscanf(text, "{\"op\":\"ok\",\"ref\":%zu,\"sub\":%" SCNu64, &ref, &sub) != 2 || sub == 0 || ref == 0 ||
        ref > listener->wanted)
        return false;
    size_t group = group_of(audience, listener, ref - 1);
    if (audience->subs[group] == 0)
        note_sub(audience, group, sub);
    if (audience->subs[group] != sub)
        return false;
    for (size_t i = 0; i < audience->lanes_each; i++) {
        size_t lane = i * audience->groups + group;
        listener->next[(ref - 1) * audience->lanes_each + i] =
            (uint32_t)((audience->published + audience->lanes - 1 - lane) / audience->lanes);
    }
    listener->subscribed++;
    return true;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

const char *hgt_audience_make_event(struct hgt_audience *audience, uint64_t number)
{
    size_t lane = number % audience->lanes;
    write_digits(audience->event + NUMBER_AT, DIGITS, FIRST_NUMBER + number);
    if (audience->kind_at > 0)
        write_digits(audience->event + audience->kind_at, KIND_DIGITS, lane);
    return audience->lane[lane].topic;
}

size_t hgt_audience_hear(const struct hgt_audience *audience, uint64_t number, size_t count)
{
    size_t groups = audience->groups, group = number % audience->lanes % groups;
    return groups > audience->clients ? 1 : (count + groups - 1 - group) / groups;
}

/* Where in `next` the lane stands; false: the listener does not hear it. */
static bool place_of(const struct hgt_audience *audience, const struct hgt_listener *listener, size_t lane,
                     size_t *ret_place)
{
    size_t groups = audience->groups, clients = audience->clients, group = lane % groups, number = listener->ws.number;
    bool hears = groups <= clients ? number % groups == group : number == group % clients;
    *ret_place = (groups <= clients ? 0 : group / clients * audience->lanes_each) + lane / groups;
    return hears;
}

/* All but number and value, which differ from event to event. */
static bool is_event(const struct hgt_audience *audience, const char *event, size_t lane)
{
    static const size_t number_end = NUMBER_AT + DIGITS;
    const char *model = audience->event;
    size_t kind_at = audience->kind_at, from = number_end;
    if (kind_at > 0) {
        if (memcmp(event + from, model + from, kind_at - from) != 0 ||
            read_digits(event + kind_at, KIND_DIGITS) != lane)
            return false;
        from = kind_at + KIND_DIGITS;
    }
    return memcmp(event, model, NUMBER_AT) == 0 &&
           memcmp(event + from, model + from, audience->event_bytes - from) == 0;
}

bool hgt_audience_take_event(const struct hgt_audience *audience, struct hgt_listener *listener,
                             struct hg_slice message, uint64_t *ret_number)
{
    static const char before[] = "\",\"event\":";
    size_t tail = audience->event_bytes + 1, place;
    if (message.len <= tail || message.ptr[message.len - 1] != '}')
        return false;
    const char *event = message.ptr + message.len - tail;
    uint64_t number = read_digits(event + NUMBER_AT, DIGITS) - FIRST_NUMBER;
    if (number >= audience->published)
        return false;
    size_t lane = (size_t)(number % audience->lanes), head = audience->lane[lane].prefix_len;
    if (message.len < head + tail || !audience->lane[lane].prefix ||
        memcmp(message.ptr, audience->lane[lane].prefix, head) != 0 || !place_of(audience, listener, lane, &place))
        return false;
    if (audience->stream) { /* between prefix and event a cursor of any length */
        if (message.len < head + sizeof(before) - 1 + tail ||
            memcmp(event - (sizeof(before) - 1), before, sizeof(before) - 1) != 0)
            return false;
    } else if (message.len != head + tail) {
        return false;
    }
    if (number / audience->lanes != listener->next[place] || !is_event(audience, event, lane))
        return false;
    listener->next[place]++;
    *ret_number = number;
    return true;
}
