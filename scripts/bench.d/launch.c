// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * launch ROUNDS COMMAND…: how long programs take from their start to their end.
 *
 * A COMMAND is words with spaces between them, no shell; "N:COMMAND" runs in every Nth round only.
 * They take turns, so that all see the same machine.  Prints a line for each: its times in
 * microseconds, in the order of the rounds, or "failed STATUS", after which it is not run again;
 * what it then said is in /tmp/launch.NUMBER, counted from 0.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

#define MAX_COMMANDS 16
#define MAX_ROUNDS   10000
#define MAX_WORDS    64

struct command {
	char *words[MAX_WORDS + 1];
	int every, nr, status;
	double *us;
};

static struct command commands[MAX_COMMANDS];

static void command_parse(struct command *command, char *text)
{
	char *end, *save = NULL;
	int nr = 0;

	command->every = (int)strtol(text, &end, 10);
	if (command->every > 0 && *end == ':')
		text = end + 1;
	else
		command->every = 1;
	for (char *word = strtok_r(text, " ", &save); word && nr < MAX_WORDS; word = strtok_r(NULL, " ", &save))
		command->words[nr++] = word;
	command->us = calloc(MAX_ROUNDS, sizeof(*command->us));
	if (!nr || !command->us) {
		fprintf(stderr, "launch: no command in '%s'\n", text);
		exit(2);
	}
}

static void command_run(struct command *command, int number)
{
	posix_spawn_file_actions_t actions;
	struct timespec began, ended;
	char said[32];
	int status;
	pid_t pid;

	snprintf(said, sizeof(said), "/tmp/launch.%d", number);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	clock_gettime(CLOCK_MONOTONIC, &began);
	if (posix_spawnp(&pid, command->words[0], &actions, NULL, command->words, environ))
		status = 127 << 8;
	else if (waitpid(pid, &status, 0) != pid)
		status = 1 << 8;
	clock_gettime(CLOCK_MONOTONIC, &ended);
	posix_spawn_file_actions_destroy(&actions);
	command->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	command->us[command->nr++] =
		(double)(ended.tv_sec - began.tv_sec) * 1e6 + (double)(ended.tv_nsec - began.tv_nsec) / 1e3;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[1]) : 0;

	if (rounds < 1 || rounds > MAX_ROUNDS || argc - 2 > MAX_COMMANDS) {
		fprintf(stderr, "usage: launch ROUNDS COMMAND…\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		command_parse(&commands[i - 2], argv[i]);
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < argc - 2; i++) {
			if (!commands[i].status && round % commands[i].every == 0)
				command_run(&commands[i], i);
		}
	}
	for (int i = 0; i < argc - 2; i++) {
		if (commands[i].status)
			printf("failed %d", commands[i].status);
		for (int n = 0; !commands[i].status && n < commands[i].nr; n++)
			printf("%.0f ", commands[i].us[n]);
		printf("\n");
	}
	return 0;
}
