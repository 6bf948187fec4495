#include "filter/cast.h"

#include <strings.h>

static bool is_word(struct hg_slice text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

struct hg_value hg_cast_bool(struct hg_value value)
{
    if (value.error)
        return hg_value_fail(HG_VALUE_BOOL, value.error);
    switch ((enum hg_value_type)value.type) {
    case HG_VALUE_BOOL:
        return value;
    case HG_VALUE_INT:
    case HG_VALUE_DECIMAL:
        return hg_value_bool(value.number != 0);
    case HG_VALUE_STRING:
        if (is_word(hg_value_text(value), "true"))
            return hg_value_bool(true);
        if (is_word(hg_value_text(value), "false"))
            return hg_value_bool(false);
        break;
    default:
        break;
    }
    return hg_value_fail(HG_VALUE_BOOL, HG_VALUE_CAST);
}

struct hg_value hg_cast_number(struct hg_value value, bool strict)
{
    if (value.error)
        return hg_value_fail(HG_VALUE_INT, value.error);
    struct hg_value number;
    switch ((enum hg_value_type)value.type) {
    case HG_VALUE_INT:
    case HG_VALUE_DECIMAL:
        return value;
    case HG_VALUE_BOOL:
        return hg_value_int(value.number);
    case HG_VALUE_STRING:
        if (strict) {
            int64_t whole;
            if (hg_number_parse_int(hg_value_text(value), &whole) && whole >= INT32_MIN && whole <= INT32_MAX)
                return hg_value_int(whole);
        } else if (hg_number_parse(hg_value_text(value), &number)) {
            return number;
        }
        break;
    default:
        break;
    }
    return hg_value_fail(HG_VALUE_INT, HG_VALUE_CAST);
}

/* The text of a value that is not STRING; `out` has HG_NUMBER_TEXT_MAX bytes. False for null and containers. */
static bool text_of(struct hg_value value, char *out, struct hg_slice *ret_text)
{
    switch ((enum hg_value_type)value.type) {
    case HG_VALUE_BOOL:
        *ret_text = value.number ? HG_LIT("true") : HG_LIT("false");
        return true;
    case HG_VALUE_INT:
    case HG_VALUE_DECIMAL:
        *ret_text = hg_slice(out, hg_number_format(value, out));
        return true;
    default:
        return false;
    }
}

struct hg_value hg_cast_text(struct hg_value value, struct hg_scratch *scratch)
{
    char made[HG_NUMBER_TEXT_MAX];
    struct hg_slice text;
    if (value.error)
        return hg_value_fail(HG_VALUE_STRING, value.error);
    if (value.type == HG_VALUE_STRING)
        return value;
    if (!text_of(value, made, &text))
        return hg_value_fail(HG_VALUE_STRING, HG_VALUE_CAST);
    if (text.ptr == made) {
        char *room = hg_scratch_take(scratch, text.len);
        if (!room)
            return hg_value_fail(HG_VALUE_STRING, HG_VALUE_EVALUATION);
        memcpy(room, made, text.len);
        text.ptr = room;
    }
    return hg_value_string(text);
}

struct hg_value hg_cast_attribute(struct hg_value value, struct hg_scratch *scratch)
{
    if (value.error)
        return value;
    if (value.type == HG_VALUE_NULL || value.type == HG_VALUE_OTHER)
        return hg_value_fail(HG_VALUE_BOOL, HG_VALUE_MISSING);
    if (value.type == HG_VALUE_DECIMAL ||
        (value.type == HG_VALUE_INT && (value.number < INT32_MIN || value.number > INT32_MAX)))
        return hg_cast_text(value, scratch);
    return value;
}

struct hg_value hg_cast_equal(struct hg_value x, struct hg_value y, bool strict)
{
    if (x.error || y.error)
        return hg_value_fail(HG_VALUE_BOOL, x.error ? x.error : y.error);
    char made[HG_NUMBER_TEXT_MAX];
    struct hg_slice text;
    if (x.type == HG_VALUE_OTHER || y.type == HG_VALUE_OTHER)
        return hg_value_fail(HG_VALUE_BOOL, HG_VALUE_CAST);
    if (x.type == HG_VALUE_NULL || y.type == HG_VALUE_NULL)
        return hg_value_bool(x.type == y.type);
    switch ((enum hg_value_type)y.type) {
    case HG_VALUE_STRING:
        if (x.type == HG_VALUE_STRING)
            text = hg_value_text(x);
        else
            text_of(x, made, &text);
        return hg_value_bool(hg_slice_eq(text, hg_value_text(y)));
    case HG_VALUE_BOOL:
        x = hg_cast_bool(x);
        return x.error ? x : hg_value_bool(x.number == y.number);
    default:
        x = hg_cast_number(x, strict);
        return x.error ? hg_value_fail(HG_VALUE_BOOL, x.error) : hg_value_bool(hg_number_equal(x, y));
    }
}

enum hg_value_error hg_cast_order(struct hg_value x, struct hg_value y, bool strict, int *ret_order)
{
    x = hg_cast_number(x, strict);
    y = hg_cast_number(y, strict);
    if (x.error || y.error)
        return x.error ? x.error : y.error;
    *ret_order = hg_number_compare(x, y);
    return HG_VALUE_OK;
}
