#include "core/reader.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"

#define SHORT_BLOCK_MS   100u
#define BUSY_ENTRIES     16u /* a reply this large is followed by a pause, so that bursts come as one */
#define BUSY_PAUSE_MS    2u
#define REFUSED_PAUSE_MS 500u
#define UNBLOCK_PAUSE_MS 1u
#define READ_BYTES       (256u * 1024) /* what one stream should bring at most in one reply */
#define COUNT_MAX        1000u
#define PROVE_AT_ONCE    16u /* quiet streams that are asked about in each round */

static void prove(struct hg_reader *reader, struct hg_source *source)
{
    if (!source->proving.wanted.owner && !source->proving.request)
        hg_list_push_back(&reader->unproven, &source->proving.wanted);
}

bool hg_reader_doubt(struct hg_source *source)
{
    if (source->reader)
        prove(source->reader, source);
    return source->reader != NULL;
}

/* A link that asks nothing is not proven alive: not longer than an XREAD blocks. */
static hg_dur refused_pause(const struct hg_core *core)
{
    hg_dur block = hg_reader_block(core), pause = hg_ms(REFUSED_PAUSE_MS);
    return block.us < pause.us ? block : pause;
}

void hg_reader_add(struct hg_core *core, struct hg_source *source)
{
    struct hg_readers *readers = &core->readers;
    struct hg_reader *reader = NULL;
    for (size_t i = 0; i < readers->count && !reader; i++)
        if (readers->items[i]->sources.count < core->config->streams_per_link_max)
            reader = readers->items[i];
    if (!reader && readers->count < HG_LINK_COUNT_MAX - HG_LINK_READER) {
        struct hg_reader **items = realloc(readers->items, (readers->count + 1) * sizeof(struct hg_reader *));
        HG_ASSERT(items);
        readers->items = items;
        reader = hg_core_alloc(sizeof(*reader));
        reader->link = HG_LINK_READER + (uint32_t)readers->count;
        reader->entry_bytes = 512;
        items[readers->count++] = reader;
    }
    if (!reader) /* more streams than links can carry well: the last one carries more */
        reader = readers->items[readers->count - 1];
    source->reader = reader;
    source->asked_in = 0;
    hg_list_push_back(&reader->sources, &source->in_reader);
    prove(reader, source);
    reader->changed = reader->read != NULL;
    hg_link_want(core, reader->link);
}

void hg_reader_remove(struct hg_core *core, struct hg_source *source)
{
    struct hg_reader *reader = source->reader;
    hg_list_remove(&reader->sources, &source->in_reader);
    hg_list_unlink(&source->proving.wanted);
    if (source->proving.request)
        source->proving.request->object = NULL;
    source->proving.request = NULL;
    source->reader = NULL;
    if (reader->sources.count == 0) {
        reader->proving = 0;
        reader->taken = false;
        reader->read = NULL;
        reader->changed = false;
        hg_link_drop(core, reader->link);
    }
}

static uint64_t entry_bytes(const struct hg_entry *entry)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < entry->field_count; i++)
        bytes += entry->fields[i].text.len;
    return bytes;
}

/* False: the shape is wrong. */
static bool take_stream(struct hg_core *core, struct hg_reader *reader, const struct hg_reply *reply)
{
    if (!hg_reply_is_array(reply, 2) || reply->items[0].type != HG_REPLY_STRING ||
        reply->items[1].type != HG_REPLY_ARRAY)
        return false;
    struct hg_source *source = hg_source_find(core, HG_SOURCE_TYPE_STREAM, reply->items[0].text);
    /* Not followed any more, or followed anew from another place than this XREAD started at. */
    if (!source || source->reader != reader || source->asked_in != reader->asked)
        return true;
    const struct hg_reply *list = &reply->items[1];
    for (size_t i = 0; i < list->count; i++) {
        struct hg_entry entry;
        if (!hg_reply_entry(&list->items[i], &entry))
            return false;
        reader->entry_bytes = (reader->entry_bytes * 15 + entry_bytes(&entry)) / 16;
        hg_source_entry(core, source, &entry);
    }
    reader->entries += list->count;
    reader->full = reader->full || list->count >= reader->count;
    if (list->count > 0) {
        source->brought_in = reader->asked;
        if (HG_MUTANT(TRIM_UNSEEN))
            hg_source_offer(core, source);
        else
            prove(reader, source);
    }
    return true;
}

