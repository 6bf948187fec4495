#include "core/group.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "filter/filter.h"
#include "wire/frame.h"
#include "wire/message.h"

#define FRAME_OVERHEAD  48u /* header, `{"op":"event","sub":N` and what a segment's frame has besides the tail */
#define SPARE_MAX       1024u
#define SPARE_BYTES_MAX 4096u /* of frames of one that is kept: 4 MiB for all */

static struct hg_group *find_group(const struct hg_interest *interest, struct hg_slice name)
{
    if (name.len == 0)
        return interest->plain;
    struct hg_map_node *node = hg_map_find(&interest->others, name);
    return node ? HG_CONTAINER(node, struct hg_group, by_text) : NULL;
}

/* What tells the groups of an interest apart; empty for the plain one. */
static struct hg_slice name_of(struct hg_core *core, const struct hg_filter *filter, struct hg_tempo tempo)
{
    if (tempo.every_ms == 0)
        return filter ? hg_filter_canonical(filter) : HG_SLICE_NULL;
    hg_buf_clear(&core->text);
    hg_tempo_put_name(tempo, filter, &core->text);
    (void)hg_core_must(hg_buf_result(&core->text));
    return hg_buf_slice(&core->text);
}

hg_result hg_group_get(struct hg_core *core, struct hg_interest *interest, struct hg_filter *filter,
                       struct hg_tempo tempo, struct hg_group **ret_group, struct hg_buf *message)
{
    struct hg_slice name = name_of(core, filter, tempo);
    struct hg_group *group = find_group(interest, name);
    if (!group) {
        if (core->groups.all.count >= core->config->groups_max)
            hg_groups_reap(core);
        if (core->groups.all.count >= core->config->groups_max) {
            hg_buf_clear(message);
            hg_buf_put_str(message, "The gateway holds as many distinct subscriptions as groups_max allows.");
            return HG_FAIL(LIMIT_EXCEEDED);
        }
        group = hg_core_alloc(sizeof(*group));
        group->number = ++core->groups.next_number;
        group->interest = interest;
        hg_list_push_back(&core->groups.all, &group->in_all);
        hg_list_push_back(&interest->groups, &group->in_interest);
        hg_list_unlink(&interest->linger); /* its last group may just have been reaped */
        if (tempo.every_ms > 0) {
            hg_conflation_new(core, group, tempo, name);
            name = group->conflation->name;
        }
        if (name.len > 0)
            (void)hg_core_must(hg_map_insert(&interest->others, &group->by_text, name));
        else
            interest->plain = group;
        if (filter) {
            group->filter = hg_filter_ref(filter);
            hg_interest_add_filter(core, group);
        } else if (group->conflation) {
            hg_list_push_back(&interest->paced, &group->in_paced);
        }
    }
    hg_list_unlink(&group->idle);
    *ret_group = group;
    return HG_OK;
}

void hg_group_hold(struct hg_core *core, struct hg_group *group, size_t before, size_t now)
{
    group->log_bytes += now - before;
    core->stats.log_bytes += now - before;
    if (group->log_bytes <= core->config->log_bytes_max)
        hg_list_unlink(&group->full);
    else if (!group->full.owner)
        hg_list_push_back(&core->groups.full, &group->full);
}

static void free_segment(struct hg_segment *segment)
{
    hg_buf_done(&segment->frames);
    free(segment->spans);
    free(segment);
}

static void remove_segment(struct hg_core *core, struct hg_segment *segment)
{
    struct hg_group *group = segment->group;
    HG_ASSERT(segment->waiting == 0 && segment != group->unseen);
    if (group->open == segment)
        group->open = NULL;
    hg_group_hold(core, group, segment->held, 0);
    core->stats.frames_alive--;
    hg_list_remove(&group->log, &segment->in_log);
    hg_list_remove(&core->groups.by_age, &segment->in_age);
    free(segment->deflated.frames);
    segment->deflated.frames = NULL;
    if (segment->frames.capacity <= SPARE_BYTES_MAX && core->groups.spare.count < SPARE_MAX)
        hg_list_push_front(&core->groups.spare, &segment->in_log);
    else
        free_segment(segment);
}

