#include "support/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/frame_reader.h"
#include "support/inflate.h"

static struct hgt_client *client_of(struct hgt_gate *gate, hg_session_ref ref)
{
    for (unsigned i = 0; i < gate->client_count; i++)
        if (gate->clients[i].ref.index == ref.index && gate->clients[i].ref.generation == ref.generation)
            return &gate->clients[i];
    fail_msg("the core named a session that does not exist");
    return NULL;
}

/* Tests look into what was said with strstr(). */
static void terminate(struct hg_buf *buf)
{
    char *end = hg_buf_reserve(buf, 1);
    assert_non_null(end);
    *end = '\0';
}

static void put_inflated(struct hgt_client *client, struct hg_slice payload)
{
    size_t len = 0;
    char *text = hgt_inflate(payload, 15, 1 << 24, &len);
    assert_true(client->deflates);
    assert_non_null(text);
    hg_buf_put(&client->said, hg_slice(text, len));
    client->deflated++;
    free(text);
}

static enum hg_send ws_send(void *context, hg_session_ref ref, struct hg_slice frames)
{
    struct hgt_client *client = client_of(context, ref);
    assert_int_equal(client->close_code, 0);
    client->writes++;
    hg_buf_clear(&client->bytes);
    hg_buf_put(&client->bytes, frames);
    struct hgt_frame frame = {0};
    while (frames.len > 0) {
        assert_true(hgt_frame_take_any(&frames, &frame));
        if (frame.deflated)
            put_inflated(client, frame.payload);
        else
            hg_buf_put(&client->said, frame.opcode == 9 ? HG_LIT("ping") : frame.payload);
        hg_buf_put_char(&client->said, '\n');
    }
    terminate(&client->said);
    return client->buffering ? HG_SEND_BUFFERED : HG_SEND_DONE;
}

static void ws_close(void *context, hg_session_ref ref, uint16_t code, struct hg_slice reason)
{
    (void)reason;
    client_of(context, ref)->close_code = code;
}

static void ws_pause(void *context, hg_session_ref ref, bool paused)
{
    client_of(context, ref)->paused = paused;
}

static size_t ws_peer(void *context, hg_session_ref ref, char *to, size_t size)
{
    int len = snprintf(to, size, "192.0.2.%u", ref.index + 1);
    (void)context;
    return (size_t)len;
}

static void redis_open(void *context, uint32_t link)
{
    struct hgt_gate *gate = context;
    gate->opening[link] = true;
    hg_buf_printf(&gate->asked, "%u: open\n", link);
}

/* Without its request, NULL when there is none. */
static struct hgt_request *pop(struct hgt_gate *gate, uint32_t link)
{
    struct hgt_request *request = gate->requests[link];
    if (request)
        gate->requests[link] = request->next;
    return request;
}

static void forget_requests(struct hgt_gate *gate, uint32_t link)
{
    while (gate->requests[link])
        free(pop(gate, link));
}

