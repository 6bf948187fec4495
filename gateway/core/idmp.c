#include "core/idmp.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"

#define TOLD_MAX    4096 /* streams of which it is remembered that they were told */
#define WATCHED_MAX 16   /* a stream that is never still for a moment is told without WATCH after so many times */

struct hg_told {
    struct hg_map_node by_stream;
    struct hg_list_node in_order;
    struct hg_slice current; /* the step's hash */
    uint64_t seconds;
    unsigned times; /* asked */
    char *refusal;  /* what a command before was answered */
    bool by_step;   /* its events go by the step of dedupe.h: */
    hg_time until;  /* then it is asked again, for what the step remembered may be gone */
    struct hg_slice stream;
    char text[];
};

static uint64_t seconds_of(const struct hg_core *core, const struct hg_lane *lane)
{
    return (hg_dedupe_remember_ms(core->config, lane->rule) + 999) / 1000;
}

static struct hg_told *find_stream(const struct hg_uplink *uplink, struct hg_slice stream)
{
    struct hg_map_node *node = hg_map_find(&uplink->told_streams, stream);
    return node ? HG_CONTAINER(node, struct hg_told, by_stream) : NULL;
}

static struct hg_told *find(const struct hg_core *core, const struct hg_lane *lane)
{
    struct hg_told *told = find_stream(lane->uplink, lane->stream);
    return told && (told->by_step || told->seconds >= seconds_of(core, lane)) ? told : NULL;
}

static void free_told(struct hg_told *told)
{
    if (told)
        free(told->refusal);
    free(told);
}

static void forget(struct hg_uplink *uplink, struct hg_told *told)
{
    if (!told)
        return;
    hg_map_remove(&uplink->told_streams, &told->by_stream);
    hg_list_remove(&uplink->told_order, &told->in_order);
    free_told(told);
}

bool hg_idmp_serves(struct hg_core *core, const struct hg_lane *lane)
{
    /* What a dead letter is remembered by is longer than an id may be; and the others have WAIT behind them, which
     * needs something written in any case. */
    struct hg_uplink *uplink = lane->uplink;
    if (!uplink->idmp || uplink->link != HG_LINK_COMMANDER || lane->kind != HG_LANE_EVENTS ||
        hg_dedupe_remember_ms(core->config, lane->rule) > HG_IDMP_WINDOW_MS_MAX)
        return false;
    struct hg_told *told = find(core, lane);
    if (!told || !told->by_step)
        return true;
    if (hg_time_reached(told->until, core->now)) {
        forget(uplink, told);
        return true;
    }
    if (told->until.us != HG_TIME_NEVER.us) /* the step remembers what goes now for as long */
        told->until = hg_time_add(core->now, hg_ms(hg_dedupe_remember_ms(core->config, lane->rule)));
    return false;
}

/* ---- how long a stream remembers --------------------------------------------------------------------------------- */

void hg_idmp_forget(struct hg_uplink *uplink)
{
    while (uplink->told_order.first)
        forget(uplink, HG_CONTAINER(uplink->told_order.first, struct hg_told, in_order));
    free_told(uplink->telling);
    uplink->telling = NULL;
}

static void ask(struct hg_core *core, struct hg_uplink *uplink)
{
    struct hg_told *told = uplink->telling;
    const struct hg_slice watch[] = {HG_LIT("WATCH"), told->stream};
    const struct hg_slice step[] = {HG_LIT("HMGET"), told->current, HG_LIT("")};
    const struct hg_slice info[] = {HG_LIT("XINFO"), HG_LIT("STREAM"), told->stream};
    if (told->times++ < WATCHED_MAX)
        hg_link_send(core, uplink->link, HG_REQUEST_IDMP_QUEUED, uplink, watch, 2);
    if (uplink->scripting != HG_SCRIPTING_DENIED)
        hg_link_send(core, uplink->link, HG_REQUEST_IDMP_STEP, uplink, step, 3);
    hg_link_send(core, uplink->link, HG_REQUEST_IDMP_INFO, uplink, info, 3);
}

