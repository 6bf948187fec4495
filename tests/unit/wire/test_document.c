/* The user's page on the protocol says what the source says: its tables are the tables, its examples are understood. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "topic/pattern.h"
#include "wire/close.h"
#include "wire/command.h"
#include "wire/gap.h"

static struct hg_buf page, guarantees;

/* tests/unit/wire/test_document.c is three folders below the tree's root. */
static int read_file(const char *name, struct hg_buf *into)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s", __FILE__);
    for (int i = 0; i < 4; i++) {
        char *slash = strrchr(path, '/');
        if (!slash)
            return -1;
        *slash = '\0';
    }
    strncat(path, name, sizeof(path) - strlen(path) - 1);
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    hg_buf_init(into, 1u << 20);
    char bytes[4096];
    for (size_t len; (len = fread(bytes, 1, sizeof(bytes), file)) > 0;)
        hg_buf_put(into, hg_slice(bytes, len));
    fclose(file);
    hg_buf_put_char(into, '\0');
    return hg_ok(hg_buf_result(into)) ? 0 : -1;
}

static int read_page(void **state)
{
    (void)state;
    return read_file("/web/docs/protocol.md", &page) == 0 ? read_file("/web/docs/guarantees.md", &guarantees) : -1;
}

static int drop_page(void **state)
{
    (void)state;
    hg_buf_done(&page);
    hg_buf_done(&guarantees);
    return 0;
}

static size_t count_lines(const struct hg_buf *in, const char *start)
{
    size_t count = 0;
    for (const char *at = in->ptr; (at = strstr(at, start)); at += strlen(start))
        count += at == in->ptr || at[-1] == '\n';
    return count;
}

static void expect_row(const struct hg_buf *in, const char *start)
{
    if (count_lines(in, start) != 1)
        fail_msg("%s has %zu rows that start with \"%s\"", in == &page ? "protocol.md" : "guarantees.md",
                 count_lines(in, start), start);
}

/* Rows of the table whose first line begins so, and the line below it. */
static size_t count_rows(const struct hg_buf *in, const char *header)
{
    size_t count = 0;
    const char *at = strstr(in->ptr, header);
    assert_non_null(at);
    for (at = strchr(strchr(at, '\n') + 1, '\n') + 1; *at == '|'; at = strchr(at, '\n') + 1)
        count++;
    return count;
}

static void test_tables_of_codes(void **state)
{
    (void)state;
    char start[600];
    size_t rows = 0, found = 0;
    for (int i = 0; i < HG_ERR__COUNT; i++) {
        const struct hg_error_row *row = hg_error_row((enum hg_error)i);
        if (row->wire_code == 0)
            continue;
        snprintf(start, sizeof(start), "| %d | `%s` | ", row->wire_code, row->reason);
        expect_row(&page, start);
        rows++;
    }
    for (int i = 0; i < HG_CLOSE__COUNT; i++, rows++) {
        const struct hg_close_row *row = hg_close_row((enum hg_close)i);
        snprintf(start, sizeof(start), "| %u | `%s` | %s |\n", row->code, row->reason, row->text);
        expect_row(&page, start);
    }
    for (int i = 0; i < HG_GAP__COUNT; i++) {
        const struct hg_gap_row *row = hg_gap_row((enum hg_gap)i);
        snprintf(start, sizeof(start), "| `%s` | %s | %s |\n", row->word, row->text, row->advice);
        expect_row(&page, start);
        expect_row(&guarantees, start);
    }
    assert_int_equal(count_rows(&page, "| `reason` | happened | do |\n"), HG_GAP__COUNT);
    assert_int_equal(count_rows(&guarantees, "| `reason` | what happened | what to do |\n"), HG_GAP__COUNT);
    for (int digit = 0; digit < 10; digit++) { /* and no others */
        snprintf(start, sizeof(start), "| %d", digit);
        found += count_lines(&page, start);
    }
    assert_int_equal(found, rows);
}

