// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest_start.c: from an image to a running program, inside the guest's namespaces.
 *
 * Runs in process 1, which is confined as its guest will be but for the calls
 * that are needed here: whoever takes this code over has what a guest has.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"
#include "guestbox.h"
#include "superdev_cpu.h"

/* One end of each stream for the guest, one for the relay. */
struct ends {
	unsigned int nr;
	int guest[SUPERDEV_TASK_MAX_STREAMS], relay[SUPERDEV_TASK_MAX_STREAMS]; /* -1: a remote file */
	int tty;
};

/* What the child says in a pipe that closes when the program runs. */
struct report {
	int error; /* 0: ready */
	char text[100];
};

/* Above every descriptor that this guest has: what we hold meanwhile. */
static int high_fd;

static int high(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, high_fd);

	if (moved >= 0)
		close(fd);
	return moved;
}

static int pair_open(uint8_t kind, uint8_t mode, int *ret_guest, int *ret_relay)
{
	int fds[2];

	if (kind == SUPERDEV_TASK_SOCKET || mode == (SUPERDEV_TASK_MODE_READ | SUPERDEV_TASK_MODE_WRITE)) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
			return -errno;
		*ret_guest = fds[0];
		*ret_relay = fds[1];
		return 0;
	}
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	*ret_guest = mode == SUPERDEV_TASK_MODE_READ ? fds[0] : fds[1];
	*ret_relay = mode == SUPERDEV_TASK_MODE_READ ? fds[1] : fds[0];
	return 0;
}

/* Like home's: so that the guest may open it again by name, it belongs to the guest's user. */
static int tty_open(const struct sdv_task_image *image, int *ret_guest, int *ret_relay)
{
	char path[32];
	int zero = 0, number, master, slave;

	setfsuid(image->uid);
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	setfsuid(SDV_GUEST_INIT_ID);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &zero) || ioctl(master, TIOCGPTN, &number))
		return -errno;
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	setfsuid(image->uid);
	slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	setfsuid(SDV_GUEST_INIT_ID);
	if (slave < 0)
		return -errno;
	/* Process 1 leads the session; its terminal is the guest's. */
	if (ioctl(slave, TIOCSCTTY, 0))
		return -errno;
	*ret_guest = slave;
	*ret_relay = master;
	return 0;
}

/* What its descriptors have in common; those of one stream are one file at home. */
static uint32_t stream_flags(const struct sdv_task_image *image, unsigned int stream)
{
	for (uint32_t i = 0; i < image->nr_fds; i++) {
		struct sdv_task_fd fd = sdv_task_fd_get(image, i);

		if (fd.stream == stream)
			return fd.flags;
	}
	return 0;
}

/*
 * A descriptor of home's own file.  Sockets are not among them, as what programs do to
 * one is more than reading and writing, nor is the terminal, which has to be one to the
 * kernel here: it has a session and a foreground.
 */
static int remote_open(const struct sdv_task_image *image, const struct sdv_task_streams *streams,
		       unsigned int stream, uint32_t first_id, int channel)
{
	static const uint32_t modes[] = { 0, O_RDONLY, O_WRONLY, O_RDWR };
	uint32_t flags = stream_flags(image, stream);
	struct superdev_remote_new new = {
		.cookie = stream + 1u,
		.kind = streams->kind[stream] == SUPERDEV_TASK_PIPE ? SUPERDEV_REMOTE_PIPE
								    : SUPERDEV_REMOTE_FILE,
		.flags = modes[streams->mode[stream] & 3] | O_CLOEXEC |
			 (flags & SUPERDEV_TASK_FD_APPEND ? O_APPEND : 0) |
			 (flags & SUPERDEV_TASK_FD_NONBLOCK ? O_NONBLOCK : 0),
		.mode = 0600,
		.uid = first_id + image->uid,
		.gid = first_id + image->gid,
	};
	int fd = ioctl(channel, SUPERDEV_REMOTE_NEW, &new);

	return fd < 0 ? -errno : fd;
}

static bool is_remote_kind(uint8_t kind)
{
	return kind == SUPERDEV_TASK_PIPE || kind == SUPERDEV_TASK_FILE;
}

