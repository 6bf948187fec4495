#include "sim/payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#define PAYLOAD_MAX 4096

struct sim_payload sim_payload_make(struct sim_env *env, const char *topic, uint64_t number, bool fields)
{
    static const char *const json_forms[] = {"{\"id\":\"#%s#%" PRIu64 "#\",%s\"pad\":\"%s\"}",
                                             " [ \"#%s#%" PRIu64 "#\" ,\n 1.50e0, \"\\u00e9%s%s\" ] ",
                                             "\"#%s#%" PRIu64 "#%s%s\""};
    struct sim_payload payload = {.kind = SIM_PAYLOAD_JSON, .facts = sim_facts_make((size_t)sim_below(env, 1u << 20))};
    char attributes[100], pad[PAYLOAD_MAX / 2], text[PAYLOAD_MAX];
    size_t pad_len = env->options.pad_max ? sim_below(env, env->options.pad_max + 1) : 0;
    const char *form = json_forms[0];

    HG_ASSERT(pad_len < sizeof pad);
    memset(pad, 'x', pad_len);
    pad[pad_len] = '\0';
    if (sim_chance(env, env->options.odd_payload_chance)) {
        payload.kind = (enum sim_payload_kind)sim_below(env, fields ? 4 : 3);
        switch (payload.kind) {
        case SIM_PAYLOAD_JSON:
            form = json_forms[1 + sim_below(env, 2)];
            payload.facts = (struct sim_facts){0};
            break;
        case SIM_PAYLOAD_TEXT:
            form = "{\"not\" JSON \\ \x01 \xc3\xa9 #%s#%" PRIu64 "#%s%s";
            payload.facts = (struct sim_facts){0};
            break;
        case SIM_PAYLOAD_BYTES:
            form = "\xff\xfe#%s#%" PRIu64 "#%s%s";
            payload.facts = (struct sim_facts){0};
            break;
        case SIM_PAYLOAD_FIELDS:
            form = "{\"name\":\"#%s#%" PRIu64 "#\",%s\"pad\":\"%s\"}";
            payload.facts.has_n = false; /* a field is text, unless it is data */
            break;
        }
    }
    sim_facts_put(&payload.facts, attributes, sizeof attributes);
    int len = snprintf(text, sizeof text, form, topic, number, attributes, pad);
    HG_ASSERT(len > 0 && (size_t)len < sizeof text);
    payload.bytes = sim_arena_copy(&env->arena, hg_slice(text, (size_t)len));
    return payload;
}

size_t sim_payload_fields(struct sim_env *env, const struct sim_payload *payload, const char *payload_field,
                          struct hg_slice *ret_fields)
{
    if (payload->kind != SIM_PAYLOAD_FIELDS) {
        ret_fields[0] = hg_slice_str(payload_field);
        ret_fields[1] = payload->bytes;
        return 2;
    }
    static const char *const names[] = {"name", "kind", "data", "pad"};
    json_t *object = json_loadb(payload->bytes.ptr, payload->bytes.len, 0, NULL);
    size_t count = 0;

    HG_ASSERT(object);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *value = json_object_get(object, names[i]);
        if (!value)
            continue;
        ret_fields[count++] = hg_slice_str(names[i]);
        ret_fields[count++] = json_is_string(value)
                                  ? sim_arena_copy(&env->arena, hg_slice_str(json_string_value(value)))
                                  : sim_arena_printf(&env->arena, "{\"k\":%d}", payload->facts.k);
    }
    json_decref(object);
    return count;
}

static void base64_encode(struct hg_slice bytes, char *into)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;

        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? (unsigned char)bytes.ptr[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            *into++ = k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    *into = '\0';
}

bool sim_payload_is_shown(const struct sim_payload *payload, struct hg_slice text, const json_t *message)
{
    char encoded[2 * PAYLOAD_MAX];

    switch (payload->kind) {
    case SIM_PAYLOAD_JSON: {
        /* Byte for byte: the member stands last. Whether white space around the value is kept is left open. */
        struct hg_slice bytes = payload->bytes, rest = text;

        while (bytes.len && strchr(" \n", bytes.ptr[0]))
            bytes = hg_slice_from(bytes, 1);
        while (bytes.len && strchr(" \n", bytes.ptr[bytes.len - 1]))
            bytes.len--;
        if (rest.len == 0 || rest.ptr[--rest.len] != '}')
            return false;
        while (rest.len && strchr(" \n", rest.ptr[rest.len - 1]))
            rest.len--;
        if (rest.len < bytes.len || memcmp(rest.ptr + rest.len - bytes.len, bytes.ptr, bytes.len) != 0)
            return false;
        rest.len -= bytes.len;
        while (rest.len && strchr(" \n", rest.ptr[rest.len - 1]))
            rest.len--;
        return rest.len > 9 && memcmp(rest.ptr + rest.len - 9, ",\"event\":", 9) == 0;
    }
    case SIM_PAYLOAD_TEXT: {
        const json_t *value = json_object_get(message, "text");
        return json_is_string(value) &&
               hg_slice_eq(payload->bytes, hg_slice(json_string_value(value), json_string_length(value)));
    }
    case SIM_PAYLOAD_BYTES: {
        const char *value = json_string_value(json_object_get(message, "base64"));
        base64_encode(payload->bytes, encoded);
        return value && strcmp(value, encoded) == 0;
    }
    case SIM_PAYLOAD_FIELDS: {
        json_t *expected = json_loadb(payload->bytes.ptr, payload->bytes.len, 0, NULL);
        bool same = json_equal(expected, json_object_get(message, "event"));
        json_decref(expected);
        return same;
    }
    }
    return false;
}

static size_t base64_decode(const char *text, char *into, size_t room)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t len = 0;

    for (; *text && *text != '='; text++) {
        char c = *text;
        uint32_t digit = c >= 'A' && c <= 'Z'   ? (uint32_t)(c - 'A')
                         : c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a') + 26
                         : c >= '0' && c <= '9' ? (uint32_t)(c - '0') + 52
                         : c == '+'             ? 62
                                                : 63;
        bits = bits << 6 | digit;
        have += 6;
        if (have >= 8 && len < room) {
            have -= 8;
            into[len++] = (char)(bits >> have & 255);
        }
    }
    return len;
}

bool sim_payload_number(const json_t *message, struct hg_slice text, const char *topic, uint64_t *ret_number)
{
    char mark[300], decoded[PAYLOAD_MAX];
    const char *base64 = json_string_value(json_object_get(message, "base64"));
    struct hg_slice in = text;

    if (base64)
        in = hg_slice(decoded, base64_decode(base64, decoded, sizeof decoded));
    int len = snprintf(mark, sizeof mark, "#%s#", topic);
    const char *found = memmem(in.ptr, in.len, mark, (size_t)len);
    if (!found)
        return false;
    *ret_number = 0;
    for (found += len; found < in.ptr + in.len && *found >= '0' && *found <= '9'; found++)
        *ret_number = *ret_number * 10 + (uint64_t)(*found - '0');
    return true;
}
