#include "topic/trie.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/map.h"
#include "topic/name.h"
#include "topic/pattern.h"
#include "topic/segment.h"

#define SEPARATORS   3
#define SEGMENTS_MAX (HG_TOPIC_BYTES_MAX + 1) /* every byte a separator */

/* One segment of the patterns that share everything up to it. Every node but the root ends a pattern or has children.
 */
struct node {
    struct hg_list_node in_trie;  /* trie->nodes */
    struct hg_map_node in_parent; /* parent->children, if the segment is literal */
    struct node *parent;          /* NULL: the root */
    struct hg_map children;       /* the literal ones, by segment with its separator */
    size_t wildcards;             /* children in the two arrays, by the separator in front of them; the root's at 0 */
    struct node *one[SEPARATORS];
    struct node *rest[SEPARATORS];
    struct hg_list pairs; /* of the patterns that end here */
    struct hg_slice segment;
    char text[];
};

/* A map over all pairs, because many values may share one pattern and each must be found again quickly. */
struct pair {
    struct hg_list_node in_node;
    struct hg_map_node in_trie;
    struct pair_key {
        struct node *node;
        void *value;
    } key;
};

struct hg_trie {
    struct hg_list nodes; /* all but the root; parents stand before their children */
    struct hg_map pairs;
    struct node *root;
};

_Static_assert(sizeof(struct pair_key) == sizeof(struct node *) + sizeof(void *), "a key must have no padding");

static size_t separator_index(char separator)
{
    return separator == ':' ? 1 : separator == '/' ? 2 : 0;
}

/* Where a parent keeps a wildcard child; NULL for a literal segment. */
static struct node **wildcard_slot(struct node *parent, struct hg_segment segment)
{
    size_t at = separator_index(segment.separator);
    switch (hg_segment_kind(segment)) {
    case HG_SEGMENT_ONE:
        return &parent->one[at];
    case HG_SEGMENT_REST:
        return &parent->rest[at];
    case HG_SEGMENT_LITERAL:
        break;
    }
    return NULL;
}

static struct node *literal_child(const struct node *parent, struct hg_slice segment)
{
    struct hg_map_node *found = hg_map_find(&parent->children, segment);
    return found ? HG_CONTAINER(found, struct node, in_parent) : NULL;
}

static struct node *child(struct node *parent, struct hg_segment segment)
{
    struct node **slot = wildcard_slot(parent, segment);
    return slot ? *slot : literal_child(parent, segment.whole);
}

/* The segment that a node stands for; a child of the root has no separator in front. */
static struct hg_segment segment_of(const struct hg_trie *trie, const struct node *node)
{
    return hg_segment_at(node->segment, 0, node->parent == trie->root);
}

static hg_result node_new(struct hg_slice segment, struct hg_hash_key hash_key, struct node **ret_node)
{
    struct node *node = calloc(1, sizeof(*node) + segment.len);
    if (!node)
        return HG_FAIL(NOMEM);
    if (segment.len > 0)
        memcpy(node->text, segment.ptr, segment.len);
    node->segment = hg_slice(node->text, segment.len);
    hg_map_init(&node->children, hash_key);
    *ret_node = node;
    return HG_OK;
}

static hg_result child_add(struct hg_trie *trie, struct node *parent, struct hg_segment segment, struct node **ret_node)
{
    struct node *node = NULL;
    HG_TRY(node_new(segment.whole, trie->pairs.hash_key, &node));
    struct node **slot = wildcard_slot(parent, segment);
    if (slot) {
        *slot = node;
        parent->wildcards++;
    } else {
        hg_result r = hg_map_insert(&parent->children, &node->in_parent, node->segment);
        if (!hg_ok(r)) {
            free(node);
            return r;
        }
    }
    node->parent = parent;
    hg_list_push_back(&trie->nodes, &node->in_trie);
    *ret_node = node;
    return HG_OK;
}

