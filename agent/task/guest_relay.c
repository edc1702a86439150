// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest_relay.c: reads what home sends, for one guest.
 *
 * An unprivileged process without a name for any file: it has the connection,
 * the other ends of the guest's descriptors, the channel by which the kernel asks
 * for remote files, and a socket to process 1, and can read, write and poll them.
 * An image goes through it unread.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"
#include "guestbox.h"
#include "pump.h"
#include "relay_tty.h"
#include "sandbox.h"
#include "superdev_cpu.h"

#define CONNECTION_FD 3
#define INIT_FD       4
#define CHANNEL_FD    5
/* For home to read the last of it. */
#define LINGER_MS     10000

static struct {
	struct sdv_pump pump; /* first: ops get a pump */
	struct sdv_task_parts parts;
	struct sdv_task_exit end;
	struct sdv_task_used used;
	bool is_used_due;
	bool has_image, is_ready, has_gone, has_started, has_exit, is_exit_sent, is_gone, is_over;
	/* Of what the guest wrote before its end, what has not been read; bytes, by stream. */
	uint32_t drain[SUPERDEV_TASK_MAX_STREAMS];
	/* The guest's end, of a file; 0: none. */
	int peek[SUPERDEV_TASK_MAX_STREAMS];
	uint64_t remote; /* bit n: stream n is a remote file */
	uint32_t first_id;
	bool has_channel;
	struct sdv_sandbox_filter filter;
} relay;

static ssize_t counted_read(struct sdv_pump_stream *stream, void *buf, size_t len)
{
	uint32_t *drain = &relay.drain[stream->index];
	ssize_t n = read(stream->in_fd, buf, len);

	if (n > 0)
		*drain -= *drain < (uint32_t)n ? *drain : (uint32_t)n;
	return n;
}

/* A guest that closes its end, other than one that shuts it down, does not read either. */
static ssize_t socket_read(struct sdv_pump_stream *stream, void *buf, size_t len)
{
	struct pollfd poller = { .fd = stream->in_fd };
	ssize_t n = counted_read(stream, buf, len);

	if (!n && poll(&poller, 1, 0) > 0 && poller.revents & POLLHUP)
		sdv_pump_abandon(stream);
	return n;
}

