/* Lines: a filter, which is added; "-" takes the oldest one out; "?" and an event, which the index and each filter
 * alone must answer alike. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "filter/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILTERS_MAX 64

static char memory[1 << 16];

struct member {
    struct hg_filter_entry *entry;
    unsigned visits;
};

static void count_visit(void *context, void *value)
{
    (void)context;
    ((struct member *)value)->visits++;
}

static void add(struct hg_filter_index *index, struct hg_slice line, struct member *member)
{
    struct hg_filter *filter = NULL;
    struct hg_filter_report report;
    struct hg_json json;
    bool object = line.len > 0 && line.ptr[0] == '{' && hg_ok(hg_json_parse(line, &json, NULL));
    if (!hg_ok(object ? hg_filter_parse_json(json, &filter, &report) : hg_filter_parse(line, &filter, &report)))
        return;
    HG_ASSERT(hg_ok(hg_filter_index_add(index, filter, member, &member->entry)));
    hg_filter_unref(filter);
}

static void ask(struct hg_filter_index *index, struct hg_slice event, struct member *members)
{
    struct hg_scratch scratch = {memory, sizeof(memory), 0};
    hg_filter_index_extract(index, event, HG_LIT("a.b"), &scratch);
    for (size_t i = 0; i < FILTERS_MAX; i++)
        members[i].visits = 0;
    hg_filter_index_match(index, &scratch, count_visit, NULL);
    for (size_t i = 0; i < FILTERS_MAX; i++)
        if (members[i].entry)
            HG_ASSERT(members[i].visits == hg_filter_index_test(index, members[i].entry, &scratch));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_slice rest = hg_slice(data, size);
    struct member members[FILTERS_MAX] = {0};
    struct hg_filter_index *index = NULL;
    size_t newest = 0, oldest = 0;
    HG_ASSERT(hg_ok(hg_filter_index_new((struct hg_hash_key){1, 2}, &index)));
    while (rest.len > 0) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        struct hg_slice line = hg_slice_first(rest, end ? (size_t)(end - rest.ptr) : rest.len);
        rest = hg_slice_from(rest, line.len + 1);
        if (line.len > 0 && line.ptr[0] == '?') {
            ask(index, hg_slice_from(line, 1), members);
            continue;
        }
        struct member *out = &members[oldest % FILTERS_MAX], *in = &members[newest % FILTERS_MAX];
        if (hg_slice_is(line, "-") || in->entry) {
            if (oldest < newest && out->entry)
                hg_filter_index_remove(index, out->entry);
            oldest += oldest < newest;
            out->entry = NULL;
        }
        if (!hg_slice_is(line, "-") && !in->entry) {
            add(index, line, in);
            newest += in->entry != NULL;
        }
        hg_filter_index_validate(index);
    }
    hg_filter_index_free(index);
    return 0;
}
