// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * worker_attack.c: a worker that a stranger has taken over tries to get out.
 *
 * Each attack runs in a process confined just as superdev-worker is, with all
 * of its memory and its rings at hand, and must end with the errno, or by the
 * signal, that it names.  Needs root.
 */
// LINK: agent/worker/confine.c agent/worker/lane.c agent/worker/arena.c agent/worker/cpu.c agent/worker/cpu_figures.c agent/worker/cpu_machine.c
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Who has the process has its rings, whatever header hides them. */
#include "../../agent/lib/loop.c"

#include "../../agent/worker/cpu_figures.h"
#include "../../agent/worker/lane.h"
#include "sandbox.h"

#define SIGNALLED(number) (128 + (number))
#define BACKING           "/tmp/superdev-attack.img"
#define OTHER             "/tmp/superdev-attack.other"
/* Any directory stands for it; one that is a cgroup has more to tell. */
#define CGROUP            "/sys/fs/cgroup"

static struct sdv_worker worker;
static struct io_uring *ring, *installer;
static void *memory;

/* Submits what was put into the ring as it is, and returns the errno that it gets. */
static int submit(struct io_uring *to)
{
	struct io_uring_cqe *cqe;
	int r = io_uring_submit_and_wait(to, 1);

	if (r < 0)
		return -r;
	if (io_uring_peek_cqe(to, &cqe))
		return 0;
	return cqe->res < 0 ? -cqe->res : 0;
}

#define RING_ATTACK(name, to, flag, prep)                        \
	static int name(void)                                    \
	{                                                        \
		struct io_uring_sqe *sqe = io_uring_get_sqe(to); \
                                                                 \
		prep;                                            \
		sqe->flags |= (flag);                            \
		return submit(to);                               \
	}

#define FIXED IOSQE_FIXED_FILE

RING_ATTACK(ring_open, ring, 0, io_uring_prep_openat(sqe, AT_FDCWD, OTHER, O_RDWR, 0))
RING_ATTACK(ring_open_fixed, ring, FIXED, io_uring_prep_openat(sqe, AT_FDCWD, OTHER, O_RDWR, 0))
RING_ATTACK(ring_open_slot, ring, 0, io_uring_prep_openat_direct(sqe, AT_FDCWD, OTHER, O_RDWR, 0, 9))
RING_ATTACK(ring_unlink, ring, FIXED, io_uring_prep_unlinkat(sqe, AT_FDCWD, OTHER, 0))
RING_ATTACK(ring_socket, ring, FIXED, io_uring_prep_socket(sqe, AF_INET, SOCK_STREAM, 0, 0))
RING_ATTACK(ring_connect, ring, FIXED, io_uring_prep_connect(sqe, 0, memory, 16))
RING_ATTACK(ring_read, ring, FIXED, io_uring_prep_readv(sqe, SDV_SLOT_BACKING, memory, 1, 0))
RING_ATTACK(ring_not_fixed, ring, 0, io_uring_prep_read_fixed(sqe, SDV_WORKER_FD_BACKING, memory, 4096, 0, 0))
RING_ATTACK(ring_splice, ring, FIXED, io_uring_prep_splice(sqe, 5, 0, SDV_SLOT_LISTEN, -1, 4096, 0))
RING_ATTACK(ring_command, ring, FIXED, io_uring_prep_cmd_discard(sqe, SDV_SLOT_BACKING, 0, 4096))
RING_ATTACK(ring_link, ring, FIXED | IOSQE_IO_LINK, io_uring_prep_nop(sqe))
RING_ATTACK(ring_table, ring, FIXED, io_uring_prep_files_update(sqe, (int[]){ 5 }, 1, 9))
RING_ATTACK(ring_message, ring, FIXED, io_uring_prep_msg_ring(sqe, installer->ring_fd, 0, 0, 0))
RING_ATTACK(ring_watch, ring, FIXED, io_uring_prep_epoll_ctl(sqe, 5, 5, EPOLL_CTL_ADD, memory))
RING_ATTACK(ring_buffers, ring, FIXED, io_uring_prep_provide_buffers(sqe, memory, 1, 1, 0, 0))
RING_ATTACK(installer_open_file, installer, 0, io_uring_prep_openat(sqe, AT_FDCWD, OTHER, O_RDWR, 0))
RING_ATTACK(installer_read, installer, 0, io_uring_prep_read(sqe, SDV_WORKER_FD_BACKING, memory, 4096, 0))
RING_ATTACK(installer_socket, installer, 0, io_uring_prep_socket(sqe, AF_INET, SOCK_STREAM, 0, 0))
RING_ATTACK(installer_ring, installer, 0, io_uring_prep_files_update(sqe, &ring->ring_fd, 1, 0))

