/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy.h: where work goes, and why.
 *
 * policy.c has the policy that is attached and asks it, policy-bpf.c lets BPF
 * be one, cost.c remembers what programs cost, cost-bpf.c lets BPF measure it.
 * Class modules ask; netlink-policy.c shows.  What policies see, struct superdev_*, they read by
 * name (CO-RE): members may be added and moved, but keep name and meaning.
 */
#ifndef _SUPERDEV_POLICY_H
#define _SUPERDEV_POLICY_H

#include <linux/types.h>
#include <uapi/superdev.h>

struct bpf_link;
struct inode;
struct net;
struct netlink_ext_ack;
struct task_struct;

#define SDV_POLICY_PATH_SIZE	256	/* of a program, with its zero; cut in front */
#define SDV_POLICY_WHY_SIZE	128	/* a reason, with its zero */
/* What a policy may take of a caller's time, see policy.c. */
#define SDV_POLICY_SLOW_MS	10
#define SDV_POLICY_STUCK_MS	1000
#define SDV_POLICY_SLOW_IN_A_ROW 4
/* More leases of one class than these are not shown to a policy. */
#define SDV_POLICY_LEASES	64
/* And of those, so many are kept with a decision. */
#define SDV_FIGURES_LEASES	4

/* What policies see --------------------------------------------------------- */

/**
 * struct superdev_program - what a program is, whatever its path
 * @dev:	device of its file system
 * @ino:	inode
 * @mtime_ns:	when it was last written, since 1970
 * @generation:	of the inode
 * @reserved:	zero, as this is hashed whole
 *
 * A compiler that was upgraded is another program, with costs of its own.
 */
struct superdev_program {
	u64	dev;
	u64	ino;
	u64	mtime_ns;
	u32	generation;
	u32	reserved;
};

/**
 * struct superdev_cost - what runs of a program took; moving averages
 * @runs:	here, that were counted in
 * @remote_runs: at a lender, that were counted in
 * @wall_us:	time from start to end here; microseconds
 * @cpu_us:	processor time, wherever it ran
 * @remote_us:	time from start to end at a lender, as home saw it
 */
struct superdev_cost {
	u32	runs;
	u32	remote_runs;
	u64	wall_us;
	u64	cpu_us;
	u64	remote_us;
};

/**
 * struct superdev_exec_lease - a lease that could run the program
 * @id:		what superdev_exec_pick() takes
 * @state:	enum superdev_lease_state; only an active one can be used
 * @lanes:	that are up
 * @rtt_us:	round trip to its peer, microseconds; 0 is unknown
 * @cpus:	that the lease may use, as the device or else the offer's property
 *		"cpus" says; 0 is unknown
 * @load:	tasks of others that want these, hundredths, as the device or else
 *		the offer's property "load" says; U32_MAX is unknown
 * @load_age_s:	how long ago that was found, seconds
 * @tasks:	programs that this home has there now; not in @load
 * @peer:	name of the lender
 * @offer:	name of the offer
 */
struct superdev_exec_lease {
	u32	id;
	u32	state;
	u32	lanes;
	u32	rtt_us;
	u32	cpus;
	u32	load;
	u32	load_age_s;
	u32	tasks;
	char	peer[SUPERDEV_NAME_LEN + 1];
	char	offer[SUPERDEV_NAME_LEN + 1];
};

/**
 * struct superdev_exec - a program that is about to start
 * @pid:	of the process, in the initial pid namespace
 * @uid:	its user, in the initial user namespace
 * @nice:	of the process
 * @nr_leases:	for superdev_exec_lease(), counted from 0
 * @nr_cpus:	that this machine has online
 * @load:	average of this machine over a minute, hundredths of a task
 * @cgroup:	id of the process's cgroup (v2), 0 where there is none
 * @program:	the file
 * @path:	how it was named; of a long one the end
 */
struct superdev_exec {
	u32	pid;
	u32	uid;
	s32	nice;
	u32	nr_leases;
	u32	nr_cpus;
	u32	load;
	u64	cgroup;
	struct superdev_program program;
	char	path[SDV_POLICY_PATH_SIZE];
};

/**
 * struct superdev_policy - what decides where work goes; a struct_ops table
 * @pick_exec:	a program is about to start: here, or by a lease.  Says so by
 *		superdev_exec_pick(), or nothing, which leaves it to the
 *		default.  Returns 0; anything else means that it failed.
 *		Must not sleep
 * @flags:	none are defined yet; 0
 * @name:	letters, digits and . _ -, for people
 *
 * Members for other decisions will follow; a policy leaves those out that it
 * has no opinion on, and the default serves.
 */
