/* fuzz_json.c – the scanner against jansson: the same texts are JSON, and every part found is where it should be. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "support/json_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

static void check_string(struct hg_json string)
{
    struct hg_buf text, again;
    hg_buf_init(&text, 1u << 20);
    hg_buf_init(&again, 1u << 20);
    if (hg_ok(hg_json_string_decode(string, &text))) {
        CHECK(hg_utf8_valid(hg_buf_slice(&text)));
        /* Written again it is read as the same. */
        hg_json_put_string(&again, hg_buf_slice(&text));
        struct hg_json written;
        CHECK(hg_ok(hg_json_parse(hg_buf_slice(&again), &written, NULL)) && written.type == HG_JSON_STRING);
        hg_buf_put_char(&text, '\0');
        bool holds_nul = strlen(text.ptr) != text.len - 1;
        CHECK(hg_json_string_is(written, text.ptr) == !holds_nul);
        CHECK(hg_json_string_is(string, text.ptr) == !holds_nul);
    } else {
        CHECK(text.len == 0);
    }
    hg_buf_done(&text);
    hg_buf_done(&again);
}

/* Every part is JSON by itself and of the type that was told; parts stand one behind the other, inside their container.
 */
static void check_value(struct hg_json value, unsigned depth)
{
    struct hg_json alone, key, part;
    CHECK(hg_ok(hg_json_parse(value.raw, &alone, NULL)));
    CHECK(alone.type == value.type && alone.raw.ptr == value.raw.ptr && alone.raw.len == value.raw.len);
    uint64_t number;
    hg_json_u64(value, &number);
    if (value.type == HG_JSON_STRING)
        check_string(value);
    if ((value.type != HG_JSON_ARRAY && value.type != HG_JSON_OBJECT) || depth == 0)
        return;
    struct hg_json_iter iter = hg_json_iter(value);
    const char *at = value.raw.ptr + 1, *end = value.raw.ptr + value.raw.len - 1;
    for (;;) {
        if (value.type == HG_JSON_OBJECT) {
            if (!hg_json_next_member(&iter, &key, &part))
                break;
            CHECK(key.raw.ptr >= at && key.raw.ptr + key.raw.len < part.raw.ptr);
            check_string(key);
        } else if (!hg_json_next_element(&iter, &part)) {
            break;
        }
        CHECK(part.raw.ptr >= at && part.raw.ptr + part.raw.len <= end);
        at = part.raw.ptr + part.raw.len;
        check_value(part, depth - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_slice text = hg_slice(data, size);
    struct hg_json value;
    size_t at = SIZE_MAX, cut = SIZE_MAX;
    bool ok = hg_ok(hg_json_parse(text, &value, &at));
    size_t deepest = 0; /* brackets in strings count too: a bound */
    for (size_t i = 0; i < size; i++)
        deepest += data[i] == '[' || data[i] == '{';
    enum hgt_opinion opinion = hgt_json_opinion(text);
    if (opinion != HGT_NO_OPINION && (opinion == HGT_NOT_JSON || deepest <= HG_JSON_DEPTH_MAX))
        CHECK(ok == (opinion == HGT_JSON));
    if (ok) {
        check_value(value, 6);
    } else {
        CHECK(at <= size);
        CHECK(hg_ok(hg_json_parse(hg_slice_first(text, at), NULL, &cut)) || cut == at);
    }
    return 0;
}
