#include "filter/index.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/prng.h"
#include "filter/cast.h"
#include "filter/parse.h"
#include "filter/plan.h"
#include "filter/program.h"

/* One condition of one filter. It hangs in the list of its key, or of all that want the place to exist, or in a tree.
 */
struct access {
    struct access *next, **link; /* `link` points at what points here */
    struct hg_filter_entry *entry;
    union {
        struct key *key;
        struct range *range;
    };
    uint32_t slot;
    uint8_t kind; /* enum hg_condition_kind */
};

struct hg_filter_entry {
    struct hg_filter *filter;
    void *value;
    uint64_t seen;                        /* the round in which it was a candidate */
    struct hg_filter_entry *next, **link; /* of those without condition */
    uint32_t access_count;
    bool exact;
    /* Behind it: the accesses, then a slot for each path of the filter. */
};

struct range {
    struct hg_interval interval;
    struct access *access;
};

/* What a value must be equal to, or begin with. */
struct key {
    struct key *next; /* in its bucket */
    struct access *first;
    uint64_t hash;
    uint32_t slot, count, len;
    uint8_t kind;
    char bytes[];
};

struct prefix_length {
    uint32_t len, keys;
};

/* All that hangs on one place of the event. */
struct slot {
    uint32_t keys[HG_CONDITION_KEYS]; /* how many different ones */
    uint32_t range_count, exists_count;
    struct hg_interval *ranges;
    struct access *exists;
    struct prefix_length *prefixes; /* by length */
    uint32_t prefix_count, prefix_capacity;
};

struct hg_filter_index {
    struct hg_hash_key hash_key;
    struct hg_fields *fields;
    struct hg_prng prng; /* gives the trees their shape */
    struct key **buckets;
    size_t bucket_count, key_count; /* a power of two */
    struct slot *slots;
    size_t slot_count;
    struct hg_filter_entry *rest; /* those without condition */
    size_t rest_count, count;
    uint64_t round;
};

static struct access *accesses_of(const struct hg_filter_entry *entry)
{
    return (struct access *)(uintptr_t)(entry + 1);
}

static uint32_t *slots_of(const struct hg_filter_entry *entry)
{
    return (uint32_t *)(void *)(accesses_of(entry) + entry->access_count);
}

/* ---- keys ---- */

static struct hg_hash hash_start(const struct hg_filter_index *index, uint32_t slot, uint8_t kind)
{
    struct hg_hash hash;
    hg_hash_init(&hash, index->hash_key);
    hg_hash_add_u64(&hash, (uint64_t)kind << 32 | slot);
    return hash;
}

static uint64_t hash_of(const struct hg_filter_index *index, uint32_t slot, uint8_t kind, struct hg_slice bytes)
{
    struct hg_hash hash = hash_start(index, slot, kind);
    hg_hash_add(&hash, bytes);
    return hg_hash_value(&hash);
}

static struct key *find_hashed(const struct hg_filter_index *index, uint64_t hash, uint32_t slot, uint8_t kind,
                               struct hg_slice bytes)
{
    struct key *key = index->buckets[hash & (index->bucket_count - 1)];
    while (key && (key->hash != hash || key->slot != slot || key->kind != kind ||
                   !hg_slice_eq(hg_slice(key->bytes, key->len), bytes)))
        key = key->next;
    return key;
}

static struct key *find(const struct hg_filter_index *index, uint32_t slot, uint8_t kind, struct hg_slice bytes)
{
    return find_hashed(index, hash_of(index, slot, kind, bytes), slot, kind, bytes);
}

/* The bytes of a number, truth or null; `out` holds ten. */
static struct hg_slice scalar_bytes(struct hg_value value, char *out)
{
    memcpy(out, &value.number, 8);
    memcpy(out + 8, &value.exponent, 2);
    return hg_slice(out, 10);
}

static struct hg_slice condition_bytes(const struct hg_condition *condition, char *out)
{
    if (condition->kind == HG_CONDITION_TEXT || condition->kind == HG_CONDITION_OWN_TEXT ||
        condition->kind == HG_CONDITION_PREFIX)
        return hg_condition_text(condition);
    return scalar_bytes(condition->key, out);
}

