#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "stream/continuity.h"

#define NEW 1 /* Redis 7: counted */
#define OLD 0 /* Redis 5 and 6 */

static const char *const names[] = {"whole", "trimmed", "deleted", "rolled back", "gone"};

static hg_stream_id id(uint64_t ms)
{
    return (hg_stream_id){ms, 0};
}

static struct hg_stream_info none(void)
{
    return (struct hg_stream_info){.counts = true};
}

static struct hg_stream_info info(int counts, uint64_t length, uint64_t first, uint64_t last_generated, uint64_t added,
                                  uint64_t max_deleted)
{
    struct hg_stream_info made = {.exists = true,
                                  .length = length,
                                  .first = id(first),
                                  .last_generated = id(last_generated),
                                  .counts = counts != OLD};
    if (counts) {
        made.added = added;
        made.max_deleted = id(max_deleted);
    }
    return made;
}

static void check(const char *what, struct hg_verdict got, enum hg_continuity kind, uint64_t missed)
{
    if (got.kind != kind || got.missed != missed)
        fail_msg("%s: %s %llu, not %s %llu", what, names[got.kind], (unsigned long long)got.missed, names[kind],
                 (unsigned long long)missed);
}

/* A client's place, whose entry was looked for and is not there. */
static void test_places(void **state)
{
    (void)state;
    const struct {
        const char *what;
        struct hg_stream_info info;
        uint64_t place;
        enum hg_continuity kind;
        uint64_t missed;
    } rows[] = {
        {"no stream, nothing seen", none(), 0, HG_CONTINUITY_WHOLE, 0},
        {"no stream, something seen", none(), 5, HG_CONTINUITY_GONE, 0},

        {"nothing seen, nothing ever there", info(NEW, 0, 0, 0, 0, 0), 0, HG_CONTINUITY_WHOLE, 0},
        {"nothing seen, all there", info(NEW, 3, 1, 3, 3, 0), 0, HG_CONTINUITY_WHOLE, 0},
        {"nothing seen, two trimmed", info(NEW, 3, 3, 5, 5, 0), 0, HG_CONTINUITY_TRIMMED, 2},
        {"nothing seen, all trimmed", info(NEW, 0, 0, 5, 5, 0), 0, HG_CONTINUITY_TRIMMED, 5},
        {"nothing seen, one deleted", info(NEW, 4, 1, 5, 5, 3), 0, HG_CONTINUITY_DELETED, 1},
        {"nothing seen, fewer added than there (XSETID)", info(NEW, 4, 1, 5, 2, 0), 0, HG_CONTINUITY_WHOLE, 0},
        {"nothing seen, nobody counts", info(OLD, 3, 3, 5, 0, 0), 0, HG_CONTINUITY_WHOLE, 0},

        {"newer than all", info(NEW, 3, 1, 3, 3, 0), 5, HG_CONTINUITY_ROLLED_BACK, 0},
        {"newer than all, nobody counts", info(OLD, 3, 1, 3, 0, 0), 5, HG_CONTINUITY_ROLLED_BACK, 0},
        {"newer than an emptied one", info(NEW, 0, 0, 3, 3, 0), 5, HG_CONTINUITY_ROLLED_BACK, 0},

        {"the newest, and all trimmed", info(NEW, 0, 0, 5, 5, 0), 5, HG_CONTINUITY_WHOLE, 0},
        {"the newest, all trimmed, nobody counts", info(OLD, 0, 0, 5, 0, 0), 5, HG_CONTINUITY_WHOLE, 0},
        {"not the newest, and all trimmed", info(NEW, 0, 0, 6, 6, 0), 5, HG_CONTINUITY_TRIMMED, 0},
        {"not the newest, all trimmed, nobody counts", info(OLD, 0, 0, 6, 0, 0), 5, HG_CONTINUITY_TRIMMED, 0},

        {"trimmed", info(NEW, 3, 8, 10, 10, 0), 5, HG_CONTINUITY_TRIMMED, 0},
        {"trimmed, nobody counts", info(OLD, 3, 8, 10, 0, 0), 5, HG_CONTINUITY_TRIMMED, 0},
        {"made anew with higher ids", info(NEW, 3, 8, 10, 3, 0), 5, HG_CONTINUITY_GONE, 0},

        {"its entry and a newer one deleted", info(NEW, 8, 1, 10, 10, 6), 5, HG_CONTINUITY_DELETED, 0},
        {"only its own entry deleted, which it has", info(NEW, 9, 1, 10, 10, 5), 5, HG_CONTINUITY_WHOLE, 0},
        {"its entry never was there", info(NEW, 9, 1, 10, 9, 0), 5, HG_CONTINUITY_ROLLED_BACK, 0},
        {"one went, and it was a newer one", info(NEW, 9, 1, 10, 10, 6), 5, HG_CONTINUITY_ROLLED_BACK, 0},
        {"its entry never was there, an older one deleted", info(NEW, 8, 1, 10, 9, 3), 5, HG_CONTINUITY_ROLLED_BACK, 0},
        {"not there, nobody counts", info(OLD, 9, 1, 10, 0, 0), 5, HG_CONTINUITY_ROLLED_BACK, 0},
        {"the first there is newer by a little", info(NEW, 5, 6, 10, 10, 0), 5, HG_CONTINUITY_TRIMMED, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i].what, hg_continuity_of_place(&rows[i].info, id(rows[i].place)), rows[i].kind, rows[i].missed);
}

