#include "wire/command.h"

#include <stdint.h>

#include "base/date.h"
#include "base/json.h"
#include "event/envelope.h"
#include "topic/name.h"
#include "topic/pattern.h"

/* The members that mean something; OP to TOKEN in the order of `member_names`. */
enum member {
    OP,
    REF,
    TOPIC,
    FILTER,
    FROM,
    CONFLATE,
    RATE,
    SPEED,
    SUB,
    ID,
    EVENT,
    ECHO,
    SESSION,
    TOKEN,
    MEMBER__COUNT
};

static const char *const member_names[MEMBER__COUNT] = {"op",    "ref", "topic", "filter", "from", "conflate", "rate",
                                                        "speed", "sub", "id",    "event",  "echo", "session",  "token"};

#define OPS_KNOWN                                                                                                      \
    "this version knows subscribe, update, unsubscribe, pause, resume, seek, emit, hello, explain and ping"
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
_Static_assert(RAW_BYTES_MAX(2 * HG_TOPIC_BYTES_MAX + HG_EMIT_ID_BYTES_MAX) <= HG_COMMAND_SCRATCH_BYTES,
               "two topics and an id fit into scratch however they are escaped");

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

#define FROM_ALLOWED                                                                                                   \
    "\"from\" must be \"live\" (the default), \"start\", {\"last\": n}, {\"since\": time} or {\"cursors\": "           \
    "{topic: cursor}}"

/* A time: RFC 3339, or milliseconds since 1970. */
static bool read_time(struct hg_json value, uint64_t *ret_ms)
{
    if (value.type == HG_JSON_STRING)
        return hg_date_parse(hg_slice(value.raw.ptr + 1, value.raw.len - 2), ret_ms);
    return hg_json_u64(value, ret_ms) && *ret_ms <= INT64_MAX;
}

static hg_result read_since(struct parse *p, struct hg_json value)
{
    if (read_time(value, &p->command.from.since_ms))
        return HG_OK;
    return REFUSE_VALUE(p, BAD_REQUEST, value,
                        "\"since\" must be a time such as \"2026-11-23T10:00:00Z\", or milliseconds since 1970.");
}

static hg_result read_speed(struct parse *p, struct hg_json value, uint32_t *ret_speed)
{
    /* Two digits behind the point are all there may be: no floating point. */
    uint64_t whole = 0, cents = 0;
    struct hg_slice text = value.raw;
    size_t point = 0;
    bool good = value.type == HG_JSON_NUMBER;
    while (good && point < text.len && text.ptr[point] >= '0' && text.ptr[point] <= '9')
        point++;
    good = good && point > 0 && point <= 4;
    for (size_t i = 0; good && i < point; i++)
        whole = whole * 10 + (uint64_t)(text.ptr[i] - '0');
    if (good && point < text.len) {
        good = text.ptr[point] == '.' && text.len > point + 1 && text.len <= point + 3;
        for (size_t i = 1; good && i <= 2; i++)
            cents = cents * 10 + (point + i < text.len ? (uint64_t)(text.ptr[point + i] - '0') : 0);
    }
    uint64_t speed = whole * 100 + cents;
    if (!good || speed < 1 || speed > HG_SPEED_MAX)
        return REFUSE_VALUE(p, BAD_REQUEST, value,
                            "\"speed\" must be a number from 0.01 to 1000 with at most two decimals.");
    *ret_speed = (uint32_t)speed;
    return HG_OK;
}

static bool read_cursor(struct hg_json value, struct hg_place *ret_place)
{
    struct hg_cursor cursor;
    if (value.type != HG_JSON_STRING)
        return false;
    struct hg_slice text = hg_slice(value.raw.ptr + 1, value.raw.len - 2);
    if (hg_stream_id_parse(text, &cursor.id)) {
        *ret_place = (struct hg_place){.id = cursor.id, .proven = false};
        return true;
    }
    if (!hg_cursor_parse(text, &cursor))
        return false;
    *ret_place = (struct hg_place){cursor.id, cursor.fingerprint, true};
    return true;
}

