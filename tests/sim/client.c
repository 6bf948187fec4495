#include "sim/client.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "sim/frame.h"
#include "sim/oracle.h"
#include "wire/close.h"

void sim_clients_init(struct sim_clients *clients, struct sim_env *env)
{
    *clients = (struct sim_clients){.env = env, .next_number = 1};
    for (size_t i = 0; i < SIM_CLIENTS; i++)
        clients->items[i].messages_end = &clients->items[i].messages;
}

void sim_clients_done(struct sim_clients *clients)
{
    free(clients->orders);
    free(clients->used_ids);
}

static uint32_t index_of(const struct sim_clients *clients, const struct sim_client *client)
{
    return (uint32_t)(client - clients->items);
}

/* ---- the socket -------------------------------------------------------------------------------------------------- */

static struct sim_client *find(struct sim_clients *clients, hg_session_ref session, const char *port)
{
    for (size_t i = 0; i < SIM_CLIENTS; i++) {
        struct sim_client *c = &clients->items[i];
        if ((c->state == SIM_CLIENT_OPEN || c->state == SIM_CLIENT_CLOSING) && c->session.index == session.index &&
            c->session.generation == session.generation)
            return c;
    }
    sim_violation(clients->env, "ports: %s for session %" PRIu32 "/%" PRIu32 ", which is not there", port,
                  session.index, session.generation);
}

static void schedule_writable(struct sim_clients *clients, struct sim_client *client)
{
    const struct sim_options *o = &clients->env->options;
    uint64_t refills = client->buffered / o->socket_bytes + 1;

    if (!client->stalled && !client->leaving)
        sim_agenda_put(&clients->env->agenda, hg_time_add(clients->env->now, hg_us(refills * o->socket_refill_us)),
                       SIM_WS_WRITABLE, index_of(clients, client), client->generation);
}

static void schedule_pongs(struct sim_clients *clients, struct sim_client *client)
{
    struct sim_env *env = clients->env;

    if (client->stalled || client->muted || client->leaving || client->full)
        return;
    for (; client->pings > 0; client->pings--)
        sim_agenda_put(&env->agenda, sim_soon(env, env->options.net_us), SIM_WS_PONG, index_of(clients, client),
                       client->generation);
}

static void receive_message(struct sim_clients *clients, struct sim_client *client, struct hg_slice text)
{
    struct sim_env *env = clients->env;
    json_error_t error;

    json_t *message = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
    const char *op = json_string_value(json_object_get(message, "op"));
    SIM_TRACE(env, "client %" PRIu64 " gets %.*s", client->number, HG_SLICE_ARG(hg_slice_first(text, 160)));
    if (!op) {
        json_decref(message);
        sim_violation(env, "wire: a message is no JSON object with op: %s: %.*s", error.text,
                      HG_SLICE_ARG(hg_slice_first(text, 200)));
    }
    if ((strcmp(op, "welcome") == 0) == client->welcomed) {
        json_decref(message);
        sim_violation(env, "wire: welcome is not the first message, or comes twice");
    }
    client->welcomed = true;
    if (strcmp(op, "goodbye") == 0)
        client->farewelled = true;
    if (strcmp(op, "event") == 0)
        clients->event_frames++;
    if (strcmp(op, "error") == 0)
        clients->error_frames++;
    sim_oracle_message(env->oracle, client, text, op, message);
    json_decref(message);
}

static void receive(struct sim_clients *clients, struct sim_client *client, struct hg_slice bytes)
{
    while (bytes.len > 0) {
        struct sim_frame frame = sim_frame_next(clients->env, &bytes, client->deflates);

        clients->deflated_frames += frame.deflated;
        if (frame.ping)
            client->pings++;
        else
            receive_message(clients, client, frame.payload);
    }
}

enum hg_send sim_client_send(struct sim_clients *clients, hg_session_ref session, struct hg_slice frames)
{
    struct sim_env *env = clients->env;
    struct sim_client *client = find(clients, session, "ws_send");

