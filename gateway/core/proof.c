#include "core/proof.h"

#include "base/assert.h"
#include "core/state.h"

static const struct hg_place beginning = {.proven = false};

static bool is_zero(hg_stream_id id)
{
    return hg_stream_id_cmp(id, HG_STREAM_ID_ZERO) == 0;
}

static void anchor(struct hg_source *source, struct hg_place place)
{
    source->proving.anchor = place.proven && !is_zero(place.id) ? HG_ANCHOR_ENTRY : HG_ANCHOR_NOTHING;
    source->proving.entry = place;
}

void hg_proof_begin(struct hg_source *source, const struct hg_stream_info *info)
{
    struct hg_proving *proving = &source->proving;
    bool whole = is_zero(source->last.id);
    proving->counted = info->counts;
    proving->added = whole ? info->added - info->length : info->added;
    anchor(source, source->last);
    /* Nothing ever went: the beginning is a place that proves itself. */
    if (whole && info->counts && proving->added == 0)
        source->last.proven = source->read.proven = true;
}

static void ask_info(struct hg_core *core, struct hg_source *source, uint32_t link)
{
    struct hg_slice argv[] = {HG_LIT("XINFO"), HG_LIT("STREAM"), source->name};
    source->proving.request = hg_link_send(core, link, HG_REQUEST_JUDGE, source, argv, 3);
}

void hg_proof_ask(struct hg_core *core, struct hg_source *source, uint32_t link)
{
    char id[HG_STREAM_ID_TEXT_MAX + 1];
    source->proving.older = beginning;
    if (is_zero(source->last.id)) {
        ask_info(core, source, link);
        return;
    }
    int len = snprintf(id, sizeof(id), "%llu-%llu", (unsigned long long)source->last.id.ms,
                       (unsigned long long)source->last.id.seq);
    struct hg_slice argv[] = {HG_LIT("XREVRANGE"), source->name,    hg_slice(id, (size_t)len),
                              HG_LIT("-"),         HG_LIT("COUNT"), HG_LIT("1")};
    source->proving.request = hg_link_send(core, link, HG_REQUEST_PROVE, source, argv, 6);
}

static void give_up(struct hg_core *core, uint32_t link, const struct hg_reply *reply)
{
    bool says_why = reply->type == HG_REPLY_ERROR;
    hg_link_lost(core, link, says_why ? hg_core_words(core, reply) : HG_LIT("a proof had an unexpected shape"), true);
}

/* Redis does not let us ask; what it lets us read is handed on as it is. What is no refusal is no answer either: as
 * long as Redis loads its data nothing is proven, and it is asked again when the link is back. */
static void cannot_ask(struct hg_core *core, struct hg_source *source, uint32_t link, const struct hg_reply *reply)
{
    if (!hg_reply_is_refusal(reply)) {
        give_up(core, link, reply);
        return;
    }
    if (!core->sources.cannot_prove) {
        struct hg_slice words = hg_core_words(core, reply);
        hg_core_log(core, HG_LOG_WARNING, "redis does not let the gateway prove that '%.*s' has no hole: %.*s",
                    HG_SLICE_ARG(source->name), HG_SLICE_ARG(words));
    }
    core->sources.cannot_prove = true;
    source->proving.anchor = HG_ANCHOR_UNKNOWN;
    hg_source_offer(core, source);
}

bool hg_proof_found(struct hg_core *core, struct hg_source *source, uint32_t link, const struct hg_reply *reply)
{
    struct hg_proving *proving = &source->proving;
    struct hg_entry entry;
    proving->request = NULL;
    if (!reply)
        return true;
    if (hg_reply_is_error(reply, "WRONGTYPE")) {
        hg_source_is_no_stream(core, source);
        return true;
    }
    bool found = reply->type == HG_REPLY_ARRAY && reply->count == 1 && hg_reply_entry(&reply->items[0], &entry);
    if (!found && (reply->type != HG_REPLY_ARRAY || reply->count > 0)) {
        cannot_ask(core, source, link, reply);
        return true;
    }
    if (found) {
        uint32_t fingerprint = hg_fingerprint(hg_core_fields(core, &entry), entry.field_count);
        struct hg_place place = {entry.id, fingerprint, true};
        if (proving->anchor == HG_ANCHOR_UNKNOWN) {
            anchor(source, place);
        } else if (proving->anchor == HG_ANCHOR_ENTRY && hg_stream_id_cmp(entry.id, proving->entry.id) == 0 &&
                   fingerprint != proving->entry.fingerprint) {
            /* The same id and another event: it is read again. */
            struct hg_place before = {.id = entry.id};
            (void)hg_stream_id_prev(entry.id, &before.id);
            hg_source_reset(core, source, before, HG_CONTINUITY_ROLLED_BACK);
            proving->anchor = HG_ANCHOR_UNKNOWN;
            proving->counted = false;
            return true;
        }
        if (proving->anchor == HG_ANCHOR_ENTRY && hg_stream_id_cmp(entry.id, proving->entry.id) == 0) {
            hg_source_offer(core, source);
            return true;
        }
        proving->older = place;
    }
    ask_info(core, source, link);
    return false;
}

