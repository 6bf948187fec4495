#include "deadletter/act.h"

#include <stdio.h>
#include <unistd.h>

#include "base/utf8.h"
#include "base/visible.h"
#include "deadletter/replay.h"
#include "event/base64.h"

#define OUTPUT_BYTES_MAX  (1024u << 20)
#define LINE_BYTES_MAX    (1u << 20)
#define COLUMN_BYTES_MOST 1024

/* --- one letter by its id ----------------------------------------------------------------------------------------- */

enum found { FOUND, NOWHERE, FAILED };

/* In the stream that was named, or in the only one of all that has it. The page holds it. */
static enum found find(const struct hg_errand *errand, struct hg_box *box, hg_stream_id id, struct hg_box_page *page,
                       const char **ret_stream)
{
    const char *stream = NULL, *stranger = NULL;
    for (size_t i = 0; i < box->count; i++) {
        if (!hg_box_read(box, box->streams[i], id, id, 1, false, page))
            return FAILED;
        if (page->strangers > 0)
            stranger = box->streams[i];
        if (page->count == 0)
            continue;
        if (stream) {
            hg_errand_complain(errand, "%llu-%llu is in %s and in %s; name one of them", (unsigned long long)id.ms,
                               (unsigned long long)id.seq, stream, box->streams[i]);
            return NOWHERE;
        }
        stream = box->streams[i];
    }
    if (!stream) {
        hg_errand_complain(errand,
                           stranger ? "%llu-%llu is no dead letter, but another entry of %s"
                                    : "there is no letter %llu-%llu%s",
                           (unsigned long long)id.ms, (unsigned long long)id.seq, stranger ? stranger : "");
        return NOWHERE;
    }
    *ret_stream = stream;
    if (box->count > 1 && !hg_box_read(box, stream, id, id, 1, false, page))
        return FAILED;
    return page->count == 1 ? FOUND : NOWHERE;
}

/* Bytes that would tell a terminal what to do. */
static bool is_tame(struct hg_slice text)
{
    if (!hg_utf8_valid(text))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool c1 = c == 0xc2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xa0;
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f || c1)
            return false;
    }
    return true;
}

static void put_event(struct hg_buf *into, struct hg_slice event)
{
    if (!hg_utf8_valid(event))
        hg_base64_put(into, event);
    else if (isatty(STDOUT_FILENO) == 1 && !is_tame(event))
        hg_visible_put(event, SIZE_MAX, into);
    else
        hg_buf_put(into, event);
    hg_buf_put_char(into, '\n');
}

int hg_deadletter_show(const struct hg_errand *errand, struct hg_box *box)
{
    struct hg_box_page page;
    const char *stream = NULL;
    enum found found = find(errand, box, errand->ids[0], &page, &stream);
    if (found != FOUND)
        return found == FAILED ? hg_errand_tell(errand, box) : HG_ERRAND_FAILED;
    const struct hg_letter *letter = &page.letters[0];
    if (errand->value[HG_ERRAND_EVENT])
        return hg_errand_put(errand, letter->event) ? 0 : HG_ERRAND_FAILED;
    struct hg_buf text;
    hg_buf_init(&text, OUTPUT_BYTES_MAX);
    if (errand->value[HG_ERRAND_JSON]) {
        hg_letter_put_json(&text, hg_slice_str(stream), letter);
        hg_buf_put_char(&text, '\n');
    } else {
        hg_letter_put_facts(&text, hg_slice_str(stream), letter);
        put_event(&text, letter->event);
    }
    bool good = hg_ok(hg_buf_result(&text));
    if (!good)
        hg_errand_complain(errand, "out of memory");
    good = good && hg_errand_put(errand, hg_buf_slice(&text));
    hg_buf_done(&text);
    return good ? 0 : HG_ERRAND_FAILED;
}

/* --- replay and drop ---------------------------------------------------------------------------------------------- */

struct tally {
    size_t done, stayed, missing;
    bool failed;
};

/* The newest entry of the stream now: letters that come meanwhile are not meant by --all. */
static bool find_end(struct hg_box *box, const char *stream, hg_stream_id *ret_end)
{
    struct hg_box_info info;
    if (!hg_box_info(box, stream, &info))
        return false;
    *ret_end = info.length > 0 ? info.newest : HG_STREAM_ID_ZERO;
    return true;
}

