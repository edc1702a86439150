// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first process of a user-mode machine, linked statically: it makes the root file system,
 * runs one command in it with its descriptors carried over a serial line (frame.h), and powers
 * the machine off.  `lab um run` boots it; it is no use elsewhere.
 *
 * Everything that the command sees of the host is below an overlay whose upper layer is memory,
 * or is mounted read-only, except /out: nothing it does reaches the tree or the cached root.
 *
 * The kernel runs in the folder of its run, which holds what to mount, as links, so that no
 * path of the host is on the kernel's command line:
 *	root		the root file system		src		the tree
 *	dest		what is laid over it (an	lib		modules of the kernel
 *			installed superdev); optional	modules		the project's; optional
 *	out		the only place for output	boot		the folder with this program
 *	command, environ	arguments and variables, each ended by NUL
 */
#include "frame.h"

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>

#define LINE "/dev/ttyS0"

/* The kernel's console is where a machine that can't even start has to say so. */
static void __attribute__((noreturn, format(printf, 1, 2))) die(const char *format, ...)
{
	const char *why = strerror(errno);
	va_list ap;

	fprintf(stderr, "um init: ");
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, ": %s\n", why);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) && errno != EEXIST)
		die("mkdir %s", path);
}

static void mount_at(const char *type, const char *at, unsigned long flags, const char *options)
{
	if (mount(type, at, type, flags, options))
		die("mount %s at %s (%s)", type, at, options ? options : "");
}

/* @what is relative to the folder of this run. */
static void mount_host(const char *what, const char *at, unsigned long flags)
{
	make_dir(at);
	if (mount("hostfs", at, "hostfs", flags, what))
		die("mount %s of the host at %s", what, at);
}

static bool has(const char *name)
{
	struct stat st;

	return !lstat(name, &st);
}

static void make_root(void)
{
	char options[128], modules[192];
	struct utsname kernel;
	const char *lower = "/root";

	mount_host(".", "/um", MS_RDONLY);
	mount_host("root", "/root", MS_RDONLY);
	if (has("/um/dest")) {
		mount_host("dest", "/dest", MS_RDONLY);
		lower = "/dest:/root";
	}
	mount_at("tmpfs", "/upper", 0, "mode=755");
	make_dir("/upper/data");
	make_dir("/upper/work");
	snprintf(options, sizeof(options),
		 "lowerdir=%s,upperdir=/upper/data,workdir=/upper/work", lower);
	mount_at("overlay", "/new", 0, options);

	uname(&kernel);
	snprintf(modules, sizeof(modules), "usr/lib/modules/%s", kernel.release);
	if (chdir("/new"))
		die("chdir /new");
	mount_at("proc", "proc", 0, NULL);
	mount_at("sysfs", "sys", 0, NULL);
	mount_at("devtmpfs", "dev", 0, NULL);
	make_dir("dev/pts");
	make_dir("dev/shm");
	mount_at("devpts", "dev/pts", 0, "ptmxmode=666,mode=620,gid=5");
	mount_at("tmpfs", "dev/shm", 0, "mode=1777");
	mount_at("tmpfs", "run", 0, "mode=755");
	mount_at("tmpfs", "tmp", 0, "mode=1777");
	mount_at("debugfs", "sys/kernel/debug", 0, NULL);
	mount_at("securityfs", "sys/kernel/security", 0, NULL);
	mount_at("configfs", "sys/kernel/config", 0, NULL);
	mount_at("cgroup2", "sys/fs/cgroup", 0, NULL);
	mount_host("src", "src", MS_RDONLY);
	mount_host("out", "out", 0);
	make_dir("usr/lib/modules");
	mount_host("lib", modules, MS_RDONLY);
	make_dir("um");
	if (mount("/um", "um", NULL, MS_MOVE, NULL))
		die("move of /um");
	if (has("um/modules"))
		mount_host("modules", "usr/lib/superdev-modules", MS_RDONLY);

	if (symlink("/proc/self/fd", "dev/fd") || symlink("fd/0", "dev/stdin") ||
	    symlink("fd/1", "dev/stdout") || symlink("fd/2", "dev/stderr"))
		die("symbolic links in /dev");
	if (mount(".", "/", NULL, MS_MOVE, NULL) || chroot("."))
		die("change of root");
	/* A machine's own mount namespace (machines.sh) must not see the others' mounts. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("private mounts");
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		die("lo up");
	close(fd);
}

/* Splits a file of NUL-ended strings; the array is ended by NULL and lives as long as we do. */
static char **read_strings(const char *path)
{
	size_t size = 0, room = 0, count = 0;
	char *text = NULL, **strings = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("%s", path);
	for (;;) {
		ssize_t n;

		if (size == room) {
			room += 65536;
			text = realloc(text, room + 1);
			if (!text)
				die("%s", path);
		}
		n = read(fd, text + size, room - size);
		if (n < 0)
			die("%s", path);
		if (!n)
			break;
		size += n;
	}
	close(fd);
	text[size] = 0;
	for (char *p = text; ; p += strlen(p) + 1) {
		strings = realloc(strings, (count + 1) * sizeof(*strings));
		if (!strings)
			die("%s", path);
		if (p >= text + size)
			break;
		strings[count++] = p;
	}
	strings[count] = NULL;
	return strings;
}

static int open_line(void)
{
	struct termios raw;
	int fd = open(LINE, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || tcgetattr(fd, &raw))
		die(LINE);
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSANOW, &raw))
		die(LINE);
	return fd;
}

