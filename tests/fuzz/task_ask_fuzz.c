// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_ask_fuzz.c: any bytes as what a process of this machine asks the agent.
 *
 * LINK: agent/daemon/task_ask.c
 */
#include <stdlib.h>
#include <string.h>

#include "../../agent/daemon/task_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sdv_task_ask ask, again;
	const char *why = NULL;

	if (task_ask_parse(data, size, &ask, &why)) {
		if (!why)
			abort();
		return 0;
	}
	/* What is taken is all that was said. */
	if (size != sizeof(ask) || memcmp(&ask, data, size) != 0 || !ask.lease ||
	    task_ask_parse(&ask, sizeof(ask), &again, &why))
		abort();
	return 0;
}
