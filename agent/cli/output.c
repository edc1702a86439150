// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * output.c: words for states, and aligned columns.
 */
#include "output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WORD(words, value) ((value) < sizeof(words) / sizeof((words)[0]) ? (words)[value] : "unknown")

const char *cli_trust_word(unsigned int trust)
{
	static const char *const words[] = { "pending", "trusted" };

	return WORD(words, trust);
}

const char *cli_peer_word(unsigned int state)
{
	static const char *const words[] = { "offline", "connecting", "online", "refused" };

	return WORD(words, state);
}

const char *cli_transport_word(unsigned int transport)
{
	static const char *const words[] = { "tls", "clear" };

	return WORD(words, transport);
}

const char *cli_offer_word(unsigned int state)
{
	static const char *const words[] = { "pending", "ready", "failed", "removing" };

	return WORD(words, state);
}

const char *cli_role_word(unsigned int role)
{
	static const char *const words[] = { "held", "lent" };

	return WORD(words, role);
}

const char *cli_lease_word(unsigned int state)
{
	static const char *const words[] = {
		"requested", "granted", "active", "suspended", "returning", "revoked", "failed", "gone",
	};

	return WORD(words, state);
}

const char *cli_source_word(unsigned int source)
{
	static const char *const words[] = { "claimed", "measured", "attested" };

	return WORD(words, source);
}

enum cli_tint cli_peer_tint(const struct sdv_peer_info *peer)
{
	switch (peer->state) {
	case SUPERDEV_PEER_STATE_ONLINE: return CLI_GOOD;
	case SUPERDEV_PEER_STATE_CONNECTING: return CLI_WAITING;
	case SUPERDEV_PEER_STATE_OFFLINE:
	case SUPERDEV_PEER_STATE_REFUSED: return CLI_BAD;
	}
	return CLI_PLAIN;
}

enum cli_tint cli_offer_tint(const struct sdv_offer_info *offer)
{
	switch (offer->state) {
	case SUPERDEV_OFFER_STATE_READY: return CLI_GOOD;
	case SUPERDEV_OFFER_STATE_PENDING:
	case SUPERDEV_OFFER_STATE_REMOVING: return CLI_WAITING;
	case SUPERDEV_OFFER_STATE_FAILED: return CLI_BAD;
	}
	return CLI_PLAIN;
}

enum cli_tint cli_lease_tint(const struct sdv_lease_info *lease)
{
	switch (lease->state) {
	case SUPERDEV_LEASE_STATE_ACTIVE: return CLI_GOOD;
	case SUPERDEV_LEASE_STATE_REQUESTED:
	case SUPERDEV_LEASE_STATE_GRANTED:
	case SUPERDEV_LEASE_STATE_SUSPENDED:
	case SUPERDEV_LEASE_STATE_RETURNING: return CLI_WAITING;
	case SUPERDEV_LEASE_STATE_REVOKED:
	case SUPERDEV_LEASE_STATE_FAILED:
	case SUPERDEV_LEASE_STATE_GONE: return CLI_BAD;
	}
	return CLI_PLAIN;
}

/* Columns ---------------------------------------------------------------- */

#define MAX_COLUMNS 10

struct cell {
	char *text; /* escaped */
	enum cli_tint tint;
};

struct row {
	struct cell cell[MAX_COLUMNS];
	unsigned int nr;
};

struct cli_table {
	bool has_colour;
	struct row *rows; /* the last is being filled */
	size_t nr, size;
};

struct cli_table *cli_table_new(const struct cli *cli)
{
	struct cli_table *table = cli_alloc(sizeof(*table));

	table->has_colour = cli->has_colour;
	table->size = 8;
	table->rows = cli_alloc(table->size * sizeof(*table->rows));
	return table;
}

void cli_cell(struct cli_table *table, enum cli_tint tint, const char *format, ...)
{
	struct row *row = &table->rows[table->nr];
	va_list args;
	char *text;
	int n;

	if (row->nr == MAX_COLUMNS)
		return;
	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0)
		return;
	row->cell[row->nr].text = cli_escape(text);
	row->cell[row->nr++].tint = tint;
	free(text);
}

void cli_row(struct cli_table *table)
{
	struct row *more;

	if (++table->nr < table->size)
		return;
	more = cli_alloc(2 * table->size * sizeof(*more));
	memcpy(more, table->rows, table->size * sizeof(*more));
	free(table->rows);
	table->rows = more;
	table->size *= 2;
}

