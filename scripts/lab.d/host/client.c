// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * client DIR exec [-t] COMMAND…: runs COMMAND in the machine kept in DIR, with this process's
 * standard streams and, as exit status, the command's; -t gives it a terminal.
 * client DIR wait|status|kill|shutdown [SECONDS]: asks the keeper, prints its answer.
 * client DIR control LINE: asks the switch (switch.c) in DIR, prints its answer.
 * Exit status 255: the machine does not run or ended meanwhile.  Called by machines.sh.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "../frame.h"

#define UNREACHABLE 255
#define TIMED_OUT 254

static const char *machine;
static struct queue to_keeper, from_keeper;
static struct termios saved_termios;
static bool has_raw_terminal;
static bool wants_end;	/* asked for the machine's end, which is then no failure */

static void restore_terminal(void)
{
	if (has_raw_terminal)
		tcsetattr(0, TCSADRAIN, &saved_termios);
}

static void __attribute__((noreturn)) unreachable(const char *why)
{
	restore_terminal();
	fprintf(stderr, "lab: machine '%s' does not answer: %s\n", machine, why);
	exit(UNREACHABLE);
}

/* Connected by a relative path, because a clone may lie deeper than a socket address is long. */
static int connect_in(const char *dir, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	machine = strrchr(dir, '/') ? strrchr(dir, '/') + 1 : dir;
	if (chdir(dir))
		unreachable("there is no such machine");
	strncpy(sun.sun_path, name, sizeof(sun.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun))) {
		char why[256] = "it is not running";
		FILE *f = fopen("ended", "re");

		if (f && !fgets(why, sizeof(why), f))
			snprintf(why, sizeof(why), "it is not running");
		unreachable(why);
	}
	return fd;
}

static void raw_terminal(void)
{
	struct termios t;

	if (tcgetattr(0, &saved_termios))
		return;
	has_raw_terminal = true;
	atexit(restore_terminal);
	t = saved_termios;
	cfmakeraw(&t);
	tcsetattr(0, TCSADRAIN, &t);
}

static struct winsize window_size(void)
{
	struct winsize ws = { .ws_row = 24, .ws_col = 80 };

	ioctl(0, TIOCGWINSZ, &ws);
	return ws;
}

static void put_open(bool has_pty, char **argv, int argc)
{
	struct winsize ws = window_size();
	struct frame_open open = { .has_pty = has_pty, .rows = ws.ws_row, .columns = ws.ws_col,
				   .argc = (uint16_t)argc };
	const char *term = has_pty && getenv("TERM") ? getenv("TERM") : "";
	struct queue q = { 0 };
	int i;

	queue_put(&q, &open, sizeof(open));
	queue_put(&q, term, strlen(term) + 1);
	for (i = 0; i < argc; i++)
		queue_put(&q, argv[i], strlen(argv[i]) + 1);
	if (queue_len(&q) > FRAME_MAX_DATA) {
		fprintf(stderr, "lab: the command's arguments have %zu bytes; at most %u are possible\n",
			queue_len(&q), FRAME_MAX_DATA);
		exit(2);
	}
	frame_put(&to_keeper, 0, FRAME_OPEN, q.data, queue_len(&q));
	queue_free(&q);
}

/* Standard output is written blocking: its flags may be shared with other processes.  A reader
 * that is gone ends this command like a local one. */
static void pass_output(int fd, const char *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, data + done, len - done);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			poll(&p, 1, -1);
		} else if (n < 0 && errno == EPIPE) {
			restore_terminal();
			signal(SIGPIPE, SIG_DFL);
			raise(SIGPIPE);
		} else if (n < 0 && errno != EINTR) {
			fprintf(stderr, "lab: writing output: %s\n", strerror(errno));
			exit(1);
		} else if (n > 0) {
			done += (size_t)n;
		}
	}
	frame_put_u32(&to_keeper, 0, FRAME_ACK, (uint32_t)len);
}

static void handle_frame(const struct frame *f, const char *data, uint32_t *credit)
{
	switch (f->type) {
	case FRAME_STDOUT:
		pass_output(1, data, f->len);
		break;
	case FRAME_STDERR:
		pass_output(2, data, f->len);
		break;
	case FRAME_ACK:
		*credit += frame_u32(f, data);
		break;
	case FRAME_EXIT:
		exit((int)frame_u32(f, data));
	case FRAME_TEXT:
		printf("%.*s\n", (int)f->len - 4, data + 4);
		exit((int)frame_u32(f, data));
	case FRAME_GONE: {
		char why[256];

		if (wants_end)
			exit(0);
		snprintf(why, sizeof(why), "%.*s", (int)f->len, data);
		unreachable(why);
	}
	default:
		break;
	}
}

