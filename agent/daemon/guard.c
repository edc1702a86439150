// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guard.c: keeps the guard attached, and tells what it denied.  See bpf/guard.
 *
 * Each kind of denial of a lease is told when it happens for the first time, and
 * then at every tenth power: a guest cannot fill the journal.  How many there were
 * of a lease in all the registry has, a second later at most.
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
#include "lease_lender.h"
#include "timer.h"

/* The kernel's types are read for it, all of them. */
#define TIMEOUT_MS 60000
/* Kinds of denials that are counted; leases beyond that share the last one. */
#define COUNTS     256
#define TELL_MS    1000

/* @untold: those of @denied that the registry has not heard of. */
struct count {
	uint64_t lease;
	const char *what;
	uint64_t denied, untold;
};

struct guard {
	struct daemon *d;
	struct sdv_bpf_guard *bpf;
	struct sdv_op poll;
	struct timer tell;
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

/* What a guest does wakes nobody more often than this; leases that are no more make room. */
static void tell_due(struct timer *timer)
{
	struct guard *guard = container_of(timer, struct guard, tell);

	for (unsigned int i = 0; i < guard->nr_counts;) {
		struct count *count = &guard->counts[i];
		uint64_t number = cgroup_lease(guard->d, count->lease);

		if (!number) {
			*count = guard->counts[--guard->nr_counts];
			continue;
		}
		if (count->untold)
			lender_denied(guard->d, number, count->untold);
		count->untold = 0;
		i++;
	}
}

static void denied(void *arg, uint64_t lease, uint32_t pid, const char *what, const char *comm)
{
	struct guard *guard = arg;
	struct count *count = count_of(guard, lease, what);
	char name[17] = "";

	if (count->lease == lease)
		count->untold++;
	if (!timer_is_armed(&guard->tell))
		timer_start(&guard->tell, TELL_MS);
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
	timer_init(&guard->tell, &d->timers, tell_due);
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
	/* Only now: what was read meanwhile has started it again. */
	timer_stop(&guard->tell);
	sdv_bpf_guard_close(guard->bpf);
	free(guard);
	d->guard = NULL;
}