/* The attack above would work on the backing, were it not refused for want of the flag. */
static int ring_may_read_backing(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (worker.loop->has_buffer)
		io_uring_prep_read_fixed(sqe, SDV_SLOT_BACKING, memory, 4096, 0, 0);
	else /* the limit on pinned memory is too low here */
		io_uring_prep_read(sqe, SDV_SLOT_BACKING, memory, 4096, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	return submit(ring);
}

#define CALL_ATTACK(name, call)                      \
	static int name(void)                        \
	{                                            \
		return (long)(call) < 0 ? errno : 0; \
	}

static struct io_uring_params params;
static const int on = 1;

CALL_ATTACK(call_setup, syscall(SYS_io_uring_setup, 4, &params))
CALL_ATTACK(call_register,
	    syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_FILES_UPDATE, memory, 1))
CALL_ATTACK(call_register_installer,
	    syscall(SYS_io_uring_register, installer->ring_fd, IORING_REGISTER_PROBE, memory, 0))
CALL_ATTACK(call_open, syscall(SYS_open, OTHER, O_RDWR))
CALL_ATTACK(call_openat, syscall(SYS_openat, AT_FDCWD, OTHER, O_RDWR))
CALL_ATTACK(call_openat2, syscall(SYS_openat2, AT_FDCWD, OTHER, memory, 24))
CALL_ATTACK(call_handle, syscall(SYS_open_by_handle_at, AT_FDCWD, memory, O_RDWR))
CALL_ATTACK(call_socket, syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))
CALL_ATTACK(call_read, syscall(SYS_read, SDV_WORKER_FD_BACKING, memory, 1))
CALL_ATTACK(call_write, syscall(SYS_write, SDV_WORKER_FD_BACKING, memory, 1))
CALL_ATTACK(call_ioctl, syscall(SYS_ioctl, SDV_WORKER_FD_BACKING, FIONREAD, memory))
CALL_ATTACK(call_fcntl, syscall(SYS_fcntl, SDV_WORKER_FD_BACKING, F_SETFL, 0))
CALL_ATTACK(call_seek, syscall(SYS_lseek, SDV_WORKER_FD_BACKING, 0, SEEK_DATA))
CALL_ATTACK(call_sockopt, syscall(SYS_setsockopt, 5, SOL_SOCKET, SO_MARK, &on, sizeof(on)))
CALL_ATTACK(call_sockopt_other, syscall(SYS_setsockopt, 5, IPPROTO_TCP, TCP_ULP, "tls", 3))
CALL_ATTACK(call_getsockopt, syscall(SYS_getsockopt, 5, 282, 1, memory, memory))
CALL_ATTACK(call_mmap, syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
CALL_ATTACK(call_mprotect, syscall(SYS_mprotect, memory, 4096, PROT_READ | PROT_EXEC))
CALL_ATTACK(call_ptrace, syscall(SYS_ptrace, PTRACE_ATTACH, 1, 0, 0))
CALL_ATTACK(call_kill, syscall(SYS_kill, -1, SIGKILL))
CALL_ATTACK(call_tgkill, syscall(SYS_tgkill, 1, 1, SIGTERM))
CALL_ATTACK(call_vm, syscall(SYS_process_vm_writev, 1, memory, 1, memory, 1, 0))
CALL_ATTACK(call_getfd, syscall(SYS_pidfd_open, 1, 0))
CALL_ATTACK(call_exec, syscall(SYS_execve, "/bin/sh", 0, 0))
CALL_ATTACK(call_clone, syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
CALL_ATTACK(call_clone3, syscall(SYS_clone3, memory, 88))
CALL_ATTACK(call_unshare, syscall(SYS_unshare, CLONE_NEWUSER))
CALL_ATTACK(call_setns, syscall(SYS_setns, 5, 0))
CALL_ATTACK(call_mount, syscall(SYS_mount, "proc", "/", "proc", 0, 0))
CALL_ATTACK(call_chroot, syscall(SYS_chroot, "/"))
CALL_ATTACK(call_setuid, syscall(SYS_setuid, 0))
CALL_ATTACK(call_limits, syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, memory, 0))
CALL_ATTACK(call_prctl, syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))
CALL_ATTACK(call_seccomp, syscall(SYS_seccomp, 1, 0, memory))
CALL_ATTACK(call_memfd, syscall(SYS_memfd_create, "x", 0))
CALL_ATTACK(call_bpf, syscall(SYS_bpf, 0, memory, 64))
CALL_ATTACK(call_keys, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
CALL_ATTACK(call_userfault, syscall(SYS_userfaultfd, 0))

#ifdef __x86_64__
/* By the gate of 32-bit programs, where 20 is getpid and 5 is open. */
static int call_32bit(void)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
	return result < 0 ? (int)-result : 0;
}

