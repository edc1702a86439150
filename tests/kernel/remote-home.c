// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remote-home.c: see remote-home.h.  One thread reads the channel and does what can be
 * done at once; what has to wait gets a thread of its own, and an eventfd by which it
 * is interrupted.  Another watches the descriptors that were asked for their readiness.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "remote-home.h"

#define FILES     256
#define WATCH_END UINT64_MAX

struct file {
	uint64_t cookie;
	int fd;
	bool is_watched;
	uint64_t sequence;
};

struct job {
	struct job *next;
	struct home *home;
	int wake;
	int fd;
	struct superdev_remote_request ask;
	char data[];
};

struct home {
	int channel;
	int epoll;
	int terminal;
	pthread_t reader;
	pthread_t watcher;
	pthread_mutex_t lock; /* the rest */
	pthread_cond_t idle;
	uint64_t last_cookie;
	int nr_jobs;
	struct job *jobs;
	struct file files[FILES];
};

struct ioctl_message {
	uint32_t cmd;
	uint32_t is_value;
	uint64_t argument;
	int64_t result;
	char data[64];
};

static struct file *find(struct home *home, uint64_t cookie)
{
	for (int i = 0; i < FILES; i++)
		if (home->files[i].cookie == cookie)
			return &home->files[i];
	return NULL;
}

/* Looks, and counts it; under the lock, so that numbers are in the order of looks. */
static void look(struct home *home, uint64_t cookie, struct superdev_remote_reply *reply)
{
	struct file *file = find(home, cookie);
	struct pollfd pollfd = { .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP };

	if (!file)
		return;
	pollfd.fd = file->fd;
	poll(&pollfd, 1, 0);
	reply->ready = (uint32_t)pollfd.revents & 0x3fff;
	reply->sequence = ++file->sequence;
}

/* A copy that was made to fail is made once more; what else may happen is for the caller. */
static int tell(struct home *home, const void *message, size_t length)
{
	while (write(home->channel, message, length) < 0)
		if (errno != EFAULT)
			return errno;
	return 0;
}

static void answer(struct home *home, const struct superdev_remote_request *ask, int64_t result,
		   const void *data, size_t length)
{
	struct superdev_remote_reply reply = {
		.id = ask->id,
		.type = SUPERDEV_REMOTE_REPLY,
		.result = result,
		.length = result < 0 ? 0 : (uint32_t)length,
	};
	char *message = malloc(sizeof(reply) + length);
	int error;

	if (!message)
		abort();
	pthread_mutex_lock(&home->lock);
	look(home, ask->cookie, &reply);
	pthread_mutex_unlock(&home->lock);
	memcpy(message, &reply, sizeof(reply));
	if (reply.length)
		memcpy(message + sizeof(reply), data, length);
	error = tell(home, message, sizeof(reply) + reply.length);
	if (error && error != ECANCELED) /* a killed guest */
		abort();
	free(message);
}

static int64_t outcome(int64_t result)
{
	return result < 0 ? -errno : result;
}

/* Operations ------------------------------------------------------------------ */

static void do_read(struct job *job)
{
	const struct superdev_remote_request *ask = &job->ask;
	char *data = malloc(ask->length);
	int64_t result;

	if (!data)
		abort();
	if (ask->flags & SUPERDEV_REMOTE_F_OFFSET)
		result = pread(job->fd, data, ask->length, ask->offset);
	else
		result = read(job->fd, data, ask->length);
	answer(job->home, ask, outcome(result), data, result < 0 ? 0 : (size_t)result);
	free(data);
}

static void do_write(struct job *job)
{
	const struct superdev_remote_request *ask = &job->ask;
	size_t length = ask->data_length;
	int64_t result;

	/* A descriptor that blocks, in a thread that is to be interrupted: no more than surely fits. */
	if (!(ask->flags & SUPERDEV_REMOTE_F_NONBLOCK) && length > 4096 && job->wake >= 0)
		length = 4096;
	if (ask->flags & SUPERDEV_REMOTE_F_OFFSET)
		result = pwrite(job->fd, job->data, length, ask->offset);
	else
		result = write(job->fd, job->data, length);
	answer(job->home, ask, outcome(result), NULL, 0);
}

static bool wants_session(uint32_t cmd)
{
	return cmd == TIOCSPGRP || cmd == TIOCGPGRP || cmd == TIOCGSID || cmd == TIOCSCTTY ||
	       cmd == TIOCNOTTY;
}

