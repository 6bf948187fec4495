#include "core/playback.h"

#include <stdlib.h>

#include "core/state.h"
#include "wire/message.h"

#define RETRY_MS    1000u
#define SPAN_MS_MAX 1000000000000u /* some thirty years: what lies further apart does not wait longer */

hg_time hg_sub_due(struct hg_core *core, struct hg_sub *sub, uint64_t ms)
{
    if (sub->speed == 0 || HG_MUTANT(SPEED_IGNORED))
        return core->now;
    if (!sub->origin_known) {
        sub->origin_known = true;
        sub->origin_ms = ms;
        sub->origin_at = core->now;
    }
    if (ms <= sub->origin_ms)
        return core->now;
    uint64_t span = ms - sub->origin_ms;
    span = span < SPAN_MS_MAX ? span : SPAN_MS_MAX;
    return hg_time_add(sub->origin_at,
                       hg_us(span * 100 / sub->speed * 1000 + span * 100 % sub->speed * 1000 / sub->speed));
}

static void answer(struct hg_core *core, const struct hg_sub *sub, struct hg_slice ref)
{
    struct hg_session *session = sub->session;
    size_t mark;
    hg_session_answer_begin(session, &mark);
    hg_message_ok_sub(&session->out, ref, sub->group->number, HG_SLICE_NULL);
    hg_session_answer_end(core, session, mark);
}

static void wake_replays(struct hg_core *core, struct hg_sub *sub)
{
    for (struct hg_list_node *n = sub->replays.first; n; n = n->next) {
        struct hg_replay *replay = HG_CONTAINER(n, struct hg_replay, in_sub);
        hg_replay_sleep(core, replay);
        hg_replay_wake(core, replay);
    }
}

void hg_session_pause(struct hg_core *core, struct hg_session *session, const struct hg_command *command)
{
    struct hg_sub *sub = hg_session_sub(core, session, command);
    if (!sub)
        return;
    if (!sub->paused && !HG_MUTANT(PAUSE_IGNORED)) {
        sub->paused = true;
        sub->paused_at = core->now;
        hg_list_unlink(&sub->lagging);
        for (struct hg_list_node *n = sub->replays.first; n; n = n->next)
            hg_replay_sleep(core, HG_CONTAINER(n, struct hg_replay, in_sub));
        hg_conflation_check(core, sub);
    }
    answer(core, sub, command->ref);
}

/* From now on, at the moment of the past that it has come to. */
static void set_speed(struct hg_core *core, struct hg_sub *sub, uint32_t speed)
{
    if (sub->speed > 0 && sub->origin_known) {
        uint64_t passed_ms = hg_time_since(sub->origin_at, core->now).us / 1000;
        passed_ms = passed_ms < SPAN_MS_MAX ? passed_ms : SPAN_MS_MAX;
        sub->origin_ms += passed_ms * sub->speed / 100;
    }
    sub->origin_at = core->now;
    sub->speed = speed;
}

void hg_session_resume(struct hg_core *core, struct hg_session *session, const struct hg_command *command)
{
    struct hg_sub *sub = hg_session_sub(core, session, command);
    if (!sub)
        return;
    if (sub->paused)
        sub->origin_at = hg_time_add(sub->origin_at, hg_time_since(sub->paused_at, core->now));
    if (command->speed > 0)
        set_speed(core, sub, command->speed);
    if (command->speed > 0 && sub->seek)
        sub->seek->from.speed = command->speed;
    bool was_paused = sub->paused;
    sub->paused = false;
    answer(core, sub, command->ref);
    if (session->state != HG_SESSION_OPEN)
        return;
    if (was_paused && sub->state == HG_SUB_LIVE && sub->next)
        hg_list_push_back(&session->lagging, &sub->lagging);
    hg_conflation_check(core, sub);
    wake_replays(core, sub);
    hg_session_touch(core, session);
}

/* ---- seek -------------------------------------------------------------------------------------------------------- */

static void take_out(struct hg_seek *seek)
{
    seek->sub->seek = NULL;
    hg_list_unlink(&seek->in_order);
    hg_list_unlink(&seek->in_interest);
}

void hg_seek_free(struct hg_seek *seek)
{
    take_out(seek);
    free(seek);
}

void hg_seek_refuse(struct hg_core *core, struct hg_seek *seek, enum hg_error error, struct hg_slice message)
{
    struct hg_session *session = seek->sub->session;
    hg_session_error(core, session, hg_slice(seek->text, seek->ref_len), error, message, SIZE_MAX,
                     error == HG_ERR_UNAVAILABLE ? RETRY_MS : 0);
    if (session->state == HG_SESSION_OPEN) /* else it was closed over its answers, and all of it is freed */
        hg_seek_free(seek);
}

