// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * error.c: what went wrong, in one line on stderr.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define LINE_SIZE 6144 /* of a path, quoted, and a sentence */

static void say(const struct cli *cli, const char *subject, const char *format, va_list args)
{
	char text[LINE_SIZE], *escaped, *name;

	/* Also what the kernel says may repeat a stranger's bytes. */
	vsnprintf(text, sizeof(text), format, args);
	fflush(stdout);
	fputs("superdev: ", stderr);
	if (cli->file) {
		name = cli_escape(cli->file);
		fprintf(stderr, "%s:%u: ", name, cli->line);
		free(name);
	}
	if (cli->command)
		fprintf(stderr, "%s%s%s", cli->command->object ? cli->command->object : "",
			cli->command->object ? " " : "", cli->command->name);
	if (cli->command && subject) {
		escaped = cli_escape(subject);
		fprintf(stderr, " '%s'", escaped);
		free(escaped);
	}
	escaped = cli_escape(text);
	fprintf(stderr, "%s%s\n", cli->command ? ": " : "", escaped);
	free(escaped);
}

int cli_fail(const struct cli *cli, const char *subject, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(cli, subject, format, args);
	va_end(args);
	return CLI_FAILED;
}

int cli_misuse(const struct cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(cli, NULL, format, args);
	va_end(args);
	return CLI_USAGE;
}

const char *cli_strerror(int r)
{
	switch (-r) {
	case ENOENT: return "there is no such thing";
	case EEXIST: return "it is there already";
	case EBUSY: return "it is in use";
	case ENODEV: return "the device is gone";
	case EBADMSG:
		return "the kernel module and this program don't understand each other; are they of one version?";
	case ETIMEDOUT: return "the kernel did not answer";
	case EAGAIN: return "the registry changes too quickly to be read";
	case EOPNOTSUPP: return "this kernel module can't do that";
	default: return strerror(-r);
	}
}

int cli_refused(const struct cli *cli, const char *subject, int r)
{
	const char *text = cli->nl ? sdv_nl_error(cli->nl) : "";

	if (r == -EPERM || r == -EACCES)
		return cli_fail(cli, subject, "not permitted%s%s; it needs CAP_NET_ADMIN; try it with sudo",
				*text ? ": " : "", text);
	return cli_fail(cli, subject, "%s", *text ? text : cli_strerror(r));
}

int cli_open(struct cli *cli)
{
	int r;

	if (cli->nl)
		return 0;
	r = sdv_nl_open(&cli->nl);
	if (!r)
		return 0;
	cli->nl = NULL;
	if (r == -ENOENT)
		return cli_fail(cli, NULL,
				"the kernel module superdev is not loaded; try: modprobe superdev");
	return cli_fail(cli, NULL, "no way to the kernel's registry: %s", cli_strerror(r));
}
