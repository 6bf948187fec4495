#include "schema/dom.h"

#include <stdlib.h>

#include "base/assert.h"

#define NONE HG_DOM_NONE

/* Up to so many items are sorted by inserting. */
#define FEW 12

/* ---- sorting ---- */

static void insert_each(uint32_t *items, size_t count, int (*compare)(void *, uint32_t, uint32_t), void *context)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t item = items[i];
        size_t at = i;
        for (; at > 0 && compare(context, items[at - 1], item) > 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static void merge(const uint32_t *from, uint32_t *to, size_t middle, size_t end,
                  int (*compare)(void *, uint32_t, uint32_t), void *context)
{
    size_t a = 0, b = middle;
    for (size_t i = 0; i < end; i++) {
        bool left = b == end || (a < middle && compare(context, from[a], from[b]) <= 0);
        to[i] = left ? from[a++] : from[b++];
    }
}

void hg_dom_sort(uint32_t *items, uint32_t *room, size_t count, int (*compare)(void *context, uint32_t a, uint32_t b),
                 void *context)
{
    if (count <= FEW) {
        insert_each(items, count, compare, context);
        return;
    }
    uint32_t *from = items, *to = room;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            size_t left = count - at < width ? count - at : width;
            size_t both = count - at < 2 * width ? count - at : 2 * width;
            merge(from + at, to + at, left, both, compare, context);
        }
        uint32_t *other = from;
        from = to;
        to = other;
    }
    if (from != items)
        memcpy(items, from, count * sizeof(*items));
}

/* ---- reading ---- */

static int compare_names(const struct hg_dom_node *a, struct hg_slice b)
{
    if (a->name_len != b.len)
        return a->name_len < b.len ? -1 : 1;
    return b.len > 0 ? memcmp(a->name, b.ptr, b.len) : 0;
}

static int compare_members(void *context, uint32_t a, uint32_t b)
{
    const struct hg_dom *dom = context;
    return compare_names(&dom->nodes[a], hg_dom_name(dom, b));
}

static hg_result add_node(struct hg_dom *dom, uint32_t *ret_node)
{
    if (dom->count + 1 >= dom->capacity) {
        uint32_t capacity = dom->capacity ? dom->capacity * 2 : 32;
        struct hg_dom_node *nodes = realloc(dom->nodes, capacity * sizeof(*nodes));
        if (!nodes)
            return HG_FAIL(NOMEM);
        dom->nodes = nodes;
        dom->capacity = capacity;
    }
    *ret_node = dom->count++;
    return HG_OK;
}

/* Sorts the members of an object that is whole. The node is NONE unless two have one name. */
static hg_result order_members(struct hg_dom *dom, uint32_t object, uint32_t *reterr_node)
{
    uint32_t count = dom->nodes[object].count;
    *reterr_node = NONE;
    dom->nodes[object].order = dom->order_count;
    if (count == 0)
        return HG_OK;
    if (dom->order_capacity - dom->order_count < 2 * count) {
        uint32_t capacity = dom->order_capacity ? dom->order_capacity * 2 : 32;
        while (capacity - dom->order_count < 2 * count)
            capacity *= 2;
        uint32_t *order = realloc(dom->order, capacity * sizeof(*order));
        if (!order)
            return HG_FAIL(NOMEM);
        dom->order = order;
        dom->order_capacity = capacity;
    }
    uint32_t *members = dom->order + dom->order_count, i = 0;
    for (uint32_t member = object + 1; i < count; member = dom->nodes[member].next)
        members[i++] = member;
    hg_dom_sort(members, members + count, count, compare_members, dom);
    for (i = 1; i < count; i++)
        if (compare_members(dom, members[i - 1], members[i]) == 0)
            *reterr_node = members[i - 1] > members[i] ? members[i - 1] : members[i];
    dom->order_count += count;
    return HG_OK;
}

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
        at++;
    return at;
}

/* A string of JSON, decoded: in the text itself where it can be. Returns the place behind it; NULL with *ret_result OK
 * for a lone surrogate. */
