#include "core/history.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"

#define PAGE_BYTES     65536u      /* the newest page is closed when one more tail would pass this */
#define PAGE_BYTES_MAX (64u << 20) /* a page that was read ends here */

void hg_history_init(struct hg_history *history, struct hg_source *source)
{
    *history = (struct hg_history){.source = source};
}

enum hg_gap hg_gap_of(enum hg_continuity kind)
{
    static const enum hg_gap gaps[] = {[HG_CONTINUITY_TRIMMED] = HG_GAP_TRIMMED,
                                       [HG_CONTINUITY_DELETED] = HG_GAP_DELETED,
                                       [HG_CONTINUITY_ROLLED_BACK] = HG_GAP_ROLLED_BACK,
                                       [HG_CONTINUITY_GONE] = HG_GAP_GONE};
    HG_ASSERT(kind != HG_CONTINUITY_WHOLE);
    return gaps[kind];
}

/* ---- pages ------------------------------------------------------------------------------------------------------- */

static struct hg_page *page_of(struct hg_list_node *node)
{
    return node ? HG_CONTAINER(node, struct hg_page, in_history) : NULL;
}

static struct hg_page *first_page(const struct hg_history *history)
{
    return page_of(history->pages.first);
}

static struct hg_page *last_page(const struct hg_history *history)
{
    return page_of(history->pages.last);
}

static void weigh(struct hg_core *core, struct hg_page *page)
{
    (void)hg_core_must(hg_buf_result(&page->tails));
    size_t held = sizeof(*page) + page->tails.capacity + page->capacity * sizeof(*page->entries);
    for (unsigned i = 0; page->sieves && i < HG_PAGE_SIEVES; i++)
        held += sizeof(*page->sieves) + page->sieves[i].capacity;
    page->history->bytes += held - page->held;
    core->stats.history_bytes += held - page->held;
    page->held = held;
    if (page->history->bytes > core->config->history_bytes_max && !page->history->full.owner)
        hg_list_push_back(&core->histories.full, &page->history->full);
}

static struct hg_page *new_page(struct hg_core *core, struct hg_history *history, hg_stream_id from)
{
    struct hg_page *page = hg_core_alloc(sizeof(*page));
    page->history = history;
    page->from = page->to = from;
    page->made_at = core->now;
    hg_buf_init(&page->tails, UINT32_MAX);
    hg_list_push_back(&core->histories.by_age, &page->in_age);
    return page;
}

static void free_page(struct hg_core *core, struct hg_page *page)
{
    page->history->bytes -= page->held;
    core->stats.history_bytes -= page->held;
    hg_list_unlink(&page->in_history);
    hg_list_remove(&core->histories.by_age, &page->in_age);
    hg_buf_done(&page->tails);
    for (unsigned i = 0; page->sieves && i < HG_PAGE_SIEVES; i++)
        free(page->sieves[i].known);
    free(page->sieves);
    free(page->entries);
    free(page);
}

void hg_history_clear(struct hg_core *core, struct hg_history *history)
{
    while (history->pages.first)
        free_page(core, first_page(history));
}

void hg_history_cut(struct hg_core *core, struct hg_history *history, hg_stream_id place)
{
    struct hg_page *page;
    while ((page = last_page(history)) && hg_stream_id_cmp(page->from, place) > 0)
        free_page(core, page);
    hg_stream_id behind;
    if (!page || hg_stream_id_cmp(page->to, place) <= 0 || !hg_stream_id_next(place, &behind))
        return;
    page->count = hg_page_seek(page, behind);
    page->tails.len = page->count > 0 ? page->entries[page->count - 1].end : 0;
    page->to = place;
}

/* In its place by id: nearly always at one of the ends. */
static void place_page(struct hg_history *history, struct hg_page *page)
{
    struct hg_list later = {0};
    while (history->pages.last && hg_stream_id_cmp(last_page(history)->from, page->from) > 0) {
        struct hg_list_node *node = history->pages.last;
        hg_list_remove(&history->pages, node);
        hg_list_push_front(&later, node);
    }
    hg_list_push_back(&history->pages, &page->in_history);
    struct hg_list_node *node;
    while ((node = hg_list_pop_front(&later)))
        hg_list_push_back(&history->pages, node);
}

