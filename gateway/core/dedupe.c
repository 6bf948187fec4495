#include "core/dedupe.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/hash.h"

#define LOOK_MS_MAX 1000u

/* Each call into Redis costs about as much as a bare XADD, so what can be asked for all events at once is. The rest is
 * for few events, which cost most: each word of a call costs some 1,500 instructions, so that what is usual is left
 * out; a number read from text some 700, and so does a table that has to grow for its first item: {nil} has room for
 * one. */
#define BODY                                                                                                           \
    "local call, pcall, unpack = redis.call, redis.pcall, unpack\n"                                                    \
    "if redis.replicate_commands then redis.replicate_commands() end\n" /* before 7: the effects, not the script */    \
    "local stream, current, previous = KEYS[1], KEYS[2], KEYS[3]\n"                                                    \
    "local look, field, maxlen, scoped, first, step = ARGV[2], ARGV[3], '0', 0, 4, 3\n"                                \
    "if field == '' then\n"                                                                                            \
    "  field = 'event'\n"                                                                                              \
    "else\n"                                                                                                           \
    "  maxlen, first = ARGV[4], 7\n"                                                                                   \
    "  if ARGV[5] ~= '0' then scoped = 1 end\n"                                                                        \
    "  step = 3 + scoped + tonumber(ARGV[6])\n"                                                                        \
    "end\n"                                                                                                            \
    "local scopes, count = {'', nil}, 1\n"                                                                             \
    "for a = first + 3 * scoped, #ARGV, step do\n"                                                                     \
    "  count = count + 1\n"                                                                                            \
    "  scopes[count] = ARGV[a]\n"                                                                                      \
    "end\n"                                                                                                            \
    "local known = call('HMGET', current, unpack(scopes))\n"                                                           \
    "local older = call('HMGET', previous, unpack(scopes))\n"                                                          \
    "local begun, window = known[1]\n"                                                                                 \
    "local learnt, n = {nil, nil}, 0\n"                                                                                \
    "if not begun or look ~= '' then\n"                                                                                \
    "  local time = call('TIME')\n"                                                                                    \
    "  local now = math.floor(time[1] * 1000 + time[2] / 1000)\n"                                                      \
    "  window, begun = tonumber(ARGV[1]), tonumber(begun)\n"                                                           \
    "  if begun and now - begun >= window then\n"                                                                      \
    "    call('UNLINK', previous)\n"                                                                                   \
    "    call('RENAME', current, previous)\n"                                                                          \
    "    begun = nil\n"                                                                                                \
    "  end\n"                                                                                                          \
    "  local back = begun and begun - now > window\n"                                                                  \
    "  if not begun or back or look == 'write' then\n"                                                                 \
    "    learnt[1], learnt[2], n = '', begun and not back and begun or now, 2\n"                                       \
    "  end\n"                                                                                                          \
    "end\n"                                                                                                            \
    "local out, a = {nil}, first\n"                                                                                    \
    "for e = 2, count do\n"                                                                                            \
    "  local was = known[e] or older[e]\n"                                                                             \
    "  if was then\n"                                                                                                  \
    "    out[e - 1] = '=' .. was\n"                                                                                    \
    "  else\n"                                                                                                         \
    "    local id\n"                                                                                                   \
    "    if maxlen ~= '0' then\n"                                                                                      \
    "      id = pcall('XADD', stream, 'MAXLEN', '~', maxlen, '*', field, ARGV[a + 1], 'id', ARGV[a],\n"                \
    "                 unpack(ARGV, a + 3 + scoped, a + step - 1))\n"                                                   \
    "    elseif step > 3 then\n"                                                                                       \
    "      id = pcall('XADD', stream, '*', field, ARGV[a + 1], 'id', ARGV[a],\n"                                       \
    "                 unpack(ARGV, a + 3 + scoped, a + step - 1))\n"                                                   \
    "    else\n"                                                                                                       \
    "      id = pcall('XADD', stream, '*', field, ARGV[a + 1], 'id', ARGV[a])\n"                                       \
    "    end\n"                                                                                                        \
    "    if type(id) == 'table' then\n"                                                                                \
    "      out[e - 1] = '-' .. id.err\n"                                                                               \
    "      break\n"                                                                                                    \
    "    end\n"                                                                                                        \
    "    learnt[n + 1], learnt[n + 2] = scopes[e], id .. ARGV[a + 2]\n"                                                \
    "    n = n + 2\n"                                                                                                  \
    "    out[e - 1] = id\n"                                                                                            \
    "  end\n"                                                                                                          \
    "  a = a + step\n"                                                                                                 \
    "end\n"                                                                                                            \
    "if n > 0 then\n"                                                                                                  \
    "  call('HSET', current, unpack(learnt))\n"                                                                        \
    "  if window and not begun then call('PEXPIRE', current, 2 * window) end\n"                                        \
    "end\n"                                                                                                            \
    "return out\n"

struct hg_slice hg_dedupe_script(void)
{
    return HG_LIT(BODY);
}

const char *hg_dedupe_name(void)
{
    static _Thread_local char name[sizeof("headgate_") + 8];
    uint32_t hash = (uint32_t)hg_hash_bytes((struct hg_hash_key){0, 0}, hg_dedupe_script());
    snprintf(name, sizeof(name), "headgate_%08x", (unsigned)hash);
    return name;
}

