#include "filter_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/visible.h"
#include "cli.h"
#include "filter/explain.h"
#include "filter/filter.h"

#define EVENT_BYTES_MAX   (64u << 20)
#define EXPLAIN_BYTES_MAX (16u << 20)

enum { PASSES = 0, DOES_NOT_PASS = 1 };

static const char help[] =
    "Usage: headgate filter [--topic TOPIC] [--json] FILTER < event.json\n"
    "       headgate filter --check FILTER\n"
    "\n"
    "Says whether an event passes a filter, and which part of it decided.\n"
    "FILTER is an expression, or a filter object when it starts with '{'.\n"
    "\n"
    "  --topic TOPIC  the topic the event is on, for filters that ask for `topic`\n"
    "  --json         the explanation as JSON\n"
    "  --check        says only whether the filter is well formed, and where it is not; reads no event\n"
    "\n"
    "Exit code: 0 it passes, 1 it does not, 2 the filter is not well formed.\n"
    "\n"
    "  echo '{\"type\":\"OrderPlaced\",\"data\":{\"total\":90}}' | headgate filter \"type = 'OrderPlaced' AND "
    "data.total > 100\"\n";

struct options {
    bool check, json;
    const char *topic, *filter;
};

static int wrong(const char *why)
{
    fprintf(stderr, "headgate filter: %s; see headgate filter --help\n", why);
    return HG_EXIT_USAGE;
}

/* -1: go on. */
static int read_options(int argc, char **argv, struct options *ret_options)
{
    struct options options = {.topic = ""};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(help, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--check") == 0) {
            options.check = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            options.json = true;
        } else if (strcmp(argv[i], "--topic") == 0) {
            if (++i == argc)
                return wrong("--topic wants a topic");
            options.topic = argv[i];
        } else if (strncmp(argv[i], "--", 2) == 0) {
            return wrong("there is no such option");
        } else if (options.filter) {
            return wrong("one filter at a time; put it into quotes");
        } else {
            options.filter = argv[i];
        }
    }
    if (!options.filter)
        return wrong("a filter is missing");
    if (!hg_utf8_valid(hg_slice_str(options.filter)) || !hg_utf8_valid(hg_slice_str(options.topic)))
        return wrong("filter and topic must be UTF-8");
    *ret_options = options;
    return -1;
}

/* The line of the filter in which the place is, and a caret under it. */
static void point_at(const char *filter, size_t at)
{
    size_t len = strlen(filter), from = at < len ? at : len, to = from;
    while (from > 0 && filter[from - 1] != '\n')
        from--;
    while (to < len && filter[to] != '\n')
        to++;
    struct hg_buf line;
    hg_buf_init(&line, 65536);
    hg_visible_put(hg_slice(filter + from, to - from), 8192, &line);
    fprintf(stderr, "  %.*s\n  ", HG_SLICE_ARG(hg_buf_slice(&line)));
    for (size_t i = from; i < at && i < to; i++)
        if (((unsigned char)filter[i] & 0xc0) != 0x80)
            fputc(' ', stderr);
    fputs("^\n", stderr);
    hg_buf_done(&line);
}

static hg_result parse(const char *text, struct hg_filter **ret_filter, struct hg_filter_report *report)
{
    struct hg_slice slice = hg_slice_str(text);
    while (slice.len > 0 && strchr(" \t\r\n", slice.ptr[0]))
        slice = hg_slice_from(slice, 1);
    if (slice.len == 0 || slice.ptr[0] != '{')
        return hg_filter_parse(hg_slice_str(text), ret_filter, report);
    struct hg_json json;
    size_t at;
    if (!hg_ok(hg_json_parse(slice, &json, &at))) {
        *report = (struct hg_filter_report){.at = at};
        snprintf(report->text, sizeof(report->text), "The filter object is not valid JSON.");
        return HG_FAIL(FILTER_INVALID);
    }
    return hg_filter_parse_json(json, ret_filter, report);
}

static bool read_event(struct hg_buf *event)
{
    char *room;
    while ((room = hg_buf_reserve(event, 65536))) {
        size_t got = fread(room, 1, 65536, stdin);
        event->len += got;
        if (got == 0)
            return !ferror(stdin);
    }
    return false;
}

static int explain(const struct options *options, struct hg_filter *filter)
{
    struct hg_buf event, text;
    hg_buf_init(&event, EVENT_BYTES_MAX);
    hg_buf_init(&text, EXPLAIN_BYTES_MAX);
    int code = HG_EXIT_USAGE;
    if (!read_event(&event)) {
        fputs("headgate filter: the event cannot be read, or is larger than 64 MiB\n", stderr);
    } else {
        struct hg_slice topic = hg_slice_str(options->topic), json = hg_buf_slice(&event);
        bool passes = false;
        hg_result result = options->json ? hg_filter_explain_json(filter, json, topic, &text, &passes)
                                         : hg_filter_explain_text(filter, json, topic, &text, &passes);
        if (hg_ok(result)) {
            fwrite(text.ptr, 1, text.len, stdout);
            if (text.len > 0 && text.ptr[text.len - 1] != '\n')
                fputc('\n', stdout);
            code = passes ? PASSES : DOES_NOT_PASS;
        } else {
            fprintf(stderr, "headgate filter: %s\n", hg_error_row(result.code)->text);
        }
    }
    hg_buf_done(&event);
    hg_buf_done(&text);
    return code;
}

int hg_filter_command(int argc, char **argv)
{
    struct options options;
    struct hg_filter *filter;
    struct hg_filter_report report;
    int code = read_options(argc, argv, &options);
    if (code >= 0)
        return code;
    hg_result result = parse(options.filter, &filter, &report);
    if (!hg_ok(result)) {
        const char *why = result.code == HG_ERR_FILTER_INVALID ? report.text : hg_error_row(result.code)->text;
        fprintf(stderr, "headgate filter: column %zu: %s\n", report.at + 1, why);
        point_at(options.filter, report.at);
        return HG_EXIT_USAGE;
    }
    if (report.text[0] != '\0')
        fprintf(stderr, "hint: %s\n", report.text);
    if (options.check)
        puts("The filter is well formed.");
    else
        code = explain(&options, filter);
    hg_filter_unref(filter);
    return options.check ? 0 : code;
}
