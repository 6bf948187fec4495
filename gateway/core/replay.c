#include "core/replay.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "wire/message.h"

#define FETCH_BYTES      (512u * 1024)
#define FETCH_MAX        1000u
#define FETCH_MIN        4u
#define REFUSED_PAUSE_MS 500u
#define PACE_STEP_MS     5u

static struct hg_source *source_of(const struct hg_replay *replay)
{
    return replay->attachment->source;
}

static struct hg_replay *replay_of(struct hg_list_node *node)
{
    return HG_CONTAINER(node, struct hg_replay, queue);
}

/* ---- queues ------------------------------------------------------------------------------------------------------ */

static void check_hungry(struct hg_core *core, struct hg_source *source)
{
    const struct hg_past_wants *wants = &source->wants;
    bool hungry = (wants->pages.count > 0 && !wants->page) || (wants->verdicts.count > 0 && !wants->verdict);
    if (!hungry)
        hg_list_unlink(&source->wants.hungry);
    else if (!wants->hungry.owner)
        hg_list_push_back(&core->replays.hungry, &source->wants.hungry);
}

static void leave_queue(struct hg_core *core, struct hg_replay *replay)
{
    hg_list_unlink(&replay->queue);
    check_hungry(core, source_of(replay));
}

static void want(struct hg_core *core, struct hg_replay *replay, struct hg_list *list)
{
    hg_list_push_back(list, &replay->queue);
    check_hungry(core, source_of(replay));
}

void hg_replay_wake(struct hg_core *core, struct hg_replay *replay)
{
    struct hg_session *session = replay->sub->session;
    hg_list_unlink(&replay->queue);
    hg_list_push_back(&hg_session_backlog(session)->ready, &replay->queue);
    hg_session_touch(core, session);
}

void hg_replay_sleep(struct hg_core *core, struct hg_replay *replay)
{
    leave_queue(core, replay);
}

static void set_end(struct hg_replay *replay)
{
    replay->end = hg_attachment_place(replay->attachment);
    replay->until = replay->end.id;
    replay->end.proven = replay->end.proven && hg_stream_id_cmp(replay->until, HG_STREAM_ID_ZERO) != 0;
    replay->ended = false;
}

/* What is missing behind what the groups have: in front of what was read and waits for its proof, or of what comes. */
static struct hg_verdict hole_behind(const struct hg_source *source)
{
    hg_stream_id id;
    if (source->proving.held == 0 || !hg_stream_id_next(source->last.id, &id))
        return source->hole;
    const struct hg_page *page = hg_history_page(&source->history, id);
    size_t index = page ? hg_page_seek(page, id) : 0;
    if (!page || index == page->count)
        return source->hole;
    const struct hg_past *past = &page->entries[index];
    return (struct hg_verdict){(enum hg_continuity)past->hole, past->missed};
}

static struct hg_replay *start(struct hg_core *core, struct hg_sub *sub, struct hg_attachment *attachment)
{
    struct hg_replay *replay = hg_core_alloc(sizeof(*replay));
    replay->sub = sub;
    replay->attachment = attachment;
    replay->hole = hole_behind(attachment->source);
    set_end(replay);
    hg_list_push_back(&sub->replays, &replay->in_sub);
    if (!sub->paused)
        hg_replay_wake(core, replay);
    return replay;
}

static bool is_empty(const struct hg_attachment *attachment)
{
    return hg_stream_id_cmp(hg_attachment_place(attachment).id, HG_STREAM_ID_ZERO) == 0;
}

void hg_replay_start(struct hg_core *core, struct hg_sub *sub, struct hg_attachment *attachment, enum hg_proof proof,
                     struct hg_place from)
{
    if (proof == HG_PROOF_NONE && is_empty(attachment))
        return;
    struct hg_replay *replay = start(core, sub, attachment);
    replay->proof = proof;
    replay->from = from;
    if (HG_MUTANT(DOUBLE_JOIN))
        replay->until = HG_STREAM_ID_MAX;
}

void hg_replay_start_last(struct hg_core *core, struct hg_sub *sub, struct hg_attachment *attachment, uint64_t last)
{
    if (is_empty(attachment))
        return;
    struct hg_replay *replay = start(core, sub, attachment);
    replay->from.id = HG_STREAM_ID_MAX;
    replay->last = last;
    replay->upper = replay->until;
}

static bool is_rewritten(enum hg_continuity kind)
{
    return kind == HG_CONTINUITY_ROLLED_BACK || kind == HG_CONTINUITY_GONE;
}

