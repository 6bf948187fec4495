#include "core/sub.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "filter/explain.h"
#include "filter/filter.h"
#include "topic/template.h"
#include "wire/message.h"

#define RETRY_MS 1000u

static void free_wait(struct hg_wait *wait)
{
    wait->sub->session->wait_count--;
    hg_list_unlink(&wait->in_order);
    hg_list_unlink(&wait->in_pending);
    free(wait);
}

static void free_update(struct hg_core *core, struct hg_update *update)
{
    update->sub->update = NULL;
    update->group->coming--;
    hg_group_check_idle(core, update->group);
    hg_list_unlink(&update->in_order);
    free(update);
}

static struct hg_wait *first_wait(const struct hg_pending *pending)
{
    return pending->waits.first ? HG_CONTAINER(pending->waits.first, struct hg_wait, in_pending) : NULL;
}

/* It is in its group, or about to be freed. What waits for it is not answered any more. */
static void free_pending(struct hg_sub *sub)
{
    struct hg_pending *pending = sub->pending;
    struct hg_wait *wait;
    while ((wait = first_wait(pending)))
        free_wait(wait);
    hg_list_unlink(&pending->in_interest);
    sub->pending = NULL;
    free(pending);
}

void hg_sub_free(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_session *session = sub->session;
    struct hg_group *group = sub->group;
    if (sub->pending)
        free_pending(sub);
    if (sub->update)
        free_update(core, sub->update);
    if (sub->seek)
        hg_seek_free(sub->seek);
    while (sub->replays.first)
        hg_replay_free(core, HG_CONTAINER(sub->replays.first, struct hg_replay, in_sub));
    if (sub->state != HG_SUB_PENDING)
        hg_group_leave(core, sub);
    for (uint32_t i = 0; i < session->sub_count; i++)
        if (session->subs[i] == sub) {
            session->subs[i] = session->subs[--session->sub_count];
            break;
        }
    core->stats.subscriptions--;
    free(sub);
    group->sub_count--;
    hg_group_check_idle(core, group);
}

/* With the place it begins at, so that a client can come back to it before any event came. */
static void answer_sub(struct hg_core *core, struct hg_session *session, struct hg_slice ref,
                       const struct hg_group *group, struct hg_slice hint)
{
    const struct hg_interest *interest = group->interest;
    const struct hg_list_node *first = interest->attachments.first;
    const struct hg_attachment *attachment =
        first ? HG_CONTAINER(first, const struct hg_attachment, in_interest) : NULL;
    bool stream = interest->exact && attachment && attachment->source->type == HG_SOURCE_TYPE_STREAM;
    struct hg_place place = stream ? hg_attachment_place(attachment) : (struct hg_place){.proven = false};
    size_t mark;
    hg_session_answer_begin(session, &mark);
    hg_message_ok_subscribe(&session->out, ref, group->number, hint, stream ? &place : NULL,
                            interest->wants_streams ? &interest->newest_ms : NULL);
    hg_session_answer_end(core, session, mark);
}

static void put_texts(char *into, struct hg_slice ref, struct hg_slice hint)
{
    if (ref.len > 0)
        memcpy(into, ref.ptr, ref.len);
    if (hint.len > 0)
        memcpy(into + ref.len, hint.ptr, hint.len);
}

static void add_wait(struct hg_core *core, struct hg_sub *sub, struct hg_slice ref, struct hg_slice hint)
{
    struct hg_wait *wait = hg_core_alloc(sizeof(*wait) + ref.len + hint.len);
    wait->sub = sub;
    wait->deadline = hg_time_add(core->now, hg_ms(core->config->subscribe_timeout_ms));
    wait->ref_len = ref.len;
    wait->hint_len = hint.len;
    put_texts(wait->text, ref, hint);
    hg_list_push_back(&core->sessions.waits, &wait->in_order);
    hg_list_push_back(&sub->pending->waits, &wait->in_pending);
    sub->session->wait_count++;
}

static struct hg_sub *find_sub(struct hg_session *session, const struct hg_group *group)
{
    for (uint32_t i = 0; i < session->sub_count; i++)
        if (session->subs[i]->group == group)
            return session->subs[i];
    return NULL;
}