void hg_group_forget(struct hg_core *core, struct hg_group *group, const struct hg_attachment *attachment)
{
    for (size_t i = 0; i < group->member_count; i++) {
        struct hg_sub *sub = group->members[i];
        struct hg_list_node *next;
        for (struct hg_list_node *n = sub->replays.first; n; n = next) {
            next = n->next;
            struct hg_replay *replay = HG_CONTAINER(n, struct hg_replay, in_sub);
            if (replay->attachment != attachment)
                continue;
            /* What it had still to bring went with the stream, or was never proven to be there. */
            sub->forgotten =
                sub->forgotten || replay->owed.kind != HG_CONTINUITY_WHOLE || replay->proof != HG_PROOF_NONE;
            hg_replay_free(core, replay);
        }
        if (sub->forgotten && sub->session->writable)
            hg_sub_tell_jump(core, sub);
        hg_sub_check_replays(core, sub);
    }
    for (struct hg_list_node *n = group->log.first; n; n = n->next) {
        struct hg_segment *segment = HG_CONTAINER(n, struct hg_segment, in_log);
        for (size_t i = 0; i < segment->span_count; i++)
            if (segment->spans[i].attachment == attachment)
                segment->spans[i].attachment = NULL;
    }
}

static void free_group(struct hg_core *core, struct hg_group *group)
{
    struct hg_interest *interest = group->interest;
    HG_ASSERT(group->sub_count == 0 && group->coming == 0 && group->member_count == 0);
    hg_group_distribute(core, group);
    HG_ASSERT(group->log.count == 0);
    hg_list_unlink(&group->idle);
    hg_list_remove(&interest->groups, &group->in_interest);
    if (group == interest->plain)
        interest->plain = NULL;
    else
        hg_map_remove(&interest->others, &group->by_text);
    if (group->filter) {
        hg_interest_remove_filter(group);
        hg_filter_unref(group->filter);
    }
    hg_list_unlink(&group->in_paced);
    hg_conflation_free(core, group->conflation);
    hg_list_remove(&core->groups.all, &group->in_all);
    free(group->members);
    free(group);
    if (interest->groups.count == 0)
        hg_interest_linger(core, interest);
}

void hg_group_check_idle(struct hg_core *core, struct hg_group *group)
{
    if (group->sub_count == 0 && group->coming == 0 && !group->idle.owner)
        hg_list_push_back(&core->groups.idle, &group->idle);
}

void hg_groups_reap(struct hg_core *core)
{
    while (core->groups.idle.first)
        free_group(core, HG_CONTAINER(core->groups.idle.first, struct hg_group, idle));
}

void hg_groups_done(struct hg_core *core)
{
    while (core->groups.all.first)
        free_group(core, HG_CONTAINER(core->groups.all.first, struct hg_group, in_all));
    while (core->groups.spare.first)
        free_segment(HG_CONTAINER(hg_list_pop_front(&core->groups.spare), struct hg_segment, in_log));
    free(core->groups.fall.items);
}

/* ---- the log ----------------------------------------------------------------------------------------------------- */

/* A thousand topics have a segment each in every turn: one that was used is at hand, with its buffer. */
static struct hg_segment *new_segment(struct hg_core *core, struct hg_group *group)
{
    struct hg_list_node *spare = hg_list_pop_front(&core->groups.spare);
    if (!spare) {
        struct hg_segment *segment = hg_core_alloc(sizeof(*segment));
        segment->group = group;
        hg_buf_init(&segment->frames, core->tail.max + HG_SEGMENT_BYTES);
        return segment;
    }
    struct hg_segment *segment = HG_CONTAINER(spare, struct hg_segment, in_log);
    struct hg_buf frames = segment->frames;
    struct hg_span *spans = segment->spans;
    size_t span_capacity = segment->span_capacity;
    hg_buf_clear(&frames);
    *segment = (struct hg_segment){.group = group, .frames = frames, .spans = spans, .span_capacity = span_capacity};
    return segment;
}