bool hg_idmp_is_told(const struct hg_core *core, const struct hg_lane *lane)
{
    return find(core, lane) != NULL;
}

void hg_idmp_tell(struct hg_core *core, const struct hg_lane *lane)
{
    struct hg_uplink *uplink = lane->uplink;
    HG_ASSERT(!uplink->telling && !find(core, lane));
    struct hg_told *told = hg_core_alloc(sizeof(*told) + lane->stream.len + lane->current.len);
    told->stream = hg_slice(told->text, lane->stream.len);
    told->current = hg_slice(told->text + lane->stream.len, lane->current.len);
    memcpy(told->text, lane->stream.ptr, lane->stream.len);
    memcpy(told->text + lane->stream.len, lane->current.ptr, lane->current.len);
    told->seconds = seconds_of(core, lane);
    told->until = hg_time_add(core->now, hg_ms(hg_dedupe_remember_ms(core->config, lane->rule)));
    uplink->telling = told;
    ask(core, uplink);
}

static void finish(struct hg_uplink *uplink)
{
    struct hg_told *told = uplink->telling;
    uplink->telling = NULL;
    forget(uplink, find_stream(uplink, told->stream)); /* told for a shorter window */
    if (uplink->told_streams.count >= TOLD_MAX)
        forget(uplink, HG_CONTAINER(uplink->told_order.first, struct hg_told, in_order));
    (void)hg_core_must(hg_map_insert(&uplink->told_streams, &told->by_stream, told->stream));
    hg_list_push_back(&uplink->told_order, &told->in_order);
}

static bool contains(struct hg_slice text, const char *words)
{
    return text.len > 0 && memmem(text.ptr, text.len, words, strlen(words));
}

/* A command is not allowed, or not known. */
static bool is_of_command(struct hg_slice words)
{
    const struct hg_reply reply = {.type = HG_REPLY_ERROR, .text = words};
    return hg_reply_is_denial(&reply) && (contains(words, "to run") || contains(words, "unknown"));
}

static void stay_with_step(struct hg_core *core, struct hg_uplink *uplink, struct hg_told *told, struct hg_slice words)
{
    hg_uplink_not_by_idmp(core, uplink, words);
    told->by_step = true;
    told->until = HG_TIME_NEVER;
}

/* Redis refused what is needed. */
static void refused(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    struct hg_told *told = uplink->telling;
    const struct hg_reply before = {.type = HG_REPLY_ERROR, .text = hg_slice_str(told->refusal ? told->refusal : "")};
    struct hg_slice words = hg_core_words(core, told->refusal ? &before : reply);
    if (is_of_command(words)) {
        stay_with_step(core, uplink, told, words);
        finish(uplink);
    } else if (contains(words, "WRONGTYPE") || contains(words, "NOPERM")) {
        finish(uplink); /* a call will show what is wrong with the key */
    } else {
        bool readonly = contains(words, "READONLY");
        hg_uplink_rest(core, uplink, words);
        free_told(told);
        uplink->telling = NULL;
        if (readonly)
            hg_link_lost(core, uplink->link, HG_LIT("the server is a replica now"), true);
    }
}

static bool find_number(const struct hg_reply *map, const char *name, uint64_t *ret_number)
{
    if (map->type != HG_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i + 1 < map->count; i += 2)
        if (hg_reply_is(&map->items[i], name) && map->items[i + 1].type == HG_REPLY_INTEGER &&
            map->items[i + 1].integer >= 0) {
            *ret_number = (uint64_t)map->items[i + 1].integer;
            return true;
        }
    return false;
}

