/* mutant.h – faults put into the core on purpose, so that the simulator proves that it would find them.
 *
 * In every normal build HG_MUTANT(name) is the constant 0 and the fault is not there at all. In the library that
 * tests/sim builds for itself with HG_MUTANTS defined, HG_MUTANT(name) is true while the mutant `name` is the chosen
 * one and strikes: a row says on which of its evaluations, since a fault that happens always is easily found. Use: `if
 * (HG_MUTANT(SILENT_DROP)) return;` where the right code would go on. The globals belong to the simulator
 * (tests/sim/mutants.c); the core only reads them through the macro. Calls out: none. */
#ifndef HG_CORE_MUTANT_H
#define HG_CORE_MUTANT_H

/*    name               strikes every n-th time, what it does */
#define HG_MUTANTS_OF_DELIVERIES(X)                                                                                    \
    X(SILENT_DROP, 7, "a frame is left out of a group's log")                                                          \
    X(STUCK_CURSOR, 5, "a reader's last id is not advanced")                                                           \
    X(FORGOTTEN_GAP, 1, "no gap is told after the listener's link came back")                                          \
    X(SPURIOUS_GAP, 7, "a gap is told although nothing was missed")                                                    \
    X(DOUBLE_JOIN, 1, "a replay overlaps the live stream by one event")                                                \
    X(LATE_UNSUBSCRIBE, 1, "a subscription still delivers after the ok of its unsubscribe")                            \
    X(NO_LINGER_CLEANUP, 1, "a topic that nobody wants any more is kept")                                              \
    X(FILTER_IGNORED, 7, "an event that does not pass a filter is delivered")                                          \
    X(FILTER_FORGETS, 5, "an event that passes a filter is not found to")                                              \
    X(UPDATE_SEAM, 1, "a filter is changed while events of the old one still wait")                                    \
    X(CANARY_DEAF, 1, "a canary that does not come back is of no matter")                                              \
    X(RESUME_UNPROVEN, 1, "a cursor is taken without comparing its fingerprint")                                       \
    X(RESUME_OFF_BY_ONE, 1, "the entry behind a cursor is left out")                                                   \
    X(HOLE_IN_HISTORY, 7, "an entry is left out of what is kept of a stream")                                          \
    X(TRIM_UNSEEN, 1, "what was read is handed on without asking whether something is missing in front of it")         \
    X(ROLLBACK_UNSEEN, 1, "the place in a stream is not proven again after a reconnection")                            \
    X(GONE_UNSEEN, 1, "quiet streams are not asked about")                                                             \
    X(PAUSE_IGNORED, 1, "a subscription goes on although it was paused")                                               \
    X(SPEED_IGNORED, 1, "a replay at a pace goes as fast as it can")                                                   \
    X(GAP_FALLS_OFF, 1, "a gap of a stream is not told to those whose log lost it")                                    \
    X(TORN_UNSEEN, 1, "a page that was read is joined to memory without looking whether they meet")                    \
    X(LET_GO_UNTOLD, 1, "a pattern's stream that is gone is let go without a word")                                    \
    X(FORGETS_AT_ONCE, 1, "what is kept of a stream is thrown away at the end of the turn")                            \
    X(HISTORY_UNBOUNDED, 1, "what is kept of streams is not bounded together with the logs")                           \
    X(PACE_LOST, 7, "the latest event of a key is left out of a tick")                                                 \
    X(STALE_ANSWER, 1, "a client that is ahead is judged by what Redis said before it came")                           \
    X(SEEK_UNREAD, 1, "a seek does not wait until what the client knows of is read")                                   \
    X(DEFLATED_LACKS, 7, "a frame is left out of a segment's deflated frames")                                         \
    X(DEFLATED_FOR_ALL, 3, "deflated frames are sent to a client that did not agree to them")

/* Of emits, and of the step in Redis that appends once; tests/sim/once is there for these. */
#define HG_MUTANTS_OF_EMITS(X)                                                                                         \
    X(NO_DEDUPE, 1, "an emit that is sent to Redis again goes out under a fresh id")                                   \
    X(WINDOW_SHORT, 1, "ids are remembered for a shorter time than the window")                                        \
    X(PREVIOUS_UNSEEN, 1, "the step in Redis does not look into the hash that was current before")                     \
    X(EXPIRES_EARLY, 1, "a hash in Redis lives no longer than one window")                                             \
    X(ACK_EARLY, 7, "an emit is acknowledged when it is sent to Redis")                                                \
    X(LOST_ACK, 7, "an emit is not answered")                                                                          \
    X(REORDERED, 1, "what a call did not settle goes on behind what came later")                                       \
    X(TWICE_IN_A_CALL, 1, "two events of the same id go with one call")                                                \
    X(COPIES_UNPROVEN, 1, "the answer to WAIT and WAITAOF is not looked at")                                           \
    X(SILENT_LIMIT, 1, "an emit beyond a limit is dropped without a word")

/* Of the whole core; scenarios of several workers are there for it, with the gateway of tests/support/mutant.c. */
#define HG_MUTANTS_OF_WORKERS(X) X(PANIC, 1, "a client's ping fails an assertion")

#define HG_MUTANT_LIST(X) HG_MUTANTS_OF_DELIVERIES(X) HG_MUTANTS_OF_EMITS(X) HG_MUTANTS_OF_WORKERS(X)

#ifdef HG_MUTANTS

#include <stdbool.h>
#include <stdint.h>

enum hg_mutant {
    HG_MUTANT_NONE,
#define X(name, every, text) HG_MUTANT_##name,
    HG_MUTANT_LIST(X)
#undef X
        HG_MUTANT__COUNT
};

extern enum hg_mutant hg_mutant_chosen;
/* Counts one evaluation of the chosen mutant; true when it strikes. */
bool hg_mutant_strikes(void);

#define HG_MUTANT(name) (hg_mutant_chosen == HG_MUTANT_##name && hg_mutant_strikes())

#else

#define HG_MUTANT(name) 0

#endif

#endif
