#include "core/discovery.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "topic/name.h"
#include "topic/pattern.h"
#include "topic/template.h"

#define SCAN_COUNT       "1000"
#define SCAN_SHARE       10u  /* a pass may take one part in so many of the time */
#define WATCH_BATCH      200u /* TYPE commands at a time */
#define REFUSED_PAUSE_MS 1000u
#define HINT_PAUSE_MS    50u
#define NOT_FOLLOWED                                                                                                   \
    "This topic cannot be followed: topics_max is reached, or another topic is mapped to the same name in Redis."

void hg_discovery_init(struct hg_core *core)
{
    (void)hg_core_must(hg_trie_new(core->hash_key, &core->discovery.patterns));
}

void hg_discovery_done(struct hg_core *core)
{
    struct hg_discovery *d = &core->discovery;
    HG_ASSERT(d->interest_count == 0 && d->undecided.count == 0 && d->asked.count == 0 && d->refused.count == 0);
    HG_ASSERT(d->watched.count == 0);
    hg_trie_free(d->patterns);
    free(d->cursor);
    free(d->trouble);
}

void hg_discovery_add(struct hg_core *core, struct hg_interest *interest)
{
    struct hg_discovery *d = &core->discovery;
    (void)hg_core_must(hg_trie_add(d->patterns, interest->pattern, interest));
    d->interest_count++;
    /* A pass that is under way may have gone by a key already: only one that starts from now on is whole for this
     * group. */
    interest->needs_pass = d->pass + 1;
    d->next_pass = core->now;
}

void hg_discovery_remove(struct hg_core *core, struct hg_interest *interest)
{
    hg_trie_remove(core->discovery.patterns, interest->pattern, interest);
    core->discovery.interest_count--;
}

void hg_discovery_decide(struct hg_core *core, struct hg_interest *interest)
{
    interest->undecided = true;
    hg_list_push_back(&core->discovery.undecided, &interest->in_auto);
}

static void note_trouble(struct hg_core *core, const char *what, struct hg_slice words)
{
    struct hg_discovery *d = &core->discovery;
    if (d->trouble && hg_slice_is(words, d->trouble))
        return;
    hg_core_log(core, HG_LOG_WARNING, "redis refuses %s: %.*s; trying again", what, HG_SLICE_ARG(words));
    free(d->trouble);
    d->trouble = hg_core_copy(words);
}

/* One key may be the stream of a topic under several rules; only the first rule that matches the topic counts. */
struct found {
    struct hg_core *core;
    const struct hg_rule *rule;
    struct hg_slice key, topic;
};

static bool is_attached(const struct hg_interest *interest, const struct hg_source *source)
{
    for (struct hg_list_node *n = source->attachments.first; n; n = n->next)
        if (HG_CONTAINER(n, struct hg_attachment, in_source)->interest == interest)
            return true;
    return false;
}

static void take_for_interest(void *context, void *value)
{
    struct found *found = context;
    struct hg_core *core = found->core;
    struct hg_interest *interest = value;
    struct hg_source *source = hg_source_find(core, HG_SOURCE_TYPE_STREAM, found->key);
    if (source && is_attached(interest, source)) {
        source->seen_in = core->discovery.pass;
        return;
    }
    hg_result result = hg_source_get(core, HG_SOURCE_TYPE_STREAM, found->key, found->topic, &source);
    if (hg_ok(result)) {
        source->seen_in = core->discovery.pass;
        hg_interest_take_stream(core, interest, source, found->rule, interest->needs_pass == 0);
        return;
    }
    interest->left_out_in = core->discovery.pass;
    if (!interest->full_told) {
        interest->full_told = true;
        hg_core_log(core, HG_LOG_WARNING, "stream '%.*s' is left out of pattern '%.*s': %s", HG_SLICE_ARG(found->key),
                    HG_SLICE_ARG(interest->pattern),
                    result.code == HG_ERR_LIMIT_EXCEEDED ? "topics_max is reached" : "another topic is mapped to it");
        hg_interest_left_out(core, interest, found->topic);
    }
}