/* Each line of a json block is one message: of a client, which we read, or of ours, of which it has the shape. */
static void test_examples(void **state)
{
    (void)state;
    static const char *const ours[] = {"welcome",   "ok",    "event", "caught_up", "gap",
                                       "conflated", "stale", "live",  "error",     "goodbye"};
    static const char *const theirs[] = {"subscribe", "update", "unsubscribe", "pause",   "resume",
                                         "seek",      "emit",   "hello",       "explain", "ping"};
    enum { OURS = sizeof(ours) / sizeof(ours[0]), THEIRS = sizeof(theirs) / sizeof(theirs[0]) };
    unsigned seen_ours[OURS] = {0}, seen_theirs[THEIRS] = {0};
    struct hg_buf scratch, message;
    hg_buf_init(&scratch, HG_COMMAND_SCRATCH_BYTES);
    hg_buf_init(&message, 1000);
    for (const char *at = page.ptr; (at = strstr(at, "```json\n"));) {
        at += strlen("```json\n");
        for (; strncmp(at, "```", 3) != 0; at = strchr(at, '\n') + 1) {
            struct hg_slice line = hg_slice(at, (size_t)(strchr(at, '\n') - at));
            struct hg_json object, op;
            if (!hg_ok(hg_json_parse(line, &object, NULL)) || object.type != HG_JSON_OBJECT ||
                !hg_json_get(object, "op", &op))
                fail_msg("not a message: %.*s", HG_SLICE_ARG(line));
            bool known = false;
            for (size_t i = 0; i < OURS; i++)
                if (hg_json_string_is(op, ours[i])) {
                    known = true;
                    seen_ours[i]++;
                }
            for (size_t i = 0; i < THEIRS; i++)
                if (hg_json_string_is(op, theirs[i])) {
                    struct hg_command command;
                    struct hg_command_error error = {.message = &message};
                    if (!hg_ok(hg_command_parse(line, &scratch, &command, &error)))
                        fail_msg("%.*s: %.*s", HG_SLICE_ARG(line), HG_SLICE_ARG(hg_buf_slice(&message)));
                    known = true;
                    seen_theirs[i]++;
                }
            if (!known)
                fail_msg("no such operation: %.*s", HG_SLICE_ARG(line));
        }
    }
    for (size_t i = 0; i < OURS; i++)
        if (seen_ours[i] == 0)
            fail_msg("no example of %s", ours[i]);
    for (size_t i = 0; i < THEIRS; i++)
        if (seen_theirs[i] == 0)
            fail_msg("no example of %s", theirs[i]);
    hg_buf_done(&scratch);
    hg_buf_done(&message);
}

/* The next `code` before `end`; moves *at behind it. */
static bool take_code(const char **at, const char *end, struct hg_slice *ret_code)
{
    const char *open = memchr(*at, '`', (size_t)(end - *at));
    const char *close = open ? memchr(open + 1, '`', (size_t)(end - open - 1)) : NULL;
    if (!close)
        return false;
    *ret_code = hg_slice(open + 1, (size_t)(close - open - 1));
    *at = close + 1;
    return true;
}

static void test_patterns(void **state)
{
    (void)state;
    const char *at = strstr(page.ptr, "| pattern | matches | does not match |\n|---|---|---|\n");
    assert_non_null(at);
    unsigned matches = 0, misses = 0, refused = 0;
    for (at = strchr(strchr(at, '\n') + 1, '\n') + 1; *at == '|'; at = strchr(at, '\n') + 1) {
        const char *first = at + 1, *second = strchr(first, '|') + 1, *third = strchr(second, '|') + 1,
                   *end = strchr(third, '|');
        struct hg_slice pattern, name;
        if (memmem(second, (size_t)(third - second), "refused", 7)) {
            for (; take_code(&first, second, &pattern); refused++)
                assert_int_equal(hg_pattern_check(pattern, NULL).code, HG_ERR_SYNTAX);
            continue;
        }
        assert_true(take_code(&first, second, &pattern) && hg_ok(hg_pattern_check(pattern, NULL)));
        for (const char *from = second; take_code(&from, third, &name); matches++)
            assert_true(hg_pattern_match(pattern, name));
        for (const char *from = third; take_code(&from, end, &name); misses++)
            assert_false(hg_pattern_match(pattern, hg_slice_is(name, "$") ? HG_LIT("$system") : name));
    }
    assert_true(matches >= 5 && misses >= 5 && refused >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_of_codes),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_patterns),
    };
    return cmocka_run_group_tests(tests, read_page, drop_page);
}
