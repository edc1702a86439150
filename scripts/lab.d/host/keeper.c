// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keeper DIR QEMU ARGUMENT…: keeps one lab machine.
 *
 * Starts QEMU as its child in DIR, and stays as a process of its own session until QEMU ends;
 * its own end, however violent, is QEMU's too.  QEMU's virtio-serial port is connected to
 * DIR/agent.sock, which only the keeper listens on; clients (client.c) come to DIR/sock, and
 * their commands are multiplexed over the port.  DIR then holds: keeper.pid, keeper.log,
 * qemu.log, superdevd.log (what the agent forwards), ended (why, once it has).
 * Returns when QEMU runs; 0, or 1 with the reason on stderr.  Called by machines.sh.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../frame.h"

struct client {
	struct client *next;
	int fd;
	uint32_t session;	/* never used again, so late frames find nobody */
	bool is_open;		/* FRAME_OPEN went to the agent */
	bool is_waiting;	/* for FRAME_READY */
	bool is_done;		/* close when all is written */
	struct queue in, out;
};

static struct client *clients;
static struct queue to_agent, from_agent;
static uint32_t last_session;
static int agent_fd = -1, log_fd;
static pid_t qemu;
static uint64_t start_ms;
static bool is_answering, is_ready, was_killed, was_shut_down;
static uint32_t ready_status;
static char ready_text[512];

static int listen_on(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	unlink(path);
	strncpy(sun.sun_path, path, sizeof(sun.sun_path) - 1);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) || listen(fd, 64))
		die_of(path);
	return fd;
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f))
		die_of(path);
}

