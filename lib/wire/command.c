#include "wire/command.h"

#include <stdint.h>

#include "base/json.h"
#include "event/envelope.h"
#include "topic/name.h"
#include "topic/pattern.h"

/* The members that mean something; OP to EVENT in the order of `member_names`. */
enum member { OP, REF, TOPIC, FILTER, FROM, CONFLATE, RATE, SUB, ID, EVENT, MEMBER__COUNT };

static const char *const member_names[MEMBER__COUNT] = {"op",       "ref",  "topic", "filter", "from",
                                                        "conflate", "rate", "sub",   "id",     "event"};

#define OPS_KNOWN   "this version knows subscribe, update, unsubscribe, emit, explain and ping"
#define TOPIC_RULES "a topic is 1 to 255 bytes of UTF-8 without control characters"
#define PATTERN_RULES                                                                                                  \
    "in a pattern the segments between '.', ':' and '/' may be '*' for exactly one segment, or '**' at the end for "   \
    "one or more"

struct parse {
    struct hg_slice line;
    struct hg_buf *scratch;
    struct hg_json members[MEMBER__COUNT]; /* raw.ptr NULL: not there */
    struct hg_command command;
    struct hg_command_error *error;
};

/* Every escape is at most six bytes for one byte of text, so that a longer raw text is too long whatever it says. */
#define RAW_BYTES_MAX(bytes) (6 * (size_t)(bytes))
_Static_assert(RAW_BYTES_MAX(HG_TOPIC_BYTES_MAX + HG_EMIT_ID_BYTES_MAX) <= HG_COMMAND_SCRATCH_BYTES,
               "a topic and an id fit into scratch however they are escaped");

static hg_result refuse_at(struct parse *p, hg_result result, size_t at)
{
    p->error->at = at;
    return result;
}

/* A sentence for the client, and the result. */
#define REFUSE(p, name, at, ...) (hg_buf_printf((p)->error->message, __VA_ARGS__), refuse_at(p, HG_FAIL(name), at))
/* The same with the place of a value. */
#define REFUSE_VALUE(p, name, value, ...) REFUSE(p, name, (size_t)((value).raw.ptr - (p)->line.ptr), __VA_ARGS__)

static const char *type_name(enum hg_json_type type)
{
    static const char *const names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
    return names[type];
}

static bool has(const struct parse *p, enum member member)
{
    return p->members[member].raw.ptr != NULL;
}

static hg_result read_members(struct parse *p)
{
    struct hg_json object, key, value;
    size_t at;
    if (!hg_ok(hg_json_parse(p->line, &object, &at))) {
        if (at >= p->line.len)
            return REFUSE(p, BAD_REQUEST, at, "The message is not valid JSON: it ends too early.");
        if (p->line.ptr[at] == '[' || p->line.ptr[at] == '{')
            return REFUSE(
                p, BAD_REQUEST, at,
                "The message is not valid JSON, or nested deeper than %d levels: unexpected bracket at offset %zu.",
                HG_JSON_DEPTH_MAX, at);
        return REFUSE(p, BAD_REQUEST, at, "The message is not valid JSON: unexpected byte at offset %zu.", at);
    }
    if (object.type != HG_JSON_OBJECT)
        return REFUSE_VALUE(p, BAD_REQUEST, object,
                            "A message must be a JSON object such as {\"op\":\"ping\"}, not %s.",
                            type_name(object.type));

    struct hg_json_iter iter = hg_json_iter(object);
    while (hg_json_next_member(&iter, &key, &value))
        for (int i = 0; i < MEMBER__COUNT; i++)
            if (hg_json_string_is(key, member_names[i])) {
                p->members[i] = value;
                break;
            }
    return HG_OK;
}

