#include "event/envelope.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "event/base64.h"

void hg_envelope_put_payload(struct hg_buf *buf, struct hg_slice payload)
{
    if (hg_ok(hg_json_parse(payload, NULL, NULL))) {
        hg_buf_put_str(buf, "\"event\":");
        hg_buf_put(buf, payload);
    } else if (hg_utf8_valid(payload)) {
        hg_buf_put_str(buf, "\"text\":");
        hg_json_put_string(buf, payload);
    } else {
        hg_buf_put_str(buf, "\"base64\":\"");
        hg_base64_put(buf, payload);
        hg_buf_put_char(buf, '"');
    }
}

/* One field of an entry, while doubles are looked for. */
struct row {
    struct hg_slice name; /* as it will be written */
    size_t pair;
};

/* Most entries have a few fields: no allocation for them. */
#define PAIRS_ON_STACK 32

static int by_name_then_pair(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    size_t common = a->name.len < b->name.len ? a->name.len : b->name.len;
    int order = common > 0 ? memcmp(a->name.ptr, b->name.ptr, common) : 0;
    if (order == 0 && a->name.len != b->name.len)
        order = a->name.len < b->name.len ? -1 : 1;
    if (order == 0)
        order = a->pair < b->pair ? -1 : 1;
    return order;
}

static void put_repaired(struct hg_buf *buf, struct hg_slice text)
{
    for (;;) {
        size_t good = hg_utf8_prefix(text);
        hg_buf_put(buf, hg_slice_first(text, good));
        if (good == text.len)
            return;
        hg_buf_put_str(buf, "\xef\xbf\xbd");
        text = hg_slice_from(text, good + 1);
    }
}

/* Fills in each row's name. `repaired` takes the names that had to be changed; its memory is had once, so that it
 * stays. */
static bool name_rows(struct row *rows, const struct hg_slice *fields, size_t pairs, struct hg_buf *repaired)
{
    size_t bad_bytes = 0;
    for (size_t i = 0; i < pairs; i++) {
        rows[i] = (struct row){fields[2 * i], i};
        if (!hg_utf8_valid(rows[i].name))
            bad_bytes += rows[i].name.len;
    }
    if (bad_bytes == 0)
        return true;
    hg_buf_init(repaired, 3 * bad_bytes);
    if (!hg_buf_reserve(repaired, 3 * bad_bytes))
        return false;
    for (size_t i = 0; i < pairs; i++) {
        if (hg_utf8_valid(rows[i].name))
            continue;
        size_t from = repaired->len;
        put_repaired(repaired, rows[i].name);
        rows[i].name = hg_slice(repaired->ptr + from, repaired->len - from);
    }
    return true;
}

static void put_value(struct hg_buf *buf, struct hg_slice name, struct hg_slice value)
{
    if (hg_slice_is(name, "data") && hg_ok(hg_json_parse(value, NULL, NULL))) {
        hg_buf_put(buf, value);
    } else if (hg_utf8_valid(value)) {
        hg_json_put_string(buf, value);
    } else {
        hg_buf_put_str(buf, "{\"base64\":\"");
        hg_base64_put(buf, value);
        hg_buf_put_str(buf, "\"}");
    }
}

/* Publishers choose the names, thousands of them if they like: sorting finds doubles at a cost that no choice of names
 * can raise, which a hash table without a secret key could not promise. */
static void put_fields(struct hg_buf *buf, const struct hg_slice *fields, size_t pairs)
{
    struct row rows_here[PAIRS_ON_STACK], *rows = rows_here;
    struct hg_slice names_here[PAIRS_ON_STACK], *names = names_here; /* by pair; a null pointer: a later one stands */
    struct hg_buf repaired = {0};
    if (pairs > PAIRS_ON_STACK) {
        rows = calloc(pairs, sizeof(*rows));
        names = calloc(pairs, sizeof(*names));
    }
    if (!rows || !names || !name_rows(rows, fields, pairs, &repaired)) {
        if (buf->error == HG_ERR_OK)
            buf->error = HG_ERR_NOMEM;
        goto out;
    }
    if (pairs > 1)
        qsort(rows, pairs, sizeof(*rows), by_name_then_pair);
    for (size_t i = 0; i < pairs; i++) {
        bool last = i + 1 == pairs || !hg_slice_eq(rows[i].name, rows[i + 1].name);
        names[rows[i].pair] =
            last ? (struct hg_slice){rows[i].name.ptr ? rows[i].name.ptr : "", rows[i].name.len} : HG_SLICE_NULL;
    }
    hg_buf_put_str(buf, "\"event\":{");
    const char *comma = "";
    for (size_t i = 0; i < pairs; i++) {
        if (!names[i].ptr)
            continue;
        hg_buf_put_str(buf, comma);
        hg_json_put_string(buf, names[i]);
        hg_buf_put_char(buf, ':');
        put_value(buf, names[i], fields[2 * i + 1]);
        comma = ",";
    }
    hg_buf_put_char(buf, '}');
out:
    if (rows != rows_here)
        free(rows);
    if (names != names_here)
        free(names);
    free(repaired.ptr);
}

void hg_envelope_put_entry(struct hg_buf *buf, const struct hg_slice *fields, size_t count,
                           struct hg_slice payload_field)
{
    HG_ASSERT(count % 2 == 0);
    for (size_t i = 0; i < count; i += 2)
        if (hg_slice_eq(fields[i], payload_field)) {
            hg_envelope_put_payload(buf, fields[i + 1]);
            return;
        }
    put_fields(buf, fields, count / 2);
}

bool hg_envelope_find_id(struct hg_json event, struct hg_json *ret_id)
{
    if (event.type != HG_JSON_OBJECT)
        return false;
    struct hg_json_iter iter = hg_json_iter(event);
    struct hg_json key, value, event_id = {0}, id = {0};
    while (hg_json_next_member(&iter, &key, &value)) {
        if (hg_json_string_is(key, "eventId"))
            event_id = value;
        else if (hg_json_string_is(key, "id"))
            id = value;
    }
    if (event_id.type == HG_JSON_STRING)
        *ret_id = event_id;
    else if (id.type == HG_JSON_STRING)
        *ret_id = id;
    return event_id.type == HG_JSON_STRING || id.type == HG_JSON_STRING;
}

bool hg_envelope_event_id(struct hg_slice event, struct hg_buf *into)
{
    struct hg_json value, id;
    if (!hg_ok(hg_json_parse(event, &value, NULL)) || !hg_envelope_find_id(value, &id))
        return false;
    size_t before = into->len;
    if (hg_ok(hg_json_string_decode(id, into)))
        return true;
    into->len = before;
    return false;
}
