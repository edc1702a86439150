// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c: superdev(8): options; the words go to dispatch.c.
 */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Options may stand anywhere; what is left are words.  -1: go on, else the exit status. */
static int options(struct cli *cli, int argc, char **argv, char **words, int *ret_nr)
{
	bool wants_help = false, wants_version = false;
	const struct cli_command *command;
	bool is_object;
	const char *c;
	int i, nr = 0;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--")) {
			while (++i < argc)
				words[nr++] = argv[i];
			break;
		}
		/* What is behind it is a command line of its own. */
		if (nr == 1 && !strcmp(words[0], "run")) {
			while (i < argc)
				words[nr++] = argv[i++];
			break;
		}
		if (argv[i][0] != '-' || !argv[i][1]) {
			words[nr++] = argv[i];
		} else if (!strcmp(argv[i], "--json")) {
			cli->is_json = true;
		} else if (!strcmp(argv[i], "--force")) {
			cli->is_forced = true;
		} else if (!strcmp(argv[i], "--help")) {
			wants_help = true;
		} else if (!strcmp(argv[i], "--version")) {
			wants_version = true;
		} else {
			for (c = argv[i] + 1; *c; c++) {
				if (*c == 'j')
					cli->is_json = true;
				else if (*c == 'f')
					cli->is_forced = true;
				else if (*c == 'h')
					wants_help = true;
				else if (*c == 'V')
					wants_version = true;
				else
					return cli_misuse(
						cli, "option '%s' is unknown; there are -j, -f, -h and -V",
						argv[i]);
			}
		}
	}
	*ret_nr = nr;
	if (wants_version) {
		words[0] = "version";
		*ret_nr = 1;
		return -1;
	}
	if (!wants_help)
		return -1;
	command = nr ? cli_find(NULL, words[0], &is_object) : NULL;
	if (!nr)
		return cli_help(cli, NULL, NULL);
	if (!command)
		return cli_unknown(cli, NULL, words[0]);
	if (!is_object)
		return cli_help(cli, NULL, command->name);
	if (nr > 1) {
		const char *object = command->object;

		command = cli_find(object, words[1], &is_object);
		return command ? cli_help(cli, object, command->name) : cli_unknown(cli, object, words[1]);
	}
	return cli_help(cli, command->object, NULL);
}

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	char **words;
	int nr = 0, r;

	setlocale(LC_CTYPE, "");
	/* A reader that goes away ends the writing, by an error that is seen. */
	signal(SIGPIPE, SIG_IGN);
	cli.has_colour =
		isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;

	if (argc > 1 && !strcmp(argv[1], "complete"))
		return cli_complete(&cli, argc - 2, argv + 2);

	words = cli_alloc((argc + 1) * sizeof(*words));
	r = options(&cli, argc, argv, words, &nr);
	if (r < 0 && nr) {
		r = cli_dispatch(&cli, nr, words);
	} else if (r < 0) {
		r = cli.is_forced ? cli_misuse(&cli, "-f is for batch") : cli_open(&cli);
		if (!r)
			r = cli_show(&cli, NULL);
	}
	if ((fflush(stdout) || ferror(stdout)) && !r)
		r = cli_fail(&cli, NULL, "can't write what there is to say: %m");
	free(words);
	sdv_nl_close(cli.nl);
	return r;
}
