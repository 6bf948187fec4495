/* standing.h – how a stream that is followed stands: what $system tells of it (report.h). Several cores of a process
 * that follow the same stream have one standing together. Calls out: none. */
#ifndef HG_CORE_STANDING_H
#define HG_CORE_STANDING_H

#include "stream/cursor.h"

struct hg_standing {
    struct hg_place oldest; /* from there on a client is answered from memory */
    struct hg_place newest;
    hg_stream_id slowest; /* up to where the slowest subscriber was fed */
    uint64_t history_bytes, subscribers;
    uint64_t events_behind; /* of the slowest, as far as they are in memory */
};

/* Adds another core's. A client is answered from memory from where on every core can. */
void hg_standing_merge(struct hg_standing *standing, const struct hg_standing *other);

#endif
