/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remote-script.h: tests that are both ends of remote files.  The test itself is the
 * worker and answers what is asked as it likes; guests are threads, or processes where
 * one is to be killed.  Nothing waits for more than ten seconds.
 */
#ifndef REMOTE_SCRIPT_H
#define REMOTE_SCRIPT_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <superdev_cpu.h>
#include "../unit/harness.h"

#define PATIENCE_MS 10000
#define PATIENCE_S  10

/* The channel, and the last request that was read from it. */
static int channel = -1;
static struct superdev_remote_request asked;
static char asked_data[SUPERDEV_REMOTE_DATA_MAX];

static inline void on_signal(int number)
{
	(void)number;
}

static inline void begin(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	/* Guests of a test that failed still run, on a stack that would be ours. */
	if (channel >= 0) {
		printf("no more tests, after one that failed\n");
		exit(1);
	}
	channel = open(SUPERDEV_REMOTE_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	alarm(60);
}

static inline void end(void)
{
	close(channel);
	channel = -1;
}

static inline struct superdev_remote_new new_of(uint64_t cookie, uint32_t kind, int flags)
{
	return (struct superdev_remote_new){
		.cookie = cookie,
		.kind = kind,
		.flags = (uint32_t)flags,
		.mode = 0600,
	};
}

static inline int new_file(uint64_t cookie, uint32_t kind, int flags)
{
	struct superdev_remote_new new = new_of(cookie, kind, flags);

	return ioctl(channel, SUPERDEV_REMOTE_NEW, &new);
}

/* The kernel asks something within so many milliseconds; it is not read yet. */
static inline bool is_asked(int timeout_ms)
{
	struct pollfd pollfd = { .fd = channel, .events = POLLIN };

	return poll(&pollfd, 1, timeout_ms) == 1 && pollfd.revents & POLLIN;
}

static inline bool is_quiet(void)
{
	return !is_asked(100);
}

/* Reads the next request, which is to be of that op. */
static inline bool next(uint32_t op)
{
	static char message[SUPERDEV_REMOTE_MESSAGE_MAX];
	ssize_t length;

	if (!is_asked(PATIENCE_MS))
		return false;
	length = read(channel, message, sizeof(message));
	if (length < (ssize_t)sizeof(asked))
		return false;
	memcpy(&asked, message, sizeof(asked));
	if ((size_t)length != sizeof(asked) + asked.data_length)
		return false;
	memcpy(asked_data, message + sizeof(asked), asked.data_length);
	return asked.op == op;
}

/* Writes a message as it is; 0 or an errno. */
static inline int tell(const struct superdev_remote_reply *reply, const void *data, size_t length)
{
	static char message[SUPERDEV_REMOTE_MESSAGE_MAX + 4096];

	memcpy(message, reply, sizeof(*reply));
	memcpy(message + sizeof(*reply), data, length);
	if (write(channel, message, sizeof(*reply) + length) < 0)
		return errno;
	return 0;
}

static inline int answer_id(uint64_t id, int64_t result, const void *data, size_t length)
{
	struct superdev_remote_reply reply = {
		.id = id,
		.type = SUPERDEV_REMOTE_REPLY,
		.result = result,
		.length = (uint32_t)length,
	};

	return tell(&reply, data ? data : "", length);
}

static inline int answer(int64_t result, const void *data, size_t length)
{
	return answer_id(asked.id, result, data, length);
}

static inline int answer_text(const char *text)
{
	return answer((int64_t)strlen(text), text, strlen(text));
}

/* Answers what was read last with a result and a readiness. */
static inline int answer_ready(int64_t result, uint64_t sequence, uint32_t ready)
{
	struct superdev_remote_reply reply = {
		.id = asked.id,
		.type = SUPERDEV_REMOTE_REPLY,
		.result = result,
		.sequence = sequence,
		.ready = ready,
	};

	return tell(&reply, "", 0);
}

static inline int news(uint64_t cookie, uint64_t sequence, uint32_t ready)
{
	struct superdev_remote_reply reply = {
		.cookie = cookie,
		.type = SUPERDEV_REMOTE_READY,
		.sequence = sequence,
		.ready = ready,
	};

	return tell(&reply, "", 0);
}

/* Guests ------------------------------------------------------------------- */

struct guest {
	pthread_t thread;
	long (*act)(struct guest *guest);
	int fd;
	void *data;
	size_t size;
	long argument;
	long result;
	int error;
};

static inline void *guest_run(void *argument)
{
	struct guest *guest = argument;

	errno = 0;
	guest->result = guest->act(guest);
	guest->error = guest->result < 0 ? errno : 0;
	return NULL;
}

static inline bool guest_begin(struct guest *guest)
{
	pthread_attr_t attr;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 << 10);
	error = pthread_create(&guest->thread, &attr, guest_run, guest);
	pthread_attr_destroy(&attr);
	return !error;
}

/* It returned, in time. */
static inline bool guest_end(struct guest *guest)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	return !pthread_timedjoin_np(guest->thread, NULL, &until);
}

static inline bool guest_got(struct guest *guest, long result)
{
	return guest_end(guest) && guest->result == result;
}

static inline bool guest_failed(struct guest *guest, int error)
{
	return guest_end(guest) && guest->result == -1 && guest->error == error;
}

static inline void guest_signal(struct guest *guest)
{
	pthread_kill(guest->thread, SIGUSR1);
}

static inline long do_read(struct guest *guest)
{
	return read(guest->fd, guest->data, guest->size);
}

static inline long do_write(struct guest *guest)
{
	return write(guest->fd, guest->data, guest->size);
}

static inline long do_pread(struct guest *guest)
{
	return pread(guest->fd, guest->data, guest->size, guest->argument);
}

static inline long do_pwrite(struct guest *guest)
{
	return pwrite(guest->fd, guest->data, guest->size, guest->argument);
}

/* Result: the events, of those in size, within so many milliseconds. */
static inline long do_poll(struct guest *guest)
{
	struct pollfd pollfd = { .fd = guest->fd, .events = (short)guest->size };
	int count = poll(&pollfd, 1, (int)guest->argument);

	return count > 0 ? pollfd.revents : count;
}

static inline long do_ioctl(struct guest *guest)
{
	return ioctl(guest->fd, (unsigned long)guest->argument, guest->data);
}

#endif
