/* dom.h – a JSON text as nodes that can be gone through in any order: what a schema is read from and held against.
 *
 * Nodes stand in one array in the order of the text, number 0 first; a node's descendants follow it up to `next`. The
 * members of an object can also be found by name. Texts and names are decoded. Units: bytes of decoded text; numbers of
 * nodes. Ownership: the nodes point into the text, which must stay as it is, and into memory of the DOM. Errors: NOMEM,
 * and those of hg_dom_read(). Bounded: linear in the text but for sorting members, n log n; memory up to 50 times the
 * text, for an array of digits; 10 times is usual. Recursion: comparing, as deep as the text is nested
 * (HG_JSON_DEPTH_MAX). Calls out: none. */
#ifndef HG_SCHEMA_DOM_H
#define HG_SCHEMA_DOM_H

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "schema/decimal.h"

#define HG_DOM_BYTES_MAX (64u << 20)
#define HG_DOM_NONE      UINT32_MAX

struct hg_dom_node {
    const char *text; /* of a string, decoded; else of the value as it is written */
    const char *name; /* of a member, decoded; NULL: it is none */
    uint32_t len;     /* of the text; of an array or object 1, its bracket */
    uint32_t name_len;
    uint32_t parent; /* NONE: the root */
    uint32_t next;
    uint32_t count; /* members or elements */
    uint32_t
        order; /* of an object: where in the DOM's order its members begin, sorted by length and bytes of their names */
    enum hg_json_type type;
};

struct hg_dom {
    struct hg_dom_node *nodes; /* one more than `count`, of which the last is for the user */
    uint32_t count, capacity;
    uint32_t *order;
    uint32_t order_count, order_capacity;
    struct hg_buf decoded;
};

enum hg_dom_fault {
    HG_DOM_NOT_JSON,       /* `at`: the byte where it stops being JSON */
    HG_DOM_NAME_TWICE,     /* node: the later member of that name */
    HG_DOM_HALF_OF_A_PAIR, /* node: a text with a lone surrogate, or the object with such a name */
    HG_DOM_NUMBER,         /* node: a number with an exponent out of bounds */
};

struct hg_dom_error {
    enum hg_dom_fault fault;
    size_t at;
    uint32_t node;
};

/* Takes a JSON text in. SYNTAX with reterr filled when it is no JSON, or not JSON that all readers read alike (RFC
 * 7493): a name twice in one object, text that is no Unicode. The DOM then holds the nodes up to and with the one told,
 * so that its place can be named; it must be given to hg_dom_done() in any case. TOO_BIG past HG_DOM_BYTES_MAX. */
HG_RESULT hg_dom_read(struct hg_slice text, struct hg_dom *dom, struct hg_dom_error *reterr);
void hg_dom_done(struct hg_dom *dom); /* also of one that is all zero */

/* The member of an object, or HG_DOM_NONE. */
uint32_t hg_dom_find(const struct hg_dom *dom, uint32_t object, struct hg_slice name);
/* Which element of its array, or member of its object, a node is; from 0, in the order of the text. */
uint32_t hg_dom_position(const struct hg_dom *dom, uint32_t node);
/* Appends the RFC 6901 pointer of a node. */
void hg_dom_put_pointer(const struct hg_dom *dom, uint32_t node, struct hg_buf *into);
/* The node a pointer leads to from `node`, or HG_DOM_NONE. */
uint32_t hg_dom_at(const struct hg_dom *dom, uint32_t node, struct hg_slice pointer);

/* One order of all JSON values, in which those are equal that JSON Schema calls equal: 1 and 1.0, objects in any order.
 * Takes what it cost off `*work`, one for each node and each eight bytes, and stops with any answer when that is 0. */
int hg_dom_compare(const struct hg_dom *a, uint32_t a_node, const struct hg_dom *b, uint32_t b_node, uint64_t *work);

static inline struct hg_slice hg_dom_text(const struct hg_dom *dom, uint32_t node)
{
    return hg_slice(dom->nodes[node].text, dom->nodes[node].len);
}

static inline struct hg_slice hg_dom_name(const struct hg_dom *dom, uint32_t node)
{
    return hg_slice(dom->nodes[node].name, dom->nodes[node].name_len);
}

static inline bool hg_dom_is_true(const struct hg_dom *dom, uint32_t node)
{
    return dom->nodes[node].type == HG_JSON_BOOL && dom->nodes[node].text[0] == 't';
}

/* A number of the DOM; its exponent was found to be in bounds. */
struct hg_decimal hg_dom_number(const struct hg_dom *dom, uint32_t node);

/* Sorts numbers of nodes by merging: n log n calls, in which every item is taken at most log n times. `room` has as
 * many places. */
void hg_dom_sort(uint32_t *items, uint32_t *room, size_t count, int (*compare)(void *context, uint32_t a, uint32_t b),
                 void *context);

#endif
