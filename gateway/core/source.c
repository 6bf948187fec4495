#include "core/source.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "event/envelope.h"
#include "topic/name.h"
#include "topic/pattern.h"
#include "topic/template.h"
#include "wire/message.h"

#define RETRY_MIN_MS   200u
#define RETRY_MAX_MS   5000u
#define TIP_AGAIN_MS   100u
#define FIELD_OVERHEAD 8u /* quotes, colon, comma: what a field costs besides its bytes */

void hg_sources_init(struct hg_core *core)
{
    for (int type = 0; type < 3; type++)
        hg_map_init(&core->sources.maps[type], core->hash_key);
    core->sources.retry_at = HG_TIME_NEVER;
}

size_t hg_sources_count(const struct hg_core *core)
{
    return core->sources.maps[0].count + core->sources.maps[1].count + core->sources.maps[2].count;
}

struct hg_source *hg_source_find(const struct hg_core *core, enum hg_source_type type, struct hg_slice name)
{
    struct hg_map_node *node = hg_map_find(&core->sources.maps[type], name);
    return node ? HG_CONTAINER(node, struct hg_source, node) : NULL;
}

/* Where it is asked for. */
_Static_assert(HG_LINK_LISTENER == 0 && HG_LINK_COMMANDER == 1, "they index sources->wanted");
static uint32_t link_of(const struct hg_source *source)
{
    return source->type == HG_SOURCE_TYPE_STREAM ? HG_LINK_COMMANDER : HG_LINK_LISTENER;
}

hg_result hg_source_get(struct hg_core *core, enum hg_source_type type, struct hg_slice name, struct hg_slice topic,
                        struct hg_source **ret_source)
{
    struct hg_source *source = hg_source_find(core, type, name);
    if (source) {
        if (type != HG_SOURCE_TYPE_PATTERN && !hg_slice_eq(source->topic, topic))
            return HG_FAIL(BAD_REQUEST);
        *ret_source = source;
        return HG_OK;
    }
    if (hg_sources_count(core) >= core->config->topics_max)
        return HG_FAIL(LIMIT_EXCEEDED);
    source = hg_core_alloc(sizeof(*source));
    source->type = type;
    source->name = hg_slice(hg_core_copy(name), name.len);
    if (type != HG_SOURCE_TYPE_PATTERN)
        source->topic = hg_slice(hg_core_copy(topic), topic.len);
    source->alive = true;
    hg_history_init(&source->history, source);
    hg_backoff_init(&source->backoff, hg_ms(RETRY_MIN_MS), hg_ms(RETRY_MAX_MS));
    (void)hg_core_must(hg_map_insert(&core->sources.maps[type], &source->node, source->name));
    hg_list_push_back(&core->sources.all[type], &source->in_all);
    hg_list_push_back(&core->sources.wanted[link_of(source)], &source->todo);
    *ret_source = source;
    return HG_OK;
}

static void free_source(struct hg_core *core, struct hg_source *source)
{
    hg_replays_forget(core, source);
    hg_history_clear(core, &source->history);
    hg_list_unlink(&source->history.full);
    hg_list_unlink(&source->todo);
    hg_list_remove(&core->sources.all[source->type], &source->in_all);
    hg_map_remove(&core->sources.maps[source->type], &source->node);
    free((char *)source->name.ptr);
    free((char *)source->topic.ptr);
    free(source->trouble);
    free(source);
}

static void release(struct hg_core *core, struct hg_source *source)
{
    if (source->request)
        source->request->object = NULL;
    if (source->tip_request)
        source->tip_request->object = NULL;
    if (source->reader)
        hg_reader_remove(core, source);
    bool in_redis = source->state == HG_SOURCE_ASKED || source->state == HG_SOURCE_READY;
    if (source->type != HG_SOURCE_TYPE_STREAM && in_redis && hg_link_is_up(core, HG_LINK_LISTENER)) {
        struct hg_slice argv[] = {
            source->type == HG_SOURCE_TYPE_CHANNEL ? HG_LIT("UNSUBSCRIBE") : HG_LIT("PUNSUBSCRIBE"), source->name};
        hg_link_send(core, HG_LINK_LISTENER, HG_REQUEST_UNSUBSCRIBE, NULL, argv, 2);
    }
    free_source(core, source);
}

