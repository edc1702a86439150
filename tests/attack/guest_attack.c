// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest_attack.c: a guest tries to get out.
 *
 * Run without arguments, as root, this is home: it has itself executed at a
 * lender, by superdev-deputy and superdev-guest of the same build, once for each
 * attack.  The attack must end with the errno, or by the signal, that it names.
 * What it tries to reach is put in its way: an outside process, a file that only
 * root may read, a cgroup.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SIGNALLED(number) (128 + (number))
/* Further than any errno; what a deputy does that runs the attack at home. */
#define AT_HOME           250
/* On the root's own file system: what is mounted below it is not the guest's. */
#define SECRET            "/var/tmp/superdev-guest-attack.secret"
#define PROGRAM           "/var/tmp/superdev-guest-attack.program"
#define SOCKET            "superdev-guest-attack"

static char *argument; /* pid of a process outside */

#define CALL_ATTACK(name, call)                      \
	static int name(void)                        \
	{                                            \
		return (long)(call) < 0 ? errno : 0; \
	}

static char memory[4096];

/* What needs a capability, or another namespace, or a kernel that says yes to too much. */
CALL_ATTACK(call_mount, mount("none", "/tmp", "tmpfs", 0, NULL))
CALL_ATTACK(call_bind, mount("/", "/tmp", NULL, MS_BIND, NULL))
CALL_ATTACK(call_remount, mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL))
CALL_ATTACK(call_umount, umount2("/proc/sys", MNT_DETACH))
CALL_ATTACK(call_pivot, syscall(SYS_pivot_root, ".", "."))
CALL_ATTACK(call_fsopen, syscall(SYS_fsopen, "proc", 0))
CALL_ATTACK(call_open_tree, syscall(SYS_open_tree, AT_FDCWD, "/", 1))
CALL_ATTACK(call_move_mount, syscall(SYS_move_mount, AT_FDCWD, "/", AT_FDCWD, "/tmp", 0))
CALL_ATTACK(call_setattr, syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, memory, 32))
CALL_ATTACK(call_unshare_user, unshare(CLONE_NEWUSER))
CALL_ATTACK(call_unshare_mount, unshare(CLONE_NEWNS))
CALL_ATTACK(call_unshare_net, unshare(CLONE_NEWNET))
CALL_ATTACK(call_clone_user, syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0))
CALL_ATTACK(call_clone_mount, syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0))
CALL_ATTACK(call_clone_pid, syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0))
CALL_ATTACK(call_clone3, syscall(SYS_clone3, memory, 88))
CALL_ATTACK(call_setns, setns(open("/proc/1/ns/mnt", O_RDONLY), 0))
CALL_ATTACK(call_chroot, chroot("/tmp"))
CALL_ATTACK(call_mknod, mknod("/tmp/superdev-disk", S_IFBLK | 0600, makedev(254, 0)))
CALL_ATTACK(call_mknod_memory, mknod("/dev/shm/mem", S_IFCHR | 0600, makedev(1, 1)))
CALL_ATTACK(call_hostname, sethostname("lender", 6))
CALL_ATTACK(call_domainname, setdomainname("lender", 6))
CALL_ATTACK(call_setuid, setresuid(0, 0, 0))
CALL_ATTACK(call_groups, setgroups(1, (gid_t[]){ 0 }))
CALL_ATTACK(call_reboot, syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0))
CALL_ATTACK(call_time, syscall(SYS_clock_settime, 0, memory))
CALL_ATTACK(call_swap, syscall(SYS_swapon, "/tmp/x", 0))
CALL_ATTACK(call_syslog, syscall(SYS_syslog, 3, memory, sizeof(memory)))
CALL_ATTACK(call_acct, syscall(SYS_acct, "/tmp/x"))
CALL_ATTACK(call_nice, setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) - 1))
CALL_ATTACK(call_realtime, sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ 10 }))
CALL_ATTACK(call_personality, personality(PER_LINUX32))

