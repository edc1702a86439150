// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_fuse.c: the one file that knows libfuse.
 *
 * Turns what the kernel asks into sdv_on_ functions, under the lock, and their
 * answers into replies.  The kernel's number of a file is its address here; it
 * is used only between the first lookup that was answered and the last forget.
 */
#define FUSE_USE_VERSION 35
#include <fuse_lowlevel.h>

#include "mount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FUSE_THREADS 3u
#define PIECE        (64u << 10)
/* "For ever": home tells. */
#define KEPT_S       1e9

static struct sdv_mount *mount_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static struct sdv_file *file_of(const struct sdv_mount *mount, fuse_ino_t id)
{
	return id == FUSE_ROOT_ID ? mount->root : (struct sdv_file *)(uintptr_t)id;
}

uint64_t sdv_fuse_id(const struct sdv_mount *mount, const struct sdv_file *file)
{
	return file == mount->root ? FUSE_ROOT_ID : (uintptr_t)file;
}

static struct sdv_open *open_of(const struct fuse_file_info *fi)
{
	return (struct sdv_open *)(uintptr_t)fi->fh;
}

/* Answers ------------------------------------------------------------------- */

static uint32_t id_here(const struct sdv_mount *mount, uint32_t id)
{
	if (!mount->first_id)
		return id;
	return mount->first_id + (id < SDV_HOMEFS_NR_IDS ? id : SDV_HOMEFS_NOBODY);
}

/* False: it is no user or group of home's. */
static bool id_at_home(const struct sdv_mount *mount, uint32_t id, uint32_t *ret_id)
{
	*ret_id = id - mount->first_id;
	return !mount->first_id || *ret_id < SDV_HOMEFS_NR_IDS;
}

/*
 * What is best read and written at a time: here every piece costs a request, however small it is.
 */
static blksize_t blksize_here(const struct sdv_fs_attr *attr)
{
	return S_ISREG(attr->mode) && attr->blksize < PIECE ? (blksize_t)PIECE : (blksize_t)attr->blksize;
}

/*
 * In a namespace that has home's user alone, a file of another user is nobody's,
 * and the kernel lets nobody write to that.  So what home lets this user write
 * to is shown as this user's.
 */
static void stat_fill(const struct sdv_mount *mount, const struct sdv_fs_attr *attr, struct stat *ret_stat)
{
	bool is_shown_own = mount->is_alone && attr->access & 2;

	*ret_stat = (struct stat){
		.st_ino = attr->ino,
		.st_mode = attr->mode,
		.st_nlink = attr->nlink,
		.st_uid = is_shown_own ? mount->uid : id_here(mount, attr->uid),
		.st_gid = is_shown_own ? mount->gid : id_here(mount, attr->gid),
		.st_rdev = attr->rdev,
		.st_size = (off_t)attr->size,
		.st_blocks = (blkcnt_t)attr->blocks,
		.st_blksize = blksize_here(attr),
		.st_atim = { attr->atime, attr->atime_nsec },
		.st_mtim = { attr->mtime, attr->mtime_nsec },
		.st_ctim = { attr->ctime, attr->ctime_nsec },
	};
}

void sdv_answer_error(struct fuse_req *req, int error)
{
	fuse_reply_err(req, -error);
}

static void entry_fill(fuse_req_t req, struct sdv_file *file, const struct sdv_fs_attr *attr, bool keep_name,
		       bool keep_attr, struct fuse_entry_param *ret_entry)
{
	*ret_entry = (struct fuse_entry_param){ .entry_timeout = keep_name ? KEPT_S : 0 };
	if (!file)
		return;
	ret_entry->ino = sdv_fuse_id(mount_of(req), file);
	ret_entry->attr_timeout = keep_attr ? KEPT_S : 0;
	stat_fill(mount_of(req), attr, &ret_entry->attr);
}