/* What stays in the log behind its turn, since somebody is late, counts there: it keeps no more memory than it fills.
 */
static void trim_segment(struct hg_core *core, struct hg_segment *segment)
{
    hg_buf_trim(&segment->frames);
    hg_group_grew(core, segment);
}

static struct hg_segment *segment_for(struct hg_core *core, struct hg_group *group, size_t bytes, uint64_t except)
{
    struct hg_segment *segment = group->open;
    if (segment && segment->except == except && segment->frames.len + bytes <= HG_SEGMENT_BYTES)
        return segment;
    if (group->log.last)
        trim_segment(core, HG_CONTAINER(group->log.last, struct hg_segment, in_log));
    segment = new_segment(core, group);
    segment->except = except;
    hg_list_push_back(&group->log, &segment->in_log);
    hg_list_push_back(&core->groups.by_age, &segment->in_age);
    core->stats.frames_alive++;
    group->open = segment;
    if (!group->unseen) {
        group->unseen = segment;
        hg_list_push_back(&core->groups.dirty, &group->dirty);
    }
    return segment;
}

struct hg_segment *hg_group_segment(struct hg_core *core, struct hg_group *group, size_t bytes)
{
    return segment_for(core, group, bytes, 0);
}

static size_t held_by(const struct hg_segment *segment)
{
    return sizeof(*segment) + segment->frames.capacity + segment->deflated.len +
           segment->span_capacity * sizeof(*segment->spans);
}

void hg_group_grew(struct hg_core *core, struct hg_segment *segment)
{
    (void)hg_core_must(hg_buf_result(&segment->frames));
    size_t held = held_by(segment);
    if (held == segment->held)
        return;
    hg_group_hold(core, segment->group, segment->held, held);
    segment->held = held;
}

void hg_group_append_alive(struct hg_core *core, struct hg_group *group, bool alive)
{
    if (group->member_count == 0)
        return;
    struct hg_slice pattern = group->interest->pattern;
    if (group->conflation) {
        struct hg_buf *frame = hg_conflation_note(core, group, alive ? HG_NOTICE_LIVE : HG_NOTICE_STALE);
        hg_message_alive(frame, alive, group->number, pattern);
        hg_conflation_noted(core, group);
        return;
    }
    struct hg_segment *segment = hg_group_segment(core, group, pattern.len + FRAME_OVERHEAD);
    hg_message_alive(&segment->frames, alive, group->number, pattern);
    segment->alive = alive ? HG_SEGMENT_SAYS_LIVE : HG_SEGMENT_SAYS_STALE;
    hg_group_grew(core, segment);
}

static struct hg_span *span_of(struct hg_segment *segment, struct hg_attachment *attachment)
{
    for (size_t i = segment->span_count; i > 0; i--)
        if (segment->spans[i - 1].attachment == attachment)
            return &segment->spans[i - 1];
    if (segment->span_count == segment->span_capacity) {
        size_t capacity = segment->span_capacity ? segment->span_capacity * 2 : 1;
        struct hg_span *spans = realloc(segment->spans, capacity * sizeof(*spans));
        HG_ASSERT(spans);
        segment->spans = spans;
        segment->span_capacity = capacity;
    }
    segment->spans[segment->span_count] = (struct hg_span){.attachment = attachment};
    return &segment->spans[segment->span_count++];
}

static void put_entry(struct hg_span *span, hg_stream_id id)
{
    if (!span->any)
        span->first = id;
    span->any = true;
    span->last = id;
}

/* What is told of several holes together. */
static void put_missed(struct hg_span *span, struct hg_verdict missed)
{
    bool anew = missed.kind == HG_CONTINUITY_ROLLED_BACK || missed.kind == HG_CONTINUITY_GONE;
    if (anew)
        span->any = false;
    if (anew || span->missed.kind == HG_CONTINUITY_WHOLE)
        span->missed = missed;
    else if (missed.kind != HG_CONTINUITY_WHOLE)
        span->missed.missed = 0;
}