void hg_sources_done(struct hg_core *core)
{
    for (int type = 0; type < 3; type++) {
        HG_ASSERT(core->sources.all[type].count == 0);
        hg_map_done(&core->sources.maps[type]);
    }
    free(core->sources.trouble);
}

static struct hg_place later(struct hg_place a, struct hg_place b)
{
    return hg_stream_id_cmp(a.id, b.id) >= 0 ? a : b;
}

struct hg_attachment *hg_source_attach(struct hg_core *core, struct hg_source *source, struct hg_interest *interest,
                                       const struct hg_rule *rule)
{
    struct hg_attachment *attachment = hg_core_alloc(sizeof(*attachment));
    *attachment = (struct hg_attachment){.source = source, .interest = interest, .rule = rule};
    attachment->after = later(source->last, source->tail);
    if (attachment->after.id.ms > interest->newest_ms)
        interest->newest_ms = attachment->after.id.ms;
    hg_list_push_back(&source->attachments, &attachment->in_source);
    hg_list_push_back(&interest->attachments, &attachment->in_interest);
    interest->unready += source->state != HG_SOURCE_READY;
    interest->not_alive += !source->alive;
    interest->holding += source->proving.held > 0;
    hg_interest_check_alive(core, interest);
    return attachment;
}

void hg_source_detach(struct hg_core *core, struct hg_attachment *attachment)
{
    struct hg_source *source = attachment->source;
    struct hg_interest *interest = attachment->interest;
    hg_list_remove(&source->attachments, &attachment->in_source);
    hg_list_remove(&interest->attachments, &attachment->in_interest);
    interest->unready -= (size_t)(source->state != HG_SOURCE_READY) + attachment->whole;
    interest->not_alive -= !source->alive;
    interest->holding -= source->proving.held > 0;
    free(attachment);
    if (source->attachments.count == 0)
        release(core, source);
}

struct hg_place hg_attachment_place(const struct hg_attachment *attachment)
{
    return later(attachment->source->last, attachment->after);
}

static void set_retry(struct hg_core *core, struct hg_source *source, hg_dur pause)
{
    source->retry_at = hg_time_add(core->now, pause);
    core->sources.retry_at = hg_time_min(core->sources.retry_at, source->retry_at);
}

static void set_state(struct hg_core *core, struct hg_source *source, enum hg_source_state state)
{
    static const uint8_t may[] = {
        [HG_SOURCE_WANTED] = 1 << HG_SOURCE_ASKED | 1 << HG_SOURCE_READY,
        [HG_SOURCE_ASKED] = 1 << HG_SOURCE_WANTED | 1 << HG_SOURCE_READY | 1 << HG_SOURCE_BROKEN,
        [HG_SOURCE_READY] = 1 << HG_SOURCE_WANTED | 1 << HG_SOURCE_BROKEN,
        [HG_SOURCE_BROKEN] = 1 << HG_SOURCE_WANTED | 1 << HG_SOURCE_READY,
    };
    HG_ASSERT(may[source->state] & 1 << state);
    bool was_ready = source->state == HG_SOURCE_READY, is_ready = state == HG_SOURCE_READY;
    source->state = state;
    hg_list_unlink(&source->todo);
    if (state == HG_SOURCE_WANTED)
        hg_list_push_back(&core->sources.wanted[link_of(source)], &source->todo);
    else if (state == HG_SOURCE_BROKEN)
        hg_list_push_back(&core->sources.broken, &source->todo);
    if (was_ready == is_ready)
        return;
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next) {
        struct hg_interest *interest = HG_CONTAINER(n, struct hg_attachment, in_source)->interest;
        if (is_ready)
            interest->unready--;
        else
            interest->unready++;
    }
}

static void announce_ready(struct hg_core *core, struct hg_source *source)
{
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next)
        hg_interest_check_ready(core, HG_CONTAINER(n, struct hg_attachment, in_source)->interest);
}

void hg_source_set_alive(struct hg_core *core, struct hg_source *source, bool alive)
{
    if (source->alive == alive)
        return;
    source->alive = alive;
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next) {
        struct hg_interest *interest = HG_CONTAINER(n, struct hg_attachment, in_source)->interest;
        if (alive)
            interest->not_alive--;
        else
            interest->not_alive++;
        hg_interest_check_alive(core, interest);
        hg_interest_check_ready(core, interest);
    }
}