struct superdev_policy {
	int	(*pick_exec)(struct superdev_exec *exec);
	u32	flags;
	char	name[SUPERDEV_NAME_LEN + 1];
};

/* What others use ------------------------------------------------------------ */

/**
 * struct sdv_figures - what a decision rests on
 * @nr_cpus:	of this machine; 0, no policy was asked
 * @load:	of this machine
 * @nr_leases:	that the policy was shown
 * @nr_kept:	of these, that are in @leases: the one picked, and the first
 * @has_cost:	@cost is valid
 * @cost:	of the program
 * @leases:	as they were shown
 */
struct sdv_figures {
	u32	nr_cpus;
	u32	load;
	u32	nr_leases;
	u32	nr_kept;
	bool	has_cost;
	struct superdev_cost cost;
	struct superdev_exec_lease leases[SDV_FIGURES_LEASES];
};

/**
 * struct sdv_exec_ask - a question for sdv_policy_pick_exec()
 * @net:	whose leases; that of the task
 * @class:	class of the leases that can run it
 * @task:	the process that starts it, alive during the call
 * @inode:	the program's file
 * @path:	how the program was named
 * @is_trial:	nothing will come of it, so it does not count
 * @ret_figures: filled with what the policy was shown; zeroes where none was asked.
 *		NULL: nobody wants to know
 */
struct sdv_exec_ask {
	struct net		*net;
	const char		*class;
	struct task_struct	*task;
	const struct inode	*inode;
	const char		*path;
	bool			is_trial;
	struct sdv_figures	*ret_figures;
};

/**
 * struct sdv_choice - an answer
 * @lease:	id of an active lease in the namespace asked for, or 0: here
 * @peer:	its lender, or empty
 * @offer:	its offer, or empty
 * @policy:	which policy decided; empty: the built-in default
 * @why:	in words
 * @took_ns:	how long the policy took
 */
struct sdv_choice {
	u32	lease;
	char	peer[SUPERDEV_NAME_LEN + 1];
	char	offer[SUPERDEV_NAME_LEN + 1];
	char	policy[SUPERDEV_NAME_LEN + 1];
	char	why[2 * SDV_POLICY_WHY_SIZE];
	u64	took_ns;
};

/**
 * struct sdv_policy_info - what netlink tells of the policy
 * @name:	empty: none is attached
 * @since:	when it was attached, seconds since 1970
 * @decisions:	questions, without trials
 * @remote:	of those, how many it answered with a lease
 * @declined:	of those, how many it left to the default
 * @last_name:	of the one detached last; empty: none was yet
 * @last_time:	when, seconds since 1970
 * @last_error:	why
 */
struct sdv_policy_info {
	char	name[SUPERDEV_NAME_LEN + 1];
	u64	since;
	u64	decisions;
	u64	remote;
	u64	declined;
	char	last_name[SUPERDEV_NAME_LEN + 1];
	u64	last_time;
	char	last_error[2 * SDV_POLICY_WHY_SIZE];
};

/* policy.c */
u32 sdv_policy_pick_exec(const struct sdv_exec_ask *ask, struct sdv_choice *ret_choice);
void sdv_policy_info(struct sdv_policy_info *ret_info);
int sdv_policy_del(void);
void sdv_policy_exit(void);

/* For policy-bpf.c alone. */
int sdv_policy_attach(const struct superdev_policy *ops, struct bpf_link *link);
void sdv_policy_detach(const struct superdev_policy *ops);
int sdv_policy_swap(const struct superdev_policy *ops, const struct superdev_policy *old,
		    struct bpf_link *link);
void sdv_exec_pick(struct superdev_exec *exec, u32 lease, const char *why, size_t len);
const struct superdev_cost *sdv_exec_cost(const struct superdev_exec *exec);
const struct superdev_exec_lease *sdv_exec_lease(const struct superdev_exec *exec, u32 index);

/* netlink-policy.c */
void sdv_notify_policy(void);

/* cost.c */
void sdv_program_of(const struct inode *inode, struct superdev_program *ret_program);
bool sdv_cost_get(const struct superdev_program *program, struct superdev_cost *ret_cost);
bool sdv_cost_learn(const struct superdev_program *program, bool is_remote, u64 wall_us,
		    u64 cpu_us);
int sdv_cost_init(void);
void sdv_cost_exit(void);

/* policy-bpf.c and cost-bpf.c, where the kernel has what it takes. */
#ifdef CONFIG_BPF_JIT
int sdv_policy_bpf_init(void);
int sdv_cost_bpf_init(void);
#else
static inline int sdv_policy_bpf_init(void)
{
	return 0;
}

static inline int sdv_cost_bpf_init(void)
{
	return 0;
}
#endif

#endif /* _SUPERDEV_POLICY_H */