    if (client->state == SIM_CLIENT_CLOSING)
        sim_violation(env, "ports: ws_send after ws_close");
    if (client->full)
        sim_violation(env, "ports: ws_send between HG_SEND_BUFFERED and writable");
    if (frames.len == 0)
        sim_violation(env, "ports: ws_send of nothing");
    clients->writes++;
    if (client->leaving && sim_chance(env, 50)) {
        SIM_TRACE(env, "client %" PRIu64 " is gone, %zu bytes refused", client->number, frames.len);
        return HG_SEND_CLOSED;
    }
    clients->bytes += frames.len;
    receive(clients, client, frames);
    if (env->now.us >= client->refill_at.us) {
        client->room = env->options.socket_bytes;
        client->refill_at = hg_time_add(env->now, hg_us(env->options.socket_refill_us));
    }
    if (client->stalled && client->room > 500)
        client->room = 500;
    if (frames.len <= client->room) {
        client->room -= frames.len;
        schedule_pongs(clients, client);
        return HG_SEND_DONE;
    }
    client->buffered = frames.len - client->room;
    client->room = 0;
    client->full = true;
    SIM_TRACE(env, "client %" PRIu64 ": socket is full, %" PRIu64 " bytes wait", client->number, client->buffered);
    schedule_writable(clients, client);
    return HG_SEND_BUFFERED;
}

static void check_close(struct sim_clients *clients, const struct sim_client *client, uint16_t code,
                        struct hg_slice reason)
{
    const struct sim_options *o = &clients->env->options;
    bool slow = o->stalls || o->mutes || o->socket_bytes < 100000;
    bool known = false;

    for (int i = 0; i < HG_CLOSE__COUNT; i++) {
        const struct hg_close_row *row = hg_close_row((enum hg_close)i);
        known |= row->code == code && hg_slice_is(reason, row->reason);
    }
    if (!known)
        sim_violation(clients->env, "close: %u %.*s is not in the table", code, HG_SLICE_ARG(reason));
    if (code == 1012 && !client->farewelled && !client->full && !client->leaving)
        sim_violation(clients->env, "close: a restart without goodbye");
    if (code != 1012 && !client->rude && !client->leaving && !slow)
        sim_violation(clients->env, "close: client %" PRIu64 " did nothing wrong, and is closed with %u %.*s",
                      client->number, code, HG_SLICE_ARG(reason));
}

void sim_client_close(struct sim_clients *clients, hg_session_ref session, uint16_t code, struct hg_slice reason)
{
    struct sim_env *env = clients->env;
    struct sim_client *client = find(clients, session, "ws_close");

    if (client->state == SIM_CLIENT_CLOSING)
        return;
    SIM_TRACE(env, "core: closes client %" PRIu64 " with %u %.*s", client->number, code, HG_SLICE_ARG(reason));
    check_close(clients, client, code, reason);
    client->state = SIM_CLIENT_CLOSING;
    sim_oracle_client_closing(env->oracle, client->number);
    if (!client->leaving)
        sim_agenda_put(&env->agenda,
                       client->stalled ? hg_time_add(env->now, hg_ms(5000)) : sim_soon(env, env->options.net_us),
                       SIM_WS_CLOSED, index_of(clients, client), client->generation);
}

void sim_client_pause(struct sim_clients *clients, hg_session_ref session, bool paused)
{
    struct sim_client *client = find(clients, session, "ws_pause");

    if (client->paused == paused)
        return;
    SIM_TRACE(clients->env, "core: %s client %" PRIu64, paused ? "pauses" : "resumes", client->number);
    client->paused = paused;
    for (; !paused && client->held > 0; client->held--)
        sim_agenda_put(&clients->env->agenda, hg_time_add(clients->env->now, hg_us(1)), SIM_WS_MESSAGE,
                       index_of(clients, client), client->generation);
}

/* ---- what happens to it ------------------------------------------------------------------------------------------ */

static void open_client(struct sim_clients *clients, struct sim_client *client)
{
    struct sim_env *env = clients->env;
    hg_session_ref session = {0, 0};
    int refusal = -1;

    if (client->leaving) { /* before it got through the handshake */
        client->state = SIM_CLIENT_FREE;
        return;
    }
    env->fed = true;
    unsigned retry_s = 0;
    if (!hg_core_admits(env->core, env->now, &retry_s)) {
        SIM_TRACE(env, "client %" PRIu64 ": not admitted, and told to come back in %u s", client->number, retry_s);
        if (retry_s == 0)
            sim_violation(env, "open: not admitted, and not told when to come back");
        if (!env->options.overloads && !env->options.tight && !env->options.shutdown)
            sim_violation(env, "open: not admitted, and there is no reason");
        clients->refused++;
        client->state = SIM_CLIENT_FREE;
        return;
    }
    bool accepted = hg_on_ws_open(env->core, env->now, &session, &refusal);
    SIM_TRACE(env, "client %" PRIu64 ": %s, session %" PRIu32 "/%" PRIu32, client->number,
              accepted ? "open" : "refused", session.index, session.generation);
    if (!accepted) {
        if (refusal < 0 || refusal >= HG_CLOSE__COUNT)
            sim_violation(env, "open: refused without a reason");
        clients->refused++;
        client->state = SIM_CLIENT_FREE;
        return;
    }
    clients->opened++;
    client->state = SIM_CLIENT_OPEN;
    client->session = session;
    if (env->options.deflates && client->number % 4 != 0) {
        client->deflates = true;
        hg_on_ws_deflates(env->core, env->now, session);
    }
}