/* Said once: for each source; and for all that patterns bring together, since these are found anew in every pass. */
static void tell_trouble(struct hg_core *core, struct hg_source *source, struct hg_slice words)
{
    bool exact = source->type != HG_SOURCE_TYPE_STREAM;
    for (struct hg_list_node *n = source->attachments.first; n && !exact; n = n->next)
        exact = HG_CONTAINER(n, struct hg_attachment, in_source)->interest->exact;
    if (source->trouble && hg_slice_is(words, source->trouble))
        return;
    free(source->trouble);
    source->trouble = hg_core_copy(words);
    if (!exact) {
        if (core->sources.trouble && hg_slice_is(words, core->sources.trouble))
            return;
        free(core->sources.trouble);
        core->sources.trouble = hg_core_copy(words);
    }
    hg_core_log(core, HG_LOG_WARNING, "redis refuses %s '%.*s': %.*s; trying again",
                source->type == HG_SOURCE_TYPE_STREAM ? "stream" : "channel", HG_SLICE_ARG(source->name),
                HG_SLICE_ARG(words));
}

/* Redis said no. What cannot heal by waiting is told to those who wait for it at once. */
static void set_broken(struct hg_core *core, struct hg_source *source, struct hg_slice words)
{
    bool wrong_type = hg_slice_starts(words, HG_LIT("WRONGTYPE"));
    bool denied = hg_slice_starts(words, HG_LIT("NOPERM"));
    bool may_be_no_stream = core->discovery.without_type && source->type == HG_SOURCE_TYPE_STREAM && wrong_type;
    if (!may_be_no_stream)
        tell_trouble(core, source, words);
    set_retry(core, source, hg_backoff_next(&source->backoff, &core->prng));
    set_state(core, source, HG_SOURCE_BROKEN);
    if (source->placed)
        hg_source_set_alive(core, source, false);
    if (!wrong_type && !denied)
        return;
    /* A pattern is not refused for one key of another type: that key is no stream, so it is not of the pattern. */
    struct hg_list_node *next;
    size_t left = source->attachments.count;
    for (struct hg_list_node *n = source->attachments.first; n; n = next) {
        next = n->next;
        struct hg_attachment *attachment = HG_CONTAINER(n, struct hg_attachment, in_source);
        struct hg_interest *interest = attachment->interest;
        if (interest->exact || source->type != HG_SOURCE_TYPE_STREAM) {
            hg_buf_clear(&core->text);
            if (wrong_type)
                hg_buf_printf(&core->text, "The key '%.*s' in Redis is not a stream.", HG_SLICE_ARG(source->name));
            else
                hg_buf_printf(&core->text, "Redis does not let the gateway read '%.*s'.", HG_SLICE_ARG(source->name));
            hg_interest_refuse(core, interest, HG_ERR_UNAVAILABLE, core->text.ptr);
        } else {
            hg_interest_detach(core, attachment);
            hg_interest_check_ready(core, interest);
            if (--left == 0)
                return;
        }
    }
}

static void tell_interrupted(struct hg_core *core, struct hg_source *source)
{
    struct hg_interest *told = NULL; /* two rules may attach one twice, one behind the other */
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next) {
        struct hg_interest *interest = HG_CONTAINER(n, struct hg_attachment, in_source)->interest;
        if (interest != told)
            hg_interest_interrupted(core, interest);
        told = interest;
    }
}

static void set_ready(struct hg_core *core, struct hg_source *source)
{
    free(source->trouble);
    source->trouble = NULL;
    hg_backoff_success(&source->backoff);
    set_state(core, source, HG_SOURCE_READY);
    if (source->type == HG_SOURCE_TYPE_STREAM)
        hg_reader_add(core, source);
    if (source->interrupted) {
        source->interrupted = false;
        if (!HG_MUTANT(FORGOTTEN_GAP))
            tell_interrupted(core, source);
    }
    hg_source_set_alive(core, source, true);
    announce_ready(core, source);
}

void hg_source_subscribed(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply)
{
    source->request = NULL;
    if (!reply) {
        set_state(core, source, HG_SOURCE_WANTED);
    } else if (reply->type == HG_REPLY_ERROR) {
        set_broken(core, source, hg_core_words(core, reply));
    } else if (hg_reply_is_array(reply, 3) && reply->items[1].type == HG_REPLY_STRING &&
               hg_slice_eq(reply->items[1].text, source->name) &&
               hg_reply_is(&reply->items[0], source->type == HG_SOURCE_TYPE_CHANNEL ? "subscribe" : "psubscribe")) {
        set_ready(core, source);
    } else {
        set_state(core, source, HG_SOURCE_WANTED);
        hg_link_lost(core, HG_LINK_LISTENER, HG_LIT("an answer to SUBSCRIBE had an unexpected shape"), true);
    }
}

