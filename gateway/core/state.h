/* state.h – the core's state in one place: one member a noun, each kept by the file of that name.
 * Private to gateway/core. Calls out: hg_core_log() calls the log port. */
#ifndef HG_CORE_STATE_H
#define HG_CORE_STATE_H

#include "base/prng.h"
#include "core/canary.h"
#include "core/conflation.h"
#include "core/core.h"
#include "core/deflated.h"
#include "core/discovery.h"
#include "core/emitter.h"
#include "core/group.h"
#include "core/interest.h"
#include "core/link.h"
#include "core/mutant.h"
#include "core/overload.h"
#include "core/playback.h"
#include "core/reader.h"
#include "core/replay.h"
#include "core/report.h"
#include "core/session.h"
#include "core/source.h"
#include "core/uplink.h"

struct hg_core {
    const struct hg_config *config;
    struct hg_ports ports;
    struct hg_prng prng;
    struct hg_hash_key hash_key;
    hg_time now;
    unsigned depth;
    bool started, shutting_down;

    struct hg_links links;
    struct hg_canary canary;
    struct hg_sources sources;
    struct hg_readers readers;
    struct hg_discovery discovery;
    struct hg_interests interests;
    struct hg_groups groups;
    struct hg_conflations conflations;
    struct hg_deflation deflation;
    struct hg_sessions sessions;
    struct hg_replays replays;
    struct hg_histories histories;
    struct hg_emitter emitter;
    struct hg_uplinks uplinks;
    struct hg_reports reports;
    struct hg_overload overload;
    struct hg_core_stats stats;
    uint64_t marks; /* look-ups of given places */

    /* Scratch of one event: its member, its tail, its fields. */
    struct hg_buf member, tail;
    struct hg_slice *fields;
    size_t field_capacity;
    /* Scratch of filters: decoded text of one event, and what evaluations build; made with the first filter. */
    char *filter_scratch;
    char *key_scratch; /* the same for keys of conflate, while filters are at work */
    /* Scratch of one command and its answer. */
    struct hg_buf decoded, message;
    /* Scratch of one request to Redis, and of its words. */
    struct hg_buf text, words, key;
};

void hg_core_log(struct hg_core *core, enum hg_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Memory that is zeroed and never NULL: all the core holds is bounded, and a system without memory ends the process. */
void *hg_core_alloc(size_t size);
/* A copy that ends with NUL; the caller frees it. */
char *hg_core_copy(struct hg_slice text);
/* Copies the text to *at, which moves behind it: for objects that hold their texts behind themselves. */
struct hg_slice hg_core_keep(char **at, struct hg_slice text);
/* Redis's words as they may be shown and sent: one line of valid UTF-8, not too long. Valid until the next call. */
struct hg_slice hg_core_words(struct hg_core *core, const struct hg_reply *reply);
size_t hg_core_filter_scratch_bytes(const struct hg_core *core);
/* The event's bytes within core->member, or nothing when it is no JSON. */
struct hg_slice hg_core_json(const struct hg_core *core);
/* Panics when a library ran out of memory; other errors are the caller's business. */
hg_result hg_core_must(hg_result result);

/* The first rule that matches, or NULL; names of the gateway's own ('$') have none. */
const struct hg_rule *hg_core_rule(const struct hg_core *core, struct hg_slice topic);
/* The fields of an entry as slices in core->fields. */
const struct hg_slice *hg_core_fields(struct hg_core *core, const struct hg_entry *entry);

#endif
