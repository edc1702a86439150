// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hello_fuzz.c: any bytes as what a stranger says first.
 *
 * LINK: agent/daemon/hello.c
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../agent/daemon/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[HELLO_SIZE_MAX];
	struct sdv_head head, head_again;
	struct hello hello, hello_again;
	bool is_reply;
	int len;

	if (!size)
		return 0;
	is_reply = data[0] & 1;
	if (hello_read(data + 1, size - 1, is_reply, &head, &hello))
		return 0;
	/* What was understood can be said, and means the same. */
	len = is_reply ? hello_write_reply(&hello, &head, head.status, again, sizeof(again))
		       : hello_write(&hello, again, sizeof(again));
	if (len < 0 || hello_read(again, len, is_reply, &head_again, &hello_again))
		abort();
	/* The lease and its epoch are only said for lanes. */
	if (strcmp(hello.name, hello_again.name) || hello.purpose != hello_again.purpose ||
	    hello.features != hello_again.features || hello.transport != hello_again.transport)
		abort();
	if (hello_is_for_task(&hello) &&
	    (hello.lease != hello_again.lease || hello.epoch != hello_again.epoch ||
	     hello.has_user != hello_again.has_user || hello.user != hello_again.user ||
	     hello.session != hello_again.session))
		abort();
	return 0;
}