static void grow_keys(struct hg_filter_index *index)
{
    size_t count = index->bucket_count * 2;
    struct key **buckets = calloc(count, sizeof(struct key *)), *next;
    if (!buckets)
        return; /* only slower */
    for (size_t i = 0; i < index->bucket_count; i++)
        for (struct key *key = index->buckets[i]; key; key = next) {
            next = key->next;
            struct key **bucket = &buckets[key->hash & (count - 1)];
            key->next = *bucket;
            *bucket = key;
        }
    free(index->buckets);
    index->buckets = buckets;
    index->bucket_count = count;
}

/* Where the length stands among the slot's, or would. */
static uint32_t prefix_place(const struct slot *slot, uint32_t len)
{
    uint32_t low = 0, high = slot->prefix_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slot->prefixes[middle].len < len)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static hg_result count_prefix(struct slot *slot, uint32_t len)
{
    uint32_t at = prefix_place(slot, len);
    if (at < slot->prefix_count && slot->prefixes[at].len == len) {
        slot->prefixes[at].keys++;
        return HG_OK;
    }
    if (slot->prefix_count == slot->prefix_capacity) {
        uint32_t capacity = slot->prefix_capacity ? slot->prefix_capacity * 2 : 4;
        struct prefix_length *prefixes = realloc(slot->prefixes, capacity * sizeof(*prefixes));
        if (!prefixes)
            return HG_FAIL(NOMEM);
        slot->prefixes = prefixes;
        slot->prefix_capacity = capacity;
    }
    memmove(slot->prefixes + at + 1, slot->prefixes + at, (slot->prefix_count - at) * sizeof(*slot->prefixes));
    slot->prefixes[at] = (struct prefix_length){len, 1};
    slot->prefix_count++;
    return HG_OK;
}

static void uncount_prefix(struct slot *slot, uint32_t len)
{
    uint32_t at = prefix_place(slot, len);
    HG_ASSERT(at < slot->prefix_count && slot->prefixes[at].len == len);
    if (--slot->prefixes[at].keys > 0)
        return;
    slot->prefix_count--;
    memmove(slot->prefixes + at, slot->prefixes + at + 1, (slot->prefix_count - at) * sizeof(*slot->prefixes));
}

static hg_result need_key(struct hg_filter_index *index, uint32_t slot, uint8_t kind, struct hg_slice bytes,
                          struct key **ret_key)
{
    uint64_t hash = hash_of(index, slot, kind, bytes);
    struct key *key = find_hashed(index, hash, slot, kind, bytes);
    if (!key) {
        if (index->key_count >= index->bucket_count)
            grow_keys(index);
        key = malloc(sizeof(*key) + bytes.len);
        if (!key)
            return HG_FAIL(NOMEM);
        if (kind == HG_CONDITION_PREFIX) {
            hg_result r = count_prefix(&index->slots[slot], (uint32_t)bytes.len);
            if (!hg_ok(r)) {
                free(key);
                return r;
            }
        }
        struct key **bucket = &index->buckets[hash & (index->bucket_count - 1)];
        *key = (struct key){.next = *bucket, .hash = hash, .slot = slot, .len = (uint32_t)bytes.len, .kind = kind};
        if (bytes.len > 0)
            memcpy(key->bytes, bytes.ptr, bytes.len);
        *bucket = key;
        index->key_count++;
        index->slots[slot].keys[kind]++;
    }
    *ret_key = key;
    return HG_OK;
}

static void drop_key(struct hg_filter_index *index, struct key *key)
{
    struct key **at = &index->buckets[key->hash & (index->bucket_count - 1)];
    while (*at != key)
        at = &(*at)->next;
    *at = key->next;
    index->key_count--;
    index->slots[key->slot].keys[key->kind]--;
    if (key->kind == HG_CONDITION_PREFIX)
        uncount_prefix(&index->slots[key->slot], key->len);
    free(key);
}

/* ---- adding and removing ---- */

static void hang(struct access **list, struct access *access)
{
    access->next = *list;
    access->link = list;
    if (*list)
        (*list)->link = &access->next;
    *list = access;
}

static void unhang(struct access *access)
{
    *access->link = access->next;
    if (access->next)
        access->next->link = access->link;
}

