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
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

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
	if (r == -EPERM && !fs->first_id) {
		/* The kernel wants the mounter to be of the name space that opened it. */
		close(fd);
		r = namespaces_make(fs);
		fd = r ? -1 : open("/dev/fuse", O_RDWR | O_CLOEXEC);
		if (!r && fd < 0)
			r = -errno;
		if (!r)
			r = fuse_mount(dir, fd);
	}
	if (!r) {
		fs->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fs->dir_fd < 0)
			r = -errno;
	}
	if (r && fd >= 0)
		close(fd);
	return r ? r : fd;
}

/*
 * Mounted by root, for guests that have users of their own: from here on it is
 * nobody's process, with no files but its descriptors, and only now it reads
 * what home says.
 */
static int privileges_drop(struct sdv_mount *fs, const char **ret_what)
{
	const uid_t id = fs->first_id + SDV_HOMEFS_ID;

	*ret_what = "become an unprivileged user";
	if (chroot("/proc/self/fdinfo") || chdir("/") || setgroups(0, NULL) || setresgid(id, id, id) ||
	    setresuid(id, id, id))
		return -errno;
	return 0;
}

static void *control_run(void *arg)
{
	sdv_control_run(arg);
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

	/* By a descriptor: the directory may be where this process has no way to any more. */
	if (!fstatat(fs->dir_fd, "", &st, AT_EMPTY_PATH))
		sdv_control_ready(fs);
	close(fs->dir_fd);
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
	int r, fd = -1;

	pthread_mutex_init(&fs.lock, NULL);
	pthread_mutex_init(&fs.notice_lock, NULL);
	pthread_cond_init(&fs.has_notice, NULL);
	fs.control_fd = params->control_fd;
	sdv_link_open(&fs.link, params->fd);
	link_fd = params->fd;
	signal(SIGTERM, terminate);
	fs.first_id = params->first_id;
	if (fs.first_id) {
		*ret_what = "mount";
		fd = mount_open(&fs, params->dir);
		if (fd < 0)
			return fd;
		r = privileges_drop(&fs, ret_what);
		if (r)
			return r;
	}
	*ret_what = "greet home";
	r = sdv_call_hello(&fs);
	if (r)
		return r;
	*ret_what = "mount";
	if (!fs.first_id)
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
