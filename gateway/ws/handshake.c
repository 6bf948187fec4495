#include "ws/handshake.h"

#include <ctype.h>
#include <strings.h>

#include "wire/deflate.h"
#include "wire/deflate_offer.h"

#define REFUSE(status_, headers_, text_)                                                                               \
    return (struct hg_ws_refusal)                                                                                      \
    {                                                                                                                  \
        .status = (status_), .headers = (headers_), .text = (text_)                                                    \
    }

static bool same(struct hg_slice a, struct hg_slice b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static struct hg_slice trim(struct hg_slice text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = hg_slice_from(text, 1);
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* The next element of a comma separated list; false at the end. */
static bool next_element(struct hg_slice *rest, struct hg_slice *ret_element)
{
    while (rest->len > 0) {
        const char *comma = memchr(rest->ptr, ',', rest->len);
        size_t len = comma ? (size_t)(comma - rest->ptr) : rest->len;
        struct hg_slice element = trim(hg_slice_first(*rest, len));
        *rest = hg_slice_from(*rest, comma ? len + 1 : len);
        if (element.len > 0) {
            *ret_element = element;
            return true;
        }
    }
    return false;
}

static bool lists(struct hg_slice list, struct hg_slice wanted)
{
    struct hg_slice element;
    while (next_element(&list, &element))
        if (same(element, wanted))
            return true;
    return false;
}

/* libwebsockets splits these fields with a tokenizer of its own and drops the connection at what it does not know. */
static bool is_plain_name(struct hg_slice name)
{
    if (name.len == 0 || name.len > HG_WS_PROTOCOL_NAME_BYTES_MAX || !isalpha((unsigned char)name.ptr[0]))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.ptr[i]) && !strchr(".-_", name.ptr[i]))
            return false;
    return true;
}

static bool is_plain_list(struct hg_slice list)
{
    struct hg_slice element;
    while (next_element(&list, &element))
        if (!is_plain_name(element))
            return false;
    return true;
}

/* Base64 of sixteen bytes. */
static bool is_key(struct hg_slice key)
{
    if (key.len != 24 || key.ptr[22] != '=' || key.ptr[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!isalnum((unsigned char)key.ptr[i]) && key.ptr[i] != '+' && key.ptr[i] != '/')
            return false;
    return true;
}

static struct hg_slice without_default_port(struct hg_slice authority)
{
    static const char *const ports[] = {":80", ":443"};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        size_t len = strlen(ports[i]);
        if (authority.len > len && memcmp(authority.ptr + authority.len - len, ports[i], len) == 0)
            return hg_slice_first(authority, authority.len - len);
    }
    return authority;
}

static struct hg_slice without_trailing_slash(struct hg_slice text)
{
    return text.len > 0 && text.ptr[text.len - 1] == '/' ? hg_slice_first(text, text.len - 1) : text;
}

bool hg_ws_origin_allowed(struct hg_slice origin, struct hg_slice host, const char *const *origins, size_t origin_count)
{
    if (origin.len == 0)
        return true; /* not a browser; RFC 6455, section 10.2 */
    for (size_t i = 0; i < origin_count; i++) {
        struct hg_slice listed = hg_slice_str(origins[i]);
        if (hg_slice_is(listed, "*") ||
            same(without_default_port(origin), without_default_port(without_trailing_slash(listed))))
            return true;
    }
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        struct hg_slice scheme = hg_slice_str(schemes[i]);
        if (same(hg_slice_first(origin, scheme.len), scheme))
            return host.len > 0 &&
                   same(without_default_port(hg_slice_from(origin, scheme.len)), without_default_port(host));
    }
    return false;
}

static struct hg_ws_refusal judge_protocols(struct hg_slice offered)
{
    static const char too_long[] = "Sec-WebSocket-Protocol is too long; " HG_WS_PROTOCOL " is enough.\n";
    if (offered.len > HG_WS_PROTOCOLS_BYTES_MAX)
        REFUSE(400, "", too_long);
    struct hg_slice name;
    while (next_element(&offered, &name)) {
        if (hg_slice_is(name, HG_WS_PROTOCOL))
            REFUSE(0, "", "");
        if (name.len > HG_WS_PROTOCOL_NAME_BYTES_MAX)
            REFUSE(400, "", too_long);
        if (!is_plain_name(name))
            REFUSE(400, "", "Offer " HG_WS_PROTOCOL " as the first of Sec-WebSocket-Protocol.\n");
    }
    REFUSE(400, "", "None of the offered subprotocols is known here; offer " HG_WS_PROTOCOL " or none.\n");
}

struct hg_ws_refusal hg_ws_handshake_judge(const struct hg_ws_request *request, const char *const *origins,
                                           size_t origin_count)
{
    if (!same(request->upgrade, HG_LIT("websocket"))) {
        if (hg_slice_is(request->path, HG_WS_PATH))
            REFUSE(426, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", "This is the place for WebSockets.\n");
        REFUSE(400, "", "Only an Upgrade to websocket is understood here.\n");
    }
    if (!hg_slice_is(request->path, HG_WS_PATH))
        REFUSE(404, "", "WebSockets are served at " HG_WS_PATH ".\n");
    if (!request->get)
        REFUSE(405, "Allow: GET\r\n", "A WebSocket handshake is a GET.\n");
    if (!request->http_1_1)
        REFUSE(400, "", "A WebSocket handshake is HTTP/1.1.\n");
    if (request->too_long)
        REFUSE(400, "", "A header field of the handshake is too long.\n");
    if (request->host.len == 0)
        REFUSE(400, "", "The Host header is missing.\n");
    if (!lists(request->connection, HG_LIT("upgrade")))
        REFUSE(400, "", "The Connection header does not list Upgrade.\n");
    if (request->connection.len > HG_WS_CONNECTION_BYTES_MAX || !is_plain_list(request->connection))
        REFUSE(400, "", "The Connection header is malformed.\n");
    if (!hg_slice_is(request->version, "13"))
        REFUSE(426, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
               "Only WebSocket version 13 is spoken here.\n");
    if (!is_key(request->key))
        REFUSE(400, "", "Sec-WebSocket-Key must be the base64 of 16 bytes.\n");
    if (request->extensions.len > HG_WS_EXTENSIONS_BYTES_MAX)
        REFUSE(400, "", "Sec-WebSocket-Extensions is too long.\n");
    struct hg_deflate_terms terms;
    if (!hg_ok(hg_deflate_offer_choose(request->extensions, HG_DEFLATE_WINDOW_BITS_MAX, &terms)))
        REFUSE(400, "", "Sec-WebSocket-Extensions is malformed.\n");
    if (request->protocols.len > 0) {
        struct hg_ws_refusal refusal = judge_protocols(request->protocols);
        if (refusal.status != 0)
            return refusal;
    }
    if (!hg_ws_origin_allowed(request->origin, request->host, origins, origin_count))
        REFUSE(403, "", "This web origin may not connect; the gateway's setting \"origins\" admits it.\n");
    REFUSE(0, "", "");
}
