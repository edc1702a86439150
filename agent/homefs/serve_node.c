// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serve_node.c: what the lender was told of, by number.
 *
 * A file is remembered by where it was seen and which one it was, and opened
 * when it is needed: step by step from its parent's descriptor, one name that
 * is no symbolic link at a time, and never if it turns out to be another file.
 * So whatever numbers and names a lender sends, it reaches nothing but files
 * that it was led to from the root.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define NODES_MAX  (1u << 20)
#define DEPTH_MAX  128
#define FDS_SPARED ((rlim_t)256) /* threads, locks, the socket */
#define NO_SLOT    UINT32_MAX

static uint64_t identity_hash(const struct sdv_identity *identity, const struct sdv_allow *allow)
{
	uint64_t hash = sdv_hash_number((uintptr_t)allow, identity->dev);

	hash = sdv_hash_number(hash, identity->ino);
	hash = sdv_hash_number(hash, (uint64_t)identity->birth.tv_sec);
	return sdv_hash_number(hash, identity->birth.tv_nsec);
}

static bool identity_is(const struct sdv_identity *a, const struct sdv_identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->birth.tv_sec == b->birth.tv_sec &&
	       a->birth.tv_nsec == b->birth.tv_nsec;
}

static struct sdv_identity identity_of(const struct statx *stx)
{
	struct sdv_identity identity = {
		.dev = makedev(stx->stx_dev_major, stx->stx_dev_minor),
		.ino = stx->stx_ino,
	};

	if (stx->stx_mask & STATX_BTIME)
		identity.birth = stx->stx_btime;
	return identity;
}

/* Kernels speak through these, and not to a lender: a mount point is an empty directory. */
static bool is_closed_fs(int fd)
{
	static const long magics[] = {
		PROC_SUPER_MAGIC,
		SYSFS_MAGIC,
		CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,
		DEBUGFS_MAGIC,
		TRACEFS_MAGIC,
		SECURITYFS_MAGIC,
		BPF_FS_MAGIC,
		DEVPTS_SUPER_MAGIC,
		SELINUX_MAGIC,
		BINFMTFS_MAGIC,
		EFIVARFS_MAGIC,
		PSTOREFS_MAGIC,
		NSFS_MAGIC,
		SMACK_MAGIC,
		0x62656570 /* configfs */,
		0x65735543 /* fusectl */,
		0x19800202 /* mqueue */,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return true;
	for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++)
		if ((unsigned long)fs.f_type == (unsigned long)magics[i])
			return true;
	return false;
}

/* Under the nodes' lock, until the next rule. */

static void fd_close(struct sdv_serve *serve, int *fd)
{
	if (*fd < 0)
		return;
	close(*fd);
	*fd = -1;
	serve->nr_fds--;
}

static void by_name_del(struct sdv_serve *serve, struct sdv_node *node)
{
	struct sdv_node *parent = node->parent;

	if (!parent)
		return;
	sdv_table_del(&serve->by_name, &node->by_name);
	free(node->name);
	node->name = NULL;
	node->parent = NULL;
	parent->children--;
}

static int by_name_add(struct sdv_serve *serve, struct sdv_node *node, struct sdv_node *dir, const char *name)
{
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	if (sdv_table_add(&serve->by_name, &node->by_name, sdv_hash_name(dir->number, name))) {
		free(copy);
		return -ENOMEM;
	}
	node->name = copy;
	node->parent = dir;
	dir->children++;
	return 0;
}

static void reap(struct sdv_serve *serve, struct sdv_node *node);

/* Has @node under another name, or (-ENOMEM) none. */
static int by_name_change(struct sdv_serve *serve, struct sdv_node *node, struct sdv_node *dir,
			  const char *name)
{
	struct sdv_node *old = node->parent;
	int r;

	if (old == dir && !strcmp(node->name, name)) {
		node->is_lost = false;
		return 0;
	}
	by_name_del(serve, node);
	r = by_name_add(serve, node, dir, name);
	node->is_lost = r;
	reap(serve, old);
	return r;
}