static void node_remove(struct hg_trie *trie, struct node *node)
{
    struct node *parent = node->parent;
    HG_ASSERT(node->children.count == 0 && node->wildcards == 0 && node->pairs.count == 0);
    struct node **slot = wildcard_slot(parent, segment_of(trie, node));
    if (slot) {
        *slot = NULL;
        parent->wildcards--;
    } else {
        hg_map_remove(&parent->children, &node->in_parent);
        if (parent->children.count == 0)
            hg_map_done(&parent->children);
    }
    hg_list_remove(&trie->nodes, &node->in_trie);
    free(node);
}

static bool is_needed(const struct node *node)
{
    return node->children.count > 0 || node->wildcards > 0 || node->pairs.count > 0;
}

static void prune(struct hg_trie *trie, struct node *node)
{
    while (node != trie->root && !is_needed(node)) {
        struct node *parent = node->parent;
        node_remove(trie, node);
        node = parent;
    }
}

static struct hg_slice key_slice(const struct pair_key *key)
{
    return hg_slice(key, sizeof(*key));
}

static struct pair *pair_find(const struct hg_trie *trie, struct node *node, void *value)
{
    struct pair_key key = {node, value};
    struct hg_map_node *found = hg_map_find(&trie->pairs, key_slice(&key));
    return found ? HG_CONTAINER(found, struct pair, in_trie) : NULL;
}

static hg_result pair_add(struct hg_trie *trie, struct node *node, void *value)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    if (!pair)
        return HG_FAIL(NOMEM);
    pair->key = (struct pair_key){node, value};
    hg_result r = hg_map_insert(&trie->pairs, &pair->in_trie, key_slice(&pair->key));
    if (!hg_ok(r)) {
        free(pair);
        return r;
    }
    hg_list_push_back(&node->pairs, &pair->in_node);
    return HG_OK;
}

static void pair_remove(struct hg_trie *trie, struct pair *pair)
{
    hg_list_remove(&pair->key.node->pairs, &pair->in_node);
    hg_map_remove(&trie->pairs, &pair->in_trie);
    free(pair);
}

hg_result hg_trie_new(struct hg_hash_key hash_key, struct hg_trie **ret_trie)
{
    struct hg_trie *trie = calloc(1, sizeof(*trie));
    if (!trie)
        return HG_FAIL(NOMEM);
    hg_result r = node_new(HG_SLICE_NULL, hash_key, &trie->root);
    if (!hg_ok(r)) {
        free(trie);
        return r;
    }
    hg_map_init(&trie->pairs, hash_key);
    *ret_trie = trie;
    return HG_OK;
}

void hg_trie_free(struct hg_trie *trie)
{
    if (!trie)
        return;
    while (trie->nodes.last) { /* children before their parents */
        struct node *node = HG_CONTAINER(trie->nodes.last, struct node, in_trie);
        while (node->pairs.first)
            pair_remove(trie, HG_CONTAINER(node->pairs.first, struct pair, in_node));
        node_remove(trie, node);
    }
    hg_map_done(&trie->pairs);
    hg_map_done(&trie->root->children);
    free(trie->root);
    free(trie);
}

hg_result hg_trie_add(struct hg_trie *trie, struct hg_slice pattern, void *value)
{
    HG_ASSERT(hg_ok(hg_pattern_check(pattern, NULL)));
    hg_result r = HG_OK;
    struct node *node = trie->root;
    for (struct hg_segment s = hg_segment_first(pattern); hg_ok(r) && s.there; s = hg_segment_next(pattern, s)) {
        struct node *next = child(node, s);
        if (!next)
            r = child_add(trie, node, s, &next);
        if (hg_ok(r))
            node = next;
    }
    if (hg_ok(r))
        r = pair_add(trie, node, value); /* the map asserts that the pair is new */
    if (!hg_ok(r))
        prune(trie, node);
    return r;
}

