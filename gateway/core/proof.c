#include "core/proof.h"

#include "base/assert.h"
#include "core/state.h"

#define BACK_COUNT "100" /* entries in each step back to where another history begins */

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
    proving->tail_added = info->added;
    anchor(source, source->last);
    /* Nothing ever went: the beginning is a place that proves itself. */
    if (whole && info->counts && proving->added == 0)
        source->last.proven = source->read.proven = true;
}

/* Nothing of a stream that is read whole was handed on yet, and others have joined at its tail. */
static bool is_at_beginning(const struct hg_source *source)
{
    return is_zero(source->last.id) && source->tail.proven && !is_zero(source->tail.id);
}

static void ask_info(struct hg_core *core, struct hg_source *source, uint32_t link)
{
    struct hg_slice argv[] = {HG_LIT("XINFO"), HG_LIT("STREAM"), source->name};
    source->proving.request = hg_link_send(core, link, HG_REQUEST_JUDGE, source, argv, 3);
}

static void ask_up_to(struct hg_core *core, struct hg_source *source, uint32_t link, hg_stream_id id,
                      struct hg_slice count)
{
    char text[HG_STREAM_ID_TEXT_MAX + 1];
    int len = snprintf(text, sizeof(text), "%llu-%llu", (unsigned long long)id.ms, (unsigned long long)id.seq);
    struct hg_slice argv[] = {HG_LIT("XREVRANGE"), source->name,    hg_slice(text, (size_t)len),
                              HG_LIT("-"),         HG_LIT("COUNT"), count};
    source->proving.request = hg_link_send(core, link, HG_REQUEST_PROVE, source, argv, 6);
}

void hg_proof_ask(struct hg_core *core, struct hg_source *source, uint32_t link)
{
    source->proving.older = beginning;
    source->proving.strange = false;
    source->proving.tail = HG_KNOWN_NOTHING;
    if (is_at_beginning(source))
        ask_up_to(core, source, link, source->tail.id, HG_LIT("1"));
    else if (is_zero(source->last.id))
        ask_info(core, source, link);
    else
        ask_up_to(core, source, link, source->last.id, HG_LIT("1"));
}

/* When Redis does not let us ask, what it lets us read is handed on as it is; without an answer nothing is. */
static enum hg_proof_step not_answered(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply)
{
    if (!hg_reply_is_denial(reply))
        return reply->type == HG_REPLY_ERROR ? HG_PROOF_STEP_REFUSED : HG_PROOF_STEP_MALFORMED;
    if (!core->sources.cannot_prove) {
        struct hg_slice words = hg_core_words(core, reply);
        hg_core_log(core, HG_LOG_WARNING, "redis does not let the gateway prove that '%.*s' has no hole: %.*s",
                    HG_SLICE_ARG(source->name), HG_SLICE_ARG(words));
    }
    core->sources.cannot_prove = true;
    source->proving.anchor = HG_ANCHOR_UNKNOWN;
    hg_source_offer(core, source);
    return HG_PROOF_STEP_DONE;
}

static bool is_strange(const struct hg_source *source, struct hg_place place)
{
    enum hg_known known = hg_history_knows(&source->history, place);
    return known == HG_KNOWN_OTHER || known == HG_KNOWN_ABSENT;
}

static struct hg_place place_of(struct hg_core *core, const struct hg_entry *entry)
{
    return (struct hg_place){entry->id, hg_fingerprint(hg_core_fields(core, entry), entry->field_count), true};
}

/* The entry `id` is of another history: what is there was not there when it was read. Asks for those in front of it. */
static void go_back(struct hg_core *core, struct hg_source *source, uint32_t link, hg_stream_id id)
{
    source->proving.strange = true;
    if (hg_stream_id_prev(id, &id))
        ask_up_to(core, source, link, id, HG_LIT(BACK_COUNT));
    else
        ask_info(core, source, link);
}

/* To the newest entry that was there, or of which nothing is known: what is behind that one must be read, and nothing
 * twice. */
