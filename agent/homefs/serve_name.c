// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serve_name.c: directories and what is named in them.
 *
 * A name from the lender is one component, checked in proto.c, and is used only
 * beside a descriptor of its directory, by calls that do not follow it.
 */
#include "serve.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DENTS_SIZE (32u << 10)

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#define RENAME_EXCHANGE  (1 << 1)
#endif

struct linux_dirent {
	uint64_t ino;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

static void entry_answer(struct sdv_work *work, const struct sdv_fs_entry *entry)
{
	sdv_fs_entry_store(work->out, entry);
	work->out_len = sizeof(struct superdev_fs_entry);
}

int sdv_do_hello(struct sdv_work *work)
{
	struct sdv_serve *serve = work->serve;
	struct superdev_fs_hello wire = { .uid = htole32(serve->uid), .gid = htole32(serve->gid) };
	struct sdv_fs_entry root = { .node = serve->root->number };
	int r = sdv_attr_look(serve, serve->root, &root.attr);

	if (r)
		return r;
	sdv_fs_entry_store((uint8_t *)&wire.root, &root);
	memcpy(work->out, &wire, sizeof(wire));
	work->out_len = sizeof(wire);
	return 0;
}

/* The directory of a request, with a reference; @name is to be seen or changed in it. */
static int dir_get(struct sdv_work *work, uint64_t number, const char *name, bool is_change,
		   struct sdv_node **ret_dir, int *ret_fd)
{
	struct sdv_node *dir = sdv_node_get(work->serve, number);
	int r;

	if (!dir)
		return -ESTALE;
	r = sdv_node_may(dir, name, is_change);
	if (!r) {
		*ret_fd = sdv_node_path(work->serve, dir);
		r = *ret_fd < 0 ? *ret_fd : 0;
	}
	if (r == -ENOENT && sdv_attr_may_name(work->serve, dir))
		work->reply_flags |= SUPERDEV_FS_R_LEASED;
	if (r) {
		sdv_node_put(work->serve, dir);
		return r;
	}
	*ret_dir = dir;
	return 0;
}

/* Tells @name, which is there now. */
static int entry_tell(struct sdv_work *work, struct sdv_node *dir, const char *name)
{
	struct sdv_fs_entry entry;
	int r;

	sdv_watch_begin(work->serve, dir);
	r = sdv_attr_entry(work->serve, dir, name, &entry);
	if (!r)
		entry_answer(work, &entry);
	else if (r == -ENOENT && sdv_attr_may_name(work->serve, dir))
		work->reply_flags |= SUPERDEV_FS_R_LEASED;
	sdv_watch_end(work->serve, dir);
	return r;
}

int sdv_do_lookup(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	struct sdv_node *dir;
	int fd, r = dir_get(work, request->node, request->name, false, &dir, &fd);

	if (r)
		return r;
	r = entry_tell(work, dir, request->name);
	sdv_node_put(work->serve, dir);
	return r;
}

/* Of a directory of which not all is visible: a few names, always in one piece. */
static int readdir_allowed(struct sdv_work *work, struct sdv_node *dir)
{
	size_t pos = 0, limit = work->request.count;
	uint64_t index = 0;

	for (const struct sdv_allow *child = dir->allow->children; child; child = child->next) {
		struct sdv_fs_entry entry;

		if (++index <= work->request.arg)
			continue;
		if (sdv_attr_entry(work->serve, dir, child->name, &entry))
			continue;
		if (!sdv_fs_dirent_add(work->out, limit, &pos, &entry, index, child->name)) {
			sdv_node_forget(work->serve, entry.node, 1);
			work->out_len = (uint32_t)pos;
			return pos ? 0 : -EINVAL;
		}
	}
	work->out_len = (uint32_t)pos;
	work->reply_flags |= SUPERDEV_FS_R_END;
	return 0;
}

static uint32_t mode_of(uint8_t type)
{
	switch (type) {
	case DT_DIR:
	case DT_LNK:
	case DT_FIFO:
	case DT_SOCK:
	case DT_CHR:
	case DT_BLK: return DTTOIF(type);
	default: return S_IFREG;
	}
}

/* 1: added; 0: no room. */
static int dirent_tell(struct sdv_work *work, struct sdv_node *dir, const struct linux_dirent *dirent,
		       size_t *pos)
{
	struct sdv_fs_entry entry;
	int r = sdv_attr_entry(work->serve, dir, dirent->name, &entry);

	if (r == -ENOENT)
		return 1;
	/* Who may read a directory but not look into it sees names and types. */
	if (r)
		entry = (struct sdv_fs_entry){ .attr = { .ino = dirent->ino,
							 .mode = mode_of(dirent->type) } };
	if (sdv_fs_dirent_add(work->out, work->request.count, pos, &entry, (uint64_t)dirent->next,
			      dirent->name))
		return 1;
	if (!r)
		sdv_node_forget(work->serve, entry.node, 1);
	return 0;
}

static int readdir_all(struct sdv_work *work, struct sdv_node *dir, int fd)
{
	_Alignas(struct linux_dirent) char dents[DENTS_SIZE];
	size_t pos = 0;

	if (work->request.arg && lseek(fd, (off_t)work->request.arg, SEEK_SET) < 0)
		return -errno;
	for (;;) {
		ssize_t n = syscall(SYS_getdents64, fd, dents, sizeof(dents));

		if (n < 0)
			return -errno;
		if (!n)
			break;
		for (ssize_t at = 0; at < n;) {
			const struct linux_dirent *dirent = (const void *)(dents + at);

			at += dirent->len;
			if (!sdv_fs_is_name(dirent->name, strlen(dirent->name)))
				continue;
			if (!dirent_tell(work, dir, dirent, &pos)) {
				work->out_len = (uint32_t)pos;
				return pos ? 0 : -EINVAL;
			}
		}
	}
	work->out_len = (uint32_t)pos;
	work->reply_flags |= SUPERDEV_FS_R_END;
	return 0;
}

int sdv_do_readdir(struct sdv_work *work)
{
	struct sdv_serve *serve = work->serve;
	struct sdv_node *dir = sdv_node_get(serve, work->request.node);
	int fd, r;

	if (!dir)
		return -ESTALE;
	if (dir->type != S_IFDIR) {
		sdv_node_put(serve, dir);
		return -ENOTDIR;
	}
	sdv_watch_begin(serve, dir);
	/* The mark comes before the first name is read. */
	if (sdv_attr_may_name(serve, dir))
		work->reply_flags |= SUPERDEV_FS_R_LEASED;
	if (dir->is_closed) {
		work->reply_flags |= SUPERDEV_FS_R_END;
		r = 0;
	} else if (dir->allow) {
		r = readdir_allowed(work, dir);
	} else {
		fd = sdv_node_reopen(serve, dir, O_RDONLY | O_DIRECTORY);
		r = fd < 0 ? fd : readdir_all(work, dir, fd);
		if (fd >= 0)
			close(fd);
	}
	sdv_watch_end(serve, dir);
	sdv_node_put(serve, dir);
	return r;
}

int sdv_do_readlink(struct sdv_work *work)
{
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);
	ssize_t n = -1;
	int fd;

