// SPDX-License-Identifier: GPL-2.0-only
/*
 * witness.bpf.c: a policy that runs all here and tells what it sees; and each
 * time it is asked, one run of 4000 us was measured.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/pick_exec")
int BPF_PROG(witness, struct superdev_exec *exec)
{
	const struct superdev_exec_lease *lease = superdev_exec_lease(exec, 0);
	const struct superdev_cost *cost = superdev_exec_cost(exec);

	superdev_exec_learn(exec, 0, 4000, 3000);
	if (superdev_exec_lease(exec, exec->nr_leases) || superdev_exec_lease(exec, -1))
		return -1;
	if (lease)
		sdv_pick(exec, 0, "%s state=%u lanes=%u rtt=%u cpus=%u load=%u", lease->offer,
			 lease->state, lease->lanes, lease->rtt_us, lease->cpus, lease->load);
	else
		sdv_pick(exec, 0, "uid=%u nice=%d runs=%u wall=%llu %s", exec->uid, exec->nice,
			 cost ? cost->runs : 0, cost ? cost->wall_us : 0, exec->path);
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy witness_policy = {
	.pick_exec = (void *)witness,
	.name = "witness",
};
