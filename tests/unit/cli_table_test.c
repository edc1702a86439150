// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cli_table_test.c: the table of commands and what follows from it.
 */
// LINK: agent/cli/table.c agent/cli/dispatch.c agent/cli/help.c agent/cli/error.c agent/cli/grammar.c agent/cli/parse.c agent/cli/lexer.c agent/cli/output.c agent/cli/json.c agent/cli/registry.c agent/cli/wait.c agent/cli/show.c agent/cli/peer.c agent/cli/offer.c agent/cli/lease.c agent/cli/policy.c agent/cli/monitor.c agent/cli/batch.c agent/cli/misc.c agent/cli/cgroup.c agent/cli/spread.c agent/cli/run.c agent/cli/top.c
#include <stdlib.h>
#include <string.h>

#include "../../agent/cli/cli.h"
#include "harness.h"

#define MANUAL "Documentation/man/superdev.8"

static char *read_manual(void)
{
	FILE *in = fopen(MANUAL, "re");
	char *text = NULL;
	size_t size = 0;

	if (!in)
		return NULL;
	if (getdelim(&text, &size, 0, in) < 0) {
		free(text);
		text = NULL;
	}
	fclose(in);
	return text;
}

static bool finds(const char *object, const char *word, const char *want)
{
	bool is_object;
	const struct cli_command *command = cli_find(object, word, &is_object);

	if (!want)
		return !command;
	return command && !strcmp(is_object ? command->object : command->name, want);
}

TEST("every command has a usage that can be read, and a help of one line")
{
	struct cli_grammar grammar;
	size_t i;

	for (i = 0; i < cli_nr_commands; i++) {
		cli_grammar_read(cli_commands[i].usage, &grammar);
		CHECK(cli_commands[i].run && *cli_commands[i].help);
		CHECK(strlen(cli_commands[i].help) < 64 && !strchr(cli_commands[i].help, '\n'));
	}
}

TEST("no command is in the table twice")
{
	size_t i;
	size_t k;

	for (i = 0; i < cli_nr_commands; i++)
		for (k = 0; k < i; k++)
			CHECK(strcmp(cli_commands[i].name, cli_commands[k].name) ||
			      strcmp(cli_commands[i].object ? cli_commands[i].object : "",
				     cli_commands[k].object ? cli_commands[k].object : ""));
}

TEST("a beginning finds a command if it is the only one")
{
	CHECK(finds(NULL, "peer", "peer"));
	CHECK(finds(NULL, "pe", "peer"));
	CHECK(finds(NULL, "p", NULL));
	CHECK(finds(NULL, "m", "monitor"));
	CHECK(finds(NULL, "x", NULL));
	CHECK(finds(NULL, "", NULL));
	CHECK(finds("peer", "l", "list"));
	CHECK(finds("peer", "s", NULL));
	CHECK(finds("peer", "se", "set"));
	CHECK(finds("offer", "pair", NULL));
}

TEST("the manual's synopsis is the table's")
{
	char *manual;
	char *synopsis = NULL;
	size_t size = 0;
	FILE *out;

	out = open_memstream(&synopsis, &size);
	cli_synopsis(out);
	fclose(out);
	manual = read_manual();
	CHECK(manual != NULL);
	CHECK(manual && strstr(manual, synopsis) != NULL);
	free(manual);
	free(synopsis);
}

int main(void)
{
	return test_main("cli_table");
}
