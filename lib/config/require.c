#include "config/require.h"

#include "topic/text.h"

#define NAME_BYTES_MAX 255

static hg_result refuse(const char *why, const char **reterr_why)
{
    if (reterr_why)
        *reterr_why = why;
    return HG_FAIL(SYNTAX);
}

hg_result hg_requirement_parse(struct hg_slice text, struct hg_requirement *ret_requirement, const char **reterr_why)
{
    const char *why = hg_text_objection(text), *equals = text.len > 0 ? memchr(text.ptr, '=', text.len) : NULL;
    struct hg_slice name = equals ? hg_slice_first(text, (size_t)(equals - text.ptr)) : text;
    if (why)
        return refuse(why, reterr_why);
    if (name.len == 0)
        return refuse("has no name before the =", reterr_why);
    if (name.len > NAME_BYTES_MAX)
        return refuse("has a name longer than 255 bytes", reterr_why);
    *ret_requirement = (struct hg_requirement){name, equals ? hg_slice_from(text, name.len + 1) : HG_SLICE_NULL};
    return HG_OK;
}

hg_result hg_type_pattern_check(struct hg_slice pattern, const char **reterr_why)
{
    const char *why = hg_text_objection(pattern),
               *star = pattern.len > 0 ? memchr(pattern.ptr, '*', pattern.len) : NULL;
    if (why)
        return refuse(why, reterr_why);
    if (pattern.len > NAME_BYTES_MAX)
        return refuse("is longer than 255 bytes", reterr_why);
    if (star && star != pattern.ptr + pattern.len - 1)
        return refuse("has a * that is not its end", reterr_why);
    return HG_OK;
}

bool hg_type_pattern_match(struct hg_slice pattern, struct hg_slice type)
{
    if (pattern.ptr[pattern.len - 1] != '*')
        return hg_slice_eq(pattern, type);
    return hg_slice_starts(type, hg_slice_first(pattern, pattern.len - 1));
}