/* What the kernel is attacked with. */
CALL_ATTACK(call_uring, syscall(SYS_io_uring_setup, 4, memory))
CALL_ATTACK(call_uring_enter, syscall(SYS_io_uring_enter, 0, 1, 0, 0, 0, 0))
CALL_ATTACK(call_uring_register, syscall(SYS_io_uring_register, 0, 0, memory, 1))
CALL_ATTACK(call_bpf, syscall(SYS_bpf, 5, memory, 64))
CALL_ATTACK(call_perf, syscall(SYS_perf_event_open, memory, 0, -1, -1, 0))
CALL_ATTACK(call_userfault, syscall(SYS_userfaultfd, 0))
CALL_ATTACK(call_keyctl, syscall(SYS_keyctl, 0, -3, 0, 0, 0))
CALL_ATTACK(call_add_key, syscall(SYS_add_key, "user", "x", "y", 1, -2))
CALL_ATTACK(call_request_key, syscall(SYS_request_key, "user", "x", NULL, -2))
CALL_ATTACK(call_module, syscall(SYS_init_module, memory, 64, ""))
CALL_ATTACK(call_finit_module, syscall(SYS_finit_module, 0, "", 0))
CALL_ATTACK(call_kexec, syscall(SYS_kexec_load, 0, 0, 0, 0))
CALL_ATTACK(call_handle, syscall(SYS_open_by_handle_at, AT_FDCWD, memory, O_RDONLY))
CALL_ATTACK(call_fanotify, syscall(SYS_fanotify_init, 0, 0))
CALL_ATTACK(call_quota, syscall(SYS_quotactl, 0, "/dev/vda", 0, memory))
CALL_ATTACK(call_vm_read, syscall(SYS_process_vm_readv, getppid(), memory, 1, memory, 1, 0))
CALL_ATTACK(call_vm_write, syscall(SYS_process_vm_writev, getppid(), memory, 1, memory, 1, 0))
CALL_ATTACK(call_trace_me, ptrace(PTRACE_TRACEME, 0, 0, 0))
CALL_ATTACK(call_trace_init, ptrace(PTRACE_SEIZE, 1, 0, 0))
CALL_ATTACK(call_kcmp, syscall(SYS_kcmp, 1, 1, 0, 0, 0))
CALL_ATTACK(call_getfd, syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, 1, 0), 3, 0))
CALL_ATTACK(call_unknown, syscall(1000))
#ifdef __x86_64__
CALL_ATTACK(call_ioport, syscall(SYS_ioperm, 0, 1024, 1))
CALL_ATTACK(call_ldt, syscall(SYS_modify_ldt, 0, memory, sizeof(memory)))
CALL_ATTACK(call_x32, syscall(0x40000000 + SYS_getpid))

/* By the gate of 32-bit programs, where 20 is getpid. */
static int call_32bit(void)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	return result < 0 ? (int)-result : 0;
}
#endif

/* The network: there is none. */
CALL_ATTACK(call_inet, socket(AF_INET, SOCK_STREAM, 0))
CALL_ATTACK(call_inet6, socket(AF_INET6, SOCK_DGRAM, 0))
CALL_ATTACK(call_raw, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP))
CALL_ATTACK(call_packet, socket(AF_PACKET, SOCK_RAW, 0))
CALL_ATTACK(call_netlink, socket(AF_NETLINK, SOCK_RAW, 0))
CALL_ATTACK(call_vsock, socket(AF_VSOCK, SOCK_STREAM, 0))
CALL_ATTACK(call_alg, socket(AF_ALG, SOCK_SEQPACKET, 0))

/* An abstract socket that a process outside listens on. */
static int abstract_socket(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(to.sun_path + 1, SOCKET, sizeof(SOCKET) - 1);
	return connect(fd, (struct sockaddr *)&to, sizeof(sa_family_t) + sizeof(SOCKET)) ? errno : 0;
}

/* Processes: those outside have no number here. */
CALL_ATTACK(kill_outside, kill(atoi(argument), SIGKILL))
CALL_ATTACK(kill_pidfd, syscall(SYS_pidfd_open, atoi(argument), 0))

static int kill_init(void)
{
	struct timespec pause = { .tv_nsec = 100000000 };

	/* It is process 1, so the kernel drops what it has no handler for. */
	if (kill(1, SIGKILL))
		return errno;
	nanosleep(&pause, NULL);
	return kill(1, 0) && errno == ESRCH ? 0 : EPERM;
}

static int others_visible(void)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	int nr = 0;

	while (dir && (entry = readdir(dir)))
		nr += atoi(entry->d_name) > 0;
	/* Process 1, what stands for the parent, this one, and nobody else. */
	return nr == 3 ? ESRCH : 0;
}

