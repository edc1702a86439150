// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lab's command agent: runs what the host asks for over one virtio-serial port, many commands
 * at a time, without the network, so that it answers while the network is cut.
 * One thread, one poll loop.  Started by init.c, as the first process or as a systemd unit.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../frame.h"
#include "agent.h"

#define PORT_NAME "lab.agent"
#define MAX_ARGS 4096

/*
 * A command's output may be held open by a process that it left behind: how long to wait for
 * more of it once the command itself has ended.
 */
#define LINGER_MS 300
#define TERM_GRACE_MS 1000
#define POWEROFF_GRACE_MS 1500

enum { IN, OUT, ERR };

struct session {
	struct session *next;
	uint32_t id;
	pid_t pid;		/* and its process group */
	int fd[3];		/* -1 when closed; with a pty all three are its master */
	bool has_pty;
	bool has_exited;
	bool is_closing;	/* the client is gone */
	bool has_stdin_eof;
	int status;
	uint64_t deadline_ms;	/* of LINGER_MS or TERM_GRACE_MS; 0: none */
	uint32_t credit;	/* bytes the client still takes */
	struct queue in;
};

static struct session *sessions;
static struct queue to_host, from_host;
static sigset_t old_mask;
static int is_first;

static void send_frame(uint32_t session, enum frame_type type, const void *data, size_t len)
{
	frame_put(&to_host, session, type, data, len);
}

static struct session *find_session(uint32_t id)
{
	struct session *s;

	for (s = sessions; s; s = s->next)
		if (s->id == id)
			return s;
	return NULL;
}

static void close_fd(struct session *s, int which)
{
	int fd = s->fd[which], i;

	s->fd[which] = -1;
	for (i = IN; i <= ERR; i++)
		if (fd >= 0 && s->fd[i] == fd)
			return;
	if (fd >= 0)
		close(fd);
}

static void end_session(struct session *s)
{
	struct session **p;

	if (!s->is_closing)
		frame_put_u32(&to_host, s->id, FRAME_EXIT, (uint32_t)s->status);
	close_fd(s, IN);
	close_fd(s, OUT);
	close_fd(s, ERR);
	for (p = &sessions; *p != s; p = &(*p)->next)
		;
	*p = s->next;
	queue_free(&s->in);
	free(s);
}