static hg_result grow_slots(struct hg_filter_index *index)
{
    size_t count = hg_fields_slot_count(index->fields);
    if (count <= index->slot_count)
        return HG_OK;
    count = count < 2 * index->slot_count ? 2 * index->slot_count : count;
    struct slot *slots = realloc(index->slots, count * sizeof(*slots));
    if (!slots)
        return HG_FAIL(NOMEM);
    /* The lists' first links point into the array. */
    for (size_t i = 0; i < index->slot_count; i++)
        if (slots[i].exists)
            slots[i].exists->link = &slots[i].exists;
    memset(slots + index->slot_count, 0, (count - index->slot_count) * sizeof(*slots));
    index->slots = slots;
    index->slot_count = count;
    return HG_OK;
}

struct weighing {
    const struct hg_filter_index *index;
    const struct hg_tree *tree;
    const struct hg_filter *filter;
    const uint32_t *slots;
};

static uint32_t slot_of(const struct weighing *w, const struct hg_condition *condition)
{
    struct hg_slice path = hg_slice(w->tree->texts.ptr + condition->path_at, condition->path_len);
    for (unsigned i = 0; i < hg_filter_path_count(w->filter); i++)
        if (hg_slice_eq(hg_filter_path(w->filter, i), path))
            return w->slots[i];
    HG_UNREACHABLE();
}

/* How many candidates a condition may bring, roughly: few that are equal are better than one of many ranges. */
static uint64_t weigh(void *context, const struct hg_condition *condition)
{
    const struct weighing *w = context;
    uint32_t number = slot_of(w, condition);
    const struct slot *slot = &w->index->slots[number];
    char out[16];
    if (condition->kind == HG_CONDITION_EXISTS)
        return 32 + (uint64_t)slot->exists_count;
    if (condition->kind == HG_CONDITION_RANGE)
        return condition->low.none || condition->high.none ? 16 + slot->range_count / 2 : 4 + slot->range_count / 16;
    const struct key *key = find(w->index, number, (uint8_t)condition->kind, condition_bytes(condition, out));
    uint64_t few = condition->kind == HG_CONDITION_TRUTH || condition->kind == HG_CONDITION_NULL ? 8
                   : condition->kind == HG_CONDITION_PREFIX                                      ? 2
                                                                                                 : 0;
    return few + (key ? key->count : 0);
}

static hg_result hang_condition(struct hg_filter_index *index, const struct hg_condition *condition,
                                struct access *access)
{
    struct slot *slot = &index->slots[access->slot];
    char out[16];
    if (condition->kind == HG_CONDITION_EXISTS) {
        hang(&slot->exists, access);
        slot->exists_count++;
    } else if (condition->kind == HG_CONDITION_RANGE) {
        struct range *range = malloc(sizeof(*range));
        if (!range)
            return HG_FAIL(NOMEM);
        *range = (struct range){.access = access};
        range->interval.low = condition->low;
        range->interval.high = condition->high;
        range->interval.priority = hg_prng_next(&index->prng);
        access->range = range;
        hg_interval_insert(&slot->ranges, &range->interval);
        slot->range_count++;
    } else {
        struct key *key = NULL;
        HG_TRY(need_key(index, access->slot, (uint8_t)condition->kind, condition_bytes(condition, out), &key));
        access->key = key;
        hang(&key->first, access);
        key->count++;
    }
    return HG_OK;
}

static void unhang_access(struct hg_filter_index *index, struct access *access)
{
    struct slot *slot = &index->slots[access->slot];
    if (access->kind == HG_CONDITION_EXISTS) {
        unhang(access);
        slot->exists_count--;
    } else if (access->kind == HG_CONDITION_RANGE) {
        hg_interval_remove(&slot->ranges, &access->range->interval);
        slot->range_count--;
        free(access->range);
    } else {
        unhang(access);
        if (--access->key->count == 0)
            drop_key(index, access->key);
    }
}

/* Gives the entry its conditions; all or none. */
static hg_result hang_entry(struct hg_filter_index *index, struct hg_filter_entry *entry, const struct hg_plan *plan,
                            const struct weighing *w)
{
    for (uint32_t i = 0; i < entry->access_count; i++) {
        const struct hg_condition *condition = hg_plan_at(plan, i);
        struct access *access = &accesses_of(entry)[i];
        *access = (struct access){.entry = entry, .slot = slot_of(w, condition), .kind = (uint8_t)condition->kind};
        hg_result r = hang_condition(index, condition, access);
        if (!hg_ok(r)) {
            while (i > 0)
                unhang_access(index, &accesses_of(entry)[--i]);
            return r;
        }
    }
    if (entry->access_count == 0) {
        entry->next = index->rest;
        entry->link = &index->rest;
        if (index->rest)
            index->rest->link = &entry->next;
        index->rest = entry;
        index->rest_count++;
    }
    return HG_OK;
}

