#include <stdlib.h>

#include "base/json.h"
#include "config/complaint.h"
#include "config/config.h"
#include "config/relation.h"
#include "config/settings.h"
#include "topic/pattern.h"
#include "topic/template.h"

/* Each rule is compared with those before it, and each new topic is matched against all. */
#define RULES_MAX 1000

struct reader {
    struct hg_slice name, text;
    struct hg_buf *reterr;
};

static struct hg_where place(const struct reader *reader, const char *at, size_t rule, const char *key)
{
    return (struct hg_where){
        .name = reader->name,
        .text = reader->text,
        .at = at,
        .rule = rule,
        .key = key ? hg_slice_str(key) : HG_SLICE_NULL,
        .element = HG_NOWHERE,
    };
}

/* A number where a text may stand. */
static hg_result read_number_text(const struct reader *reader, struct hg_where where, const struct hg_setting *row,
                                  struct hg_json value, char **ret_copy)
{
    const char *noun = NULL, *why = NULL;
    hg_result result = hg_setting_check(row, NULL, value.raw, &noun, &why);
    if (result.code == HG_ERR_SYNTAX)
        return hg_complain_json(where, value, noun, why, row, reader->reterr);
    if (hg_ok(result) && !(*ret_copy = strndup(value.raw.ptr, value.raw.len)))
        return HG_FAIL(NOMEM);
    return result;
}

/* A copy of a JSON string that the row accepts; `before` as for hg_setting_check(). */
static hg_result read_string(const struct reader *reader, struct hg_where where, const struct hg_setting *row,
                             const struct hg_string_list *before, struct hg_json value, char **ret_copy)
{
    if (value.type == HG_JSON_NUMBER && hg_setting_may_be_number(row))
        return read_number_text(reader, where, row, value, ret_copy);
    if (value.type != HG_JSON_STRING)
        return hg_complain_json(where, value, NULL, NULL, row, reader->reterr);
    struct hg_buf text;
    hg_buf_init(&text, value.raw.len);
    const char *noun = NULL, *why = NULL;
    hg_result result = hg_json_string_decode(value, &text);
    if (result.code == HG_ERR_SYNTAX) {
        result = hg_complain_json(where, value, "string", "has half of a surrogate pair", row, reader->reterr);
    } else if (hg_ok(result)) {
        struct hg_slice decoded = hg_buf_slice(&text);
        if (decoded.len > 0 && memchr(decoded.ptr, '\0', decoded.len))
            result = hg_complain_json(where, value, "string", "has a NUL character", row, reader->reterr);
        else if ((result = hg_setting_check(row, before, decoded, &noun, &why)).code == HG_ERR_SYNTAX)
            result = hg_complain_json(where, value, noun, why, row, reader->reterr);
        else if (hg_ok(result) && !(*ret_copy = strndup(decoded.ptr ? decoded.ptr : "", decoded.len)))
            result = HG_FAIL(NOMEM);
    }
    hg_buf_done(&text);
    return result;
}

static hg_result read_list(const struct reader *reader, struct hg_where where, const struct hg_setting *row,
                           struct hg_json value, struct hg_string_list *list)
{
    if (value.type != HG_JSON_ARRAY)
        return hg_complain_json(where, value, NULL, NULL, row, reader->reterr);
    size_t count = 0;
    struct hg_json element;
    for (struct hg_json_iter iter = hg_json_iter(value); hg_json_next_element(&iter, &element);)
        count++;
    hg_string_list_done(list);
    if (count == 0)
        return HG_OK;
    if (!(list->items = calloc(count, sizeof(*list->items))))
        return HG_FAIL(NOMEM);
    for (struct hg_json_iter iter = hg_json_iter(value); hg_json_next_element(&iter, &element); list->count++) {
        where.at = element.raw.ptr;
        where.element = list->count;
        HG_TRY(read_string(reader, where, row, list, element, &list->items[list->count]));
    }
    return HG_OK;
}

static hg_result read_value(const struct reader *reader, struct hg_where where, const struct hg_setting *row,
                            struct hg_json value, void *object)
{
    switch (row->kind) {
    case HG_SETTING_TEXT: {
        char *copy;
        HG_TRY(read_string(reader, where, row, NULL, value, &copy));
        free(*hg_setting_text(row, object));
        *hg_setting_text(row, object) = copy;
        return HG_OK;
    }
    case HG_SETTING_LIST:
        return read_list(reader, where, row, value, hg_setting_list(row, object));
    case HG_SETTING_FLAG:
        if (value.type != HG_JSON_BOOL)
            break;
        *hg_setting_flag(row, object) = value.raw.ptr[0] == 't';
        return HG_OK;
    case HG_SETTING_NUMBER: {
        uint64_t number;
        if (!hg_json_u64(value, &number) || number < row->minimum || number > row->maximum)
            break;
        *hg_setting_number(row, object) = number;
        return HG_OK;
    }
    case HG_SETTING_ENUM: {
        struct hg_slice choice;
        if (value.type != HG_JSON_STRING)
            break;
        for (size_t i = 0; (choice = hg_setting_choice(row, i)).len > 0; i++)
            if (hg_slice_eq(choice, hg_slice(value.raw.ptr + 1, value.raw.len - 2))) {
                hg_setting_set_enum(row, object, (unsigned)i);
                return HG_OK;
            }
        break;
    }
    }
    return hg_complain_json(where, value, NULL, NULL, row, reader->reterr);
}