static hg_result read_cursors(struct parse *p, struct hg_json cursors)
{
    struct hg_json key, value;
    struct hg_place place;
    if (cursors.type != HG_JSON_OBJECT)
        return REFUSE_VALUE(
            p, BAD_REQUEST, cursors,
            "\"cursors\" must be an object such as {\"orders.eu\": \"1700000000000-0~9f3a11c2\"}, not %s.",
            type_name(cursors.type));
    struct hg_json_iter iter = hg_json_iter(cursors);
    for (unsigned count = 1; hg_json_next_member(&iter, &key, &value); count++) {
        const char *why = NULL;
        struct hg_slice topic;
        size_t mark = p->scratch->len;
        if (count > HG_FROM_CURSORS_MAX)
            return REFUSE_VALUE(p, BAD_REQUEST, cursors, "\"cursors\" holds more than %d cursors.",
                                HG_FROM_CURSORS_MAX);
        hg_result result = read_text(p, key, HG_TOPIC_BYTES_MAX, &topic, &why);
        if (hg_ok(result))
            result = hg_topic_check(topic, &why);
        if (!hg_ok(result) && !why)
            return result;
        if (!hg_ok(result))
            return REFUSE_VALUE(p, BAD_REQUEST, key, "A topic of \"cursors\" %s; %s.", why, TOPIC_RULES);
        if (p->command.topic.len > 0 && !hg_pattern_match(p->command.topic, topic))
            return REFUSE_VALUE(p, BAD_REQUEST, key,
                                "\"cursors\" names a topic that \"topic\" does not stand for, at offset %zu.",
                                (size_t)(key.raw.ptr - p->line.ptr));
        if (mark > 0 || p->scratch->len > 0)
            hg_buf_truncate(p->scratch, mark);
        if (!read_cursor(value, &place))
            return REFUSE_VALUE(p, BAD_REQUEST, value,
                                "A cursor must be a string as events bring it, such as \"1700000000000-0~9f3a11c2\", "
                                "or an entry's id such as \"1700000000000-0\".");
    }
    p->command.from.cursors = cursors.raw;
    return HG_OK;
}

#define OTHERWISE_ALLOWED "\"otherwise\" must be \"live\", \"start\" or {\"since\": time}."

static hg_result read_otherwise(struct parse *p, struct hg_json value)
{
    struct hg_json key, member, since = {0};
    struct hg_from *from = &p->command.from;
    if (value.type == HG_JSON_STRING && hg_json_string_is(value, "live")) {
        from->otherwise = HG_FROM_LIVE;
        return HG_OK;
    }
    if (value.type == HG_JSON_STRING && hg_json_string_is(value, "start")) {
        from->otherwise = HG_FROM_START;
        return HG_OK;
    }
    if (value.type == HG_JSON_OBJECT) {
        struct hg_json_iter iter = hg_json_iter(value);
        while (hg_json_next_member(&iter, &key, &member)) {
            if (!hg_json_string_is(key, "since"))
                return REFUSE_VALUE(p, BAD_REQUEST, key, OTHERWISE_ALLOWED);
            since = member;
        }
    }
    if (!since.raw.ptr)
        return REFUSE_VALUE(p, BAD_REQUEST, value, OTHERWISE_ALLOWED);
    from->otherwise = HG_FROM_SINCE;
    return read_since(p, since);
}

