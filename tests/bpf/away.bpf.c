// SPDX-License-Identifier: GPL-2.0-only
/*
 * away.bpf.c: a policy that has all programs run at the first lender there is.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/pick_exec")
int BPF_PROG(away, struct superdev_exec *exec)
{
	const struct superdev_exec_lease *lease;
	int i;

	for (i = 0; i < 64; i++) {
		lease = superdev_exec_lease(exec, i);
		if (!lease)
			break;
		if (sdv_is_usable(lease)) {
			sdv_pick(exec, lease->id, "all goes to %s", lease->peer);
			return 0;
		}
	}
	sdv_pick(exec, 0, "there is no lender");
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy away_policy = {
	.pick_exec = (void *)away,
	.name = "away",
};
