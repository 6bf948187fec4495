#include "sim/once/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/frame.h"
#include "sim/once/world.h"
#include "wire/close.h"

static uint32_t index_of(const struct once_world *world, const struct once_conn *conn)
{
    return (uint32_t)(conn - world->clients.conns);
}

/* Has the client look at its outbox then. */
static void wake(struct once_world *world, const struct once_client *client, hg_time at)
{
    sim_agenda_put(&world->env.agenda, at, SIM_OUTBOX_DUE, client->number, 0);
}

static void free_bytes(struct once_conn *conn)
{
    while (conn->bytes) {
        struct once_bytes *bytes = conn->bytes;
        conn->bytes = bytes->next;
        json_decref(bytes->messages);
        free(bytes);
    }
    conn->bytes_end = &conn->bytes;
}

void once_clients_init(struct once_clients *clients, struct once_world *world)
{
    *clients = (struct once_clients){.world = world};
    for (uint32_t i = 0; i < ONCE_CLIENTS; i++) {
        clients->items[i].number = i;
        clients->items[i].tolerance_ms = UINT64_MAX;
    }
    for (uint32_t i = 0; i < world->options.clients; i++) {
        clients->items[i].back_at = sim_soon(&world->env, 5000);
        wake(world, &clients->items[i], clients->items[i].back_at);
    }
}

void once_clients_done(struct once_clients *clients)
{
    for (size_t i = 0; i < ONCE_CONNS; i++)
        free_bytes(&clients->conns[i]);
    for (size_t i = 0; i < ONCE_CLIENTS; i++) {
        free(clients->items[i].outbox);
        free(clients->items[i].names.items);
    }
    free(clients->all);
    free(clients->sendings);
}

/* ---- the connection's end ---------------------------------------------------------------------------------------- */

/* What was sent and not answered goes out again, when there is a connection. */
static void client_lost(struct once_world *world, struct once_client *client)
{
    struct sim_env *env = &world->env;

    for (size_t i = client->settled; i < client->slot_count; i++) {
        struct once_slot *slot = client->outbox[i];
        if (slot->state != ONCE_SENT)
            continue;
        slot->state = ONCE_WAITING;
        slot->due = env->now;
        slot->sending = NULL;
    }
    client->conn = NULL;
    client->ready = false;
    client->back_at = sim_soon(env, env->faults && sim_chance(env, 20) ? 300000 : 5000);
    wake(world, client, client->back_at);
}

static void conn_ended(struct once_world *world, struct once_conn *conn)
{
    for (size_t i = 0; i < world->clients.sending_count; i++) {
        struct once_sending *sending = world->clients.sendings[i];
        struct once_slot *slot = sending->slot;
        if (sending->conn != conn || sending->generation != conn->generation || sending->answered ||
            !sending->delivered)
            continue;
        if (!slot->vanished || sending->delivered_at.us < slot->delivered_at.us)
            slot->delivered_at = sending->delivered_at;
        slot->vanished = true;
        slot->refused = slot->refused || conn->was_full;
    }
    if (conn->client->conn == conn)
        client_lost(world, conn->client);
    free_bytes(conn);
    conn->state = ONCE_FREE;
    conn->generation++;
}

void once_client_leave(struct once_world *world, struct once_client *client)
{
    struct sim_env *env = &world->env;
    struct once_conn *conn = client->conn;

    if (!conn)
        return;
    SIM_TRACE(env, "client %" PRIu32 " is cut off", client->number);
    conn->gone = true;
    conn->dead = sim_chance(env, 50);
    client_lost(world, client);
    if (conn->state == ONCE_OPEN)
        sim_agenda_put(&env->agenda, sim_soon(env, sim_chance(env, 30) ? 400000 : world->options.net_us), SIM_WS_CLOSED,
                       index_of(world, conn), conn->generation);
}

void once_clients_cut(struct once_world *world, uint32_t gateway)
{
    for (size_t i = 0; i < ONCE_CONNS; i++) {
        struct once_conn *conn = &world->clients.conns[i];
        if (conn->state != ONCE_FREE && conn->gateway == gateway)
            conn_ended(world, conn);
    }
}

/* ---- ports ------------------------------------------------------------------------------------------------------- */