static void take_key(struct hg_core *core, struct hg_slice key)
{
    for (size_t i = 0; i < core->config->rule_count; i++) {
        struct found found = {.core = core, .rule = &core->config->rules[i], .key = key};
        if (found.rule->source == HG_SOURCE_CHANNEL ||
            !hg_template_extract(hg_slice_str(found.rule->key), key, &found.topic))
            continue;
        if (found.topic.len == 0)
            found.topic = hg_slice_str(found.rule->match);
        if (hg_ok(hg_topic_check(found.topic, NULL)) && hg_core_rule(core, found.topic) == found.rule)
            hg_trie_match(core->discovery.patterns, found.topic, take_for_interest, &found);
    }
}

void hg_discovery_hint(struct hg_core *core, struct hg_slice key)
{
    struct hg_discovery *d = &core->discovery;
    if (d->interest_count > 0)
        take_key(core, key);
    /* Sooner than the rhythm says, but not with every emit. */
    hg_time earliest = hg_time_add(d->last_watch, hg_ms(HINT_PAUSE_MS));
    d->next_watch = hg_time_min(d->next_watch, earliest.us > core->now.us ? earliest : core->now);
}

/* A stream that was not there for a whole pass and brought nothing since is gone. When its key comes back, all its
 * entries will be new, so its place is forgotten, and that is told: it is found again as a new one. */
static void let_go_of_gone_streams(struct hg_core *core)
{
    struct hg_discovery *d = &core->discovery;
    struct hg_list_node *next;
    for (struct hg_list_node *n = core->sources.all[HG_SOURCE_TYPE_STREAM].first; n; n = next) {
        next = n->next;
        struct hg_source *source = HG_CONTAINER(n, struct hg_source, in_all);
        if (source->seen_in == 0 || source->seen_in == d->pass || source->state != HG_SOURCE_READY || !source->alive ||
            !hg_time_before(source->last_entry_at, d->started))
            continue;
        bool exact = false;
        for (struct hg_list_node *a = source->attachments.first; a; a = a->next)
            exact = exact || HG_CONTAINER(a, struct hg_attachment, in_source)->interest->exact;
        if (exact)
            continue;
        /* Unless that was told when its reader found out. */
        if (hg_stream_id_cmp(source->last.id, HG_STREAM_ID_ZERO) != 0 && !HG_MUTANT(LET_GO_UNTOLD))
            hg_source_tell(core, source, (struct hg_verdict){HG_CONTINUITY_GONE, 0});
        for (size_t left = source->attachments.count; left > 0; left--)
            hg_interest_detach(core, HG_CONTAINER(source->attachments.first, struct hg_attachment, in_source));
    }
}

static void finish_pass(struct hg_core *core)
{
    struct hg_discovery *d = &core->discovery;
    free(d->cursor);
    d->cursor = NULL;
    d->running = false;
    hg_dur pause = hg_ms(core->config->discover_ms);
    if (d->busy.us * SCAN_SHARE > pause.us)
        pause = hg_us(d->busy.us * SCAN_SHARE);
    hg_time next = hg_time_add(core->now, pause);
    bool somebody_waits = false;
    if (!d->without_type)
        let_go_of_gone_streams(core);
    for (struct hg_list_node *n = core->interests.all.first, *after; n; n = after) {
        after = n->next;
        struct hg_interest *interest = HG_CONTAINER(n, struct hg_interest, in_all);
        if (interest->left_out_in != d->pass)
            interest->full_told = false;
        if (interest->needs_pass == d->pass) {
            interest->needs_pass = 0;
            hg_interest_check_ready(core, interest);
        }
        somebody_waits = somebody_waits || interest->needs_pass != 0;
    }
    d->next_pass = somebody_waits ? core->now : next;
}