static void deliver(struct sim_clients *clients, struct sim_client *client)
{
    struct sim_env *env = clients->env;
    struct sim_message *message = client->messages;

    if (client->paused && client->state == SIM_CLIENT_OPEN) {
        client->held++;
        return;
    }
    HG_ASSERT(message);
    client->messages = message->next;
    if (!client->messages)
        client->messages_end = &client->messages;
    SIM_TRACE(env, "client %" PRIu64 " says %.*s", client->number, HG_SLICE_ARG(hg_slice_first(message->bytes, 160)));
    for (struct sim_order *order = message->orders; order; order = order->next)
        sim_oracle_order(env->oracle, order, client->state == SIM_CLIENT_OPEN);
    env->fed = true;
    if (message->too_big)
        hg_on_ws_too_big(env->core, env->now, client->session);
    else {
        /* A copy that dies with the call: the core may keep nothing of it. */
        char *copy = malloc(message->bytes.len + 1);
        HG_ASSERT(copy);
        if (message->bytes.len)
            memcpy(copy, message->bytes.ptr, message->bytes.len);
        hg_on_ws_message(env->core, env->now, client->session, message->text, hg_slice(copy, message->bytes.len));
        memset(copy, 0x5a, message->bytes.len);
        free(copy);
    }
}

void sim_client_event(struct sim_clients *clients, const struct sim_event *event)
{
    struct sim_env *env = clients->env;
    struct sim_client *client = &clients->items[event->who];

    if (client->generation != event->generation || client->state == SIM_CLIENT_FREE)
        return;
    switch (event->kind) {
    case SIM_WS_OPEN:
        open_client(clients, client);
        return;
    case SIM_WS_MESSAGE:
        if (client->state != SIM_CLIENT_CONNECTING)
            deliver(clients, client);
        return;
    case SIM_WS_WRITABLE:
        if (client->stalled || !client->full || client->leaving)
            return;
        client->full = false;
        client->buffered = 0;
        client->refill_at = env->now;
        schedule_pongs(clients, client);
        if (client->state == SIM_CLIENT_OPEN) {
            SIM_TRACE(env, "client %" PRIu64 ": writable", client->number);
            env->fed = true;
            hg_on_ws_writable(env->core, env->now, client->session);
        }
        return;
    case SIM_WS_PONG:
        SIM_TRACE(env, "client %" PRIu64 ": pong", client->number);
        env->fed = true;
        hg_on_ws_pong(env->core, env->now, client->session);
        return;
    case SIM_WS_CLOSED:
        SIM_TRACE(env, "client %" PRIu64 ": closed", client->number);
        env->fed = true;
        if (client->state != SIM_CLIENT_CLOSING)
            sim_oracle_client_closing(env->oracle, client->number);
        client->state = SIM_CLIENT_FREE;
        hg_on_ws_closed(env->core, env->now, client->session);
        return;
    default:
        HG_UNREACHABLE();
    }
}

/* ---- what it does ------------------------------------------------------------------------------------------------ */

struct sim_client *sim_client_connect(struct sim_clients *clients)
{
    struct sim_env *env = clients->env;

    for (uint32_t i = 0; i < SIM_CLIENTS; i++) {
        struct sim_client *client = &clients->items[i];
        if (client->state != SIM_CLIENT_FREE)
            continue;
        *client = (struct sim_client){.state = SIM_CLIENT_CONNECTING,
                                      .number = clients->next_number++,
                                      .generation = client->generation + 1,
                                      .messages_end = &client->messages,
                                      .way_there = sim_soon(env, env->options.net_us),
                                      .room = env->options.socket_bytes};
        sim_agenda_put(&env->agenda, client->way_there, SIM_WS_OPEN, i, client->generation);
        return client;
    }
    return NULL;
}

