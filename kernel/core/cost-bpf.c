// SPDX-License-Identifier: GPL-2.0-only
/*
 * cost-bpf.c: BPF programs that measure others tell what those cost.
 */
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "compat.h"
#include "policy.h"
#include "spread.h"

__bpf_kfunc_start_defs();

/**
 * superdev_program_ran() - a run of a program is over
 * @program: which; see struct superdev_program
 * @wall_us: from its start to its end as this machine saw it, microseconds
 * @cpu_us: processor time that it took here, and its children wherever, microseconds
 *
 * For programs of type tracing, while the process ends; not from interrupts.
 * Where the process stood for a program elsewhere, it is a run there, and what it
 * took here says nothing of that.
 *
 * Return: 0; -EINVAL: @program is none; -EPERM: from an interrupt; -EBUSY: it
 * was not counted, because somebody else was counting.
 */
__bpf_kfunc int superdev_program_ran(const struct superdev_program *program, u64 wall_us,
				     u64 cpu_us)
{
	bool is_remote;

	if (!in_task() || !current->nsproxy)
		return -EPERM;
	if (!program->ino || program->reserved)
		return -EINVAL;
	is_remote = sdv_spread_is_on() && sdv_task_is_current(current->nsproxy->net_ns);
	return sdv_cost_learn(program, is_remote, wall_us, is_remote ? 0 : cpu_us) ? 0 : -EBUSY;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(cost_kfuncs)
BTF_ID_FLAGS(func, superdev_program_ran, SDV_KF_TRUSTED_ARGS)
BTF_KFUNCS_END(cost_kfuncs)

static const struct btf_kfunc_id_set cost_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &cost_kfuncs,
};

/**
 * sdv_cost_bpf_init() - BPF may measure from now on
 *
 * There is nothing to undo: what is registered goes with the module's BTF, and
 * a program that calls it holds the module.
 *
 * Return: 0, or -errno of the registration.
 */
int __init sdv_cost_bpf_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_TRACING, &cost_kfunc_set);
}