static enum hg_proof_step search_back(struct hg_core *core, struct hg_source *source, uint32_t link,
                                      const struct hg_reply *entries)
{
    hg_stream_id id = HG_STREAM_ID_ZERO;
    for (size_t i = 0; i < entries->count; i++) {
        struct hg_entry entry;
        if (!hg_reply_entry(&entries->items[i], &entry))
            return HG_PROOF_STEP_MALFORMED;
        struct hg_place place = place_of(core, &entry);
        if (!is_strange(source, place)) {
            source->proving.older = place;
            ask_info(core, source, link);
            return HG_PROOF_STEP_ASKED;
        }
        id = entry.id;
    }
    go_back(core, source, link, id);
    return HG_PROOF_STEP_ASKED;
}

static void found_tail(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply,
                       const struct hg_entry *entry)
{
    if (reply->type != HG_REPLY_ARRAY || reply->count == 0)
        return;
    struct hg_place place = place_of(core, entry);
    if (hg_stream_id_cmp(place.id, source->tail.id) != 0)
        source->proving.tail = HG_KNOWN_ABSENT;
    else
        source->proving.tail = place.fingerprint == source->tail.fingerprint ? HG_KNOWN_THERE : HG_KNOWN_OTHER;
}

enum hg_proof_step hg_proof_found(struct hg_core *core, struct hg_source *source, uint32_t link,
                                  const struct hg_reply *reply)
{
    struct hg_proving *proving = &source->proving;
    struct hg_entry entry;
    proving->request = NULL;
    if (!reply)
        return HG_PROOF_STEP_DONE;
    if (hg_reply_is_error(reply, "WRONGTYPE")) {
        hg_source_is_no_stream(core, source);
        return HG_PROOF_STEP_NO_STREAM;
    }
    bool understood = reply->type == HG_REPLY_ARRAY && (reply->count == 0 || hg_reply_entry(&reply->items[0], &entry));
    if (!understood && !(is_at_beginning(source) && hg_reply_is_denial(reply)))
        return not_answered(core, source, reply);
    if (is_at_beginning(source)) {
        found_tail(core, source, reply, &entry);
        ask_info(core, source, link);
        return HG_PROOF_STEP_ASKED;
    }
    if (proving->strange)
        return search_back(core, source, link, reply);
    if (reply->count > 0) {
        struct hg_place place = place_of(core, &entry);
        if (proving->anchor == HG_ANCHOR_UNKNOWN)
            anchor(source, place);
        bool same_id = proving->anchor == HG_ANCHOR_ENTRY && hg_stream_id_cmp(entry.id, proving->entry.id) == 0;
        bool same = same_id && place.fingerprint == proving->entry.fingerprint;
        if (same) {
            hg_source_offer(core, source);
            return HG_PROOF_STEP_DONE;
        }
        if (same_id || is_strange(source, place)) {
            go_back(core, source, link, entry.id);
            return HG_PROOF_STEP_ASKED;
        }
        proving->older = place;
    }
    ask_info(core, source, link);
    return HG_PROOF_STEP_ASKED;
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

/* The first entry that was read, or else that is there; false: there is none. */
static bool first_known(const struct hg_source *source, const struct hg_stream_info *info, hg_stream_id *ret_id)
{
    if (source->proving.held > 0)
        *ret_id = hg_history_behind(&source->history, source->last.id)->id;
    else if (info->length > 0)
        *ret_id = info->first;
    return source->proving.held > 0 || info->length > 0;
}

/* A stream that is read whole, and of which nothing came yet: where nothing is counted, what was its newest entry when
 * it was found stands for all that was there. */
static bool lacks_tail(const struct hg_source *source, const struct hg_stream_info *info)
{
    hg_stream_id first;
    if (!is_at_beginning(source) || is_zero(info->last_generated))
        return false;
    return !first_known(source, info, &first) || hg_stream_id_cmp(first, source->tail.id) > 0;
}

/* A stream that is read whole is another one since it was found: its tail was never in this one. `guessed`: `info` is
 * not Redis's. */
static bool is_another(const struct hg_source *source, const struct hg_stream_info *info, bool guessed)
{
    hg_stream_id tail = source->tail.id;
    if (!info->exists || !is_at_beginning(source))
        return false;
    if (!guessed && hg_stream_id_cmp(info->last_generated, tail) < 0)
        return true;
    if (info->counts && info->length > 0 && info->added == info->length && hg_stream_id_cmp(info->first, tail) > 0)
        return true;
    bool deleted = info->counts && hg_stream_id_cmp(info->max_deleted, tail) >= 0;
    return source->proving.tail == HG_KNOWN_OTHER || (source->proving.tail == HG_KNOWN_ABSENT && !deleted);
}

static struct hg_verdict judge(const struct hg_source *source, const struct hg_stream_info *info, bool guessed,
                               bool *ret_torn)
{
    const struct hg_proving *proving = &source->proving;
    *ret_torn = false;
    if (is_another(source, info, guessed))
        return (struct hg_verdict){.kind = HG_CONTINUITY_GONE};
    /* Nothing was read of it yet, but it was there when it was found, and some stand behind that. */
    if (!info->exists && !is_zero(source->tail.id))
        return (struct hg_verdict){.kind = HG_CONTINUITY_GONE};
    if (info->exists && proving->strange && proving->older.proven)
        return (struct hg_verdict){.kind = HG_CONTINUITY_ROLLED_BACK};
    struct hg_reading reading = {.last = source->last.id,
                                 .counted = proving->counted,
                                 .added = proving->added,
                                 .held = proving->held,
                                 .held_newest = source->read.id,
                                 .older_is_there = proving->older.proven || proving->strange,
                                 .older_is_strange = proving->strange};
    if (reading.held > 0) {
        reading.held_first = hg_history_behind(&source->history, source->last.id)->id;
        reading.held_trimmed = info->length > 0 ? held_before(source, info->first) : reading.held;
    }
    *ret_torn = reading.held > 0 && reading.held_trimmed == reading.held;
    struct hg_verdict verdict = hg_continuity_of_reading(info, &reading);
    if (verdict.kind == HG_CONTINUITY_WHOLE && !(info->counts && proving->counted) && lacks_tail(source, info))
        verdict.kind = HG_CONTINUITY_TRIMMED;
    return verdict;
}

/* What is missing for those who joined at the tail of a stream that is read whole for others. */
static struct hg_verdict judge_behind(const struct hg_source *source, const struct hg_stream_info *info,
                                      struct hg_verdict verdict, hg_stream_id after)
{
    const struct hg_proving *proving = &source->proving;
    const struct hg_verdict whole = {.kind = HG_CONTINUITY_WHOLE};
    hg_stream_id first, behind;
    if (verdict.kind == HG_CONTINUITY_DELETED && hg_stream_id_cmp(info->max_deleted, after) <= 0)
        return whole;
    if (!first_known(source, info, &first)) {
        if (hg_stream_id_cmp(info->last_generated, after) == 0)
            return whole;
    } else if (verdict.kind == HG_CONTINUITY_TRIMMED &&
               (hg_stream_id_cmp(first, after) <= 0 ||
                (hg_stream_id_next(after, &behind) && hg_stream_id_cmp(behind, first) == 0))) {
        return whole;
    }
    bool counted = info->counts && proving->counted && verdict.kind == HG_CONTINUITY_TRIMMED &&
                   hg_stream_id_cmp(after, source->tail.id) == 0;
    if (!counted)
        return (struct hg_verdict){verdict.kind, 0};
    uint64_t added = proving->added + verdict.missed;
    return added > proving->tail_added ? (struct hg_verdict){verdict.kind, added - proving->tail_added} : whole;
}

static void tell(struct hg_core *core, struct hg_source *source, const struct hg_stream_info *info,
                 struct hg_verdict verdict)
{
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next) {
        struct hg_attachment *attachment = HG_CONTAINER(n, struct hg_attachment, in_source);
        struct hg_verdict missed = verdict;
        if (hg_stream_id_cmp(attachment->after.id, source->last.id) > 0)
            missed = judge_behind(source, info, verdict, attachment->after.id);
        if (missed.kind != HG_CONTINUITY_WHOLE)
            hg_interest_missed(core, attachment, missed);
    }
}

