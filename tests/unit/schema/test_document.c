/* The user's page on schemas says what they do: every example in its tables is executed, and its keywords are those
 * there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema/regex.h"
#include "schema/schema.h"
#include "schema/vocabulary.h"

static struct hg_buf page;

/* tests/unit/schema/test_document.c is three folders below the tree's root. */
static int read_page(void **state)
{
    (void)state;
    char path[4096], bytes[4096];
    snprintf(path, sizeof(path), "%s", __FILE__);
    for (int i = 0; i < 4; i++) {
        char *slash = strrchr(path, '/');
        if (!slash)
            return -1;
        *slash = '\0';
    }
    strncat(path, "/web/docs/schemas.md", sizeof(path) - strlen(path) - 1);
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    hg_buf_init(&page, 1u << 20);
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

/* Takes a line `| a | b | c |` apart, without the marks of code around a cell; returns how many cells. */
static unsigned take_cells(struct hg_slice line, struct hg_slice ret_cells[3])
{
    unsigned count = 0;
    while (count < 3 && line.len > 1 && line.ptr[0] == '|') {
        const char *end = memchr(line.ptr + 1, '|', line.len - 1);
        if (!end)
            return 0;
        struct hg_slice cell = hg_slice(line.ptr + 2, (size_t)(end - line.ptr) - 3);
        if (cell.len > 2 && cell.ptr[0] == '`')
            cell = hg_slice(cell.ptr + 1, cell.len - 2);
        ret_cells[count++] = cell;
        line = hg_slice_from(line, (size_t)(end - line.ptr));
    }
    return count;
}

static void check_answer(struct hg_slice cells[3])
{
    struct hg_schema *schema = NULL;
    struct hg_buf pointer, message, answer;
    hg_buf_init(&pointer, 4096);
    hg_buf_init(&message, 4096);
    hg_buf_init(&answer, 4096);
    if (!hg_ok(hg_schema_compile(cells[0], &schema, &message)))
        fail_msg("%.*s: %.*s", HG_SLICE_ARG(cells[0]), HG_SLICE_ARG(hg_buf_slice(&message)));
    if (hg_ok(hg_schema_check(schema, cells[1], &pointer, &message)))
        hg_buf_put_str(&answer, "valid");
    else
        hg_buf_printf(&answer, "%.*s%s%.*s", HG_SLICE_ARG(hg_buf_slice(&pointer)), pointer.len > 0 ? " " : "",
                      HG_SLICE_ARG(hg_buf_slice(&message)));
    if (!hg_slice_eq(hg_buf_slice(&answer), cells[2]))
        fail_msg("%.*s, %.*s: %.*s", HG_SLICE_ARG(cells[0]), HG_SLICE_ARG(cells[1]),
                 HG_SLICE_ARG(hg_buf_slice(&answer)));
    hg_schema_free(schema);
    hg_buf_done(&pointer);
    hg_buf_done(&message);
    hg_buf_done(&answer);
}

static void check_refusal(struct hg_slice cells[2])
{
    struct hg_schema *schema = NULL;
    struct hg_buf why;
    hg_buf_init(&why, 4096);
    assert_int_equal(hg_schema_compile(cells[0], &schema, &why).code, HG_ERR_BAD_REQUEST);
    if (!hg_slice_eq(hg_buf_slice(&why), cells[1]))
        fail_msg("%.*s: %.*s", HG_SLICE_ARG(cells[0]), HG_SLICE_ARG(hg_buf_slice(&why)));
    hg_buf_done(&why);
}

static void test_examples(void **state)
{
    (void)state;
    unsigned answers = 0, refusals = 0;
    char kind = ' ';
    for (const char *at = page.ptr; *at;) {
        size_t len = strcspn(at, "\n");
        struct hg_slice line = hg_slice(at, len), cells[3];
        unsigned count = take_cells(line, cells);
        at += len + (at[len] == '\n');
        if (count == 0)
            kind = ' ';
        else if (hg_slice_is(cells[0], "schema"))
            kind = count == 3 ? 'a' : 'r';
        else if (kind == 'a' && cells[0].ptr[0] != '-' && ++answers)
            check_answer(cells);
        else if (kind == 'r' && cells[0].ptr[0] != '-' && ++refusals)
            check_refusal(cells);
    }
    assert_true(answers >= 25 && refusals >= 5);
}

static void test_the_long_example(void **state)
{
    (void)state;
    const char *from = strstr(page.ptr, "{\n  \"$schema\""), *end = from ? strstr(from, "```") : NULL;
    const char *event = strstr(page.ptr, "The event `"), *event_end = event ? strstr(event, "` gets") : NULL;
    struct hg_schema *schema = NULL;
    struct hg_buf pointer, message, part;
    assert_true(end && event_end);
    event += strlen("The event `");
    hg_buf_init(&pointer, 4096);
    hg_buf_init(&message, 4096);
    hg_buf_init(&part, 4096);
    assert_true(hg_ok(hg_schema_compile(hg_slice(from, (size_t)(end - from)), &schema, &message)));
    assert_int_equal(hg_schema_check(schema, hg_slice(event, (size_t)(event_end - event)), &pointer, &message).code,
                     HG_ERR_EVENT_INVALID);
    hg_buf_printf(&part, "\"pointer\":\"%.*s\",\"message\":\"%.*s\"}", HG_SLICE_ARG(hg_buf_slice(&pointer)),
                  HG_SLICE_ARG(hg_buf_slice(&message)));
    hg_buf_put_char(&part, '\0');
    assert_non_null(strstr(page.ptr, part.ptr));
    hg_schema_free(schema);
    hg_buf_done(&pointer);
    hg_buf_done(&message);
    hg_buf_done(&part);
}

static void test_all_keywords_are_named(void **state)
{
    (void)state;
    static const char *const untold[] = {"$schema", "$dynamicAnchor", "$defs", "definitions", "$vocabulary"};
    for (size_t i = 0; hg_vocabulary_name(i); i++) {
        char code[64];
        bool told = false;
        for (size_t j = 0; j < sizeof(untold) / sizeof(untold[0]); j++)
            told |= strcmp(untold[j], hg_vocabulary_name(i)) == 0;
        snprintf(code, sizeof(code), "`%s`", hg_vocabulary_name(i));
        if (!told && !strstr(page.ptr, code))
            fail_msg("the page does not name %s", code);
    }
}

static void test_limits_are_those_in_force(void **state)
{
    (void)state;
    char line[200];
    snprintf(line, sizeof(line), "| %u MiB, %d schemas within it, %d inside each other |", HG_SCHEMA_BYTES_MAX >> 20,
             HG_SCHEMA_RULES_MAX, HG_SCHEMA_DEPTH_MAX);
    assert_non_null(strstr(page.ptr, line));
    snprintf(line, sizeof(line), "one through the other | %d |", HG_SCHEMA_CHAIN_MAX);
    assert_non_null(strstr(page.ptr, line));
    snprintf(line, sizeof(line), "while an event is checked | %d |", HG_SCHEMA_NESTING_MAX);
    assert_non_null(strstr(page.ptr, line));
    snprintf(line, sizeof(line), "| %d pieces, and %d for each byte of it |", HG_SCHEMA_WORK_LEAST,
             HG_SCHEMA_WORK_PER_BYTE);
    assert_non_null(strstr(page.ptr, line));
    snprintf(line, sizeof(line),
             "At most %d bytes, %d states (`a{1000}` has 1000), %d lookaheads and lookbehinds, %d groups",
             HG_REGEX_BYTES_MAX, HG_REGEX_STATES_MAX, HG_REGEX_LOOKS_MAX, HG_REGEX_DEPTH_MAX);
    assert_non_null(strstr(page.ptr, line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_the_long_example),
        cmocka_unit_test(test_all_keywords_are_named),
        cmocka_unit_test(test_limits_are_those_in_force),
    };
    return cmocka_run_group_tests(tests, read_page, drop_page);
}
