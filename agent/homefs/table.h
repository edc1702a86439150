/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h: a hash table of things that are embedded elsewhere, which grows.
 *
 * It knows hashes only: whoever looks something up walks what has the same hash
 * and compares.  Callers do the locking, and own what is in the table.
 */
#ifndef SDV_HOMEFS_TABLE_H
#define SDV_HOMEFS_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sdv_link_in_table {
	struct sdv_link_in_table *next;
	uint64_t hash;
};

struct sdv_table {
	struct sdv_link_in_table **buckets;
	size_t nr_buckets; /* a power of two, or 0 */
	size_t nr;
};

#define sdv_container(link, type, member) ((type *)((char *)(link) - offsetof(type, member)))

/**
 * sdv_table_add - puts @link into the table
 *
 * Return: 0, or -ENOMEM and @link is in no table.
 */
int sdv_table_add(struct sdv_table *table, struct sdv_link_in_table *link, uint64_t hash);
/* @link is in the table. */
void sdv_table_del(struct sdv_table *table, struct sdv_link_in_table *link);
/* The first of @hash, and the next one after @link; NULL where there is none. */
struct sdv_link_in_table *sdv_table_first(const struct sdv_table *table, uint64_t hash);
struct sdv_link_in_table *sdv_table_next(const struct sdv_link_in_table *link);
/* Frees the buckets; what was in the table is its owner's. */
void sdv_table_free(struct sdv_table *table);

/* FNV-1a, finished so that the low bits depend on all bytes. */
static inline uint64_t sdv_hash(uint64_t seed, const void *data, size_t len)
{
	const unsigned char *p = data;
	uint64_t hash = 0xcbf29ce484222325ull ^ seed;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ull;
	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static inline uint64_t sdv_hash_number(uint64_t seed, uint64_t number)
{
	uint64_t hash = (seed ^ number) * 0x9e3779b97f4a7c15ull;

	return hash ^ hash >> 29;
}

static inline uint64_t sdv_hash_name(uint64_t seed, const char *name)
{
	return sdv_hash(seed, name, strlen(name));
}

#endif