static const char *read_string(struct hg_dom *dom, const char *at, size_t all, const char **ret_text, uint32_t *ret_len,
                               hg_result *ret_result)
{
    const char *from = at++;
    bool escapes = false;
    for (; *at != '"'; at++)
        if (*at == '\\') {
            escapes = true;
            at++;
        }
    at++;
    *ret_text = from + 1;
    *ret_len = (uint32_t)(at - from - 2);
    *ret_result = HG_OK;
    if (!escapes)
        return at;
    /* Decoded text is never longer than what is written, so that this never moves again. */
    if (!dom->decoded.ptr && !hg_buf_reserve(&dom->decoded, all)) {
        *ret_result = HG_FAIL(NOMEM);
        return NULL;
    }
    size_t before = dom->decoded.len;
    struct hg_json string = {HG_JSON_STRING, hg_slice(from, (size_t)(at - from))};
    if (!hg_ok(hg_json_string_decode(string, &dom->decoded)))
        return NULL;
    *ret_text = dom->decoded.ptr + before;
    *ret_len = (uint32_t)(dom->decoded.len - before);
    return at;
}

static const char *skip_number(const char *at, const char *end)
{
    while (at < end && ((*at >= '0' && *at <= '9') || *at == '.' || *at == '-' || *at == '+' || (*at | 32) == 'e'))
        at++;
    return at;
}

struct reader {
    struct hg_dom *dom;
    struct hg_dom_error *reterr;
    const char *at, *end;
    size_t all;
    uint32_t open; /* the container we are in, or NONE */
};

static hg_result fault(struct reader *r, enum hg_dom_fault fault, uint32_t node)
{
    *r->reterr = (struct hg_dom_error){fault, 0, node};
    return HG_FAIL(SYNTAX);
}

/* A value that begins here, with its name in front if it has one. Of a container only the bracket is taken. */
static hg_result read_value(struct reader *r)
{
    struct hg_dom *dom = r->dom;
    uint32_t number;
    hg_result result;
    HG_TRY(add_node(dom, &number));
    struct hg_dom_node *node = &dom->nodes[number];
    *node = (struct hg_dom_node){.parent = r->open, .next = number + 1, .text = r->at};
    if (r->open != NONE) {
        dom->nodes[r->open].count++;
        if (dom->nodes[r->open].type == HG_JSON_OBJECT) {
            r->at = read_string(dom, r->at, r->all, &node->name, &node->name_len, &result);
            if (!r->at)
                return hg_ok(result) ? fault(r, HG_DOM_HALF_OF_A_PAIR, r->open) : result;
            r->at = skip_space(skip_space(r->at) + 1);
        }
    }
    node->text = r->at;
    switch (*r->at) {
    case '{':
    case '[':
        node->type = *r->at++ == '{' ? HG_JSON_OBJECT : HG_JSON_ARRAY;
        node->len = 1;
        r->open = number;
        return HG_OK;
    case '"':
        node->type = HG_JSON_STRING;
        r->at = read_string(dom, r->at, r->all, &node->text, &node->len, &result);
        if (!r->at)
            return hg_ok(result) ? fault(r, HG_DOM_HALF_OF_A_PAIR, number) : result;
        return HG_OK;
    case 't':
    case 'f':
        node->type = HG_JSON_BOOL;
        node->len = *r->at == 't' ? 4 : 5;
        break;
    case 'n':
        node->type = HG_JSON_NULL;
        node->len = 4;
        break;
    default: {
        struct hg_decimal decimal;
        node->type = HG_JSON_NUMBER;
        node->len = (uint32_t)(skip_number(r->at, r->end) - r->at);
        if (!hg_decimal_read(hg_slice(node->text, node->len), &decimal))
            return fault(r, HG_DOM_NUMBER, number);
        break;
    }
    }
    r->at += node->len;
    return HG_OK;
}

/* What was found to be JSON is walked without looking for its mistakes again. The byte behind the value is read, so it
 * must not be the end of the text; hg_dom_read() sees to it for the value itself. */