/* The same numbers with bit 30: the x32 table. */
CALL_ATTACK(call_x32, syscall(0x40000000 + SYS_close, 5))
#endif

static const struct attack {
	const char *sentence;
	int (*run)(void);
	int expected;
} attacks[] = {
	{ "the ring reads the backing, as it should", ring_may_read_backing, 0 },
	{ "the ring does not open a file by path", ring_open, EACCES },
	{ "nor with the fixed flag", ring_open_fixed, EACCES },
	{ "nor into the table of fixed files", ring_open_slot, EACCES },
	{ "the ring does not remove a file", ring_unlink, EACCES },
	{ "the ring does not make a socket", ring_socket, EACCES },
	{ "the ring does not connect", ring_connect, EACCES },
	{ "the ring does not read in any way but one", ring_read, EACCES },
	{ "the ring does nothing with a file that is not in its table", ring_not_fixed, EACCES },
	{ "the ring does not splice", ring_splice, EACCES },
	{ "the ring passes no command to a file", ring_command, EACCES },
	{ "the ring does not link entries", ring_link, EACCES },
	{ "the ring does not fill its own table", ring_table, EACCES },
	{ "the ring does not message another ring", ring_message, EACCES },
	{ "the ring does not watch", ring_watch, EACCES },
	{ "the ring takes no more buffers", ring_buffers, EACCES },
	{ "the installer does not open a file", installer_open_file, EACCES },
	{ "the installer does not read a file", installer_read, EACCES },
	{ "the installer does not make a socket", installer_socket, EACCES },
	{ "the installer does not install a ring", installer_ring, EBADF },
	{ "no second ring is made", call_setup, SIGNALLED(SIGSYS) },
	{ "nothing is registered with the ring", call_register, SIGNALLED(SIGSYS) },
	{ "nothing is registered with the installer", call_register_installer, SIGNALLED(SIGSYS) },
	{ "open kills", call_open, SIGNALLED(SIGSYS) },
	{ "openat kills", call_openat, SIGNALLED(SIGSYS) },
	{ "openat2 kills", call_openat2, SIGNALLED(SIGSYS) },
	{ "open_by_handle_at kills", call_handle, SIGNALLED(SIGSYS) },
	{ "socket kills", call_socket, SIGNALLED(SIGSYS) },
	{ "read kills", call_read, SIGNALLED(SIGSYS) },
	{ "write kills", call_write, SIGNALLED(SIGSYS) },
	{ "ioctl kills", call_ioctl, SIGNALLED(SIGSYS) },
	{ "fcntl kills", call_fcntl, SIGNALLED(SIGSYS) },
	{ "lseek to anything but the end kills", call_seek, SIGNALLED(SIGSYS) },
	{ "a socket option of another level kills", call_sockopt, SIGNALLED(SIGSYS) },
	{ "a TCP option other than TCP_NODELAY kills", call_sockopt_other, SIGNALLED(SIGSYS) },
	{ "asking a lane for its keys kills", call_getsockopt, SIGNALLED(SIGSYS) },
	{ "mapping memory kills", call_mmap, SIGNALLED(SIGSYS) },
	{ "making memory executable kills", call_mprotect, SIGNALLED(SIGSYS) },
	{ "ptrace kills", call_ptrace, SIGNALLED(SIGSYS) },
	{ "a signal to everybody kills the sender", call_kill, SIGNALLED(SIGSYS) },
	{ "a signal to one kills the sender", call_tgkill, SIGNALLED(SIGSYS) },
	{ "writing another process's memory kills", call_vm, SIGNALLED(SIGSYS) },
	{ "pidfd_open kills", call_getfd, SIGNALLED(SIGSYS) },
	{ "exec kills", call_exec, SIGNALLED(SIGSYS) },
	{ "fork kills", call_clone, SIGNALLED(SIGSYS) },
	{ "clone3 kills", call_clone3, SIGNALLED(SIGSYS) },
	{ "unshare kills", call_unshare, SIGNALLED(SIGSYS) },
	{ "setns kills", call_setns, SIGNALLED(SIGSYS) },
	{ "mount kills", call_mount, SIGNALLED(SIGSYS) },
	{ "chroot kills", call_chroot, SIGNALLED(SIGSYS) },
	{ "setuid kills", call_setuid, SIGNALLED(SIGSYS) },
	{ "raising a limit kills", call_limits, SIGNALLED(SIGSYS) },
	{ "prctl kills", call_prctl, SIGNALLED(SIGSYS) },
	{ "another filter kills", call_seccomp, SIGNALLED(SIGSYS) },
	{ "memfd_create kills", call_memfd, SIGNALLED(SIGSYS) },
	{ "bpf kills", call_bpf, SIGNALLED(SIGSYS) },
	{ "keyctl kills", call_keys, SIGNALLED(SIGSYS) },
	{ "userfaultfd kills", call_userfault, SIGNALLED(SIGSYS) },
#ifdef __x86_64__
	{ "a 32-bit system call kills", call_32bit, SIGNALLED(SIGSYS) },
	{ "an x32 system call kills", call_x32, SIGNALLED(SIGSYS) },
#endif
};

