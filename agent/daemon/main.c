// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c: superdevd(8), the agent of a machine: options, start and end.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "conf.h"
#include "conn.h"
#include "daemon.h"
#include "guard.h"
#include "guest_lender.h"
#include "helper.h"
#include "lane_home.h"
#include "lease_home.h"
#include "lease_lender.h"
#include "listen.h"
#include "meter.h"
#include "module.h"
#include "notify.h"
#include "offer.h"
#include "pair.h"
#include "peer.h"
#include "registry.h"
#include "state.h"
#include "task_home.h"
#include "task_sock.h"
#include "worker_proc.h"

#define CONFIG       "/etc/superdev/superdev.conf"
#define FILES_WANTED 65536

struct signals {
	struct daemon *d;
	int fd;
	struct sdv_op poll;
	struct timer watchdog;
};

void daemon_end(struct daemon *d, int result)
{
	d->is_ending = true;
	d->result = result;
}

void random_bytes(void *ret_data, size_t len)
{
	if (getrandom(ret_data, len, 0) == (ssize_t)len)
		return;
	sdv_log(SDV_LOG_ERR, "no random numbers: %s", strerror(errno));
	abort();
}

/* Configuration ---------------------------------------------------------- */

static void set_defaults(struct daemon_conf *conf)
{
	*conf = (struct daemon_conf){
		.listen = "::",
		.state_dir = "/var/lib/superdev",
		.runtime_dir = "/run/superdev",
		.worker = "/usr/libexec/superdev/superdev-worker",
		.port = SUPERDEV_PORT,
		.lanes = 8,
		.strangers = 64,
		.strangers_per_source = 16,
		.log_level = SDV_LOG_INFO,
	};
	/* The first label of the host name, as far as it can be a name. */
	if (gethostname(conf->name, sizeof(conf->name)) < 0)
		conf->name[0] = '\0';
	conf->name[sizeof(conf->name) - 1] = '\0';
	conf->name[strcspn(conf->name, ".")] = '\0';
	if (!conf->name[0])
		strcpy(conf->name, "superdev");
}

static int read_conf(struct daemon_conf *conf, int argc, char **argv)
{
	const struct sdv_conf_key keys[] = {
		{ "name", SDV_CONF_STRING, conf->name, sizeof(conf->name), 0, 0 },
		{ "listen", SDV_CONF_STRING, conf->listen, sizeof(conf->listen), 0, 0 },
		{ "port", SDV_CONF_NUMBER, &conf->port, 0, 1, 65535 },
		{ "state-dir", SDV_CONF_PATH, conf->state_dir, sizeof(conf->state_dir), 0, 0 },
		{ "runtime-dir", SDV_CONF_PATH, conf->runtime_dir, sizeof(conf->runtime_dir), 0, 0 },
		{ "worker", SDV_CONF_PATH, conf->worker, sizeof(conf->worker), 0, 0 },
		{ "lanes", SDV_CONF_NUMBER, &conf->lanes, 0, 1, SUPERDEV_MAX_LANES },
		{ "strangers", SDV_CONF_NUMBER, &conf->strangers, 0, 1, 4096 },
		{ "strangers-per-source", SDV_CONF_NUMBER, &conf->strangers_per_source, 0, 1, 4096 },
		{ "log-level", SDV_CONF_NUMBER, &conf->log_level, 0, SDV_LOG_ERR, SDV_LOG_DEBUG },
		{ 0 },
	};
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "name", required_argument, NULL, 'n' },
		{ "listen", required_argument, NULL, 'n' },
		{ "port", required_argument, NULL, 'n' },
		{ "state-dir", required_argument, NULL, 'n' },
		{ "runtime-dir", required_argument, NULL, 'n' },
		{ "worker", required_argument, NULL, 'n' },
		{ "lanes", required_argument, NULL, 'n' },
		{ "log-level", required_argument, NULL, 'n' },
		{ "foreground", no_argument, NULL, 'f' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *path = CONFIG;
	bool is_given = false;
	char error[512];
	int c, index, r;

	/* The file first, wherever it is named: an option has more weight. */
	while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (c == '?')
			return -EINVAL;
		if (c == 'c') {
			path = optarg;
			is_given = true;
		} else if (c == 'V') {
			printf("superdevd %s\n", SDV_VERSION);
			return 1;
		} else if (c == 'h') {
			printf("usage: superdevd [--config FILE] [--KEY VALUE]...\n"
			       "keys as in superdev.conf(5): name, listen, port, state-dir, "
			       "runtime-dir, worker, lanes, log-level\n");
			return 1;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "superdevd: '%s' is no option; see superdevd --help\n", argv[optind]);
		return -EINVAL;
	}
	r = sdv_conf_read(keys, path, error, sizeof(error));
	if (r < 0 && (r != -ENOENT || is_given)) {
		fprintf(stderr, "superdevd: %s\n", error);
		return r;
	}
	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (c != 'n')
			continue;
		r = sdv_conf_set(keys, options[index].name, optarg, error, sizeof(error));
		if (r < 0) {
			fprintf(stderr, "superdevd: --%s\n", error);
			return r;
		}
	}
	return 0;
}

