// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest_root.c: the guest's root and its cgroup, both made before a guest is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#ifndef MOUNT_ATTR_NODEV
#error "kernel headers of 5.12 or later are needed"
#endif

#define FAIL(what)                  \
	do {                        \
		*ret_what = (what); \
		return -errno;      \
	} while (0)

/* Of @dev, a mount that nobody sees yet; owned by nobody that a guest could be. */
static int dev_fill(int dev, const char **ret_what)
{
	static const struct {
		const char *name;
		unsigned int major, minor;
	} nodes[] = {
		{ "null", 1, 3 },   { "zero", 1, 5 },    { "full", 1, 7 },
		{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
	};
	static const char *const links[][2] = {
		{ "/proc/self/fd", "fd" },       { "/proc/self/fd/0", "stdin" },
		{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" },
		{ "pts/ptmx", "ptmx" },
	};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		if (mknodat(dev, nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) ||
		    fchmodat(dev, nodes[i].name, 0666, 0))
			FAIL("make the guest's devices");
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		if (symlinkat(links[i][0], dev, links[i][1]))
			FAIL("make the guest's devices");
	if (mkdirat(dev, "pts", 0755) || mkdirat(dev, "shm", 0755))
		FAIL("make the guest's devices");
	return 0;
}

static int dev_open(void)
{
	static const char *const options[][2] = {
		{ "mode", "0755" },
		{ "size", "64k" },
		{ "nr_inodes", "32" },
	};
	int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), dev = -1, r = 0;

	if (fs < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options) && !r; i++)
		r = (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, options[i][0], options[i][1], 0);
	if (!r)
		r = (int)syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (!r)
		dev = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	if (dev < 0)
		dev = -errno;
	close(fs);
	return dev;
}

/*
 * The tree may be home's, and home may say that its /dev is a link to anywhere,
 * and something else a moment later: here, where devices are made by root, no
 * name of the tree's is looked up but this one, and once.
 */
static int dev_mount(int tree, const char **ret_what)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int at = (int)syscall(SYS_openat2, tree, "dev", &how, sizeof(how)), dev, r;

	if (at < 0)
		FAIL("open the guest's /dev");
	dev = dev_open();
	r = dev < 0 ? dev : 0;
	*ret_what = "mount the guest's /dev";
	if (!r)
		r = dev_fill(dev, ret_what);
	if (!r &&
	    syscall(SYS_move_mount, dev, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)) {
		*ret_what = "mount the guest's /dev";
		r = -errno;
	}
	if (dev >= 0)
		close(dev);
	close(at);
	return r;
}

int sdv_guest_root_prepare(const char *root, const char *leave, const char **ret_what)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
		.propagation = MS_PRIVATE,
	};
	int tree, r = 0;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		FAIL("make mounts private");
	/* Any directory would do: there is one on every machine, and nobody here needs this one. */
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, root, OPEN_TREE_CLONE | O_CLOEXEC);
	if (tree < 0)
		FAIL("open the guest's root");
	/* Other guests' roots would live as long as we do. */
	if (leave && umount2(leave, MNT_DETACH)) {
		*ret_what = "leave other guests' roots";
		r = -errno;
		close(tree);
		return r;
	}
	*ret_what = "mount the guest's root";
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) ||
	    syscall(SYS_move_mount, tree, "", AT_FDCWD, "/dev", MOVE_MOUNT_F_EMPTY_PATH) || fchdir(tree))
		r = -errno;
	if (!r)
		r = dev_mount(tree, ret_what);
	close(tree);
	return r;
}

/* Nothing in it is the guest's to set; and no namespace of users below its own. */
static int sysctl_close(const char **ret_what)
{
	int fd = open("proc/sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC), r = 0;

	*ret_what = "forbid user namespaces";
	if (fd < 0)
		return -errno;
	if (write(fd, "0", 1) != 1)
		r = -EIO;
	close(fd);
	if (r)
		return r;
	if (mount("proc/sys", "proc/sys", NULL, MS_BIND, NULL) ||
	    mount(NULL, "proc/sys", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL))
		FAIL("make /proc/sys read-only");
	return 0;
}

/*
 * In a user namespace of one's own, mounts that came from outside are locked
 * where they are; a copy of them is not.
 */
static int tree_copy(const char **ret_what)
{
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, ".", OPEN_TREE_CLONE | AT_RECURSIVE | O_CLOEXEC);
	int r = 0;

	*ret_what = "mount the guest's root";
	if (tree < 0)
		return -errno;
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, "/dev", MOVE_MOUNT_F_EMPTY_PATH) || fchdir(tree))
		r = -errno;
	close(tree);
	return r;
}

