/* fuzz_deflate_offer.c – whatever stands in Sec-WebSocket-Extensions: what is agreed was offered, its answer is a list
 * that reads as an offer to the same terms, and what libwebsockets would make of the field does not differ. */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "wire/deflate_offer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has(struct hg_slice text, const char *what)
{
    return text.len > 0 && memmem(text.ptr, text.len, what, strlen(what)) != NULL;
}

/* How often an element between commas begins with the name, as a reader of little wit counts it: outside of quotes
 * there is no comma in a value. */
static unsigned count_offers(struct hg_slice field)
{
    unsigned count = 0;
    struct hg_slice name = HG_LIT(HG_DEFLATE_EXTENSION);
    while (field.len > 0) {
        const char *comma = memchr(field.ptr, ',', field.len);
        size_t len = comma ? (size_t)(comma - field.ptr) : field.len;
        struct hg_slice element = hg_slice_first(field, len);
        while (element.len > 0 && (element.ptr[0] == ' ' || element.ptr[0] == '\t'))
            element = hg_slice_from(element, 1);
        char behind = element.len > name.len ? element.ptr[name.len] : ';';
        count += hg_slice_starts(element, name) && (behind == ';' || behind == ' ' || behind == '\t');
        field = hg_slice_from(field, comma ? len + 1 : len);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* In memory of its own size, so that a read past the end is seen. */
    unsigned bits = 9 + data[0] % 7;
    char *copy = malloc(size);
    HG_ASSERT(copy);
    memcpy(copy, data + 1, size - 1);
    struct hg_slice field = hg_slice(copy, size - 1);
    struct hg_deflate_terms terms = {.offers = 77};
    hg_result result = hg_deflate_offer_choose(field, bits, &terms);
    HG_ASSERT(hg_ok(result) || (result.code == HG_ERR_SYNTAX && terms.offers == 77));
    if (hg_ok(result))
        HG_ASSERT(terms.offers == count_offers(field));
    if (hg_ok(result) && terms.agreed) {
        HG_ASSERT(terms.offers > 0 && has(field, HG_DEFLATE_EXTENSION));
        HG_ASSERT(terms.window_bits == 0 || (terms.window_bits == bits && has(field, "server_max_window_bits")));
        struct hg_buf answer;
        struct hg_deflate_terms again;
        hg_buf_init(&answer, 160);
        hg_deflate_offer_answer(&terms, &answer);
        HG_ASSERT(hg_ok(hg_buf_result(&answer)));
        HG_ASSERT(hg_ok(hg_deflate_offer_choose(hg_buf_slice(&answer), bits, &again)));
        HG_ASSERT(again.agreed && again.offers == 1 && again.window_bits == terms.window_bits);
        hg_buf_done(&answer);
    }
    free(copy);
    return 0;
}