static struct once_conn *find(struct once_world *world, uint32_t gateway, hg_session_ref session, const char *port)
{
    for (size_t i = 0; i < ONCE_CONNS; i++) {
        struct once_conn *conn = &world->clients.conns[i];
        if ((conn->state == ONCE_OPEN || conn->state == ONCE_CLOSING) && conn->gateway == gateway &&
            conn->session.index == session.index && conn->session.generation == session.generation)
            return conn;
    }
    sim_violation(&world->env, "ports: %s for session %" PRIu32 "/%" PRIu32 ", which is not there", port, session.index,
                  session.generation);
}

static void arrive_later(struct once_world *world, struct once_conn *conn)
{
    for (const struct once_bytes *bytes = conn->bytes; bytes; bytes = bytes->next)
        sim_agenda_put(&world->env.agenda, bytes->at, SIM_WS_BYTES, index_of(world, conn), conn->generation);
}

static void take_frames(struct once_world *world, struct once_conn *conn, struct hg_slice frames,
                        struct once_bytes *bytes)
{
    struct sim_env *env = &world->env;

    while (frames.len > 0) {
        struct sim_frame frame = sim_frame_next(env, &frames, false);
        if (frame.ping) {
            bytes->pings++;
            continue;
        }
        json_error_t error;
        json_t *message = json_loadb(frame.payload.ptr, frame.payload.len, JSON_REJECT_DUPLICATES, &error);
        const char *op = json_string_value(json_object_get(message, "op"));
        SIM_TRACE(env, "gateway %" PRIu32 ": to client %" PRIu32 " %.*s", conn->gateway, conn->client->number,
                  HG_SLICE_ARG(hg_slice_first(frame.payload, 300)));
        json_array_append_new(bytes->messages, message);
        if (!op)
            sim_violation(env, "wire: a message is no JSON object with op: %.*s",
                          HG_SLICE_ARG(hg_slice_first(frame.payload, 200)));
        if ((strcmp(op, "welcome") == 0) == conn->welcomed)
            sim_violation(env, "wire: welcome is not the first message, or comes twice");
        conn->welcomed = true;
        once_oracle_message(world, conn, op, message);
    }
}

enum hg_send once_client_send(struct once_world *world, uint32_t gateway, hg_session_ref session,
                              struct hg_slice frames)
{
    struct sim_env *env = &world->env;
    struct once_conn *conn = find(world, gateway, session, "ws_send");
    struct once_bytes *bytes = calloc(1, sizeof *bytes);

    HG_ASSERT(bytes);
    bytes->messages = json_array();
    *conn->bytes_end = bytes;
    conn->bytes_end = &bytes->next;
    if (conn->state == ONCE_CLOSING)
        sim_violation(env, "ports: ws_send after ws_close");
    if (conn->full)
        sim_violation(env, "ports: ws_send between HG_SEND_BUFFERED and writable");
    if (frames.len == 0)
        sim_violation(env, "ports: ws_send of nothing");
    take_frames(world, conn, frames, bytes);
    bytes->len = frames.len;
    bytes->at = sim_soon(env, world->options.net_us);
    if (bytes->at.us < conn->way_back.us)
        bytes->at = conn->way_back;
    conn->way_back = bytes->at;
    conn->under_way += bytes->len;
    sim_agenda_put(&env->agenda, bytes->at, SIM_WS_BYTES, index_of(world, conn), conn->generation);
    if (conn->under_way <= world->options.socket_bytes)
        return HG_SEND_DONE;
    SIM_TRACE(env, "client %" PRIu32 ": its socket is full", conn->client->number);
    conn->full = conn->was_full = true;
    return HG_SEND_BUFFERED;
}

void once_client_close(struct once_world *world, uint32_t gateway, hg_session_ref session, uint16_t code,
                       struct hg_slice reason)
{
    struct sim_env *env = &world->env;
    struct once_conn *conn = find(world, gateway, session, "ws_close");

    if (conn->state == ONCE_CLOSING)
        return;
    SIM_TRACE(env, "gateway %" PRIu32 ": closes client %" PRIu32 " with %u %.*s", gateway, conn->client->number, code,
              HG_SLICE_ARG(reason));
    if (!conn->gone && !world->options.stalls)
        sim_violation(env, "close: client %" PRIu32 " did nothing wrong, and is closed with %u %.*s",
                      conn->client->number, code, HG_SLICE_ARG(reason));
    conn->state = ONCE_CLOSING;
    if (!conn->gone)
        sim_agenda_put(&env->agenda, sim_soon(env, world->options.net_us), SIM_WS_CLOSED, index_of(world, conn),
                       conn->generation);
}