static void configure(struct hg_core *core, struct hg_uplink *uplink, uint64_t for_seconds, bool make)
{
    struct hg_slice stream = uplink->telling->stream;
    char seconds[24], ids[24];
    snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)for_seconds);
    snprintf(ids, sizeof(ids), "%d", HG_IDMP_IDS);
    const struct hg_slice multi = HG_LIT("MULTI"), exec = HG_LIT("EXEC");
    /* There is no other way to make a stream that is empty. */
    const struct hg_slice create[] = {HG_LIT("XGROUP"),   HG_LIT("CREATE"), stream,
                                      HG_LIT("headgate"), HG_LIT("$"),      HG_LIT("MKSTREAM")};
    const struct hg_slice destroy[] = {HG_LIT("XGROUP"), HG_LIT("DESTROY"), stream, HG_LIT("headgate")};
    const struct hg_slice set[] = {HG_LIT("XCFGSET"),       stream,
                                   HG_LIT("IDMP-DURATION"), hg_slice_str(seconds),
                                   HG_LIT("IDMP-MAXSIZE"),  hg_slice_str(ids)};
    hg_link_send(core, uplink->link, HG_REQUEST_IDMP_QUEUED, uplink, &multi, 1);
    if (make) {
        hg_link_send(core, uplink->link, HG_REQUEST_IDMP_QUEUED, uplink, create, 6);
        hg_link_send(core, uplink->link, HG_REQUEST_IDMP_QUEUED, uplink, destroy, 4);
    }
    hg_link_send(core, uplink->link, HG_REQUEST_IDMP_QUEUED, uplink, set, 6);
    hg_link_send(core, uplink->link, HG_REQUEST_IDMP_SET, uplink, &exec, 1);
}

static void unwatch(struct hg_core *core, const struct hg_uplink *uplink)
{
    const struct hg_slice words = HG_LIT("UNWATCH");
    hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, NULL, &words, 1);
}

/* Whether transactions are allowed is to be known before the first: what stands in one is done without MULTI, too. */
static void try_transaction(struct hg_core *core, struct hg_uplink *uplink)
{
    const struct hg_slice multi = HG_LIT("MULTI"), exec = HG_LIT("EXEC");
    unwatch(core, uplink);
    hg_link_send(core, uplink->link, HG_REQUEST_IDMP_QUEUED, uplink, &multi, 1);
    hg_link_send(core, uplink->link, HG_REQUEST_IDMP_SET, uplink, &exec, 1);
}

void hg_idmp_queued(struct hg_uplink *uplink, const struct hg_reply *reply)
{
    struct hg_told *told = uplink->telling;
    if (told && reply && reply->type == HG_REPLY_ERROR && !told->refusal)
        told->refusal = hg_core_copy(reply->text);
}

static bool is_time(const struct hg_reply *item)
{
    for (size_t i = 0; i < item->text.len; i++)
        if (item->text.ptr[i] < '0' || item->text.ptr[i] > '9')
            return false;
    return item->type == HG_REPLY_STRING && item->text.len > 0;
}

void hg_idmp_stepped(struct hg_uplink *uplink, const struct hg_reply *reply)
{
    struct hg_told *told = uplink->telling;
    if (!reply)
        return;
    const struct hg_reply *item = hg_reply_is_array(reply, 1) ? &reply->items[0] : reply;
    told->by_step = item != reply && is_time(item);
    /* Who may not ask for it could not take the step either. */
    bool nothing = hg_reply_is_denial(reply) || (item != reply && item->type == HG_REPLY_NIL);
    if (!told->by_step && !nothing && !told->refusal)
        told->refusal =
            hg_core_copy(reply->type == HG_REPLY_ERROR ? reply->text : HG_LIT("an answer of unexpected shape"));
}

/* A stream as a server tells of it that only looks new. */
static bool is_without_idmp(const struct hg_reply *map)
{
    uint64_t length;
    for (size_t i = 0; i < map->count; i++)
        if (hg_reply_is(&map->items[i], "idmp-duration") || hg_reply_is(&map->items[i], "idmp-maxsize"))
            return false;
    return find_number(map, "length", &length) && map->count % 2 == 0;
}

