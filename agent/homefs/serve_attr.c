// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serve_attr.c: attributes of files, extended ones too, and of file systems.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef AT_EACCESS
#define AT_EACCESS 0x200
#endif

#define STATX_WANTED  (STATX_BASIC_STATS | STATX_BTIME)
#define INO_DEV_SHIFT 48

/*
 * The lender's kernel has one file system where home may have several, and
 * programs take equal inode numbers for the same file.
 */
static uint64_t ino_make(struct sdv_serve *serve, const struct statx *stx)
{
	dev_t dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
	unsigned int i;

	pthread_mutex_lock(&serve->lock);
	for (i = 0; i < serve->nr_devices && serve->devices[i] != dev; i++)
		;
	if (i == serve->nr_devices && i < SDV_DEVICES_MAX)
		serve->devices[serve->nr_devices++] = dev;
	pthread_mutex_unlock(&serve->lock);
	return stx->stx_ino ^ (uint64_t)i << INO_DEV_SHIFT;
}

/* Asks the kernel, which knows of ACLs, capabilities, security modules and read-only mounts. */
static uint32_t access_look(int dir_fd, const char *name, uint32_t type, int flags)
{
	uint32_t access = 0;

	if (type == S_IFLNK)
		return R_OK | W_OK | X_OK;
	flags |= AT_EACCESS | AT_SYMLINK_NOFOLLOW;
	for (uint32_t bit = X_OK; bit <= R_OK; bit <<= 1)
		if (!syscall(SYS_faccessat2, dir_fd, name, bit, flags))
			access |= bit;
	return access;
}

static void attr_fill(struct sdv_serve *serve, const struct statx *stx, uint32_t access,
		      struct sdv_fs_attr *ret_attr)
{
	*ret_attr = (struct sdv_fs_attr){
		.ino = ino_make(serve, stx),
		.size = stx->stx_size,
		.blocks = stx->stx_blocks,
		.atime = stx->stx_atime.tv_sec,
		.mtime = stx->stx_mtime.tv_sec,
		.ctime = stx->stx_ctime.tv_sec,
		.atime_nsec = stx->stx_atime.tv_nsec,
		.mtime_nsec = stx->stx_mtime.tv_nsec,
		.ctime_nsec = stx->stx_ctime.tv_nsec,
		.mode = stx->stx_mode,
		.nlink = stx->stx_nlink,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.rdev = (uint32_t)makedev(stx->stx_rdev_major, stx->stx_rdev_minor),
		.blksize = stx->stx_blksize,
		.access = access,
	};
	if (ret_attr->size > INT64_MAX)
		ret_attr->size = INT64_MAX;
}

/*
 * Most files have none, and the lender's kernel asks before every first write
 * whether there are capabilities.  @name is in @dir_fd, or empty.
 */
static bool has_no_xattr(int dir_fd, const char *name, uint32_t type)
{
	char path[64 + SUPERDEV_FS_NAME_MAX];

	if (type == S_IFLNK)
		return true;
	snprintf(path, sizeof(path), "/proc/self/fd/%d%s%s", dir_fd, *name ? "/" : "", name);
	return !(*name ? llistxattr(path, NULL, 0) : listxattr(path, NULL, 0));
}

static void lease_set(struct sdv_serve *serve, struct sdv_node *node)
{
	pthread_mutex_lock(&serve->lock);
	node->is_leased = true;
	pthread_mutex_unlock(&serve->lock);
}

/*
 * Will a change of @node be noticed?  By its own mark, if it is a directory or
 * has several names; else by that of the directory it is in.
 */
static bool is_watched(struct sdv_serve *serve, struct sdv_node *node, const struct statx *stx,
		       bool *ret_is_new)
{
	bool is_lost;

	*ret_is_new = false;
	if (node->type == S_IFDIR || stx->stx_nlink > 1)
		return sdv_watch_node(serve, node, ret_is_new);
	pthread_mutex_lock(&serve->lock);
	is_lost = node->is_lost || !node->parent || node->parent->mark != SDV_MARK_SET;
	pthread_mutex_unlock(&serve->lock);
	return !is_lost;
}

int sdv_attr_look(struct sdv_serve *serve, struct sdv_node *node, struct sdv_fs_attr *ret_attr)
{
	int fd = sdv_node_path(serve, node);
	bool is_new, is_leased;
	struct statx stx;

	if (fd < 0)
		return fd;
	/* The lease comes before the look: see serve_watch.c. */
	lease_set(serve, node);
	do {
		if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_WANTED, &stx) < 0)
			return -errno;
		is_leased = is_watched(serve, node, &stx, &is_new);
	} while (is_new);
	attr_fill(serve, &stx, access_look(fd, "", node->type, AT_EMPTY_PATH), ret_attr);
	if (has_no_xattr(fd, "", node->type))
		ret_attr->flags |= SUPERDEV_FS_A_NO_XATTR;
	if (is_leased)
		ret_attr->flags |= SUPERDEV_FS_A_LEASED;
	return 0;
}

