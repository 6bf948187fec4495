#include "core/conflation.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "filter/fields.h"
#include "filter/filter.h"
#include "wire/message.h"

#define FRAME_OVERHEAD 48u /* what a frame has besides an event's tail, or a gap's topic */
#define NOT_IN_AGENDA  SIZE_MAX

struct entry {
    struct hg_list_node in_order;
    struct hg_map_node by_key; /* of a slot */
    uint64_t version;
    enum kind { SLOT, GAP, OVERSIZE, STALE, LIVE } kind;
    struct hg_buf frame;
    size_t held;
    size_t key_len;
    char key[];
};

static struct entry *entry_of(struct hg_list_node *node)
{
    return node ? HG_CONTAINER(node, struct entry, in_order) : NULL;
}

/* An event, or what took the place of one. */
static bool is_event(const struct entry *entry)
{
    return entry->kind == SLOT || entry->kind == OVERSIZE;
}

/* ---- the agenda -------------------------------------------------------------------------------------------------- */

static void place_at(struct hg_conflations *all, size_t at, struct hg_conflation *conflation)
{
    all->agenda[at] = conflation;
    conflation->in_agenda = at;
}

static void rise(struct hg_conflations *all, size_t at, struct hg_conflation *conflation)
{
    for (; at > 0 && hg_time_before(conflation->due, all->agenda[(at - 1) / 2]->due); at = (at - 1) / 2)
        place_at(all, at, all->agenda[(at - 1) / 2]);
    place_at(all, at, conflation);
}

static void sink(struct hg_conflations *all, size_t at, struct hg_conflation *conflation)
{
    for (size_t below; (below = 2 * at + 1) < all->agenda_count; at = below) {
        if (below + 1 < all->agenda_count && hg_time_before(all->agenda[below + 1]->due, all->agenda[below]->due))
            below++;
        if (!hg_time_before(all->agenda[below]->due, conflation->due))
            break;
        place_at(all, at, all->agenda[below]);
    }
    place_at(all, at, conflation);
}

static void put_on_agenda(struct hg_core *core, struct hg_conflation *conflation, hg_time due)
{
    struct hg_conflations *all = &core->conflations;
    if (conflation->in_agenda != NOT_IN_AGENDA) {
        conflation->due = hg_time_min(conflation->due, due);
        rise(all, conflation->in_agenda, conflation);
        return;
    }
    if (all->agenda_count == all->agenda_capacity) {
        size_t capacity = all->agenda_capacity ? all->agenda_capacity * 2 : 16;
        struct hg_conflation **agenda = realloc(all->agenda, capacity * sizeof(struct hg_conflation *));
        HG_ASSERT(agenda);
        all->agenda = agenda;
        all->agenda_capacity = capacity;
    }
    conflation->due = due;
    rise(all, all->agenda_count++, conflation);
}

