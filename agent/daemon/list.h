/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.h: doubly linked lists, embedded in what they link.
 */
#ifndef SDV_LIST_H
#define SDV_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_add_tail(struct list *list, struct list *node)
{
	node->prev = list->prev;
	node->next = list;
	list->prev->next = node;
	list->prev = node;
}

/* Twice is harmless: the node is an empty list afterwards. */
static inline void list_del(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)

#define list_for_each(pos, list, type, member)                                           \
	for (type *pos = list_entry((list)->next, type, member); &pos->member != (list); \
	     pos = list_entry(pos->member.next, type, member))

/* The body may remove and free @pos, and nothing else of the list. */
#define list_for_each_safe(pos, list, type, member)                         \
	for (type *pos = list_entry((list)->next, type, member),            \
		  *pos##_next = list_entry(pos->member.next, type, member); \
	     &pos->member != (list);                                        \
	     pos = pos##_next, pos##_next = list_entry(pos->member.next, type, member))

#endif
