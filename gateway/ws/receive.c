#include "ws/receive.h"

#include "ws/extension.h"

enum {
    KEEP_BYTES = 16 << 10, /* of what was inflated, between messages */
    /* What cannot be deflated becomes this much longer at worst, with the poorest settings of zlib. */
    GROWTH_SHIFT = 3,
    GROWTH_BYTES = 64,
};

static hg_time now_of(struct hg_ws *ws)
{
    return ws->sink.now(ws->sink.context);
}

static void deliver(struct hg_ws_connection *connection, bool text, struct hg_slice message)
{
    struct hg_ws *ws = connection->ws;
    ws->sink.message(ws->sink.context, now_of(ws), connection->session, text, message);
}

static void refuse_size(struct hg_ws_connection *connection)
{
    struct hg_ws *ws = connection->ws;
    ws->sink.too_big(ws->sink.context, now_of(ws), connection->session);
}

static void deliver_inflated(struct hg_ws_connection *connection, bool text, struct hg_slice message)
{
    struct hg_ws *ws = connection->ws;
    hg_result result = ws->inflater ? HG_OK : hg_inflater_new(&ws->inflater);
    if (hg_ok(result))
        result = hg_inflate(ws->inflater, message, &ws->inflated);
    if (hg_ok(result))
        deliver(connection, text, hg_buf_slice(&ws->inflated));
    else if (result.code == HG_ERR_TOO_BIG)
        refuse_size(connection);
    else if (result.code == HG_ERR_SYNTAX)
        ws->sink.garbled(ws->sink.context, now_of(ws), connection->session);
    else
        hg_ws_connection_close(connection, HG_CLOSE_OVERLOADED); /* out of memory */
    hg_buf_reset(&ws->inflated, KEEP_BYTES);
}

static void deliver_whole(struct hg_ws_connection *connection, bool text, struct hg_slice message)
{
    if (connection->deflated)
        deliver_inflated(connection, text, message);
    else
        deliver(connection, text, message);
}

/* RSV1 stands on the first frame of a message, for all of it (RFC 7692, section 6). False: it stands elsewhere. */
static bool begin_frame(struct hg_ws_connection *connection, bool marked)
{
    if (connection->gathering)
        return !marked;
    connection->deflated = marked;
    return true;
}

size_t hg_ws_receive_bytes_max(const struct hg_ws *ws, bool deflated)
{
    size_t most = ws->message_bytes_max;
    return deflated ? most + (most >> GROWTH_SHIFT) + GROWTH_BYTES : most;
}

static void take(struct hg_ws_connection *connection, struct hg_ws_piece piece)
{
    struct hg_ws *ws = connection->ws;
    if (!connection->in_frame && !begin_frame(connection, piece.marked)) {
        hg_ws_connection_close(connection, HG_CLOSE_PROTOCOL);
        return;
    }
    connection->in_frame = piece.announced > 0;
    bool last = piece.last;
    size_t most = hg_ws_receive_bytes_max(ws, connection->deflated);
    if (!connection->gathering && last && piece.bytes.len <= most) {
        deliver_whole(connection, piece.text, piece.bytes); /* nearly all that clients send is short: no copy */
        return;
    }
    connection->gathering = !last;
    if (!connection->skipping) {
        /* What the frame's header announces counts already, so that no room is made for what will be too big. */
        size_t have = connection->message.len + piece.bytes.len;
        if (have > most || piece.announced > most - have) {
            connection->skipping = true;
            hg_buf_done(&connection->message);
            refuse_size(connection);
        } else {
            hg_buf_put(&connection->message, piece.bytes);
            if (connection->message.error != HG_ERR_OK) {
                hg_ws_connection_close(connection, HG_CLOSE_OVERLOADED); /* out of memory */
                return;
            }
        }
    }
    if (!last)
        return;
    bool whole = !connection->skipping && !connection->leaving;
    connection->skipping = false;
    if (whole) {
        /* The sink may close the connection, and that clears the buffer: so it is ours to free. */
        struct hg_buf message = connection->message;
        hg_buf_init(&connection->message, message.max);
        deliver_whole(connection, piece.text, hg_buf_slice(&message));
        hg_buf_done(&message);
    }
}

void hg_ws_receive(struct hg_ws_connection *connection, struct hg_slice bytes)
{
    struct lws *wsi = connection->wsi;
    struct hg_ws_piece piece = {
        .bytes = bytes,
        .text = !lws_frame_is_binary(wsi),
        .last = lws_is_final_fragment(wsi),
        .marked = hg_ws_extension_marked(connection),
        .announced = lws_remaining_packet_payload(wsi),
    };
    connection->heard = true;
    if (connection->leaving)
        return;
    if (!connection->paused && !connection->held)
        take(connection, piece);
    else if (hg_ws_held_put(&connection->held, piece))
        hg_ws_connection_set_flow(connection);
    else
        hg_ws_connection_close(connection, HG_CLOSE_OVERLOADED); /* out of memory */
}

void hg_ws_receive_held(struct hg_ws_connection *connection, bool all)
{
    struct hg_ws_held *held = connection->held; /* ours: the sink may close the connection over a piece of it */
    struct hg_ws_piece piece;
    if (!held)
        return;
    connection->held = NULL;
    while ((all || !connection->paused) && !connection->leaving && hg_ws_held_take(&held, &piece))
        take(connection, piece);
    if (connection->leaving)
        hg_ws_held_done(&held);
    connection->held = held;
    hg_ws_connection_set_flow(connection);
}
