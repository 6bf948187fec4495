#include "wire/message.h"

#include "base/assert.h"
#include "base/json.h"
#include "wire/frame.h"

/* Every message is begun with its op, takes members one by one, and is closed. */

static size_t begin(struct hg_buf *buf, const char *op)
{
    size_t mark = hg_frame_begin(buf);
    hg_buf_put_str(buf, "{\"op\":\"");
    hg_buf_put_str(buf, op);
    hg_buf_put_char(buf, '"');
    return mark;
}

static void end(struct hg_buf *buf, size_t mark)
{
    hg_buf_put_char(buf, '}');
    hg_frame_end(buf, mark);
}

static void put_name(struct hg_buf *buf, const char *name)
{
    hg_buf_put_str(buf, ",\"");
    hg_buf_put_str(buf, name);
    hg_buf_put_str(buf, "\":");
}

static void put_text(struct hg_buf *buf, const char *name, struct hg_slice text)
{
    put_name(buf, name);
    hg_json_put_string(buf, text);
}

static void put_number(struct hg_buf *buf, const char *name, uint64_t number)
{
    put_name(buf, name);
    hg_buf_put_u64(buf, number);
}

static void put_ref(struct hg_buf *buf, struct hg_slice ref)
{
    if (ref.len == 0)
        return;
    put_name(buf, "ref");
    hg_buf_put(buf, ref);
}

void hg_message_welcome(struct hg_buf *buf, const struct hg_welcome *welcome)
{
    size_t mark = begin(buf, "welcome");
    put_text(buf, "session", welcome->session);
    put_number(buf, "ping_ms", welcome->ping_ms);
    hg_buf_put_str(buf, ",\"limits\":{\"message_bytes\":");
    hg_buf_put_u64(buf, welcome->message_bytes);
    put_number(buf, "event_bytes", welcome->event_bytes);
    put_number(buf, "subscriptions", welcome->subscriptions);
    put_number(buf, "emits", welcome->emits);
    if (welcome->dedupe_window_ms > 0)
        put_number(buf, "dedupe_window_ms", welcome->dedupe_window_ms);
    hg_buf_put_char(buf, '}');
    end(buf, mark);
}

void hg_message_ok_hint(struct hg_buf *buf, struct hg_slice ref, struct hg_slice hint)
{
    size_t mark = begin(buf, "ok");
    put_ref(buf, ref);
    if (hint.len > 0)
        put_text(buf, "hint", hint);
    end(buf, mark);
}

void hg_message_ok(struct hg_buf *buf, struct hg_slice ref)
{
    hg_message_ok_hint(buf, ref, HG_SLICE_NULL);
}

void hg_message_ok_sub(struct hg_buf *buf, struct hg_slice ref, uint64_t sub, struct hg_slice hint)
{
    size_t mark = begin(buf, "ok");
    put_ref(buf, ref);
    put_number(buf, "sub", sub);
    if (hint.len > 0)
        put_text(buf, "hint", hint);
    end(buf, mark);
}

void hg_message_ok_subscribe(struct hg_buf *buf, struct hg_slice ref, uint64_t sub, struct hg_slice hint,
                             const struct hg_place *place, const uint64_t *since_ms)
{
    size_t mark = begin(buf, "ok");
    put_ref(buf, ref);
    put_number(buf, "sub", sub);
    if (place) {
        put_name(buf, "cursor");
        hg_buf_put_char(buf, '"');
        if (!place->proven || hg_stream_id_cmp(place->id, HG_STREAM_ID_ZERO) == 0)
            hg_stream_id_put(buf, place->id);
        else
            hg_cursor_put(buf, (struct hg_cursor){place->id, place->fingerprint});
        hg_buf_put_char(buf, '"');
    }
    if (since_ms)
        put_number(buf, "since", *since_ms);
    if (hint.len > 0)
        put_text(buf, "hint", hint);
    end(buf, mark);
}

void hg_message_ok_explain(struct hg_buf *buf, struct hg_slice ref, bool passes, struct hg_slice why,
                           struct hg_slice hint)
{
    size_t mark = begin(buf, "ok");
    put_ref(buf, ref);
    put_name(buf, "passes");
    hg_buf_put_str(buf, passes ? "true" : "false");
    if (why.len > 0) {
        put_name(buf, "explain");
        hg_buf_put(buf, why);
    }
    if (hint.len > 0)
        put_text(buf, "hint", hint);
    end(buf, mark);
}

void hg_message_ok_emit(struct hg_buf *buf, struct hg_slice ref, struct hg_slice cursor, bool duplicate,
                        struct hg_slice durability)
{
    size_t mark = begin(buf, "ok");
    put_ref(buf, ref);
    put_text(buf, "cursor", cursor);
    put_name(buf, "duplicate");
    hg_buf_put_str(buf, duplicate ? "true" : "false");
    if (durability.len > 0)
        put_text(buf, "durability", durability);
    end(buf, mark);
}