void once_client_pause(struct once_world *world, uint32_t gateway, hg_session_ref session, bool paused)
{
    struct once_conn *conn = find(world, gateway, session, "ws_pause");

    if (conn->paused == paused)
        return;
    SIM_TRACE(&world->env, "gateway %" PRIu32 ": %s client %" PRIu32, gateway, paused ? "pauses" : "resumes",
              conn->client->number);
    conn->paused = paused;
    world->oracle.pauses += paused;
    for (; !paused && conn->held > 0; conn->held--)
        sim_agenda_put(&world->env.agenda, hg_time_add(world->env.now, hg_us(1)), SIM_WS_MESSAGE, index_of(world, conn),
                       conn->generation);
}

/* ---- the outbox -------------------------------------------------------------------------------------------------- */

static bool is_settled(const struct once_slot *slot)
{
    return slot->state >= ONCE_KEPT;
}

bool once_clients_are_settled(const struct once_clients *clients)
{
    for (size_t i = 0; i < ONCE_CLIENTS; i++)
        for (size_t k = clients->items[i].settled; k < clients->items[i].slot_count; k++)
            if (!is_settled(clients->items[i].outbox[k]) &&
                once_can_settle(&clients->world->options, clients->items[i].outbox[k]->item->topic))
                return false;
    return true;
}

static void say(struct once_world *world, struct once_conn *conn, struct hg_slice bytes, struct once_sending *sendings)
{
    struct sim_env *env = &world->env;
    struct once_message *message = sim_arena_get(&env->arena, sizeof *message);
    hg_time at = sim_soon(env, world->options.net_us);

    if (at.us <= conn->way_there.us)
        at.us = conn->way_there.us + sim_below(env, 2);
    conn->way_there = at;
    message->bytes = bytes;
    message->sendings = sendings;
    *conn->messages_end = message;
    conn->messages_end = &message->next;
    sim_agenda_put(&env->agenda, at, SIM_WS_MESSAGE, index_of(world, conn), conn->generation);
}

/* The window is over: whoever sends it again may double it. */
static bool is_stale(const struct once_world *world, const struct once_item *item)
{
    return item->first_sent.us != UINT64_MAX && world->env.now.us - item->first_sent.us >= hg_ms(item->tolerance_ms).us;
}

static struct once_sending *new_sending(struct once_world *world, struct once_slot *slot)
{
    struct once_clients *clients = &world->clients;
    struct once_sending *sending = sim_arena_get(&world->env.arena, sizeof *sending);
    struct once_item *item = slot->item;

    sending->number = clients->sending_count;
    sending->slot = slot;
    sending->conn = slot->client->conn;
    sending->generation = slot->client->conn->generation;
    *SIM_PUSH(clients->sendings, clients->sending_count, clients->sending_capacity) = sending;
    slot->state = ONCE_SENT;
    slot->sending = sending;
    if (item->first_sent.us == UINT64_MAX)
        item->first_sent = world->env.now;
    uint64_t window = slot->client->tolerance_ms;
    if (window == UINT64_MAX && once_topics[item->topic].rule >= 0)
        window = world->options.rules[once_topics[item->topic].rule].dedupe_window_ms;
    if (window < item->tolerance_ms)
        item->tolerance_ms = window;
    return sending;
}

static void pump(struct once_world *world, struct once_client *client)
{
    struct sim_env *env = &world->env;
    uint64_t in_flight = 0;
    size_t i;

    if (!client->conn || !client->ready)
        return;
    while (client->settled < client->slot_count && is_settled(client->outbox[client->settled]))
        client->settled++;
    for (i = client->settled; i < client->slot_count; i++)
        in_flight += client->outbox[i]->state == ONCE_SENT;
    i = client->settled;
    while (i < client->slot_count) {
        struct once_sending *first = NULL, **end = &first;
        struct hg_slice text = HG_SLICE_NULL;
        size_t most = world->options.joined ? 1 + (size_t)sim_below(env, 20) : 1, count = 0;

        for (; i < client->slot_count && count < most; i++) {
            struct once_slot *slot = client->outbox[i];
            const struct once_item *item = slot->item;
            if (slot->state != ONCE_WAITING || slot->due.us > env->now.us)
                continue;
            if (is_stale(world, item)) {
                slot->state = ONCE_GIVEN_UP;
                continue;
            }
            if (world->options.polite && in_flight >= client->emits_limit)
                break;
            in_flight++;
            count++;
            struct once_sending *sending = new_sending(world, slot);
            *end = sending;
            end = &sending->next;
            struct hg_slice head = sim_arena_printf(
                &env->arena, "%s{\"op\":\"emit\",\"ref\":%" PRIu64 ",\"topic\":\"%s\",\"id\":\"%.*s\"%s,\"event\":",
                text.len > 0 ? "\n" : "", sending->number, once_topics[item->topic].name, HG_SLICE_ARG(item->id),
                item->no_echo ? ",\"echo\":false" : "");
            char *all = sim_arena_get(&env->arena, text.len + head.len + item->event.len + 2);
            if (text.len > 0)
                memcpy(all, text.ptr, text.len);
            memcpy(all + text.len, head.ptr, head.len);
            memcpy(all + text.len + head.len, item->event.ptr, item->event.len);
            all[text.len + head.len + item->event.len] = '}';
            text = hg_slice(all, text.len + head.len + item->event.len + 1);
        }
        if (count == 0)
            return;
        say(world, client->conn, text, first);
    }
}