/* Where in the log the gap was is not known any more: it is told before all that was lost with it, without a count. */
static void owe(struct hg_replay *replay, enum hg_continuity missed)
{
    bool graver = !is_rewritten(replay->owed.kind) || is_rewritten(missed);
    if (missed != HG_CONTINUITY_WHOLE && graver && !HG_MUTANT(GAP_FALLS_OFF))
        replay->owed = (struct hg_verdict){missed, 0};
}

void hg_replay_start_fallen(struct hg_core *core, struct hg_sub *sub, const struct hg_span *span)
{
    struct hg_replay *replay = start(core, sub, span->attachment);
    replay->hole.kind = HG_CONTINUITY_WHOLE; /* its log tells it */
    replay->proof = span->any ? HG_PROOF_FIRST : HG_PROOF_NONE;
    replay->from.id = span->any ? span->first : HG_STREAM_ID_MAX;
    owe(replay, span->missed.kind);
}

void hg_replay_extend(struct hg_replay *replay, const struct hg_span *span)
{
    set_end(replay);
    replay->hole.kind = HG_CONTINUITY_WHOLE; /* it goes over it now, or owes it */
    bool only_owes = replay->last == 0 && hg_stream_id_cmp(replay->from.id, HG_STREAM_ID_MAX) == 0;
    if (span->any && only_owes) {
        replay->proof = HG_PROOF_FIRST;
        replay->from.id = span->first;
    } else if (span->any && hg_stream_id_cmp(replay->fallen, HG_STREAM_ID_ZERO) == 0) {
        replay->fallen = span->first;
        if (replay->last == 0 && replay->proof == HG_PROOF_NONE &&
            hg_stream_id_cmp(span->first, replay->from.id) < 0) { /* a time to come was asked for */
            replay->proof = HG_PROOF_FIRST;
            replay->from = (struct hg_place){.id = span->first};
        }
    }
    owe(replay, span->missed.kind);
    replay->after = HG_CONTINUITY_WHOLE; /* owed now; it goes on in the other history itself */
}

void hg_replay_free(struct hg_core *core, struct hg_replay *replay)
{
    leave_queue(core, replay);
    hg_list_remove(&replay->sub->replays, &replay->in_sub);
    free(replay);
}

static void finish(struct hg_core *core, struct hg_replay *replay)
{
    struct hg_sub *sub = replay->sub;
    hg_replay_free(core, replay);
    hg_sub_check_replays(core, sub);
}

/* ---- one replay's way -------------------------------------------------------------------------------------------- */

static void tell_gap(struct hg_core *core, struct hg_replay *replay, enum hg_gap reason, uint64_t count)
{
    struct hg_sub *sub = replay->sub;
    hg_message_gap(&sub->session->out, sub->group->number, source_of(replay)->topic, reason, count);
    (void)hg_core_must(hg_buf_result(&sub->session->out));
    hg_session_touch(core, sub->session);
}

static void tell_verdict(struct hg_core *core, struct hg_replay *replay, struct hg_verdict verdict)
{
    /* How many of those that were missed would have passed a filter, nobody knows. */
    if (verdict.kind != HG_CONTINUITY_WHOLE)
        tell_gap(core, replay, hg_gap_of(verdict.kind), replay->sub->group->filter ? 0 : verdict.missed);
}

static bool passes(struct hg_core *core, const struct hg_replay *replay, struct hg_page *page, size_t index)
{
    const struct hg_group *group = replay->sub->group;
    if (hg_echo_is_own(replay->sub->session, page->entries[index].except))
        return false;
    if (!group->filter)
        return true;
    uint8_t *known = group->sub_count > 1 ? hg_page_sieve(core, page, group->number, index) : NULL;
    if (known && *known)
        return *known - 1;
    struct hg_slice json = hg_page_json(page, index);
    bool fits = page->entries[index].fits, unknown = !fits && !json.ptr;
    bool pass = unknown || hg_interest_passes(core, group, source_of(replay)->topic, json, fits);
    if (known)
        *known = (uint8_t)(1 + pass);
    return pass;
}

static void deliver(struct hg_core *core, struct hg_replay *replay, const struct hg_page *page, size_t index)
{
    struct hg_sub *sub = replay->sub;
    if (!page->entries[index].fits) {
        tell_gap(core, replay, HG_GAP_OVERFLOW, 1);
        return;
    }
    hg_message_event(&sub->session->out, sub->group->number, hg_page_tail(page, index));
    (void)hg_core_must(hg_buf_result(&sub->session->out));
    core->stats.replayed++;
}

static void arrive(struct hg_core *core, struct hg_replay *replay)
{
    if (replay->after != HG_CONTINUITY_WHOLE)
        tell_gap(core, replay, hg_gap_of(replay->after), 0);
    else
        tell_verdict(core, replay, replay->hole);
    finish(core, replay);
}

