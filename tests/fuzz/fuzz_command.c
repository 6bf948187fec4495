/* fuzz_command.c – whatever a client sends: a command whose parts keep their promises, or a refusal that can be told.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "support/frame_reader.h"
#include "topic/name.h"
#include "topic/pattern.h"
#include "wire/command.h"
#include "wire/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) ((condition) ? (void)0 : abort())

static bool inside(struct hg_slice part, struct hg_slice whole)
{
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

/* Each cursor that was accepted is found again, by name and in a row, the last of those for the same topic; a
 * subscription stands for its topic. */
static void check_cursors(const struct hg_command *command)
{
    struct hg_json key, value;
    struct hg_place place, next;
    struct hg_slice found;
    struct hg_buf topic, decoded;
    unsigned count = 0;
    if (command->from.kind != HG_FROM_CURSORS) {
        CHECK(!hg_from_cursor(&command->from, HG_LIT("a"), &place));
        return;
    }
    hg_buf_init(&topic, HG_COMMAND_SCRATCH_BYTES);
    hg_buf_init(&decoded, HG_COMMAND_SCRATCH_BYTES);
    struct hg_json object = {HG_JSON_OBJECT, command->from.cursors};
    struct hg_json_iter iter = hg_json_iter(object), again = hg_json_iter(object);
    while (hg_json_next_member(&iter, &key, &value)) {
        hg_buf_clear(&topic);
        CHECK(hg_ok(hg_json_string_decode(key, &topic)));
        CHECK(hg_ok(hg_topic_check(hg_buf_slice(&topic), NULL)));
        CHECK(command->op != HG_OP_SUBSCRIBE || hg_pattern_match(command->topic, hg_buf_slice(&topic)));
        CHECK(hg_from_cursor(&command->from, hg_buf_slice(&topic), &place));
        CHECK(place.proven || place.fingerprint == 0);
        CHECK(hg_from_next(&again, &decoded, &found, &next) && hg_slice_eq(found, hg_buf_slice(&topic)));
        struct hg_json_iter rest = iter;
        bool last = true;
        while (last && hg_json_next_member(&rest, &key, &value))
            last = !hg_json_string_eq(key, hg_buf_slice(&topic));
        if (last)
            CHECK(hg_stream_id_cmp(place.id, next.id) == 0 && place.proven == next.proven &&
                  place.fingerprint == next.fingerprint);
        count++;
    }
    CHECK(count <= HG_FROM_CURSORS_MAX && !hg_from_next(&again, &decoded, &found, &next));
    hg_buf_done(&topic);
    hg_buf_done(&decoded);
}

static void check_from(const struct hg_command *command)
{
    const struct hg_from *from = &command->from;
    CHECK(from->kind <= HG_FROM_CURSORS);
    CHECK((from->kind == HG_FROM_LAST) == (from->last > 0) && from->last <= HG_FROM_LAST_MAX);
    CHECK(from->otherwise == HG_FROM_LIVE ||
          (from->kind == HG_FROM_CURSORS && (from->otherwise == HG_FROM_START || from->otherwise == HG_FROM_SINCE)));
    CHECK(from->since_ms == 0 || from->kind == HG_FROM_SINCE || from->otherwise == HG_FROM_SINCE);
    CHECK(from->speed <= HG_SPEED_MAX);
    CHECK(from->speed == 0 || (from->kind != HG_FROM_LIVE && from->kind != HG_FROM_LAST));
    check_cursors(command);
}

