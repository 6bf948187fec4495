#include "deadletter/list.h"

#include <stdio.h>
#include <unistd.h>

#include "base/visible.h"
#include "deadletter/table.h"

#define LINE_BYTES_MAX    (1024u << 20)
#define TERMINAL_TOPIC    24 /* columns, where a terminal shows them */
#define TERMINAL_ID       9
#define TERMINAL_SESSION  8
#define COLUMN_BYTES_MOST 1024

static void put_seconds(struct hg_table *table, hg_stream_id id, bool there)
{
    struct hg_buf *cell = hg_table_cell(table);
    if (there)
        hg_letter_put_time(cell, id, false);
    else
        hg_buf_put_char(cell, '-');
}

static bool list_stream(const struct hg_errand *errand, const char *stream, const struct hg_box_info *info,
                        struct hg_table *table, struct hg_buf *line)
{
    bool any = info->length > 0;
    if (!errand->value[HG_ERRAND_JSON]) {
        hg_visible_put(hg_slice_str(stream), COLUMN_BYTES_MOST, hg_table_cell(table));
        hg_buf_put_u64(hg_table_cell(table), info->length);
        put_seconds(table, info->oldest, any);
        put_seconds(table, info->newest, any);
        return true;
    }
    hg_buf_clear(line);
    hg_buf_put_str(line, "{\"stream\":");
    hg_letter_put_json_text(line, hg_slice_str(stream));
    hg_buf_printf(line, ",\"letters\":%llu", (unsigned long long)info->length);
    if (any) {
        hg_buf_put_str(line, ",\"oldest\":\"");
        hg_letter_put_time(line, info->oldest, true);
        hg_buf_put_str(line, "\",\"newest\":\"");
        hg_letter_put_time(line, info->newest, true);
        hg_buf_put_char(line, '"');
    }
    hg_buf_put_str(line, "}\n");
    return hg_errand_put(errand, hg_buf_slice(line));
}

static int list_streams(const struct hg_errand *errand, struct hg_box *box)
{
    static const struct hg_table_column columns[] = {
        {"STREAM", false}, {"LETTERS", true}, {"OLDEST", false}, {"NEWEST", false}};
    struct hg_table table;
    struct hg_buf line;
    int code = 0;
    hg_table_init(&table, columns, 4);
    hg_buf_init(&line, LINE_BYTES_MAX);
    for (size_t i = 0; i < box->count && code == 0; i++) {
        struct hg_box_info info;
        if (!hg_box_info(box, box->streams[i], &info))
            code = hg_errand_tell(errand, box);
        else if (!list_stream(errand, box->streams[i], &info, &table, &line))
            code = HG_ERRAND_FAILED;
    }
    if (!hg_table_flush(&table, stdout) && code == 0)
        code = HG_ERRAND_FAILED;
    if (box->count == 0)
        hg_errand_complain(errand, "there are no dead letters");
    hg_buf_done(&line);
    hg_table_done(&table);
    return code;
}

/* The place of the n-th newest letter, or the first. */
static bool find_start(struct hg_box *box, const char *stream, uint64_t count, struct hg_box_page *page,
                       hg_stream_id *ret_start, bool *ret_older)
{
    hg_stream_id from = HG_STREAM_ID_MAX, start = HG_STREAM_ID_ZERO;
    uint64_t seen = 0;
    page->more = count > 0;
    *ret_older = false;
    while (page->more && seen <= count) {
        if (!hg_box_read(box, stream, from, HG_STREAM_ID_ZERO, hg_box_page_size(box), true, page))
            return false;
        for (size_t i = 0; i < page->count && seen <= count; i++)
            if (++seen <= count)
                start = page->letters[i].entry;
        from = page->next;
    }
    *ret_older = seen > count;
    *ret_start = *ret_older ? start : HG_STREAM_ID_ZERO;
    return true;
}

static void put_row(struct hg_table *table, const struct hg_letter *letter, bool terminal)
{
    hg_stream_id_put(hg_table_cell(table), letter->entry);
    hg_letter_put_time(hg_table_cell(table), letter->entry, false);
    hg_visible_put(letter->topic, terminal ? TERMINAL_TOPIC : COLUMN_BYTES_MOST, hg_table_cell(table));
    hg_visible_put(letter->reason, COLUMN_BYTES_MOST, hg_table_cell(table));
    hg_visible_put(letter->id, terminal ? TERMINAL_ID : COLUMN_BYTES_MOST, hg_table_cell(table));
    hg_buf_put_u64(hg_table_cell(table), letter->event.len);
    hg_letter_put_sender(hg_table_cell(table), letter, terminal ? TERMINAL_SESSION : COLUMN_BYTES_MOST);
}

static bool put_page(const struct hg_errand *errand, const char *stream, const struct hg_box_page *page,
                     struct hg_table *table, struct hg_buf *line)
{
    bool terminal = isatty(STDOUT_FILENO) == 1;
    for (size_t i = 0; i < page->count; i++) {
        if (!errand->value[HG_ERRAND_JSON]) {
            put_row(table, &page->letters[i], terminal);
            continue;
        }
        hg_buf_clear(line);
        hg_letter_put_json(line, hg_slice_str(stream), &page->letters[i]);
        hg_buf_put_char(line, '\n');
        if (!hg_ok(hg_buf_result(line)) || !hg_errand_put(errand, hg_buf_slice(line)))
            return false;
    }
    return hg_table_flush(table, stdout);
}

static int list_letters(const struct hg_errand *errand, struct hg_box *box, const char *stream)
{
    static const struct hg_table_column columns[] = {{"LETTER", false},         {"TIME", false}, {"TOPIC", false},
                                                     {"REASON", false},         {"ID", false},   {"BYTES", true},
                                                     {"USER/SESSION/IP", false}};
    struct hg_box_page page;
    struct hg_table table;
    struct hg_buf line;
    hg_stream_id from;
    bool older;
    size_t letters = 0, strangers = 0;
    if (!find_start(box, stream, errand->count, &page, &from, &older))
        return hg_errand_tell(errand, box);
    hg_table_init(&table, columns, 7);
    hg_buf_init(&line, LINE_BYTES_MAX);
    int code = 0;
    do {
        if (!hg_box_read(box, stream, from, HG_STREAM_ID_MAX, hg_box_page_size(box), false, &page))
            code = hg_errand_tell(errand, box);
        else if (!put_page(errand, stream, &page, &table, &line))
            code = HG_ERRAND_FAILED;
        letters += page.count;
        strangers += page.strangers;
        from = page.next;
    } while (code == 0 && page.more);
    hg_buf_done(&line);
    hg_table_done(&table);
    if (code == 0 && letters == 0)
        hg_errand_complain(errand, "there are no dead letters in %s", stream);
    if (code == 0 && older)
        hg_errand_complain(errand, "there are older ones; --count 0 shows all");
    if (code == 0 && strangers > 0)
        hg_errand_complain(errand, "%zu entries of %s are no dead letters", strangers, stream);
    return code;
}

int hg_deadletter_list(const struct hg_errand *errand, struct hg_box *box)
{
    bool one = errand->key || errand->value[HG_ERRAND_TOPIC];
    return one ? list_letters(errand, box, box->streams[0]) : list_streams(errand, box);
}
