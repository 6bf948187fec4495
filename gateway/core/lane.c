#include "core/lane.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/idmp.h"
#include "core/state.h"

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void set_state(struct hg_core *core, struct hg_lane *lane, enum hg_lane_state next)
{
    hg_list_unlink(&lane->in_state);
    lane->state = next;
    if (next == HG_LANE_READY)
        hg_list_push_back(&lane->uplink->ready, &lane->in_state);
    else if (next == HG_LANE_EMPTY)
        hg_list_push_back(&core->emitter.empty, &lane->in_state);
    lane->emptied = core->now;
}

struct hg_lane *hg_lane_get(struct hg_core *core, const struct hg_rule *rule, enum hg_lane_kind kind,
                            struct hg_slice topic, struct hg_slice stream)
{
    struct hg_buf *text = &core->text;
    hg_buf_clear(text);
    /* Within a rule each topic has a stream of its own; streams of dead letters may be shared. */
    hg_buf_put_u64(text, (uint64_t)(rule - core->config->rules));
    hg_buf_put_char(text, kind == HG_LANE_EVENTS ? ':' : '!');
    hg_buf_put(text, topic);
    struct hg_map_node *node = hg_map_find(&core->emitter.lanes, hg_buf_slice(text));
    if (node)
        return HG_CONTAINER(node, struct hg_lane, by_name);

    static const struct hg_slice current = {":current", 8}, previous = {":previous", 9};
    size_t name_len = text->len;
    hg_dedupe_put_key(stream, text);
    (void)hg_core_must(hg_buf_result(text));
    struct hg_slice name = hg_slice(text->ptr, name_len), key = hg_slice_from(hg_buf_slice(text), name_len);
    struct hg_lane *lane =
        hg_core_alloc(sizeof(*lane) + name.len + topic.len + stream.len + 2 * key.len + current.len + previous.len);
    char *at = lane->text;
    lane->name = hg_core_keep(&at, name);
    lane->topic = hg_core_keep(&at, topic);
    lane->stream = hg_core_keep(&at, stream);
    lane->current = hg_core_keep(&at, key);
    lane->current.len += hg_core_keep(&at, current).len;
    lane->previous = hg_core_keep(&at, key);
    lane->previous.len += hg_core_keep(&at, previous).len;
    lane->kind = kind;
    lane->rule = rule;
    enum hg_durability_kind durability =
        kind == HG_LANE_DEAD_LETTERS ? HG_DURABILITY_MEMORY : hg_rule_durability(rule).kind;
    lane->uplink = &core->uplinks.items[durability];
    set_state(core, lane, HG_LANE_EMPTY);
    (void)hg_core_must(hg_map_insert(&core->emitter.lanes, &lane->by_name, lane->name));
    return lane;
}

static void free_lane(struct hg_core *core, struct hg_lane *lane)
{
    HG_ASSERT(lane->emits.count == 0);
    hg_list_unlink(&lane->in_state);
    hg_map_remove(&core->emitter.lanes, &lane->by_name);
    free(lane->items);
    free(lane->refusal);
    free(lane);
}

static void reap(struct hg_core *core)
{
    struct hg_list *empty = &core->emitter.empty;
    while (empty->first) {
        struct hg_lane *lane = HG_CONTAINER(empty->first, struct hg_lane, in_state);
        HG_ASSERT(lane->state == HG_LANE_EMPTY && !lane->call && !lane->wait && !lane->refusal);
        if (empty->count <= HG_LANE_LINGER_MAX &&
            !hg_time_reached(hg_time_add(lane->emptied, hg_ms(HG_LANE_LINGER_MS)), core->now))
            break;
        free_lane(core, lane);
    }
}

void hg_lanes_done(struct hg_core *core)
{
    struct hg_map_node *node;
    while ((node = hg_map_any(&core->emitter.lanes)))
        free_lane(core, HG_CONTAINER(node, struct hg_lane, by_name));
}

void hg_lane_push(struct hg_core *core, struct hg_lane *lane, struct hg_emit *emit)
{
    emit->lane = lane;
    hg_list_push_back(&lane->emits, &emit->in_lane);
    if (lane->state == HG_LANE_EMPTY)
        set_state(core, lane, HG_LANE_READY);
}