void hg_discovery_scanned(struct hg_core *core, const struct hg_reply *reply)
{
    struct hg_discovery *d = &core->discovery;
    d->request = NULL;
    if (!reply)
        return; /* the same cursor again when the link is back: SCAN's cursors have no state in Redis */
    d->busy.us += hg_time_since(d->asked_at, core->now).us;
    if (!d->without_type && hg_reply_is_error(reply, "ERR") && memmem(reply->text.ptr, reply->text.len, "syntax", 6)) {
        d->without_type = true;
        return;
    }
    if (!hg_reply_is_array(reply, 2) || reply->items[0].type != HG_REPLY_STRING ||
        reply->items[1].type != HG_REPLY_ARRAY) {
        note_trouble(core, "SCAN", hg_core_words(core, reply));
        d->retry_at = hg_time_add(core->now, hg_ms(REFUSED_PAUSE_MS));
        return;
    }
    free(d->trouble);
    d->trouble = NULL;
    for (size_t i = 0; i < reply->items[1].count; i++)
        if (reply->items[1].items[i].type == HG_REPLY_STRING)
            take_key(core, reply->items[1].items[i].text);
    if (hg_reply_is(&reply->items[0], "0")) {
        finish_pass(core);
    } else {
        free(d->cursor);
        d->cursor = hg_core_copy(reply->items[0].text);
    }
}

static hg_result follow_as_stream(struct hg_core *core, struct hg_interest *interest, bool whole)
{
    struct hg_source *source;
    hg_buf_clear(&core->text);
    (void)hg_core_must(hg_template_expand(hg_slice_str(interest->rule->key), interest->pattern, &core->text));
    hg_result result =
        hg_source_get(core, HG_SOURCE_TYPE_STREAM, hg_buf_slice(&core->text), interest->pattern, &source);
    if (hg_ok(result))
        hg_interest_take_stream(core, interest, source, interest->rule, whole);
    return result;
}

static hg_result follow_as_channel(struct hg_core *core, struct hg_interest *interest)
{
    struct hg_source *source;
    hg_buf_clear(&core->text);
    (void)hg_core_must(hg_template_expand(hg_slice_str(interest->rule->channel), interest->pattern, &core->text));
    hg_result result =
        hg_source_get(core, HG_SOURCE_TYPE_CHANNEL, hg_buf_slice(&core->text), interest->pattern, &source);
    if (hg_ok(result))
        (void)hg_source_attach(core, source, interest, interest->rule);
    return result;
}

/* It stays undecided and is asked for again: nobody may be told ok on its behalf. */
static void ask_again_later(struct hg_core *core, struct hg_interest *interest)
{
    struct hg_discovery *d = &core->discovery;
    if (d->refused.count == 0)
        d->refused_until = hg_time_add(core->now, hg_ms(REFUSED_PAUSE_MS));
    hg_list_unlink(&interest->in_auto);
    hg_list_push_back(&d->refused, &interest->in_auto);
}

static void refuse(struct hg_core *core, struct hg_interest *interest, hg_result result)
{
    ask_again_later(core, interest);
    hg_interest_refuse(core, interest, result.code, NOT_FOLLOWED);
}

void hg_discovery_typed(struct hg_core *core, struct hg_interest *interest, const struct hg_reply *reply)
{
    struct hg_discovery *d = &core->discovery;
    interest->type_request = NULL;
    if (!reply) {
        if (interest->undecided) {
            hg_list_remove(&d->asked, &interest->in_auto);
            hg_list_push_back(&d->undecided, &interest->in_auto);
        }
        return;
    }
    if (reply->type != HG_REPLY_STATUS && reply->type != HG_REPLY_STRING) {
        note_trouble(core, "TYPE", hg_core_words(core, reply));
        if (!interest->undecided)
            return;
        ask_again_later(core, interest);
        if (hg_reply_is_error(reply, "NOPERM"))
            hg_interest_refuse(core, interest, HG_ERR_UNAVAILABLE,
                               "Redis does not let the gateway ask for the type of this topic's key.");
        return;
    }
    bool stream = hg_reply_is(reply, "stream");
    if (interest->undecided) {
        hg_result result = stream ? follow_as_stream(core, interest, false) : follow_as_channel(core, interest);
        if (!hg_ok(result)) {
            refuse(core, interest, result);
            return;
        }
        interest->undecided = false;
        hg_list_unlink(&interest->in_auto);
        if (!stream)
            hg_list_push_back(&d->watched, &interest->in_auto);
        hg_interest_check_ready(core, interest);
    } else if (stream) {
        /* It was no stream when it was asked for last, so every entry is new to those who listen. */
        struct hg_list_node *next;
        for (struct hg_list_node *n = interest->attachments.first; n; n = next) {
            next = n->next;
            hg_interest_detach(core, HG_CONTAINER(n, struct hg_attachment, in_interest));
        }
        hg_list_unlink(&interest->in_auto);
        hg_result result = follow_as_stream(core, interest, true);
        if (hg_ok(result)) {
            hg_interest_check_ready(core, interest);
        } else { /* only when another topic took the key meanwhile: its own channel made room */
            hg_discovery_decide(core, interest);
            refuse(core, interest, result);
        }
    }
}