/* In the child: becomes the command. */
static void become(char **argv, const char *term, const int fd[3], bool has_pty)
{
	int i;

	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	for (i = 0; i < 3; i++)
		dup2(fd[i], i);
	if (has_pty)
		ioctl(0, TIOCSCTTY, 0);
	close_range(3, ~0U, 0);

	clearenv();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("USER", "root", 1);
	setenv("LOGNAME", "root", 1);
	setenv("SHELL", "/bin/bash", 1);
	setenv("LANG", "C.UTF-8", 1);
	if (*term)
		setenv("TERM", term, 1);
	if (chdir("/root") && chdir("/"))
		_exit(126);
	execvp(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* The child's ends of its pipes or its terminal into child[], ours into s->fd. */
static int make_streams(struct session *s, const struct frame_open *open, int child[3])
{
	int i, pair[2];

	if (open->has_pty) {
		struct winsize ws = { .ws_row = open->rows, .ws_col = open->columns };

		if (openpty(&pair[0], &pair[1], NULL, NULL, &ws))
			return -errno;
		fcntl(pair[0], F_SETFD, FD_CLOEXEC);
		set_nonblock(pair[0]);
		for (i = IN; i <= ERR; i++) {
			child[i] = pair[1];
			s->fd[i] = pair[0];
		}
		s->fd[ERR] = -1;
		return 0;
	}
	for (i = IN; i <= ERR; i++) {
		if (pipe2(pair, O_CLOEXEC))
			return -errno;
		child[i] = pair[i == IN ? 0 : 1];
		s->fd[i] = pair[i == IN ? 1 : 0];
		set_nonblock(s->fd[i]);
	}
	return 0;
}

static void open_session(uint32_t id, char *data, size_t len)
{
	char *argv[MAX_ARGS + 1], *p = data + sizeof(struct frame_open), *term = p;
	int child[3] = { -1, -1, -1 }, i, err;
	struct frame_open open;
	struct session *s;

	s = calloc(1, sizeof(*s));
	if (!s)
		die_of("memory");
	s->id = id;
	s->credit = FRAME_WINDOW;
	s->fd[IN] = s->fd[OUT] = s->fd[ERR] = -1;
	s->next = sessions;
	sessions = s;

	memcpy(&open, data, sizeof(open));
	s->has_pty = open.has_pty;
	p += strlen(p) + 1;
	for (i = 0; i < open.argc && i < MAX_ARGS && p < data + len; i++) {
		argv[i] = p;
		p += strlen(p) + 1;
	}
	argv[i] = NULL;

	err = make_streams(s, &open, child);
	s->pid = err ? -1 : fork();
	if (!s->pid)
		become(argv, term, child, s->has_pty);
	if (s->pid < 0) {
		char text[128];

		snprintf(text, sizeof(text), "lab agent: cannot start a command: %s\n",
			 strerror(err ? -err : errno));
		send_frame(id, FRAME_STDERR, text, strlen(text));
		s->has_exited = true;
		s->status = 126;
	}
	close(child[IN]);
	if (!s->has_pty) {
		close(child[OUT]);
		close(child[ERR]);
	}
	if (s->pid < 0)
		end_session(s);
}

/* What the command does not want any more is taken from the client all the same. */
static void drop_stdin(struct session *s)
{
	if (queue_len(&s->in))
		frame_put_u32(&to_host, s->id, FRAME_ACK, (uint32_t)queue_len(&s->in));
	queue_free(&s->in);
	if (!s->has_pty)
		close_fd(s, IN);
}

static void write_stdin(struct session *s)
{
	ssize_t n = queue_write(&s->in, s->fd[IN], SIZE_MAX);

	if (n < 0) {
		drop_stdin(s);
		return;
	}
	if (n)
		frame_put_u32(&to_host, s->id, FRAME_ACK, (uint32_t)n);
	if (!queue_len(&s->in) && s->has_stdin_eof && !s->has_pty)
		close_fd(s, IN);
}

static void read_output(struct session *s, int which)
{
	char buf[FRAME_MAX_DATA];
	size_t max = s->credit < sizeof(buf) ? s->credit : sizeof(buf);
	ssize_t n = read(s->fd[which], buf, max);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {	/* a terminal that nobody holds any more reads as EIO */
		close_fd(s, which);
		if (s->has_pty)
			close_fd(s, IN);
		return;
	}
	send_frame(s->id, which == OUT ? FRAME_STDOUT : FRAME_STDERR, buf, (size_t)n);
	s->credit -= (uint32_t)n;
	if (s->has_exited)
		s->deadline_ms = now_ms() + LINGER_MS;
}

/* Ends what is left of the command, with time to clean up, when its client went away. */
static void close_session(struct session *s)
{
	s->is_closing = true;
	close_fd(s, IN);
	close_fd(s, OUT);
	close_fd(s, ERR);
	if (s->has_exited) {
		end_session(s);
		return;
	}
	kill(-s->pid, s->has_pty ? SIGHUP : SIGTERM);
	s->deadline_ms = now_ms() + TERM_GRACE_MS;
}

static void power_off(void)
{
	uint64_t deadline = now_ms() + POWEROFF_GRACE_MS;

	if (!is_first) {
		pid_t pid = fork();

		if (!pid) {
			sigprocmask(SIG_SETMASK, &old_mask, NULL);
			execlp("systemctl", "systemctl", "poweroff", NULL);
			_exit(127);
		}
		return;
	}
	kill(-1, SIGTERM);
	while (now_ms() < deadline && waitpid(-1, NULL, WNOHANG) >= 0)
		usleep(10000);
	kill(-1, SIGKILL);
	sync();
	reboot(RB_POWER_OFF);
}

static void handle_frame(const struct frame *f, char *data)
{
	struct session *s = find_session(f->session);

	if (f->type == FRAME_OPEN) {
		open_session(f->session, data, f->len);
		return;
	}
	if (f->type == FRAME_POWEROFF) {
		power_off();
		return;
	}
	if (!s || s->is_closing)
		return;	/* it ended while the frame was under way */

	switch (f->type) {
	case FRAME_STDIN:
		queue_put(&s->in, data, f->len);
		if (s->fd[IN] < 0)
			drop_stdin(s);
		else
			write_stdin(s);
		break;
	case FRAME_STDIN_EOF:
		s->has_stdin_eof = true;
		if (s->has_pty)
			queue_put(&s->in, "\4", 1);	/* end of file, typed */
		if (s->fd[IN] >= 0)
			write_stdin(s);
		break;
	case FRAME_ACK:
		s->credit += frame_u32(f, data);
		if (s->has_exited)
			s->deadline_ms = now_ms() + LINGER_MS;
		break;
	case FRAME_SIGNAL:
		if (!s->has_exited)
			kill(-s->pid, (int)frame_u32(f, data));
		break;
	case FRAME_WINSIZE:
		if (s->has_pty && s->fd[OUT] >= 0) {
			uint32_t v = frame_u32(f, data);
			struct winsize ws = { .ws_row = v & 0xffff, .ws_col = v >> 16 };

			ioctl(s->fd[OUT], TIOCSWINSZ, &ws);
		}
		break;
	case FRAME_CLOSE:
		close_session(s);
		break;
	default:
		break;
	}
}

static void reap(int signal_fd)
{
	struct signalfd_siginfo info;
	struct session *s;
	int status;
	pid_t pid;

	while (read(signal_fd, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (s = sessions; s && (s->pid != pid || s->has_exited); s = s->next)
			;
		if (!s)
			continue;
		s->has_exited = true;
		s->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		s->deadline_ms = now_ms() + LINGER_MS;
	}
}

/* Ends sessions that are done; returns the time until the next deadline, -1 for none. */
static int expire_sessions(void)
{
	struct session *s, *next;
	uint64_t now = now_ms();
	int timeout = -1;

	for (s = sessions; s; s = next) {
		bool has_output = s->fd[OUT] >= 0 || s->fd[ERR] >= 0;
		bool is_late = s->deadline_ms && now >= s->deadline_ms;

		next = s->next;
		if (s->has_exited && has_output && !s->credit)
			continue;	/* the client is slow, not the output at its end */
		if (s->has_exited && has_output && is_late && !s->is_closing) {
			/* It may have waited here for room in the queue: look once more. */
			if (s->fd[OUT] >= 0)
				read_output(s, OUT);
			if (s->fd[ERR] >= 0 && s->credit)
				read_output(s, ERR);
			has_output = s->fd[OUT] >= 0 || s->fd[ERR] >= 0;
			is_late = now >= s->deadline_ms;
		}
		if (s->has_exited && (!has_output || is_late || s->is_closing)) {
			end_session(s);
			continue;
		}
		if (s->is_closing && is_late) {
			kill(-s->pid, SIGKILL);
			s->deadline_ms = 0;
		}
		if (s->deadline_ms) {
			int left = (int)(s->deadline_ms - now);

			if (timeout < 0 || left < timeout)
				timeout = left;
		}
	}
	return timeout;
}

/* udev may not run yet: the port is found by its name in sysfs, its node is devtmpfs's. */
static int open_port(void)
{
	char path[300], name[64];
	struct dirent *d;
	DIR *dir;
	int fd;

	for (;;) {
		dir = opendir("/sys/class/virtio-ports");
		while (dir && (d = readdir(dir))) {
			FILE *f;

			snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", d->d_name);
			f = fopen(path, "re");
			if (!f)
				continue;
			if (!fgets(name, sizeof(name), f))
				name[0] = 0;
			fclose(f);
			name[strcspn(name, "\n")] = 0;
			if (strcmp(name, PORT_NAME))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", d->d_name);
			fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (fd >= 0) {
				closedir(dir);
				return fd;
			}
		}
		if (dir)
			closedir(dir);
		usleep(20000);
	}
}

/* Opened for writing too, so that it never reads as ended between two writers. */
static int open_fifo(const char *path)
{
	int fd;

	if (mkfifo(path, 0600) && errno != EEXIST)
		die_of(path);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die_of(path);
	return fd;
}

static void read_ready(int fd)
{
	char buf[512], data[512 + sizeof(uint32_t)], *text;
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	uint32_t status;

	if (n <= 0)
		return;
	buf[n] = 0;
	status = (uint32_t)strtoul(buf, &text, 10);
	memcpy(data, &status, sizeof(status));
	memcpy(data + sizeof(status), text, strlen(text));
	send_frame(0, FRAME_READY, data, sizeof(status) + strlen(text));
}

static void read_log(int fd)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		send_frame(0, FRAME_LOG, buf, (size_t)n);
}

static void add_poll(struct pollfd **fds, size_t *count, int fd, short events)
{
	if ((*count & (*count + 1)) == 0) {	/* full at every power of two less one */
		*fds = realloc(*fds, (*count + 1) * 2 * sizeof(**fds));
		if (!*fds)
			die_of("memory");
	}
	(*fds)[(*count)++] = (struct pollfd){ .fd = fd, .events = events };
}

/* The order of descriptors is the same here and in serve_sessions(). */
static void poll_sessions(struct pollfd **fds, size_t *count)
{
	bool has_room = queue_len(&to_host) < 2 * FRAME_WINDOW;
	struct session *s;

	for (s = sessions; s; s = s->next) {
		short out = has_room && s->credit ? POLLIN : 0;

		add_poll(fds, count, queue_len(&s->in) ? s->fd[IN] : -1, POLLOUT);
		add_poll(fds, count, out ? s->fd[OUT] : -1, out);
		add_poll(fds, count, out ? s->fd[ERR] : -1, out);
	}
}

static void serve_sessions(const struct pollfd *fds)
{
	struct session *s;

	for (s = sessions; s; s = s->next, fds += 3) {
		if (fds[IN].revents && s->fd[IN] >= 0)
			write_stdin(s);
		if (fds[OUT].revents && s->fd[OUT] >= 0)
			read_output(s, OUT);
		if (fds[ERR].revents && s->fd[ERR] >= 0 && s->credit)
			read_output(s, ERR);
	}
}

void agent_run(int is_init)
{
	enum { PORT, SIGNALS, READY, LOG, FIXED };
	int port, signal_fd, ready_fd, log_fd, timeout;
	struct pollfd *fds = NULL;
	struct frame f;
	sigset_t mask;
	size_t count;
	ssize_t n;
	char *data;

	is_first = is_init;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, &old_mask);
	signal_fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	ready_fd = open_fifo(AGENT_READY_FIFO);
	log_fd = open_fifo(AGENT_LOG_FIFO);
	port = open_port();
	send_frame(0, FRAME_HELLO, NULL, 0);

	for (;;) {
		timeout = expire_sessions();
		count = 0;
		add_poll(&fds, &count, port, (short)(POLLIN | (queue_len(&to_host) ? POLLOUT : 0)));
		add_poll(&fds, &count, signal_fd, POLLIN);
		add_poll(&fds, &count, ready_fd, POLLIN);
		add_poll(&fds, &count, log_fd, POLLIN);
		poll_sessions(&fds, &count);
		if (poll(fds, count, timeout) < 0 && errno != EINTR)
			die_of("poll");

		serve_sessions(fds + FIXED);
		if (fds[SIGNALS].revents)
			reap(signal_fd);
		if (fds[READY].revents)
			read_ready(ready_fd);
		if (fds[LOG].revents)
			read_log(log_fd);
		if (fds[PORT].revents & POLLOUT) {
			if (queue_write(&to_host, port, FRAME_MAX_DATA) < 0)
				usleep(10000);	/* the host's end is closed: it comes back or cuts the power */
		}
		if (fds[PORT].revents & (POLLIN | POLLHUP)) {
			n = queue_read(&from_host, port, FRAME_MAX_DATA);
			if (!n)
				usleep(10000);
			while (frame_take(&from_host, &f, &data))
				handle_frame(&f, data);
		}
	}
}