static struct hg_pending *new_pending(struct hg_core *core, struct hg_sub *sub, const struct hg_from *from)
{
    struct hg_pending *pending = hg_core_alloc(sizeof(*pending) + from->cursors.len);
    pending->sub = sub;
    pending->from = *from;
    pending->made_at = core->now;
    char *at = pending->cursors;
    pending->from.cursors = hg_core_keep(&at, from->cursors);
    hg_list_push_back(&sub->group->interest->pending, &pending->in_interest);
    return pending;
}

static struct hg_sub *new_sub(struct hg_core *core, struct hg_session *session, struct hg_group *group,
                              const struct hg_from *from)
{
    if (session->sub_count == session->sub_capacity) {
        uint32_t capacity = session->sub_capacity ? session->sub_capacity * 2 : 1;
        struct hg_sub **subs = realloc(session->subs, capacity * sizeof(struct hg_sub *));
        HG_ASSERT(subs);
        session->subs = subs;
        session->sub_capacity = capacity;
    }
    struct hg_sub *sub = hg_core_alloc(sizeof(*sub));
    sub->session = session;
    sub->group = group;
    sub->state = HG_SUB_PENDING;
    session->subs[session->sub_count++] = sub;
    group->sub_count++;
    sub->pending = new_pending(core, sub, from);
    core->stats.subscriptions++;
    return sub;
}

/* The filter a command holds, NULL for none; false: refused, and told so. `report` then holds a hint, or nothing. */
static bool filter_of(struct hg_core *core, struct hg_session *session, const struct hg_command *command,
                      struct hg_filter **ret_filter, struct hg_filter_report *report)
{
    struct hg_json json;
    *report = (struct hg_filter_report){.at = 0};
    *ret_filter = NULL;
    if (command->filter.len == 0)
        return true;
    HG_ASSERT(hg_ok(hg_json_parse(command->filter, &json, NULL)));
    hg_result result = hg_core_must(hg_filter_parse_json(json, ret_filter, report));
    if (!hg_ok(result))
        hg_session_error(core, session, command->ref, result.code, hg_slice_str(report->text), report->at, 0);
    return hg_ok(result);
}

/* What the client may not see, joined to what it asked for. The reference to `filter` is given up. */
static hg_result join_forced(const struct hg_session *session, struct hg_filter *filter, struct hg_filter **ret_joined)
{
    if (!session->forced || !filter) {
        *ret_joined = filter ? filter : session->forced ? hg_filter_ref(session->forced) : NULL;
        return HG_OK;
    }
    hg_result result = hg_core_must(hg_filter_and(session->forced, filter, ret_joined));
    hg_filter_unref(filter);
    return result;
}

hg_result hg_session_force_filter(struct hg_session *session, struct hg_slice expression)
{
    struct hg_filter *filter = NULL;
    struct hg_filter_report report;
    if (expression.len > 0)
        HG_TRY(hg_filter_parse(expression, &filter, &report));
    hg_filter_unref(session->forced);
    session->forced = filter;
    return HG_OK;
}

/* The pace a command holds; false: refused, and told so. The key in it is a reference of the caller's. */
static bool tempo_of(struct hg_core *core, struct hg_session *session, const struct hg_command *command,
                     struct hg_tempo *ret_tempo)
{
    struct hg_json json;
    struct hg_filter_report report = {.at = 0};
    *ret_tempo = (struct hg_tempo){.every_ms = command->pace.every_ms};
    if (command->pace.key.len == 0)
        return true;
    HG_ASSERT(hg_ok(hg_json_parse(command->pace.key, &json, NULL)));
    hg_result result = hg_core_must(hg_filter_parse_json(json, &ret_tempo->key, &report));
    if (hg_ok(result))
        return true;
    hg_buf_clear(&core->message);
    hg_buf_printf(&core->message, "The key of \"conflate\" is not understood: %s", report.text);
    hg_session_error(core, session, command->ref, result.code, hg_buf_slice(&core->message), report.at, 0);
    return false;
}

