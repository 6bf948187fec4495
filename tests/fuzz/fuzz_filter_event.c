/* The input is an event: what the walk finds at a number of places is what looking for each of them alone finds. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "filter/fields.h"
#include "support/naive_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const paths[] = {
    "id",
    "type",
    "time",
    "subject",
    "topic",
    "a",
    "a.b",
    "a.b.c",
    "a[0]",
    "a[1]",
    "a[0].b",
    "a[2][1]",
    "data",
    "data.x",
    "data.y",
    "data[\"\"]",
    "data[\"a\\u0000b\"]",
    "data.x.y[0]",
    "b",
    "c",
    "data.items[0].sku",
    "data.items[7]",
    "data.in",
    "d",
    "e",
    "f",
    "eventId.x",
    "[\"odd name\"]",
};
#define PATHS (sizeof(paths) / sizeof(paths[0]))

static bool same(struct hg_value a, struct hg_value b)
{
    if (a.error || b.error)
        return a.error == b.error;
    if (a.type != b.type)
        return false;
    if (a.type == HG_VALUE_STRING)
        return hg_slice_eq(hg_value_text(a), hg_value_text(b));
    return a.type == HG_VALUE_NULL || a.type == HG_VALUE_OTHER || hg_number_equal(a, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char memory[1 << 20];
    struct hg_slice text = hg_slice(data, size);
    struct hg_fields *fields = NULL;
    uint32_t slots[PATHS];
    struct naive_event event = {.topic = HG_LIT("a.b")};
    HG_ASSERT(hg_ok(hg_fields_new((struct hg_hash_key){1, 2}, &fields)));
    for (size_t i = 0; i < PATHS; i++)
        HG_ASSERT(hg_ok(hg_fields_add(fields, hg_slice_str(paths[i]), &slots[i])));
    bool json = hg_ok(hg_json_parse(text, &event.json, NULL));
    for (unsigned round = 0; round < 2; round++) {     /* nothing stays from the time before */
        struct hg_scratch scratch = {memory, size, 0}; /* as large as the event suffices */
        if (size > sizeof(memory))
            break;
        HG_ASSERT(hg_fields_extract(fields, text, event.topic, &scratch) == json);
        naive_memory()->used = 0;
        for (size_t i = 0; i < PATHS; i++)
            HG_ASSERT(same(hg_fields_values(fields)[slots[i]], naive_attribute(&event, hg_slice_str(paths[i]))));
    }
    for (size_t i = 0; i < PATHS; i++) {
        hg_fields_remove(fields, slots[i]);
        hg_fields_validate(fields);
    }
    hg_fields_free(fields);
    return 0;
}
