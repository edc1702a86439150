// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serve_watch.c: notices what changes at home, and tells the lender.
 *
 * A directory is marked (fanotify, which any user may) before the first look at
 * what is in it, so that whatever the lender was told is either still true or an
 * event is on its way.  The kernel says of an event whether this process caused
 * it, and of such the lender knows already.  It names directories by handles.
 *
 * A file that was told of is leased until the first change is told; later ones
 * are kept back until it is looked at again.  A look and the lease cannot be one
 * step, so while one is going on (nr_telling) nothing is kept back.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef AT_HANDLE_FID
#define AT_HANDLE_FID 0x200 /* Linux 6.5 */
#endif

#define NAMES       (FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO)
/* A change through a shared mapping makes no event, but the last close after it does. */
#define CONTENTS    (FAN_MODIFY | FAN_ATTRIB | FAN_CLOSE_WRITE)
#define EVENTS_SIZE ((size_t)64 << 10)
#define IDLE_MS     1000
#define CLOSED_MS   100

/* As the kernel names a file in events; bytes are file system, type and handle. */
struct sdv_handle {
	size_t len;
	uint8_t bytes[sizeof(fsid_t) + sizeof(int) + MAX_HANDLE_SZ];
};

static struct sdv_handle *handle_make(const void *fsid, int type, const void *bytes, size_t len)
{
	struct sdv_handle *handle;

	if (len > MAX_HANDLE_SZ)
		return NULL;
	handle = malloc(sizeof(*handle));
	if (!handle)
		return NULL;
	memcpy(handle->bytes, fsid, sizeof(fsid_t));
	memcpy(handle->bytes + sizeof(fsid_t), &type, sizeof(type));
	memcpy(handle->bytes + sizeof(fsid_t) + sizeof(type), bytes, len);
	handle->len = sizeof(fsid_t) + sizeof(type) + len;
	return handle;
}

static struct sdv_handle *handle_of(int fd)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	struct statfs fs;
	int mount;

	u.handle.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(fd, "", &u.handle, &mount, AT_EMPTY_PATH | AT_HANDLE_FID) < 0) {
		u.handle.handle_bytes = MAX_HANDLE_SZ;
		if (name_to_handle_at(fd, "", &u.handle, &mount, AT_EMPTY_PATH) < 0)
			return NULL;
	}
	if (fstatfs(fd, &fs) < 0)
		return NULL;
	return handle_make(&fs.f_fsid, u.handle.handle_type, u.handle.f_handle, u.handle.handle_bytes);
}

/* Other machines change files there, and this kernel does not hear of it. */
static bool is_shared_fs(int fd)
{
	static const unsigned long magics[] = {
		NFS_SUPER_MAGIC,         SMB_SUPER_MAGIC,         CIFS_SUPER_MAGIC,
		SMB2_SUPER_MAGIC,        FUSE_SUPER_MAGIC,        V9FS_MAGIC,
		CEPH_SUPER_MAGIC,        AFS_SUPER_MAGIC,         AFS_FS_MAGIC,
		CODA_SUPER_MAGIC,        OCFS2_SUPER_MAGIC,       0x01161970 /* gfs2 */,
		0x0bd00bd0 /* lustre */, 0x786f4256 /* vboxsf */, 0x47504653 /* gpfs */,
		0xaad7aaea /* panfs */,  0x19830326 /* beegfs */, 0xbacbacbc /* vmhgfs */,
	};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return true;
	for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++)
		if (((unsigned long)fs.f_type & 0xffffffffu) == magics[i])
			return true;
	return false;
}

int sdv_watch_open(struct sdv_serve *serve)
{
	pthread_mutex_init(&serve->watch_lock, NULL);
	serve->watch_fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_FID |
						FAN_REPORT_DFID_NAME,
					O_RDONLY | O_CLOEXEC);
	return serve->watch_fd < 0 ? -errno : 0;
}

bool sdv_watch_node(struct sdv_serve *serve, struct sdv_node *node, bool *ret_is_new)
{
	uint64_t mask = node->type == S_IFDIR ? NAMES | CONTENTS | FAN_ONDIR | FAN_EVENT_ON_CHILD : CONTENTS;
	struct sdv_handle *handle = NULL;
	enum sdv_mark mark;
	char path[64];
	int fd, r = -1;

	*ret_is_new = false;
	pthread_mutex_lock(&serve->lock);
	mark = node->mark;
	pthread_mutex_unlock(&serve->lock);
	if (mark != SDV_MARK_NONE)
		return mark == SDV_MARK_SET;
	fd = serve->watch_fd < 0 || node->is_closed ? -1 : sdv_node_path(serve, node);
	if (fd >= 0 && !is_shared_fs(fd))
		handle = handle_of(fd);
	if (handle) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		r = fanotify_mark(serve->watch_fd, FAN_MARK_ADD, mask, AT_FDCWD, path);
	}
	pthread_mutex_lock(&serve->lock);
	if (node->mark == SDV_MARK_NONE) {
		if (!r && !sdv_table_add(&serve->by_handle, &node->by_handle,
					 sdv_hash(0, handle->bytes, handle->len))) {
			node->handle = handle;
			handle = NULL;
			node->mark = SDV_MARK_SET;
		} else if (fd != -ESTALE) {
			node->mark = SDV_MARK_FAILED;
		}
	}
	mark = node->mark;
	/* Another thread may have been quicker; what this one has read is no newer for that. */
	*ret_is_new = mark == SDV_MARK_SET;
	pthread_mutex_unlock(&serve->lock);
	free(handle);
	return mark == SDV_MARK_SET;
}