void sdv_answer_entry(struct fuse_req *req, struct sdv_file *file, const struct sdv_fs_attr *attr,
		      bool keep_name, bool keep_attr)
{
	struct fuse_entry_param entry;

	entry_fill(req, file, attr, keep_name, keep_attr, &entry);
	if (file)
		file->lookups++;
	/* The one who asked is gone, and will not forget. */
	if (fuse_reply_entry(req, &entry) == -ENOENT && file)
		file->lookups--;
}

void sdv_answer_create(struct fuse_req *req, struct sdv_file *file, const struct sdv_fs_attr *attr,
		       bool keep_name, bool keep_attr, struct sdv_open *open)
{
	struct fuse_file_info fi = { .fh = (uintptr_t)open, .keep_cache = keep_attr };
	struct sdv_mount *mount = mount_of(req);
	struct fuse_entry_param entry;

	entry_fill(req, file, attr, keep_name, keep_attr, &entry);
	file->lookups++;
	if (fuse_reply_create(req, &entry, &fi) == -ENOENT) {
		file->lookups--;
		sdv_open_close(mount, open);
	}
}

void sdv_answer_attr(struct fuse_req *req, const struct sdv_fs_attr *attr, bool is_kept)
{
	struct stat st;

	stat_fill(mount_of(req), attr, &st);
	fuse_reply_attr(req, &st, is_kept ? KEPT_S : 0);
}

void sdv_answer_open(struct fuse_req *req, struct sdv_open *open, bool is_kept)
{
	struct sdv_mount *mount = mount_of(req);
	struct fuse_file_info fi = {
		.fh = (uintptr_t)open,
		.keep_cache = is_kept,
		.cache_readdir = is_kept,
		.noflush = open->is_quiet,
	};

	if (fuse_reply_open(req, &fi) == -ENOENT)
		sdv_open_close(mount, open);
}

void sdv_answer_data(struct fuse_req *req, const void *data, size_t len)
{
	fuse_reply_buf(req, data, len);
}

void sdv_answer_link(struct fuse_req *req, const char *target)
{
	fuse_reply_readlink(req, target);
}

void sdv_answer_count(struct fuse_req *req, size_t count)
{
	fuse_reply_write(req, count);
}

void sdv_answer_xattr_size(struct fuse_req *req, size_t size)
{
	fuse_reply_xattr(req, size);
}

void sdv_answer_offset(struct fuse_req *req, uint64_t offset)
{
	fuse_reply_lseek(req, (off_t)offset);
}

void sdv_answer_statfs(struct fuse_req *req, const struct sdv_fs_statfs *fs)
{
	struct statvfs vfs = {
		.f_bsize = fs->bsize,
		.f_frsize = fs->bsize,
		.f_blocks = fs->blocks,
		.f_bfree = fs->bfree,
		.f_bavail = fs->bavail,
		.f_files = fs->files,
		.f_ffree = fs->ffree,
		.f_favail = fs->ffree,
		.f_namemax = fs->namelen,
	};

	fuse_reply_statfs(req, &vfs);
}

void sdv_answer_lock(struct fuse_req *req, const struct sdv_fs_lock *lock)
{
	static const short types[] = { F_RDLCK, F_WRLCK, F_UNLCK };
	struct flock range = {
		.l_type = types[lock->type],
		.l_whence = SEEK_SET,
		.l_start = (off_t)lock->start,
		.l_len = lock->end == INT64_MAX ? 0 : (off_t)(lock->end - lock->start + 1),
		.l_pid = (pid_t)lock->pid,
	};

	fuse_reply_lock(req, &range);
}