static void redis_close(void *context, uint32_t link)
{
    struct hgt_gate *gate = context;
    gate->opening[link] = false;
    forget_requests(gate, link);
    hg_buf_printf(&gate->asked, "%u: close\n", link);
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool is_canary(const char *text)
{
    return strcmp(text, "PING") == 0 || starts(text, "SUBSCRIBE __headgate__:") ||
           starts(text, "PUBLISH __headgate__:");
}

/* Redis 7 takes the Function at once. */
static bool is_greeting(const char *text)
{
    return strcmp(text, "INFO server") == 0 || strncmp(text, "FUNCTION LOAD ", 14) == 0;
}

static bool is_answered_by_itself(const struct hgt_gate *gate, const char *text)
{
    return (!gate->canary_by_hand && is_canary(text)) || (!gate->greetings_by_hand && is_greeting(text));
}

static void redis_command(void *context, uint32_t link, uint64_t token, const struct hg_slice *argv, size_t argc)
{
    struct hgt_gate *gate = context;
    struct hgt_request **at = &gate->requests[link];
    size_t len = argc;
    for (size_t i = 0; i < argc; i++)
        len += argv[i].len;
    struct hgt_request *request = malloc(sizeof(*request) + len + 1);
    assert_non_null(request);
    request->next = NULL;
    request->token = token;
    char *to = request->text;
    for (size_t i = 0; i < argc; i++) {
        memcpy(to, argv[i].ptr, argv[i].len);
        to += argv[i].len;
        *to++ = i + 1 < argc ? ' ' : '\0';
    }
    while (*at)
        at = &(*at)->next;
    *at = request;
    if (!is_answered_by_itself(gate, request->text))
        hg_buf_printf(&gate->asked, "%u: %s\n", link, request->text);
}

static void put_log(void *context, enum hg_log_level level, struct hg_slice line)
{
    struct hgt_gate *gate = context;
    (void)level;
    hg_buf_put(&gate->log, line);
    hg_buf_put_char(&gate->log, '\n');
}

static bool contains(const struct hg_buf *buf, const char *text)
{
    return memmem(buf->ptr ? buf->ptr : "", buf->len, text, strlen(text)) != NULL;
}

static unsigned count_of(const struct hg_buf *buf, const char *text)
{
    unsigned count = 0;
    struct hg_slice rest = hg_buf_slice(buf);
    const char *at;
    while (rest.len > 0 && (at = memmem(rest.ptr, rest.len, text, strlen(text)))) {
        count++;
        rest = hg_slice_from(rest, (size_t)(at - rest.ptr) + strlen(text));
    }
    return count;
}

static void put_reply(struct hgt_gate *gate, uint32_t link, uint64_t token, const char *resp);

static void answer_canary(struct hgt_gate *gate, uint32_t link, const struct hgt_request *request)
{
    char channel[64], nonce[64], resp[256];
    if (sscanf(request->text, "SUBSCRIBE %63s", channel) == 1) {
        snprintf(resp, sizeof(resp), "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:1\r\n", strlen(channel), channel);
        put_reply(gate, link, request->token, resp);
    } else if (sscanf(request->text, "PUBLISH %63s %63s", channel, nonce) == 2) {
        put_reply(gate, link, request->token, ":1\r\n");
        snprintf(resp, sizeof(resp), "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(channel), channel,
                 strlen(nonce), nonce);
        put_reply(gate, HG_LINK_LISTENER, 0, resp);
    } else {
        put_reply(gate, link, request->token, "+PONG\r\n");
    }
}

/* What stands first of all that is not answered. */
static void answer_canaries(struct hgt_gate *gate)
{
    for (uint32_t link = 0; link < HG_LINK_READER; link++)
        while (gate->requests[link] && is_answered_by_itself(gate, gate->requests[link]->text)) {
            struct hgt_request *request = pop(gate, link);
            if (strncmp(request->text, "FUNCTION", 8) == 0)
                put_reply(gate, link, request->token, "$8\r\nheadgate\r\n");
            else if (strncmp(request->text, "INFO", 4) == 0)
                put_reply(gate, link, request->token, "$22\r\nredis_version:7.0.15\r\n\r\n");
            else
                answer_canary(gate, link, request);
            free(request);
        }
}

void hgt_up(struct hgt_gate *gate, uint32_t link)
{
    gate->opening[link] = false;
    hg_on_redis_up(gate->core, gate->now, link, 100 + link);
    answer_canaries(gate);
}

void hgt_down(struct hgt_gate *gate, uint32_t link)
{
    gate->opening[link] = false;
    forget_requests(gate, link);
    hg_on_redis_down(gate->core, gate->now, link, HG_LIT("pulled by the test"));
}

void hgt_gate_open(struct hgt_gate *gate, const char *config)
{
    const struct hg_ports ports = {.context = gate,
                                   .ws_send = ws_send,
                                   .ws_close = ws_close,
                                   .ws_pause = ws_pause,
                                   .ws_peer = ws_peer,
                                   .redis_open = redis_open,
                                   .redis_close = redis_close,
                                   .redis_command = redis_command,
                                   .log = put_log};
    memset(gate, 0, sizeof(*gate));
    gate->now = (hg_time){1000000};
    hg_buf_init(&gate->asked, 1 << 24);
    hg_buf_init(&gate->log, 1 << 20);
    struct hg_buf why;
    hg_buf_init(&why, 4096);
    if (!hg_ok(hg_config_parse(HG_LIT("test"), hg_slice_str(config), &gate->config, &why)))
        fail_msg("%.*s", HG_SLICE_ARG(hg_buf_slice(&why)));
    hg_buf_done(&why);
    assert_true(hg_ok(hg_core_new(gate->config, &ports, 1, &gate->core)));
    hg_core_start(gate->core, gate->now);
    for (uint32_t link = 0; link < HG_LINK_READER; link++)
        if (gate->opening[link])
            hgt_up(gate, link);
    hgt_turn(gate, 0);
    hgt_forget(gate);
}

void hgt_gate_close(struct hgt_gate *gate)
{
    hg_core_validate(gate->core);
    hg_core_free(gate->core);
    hg_config_free(gate->config);
    for (uint32_t link = 0; link < HG_LINK_COUNT_MAX; link++)
        forget_requests(gate, link);
    for (unsigned i = 0; i < gate->client_count; i++) {
        hg_buf_done(&gate->clients[i].said);
        hg_buf_done(&gate->clients[i].bytes);
    }
    hg_buf_done(&gate->asked);
    hg_buf_done(&gate->log);
}

struct hgt_client *hgt_gate_connect(struct hgt_gate *gate)
{
    assert_true(gate->client_count < HGT_CLIENTS_MAX);
    struct hgt_client *client = &gate->clients[gate->client_count++];
    int refusal;
    memset(client, 0, sizeof(*client));
    hg_buf_init(&client->said, 1 << 24);
    hg_buf_init(&client->bytes, 1 << 24);
    assert_true(hg_on_ws_open(gate->core, gate->now, &client->ref, &refusal));
    return client;
}

struct hgt_client *hgt_gate_connect_deflating(struct hgt_gate *gate)
{
    struct hgt_client *client = hgt_gate_connect(gate);
    client->deflates = true;
    hg_on_ws_deflates(gate->core, gate->now, client->ref);
    return client;
}

void hgt_say(struct hgt_gate *gate, const struct hgt_client *client, const char *message)
{
    hg_on_ws_message(gate->core, gate->now, client->ref, true, hg_slice_str(message));
}

void hgt_turn(struct hgt_gate *gate, uint64_t ms)
{
    gate->now = hg_time_add(gate->now, hg_ms(ms));
    hg_core_turn_end(gate->core, gate->now);
    answer_canaries(gate);
    hg_core_validate(gate->core);
    terminate(&gate->asked);
}

bool hgt_said(const struct hgt_client *client, const char *text)
{
    return contains(&client->said, text);
}

bool hgt_asked(const struct hgt_gate *gate, const char *text)
{
    return contains(&gate->asked, text);
}

unsigned hgt_said_times(const struct hgt_client *client, const char *text)
{
    return count_of(&client->said, text);
}

unsigned hgt_asked_times(const struct hgt_gate *gate, const char *text)
{
    return count_of(&gate->asked, text);
}

unsigned hgt_logged_times(const struct hgt_gate *gate, const char *text)
{
    return count_of(&gate->log, text);
}

void hgt_forget(struct hgt_gate *gate)
{
    hg_buf_clear(&gate->asked);
    terminate(&gate->asked);
    hg_buf_clear(&gate->log);
    for (unsigned i = 0; i < gate->client_count; i++) {
        hg_buf_clear(&gate->clients[i].said);
        terminate(&gate->clients[i].said);
        gate->clients[i].writes = 0;
        gate->clients[i].deflated = 0;
    }
}

/* Just enough of RESP2 for tests that are right: types, and lengths in lines. */
static const char *read_reply(const char *at, struct hg_reply *reply)
{
    char type = *at++;
    const char *end = strstr(at, "\r\n");
    assert_non_null(end);
    *reply = (struct hg_reply){.text = hg_slice(at, (size_t)(end - at))};
    long number = strtol(at, NULL, 10);
    at = end + 2;
    switch (type) {
    case '+':
        reply->type = HG_REPLY_STATUS;
        return at;
    case '-':
        reply->type = HG_REPLY_ERROR;
        return at;
    case ':':
        reply->type = HG_REPLY_INTEGER;
        reply->integer = number;
        return at;
    case '$':
        if (number < 0)
            return at;
        reply->type = HG_REPLY_STRING;
        reply->text = hg_slice(at, (size_t)number);
        return at + number + 2;
    case '*':
        if (number < 0)
            return at;
        reply->type = HG_REPLY_ARRAY;
        reply->count = (size_t)number;
        struct hg_reply *items = calloc((size_t)number + 1, sizeof(*items));
        assert_non_null(items);
        reply->items = items;
        for (long i = 0; i < number; i++)
            at = read_reply(at, &items[i]);
        return at;
    default:
        fail_msg("a test's RESP starts with %c", type);
        return at;
    }
}

static void free_reply(const struct hg_reply *reply)
{
    for (size_t i = 0; i < reply->count; i++)
        free_reply(&reply->items[i]);
    free((void *)(uintptr_t)reply->items);
}

static void put_reply(struct hgt_gate *gate, uint32_t link, uint64_t token, const char *resp)
{
    struct hg_reply reply;
    read_reply(resp, &reply);
    hg_on_redis_reply(gate->core, gate->now, link, token, &reply);
    free_reply(&reply);
}

static bool is_push(uint32_t link, const char *resp)
{
    return link == HG_LINK_LISTENER &&
           (starts(resp, "*3\r\n$7\r\nmessage\r\n") || starts(resp, "*4\r\n$8\r\npmessage\r\n"));
}

void hgt_answer(struct hgt_gate *gate, uint32_t link, const char *resp)
{
    answer_canaries(gate);
    if (is_push(link, resp)) {
        put_reply(gate, link, 0, resp);
        return;
    }
    struct hgt_request *request = pop(gate, link);
    if (!request)
        fail_msg("link %u was asked nothing", link);
    put_reply(gate, link, request->token, resp);
    free(request);
}

/* ---- streams ----------------------------------------------------------------------------------------------------- */

struct hgt_stream *hgt_gate_stream(struct hgt_gate *gate, const char *name)
{
    assert_true(gate->stream_count < HGT_STREAMS_MAX && strlen(name) < sizeof(gate->streams[0].name));
    struct hgt_stream *stream = &gate->streams[gate->stream_count++];
    strcpy(stream->name, name);
    return stream;
}

static const struct hgt_stream *find_stream(const struct hgt_gate *gate, const char *name)
{
    for (unsigned i = 0; i < gate->stream_count; i++)
        if (strcmp(gate->streams[i].name, name) == 0)
            return &gate->streams[i];
    return NULL;
}

static hg_stream_id read_id(const char *text)
{
    hg_stream_id id = strcmp(text, "+") == 0 ? HG_STREAM_ID_MAX : HG_STREAM_ID_ZERO;
    if (strcmp(text, "+") != 0 && strcmp(text, "-") != 0)
        assert_true(hg_stream_id_parse(hg_slice_str(text), &id));
    return id;
}

/* False: nothing to bring. */
static bool answer_read(const struct hgt_gate *gate, const char *text, uint64_t count, struct hg_buf *resp)
{
    char words[2 * HGT_STREAMS_MAX][48];
    unsigned n = 0, brought = 0;
    int len;
    const char *at = strstr(text, "STREAMS");
    assert_non_null(at);
    at += strlen("STREAMS");
    while (n < 2 * HGT_STREAMS_MAX && sscanf(at, " %47s%n", words[n], &len) == 1) {
        at += len;
        n++;
    }
    struct hg_buf parts;
    hg_buf_init(&parts, 1 << 24);
    for (unsigned i = 0; i < n / 2; i++) {
        const struct hgt_stream *stream = find_stream(gate, words[i]);
        if (stream)
            brought += hgt_stream_read(stream, read_id(words[n / 2 + i]), count, &parts);
    }
    if (brought > 0) {
        hg_buf_printf(resp, "*%u\r\n", brought);
        hg_buf_put(resp, hg_buf_slice(&parts));
    } else if (!strstr(text, " BLOCK ")) {
        hg_buf_put_str(resp, "*-1\r\n");
    }
    hg_buf_done(&parts);
    return resp->len > 0;
}

static bool make_answer(const struct hgt_gate *gate, const char *text, struct hg_buf *resp)
{
    char name[48], low[48], high[48];
    unsigned long long count;
    const struct hgt_stream *stream;
    if (sscanf(text, "XREAD COUNT %llu", &count) == 1)
        return answer_read(gate, text, count, resp);
    if (sscanf(text, "XINFO STREAM %47s", name) == 1 && (stream = find_stream(gate, name)))
        hgt_stream_info(stream, resp);
    else if (sscanf(text, "XRANGE %47s %47s %47s COUNT %llu", name, low, high, &count) == 4 &&
             (stream = find_stream(gate, name)))
        hgt_stream_range(stream, read_id(low), read_id(high), count, false, resp);
    else if (sscanf(text, "XREVRANGE %47s %47s %47s COUNT %llu", name, high, low, &count) == 4 &&
             (stream = find_stream(gate, name)))
        hgt_stream_range(stream, read_id(low), read_id(high), count, true, resp);
    return resp->len > 0;
}

static bool unblock(struct hgt_gate *gate, uint32_t link)
{
    unsigned id;
    if (!gate->requests[link] || sscanf(gate->requests[link]->text, "CLIENT UNBLOCK %u", &id) != 1)
        return false;
    const struct hgt_request *blocked = gate->requests[id - 100];
    bool blocks = blocked && starts(blocked->text, "XREAD");
    hgt_answer(gate, link, blocks ? ":1\r\n" : ":0\r\n");
    if (blocks)
        hgt_answer(gate, id - 100, "*-1\r\n");
    return true;
}

bool hgt_serve_link(struct hgt_gate *gate, uint32_t link)
{
    bool served = gate->opening[link] && link >= HG_LINK_READER;
    if (served)
        hgt_up(gate, link);
    struct hg_buf resp;
    hg_buf_init(&resp, 1 << 24);
    while (gate->requests[link] && make_answer(gate, gate->requests[link]->text, &resp)) {
        assert_true(hg_ok(hg_buf_result(&resp)));
        terminate(&resp);
        hgt_answer(gate, link, resp.ptr);
        hg_buf_clear(&resp);
        served = true;
    }
    hg_buf_done(&resp);
    return unblock(gate, link) || served;
}

void hgt_serve(struct hgt_gate *gate)
{
    bool served = true;
    hgt_turn(gate, 0);
    for (unsigned round = 0; served; round++) {
        assert_true(round < 1000);
        served = false;
        for (uint32_t link = HG_LINK_COMMANDER; link < HG_LINK_READER + 4; link++)
            served = hgt_serve_link(gate, link) || served;
        hgt_turn(gate, 0);
        /* A reader that was busy pauses for a moment. */
        hg_time soon = hg_time_add(gate->now, hg_ms(2));
        if (!served && hg_time_reached(hg_core_next_deadline(gate->core), soon)) {
            hgt_turn(gate, 2);
            served = true;
        }
    }
}