void sdv_watch_forget(struct sdv_serve *serve, struct sdv_node *node)
{
	char path[64];

	if (node->mark != SDV_MARK_SET)
		return;
	sdv_table_del(&serve->by_handle, &node->by_handle);
	free(node->handle);
	node->handle = NULL;
	if (node->path_fd < 0)
		return;
	/* Without a descriptor it stays until the inode goes; its events are then nobody's. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", node->path_fd);
	fanotify_mark(serve->watch_fd, FAN_MARK_REMOVE, NAMES | CONTENTS | FAN_ONDIR | FAN_EVENT_ON_CHILD,
		      AT_FDCWD, path);
}

void sdv_watch_begin(struct sdv_serve *serve, struct sdv_node *dir)
{
	pthread_mutex_lock(&serve->lock);
	dir->nr_telling++;
	pthread_mutex_unlock(&serve->lock);
}

void sdv_watch_end(struct sdv_serve *serve, struct sdv_node *dir)
{
	pthread_mutex_lock(&serve->lock);
	dir->nr_telling--;
	pthread_mutex_unlock(&serve->lock);
}

static void tell(struct sdv_serve *serve, uint64_t number, const char *name, uint32_t flags)
{
	struct sdv_fs_request inval = { .op = SUPERDEV_FS_INVAL, .node = number, .flags = flags };
	uint8_t fixed[SDV_FS_FIXED_MAX];
	struct superdev_frame frame;
	struct iovec parts[2] = { { &frame, sizeof(frame) }, { fixed, 0 } };

	if (flags & SUPERDEV_FS_I_NAME)
		sdv_fs_name_put(inval.name, name);
	parts[1].iov_len = sdv_fs_request_build(&inval, &frame, fixed);
	/* Where it fails the connection has ended, and with it what the lender keeps. */
	sdv_link_send(&serve->link, parts, 2);
}

/* The node that an event names by its handle, with a reference. */
static struct sdv_node *node_of(struct sdv_serve *serve, const void *fsid, const struct file_handle *from)
{
	struct sdv_handle *handle = handle_make(fsid, from->handle_type, from->f_handle, from->handle_bytes);
	struct sdv_link_in_table *link;
	struct sdv_node *found = NULL;

	if (!handle)
		return NULL;
	pthread_mutex_lock(&serve->lock);
	link = sdv_table_first(&serve->by_handle, sdv_hash(0, handle->bytes, handle->len));
	for (; link && !found; link = sdv_table_next(link)) {
		struct sdv_node *node = sdv_container(link, struct sdv_node, by_handle);

		if (node->handle->len == handle->len &&
		    !memcmp(node->handle->bytes, handle->bytes, handle->len))
			found = node;
	}
	if (found)
		found->users++;
	pthread_mutex_unlock(&serve->lock);
	free(handle);
	return found;
}

/* Attributes or contents of @node are others now. */
static void node_changed(struct sdv_serve *serve, struct sdv_node *node, bool is_telling)
{
	bool is_due;

	pthread_mutex_lock(&serve->lock);
	is_due = node->is_leased || is_telling;
	node->is_leased = false;
	pthread_mutex_unlock(&serve->lock);
	if (is_due)
		tell(serve, node->number, NULL, SUPERDEV_FS_I_ATTR | SUPERDEV_FS_I_DATA);
}

/*
 * Closed after writing: whatever was written told of itself, but for a shared
 * mapping.  That is told a little later, and not now: the next step of a build
 * may be looking at the file, and the lender's kernel, when it is told to forget
 * attributes while it asks for them, goes on with the size that it had before.
 */
static void node_closed(struct sdv_serve *serve, struct sdv_node *node, bool is_telling)
{
	for (unsigned int i = 0; i < serve->nr_closed; i++)
		if (serve->closed[i] == node->number)
			return;
	if (serve->nr_closed == SDV_CLOSED_MAX)
		node_changed(serve, node, is_telling);
	else
		serve->closed[serve->nr_closed++] = node->number;
}

/* Under the watch's lock. */
static void closed_tell(struct sdv_serve *serve)
{
	for (unsigned int i = 0; i < serve->nr_closed; i++) {
		struct sdv_node *node = sdv_node_get(serve, serve->closed[i]);

		if (node)
			node_changed(serve, node, false);
		sdv_node_put(serve, node);
	}
	serve->nr_closed = 0;
}