/* Groups that want the stream whole share one reading from its beginning; the others skip what they did not ask for. */
static void place(struct hg_core *core, struct hg_source *source, struct hg_place newest,
                  const struct hg_stream_info *info)
{
    const struct hg_place beginning = {.proven = false};
    source->whole = false;
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next) {
        struct hg_attachment *attachment = HG_CONTAINER(n, struct hg_attachment, in_source);
        attachment->after = attachment->whole ? beginning : newest;
        if (newest.id.ms > attachment->interest->newest_ms)
            attachment->interest->newest_ms = newest.id.ms;
        source->whole = source->whole || attachment->whole;
    }
    source->placed = true;
    source->tail = newest;
    source->last = source->read = source->whole ? beginning : newest;
    hg_proof_begin(source, info);
    set_ready(core, source);
}

static struct hg_place place_of(struct hg_core *core, const struct hg_entry *entry)
{
    return (struct hg_place){entry->id, hg_fingerprint(hg_core_fields(core, entry), entry->field_count), true};
}

static void located_without_info(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply)
{
    struct hg_entry entry;
    struct hg_stream_info info = {.exists = true};
    bool found = reply->type == HG_REPLY_ARRAY && reply->count == 1 && hg_reply_entry(&reply->items[0], &entry);
    if (!found && (reply->type != HG_REPLY_ARRAY || reply->count > 0)) {
        source->by_range = false;
        set_broken(core, source, hg_core_words(core, reply));
        return;
    }
    if (!core->sources.without_info) {
        core->sources.without_info = true;
        hg_core_log(core, HG_LOG_WARNING, "redis refuses XINFO STREAM: gaps of streams are told without a count");
    }
    place(core, source, found ? place_of(core, &entry) : (struct hg_place){.proven = false}, &info);
}

void hg_source_located(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply)
{
    struct hg_stream_info info;
    struct hg_entry last;
    source->request = NULL;
    if (!reply) {
        set_state(core, source, HG_SOURCE_WANTED);
    } else if (source->by_range) {
        located_without_info(core, source, reply);
    } else if (hg_reply_stream_info(reply, &info, NULL, &last)) {
        struct hg_place newest = {.id = info.last_generated};
        if (last.field_count > 0)
            newest = place_of(core, &last);
        place(core, source, newest, &info);
    } else if (hg_reply_is_error(reply, "NOPERM")) {
        /* The command, or this key only: its answer to the other question tells. */
        source->by_range = true;
        set_state(core, source, HG_SOURCE_WANTED);
    } else {
        set_broken(core, source, hg_core_words(core, reply));
    }
}

void hg_source_settle(struct hg_core *core, struct hg_source *source)
{
    source->whole = false;
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next) {
        struct hg_attachment *attachment = HG_CONTAINER(n, struct hg_attachment, in_source);
        attachment->interest->unready -= attachment->whole;
        attachment->whole = false;
    }
    hg_replays_settled(core, source);
    announce_ready(core, source);
}

void hg_source_inspect(struct hg_core *core, struct hg_source *source)
{
    if (source->request || !hg_link_is_up(core, HG_LINK_COMMANDER))
        return;
    struct hg_slice argv[] = {HG_LIT("TYPE"), source->name};
    source->request = hg_link_send(core, HG_LINK_COMMANDER, HG_REQUEST_INSPECT, source, argv, 2);
}

void hg_source_inspected(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply)
{
    source->request = NULL;
    if (!reply)
        return;
    if (hg_reply_is(reply, "stream") || hg_reply_is(reply, "none")) {
        if (source->state == HG_SOURCE_BROKEN)
            set_ready(core, source);
    } else if (source->state == HG_SOURCE_READY) {
        hg_source_is_no_stream(core, source);
    } else {
        set_retry(core, source, hg_backoff_next(&source->backoff, &core->prng));
    }
}

void hg_source_is_no_stream(struct hg_core *core, struct hg_source *source)
{
    hg_reader_remove(core, source);
    set_broken(core, source, HG_LIT("WRONGTYPE the key is not a stream any more"));
}

