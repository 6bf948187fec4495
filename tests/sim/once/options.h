/* options.h – what one seed's world of emits is like (swarm testing, as in ../options.h). All follow from the seed
 * alone. Units: times in microseconds unless the name says _ms; sizes in bytes; chances in percent. Calls out: none. */
#ifndef HG_SIM_ONCE_OPTIONS_H
#define HG_SIM_ONCE_OPTIONS_H

#include "base/prng.h"
#include "config/config.h"

enum once_kind {
    ONCE_FUNCTION,  /* Redis 7 and later, Valkey */
    ONCE_SCRIPT,    /* Redis 5 and 6: FUNCTION is no command */
    ONCE_DENIED,    /* the user may use scripts, but no functions */
    ONCE_PLAIN,     /* the user may use neither */
    ONCE_IDMP,      /* Redis 8.6 */
    ONCE_IDMP_BARE, /* the same, and the user may use neither functions nor scripts */
    ONCE_KINDS
};

#define ONCE_OPTIONS(X)                                                                                                \
    X(operations, "how many things happen in the phase of faults")                                                     \
    X(tempo_us, "longest pause between two of them")                                                                   \
    X(kind, "what the server can, enum once_kind")                                                                     \
    X(gateways, "gateways on one Redis")                                                                               \
    X(clients, "clients")                                                                                              \
    X(net_us, "longest way of bytes between client and gateway")                                                       \
    X(redis_us, "longest way of bytes between gateway and Redis")                                                      \
    X(turn_us, "how long the loop takes to notice what is due")                                                        \
    X(burst_max, "most events that a client emits at once")                                                            \
    X(pad_max, "most bytes of padding in an event")                                                                    \
    X(polite, "clients keep to the limit of emits that they were told")                                                \
    X(joined, "clients send several emits in one message")                                                             \
    X(hiding, "clients do not want their own events back")                                                             \
    X(conflicts, "ids are used again for other events")                                                                \
    X(twins, "two clients emit the same event under the same id")                                                      \
    X(wrong, "clients emit what cannot be taken")                                                                      \
    X(leaves, "connections of clients are lost, and clients come back anywhere")                                       \
    X(stalls, "clients stop reading for a while")                                                                      \
    X(socket_bytes, "what a client's socket takes before it is full")                                                  \
    X(crashes, "gateways crash")                                                                                       \
    X(kills, "links to Redis die")                                                                                     \
    X(strays, "what was under way on a dead link may reach Redis much later")                                          \
    X(half_opens, "links to Redis swallow everything and say nothing")                                                 \
    X(spikes, "Redis takes long to answer")                                                                            \
    X(restarts, "Redis restarts, and forgets scripts")                                                                 \
    X(amnesia, "and functions too")                                                                                    \
    X(power_cuts, "Redis loses what was not on disk")                                                                  \
    X(failovers, "Redis fails over to a replica that lacks a tail")                                                    \
    X(clock_jumps, "the clock of Redis goes back and forth")                                                           \
    X(error_chance, "commands that Redis refuses")                                                                     \
    X(single_chance, "single events of a call that Redis refuses")                                                     \
    X(odd_chance, "replies of a shape that cannot be")                                                                 \
    X(info_denied, "INFO is not permitted")                                                                            \
    X(replicas, "replicas of Redis")                                                                                   \
    X(lag_us, "how far a replica is behind")                                                                           \
    X(wanted, "replicas that durable topics ask for")                                                                  \
    X(disk, "Redis keeps an append-only file")                                                                         \
    X(disk_us, "how far the disk is behind")                                                                           \
    X(rates, "clients may not emit faster than so")                                                                    \
    X(validate, "the core's structures are checked after every event")                                                 \
    X(tight, "limits of the configuration are low")

struct once_options {
#define X(name, text) uint64_t name;
    ONCE_OPTIONS(X)
#undef X
    struct hg_config config; /* strings are static */
    struct hg_rule rules[6];
};

/* All topics there are. */
struct once_topic {
    const char *name;
    int rule;    /* -1: none */
    bool stream; /* emits are taken */
};
extern const struct once_topic once_topics[];
enum { ONCE_TOPICS = 8, ONCE_STREAMS = 5 }; /* those that are streams come first */

/* `ret_options` must stay where it is: config.rules points into it. */
void once_options_init(struct once_options *ret_options, struct hg_prng *prng);
/* Its rule asks for more than memory. */
bool once_wants_durability(const struct once_options *options, int topic);
/* The server remembers ids itself, and this topic's. */
bool once_is_by_idmp(const struct once_options *options, int topic);
/* The server allows no dedupe, and the rule does not insist. */
bool once_may_be_plain(const struct once_options *options, int topic);
/* Emits to it find an end when all is well: the server allows what its rule asks for. */
bool once_can_settle(const struct once_options *options, int topic);
/* Nothing in this world fails of itself, and no limit is met. */
bool once_options_are_calm(const struct once_options *options);
void once_options_print(const struct once_options *options);

#endif