static int ends_open(const struct sdv_task_image *image, const struct sdv_task_streams *streams,
		     uint32_t first_id, int channel, struct ends *ends)
{
	int r = 0;

	ends->nr = streams->nr;
	ends->tty = -1;
	for (unsigned int i = 0; i < streams->nr && !r; i++) {
		if (streams->kind[i] == SUPERDEV_TASK_TTY) {
			r = tty_open(image, &ends->guest[i], &ends->relay[i]);
		} else if (channel >= 0 && is_remote_kind(streams->kind[i])) {
			ends->guest[i] = remote_open(image, streams, i, first_id, channel);
			r = ends->guest[i] < 0 ? ends->guest[i] : 0;
		} else {
			r = pair_open(streams->kind[i], streams->mode[i], &ends->guest[i], &ends->relay[i]);
		}
		if (r)
			return r;
		ends->guest[i] = high(ends->guest[i]);
		if (ends->guest[i] < 0)
			return -errno;
		if (streams->kind[i] == SUPERDEV_TASK_TTY)
			ends->tty = ends->guest[i];
	}
	return 0;
}

/* The relay's ends, and those of the guest's that it has to look at. */
static int ends_pass(const struct sdv_task_image *image, const struct sdv_task_streams *streams,
		     struct ends *ends, int relay)
{
	struct sdv_guest_msg msg = { .type = SDV_GUEST_STREAMS, .value = streams->nr, .modes = image->modes };
	int fds[2 * SUPERDEV_TASK_MAX_STREAMS], r = 0;
	unsigned int nr = 0;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(fds))];
	} control;
	struct iovec iov = { &msg, sizeof(msg) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };

	memcpy(msg.kind, streams->kind, sizeof(msg.kind));
	memcpy(msg.mode, streams->mode, sizeof(msg.mode));
	for (unsigned int i = 0; i < streams->nr; i++) {
		msg.is_remote[i] = ends->relay[i] < 0;
		if (!msg.is_remote[i])
			fds[nr++] = ends->relay[i];
	}
	for (unsigned int i = 0; i < streams->nr; i++) {
		msg.has_peek[i] = !msg.is_remote[i] && (streams->kind[i] == SUPERDEV_TASK_TTY ||
							(streams->kind[i] == SUPERDEV_TASK_FILE &&
							 streams->mode[i] & SUPERDEV_TASK_MODE_READ));
		if (msg.has_peek[i])
			fds[nr++] = ends->guest[i];
	}
	if (nr) {
		struct cmsghdr *cmsg = &control.align;

		memset(&control, 0, sizeof(control));
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		*cmsg = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(nr * sizeof(int)),
		};
		memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
	}
	if (sendmsg(relay, &header, MSG_NOSIGNAL) < 0)
		r = -errno;
	for (unsigned int i = 0; i < streams->nr; i++)
		if (ends->relay[i] >= 0)
			close(ends->relay[i]);
	return r;
}

static int signals_set(const struct sdv_task_image *image)
{
	struct sigaction action = { .sa_handler = SIG_DFL };

	for (int sig = 1; sig <= 64; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP || sig == 32 || sig == 33)
			continue;
		action.sa_handler = image->sig_ignored >> (sig - 1) & 1 ? SIG_IGN : SIG_DFL;
		if (sigaction(sig, &action, NULL))
			return -errno;
	}
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &image->sig_blocked, NULL, 8) ? -errno : 0;
}

static int device_open(const struct sdv_task_fd *fd)
{
	static const char *const paths[] = {
		[3] = "/dev/null",   [5] = "/dev/zero",    [7] = "/dev/full",
		[8] = "/dev/random", [9] = "/dev/urandom",
	};
	static const int modes[] = { 0, O_RDONLY, O_WRONLY, O_RDWR };

	return open(paths[fd->device], modes[fd->mode] | O_CLOEXEC);
}

/* The table as the image has it; everything else closes when the program runs. */
static int fds_place(const struct sdv_task_image *image, const struct ends *ends)
{
	unsigned int next = 0;

	for (uint32_t i = 0; i < image->nr_fds; i++) {
		struct sdv_task_fd fd = sdv_task_fd_get(image, i);
		bool is_device = fd.kind == SUPERDEV_TASK_DEVICE;
		int from = is_device ? device_open(&fd) : ends->guest[fd.stream];

		if (from < 0)
			return -errno;
		/* What we hold lies above all of these, but what was just opened may lie at home's number. */
		if (from == (int)fd.fd ? fcntl(from, F_SETFD, 0) : dup2(from, (int)fd.fd) < 0)
			return -errno;
		if (is_device && from != (int)fd.fd)
			close(from);
		if (fd.flags & SUPERDEV_TASK_FD_NONBLOCK && fcntl((int)fd.fd, F_SETFL, O_NONBLOCK))
			return -errno;
		if (fd.fd > next && syscall(SYS_close_range, next, fd.fd - 1, CLOSE_RANGE_CLOEXEC))
			return -errno;
		next = fd.fd + 1;
	}
	return syscall(SYS_close_range, next, ~0u, CLOSE_RANGE_CLOEXEC) ? -errno : 0;
}

