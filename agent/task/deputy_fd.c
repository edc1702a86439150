// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * deputy_fd.c: the program's descriptors, at home: streams and the terminal.
 *
 * They are shared with other processes, so their flags are not ours to change.
 * Pipes and terminals are opened a second time where that is possible; then
 * nothing waits.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "deputy.h"

/* How often to look whether we have come to the foreground, while there is something to know. */
#define FOREGROUND_MS 200

static struct {
	const struct sdv_deputy_table *table;
	/* The terminal: what it was, what the program has set and waits for the foreground. */
	struct sdv_pump_stream *tty;
	int tty_fd;
	struct termios before, wanted;
	bool is_changed, is_set_due, is_detached;
	/* The program has closed it; the number may be that of one of its files by now. */
	bool has_no_stderr;
} home = { .tty_fd = -1 };

static const struct superdev_task_fd *first_of(unsigned int stream)
{
	return &home.table->fds[home.table->first[stream]];
}

int sdv_deputy_open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_NOCTTY | O_CLOEXEC);
}

bool sdv_deputy_can_now(int fd, short events)
{
	struct pollfd poller = { .fd = fd, .events = events };

	return poll(&poller, 1, 0) > 0;
}

static ssize_t shared_read(struct sdv_pump_stream *stream, void *buf, size_t len)
{
	if (sdv_deputy_can_now(stream->in_fd, POLLIN))
		return read(stream->in_fd, buf, len);
	errno = EAGAIN;
	return -1;
}

static ssize_t shared_write(struct sdv_pump_stream *stream, const void *buf, size_t len)
{
	if (sdv_deputy_can_now(stream->out_fd, POLLOUT))
		return write(stream->out_fd, buf,
			     len < SDV_DEPUTY_SHARED_WRITE ? len : SDV_DEPUTY_SHARED_WRITE);
	errno = EAGAIN;
	return -1;
}

/* In the background nothing is read and nothing is set: both would stop us, or take what is not ours. */
static bool is_foreground(void)
{
	pid_t group = tcgetpgrp(home.tty_fd);

	/* Not our controlling terminal: there is no background. */
	return group < 0 || group == getpgrp();
}

