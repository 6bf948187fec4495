#include "core/idmp.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"

#define TOLD_MAX 4096 /* streams of which it is remembered that they were told */

struct told {
    struct hg_map_node by_stream;
    char stream[];
};

static uint64_t seconds_of(const struct hg_lane *lane)
{
    return (lane->rule->dedupe_window_ms + 999) / 1000;
}

bool hg_idmp_serves(const struct hg_lane *lane)
{
    /* What a dead letter is remembered by is longer than an id may be; and the others have WAIT behind them, which
     * needs something written in any case. */
    return lane->uplink->idmp && lane->uplink->link == HG_LINK_COMMANDER && lane->kind == HG_LANE_EVENTS &&
           lane->rule->dedupe_window_ms <= HG_IDMP_WINDOW_MS_MAX;
}

/* ---- how long a stream remembers --------------------------------------------------------------------------------- */

void hg_idmp_forget(struct hg_uplink *uplink)
{
    struct hg_map_node *node;
    while ((node = hg_map_any(&uplink->told_streams))) {
        hg_map_remove(&uplink->told_streams, node);
        free(HG_CONTAINER(node, struct told, by_stream));
    }
    free(uplink->telling);
    free(uplink->told_last);
    uplink->telling = uplink->told_last = NULL;
}

static void ask(struct hg_core *core, struct hg_uplink *uplink)
{
    struct hg_slice stream = hg_slice_str(uplink->telling);
    const struct hg_slice watch[] = {HG_LIT("WATCH"), stream};
    const struct hg_slice info[] = {HG_LIT("XINFO"), HG_LIT("STREAM"), stream};
    hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, NULL, watch, 2);
    hg_link_send(core, uplink->link, HG_REQUEST_IDMP_INFO, uplink, info, 3);
}

static void begin_telling(struct hg_core *core, const struct hg_lane *lane)
{
    struct hg_uplink *uplink = lane->uplink;
    HG_ASSERT(!uplink->telling);
    uplink->telling = hg_core_copy(lane->stream);
    uplink->telling_seconds = seconds_of(lane);
    ask(core, uplink);
}

static void told(struct hg_uplink *uplink)
{
    struct hg_slice stream = hg_slice_str(uplink->telling);
    if (uplink->told_streams.count < TOLD_MAX && !hg_map_find(&uplink->told_streams, stream)) {
        struct told *told = hg_core_alloc(sizeof(*told) + stream.len);
        memcpy(told->stream, stream.ptr, stream.len);
        (void)hg_core_must(hg_map_insert(&uplink->told_streams, &told->by_stream, hg_slice(told->stream, stream.len)));
    }
    /* Past TOLD_MAX the one that was told last is remembered, so that its next call goes out. */
    free(uplink->told_last);
    uplink->told_last = uplink->telling;
    uplink->telling = NULL;
}

/* False: it is to be asked again later, or a call will show what is wrong. */
static bool is_final(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    if (reply->type != HG_REPLY_ERROR)
        return true;
    if (hg_lane_may_pass(reply->text)) {
        hg_uplink_rest(core, uplink, hg_core_words(core, reply));
        free(uplink->telling);
        uplink->telling = NULL;
        return false;
    }
    if (hg_reply_is_error(reply, "WRONGTYPE")) {
        told(uplink);
        return false;
    }
    return true;
}

/* This server cannot after all; its lanes go another way. */
static void give_up(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    hg_uplink_trouble(core, uplink, hg_core_words(core, reply));
    uplink->idmp = false;
    free(uplink->telling);
    uplink->telling = NULL;
}

static bool find_number(const struct hg_reply *map, const char *name, uint64_t *ret_number)
{
    for (size_t i = 0; i + 1 < map->count; i += 2)
        if (hg_reply_is(&map->items[i], name) && map->items[i + 1].type == HG_REPLY_INTEGER &&
            map->items[i + 1].integer >= 0) {
            *ret_number = (uint64_t)map->items[i + 1].integer;
            return true;
        }
    return false;
}

static void configure(struct hg_core *core, struct hg_uplink *uplink, bool make)
{
    struct hg_slice stream = hg_slice_str(uplink->telling);
    char seconds[24], ids[24];
    snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)uplink->telling_seconds);
    snprintf(ids, sizeof(ids), "%d", HG_IDMP_IDS);
    const struct hg_slice multi = HG_LIT("MULTI"), exec = HG_LIT("EXEC");
    /* There is no other way to make a stream that is empty. */
    const struct hg_slice create[] = {HG_LIT("XGROUP"),   HG_LIT("CREATE"), stream,
                                      HG_LIT("headgate"), HG_LIT("$"),      HG_LIT("MKSTREAM")};
    const struct hg_slice destroy[] = {HG_LIT("XGROUP"), HG_LIT("DESTROY"), stream, HG_LIT("headgate")};
    const struct hg_slice set[] = {HG_LIT("XCFGSET"),       stream,
                                   HG_LIT("IDMP-DURATION"), hg_slice_str(seconds),
                                   HG_LIT("IDMP-MAXSIZE"),  hg_slice_str(ids)};
    hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, NULL, &multi, 1);
    if (make) {
        hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, NULL, create, 6);
        hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, NULL, destroy, 4);
    }
    hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, NULL, set, 6);
    hg_link_send(core, uplink->link, HG_REQUEST_IDMP_SET, uplink, &exec, 1);
}

