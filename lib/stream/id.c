#include "stream/id.h"

bool hg_stream_id_next(hg_stream_id id, hg_stream_id *ret_next)
{
    if (id.ms == UINT64_MAX && id.seq == UINT64_MAX)
        return false;
    *ret_next = id.seq < UINT64_MAX ? (hg_stream_id){id.ms, id.seq + 1} : (hg_stream_id){id.ms + 1, 0};
    return true;
}

bool hg_stream_id_prev(hg_stream_id id, hg_stream_id *ret_prev)
{
    if (id.ms == 0 && id.seq == 0)
        return false;
    *ret_prev = id.seq > 0 ? (hg_stream_id){id.ms, id.seq - 1} : (hg_stream_id){id.ms - 1, UINT64_MAX};
    return true;
}

/* Takes the digits at the front of `text`; false when there are none, too many, or a needless zero in front. */
static bool take_u64(struct hg_slice *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t len = 0;
    for (; len < text->len && text->ptr[len] >= '0' && text->ptr[len] <= '9'; len++) {
        uint64_t digit = (uint64_t)(text->ptr[len] - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (len == 0 || (len > 1 && text->ptr[0] == '0'))
        return false;
    *text = hg_slice_from(*text, len);
    *ret_number = number;
    return true;
}

bool hg_stream_id_parse(struct hg_slice text, hg_stream_id *ret_id)
{
    hg_stream_id id;
    if (!take_u64(&text, &id.ms) || !hg_slice_starts(text, HG_LIT("-")))
        return false;
    text = hg_slice_from(text, 1);
    if (!take_u64(&text, &id.seq) || text.len > 0)
        return false;
    *ret_id = id;
    return true;
}

void hg_stream_id_put(struct hg_buf *buf, hg_stream_id id)
{
    hg_buf_put_u64(buf, id.ms);
    hg_buf_put_char(buf, '-');
    hg_buf_put_u64(buf, id.seq);
}