	if (!node)
		return -ESTALE;
	fd = sdv_node_path(work->serve, node);
	if (fd >= 0)
		n = readlinkat(fd, "", (char *)work->out, SUPERDEV_FS_TARGET_MAX + 1);
	if (n < 0 && fd >= 0)
		fd = errno == ENOENT ? -EINVAL : -errno;
	sdv_node_put(work->serve, node);
	if (n < 0)
		return fd;
	if (n == 0 || n > (ssize_t)SUPERDEV_FS_TARGET_MAX)
		return -ENAMETOOLONG;
	work->out_len = (uint32_t)n;
	return 0;
}

/*
 * Makes the file, or opens the one that is there.  The latter goes by its
 * O_PATH descriptor: opening by name would wake a device or wait for a FIFO.
 */
static int file_create(struct sdv_work *work, struct sdv_node *dir, int dir_fd)
{
	const struct sdv_fs_request *request = &work->request;
	bool is_write = request->flags & SUPERDEV_FS_O_WRITE;
	struct sdv_serve *serve = work->serve;
	struct sdv_node *node;
	struct sdv_fs_entry entry;
	int fd, r;

	umask(request->umask);
	fd = openat(dir_fd, request->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, request->mode);
	if (fd < 0 && (errno != EEXIST || request->flags & SUPERDEV_FS_O_EXCL))
		return -errno;
	sdv_watch_begin(serve, dir);
	r = sdv_attr_entry(serve, dir, request->name, &entry);
	node = r ? NULL : sdv_node_get(serve, entry.node);
	sdv_watch_end(serve, dir);
	if (!node) {
		if (fd >= 0)
			close(fd);
		return r ? r : -ESTALE;
	}
	if (fd >= 0) {
		/* Who made it may write to it, whatever its mode; another's file of that name is no matter. */
		struct stat made;

		if (!fstat(fd, &made) && made.st_ino == node->identity.ino &&
		    made.st_dev == node->identity.dev)
			sdv_node_adopt(serve, node, fd, O_RDWR);
		else
			close(fd);
	} else {
		fd = sdv_node_reopen(serve, node,
				     (is_write ? O_RDWR : O_RDONLY) |
					     (request->flags & SUPERDEV_FS_O_TRUNC ? O_TRUNC : 0));
		r = node->type != S_IFREG ? -EEXIST : fd < 0 ? fd : 0;
		if (!r)
			sdv_node_adopt(serve, node, fd, is_write ? O_RDWR : O_RDONLY);
		else if (fd >= 0)
			close(fd);
		if (!r)
			r = sdv_attr_look(serve, node, &entry.attr);
	}
	if (r) {
		sdv_node_forget(serve, entry.node, 1);
	} else {
		sdv_node_pin(serve, node);
		entry_answer(work, &entry);
	}
	sdv_node_put(serve, node);
	return r;
}

