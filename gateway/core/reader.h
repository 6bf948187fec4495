/* reader.h – streams are read by blocking XREADs, many streams a link: what each reader follows, and when it asks.
 *
 * A new stream joins a reader that blocks by CLIENT UNBLOCK through the commander; where that is refused the reader
 * blocks for a short time only. Ownership: readers are kept once made; they own nothing of the sources they list. */
#ifndef HG_CORE_READER_H
#define HG_CORE_READER_H

#include "base/list.h"
#include "base/time.h"
#include "core/reply.h"

struct hg_core;
struct hg_request;
struct hg_source;

struct hg_reader {
    uint32_t link;
    struct hg_list sources;
    struct hg_request *read;    /* an XREAD under way */
    struct hg_request *unblock; /* a CLIENT UNBLOCK under way */
    struct hg_list unproven;    /* sources to be asked about before the next XREAD */
    size_t proving;             /* questions under way */
    hg_time ask_at;             /* no question is sent before: Redis refused one */
    hg_time prove_at;           /* quiet sources are asked about again */
    bool taken;                 /* an XREAD was answered, and what follows from it waits for the proofs */
    uint64_t asked;             /* number of the XREAD under way */
    bool changed;               /* the XREAD under way does not name all sources */
    bool behind;                /* since the link came up: not everything that is there was read yet */
    hg_time next_read, next_unblock;
    uint64_t entry_bytes; /* moving average, for COUNT */
    uint64_t count;       /* of the XREAD under way, or the last */
    uint64_t entries;     /* that it brought */
    bool full;            /* one stream brought as many as COUNT allowed: there may be more */
};

struct hg_readers {
    struct hg_reader **items;
    size_t count;
    uint64_t asked;
    bool cannot_unblock;
};

void hg_reader_add(struct hg_core *core, struct hg_source *source);
void hg_reader_remove(struct hg_core *core, struct hg_source *source);
void hg_reader_read(struct hg_core *core, struct hg_reader *reader, const struct hg_reply *reply);
/* `source` NULL: not followed any more. `judged`: an answer to the second question. */
void hg_reader_proved(struct hg_core *core, uint32_t link, struct hg_source *source, bool judged,
                      const struct hg_reply *reply);
/* Asks about a stream before the next XREAD. False: it is not read. */
bool hg_reader_doubt(struct hg_source *source);
/* How long an XREAD blocks at most: so that an answer is due. */
hg_dur hg_reader_block(const struct hg_core *core);
void hg_reader_unblocked(struct hg_core *core, struct hg_reader *reader, const struct hg_reply *reply);
void hg_readers_link_up(struct hg_core *core, uint32_t link);
void hg_readers_link_lost(struct hg_core *core, uint32_t link);
void hg_readers_pump(struct hg_core *core);
hg_time hg_readers_deadline(const struct hg_core *core);
void hg_readers_done(struct hg_core *core);

#endif