static void count_event(struct hg_core *core, struct hg_segment *segment, struct hg_attachment *attachment,
                        const hg_stream_id *id)
{
    if (id) {
        put_entry(span_of(segment, attachment), *id);
        segment->stream_events++;
    } else {
        segment->channel_events++;
    }
    core->stats.deliveries_offered += segment->group->member_count;
    hg_group_grew(core, segment);
}

void hg_group_append(struct hg_core *core, struct hg_group *group, struct hg_attachment *attachment,
                     const struct hg_happening *happening)
{
    struct hg_slice tail = happening->tail;
    if (group->member_count == 0 || HG_MUTANT(SILENT_DROP))
        return;
    if (HG_MUTANT(SPURIOUS_GAP))
        hg_group_append_interruption(core, group);
    struct hg_segment *segment = segment_for(core, group, tail.len + FRAME_OVERHEAD, happening->except);
    hg_message_event(&segment->frames, group->number, tail);
    count_event(core, segment, attachment, happening->id);
}

static void note_gap(struct hg_core *core, struct hg_group *group, enum hg_notice notice, struct hg_slice topic,
                     enum hg_gap reason, uint64_t count)
{
    hg_message_gap(hg_conflation_note(core, group, notice), group->number, topic, reason, count);
    hg_conflation_noted(core, group);
}

/* The segment it is in; NULL when the group has a pace. */
static struct hg_segment *append_gap(struct hg_core *core, struct hg_group *group, struct hg_slice topic,
                                     enum hg_gap reason, uint64_t count)
{
    if (group->conflation) {
        note_gap(core, group, HG_NOTICE_GAP, topic, reason, count);
        return NULL;
    }
    struct hg_segment *segment = hg_group_segment(core, group, topic.len + FRAME_OVERHEAD);
    hg_message_gap(&segment->frames, group->number, topic, reason, count);
    hg_group_grew(core, segment);
    return segment;
}

void hg_group_append_oversize(struct hg_core *core, struct hg_group *group, struct hg_attachment *attachment,
                              const hg_stream_id *id, struct hg_slice topic)
{
    if (group->member_count == 0)
        return;
    if (group->conflation)
        note_gap(core, group, HG_NOTICE_OVERSIZE, topic, HG_GAP_OVERFLOW, 1);
    else
        count_event(core, append_gap(core, group, topic, HG_GAP_OVERFLOW, 1), attachment, id);
}

void hg_group_append_interruption(struct hg_core *core, struct hg_group *group)
{
    if (group->member_count == 0)
        return;
    struct hg_segment *segment = append_gap(core, group, group->interest->pattern, HG_GAP_DISCONNECTED, 0);
    if (segment)
        segment->interrupted = true;
}

void hg_group_append_missed(struct hg_core *core, struct hg_group *group, struct hg_attachment *attachment,
                            struct hg_verdict verdict)
{
    if (group->member_count == 0)
        return;
    /* How many of them would have passed a filter, nobody knows. */
    struct hg_segment *segment =
        append_gap(core, group, attachment->source->topic, hg_gap_of(verdict.kind), group->filter ? 0 : verdict.missed);
    if (!segment) /* with a pace it stands between the events, and nobody falls off */
        return;
    put_missed(span_of(segment, attachment), verdict);
    hg_group_grew(core, segment);
}

void hg_group_append_left_out(struct hg_core *core, struct hg_group *group, struct hg_slice topic)
{
    if (group->member_count > 0)
        append_gap(core, group, topic, HG_GAP_OVERFLOW, 0);
}

static struct hg_segment *segment_after(const struct hg_segment *segment)
{
    struct hg_list_node *next = segment->in_log.next;
    struct hg_segment *after = next ? HG_CONTAINER(next, struct hg_segment, in_log) : NULL;
    return after == segment->group->unseen ? NULL : after;
}

/* What everybody has is not needed any more. */
static void trim(struct hg_core *core, struct hg_group *group)
{
    while (group->log.first) {
        struct hg_segment *segment = HG_CONTAINER(group->log.first, struct hg_segment, in_log);
        if (segment->waiting > 0 || segment == group->unseen)
            return;
        remove_segment(core, segment);
    }
}

