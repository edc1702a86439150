// SPDX-License-Identifier: GPL-2.0-only
/*
 * exec.c: the binary format handler that has programs start at lenders.
 *
 * It is asked before the others, for each execve() of the machine.  Of a process in a
 * cgroup that is set to spread it asks the policy, and where that names a lease, the
 * deputy is started instead, as the interpreter of a script is:
 *
 *	DEPUTY --lease ID -- PATH ARGV[0] ARGV[1] …
 *
 * Everything that fails on the way leaves the program to the next handler, which
 * starts it here.
 */
#include <linux/binfmts.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "exec.h"
#include "policy.h"
#include "spread.h"

static char *deputy = "/usr/libexec/superdev/superdev-deputy";
/* Not to be changed later: a process may be just reading it. */
module_param(deputy, charp, 0444);
MODULE_PARM_DESC(deputy, "path of superdev-deputy, which stands for programs that are elsewhere");

/* What the deputy's file was when it was started last; inode 0, never. */
static DEFINE_SPINLOCK(deputy_lock);
static struct superdev_program deputy_file;

static void note_deputy(struct file *file)
{
	struct superdev_program program;

	sdv_program_of(file_inode(file), &program);
	guard(spinlock)(&deputy_lock);
	deputy_file = program;
}

static bool is_deputy(struct file *file)
{
	struct superdev_program program;

	sdv_program_of(file_inode(file), &program);
	guard(spinlock)(&deputy_lock);
	return deputy_file.ino && !memcmp(&program, &deputy_file, sizeof(program));
}

/* Whether the process that starts something is a deputy that gives up. */
static bool runs_deputy(void)
{
	struct file *file;
	bool is_one;

	rcu_read_lock();
	file = get_file_rcu(&current->mm->exe_file);
	rcu_read_unlock();
	if (!file)
		return false;
	is_one = is_deputy(file);
	fput(file);
	return is_one;
}

/* The path that leads to the program from anywhere; to be freed, or NULL. */
static char *absolute_path(const struct linux_binprm *bprm)
{
	char *buf __free(kfree) = NULL, *path, *absolute;
	struct path cwd;

	if (bprm->filename[0] == '/')
		return kstrdup(bprm->filename, GFP_KERNEL);
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!buf)
		return NULL;
	get_fs_pwd(current->fs, &cwd);
	path = d_path(&cwd, buf, PATH_MAX);
	/* Deleted, or not below our root: then its name is all there is. */
	if (IS_ERR(path) || path[0] != '/' || d_unlinked(cwd.dentry))
		absolute = kstrdup(bprm->filename, GFP_KERNEL);
	else
		absolute = kasprintf(GFP_KERNEL, "%s/%s", path[1] ? path : "", bprm->filename);
	path_put(&cwd);
	return absolute;
}

/*
 * Puts the deputy's arguments before the program's own.
 * Return: 0, or -E2BIG or -EFAULT, and then they are as before.
 */
static int push_arguments(struct linux_binprm *bprm, u32 lease, const char *path)
{
	unsigned long p = bprm->p;
	int argc = bprm->argc, err;
	const char *last_first[5];
	unsigned int i;
	char id[12];

	snprintf(id, sizeof(id), "%u", lease);
	last_first[0] = path;
	last_first[1] = "--";
	last_first[2] = id;
	last_first[3] = "--lease";
	last_first[4] = deputy;
	for (i = 0; i < ARRAY_SIZE(last_first); i++) {
		err = copy_string_kernel(last_first[i], bprm);
		if (err) {
			/* What was pushed lies below the stack now, and is overwritten. */
			bprm->p = p;
			bprm->argc = argc;
			return err;
		}
		bprm->argc++;
	}
	return 0;
}

/*
 * Has @bprm start the deputy.
 * Return: 0, and @decision is the registry's; -errno, and all is as before.
 */
static int start_deputy(struct linux_binprm *bprm, struct net *net,
			struct sdv_decision *decision, const char *path)
{
	unsigned long p = bprm->p;
	int argc = bprm->argc, err;
	struct file *file;

