// SPDX-License-Identifier: GPL-2.0-only
/*
 * meter.bpf.c: what programs cost, from exec to exit.
 *
 * Whatever file a process was asked to execute, be it a script or a program that
 * started elsewhere instead, is what its time is counted for; the module knows
 * which was elsewhere, and remembers the averages, for policies.  A process
 * that ends without an exec of its own since the meter came is not counted: its
 * time is its parent's.
 */
#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char LICENSE[] SEC("license") = "GPL";

#define NSEC_PER_USEC 1000

/* As in kernel/core/policy.h; a copy of it goes to the module. */
struct superdev_program {
	__u64 dev;
	__u64 ino;
	__u64 mtime_ns;
	__u32 generation;
	__u32 reserved;
};

/* The module's: a run of that program is over; times in microseconds. */
extern int superdev_program_ran(const struct superdev_program *program, __u64 wall_us,
				__u64 cpu_us) __ksym;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned long i_ino;
	__s64 i_mtime_sec;
	__u32 i_mtime_nsec;
	__u32 i_generation;
	struct super_block *i_sb;
};

struct file {
	struct inode *f_inode;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
	const char *interp;
};

struct sched_entity {
	__u64 sum_exec_runtime;
};

struct signal_struct {
	struct {
		int counter;
	} live;
	unsigned long long sum_sched_runtime;
	__u64 cutime;
	__u64 cstime;
};

struct task_struct {
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct sched_entity se;
};

#pragma clang attribute pop

/**
 * struct run - a process since its last exec
 * @asked:	what the exec under way was asked for
 * @program:	what runs; valid with @began_ns
 * @began_ns:	when it began, 0: there was no exec
 * @cpu_ns:	processor time that the process had used before, with its children's
 */
struct run {
	struct superdev_program asked;
	struct superdev_program program;
	__u64 began_ns;
	__u64 cpu_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct run);
} runs SEC(".maps");

/* Of the process, dead threads and children that were waited for. */
static __u64 cpu_of(const struct task_struct *task, const struct task_struct *leader)
{
	const struct signal_struct *signal = task->signal;
	__u64 ns = signal->sum_sched_runtime + task->se.sum_exec_runtime + signal->cutime +
		   signal->cstime;

	/* A leader that ended before its last thread is counted when it is reaped. */
	return task == leader ? ns : ns + leader->se.sum_exec_runtime;
}

/* Called for a script, and then for its interpreter. */
SEC("fentry/security_bprm_check")
int BPF_PROG(meter_asked, struct linux_binprm *bprm)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct inode *inode = bprm->file->f_inode;
	struct run *run;

	if (bprm->interp != bprm->filename)
		return 0;
	run = bpf_task_storage_get(&runs, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!run)
		return 0;
	run->asked = (struct superdev_program) {
		.dev		= inode->i_sb->s_dev,
		.ino		= inode->i_ino,
		.mtime_ns	= inode->i_mtime_sec * 1000000000ull + inode->i_mtime_nsec,
		.generation	= inode->i_generation,
	};
	return 0;
}

/* The exec has succeeded; a thread that did it has become the leader. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(meter_began, struct task_struct *task)
{
	struct run *run = bpf_task_storage_get(&runs, task, 0, 0);

	if (!run)
		return 0;
	run->program = run->asked;
	run->began_ns = bpf_ktime_get_ns();
	run->cpu_ns = cpu_of(task, task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(meter_ended, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct superdev_program program;
	struct run *run;

	if (task->signal->live.counter)
		return 0;
	run = bpf_task_storage_get(&runs, leader, 0, 0);
	if (!run || !run->began_ns)
		return 0;
	program = run->program;
	superdev_program_ran(&program, (bpf_ktime_get_ns() - run->began_ns) / NSEC_PER_USEC,
			     (cpu_of(task, leader) - run->cpu_ns) / NSEC_PER_USEC);
	return 0;
}
