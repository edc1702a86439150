/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * arena.h: the memory for payloads, one stretch that the ring has pinned.
 *
 * Pieces of 4 KiB to 1 MiB, each as aligned as it is long, so that any of them
 * will do for direct I/O.  What there is to know about a piece lies outside the
 * stretch, where a stranger's bytes never are.
 */
#ifndef SDV_ARENA_H
#define SDV_ARENA_H

#include <stddef.h>

#define SDV_ARENA_PAGE 4096u
#define SDV_ARENA_MAX  (1u << 20)

struct sdv_arena;

/* @size: a multiple of SDV_ARENA_MAX. 0 or -ENOMEM. */
int sdv_arena_open(struct sdv_arena **ret_arena, size_t size);
void sdv_arena_close(struct sdv_arena *arena);
void *sdv_arena_base(const struct sdv_arena *arena);
size_t sdv_arena_size(const struct sdv_arena *arena);

/* @len: 1 to SDV_ARENA_MAX; NULL where there is no such piece now. */
void *sdv_arena_alloc(struct sdv_arena *arena, size_t len);
void sdv_arena_free(struct sdv_arena *arena, void *piece);

#endif