static hg_result read_all(struct reader *r)
{
    struct hg_dom *dom = r->dom;
    for (;;) {
        HG_TRY(read_value(r));
        if (r->open == NONE)
            return HG_OK;
        bool fresh = r->open == dom->count - 1; /* only its bracket was read */
        for (;;) {
            r->at = skip_space(r->at);
            if (*r->at == ',' || (fresh && *r->at != '}' && *r->at != ']'))
                break;
            struct hg_dom_node *container = &dom->nodes[r->open];
            uint32_t twice;
            r->at++;
            container->next = dom->count;
            if (container->type == HG_JSON_OBJECT) {
                HG_TRY(order_members(dom, r->open, &twice));
                if (twice != NONE)
                    return fault(r, HG_DOM_NAME_TWICE, twice);
            }
            r->open = container->parent;
            fresh = false;
            if (r->open == NONE)
                return HG_OK;
        }
        r->at = skip_space(r->at + !fresh);
    }
}

hg_result hg_dom_read(struct hg_slice text, struct hg_dom *dom, struct hg_dom_error *reterr)
{
    struct hg_json json;
    *dom = (struct hg_dom){.count = 0};
    hg_buf_init(&dom->decoded, text.len > 0 ? text.len : 1);
    if (text.len > HG_DOM_BYTES_MAX)
        return HG_FAIL(TOO_BIG);
    *reterr = (struct hg_dom_error){HG_DOM_NOT_JSON, 0, NONE};
    HG_TRY(hg_json_parse(text, &json, &reterr->at));
    struct reader reader = {dom, reterr, json.raw.ptr, json.raw.ptr + json.raw.len, text.len, NONE};
    return read_all(&reader);
}

void hg_dom_done(struct hg_dom *dom)
{
    free(dom->nodes);
    free(dom->order);
    if (dom->decoded.max > 0)
        hg_buf_done(&dom->decoded);
    dom->nodes = NULL;
    dom->order = NULL;
    dom->count = dom->capacity = dom->order_count = dom->order_capacity = 0;
}

struct hg_decimal hg_dom_number(const struct hg_dom *dom, uint32_t node)
{
    struct hg_decimal number;
    bool good = hg_decimal_read(hg_dom_text(dom, node), &number);
    HG_ASSERT(good);
    return number;
}

/* ---- places ---- */

uint32_t hg_dom_find(const struct hg_dom *dom, uint32_t object, struct hg_slice name)
{
    const struct hg_dom_node *node = &dom->nodes[object];
    HG_ASSERT(node->type == HG_JSON_OBJECT);
    size_t from = 0, end = node->count;
    while (from < end) {
        size_t middle = from + (end - from) / 2;
        uint32_t member = dom->order[node->order + middle];
        int order = compare_names(&dom->nodes[member], name);
        if (order == 0)
            return member;
        if (order < 0)
            from = middle + 1;
        else
            end = middle;
    }
    return NONE;
}

uint32_t hg_dom_position(const struct hg_dom *dom, uint32_t node)
{
    uint32_t position = 0;
    for (uint32_t at = dom->nodes[node].parent + 1; at < node; at = dom->nodes[at].next)
        position++;
    return position;
}

void hg_dom_put_pointer(const struct hg_dom *dom, uint32_t node, struct hg_buf *into)
{
    uint32_t path[HG_JSON_DEPTH_MAX + 1];
    size_t depth = 0;
    for (; dom->nodes[node].parent != NONE; node = dom->nodes[node].parent)
        path[depth++] = node;
    while (depth > 0) {
        node = path[--depth];
        hg_buf_put_char(into, '/');
        if (!dom->nodes[node].name) {
            hg_buf_put_u64(into, hg_dom_position(dom, node));
            continue;
        }
        struct hg_slice name = hg_dom_name(dom, node);
        for (size_t i = 0; i < name.len; i++)
            if (name.ptr[i] == '~' || name.ptr[i] == '/')
                hg_buf_put_str(into, name.ptr[i] == '~' ? "~0" : "~1");
            else
                hg_buf_put_char(into, name.ptr[i]);
    }
}

/* The element an index of a pointer names: decimal, without a zero in front. */
static uint32_t element_at(const struct hg_dom *dom, uint32_t array, struct hg_slice index)
{
    uint64_t number = 0;
    if (index.len == 0 || index.len > 9 || (index.len > 1 && index.ptr[0] == '0'))
        return NONE;
    for (size_t i = 0; i < index.len; i++) {
        if (index.ptr[i] < '0' || index.ptr[i] > '9')
            return NONE;
        number = number * 10 + (uint64_t)(index.ptr[i] - '0');
    }
    if (number >= dom->nodes[array].count)
        return NONE;
    uint32_t element = array + 1;
    while (number-- > 0)
        element = dom->nodes[element].next;
    return element;
}

