/* Two lines, each perhaps an id or a cursor: what parses is written back as the same bytes, what does not fails by an
 * independent reading too, and ids obey their algebra. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "stream/cursor.h"
#include "stream/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* By the C library, on a terminated copy: digits only, no zero in front, in range. */
static bool naive_u64(const char *text, uint64_t *ret_number)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || text[len] != '\0' || (len > 1 && text[0] == '0'))
        return false;
    errno = 0;
    *ret_number = strtoull(text, NULL, 10);
    return errno == 0;
}

static bool naive_id(struct hg_slice text, hg_stream_id *ret_id)
{
    char copy[HG_STREAM_ID_TEXT_MAX + 1];
    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    char *dash = strchr(copy, '-');
    if (!dash)
        return false;
    *dash = '\0';
    return naive_u64(copy, &ret_id->ms) && naive_u64(dash + 1, &ret_id->seq);
}

static bool check_id(struct hg_slice text, hg_stream_id *ret_id)
{
    hg_stream_id id = {7, 7}, naive = {0, 0};
    bool parsed = hg_stream_id_parse(text, &id);
    HG_ASSERT(parsed == naive_id(text, &naive));
    if (!parsed) {
        HG_ASSERT(id.ms == 7 && id.seq == 7);
        return false;
    }
    HG_ASSERT(hg_stream_id_cmp(id, naive) == 0);
    struct hg_buf buf;
    hg_buf_init(&buf, HG_STREAM_ID_TEXT_MAX);
    hg_stream_id_put(&buf, id);
    HG_ASSERT(hg_ok(hg_buf_result(&buf)) && hg_slice_eq(hg_buf_slice(&buf), text));
    hg_buf_done(&buf);

    hg_stream_id next, prev, back;
    if (hg_stream_id_next(id, &next))
        HG_ASSERT(hg_stream_id_cmp(id, next) < 0 && hg_stream_id_prev(next, &back) && hg_stream_id_cmp(back, id) == 0);
    else
        HG_ASSERT(hg_stream_id_cmp(id, HG_STREAM_ID_MAX) == 0);
    if (hg_stream_id_prev(id, &prev))
        HG_ASSERT(hg_stream_id_cmp(prev, id) < 0 && hg_stream_id_next(prev, &back) && hg_stream_id_cmp(back, id) == 0);
    else
        HG_ASSERT(hg_stream_id_cmp(id, HG_STREAM_ID_ZERO) == 0);
    *ret_id = id;
    return true;
}

static void check_cursor(struct hg_slice text)
{
    struct hg_cursor cursor;
    if (!hg_cursor_parse(text, &cursor))
        return;
    hg_stream_id id;
    HG_ASSERT(check_id(hg_slice_first(text, text.len - 9), &id) && hg_stream_id_cmp(id, cursor.id) == 0);
    struct hg_buf buf;
    hg_buf_init(&buf, HG_CURSOR_TEXT_MAX);
    hg_cursor_put(&buf, cursor);
    HG_ASSERT(hg_ok(hg_buf_result(&buf)) && hg_slice_eq(hg_buf_slice(&buf), text));
    hg_buf_done(&buf);
}

/* The input as an id's fingerprint: what a client got once must be parsed again. */
static void check_fingerprint(struct hg_slice a, struct hg_slice b, hg_stream_id id)
{
    struct hg_slice fields[] = {a, b};
    struct hg_cursor cursor = {id, hg_fingerprint(fields, 2)}, back;
    HG_ASSERT(cursor.fingerprint == hg_fingerprint(fields, 2));
    struct hg_buf buf;
    hg_buf_init(&buf, HG_CURSOR_TEXT_MAX);
    hg_cursor_put(&buf, cursor);
    HG_ASSERT(hg_cursor_parse(hg_buf_slice(&buf), &back) && back.fingerprint == cursor.fingerprint);
    HG_ASSERT(hg_stream_id_cmp(back.id, id) == 0);
    hg_buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_slice all = hg_slice(data, size);
    const char *end = size > 0 ? memchr(data, '\n', size) : NULL;
    struct hg_slice a = end ? hg_slice_first(all, (size_t)(end - all.ptr)) : all, b = hg_slice_from(all, a.len + 1);
    hg_stream_id x, y;
    bool is_x = check_id(a, &x), is_y = check_id(b, &y);
    if (is_x && is_y) {
        int order = hg_stream_id_cmp(x, y);
        HG_ASSERT(order == -hg_stream_id_cmp(y, x));
        HG_ASSERT((order == 0) == hg_slice_eq(a, b)); /* one text for each id */
        hg_stream_id next;
        if (hg_stream_id_next(x, &next) && order < 0)
            HG_ASSERT(hg_stream_id_cmp(next, y) <= 0);
    }
    check_cursor(a);
    check_cursor(b);
    check_fingerprint(a, b, is_x ? x : HG_STREAM_ID_MAX);
    return 0;
}
