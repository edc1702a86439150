// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote-inode.c: the pseudo file system that remote files are in, so that fstat()
 * and /proc/PID/fd tell what they are at home; and how a file comes and goes.
 *
 * A file that NEW made has an inode, which lasts as long as anybody holds it: the
 * file, an O_PATH descriptor, or the same file opened once more by /proc/PID/fd.
 * Home's file is released when the inode ends; one that was opened once more, when its
 * struct file does.
 */
#include <linux/cred.h>
#include <linux/dcache.h>
#include <linux/file.h>
#include <linux/kdev_t.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/poll.h>
#include <linux/pseudo_fs.h>
#include <linux/slab.h>
#include <linux/stat.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "remote.h"
#include "remote-check.h"

#define REMOTE_FS_MAGIC	0x73647672	/* "sdvr" */

static struct kmem_cache *file_cache;

/* Files -------------------------------------------------------------------------- */

static struct sdv_remote_file *file_alloc(struct sdv_remote_channel *channel, u64 cookie, u32 kind)
{
	struct sdv_remote_file *rf;

	rf = kmem_cache_zalloc(file_cache, GFP_KERNEL);
	if (!rf)
		return NULL;
	kref_init(&rf->refs);
	sdv_remote_channel_get(channel);
	rf->channel = channel;
	rf->cookie = cookie;
	rf->kind = kind;
	INIT_HLIST_NODE(&rf->node);
	init_waitqueue_head(&rf->wait);
	init_waitqueue_head(&rf->ask_wait);
	sdv_remote_request_embed(&rf->poll, rf, SUPERDEV_REMOTE_POLL);
	sdv_remote_request_embed(&rf->release, rf, SUPERDEV_REMOTE_RELEASE);
	return rf;
}

static void file_free(struct kref *refs)
{
	struct sdv_remote_file *rf = container_of(refs, struct sdv_remote_file, refs);

	sdv_remote_channel_put(rf->channel);
	kfree(rf->name);
	kmem_cache_free(file_cache, rf);
}

/**
 * sdv_remote_file_put() - drops a reference
 * @rf: the file
 *
 * Context: process, may sleep.
 */
void sdv_remote_file_put(struct sdv_remote_file *rf)
{
	kref_put(&rf->refs, file_free);
}

/* Makes its cookie known to the channel, which has no reference. */
static int file_add(struct sdv_remote_file *rf)
{
	struct sdv_remote_channel *channel = rf->channel;
	struct sdv_remote_file *other;
	int error = 0;

	spin_lock(&channel->lock);
	if (!rf->cookie)
		rf->cookie = SUPERDEV_REMOTE_COOKIE_OURS | ++channel->last_cookie;
	rf->poll.ask.cookie = rf->cookie;
	rf->release.ask.cookie = rf->cookie;
	hash_for_each_possible(channel->files, other, node, rf->cookie) {
		if (other->cookie == rf->cookie)
			error = -EEXIST;
	}
	if (channel->nr_files >= SUPERDEV_REMOTE_FILES_MAX)
		error = error ?: -ENOSPC;
	if (!error) {
		channel->nr_files++;
		hash_add(channel->files, &rf->node, rf->cookie);
	}
	spin_unlock(&channel->lock);
	return error;
}

/* From here on the worker will be told of the end of @rf. */
static void file_announce(struct sdv_remote_file *rf)
{
	spin_lock(&rf->channel->lock);
	rf->is_announced = true;
	spin_unlock(&rf->channel->lock);
}

/**
 * sdv_remote_file_release() - nobody uses the file any more, and home hears of it
 * @rf: the file; the caller's reference is dropped
 *
 * Requests of it may be under way: those of killed askers, and POLL.
 *
 * Context: process, may sleep, waits for nobody.
 */
void sdv_remote_file_release(struct sdv_remote_file *rf)
{
	struct sdv_remote_channel *channel = rf->channel;

	spin_lock(&channel->lock);
	if (!hlist_unhashed(&rf->node)) {
		hash_del(&rf->node);
		channel->nr_files--;
		if (rf->is_announced)
			sdv_remote_post_locked(&rf->release);
	}
	spin_unlock(&channel->lock);
	sdv_remote_file_put(rf);
}