static ssize_t tty_read(struct sdv_pump_stream *stream, void *buf, size_t len)
{
	struct pollfd poller = { .fd = stream->in_fd, .events = POLLIN };
	struct termios now;
	ssize_t n;

	if (!is_foreground()) {
		stream->is_in_paused = true;
		errno = EAGAIN;
		return -1;
	}
	if (poll(&poller, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	n = read(stream->in_fd, buf, len);
	if (n || poller.revents & (POLLHUP | POLLERR)) {
		/* EIO: another was quicker to come to the foreground. */
		if (n < 0 && errno == EIO && !(poller.revents & POLLHUP))
			errno = EAGAIN;
		return n;
	}
	/* An end of file of a terminal is a moment, not an end; see relay_tty.c. */
	if (tcgetattr(stream->in_fd, &now))
		return 0;
	*(uint8_t *)buf = now.c_cc[VEOF];
	return 1;
}

bool sdv_deputy_tty_modes(int fd, struct sdv_task_modes *ret_modes)
{
	struct termios termios;
	struct winsize size;

	*ret_modes = (struct sdv_task_modes){ .valid = 0 };
	if (tcgetattr(fd, &termios))
		return false;
	ret_modes->valid = SUPERDEV_TASK_MODES_TERMIOS;
	ret_modes->iflag = termios.c_iflag;
	ret_modes->oflag = termios.c_oflag;
	ret_modes->cflag = termios.c_cflag;
	ret_modes->lflag = termios.c_lflag;
	memcpy(ret_modes->cc, termios.c_cc, sizeof(ret_modes->cc));
	if (ioctl(fd, TIOCGWINSZ, &size))
		return true;
	ret_modes->valid |= SUPERDEV_TASK_MODES_WINSIZE;
	ret_modes->rows = size.ws_row;
	ret_modes->cols = size.ws_col;
	ret_modes->xpixel = size.ws_xpixel;
	ret_modes->ypixel = size.ws_ypixel;
	return true;
}

bool sdv_deputy_tty_get(struct sdv_task_modes *ret_modes)
{
	return home.tty_fd >= 0 && sdv_deputy_tty_modes(home.tty_fd, ret_modes);
}

static void wanted_set(void)
{
	if (!home.is_set_due || !is_foreground())
		return;
	home.is_set_due = false;
	home.is_changed = true;
	tcsetattr(home.tty_fd, TCSANOW, &home.wanted);
}

void sdv_deputy_tty_set(const struct sdv_task_modes *modes)
{
	if (home.tty_fd < 0 || !(modes->valid & SUPERDEV_TASK_MODES_TERMIOS) ||
	    tcgetattr(home.tty_fd, &home.wanted))
		return;
	home.wanted.c_iflag = modes->iflag;
	home.wanted.c_oflag = modes->oflag;
	home.wanted.c_cflag = modes->cflag;
	home.wanted.c_lflag = modes->lflag;
	memcpy(home.wanted.c_cc, modes->cc, sizeof(modes->cc));
	home.is_set_due = true;
	wanted_set();
}

void sdv_deputy_tty_restore(void)
{
	if (home.is_changed && is_foreground())
		tcsetattr(home.tty_fd, TCSANOW, &home.before);
}

void sdv_deputy_tty_detach(void)
{
	home.is_detached = true;
	if (home.tty)
		home.tty->is_in_paused = true;
}

int sdv_deputy_tty_turn(struct sdv_pump *pump)
{
	(void)pump;
	if (home.tty_fd < 0 || !home.tty || home.is_detached)
		return -1;
	wanted_set();
	if (home.tty->in_fd < 0)
		return home.is_set_due ? FOREGROUND_MS : -1;
	home.tty->is_in_paused = !is_foreground();
	return home.tty->is_in_paused ? FOREGROUND_MS : -1;
}

static uint8_t mode_of(unsigned int stream)
{
	uint8_t mode = 0;

	for (unsigned int i = 0; i < home.table->nr; i++)
		if (le16toh(home.table->fds[i].stream) == stream)
			mode |= home.table->fds[i].mode;
	return mode;
}

/* A descriptor of the stream that has @mode; the terminal may be open for each on its own. */
static int fd_with(unsigned int stream, uint8_t mode)
{
	for (unsigned int i = 0; i < home.table->nr; i++)
		if (le16toh(home.table->fds[i].stream) == stream && home.table->fds[i].mode & mode)
			return (int)le32toh(home.table->fds[i].fd);
	return -1;
}

static void tty_add(struct sdv_pump *pump, unsigned int stream)
{
	int in = fd_with(stream, SUPERDEV_TASK_MODE_READ), out = fd_with(stream, SUPERDEV_TASK_MODE_WRITE);
	int again_in = in >= 0 ? sdv_deputy_open_again(in, O_RDONLY | O_NONBLOCK) : -1;
	int again_out = out >= 0 ? sdv_deputy_open_again(out, O_WRONLY | O_NONBLOCK) : -1;

	home.tty_fd = in >= 0 ? in : out;
	tcgetattr(home.tty_fd, &home.before);
	home.tty = sdv_pump_add(pump, again_in >= 0 ? again_in : in, again_out >= 0 ? again_out : out,
				tty_read, again_out >= 0 ? sdv_pump_write : shared_write);
}

static void pipe_add(struct sdv_pump *pump, unsigned int stream, uint8_t mode)
{
	int fd = (int)le32toh(first_of(stream)->fd), in = -1, out = -1;

	if (mode & SUPERDEV_TASK_MODE_READ)
		in = sdv_deputy_open_again(fd, O_RDONLY | O_NONBLOCK);
	if (mode & SUPERDEV_TASK_MODE_WRITE)
		out = sdv_deputy_open_again(fd, O_WRONLY | O_NONBLOCK);
	sdv_pump_add(pump, mode & SUPERDEV_TASK_MODE_READ && in < 0 ? fd : in,
		     mode & SUPERDEV_TASK_MODE_WRITE && out < 0 ? fd : out,
		     in < 0 ? shared_read : sdv_pump_read, out < 0 ? shared_write : sdv_pump_write);
}

/* It is the program's own from here on, and nothing is read ahead of it. */
static int remote_add(struct sdv_pump *pump, unsigned int stream, int fd)
{
	uint8_t kind = first_of(stream)->kind;

	if (kind != SUPERDEV_TASK_PIPE && kind != SUPERDEV_TASK_FILE)
		return -EPROTO;
	sdv_pump_add(pump, -1, -1, NULL, NULL);
	return sdv_deputy_remote_add(pump, stream, fd, kind);
}

int sdv_deputy_streams_add(struct sdv_pump *pump, const struct sdv_deputy_table *table, uint64_t remote)
{
	int r = 0;

	if (table->nr_streams < 64 && remote >> table->nr_streams)
		return -EPROTO;
	if (table->tokens & ~remote)
		return -EOPNOTSUPP;
	home.table = table;
	for (unsigned int i = 0; i < table->nr_streams && !r; i++) {
		int fd = (int)le32toh(first_of(i)->fd);
		uint8_t mode = mode_of(i);
		int in = mode & SUPERDEV_TASK_MODE_READ ? fd : -1,
		    out = mode & SUPERDEV_TASK_MODE_WRITE ? fd : -1;

		if (remote >> i & 1) {
			r = remote_add(pump, i, fd);
			continue;
		}
		switch (first_of(i)->kind) {
		case SUPERDEV_TASK_TTY: tty_add(pump, i); break;
		case SUPERDEV_TASK_PIPE: pipe_add(pump, i, mode); break;
		case SUPERDEV_TASK_SOCKET: sdv_pump_add(pump, fd, fd, sdv_pump_recv, sdv_pump_send); break;
		default: sdv_pump_add(pump, in, out, sdv_pump_read, sdv_pump_write); break;
		}
	}
	return r;
}

/* The last direction is over: what waits for us to close it waits no longer. */
void sdv_deputy_stream_close(unsigned int stream)
{
	for (unsigned int i = 0; i < home.table->nr; i++) {
		int fd = (int)le32toh(home.table->fds[i].fd);

		if (le16toh(home.table->fds[i].stream) != stream)
			continue;
		close(fd);
		home.has_no_stderr |= fd == STDERR_FILENO;
	}
}

bool sdv_deputy_has_stderr(void)
{
	return !home.has_no_stderr;
}

static bool is_own(const struct sdv_pump_stream *stream, int fd)
{
	for (unsigned int i = 0; i < home.table->nr; i++)
		if (le16toh(home.table->fds[i].stream) == stream->index &&
		    (int)le32toh(home.table->fds[i].fd) == fd)
			return false;
	return fd >= 0;
}

void sdv_deputy_in_close(struct sdv_pump_stream *stream, uint32_t unread)
{
	uint8_t kind = first_of(stream->index)->kind;
	int fd = (int)le32toh(first_of(stream->index)->fd);

	if (is_own(stream, stream->in_fd))
		close(stream->in_fd);
	/* What others read from the same file goes on where the program has stopped. */
	if (kind == SUPERDEV_TASK_FILE && unread)
		lseek(fd, -(off_t)unread, SEEK_CUR);
	/* A file may have more to give back, and a terminal has others in it. */
	if (kind == SUPERDEV_TASK_PIPE && stream->out_fd < 0 && stream->in_fd >= 0)
		sdv_deputy_stream_close(stream->index);
}

void sdv_deputy_out_close(struct sdv_pump_stream *stream)
{
	uint8_t kind = first_of(stream->index)->kind;

	if (is_own(stream, stream->out_fd))
		close(stream->out_fd);
	if (kind == SUPERDEV_TASK_SOCKET && stream->in_fd >= 0)
		/* The guest still reads, so it has not closed it but shut it down. */
		shutdown((int)le32toh(first_of(stream->index)->fd), SHUT_WR);
	else if (kind == SUPERDEV_TASK_SOCKET || (kind == SUPERDEV_TASK_PIPE && stream->in_fd < 0))
		sdv_deputy_stream_close(stream->index);
}
