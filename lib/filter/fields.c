#include "filter/fields.h"

#include <stdlib.h>

#include "base/assert.h"
#include "filter/path.h"

#define NONE HG_FIELDS_NONE

/* Up to so many children are compared one by one. */
#define FEW 8

/* A step of a path. Number 0 is the event itself. */
struct place {
    uint32_t parent; /* NONE: free, or number 0 */
    uint32_t first_child, next_sibling, child_count;
    uint32_t next_in_bucket;
    uint32_t slot;
    uint32_t paths; /* that end here or below */
    uint32_t index; /* of an index step */
    char *name;     /* of a name step; NULL: an index step */
    uint32_t name_len;
    uint32_t index_end; /* above all indexes among the children */
    uint64_t lengths;   /* bit n: some child's name has n bytes, modulo 64 */
    uint64_t hash;
    uint64_t seen; /* the round in which the walk was here */
    uint32_t first_seen, next_seen;
};

struct slot {
    uint32_t place;  /* NONE: free, or of the topic */
    uint32_t users;  /* 0: free */
    uint64_t listed; /* the round in which it stands among those present */
    uint32_t alias;  /* the slot that speaks when this one is silent; NONE: there is none */
    uint32_t next_free;
};

struct hg_fields {
    struct hg_hash_key hash_key;
    struct place *places;
    uint32_t place_count, place_capacity, first_free_place;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two */
    struct slot *slots;
    struct hg_value *values;
    uint32_t *present;
    uint32_t slot_count, slot_capacity, first_free_slot;
    uint32_t present_count;
    uint32_t topic_slot;
    uint64_t round;
};

static const struct hg_value missing = {.type = HG_VALUE_BOOL, .error = HG_VALUE_MISSING};

/* ---- places ---- */

static uint64_t hash_of(const struct hg_fields *f, uint32_t parent, const char *name, uint32_t len, uint32_t index)
{
    struct hg_hash hash;
    hg_hash_init(&hash, f->hash_key);
    hg_hash_add_u64(&hash, (uint64_t)parent << 32 | (name ? UINT32_MAX : index));
    if (name)
        hg_hash_add(&hash, hg_slice(name, len));
    return hg_hash_value(&hash);
}

static bool is_called(const struct place *place, struct hg_slice name)
{
    return place->name && place->name_len == name.len &&
           (name.len == 0 || memcmp(place->name, name.ptr, name.len) == 0);
}

static uint32_t find_name(const struct hg_fields *f, uint32_t parent, struct hg_slice name)
{
    const struct place *above = &f->places[parent];
    if (!(above->lengths >> (name.len & 63) & 1))
        return NONE;
    if (above->child_count <= FEW) {
        uint32_t child = above->first_child;
        while (child != NONE && !is_called(&f->places[child], name))
            child = f->places[child].next_sibling;
        return child;
    }
    uint64_t hash = hash_of(f, parent, name.ptr, (uint32_t)name.len, 0);
    uint32_t at = f->buckets[hash & (f->bucket_count - 1)];
    while (at != NONE &&
           (f->places[at].hash != hash || f->places[at].parent != parent || !is_called(&f->places[at], name)))
        at = f->places[at].next_in_bucket;
    return at;
}

static uint32_t find_index(const struct hg_fields *f, uint32_t parent, uint32_t index)
{
    const struct place *above = &f->places[parent];
    if (index >= above->index_end)
        return NONE;
    if (above->child_count <= FEW) {
        uint32_t child = above->first_child;
        while (child != NONE && (f->places[child].name || f->places[child].index != index))
            child = f->places[child].next_sibling;
        return child;
    }
    uint64_t hash = hash_of(f, parent, NULL, 0, index);
    uint32_t at = f->buckets[hash & (f->bucket_count - 1)];
    while (at != NONE && (f->places[at].hash != hash || f->places[at].parent != parent || f->places[at].name ||
                          f->places[at].index != index))
        at = f->places[at].next_in_bucket;
    return at;
}

static void put_into_bucket(struct hg_fields *f, uint32_t number)
{
    uint32_t *bucket = &f->buckets[f->places[number].hash & (f->bucket_count - 1)];
    f->places[number].next_in_bucket = *bucket;
    *bucket = number;
}