/* Inodes ------------------------------------------------------------------------- */

static void inode_take_attr(struct inode *inode, struct kstat *stat,
			    const struct superdev_remote_attr *attr, struct user_namespace *ns)
{
	stat->mode = (stat->mode & S_IFMT) | attr->mode;
	stat->nlink = attr->nlink;
	stat->uid = make_kuid(ns, attr->uid);
	stat->gid = make_kgid(ns, attr->gid);
	stat->size = attr->size;
	stat->blocks = attr->blocks;
	stat->blksize = attr->blksize;
	stat->atime = (struct timespec64) { attr->atime, attr->atime_ns };
	stat->mtime = (struct timespec64) { attr->mtime, attr->mtime_ns };
	stat->ctime = (struct timespec64) { attr->ctime, attr->ctime_ns };
	/* What copy_file_range() takes for the end. */
	i_size_write(inode, attr->size);
}

static int remote_getattr(struct mnt_idmap *idmap, const struct path *path, struct kstat *stat,
			  u32 request_mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	struct sdv_remote_file *rf = inode->i_private;
	struct sdv_remote_request *req;
	int error;

	generic_fillattr(idmap, request_mask, inode, stat);
	if (rf->ino) {
		stat->dev = rf->dev;
		stat->ino = rf->ino;
	}
	if (rf->kind != SUPERDEV_REMOTE_FILE || flags & AT_STATX_DONT_SYNC)
		return 0;
	req = sdv_remote_request_alloc(rf, SUPERDEV_REMOTE_GETATTR,
				       sizeof(struct superdev_remote_attr));
	if (IS_ERR(req))
		return PTR_ERR(req);
	req->ask.length = sizeof(struct superdev_remote_attr);
	error = sdv_remote_ask(req, false);
	if (!error)
		error = sdv_remote_attr_check(req->data);
	if (!error)
		inode_take_attr(inode, stat, req->data, rf->channel->cred->user_ns);
	sdv_remote_request_put(req);
	return error;
}

/* ftruncate(), and open() with O_TRUNC; nothing else can be changed from here. */
static int remote_setattr(struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct sdv_remote_file *rf;
	struct sdv_remote_request *req;
	int error;

	if (!(attr->ia_valid & ATTR_SIZE) || !(attr->ia_valid & ATTR_FILE))
		return -EOPNOTSUPP;
	rf = attr->ia_file->private_data;
	req = sdv_remote_request_alloc(rf, SUPERDEV_REMOTE_TRUNCATE, 0);
	if (IS_ERR(req))
		return PTR_ERR(req);
	req->ask.offset = attr->ia_size;
	error = sdv_remote_ask(req, false);
	if (!error)
		i_size_write(inode, attr->ia_size);
	sdv_remote_request_put(req);
	return error;
}

static const struct inode_operations remote_iops = {
	.getattr	= remote_getattr,
	.setattr	= remote_setattr,
};

static const char *kind_name(u32 kind)
{
	switch (kind) {
	case SUPERDEV_REMOTE_TTY:
		return "tty";
	case SUPERDEV_REMOTE_PIPE:
		return "pipe";
	case SUPERDEV_REMOTE_SOCKET:
		return "socket";
	case SUPERDEV_REMOTE_FILE:
		return "file";
	default:
		return "chr";
	}
}

/* What /proc/PID/fd shows; the kernel's own helper stops at 64 bytes. */
static char *remote_dname(struct dentry *dentry, char *buffer, int buflen)
{
	struct inode *inode = d_inode(dentry);
	struct sdv_remote_file *rf = inode->i_private;
	char standard[32];
	const char *name = rf->name;
	size_t length;

	if (!name) {
		snprintf(standard, sizeof(standard), "remote-%s:[%llu]", kind_name(rf->kind),
			 (u64)inode->i_ino);
		name = standard;
	}
	length = strlen(name) + 1;
	if (length > buflen)
		return ERR_PTR(-ENAMETOOLONG);
	return memcpy(buffer + buflen - length, name, length);
}

