// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sandbox.c: takes everything from a process that it does not need.  See sandbox.h.
 *
 * Two processes come out of it.  The one that called stays where it was, with
 * no privilege, no descriptor and two system calls: its number is what the
 * agent knows, it passes on the exit status, and the sandbox dies with it.  Its
 * child is alone in new namespaces and does the work.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The agent sees the reason in the journal, so each step has a name. */
#define FAIL(what)                  \
	do {                        \
		*ret_what = (what); \
		return -errno;      \
	} while (0)

static const struct {
	int flag;
	const char *file, *what;
} namespaces[] = {
	{ CLONE_NEWUSER, "/proc/self/ns/user", "user namespaces are missing from this kernel" },
	{ CLONE_NEWNS, "/proc/self/ns/mnt", "mount namespaces are missing from this kernel" },
	{ CLONE_NEWPID, "/proc/self/ns/pid", "pid namespaces are missing from this kernel" },
	{ CLONE_NEWNET, "/proc/self/ns/net", "network namespaces are missing from this kernel" },
	{ CLONE_NEWIPC, "/proc/self/ns/ipc", "ipc namespaces are missing from this kernel" },
	{ CLONE_NEWUTS, "/proc/self/ns/uts", "uts namespaces are missing from this kernel" },
	{ CLONE_NEWCGROUP, "/proc/self/ns/cgroup", "cgroup namespaces are missing from this kernel" },
};

static int limits_set(const struct sdv_sandbox *box, const char **ret_what)
{
	const struct rlimit none = { 0, 0 }, fds = { box->max_fds, box->max_fds },
			    /* io_uring's own threads count as processes */
		processes = { 64, 64 }, unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit pinned;

	if (setrlimit(RLIMIT_CORE, &none) || setrlimit(RLIMIT_MSGQUEUE, &none) ||
	    setrlimit(RLIMIT_NOFILE, &fds) || setrlimit(RLIMIT_NPROC, &processes) ||
	    getrlimit(RLIMIT_MEMLOCK, &pinned))
		FAIL("set resource limits");
	/*
	 * Pinned memory counts per user, and all workers are one user.  This one
	 * limit goes up: where that takes a capability that we do not have, the
	 * hard limit is what there is, and who pins memory is told.
	 */
	pinned.rlim_cur = pinned.rlim_max;
	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) && setrlimit(RLIMIT_MEMLOCK, &pinned))
		FAIL("set resource limits");
	return 0;
}

/* Closes all but @fds, which are in ascending order. */
static int fds_close(const int *fds, size_t nr, const char **ret_what)
{
	unsigned int first = 0;

	for (size_t i = 0; i <= nr; i++) {
		unsigned int next = i < nr ? (unsigned int)fds[i] : UINT_MAX;

		if (next > first && close_range(first, i < nr ? next - 1 : next, 0))
			FAIL("close descriptors");
		first = next + 1;
	}
	return 0;
}

static int id_map(pid_t child, const char *file, const char **ret_what)
{
	char path[64], map[64];
	int fd, len, written;

	snprintf(path, sizeof(path), "/proc/%d/%s", child, file);
	len = snprintf(map, sizeof(map), "%u %u 1\n", SDV_SANDBOX_UID, SDV_SANDBOX_UID);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		FAIL("open the user namespace's map");
	written = (int)write(fd, map, (size_t)len);
	close(fd);
	if (written != len)
		FAIL("write the user namespace's map");
	return 0;
}

