/* fuzz_schema.c – the first line is a schema, the rest an event. Whatever they are, nothing breaks: a schema is taken
 * or refused with one line; an event passes, or is told a place that is in it and one sentence; the same twice, and
 * also when the schema stands inside of others that mean the same. */
#include <stdint.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "schema/dom.h"
#include "schema/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct hg_buf *line)
{
    HG_ASSERT(line->len > 0 && line->error == HG_ERR_OK);
    HG_ASSERT(hg_utf8_valid(hg_buf_slice(line)));
    for (size_t i = 0; i < line->len; i++)
        HG_ASSERT((unsigned char)line->ptr[i] >= 0x20 && line->ptr[i] != 0x7f);
}

static hg_result check_event(const struct hg_schema *schema, struct hg_slice event)
{
    struct hg_buf pointer, message;
    struct hg_dom dom;
    struct hg_dom_error error;
    hg_buf_init(&pointer, 1u << 20);
    hg_buf_init(&message, 1u << 20);
    hg_result r = hg_schema_check(schema, event, &pointer, &message);
    hg_result read = hg_dom_read(event, &dom, &error);
    if (hg_ok(r)) {
        HG_ASSERT(hg_ok(read) && pointer.len == 0 && message.len == 0);
    } else {
        HG_ASSERT(r.code == HG_ERR_EVENT_INVALID || (r.code == HG_ERR_LIMIT_EXCEEDED && hg_ok(read)));
        check_line(&message);
        if (hg_ok(read))
            HG_ASSERT(hg_dom_at(&dom, 0, hg_buf_slice(&pointer)) != HG_DOM_NONE);
    }
    hg_dom_done(&dom);
    hg_buf_done(&pointer);
    hg_buf_done(&message);
    return r;
}

/* The same schema in another's clothes must answer the same. */
static void check_wrapped(const char *front, struct hg_slice text, const char *back, struct hg_slice event, bool passes)
{
    struct hg_schema *schema = NULL;
    struct hg_buf wrapped, why;
    hg_buf_init(&wrapped, 1u << 20);
    hg_buf_init(&why, 1u << 20);
    hg_buf_put_str(&wrapped, front);
    hg_buf_put(&wrapped, text);
    hg_buf_put_str(&wrapped, back);
    if (hg_ok(hg_schema_compile(hg_buf_slice(&wrapped), &schema, &why))) {
        hg_result r = check_event(schema, event);
        HG_ASSERT(r.code == HG_ERR_LIMIT_EXCEEDED || hg_ok(r) == passes);
    }
    hg_schema_free(schema);
    hg_buf_done(&wrapped);
    hg_buf_done(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_slice rest = hg_slice(data, size);
    const char *end = size > 0 ? memchr(rest.ptr, '\n', size) : NULL;
    struct hg_slice text = hg_slice_first(rest, end ? (size_t)(end - rest.ptr) : size);
    struct hg_slice event = hg_slice_from(rest, text.len + 1);
    struct hg_schema *schema = NULL;
    struct hg_buf why;
    hg_buf_init(&why, 1u << 20);
    hg_result r = hg_schema_compile(text, &schema, &why);
    if (hg_ok(r)) {
        HG_ASSERT(why.len == 0);
        r = check_event(schema, event);
        HG_ASSERT(check_event(schema, event).code == r.code);
        /* References of the schema would lead elsewhere when it stands inside of another. */
        if (r.code != HG_ERR_LIMIT_EXCEEDED && !memmem(text.ptr, text.len, "ref", 3)) {
            check_wrapped("{\"allOf\":[", text, "]}", event, hg_ok(r));
            check_wrapped("{\"anyOf\":[false,", text, "]}", event, hg_ok(r));
            check_wrapped("{\"not\":{\"not\":", text, "}}", event, hg_ok(r));
            check_wrapped("{\"if\":", text, ",\"else\":false}", event, hg_ok(r));
        }
    } else {
        HG_ASSERT(r.code == HG_ERR_BAD_REQUEST && !schema);
        check_line(&why);
    }
    hg_schema_free(schema);
    hg_buf_done(&why);
    return 0;
}