static int to_init(const struct sdv_guest_msg *msg, const void *part, size_t len)
{
	struct iovec iov[] = { { (void *)msg, sizeof(*msg) }, { (void *)part, len } };
	struct msghdr header = { .msg_iov = iov, .msg_iovlen = len ? 2 : 1 };

	if (sendmsg(INIT_FD, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) {
		relay.pump.extra[0].events = POLLIN | POLLOUT;
		return -EAGAIN;
	}
	/* It is gone, and its socket will say so, after what it said last. */
	return 0;
}

static int image_come(const struct sdv_head *head, const void *payload)
{
	const struct sdv_guest_msg msg = { .type = SDV_GUEST_IMAGE, .value = head->count };
	struct sdv_task_parts parts = relay.parts;
	int r = relay.has_image ? -EPROTO : sdv_task_parts_add(&parts, head), sent;

	if (r < 0)
		return r;
	sent = to_init(&msg, payload, head->length);
	if (sent)
		return sent;
	relay.parts = parts;
	relay.has_image = r == 1;
	return 0;
}

static int modes_come(const void *payload)
{
	struct superdev_task_modes bytes;
	struct sdv_task_modes modes;

	memcpy(&bytes, payload, sizeof(bytes));
	if (sdv_task_modes_get(&bytes, &modes))
		return -EPROTO;
	sdv_relay_tty_set(&modes);
	return 0;
}

/* What the kernel is told; -errno of write(). */
static int channel_tell(const struct superdev_remote_reply *reply)
{
	return write(CHANNEL_FD, reply, sizeof(*reply) + reply->length) < 0 ? -errno : 0;
}

static void request_put(const struct superdev_remote_request *ask, const void *data)
{
	static uint8_t payload[SDV_TASK_MAX_PAYLOAD];
	const struct superdev_remote_reply no = {
		.id = ask->id,
		.type = SUPERDEV_REMOTE_REPLY,
		.result = -ENOTTY,
	};
	uint32_t len = sdv_task_request_put(ask, data, payload);

	if (len)
		sdv_pump_put(&relay.pump, SUPERDEV_TASK_REMOTE, 0, 0, 0, payload, len);
	else
		channel_tell(&no);
}

/* What guests do to home's files, as long as there is room for it. */
static void channel_read(void)
{
	static uint8_t message[SUPERDEV_REMOTE_MESSAGE_MAX] __attribute__((aligned(8)));
	struct superdev_remote_request ask;

	while (sdv_pump_has_room(&relay.pump)) {
		ssize_t n = read(CHANNEL_FD, message, sizeof(message));

		if (n < (ssize_t)sizeof(ask))
			return;
		memcpy(&ask, message, sizeof(ask));
		request_put(&ask, message + sizeof(ask));
	}
}

static int answer_come(const void *payload, uint32_t len)
{
	static uint8_t message[SUPERDEV_REMOTE_MESSAGE_MAX] __attribute__((aligned(8)));
	struct superdev_remote_reply *reply = (void *)message;
	struct superdev_remote_request gone = { .op = SUPERDEV_REMOTE_RELEASE };
	uint64_t opened = 0;
	int r;

	if (!relay.has_channel || !relay.has_started)
		return -EPROTO;
	if (!sdv_pump_has_room(&relay.pump))
		return -EAGAIN;
	r = sdv_task_answer_get(payload, len, relay.first_id, reply, &opened);
	if (!r)
		r = channel_tell(reply);
	/* Whoever asked was killed: what was opened for it has nobody. */
	gone.cookie = opened;
	if (r == -ECANCELED && opened)
		request_put(&gone, NULL);
	/* News of a file that was closed meanwhile. */
	if (r == -ECANCELED || (r == -ENOENT && reply->type == SUPERDEV_REMOTE_READY))
		r = 0;
	return r ? -EPROTO : 0;
}

static int frame_come(struct sdv_pump *pump, const struct sdv_head *head, const void *payload)
{
	static const struct sdv_guest_msg go = { .type = SDV_GUEST_GO };
	const struct sdv_guest_msg signal = {
		.type = SDV_GUEST_SIGNAL,
		.value = head->count,
		.to_group = (uint32_t)head->offset,
	};

	(void)pump;
	if (head->op == SUPERDEV_TASK_EXEC)
		return image_come(head, payload);
	if (head->op == SUPERDEV_TASK_ANSWER)
		return answer_come(payload, head->length);
	if (head->op == SUPERDEV_TASK_GO) {
		int r = relay.is_ready ? to_init(&go, NULL, 0) : -EPROTO;

		if (!r) {
			relay.is_ready = false;
			relay.has_gone = true;
		}
		return r;
	}
	/* Process 1 would not know whom a signal is for. */
	if (!relay.has_started)
		return relay.has_gone ? -EAGAIN : -EPROTO;
	return head->op == SUPERDEV_TASK_MODES ? modes_come(payload) : to_init(&signal, NULL, 0);
}

static void in_close(struct sdv_pump_stream *stream, uint32_t unread)
{
	(void)unread;
	relay.drain[stream->index] = 0;
	if (stream->in_fd < 0)
		return;
	if (stream->in_fd != stream->out_fd)
		close(stream->in_fd);
	else if (stream->read == socket_read) /* a terminal stays as it is */
		shutdown(stream->in_fd, SHUT_RD);
}

static void out_close(struct sdv_pump_stream *stream)
{
	if (stream->read == sdv_relay_tty_read) {
		/* Home's terminal is gone: what hangs on this one is told so. */
		sdv_relay_tty_hang_up();
		stream->in_fd = -1;
	} else if (stream->out_fd != stream->in_fd) {
		close(stream->out_fd);
	} else {
		shutdown(stream->out_fd, SHUT_WR);
	}
}

static uint32_t left(struct sdv_pump_stream *stream)
{
	int fd = relay.peek[stream->index] ? relay.peek[stream->index] : stream->out_fd, bytes = 0;

	if (fd == stream->in_fd || ioctl(fd, FIONREAD, &bytes) || bytes < 0)
		return 0;
	return (uint32_t)bytes;
}

static void refuse(int error, const char *text)
{
	struct superdev_task_refusal payload;

	sdv_task_refusal_put(&payload, error, text);
	sdv_pump_put(&relay.pump, SUPERDEV_TASK_EXEC, SUPERDEV_F_REPLY, 0, 0, &payload, sizeof(payload));
}

static void stream_add(const struct sdv_guest_msg *msg, unsigned int i, int fd, int peek)
{
	bool is_read = msg->mode[i] & SUPERDEV_TASK_MODE_READ;
	bool is_written = msg->mode[i] & SUPERDEV_TASK_MODE_WRITE;
	struct sdv_pump *pump = &relay.pump;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (msg->kind[i] == SUPERDEV_TASK_TTY) {
		sdv_relay_tty_open(pump, fd, peek, &msg->modes);
		sdv_pump_add(pump, fd, fd, sdv_relay_tty_read, sdv_relay_tty_write);
		return;
	}
	if (peek >= 0)
		relay.peek[i] = peek;
	if (msg->kind[i] == SUPERDEV_TASK_SOCKET || (is_read && is_written))
		sdv_pump_add(pump, fd, fd, socket_read, sdv_pump_send);
	else
		sdv_pump_add(pump, is_written ? fd : -1, is_read ? fd : -1, counted_read, sdv_pump_write);
}

/* What the guest writes comes after the news that it runs. */
static void streams_pause(bool is_paused)
{
	for (unsigned int i = 0; i < relay.pump.nr_streams; i++)
		relay.pump.streams[i].is_in_paused = is_paused;
}

static void streams_add(const struct sdv_guest_msg *msg, const int *fds, unsigned int nr_fds)
{
	unsigned int nr_ours = 0, next, at = 0;

	/* It comes from a process that may be a stranger's by now. */
	if (msg->value > SUPERDEV_TASK_MAX_STREAMS)
		return;
	for (unsigned int i = 0; i < msg->value; i++)
		nr_ours += !msg->is_remote[i];
	if (nr_ours > nr_fds)
		return;
	next = nr_ours;
	for (unsigned int i = 0; i < msg->value; i++) {
		int peek = msg->has_peek[i] && next < nr_fds ? fds[next++] : -1;

		if (!msg->is_remote[i]) {
			stream_add(msg, i, fds[at++], peek);
			continue;
		}
		relay.remote |= 1ull << i;
		sdv_pump_add(&relay.pump, -1, -1, NULL, NULL);
	}
	streams_pause(true);
}

/* Nobody is there any more who could read. */
static void readers_end(void)
{
	for (unsigned int i = 0; i < relay.pump.nr_streams; i++)
		if (relay.pump.streams[i].out_fd >= 0 || relay.peek[i])
			sdv_pump_abandon(&relay.pump.streams[i]);
}

/* What was written before the program ended goes to home before the news of it. */
static void exit_come(const struct sdv_task_exit *end)
{
	struct sdv_pump *pump = &relay.pump;

	relay.has_exit = true;
	relay.end = *end;
	for (unsigned int i = 0; i < pump->nr_streams; i++) {
		struct sdv_pump_stream *stream = &pump->streams[i];
		int bytes = 0;

		if (stream->in_fd >= 0 && !ioctl(stream->in_fd, FIONREAD, &bytes) && bytes > 0)
			relay.drain[i] = (uint32_t)bytes;
	}
	if (!(end->flags & SUPERDEV_TASK_EXIT_REMAINS))
		readers_end();
}

static void init_gone(void)
{
	const struct sdv_task_exit killed = { .signal = SIGKILL };

	relay.pump.extra[0].fd = -1;
	relay.is_gone = true;
	if (!relay.has_started) {
		refuse(EIO, "the guest's process 1 has ended");
		relay.is_over = true;
	} else if (!relay.has_exit) {
		exit_come(&killed);
	}
}

/* The descriptors that came with a message; how many. */
static unsigned int fds_of(struct msghdr *header, int *fds, unsigned int max)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(header);
	unsigned int nr;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return 0;
	nr = (unsigned int)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	if (nr > max)
		nr = max;
	memcpy(fds, CMSG_DATA(cmsg), nr * sizeof(int));
	return nr;
}