static void doubt(struct hg_core *core, struct hg_replay *replay)
{
    want(core, replay, &source_of(replay)->wants.verdicts);
}

/* It began with the first entry that is there, `id`, or found none (NULL); but its subscription lost entries of the log
 * meanwhile, and the first of them is not there any more. */
static bool lacks_fallen(struct hg_replay *replay, const hg_stream_id *id)
{
    if (replay->proof != HG_PROOF_NONE || hg_stream_id_cmp(replay->fallen, HG_STREAM_ID_ZERO) == 0 ||
        (id && hg_stream_id_cmp(*id, replay->fallen) <= 0))
        return false;
    replay->proof = HG_PROOF_FIRST;
    replay->from = (struct hg_place){.id = replay->fallen};
    replay->fallen = HG_STREAM_ID_ZERO;
    return true;
}

/* The last entry that it was to bring is not there: what it went through may be no history of that one. */
static bool lacks_end(struct hg_replay *replay)
{
    bool came = replay->proof == HG_PROOF_SEEN && hg_stream_id_cmp(replay->from.id, replay->end.id) >= 0;
    if (!replay->end.proven || came || replay->told)
        return false;
    replay->proof = HG_PROOF_FIRST;
    replay->from = replay->end;
    replay->ended = true;
    return true;
}

/* False: it waits for Redis, for its time, or is over. */
static bool go_through(struct hg_core *core, struct hg_replay *replay, hg_stream_id start)
{
    struct hg_session *session = replay->sub->session;
    struct hg_source *source = source_of(replay);
    struct hg_page *page = hg_history_page(&source->history, start);
    if (!page) {
        want(core, replay, &source->wants.pages);
        return false;
    }
    size_t index = hg_page_seek(page, start);
    if (index < page->count && replay->proof == HG_PROOF_SEEN && HG_MUTANT(RESUME_OFF_BY_ONE))
        index++;
    for (;;) {
        if (index == page->count) {
            if (hg_stream_id_cmp(page->to, replay->until) >= 0)
                break;
            struct hg_page *next = hg_page_after(page);
            if (!next) {
                if (replay->proof != HG_PROOF_SEEN)
                    HG_ASSERT(hg_stream_id_next(page->to, &replay->from.id));
                want(core, replay, &source->wants.pages);
                return false;
            }
            page = next;
            index = 0;
            continue;
        }
        const struct hg_past *past = &page->entries[index];
        if (hg_stream_id_cmp(past->id, replay->until) > 0)
            break;
        if (lacks_fallen(replay, &past->id))
            return true;
        if (session->out.len >= HG_WRITE_BYTES || core->replays.scans_left == 0)
            return true;
        replay->due = hg_sub_due(core, replay->sub, past->id.ms);
        if (!hg_time_reached(replay->due, core->now)) {
            hg_list_push_back(&core->replays.paced, &replay->queue);
            core->replays.paced_until = hg_time_min(core->replays.paced_until, replay->due);
            return false;
        }
        core->replays.scans_left--;
        if (past->hole)
            tell_verdict(core, replay, (struct hg_verdict){(enum hg_continuity)past->hole, past->missed});
        if (passes(core, replay, page, index))
            deliver(core, replay, page, index);
        replay->from = (struct hg_place){past->id, past->fingerprint, true};
        replay->proof = HG_PROOF_SEEN;
        replay->told = false;
        index++;
    }
    if (lacks_fallen(replay, NULL))
        return true;
    if (lacks_end(replay))
        doubt(core, replay);
    else
        arrive(core, replay);
    return false;
}

static bool prove_first(struct hg_core *core, struct hg_replay *replay)
{
    struct hg_source *source = source_of(replay);
    switch (hg_history_knows(&source->history, replay->from)) {
    case HG_KNOWN_THERE:
        return go_through(core, replay, replay->from.id);
    case HG_KNOWN_NOTHING:
        want(core, replay, &source->wants.pages);
        return false;
    case HG_KNOWN_ABSENT:
    case HG_KNOWN_OTHER:
        doubt(core, replay);
        return false;
    }
    HG_UNREACHABLE();
}