/* A stream that was asked for and brought nothing has nothing more. */
static void settle_streams(struct hg_core *core, struct hg_reader *reader)
{
    for (struct hg_list_node *n = reader->sources.first; n; n = n->next) {
        struct hg_source *source = HG_CONTAINER(n, struct hg_source, in_reader);
        bool nothing = source->asked_in == reader->asked && source->brought_in != reader->asked;
        if (source->whole && (nothing || hg_stream_id_cmp(source->last.id, source->tail.id) >= 0))
            hg_source_settle(core, source);
    }
}

static void set_alive(struct hg_core *core, struct hg_reader *reader, bool alive)
{
    for (struct hg_list_node *n = reader->sources.first; n; n = n->next)
        hg_source_set_alive(core, HG_CONTAINER(n, struct hg_source, in_reader), alive);
}

/* Redis has nothing more for now: what is told from here on is live. */
static void catch_up(struct hg_core *core, struct hg_reader *reader)
{
    if (!reader->behind)
        return;
    reader->behind = false;
    set_alive(core, reader, true);
}

/* What was read is handed on. */
static void finish_read(struct hg_core *core, struct hg_reader *reader)
{
    reader->taken = false;
    settle_streams(core, reader);
    if (!reader->full)
        catch_up(core, reader);
}

static struct hg_reader *reader_of(const struct hg_core *core, uint32_t link)
{
    size_t index = link - HG_LINK_READER;
    HG_ASSERT(index < core->readers.count);
    return core->readers.items[index];
}

static void refused(struct hg_core *core, struct hg_reader *reader, const struct hg_reply *reply)
{
    if (hg_reply_is_error(reply, "UNBLOCKED"))
        return;
    reader->next_read = hg_time_add(core->now, refused_pause(core));
    struct hg_slice words = hg_core_words(core, reply);
    hg_core_log(core, HG_LOG_WARNING, "redis refuses to read streams: %.*s", HG_SLICE_ARG(words));
    /* XREAD does not say which key it means. */
    if (hg_reply_is_error(reply, "WRONGTYPE"))
        for (struct hg_list_node *n = reader->sources.first; n; n = n->next)
            hg_source_inspect(core, HG_CONTAINER(n, struct hg_source, in_reader));
}

void hg_reader_read(struct hg_core *core, struct hg_reader *reader, const struct hg_reply *reply)
{
    reader->read = NULL;
    if (!reply)
        return;
    reader->next_read = core->now;
    if (reply->type == HG_REPLY_ERROR) {
        refused(core, reader, reply);
        return;
    }
    bool well_formed = reply->type == HG_REPLY_ARRAY || reply->type == HG_REPLY_NIL;
    reader->entries = 0;
    reader->full = false;
    for (size_t i = 0; well_formed && i < reply->count; i++)
        well_formed = take_stream(core, reader, &reply->items[i]);
    if (!well_formed) {
        hg_link_lost(core, reader->link, HG_LIT("an answer to XREAD had an unexpected shape"), true);
        return;
    }
    reader->taken = true;
    if (reader->entries >= BUSY_ENTRIES && !reader->full)
        reader->next_read = hg_time_add(core->now, hg_ms(BUSY_PAUSE_MS));
    if (reader->unproven.count == 0)
        finish_read(core, reader);
}

static void ask_for_proof(struct hg_core *core, struct hg_reader *reader)
{
    struct hg_list_node *node;
    while ((node = hg_list_pop_front(&reader->unproven))) {
        hg_proof_ask(core, HG_CONTAINER(node, struct hg_source, proving.wanted), reader->link);
        reader->proving++;
    }
}