/* Whether a step of a pointer, escapes and all, is this name. */
static bool is_step(struct hg_slice step, struct hg_slice name)
{
    size_t at = 0;
    for (size_t i = 0; i < step.len; i++, at++) {
        char c = step.ptr[i];
        if (c == '~') {
            if (++i == step.len || (step.ptr[i] != '0' && step.ptr[i] != '1'))
                return false;
            c = step.ptr[i] == '0' ? '~' : '/';
        }
        if (at >= name.len || name.ptr[at] != c)
            return false;
    }
    return at == name.len;
}

uint32_t hg_dom_at(const struct hg_dom *dom, uint32_t node, struct hg_slice pointer)
{
    while (pointer.len > 0) {
        if (pointer.ptr[0] != '/')
            return NONE;
        pointer = hg_slice_from(pointer, 1);
        const char *slash = pointer.len > 0 ? memchr(pointer.ptr, '/', pointer.len) : NULL;
        struct hg_slice step = hg_slice_first(pointer, slash ? (size_t)(slash - pointer.ptr) : pointer.len);
        pointer = hg_slice_from(pointer, step.len);
        if (dom->nodes[node].type == HG_JSON_ARRAY) {
            node = element_at(dom, node, step);
        } else if (dom->nodes[node].type == HG_JSON_OBJECT) {
            uint32_t member = node + 1, end = dom->nodes[node].next;
            while (member < end && !is_step(step, hg_dom_name(dom, member)))
                member = dom->nodes[member].next;
            node = member < end ? member : NONE;
        } else {
            node = NONE;
        }
        if (node == NONE)
            return NONE;
    }
    return node;
}

/* ---- comparing ---- */

static bool pay(uint64_t *work, uint64_t cost)
{
    *work = *work > cost ? *work - cost : 0;
    return *work > 0;
}

static int compare_bytes(struct hg_slice a, struct hg_slice b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return a.len > 0 ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

static int compare_arrays(const struct hg_dom *a, uint32_t x, const struct hg_dom *b, uint32_t y, uint64_t *work)
{
    uint32_t i = x + 1, j = y + 1;
    for (uint32_t left = a->nodes[x].count; left > 0; left--) {
        int order = hg_dom_compare(a, i, b, j, work);
        if (order != 0)
            return order;
        i = a->nodes[i].next;
        j = b->nodes[j].next;
    }
    return 0;
}

static int compare_objects(const struct hg_dom *a, uint32_t x, const struct hg_dom *b, uint32_t y, uint64_t *work)
{
    for (uint32_t i = 0; i < a->nodes[x].count; i++) {
        uint32_t one = a->order[a->nodes[x].order + i], other = b->order[b->nodes[y].order + i];
        pay(work, a->nodes[one].name_len / 8);
        int order = compare_names(&a->nodes[one], hg_dom_name(b, other));
        if (order == 0)
            order = hg_dom_compare(a, one, b, other, work);
        if (order != 0)
            return order;
    }
    return 0;
}

int hg_dom_compare(const struct hg_dom *a, uint32_t x, const struct hg_dom *b, uint32_t y, uint64_t *work)
{
    const struct hg_dom_node *one = &a->nodes[x], *other = &b->nodes[y];
    if (!pay(work, 1 + (one->len < other->len ? one->len : other->len) / 8))
        return 0;
    if (one->type != other->type)
        return one->type < other->type ? -1 : 1;
    switch (one->type) {
    case HG_JSON_NULL:
        return 0;
    case HG_JSON_BOOL:
    case HG_JSON_STRING:
        return compare_bytes(hg_dom_text(a, x), hg_dom_text(b, y));
    case HG_JSON_NUMBER: {
        struct hg_decimal m = hg_dom_number(a, x), n = hg_dom_number(b, y);
        pay(work, (one->len > other->len ? one->len : other->len) / 8);
        return hg_decimal_compare(&m, &n);
    }
    default:
        if (one->count != other->count)
            return one->count < other->count ? -1 : 1;
        return one->type == HG_JSON_ARRAY ? compare_arrays(a, x, b, y, work) : compare_objects(a, x, b, y, work);
    }
}
