/* core.h – the gate itself: events with a clock go in, wants come out through ports.h. No I/O, no clock, no thread.
 *
 * Every function is called from one thread and never from within a port; `now` never runs backwards (both asserted).
 * One turn of the loop: any number of hg_on_… calls, then hg_core_turn_end(), which does the timers that are due and
 * sends what the turn gathered: nothing is sent to a session before. Then sleep until hg_core_next_deadline().
 * Ownership: slices and replies are borrowed for the call. Memory: when the system has none left the core panics; all
 * it holds is bounded by the configuration. */
#ifndef HG_CORE_CORE_H
#define HG_CORE_CORE_H

#include "base/error.h"
#include "base/time.h"
#include "config/config.h"
#include "core/ports.h"
#include "core/reply.h"

struct hg_core;

/* `config` is borrowed and must outlive the core; it has passed hg_config_check(). `seed` feeds jitter, session names
 * and the keys of hash tables: fresh entropy in production, the test's seed in tests. Errors: NOMEM. Calls no port. */
HG_RESULT hg_core_new(const struct hg_config *config, const struct hg_ports *ports, uint64_t seed,
                      struct hg_core **ret_core);
/* Frees everything; calls no port. Accepts NULL. */
void hg_core_free(struct hg_core *core);

/* Opens the links to Redis. Once, first. */
void hg_core_start(struct hg_core *core, hg_time now);
/* Says goodbye to every session, then closes them with 1012; new ones are refused. */
void hg_core_shutdown(struct hg_core *core, hg_time now);
/* True when a shutdown was asked for and no session is left. */
bool hg_core_is_drained(const struct hg_core *core);

/* A client asks for a WebSocket. False: there is no room for it now, and it may ask again after so many seconds. */
bool hg_core_admits(struct hg_core *core, hg_time now, unsigned *reterr_retry_s);
/* A client finished its WebSocket handshake. True: `ret_session` names it from now on, until hg_on_ws_closed()
 * returned. False: refused (the adapter closes with `*ret_refusal`, an enum hg_close of wire/close.h); the core keeps
 * nothing. */
bool hg_on_ws_open(struct hg_core *core, hg_time now, hg_session_ref *ret_session, int *ret_refusal);
/* Right after it, when permessage-deflate was agreed with that client: it is sent deflated frames where that pays. */
void hg_on_ws_deflates(struct hg_core *core, hg_time now, hg_session_ref session);
/* A whole message. `text` false: a binary one. Messages may still come after ws_close(); they are ignored. */
void hg_on_ws_message(struct hg_core *core, hg_time now, hg_session_ref session, bool text, struct hg_slice message);
/* A message grew past message_bytes_max and was not kept. */
void hg_on_ws_too_big(struct hg_core *core, hg_time now, hg_session_ref session);
/* A compressed message could not be inflated. */
void hg_on_ws_garbled(struct hg_core *core, hg_time now, hg_session_ref session);
void hg_on_ws_pong(struct hg_core *core, hg_time now, hg_session_ref session);
/* All that HG_SEND_BUFFERED held is with the kernel now. */
void hg_on_ws_writable(struct hg_core *core, hg_time now, hg_session_ref session);
/* The connection is gone, whoever closed it; exactly once per session. The ref is dead after this. */
void hg_on_ws_closed(struct hg_core *core, hg_time now, hg_session_ref session);

/* From now on every subscription and update of this session passes what this filter passes too (AND): the client
 * neither sees nor widens it. `expression`: as lib/filter/filter.h has it; empty: none any more. Subscriptions that are
 * there stay. For grants. Errors: FILTER_INVALID; the filter before it stays then. A session that is gone is no error.
 */
HG_RESULT hg_core_force_filter(struct hg_core *core, hg_time now, hg_session_ref session, struct hg_slice expression);

/* The link is connected, authenticated and in its database. `client_id`: Redis's CLIENT ID, 0 when not known. */
void hg_on_redis_up(struct hg_core *core, hg_time now, uint32_t link, uint64_t client_id);
/* The link could not be opened, or is lost; replies under way are lost. `reason`: a phrase for the log. The core opens
 * it again when it sees fit. */
void hg_on_redis_down(struct hg_core *core, hg_time now, uint32_t link, struct hg_slice reason);
void hg_on_redis_reply(struct hg_core *core, hg_time now, uint32_t link, uint64_t token, const struct hg_reply *reply);

/* Before hg_core_turn_end(): how long the turn was busy, its sleep left out, how many files the process may open, and
 * how many more it may. */
void hg_on_load(struct hg_core *core, hg_time now, hg_dur turn, uint64_t descriptors, uint64_t descriptors_left);
/* How many connections may be accepted in the next turn. */
unsigned hg_core_accepts(const struct hg_core *core);