/* The group a command means; NULL: refused, and told so. */
static struct hg_group *group_for(struct hg_core *core, struct hg_session *session, struct hg_interest *interest,
                                  const struct hg_command *command, struct hg_tempo tempo,
                                  struct hg_filter_report *report)
{
    struct hg_filter *filter;
    if (!filter_of(core, session, command, &filter, report))
        return NULL;
    if (!hg_ok(join_forced(session, filter, &filter))) {
        hg_session_error(core, session, command->ref, HG_ERR_FILTER_INVALID,
                         HG_LIT("This filter is too long together with what this connection may see."), SIZE_MAX, 0);
        return NULL;
    }
    struct hg_group *group = NULL;
    hg_result result = hg_group_get(core, interest, filter, tempo, &group, &core->message);
    hg_filter_unref(filter);
    if (!hg_ok(result))
        hg_session_error(core, session, command->ref, result.code, hg_buf_slice(&core->message), SIZE_MAX, 0);
    return group;
}

uint64_t hg_session_cursor_bytes(const struct hg_session *session)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < session->sub_count; i++) {
        const struct hg_sub *sub = session->subs[i];
        bytes += sub->pending ? sub->pending->from.cursors.len : 0;
        bytes += sub->seek ? sub->seek->from.cursors.len : 0;
    }
    return bytes;
}

void hg_session_subscribe(struct hg_core *core, struct hg_session *session, const struct hg_command *command)
{
    struct hg_interest *interest;
    if (hg_overload_refuses(core, session, command->ref, &command->from))
        return;
    hg_result result = hg_interest_get(core, command->topic, &interest, &core->message);
    if (!hg_ok(result)) {
        hg_session_error(core, session, command->ref, result.code, hg_buf_slice(&core->message), SIZE_MAX, 0);
        return;
    }
    struct hg_filter_report report;
    struct hg_tempo tempo;
    struct hg_group *group = NULL;
    if (tempo_of(core, session, command, &tempo))
        group = group_for(core, session, interest, command, tempo, &report);
    hg_filter_unref(tempo.key);
    if (interest->groups.count == 0)
        hg_interest_linger(core, interest);
    if (!group)
        return;
    struct hg_slice hint = hg_slice_str(report.text);
    struct hg_sub *sub = find_sub(session, group);
    if (sub && sub->state != HG_SUB_PENDING) {
        hg_group_check_idle(core, group);
        answer_sub(core, session, command->ref, group, hint);
        return;
    }
    if (!sub && session->sub_count >= core->config->subscriptions_per_session_max) {
        hg_group_check_idle(core, group);
        hg_session_error(core, session, command->ref, HG_ERR_LIMIT_EXCEEDED,
                         HG_LIT("This connection has as many subscriptions as subscriptions_per_session_max allows."),
                         SIZE_MAX, 0);
        return;
    }
    if (session->wait_count >= core->config->subscriptions_per_session_max) {
        hg_group_check_idle(core, group);
        hg_session_error(core, session, command->ref, HG_ERR_TOO_MANY_REQUESTS,
                         HG_LIT("Too many subscribes of this connection wait for Redis."), SIZE_MAX, RETRY_MS);
        return;
    }
    if (command->from.cursors.len + hg_session_cursor_bytes(session) > core->config->message_bytes_max) {
        hg_group_check_idle(core, group);
        hg_session_error(core, session, command->ref, HG_ERR_TOO_MANY_REQUESTS,
                         HG_LIT("The cursors of what waits for Redis are more than message_bytes_max."), SIZE_MAX,
                         RETRY_MS);
        return;
    }
    if (!sub)
        sub = new_sub(core, session, group, &command->from);
    add_wait(core, sub, command->ref, hint);
    hg_interest_check_ready(core, interest);
}

static void answer_waits(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_session *session = sub->session;
    struct hg_wait *wait;
    while ((wait = first_wait(sub->pending))) {
        answer_sub(core, session, hg_slice(wait->text, wait->ref_len), sub->group,
                   hg_slice(wait->text + wait->ref_len, wait->hint_len));
        if (session->state != HG_SESSION_OPEN)
            return; /* closed over its answers; everything is freed */
        free_wait(wait);
    }
}

static void tell_gone(struct hg_sub *sub, struct hg_slice topic)
{
    hg_message_gap(&sub->session->out, sub->group->number, topic, HG_GAP_GONE, 0);
    (void)hg_core_must(hg_buf_result(&sub->session->out));
}

