// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * worker_proc.c: workers as processes: start, find again, talk to, stop.
 *
 * What a worker says is believed only about its own lease: it reads a stranger's
 * frames and may be taken over.
 */
#include "worker_proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "cgroup.h"
#include "fdpass.h"
#include "lease_lender.h"

#define READY_MS 10000 /* from its start to its first message */
#define STOP_MS  5000  /* from being asked to being killed */
#define FD_ABOVE 16    /* of the child's numbers, so that none is overwritten */

/* Linux 6.5. */
#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

struct worker {
	struct list node;
	struct daemon *d;
	struct lent *lent; /* NULL: being stopped */
	uint64_t number;
	int control;
	int pidfd; /* -1 where the kernel cannot tell */
	bool is_ready;
	bool is_over; /* only waiting for poll to end */
	struct sdv_op poll;
	struct timer timeout; /* for READY, then for its end */
};

static int socket_path(struct daemon *d, uint64_t number, struct sockaddr_un *ret_addr)
{
	int n;

	memset(ret_addr, 0, sizeof(*ret_addr));
	ret_addr->sun_family = AF_UNIX;
	n = snprintf(ret_addr->sun_path, sizeof(ret_addr->sun_path), "%s/worker/%" PRIu64 ".sock",
		     d->conf.runtime_dir, number);
	return n < (int)sizeof(ret_addr->sun_path) ? 0 : -ENAMETOOLONG;
}

static void worker_free(struct worker *worker)
{
	list_del(&worker->node);
	close(worker->control);
	if (worker->pidfd >= 0)
		close(worker->pidfd);
	free(worker);
}

/* Its end was seen: the control connection is closed. */
static void worker_over(struct worker *worker)
{
	struct lent *lent = worker->lent;
	struct sockaddr_un addr;

	worker->lent = NULL;
	worker->is_over = true;
	timer_stop(&worker->timeout);
	/* Of a lease that goes on, the path is the next worker's. */
	if (lent && !socket_path(worker->d, worker->number, &addr))
		unlink(addr.sun_path);
	if (worker->poll.is_active)
		sdv_op_cancel(worker->d->loop, &worker->poll);
	else
		worker_free(worker);
	if (lent)
		lender_worker_gone(lent);
}

static void worker_kill(struct worker *worker)
{
	if (worker->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, worker->pidfd, SIGKILL, NULL, 0);
}

static void worker_late(struct timer *timer)
{
	struct worker *worker = container_of(timer, struct worker, timeout);

	if (worker->lent)
		sdv_log(SDV_LOG_ERR, "worker of lease %" PRIu64 ": not ready within %d s; %s", worker->number,
			READY_MS / 1000, worker->pidfd >= 0 ? "killed" : "given up");
	else
		sdv_log(SDV_LOG_WARNING, "worker of lease %" PRIu64 ": does not end; killed", worker->number);
	worker_kill(worker);
	worker_over(worker);
}

static int worker_send(struct worker *worker, const struct sdv_worker_msg *content, int fd)
{
	struct sdv_worker_msg message = *content;

	message.version = SDV_WORKER_CTL_VERSION;
	message.lease = worker->number;
	return sdv_fds_send(worker->control, &message, sizeof(message), &fd, 1, MSG_DONTWAIT);
}

/* False: it is freed. */
static bool worker_take(struct worker *worker, const struct sdv_worker_msg *message)
{
	if (message->version != SDV_WORKER_CTL_VERSION || message->lease != worker->number ||
	    message->config_len > sizeof(message->config)) {
		sdv_log(SDV_LOG_ERR, "worker of lease %" PRIu64 ": sent nonsense; killed", worker->number);
		worker_kill(worker);
		worker_over(worker);
		return false;
	}
	switch (message->type) {
	case SDV_WORKER_READY:
		timer_stop(&worker->timeout);
		worker->is_ready = true;
		lender_worker_ready(worker->lent, message);
		break;
	case SDV_WORKER_LANE_DOWN:
		lender_worker_lane_down(worker->lent, message->index, message->error);
		break;
	case SDV_WORKER_CONFIG:
		if (worker->is_ready)
			lender_worker_config(worker->lent, message);
		break;
	default: break;
	}
	return true;
}

