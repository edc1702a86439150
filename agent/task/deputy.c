// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * deputy.c: superdev-deputy: stands at home for a program that runs at a lender.
 *
 *	superdev-deputy --lease ID [--socket PATH] [--verbose] -- PATH [ARG]…
 *	superdev-deputy --fd N [--lease N] [--epoch N] [--clear] [--verbose] -- PATH [ARG]…
 *
 * With --lease alone it asks the agent for a connection to that lease's lender; with
 * --fd it has one, whose frames carry the lender's number of the lease and the epoch.
 * ARG are the program's arguments from its own name on.  Until the lender is told
 * to start it, everything that fails ends in the same way: the program runs
 * here, in this process.  From then on it never does, or it might run twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "deputy.h"
#include "task_ctl.h"

/* A lender that has not even made a process by then is not worth waiting for. */
#define START_MS 10000

static struct {
	struct sdv_pump pump; /* first: ops get a pump */
	struct sdv_deputy_table table;
	const char *path, *socket;
	char **argv;
	uint8_t *image;
	size_t image_len, image_sent;
	int signals;
	sigset_t mask; /* the program's */
	char refusal[256];
	bool is_verbose, has_stderr;
	bool is_known; /* the kernel had us started, or was told */
	bool is_ready, is_refused, has_gone, has_started, has_exit, is_rest, is_over;
	uint64_t signals_due, groups_due; /* bit n - 1: signal n, to the program or to its group */
	uint64_t remote;                  /* bit n: stream n is a remote file */
	bool is_modes_due;
	struct sdv_task_exit end;
} deputy;

