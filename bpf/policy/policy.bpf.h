/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy.bpf.h: what a policy is written with; see Documentation/policy.
 *
 * The structs have the members that policies use, with the names they have in
 * kernel/core/policy.h; where they are in a running kernel, the loader finds
 * out from its type information.  So one object serves every kernel.
 */
#ifndef SUPERDEV_POLICY_BPF_H
#define SUPERDEV_POLICY_BPF_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "superdev.h"

#define SDV_POLICY_PATH_SIZE 256
#define SDV_WHY_SIZE 128
/* What is not known. */
#define SDV_UNKNOWN (~0U)
/* Of the loop that looks at every processor. */
#define SDV_MAX_CPUS 1024
/* Leases that a policy is shown. */
#define SDV_MAX_LEASES 64

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct superdev_program {
	__u64 dev;
	__u64 ino;
};

struct superdev_cost {
	__u32 runs;
	__u32 remote_runs;
	__u64 wall_us;
	__u64 cpu_us;
	__u64 remote_us;
};

struct superdev_exec_lease {
	__u32 id;
	__u32 state;
	__u32 lanes;
	__u32 rtt_us;
	__u32 cpus;
	__u32 load;
	__u32 load_age_s;
	__u32 tasks;
	char peer[SUPERDEV_NAME_LEN + 1];
	char offer[SUPERDEV_NAME_LEN + 1];
};

struct superdev_exec {
	__u32 pid;
	__u32 uid;
	__s32 nice;
	__u32 nr_leases;
	__u32 nr_cpus;
	__u32 load;
	__u64 cgroup;
	struct superdev_program program;
	char path[SDV_POLICY_PATH_SIZE];
};

struct superdev_policy {
	int (*pick_exec)(struct superdev_exec *exec);
	__u32 flags;
	char name[SUPERDEV_NAME_LEN + 1];
};

/* The scheduler's, of one processor. */
struct sched_avg {
	unsigned long runnable_avg;
};

struct cfs_rq {
	struct sched_avg avg;
};

struct rq {
	unsigned int nr_running;
	struct cfs_rq cfs;
};

#pragma clang attribute pop

/*
 * What a start elsewhere costs both machines, in round trips: 6 ms where these take 0.1 to
 * 0.2, and 150 ms between emulated machines, where they take 2 to 3.
 */
#define SDV_START_ROUND_TRIPS 50

/* A lease that the program could run by; NULL behind the last one. */
extern const struct superdev_exec_lease *superdev_exec_lease(struct superdev_exec *exec,
							     __u32 index) __ksym;
/* Decides: a lease's id, or 0: here.  The last call counts. */
extern int superdev_exec_pick(struct superdev_exec *exec, __u32 lease, const char *why,
			      __u32 why__sz) __ksym;
/* What earlier runs of the program took; NULL where none was seen. */
extern const struct superdev_cost *superdev_exec_cost(struct superdev_exec *exec) __ksym;
/* A run of the program was measured. */
extern int superdev_exec_learn(struct superdev_exec *exec, _Bool is_remote, __u64 wall_us,
			       __u64 cpu_us) __ksym;

extern const struct rq runqueues __ksym;

/* Of the scheduler's averages: one task all the time (kernel/sched/pelt.c). */
#define SDV_ALWAYS 1024

/* Until it counts half of what changed, ms; and it is taken to count all after twice that. */
#define SDV_HALF_MS 32

/*
 * What was kept here lately, in hundredths of a program, and when the last was.
 * Who races, loses one.
 */
static __u32 sdv_kept;
static __u64 sdv_kept_ms;

static __always_inline __u32 sdv_lately_kept(__u64 now_ms)
{
	__u64 ms = now_ms - sdv_kept_ms;

	return ms < 2 * SDV_HALF_MS ? sdv_kept - sdv_kept * ms / (2 * SDV_HALF_MS) : 0;
}

/*
 * Tasks that run or want to, on all processors, in hundredths; the one that asks
 * is among them.  Not more than now: what ended is gone.  And not more than there
 * were over the last moments, and programs that were kept here since: who wakes
 * for an instant to pass a message on is no load that a program would wait for.
 */
static __always_inline __u32 sdv_runnable(void)
{
	__u64 lately = 0, now_ms = bpf_ktime_get_ns() / 1000000;
	const struct rq *rq;
	__u32 cpu, nr = 0;

	for (cpu = 0; cpu < SDV_MAX_CPUS; cpu++) {
		rq = bpf_per_cpu_ptr(&runqueues, cpu);
		if (!rq)
			break;
		nr += rq->nr_running;
		lately += rq->cfs.avg.runnable_avg;
	}
	nr *= 100;
	lately = 100 + sdv_lately_kept(now_ms) + lately * 100 / SDV_ALWAYS;
	return lately < nr ? lately : nr;
}

/* A program is kept here: until the averages of the scheduler know of it, it is counted. */
static __always_inline void sdv_keep(void)
{
	__u64 now_ms = bpf_ktime_get_ns() / 1000000;

	sdv_kept = sdv_lately_kept(now_ms) + 100;
	sdv_kept_ms = now_ms;
}

/* Decides, with a reason as printf() would make it. */
#define sdv_pick(exec, lease, fmt, args...)					\
({										\
	char sdv_why[SDV_WHY_SIZE];						\
										\
	if (!(lease))								\
		sdv_keep();							\
	BPF_SNPRINTF(sdv_why, sizeof(sdv_why), fmt, ##args);			\
	superdev_exec_pick(exec, lease, sdv_why, sizeof(sdv_why));		\
})

/* Tasks that want its processors, in hundredths: others' and those of this home. */
static __always_inline __u32 sdv_wanted(const struct superdev_exec_lease *lease)
{
	return (lease->load == SDV_UNKNOWN ? 0 : lease->load) + lease->tasks * 100;
}

/* What a start by that lease costs, microseconds. */
static __always_inline __u64 sdv_start_us(const struct superdev_exec_lease *lease)
{
	return (__u64)lease->rtt_us * SDV_START_ROUND_TRIPS;
}

/* Whether a program can be started by that lease now. */
static __always_inline _Bool sdv_is_usable(const struct superdev_exec_lease *lease)
{
	return lease->state == SUPERDEV_LEASE_STATE_ACTIVE && lease->lanes;
}

#endif /* SUPERDEV_POLICY_BPF_H */