static const char *config_name(size_t i)
{
    struct hg_settings settings = hg_settings_of_config();
    return i < settings.count ? settings.rows[i].name : i == settings.count ? "topics" : NULL;
}

static const char *rule_name(size_t i)
{
    struct hg_settings settings = hg_settings_of_rule();
    return i < settings.count ? settings.rows[i].name : NULL;
}

static struct hg_slice unquoted(struct hg_json key)
{
    return hg_slice(key.raw.ptr + 1, key.raw.len - 2);
}

/* Notes that row `i` was seen; refuses the second time. */
static hg_result see(const struct reader *reader, struct hg_where where, size_t i, uint64_t *seen)
{
    uint64_t bit = UINT64_C(1) << i;
    if (*seen & bit)
        return hg_complain(where, "the setting a second time", NULL, "once", reader->reterr);
    *seen |= bit;
    return HG_OK;
}

static size_t row_of(struct hg_settings settings, struct hg_json key)
{
    size_t i = 0;
    while (i < settings.count && !hg_json_string_is(key, settings.rows[i].name))
        i++;
    return i;
}

/* Where a rule stands in the file, and its settings by their row; those that are at their defaults stand nowhere. */
struct rule_places {
    size_t index;
    const char *rule, *settings[HG_SETTINGS_MAX];
};

static size_t rule_row(const char *name)
{
    size_t i = 0;
    while (strcmp(rule_name(i), name) != 0)
        i++;
    return i;
}

/* Of a setting, or of the whole rule where the setting is at its default. */
static struct hg_where rule_place(const struct reader *reader, const struct rule_places *places, const char *name)
{
    const char *at = places->settings[rule_row(name)];
    return place(reader, at ? at : places->rule, places->index, name);
}

static hg_result complain_rule_text(const struct reader *reader, const struct rule_places *places, const char *name,
                                    const char *text, const char *noun, const char *why)
{
    return hg_complain_text(rule_place(reader, places, name), hg_slice_str(text), noun, why,
                            &hg_settings_of_rule().rows[rule_row(name)], reader->reterr);
}

static hg_result check_template(const struct reader *reader, const struct rule_places *places, const char *name,
                                const char *tmpl)
{
    if (hg_template_varies(hg_slice_str(tmpl)))
        return HG_OK;
    return complain_rule_text(reader, places, name, tmpl, "template",
                              "has no {topic}, so that all topics of the pattern would be one Redis name");
}

static bool ends_in_rest(struct hg_slice pattern)
{
    return pattern.len >= 2 && memcmp(pattern.ptr + pattern.len - 2, "**", 2) == 0;
}

/* Whether `wide` matches whatever `narrow` matches. A wildcard of `narrow`, read as the text of a name, is matched by
 * whatever stands for one segment; only the rest of a "**" needs a "**" to take it. */
static bool covers(struct hg_slice wide, struct hg_slice narrow)
{
    return hg_pattern_match(wide, narrow) && (!ends_in_rest(narrow) || ends_in_rest(wide));
}

/* What cannot be said of one setting alone. */
static hg_result check_rule(const struct reader *reader, const struct hg_config *config,
                            const struct rule_places *places)
{
    const struct hg_rule *rule = &config->rules[places->index];
    if (!rule->match)
        return hg_complain(place(reader, places->rule, places->index, NULL), "no \"match\"", NULL,
                           "\"match\" with a topic pattern such as orders.**", reader->reterr);
    struct hg_slice match = hg_slice_str(rule->match);
    if (!hg_pattern_is_exact(match)) {
        if (rule->source != HG_SOURCE_CHANNEL)
            HG_TRY(check_template(reader, places, "key", rule->key));
        if (rule->source != HG_SOURCE_STREAM)
            HG_TRY(check_template(reader, places, "channel", rule->channel));
    }
    struct hg_rule_fault fault;
    if (!hg_rule_is_sound(rule, &fault))
        return hg_rule_complain(rule_place(reader, places, fault.setting), &fault, reader->reterr);
    for (size_t i = 0; i < places->index; i++) {
        if (!covers(hg_slice_str(config->rules[i].match), match))
            continue;
        struct hg_buf why;
        hg_buf_init(&why, 200);
        hg_buf_printf(&why, "is covered by topics[%zu], which comes first, so that this rule would never apply", i);
        hg_buf_put_char(&why, '\0');
        hg_result result = hg_buf_result(&why);
        if (hg_ok(result))
            result = complain_rule_text(reader, places, "match", rule->match, "pattern", why.ptr);
        hg_buf_done(&why);
        return result;
    }
    return HG_OK;
}

