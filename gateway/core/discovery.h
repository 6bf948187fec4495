/* discovery.h – which streams exist: patterns over streams need it, since Redis cannot tell of keys that appear.
 *
 * SCAN goes over all keys of type stream in passes, at most one every discover_ms and never more than a tenth of the
 * time; each key found is matched through the index of patterns. SCAN promises every key that was there for the whole
 * pass, so after one whole pass a stream that turns up later is new, and all its entries are. Exact topics of "auto"
 * rules that are no stream yet are asked for their type in the same rhythm. */
#ifndef HG_CORE_DISCOVERY_H
#define HG_CORE_DISCOVERY_H

#include "base/list.h"
#include "base/time.h"
#include "core/reply.h"
#include "topic/trie.h"

struct hg_core;
struct hg_interest;
struct hg_request;

struct hg_discovery {
    struct hg_trie *patterns; /* of interests that want streams */
    uint64_t pass;            /* number of the pass under way, or of the last */
    bool running;
    char *cursor; /* next SCAN's; NULL between passes */
    struct hg_request *request;
    hg_time started, next_pass;
    hg_time asked_at;  /* the SCAN under way */
    hg_dur busy;       /* what the answers of this pass took */
    bool without_type; /* Redis 5 does not know SCAN … TYPE */
    char *trouble;
    size_t interest_count; /* in the index */
    hg_time retry_at;      /* after SCAN was refused */
    /* Exact interests of "auto" rules: to be asked for (TYPE) now, under way, to be asked for again. */
    struct hg_list undecided, asked, refused;
    hg_time refused_until;
    struct hg_list watched; /* of these, the ones that are a channel so far; longest not asked first */
    hg_time last_watch, next_watch;
};

/* The interest in a pattern that wants streams; it becomes ready after a whole pass. */
void hg_discovery_add(struct hg_core *core, struct hg_interest *interest);
void hg_discovery_remove(struct hg_core *core, struct hg_interest *interest);
/* The interest in an exact topic of an "auto" rule. */
void hg_discovery_decide(struct hg_core *core, struct hg_interest *interest);
/* A client's event made or grew a stream that nobody follows yet. */
void hg_discovery_hint(struct hg_core *core, struct hg_slice key);

void hg_discovery_init(struct hg_core *core);
void hg_discovery_scanned(struct hg_core *core, const struct hg_reply *reply);
void hg_discovery_typed(struct hg_core *core, struct hg_interest *interest, const struct hg_reply *reply);
void hg_discovery_pump(struct hg_core *core);
hg_time hg_discovery_deadline(const struct hg_core *core);
void hg_discovery_done(struct hg_core *core);

#endif