static hg_result add_planned(struct hg_filter_index *index, struct hg_filter *filter, void *value,
                             const struct hg_plan *plan, const struct weighing *w, struct hg_filter_entry **ret_entry)
{
    unsigned paths = hg_filter_path_count(filter);
    size_t conditions = hg_plan_count(plan);
    struct hg_filter_entry *entry =
        malloc(sizeof(*entry) + conditions * sizeof(struct access) + paths * sizeof(uint32_t));
    if (!entry)
        return HG_FAIL(NOMEM);
    *entry = (struct hg_filter_entry){
        .filter = filter, .value = value, .access_count = (uint32_t)conditions, .exact = plan->exact};
    if (paths > 0)
        memcpy(slots_of(entry), w->slots, paths * sizeof(uint32_t));
    hg_result r = hang_entry(index, entry, plan, w);
    if (!hg_ok(r)) {
        free(entry);
        return r;
    }
    *ret_entry = entry;
    return HG_OK;
}

hg_result hg_filter_index_add(struct hg_filter_index *index, struct hg_filter *filter, void *value,
                              struct hg_filter_entry **ret_entry)
{
    struct hg_tree tree;
    struct hg_filter_report report;
    struct hg_plan plan;
    struct hg_parse_options options = {.dialect = HG_DIALECT_CANONICAL};
    unsigned paths = hg_filter_path_count(filter);
    uint32_t few[8], *slots = paths <= 8 ? few : malloc(paths * sizeof(*slots));
    if (!slots)
        return HG_FAIL(NOMEM);
    hg_tree_init(&tree, UINT16_MAX / 2);
    struct weighing weighing = {index, &tree, filter, slots};
    hg_result r = hg_parse_expression(hg_filter_canonical(filter), options, &tree, &tree.root, &report);
    HG_ASSERT(r.code != HG_ERR_FILTER_INVALID); /* it was read before */
    if (hg_ok(r)) {
        r = hg_fields_add_filter(index->fields, filter, slots);
        if (hg_ok(r)) {
            r = grow_slots(index);
            if (hg_ok(r))
                r = hg_plan_make(&tree, weigh, &weighing, &plan);
            if (hg_ok(r)) {
                r = add_planned(index, filter, value, &plan, &weighing, ret_entry);
                hg_plan_done(&plan);
            }
            if (!hg_ok(r))
                hg_fields_remove_filter(index->fields, filter, slots);
        }
    }
    hg_tree_done(&tree);
    if (slots != few)
        free(slots);
    if (hg_ok(r)) {
        hg_filter_ref(filter);
        index->count++;
    }
    return r;
}

void hg_filter_index_remove(struct hg_filter_index *index, struct hg_filter_entry *entry)
{
    for (uint32_t i = 0; i < entry->access_count; i++)
        unhang_access(index, &accesses_of(entry)[i]);
    if (entry->access_count == 0) {
        *entry->link = entry->next;
        if (entry->next)
            entry->next->link = entry->link;
        index->rest_count--;
    }
    hg_fields_remove_filter(index->fields, entry->filter, slots_of(entry));
    hg_filter_unref(entry->filter);
    free(entry);
    index->count--;
}

/* ---- matching ---- */

struct matching {
    struct hg_filter_index *index;
    struct hg_scratch *scratch;
    void (*visit)(void *context, void *value);
    void *context;
};

static void consider(struct matching *m, struct hg_filter_entry *entry)
{
    if (entry->seen == m->index->round)
        return;
    entry->seen = m->index->round;
    if (entry->exact || hg_filter_index_test(m->index, entry, m->scratch))
        m->visit(m->context, entry->value);
}

static void consider_all(struct matching *m, struct access *first)
{
    for (; first; first = first->next)
        consider(m, first->entry);
}

static void consider_key(struct matching *m, uint32_t slot, enum hg_condition_kind kind, struct hg_slice bytes)
{
    if (m->index->slots[slot].keys[kind] == 0)
        return;
    struct key *key = find(m->index, slot, (uint8_t)kind, bytes);
    if (key)
        consider_all(m, key->first);
}

