/* idmp.h – events appended once by Redis itself: XADD … IDMP (Redis 8.6.2 and later).
 *
 * A stream is told first how long it is to remember ids, and how many of each producer: XCFGSET, only if it remembers
 * less, since that makes it forget, and never to less than it does; under WATCH, so that nothing is forgotten that came
 * in between. A producer remembers HG_IDMP_IDS at most, so ids are spread over HG_IDMP_PRODUCERS producers by their
 * hash. XADD is not to make a stream, for a new one would remember less: one that is gone is told again.
 * A stream whose ids the step of dedupe.h still remembers, or for which Redis refuses what is needed here, stays with
 * that step; what the one remembers the other does not know.
 *
 * A duplicate is answered with the id it had first, without a word that it is one. So the events of a call go as one
 * transaction between two XLEN: of the ids that came back as many are new as the stream grew, the greatest ones. The
 * entry of a duplicate is read, to tell the same event from another under its id. Ownership: none. */
#ifndef HG_CORE_IDMP_H
#define HG_CORE_IDMP_H

#include "core/lane.h"

#define HG_IDMP_IDS           10000    /* the most that Redis allows */
#define HG_IDMP_PRODUCERS     256u     /* so that 2.5 million ids are remembered for each stream */
#define HG_IDMP_WINDOW_MS_MAX 86400000 /* the longest that Redis allows */

/* Whether this lane's events are appended this way now. */
bool hg_idmp_serves(struct hg_core *core, const struct hg_lane *lane);
/* Whether its stream is told already; if not, it comes first, and no call can be sent meanwhile. */
bool hg_idmp_is_told(const struct hg_core *core, const struct hg_lane *lane);
void hg_idmp_tell(struct hg_core *core, const struct hg_lane *lane);
/* Sends the call that lane->items holds. */
void hg_idmp_send(struct hg_core *core, struct hg_lane *lane);

/* What the commands before XINFO and EXEC were answered, the look for what the step remembers, XINFO STREAM, the
 * transaction of XCFGSET, that of events, and XRANGE; NULL: lost. */
void hg_idmp_queued(struct hg_uplink *uplink, const struct hg_reply *reply);
void hg_idmp_stepped(struct hg_uplink *uplink, const struct hg_reply *reply);
void hg_idmp_informed(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply);
void hg_idmp_configured(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply);
void hg_idmp_answered(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply);
void hg_idmp_compared(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply);

/* Forgets which streams were told. */
void hg_idmp_forget(struct hg_uplink *uplink);

#endif
