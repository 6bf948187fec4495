/* loop.h – one libuv loop and its turns: the only place that knows <uv.h>.
 *
 * A turn: descriptors that are ready are drained into their callbacks, then `turn_end` is called once; then the loop sleeps
 * until a descriptor is ready or the deadline that turn_end returned. Ownership: watches belong to the loop until closed.
 * Single thread; all callbacks come from hg_loop_run(). Errors: INTERNAL when the system refuses. */
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
    /* SIGINT or SIGTERM. */
    void (*stop)(void *context, hg_time now);
};

HG_RESULT hg_loop_new(struct hg_loop_hooks hooks, struct hg_loop **ret_loop);
/* All watches must be closed. Accepts NULL. */
void hg_loop_free(struct hg_loop *loop);
/* The uv_loop_t, for libwebsockets as a foreign loop. */
void *hg_loop_native(struct hg_loop *loop);
/* The monotonic clock, read once per turn and whenever a callback starts. */
hg_time hg_loop_now(struct hg_loop *loop);
/* Turns until hg_loop_stop(). */
void hg_loop_run(struct hg_loop *loop);
void hg_loop_stop(struct hg_loop *loop);

typedef void hg_watch_fn(void *context, hg_time now, int events);
/* Watches a descriptor of the caller's. The callback may close the watch. */
HG_RESULT hg_watch_open(struct hg_loop *loop, int fd, hg_watch_fn *callback, void *context, struct hg_watch **ret_watch);
/* Which of HG_READABLE and HG_WRITABLE to report; 0: none. Cheap when nothing changes. */
void hg_watch_set(struct hg_watch *watch, int events);
/* No callback follows. The descriptor may be closed by the caller right after. Accepts NULL. */
void hg_watch_close(struct hg_watch *watch);

#endif
