// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * complete.c: "superdev complete WORD…": what may stand for the last word.
 *
 * A candidate per line, for the shell's completion.  An argument that is a file
 * is the line "FILE".  "superdev complete --synopsis" prints the synopsis of
 * the manual page.  Silent where the module is not loaded.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

static void candidate(const char *begin, const char *word)
{
	char *escaped;

	if (strncmp(word, begin, strlen(begin)) != 0)
		return;
	/* What a shell could take for more than a word is not offered to it. */
	escaped = cli_escape(word);
	if (!strcmp(word, escaped) && !strpbrk(word, " \t\"'$`\\;&|<>()*?[]{}!#~"))
		puts(word);
	free(escaped);
}

static void candidate_pair(const char *begin, const char *peer, const char *name)
{
	char pair[2 * SDV_NAME_SIZE];

	snprintf(pair, sizeof(pair), "%s%s%s", peer, *peer ? "/" : "", name);
	candidate(begin, pair);
}

static void objects(const char *begin)
{
	const char *last = NULL;
	size_t i;

	for (i = 0; i < cli_nr_commands; i++) {
		const char *object = cli_commands[i].object;

		if (!object)
			candidate(begin, cli_commands[i].name);
		else if (!last || strcmp(last, object) != 0)
			candidate(begin, object);
		last = object;
	}
}

static void commands(const char *object, const char *begin)
{
	size_t i;

	for (i = 0; i < cli_nr_commands; i++)
		if (cli_commands[i].object && !strcmp(cli_commands[i].object, object))
			candidate(begin, cli_commands[i].name);
}

static void alternatives(const char *list, const char *begin)
{
	char *copy = cli_strdup(list), *at = copy, *one;

	while ((one = strsep(&at, "|")))
		candidate(begin, one);
	free(copy);
}

/* Names of what is there now, as the argument wants them. */
static void live(struct cli *cli, const struct cli_command *command, const char *value, const char *begin)
{
	bool is_new = !strcmp(command->name, "add") || !strcmp(command->name, "pair");
	bool is_peer = command->object && !strcmp(command->object, "peer");
	bool is_trust = !strcmp(command->name, "trust");
	struct cli_registry registry;
	char path[256];
	size_t i;

	if ((!cli->nl && sdv_nl_open(&cli->nl)) ||
	    cli_registry_load(cli, CLI_PEERS | CLI_OFFERS | CLI_LEASES, &registry))
		return;
	for (i = 0; i < registry.nr_peers; i++) {
		const struct sdv_peer_info *peer = &registry.peers[i];

		if (!strcmp(value, "NAME") && is_peer && !is_new &&
		    (!is_trust || peer->trust == SUPERDEV_TRUST_PENDING))
			candidate(begin, peer->name);
	}
	for (i = 0; i < registry.nr_offers; i++) {
		const struct sdv_offer_info *offer = &registry.offers[i];

		if (!strcmp(value, "OFFER") ||
		    (!strcmp(value, "NAME") && !is_peer && !is_new && !*offer->peer) ||
		    (!strcmp(value, "PEER/OFFER") && is_new && *offer->peer))
			candidate_pair(begin, offer->peer, offer->name);
	}
	for (i = 0; i < registry.nr_leases; i++) {
		const struct sdv_lease_info *lease = &registry.leases[i];

		if (!strcmp(value, "PEER/OFFER") && !is_new &&
		    (lease->role == SUPERDEV_ROLE_HELD || strcmp(command->name, "del") != 0))
			candidate_pair(begin, lease->peer, lease->offer);
		if (!strcmp(value, "DEVICE") && cli_device_path(lease, path, sizeof(path)))
			candidate(begin, path);
		else if (!strcmp(value, "DEVICE") && cli_is_device(lease))
			candidate_pair(begin, lease->peer, lease->offer);
	}
	cli_registry_free(&registry);
}

static void value_candidates(struct cli *cli, const struct cli_command *command, const struct cli_arg *arg,
			     const char *first, const char *begin)
{
	if (!isupper((unsigned char)*arg->value))
		alternatives(arg->value, begin);
	else if (!strcmp(arg->value, "CLASS"))
		alternatives("blk|cpu|null", begin);
	else if (!strcmp(arg->value, "COMMAND...") || !strcmp(arg->value, "CGROUP") ||
		 !strcmp(arg->value, "FILE") || !strcmp(arg->value, "PATH") || !strcmp(arg->value, "PROGRAM"))
		puts("FILE");
	else if (!strcmp(arg->value, "OBJECT"))
		objects(begin);
	else if (!strcmp(arg->value, "COMMAND"))
		commands(first, begin);
	else
		live(cli, command, arg->value, begin);
}

int cli_complete(struct cli *cli, int nr, char *const *words)
{
	struct cli_next next[CLI_MAX_ARGS + 1];
	const struct cli_command *command;
	struct cli_grammar grammar;
	const char *begin;
	char **plain;
	bool is_object = false;
	int i, n = 0, used = 1;
	size_t k, nr_next;

	if (nr == 1 && !strcmp(words[0], "--synopsis")) {
		cli_synopsis(stdout);
		return 0;
	}
	if (!nr)
		return 0;
	begin = words[nr - 1];
	if (begin[0] == '-') {
		alternatives("-j|-f|-h|-V|--json|--force|--help|--version", begin);
		return 0;
	}
	/* What is left of it without options, and without the word itself. */
	plain = cli_alloc(nr * sizeof(*plain));
	for (i = 0; i < nr - 1; i++)
		if (words[i][0] != '-' || !words[i][1])
			plain[n++] = words[i];

	command = n ? cli_find(NULL, plain[0], &is_object) : NULL;
	if (!n)
		objects(begin);
	if (command && is_object) {
		const char *object = command->object;

		if (n == 1)
			commands(object, begin);
		command = n > 1 ? cli_find(object, plain[1], &is_object) : NULL;
		used = 2;
	}
	if (command) {
		cli_grammar_read(command->usage, &grammar);
		nr_next = cli_grammar_next(&grammar, n - used, plain + used, next);
		for (k = 0; k < nr_next; k++) {
			if (next[k].is_value)
				value_candidates(cli, command, next[k].arg, n > used ? plain[used] : "",
						 begin);
			else
				candidate(begin, next[k].arg->word);
		}
	}
	free(plain);
	sdv_nl_close(cli->nl);
	return 0;
}
