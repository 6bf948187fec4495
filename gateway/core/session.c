#include "core/session.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "filter/filter.h"
#include "wire/frame.h"
#include "wire/message.h"

#define SLICES             32u /* the sessions are looked at in so many parts, so that pings are spread */
#define LOOKS              4u
#define WRITES_PER_TURN    4096u /* then accepts, emits and Redis get their turn */
#define BYTES_PER_TURN     (32u << 20)
#define WRITES_PER_SESSION 4u
#define NO_SLOT            UINT32_MAX

/* ---- the table --------------------------------------------------------------------------------------------------- */

struct hg_session *hg_session_get(const struct hg_core *core, hg_session_ref ref)
{
    const struct hg_sessions *table = &core->sessions;
    if (ref.index >= table->slot_count || table->slots[ref.index].generation != ref.generation)
        return NULL;
    return table->slots[ref.index].session;
}

static uint32_t take_slot(struct hg_sessions *table)
{
    if (table->slot_count == 0)
        table->free_slot = NO_SLOT;
    if (table->free_slot != NO_SLOT) {
        uint32_t index = table->free_slot;
        table->free_slot = table->slots[index].next_free;
        return index;
    }
    if (table->slot_count == table->slot_capacity) {
        uint32_t capacity = table->slot_capacity ? table->slot_capacity * 2 : 64;
        struct hg_session_slot *slots = realloc(table->slots, capacity * sizeof(*slots));
        HG_ASSERT(slots);
        table->slots = slots;
        table->slot_capacity = capacity;
    }
    table->slots[table->slot_count] = (struct hg_session_slot){.generation = 1};
    return table->slot_count++;
}

void hg_sessions_init(struct hg_core *core)
{
    struct hg_sessions *table = &core->sessions;
    hg_buf_init(&table->gather, core->tail.max * 2 + core->config->reply_bytes_max + 3 * HG_WRITE_BYTES);
    hg_map_init(&table->echoes, core->hash_key);
    for (size_t i = 0; i < core->config->rule_count; i++) {
        const struct hg_rule *rule = &core->config->rules[i];
        if (!rule->emit || rule->source == HG_SOURCE_CHANNEL)
            continue;
        if (table->dedupe_window_ms == 0 || rule->dedupe_window_ms < table->dedupe_window_ms)
            table->dedupe_window_ms = rule->dedupe_window_ms;
    }
}

struct hg_session *hg_session_open(struct hg_core *core)
{
    struct hg_sessions *table = &core->sessions;
    uint32_t index = take_slot(table);
    struct hg_session *session = hg_core_alloc(sizeof(*session));
    session->ref = (hg_session_ref){index, table->slots[index].generation};
    session->writable = true;
    session->heard = session->pinged = core->now;
    /* An answer, a replayed event in its worst encoding, or both behind a full replay. */
    hg_buf_init(&session->out, core->tail.max + core->config->reply_bytes_max + 2 * HG_WRITE_BYTES);
    table->slots[index].session = session;
    if (table->count++ == 0)
        table->next_slice = core->now;

    session->name.high = hg_prng_next(&core->prng);
    session->name.low = hg_prng_next(&core->prng);
    char name[HG_SESSION_NAME_BYTES];
    hg_session_name_write(session->name, name);
    struct hg_welcome welcome = {
        .session = hg_slice(name, sizeof(name)),
        .ping_ms = core->config->ping_ms,
        .message_bytes = core->config->message_bytes_max,
        .event_bytes = core->config->event_bytes_max,
        .subscriptions = core->config->subscriptions_per_session_max,
        .emits = core->config->emits_per_session_max,
        .dedupe_window_ms = core->sessions.dedupe_window_ms,
    };
    hg_message_welcome(&session->out, &welcome);
    (void)hg_core_must(hg_buf_result(&session->out));
    hg_session_touch(core, session);
    return session;
}

struct hg_slice hg_session_peer(const struct hg_core *core, const struct hg_session *session, char *to)
{
    if (!core->ports.ws_peer)
        return HG_SLICE_NULL;
    return hg_slice(to, core->ports.ws_peer(core->ports.context, session->ref, to, HG_PEER_BYTES_MAX));
}

struct hg_backlog *hg_session_backlog(struct hg_session *session)
{
    if (!session->backlog)
        session->backlog = hg_core_alloc(sizeof(*session->backlog));
    return session->backlog;
}