/*
 * One message.  The kernel adds a descriptor of the process that sent it: the
 * only way to know a worker that another agent started.  Other descriptors are
 * not asked for.
 */
static ssize_t worker_receive(struct worker *worker, struct sdv_worker_msg *ret_message)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int)) * 2];
	} control;
	struct iovec iov = { ret_message, sizeof(*ret_message) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	n = recvmsg(worker->control, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		int *fds = (int *)CMSG_DATA(cmsg);
		size_t count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET ||
		    (cmsg->cmsg_type != SCM_PIDFD && cmsg->cmsg_type != SCM_RIGHTS))
			continue;
		for (size_t i = 0; i < count; i++) {
			if (cmsg->cmsg_type == SCM_PIDFD && worker->pidfd < 0)
				worker->pidfd = fds[i];
			else if (fds[i] >= 0)
				close(fds[i]);
		}
	}
	return n;
}

static void worker_readable(struct sdv_op *op, int result, bool more)
{
	struct worker *worker = container_of(op, struct worker, poll);
	struct sdv_worker_msg message;
	ssize_t n;
	int r;

	(void)more;
	if (worker->is_over) {
		worker_free(worker);
		return;
	}
	if (result < 0) {
		worker_over(worker);
		return;
	}
	n = worker_receive(worker, &message);
	if (n == 0 || (n < 0 && n != -EAGAIN && n != -EINTR)) {
		worker_over(worker);
		return;
	}
	if (n == sizeof(message) && worker->lent && !worker_take(worker, &message))
		return;
	r = sdv_op_poll(worker->d->loop, &worker->poll, worker->control, POLLIN, false);
	if (r < 0)
		worker_over(worker);
}

static int worker_new(struct daemon *d, struct lent *lent, uint64_t number, int control,
		      struct worker **ret_worker)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (!worker)
		return -ENOMEM;
	worker->d = d;
	worker->lent = lent;
	worker->number = number;
	worker->control = control;
	worker->pidfd = -1;
	worker->poll.done = worker_readable;
	timer_init(&worker->timeout, &d->timers, worker_late);
	r = sdv_op_poll(d->loop, &worker->poll, control, POLLIN, false);
	if (r < 0) {
		free(worker);
		return r;
	}
	timer_start(&worker->timeout, READY_MS);
	list_add_tail(&d->workers, &worker->node);
	*ret_worker = worker;
	return 0;
}

/* Starting --------------------------------------------------------------- */

static int listen_at(struct daemon *d, uint64_t number)
{
	struct sockaddr_un addr;
	int fd, r;

	r = socket_path(d, number, &addr);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(addr.sun_path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 1) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

/*
 * dup2 in the child clears close-on-exec, but a source below the targets would
 * be overwritten before its turn: all sources are moved out of the way.
 */
static int spawn(struct daemon *d, const char *class_name, int control, int listening, int backing,
		 pid_t *ret_pid)
{
	char *argv[] = { d->conf.worker, (char *)class_name, NULL }, *envp[] = { NULL };
	int fds[3] = { control, listening, backing }, high[3] = { -1, -1, -1 }, count, r = 0;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t all, none;

	count = backing < 0 ? 2 : 3;
	for (int i = 0; i < count && !r; i++) {
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FD_ABOVE);
		if (high[i] < 0)
			r = errno;
	}
	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	if (!r)
		r = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (!r)
		r = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	for (int i = 0; i < count && !r; i++)
		r = posix_spawn_file_actions_adddup2(&actions, high[i], SDV_WORKER_FD_CONTROL + i);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&actions, SDV_WORKER_FD_CONTROL + count);
	if (!r)
		r = posix_spawnattr_setsigdefault(&attributes, &all);
	if (!r)
		r = posix_spawnattr_setsigmask(&attributes, &none);
	if (!r)
		r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
								  POSIX_SPAWN_SETSIGMASK);
	if (!r)
		r = posix_spawn(ret_pid, d->conf.worker, &actions, &attributes, argv, envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	for (int i = 0; i < count; i++)
		if (high[i] >= 0)
			close(high[i]);
	return -r;
}

