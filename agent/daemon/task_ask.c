// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_ask.c: what anybody on this machine may say to the agent.
 */
#include "task_ask.h"

#include <errno.h>
#include <string.h>

int task_ask_parse(const void *data, size_t len, struct sdv_task_ask *ret_ask, const char **ret_why)
{
	struct sdv_task_ask ask;

	*ret_why = "the question is not of the size that it should be";
	if (len < sizeof(ask.version))
		return -EINVAL;
	memcpy(&ask.version, data, sizeof(ask.version));
	if (ask.version != SDV_TASK_CTL_VERSION) {
		*ret_why = "superdev-deputy and superdevd are of different versions";
		return -EPROTONOSUPPORT;
	}
	if (len != sizeof(ask))
		return -EINVAL;
	memcpy(&ask, data, sizeof(ask));
	if (ask.reserved) {
		*ret_why = "the question has something in a reserved field";
		return -EINVAL;
	}
	if (!ask.lease) {
		*ret_why = "0 is no lease";
		return -EINVAL;
	}
	*ret_ask = ask;
	return 0;
}