struct streams {
	int line;
	int in, out, err;	/* our ends of COMMAND's three pipes; -1 when closed */
	struct frame input;	/* what COMMAND has not read yet, from input_at on */
	size_t input_at;
};

static pid_t start(char **command, char **environment, struct streams *ret_streams)
{
	int in[2], out[2], err[2];
	pid_t pid;

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		die("pipe");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		setsid();
		if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || dup2(err[1], 2) < 0)
			_exit(126);
		environ = environment;
		if (chdir("/src"))
			_exit(126);
		execvp(command[0], command);
		fprintf(stderr, "lab um: %s: %s\n", command[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	ret_streams->in = in[1];
	ret_streams->out = out[0];
	ret_streams->err = err[0];
	return pid;
}

static bool copy(int *fd, int line, int type)
{
	char data[FRAME_MAX];
	ssize_t n = read(*fd, data, sizeof(data));

	if (n > 0) {
		if (frame_send(line, type, data, n))
			die(LINE);
		return true;
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	close(*fd);
	*fd = -1;
	return false;
}

static void end_input(struct streams *s)
{
	if (s->in >= 0)
		close(s->in);
	s->in = -1;
}

/* The next frame comes only after FRAME_TAKEN: a command that reads nothing stops no output. */
static void give_input(struct streams *s)
{
	ssize_t n = 0;

	if (s->in >= 0 && s->input.length)
		n = write(s->in, s->input.data + s->input_at, s->input.length - s->input_at);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		end_input(s);
	else
		s->input_at += n;
	if (s->in < 0 || s->input_at == s->input.length) {
		s->input_at = s->input.length = 0;
		frame_send(s->line, FRAME_TAKEN, NULL, 0);
	}
}

static void take_input(struct streams *s)
{
	if (frame_receive(s->line, &s->input) || s->input.type != FRAME_IN)
		die(LINE);
	s->input_at = 0;
	give_input(s);
}

/* Reaps whatever ends, as pid 1 must, until COMMAND does.  Returns its status as a shell's. */
static int reap(pid_t pid, bool *ret_ended)
{
	int status = 0, any;
	pid_t ended;

	while ((ended = waitpid(-1, &any, WNOHANG)) > 0) {
		if (ended == pid) {
			*ret_ended = true;
			status = any;
		}
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void on_child(int signal)
{
	(void)signal;
}

static uint8_t serve(pid_t pid, struct streams *s)
{
	struct sigaction child = { .sa_handler = on_child, .sa_flags = SA_NOCLDSTOP };
	sigset_t blocked, open_mask;
	bool ended = false;
	int status;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &open_mask);
	sigaction(SIGCHLD, &child, NULL);

	/* SIGCHLD is let in only while waiting, so that an end between reap and wait is seen. */
	while (status = reap(pid, &ended), !ended) {
		struct pollfd fds[] = {
			{ .fd = s->line, .events = POLLIN },
			{ .fd = s->out, .events = POLLIN },
			{ .fd = s->err, .events = POLLIN },
			{ .fd = s->input.length ? s->in : -1, .events = POLLOUT },
		};

		if (ppoll(fds, 4, NULL, &open_mask) < 0)
			continue;
		if (fds[0].revents)
			take_input(s);
		if (fds[1].revents)
			copy(&s->out, s->line, FRAME_OUT);
		if (fds[2].revents)
			copy(&s->err, s->line, FRAME_ERR);
		if (fds[3].revents)
			give_input(s);
	}

	/* What it left in the pipes is its output too; what a daemon still holds open is not. */
	fcntl(s->out, F_SETFL, O_NONBLOCK);
	fcntl(s->err, F_SETFL, O_NONBLOCK);
	while (s->out >= 0 && copy(&s->out, s->line, FRAME_OUT))
		;
	while (s->err >= 0 && copy(&s->err, s->line, FRAME_ERR))
		;
	return status;
}

/* On the console, for reports.awk. */
static void report_taint(void)
{
	char taint[32] = "";
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, taint, sizeof(taint) - 1) <= 0)
		die("taint");
	close(fd);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		die("/dev/kmsg");
	dprintf(fd, "<6>um init: tainted %s", taint);
	close(fd);
}

int main(void)
{
	struct streams streams = { 0 };
	char **command, **environment;
	uint8_t status;
	pid_t pid;

	umask(022);
	signal(SIGPIPE, SIG_IGN);
	make_root();
	loopback_up();
	if (sethostname("um", 2))
		die("host name");
	command = read_strings("/um/command");
	environment = read_strings("/um/environ");
	streams.line = open_line();
	if (frame_send(streams.line, FRAME_READY, NULL, 0))
		die(LINE);
	/* execvp() looks the command up in the path that it will have. */
	for (char **e = environment; *e; e++)
		if (!strncmp(*e, "PATH=", 5))
			setenv("PATH", *e + 5, 1);
	pid = start(command, environment, &streams);
	status = serve(pid, &streams);

	/* Processes end before the kernel does: their release paths are tested code as well. */
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	report_taint();
	frame_send(streams.line, FRAME_EXIT, &status, 1);
	tcdrain(streams.line);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
