/* connection.h – one accepted socket: first HTTP, then perhaps a WebSocket with a session of the core.
 *
 * Ownership: belongs to its libwebsockets object, from adoption until that is destroyed; the session table points here
 * while the core knows the session. Every callback of libwebsockets for it comes through hg_ws_connection_event(). */
#ifndef HG_WS_CONNECTION_H
#define HG_WS_CONNECTION_H

#include "wire/close.h"
#include "ws/context.h"
#include "ws/held.h"

struct hg_ws_connection {
    enum hg_ws_tag tag;

    /* Facts, independent of each other; all but `leaving` of a WebSocket. */
    bool open;      /* the core knows the session and waits for closed() */
    bool leaving;   /* it is about to end, or a close frame went out or came in: nothing more is sent or passed on */
    bool buffered;  /* HG_SEND_BUFFERED was told, writable() is due */
    bool paused;    /* ws_pause() */
    bool stopped;   /* libwebsockets was told to read nothing */
    bool gathering; /* within a message of several pieces */
    bool in_frame;  /* within a frame of several pieces */
    bool deflates;  /* permessage-deflate is agreed */
    bool deflated;  /* this message is */
    bool skipping;  /* the rest of this message is dropped: it was too big */
    bool heard;     /* received something since the last sweep */
    uint8_t deaf;   /* sweeps in a row that found input which nobody reads */

    /* During the handshake: offers of permessage-deflate up to the last one, and the window to be told; both 0: none is
     * taken. */
    uint8_t offers_left, window_bits;

    struct hg_ws *ws;
    struct lws *wsi;

    hg_session_ref session;       /* while `open` */
    struct hg_list_node in_stage; /* ws->opening until it is a WebSocket; ws->closing when it was told to close */
    hg_time deadline;             /* while in either */
    struct hg_list_node in_sending;

    /* A message that comes in pieces is gathered here, as it comes, deflated or not; empty, and without memory, between
     * messages. */
    struct hg_buf message;

    struct hg_ws_held *held; /* what came although it was paused */

    /* A file that is being served. */
    const struct hg_ws_file *file;
    size_t file_offset;
};

/* Takes the socket over; it is closed when that fails. */
void hg_ws_connection_adopt(struct hg_ws *ws, int fd);
/* Makes room among those that are no WebSocket yet, if there is none: ends the one that did nothing for the longest
 * time. False: none has been there for long enough to be told from one that is merely far away. */
bool hg_ws_connections_make_room(struct hg_ws *ws, hg_time now);
/* One that is no WebSocket did something: a request came, a piece of a file went. */
void hg_ws_connection_moved(struct hg_ws_connection *connection);
/* The result goes back to libwebsockets: not 0 ends the connection. */
int hg_ws_connection_event(struct hg_ws_connection *connection, enum lws_callback_reasons reason, void *in, size_t len);
/* Closes it for this reason; does nothing when it is leaving already. */
void hg_ws_connection_close(struct hg_ws_connection *connection, enum hg_close why);
/* The slow timer: deadlines, and connections that libwebsockets left half dead. */
void hg_ws_connections_sweep(struct hg_ws *ws, hg_time now);

/* Has input read, or not, as it is paused and holds something. */
void hg_ws_connection_set_flow(struct hg_ws_connection *connection);
/* lws_write(), and what it returns. The bytes are not written to. */
int hg_ws_connection_write(struct hg_ws_connection *connection, struct hg_slice bytes, enum lws_write_protocol how);
/* With output pending or not, for the sweep. */
void hg_ws_connection_set_sending(struct hg_ws_connection *connection, bool sending);

#endif
