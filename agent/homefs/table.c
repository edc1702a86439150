// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * table.c: a hash table of things that are embedded elsewhere.  See table.h.
 */
#include "table.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS_MIN 64u

static void chain(struct sdv_link_in_table **buckets, size_t nr_buckets, struct sdv_link_in_table *link)
{
	struct sdv_link_in_table **bucket = &buckets[link->hash & (nr_buckets - 1)];

	link->next = *bucket;
	*bucket = link;
}

static int grow(struct sdv_table *table)
{
	size_t nr_buckets = table->nr_buckets ? table->nr_buckets * 2 : BUCKETS_MIN;
	struct sdv_link_in_table **buckets = calloc(nr_buckets, sizeof(struct sdv_link_in_table *));

	if (!buckets)
		return -ENOMEM;
	for (size_t i = 0; i < table->nr_buckets; i++) {
		struct sdv_link_in_table *link = table->buckets[i], *next;

		for (; link; link = next) {
			next = link->next;
			chain(buckets, nr_buckets, link);
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->nr_buckets = nr_buckets;
	return 0;
}

int sdv_table_add(struct sdv_table *table, struct sdv_link_in_table *link, uint64_t hash)
{
	/* A full table is only slow; without buckets there is none. */
	if (table->nr >= table->nr_buckets && grow(table) && !table->nr_buckets)
		return -ENOMEM;
	link->hash = hash;
	chain(table->buckets, table->nr_buckets, link);
	table->nr++;
	return 0;
}

void sdv_table_del(struct sdv_table *table, struct sdv_link_in_table *link)
{
	struct sdv_link_in_table **at = &table->buckets[link->hash & (table->nr_buckets - 1)];

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	table->nr--;
}

struct sdv_link_in_table *sdv_table_first(const struct sdv_table *table, uint64_t hash)
{
	struct sdv_link_in_table *link;

	if (!table->nr_buckets)
		return NULL;
	link = table->buckets[hash & (table->nr_buckets - 1)];
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct sdv_link_in_table *sdv_table_next(const struct sdv_link_in_table *link)
{
	struct sdv_link_in_table *next = link->next;

	while (next && next->hash != link->hash)
		next = next->next;
	return next;
}

void sdv_table_free(struct sdv_table *table)
{
	free(table->buckets);
	*table = (struct sdv_table){ 0 };
}