static bool prove_seen(struct hg_core *core, struct hg_replay *replay)
{
    struct hg_source *source = source_of(replay);
    enum hg_known known = hg_source_knows(source, replay->from);
    hg_stream_id behind;
    switch (known) {
    case HG_KNOWN_THERE:
        if (!hg_stream_id_next(replay->from.id, &behind) || hg_stream_id_cmp(behind, replay->until) > 0) {
            arrive(core, replay);
            return false;
        }
        return go_through(core, replay, behind);
    case HG_KNOWN_OTHER:
        tell_gap(core, replay, HG_GAP_ROLLED_BACK, 0);
        replay->told = true;
        replay->proof = HG_PROOF_NONE;
        return true;
    case HG_KNOWN_ABSENT:
        doubt(core, replay);
        return false;
    case HG_KNOWN_NOTHING:
        if (hg_stream_id_cmp(replay->from.id, HG_STREAM_ID_ZERO) == 0)
            doubt(core, replay);
        else
            want(core, replay, &source->wants.pages);
        return false;
    }
    HG_UNREACHABLE();
}

/* Backwards through the history, to the place where so many entries lie ahead. */
static bool count_back(struct hg_core *core, struct hg_replay *replay)
{
    struct hg_source *source = source_of(replay);
    struct hg_page *page = hg_history_page(&source->history, replay->upper);
    if (!page) {
        want(core, replay, &source->wants.pages);
        return false;
    }
    hg_stream_id above;
    size_t index = hg_stream_id_next(replay->upper, &above) ? hg_page_seek(page, above) : page->count;
    for (; index > 0 && replay->last > 0; index--) {
        if (core->replays.scans_left == 0)
            return true;
        core->replays.scans_left--;
        const struct hg_past *past = &page->entries[index - 1];
        replay->upper = past->id;
        (void)hg_stream_id_prev(past->id, &replay->upper);
        if (passes(core, replay, page, index - 1)) {
            replay->from = (struct hg_place){past->id, past->fingerprint, true};
            replay->last--;
        }
    }
    if (replay->last > 0 && !hg_stream_id_prev(page->from, &replay->upper))
        replay->last = 0;
    if (replay->last > 0)
        return true;
    if (hg_stream_id_cmp(replay->from.id, HG_STREAM_ID_MAX) == 0) { /* none of them passes */
        if (hg_stream_id_cmp(replay->fallen, HG_STREAM_ID_ZERO) == 0) {
            finish(core, replay);
            return false;
        }
        replay->from.id = replay->fallen;
    }
    replay->proof = HG_PROOF_FIRST;
    return true;
}

/* True: it can go on at once. */
static bool step(struct hg_core *core, struct hg_replay *replay)
{
    tell_verdict(core, replay, replay->owed);
    replay->owed.kind = HG_CONTINUITY_WHOLE;
    struct hg_source *source = source_of(replay);
    if (replay->last > 0 && hg_stream_id_cmp(replay->upper, source->read.id) > 0 && !source->whole)
        replay->upper = source->read.id;
    if (replay->last > 0)
        return count_back(core, replay);
    if (hg_stream_id_cmp(replay->from.id, replay->until) > 0 && replay->proof == HG_PROOF_SEEN) {
        /* A client that is further than the stream: else its subscription would have waited. */
        doubt(core, replay);
        return false;
    }
    if (hg_stream_id_cmp(replay->from.id, replay->until) > 0 ||
        hg_stream_id_cmp(replay->until, HG_STREAM_ID_ZERO) == 0) {
        finish(core, replay);
        return false;
    }
    if (replay->proof == HG_PROOF_NONE && !source->whole && hg_stream_id_cmp(replay->from.id, source->read.id) > 0) {
        arrive(core, replay); /* what was there is not any more */
        return false;
    }
    switch (replay->proof) {
    case HG_PROOF_NONE:
        return go_through(core, replay, replay->from.id);
    case HG_PROOF_FIRST:
        return prove_first(core, replay);
    case HG_PROOF_SEEN:
        return prove_seen(core, replay);
    }
    HG_UNREACHABLE();
}

void hg_replays_fill(struct hg_core *core, struct hg_session *session)
{
    struct hg_list *ready = &session->backlog->ready;
    struct hg_list_node *node;
    while (session->out.len < HG_WRITE_BYTES && core->replays.scans_left > 0 && (node = hg_list_pop_front(ready)))
        if (step(core, replay_of(node)))
            hg_list_push_back(ready, node);
}

/* Whether the log, from where the subscription goes on, has entries of the stream: then what the replay leaves out lies
 * in front of them, and the gap that comes behind them is not enough. */
static bool has_entries(const struct hg_sub *sub, const struct hg_attachment *attachment)
{
    const struct hg_segment *segment = sub->next ? sub->next : sub->group->unseen;
    while (segment) {
        for (size_t i = 0; i < segment->span_count; i++)
            if (segment->spans[i].attachment == attachment)
                return true;
        const struct hg_list_node *next = segment->in_log.next;
        segment = next ? HG_CONTAINER(next, const struct hg_segment, in_log) : NULL;
    }
    return false;
}

