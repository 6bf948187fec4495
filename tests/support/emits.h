/* emits.h – emits said to a gate, and what its books must say of them. Ownership: nothing is kept. */
#ifndef HGT_SUPPORT_EMITS_H
#define HGT_SUPPORT_EMITS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/gate.h"

/* So that nothing but emits happens in the time that a test lets pass. */
#define HGT_QUIET "\"canary_ms\":600000,\"ping_ms\":3600000,\"discover_ms\":3600000,"

/* `more`: further members, such as `"echo":false,`. */
static inline void hgt_emit_with(struct hgt_gate *gate, const struct hgt_client *client, unsigned ref,
                                 const char *topic, const char *id, const char *event, const char *more)
{
    struct hg_buf line;
    hg_buf_init(&line, 1u << 24);
    hg_buf_printf(&line, "{\"op\":\"emit\",\"ref\":%u,\"topic\":\"%s\",\"id\":\"%s\",%s\"event\":", ref, topic, id,
                  more);
    hg_buf_put_str(&line, event);
    hg_buf_put(&line, hg_slice("}", 2));
    hgt_say(gate, client, line.ptr);
    hg_buf_done(&line);
}

static inline void hgt_emit(struct hgt_gate *gate, const struct hgt_client *client, unsigned ref, const char *topic,
                            const char *id, const char *event)
{
    hgt_emit_with(gate, client, ref, topic, id, event, "");
}

/* What it was told for a ref: how often, whatever it was. */
static inline unsigned hgt_answers_to(const struct hgt_client *client, unsigned ref)
{
    char ok[48], error[48];
    snprintf(ok, sizeof(ok), "{\"op\":\"ok\",\"ref\":%u,", ref);
    snprintf(error, sizeof(error), "{\"op\":\"error\",\"ref\":%u,", ref);
    return hgt_said_times(client, ok) + hgt_said_times(client, error);
}

static inline bool hgt_told_ok(const struct hgt_client *client, unsigned ref, const char *id, bool duplicate)
{
    char start[80];
    snprintf(start, sizeof(start), "{\"op\":\"ok\",\"ref\":%u,\"cursor\":\"%s~", ref, id);
    const char *at = strstr(client->said.ptr, start);
    if (!at || hgt_answers_to(client, ref) != 1)
        return false;
    const char *says = duplicate ? "\"duplicate\":true" : "\"duplicate\":false";
    return strncmp(at + strlen(start) + 8 + 2, says, strlen(says)) == 0;
}

/* Errors that may pass bring a time to wait, the others none. */
static inline bool hgt_told_error(const struct hgt_client *client, unsigned ref, int code)
{
    char start[80];
    snprintf(start, sizeof(start), "{\"op\":\"error\",\"ref\":%u,\"code\":%d,", ref, code);
    const char *at = strstr(client->said.ptr, start);
    if (!at || hgt_answers_to(client, ref) != 1)
        return false;
    const char *end = strchr(at, '\n'), *retry = strstr(at, "\"retry_ms\":");
    bool passes = code == 108 || code == 111;
    return passes == (retry && retry < end) && (!passes || strtoul(retry + strlen("\"retry_ms\":"), NULL, 10) > 0);
}

/* The stamp that was sent behind an event, up to 17 bytes into `to`, and NUL. */
static inline void hgt_stamp_of(const struct hgt_gate *gate, const char *id, const char *event, char *to)
{
    char sent[256];
    snprintf(sent, sizeof(sent), " %s %s ~", id, event);
    const char *at = strstr(gate->asked.ptr, sent);
    if (!at)
        fail_msg("no%s in what was asked:\n%s", sent, gate->asked.ptr);
    at += strlen(sent) - 1;
    size_t len = 1 + strspn(at + 1, "0123456789abcdef");
    assert_true(len == 9 || len == 17);
    memcpy(to, at, len);
    to[len] = '\0';
}

static inline struct hg_core_stats hgt_books(const struct hgt_gate *gate)
{
    struct hg_core_stats stats;
    hg_core_stats(gate->core, &stats);
    return stats;
}

/* Each emit that was accepted was answered once, or still waits. */
static inline void hgt_books_balance(const struct hgt_gate *gate)
{
    struct hg_core_stats stats = hgt_books(gate);
    assert_int_equal(stats.emits,
                     stats.emits_appended + stats.emits_duplicate + stats.emits_failed + stats.emits_pending);
}

/* After hgt_down(): the core opens it again in its own time. */
static inline void hgt_back(struct hgt_gate *gate, uint32_t link)
{
    for (int i = 0; i < 100 && !gate->opening[link]; i++)
        hgt_turn(gate, 100);
    assert_true(gate->opening[link]);
    hgt_up(gate, link);
}

#endif
