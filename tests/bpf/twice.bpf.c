// SPDX-License-Identifier: GPL-2.0-only
/*
 * twice.bpf.c: two policies, of which only one could be meant.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/pick_exec")
int BPF_PROG(twice, struct superdev_exec *exec)
{
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy first_policy = {
	.pick_exec = (void *)twice,
	.name = "first",
};

SEC(".struct_ops.link")
struct superdev_policy second_policy = {
	.pick_exec = (void *)twice,
	.name = "second",
};
