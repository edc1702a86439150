// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spread-deputy.c: stands for superdev-deputy, which needs a lender.
 *
 *	spread-deputy --lease ID -- PATH ARGV[0] ARGV[1] …
 *
 * Does what the variable SPREAD says:
 *	show	prints its arguments, a line each, and its descriptors, and ends with status 42
 *	used	tells the kernel that the program has used what the variable USED says: figures
 *		with commas between them, and a semicolon before the next ones.  Prints for
 *		each what came of it, an errno or 0, and the same for a child that tells the
 *		last.  Then waits for the end of its input
 *	stay	runs the program in a child, as a deputy's program runs elsewhere, and ends as it does
 *	(none)	gives up: executes the program in its own place
 *
 * LINK: agent/task/deputy_used.c
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../agent/task/deputy.h"

static int show(int argc, char **argv)
{
	struct dirent *entry;
	DIR *dir;
	int i;

	for (i = 0; i < argc; i++)
		printf("%s\n", argv[i]);
	dir = opendir("/proc/self/fd");
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir))
			printf("fd %s\n", entry->d_name);
	return 42;
}

static struct sdv_task_used used_read(const char *text)
{
	uint64_t figure[9] = { 0 };

	for (size_t i = 0; i < 9 && *text; i++) {
		char *end;

		figure[i] = strtoull(text, &end, 0);
		text = *end == ',' ? end + 1 : "";
	}
	return (struct sdv_task_used){ figure[0], figure[1], figure[2], figure[3], figure[4],
				       figure[5], figure[6], figure[7], figure[8] };
}

static int use(char *reports)
{
	struct sdv_task_used used = { 0 };
	char *report, byte;

	while ((report = strsep(&reports, ";"))) {
		used = used_read(report);
		printf("%d\n", -sdv_deputy_used_tell(&used));
	}
	fflush(stdout);
	if (!fork()) {
		printf("%d\n", -sdv_deputy_used_tell(&used));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 42;
}

int main(int argc, char **argv)
{
	const char *what = getenv("SPREAD");
	int status;
	pid_t pid;

	if (what && !strcmp(what, "show"))
		return show(argc, argv);
	if (what && !strcmp(what, "used") && getenv("USED"))
		return use(getenv("USED"));
	if (argc < 6 || strcmp(argv[1], "--lease") != 0 || !atoi(argv[2]) || strcmp(argv[3], "--") != 0) {
		fprintf(stderr, "spread-deputy: bad arguments\n");
		return 2;
	}
	if (what && !strcmp(what, "stay")) {
		pid = fork();
		if (pid > 0)
			return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 2;
	}
	execv(argv[4], argv + 5);
	fprintf(stderr, "%s: %s\n", argv[4], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