static void free_subs(struct hg_core *core, struct hg_session *session)
{
    while (session->sub_count > 0)
        hg_sub_free(core, session->subs[session->sub_count - 1]);
    free(session->subs);
    session->subs = NULL;
    session->sub_capacity = 0;
    HG_ASSERT(session->wait_count == 0 && session->lagging.count == 0);
    HG_ASSERT(!session->backlog || (session->backlog->ready.count == 0 && session->backlog->overdue.count == 0));
}

static void drop_out(struct hg_core *core, struct hg_session *session)
{
    core->stats.deliveries_dropped += session->out_events;
    session->out_events = 0;
    hg_buf_done(&session->out);
}

void hg_session_free(struct hg_core *core, struct hg_session *session)
{
    struct hg_sessions *table = &core->sessions;
    free_subs(core, session);
    hg_list_unlink(&session->queued);
    drop_out(core, session);
    core->sessions.held -= session->state == HG_SESSION_OPEN ? session->held : 0;
    core->sessions.leaving_held -= session->state == HG_SESSION_OPEN ? 0 : session->held;
    hg_filter_unref(session->forced);
    hg_echo_leave(core, session);
    free(session->rate);
    free(session->backlog);
    struct hg_session_slot *slot = &table->slots[session->ref.index];
    *slot = (struct hg_session_slot){.generation = slot->generation + 1, .next_free = table->free_slot};
    table->free_slot = session->ref.index;
    table->count--;
    free(session);
}