void hg_lane_remove(struct hg_core *core, struct hg_emit *emit)
{
    struct hg_lane *lane = emit->lane;
    hg_list_remove(&lane->emits, &emit->in_lane);
    if (emit->slot)
        *emit->slot = NULL;
    emit->slot = NULL;
    if (lane->emits.count == 0 && lane->state == HG_LANE_READY)
        set_state(core, lane, HG_LANE_EMPTY);
}

void hg_lane_end_call(struct hg_core *core, struct hg_lane *lane)
{
    for (size_t i = 0; i < lane->item_count; i++)
        if (lane->items[i])
            lane->items[i]->slot = NULL;
    lane->expected = 0;
    if (lane->item_count >= HG_LANE_GATHER_MIN) {
        lane->expected = lane->item_count + lane->emits.count;
        lane->gathers_until = hg_time_add(core->now, (hg_dur){HG_LANE_GATHER_US});
    }
    lane->item_count = 0;
    lane->comparing = 0;
    memset(lane->compared, 0, sizeof(lane->compared));
    free(lane->refusal);
    lane->refusal = NULL;
    if (lane->wait)
        lane->wait->object = NULL;
    lane->call = lane->wait = NULL;
    if (HG_MUTANT(REORDERED) && lane->emits.count > 0)
        hg_list_push_back(&lane->emits, hg_list_pop_front(&lane->emits));
    set_state(core, lane, lane->emits.count > 0 ? HG_LANE_READY : HG_LANE_EMPTY);
}

/* ---- a call ------------------------------------------------------------------------------------------------------ */

static struct hg_emit *first_of(const struct hg_lane *lane)
{
    return HG_CONTAINER(lane->emits.first, struct hg_emit, in_lane);
}

/* Whether a scope is not among those of the call that is being filled; it is from now on. Another with the same hash
 * would only go with the next call. */
static bool is_new(struct hg_core *core, const struct hg_emit *emit)
{
    uint64_t *table = core->emitter.scopes;
    const size_t size = sizeof(core->emitter.scopes) / sizeof(*table);
    uint64_t hash = hg_hash_bytes(core->hash_key, emit->scope.len > 0 ? emit->scope : emit->id) | 1;
    size_t at = (size_t)(hash >> 32) % size;
    for (; table[at] != 0; at = (at + 1) % size)
        if (table[at] == hash)
            return HG_MUTANT(TWICE_IN_A_CALL);
    table[at] = hash;
    return true;
}

/* Takes what goes with one call: events of the same form, so that the step need not look at each, and for it none of
 * the same scope. */
static void fill(struct hg_core *core, struct hg_lane *lane, bool by_step)
{
    const struct hg_emit *first = first_of(lane);
    size_t bytes = 0;
    bool compares = by_step && lane->emits.count > 1;
    if (compares)
        memset(core->emitter.scopes, 0, sizeof(core->emitter.scopes));
    if (lane->item_capacity < lane->emits.count && lane->item_capacity < HG_LANE_CALL_EVENTS) {
        size_t capacity = lane->emits.count < 16 ? 16 : HG_LANE_CALL_EVENTS;
        struct hg_emit **items = realloc(lane->items, capacity * sizeof(struct hg_emit *));
        HG_ASSERT(items);
        lane->items = items;
        lane->item_capacity = capacity;
    }
    lane->item_count = 0;
    for (struct hg_list_node *n = lane->emits.first; n && lane->item_count < lane->item_capacity; n = n->next) {
        struct hg_emit *emit = HG_CONTAINER(n, struct hg_emit, in_lane);
        bytes += emit->bytes;
        if (emit != first && (bytes > HG_LANE_CALL_BYTES || emit->more_count != first->more_count ||
                              (emit->scope.len > 0) != (first->scope.len > 0)))
            break;
        if (compares && !is_new(core, emit))
            break;
        emit->slot = &lane->items[lane->item_count++];
        *emit->slot = emit;
        emit->confirmed = false;
    }
}

struct hg_slice *hg_lane_words(struct hg_core *core, size_t count)
{
    struct hg_emitter *emitter = &core->emitter;
    if (count > emitter->word_capacity) {
        free(emitter->words);
        emitter->words = hg_core_alloc(count * sizeof(*emitter->words));
        emitter->word_capacity = count;
    }
    return emitter->words;
}

struct hg_slice hg_lane_field(const struct hg_lane *lane)
{
    return lane->kind == HG_LANE_DEAD_LETTERS ? HG_LIT("event") : hg_slice_str(lane->rule->payload_field);
}