/* Leaves an empty, read-only root: there is no path that leads anywhere. */
static int root_empty(const char **ret_what)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		FAIL("make mounts private");
	/* Any directory that is there would do; id_map() has needed this one. */
	if (mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=4k,nr_inodes=1,mode=0555"))
		FAIL("mount an empty root");
	if (chdir("/proc") || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		FAIL("change to the empty root");
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=4k,nr_inodes=1,mode=0555"))
		FAIL("make the empty root read-only");
	return 0;
}

static int ids_drop(const char **ret_what)
{
	if (setgroups(0, NULL) || setresgid(SDV_SANDBOX_UID, SDV_SANDBOX_UID, SDV_SANDBOX_UID) ||
	    setresuid(SDV_SANDBOX_UID, SDV_SANDBOX_UID, SDV_SANDBOX_UID))
		FAIL("become the unprivileged user");
	return 0;
}

/*
 * Before ids_drop() and capabilities_drop(), both of which take capabilities
 * that a change of user would otherwise take away.
 */
static int capabilities_bound(const char **ret_what)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			FAIL("drop the capability bounding set");
	if (prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS, 0, 0, 0))
		FAIL("lock the secure bits");
	return 0;
}

static int capabilities_drop(const char **ret_what)
{
	cap_t none = cap_init();
	int r;

	if (!none)
		FAIL("drop capabilities");
	r = cap_set_proc(none);
	cap_free(none);
	if (r)
		FAIL("drop capabilities");
	return 0;
}

static int rules_add(scmp_filter_ctx rules, const struct sdv_sandbox_call *calls, size_t nr_calls)
{
	int r = rules ? 0 : -ENOMEM;

	for (size_t i = 0; i < nr_calls && !r; i++) {
		const struct sdv_sandbox_call *call = &calls[i];
		struct scmp_arg_cmp cmp[2];

		for (unsigned int a = 0; a < call->nr_args; a++)
			cmp[a] = (struct scmp_arg_cmp){
				.arg = call->args[a].index,
				.op = SCMP_CMP_EQ,
				.datum_a = call->args[a].value,
			};
		r = seccomp_rule_add_exact_array(rules, SCMP_ACT_ALLOW, call->nr, call->nr_args, cmp);
	}
	return r;
}

/* The program of @rules, which the library writes to files alone. */
static int rules_export(scmp_filter_ctx rules, struct sdv_sandbox_filter *ret_filter)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), r;
	off_t size = 0;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(rules, fd);
	if (!r)
		size = lseek(fd, 0, SEEK_END);
	if (!r && size <= 0)
		r = -EIO;
	ret_filter->code = r ? NULL : malloc((size_t)size);
	ret_filter->len = r ? 0 : (size_t)size / sizeof(*ret_filter->code);
	if (!r && !ret_filter->code)
		r = -ENOMEM;
	if (!r && pread(fd, ret_filter->code, (size_t)size, 0) != size)
		r = -EIO;
	close(fd);
	return r;
}

/**
 * sdv_sandbox_filter_make - leaves only a few system calls to who loads it
 * @filter:	what was made; its memory is the caller's from then on
 * @calls:	those; any other, or of another architecture, kills the process
 * @nr_calls:	how many
 * @ret_what:	on error, what could not be done
 *
 * Return: 0 or -errno.
 */
int sdv_sandbox_filter_make(struct sdv_sandbox_filter *filter, const struct sdv_sandbox_call *calls,
			    size_t nr_calls, const char **ret_what)
{
	scmp_filter_ctx rules = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = rules_add(rules, calls, nr_calls);

	*filter = (struct sdv_sandbox_filter){ 0 };
	if (!r)
		r = rules_export(rules, filter);
	seccomp_release(rules);
	if (r) {
		*ret_what = "make the system call filter";
		free(filter->code);
		*filter = (struct sdv_sandbox_filter){ 0 };
	}
	return r;
}

/**
 * sdv_sandbox_filter_load - last step: what the filter does not have is over
 * @filter:	made before
 * @ret_what:	on error, what could not be done
 *
 * Return: 0 or -errno.
 */
int sdv_sandbox_filter_load(const struct sdv_sandbox_filter *filter, const char **ret_what)
{
	const struct sock_fprog program = { .len = (unsigned short)filter->len, .filter = filter->code };

	*ret_what = "load the system call filter";
	/* An empty one would be refused by the kernel, too. */
	if (!filter->len || filter->len > BPF_MAXINSNS)
		return -EINVAL;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return -errno;
	return 0;
}