/* Start ------------------------------------------------------------------ */

static int make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST) {
		sdv_log(SDV_LOG_ERR, "directory %s: %s", path, strerror(errno));
		return -1;
	}
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		sdv_log(SDV_LOG_ERR, "%s is no directory", path);
		return -1;
	}
	return 0;
}

static int make_dirs(const struct daemon_conf *conf)
{
	char workers[128];

	snprintf(workers, sizeof(workers), "%s/worker", conf->runtime_dir);
	if (make_dir(conf->state_dir, 0700) < 0 || make_dir(conf->runtime_dir, 0755) < 0 ||
	    make_dir(workers, 0700) < 0)
		return -1;
	if (chmod(conf->state_dir, 0700) < 0) {
		sdv_log(SDV_LOG_ERR, "directory %s: %s", conf->state_dir, strerror(errno));
		return -1;
	}
	/* Everybody's programs ask there for connections to lenders; what else is in it is shut by itself. */
	if (chmod(conf->runtime_dir, 0755) < 0) {
		sdv_log(SDV_LOG_ERR, "directory %s: %s", conf->runtime_dir, strerror(errno));
		return -1;
	}
	return 0;
}

/* 16 bytes that are others after every boot. */
static int read_boot(uint8_t ret_boot[16])
{
	FILE *in = fopen("/proc/sys/kernel/random/boot_id", "re");
	unsigned int byte, count = 0;

	if (!in)
		return -errno;
	while (count < 16) {
		int c = fgetc(in);

		if (c == EOF)
			break;
		if (c == '-')
			continue;
		ungetc(c, in);
		if (fscanf(in, "%2x", &byte) != 1)
			break;
		ret_boot[count++] = byte;
	}
	fclose(in);
	return count == 16 ? 0 : -EBADMSG;
}

static int load_key(struct daemon *d)
{
	char path[300], error[512], text[SDV_KEY_TEXT_SIZE];
	bool is_new;

	snprintf(path, sizeof(path), "%s/key", d->conf.state_dir);
	if (sdv_key_load(path, &d->key, &is_new, error, sizeof(error)) < 0) {
		sdv_log(SDV_LOG_ERR, "%s", error);
		return -1;
	}
	d->public_key = sdv_key_public(d->key);
	sdv_key_to_text(d->public_key, text);
	sdv_log(SDV_LOG_INFO, "this machine is '%s', key %s%s", d->conf.name, text,
		is_new ? ", made just now" : "");
	return 0;
}

/* Each connection is a descriptor, and each lease some more. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < FILES_WANTED)
		sdv_log(SDV_LOG_NOTICE, "at most %llu descriptors", (unsigned long long)limit.rlim_max);
	limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		sdv_log(SDV_LOG_NOTICE, "limit of descriptors: %s", strerror(errno));
}

/* Where they are not there, arming fails or is slow, and then it is said. */
static void load_modules(void)
{
	char error[SDV_TEXT_SIZE];

	if (module_load("tls", error, sizeof(error)) < 0)
		sdv_log(SDV_LOG_NOTICE, "%s; kernel TLS has to be built in", error);
	/* Homes' files are mounted by it. */
	if (module_load("fuse", error, sizeof(error)) < 0)
		sdv_log(SDV_LOG_DEBUG, "%s", error);
#ifdef __x86_64__
	/* Otherwise the kernel takes its generic AES for the first connections. */
	if (module_load("aesni_intel", error, sizeof(error)) < 0)
		sdv_log(SDV_LOG_DEBUG, "%s", error);
#endif
}

/* Signals ---------------------------------------------------------------- */

static void signal_readable(struct sdv_op *op, int result, bool more)
{
	struct signals *signals = container_of(op, struct signals, poll);
	struct signalfd_siginfo info;
	bool is_end = false;

	(void)more;
	if (result == -ECANCELED)
		return;
	while (read(signals->fd, &info, sizeof(info)) == sizeof(info)) {
		/* Helpers and workers; who they were is known by their sockets. */
		if (info.ssi_signo == SIGCHLD)
			while (waitpid(-1, NULL, WNOHANG) > 0)
				;
		else
			is_end = true;
	}
	if (is_end) {
		daemon_end(signals->d, 0);
		return;
	}
	sdv_op_poll(signals->d->loop, &signals->poll, signals->fd, POLLIN, false);
}