static int open_error(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	return fd < 0 ? errno : 0;
}

static int init_memory(void)
{
	return open_error("/proc/1/mem", O_RDWR);
}

static int init_descriptors(void)
{
	DIR *dir = opendir("/proc/1/fd");

	return dir ? 0 : errno;
}

static int init_root(void)
{
	char path[PATH_MAX];

	return readlink("/proc/1/root", path, sizeof(path)) < 0 ? errno : 0;
}

static int init_environment(void)
{
	return open_error("/proc/1/environ", O_RDONLY);
}

/* Files: of the lender's root, of its disks, of its kernel. */
static int secret(void)
{
	return open_error(SECRET, O_RDONLY);
}

static int secret_owner(void)
{
	return chown(SECRET, 0, 0) ? errno : 0;
}

static int shadow(void)
{
	return open_error("/etc/shadow", O_RDONLY);
}

static int etc_write(void)
{
	return open_error("/etc/superdev-attack", O_WRONLY | O_CREAT);
}

static int disk(void)
{
	return open_error("/dev/vda", O_RDWR);
}

static int kernel_memory(void)
{
	return open_error("/dev/kmsg", O_RDONLY);
}

static int kernel_log(void)
{
	return open_error("/proc/kmsg", O_RDONLY);
}

static int kernel_core(void)
{
	return open_error("/proc/kcore", O_RDONLY);
}

static int kernel_trigger(void)
{
	return open_error("/proc/sysrq-trigger", O_WRONLY);
}

static int kernel_setting(void)
{
	return open_error("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static int own_setting(void)
{
	return open_error("/proc/sys/kernel/shmmax", O_WRONLY);
}

static int namespaces_again(void)
{
	return open_error("/proc/sys/user/max_user_namespaces", O_WRONLY);
}

static int sysfs(void)
{
	return open_error("/sys/kernel/uevent_helper", O_WRONLY);
}

static int above_root(void)
{
	struct stat root, above;

	if (chdir("/") || chdir("..") || stat(".", &above) || stat("/", &root))
		return 0;
	return above.st_ino == root.st_ino && above.st_dev == root.st_dev ? ENOENT : 0;
}

static int cgroup(void)
{
	/* Neither is its file system there, nor would it be one's to write. */
	int r = open_error("/sys/fs/cgroup/cgroup.procs", O_WRONLY);

	return r ? r : open_error("/sys/fs/cgroup/unified/cgroup.procs", O_WRONLY);
}

static int own_map(void)
{
	return open_error("/proc/self/uid_map", O_WRONLY) ? open_error("/proc/self/uid_map", O_WRONLY)
	       : write(open("/proc/self/uid_map", O_WRONLY), "0 0 1\n", 6) < 0 ? errno
									       : 0;
}

static int oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	return fd < 0 ? errno : write(fd, "-1000", 5) < 0 ? errno : 0;
}

static int set_user_program(void)
{
	char path[] = "/proc/self/status", line[128];
	FILE *f = fopen(path, "re");
	int is_none = 0;

	/* Whatever is executed, it gains nothing: it may not, and there is nothing to gain. */
	while (f && fgets(line, sizeof(line), f))
		is_none += !strcmp(line, "NoNewPrivs:\t1\n") ||
			   !strcmp(line, "CapBnd:\t0000000000000000\n") ||
			   !strcmp(line, "CapPrm:\t0000000000000000\n");
	return is_none == 3 ? EPERM : 0;
}

/* Descriptors: three, and what this program opens itself. */
static int descriptors(void)
{
	for (int fd = 3; fd < 4096; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 0;
	return EBADF;
}

static int limit_raise(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_max++;
	return setrlimit(RLIMIT_NOFILE, &limit) ? errno : 0;
}

static int core(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_CORE, &limit);
	return limit.rlim_max <= 1 ? EFBIG : 0;
}

CALL_ATTACK(type_into, ioctl(0, TIOCSTI, "x"))
CALL_ATTACK(line_discipline, ioctl(0, TIOCSETD, &(int){ 21 }))

static int filter_gone(void)
{
	/* A filter can be added, none can be taken away; strict mode is no way out either. */
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_DISABLED, 0, 0, 0) ? errno : 0;
}

static int dump_init(void)
{
	return syscall(SYS_prlimit64, 1, RLIMIT_NOFILE, &(struct rlimit){ 1, 1 }, NULL) ? errno : 0;
}