/* Stricter than elsewhere: each member would mean another place to start, so none is ignored. */
static hg_result read_from_object(struct parse *p, struct hg_json object)
{
    enum { LAST, SINCE, CURSORS, START, OTHERWISE, PACE, PARTS };
    static const char *const names[PARTS] = {"last", "since", "cursors", "start", "otherwise", "speed"};
    static const enum hg_from_kind kinds[] = {HG_FROM_LAST, HG_FROM_SINCE, HG_FROM_CURSORS, HG_FROM_START};
    struct hg_json parts[PARTS] = {0}, key, value;
    struct hg_json_iter iter = hg_json_iter(object);
    unsigned places = 0;
    struct hg_from *from = &p->command.from;
    while (hg_json_next_member(&iter, &key, &value)) {
        int part = 0;
        while (part < PARTS && !hg_json_string_is(key, names[part]))
            part++;
        if (part == PARTS)
            return REFUSE_VALUE(p, BAD_REQUEST, key, "%s, with \"speed\" and \"otherwise\" where they apply.",
                                FROM_ALLOWED);
        parts[part] = value;
    }
    for (int part = LAST; part <= START; part++)
        if (parts[part].raw.ptr) {
            from->kind = kinds[part];
            places++;
        }
    if (places != 1)
        return REFUSE_VALUE(p, BAD_REQUEST, object, "%s.", FROM_ALLOWED);
    if (parts[LAST].raw.ptr &&
        (!hg_json_u64(parts[LAST], &from->last) || from->last < 1 || from->last > HG_FROM_LAST_MAX))
        return REFUSE_VALUE(p, BAD_REQUEST, parts[LAST], "\"last\" must be a whole number from 1 to %d.",
                            HG_FROM_LAST_MAX);
    if (parts[START].raw.ptr && !hg_slice_is(parts[START].raw, "true"))
        return REFUSE_VALUE(p, BAD_REQUEST, parts[START], "\"start\" must be true.");
    if (parts[SINCE].raw.ptr)
        HG_TRY(read_since(p, parts[SINCE]));
    if (parts[CURSORS].raw.ptr)
        HG_TRY(read_cursors(p, parts[CURSORS]));
    if (parts[OTHERWISE].raw.ptr && !parts[CURSORS].raw.ptr)
        return REFUSE_VALUE(p, BAD_REQUEST, parts[OTHERWISE], "\"otherwise\" goes with \"cursors\" only.");
    if (parts[OTHERWISE].raw.ptr)
        HG_TRY(read_otherwise(p, parts[OTHERWISE]));
    if (parts[PACE].raw.ptr && parts[LAST].raw.ptr)
        return REFUSE_VALUE(p, BAD_REQUEST, parts[PACE], "\"speed\" does not go with \"last\".");
    if (parts[PACE].raw.ptr)
        HG_TRY(read_speed(p, parts[PACE], &from->speed));
    return HG_OK;
}

static hg_result read_from(struct parse *p)
{
    struct hg_json from = p->members[FROM];
    if (!from.raw.ptr)
        return HG_OK;
    if (from.type == HG_JSON_STRING && hg_json_string_is(from, "live"))
        return HG_OK;
    if (from.type == HG_JSON_STRING && hg_json_string_is(from, "start")) {
        p->command.from.kind = HG_FROM_START;
        return HG_OK;
    }
    if (from.type == HG_JSON_OBJECT)
        return read_from_object(p, from);
    return REFUSE_VALUE(p, BAD_REQUEST, from, "%s.", FROM_ALLOWED);
}

bool hg_from_cursor(const struct hg_from *from, struct hg_slice topic, struct hg_place *ret_place)
{
    struct hg_json key, value;
    bool found = false;
    if (from->kind != HG_FROM_CURSORS)
        return false;
    struct hg_json_iter iter = hg_json_iter((struct hg_json){HG_JSON_OBJECT, from->cursors});
    while (hg_json_next_member(&iter, &key, &value))
        if (hg_json_string_eq(key, topic))
            found = read_cursor(value, ret_place);
    return found;
}

bool hg_from_next(struct hg_json_iter *iter, struct hg_buf *scratch, struct hg_slice *ret_topic,
                  struct hg_place *ret_place)
{
    struct hg_json key, value;
    while (hg_json_next_member(iter, &key, &value)) {
        struct hg_slice inside = hg_slice(key.raw.ptr + 1, key.raw.len - 2);
        if (memchr(inside.ptr, '\\', inside.len)) {
            hg_buf_clear(scratch);
            if (!hg_ok(hg_json_string_decode(key, scratch)))
                continue;
            inside = hg_buf_slice(scratch);
        }
        if (read_cursor(value, ret_place)) {
            *ret_topic = inside;
            return true;
        }
    }
    return false;
}

static hg_result refuse_conflate(struct parse *p, struct hg_json where)
{
    return REFUSE_VALUE(p, BAD_REQUEST, where,
                        "\"conflate\" must be an object such as {\"key\": \"data.symbol\", \"every_ms\": %d}, of no "
                        "other members, with every_ms from %d to %d.",
                        HG_CONFLATE_MS, HG_CONFLATE_MS_MIN, HG_CONFLATE_MS_MAX);
}

