/* Letters as they are shown, whatever their fields hold; and the columns of a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "deadletter/letter.h"
#include "deadletter/table.h"
#include "support/oom.h"

#define FIELDS_MAX 24

static struct hg_reply words[FIELDS_MAX];

/* Of name, value, name, value …; NULL ends them. */
static struct hg_entry entry_of(const char *const *fields)
{
    size_t count = 0;
    for (; fields[count]; count++)
        words[count] = (struct hg_reply){.type = HG_REPLY_STRING, .text = hg_slice_str(fields[count])};
    return (struct hg_entry){.id = {1700000000123, 4}, .fields = words, .field_count = count};
}

static const char *text_of(struct hg_buf *buf)
{
    assert_true(hg_ok(hg_buf_result(buf)));
    char *end = hg_buf_reserve(buf, 1);
    assert_non_null(end);
    *end = '\0';
    return buf->ptr;
}

static const char *const whole[] = {"event",   "{\n \"a\": 1\r\n}",
                                    "id",      "i-1",
                                    "topic",   "orders.eu",
                                    "code",    "121",
                                    "reason",  "event_invalid",
                                    "message", "It is \"wrong\".",
                                    "pointer", "/a",
                                    "user",    "ann",
                                    "session", "f00d",
                                    "ip",      "::1",
                                    NULL};

static void a_letter_is_read_by_its_fields(void **state)
{
    (void)state;
    struct hg_entry entry = entry_of(whole);
    struct hg_letter letter;
    assert_true(hg_letter_read(&entry, &letter));
    assert_true(hg_slice_is(letter.event, whole[1]) && hg_slice_is(letter.id, "i-1") && hg_slice_is(letter.ip, "::1"));
    assert_true(letter.entry.ms == 1700000000123 && letter.entry.seq == 4);
    for (size_t missing = 0; missing < 10; missing += 2) {
        const char *fields[FIELDS_MAX];
        memcpy(fields, whole, sizeof(whole));
        fields[missing] = "other";
        entry = entry_of(fields);
        assert_true(hg_letter_read(&entry, &letter) == (missing == 2)); /* the id alone may be missing */
    }
}

static void an_event_of_an_application_is_no_letter(void **state)
{
    (void)state;
    static const char *const fields[] = {"event", "{}", "id", "x", "session", "f00d", NULL};
    struct hg_entry entry = entry_of(fields);
    struct hg_letter letter = {.entry = {9, 9}};
    assert_false(hg_letter_read(&entry, &letter));
    assert_true(letter.entry.ms == 9);
}

static void as_json_it_is_one_line_whatever_it_holds(void **state)
{
    (void)state;
    static const char *const events[] = {"{\n \"a\": 1\r\n}", "no\njson \x1b[2J", "\xff\xfe", ""};
    static const char *const members[] = {"\"event\":{  \"a\": 1  }", "\"text\":\"no\\njson \\u001b[2J\"",
                                          "\"base64\":\"//4=\"", "\"text\":\"\""};
    for (size_t i = 0; i < 4; i++) {
        const char *fields[FIELDS_MAX];
        memcpy(fields, whole, sizeof(whole));
        fields[1] = events[i];
        fields[5] = "bad\xff\x1b\ntopic";
        struct hg_entry entry = entry_of(fields);
        struct hg_letter letter;
        struct hg_buf text;
        hg_buf_init(&text, 65536);
        assert_true(hg_letter_read(&entry, &letter));
        hg_letter_put_json(&text, HG_LIT("dead:x"), &letter);
        assert_true(hg_ok(hg_json_parse(hg_buf_slice(&text), NULL, NULL)));
        const char *line = text_of(&text);
        assert_null(strpbrk(line, "\n\r\x1b"));
        assert_non_null(strstr(line, members[i]));
        assert_non_null(
            strstr(line, "\"stream\":\"dead:x\",\"entry\":\"1700000000123-4\",\"time\":\"2023-11-14T22:13:20.123Z\""));
        assert_non_null(strstr(line, "\"code\":121,"));
        hg_buf_done(&text);
    }
}

