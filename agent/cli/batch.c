// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * batch.c: what save prints, batch takes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lexer.h"
#include "output.h"

/* " key word", quoted. */
static void print_word(const char *key, const char *word)
{
	char *quoted = cli_quote(word);

	printf(" %s%s%s", key, *key ? " " : "", quoted);
	free(quoted);
}

/* Of a command that runs just now, and goes with it. */
static bool is_of_a_run(const char *cgroup)
{
	const char *name = strrchr(cgroup, '/');

	return name && !strncmp(name, "/run-", 5) && strspn(name + 5, "0123456789-") == strlen(name + 5);
}

int cli_save(struct cli *cli, const struct cli_args *args)
{
	struct cli_registry registry;
	char key[CLI_KEY_TEXT], pair[2 * SDV_NAME_SIZE];
	size_t i;
	int r;

	(void)args;
	r = cli_registry_load(cli, CLI_PEERS | CLI_OFFERS | CLI_LEASES | CLI_SPREAD, &registry);
	if (r)
		return cli_refused(cli, NULL, r);
	for (i = 0; i < registry.nr_peers; i++) {
		const struct sdv_peer_info *peer = &registry.peers[i];

		/* A pairing that two people have not finished is no state to come back to. */
		if (peer->trust != SUPERDEV_TRUST_TRUSTED || !SDV_HAS(peer, SUPERDEV_A_PEER_KEY))
			continue;
		cli_key_format(peer->key, key);
		printf("peer add");
		print_word("", peer->name);
		print_word("key", key);
		if (*peer->address)
			print_word("address", peer->address);
		if (peer->transport == SUPERDEV_TRANSPORT_CLEAR)
			print_word("transport", "clear");
		putchar('\n');
	}
	for (i = 0; i < registry.nr_offers; i++) {
		const struct sdv_offer_info *offer = &registry.offers[i];

		if (*offer->peer)
			continue;
		printf("offer add");
		print_word("", offer->name);
		print_word("class", offer->class_name);
		if (*offer->path)
			print_word("path", offer->path);
		if (offer->cpus)
			printf(" cpus %" PRIu32, offer->cpus);
		if (offer->memory)
			printf(" memory %" PRIu64, offer->memory);
		printf("%s\n", offer->read_only ? " ro" : "");
	}
	for (i = 0; i < registry.nr_leases; i++) {
		const struct sdv_lease_info *lease = &registry.leases[i];

		if (lease->role != SUPERDEV_ROLE_HELD || lease->state == SUPERDEV_LEASE_STATE_RETURNING ||
		    lease->state == SUPERDEV_LEASE_STATE_REVOKED ||
		    lease->state == SUPERDEV_LEASE_STATE_FAILED)
			continue;
		snprintf(pair, sizeof(pair), "%s/%s", lease->peer, lease->offer);
		printf("lease add");
		print_word("", pair);
		if (*lease->paths)
			print_word("paths", lease->paths);
		/* The peer may come later than this machine: no waiting for it. */
		printf("%s timeout 0\n", lease->read_only ? " ro" : "");
	}
	for (i = 0; i < registry.nr_spread; i++) {
		if (is_of_a_run(registry.spread[i].cgroup))
			continue;
		printf("set spread");
		print_word("", registry.spread[i].cgroup);
		puts(" on");
	}
	cli_registry_free(&registry);
	return 0;
}

int cli_batch(struct cli *cli, const struct cli_args *args)
{
	const char *file = cli_arg(args, "FILE"), *why;
	bool is_stdin = !strcmp(file, "-");
	struct cli_words words;
	int status = 0, r;
	size_t size = 0;
	char *line = NULL;
	ssize_t len;
	FILE *in;

	if (cli->file)
		return cli_misuse(cli, "a batch can't run another one");
	in = is_stdin ? stdin : fopen(file, "re");
	if (!in)
		return cli_fail(cli, file, "%m");
	cli->file = is_stdin ? "standard input" : file;
	cli->is_stdin_taken = is_stdin;
	for (cli->line = 1; (len = getline(&line, &size, in)) >= 0; cli->line++) {
		cli->command = NULL;
		why = cli_lex(line, len, &words);
		if (why) {
			r = cli_misuse(cli, "the line can't be read: %s", why);
		} else {
			/* A line may begin as on the command line. */
			r = 0;
			if (words.nr && strcmp(words.word[0], "superdev") != 0)
				r = cli_dispatch(cli, words.nr, words.word);
			else if (words.nr > 1)
				r = cli_dispatch(cli, words.nr - 1, words.word + 1);
			cli_words_free(&words);
		}
		if (r && !status)
			status = r;
		if (r && !cli->is_forced)
			break;
	}
	cli->command = NULL;
	if (ferror(in)) {
		cli->line = cli->line ? cli->line : 1;
		status = cli_fail(cli, NULL, "can't be read: %m");
	}
	cli->file = NULL;
	free(line);
	if (!is_stdin)
		fclose(in);
	return status;
}
