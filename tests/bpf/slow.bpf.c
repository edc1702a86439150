// SPDX-License-Identifier: GPL-2.0-only
/*
 * slow.bpf.c: a policy that takes its time.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static int spin(__u32 index, void *context)
{
	return bpf_get_prandom_u32() == index && !index;
}

SEC("struct_ops/pick_exec")
int BPF_PROG(slow, struct superdev_exec *exec)
{
	bpf_loop(1 << 21, spin, 0, 0);
	sdv_pick(exec, 0, "at last");
	return 0;
}

SEC(".struct_ops.link")
struct superdev_policy slow_policy = {
	.pick_exec = (void *)slow,
	.name = "slow",
};
