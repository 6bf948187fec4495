#include "support/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void hgt_stream_add(struct hgt_stream *stream, uint64_t ms, const char *payload)
{
    assert_true(stream->count < HGT_ENTRIES_MAX);
    assert_true(ms > stream->last_generated);
    struct hgt_entry *entry = &stream->entries[stream->count++];
    *entry = (struct hgt_entry){ms, payload, NULL};
    stream->exists = true;
    stream->added++;
    stream->last_generated = ms;
}

void hgt_stream_add_except(struct hgt_stream *stream, uint64_t ms, const char *except)
{
    hgt_stream_add(stream, ms, NULL);
    stream->entries[stream->count - 1].except = except;
}

void hgt_stream_fill(struct hgt_stream *stream, uint64_t from, uint64_t to)
{
    for (uint64_t ms = from; ms <= to; ms++)
        hgt_stream_add(stream, ms, NULL);
}

void hgt_stream_trim(struct hgt_stream *stream, unsigned maxlen)
{
    if (stream->count <= maxlen)
        return;
    memmove(stream->entries, stream->entries + (stream->count - maxlen), maxlen * sizeof(stream->entries[0]));
    stream->count = maxlen;
}

void hgt_stream_del(struct hgt_stream *stream, uint64_t ms)
{
    for (unsigned i = 0; i < stream->count; i++)
        if (stream->entries[i].ms == ms) {
            memmove(stream->entries + i, stream->entries + i + 1, (--stream->count - i) * sizeof(stream->entries[0]));
            stream->max_deleted = ms > stream->max_deleted ? ms : stream->max_deleted;
            return;
        }
    fail_msg("no such entry");
}

void hgt_stream_drop(struct hgt_stream *stream)
{
    stream->exists = false;
    stream->count = 0;
    stream->added = stream->last_generated = stream->max_deleted = 0;
}

void hgt_stream_lose(struct hgt_stream *stream, uint64_t ms)
{
    while (stream->count > 0 && stream->entries[stream->count - 1].ms > ms) {
        stream->count--;
        stream->added--;
    }
    stream->last_generated = ms;
}

static void put_string(struct hg_buf *resp, const char *text)
{
    hg_buf_printf(resp, "$%zu\r\n%s\r\n", strlen(text), text);
}

static void put_id(struct hg_buf *resp, uint64_t ms)
{
    char id[32];
    snprintf(id, sizeof(id), "%llu-0", (unsigned long long)ms);
    put_string(resp, id);
}

static void put_entry(struct hg_buf *resp, const struct hgt_entry *entry)
{
    hg_buf_put_str(resp, "*2\r\n");
    put_id(resp, entry->ms);
    hg_buf_put_str(resp, entry->except ? "*4\r\n" : "*2\r\n");
    put_string(resp, "event");
    char number[24];
    snprintf(number, sizeof(number), "%llu", (unsigned long long)entry->ms);
    put_string(resp, entry->payload ? entry->payload : number);
    if (entry->except) {
        put_string(resp, "except");
        put_string(resp, entry->except);
    }
}

static void put_end(struct hg_buf *resp, const char *name, const struct hgt_entry *entry)
{
    put_string(resp, name);
    if (entry)
        put_entry(resp, entry);
    else
        hg_buf_put_str(resp, "$-1\r\n");
}

static void put_number(struct hg_buf *resp, const char *name, uint64_t number)
{
    put_string(resp, name);
    hg_buf_printf(resp, ":%llu\r\n", (unsigned long long)number);
}

void hgt_stream_info(const struct hgt_stream *stream, struct hg_buf *resp)
{
    const struct hgt_entry *first = stream->count > 0 ? &stream->entries[0] : NULL,
                           *last = stream->count > 0 ? &stream->entries[stream->count - 1] : NULL;
    if (stream->no_info) {
        hg_buf_put_str(resp, "-NOPERM this user has no permissions to run the 'xinfo|stream' command\r\n");
        return;
    }
    if (!stream->exists) {
        hg_buf_put_str(resp, "-ERR no such key\r\n");
        return;
    }
    hg_buf_printf(resp, "*%u\r\n", stream->old ? 14 : 20);
    put_number(resp, "length", stream->count);
    put_number(resp, "radix-tree-keys", 1);
    put_number(resp, "radix-tree-nodes", 2);
    put_string(resp, "last-generated-id");
    put_id(resp, stream->last_generated);
    if (!stream->old) {
        put_string(resp, "max-deleted-entry-id");
        put_id(resp, stream->max_deleted);
        put_number(resp, "entries-added", stream->added);
        put_string(resp, "recorded-first-entry-id");
        put_id(resp, first ? first->ms : 0);
    }
    put_number(resp, "groups", 0);
    put_end(resp, "first-entry", first);
    put_end(resp, "last-entry", last);
}

static bool is_within(const struct hgt_entry *entry, hg_stream_id low, hg_stream_id high)
{
    hg_stream_id id = {entry->ms, 0};
    return hg_stream_id_cmp(id, low) >= 0 && hg_stream_id_cmp(id, high) <= 0;
}

void hgt_stream_range(const struct hgt_stream *stream, hg_stream_id low, hg_stream_id high, uint64_t count,
                      bool backwards, struct hg_buf *resp)
{
    uint64_t there = 0;
    if (stream->no_read) {
        hg_buf_put_str(resp, "-NOPERM this user has no permissions to run the 'xrevrange' command\r\n");
        return;
    }
    for (unsigned i = 0; i < stream->count; i++)
        there += is_within(&stream->entries[i], low, high);
    uint64_t left = there < count ? there : count;
    hg_buf_printf(resp, "*%llu\r\n", (unsigned long long)left);
    for (unsigned i = 0; i < stream->count && left > 0; i++) {
        const struct hgt_entry *entry = &stream->entries[backwards ? stream->count - 1 - i : i];
        if (is_within(entry, low, high)) {
            put_entry(resp, entry);
            left--;
        }
    }
}

bool hgt_stream_read(const struct hgt_stream *stream, hg_stream_id after, uint64_t count, struct hg_buf *resp)
{
    hg_stream_id low;
    if (!hg_stream_id_next(after, &low) || stream->count == 0 || stream->entries[stream->count - 1].ms < low.ms ||
        (stream->entries[stream->count - 1].ms == low.ms && low.seq > 0))
        return false;
    hg_buf_put_str(resp, "*2\r\n");
    put_string(resp, stream->name);
    /* XREAD is not refused where XREVRANGE is. */
    struct hgt_stream copy = *stream;
    copy.no_read = false;
    hgt_stream_range(&copy, low, HG_STREAM_ID_MAX, count, false, resp);
    return true;
}
