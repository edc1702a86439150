// SPDX-License-Identifier: GPL-2.0-only
/*
 * sleepy.bpf.c: a policy whose program wants to sleep, which none may.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops.s/pick_exec")
int BPF_PROG(sleepy, struct superdev_exec *exec)
{
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy sleepy_policy = {
	.pick_exec = (void *)sleepy,
	.name = "sleepy",
};
