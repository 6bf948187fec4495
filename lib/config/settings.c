#include "config/settings.h"

#include <stdlib.h>

#include "base/assert.h"
#include "config/listen.h"
#include "config/redis_url.h"
#include "topic/pattern.h"
#include "topic/template.h"

#define FIELD_NAME_BYTES_MAX 255

static const struct hg_setting config_rows[] = {
#define TEXT(field, value, what, about)                                                                                \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_TEXT,                                                                                          \
     .offset = offsetof(struct hg_config, field),                                                                      \
     .text = value,                                                                                                    \
     .unit = what,                                                                                                     \
     .sentence = about},
#define FLAG(field, value, about)                                                                                      \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_FLAG,                                                                                          \
     .offset = offsetof(struct hg_config, field),                                                                      \
     .number = value,                                                                                                  \
     .sentence = about},
#define LIST(field, about)                                                                                             \
    {.name = #field, .kind = HG_SETTING_LIST, .offset = offsetof(struct hg_config, field), .sentence = about},
#define NUMBER(field, least, most, value, what, about)                                                                 \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_NUMBER,                                                                                        \
     .offset = offsetof(struct hg_config, field),                                                                      \
     .minimum = least,                                                                                                 \
     .maximum = most,                                                                                                  \
     .number = value,                                                                                                  \
     .unit = what,                                                                                                     \
     .sentence = about},
    HG_SETTINGS(TEXT, FLAG, LIST, NUMBER)
#undef TEXT
#undef FLAG
#undef LIST
#undef NUMBER
};

static const struct hg_setting rule_rows[] = {
#define TEXT(field, value, what, about)                                                                                \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_TEXT,                                                                                          \
     .offset = offsetof(struct hg_rule, field),                                                                        \
     .text = value,                                                                                                    \
     .unit = what,                                                                                                     \
     .sentence = about},
#define FLAG(field, value, about)                                                                                      \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_FLAG,                                                                                          \
     .offset = offsetof(struct hg_rule, field),                                                                        \
     .number = value,                                                                                                  \
     .sentence = about},
#define NUMBER(field, least, most, value, what, about)                                                                 \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_NUMBER,                                                                                        \
     .offset = offsetof(struct hg_rule, field),                                                                        \
     .minimum = least,                                                                                                 \
     .maximum = most,                                                                                                  \
     .number = value,                                                                                                  \
     .unit = what,                                                                                                     \
     .sentence = about},
#define ENUM(field, choices, value, about)                                                                             \
    {.name = #field,                                                                                                   \
     .kind = HG_SETTING_ENUM,                                                                                          \
     .offset = offsetof(struct hg_rule, field),                                                                        \
     .number = value,                                                                                                  \
     .unit = choices,                                                                                                  \
     .sentence = about},
    HG_RULE_SETTINGS(TEXT, FLAG, NUMBER, ENUM)
#undef TEXT
#undef FLAG
#undef NUMBER
#undef ENUM
};

/* The parser notes the rows it has seen in one word. */
_Static_assert(sizeof(config_rows) / sizeof(config_rows[0]) < 64, "one bit for each row");

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