static void init_handle(const struct sdv_guest_msg *msg, const int *fds, unsigned int nr_fds)
{
	switch (msg->type) {
	case SDV_GUEST_REFUSED:
		refuse((int)msg->value, msg->text);
		relay.is_over = true;
		break;
	case SDV_GUEST_STREAMS:
		if (!relay.pump.nr_streams)
			streams_add(msg, fds, nr_fds);
		break;
	case SDV_GUEST_READY:
		relay.is_ready = true;
		sdv_pump_put(&relay.pump, SUPERDEV_TASK_READY, 0, relay.remote, 0, NULL, 0);
		break;
	case SDV_GUEST_STARTED:
		relay.has_started = true;
		refuse(0, "");
		streams_pause(false);
		break;
	case SDV_GUEST_STOPPED:
		sdv_pump_put(&relay.pump, SUPERDEV_TASK_STOPPED, 0, 0, msg->value, NULL, 0);
		break;
	case SDV_GUEST_EXIT:
		if (!relay.has_exit)
			exit_come(&msg->end);
		break;
	case SDV_GUEST_GONE:
		if (relay.end.flags & SUPERDEV_TASK_EXIT_REMAINS)
			readers_end();
		relay.is_gone = true;
		break;
	case SDV_GUEST_USED:
		relay.used = msg->end.used;
		relay.is_used_due = true;
		break;
	default: break;
	}
}

