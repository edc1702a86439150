// SPDX-License-Identifier: GPL-2.0-only
/*
 * outsider.bpf.c: a congestion control, a struct_ops table too, that wants to
 * call what is for policies alone.
 */
#include "policy.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct sock;

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	__u32 (*undo_cwnd)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	char name[16];
} __attribute__((preserve_access_index));

SEC("struct_ops")
__u32 BPF_PROG(outsider_ssthresh, struct sock *sk)
{
	return superdev_exec_learn((struct superdev_exec *)sk, 0, 1, 1);
}

SEC("struct_ops")
__u32 BPF_PROG(outsider_undo_cwnd, struct sock *sk)
{
	return 2;
}

SEC("struct_ops")
void BPF_PROG(outsider_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC(".struct_ops.link")
struct tcp_congestion_ops outsider = {
	.ssthresh = (void *)outsider_ssthresh,
	.undo_cwnd = (void *)outsider_undo_cwnd,
	.cong_avoid = (void *)outsider_cong_avoid,
	.name = "outsider",
};
