#include "core/replay.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "wire/message.h"

#define PAGE_BYTES       (64u * 1024)
#define PAGE_MAX         500u
#define REFUSED_PAUSE_MS 500u

static bool is_head(const struct hg_replay *replay)
{
    return replay->sub->replays.first == &replay->in_sub;
}

void hg_replays_unblock(struct hg_core *core, struct hg_session *session)
{
    if (session->replay || !session->writable || session->out.len >= HG_REPLAY_BYTES)
        return;
    struct hg_list_node *node = hg_list_pop_front(&session->replays_blocked);
    if (!node)
        return;
    session->replay = HG_CONTAINER(node, struct hg_replay, ready);
    hg_list_push_back(&core->replays.ready, node);
}

/* One replay of a client at a time, in turns: each page brings at least one event, however little room is left, so
 * several at once could bring more than the client has room for. */
static void make_ready(struct hg_core *core, struct hg_replay *replay)
{
    if (!is_head(replay) || replay->request || replay->ready.owner)
        return;
    struct hg_session *session = replay->sub->session;
    hg_list_push_back(&session->replays_blocked, &replay->ready);
    hg_replays_unblock(core, session);
}

void hg_replay_start(struct hg_core *core, struct hg_sub *sub, struct hg_attachment *attachment, hg_stream_id from,
                     bool from_exists, hg_stream_id until, uint64_t last)
{
    if (hg_stream_id_cmp(until, HG_STREAM_ID_ZERO) == 0 || (last == 0 && hg_stream_id_cmp(from, until) > 0))
        return;
    struct hg_replay *replay = hg_core_alloc(sizeof(*replay));
    *replay = (struct hg_replay){.sub = sub,
                                 .attachment = attachment,
                                 .from = from,
                                 .until = until,
                                 .scanned = from,
                                 .from_exists = from_exists,
                                 .last = last};
    if (HG_MUTANT(DOUBLE_JOIN))
        replay->until = HG_STREAM_ID_MAX;
    hg_list_push_back(&sub->replays, &replay->in_sub);
    make_ready(core, replay);
}

void hg_replay_extend(struct hg_replay *replay, hg_stream_id first, hg_stream_id last)
{
    if (!replay->more && replay->request) {
        replay->more = true;
        replay->more_from = first;
    }
    replay->until = last;
}

void hg_replay_free(struct hg_core *core, struct hg_replay *replay)
{
    struct hg_sub *sub = replay->sub;
    if (replay->request) {
        replay->request->object = NULL;
        core->replays.running--;
    }
    if (sub->session->replay == replay)
        sub->session->replay = NULL;
    hg_list_unlink(&replay->ready);
    hg_list_remove(&sub->replays, &replay->in_sub);
    free(replay);
    if (sub->replays.first)
        make_ready(core, HG_CONTAINER(sub->replays.first, struct hg_replay, in_sub));
    hg_replays_unblock(core, sub->session);
}

static void finish(struct hg_core *core, struct hg_replay *replay)
{
    struct hg_sub *sub = replay->sub;
    hg_replay_free(core, replay);
    hg_sub_check_replays(core, sub);
}

static void tell_gap(struct hg_core *core, struct hg_replay *replay, enum hg_gap reason, uint64_t count)
{
    struct hg_sub *sub = replay->sub;
    hg_message_gap(&sub->session->out, sub->group->number, replay->attachment->source->topic, reason, count);
    (void)hg_core_must(hg_buf_result(&sub->session->out));
    hg_session_touch(core, sub->session);
}

static bool passes(struct hg_core *core, const struct hg_replay *replay, const struct hg_entry *entry)
{
    const struct hg_group *group = replay->sub->group;
    const struct hg_attachment *attachment = replay->attachment;
    struct hg_slice json, tail;
    if (!group->filter)
        return true;
    bool fits = hg_source_put_entry(core, attachment->rule, attachment->source->topic, entry, &json, &tail);
    return (!fits && !json.ptr) || hg_interest_passes(core, group, attachment->source->topic, json, fits);
}