void hg_idmp_informed(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    uint64_t seconds, ids;
    if (!reply)
        return; /* with the link all this is forgotten */
    struct hg_told *told = uplink->telling;
    bool missing = reply->type == HG_REPLY_ERROR && contains(reply->text, "no such key");
    bool known = find_number(reply, "idmp-duration", &seconds) && find_number(reply, "idmp-maxsize", &ids);
    if (told->refusal || (!missing && !known && !is_without_idmp(reply))) {
        unwatch(core, uplink);
        refused(core, uplink, reply);
    } else if (!missing && !known) {
        unwatch(core, uplink);
        stay_with_step(core, uplink, told, HG_LIT("a stream that knows nothing of IDMP"));
        finish(uplink);
    } else if (told->by_step) {
        unwatch(core, uplink);
        finish(uplink);
    } else if (missing) {
        configure(core, uplink, told->seconds, true);
    } else if (seconds < told->seconds || ids < HG_IDMP_IDS) {
        configure(core, uplink, seconds > told->seconds ? seconds : told->seconds, false);
    } else {
        try_transaction(core, uplink);
    }
}

void hg_idmp_configured(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    if (!reply)
        return;
    if (reply->type == HG_REPLY_NIL) { /* something came in between: look again */
        ask(core, uplink);
        return;
    }
    bool well = reply->type == HG_REPLY_ARRAY;
    for (size_t i = 0; well && i < reply->count; i++)
        if (reply->items[i].type == HG_REPLY_ERROR) {
            reply = &reply->items[i];
            well = false;
        }
    if (well)
        finish(uplink);
    else
        refused(core, uplink, reply);
}

/* ---- a call ------------------------------------------------------------------------------------------------------ */

void hg_idmp_send(struct hg_core *core, struct hg_lane *lane)
{
    const struct hg_uplink *uplink = lane->uplink;
    const struct hg_slice multi = HG_LIT("MULTI"), exec = HG_LIT("EXEC");
    const struct hg_slice length[] = {HG_LIT("XLEN"), lane->stream};
    hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, lane, &multi, 1);
    hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, lane, length, 2);
    for (size_t i = 0; i < lane->item_count; i++) {
        struct hg_emit *emit = lane->items[i];
        struct hg_slice *words = hg_lane_words(core, 11 + (size_t)emit->more_count);
        struct hg_slice scope = emit->scope.len > 0 ? emit->scope : emit->id;
        char producer[32];
        size_t count = 0;
        /* The same id always goes to the same producer. */
        snprintf(producer, sizeof(producer), "headgate:%02x",
                 (unsigned)(hg_fingerprint(&scope, 1) % HG_IDMP_PRODUCERS));
        if (emit->tried && HG_MUTANT(NO_DEDUPE))
            snprintf(producer, sizeof(producer), "headgate:%llu", (unsigned long long)core->links.next_token);
        words[count++] = HG_LIT("XADD");
        words[count++] = lane->stream;
        words[count++] = HG_LIT("NOMKSTREAM");
        words[count++] = HG_LIT("IDMP");
        words[count++] = hg_slice_str(producer);
        words[count++] = scope;
        words[count++] = HG_LIT("*");
        words[count++] = hg_lane_field(lane);
        words[count++] = emit->event;
        words[count++] = HG_LIT("id");
        words[count++] = emit->id;
        for (size_t m = 0; m < emit->more_count; m++)
            words[count++] = emit->more[m];
        hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, lane, words, count);
        emit->tried = true;
    }
    hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, lane, length, 2);
    if (lane->rule->maxlen > 0) {
        char maxlen[24];
        snprintf(maxlen, sizeof(maxlen), "%llu", (unsigned long long)lane->rule->maxlen);
        const struct hg_slice trim[] = {HG_LIT("XTRIM"), lane->stream, HG_LIT("MAXLEN"), HG_LIT("~"),
                                        hg_slice_str(maxlen)};
        hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, lane, trim, 5);
    }
    core->stats.emits_by_idmp += lane->item_count;
    lane->call = hg_link_send(core, uplink->link, HG_REQUEST_IDMP_EVENTS, lane, &exec, 1);
}