/* Twice the places, and as many buckets. */
static hg_result grow_places(struct hg_fields *f)
{
    uint32_t capacity = f->place_capacity ? f->place_capacity * 2 : 8;
    if (capacity > UINT32_MAX / 4)
        return HG_FAIL(NOMEM);
    struct place *places = realloc(f->places, capacity * sizeof(*places));
    if (!places)
        return HG_FAIL(NOMEM);
    f->places = places;
    uint32_t *buckets = malloc(capacity * sizeof(*buckets));
    if (!buckets)
        return HG_FAIL(NOMEM);
    free(f->buckets);
    f->buckets = buckets;
    f->bucket_count = f->place_capacity = capacity;
    for (uint32_t i = 0; i < capacity; i++)
        buckets[i] = NONE;
    for (uint32_t i = 1; i < f->place_count; i++)
        if (f->places[i].parent != NONE) /* not free; a path that is being made may be counted nowhere yet */
            put_into_bucket(f, i);
    return HG_OK;
}

static void renew_marks(struct hg_fields *f, uint32_t parent)
{
    struct place *above = &f->places[parent];
    above->lengths = 0;
    above->index_end = 0;
    for (uint32_t child = above->first_child; child != NONE; child = f->places[child].next_sibling) {
        const struct place *place = &f->places[child];
        if (place->name)
            above->lengths |= 1ull << (place->name_len & 63);
        else if (place->index >= above->index_end)
            above->index_end = place->index + 1;
    }
}

static hg_result add_place(struct hg_fields *f, uint32_t parent, const char *name, uint32_t len, uint32_t index,
                           uint32_t *ret_place)
{
    char *copy = NULL;
    if (f->first_free_place == NONE && f->place_count == f->place_capacity)
        HG_TRY(grow_places(f));
    if (name) {
        copy = malloc(len + 1);
        if (!copy)
            return HG_FAIL(NOMEM);
        memcpy(copy, name, len);
    }
    uint32_t number = f->first_free_place;
    if (number != NONE)
        f->first_free_place = f->places[number].next_sibling;
    else
        number = f->place_count++;
    struct place *above = &f->places[parent];
    f->places[number] = (struct place){.parent = parent,
                                       .first_child = NONE,
                                       .next_sibling = above->first_child,
                                       .slot = NONE,
                                       .index = index,
                                       .name = copy,
                                       .name_len = len,
                                       .hash = hash_of(f, parent, copy, len, index),
                                       .first_seen = NONE};
    above->first_child = number;
    above->child_count++;
    if (name)
        above->lengths |= 1ull << (len & 63);
    else if (index >= above->index_end)
        above->index_end = index + 1;
    put_into_bucket(f, number);
    *ret_place = number;
    return HG_OK;
}

/* Gives back the places from here upwards that no path needs any more. */
static void drop_places(struct hg_fields *f, uint32_t number)
{
    while (number != 0 && f->places[number].paths == 0) {
        struct place *place = &f->places[number];
        uint32_t parent = place->parent;
        uint32_t *at = &f->places[parent].first_child;
        HG_ASSERT(place->first_child == NONE && place->slot == NONE);
        while (*at != number)
            at = &f->places[*at].next_sibling;
        *at = place->next_sibling;
        at = &f->buckets[place->hash & (f->bucket_count - 1)];
        while (*at != number)
            at = &f->places[*at].next_in_bucket;
        *at = place->next_in_bucket;
        free(place->name);
        place->name = NULL;
        place->parent = NONE;
        place->next_sibling = f->first_free_place;
        f->first_free_place = number;
        f->places[parent].child_count--;
        renew_marks(f, parent);
        number = parent;
    }
}

static void count_path(struct hg_fields *f, uint32_t place, int change)
{
    for (; place != 0; place = f->places[place].parent)
        f->places[place].paths = (uint32_t)((int)f->places[place].paths + change);
}