void hg_idmp_informed(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    uint64_t seconds, ids;
    if (!reply)
        return; /* with the link all this is forgotten */
    if (reply->type == HG_REPLY_ERROR && memmem(reply->text.ptr, reply->text.len, "no such key", 11)) {
        configure(core, uplink, true);
        return;
    }
    bool known = reply->type == HG_REPLY_ARRAY && find_number(reply, "idmp-duration", &seconds) &&
                 find_number(reply, "idmp-maxsize", &ids);
    if (known && (seconds < uplink->telling_seconds || ids < HG_IDMP_IDS)) {
        configure(core, uplink, false);
        return;
    }
    const struct hg_slice unwatch = HG_LIT("UNWATCH");
    hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, NULL, &unwatch, 1);
    if (known)
        told(uplink);
    else if (is_final(core, uplink, reply))
        give_up(core, uplink, reply);
}

void hg_idmp_configured(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    if (!reply)
        return;
    if (reply->type == HG_REPLY_NIL) { /* something came in between: look again */
        ask(core, uplink);
        return;
    }
    bool well = reply->type == HG_REPLY_ARRAY && reply->count > 0;
    for (size_t i = 0; well && i < reply->count; i++)
        if (reply->items[i].type == HG_REPLY_ERROR) {
            reply = &reply->items[i];
            well = false;
        }
    if (well)
        told(uplink);
    else if (is_final(core, uplink, reply))
        give_up(core, uplink, reply);
}

/* ---- a call ------------------------------------------------------------------------------------------------------ */

static bool is_told(const struct hg_uplink *uplink, struct hg_slice stream)
{
    return hg_map_find(&uplink->told_streams, stream) || (uplink->told_last && hg_slice_is(stream, uplink->told_last));
}

void hg_idmp_send(struct hg_core *core, struct hg_lane *lane)
{
    struct hg_uplink *uplink = lane->uplink;
    if (!is_told(uplink, lane->stream)) {
        begin_telling(core, lane);
        hg_lane_end_call(core, lane);
        return;
    }
    const struct hg_slice multi = HG_LIT("MULTI"), exec = HG_LIT("EXEC");
    const struct hg_slice length[] = {HG_LIT("XLEN"), lane->stream};
    hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, lane, &multi, 1);
    hg_link_send(core, uplink->link, HG_REQUEST_QUEUED, lane, length, 2);
    for (size_t i = 0; i < lane->item_count; i++) {
        struct hg_emit *emit = lane->items[i];
        struct hg_slice *words = hg_lane_words(core, 10 + (size_t)emit->more_count);
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

void hg_idmp_answered(struct hg_core *core, struct hg_lane *lane, const struct hg_reply *reply)
{
    HG_ASSERT(lane->state == HG_LANE_CALLING);
    lane->call = NULL;
    if (!reply) {
        hg_lane_end_call(core, lane);
        return;
    }
    size_t n = lane->item_count;
    const struct hg_reply *items = reply->items;
    if (reply->type == HG_REPLY_ARRAY && reply->count > 0 && items[0].type == HG_REPLY_ERROR) {
        hg_lane_call_failed(core, lane, &items[0]);
        return;
    }
    if (reply->type != HG_REPLY_ARRAY || reply->count != n + 2 + (lane->rule->maxlen > 0) ||
        items[0].type != HG_REPLY_INTEGER || items[n + 1].type != HG_REPLY_INTEGER ||
        items[n + 1].integer < items[0].integer) {
        hg_lane_call_failed(core, lane, reply);
        return;
    }
    hg_stream_id ids[HG_LANE_CALL_EVENTS], least;
    size_t count = 0, whole = 0;
    for (size_t i = 0; i < n; i++)
        if (items[1 + i].type == HG_REPLY_STRING && hg_stream_id_parse(items[1 + i].text, &ids[i]) && whole == i) {
            whole++;
            count++;
        }
    /* Behind one that was refused nothing is taken as it came: the others go again, and are known then. */
    uint64_t growth = (uint64_t)(items[n + 1].integer - items[0].integer);
    if (whole < n ? growth > n : !find_least_new(ids, count, growth, &least)) {
        hg_lane_call_failed(core, lane, reply);
        return;
    }
    if (whole < n) {
        struct hg_dedupe_answer refused = {.result = HG_DEDUPE_ODD};
        if (items[1 + whole].type == HG_REPLY_ERROR) {
            refused.result = HG_DEDUPE_REFUSED;
            refused.words = items[1 + whole].text;
        }
        if (lane->items[whole])
            (void)hg_lane_settle(core, lane, lane->items[whole], refused);
        hg_lane_end_call(core, lane);
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

static struct hg_slice value_of(const struct hg_entry *entry, struct hg_slice name)
{
    for (size_t i = 0; i < entry->field_count; i += 2)
        if (hg_slice_eq(entry->fields[i].text, name))
            return entry->fields[i + 1].text;
    return HG_SLICE_NULL;
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
    if (emit) {
        struct hg_dedupe_answer known = {HG_DEDUPE_KNOWN, emit->cursor.id, emit->fingerprint, emit->digest,
                                         HG_SLICE_NULL};
        struct hg_entry entry;
        /* One that was trimmed or deleted since is taken for the same. */
        if (reply->type == HG_REPLY_ARRAY && reply->count > 0 && hg_reply_entry(&reply->items[0], &entry)) {
            struct hg_slice fields[] = {hg_lane_field(lane), value_of(&entry, hg_lane_field(lane)), HG_LIT("id"),
                                        value_of(&entry, HG_LIT("id"))};
            known.digest = hg_fingerprint(fields, 4);
            known.fingerprint = hg_fingerprint(hg_core_fields(core, &entry), entry.field_count);
        }
        (void)hg_lane_settle(core, lane, emit, known);
    }
    if (lane->comparing == 0)
        hg_lane_end_call(core, lane);
}
