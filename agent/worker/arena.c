// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * arena.c: the memory for payloads.  See arena.h.
 *
 * A binary buddy system (Knuth, The Art of Computer Programming, 2.5): a piece
 * of order n is 2^n pages; a freed one joins the other half of what it was cut
 * from, if that is free, too.
 */
#include "arena.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ORDERS 9 /* 4 KiB to 1 MiB */
#define HUGE   (2u << 20)
#define NONE   UINT32_MAX

_Static_assert(SDV_ARENA_PAGE << (ORDERS - 1) == SDV_ARENA_MAX, "the last order is the longest piece");

struct page {
	uint32_t next, prev; /* in the list of its order, where free */
	uint8_t order;       /* of the piece that begins here */
	bool is_free;
};

struct sdv_arena {
	uint8_t *base;
	size_t size;
	void *mapping;
	size_t mapping_size;
	uint32_t lists[ORDERS]; /* first free piece of each order */
	struct page pages[];
};

static void list_add(struct sdv_arena *arena, uint32_t at, uint8_t order)
{
	uint32_t next = arena->lists[order];

	arena->pages[at] = (struct page){ next, NONE, order, true };
	if (next != NONE)
		arena->pages[next].prev = at;
	arena->lists[order] = at;
}

static void list_del(struct sdv_arena *arena, uint32_t at)
{
	struct page *page = &arena->pages[at];

	if (page->prev != NONE)
		arena->pages[page->prev].next = page->next;
	else
		arena->lists[page->order] = page->next;
	if (page->next != NONE)
		arena->pages[page->next].prev = page->prev;
	page->is_free = false;
}

int sdv_arena_open(struct sdv_arena **ret_arena, size_t size)
{
	size_t nr_pages = size / SDV_ARENA_PAGE;
	struct sdv_arena *arena = calloc(1, sizeof(*arena) + nr_pages * sizeof(struct page));

	if (!arena)
		return -ENOMEM;
	arena->size = size;
	arena->mapping_size = size + HUGE;
	arena->mapping = mmap(NULL, arena->mapping_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena->mapping == MAP_FAILED) {
		free(arena);
		return -ENOMEM;
	}
	/* Huge pages make the ring's lists of pinned pages short; small ones do as well. */
	arena->base = (uint8_t *)(((uintptr_t)arena->mapping + HUGE - 1) & ~(uintptr_t)(HUGE - 1));
	madvise(arena->base, size, MADV_HUGEPAGE);
	for (int order = 0; order < ORDERS; order++)
		arena->lists[order] = NONE;
	for (size_t at = nr_pages; at; at -= SDV_ARENA_MAX / SDV_ARENA_PAGE)
		list_add(arena, (uint32_t)(at - SDV_ARENA_MAX / SDV_ARENA_PAGE), ORDERS - 1);
	*ret_arena = arena;
	return 0;
}

void sdv_arena_close(struct sdv_arena *arena)
{
	if (!arena)
		return;
	munmap(arena->mapping, arena->mapping_size);
	free(arena);
}

void *sdv_arena_base(const struct sdv_arena *arena)
{
	return arena->base;
}

size_t sdv_arena_size(const struct sdv_arena *arena)
{
	return arena->size;
}

void *sdv_arena_alloc(struct sdv_arena *arena, size_t len)
{
	uint8_t order = 0, found;
	uint32_t at;

	while (order < ORDERS && (size_t)SDV_ARENA_PAGE << order < len)
		order++;
	for (found = order; found < ORDERS && arena->lists[found] == NONE; found++)
		;
	if (found >= ORDERS)
		return NULL;
	at = arena->lists[found];
	list_del(arena, at);
	while (found > order) {
		found--;
		list_add(arena, at + (1u << found), found);
	}
	arena->pages[at].order = order;
	return arena->base + (size_t)at * SDV_ARENA_PAGE;
}

void sdv_arena_free(struct sdv_arena *arena, void *piece)
{
	uint32_t at = (uint32_t)(((uint8_t *)piece - arena->base) / SDV_ARENA_PAGE);
	uint8_t order = arena->pages[at].order;

	for (; order < ORDERS - 1; order++) {
		uint32_t buddy = at ^ 1u << order;

		if (!arena->pages[buddy].is_free || arena->pages[buddy].order != order)
			break;
		list_del(arena, buddy);
		at &= ~(1u << order);
	}
	list_add(arena, at, order);
}
