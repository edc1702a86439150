// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c: superdev-worker CLASS: starts one lease's worker, and talks to the agent.
 *
 * Run by superdevd as root, with the descriptors of worker_ctl.h.  It looks at
 * its backing, gives everything else away, and from then on does what lanes and
 * the agent ask, in one thread and one ring.  The agent may die: lanes are
 * served on, and a new agent comes in by the listening socket.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lane.h"

#define TICK_MS 1000

/**
 * struct control - the connection to the agent
 *
 * What the agent is to be told is remembered as a fact, not as a message, so
 * that nothing piles up where it does not listen.
 * @is_ready_due, @is_config_due, @down_due: what it is to be told; the latter a
 *	mask of lanes, with @down_error
 * @next_fd, @next_is_clear: a lane that waits until the last of its index is closed
 */
static struct control {
	struct sdv_worker worker;
	struct sdv_op recv_op, send_op, accept_op, install_op, tick_op;
	bool is_connected;
	bool is_stopping;
	bool is_ready_due;
	bool is_config_due;
	uint32_t down_due;
	int down_error[SUPERDEV_MAX_LANES];
	int next_fd[SUPERDEV_MAX_LANES];
	bool next_is_clear[SUPERDEV_MAX_LANES];
	int accepted;
	struct sdv_worker_msg in, out;
	struct iovec iov;
	struct msghdr msg;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} cmsg;
} control;

static void control_receive(void);

static void message_sent(struct sdv_op *op, int result, bool more);

static void message_fill(struct sdv_worker_msg *msg, uint32_t type)
{
	struct sdv_worker *worker = &control.worker;

	*msg = (struct sdv_worker_msg){
		.type = type,
		.version = SDV_WORKER_CTL_VERSION,
		.lease = worker->lease,
		.epoch = worker->epoch,
		.flags = worker->flags,
	};
	if (type == SDV_WORKER_READY || type == SDV_WORKER_CONFIG) {
		int len = worker->class->config(worker, msg->config, sizeof(msg->config));

		msg->config_len = len > 0 ? (uint32_t)len : 0;
	}
}

/* One message at a time; what else is due follows when it is gone. */
static void messages_send(void)
{
	struct sdv_worker_msg *out = &control.out;

	if (!control.is_connected || control.send_op.is_active)
		return;
	if (control.is_ready_due) {
		message_fill(out, SDV_WORKER_READY);
		/* A new agent wants to know which lanes its predecessor left. */
		for (unsigned int i = 0; i < SUPERDEV_MAX_LANES; i++)
			if (control.worker.lanes[i].state == SDV_LANE_OPEN)
				out->index |= 1u << i;
		control.is_ready_due = false;
		control.is_config_due = false;
	} else if (control.is_config_due) {
		message_fill(out, SDV_WORKER_CONFIG);
		control.is_config_due = false;
	} else if (control.down_due) {
		unsigned int index = (unsigned int)__builtin_ctz(control.down_due);

		message_fill(out, SDV_WORKER_LANE_DOWN);
		out->index = index;
		out->error = control.down_error[index];
		control.down_due &= ~(1u << index);
	} else {
		return;
	}
	control.send_op.done = message_sent;
	sdv_op_send(control.worker.loop, &control.send_op, SDV_FIXED(SDV_SLOT_CONTROL), out, sizeof(*out), 0);
}

static void message_sent(struct sdv_op *op, int result, bool more)
{
	/* Where the agent is gone, the receive tells. */
	(void)op, (void)result, (void)more;
	messages_send();
}

static void agent_installed(struct sdv_op *op, int result, bool more)
{
	(void)op, (void)more;
	control.is_connected = result >= 0;
	if (!control.is_connected)
		return;
	control.is_ready_due = true;
	messages_send();
	control_receive();
}

static void agent_accepted(struct sdv_op *op, int result, bool more);

static void agent_wait(void)
{
	control.accept_op.done = agent_accepted;
	sdv_op_accept(control.worker.loop, &control.accept_op, SDV_FIXED(SDV_SLOT_LISTEN), false);
}

static void agent_accepted(struct sdv_op *op, int result, bool more)
{
	(void)op, (void)more;
	if (result < 0) {
		agent_wait();
		return;
	}
	control.accepted = result;
	control.install_op.done = agent_installed;
	if (sdv_op_install(control.worker.loop, &control.install_op, SDV_SLOT_CONTROL, &control.accepted))
		agent_wait();
	close(result);
}

