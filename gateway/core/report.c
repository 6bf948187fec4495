#include "core/report.h"

#include "base/json.h"
#include "core/standing.h"
#include "core/state.h"
#include "event/envelope.h"
#include "wire/message.h"

static const struct hg_slice name = {"$system", 7};

bool hg_report_is_served(const struct hg_core *core, struct hg_slice pattern)
{
    return core->config->system_topic && hg_slice_eq(pattern, name);
}

static void put_place(struct hg_buf *buf, const char *member, struct hg_place place)
{
    hg_buf_printf(buf, ",\"%s\":\"", member);
    if (place.proven && place.id.ms > 0)
        hg_cursor_put(buf, (struct hg_cursor){place.id, place.fingerprint});
    else
        hg_stream_id_put(buf, place.id);
    hg_buf_put_char(buf, '"');
}

/* Up to where a subscription was fed. */
static hg_stream_id place_of_member(const struct hg_sub *sub, const struct hg_attachment *attachment)
{
    for (const struct hg_list_node *n = sub->replays.first; n; n = n->next) {
        const struct hg_replay *replay = HG_CONTAINER(n, const struct hg_replay, in_sub);
        if (replay->attachment == attachment)
            return replay->last > 0 ? replay->until : replay->from.id;
    }
    for (const struct hg_segment *segment = sub->next; segment;
         segment = segment->in_log.next ? HG_CONTAINER(segment->in_log.next, const struct hg_segment, in_log) : NULL)
        for (size_t i = 0; i < segment->span_count; i++)
            if (segment->spans[i].attachment == attachment)
                return segment->spans[i].first;
    return attachment->source->last.id;
}

struct lag {
    uint64_t subscribers;
    hg_stream_id slowest;
};

static struct lag lag_of(const struct hg_source *source)
{
    struct lag lag = {0, source->last.id};
    for (const struct hg_list_node *a = source->attachments.first; a; a = a->next) {
        const struct hg_attachment *attachment = HG_CONTAINER(a, const struct hg_attachment, in_source);
        for (const struct hg_list_node *g = attachment->interest->groups.first; g; g = g->next) {
            const struct hg_group *group = HG_CONTAINER(g, const struct hg_group, in_interest);
            lag.subscribers += group->member_count;
            for (size_t i = 0; i < group->member_count; i++) {
                hg_stream_id place = place_of_member(group->members[i], attachment);
                if (hg_stream_id_cmp(place, lag.slowest) < 0)
                    lag.slowest = place;
            }
        }
    }
    return lag;
}

static uint64_t entries_behind(const struct hg_source *source, hg_stream_id place)
{
    uint64_t count = 0;
    for (const struct hg_list_node *n = source->history.pages.last; n; n = n->prev) {
        const struct hg_page *page = HG_CONTAINER(n, const struct hg_page, in_history);
        size_t index = hg_page_seek(page, place);
        bool there = index < page->count && hg_stream_id_cmp(page->entries[index].id, place) == 0;
        count += page->count - index - there;
        if (index > 0 || there)
            break;
    }
    return count;
}

static void tell(struct hg_core *core, struct hg_interest *interest, struct hg_buf *text)
{
    (void)hg_core_must(hg_buf_result(text));
    hg_buf_clear(&core->member);
    hg_envelope_put_payload(&core->member, hg_buf_slice(text));
    hg_buf_clear(&core->tail);
    hg_message_event_tail(&core->tail, name, NULL, hg_buf_slice(&core->member));
    (void)hg_core_must(hg_buf_result(&core->tail));
    struct hg_happening happening = {
        .topic = name, .json = hg_core_json(core), .tail = hg_buf_slice(&core->tail), .fits = true};
    struct hg_attachment attachment = {.interest = interest};
    hg_interest_offer(core, &attachment, &happening);
}

