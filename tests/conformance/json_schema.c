/* json_schema.c – the JSON Schema Test Suite, draft 2020-12, against our validator.
 *
 *     conformance_json_schema [FOLDER]     FOLDER: …/tests/draft2020-12; HEADGATE_SCHEMA_SUITE in the environment
 * overrides
 *
 * Every case of every file must pass. A schema that is refused must stand in the table below with the word that its
 * refusal must hold, and one that stands there must be refused. Files are left out by name only. Ends with 0 when all
 * of that is so, else, and when the suite is not there, with 1. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "schema/schema.h"

static const char usual[] = "/usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance/tests/draft2020-12";

/* Files that are not run: `format` is an annotation here, as the draft has it by default. */
static const struct {
    const char *start, *why;
} left_out[] = {
    {"optional/format", "format is an annotation"},
};

/* Schemas that are refused when they are compiled: of which files, with which beginning of the description, holding
 * which text; NULL and "" are for all. */
static const struct {
    const char *file, *description, *holding;
    const char *word;
} refused[] = {
    {NULL, "", "\"$dynamicRef\"", "$dynamicRef"},
    {NULL, "", "\"$ref\": \"https://json-schema.org/draft/2020-12/schema\"", "within this document"},
    {"refRemote.json", "", "", "within this document"},
    {"dynamicRef.json", "strict-tree schema", "", "within this document"},
    {"dynamicRef.json", "tests for implementation dynamic anchor and reference link", "", "within this document"},
    {"dynamicRef.json", "$ref and $dynamicAnchor are independent of order", "", "within this document"},
    {"dynamicRef.json", "$ref to $dynamicRef finds detached $dynamicAnchor", "", "within this document"},
    {"vocabulary.json", "", "", "$schema"},
    {"optional/cross-draft.json", "refs to historic drafts", "", "within this document"},
    {"optional/dependencies-compatibility.json", "", "", "dependencies"},
};

static struct {
    unsigned files, passed, refused, failed, left_out;
} sum;

static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    size_t capacity = 4u << 20; /* the largest of the suite has 0.1 MiB */
    char *bytes = malloc(capacity);
    if (!bytes)
        abort();
    *ret_len = fread(bytes, 1, capacity, file);
    fclose(file);
    return bytes;
}

static struct hg_json member(struct hg_json object, const char *name)
{
    struct hg_json value;
    if (!hg_json_get(object, name, &value)) {
        printf("FAILED: a case without %s: %.*s\n", name, HG_SLICE_ARG(object.raw));
        exit(1);
    }
    return value;
}

static void put_text(struct hg_json string, struct hg_buf *into)
{
    hg_buf_clear(into);
    if (!hg_ok(hg_json_string_decode(string, into)))
        abort();
}

static const char *refusal_word(const char *file, struct hg_slice description, struct hg_slice schema)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if ((!refused[i].file || strcmp(refused[i].file, file) == 0) &&
            hg_slice_starts(description, hg_slice_str(refused[i].description)) &&
            memmem(schema.ptr, schema.len, refused[i].holding, strlen(refused[i].holding)))
            return refused[i].word;
    return NULL;
}

static void run_cases(const struct hg_schema *schema, struct hg_json tests, const char *file, struct hg_slice group)
{
    struct hg_json_iter iter = hg_json_iter(tests);
    struct hg_json test;
    struct hg_buf pointer, message, description;
    hg_buf_init(&pointer, 65536);
    hg_buf_init(&message, 65536);
    hg_buf_init(&description, 65536);
    while (hg_json_next_element(&iter, &test)) {
        bool valid = member(test, "valid").raw.ptr[0] == 't';
        hg_result r = hg_schema_check(schema, member(test, "data").raw, &pointer, &message);
        bool told = hg_ok(r) || (r.code == HG_ERR_EVENT_INVALID && message.len > 0);
        if (told && hg_ok(r) == valid) {
            sum.passed++;
            continue;
        }
        put_text(member(test, "description"), &description);
        printf("FAILED: %s: %.*s: %.*s: wanted %s, got %s %.*s %.*s\n", file, HG_SLICE_ARG(group),
               HG_SLICE_ARG(hg_buf_slice(&description)), valid ? "valid" : "invalid", hg_error_row(r.code)->name,
               HG_SLICE_ARG(hg_buf_slice(&pointer)), HG_SLICE_ARG(hg_buf_slice(&message)));
        sum.failed++;
    }
    hg_buf_done(&pointer);
    hg_buf_done(&message);
    hg_buf_done(&description);
}

