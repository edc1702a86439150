// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c: superdev-homefs: one end of home's files at a lender.
 *
 * Started by the agent with an authenticated connection; tests start both ends
 * on a pair of sockets.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"
#include "mount.h"
#include "serve.h"

#define PATHS_MAX 64u

static int usage(void)
{
	fprintf(stderr, "usage: superdev-homefs serve --fd N [--root DIR] [--path DIR]...\n"
			"       superdev-homefs mount --fd N [--control N] [--first-id ID] DIR\n");
	return 2;
}

static int fd_of(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	return *text && !*end && fd >= 0 && fd < 1 << 20 ? (int)fd : -1;
}

/* 0: it cannot be one. */
static uint32_t id_of(const char *text)
{
	char *end;
	unsigned long long id = strtoull(text, &end, 0);

	return *text && !*end && id >= SDV_HOMEFS_NR_IDS && id < UINT32_MAX - SDV_HOMEFS_ID ? (uint32_t)id
											    : 0;
}

static int serve(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "root", required_argument, NULL, 'r' },
		{ "path", required_argument, NULL, 'p' },
		{ 0 },
	};
	static const char *paths[PATHS_MAX];
	struct sdv_serve_params params = { .fd = -1, .root = "/", .paths = paths };
	const char *what = "";
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'f')
			params.fd = fd_of(optarg);
		else if (option == 'r')
			params.root = optarg;
		else if (option == 'p' && params.nr_paths < PATHS_MAX)
			paths[params.nr_paths++] = optarg;
		else
			return usage();
	}
	if (params.fd < 0 || optind != argc)
		return usage();
	/* A connection with a user's rights is no other process's to take. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	r = sdv_serve_run(&params, &what);
	if (r)
		sdv_log(SDV_LOG_ERR, "can't %s at '%s': %s", what, params.root, strerror(-r));
	/* Not exit(): threads still use what it would take down. */
	_exit(r ? 1 : 0);
}

static int mount_dir(int argc, char **argv)
{
	static const struct option options[] = {
		{ "fd", required_argument, NULL, 'f' },
		{ "control", required_argument, NULL, 'c' },
		{ "first-id", required_argument, NULL, 'i' },
		{ 0 },
	};
	struct sdv_mount_params params = { .fd = -1, .control_fd = -1 };
	const char *what = "";
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'f')
			params.fd = fd_of(optarg);
		else if (option == 'c')
			params.control_fd = fd_of(optarg);
		else if (option == 'i' && id_of(optarg))
			params.first_id = id_of(optarg);
		else
			return usage();
	}
	if (params.fd < 0 || optind + 1 != argc)
		return usage();
	params.dir = argv[optind];
	r = sdv_mount_run(&params, &what);
	if (r)
		sdv_log(SDV_LOG_ERR, "can't %s at '%s': %s", what, params.dir, strerror(-r));
	/* Not exit(): threads still use what it would take down. */
	_exit(r ? 1 : 0);
}

int main(int argc, char **argv)
{
	sdv_log_open("superdev-homefs", SDV_LOG_INFO);
	/* A limit on sizes, or an end that went away, is an error and not the end. */
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* Neither end starts programs. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (argc > 1 && !strcmp(argv[1], "serve"))
		return serve(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "mount"))
		return mount_dir(argc - 1, argv + 1);
	return usage();
}
