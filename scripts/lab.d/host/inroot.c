// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inroot ENTRY TREE COMMAND…: runs COMMAND in the Debian root ENTRY/root with TREE at /src.
 *
 * In mount and pid namespaces of its own.  The root is the lower layer of an overlay whose upper
 * one is a tmpfs of this namespace: COMMAND may write everywhere, and all of it but what lies in
 * /src is gone when it ends, together with any process it left behind.  The exit status is
 * COMMAND's, or 128 plus the signal that ended it; 125 says that COMMAND was never started.
 * Called by root.sh.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETUP_FAILED 125

static pid_t child;

static void fail(const char *what)
{
	fprintf(stderr, "inroot: %s: %s\n", what, strerror(errno));
	exit(SETUP_FAILED);
}

static void do_mount(const char *src, const char *dst, const char *type, unsigned long flags,
		     const char *data)
{
	if (mount(src, dst, type, flags, data))
		fail(dst);
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		fail(path);
}

static void forward(int sig)
{
	if (child > 0)
		kill(child, sig);
}

static void forward_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
	struct sigaction sa = { .sa_handler = forward, .sa_flags = SA_RESTART };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &sa, NULL);
}

/* Waits for pid, reaping whatever else ends meanwhile (the first process of a namespace inherits
 * orphans), and returns the exit status to pass on. */
static int wait_for(pid_t pid)
{
	int status;

	for (;;) {
		pid_t ended = wait(&status);

		if (ended < 0 && errno == EINTR)
			continue;
		if (ended < 0)
			fail("wait");
		if (ended == pid)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

/* Lower and upper layers are named relative to the entry, since overlayfs gives ':' and ','
 * in a path a meaning of their own. */
static void mount_root(const char *entry, const char *tree)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		fail("making mounts private");
	if (chdir(entry))
		fail(entry);
	do_mount("scratch", "mnt", "tmpfs", 0, "mode=0755");
	make_dir("mnt/upper");
	make_dir("mnt/work");
	make_dir("mnt/root");
	do_mount("lab", "mnt/root", "overlay", 0,
		 "lowerdir=root,upperdir=mnt/upper,workdir=mnt/work");
	if (chdir("mnt/root"))
		fail("mnt/root");
	do_mount(tree, "src", NULL, MS_BIND | MS_REC, NULL);
	do_mount("/dev", "dev", NULL, MS_BIND | MS_REC, NULL);
	do_mount("/sys", "sys", NULL, MS_BIND | MS_REC, NULL);
	if (!access("/etc/resolv.conf", R_OK) && !access("etc/resolv.conf", R_OK))
		do_mount("/etc/resolv.conf", "etc/resolv.conf", NULL, MS_BIND, NULL);
}

static void clean_environment(void)
{
	const char *term = getenv("TERM");
	char *kept = term ? strdup(term) : NULL;

	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("SHELL", "/bin/bash", 1);
	setenv("LANG", "C.UTF-8", 1);
	if (kept)
		setenv("TERM", kept, 1);
	free(kept);
}

/* First process of the pid namespace: its end is the end of all others. */
static int run_first(char **command)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		fail("parent death signal");
	do_mount("proc", "proc", "proc", 0, NULL);
	/* Not a chroot alone: the kernel refuses user namespaces in one, and sandboxes need them. */
	if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/src"))
		fail("change of the root");
	clean_environment();

	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		execvp(command[0], command);
		fprintf(stderr, "inroot: %s: %s\n", command[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	forward_signals();
	return wait_for(child);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: inroot ENTRY TREE COMMAND…\n");
		return SETUP_FAILED;
	}
	if (unshare(CLONE_NEWNS | CLONE_NEWPID))
		fail("making namespaces (are you root?)");
	mount_root(argv[1], argv[2]);

	child = fork();
	if (child < 0)
		fail("fork");
	if (!child)
		return run_first(argv + 3);
	forward_signals();
	return wait_for(child);
}