static uint64_t maxlen_of(const struct hg_lane *lane)
{
    return lane->kind == HG_LANE_DEAD_LETTERS ? lane->rule->dead_letter_maxlen : lane->rule->maxlen;
}

static void send_step(struct hg_core *core, struct hg_lane *lane)
{
    const struct hg_uplink *uplink = lane->uplink;
    const struct hg_emit *first = lane->items[0];
    bool by_function = uplink->scripting == HG_SCRIPTING_FUNCTION;
    bool forgets = first->tried && HG_MUTANT(NO_DEDUPE), looks = hg_time_reached(lane->look_at, core->now);
    struct hg_dedupe_call call = {
        .stream = lane->stream,
        .current = lane->current,
        .previous = lane->previous,
        .window_ms = HG_MUTANT(WINDOW_SHORT) ? 1 : hg_dedupe_remember_ms(core->config, lane->rule),
        .maxlen = maxlen_of(lane),
        .look = looks || HG_MUTANT(WINDOW_SHORT),
        .touch = uplink->link != HG_LINK_COMMANDER,
        .field = hg_lane_field(lane),
        .scoped = forgets || first->scope.len > 0,
        .more = first->more_count,
    };
    if (looks)
        lane->look_at = hg_time_add(core->now, hg_ms(hg_dedupe_look_ms(call.window_ms)));
    struct hg_dedupe_numbers numbers;
    struct hg_slice *words =
        hg_lane_words(core, HG_DEDUPE_CALL_WORDS + lane->item_count * (HG_DEDUPE_EVENT_WORDS + call.more));
    size_t count = hg_dedupe_begin(&call, by_function ? HG_LIT("FCALL") : HG_LIT("EVALSHA"),
                                   hg_slice_str(by_function ? core->uplinks.function : uplink->sha), &numbers, words);
    for (size_t i = 0; i < lane->item_count; i++) {
        struct hg_emit *emit = lane->items[i];
        struct hg_dedupe_event event = {
            .id = emit->id,
            .event = emit->event,
            .stamp = hg_slice(emit->stamp, emit->stamp_len),
            .scope = forgets ? emit->ref : emit->scope,
            .more = emit->more,
        };
        count += hg_dedupe_put(&call, &event, words + count);
        emit->tried = true;
    }
    *(by_function ? &core->stats.emits_by_function : &core->stats.emits_by_script) += lane->item_count;
    lane->call = hg_link_send(core, uplink->link, HG_REQUEST_EMIT, lane, words, count);
    if (HG_MUTANT(ACK_EARLY))
        hg_emit_acknowledge(core, lane->items[0], (struct hg_cursor){HG_STREAM_ID_ZERO, first->fingerprint}, false,
                            HG_SLICE_NULL);
}

/* Without dedupe: as one transaction, so that its answer comes whole. */
static void send_plain(struct hg_core *core, struct hg_lane *lane)
{
    const struct hg_slice multi = HG_LIT("MULTI"), exec = HG_LIT("EXEC");
    char maxlen[24];
    snprintf(maxlen, sizeof(maxlen), "%llu", (unsigned long long)maxlen_of(lane));
    uint32_t link = lane->uplink->link;
    hg_link_send(core, link, HG_REQUEST_QUEUED, lane, &multi, 1);
    for (size_t i = 0; i < lane->item_count; i++) {
        struct hg_emit *emit = lane->items[i];
        struct hg_slice *words = hg_lane_words(core, 10 + emit->more_count);
        size_t count = 0;
        words[count++] = HG_LIT("XADD");
        words[count++] = lane->stream;
        if (maxlen_of(lane) > 0) {
            words[count++] = HG_LIT("MAXLEN");
            words[count++] = HG_LIT("~");
            words[count++] = hg_slice_str(maxlen);
        }
        words[count++] = HG_LIT("*");
        words[count++] = hg_lane_field(lane);
        words[count++] = emit->event;
        words[count++] = HG_LIT("id");
        words[count++] = emit->id;
        for (size_t m = 0; m < emit->more_count; m++)
            words[count++] = emit->more[m];
        hg_link_send(core, link, HG_REQUEST_QUEUED, lane, words, count);
        emit->tried = true;
    }
    core->stats.emits_plain += lane->item_count;
    lane->call = hg_link_send(core, link, HG_REQUEST_EMIT, lane, &exec, 1);
}

