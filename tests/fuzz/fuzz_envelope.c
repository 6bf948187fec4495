/* fuzz_envelope.c – whatever a publisher sends: one member of an event message, from which the bytes can be had back.
 * The input is the payload; cut at newlines it is also the fields of an entry. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "event/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())
#define FIELDS_MAX       400

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = memchr(digits, c, 64);
    CHECK(found);
    return (int)(found - digits);
}

static void check_base64(struct hg_slice text, struct hg_slice bytes)
{
    CHECK(text.len == (bytes.len + 2) / 3 * 4);
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned both = (unsigned)digit(text.ptr[i * 8 / 6]) << 6 | (unsigned)digit(text.ptr[i * 8 / 6 + 1]);
        CHECK((both >> (4 - i * 8 % 6) & 0xff) == (unsigned char)bytes.ptr[i]);
    }
}

static void check_string(struct hg_json string, struct hg_slice text)
{
    struct hg_buf decoded;
    hg_buf_init(&decoded, 1u << 20);
    CHECK(string.type == HG_JSON_STRING && hg_ok(hg_json_string_decode(string, &decoded)));
    CHECK(hg_slice_eq(hg_buf_slice(&decoded), text));
    hg_buf_done(&decoded);
}

static void check_bytes(struct hg_json value, struct hg_slice bytes)
{
    struct hg_json inner;
    if (hg_utf8_valid(bytes)) {
        check_string(value, bytes);
    } else {
        CHECK(value.type == HG_JSON_OBJECT && hg_json_get(value, "base64", &inner));
        check_base64(hg_slice(inner.raw.ptr + 1, inner.raw.len - 2), bytes);
    }
}

/* The members that the envelope put, as an object of their own. */
static struct hg_json read_member(struct hg_buf *buf, const char *name, struct hg_json *ret_value)
{
    struct hg_json object = {0};
    hg_buf_put_char(buf, '}');
    CHECK(hg_ok(hg_buf_result(buf)));
    if (hg_ok(hg_json_parse(hg_buf_slice(buf), &object, NULL)))
        CHECK(hg_json_get(object, name, ret_value));
    return object; /* raw.ptr NULL: a level too deep for us, since the payload was as deep as may be */
}

static void check_payload(struct hg_slice payload)
{
    struct hg_buf buf;
    struct hg_json value;
    hg_buf_init(&buf, 1u << 20);
    hg_buf_put_char(&buf, '{');
    hg_envelope_put_payload(&buf, payload);
    if (hg_ok(hg_json_parse(payload, NULL, NULL))) {
        CHECK(hg_slice_starts(hg_buf_slice(&buf), HG_LIT("{\"event\":")));
        CHECK(hg_slice_eq(hg_slice_from(hg_buf_slice(&buf), 9), payload));
    } else if (hg_utf8_valid(payload)) {
        CHECK(read_member(&buf, "text", &value).raw.ptr);
        check_string(value, payload);
    } else {
        CHECK(read_member(&buf, "base64", &value).raw.ptr);
        check_base64(hg_slice(value.raw.ptr + 1, value.raw.len - 2), payload);
    }
    hg_buf_done(&buf);
}

static void check_entry(const struct hg_slice *fields, size_t count)
{
    struct hg_buf buf;
    struct hg_json event, key, value;
    hg_buf_init(&buf, 1u << 20);
    hg_buf_put_char(&buf, '{');
    hg_envelope_put_entry(&buf, fields, count, HG_LIT("event"));
    for (size_t i = 0; i < count; i += 2)
        if (hg_slice_is(fields[i], "event"))
            goto out; /* a payload: checked elsewhere */
    if (!read_member(&buf, "event", &event).raw.ptr)
        goto out;
    /* Each member is the last field of its name; names that are UTF-8 can be traced. */
    struct hg_json_iter iter = hg_json_iter(event);
    size_t members = 0, expected = 0, bad = 0;
    for (; hg_json_next_member(&iter, &key, &value); members++) {
        struct hg_json_iter others = iter;
        struct hg_json other_key, other_value;
        while (hg_json_next_member(&others, &other_key, &other_value))
            CHECK(!hg_slice_eq(key.raw, other_key.raw));
    }
    for (size_t i = 0; i < count; i += 2) {
        bool last = true;
        for (size_t j = i + 2; j < count; j += 2)
            last = last && !hg_slice_eq(fields[i], fields[j]);
        if (!last)
            continue;
        if (!hg_utf8_valid(fields[i])) {
            bad++;
            continue;
        }
        expected++;
        struct hg_buf name;
        hg_buf_init(&name, 1u << 20);
        hg_json_put_string(&name, fields[i]);
        bool found = false;
        for (iter = hg_json_iter(event); !found && hg_json_next_member(&iter, &key, &value);)
            found = hg_slice_eq(key.raw, hg_buf_slice(&name));
        CHECK(found);
        hg_buf_done(&name);
        struct hg_json data;
        if (memmem(fields[i].ptr, fields[i].len, "\xef\xbf\xbd", 3))
            continue; /* a bad name may be written as this one */
        if (hg_slice_is(fields[i], "data") && hg_ok(hg_json_parse(fields[i + 1], &data, NULL)))
            CHECK(hg_slice_eq(value.raw, data.raw));
        else
            check_bytes(value, fields[i + 1]);
    }
    CHECK(members >= expected && members <= expected + bad);
out:
    hg_buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_slice input = hg_slice(data, size), fields[FIELDS_MAX];
    check_payload(input);

    size_t count = 0;
    for (struct hg_slice rest = input; rest.len > 0 && count < FIELDS_MAX;) {
        const char *newline = memchr(rest.ptr, '\n', rest.len);
        size_t len = newline ? (size_t)(newline - rest.ptr) : rest.len;
        fields[count++] = hg_slice_first(rest, len);
        rest = hg_slice_from(rest, len + 1);
    }
    check_entry(fields, count & ~(size_t)1);

    struct hg_buf id;
    hg_buf_init(&id, 1u << 20);
    if (hg_envelope_event_id(input, &id))
        CHECK(hg_utf8_valid(hg_buf_slice(&id)));
    else
        CHECK(id.len == 0 && hg_ok(hg_buf_result(&id)));
    hg_buf_done(&id);
    return 0;
}
