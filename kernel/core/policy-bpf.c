// SPDX-License-Identifier: GPL-2.0-only
/*
 * policy-bpf.c: a policy written in BPF: the struct_ops table, and the kernel
 * functions that its programs may call.
 *
 * Built where the kernel has a BPF JIT, without which there is no struct_ops.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/module.h>

#include "compat.h"
#include "policy.h"
#include "registry.h"

/*
 * Functions for programs.  A policy reads what its argument points to by
 * itself; these are for what has no fixed place there.
 */

__bpf_kfunc_start_defs();

/**
 * superdev_exec_lease() - a lease that the program could run by
 * @exec: the argument of pick_exec
 * @index: 0 to exec->nr_leases - 1
 *
 * Return: the lease, as of when pick_exec was called, or NULL.
 */
__bpf_kfunc const struct superdev_exec_lease *
superdev_exec_lease(struct superdev_exec *exec, u32 index)
{
	return sdv_exec_lease(exec, index);
}

/**
 * superdev_exec_pick() - decides; the last call counts
 * @exec: the argument of pick_exec
 * @lease: id of a lease, or 0: the program runs here
 * @why: the reason, for people; ends at a zero or at @why__sz
 * @why__sz: bytes of @why
 *
 * Return: 0.
 */
__bpf_kfunc int superdev_exec_pick(struct superdev_exec *exec, u32 lease, const char *why,
				   u32 why__sz)
{
	sdv_exec_pick(exec, lease, why, why__sz);
	return 0;
}

/**
 * superdev_exec_cost() - what earlier runs of the program took
 * @exec: the argument of pick_exec
 *
 * Return: averages, as of when pick_exec was called, or NULL where no run was seen.
 */
__bpf_kfunc const struct superdev_cost *superdev_exec_cost(struct superdev_exec *exec)
{
	return sdv_exec_cost(exec);
}

/**
 * superdev_exec_learn() - a run of the program was measured
 * @exec: the argument of pick_exec
 * @is_remote: it was at a lender
 * @wall_us: from start to end, microseconds
 * @cpu_us: processor time, microseconds
 *
 * Return: 0.
 */
__bpf_kfunc int superdev_exec_learn(struct superdev_exec *exec, bool is_remote, u64 wall_us,
				    u64 cpu_us)
{
	sdv_cost_learn(&exec->program, is_remote, wall_us, cpu_us);
	return 0;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(policy_kfuncs)
BTF_ID_FLAGS(func, superdev_exec_lease, SDV_KF_TRUSTED_ARGS | KF_RET_NULL)
BTF_ID_FLAGS(func, superdev_exec_pick, SDV_KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, superdev_exec_cost, SDV_KF_TRUSTED_ARGS | KF_RET_NULL)
BTF_ID_FLAGS(func, superdev_exec_learn, SDV_KF_TRUSTED_ARGS)
BTF_KFUNCS_END(policy_kfuncs)

/*
 * The table
 */

static struct bpf_struct_ops policy_struct_ops;
/* Types of this module; only compared. */
static const struct btf *policy_btf;

/*
 * Other modules' tables are struct_ops as well, and their programs have no
 * superdev_exec.  Called for functions of this module only.  Do not look for
 * @kfunc_id in policy_kfuncs: it was moved when the module's types were put on
 * top of the kernel's, and that set was not.
 */
static int kfunc_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	return sdv_prog_is_of(prog, &policy_struct_ops, policy_btf) ? 0 : -EACCES;
}

static const struct btf_kfunc_id_set policy_kfunc_set = {
	.owner	= THIS_MODULE,
	.set	= &policy_kfuncs,
	.filter	= kfunc_filter,
};

static const struct bpf_func_proto *
policy_get_func_proto(enum bpf_func_id id, const struct bpf_prog *prog)
{
	return bpf_base_func_proto(id, prog);
}

static bool policy_is_valid_access(int off, int size, enum bpf_access_type type,
				   const struct bpf_prog *prog, struct bpf_insn_access_aux *info)
{
	return bpf_tracing_btf_ctx_access(off, size, type, prog, info);
}

static const struct bpf_verifier_ops policy_verifier_ops = {
	.get_func_proto		= policy_get_func_proto,
	.is_valid_access	= policy_is_valid_access,
};

static int policy_init(struct btf *btf)
{
	policy_btf = btf;
	return 0;
}

/* Only members that are no functions are for us to copy. */
static int policy_init_member(const struct btf_type *type, const struct btf_member *member,
			      void *kdata, const void *udata)
{
	const struct superdev_policy *from = udata;
	struct superdev_policy *to = kdata;

	switch (__btf_member_bit_offset(type, member) / 8) {
	case offsetof(struct superdev_policy, flags):
		if (from->flags)
			return -EINVAL;
		return 1;
	case offsetof(struct superdev_policy, name):
		if (strnlen(from->name, sizeof(from->name)) == sizeof(from->name) ||
		    !sdv_name_is_valid(from->name))
			return -EINVAL;
		strscpy(to->name, from->name);
		return 1;
	}
	return 0;
}

/* No member may sleep, see policy.c. */
static int policy_check_member(const struct btf_type *type, const struct btf_member *member,
			       const struct bpf_prog *prog)
{
	return prog->sleepable ? -EINVAL : 0;
}

static int policy_validate(void *kdata)
{
	const struct superdev_policy *ops = kdata;

	return ops->pick_exec && ops->name[0] ? 0 : -EINVAL;
}

static int policy_reg(void *kdata, struct bpf_link *link)
{
	/* Without a link it could be neither swapped nor detached by us. */
	return link ? sdv_policy_attach(kdata, link) : -EOPNOTSUPP;
}

static void policy_unreg(void *kdata, struct bpf_link *link)
{
	sdv_policy_detach(kdata);
}

static int policy_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	return sdv_policy_swap(kdata, old_kdata, link);
}

static int superdev_policy__pick_exec(struct superdev_exec *exec)
{
	return 0;
}

/* The shape of each member for indirect calls; never called. */
static struct superdev_policy policy_cfi_stubs = {
	.pick_exec	= superdev_policy__pick_exec,
};

static struct bpf_struct_ops policy_struct_ops = {
	.verifier_ops	= &policy_verifier_ops,
	.init		= policy_init,
	.init_member	= policy_init_member,
	.check_member	= policy_check_member,
	.validate	= policy_validate,
	.reg		= policy_reg,
	.unreg		= policy_unreg,
	.update		= policy_update,
	.cfi_stubs	= &policy_cfi_stubs,
	.owner		= THIS_MODULE,
	.name		= "superdev_policy",
};

/**
 * sdv_policy_bpf_init() - BPF may attach a policy from now on
 *
 * There is nothing to undo: what is registered goes with the module's BTF, and
 * a table that is attached holds the module.
 *
 * Return: 0, or -errno of the registration.
 */
int __init sdv_policy_bpf_init(void)
{
	int err;

	err = register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &policy_kfunc_set);
	if (err)
		return err;
	return register_bpf_struct_ops(&policy_struct_ops, superdev_policy);
}