/* The worker of processors may read, where that of a disk may not, and has other files. */
RING_ATTACK(cpu_read, ring, FIXED, io_uring_prep_read(sqe, SDV_SLOT_FILES + SDV_CPU_STAT, memory, 512, 0))
RING_ATTACK(cpu_write, ring, FIXED, io_uring_prep_write(sqe, SDV_SLOT_FILES + SDV_CPU_STAT, memory, 1, 0))
RING_ATTACK(cpu_read_fd, ring, 0, io_uring_prep_read(sqe, STDIN_FILENO, memory, 1, 0))
RING_ATTACK(cpu_read_buffer, ring, FIXED,
	    io_uring_prep_read_fixed(sqe, SDV_SLOT_FILES + SDV_CPU_STAT, memory, 512, 0, 0))
RING_ATTACK(cpu_open_beside, ring, FIXED,
	    io_uring_prep_openat(sqe, SDV_SLOT_FILES + SDV_CPU_USAGE, "cgroup.procs", O_RDWR, 0))
RING_ATTACK(cpu_no_backing, ring, FIXED, io_uring_prep_read(sqe, SDV_SLOT_BACKING, memory, 512, 0))

/* Of what it has opened it has nothing but the entries of the table. */
static int cpu_descriptors(void)
{
	for (int fd = SDV_WORKER_FD_CONTROL; fd < 64; fd++)
		if (fd != ring->ring_fd && fd != installer->ring_fd && !close(fd))
			return 0;
	return EBADF;
}