static struct hg_standing standing_of(const struct hg_source *source)
{
    struct lag lag = lag_of(source);
    const struct hg_page *first = hg_history_run(&source->history);
    struct hg_place oldest = source->last;
    if (first && first->before.proven)
        oldest = first->before;
    else if (first && first->count > 0)
        oldest = (struct hg_place){first->entries[0].id, first->entries[0].fingerprint, true};
    return (struct hg_standing){
        .oldest = oldest,
        .newest = source->last,
        .slowest = lag.slowest,
        .history_bytes = source->history.bytes,
        .subscribers = lag.subscribers,
        .events_behind = entries_behind(source, lag.slowest),
    };
}

static void report(struct hg_core *core, struct hg_interest *interest, struct hg_slice topic,
                   const struct hg_standing *standing)
{
    struct hg_buf *text = &core->text;
    hg_buf_clear(text);
    hg_buf_put_str(text, "{\"eventType\":\"TopicReport\",\"topic\":");
    hg_json_put_string(text, topic);
    put_place(text, "oldest", standing->oldest);
    put_place(text, "newest", standing->newest);
    hg_buf_printf(text, ",\"historyBytes\":%llu,\"subscribers\":%llu,\"lagMs\":%llu,\"lagEvents\":%llu}",
                  (unsigned long long)standing->history_bytes, (unsigned long long)standing->subscribers,
                  (unsigned long long)(standing->newest.id.ms - standing->slowest.ms),
                  (unsigned long long)standing->events_behind);
    tell(core, interest, text);
}

static void report_emits(struct hg_core *core, struct hg_interest *interest)
{
    struct hg_core_stats stats;
    hg_core_stats(core, &stats);
    if (core->ports.add_others)
        core->ports.add_others(core->ports.context, &stats);
    struct hg_buf *text = &core->text;
    const char *separator = "";
    hg_buf_clear(text);
    hg_buf_put_str(text, "{\"eventType\":\"EmitReport\",\"links\":[");
    for (size_t i = 0; i < HG_DURABILITY__COUNT; i++) {
        const struct hg_uplink *uplink = &core->uplinks.items[i];
        if (!uplink->used)
            continue;
        hg_buf_printf(text, "%s{\"link\":\"%s\",\"server\":", separator, hg_link_name(uplink->link));
        hg_json_put_string(text, hg_slice_str(uplink->server));
        hg_buf_printf(text, ",\"dedupe\":\"%s\",\"breaker\":\"%s\"}", hg_uplink_way(uplink),
                      hg_breaker_state_name(uplink->breaker.state));
        separator = ",";
    }
    hg_buf_printf(text,
                  "],\"pending\":%llu,\"pendingBytes\":%llu,\"accepted\":%llu,\"appended\":%llu,\"duplicates\":%llu,"
                  "\"refused\":%llu,\"deadLetters\":%llu}",
                  (unsigned long long)stats.emits_pending, (unsigned long long)stats.emits_bytes,
                  (unsigned long long)stats.emits, (unsigned long long)stats.emits_appended,
                  (unsigned long long)stats.emits_duplicate, (unsigned long long)stats.emits_failed,
                  (unsigned long long)stats.dead_letters);
    tell(core, interest, text);
}