static void put_entry(struct hg_core *core, struct hg_page *page, const struct hg_entry *entry)
{
    const struct hg_source *source = page->history->source;
    const struct hg_attachment *first = HG_CONTAINER(source->attachments.first, struct hg_attachment, in_source);
    struct hg_past past = {.id = entry->id, .except = hg_echo_of_entry(core, entry)};
    struct hg_slice json = HG_SLICE_NULL, tail = HG_SLICE_NULL;
    past.fits = hg_source_put_entry(core, first->rule, source->topic, entry, &past.fingerprint, &json, &tail);
    if (past.fits) {
        hg_buf_put(&page->tails, tail);
        past.json = (uint32_t)json.len;
    } else if (json.len > 0 && json.len < PAGE_BYTES_MAX) {
        /* Of one too large only what filters want to know is kept. */
        hg_buf_put(&page->tails, json);
        hg_buf_put_char(&page->tails, '\n');
        past.json = (uint32_t)json.len;
    }
    past.end = (uint32_t)page->tails.len;
    if (page->count == page->capacity) {
        size_t capacity = page->capacity ? page->capacity * 2 : 4;
        struct hg_past *entries = realloc(page->entries, capacity * sizeof(*entries));
        HG_ASSERT(entries);
        page->entries = entries;
        page->capacity = capacity;
    }
    page->entries[page->count++] = past;
    page->to = entry->id;
    weigh(core, page);
}

void hg_history_append(struct hg_core *core, struct hg_history *history, struct hg_place before,
                       const struct hg_entry *entry)
{
    /* A stream that is read whole may have been replayed ahead of its reader. */
    while (last_page(history) && hg_stream_id_cmp(last_page(history)->to, before.id) > 0)
        free_page(core, last_page(history));
    struct hg_page *page = last_page(history);
    bool goes_on = page && hg_stream_id_cmp(page->to, before.id) == 0;
    if (!goes_on || page->tails.len + core->tail.len > PAGE_BYTES) {
        hg_stream_id from;
        HG_ASSERT(hg_stream_id_next(before.id, &from));
        page = new_page(core, history, from);
        page->before = before;
        hg_list_push_back(&history->pages, &page->in_history);
    }
    put_entry(core, page, entry);
}

/* What was read begins behind an entry that is known, and that is not there any more: it was trimmed, and so may others
 * behind it have been before they were read. */
static bool is_torn(const struct hg_history *history, hg_stream_id from, const struct hg_reply *entries, size_t count)
{
    struct hg_entry first;
    if (hg_stream_id_cmp(from, HG_STREAM_ID_ZERO) == 0 ||
        hg_history_knows(history, (struct hg_place){.id = from}) != HG_KNOWN_THERE)
        return false;
    return count == 0 || (hg_reply_entry(&entries[0], &first) && hg_stream_id_cmp(first.id, from) != 0);
}

bool hg_history_insert(struct hg_core *core, struct hg_history *history, hg_stream_id from, hg_stream_id to,
                       const struct hg_reply *entries, size_t count, ptrdiff_t step)
{
    const struct hg_verdict trimmed = {HG_CONTINUITY_TRIMMED, 0};
    hg_stream_id place = from;
    bool torn = is_torn(history, from, entries, count) && !HG_MUTANT(TORN_UNSEEN);
    for (const struct hg_page *known = hg_history_page(history, from); known; known = hg_page_after(known))
        if (!hg_stream_id_next(known->to, &from))
            return true;
    if (hg_stream_id_cmp(from, to) > 0)
        return true;
    struct hg_page *page = new_page(core, history, from);
    place_page(history, page);
    const struct hg_page *next = page_of(page->in_history.next);
    if (next && hg_stream_id_cmp(to, next->from) >= 0)
        HG_ASSERT(hg_stream_id_prev(next->from, &to));
    bool well_formed = true;
    size_t i = 0;
    for (; i < count && page->tails.len < PAGE_BYTES_MAX; i++) {
        struct hg_entry entry;
        if (!hg_reply_entry(&entries[(ptrdiff_t)i * step], &entry)) {
            well_formed = false;
            break;
        }
        if (hg_stream_id_cmp(entry.id, to) > 0) {
            i = count;
            break;
        }
        hg_stream_id least = page->count > 0 ? page->to : HG_STREAM_ID_ZERO;
        if (HG_MUTANT(HOLE_IN_HISTORY))
            continue;
        if (hg_stream_id_cmp(entry.id, from) >= 0 && (page->count == 0 || hg_stream_id_cmp(entry.id, least) > 0))
            put_entry(core, page, &entry);
    }
    if (i == count)
        page->to = to;
    else if (page->count == 0) {
        free_page(core, page);
        return well_formed;
    }
    weigh(core, page);
    if (torn)
        hg_history_note_hole(history, place, trimmed);
    return well_formed;
}

/* ---- looking up -------------------------------------------------------------------------------------------------- */

struct hg_page *hg_history_page(const struct hg_history *history, hg_stream_id id)
{
    for (struct hg_page *page = last_page(history); page; page = page_of(page->in_history.prev))
        if (hg_stream_id_cmp(page->from, id) <= 0)
            return hg_stream_id_cmp(id, page->to) <= 0 ? page : NULL;
    return NULL;
}