void hg_trie_remove(struct hg_trie *trie, struct hg_slice pattern, void *value)
{
    struct node *node = trie->root;
    for (struct hg_segment s = hg_segment_first(pattern); s.there; s = hg_segment_next(pattern, s)) {
        node = child(node, s);
        HG_ASSERT(node);
    }
    struct pair *pair = pair_find(trie, node, value);
    HG_ASSERT(pair);
    pair_remove(trie, pair);
    prune(trie, node);
}

size_t hg_trie_count(const struct hg_trie *trie)
{
    return trie->pairs.count;
}

struct match {
    struct hg_slice name;
    size_t count;                      /* segments */
    uint16_t starts[SEGMENTS_MAX + 1]; /* where each begins, at its separator; after the last, where the name ends */
    void (*visit)(void *context, void *value);
    void *context;
};

static void visit_pairs(const struct match *match, const struct node *node)
{
    for (const struct hg_list_node *at = node->pairs.first; at; at = at->next)
        match->visit(match->context, HG_CONTAINER(at, struct pair, in_node)->key.value);
}

/* Each node is reached along one path only, with one segment per level: the cost is bounded by the trie's nodes
 * whatever the patterns, and the depth by the segments of a name. */
static void match_below(const struct match *match, const struct node *node, size_t depth)
{
    if (depth == match->count) {
        visit_pairs(match, node);
        return;
    }
    const char *start = match->name.ptr + match->starts[depth];
    const struct node *literal =
        literal_child(node, hg_slice(start, (size_t)(match->starts[depth + 1] - match->starts[depth])));
    if (literal)
        match_below(match, literal, depth + 1);
    if (node->wildcards == 0 || (depth == 0 && *start == '$'))
        return;
    size_t at = depth == 0 ? 0 : separator_index(*start);
    if (node->one[at])
        match_below(match, node->one[at], depth + 1);
    if (node->rest[at])
        visit_pairs(match, node->rest[at]);
}

void hg_trie_match(const struct hg_trie *trie, struct hg_slice name, void (*visit)(void *context, void *value),
                   void *context)
{
    HG_ASSERT(name.len > 0 && name.len <= HG_TOPIC_BYTES_MAX);
    struct match match = {.name = name, .visit = visit, .context = context};
    for (struct hg_segment s = hg_segment_first(name); s.there; s = hg_segment_next(name, s))
        match.starts[match.count++] = (uint16_t)(s.whole.ptr - name.ptr);
    match.starts[match.count] = (uint16_t)name.len;
    match_below(&match, trie->root, 0);
}

void hg_trie_validate(const struct hg_trie *trie)
{
    size_t literals = trie->root->children.count, wildcards = trie->root->wildcards, pairs = 0;
    HG_ASSERT(!trie->root->parent && trie->root->pairs.count == 0);
    hg_list_validate(&trie->nodes);
    for (const struct hg_list_node *at = trie->nodes.first; at; at = at->next) {
        struct node *node = HG_CONTAINER(at, struct node, in_trie);
        struct hg_segment segment = segment_of(trie, node);
        HG_ASSERT(is_needed(node));
        /* One segment, with a separator in front unless the root is above; and its parent knows it as that. */
        HG_ASSERT(hg_slice_eq(segment.whole, node->segment));
        HG_ASSERT(!segment.separator || hg_topic_is_separator(segment.separator));
        HG_ASSERT(child(node->parent, segment) == node);
        if (hg_segment_kind(segment) == HG_SEGMENT_REST)
            HG_ASSERT(node->children.count == 0 && node->wildcards == 0);
        literals += node->children.count;
        wildcards += node->wildcards;

        hg_list_validate(&node->pairs);
        for (const struct hg_list_node *entry = node->pairs.first; entry; entry = entry->next) {
            struct pair *pair = HG_CONTAINER(entry, struct pair, in_node);
            HG_ASSERT(pair->key.node == node && pair_find(trie, node, pair->key.value) == pair);
        }
        pairs += node->pairs.count;
    }
    /* Nothing is a child that is not in the list, and nothing is a pair that is not at a node. */
    HG_ASSERT(literals + wildcards == trie->nodes.count);
    HG_ASSERT(pairs == trie->pairs.count);
}