static hg_result read_ref(struct parse *p)
{
    struct hg_json ref = p->members[REF];
    if (!ref.raw.ptr)
        return HG_OK;
    if (ref.type == HG_JSON_NULL || ref.type == HG_JSON_ARRAY || ref.type == HG_JSON_OBJECT)
        return REFUSE_VALUE(p, BAD_REQUEST, ref, "\"ref\" must be a string, a number, true or false, not %s.",
                            type_name(ref.type));
    if (ref.raw.len > HG_REF_BYTES_MAX)
        return REFUSE_VALUE(p, BAD_REQUEST, ref, "\"ref\" is longer than %d bytes as JSON.", HG_REF_BYTES_MAX);
    p->command.ref = ref.raw;
    return HG_OK;
}

static hg_result refuse_op(struct parse *p, struct hg_json op)
{
    /* What the client wrote, as printable ASCII and not too much of it: it goes into logs too. */
    char shown[41];
    size_t len = op.raw.len - 2 < sizeof(shown) - 1 ? op.raw.len - 2 : sizeof(shown) - 1;
    for (size_t i = 0; i < len; i++) {
        char c = op.raw.ptr[1 + i];
        shown[i] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
    }
    shown[len] = '\0';
    return REFUSE_VALUE(p, UNKNOWN_OP, op, "There is no operation \"%s%s\"; %s.", shown,
                        len < op.raw.len - 2 ? "..." : "", OPS_KNOWN);
}

/* A string's text: part of the line, or decoded in scratch when it holds escapes. `why`, when set, completes "<name>
 * …". */
static hg_result read_text(struct parse *p, struct hg_json string, size_t bytes_max, struct hg_slice *ret_text,
                           const char **reterr_why)
{
    struct hg_slice inside = hg_slice(string.raw.ptr + 1, string.raw.len - 2);
    *reterr_why = NULL;
    if (!memchr(inside.ptr, '\\', inside.len)) {
        *ret_text = inside;
        return HG_OK;
    }
    if (inside.len > RAW_BYTES_MAX(bytes_max)) {
        *reterr_why = "is longer than 255 bytes";
        return HG_FAIL(SYNTAX);
    }
    /* Room for both texts at once, so that the first does not move when the second comes. */
    size_t room = p->line.len < HG_COMMAND_SCRATCH_BYTES ? p->line.len : HG_COMMAND_SCRATCH_BYTES,
           from = p->scratch->len;
    if (from == 0 && !hg_buf_reserve(p->scratch, room))
        return hg_buf_result(p->scratch);
    hg_result decoded = hg_json_string_decode(string, p->scratch);
    if (decoded.code == HG_ERR_SYNTAX)
        *reterr_why = "holds half of a surrogate pair";
    if (hg_ok(decoded))
        *ret_text = hg_slice(p->scratch->ptr + from, p->scratch->len - from);
    return decoded;
}
_Static_assert(HG_TOPIC_BYTES_MAX == 255 && HG_EMIT_ID_BYTES_MAX == 255,
               "the sentences say so, and ids are checked so");

static hg_result read_topic(struct parse *p, bool pattern)
{
    const char *noun = pattern ? "pattern" : "topic", *why = NULL;
    struct hg_json topic = p->members[TOPIC];
    if (!topic.raw.ptr)
        return REFUSE(p, BAD_REQUEST, SIZE_MAX, "\"topic\" is missing; give a string such as \"%s\".",
                      pattern ? "orders.*" : "orders.eu");
    if (topic.type != HG_JSON_STRING)
        return REFUSE_VALUE(p, BAD_REQUEST, topic, "\"topic\" must be a string such as \"%s\", not %s.",
                            pattern ? "orders.*" : "orders.eu", type_name(topic.type));
    hg_result result = read_text(p, topic, HG_TOPIC_BYTES_MAX, &p->command.topic, &why);
    if (hg_ok(result))
        result = pattern ? hg_pattern_check(p->command.topic, &why) : hg_topic_check(p->command.topic, &why);
    if (hg_ok(result) || !why)
        return result;
    return REFUSE_VALUE(p, BAD_REQUEST, topic, "The %s %s; %s%s%s.", noun, why, TOPIC_RULES, pattern ? "; " : "",
                        pattern ? PATTERN_RULES : "");
}

