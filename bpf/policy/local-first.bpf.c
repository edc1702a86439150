// SPDX-License-Identifier: GPL-2.0-only
/*
 * local-first.bpf.c: remote is used only when local is not enough.
 *
 * While this machine has a processor for everybody who wants one, a program
 * starts here.  When it has not, the machine where the fewest want a processor
 * gets it, be it this one, unless the program is known to need less than its start
 * there costs.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Tasks for each processor of a lender, in hundredths, with one more. */
static __u32 pressure(const struct superdev_exec_lease *lease)
{
	return (sdv_wanted(lease) + 100) / (lease->cpus ? lease->cpus : 1);
}

SEC("struct_ops/pick_exec")
int BPF_PROG(local_first, struct superdev_exec *exec)
{
	__u32 runnable = sdv_runnable(), here, there, least = SDV_UNKNOWN, i;
	const struct superdev_exec_lease *lease, *best = 0;
	const struct superdev_cost *cost;
	__u64 work, start;

	if (runnable <= exec->nr_cpus * 100) {
		sdv_pick(exec, 0, "there is room here: %u.%02u tasks want %u processors",
			 runnable / 100, runnable % 100, exec->nr_cpus);
		return 0;
	}
	here = runnable / (exec->nr_cpus ? exec->nr_cpus : 1);
	for (i = 0; i < SDV_MAX_LEASES; i++) {
		lease = superdev_exec_lease(exec, i);
		if (!lease)
			break;
		if (!sdv_is_usable(lease))
			continue;
		there = pressure(lease);
		if (there > least || (best && there == least && lease->rtt_us >= best->rtt_us))
			continue;
		best = lease;
		least = there;
	}
	if (!best || least >= here) {
		sdv_pick(exec, 0,
			 "%u.%02u tasks want %u processors here, but no lender has more room",
			 runnable / 100, runnable % 100, exec->nr_cpus);
		return 0;
	}
	cost = superdev_exec_cost(exec);
	/* Not the time it took: here all wait for each other. */
	work = !cost ? 0 : cost->cpu_us ? cost->cpu_us : cost->wall_us;
	start = sdv_start_us(best);
	if (work && work < start) {
		sdv_pick(exec, 0, "it takes %llu us, not worth a start there of %llu us",
			 work, start);
		return 0;
	}
	sdv_pick(exec, best->id, "%u.%02u tasks want %u processors here; there %u.%02u want %u",
		 runnable / 100, runnable % 100, exec->nr_cpus, sdv_wanted(best) / 100,
		 sdv_wanted(best) % 100, best->cpus ? best->cpus : 1);
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy local_first_policy = {
	.pick_exec = (void *)local_first,
	.name = "local-first",
};
