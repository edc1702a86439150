// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spawn.c: starts programs of ours that live beside the agent.
 *
 * By clone3() and not posix_spawn(): the child has to be its user before it executes
 * anything, and begins in its cgroup.  To move there later makes the kernel stop all
 * forks and wait for a grace period.
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "task_sock.h"

#define FD_ABOVE 64 /* of the child's numbers, so that none is overwritten */

#define BIT(cap) (1ull << (cap))
/* What makes root root where files are concerned. */
#define CAPS_FILES                                                                             \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) | \
	 BIT(CAP_FSETID))

/* dup2() clears close-on-exec, but a source below the targets would be overwritten before its turn. */
static int fds_move(const struct spawn *spawn)
{
	int high[8], null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return -errno;
	if (spawn->nr_fds > sizeof(high) / sizeof(*high))
		return -E2BIG;
	for (unsigned int i = 0; i < spawn->nr_fds; i++) {
		high[i] = fcntl(spawn->fds[i], F_DUPFD_CLOEXEC, FD_ABOVE);
		if (high[i] < 0)
			return -errno;
	}
	for (unsigned int i = 0; i < spawn->nr_fds; i++)
		if (dup2(high[i], SPAWN_FD_FIRST + (int)i) < 0)
			return -errno;
	return close_range(SPAWN_FD_FIRST + spawn->nr_fds, ~0u, 0) ? -errno : 0;
}

/* Nothing that this process executes has more either. */
static int caps_limit(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = (uint32_t)keep, .permitted = (uint32_t)keep },
		{ .effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32) },
	}, has[2];

	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(keep & BIT(cap)) && prctl(PR_CAPBSET_READ, cap) == 1 && prctl(PR_CAPBSET_DROP, cap))
			return -errno;
	if (syscall(SYS_capget, &head, has))
		return -errno;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= has[i].permitted;
		data[i].effective = data[i].permitted;
	}
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

static int user_become(const struct task_user *user)
{
	int r;

	if (setgroups(user->nr_groups, user->groups) || setresgid(user->gid, user->gid, user->gid))
		return -errno;
	/* A bounding set can only be made smaller with privileges. */
	r = caps_limit((user->uid ? 0 : CAPS_FILES) | BIT(CAP_SETUID) | BIT(CAP_SETPCAP));
	if (!r && setresuid(user->uid, user->uid, user->uid))
		r = -errno;
	if (!r && !user->uid)
		r = caps_limit(CAPS_FILES);
	if (!r && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		r = -errno;
	return r;
}

static _Noreturn void child(const struct spawn *spawn)
{
	char *envp[] = { NULL };
	const char *what = "get its descriptors";
	sigset_t none;
	int r = 0;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	r = fds_move(spawn);
	if (!r && spawn->user) {
		what = "become its user";
		r = user_become(spawn->user);
	}
	if (!r) {
		what = "execute";
		execve(spawn->argv[0], spawn->argv, envp);
		r = -errno;
	}
	sdv_log(SDV_LOG_ERR, "%s: cannot %s: %s", spawn->argv[0], what, strerror(-r));
	_exit(127);
}

int spawn(const struct spawn *spawn, int *ret_pidfd, pid_t *ret_pid)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | (spawn->cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = spawn->cgroup >= 0 ? (uint64_t)spawn->cgroup : 0,
	};
	/* This process has one thread, so what fork() does beside this is not needed. */
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		child(spawn);
	if (pid < 0)
		return -errno;
	*ret_pidfd = pidfd;
	if (ret_pid)
		*ret_pid = pid;
	return 0;
}

void spawn_signal(int pidfd, int sig)
{
	syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}