static void init_receive(void)
{
	int fds[2 * SUPERDEV_TASK_MAX_STREAMS];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(fds))];
	} control;
	struct sdv_guest_msg msg;
	struct iovec iov = { &msg, sizeof(msg) };
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(INIT_FD, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(msg)) {
		init_gone();
		return;
	}
	msg.text[sizeof(msg.text) - 1] = 0;
	init_handle(&msg, fds, fds_of(&header, fds, 2 * SUPERDEV_TASK_MAX_STREAMS));
}

static bool is_drained(void)
{
	struct sdv_pump *pump = &relay.pump;

	for (unsigned int i = 0; i < pump->nr_streams; i++) {
		struct sdv_pump_stream *stream = &pump->streams[i];
		struct pollfd tty = { .fd = stream->in_fd, .events = POLLIN };

		if (stream->in_fd < 0)
			continue;
		if (relay.drain[i])
			return false;
		/* It counts what it has in its queue, and not what is on the way there. */
		if (stream->read == sdv_relay_tty_read && poll(&tty, 1, 0) > 0 && tty.revents & POLLIN)
			return false;
	}
	return true;
}

/* The last of it, where home has not taken what was to be told before. */
static void used_put(void)
{
	struct superdev_task_used payload;

	if (!relay.is_used_due || !relay.has_started || relay.is_exit_sent)
		return;
	sdv_task_used_put(&payload, &relay.used);
	if (!sdv_pump_put(&relay.pump, SUPERDEV_TASK_USED, 0, 0, 0, &payload, sizeof(payload)))
		relay.is_used_due = false;
}

static void end_put(void)
{
	struct superdev_task_exit payload;

	if (relay.has_exit && !relay.is_exit_sent && is_drained()) {
		sdv_task_exit_put(&payload, &relay.end);
		if (!sdv_pump_put(&relay.pump, SUPERDEV_TASK_EXIT, 0, 0, 0, &payload, sizeof(payload)))
			relay.is_exit_sent = true;
	}
	if (!relay.is_exit_sent || !relay.is_gone || relay.is_over || !is_drained())
		return;
	if (!(relay.end.flags & SUPERDEV_TASK_EXIT_REMAINS) ||
	    !sdv_pump_put(&relay.pump, SUPERDEV_TASK_GONE, 0, 0, 0, NULL, 0))
		relay.is_over = true;
}

/* What home still sends is read away: a socket closed with that in it would lose what it has to send. */
static _Noreturn void linger(void)
{
	struct pollfd connection = { .fd = CONNECTION_FD, .events = POLLIN };

	shutdown(CONNECTION_FD, SHUT_WR);
	while (poll(&connection, 1, LINGER_MS) > 0 &&
	       recv(CONNECTION_FD, relay.pump.rx, sizeof(relay.pump.rx), MSG_DONTWAIT) > 0)
		;
	_exit(0);
}

int sdv_guest_relay_prepare(const char **ret_what)
{
	static const struct sdv_sandbox_call calls[] = {
		{ .nr = SYS_read },
		{ .nr = SYS_readv },
		{ .nr = SYS_write },
		{ .nr = SYS_recvfrom },
		{ .nr = SYS_sendto },
		{ .nr = SYS_recvmsg },
		{ .nr = SYS_sendmsg },
		{ .nr = SYS_shutdown },
#ifdef SYS_poll
		{ .nr = SYS_poll },
#endif
		{ .nr = SYS_ppoll },
		{ .nr = SYS_close },
		{ .nr = SYS_exit_group },
		{ .nr = SYS_rt_sigreturn },
		{ .nr = SYS_restart_syscall },
#ifdef __SANITIZE_ADDRESS__
		{ .nr = SYS_sigaltstack }, /* asked for before each function that does not return */
#endif
		{ .nr = SYS_fcntl, .nr_args = 2, .args = { { 1, F_SETFL }, { 2, O_NONBLOCK } } },
		{ .nr = SYS_ioctl, .nr_args = 1, .args = { { 1, FIONREAD } } },
		{ .nr = SYS_ioctl, .nr_args = 1, .args = { { 1, TIOCPKT } } },
		{ .nr = SYS_ioctl, .nr_args = 1, .args = { { 1, TIOCSWINSZ } } },
		{ .nr = SYS_ioctl, .nr_args = 1, .args = { { 1, TCGETS } } },
		{ .nr = SYS_ioctl, .nr_args = 1, .args = { { 1, TCSETS } } },
	};

	sdv_pump_thin(&relay.pump);
	return sdv_sandbox_filter_make(&relay.filter, calls, sizeof(calls) / sizeof(*calls), ret_what);
}

