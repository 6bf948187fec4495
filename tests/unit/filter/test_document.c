/* The user's page on filters says what they do: every example in its tables is evaluated, every error provoked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "filter/fields.h"
#include "filter/filter.h"

#define TOPIC "orders.eu" /* as the page says */

static struct hg_buf page;

/* tests/unit/filter/test_document.c is three folders below the tree's root. */
static int read_page(void **state)
{
    (void)state;
    char path[4096];
    snprintf(path, sizeof(path), "%s", __FILE__);
    for (int i = 0; i < 4; i++) {
        char *slash = strrchr(path, '/');
        if (!slash)
            return -1;
        *slash = '\0';
    }
    strncat(path, "/web/docs/filters.md", sizeof(path) - strlen(path) - 1);
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    hg_buf_init(&page, 1u << 20);
    char bytes[4096];
    for (size_t len; (len = fread(bytes, 1, sizeof(bytes), file)) > 0;)
        hg_buf_put(&page, hg_slice(bytes, len));
    fclose(file);
    hg_buf_put_char(&page, '\0');
    return hg_ok(hg_buf_result(&page)) ? 0 : -1;
}

static int drop_page(void **state)
{
    (void)state;
    hg_buf_done(&page);
    return 0;
}

#define CELLS 3

/* Takes one line `| a | b | c |` apart; `code` marks are dropped. False for a line of another form. */
static bool take_cells(struct hg_slice line, struct hg_slice ret_cells[CELLS])
{
    unsigned count = 0;
    size_t at = 0;
    while (at < line.len && line.ptr[at] == '|' && at + 1 < line.len) {
        if (count == CELLS)
            return false;
        const char *end = memchr(line.ptr + at + 1, '|', line.len - at - 1);
        if (!end)
            return false;
        struct hg_slice cell = hg_slice(line.ptr + at + 1, (size_t)(end - line.ptr) - at - 1);
        while (cell.len > 0 && cell.ptr[0] == ' ')
            cell = hg_slice_from(cell, 1);
        while (cell.len > 0 && cell.ptr[cell.len - 1] == ' ')
            cell.len--;
        if (cell.len > 1 && cell.ptr[0] == '`' && cell.ptr[cell.len - 1] == '`')
            cell = hg_slice(cell.ptr + 1, cell.len - 2);
        ret_cells[count++] = cell;
        at = (size_t)(end - line.ptr);
    }
    return count == CELLS;
}

static bool is_object(struct hg_slice filter)
{
    return filter.len > 0 && filter.ptr[0] == '{';
}

static hg_result parse(struct hg_slice text, struct hg_filter **ret_filter, struct hg_filter_report *report)
{
    struct hg_json json;
    if (!is_object(text))
        return hg_filter_parse(text, ret_filter, report);
    if (!hg_ok(hg_json_parse(text, &json, NULL)))
        fail_msg("not JSON: %.*s", HG_SLICE_ARG(text));
    return hg_filter_parse_json(json, ret_filter, report);
}

static bool passes(const struct hg_filter *filter, struct hg_slice event)
{
    static char room[65536];
    static const struct hg_hash_key key;
    struct hg_scratch scratch = {room, sizeof(room), 0};
    struct hg_fields *fields;
    uint32_t slots[HG_FILTER_NODES_MAX];
    assert_true(hg_ok(hg_fields_new(key, &fields)));
    assert_true(hg_ok(hg_fields_add_filter(fields, filter, slots)));
    bool is_json = hg_fields_extract(fields, event, HG_LIT(TOPIC), &scratch);
    bool result = hg_filter_passes(filter, hg_fields_values(fields), slots, &scratch);
    hg_fields_free(fields);
    if (!is_json)
        fail_msg("not JSON: %.*s", HG_SLICE_ARG(event));
    return result;
}

/* One row of a table of examples: whether it is true. `why` gets the reason where not. */
static bool check_example(const struct hg_slice cells[CELLS], char *why, size_t size)
{
    struct hg_filter *filter = NULL;
    struct hg_filter_report report;
    bool expected = hg_slice_is(cells[2], "yes");
    if (!expected && !hg_slice_is(cells[2], "no")) {
        snprintf(why, size, "%.*s is neither yes nor no", HG_SLICE_ARG(cells[2]));
        return false;
    }
    if (!hg_ok(parse(cells[0], &filter, &report))) {
        snprintf(why, size, "%.*s is refused at %zu: %s", HG_SLICE_ARG(cells[0]), report.at, report.text);
        return false;
    }
    bool result = passes(filter, cells[1]);
    hg_filter_unref(filter);
    if (result != expected)
        snprintf(why, size, "%.*s of %.*s is %s", HG_SLICE_ARG(cells[0]), HG_SLICE_ARG(cells[1]),
                 result ? "yes" : "no");
    return result == expected;
}