static int by_id_descending(const void *a, const void *b)
{
    return hg_stream_id_cmp(*(const hg_stream_id *)b, *(const hg_stream_id *)a);
}

/* The least of the `growth` greatest ids that are all different; false: there are not so many. */
static bool find_least_new(const hg_stream_id *ids, size_t count, uint64_t growth, hg_stream_id *ret_least)
{
    hg_stream_id sorted[HG_LANE_CALL_EVENTS];
    memcpy(sorted, ids, count * sizeof(*ids));
    qsort(sorted, count, sizeof(*sorted), by_id_descending);
    *ret_least = HG_STREAM_ID_MAX;
    uint64_t found = 0;
    for (size_t i = 0; i < count && found < growth; i++)
        if (i == 0 || hg_stream_id_cmp(sorted[i], sorted[i - 1]) != 0) {
            *ret_least = sorted[i];
            found++;
        }
    return found == growth;
}

static bool was_before(const hg_stream_id *ids, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (hg_stream_id_cmp(ids[k], ids[i]) == 0)
            return true;
    return false;
}

static void compare(struct hg_core *core, struct hg_lane *lane, struct hg_emit *emit, hg_stream_id id)
{
    char text[HG_STREAM_ID_TEXT_MAX + 1];
    snprintf(text, sizeof(text), "%llu-%llu", (unsigned long long)id.ms, (unsigned long long)id.seq);
    const struct hg_slice range[] = {HG_LIT("XRANGE"), lane->stream, hg_slice_str(text), hg_slice_str(text)};
    size_t i = (size_t)(emit->slot - lane->items);
    emit->cursor = (struct hg_cursor){id, emit->fingerprint};
    lane->compared[i / 64] |= (uint64_t)1 << i % 64;
    lane->comparing++;
    hg_link_send(core, lane->uplink->link, HG_REQUEST_IDMP_ENTRY, lane, range, 4);
}

/* As many answers as there were commands, and a stream that did not shrink. */
static bool is_whole(const struct hg_lane *lane, const struct hg_reply *reply)
{
    size_t n = lane->item_count;
    return hg_reply_is_array(reply, n + 2 + (lane->rule->maxlen > 0)) && reply->items[0].type == HG_REPLY_INTEGER &&
           reply->items[n + 1].type == HG_REPLY_INTEGER && reply->items[0].integer >= 0 &&
           reply->items[n + 1].integer >= reply->items[0].integer;
}

/* The item that was not answered with an id. */
static void settle_odd(struct hg_core *core, struct hg_lane *lane, size_t i, const struct hg_reply *answer)
{
    struct hg_dedupe_answer odd = {.result = HG_DEDUPE_ODD};
    forget(lane->uplink, find(core, lane));
    if (answer->type == HG_REPLY_NIL)
        return; /* the stream is gone: it is told anew */
    if (answer->type == HG_REPLY_ERROR) {
        odd.result = HG_DEDUPE_REFUSED;
        odd.words = answer->text;
    }
    if (lane->items[i])
        (void)hg_lane_settle(core, lane, lane->items[i], odd);
}