static uint64_t held_before(const struct hg_source *source, hg_stream_id first)
{
    uint64_t count = 0;
    hg_stream_id id;
    if (source->proving.held == 0 || !hg_stream_id_next(source->last.id, &id))
        return 0;
    for (const struct hg_page *page = hg_history_page(&source->history, id); page; page = hg_page_after(page)) {
        size_t from = hg_page_seek(page, id), to = hg_page_seek(page, first);
        count += to > from ? to - from : 0;
    }
    return count;
}

static struct hg_verdict judge(const struct hg_source *source, const struct hg_stream_info *info)
{
    const struct hg_proving *proving = &source->proving;
    struct hg_reading reading = {.last = source->last.id,
                                 .counted = proving->counted,
                                 .added = proving->added,
                                 .held = proving->held,
                                 .held_newest = source->read.id,
                                 .older_is_there = proving->older.proven};
    if (reading.held > 0) {
        reading.held_first = hg_history_behind(&source->history, source->last.id)->id;
        reading.held_trimmed = info->length > 0 ? held_before(source, info->first) : reading.held;
    }
    if (proving->older.proven) {
        enum hg_known known = hg_history_knows(&source->history, proving->older);
        reading.older_is_strange = known == HG_KNOWN_OTHER || known == HG_KNOWN_ABSENT;
    }
    return hg_continuity_of_reading(info, &reading);
}

/* To the first entry that is there: without counts the same hole would be found again and again. */
static void skip(struct hg_source *source, const struct hg_stream_info *info)
{
    struct hg_place place = {.id = info->last_generated};
    if (info->length > 0)
        (void)hg_stream_id_prev(info->first, &place.id);
    source->last = source->read = place;
}

/* It goes on, with or without a hole in front of what was read. */
static void go_on(struct hg_core *core, struct hg_source *source, const struct hg_stream_info *info,
                  struct hg_verdict verdict)
{
    struct hg_proving *proving = &source->proving;
    bool read_all = hg_stream_id_cmp(info->last_generated, source->read.id) == 0;
    if (info->counts && read_all) {
        proving->counted = true;
        proving->added = info->added - proving->held;
    } else if (!info->counts) {
        proving->counted = false;
    } else if (proving->counted) {
        proving->added += verdict.missed;
    }
    if (verdict.kind != HG_CONTINUITY_WHOLE) {
        hg_history_note_hole(&source->history, source->last.id, verdict);
        hg_source_tell(core, source, verdict);
    }
    if (proving->held == 0) {
        if (verdict.kind == HG_CONTINUITY_TRIMMED && !proving->counted)
            skip(source, info);
        anchor(source, proving->older);
    }
    hg_source_offer(core, source);
}

/* XINFO is refused: XREVRANGE has said what is known. */
static struct hg_stream_info guess(struct hg_core *core, const struct hg_source *source, const struct hg_reply *reply)
{
    if (!core->sources.without_info) {
        struct hg_slice words = hg_core_words(core, reply);
        hg_core_log(core, HG_LOG_WARNING, "redis refuses XINFO STREAM: gaps of streams are told without a count (%.*s)",
                    HG_SLICE_ARG(words));
    }
    core->sources.without_info = true;
    return (struct hg_stream_info){.exists = true, .last_generated = source->read.id};
}

void hg_proof_judged(struct hg_core *core, struct hg_source *source, uint32_t link, const struct hg_reply *reply)
{
    struct hg_proving *proving = &source->proving;
    struct hg_stream_info info;
    proving->request = NULL;
    if (!reply)
        return;
    if (hg_reply_is_error(reply, "WRONGTYPE")) {
        hg_source_is_no_stream(core, source);
        return;
    }
    if (!hg_reply_stream_info(reply, &info, NULL)) {
        if (!hg_reply_is_refusal(reply)) {
            give_up(core, link, reply);
            return;
        }
        info = guess(core, source, reply);
    }
    struct hg_verdict verdict = judge(source, &info);
    switch (verdict.kind) {
    case HG_CONTINUITY_WHOLE:
    case HG_CONTINUITY_TRIMMED:
    case HG_CONTINUITY_DELETED:
        go_on(core, source, &info, verdict);
        return;
    case HG_CONTINUITY_ROLLED_BACK: {
        struct hg_place place = proving->older;
        if (!place.proven)
            place.id = info.last_generated;
        hg_source_reset(core, source, place, verdict.kind);
        proving->counted = info.counts && hg_stream_id_cmp(place.id, info.last_generated) == 0;
        proving->added = info.added;
        anchor(source, place);
        return;
    }
    case HG_CONTINUITY_GONE:
        hg_source_reset(core, source, beginning, verdict.kind);
        hg_proof_begin(source, &info);
        return;
    }
    HG_UNREACHABLE();
}