int sdv_do_create(struct sdv_work *work)
{
	struct sdv_node *dir;
	int fd, r = dir_get(work, work->request.node, work->request.name, true, &dir, &fd);

	if (r)
		return r;
	r = file_create(work, dir, fd);
	sdv_node_put(work->serve, dir);
	return r;
}

int sdv_do_make(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	char target[SUPERDEV_FS_TARGET_MAX + 1];
	struct sdv_node *dir;
	int fd, r = dir_get(work, request->node, request->name, true, &dir, &fd);

	if (r)
		return r;
	umask(request->umask);
	if (request->op == SUPERDEV_FS_SYMLINK) {
		memcpy(target, request->data, request->data_len);
		target[request->data_len] = 0;
		r = symlinkat(target, fd, request->name);
	} else if (request->op == SUPERDEV_FS_MKDIR) {
		r = mkdirat(fd, request->name, request->mode);
	} else {
		r = mknodat(fd, request->name, request->mode, 0);
	}
	r = r < 0 ? -errno : entry_tell(work, dir, request->name);
	sdv_node_put(work->serve, dir);
	return r;
}

int sdv_do_link(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	struct sdv_serve *serve = work->serve;
	struct sdv_node *dir, *node;
	int dir_fd, fd, r;
	char path[64];

	node = sdv_node_get(serve, request->node);
	if (!node)
		return -ESTALE;
	r = dir_get(work, request->node2, request->name, true, &dir, &dir_fd);
	if (r) {
		sdv_node_put(serve, node);
		return r;
	}
	fd = sdv_node_path(serve, node);
	r = fd < 0 ? fd : sdv_node_may_change(node);
	if (!r) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		r = linkat(AT_FDCWD, path, dir_fd, request->name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
	}
	if (!r)
		r = entry_tell(work, dir, request->name);
	sdv_node_put(serve, dir);
	sdv_node_put(serve, node);
	return r;
}

int sdv_do_unlink(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	struct sdv_node *dir, *victim;
	int fd, r = dir_get(work, request->node, request->name, true, &dir, &fd);

	if (r)
		return r;
	victim = sdv_node_detach(work->serve, dir, request->name);
	if (unlinkat(fd, request->name, request->op == SUPERDEV_FS_RMDIR ? AT_REMOVEDIR : 0) < 0)
		r = -errno;
	else if (victim)
		sdv_node_recheck(work->serve, victim);
	sdv_node_put(work->serve, victim);
	sdv_node_put(work->serve, dir);
	return r;
}

static int rename_one(struct sdv_work *work, struct sdv_node *dir, int dir_fd, struct sdv_node *dir2,
		      int dir2_fd)
{
	const struct sdv_fs_request *request = &work->request;
	bool is_exchange = request->flags & SUPERDEV_FS_RENAME_EXCHANGE;
	unsigned int flags = (request->flags & SUPERDEV_FS_RENAME_NOREPLACE ? RENAME_NOREPLACE : 0) |
			     (is_exchange ? RENAME_EXCHANGE : 0);
	struct sdv_serve *serve = work->serve;
	struct sdv_node *moved = sdv_node_detach(serve, dir, request->name);
	struct sdv_node *victim = sdv_node_detach(serve, dir2, request->name2);
	int r = renameat2(dir_fd, request->name, dir2_fd, request->name2, flags) < 0 ? -errno : 0;

	/* Two names of one file: nothing has happened. */
	if (!r && moved != victim) {
		if (victim)
			sdv_node_move(serve, victim, is_exchange ? dir : NULL, request->name);
		if (moved)
			sdv_node_move(serve, moved, dir2, request->name2);
	}
	sdv_node_put(serve, victim);
	sdv_node_put(serve, moved);
	return r;
}

int sdv_do_rename(struct sdv_work *work)
{
	const struct sdv_fs_request *request = &work->request;
	struct sdv_node *dir, *dir2;
	int fd, fd2, r = dir_get(work, request->node, request->name, true, &dir, &fd);

	if (r)
		return r;
	r = dir_get(work, request->node2, request->name2, true, &dir2, &fd2);
	if (!r) {
		r = rename_one(work, dir, fd, dir2, fd2);
		sdv_node_put(work->serve, dir2);
	}
	sdv_node_put(work->serve, dir);
	/* The name that was to be changed is not one that is not there. */
	work->reply_flags = 0;
	return r;
}