/* Behind the place nothing is left of the history that it was to go through. */
static void end_at(struct hg_core *core, struct hg_replay *replay, struct hg_place place, enum hg_continuity why)
{
    bool log_goes_on = has_entries(replay->sub, replay->attachment);
    bool counts = replay->last > 0, beyond = hg_stream_id_cmp(replay->from.id, place.id) > 0;
    if (why != HG_CONTINUITY_GONE && hg_stream_id_cmp(replay->until, place.id) <= 0) {
        hg_replay_sleep(core, replay); /* its way is as it was, but for the history in memory */
        if (!replay->sub->paused)
            hg_replay_wake(core, replay);
        return;
    }
    if (why == HG_CONTINUITY_GONE || (beyond && !counts)) {
        if (log_goes_on)
            tell_gap(core, replay, hg_gap_of(why), 0);
        finish(core, replay);
        return;
    }
    replay->until = place.id;
    replay->end = place;
    replay->hole.kind = HG_CONTINUITY_WHOLE;
    replay->ended = false;
    replay->fallen = HG_STREAM_ID_ZERO;
    if (log_goes_on)
        replay->after = why;
    if (counts && beyond)
        replay->from.id = HG_STREAM_ID_MAX;
    if (counts && hg_stream_id_cmp(replay->upper, place.id) > 0)
        replay->upper = place.id;
    hg_replay_sleep(core, replay);
    if (!replay->sub->paused)
        hg_replay_wake(core, replay);
}

void hg_replays_end(struct hg_core *core, struct hg_source *source, struct hg_place place, enum hg_continuity why)
{
    source->wants.page_stale = source->wants.page != NULL;
    for (struct hg_list_node *a = source->attachments.first; a; a = a->next) {
        const struct hg_attachment *attachment = HG_CONTAINER(a, struct hg_attachment, in_source);
        for (struct hg_list_node *g = attachment->interest->groups.first; g; g = g->next) {
            const struct hg_group *group = HG_CONTAINER(g, struct hg_group, in_interest);
            for (size_t i = 0; i < group->member_count; i++) {
                struct hg_list_node *next;
                for (struct hg_list_node *r = group->members[i]->replays.first; r; r = next) {
                    next = r->next;
                    struct hg_replay *replay = HG_CONTAINER(r, struct hg_replay, in_sub);
                    if (replay->attachment == attachment)
                        end_at(core, replay, place, why);
                }
            }
        }
    }
}

/* ---- Redis ------------------------------------------------------------------------------------------------------- */

static bool is_known_now(const struct hg_replay *replay)
{
    return hg_history_page(&source_of(replay)->history, replay->last > 0 ? replay->upper : replay->from.id) != NULL;
}

/* The one that asked goes first, so that it gets its page before the bounds take it. */
static void page_is_there(struct hg_core *core, struct hg_source *source)
{
    struct hg_list *pages = &source->wants.pages;
    struct hg_list_node *next;
    if (pages->first) {
        struct hg_replay *first = replay_of(pages->first);
        struct hg_session *session = first->sub->session;
        hg_replay_wake(core, first);
        if (session->queued.owner == &core->sessions.dirty) {
            hg_list_unlink(&session->queued);
            hg_list_push_front(&core->sessions.dirty, &session->queued);
        }
    }
    for (struct hg_list_node *n = pages->first; n; n = next) {
        next = n->next;
        if (is_known_now(replay_of(n)))
            hg_replay_wake(core, replay_of(n));
    }
}

static void end_all(struct hg_core *core, struct hg_list *list)
{
    while (list->first) {
        struct hg_replay *replay = replay_of(list->first);
        tell_gap(core, replay, HG_GAP_GONE, 0);
        finish(core, replay);
    }
}

static void note_refusal(struct hg_core *core, const struct hg_source *source, const struct hg_reply *reply)
{
    struct hg_slice words = hg_core_words(core, reply);
    hg_core_log(core, HG_LOG_WARNING, "redis refuses to replay '%.*s': %.*s; trying again", HG_SLICE_ARG(source->name),
                HG_SLICE_ARG(words));
    core->replays.retry_at = hg_time_add(core->now, hg_ms(REFUSED_PAUSE_MS));
}

static void measure(struct hg_core *core, const struct hg_reply *reply)
{
    struct hg_entry entry;
    for (size_t i = 0; i < reply->count; i++)
        if (hg_reply_entry(&reply->items[i], &entry)) {
            uint64_t bytes = 0;
            for (size_t j = 0; j < entry.field_count; j++)
                bytes += entry.fields[j].text.len;
            core->replays.entry_bytes = (core->replays.entry_bytes * 15 + bytes) / 16;
        }
}

