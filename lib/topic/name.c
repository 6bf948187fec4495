#include "topic/name.h"

#include "topic/text.h"

hg_result hg_topic_check(struct hg_slice name, const char **reterr_why)
{
    /* The length first: what a peer sends may be long, and is not worth reading then. */
    const char *why = name.len > HG_TOPIC_BYTES_MAX ? "is longer than 255 bytes" : hg_text_objection(name);
    if (!why)
        return HG_OK;
    if (reterr_why)
        *reterr_why = why;
    return HG_FAIL(SYNTAX);
}

bool hg_topic_is_separator(char c)
{
    return c == '.' || c == ':' || c == '/';
}