/* Notes the given places at the attachments they are for: each is looked up once, however many streams there are.
 * `tell`: a place in a stream that is not there is told as gone. */
static uint64_t mark_given(struct hg_core *core, struct hg_sub *sub, const struct hg_from *from, bool tell)
{
    const struct hg_interest *interest = sub->group->interest;
    struct hg_slice topic;
    struct hg_place place;
    uint64_t mark = ++core->marks;
    if (from->kind != HG_FROM_CURSORS)
        return mark;
    struct hg_json_iter iter = hg_json_iter((struct hg_json){HG_JSON_OBJECT, from->cursors});
    while (hg_from_next(&iter, &core->decoded, &topic, &place)) {
        const struct hg_rule *rule = hg_core_rule(core, topic);
        if (!rule || rule->source == HG_SOURCE_CHANNEL)
            continue;
        hg_buf_clear(&core->text);
        (void)hg_core_must(hg_template_expand(hg_slice_str(rule->key), topic, &core->text));
        const struct hg_source *source = hg_source_find(core, HG_SOURCE_TYPE_STREAM, hg_buf_slice(&core->text));
        bool followed = false;
        for (struct hg_list_node *n = source ? source->attachments.first : NULL; n; n = n->next) {
            struct hg_attachment *attachment = HG_CONTAINER(n, struct hg_attachment, in_source);
            if (attachment->interest != interest)
                continue;
            attachment->marked = mark;
            attachment->given = place;
            followed = true;
        }
        if (tell && !followed && hg_stream_id_cmp(place.id, HG_STREAM_ID_ZERO) != 0)
            tell_gone(sub, topic);
    }
    return mark;
}

static void start_replay(struct hg_core *core, struct hg_sub *sub, struct hg_attachment *attachment,
                         enum hg_from_kind kind, const struct hg_from *from)
{
    struct hg_place beginning = {.proven = false}, since = {.id = {from->since_ms, 0}};
    switch (kind) {
    case HG_FROM_START:
        hg_replay_start(core, sub, attachment, HG_PROOF_NONE, beginning);
        return;
    case HG_FROM_SINCE:
        hg_replay_start(core, sub, attachment, HG_PROOF_NONE, since);
        return;
    case HG_FROM_LAST:
        hg_replay_start_last(core, sub, attachment, from->last);
        return;
    case HG_FROM_LIVE:
    case HG_FROM_CURSORS:
        return;
    }
    HG_UNREACHABLE();
}

void hg_sub_start_replays(struct hg_core *core, struct hg_sub *sub, const struct hg_from *from)
{
    struct hg_interest *interest = sub->group->interest;
    sub->speed = from->speed;
    sub->origin_known = false;
    if (from->kind == HG_FROM_LIVE)
        return;
    uint64_t mark = mark_given(core, sub, from, true);
    sub->tell_caught_up = true;
    sub->state = HG_SUB_REPLAYING;
    for (struct hg_list_node *n = interest->attachments.first; n; n = n->next) {
        struct hg_attachment *attachment = HG_CONTAINER(n, struct hg_attachment, in_interest);
        if (attachment->source->type != HG_SOURCE_TYPE_STREAM)
            continue;
        if (attachment->marked == mark)
            hg_replay_start(core, sub, attachment, HG_PROOF_SEEN, attachment->given);
        else
            start_replay(core, sub, attachment, from->kind == HG_FROM_CURSORS ? from->otherwise : from->kind, from);
    }
    hg_sub_check_replays(core, sub);
}

bool hg_sub_may_begin(struct hg_core *core, struct hg_sub *sub, const struct hg_from *from, hg_time since)
{
    struct hg_interest *interest = sub->group->interest;
    bool may = true;
    if (from->kind != HG_FROM_CURSORS)
        return true;
    uint64_t mark = mark_given(core, sub, from, false);
    for (struct hg_list_node *n = interest->attachments.first; n; n = n->next) {
        const struct hg_attachment *attachment = HG_CONTAINER(n, struct hg_attachment, in_interest);
        hg_stream_id place = hg_attachment_place(attachment).id;
        if (attachment->marked == mark && hg_stream_id_cmp(attachment->given.id, place) > 0)
            may = hg_source_is_behind(core, attachment->source, attachment->given.id, since) && may;
    }
    return may;
}