static bool anybody_listens(const struct hg_source *source)
{
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next)
        if (HG_CONTAINER(n, struct hg_attachment, in_source)->interest->member_count > 0)
            return true;
    return false;
}

static struct hg_slice make_tail(struct hg_core *core, struct hg_slice topic, const struct hg_cursor *cursor)
{
    hg_buf_clear(&core->tail);
    hg_message_event_tail(&core->tail, topic, cursor, hg_buf_slice(&core->member));
    (void)hg_core_must(hg_buf_result(&core->tail));
    return hg_buf_slice(&core->tail);
}

static void put_payload(struct hg_core *core, struct hg_slice payload)
{
    hg_buf_clear(&core->member);
    hg_envelope_put_payload(&core->member, payload);
    (void)hg_core_must(hg_buf_result(&core->member));
}

void hg_source_message(struct hg_core *core, struct hg_slice channel, struct hg_slice payload)
{
    struct hg_source *source = hg_source_find(core, HG_SOURCE_TYPE_CHANNEL, channel);
    if (!source)
        return;
    core->stats.events_in++;
    if (!anybody_listens(source))
        return;
    bool fits = payload.len <= core->config->event_bytes_max;
    struct hg_happening happening = {.topic = source->topic, .json = payload, .fits = fits};
    if (fits) {
        put_payload(core, payload);
        happening.json = hg_core_json(core);
        happening.tail = make_tail(core, source->topic, NULL);
    }
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next) {
        struct hg_attachment *attachment = HG_CONTAINER(n, struct hg_attachment, in_source);
        hg_interest_offer(core, attachment, &happening);
    }
}

/* The topic a channel stands for under a rule, if the rule is the first that matches it. */
static bool topic_of_channel(const struct hg_core *core, const struct hg_rule *rule, struct hg_slice channel,
                             struct hg_slice *ret_topic)
{
    struct hg_slice topic;
    if (!hg_template_extract(hg_slice_str(rule->channel), channel, &topic))
        return false;
    if (topic.len == 0)
        topic = hg_slice_str(rule->match);
    if (!hg_ok(hg_topic_check(topic, NULL)) || hg_core_rule(core, topic) != rule)
        return false;
    *ret_topic = topic;
    return true;
}

/* Under an "auto" rule a topic that is a stream is read as a stream; what is published on its name is not its event. */
static bool is_followed_as_stream(struct hg_core *core, const struct hg_rule *rule, struct hg_slice topic)
{
    if (rule->source != HG_SOURCE_AUTO)
        return false;
    hg_buf_clear(&core->text);
    return hg_ok(hg_core_must(hg_template_expand(hg_slice_str(rule->key), topic, &core->text))) &&
           hg_source_find(core, HG_SOURCE_TYPE_STREAM, hg_buf_slice(&core->text));
}

void hg_source_pattern_message(struct hg_core *core, struct hg_slice glob, struct hg_slice channel,
                               struct hg_slice payload)
{
    struct hg_source *source = hg_source_find(core, HG_SOURCE_TYPE_PATTERN, glob);
    if (!source)
        return;
    core->stats.events_in++;
    bool fits = payload.len <= core->config->event_bytes_max, made = false, wanted = false;
    const struct hg_rule *rule = NULL;
    struct hg_slice topic = HG_SLICE_NULL, tail = HG_SLICE_NULL;
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next) {
        struct hg_attachment *attachment = HG_CONTAINER(n, struct hg_attachment, in_source);
        if (attachment->interest->member_count == 0)
            continue;
        if (attachment->rule != rule) {
            rule = attachment->rule;
            wanted = topic_of_channel(core, rule, channel, &topic) && !is_followed_as_stream(core, rule, topic);
            tail = HG_SLICE_NULL;
        }
        if (!wanted || !hg_pattern_match(attachment->interest->pattern, topic))
            continue;
        if (fits && !made)
            put_payload(core, payload);
        made = true;
        if (fits && tail.len == 0)
            tail = make_tail(core, topic, NULL);
        struct hg_happening happening = {
            .topic = topic, .json = fits ? hg_core_json(core) : payload, .tail = tail, .fits = fits};
        hg_interest_offer(core, attachment, &happening);
    }
}

