// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task-start BUILD ROUNDS: what it costs to start /bin/true, here and through a deputy.
 *
 * The guest's host waits already ("parked"), as it does behind a connection that
 * the agents have made before it is needed; or it is started with the deputy
 * ("cold").  Rounds of the three take turns, so that they see the same machine.
 * Prints a line of JSON: microseconds, lowest, median and 90th percentile.
 */
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define MAX_ROUNDS 10000
#define PARK_MS    60

static char deputy[4096], guest[4096];
static double taken[3][MAX_ROUNDS];

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* @fd becomes descriptor 3, input and output are /dev/null. */
static pid_t start(const char *path, const char *const *argv, int fd)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, 0, 1);
	if (fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, fd, 3);
	if (posix_spawn(&pid, path, &actions, NULL, (char **)argv, environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static double wait_for(pid_t pid, double began)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		fprintf(stderr, "task-start: the program did not run well\n");
		exit(1);
	}
	return now_us() - began;
}

static double plain(void)
{
	static const char *const argv[] = { "true", NULL };
	double began = now_us();

	return wait_for(start("/bin/true", argv, -1), began);
}

static double through(int park_ms)
{
	static const char *const guest_argv[] = { "superdev-guest", "--fd", "3", "--root", "/", NULL };
	static const char *const deputy_argv[] = { "superdev-deputy", "--fd", "3", "--verbose", "--",
						   "/bin/true",       "true", NULL };
	int pair[2], status;
	double began, took;
	pid_t host;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		exit(1);
	began = now_us();
	host = start(guest, guest_argv, pair[1]);
	if (park_ms) {
		poll(NULL, 0, park_ms);
		began = now_us();
	}
	took = wait_for(start(deputy, deputy_argv, pair[0]), began);
	close(pair[0]);
	close(pair[1]);
	if (waitpid(host, &status, 0) != host || status)
		exit(1);
	return took;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void report(const char *name, double *values, int nr, const char *end)
{
	qsort(values, (size_t)nr, sizeof(*values), compare);
	printf("\"%s\": {\"min\": %.0f, \"median\": %.0f, \"p90\": %.0f}%s", name, values[0], values[nr / 2],
	       values[nr * 9 / 10], end);
}

int main(int argc, char **argv)
{
	int rounds = argc == 3 ? atoi(argv[2]) : 0;

	if (rounds < 1 || rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: task-start BUILD ROUNDS\n");
		return 2;
	}
	snprintf(deputy, sizeof(deputy), "%s/superdev-deputy", argv[1]);
	snprintf(guest, sizeof(guest), "%s/superdev-guest", argv[1]);
	for (int i = 0; i < rounds; i++) {
		taken[0][i] = plain();
		taken[1][i] = through(PARK_MS);
		taken[2][i] = through(0);
	}
	printf("{");
	report("plain", taken[0], rounds, ", ");
	report("parked", taken[1], rounds, ", ");
	report("cold", taken[2], rounds, "}\n");
	return 0;
}