static struct once_slot *put_slot(struct once_world *world, struct once_client *client, struct once_item *item)
{
    struct once_slot *slot = sim_arena_get(&world->env.arena, sizeof *slot);

    *slot = (struct once_slot){.item = item, .client = client, .due = world->env.now};
    *SIM_PUSH(client->outbox, client->slot_count, client->slot_capacity) = slot;
    return slot;
}

static int choose_topic(struct once_world *world, uint32_t chance)
{
    if (world->options.wrong && chance % 16 == 0)
        return (int)(ONCE_STREAMS + chance / 16 % (ONCE_TOPICS - ONCE_STREAMS));
    return chance / 16 % 2 == 0 ? 0 : (int)(chance / 32 % ONCE_STREAMS);
}

static struct hg_slice make_event(struct sim_env *env, uint64_t number, size_t pad)
{
    struct hg_slice head = sim_arena_printf(&env->arena, "{\"n\":%" PRIu64 ",\"pad\":\"", number);
    char *text = sim_arena_get(&env->arena, head.len + pad + 2);

    memcpy(text, head.ptr, head.len);
    memset(text + head.len, 'x', pad);
    memcpy(text + head.len + pad, "\"}", 2);
    return hg_slice(text, head.len + pad + 2);
}

void once_client_emit(struct once_world *world, struct once_client *client, uint32_t a, uint32_t b)
{
    struct once_clients *clients = &world->clients;
    struct sim_env *env = &world->env;

    for (uint64_t n = 1 + b % world->options.burst_max; n > 0; n--) {
        struct once_item *item = sim_arena_get(&env->arena, sizeof *item);
        uint64_t number = clients->item_count;
        size_t pad = (size_t)sim_below(env, world->options.pad_max + 1);

        if (world->options.wrong && sim_chance(env, 3) && world->options.config.event_bytes_max <= 1024)
            pad = (size_t)world->options.config.event_bytes_max;
        *item = (struct once_item){.number = number,
                                   .topic =
                                       choose_topic(world, sim_chance(env, 70) ? a : (uint32_t)sim_below(env, 1 << 20)),
                                   .no_echo = world->options.hiding && sim_chance(env, 50),
                                   .first_sent = HG_TIME_NEVER,
                                   .tolerance_ms = UINT64_MAX};
        item->id = sim_arena_printf(&env->arena, "id-%" PRIu64, number);
        if (world->options.conflicts && number > 0 && sim_chance(env, 15))
            item->id = clients->all[number - 1 - sim_below(env, number < 20 ? number : 20)]->id;
        item->event = make_event(env, number, pad);
        *SIM_PUSH(clients->all, clients->item_count, clients->item_capacity) = item;
        item->slots[0] = put_slot(world, client, item);
        struct once_client *other = &clients->items[sim_below(env, world->options.clients)];
        if (world->options.twins && other != client && sim_chance(env, 25)) {
            item->slots[1] = put_slot(world, other, item);
            wake(world, other, sim_soon(env, 20000));
        }
    }
    pump(world, client);
}

/* ---- what happens ------------------------------------------------------------------------------------------------ */

