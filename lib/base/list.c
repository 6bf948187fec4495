#include "base/list.h"

#include "base/assert.h"

void hg_list_push_back(struct hg_list *list, struct hg_list_node *node)
{
    HG_ASSERT(!node->owner);
    *node = (struct hg_list_node){.prev = list->last, .owner = list};
    if (list->last)
        list->last->next = node;
    else
        list->first = node;
    list->last = node;
    list->count++;
}

void hg_list_push_front(struct hg_list *list, struct hg_list_node *node)
{
    HG_ASSERT(!node->owner);
    *node = (struct hg_list_node){.next = list->first, .owner = list};
    if (list->first)
        list->first->prev = node;
    else
        list->last = node;
    list->first = node;
    list->count++;
}

void hg_list_remove(struct hg_list *list, struct hg_list_node *node)
{
    HG_ASSERT(node->owner == list);
    if (node->prev)
        node->prev->next = node->next;
    else
        list->first = node->next;
    if (node->next)
        node->next->prev = node->prev;
    else
        list->last = node->prev;
    list->count--;
    *node = (struct hg_list_node){0};
}

struct hg_list_node *hg_list_pop_front(struct hg_list *list)
{
    struct hg_list_node *node = list->first;
    if (node)
        hg_list_remove(list, node);
    return node;
}

void hg_list_unlink(struct hg_list_node *node)
{
    if (node->owner)
        hg_list_remove(node->owner, node);
}

void hg_list_validate(const struct hg_list *list)
{
    size_t count = 0;
    const struct hg_list_node *before = NULL;
    for (const struct hg_list_node *node = list->first; node; node = node->next) {
        HG_ASSERT(node->owner == list);
        HG_ASSERT(node->prev == before);
        before = node;
        count++;
    }
    HG_ASSERT(list->last == before);
    HG_ASSERT(list->count == count);
}
