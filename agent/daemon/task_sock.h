/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task_sock.h: the socket on which deputies of this machine ask for connections.
 */
#ifndef SDV_TASK_SOCK_H
#define SDV_TASK_SOCK_H

#include "daemon.h"

/* Groups of a process beside its own; a program with more stays here. */
#define TASK_GROUPS_MAX 64

/**
 * struct task_user - whose rights a program has
 * @groups:	@nr_groups supplementary ones
 */
struct task_user {
	uid_t uid;
	gid_t gid;
	unsigned int nr_groups;
	gid_t groups[TASK_GROUPS_MAX];
};

/**
 * struct task_client - a deputy that waits for an answer
 * @node:	in the pool that it waits for, task_home.c's
 * @user:	whose it was when it connected, as the kernel says
 * @pidfd:	its process then
 */
struct task_client {
	struct list node;
	struct list all; /* task_sock.clients */
	struct task_sock *sock;
	int fd, pidfd;
	pid_t pid;
	struct task_user user;
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