static void send_wait(struct hg_core *core, struct hg_lane *lane)
{
    char replicas[24], timeout[24];
    snprintf(replicas, sizeof(replicas), "%u", hg_rule_durability(lane->rule).replicas);
    snprintf(timeout, sizeof(timeout), "%llu", (unsigned long long)core->config->durability_timeout_ms);
    const struct hg_slice wait[] = {HG_LIT("WAIT"), hg_slice_str(replicas), hg_slice_str(timeout)};
    const struct hg_slice waitaof[] = {HG_LIT("WAITAOF"), HG_LIT("1"), HG_LIT("0"), hg_slice_str(timeout)};
    bool fsync = lane->uplink->link == HG_LINK_FSYNC;
    lane->wait = hg_link_send(core, lane->uplink->link, HG_REQUEST_WAIT, lane, fsync ? waitaof : wait, fsync ? 4 : 3);
}

static void refuse_all(struct hg_core *core, struct hg_lane *lane, enum hg_error error, struct hg_slice why)
{
    for (size_t i = 0; i < lane->item_count; i++)
        if (lane->items[i])
            hg_emit_reject(core, lane->items[i], error, why);
}

static void send(struct hg_core *core, struct hg_lane *lane)
{
    set_state(core, lane, HG_LANE_CALLING);
    bool by_idmp = hg_idmp_serves(core, lane);
    lane->in_transaction = !by_idmp && lane->uplink->scripting == HG_SCRIPTING_DENIED;
    fill(core, lane, !by_idmp && !lane->in_transaction);
    if (by_idmp) {
        hg_idmp_send(core, lane);
    } else if (!lane->in_transaction) {
        send_step(core, lane);
        if (lane->uplink->link != HG_LINK_COMMANDER)
            send_wait(core, lane);
    } else if (lane->rule->dedupe == HG_DEDUPE_BEST_EFFORT) {
        send_plain(core, lane);
    } else {
        refuse_all(core, lane, HG_ERR_UNAVAILABLE,
                   HG_LIT("Redis allows the gateway no script, without which no event is appended once; its "
                          "administrator finds in the log what to grant."));
        hg_lane_end_call(core, lane);
    }
}

/* Whether it still waits for more to go with the next call. */
static bool gathers(struct hg_core *core, const struct hg_lane *lane)
{
    size_t expected = lane->expected < HG_LANE_CALL_EVENTS ? lane->expected : HG_LANE_CALL_EVENTS;
    if (lane->emits.count >= expected || hg_time_reached(lane->gathers_until, core->now))
        return false;
    core->emitter.gathers_until = hg_time_min(core->emitter.gathers_until, lane->gathers_until);
    return true;
}

static void put_back(struct hg_uplink *uplink, struct hg_lane *lane)
{
    hg_list_unlink(&lane->in_state);
    hg_list_push_back(&uplink->ready, &lane->in_state);
}

hg_time hg_lanes_deadline(const struct hg_core *core)
{
    return core->emitter.gathers_until;
}

void hg_lanes_pump(struct hg_core *core)
{
    core->emitter.gathers_until = HG_TIME_NEVER;
    for (size_t i = 0; i < HG_DURABILITY__COUNT; i++) {
        struct hg_uplink *uplink = &core->uplinks.items[i];
        struct hg_lane *untold = NULL;
        /* What is refused below is sent to the dead letters, perhaps by this same link. */
        for (size_t left = uplink->ready.count; left > 0 && hg_uplink_is_ready(core, uplink); left--) {
            if (!uplink->ready.first)
                break;
            struct hg_lane *lane = HG_CONTAINER(uplink->ready.first, struct hg_lane, in_state);
            if (gathers(core, lane)) {
                put_back(uplink, lane);
                continue;
            }
            if (!hg_idmp_serves(core, lane) || hg_idmp_is_told(core, lane)) {
                send(core, lane);
                continue;
            }
            put_back(uplink, lane);
            untold = untold ? untold : lane;
        }
        if (untold && hg_uplink_is_ready(core, uplink))
            hg_idmp_tell(core, untold);
    }
    reap(core);
}

/* ---- its answer -------------------------------------------------------------------------------------------------- */

static bool has_word(struct hg_slice words, const char *word)
{
    return words.len > 0 && memmem(words.ptr, words.len, word, strlen(word));
}

