// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote.bpf.c: a policy that uses the first lease there is, whatever its state.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/pick_exec")
int BPF_PROG(remote, struct superdev_exec *exec)
{
	const struct superdev_exec_lease *lease = superdev_exec_lease(exec, 0);

	if (lease)
		sdv_pick(exec, lease->id, "%s first, rtt %u us, cpus %u, load %d", lease->peer,
			 lease->rtt_us, lease->cpus, lease->load);
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy remote_policy = {
	.pick_exec = (void *)remote,
	.name = "remote",
};
