#include "deadletter/letter.h"

#include <stdio.h>
#include <time.h>

#include "base/json.h"
#include "base/utf8.h"
#include "base/visible.h"
#include "event/envelope.h"

#define YEAR_10000_S 253402300800ull
#define SHOWN_MOST   4096

#define FIELDS(X) X(event) X(id) X(topic) X(code) X(reason) X(message) X(pointer) X(user) X(session) X(ip)

bool hg_letter_read(const struct hg_entry *entry, struct hg_letter *ret_letter)
{
    struct hg_letter letter = {.entry = entry->id};
    for (size_t i = 0; i + 1 < entry->field_count; i += 2) {
        struct hg_slice name = entry->fields[i].text, value = entry->fields[i + 1].text;
        if (!value.ptr)
            value.ptr = "";
#define X(field)                                                                                                       \
    if (hg_slice_is(name, #field) && !letter.field.ptr)                                                                \
        letter.field = value;
        FIELDS(X)
#undef X
    }
    if (!letter.event.ptr || !letter.topic.ptr || !letter.code.ptr || !letter.reason.ptr)
        return false;
    *ret_letter = letter;
    return true;
}

void hg_letter_put_time(struct hg_buf *into, hg_stream_id entry, bool with_ms)
{
    char text[32];
    struct tm utc;
    time_t seconds = (time_t)(entry.ms / 1000);
    if (entry.ms / 1000 >= YEAR_10000_S || !gmtime_r(&seconds, &utc)) {
        hg_buf_put_char(into, '-');
        return;
    }
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    hg_buf_put_str(into, text);
    if (with_ms)
        hg_buf_printf(into, ".%03u", (unsigned)(entry.ms % 1000));
    hg_buf_put_char(into, 'Z');
}

static void put_known(struct hg_buf *into, struct hg_slice value, size_t most)
{
    if (value.len > 0)
        hg_visible_put(value, most, into);
    else
        hg_buf_put_char(into, '-');
}

void hg_letter_put_sender(struct hg_buf *into, const struct hg_letter *letter, size_t session_most)
{
    put_known(into, letter->user, SHOWN_MOST);
    hg_buf_put_char(into, '/');
    put_known(into, letter->session, session_most);
    hg_buf_put_char(into, '/');
    put_known(into, letter->ip, SHOWN_MOST);
}

static const char *kind_of(struct hg_slice event)
{
    if (hg_ok(hg_json_parse(event, NULL, NULL)))
        return "event";
    return hg_utf8_valid(event) ? "text" : "base64";
}

static void put_fact(struct hg_buf *into, const char *name, struct hg_slice value)
{
    if (value.len == 0)
        return;
    hg_buf_printf(into, "%-8s ", name);
    hg_visible_put(value, SHOWN_MOST, into);
    hg_buf_put_char(into, '\n');
}

void hg_letter_put_facts(struct hg_buf *into, struct hg_slice stream, const struct hg_letter *letter)
{
    put_fact(into, "stream", stream);
    hg_buf_put_str(into, "entry    ");
    hg_stream_id_put(into, letter->entry);
    hg_buf_put_str(into, "\ntime     ");
    hg_letter_put_time(into, letter->entry, true);
    hg_buf_put_char(into, '\n');
    put_fact(into, "topic", letter->topic);
    put_fact(into, "code", letter->code);
    put_fact(into, "reason", letter->reason);
    put_fact(into, "message", letter->message);
    put_fact(into, "pointer",
             letter->pointer.len > 0 || !letter->pointer.ptr ? letter->pointer : HG_LIT("(the whole event)"));
    put_fact(into, "id", letter->id);
    put_fact(into, "user", letter->user);
    put_fact(into, "session", letter->session);
    put_fact(into, "ip", letter->ip);
    hg_buf_printf(into, "size     %zu bytes\n\n%s\n", letter->event.len, kind_of(letter->event));
}

void hg_letter_put_json_text(struct hg_buf *into, struct hg_slice text)
{
    if (hg_utf8_valid(text)) {
        hg_json_put_string(into, text);
        return;
    }
    struct hg_buf shown;
    hg_buf_init(&shown, 4 * text.len + 16);
    hg_visible_put(text, SIZE_MAX, &shown);
    hg_json_put_string(into, hg_buf_slice(&shown));
    hg_buf_done(&shown);
}

static void put_member(struct hg_buf *into, const char *name, struct hg_slice value)
{
    if (!value.ptr)
        return;
    hg_buf_printf(into, ",\"%s\":", name);
    hg_letter_put_json_text(into, value);
}

void hg_letter_put_json(struct hg_buf *into, struct hg_slice stream, const struct hg_letter *letter)
{
    hg_buf_put_str(into, "{\"stream\":");
    hg_letter_put_json_text(into, stream);
    hg_buf_put_str(into, ",\"entry\":\"");
    hg_stream_id_put(into, letter->entry);
    hg_buf_put_str(into, "\",\"time\":\"");
    hg_letter_put_time(into, letter->entry, true);
    hg_buf_put_char(into, '"');
    put_member(into, "topic", letter->topic);
    uint64_t code;
    struct hg_json number = {.type = HG_JSON_NUMBER, .raw = letter->code};
    if (hg_json_u64(number, &code))
        hg_buf_printf(into, ",\"code\":%llu", (unsigned long long)code);
    else
        put_member(into, "code", letter->code);
    put_member(into, "reason", letter->reason);
    put_member(into, "message", letter->message);
    put_member(into, "pointer", letter->pointer);
    put_member(into, "id", letter->id);
    put_member(into, "user", letter->user);
    put_member(into, "session", letter->session);
    put_member(into, "ip", letter->ip);
    hg_buf_printf(into, ",\"size\":%zu,", letter->event.len);
    size_t from = into->len;
    hg_envelope_put_payload(into, letter->event);
    /* Line breaks between the parts of a JSON event are white space; one letter is one line here. */
    for (size_t i = from; i < into->len; i++)
        if (into->ptr[i] == '\n' || into->ptr[i] == '\r')
            into->ptr[i] = ' ';
    hg_buf_put_char(into, '}');
}
