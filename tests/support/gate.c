#include "support/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/frame_reader.h"

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

static enum hg_send ws_send(void *context, hg_session_ref ref, struct hg_slice frames)
{
    struct hgt_client *client = client_of(context, ref);
    assert_int_equal(client->close_code, 0);
    client->writes++;
    hg_buf_clear(&client->bytes);
    hg_buf_put(&client->bytes, frames);
    struct hgt_frame frame = {0};
    while (frames.len > 0) {
        assert_true(hgt_frame_take(&frames, &frame));
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

static void redis_open(void *context, uint32_t link)
{
    struct hgt_gate *gate = context;
    hg_buf_printf(&gate->asked, "%u: open\n", link);
}

static void redis_close(void *context, uint32_t link)
{
    struct hgt_gate *gate = context;
    gate->token_count[link] = 0;
    hg_buf_printf(&gate->asked, "%u: close\n", link);
}

static void redis_command(void *context, uint32_t link, uint64_t token, const struct hg_slice *argv, size_t argc)
{
    struct hgt_gate *gate = context;
    if (link != HG_LINK_LISTENER) { /* what the test answers there has no token */
        assert_true(gate->token_count[link] < 64);
        gate->tokens[link][gate->token_count[link]++] = token;
    }
    hg_buf_printf(&gate->asked, "%u:", link);
    for (size_t i = 0; i < argc; i++)
        hg_buf_printf(&gate->asked, " %.*s", HG_SLICE_ARG(argv[i]));
    hg_buf_put_char(&gate->asked, '\n');
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

void hgt_up(struct hgt_gate *gate, uint32_t link)
{
    hg_on_redis_up(gate->core, gate->now, link, 100 + link);
}

void hgt_down(struct hgt_gate *gate, uint32_t link)
{
    gate->token_count[link] = 0;
    hg_on_redis_down(gate->core, gate->now, link, HG_LIT("pulled by the test"));
}

void hgt_gate_open(struct hgt_gate *gate, const char *config)
{
    const struct hg_ports ports = {gate, ws_send, ws_close, ws_pause, redis_open, redis_close, redis_command, put_log};
    memset(gate, 0, sizeof(*gate));
    gate->now = (hg_time){1000000};
    hg_buf_init(&gate->asked, 1 << 20);
    hg_buf_init(&gate->log, 1 << 20);
    struct hg_buf why;
    hg_buf_init(&why, 4096);
    if (!hg_ok(hg_config_parse(HG_LIT("test"), hg_slice_str(config), &gate->config, &why)))
        fail_msg("%.*s", HG_SLICE_ARG(hg_buf_slice(&why)));
    hg_buf_done(&why);
    assert_true(hg_ok(hg_core_new(gate->config, &ports, 1, &gate->core)));
    hg_core_start(gate->core, gate->now);
    for (uint32_t link = 0; link < HG_LINK_READER; link++)
        hgt_up(gate, link);
    hgt_turn(gate, 0);
    hgt_forget(gate);
}

void hgt_gate_close(struct hgt_gate *gate)
{
    hg_core_validate(gate->core);
    hg_core_free(gate->core);
    hg_config_free(gate->config);
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

void hgt_say(struct hgt_gate *gate, const struct hgt_client *client, const char *message)
{
    hg_on_ws_message(gate->core, gate->now, client->ref, true, hg_slice_str(message));
}

void hgt_turn(struct hgt_gate *gate, uint64_t ms)
{
    gate->now = hg_time_add(gate->now, hg_ms(ms));
    hg_core_turn_end(gate->core, gate->now);
    hg_core_validate(gate->core);
}

bool hgt_said(const struct hgt_client *client, const char *text)
{
    return contains(&client->said, text);
}

bool hgt_asked(const struct hgt_gate *gate, const char *text)
{
    return contains(&gate->asked, text);
}

void hgt_forget(struct hgt_gate *gate)
{
    hg_buf_clear(&gate->asked);
    hg_buf_clear(&gate->log);
    for (unsigned i = 0; i < gate->client_count; i++) {
        hg_buf_clear(&gate->clients[i].said);
        terminate(&gate->clients[i].said);
        gate->clients[i].writes = 0;
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

void hgt_answer(struct hgt_gate *gate, uint32_t link, const char *resp)
{
    struct hg_reply reply;
    uint64_t token = 0;
    read_reply(resp, &reply);
    if (link != HG_LINK_LISTENER) {
        assert_true(gate->token_count[link] > 0);
        token = gate->tokens[link][0];
        gate->token_count[link]--;
        memmove(gate->tokens[link], gate->tokens[link] + 1, gate->token_count[link] * sizeof(uint64_t));
    }
    hg_on_redis_reply(gate->core, gate->now, link, token, &reply);
    free_reply(&reply);
}