/* What is missing behind the place it begins at was told to those who were there. */
static void tell_holes(struct hg_core *core, struct hg_sub *sub)
{
    for (struct hg_list_node *n = sub->group->interest->attachments.first; n; n = n->next) {
        const struct hg_source *source = HG_CONTAINER(n, struct hg_attachment, in_interest)->source;
        if (source->hole.kind != HG_CONTINUITY_WHOLE)
            hg_message_gap(&sub->session->out, sub->group->number, source->topic, hg_gap_of(source->hole.kind),
                           sub->group->filter ? 0 : source->hole.missed);
    }
    (void)hg_core_must(hg_buf_result(&sub->session->out));
    hg_session_touch(core, sub->session);
}

void hg_sub_activate(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_session *session = sub->session;
    hg_list_unlink(&sub->pending->in_interest);
    sub->state = HG_SUB_LIVE;
    hg_group_join(core, sub);
    answer_waits(core, sub);
    if (session->state != HG_SESSION_OPEN)
        return;
    if (sub->group->interest->full_told)
        hg_message_gap(&session->out, sub->group->number, sub->group->interest->pattern, HG_GAP_OVERFLOW, 0);
    if (sub->pending->from.kind == HG_FROM_LIVE)
        tell_holes(core, sub);
    hg_sub_start_replays(core, sub, &sub->pending->from);
    free_pending(sub);
}

void hg_sub_check_replays(struct hg_core *core, struct hg_sub *sub)
{
    if (sub->state != HG_SUB_REPLAYING || sub->replays.count > 0)
        return;
    sub->state = HG_SUB_LIVE;
    if (sub->tell_caught_up) {
        sub->tell_caught_up = false;
        hg_message_caught_up(&sub->session->out, sub->group->number);
        (void)hg_core_must(hg_buf_result(&sub->session->out));
    }
    if (sub->next && !sub->paused)
        hg_list_push_back(&sub->session->lagging, &sub->lagging);
    hg_conflation_check(core, sub);
    hg_session_touch(core, sub->session);
}

void hg_sub_tell_jump(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_buf *out = &sub->session->out;
    const struct hg_group *group = sub->group;
    if (sub->gap > 0)
        hg_message_gap(out, group->number, group->interest->pattern, HG_GAP_OVERFLOW, sub->gap);
    if (sub->interrupted)
        hg_message_gap(out, group->number, group->interest->pattern, HG_GAP_DISCONNECTED, 0);
    if (sub->forgotten)
        hg_message_gap(out, group->number, group->interest->pattern, HG_GAP_GONE, 0);
    if (sub->told_stale != sub->jumped_stale)
        hg_message_alive(out, !sub->jumped_stale, group->number, group->interest->pattern);
    (void)hg_core_must(hg_buf_result(out));
    sub->gap = 0;
    sub->interrupted = sub->forgotten = false;
    sub->told_stale = sub->jumped_stale;
    hg_session_touch(core, sub->session);
}

void hg_sub_set_replaying(struct hg_core *core, struct hg_sub *sub)
{
    HG_ASSERT(sub->state == HG_SUB_LIVE);
    sub->state = HG_SUB_REPLAYING;
    hg_list_unlink(&sub->lagging);
    hg_conflation_check(core, sub);
}

void hg_sub_refuse(struct hg_core *core, struct hg_sub *sub, enum hg_error error, const char *why)
{
    struct hg_session *session = sub->session;
    HG_ASSERT(sub->state == HG_SUB_PENDING);
    struct hg_wait *wait;
    while ((wait = first_wait(sub->pending))) {
        hg_session_error(core, session, hg_slice(wait->text, wait->ref_len), error, hg_slice_str(why), SIZE_MAX, 0);
        if (session->state != HG_SESSION_OPEN)
            return;
        free_wait(wait);
    }
    hg_sub_free(core, sub);
}

