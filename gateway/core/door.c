#include "core/door.h"

#include "base/assert.h"
#include "base/json.h"
#include "config/require.h"
#include "schema/schema.h"

/* An attribute under its other name; NULL: it has one name only. */
static const char *other_name(struct hg_slice name)
{
    static const char *const pairs[][2] = {{"type", "eventType"}, {"id", "eventId"}, {"time", "timestamp"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (hg_slice_is(name, pairs[i][0]))
            return pairs[i][1];
        if (hg_slice_is(name, pairs[i][1]))
            return pairs[i][0];
    }
    return NULL;
}

/* The last member of either name; null counts as absent. */
static bool find(struct hg_json event, struct hg_slice name, struct hg_json *ret_key, struct hg_json *ret_value)
{
    const char *other = other_name(name);
    struct hg_json_iter iter = hg_json_iter(event);
    struct hg_json key, value;
    bool found = false;
    while (hg_json_next_member(&iter, &key, &value))
        if (hg_json_string_eq(key, name) || (other && hg_json_string_is(key, other))) {
            found = value.type != HG_JSON_NULL;
            *ret_key = key;
            *ret_value = value;
        }
    return found;
}

static bool has_value(struct hg_json value, struct hg_slice wanted)
{
    return value.type == HG_JSON_STRING ? hg_json_string_eq(value, wanted) : hg_slice_eq(value.raw, wanted);
}

/* What a client sent, as one line that is not too long. */
static void put_shown(struct hg_buf *into, struct hg_json value)
{
    size_t len = value.raw.len < 64 ? value.raw.len : 64;
    while (len > 0 && len < value.raw.len && ((unsigned char)value.raw.ptr[len] & 0xc0) == 0x80)
        len--;
    for (size_t i = 0; i < len; i++)
        hg_buf_put_char(into, (unsigned char)value.raw.ptr[i] < 0x20 ? ' ' : value.raw.ptr[i]);
    if (len < value.raw.len)
        hg_buf_put_str(into, "…");
}

/* The name that a member has, without escapes, as a token of a JSON pointer (RFC 6901, section 3). */
static void put_token(struct hg_buf *into, struct hg_slice name, struct hg_json key)
{
    if (!hg_json_string_eq(key, name))
        name = hg_slice_str(other_name(name));
    hg_buf_put_char(into, '/');
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '~' || name.ptr[i] == '/')
            hg_buf_put_str(into, name.ptr[i] == '~' ? "~0" : "~1");
        else
            hg_buf_put_char(into, name.ptr[i]);
}

static void put_name(struct hg_buf *into, struct hg_slice name)
{
    hg_json_put_string(into, name);
    const char *other = other_name(name);
    if (other)
        hg_buf_printf(into, " (or \"%s\")", other);
}

static hg_result check_required(struct hg_json event, struct hg_requirement required, struct hg_buf *ret_pointer,
                                struct hg_buf *message)
{
    struct hg_json key, value;
    if (event.type != HG_JSON_OBJECT || !find(event, required.name, &key, &value)) {
        put_name(message, required.name);
        hg_buf_put_str(message, " is missing; this topic requires it.");
        return HG_FAIL(EVENT_INVALID);
    }
    if (!required.value.ptr || has_value(value, required.value))
        return HG_OK;
    put_token(ret_pointer, required.name, key);
    put_name(message, required.name);
    hg_buf_put_str(message, " is ");
    put_shown(message, value);
    hg_buf_put_str(message, "; this topic takes ");
    hg_buf_put(message, required.value.len > 0 ? required.value : HG_LIT("\"\""));
    hg_buf_put_str(message, " only.");
    return HG_FAIL(EVENT_INVALID);
}

static hg_result check_type(struct hg_json event, const struct hg_string_list *types, struct hg_buf *ret_pointer,
                            struct hg_buf *message)
{
    struct hg_json key, type;
    bool found = event.type == HG_JSON_OBJECT && find(event, HG_LIT("type"), &key, &type);
    if (found && type.type == HG_JSON_STRING) {
        struct hg_buf *text = message; /* decoded there for the moment */
        bool decoded = hg_ok(hg_json_string_decode(type, text));
        bool allowed = false;
        for (size_t i = 0; i < types->count && decoded && !allowed; i++)
            allowed = hg_type_pattern_match(hg_slice_str(types->items[i]), hg_buf_slice(text));
        hg_buf_clear(text);
        if (allowed)
            return HG_OK;
    }
    if (found)
        put_token(ret_pointer, HG_LIT("type"), key);
    hg_buf_put_str(message, "The type is ");
    if (found)
        put_shown(message, type);
    else
        hg_buf_put_str(message, "missing");
    hg_buf_put_str(message, "; this topic takes ");
    size_t named = 0;
    for (; named < types->count && message->len < 400; named++)
        hg_buf_printf(message, "%s\"%s\"",
                      named == 0                  ? ""
                      : named + 1 == types->count ? " and "
                                                  : ", ",
                      types->items[named]);
    hg_buf_put_str(message, named < types->count ? " and others." : ".");
    return HG_FAIL(EVENT_INVALID);
}

static hg_result check(const struct hg_rule *rule, struct hg_slice text, struct hg_buf *ret_pointer,
                       struct hg_buf *message)
{
    struct hg_json event;
    if (rule->require.count > 0 || rule->types.count > 0)
        HG_TRY(hg_json_parse(text, &event, NULL));
    for (size_t i = 0; i < rule->require.count; i++) {
        struct hg_requirement required;
        HG_ASSERT(hg_ok(hg_requirement_parse(hg_slice_str(rule->require.items[i]), &required, NULL)));
        HG_TRY(check_required(event, required, ret_pointer, message));
    }
    if (rule->types.count > 0)
        HG_TRY(check_type(event, &rule->types, ret_pointer, message));
    return rule->compiled_schema ? hg_schema_check(rule->compiled_schema, text, ret_pointer, message) : HG_OK;
}

hg_result hg_door_check(const struct hg_rule *rule, struct hg_slice event, struct hg_buf *ret_pointer,
                        struct hg_buf *message)
{
    hg_buf_clear(ret_pointer);
    hg_buf_clear(message);
    hg_result result = check(rule, event, ret_pointer, message);
    if (hg_ok(result) || result.code == HG_ERR_NOMEM)
        return result;
    /* Whatever does not fit is left out: the table's sentence stands then. */
    if (!hg_ok(hg_buf_result(ret_pointer)))
        hg_buf_clear(ret_pointer);
    if (!hg_ok(hg_buf_result(message)))
        hg_buf_clear(message);
    return HG_FAIL(EVENT_INVALID);
}