static void file_event(struct sdv_serve *serve, struct sdv_node *node, uint64_t mask, bool is_telling)
{
	/* What was open for the lender without its asking, it may perhaps no longer open. */
	if (mask & FAN_ATTRIB)
		sdv_node_close(serve, node);
	if (mask & (FAN_MODIFY | FAN_ATTRIB))
		node_changed(serve, node, is_telling);
	else
		node_closed(serve, node, is_telling);
}

static void dir_event(struct sdv_serve *serve, struct sdv_node *dir, const char *name, uint64_t mask)
{
	struct sdv_node *child;
	bool is_telling;

	/* "." is the directory itself: who may look into it has changed, perhaps. */
	if (!strcmp(name, ".")) {
		tell(serve, dir->number, NULL, SUPERDEV_FS_I_ATTR | SUPERDEV_FS_I_DATA);
		return;
	}
	if (!sdv_fs_is_name(name, strlen(name)) || sdv_node_may(dir, name, false))
		return;
	pthread_mutex_lock(&serve->lock);
	is_telling = dir->nr_telling;
	pthread_mutex_unlock(&serve->lock);
	child = sdv_node_child(serve, dir, name);
	if (mask & NAMES) {
		tell(serve, dir->number, name, SUPERDEV_FS_I_NAME | SUPERDEV_FS_I_ATTR);
		/* What had the name has another one or none: its link count and times differ. */
		if (child) {
			sdv_node_recheck(serve, child);
			node_changed(serve, child, is_telling);
		}
	} else if (child) {
		file_event(serve, child, mask, is_telling);
	} else if (is_telling) {
		tell(serve, dir->number, name, SUPERDEV_FS_I_NAME | SUPERDEV_FS_I_ATTR);
	}
	if (child)
		sdv_node_put(serve, child);
}

/* @info: what follows the head of an event, up to @end. */
static void event_handle(struct sdv_serve *serve, const struct fanotify_event_metadata *event,
			 const uint8_t *info, const uint8_t *end)
{
	if (event->mask & FAN_Q_OVERFLOW) {
		tell(serve, 0, NULL, SUPERDEV_FS_I_ALL);
		return;
	}
	/* Of others' events an ordinary user is not told whose they are. */
	if (event->pid == getpid())
		return;
	while (end - info >= (ptrdiff_t)sizeof(struct fanotify_event_info_fid)) {
		const struct fanotify_event_info_fid *fid = (const void *)info;
		const struct file_handle *handle = (const void *)fid->handle;
		const char *name = (const char *)handle->f_handle + handle->handle_bytes;
		struct sdv_node *node = node_of(serve, &fid->fsid, handle);

		if (node && fid->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME)
			dir_event(serve, node, name, event->mask);
		else if (node && fid->hdr.info_type == FAN_EVENT_INFO_TYPE_FID && node->type != S_IFDIR)
			file_event(serve, node, event->mask, true);
		sdv_node_put(serve, node);
		info += fid->hdr.len;
	}
}

/* Under the watch's lock. */
static void drain(struct sdv_serve *serve)
{
	static _Alignas(struct fanotify_event_metadata) uint8_t events[EVENTS_SIZE];
	ssize_t n;

	struct iovec into = { events, sizeof(events) };

	/* It does not wait: the descriptor is O_NONBLOCK. */
	while ((n = readv(serve->watch_fd, &into, 1)) > 0) {
		struct fanotify_event_metadata event;
		const uint8_t *at = events;

		/* Their lengths are multiples of 4, their heads begin with 8 bytes: hence the copy. */
		for (; n >= (ssize_t)sizeof(event); n -= event.event_len, at += event.event_len) {
			memcpy(&event, at, sizeof(event));
			if (event.event_len < sizeof(event) || event.event_len > (size_t)n)
				break;
			event_handle(serve, &event, at + event.metadata_len, at + event.event_len);
		}
	}
}

void sdv_watch_drain(struct sdv_serve *serve)
{
	if (serve->watch_fd < 0)
		return;
	pthread_mutex_lock(&serve->watch_lock);
	drain(serve);
	closed_tell(serve);
	pthread_mutex_unlock(&serve->watch_lock);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sdv_watch_run(struct sdv_serve *serve)
{
	struct pollfd poll_fd = { .fd = serve->watch_fd, .events = POLLIN };
	bool has_closed = false;
	int64_t due = 0;

	while (serve->watch_fd >= 0 && !sdv_link_is_over(&serve->link)) {
		bool is_event = poll(&poll_fd, 1, has_closed ? CLOSED_MS : IDLE_MS) > 0;

		pthread_mutex_lock(&serve->watch_lock);
		drain(serve);
		if (!has_closed)
			due = now_ms() + CLOSED_MS;
		else if (!is_event || now_ms() >= due)
			closed_tell(serve);
		has_closed = serve->nr_closed;
		pthread_mutex_unlock(&serve->watch_lock);
	}
}