static void watchdog_due(struct timer *timer)
{
	notify("WATCHDOG=1");
	timer_start(timer, notify_watchdog_ms());
}

static int signals_open(struct signals *signals, struct daemon *d)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signals->d = d;
	signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals->fd < 0)
		return -errno;
	signals->poll.done = signal_readable;
	timer_init(&signals->watchdog, &d->timers, watchdog_due);
	if (notify_watchdog_ms())
		timer_start(&signals->watchdog, 0);
	return sdv_op_poll(d->loop, &signals->poll, signals->fd, POLLIN, false);
}

/* Life ------------------------------------------------------------------- */

static void init_lists(struct daemon *d)
{
	struct list *lists[] = {
		&d->conns,  &d->peers,   &d->offers,  &d->helds, &d->lents,
		&d->parked, &d->workers, &d->helpers, &d->files, &d->pools,
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		list_init(lists[i]);
}

static int start(struct daemon *d)
{
	int r;

	if (make_dirs(&d->conf) < 0 || load_key(d) < 0)
		return -1;
	r = read_boot(d->boot);
	if (r < 0) {
		sdv_log(SDV_LOG_ERR, "boot identity: %s", strerror(-r));
		return r;
	}
	load_modules();
	r = registry_open(d);
	if (r < 0)
		return r;
	pairing_open(d);
	if (!d->pairing || lanes_open(d) < 0 || state_open(d) < 0)
		return -ENOMEM;
	/* Before any peer is dialed: a home that hears of us may come at once. */
	r = listener_open(d);
	if (r < 0)
		return r;
	r = registry_start(d);
	if (r < 0)
		return r;
	workers_tidy(d);
	guests_tidy(d);
	cgroups_tidy(d);
	meter_start(d);
	guard_start(d);
	return task_sock_open(d);
}

/* Peers, leases, lanes and workers go on without us; only what is ours is undone. */
static void stop(struct daemon *d)
{
	state_flush(d);
	if (d->listener)
		listener_close(d);
	task_sock_close(d);
	guests_close(d);
	tasks_close(d);
	lents_close(d);
	helds_close(d);
	offers_close(d);
	peers_close(d);
	pairing_close(d);
	workers_leave(d);
	cgroups_close(d);
	conns_close(d);
	state_close(d);
	lanes_close(d);
	helpers_close(d);
	meter_close(d);
	guard_close(d);
	/* Cancelled operations still have to say so. */
	while ((!list_is_empty(&d->conns) || !list_is_empty(&d->helpers) || !list_is_empty(&d->workers) ||
		!list_is_empty(&d->files) || !list_is_empty(&d->pools)) &&
	       sdv_loop_step(d->loop, true) >= 0)
		;
	registry_close(d);
}

int main(int argc, char **argv)
{
	struct daemon d = { .meter = -1 };
	const struct sdv_loop_params params = { .entries = 1024 };
	struct signals signals = { .fd = -1 };
	int r;

	set_defaults(&d.conf);
	r = read_conf(&d.conf, argc, argv);
	if (r)
		return r < 0 ? 2 : 0;
	sdv_log_open("superdevd", d.conf.log_level);
	init_lists(&d);
	umask(077);
	raise_limits();
	r = sdv_loop_open(&d.loop, &params);
	if (r < 0) {
		sdv_log(SDV_LOG_ERR, "io_uring: %s", strerror(-r));
		return 1;
	}
	r = timers_open(&d.timers, d.loop);
	if (!r)
		r = signals_open(&signals, &d);
	if (r < 0)
		sdv_log(SDV_LOG_ERR, "signals and timers: %s", strerror(-r));
	else
		r = start(&d);
	if (!r) {
		notify("READY=1\nSTATUS=Serving port %u as '%s'", d.conf.port, d.conf.name);
		sdv_log(SDV_LOG_NOTICE, "superdevd %s serves port %u", SDV_VERSION, d.conf.port);
		while (!r && !d.is_ending)
			r = sdv_loop_step(d.loop, true);
		if (!r)
			r = d.result;
		notify("STOPPING=1\nSTATUS=Leaving lanes and workers to themselves");
		sdv_log(SDV_LOG_NOTICE, "superdevd ends; lanes and workers go on");
	}
	stop(&d);
	timer_stop(&signals.watchdog);
	timers_close(&d.timers);
	sdv_loop_close(d.loop);
	if (signals.fd >= 0)
		close(signals.fd);
	sdv_key_free(d.key);
	return r ? 1 : 0;
}
