// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guard.c: keeps the guard attached, and tells what it denied.  See bpf/guard.
 *
 * Each kind of denial of a lease is told when it happens for the first time, and
 * then at every tenth power: a guest cannot fill the journal.
 */
#include "guard.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "bpf.h"
#include "cgroup.h"
#include "helper.h"

/* The kernel's types are read for it, all of them. */
#define TIMEOUT_MS 60000
/* Kinds of denials that are counted; leases beyond that share the last one. */
#define COUNTS     256

struct count {
	uint64_t lease;
	const char *what;
	uint64_t denied;
};

struct guard {
	struct daemon *d;
	struct sdv_bpf_guard *bpf;
	struct sdv_op poll;
	uint64_t cgroup;
	struct count counts[COUNTS];
	unsigned int nr_counts;
};

static int load(const void *arg, void *result, int *ret_fd)
{
	const struct guard *guard = arg;
	int r = sdv_bpf_guard_load(guard->cgroup, result, HELPER_RESULT_SIZE);

	*ret_fd = r < 0 ? -1 : r;
	return r < 0 ? r : 0;
}

static struct count *count_of(struct guard *guard, uint64_t lease, const char *what)
{
	struct count *count = guard->counts;

	for (unsigned int i = 0; i < guard->nr_counts; i++, count++)
		if (count->lease == lease && count->what == what)
			return count;
	if (guard->nr_counts == COUNTS)
		return count - 1;
	guard->nr_counts++;
	*count = (struct count){ .lease = lease, .what = what };
	return count;
}

static bool is_power_of_ten(uint64_t n)
{
	while (n >= 10 && !(n % 10))
		n /= 10;
	return n == 1;
}

static void denied(void *arg, uint64_t lease, uint32_t pid, const char *what, const char *comm)
{
	struct guard *guard = arg;
	struct count *count = count_of(guard, lease, what);
	char name[17] = "";

	if (!is_power_of_ten(++count->denied))
		return;
	memcpy(name, comm, 16);
	for (char *c = name; *c; c++)
		if (*c < ' ' || *c > '~' || *c == '\'')
			*c = '?'; /* a guest chose it */
	sdv_log(SDV_LOG_WARNING,
		"lease %" PRIu64 ": guest '%s' (pid %u) was denied to %s; %" PRIu64 " so far",
		cgroup_lease(guard->d, lease), name, pid, what, count->denied);
}

static void readable(struct sdv_op *op, int result, bool more)
{
	struct guard *guard = container_of(op, struct guard, poll);

	(void)more;
	if (result == -ECANCELED || !guard->bpf)
		return;
	sdv_bpf_guard_read(guard->bpf);
	sdv_op_poll(guard->d->loop, op, sdv_bpf_guard_fd(guard->bpf), POLLIN, false);
}

static void loaded(void *arg, int error, const void *result, int fd)
{
	struct guard *guard = arg;

	if (!error)
		error = sdv_bpf_guard_open(fd, denied, guard, &guard->bpf);
	else if (result)
		sdv_log(SDV_LOG_NOTICE, "the guard: %s", (const char *)result);
	if (error) {
		sdv_log(SDV_LOG_NOTICE, "guests have one wall around them and not two: %s", strerror(-error));
		return;
	}
	sdv_log(SDV_LOG_INFO, "guests are guarded");
	guard->poll.done = readable;
	sdv_op_poll(guard->d->loop, &guard->poll, sdv_bpf_guard_fd(guard->bpf), POLLIN, false);
}

void guard_start(struct daemon *d)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	struct helper *helper;
	int r;

	if (!guard)
		return;
	guard->d = d;
	d->guard = guard;
	r = cgroup_base_id(d, &guard->cgroup);
	if (!r)
		r = helper_start(d, load, guard, TIMEOUT_MS, loaded, guard, &helper);
	if (r < 0)
		sdv_log(SDV_LOG_NOTICE, "guests have one wall around them and not two: %s", strerror(-r));
}

void guard_close(struct daemon *d)
{
	struct guard *guard = d->guard;

	if (!guard)
		return;
	if (guard->poll.is_active) {
		sdv_op_cancel(d->loop, &guard->poll);
		while (guard->poll.is_active && sdv_loop_step(d->loop, true) >= 0)
			;
	}
	sdv_bpf_guard_close(guard->bpf);
	free(guard);
	d->guard = NULL;
}