static void set_held(struct hg_source *source, uint64_t held)
{
    bool held_before = source->proving.held > 0, holds = held > 0;
    source->proving.held = held;
    if (held_before == holds)
        return;
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next) {
        struct hg_interest *interest = HG_CONTAINER(n, struct hg_attachment, in_source)->interest;
        if (holds)
            interest->holding++;
        else
            interest->holding--;
    }
}

void hg_source_entry(struct hg_core *core, struct hg_source *source, const struct hg_entry *entry)
{
    if (hg_stream_id_cmp(entry->id, source->read.id) <= 0)
        return;
    hg_history_append(core, &source->history, source->read, entry);
    const struct hg_page *page = HG_CONTAINER(source->history.pages.last, struct hg_page, in_history);
    struct hg_past *past = &page->entries[page->count - 1];
    past->hole = (uint8_t)source->hole.kind;
    past->missed = source->hole.missed < UINT32_MAX ? (uint32_t)source->hole.missed : 0;
    source->hole.kind = HG_CONTINUITY_WHOLE;
    source->read = (struct hg_place){entry->id, past->fingerprint, true};
    set_held(source, source->proving.held + 1);
    source->last_entry_at = core->now;
    core->stats.events_in++;
}

void hg_source_unread(struct hg_core *core, struct hg_source *source)
{
    hg_stream_id id;
    if (source->proving.held == 0 || !hg_stream_id_next(source->last.id, &id))
        return;
    const struct hg_page *page = hg_history_page(&source->history, id);
    const struct hg_past *first = &page->entries[hg_page_seek(page, id)];
    source->hole = (struct hg_verdict){(enum hg_continuity)first->hole, first->missed};
    hg_history_cut(core, &source->history, source->last.id);
    source->read = source->last;
    set_held(source, 0);
}

/* While entries wait for their proof nobody joins: to a newcomer they would look new. */
static void offer(struct hg_core *core, struct hg_source *source, const struct hg_page *page, size_t index)
{
    const struct hg_past *past = &page->entries[index];
    struct hg_happening happening = {.topic = source->topic, .id = &past->id, .fits = past->fits};
    happening.json = hg_page_json(page, index);
    happening.except = hg_echo_is_here(core, past->except) ? past->except : 0;
    if (past->fits)
        happening.tail = hg_page_tail(page, index);
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next) {
        struct hg_attachment *attachment = HG_CONTAINER(n, struct hg_attachment, in_source);
        if (hg_stream_id_cmp(past->id, attachment->after.id) > 0)
            hg_interest_offer(core, attachment, &happening);
    }
}

void hg_source_offer(struct hg_core *core, struct hg_source *source)
{
    struct hg_proving *proving = &source->proving;
    hg_stream_id id;
    if (proving->held == 0) {
        announce_ready(core, source);
        return;
    }
    HG_ASSERT(hg_stream_id_next(source->last.id, &id));
    const struct hg_page *page = hg_history_page(&source->history, id);
    bool listened = anybody_listens(source);
    for (size_t index = page && listened ? hg_page_seek(page, id) : 0; page && listened;) {
        for (; index < page->count; index++)
            offer(core, source, page, index);
        page = hg_page_after(page);
        index = 0;
    }
    if (!HG_MUTANT(STUCK_CURSOR))
        source->last = source->read;
    proving->added += proving->held;
    set_held(source, 0);
    proving->anchor = HG_ANCHOR_ENTRY;
    proving->entry = source->last;
    announce_ready(core, source);
}

void hg_source_tell(struct hg_core *core, struct hg_source *source, struct hg_verdict verdict)
{
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next)
        hg_interest_missed(core, HG_CONTAINER(n, struct hg_attachment, in_source), verdict);
}

static void reset_attachment(struct hg_attachment *attachment, struct hg_place place_now)
{
    struct hg_interest *interest = attachment->interest;
    attachment->after = place_now;
    if (interest->newest_ms > place_now.id.ms)
        interest->newest_ms = place_now.id.ms;
}

void hg_source_reset(struct hg_core *core, struct hg_source *source, struct hg_place place_now, enum hg_continuity why)
{
    hg_core_log(core, HG_LOG_WARNING, "stream '%.*s' %s", HG_SLICE_ARG(source->name),
                why == HG_CONTINUITY_GONE ? "is gone, or made anew" : "was rewritten: this is another history");
    hg_replays_end(core, source, place_now, why);
    hg_history_clear(core, &source->history);
    source->last = source->read = source->tail = place_now;
    set_held(source, 0);
    source->hole.kind = HG_CONTINUITY_WHOLE;
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next)
        reset_attachment(HG_CONTAINER(n, struct hg_attachment, in_source), place_now);
    hg_source_tell(core, source, (struct hg_verdict){why, 0});
    if (source->whole)
        hg_source_settle(core, source);
    announce_ready(core, source);
}