/* The first from here on that is not the session's own. */
static struct hg_segment *not_own(struct hg_core *core, const struct hg_sub *sub, struct hg_segment *segment)
{
    for (; segment && hg_echo_is_own(sub->session, segment->except); segment = segment_after(segment))
        core->stats.deliveries_muted += segment->stream_events;
    return segment;
}

static void set_next(struct hg_core *core, struct hg_sub *sub, struct hg_segment *next)
{
    struct hg_group *group = sub->group;
    next = not_own(core, sub, next);
    if (sub->next)
        sub->next->waiting--;
    sub->next = next;
    if (next)
        next->waiting++;
    if (!hg_sub_is_live(sub) || !next)
        hg_list_unlink(&sub->lagging);
    else if (!sub->lagging.owner)
        hg_list_push_back(&sub->session->lagging, &sub->lagging);
    trim(core, group);
}

void hg_group_distribute(struct hg_core *core, struct hg_group *group)
{
    struct hg_segment *unseen = group->unseen;
    if (!unseen)
        return;
    group->unseen = NULL;
    group->open = NULL;
    hg_list_remove(&core->groups.dirty, &group->dirty);
    for (size_t i = 0; i < group->member_count; i++) {
        struct hg_sub *sub = group->members[i];
        struct hg_segment *next = sub->next || sub->behind ? NULL : not_own(core, sub, unseen);
        if (!next)
            continue;
        sub->next = next;
        next->waiting++;
        if (hg_sub_is_live(sub)) {
            hg_list_push_back(&sub->session->lagging, &sub->lagging);
            hg_session_touch(core, sub->session);
        }
    }
    trim(core, group);
}

void hg_group_leave_log(struct hg_core *core, struct hg_sub *sub)
{
    set_next(core, sub, NULL);
}

void hg_groups_distribute(struct hg_core *core)
{
    while (core->groups.dirty.first)
        hg_group_distribute(core, HG_CONTAINER(core->groups.dirty.first, struct hg_group, dirty));
}

void hg_group_advance(struct hg_core *core, struct hg_sub *sub)
{
    if (sub->next->alive != HG_SEGMENT_SAYS_NOTHING)
        sub->told_stale = sub->jumped_stale = sub->next->alive == HG_SEGMENT_SAYS_STALE;
    hg_conflation_took(core, sub);
    set_next(core, sub, segment_after(sub->next));
    hg_conflation_check(core, sub);
}

/* ---- members ----------------------------------------------------------------------------------------------------- */

void hg_group_join(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_group *group = sub->group;
    hg_group_distribute(core, group);
    if (group->member_count == group->member_capacity) {
        size_t capacity = group->member_capacity ? group->member_capacity * 2 : 1;
        struct hg_sub **members = realloc(group->members, capacity * sizeof(struct hg_sub *));
        HG_ASSERT(members);
        group->members = members;
        group->member_capacity = capacity;
    }
    sub->member_index = (uint32_t)group->member_count;
    group->members[group->member_count++] = sub;
    group->interest->member_count++;
    group->deflating += sub->session->deflates;
    hg_conflation_joined(sub);
}

static void count_from(const struct hg_segment *segment, uint64_t *channel_events, uint64_t *stream_events)
{
    *channel_events = *stream_events = 0;
    for (; segment; segment = segment_after(segment)) {
        *channel_events += segment->channel_events;
        *stream_events += segment->stream_events;
    }
}

void hg_group_leave(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_group *group = sub->group;
    hg_group_distribute(core, group);
    uint64_t channel_events, stream_events;
    count_from(sub->next, &channel_events, &stream_events);
    core->stats.deliveries_dropped += channel_events + stream_events;
    hg_conflation_leaves(core, sub);
    HG_ASSERT(group->members[sub->member_index] == sub);
    struct hg_sub *moved = group->members[--group->member_count];
    group->interest->member_count--;
    group->deflating -= sub->session->deflates;
    group->members[sub->member_index] = moved;
    moved->member_index = sub->member_index;
    set_next(core, sub, NULL);
}

