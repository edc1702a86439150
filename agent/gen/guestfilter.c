// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guestfilter.c: prints, while superdev is built, the system call filter of guests.
 *
 * It is the same for all of them, and libseccomp takes as long to make it as all else
 * that a start needs: so guestbox.c has it as an array.
 */
#include <errno.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <unistd.h>

/* Everything an ordinary program does on files, memory, time, signals and its own processes. */
static const char *const allowed[] = {
	/* files by path */
	"open",
	"openat",
	"openat2",
	"creat",
	"close",
	"close_range",
	"stat",
	"lstat",
	"fstat",
	"newfstatat",
	"statx",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"mkdir",
	"mkdirat",
	"rmdir",
	"unlink",
	"unlinkat",
	"rename",
	"renameat",
	"renameat2",
	"link",
	"linkat",
	"symlink",
	"symlinkat",
	"chmod",
	"fchmod",
	"fchmodat",
	"fchmodat2",
	"chown",
	"fchown",
	"lchown",
	"fchownat",
	"mknod",
	"mknodat",
	"truncate",
	"ftruncate",
	"utime",
	"utimes",
	"futimesat",
	"utimensat",
	"getdents",
	"getdents64",
	"getcwd",
	"chdir",
	"fchdir",
	"umask",
	"statfs",
	"fstatfs",
	"setxattr",
	"lsetxattr",
	"fsetxattr",
	"getxattr",
	"lgetxattr",
	"fgetxattr",
	"listxattr",
	"llistxattr",
	"flistxattr",
	"removexattr",
	"lremovexattr",
	"fremovexattr",
	"inotify_init",
	"inotify_init1",
	"inotify_add_watch",
	"inotify_rm_watch",
	"name_to_handle_at",
	"chroot",
	/* descriptors */
	"read",
	"write",
	"readv",
	"writev",
	"pread64",
	"pwrite64",
	"preadv",
	"pwritev",
	"preadv2",
	"pwritev2",
	"lseek",
	"dup",
	"dup2",
	"dup3",
	"fcntl",
	"flock",
	"fsync",
	"fdatasync",
	"sync",
	"syncfs",
	"sync_file_range",
	"fallocate",
	"fadvise64",
	"readahead",
	"pipe",
	"pipe2",
	"splice",
	"tee",
	"vmsplice",
	"sendfile",
	"copy_file_range",
	"select",
	"pselect6",
	"poll",
	"ppoll",
	"epoll_create",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"eventfd",
	"eventfd2",
	"signalfd",
	"signalfd4",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	"memfd_create",
	"io_setup",
	"io_destroy",
	"io_submit",
	"io_cancel",
	"io_getevents",
	"io_pgetevents",
	/* sockets that exist: local ones; see sockets_limit() for how they are made */
	"socketpair",
	"bind",
	"connect",
	"listen",
	"accept",
	"accept4",
	"getsockname",
	"getpeername",
	"sendto",
	"recvfrom",
	"sendmsg",
	"recvmsg",
	"sendmmsg",
	"recvmmsg",
	"shutdown",
	"setsockopt",
	"getsockopt",
	/* memory */
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"msync",
	"mincore",
	"mlock",
	"mlock2",
	"munlock",
	"mlockall",
	"munlockall",
	"membarrier",
	"pkey_alloc",
	"pkey_free",
	"pkey_mprotect",
	"map_shadow_stack",
	"mseal",
	"get_mempolicy",
	"set_mempolicy",
	"mbind",
	"set_mempolicy_home_node",
	"shmget",
	"shmat",
	"shmdt",
	"shmctl",
	"semget",
	"semop",
	"semtimedop",
	"semctl",
	"msgget",
	"msgsnd",
	"msgrcv",
	"msgctl",
	"mq_open",
	"mq_unlink",
	"mq_timedsend",
	"mq_timedreceive",
	"mq_notify",
	"mq_getsetattr",
	/* processes and threads; clone is limited below */
	"fork",
	"vfork",
	"execve",
	"execveat",
	"exit",
	"exit_group",
	"wait4",
	"waitid",
	"set_tid_address",
	"gettid",
	"getpid",
	"getppid",
	"getpgid",
	"getpgrp",
	"setpgid",
	"getsid",
	"setsid",
	"futex",
	"futex_waitv",
	"futex_wake",
	"futex_wait",
	"futex_requeue",
	"set_robust_list",
	"get_robust_list",
	"rseq",
	"arch_prctl",
	"prctl",
	"sched_yield",
	"sched_setaffinity",
	"sched_getaffinity",
	"sched_setparam",
	"sched_getparam",
	"sched_setscheduler",
	"sched_getscheduler",
	"sched_setattr",
	"sched_getattr",
	"sched_get_priority_max",
	"sched_get_priority_min",
	"sched_rr_get_interval",
	"getpriority",
	"setpriority",
	"ioprio_get",
	"ioprio_set",
	"getrlimit",
	"setrlimit",
	"prlimit64",
	"getrusage",
	"times",
	"getcpu",
	"pidfd_open",
	"pidfd_send_signal",
	"restart_syscall",
	/* signals */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigpending",
	"rt_sigtimedwait",
	"rt_sigqueueinfo",
	"rt_tgsigqueueinfo",
	"rt_sigsuspend",
	"rt_sigreturn",
	"sigaltstack",
	"kill",
	"tkill",
	"tgkill",
	"pause",
	"alarm",
	"setitimer",
	"getitimer",
	/* time */
	"time",
	"gettimeofday",
	"clock_gettime",
	"clock_getres",
	"clock_nanosleep",
	"nanosleep",
	"timer_create",
	"timer_settime",
	"timer_gettime",
	"timer_getoverrun",
	"timer_delete",
	/* who one is, and where */
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getresuid",
	"getresgid",
	"getgroups",
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"setfsuid",
	"setfsgid",
	"setgroups",
	"capget",
	"capset",
	"uname",
	"sysinfo",
	"getrandom",
	"ioctl",
	"landlock_create_ruleset",
	"landlock_add_rule",
	"landlock_restrict_self",
	"seccomp",
	"lsm_get_self_attr",
	"lsm_list_modules",
	/* of process 1 alone: sdv_guestbox_filter_guest() takes them */
	"clone3",
	"sethostname",
};

