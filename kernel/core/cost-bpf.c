// SPDX-License-Identifier: GPL-2.0-only
/*
 * cost-bpf.c: BPF programs that measure others tell what those cost.
 */
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>
#include <linux/preempt.h>

#include "compat.h"
#include "policy.h"

__bpf_kfunc_start_defs();

/**
 * superdev_program_ran() - a run of a program is over
 * @program: which; see struct superdev_program
 * @is_remote: it ran at a lender
 * @wall_us: from its start to its end as this machine saw it, microseconds
 * @cpu_us: processor time that it took, microseconds
 *
 * For programs of type tracing; not from interrupts.
 *
 * Return: 0; -EINVAL: @program is none; -EPERM: from an interrupt; -EBUSY: it
 * was not counted, because somebody else was counting.
 */
__bpf_kfunc int superdev_program_ran(const struct superdev_program *program, bool is_remote,
				     u64 wall_us, u64 cpu_us)
{
	if (!in_task())
		return -EPERM;
	if (!program->ino || program->reserved)
		return -EINVAL;
	return sdv_cost_learn(program, is_remote, wall_us, cpu_us) ? 0 : -EBUSY;
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
