// SPDX-License-Identifier: GPL-2.0-only
/*
 * nonsense.bpf.c: a policy that names a lease that does not exist.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/pick_exec")
int BPF_PROG(nonsense, struct superdev_exec *exec)
{
	sdv_pick(exec, 4711, "because");
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy nonsense_policy = {
	.pick_exec = (void *)nonsense,
	.name = "nonsense",
};
