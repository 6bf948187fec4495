#include "core/reply.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool hg_reply_is_array(const struct hg_reply *reply, size_t count)
{
    return reply->type == HG_REPLY_ARRAY && reply->count == count;
}

bool hg_reply_is(const struct hg_reply *reply, const char *text)
{
    if (reply->type != HG_REPLY_STRING && reply->type != HG_REPLY_STATUS)
        return false;
    struct hg_slice wanted = hg_slice_str(text);
    if (reply->text.len != wanted.len)
        return false;
    for (size_t i = 0; i < wanted.len; i++) {
        if (lower(reply->text.ptr[i]) != lower(wanted.ptr[i]))
            return false;
    }
    return true;
}

bool hg_reply_is_error(const struct hg_reply *reply, const char *word)
{
    struct hg_slice wanted = hg_slice_str(word);
    return reply->type == HG_REPLY_ERROR && hg_slice_starts(reply->text, wanted) &&
           (reply->text.len == wanted.len || reply->text.ptr[wanted.len] == ' ');
}

bool hg_reply_entry(const struct hg_reply *reply, struct hg_entry *ret_entry)
{
    if (!hg_reply_is_array(reply, 2) || reply->items[0].type != HG_REPLY_STRING)
        return false;
    hg_stream_id id;
    if (!hg_stream_id_parse(reply->items[0].text, &id))
        return false;
    const struct hg_reply *fields = &reply->items[1];
    if (fields->type != HG_REPLY_ARRAY || fields->count % 2 != 0)
        return false;
    for (size_t i = 0; i < fields->count; i++) {
        if (fields->items[i].type != HG_REPLY_STRING)
            return false;
    }
    *ret_entry = (struct hg_entry){.id = id, .fields = fields->items, .field_count = fields->count};
    return true;
}
