#include "schemas.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/visible.h"
#include "path.h"
#include "schema/schema.h"

static hg_result read_whole(const char *path, struct hg_buf *into, struct hg_buf *reterr)
{
    FILE *file = fopen(path, "rbe");
    if (!file) {
        hg_buf_put_str(reterr, strerror(errno));
        return HG_FAIL(BAD_REQUEST);
    }
    char *to;
    size_t got = 1;
    while (got > 0 && (to = hg_buf_reserve(into, 4096))) {
        got = fread(to, 1, 4096, file);
        into->len += got;
    }
    hg_result result = hg_buf_result(into);
    if (result.code == HG_ERR_TOO_BIG) {
        hg_buf_printf(reterr, "is larger than %u bytes", HG_SCHEMA_BYTES_MAX);
        result = HG_FAIL(BAD_REQUEST);
    } else if (ferror(file)) {
        hg_buf_put_str(reterr, strerror(errno));
        result = HG_FAIL(BAD_REQUEST);
    }
    fclose(file);
    return result;
}

static hg_result read_schema(struct hg_rule *rule, const char *path, struct hg_buf *reterr)
{
    struct hg_buf json;
    struct hg_schema *schema = NULL;
    hg_buf_init(&json, HG_SCHEMA_BYTES_MAX);
    hg_result result = read_whole(path, &json, reterr);
    if (hg_ok(result))
        result = hg_schema_compile(hg_buf_slice(&json), &schema, reterr);
    if (hg_ok(result))
        rule->compiled_schema = schema;
    hg_buf_done(&json);
    return result;
}

hg_result hg_schemas_read(struct hg_config *config, const char *file, struct hg_buf *reterr)
{
    struct hg_buf path, why;
    hg_result result = HG_OK;
    hg_buf_init(&path, 1 << 16);
    hg_buf_init(&why, reterr->max);
    for (size_t i = 0; hg_ok(result) && i < config->rule_count; i++) {
        struct hg_rule *rule = &config->rules[i];
        if (!rule->schema[0])
            continue;
        hg_buf_clear(&path);
        hg_path_put(rule->schema, file, &path);
        result = hg_buf_result(&path);
        if (hg_ok(result))
            result = read_schema(rule, path.ptr, &why);
        if (result.code != HG_ERR_BAD_REQUEST)
            continue;
        hg_visible_put(hg_slice_str(file ? file : "settings"), SIZE_MAX, reterr);
        if (rule->schema_line > 0)
            hg_buf_printf(reterr, ":%zu", rule->schema_line);
        hg_buf_printf(reterr, ": topics[%zu].schema: ", i);
        hg_visible_put(hg_slice(path.ptr, path.len - 1), SIZE_MAX, reterr);
        hg_buf_put_str(reterr, ": ");
        hg_buf_put(reterr, hg_buf_slice(&why));
    }
    hg_buf_done(&path);
    hg_buf_done(&why);
    return result;
}

void hg_schemas_free(struct hg_config *config)
{
    for (size_t i = 0; config && i < config->rule_count; i++) {
        hg_schema_free((struct hg_schema *)(uintptr_t)config->rules[i].compiled_schema);
        config->rules[i].compiled_schema = NULL;
    }
}