static void take_off_agenda(struct hg_core *core, struct hg_conflation *conflation)
{
    struct hg_conflations *all = &core->conflations;
    size_t at = conflation->in_agenda;
    if (at == NOT_IN_AGENDA)
        return;
    conflation->in_agenda = NOT_IN_AGENDA;
    struct hg_conflation *last = all->agenda[--all->agenda_count];
    if (last == conflation)
        return;
    sink(all, at, last);
    rise(all, last->in_agenda, last);
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static void weigh(struct hg_core *core, struct hg_conflation *conflation, struct entry *entry)
{
    (void)hg_core_must(hg_buf_result(&entry->frame));
    size_t held = sizeof(*entry) + entry->key_len + entry->frame.capacity;
    conflation->bytes += held - entry->held;
    hg_group_hold(core, conflation->group, entry->held, held);
    entry->held = held;
}

static struct entry *new_entry(struct hg_core *core, enum kind kind, struct hg_slice key)
{
    struct entry *entry = hg_core_alloc(sizeof(*entry) + key.len);
    entry->kind = kind;
    entry->key_len = key.len;
    if (key.len > 0)
        memcpy(entry->key, key.ptr, key.len);
    hg_buf_init(&entry->frame, core->tail.max + FRAME_OVERHEAD);
    core->stats.frames_alive++;
    return entry;
}

static void free_entry(struct hg_core *core, struct hg_conflation *conflation, struct entry *entry)
{
    conflation->bytes -= entry->held;
    hg_group_hold(core, conflation->group, entry->held, 0);
    core->stats.frames_alive--;
    hg_list_remove(&conflation->entries, &entry->in_order);
    if (entry->kind == SLOT)
        hg_map_remove(&conflation->slots, &entry->by_key);
    hg_buf_done(&entry->frame);
    free(entry);
}

/* Everybody has what is up to this version. */
static void prune(struct hg_core *core, struct hg_conflation *conflation, uint64_t version)
{
    struct entry *first;
    while ((first = entry_of(conflation->entries.first)) && first->version <= version)
        free_entry(core, conflation, first);
}

bool hg_conflation_evict(struct hg_core *core, struct hg_conflation *conflation)
{
    struct entry *first = entry_of(conflation->entries.first);
    if (!first)
        return false;
    conflation->lost = first->version;
    free_entry(core, conflation, first);
    return true;
}

static void see(struct hg_core *core, struct hg_conflation *conflation, struct hg_sub *sub, uint64_t version)
{
    struct hg_drain *drain = sub->drain;
    bool was_late = drain->seen < conflation->ticked;
    if (version > drain->seen)
        drain->seen = version;
    if (was_late && drain->seen >= conflation->ticked && --conflation->late == 0)
        prune(core, conflation, conflation->ticked);
}

/* ---- the tick ---------------------------------------------------------------------------------------------------- */

static struct hg_segment *put_gap(struct hg_core *core, struct hg_group *group)
{
    struct hg_slice pattern = group->interest->pattern;
    struct hg_segment *segment = hg_group_segment(core, group, pattern.len + FRAME_OVERHEAD);
    hg_message_gap(&segment->frames, group->number, pattern, HG_GAP_OVERFLOW, 0);
    hg_group_grew(core, segment);
    return segment;
}

static void put_entry(struct hg_core *core, struct hg_group *group, const struct entry *entry)
{
    struct hg_segment *segment = hg_group_segment(core, group, entry->frame.len);
    hg_buf_put(&segment->frames, hg_buf_slice(&entry->frame));
    segment->version = entry->version;
    segment->paced_events += is_event(entry);
    if (entry->kind == STALE || entry->kind == LIVE)
        segment->alive = entry->kind == STALE ? HG_SEGMENT_SAYS_STALE : HG_SEGMENT_SAYS_LIVE;
    hg_group_grew(core, segment);
}

/* What changed since the last tick, for those in step. */
static void put_tick(struct hg_core *core, struct hg_conflation *conflation)
{
    struct hg_group *group = conflation->group;
    struct hg_list_node *first = NULL;
    uint64_t sent = 0;
    if (group->open && group->open->settles)
        group->open = NULL; /* two ticks in one turn */
    if (conflation->lost > conflation->ticked)
        put_gap(core, group);
    for (struct hg_list_node *n = conflation->entries.last; n && entry_of(n)->version > conflation->ticked; n = n->prev)
        first = n;
    for (struct hg_list_node *n = first; n; n = n->next) {
        if (entry_of(n)->kind == SLOT && HG_MUTANT(PACE_LOST))
            continue;
        put_entry(core, group, entry_of(n));
        sent += is_event(entry_of(n));
    }
    uint64_t left_out = conflation->events - conflation->ticked_events - sent;
    if (left_out > 0) {
        struct hg_segment *segment = hg_group_segment(core, group, FRAME_OVERHEAD);
        hg_message_conflated(&segment->frames, group->number, left_out);
        hg_group_grew(core, segment);
    }
    struct hg_segment *last = group->open;
    HG_ASSERT(last && !last->settles);
    last->version = conflation->version;
    last->settles = true;
    last->left_out = left_out;
    last->events_upto = conflation->events;
}

static void tick(struct hg_core *core, struct hg_conflation *conflation)
{
    struct hg_group *group = conflation->group;
    uint64_t oldest = conflation->version;
    size_t in_step = 0, late = 0;
    for (size_t i = 0; i < group->member_count; i++) {
        struct hg_sub *sub = group->members[i];
        if (sub->next) { /* it has not taken the last one */
            hg_group_leave_log(core, sub);
            sub->behind = true;
        } else if (sub->drain->seen == conflation->ticked && !sub->drain->building && !group->unseen) {
            sub->behind = false; /* it came between the last event and the last tick */
        }
        in_step += !sub->behind;
        late += sub->drain->seen < conflation->version;
        oldest = sub->drain->seen < oldest ? sub->drain->seen : oldest;
    }
    prune(core, conflation, oldest);
    if (in_step > 0)
        put_tick(core, conflation);
    conflation->ticked = conflation->version;
    conflation->ticked_events = conflation->events;
    conflation->late = late;
    conflation->has_ticked = true;
    conflation->last_tick = core->now;
    take_off_agenda(core, conflation);
    for (size_t i = 0; i < group->member_count && in_step < group->member_count; i++)
        if (group->members[i]->behind)
            hg_conflation_check(core, group->members[i]);
}

void hg_conflations_tick(struct hg_core *core, bool all)
{
    struct hg_conflations *conflations = &core->conflations;
    while (conflations->agenda_count > 0 && (all || hg_time_reached(conflations->agenda[0]->due, core->now)))
        tick(core, conflations->agenda[0]);
}

hg_time hg_conflations_deadline(const struct hg_core *core)
{
    const struct hg_conflations *conflations = &core->conflations;
    return conflations->agenda_count > 0 ? conflations->agenda[0]->due : HG_TIME_NEVER;
}

/* ---- what happens ------------------------------------------------------------------------------------------------ */

static void set_newest(struct hg_core *core, struct hg_conflation *conflation, struct entry *entry)
{
    hg_list_unlink(&entry->in_order);
    hg_list_push_back(&conflation->entries, &entry->in_order);
    entry->version = ++conflation->version;
    if (is_event(entry)) {
        conflation->events++;
        core->stats.deliveries_offered += conflation->group->member_count;
    }
}

/* Who keeps up does not lose what does not fit: it gets it before its time. */
static void keep_bounds(struct hg_core *core, struct hg_conflation *conflation)
{
    const struct hg_config *config = core->config;
    while (conflation->entries.count > config->conflate_keys_max || conflation->bytes > config->log_bytes_max) {
        if (entry_of(conflation->entries.first)->version > conflation->ticked)
            tick(core, conflation);
        else
            (void)hg_conflation_evict(core, conflation);
    }
}

/* Values that are the same in the language are the same bytes; topics have no NUL. */
static struct hg_slice put_key(struct hg_core *core, struct hg_slice topic, struct hg_value key)
{
    struct hg_buf *into = &core->text;
    hg_buf_clear(into);
    hg_buf_put(into, topic);
    hg_buf_put_char(into, '\0');
    if (key.error || key.type == HG_VALUE_OTHER) {
        hg_buf_put_char(into, '-');
    } else if (key.type == HG_VALUE_STRING) {
        hg_buf_put_char(into, '\'');
        hg_buf_put(into, hg_value_text(key));
    } else {
        hg_buf_put_char(into, (char)('0' + key.type));
        hg_buf_put_i64(into, key.type == HG_VALUE_NULL ? 0 : key.number);
        hg_buf_put_char(into, 'e');
        hg_buf_put_i64(into, key.type == HG_VALUE_DECIMAL ? key.exponent : 0);
    }
    return hg_buf_slice(into);
}

static struct entry *slot_for(struct hg_core *core, struct hg_conflation *conflation, struct hg_slice topic,
                              struct hg_value key)
{
    struct hg_slice text = conflation->tempo.key ? put_key(core, topic, key) : HG_SLICE_NULL;
    if (!hg_ok(hg_core_must(conflation->tempo.key ? hg_buf_result(&core->text) : HG_OK)))
        text = put_key(core, topic, hg_value_fail(HG_VALUE_STRING, HG_VALUE_EVALUATION)); /* a key of megabytes */
    struct hg_map_node *node = hg_map_find(&conflation->slots, text);
    if (node)
        return HG_CONTAINER(node, struct entry, by_key);
    struct entry *entry = new_entry(core, SLOT, text);
    (void)hg_core_must(hg_map_insert(&conflation->slots, &entry->by_key, hg_slice(entry->key, entry->key_len)));
    return entry;
}

void hg_conflation_offer(struct hg_core *core, struct hg_group *group, struct hg_slice topic, struct hg_value key,
                         struct hg_slice tail)
{
    struct hg_conflation *conflation = group->conflation;
    if (group->member_count == 0)
        return;
    struct entry *entry = slot_for(core, conflation, topic, key);
    set_newest(core, conflation, entry);
    hg_buf_reset(&entry->frame, 2 * (tail.len + FRAME_OVERHEAD));
    hg_message_event(&entry->frame, group->number, tail);
    weigh(core, conflation, entry);
    hg_dur every = hg_ms(conflation->tempo.every_ms);
    hg_time next = conflation->has_ticked ? hg_time_add(conflation->last_tick, every) : core->now;
    put_on_agenda(core, conflation, hg_time_before(next, core->now) ? core->now : next);
    keep_bounds(core, conflation);
}

struct hg_buf *hg_conflation_note(struct hg_core *core, struct hg_group *group, enum hg_notice notice)
{
    static const enum kind kinds[] = {
        [HG_NOTICE_GAP] = GAP, [HG_NOTICE_OVERSIZE] = OVERSIZE, [HG_NOTICE_STALE] = STALE, [HG_NOTICE_LIVE] = LIVE};
    struct entry *entry = new_entry(core, kinds[notice], HG_SLICE_NULL);
    set_newest(core, group->conflation, entry);
    return &entry->frame;
}

void hg_conflation_noted(struct hg_core *core, struct hg_group *group)
{
    struct hg_conflation *conflation = group->conflation;
    weigh(core, conflation, entry_of(conflation->entries.last));
    put_on_agenda(core, conflation, core->now);
    keep_bounds(core, conflation);
}

bool hg_conflations_evict(struct hg_core *core)
{
    struct hg_list *all = &core->conflations.all;
    for (size_t left = all->count; left > 0; left--) {
        struct hg_list_node *node = hg_list_pop_front(all);
        hg_list_push_back(all, node);
        if (hg_conflation_evict(core, HG_CONTAINER(node, struct hg_conflation, in_all)))
            return true;
    }
    return false;
}

/* ---- members ----------------------------------------------------------------------------------------------------- */

/* Nothing before is for it: neither in a replay's range twice, nor what was before it came. */
static void begin_anew(struct hg_sub *sub)
{
    const struct hg_conflation *conflation = sub->group->conflation;
    *sub->drain = (struct hg_drain){.sub = sub, .seen = conflation->version, .counted = conflation->events};
    sub->behind = conflation->version != conflation->ticked;
}

void hg_conflation_joined(struct hg_sub *sub)
{
    if (!sub->group->conflation)
        return;
    sub->drain = hg_core_alloc(sizeof(*sub->drain));
    begin_anew(sub);
}

static uint64_t owed(const struct hg_sub *sub)
{
    return sub->group->conflation->events - sub->drain->counted - sub->drain->taken;
}

void hg_conflation_skip(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_conflation *conflation = sub->group->conflation;
    if (!conflation)
        return;
    core->stats.deliveries_dropped += owed(sub);
    hg_list_unlink(&sub->drain->overdue);
    see(core, conflation, sub, conflation->version);
    begin_anew(sub);
}

void hg_conflation_leaves(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_conflation *conflation = sub->group->conflation;
    if (!conflation)
        return;
    hg_conflation_skip(core, sub);
    free(sub->drain);
    sub->drain = NULL;
    sub->behind = false;
    if (sub->group->member_count > 1)
        return;
    prune(core, conflation, conflation->version);
    conflation->ticked = conflation->version;
    conflation->ticked_events = conflation->events;
    take_off_agenda(core, conflation);
}

void hg_conflation_took(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_conflation *conflation = sub->group->conflation;
    const struct hg_segment *segment = sub->next;
    if (!conflation)
        return;
    struct hg_drain *drain = sub->drain;
    drain->taken += segment->paced_events;
    if (segment->settles) {
        HG_ASSERT(segment->events_upto - drain->counted == drain->taken + segment->left_out);
        core->stats.deliveries_conflated += segment->left_out;
        drain->counted = segment->events_upto;
        drain->taken = 0;
    }
    see(core, conflation, sub, segment->version);
}

void hg_conflation_fell(struct hg_core *core, struct hg_sub *sub)
{
    hg_group_leave_log(core, sub);
    sub->behind = true;
    hg_conflation_check(core, sub);
}

bool hg_conflation_is_even(const struct hg_sub *sub)
{
    const struct hg_conflation *conflation = sub->group->conflation;
    return !conflation || (!sub->next && sub->drain->seen == conflation->version);
}

/* One that is about to change its filter does not wait for the tick. */
static uint64_t goal_of(const struct hg_sub *sub)
{
    const struct hg_conflation *conflation = sub->group->conflation;
    return sub->drain->building ? sub->drain->upto : sub->update ? conflation->version : conflation->ticked;
}

static bool is_overdue(const struct hg_sub *sub)
{
    return hg_sub_is_live(sub) && !sub->next && (sub->behind || sub->update) && sub->drain->seen < goal_of(sub);
}

void hg_conflation_check(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_drain *drain = sub->drain;
    if (!drain)
        return;
    if (!is_overdue(sub)) {
        hg_list_unlink(&drain->overdue);
    } else if (!drain->overdue.owner) {
        hg_list_push_back(&hg_session_backlog(sub->session)->overdue, &drain->overdue);
        hg_session_touch(core, sub->session);
    }
}

/* ---- what is built for one --------------------------------------------------------------------------------------- */

static void begin(struct hg_sub *sub)
{
    const struct hg_conflation *conflation = sub->group->conflation;
    struct hg_drain *drain = sub->drain;
    drain->upto = goal_of(sub);
    drain->upto_events = drain->upto == conflation->version ? conflation->events : conflation->ticked_events;
    drain->building = true;
    sub->behind = true;
}

static void tell_alive(struct hg_sub *sub, bool stale)
{
    const struct hg_group *group = sub->group;
    if (sub->told_stale != stale)
        hg_message_alive(&sub->session->out, !stale, group->number, group->interest->pattern);
    sub->told_stale = sub->jumped_stale = stale;
}

static void put_own(struct hg_sub *sub, const struct entry *entry)
{
    if (entry->kind == STALE || entry->kind == LIVE) {
        tell_alive(sub, entry->kind == STALE);
        return;
    }
    hg_buf_put(&sub->session->out, hg_buf_slice(&entry->frame));
    sub->drain->taken += is_event(entry);
    sub->session->out_events += is_event(entry);
}

static void end(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_conflation *conflation = sub->group->conflation;
    struct hg_drain *drain = sub->drain;
    uint64_t left_out = drain->upto_events - drain->counted - drain->taken;
    if (drain->upto >= conflation->ticked) /* which it may not know, if that was lost to the bounds */
        tell_alive(sub, sub->group->interest->stale);
    if (left_out > 0)
        hg_message_conflated(&sub->session->out, sub->group->number, left_out);
    core->stats.deliveries_conflated += left_out;
    drain->counted = drain->upto_events;
    drain->taken = 0;
    drain->building = false;
    see(core, conflation, sub, drain->upto);
    sub->behind = drain->seen != conflation->ticked;
}

/* As far as there is room. What changes while it is built is not for this time, or it would never end. */
static void build(struct hg_core *core, struct hg_sub *sub)
{
    struct hg_conflation *conflation = sub->group->conflation;
    struct hg_drain *drain = sub->drain;
    struct hg_buf *out = &sub->session->out;
    if (!drain->building)
        begin(sub);
    if (conflation->lost > drain->seen && conflation->lost > drain->told)
        hg_message_gap(out, sub->group->number, sub->group->interest->pattern, HG_GAP_OVERFLOW, 0);
    drain->told = conflation->lost;
    uint64_t seen = drain->seen;
    struct hg_list_node *n = conflation->entries.first;
    for (; n && entry_of(n)->version <= drain->upto && out->len < HG_WRITE_BYTES; n = n->next)
        if (entry_of(n)->version > seen) {
            put_own(sub, entry_of(n));
            seen = entry_of(n)->version;
        }
    if (!n || entry_of(n)->version > drain->upto)
        end(core, sub);
    else
        see(core, conflation, sub, seen);
    (void)hg_core_must(hg_buf_result(out));
}

void hg_conflations_fill(struct hg_core *core, struct hg_session *session)
{
    struct hg_list *overdue = &session->backlog->overdue;
    while (session->out.len < HG_WRITE_BYTES && overdue->first) {
        struct hg_sub *sub = HG_CONTAINER(overdue->first, struct hg_drain, overdue)->sub;
        hg_list_remove(overdue, &sub->drain->overdue);
        if (is_overdue(sub)) /* it was when it was listed */
            build(core, sub);
        hg_conflation_check(core, sub);
    }
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

void hg_tempo_put_name(struct hg_tempo tempo, const struct hg_filter *filter, struct hg_buf *into)
{
    hg_buf_put_char(into, '\0'); /* no filter begins with it */
    hg_buf_put_u64(into, tempo.every_ms);
    hg_buf_put_char(into, '\0');
    if (tempo.key)
        hg_buf_put(into, hg_filter_canonical(tempo.key));
    hg_buf_put_char(into, '\0');
    if (filter)
        hg_buf_put(into, hg_filter_canonical(filter));
}

void hg_conflation_new(struct hg_core *core, struct hg_group *group, struct hg_tempo tempo, struct hg_slice name)
{
    struct hg_conflation *conflation = hg_core_alloc(sizeof(*conflation));
    struct hg_interest *interest = group->interest;
    conflation->group = group;
    conflation->tempo = tempo;
    conflation->name = hg_slice(hg_core_copy(name), name.len);
    conflation->in_agenda = NOT_IN_AGENDA;
    hg_map_init(&conflation->slots, core->hash_key);
    hg_list_push_back(&core->conflations.all, &conflation->in_all);
    if (tempo.key) {
        hg_filter_ref(tempo.key);
        conflation->key_slots = hg_core_alloc(sizeof(uint32_t) * (hg_filter_path_count(tempo.key) + 1));
        if (!interest->keys)
            (void)hg_core_must(hg_fields_new(core->hash_key, &interest->keys));
        (void)hg_core_must(hg_fields_add_filter(interest->keys, tempo.key, conflation->key_slots));
    }
    group->conflation = conflation;
}

void hg_conflation_free(struct hg_core *core, struct hg_conflation *conflation)
{
    if (!conflation)
        return;
    HG_ASSERT(conflation->entries.count == 0 && conflation->in_agenda == NOT_IN_AGENDA);
    if (conflation->tempo.key)
        hg_fields_remove_filter(conflation->group->interest->keys, conflation->tempo.key, conflation->key_slots);
    hg_filter_unref(conflation->tempo.key);
    hg_map_done(&conflation->slots);
    hg_list_remove(&core->conflations.all, &conflation->in_all);
    free(conflation->key_slots);
    free((char *)conflation->name.ptr);
    free(conflation);
}

void hg_conflations_done(struct hg_core *core)
{
    HG_ASSERT(core->conflations.all.count == 0 && core->conflations.agenda_count == 0);
    free(core->conflations.agenda);
}

void hg_conflation_validate(const struct hg_core *core, const struct hg_conflation *conflation)
{
    const struct hg_group *group = conflation->group;
    uint64_t bytes = 0, version = 0;
    size_t slots = 0, late = 0, at = conflation->in_agenda;
    hg_list_validate(&conflation->entries);
    for (struct hg_list_node *n = conflation->entries.first; n; n = n->next) {
        const struct entry *entry = entry_of(n);
        HG_ASSERT(entry->version > version && entry->version <= conflation->version);
        version = entry->version;
        bytes += entry->held;
        slots += entry->kind == SLOT;
    }
    HG_ASSERT(bytes == conflation->bytes && slots == conflation->slots.count);
    HG_ASSERT(conflation->entries.count <= core->config->conflate_keys_max);
    HG_ASSERT((at != NOT_IN_AGENDA) == (conflation->version > conflation->ticked));
    HG_ASSERT(at == NOT_IN_AGENDA || core->conflations.agenda[at] == conflation);
    HG_ASSERT(at == NOT_IN_AGENDA || at == 0 ||
              !hg_time_before(conflation->due, core->conflations.agenda[(at - 1) / 2]->due));
    for (size_t i = 0; i < group->member_count; i++) {
        const struct hg_sub *sub = group->members[i];
        const struct hg_drain *drain = sub->drain;
        late += drain->seen < conflation->ticked;
        HG_ASSERT(drain->seen <= conflation->version && drain->counted + drain->taken <= conflation->events);
        HG_ASSERT(!sub->behind || !sub->next);
        HG_ASSERT(sub->behind || sub->next || group->unseen || drain->seen == conflation->ticked);
        bool overdue = sub->behind && hg_sub_is_live(sub) && drain->seen < conflation->ticked;
        HG_ASSERT(!overdue || drain->overdue.owner == &sub->session->backlog->overdue);
    }
    HG_ASSERT(late == conflation->late);
    HG_ASSERT(late > 0 || conflation->entries.count == 0 ||
              entry_of(conflation->entries.first)->version > conflation->ticked);
}