static void run_group(struct hg_json group, const char *file)
{
    struct hg_schema *schema = NULL;
    struct hg_buf why, description;
    hg_buf_init(&why, 65536);
    hg_buf_init(&description, 65536);
    put_text(member(group, "description"), &description);
    struct hg_slice name = hg_buf_slice(&description);
    struct hg_slice text = member(group, "schema").raw;
    const char *word = refusal_word(file, name, text);
    hg_result r = hg_schema_compile(text, &schema, &why);
    if (hg_ok(r) && !word) {
        run_cases(schema, member(group, "tests"), file, name);
    } else if (hg_ok(r)) {
        printf("FAILED: %s: %.*s: wanted a refusal about %s\n", file, HG_SLICE_ARG(name), word);
        sum.failed++;
    } else {
        hg_buf_put_char(&why, '\0');
        if (word && strstr(why.ptr, word)) {
            sum.refused++;
            printf("refused: %s: %.*s: %s\n", file, HG_SLICE_ARG(name), why.ptr);
        } else {
            printf("FAILED: %s: %.*s: refused: %s\n", file, HG_SLICE_ARG(name), why.ptr);
            sum.failed++;
        }
    }
    hg_schema_free(schema);
    hg_buf_done(&why);
    hg_buf_done(&description);
}

static void run_file(const char *folder, const char *name)
{
    char path[8200];
    size_t len = 0;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
        if (strncmp(name, left_out[i].start, strlen(left_out[i].start)) == 0) {
            printf("left out: %s: %s\n", name, left_out[i].why);
            sum.left_out++;
            return;
        }
    char *bytes = read_file(path, &len);
    struct hg_json groups, group;
    if (!bytes || !hg_ok(hg_json_parse(hg_slice(bytes, len), &groups, NULL)) || groups.type != HG_JSON_ARRAY) {
        printf("FAILED: %s is no array of JSON\n", path);
        sum.failed++;
        free(bytes);
        return;
    }
    struct hg_json_iter iter = hg_json_iter(groups);
    sum.files++;
    while (hg_json_next_element(&iter, &group))
        run_group(group, name);
    free(bytes);
}

/* Runs `inside` of the suite's folder; false when it cannot be read. */
static bool run_folder(const char *folder, const char *inside)
{
    char path[8200], name[4096];
    struct dirent **entries = NULL;
    snprintf(path, sizeof(path), "%s/%s", folder, inside);
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++) {
        const char *entry = entries[i]->d_name, *dot = strrchr(entry, '.');
        snprintf(name, sizeof(name), "%s%s%s", inside, *inside ? "/" : "", entry);
        if (dot && strcmp(dot, ".json") == 0)
            run_file(folder, name);
        else if (entry[0] != '.' && !run_folder(folder, name)) {
            printf("FAILED: %s/%s is neither a case file nor a folder\n", path, entry);
            sum.failed++;
        }
        free(entries[i]);
    }
    free(entries);
    return true;
}

int main(int argc, char **argv)
{
    const char *folder = getenv("HEADGATE_SCHEMA_SUITE");
    if (!folder)
        folder = argc == 2 ? argv[1] : usual;
    if (!run_folder(folder, "") || sum.files == 0) {
        printf("FAILED: there is no JSON Schema Test Suite at %s; it is in the Debian package "
               "libtest-json-schema-acceptance-perl\n",
               folder);
        return 1;
    }
    printf("JSON Schema draft 2020-12: %u files: %u cases pass, %u schemas refused as they must be, %u failed; %u "
           "files left "
           "out by name\n",
           sum.files, sum.passed, sum.refused, sum.failed, sum.left_out);
    return sum.failed > 0 || sum.passed == 0;
}
