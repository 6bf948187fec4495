#include "core/group.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "topic/pattern.h"
#include "topic/template.h"
#include "wire/frame.h"
#include "wire/message.h"

#define FRAME_OVERHEAD 48u /* header, `{"op":"event","sub":N` and what a segment's frame has besides the tail */

void hg_groups_init(struct hg_core *core)
{
    hg_map_init(&core->groups.map, core->hash_key);
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static hg_result follow(struct hg_core *core, struct hg_group *group, const struct hg_rule *rule, enum hg_source_type type,
                        struct hg_buf *message)
{
    struct hg_slice template = hg_slice_str(type == HG_SOURCE_TYPE_STREAM ? rule->key : rule->channel);
    hg_buf_clear(&core->text);
    (void)hg_core_must(type == HG_SOURCE_TYPE_PATTERN ? hg_template_glob(template, group->pattern, &core->text)
                                                      : hg_template_expand(template, group->pattern, &core->text));
    struct hg_source *source;
    hg_result result = hg_source_get(core, type, hg_buf_slice(&core->text), group->pattern, &source);
    if (hg_ok(result)) {
        (void)hg_source_attach(core, source, group, rule);
        return HG_OK;
    }
    hg_buf_clear(message);
    if (result.code == HG_ERR_LIMIT_EXCEEDED)
        hg_buf_put_str(message, "The gateway follows as many topics as topics_max allows.");
    else
        hg_buf_printf(message, "'%.*s' in Redis is followed under another topic already.", HG_SLICE_ARG(hg_buf_slice(&core->text)));
    return result;
}

static hg_result follow_exact(struct hg_core *core, struct hg_group *group, struct hg_buf *message)
{
    group->rule = hg_core_rule(core, group->pattern);
    if (!group->rule)
        return HG_FAIL(UNKNOWN_TOPIC);
    if (group->rule->source == HG_SOURCE_AUTO) {
        hg_discovery_decide(core, group);
        return HG_OK;
    }
    return follow(core, group, group->rule,
                  group->rule->source == HG_SOURCE_STREAM ? HG_SOURCE_TYPE_STREAM : HG_SOURCE_TYPE_CHANNEL, message);
}

static hg_result follow_pattern(struct hg_core *core, struct hg_group *group, struct hg_buf *message)
{
    bool known = false, wants_streams = false;
    for (size_t i = 0; i < core->config->rule_count; i++) {
        const struct hg_rule *rule = &core->config->rules[i];
        if (!hg_pattern_intersects(hg_slice_str(rule->match), group->pattern))
            continue;
        known = true;
        if (rule->source != HG_SOURCE_STREAM)
            HG_TRY(follow(core, group, rule, HG_SOURCE_TYPE_PATTERN, message));
        wants_streams = wants_streams || rule->source != HG_SOURCE_CHANNEL;
    }
    if (!known)
        return HG_FAIL(UNKNOWN_TOPIC);
    group->wants_streams = wants_streams;
    if (wants_streams)
        hg_discovery_add(core, group);
    return HG_OK;
}

hg_result hg_group_get(struct hg_core *core, struct hg_slice pattern, struct hg_group **ret_group, struct hg_buf *message)
{
    struct hg_map_node *node = hg_map_find(&core->groups.map, pattern);
    if (node) {
        *ret_group = HG_CONTAINER(node, struct hg_group, node);
        hg_list_unlink(&(*ret_group)->linger);
        return HG_OK;
    }
    hg_buf_clear(message);
    if (core->groups.map.count >= core->config->groups_max) {
        hg_buf_put_str(message, "The gateway holds as many distinct subscriptions as groups_max allows.");
        return HG_FAIL(LIMIT_EXCEEDED);
    }
    struct hg_group *group = hg_core_alloc(sizeof(*group));
    group->number = ++core->groups.next_number;
    group->pattern = hg_slice(hg_core_copy(pattern), pattern.len);
    group->exact = hg_pattern_is_exact(pattern);
    (void)hg_core_must(hg_map_insert(&core->groups.map, &group->node, group->pattern));
    hg_list_push_back(&core->groups.all, &group->in_all);
    hg_result result = pattern.ptr[0] == '$' ? HG_FAIL(UNKNOWN_TOPIC)
                       : group->exact        ? follow_exact(core, group, message)
                                             : follow_pattern(core, group, message);
    if (!hg_ok(result)) {
        hg_group_free(core, group);
        return result;
    }
    *ret_group = group;
    return HG_OK;
}

static void remove_segment(struct hg_core *core, struct hg_segment *segment)
{
    struct hg_group *group = segment->group;
    HG_ASSERT(segment->waiting == 0 && segment != group->unseen);
    for (size_t i = 0; i < segment->span_count; i++)
        if (segment->spans[i].attachment)
            segment->spans[i].attachment->evicted = segment->spans[i].last;
    if (group->open == segment)
        group->open = NULL;
    group->log_bytes -= segment->frames.len;
    core->stats.log_bytes -= segment->frames.len;
    core->stats.frames_alive--;
    hg_list_remove(&group->log, &segment->in_log);
    hg_list_remove(&core->groups.by_age, &segment->in_age);
    hg_buf_done(&segment->frames);
    free(segment->spans);
    free(segment);
    if (group->log_bytes <= core->config->log_bytes_max)
        hg_list_unlink(&group->full);
}

void hg_group_detach(struct hg_core *core, struct hg_attachment *attachment)
{
    struct hg_group *group = attachment->group;
    for (size_t i = 0; i < group->member_count; i++) {
        struct hg_sub *sub = group->members[i];
        struct hg_list_node *next;
        for (struct hg_list_node *n = sub->replays.first; n; n = next) {
            next = n->next;
            struct hg_replay *replay = HG_CONTAINER(n, struct hg_replay, in_sub);
            if (replay->attachment == attachment)
                hg_replay_free(core, replay);
        }
        hg_sub_check_replays(core, sub);
    }
    for (struct hg_list_node *n = group->log.first; n; n = n->next) {
        struct hg_segment *segment = HG_CONTAINER(n, struct hg_segment, in_log);
        for (size_t i = 0; i < segment->span_count; i++)
            if (segment->spans[i].attachment == attachment)
                segment->spans[i].attachment = NULL;
    }
    hg_source_detach(core, attachment);
    hg_group_check_alive(core, group);
}

void hg_group_free(struct hg_core *core, struct hg_group *group)
{
    HG_ASSERT(group->sub_count == 0 && group->member_count == 0);
    hg_group_distribute(core, group);
    HG_ASSERT(group->log.count == 0);
    while (group->attachments.first)
        hg_source_detach(core, HG_CONTAINER(group->attachments.first, struct hg_attachment, in_group));
    if (group->wants_streams)
        hg_discovery_remove(core, group);
    if (group->type_request)
        group->type_request->object = NULL;
    hg_list_unlink(&group->in_auto);
    hg_list_unlink(&group->linger);
    hg_list_remove(&core->groups.all, &group->in_all);
    hg_map_remove(&core->groups.map, &group->node);
    free(group->members);
    free((char *)group->pattern.ptr);
    free(group);
}

void hg_groups_done(struct hg_core *core)
{
    while (core->groups.all.first)
        hg_group_free(core, HG_CONTAINER(core->groups.all.first, struct hg_group, in_all));
    hg_map_done(&core->groups.map);
}

/* ---- ready, alive ------------------------------------------------------------------------------------------------ */

bool hg_group_is_ready(const struct hg_group *group)
{
    return group->unready == 0 && !group->undecided && group->needs_pass == 0;
}

void hg_group_check_ready(struct hg_core *core, struct hg_group *group)
{
    if (!hg_group_is_ready(group))
        return;
    while (group->pending.first)
        hg_sub_activate(core, HG_CONTAINER(group->pending.first, struct hg_sub, pending));
}

void hg_group_refuse(struct hg_core *core, struct hg_group *group, enum hg_error error, const char *why)
{
    while (group->pending.first)
        hg_sub_refuse(core, HG_CONTAINER(group->pending.first, struct hg_sub, pending), error, why);
}

static struct hg_segment *segment_for(struct hg_core *core, struct hg_group *group, size_t bytes)
{
    struct hg_segment *segment = group->open;
    if (segment && segment->frames.len + bytes <= HG_SEGMENT_BYTES)
        return segment;
    segment = hg_core_alloc(sizeof(*segment));
    segment->group = group;
    hg_buf_init(&segment->frames, core->tail.max + HG_SEGMENT_BYTES);
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

static void grew(struct hg_core *core, struct hg_segment *segment, size_t before)
{
    struct hg_group *group = segment->group;
    (void)hg_core_must(hg_buf_result(&segment->frames));
    group->log_bytes += segment->frames.len - before;
    core->stats.log_bytes += segment->frames.len - before;
    if (group->log_bytes > core->config->log_bytes_max && !group->full.owner)
        hg_list_push_back(&core->groups.full, &group->full);
}

void hg_group_check_alive(struct hg_core *core, struct hg_group *group)
{
    bool stale = group->not_alive > 0;
    if (group->stale == stale)
        return;
    group->stale = stale;
    if (group->member_count == 0)
        return;
    struct hg_segment *segment = segment_for(core, group, group->pattern.len + FRAME_OVERHEAD);
    size_t before = segment->frames.len;
    hg_message_alive(&segment->frames, !stale, group->pattern);
    segment->alive = stale ? HG_SEGMENT_SAYS_STALE : HG_SEGMENT_SAYS_LIVE;
    grew(core, segment, before);
}

/* ---- the log ----------------------------------------------------------------------------------------------------- */

static void put_span(struct hg_segment *segment, struct hg_attachment *attachment, hg_stream_id id)
{
    for (size_t i = segment->span_count; i > 0; i--)
        if (segment->spans[i - 1].attachment == attachment) {
            segment->spans[i - 1].last = id;
            return;
        }
    if (segment->span_count == segment->span_capacity) {
        size_t capacity = segment->span_capacity ? segment->span_capacity * 2 : 1;
        struct hg_span *spans = realloc(segment->spans, capacity * sizeof(*spans));
        HG_ASSERT(spans);
        segment->spans = spans;
        segment->span_capacity = capacity;
    }
    segment->spans[segment->span_count++] = (struct hg_span){attachment, id, id};
}

static void count_event(struct hg_core *core, struct hg_segment *segment, struct hg_attachment *attachment,
                        const hg_stream_id *id)
{
    if (id) {
        put_span(segment, attachment, *id);
        segment->stream_events++;
    } else {
        segment->channel_events++;
    }
    core->stats.deliveries_offered += segment->group->member_count;
}

void hg_group_append(struct hg_core *core, struct hg_attachment *attachment, const hg_stream_id *id, struct hg_slice tail)
{
    struct hg_group *group = attachment->group;
    if (group->member_count == 0 || HG_MUTANT(SILENT_DROP))
        return;
    if (HG_MUTANT(SPURIOUS_GAP))
        hg_group_append_interruption(core, group);
    struct hg_segment *segment = segment_for(core, group, tail.len + FRAME_OVERHEAD);
    size_t before = segment->frames.len;
    hg_message_event(&segment->frames, group->number, tail);
    grew(core, segment, before);
    count_event(core, segment, attachment, id);
}

static struct hg_segment *append_gap(struct hg_core *core, struct hg_group *group, struct hg_slice topic, const char *reason,
                                     uint64_t count)
{
    struct hg_segment *segment = segment_for(core, group, topic.len + FRAME_OVERHEAD);
    size_t before = segment->frames.len;
    hg_message_gap(&segment->frames, group->number, topic, reason, count);
    grew(core, segment, before);
    return segment;
}

void hg_group_append_oversize(struct hg_core *core, struct hg_attachment *attachment, const hg_stream_id *id,
                              struct hg_slice topic)
{
    if (attachment->group->member_count > 0)
        count_event(core, append_gap(core, attachment->group, topic, "overflow", 1), attachment, id);
}

void hg_group_append_interruption(struct hg_core *core, struct hg_group *group)
{
    if (group->member_count > 0)
        append_gap(core, group, group->pattern, "disconnected", 0)->interrupted = true;
}

void hg_group_append_left_out(struct hg_core *core, struct hg_group *group, struct hg_slice topic)
{
    if (group->member_count > 0)
        append_gap(core, group, topic, "overflow", 0);
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

static void set_next(struct hg_core *core, struct hg_sub *sub, struct hg_segment *next)
{
    struct hg_group *group = sub->group;
    if (sub->next)
        sub->next->waiting--;
    sub->next = next;
    if (next)
        next->waiting++;
    if (sub->state != HG_SUB_LIVE || !next)
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
        if (sub->next)
            continue;
        sub->next = unseen;
        unseen->waiting++;
        if (sub->state == HG_SUB_LIVE) {
            hg_list_push_back(&sub->session->lagging, &sub->lagging);
            hg_session_touch(core, sub->session);
        }
    }
    trim(core, group);
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
    set_next(core, sub, segment_after(sub->next));
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
    HG_ASSERT(group->members[sub->member_index] == sub);
    struct hg_sub *moved = group->members[--group->member_count];
    group->members[sub->member_index] = moved;
    moved->member_index = sub->member_index;
    set_next(core, sub, NULL);
}

/* The segment the subscription needs next is to go. What was on a stream it gets by replay, what was on a channel is lost, and
 * said; it jumps to the end of the log, so that it is not pushed along segment by segment. */
static void fall_off(struct hg_core *core, struct hg_sub *sub)
{
    uint64_t channel_events, stream_events;
    count_from(sub->next, &channel_events, &stream_events);
    core->stats.deliveries_gapped += channel_events;
    core->stats.deliveries_replaced += stream_events;
    sub->gap += channel_events;
    sub->jumped_stale = sub->group->stale;
    for (const struct hg_segment *segment = sub->next; segment; segment = segment_after(segment)) {
        sub->interrupted = sub->interrupted || segment->interrupted;
        for (size_t i = 0; i < segment->span_count; i++)
            if (segment->spans[i].attachment)
                hg_replay_extend(core, sub, segment->spans[i].attachment, segment->spans[i].first, segment->spans[i].last);
    }
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
    for (size_t i = 0; i < group->member_count && segment->waiting > 1; i++)
        if (group->members[i]->next == segment)
            fall_off(core, group->members[i]);
    /* The last one to leave takes the segment along. */
    for (size_t i = 0; i < group->member_count && group->log.count == count; i++)
        if (group->members[i]->next == segment)
            fall_off(core, group->members[i]);
    HG_ASSERT(group->log.count < count);
}

void hg_groups_evict(struct hg_core *core)
{
    struct hg_groups *groups = &core->groups;
    HG_ASSERT(groups->dirty.count == 0);
    while (groups->full.first) {
        struct hg_group *group = HG_CONTAINER(groups->full.first, struct hg_group, full);
        evict(core, HG_CONTAINER(group->log.first, struct hg_segment, in_log));
    }
    while (core->stats.log_bytes > core->config->log_bytes_total_max) {
        /* A segment in the middle of its log may be the oldest of all that nobody waits for; its log's first one goes. */
        struct hg_group *group = HG_CONTAINER(groups->by_age.first, struct hg_segment, in_age)->group;
        evict(core, HG_CONTAINER(group->log.first, struct hg_segment, in_log));
    }
}

/* ---- streams that appear, lingering ------------------------------------------------------------------------------ */

void hg_group_take_stream(struct hg_core *core, struct hg_group *group, struct hg_source *source, const struct hg_rule *rule,
                          bool whole)
{
    struct hg_attachment *attachment = hg_source_attach(core, source, group, rule);
    if (!whole || source->state == HG_SOURCE_BROKEN)
        return;
    if (source->placed) {
        hg_group_replay_whole(core, attachment);
    } else if (source->attachments.count == 1 && !core->discovery.without_type) {
        hg_source_start_at_zero(core, source);
    } else {
        /* Others want it from now on, or it may be no stream at all. */
        attachment->whole = true;
    }
}

void hg_group_replay_whole(struct hg_core *core, struct hg_attachment *attachment)
{
    struct hg_group *group = attachment->group;
    attachment->whole = false;
    hg_group_distribute(core, group);
    for (size_t i = 0; i < group->member_count; i++) {
        struct hg_sub *sub = group->members[i];
        hg_replay_start(core, sub, attachment, HG_STREAM_ID_ZERO, false, attachment->source->last, 0);
        if (sub->replays.count > 0 && sub->state == HG_SUB_LIVE)
            hg_sub_set_replaying(core, sub);
    }
}

void hg_group_linger(struct hg_core *core, struct hg_group *group)
{
    HG_ASSERT(group->sub_count == 0);
    if (HG_MUTANT(NO_LINGER_CLEANUP))
        return;
    group->linger_until = hg_time_add(core->now, hg_ms(core->config->linger_ms));
    hg_list_push_back(&core->groups.lingering, &group->linger);
}

void hg_groups_tick(struct hg_core *core)
{
    while (core->groups.lingering.first) {
        struct hg_group *group = HG_CONTAINER(core->groups.lingering.first, struct hg_group, linger);
        if (!hg_time_reached(group->linger_until, core->now))
            return;
        hg_group_free(core, group);
    }
}

hg_time hg_groups_deadline(const struct hg_core *core)
{
    const struct hg_list_node *first = core->groups.lingering.first;
    return first ? HG_CONTAINER(first, struct hg_group, linger)->linger_until : HG_TIME_NEVER;
}

void hg_groups_validate(const struct hg_core *core)
{
    uint64_t log_bytes = 0, segments = 0;
    hg_list_validate(&core->groups.all);
    HG_ASSERT(core->groups.all.count == core->groups.map.count);
    for (struct hg_list_node *n = core->groups.all.first; n; n = n->next) {
        struct hg_group *group = HG_CONTAINER(n, struct hg_group, in_all);
        hg_list_validate(&group->attachments);
        hg_list_validate(&group->log);
        hg_list_validate(&group->pending);
        HG_ASSERT(group->sub_count == group->member_count + group->pending.count);
        size_t unready = 0, not_alive = 0;
        for (struct hg_list_node *a = group->attachments.first; a; a = a->next) {
            struct hg_attachment *attachment = HG_CONTAINER(a, struct hg_attachment, in_group);
            HG_ASSERT(attachment->group == group);
            unready += attachment->source->state != HG_SOURCE_READY;
            not_alive += !attachment->source->alive;
        }
        HG_ASSERT(unready == group->unready && not_alive == group->not_alive);
        HG_ASSERT((group->unseen != NULL) == hg_list_contains(&core->groups.dirty, &group->dirty));
        uint64_t bytes = 0;
        for (struct hg_list_node *s = group->log.first; s; s = s->next) {
            struct hg_segment *segment = HG_CONTAINER(s, struct hg_segment, in_log);
            uint64_t waiting = 0;
            for (size_t i = 0; i < group->member_count; i++)
                waiting += group->members[i]->next == segment;
            HG_ASSERT(waiting == segment->waiting);
            bytes += segment->frames.len;
            segments++;
        }
        HG_ASSERT(bytes == group->log_bytes);
        log_bytes += bytes;
        for (size_t i = 0; i < group->member_count; i++) {
            const struct hg_sub *sub = group->members[i];
            HG_ASSERT(sub->member_index == i && sub->group == group && sub->state != HG_SUB_PENDING);
            HG_ASSERT(!sub->next || sub->next->group == group);
        }
    }
    HG_ASSERT(log_bytes == core->stats.log_bytes && segments == core->stats.frames_alive);
    HG_ASSERT(segments == core->groups.by_age.count);
}