static int limits_set(const struct sdv_task_image *image, const struct sdv_guest_options *options)
{
	for (unsigned int i = 0; i < SUPERDEV_TASK_NR_RLIMITS; i++) {
		struct rlimit has, wanted = { image->rlimits[i].soft, image->rlimits[i].hard };

		/* A core would be the lender's to handle; 1 keeps even its pipe from being started. */
		if (i == RLIMIT_CORE)
			wanted = (struct rlimit){ 1, 1 };
		if (i == RLIMIT_NPROC && options->max_pids && wanted.rlim_max > options->max_pids)
			wanted.rlim_max = options->max_pids;
		if (getrlimit((__rlimit_resource_t)i, &has))
			return -errno;
		if (wanted.rlim_max > has.rlim_max)
			wanted.rlim_max = has.rlim_max;
		if (wanted.rlim_cur > wanted.rlim_max)
			wanted.rlim_cur = wanted.rlim_max;
		if (setrlimit((__rlimit_resource_t)i, &wanted))
			return -errno;
	}
	return 0;
}

static int ids_set(const struct sdv_task_image *image)
{
	gid_t groups[SUPERDEV_TASK_MAX_GROUPS];

	for (uint32_t i = 0; i < image->nr_groups; i++)
		groups[i] = le32toh(image->groups[i]);
	if (syscall(SYS_setgroups, image->nr_groups, groups) ||
	    syscall(SYS_setresgid, image->gid, image->gid, image->gid) ||
	    syscall(SYS_setresuid, image->uid, image->uid, image->uid))
		return -errno;
	return sdv_guestbox_capabilities_drop(0);
}

#define STEP(call, what)                  \
	do {                              \
		int step_r = (call);      \
                                          \
		if (step_r) {             \
			*ret_what = what; \
			return step_r;    \
		}                         \
	} while (0)

/* Everything that can be done before home has said that it be done. */
static int child_prepare(const struct sdv_task_image *image, const struct ends *ends, pid_t group,
			 const struct sdv_guest_options *options, const char **ret_what)
{
	STEP(setpgid(0, group) ? -errno : 0, "join the process group");
	/* Before it can read: who is not in the foreground would be stopped. */
	if (ends->tty >= 0)
		STEP(tcsetpgrp(ends->tty, getpgrp()) ? -errno : 0, "come to the foreground");
	STEP(fds_place(image, ends), "place descriptors");
	umask((mode_t)image->umask);
	/* Guests are nice: what home's program would get by force is not the lender's to give. */
	STEP(image->nice > 0 && setpriority(PRIO_PROCESS, 0, image->nice) ? -errno : 0, "set priority");
	STEP(ids_set(image), "become home's user");
	STEP(chdir(image->cwd) ? -errno : 0, "change to the working directory");
	STEP(limits_set(image, options), "set limits");
	if (image->personality)
		STEP(personality(image->personality) < 0 ? -errno : 0, "set personality");
	return 0;
}

/* Returns only where it fails. */
static int child_exec(const struct sdv_task_image *image, char **strings, const char **ret_what)
{
	STEP(signals_set(image), "set signals");
	STEP(sdv_guestbox_filter_guest(), "confine the guest");
	execve(image->path, strings, strings + image->argc + 1);
	*ret_what = "execute";
	return -errno;
}

static pid_t clone_as(uint32_t pid)
{
	pid_t set_tid = (pid_t)pid;
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&set_tid,
		.set_tid_size = 1,
	};
	long r = pid > 1 ? syscall(SYS_clone3, &args, sizeof(args)) : -1;

	/* Taken, or more than there are here: then it is another. */
	return r >= 0 ? (pid_t)r : fork();
}

/*
 * A process group that home's program joins but does not lead has another
 * leader, and is not an orphan: stops work in it.  The leader is a process that
 * has ended; it is not reaped before its follower is there.
 */
