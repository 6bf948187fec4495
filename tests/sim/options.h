/* options.h – what one seed's world is like: each run switches some manners on and others off, so that rare
 * combinations are met (swarm testing; Groce et al., "Swarm Testing", ISSTA 2012). All follow from the seed alone.
 * Units: times in microseconds unless the name says _ms; sizes in bytes; chances in percent. Calls out: none. */
#ifndef HG_SIM_OPTIONS_H
#define HG_SIM_OPTIONS_H

#include <stdint.h>

#include "base/prng.h"
#include "config/config.h"

#define SIM_OPTIONS(X)                                                                                                 \
    X(operations, "how many things happen in the phase of faults")                                                     \
    X(tempo_us, "longest pause between two of them")                                                                   \
    X(clients_max, "clients at the same time")                                                                         \
    X(net_us, "longest way of bytes between client and gateway")                                                       \
    X(redis_us, "longest way of bytes between gateway and Redis")                                                      \
    X(turn_us, "how long the loop takes to notice what is due")                                                        \
    X(burst_max, "most events that a publisher sends at once")                                                         \
    X(pad_max, "most bytes of padding in an event")                                                                    \
    X(odd_payload_chance, "events that are text, bytes or plain fields")                                               \
    X(socket_bytes, "what a client's socket takes before it is full")                                                  \
    X(socket_refill_us, "how often it is emptied")                                                                     \
    X(stalls, "clients stop reading for a while")                                                                      \
    X(mutes, "clients stop answering pings")                                                                           \
    X(leaves, "clients go, politely or not")                                                                           \
    X(garbage, "clients send nonsense")                                                                                \
    X(emits, "clients emit")                                                                                           \
    X(patterns, "clients subscribe to patterns, not only to topics")                                                   \
    X(filters, "clients subscribe with filters, and change them")                                                      \
    X(kills, "links to Redis die")                                                                                     \
    X(restarts, "Redis restarts, and forgets scripts")                                                                 \
    X(spikes, "Redis takes long to answer")                                                                            \
    X(error_chance, "commands that Redis refuses")                                                                     \
    X(odd_chance, "replies of a shape that cannot be")                                                                 \
    X(unblock_denied, "CLIENT is not permitted")                                                                       \
    X(deflates, "clients agree to permessage-deflate")                                                                 \
    X(paces, "clients subscribe with conflate and rate")                                                               \
    X(resumes, "clients come back to places that they were told, or to a time")                                        \
    X(elsewhere, "and from another gateway, which has read further")                                                   \
    X(trims, "streams lose their oldest entries")                                                                      \
    X(failovers, "Redis fails over to a replica that lacks a tail")                                                    \
    X(deletions, "streams are deleted, or all keys, or single entries")                                                \
    X(clock_back, "the clock of Redis goes back")                                                                      \
    X(half_opens, "links to Redis swallow everything and say nothing")                                                 \
    X(overloads, "turns take long for a while, so that new clients and replays are refused")                           \
    X(roomy, "memory is plenty")                                                                                       \
    X(plays, "clients pause, resume and seek, and replay at a pace")                                                   \
    X(scan_page, "keys that SCAN looks at in a call at most")                                                          \
    X(page_repeats, "SCAN tells a key twice now and then")                                                             \
    X(long_names, "Redis names differ from topics")                                                                    \
    X(catch_all, "a last rule takes every topic")                                                                      \
    X(shutdown, "the run ends with a shutdown")                                                                        \
    X(validate, "the core's structures are checked after every event")                                                 \
    X(tight, "limits of the configuration are low")

struct sim_options {
#define X(name, text) uint64_t name;
    SIM_OPTIONS(X)
#undef X
    struct hg_config config; /* strings are static */
    struct hg_rule rules[8];
};

/* `ret_options` must stay where it is: config.rules points into it. */
void sim_options_init(struct sim_options *ret_options, struct hg_prng *prng);
/* Nothing in this world fails of itself, and no limit is met. */
bool sim_options_are_calm(const struct sim_options *options);
void sim_options_print(const struct sim_options *options);

/* What every simulated configuration begins with: all settings at their defaults. */
extern const struct hg_config sim_default_config;
extern const struct hg_rule sim_default_rule;
/* One line for each setting that is not. */
void sim_config_print(const struct hg_config *config);
/* One of the choices. */
uint64_t sim_pick(struct hg_prng *prng, const uint64_t *choices, size_t count);
#define SIM_PICK(prng, ...)                                                                                            \
    sim_pick(prng, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

#endif
