#include "core/playback.h"

#include "core/state.h"
#include "wire/message.h"

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

static void answer(struct hg_core *core, struct hg_session *session, const struct hg_command *command,
                   const struct hg_sub *sub)
{
    size_t mark;
    hg_session_answer_begin(session, &mark);
    hg_message_ok_sub(&session->out, command->ref, sub->group->number, HG_SLICE_NULL);
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
    answer(core, session, command, sub);
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
    bool was_paused = sub->paused;
    sub->paused = false;
    answer(core, session, command, sub);
    if (session->state != HG_SESSION_OPEN)
        return;
    if (was_paused && sub->state == HG_SUB_LIVE && sub->next)
        hg_list_push_back(&session->lagging, &sub->lagging);
    hg_conflation_check(core, sub);
    wake_replays(core, sub);
    hg_session_touch(core, session);
}

static bool has_stream(const struct hg_interest *interest)
{
    for (const struct hg_list_node *n = interest->attachments.first; n; n = n->next)
        if (HG_CONTAINER(n, const struct hg_attachment, in_interest)->source->type == HG_SOURCE_TYPE_STREAM)
            return true;
    return false;
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
    answer(core, session, command, sub);
    if (session->state != HG_SESSION_OPEN)
        return;
    while (sub->replays.first)
        hg_replay_free(core, HG_CONTAINER(sub->replays.first, struct hg_replay, in_sub));
    hg_group_skip(core, sub);
    sub->state = HG_SUB_LIVE;
    sub->tell_caught_up = false;
    hg_sub_start_replays(core, sub, &command->from);
}
