#include "ws/extension.h"

#include "wire/deflate_offer.h"

enum { ANSWER_BYTES_MAX = 160, RSV1 = 0x40 };

#define FIELD "\r\nSec-WebSocket-Extensions: "

#ifndef LWS_WITHOUT_EXTENSIONS

/* 0 leaves the bytes alone, both ways. */
static int on_extension(struct lws_context *context, const struct lws_extension *extension, struct lws *wsi,
                        enum lws_extension_callback_reasons reason, void *user, void *in, size_t len)
{
    static const struct lws_ext_options no_options[] = {{.name = NULL}};
    (void)context, (void)extension, (void)wsi, (void)user, (void)len;
    if (reason == LWS_EXT_CB_CONSTRUCT && in)
        *(const struct lws_ext_options **)in = no_options; /* it would echo those it is told of */
    return 0;
}

const struct lws_extension *hg_ws_extensions(void)
{
    static const struct lws_extension extensions[] = {
        {.name = HG_DEFLATE_EXTENSION, .callback = on_extension},
        {.name = NULL},
    };
    return extensions;
}

#else

const struct lws_extension *hg_ws_extensions(void)
{
    return NULL;
}

#endif

bool hg_ws_extension_confirm(struct hg_ws_connection *connection)
{
    if (connection->offers_left == 0 || --connection->offers_left > 0)
        return false;
    connection->deflates = true;
    return true;
}

bool hg_ws_extension_answer(struct hg_ws_connection *connection, struct lws_process_html_args *headers)
{
    static const struct hg_slice bare = HG_LIT(FIELD HG_DEFLATE_EXTENSION "\r\n");
    if (!connection->deflates)
        return true;
    struct hg_deflate_terms terms = {.agreed = true, .window_bits = connection->window_bits};
    struct hg_buf answer;
    hg_buf_init(&answer, ANSWER_BYTES_MAX);
    hg_buf_put_str(&answer, FIELD);
    hg_deflate_offer_answer(&terms, &answer);
    hg_buf_put_str(&answer, "\r\n");
    /* The extensions are the last that libwebsockets writes before it asks for more. */
    bool known = memcmp(headers->p - bare.len, bare.ptr, bare.len) == 0;
    bool good = known && hg_ok(hg_buf_result(&answer)) && answer.len <= (size_t)headers->max_len;
    if (good) {
        headers->p -= bare.len;
        memcpy(headers->p, answer.ptr, answer.len);
        headers->p += answer.len;
    }
    hg_buf_done(&answer);
    if (!good && connection->ws->deflate_window_bits > 0) {
        connection->ws->deflate_window_bits = 0;
        hg_ws_log(connection->ws, HG_LOG_WARNING,
                  "this libwebsockets (%s) writes the answer to a handshake in a way of its own: permessage-deflate is "
                  "not agreed to any more",
                  lws_get_library_version());
    }
    return good;
}

bool hg_ws_extension_marked(const struct hg_ws_connection *connection)
{
    return connection->deflates && (lws_get_reserved_bits(connection->wsi) & RSV1);
}