void sim_client_leave(struct sim_client *client, struct sim_env *env)
{
    if (client->state == SIM_CLIENT_FREE || client->leaving)
        return;
    SIM_TRACE(env, "client %" PRIu64 " leaves", client->number);
    client->leaving = true;
    if (client->state == SIM_CLIENT_OPEN)
        sim_agenda_put(&env->agenda, sim_soon(env, env->options.net_us), SIM_WS_CLOSED, index_of(env->clients, client),
                       client->generation);
}

void sim_client_stall(struct sim_client *client, struct sim_env *env, bool stalled)
{
    if (client->state == SIM_CLIENT_FREE || client->stalled == stalled)
        return;
    SIM_TRACE(env, "client %" PRIu64 " %s", client->number, stalled ? "stalls" : "reads again");
    client->stalled = stalled;
    if (!stalled && client->full)
        schedule_writable(env->clients, client);
    if (!stalled)
        schedule_pongs(env->clients, client);
}

void sim_client_mute(struct sim_client *client, struct sim_env *env, bool muted)
{
    if (client->state == SIM_CLIENT_FREE || client->muted == muted)
        return;
    client->muted = muted;
    if (!muted)
        schedule_pongs(env->clients, client);
}

static struct sim_message *send_message(struct sim_clients *clients, struct sim_client *client, struct hg_slice bytes,
                                        struct sim_order *orders)
{
    struct sim_env *env = clients->env;
    struct sim_message *message = sim_arena_get(&env->arena, sizeof *message);
    hg_time at = sim_soon(env, env->options.net_us);

    if (at.us <= client->way_there.us)
        at.us = client->way_there.us + sim_below(env, 2);
    client->way_there = at;
    message->text = true;
    message->bytes = bytes;
    message->orders = orders;
    *client->messages_end = message;
    client->messages_end = &message->next;
    sim_agenda_put(&env->agenda, at, SIM_WS_MESSAGE, index_of(clients, client), client->generation);
    return message;
}

static struct sim_order *new_order(struct sim_clients *clients, enum sim_order_kind kind)
{
    struct sim_order *order = sim_arena_get(&clients->env->arena, sizeof *order);

    order->kind = kind;
    order->number = clients->order_count;
    order->has_ref = true;
    order->ref_is_string = sim_chance(clients->env, 30);
    *SIM_PUSH(clients->orders, clients->order_count, clients->order_capacity) = order;
    return order;
}

void sim_order_from(struct sim_order *order, uint32_t from)
{
    order->from = from % 4 < 2 ? HG_FROM_LIVE : from % 4 == 2 ? HG_FROM_START : HG_FROM_LAST;
    order->last = 1 + from / 4 % 7;
}

struct sim_order *sim_order_subscribe(struct sim_clients *clients, const char *pattern, uint32_t from)
{
    struct sim_order *order = new_order(clients, SIM_ORDER_SUBSCRIBE);

    order->pattern = pattern;
    sim_order_from(order, from);
    return order;
}

void sim_order_since(struct sim_order *order, uint64_t since_ms)
{
    order->from = HG_FROM_SINCE;
    order->since_ms = since_ms;
}

void sim_order_resume(struct sim_clients *clients, struct sim_order *order, const struct sim_cursor *cursors,
                      uint64_t since_ms, uint32_t chance)
{
    bool forged = chance % 16 == 0, bare = chance % 8 == 1;

    order->from = HG_FROM_CURSORS;
    order->otherwise = chance / 16 % 3 == 0 ? HG_FROM_LIVE : chance / 16 % 3 == 1 ? HG_FROM_START : HG_FROM_SINCE;
    order->since_ms = since_ms;
    order->cursors = sim_arena_get(&clients->env->arena, sim_topic_count * sizeof *order->cursors);
    for (size_t t = 0; t < sim_topic_count; t++) {
        struct sim_cursor *cursor = &order->cursors[t];

        *cursor = cursors[t];
        cursor->proven = cursor->proven && !bare;
        if (cursor->given && cursor->proven && forged) {
            cursor->forged = true;
            cursor->fingerprint ^= 0x100;
        }
    }
}

