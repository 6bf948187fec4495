/* bench_filter.c – what filters cost: evaluation, extraction, matching through the index, memory.
 *
 *     bench_filter [--quick]
 *
 * Ratios are of one run, so that the machine cancels out; a figure is the least of several rounds. Ends with 1 when a
 * promise of the design is not kept. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "filter/fields.h"
#include "filter/filter.h"
#include "filter/index.h"

static const struct hg_hash_key hash_key = {5, 6};
static char memory[1 << 16];
static unsigned rounds = 15;
static int broken;

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(hg_result r)
{
    if (!hg_ok(r)) {
        fprintf(stderr, "bench_filter: %s\n", hg_error_row(r.code)->name);
        exit(2);
    }
}

static struct hg_filter *parse(const char *text)
{
    struct hg_filter *filter = NULL;
    struct hg_filter_report report;
    hg_result r = hg_filter_parse(hg_slice_str(text), &filter, &report);
    if (!hg_ok(r))
        fprintf(stderr, "%s\n%zu: %s\n", text, report.at, report.text);
    must(r);
    return filter;
}

static void promise(const char *what, double figure, double bound, bool at_most)
{
    bool kept = at_most ? figure <= bound : figure >= bound;
    printf("  %-66s %10.1f  (%s %g%s)\n", what, figure, at_most ? "at most" : "at least", bound,
           kept ? "" : ": BROKEN");
    broken |= !kept;
}

static const char event[] = "{\"specversion\":\"1.0\",\"id\":\"7c9e6679\",\"type\":\"OrderPlaced\",\"source\":\"/shop/"
                            "eu\",\"time\":\"2026-11-24T10:00:00Z\","
                            "\"data\":{\"orderId\":\"A-4711\",\"userId\":\"u3\",\"total\":149.90,\"currency\":\"EUR\","
                            "\"region\":\"eu-west\",\"items\":[{\"sku\":"
                            "\"x-1\",\"count\":2},{\"sku\":\"x-9\",\"count\":1}],\"priority\":512}}";

static void bench_evaluation(void)
{
    struct hg_filter *filter = parse("type = 'OrderPlaced' AND data.total > 100");
    struct hg_fields *fields = NULL;
    uint32_t slots[8];
    must(hg_fields_new(hash_key, &fields));
    must(hg_fields_add_filter(fields, filter, slots));
    double evaluation = 1e18, extraction = 1e18, validated = 1e18;
    size_t passed = 0;
    const unsigned times = 100000;
    struct hg_json json;
    must(hg_json_parse(hg_slice_str(event), &json, NULL));
    for (unsigned round = 0; round < rounds; round++) {
        struct hg_scratch scratch = {memory, sizeof(memory), 0};
        double start = now_ns();
        for (unsigned i = 0; i < times / 10; i++) {
            scratch.used = 0;
            hg_fields_extract(fields, hg_slice_str(event), HG_LIT("orders.eu"), &scratch);
        }
        double took = (now_ns() - start) / (times / 10);
        extraction = took < extraction ? took : extraction;
        start = now_ns();
        for (unsigned i = 0; i < times / 10; i++) {
            scratch.used = 0;
            hg_fields_extract_json(fields, json, HG_LIT("orders.eu"), &scratch);
        }
        took = (now_ns() - start) / (times / 10);
        validated = took < validated ? took : validated;
        start = now_ns();
        for (unsigned i = 0; i < times; i++)
            passed += hg_filter_passes(filter, hg_fields_values(fields), slots, &scratch);
        took = (now_ns() - start) / times;
        evaluation = took < evaluation ? took : evaluation;
    }
    if (passed != (size_t)rounds * times)
        exit(2);
    printf("One filter, an event of %zu bytes (ns)\n", sizeof(event) - 1);
    promise("type = 'OrderPlaced' AND data.total > 100, on extracted attributes", evaluation, 150, true);
    printf("  %-66s %10.1f\n", "extracting both attributes from the event", validated);
    printf("  %-66s %10.1f\n", "the same, and checking that it is JSON", extraction);
    hg_fields_free(fields);
    hg_filter_unref(filter);
}

struct set {
    struct hg_filter_index *index;
    struct hg_filter **filters;
    struct hg_filter_entry **entries;
    size_t count;
};

static struct set set_new(size_t count, void (*write)(size_t number, char *out, size_t size))
{
    struct set set = {NULL, calloc(count, sizeof(struct hg_filter *)), calloc(count, sizeof(struct hg_filter_entry *)),
                      count};
    if (!set.filters || !set.entries)
        exit(2);
    must(hg_filter_index_new(hash_key, &set.index));
    for (size_t i = 0; i < count; i++) {
        char text[256];
        write(i, text, sizeof(text));
        set.filters[i] = parse(text);
        must(hg_filter_index_add(set.index, set.filters[i], set.filters[i], &set.entries[i]));
    }
    return set;
}

static void set_free(struct set *set)
{
    hg_filter_index_free(set->index);
    for (size_t i = 0; i < set->count; i++)
        hg_filter_unref(set->filters[i]);
    free(set->filters);
    free(set->entries);
}

static void count_visit(void *context, void *value)
{
    (void)value;
    ++*(size_t *)context;
}

/* Least time of one match, in ns. */
static double bench_match(struct set *set, size_t *ret_matches)
{
    struct hg_scratch scratch = {memory, sizeof(memory), 0};
    double least = 1e18;
    unsigned times = 2000;
    hg_filter_index_extract(set->index, hg_slice_str(event), HG_LIT("orders.eu"), &scratch);
    for (unsigned round = 0; round < rounds; round++) {
        size_t matches = 0;
        double start = now_ns();
        for (unsigned i = 0; i < times; i++)
            hg_filter_index_match(set->index, &scratch, count_visit, &matches);
        double took = (now_ns() - start) / times;
        least = took < least ? took : least;
        *ret_matches = matches / times;
    }
    return least;
}

