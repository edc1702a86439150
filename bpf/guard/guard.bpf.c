// SPDX-License-Identifier: GPL-2.0-only
/*
 * guard.bpf.c: a second wall around guests, behind namespaces, seccomp and landlock.
 *
 * Those stand in the guest's way by what it may ask for; this by what it is: a
 * process below the agent's cgroup for leases, in a pid namespace of its own and
 * behind a filter of system calls that the agent has not.  Whatever way it found,
 * it gets no further.  Who sets a guest up is not behind that filter yet, and may
 * do what it needs to.
 */
#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "guard.h"

char LICENSE[] SEC("license") = "GPL";

#define EPERM 1
#define AF_UNSPEC 0
#define AF_UNIX 1
/* Cgroups deeper than that are not looked at; ours are made by the agent. */
#define MAX_DEPTH 16

/* The cgroup below which each lease has one; set before it is loaded. */
const volatile __u64 leases_cgroup;
/* Filters that the agent itself is behind, as systemd may have put it. */
const volatile __s32 agent_filters;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024);
} denials SEC(".maps");

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct upid {
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[];
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct seccomp {
	struct {
		int counter;
	} filter_count;
};

struct task_struct {
	struct pid *thread_pid;
	struct nsproxy *nsproxy;
	struct seccomp seccomp;
	int tgid;
	char comm[16];
};

struct vfsmount {
	int mnt_flags;
};

struct mount {
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
};

struct file {
	struct path f_path;
};

struct sockaddr {
	unsigned short sa_family;
};

#pragma clang attribute pop

/* The lease whose guest the current process is, or 0. */
static __u64 guest_of(const struct task_struct *task)
{
	int depth;

	if (task->seccomp.filter_count.counter <= agent_filters ||
	    !BPF_CORE_READ(task, thread_pid, level))
		return 0;
	for (depth = 0; depth < MAX_DEPTH; depth++) {
		__u64 id = bpf_get_current_ancestor_cgroup_id(depth);

		if (!id)
			return 0;
		if (id == leases_cgroup)
			return bpf_get_current_ancestor_cgroup_id(depth + 1);
	}
	return 0;
}

static int deny(const struct task_struct *task, __u64 lease, enum guard_what what)
{
	struct guard_denial *denial = bpf_ringbuf_reserve(&denials, sizeof(*denial), 0);

	if (denial) {
		denial->lease = lease;
		denial->pid = task->tgid;
		denial->what = what;
		bpf_get_current_comm(denial->comm, sizeof(denial->comm));
		bpf_ringbuf_submit(denial, 0);
	}
	return -EPERM;
}

/* Nothing of the kind is a guest's. */
static int deny_guest(enum guard_what what)
{
	const struct task_struct *task = bpf_get_current_task_btf();
	__u64 lease = guest_of(task);

	return lease ? deny(task, lease, what) : 0;
}

/* A process's pid namespace at the level of @level, or NULL where it has none so deep. */
static const void *pid_ns_at(const struct task_struct *task, unsigned int level)
{
	const struct pid *pid = task->thread_pid;
	const void *at, *ns = 0;

	if (BPF_CORE_READ(pid, level) < level)
		return 0;
	at = (const void *)pid + bpf_core_field_offset(struct pid, numbers);
	at += level * bpf_core_type_size(struct upid);
	at += bpf_core_field_offset(struct upid, ns);
	bpf_probe_read_kernel(&ns, sizeof(ns), at);
	return ns;
}

static int deny_outside(const struct task_struct *other, enum guard_what what)
{
	const struct task_struct *task = bpf_get_current_task_btf();
	__u64 lease = guest_of(task);
	unsigned int level;

	if (!lease)
		return 0;
	level = BPF_CORE_READ(task, thread_pid, level);
	return pid_ns_at(other, level) == pid_ns_at(task, level) ? 0 : deny(task, lease, what);
}

/* Pipes, anonymous files and the like have no namespace. */
SEC("lsm/file_open")
int BPF_PROG(guard_file_open, struct file *file)
{
	const struct task_struct *task = bpf_get_current_task_btf();
	__u64 lease = guest_of(task);
	const struct mount *mount;
	const void *ns;

	if (!lease)
		return 0;
	mount = (const void *)file->f_path.mnt - bpf_core_field_offset(struct mount, mnt);
	ns = BPF_CORE_READ(mount, mnt_ns);
	if (!ns || (unsigned long)ns >= -4095UL || ns == BPF_CORE_READ(task, nsproxy, mnt_ns))
		return 0;
	return deny(task, lease, GUARD_FILE);
}

SEC("lsm/socket_create")
int BPF_PROG(guard_socket_create, int family, int type, int protocol, int kern)
{
	return kern || family == AF_UNIX ? 0 : deny_guest(GUARD_SOCKET);
}

SEC("lsm/socket_connect")
int BPF_PROG(guard_socket_connect, struct socket *sock, struct sockaddr *address)
{
	return address->sa_family == AF_UNIX || address->sa_family == AF_UNSPEC ?
		       0 :
		       deny_guest(GUARD_SOCKET);
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(guard_ptrace, struct task_struct *child)
{
	return deny_outside(child, GUARD_PTRACE);
}

SEC("lsm/task_kill")
int BPF_PROG(guard_task_kill, struct task_struct *target)
{
	return deny_outside(target, GUARD_SIGNAL);
}

#define DENIED(hook, what)			\
	SEC("lsm/" #hook)			\
	int BPF_PROG(guard_##hook)		\
	{					\
		return deny_guest(what);	\
	}

DENIED(bpf, GUARD_BPF)
DENIED(key_alloc, GUARD_KEY)
DENIED(sb_mount, GUARD_MOUNT)
DENIED(sb_umount, GUARD_MOUNT)
DENIED(sb_pivotroot, GUARD_MOUNT)
DENIED(move_mount, GUARD_MOUNT)
DENIED(userns_create, GUARD_NAMESPACE)
DENIED(uring_sqpoll, GUARD_URING)
DENIED(uring_cmd, GUARD_URING)
DENIED(uring_override_creds, GUARD_URING)
DENIED(perf_event_open, GUARD_PERF)

/* Since 6.15; before, the filter alone keeps guests from rings. */
SEC("?lsm/uring_allowed")
int BPF_PROG(guard_uring_allowed)
{
	return deny_guest(GUARD_URING);
}