/* Whether a page belongs to the history that is in memory. The stream may have been made anew, and nobody noticed yet.
 */
static bool joins(struct hg_core *core, const struct hg_past_wants *wants, const struct hg_reply *reply)
{
    struct hg_entry entry;
    if (!wants->joint.proven || reply->count == 0)
        return true; /* nothing is there that could be of another one */
    const struct hg_reply *item = &reply->items[wants->page_backwards ? 0 : reply->count - 1];
    if (!hg_reply_entry(item, &entry))
        return true; /* told in a moment */
    if (!wants->page_backwards && reply->count >= wants->page_count)
        return true; /* it did not come so far */
    return hg_stream_id_cmp(entry.id, wants->joint.id) == 0 &&
           hg_fingerprint(hg_core_fields(core, &entry), entry.field_count) == wants->joint.fingerprint;
}

/* False: an entry has an unexpected shape. */
static bool take_page(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply)
{
    struct hg_past_wants *wants = &source->wants;
    struct hg_entry end;
    bool full = reply->count >= wants->page_count;
    if (full && !hg_reply_entry(&reply->items[reply->count - 1], &end))
        return false;
    measure(core, reply);
    if (!wants->page_backwards)
        return hg_history_insert(core, &source->history, wants->page_from, full ? end.id : wants->page_to, reply->items,
                                 reply->count, 1);
    /* What is beyond page_to is the joint, and known already. */
    const struct hg_reply *oldest = reply->count > 0 ? &reply->items[reply->count - 1] : NULL;
    return hg_history_insert(core, &source->history, full ? end.id : wants->page_from, wants->page_to, oldest,
                             reply->count, -1);
}

void hg_replay_page(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply)
{
    core->replays.running--;
    if (!source)
        return;
    struct hg_past_wants *wants = &source->wants;
    wants->page = NULL;
    if (!reply) {
        /* Lost with its link, which may have broken under it: smaller ones are asked for. */
        core->replays.entry_bytes =
            core->replays.entry_bytes * 4 < FETCH_BYTES ? core->replays.entry_bytes * 4 : FETCH_BYTES;
    } else if (wants->page_stale) {
        /* asked for again */
    } else if (hg_reply_is_error(reply, "WRONGTYPE")) {
        end_all(core, &wants->pages);
    } else if (reply->type == HG_REPLY_ERROR) {
        note_refusal(core, source, reply);
    } else if (reply->type == HG_REPLY_ARRAY && !joins(core, wants, reply) && hg_reader_doubt(source)) {
        wants->unjoined = true;
    } else if (reply->type != HG_REPLY_ARRAY || !take_page(core, source, reply)) {
        hg_link_lost(core, HG_LINK_REPLAY, HG_LIT("an answer to XRANGE had an unexpected shape"), true);
    } else {
        wants->unjoined = false;
        page_is_there(core, source);
    }
    wants->page_stale = false;
    check_hungry(core, source);
}

/* That the history is another one will be told by the log, unless it has more of the old one in front of that. */
static void judge_end(struct hg_core *core, struct hg_replay *replay, struct hg_verdict verdict)
{
    if (!is_rewritten(verdict.kind) || has_entries(replay->sub, replay->attachment))
        tell_verdict(core, replay, verdict);
    arrive(core, replay);
}

void hg_replay_verdict(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply)
{
    struct hg_past_wants *wants = &source->wants;
    struct hg_stream_info info;
    wants->verdict = NULL;
    struct hg_list judged = {0};
    struct hg_list_node *node;
    bool told = reply && hg_reply_stream_info(reply, &info, NULL, NULL);
    bool denied = reply && hg_reply_is_denial(reply);
    if (reply && hg_reply_is_error(reply, "WRONGTYPE")) {
        end_all(core, &wants->verdicts);
    } else if (reply && !told && reply->type == HG_REPLY_ERROR && !denied) {
        note_refusal(core, source, reply); /* no verdict; asked for again */
    } else if (reply && !told && !denied) {
        hg_link_lost(core, HG_LINK_REPLAY, HG_LIT("an answer to XINFO had an unexpected shape"), true);
    } else if (reply) {
        while ((node = hg_list_pop_front(&wants->verdicts)))
            hg_list_push_back(&judged, node);
        while ((node = hg_list_pop_front(&judged))) {
            struct hg_replay *replay = replay_of(node);
            struct hg_verdict verdict = {HG_CONTINUITY_TRIMMED, 0}; /* as far as anybody is let know */
            if (denied && hg_stream_id_cmp(replay->from.id, HG_STREAM_ID_ZERO) == 0)
                verdict.kind = HG_CONTINUITY_WHOLE; /* nothing was seen that could be missing */
            else if (told)
                verdict = hg_continuity_of_place(&info, replay->from.id);
            if (verdict.kind == HG_CONTINUITY_WHOLE && replay->proof == HG_PROOF_FIRST) {
                bool deleted = info.counts && hg_stream_id_cmp(info.max_deleted, replay->from.id) == 0;
                verdict.kind = deleted ? HG_CONTINUITY_DELETED : HG_CONTINUITY_TRIMMED;
            }
            if (replay->ended) {
                judge_end(core, replay, verdict);
                continue;
            }
            tell_verdict(core, replay, verdict);
            replay->told = verdict.kind != HG_CONTINUITY_WHOLE;
            replay->proof = HG_PROOF_NONE;
            replay->fallen = HG_STREAM_ID_ZERO;
            if (verdict.kind == HG_CONTINUITY_GONE)
                replay->from.id = HG_STREAM_ID_ZERO;
            hg_replay_wake(core, replay);
        }
    }
    check_hungry(core, source);
}