/* Looks for the place `last` entries that pass before the end: pages backwards, of which only ids are kept. */
static void count_back(struct hg_core *core, struct hg_replay *replay, const struct hg_reply *reply)
{
    struct hg_entry entry;
    for (size_t i = 0; i < reply->count && replay->last > 0; i++) {
        if (!hg_reply_entry(&reply->items[i], &entry)) {
            hg_link_lost(core, HG_LINK_REPLAY, HG_LIT("an answer to XREVRANGE had an unexpected shape"), true);
            make_ready(core, replay);
            return;
        }
        replay->scanned = entry.id;
        if (passes(core, replay, &entry)) {
            replay->from = entry.id;
            replay->last--;
        }
    }
    if (reply->count < replay->asked)
        replay->last = 0;
    if (hg_stream_id_cmp(replay->from, replay->until) > 0 && replay->last == 0)
        finish(core, replay);
    else
        make_ready(core, replay);
}

static void go_on_after(struct hg_replay *replay, hg_stream_id last)
{
    if (hg_stream_id_next(last, &replay->from))
        replay->from_exists = false;
}

static void deliver(struct hg_core *core, struct hg_replay *replay, const struct hg_reply *reply)
{
    struct hg_session *session = replay->sub->session;
    struct hg_entry entry = {.id = HG_STREAM_ID_ZERO};
    hg_stream_id last = HG_STREAM_ID_ZERO;
    size_t delivered = 0;
    /* The entry beyond the page is only looked at: its id is where the next page must begin. */
    size_t page = replay->asked - 1;
    for (; delivered < reply->count; delivered++) {
        if (!hg_reply_entry(&reply->items[delivered], &entry)) {
            if (delivered > 0)
                go_on_after(replay, last);
            hg_session_touch(core, session);
            hg_link_lost(core, HG_LINK_REPLAY, HG_LIT("an answer to XRANGE had an unexpected shape"), true);
            make_ready(core, replay);
            return;
        }
        if (delivered == 0 && replay->from_exists && hg_stream_id_cmp(entry.id, replay->from) != 0)
            tell_gap(core, replay, HG_GAP_TRIMMED, 0);
        if (delivered == page || (delivered > 0 && session->out.len >= HG_REPLAY_BYTES))
            break;
        uint64_t bytes = 0;
        for (size_t i = 0; i < entry.field_count; i++)
            bytes += entry.fields[i].text.len;
        core->replays.entry_bytes = (core->replays.entry_bytes * 15 + bytes) / 16;
        struct hg_slice json, tail, topic = replay->attachment->source->topic;
        bool fits = hg_source_put_entry(core, replay->attachment->rule, topic, &entry, &json, &tail);
        bool unknown = !fits && !json.ptr;
        if (!unknown && !hg_interest_passes(core, replay->sub->group, topic, json, fits)) {
            last = entry.id;
            continue;
        }
        if (fits) {
            hg_message_event(&session->out, replay->sub->group->number, tail);
            (void)hg_core_must(hg_buf_result(&session->out));
            core->stats.replayed++;
        } else {
            tell_gap(core, replay, HG_GAP_OVERFLOW, 1);
        }
        last = entry.id;
    }
    if (reply->count == 0 && replay->from_exists)
        tell_gap(core, replay, HG_GAP_TRIMMED, 0);
    hg_session_touch(core, session);
    if (delivered < reply->count) {
        replay->from = entry.id;
        replay->from_exists = true;
        make_ready(core, replay);
    } else if (replay->more) {
        replay->from = replay->more_from;
        replay->from_exists = true;
        replay->more = false;
        make_ready(core, replay);
    } else {
        finish(core, replay);
    }
}