void hg_group_skip(struct hg_core *core, struct hg_sub *sub)
{
    uint64_t channel_events, stream_events;
    hg_group_distribute(core, sub->group);
    count_from(sub->next, &channel_events, &stream_events);
    core->stats.deliveries_dropped += channel_events + stream_events;
    if (sub->next)
        sub->jumped_stale = sub->group->interest->stale;
    hg_conflation_skip(core, sub);
    set_next(core, sub, NULL);
    hg_sub_tell_jump(core, sub);
}

static void add_fallen(struct hg_fall *fall, const struct hg_span *span)
{
    struct hg_attachment *attachment = span->attachment;
    if (attachment->fallen > 0) {
        struct hg_span *all = &fall->items[attachment->fallen - 1].span;
        put_missed(all, span->missed);
        if (span->any) {
            put_entry(all, span->first);
            put_entry(all, span->last);
        }
        return;
    }
    if (fall->count == fall->capacity) {
        size_t capacity = fall->capacity ? fall->capacity * 2 : 16;
        struct hg_fallen *items = realloc(fall->items, capacity * sizeof(*items));
        HG_ASSERT(items);
        fall->items = items;
        fall->capacity = capacity;
    }
    fall->items[fall->count++] = (struct hg_fallen){.span = *span};
    attachment->fallen = fall->count;
}

/* What all who wait for this segment lose: looked up once for all of them, for there may be many, and many segments. */
static void fall_begin(struct hg_core *core, const struct hg_segment *segment)
{
    struct hg_fall *fall = &core->groups.fall;
    fall->interrupted = fall->forgotten = false;
    count_from(segment, &fall->channel_events, &fall->stream_events);
    for (; segment; segment = segment_after(segment)) {
        fall->interrupted = fall->interrupted || segment->interrupted;
        for (size_t i = 0; i < segment->span_count; i++)
            if (segment->spans[i].attachment)
                add_fallen(fall, &segment->spans[i]);
            else
                fall->forgotten = true;
    }
}

static void fall_end(struct hg_core *core)
{
    struct hg_fall *fall = &core->groups.fall;
    for (size_t i = 0; i < fall->count; i++)
        fall->items[i].span.attachment->fallen = 0;
    fall->count = 0;
}

/* The segment the subscription needs next is to go. What was on a stream it gets by replay, what was on a channel is
 * lost, and said; it jumps to the end of the log, so that it is not pushed along segment by segment. */
static void fall_off(struct hg_core *core, struct hg_sub *sub)
{
    const struct hg_fall *fall = &core->groups.fall;
    if (sub->group->conflation) {
        hg_conflation_fell(core, sub);
        return;
    }
    core->stats.deliveries_gapped += fall->channel_events;
    core->stats.deliveries_replaced += fall->stream_events;
    sub->gap += fall->channel_events;
    sub->interrupted = sub->interrupted || fall->interrupted;
    sub->forgotten = sub->forgotten || fall->forgotten;
    sub->jumped_stale = sub->group->interest->stale;
    for (struct hg_list_node *n = sub->replays.first; n; n = n->next) {
        struct hg_replay *replay = HG_CONTAINER(n, struct hg_replay, in_sub);
        if (replay->attachment->fallen == 0)
            continue;
        struct hg_fallen *fallen = &fall->items[replay->attachment->fallen - 1];
        hg_replay_extend(replay, &fallen->span);
        fallen->extended = sub;
    }
    for (size_t i = 0; i < fall->count; i++)
        if (fall->items[i].extended != sub)
            hg_replay_start_fallen(core, sub, &fall->items[i].span);
    if (sub->replays.count > 0)
        sub->state = HG_SUB_REPLAYING;
    set_next(core, sub, NULL);
    if (sub->session->writable)
        hg_sub_tell_jump(core, sub);
}