static void print_cell(const struct cli_table *table, const struct cell *cell)
{
	static const char *const begin[] = {
		[CLI_PLAIN] = "",       [CLI_GOOD] = "\033[32m",  [CLI_WAITING] = "\033[33m",
		[CLI_BAD] = "\033[31m", [CLI_STRONG] = "\033[1m",
	};

	if (table->has_colour && cell->tint != CLI_PLAIN)
		printf("%s%s\033[0m", begin[cell->tint], cell->text);
	else
		fputs(cell->text, stdout);
}

static void table_free(struct cli_table *table)
{
	unsigned int c;
	size_t i;

	for (i = 0; i <= table->nr && i < table->size; i++)
		for (c = 0; c < table->rows[i].nr; c++)
			free(table->rows[i].cell[c].text);
	free(table->rows);
	free(table);
}

static void print_rows(const struct cli_table *table)
{
	size_t width[MAX_COLUMNS] = { 0 }, i, w;
	unsigned int c, last;

	for (i = 0; i < table->nr; i++)
		for (c = 0; c < table->rows[i].nr; c++) {
			w = cli_width(table->rows[i].cell[c].text);
			if (w > width[c])
				width[c] = w;
		}
	for (i = 0; i < table->nr; i++) {
		const struct row *row = &table->rows[i];

		/* No blanks at the end of a line. */
		for (last = row->nr; last && !*row->cell[last - 1].text; last--)
			;
		for (c = 0; c < last; c++) {
			print_cell(table, &row->cell[c]);
			if (c + 1 < last)
				printf("%*s", (int)(width[c] - cli_width(row->cell[c].text)) + 2, "");
		}
		putchar('\n');
	}
}

void cli_table_print(struct cli_table *table)
{
	if (table->nr > 1)
		print_rows(table);
	table_free(table);
}

void cli_facts_print(struct cli_table *table)
{
	print_rows(table);
	table_free(table);
}

/* Processors ------------------------------------------------------------- */

/* Of a peer it is what the peer claims, so it may be anything. */
static uint64_t number_of(const struct sdv_offer_info *offer, const char *name)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < offer->nr_properties; i++)
		if (!strcmp(offer->property[i].name, name) &&
		    cli_size_parse(offer->property[i].value, &value))
			value = 0;
	return value;
}

uint32_t cli_offer_cpus(const struct sdv_offer_info *offer)
{
	uint64_t cpus = strcmp(offer->class_name, "cpu") != 0 ? 0 : number_of(offer, "cpus");

	return cpus && cpus <= UINT32_MAX ? (uint32_t)cpus : offer->cpus;
}

uint64_t cli_offer_memory(const struct sdv_offer_info *offer)
{
	uint64_t memory = strcmp(offer->class_name, "cpu") != 0 ? 0 : number_of(offer, "memory");

	return memory ? memory : offer->memory;
}

bool cli_is_device(const struct sdv_lease_info *lease)
{
	return lease->role == SUPERDEV_ROLE_HELD && (*lease->device || SDV_HAS(lease, SUPERDEV_A_LEASE_CPUS));
}

void cli_load_format(uint32_t load, char text[CLI_SIZE_TEXT])
{
	snprintf(text, CLI_SIZE_TEXT, "%" PRIu32 "%%", (load + 5) / 10);
}

void cli_used_format(uint64_t used_us, char text[CLI_SIZE_TEXT])
{
	uint64_t seconds = used_us / 1000000;

	if (seconds < 100)
		snprintf(text, CLI_SIZE_TEXT, "%u.%02u s", (unsigned int)seconds,
			 (unsigned int)(used_us % 1000000) / 10000);
	else
		snprintf(text, CLI_SIZE_TEXT, "%" PRIu32 " s",
			 seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX);
}

/* Devices ---------------------------------------------------------------- */

bool cli_device_node(const struct sdv_lease_info *lease, char *ret_path, size_t size)
{
	if (lease->role != SUPERDEV_ROLE_HELD || !*lease->device)
		return false;
	snprintf(ret_path, size, "%s%s", *lease->device == '/' ? "" : "/dev/", lease->device);
	return true;
}

bool cli_device_path(const struct sdv_lease_info *lease, char *ret_path, size_t size)
{
	char node[256], link[256];
	struct stat a, b;

	if (!cli_device_node(lease, node, sizeof(node)))
		return false;
	snprintf(link, sizeof(link), "/dev/superdev/%s/%s", lease->peer, lease->offer);
	/* A link that an earlier device left is none. */
	if (!stat(link, &a) && !stat(node, &b) && a.st_mode == b.st_mode && a.st_rdev == b.st_rdev)
		snprintf(ret_path, size, "%s", link);
	else
		snprintf(ret_path, size, "%s", node);
	return true;
}