static struct hg_slice write_speed(struct sim_arena *arena, const struct sim_order *order)
{
    return order->speed ? sim_arena_printf(arena, ",\"speed\":%" PRIu64, order->speed) : HG_LIT("");
}

static struct hg_slice write_from(struct sim_clients *clients, const struct sim_order *order)
{
    struct sim_arena *arena = &clients->env->arena;
    struct hg_slice since = sim_arena_printf(arena, "{\"since\":%" PRIu64 "}", order->since_ms);
    char text[1000];
    size_t len = 0;

    switch (order->from) {
    case HG_FROM_LIVE:
        return order->number % 2 == 0 || order->kind == SIM_ORDER_SEEK ? HG_LIT(",\"from\":\"live\"") : HG_LIT("");
    case HG_FROM_START:
        return HG_LIT(",\"from\":\"start\"");
    case HG_FROM_LAST:
        return sim_arena_printf(arena, ",\"from\":{\"last\":%" PRIu64 "}", order->last);
    case HG_FROM_SINCE:
        return sim_arena_printf(arena, ",\"from\":{\"since\":%" PRIu64 "%.*s}", order->since_ms,
                                HG_SLICE_ARG(write_speed(arena, order)));
    case HG_FROM_CURSORS:
        break;
    }
    for (size_t t = 0; t < sim_topic_count; t++) {
        const struct sim_cursor *cursor = &order->cursors[t];
        if (!cursor->given)
            continue;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s\"%s\":\"%" PRIu64 "-%" PRIu64, len > 0 ? "," : "",
                                sim_topics[t].name, cursor->id.ms, cursor->id.seq);
        if (cursor->proven)
            len += (size_t)snprintf(text + len, sizeof text - len, "~%08" PRIx32, cursor->fingerprint);
        len += (size_t)snprintf(text + len, sizeof text - len, "\"");
    }
    HG_ASSERT(len < sizeof text);
    return sim_arena_printf(arena, ",\"from\":{\"cursors\":{%.*s},\"otherwise\":%.*s%.*s}", (int)len, text,
                            HG_SLICE_ARG(order->otherwise == HG_FROM_LIVE    ? HG_LIT("\"live\"")
                                         : order->otherwise == HG_FROM_START ? HG_LIT("\"start\"")
                                                                             : since),
                            HG_SLICE_ARG(write_speed(arena, order)));
}

void sim_order_filter(struct sim_order *order, uint32_t chance)
{
    order->filter = NULL;
    order->filter_is_bad = chance % 32 == 0;
    chance /= 32;
    if (order->filter_is_bad) {
        order->filter_text = sim_bad_filters[chance % sim_bad_filter_count];
        return;
    }
    /* Few filters get most subscriptions: what is shared is where it gets interesting. */
    order->filter = &sim_filters[chance % 2 ? chance / 2 % 4 : chance / 2 % sim_filter_count];
    order->filter_text = sim_filter_spelling(order->filter, chance / 64);
}

struct sim_order *sim_order_update(struct sim_clients *clients, uint64_t sub, uint32_t chance)
{
    struct sim_order *order = new_order(clients, SIM_ORDER_UPDATE);

    order->sub = sub;
    order->filter_text = "null";
    if (chance % 6 != 0)
        sim_order_filter(order, chance / 6);
    return order;
}

struct sim_order *sim_order_unsubscribe(struct sim_clients *clients, uint64_t sub)
{
    struct sim_order *order = new_order(clients, SIM_ORDER_UNSUBSCRIBE);

    order->sub = sub;
    return order;
}

struct sim_order *sim_order_play(struct sim_clients *clients, enum sim_order_kind kind, uint64_t sub)
{
    struct sim_order *order = new_order(clients, kind);

    order->sub = sub;
    return order;
}

struct sim_order *sim_order_ping(struct sim_clients *clients)
{
    return new_order(clients, SIM_ORDER_PING);
}

struct sim_order *sim_order_emit(struct sim_clients *clients, int topic, uint32_t a, uint32_t b)
{
    static const char *const forms[] = {"{\"e\":\"#%s#%" PRIu64 "#\",%s\"pad\":\"%s\"}", "[%s%" PRIu64 ",\"%s%s\"]",
                                        "\"%s %" PRIu64 "%s%s\""};
    struct sim_env *env = clients->env;
    struct sim_order *order = new_order(clients, SIM_ORDER_EMIT);
    char attributes[100], pad[2048], text[2400];