void sdv_answer_list(struct fuse_req *req, const struct sdv_open *open, size_t size, uint64_t offset)
{
	char *buffer = malloc(size);
	size_t used = 0;

	if (!buffer) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	for (uint64_t i = offset; i < open->list_len; i++) {
		const struct sdv_listed *listed = &open->list[i];
		struct stat st = { .st_ino = listed->ino, .st_mode = listed->mode };
		size_t len =
			fuse_add_direntry(req, buffer + used, size - used, listed->name, &st, (off_t)(i + 1));

		if (len > size - used)
			break;
		used += len;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

static void interrupted(fuse_req_t req, void *data)
{
	sdv_call_cancel(mount_of(req), (uint32_t)(uintptr_t)data);
}

void sdv_answer_interruptible(struct fuse_req *req, uint32_t tag)
{
	fuse_req_interrupt_func(req, interrupted, (void *)(uintptr_t)tag);
}

void sdv_kernel_forget_name(struct sdv_mount *mount, uint64_t dir_id, const char *name)
{
	fuse_lowlevel_notify_inval_entry(mount->session, dir_id, name, strlen(name));
}

void sdv_kernel_forget_file(struct sdv_mount *mount, uint64_t id, bool has_data)
{
	fuse_lowlevel_notify_inval_inode(mount->session, id, has_data ? 0 : -1, 0);
}

/* Questions ----------------------------------------------------------------- */

/* Each begins so: the lock is held until the handler has returned. */
#define ENTER(req)                               \
	struct sdv_mount *mount = mount_of(req); \
	pthread_mutex_lock(&mount->lock)
#define LEAVE pthread_mutex_unlock(&mount->lock)

static void init(void *userdata, struct fuse_conn_info *conn)
{
	/* Attributes from home must not drop pages: what changed there is told. */
	const unsigned int wanted =
		FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_PARALLEL_DIROPS |
		FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_ASYNC_READ |
		FUSE_CAP_DONT_MASK |
		/* Home's kernel takes set-id bits and capabilities from what is written to. */
		FUSE_CAP_HANDLE_KILLPRIV_V2;
	const unsigned int unwanted = FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_READDIRPLUS |
				      FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_WRITEBACK_CACHE |
				      FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
				      FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_HANDLE_KILLPRIV;

	(void)userdata;
	conn->want |= wanted & conn->capable;
	conn->want &= ~unwanted;
	conn->max_write = SUPERDEV_FS_IO_MAX;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
	conn->time_gran = 1;
}

static void lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	ENTER(req);
	sdv_on_lookup(mount, req, file_of(mount, parent), name);
	LEAVE;
}

static void forget(fuse_req_t req, fuse_ino_t id, uint64_t lookups)
{
	ENTER(req);
	if (id != FUSE_ROOT_ID)
		sdv_file_forget(mount, file_of(mount, id), lookups);
	LEAVE;
	fuse_reply_none(req);
}

static void forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	ENTER(req);
	for (size_t i = 0; i < count; i++)
		if (forgets[i].ino != FUSE_ROOT_ID)
			sdv_file_forget(mount, file_of(mount, forgets[i].ino), forgets[i].nlookup);
	LEAVE;
	fuse_reply_none(req);
}

static void get_attr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)fi;
	ENTER(req);
	sdv_on_getattr(mount, req, file_of(mount, id));
	LEAVE;
}