/* A reader that counted `added` up to `last`, or did not (UINT64_MAX). */
static struct hg_reading quiet(uint64_t last, uint64_t added)
{
    return (struct hg_reading){.last = id(last), .counted = added != UINT64_MAX, .added = added};
}

static struct hg_reading holding(uint64_t last, uint64_t added, uint64_t held, uint64_t trimmed, uint64_t newest)
{
    struct hg_reading reading = quiet(last, added);
    reading.held = held;
    reading.held_trimmed = trimmed;
    reading.held_newest = id(newest);
    return reading;
}

static struct hg_reading with_older(struct hg_reading reading, bool strange)
{
    reading.older_is_there = true;
    reading.older_is_strange = strange;
    return reading;
}

/* A reader's place, whose entry was looked for and is not there. */
static void test_readings(void **state)
{
    (void)state;
    const uint64_t unknown = UINT64_MAX;
    const struct {
        const char *what;
        struct hg_stream_info info;
        struct hg_reading reading;
        enum hg_continuity kind;
        uint64_t missed;
    } rows[] = {
        {"no stream and none before", none(), quiet(0, 0), HG_CONTINUITY_WHOLE, 0},
        {"no stream any more", none(), quiet(5, 5), HG_CONTINUITY_GONE, 0},
        {"no stream any more, but something was read", none(), holding(0, 0, 2, 0, 2), HG_CONTINUITY_GONE, 0},

        {"first entries, all there", info(NEW, 2, 1, 2, 2, 0), holding(0, 0, 2, 0, 2), HG_CONTINUITY_WHOLE, 0},
        {"first entries, older ones trimmed", info(NEW, 2, 4, 5, 5, 0), holding(0, 0, 2, 0, 5), HG_CONTINUITY_TRIMMED,
         3},
        {"first entries, trimmed after they were read", info(NEW, 1, 5, 5, 2, 0), holding(0, 0, 2, 1, 5),
         HG_CONTINUITY_WHOLE, 0},
        {"first entries, nobody counts", info(OLD, 2, 4, 5, 0, 0), holding(0, unknown, 2, 0, 5), HG_CONTINUITY_WHOLE,
         0},

        {"trimmed away, nothing missed", info(NEW, 0, 0, 5, 5, 0), quiet(5, 5), HG_CONTINUITY_WHOLE, 0},
        {"trimmed away, three missed", info(NEW, 0, 0, 8, 8, 0), quiet(5, 5), HG_CONTINUITY_TRIMMED, 3},
        {"trimmed away, more is to come", info(NEW, 2, 6, 7, 7, 0), quiet(5, 5), HG_CONTINUITY_WHOLE, 0},
        {"one missed, more is to come", info(NEW, 2, 7, 8, 8, 0), quiet(5, 5), HG_CONTINUITY_TRIMMED, 1},
        {"one missed in front of what was read", info(NEW, 2, 7, 8, 8, 0), holding(5, 5, 2, 0, 8),
         HG_CONTINUITY_TRIMMED, 1},
        {"what was read follows at once", info(NEW, 2, 6, 7, 7, 0), holding(5, 5, 2, 0, 7), HG_CONTINUITY_WHOLE, 0},
        {"what was read is trimmed by now", info(NEW, 1, 9, 9, 9, 0), holding(5, 5, 3, 3, 8), HG_CONTINUITY_WHOLE, 0},
        {"some of what was read is, and one is to come", info(NEW, 2, 8, 9, 9, 0), holding(5, 5, 3, 2, 8),
         HG_CONTINUITY_WHOLE, 0},
        {"one missed, some read, some to come", info(NEW, 3, 8, 10, 10, 0), holding(5, 5, 2, 0, 8),
         HG_CONTINUITY_TRIMMED, 0 + 10 - 5 - 2 - 1},
        {"a newer one deleted", info(NEW, 2, 7, 8, 8, 6), quiet(5, 5), HG_CONTINUITY_DELETED, 1},
        {"an older one deleted, newer ones trimmed", info(NEW, 2, 7, 8, 8, 3), quiet(5, 5), HG_CONTINUITY_TRIMMED, 1},
        {"fewer were added than were read", info(NEW, 2, 6, 7, 2, 0), quiet(5, 5), HG_CONTINUITY_GONE, 0},
        {"made anew while the reader held entries", info(NEW, 2, 7, 8, 2, 0), holding(5, 5, 1, 0, 6),
         HG_CONTINUITY_GONE, 0},

        {"back to before", info(NEW, 3, 1, 3, 3, 0), with_older(quiet(5, 5), false), HG_CONTINUITY_ROLLED_BACK, 0},
        {"back to before, and one deleted since", info(NEW, 7, 1, 8, 8, 7), with_older(quiet(5, 5), false),
         HG_CONTINUITY_ROLLED_BACK, 0},
        {"its entry and a newer one deleted", info(NEW, 6, 1, 8, 8, 7), with_older(quiet(5, 5), false),
         HG_CONTINUITY_DELETED, 0},
        {"back to before what it holds", info(NEW, 6, 1, 6, 6, 0), with_older(holding(5, 5, 3, 0, 8), false),
         HG_CONTINUITY_ROLLED_BACK, 0},
        {"made anew with lower ids", info(NEW, 3, 1, 3, 3, 0), with_older(quiet(5, 5), true), HG_CONTINUITY_GONE, 0},
        {"made anew, and empty again", info(NEW, 0, 0, 3, 3, 0), quiet(5, 5), HG_CONTINUITY_ROLLED_BACK, 0},
        {"back to before, nobody counts", info(OLD, 3, 1, 3, 0, 0), with_older(quiet(5, unknown), false),
         HG_CONTINUITY_ROLLED_BACK, 0},

        {"its entry was deleted, and nothing newer", info(NEW, 9, 1, 10, 10, 5), with_older(quiet(5, 5), false),
         HG_CONTINUITY_WHOLE, 0},
        {"a newer one was deleted too", info(NEW, 8, 1, 10, 10, 6), with_older(quiet(5, 5), false),
         HG_CONTINUITY_DELETED, 0},
        {"its entry is not there, and was not deleted", info(NEW, 9, 1, 10, 9, 3), with_older(quiet(5, 5), false),
         HG_CONTINUITY_ROLLED_BACK, 0},
        {"the older one is another, though one was deleted", info(NEW, 8, 1, 10, 10, 6), with_older(quiet(5, 5), true),
         HG_CONTINUITY_GONE, 0},
        {"its entry is not there, nobody counts", info(OLD, 9, 1, 10, 0, 0), with_older(quiet(5, unknown), false),
         HG_CONTINUITY_ROLLED_BACK, 0},

        {"nothing came, nobody counts", info(OLD, 0, 0, 5, 0, 0), quiet(5, unknown), HG_CONTINUITY_WHOLE, 0},
        {"something came, nobody counts", info(OLD, 2, 6, 7, 0, 0), quiet(5, unknown), HG_CONTINUITY_TRIMMED, 0},
        {"something was read, nobody counts", info(OLD, 2, 6, 7, 0, 0), holding(5, unknown, 2, 0, 7),
         HG_CONTINUITY_TRIMMED, 0},
        {"counted now, not before", info(NEW, 2, 6, 7, 7, 0), quiet(5, unknown), HG_CONTINUITY_TRIMMED, 0},
        {"made anew with higher ids, not counted before", info(NEW, 2, 6, 7, 2, 0), quiet(5, unknown),
         HG_CONTINUITY_GONE, 0},
        {"counted before, not now", info(OLD, 2, 6, 7, 0, 0), quiet(5, 5), HG_CONTINUITY_TRIMMED, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(rows[i].what, hg_continuity_of_reading(&rows[i].info, &rows[i].reading), rows[i].kind, rows[i].missed);
}

/* Against a stream that is really trimmed and deleted from while it is read: with counts, the verdict names exactly
 * what the reader will never see. */
static void test_counts_against_a_real_course_of_things(void **state)
{
    (void)state;
    struct hg_prng prng;
    hg_prng_init(&prng, 4);
    unsigned holes = 0, wholes = 0;
    for (unsigned round = 0; round < 20000; round++) {
        bool there[40] = {false};
        uint64_t newest = 0, max_deleted = 0, length = 0, first = 0;
        uint64_t last = hg_prng_below(&prng, 10), added = last;
        uint64_t total = last + hg_prng_below(&prng, 12);
        for (uint64_t i = 1; i <= total; i++)
            there[i] = true;
        newest = total;
        /* What the reader brought, before anything more goes. */
        uint64_t gone_before = last + hg_prng_below(&prng, 4);
        for (uint64_t i = 1; i <= gone_before && i <= total; i++)
            there[i] = false;
        uint64_t held = 0, held_newest = 0, count = hg_prng_below(&prng, 5), seen = 0;
        bool is_held[40] = {false};
        for (uint64_t i = last + 1; i <= total && held < count; i++)
            if (there[i]) {
                held++;
                held_newest = i;
                is_held[i] = true;
            }
        /* Then more goes: trimmed from the front. */
        uint64_t gone_after = hg_prng_below(&prng, total + 2);
        for (uint64_t i = 1; i <= gone_after && i <= total; i++)
            there[i] = false;
        if (gone_after < last)
            for (uint64_t i = 1; i <= last; i++)
                there[i] = false;
        uint64_t held_trimmed = 0, missed = 0;
        for (uint64_t i = total; i >= 1; i--)
            if (there[i]) {
                length++;
                first = i;
            }
        for (uint64_t i = last + 1; i <= total; i++) {
            held_trimmed += is_held[i] && !there[i];
            missed += !is_held[i] && !there[i];
            seen += is_held[i] || there[i];
        }
        assert_int_equal(seen + missed, total - last);
        struct hg_stream_info now = info(NEW, length, first, newest, total, max_deleted);
        struct hg_reading reading = holding(last, added, held, held_trimmed, held_newest);
        if (last == 0 && held == 0 && total == 0)
            continue;
        struct hg_verdict verdict = hg_continuity_of_reading(&now, &reading);
        check("trimmed while it was read", verdict, missed > 0 ? HG_CONTINUITY_TRIMMED : HG_CONTINUITY_WHOLE, missed);
        holes += missed > 0;
        wholes += missed == 0;
    }
    assert_true(holes > 1000 && wholes > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_readings),
        cmocka_unit_test(test_counts_against_a_real_course_of_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