static void do_ioctl(struct job *job)
{
	const struct superdev_remote_request *ask = &job->ask;
	struct ioctl_message message = {
		.cmd = ask->command,
		.argument = ask->argument,
		.is_value = !ask->data_length && !ask->length,
	};

	memcpy(message.data, job->data, ask->data_length);
	if (job->home->terminal >= 0 && wants_session(ask->command)) {
		if (write(job->home->terminal, &message, sizeof(message)) != sizeof(message) ||
		    read(job->home->terminal, &message, sizeof(message)) != sizeof(message))
			message.result = -EIO;
	} else {
		message.result = outcome(
			message.is_value ? ioctl(job->fd, message.cmd, (unsigned long)message.argument)
					 : ioctl(job->fd, message.cmd, message.data));
	}
	answer(job->home, ask, message.result, message.data, ask->length);
}

static void do_lock(struct job *job)
{
	const struct superdev_remote_request *ask = &job->ask;
	struct superdev_remote_lock *lock = (void *)job->data;
	struct flock range = {
		.l_type = (short)lock->type,
		.l_start = lock->start,
		.l_len = lock->end == INT64_MAX ? 0 : lock->end - lock->start + 1,
	};
	int64_t result;

	if (!lock->owner) {
		int operation = lock->type == F_UNLCK ? LOCK_UN : lock->type == F_RDLCK ? LOCK_SH : LOCK_EX;

		if ((int)ask->command == F_SETLK)
			operation |= LOCK_NB;
		result = outcome(flock(job->fd, operation));
	} else if ((int)ask->command == F_GETLK) {
		result = outcome(fcntl(job->fd, F_OFD_GETLK, &range));
		lock->type = (uint32_t)range.l_type;
		lock->start = range.l_start;
		lock->end = range.l_len ? range.l_start + range.l_len - 1 : INT64_MAX;
		lock->pid = 0;
	} else {
		result = outcome(
			fcntl(job->fd, (int)ask->command == F_SETLK ? F_OFD_SETLK : F_OFD_SETLKW, &range));
	}
	answer(job->home, ask, result, lock, ask->length);
}

static void do_attr(struct job *job)
{
	struct superdev_remote_attr attr = { 0 };
	struct stat st;
	int64_t result = outcome(fstat(job->fd, &st));

	if (!result) {
		attr = (struct superdev_remote_attr){
			.size = (uint64_t)st.st_size,
			.blocks = (uint64_t)st.st_blocks,
			.atime = st.st_atim.tv_sec,
			.mtime = st.st_mtim.tv_sec,
			.ctime = st.st_ctim.tv_sec,
			.atime_ns = (uint32_t)st.st_atim.tv_nsec,
			.mtime_ns = (uint32_t)st.st_mtim.tv_nsec,
			.ctime_ns = (uint32_t)st.st_ctim.tv_nsec,
			.mode = st.st_mode & 07777,
			.nlink = (uint32_t)st.st_nlink,
			.uid = st.st_uid,
			.gid = st.st_gid,
			.blksize = (uint32_t)st.st_blksize,
		};
	}
	answer(job->home, &job->ask, result, &attr, sizeof(attr));
}

static int64_t add_file(struct home *home, uint64_t cookie, int fd)
{
	int64_t result = -ENFILE;

	pthread_mutex_lock(&home->lock);
	for (int i = 0; i < FILES; i++) {
		if (!home->files[i].cookie) {
			home->files[i] = (struct file){ .cookie = cookie, .fd = fd };
			result = 0;
			break;
		}
	}
	pthread_mutex_unlock(&home->lock);
	return result;
}

static void do_open(struct job *job)
{
	const struct superdev_remote_request *ask = &job->ask;
	char path[32];
	int64_t result;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", job->fd);
	fd = open(path, (int)ask->command | O_CLOEXEC | O_NOCTTY);
	result = fd < 0 ? -errno : add_file(job->home, ask->argument, fd);
	answer(job->home, ask, result, NULL, 0);
}

static void do_poll(struct job *job)
{
	struct home *home = job->home;
	struct file *file;

	pthread_mutex_lock(&home->lock);
	file = find(home, job->ask.cookie);
	if (file && !file->is_watched) {
		struct epoll_event event = {
			.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
			.data.u64 = file->cookie,
		};

		/* EPERM: a file, which is always ready. */
		epoll_ctl(home->epoll, EPOLL_CTL_ADD, file->fd, &event);
		file->is_watched = true;
	}
	pthread_mutex_unlock(&home->lock);
	answer(home, &job->ask, 0, NULL, 0);
}

