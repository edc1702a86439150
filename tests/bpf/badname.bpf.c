// SPDX-License-Identifier: GPL-2.0-only
/*
 * badname.bpf.c: a policy whose name would play with terminals.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/pick_exec")
int BPF_PROG(badname, struct superdev_exec *exec)
{
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy badname_policy = {
	.pick_exec = (void *)badname,
	.name = "bad\033name",
};
