// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest_init.c: process 1 of a guest's namespaces.
 *
 * Everything that takes time is done before home asks for anything; then it
 * waits for an image.  When the guest runs, it passes signals on, tells what
 * becomes of it and reaps whatever is left to it.  Its user is nobody else's, it
 * has one capability of its own namespaces left, and its end is the end of
 * everything in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "guestbox.h"

#define BIT(cap) (1ull << (cap))
/* For home's files to be told; home gives up after 10 s. */
#define SYNC_MS  8000
/* Until the guest runs: its user, its pid, its host name, its terminal; later signals alone. */
#define CAPS_START \
	(BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_SYS_ADMIN) | BIT(CAP_KILL))
#define CAPS_RUN BIT(CAP_KILL)

#ifndef CAP_CHECKPOINT_RESTORE
#error "kernel headers of 5.9 or later are needed"
#endif

static struct {
	const struct sdv_guest_options *options;
	int relay, sync, channel, children;
	struct sdv_guest_main guest;
	struct sdv_guest_used used;
	struct sdv_task_exit end;
	bool is_ready, has_guest, has_ended, is_exit_due;
	uint8_t *image;
	size_t image_size, image_len;
} init;

static void die(const char *what, int error)
{
	fprintf(stderr, "superdev-guest: can't %s: %s\n", what, strerror(-error));
	_exit(1);
}

static int ids_set(const char **ret_what)
{
	const uid_t id = SDV_GUEST_INIT_ID;

	*ret_what = "become the user of process 1";
	if (setgroups(0, NULL) || setresgid(id, id, id) || setresuid(id, id, id))
		return -errno;
	/* Setting ids clears it; where the launcher died before, the pipe to it says so. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_DUMPABLE, 0))
		return -errno;
	return 0;
}

/* Of the lender's processes a guest is the first that memory is taken from. */
static void oom_offer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1000", 4) != 4)
		fprintf(stderr, "superdev-guest: memory of guests is not taken first: %s\n", strerror(errno));
	close(fd);
}

/* The three that stay, those that are there, from 3 on; the rest are closed. */
static int fds_close(int relay)
{
	int *const fds[] = { &relay, &init.sync, &init.channel };
	int next = 3;

	for (int i = 0; i < 3; i++)
		if (*fds[i] >= 0 && (*fds[i] = fcntl(*fds[i], F_DUPFD, 16)) < 0)
			return -errno;
	for (int i = 0; i < 3; i++) {
		if (*fds[i] < 0)
			continue;
		if (dup2(*fds[i], next) < 0 || fcntl(next, F_SETFD, FD_CLOEXEC))
			return -errno;
		*fds[i] = next++;
	}
	init.relay = relay;
	return syscall(SYS_close_range, next, ~0u, 0) ? -errno : 0;
}

static void confine(int relay)
{
	const struct rlimit core = { 1, 1 };
	const char *what;
	int r;

	oom_offer();
	r = ids_set(&what);
	if (!r)
		r = sdv_guest_root_enter(&what);
	if (r)
		die(what, r);
	if (setsid() < 0)
		die("begin a session", -errno);
	r = sdv_guestbox_capabilities(CAPS_START, &what);
	if (r)
		die(what, r);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || setrlimit(RLIMIT_CORE, &core))
		die("set limits", -errno);
	r = sdv_guestbox_landlock(&what);
	if (r < 0)
		die(what, r);
	init.sync = init.options->sync;
	init.channel = init.options->channel;
	r = fds_close(relay);
	if (r)
		die("close descriptors", r);
	r = sdv_guestbox_filter(&what);
	if (r)
		die(what, r);
	/* Only now: until here it was the way to say what is wrong. */
	for (int fd = 0; fd < 3; fd++)
		close(fd);
}

