/* report.h – the topic $system: what the gateway knows of its load, of each stream that it follows, and of emits, as
 * events for whoever subscribes. Where a process has several cores, each tells what is of all of them together.
 *
 * While the setting system_topic is on and anybody listens, each followed stream is reported every system_ms, at most
 * HG_REPORTS_AT_ONCE of them in turns:
 *   {"eventType":"TopicReport","topic":…,"oldest":cursor,"newest":cursor,"historyBytes":n,"subscribers":n,"lagMs":n,
 *    "lagEvents":n}
 * and once its load (admission.h), when that changes at once,
 *   {"eventType":"LoadReport","state":"ok","strains":[],"turnUs":n,"bytes":n,"bytesMax":n,"descriptorsLeft":n,
 *    "clients":n,"clientsRefused":n,"replaysRefused":n,"laggardsClosed":n,"sheddings":n}
 * and what becomes of emits, over each link that carries them and since the gateway began:
 *   {"eventType":"EmitReport","links":[{"link":"commander","server":"Redis 7.0.15","dedupe":"function","breaker":"closed"}],
 *    "pending":n,"pendingBytes":n,"accepted":n,"appended":n,"duplicates":n,"refused":n,"deadLetters":n}
 * `oldest`: from there on a client is answered from memory. Lag is that of the slowest subscriber: how much older than
 * the newest entry the place is up to which it was fed, by the ids of the two, and how many entries in memory lie in
 * between. */
#ifndef HG_CORE_REPORT_H
#define HG_CORE_REPORT_H

#include "base/slice.h"
#include "base/time.h"

#define HG_REPORTS_AT_ONCE 1000u

struct hg_core;
struct hg_interest;

struct hg_reports {
    struct hg_interest *interest; /* in $system; NULL: nobody's */
    hg_time next_at;
    size_t next; /* of what all cores told, the first that was not reported yet */
};

/* Whether a pattern is $system, and served. */
bool hg_report_is_served(const struct hg_core *core, struct hg_slice pattern);
/* How many of this core listen. */
uint64_t hg_reports_subscribers(const struct hg_core *core);
void hg_reports_tick(struct hg_core *core);
hg_time hg_reports_deadline(const struct hg_core *core);

#endif