static bool is_needed(const struct sdv_serve *serve, const struct sdv_node *node)
{
	return node->told || node->pins || node->users || node->children || node == serve->root;
}

/* Frees @node and, as they lose their last child, its parents. */
static void reap(struct sdv_serve *serve, struct sdv_node *node)
{
	while (node && !is_needed(serve, node)) {
		struct sdv_node *parent = node->parent;
		uint32_t index = (uint32_t)node->number - 1;

		sdv_watch_forget(serve, node);
		by_name_del(serve, node);
		sdv_table_del(&serve->by_identity, &node->by_identity);
		fd_close(serve, &node->path_fd);
		fd_close(serve, &node->read_fd);
		fd_close(serve, &node->write_fd);
		serve->slots[index].node = NULL;
		serve->slots[index].next_free = serve->free_slots;
		serve->free_slots = index;
		free(node);
		node = parent;
	}
}

static int slot_take(struct sdv_serve *serve, uint32_t *ret_index)
{
	if (serve->free_slots != NO_SLOT) {
		*ret_index = serve->free_slots;
		serve->free_slots = serve->slots[*ret_index].next_free;
		return 0;
	}
	if (serve->nr_slots == NODES_MAX)
		return -ENFILE;
	if (serve->nr_slots == serve->max_slots) {
		size_t max = serve->max_slots ? serve->max_slots * 2 : 1024;
		struct slot *slots = realloc(serve->slots, max * sizeof(*slots));

		if (!slots)
			return -ENOMEM;
		serve->slots = slots;
		serve->max_slots = max;
	}
	*ret_index = (uint32_t)serve->nr_slots++;
	serve->slots[*ret_index] = (struct slot){ .generation = 0 };
	return 0;
}

static struct sdv_node *node_find(struct sdv_serve *serve, const struct sdv_identity *identity,
				  const struct sdv_allow *allow)
{
	struct sdv_link_in_table *link = sdv_table_first(&serve->by_identity, identity_hash(identity, allow));

	for (; link; link = sdv_table_next(link)) {
		struct sdv_node *node = sdv_container(link, struct sdv_node, by_identity);

		if (identity_is(&node->identity, identity) && node->allow == allow)
			return node;
	}
	return NULL;
}

static int node_new(struct sdv_serve *serve, const struct sdv_identity *identity,
		    const struct sdv_allow *allow, uint32_t type, struct sdv_node **ret_node)
{
	struct sdv_node *node = calloc(1, sizeof(*node));
	uint32_t index;
	int r;

	if (!node)
		return -ENOMEM;
	r = slot_take(serve, &index);
	if (r) {
		free(node);
		return r;
	}
	node->number = (uint64_t)++serve->slots[index].generation << 32 | (index + 1);
	node->identity = *identity;
	node->allow = allow;
	node->type = type;
	node->path_fd = node->read_fd = node->write_fd = -1;
	if (sdv_table_add(&serve->by_identity, &node->by_identity, identity_hash(identity, allow))) {
		serve->slots[index].next_free = serve->free_slots;
		serve->free_slots = index;
		free(node);
		return -ENOMEM;
	}
	serve->slots[index].node = node;
	*ret_node = node;
	return 0;
}

/* Closes what was not used since the hand was there last, until there is room for one more. */
static void fds_make_room(struct sdv_serve *serve)
{
	size_t steps = 2 * serve->nr_slots;

	for (; serve->nr_fds >= serve->max_fds && steps; steps--) {
		struct sdv_node *node;

		serve->hand = serve->hand + 1 < serve->nr_slots ? serve->hand + 1 : 0;
		node = serve->slots[serve->hand].node;
		if (!node || node->users || node->pins || node->is_lost || !node->parent)
			continue;
		if (node->was_used) {
			node->was_used = false;
			continue;
		}
		fd_close(serve, &node->read_fd);
		fd_close(serve, &node->write_fd);
		fd_close(serve, &node->path_fd);
	}
}

/* Takes @fd over. */
static int fd_keep(struct sdv_serve *serve, int *at, int fd)
{
	if (*at >= 0) {
		close(fd);
	} else {
		*at = fd;
		serve->nr_fds++;
	}
	return *at;
}

