// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * relay_tty.c: the terminal that a guest sees.  See relay_tty.h.
 */
#include "relay_tty.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

/* How soon to look whether an end of file has been read: only while one waits. */
#define EOF_WAIT_MS 5

static struct {
	struct sdv_pump *pump;
	struct sdv_pump_stream *stream;
	int master, slave;
	struct termios termios; /* as the guest's shows it */
	bool is_open, is_told;  /* is_told: the guest has set modes that home has to hear of */
	bool is_eof_read_due;   /* an end of file was written and has to be read before anything else */
} tty = { .master = -1, .slave = -1 };

/* EXTPROC is ours: neither does home hear of it, nor may the guest lose it. */
static void termios_set(struct termios *termios)
{
	termios->c_lflag |= EXTPROC;
	if (tcsetattr(tty.slave, TCSANOW, termios))
		return;
	tcgetattr(tty.slave, &tty.termios);
}

static bool is_same(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
	       (a->c_lflag | EXTPROC) == (b->c_lflag | EXTPROC) &&
	       !memcmp(a->c_cc, b->c_cc, SUPERDEV_TASK_NR_CC);
}

/* The guest has set something: home's terminal is to be so. */
static void termios_changed(void)
{
	struct termios now;

	if (tcgetattr(tty.slave, &now))
		return;
	tty.is_told |= !is_same(&now, &tty.termios);
	tty.termios = now;
	if (!(now.c_lflag & EXTPROC))
		termios_set(&now);
}

static void modes_tell(void)
{
	struct sdv_task_modes modes = {
		.valid = SUPERDEV_TASK_MODES_TERMIOS,
		.iflag = tty.termios.c_iflag,
		.oflag = tty.termios.c_oflag,
		.cflag = tty.termios.c_cflag,
		.lflag = tty.termios.c_lflag & ~(tcflag_t)EXTPROC,
	};
	struct superdev_task_modes payload;

	memcpy(modes.cc, tty.termios.c_cc, sizeof(modes.cc));
	sdv_task_modes_put(&payload, &modes);
	if (!sdv_pump_put(tty.pump, SUPERDEV_TASK_MODES, 0, 0, 0, &payload, sizeof(payload)))
		tty.is_told = false;
}

void sdv_relay_tty_open(struct sdv_pump *pump, int master, int slave, const struct sdv_task_modes *modes)
{
	int on = 1;

	tty.pump = pump;
	tty.stream = &pump->streams[pump->nr_streams];
	tty.master = master;
	tty.slave = slave;
	tty.is_open = true;
	ioctl(master, TIOCPKT, &on);
	tcgetattr(slave, &tty.termios);
	sdv_relay_tty_set(modes);
}

void sdv_relay_tty_set(const struct sdv_task_modes *modes)
{
	const struct winsize size = { modes->rows, modes->cols, modes->xpixel, modes->ypixel };
	struct termios termios = tty.termios;

	if (!tty.is_open)
		return;
	if (modes->valid & SUPERDEV_TASK_MODES_TERMIOS) {
		termios.c_iflag = modes->iflag;
		termios.c_oflag = modes->oflag;
		termios.c_cflag = modes->cflag;
		termios.c_lflag = modes->lflag;
		memcpy(termios.c_cc, modes->cc, SUPERDEV_TASK_NR_CC);
		termios_set(&termios);
	}
	/* The kernel signals the guest's foreground group, where it is another size. */
	if (modes->valid & SUPERDEV_TASK_MODES_WINSIZE)
		ioctl(tty.master, TIOCSWINSZ, &size);
}

void sdv_relay_tty_hang_up(void)
{
	if (!tty.is_open)
		return;
	close(tty.slave);
	close(tty.master);
	tty.is_open = false;
}

/*
 * The guest's side has put a CR before each LF where its modes say so, and home's
 * would do it again: here it is taken away.  Returns what is left of @len.
 */
static size_t crs_remove(char *data, size_t len)
{
	const tcflag_t both = OPOST | ONLCR;
	size_t to = 0;

	if ((tty.termios.c_oflag & both) != both)
		return len;
	for (size_t from = 0; from < len; from++)
		if (data[from] != '\r' || from + 1 == len || data[from + 1] != '\n')
			data[to++] = data[from];
	return to;
}

ssize_t sdv_relay_tty_read(struct sdv_pump_stream *stream, void *buf, size_t len)
{
	uint8_t packet = 0;
	struct iovec iov[] = { { &packet, 1 }, { buf, len } };
	ssize_t n = readv(stream->in_fd, iov, 2);

	if (n < 0)
		return n;
	if (n > 1 && !packet)
		return (ssize_t)crs_remove(buf, (size_t)n - 1);
	if (packet & TIOCPKT_IOCTL) {
		termios_changed();
		if (tty.is_told)
			modes_tell();
	}
	errno = EAGAIN;
	return -1;
}

/* FIONREAD would not know of what is still on its way between the two sides; poll waits for it. */
static bool has_unread(void)
{
	struct pollfd poller = { .fd = tty.slave, .events = POLLIN };

	return poll(&poller, 1, 0) > 0 && poller.revents & POLLIN;
}

/*
 * Home sends its end-of-file character for an end of file.  With EXTPROC the
 * guest's side makes one of it where it is read alone: so it waits until
 * everything before it was read, and everything after it waits for it.
 */
ssize_t sdv_relay_tty_write(struct sdv_pump_stream *stream, const void *buf, size_t len)
{
	const uint8_t *end = NULL;

	if (tty.termios.c_lflag & ICANON && tty.termios.c_cc[VEOF])
		end = memchr(buf, tty.termios.c_cc[VEOF], len);
	if (tty.is_eof_read_due || end == buf) {
		if (has_unread()) {
			stream->is_out_paused = true;
			errno = EAGAIN;
			return -1;
		}
		tty.is_eof_read_due = false;
	}
	if (end == buf) {
		ssize_t n = write(stream->out_fd, buf, 1);

		tty.is_eof_read_due = n == 1;
		return n;
	}
	return write(stream->out_fd, buf, end ? (size_t)(end - (const uint8_t *)buf) : len);
}

int sdv_relay_tty_timeout(void)
{
	return tty.is_open && (tty.stream->is_out_paused || tty.is_told) ? EOF_WAIT_MS : -1;
}

void sdv_relay_tty_turn(void)
{
	if (!tty.is_open)
		return;
	tty.stream->is_out_paused = false;
	if (tty.is_told)
		modes_tell();
}