static void ask_type(struct hg_core *core, struct hg_interest *interest)
{
    if (interest->type_request)
        return;
    hg_buf_clear(&core->text);
    (void)hg_core_must(hg_template_expand(hg_slice_str(interest->rule->key), interest->pattern, &core->text));
    struct hg_slice argv[] = {HG_LIT("TYPE"), hg_buf_slice(&core->text)};
    interest->type_request = hg_link_send(core, HG_LINK_COMMANDER, HG_REQUEST_TYPE, interest, argv, 2);
}

static void scan(struct hg_core *core)
{
    struct hg_discovery *d = &core->discovery;
    if (!d->running) {
        d->running = true;
        d->pass++;
        d->started = core->now;
        d->busy = hg_us(0);
        d->cursor = hg_core_copy(HG_LIT("0"));
    }
    struct hg_slice argv[] = {HG_LIT("SCAN"),     hg_slice_str(d->cursor), HG_LIT("COUNT"),
                              HG_LIT(SCAN_COUNT), HG_LIT("TYPE"),          HG_LIT("stream")};
    d->asked_at = core->now;
    d->request = hg_link_send(core, HG_LINK_COMMANDER, HG_REQUEST_SCAN, NULL, argv, d->without_type ? 4 : 6);
}

static bool may_scan(const struct hg_core *core)
{
    const struct hg_discovery *d = &core->discovery;
    return !d->request && (d->running || d->interest_count > 0) && hg_link_is_up(core, HG_LINK_COMMANDER);
}

static hg_time scan_at(const struct hg_core *core)
{
    const struct hg_discovery *d = &core->discovery;
    hg_time at = d->running ? core->now : d->next_pass;
    return at.us > d->retry_at.us ? at : d->retry_at;
}

void hg_discovery_pump(struct hg_core *core)
{
    struct hg_discovery *d = &core->discovery;
    if (!hg_link_is_up(core, HG_LINK_COMMANDER))
        return;
    struct hg_list_node *node;
    if (hg_time_reached(d->refused_until, core->now))
        while ((node = hg_list_pop_front(&d->refused)))
            hg_list_push_back(&d->undecided, node);
    while ((node = hg_list_pop_front(&d->undecided))) {
        hg_list_push_back(&d->asked, node);
        ask_type(core, HG_CONTAINER(node, struct hg_interest, in_auto));
    }
    if (d->watched.count > 0 && hg_time_reached(d->next_watch, core->now)) {
        size_t batch = d->watched.count < WATCH_BATCH ? d->watched.count : WATCH_BATCH;
        for (; batch > 0; batch--) {
            node = hg_list_pop_front(&d->watched);
            hg_list_push_back(&d->watched, node);
            ask_type(core, HG_CONTAINER(node, struct hg_interest, in_auto));
        }
        d->last_watch = core->now;
        d->next_watch = hg_time_add(core->now, hg_ms(core->config->discover_ms));
    }
    if (may_scan(core) && hg_time_reached(scan_at(core), core->now))
        scan(core);
}

hg_time hg_discovery_deadline(const struct hg_core *core)
{
    const struct hg_discovery *d = &core->discovery;
    hg_time deadline = HG_TIME_NEVER;
    if (!hg_link_is_up(core, HG_LINK_COMMANDER))
        return deadline;
    if (may_scan(core))
        deadline = scan_at(core);
    if (d->watched.count > 0)
        deadline = hg_time_min(deadline, d->next_watch);
    if (d->refused.count > 0)
        deadline = hg_time_min(deadline, d->refused_until);
    return deadline;
}