/* ------------------------------------------------------------------------- */

struct sdv_node *sdv_node_get(struct sdv_serve *serve, uint64_t number)
{
	uint32_t index = (uint32_t)number - 1;
	struct sdv_node *node = NULL;

	pthread_mutex_lock(&serve->lock);
	if (index < serve->nr_slots)
		node = serve->slots[index].node;
	/* One that was forgotten and is only somebody's parent was not told. */
	if (node && (node->number != number || !(node->told || node->pins || node == serve->root)))
		node = NULL;
	if (node) {
		node->users++;
		node->was_used = true;
	}
	pthread_mutex_unlock(&serve->lock);
	return node;
}

void sdv_node_hold(struct sdv_serve *serve, struct sdv_node *node)
{
	pthread_mutex_lock(&serve->lock);
	node->users++;
	pthread_mutex_unlock(&serve->lock);
}

void sdv_node_put(struct sdv_serve *serve, struct sdv_node *node)
{
	if (!node)
		return;
	pthread_mutex_lock(&serve->lock);
	node->users--;
	reap(serve, node);
	pthread_mutex_unlock(&serve->lock);
}

/* Opens @name in @dir_fd, whatever it is, if it is the file of @identity. */
static int open_same(int dir_fd, const char *name, const struct sdv_identity *identity)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	struct sdv_identity found;
	struct statx stx;
	int fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? -ESTALE : -errno;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &stx) < 0) {
		close(fd);
		return -ESTALE;
	}
	found = identity_of(&stx);
	if (!identity_is(&found, identity)) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

static int path_open(struct sdv_serve *serve, struct sdv_node *node, int depth)
{
	struct sdv_node *parent;
	char name[SUPERDEV_FS_NAME_MAX + 1];
	int fd, dir_fd;

	if (depth > DEPTH_MAX)
		return -ELOOP;
	pthread_mutex_lock(&serve->lock);
	fd = node->path_fd;
	parent = node->is_lost ? NULL : node->parent;
	if (fd < 0 && parent) {
		parent->users++;
		sdv_fs_name_put(name, node->name);
	}
	pthread_mutex_unlock(&serve->lock);
	if (fd >= 0)
		return fd;
	if (!parent)
		return -ESTALE;
	dir_fd = path_open(serve, parent, depth + 1);
	fd = dir_fd < 0 ? dir_fd : open_same(dir_fd, name, &node->identity);
	sdv_node_put(serve, parent);
	if (fd < 0)
		return fd;
	pthread_mutex_lock(&serve->lock);
	fds_make_room(serve);
	fd = fd_keep(serve, &node->path_fd, fd);
	pthread_mutex_unlock(&serve->lock);
	return fd;
}

int sdv_node_path(struct sdv_serve *serve, struct sdv_node *node)
{
	return path_open(serve, node, 0);
}