static pid_t group_make(const struct sdv_task_image *image)
{
	pid_t leader = clone_as(image->pgid);
	siginfo_t info;

	if (leader < 0)
		return -errno;
	if (!leader)
		_exit(setpgid(0, 0) ? 1 : 0);
	if (waitid(P_PID, (id_t)leader, &info, WEXITED | WNOWAIT))
		return -errno;
	return leader;
}

static int refuse(char *ret_text, int error, const char *what, const char *path)
{
	snprintf(ret_text, 124, "can't %s%s%s", what, path ? " " : "", path ? path : "");
	return error;
}

/* What the child has to say: that it is ready, or that it can't be; once it runs, nothing. */
static int report_read(int from, bool may_run, char *ret_text)
{
	struct report report;
	ssize_t n;

	do
		n = read(from, &report, sizeof(report));
	while (n < 0 && errno == EINTR);
	if (!n && may_run)
		return 0;
	if (n != (ssize_t)sizeof(report))
		return refuse(ret_text, -EIO, "start", NULL);
	memcpy(ret_text, report.text, sizeof(report.text));
	return report.error;
}

static void report_write(int to, int error, const char *what, const char *path)
{
	struct report report = { .error = error };

	if (error)
		snprintf(report.text, sizeof(report.text), "can't %s %.60s", what, path);
	if (write(to, &report, sizeof(report)) != (ssize_t)sizeof(report))
		_exit(126);
}

static _Noreturn void child(const struct sdv_task_image *image, const struct ends *ends, pid_t group,
			    const struct sdv_guest_options *options, char **strings, const int *go,
			    const int *report)
{
	const char *what = "";
	char byte;
	int r;

	/* Where process 1 ends, so does everything; no end of the pipe may be left with us. */
	close(go[1]);
	r = child_prepare(image, ends, group, options, &what);
	report_write(report[1], r, what, image->path);
	if (r || read(go[0], &byte, 1) != 1)
		_exit(126);
	r = child_exec(image, strings, &what);
	report_write(report[1], r, what, image->path);
	_exit(127);
}

/* What a program is started from: its pipes, its process group, its parent. */
struct start {
	const struct sdv_task_image *image;
	const struct ends *ends;
	const struct sdv_guest_options *options;
	char **strings;
	int report[2], go[2], news[2];
	pid_t group;
};

static pid_t program_clone(const struct start *start)
{
	pid_t pid = clone_as(start->image->pid);

	if (!pid)
		child(start->image, start->ends, start->group, start->options, start->strings, start->go,
		      start->report);
	return pid;
}

static void news_write(int to, const struct sdv_guest_news *news)
{
	if (write(to, news, sizeof(*news)) != (ssize_t)sizeof(*news))
		_exit(1);
}

/*
 * The program's parent, as the program sees it: it has the number of home's, as
 * many programs take process 1 for a sign that their parent is gone.  It waits
 * and tells process 1 what for; signals are blocked, and nobody may send it any.
 */
static _Noreturn void parent_run(struct start *start)
{
	struct sdv_guest_news news = { .status = 0 };
	int to = start->news[1];

	if (!(start->image->flags & SUPERDEV_TASK_F_LEADER) && !start->group) {
		setpgid(0, 0);
		start->group = getpid();
	}
	news.pid = program_clone(start);
	/* The other ends of these are waited for elsewhere. */
	if (syscall(SYS_close_range, 0, to - 1, 0) || syscall(SYS_close_range, to + 1, ~0u, 0) ||
	    sdv_guestbox_capabilities_drop(0))
		_exit(1);
	news_write(to, &news);
	while (wait4(news.pid, &news.status, WUNTRACED, &news.usage) == news.pid) {
		news_write(to, &news);
		if (!WIFSTOPPED(news.status))
			break;
	}
	_exit(0);
}

static int parent_make(struct start *start, struct sdv_guest_main *ret_main)
{
	struct sdv_guest_news news;

	ret_main->parent = clone_as(start->image->ppid);
	if (!ret_main->parent)
		parent_run(start);
	close(start->news[1]);
	if (ret_main->parent < 0)
		return -errno;
	if (read(start->news[0], &news, sizeof(news)) != (ssize_t)sizeof(news) || news.pid < 0)
		return -EIO;
	ret_main->pid = news.pid;
	ret_main->news = start->news[0];
	return fcntl(ret_main->news, F_SETFL, O_NONBLOCK) ? -errno : 0;
}