static const struct attack cpu_attacks[] = {
	{ "processors: the ring reads what tells the load, as it should", cpu_read, 0 },
	{ "processors: the ring does not write to it", cpu_write, EACCES },
	{ "processors: the ring reads nothing that is not in its table", cpu_read_fd, EACCES },
	{ "processors: the ring does not read in any way but one", cpu_read_buffer, EACCES },
	{ "processors: nothing is opened beside a file of the table", cpu_open_beside, EACCES },
	{ "processors: the directory of its cgroup is not there", cpu_no_backing, EBADF },
	{ "processors: no descriptor of a file was left open", cpu_descriptors, EBADF },
	{ "processors: the ring does not open a file by path", ring_open, EACCES },
	{ "processors: the ring does not make a socket", ring_socket, EACCES },
	{ "processors: the ring passes no command to a file", ring_command, EACCES },
	{ "processors: no second ring is made", call_setup, SIGNALLED(SIGSYS) },
	{ "processors: openat kills", call_openat, SIGNALLED(SIGSYS) },
	{ "processors: read kills", call_read, SIGNALLED(SIGSYS) },
	{ "processors: fork kills", call_clone, SIGNALLED(SIGSYS) },
	{ "processors: exec kills", call_exec, SIGNALLED(SIGSYS) },
	{ "processors: ptrace kills", call_ptrace, SIGNALLED(SIGSYS) },
	{ "processors: a signal to everybody kills the sender", call_kill, SIGNALLED(SIGSYS) },
	{ "processors: bpf kills", call_bpf, SIGNALLED(SIGSYS) },
};

/* The second wall: what is left to a worker whose system call filter is not there. */
static int wall_file(void)
{
	return open(OTHER, O_RDONLY) < 0 ? errno : 0;
}

static int wall_root(void)
{
	return open("/..", O_RDONLY | O_DIRECTORY) >= 0 && !access("/../proc", F_OK) ? 0 : errno;
}

CALL_ATTACK(wall_create, mkdir("/new", 0700))
CALL_ATTACK(wall_mount, mount("none", "/", "tmpfs", 0, NULL))
CALL_ATTACK(wall_become_root, setuid(0))
CALL_ATTACK(wall_signal, kill(-1, 0))
CALL_ATTACK(wall_trace, ptrace(PTRACE_ATTACH, getppid() ? getppid() : 2, 0, 0))

static int wall_network(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(22) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int wall_descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++)
		if ((fd < STDERR_FILENO || fd > SDV_WORKER_FD_BACKING) && fcntl(fd, F_GETFD) >= 0)
			return 0;
	return EBADF;
}

static const struct attack wall_attacks[] = {
	{ "without the filter: no file has a path", wall_file, ENOENT },
	{ "without the filter: above the root is nothing", wall_root, ENOENT },
	{ "without the filter: nothing can be made in the root", wall_create, EROFS },
	{ "without the filter: nothing can be mounted", wall_mount, EPERM },
	{ "without the filter: nobody else is there to be signalled", wall_signal, ESRCH },
	{ "without the filter: nobody else is there to be traced", wall_trace, ESRCH },
	{ "without the filter: root is a user that does not exist", wall_become_root, EINVAL },
	{ "without the filter: the network has no other end", wall_network, ENETUNREACH },
	{ "without the filter: no descriptor was left open", wall_descriptors, EBADF },
};

enum box {
	BOX_WALLS, /* without the system call filter, and so without a ring */
	BOX_DISK,
	BOX_PROCESSORS,
};

static int disk_open(struct sdv_worker *self)
{
	self->kinds = 1u << SDV_OP_READ_BUFFER | 1u << SDV_OP_WRITE_BUFFER | 1u << SDV_OP_FSYNC |
		      1u << SDV_OP_FALLOCATE;
	return 0;
}

