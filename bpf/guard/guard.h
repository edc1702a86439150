/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * guard.h: what the guard tells the agent.
 */
#ifndef SUPERDEV_GUARD_H
#define SUPERDEV_GUARD_H

#include <linux/types.h>

/* What a guest tried; guard_names has them in words. */
enum guard_what {
	GUARD_FILE,	/* to open a file that is not in its mounts */
	GUARD_SOCKET,	/* to make or use one that is not a Unix socket */
	GUARD_PTRACE,	/* to look into a process that is no guest of its home */
	GUARD_SIGNAL,	/* to signal one */
	GUARD_BPF,
	GUARD_KEY,
	GUARD_MOUNT,
	GUARD_NAMESPACE,
	GUARD_URING,
	GUARD_PERF,
	GUARD_NR,
};

#define GUARD_NAMES {								\
	[GUARD_FILE] = "open a file from outside of its mounts",		\
	[GUARD_SOCKET] = "use a socket that is not a Unix socket",		\
	[GUARD_PTRACE] = "look into a process outside of its namespace",	\
	[GUARD_SIGNAL] = "signal a process outside of its namespace",		\
	[GUARD_BPF] = "use BPF",						\
	[GUARD_KEY] = "make a key",						\
	[GUARD_MOUNT] = "change mounts",					\
	[GUARD_NAMESPACE] = "make a user namespace",				\
	[GUARD_URING] = "use io_uring",						\
	[GUARD_PERF] = "use performance events",				\
}

/**
 * struct guard_denial - one event of the ring
 * @lease:	id of the lease's cgroup
 * @pid:	of the guest, as this machine counts
 * @what:	enum guard_what
 * @comm:	its name; ends at a zero or with the array
 */
struct guard_denial {
	__u64 lease;
	__u32 pid;
	__u32 what;
	char comm[16];
};

#endif /* SUPERDEV_GUARD_H */