static double bench_all(struct set *set, size_t *ret_matches)
{
    struct hg_scratch scratch = {memory, sizeof(memory), 0};
    double least = 1e18;
    unsigned times = 50;
    hg_filter_index_extract(set->index, hg_slice_str(event), HG_LIT("orders.eu"), &scratch);
    for (unsigned round = 0; round < rounds; round++) {
        size_t matches = 0;
        double start = now_ns();
        for (unsigned i = 0; i < times; i++)
            for (size_t j = 0; j < set->count; j++)
                matches += hg_filter_index_test(set->index, set->entries[j], &scratch);
        double took = (now_ns() - start) / times;
        least = took < least ? took : least;
        *ret_matches = matches / times;
    }
    return least;
}

static void write_equality(size_t number, char *out, size_t size)
{
    snprintf(out, size, "data.userId = 'u%zu'", number);
}

/* As dashboards write them: ranges, patterns, alternatives, and things that cannot be looked up alone. */
static void write_mixed(size_t n, char *out, size_t size)
{
    switch (n % 8) {
    case 0:
        snprintf(out, size, "data.priority >= %zu AND data.priority < %zu", n, n + 10);
        break;
    case 1:
        snprintf(out, size, "type LIKE 'Order%zu%%' OR type LIKE 'Invoice%zu%%'", n, n);
        break;
    case 2:
        snprintf(out, size, "data.userId = 'u%zu' OR data.orderId = 'A-%zu'", n, n);
        break;
    case 3:
        snprintf(out, size, "data.total > %zu.5 AND data.total <= %zu AND data.region LIKE '%%west'", n * 2,
                 n * 2 + 40);
        break;
    case 4:
        snprintf(out, size, "type = 'OrderPlaced' AND data.userId IN ('u%zu', 'u%zu', 'u%zu')", n, n + 1, n + 2);
        break;
    case 5:
        snprintf(out, size, "data.orderId LIKE 'A-%zu%%' AND data.total > 10", n);
        break;
    case 6:
        snprintf(out, size, "(data.currency = 'C%zu' OR data.region LIKE 'r%zu-%%') AND NOT (data.total > 100)", n, n);
        break;
    default:
        snprintf(out, size, "data.items[0].sku = 'x-%zu' AND LENGTH(data.orderId) = 6", n);
    }
}

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

int main(int argc, char **argv)
{
    size_t many = 100000, matches = 0, other = 0;
    if (argc > 1 && strcmp(argv[1], "--quick") == 0) {
        rounds = 3;
    } else if (argc > 1) {
        fprintf(stderr, "usage: bench_filter [--quick]\n");
        return 2;
    }
    bench_evaluation();

    size_t before = in_use();
    struct set few = set_new(10, write_equality), all = set_new(many, write_equality);
    double bytes = (double)(in_use() - before) / (double)(many + 10) - 2 * sizeof(void *);
    double match_few = bench_match(&few, &other), match_many = bench_match(&all, &matches);
    if (matches != 1 || other != 1)
        return 2;
    printf("Distinct equality filters, one of which matches (ns, once extracted)\n");
    printf("  %-66s %10.1f\n  %-66s %10.1f\n", "10 filters", match_few, "100,000 filters", match_many);
    promise("ratio", match_many / match_few, 3, true);
    promise("bytes of one filter, its place in the index included", bytes, 400, true);
    set_free(&few);
    set_free(&all);

    struct set mixed = set_new(1000, write_mixed);
    double indexed = bench_match(&mixed, &matches), each = bench_all(&mixed, &other);
    if (matches != other)
        return 2;
    printf("1,000 mixed filters: ranges, LIKE, OR, IN (ns); %zu match\n", matches);
    printf("  %-66s %10.1f\n  %-66s %10.1f\n", "through the index", indexed, "one after the other", each);
    promise("ratio", each / indexed, 20, false);
    set_free(&mixed);
    return broken;
}