static bool has_stream(const struct hg_interest *interest)
{
    for (const struct hg_list_node *n = interest->attachments.first; n; n = n->next)
        if (HG_CONTAINER(n, const struct hg_attachment, in_interest)->source->type == HG_SOURCE_TYPE_STREAM)
            return true;
    return false;
}

static void jump(struct hg_core *core, struct hg_sub *sub, struct hg_slice ref, const struct hg_from *from)
{
    const struct hg_session *session = sub->session;
    answer(core, sub, ref);
    if (session->state != HG_SESSION_OPEN)
        return; /* closed over its answers; its subscriptions are freed */
    while (sub->replays.first)
        hg_replay_free(core, HG_CONTAINER(sub->replays.first, struct hg_replay, in_sub));
    hg_group_skip(core, sub);
    sub->state = HG_SUB_LIVE;
    sub->tell_caught_up = false;
    hg_sub_start_replays(core, sub, from);
}

static void put_off(struct hg_core *core, struct hg_sub *sub, const struct hg_command *command)
{
    struct hg_slice ref = command->ref, cursors = command->from.cursors;
    struct hg_seek *seek = hg_core_alloc(sizeof(*seek) + ref.len + cursors.len);
    seek->sub = sub;
    seek->asked_at = core->now;
    seek->deadline = hg_time_add(core->now, hg_ms(core->config->subscribe_timeout_ms));
    seek->ref_len = ref.len;
    if (ref.len > 0)
        memcpy(seek->text, ref.ptr, ref.len);
    memcpy(seek->text + ref.len, cursors.ptr, cursors.len);
    seek->from = command->from;
    seek->from.cursors = hg_slice(seek->text + ref.len, cursors.len);
    sub->seek = seek;
    hg_list_push_back(&core->sessions.seeks, &seek->in_order);
    hg_list_push_back(&sub->group->interest->seeks, &seek->in_interest);
}

void hg_session_seek(struct hg_core *core, struct hg_session *session, const struct hg_command *command)
{
    struct hg_sub *sub = hg_session_sub(core, session, command);
    if (!sub)
        return;
    if (!has_stream(sub->group->interest)) {
        hg_session_error(core, session, command->ref, HG_ERR_BAD_REQUEST,
                         HG_LIT("Only subscriptions to streams can seek: a channel keeps nothing."), SIZE_MAX, 0);
        return;
    }
    if (hg_overload_refuses(core, session, command->ref, &command->from))
        return;
    if (sub->seek)
        hg_seek_refuse(core, sub->seek, HG_ERR_BAD_REQUEST, HG_LIT("Another seek came before this one could begin."));
    if (session->state != HG_SESSION_OPEN)
        return;
    if (hg_sub_may_begin(core, sub, &command->from, core->now) || HG_MUTANT(SEEK_UNREAD))
        jump(core, sub, command->ref, &command->from);
    else if (command->from.cursors.len + hg_session_cursor_bytes(session) <= core->config->message_bytes_max)
        put_off(core, sub, command);
    else
        hg_session_error(core, session, command->ref, HG_ERR_TOO_MANY_REQUESTS,
                         HG_LIT("The cursors of what waits for Redis are more than message_bytes_max."), SIZE_MAX,
                         RETRY_MS);
}

void hg_seeks_check(struct hg_core *core, struct hg_interest *interest)
{
    /* A session that is closed over its answers takes all its seeks along. */
    for (size_t left = interest->seeks.count; left > 0 && interest->seeks.first; left--) {
        struct hg_list_node *node = hg_list_pop_front(&interest->seeks);
        hg_list_push_back(&interest->seeks, node);
        struct hg_seek *seek = HG_CONTAINER(node, struct hg_seek, in_interest);
        struct hg_sub *sub = seek->sub;
        if (!hg_sub_may_begin(core, sub, &seek->from, seek->asked_at))
            continue;
        take_out(seek); /* so that it outlives its subscription */
        jump(core, sub, hg_slice(seek->text, seek->ref_len), &seek->from);
        free(seek);
    }
}

void hg_seeks_tick(struct hg_core *core)
{
    while (core->sessions.seeks.first) {
        struct hg_seek *seek = HG_CONTAINER(core->sessions.seeks.first, struct hg_seek, in_order);
        if (!hg_time_reached(seek->deadline, core->now))
            return;
        hg_seek_refuse(core, seek, HG_ERR_UNAVAILABLE,
                       HG_LIT("The subscription did not jump: this gateway has not read the entry at one of the "
                              "cursors, and Redis did not say whether it is there."));
    }
}
