// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spread-deputy.c: stands for superdev-deputy, which needs a lender.
 *
 *	spread-deputy --lease ID -- PATH ARGV[0] ARGV[1] …
 *
 * Does what the variable SPREAD says:
 *	show	prints its arguments, a line each, and its descriptors, and ends with status 42
 *	stay	runs the program in a child, as a deputy's program runs elsewhere, and ends as it does
 *	(none)	gives up: executes the program in its own place
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

int main(int argc, char **argv)
{
	const char *what = getenv("SPREAD");
	int status;
	pid_t pid;

	if (what && !strcmp(what, "show"))
		return show(argc, argv);
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
