// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount.c: the lender's process: mounts, has threads serve the kernel, and ends
 * when home or the mount is gone.
 *
 * It needs no privilege: where it may not mount, it makes itself a user and a
 * mount namespace in which home's user is mapped to the one it runs as.  Who is
 * to use the mount enters these (setns(2)).  When home is gone the process ends,
 * and with it the kernel's connection: whatever is asked then fails at once.
 */
#include "mount.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const op_names[SUPERDEV_FS_END - SUPERDEV_FS_HELLO] = {
#define NAME(op, name) [SUPERDEV_FS_##op - SUPERDEV_FS_HELLO] = #name
	NAME(LOOKUP, lookup),       NAME(READDIR, readdir),   NAME(GETATTR, getattr),
	NAME(SETATTR, setattr),     NAME(READLINK, readlink), NAME(OPEN, open),
	NAME(CREATE, create),       NAME(MKDIR, mkdir),       NAME(MKNOD, mknod),
	NAME(SYMLINK, symlink),     NAME(LINK, link),         NAME(UNLINK, unlink),
	NAME(RMDIR, rmdir),         NAME(RENAME, rename),     NAME(READ, read),
	NAME(WRITE, write),         NAME(FSYNC, fsync),       NAME(FALLOCATE, fallocate),
	NAME(LSEEK, lseek),         NAME(STATFS, statfs),     NAME(GETXATTR, getxattr),
	NAME(LISTXATTR, listxattr), NAME(SETXATTR, setxattr), NAME(REMOVEXATTR, removexattr),
	NAME(LOCK, lock),           NAME(UNLOCK, unlock),     NAME(COPY, copy),
};

static int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* Namespaces in which this process may mount, and home's user is the one that it runs as. */
static int namespaces_make(struct sdv_mount *fs)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char map[64];
	int r;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	snprintf(map, sizeof(map), "%u %u 1", fs->uid, uid);
	r = file_write("/proc/self/uid_map", map);
	if (!r)
		r = file_write("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "%u %u 1", fs->gid, gid);
	if (!r)
		r = file_write("/proc/self/gid_map", map);
	fs->is_alone = true;
	/* What is mounted here must not appear outside. */
	if (!r && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		r = -errno;
	return r;
}

static int fuse_mount(const char *dir, int fd)
{
	char options[128];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other", fd,
		 geteuid(), getegid());
	if (mount("superdev-homefs", dir, "fuse.superdev", MS_NOSUID | MS_NODEV, options) < 0)
		return -errno;
	return 0;
}

/* Opens /dev/fuse and mounts it on @dir; the descriptor or -errno. */
static int mount_open(struct sdv_mount *fs, const char *dir)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		return -errno;
	r = fuse_mount(dir, fd);
	if (r == -EPERM) {
		/* The kernel wants the mounter to be of the name space that opened it. */
		close(fd);
		r = namespaces_make(fs);
		fd = r ? -1 : open("/dev/fuse", O_RDWR | O_CLOEXEC);
		if (!r && fd < 0)
			r = -errno;
		if (!r)
			r = fuse_mount(dir, fd);
	}
	if (r && fd >= 0)
		close(fd);
	return r ? r : fd;
}

static void say(struct sdv_mount *fs, const char *text)
{
	/* Where nobody listens any more nothing is lost. */
	if (fs->control_fd >= 0 && write(fs->control_fd, text, strlen(text)) < 0)
		fs->control_fd = -1;
}

static void say_round_trips(struct sdv_mount *fs)
{
	char text[1024] = "round-trips";
	uint64_t total = 0;
	size_t len;

	pthread_mutex_lock(&fs->lock);
	for (size_t i = 0; i < SUPERDEV_FS_END - SUPERDEV_FS_HELLO; i++) {
		len = strlen(text);
		total += fs->round_trips[i];
		if (fs->round_trips[i])
			snprintf(text + len, sizeof(text) - len, " %s %" PRIu64,
				 op_names[i] ? op_names[i] : "other", fs->round_trips[i]);
	}
	pthread_mutex_unlock(&fs->lock);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, " total %" PRIu64 "\n", total);
	say(fs, text);
}

static void *control_run(void *arg)
{
	struct sdv_mount *fs = arg;
	int fd = dup(fs->control_fd);
	FILE *lines = fd < 0 ? NULL : fdopen(fd, "r");
	char line[32];

	while (lines && fgets(line, sizeof(line), lines)) {
		if (!strcmp(line, "sync\n"))
			sdv_call_sync(fs);
		else if (!strcmp(line, "round-trips\n"))
			say_round_trips(fs);
	}
	if (lines)
		fclose(lines);
	return NULL;
}

static void *notices_run(void *arg)
{
	sdv_notice_run(arg);
	return NULL;
}

static void *posts_run(void *arg)
{
	struct sdv_mount *fs = arg;

	sdv_link_run_posts(&fs->link);
	return NULL;
}

/*
 * Until its attributes were asked for, the kernel takes the root to be user 0's,
 * who may be nobody here, and in whose directories nothing can be made.
 */
static void *ready_run(void *arg)
{
	struct sdv_mount *fs = arg;
	struct stat st;

	if (!stat(fs->dir, &st))
		say(fs, "ready\n");
	return NULL;
}

static int threads_start(struct sdv_mount *fs)
{
	pthread_t thread;
	int r;

	if (pthread_create(&thread, NULL, notices_run, fs) || pthread_create(&thread, NULL, posts_run, fs))
		return -EAGAIN;
	if (fs->control_fd >= 0 && pthread_create(&thread, NULL, control_run, fs))
		return -EAGAIN;
	r = sdv_fuse_run(fs);
	if (!r)
		r = -pthread_create(&thread, NULL, ready_run, fs);
	return r;
}

static int link_fd;

/* Ends as if home had gone: everything that waits is answered first. */
static void terminate(int number)
{
	(void)number;
	shutdown(link_fd, SHUT_RDWR);
}

int sdv_mount_run(const struct sdv_mount_params *params, const char **ret_what)
{
	/* Threads go on to use it until the process ends. */
	static struct sdv_mount fs;
	int r, fd;

	pthread_mutex_init(&fs.lock, NULL);
	pthread_mutex_init(&fs.notice_lock, NULL);
	pthread_cond_init(&fs.has_notice, NULL);
	fs.control_fd = params->control_fd;
	fs.dir = params->dir;
	sdv_link_open(&fs.link, params->fd);
	link_fd = params->fd;
	signal(SIGTERM, terminate);
	*ret_what = "greet home";
	r = sdv_call_hello(&fs);
	if (r)
		return r;
	*ret_what = "mount";
	fd = mount_open(&fs, params->dir);
	if (fd < 0)
		return fd;
	/* Guests are of the same user; not before, or the maps could not be written. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	r = sdv_fuse_open(&fs, fd);
	if (!r)
		r = threads_start(&fs);
	if (r)
		return r;
	*ret_what = "serve";
	return sdv_call_run(&fs);
}
