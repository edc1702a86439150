// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest_used.c: what a program uses while it runs, as its process 1 sees it.
 *
 * Home has it counted as what wait4() will say at the end, so it has to be of the same
 * kind, or what is told would be more than the end: the program's own use, and that of
 * children for which it has waited.  That is in the program's file in /proc, which
 * process 1 may read like all of its namespace; a cgroup counts the processes around the
 * program as well, and the relay, which reads what home sends, gets no file for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define INTERVAL_MS 1000

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False: the program is no more, and another of its number is not this file's. */
static bool stat_read(int fd, struct sdv_task_used *ret_used)
{
	uint64_t minflt, cminflt, majflt, cmajflt, utime, stime, cutime, cstime, tick_us;
	ssize_t n;
	char text[1024], *at;

	n = pread(fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return false;
	text[n] = 0;
	/* Behind the name, which may have anything in it. */
	at = strrchr(text, ')');
	if (!at || sscanf(at + 1,
			  " %*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			  " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
			  &minflt, &cminflt, &majflt, &cmajflt, &utime, &stime, &cutime, &cstime) != 8)
		return false;
	tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	*ret_used = (struct sdv_task_used){
		.utime_us = (utime + cutime) * tick_us,
		.stime_us = (stime + cstime) * tick_us,
		.minflt = minflt + cminflt,
		.majflt = majflt + cmajflt,
	};
	return true;
}

void sdv_guest_used_open(struct sdv_guest_used *used, pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	*used = (struct sdv_guest_used){
		.stat = open(path, O_RDONLY | O_CLOEXEC),
		.due_ms = clock_ms() + INTERVAL_MS,
	};
}

int sdv_guest_used_turn(struct sdv_guest_used *used, int relay)
{
	struct sdv_guest_msg msg = { .type = SDV_GUEST_USED };
	int64_t now = clock_ms();

	if (used->stat < 0)
		return -1;
	if (now < used->due_ms)
		return (int)(used->due_ms - now);
	used->due_ms = now + INTERVAL_MS;
	if (stat_read(used->stat, &msg.end.used) &&
	    memcmp(&msg.end.used, &used->told, sizeof(used->told)) != 0 &&
	    send(relay, &msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		/* Where there was no room, the next one says it all. */
		used->told = msg.end.used;
	return INTERVAL_MS;
}
