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

bool hg_reply_is_denial(const struct hg_reply *reply)
{
    return hg_reply_is_error(reply, "NOPERM") ||
           (reply->type == HG_REPLY_ERROR && hg_slice_starts(reply->text, HG_LIT("ERR unknown")));
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

static bool number_of(const struct hg_reply *reply, uint64_t *ret_number)
{
    if (reply->type != HG_REPLY_INTEGER || reply->integer < 0)
        return false;
    *ret_number = (uint64_t)reply->integer;
    return true;
}

static bool id_of(const struct hg_reply *reply, hg_stream_id *ret_id)
{
    return reply->type == HG_REPLY_STRING && hg_stream_id_parse(reply->text, ret_id);
}

bool hg_reply_stream_info(const struct hg_reply *reply, struct hg_stream_info *ret_info, struct hg_entry *ret_first,
                          struct hg_entry *ret_last)
{
    struct hg_stream_info info = {.exists = true};
    struct hg_entry first = {.id = HG_STREAM_ID_ZERO}, last = {.id = HG_STREAM_ID_ZERO};
    bool length = false, generated = false, first_known = false, added = false, deleted = false;
    if (reply->type == HG_REPLY_ERROR && hg_slice_eq(reply->text, HG_LIT("ERR no such key"))) {
        info = (struct hg_stream_info){.counts = true};
    } else {
        if (reply->type != HG_REPLY_ARRAY || reply->count % 2 != 0)
            return false;
        for (size_t i = 0; i < reply->count; i += 2) {
            const struct hg_reply *name = &reply->items[i], *value = &reply->items[i + 1];
            if (hg_reply_is(name, "length"))
                length = number_of(value, &info.length);
            else if (hg_reply_is(name, "last-generated-id"))
                generated = id_of(value, &info.last_generated);
            else if (hg_reply_is(name, "entries-added"))
                added = number_of(value, &info.added);
            else if (hg_reply_is(name, "max-deleted-entry-id"))
                deleted = id_of(value, &info.max_deleted);
            else if (hg_reply_is(name, "first-entry"))
                first_known = hg_reply_entry(value, &first);
            else if (hg_reply_is(name, "last-entry") && !hg_reply_entry(value, &last) && value->type != HG_REPLY_NIL)
                return false;
        }
        /* A server has both of the two or none. */
        if (!length || !generated || added != deleted || (info.length > 0 && (!first_known || last.field_count == 0)))
            return false;
        info.first = first.id;
        info.counts = added && deleted;
    }
    *ret_info = info;
    if (ret_first)
        *ret_first = first;
    if (ret_last)
        *ret_last = last;
    return true;
}