static bool replay_one(const struct hg_errand *errand, struct hg_replay *replay, const char *stream,
                       const struct hg_letter *letter, struct tally *tally)
{
    struct hg_buf line, words;
    hg_stream_id entry = letter->entry;
    hg_buf_init(&line, LINE_BYTES_MAX);
    hg_buf_init(&words, LINE_BYTES_MAX);
    hg_stream_id_put(&line, entry);
    hg_buf_put_str(&line, "  ");
    hg_visible_put(letter->topic, COLUMN_BYTES_MOST, &line);
    hg_buf_put_str(&line, "  ");
    enum hg_replayed end = hg_replay_letter(replay, stream, letter, &words);
    tally->done += end == HG_REPLAYED;
    tally->stayed += end == HG_REPLAY_STAYS;
    hg_visible_put(hg_buf_slice(&words), COLUMN_BYTES_MOST, &line);
    hg_buf_put_char(&line, '\n');
    bool good = end != HG_REPLAY_FAILED;
    if (good && (!hg_errand_put(errand, hg_buf_slice(&line)) || !hg_errand_flush(errand)))
        good = hg_box_fail(replay->box, "standard output is closed");
    hg_buf_done(&words);
    hg_buf_done(&line);
    return good;
}

/* One at a time: the answer to the next call takes the place of the page. */
static bool replay_all(const struct hg_errand *errand, struct hg_replay *replay, const char *stream,
                       struct tally *tally)
{
    struct hg_box_page page = {.more = true, .next = HG_STREAM_ID_ZERO};
    hg_stream_id end;
    if (!find_end(replay->box, stream, &end))
        return false;
    while (page.more) {
        if (!hg_box_read(replay->box, stream, page.next, end, 1, false, &page))
            return false;
        if (page.count > 0 && !replay_one(errand, replay, stream, &page.letters[0], tally))
            return false;
    }
    return true;
}

int hg_deadletter_replay(const struct hg_errand *errand, struct hg_box *box)
{
    struct hg_box_page page;
    struct hg_replay replay;
    struct tally tally = {0};
    struct hg_replay_options replay_options = {
        .force = errand->value[HG_ERRAND_FORCE] != NULL,
        .dry_run = errand->value[HG_ERRAND_DRY_RUN] != NULL,
        .new_id = errand->value[HG_ERRAND_NEW_ID] != NULL,
    };
    hg_replay_init(&replay, box, replay_options);
    for (size_t i = 0; errand->value[HG_ERRAND_ALL] && i < box->count && !tally.failed; i++)
        tally.failed = !replay_all(errand, &replay, box->streams[i], &tally);
    for (size_t i = 0; i < errand->id_count && !tally.failed; i++) {
        const char *stream = NULL;
        enum found found = find(errand, box, errand->ids[i], &page, &stream);
        tally.missing += found == NOWHERE;
        tally.failed =
            found == FAILED || (found == FOUND && !replay_one(errand, &replay, stream, &page.letters[0], &tally));
    }
    hg_replay_done(&replay);
    if (tally.failed)
        (void)hg_errand_tell(errand, box);
    printf("%zu %s, %zu %s\n", tally.done, replay_options.dry_run ? "would be replayed" : "replayed", tally.stayed,
           tally.stayed == 1 ? "stays" : "stay");
    return tally.failed || tally.stayed + tally.missing > 0 ? HG_ERRAND_FAILED : 0;
}

static bool drop_page(struct hg_box *box, const char *stream, const struct hg_box_page *page, struct tally *tally)
{
    hg_stream_id entries[HG_BOX_PAGE_MAX];
    size_t removed = 0, count = page->count;
    for (size_t i = 0; i < count; i++)
        entries[i] = page->letters[i].entry;
    if (count > 0 && !hg_box_remove(box, stream, entries, count, &removed))
        return false;
    tally->done += removed;
    tally->stayed += page->strangers;
    return true;
}

static bool drop_all(struct hg_box *box, const char *stream, struct tally *tally)
{
    struct hg_box_page page = {.more = true, .next = HG_STREAM_ID_ZERO};
    hg_stream_id end;
    if (!find_end(box, stream, &end))
        return false;
    while (page.more)
        if (!hg_box_read(box, stream, page.next, end, hg_box_page_size(box), false, &page) ||
            !drop_page(box, stream, &page, tally))
            return false;
    return true;
}

int hg_deadletter_drop(const struct hg_errand *errand, struct hg_box *box)
{
    struct hg_box_page page;
    struct tally tally = {0};
    for (size_t i = 0; errand->value[HG_ERRAND_ALL] && i < box->count && !tally.failed; i++)
        tally.failed = !drop_all(box, box->streams[i], &tally);
    for (size_t i = 0; i < errand->id_count && !tally.failed; i++) {
        const char *stream = NULL;
        enum found found = find(errand, box, errand->ids[i], &page, &stream);
        tally.missing += found == NOWHERE;
        tally.failed = found == FAILED || (found == FOUND && !drop_page(box, stream, &page, &tally));
    }
    if (tally.failed)
        (void)hg_errand_tell(errand, box);
    if (tally.stayed > 0)
        hg_errand_complain(errand, "%zu entries are no dead letters; they stay", tally.stayed);
    printf("%zu dropped\n", tally.done);
    return tally.failed || tally.stayed + tally.missing > 0 ? HG_ERRAND_FAILED : 0;
}