bool hg_lane_may_pass(struct hg_slice words)
{
    static const char *const passing[] = {"LOADING",     "BUSY ",    "OOM ",       "READONLY",  "MISCONF",
                                          "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "NOREPLICAS"};
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
        if (has_word(words, passing[i]))
            return true;
    return false;
}

/* What a client is told of words that do not pass. */
static enum hg_error verdict_of(struct hg_core *core, struct hg_slice words)
{
    hg_buf_clear(&core->message);
    if (has_word(words, "WRONGTYPE")) {
        hg_buf_put_str(&core->message, "The key of this topic in Redis is not a stream.");
        return HG_ERR_BAD_REQUEST;
    }
    hg_buf_put_str(&core->message, "Redis refused: ");
    hg_buf_put(&core->message, words);
    return has_word(words, "NOPERM") ? HG_ERR_FORBIDDEN : HG_ERR_UNAVAILABLE;
}

void hg_lane_call_failed(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply)
{
    struct hg_uplink *uplink = lane->uplink;
    const struct hg_reply refusal = {.type = HG_REPLY_ERROR, .text = hg_slice_str(lane->refusal ? lane->refusal : "")};
    struct hg_slice words = hg_core_words(core, lane->refusal ? &refusal : reply);
    bool denied = hg_reply_is_error(reply, "NOPERM") && (has_word(words, "fcall") || has_word(words, "evalsha"));
    if (has_word(words, "NOSCRIPT") || has_word(words, "Function not found")) {
        hg_uplink_forgot(core, uplink, words);
    } else if (denied) {
        hg_uplink_denied(core, uplink);
    } else if (hg_lane_may_pass(words) || reply->type != HG_REPLY_ERROR) {
        hg_uplink_rest(core, uplink, words);
    } else {
        hg_uplink_trouble(core, uplink, words);
        hg_uplink_answered(core, uplink);
        enum hg_error error = verdict_of(core, words);
        char *kept = hg_core_copy(hg_buf_slice(&core->message)); /* rejecting makes use of the message */
        refuse_all(core, lane, error, hg_slice_str(kept));
        free(kept);
    }
    bool readonly = has_word(words, "READONLY");
    hg_lane_end_call(core, lane);
    if (readonly)
        hg_link_lost(core, uplink->link, HG_LIT("the server is a replica now"), true);
}

static void placed(struct hg_core *core, struct hg_lane *lane, struct hg_emit *emit, struct hg_cursor cursor,
                   bool duplicate)
{
    /* What stands there from an earlier try of this emit is not known from elsewhere. */
    if (!emit->placed || hg_stream_id_cmp(emit->cursor.id, cursor.id) != 0 ||
        emit->cursor.fingerprint != cursor.fingerprint)
        emit->duplicate = duplicate;
    emit->cursor = cursor;
    emit->placed = emit->confirmed = true;
    if (!lane->wait)
        hg_emit_acknowledge(core, emit, cursor, emit->duplicate,
                            lane->uplink->link == HG_LINK_COMMANDER ? HG_SLICE_NULL : HG_LIT("memory"));
}

bool hg_lane_settle(struct hg_core *core, struct hg_lane *lane, struct hg_emit *emit, struct hg_dedupe_answer answer)
{
    switch (answer.result) {
    case HG_DEDUPE_APPENDED:
        placed(core, lane, emit, (struct hg_cursor){answer.id, emit->fingerprint}, false);
        return true;
    case HG_DEDUPE_KNOWN:
        if (answer.digest == emit->digest)
            placed(core, lane, emit, (struct hg_cursor){answer.id, answer.fingerprint}, true);
        else
            hg_emit_reject(core, emit, HG_ERR_ID_CONFLICT, HG_SLICE_NULL);
        return true;
    case HG_DEDUPE_REFUSED: {
        struct hg_reply words = {.type = HG_REPLY_ERROR, .text = answer.words};
        struct hg_slice shown = hg_core_words(core, &words);
        if (hg_lane_may_pass(shown)) {
            hg_uplink_rest(core, lane->uplink, shown);
        } else {
            hg_uplink_trouble(core, lane->uplink, shown);
            hg_uplink_answered(core, lane->uplink);
            enum hg_error error = verdict_of(core, shown);
            char *kept = hg_core_copy(hg_buf_slice(&core->message));
            hg_emit_reject(core, emit, error, hg_slice_str(kept));
            free(kept);
        }
        return false;
    }
    case HG_DEDUPE_ODD:
        hg_uplink_rest(core, lane->uplink, HG_LIT("an answer of unexpected shape"));
        return false;
    }
    HG_UNREACHABLE();
}

static struct hg_dedupe_answer read_item(const struct hg_lane *lane, const struct hg_reply *item)
{
    if (!lane->in_transaction)
        return hg_dedupe_read(item);
    struct hg_dedupe_answer answer = {.result = HG_DEDUPE_ODD};
    if (item->type == HG_REPLY_ERROR) {
        answer.result = HG_DEDUPE_REFUSED;
        answer.words = item->text;
    } else if (item->type == HG_REPLY_STRING && hg_stream_id_parse(item->text, &answer.id)) {
        answer.result = HG_DEDUPE_APPENDED;
    }
    return answer;
}

void hg_lane_answered(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply)
{
    HG_ASSERT(lane->state == HG_LANE_CALLING);
    lane->call = NULL;
    if (!reply) {
        lane->look_at = (hg_time){0};
        hg_lane_end_call(core, lane);
        return;
    }
    if (reply->type != HG_REPLY_ARRAY || reply->count == 0 || reply->count > lane->item_count) {
        hg_lane_call_failed(core, lane, reply);
        return;
    }
    bool whole = true;
    for (size_t i = 0; i < reply->count && (whole || lane->in_transaction); i++) {
        struct hg_emit *emit = lane->items[i];
        struct hg_dedupe_answer answer = read_item(lane, &reply->items[i]);
        if (emit)
            whole = hg_lane_settle(core, lane, emit, answer) && whole;
        else
            whole = whole && answer.result != HG_DEDUPE_REFUSED;
    }
    if (whole)
        hg_uplink_success(core, lane->uplink);
    if (!lane->wait)
        hg_lane_end_call(core, lane);
}

static struct hg_durability reached_by(const struct hg_reply *reply)
{
    struct hg_durability reached = {.kind = HG_DURABILITY_MEMORY};
    if (HG_MUTANT(COPIES_UNPROVEN))
        return (struct hg_durability){HG_DURABILITY_FSYNC, 0};
    if (reply->type == HG_REPLY_INTEGER && reply->integer > 0 && reply->integer < UINT32_MAX)
        reached = (struct hg_durability){HG_DURABILITY_REPLICAS, (unsigned)reply->integer};
    else if (hg_reply_is_array(reply, 2) && reply->items[0].type == HG_REPLY_INTEGER && reply->items[0].integer > 0)
        reached.kind = HG_DURABILITY_FSYNC;
    return reached;
}

void hg_lane_queued(struct hg_lane *lane, const struct hg_reply *reply)
{
    if (reply && reply->type == HG_REPLY_ERROR && !lane->refusal)
        lane->refusal = hg_core_copy(reply->text);
}

void hg_lane_waited(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply)
{
    HG_ASSERT(lane->state == HG_LANE_CALLING && !lane->call);
    lane->wait = NULL;
    if (reply && reply->type == HG_REPLY_ERROR)
        hg_uplink_trouble(core, lane->uplink, hg_core_words(core, reply));
    if (reply) {
        hg_buf_clear(&core->key);
        hg_durability_put(reached_by(reply), &core->key);
        (void)hg_core_must(hg_buf_result(&core->key));
    }
    for (size_t i = 0; i < lane->item_count && reply; i++) {
        struct hg_emit *emit = lane->items[i];
        if (emit && emit->confirmed)
            hg_emit_acknowledge(core, emit, emit->cursor, emit->duplicate, hg_buf_slice(&core->key));
    }
    hg_lane_end_call(core, lane);
}

void hg_lanes_validate(const struct hg_core *core)
{
    size_t ready = 0;
    for (size_t i = 0; i < HG_DURABILITY__COUNT; i++) {
        hg_list_validate(&core->uplinks.items[i].ready);
        for (struct hg_list_node *n = core->uplinks.items[i].ready.first; n; n = n->next) {
            const struct hg_lane *lane = HG_CONTAINER(n, const struct hg_lane, in_state);
            HG_ASSERT(lane->state == HG_LANE_READY && lane->emits.count > 0 && !lane->call && !lane->wait);
            hg_list_validate(&lane->emits);
            ready++;
        }
    }
    HG_ASSERT(ready + core->emitter.empty.count <= core->emitter.lanes.count);
}