/* What the agent says to a worker of processors. */
static void terms_make(void)
{
	static uint8_t terms[64];
	struct sdv_attr_writer w;

	sdv_attr_begin(&w, terms, sizeof(terms));
	sdv_put_u32(&w, SUPERDEV_A_CPU_CONFIG_CPUS, 1);
	sdv_put_u64(&w, SUPERDEV_A_CPU_CONFIG_MEMORY, 1u << 30);
	worker.terms = terms;
	worker.terms_len = (size_t)sdv_attr_end(&w);
}

/* Descriptors as superdevd leaves them, and then as superdev-worker does it. */
static void confine_and_attack(const struct attack *attack, enum box kind)
{
	static const struct sdv_worker_class disk = { .name = "blk",
						      .needs_backing = true,
						      .open = disk_open };
	static const int fds[] = { 2, 3, 4, 5 };
	const struct sdv_sandbox box = { .fds = fds, .nr_fds = 4, .max_fds = 64 };
	const char *what = "";
	int control[2], listener, backing, r;

	backing = kind == BOX_PROCESSORS ? open(CGROUP, O_RDONLY | O_DIRECTORY) : open(BACKING, O_RDWR);
	listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (backing < 0 || listener < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control))
		_exit(255);
	dup2(backing, 22);
	dup2(listener, 21);
	dup2(control[0], 20);
	for (int i = 0; i < 3; i++)
		dup2(20 + i, SDV_WORKER_FD_CONTROL + i);
	worker.class = kind == BOX_PROCESSORS ? &sdv_cpu_class : &disk;
	terms_make();
	what = "open the class";
	r = worker.class->open(&worker);
	if (!r)
		r = kind == BOX_WALLS ? sdv_sandbox_enter(&box, &what) : sdv_worker_confine(&worker, &what);
	if (r) {
		fprintf(stderr, "can't %s: %s\n", what, strerror(-r));
		_exit(254);
	}
	if (kind != BOX_WALLS) {
		ring = &worker.loop->ring;
		installer = &worker.loop->installer;
		memory = sdv_arena_base(worker.arena);
	}
	_exit(attack->run());
}

static int attacks_run(const struct attack *attack, size_t nr, enum box kind)
{
	int failed = 0;

	for (; nr; nr--, attack++) {
		int status = 0, result;
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (!pid)
			confine_and_attack(attack, kind);
		waitpid(pid, &status, 0);
		result = WIFSIGNALED(status) ? SIGNALLED(WTERMSIG(status)) : WEXITSTATUS(status);
		if (result == attack->expected) {
			printf("ok worker-attack: %s\n", attack->sentence);
			continue;
		}
		failed = 1;
		printf("not ok worker-attack: %s, ended with %d instead of %d (%s)\n", attack->sentence,
		       result, attack->expected, result < 128 ? strerror(result) : "signal");
	}
	return failed;
}

static int file_make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	return fd < 0 || ftruncate(fd, 1 << 20) || close(fd);
}

/* The kernel lets nobody in a chroot make a user namespace, whatever his privileges. */
static bool can_confine(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(unshare(CLONE_NEWUSER) ? errno : 0);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) != EPERM;
}

int main(void)
{
	int failed;

	if (!can_confine()) {
		printf("no user namespace can be made here: not root, or in a chroot\n");
		return 77;
	}
	if (file_make(BACKING) || file_make(OTHER)) {
		printf("not ok worker-attack: set up, %s\n", strerror(errno));
		return 1;
	}
	failed = attacks_run(wall_attacks, sizeof(wall_attacks) / sizeof(*wall_attacks), BOX_WALLS);
	failed |= attacks_run(attacks, sizeof(attacks) / sizeof(*attacks), BOX_DISK);
	failed |= attacks_run(cpu_attacks, sizeof(cpu_attacks) / sizeof(*cpu_attacks), BOX_PROCESSORS);
	unlink(BACKING);
	unlink(OTHER);
	return failed;
}
