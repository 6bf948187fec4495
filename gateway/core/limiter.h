/* limiter.h – how many events clients may emit: token buckets by session, by principal, by topic.
 *
 * Who has no name is told apart by address. A bucket that is full again is forgotten, so that only those count that
 * were used within emit_burst_ms. Ownership: the limiter owns its buckets; a session's lives in the session. */
#ifndef HG_CORE_LIMITER_H
#define HG_CORE_LIMITER_H

#include "base/list.h"
#include "base/map.h"
#include "config/config.h"
#include "flow/bucket.h"

struct hg_core;
struct hg_session;

struct hg_limiter {
    struct hg_map buckets;
    struct hg_list by_use; /* the one used longest ago first */
};

void hg_limiter_init(struct hg_core *core);
void hg_limiter_done(struct hg_core *core);

/* One event of this session for this topic: takes a token of each bucket, or none and says which limit it was
 * ("emit_rate", …) and how long to wait. */
bool hg_limiter_take(struct hg_core *core, struct hg_session *session, const struct hg_rule *rule,
                     struct hg_slice topic, const char **reterr_limit, hg_dur *reterr_wait);

#endif