static void facts_are_fit_for_a_terminal(void **state)
{
    (void)state;
    const char *fields[FIELDS_MAX];
    memcpy(fields, whole, sizeof(whole));
    fields[3] = "\x1b]0;title\x07";
    fields[13] = "";
    struct hg_entry entry = entry_of(fields);
    struct hg_letter letter;
    struct hg_buf text;
    hg_buf_init(&text, 65536);
    assert_true(hg_letter_read(&entry, &letter));
    hg_letter_put_facts(&text, HG_LIT("dead:x"), &letter);
    const char *told = text_of(&text);
    assert_null(strpbrk(told, "\x1b\x07"));
    assert_non_null(strstr(told, "id       \\x1b]0;title\\x07\n"));
    assert_non_null(strstr(told, "pointer  (the whole event)\n"));
    assert_non_null(strstr(told, "size     12 bytes\n\nevent\n"));
    hg_buf_done(&text);
}

static void times_past_what_can_be_written(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {253402300799999, "9999-12-31T23:59:59.999Z"},
                 {253402300800000, "-"},
                 {UINT64_MAX, "-"}};
    for (size_t i = 0; i < 4; i++) {
        struct hg_buf text;
        hg_buf_init(&text, 256);
        hg_letter_put_time(&text, (hg_stream_id){cases[i].ms, 0}, true);
        assert_string_equal(text_of(&text), cases[i].text);
        hg_buf_done(&text);
    }
}

static void senders(void **state)
{
    (void)state;
    struct hg_letter letter = {.session = HG_LIT("0123456789abcdef")};
    struct hg_buf text;
    hg_buf_init(&text, 256);
    hg_letter_put_sender(&text, &letter, 8);
    assert_string_equal(text_of(&text), "-/01234567…/-");
    hg_buf_done(&text);
}

static char *flushed(struct hg_table *table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    assert_true(hg_table_flush(table, to));
    fclose(to);
    return text;
}

static void put_row(struct hg_table *table, const char *a, const char *b, const char *c)
{
    hg_buf_put_str(hg_table_cell(table), a);
    hg_buf_put_str(hg_table_cell(table), b);
    hg_buf_put_str(hg_table_cell(table), c);
}

static void columns_are_in_line(void **state)
{
    (void)state;
    static const struct hg_table_column columns[] = {{"KEY", false}, {"N", true}, {"LAST", false}};
    struct hg_table table;
    hg_table_init(&table, columns, 3);
    char *text = flushed(&table);
    assert_string_equal(text, "");
    free(text);
    put_row(&table, "ö", "7", "x");
    put_row(&table, "abcde", "1000", "yz");
    text = flushed(&table);
    assert_string_equal(text, "KEY       N  LAST\nö         7  x\nabcde  1000  yz\n");
    free(text);
    put_row(&table, "", "2", "");
    text = flushed(&table);
    assert_string_equal(text, "          2  \n"); /* no second title, as wide as before */
    free(text);
    hg_table_done(&table);
}

static bool use_table(void)
{
    static const struct hg_table_column columns[] = {{"KEY", false}, {"N", true}, {"LAST", false}};
    struct hg_table table;
    hg_table_init(&table, columns, 3);
    put_row(&table, "a", "1", "b");
    bool fine = hg_table_flush(&table, stderr);
    hg_table_done(&table);
    return fine;
}

static void a_table_without_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(use_table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_letter_is_read_by_its_fields),
        cmocka_unit_test(an_event_of_an_application_is_no_letter),
        cmocka_unit_test(as_json_it_is_one_line_whatever_it_holds),
        cmocka_unit_test(facts_are_fit_for_a_terminal),
        cmocka_unit_test(times_past_what_can_be_written),
        cmocka_unit_test(senders),
        cmocka_unit_test(columns_are_in_line),
        cmocka_unit_test(a_table_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