static const struct attack {
	const char *sentence;
	int (*run)(void);
	int expected, also; /* also: another that is as good, or 0 */
} attacks[] = {
	{ "a file system is not mounted", call_mount, EPERM, 0 },
	{ "nor the root a second time", call_bind, EPERM, 0 },
	{ "nor again with other flags", call_remount, EPERM, 0 },
	{ "what hides /proc/sys is not taken away", call_umount, EPERM, 0 },
	{ "the root is not changed", call_pivot, EPERM, 0 },
	{ "a file system is not opened", call_fsopen, EPERM, 0 },
	{ "a tree is not opened as a mount", call_open_tree, EPERM, 0 },
	{ "a mount is not moved", call_move_mount, EPERM, 0 },
	{ "a mount's attributes are not set", call_setattr, EPERM, 0 },
	{ "no user namespace by unshare", call_unshare_user, EPERM, 0 },
	{ "no mount namespace by unshare", call_unshare_mount, EPERM, 0 },
	{ "no network namespace by unshare", call_unshare_net, EPERM, 0 },
	{ "no user namespace by clone", call_clone_user, EPERM, 0 },
	{ "no mount namespace by clone", call_clone_mount, EPERM, 0 },
	{ "no pid namespace by clone", call_clone_pid, EPERM, 0 },
	{ "clone3, whose flags no filter sees, does not exist", call_clone3, ENOSYS, 0 },
	{ "another's namespace is not entered", call_setns, EPERM, 0 },
	{ "the root directory is not changed", call_chroot, EPERM, 0 },
	{ "a disk's node is not made", call_mknod, EPERM, EACCES },
	{ "nor memory's", call_mknod_memory, EPERM, EACCES },
	{ "the host name is not set", call_hostname, EPERM, 0 },
	{ "nor the domain name", call_domainname, EPERM, 0 },
	{ "nobody becomes root", call_setuid, EPERM, 0 },
	{ "nobody joins root's group", call_groups, EPERM, 0 },
	{ "the machine is not rebooted", call_reboot, EPERM, 0 },
	{ "its clock is not set", call_time, EPERM, 0 },
	{ "nothing is swapped to", call_swap, EPERM, 0 },
	{ "the kernel's log is not read", call_syslog, EPERM, 0 },
	{ "accounts are not kept", call_acct, EPERM, 0 },
	{ "priority is not raised", call_nice, EACCES, EPERM },
	{ "real time is not had", call_realtime, EPERM, 0 },
	{ "another personality is not", call_personality, ENOSYS, 0 },
	{ "io_uring_setup is refused", call_uring, EPERM, 0 },
	{ "io_uring_enter is refused", call_uring_enter, EPERM, 0 },
	{ "io_uring_register is refused", call_uring_register, EPERM, 0 },
	{ "bpf is refused", call_bpf, EPERM, 0 },
	{ "perf_event_open is refused", call_perf, EPERM, 0 },
	{ "userfaultfd is refused", call_userfault, EPERM, 0 },
	{ "keyctl is refused", call_keyctl, EPERM, 0 },
	{ "add_key is refused", call_add_key, EPERM, 0 },
	{ "request_key is refused", call_request_key, EPERM, 0 },
	{ "init_module is refused", call_module, EPERM, 0 },
	{ "finit_module is refused", call_finit_module, EPERM, 0 },
	{ "kexec_load is refused", call_kexec, EPERM, 0 },
	{ "a file is not opened by its handle", call_handle, EPERM, 0 },
	{ "fanotify is refused", call_fanotify, EPERM, 0 },
	{ "quotas are refused", call_quota, EPERM, 0 },
	{ "another's memory is not read", call_vm_read, EPERM, 0 },
	{ "another's memory is not written", call_vm_write, EPERM, 0 },
	{ "ptrace is refused", call_trace_me, EPERM, 0 },
	{ "process 1 is not traced", call_trace_init, EPERM, 0 },
	{ "descriptors are not compared", call_kcmp, EPERM, 0 },
	{ "a descriptor of process 1 is not taken", call_getfd, EPERM, 0 },
	{ "a call that nobody knows does not exist", call_unknown, ENOSYS, 0 },
#ifdef __x86_64__
	{ "ports are refused", call_ioport, EPERM, 0 },
	{ "modify_ldt is refused", call_ldt, EPERM, 0 },
	{ "an x32 system call kills", call_x32, SIGNALLED(SIGSYS), ENOSYS },
	{ "a 32-bit system call kills", call_32bit, SIGNALLED(SIGSYS), 0 },
#endif
	{ "there is no IPv4", call_inet, EAFNOSUPPORT, 0 },
	{ "there is no IPv6", call_inet6, EAFNOSUPPORT, 0 },
	{ "there are no raw sockets", call_raw, EAFNOSUPPORT, 0 },
	{ "there are no packet sockets", call_packet, EAFNOSUPPORT, 0 },
	{ "there is no netlink", call_netlink, EAFNOSUPPORT, 0 },
	{ "there is no vsock", call_vsock, EAFNOSUPPORT, 0 },
	{ "there are no sockets of the kernel's ciphers", call_alg, EAFNOSUPPORT, 0 },
	{ "an abstract socket outside is not reached", abstract_socket, ECONNREFUSED, EPERM },
	{ "a process outside is not killed", kill_outside, ESRCH, 0 },
	{ "nor has it a pidfd", kill_pidfd, ESRCH, 0 },
	{ "process 1 is not killed", kill_init, EPERM, 0 },
	{ "/proc shows nobody else", others_visible, ESRCH, 0 },
	{ "process 1's memory is not opened", init_memory, EACCES, EPERM },
	{ "nor are its descriptors seen", init_descriptors, EACCES, EPERM },
	{ "nor its root followed", init_root, EACCES, EPERM },
	{ "nor its environment read", init_environment, EACCES, EPERM },
	{ "nor its limits set", dump_init, EPERM, 0 },
	{ "root's file is not read", secret, EACCES, 0 },
	{ "nor taken", secret_owner, EPERM, 0 },
	{ "nor are the lender's passwords", shadow, EACCES, ENOENT },
	{ "nothing is written where root alone may", etc_write, EACCES, 0 },
	{ "the lender's disk has no node", disk, ENOENT, 0 },
	{ "nor has its kernel's log", kernel_memory, ENOENT, 0 },
	{ "the kernel's log is not read by /proc", kernel_log, EACCES, EPERM },
	{ "nor its memory", kernel_core, EACCES, ENOENT },
	{ "nor is it told what to do", kernel_trigger, EACCES, ENOENT },
	{ "nor what to run", kernel_setting, EACCES, EROFS },
	{ "its own namespaces' settings are not changed", own_setting, EROFS, EACCES },
	{ "nor the ban of more of them", namespaces_again, EROFS, EACCES },
	{ "there is no sysfs to set", sysfs, ENOENT, EACCES },
	{ "above the root is nothing", above_root, ENOENT, 0 },
	{ "no cgroup is left", cgroup, ENOENT, EACCES },
	{ "the map of users stays as it is", own_map, EPERM, EACCES },
	{ "memory is taken from guests first", oom_score, EACCES, 0 },
	{ "no program that is executed gains anything", set_user_program, EPERM, 0 },
	{ "no descriptor was left open", descriptors, EBADF, 0 },
	{ "a limit is not raised", limit_raise, EPERM, 0 },
	{ "no core is dumped at the lender's", core, EFBIG, 0 },
	{ "nothing is typed into a terminal", type_into, EPERM, 0 },
	{ "nor is its line discipline set", line_discipline, EPERM, 0 },
	{ "the filter stays", filter_gone, EINVAL, 0 },
};
#define NR_ATTACKS (sizeof(attacks) / sizeof(*attacks))