static int make_signal_fd(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGQUIT);
	sigaddset(&mask, SIGWINCH);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void pass_signal(int signal_fd)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) > 0) {
		if (info.ssi_signo == SIGWINCH) {
			struct winsize ws = window_size();

			frame_put_u32(&to_keeper, 0, FRAME_WINSIZE,
				      ws.ws_row | (uint32_t)ws.ws_col << 16);
		} else {
			frame_put_u32(&to_keeper, 0, FRAME_SIGNAL, info.ssi_signo);
		}
	}
}

/* Reads standard input within the credit; false at its end. */
static bool pass_input(uint32_t *credit)
{
	char buf[FRAME_MAX_DATA];
	ssize_t n = read(0, buf, *credit < sizeof(buf) ? *credit : sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		frame_put(&to_keeper, 0, FRAME_STDIN_EOF, NULL, 0);
		return false;
	}
	frame_put(&to_keeper, 0, FRAME_STDIN, buf, (size_t)n);
	*credit -= (uint32_t)n;
	return true;
}

static void __attribute__((noreturn)) serve(int keeper, bool has_input)
{
	enum { KEEPER, INPUT, SIGNALS, COUNT };
	int signal_fd = has_input ? make_signal_fd() : -1;
	uint32_t credit = FRAME_WINDOW;
	bool is_listening = true;
	struct frame f;
	char *data;

	signal(SIGPIPE, SIG_IGN);
	set_nonblock(keeper);
	for (;;) {
		struct pollfd fds[COUNT] = {
			[KEEPER] = { .fd = keeper, .events =
				(short)(POLLIN | (is_listening && queue_len(&to_keeper) ? POLLOUT : 0)) },
			[INPUT] = { .fd = has_input && credit && is_listening ? 0 : -1, .events = POLLIN },
			[SIGNALS] = { .fd = signal_fd, .events = POLLIN },
		};
		ssize_t n;

		if (poll(fds, COUNT, -1) < 0 && errno != EINTR)
			die_of("poll");
		if (fds[SIGNALS].revents)
			pass_signal(signal_fd);
		if (fds[INPUT].revents)
			has_input = pass_input(&credit);
		if (fds[KEEPER].revents & (POLLIN | POLLHUP)) {
			n = queue_read(&from_keeper, keeper, FRAME_MAX_DATA * 4);
			while (frame_take(&from_keeper, &f, &data))
				handle_frame(&f, data, &credit);
			if (!n || (n < 0 && n != -EAGAIN))
				unreachable("its keeper ended");
		}
		/* Who has closed may have said before how the command ended: that is still to be read. */
		if (is_listening && queue_len(&to_keeper) && queue_write(&to_keeper, keeper, SIZE_MAX) < 0)
			is_listening = false;
	}
}

static int ask_switch(int fd, const char *line)
{
	char answer[8192];
	ssize_t n;

	if (dprintf(fd, "%s\n", line) < 0)
		die_of("switch");
	n = read(fd, answer, sizeof(answer) - 1);
	answer[n > 0 ? n : 0] = 0;
	if (!strncmp(answer, "ok\n", 3)) {
		fputs(answer + 3, stdout);
		return 0;
	}
	fprintf(stderr, "lab: the switch says: %s", n > 0 ? answer : "nothing\n");
	return 1;
}

static void timed_out(int sig)
{
	(void)sig;
	_exit(TIMED_OUT);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; enum frame_type type; } requests[] = {
		{ "wait", FRAME_WAIT }, { "status", FRAME_STATUS },
		{ "kill", FRAME_KILL }, { "shutdown", FRAME_SHUTDOWN },
	};
	int keeper, first = 3;
	size_t i;

	if (argc < 3) {
		fprintf(stderr, "usage: client DIR REQUEST…\n");
		return 2;
	}
	if (!strcmp(argv[2], "control") && argc == 4)
		return ask_switch(connect_in(argv[1], "control"), argv[3]);
	keeper = connect_in(argv[1], "sock");
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (strcmp(argv[2], requests[i].name))
			continue;
		if (argc > 3) {
			signal(SIGALRM, timed_out);
			alarm((unsigned int)strtoul(argv[3], NULL, 10));
		}
		wants_end = requests[i].type == FRAME_KILL || requests[i].type == FRAME_SHUTDOWN;
		frame_put(&to_keeper, 0, requests[i].type, NULL, 0);
		serve(keeper, false);
	}
	if (argc > first && !strcmp(argv[first], "-t"))
		first++;
	if (strcmp(argv[2], "exec") || argc <= first) {
		fprintf(stderr, "client: '%s' is no request\n", argv[2]);
		return 2;
	}
	put_open(first == 4, argv + first, argc - first);
	if (first == 4)
		raw_terminal();
	serve(keeper, true);
}