static bool check_refusal(const struct hg_slice cells[CELLS], char *why, size_t size)
{
    struct hg_filter *filter = NULL;
    struct hg_filter_report report;
    char at[32];
    if (hg_ok(parse(cells[0], &filter, &report))) {
        hg_filter_unref(filter);
        snprintf(why, size, "%.*s is accepted", HG_SLICE_ARG(cells[0]));
        return false;
    }
    snprintf(at, sizeof(at), "%zu", report.at);
    bool right = hg_slice_is(cells[1], at) && hg_slice_is(cells[2], report.text);
    if (!right)
        snprintf(why, size, "%.*s is refused at %s: %s", HG_SLICE_ARG(cells[0]), at, report.text);
    return right;
}

/* Checks the rows of every table in `text` that has this head; returns how many, and how many are wrong. */
static size_t check_tables(const char *text, const char *head, bool (*check)(const struct hg_slice *, char *, size_t),
                           bool quiet, size_t *ret_wrong)
{
    size_t rows = 0;
    *ret_wrong = 0;
    for (const char *at = text; (at = strstr(at, head));) {
        at += strlen(head);
        for (const char *end; *at == '|' && (end = strchr(at, '\n')); at = end + 1) {
            struct hg_slice line = hg_slice(at, (size_t)(end - at)), cells[CELLS];
            char why[1000] = "a row has three cells";
            rows++;
            if (take_cells(line, cells) && check(cells, why, sizeof(why)))
                continue;
            ++*ret_wrong;
            if (!quiet)
                print_error("filters.md: %.*s\n    but %s\n", HG_SLICE_ARG(line), why);
        }
    }
    return rows;
}

#define EXAMPLES "| filter | event | passes |\n|---|---|---|\n"
#define REFUSALS "| filter | at | message |\n|---|---|---|\n"

static void test_examples(void **state)
{
    (void)state;
    size_t wrong, rows = check_tables(page.ptr, EXAMPLES, check_example, false, &wrong);
    assert_int_equal(wrong, 0);
    assert_true(rows >= 60);
}

static void test_refusals(void **state)
{
    (void)state;
    size_t wrong, rows = check_tables(page.ptr, REFUSALS, check_refusal, false, &wrong);
    assert_int_equal(wrong, 0);
    assert_true(rows >= 8);
}

/* A wrong row is noticed, of whatever kind. */
static void test_the_check_itself(void **state)
{
    (void)state;
    size_t wrong;
    static const char *const bad[] = {
        "| `n = 1` | `{\"n\":1}` | no |\n",   "| `n = 1` | `{\"n\":2}` | yes |\n",
        "| `n = = 1` | `{\"n\":1}` | no |\n", "| `n = 1` | `{\"n\":1}` | maybe |\n",
        "| `n = 1` | `{\"n\":1}` |\n",        "| `n = 1` | `{\"n\":1}` | yes | |\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char table[1000];
        snprintf(table, sizeof(table), "text\n%s| `n = 1` | `{\"n\":1}` | yes |\n%s| `n = 1` | `{}` | no |\n\nmore\n",
                 EXAMPLES, bad[i]);
        assert_int_equal(check_tables(table, EXAMPLES, check_example, true, &wrong), 3);
        assert_int_equal(wrong, 1);
    }
    static const char *const bad_refusals[] = {
        "| `n = 1` | 0 | Fine. |\n",
        "| `n == 1` | 3 | Write a single = to compare. |\n",
        "| `n == 1` | 2 | Write two. |\n",
    };
    for (size_t i = 0; i < sizeof(bad_refusals) / sizeof(bad_refusals[0]); i++) {
        char table[1000];
        snprintf(table, sizeof(table), "%s%s| `n == 1` | 2 | Write a single = to compare. |\n", REFUSALS,
                 bad_refusals[i]);
        assert_int_equal(check_tables(table, REFUSALS, check_refusal, true, &wrong), 2);
        assert_int_equal(wrong, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_the_check_itself),
    };
    return cmocka_run_group_tests(tests, read_page, drop_page);
}