/* To the first entry that is there: without counts the same hole would be found again and again. */
static void skip(struct hg_source *source, const struct hg_stream_info *info)
{
    struct hg_place place = {.id = info->last_generated};
    if (info->length > 0)
        (void)hg_stream_id_prev(info->first, &place.id);
    source->last = source->read = place;
}

/* It goes on, with or without a hole in front of what was read. `torn`: all that was read is not there any more either,
 * so that the hole may be behind it: who comes there by a replay is told as well. */
static void go_on(struct hg_core *core, struct hg_source *source, const struct hg_stream_info *info,
                  struct hg_verdict verdict, bool torn)
{
    struct hg_proving *proving = &source->proving;
    bool read_all = hg_stream_id_cmp(info->last_generated, source->read.id) == 0;
    if (verdict.kind != HG_CONTINUITY_WHOLE) {
        hg_history_note_hole(&source->history, source->last.id, verdict);
        tell(core, source, info, verdict);
        if (proving->added + verdict.missed > proving->tail_added)
            proving->tail_added = proving->added + verdict.missed;
    }
    if (info->counts && read_all) {
        proving->counted = true;
        proving->added = info->added - proving->held;
    } else if (!info->counts) {
        proving->counted = false;
    } else if (proving->counted) {
        proving->added += verdict.missed;
    }
    if (proving->held > 0) {
        if (torn && verdict.kind != HG_CONTINUITY_WHOLE)
            source->hole = (struct hg_verdict){verdict.kind, 0};
        hg_source_offer(core, source);
        return;
    }
    if (verdict.kind == HG_CONTINUITY_TRIMMED && !proving->counted)
        skip(source, info);
    anchor(source, proving->older);
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

enum hg_proof_step hg_proof_judged(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply)
{
    struct hg_proving *proving = &source->proving;
    struct hg_stream_info info;
    struct hg_entry first;
    bool guessed = false, torn;
    proving->request = NULL;
    if (!reply)
        return HG_PROOF_STEP_DONE;
    if (hg_reply_is_error(reply, "WRONGTYPE")) {
        hg_source_is_no_stream(core, source);
        return HG_PROOF_STEP_NO_STREAM;
    }
    if (!hg_reply_stream_info(reply, &info, &first, NULL)) {
        if (!hg_reply_is_denial(reply))
            return not_answered(core, source, reply);
        info = guess(core, source, reply);
        guessed = true;
    }
    struct hg_verdict verdict = judge(source, &info, guessed, &torn);
    torn = torn && !guessed; /* what was read is there, as far as anybody is let know */
    if (torn && verdict.missed > 0) {
        /* How many are missing in front of what was read, and how many behind it, nobody can tell. But in front of the
         * first entry that is there now it is known. */
        hg_source_unread(core, source);
        if (info.length > 0)
            hg_source_entry(core, source, &first);
        verdict = judge(source, &info, guessed, &torn);
    }
    switch (verdict.kind) {
    case HG_CONTINUITY_WHOLE:
    case HG_CONTINUITY_TRIMMED:
    case HG_CONTINUITY_DELETED:
        go_on(core, source, &info, verdict, torn);
        return HG_PROOF_STEP_DONE;
    case HG_CONTINUITY_ROLLED_BACK: {
        struct hg_place place = proving->older;
        if (!place.proven)
            place.id = info.last_generated;
        hg_source_reset(core, source, place, verdict.kind);
        proving->counted = info.counts && hg_stream_id_cmp(place.id, info.last_generated) == 0;
        proving->added = info.added;
        anchor(source, place);
        return HG_PROOF_STEP_DONE;
    }
    case HG_CONTINUITY_GONE:
        hg_source_reset(core, source, beginning, verdict.kind);
        hg_proof_begin(source, &info);
        return HG_PROOF_STEP_DONE;
    }
    HG_UNREACHABLE();
}
