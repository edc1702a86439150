// SPDX-License-Identifier: GPL-2.0-only
/*
 * fastest.bpf.c: a program runs where it is expected to be over first.
 *
 * The expectation is what runs of the same program took before, here and at
 * lenders, stretched where there are more tasks than processors.  A program
 * that was never seen runs here, which is how its cost becomes known.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* @time when @tasks (in hundredths) share @cpus. */
static __u64 stretched(__u64 time, __u64 tasks, __u32 cpus)
{
	if (!cpus || tasks <= cpus * 100ULL)
		return time;
	return time * tasks / (cpus * 100ULL);
}

static __u64 expected_there(const struct superdev_cost *cost,
			    const struct superdev_exec_lease *lease)
{
	__u64 run = cost->remote_runs ? cost->remote_us : cost->wall_us + sdv_start_us(lease);

	/* The program itself is one more task there. */
	return stretched(run, sdv_wanted(lease) + 100ULL, lease->cpus);
}

SEC("struct_ops/pick_exec")
int BPF_PROG(fastest, struct superdev_exec *exec)
{
	const struct superdev_exec_lease *lease, *best = 0;
	const struct superdev_cost *cost = superdev_exec_cost(exec);
	__u64 here, there, least = ~0ULL;
	__u32 runnable, i;

	if (!cost || !cost->runs) {
		sdv_pick(exec, 0, "no run of it was seen here yet");
		return 0;
	}
	runnable = sdv_runnable();
	here = stretched(cost->wall_us, runnable, exec->nr_cpus);
	for (i = 0; i < SDV_MAX_LEASES; i++) {
		lease = superdev_exec_lease(exec, i);
		if (!lease)
			break;
		if (!sdv_is_usable(lease))
			continue;
		there = expected_there(cost, lease);
		if (there < least) {
			least = there;
			best = lease;
		}
	}
	if (best && least < here)
		sdv_pick(exec, best->id, "%llu us are expected there, %llu here", least, here);
	else if (best)
		sdv_pick(exec, 0, "%llu us are expected here, %llu there", here, least);
	else
		sdv_pick(exec, 0, "no lender can take it; %llu us are expected here", here);
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy fastest_policy = {
	.pick_exec = (void *)fastest,
	.name = "fastest",
};