static void set_attr(fuse_req_t req, fuse_ino_t id, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	static const struct {
		int theirs;
		uint32_t ours;
	} valid[] = {
		{ FUSE_SET_ATTR_MODE, SUPERDEV_FS_S_MODE },
		{ FUSE_SET_ATTR_UID, SUPERDEV_FS_S_UID },
		{ FUSE_SET_ATTR_GID, SUPERDEV_FS_S_GID },
		{ FUSE_SET_ATTR_SIZE, SUPERDEV_FS_S_SIZE },
		{ FUSE_SET_ATTR_ATIME, SUPERDEV_FS_S_ATIME },
		{ FUSE_SET_ATTR_MTIME, SUPERDEV_FS_S_MTIME },
		{ FUSE_SET_ATTR_ATIME_NOW, SUPERDEV_FS_S_ATIME_NOW },
		{ FUSE_SET_ATTR_MTIME_NOW, SUPERDEV_FS_S_MTIME_NOW },
	};
	struct sdv_fs_setattr set = {
		.mode = attr->st_mode & 07777,
		.size = (uint64_t)attr->st_size,
		.atime = attr->st_atim.tv_sec,
		.mtime = attr->st_mtim.tv_sec,
		.atime_nsec = (uint32_t)attr->st_atim.tv_nsec,
		.mtime_nsec = (uint32_t)attr->st_mtim.tv_nsec,
	};

	(void)fi;
	for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++)
		if (to_set & valid[i].theirs)
			set.valid |= valid[i].ours;
	/* The kernel leaves what it does not set as it was on its stack. */
	if (!(set.valid & SUPERDEV_FS_S_SIZE))
		set.size = 0;
	if (!(set.valid & SUPERDEV_FS_S_ATIME))
		set.atime_nsec = 0;
	if (!(set.valid & SUPERDEV_FS_S_MTIME))
		set.mtime_nsec = 0;
	ENTER(req);
	/* What is not set is 0. */
	if ((set.valid & SUPERDEV_FS_S_UID && !id_at_home(mount, attr->st_uid, &set.uid)) ||
	    (set.valid & SUPERDEV_FS_S_GID && !id_at_home(mount, attr->st_gid, &set.gid)))
		sdv_answer_error(req, -EINVAL);
	else
		sdv_on_setattr(mount, req, file_of(mount, id), &set);
	LEAVE;
}

static void read_link(fuse_req_t req, fuse_ino_t id)
{
	ENTER(req);
	sdv_on_readlink(mount, req, file_of(mount, id));
	LEAVE;
}

static void make_node(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	(void)rdev;
	/* A socket's other end could only be here, and a device is home's kernel's. */
	if (!S_ISREG(mode) && !S_ISFIFO(mode)) {
		fuse_reply_err(req, EPERM);
		return;
	}
	ENTER(req);
	sdv_on_make(mount, req, SUPERDEV_FS_MKNOD, file_of(mount, parent), name, mode,
		    fuse_req_ctx(req)->umask, NULL);
	LEAVE;
}

static void make_dir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	ENTER(req);
	sdv_on_make(mount, req, SUPERDEV_FS_MKDIR, file_of(mount, parent), name, mode & 07777,
		    fuse_req_ctx(req)->umask, NULL);
	LEAVE;
}

static void make_link(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	ENTER(req);
	sdv_on_make(mount, req, SUPERDEV_FS_SYMLINK, file_of(mount, parent), name, 0, 0, target);
	LEAVE;
}

static void unlink_name(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	ENTER(req);
	sdv_on_unlink(mount, req, SUPERDEV_FS_UNLINK, file_of(mount, parent), name);
	LEAVE;
}

static void remove_dir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	ENTER(req);
	sdv_on_unlink(mount, req, SUPERDEV_FS_RMDIR, file_of(mount, parent), name);
	LEAVE;
}

static void rename_name(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t parent2,
			const char *name2, unsigned int flags)
{
	ENTER(req);
	sdv_on_rename(mount, req, file_of(mount, parent), name, file_of(mount, parent2), name2, flags);
	LEAVE;
}

static void link_name(fuse_req_t req, fuse_ino_t id, fuse_ino_t parent, const char *name)
{
	ENTER(req);
	sdv_on_link(mount, req, file_of(mount, id), file_of(mount, parent), name);
	LEAVE;
}

static void open_file(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	ENTER(req);
	sdv_on_open(mount, req, file_of(mount, id), fi->flags);
	LEAVE;
}

static void create_file(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
			struct fuse_file_info *fi)
{
	ENTER(req);
	sdv_on_create(mount, req, file_of(mount, parent), name, mode, fuse_req_ctx(req)->umask, fi->flags);
	LEAVE;
}

static void read_file(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)fi;
	ENTER(req);
	sdv_on_read(mount, req, file_of(mount, id), size, (uint64_t)offset);
	LEAVE;
}

static void write_file(fuse_req_t req, fuse_ino_t id, const char *data, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	(void)id;
	ENTER(req);
	sdv_on_write(mount, req, open_of(fi), (const uint8_t *)data, size, (uint64_t)offset);
	LEAVE;
}