static void confine(void)
{
	const struct rlimit none = { 0, 0 }, files = { 256, 256 };
	const char *what;
	int r = 0;

	what = "become the unprivileged user";
	if (setgroups(0, NULL) || setresgid(SDV_GUEST_RELAY_UID, SDV_GUEST_RELAY_UID, SDV_GUEST_RELAY_UID))
		r = -errno;
	/* The names there are those of its own descriptors, and nothing else. */
	if (!r && chroot("/proc/self/fdinfo"))
		r = -errno;
	if (!r && (chdir("/") || setresuid(SDV_GUEST_RELAY_UID, SDV_GUEST_RELAY_UID, SDV_GUEST_RELAY_UID)))
		r = -errno;
	if (!r)
		r = sdv_guestbox_capabilities_drop(0);
	if (!r && (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_DUMPABLE, 0) ||
		   prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || setrlimit(RLIMIT_CORE, &none) ||
		   setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_NPROC, &none)))
		r = -errno;
	if (!r)
		r = sdv_sandbox_filter_load(&relay.filter, &what);
	if (!r)
		return;
	fprintf(stderr, "superdev-guest: can't %s: %s\n", what, strerror(-r));
	_exit(1);
}

void sdv_guest_relay(const struct sdv_guest_options *options, int init)
{
	static const struct sdv_pump_ops ops = {
		.frame = frame_come,
		.in_close = in_close,
		.out_close = out_close,
		.left = left,
	};
	struct sdv_pump *pump = &relay.pump;
	int high = fcntl(init, F_DUPFD, 16), connection = fcntl(options->fd, F_DUPFD, 16), r = 0;

	int channel = options->channel < 0 ? -1 : fcntl(options->channel, F_DUPFD, 16);

	relay.has_channel = channel >= 0;
	relay.first_id = options->first_id;
	if (high < 0 || connection < 0 || dup2(connection, CONNECTION_FD) < 0 || dup2(high, INIT_FD) < 0 ||
	    (relay.has_channel && dup2(channel, CHANNEL_FD) < 0) ||
	    syscall(SYS_close_range, relay.has_channel ? CHANNEL_FD + 1 : CHANNEL_FD, ~0u, 0))
		_exit(1);
	confine();
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	pump->fd = CONNECTION_FD;
	pump->side = SDV_TASK_LENDER;
	pump->rules = options->rules;
	pump->ops = &ops;
	pump->extra[0] = (struct pollfd){ .fd = INIT_FD, .events = POLLIN };
	pump->extra[1] = (struct pollfd){ .fd = -1, .events = POLLIN };
	pump->nr_extra = 2;
	while (!r && !(relay.is_over && sdv_pump_is_sent(pump))) {
		/* After the news that the program runs. */
		pump->extra[1].fd =
			relay.has_channel && relay.has_started && sdv_pump_has_room(pump) ? CHANNEL_FD : -1;
		r = sdv_pump_turn(pump, sdv_relay_tty_timeout());
		sdv_relay_tty_turn();
		if (r)
			break;
		if (!pump->is_held)
			pump->extra[0].events = POLLIN;
		if (pump->extra[0].fd >= 0 && pump->extra[0].revents & (POLLIN | POLLHUP | POLLERR))
			init_receive();
		if (pump->extra[1].fd >= 0 && pump->extra[1].revents & POLLIN)
			channel_read();
		used_put();
		end_put();
		if (sdv_pump_flush(pump))
			break;
	}
	if (!r)
		linger();
	/* A deputy that has all it wants closes at once. */
	_exit(relay.is_exit_sent ? 0 : 1);
}
