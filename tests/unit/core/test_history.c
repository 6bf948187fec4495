/* The history against a naive model: what it says is there must be there, as it is there, and where it says that it
 * knows all it must know all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "core/state.h"
#include "support/gate.h"

#define CONFIG "{\"canary_ms\":600000,\"topics\":[{\"match\":\"st.**\",\"source\":\"stream\"}]}"

enum { IDS = 160 };

static struct hgt_gate gate;

/* The truth: which of the ids 1-0 to IDS-0 hold an entry, and what in it. */
struct world {
    struct hg_prng prng;
    struct hg_source *source;
    struct hg_history *history;
    bool there[IDS + 1];
    char payloads[IDS + 1][24];
    uint64_t read; /* the newest that was appended */
    unsigned known, absent, other, nothing, evicted;
};

static hg_stream_id id_of(uint64_t ms)
{
    return (hg_stream_id){ms, 0};
}

static uint64_t below(struct world *world, uint64_t bound)
{
    return hg_prng_below(&world->prng, bound);
}

static struct hg_place true_place(const struct world *world, uint64_t ms)
{
    const struct hg_slice fields[] = {HG_LIT("event"), hg_slice_str(world->payloads[ms])};
    return (struct hg_place){id_of(ms), hg_fingerprint(fields, 2), true};
}

/* An entry of a reply, in its own memory. */
struct reply_entry {
    struct hg_reply pair[2], fields[2];
    char id[24];
};

static void make_entry(const struct world *world, uint64_t ms, struct hg_reply *reply, struct reply_entry *memory)
{
    snprintf(memory->id, sizeof(memory->id), "%llu-0", (unsigned long long)ms);
    memory->fields[0] = (struct hg_reply){.type = HG_REPLY_STRING, .text = HG_LIT("event")};
    memory->fields[1] = (struct hg_reply){.type = HG_REPLY_STRING, .text = hg_slice_str(world->payloads[ms])};
    memory->pair[0] = (struct hg_reply){.type = HG_REPLY_STRING, .text = hg_slice_str(memory->id)};
    memory->pair[1] = (struct hg_reply){.type = HG_REPLY_ARRAY, .items = memory->fields, .count = 2};
    *reply = (struct hg_reply){.type = HG_REPLY_ARRAY, .items = memory->pair, .count = 2};
}

static struct hg_place place_read(const struct world *world)
{
    return world->read > 0 ? true_place(world, world->read) : (struct hg_place){.proven = false};
}

/* The reader brings the next entries there are, at most `count`. */
static void append(struct world *world, uint64_t count)
{
    struct hg_reply reply;
    struct reply_entry memory;
    struct hg_entry entry;
    for (uint64_t ms = world->read + 1; ms <= IDS && count > 0; ms++)
        if (world->there[ms]) {
            make_entry(world, ms, &reply, &memory);
            assert_true(hg_reply_entry(&reply, &entry));
            hg_history_append(gate.core, world->history, place_read(world), &entry);
            world->read = ms;
            world->source->read = place_read(world);
            count--;
        }
    if (below(world, 4) > 0) /* handed to the groups, nearly always */
        world->source->last = world->source->read;
}

static bool is_covered(const struct world *world, hg_stream_id id)
{
    for (struct hg_list_node *n = world->history->pages.first; n; n = n->next) {
        const struct hg_page *page = HG_CONTAINER(n, struct hg_page, in_history);
        if (hg_stream_id_cmp(id, page->from) >= 0 && hg_stream_id_cmp(id, page->to) <= 0)
            return true;
    }
    return false;
}

/* What XRANGE or XREVRANGE answers. */
static void insert(struct world *world, bool backwards, bool damaged)
{
    struct hg_reply replies[IDS];
    struct reply_entry memories[IDS];
    size_t n = 0, count = 1 + below(world, 12);
    uint64_t low = below(world, world->read + 1), high = low + below(world, world->read + 1 - low);
    uint64_t from_ms = low, to_ms = high;
    for (uint64_t i = 0; i <= high - low && n < count; i++) {
        uint64_t ms = backwards ? high - i : low + i;
        if (ms > 0 && world->there[ms]) {
            make_entry(world, ms, &replies[n], &memories[n]);
            if (backwards)
                from_ms = ms;
            else
                to_ms = ms;
            n++;
        }
    }
    if (n < count) { /* not full: all there is */
        from_ms = low;
        to_ms = high;
    }
    bool lies_free = true; /* nothing is known of it yet */
    for (uint64_t ms = from_ms; ms <= to_ms; ms++)
        lies_free = lies_free && !is_covered(world, id_of(ms));
    size_t bad = n > 0 ? below(world, n) : 0;
    if (damaged && n > 0)
        replies[bad].count = 1;
    bool good = hg_history_insert(gate.core, world->history, id_of(from_ms), id_of(to_ms),
                                  backwards && n > 0 ? &replies[n - 1] : replies, n, backwards ? -1 : 1);
    assert_true(good || (damaged && n > 0));
    if (good) /* all of it is known now, so that nobody asks for it again */
        assert_true(is_covered(world, id_of(from_ms)) && (!lies_free || is_covered(world, id_of(to_ms))));
}