static void consider_range(void *context, const struct hg_interval *interval)
{
    struct matching *m = context;
    consider(m, ((const struct range *)(const void *)interval)->access->entry);
}
_Static_assert(offsetof(struct range, interval) == 0, "an interval is found in its range");

static void consider_prefixes(struct matching *m, uint32_t number, struct hg_slice text)
{
    const struct slot *slot = &m->index->slots[number];
    struct hg_hash hash = hash_start(m->index, number, HG_CONDITION_PREFIX);
    size_t hashed = 0;
    for (uint32_t i = 0; i < slot->prefix_count && slot->prefixes[i].len <= text.len; i++) {
        size_t len = slot->prefixes[i].len;
        hg_hash_add(&hash, hg_slice(text.ptr + hashed, len - hashed));
        hashed = len;
        struct key *key =
            find_hashed(m->index, hg_hash_value(&hash), number, HG_CONDITION_PREFIX, hg_slice_first(text, len));
        if (key)
            consider_all(m, key->first);
    }
}

static void consider_value(struct matching *m, uint32_t number, struct hg_value value)
{
    const struct slot *slot = &m->index->slots[number];
    char made[HG_NUMBER_TEXT_MAX], out[16];
    consider_all(m, slot->exists);
    if (value.type == HG_VALUE_OTHER)
        return;
    if (value.type == HG_VALUE_NULL) {
        consider_key(m, number, HG_CONDITION_NULL, scalar_bytes(value, out));
        return;
    }
    if (slot->keys[HG_CONDITION_TEXT] + slot->keys[HG_CONDITION_OWN_TEXT] + slot->prefix_count > 0) {
        struct hg_scratch scratch = {made, sizeof(made), 0};
        struct hg_slice text = hg_value_text(hg_cast_text(value, &scratch));
        /* No key is longer than a filter. */
        if (text.len <= HG_FILTER_CANONICAL_MAX) {
            consider_key(m, number, HG_CONDITION_TEXT, text);
            if (value.type == HG_VALUE_STRING)
                consider_key(m, number, HG_CONDITION_OWN_TEXT, text);
        }
        consider_prefixes(m, number, text);
    }
    if (slot->keys[HG_CONDITION_NUMBER] + slot->keys[HG_CONDITION_OWN_NUMBER] + slot->range_count > 0) {
        struct hg_value as_number = hg_cast_number(value, false);
        if (!as_number.error) {
            consider_key(m, number, HG_CONDITION_NUMBER, scalar_bytes(as_number, out));
            if (hg_value_is_number(value))
                consider_key(m, number, HG_CONDITION_OWN_NUMBER, scalar_bytes(as_number, out));
            hg_interval_find(slot->ranges, as_number, consider_range, m);
        }
    }
    if (slot->keys[HG_CONDITION_TRUTH] + slot->keys[HG_CONDITION_OWN_TRUTH] > 0) {
        struct hg_value truth = hg_cast_bool(value);
        if (!truth.error)
            consider_key(m, number, HG_CONDITION_TRUTH, scalar_bytes(truth, out));
        if (value.type == HG_VALUE_BOOL)
            consider_key(m, number, HG_CONDITION_OWN_TRUTH, scalar_bytes(value, out));
    }
}

void hg_filter_index_match(struct hg_filter_index *index, struct hg_scratch *scratch,
                           void (*visit)(void *context, void *value), void *context)
{
    struct matching matching = {index, scratch, visit, context};
    size_t count;
    const uint32_t *present = hg_fields_present(index->fields, &count);
    const struct hg_value *values = hg_fields_values(index->fields);
    HG_PARANOID_CHECK(hg_filter_index_validate(index));
    index->round++;
    for (size_t i = 0; i < count; i++)
        if (present[i] < index->slot_count && !values[present[i]].error)
            consider_value(&matching, present[i], values[present[i]]);
    for (struct hg_filter_entry *entry = index->rest; entry; entry = entry->next)
        consider(&matching, entry);
}

bool hg_filter_index_test(const struct hg_filter_index *index, const struct hg_filter_entry *entry,
                          struct hg_scratch *scratch)
{
    return hg_filter_passes(entry->filter, hg_fields_values(index->fields), slots_of(entry), scratch);
}

