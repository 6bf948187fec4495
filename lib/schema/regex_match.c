#include <stdlib.h>

#include "base/assert.h"
#include "schema/regex.h"
#include "schema/regex_program.h"

/* A set of states that remembers in which order they came; nothing in it needs to be cleared one by one. */
struct states {
    uint16_t *list, *where;
    uint32_t count;
    bool matched; /* the end of the program is among them */
};

struct matcher {
    const struct hg_regex *regex;
    struct hg_slice text;
    struct states now, next;
    uint16_t *pending;
    uint8_t *looks; /* for each look one bit for each place of the text */
    size_t look_bytes;
    uint64_t *work;
};

_Static_assert(HG_REGEX_STATES_MAX <= UINT16_MAX, "states are kept in 16 bits");

void hg_regex_room_done(struct hg_regex_room *room)
{
    free(room->states);
    free(room->looks);
    *room = (struct hg_regex_room){.states = NULL};
}

static hg_result make_room(struct hg_regex_room *room, size_t states, size_t looks)
{
    if (room->capacity < states) {
        free(room->states);
        room->capacity = 0;
        room->states = calloc(states * 5, sizeof(*room->states));
        if (!room->states)
            return HG_FAIL(NOMEM);
        room->capacity = states;
    }
    if (room->looks_capacity < looks) {
        free(room->looks);
        room->looks_capacity = 0;
        room->looks = malloc(looks);
        if (!room->looks)
            return HG_FAIL(NOMEM);
        room->looks_capacity = looks;
    }
    if (looks > 0)
        memset(room->looks, 0, looks);
    return HG_OK;
}

/* ---- characters ---- */

static uint32_t char_at(struct hg_slice text, size_t *at)
{
    unsigned char lead = (unsigned char)text.ptr[(*at)++];
    if (lead < 0x80)
        return lead;
    unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    uint32_t c = lead & (0x3fu >> more);
    while (more-- > 0)
        c = c << 6 | ((unsigned char)text.ptr[(*at)++] & 0x3f);
    return c;
}

static uint32_t char_before(struct hg_slice text, size_t *at)
{
    do
        --*at;
    while (((unsigned char)text.ptr[*at] & 0xc0) == 0x80);
    size_t from = *at;
    return char_at(text, &from);
}

static bool is_word(struct hg_slice text, size_t at)
{
    if (at >= text.len) /* also one before the first */
        return false;
    char c = text.ptr[at];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* ---- states ---- */

static bool has(const struct states *states, uint32_t state)
{
    uint16_t where = states->where[state];
    return where < states->count && states->list[where] == state;
}

static bool holds(const struct matcher *m, enum hg_regex_op op, uint32_t a, size_t at)
{
    switch (op) {
    case HG_REGEX_OP_BEGIN:
        return at == 0;
    case HG_REGEX_OP_END:
        return at == m->text.len;
    case HG_REGEX_OP_WORD:
    case HG_REGEX_OP_NOT_WORD:
        return (is_word(m->text, at - 1) != is_word(m->text, at)) == (op == HG_REGEX_OP_WORD);
    default:
        return (m->looks[a * m->look_bytes + at / 8] >> (at & 7) & 1) == (op == HG_REGEX_OP_LOOK);
    }
}

/* Adds a state and all that can be reached from it without taking a character; `at` is the place in the text. Each is
 * added once, so that loops of nothing end. */
static void add_state(const struct matcher *m, struct states *states, uint32_t start, size_t at)
{
    uint32_t pending = 0;
    m->pending[pending++] = (uint16_t)start;
    while (pending > 0) {
        uint32_t state = m->pending[--pending];
        while (!has(states, state)) {
            const struct hg_regex_instruction *instruction = &m->regex->program[state];
            states->where[state] = (uint16_t)states->count;
            states->list[states->count++] = (uint16_t)state;
            if (instruction->op <= HG_REGEX_OP_SET)
                break;
            if (instruction->op == HG_REGEX_OP_MATCH) {
                states->matched = true;
                break;
            }
            if (instruction->op == HG_REGEX_OP_JUMP) {
                state = instruction->a;
                continue;
            }
            if (instruction->op == HG_REGEX_OP_SPLIT)
                m->pending[pending++] = (uint16_t)instruction->a;
            else if (!holds(m, instruction->op, instruction->a, at))
                break;
            state++;
        }
    }
}

static void clear(struct states *states)
{
    states->count = 0;
    states->matched = false;
}

/* All states that take `c` go on to the place `at` behind it. */
static void step(struct matcher *m, uint32_t c, size_t at)
{
    clear(&m->next);
    for (uint32_t i = 0; i < m->now.count; i++) {
        uint32_t state = m->now.list[i];
        const struct hg_regex_instruction *instruction = &m->regex->program[state];
        if (instruction->op == HG_REGEX_OP_CHAR
                ? instruction->a == c
                : instruction->op == HG_REGEX_OP_SET && hg_charset_has(&m->regex->sets[instruction->a], c))
            add_state(m, &m->next, state + 1, at);
    }
    struct states other = m->now;
    m->now = m->next;
    m->next = other;
}

static hg_result pay(struct matcher *m)
{
    uint64_t cost = 1 + m->now.count;
    if (*m->work <= cost) {
        *m->work = 0;
        return HG_FAIL(LIMIT_EXCEEDED);
    }
    *m->work -= cost;
    return HG_OK;
}

/* ---- going through the text ---- */

static hg_result find_looks(struct matcher *m, uint32_t number)
{
    const struct hg_regex_look_program *look = &m->regex->looks[number];
    uint8_t *bits = m->looks + number * m->look_bytes;
    size_t at = look->backwards ? m->text.len : 0, end = m->text.len - at;
    clear(&m->now);
    for (;;) {
        add_state(m, &m->now, look->start, at);
        if (m->now.matched)
            bits[at / 8] |= (uint8_t)(1u << (at & 7));
        HG_TRY(pay(m));
        if (at == end)
            return HG_OK;
        uint32_t c = look->backwards ? char_before(m->text, &at) : char_at(m->text, &at);
        step(m, c, at);
    }
}

static hg_result find_match(struct matcher *m, bool *ret_matches)
{
    size_t at = 0;
    clear(&m->now);
    for (;;) {
        if (at == 0 || !m->regex->at_begin)
            add_state(m, &m->now, m->regex->start, at);
        HG_TRY(pay(m));
        *ret_matches = m->now.matched;
        if (m->now.matched || at == m->text.len || (m->now.count == 0 && m->regex->at_begin))
            return HG_OK;
        uint32_t c = char_at(m->text, &at);
        step(m, c, at);
    }
}

hg_result hg_regex_test(const struct hg_regex *regex, struct hg_slice text, struct hg_regex_room *room, uint64_t *work,
                        bool *ret_matches)
{
    bool matches;
    size_t look_bytes = text.len / 8 + 1, states = regex->count;
    HG_TRY(make_room(room, states, look_bytes * regex->look_count));
    struct matcher m = {.regex = regex,
                        .text = text,
                        .now = {.list = room->states, .where = room->states + states},
                        .next = {.list = room->states + 2 * states, .where = room->states + 3 * states},
                        .pending = room->states + 4 * states,
                        .looks = room->looks,
                        .look_bytes = look_bytes,
                        .work = work};
    for (uint32_t i = 0; i < regex->look_count; i++)
        HG_TRY(find_looks(&m, i));
    HG_TRY(find_match(&m, &matches));
    *ret_matches = matches;
    return HG_OK;
}