static void check_page(const struct world *world, const struct hg_page *page)
{
    size_t index = 0;
    for (uint64_t ms = 1; ms <= IDS; ms++) {
        bool inside = hg_stream_id_cmp(id_of(ms), page->from) >= 0 && hg_stream_id_cmp(id_of(ms), page->to) <= 0;
        if (!inside || !world->there[ms])
            continue;
        assert_true(index < page->count);
        struct hg_place truth = true_place(world, ms);
        assert_int_equal(hg_stream_id_cmp(page->entries[index].id, truth.id), 0);
        assert_int_equal(page->entries[index].fingerprint, truth.fingerprint);
        assert_true(page->entries[index].fits);
        assert_true(hg_slice_is(hg_page_json(page, index), world->payloads[ms]));
        struct hg_slice tail = hg_page_tail(page, index);
        assert_non_null(memmem(tail.ptr, tail.len, world->payloads[ms], strlen(world->payloads[ms])));
        index++;
    }
    assert_int_equal(index, page->count);
    if (page->before.proven) {
        uint64_t ms = page->before.id.ms;
        assert_true(ms > 0 && world->there[ms]);
        assert_int_equal(page->before.fingerprint, true_place(world, ms).fingerprint);
        for (ms++; ms <= IDS && hg_stream_id_cmp(id_of(ms), page->from) < 0; ms++)
            assert_false(world->there[ms]);
    }
}

static void check_lookups(struct world *world)
{
    const struct hg_page *newest = NULL, *run = hg_history_run(world->history);
    for (struct hg_list_node *n = world->history->pages.first; n; n = n->next)
        check_page(world, newest = HG_CONTAINER(n, struct hg_page, in_history));
    assert_int_equal(run == NULL, newest == NULL);
    if (run) { /* from there to the newest nothing is unknown, and it cannot begin earlier */
        hg_stream_id before;
        for (hg_stream_id id = run->from; id.ms <= newest->to.ms; id.ms++, id.seq = 0)
            if (hg_stream_id_cmp(id, newest->to) <= 0)
                assert_true(is_covered(world, id));
        if (hg_stream_id_prev(run->from, &before))
            assert_false(is_covered(world, before));
    }
    for (uint64_t ms = 1; ms <= IDS; ms++) {
        hg_stream_id id = id_of(ms), end;
        const struct hg_page *page = hg_history_page(world->history, id);
        assert_int_equal(page != NULL, is_covered(world, id));
        if (page) {
            size_t at = hg_page_seek(page, id);
            assert_true(at == page->count || hg_stream_id_cmp(page->entries[at].id, id) >= 0);
            assert_true(at == 0 || hg_stream_id_cmp(page->entries[at - 1].id, id) < 0);
        }
        struct hg_place asked = world->there[ms] ? true_place(world, ms) : (struct hg_place){id, 7, true};
        switch (hg_history_knows(world->history, asked)) {
        case HG_KNOWN_THERE:
            assert_true(world->there[ms]);
            world->known++;
            break;
        case HG_KNOWN_ABSENT:
            assert_false(world->there[ms]);
            world->absent++;
            break;
        case HG_KNOWN_OTHER:
            fail_msg("a place that is right was taken for another");
            break;
        case HG_KNOWN_NOTHING:
            assert_null(page);
            world->nothing++;
            break;
        }
        asked.fingerprint++;
        if (world->there[ms]) {
            enum hg_known known = hg_history_knows(world->history, asked);
            assert_true(known == HG_KNOWN_OTHER || known == HG_KNOWN_NOTHING);
            world->other += known == HG_KNOWN_OTHER;
            asked.proven = false; /* a bare id proves nothing more */
            known = hg_history_knows(world->history, asked);
            assert_true(known == HG_KNOWN_THERE || known == HG_KNOWN_NOTHING);
        }
        const struct hg_past *behind = hg_history_behind(world->history, id);
        const struct hg_page *under = hg_history_below(world->history, id);
        assert_true(!behind || hg_stream_id_cmp(behind->id, id) > 0);
        assert_true(!under || hg_stream_id_cmp(under->to, id) < 0);
        /* The unknown part that begins here is unknown as a whole, and what follows it is known. */
        if (!page && ms <= world->read) {
            hg_stream_id next;
            end = hg_history_unknown_to(world->history, id, id_of(world->read));
            assert_true(hg_stream_id_cmp(end, id) >= 0 && hg_stream_id_cmp(end, id_of(world->read)) <= 0);
            for (uint64_t i = ms; i <= end.ms && hg_stream_id_cmp(id_of(i), end) <= 0; i++)
                assert_false(is_covered(world, id_of(i)));
            assert_false(is_covered(world, end));
            assert_true(hg_stream_id_next(end, &next));
            assert_true(hg_stream_id_cmp(end, id_of(world->read)) == 0 || is_covered(world, next));
        }
    }
    assert_int_equal(hg_history_knows(world->history, (struct hg_place){.proven = false}), HG_KNOWN_NOTHING);
}