static void tell(const struct sdv_guest_msg *msg)
{
	/* It reads all we say, or it is gone and so are we. */
	if (send(init.relay, msg, sizeof(*msg), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void exit_fill(struct sdv_task_exit *end, int status, const struct rusage *usage)
{
	*end = (struct sdv_task_exit){
		.code = WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : 0,
		.signal = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0,
		.flags = WIFSIGNALED(status) && WCOREDUMP(status) ? SUPERDEV_TASK_EXIT_CORE : 0,
		.used = {
			.utime_us = (uint64_t)usage->ru_utime.tv_sec * 1000000 + (uint64_t)usage->ru_utime.tv_usec,
			.stime_us = (uint64_t)usage->ru_stime.tv_sec * 1000000 + (uint64_t)usage->ru_stime.tv_usec,
			.maxrss_kb = (uint64_t)usage->ru_maxrss,
			.minflt = (uint64_t)usage->ru_minflt,
			.majflt = (uint64_t)usage->ru_majflt,
			.inblock = (uint64_t)usage->ru_inblock,
			.oublock = (uint64_t)usage->ru_oublock,
			.nvcsw = (uint64_t)usage->ru_nvcsw,
			.nivcsw = (uint64_t)usage->ru_nivcsw,
		},
	};
}

/* Something has become of the program; its end is told when what is left of it is known. */
static void guest_changed(int status, const struct rusage *usage)
{
	if (init.has_ended)
		return;
	if (WIFSTOPPED(status)) {
		struct sdv_guest_msg stopped = {
			.type = SDV_GUEST_STOPPED,
			.value = (uint32_t)WSTOPSIG(status),
		};

		tell(&stopped);
		return;
	}
	init.has_ended = true;
	init.is_exit_due = true;
	exit_fill(&init.end, status, usage);
}

static void news_read(void)
{
	struct sdv_guest_news news;

	while (init.guest.news >= 0 && read(init.guest.news, &news, sizeof(news)) == (ssize_t)sizeof(news))
		guest_changed(news.status, &news.usage);
}

/* Everything whose parent has ended is ours; where the last is gone, so are we. */
static void children_reap(void)
{
	struct sdv_guest_msg msg = { .type = SDV_GUEST_EXIT };
	struct rusage usage;
	bool is_last;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG | WUNTRACED, &usage)) > 0) {
		if (pid == init.guest.pid)
			guest_changed(status, &usage);
		/* It has told all that it had to, or was killed, and the program is our own child now. */
		if (pid == init.guest.parent) {
			init.guest.parent = 0;
			news_read();
		}
	}
	is_last = pid < 0 && errno == ECHILD;
	if (init.is_exit_due && !init.guest.parent) {
		init.is_exit_due = false;
		msg.end = init.end;
		if (!is_last)
			msg.end.flags |= SUPERDEV_TASK_EXIT_REMAINS;
		tell(&msg);
	}
	if (is_last) {
		msg = (struct sdv_guest_msg){ .type = SDV_GUEST_GONE };
		tell(&msg);
		_exit(0);
	}
}

static void signal_pass(const struct sdv_guest_msg *msg)
{
	pid_t group = init.guest.group;

	if (!init.has_guest || msg->value > 64)
		return;
	if (!msg->to_group) {
		/* Once it is reaped its number may be another's. */
		if (!init.has_ended)
			kill(init.guest.pid, (int)msg->value);
		return;
	}
	if (init.guest.tty >= 0)
		group = tcgetpgrp(init.guest.tty);
	if (group <= 1)
		group = init.guest.group;
	kill(-group, (int)msg->value);
}

static void image_refuse(int error, const char *text)
{
	struct sdv_guest_msg msg = { .type = SDV_GUEST_REFUSED, .value = (uint32_t)-error };

	snprintf(msg.text, sizeof(msg.text), "%s", text);
	tell(&msg);
	_exit(1);
}

/* What home wrote before it asked for this program is seen by it; 0 or -errno. */
static int files_sync(void)
{
	struct pollfd answer = { .fd = init.sync, .events = POLLIN };
	char text[8];
	ssize_t n;

	if (init.sync < 0)
		return 0;
	if (send(init.sync, "sync\n", 5, MSG_NOSIGNAL) != 5)
		return -ENOTCONN;
	if (poll(&answer, 1, SYNC_MS) != 1)
		return -ETIMEDOUT;
	n = recv(init.sync, text, sizeof(text), MSG_DONTWAIT);
	close(init.sync);
	return n == 7 && !memcmp(text, "synced\n", 7) ? 0 : -ENOTCONN;
}

