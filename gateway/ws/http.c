#include "ws/http.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "ws/files.h"
#include "ws/handshake.h"

enum {
    PATH_BYTES_MAX = 1024,
    HEAD_BYTES_MAX = 4096,
    PIECE_BYTES = 64 << 10,       /* a file leaves in pieces, so that a slow reader costs one piece of memory */
    TOGETHER_BYTES_MAX = 8 << 10, /* up to this a file leaves together with its head */
    PROGRESS_S = 30,              /* a client that takes no piece for so long is dropped */
};

/* On every answer. The page needs its own scripts, styles and socket, and nothing else. */
#define COMMON_HEADERS                                                                                                 \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "         \
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"                     \
    "X-Content-Type-Options: nosniff\r\n"                                                                              \
    "Referrer-Policy: no-referrer\r\n"

static const char text_plain[] = "text/plain; charset=utf-8";

static const char *phrase(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 301:
        return "Moved Permanently";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 426:
        return "Upgrade Required";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

bool hg_ws_http_field(struct lws *wsi, enum lws_token_indexes token, char *into, size_t size, struct hg_slice *ret_text)
{
    *ret_text = HG_SLICE_NULL;
    if (lws_hdr_total_length(wsi, token) <= 0)
        return true;
    int len = lws_hdr_copy(wsi, into, (int)size, token);
    if (len < 0)
        return false;
    struct hg_slice text = hg_slice(into, (size_t)len);
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = hg_slice_from(text, 1);
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    *ret_text = text;
    return true;
}

/* What libwebsockets decides on in lws_http_transaction_completed(), so that we say what it does. */
static const char *connection_header(struct lws *wsi)
{
    char version_text[16], field_text[32];
    struct hg_slice version, field;
    hg_ws_http_field(wsi, WSI_TOKEN_HTTP, version_text, sizeof(version_text), &version);
    if (!hg_ws_http_field(wsi, WSI_TOKEN_CONNECTION, field_text, sizeof(field_text), &field))
        field = HG_SLICE_NULL;
    if (hg_slice_is(version, "HTTP/1.1"))
        return field.len == 5 && strncasecmp(field.ptr, "close", 5) == 0 ? "Connection: close\r\n" : "";
    return field.len == 10 && strncasecmp(field.ptr, "keep-alive", 10) == 0 ? "Connection: keep-alive\r\n"
                                                                            : "Connection: close\r\n";
}

/* `type` NULL: an answer without content, which tells no length either. */
static void put_head(struct hg_buf *buf, int status, const char *type, size_t len, const char *headers)
{
    char date[40] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    hg_buf_printf(buf, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, phrase(status), date);
    if (type)
        hg_buf_printf(buf, "Content-Type: %s\r\nContent-Length: %zu\r\n", type, len);
    hg_buf_put_str(buf, headers);
    hg_buf_put_str(buf, COMMON_HEADERS "\r\n");
}

static int write_bytes(struct hg_ws_connection *connection, struct hg_slice bytes, enum lws_write_protocol how)
{
    /* libwebsockets does not write to the bytes: without HTTP/2, compression and chunking nothing is put in front. */
    return hg_ws_connection_write(connection, bytes, how) < 0 ? -1 : 0;
}

static int write_buf(struct hg_ws_connection *connection, struct hg_buf *buf)
{
    int result = buf->error != HG_ERR_OK ? -1 : write_bytes(connection, hg_buf_slice(buf), LWS_WRITE_HTTP_HEADERS);
    hg_buf_done(buf);
    return result;
}

/* The answer is written: called from where the last of it is, not from a later callback. libwebsockets 4.3 ends a
 * connection whose next request it reads before this, and a client may send that as soon as it has the last byte. What
 * the kernel has not taken yet, libwebsockets sends first. */
static int completed(struct hg_ws_connection *connection)
{
    bool waits = lws_partial_buffered(connection->wsi);
    hg_ws_connection_set_sending(connection, waits); /* until the next request: nobody tells when it has gone */
    if (waits)
        lws_set_timeout(connection->wsi, PENDING_TIMEOUT_HTTP_CONTENT, PROGRESS_S);
    return lws_http_transaction_completed(connection->wsi) != 0 ? -1 : 0;
}

int hg_ws_http_refuse(struct hg_ws_connection *connection, int status, const char *headers, const char *text)
{
    char all_headers[256];
    snprintf(all_headers, sizeof(all_headers), "%sConnection: close\r\n", headers);
    struct hg_buf buf;
    hg_buf_init(&buf, HEAD_BYTES_MAX);
    put_head(&buf, status, text_plain, strlen(text), all_headers);
    if (lws_hdr_total_length(connection->wsi, WSI_TOKEN_HEAD_URI) <= 0)
        hg_buf_put_str(&buf, text);
    write_buf(connection, &buf);
    return -1;
}

bool hg_ws_http_is_misplaced(const struct hg_ws_connection *connection)
{
    return connection->ws->tls && !lws_is_ssl(connection->wsi);
}

int hg_ws_http_refuse_misplaced(struct hg_ws_connection *connection)
{
    return hg_ws_http_refuse(connection, 400, "", "This port speaks TLS: use https:// or wss://.\n");
}

/* A short answer on a connection that may stay. */
static int answer(struct hg_ws_connection *connection, int status, const char *type, const char *headers,
                  struct hg_slice body, bool head_only)
{
    struct hg_buf buf;
    hg_buf_init(&buf, HEAD_BYTES_MAX + TOGETHER_BYTES_MAX);
    put_head(&buf, status, type, body.len, headers);
    if (!head_only)
        hg_buf_put(&buf, body);
    return write_buf(connection, &buf) != 0 ? -1 : completed(connection);
}

static bool etag_matches(struct lws *wsi, const char *etag)
{
    char text[512];
    struct hg_slice list;
    if (!hg_ws_http_field(wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, text, sizeof(text), &list) || list.len == 0)
        return false;
    if (hg_slice_is(list, "*"))
        return true;
    /* Ours hold no character that could end early, so the quoted tag is found whole or not at all, weak or strong. */
    return memmem(list.ptr, list.len, etag, strlen(etag)) != NULL;
}

static int send_piece(struct hg_ws_connection *connection)
{
    const struct hg_ws_file *file = connection->file;
    struct hg_slice piece =
        hg_slice_first(hg_slice_from(hg_slice(file->bytes, file->len), connection->file_offset), PIECE_BYTES);
    if (write_bytes(connection, piece, LWS_WRITE_HTTP) != 0)
        return -1;
    connection->file_offset += piece.len;
    hg_ws_connection_moved(connection);
    if (connection->file_offset == file->len) {
        connection->file = NULL;
        return completed(connection);
    }
    hg_ws_connection_set_sending(connection, true);
    lws_set_timeout(connection->wsi, PENDING_TIMEOUT_HTTP_CONTENT, PROGRESS_S);
    lws_callback_on_writable(connection->wsi);
    return 0;
}

static int serve(struct hg_ws_connection *connection, const struct hg_ws_file *file, bool head_only)
{
    struct lws *wsi = connection->wsi;
    char headers[128];
    snprintf(headers, sizeof(headers), "%sETag: %s\r\nCache-Control: no-cache\r\n", connection_header(wsi), file->etag);
    if (etag_matches(wsi, file->etag))
        return answer(connection, 304, NULL, headers, HG_SLICE_NULL, true);
    if (head_only || file->len <= TOGETHER_BYTES_MAX)
        return answer(connection, 200, file->type, headers, hg_slice(file->bytes, file->len), head_only);

    struct hg_buf buf;
    hg_buf_init(&buf, HEAD_BYTES_MAX);
    put_head(&buf, 200, file->type, file->len, headers);
    if (write_buf(connection, &buf) != 0)
        return -1;
    connection->file = file;
    connection->file_offset = 0;
    return send_piece(connection);
}

int hg_ws_http_writable(struct hg_ws_connection *connection)
{
    return connection->file ? send_piece(connection) : 0;
}

static int redirect(struct hg_ws_connection *connection, struct hg_slice path, bool head_only)
{
    char headers[PATH_BYTES_MAX + 64];
    snprintf(headers, sizeof(headers), "%sLocation: %.*s/\r\n", connection_header(connection->wsi), HG_SLICE_ARG(path));
    return answer(connection, 301, text_plain, headers, HG_LIT("Moved.\n"), head_only);
}

/* Of GET and HEAD, for which it means nothing. libwebsockets takes the pieces of a chunked one for requests, and 4.3
 * takes requests that follow for content: neither may happen behind a proxy, where they are another client's. */
static bool has_content(struct lws *wsi)
{
    char text[32];
    struct hg_slice length;
    return lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0 ||
           !hg_ws_http_field(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, text, sizeof(text), &length) ||
           (length.len > 0 && !hg_slice_is(length, "0"));
}

int hg_ws_http_request(struct hg_ws_connection *connection)
{
    struct lws *wsi = connection->wsi;
    hg_ws_connection_set_sending(connection, false); /* the answer before this one has gone */
    hg_ws_connection_moved(connection);
    if (connection->leaving)
        return -1;
    if (hg_ws_http_is_misplaced(connection))
        return hg_ws_http_refuse_misplaced(connection);

    char path_text[PATH_BYTES_MAX];
    struct hg_slice path;
    bool head_only = lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI) > 0;
    bool known = head_only || lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0;
    if (!known)
        return hg_ws_http_refuse(connection, 405, "Allow: GET, HEAD\r\n", "Only GET and HEAD are served here.\n");
    if (has_content(wsi))
        return hg_ws_http_refuse(connection, 400, "", "A request here comes without content.\n");
    if (!hg_ws_http_field(wsi, head_only ? WSI_TOKEN_HEAD_URI : WSI_TOKEN_GET_URI, path_text, sizeof(path_text), &path))
        path = HG_SLICE_NULL; /* longer than any path there is */

    if (hg_slice_is(path, HG_WS_PATH))
        return hg_ws_http_refuse(connection, 426, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
                                 "This is the place for WebSockets.\n");
    const struct hg_ws_file *file = hg_ws_files_find(connection->ws->files, path);
    if (file)
        return serve(connection, file, head_only);
    if (hg_slice_is(path, "/health")) {
        char headers[96];
        snprintf(headers, sizeof(headers), "%sCache-Control: no-store\r\n", connection_header(wsi));
        return answer(connection, 200, "application/json", headers, HG_LIT("{\"status\":\"ok\"}\n"), head_only);
    }
    char folder_text[PATH_BYTES_MAX + 1];
    if (path.len > 0 && path.ptr[path.len - 1] != '/') {
        memcpy(folder_text, path.ptr, path.len);
        folder_text[path.len] = '/';
        /* Only where the folder is in our list, so the Location holds nothing that a client made up. */
        if (hg_ws_files_find(connection->ws->files, hg_slice(folder_text, path.len + 1)))
            return redirect(connection, path, head_only);
    }
    return answer(connection, 404, text_plain, connection_header(wsi), HG_LIT("There is nothing here.\n"), head_only);
}