bool sdv_attr_may_name(struct sdv_serve *serve, struct sdv_node *dir)
{
	bool is_new;

	/* What is hidden from the lender does not appear, whatever happens at home. */
	return dir->is_closed || sdv_watch_node(serve, dir, &is_new);
}

int sdv_attr_entry(struct sdv_serve *serve, struct sdv_node *dir, const char *name,
		   struct sdv_fs_entry *ret_entry)
{
	int dir_fd = sdv_node_path(serve, dir), r;
	bool has_names, is_leased = false, is_new = true;
	struct sdv_node *node = NULL;
	struct statx stx;

	if (dir_fd < 0)
		return dir_fd;
	has_names = sdv_attr_may_name(serve, dir);
	while (is_new) {
		if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_WANTED, &stx) < 0) {
			r = -errno;
			if (node)
				sdv_node_forget(serve, node->number, 1);
			sdv_node_put(serve, node);
			return r;
		}
		if (!node) {
			r = sdv_node_tell(serve, dir, name, &stx, &node);
			if (r)
				return r;
		}
		lease_set(serve, node);
		/*
		 * Directories are not marked here: most are never looked into.  Until
		 * then their attributes are not leased.
		 */
		if (node->type == S_IFDIR && node->mark != SDV_MARK_SET) {
			is_leased = false;
			break;
		}
		is_leased = is_watched(serve, node, &stx, &is_new);
	}
	ret_entry->node = node->number;
	attr_fill(serve, &stx, access_look(dir_fd, name, node->type, 0), &ret_entry->attr);
	if (has_no_xattr(dir_fd, name, node->type))
		ret_entry->attr.flags |= SUPERDEV_FS_A_NO_XATTR;
	if (is_leased)
		ret_entry->attr.flags |= SUPERDEV_FS_A_LEASED;
	if (has_names)
		ret_entry->attr.flags |= SUPERDEV_FS_A_NAMED;
	sdv_node_put(serve, node);
	return 0;
}

static int attr_answer(struct sdv_work *work, struct sdv_node *node)
{
	struct sdv_fs_attr attr;
	int r = sdv_attr_look(work->serve, node, &attr);

	if (r)
		return r;
	sdv_fs_attr_store(work->out, &attr);
	work->out_len = sizeof(struct superdev_fs_attr);
	return 0;
}

int sdv_do_getattr(struct sdv_work *work)
{
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);
	int r = node ? attr_answer(work, node) : -ESTALE;

	sdv_node_put(work->serve, node);
	return r;
}

static struct timespec time_of(const struct sdv_fs_setattr *set, bool is_mtime)
{
	uint32_t given = is_mtime ? SUPERDEV_FS_S_MTIME : SUPERDEV_FS_S_ATIME;
	uint32_t now = is_mtime ? SUPERDEV_FS_S_MTIME_NOW : SUPERDEV_FS_S_ATIME_NOW;

	if (set->valid & now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (!(set->valid & given))
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	return is_mtime ? (struct timespec){ set->mtime, set->mtime_nsec }
			: (struct timespec){ set->atime, set->atime_nsec };
}

static int attr_set(struct sdv_serve *serve, struct sdv_node *node, const struct sdv_fs_setattr *set)
{
	const uint32_t times =
		SUPERDEV_FS_S_ATIME | SUPERDEV_FS_S_MTIME | SUPERDEV_FS_S_ATIME_NOW | SUPERDEV_FS_S_MTIME_NOW;
	uid_t uid = set->valid & SUPERDEV_FS_S_UID ? set->uid : (uid_t)-1;
	gid_t gid = set->valid & SUPERDEV_FS_S_GID ? set->gid : (gid_t)-1;
	int fd = sdv_node_path(serve, node);
	char path[64];

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (set->valid & SUPERDEV_FS_S_SIZE) {
		int io_fd = sdv_node_io(serve, node, true);

		if (io_fd < 0)
			return io_fd;
		if (ftruncate(io_fd, (off_t)set->size) < 0)
			return -errno;
	}
	/* Owner before mode: the kernel takes set-id bits away with it. */
	if (set->valid & (SUPERDEV_FS_S_UID | SUPERDEV_FS_S_GID) &&
	    fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if (set->valid & SUPERDEV_FS_S_MODE) {
		if (node->type == S_IFLNK)
			return -EOPNOTSUPP;
		if (chmod(path, set->mode) < 0)
			return -errno;
	}
	if (set->valid & times) {
		struct timespec both[2] = { time_of(set, false), time_of(set, true) };

		if (utimensat(fd, "", both, AT_EMPTY_PATH) < 0)
			return -errno;
	}
	return 0;
}

int sdv_do_setattr(struct sdv_work *work)
{
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);
	struct sdv_fs_setattr set;
	int r = sdv_fs_setattr_load(work->request.data, &set);

	if (!node)
		return -ESTALE;
	if (!r)
		r = sdv_node_may_change(node);
	if (!r)
		r = attr_set(work->serve, node, &set);
	if (!r)
		r = attr_answer(work, node);
	sdv_node_put(work->serve, node);
	return r;
}

int sdv_do_statfs(struct sdv_work *work)
{
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);
	struct sdv_fs_statfs fs;
	struct statvfs vfs;
	int fd, r = 0;