/* The place of a path, made where it is not there yet. */
static hg_result reach(struct hg_fields *f, struct hg_slice path, uint32_t *ret_place)
{
    struct hg_path_segment segment;
    struct hg_buf decoded;
    uint32_t at = 0;
    hg_result r = HG_OK;
    hg_buf_init(&decoded, 1u << 16);
    while (hg_ok(r) && hg_path_next(&path, &segment)) {
        struct hg_slice name = segment.name;
        if (segment.is_quoted) {
            hg_buf_clear(&decoded);
            struct hg_json json = {HG_JSON_STRING, hg_slice(name.ptr - 1, name.len + 2)};
            r = hg_json_string_decode(json, &decoded);
            name = decoded.len > 0 ? hg_buf_slice(&decoded) : HG_LIT("");
            if (!hg_ok(r))
                break;
        }
        uint32_t next = segment.is_index ? find_index(f, at, segment.index) : find_name(f, at, name);
        if (next == NONE)
            r = add_place(f, at, segment.is_index ? NULL : name.ptr, (uint32_t)name.len, segment.index, &next);
        if (hg_ok(r))
            at = next;
    }
    hg_buf_done(&decoded);
    if (!hg_ok(r)) {
        drop_places(f, at);
        return r;
    }
    *ret_place = at;
    return HG_OK;
}

/* ---- slots ---- */

static void forget_values(struct hg_fields *f)
{
    for (uint32_t i = 0; i < f->present_count; i++)
        f->values[f->present[i]] = missing;
    f->present_count = 0;
    f->round++;
}

/* The three arrays grow together; when one cannot, the others are only larger than needed. */
static hg_result grow_slots(struct hg_fields *f)
{
    uint32_t capacity = f->slot_capacity ? f->slot_capacity * 2 : 8;
    struct slot *slots = realloc(f->slots, capacity * sizeof(*slots));
    if (!slots)
        return HG_FAIL(NOMEM);
    f->slots = slots;
    struct hg_value *values = realloc(f->values, capacity * sizeof(*values));
    if (!values)
        return HG_FAIL(NOMEM);
    f->values = values;
    uint32_t *present = realloc(f->present, capacity * sizeof(*present));
    if (!present)
        return HG_FAIL(NOMEM);
    f->present = present;
    f->slot_capacity = capacity;
    return HG_OK;
}

static hg_result add_slot(struct hg_fields *f, uint32_t place, uint32_t *ret_slot)
{
    if (f->first_free_slot == NONE && f->slot_count == f->slot_capacity)
        HG_TRY(grow_slots(f));
    uint32_t number = f->first_free_slot;
    if (number != NONE)
        f->first_free_slot = f->slots[number].next_free;
    else
        number = f->slot_count++;
    f->slots[number] = (struct slot){.place = place, .users = 1, .alias = NONE};
    f->values[number] = missing;
    if (place != NONE) {
        f->places[place].slot = number;
        count_path(f, place, 1);
    }
    *ret_slot = number;
    return HG_OK;
}

static void drop_slot(struct hg_fields *f, uint32_t number)
{
    struct slot *slot = &f->slots[number];
    uint32_t place = slot->place;
    slot->users = 0;
    slot->next_free = f->first_free_slot;
    f->first_free_slot = number;
    if (place == NONE) {
        f->topic_slot = NONE;
        return;
    }
    f->places[place].slot = NONE;
    count_path(f, place, -1);
    drop_places(f, place);
}

static struct hg_slice alias_of(struct hg_slice path)
{
    if (hg_slice_is(path, "id"))
        return HG_LIT("eventId");
    if (hg_slice_is(path, "type"))
        return HG_LIT("eventType");
    return hg_slice_is(path, "time") ? HG_LIT("timestamp") : HG_SLICE_NULL;
}

static hg_result add_at_place(struct hg_fields *f, struct hg_slice path, uint32_t *ret_slot)
{
    uint32_t place;
    HG_TRY(reach(f, path, &place));
    if (f->places[place].slot != NONE) {
        *ret_slot = f->places[place].slot;
        f->slots[*ret_slot].users++;
        return HG_OK;
    }
    hg_result r = add_slot(f, place, ret_slot);
    if (!hg_ok(r))
        drop_places(f, place);
    return r;
}

