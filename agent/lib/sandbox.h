/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox.h: takes everything from a process that it does not need.
 *
 * sandbox.c is the only file that knows libseccomp and libcap.  A worker calls
 * the two steps in order, before it reads a stranger's first byte: between them
 * it makes its ring and its memory.  Both fail closed: after an error the only
 * thing left to do is to exit.  Documentation/threat-model says against whom.
 */
#ifndef SDV_SANDBOX_H
#define SDV_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

struct sock_filter;

/*
 * User and group of every worker: fixed, so that nothing has to be configured
 * and no name service is asked.  Policy keeps 65000 to 65533 free on Debian.  It
 * owns no file, and workers cannot see each other: each is alone in its namespaces.
 */
#define SDV_SANDBOX_UID 65533u

/**
 * struct sdv_sandbox - what the process keeps
 * @fds:	descriptors that stay open, ascending
 * @nr_fds:	how many
 * @max_fds:	RLIMIT_NOFILE; a ring's table of fixed files counts, too
 */
struct sdv_sandbox {
	const int *fds;
	size_t nr_fds;
	unsigned int max_fds;
};

int sdv_sandbox_enter(const struct sdv_sandbox *box, const char **ret_what);

/**
 * struct sdv_sandbox_call - a system call that remains
 * @nr:		its number, SYS_x
 * @nr_args:	how many of @args are demanded
 * @args:	arguments that must have these very values
 */
struct sdv_sandbox_call {
	int nr;
	unsigned int nr_args;
	struct {
		unsigned int index;
		uint64_t value;
	} args[2];
};

int sdv_sandbox_seal(const struct sdv_sandbox_call *calls, size_t nr_calls, const char **ret_what);

/**
 * struct sdv_sandbox_filter - what sdv_sandbox_seal() would load, made beforehand
 *
 * Making it costs more than loading it: for who divides itself, and has each child load it.
 */
struct sdv_sandbox_filter {
	struct sock_filter *code;
	size_t len; /* instructions */
};

int sdv_sandbox_filter_make(struct sdv_sandbox_filter *filter, const struct sdv_sandbox_call *calls,
			    size_t nr_calls, const char **ret_what);
int sdv_sandbox_filter_load(const struct sdv_sandbox_filter *filter, const char **ret_what);

#endif