void hg_message_caught_up(struct hg_buf *buf, uint64_t sub)
{
    size_t mark = begin(buf, "caught_up");
    put_number(buf, "sub", sub);
    end(buf, mark);
}

void hg_message_gap(struct hg_buf *buf, uint64_t sub, struct hg_slice topic, enum hg_gap reason, uint64_t count)
{
    size_t mark = begin(buf, "gap");
    put_number(buf, "sub", sub);
    put_text(buf, "topic", topic);
    put_text(buf, "reason", hg_slice_str(hg_gap_row(reason)->word));
    if (count > 0)
        put_number(buf, "count", count);
    end(buf, mark);
}

void hg_message_conflated(struct hg_buf *buf, uint64_t sub, uint64_t count)
{
    size_t mark = begin(buf, "conflated");
    put_number(buf, "sub", sub);
    put_number(buf, "count", count);
    end(buf, mark);
}

void hg_message_alive(struct hg_buf *buf, bool live, uint64_t sub, struct hg_slice topic)
{
    size_t mark = begin(buf, live ? "live" : "stale");
    put_number(buf, "sub", sub);
    put_name(buf, "topics");
    hg_buf_put_char(buf, '[');
    hg_json_put_string(buf, topic);
    hg_buf_put_char(buf, ']');
    end(buf, mark);
}

static size_t begin_error(struct hg_buf *buf, struct hg_slice ref, enum hg_error code, struct hg_slice message)
{
    HG_ASSERT(code != HG_ERR_OK);
    const struct hg_error_row *row = hg_error_row(code);
    if (row->wire_code == 0)
        row = hg_error_row(HG_ERR_INTERNAL);
    size_t mark = begin(buf, "error");
    put_ref(buf, ref);
    put_number(buf, "code", (uint64_t)row->wire_code);
    put_text(buf, "reason", hg_slice_str(row->reason));
    put_text(buf, "message", message.len > 0 ? message : hg_slice_str(row->text));
    return mark;
}

void hg_message_error_event(struct hg_buf *buf, struct hg_slice ref, enum hg_error code, struct hg_slice message,
                            struct hg_slice pointer)
{
    size_t mark = begin_error(buf, ref, code, message);
    if (pointer.ptr)
        put_text(buf, "pointer", pointer);
    end(buf, mark);
}

void hg_message_error_untried(struct hg_buf *buf, struct hg_slice ref, enum hg_error code, struct hg_slice message,
                              uint64_t retry_ms)
{
    size_t mark = begin_error(buf, ref, code, message);
    put_number(buf, "retry_ms", retry_ms);
    hg_buf_put_str(buf, ",\"tried\":false");
    end(buf, mark);
}

void hg_message_error(struct hg_buf *buf, struct hg_slice ref, enum hg_error code, struct hg_slice message, size_t at,
                      uint64_t retry_ms)
{
    size_t mark = begin_error(buf, ref, code, message);
    if (at != SIZE_MAX)
        put_number(buf, "at", at);
    if (retry_ms > 0)
        put_number(buf, "retry_ms", retry_ms);
    end(buf, mark);
}

void hg_message_goodbye(struct hg_buf *buf, const char *reason, uint64_t reconnect_ms)
{
    size_t mark = begin(buf, "goodbye");
    put_text(buf, "reason", hg_slice_str(reason));
    put_number(buf, "reconnect_ms", reconnect_ms);
    end(buf, mark);
}

void hg_message_event_tail(struct hg_buf *buf, struct hg_slice topic, const struct hg_cursor *cursor,
                           struct hg_slice member)
{
    put_text(buf, "topic", topic);
    if (cursor) {
        put_name(buf, "cursor");
        hg_buf_put_char(buf, '"');
        hg_cursor_put(buf, *cursor);
        hg_buf_put_char(buf, '"');
    }
    hg_buf_put_char(buf, ',');
    hg_buf_put(buf, member);
    hg_buf_put_char(buf, '}');
}

/* The hot path: once for each group that an event matches. */
void hg_message_event(struct hg_buf *buf, uint64_t sub, struct hg_slice tail)
{
    static const char head[] = "{\"op\":\"event\",\"sub\":";
    char digits[20], *first = digits + sizeof(digits);
    do {
        *--first = (char)('0' + sub % 10);
        sub /= 10;
    } while (sub > 0);
    size_t digit_count = (size_t)(digits + sizeof(digits) - first);
    size_t len = sizeof(head) - 1 + digit_count + tail.len;
    size_t header = hg_frame_header_len(len);

    char *to = hg_buf_reserve(buf, header + len);
    if (!to)
        return;
    buf->len += header + len;
    to += hg_frame_write_text_header(to, len);
    memcpy(to, head, sizeof(head) - 1);
    to += sizeof(head) - 1;
    memcpy(to, first, digit_count);
    to += digit_count;
    if (tail.len > 0)
        memcpy(to, tail.ptr, tail.len);
}