hg_result hg_fields_add(struct hg_fields *f, struct hg_slice path, uint32_t *ret_slot)
{
    uint32_t slot, alias;
    forget_values(f);
    if (hg_slice_is(path, "topic")) {
        if (f->topic_slot == NONE) {
            HG_TRY(add_slot(f, NONE, &slot));
            f->topic_slot = slot;
        } else {
            f->slots[f->topic_slot].users++;
        }
        *ret_slot = f->topic_slot;
        return HG_OK;
    }
    HG_TRY(add_at_place(f, path, &slot));
    struct hg_slice other = alias_of(path);
    if (other.len > 0 && f->slots[slot].alias == NONE) {
        hg_result r = add_at_place(f, other, &alias);
        if (!hg_ok(r)) {
            hg_fields_remove(f, slot);
            return r;
        }
        f->slots[slot].alias = alias;
    }
    *ret_slot = slot;
    return HG_OK;
}

void hg_fields_remove(struct hg_fields *f, uint32_t number)
{
    HG_ASSERT(number < f->slot_count && f->slots[number].users > 0);
    forget_values(f);
    if (--f->slots[number].users > 0)
        return;
    uint32_t alias = f->slots[number].alias;
    drop_slot(f, number);
    if (alias != NONE)
        hg_fields_remove(f, alias);
}

hg_result hg_fields_add_filter(struct hg_fields *f, const struct hg_filter *filter, uint32_t *ret_slots)
{
    unsigned count = hg_filter_path_count(filter);
    for (unsigned i = 0; i < count; i++) {
        hg_result r = hg_fields_add(f, hg_filter_path(filter, i), &ret_slots[i]);
        if (!hg_ok(r)) {
            while (i > 0)
                hg_fields_remove(f, ret_slots[--i]);
            return r;
        }
    }
    return HG_OK;
}

void hg_fields_remove_filter(struct hg_fields *f, const struct hg_filter *filter, const uint32_t *slots)
{
    for (unsigned i = hg_filter_path_count(filter); i > 0; i--)
        hg_fields_remove(f, slots[i - 1]);
}

/* ---- the walk; the text was found to be JSON before, so it only looks for where things end ---- */

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

/* Behind the closing quote. */
static const char *skip_string(const char *at, bool *ret_escapes)
{
    *ret_escapes = false;
    for (at++; *at != '"'; at++)
        if (*at == '\\') {
            *ret_escapes = true;
            at++;
        }
    return at + 1;
}

/* Behind the end of the container `at` is inside of. */
static const char *skip_rest(const char *at)
{
    bool escapes;
    for (unsigned depth = 1; depth > 0;) {
        char c = *at;
        if (c == '"') {
            at = skip_string(at, &escapes);
            continue;
        }
        at++;
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
    }
    return at;
}