static void do_job(struct job *job)
{
	const struct superdev_remote_request *ask = &job->ask;
	int64_t result;

	switch (ask->op) {
	case SUPERDEV_REMOTE_READ: do_read(job); break;
	case SUPERDEV_REMOTE_WRITE: do_write(job); break;
	case SUPERDEV_REMOTE_POLL: do_poll(job); break;
	case SUPERDEV_REMOTE_IOCTL: do_ioctl(job); break;
	case SUPERDEV_REMOTE_LOCK: do_lock(job); break;
	case SUPERDEV_REMOTE_GETATTR: do_attr(job); break;
	case SUPERDEV_REMOTE_OPEN: do_open(job); break;
	case SUPERDEV_REMOTE_SEEK:
		result = lseek(job->fd, ask->offset, (int)ask->command);
		answer(job->home, ask, outcome(result), NULL, 0);
		break;
	case SUPERDEV_REMOTE_SYNC:
		result = ask->command ? fdatasync(job->fd) : fsync(job->fd);
		answer(job->home, ask, outcome(result), NULL, 0);
		break;
	case SUPERDEV_REMOTE_TRUNCATE:
		answer(job->home, ask, outcome(ftruncate(job->fd, ask->offset)), NULL, 0);
		break;
	case SUPERDEV_REMOTE_ALLOCATE:
		result = fallocate(job->fd, (int)ask->command, ask->offset, (off_t)ask->argument);
		answer(job->home, ask, outcome(result), NULL, 0);
		break;
	default: abort();
	}
}

/* What waits -------------------------------------------------------------------- */

static short waits_for(const struct superdev_remote_request *ask)
{
	return ask->op == SUPERDEV_REMOTE_READ ? POLLIN : ask->op == SUPERDEV_REMOTE_WRITE ? POLLOUT : 0;
}

static bool may_wait(const struct superdev_remote_request *ask, int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = waits_for(ask) };

	if (ask->op == SUPERDEV_REMOTE_LOCK)
		return (int)ask->command == F_SETLKW;
	if (ask->op == SUPERDEV_REMOTE_IOCTL)
		return ask->command == TCSETSW || ask->command == TCSETSF || ask->command == TCSBRK;
	return pollfd.events && !(ask->flags & SUPERDEV_REMOTE_F_NONBLOCK) && poll(&pollfd, 1, 0) == 0;
}

static void end_job(struct job *job)
{
	struct home *home = job->home;
	struct job **link;

	pthread_mutex_lock(&home->lock);
	for (link = &home->jobs; *link != job; link = &(*link)->next)
		;
	*link = job->next;
	if (!--home->nr_jobs)
		pthread_cond_broadcast(&home->idle);
	pthread_mutex_unlock(&home->lock);
	close(job->wake);
	close(job->fd);
	free(job);
}

static void *wait_job(void *argument)
{
	struct job *job = argument;
	struct pollfd pollfds[2] = {
		{ .fd = job->fd, .events = waits_for(&job->ask) },
		{ .fd = job->wake, .events = POLLIN },
	};

	if (pollfds[0].events)
		poll(pollfds, 2, -1);
	if (pollfds[1].revents)
		answer(job->home, &job->ask, -EINTR, NULL, 0);
	else
		do_job(job);
	end_job(job);
	return NULL;
}

/* A descriptor that another job may close is used by way of a copy. */
static void begin_job(struct home *home, const struct superdev_remote_request *ask, const char *data)
{
	struct job *job = calloc(1, sizeof(*job) + ask->data_length);
	pthread_t thread;
	struct file *file;

	if (!job)
		abort();
	job->home = home;
	job->ask = *ask;
	job->wake = -1;
	memcpy(job->data, data, ask->data_length);
	pthread_mutex_lock(&home->lock);
	file = find(home, ask->cookie);
	job->fd = file ? file->fd : -1;
	pthread_mutex_unlock(&home->lock);
	if (!may_wait(ask, job->fd)) {
		if (job->fd < 0)
			answer(home, ask, -EBADF, NULL, 0);
		else
			do_job(job);
		free(job);
		return;
	}
	job->fd = dup(job->fd);
	job->wake = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_lock(&home->lock);
	job->next = home->jobs;
	home->jobs = job;
	home->nr_jobs++;
	pthread_mutex_unlock(&home->lock);
	if (pthread_create(&thread, NULL, wait_job, job))
		abort();
	pthread_detach(thread);
}

static void interrupt(struct home *home, uint64_t id)
{
	uint64_t one = 1;

	pthread_mutex_lock(&home->lock);
	for (struct job *job = home->jobs; job; job = job->next) {
		if ((!id || job->ask.id == id) && write(job->wake, &one, sizeof(one)) < 0)
			abort();
	}
	pthread_mutex_unlock(&home->lock);
}

static void release(struct home *home, uint64_t cookie)
{
	struct file *file;

	pthread_mutex_lock(&home->lock);
	file = find(home, cookie);
	if (file) {
		close(file->fd);
		*file = (struct file){ 0 };
	}
	pthread_mutex_unlock(&home->lock);
}