struct hg_sub *hg_session_sub(struct hg_core *core, struct hg_session *session, const struct hg_command *command)
{
    for (uint32_t i = 0; i < session->sub_count; i++)
        if (session->subs[i]->group->number == command->sub && session->subs[i]->state != HG_SUB_PENDING)
            return session->subs[i];
    hg_buf_clear(&core->message);
    hg_buf_printf(&core->message, "There is no subscription %llu on this connection.",
                  (unsigned long long)command->sub);
    hg_session_error(core, session, command->ref, HG_ERR_BAD_REQUEST, hg_buf_slice(&core->message), SIZE_MAX, 0);
    return NULL;
}

void hg_session_update(struct hg_core *core, struct hg_session *session, const struct hg_command *command)
{
    struct hg_sub *sub = hg_session_sub(core, session, command);
    if (!sub)
        return;
    if (sub->update) {
        hg_session_error(core, session, command->ref, HG_ERR_TOO_MANY_REQUESTS,
                         HG_LIT("An update of this subscription is under way; wait for its answer."), SIZE_MAX,
                         RETRY_MS);
        return;
    }
    struct hg_filter_report report;
    struct hg_tempo tempo = {.every_ms = 0};
    if (sub->group->conflation)
        tempo = sub->group->conflation->tempo;
    struct hg_group *group = group_for(core, session, sub->group->interest, command, tempo, &report);
    if (!group)
        return;
    struct hg_slice hint = hg_slice_str(report.text);
    struct hg_update *update = hg_core_alloc(sizeof(*update) + command->ref.len + hint.len);
    sub->update = update;
    update->sub = sub;
    update->group = group;
    update->deadline = hg_time_add(core->now, hg_ms(core->config->subscribe_timeout_ms));
    update->ref_len = command->ref.len;
    update->hint_len = hint.len;
    put_texts(update->text, command->ref, hint);
    group->coming++;
    hg_list_unlink(&group->idle);
    hg_list_push_back(&core->sessions.updates, &update->in_order);
    hg_conflation_check(core, sub);
}

static void change_group(struct hg_core *core, struct hg_sub *sub, struct hg_group *group)
{
    struct hg_group *before = sub->group;
    if (before == group)
        return;
    if (find_sub(sub->session, group)) { /* it has that subscription already; this one only goes */
        hg_sub_free(core, sub);
        return;
    }
    hg_group_leave(core, sub);
    before->sub_count--;
    hg_group_check_idle(core, before);
    sub->group = group;
    group->sub_count++;
    hg_group_join(core, sub);
}

static void finish_update(struct hg_core *core, struct hg_update *update)
{
    struct hg_sub *sub = update->sub;
    struct hg_session *session = sub->session;
    struct hg_group *group = update->group;
    size_t mark;
    hg_session_answer_begin(session, &mark);
    hg_message_ok_sub(&session->out, hg_slice(update->text, update->ref_len), group->number,
                      hg_slice(update->text + update->ref_len, update->hint_len));
    group->coming++; /* kept while the subscription is between the two */
    free_update(core, update);
    change_group(core, sub, group);
    group->coming--;
    hg_group_check_idle(core, group);
    hg_session_answer_end(core, session, mark);
}

/* One in step has everything of its old group, and the new one has told nothing that it would miss. What was lost over
 * a jump is still to be told under the old number, and one that is not in the new group yet cannot go on for this one.
 * A seek that waits was asked for under the old filter. */
static bool may_update(const struct hg_update *update)
{
    const struct hg_sub *sub = update->sub;
    if (sub->state != HG_SUB_LIVE || sub->next || sub->seek || sub->gap > 0 || sub->interrupted ||
        sub->told_stale != sub->jumped_stale || !hg_conflation_is_even(sub))
        return false;
    const struct hg_sub *other = find_sub(sub->session, update->group);
    return !other || other->state != HG_SUB_PENDING;
}

void hg_sessions_update(struct hg_core *core)
{
    struct hg_list *updates = &core->sessions.updates;
    for (size_t left = updates->count; left > 0 && updates->first; left--) {
        struct hg_list_node *node = hg_list_pop_front(updates);
        struct hg_update *update = HG_CONTAINER(node, struct hg_update, in_order);
        hg_list_push_back(updates, node);
        if (may_update(update) || (update->sub->state == HG_SUB_LIVE && HG_MUTANT(UPDATE_SEAM)))
            finish_update(core, update);
        else
            hg_conflation_check(core, update->sub);
    }
}

