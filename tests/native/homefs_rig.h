/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * homefs_rig.h: home and lender on one machine, joined by a pair of sockets.
 *
 * The test's process is in a mount namespace of its own.  RIG/home is what is
 * served, RIG/here is where it is mounted; home() and here() make paths.
 */
#ifndef SDV_HOMEFS_RIG_H
#define SDV_HOMEFS_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../unit/harness.h"

/* Not every test uses all of it. */
#define MAYBE __attribute__((unused)) static

static struct rig {
	char dir[64], home[80], here[80];
	pid_t serve, mount;
	int control;
	const char *first_id; /* of the next mount, or NULL */
	bool is_prepared;
} rig;

static const char *program;

/* A few paths at a time. */
static const char *path_of(const char *dir, const char *name)
{
	static char paths[8][4096];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

MAYBE const char *home(const char *name)
{
	return path_of(rig.home, name);
}

MAYBE const char *here(const char *name)
{
	return path_of(rig.here, name);
}

MAYBE double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put_at(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK(write(fd, data, len) == (ssize_t)len);
	CHECK(!close(fd));
}

MAYBE void put(const char *path, const char *text)
{
	put_at(path, text, strlen(text));
}

/* The beginning of a file, or "" and errno. */
MAYBE const char *get(const char *path)
{
	static char text[4][256];
	static unsigned int next;
	char *at = text[next++ % 4];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	*at = 0;
	if (fd < 0)
		return at;
	n = read(fd, at, sizeof(text[0]) - 1);
	at[n > 0 ? n : 0] = 0;
	close(fd);
	return at;
}

/* Waits until it holds, which it must within a second. */
#define SOON(claim)                                  \
	do {                                         \
		double soon_end = now() + 1;         \
                                                     \
		while (!(claim) && now() < soon_end) \
			usleep(500);                 \
		CHECK(claim);                        \
	} while (0)

static const char *control_line(void)
{
	static char line[1024];
	size_t len = 0;

	while (len < sizeof(line) - 1 && read(rig.control, line + len, 1) == 1 && line[len] != '\n')
		len++;
	line[len] = 0;
	return line;
}

/* All that changed at home until now is known here. */
MAYBE void sync_here(void)
{
	CHECK(write(rig.control, "sync\n", 5) == 5);
	CHECK(!strcmp(control_line(), "synced"));
}

MAYBE unsigned long round_trips(void)
{
	const char *total;

	CHECK(write(rig.control, "round-trips\n", 12) == 12);
	total = strstr(control_line(), "total ");
	CHECK(total);
	return strtoul(total + 6, NULL, 10);
}

static void end_one(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

static void rig_end(void)
{
	end_one(&rig.mount);
	end_one(&rig.serve);
	if (*rig.here)
		umount2(rig.here, MNT_DETACH);
	if (rig.control > 0)
		close(rig.control);
	rig.control = 0;
}

/* Runs one end with @fd as its connection; @uid other than 0: as that user. */
static pid_t run_end(uid_t uid, int fd, int control, const char *const *args)
{
	char fd_text[16], control_text[16];
	const char *argv[32] = { program };
	unsigned int n = 1;
	pid_t pid;

	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	snprintf(control_text, sizeof(control_text), "%d", control);
	argv[n++] = *args++;
	argv[n++] = "--fd";
	argv[n++] = fd_text;
	if (control >= 0) {
		argv[n++] = "--control";
		argv[n++] = control_text;
	}
	while (*args && n < 31)
		argv[n++] = *args++;
	pid = fork();
	if (pid)
		return pid;
	fcntl(fd, F_SETFD, 0);
	if (control >= 0)
		fcntl(control, F_SETFD, 0);
	if (uid && (setgid(uid) || setuid(uid)))
		_exit(126);
	/* A test that fails leaves nothing behind that holds its output open. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execv(program, (char *const *)argv);
	_exit(127);
}

/* Mounts RIG/here from whoever has the other end of @fd. */
static void mount_begin(int fd)
{
	const char *const plain[] = { "mount", rig.here, NULL };
	const char *const shifted[] = { "mount", "--first-id", rig.first_id, rig.here, NULL };
	const char *const *args = rig.first_id ? shifted : plain;
	int control[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control));
	rig.mount = run_end(0, fd, control[1], args);
	close(control[1]);
	close(fd);
	rig.control = control[0];
}

static pid_t serve_begin(uid_t uid, int fd, const char *const *paths)
{
	const char *args[16] = { "serve", "--root", rig.home };
	unsigned int n = 3;

	for (; paths && *paths && n < 14; paths++) {
		args[n++] = "--path";
		args[n++] = *paths;
	}
	return run_end(uid, fd, -1, args);
}

/* An empty home, for what a test wants to be there before anybody looks. */
static void rig_prepare(void)
{
	char command[256];

	rig_end();
	snprintf(command, sizeof(command), "rm -rf %s && mkdir %s", rig.home, rig.home);
	CHECK(!system(command));
	rig.is_prepared = true;
}

/* Both ends; the server runs as @uid and shows @paths (NULL: all). */
MAYBE void rig_begin(uid_t uid, const char *const *paths)
{
	int pair[2];

	if (!rig.is_prepared)
		rig_prepare();
	rig.is_prepared = false;
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	rig.serve = serve_begin(uid, pair[0], paths);
	close(pair[0]);
	mount_begin(pair[1]);
	CHECK(!strcmp(control_line(), "ready"));
}

static int rig_make(void)
{
	/* Not in /tmp, which may be of a file system without fanotify. */
	snprintf(rig.dir, sizeof(rig.dir), "build/homefs.XXXXXX");
	mkdir("build", 0755);
	if (!mkdtemp(rig.dir))
		return -errno;
	/* A user of no rights must get through. */
	chmod(rig.dir, 0755);
	snprintf(rig.home, sizeof(rig.home), "%s/home", rig.dir);
	snprintf(rig.here, sizeof(rig.here), "%s/here", rig.dir);
	return mkdir(rig.home, 0755) || mkdir(rig.here, 0755) ? -errno : 0;
}

static int rig_remove(void)
{
	char command[256];

	rig_end();
	snprintf(command, sizeof(command), "rm -rf --one-file-system %s", rig.dir);
	return system(command);
}

/* 0, or 77 and the reason on standard output. */
static int rig_open(void)
{
	int fd;

	program = getenv("HOMEFS");
	if (!program)
		program = "build/san/superdev-homefs";
	signal(SIGPIPE, SIG_IGN);
	if (access(program, X_OK)) {
		printf("%s is not built\n", program);
		return 77;
	}
	if (geteuid()) {
		printf("needs root, to make the users of home\n");
		return 77;
	}
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		printf("no /dev/fuse here: %s\n", strerror(errno));
		return 77;
	}
	close(fd);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		printf("no mount namespace can be made here: %s\n", strerror(errno));
		return 77;
	}
	if (rig_make()) {
		printf("no directory for the tests: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}

#endif
