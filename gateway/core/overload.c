#include "core/overload.h"

#include "core/state.h"

/* Spread, so that those who were refused together do not come back together. */
#define RETRY_S_MIN     2u
#define RETRY_S_SPREAD  9u
#define RETRY_MS_MIN    1000u
#define RETRY_MS_SPREAD 4000u
#define LAGGARDS_MAX    64u /* closed in one turn */

void hg_overload_init(struct hg_core *core)
{
    hg_admission_init(&core->overload.admission, hg_ms(core->config->overload_turn_ms), core->config->memory_bytes_max);
}

uint64_t hg_overload_bytes(const struct hg_core *core)
{
    const struct hg_core_stats *stats = &core->stats;
    return stats->log_bytes + stats->history_bytes + core->emitter.bytes + core->sessions.held +
           core->sessions.leaving_held + core->sessions.count * HG_SESSION_BYTES + stats->subscriptions * HG_SUB_BYTES +
           core->groups.all.count * HG_GROUP_BYTES + hg_sources_count(core) * HG_SOURCE_BYTES;
}

static void tell_change(struct hg_core *core)
{
    struct hg_overload *overload = &core->overload;
    const struct hg_admission *admission = &overload->admission;
    const struct hg_core_stats *stats = &core->stats;
    if (hg_admission_state(admission) == HG_ADMISSION_OK) {
        hg_core_log(core, HG_LOG_INFO, "the overload is over; %llu clients and %llu replays were refused meanwhile",
                    (unsigned long long)(stats->sessions_refused - overload->refused_before),
                    (unsigned long long)(stats->replays_refused - overload->replays_before));
        return;
    }
    core->stats.sheddings++;
    overload->refused_before = stats->sessions_refused;
    overload->replays_before = stats->replays_refused;
    if (admission->strains & HG_STRAIN_TURNS)
        hg_core_log(core, HG_LOG_WARNING,
                    "overload: a turn of the loop takes %llu ms, and overload_turn_ms is %llu; new clients and replays "
                    "are refused until that is better",
                    (unsigned long long)admission->turn.us / 1000, (unsigned long long)core->config->overload_turn_ms);
    else if (admission->strains & HG_STRAIN_MEMORY)
        hg_core_log(core, HG_LOG_WARNING,
                    "overload: %llu bytes are held, and memory_bytes_max is %llu; new clients and replays are refused "
                    "until that is better",
                    (unsigned long long)hg_overload_bytes(core), (unsigned long long)core->config->memory_bytes_max);
    else
        hg_core_log(core, HG_LOG_WARNING,
                    "overload: the system allows %llu more open files; new clients and replays are refused until that "
                    "is better",
                    (unsigned long long)overload->descriptors_left);
}

void hg_overload_feed(struct hg_core *core, hg_dur turn, uint64_t descriptors, uint64_t descriptors_left)
{
    struct hg_load load = {turn, hg_overload_bytes(core), descriptors, descriptors_left};
    core->overload.descriptors_left = descriptors_left;
    if (!hg_admission_feed(&core->overload.admission, core->now, &load))
        return;
    tell_change(core);
    core->reports.next_at = core->now;
}

static bool sheds(const struct hg_core *core)
{
    return hg_admission_state(&core->overload.admission) == HG_ADMISSION_SHEDDING;
}

bool hg_overload_admits(struct hg_core *core, unsigned *reterr_retry_s)
{
    struct hg_core_stats others = {0};
    if (core->ports.add_others)
        core->ports.add_others(core->ports.context, &others);
    bool full = core->sessions.count + others.sessions >= core->config->connections_max;
    if (!full && !sheds(core) && !core->shutting_down)
        return true;
    core->stats.sessions_refused++;
    *reterr_retry_s = RETRY_S_MIN + (unsigned)hg_prng_below(&core->prng, RETRY_S_SPREAD);
    return false;
}

bool hg_overload_refuses(struct hg_core *core, struct hg_session *session, struct hg_slice ref,
                         const struct hg_from *from)
{
    if (from->kind == HG_FROM_LIVE || !sheds(core))
        return false;
    core->stats.replays_refused++;
    hg_session_error(core, session, ref, HG_ERR_UNAVAILABLE,
                     HG_LIT("The gateway is overloaded and begins no replay now; live subscriptions are taken."),
                     SIZE_MAX, RETRY_MS_MIN + hg_prng_below(&core->prng, RETRY_MS_SPREAD));
    return true;
}

void hg_overload_tick(struct hg_core *core)
{
    /* What is about to be given back is as good as gone. */
    uint64_t held = hg_overload_bytes(core) - core->sessions.leaving_held;
    uint64_t excess = hg_admission_excess(&core->overload.admission, held);
    for (unsigned i = 0; i < LAGGARDS_MAX && excess > 0; i++) {
        struct hg_session *worst = hg_sessions_worst(core);
        if (!worst)
            return;
        uint64_t gives = worst->held;
        core->stats.laggards_closed++;
        hg_session_close(core, worst, HG_CLOSE_LAGGING);
        excess -= gives < excess ? gives : excess;
    }
}

hg_time hg_overload_deadline(const struct hg_core *core)
{
    return hg_admission_deadline(&core->overload.admission);
}
