// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * confine.c: from a process of root's to one that can serve a lease and nothing else.
 *
 * What the worker can do is written here, and tests/attack tries the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lane.h"
#include "sandbox.h"

#define ARENA_SIZE     (32u << 20)
#define ARENA_SMALLEST (4u << 20)
#define RING_ENTRIES   512
/* Rings, the agent's next connection, a lane on its way: few; the fixed table counts, too. */
#define MAX_FDS        64
/* Above whatever a class's open() can have got. */
#define FD_FILES       32

/* As much as there may be, at most a sixteenth of the machine's memory. */
static int memory_open(struct sdv_worker *worker)
{
	uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	size_t size = ARENA_SIZE;
	int r;

	while (size > ARENA_SMALLEST && size > machine / 16)
		size /= 2;
	r = sdv_arena_open(&worker->arena, size);
	if (!r)
		r = sdv_loop_register_buffer(worker->loop, sdv_arena_base(worker->arena), size);
	/* Where little may be pinned, the ring does it for each operation. */
	return r == -ENOMEM && worker->arena ? 0 : r;
}

static int ring_open(struct sdv_worker *worker, bool has_backing, const char **ret_what)
{
	const struct sdv_loop_params params = {
		.entries = RING_ENTRIES,
		.fixed_files = SDV_SLOT_NR,
		.sealed = true,
	};
	const uint32_t kinds = worker->kinds | 1u << SDV_OP_RECV | 1u << SDV_OP_SEND | 1u << SDV_OP_RECVMSG |
			       1u << SDV_OP_SENDMSG | 1u << SDV_OP_ACCEPT | 1u << SDV_OP_TIMEOUT |
			       1u << SDV_OP_CANCEL | 1u << SDV_OP_INSTALL;
	int r;

	*ret_what = "make a ring";
	r = sdv_loop_open(&worker->loop, &params);
	if (r)
		return r;
	*ret_what = "pin memory";
	r = memory_open(worker);
	if (r)
		return r;
	*ret_what = "register files";
	r = sdv_loop_register_file(worker->loop, SDV_SLOT_CONTROL, SDV_WORKER_FD_CONTROL);
	if (!r)
		r = sdv_loop_register_file(worker->loop, SDV_SLOT_LISTEN, SDV_WORKER_FD_LISTEN);
	if (!r && has_backing)
		r = sdv_loop_register_file(worker->loop, SDV_SLOT_BACKING, SDV_WORKER_FD_BACKING);
	for (unsigned int i = 0; i < worker->nr_files && !r; i++)
		if (worker->files[i] >= 0)
			r = sdv_loop_register_file(worker->loop, SDV_SLOT_FILES + i, worker->files[i]);
	if (r)
		return r;
	*ret_what = "seal the ring";
	return sdv_loop_seal(worker->loop, kinds);
}

/*
 * The class's files go behind the descriptors that have a number, in ascending
 * order, as the sandbox wants them.  Return: how many, or -errno.
 */
static int files_gather(struct sdv_worker *worker, int *ret_fds)
{
	int nr = 0;

	for (unsigned int i = 0; i < worker->nr_files; i++) {
		int fd = worker->files[i];

		if (fd < 0)
			continue;
		worker->files[i] = fcntl(fd, F_DUPFD_CLOEXEC, FD_FILES + nr);
		if (worker->files[i] < 0)
			return -errno;
		close(fd);
		ret_fds[nr++] = worker->files[i];
	}
	return nr;
}

/**
 * sdv_worker_confine - leaves the worker what it needs to serve, and no more
 * @worker:	its class has opened; gets loop, memory and lanes
 * @ret_what:	on error, what could not be done
 *
 * Called as root; returns in another process, see sdv_sandbox_enter().
 * Return: 0 or -errno; then there is nothing to do but to exit.
 */
int sdv_worker_confine(struct sdv_worker *worker, const char **ret_what)
{
	static const struct sdv_sandbox_call calls[] = {
		{ .nr = SYS_io_uring_enter },
		{ .nr = SYS_close },
		{ .nr = SYS_exit_group },
		{ .nr = SYS_rt_sigreturn },
		{ .nr = SYS_restart_syscall },
		/* sdv_disk_size() */
		{ .nr = SYS_lseek, .nr_args = 2, .args = { { 1, 0 }, { 2, SEEK_END } } },
		/* lane_start() */
		{ .nr = SYS_setsockopt, .nr_args = 2, .args = { { 1, IPPROTO_TCP }, { 2, TCP_NODELAY } } },
	};
	int fds[4 + SDV_WORKER_FILES] = { STDERR_FILENO, SDV_WORKER_FD_CONTROL, SDV_WORKER_FD_LISTEN,
					  SDV_WORKER_FD_BACKING };
	bool has_backing = worker->class->needs_backing;
	struct sdv_sandbox box = { .fds = fds, .nr_fds = has_backing ? 4 : 3, .max_fds = MAX_FDS };
	int r = files_gather(worker, fds + box.nr_fds);

	if (r < 0) {
		*ret_what = "keep the files of the class";
		return r;
	}
	box.nr_fds += (size_t)r;
	r = sdv_sandbox_enter(&box, ret_what);
	if (!r)
		r = ring_open(worker, has_backing, ret_what);
	if (r)
		return r;
	*ret_what = "allocate lanes";
	r = sdv_lanes_init(worker);
	if (r)
		return r;
	/* The ring has its own references. */
	close(SDV_WORKER_FD_CONTROL);
	close(SDV_WORKER_FD_LISTEN);
	for (unsigned int i = 0; i < worker->nr_files; i++)
		if (worker->files[i] >= 0)
			close(worker->files[i]);
	r = sdv_sandbox_seal(calls, sizeof(calls) / sizeof(*calls), ret_what);
	if (!r)
		close(STDERR_FILENO);
	return r;
}