int sdv_guest_root_enter(const char **ret_what)
{
	int r = tree_copy(ret_what);

	if (r)
		return r;
	if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		FAIL("mount the guest's /proc");
	r = sysctl_close(ret_what);
	if (r)
		return r;
	if (mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=0620,gid=5"))
		FAIL("mount the guest's /dev/pts");
	if (mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"))
		FAIL("mount the guest's /dev/shm");
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		FAIL("change to the guest's root");
	return 0;
}

/* -ENOENT where the kernel, or the parent, has not that controller. */
static int value_write(int dir, const char *file, const char *value)
{
	int fd = openat(dir, file, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int limit_write(int dir, const char *file, uint64_t value)
{
	char text[32];

	if (!value)
		return 0;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return value_write(dir, file, text);
}

int sdv_guest_cgroup_find(struct sdv_guest_cgroup *cgroup, const struct sdv_guest_options *options,
			  const char **ret_what)
{
	*cgroup = (struct sdv_guest_cgroup){ .parent = -1, .dir = -1 };
	if (!options->cgroup)
		return 0;
	cgroup->parent = open(options->cgroup, O_DIRECTORY | O_CLOEXEC);
	if (cgroup->parent < 0)
		FAIL("open the parent cgroup");
	return 0;
}

int sdv_guest_cgroup_open(struct sdv_guest_cgroup *cgroup, const struct sdv_guest_options *options,
			  const char **ret_what)
{
	int r;

	if (cgroup->parent < 0)
		return 0;
	snprintf(cgroup->name, sizeof(cgroup->name), "guest-%u",
		 options->id ? options->id : (unsigned int)getpid());
	/* One of this name may be left of a launcher that was killed; with it ended what was in it. */
	if (mkdirat(cgroup->parent, cgroup->name, 0755) &&
	    (errno != EEXIST || unlinkat(cgroup->parent, cgroup->name, AT_REMOVEDIR) ||
	     mkdirat(cgroup->parent, cgroup->name, 0755)))
		FAIL("make the guest's cgroup");
	cgroup->dir = openat(cgroup->parent, cgroup->name, O_DIRECTORY | O_CLOEXEC);
	if (cgroup->dir < 0)
		FAIL("open the guest's cgroup");
	*ret_what = "limit the guest's processes";
	r = limit_write(cgroup->dir, "pids.max", options->max_pids);
	if (!r) {
		*ret_what = "limit the guest's memory";
		r = limit_write(cgroup->dir, "memory.max", options->max_memory);
	}
	if (!r && options->max_memory) {
		/* All of it, or a guest would go on without its half. */
		value_write(cgroup->dir, "memory.oom.group", "1");
		value_write(cgroup->dir, "memory.swap.max", "0");
	}
	/* Guests run when the owner has nothing to do; without the controller the parent sees to it. */
	value_write(cgroup->dir, "cpu.idle", "1");
	return r;
}

void sdv_guest_cgroup_close(struct sdv_guest_cgroup *cgroup)
{
	struct pollfd events;

	if (cgroup->dir >= 0) {
		value_write(cgroup->dir, "cgroup.kill", "1");
		close(cgroup->dir);
	}
	if (cgroup->parent < 0)
		return;
	/* What was killed is gone a moment later. */
	for (int i = 0; i < 500 && unlinkat(cgroup->parent, cgroup->name, AT_REMOVEDIR) && errno == EBUSY;
	     i++) {
		events = (struct pollfd){ .fd = -1 };
		poll(&events, 1, 10);
	}
	close(cgroup->parent);
	cgroup->parent = -1;
	cgroup->dir = -1;
}