static void connect(struct once_world *world, struct once_client *client)
{
    struct sim_env *env = &world->env;
    uint32_t gateway = (uint32_t)sim_below(env, world->options.gateways);

    for (uint32_t i = 0; i < ONCE_CONNS; i++) {
        struct once_conn *conn = &world->clients.conns[i];
        if (conn->state != ONCE_FREE)
            continue;
        *conn = (struct once_conn){.state = ONCE_CONNECTING,
                                   .client = client,
                                   .generation = conn->generation + 1,
                                   .gateway = gateway,
                                   .messages_end = &conn->messages,
                                   .bytes_end = &conn->bytes,
                                   .way_there = sim_soon(env, world->options.net_us)};
        client->conn = conn;
        sim_agenda_put(&env->agenda, conn->way_there, SIM_WS_OPEN, i, conn->generation);
        return;
    }
    client->back_at = sim_soon(env, 100000);
    wake(world, client, client->back_at);
}

static void open_conn(struct once_world *world, struct once_conn *conn)
{
    struct sim_env *env = &world->env;
    struct once_gateway *gateway = &world->gateways[conn->gateway];
    int refusal = -1;

    if (conn->gone || !gateway->core) {
        conn_ended(world, conn);
        return;
    }
    gateway->fed = true;
    if (!hg_on_ws_open(gateway->core, env->now, &conn->session, &refusal))
        sim_violation(env, "open: client %" PRIu32 " is refused", conn->client->number);
    SIM_TRACE(env, "client %" PRIu32 ": at gateway %" PRIu32 ", session %" PRIu32 "/%" PRIu32, conn->client->number,
              conn->gateway, conn->session.index, conn->session.generation);
    conn->state = ONCE_OPEN;
}

static void deliver(struct once_world *world, struct once_conn *conn)
{
    struct sim_env *env = &world->env;
    struct once_message *message = conn->messages;

    if (conn->paused && conn->state == ONCE_OPEN) {
        conn->held++;
        return;
    }
    HG_ASSERT(message);
    conn->messages = message->next;
    if (!conn->messages)
        conn->messages_end = &conn->messages;
    if (conn->dead)
        return;
    SIM_TRACE(env, "client %" PRIu32 " says %.*s", conn->client->number,
              HG_SLICE_ARG(hg_slice_first(message->bytes, 300)));
    for (struct once_sending *sending = message->sendings; sending; sending = sending->next) {
        sending->delivered = conn->state == ONCE_OPEN;
        sending->delivered_at = env->now;
        sending->slot->item->arrived = true;
    }
    world->gateways[conn->gateway].fed = true;
    /* A copy that dies with the call: the core may keep nothing of it. */
    char *copy = malloc(message->bytes.len + 1);
    HG_ASSERT(copy);
    memcpy(copy, message->bytes.ptr, message->bytes.len);
    hg_on_ws_message(world->gateways[conn->gateway].core, env->now, conn->session, true,
                     hg_slice(copy, message->bytes.len));
    memset(copy, 0x5a, message->bytes.len);
    free(copy);
}

static void hear_answer(struct once_world *world, struct once_client *client, const json_t *message, bool ok)
{
    struct sim_env *env = &world->env;
    const json_t *ref = json_object_get(message, "ref");
    struct once_sending *sending = world->clients.sendings[json_integer_value(ref)];
    struct once_slot *slot = sending->slot;

    HG_ASSERT(slot->client == client && slot->sending == sending && slot->state == ONCE_SENT);
    slot->sending = NULL;
    if (ok) {
        slot->state = ONCE_KEPT;
        world->clients.acknowledged++;
        return;
    }
    uint64_t retry_ms = (uint64_t)json_integer_value(json_object_get(message, "retry_ms"));
    if (retry_ms == 0) {
        slot->state = ONCE_REFUSED;
        return;
    }
    slot->state = ONCE_WAITING;
    slot->due = hg_time_add(env->now, hg_us(hg_ms(retry_ms).us + sim_below(env, 1000)));
    /* One last time before the window is over. */
    hg_time end = hg_time_add(slot->item->first_sent, hg_ms(slot->item->tolerance_ms));
    uint64_t before = 1 + sim_below(env, 4 * world->options.net_us);
    if (slot->due.us >= end.us && env->now.us + before < end.us)
        slot->due.us = end.us - before;
    wake(world, client, slot->due);
}

/* On another connection, at whatever gateway, it goes by the name it had. */
static void say_hello(struct once_world *world, struct once_client *client, struct hg_slice name)
{
    struct hg_slice hello = sim_arena_printf(&world->env.arena, "{\"op\":\"hello\",\"ref\":\"h\",\"session\":\"%.*s\"}",
                                             HG_SLICE_ARG(name));

    say(world, client->conn, hello, NULL);
    client->name = name;
}