static const struct dentry_operations remote_dops = {
	.d_dname	= remote_dname,
};

static void remote_evict_inode(struct inode *inode)
{
	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	/* The root has none, nor has an inode of which nothing became. */
	if (inode->i_private)
		sdv_remote_file_release(inode->i_private);
}

static const struct super_operations remote_sops = {
	.statfs		= simple_statfs,
	.evict_inode	= remote_evict_inode,
};

static int remote_init_fs_context(struct fs_context *fc)
{
	struct pseudo_fs_context *ctx = init_pseudo(fc, REMOTE_FS_MAGIC);

	if (!ctx)
		return -ENOMEM;
	ctx->ops = &remote_sops;
	ctx->dops = &remote_dops;
	/* Our character devices open by our own operations, whatever their numbers. */
	fc->s_iflags &= ~SB_I_NODEV;
	return 0;
}

/* Not to be found by name, so it is not registered. */
static struct file_system_type remote_fs = {
	.name			= "superdev_remote",
	.owner			= THIS_MODULE,
	.init_fs_context	= remote_init_fs_context,
	.kill_sb		= kill_anon_super,
};

/*
 * The mount, and channels that hold it; both under a lock of the kernel's.  A mount that
 * lasted as long as the module would hold the module for ever.
 */
static struct vfsmount *remote_mnt;
static int remote_mnt_count;

/**
 * sdv_remote_fs_get() - the file system is there until it is put
 *
 * Context: process, may sleep.
 * Return: 0 or -errno.
 */
int sdv_remote_fs_get(void)
{
	return simple_pin_fs(&remote_fs, &remote_mnt, &remote_mnt_count);
}

/**
 * sdv_remote_fs_put() - undoes sdv_remote_fs_get()
 *
 * Context: process, may sleep.
 */
void sdv_remote_fs_put(void)
{
	simple_release_fs(&remote_mnt, &remote_mnt_count);
}

/* Files come -------------------------------------------------------------------- */

static umode_t kind_mode(u32 kind)
{
	switch (kind) {
	case SUPERDEV_REMOTE_PIPE:
		return S_IFIFO;
	case SUPERDEV_REMOTE_SOCKET:
		return S_IFSOCK;
	case SUPERDEV_REMOTE_FILE:
		return S_IFREG;
	default:
		return S_IFCHR;
	}
}

/* Return: an inode that has @rf, reference and all, or an error. */
static struct inode *inode_new(struct sdv_remote_file *rf, const struct superdev_remote_new *new)
{
	struct user_namespace *ns = rf->channel->cred->user_ns;
	struct inode *inode = new_inode(remote_mnt->mnt_sb);

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->i_ino = get_next_ino();
	inode->i_mode = kind_mode(new->kind) | new->mode;
	inode->i_uid = make_kuid(ns, new->uid);
	inode->i_gid = make_kgid(ns, new->gid);
	if (!uid_valid(inode->i_uid) || !gid_valid(inode->i_gid)) {
		iput(inode);
		return ERR_PTR(-EINVAL);
	}
	if (S_ISCHR(inode->i_mode))
		inode->i_rdev = MKDEV(new->rdev_major, new->rdev_minor);
	if (S_ISREG(inode->i_mode))
		i_size_write(inode, new->size);
	simple_inode_init_ts(inode);
	inode->i_op = &remote_iops;
	inode->i_fop = sdv_remote_fops(new->kind);
	inode->i_private = rf;
	return inode;
}

static int file_name(struct sdv_remote_file *rf, const struct superdev_remote_new *new)
{
	char *name;

	if (!new->name)
		return 0;
	name = memdup_user_nul(u64_to_user_ptr(new->name), new->name_length);
	if (IS_ERR(name))
		return PTR_ERR(name);
	rf->name = name;
	return strlen(name) == new->name_length ? 0 : -EINVAL;
}

