/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * deputy.h: the process at home that stands for a program that runs elsewhere.
 *
 * It is the process that the program would have been: same pid, parent, session,
 * descriptors and terminal, and it ends as the program does.
 */
#ifndef SDV_TASK_DEPUTY_H
#define SDV_TASK_DEPUTY_H

#include <signal.h>
#include <sys/types.h>

#include "pump.h"

/**
 * struct sdv_deputy_table - the descriptors that the program inherits
 * @fds:	as they go to the lender
 * @nr:		how many
 * @first:	of each stream, the index of one of its descriptors
 * @tty:	the stream that is the terminal, or -1
 * @tokens:	bit n: nothing may be read ahead of stream n, as make hands out jobs by it
 */
struct sdv_deputy_table {
	struct superdev_task_fd fds[SUPERDEV_TASK_MAX_FDS];
	unsigned int nr, nr_streams;
	unsigned int first[SUPERDEV_TASK_MAX_STREAMS];
	int tty;
	uint64_t tokens;
};

/**
 * sdv_deputy_table_read - looks at every descriptor that is open
 * @table:	filled
 * @skip:	one that is ours
 * @ret_why:	on error, what can't be relayed
 *
 * Return: 0; -EOPNOTSUPP: one is of a kind that can't be; -E2BIG: too many; -errno.
 */
int sdv_deputy_table_read(struct sdv_deputy_table *table, int skip, const char **ret_why);

/**
 * sdv_deputy_image_make - everything that the program would start with
 * @path, @argv: of it
 * @table:	of its descriptors
 * @mask:	its signal mask
 * @ret_data:	allocated
 * @ret_len:	bytes
 *
 * Return: 0; -E2BIG; -EOPNOTSUPP: its users differ (set-user-ID); -errno.
 */
int sdv_deputy_image_make(const char *path, char **argv, const struct sdv_deputy_table *table,
			  const sigset_t *mask, void **ret_data, size_t *ret_len);

/**
 * sdv_deputy_ask - a connection to the lender of a lease, from the agent of this machine
 * @path:	the agent's socket
 * @lease:	this machine's number of it
 * @signals:	readable when there is no time to wait any more
 * @rules:	what frames on it have to look like
 * @ret_fd:	the connection, close-on-exec
 * @ret_why:	on error, the reason, for who asks why the program runs here
 *
 * Return: 0; -EINTR: of @signals; -errno.
 */
int sdv_deputy_ask(const char *path, uint32_t lease, int signals, struct sdv_frame_rules *rules, int *ret_fd,
		   char *ret_why, size_t size);

/**
 * sdv_deputy_used_tell - has the kernel know what the program used that we stand for
 * @used:	since it began
 *
 * Our parent is then told of it by wait4(), and superdev(8) shows it.
 * Return: 0; -EPERM: the kernel knows of no such program; -EINVAL: a figure is less than
 * before; -ERANGE: one is absurd; -ENOENT: the module is not there; -errno.
 */
int sdv_deputy_used_tell(const struct sdv_task_used *used);

/**
 * sdv_deputy_streams_add - gives @pump a stream for each of the table's
 * @remote:	bit n: for the program stream n is a remote file
 *
 * Return: 0; -EPROTO: one can't be; -EOPNOTSUPP: one has to be, and is not; -errno.
 */
int sdv_deputy_streams_add(struct sdv_pump *pump, const struct sdv_deputy_table *table, uint64_t remote);

/* The same file once more, with flags of its own; -1 and errno where it can't be had. */
int sdv_deputy_open_again(int fd, int flags);
/* Whether poll() says one of @events of it. */
bool sdv_deputy_can_now(int fd, short events);
/* What a descriptor that can block takes at once without doing so, when poll says that it takes any. */
#define SDV_DEPUTY_SHARED_WRITE 512

/* The program has closed it: all descriptors of @stream. */
void sdv_deputy_stream_close(unsigned int stream);
/* Whether the program has not closed what it had for errors. */
bool sdv_deputy_has_stderr(void);

/*
 * Remote files.  _add(): stream @stream is one, open as @fd, of @kind.  _come(): payload of a
 * REMOTE; 0, -EAGAIN: show it again after the next turn, -EPROTO and others: the connection is
 * over.  _turn() is called between two turns and says after how many ms again, or -1.
 */
int sdv_deputy_remote_add(struct sdv_pump *pump, unsigned int stream, int fd, int kind);
int sdv_deputy_remote_come(struct sdv_pump *pump, const void *payload, uint32_t len);
int sdv_deputy_remote_turn(void);

/* What of struct sdv_pump_ops is about descriptors. */
void sdv_deputy_in_close(struct sdv_pump_stream *stream, uint32_t unread);
void sdv_deputy_out_close(struct sdv_pump_stream *stream);

/*
 * The terminal.  sdv_deputy_tty_get() reads modes and size (false: there is no
 * terminal); _set() sets what the program has set, once we are in the
 * foreground; _restore() undoes that; _turn() is called between two turns and
 * says after how many ms again, or -1.  _detach(): nothing is typed for us any
 * more.
 */
bool sdv_deputy_tty_get(struct sdv_task_modes *ret_modes);
void sdv_deputy_tty_set(const struct sdv_task_modes *modes);
void sdv_deputy_tty_restore(void);
void sdv_deputy_tty_detach(void);
int sdv_deputy_tty_turn(struct sdv_pump *pump);

/* As above, of a descriptor, before there are streams. */
bool sdv_deputy_tty_modes(int fd, struct sdv_task_modes *ret_modes);

#endif