void hg_reader_proved(struct hg_core *core, uint32_t link, struct hg_source *source, bool judged,
                      const struct hg_reply *reply)
{
    struct hg_reader *reader = reader_of(core, link);
    enum hg_proof_step step = HG_PROOF_STEP_DONE;
    if (reader->proving == 0)
        return; /* of sources that were all let go since */
    if (source && judged)
        step = hg_proof_judged(core, source, reply);
    else if (source)
        step = hg_proof_found(core, source, link, reply);
    if (step == HG_PROOF_STEP_MALFORMED) {
        hg_link_lost(core, link, HG_LIT("an answer about a stream's history had an unexpected shape"), true);
        return;
    }
    if (step == HG_PROOF_STEP_REFUSED) {
        prove(reader, source);
        reader->ask_at = hg_time_add(core->now, refused_pause(core));
    }
    if (reader->proving == 0)
        return; /* the last source was let go */
    reader->proving -= step != HG_PROOF_STEP_ASKED;
    if (source && step == HG_PROOF_STEP_DONE && reply && source->reader == reader && source->proving.held_before) {
        source->proving.held_before = false;
        prove(reader, source);
    }
    if (reader->proving == 0 && reply && reader->taken && reader->unproven.count == 0)
        finish_read(core, reader);
}

void hg_reader_unblocked(struct hg_core *core, struct hg_reader *reader, const struct hg_reply *reply)
{
    reader->unblock = NULL;
    if (!reply)
        return;
    if (reply->type == HG_REPLY_ERROR) {
        core->readers.cannot_unblock = true;
        struct hg_slice words = hg_core_words(core, reply);
        hg_core_log(core, HG_LOG_INFO, "redis refuses CLIENT UNBLOCK (%.*s): new streams are joined within %u ms",
                    HG_SLICE_ARG(words), SHORT_BLOCK_MS);
    }
    /* 0: it was not blocked at that moment, and Redis does not remember; ask again until it is, or is back by itself.
     */
    reader->next_unblock = hg_time_add(core->now, hg_ms(UNBLOCK_PAUSE_MS));
}

void hg_readers_link_up(struct hg_core *core, uint32_t link)
{
    struct hg_reader *reader = reader_of(core, link);
    reader->behind = true;
    reader->next_read = core->now;
    /* Who answers now may have another history. */
    for (struct hg_list_node *n = reader->sources.first; n && !HG_MUTANT(ROLLBACK_UNSEEN); n = n->next) {
        struct hg_source *source = HG_CONTAINER(n, struct hg_source, in_reader);
        source->proving.held_before = source->proving.held > 0;
        prove(reader, source);
    }
}

void hg_readers_link_lost(struct hg_core *core, uint32_t link)
{
    struct hg_reader *reader = reader_of(core, link);
    reader->proving = 0;
    reader->taken = false;
    /* It may have broken under its answers: smaller ones are asked for. */
    reader->entry_bytes = reader->entry_bytes * 4 < READ_BYTES ? reader->entry_bytes * 4 : READ_BYTES;
    set_alive(core, reader, false);
}

/* Streams that bring nothing: XREAD would not tell if they were deleted, or began anew with lower ids. */
static void ask_quiet_ones(struct hg_core *core, struct hg_reader *reader)
{
    if (!hg_time_reached(reader->prove_at, core->now) || HG_MUTANT(GONE_UNSEEN))
        return;
    reader->prove_at = hg_time_add(core->now, hg_ms(core->config->canary_ms));
    size_t count = reader->sources.count < PROVE_AT_ONCE ? reader->sources.count : PROVE_AT_ONCE;
    for (; count > 0; count--) {
        struct hg_list_node *node = hg_list_pop_front(&reader->sources);
        hg_list_push_back(&reader->sources, node);
        prove(reader, HG_CONTAINER(node, struct hg_source, in_reader));
    }
}

hg_dur hg_reader_block(const struct hg_core *core)
{
    return hg_us(hg_ms(core->config->canary_ms).us / 2);
}

static uint64_t number_of_entries(uint64_t entry_size)
{
    uint64_t count = READ_BYTES / (entry_size + 1);
    return count < 8 ? 8 : count > COUNT_MAX ? COUNT_MAX : count;
}

static uint64_t block_ms(const struct hg_core *core, bool blind)
{
    uint64_t ms = hg_reader_block(core).us / 1000;
    return blind && ms > SHORT_BLOCK_MS ? SHORT_BLOCK_MS : ms;
}

