// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dispatch.c: from words to a command of the table.
 */
#include <string.h>

#include "cli.h"

const struct cli_command *cli_find(const char *object, const char *word, bool *ret_is_object)
{
	const struct cli_command *found = NULL, *command;
	const char *name, *found_name = NULL;
	size_t i;

	for (i = 0; i < cli_nr_commands; i++) {
		command = &cli_commands[i];
		if (object && (!command->object || strcmp(command->object, object) != 0))
			continue;
		name = !object && command->object ? command->object : command->name;
		if (strncmp(name, word, strlen(word)) != 0)
			continue;
		/* All commands of one object are one object. */
		if (found && strcmp(name, found_name) != 0 && strcmp(word, found_name) != 0)
			return NULL;
		if (!found) {
			found = command;
			found_name = name;
		}
	}
	if (found)
		*ret_is_object = found_name != found->name;
	return found;
}

int cli_unknown(const struct cli *cli, const char *object, const char *word)
{
	const char *names[64], *near, *name;
	char list[256] = "";
	size_t i, k, nr = 0, used = 0, begins = 0;

	for (i = 0; i < cli_nr_commands && nr < 64; i++) {
		const struct cli_command *command = &cli_commands[i];

		if (object && (!command->object || strcmp(command->object, object) != 0))
			continue;
		name = !object && command->object ? command->object : command->name;
		for (k = 0; k < nr && strcmp(names[k], name) != 0; k++)
			;
		if (k == nr)
			names[nr++] = name;
	}
	for (i = 0; i < nr; i++)
		begins += *word && !strncmp(names[i], word, strlen(word));
	for (i = 0; i < nr && used < sizeof(list); i++)
		if (!begins || !strncmp(names[i], word, strlen(word)))
			used += snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "",
					 names[i]);
	near = cli_nearest(word, names, nr);
	if (begins)
		return cli_misuse(cli, "'%s' may be: %s", word, list);
	if (object && near)
		return cli_misuse(cli, "%s has no command '%s'; did you mean '%s'?", object, word, near);
	if (object)
		return cli_misuse(cli, "%s has no command '%s'; it has: %s", object, word, list);
	if (near)
		return cli_misuse(cli, "there is no command '%s'; did you mean '%s'?", word, near);
	return cli_misuse(cli, "there is no command '%s'; there are: %s", word, list);
}

int cli_dispatch(struct cli *cli, int nr, char *const *words)
{
	const struct cli_command *command;
	char why[CLI_WHY_SIZE];
	struct cli_args args;
	bool is_object;
	const char *object;
	int r, used = 1;

	cli->command = NULL;
	command = cli_find(NULL, words[0], &is_object);
	if (!command)
		return cli_unknown(cli, NULL, words[0]);
	if (is_object) {
		object = command->object;
		if (nr > 1 && !strcmp(words[1], "help"))
			return cli_help(cli, object, nr > 2 ? words[2] : NULL);
		command = cli_find(object, nr > 1 ? words[1] : "list", &is_object);
		/* Of what there is one, there is nothing to list. */
		if (!command && nr == 1)
			command = cli_find(object, "show", &is_object);
		if (!command)
			return cli_unknown(cli, object, words[1]);
		used = nr > 1 ? 2 : 1;
	}
	cli->command = command;
	if (cli->is_forced && command->run != cli_batch && !cli->file)
		return cli_misuse(cli, "-f is for batch; to end what is in use, say: force");
	if (cli_args_read(command->usage, nr - used, words + used, &args, why))
		return cli_misuse(cli, "%s; usage: superdev %s%s%s %s", why,
				  command->object ? command->object : "", command->object ? " " : "",
				  command->name, command->usage);
	if (command->run != cli_help_command && command->run != cli_version && command->run != cli_batch &&
	    cli_open(cli))
		return CLI_FAILED;
	r = command->run(cli, &args);
	cli->command = NULL;
	return r;
}