static int run(struct start *start, struct sdv_guest_main *ret_main, char *ret_text)
{
	const struct sdv_task_image *image = start->image;
	bool is_leader = image->flags & SUPERDEV_TASK_F_LEADER, has_parent = image->ppid > 1;
	int r = 0;

	if (pipe2(start->report, O_CLOEXEC) || pipe2(start->go, O_CLOEXEC) || pipe2(start->news, O_CLOEXEC))
		return refuse(ret_text, -errno, "make a pipe", NULL);
	start->report[1] = high(start->report[1]);
	start->go[0] = high(start->go[0]);
	start->news[1] = high(start->news[1]);
	*ret_main = (struct sdv_guest_main){ .tty = start->ends->tty, .news = -1 };
	/* The parent leads the group itself where it does so at home. */
	if (!is_leader && !(has_parent && image->pgid == image->ppid)) {
		start->group = group_make(image);
		if (start->group < 0)
			return refuse(ret_text, start->group, "make the process group", NULL);
	}
	if (has_parent)
		r = parent_make(start, ret_main);
	else if ((ret_main->pid = program_clone(start)) < 0)
		r = -errno;
	close(start->report[1]);
	close(start->go[0]);
	if (r)
		return refuse(ret_text, r, "fork", NULL);
	r = report_read(start->report[0], false, ret_text);
	if (start->group)
		waitpid(start->group, NULL, 0);
	ret_main->group = is_leader ? ret_main->pid : start->group ? start->group : ret_main->parent;
	ret_main->go = start->go[1];
	ret_main->report = start->report[0];
	return r;
}

int sdv_guest_go(struct sdv_guest_main *guest, char *ret_text)
{
	int r;

	if (write(guest->go, "", 1) != 1)
		return refuse(ret_text, -errno, "start", NULL);
	r = report_read(guest->report, true, ret_text);
	close(guest->go);
	close(guest->report);
	return r;
}

int sdv_guest_prepare(const void *data, size_t len, const struct sdv_guest_options *options, int channel,
		      int relay, struct sdv_guest_main *ret_main, char *ret_text)
{
	struct sdv_task_streams streams;
	struct sdv_task_image image;
	struct ends ends;
	struct start start = { .image = &image, .ends = &ends, .options = options };
	char **strings;
	int r = sdv_task_image_check(data, len, &image, &streams);

	if (r)
		return refuse(ret_text, r, "read the image", NULL);
	if (image.uid >= SDV_GUEST_NR_IDS || image.gid >= SDV_GUEST_NR_IDS)
		return refuse(ret_text, -EOVERFLOW, "be a user or group above 65535", NULL);
	for (uint32_t i = 0; i < image.nr_groups; i++)
		if (le32toh(image.groups[i]) >= SDV_GUEST_NR_IDS)
			return refuse(ret_text, -EOVERFLOW, "be a user or group above 65535", NULL);
	strings = calloc((size_t)image.argc + image.envc + 2, sizeof(*strings));
	if (!strings)
		return refuse(ret_text, -ENOMEM, "allocate memory", NULL);
	sdv_task_strings(image.argv, image.argc, strings);
	sdv_task_strings(image.envp, image.envc, strings + image.argc + 1);
	start.strings = strings;
	if (sethostname(image.host, strlen(image.host)))
		return refuse(ret_text, -errno, "set the host name", NULL);
	high_fd = image.nr_fds ? (int)sdv_task_fd_get(&image, image.nr_fds - 1).fd + 1 : 0;
	if (high_fd < 16)
		high_fd = 16;
	memset(&ends, 0xff, sizeof(ends));
	r = ends_open(&image, &streams, options->first_id, channel, &ends);
	/* Who has it answers for home. */
	if (channel >= 0)
		close(channel);
	if (r)
		return refuse(ret_text, r, "make the guest's descriptors", NULL);
	r = ends_pass(&image, &streams, &ends, relay);
	if (r)
		return refuse(ret_text, r, "pass descriptors on", NULL);
	r = run(&start, ret_main, ret_text);
	free(strings);
	/* The guest's ends are the guest's alone, or their other ends would never see them close. */
	for (unsigned int i = 0; i < ends.nr; i++)
		if (ends.guest[i] >= 0 && ends.guest[i] != ends.tty)
			close(ends.guest[i]);
	return r;
}