void hg_idmp_answered(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply)
{
    HG_ASSERT(lane->state == HG_LANE_CALLING);
    lane->call = NULL;
    if (!reply) {
        hg_lane_end_call(core, lane);
        return;
    }
    if (lane->refusal && is_of_command(hg_slice_str(lane->refusal)) && hg_reply_is_error(reply, "EXECABORT") &&
        find(core, lane)) {
        stay_with_step(core, lane->uplink, find(core, lane), hg_slice_str(lane->refusal)); /* nothing of it was done */
        hg_lane_end_call(core, lane);
        return;
    }
    size_t n = lane->item_count;
    const struct hg_reply *items = reply->items;
    if (reply->type == HG_REPLY_ERROR) {
        hg_lane_call_failed(core, lane, reply);
        return;
    }
    if (!is_whole(lane, reply)) {
        forget(lane->uplink, find(core, lane));
        bool refused = reply->type == HG_REPLY_ARRAY && reply->count > 0 && items[0].type == HG_REPLY_ERROR;
        hg_lane_call_failed(core, lane, refused ? &items[0] : reply);
        return;
    }
    hg_stream_id ids[HG_LANE_CALL_EVENTS], least;
    uint64_t growth = (uint64_t)items[n + 1].integer - (uint64_t)items[0].integer;
    size_t whole = 0;
    while (whole < n && items[1 + whole].type == HG_REPLY_STRING &&
           hg_stream_id_parse(items[1 + whole].text, &ids[whole]))
        whole++;
    if (whole < n) {
        /* Nothing is taken as it came: the others go again, and are known then. */
        settle_odd(core, lane, whole, &items[1 + whole]);
        hg_lane_end_call(core, lane);
        return;
    }
    if (!find_least_new(ids, n, growth, &least)) {
        hg_lane_call_failed(core, lane, reply);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct hg_emit *emit = lane->items[i];
        if (!emit)
            continue;
        bool is_new = growth > 0 && hg_stream_id_cmp(ids[i], least) >= 0 && !was_before(ids, i);
        if (is_new)
            (void)hg_lane_settle(core, lane, emit, (struct hg_dedupe_answer){HG_DEDUPE_APPENDED, .id = ids[i]});
        else
            compare(core, lane, emit, ids[i]);
    }
    hg_uplink_success(core, lane->uplink);
    if (lane->comparing == 0)
        hg_lane_end_call(core, lane);
}

/* What is known of an emit whose id stands in the stream. False: it is to be asked again. */
static bool read_known(struct hg_core *core, const struct hg_emit *emit, const struct hg_reply *reply,
                       struct hg_dedupe_answer *ret_known)
{
    struct hg_dedupe_answer known = {HG_DEDUPE_KNOWN, emit->cursor.id, emit->fingerprint, emit->digest, HG_SLICE_NULL};
    struct hg_entry entry;
    if (reply->type == HG_REPLY_ARRAY && reply->count == 1 && hg_reply_entry(&reply->items[0], &entry)) {
        const struct hg_slice *fields = hg_core_fields(core, &entry);
        known.digest = hg_fingerprint(fields, entry.field_count < 4 ? entry.field_count : 4);
        known.fingerprint = hg_fingerprint(fields, entry.field_count);
    } else if (!hg_reply_is_array(reply, 0) && !hg_reply_is_denial(reply)) {
        return false;
    }
    /* One that was trimmed or deleted since, or that may not be read, is taken for the same. */
    *ret_known = known;
    return true;
}

void hg_idmp_compared(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply)
{
    if (lane->state != HG_LANE_CALLING || lane->comparing == 0)
        return; /* lost with the link, and told so already */
    if (!reply) {
        hg_lane_end_call(core, lane);
        return;
    }
    /* Answers come in the order of the items; one that was answered meanwhile still has its turn. */
    size_t i = 0;
    while (!(lane->compared[i / 64] >> i % 64 & 1))
        i++;
    lane->compared[i / 64] &= ~((uint64_t)1 << i % 64);
    lane->comparing--;
    struct hg_emit *emit = lane->items[i];
    struct hg_dedupe_answer known;
    if (emit && read_known(core, emit, reply, &known))
        (void)hg_lane_settle(core, lane, emit, known);
    else if (emit)
        hg_uplink_rest(core, lane->uplink, hg_core_words(core, reply));
    if (lane->comparing == 0)
        hg_lane_end_call(core, lane);
}
