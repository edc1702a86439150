// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_meter.c: loads the meter, bpf/meter, which tells the module what programs cost.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf.h"
#include "meter.skel.h"

/* The last line that the library or the verifier said. */
static char said[160];

static int say(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level != LIBBPF_DEBUG) {
		vsnprintf(said, sizeof(said), format, args);
		said[strcspn(said, "\n")] = 0;
	}
	return 0;
}

/* A socket in whose queue the links of all programs lie: with it, they end. */
static int hold_links(const struct meter_bpf *meter)
{
	const int links[] = {
		bpf_link__fd(meter->links.meter_asked),
		bpf_link__fd(meter->links.meter_began),
		bpf_link__fd(meter->links.meter_ended),
	};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(links))];
	} control = { 0 };
	struct iovec iov = { said, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int pair[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(links));
	memcpy(CMSG_DATA(&control.header), links, sizeof(links));
	if (sendmsg(pair[0], &msg, MSG_NOSIGNAL) < 0)
		r = -errno;
	close(pair[0]);
	if (!r)
		return pair[1];
	close(pair[1]);
	return r;
}

int sdv_bpf_meter_load(char *why, size_t size)
{
	struct meter_bpf *meter;
	int r;

	said[0] = 0;
	libbpf_set_print(say);
	meter = meter_bpf__open();
	r = meter ? meter_bpf__load(meter) : -errno;
	if (!r)
		r = meter_bpf__attach(meter);
	if (!r)
		r = hold_links(meter);
	if (r < 0)
		snprintf(why, size, "%s (%.150s)", strerror(-r), said);
	meter_bpf__destroy(meter);
	return r;
}