static void flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	ENTER(req);
	sdv_on_flush(mount, req, open_of(fi), fi->lock_owner);
	LEAVE;
}

static void release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	ENTER(req);
	sdv_on_release(mount, req, open_of(fi), fi->flock_release ? fi->lock_owner : 0, fi->flock_release);
	LEAVE;
}

static void sync_file(fuse_req_t req, fuse_ino_t id, int datasync, struct fuse_file_info *fi)
{
	(void)id;
	ENTER(req);
	sdv_on_fsync(mount, req, open_of(fi), datasync);
	LEAVE;
}

static void open_dir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	ENTER(req);
	sdv_on_opendir(mount, req, file_of(mount, id), fi->flags);
	LEAVE;
}

static void read_dir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi)
{
	(void)id;
	ENTER(req);
	sdv_on_readdir(mount, req, open_of(fi), size, (uint64_t)offset);
	LEAVE;
}

static void release_dir(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	(void)id;
	ENTER(req);
	sdv_answer_error(req, 0);
	sdv_open_free(mount, open_of(fi));
	LEAVE;
}

static void stat_fs(fuse_req_t req, fuse_ino_t id)
{
	ENTER(req);
	sdv_on_statfs(mount, req, file_of(mount, id));
	LEAVE;
}

static void set_xattr(fuse_req_t req, fuse_ino_t id, const char *name, const char *value, size_t size,
		      int flags)
{
	ENTER(req);
	sdv_on_setxattr(mount, req, file_of(mount, id), name, value, size, flags);
	LEAVE;
}

static void get_xattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t size)
{
	ENTER(req);
	sdv_on_getxattr(mount, req, file_of(mount, id), name, size);
	LEAVE;
}

static void list_xattr(fuse_req_t req, fuse_ino_t id, size_t size)
{
	ENTER(req);
	sdv_on_listxattr(mount, req, file_of(mount, id), size);
	LEAVE;
}

static void remove_xattr(fuse_req_t req, fuse_ino_t id, const char *name)
{
	ENTER(req);
	sdv_on_removexattr(mount, req, file_of(mount, id), name);
	LEAVE;
}

static void access_file(fuse_req_t req, fuse_ino_t id, int mask)
{
	ENTER(req);
	sdv_on_access(mount, req, file_of(mount, id), mask);
	LEAVE;
}

static void lock_do(fuse_req_t req, fuse_ino_t id, const struct fuse_file_info *fi, const struct flock *range,
		    uint8_t what)
{
	struct sdv_fs_lock lock = {
		.owner = fi->lock_owner,
		.start = (uint64_t)range->l_start,
		.end = range->l_len ? (uint64_t)(range->l_start + range->l_len - 1) : INT64_MAX,
		.type = range->l_type == F_RDLCK   ? SUPERDEV_FS_L_READ
			: range->l_type == F_WRLCK ? SUPERDEV_FS_L_WRITE
						   : SUPERDEV_FS_L_UNLOCK,
		.kind = SUPERDEV_FS_L_POSIX,
		.what = what,
	};

	ENTER(req);
	sdv_on_lock(mount, req, file_of(mount, id), open_of(fi), &lock);
	LEAVE;
}

static void get_lock(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, struct flock *range)
{
	lock_do(req, id, fi, range, SUPERDEV_FS_L_TEST);
}

static void set_lock(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, struct flock *range, int sleep)
{
	lock_do(req, id, fi, range, sleep ? SUPERDEV_FS_L_WAIT : SUPERDEV_FS_L_SET);
}

static void flock_file(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, int op)
{
	int type = op & (LOCK_SH | LOCK_EX | LOCK_UN);
	struct sdv_fs_lock lock = {
		.owner = fi->lock_owner,
		.end = INT64_MAX,
		.type = type == LOCK_SH   ? SUPERDEV_FS_L_READ
			: type == LOCK_EX ? SUPERDEV_FS_L_WRITE
					  : SUPERDEV_FS_L_UNLOCK,
		.kind = SUPERDEV_FS_L_FLOCK,
		.what = op & LOCK_NB ? SUPERDEV_FS_L_SET : SUPERDEV_FS_L_WAIT,
	};

	ENTER(req);
	sdv_on_lock(mount, req, file_of(mount, id), open_of(fi), &lock);
	LEAVE;
}

