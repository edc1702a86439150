/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * task_ask.h: what anybody on this machine may say to the agent.
 */
#ifndef SDV_TASK_ASK_H
#define SDV_TASK_ASK_H

#include <stddef.h>

#include "task_ctl.h"

/**
 * task_ask_parse - one message of a deputy
 * @data:	what came
 * @len:	its bytes
 * @ret_ask:	the question
 * @ret_why:	on error, what is wrong with it
 *
 * Return: 0; -EPROTONOSUPPORT: of another version, -EINVAL: anything else.
 */
int task_ask_parse(const void *data, size_t len, struct sdv_task_ask *ret_ask, const char **ret_why);

#endif