    order->topic = topic;
    if (a % 4 == 0 && clients->used_count > 0) {
        order->id = clients->used_ids[a / 4 % clients->used_count];
    } else {
        order->id = sim_arena_printf(&env->arena, b % 8 == 0 ? "\xc3\xa9 %" PRIu64 : "id-%" PRIu64, clients->next_id++);
        *SIM_PUSH(clients->used_ids, clients->used_count, clients->used_capacity) = order->id;
    }
    size_t pad_len = env->options.pad_max ? b % (env->options.pad_max + 1) : 0;
    memset(pad, 'y', pad_len);
    pad[pad_len] = '\0';
    const char *form = forms[b % 16 == 1 ? 1 : b % 16 == 2 ? 2 : 0];
    bool digits = form == forms[1];
    /* The same id usually comes with the same event: the event follows from the id. */
    uint64_t number = a % 16 == 0 ? order->number : hg_hash_bytes((struct hg_hash_key){3, 4}, order->id) % 1000;
    struct sim_facts facts =
        form == forms[0] ? sim_facts_make((size_t)(number * 7919)) : (struct sim_facts){.has_n = false};
    sim_facts_put(&facts, attributes, sizeof attributes);
    int len = snprintf(text, sizeof text, form, digits ? "1" : sim_topics[topic].name, number, attributes, pad);
    HG_ASSERT(len > 0 && (size_t)len < sizeof text);
    order->event = sim_arena_copy(&env->arena, hg_slice(text, (size_t)len));
    return order;
}

static struct hg_slice write_order(struct sim_clients *clients, const struct sim_order *order)
{
    struct sim_arena *arena = &clients->env->arena;
    char ref[40];
    const char *quote = order->ref_is_string ? "\"" : "";

    const char *filter = order->filter_text ? order->filter_text : "", *member = filter[0] ? ",\"filter\":" : "";

    snprintf(ref, sizeof ref, "\"ref\":%s%" PRIu64 "%s", quote, order->number, quote);
    switch (order->kind) {
    case SIM_ORDER_UPDATE:
        return sim_arena_printf(arena, "{\"op\":\"update\"%s%s,%s,\"sub\":%" PRIu64 "}", member, filter, ref,
                                order->sub);
    case SIM_ORDER_SUBSCRIBE:
        return sim_arena_printf(arena, "{\"op\":\"subscribe\",%s,\"topic\":\"%s\"%s%s%s%.*s}", ref, order->pattern,
                                member, filter, order->pace ? order->pace->spellings[order->number % 2] : "",
                                HG_SLICE_ARG(write_from(clients, order)));
    case SIM_ORDER_PAUSE:
        return sim_arena_printf(arena, "{\"op\":\"pause\",%s,\"sub\":%" PRIu64 "}", ref, order->sub);
    case SIM_ORDER_RESUME:
        return sim_arena_printf(arena, "{\"op\":\"resume\",\"sub\":%" PRIu64 ",%s%.*s}", order->sub, ref,
                                HG_SLICE_ARG(write_speed(arena, order)));
    case SIM_ORDER_SEEK:
        return sim_arena_printf(arena, "{\"op\":\"seek\",%s,\"sub\":%" PRIu64 "%.*s}", ref, order->sub,
                                HG_SLICE_ARG(write_from(clients, order)));
    case SIM_ORDER_UNSUBSCRIBE:
        return sim_arena_printf(arena, "{\"op\":\"unsubscribe\",\"sub\":%" PRIu64 ",%s}", order->sub, ref);
    case SIM_ORDER_PING:
        return sim_arena_printf(arena, "{ %s, \"op\" : \"ping\", \"extra\":[1,{}] }", ref);
    case SIM_ORDER_EMIT: {
        struct hg_slice head =
            sim_arena_printf(arena, "{\"op\":\"emit\",%s,\"topic\":\"%s\",\"id\":\"%.*s\",\"event\":", ref,
                             sim_topics[order->topic].name, HG_SLICE_ARG(order->id));
        char *text = sim_arena_get(arena, head.len + order->event.len + 2);
        memcpy(text, head.ptr, head.len);
        memcpy(text + head.len, order->event.ptr, order->event.len);
        text[head.len + order->event.len] = '}';
        return hg_slice(text, head.len + order->event.len + 1);
    }
    case SIM_ORDER_GARBAGE:
        break;
    }
    HG_UNREACHABLE();
}