static hg_result read_from(struct parse *p)
{
    static const char allowed[] =
        "\"from\" must be \"live\" (the default), \"start\" or {\"last\": n} with n from 1 to";
    struct hg_json from = p->members[FROM], key, value;
    if (!from.raw.ptr)
        return HG_OK;
    if (from.type == HG_JSON_STRING && hg_json_string_is(from, "live"))
        return HG_OK;
    if (from.type == HG_JSON_STRING && hg_json_string_is(from, "start")) {
        p->command.from.kind = HG_FROM_START;
        return HG_OK;
    }
    if (from.type == HG_JSON_OBJECT) {
        /* Stricter than elsewhere: each member would mean another place to start, so none is ignored. */
        struct hg_json_iter iter = hg_json_iter(from);
        uint64_t last = 0;
        bool only_last = true;
        while (hg_json_next_member(&iter, &key, &value))
            only_last = only_last && hg_json_string_is(key, "last") && hg_json_u64(value, &last);
        if (only_last && last >= 1 && last <= HG_FROM_LAST_MAX) {
            p->command.from.kind = HG_FROM_LAST;
            p->command.from.last = last;
            return HG_OK;
        }
    }
    return REFUSE_VALUE(p, BAD_REQUEST, from, "%s %d.", allowed, HG_FROM_LAST_MAX);
}

/* Only what kind of thing it is; what it says is read where filters are known. */
static hg_result read_filter(struct parse *p)
{
    struct hg_json filter = p->members[FILTER];
    if (!has(p, FILTER) || filter.type == HG_JSON_NULL)
        return HG_OK;
    if (filter.type != HG_JSON_STRING && filter.type != HG_JSON_OBJECT)
        return REFUSE(p, FILTER_INVALID, 0, /* of the filter, as with all that is wrong in one */
                      "\"filter\" must be a string such as \"type = 'OrderPlaced'\" or an object such as "
                      "{\"exact\": {\"type\": \"OrderPlaced\"}}, not %s.",
                      type_name(filter.type));
    p->command.filter = filter.raw;
    return HG_OK;
}

static hg_result read_subscribe(struct parse *p)
{
    p->command.op = HG_OP_SUBSCRIBE;
    for (enum member option = CONFLATE; option <= RATE; option++)
        if (has(p, option))
            return REFUSE_VALUE(p, BAD_REQUEST, p->members[option],
                                "\"%s\" is not available in this version; leave it out.", member_names[option]);
    HG_TRY(read_topic(p, true));
    HG_TRY(read_filter(p));
    return read_from(p);
}

static hg_result read_sub(struct parse *p)
{
    struct hg_json sub = p->members[SUB];
    if (!sub.raw.ptr)
        return REFUSE(p, BAD_REQUEST, SIZE_MAX, "\"sub\" is missing; give the number from the answer to subscribe.");
    if (!hg_json_u64(sub, &p->command.sub))
        return REFUSE_VALUE(p, BAD_REQUEST, sub, "\"sub\" must be the whole number from the answer to subscribe.");
    return HG_OK;
}

static hg_result read_unsubscribe(struct parse *p)
{
    p->command.op = HG_OP_UNSUBSCRIBE;
    return read_sub(p);
}

static hg_result read_update(struct parse *p)
{
    p->command.op = HG_OP_UPDATE;
    HG_TRY(read_sub(p));
    if (!has(p, FILTER))
        return REFUSE(p, BAD_REQUEST, SIZE_MAX, "\"filter\" is missing; give the new filter, or null for none.");
    return read_filter(p);
}

/* The rules for ids are those for names of topics. `why`, when set, completes "the id …". */
static hg_result read_id_text(struct parse *p, struct hg_json id, const char **reterr_why)
{
    HG_TRY(read_text(p, id, HG_EMIT_ID_BYTES_MAX, &p->command.id, reterr_why));
    return hg_topic_check(p->command.id, reterr_why);
}

