// SPDX-License-Identifier: GPL-2.0-only
/*
 * exec-check.c: which programs stay here whatever a policy says.
 *
 * What a deputy would start in another way than execve() does has to stay, and so
 * has what a lender can't run.  Of the process itself, core judges.  exec.c asks
 * once for each execve().
 */
#include <linux/binfmts.h>
#include <linux/elf.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/string.h>
#include <linux/xattr.h>

#include "exec.h"

/* Return: NULL, or why the rights that a start of @file gives differ from its starter's. */
static const char *gains_rights(struct file *file)
{
	struct inode *inode = file_inode(file);
	ssize_t len;

	if (inode->i_mode & (S_ISUID | S_ISGID))
		return "it is set-user-ID or set-group-ID";
	len = __vfs_getxattr(file_dentry(file), inode, XATTR_NAME_CAPS, NULL, 0);
	if (len != -ENODATA && len != -EOPNOTSUPP)
		return "it carries capabilities";
	/* A deputy can be looked into, this could not. */
	if (inode_permission(file_mnt_idmap(file), inode, MAY_READ))
		return "it can't be read";
	return NULL;
}

/* @buf: the first BINPRM_BUF_SIZE bytes of a file, zeroes behind its end. */
static bool is_native(const char *buf)
{
	const struct elfhdr *header = (const struct elfhdr *)buf;

	return !memcmp(header->e_ident, ELFMAG, SELFMAG) &&
	       header->e_ident[EI_CLASS] == ELF_CLASS && header->e_ident[EI_DATA] == ELF_DATA &&
	       (header->e_type == ET_EXEC || header->e_type == ET_DYN) &&
	       elf_check_arch(header) && header->e_phentsize == sizeof(struct elf_phdr) &&
	       header->e_phnum;
}

/*
 * The interpreter that a script names, in @ret_path; one that the kernel would read in
 * another way than this stays here.
 */
static bool script_interpreter(const char *buf, char ret_path[BINPRM_BUF_SIZE])
{
	const char *at = buf + 2, *end = buf + BINPRM_BUF_SIZE;
	size_t len = 0;

	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (at + len < end && at[len] && !strchr(" \t\n", at[len]))
		len++;
	/* A path that is cut off, or that depends on where it is named from. */
	if (at + len == end || !at[len] || *at != '/')
		return false;
	memcpy(ret_path, at, len);
	ret_path[len] = '\0';
	return true;
}

static const char *check_script(const char *buf)
{
	char *scratch __free(kfree) = kzalloc(2 * BINPRM_BUF_SIZE, GFP_KERNEL);
	char *head = scratch, *path = scratch + BINPRM_BUF_SIZE;
	struct file *file;
	const char *why;
	ssize_t len = 0;
	loff_t pos = 0;

	if (!scratch)
		return "there is no memory to look at it";
	if (!script_interpreter(buf, path))
		return "its first line is none that we read";
	/* That it can't be executed is for execve() to say. */
	file = open_exec(path);
	if (IS_ERR(file))
		return "its interpreter can't be executed";
	why = gains_rights(file);
	if (!why)
		len = kernel_read(file, head, BINPRM_BUF_SIZE, &pos);
	if (!why && (len < (ssize_t)sizeof(struct elfhdr) || !is_native(head)))
		why = "its interpreter is no program of this kind of machine";
	exe_file_allow_write_access(file);
	fput(file);
	return why;
}

/* Of how it is started, and named. */
static const char *check_start(const struct linux_binprm *bprm)
{
	struct dentry *dentry = file_dentry(bprm->file);

	if (bprm->unsafe & LSM_UNSAFE_PTRACE)
		return "it is traced";
	if (bprm->unsafe & LSM_UNSAFE_SHARE)
		return "its working directory is that of another process, too";
	if (bprm->fdpath || d_unlinked(dentry))
		return "no path leads to it";
	return NULL;
}

/**
 * sdv_exec_check() - whether a program can be started at a lender at all
 * @bprm: what is started, looked at for the first time
 * @ret_is_script: set to whether its name is an argument of its interpreter
 *
 * Context: process.  Sleeps.
 * Return: NULL: it can; else the reason, for people, for ever.
 */
const char *sdv_exec_check(const struct linux_binprm *bprm, bool *ret_is_script)
{
	const char *why = check_start(bprm);

	if (!why)
		why = gains_rights(bprm->file);
	if (why)
		return why;
	*ret_is_script = bprm->buf[0] == '#' && bprm->buf[1] == '!';
	if (*ret_is_script)
		return check_script(bprm->buf);
	return is_native(bprm->buf) ? NULL : "it is no program of this kind of machine";
}