static void report_load(struct hg_core *core, struct hg_interest *interest)
{
    const struct hg_admission *admission = &core->overload.admission;
    struct hg_core_stats stats;
    hg_core_stats(core, &stats);
    uint64_t bytes = stats.bytes_held; /* of this core, as its ceiling is */
    if (core->ports.add_others)
        core->ports.add_others(core->ports.context, &stats);
    static const struct {
        enum hg_strain strain;
        const char *name;
    } strains[] = {{HG_STRAIN_TURNS, "turns"}, {HG_STRAIN_MEMORY, "memory"}, {HG_STRAIN_DESCRIPTORS, "descriptors"}};
    struct hg_buf *text = &core->text;
    const char *separator = "";
    hg_buf_clear(text);
    hg_buf_printf(text, "{\"eventType\":\"LoadReport\",\"state\":\"%s\",\"strains\":[",
                  hg_admission_state_name(hg_admission_state(admission)));
    for (size_t i = 0; i < sizeof(strains) / sizeof(strains[0]); i++)
        if (admission->strains & strains[i].strain) {
            hg_buf_printf(text, "%s\"%s\"", separator, strains[i].name);
            separator = ",";
        }
    hg_buf_printf(text,
                  "],\"turnUs\":%llu,\"bytes\":%llu,\"bytesMax\":%llu,\"descriptorsLeft\":%llu,\"clients\":%llu,"
                  "\"clientsRefused\":%llu,\"replaysRefused\":%llu,\"laggardsClosed\":%llu,\"sheddings\":%llu}",
                  (unsigned long long)admission->turn.us, (unsigned long long)bytes,
                  (unsigned long long)admission->bytes_max, (unsigned long long)core->overload.descriptors_left,
                  (unsigned long long)stats.sessions, (unsigned long long)stats.sessions_refused,
                  (unsigned long long)stats.replays_refused, (unsigned long long)stats.laggards_closed,
                  (unsigned long long)stats.sheddings);
    tell(core, interest, text);
}

uint64_t hg_reports_subscribers(const struct hg_core *core)
{
    return core->reports.interest ? core->reports.interest->member_count : 0;
}

static bool is_alone(const struct hg_core *core)
{
    return !core->ports.next_standing;
}

static bool others_listen(const struct hg_core *core)
{
    struct hg_core_stats stats = {0};
    if (!is_alone(core))
        core->ports.add_others(core->ports.context, &stats);
    return stats.system_subscribers > 0;
}

/* How the streams stand that this core follows, some in each turn: told at once when it is alone, else to all cores. */
static void tell_own(struct hg_core *core)
{
    struct hg_list *streams = &core->sources.all[HG_SOURCE_TYPE_STREAM];
    /* Until they come round again, and the next round is late. */
    uint64_t rounds = 2 + streams->count / HG_REPORTS_AT_ONCE;
    hg_time until = hg_time_add(core->now, hg_ms((rounds + 1) * core->config->system_ms));
    size_t count = streams->count < HG_REPORTS_AT_ONCE ? streams->count : HG_REPORTS_AT_ONCE;
    for (; count > 0; count--) {
        struct hg_list_node *node = hg_list_pop_front(streams);
        hg_list_push_back(streams, node);
        const struct hg_source *source = HG_CONTAINER(node, struct hg_source, in_all);
        struct hg_standing standing = standing_of(source);
        if (is_alone(core))
            report(core, core->reports.interest, source->topic, &standing);
        else
            core->ports.put_standing(core->ports.context, source->topic, &standing, until);
    }
}

/* Of all cores together, some in each turn. */
static void report_all(struct hg_core *core)
{
    struct hg_reports *reports = &core->reports;
    struct hg_standing standing;
    for (size_t count = HG_REPORTS_AT_ONCE; count > 0; count--) {
        if (!core->ports.next_standing(core->ports.context, &reports->next, &core->key, &standing)) {
            reports->next = 0;
            return;
        }
        (void)hg_core_must(hg_buf_result(&core->key));
        report(core, reports->interest, hg_buf_slice(&core->key), &standing);
    }
}

void hg_reports_tick(struct hg_core *core)
{
    struct hg_reports *reports = &core->reports;
    bool listened = hg_reports_subscribers(core) > 0;
    if (hg_time_before(core->now, hg_reports_deadline(core)))
        return;
    reports->next_at = hg_time_add(core->now, hg_ms(core->config->system_ms));
    if (!listened && !others_listen(core))
        return;
    if (listened) {
        report_load(core, reports->interest);
        report_emits(core, reports->interest);
    }
    tell_own(core);
    if (listened && !is_alone(core))
        report_all(core);
}

/* A core that is not alone looks whether others have somebody who listens. */
hg_time hg_reports_deadline(const struct hg_core *core)
{
    bool looks = hg_reports_subscribers(core) > 0 || (core->config->system_topic && !is_alone(core));
    return looks ? core->reports.next_at : HG_TIME_NEVER;
}