static hg_result read_rule(const struct reader *reader, struct hg_json value, struct hg_config *config, size_t index)
{
    struct hg_settings settings = hg_settings_of_rule();
    struct hg_rule *rule = &config->rules[index];
    struct rule_places places = {.index = index, .rule = value.raw.ptr};
    uint64_t seen = 0;
    if (value.type != HG_JSON_OBJECT)
        return hg_complain(place(reader, value.raw.ptr, index, NULL), "something else than an object", NULL,
                           "an object such as {\"match\": \"orders.**\", \"source\": \"stream\"}", reader->reterr);
    HG_TRY(hg_settings_init(settings, rule));
    struct hg_json key, member;
    for (struct hg_json_iter iter = hg_json_iter(value); hg_json_next_member(&iter, &key, &member);) {
        struct hg_where where = place(reader, key.raw.ptr, index, NULL);
        where.key = unquoted(key);
        size_t i = row_of(settings, key);
        if (i == settings.count)
            return hg_complain_unknown(where, rule_name, reader->reterr);
        where.key = hg_slice_str(settings.rows[i].name);
        HG_TRY(see(reader, where, i, &seen));
        where.at = member.raw.ptr;
        HG_TRY(read_value(reader, where, &settings.rows[i], member, rule));
        places.settings[i] = member.raw.ptr;
    }
    if (places.settings[rule_row("schema")])
        rule->schema_line = hg_where_line(rule_place(reader, &places, "schema"));
    return check_rule(reader, config, &places);
}

static hg_result read_rules(const struct reader *reader, struct hg_json value, struct hg_config *config)
{
    static const char allowed[] =
        "an array of 1 to 1000 rules such as {\"match\": \"orders.**\", \"source\": \"stream\"}";
    struct hg_where where = place(reader, value.raw.ptr, HG_NOWHERE, "topics");
    if (value.type != HG_JSON_ARRAY)
        return hg_complain(where, "something else than an array", NULL, allowed, reader->reterr);
    size_t count = 0;
    struct hg_json element;
    for (struct hg_json_iter iter = hg_json_iter(value); hg_json_next_element(&iter, &element);)
        count++;
    if (count == 0 || count > RULES_MAX)
        return hg_complain(where, count == 0 ? "no rule" : "too many rules", NULL, allowed, reader->reterr);

    struct hg_rule *rules = calloc(count, sizeof(*rules));
    if (!rules)
        return HG_FAIL(NOMEM);
    for (size_t i = 0; i < config->rule_count; i++)
        hg_settings_done(hg_settings_of_rule(), &config->rules[i]);
    free(config->rules);
    config->rules = rules;
    config->rule_count = count;
    size_t index = 0;
    for (struct hg_json_iter iter = hg_json_iter(value); hg_json_next_element(&iter, &element); index++)
        HG_TRY(read_rule(reader, element, config, index));
    return HG_OK;
}

static hg_result read_config(const struct reader *reader, struct hg_json value, struct hg_config *config)
{
    struct hg_settings settings = hg_settings_of_config();
    uint64_t seen = 0;
    if (value.type != HG_JSON_OBJECT)
        return hg_complain(place(reader, value.raw.ptr, HG_NOWHERE, NULL), "something else than an object", NULL,
                           "an object of settings", reader->reterr);
    struct hg_json key, member;
    for (struct hg_json_iter iter = hg_json_iter(value); hg_json_next_member(&iter, &key, &member);) {
        struct hg_where where = place(reader, key.raw.ptr, HG_NOWHERE, NULL);
        where.key = unquoted(key);
        size_t i = row_of(settings, key);
        bool is_rules = i == settings.count && hg_json_string_is(key, "topics");
        if (i == settings.count && !is_rules)
            return hg_complain_unknown(where, config_name, reader->reterr);
        where.key = hg_slice_str(config_name(i));
        HG_TRY(see(reader, where, i, &seen));
        where.at = member.raw.ptr;
        HG_TRY(is_rules ? read_rules(reader, member, config)
                        : read_value(reader, where, &settings.rows[i], member, config));
    }
    return HG_OK;
}

hg_result hg_config_parse(struct hg_slice name, struct hg_slice json, struct hg_config **ret_config,
                          struct hg_buf *reterr)
{
    struct reader reader = {name, json.ptr ? json : HG_LIT(""), reterr};
    struct hg_json value;
    size_t offset;
    if (!hg_ok(hg_json_parse(reader.text, &value, &offset)))
        return hg_complain_syntax(place(&reader, NULL, HG_NOWHERE, NULL), offset, reterr);
    struct hg_config *config;
    HG_TRY(hg_config_new(&config));
    hg_result result = read_config(&reader, value, config);
    if (!hg_ok(result)) {
        hg_config_free(config);
        return result;
    }
    *ret_config = config;
    return HG_OK;
}