bool hg_source_is_behind(struct hg_core *core, struct hg_source *source, hg_stream_id id, hg_time since)
{
    bool asked = source->tip.proven && !hg_time_before(source->tip_asked_at, since);
    if (asked && hg_stream_id_cmp(source->tip.id, id) < 0) {
        /* All that is there is read first: it is nothing new to one who is further. */
        if (hg_stream_id_cmp(source->tip.id, source->last.id) <= 0)
            return true;
        /* Or it is not there any more. */
        asked = !hg_time_reached(hg_time_add(source->tip_asked_at, hg_ms(TIP_AGAIN_MS)), core->now);
    }
    if (!asked && !source->tip_request && hg_link_is_up(core, HG_LINK_COMMANDER)) {
        struct hg_slice argv[] = {HG_LIT("XREVRANGE"), source->name,    HG_LIT("+"),
                                  HG_LIT("-"),         HG_LIT("COUNT"), HG_LIT("1")};
        /* What was said before is no answer: who came since may have an entry that was not there then. */
        source->tip.proven = source->tip.proven && HG_MUTANT(STALE_ANSWER);
        source->tip_asked_at = core->now;
        source->tip_request = hg_link_send(core, HG_LINK_COMMANDER, HG_REQUEST_TIP, source, argv, 6);
    }
    return false;
}

void hg_source_tipped(struct hg_core *core, struct hg_source *source, const struct hg_reply *reply)
{
    struct hg_entry entry;
    source->tip_request = NULL;
    bool empty = reply && reply->type == HG_REPLY_ARRAY && reply->count == 0;
    bool found =
        reply && reply->type == HG_REPLY_ARRAY && reply->count == 1 && hg_reply_entry(&reply->items[0], &entry);
    source->tip = (struct hg_place){.id = found ? entry.id : HG_STREAM_ID_ZERO, .proven = empty || found};
    announce_ready(core, source);
}

enum hg_known hg_source_knows(const struct hg_source *source, struct hg_place place_asked)
{
    enum hg_known known = hg_history_knows(&source->history, place_asked);
    if (known != HG_KNOWN_NOTHING || !source->last.proven || hg_stream_id_cmp(source->last.id, place_asked.id) != 0)
        return known;
    bool same = !place_asked.proven || place_asked.fingerprint == source->last.fingerprint;
    return same ? HG_KNOWN_THERE : HG_KNOWN_OTHER;
}

bool hg_source_put_entry(struct hg_core *core, const struct hg_rule *rule, struct hg_slice topic,
                         const struct hg_entry *entry, uint32_t *ret_fingerprint, struct hg_slice *ret_json,
                         struct hg_slice *ret_tail)
{
    const struct hg_slice *fields = hg_core_fields(core, entry);
    struct hg_slice payload_field = hg_slice_str(rule->payload_field);
    uint64_t bytes = 0;
    *ret_json = HG_SLICE_NULL;
    *ret_fingerprint = hg_fingerprint(fields, entry->field_count);
    for (size_t i = 0; i < entry->field_count; i += 2) {
        if (hg_slice_eq(fields[i], payload_field)) {
            bytes = fields[i + 1].len;
            *ret_json = fields[i + 1];
            break;
        }
        bytes += fields[i].len + fields[i + 1].len + FIELD_OVERHEAD;
    }
    if (bytes > core->config->event_bytes_max)
        return false;
    hg_buf_clear(&core->member);
    hg_envelope_put_entry(&core->member, fields, entry->field_count, payload_field);
    (void)hg_core_must(hg_buf_result(&core->member));
    *ret_json = hg_core_json(core);
    struct hg_cursor cursor = {entry->id, *ret_fingerprint};
    *ret_tail = make_tail(core, topic, &cursor);
    return true;
}