static hg_result read_id(struct parse *p)
{
    static const char rules[] = "an id is 1 to 255 bytes of UTF-8 without control characters";
    struct hg_json id = p->members[ID];
    const char *why = NULL;
    if (id.raw.ptr) {
        if (id.type != HG_JSON_STRING)
            return REFUSE_VALUE(p, BAD_REQUEST, id, "\"id\" must be a string, not %s; %s.", type_name(id.type), rules);
        hg_result result = read_id_text(p, id, &why);
        if (hg_ok(result) || !why)
            return result;
        return REFUSE_VALUE(p, BAD_REQUEST, id, "\"id\" %s; %s.", why, rules);
    }
    if (!hg_envelope_find_id(p->members[EVENT], &id))
        return REFUSE(p, BAD_REQUEST, SIZE_MAX,
                      "\"id\" is missing, and the event has no \"eventId\" or \"id\" that is a string; give one that "
                      "is new for each "
                      "event and the same for each attempt to emit it.");
    hg_result result = read_id_text(p, id, &why);
    if (hg_ok(result) || !why)
        return result;
    return REFUSE_VALUE(p, EVENT_INVALID, id,
                        "The id in the event %s; %s. Correct it, or give \"id\" beside the event.", why, rules);
}

static hg_result read_emit(struct parse *p)
{
    p->command.op = HG_OP_EMIT;
    HG_TRY(read_topic(p, false));
    if (!has(p, EVENT))
        return REFUSE(p, BAD_REQUEST, SIZE_MAX, "\"event\" is missing; give the event, any JSON value.");
    p->command.event = p->members[EVENT].raw;
    return read_id(p);
}

static hg_result read_explain(struct parse *p)
{
    p->command.op = HG_OP_EXPLAIN;
    HG_TRY(read_filter(p));
    if (p->command.filter.len == 0)
        return REFUSE(p, BAD_REQUEST, SIZE_MAX, "\"filter\" is missing; give the filter to be explained.");
    if (has(p, TOPIC))
        HG_TRY(read_topic(p, false));
    if (has(p, EVENT))
        p->command.event = p->members[EVENT].raw;
    return HG_OK;
}

static hg_result read_command(struct parse *p)
{
    HG_TRY(read_members(p));
    HG_TRY(read_ref(p));
    struct hg_json op = p->members[OP];
    if (!op.raw.ptr)
        return REFUSE(p, BAD_REQUEST, SIZE_MAX, "\"op\" is missing; " OPS_KNOWN ".");
    if (op.type != HG_JSON_STRING)
        return REFUSE_VALUE(p, BAD_REQUEST, op, "\"op\" must be a string, not %s; %s.", type_name(op.type), OPS_KNOWN);
    if (hg_json_string_is(op, "subscribe"))
        return read_subscribe(p);
    if (hg_json_string_is(op, "update"))
        return read_update(p);
    if (hg_json_string_is(op, "unsubscribe"))
        return read_unsubscribe(p);
    if (hg_json_string_is(op, "emit"))
        return read_emit(p);
    if (hg_json_string_is(op, "explain"))
        return read_explain(p);
    if (hg_json_string_is(op, "ping")) {
        p->command.op = HG_OP_PING;
        return HG_OK;
    }
    return refuse_op(p, op);
}

hg_result hg_command_parse(struct hg_slice line, struct hg_buf *scratch, struct hg_command *ret_command,
                           struct hg_command_error *reterr)
{
    struct parse p = {.line = line.ptr ? line : HG_LIT(""), .scratch = scratch, .error = reterr};
    hg_buf_clear(scratch);
    hg_buf_clear(reterr->message);
    reterr->at = SIZE_MAX;
    hg_result result = read_command(&p);
    *ret_command = hg_ok(result) ? p.command : (struct hg_command){.ref = p.command.ref};
    return result;
}