static struct hg_slice put_id(struct hg_buf *buf, hg_stream_id id)
{
    size_t from = buf->len;
    hg_stream_id_put(buf, id);
    return hg_slice(buf->ptr + from, buf->len - from);
}

/* Whose page is read next: in turns the one that waits longest, and the one that is furthest behind, so that many who
 * are spread over a range find it read in one go. */
static const struct hg_replay *next_to_read(struct hg_past_wants *wants)
{
    struct hg_replay *chosen = replay_of(wants->pages.first);
    if (wants->pages_asked++ % 2 == 0 || chosen->last > 0)
        return chosen;
    for (struct hg_list_node *n = wants->pages.first; n; n = n->next)
        if (replay_of(n)->last == 0 && hg_stream_id_cmp(replay_of(n)->from.id, chosen->from.id) < 0)
            chosen = replay_of(n);
    hg_list_remove(&wants->pages, &chosen->queue);
    hg_list_push_front(&wants->pages, &chosen->queue);
    return chosen;
}

/* The first entry in memory behind an id, if the page that begins there has one. Where nothing is behind it that was
 * read, the newest entry up to there. */
static struct hg_place joint_at(const struct hg_source *source, hg_stream_id id)
{
    const struct hg_proving *proving = &source->proving;
    struct hg_place none = {.proven = false};
    hg_stream_id behind;
    if (source->wants.unjoined || !hg_stream_id_next(id, &behind))
        return none;
    if (hg_stream_id_cmp(id, source->read.id) == 0)
        return proving->held == 0 && proving->anchor == HG_ANCHOR_ENTRY ? proving->entry : none;
    const struct hg_page *page = hg_history_page(&source->history, behind);
    if (!page || page->count == 0 || hg_stream_id_cmp(page->from, behind) != 0)
        return none;
    return (struct hg_place){page->entries[0].id, page->entries[0].fingerprint, true};
}

static void ask_page(struct hg_core *core, struct hg_source *source)
{
    struct hg_past_wants *wants = &source->wants;
    const struct hg_replay *first = next_to_read(wants);
    struct hg_buf ids;
    char number[24];
    uint64_t count = FETCH_BYTES / (core->replays.entry_bytes + 1);
    count = count < FETCH_MIN ? FETCH_MIN : count > FETCH_MAX ? FETCH_MAX : count;
    wants->page_backwards = first->last > 0;
    if (wants->page_backwards) {
        if (count > first->last && !first->sub->group->filter)
            count = first->last;
        wants->page_to = first->upper;
        wants->page_from = HG_STREAM_ID_ZERO;
        const struct hg_page *below = hg_history_below(&source->history, first->upper);
        if (below && below->count > 0) {
            /* The newest that is known as well: without it the two do not belong together. */
            wants->page_from = below->entries[below->count - 1].id;
            count++;
        } else if (below) {
            (void)hg_stream_id_next(below->to, &wants->page_from);
        }
    } else {
        wants->page_from = first->from.id;
        wants->page_to = hg_history_unknown_to(&source->history, first->from.id, source->read.id);
    }
    wants->joint = joint_at(source, wants->page_to);
    bool beyond = wants->joint.proven && hg_stream_id_cmp(wants->joint.id, wants->page_to) > 0;
    count += beyond;
    wants->page_count = count;
    int len = snprintf(number, sizeof(number), "%llu", (unsigned long long)count);
    hg_buf_init(&ids, 2 * HG_STREAM_ID_TEXT_MAX);
    HG_ASSERT(hg_buf_reserve(&ids, 2 * HG_STREAM_ID_TEXT_MAX));
    struct hg_slice low = put_id(&ids, wants->page_from),
                    high = put_id(&ids, beyond ? wants->joint.id : wants->page_to);
    struct hg_slice argv[] = {wants->page_backwards ? HG_LIT("XREVRANGE") : HG_LIT("XRANGE"),
                              source->name,
                              wants->page_backwards ? high : low,
                              wants->page_backwards ? low : high,
                              HG_LIT("COUNT"),
                              hg_slice(number, (size_t)len)};
    wants->page = hg_link_send(core, HG_LINK_REPLAY, HG_REQUEST_PAGE, source, argv, 6);
    core->replays.running++;
    hg_buf_done(&ids);
}

