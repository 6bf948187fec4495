#include "core/canary.h"

#include "core/state.h"

void hg_canary_init(struct hg_core *core)
{
    snprintf(core->canary.channel, sizeof(core->canary.channel), "__headgate__:%016llx",
             (unsigned long long)hg_prng_next(&core->prng));
}

void hg_canary_listener_up(struct hg_core *core)
{
    struct hg_canary *canary = &core->canary;
    canary->subscribed = canary->awaited = false;
    canary->next_at = hg_time_add(core->now, hg_ms(core->config->canary_ms));
    if (canary->denied)
        return;
    struct hg_slice argv[] = {HG_LIT("SUBSCRIBE"), hg_slice_str(canary->channel)};
    hg_link_send(core, HG_LINK_LISTENER, HG_REQUEST_CANARY, NULL, argv, 2);
}

void hg_canary_listener_lost(struct hg_core *core)
{
    core->canary.subscribed = core->canary.awaited = false;
}

static void deny(struct hg_core *core, const struct hg_reply *reply)
{
    struct hg_slice words = hg_core_words(core, reply);
    hg_core_log(core, HG_LOG_INFO, "redis does not allow the channel %s (%.*s): its links are proven by PING only",
                core->canary.channel, HG_SLICE_ARG(words));
    core->canary.denied = true;
    core->canary.subscribed = core->canary.awaited = false;
}

void hg_canary_subscribed(struct hg_core *core, const struct hg_reply *reply)
{
    if (reply && reply->type == HG_REPLY_ERROR)
        deny(core, reply);
    else if (reply)
        core->canary.subscribed = true;
}

void hg_canary_published(struct hg_core *core, const struct hg_reply *reply)
{
    if (!core->canary.awaited)
        return;
    if (!reply)
        core->canary.awaited = false; /* it may never have been sent */
    else if (reply->type == HG_REPLY_ERROR)
        deny(core, reply);
    else if (reply->type == HG_REPLY_INTEGER && reply->integer == 0)
        hg_link_lost(core, HG_LINK_LISTENER, HG_LIT("redis does not know its subscriptions any more"), true);
}

void hg_canary_noise(struct hg_core *core)
{
    core->canary.heard = core->now;
}

bool hg_canary_heard(struct hg_core *core, struct hg_slice channel, struct hg_slice message)
{
    struct hg_canary *canary = &core->canary;
    char nonce[24];
    if (!hg_slice_is(channel, canary->channel))
        return false;
    snprintf(nonce, sizeof(nonce), "%llu", (unsigned long long)canary->nonce);
    if (hg_slice_is(message, nonce))
        canary->awaited = false;
    return true;
}

static hg_time overdue_at(const struct hg_core *core)
{
    const struct hg_canary *canary = &core->canary;
    hg_time since = hg_time_before(canary->heard, canary->sent_at) ? canary->sent_at : canary->heard;
    return hg_time_add(since, hg_ms(core->config->canary_ms));
}

void hg_canary_tick(struct hg_core *core)
{
    struct hg_canary *canary = &core->canary;
    if (!hg_link_is_up(core, HG_LINK_LISTENER))
        return;
    if (canary->awaited && hg_time_reached(overdue_at(core), core->now) && !HG_MUTANT(CANARY_DEAF)) {
        hg_link_lost(core, HG_LINK_LISTENER, HG_LIT("its canary did not come back within canary_ms"), true);
        return;
    }
    if (!hg_time_reached(canary->next_at, core->now))
        return;
    canary->next_at = hg_time_add(core->now, hg_ms(core->config->canary_ms));
    /* The nonce may be lost with the commander; this link must prove itself in time all the same. */
    if (!HG_MUTANT(CANARY_DEAF))
        hg_link_ping(core, HG_LINK_LISTENER);
    if (canary->subscribed && !canary->awaited && hg_link_is_up(core, HG_LINK_COMMANDER)) {
        char nonce[24];
        int len = snprintf(nonce, sizeof(nonce), "%llu", (unsigned long long)++canary->nonce);
        struct hg_slice argv[] = {HG_LIT("PUBLISH"), hg_slice_str(canary->channel), hg_slice(nonce, (size_t)len)};
        canary->awaited = true;
        canary->sent_at = core->now;
        hg_link_send(core, HG_LINK_COMMANDER, HG_REQUEST_PUBLISH, NULL, argv, 3);
    }
}

hg_time hg_canary_deadline(const struct hg_core *core)
{
    const struct hg_canary *canary = &core->canary;
    if (!hg_link_is_up(core, HG_LINK_LISTENER))
        return HG_TIME_NEVER;
    return canary->awaited ? hg_time_min(canary->next_at, overdue_at(core)) : canary->next_at;
}
