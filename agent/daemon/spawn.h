/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spawn.h: starts programs of ours that live beside the agent, and may outlive it.
 *
 * Other than a worker they are not talked to afterwards by anything but the
 * descriptors that they got.  Their end is known by a pidfd.
 */
#ifndef SDV_SPAWN_H
#define SDV_SPAWN_H

#include <sys/types.h>

struct task_user;

#define SPAWN_FD_FIRST 3

/**
 * struct spawn - what is started, and as whom
 * @argv:	the program's path first; no shell, no search
 * @fds:	@nr_fds descriptors, which get the numbers from SPAWN_FD_FIRST on and
 *		stay the caller's
 * @cgroup:	a directory of cgroup v2 that it begins in, or -1
 * @user:	whose rights it has, and no others, but that user 0 has those about
 *		files; NULL: the agent's
 */
struct spawn {
	char *const *argv;
	const int *fds;
	unsigned int nr_fds;
	int cgroup;
	const struct task_user *user;
};

/**
 * spawn - starts it, in a session of its own
 * @ret_pidfd:	the caller's to close
 * @ret_pid:	may be NULL
 *
 * That it could not be executed is only known by its end, status 127.
 * Return: 0 or -errno.
 */
int spawn(const struct spawn *spawn, int *ret_pidfd, pid_t *ret_pid);

/* Does nothing where it has ended. */
void spawn_signal(int pidfd, int sig);

#endif