void sim_client_say(struct sim_clients *clients, struct sim_client *client, struct sim_order *orders)
{
    struct sim_arena *arena = &clients->env->arena;
    struct hg_slice all = HG_SLICE_NULL;

    if (client->state == SIM_CLIENT_FREE || client->leaving)
        return;
    for (struct sim_order *order = orders; order; order = order->next) {
        struct hg_slice line = write_order(clients, order);
        char *text = sim_arena_get(arena, all.len + line.len + 2);

        order->client = client->number;
        if (all.len > 0) {
            memcpy(text, all.ptr, all.len);
            text[all.len] = '\n';
            memcpy(text + all.len + 1, line.ptr, line.len);
            all = hg_slice(text, all.len + 1 + line.len);
        } else {
            all = line;
        }
    }
    if (all.len > clients->env->options.config.message_bytes_max) {
        client->rude = true;
        send_message(clients, client, all, NULL)->too_big = true;
        return;
    }
    send_message(clients, client, all, orders);
}

/* With a ref (%s) an error is due that carries it; without, one that has none. */
static const char *const nonsense[] = {
    "{\"op\":\"nope\",%s}",
    "{\"op\":\"subscribe\",%s}",
    "{\"op\":\"subscribe\",%s,\"topic\":7}",
    "{\"op\":\"subscribe\",%s,\"topic\":\"st.a\",\"from\":7}",
    "{\"op\":\"update\",%s,\"filter\":\"a = 1\"}",
    "{\"op\":\"update\",%s,\"sub\":999999,\"filter\":\"a = 1\"}",
    "{\"op\":\"update\",%s,\"sub\":1}",
    "{\"op\":\"subscribe\",%s,\"topic\":\"st.a\",\"from\":\"yesterday\"}",
    "{\"op\":\"subscribe\",%s,\"topic\":\"st.a\",\"from\":{\"last\":0}}",
    "{\"op\":\"unsubscribe\",%s}",
    "{\"op\":\"unsubscribe\",%s,\"sub\":999999}",
    "{\"op\":\"emit\",%s,\"topic\":\"st.a\",\"id\":\"x\"}",
    "{\"op\":\"emit\",%s,\"topic\":\"st.a\",\"event\":1}",
    "{\"op\":\"emit\",%s,\"topic\":\"\",\"id\":\"x\",\"event\":1}",
    "{%s}",
};
static const char *const noise[] = {"{", "[1,2,3]", "\"op\"", "{\"op\":", "nul", "{\"op\":\"ping\"}}", "\xc2\xa0"};

void sim_client_garbage(struct sim_clients *clients, struct sim_client *client, uint32_t kind)
{
    struct sim_env *env = clients->env;
    size_t with_ref = sizeof nonsense / sizeof *nonsense, without = sizeof noise / sizeof *noise;

    if (client->state == SIM_CLIENT_FREE || client->leaving)
        return;
    switch (kind % 24) {
    case 0:
        client->rude = true;
        send_message(clients, client, HG_LIT("{\"op\":\"ping\"}"), NULL)->text = false;
        return;
    case 1:
        client->rude = true;
        send_message(clients, client, HG_LIT("{\"op\":\"ping\",\"ref\":\"\xff\"}"), NULL);
        return;
    case 2:
        client->rude = true;
        send_message(clients, client, HG_SLICE_NULL, NULL)->too_big = true;
        return;
    case 3:
        send_message(clients, client, HG_SLICE_NULL, NULL);
        return;
    case 4:
        send_message(clients, client, HG_LIT("\n\n"), NULL);
        return;
    default:
        break;
    }
    struct sim_order *order = new_order(clients, SIM_ORDER_GARBAGE);
    order->client = client->number;
    if (kind / 24 % (with_ref + without) < with_ref) {
        char ref[60], text[300];
        const char *quote = order->ref_is_string ? "\"" : "";
        snprintf(ref, sizeof ref, "\"ref\":%s%" PRIu64 "%s", quote, order->number, quote);
        snprintf(text, sizeof text, nonsense[kind / 24 % (with_ref + without)], ref);
        send_message(clients, client, sim_arena_copy(&env->arena, hg_slice_str(text)), order);
    } else {
        order->has_ref = false;
        send_message(clients, client, hg_slice_str(noise[kind / 24 % (with_ref + without) - with_ref]), order);
    }
}