static void guest_prepare(void)
{
	const struct sdv_guest_msg msg = { .type = SDV_GUEST_READY };
	char text[124] = "can't wait for home's files";
	int r = files_sync();

	if (!r)
		r = sdv_guest_prepare(init.image, init.image_len, init.options, init.channel, init.relay,
				      &init.guest, text);

	if (r)
		image_refuse(r, text);
	free(init.image);
	init.image = NULL;
	init.is_ready = true;
	if (sdv_guestbox_capabilities_drop(CAPS_RUN))
		_exit(1);
	tell(&msg);
}

static void guest_go(void)
{
	const struct sdv_guest_msg msg = { .type = SDV_GUEST_STARTED };
	char text[124] = "";
	int r;

	if (!init.is_ready || init.has_guest)
		_exit(1);
	sdv_guest_used_open(&init.used, init.guest.pid);
	r = sdv_guest_go(&init.guest, text);
	if (r)
		image_refuse(r, text);
	init.has_guest = true;
	tell(&msg);
	/* It may have ended while nobody looked. */
	children_reap();
}

static void part_add(uint32_t size, const uint8_t *part, size_t len)
{
	if (init.is_ready)
		_exit(1);
	if (!init.image) {
		if (size > SUPERDEV_TASK_MAX_IMAGE)
			_exit(1);
		init.image = malloc(size);
		if (!init.image)
			image_refuse(-ENOMEM, "can't allocate memory");
		init.image_size = size;
	}
	if (len > init.image_size - init.image_len)
		_exit(1);
	memcpy(init.image + init.image_len, part, len);
	init.image_len += len;
	if (init.image_len == init.image_size)
		guest_prepare();
}

static void message_receive(void)
{
	static uint8_t part[SUPERDEV_TASK_MAX_DATA];
	struct sdv_guest_msg msg;
	struct iovec iov[] = { { &msg, sizeof(msg) }, { part, sizeof(part) } };
	struct msghdr header = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n = recvmsg(init.relay, &header, 0);

	if (n < 0 && errno == EINTR)
		return;
	/* The relay is gone: so is everything here. */
	if (n < (ssize_t)sizeof(msg))
		_exit(1);
	if (msg.type == SDV_GUEST_IMAGE)
		part_add(msg.value, part, (size_t)n - sizeof(msg));
	else if (msg.type == SDV_GUEST_GO)
		guest_go();
	else if (msg.type == SDV_GUEST_SIGNAL)
		signal_pass(&msg);
}

/* Of one that has ended, the end is what is told. */
static int used_turn(void)
{
	return init.has_guest && !init.has_ended ? sdv_guest_used_turn(&init.used, init.relay) : -1;
}

void sdv_guest_init(const struct sdv_guest_options *options, int relay, int sync)
{
	struct signalfd_siginfo info;
	struct pollfd fds[3];
	sigset_t all;
	char byte;

	init.options = options;
	/* The launcher has written our users, or is gone. */
	if (read(sync, &byte, 1) != 1)
		_exit(1);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	confine(relay);
	sigemptyset(&all);
	sigaddset(&all, SIGCHLD);
	init.children = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (init.children < 0)
		_exit(1);
	fds[0] = (struct pollfd){ .fd = init.relay, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = init.children, .events = POLLIN };
	for (;;) {
		fds[2] = (struct pollfd){
			.fd = init.has_guest && init.guest.parent ? init.guest.news : -1,
			.events = POLLIN,
		};
		if (poll(fds, 3, used_turn()) < 0 && errno != EINTR)
			_exit(1);
		if (fds[2].revents & POLLIN)
			news_read();
		if (fds[0].revents)
			message_receive();
		if (fds[1].revents && read(init.children, &info, sizeof(info)) > 0 && init.has_guest)
			children_reap();
	}
}