	if (!node)
		return -ESTALE;
	fd = sdv_node_path(work->serve, node);
	if (fd < 0)
		r = fd;
	else if (fstatvfs(fd, &vfs) < 0)
		r = -errno;
	sdv_node_put(work->serve, node);
	if (r)
		return r;
	fs = (struct sdv_fs_statfs){
		.blocks = vfs.f_blocks,
		.bfree = vfs.f_bfree,
		.bavail = vfs.f_bavail,
		.files = vfs.f_files,
		.ffree = vfs.f_ffree,
		.bsize = (uint32_t)vfs.f_frsize,
		.namelen = (uint32_t)vfs.f_namemax,
	};
	sdv_fs_statfs_store(work->out, &fs);
	work->out_len = sizeof(struct superdev_fs_statfs);
	return 0;
}

/*
 * Extended attributes go by a path, because there is no call for O_PATH
 * descriptors.  On a symbolic link, the path would be followed: those have none
 * that a user may set.
 */
static int xattr_path(struct sdv_work *work, bool is_change, char *ret_path, size_t size,
		      struct sdv_node **ret_node)
{
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);
	int fd, r;

	if (!node)
		return -ESTALE;
	fd = sdv_node_path(work->serve, node);
	r = fd < 0 ? fd : 0;
	if (!r && (node->type == S_IFLNK || node->is_closed))
		r = -EOPNOTSUPP;
	if (!r && is_change)
		r = sdv_node_may_change(node);
	if (r) {
		sdv_node_put(work->serve, node);
		return r;
	}
	snprintf(ret_path, size, "/proc/self/fd/%d", fd);
	*ret_node = node;
	return 0;
}

static int xattr_end(struct sdv_work *work, struct sdv_node *node, ssize_t result, bool has_data)
{
	int r = result < 0 ? -errno : 0;

	if (!r && has_data)
		work->out_len = (uint32_t)result;
	sdv_node_put(work->serve, node);
	return r;
}

int sdv_do_getxattr(struct sdv_work *work)
{
	struct sdv_node *node;
	char path[64];
	int r = xattr_path(work, false, path, sizeof(path), &node);

	if (r)
		return r;
	return xattr_end(work, node, getxattr(path, work->request.name, work->out, SUPERDEV_FS_XATTR_MAX),
			 true);
}

int sdv_do_listxattr(struct sdv_work *work)
{
	struct sdv_node *node;
	char path[64];
	int r = xattr_path(work, false, path, sizeof(path), &node);

	if (r)
		return r;
	return xattr_end(work, node, listxattr(path, (char *)work->out, SUPERDEV_FS_XATTR_MAX), true);
}

int sdv_do_setxattr(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	int flags = (request->flags & SUPERDEV_FS_X_CREATE ? XATTR_CREATE : 0) |
		    (request->flags & SUPERDEV_FS_X_REPLACE ? XATTR_REPLACE : 0);
	struct sdv_node *node;
	char path[64];
	int r = xattr_path(work, true, path, sizeof(path), &node);

	if (r)
		return r;
	return xattr_end(work, node, setxattr(path, request->name, request->data, request->data_len, flags),
			 false);
}

int sdv_do_removexattr(struct sdv_work *work)
{
	struct sdv_node *node;
	char path[64];
	int r = xattr_path(work, true, path, sizeof(path), &node);

	if (r)
		return r;
	return xattr_end(work, node, removexattr(path, work->request.name), false);
}