enum hg_source_kind *hg_setting_enum(const struct hg_setting *row, void *object)
{
    return field_of(row, HG_SETTING_ENUM, object);
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
            *hg_setting_enum(row, object) = (enum hg_source_kind)row->number;
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

static bool has_control(struct hg_slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    return false;
}

static hg_result check_listen(struct hg_slice text, const char **reterr_why)
{
    struct hg_listen listen;
    return hg_listen_parse(text, &listen, reterr_why);
}

static hg_result check_url(struct hg_slice text, const char **reterr_why)
{
    struct hg_redis_url url;
    hg_result result = hg_redis_url_parse(text, &url, reterr_why);
    if (hg_ok(result))
        hg_redis_url_done(&url);
    return result;
}

static hg_result check_pattern(struct hg_slice text, const char **reterr_why)
{
    if (text.len > 0 && text.ptr[0] == '$') {
        *reterr_why = "starts with $, which is reserved for the gateway's own topics";
        return HG_FAIL(SYNTAX);
    }
    return hg_pattern_check(text, reterr_why);
}

static hg_result check_field(struct hg_slice text, const char **reterr_why)
{
    *reterr_why = text.len == 0                     ? "is empty"
                  : text.len > FIELD_NAME_BYTES_MAX ? "is longer than 255 bytes"
                  : has_control(text)               ? "has a control character"
                                                    : NULL;
    return *reterr_why ? HG_FAIL(SYNTAX) : HG_OK;
}

/* RFC 6454, section 6.2, as browsers send it: scheme "://" host [":" port] in lower case, nothing behind. */
static hg_result check_origin(struct hg_slice text, const char **reterr_why)
{
    if (hg_slice_is(text, "*"))
        return HG_OK;
    *reterr_why = "is not scheme://host[:port]";
    const char *sep = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
    if (!sep || sep == text.ptr || !hg_slice_starts(hg_slice_from(text, (size_t)(sep - text.ptr)), HG_LIT("://")))
        return HG_FAIL(SYNTAX);
    struct hg_slice host = hg_slice_from(text, (size_t)(sep - text.ptr) + 3);
    if (host.len == 0)
        return HG_FAIL(SYNTAX);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 'A' && c <= 'Z') {
            *reterr_why = "has upper case letters; browsers send lower case";
            return HG_FAIL(SYNTAX);
        }
        if (c <= ' ' || c >= 0x7f) {
            *reterr_why = "has a character that no origin has; write other scripts as xn--…";
            return HG_FAIL(SYNTAX);
        }
    }
    for (size_t i = 0; i < host.len; i++) {
        if (strchr("/?#@,\\*", host.ptr[i])) {
            *reterr_why = host.ptr[i] == '*' ? "has a wildcard; only \"*\" alone is one"
                                             : "has something besides scheme, host and port";
            return HG_FAIL(SYNTAX);
        }
    }
    return HG_OK;
}

/* What a TEXT row's unit means. A phrase of `check` completes "the NOUN …". */
static const struct text_kind {
    const char *unit, *noun;
    hg_result (*check)(struct hg_slice text, const char **reterr_why);
    const char *allowed;
    bool secret;
} text_kinds[] = {
    {"HOST:PORT", "address", check_listen, "HOST:PORT, [IPV6]:PORT or :PORT for all addresses, port 0 to 65535", false},
    {"URL", "URL", check_url, "redis://[user:password@]host[:port][/db] or unix://[user:password@]/path[?db=n]", true},
    {"pattern", "pattern", check_pattern, "a topic pattern such as orders.** or prices.*", false},
    {"template", "template", hg_template_check, "a Redis name with at most one {topic}, such as events:{topic}", false},
    {"field", "name", check_field, "a field name of 1 to 255 bytes", false},
    {"origin", "origin", check_origin, "a list of origins such as \"https://app.example\", or \"*\"", false},
};

static const struct text_kind *text_kind_of(const struct hg_setting *row)
{
    const char *unit = row->kind == HG_SETTING_LIST ? "origin" : row->unit;
    for (size_t i = 0; i < sizeof(text_kinds) / sizeof(text_kinds[0]); i++)
        if (strcmp(text_kinds[i].unit, unit) == 0)
            return &text_kinds[i];
    HG_UNREACHABLE();
}

hg_result hg_setting_check(const struct hg_setting *row, struct hg_slice text, const char **reterr_noun,
                           const char **reterr_why)
{
    if (row->kind == HG_SETTING_TEXT && hg_setting_has_choices(row)) {
        struct hg_slice choice;
        for (size_t i = 0; (choice = hg_setting_choice(row, i)).len > 0; i++)
            if (hg_slice_eq(choice, text))
                return HG_OK;
        *reterr_noun = *reterr_why = NULL;
        return HG_FAIL(SYNTAX);
    }
    const struct text_kind *kind = text_kind_of(row);
    const char *why = NULL;
    hg_result result = kind->check(text, &why);
    if (!hg_ok(result)) {
        *reterr_noun = kind->noun;
        *reterr_why = why;
    }
    return result;
}

bool hg_setting_is_secret(const struct hg_setting *row)
{
    return row->kind == HG_SETTING_TEXT && !hg_setting_has_choices(row) && text_kind_of(row)->secret;
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
        for (size_t i = 0; (choice = hg_setting_choice(row, i)).len > 0; i++) {
            hg_buf_put_str(into, i > 0 ? ", " : "");
            hg_buf_put(into, choice);
        }
    } else {
        hg_buf_put_str(into, text_kind_of(row)->allowed);
    }
}