/* What programs know and may ask for: they are told no, and why nothing came of it is clear. */
static const char *const refused[] = {
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"process_madvise",
	"process_mrelease",
	"kcmp",
	"pidfd_getfd",
	"mount",
	"umount2",
	"move_mount",
	"open_tree",
	"open_tree_attr",
	"mount_setattr",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"statmount",
	"listmount",
	"pivot_root",
	"unshare",
	"setns",
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"add_key",
	"request_key",
	"keyctl",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"swapon",
	"swapoff",
	"acct",
	"quotactl",
	"quotactl_fd",
	"nfsservctl",
	"settimeofday",
	"clock_settime",
	"clock_adjtime",
	"adjtimex",
	"stime",
	"setdomainname",
	"iopl",
	"ioperm",
	"modify_ldt",
	"syslog",
	"vhangup",
	"open_by_handle_at",
	"fanotify_init",
	"fanotify_mark",
	"lookup_dcookie",
	"memfd_secret",
	"migrate_pages",
	"move_pages",
	"remap_file_pages",
	"uselib",
	"ustat",
	"sysfs",
	"_sysctl",
	"vm86",
	"vm86old",
};

static int names_add(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		int number = seccomp_syscall_resolve_name(names[i]), r;

		/* Newer than the library, or of another processor: then it is ENOSYS. */
		if (number < 0)
			continue;
		r = seccomp_rule_add(filter, action, number, 0);
		if (r)
			return r;
	}
	return 0;
}

/* No new namespaces; their flags are also those of clone(2). */
static int clone_limit(scmp_filter_ctx filter)
{
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				 SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces, 0));

	for (uint64_t bit = 1; bit && !r; bit <<= 1)
		if (namespaces & bit)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
					     SCMP_A0(SCMP_CMP_MASKED_EQ, bit, bit));
	return r;
}

/* Sockets of this machine's files and no others: a guest has no network. */
static int sockets_limit(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				 SCMP_A0_32(SCMP_CMP_EQ, AF_UNIX, 0));

	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				     SCMP_A0_32(SCMP_CMP_NE, AF_UNIX, 0));
	return r;
}

static int personality_limit(scmp_filter_ctx filter)
{
	static const unsigned int yes[] = { PER_LINUX, 0xffffffff, ADDR_NO_RANDOMIZE };
	int r = 0;

	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes) && !r; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(personality), 1,
				     SCMP_A0_32(SCMP_CMP_EQ, yes[i], 0));
	return r;
}

static int filter_make(scmp_filter_ctx filter)
{
	int r = filter ? 0 : -ENOMEM;

	if (!r)
		r = names_add(filter, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(*allowed));
	if (!r)
		r = names_add(filter, SCMP_ACT_ERRNO(EPERM), refused, sizeof(refused) / sizeof(*refused));
	if (!r)
		r = clone_limit(filter);
	if (!r)
		r = sockets_limit(filter);
	if (!r)
		r = personality_limit(filter);
	/* A tree of comparisons: the kernel runs it for each call that it can't decide beforehand. */
	if (!r)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return r;
}

static int filter_print(scmp_filter_ctx filter, FILE *file)
{
	int r = seccomp_export_bpf(filter, fileno(file));
	struct sock_filter code;

	if (r)
		return r;
	if (fseek(file, 0, SEEK_SET))
		return -errno;
	printf("/* Made by agent/gen/guestfilter.c. */\n");
	while (fread(&code, sizeof(code), 1, file) == 1)
		printf("{ 0x%04x, %u, %u, 0x%08x },\n", code.code, code.jt, code.jf, code.k);
	return ferror(file) || fflush(stdout) ? -EIO : 0;
}

int main(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	FILE *file = tmpfile();
	int r = file ? filter_make(filter) : -errno;

	if (!r)
		r = filter_print(filter, file);
	if (file)
		fclose(file);
	seccomp_release(filter);
	if (r)
		fprintf(stderr, "guestfilter: %s\n", strerror(-r));
	return r ? 1 : 0;
}