static void start_qemu(char **argv)
{
	qemu = fork();
	if (qemu < 0)
		die_of("fork");
	if (!qemu) {
		int out = open("qemu.log", O_WRONLY | O_CREAT | O_TRUNC, 0644);
		sigset_t none;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		dup2(out, 1);
		dup2(out, 2);
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
}

static void answer_text(struct client *c, uint32_t status, const char *text)
{
	char data[sizeof(status) + sizeof(ready_text)];
	size_t len = strnlen(text, sizeof(ready_text));

	memcpy(data, &status, sizeof(status));
	memcpy(data + sizeof(status), text, len);
	frame_put(&c->out, 0, FRAME_TEXT, data, sizeof(status) + len);
	c->is_done = true;
}

static void answer_status(struct client *c)
{
	char text[sizeof(ready_text)];

	snprintf(text, sizeof(text), "%s, up %llu s, qemu %d%s%.300s",
		 is_ready ? "ready" : is_answering ? "starting" : "booting",
		 (unsigned long long)((now_ms() - start_ms) / 1000), qemu,
		 is_ready ? "," : "", ready_text);
	answer_text(c, is_ready ? ready_status : 1, text);
}

static void remove_client(struct client *c)
{
	struct client **p;

	if (c->is_open)
		frame_put(&to_agent, c->session, FRAME_CLOSE, NULL, 0);
	for (p = &clients; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	close(c->fd);
	queue_free(&c->in);
	queue_free(&c->out);
	free(c);
}

static void handle_client_frame(struct client *c, const struct frame *f, const char *data)
{
	switch (f->type) {
	case FRAME_OPEN:
		c->is_open = true;
		frame_put(&to_agent, c->session, FRAME_OPEN, data, f->len);
		break;
	case FRAME_STDIN:
	case FRAME_STDIN_EOF:
	case FRAME_SIGNAL:
	case FRAME_WINSIZE:
	case FRAME_ACK:
		if (c->is_open)
			frame_put(&to_agent, c->session, f->type, data, f->len);
		break;
	case FRAME_WAIT:
		if (is_ready)
			answer_text(c, ready_status, ready_text);
		else
			c->is_waiting = true;
		break;
	case FRAME_STATUS:
		answer_status(c);
		break;
	case FRAME_KILL:
		was_killed = true;
		kill(qemu, SIGKILL);
		break;
	case FRAME_SHUTDOWN:
		was_shut_down = true;
		frame_put(&to_agent, 0, FRAME_POWEROFF, NULL, 0);
		break;
	default:
		fprintf(stderr, "a client sent a frame of type %u\n", f->type);
		c->is_done = true;
		break;
	}
}

static void gone(struct client *c, const char *text)
{
	frame_put(&c->out, 0, FRAME_GONE, text, strlen(text));
	c->is_open = false;
	c->is_done = true;
}

static void handle_ready(const struct frame *f, const char *data)
{
	size_t len = f->len > sizeof(ready_status) ? f->len - sizeof(ready_status) : 0;
	struct client *c;

	if (len >= sizeof(ready_text))
		len = sizeof(ready_text) - 1;
	ready_status = frame_u32(f, data);
	memcpy(ready_text, data + sizeof(ready_status), len);
	ready_text[len] = 0;
	ready_text[strcspn(ready_text, "\n")] = 0;
	is_ready = true;
	for (c = clients; c; c = c->next)
		if (c->is_waiting)
			answer_text(c, ready_status, ready_text);
}

static void handle_agent_frame(const struct frame *f, const char *data)
{
	struct client *c;

	switch (f->type) {
	case FRAME_HELLO:
		is_answering = true;
		for (c = clients; c; c = c->next)
			if (c->is_open && c->session < last_session)
				gone(c, "its command agent was started anew");
		return;
	case FRAME_READY:
		handle_ready(f, data);
		return;
	case FRAME_LOG:
		if (write(log_fd, data, f->len) < 0)
			fprintf(stderr, "superdevd.log: %s\n", strerror(errno));
		return;
	}
	for (c = clients; c; c = c->next) {
		if (c->session != f->session || !c->is_open)
			continue;
		frame_put(&c->out, 0, f->type, data, f->len);
		if (f->type == FRAME_EXIT) {
			c->is_open = false;
			c->is_done = true;
		}
		return;
	}
}

static void serve_client(struct client *c, short revents)
{
	struct frame f;
	bool is_gone = false;
	char *data;
	ssize_t n;

	if (revents & (POLLIN | POLLHUP | POLLERR)) {
		n = queue_read(&c->in, c->fd, FRAME_MAX_DATA * 4);
		is_gone = !n || (n < 0 && n != -EAGAIN);
		while (!c->is_done && frame_take(&c->in, &f, &data))
			handle_client_frame(c, &f, data);
	}
	if (!is_gone && queue_len(&c->out))
		is_gone = queue_write(&c->out, c->fd, SIZE_MAX) < 0;
	if (is_gone || (c->is_done && !queue_len(&c->out)))
		remove_client(c);
}

static void accept_client(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;

	if (fd < 0)
		return;
	c = calloc(1, sizeof(*c));
	if (!c)
		die_of("memory");
	c->fd = fd;
	c->session = ++last_session;
	c->next = clients;
	clients = c;
}

/* Whether the end of the console holds a kernel's last words. */
static bool console_shows_panic(void)
{
	static char tail[65537];
	int fd = open("console.log", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	if (lseek(fd, -(off_t)(sizeof(tail) - 1), SEEK_END) < 0)
		lseek(fd, 0, SEEK_SET);
	n = read(fd, tail, sizeof(tail) - 1);
	close(fd);
	tail[n > 0 ? n : 0] = 0;
	return strstr(tail, "Kernel panic") || strstr(tail, "Oops");
}

/* QEMU ended: says why to every client and to the file, and ends itself. */
static void __attribute__((noreturn)) finish(int status)
{
	char text[256];
	struct client *c;

	if (was_killed)
		snprintf(text, sizeof(text), "the power was cut");
	else if (console_shows_panic())
		snprintf(text, sizeof(text), "its kernel panicked: see the console log");
	else if (was_shut_down && WIFEXITED(status) && !WEXITSTATUS(status))
		snprintf(text, sizeof(text), "powered off");
	else if (WIFEXITED(status) && !WEXITSTATUS(status))
		snprintf(text, sizeof(text), "it powered off or rebooted by itself");
	else
		snprintf(text, sizeof(text), "QEMU ended by itself with %s %d: see qemu.log",
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	unlink("sock");
	unlink("agent.sock");
	write_text("ended", text);
	unlink("keeper.pid");
	for (c = clients; c; c = c->next) {
		if (!c->is_done)
			gone(c, text);
		while (queue_len(&c->out)) {
			struct pollfd p = { .fd = c->fd, .events = POLLOUT };

			if (poll(&p, 1, 1000) <= 0 || queue_write(&c->out, c->fd, SIZE_MAX) < 0)
				break;
		}
	}
	exit(0);
}

static void serve(int listener, int agent_listener, int signal_fd)
{
	enum { AGENT, LISTENER, SIGNALS, AGENT_LISTENER, FIXED };
	struct signalfd_siginfo info;
	struct pollfd *fds = NULL;
	struct client *c, *next;
	struct frame f;
	size_t count, i;
	ssize_t n;
	char *data;

	for (;;) {
		int status;

		for (count = FIXED, c = clients; c; c = c->next)
			count++;
		fds = reallocarray(fds, count, sizeof(*fds));
		if (!fds)
			die_of("memory");
		fds[AGENT] = (struct pollfd){ .fd = agent_fd, .events =
			(short)(POLLIN | (queue_len(&to_agent) ? POLLOUT : 0)) };
		fds[LISTENER] = (struct pollfd){ .fd = listener, .events = POLLIN };
		fds[SIGNALS] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
		fds[AGENT_LISTENER] = (struct pollfd){ .fd = agent_listener, .events = POLLIN };
		for (i = FIXED, c = clients; c; c = c->next, i++)
			fds[i] = (struct pollfd){ .fd = c->fd, .events =
				(short)(POLLIN | (queue_len(&c->out) ? POLLOUT : 0)) };
		if (poll(fds, count, -1) < 0 && errno != EINTR)
			die_of("poll");

		for (i = FIXED, c = clients; c; c = next, i++) {
			next = c->next;
			if (fds[i].revents)
				serve_client(c, fds[i].revents);
		}
		if (fds[SIGNALS].revents && read(signal_fd, &info, sizeof(info)) > 0) {
			if (info.ssi_signo != SIGCHLD)
				kill(qemu, SIGKILL);
			if (waitpid(qemu, &status, WNOHANG) == qemu)
				finish(status);
		}
		if (fds[AGENT_LISTENER].revents && agent_fd < 0) {
			agent_fd = accept4(agent_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
			agent_listener = -1;
		}
		if (fds[LISTENER].revents)
			accept_client(listener);
		if (fds[AGENT].revents & (POLLIN | POLLHUP | POLLERR)) {
			n = queue_read(&from_agent, agent_fd, FRAME_MAX_DATA * 4);
			if (!n || (n < 0 && n != -EAGAIN)) {
				close(agent_fd);	/* QEMU is about to end: SIGCHLD follows */
				agent_fd = -1;
			}
			while (frame_take(&from_agent, &f, &data))
				handle_agent_frame(&f, data);
		}
		if (agent_fd >= 0 && queue_len(&to_agent) &&
		    queue_write(&to_agent, agent_fd, SIZE_MAX) < 0) {
			close(agent_fd);
			agent_fd = -1;
		}
	}
}

int main(int argc, char **argv)
{
	int listener, agent_listener, signal_fd, fd;
	char text[32];
	sigset_t mask;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: keeper DIR QEMU ARGUMENT…\n");
		return 2;
	}
	/* Locks and pipes of the calling script must not live on in QEMU. */
	close_range(3, ~0U, 0);
	if (chdir(argv[1]))
		die_of(argv[1]);
	agent_listener = listen_on("agent.sock");
	listener = listen_on("sock");
	log_fd = open("superdevd.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log_fd < 0)
		die_of("superdevd.log");

	/* The listening sockets are there already: the caller may connect as soon as it goes on. */
	pid = fork();
	if (pid < 0)
		die_of("fork");
	if (pid)
		return 0;
	setsid();
	snprintf(text, sizeof(text), "%d\n", getpid());
	write_text("keeper.pid", text);
	unlink("ended");
	fd = open("/dev/null", O_RDONLY);
	dup2(fd, 0);
	fd = open("keeper.log", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	dup2(fd, 1);
	dup2(fd, 2);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal_fd = signalfd(-1, &mask, SFD_CLOEXEC);
	start_ms = now_ms();
	start_qemu(argv + 2);
	serve(listener, agent_listener, signal_fd);
}
