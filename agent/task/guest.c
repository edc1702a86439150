// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest.c: superdev-guest: hosts a guest, for the deputy at the other end of a connection.
 *
 * This is the launcher: root, for as long as it takes to make namespaces, a root
 * and a cgroup, and two processes that live without; see guest.h.  Then it waits
 * for one of them to end, ends the other, and removes what it made.  It reads
 * nothing that comes from home.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "guestbox.h"
#include "sandbox.h"
#include "superdev_cpu.h"

#ifndef CLONE_NEWTIME
#error "kernel headers of 5.6 or later are needed"
#endif

#define NAMESPACES                                                                                 \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | \
	 CLONE_NEWCGROUP)

#define FAIL(what)                  \
	do {                        \
		*ret_what = (what); \
		return -errno;      \
	} while (0)

static struct {
	struct sdv_guest_options options;
	struct sdv_guest_cgroup cgroup;
	pid_t init, relay;
	bool has_remote_files;
	struct sdv_sandbox_filter filter;
	int device; /* of remote files, where its name led; -1: there are none */
} guest = {
	.options = { .control = -1, .fd = -1, .sync = -1, .channel = -1, .first_id = 1u << 20 },
	.device = -1,
};

static int id_map(pid_t pid, const char *file, uint32_t first, const char **ret_what)
{
	char path[64], map[64];
	int fd, len, written;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	len = snprintf(map, sizeof(map), "0 %u %u\n", first, SDV_GUEST_NR_IDS + 1);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		FAIL("open the user namespace's map");
	written = (int)write(fd, map, (size_t)len);
	close(fd);
	if (written != len)
		FAIL("write the user namespace's map");
	return 0;
}

/* A guest may have home's limits where they are higher than those that we were started with. */
static void limits_raise(void)
{
	static const int which[] = { RLIMIT_STACK, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_CPU, RLIMIT_AS };
	const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY }, files = { 1 << 20, 1 << 20 },
			    processes = { 1 << 16, 1 << 16 };

	for (size_t i = 0; i < sizeof(which) / sizeof(*which); i++)
		setrlimit((__rlimit_resource_t)which[i], &none);
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_NPROC, &processes);
}

static pid_t init_clone(void)
{
	struct clone_args args = {
		.flags = NAMESPACES | CLONE_NEWTIME,
		.exit_signal = SIGCHLD,
	};

	if (guest.cgroup.dir >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned int)guest.cgroup.dir;
	}
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static int processes_make(const char **ret_what)
{
	int pair[2], sync[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) || pipe2(sync, O_CLOEXEC))
		FAIL("make a socket pair");
	guest.init = init_clone();
	if (guest.init < 0)
		FAIL("make the guest's namespaces");
	if (!guest.init) {
		close(sync[1]);
		close(pair[0]);
		sdv_guest_init(&guest.options, pair[1], sync[0]);
	}
	close(pair[1]);
	close(sync[0]);
	guest.relay = fork();
	if (guest.relay < 0)
		FAIL("fork");
	if (!guest.relay)
		sdv_guest_relay(&guest.options, pair[0]);
	close(pair[0]);
	r = id_map(guest.init, "gid_map", guest.options.first_id, ret_what);
	if (!r)
		r = id_map(guest.init, "uid_map", guest.options.first_id, ret_what);
	if (!r && write(sync[1], "", 1) != 1)
		FAIL("start the guest's process 1");
	close(sync[1]);
	return r;
}

/* For when nothing but waiting, killing and removing the cgroup is left to do. */
static int launcher_prepare(const char **ret_what)
{
	static const struct sdv_sandbox_call calls[] = {
		{ .nr = SYS_wait4 },
		{ .nr = SYS_kill },
		{ .nr = SYS_exit_group },
		{ .nr = SYS_rt_sigreturn },
		{ .nr = SYS_restart_syscall },
		{ .nr = SYS_openat },
		{ .nr = SYS_write },
		{ .nr = SYS_close },
		{ .nr = SYS_unlinkat },
#ifdef __SANITIZE_ADDRESS__
		{ .nr = SYS_sigaltstack }, /* asked for before each function that does not return */
#endif
#ifdef SYS_poll
		{ .nr = SYS_poll },
#endif
		{ .nr = SYS_ppoll },
	};

	return sdv_sandbox_filter_make(&guest.filter, calls, sizeof(calls) / sizeof(*calls), ret_what);
}

static int launcher_seal(const char **ret_what)
{
	/* The cgroup may be another user's. */
	int r = sdv_guestbox_capabilities(1ull << CAP_KILL | 1ull << CAP_DAC_OVERRIDE, ret_what);

	return r ? r : sdv_sandbox_filter_load(&guest.filter, ret_what);
}

/*
 * Where the relay ends, home is gone or knows all there is to know: the guest
 * ends.  Where process 1 ends, the relay has to say so to home first.
 */
static int wait_for_end(void)
{
	int status, relay_status = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, 0)) != -1 || errno == EINTR) {
		if (pid == guest.init)
			guest.init = 0;
		if (pid != guest.relay)
			continue;
		relay_status = status;
		guest.relay = 0;
		if (guest.init)
			kill(guest.init, SIGKILL);
	}
	sdv_guest_cgroup_close(&guest.cgroup);
	return WIFEXITED(relay_status) ? WEXITSTATUS(relay_status) : 128 + WTERMSIG(relay_status);
}

