// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wait.c: waiting for the registry to change, until it has or a person has enough.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "registry.h"

#define SPINNER_AFTER_MS 2000
#define TICK_MS          250
/* A restarted agent is back sooner than that. */
#define AGENT_ABSENT_MS  3000

static volatile sig_atomic_t interrupted;
static struct sigaction old_int, old_term;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

void cli_interrupt_begin(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	interrupted = 0;
	sigaction(SIGINT, &action, &old_int);
	sigaction(SIGTERM, &action, &old_term);
}

void cli_interrupt_end(void)
{
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
}

bool cli_is_interrupted(void)
{
	return interrupted;
}

uint64_t cli_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int cli_watch(struct cli *cli)
{
	int r;

	if (cli->is_watching)
		return 0;
	r = sdv_nl_watch(cli->nl);
	cli->is_watching = !r;
	return r;
}

static void ignore(void *arg, const struct sdv_event *event)
{
	(void)arg;
	(void)event;
}

int cli_watch_drain(struct cli *cli)
{
	int r = sdv_nl_watch_read(cli->nl, ignore, NULL);

	/* Only that something changed matters: it is looked at anew anyway. */
	return r == -ENOBUFS ? 0 : r;
}

static bool is_agent_running(struct cli *cli)
{
	struct sdv_agent_info agent;

	return !sdv_nl_agent_get(cli->nl, &agent) && agent.running;
}

int cli_wait(struct cli *cli, cli_check_fn check, void *arg, unsigned int timeout_ms, const char *what)
{
	const uint64_t start = cli_now_ms();
	uint64_t now, seen = start;
	bool has_spinner = false;
	struct pollfd pollfd = { .fd = sdv_nl_watch_fd(cli->nl), .events = POLLIN };
	char *escaped = cli_escape(what);
	int r;

	for (;;) {
		r = check(cli, arg);
		if (r)
			break;
		now = cli_now_ms();
		if (cli_is_interrupted()) {
			r = -EINTR;
			break;
		}
		if (now - start >= timeout_ms) {
			r = -ETIMEDOUT;
			break;
		}
		if (is_agent_running(cli)) {
			seen = now;
		} else if (now - seen >= AGENT_ABSENT_MS) {
			r = -ENOTCONN;
			break;
		}
		if (now - start >= SPINNER_AFTER_MS && isatty(STDERR_FILENO)) {
			fprintf(stderr, "\r\033[K%s ... %u s", escaped, (unsigned int)((now - start) / 1000));
			has_spinner = true;
		}
		r = poll(&pollfd, 1,
			 timeout_ms - (now - start) < TICK_MS ? (int)(timeout_ms - (now - start)) : TICK_MS);
		if (r > 0) {
			r = cli_watch_drain(cli);
			if (r)
				break;
		}
	}
	if (has_spinner)
		fputs("\r\033[K", stderr);
	free(escaped);
	return r;
}
