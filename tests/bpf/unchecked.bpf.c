// SPDX-License-Identifier: GPL-2.0-only
/*
 * unchecked.bpf.c: a policy that uses a lease without asking whether there is
 * one, which no verifier lets pass.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/pick_exec")
int BPF_PROG(unchecked, struct superdev_exec *exec)
{
	return superdev_exec_pick(exec, superdev_exec_lease(exec, 0)->id, "", 1);
}

SEC(".struct_ops.link")
struct superdev_policy unchecked_policy = {
	.pick_exec = (void *)unchecked,
	.name = "unchecked",
};
