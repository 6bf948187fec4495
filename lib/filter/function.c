#include "filter/function.h"

#include <strings.h>

#include "base/assert.h"
#include "filter/case.h"
#include "filter/cast.h"

static const struct hg_function_row rows[] = {
#define X(name, least, most, returns, arguments) {#name, least, most, HG_VALUE_##returns, arguments},
    HG_FUNCTIONS(X)
#undef X
};

const struct hg_function_row *hg_function_row(enum hg_function function)
{
    HG_ASSERT(function < HG_FUNCTION_UNKNOWN);
    return &rows[function];
}

enum hg_function hg_function_find(struct hg_slice name)
{
    unsigned i = 0;
    for (; i < HG_FUNCTION_UNKNOWN; i++)
        if (name.len == strlen(rows[i].name) && strncasecmp(name.ptr, rows[i].name, name.len) == 0)
            break;
    return (enum hg_function)i;
}

static struct hg_value concat(struct hg_slice between, const struct hg_value *texts, unsigned count,
                              struct hg_scratch *scratch)
{
    size_t len = 0;
    for (unsigned i = 0; i < count; i++)
        len += texts[i].len + (i > 0 ? between.len : 0);
    char *room = hg_scratch_take(scratch, len);
    if (!room)
        return hg_value_fail(HG_VALUE_STRING, HG_VALUE_EVALUATION);
    char *at = room;
    for (unsigned i = 0; i < count; i++) {
        if (i > 0 && between.len > 0)
            at = mempcpy(at, between.ptr, between.len);
        if (texts[i].len > 0)
            at = mempcpy(at, texts[i].ptr, texts[i].len);
    }
    return hg_value_string(hg_slice(room, len));
}

static struct hg_value mapped(struct hg_value text, uint32_t (*mapping)(uint32_t), struct hg_scratch *scratch)
{
    struct hg_slice result;
    if (!hg_text_map(hg_value_text(text), mapping, scratch, &result))
        return hg_value_fail(HG_VALUE_STRING, HG_VALUE_EVALUATION);
    return hg_value_string(result);
}

static struct hg_value evaluation_error(struct hg_value value)
{
    value.error = HG_VALUE_EVALUATION;
    return value;
}

/* LEFT and RIGHT. */
static struct hg_value side(struct hg_value text, int64_t count, bool right)
{
    struct hg_slice bytes = hg_value_text(text);
    if (count < 0)
        return evaluation_error(text);
    if (!right)
        return hg_value_string(hg_slice_first(bytes, hg_text_offset(bytes, (uint64_t)count)));
    uint64_t length = hg_text_length(bytes);
    if ((uint64_t)count >= length)
        return text;
    return hg_value_string(hg_slice_from(bytes, hg_text_offset(bytes, length - (uint64_t)count)));
}

static struct hg_value substring(struct hg_value text, int64_t from, int64_t count)
{
    struct hg_slice bytes = hg_value_text(text);
    struct hg_value empty = hg_value_string(HG_LIT(""));
    int64_t length = (int64_t)hg_text_length(bytes);
    if (count < 0 || from > length || from < -length)
        return evaluation_error(empty);
    if (from == 0)
        return empty;
    uint64_t skip = (uint64_t)(from > 0 ? from - 1 : length + from);
    bytes = hg_slice_from(bytes, hg_text_offset(bytes, skip));
    return hg_value_string(hg_slice_first(bytes, hg_text_offset(bytes, (uint64_t)count)));
}

static struct hg_value absolute(struct hg_value number, bool strict)
{
    if (number.number >= 0)
        return number;
    if (strict && number.number == INT32_MIN)
        return (struct hg_value){.type = HG_VALUE_INT, .error = HG_VALUE_MATH, .number = INT32_MAX};
    return hg_number_calculate('-', hg_value_int(0), number);
}

static struct hg_value cast_argument(char kind, struct hg_value value, bool strict, struct hg_scratch *scratch)
{
    if (kind == 's')
        return hg_cast_text(value, scratch);
    if (kind == 'i')
        return hg_cast_number(value, strict);
    return value;
}

static struct hg_value whole(struct hg_value number)
{
    return number.error ? number : hg_number_truncate(number);
}

struct hg_value hg_function_call(enum hg_function function, const struct hg_value *arguments, unsigned count,
                                 bool strict, struct hg_scratch *scratch)
{
    const struct hg_function_row *row = hg_function_row(function);
    struct hg_value cast[HG_FUNCTION_ARGUMENTS_MAX];
    HG_ASSERT(count >= row->least && count <= row->most);
    size_t kinds = strlen(row->arguments);
    for (unsigned i = 0; i < count; i++) {
        cast[i] = cast_argument(row->arguments[i < kinds ? i : kinds - 1], arguments[i], strict, scratch);
        if (cast[i].error)
            return hg_value_fail(row->returns, cast[i].error);
    }
    switch (function) {
    case HG_FUNCTION_LENGTH:
        return hg_value_int((int64_t)hg_text_length(hg_value_text(cast[0])));
    case HG_FUNCTION_CONCAT:
        return concat(HG_SLICE_NULL, cast, count, scratch);
    case HG_FUNCTION_CONCAT_WS:
        return concat(hg_value_text(cast[0]), cast + 1, count - 1, scratch);
    case HG_FUNCTION_LOWER:
        return mapped(cast[0], hg_case_lower, scratch);
    case HG_FUNCTION_UPPER:
        return mapped(cast[0], hg_case_upper, scratch);
    case HG_FUNCTION_TRIM:
        return hg_value_string(hg_text_trim(hg_value_text(cast[0])));
    case HG_FUNCTION_LEFT:
    case HG_FUNCTION_RIGHT:
    case HG_FUNCTION_SUBSTRING: {
        struct hg_value first = whole(cast[1]), second = count > 2 ? whole(cast[2]) : hg_value_int(INT64_MAX);
        if (first.error || second.error)
            return hg_value_fail(HG_VALUE_STRING, HG_VALUE_CAST);
        if (function == HG_FUNCTION_SUBSTRING)
            return substring(cast[0], first.number, second.number);
        return side(cast[0], first.number, function == HG_FUNCTION_RIGHT);
    }
    case HG_FUNCTION_ABS:
        return absolute(cast[0], strict);
    case HG_FUNCTION_INT:
        return whole(hg_cast_number(cast[0], strict));
    case HG_FUNCTION_BOOL:
        return hg_cast_bool(cast[0]);
    case HG_FUNCTION_STRING:
        return hg_cast_text(cast[0], scratch);
    case HG_FUNCTION_IS_INT:
        cast[0] = hg_cast_number(cast[0], strict);
        return hg_value_bool(!cast[0].error && cast[0].type == HG_VALUE_INT);
    case HG_FUNCTION_IS_BOOL:
        return hg_value_bool(!hg_cast_bool(cast[0]).error);
    case HG_FUNCTION_UNKNOWN:
        break;
    }
    HG_UNREACHABLE();
}