static void evict(struct hg_core *core, struct hg_segment *segment)
{
    struct hg_group *group = segment->group;
    HG_ASSERT(&segment->in_log == group->log.first);
    size_t count = group->log.count;
    fall_begin(core, segment);
    for (size_t i = 0; i < group->member_count && segment->waiting > 1; i++)
        if (group->members[i]->next == segment)
            fall_off(core, group->members[i]);
    /* The last one to leave takes the segment along. */
    for (size_t i = 0; i < group->member_count && group->log.count == count; i++)
        if (group->members[i]->next == segment)
            fall_off(core, group->members[i]);
    fall_end(core);
    HG_ASSERT(group->log.count < count);
}

void hg_groups_evict(struct hg_core *core)
{
    struct hg_groups *groups = &core->groups;
    HG_ASSERT(groups->dirty.count == 0);
    while (groups->full.first) {
        struct hg_group *group = HG_CONTAINER(groups->full.first, struct hg_group, full);
        if (group->log.first)
            evict(core, HG_CONTAINER(group->log.first, struct hg_segment, in_log));
        else
            HG_ASSERT(hg_conflation_evict(core, group->conflation));
    }
    while (core->stats.log_bytes > core->config->log_bytes_total_max) {
        if (!groups->by_age.first) {
            HG_ASSERT(hg_conflations_evict(core));
            continue;
        }
        /* A segment in the middle of its log may be the oldest of all that nobody waits for; its log's first one goes.
         */
        struct hg_group *group = HG_CONTAINER(groups->by_age.first, struct hg_segment, in_age)->group;
        evict(core, HG_CONTAINER(group->log.first, struct hg_segment, in_log));
    }
}

void hg_group_replay_whole(struct hg_core *core, struct hg_group *group, struct hg_attachment *attachment)
{
    hg_group_distribute(core, group);
    for (size_t i = 0; i < group->member_count; i++) {
        struct hg_sub *sub = group->members[i];
        hg_replay_start(core, sub, attachment, HG_PROOF_NONE, (struct hg_place){.proven = false});
        if (sub->replays.count > 0 && sub->state == HG_SUB_LIVE)
            hg_sub_set_replaying(core, sub);
    }
}

void hg_groups_validate(const struct hg_core *core)
{
    uint64_t log_bytes = 0, segments = 0, entries = 0;
    hg_list_validate(&core->groups.all);
    for (struct hg_list_node *n = core->groups.all.first; n; n = n->next) {
        struct hg_group *group = HG_CONTAINER(n, struct hg_group, in_all);
        hg_list_validate(&group->log);
        HG_ASSERT(group->sub_count >= group->member_count);
        HG_ASSERT((group->sub_count + group->coming == 0) == (group->idle.owner != NULL));
        HG_ASSERT((group->unseen != NULL) == hg_list_contains(&core->groups.dirty, &group->dirty));
        uint64_t bytes = 0;
        for (struct hg_list_node *s = group->log.first; s; s = s->next) {
            struct hg_segment *segment = HG_CONTAINER(s, struct hg_segment, in_log);
            uint64_t waiting = 0;
            for (size_t i = 0; i < group->member_count; i++)
                waiting += group->members[i]->next == segment;
            HG_ASSERT(waiting == segment->waiting);
            HG_ASSERT(segment->held == held_by(segment));
            bytes += segment->held;
            segments++;
        }
        if (group->conflation) {
            hg_conflation_validate(core, group->conflation);
            bytes += group->conflation->bytes;
            entries += group->conflation->entries.count;
        }
        HG_ASSERT(bytes == group->log_bytes);
        log_bytes += bytes;
        uint64_t deflating = 0;
        for (size_t i = 0; i < group->member_count; i++) {
            const struct hg_sub *sub = group->members[i];
            deflating += sub->session->deflates;
            HG_ASSERT(sub->member_index == i && sub->group == group && sub->state != HG_SUB_PENDING);
            HG_ASSERT(!sub->next || sub->next->group == group);
            HG_ASSERT(group->conflation || !sub->behind);
        }
        HG_ASSERT(deflating == group->deflating);
    }
    HG_ASSERT(log_bytes == core->stats.log_bytes && segments + entries == core->stats.frames_alive);
    HG_ASSERT(segments == core->groups.by_age.count);
}