/* As if there had never been a deputy; @why is for who asks. */
static _Noreturn void run_here(const char *why)
{
	if (deputy.is_verbose)
		fprintf(stderr, "superdev: %s runs here: %s\n", deputy.path, why);
	/* Close-on-exec; this is for the message below. */
	if (deputy.pump.fd >= 0)
		close(deputy.pump.fd);
	if (deputy.signals >= 0)
		close(deputy.signals);
	sigprocmask(SIG_SETMASK, &deputy.mask, NULL);
	execv(deputy.path, deputy.argv);
	fprintf(stderr, "%s: %s\n", deputy.path, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static _Noreturn void die_by(int sig)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t only;

	/* A core would be one of this program. */
	prctl(PR_SET_DUMPABLE, 0);
	sigaction(sig, &action, NULL);
	sigemptyset(&only);
	sigaddset(&only, sig);
	kill(getpid(), sig);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	/* It is one that ends nobody here. */
	_exit(128 + sig);
}

static _Noreturn void die_lost(int error)
{
	if (deputy.has_stderr && sdv_deputy_has_stderr())
		dprintf(STDERR_FILENO, "superdev: %s: lost the lender that ran it: %s\n", deputy.path,
			strerror(-error));
	sdv_deputy_tty_restore();
	die_by(SIGKILL);
}

/* The guest has stopped; so do we, and our parent sees that. */
static void stop(int sig)
{
	sigset_t only, pending;
	struct sigaction action;

	if (sigaction(sig, NULL, &action) || action.sa_handler != SIG_DFL)
		sig = SIGSTOP;
	sigemptyset(&only);
	sigaddset(&only, sig);
	kill(getpid(), sig);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	/* Stopped here, until somebody continues us. */
	sigprocmask(SIG_BLOCK, &only, NULL);
	sigpending(&pending);
	/* An orphaned process group does not stop; then neither does the guest. */
	if (!sigismember(&pending, SIGCONT))
		deputy.groups_due |= 1ull << (SIGCONT - 1);
	deputy.is_modes_due = deputy.table.tty >= 0;
}

static int reply_come(const void *payload)
{
	struct superdev_task_refusal bytes;
	char text[124];
	int error;

	memcpy(&bytes, payload, sizeof(bytes));
	if (deputy.has_started)
		return -EPROTO;
	error = sdv_task_refusal_get(&bytes, text);
	snprintf(deputy.refusal, sizeof(deputy.refusal), "%s: %s", text, strerror(error));
	if (error)
		deputy.is_refused = true;
	else if (deputy.has_gone)
		deputy.has_started = true;
	else
		return -EPROTO;
	return 0;
}

/* Where the kernel does not take it, it is not counted, and that is all. */
static void used_tell(const struct sdv_task_used *used)
{
	if (deputy.is_known && !deputy.is_rest)
		sdv_deputy_used_tell(used);
}

static int used_come(const void *payload)
{
	struct superdev_task_used bytes;
	struct sdv_task_used used;

	if (!deputy.has_started || deputy.has_exit)
		return -EPROTO;
	memcpy(&bytes, payload, sizeof(bytes));
	sdv_task_used_get(&bytes, &used);
	used_tell(&used);
	return 0;
}

static int exit_come(const void *payload)
{
	struct superdev_task_exit bytes;

	memcpy(&bytes, payload, sizeof(bytes));
	if (!deputy.has_started || deputy.has_exit || sdv_task_exit_get(&bytes, &deputy.end))
		return -EPROTO;
	deputy.has_exit = true;
	used_tell(&deputy.end.used);
	return 0;
}

static int modes_come(const void *payload)
{
	struct superdev_task_modes bytes;
	struct sdv_task_modes modes;

	memcpy(&bytes, payload, sizeof(bytes));
	if (sdv_task_modes_get(&bytes, &modes))
		return -EPROTO;
	sdv_deputy_tty_set(&modes);
	return 0;
}

static int frame_come(struct sdv_pump *pump, const struct sdv_head *head, const void *payload)
{
	switch (head->op) {
	case SUPERDEV_TASK_EXEC: return reply_come(payload);
	case SUPERDEV_TASK_READY:
		deputy.is_ready = true;
		deputy.remote = head->offset;
		return 0;
	case SUPERDEV_TASK_REMOTE:
		return deputy.has_started ? sdv_deputy_remote_come(pump, payload, head->length) : -EPROTO;
	case SUPERDEV_TASK_MODES: return modes_come(payload);
	case SUPERDEV_TASK_STOPPED:
		if (deputy.has_started && !deputy.is_rest)
			stop((int)head->count);
		return 0;
	case SUPERDEV_TASK_EXIT: return exit_come(payload);
	case SUPERDEV_TASK_USED: return used_come(payload);
	default: deputy.is_over = true; return 0;
	}
}

static uint32_t left(struct sdv_pump_stream *stream)
{
	(void)stream;
	return 0;
}

static const struct sdv_pump_ops ops = {
	.frame = frame_come,
	.in_close = sdv_deputy_in_close,
	.out_close = sdv_deputy_out_close,
	.left = left,
};

static void signal_come(const struct signalfd_siginfo *info)
{
	int sig = (int)info->ssi_signo;
	uint64_t bit = 1ull << (sig - 1);
	/* From the terminal, or to continue a job: for all of the group. */
	bool is_group = info->ssi_code == SI_KERNEL || sig == SIGCONT;

	/* The program is over, and what it wrote is not taken: whoever wants us gone gets it. */
	if (deputy.has_exit && (sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT))
		die_by(sig);
	if (sig == SIGWINCH && deputy.table.tty >= 0) {
		deputy.is_modes_due = true;
		return;
	}
	if (sig == SIGCONT)
		deputy.is_modes_due = deputy.table.tty >= 0;
	*(is_group ? &deputy.groups_due : &deputy.signals_due) |= bit;
}

static void signals_read(void)
{
	struct signalfd_siginfo info;

	while (read(deputy.signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		signal_come(&info);
}

static void due_put(uint64_t *due, uint64_t is_group)
{
	for (int sig = 1; sig <= 64 && *due; sig++) {
		uint64_t bit = 1ull << (sig - 1);

		if (*due & bit &&
		    !sdv_pump_put(&deputy.pump, SUPERDEV_TASK_SIGNAL, 0, is_group, (uint32_t)sig, NULL, 0))
			*due &= ~bit;
	}
}

/* What is to be told, as far as there is room. */
static void facts_put(void)
{
	struct superdev_task_modes payload;
	struct sdv_task_modes modes;

	if (deputy.is_modes_due && sdv_deputy_tty_get(&modes)) {
		sdv_task_modes_put(&payload, &modes);
		if (!sdv_pump_put(&deputy.pump, SUPERDEV_TASK_MODES, 0, 0, 0, &payload, sizeof(payload)))
			deputy.is_modes_due = false;
	}
	due_put(&deputy.groups_due, 1);
	due_put(&deputy.signals_due, 0);
}

static void image_put(void)
{
	while (deputy.image_sent < deputy.image_len) {
		size_t len = deputy.image_len - deputy.image_sent;

		if (len > SUPERDEV_TASK_MAX_DATA)
			len = SUPERDEV_TASK_MAX_DATA;
		if (sdv_pump_put(&deputy.pump, SUPERDEV_TASK_EXEC, 0, deputy.image_sent,
				 (uint32_t)deputy.image_len, deputy.image + deputy.image_sent, len))
			return;
		deputy.image_sent += len;
	}
}

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns when the lender has said that the program runs. */
static void start(void)
{
	struct sdv_pump *pump = &deputy.pump;
	int64_t deadline = clock_ms() + START_MS, rest;
	int r = 0;

	while (!r && !deputy.is_ready && !deputy.is_refused) {
		image_put();
		r = sdv_pump_flush(pump);
		if (r)
			break;
		/* A turn would wait for something to happen, and nothing will. */
		if (deputy.image_sent < deputy.image_len && sdv_pump_is_sent(pump))
			continue;
		rest = deadline - clock_ms();
		if (rest <= 0)
			run_here("the lender does not answer");
		r = sdv_pump_turn(pump, (int)rest);
		/* It is pending, and the program here gets it: none is lost, and nobody waits for a lender. */
		if (pump->extra[0].revents)
			run_here("it has got a signal");
	}
	if (r || deputy.is_refused)
		run_here(r ? strerror(-r) : deputy.refusal);
	free(deputy.image);
	r = sdv_deputy_streams_add(pump, &deputy.table, deputy.remote);
	if (r)
		run_here(strerror(-r));
	for (unsigned int i = 0; i < pump->nr_streams; i++)
		pump->streams[i].is_in_paused = true;
	sdv_pump_put(pump, SUPERDEV_TASK_GO, 0, 0, 0, NULL, 0);
	deputy.has_gone = true;
	r = sdv_pump_flush(pump);
	/* Not a byte of it has left: nobody was told. */
	if (r && !pump->tx_pos)
		run_here(strerror(-r));
	while (!r && !deputy.has_started && !deputy.is_refused)
		r = sdv_pump_turn(pump, -1);
	if (deputy.is_refused)
		run_here(deputy.refusal);
	if (r)
		die_lost(r);
	for (unsigned int i = 0; i < pump->nr_streams; i++)
		pump->streams[i].is_in_paused = false;
}

static bool is_flushed(void)
{
	for (unsigned int i = 0; i < deputy.pump.nr_streams; i++)
		if (!sdv_pump_is_flushed(&deputy.pump.streams[i]))
			return false;
	return true;
}

/* The program has left processes that run on: somebody has to carry what they write. */
static void leave_rest(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return;
	if (!pid) {
		deputy.is_rest = true;
		sdv_deputy_tty_detach();
		return;
	}
	deputy.end.flags &= ~SUPERDEV_TASK_EXIT_REMAINS;
}

static void end(void)
{
	if (deputy.end.flags & SUPERDEV_TASK_EXIT_REMAINS)
		leave_rest();
	if (deputy.is_rest)
		return;
	if (deputy.end.signal)
		die_by((int)deputy.end.signal);
	_exit((int)deputy.end.code);
}

/* What is not told by a descriptor is looked at now and then: ms, -1 for never. */
static int patience(struct sdv_pump *pump)
{
	int tty = sdv_deputy_tty_turn(pump), remote = sdv_deputy_remote_turn();

	return tty < 0 || (remote >= 0 && remote < tty) ? remote : tty;
}

static void run(void)
{
	struct sdv_pump *pump = &deputy.pump;
	int r = 0;

	while (!r && !(deputy.is_rest && deputy.is_over)) {
		if (deputy.has_exit && !deputy.is_rest && is_flushed())
			end();
		r = sdv_pump_turn(pump, patience(pump));
		if (pump->extra[0].revents)
			signals_read();
		facts_put();
		if (!r)
			r = sdv_pump_flush(pump);
	}
	if (deputy.is_rest)
		_exit(0);
	/* What the program has written is not lost with the connection. */
	while (deputy.has_exit && !is_flushed()) {
		pump->fd = -1;
		sdv_pump_turn(pump, -1);
		signals_read();
	}
	if (deputy.has_exit)
		end();
	die_lost(r);
}

static _Noreturn void usage(void)
{
	fprintf(stderr,
		"usage: superdev-deputy --lease ID [--socket PATH] [--verbose] -- PATH [ARG]…\n"
		"       superdev-deputy --fd N [--lease N] [--epoch N] [--clear] [--verbose] -- PATH [ARG]…\n");
	exit(2);
}

static uint64_t number(const char *text, uint64_t max)
{
	char *rest;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &rest, 0);
	if (errno || *rest || rest == text || value > max)
		usage();
	return value;
}

static void options_read(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "lease", required_argument, NULL, 'l' },
		{ "epoch", required_argument, NULL, 'e' },
		{ "clear", no_argument, NULL, 'C' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "socket", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	struct sdv_pump *pump = &deputy.pump;
	int option;

	pump->fd = -1;
	while ((option = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		switch (option) {
		case 'f': pump->fd = (int)number(optarg, 1 << 20); break;
		case 'l': pump->rules.lease = number(optarg, UINT64_MAX); break;
		case 'e': pump->rules.epoch = (uint32_t)number(optarg, UINT32_MAX); break;
		case 'C': pump->rules.must_csum = true; break;
		case 'v': deputy.is_verbose = true; break;
		case 's': deputy.socket = optarg; break;
		default: usage();
		}
	}
	/* Who has the kernel start it has no other way to ask. */
	if (getenv("SUPERDEV_VERBOSE"))
		deputy.is_verbose = true;
	if (pump->fd < 0 && (!pump->rules.lease || pump->rules.lease > UINT32_MAX))
		usage();
	if (optind >= argc)
		usage();
	deputy.path = argv[optind];
	deputy.argv = argv + optind + 1;
}

/* All that a program can catch, but what the kernel says of our own doings. */
static void signals_open(void)
{
	static const int not_ours[] = { SIGCHLD, SIGPIPE, SIGTTIN, SIGTTOU };
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, &deputy.mask);
	for (size_t i = 0; i < sizeof(not_ours) / sizeof(*not_ours); i++)
		sigdelset(&set, not_ours[i]);
	deputy.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A make that a make started does little itself, and here each of its jobs may run elsewhere. */
static bool is_submake(const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *flags = getenv("MAKEFLAGS");

	return (!strcmp(name, "make") || !strcmp(name, "gmake")) && flags && strstr(flags, "--jobserver-");
}

int main(int argc, char **argv)
{
	struct sdv_pump *pump = &deputy.pump;
	const char *why;
	void *image;
	int r;

	sdv_pump_thin(pump);
	options_read(argc, argv);
	/* Where it has none, the number may be one of ours. */
	deputy.has_stderr = fcntl(STDERR_FILENO, F_GETFD) >= 0;
	if (pump->fd >= 0 && fcntl(pump->fd, F_SETFD, FD_CLOEXEC))
		usage();
	sigemptyset(&deputy.mask);
	deputy.signals = -1;
	if (is_submake(deputy.path)) {
		sigprocmask(SIG_SETMASK, NULL, &deputy.mask);
		run_here("it is part of a make, and its jobs are decided on one by one");
	}
	if (sdv_deputy_table_read(&deputy.table, pump->fd, &why)) {
		sigprocmask(SIG_SETMASK, NULL, &deputy.mask);
		run_here(why);
	}
	signals_open();
	if (deputy.signals < 0)
		run_here(strerror(errno));
	r = sdv_deputy_image_make(deputy.path, deputy.argv, &deputy.table, &deputy.mask, &image,
				  &deputy.image_len);
	if (r)
		run_here(strerror(-r));
	deputy.image = image;
	/* Who has a connection without asking is of no interest to the kernel. */
	deputy.is_known = pump->fd < 0;
	/* Last of what may keep it here: a connection that is taken is a guest that is used up. */
	if (pump->fd < 0 &&
	    sdv_deputy_ask(deputy.socket ? deputy.socket : SDV_TASK_SOCKET, (uint32_t)pump->rules.lease,
			   deputy.signals, &pump->rules, &pump->fd, deputy.refusal, sizeof(deputy.refusal)))
		run_here(deputy.refusal);
	pump->side = SDV_TASK_HOME;
	pump->ops = &ops;
	pump->extra[0] = (struct pollfd){ .fd = deputy.signals, .events = POLLIN };
	/* What ps and killall know it by. */
	prctl(PR_SET_NAME, strrchr(deputy.path, '/') ? strrchr(deputy.path, '/') + 1 : deputy.path);
	pump->nr_extra = 1;
	start();
	run();
}
