#include "sim/dedupe.h"

#include <stdio.h>

#include "core/mutant.h"

static bool number_of(struct hg_slice word, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (word.len == 0 || word.len > 18)
        return false;
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] < '0' || word.ptr[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(word.ptr[i] - '0');
    }
    *ret_number = number;
    return true;
}

/* All keys of one call are in one hash slot (Redis Cluster specification, hash tags). */
static bool is_hash_of(struct hg_slice name, struct hg_slice stream, const char *which)
{
    struct hg_slice tag = stream;
    char expected[512];
    const char *open = memchr(stream.ptr, '{', stream.len);
    const char *close = open ? memchr(open + 1, '}', (size_t)(stream.ptr + stream.len - open - 1)) : NULL;

    if (close && close > open + 1)
        tag = hg_slice(open + 1, (size_t)(close - open - 1));
    snprintf(expected, sizeof expected, "headgate:dedupe:{%.*s}:%.*s:%s", HG_SLICE_ARG(tag), HG_SLICE_ARG(stream),
             which);
    return hg_slice_is(name, expected);
}

const char *sim_dedupe_parse(const struct hg_slice *words, size_t count, struct sim_dedupe_call *ret_call)
{
    struct sim_dedupe_call call = {0};
    uint64_t scoped = 0, more = 0;

    if (count < 10 || !hg_slice_is(words[0], "3"))
        return "three keys, and at least one event";
    call.stream = words[1];
    if (!is_hash_of(words[2], call.stream, "current") || !is_hash_of(words[3], call.stream, "previous"))
        return "the names of the hashes";
    if (!number_of(words[4], &call.window_ms) || call.window_ms == 0)
        return "the window";
    call.touch = hg_slice_is(words[5], "write");
    call.look = call.touch || hg_slice_is(words[5], "look");
    if (!call.look && words[5].len > 0)
        return "whether to look, or to write";
    call.field = words[6];
    size_t head = 7;
    if (call.field.len == 0) {
        call.field = HG_LIT("event");
    } else {
        if (count < 10 || !number_of(words[7], &call.maxlen))
            return "the length";
        if (!number_of(words[8], &scoped) || scoped > 1 || !number_of(words[9], &more) || more % 2 != 0)
            return "the shape of the events";
        head = 10;
    }
    call.scoped = scoped == 1;
    call.more = (size_t)more;
    call.step = 3 + (size_t)scoped + call.more;
    call.words = words + head;
    call.event_count = (count - head) / call.step;
    if ((count - head) % call.step != 0 || call.event_count == 0)
        return "half an event";
    for (size_t i = 0; i < call.event_count; i++) {
        struct hg_slice stamp = sim_dedupe_event(&call, i).stamp;
        if ((stamp.len != 9 && stamp.len != 17) || stamp.ptr[0] != '~' ||
            strspn(stamp.ptr + 1, "0123456789abcdef") < stamp.len - 1)
            return "a stamp";
    }
    *ret_call = call;
    return NULL;
}

struct sim_dedupe_event sim_dedupe_event(const struct sim_dedupe_call *call, size_t at)
{
    const struct hg_slice *words = call->words + at * call->step;

    return (struct sim_dedupe_event){words[0], words[1], words[2], call->scoped ? words[3] : words[0],
                                     words + 3 + call->scoped};
}

static const struct sim_field *look_up(const struct sim_hash *hash, struct hg_slice scope, uint64_t now_ms)
{
    const struct sim_field *field = hash->expires_ms > now_ms ? hash->fields : NULL;

    while (field && !hg_slice_eq(field->scope, scope))
        field = field->next;
    return field;
}

static const struct sim_field *put(struct sim_arena *arena, const struct sim_field *fields, struct hg_slice scope,
                                   struct hg_slice value)
{
    struct sim_field *field = sim_arena_get(arena, sizeof *field);

    *field = (struct sim_field){fields, sim_arena_copy(arena, scope), value};
    return field;
}

size_t sim_dedupe_run(struct sim_dedupe *dedupe, struct sim_arena *arena, const struct sim_dedupe_call *call,
                      uint64_t now_ms, sim_dedupe_append *append, void *context, struct hg_slice *ret_answers,
                      bool *ret_wrote)
{
    const struct sim_dedupe before = *dedupe;
    struct sim_hash *current = &dedupe->current;
    const struct sim_field *learnt = NULL; /* in this call; in front of those of the hash in the end */
    bool there = current->fields && current->expires_ms > now_ms;
    bool back = there && call->look && current->begun_ms > now_ms + call->window_ms; /* the clock was set back */

    if (back)
        current->begun_ms = now_ms;
    if (there && call->look && now_ms >= current->begun_ms + call->window_ms) {
        dedupe->previous = *current;
        there = false;
    }
    if (!there)
        *current = (struct sim_hash){NULL, now_ms, now_ms + (HG_MUTANT(EXPIRES_EARLY) ? 1 : 2) * call->window_ms};
    bool touched = !there || back || call->touch;
    size_t count = 0;
    while (count < call->event_count) {
        size_t i = count++;
        struct sim_dedupe_event event = sim_dedupe_event(call, i);
        const struct sim_field *was = look_up(&before.current, event.scope, now_ms);

        if (!was && !HG_MUTANT(PREVIOUS_UNSEEN))
            was = look_up(&before.previous, event.scope, now_ms);
        if (was) {
            ret_answers[i] = sim_arena_printf(arena, "=%.*s", HG_SLICE_ARG(was->value));
            continue;
        }
        ret_answers[i] = append(context, call, &event);
        if (ret_answers[i].ptr[0] == '-')
            break;
        learnt = put(arena, learnt, event.scope,
                     sim_arena_printf(arena, "%.*s%.*s", HG_SLICE_ARG(ret_answers[i]), HG_SLICE_ARG(event.stamp)));
    }
    if (!current->fields) /* the field that says when it was begun */
        current->fields = put(arena, NULL, HG_SLICE_NULL, HG_LIT("begun"));
    for (const struct sim_field *field = learnt; field; field = field->next)
        current->fields = put(arena, current->fields, field->scope, field->value);
    *ret_wrote = touched || learnt;
    return count;
}