static void check_command(const struct hg_command *command, struct hg_slice line, struct hg_slice scratch)
{
    struct hg_json event;
    if (command->ref.len > 0)
        CHECK(inside(command->ref, line) && command->ref.len <= HG_REF_BYTES_MAX);
    switch (command->op) {
    case HG_OP_SUBSCRIBE:
        CHECK(inside(command->topic, line) || inside(command->topic, scratch));
        CHECK(hg_ok(hg_pattern_check(command->topic, NULL)));
        CHECK(command->pace.every_ms <= HG_CONFLATE_MS_MAX);
        CHECK(command->pace.key.len == 0 ||
              (inside(command->pace.key, line) && command->pace.every_ms >= HG_CONFLATE_MS_MIN));
        check_from(command);
        break;
    case HG_OP_EMIT:
        CHECK(inside(command->topic, line) || inside(command->topic, scratch));
        CHECK(inside(command->id, line) || inside(command->id, scratch));
        CHECK(hg_ok(hg_topic_check(command->topic, NULL)));
        CHECK(command->id.len >= 1 && command->id.len <= HG_EMIT_ID_BYTES_MAX);
        for (size_t i = 0; i < command->id.len; i++)
            CHECK((unsigned char)command->id.ptr[i] >= 0x20);
        CHECK(inside(command->event, line));
        CHECK(hg_ok(hg_json_parse(command->event, &event, NULL)) && event.raw.len == command->event.len);
        break;
    case HG_OP_SEEK:
        CHECK(command->topic.ptr == NULL && command->event.ptr == NULL);
        check_from(command);
        break;
    case HG_OP_HELLO:
        CHECK(command->topic.ptr == NULL && command->filter.ptr == NULL && command->event.ptr == NULL);
        break;
    case HG_OP_EXPLAIN:
        CHECK(command->filter.len > 0 && inside(command->filter, line));
        break;
    case HG_OP_RESUME:
        CHECK(command->speed <= HG_SPEED_MAX);
        CHECK(command->topic.ptr == NULL && command->event.ptr == NULL);
        break;
    case HG_OP_UPDATE:
    case HG_OP_UNSUBSCRIBE:
    case HG_OP_PAUSE:
    case HG_OP_PING:
        CHECK(command->topic.ptr == NULL && command->event.ptr == NULL);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_slice line = hg_slice(data, size);
    struct hg_buf scratch, message, answer;
    hg_buf_init(&scratch, HG_COMMAND_SCRATCH_BYTES);
    hg_buf_init(&message, 511 + 1);
    hg_buf_init(&answer, 4096);
    struct hg_command command;
    struct hg_command_error error = {.message = &message};
    hg_result result = hg_command_parse(line, &scratch, &command, &error);
    if (hg_ok(result)) {
        check_command(&command, line, hg_buf_slice(&scratch));
        hg_message_ok(&answer, command.ref);
    } else {
        CHECK(hg_error_row(result.code)->class_ == HG_CLASS_PEER && hg_error_row(result.code)->wire_code > 0);
        CHECK(message.len > 0 && hg_ok(hg_buf_result(&message)));
        CHECK(error.at == SIZE_MAX || error.at <= size);
        for (size_t i = 0; i < message.len; i++)
            CHECK(message.ptr[i] >= ' ' && message.ptr[i] <= '~');
        hg_message_error(&answer, command.ref, result.code, hg_buf_slice(&message), error.at, 0);
    }
    /* The answer, with the client's own ref in it, is one frame and JSON. */
    struct hg_slice rest = hg_buf_slice(&answer);
    struct hgt_frame frame;
    CHECK(hg_ok(hg_buf_result(&answer)) && hgt_frame_take(&rest, &frame) && rest.len == 0);
    struct hg_json object, ref;
    CHECK(hg_ok(hg_json_parse(frame.payload, &object, NULL)) && object.type == HG_JSON_OBJECT);
    CHECK(hg_json_get(object, "ref", &ref) == (command.ref.len > 0));
    CHECK(command.ref.len == 0 || hg_slice_eq(ref.raw, command.ref));

    /* Cleared buffers, the same answer: nothing of the first time is left. */
    struct hg_command again;
    CHECK(hg_command_parse(line, &scratch, &again, &error).code == result.code);
    CHECK(again.op == command.op && hg_slice_eq(again.topic, command.topic) && hg_slice_eq(again.id, command.id));
    hg_buf_done(&scratch);
    hg_buf_done(&message);
    hg_buf_done(&answer);
    return 0;
}
