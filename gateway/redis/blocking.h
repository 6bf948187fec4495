/* blocking.h – one connection to Redis for commands of the command line: each call waits for its answer.
 *
 * Ownership: the caller closes what it opened; the URL is borrowed and must outlive it. An answer is valid until the
 * next call. Errors: UNAVAILABLE, NOMEM; with a phrase, one line of printable ASCII, never a password. After a failed
 * call only hg_blocking_close() may follow: whether Redis did what it was asked is not known then. What Redis refuses
 * is an answer, not an error of the call. Blocks: connecting, greeting (AUTH, SELECT, PING) and each call at most
 * `timeout` each, and besides that as long as the system's resolver takes. Bounds: those of redis.h for replies.
 * Not for the gateway itself, whose loop must not wait. Calls out: none. */
#ifndef HG_REDIS_BLOCKING_H
#define HG_REDIS_BLOCKING_H

#include "base/error.h"
#include "base/slice.h"
#include "base/time.h"
#include "core/reply.h"
#include "redis/words.h"

struct hg_blocking;
struct hg_redis_url;

HG_RESULT hg_blocking_open(const struct hg_redis_url *url, hg_dur timeout, struct hg_blocking **ret_blocking,
                           struct hg_phrase *reterr);
/* Accepts NULL. */
void hg_blocking_close(struct hg_blocking *blocking);

HG_RESULT hg_blocking_call(struct hg_blocking *blocking, const struct hg_slice *argv, size_t argc,
                           const struct hg_reply **ret_reply, struct hg_phrase *reterr);
/* What Redis said in an error, fit to be shown. */
struct hg_phrase hg_blocking_words(const struct hg_blocking *blocking, const struct hg_reply *error);

#endif
