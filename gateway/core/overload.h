/* overload.h – what the gate does about its load: counts the bytes it holds, refuses new clients and replays while it
 * sheds (admission.h), and closes the worst laggards when memory is at its ceiling.
 *
 * Bytes are counted, not measured: what is bounded by settings, and for each client, subscription, group and topic what
 * it costs at rest. So the count goes down as soon as something is freed, whatever the allocator keeps. The worst
 * laggards are those whose sockets have taken nothing for the longest time. */
#ifndef HG_CORE_OVERLOAD_H
#define HG_CORE_OVERLOAD_H

#include "core/admission.h"
#include "wire/command.h"

/* At rest, with the allocator's share and that of libraries; a client's is that of a plain connection and one
 * subscription (gateway/ws/README.md). */
#define HG_SESSION_BYTES 3072u
#define HG_SUB_BYTES     256u
#define HG_GROUP_BYTES   1024u
#define HG_SOURCE_BYTES  2048u

struct hg_core;
struct hg_session;

struct hg_overload {
    struct hg_admission admission;
    uint64_t descriptors_left;
    /* As of the beginning of the state, for the line that tells its end. */
    uint64_t refused_before, replays_before;
};

void hg_overload_init(struct hg_core *core);
/* Once a turn. */
void hg_overload_feed(struct hg_core *core, hg_dur turn, uint64_t descriptors, uint64_t descriptors_left);
uint64_t hg_overload_bytes(const struct hg_core *core);
/* Whether one more client may come; if not, after how long it may ask again. */
bool hg_overload_admits(struct hg_core *core, unsigned *reterr_retry_s);
/* True: there is no room for what this asks for, and the client was told. */
bool hg_overload_refuses(struct hg_core *core, struct hg_session *session, struct hg_slice ref,
                         const struct hg_from *from);
/* Closes laggards if there must be. */
void hg_overload_tick(struct hg_core *core);
hg_time hg_overload_deadline(const struct hg_core *core);

#endif