static void lane_start(struct sdv_worker *worker, unsigned int index, int fd, bool is_clear)
{
	int on = 1, r;

	/* A reply is one send; it must not wait for the last one's acknowledgement. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r = sdv_lane_open(&worker->lanes[index], fd, is_clear);
	close(fd);
	if (!r)
		return;
	control.down_error[index] = r;
	control.down_due |= 1u << index;
	messages_send();
}

static void next_drop(unsigned int index)
{
	if (control.next_fd[index] >= 0)
		close(control.next_fd[index]);
	control.next_fd[index] = -1;
}

static void lane_down(struct sdv_worker *worker, unsigned int index, int error)
{
	int fd = control.next_fd[index];

	if (fd >= 0) {
		control.next_fd[index] = -1;
		lane_start(worker, index, fd, control.next_is_clear[index]);
		return;
	}
	control.down_error[index] = error;
	control.down_due |= 1u << index;
	messages_send();
}

/* An index that is in use gets its new lane when the old one is closed. */
static void lane_come(unsigned int index, int fd, bool is_clear)
{
	struct sdv_worker *worker = &control.worker;

	next_drop(index);
	if (worker->lanes[index].state == SDV_LANE_CLOSED) {
		lane_start(worker, index, fd, is_clear);
		return;
	}
	control.next_fd[index] = fd;
	control.next_is_clear[index] = is_clear;
	sdv_lane_close(&worker->lanes[index], 0);
}

static void stop(void)
{
	control.is_stopping = true;
	for (unsigned int i = 0; i < SUPERDEV_MAX_LANES; i++) {
		next_drop(i);
		sdv_lane_close(&control.worker.lanes[i], 0);
	}
}

/* Every request has been run to its end, and no lane can bring another. */
static bool is_finished(void)
{
	if (!control.is_stopping || control.worker.nr_running)
		return false;
	for (unsigned int i = 0; i < SUPERDEV_MAX_LANES; i++)
		if (control.worker.lanes[i].state != SDV_LANE_CLOSED)
			return false;
	return true;
}

/* The descriptor that came with the message, or -1. */
static int message_fd(void)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&control.msg);
	int fd = -1;

	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
	    cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

static void message_handle(const struct sdv_worker_msg *msg, int fd)
{
	bool has_lane = msg->index < SUPERDEV_MAX_LANES;

	if (msg->type == SDV_WORKER_LANE && has_lane && fd >= 0 && !control.is_stopping) {
		lane_come(msg->index, fd, msg->transport == SUPERDEV_TRANSPORT_CLEAR);
		return;
	}
	if (fd >= 0)
		close(fd);
	if (msg->type == SDV_WORKER_LANE_CLOSE && has_lane) {
		next_drop(msg->index);
		sdv_lane_close(&control.worker.lanes[msg->index], 0);
	} else if (msg->type == SDV_WORKER_STOP) {
		stop();
	}
}

static void message_received(struct sdv_op *op, int result, bool more)
{
	int fd = result >= 0 ? message_fd() : -1;

	(void)op, (void)more;
	if (result == sizeof(control.in) && control.in.version == SDV_WORKER_CTL_VERSION) {
		message_handle(&control.in, fd);
		control_receive();
		return;
	}
	/* The agent is gone, or is not of this build. */
	if (fd >= 0)
		close(fd);
	control.is_connected = false;
	agent_wait();
}

static void control_receive(void)
{
	control.iov = (struct iovec){ &control.in, sizeof(control.in) };
	control.msg = (struct msghdr){
		.msg_iov = &control.iov,
		.msg_iovlen = 1,
		.msg_control = &control.cmsg,
		.msg_controllen = sizeof(control.cmsg),
	};
	control.recv_op.done = message_received;
	sdv_op_recvmsg(control.worker.loop, &control.recv_op, SDV_FIXED(SDV_SLOT_CONTROL), &control.msg,
		       MSG_CMSG_CLOEXEC);
}

static void tick(struct sdv_op *op, int result, bool more)
{
	struct sdv_worker *worker = &control.worker;

	(void)result, (void)more;
	if (worker->class->tick(worker)) {
		control.is_config_due = true;
		messages_send();
	}
	sdv_op_timeout(worker->loop, op, TICK_MS);
}

static int work(struct sdv_worker *worker)
{
	control.is_connected = true;
	control.is_ready_due = true;
	messages_send();
	control_receive();
	if (worker->class->tick) {
		control.tick_op.done = tick;
		sdv_op_timeout(worker->loop, &control.tick_op, TICK_MS);
	}
	while (!is_finished()) {
		int r;

		sdv_lanes_turn(worker);
		r = sdv_loop_step(worker->loop, true);
		if (r)
			return r;
	}
	return 0;
}

/* The agent's first message: which lease this is. */
static int start_receive(struct sdv_worker *worker)
{
	struct sdv_worker_msg *msg = &control.in;
	ssize_t len = recv(SDV_WORKER_FD_CONTROL, msg, sizeof(*msg), 0);

	if (len < 0)
		return -errno;
	if (len != sizeof(*msg) || msg->type != SDV_WORKER_START || msg->version != SDV_WORKER_CTL_VERSION ||
	    msg->config_len > sizeof(msg->config))
		return -EPROTO;
	worker->lease = msg->lease;
	worker->epoch = msg->epoch;
	worker->flags = msg->flags;
	worker->terms = msg->config;
	worker->terms_len = msg->config_len;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct sdv_worker_class *const classes[] = { &sdv_null_class, &sdv_blk_class,
								  &sdv_cpu_class };
	struct sdv_worker *worker = &control.worker;
	const char *what = "read the agent's start message";
	int r;

	for (size_t i = 0; argc == 2 && i < sizeof(classes) / sizeof(*classes); i++)
		if (!strcmp(argv[1], classes[i]->name))
			worker->class = classes[i];
	if (!worker->class) {
		fprintf(stderr, "superdev-worker: superdevd(8) runs this, with a class it knows\n");
		return 2;
	}
	worker->lane_down = lane_down;
	for (unsigned int i = 0; i < SUPERDEV_MAX_LANES; i++)
		control.next_fd[i] = -1;
	r = start_receive(worker);
	if (!r) {
		what = "look at the backing";
		r = worker->class->open(worker);
	}
	if (!r)
		r = sdv_worker_confine(worker, &what);
	if (r) {
		fprintf(stderr, "superdev-worker: lease %llu: can't %s: %s\n",
			(unsigned long long)worker->lease, what, strerror(-r));
		return 1;
	}
	_exit(work(worker) ? 1 : 0);
}
