// SPDX-License-Identifier: GPL-2.0-only
/*
 * silent.bpf.c: a policy that has no opinion.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/pick_exec")
int BPF_PROG(silent, struct superdev_exec *exec)
{
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy silent_policy = {
	.pick_exec = (void *)silent,
	.name = "silent",
};
