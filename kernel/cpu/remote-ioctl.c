// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote-ioctl.c: ioctls of remote files.  How much of an argument goes which way
 * can't be told from most numbers, so those that are known are in a table; others get
 * ENOTTY.  TIOCSTI is not there: a guest types nothing into home's terminal.
 */
#include <linux/slab.h>
#include <linux/sockios.h>
#include <linux/termios.h>
#include <linux/tty.h>
#include <linux/uaccess.h>

#include "remote.h"

#define KIND(kind)	BIT(SUPERDEV_REMOTE_##kind)
#define STREAMS		(KIND(TTY) | KIND(PIPE) | KIND(SOCKET) | KIND(CHR))

/**
 * struct known_ioctl - an ioctl that is forwarded
 * @cmd:	its number
 * @kinds:	files that may have it; home's file may yet refuse
 * @in:		bytes that go to home
 * @out:	bytes that come back
 * @is_value:	the argument is a number and no pointer
 * @is_slow:	it waits for output to drain, and a signal may end that
 */
struct known_ioctl {
	unsigned int	cmd;
	u16		kinds;
	u16		in;
	u16		out;
	bool		is_value;
	bool		is_slow;
};

#define GETS(number, type)	{ .cmd = (number), .kinds = KIND(TTY), .out = sizeof(type) }
#define SETS(number, type)	{ .cmd = (number), .kinds = KIND(TTY), .in = sizeof(type) }
#define DRAINS(number, type)							\
	{ .cmd = (number), .kinds = KIND(TTY), .in = sizeof(type), .is_slow = true }
#define VALUE(number)		{ .cmd = (number), .kinds = KIND(TTY), .is_value = true }

static const struct known_ioctl known[] = {
	GETS(TCGETS, struct termios),
	SETS(TCSETS, struct termios),
	DRAINS(TCSETSW, struct termios),
	DRAINS(TCSETSF, struct termios),
	GETS(TCGETS2, struct termios2),
	SETS(TCSETS2, struct termios2),
	DRAINS(TCSETSW2, struct termios2),
	DRAINS(TCSETSF2, struct termios2),
	GETS(TCGETA, struct termio),
	SETS(TCSETA, struct termio),
	DRAINS(TCSETAW, struct termio),
	DRAINS(TCSETAF, struct termio),
	GETS(TIOCGLCKTRMIOS, struct termios),
	{ .cmd = TCSBRK, .kinds = KIND(TTY), .is_value = true, .is_slow = true },
	{ .cmd = TCSBRKP, .kinds = KIND(TTY), .is_value = true, .is_slow = true },
	VALUE(TCXONC),
	VALUE(TCFLSH),
	VALUE(TIOCEXCL),
	VALUE(TIOCNXCL),
	VALUE(TIOCSCTTY),
	VALUE(TIOCNOTTY),
	GETS(TIOCGPGRP, pid_t),
	SETS(TIOCSPGRP, pid_t),
	GETS(TIOCGSID, pid_t),
	GETS(TIOCGWINSZ, struct winsize),
	SETS(TIOCSWINSZ, struct winsize),
	GETS(TIOCGETD, int),
	GETS(TIOCGSOFTCAR, int),
	SETS(TIOCSSOFTCAR, int),
	GETS(TIOCMGET, int),
	GETS(TIOCGPTN, unsigned int),
	GETS(TIOCGEXCL, int),
	GETS(TIOCGPKT, int),
	GETS(TIOCGPTLCK, int),
	GETS(TIOCGDEV, unsigned int),
	{ .cmd = TIOCOUTQ, .kinds = KIND(TTY) | KIND(SOCKET), .out = sizeof(int) },
	{ .cmd = FIONREAD, .kinds = STREAMS, .out = sizeof(int) },
	{ .cmd = SIOCATMARK, .kinds = KIND(SOCKET), .out = sizeof(int) },
};

static const struct known_ioctl *ioctl_find(unsigned int cmd, u32 kind)
{
	unsigned int index;

	for (index = 0; index < ARRAY_SIZE(known); index++) {
		if (known[index].cmd == cmd && known[index].kinds & BIT(kind))
			return &known[index];
	}
	return NULL;
}

/**
 * sdv_remote_ioctl() - the ioctl operation of remote files
 * @file: the file
 * @cmd: its number; FIONBIO, FIOCLEX and the like never come here
 * @arg: its argument
 *
 * Return: home's result, -ENOTTY for what is not known, -EFAULT, -ENOMEM, or an error
 * of sdv_remote_ask().
 */
long sdv_remote_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct sdv_remote_file *rf = file->private_data;
	const struct known_ioctl *ioctl = ioctl_find(cmd, rf->kind);
	struct sdv_remote_request *req;
	s64 result = -EFAULT;

	if (!ioctl)
		return -ENOTTY;
	req = sdv_remote_request_alloc(rf, SUPERDEV_REMOTE_IOCTL, max(ioctl->in, ioctl->out));
	if (IS_ERR(req))
		return PTR_ERR(req);
	req->ask.command = cmd;
	req->ask.argument = ioctl->is_value ? arg : 0;
	req->ask.data_length = ioctl->in;
	req->ask.length = ioctl->out;
	if (file->f_flags & O_NONBLOCK)
		req->ask.flags |= SUPERDEV_REMOTE_F_NONBLOCK;
	if (ioctl->in && copy_from_user(req->data, (void __user *)arg, ioctl->in))
		goto out;
	result = sdv_remote_ask(req, ioctl->is_slow);
	if (result >= 0 && ioctl->out && copy_to_user((void __user *)arg, req->data, ioctl->out))
		result = -EFAULT;
out:
	sdv_remote_request_put(req);
	return result;
}