	file = open_exec(deputy);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = push_arguments(bprm, decision->choice.lease, path);
	if (err)
		goto err_put_file;
	/* It loses what was there before it fails. */
	err = bprm_change_interp(deputy, bprm);
	if (err)
		goto err_reset;
	err = sdv_task_add(net, decision);
	if (err) {
		kfree(bprm->interp);
		goto err_reset;
	}
	note_deputy(file);
	bprm->interpreter = file;
	return 0;

err_reset:
	bprm->interp = bprm->filename;
	bprm->p = p;
	bprm->argc = argc;
err_put_file:
	exe_file_allow_write_access(file);
	fput(file);
	return err;
}

/* Return: 0, the deputy starts; -ENOEXEC, the program does. */
static int decide(struct linux_binprm *bprm, struct net *net)
{
	char *path __free(kfree) = absolute_path(bprm);
	struct sdv_decision *decision;
	struct sdv_exec_ask ask;
	bool is_script = false;
	const char *why;
	int err = -ENOEXEC;

	decision = path ? sdv_decision_alloc(path) : NULL;
	if (!decision)
		return -ENOEXEC;
	why = sdv_exec_check(bprm, &is_script);
	if (!why)
		why = sdv_spread_objection(net, current);
	if (!why && sdv_spread_is_agent(net))
		why = "it is the agent that starts it";
	if (why) {
		strscpy(decision->choice.why, why);
		goto out;
	}
	ask = (struct sdv_exec_ask) {
		.net		= net,
		.class		= "cpu",
		.task		= current,
		.inode		= file_inode(bprm->file),
		.path		= path,
		.ret_figures	= &decision->figures,
	};
	if (!sdv_policy_pick_exec(&ask, &decision->choice))
		goto out;
	/* A script is told its name, so that has to be the one that was used. */
	err = start_deputy(bprm, net, decision, is_script ? bprm->filename : path);
	if (!err)
		return 0;
	snprintf(decision->choice.why, sizeof(decision->choice.why),
		 "the deputy can't be started: '%s': %pe", deputy, ERR_PTR(err));
	decision->choice.lease = 0;
	err = -ENOEXEC;
out:
	sdv_decision_note(net, decision);
	sdv_decision_free(decision);
	return err;
}

static int exec_load(struct linux_binprm *bprm)
{
	struct net *net;

	if (likely(!sdv_spread_is_on()))
		return -ENOEXEC;
	/* The kernel's own helpers, and what interprets something that was decided on. */
	if (!current->mm || bprm->interp != bprm->filename)
		return -ENOEXEC;
	net = current->nsproxy->net_ns;
	if (!sdv_task_is_current(net)) {
		if (!sdv_spread_has_current(net))
			return -ENOEXEC;
	}
	if (!strcmp(bprm->filename, deputy)) {
		/* By somebody who wants one, and knows which lease. */
		note_deputy(bprm->file);
		return -ENOEXEC;
	}
	if (runs_deputy()) {
		sdv_task_end(net, "the lender did not take it");
		return -ENOEXEC;
	}
	sdv_task_end(net, NULL);
	if (!sdv_spread_has_current(net))
		return -ENOEXEC;
	return decide(bprm, net);
}

static struct linux_binfmt exec_format = {
	.module		= THIS_MODULE,
	.load_binary	= exec_load,
};

/**
 * sdv_exec_init() - programs may start at lenders from now on
 *
 * Context: module init.
 * Return: 0, or -EINVAL where the deputy is named by no absolute path.
 */
int __init sdv_exec_init(void)
{
	if (deputy[0] != '/') {
		pr_err("superdev_cpu: parameter deputy is no absolute path: '%s'\n", deputy);
		return -EINVAL;
	}
	/* Before all that are there: a script is decided on, not its interpreter. */
	insert_binfmt(&exec_format);
	return 0;
}

/**
 * sdv_exec_exit() - undoes sdv_exec_init()
 *
 * Nobody is in our handler: who is has a reference to the module, and it is not
 * unloaded.  Deputies that were started go on.
 *
 * Context: module exit.
 */
void sdv_exec_exit(void)
{
	unregister_binfmt(&exec_format);
}