static void read_streams(struct hg_core *core, struct hg_reader *reader)
{
    size_t count = reader->sources.count, at = 3;
    struct hg_slice *argv = hg_core_alloc((6 + 2 * count) * sizeof(*argv));
    char block[24], number[24];
    reader->count = number_of_entries(reader->entry_bytes);
    int number_len = snprintf(number, sizeof(number), "%llu", (unsigned long long)reader->count);
    argv[0] = HG_LIT("XREAD");
    argv[1] = HG_LIT("COUNT");
    argv[2] = hg_slice(number, (size_t)number_len);
    if (!reader->behind) {
        bool blind = core->readers.cannot_unblock || core->links.items[reader->link]->client_id == 0;
        int block_len = snprintf(block, sizeof(block), "%llu", (unsigned long long)block_ms(core, blind));
        argv[3] = HG_LIT("BLOCK");
        argv[4] = hg_slice(block, (size_t)block_len);
        at = 5;
    }
    argv[at++] = HG_LIT("STREAMS");
    struct hg_buf ids;
    hg_buf_init(&ids, count * HG_STREAM_ID_TEXT_MAX);
    /* Reserved at once: the slices point into the buffer. */
    HG_ASSERT(hg_buf_reserve(&ids, count * HG_STREAM_ID_TEXT_MAX));
    reader->asked = ++core->readers.asked;
    for (struct hg_list_node *n = reader->sources.first; n; n = n->next, at++) {
        struct hg_source *source = HG_CONTAINER(n, struct hg_source, in_reader);
        size_t start = ids.len;
        hg_stream_id_put(&ids, source->read.id);
        argv[at] = source->name;
        argv[at + count] = hg_slice(ids.ptr + start, ids.len - start);
        source->asked_in = reader->asked;
    }
    reader->changed = false;
    reader->read = hg_link_send(core, reader->link, HG_REQUEST_READ, reader, argv, at + count);
    hg_buf_done(&ids);
    free(argv);
}

static bool may_unblock(const struct hg_core *core, const struct hg_reader *reader)
{
    return reader->read && reader->changed && !reader->unblock && !core->readers.cannot_unblock &&
           hg_link_is_up(core, reader->link) && core->links.items[reader->link]->client_id != 0 &&
           hg_link_is_up(core, HG_LINK_COMMANDER);
}

static bool may_read(const struct hg_core *core, const struct hg_reader *reader)
{
    return !reader->read && reader->proving == 0 && reader->sources.count > 0 && hg_link_is_up(core, reader->link);
}

void hg_readers_pump(struct hg_core *core)
{
    for (size_t i = 0; i < core->readers.count; i++) {
        struct hg_reader *reader = core->readers.items[i];
        if (may_read(core, reader) && !reader->taken)
            ask_quiet_ones(core, reader);
        if (may_read(core, reader) && reader->unproven.count > 0) {
            if (hg_time_reached(reader->ask_at, core->now))
                ask_for_proof(core, reader);
        } else if (may_read(core, reader) && hg_time_reached(reader->next_read, core->now)) {
            read_streams(core, reader);
        } else if (may_unblock(core, reader) && hg_time_reached(reader->next_unblock, core->now)) {
            char id[24];
            int len = snprintf(id, sizeof(id), "%llu", (unsigned long long)core->links.items[reader->link]->client_id);
            struct hg_slice argv[] = {HG_LIT("CLIENT"), HG_LIT("UNBLOCK"), hg_slice(id, (size_t)len)};
            reader->unblock = hg_link_send(core, HG_LINK_COMMANDER, HG_REQUEST_UNBLOCK, reader, argv, 3);
        }
    }
}

hg_time hg_readers_deadline(const struct hg_core *core)
{
    hg_time deadline = HG_TIME_NEVER;
    for (size_t i = 0; i < core->readers.count; i++) {
        const struct hg_reader *reader = core->readers.items[i];
        if (may_read(core, reader))
            deadline = hg_time_min(deadline, reader->unproven.count > 0 ? reader->ask_at : reader->next_read);
        if (may_unblock(core, reader))
            deadline = hg_time_min(deadline, reader->next_unblock);
    }
    return deadline;
}

void hg_readers_done(struct hg_core *core)
{
    for (size_t i = 0; i < core->readers.count; i++)
        free(core->readers.items[i]);
    free(core->readers.items);
}
