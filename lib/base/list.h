/* list.h – an intrusive doubly linked list whose nodes know their list, so that a node can never be taken out of
 * another. Ownership: the list owns nothing. A zeroed node or list is ready for use. All operations are O(1). Calls
 * out: none. */
#ifndef HG_BASE_LIST_H
#define HG_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct hg_list;

struct hg_list_node {
    struct hg_list_node *prev, *next;
    struct hg_list *owner; /* NULL: in no list */
};

struct hg_list {
    struct hg_list_node *first, *last;
    size_t count;
};

/* The object that holds `node` as its member. */
#define HG_CONTAINER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* `node` must be in no list. */
void hg_list_push_back(struct hg_list *list, struct hg_list_node *node);
void hg_list_push_front(struct hg_list *list, struct hg_list_node *node);
/* `node` must be in `list`. */
void hg_list_remove(struct hg_list *list, struct hg_list_node *node);
/* The first node, taken out; NULL when empty. */
struct hg_list_node *hg_list_pop_front(struct hg_list *list);
/* Takes the node out of whatever list it is in; nothing when in none. */
void hg_list_unlink(struct hg_list_node *node);

static inline bool hg_list_contains(const struct hg_list *list, const struct hg_list_node *node)
{
    return node->owner == list;
}

/* Walks the whole list and asserts that links, owners and count agree. */
void hg_list_validate(const struct hg_list *list);

#endif