void hg_dedupe_put_library(struct hg_buf *into)
{
    hg_buf_printf(into, "#!lua name=%s\nredis.register_function('%s', function(KEYS, ARGV)\n", hg_dedupe_name(),
                  hg_dedupe_name());
    hg_buf_put(into, hg_dedupe_script());
    hg_buf_put_str(into, "end)\n");
}

void hg_dedupe_put_key(struct hg_slice stream, struct hg_buf *into)
{
    struct hg_slice tag = stream;
    const char *open = stream.len > 0 ? memchr(stream.ptr, '{', stream.len) : NULL;
    if (open) {
        size_t at = (size_t)(open + 1 - stream.ptr);
        const char *end = memchr(stream.ptr + at, '}', stream.len - at);
        if (end && end > stream.ptr + at)
            tag = hg_slice(stream.ptr + at, (size_t)(end - stream.ptr) - at);
    }
    hg_buf_put_str(into, "headgate:dedupe:{");
    hg_buf_put(into, tag);
    hg_buf_put_str(into, "}:");
    hg_buf_put(into, stream);
}

uint64_t hg_dedupe_remember_ms(const struct hg_config *config, const struct hg_rule *rule)
{
    return rule->dedupe_window_ms + config->emit_timeout_ms;
}

uint64_t hg_dedupe_look_ms(uint64_t window_ms)
{
    return window_ms / 16 < LOOK_MS_MAX ? window_ms / 16 : LOOK_MS_MAX;
}

size_t hg_dedupe_stamp(uint32_t fingerprint, uint32_t digest, char *to)
{
    to[0] = '~';
    hg_fingerprint_write(fingerprint, to + 1);
    if (digest == fingerprint)
        return 1 + HG_FINGERPRINT_DIGITS;
    hg_fingerprint_write(digest, to + 1 + HG_FINGERPRINT_DIGITS);
    return HG_DEDUPE_STAMP_BYTES;
}

size_t hg_dedupe_begin(const struct hg_dedupe_call *call, struct hg_slice verb, struct hg_slice name,
                       struct hg_dedupe_numbers *numbers, struct hg_slice *argv)
{
    HG_ASSERT(call->more % 2 == 0);
    bool usual = call->maxlen == 0 && !call->scoped && call->more == 0 && hg_slice_is(call->field, "event");
    snprintf(numbers->window, sizeof(numbers->window), "%llu", (unsigned long long)call->window_ms);
    snprintf(numbers->maxlen, sizeof(numbers->maxlen), "%llu", (unsigned long long)call->maxlen);
    snprintf(numbers->more, sizeof(numbers->more), "%zu", call->more);
    const struct hg_slice words[HG_DEDUPE_CALL_WORDS] = {
        verb,
        name,
        HG_LIT("3"),
        call->stream,
        call->current,
        call->previous,
        hg_slice_str(numbers->window),
        hg_slice_str(call->touch  ? "write"
                     : call->look ? "look"
                                  : ""),
        usual ? HG_LIT("") : call->field,
        hg_slice_str(numbers->maxlen),
        call->scoped ? HG_LIT("1") : HG_LIT("0"),
        hg_slice_str(numbers->more),
    };
    size_t count = usual ? 9 : HG_DEDUPE_CALL_WORDS;
    memcpy(argv, words, count * sizeof(*words));
    return count;
}

size_t hg_dedupe_put(const struct hg_dedupe_call *call, const struct hg_dedupe_event *event, struct hg_slice *argv)
{
    size_t n = 0;
    argv[n++] = event->id;
    argv[n++] = event->event;
    argv[n++] = event->stamp;
    if (call->scoped)
        argv[n++] = event->scope;
    for (size_t i = 0; i < call->more; i++)
        argv[n++] = event->more[i];
    return n;
}

static bool parse_hex(struct hg_slice text, uint32_t *ret_number)
{
    uint32_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = text.ptr[i] ? strchr("0123456789abcdef", text.ptr[i]) : NULL;
        if (!digit)
            return false;
        number = number << 4 | (uint32_t)(digit - "0123456789abcdef");
    }
    *ret_number = number;
    return true;
}

struct hg_dedupe_answer hg_dedupe_read(const struct hg_reply *item)
{
    struct hg_dedupe_answer answer = {.result = HG_DEDUPE_ODD};
    struct hg_slice text = item->text;
    struct hg_cursor cursor;
    if (item->type != HG_REPLY_STRING || text.len == 0)
        return answer;
    if (text.ptr[0] == '-') {
        answer.result = HG_DEDUPE_REFUSED;
        answer.words = hg_slice_from(text, 1);
    } else if (text.ptr[0] != '=') {
        if (hg_stream_id_parse(text, &answer.id))
            answer.result = HG_DEDUPE_APPENDED;
    } else {
        const char *wave = memrchr(text.ptr, '~', text.len);
        size_t at = wave ? (size_t)(wave - text.ptr) : 0, digits = text.len - at - 1;
        if (wave && (digits == HG_FINGERPRINT_DIGITS || digits == 2 * HG_FINGERPRINT_DIGITS) &&
            hg_cursor_parse(hg_slice(text.ptr + 1, at + HG_FINGERPRINT_DIGITS), &cursor) &&
            parse_hex(hg_slice_from(text, text.len - HG_FINGERPRINT_DIGITS), &answer.digest)) {
            answer.result = HG_DEDUPE_KNOWN;
            answer.id = cursor.id;
            answer.fingerprint = cursor.fingerprint;
        }
    }
    return answer;
}