static void *read_channel(void *argument)
{
	struct home *home = argument;
	char *message = malloc(SUPERDEV_REMOTE_MESSAGE_MAX);
	struct superdev_remote_request ask;
	ssize_t length;

	if (!message)
		abort();
	for (;;) {
		struct pollfd pollfds[2] = {
			{ .fd = home->channel, .events = POLLIN },
			{ .fd = home->epoll, .events = POLLHUP },
		};

		pthread_testcancel();
		poll(pollfds, 1, -1);
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		length = read(home->channel, message, SUPERDEV_REMOTE_MESSAGE_MAX);
		if (length >= (ssize_t)sizeof(ask)) {
			memcpy(&ask, message, sizeof(ask));
			if (ask.op == SUPERDEV_REMOTE_RELEASE)
				release(home, ask.cookie);
			else if (ask.op == SUPERDEV_REMOTE_INTERRUPT)
				interrupt(home, ask.id);
			else
				begin_job(home, &ask, message + sizeof(ask));
		} else if (length >= 0 || (errno != EAGAIN && errno != EFAULT)) {
			abort();
		}
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	}
}

static void *watch(void *argument)
{
	struct home *home = argument;
	struct epoll_event event;
	int error;

	for (;;) {
		struct superdev_remote_reply news = { .type = SUPERDEV_REMOTE_READY };

		if (epoll_wait(home->epoll, &event, 1, -1) != 1)
			continue;
		if (event.data.u64 == WATCH_END)
			return NULL;
		pthread_mutex_lock(&home->lock);
		news.cookie = event.data.u64;
		look(home, news.cookie, &news);
		pthread_mutex_unlock(&home->lock);
		error = news.sequence ? tell(home, &news, sizeof(news)) : 0;
		if (error && error != ENOENT) /* it was closed meanwhile */
			abort();
	}
}

/* The interface ------------------------------------------------------------------ */

struct home *home_begin(void)
{
	struct home *home = calloc(1, sizeof(*home));

	if (!home)
		return NULL;
	home->channel = open(SUPERDEV_REMOTE_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	home->epoll = epoll_create1(EPOLL_CLOEXEC);
	home->terminal = -1;
	pthread_mutex_init(&home->lock, NULL);
	pthread_cond_init(&home->idle, NULL);
	if (home->channel < 0 || home->epoll < 0) {
		free(home);
		return NULL;
	}
	if (pthread_create(&home->reader, NULL, read_channel, home) ||
	    pthread_create(&home->watcher, NULL, watch, home))
		abort();
	return home;
}

int home_file(struct home *home, int fd, __u32 kind, int flags, const char *name)
{
	struct stat st;
	uint64_t cookie = ++home->last_cookie;
	struct superdev_remote_new new = {
		.cookie = cookie,
		.kind = kind,
		.flags = (uint32_t)flags | O_CLOEXEC,
		.name = (uintptr_t)name,
		.name_length = name ? (uint32_t)strlen(name) : 0,
	};

	if (fstat(fd, &st))
		return -1;
	new.mode = st.st_mode & 07777;
	new.uid = st.st_uid;
	new.gid = st.st_gid;
	new.dev_major = major(st.st_dev);
	new.dev_minor = minor(st.st_dev);
	new.ino = st.st_ino;
	if (S_ISCHR(st.st_mode)) {
		new.rdev_major = major(st.st_rdev);
		new.rdev_minor = minor(st.st_rdev);
	}
	if (add_file(home, cookie, fd))
		return -1;
	return ioctl(home->channel, SUPERDEV_REMOTE_NEW, &new);
}

void home_terminal(struct home *home, int socket)
{
	home->terminal = socket;
}

void home_keep(int socket, int tty)
{
	struct ioctl_message message;

	while (read(socket, &message, sizeof(message)) == sizeof(message)) {
		message.result =
			outcome(message.is_value ? ioctl(tty, message.cmd, (unsigned long)message.argument)
						 : ioctl(tty, message.cmd, message.data));
		if (write(socket, &message, sizeof(message)) < 0)
			return;
	}
}

void home_forget(struct home *home)
{
	close(home->channel);
}

int home_files(struct home *home)
{
	int count = 0;

	pthread_mutex_lock(&home->lock);
	for (int i = 0; i < FILES; i++)
		count += home->files[i].cookie != 0;
	pthread_mutex_unlock(&home->lock);
	return count;
}

void home_end(struct home *home)
{
	int end = eventfd(1, EFD_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = WATCH_END };

	pthread_cancel(home->reader);
	pthread_join(home->reader, NULL);
	epoll_ctl(home->epoll, EPOLL_CTL_ADD, end, &event);
	pthread_join(home->watcher, NULL);
	interrupt(home, 0);
	pthread_mutex_lock(&home->lock);
	while (home->nr_jobs)
		pthread_cond_wait(&home->idle, &home->lock);
	for (int i = 0; i < FILES; i++)
		if (home->files[i].cookie)
			close(home->files[i].fd);
	pthread_mutex_unlock(&home->lock);
	close(home->channel);
	close(home->epoll);
	close(end);
	free(home);
}
