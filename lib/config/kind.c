#include "config/kind.h"

#include "base/assert.h"
#include "config/durability.h"
#include "config/listen.h"
#include "config/redis_url.h"
#include "config/require.h"
#include "config/workers.h"
#include "topic/pattern.h"
#include "topic/template.h"

#define FIELD_NAME_BYTES_MAX 255
/* PATH_MAX of Linux, with its NUL. */
#define PATH_BYTES_MAX 4095

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

static hg_result check_path(struct hg_slice text, const char **reterr_why)
{
    *reterr_why = text.len == 0               ? "is empty"
                  : text.len > PATH_BYTES_MAX ? "is longer than 4095 bytes"
                  : has_control(text)         ? "has a control character"
                                              : NULL;
    return *reterr_why ? HG_FAIL(SYNTAX) : HG_OK;
}

static hg_result check_durability(struct hg_slice text, const char **reterr_why)
{
    struct hg_durability durability;
    return hg_durability_parse(text, &durability, reterr_why);
}

static hg_result check_requirement(struct hg_slice text, const char **reterr_why)
{
    struct hg_requirement requirement;
    return hg_requirement_parse(text, &requirement, reterr_why);
}

static hg_result check_workers(struct hg_slice text, const char **reterr_why)
{
    unsigned workers;
    return hg_workers_parse(text, &workers, reterr_why);
}

static const struct hg_text_kind text_kinds[] = {
    {"HOST:PORT", "address", check_listen, "HOST:PORT, [IPV6]:PORT or :PORT for all addresses, port 0 to 65535", false,
     false},
    {"URL", "URL", check_url, "redis://[user:password@]host[:port][/db] or unix://[user:password@]/path[?db=n]", true,
     false},
    {"auto, 1 to 64", "number of workers", check_workers, "auto, or a whole number from 1 to 64", false, true},
    {"pattern", "pattern", check_pattern, "a topic pattern such as orders.** or prices.*", false, false},
    {"template", "template", hg_template_check, "a Redis name with at most one {topic}, such as events:{topic}", false,
     false},
    {"field", "name", check_field, "a field name of 1 to 255 bytes", false, false},
    {"origin", "origin", check_origin, "a list of origins such as \"https://app.example\", or \"*\"", false, false},
    {"path", "path", check_path, "a path of 1 to 4095 bytes", false, false},
    {"memory, replicas:N, fsync", "durability", check_durability, "memory, replicas:N with N from 1 to 100, fsync",
     false, false},
    {"type", "type", hg_type_pattern_check, "a list of event types such as \"OrderPlaced\" or \"order.*\"", false,
     false},
    {"requirement", "requirement", check_requirement, "a list of attributes such as \"subject\" or \"source=shop\"",
     false, false},
};

const struct hg_text_kind *hg_text_kind(const char *unit)
{
    for (size_t i = 0; i < sizeof(text_kinds) / sizeof(text_kinds[0]); i++)
        if (strcmp(text_kinds[i].unit, unit) == 0)
            return &text_kinds[i];
    HG_UNREACHABLE();
}