struct hg_past *hg_history_behind(const struct hg_history *history, hg_stream_id place)
{
    for (struct hg_page *page = first_page(history); page; page = page_of(page->in_history.next)) {
        size_t index = hg_page_seek(page, place);
        if (index < page->count && hg_stream_id_cmp(page->entries[index].id, place) == 0)
            index++;
        if (index < page->count)
            return &page->entries[index];
    }
    return NULL;
}

void hg_history_note_hole(struct hg_history *history, hg_stream_id place, struct hg_verdict verdict)
{
    struct hg_past *next = hg_history_behind(history, place);
    struct hg_verdict before = history->source->hole;
    if (next)
        before = (struct hg_verdict){(enum hg_continuity)next->hole, next->missed};
    if (before.kind != HG_CONTINUITY_WHOLE)
        verdict.missed = before.missed > 0 && verdict.missed > 0 ? before.missed + verdict.missed : 0;
    if (!next) {
        history->source->hole = verdict;
        return;
    }
    next->hole = (uint8_t)verdict.kind;
    next->missed = verdict.missed < UINT32_MAX ? (uint32_t)verdict.missed : 0;
}

struct hg_page *hg_page_after(const struct hg_page *page)
{
    struct hg_page *next = page_of(page->in_history.next);
    hg_stream_id from;
    bool goes_on = next && hg_stream_id_next(page->to, &from) && hg_stream_id_cmp(next->from, from) == 0;
    return goes_on ? next : NULL;
}