static void children_kill(void)
{
	if (guest.relay > 0)
		kill(guest.relay, SIGKILL);
	if (guest.init > 0)
		kill(guest.init, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static _Noreturn void usage(void)
{
	fprintf(stderr,
		"usage: superdev-guest --fd N --root DIR [--cgroup DIR] [--first-id ID] [--pids N]\n"
		"                      [--memory BYTES] [--lease N] [--epoch N] [--clear] [--sync N]\n"
		"                      [--leave DIR] [--remote-files]\n"
		"       superdev-guest --control N …: for each guest that is asked for there, without\n"
		"                      --fd, --sync and --clear\n");
	exit(2);
}

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *end || end == text || value > max)
		usage();
	return value;
}

static void options_read(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "control", required_argument, NULL, 'o' },  { "fd", required_argument, NULL, 'f' },
		{ "root", required_argument, NULL, 'r' },     { "cgroup", required_argument, NULL, 'c' },
		{ "first-id", required_argument, NULL, 'i' }, { "pids", required_argument, NULL, 'p' },
		{ "memory", required_argument, NULL, 'm' },   { "lease", required_argument, NULL, 'l' },
		{ "epoch", required_argument, NULL, 'e' },    { "clear", no_argument, NULL, 'C' },
		{ "sync", required_argument, NULL, 's' },     { "leave", required_argument, NULL, 'L' },
		{ "remote-files", no_argument, NULL, 'R' },   { NULL, 0, NULL, 0 },
	};
	struct sdv_guest_options *options = &guest.options;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'o': options->control = (int)number(optarg, 1 << 20); break;
		case 'f': options->fd = (int)number(optarg, 1 << 20); break;
		case 'r': options->root = optarg; break;
		case 'c': options->cgroup = optarg; break;
		case 'i':
			options->first_id = (uint32_t)number(optarg, UINT32_MAX - SDV_GUEST_NR_IDS - 1);
			break;
		case 'p': options->max_pids = number(optarg, 1 << 22); break;
		case 'm': options->max_memory = number(optarg, UINT64_MAX); break;
		case 'l': options->rules.lease = number(optarg, UINT64_MAX); break;
		case 'e': options->rules.epoch = (uint32_t)number(optarg, UINT32_MAX); break;
		case 's': options->sync = (int)number(optarg, 1 << 20); break;
		case 'L': options->leave = optarg; break;
		case 'C': options->rules.must_csum = true; break;
		case 'R': guest.has_remote_files = true; break;
		default: usage();
		}
	}
	/* The lender's own users are no guest's, least of all its root. */
	if (options->max_memory && !options->cgroup) {
		fprintf(stderr, "superdev-guest: --memory needs --cgroup\n");
		exit(2);
	}
	if ((options->fd < 0) == (options->control < 0) || !options->root || optind != argc ||
	    options->first_id < SDV_GUEST_NR_IDS)
		usage();
}

static int device_find(const char **ret_what)
{
	if (!guest.has_remote_files)
		return 0;
	guest.device = open(SUPERDEV_REMOTE_DEVICE, O_PATH | O_CLOEXEC);
	if (guest.device < 0)
		FAIL("open " SUPERDEV_REMOTE_DEVICE);
	return 0;
}

/* Opened by us, so that its users are the lender's; relay and process 1 have it. */
static int channel_open(const char **ret_what)
{
	char path[32];

	if (guest.device < 0)
		return 0;
	/* Its own name is hidden by the guest's root. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", guest.device);
	guest.options.channel = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (guest.options.channel < 0)
		FAIL("open " SUPERDEV_REMOTE_DEVICE);
	return 0;
}

/* What is the same for each guest of these options. */
static int prepare(const char **ret_what)
{
	int r;

	limits_raise();
	r = launcher_prepare(ret_what);
	if (!r)
		r = sdv_guest_relay_prepare(ret_what);
	if (!r)
		r = sdv_guest_cgroup_find(&guest.cgroup, &guest.options, ret_what);
	if (!r && unshare(CLONE_NEWNS)) {
		*ret_what = "leave the mount namespace";
		r = -errno;
	}
	if (!r)
		r = device_find(ret_what);
	if (!r)
		r = sdv_guest_root_prepare(guest.options.root, guest.options.leave, ret_what);
	return r;
}

int main(int argc, char **argv)
{
	const char *what = "leave the mount namespace";
	int r = 0;

	options_read(argc, argv);
	signal(SIGCHLD, SIG_DFL);
	r = prepare(&what);
	if (!r && guest.options.control >= 0)
		sdv_guest_host(&guest.options);
	if (!r)
		r = sdv_guest_cgroup_open(&guest.cgroup, &guest.options, &what);
	if (!r)
		r = channel_open(&what);
	if (!r)
		r = processes_make(&what);
	if (guest.options.fd >= 0)
		close(guest.options.fd);
	if (guest.options.sync >= 0)
		close(guest.options.sync);
	/* It ends with the relay. */
	if (guest.options.channel >= 0)
		close(guest.options.channel);
	if (!r)
		r = launcher_seal(&what);
	if (r) {
		fprintf(stderr, "superdev-guest: can't %s: %s\n", what, strerror(-r));
		children_kill();
		sdv_guest_cgroup_close(&guest.cgroup);
		return 1;
	}
	_exit(wait_for_end());
}