int worker_start(struct daemon *d, struct lent *lent, const struct worker_task *task,
		 struct worker **ret_worker)
{
	struct sdv_worker_msg start = {
		.type = SDV_WORKER_START,
		.epoch = task->epoch,
		.flags = task->read_only ? SDV_WORKER_F_READ_ONLY : 0,
		.config_len = task->terms_len,
	};
	uint64_t number = task->number;
	int pair[2], listening, r;
	struct worker *worker;
	pid_t pid = 0;

	memcpy(start.config, task->terms, task->terms_len);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	listening = listen_at(d, number);
	if (listening < 0) {
		r = listening;
		goto err_close_pair;
	}
	r = worker_new(d, lent, number, pair[0], &worker);
	if (r < 0)
		goto err_close_listening;
	r = spawn(d, task->class_name, pair[1], listening, task->backing >= 0 ? task->backing : task->cgroup,
		  &pid);
	close(listening);
	close(pair[1]);
	if (r < 0) {
		worker->lent = NULL;
		worker_over(worker);
		return r;
	}
	worker->pidfd = syscall(SYS_pidfd_open, pid, 0);
	/* It waits for its first message, so it does nothing outside of its cgroup. */
	if (task->cgroup >= 0) {
		r = cgroup_enter(task->cgroup, pid);
		if (r < 0)
			sdv_log(SDV_LOG_WARNING, "worker of lease %" PRIu64 ": not in its cgroup: %s", number,
				strerror(-r));
	}
	r = worker_send(worker, &start, -1);
	if (r < 0) {
		worker_stop(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;

err_close_listening:
	close(listening);
err_close_pair:
	close(pair[0]);
	close(pair[1]);
	return r;
}

int worker_adopt(struct daemon *d, struct lent *lent, uint64_t number, struct worker **ret_worker)
{
	struct sockaddr_un addr;
	struct worker *worker;
	int fd, r, on = 1;

	r = socket_path(d, number, &addr);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	r = worker_new(d, lent, number, fd, &worker);
	if (r < 0) {
		close(fd);
		return r;
	}
	/* The peer of this socket, for the kernel, is the agent that listened first. */
	if (setsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on)) < 0)
		sdv_log(SDV_LOG_WARNING, "worker of lease %" PRIu64 ": cannot be killed if it hangs: %s",
			number, strerror(errno));
	*ret_worker = worker;
	return 0;
}

int worker_lane(struct worker *worker, int fd, uint32_t index, enum superdev_transport transport)
{
	const struct sdv_worker_msg message = {
		.type = SDV_WORKER_LANE,
		.index = index,
		.transport = transport,
	};

	return worker_send(worker, &message, fd);
}

void worker_stop(struct worker *worker)
{
	const struct sdv_worker_msg message = { .type = SDV_WORKER_STOP };
	struct sockaddr_un addr;

	worker->lent = NULL;
	/* Nobody is to find it any more. */
	if (!socket_path(worker->d, worker->number, &addr))
		unlink(addr.sun_path);
	timer_start(&worker->timeout, STOP_MS);
	if (worker_send(worker, &message, -1) < 0)
		timer_start(&worker->timeout, 0);
}

void workers_leave(struct daemon *d)
{
	list_for_each_safe(worker, &d->workers, struct worker, node) {
		bool is_stopping = !worker->lent;

		/* One that was told to stop will; but nobody would kill it later. */
		if (is_stopping && !worker->is_over)
			worker_kill(worker);
		worker->lent = NULL;
		if (!worker->is_over)
			worker_over(worker);
	}
}

void workers_tidy(struct daemon *d)
{
	struct sockaddr_un addr;
	struct dirent *entry;
	struct worker *worker;
	char path[128], *end;
	uint64_t number;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/worker", d->conf.runtime_dir);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		number = strtoull(entry->d_name, &end, 10);
		if (end == entry->d_name || strcmp(end, ".sock") != 0 || lender_knows(d, number))
			continue;
		sdv_log(SDV_LOG_NOTICE, "worker of lease %" PRIu64 ": serves nobody; stopped", number);
		if (!worker_adopt(d, NULL, number, &worker))
			worker_stop(worker);
		else if (!socket_path(d, number, &addr))
			unlink(addr.sun_path);
	}
	closedir(dir);
}
