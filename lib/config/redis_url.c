#include "config/redis_url.h"

#include <stdbool.h>
#include <stdlib.h>

#include "config/host.h"

#define DB_MAX 2147483647u /* Redis keeps it in an int */

/* What a URL is made of, still as written. */
struct parts {
    bool is_unix;
    struct hg_slice user_info; /* without '@' */
    bool has_user_info;
    struct hg_slice host_port; /* what follows the user in the authority */
    struct hg_slice path;      /* with its '/' */
    struct hg_slice query;     /* without '?' */
    bool has_query;
};

static bool starts_with_scheme(struct hg_slice text, const char *scheme)
{
    size_t len = strlen(scheme);
    if (text.len < len + 3 || memcmp(text.ptr + len, "://", 3) != 0)
        return false;
    for (size_t i = 0; i < len; i++) /* schemes ignore case: RFC 3986, section 3.1 */
        if ((text.ptr[i] | 32) != scheme[i])
            return false;
    return true;
}

/* Cuts the text where RFC 3986 cuts; returns a phrase on failure. */
static const char *split(struct hg_slice text, struct parts *ret_parts)
{
    struct parts parts = {0};
    if (starts_with_scheme(text, "rediss"))
        return "asks for TLS, which is not built in; use redis:// and a tunnel such as stunnel";
    if (starts_with_scheme(text, "unix"))
        parts.is_unix = true;
    else if (!starts_with_scheme(text, "redis"))
        return "does not start with redis:// or unix://";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= ' ' || c == 0x7f)
            return "has a space or a control character; write it as %20 and the like";
        if (c == '#')
            return "has a #; write it as %23";
    }

    struct hg_slice rest = hg_slice_from(text, parts.is_unix ? 7 : 8);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
        end++;
    struct hg_slice authority = hg_slice_first(rest, end);
    rest = hg_slice_from(rest, end);
    size_t at = authority.len;
    while (at > 0 && authority.ptr[at - 1] != '@')
        at--;
    if (at > 0) {
        parts.has_user_info = true;
        parts.user_info = hg_slice_first(authority, at - 1);
        if (memchr(parts.user_info.ptr, '@', parts.user_info.len))
            return "has two @; write one in a user name or password as %40";
    }
    parts.host_port = hg_slice_from(authority, at);

    end = 0;
    while (end < rest.len && rest.ptr[end] != '?')
        end++;
    parts.path = hg_slice_first(rest, end);
    if (end < rest.len) {
        parts.has_query = true;
        parts.query = hg_slice_from(rest, end + 1);
    }
    *ret_parts = parts;
    return NULL;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* A copy with %XX decoded (RFC 3986, section 2.1). SYNTAX: a broken escape, or %00, which no C string can hold. */
static hg_result decode(struct hg_slice text, char **ret_copy)
{
    char *copy = malloc(text.len + 1);
    if (!copy)
        return HG_FAIL(NOMEM);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = text.len - i > 2 ? hex_digit(text.ptr[i + 1]) : -1;
            int low = text.len - i > 2 ? hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                free(copy);
                return HG_FAIL(SYNTAX);
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        copy[len++] = c;
    }
    copy[len] = '\0';
    *ret_copy = copy;
    return HG_OK;
}

static const char bad_escape[] = "has a % that is not followed by two hexadecimal digits other than 00; write % as %25";

static hg_result read_user_info(struct hg_slice info, struct hg_redis_url *url, const char **why)
{
    const char *colon = info.len > 0 ? memchr(info.ptr, ':', info.len) : NULL;
    struct hg_slice user = hg_slice_first(info, colon ? (size_t)(colon - info.ptr) : info.len);
    *why = bad_escape;
    if (user.len > 0)
        HG_TRY(decode(user, &url->user));
    /* "user:" is a user with the empty password, which Redis knows; ":" alone says nothing. */
    if (colon && info.len > 1)
        HG_TRY(decode(hg_slice_from(info, user.len + 1), &url->password));
    return HG_OK;
}

static hg_result read_db(struct hg_slice text, struct hg_redis_url *url, const char **why)
{
    uint32_t db;
    *why = "has a database that is not a number; it looks like /0, and / in a password is written as %2F";
    if (!hg_host_number(text, DB_MAX, &db))
        return HG_FAIL(SYNTAX);
    url->db = db;
    return HG_OK;
}

