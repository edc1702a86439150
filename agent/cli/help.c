// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * help.c: the table for people, and for the manual page.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void command_line(const struct cli_command *command, char *line, size_t size)
{
	snprintf(line, size, "%s%s%s%s%s", command->object ? command->object : "", command->object ? " " : "",
		 command->name, *command->usage ? " " : "", command->usage);
}

int cli_help(struct cli *cli, const char *object, const char *name)
{
	char line[128];
	size_t i, width = 0, n = 0;

	for (i = 0; i < cli_nr_commands; i++) {
		command_line(&cli_commands[i], line, sizeof(line));
		if (strlen(line) > width && strlen(line) <= 36)
			width = strlen(line);
	}
	if (!object && !name)
		printf("Usage: superdev [-j] [OBJECT COMMAND ...]\n"
		       "Shows all that there is when nothing else is asked for.\n\n");
	for (i = 0; i < cli_nr_commands; i++) {
		const struct cli_command *command = &cli_commands[i];

		if (object && (!command->object || strcmp(command->object, object) != 0))
			continue;
		if (name && (strcmp(command->name, name) != 0 || (!object && command->object)))
			continue;
		command_line(command, line, sizeof(line));
		if (strlen(line) > width)
			printf("  %s\n  %*s  %s\n", line, (int)width, "", command->help);
		else
			printf("  %-*s  %s\n", (int)width, line, command->help);
		n++;
	}
	if (!object && !name)
		printf("\nOptions: -j, --json     print JSON\n"
		       "         -f, --force    batch: go on after an error\n"
		       "         -h, --help     explain the command\n"
		       "         -V, --version  print versions\n"
		       "Objects and commands may be shortened. More: man superdev\n");
	return n ? 0 : cli_misuse(cli, "no help on that");
}

int cli_help_command(struct cli *cli, const struct cli_args *args)
{
	const char *object = cli_arg(args, "OBJECT"), *name = cli_arg(args, "COMMAND");
	const struct cli_command *command;
	bool is_object;

	if (!object)
		return cli_help(cli, NULL, NULL);
	command = cli_find(NULL, object, &is_object);
	if (!command)
		return cli_misuse(cli, "there is no object or command '%s'; see: superdev help", object);
	if (!is_object) {
		if (name)
			return cli_misuse(cli, "'%s' has no commands", command->name);
		return cli_help(cli, NULL, command->name);
	}
	object = command->object;
	if (!name)
		return cli_help(cli, object, NULL);
	command = cli_find(object, name, &is_object);
	if (!command)
		return cli_misuse(cli, "'%s' has no command '%s'; see: superdev help %s", object, name,
				  object);
	return cli_help(cli, object, command->name);
}

/* A usage line in mdoc: Cm for words, Ar for values, Op for what may be left out. */
static void synopsis_usage(FILE *out, const char *usage)
{
	struct cli_grammar grammar;
	const struct cli_arg *arg;
	unsigned int i;

	cli_grammar_read(usage, &grammar);
	for (i = 0; i < grammar.nr; i++) {
		arg = &grammar.arg[i];
		fputs(arg->is_optional ? ".Op " : ".", out);
		if (*arg->word)
			fprintf(out, "Cm %s%s", arg->word, *arg->value ? " " : "");
		if (arg->is_value_optional)
			fprintf(out, "Op Ar %s", arg->value);
		else if (*arg->value)
			fprintf(out, "%s %s", isupper((unsigned char)*arg->value) ? "Ar" : "Cm", arg->value);
		fputc('\n', out);
	}
}

void cli_synopsis(FILE *out)
{
	size_t i;

	fputs(".Nm\n.Op Fl j\n", out);
	for (i = 0; i < cli_nr_commands; i++) {
		const struct cli_command *command = &cli_commands[i];

		fputs(".Nm\n", out);
		if (!strcmp(command->name, "list") || !strcmp(command->name, "show") ||
		    !strcmp(command->name, "try") || !strcmp(command->name, "monitor") ||
		    !strcmp(command->name, "version") || !strcmp(command->name, "key") ||
		    !strcmp(command->name, "recent") || !strcmp(command->name, "top") ||
		    !strcmp(command->name, "explain"))
			fputs(".Op Fl j\n", out);
		if (!strcmp(command->name, "batch"))
			fputs(".Op Fl f\n", out);
		fprintf(out, ".Cm %s%s%s\n", command->object ? command->object : "",
			command->object ? " " : "", command->name);
		synopsis_usage(out, command->usage);
	}
}
