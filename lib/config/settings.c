#include "config/settings.h"

#include <stdlib.h>

#include "base/assert.h"
#include "config/kind.h"

/* The rows of struct OWNER. */
#define TEXT(field, value, what, about)                                                                                \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_TEXT,                                                                                          \
     .offset = offsetof(struct OWNER, field),                                                                          \
     .text = value,                                                                                                    \
     .unit = what,                                                                                                     \
     .sentence = about},
#define FLAG(field, value, about)                                                                                      \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_FLAG,                                                                                          \
     .offset = offsetof(struct OWNER, field),                                                                          \
     .number = value,                                                                                                  \
     .sentence = about},
#define LIST(field, what, about)                                                                                       \
    {.name = #field, .kind = HG_SETTING_LIST, .offset = offsetof(struct OWNER, field), .unit = what, .sentence = about},
#define NUMBER(field, least, most, value, what, about)                                                                 \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_NUMBER,                                                                                        \
     .offset = offsetof(struct OWNER, field),                                                                          \
     .minimum = least,                                                                                                 \
     .maximum = most,                                                                                                  \
     .number = value,                                                                                                  \
     .unit = what,                                                                                                     \
     .sentence = about},
#define ENUM(field, type, choices, value, about)                                                                       \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_ENUM,                                                                                          \
     .offset = offsetof(struct OWNER, field),                                                                          \
     .number = value,                                                                                                  \
     .unit = choices,                                                                                                  \
     .sentence = about},

static const struct hg_setting config_rows[] = {
#define OWNER hg_config
    HG_SETTINGS(TEXT, FLAG, LIST, NUMBER)
#undef OWNER
};

static const struct hg_setting rule_rows[] = {
#define OWNER hg_rule
    HG_RULE_SETTINGS(TEXT, FLAG, LIST, NUMBER, ENUM)
#undef OWNER
};
#undef TEXT
#undef FLAG
#undef LIST
#undef NUMBER
#undef ENUM

/* Enumerations are read and written as unsigned, whatever their type. */
#define SKIP(...)
#define ENUM(field, type, ...) _Static_assert(sizeof(type) == sizeof(unsigned), #field);
HG_RULE_SETTINGS(SKIP, SKIP, SKIP, SKIP, ENUM)
#undef SKIP
#undef ENUM

/* The parser notes the rows it has seen in one word. */
_Static_assert(sizeof(config_rows) / sizeof(config_rows[0]) < HG_SETTINGS_MAX, "one bit for each row");
_Static_assert(sizeof(rule_rows) / sizeof(rule_rows[0]) < HG_SETTINGS_MAX, "one bit for each row");

struct hg_settings hg_settings_of_config(void)
{
    return (struct hg_settings){config_rows, sizeof(config_rows) / sizeof(config_rows[0])};
}

struct hg_settings hg_settings_of_rule(void)
{
    return (struct hg_settings){rule_rows, sizeof(rule_rows) / sizeof(rule_rows[0])};
}

static void *field_of(const struct hg_setting *row, enum hg_setting_kind kind, void *object)
{
    HG_ASSERT(row->kind == kind);
    return (char *)object + row->offset;
}

char **hg_setting_text(const struct hg_setting *row, void *object)
{
    return field_of(row, HG_SETTING_TEXT, object);
}

bool *hg_setting_flag(const struct hg_setting *row, void *object)
{
    return field_of(row, HG_SETTING_FLAG, object);
}

struct hg_string_list *hg_setting_list(const struct hg_setting *row, void *object)
{
    return field_of(row, HG_SETTING_LIST, object);
}

uint64_t *hg_setting_number(const struct hg_setting *row, void *object)
{
    return field_of(row, HG_SETTING_NUMBER, object);
}

unsigned hg_setting_enum(const struct hg_setting *row, void *object)
{
    unsigned value;
    memcpy(&value, field_of(row, HG_SETTING_ENUM, object), sizeof(value));
    return value;
}

void hg_setting_set_enum(const struct hg_setting *row, void *object, unsigned value)
{
    memcpy(field_of(row, HG_SETTING_ENUM, object), &value, sizeof(value));
}

hg_result hg_settings_init(struct hg_settings settings, void *object)
{
    for (size_t i = 0; i < settings.count; i++) {
        const struct hg_setting *row = &settings.rows[i];
        switch (row->kind) {
        case HG_SETTING_TEXT:
            if (row->text && !(*hg_setting_text(row, object) = strdup(row->text)))
                return HG_FAIL(NOMEM);
            break;
        case HG_SETTING_FLAG:
            *hg_setting_flag(row, object) = row->number != 0;
            break;
        case HG_SETTING_LIST:
            break; /* empty */
        case HG_SETTING_NUMBER:
            *hg_setting_number(row, object) = row->number;
            break;
        case HG_SETTING_ENUM:
            hg_setting_set_enum(row, object, (unsigned)row->number);
            break;
        }
    }
    return HG_OK;
}