size_t hg_page_seek(const struct hg_page *page, hg_stream_id id)
{
    size_t low = 0, high = page->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hg_stream_id_cmp(page->entries[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint8_t *hg_page_sieve(struct hg_core *core, struct hg_page *page, uint64_t group, size_t index)
{
    if (!page->sieves)
        page->sieves = hg_core_alloc(HG_PAGE_SIEVES * sizeof(*page->sieves));
    struct hg_sieve *sieve = &page->sieves[group % HG_PAGE_SIEVES];
    if (sieve->group != group) {
        sieve->group = group;
        if (sieve->capacity > 0)
            memset(sieve->known, 0, sieve->capacity);
    }
    if (index >= sieve->capacity) {
        sieve->known = realloc(sieve->known, page->capacity);
        HG_ASSERT(sieve->known);
        memset(sieve->known + sieve->capacity, 0, page->capacity - sieve->capacity);
        sieve->capacity = page->capacity;
        weigh(core, page);
    }
    return &sieve->known[index];
}

struct hg_slice hg_page_tail(const struct hg_page *page, size_t index)
{
    size_t from = index > 0 ? page->entries[index - 1].end : 0;
    return hg_slice(page->tails.ptr + from, page->entries[index].end - from);
}

struct hg_slice hg_page_json(const struct hg_page *page, size_t index)
{
    const struct hg_past *past = &page->entries[index];
    return past->json ? hg_slice(page->tails.ptr + past->end - 1 - past->json, past->json) : HG_SLICE_NULL;
}

static enum hg_known compare(struct hg_place place, uint32_t fingerprint)
{
    return !place.proven || place.fingerprint == fingerprint || HG_MUTANT(RESUME_UNPROVEN) ? HG_KNOWN_THERE
                                                                                           : HG_KNOWN_OTHER;
}

enum hg_known hg_history_knows(const struct hg_history *history, struct hg_place place)
{
    /* No entry has the id 0-0: it is the place in front of all. */
    const struct hg_page *page =
        hg_stream_id_cmp(place.id, HG_STREAM_ID_ZERO) != 0 ? hg_history_page(history, place.id) : NULL;
    if (page) {
        size_t index = hg_page_seek(page, place.id);
        if (index == page->count || hg_stream_id_cmp(page->entries[index].id, place.id) != 0)
            return HG_KNOWN_ABSENT;
        return compare(place, page->entries[index].fingerprint);
    }
    hg_stream_id next;
    if (!hg_stream_id_next(place.id, &next) || !(page = hg_history_page(history, next)) ||
        hg_stream_id_cmp(page->from, next) != 0 || !page->before.proven)
        return HG_KNOWN_NOTHING;
    return compare(place, page->before.fingerprint);
}

struct hg_page *hg_history_below(const struct hg_history *history, hg_stream_id id)
{
    struct hg_page *page = last_page(history);
    while (page && hg_stream_id_cmp(page->to, id) >= 0)
        page = page_of(page->in_history.prev);
    return page;
}

hg_stream_id hg_history_unknown_to(const struct hg_history *history, hg_stream_id id, hg_stream_id limit)
{
    const struct hg_page *page = hg_history_page(history, id), *next;
    while (page && (next = hg_page_after(page)))
        page = next;
    const struct hg_list_node *node = page ? page->in_history.next : history->pages.first;
    while (node && hg_stream_id_cmp(HG_CONTAINER(node, struct hg_page, in_history)->from, id) < 0)
        node = node->next;
    hg_stream_id end = limit;
    if (node && hg_stream_id_cmp(HG_CONTAINER(node, struct hg_page, in_history)->from, limit) <= 0)
        (void)hg_stream_id_prev(HG_CONTAINER(node, struct hg_page, in_history)->from, &end);
    return end;
}

struct hg_page *hg_history_run(const struct hg_history *history)
{
    struct hg_page *page = last_page(history);
    while (page && page->in_history.prev && hg_page_after(page_of(page->in_history.prev)) == page)
        page = page_of(page->in_history.prev);
    return page;
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

/* Not before it was handed to the groups. */
static bool may_go(const struct hg_page *page)
{
    return page->count == 0 || hg_stream_id_cmp(page->entries[page->count - 1].id, page->history->source->last.id) <= 0;
}

/* What stood in front of a page that goes stands in front of the next one: a client there needs nothing of Redis. */
static void evict(struct hg_core *core, struct hg_page *page)
{
    struct hg_page *next = hg_page_after(page);
    if (next && page->count > 0) {
        const struct hg_past *last = &page->entries[page->count - 1];
        next->before = (struct hg_place){last->id, last->fingerprint, true};
        HG_ASSERT(hg_stream_id_next(last->id, &next->from));
    } else if (next) {
        next->before = page->before;
        next->from = page->from;
    }
    free_page(core, page);
}

bool hg_histories_evict_oldest(struct hg_core *core)
{
    for (struct hg_list_node *n = core->histories.by_age.first; n; n = n->next) {
        struct hg_page *page = first_page(HG_CONTAINER(n, struct hg_page, in_age)->history);
        if (may_go(page)) {
            evict(core, page);
            return true;
        }
    }
    return false;
}

void hg_histories_evict(struct hg_core *core)
{
    const struct hg_config *config = core->config;
    hg_dur age = hg_ms(HG_MUTANT(FORGETS_AT_ONCE) ? 0 : config->history_ms);
    struct hg_list_node *next;
    for (struct hg_list_node *n = core->histories.by_age.first; n; n = next) {
        next = n->next;
        struct hg_page *page = HG_CONTAINER(n, struct hg_page, in_age);
        if (!hg_time_reached(hg_time_add(page->made_at, age), core->now))
            break;
        if (may_go(page))
            evict(core, page);
    }
    for (struct hg_list_node *n = core->histories.full.first; n; n = next) {
        next = n->next;
        struct hg_history *history = HG_CONTAINER(n, struct hg_history, full);
        while (history->bytes > config->history_bytes_max && may_go(first_page(history)))
            evict(core, first_page(history));
        if (history->bytes <= config->history_bytes_max) /* else what is left waits for its proof */
            hg_list_remove(&core->histories.full, n);
    }
    while (core->stats.log_bytes + core->stats.history_bytes > config->log_bytes_total_max &&
           !HG_MUTANT(HISTORY_UNBOUNDED) && hg_histories_evict_oldest(core))
        ;
}

hg_time hg_histories_deadline(const struct hg_core *core)
{
    for (const struct hg_list_node *n = core->histories.by_age.first; n; n = n->next) {
        const struct hg_page *page = HG_CONTAINER(n, const struct hg_page, in_age);
        if (may_go(page))
            return hg_time_add(page->made_at, hg_ms(core->config->history_ms));
    }
    return HG_TIME_NEVER;
}

void hg_histories_validate(const struct hg_core *core)
{
    uint64_t bytes = 0;
    size_t pages = 0;
    for (struct hg_list_node *s = core->sources.all[HG_SOURCE_TYPE_STREAM].first; s; s = s->next) {
        const struct hg_history *history = &HG_CONTAINER(s, struct hg_source, in_all)->history;
        uint64_t held = 0;
        hg_list_validate(&history->pages);
        for (const struct hg_page *page = first_page(history); page; page = page_of(page->in_history.next), pages++) {
            const struct hg_page *next = page_of(page->in_history.next);
            HG_ASSERT(page->history == history && hg_stream_id_cmp(page->from, page->to) <= 0);
            HG_ASSERT(!next || hg_stream_id_cmp(page->to, next->from) < 0);
            for (size_t i = 0; i < page->count; i++) {
                hg_stream_id id = page->entries[i].id;
                HG_ASSERT(hg_stream_id_cmp(id, page->from) >= 0 && hg_stream_id_cmp(id, page->to) <= 0);
                HG_ASSERT(i == 0 || hg_stream_id_cmp(page->entries[i - 1].id, id) < 0);
                HG_ASSERT(page->entries[i].end <= page->tails.len);
            }
            held += page->held;
        }
        HG_ASSERT(held == history->bytes);
        bytes += held;
    }
    HG_ASSERT(bytes == core->stats.history_bytes && pages == core->histories.by_age.count);
}