/* Return: a file of a new inode; the worker does not know yet that there is one. */
static struct file *file_new(struct sdv_remote_channel *channel,
			     const struct superdev_remote_new *new)
{
	struct sdv_remote_file *rf;
	struct inode *inode;
	struct file *file;
	int error;

	rf = file_alloc(channel, new->cookie, new->kind);
	if (!rf)
		return ERR_PTR(-ENOMEM);
	rf->dev = MKDEV(new->dev_major, new->dev_minor);
	rf->ino = new->ino;
	error = file_name(rf, new) ?: file_add(rf);
	if (error)
		goto err_release;
	inode = inode_new(rf, new);
	if (IS_ERR(inode)) {
		error = PTR_ERR(inode);
		goto err_release;
	}

	/* A file that is put puts the module. */
	__module_get(THIS_MODULE);
	file = alloc_file_pseudo(inode, remote_mnt, "remote",
				 new->flags & (O_ACCMODE | O_APPEND | O_NONBLOCK),
				 sdv_remote_fops(new->kind));
	if (IS_ERR(file)) {
		module_put(THIS_MODULE);
		iput(inode);
		return file;
	}
	kref_get(&rf->refs);
	file->private_data = rf;
	sdv_remote_file_mode(file);
	return file;

err_release:
	sdv_remote_file_release(rf);
	return ERR_PTR(error);
}

/**
 * sdv_remote_new() - a descriptor of the current task for a file of home
 * @channel: whose worker serves it
 * @new: passed sdv_remote_new_check()
 *
 * Context: process, in a call on the channel.
 * Return: the descriptor, or -EINVAL, -EEXIST, -EMFILE, -ENFILE, -ENOMEM, -ENOSPC
 * or -EFAULT, as in uapi/superdev_cpu.h.
 */
int sdv_remote_new(struct sdv_remote_channel *channel, const struct superdev_remote_new *new)
{
	struct file *file;
	int fd;

	fd = get_unused_fd_flags(new->flags & O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = file_new(channel, new);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	file_announce(file->private_data);
	fd_install(fd, file);
	return fd;
}

/**
 * sdv_remote_open() - home's file is opened once more, by way of /proc/PID/fd
 * @inode: of a remote file
 * @file: new
 *
 * Context: the open operation of the file.
 * Return: 0, -ENXIO for a socket, as everywhere, or an error of sdv_remote_ask().
 */
int sdv_remote_open(struct inode *inode, struct file *file)
{
	struct sdv_remote_file *first = inode->i_private, *rf;
	struct sdv_remote_request *req;
	int error;

	if (first->kind == SUPERDEV_REMOTE_SOCKET)
		return -ENXIO;
	rf = file_alloc(first->channel, 0, first->kind);
	if (!rf)
		return -ENOMEM;
	error = file_add(rf);
	if (error)
		goto err_release;
	req = sdv_remote_request_alloc(first, SUPERDEV_REMOTE_OPEN, 0);
	if (IS_ERR(req)) {
		error = PTR_ERR(req);
		goto err_release;
	}
	req->ask.argument = rf->cookie;
	req->ask.command = file->f_flags & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_NOCTTY);
	/* Of all these only a pipe may have to wait for its other end. */
	error = sdv_remote_ask(req, rf->kind == SUPERDEV_REMOTE_PIPE);
	sdv_remote_request_put(req);
	if (error)
		goto err_release;
	file_announce(rf);
	file->private_data = rf;
	sdv_remote_file_mode(file);
	return 0;

err_release:
	sdv_remote_file_release(rf);
	return error;
}

/**
 * sdv_remote_inode_init() - files can be made
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int sdv_remote_inode_init(void)
{
	file_cache = kmem_cache_create("superdev_remote_file", sizeof(struct sdv_remote_file), 0,
				       SLAB_ACCOUNT, NULL);
	return file_cache ? 0 : -ENOMEM;
}

/**
 * sdv_remote_inode_exit() - undoes sdv_remote_inode_init()
 *
 * Context: module exit; no file is left, or the kernel complains.
 */
void sdv_remote_inode_exit(void)
{
	kmem_cache_destroy(file_cache);
}
