#include "schema/refusal.h"

#include "base/visible.h"

#define FOUND_BYTES_MAX 80

void hg_refusal_begin(const struct hg_dom *dom, uint32_t node, struct hg_buf *reterr)
{
    struct hg_buf pointer;
    hg_buf_init(&pointer, HG_DOM_BYTES_MAX);
    hg_buf_clear(reterr);
    hg_dom_put_pointer(dom, node, &pointer);
    hg_buf_put_char(reterr, '#');
    hg_visible_put(hg_buf_slice(&pointer), SIZE_MAX, reterr);
    if (!hg_ok(hg_buf_result(&pointer)))
        reterr->error = HG_ERR_NOMEM;
    hg_buf_done(&pointer);
    hg_buf_put_str(reterr, ": found ");
}

/* A refusal stands even when its line had to be cut; only memory that is lacking is another matter. */
static hg_result refusal(const struct hg_buf *reterr)
{
    return reterr->error == HG_ERR_NOMEM ? HG_FAIL(NOMEM) : HG_FAIL(BAD_REQUEST);
}

hg_result hg_refusal_end(const char *allowed, struct hg_buf *reterr)
{
    hg_buf_put_str(reterr, "; allowed: ");
    hg_buf_put_str(reterr, allowed);
    return refusal(reterr);
}

void hg_put_value(const struct hg_dom *dom, uint32_t node, struct hg_buf *into)
{
    uint32_t count = dom->nodes[node].count;
    switch (dom->nodes[node].type) {
    case HG_JSON_OBJECT:
        hg_buf_put_str(into, count > 0 ? "an object" : "an empty object");
        break;
    case HG_JSON_ARRAY:
        if (count == 0)
            hg_buf_put_str(into, "an empty array");
        else
            hg_buf_printf(into, "an array of %u element%s", count, count == 1 ? "" : "s");
        break;
    case HG_JSON_STRING:
        hg_buf_put_char(into, '"');
        hg_visible_put(hg_dom_text(dom, node), FOUND_BYTES_MAX, into);
        hg_buf_put_char(into, '"');
        break;
    default:
        hg_visible_put(hg_dom_text(dom, node), FOUND_BYTES_MAX, into);
    }
}

hg_result hg_refuse_value(const struct hg_dom *dom, uint32_t node, const char *allowed, struct hg_buf *reterr)
{
    hg_refusal_begin(dom, node, reterr);
    hg_put_value(dom, node, reterr);
    return hg_refusal_end(allowed, reterr);
}

hg_result hg_refuse_word(const struct hg_dom *dom, uint32_t node, const char *meant, struct hg_buf *reterr)
{
    hg_refusal_begin(dom, node, reterr);
    hg_buf_put_str(reterr, "a keyword that does not exist; did you mean ");
    hg_buf_put_str(reterr, meant);
    hg_buf_put_str(reterr, "? Words of your own may begin with x-");
    return refusal(reterr);
}

static void put_line_and_column(struct hg_slice text, size_t offset, struct hg_buf *into)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < offset; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text.ptr[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    hg_buf_printf(into, "line %zu, column %zu: found ", line, column);
}

hg_result hg_refuse_text(struct hg_slice text, const struct hg_dom *dom, const struct hg_dom_error *error,
                         struct hg_buf *reterr)
{
    switch (error->fault) {
    case HG_DOM_NOT_JSON:
        hg_buf_clear(reterr);
        put_line_and_column(text, error->at, reterr);
        if (error->at == text.len) {
            hg_buf_put_str(reterr, "the end of the text");
        } else {
            struct hg_slice rest = hg_slice_from(text, error->at);
            size_t len = hg_visible_char(rest);
            hg_buf_put_char(reterr, '"');
            hg_visible_put(hg_slice_first(rest, len > 0 ? len : 1), SIZE_MAX, reterr);
            hg_buf_put_char(reterr, '"');
        }
        return hg_refusal_end("JSON (RFC 8259), up to 512 brackets inside each other", reterr);
    case HG_DOM_NAME_TWICE:
        hg_refusal_begin(dom, error->node, reterr);
        hg_buf_put_str(reterr, "a name that stands in this object before");
        return hg_refusal_end("each name once", reterr);
    case HG_DOM_HALF_OF_A_PAIR:
        hg_refusal_begin(dom, error->node, reterr);
        hg_buf_put_str(reterr, "half of a surrogate pair");
        return hg_refusal_end("Unicode text", reterr);
    default:
        return hg_refuse_value(dom, error->node, "exponents up to 15 digits", reterr);
    }
}