void hg_sources_listener_lost(struct hg_core *core)
{
    static const enum hg_source_type types[] = {HG_SOURCE_TYPE_CHANNEL, HG_SOURCE_TYPE_PATTERN};
    for (int i = 0; i < 2; i++)
        for (struct hg_list_node *n = core->sources.all[types[i]].first; n; n = n->next) {
            struct hg_source *source = HG_CONTAINER(n, struct hg_source, in_all);
            if (source->state != HG_SOURCE_READY)
                continue;
            source->interrupted = true;
            set_state(core, source, HG_SOURCE_WANTED);
            hg_source_set_alive(core, source, false);
        }
}

/* `retry_at` of all is not after that of any, so that the list is walked only when one of them may be due. */
static void retry_broken(struct hg_core *core)
{
    struct hg_sources *sources = &core->sources;
    if (!hg_time_reached(sources->retry_at, core->now))
        return;
    sources->retry_at = HG_TIME_NEVER;
    struct hg_list_node *next;
    for (struct hg_list_node *n = sources->broken.first; n; n = next) {
        next = n->next;
        struct hg_source *source = HG_CONTAINER(n, struct hg_source, todo);
        if (!hg_time_reached(source->retry_at, core->now)) {
            sources->retry_at = hg_time_min(sources->retry_at, source->retry_at);
        } else if (!source->placed) {
            set_state(core, source, HG_SOURCE_WANTED);
        } else {
            set_retry(core, source, hg_ms(RETRY_MAX_MS));
            hg_source_inspect(core, source);
        }
    }
}

static void ask(struct hg_core *core, struct hg_source *source)
{
    if (source->type == HG_SOURCE_TYPE_STREAM) {
        struct hg_slice info[] = {HG_LIT("XINFO"), HG_LIT("STREAM"), source->name};
        struct hg_slice range[] = {HG_LIT("XREVRANGE"), source->name,    HG_LIT("+"),
                                   HG_LIT("-"),         HG_LIT("COUNT"), HG_LIT("1")};
        source->by_range = source->by_range || core->sources.without_info;
        source->request = hg_link_send(core, link_of(source), HG_REQUEST_LOCATE, source,
                                       source->by_range ? range : info, source->by_range ? 6 : 3);
    } else {
        struct hg_slice argv[] = {source->type == HG_SOURCE_TYPE_CHANNEL ? HG_LIT("SUBSCRIBE") : HG_LIT("PSUBSCRIBE"),
                                  source->name};
        source->request = hg_link_send(core, link_of(source), HG_REQUEST_SUBSCRIBE, source, argv, 2);
    }
    set_state(core, source, HG_SOURCE_ASKED);
}

void hg_sources_pump(struct hg_core *core)
{
    retry_broken(core);
    for (uint32_t link = HG_LINK_LISTENER; link <= HG_LINK_COMMANDER; link++)
        while (hg_link_is_up(core, link) && core->sources.wanted[link].first)
            ask(core, HG_CONTAINER(core->sources.wanted[link].first, struct hg_source, todo));
}

hg_time hg_sources_deadline(const struct hg_core *core)
{
    return core->sources.broken.count > 0 ? core->sources.retry_at : HG_TIME_NEVER;
}

void hg_sources_validate(const struct hg_core *core)
{
    for (int type = 0; type < 3; type++) {
        hg_list_validate(&core->sources.all[type]);
        HG_ASSERT(core->sources.all[type].count == core->sources.maps[type].count);
        for (struct hg_list_node *n = core->sources.all[type].first; n; n = n->next) {
            struct hg_source *source = HG_CONTAINER(n, struct hg_source, in_all);
            HG_ASSERT(source->attachments.count > 0);
            hg_list_validate(&source->attachments);
            HG_ASSERT((source->state == HG_SOURCE_WANTED) ==
                      hg_list_contains(&core->sources.wanted[link_of(source)], &source->todo));
            HG_ASSERT((source->state == HG_SOURCE_BROKEN) == hg_list_contains(&core->sources.broken, &source->todo));
            HG_ASSERT(source->state != HG_SOURCE_BROKEN || !hg_time_before(source->retry_at, core->sources.retry_at));
            HG_ASSERT(source->state != HG_SOURCE_ASKED || source->request);
            HG_ASSERT(!source->request || source->request->object == source);
            bool read = type == HG_SOURCE_TYPE_STREAM && source->state == HG_SOURCE_READY;
            HG_ASSERT(read == (source->reader != NULL));
            HG_ASSERT(!read || source->placed);
        }
    }
}