static void allocate(fuse_req_t req, fuse_ino_t id, int mode, off_t offset, off_t len,
		     struct fuse_file_info *fi)
{
	(void)fi;
	ENTER(req);
	sdv_on_fallocate(mount, req, file_of(mount, id), mode, (uint64_t)offset, (uint64_t)len);
	LEAVE;
}

static void seek(fuse_req_t req, fuse_ino_t id, off_t offset, int whence, struct fuse_file_info *fi)
{
	(void)fi;
	ENTER(req);
	sdv_on_lseek(mount, req, file_of(mount, id), (uint64_t)offset, whence);
	LEAVE;
}

static void copy_range(fuse_req_t req, fuse_ino_t from, off_t from_offset, struct fuse_file_info *from_fi,
		       fuse_ino_t to, off_t to_offset, struct fuse_file_info *to_fi, size_t len, int flags)
{
	(void)from_fi, (void)to_fi, (void)flags;
	ENTER(req);
	sdv_on_copy(mount, req, file_of(mount, from), (uint64_t)from_offset, file_of(mount, to),
		    (uint64_t)to_offset, len);
	LEAVE;
}

static const struct fuse_lowlevel_ops operations = {
	.init = init,
	.lookup = lookup,
	.forget = forget,
	.forget_multi = forget_multi,
	.getattr = get_attr,
	.setattr = set_attr,
	.readlink = read_link,
	.mknod = make_node,
	.mkdir = make_dir,
	.symlink = make_link,
	.unlink = unlink_name,
	.rmdir = remove_dir,
	.rename = rename_name,
	.link = link_name,
	.open = open_file,
	.create = create_file,
	.read = read_file,
	.write = write_file,
	.flush = flush,
	.release = release,
	.fsync = sync_file,
	.opendir = open_dir,
	.readdir = read_dir,
	.releasedir = release_dir,
	.fsyncdir = sync_file,
	.statfs = stat_fs,
	.setxattr = set_xattr,
	.getxattr = get_xattr,
	.listxattr = list_xattr,
	.removexattr = remove_xattr,
	.access = access_file,
	.getlk = get_lock,
	.setlk = set_lock,
	.flock = flock_file,
	.fallocate = allocate,
	.lseek = seek,
	.copy_file_range = copy_range,
};

/* Running ------------------------------------------------------------------- */

int sdv_fuse_open(struct sdv_mount *mount, int fd)
{
	char name[] = "superdev-homefs", path[32];
	char *argv[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	int r = 0;

	mount->session = fuse_session_new(&args, &operations, sizeof(operations), mount);
	if (!mount->session)
		return -ENOMEM;
	/* It is mounted already: libfuse would not do so in a user namespace. */
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	if (fuse_session_mount(mount->session, path))
		r = -EIO;
	fuse_opt_free_args(&args);
	return r;
}

static void *serve(void *arg)
{
	struct sdv_mount *mount = arg;
	struct fuse_buf buffer = { 0 };
	int r = 1;

	while (r > 0 || r == -EINTR) {
		r = fuse_session_receive_buf(mount->session, &buffer);
		if (r > 0)
			fuse_session_process_buf(mount->session, &buffer);
	}
	free(buffer.mem);
	/* Unmounted: nobody is left to ask. */
	sdv_link_end(&mount->link);
	return NULL;
}

int sdv_fuse_run(struct sdv_mount *mount)
{
	pthread_t thread;

	for (unsigned int i = 0; i < FUSE_THREADS; i++) {
		int r = pthread_create(&thread, NULL, serve, mount);

		if (r)
			return -r;
	}
	return 0;
}
