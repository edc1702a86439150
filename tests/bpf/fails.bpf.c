// SPDX-License-Identifier: GPL-2.0-only
/*
 * fails.bpf.c: a policy that fails, and says so.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/pick_exec")
int BPF_PROG(fails, struct superdev_exec *exec)
{
	return -5;
}

SEC(".struct_ops.link")
struct superdev_policy fails_policy = {
	.pick_exec = (void *)fails,
	.name = "fails",
};