int sdv_node_reopen(struct sdv_serve *serve, struct sdv_node *node, int flags)
{
	char path[64];
	int fd = sdv_node_path(serve, node);

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* O_NONBLOCK and O_NOCTTY: the callers look at the type, this is the second wall. */
	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int sdv_node_io(struct sdv_serve *serve, struct sdv_node *node, bool is_write)
{
	int flags = is_write ? O_RDWR : O_RDONLY, fd;

	if (node->type != S_IFREG)
		return node->type == S_IFDIR ? -EISDIR : -EINVAL;
	pthread_mutex_lock(&serve->lock);
	fd = is_write || (node->read_fd < 0 && node->write_reads) ? node->write_fd : node->read_fd;
	pthread_mutex_unlock(&serve->lock);
	if (fd >= 0)
		return fd;
	fd = sdv_node_reopen(serve, node, flags);
	if (fd == -EACCES && is_write) {
		flags = O_WRONLY;
		fd = sdv_node_reopen(serve, node, flags);
	}
	return fd < 0 ? fd : sdv_node_adopt(serve, node, fd, flags);
}

int sdv_node_adopt(struct sdv_serve *serve, struct sdv_node *node, int fd, int flags)
{
	bool is_write = (flags & O_ACCMODE) != O_RDONLY;
	int *at = is_write ? &node->write_fd : &node->read_fd;

	pthread_mutex_lock(&serve->lock);
	fds_make_room(serve);
	if (is_write && *at < 0)
		node->write_reads = (flags & O_ACCMODE) == O_RDWR;
	fd = fd_keep(serve, at, fd);
	pthread_mutex_unlock(&serve->lock);
	return fd;
}

void sdv_node_pin(struct sdv_serve *serve, struct sdv_node *node)
{
	pthread_mutex_lock(&serve->lock);
	node->pins++;
	pthread_mutex_unlock(&serve->lock);
}

void sdv_node_unpin(struct sdv_serve *serve, struct sdv_node *node)
{
	pthread_mutex_lock(&serve->lock);
	if (node->pins)
		node->pins--;
	/* One for writing would keep programs at home from running the file (ETXTBSY). */
	if (!node->pins && node->users == 1)
		fd_close(serve, &node->write_fd);
	pthread_mutex_unlock(&serve->lock);
}

void sdv_node_close(struct sdv_serve *serve, struct sdv_node *node)
{
	pthread_mutex_lock(&serve->lock);
	/* One user is the caller; one that is lost could not be opened again. */
	if (!node->pins && node->users == 1 && !node->is_lost) {
		fd_close(serve, &node->read_fd);
		fd_close(serve, &node->write_fd);
	}
	pthread_mutex_unlock(&serve->lock);
}

void sdv_node_forget(struct sdv_serve *serve, uint64_t number, uint64_t count)
{
	struct sdv_node *node = sdv_node_get(serve, number);

	if (!node)
		return;
	pthread_mutex_lock(&serve->lock);
	node->told -= count < node->told ? count : node->told;
	/* One that forgets what it has open lies, and has released it. */
	if (!node->told)
		node->pins = 0;
	pthread_mutex_unlock(&serve->lock);
	sdv_node_put(serve, node);
}

/* The file system that @name is on is another one than @dir's: is it served? */
static bool is_closed_mount(struct sdv_serve *serve, struct sdv_node *dir, const char *name,
			    const struct sdv_identity *identity)
{
	int dir_fd = sdv_node_path(serve, dir), fd;
	bool is_closed;

	fd = dir_fd < 0 ? dir_fd : open_same(dir_fd, name, identity);
	if (fd < 0)
		return true;
	is_closed = is_closed_fs(fd);
	close(fd);
	return is_closed;
}

int sdv_node_tell(struct sdv_serve *serve, struct sdv_node *dir, const char *name, const struct statx *stx,
		  struct sdv_node **ret_node)
{
	const struct sdv_allow *allow = dir->allow ? sdv_allow_find(dir->allow, name) : NULL;
	struct sdv_identity identity = identity_of(stx);
	uint32_t type = stx->stx_mode & S_IFMT;
	bool is_closed = dir->is_closed;
	struct sdv_node *node;
	int r = 0;

	if (allow && allow->is_whole)
		allow = NULL;
	if (type == S_IFDIR && identity.dev != dir->identity.dev)
		is_closed = is_closed_mount(serve, dir, name, &identity);
	pthread_mutex_lock(&serve->lock);
	node = node_find(serve, &identity, allow);
	if (!node)
		r = node_new(serve, &identity, allow, type, &node);
	if (r)
		goto out;
	node->is_closed = is_closed;
	if (node != serve->root)
		r = by_name_change(serve, node, dir, name);
	/* A node without a name can only be opened while it has a descriptor: better none. */
	if (r && !is_needed(serve, node)) {
		reap(serve, node);
		goto out;
	}
	r = 0;
	node->told++;
	node->users++;
	node->was_used = true;
	*ret_node = node;
out:
	pthread_mutex_unlock(&serve->lock);
	return r;
}

/* Under the lock. */
static struct sdv_node *child_find(struct sdv_serve *serve, struct sdv_node *dir, const char *name)
{
	struct sdv_link_in_table *link = sdv_table_first(&serve->by_name, sdv_hash_name(dir->number, name));

	for (; link; link = sdv_table_next(link)) {
		struct sdv_node *node = sdv_container(link, struct sdv_node, by_name);

		if (node->parent == dir && !strcmp(node->name, name))
			return node;
	}
	return NULL;
}

struct sdv_node *sdv_node_child(struct sdv_serve *serve, struct sdv_node *dir, const char *name)
{
	struct sdv_node *node;

	pthread_mutex_lock(&serve->lock);
	node = child_find(serve, dir, name);
	if (node)
		node->users++;
	pthread_mutex_unlock(&serve->lock);
	return node;
}

struct sdv_node *sdv_node_detach(struct sdv_serve *serve, struct sdv_node *dir, const char *name)
{
	struct sdv_node *node = sdv_node_child(serve, dir, name);

	if (node)
		sdv_node_path(serve, node);
	return node;
}

void sdv_node_move(struct sdv_serve *serve, struct sdv_node *node, struct sdv_node *dir, const char *name)
{
	pthread_mutex_lock(&serve->lock);
	if (node != serve->root) {
		if (dir)
			by_name_change(serve, node, dir, name);
		else
			node->is_lost = true;
	}
	pthread_mutex_unlock(&serve->lock);
}

void sdv_node_recheck(struct sdv_serve *serve, struct sdv_node *node)
{
	struct sdv_node *parent;
	char name[SUPERDEV_FS_NAME_MAX + 1];
	int dir_fd, fd;

	pthread_mutex_lock(&serve->lock);
	parent = node->is_lost ? NULL : node->parent;
	if (parent) {
		parent->users++;
		sdv_fs_name_put(name, node->name);
	}
	pthread_mutex_unlock(&serve->lock);
	if (!parent)
		return;
	dir_fd = sdv_node_path(serve, parent);
	fd = dir_fd < 0 ? dir_fd : open_same(dir_fd, name, &node->identity);
	if (fd >= 0) {
		close(fd);
	} else {
		pthread_mutex_lock(&serve->lock);
		/* Unless it was seen elsewhere meanwhile. */
		if (node->parent == parent && !strcmp(node->name, name))
			node->is_lost = true;
		pthread_mutex_unlock(&serve->lock);
	}
	sdv_node_put(serve, parent);
}

int sdv_node_may(const struct sdv_node *dir, const char *name, bool is_change)
{
	if (dir->type != S_IFDIR)
		return -ENOTDIR;
	if (dir->is_closed)
		return is_change ? -EROFS : -ENOENT;
	if (!dir->allow)
		return 0;
	if (!sdv_allow_find(dir->allow, name))
		return is_change ? -EACCES : -ENOENT;
	return is_change ? -EACCES : 0;
}

int sdv_node_may_change(const struct sdv_node *node)
{
	return node->is_closed ? -EROFS : node->allow ? -EACCES : 0;
}

int sdv_node_open_root(struct sdv_serve *serve, const char *root)
{
	const struct sdv_allow *allow = serve->allow && !serve->allow->is_whole ? serve->allow : NULL;
	int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sdv_identity identity;
	struct rlimit limit;
	struct statx stx = { 0 };
	int r;

	if (fd < 0)
		return -errno;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &stx) < 0) {
		r = -errno;
		goto err_close;
	}
	/* The hard limit is the user's own, and a tree has more directories than the soft one allows. */
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur > NODES_MAX)
		limit.rlim_cur = NODES_MAX;
	serve->max_fds = (unsigned int)(limit.rlim_cur > 2 * FDS_SPARED ? limit.rlim_cur - FDS_SPARED
									: FDS_SPARED / 4);
	serve->free_slots = NO_SLOT;
	identity = identity_of(&stx);
	r = node_new(serve, &identity, allow, S_IFDIR, &serve->root);
	if (r)
		goto err_close;
	serve->root->is_closed = is_closed_fs(fd);
	fd_keep(serve, &serve->root->path_fd, fd);
	return 0;

err_close:
	close(fd);
	return r;
}
