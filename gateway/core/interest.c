#include "core/interest.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "filter/fields.h"
#include "filter/filter.h"
#include "filter/index.h"
#include "topic/pattern.h"
#include "topic/template.h"

static struct hg_group *group_of(struct hg_list_node *node)
{
    return HG_CONTAINER(node, struct hg_group, in_interest);
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static void free_interest(struct hg_core *core, struct hg_interest *interest)
{
    HG_ASSERT(interest->groups.count == 0 && interest->member_count == 0 && interest->seeks.count == 0);
    while (interest->attachments.first)
        hg_source_detach(core, HG_CONTAINER(interest->attachments.first, struct hg_attachment, in_interest));
    if (interest->wants_streams)
        hg_discovery_remove(core, interest);
    if (interest->type_request)
        interest->type_request->object = NULL;
    hg_list_unlink(&interest->in_auto);
    hg_list_unlink(&interest->linger);
    if (core->reports.interest == interest)
        core->reports.interest = NULL;
    hg_list_remove(&core->interests.all, &interest->in_all);
    hg_map_remove(&core->interests.map, &interest->node);
    hg_map_done(&interest->others);
    hg_filter_index_free(interest->index);
    hg_fields_free(interest->keys);
    free((char *)interest->pattern.ptr);
    free(interest);
}

/* What only lingers makes room for what somebody wants: else one client that comes and goes could keep all others out.
 * False: nothing lingers. */
static bool make_room(struct hg_core *core)
{
    hg_groups_reap(core);
    struct hg_list_node *oldest = core->interests.lingering.first;
    if (oldest)
        free_interest(core, HG_CONTAINER(oldest, struct hg_interest, linger));
    return oldest != NULL;
}

static hg_result follow(struct hg_core *core, struct hg_interest *interest, const struct hg_rule *rule,
                        enum hg_source_type type, struct hg_buf *message)
{
    struct hg_slice template = hg_slice_str(type == HG_SOURCE_TYPE_STREAM ? rule->key : rule->channel);
    hg_buf_clear(&core->text);
    (void)hg_core_must(type == HG_SOURCE_TYPE_PATTERN ? hg_template_glob(template, interest->pattern, &core->text)
                                                      : hg_template_expand(template, interest->pattern, &core->text));
    struct hg_source *source;
    hg_result result;
    do
        result = hg_source_get(core, type, hg_buf_slice(&core->text), interest->pattern, &source);
    while (result.code == HG_ERR_LIMIT_EXCEEDED && make_room(core));
    if (hg_ok(result)) {
        (void)hg_source_attach(core, source, interest, rule);
        return HG_OK;
    }
    hg_buf_clear(message);
    if (result.code == HG_ERR_LIMIT_EXCEEDED)
        hg_buf_put_str(message, "The gateway follows as many topics as topics_max allows.");
    else
        hg_buf_printf(message, "'%.*s' in Redis is followed under another topic already.",
                      HG_SLICE_ARG(hg_buf_slice(&core->text)));
    return result;
}

static hg_result follow_exact(struct hg_core *core, struct hg_interest *interest, struct hg_buf *message)
{
    interest->rule = hg_core_rule(core, interest->pattern);
    if (!interest->rule)
        return HG_FAIL(UNKNOWN_TOPIC);
    if (interest->rule->source == HG_SOURCE_AUTO) {
        hg_discovery_decide(core, interest);
        return HG_OK;
    }
    return follow(core, interest, interest->rule,
                  interest->rule->source == HG_SOURCE_STREAM ? HG_SOURCE_TYPE_STREAM : HG_SOURCE_TYPE_CHANNEL, message);
}

static hg_result follow_pattern(struct hg_core *core, struct hg_interest *interest, struct hg_buf *message)
{
    bool known = false, wants_streams = false;
    for (size_t i = 0; i < core->config->rule_count; i++) {
        const struct hg_rule *rule = &core->config->rules[i];
        if (!hg_pattern_intersects(hg_slice_str(rule->match), interest->pattern))
            continue;
        known = true;
        if (rule->source != HG_SOURCE_STREAM)
            HG_TRY(follow(core, interest, rule, HG_SOURCE_TYPE_PATTERN, message));
        wants_streams = wants_streams || rule->source != HG_SOURCE_CHANNEL;
    }
    if (!known)
        return HG_FAIL(UNKNOWN_TOPIC);
    interest->wants_streams = wants_streams;
    if (wants_streams)
        hg_discovery_add(core, interest);
    return HG_OK;
}

hg_result hg_interest_get(struct hg_core *core, struct hg_slice pattern, struct hg_interest **ret_interest,
                          struct hg_buf *message)
{
    struct hg_map_node *node = hg_map_find(&core->interests.map, pattern);
    if (node) {
        *ret_interest = HG_CONTAINER(node, struct hg_interest, node);
        hg_list_unlink(&(*ret_interest)->linger);
        return HG_OK;
    }
    hg_buf_clear(message);
    if (core->interests.map.count >= core->config->groups_max && !make_room(core)) {
        hg_buf_put_str(message, "The gateway holds as many distinct subscriptions as groups_max allows.");
        return HG_FAIL(LIMIT_EXCEEDED);
    }
    struct hg_interest *interest = hg_core_alloc(sizeof(*interest));
    hg_map_init(&interest->others, core->hash_key);
    interest->pattern = hg_slice(hg_core_copy(pattern), pattern.len);
    interest->exact = hg_pattern_is_exact(pattern);
    (void)hg_core_must(hg_map_insert(&core->interests.map, &interest->node, interest->pattern));
    hg_list_push_back(&core->interests.all, &interest->in_all);
    bool system = hg_report_is_served(core, pattern);
    if (system)
        core->reports.interest = interest;
    hg_result result = system                  ? HG_OK
                       : pattern.ptr[0] == '$' ? HG_FAIL(UNKNOWN_TOPIC)
                       : interest->exact       ? follow_exact(core, interest, message)
                                               : follow_pattern(core, interest, message);
    if (!hg_ok(result)) {
        free_interest(core, interest);
        return result;
    }
    *ret_interest = interest;
    return HG_OK;
}

void hg_interest_linger(struct hg_core *core, struct hg_interest *interest)
{
    HG_ASSERT(interest->groups.count == 0);
    if (HG_MUTANT(NO_LINGER_CLEANUP) || interest->linger.owner)
        return;
    interest->linger_until = hg_time_add(core->now, hg_ms(core->config->linger_ms));
    hg_list_push_back(&core->interests.lingering, &interest->linger);
}

void hg_interests_init(struct hg_core *core)
{
    hg_map_init(&core->interests.map, core->hash_key);
}

void hg_interests_done(struct hg_core *core)
{
    while (core->interests.all.first)
        free_interest(core, HG_CONTAINER(core->interests.all.first, struct hg_interest, in_all));
    hg_map_done(&core->interests.map);
}

void hg_interests_tick(struct hg_core *core)
{
    while (core->interests.lingering.first) {
        struct hg_interest *interest = HG_CONTAINER(core->interests.lingering.first, struct hg_interest, linger);
        if (!hg_time_reached(interest->linger_until, core->now))
            return;
        free_interest(core, interest);
    }
}

hg_time hg_interests_deadline(const struct hg_core *core)
{
    const struct hg_list_node *first = core->interests.lingering.first;
    return first ? HG_CONTAINER(first, struct hg_interest, linger)->linger_until : HG_TIME_NEVER;
}

/* ---- ready, alive ------------------------------------------------------------------------------------------------ */

bool hg_interest_is_ready(const struct hg_interest *interest)
{
    return interest->unready == 0 && interest->not_alive == 0 && interest->holding == 0 && !interest->undecided &&
           interest->needs_pass == 0;
}

void hg_interest_check_ready(struct hg_core *core, struct hg_interest *interest)
{
    hg_seeks_check(core, interest);
    if (interest->pending.count == 0 || !hg_interest_is_ready(interest))
        return;
    /* A session that is closed over its answers takes all its subscriptions along. */
    for (size_t left = interest->pending.count; left > 0 && interest->pending.first; left--) {
        struct hg_list_node *node = hg_list_pop_front(&interest->pending);
        hg_list_push_back(&interest->pending, node);
        struct hg_pending *pending = HG_CONTAINER(node, struct hg_pending, in_interest);
        if (hg_sub_may_begin(core, pending->sub, &pending->from, pending->made_at))
            hg_sub_activate(core, pending->sub);
    }
}

void hg_interest_refuse(struct hg_core *core, struct hg_interest *interest, enum hg_error error, const char *why)
{
    while (interest->pending.first)
        hg_sub_refuse(core, HG_CONTAINER(interest->pending.first, struct hg_pending, in_interest)->sub, error, why);
}

void hg_interest_check_alive(struct hg_core *core, struct hg_interest *interest)
{
    bool stale = interest->not_alive > 0;
    if (interest->stale == stale)
        return;
    interest->stale = stale;
    for (struct hg_list_node *n = interest->groups.first; n; n = n->next)
        hg_group_append_alive(core, group_of(n), !stale);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

void hg_interest_add_filter(struct hg_core *core, struct hg_group *group)
{
    struct hg_interest *interest = group->interest;
    if (!interest->index)
        (void)hg_core_must(hg_filter_index_new(core->hash_key, &interest->index));
    (void)hg_core_must(hg_filter_index_add(interest->index, group->filter, group, &group->entry));
}

void hg_interest_remove_filter(struct hg_group *group)
{
    hg_filter_index_remove(group->interest->index, group->entry);
}

static struct hg_scratch scratch_of(const struct hg_core *core, char **memory)
{
    if (!*memory)
        *memory = hg_core_alloc(hg_core_filter_scratch_bytes(core));
    return (struct hg_scratch){*memory, hg_core_filter_scratch_bytes(core), 0};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Bytes that the envelope has found to be JSON are not checked again. */
static struct hg_json known_json(struct hg_slice text)
{
    while (is_space(text.ptr[0]))
        text = hg_slice_from(text, 1);
    while (is_space(text.ptr[text.len - 1]))
        text.len--;
    switch (text.ptr[0]) {
    case '{':
        return (struct hg_json){HG_JSON_OBJECT, text};
    case '[':
        return (struct hg_json){HG_JSON_ARRAY, text};
    case '"':
        return (struct hg_json){HG_JSON_STRING, text};
    case 'n':
        return (struct hg_json){HG_JSON_NULL, text};
    case 't':
    case 'f':
        return (struct hg_json){HG_JSON_BOOL, text};
    default:
        return (struct hg_json){HG_JSON_NUMBER, text};
    }
}

static void extract(struct hg_interest *interest, struct hg_slice json, bool known, struct hg_slice topic,
                    struct hg_scratch *scratch)
{
    if (known && json.len > 0)
        hg_filter_index_extract_json(interest->index, known_json(json), topic, scratch);
    else
        hg_filter_index_extract(interest->index, json, topic, scratch);
}

bool hg_interest_passes(struct hg_core *core, const struct hg_group *group, struct hg_slice topic, struct hg_slice json,
                        bool known)
{
    if (!group->filter)
        return true;
    struct hg_scratch scratch = scratch_of(core, &core->filter_scratch);
    extract(group->interest, json, known, topic, &scratch);
    return hg_filter_index_test(group->interest->index, group->entry, &scratch);
}

struct offer {
    struct hg_core *core;
    struct hg_attachment *attachment;
    const struct hg_happening *happening;
    struct hg_scratch keys; /* size 0: what keys read is not known yet */
};

/* What the key of a pace makes of the event, whose places are found once for all keys. */
static struct hg_value key_of(struct offer *offer, const struct hg_conflation *conflation)
{
    const struct hg_happening *happening = offer->happening;
    struct hg_fields *keys = offer->attachment->interest->keys;
    if (!conflation->tempo.key)
        return hg_value_fail(HG_VALUE_STRING, HG_VALUE_MISSING);
    if (offer->keys.size == 0) {
        offer->keys = scratch_of(offer->core, &offer->core->key_scratch);
        if (happening->json.len > 0)
            hg_fields_extract_json(keys, known_json(happening->json), happening->topic, &offer->keys);
        else
            (void)hg_fields_extract(keys, HG_SLICE_NULL, happening->topic, &offer->keys);
    }
    struct hg_scratch rest = offer->keys; /* what it builds may go once the value is used */
    return hg_filter_value(conflation->tempo.key, hg_fields_values(keys), conflation->key_slots, &rest);
}

static void offer_to(void *context, void *value)
{
    struct offer *offer = context;
    const struct hg_happening *happening = offer->happening;
    struct hg_group *group = value;
    if (happening->fits && group->conflation)
        hg_conflation_offer(offer->core, group, happening->topic, key_of(offer, group->conflation), happening->tail);
    else if (happening->fits)
        hg_group_append(offer->core, value, offer->attachment, happening);
    else
        hg_group_append_oversize(offer->core, value, offer->attachment, happening->id, happening->topic);
}

static void offer_to_match(void *context, void *value)
{
    if (!HG_MUTANT(FILTER_FORGETS))
        offer_to(context, value);
}

void hg_interest_offer(struct hg_core *core, struct hg_attachment *attachment, const struct hg_happening *happening)
{
    struct hg_interest *interest = attachment->interest;
    struct offer offer = {.core = core, .attachment = attachment, .happening = happening};
    if (happening->id && happening->id->ms > interest->newest_ms)
        interest->newest_ms = happening->id->ms;
    if (!happening->fits && !happening->json.ptr) {
        /* Too large and in no payload field: nobody knows whose filters it would pass, so everybody is told. */
        for (struct hg_list_node *n = interest->groups.first; n; n = n->next)
            offer_to(&offer, group_of(n));
        return;
    }
    if (interest->plain)
        offer_to(&offer, interest->plain);
    for (struct hg_list_node *n = interest->paced.first; n; n = n->next)
        offer_to(&offer, HG_CONTAINER(n, struct hg_group, in_paced));
    if (interest->others.count == interest->paced.count)
        return;
    struct hg_scratch scratch = scratch_of(core, &core->filter_scratch);
    extract(interest, happening->json, happening->fits, happening->topic, &scratch);
    hg_filter_index_match(interest->index, &scratch, offer_to_match, &offer);
    if (HG_MUTANT(FILTER_IGNORED))
        for (struct hg_list_node *n = interest->groups.first; n; n = n->next)
            if (group_of(n)->filter && !hg_filter_index_test(interest->index, group_of(n)->entry, &scratch))
                offer_to(&offer, group_of(n));
}

void hg_interest_interrupted(struct hg_core *core, struct hg_interest *interest)
{
    for (struct hg_list_node *n = interest->groups.first; n; n = n->next)
        hg_group_append_interruption(core, group_of(n));
}

void hg_interest_missed(struct hg_core *core, struct hg_attachment *attachment, struct hg_verdict verdict)
{
    for (struct hg_list_node *n = attachment->interest->groups.first; n; n = n->next)
        hg_group_append_missed(core, group_of(n), attachment, verdict);
}

void hg_interest_left_out(struct hg_core *core, struct hg_interest *interest, struct hg_slice topic)
{
    for (struct hg_list_node *n = interest->groups.first; n; n = n->next)
        hg_group_append_left_out(core, group_of(n), topic);
}

/* ---- streams that appear and go ---------------------------------------------------------------------------------- */

void hg_interest_take_stream(struct hg_core *core, struct hg_interest *interest, struct hg_source *source,
                             const struct hg_rule *rule, bool whole)
{
    struct hg_attachment *attachment = hg_source_attach(core, source, interest, rule);
    if (!whole)
        return;
    if (!source->placed) {
        attachment->whole = true;
        interest->unready++;
        return;
    }
    /* Others follow it already: what it brought them before is replayed for each member. */
    attachment->after = source->last;
    for (struct hg_list_node *n = interest->groups.first; n; n = n->next)
        hg_group_replay_whole(core, group_of(n), attachment);
}

void hg_interest_detach(struct hg_core *core, struct hg_attachment *attachment)
{
    struct hg_interest *interest = attachment->interest;
    for (struct hg_list_node *n = interest->groups.first; n; n = n->next)
        hg_group_forget(core, group_of(n), attachment);
    hg_source_detach(core, attachment);
    hg_interest_check_alive(core, interest);
}

void hg_interests_validate(const struct hg_core *core)
{
    hg_list_validate(&core->interests.all);
    HG_ASSERT(core->interests.all.count == core->interests.map.count);
    for (struct hg_list_node *n = core->interests.all.first; n; n = n->next) {
        const struct hg_interest *interest = HG_CONTAINER(n, struct hg_interest, in_all);
        hg_list_validate(&interest->attachments);
        hg_list_validate(&interest->groups);
        hg_list_validate(&interest->paced);
        HG_ASSERT(interest->groups.count == interest->others.count + (interest->plain != NULL));
        size_t unready = 0, not_alive = 0, member_count = 0, holding = 0, sub_count = 0;
        for (struct hg_list_node *a = interest->attachments.first; a; a = a->next) {
            struct hg_attachment *attachment = HG_CONTAINER(a, struct hg_attachment, in_interest);
            HG_ASSERT(attachment->interest == interest);
            unready += (size_t)(attachment->source->state != HG_SOURCE_READY) + attachment->whole;
            HG_ASSERT(!attachment->whole || !attachment->source->placed || attachment->source->whole);
            not_alive += !attachment->source->alive;
            holding += attachment->source->proving.held > 0;
        }
        for (struct hg_list_node *g = interest->groups.first; g; g = g->next) {
            HG_ASSERT(group_of(g)->interest == interest);
            member_count += group_of(g)->member_count;
            sub_count += group_of(g)->sub_count;
        }
        HG_ASSERT(unready == interest->unready && not_alive == interest->not_alive);
        HG_ASSERT(member_count == interest->member_count);
        HG_ASSERT(holding == interest->holding);
        HG_ASSERT(sub_count == member_count + interest->pending.count);
        hg_list_validate(&interest->pending);
        hg_list_validate(&interest->seeks);
    }
}
