/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task_home.h: connections for programs of this machine that run at lenders.
 */
#ifndef SDV_TASK_HOME_H
#define SDV_TASK_HOME_H

#include "task_sock.h"

struct held;

/*
 * @client wants to run a program for lease @id: answered now or later, or it is
 * taken from where it waits by list_del() of its node.
 */
void task_want(struct daemon *d, struct task_client *client, uint32_t id);

/* The lease has another epoch or transport, or its lender is out of reach, or it is over. */
void tasks_lease_changed(struct held *held);

/* It shows other files from now on, to programs that are started from now on. */
void tasks_paths_changed(struct held *held);

/* The daemon ends; programs that run go on, and files are served to them. */
void tasks_close(struct daemon *d);

#endif