static hg_result read_conflate(struct parse *p, struct hg_json conflate)
{
    struct hg_json name, value, key = {0}, every = {0};
    uint64_t every_ms = HG_CONFLATE_MS;
    if (conflate.type != HG_JSON_OBJECT)
        return refuse_conflate(p, conflate);
    struct hg_json_iter iter = hg_json_iter(conflate);
    while (hg_json_next_member(&iter, &name, &value)) {
        if (hg_json_string_is(name, "key"))
            key = value;
        else if (hg_json_string_is(name, "every_ms"))
            every = value;
        else
            return refuse_conflate(p, name);
    }
    if (!key.raw.ptr)
        return refuse_conflate(p, conflate);
    if (key.type != HG_JSON_STRING || hg_slice_is(key.raw, "\"\""))
        return refuse_conflate(p, key);
    if (every.raw.ptr &&
        (!hg_json_u64(every, &every_ms) || every_ms < HG_CONFLATE_MS_MIN || every_ms > HG_CONFLATE_MS_MAX))
        return refuse_conflate(p, every);
    p->command.pace = (struct hg_pace){key.raw, (uint32_t)every_ms};
    return HG_OK;
}

static hg_result read_pace(struct parse *p)
{
    struct hg_json rate = p->members[RATE];
    uint64_t number = 0;
    if (has(p, CONFLATE) && has(p, RATE))
        return REFUSE_VALUE(p, BAD_REQUEST, rate, "Give \"conflate\" or \"rate\", not both.");
    if (has(p, CONFLATE))
        return read_conflate(p, p->members[CONFLATE]);
    if (!has(p, RATE))
        return HG_OK;
    if (!hg_json_u64(rate, &number) || number < 1 || number > HG_RATE_MAX)
        return REFUSE_VALUE(p, BAD_REQUEST, rate, "\"rate\" must be a whole number of events a second from 1 to %d.",
                            HG_RATE_MAX);
    p->command.pace.every_ms = (uint32_t)((1000 + number - 1) / number); /* never more often than asked */
    return HG_OK;
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
    HG_TRY(read_topic(p, true));
    HG_TRY(read_filter(p));
    HG_TRY(read_pace(p));
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

static hg_result read_pause(struct parse *p)
{
    p->command.op = HG_OP_PAUSE;
    return read_sub(p);
}

static hg_result read_resume(struct parse *p)
{
    p->command.op = HG_OP_RESUME;
    HG_TRY(read_sub(p));
    return has(p, SPEED) ? read_speed(p, p->members[SPEED], &p->command.speed) : HG_OK;
}

static hg_result read_seek(struct parse *p)
{
    p->command.op = HG_OP_SEEK;
    HG_TRY(read_sub(p));
    if (!has(p, FROM))
        return REFUSE(p, BAD_REQUEST, SIZE_MAX, "\"from\" is missing; give the place to go to.");
    return read_from(p);
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
    struct hg_json echo = p->members[ECHO];
    if (echo.raw.ptr && echo.type != HG_JSON_BOOL)
        return REFUSE_VALUE(p, BAD_REQUEST, echo, "\"echo\" must be true or false, not %s.", type_name(echo.type));
    p->command.no_echo = echo.raw.ptr && echo.raw.ptr[0] == 'f';
    return read_id(p);
}

static hg_result read_hello(struct parse *p)
{
    p->command.op = HG_OP_HELLO;
    if (has(p, TOKEN))
        return REFUSE_VALUE(p, BAD_REQUEST, p->members[TOKEN],
                            "This version knows no tokens; hello takes \"session\", the name of an earlier session.");
    struct hg_json session = p->members[SESSION];
    if (!session.raw.ptr)
        return HG_OK;
    p->command.has_session =
        session.type == HG_JSON_STRING &&
        hg_session_name_parse(hg_slice(session.raw.ptr + 1, session.raw.len - 2), &p->command.session);
    if (!p->command.has_session)
        return REFUSE_VALUE(p, BAD_REQUEST, session,
                            "\"session\" must be the name of an earlier session, as its welcome gave it.");
    return HG_OK;
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
    if (hg_json_string_is(op, "pause"))
        return read_pause(p);
    if (hg_json_string_is(op, "resume"))
        return read_resume(p);
    if (hg_json_string_is(op, "seek"))
        return read_seek(p);
    if (hg_json_string_is(op, "emit"))
        return read_emit(p);
    if (hg_json_string_is(op, "hello"))
        return read_hello(p);
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
