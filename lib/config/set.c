#include <stdlib.h>

#include "base/utf8.h"
#include "config/complaint.h"
#include "config/config.h"
#include "config/settings.h"

static bool read_flag(struct hg_slice text, bool *ret_flag)
{
    static const char *const words[][2] = {{"false", "true"}, {"0", "1"}, {"no", "yes"}, {"off", "on"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        for (int value = 0; value <= 1; value++)
            if (hg_slice_is(text, words[i][value])) {
                *ret_flag = value == 1;
                return true;
            }
    return false;
}

static hg_result copy(struct hg_slice text, char **ret_copy)
{
    *ret_copy = strndup(text.ptr ? text.ptr : "", text.len);
    return *ret_copy ? HG_OK : HG_FAIL(NOMEM);
}

static struct hg_slice trimmed(struct hg_slice text)
{
    while (text.len > 0 && text.ptr[0] == ' ')
        text = hg_slice_from(text, 1);
    while (text.len > 0 && text.ptr[text.len - 1] == ' ')
        text.len--;
    return text;
}

/* Elements between commas; nothing at all is the empty list. */
static hg_result read_list(struct hg_where where, const struct hg_setting *row, struct hg_slice text,
                           struct hg_string_list *ret_list, struct hg_buf *reterr)
{
    size_t count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ',';
    struct hg_string_list list = {calloc(count, sizeof(char *)), 0};
    hg_result result = list.items ? HG_OK : HG_FAIL(NOMEM);
    struct hg_slice rest = text;
    while (hg_ok(result) && trimmed(text).len > 0 && list.count < count) {
        const char *comma = rest.len > 0 ? memchr(rest.ptr, ',', rest.len) : NULL;
        size_t len = comma ? (size_t)(comma - rest.ptr) : rest.len;
        struct hg_slice element = trimmed(hg_slice_first(rest, len));
        const char *noun, *why;
        where.element = list.count;
        result = hg_setting_check(row, &list, element, &noun, &why);
        if (result.code == HG_ERR_SYNTAX)
            result = hg_complain_text(where, element, noun, why, row, reterr);
        if (hg_ok(result))
            result = copy(element, &list.items[list.count]);
        list.count += hg_ok(result);
        rest = hg_slice_from(rest, len + 1);
    }
    if (!hg_ok(result)) {
        hg_string_list_done(&list);
        return result;
    }
    hg_string_list_done(ret_list);
    *ret_list = list;
    return HG_OK;
}

static bool read_number(const struct hg_setting *row, struct hg_slice text, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(text.ptr[i] - '0');
        if (digit > 9 || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (text.len == 0 || number < row->minimum || number > row->maximum)
        return false;
    *ret_number = number;
    return true;
}

static hg_result read_text(struct hg_where where, const struct hg_setting *row, struct hg_slice text,
                           struct hg_config *config, struct hg_buf *reterr)
{
    const char *noun = NULL, *why = NULL;
    switch (row->kind) {
    case HG_SETTING_TEXT: {
        char *value;
        hg_result result = hg_setting_check(row, NULL, text, &noun, &why);
        if (result.code == HG_ERR_SYNTAX)
            break;
        HG_TRY(result);
        HG_TRY(copy(text, &value));
        free(*hg_setting_text(row, config));
        *hg_setting_text(row, config) = value;
        return HG_OK;
    }
    case HG_SETTING_LIST:
        return read_list(where, row, text, hg_setting_list(row, config), reterr);
    case HG_SETTING_FLAG:
        if (read_flag(text, hg_setting_flag(row, config)))
            return HG_OK;
        break;
    case HG_SETTING_NUMBER:
        if (read_number(row, text, hg_setting_number(row, config)))
            return HG_OK;
        break;
    case HG_SETTING_ENUM:
        break; /* only rules have these */
    }
    return hg_complain_text(where, text, noun, why, row, reterr);
}

hg_result hg_config_set(struct hg_config *config, struct hg_slice field, struct hg_slice text, struct hg_slice origin,
                        struct hg_buf *reterr)
{
    struct hg_settings settings = hg_settings_of_config();
    struct hg_where where = {.name = origin, .rule = HG_NOWHERE, .element = HG_NOWHERE};
    if (hg_slice_is(field, "topics"))
        return hg_complain(where, "topic rules", NULL, "these in a configuration file only", reterr);
    for (size_t i = 0; i < settings.count; i++) {
        if (!hg_slice_is(field, settings.rows[i].name))
            continue;
        if (!hg_utf8_valid(text) || (text.len > 0 && memchr(text.ptr, '\0', text.len)))
            return hg_complain_text(where, text, NULL, "not UTF-8", &settings.rows[i], reterr);
        return read_text(where, &settings.rows[i], text, config, reterr);
    }
    where.key = field;
    return hg_complain_unknown(where, hg_config_name, reterr);
}
