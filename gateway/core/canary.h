/* canary.h – that the listener's link hears: a nonce is published through Redis and must come back on it.
 *
 * Pub/Sub is silent by nature, and a link that is half open, or whose subscriptions are gone, is silent too. So every
 * canary_ms a nonce goes out over the commander to a channel of this gateway's own, "__headgate__:<random>". While it
 * is awaited, anything that comes on the listener counts as well: behind a backlog the nonce is late. A PING goes with
 * it; where Redis does not allow that channel, and while there is no commander, it must do alone. The other links are
 * asked by PING when they are idle (link.h), and readers by the time their XREADs block. */
#ifndef HG_CORE_CANARY_H
#define HG_CORE_CANARY_H

#include "base/slice.h"
#include "base/time.h"
#include "core/reply.h"

struct hg_core;

struct hg_canary {
    char channel[32];
    bool subscribed, denied, awaited;
    uint64_t nonce;
    hg_time sent_at, next_at;
    hg_time heard; /* the last that came and was no answer to PING, which says nothing of what is subscribed */
};

void hg_canary_init(struct hg_core *core);
void hg_canary_listener_up(struct hg_core *core);
void hg_canary_listener_lost(struct hg_core *core);
/* Answers; `reply` NULL: lost. */
void hg_canary_subscribed(struct hg_core *core, const struct hg_reply *reply);
void hg_canary_published(struct hg_core *core, const struct hg_reply *reply);
/* Something came on the listener. */
void hg_canary_noise(struct hg_core *core);
/* False: this message is none of the canary's. */
bool hg_canary_heard(struct hg_core *core, struct hg_slice channel, struct hg_slice message);
void hg_canary_tick(struct hg_core *core);
hg_time hg_canary_deadline(const struct hg_core *core);

#endif