void hg_core_turn_end(struct hg_core *core, hg_time now);
/* When hg_core_turn_end() is wanted at latest; not after `now` when work is left over. HG_TIME_NEVER: only after an
 * event. */
hg_time hg_core_next_deadline(const struct hg_core *core);

/* Counters and sizes, for logs, tests and metrics. */
#define HG_CORE_STATS(X)                                                                                               \
    X(sessions, "Clients connected.")                                                                                  \
    X(sessions_opened, "Clients ever connected.")                                                                      \
    X(sessions_refused, "Clients refused at connections_max, during an overload or during shutdown.")                  \
    X(sheddings, "Times that an overload began.")                                                                      \
    X(replays_refused, "Subscribes and seeks with a replay that were refused during an overload.")                     \
    X(laggards_closed, "Clients closed for what they held when memory_bytes_max was reached.")                         \
    X(bytes_held, "Bytes that count against memory_bytes_max.")                                                        \
    X(subscriptions, "Subscriptions of all clients, pending ones included.")                                           \
    X(groups, "Distinct subscriptions.")                                                                               \
    X(system_subscribers, "Subscribers of $system.")                                                                   \
    X(topics, "Redis channels, channel patterns and streams followed.")                                                \
    X(frames_alive, "Bytes-holding segments in the logs of all groups, and events kept for conflate and rate.")        \
    X(log_bytes, "Bytes that these hold.")                                                                             \
    X(history_bytes, "Bytes that the histories of all streams hold.")                                                  \
    X(events_in, "Events received from Redis by topics and patterns.")                                                 \
    X(deliveries_offered, "Events due to one subscription each: events times subscribers.")                            \
    X(deliveries_sent, "Of these, handed to the connection.")                                                          \
    X(deliveries_gapped, "Of these, told as a gap of known count.")                                                    \
    X(deliveries_replaced, "Of these, left to a replay from the stream after the client fell behind.")                 \
    X(deliveries_conflated, "Of these, left out by conflate or rate, and told so.")                                    \
    X(deliveries_dropped, "Of these, not needed any more: unsubscribed or disconnected before they were sent.")        \
    X(deliveries_muted, "Of these, left out because the client emitted them itself, with echo off.")                   \
    X(replayed, "Events sent by replay.")                                                                              \
    X(writes, "Writes to connections.")                                                                                \
    X(bytes_out, "Bytes written to connections.")                                                                      \
    X(segments_deflated, "Times that frames of a group were deflated for all of its members that take them so.")       \
    X(deflate_bytes_in, "Bytes of frames before that.")                                                                \
    X(deflate_bytes_out, "Bytes of these frames after it, those included that stay as they are.")                      \
    X(messages_garbled, "Compressed messages of clients that did not inflate.")                                        \
    X(commands_in, "Commands received from clients.")                                                                  \
    X(errors_out, "Errors told to clients.")                                                                           \
    X(emits, "Emits accepted from clients.")                                                                           \
    X(emits_appended, "Emits acknowledged as appended.")                                                               \
    X(emits_duplicate, "Emits acknowledged as duplicates.")                                                            \
    X(emits_failed, "Emits answered with an error.")                                                                   \
    X(emits_pending, "Emits waiting for Redis.")                                                                       \
    X(emits_bytes, "Bytes of events in emits waiting for Redis.")                                                      \
    X(emits_orphaned, "Emits whose client left before the answer.")                                                    \
    X(emits_by_idmp, "Events sent to Redis with XADD IDMP, attempts counted each.")                                    \
    X(emits_by_function, "Events sent to Redis by the Function, attempts counted each.")                               \
    X(emits_by_script, "Events sent to Redis by EVALSHA, attempts counted each.")                                      \
    X(emits_plain, "Events sent to Redis without dedupe, attempts counted each.")                                      \
    X(dead_letters, "Events that were refused and stand in a stream of dead letters.")                                 \
    X(dead_letters_lost, "Events that were refused, and Redis refused them as dead letters too.")                      \
    X(breaker_openings, "Times that emits began to be refused because Redis was away.")                                \
    X(redis_commands, "Commands sent to Redis.")                                                                       \
    X(redis_losses, "Links to Redis lost or refused.")

struct hg_core_stats {
#define X(name, text) uint64_t name;
    HG_CORE_STATS(X)
#undef X
};
void hg_core_stats(const struct hg_core *core, struct hg_core_stats *ret_stats);

/* Asserts the rules of every structure; costs a walk over all of it. */
void hg_core_validate(const struct hg_core *core);

#endif