static void evict(struct world *world)
{
    size_t before = world->history->pages.count;
    if (below(world, 2) == 0) {
        (void)hg_histories_evict_oldest(gate.core);
    } else {
        gate.core->now = hg_time_add(gate.core->now, hg_ms(below(world, gate.config->history_ms / 4)));
        gate.now = gate.core->now;
    }
    hg_histories_evict(gate.core);
    world->evicted += before > world->history->pages.count;
    const struct hg_page *first = before > 0 && world->history->pages.first
                                      ? HG_CONTAINER(world->history->pages.first, struct hg_page, in_history)
                                      : NULL;
    /* Within its bound, but for what was not handed on. */
    bool may_go = first && (first->count == 0 ||
                            hg_stream_id_cmp(first->entries[first->count - 1].id, world->source->last.id) <= 0);
    assert_true(world->history->bytes <= gate.config->history_bytes_max || !may_go);
}

static void play(struct world *world, uint64_t seed)
{
    hg_prng_init(&world->prng, seed);
    memset(world->there, 0, sizeof(world->there));
    unsigned percent = 10 + (unsigned)below(world, 90);
    for (uint64_t ms = 1; ms <= IDS; ms++) {
        world->there[ms] = hg_prng_chance(&world->prng, percent);
        snprintf(world->payloads[ms], sizeof(world->payloads[ms]), "%llu", (unsigned long long)below(world, 1000000));
    }
    world->read = 0;
    world->source->last = world->source->read = (struct hg_place){.proven = false};
    world->source->hole.kind = HG_CONTINUITY_WHOLE;
    gate.config->history_bytes_max = below(world, 2) == 0 ? below(world, 6000) : 1 << 20;
    append(world, below(world, 60));
    for (unsigned i = 0; i < 60; i++) {
        unsigned what = (unsigned)below(world, 10);
        if (what < 2)
            append(world, 1 + below(world, 6));
        else if (what < 7 && world->read > 0)
            insert(world, what < 4, below(world, 8) == 0);
        else if (what < 9)
            evict(world);
        hg_histories_validate(gate.core);
        check_lookups(world);
    }
    hg_history_clear(gate.core, world->history);
    assert_int_equal(world->history->bytes, 0);
    hg_histories_evict(gate.core);
}

static void test_against_a_naive_model(void **state)
{
    (void)state;
    hgt_gate_open(&gate, CONFIG);
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    hgt_gate_stream(&gate, "st.a");
    struct hgt_client *client = hgt_gate_connect(&gate);
    hgt_say(&gate, client, "{\"op\":\"subscribe\",\"topic\":\"st.a\"}");
    hgt_serve(&gate);
    world->source = hg_source_find(gate.core, HG_SOURCE_TYPE_STREAM, HG_LIT("st.a"));
    assert_non_null(world->source);
    world->history = &world->source->history;
    for (uint64_t seed = 1; seed <= 400; seed++)
        play(world, seed);
    /* All of it was met, not only the easy half. */
    assert_true(world->known > 10000 && world->absent > 10000 && world->other > 10000 && world->nothing > 10000);
    assert_true(world->evicted > 1000);
    world->source->last = world->source->read = (struct hg_place){.proven = false};
    free(world);
    hgt_gate_close(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