void hg_session_close(struct hg_core *core, struct hg_session *session, enum hg_close reason)
{
    if (session->state == HG_SESSION_CLOSING)
        return;
    session->state = HG_SESSION_CLOSING;
    core->sessions.held -= session->held;
    core->sessions.leaving_held += session->held;
    free_subs(core, session);
    hg_list_unlink(&session->queued);
    drop_out(core, session);
    const struct hg_close_row *row = hg_close_row(reason);
    hg_core_log(core, HG_LOG_DEBUG, "session %u closes: %s", session->ref.index, row->text);
    core->ports.ws_close(core->ports.context, session->ref, row->code, hg_slice_str(row->reason));
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

void hg_session_touch(struct hg_core *core, struct hg_session *session)
{
    if (session->writable && session->state == HG_SESSION_OPEN && !session->queued.owner)
        hg_list_push_back(&core->sessions.dirty, &session->queued);
}

void hg_session_deafen(struct hg_core *core, struct hg_session *session, enum hg_deaf why)
{
    if (session->state != HG_SESSION_OPEN)
        return;
    if (session->deaf == 0)
        core->ports.ws_pause(core->ports.context, session->ref, true);
    session->deaf |= (uint8_t)why;
}

void hg_session_listen(struct hg_core *core, struct hg_session *session, enum hg_deaf why)
{
    if (!(session->deaf & why) || session->state != HG_SESSION_OPEN)
        return;
    session->deaf &= (uint8_t)~why;
    if (session->deaf == 0)
        core->ports.ws_pause(core->ports.context, session->ref, false);
}

void hg_session_answer_begin(struct hg_session *session, size_t *ret_mark)
{
    *ret_mark = session->out.len;
}

void hg_session_answer_end(struct hg_core *core, struct hg_session *session, size_t mark)
{
    if (session->state != HG_SESSION_OPEN)
        return;
    session->answer_bytes += (uint32_t)(session->out.len - mark);
    if (hg_buf_result(&session->out).code == HG_ERR_TOO_BIG || session->answer_bytes > core->config->reply_bytes_max) {
        hg_session_close(core, session, HG_CLOSE_TOO_MANY);
        return;
    }
    (void)hg_core_must(hg_buf_result(&session->out));
    if (session->answer_bytes > core->config->reply_bytes_max / 2)
        hg_session_deafen(core, session, HG_DEAF_ANSWERS);
    hg_session_touch(core, session);
}

void hg_session_error(struct hg_core *core, struct hg_session *session, struct hg_slice ref, enum hg_error error,
                      struct hg_slice message, size_t at, uint64_t retry_ms)
{
    if (session->state != HG_SESSION_OPEN)
        return;
    size_t mark;
    core->stats.errors_out++;
    hg_session_answer_begin(session, &mark);
    hg_message_error(&session->out, ref, error, message, at, retry_ms);
    hg_session_answer_end(core, session, mark);
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static uint64_t events_of(const struct hg_segment *segment)
{
    return segment->channel_events + segment->stream_events + segment->paced_events;
}

static void hand_over(struct hg_core *core, struct hg_session *session, struct hg_slice frames, uint64_t events)
{
    enum hg_send sent = core->ports.ws_send(core->ports.context, session->ref, frames);
    core->stats.writes++;
    if (sent == HG_SEND_CLOSED) {
        core->stats.deliveries_dropped += events;
    } else {
        core->stats.deliveries_sent += events;
        core->stats.bytes_out += frames.len;
    }
    if (sent != HG_SEND_DONE) {
        session->writable = false;
        session->blocked_since = core->now;
        session->held = sent == HG_SEND_BUFFERED ? (uint32_t)frames.len : 0;
        core->sessions.held += session->held;
    }
}

static void out_was_sent(struct hg_core *core, struct hg_session *session)
{
    hg_buf_done(&session->out); /* most clients are silent most of the time */
    session->answer_bytes = 0;
    session->out_events = 0;
    hg_session_listen(core, session, HG_DEAF_ANSWERS);
}

static struct hg_slice frames_for(struct hg_core *core, const struct hg_session *session, struct hg_segment *segment)
{
    if (session->deflates || HG_MUTANT(DEFLATED_FOR_ALL))
        return hg_deflated_frames(core, segment);
    return hg_buf_slice(&segment->frames);
}

/* Several pieces become one write, as far as they are small: the send costs more than the copy. */
static void send_gathered(struct hg_core *core, struct hg_session *session)
{
    struct hg_buf *gather = &core->sessions.gather;
    uint64_t events = session->out_events;
    bool with_out = session->out.len > 0;
    hg_buf_clear(gather);
    hg_buf_put(gather, hg_buf_slice(&session->out));
    while (session->lagging.first) {
        struct hg_sub *sub = HG_CONTAINER(session->lagging.first, struct hg_sub, lagging);
        struct hg_segment *segment = sub->next;
        struct hg_slice frames = frames_for(core, session, segment);
        if (gather->len > 0 && gather->len + frames.len > HG_WRITE_BYTES)
            break;
        hg_buf_put(gather, frames);
        events += events_of(segment);
        hg_group_advance(core, sub);
        if (sub->lagging.owner) { /* the others' turn first */
            hg_list_remove(&session->lagging, &sub->lagging);
            hg_list_push_back(&session->lagging, &sub->lagging);
        }
    }
    (void)hg_core_must(hg_buf_result(gather));
    hand_over(core, session, hg_buf_slice(gather), events);
    if (with_out)
        out_was_sent(core, session);
}

static void send_segment(struct hg_core *core, struct hg_session *session, struct hg_sub *sub)
{
    hand_over(core, session, frames_for(core, session, sub->next), events_of(sub->next));
    hg_group_advance(core, sub);
}

static bool has_something(const struct hg_session *session)
{
    const struct hg_backlog *backlog = session->backlog;
    return session->out.len > 0 || session->lagging.first ||
           (backlog && (backlog->ready.first || backlog->overdue.first));
}

static bool stands_alone(const struct hg_session *session, const struct hg_sub *sub)
{
    if (session->out.len > 0)
        return false;
    if (sub->next->frames.len > HG_WRITE_BYTES / 2)
        return true;
    return session->lagging.count == 1 && sub->next->in_log.next == NULL;
}

/* Sends what there is; true when something is left although the socket takes more. */
static bool flush(struct hg_core *core, struct hg_session *session)
{
    /* Something that it had to be told did not fit, wherever that was: it must not go on as if nothing was missing. */
    if (!hg_ok(hg_buf_result(&session->out))) {
        hg_session_close(core, session, HG_CLOSE_TOO_MANY);
        return false;
    }
    for (unsigned i = 0; i < WRITES_PER_SESSION && session->writable; i++) {
        if (session->backlog && session->backlog->ready.first)
            hg_replays_fill(core, session);
        if (session->backlog && session->backlog->overdue.first)
            hg_conflations_fill(core, session);
        if (session->out.len == 0 && !session->lagging.first)
            break; /* nothing, or replays that have had their share of this turn */
        struct hg_list_node *first = session->lagging.first;
        struct hg_sub *sub = first ? HG_CONTAINER(first, struct hg_sub, lagging) : NULL;
        if (session->out.len > 0 && (!sub || session->out.len > HG_WRITE_BYTES / 2)) {
            hand_over(core, session, hg_buf_slice(&session->out), session->out_events);
            out_was_sent(core, session);
        } else if (stands_alone(session, sub)) {
            send_segment(core, session, sub);
        } else {
            send_gathered(core, session);
        }
    }
    if (!session->writable && session->state == HG_SESSION_OPEN) {
        hg_list_unlink(&session->queued); /* what it was told while its replays went on may have put it there */
        hg_list_push_back(&core->sessions.blocked, &session->queued);
    }
    return session->writable && has_something(session);
}

struct hg_session *hg_sessions_worst(const struct hg_core *core)
{
    for (struct hg_list_node *n = core->sessions.blocked.first; n; n = n->next)
        if (HG_CONTAINER(n, struct hg_session, queued)->held > 0)
            return HG_CONTAINER(n, struct hg_session, queued);
    return NULL;
}

void hg_session_writable(struct hg_core *core, struct hg_session *session)
{
    session->writable = true;
    hg_list_unlink(&session->queued);
    core->sessions.held -= session->held;
    session->held = 0;
    for (uint32_t i = 0; i < session->sub_count; i++)
        hg_sub_tell_jump(core, session->subs[i]);
    if (has_something(session))
        hg_session_touch(core, session);
}

void hg_sessions_flush(struct hg_core *core)
{
    struct hg_sessions *table = &core->sessions;
    uint64_t until = core->stats.writes + WRITES_PER_TURN, bytes_until = core->stats.bytes_out + BYTES_PER_TURN;
    for (size_t left = table->dirty.count;
         left > 0 && core->stats.writes < until && core->stats.bytes_out < bytes_until; left--) {
        struct hg_session *session = HG_CONTAINER(hg_list_pop_front(&table->dirty), struct hg_session, queued);
        if (flush(core, session))
            hg_session_touch(core, session);
    }
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

/* Each session is looked at LOOKS times in the shortest of these, so no deadline is missed by more than that part. */
static hg_dur slice_of(const struct hg_core *core)
{
    const struct hg_config *config = core->config;
    uint64_t round = config->ping_ms;
    round = round < config->pong_timeout_ms ? round : config->pong_timeout_ms;
    round = round < config->stall_timeout_ms ? round : config->stall_timeout_ms;
    return hg_us(hg_ms(round).us / LOOKS / SLICES);
}

static void ping(struct hg_core *core, struct hg_session *session)
{
    const struct hg_config *config = core->config;
    if (session->state != HG_SESSION_OPEN)
        return;
    if (!session->writable) {
        if (hg_time_reached(hg_time_add(session->blocked_since, hg_ms(config->stall_timeout_ms)), core->now))
            hg_session_close(core, session, HG_CLOSE_STALLED);
        return;
    }
    if (session->deaf & HG_DEAF_EMITS)
        session->heard = core->now; /* its pong would not be read */
    if (hg_time_before(session->heard, session->pinged)) {
        if (hg_time_reached(hg_time_add(session->pinged, hg_ms(config->pong_timeout_ms)), core->now))
            hg_session_close(core, session, HG_CLOSE_NO_PONG);
        return;
    }
    if (hg_time_reached(hg_time_add(session->pinged, hg_ms(config->ping_ms)), core->now)) {
        session->pinged = core->now;
        hg_frame_put_ping(&session->out, 'h');
        (void)hg_core_must(hg_buf_result(&session->out));
        hg_session_touch(core, session);
    }
}

void hg_sessions_tick(struct hg_core *core)
{
    struct hg_sessions *table = &core->sessions;
    hg_subs_tick(core);
    if (table->count == 0)
        return;
    hg_dur slice = slice_of(core);
    for (unsigned i = 0; i < SLICES && hg_time_reached(table->next_slice, core->now); i++) {
        table->ping_slice = (table->ping_slice + 1) % SLICES;
        for (uint32_t index = table->ping_slice; index < table->slot_count; index += SLICES)
            if (table->slots[index].session)
                ping(core, table->slots[index].session);
        table->next_slice = hg_time_add(table->next_slice, slice);
    }
    if (hg_time_before(table->next_slice, core->now)) /* the process slept: no burst of rounds */
        table->next_slice = hg_time_add(core->now, slice);
}

hg_time hg_sessions_deadline(const struct hg_core *core)
{
    const struct hg_sessions *table = &core->sessions;
    hg_time deadline = HG_TIME_NEVER;
    if (table->dirty.count > 0)
        return core->now;
    if (table->waits.first)
        deadline = HG_CONTAINER(table->waits.first, struct hg_wait, in_order)->deadline;
    if (table->updates.first)
        deadline = hg_time_min(deadline, HG_CONTAINER(table->updates.first, struct hg_update, in_order)->deadline);
    if (table->seeks.first)
        deadline = hg_time_min(deadline, HG_CONTAINER(table->seeks.first, struct hg_seek, in_order)->deadline);
    if (table->count > 0)
        deadline = hg_time_min(deadline, table->next_slice);
    return deadline;
}

void hg_sessions_shutdown(struct hg_core *core)
{
    for (uint32_t i = 0; i < core->sessions.slot_count; i++) {
        struct hg_session *session = core->sessions.slots[i].session;
        if (!session || session->state != HG_SESSION_OPEN)
            continue;
        flush(core, session);
        if (session->state == HG_SESSION_OPEN && session->writable) {
            hg_message_goodbye(&session->out, "restart", 500 + hg_prng_below(&core->prng, 4500));
            (void)hg_core_must(hg_buf_result(&session->out));
            hand_over(core, session, hg_buf_slice(&session->out), session->out_events);
            session->out_events = 0;
        }
        hg_session_close(core, session, HG_CLOSE_RESTART);
    }
}

void hg_sessions_done(struct hg_core *core)
{
    struct hg_sessions *table = &core->sessions;
    for (uint32_t i = 0; i < table->slot_count; i++)
        if (table->slots[i].session)
            hg_session_free(core, table->slots[i].session);
    HG_ASSERT(table->waits.count == 0 && table->seeks.count == 0 && table->dirty.count == 0);
    HG_ASSERT(table->blocked.count == 0 && table->held == 0 && table->leaving_held == 0);
    free(table->slots);
    hg_map_done(&table->echoes);
    hg_buf_done(&table->gather);
}

void hg_sessions_validate(const struct hg_core *core)
{
    const struct hg_sessions *table = &core->sessions;
    uint64_t count = 0, subs = 0, held = 0, leaving_held = 0;
    hg_list_validate(&table->dirty);
    hg_list_validate(&table->blocked);
    hg_list_validate(&table->waits);
    hg_list_validate(&table->seeks);
    for (uint32_t i = 0; i < table->slot_count; i++) {
        const struct hg_session *session = table->slots[i].session;
        if (!session)
            continue;
        uint64_t waits = 0;
        count++;
        subs += session->sub_count;
        hg_list_validate(&session->lagging);
        HG_ASSERT(session->ref.index == i && session->ref.generation == table->slots[i].generation);
        HG_ASSERT(session->state == HG_SESSION_OPEN || (session->sub_count == 0 && !session->queued.owner));
        bool open = session->state == HG_SESSION_OPEN;
        HG_ASSERT(!session->queued.owner ||
                  session->queued.owner == (session->writable ? &table->dirty : &table->blocked));
        HG_ASSERT(!open || session->queued.owner || (session->writable && !has_something(session)));
        HG_ASSERT(session->held == 0 || !session->writable);
        held += open ? session->held : 0;
        leaving_held += open ? 0 : session->held;
        if (session->backlog)
            hg_list_validate(&session->backlog->ready);
        for (uint32_t j = 0; j < session->sub_count; j++) {
            const struct hg_sub *sub = session->subs[j];
            HG_ASSERT(sub->session == session);
            HG_ASSERT((sub->state == HG_SUB_PENDING) == (sub->pending != NULL));
            HG_ASSERT((sub->drain != NULL) == (!sub->pending && sub->group->conflation));
            waits += sub->pending ? sub->pending->waits.count : 0;
            HG_ASSERT(!sub->seek || (sub->seek->sub == sub && sub->state != HG_SUB_PENDING));
            HG_ASSERT((sub->lagging.owner != NULL) == (hg_sub_is_live(sub) && sub->next != NULL));
            HG_ASSERT(sub->state != HG_SUB_REPLAYING || sub->replays.count > 0);
            HG_ASSERT(sub->state == HG_SUB_REPLAYING || sub->replays.count == 0);
            hg_list_validate(&sub->replays);
        }
        HG_ASSERT(waits == session->wait_count);
    }
    HG_ASSERT(count == table->count && subs == core->stats.subscriptions);
    HG_ASSERT(held == table->held && leaving_held == table->leaving_held);
}