/**
 * sdv_sandbox_seal - second and last step: leaves only a few system calls
 * @calls:	those; any other, or of another architecture, kills the process
 * @nr_calls:	how many
 * @ret_what:	on error, what could not be done
 *
 * Return: 0 or -errno.
 */
int sdv_sandbox_seal(const struct sdv_sandbox_call *calls, size_t nr_calls, const char **ret_what)
{
	struct sdv_sandbox_filter filter;
	int r = sdv_sandbox_filter_make(&filter, calls, nr_calls, ret_what);

	if (!r)
		r = sdv_sandbox_filter_load(&filter, ret_what);
	/* Not freed: that may want a system call, and is nothing to who goes on with a few. */
	return r;
}

/* The parent from the clone on: holds nothing, does nothing, is what the agent may kill. */
static _Noreturn void stand_by(pid_t child)
{
	static const struct sdv_sandbox_call calls[] = {
		{ .nr = SYS_wait4 },
		{ .nr = SYS_exit_group },
		{ .nr = SYS_restart_syscall },
	};
	const char *what;
	int status = 0;

	if (fds_close(NULL, 0, &what) || capabilities_bound(&what) || ids_drop(&what) ||
	    capabilities_drop(&what) || sdv_sandbox_seal(calls, sizeof(calls) / sizeof(*calls), &what))
		_exit(EXIT_FAILURE); /* and the child with it */
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	/* As a shell tells it: 128 and the signal. */
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static int parent_run(pid_t child, int sync, const char **ret_what)
{
	char byte = 0;
	int r = id_map(child, "gid_map", ret_what);

	if (!r)
		r = id_map(child, "uid_map", ret_what);
	if (!r && (write(sync, &byte, 1) != 1 || read(sync, &byte, 1) != 1))
		/* The child has told why. */
		_exit(EXIT_FAILURE);
	if (!r && write(sync, &byte, 1) == 1)
		stand_by(child);
	kill(child, SIGKILL);
	return r;
}

static int child_run(const struct sdv_sandbox *box, int sync, const char **ret_what)
{
	char byte = 0;
	int r;

	if (read(sync, &byte, 1) != 1)
		_exit(EXIT_FAILURE);
	r = capabilities_bound(ret_what);
	if (r || (r = ids_drop(ret_what)) || (r = root_empty(ret_what)) || (r = capabilities_drop(ret_what)))
		return r;
	/*
	 * Setting ids has cleared what was asked for before; and the parent may
	 * have died before we ask: then there is no answer.
	 */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_DUMPABLE, 0))
		FAIL("tie the sandbox to its parent");
	if (write(sync, &byte, 1) != 1 || read(sync, &byte, 1) != 1)
		_exit(EXIT_FAILURE);
	return fds_close(box->fds, box->nr_fds, ret_what);
}

/**
 * sdv_sandbox_enter - first step: namespaces, root, user, limits, descriptors
 * @box:	what stays
 * @ret_what:	on error, what could not be done, for a message
 *
 * Called by root, in a process of one thread.  Returns in a child, which is
 * process 1 of its own namespaces, an unprivileged user without capabilities,
 * in an empty root, with the descriptors of @box and no others; standard error
 * is gone unless kept.  The calling process waits for it and never returns.
 * Return: 0; -errno: where the kernel lacks a namespace, or where this is not
 * root (EPERM).
 */
int sdv_sandbox_enter(const struct sdv_sandbox *box, const char **ret_what)
{
	int sync[2], flags = SIGCHLD, r;
	long child;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		FAIL("set no_new_privs");
	for (size_t i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++) {
		if (access(namespaces[i].file, F_OK))
			FAIL(namespaces[i].what);
		flags |= namespaces[i].flag;
	}
	r = limits_set(box, ret_what);
	if (r)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sync))
		FAIL("make a socket pair");
	child = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (child < 0)
		FAIL("make new namespaces");
	close(sync[child ? 1 : 0]);
	return child ? parent_run((pid_t)child, sync[0], ret_what) : child_run(box, sync[1], ret_what);
}