void hg_string_list_done(struct hg_string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct hg_string_list){NULL, 0};
}

bool hg_string_list_has(const struct hg_string_list *list, struct hg_slice text)
{
    for (size_t i = 0; i < list->count; i++)
        if (hg_slice_is(text, list->items[i]))
            return true;
    return false;
}

void hg_settings_done(struct hg_settings settings, void *object)
{
    for (size_t i = 0; i < settings.count; i++) {
        const struct hg_setting *row = &settings.rows[i];
        if (row->kind == HG_SETTING_TEXT) {
            free(*hg_setting_text(row, object));
            *hg_setting_text(row, object) = NULL;
        } else if (row->kind == HG_SETTING_LIST) {
            hg_string_list_done(hg_setting_list(row, object));
        }
    }
}

bool hg_setting_is_optional(const struct hg_setting *row)
{
    return row->kind == HG_SETTING_TEXT && row->text && !*row->text;
}

bool hg_setting_has_choices(const struct hg_setting *row)
{
    return row->unit && strchr(row->unit, '|');
}

struct hg_slice hg_setting_choice(const struct hg_setting *row, size_t i)
{
    HG_ASSERT(hg_setting_has_choices(row));
    const char *at = row->unit;
    for (; i > 0 && at; i--) {
        at = strchr(at, '|');
        at = at ? at + 1 : NULL;
    }
    return at ? hg_slice(at, strcspn(at, "|")) : HG_SLICE_NULL;
}

hg_result hg_setting_check(const struct hg_setting *row, const struct hg_string_list *before, struct hg_slice text,
                           const char **reterr_noun, const char **reterr_why)
{
    if (text.len == 0 && hg_setting_is_optional(row))
        return HG_OK;
    if (hg_setting_has_choices(row)) {
        bool again = before && hg_string_list_has(before, text);
        *reterr_noun = again ? "word" : NULL;
        *reterr_why = again ? "stands there twice" : NULL;
        struct hg_slice choice;
        for (size_t i = 0; !again && (choice = hg_setting_choice(row, i)).len > 0; i++)
            if (hg_slice_eq(choice, text))
                return HG_OK;
        return HG_FAIL(SYNTAX);
    }
    const struct hg_text_kind *kind = hg_text_kind(row->unit);
    const char *why = NULL;
    hg_result result = kind->check(text, &why);
    if (!hg_ok(result)) {
        *reterr_noun = kind->noun;
        *reterr_why = why;
    }
    return result;
}

bool hg_setting_may_be_number(const struct hg_setting *row)
{
    return row->kind == HG_SETTING_TEXT && !hg_setting_has_choices(row) && hg_text_kind(row->unit)->number;
}

bool hg_setting_is_secret(const struct hg_setting *row)
{
    return row->kind == HG_SETTING_TEXT && !hg_setting_has_choices(row) && hg_text_kind(row->unit)->secret;
}

void hg_setting_put_allowed(const struct hg_setting *row, struct hg_buf *into)
{
    if (row->kind == HG_SETTING_NUMBER) {
        hg_buf_put_str(into, "a whole number from ");
        hg_buf_put_u64(into, row->minimum);
        hg_buf_put_str(into, " to ");
        hg_buf_put_u64(into, row->maximum);
        hg_buf_put_str(into, " (");
        hg_buf_put_str(into, row->unit);
        hg_buf_put_char(into, ')');
    } else if (row->kind == HG_SETTING_FLAG) {
        hg_buf_put_str(into, "true, false");
    } else if (hg_setting_has_choices(row)) {
        struct hg_slice choice;
        hg_buf_put_str(into, row->kind == HG_SETTING_LIST ? "a list of " : "");
        for (size_t i = 0; (choice = hg_setting_choice(row, i)).len > 0; i++) {
            hg_buf_put_str(into, i > 0 ? ", " : "");
            hg_buf_put(into, choice);
        }
        hg_buf_put_str(into, row->kind == HG_SETTING_LIST ? ", each at most once" : "");
    } else {
        hg_buf_put_str(into, hg_text_kind(row->unit)->allowed);
        hg_buf_put_str(into, hg_setting_is_optional(row) ? ", or \"\" for none" : "");
    }
}