static hg_result read_tcp(const struct parts *parts, struct hg_redis_url *url, const char **why)
{
    struct hg_slice host = parts->host_port, port = HG_SLICE_NULL;
    bool has_port = false;
    if (host.len > 0 && host.ptr[0] == '[') {
        const char *close = memchr(host.ptr, ']', host.len);
        *why = "has something else than an IPv6 address in brackets";
        if (!close)
            return HG_FAIL(SYNTAX);
        struct hg_slice behind = hg_slice_from(host, (size_t)(close - host.ptr) + 1);
        host = hg_slice(host.ptr + 1, (size_t)(close - host.ptr) - 1);
        HG_TRY(decode(host, &url->host)); /* a zone stands behind %25: RFC 6874 */
        if (!hg_host_is_ipv6(hg_slice_str(url->host)))
            return HG_FAIL(SYNTAX);
        if (behind.len > 0 && behind.ptr[0] != ':')
            return HG_FAIL(SYNTAX);
        has_port = behind.len > 0;
        port = hg_slice_from(behind, 1);
    } else {
        const char *colon = host.len > 0 ? memchr(host.ptr, ':', host.len) : NULL;
        if (colon) {
            has_port = true;
            port = hg_slice_from(host, (size_t)(colon - host.ptr) + 1);
            host = hg_slice_first(host, (size_t)(colon - host.ptr));
        }
        *why = host.len == 0 ? "has no host" : "has a host that is neither a name nor an IP address";
        if (!hg_host_is_name(host))
            return HG_FAIL(SYNTAX);
        HG_TRY(decode(host, &url->host));
    }
    url->port = 6379;
    if (has_port) {
        uint32_t number;
        *why = "has a port that is not a number from 1 to 65535; : and / in a password are written as %3A and %2F";
        if (!hg_host_number(port, UINT16_MAX, &number) || number == 0)
            return HG_FAIL(SYNTAX);
        url->port = (uint16_t)number;
    }
    *why = "has a query; only unix:// takes one";
    if (parts->has_query)
        return HG_FAIL(SYNTAX);
    return parts->path.len > 1 ? read_db(hg_slice_from(parts->path, 1), url, why) : HG_OK;
}

static hg_result read_unix(const struct parts *parts, struct hg_redis_url *url, const char **why)
{
    *why = "has a host; a socket is written as unix:///path, with three /";
    if (parts->host_port.len > 0)
        return HG_FAIL(SYNTAX);
    *why = "has no path";
    if (parts->path.len < 2)
        return HG_FAIL(SYNTAX);
    *why = bad_escape;
    HG_TRY(decode(parts->path, &url->path));
    if (!parts->has_query)
        return HG_OK;
    *why = "has another query than ?db=n";
    if (!hg_slice_starts(parts->query, HG_LIT("db=")))
        return HG_FAIL(SYNTAX);
    return read_db(hg_slice_from(parts->query, 3), url, why);
}

hg_result hg_redis_url_parse(struct hg_slice text, struct hg_redis_url *ret_url, const char **reterr_why)
{
    struct parts parts;
    struct hg_redis_url url = {0};
    const char *why = split(text, &parts);
    hg_result result = why ? HG_FAIL(SYNTAX) : HG_OK;
    if (hg_ok(result) && parts.has_user_info)
        result = read_user_info(parts.user_info, &url, &why);
    if (hg_ok(result))
        result = parts.is_unix ? read_unix(&parts, &url, &why) : read_tcp(&parts, &url, &why);
    if (hg_ok(result)) {
        *ret_url = url;
        return HG_OK;
    }
    hg_redis_url_done(&url);
    if (reterr_why)
        *reterr_why = result.code == HG_ERR_NOMEM ? "did not fit in memory" : why;
    return result;
}

void hg_redis_url_done(struct hg_redis_url *url)
{
    free(url->host);
    free(url->path);
    free(url->user);
    if (url->password)
        explicit_bzero(url->password, strlen(url->password));
    free(url->password);
    *url = (struct hg_redis_url){0};
}

/* Where the password stands. In a URL that is not clear nobody knows: then everything that may belong to one counts,
 * from the first ':' behind the scheme to the last '@', or to the end when somebody forgot the host. */
static struct hg_slice find_password(struct hg_slice text)
{
    struct parts parts;
    bool clear = !split(text, &parts) && (parts.host_port.len > 0 ? parts.host_port.ptr[0] != ':' : parts.is_unix);
    size_t from = 0, to = text.len;
    while (to > 0 && text.ptr[to - 1] != '@')
        to--;
    if (clear && !parts.has_user_info && (parts.is_unix || to == 0))
        return HG_SLICE_NULL;
    if (clear && parts.has_user_info &&
        (parts.is_unix || parts.user_info.ptr + parts.user_info.len == text.ptr + to - 1)) {
        const char *colon = parts.user_info.len > 0 ? memchr(parts.user_info.ptr, ':', parts.user_info.len) : NULL;
        return colon ? hg_slice_from(parts.user_info, (size_t)(colon - parts.user_info.ptr) + 1) : HG_SLICE_NULL;
    }

    for (size_t i = 0; i + 3 <= text.len && from == 0; i++)
        if (memcmp(text.ptr + i, "://", 3) == 0)
            from = i + 3;
    size_t end = to > 0 ? to - 1 : text.len;
    for (size_t i = from; i < end; i++)
        if (text.ptr[i] == ':')
            return hg_slice(text.ptr + i + 1, end - i - 1);
    return to > 0 && end > from ? hg_slice(text.ptr + from, end - from) : HG_SLICE_NULL;
}

void hg_redis_url_mask(struct hg_slice text, struct hg_buf *into)
{
    struct hg_slice password = find_password(text);
    size_t from = password.len > 0 ? (size_t)(password.ptr - text.ptr) : text.len;
    hg_buf_put(into, hg_slice_first(text, from));
    if (password.len > 0)
        hg_buf_put_str(into, "***");
    hg_buf_put(into, hg_slice_from(text, from + password.len));
}