static void hear(struct once_world *world, struct once_client *client, const json_t *message)
{
    const char *op = json_string_value(json_object_get(message, "op"));

    if (strcmp(op, "welcome") == 0) {
        const json_t *limits = json_object_get(message, "limits");
        const json_t *window = json_object_get(limits, "dedupe_window_ms");
        struct hg_slice before = client->name;
        client->name =
            sim_arena_copy(&world->env.arena, hg_slice_str(json_string_value(json_object_get(message, "session"))));
        once_names_put(&client->names, &world->env.arena, client->name);
        client->emits_limit = (uint64_t)json_integer_value(json_object_get(limits, "emits"));
        client->tolerance_ms = window ? (uint64_t)json_integer_value(window) : UINT64_MAX;
        client->ready = true;
        if (before.ptr && world->options.hiding && sim_chance(&world->env, 50))
            say_hello(world, client, before);
    } else if (json_is_integer(json_object_get(message, "ref"))) {
        hear_answer(world, client, message, strcmp(op, "ok") == 0);
    }
}

static void read_bytes(struct once_world *world, struct once_conn *conn)
{
    struct sim_env *env = &world->env;
    struct once_client *client = conn->client;
    struct once_bytes *bytes = conn->bytes;
    size_t i;
    json_t *message;

    if (conn->gone || client->stalled || !bytes || bytes->at.us > env->now.us)
        return;
    conn->bytes = bytes->next;
    if (!conn->bytes)
        conn->bytes_end = &conn->bytes;
    conn->under_way -= bytes->len;
    json_array_foreach(bytes->messages, i, message) hear(world, client, message);
    for (; bytes->pings > 0; bytes->pings--)
        sim_agenda_put(&env->agenda, sim_soon(env, world->options.net_us), SIM_WS_PONG, index_of(world, conn),
                       conn->generation);
    json_decref(bytes->messages);
    free(bytes);
    if (conn->full && conn->under_way == 0)
        sim_agenda_put(&env->agenda, sim_soon(env, world->options.net_us), SIM_WS_WRITABLE, index_of(world, conn),
                       conn->generation);
    pump(world, client);
}

void once_client_stall(struct once_world *world, struct once_client *client, bool stalled)
{
    if (client->stalled == stalled)
        return;
    SIM_TRACE(&world->env, "client %" PRIu32 " %s", client->number, stalled ? "stalls" : "reads again");
    client->stalled = stalled;
    if (!stalled && client->conn) {
        for (struct once_bytes *bytes = client->conn->bytes; bytes; bytes = bytes->next)
            if (bytes->at.us < world->env.now.us)
                bytes->at = world->env.now;
        arrive_later(world, client->conn);
    }
}

static void look(struct once_world *world, struct once_client *client)
{
    if (client->conn)
        pump(world, client);
    else if (client->back_at.us <= world->env.now.us)
        connect(world, client);
}

void once_client_event(struct once_world *world, const struct sim_event *event)
{
    struct sim_env *env = &world->env;

    if (event->kind == SIM_OUTBOX_DUE) {
        look(world, &world->clients.items[event->who]);
        return;
    }
    struct once_conn *conn = &world->clients.conns[event->who];
    if (conn->generation != event->generation || conn->state == ONCE_FREE)
        return;
    struct once_gateway *gateway = &world->gateways[conn->gateway];
    switch (event->kind) {
    case SIM_WS_OPEN:
        open_conn(world, conn);
        return;
    case SIM_WS_MESSAGE:
        if (conn->state != ONCE_CONNECTING)
            deliver(world, conn);
        return;
    case SIM_WS_BYTES:
        read_bytes(world, conn);
        return;
    case SIM_WS_WRITABLE:
        if (!conn->full || conn->gone)
            return;
        conn->full = false;
        if (conn->state == ONCE_OPEN) {
            gateway->fed = true;
            hg_on_ws_writable(gateway->core, env->now, conn->session);
        }
        return;
    case SIM_WS_PONG:
        gateway->fed = true;
        hg_on_ws_pong(gateway->core, env->now, conn->session);
        return;
    case SIM_WS_CLOSED: {
        hg_session_ref session = conn->session;
        SIM_TRACE(env, "client %" PRIu32 ": closed at gateway %" PRIu32, conn->client->number, conn->gateway);
        gateway->fed = true;
        conn_ended(world, conn);
        hg_on_ws_closed(gateway->core, env->now, session);
        return;
    }
    default:
        HG_UNREACHABLE();
    }
}
