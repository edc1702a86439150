// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_attach.c: what the agent attaches by itself: the meter and the guard.
 *
 * Loading takes long, as the kernel's types are read for it, so a process that
 * ends does it.  What keeps programs attached, and maps, it hands over in one
 * descriptor: a socket in whose queue their descriptors lie.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bpf.h"
#include "fdpass.h"
#include "guard.h"
#include "guard.skel.h"
#include "meter.skel.h"

struct sdv_bpf_guard {
	struct ring_buffer *ring;
	sdv_bpf_denied_fn denied;
	void *arg;
	int kept[SDV_FDS_MAX]; /* [0] is the ring's map; -1 where there is none */
};

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

static void said_begin(void)
{
	said[0] = 0;
	libbpf_set_print(say);
}

static int said_fail(int r, char *why, size_t size)
{
	snprintf(why, size, "%s (%.150s)", strerror(-r), said);
	return r;
}

/* The links of an object, behind @map where that is not -1. */
static int keep(const struct bpf_object_skeleton *skeleton, int map)
{
	int fds[SDV_FDS_MAX] = { map }, pair[2], r;
	unsigned int nr = 1;

	for (int i = 0; i < skeleton->prog_cnt; i++) {
		const struct bpf_prog_skeleton *prog =
			(const void *)((const char *)skeleton->progs + (size_t)i * skeleton->prog_skel_sz);

		if (!*prog->link)
			continue; /* of a hook that this kernel lacks */
		if (nr == SDV_FDS_MAX)
			return -E2BIG;
		fds[nr++] = bpf_link__fd(*prog->link);
	}
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = sdv_fds_send(pair[0], "", 1, fds, nr, 0);
	close(pair[0]);
	if (!r)
		return pair[1];
	close(pair[1]);
	return r;
}

/* Meter ------------------------------------------------------------------ */

int sdv_bpf_meter_load(char *why, size_t size)
{
	struct meter_bpf *meter;
	int r;

	said_begin();
	meter = meter_bpf__open();
	r = meter ? meter_bpf__load(meter) : -errno;
	if (!r)
		r = meter_bpf__attach(meter);
	if (!r)
		r = keep(meter->skeleton, -1);
	meter_bpf__destroy(meter);
	return r < 0 ? said_fail(r, why, size) : r;
}

/* Guard ------------------------------------------------------------------ */

/* Filters of system calls that this process is behind. */
static int own_filters(void)
{
	FILE *in = fopen("/proc/self/status", "re");
	char line[256];
	int nr = 0;

	while (in && fgets(line, sizeof(line), in))
		if (!strncmp(line, "Seccomp_filters:", 16))
			nr = atoi(line + 16);
	if (in)
		fclose(in);
	return nr;
}

int sdv_bpf_guard_load(uint64_t cgroup, char *why, size_t size)
{
	struct guard_bpf *guard;
	int r;

	said_begin();
	guard = guard_bpf__open();
	r = guard ? 0 : -errno;
	if (!r) {
		guard->rodata->leases_cgroup = cgroup;
		guard->rodata->agent_filters = own_filters();
		bpf_program__set_autoload(guard->progs.guard_uring_allowed,
					  libbpf_find_vmlinux_btf_id("uring_allowed", BPF_LSM_MAC) > 0);
		r = guard_bpf__load(guard);
	}
	if (!r)
		r = guard_bpf__attach(guard);
	if (!r)
		r = keep(guard->skeleton, bpf_map__fd(guard->maps.denials));
	guard_bpf__destroy(guard);
	return r < 0 ? said_fail(r, why, size) : r;
}

static int denial_come(void *arg, void *data, size_t size)
{
	static const char *const names[GUARD_NR] = GUARD_NAMES;
	const struct sdv_bpf_guard *guard = arg;
	const struct guard_denial *denial = data;

	if (size >= sizeof(*denial) && denial->what < GUARD_NR)
		guard->denied(guard->arg, denial->lease, denial->pid, names[denial->what], denial->comm);
	return 0;
}

/* What lies in the queue of @fd, which is closed. */
static int kept_take(struct sdv_bpf_guard *guard, int fd)
{
	char byte;
	ssize_t n = sdv_fds_receive(fd, &byte, 1, guard->kept, SDV_FDS_MAX, MSG_DONTWAIT);

	close(fd);
	return n < 0 ? (int)n : guard->kept[0] < 0 ? -EPROTO : 0;
}

int sdv_bpf_guard_open(int fd, sdv_bpf_denied_fn denied, void *arg, struct sdv_bpf_guard **ret_guard)
{
	struct sdv_bpf_guard *guard = calloc(1, sizeof(*guard));
	int r;

	if (!guard) {
		close(fd);
		return -ENOMEM;
	}
	guard->denied = denied;
	guard->arg = arg;
	r = kept_take(guard, fd);
	if (!r) {
		guard->ring = ring_buffer__new(guard->kept[0], denial_come, guard, NULL);
		r = guard->ring ? 0 : -errno;
	}
	if (r) {
		sdv_bpf_guard_close(guard);
		return r;
	}
	*ret_guard = guard;
	return 0;
}

int sdv_bpf_guard_fd(const struct sdv_bpf_guard *guard)
{
	return ring_buffer__epoll_fd(guard->ring);
}

void sdv_bpf_guard_read(struct sdv_bpf_guard *guard)
{
	ring_buffer__consume(guard->ring);
}

void sdv_bpf_guard_close(struct sdv_bpf_guard *guard)
{
	if (!guard)
		return;
	ring_buffer__free(guard->ring);
	for (unsigned int i = 0; i < SDV_FDS_MAX; i++)
		if (guard->kept[i] >= 0)
			close(guard->kept[i]);
	free(guard);
}
