/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task_sock.h: the socket on which deputies of this machine ask for connections.
 */
#ifndef SDV_TASK_SOCK_H
#define SDV_TASK_SOCK_H

#include "daemon.h"

/**
 * struct task_client - a deputy that waits for an answer
 * @node:	in the pool that it waits for, task_home.c's
 * @uid, @gid:	whose it is, as the kernel says
 */
struct task_client {
	struct list node;
	struct list all; /* task_sock.clients */
	struct task_sock *sock;
	int fd;
	uid_t uid;
	gid_t gid;
	bool has_asked, is_over;
	struct sdv_op poll;
	struct timer timer;
};

/* Return: 0 or -errno, logged. */
int task_sock_open(struct daemon *d);
void task_sock_close(struct daemon *d);

/**
 * task_client_give - the answer: a connection
 * @fd:		stays the caller's
 *
 * The client is over with that, as after task_client_refuse().
 */
void task_client_give(struct task_client *client, int fd, uint64_t number, uint32_t epoch, bool is_clear);
void task_client_refuse(struct task_client *client, int error, const char *why);

#endif