/* A stream that is read from its beginning for some may be wanted by others: what lies behind its reader's place is not
 * asked for, the reader brings it. */
static bool is_ahead(const struct hg_replay *replay)
{
    hg_stream_id id = replay->last > 0 ? replay->upper : replay->from.id;
    return hg_stream_id_cmp(id, source_of(replay)->read.id) > 0;
}

void hg_replays_settled(struct hg_core *core, struct hg_source *source)
{
    struct hg_list waiting = {0};
    struct hg_list_node *node;
    while ((node = hg_list_pop_front(&source->wants.pages)))
        hg_list_push_back(&waiting, node);
    while ((node = hg_list_pop_front(&waiting)))
        hg_replay_wake(core, replay_of(node));
    check_hungry(core, source);
}

static void ask_verdict(struct hg_core *core, struct hg_source *source)
{
    struct hg_slice argv[] = {HG_LIT("XINFO"), HG_LIT("STREAM"), source->name};
    source->wants.verdict = hg_link_send(core, HG_LINK_REPLAY, HG_REQUEST_VERDICT, source, argv, 3);
}

void hg_replays_forget(struct hg_core *core, struct hg_source *source)
{
    struct hg_past_wants *wants = &source->wants;
    HG_ASSERT(wants->pages.count == 0 && wants->verdicts.count == 0);
    (void)core;
    if (wants->page)
        wants->page->object = NULL;
    if (wants->verdict)
        wants->verdict->object = NULL;
    hg_list_unlink(&wants->hungry);
}

void hg_replays_pump(struct hg_core *core)
{
    struct hg_replays *replays = &core->replays;
    if (!hg_link_is_up(core, HG_LINK_REPLAY) || !hg_time_reached(replays->retry_at, core->now))
        return;
    for (size_t left = replays->hungry.count; left > 0 && replays->hungry.first; left--) {
        struct hg_source *source = HG_CONTAINER(hg_list_pop_front(&replays->hungry), struct hg_source, wants.hungry);
        if (source->wants.verdicts.count > 0 && !source->wants.verdict)
            ask_verdict(core, source);
        bool doubted = source->wants.unjoined && (source->proving.wanted.owner || source->proving.request);
        bool comes = source->whole && source->wants.pages.first && is_ahead(replay_of(source->wants.pages.first));
        if (source->wants.pages.count > 0 && !source->wants.page && !doubted && !comes &&
            replays->running < HG_REPLAYS_RUNNING)
            ask_page(core, source);
        check_hungry(core, source);
    }
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

void hg_replays_tick(struct hg_core *core)
{
    struct hg_replays *replays = &core->replays;
    replays->scans_left = HG_REPLAY_SCANS;
    if (replays->paced.count == 0 || !hg_time_reached(replays->paced_until, core->now))
        return;
    struct hg_list_node *next;
    hg_time soonest = HG_TIME_NEVER;
    for (struct hg_list_node *n = replays->paced.first; n; n = next) {
        next = n->next;
        if (hg_time_reached(replay_of(n)->due, core->now))
            hg_replay_wake(core, replay_of(n));
        else
            soonest = hg_time_min(soonest, replay_of(n)->due);
    }
    hg_time earliest = hg_time_add(core->now, hg_ms(PACE_STEP_MS));
    replays->paced_until = hg_time_before(soonest, earliest) ? earliest : soonest;
}

hg_time hg_replays_deadline(const struct hg_core *core)
{
    const struct hg_replays *replays = &core->replays;
    hg_time deadline = replays->paced.count > 0 ? replays->paced_until : HG_TIME_NEVER;
    bool waits = replays->hungry.count > 0 && hg_link_is_up(core, HG_LINK_REPLAY) &&
                 hg_time_before(core->now, replays->retry_at);
    return waits ? hg_time_min(deadline, replays->retry_at) : deadline;
}