static bool is_end(char c)
{
    return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static const char *skip_value(const char *at, const char *end)
{
    bool escapes;
    if (*at == '"')
        return skip_string(at, &escapes);
    if (*at == '{' || *at == '[')
        return skip_rest(at + 1);
    while (at < end && !is_end(*at))
        at++;
    return at;
}

/* Decodes a raw string into the scratch; false when there is no room or it has no UTF-8. */
static bool decode(struct hg_slice raw, struct hg_scratch *scratch, struct hg_slice *ret_text)
{
    size_t room = scratch->size - scratch->used;
    if (room == 0)
        return false;
    /* Capacity and maximum are the same, so that it never asks for memory. */
    struct hg_buf into = {.ptr = scratch->ptr + scratch->used, .capacity = room, .max = room};
    if (!hg_ok(hg_json_string_decode((struct hg_json){HG_JSON_STRING, raw}, &into)))
        return false;
    *ret_text = hg_slice(into.ptr, into.len);
    scratch->used += into.len;
    return true;
}

static void set(struct hg_fields *f, uint32_t slot, struct hg_value value)
{
    f->values[slot] = value;
    if (f->slots[slot].listed != f->round) {
        f->slots[slot].listed = f->round;
        f->present[f->present_count++] = slot;
    }
}

/* The same name came again: what was found below it the time before does not count. Costs no more than finding it did.
 */
static void forget_below(struct hg_fields *f, uint32_t number)
{
    struct place *place = &f->places[number];
    if (place->slot != NONE)
        f->values[place->slot] = missing;
    for (uint32_t child = place->first_seen; child != NONE; child = f->places[child].next_seen) {
        forget_below(f, child);
        f->places[child].seen = 0;
    }
    place->first_seen = NONE;
}

static void visit(struct hg_fields *f, uint32_t number)
{
    struct place *place = &f->places[number], *parent = &f->places[place->parent];
    if (place->seen == f->round) {
        forget_below(f, number);
        return;
    }
    place->seen = f->round;
    place->first_seen = NONE;
    place->next_seen = parent->first_seen;
    parent->first_seen = number;
}

static void take_scalar(struct hg_fields *f, uint32_t slot, struct hg_slice raw, bool escapes,
                        struct hg_scratch *scratch)
{
    struct hg_value value;
    struct hg_slice text;
    switch (raw.ptr[0]) {
    case '"':
        text = hg_slice(raw.ptr + 1, raw.len - 2);
        if (escapes && !decode(raw, scratch, &text))
            return;
        value = hg_value_string(text);
        break;
    case 't':
    case 'f':
        value = hg_value_bool(raw.ptr[0] == 't');
        break;
    case 'n':
        value = (struct hg_value){.type = HG_VALUE_NULL};
        break;
    default:
        if (!hg_number_parse(raw, &value))
            return;
    }
    set(f, slot, value);
}

static uint32_t find_key(const struct hg_fields *f, uint32_t parent, struct hg_slice raw, bool escapes)
{
    if (!escapes)
        return find_name(f, parent, hg_slice(raw.ptr + 1, raw.len - 2));
    char memory[HG_FILTER_BYTES_MAX]; /* no path has a longer name */
    struct hg_scratch scratch = {memory, sizeof(memory), 0};
    struct hg_slice name;
    return decode(raw, &scratch, &name) ? find_name(f, parent, name) : NONE;
}

struct frame {
    uint32_t place;
    uint32_t index;
    bool object;
};

static void walk(struct hg_fields *f, struct hg_slice raw, struct hg_scratch *scratch)
{
    struct frame frames[HG_PATH_DEPTH_MAX + 1];
    unsigned depth = 1;
    const char *at = raw.ptr + 1, *end = raw.ptr + raw.len;
    frames[0] = (struct frame){.object = true};
    f->places[0].first_seen = NONE;
    while (depth > 0) {
        struct frame *frame = &frames[depth - 1];
        uint32_t place;
        bool escapes = false;
        at = skip_space(at);
        if (*at == ',')
            at = skip_space(at + 1);
        if (*at == '}' || *at == ']') {
            at++;
            depth--;
            continue;
        }
        if (frame->object) {
            const char *key = at;
            at = skip_string(at, &escapes);
            place = find_key(f, frame->place, hg_slice(key, (size_t)(at - key)), escapes);
            at = skip_space(skip_space(at) + 1);
        } else if (frame->index >= f->places[frame->place].index_end) {
            at = skip_rest(at);
            depth--;
            continue;
        } else {
            place = find_index(f, frame->place, frame->index++);
        }
        if (place == NONE) {
            at = skip_value(at, end);
            continue;
        }
        visit(f, place);
        uint32_t slot = f->places[place].slot;
        if (*at == '{' || *at == '[') {
            bool object = *at == '{';
            if (slot != NONE)
                set(f, slot, (struct hg_value){.type = HG_VALUE_OTHER});
            at++;
            if (object ? f->places[place].lengths != 0 : f->places[place].index_end > 0)
                frames[depth++] = (struct frame){.place = place, .object = object};
            else
                at = skip_rest(at);
            continue;
        }
        const char *from = at;
        at = *at == '"' ? skip_string(at, &escapes) : skip_value(at, end);
        if (slot != NONE)
            take_scalar(f, slot, hg_slice(from, (size_t)(at - from)), escapes, scratch);
    }
}

void hg_fields_extract_json(struct hg_fields *f, struct hg_json event, struct hg_slice topic,
                            struct hg_scratch *scratch)
{
    forget_values(f);
    if (f->topic_slot != NONE)
        set(f, f->topic_slot, hg_value_string(topic));
    if (event.type != HG_JSON_OBJECT || f->places[0].child_count == 0)
        return;
    walk(f, event.raw, scratch);
    static const char *const doubled[] = {"id", "type", "time"};
    for (size_t i = 0; i < 3; i++) {
        uint32_t place = find_name(f, 0, hg_slice_str(doubled[i]));
        uint32_t slot = place != NONE ? f->places[place].slot : NONE;
        uint32_t alias = slot != NONE ? f->slots[slot].alias : NONE;
        if (alias != NONE && !f->values[alias].error &&
            (f->values[slot].error || f->values[slot].type == HG_VALUE_NULL))
            set(f, slot, f->values[alias]);
    }
}

bool hg_fields_extract(struct hg_fields *f, struct hg_slice event, struct hg_slice topic, struct hg_scratch *scratch)
{
    struct hg_json json = {HG_JSON_NULL, HG_SLICE_NULL};
    bool ok = hg_ok(hg_json_parse(event, &json, NULL));
    hg_fields_extract_json(f, json, topic, scratch);
    return ok;
}

/* ---- the object ---- */

hg_result hg_fields_new(struct hg_hash_key hash_key, struct hg_fields **ret_fields)
{
    struct hg_fields *f = malloc(sizeof(*f));
    if (!f)
        return HG_FAIL(NOMEM);
    *f = (struct hg_fields){
        .hash_key = hash_key, .first_free_place = NONE, .first_free_slot = NONE, .topic_slot = NONE, .round = 1};
    hg_result r = grow_places(f);
    if (!hg_ok(r)) {
        hg_fields_free(f);
        return r;
    }
    f->places[f->place_count++] = (struct place){.parent = NONE, .first_child = NONE, .slot = NONE, .first_seen = NONE};
    *ret_fields = f;
    return HG_OK;
}

void hg_fields_free(struct hg_fields *f)
{
    if (!f)
        return;
    for (uint32_t i = 1; i < f->place_count; i++)
        free(f->places[i].name);
    free(f->places);
    free(f->buckets);
    free(f->slots);
    free(f->values);
    free(f->present);
    free(f);
}

const struct hg_value *hg_fields_values(const struct hg_fields *f)
{
    return f->values;
}

const uint32_t *hg_fields_present(const struct hg_fields *f, size_t *ret_count)
{
    *ret_count = f->present_count;
    return f->present;
}

size_t hg_fields_slot_count(const struct hg_fields *f)
{
    return f->slot_count;
}

void hg_fields_validate(const struct hg_fields *f)
{
    uint64_t used = 0, paths = 0, children = 0, listed = 0;
    for (uint32_t i = 0; i < f->slot_count; i++) {
        const struct slot *slot = &f->slots[i];
        HG_ASSERT(slot->users > 0 || f->values[i].error == HG_VALUE_MISSING);
        if (slot->users == 0)
            continue;
        used++;
        HG_ASSERT(slot->place == NONE ? f->topic_slot == i : f->places[slot->place].slot == i);
        HG_ASSERT(slot->alias == NONE || f->slots[slot->alias].users > 0);
    }
    for (uint32_t i = 0; i < f->place_count; i++) {
        const struct place *place = &f->places[i];
        if (i > 0 && place->paths == 0)
            continue;
        listed += i > 0;
        uint64_t below = place->slot != NONE, count = 0;
        for (uint32_t child = place->first_child; child != NONE; child = f->places[child].next_sibling) {
            const struct place *under = &f->places[child];
            HG_ASSERT(under->parent == i && under->paths > 0);
            HG_ASSERT(child == (under->name ? find_name(f, i, hg_slice(under->name, under->name_len))
                                            : find_index(f, i, under->index)));
            below += under->paths;
            count++;
        }
        HG_ASSERT(count == place->child_count);
        HG_ASSERT(i == 0 || below == place->paths);
        children += count;
        if (i == 0)
            paths = below;
    }
    HG_ASSERT(children == listed && paths + (f->topic_slot != NONE) == used);
}