bool hg_filter_index_extract(struct hg_filter_index *index, struct hg_slice event, struct hg_slice topic,
                             struct hg_scratch *scratch)
{
    return hg_fields_extract(index->fields, event, topic, scratch);
}

void hg_filter_index_extract_json(struct hg_filter_index *index, struct hg_json event, struct hg_slice topic,
                                  struct hg_scratch *scratch)
{
    hg_fields_extract_json(index->fields, event, topic, scratch);
}

/* ---- the object ---- */

hg_result hg_filter_index_new(struct hg_hash_key hash_key, struct hg_filter_index **ret_index)
{
    struct hg_filter_index *index = calloc(1, sizeof(*index));
    if (!index)
        return HG_FAIL(NOMEM);
    index->hash_key = hash_key;
    index->bucket_count = 16;
    hg_prng_init(&index->prng, hash_key.k0 ^ hash_key.k1);
    index->buckets = calloc(index->bucket_count, sizeof(struct key *));
    hg_result r = index->buckets ? hg_fields_new(hash_key, &index->fields) : HG_FAIL(NOMEM);
    if (!hg_ok(r)) {
        free(index->buckets);
        free(index);
        return r;
    }
    *ret_index = index;
    return HG_OK;
}

void hg_filter_index_free(struct hg_filter_index *index)
{
    if (!index)
        return;
    while (index->rest)
        hg_filter_index_remove(index, index->rest);
    for (size_t i = 0; i < index->bucket_count; i++)
        while (index->buckets[i])
            hg_filter_index_remove(index, index->buckets[i]->first->entry);
    for (size_t i = 0; i < index->slot_count; i++) {
        while (index->slots[i].exists)
            hg_filter_index_remove(index, index->slots[i].exists->entry);
        while (index->slots[i].ranges)
            hg_filter_index_remove(index, ((struct range *)(void *)index->slots[i].ranges)->access->entry);
        free(index->slots[i].prefixes);
    }
    HG_ASSERT(index->count == 0);
    hg_fields_free(index->fields);
    free(index->buckets);
    free(index->slots);
    free(index);
}

size_t hg_filter_index_count(const struct hg_filter_index *index)
{
    return index->count;
}

static void validate_access(const struct hg_filter_index *index, const struct access *access, uint32_t slot,
                            uint8_t kind)
{
    const struct hg_filter_entry *entry = access->entry;
    size_t place = (size_t)(access - accesses_of(entry));
    HG_ASSERT(place < entry->access_count && access->slot == slot && access->kind == kind);
    HG_ASSERT(entry->seen <= index->round);
}

void hg_filter_index_validate(const struct hg_filter_index *index)
{
    size_t keys = 0, rest = 0;
    hg_fields_validate(index->fields);
    for (size_t i = 0; i < index->bucket_count; i++)
        for (const struct key *key = index->buckets[i]; key; key = key->next) {
            uint32_t count = 0;
            keys++;
            HG_ASSERT((key->hash & (index->bucket_count - 1)) == i);
            for (struct access *const *link = &key->first; *link; link = &(*link)->next) {
                HG_ASSERT((*link)->link == link && (*link)->key == key);
                validate_access(index, *link, key->slot, key->kind);
                count++;
            }
            HG_ASSERT(count == key->count && count > 0);
        }
    HG_ASSERT(keys == index->key_count);
    for (size_t i = 0; i < index->slot_count; i++) {
        const struct slot *slot = &index->slots[i];
        uint32_t count = 0, of_kinds = 0;
        for (struct access *const *link = &slot->exists; *link; link = &(*link)->next) {
            HG_ASSERT((*link)->link == link);
            validate_access(index, *link, (uint32_t)i, HG_CONDITION_EXISTS);
            count++;
        }
        HG_ASSERT(count == slot->exists_count && hg_interval_validate(slot->ranges) == slot->range_count);
        for (uint32_t j = 0; j < slot->prefix_count; j++) {
            HG_ASSERT(slot->prefixes[j].keys > 0 && (j == 0 || slot->prefixes[j - 1].len < slot->prefixes[j].len));
            of_kinds += slot->prefixes[j].keys;
        }
        HG_ASSERT(of_kinds == slot->keys[HG_CONDITION_PREFIX]);
    }
    for (const struct hg_filter_entry *entry = index->rest; entry; entry = entry->next)
        rest++;
    HG_ASSERT(rest == index->rest_count);
}