/* The next directory up has the programs: build/obj/tests/attack/NAME beside build/NAME. */
static void program_path(char *ret_path, const char *name)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		exit(1);
	self[len] = 0;
	for (int i = 0; i < 4; i++)
		*strrchr(self, '/') = 0;
	if (snprintf(ret_path, PATH_MAX, "%s/%s", self, name) >= PATH_MAX)
		exit(1);
}

/* As @uid at home; 0 is the hardest, for root of home is root of the guest's namespaces. */
static int attack_run(size_t index, uid_t uid, pid_t outside)
{
	char guest[PATH_MAX], deputy[PATH_MAX], number[16], pid[16];
	const char *guest_args[] = { "superdev-guest", "--fd", "30", "--root", "/", NULL };
	const char *deputy_args[] = { "superdev-deputy", "--fd",  "3",    "--verbose", "--",
				      PROGRAM,           "guest", number, pid,         NULL };
	pid_t guest_pid, deputy_pid;
	int pair[2], status = 0, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	program_path(guest, "superdev-guest");
	program_path(deputy, "superdev-deputy");
	snprintf(number, sizeof(number), "%zu", index);
	snprintf(pid, sizeof(pid), "%d", outside);
	if (null < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -1;
	guest_pid = fork();
	if (!guest_pid) {
		dup2(pair[1], 30);
		execv(guest, (char **)guest_args);
		_exit(1);
	}
	deputy_pid = fork();
	if (!deputy_pid) {
		dup2(null, 0);
		/* Nothing that this test was given by whoever runs it. */
		if (dup2(pair[0], 3) < 0 || syscall(SYS_close_range, 4, ~0u, 0))
			_exit(1);
		if (uid && (setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
			_exit(1);
		execv(deputy, (char **)deputy_args);
		_exit(1);
	}
	close(null);
	close(pair[0]);
	close(pair[1]);
	waitpid(deputy_pid, &status, 0);
	waitpid(guest_pid, NULL, 0);
	return WIFSIGNALED(status) ? SIGNALLED(WTERMSIG(status)) : WEXITSTATUS(status);
}

/* Here it is a guest, unless the deputy had to run it at home: that would prove nothing. */
static int guest_main(char **argv)
{
	char map[64] = "";
	int fd = open("/proc/self/uid_map", O_RDONLY);

	if (fd < 0 || read(fd, map, sizeof(map) - 1) <= 0 || !strstr(map, "1048576"))
		return AT_HOME;
	close(fd);
	argument = argv[2];
	return attacks[atoi(argv[1])].run();
}

/* Of a number that nobody in a guest's namespaces comes by on the way. */
static pid_t fork_high(void)
{
	pid_t pid = 31234;
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&pid,
		.set_tid_size = 1,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static int self_copy(void)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = open(PROGRAM, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	struct stat st;
	int r = from < 0 || to < 0 || fstat(from, &st) || fchmod(to, 0755);

	for (off_t done = 0; !r && done < st.st_size;) {
		ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)(st.st_size - done), 0);

		if (n <= 0)
			n = sendfile(to, from, NULL, (size_t)(st.st_size - done));
		r = n <= 0;
		done += n;
	}
	close(from);
	close(to);
	return r;
}

static int outside_listen(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(at.sun_path + 1, SOCKET, sizeof(SOCKET) - 1);
	return fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(sa_family_t) + sizeof(SOCKET)) ||
	       listen(fd, 4);
}

int main(int argc, char **argv)
{
	static const uid_t uids[] = { 4321, 0 };
	int failed = 0, fd;
	pid_t outside;

	if (argc == 3 && !strcmp(argv[0], "guest"))
		return guest_main(argv);
	if (geteuid()) {
		printf("needs root, for namespaces of other users\n");
		return 77;
	}
	fd = open(SECRET, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || self_copy() || outside_listen()) {
		perror("guest_attack");
		return 1;
	}
	close(fd);
	outside = fork_high();
	if (outside < 0) {
		perror("guest_attack: clone3");
		return 1;
	}
	if (!outside) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	for (size_t u = 0; u < 2; u++) {
		for (size_t i = 0; i < NR_ATTACKS; i++) {
			const struct attack *attack = &attacks[i];
			int result = attack_run(i, uids[u], outside);
			/* Root's guests are users of their own map, and may become who they are. */
			int is_own = !uids[u] && attack->run == call_setuid && !result;

			if (result && (result == attack->expected || result == attack->also)) {
				printf("ok attack: user %u: %s\n", uids[u], attack->sentence);
			} else if (is_own) {
				printf("ok attack: user 0: root of home is but itself\n");
			} else {
				printf("not ok attack: user %u: %s, got %d (%s)\n", uids[u], attack->sentence,
				       result, result == AT_HOME ? "it ran at home" : strerror(result));
				failed = 1;
			}
			fflush(stdout);
		}
	}
	if (waitpid(outside, NULL, WNOHANG)) {
		printf("not ok attack: the process outside is gone\n");
		failed = 1;
	}
	kill(outside, SIGKILL);
	unlink(SECRET);
	unlink(PROGRAM);
	return failed;
}
