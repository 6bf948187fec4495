#include "base/json.h"
#include "config/config.h"
#include "config/redis_url.h"
#include "config/settings.h"

static void put_text(const struct hg_setting *row, const char *text, bool mask, struct hg_buf *into)
{
    struct hg_slice plain = hg_slice_str(text);
    if (!mask || !hg_setting_is_secret(row)) {
        hg_json_put_string(into, plain);
        return;
    }
    struct hg_buf masked;
    hg_buf_init(&masked, plain.len + 3);
    hg_redis_url_mask(plain, &masked);
    if (hg_ok(hg_buf_result(&masked)))
        hg_json_put_string(into, hg_buf_slice(&masked));
    else
        into->error = masked.error;
    hg_buf_done(&masked);
}

static void put_list(const struct hg_string_list *list, struct hg_buf *into)
{
    hg_buf_put_char(into, '[');
    for (size_t i = 0; i < list->count; i++) {
        hg_buf_put_str(into, i > 0 ? ", " : "");
        hg_json_put_string(into, hg_slice_str(list->items[i]));
    }
    hg_buf_put_char(into, ']');
}

/* The members of one object, without its braces. The rows' accessors take what they may change; nothing changes here.
 */
static void put_members(struct hg_settings settings, const void *constant, const char *indent, bool mask,
                        struct hg_buf *into)
{
    void *object = (void *)constant;
    for (size_t i = 0; i < settings.count; i++) {
        const struct hg_setting *row = &settings.rows[i];
        hg_buf_put_str(into, i > 0 ? ",\n" : "");
        hg_buf_put_str(into, indent);
        hg_json_put_string(into, hg_slice_str(row->name));
        hg_buf_put_str(into, ": ");
        switch (row->kind) {
        case HG_SETTING_TEXT:
            put_text(row, *hg_setting_text(row, object), mask, into);
            break;
        case HG_SETTING_FLAG:
            hg_buf_put_str(into, *hg_setting_flag(row, object) ? "true" : "false");
            break;
        case HG_SETTING_LIST:
            put_list(hg_setting_list(row, object), into);
            break;
        case HG_SETTING_NUMBER:
            hg_buf_put_u64(into, *hg_setting_number(row, object));
            break;
        case HG_SETTING_ENUM:
            hg_json_put_string(into, hg_setting_choice(row, hg_setting_enum(row, object)));
            break;
        }
    }
}

void hg_config_dump(const struct hg_config *config, bool mask, struct hg_buf *into)
{
    hg_buf_put_str(into, "{\n");
    put_members(hg_settings_of_config(), config, "  ", mask, into);
    hg_buf_put_str(into, ",\n  \"topics\": [\n");
    for (size_t i = 0; i < config->rule_count; i++) {
        hg_buf_put_str(into, i > 0 ? ",\n    {\n" : "    {\n");
        put_members(hg_settings_of_rule(), &config->rules[i], "      ", mask, into);
        hg_buf_put_str(into, "\n    }");
    }
    hg_buf_put_str(into, "\n  ]\n}\n");
}