static void expire_updates(struct hg_core *core)
{
    struct hg_list_node *next;
    for (struct hg_list_node *n = core->sessions.updates.first; n; n = next) {
        struct hg_update *update = HG_CONTAINER(n, struct hg_update, in_order);
        next = n->next;
        if (!hg_time_reached(update->deadline, core->now))
            continue;
        struct hg_session *session = update->sub->session;
        hg_session_error(core, session, hg_slice(update->text, update->ref_len), HG_ERR_UNAVAILABLE,
                         HG_LIT("The filter was not changed: this client is too far behind."), SIZE_MAX, RETRY_MS);
        if (session->state != HG_SESSION_OPEN)
            return; /* closed over its answers, and its updates are freed */
        free_update(core, update);
    }
}

void hg_session_explain(struct hg_core *core, struct hg_session *session, const struct hg_command *command)
{
    struct hg_filter *filter;
    struct hg_filter_report report;
    if (!filter_of(core, session, command, &filter, &report))
        return;
    struct hg_slice hint = hg_slice_str(report.text);
    size_t mark;
    hg_session_answer_begin(session, &mark);
    if (command->event.len == 0) {
        hg_message_ok_hint(&session->out, command->ref, hint);
    } else {
        hg_buf_clear(&core->tail);
        bool passes = false;
        (void)hg_core_must(hg_filter_explain_json(filter, command->event, command->topic, &core->tail, &passes));
        hg_message_ok_explain(&session->out, command->ref, passes, hg_buf_slice(&core->tail), hint);
    }
    hg_session_answer_end(core, session, mark);
    hg_filter_unref(filter);
}

void hg_session_unsubscribe(struct hg_core *core, struct hg_session *session, const struct hg_command *command)
{
    struct hg_sub *sub = hg_session_sub(core, session, command);
    if (!sub)
        return;
    if (sub->update) {
        hg_session_error(core, session, hg_slice(sub->update->text, sub->update->ref_len), HG_ERR_BAD_REQUEST,
                         HG_LIT("The subscription ended before its filter was changed."), SIZE_MAX, 0);
        if (session->state != HG_SESSION_OPEN)
            return;
    }
    if (sub->seek) {
        hg_seek_refuse(core, sub->seek, HG_ERR_BAD_REQUEST, HG_LIT("The subscription ended before it could jump."));
        if (session->state != HG_SESSION_OPEN)
            return;
    }
    if (!HG_MUTANT(LATE_UNSUBSCRIBE))
        hg_sub_free(core, sub);
    size_t mark;
    hg_session_answer_begin(session, &mark);
    hg_message_ok(&session->out, command->ref);
    hg_session_answer_end(core, session, mark);
}

static void expire_waits(struct hg_core *core)
{
    struct hg_sessions *table = &core->sessions;
    while (table->waits.first) {
        struct hg_wait *wait = HG_CONTAINER(table->waits.first, struct hg_wait, in_order);
        if (!hg_time_reached(wait->deadline, core->now))
            return;
        const struct hg_interest *interest = wait->sub->group->interest;
        const char *trouble = NULL;
        for (struct hg_list_node *n = interest->attachments.first; n && !trouble; n = n->next)
            trouble = HG_CONTAINER(n, struct hg_attachment, in_interest)->source->trouble;
        for (uint32_t link = HG_LINK_LISTENER; link <= HG_LINK_COMMANDER && !trouble; link++)
            if (!hg_link_is_up(core, link))
                trouble = hg_link_trouble(core, link);
        hg_buf_clear(&core->message);
        hg_buf_printf(&core->message, "Redis did not confirm this subscription within %llu ms (%s).",
                      (unsigned long long)core->config->subscribe_timeout_ms, trouble ? trouble : "no answer yet");
        hg_sub_refuse(core, wait->sub, HG_ERR_UNAVAILABLE, core->message.ptr);
    }
}

void hg_subs_tick(struct hg_core *core)
{
    expire_waits(core);
    expire_updates(core);
    hg_seeks_tick(core);
}