void hg_replay_page(struct hg_core *core, struct hg_replay *replay, const struct hg_reply *reply)
{
    if (!replay)
        return;
    replay->request = NULL;
    replay->sub->session->replay = NULL;
    core->replays.running--;
    if (!reply) {
        make_ready(core, replay);
    } else if (reply->type == HG_REPLY_ERROR && hg_reply_is_error(reply, "WRONGTYPE")) {
        tell_gap(core, replay, HG_GAP_GONE, 0);
        finish(core, replay);
    } else if (reply->type == HG_REPLY_ERROR) {
        struct hg_slice words = hg_core_words(core, reply);
        hg_core_log(core, HG_LOG_WARNING, "redis refuses to replay '%.*s': %.*s; trying again",
                    HG_SLICE_ARG(replay->attachment->source->name), HG_SLICE_ARG(words));
        core->replays.retry_at = hg_time_add(core->now, hg_ms(REFUSED_PAUSE_MS));
        make_ready(core, replay);
    } else if (reply->type != HG_REPLY_ARRAY) {
        hg_link_lost(core, HG_LINK_REPLAY, HG_LIT("an answer to XRANGE had an unexpected shape"), true);
        make_ready(core, replay);
    } else if (replay->last > 0) {
        count_back(core, replay, reply);
    } else {
        deliver(core, replay, reply);
    }
}

static void ask(struct hg_core *core, struct hg_replay *replay)
{
    char low[HG_STREAM_ID_TEXT_MAX + 1], high[HG_STREAM_ID_TEXT_MAX + 1], number[24];
    hg_stream_id from = replay->from, until = replay->until;
    uint64_t count = PAGE_BYTES / (core->replays.entry_bytes + 1);
    count = count < 4 ? 4 : count > PAGE_MAX ? PAGE_MAX : count;
    bool backwards = replay->last > 0;
    if (backwards) {
        if (count > replay->last && !replay->sub->group->filter)
            count = replay->last;
        from = HG_STREAM_ID_ZERO;
        if (hg_stream_id_cmp(replay->scanned, until) <= 0 && !hg_stream_id_prev(replay->scanned, &until))
            until = HG_STREAM_ID_ZERO;
        replay->asked = (size_t)count;
    } else {
        replay->asked = (size_t)++count;
    }
    int low_len = snprintf(low, sizeof(low), "%llu-%llu", (unsigned long long)from.ms, (unsigned long long)from.seq);
    int high_len =
        snprintf(high, sizeof(high), "%llu-%llu", (unsigned long long)until.ms, (unsigned long long)until.seq);
    int number_len = snprintf(number, sizeof(number), "%llu", (unsigned long long)count);
    struct hg_slice low_text = hg_slice(low, (size_t)low_len), high_text = hg_slice(high, (size_t)high_len);
    struct hg_slice argv[] = {backwards ? HG_LIT("XREVRANGE") : HG_LIT("XRANGE"),
                              replay->attachment->source->name,
                              backwards ? high_text : low_text,
                              backwards ? low_text : high_text,
                              HG_LIT("COUNT"),
                              hg_slice(number, (size_t)number_len)};
    replay->more = false; /* this page goes to the end as it is now */
    replay->request = hg_link_send(core, HG_LINK_REPLAY, HG_REQUEST_PAGE, replay, argv, 6);
    core->replays.running++;
}

void hg_replays_pump(struct hg_core *core)
{
    struct hg_replays *replays = &core->replays;
    if (!hg_link_is_up(core, HG_LINK_REPLAY) || !hg_time_reached(replays->retry_at, core->now))
        return;
    while (replays->ready.first && replays->running < HG_REPLAYS_RUNNING)
        ask(core, HG_CONTAINER(hg_list_pop_front(&replays->ready), struct hg_replay, ready));
}

hg_time hg_replays_deadline(const struct hg_core *core)
{
    const struct hg_replays *replays = &core->replays;
    bool waits =
        replays->ready.count > 0 && hg_link_is_up(core, HG_LINK_REPLAY) && hg_time_before(core->now, replays->retry_at);
    return waits ? replays->retry_at : HG_TIME_NEVER;
}
