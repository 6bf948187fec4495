/* loop.h – one libuv loop and its turns: the only place that knows <uv.h>.
 *
 * A turn: descriptors that are ready are drained into their callbacks, then `turn_end` is called once; then the loop
 * sleeps until a descriptor is ready or the deadline that turn_end returned. A deadline that is already due does not
 * skip the descriptors: each turn polls them, without sleeping then. Other libraries may keep handles of their own in
 * the loop; what they did since the last turn_end (they asked hg_loop_now()) is followed by a turn_end before the loop
 * sleeps. Units: hg_time; turn_end comes up to a millisecond late where the deadline is further away than
 * that; it may come without a reason, too.
 * Ownership: watches belong to the loop until closed. Errors: NOMEM, INTERNAL when the system refuses.
 * Calls out: `hooks` and the callbacks of watches, all from hg_loop_run(), on its thread, never one from within
 * another. From any of them all functions below may be called but hg_loop_run() and hg_loop_free(). */
#ifndef HG_LOOP_LOOP_H
#define HG_LOOP_LOOP_H

#include <stdbool.h>

#include "base/error.h"
#include "base/time.h"

struct hg_loop;
struct hg_watch;

enum { HG_READABLE = 1, HG_WRITABLE = 2 };

struct hg_loop_hooks {
    void *context;
    /* End of a turn; returns when the next one is wanted at latest. */
    hg_time (*turn_end)(void *context, hg_time now);
    /* SIGINT or SIGTERM; each time one arrives. The turn's turn_end follows. NULL: another loop of the process takes
     * them. */
    void (*stop)(void *context, hg_time now);
    /* SIGHUP; the same way. NULL: that signal is left alone. */
    void (*reload)(void *context, hg_time now);
};

/* Takes over the signals that have a hook until it is freed. */
HG_RESULT hg_loop_new(struct hg_loop_hooks hooks, struct hg_loop **ret_loop);
/* All watches must be closed, and every foreign handle closed or about to be: the loop turns (without turn_end) until
 * the last of them is gone; one that is still open after five seconds is a mistake of ours. Accepts NULL. */
void hg_loop_free(struct hg_loop *loop);
/* The uv_loop_t, for libwebsockets as a foreign loop. */
void *hg_loop_native(struct hg_loop *loop);
/* The monotonic clock: read once for each of the loop's own callbacks and for turn_end, the same value all through it;
 * read anew at each call from anywhere else, foreign handles' callbacks included. Never runs backwards. */
hg_time hg_loop_now(struct hg_loop *loop);
/* Within turn_end: how long the turn was busy, from the last turn_end on, sleep left out. */
hg_dur hg_loop_busy(const struct hg_loop *loop);
/* Turns until hg_loop_stop(); the first turn does not sleep. May be called again. */
void hg_loop_run(struct hg_loop *loop);
/* The turn under way is the last; before hg_loop_run(): it returns at once. Idempotent. */
void hg_loop_stop(struct hg_loop *loop);

typedef void hg_watch_fn(void *context, hg_time now, int events);
/* Watches a descriptor of the caller's, which becomes non-blocking; reports nothing until hg_watch_set(). The callback
 * may close the watch. One watch a descriptor. */
HG_RESULT hg_watch_open(struct hg_loop *loop, int fd, hg_watch_fn *callback, void *context,
                        struct hg_watch **ret_watch);
/* Which of HG_READABLE and HG_WRITABLE to report; 0: none. Costs nothing when that is so already.
 * An error of the descriptor is reported as both, once: the next read or write tells what it is, and after it the watch
 * is quiet until it is set again. */
void hg_watch_set(struct hg_watch *watch, int events);
/* No callback follows. The descriptor may be closed by the caller right after. Accepts NULL. */
void hg_watch_close(struct hg_watch *watch);

#endif
