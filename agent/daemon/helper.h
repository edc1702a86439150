/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper.h: work that may block, in a forked child.
 *
 * The loop must not wait for a name server, a disk that does not answer, a
 * module to load or an fsync.  There are no threads in the daemon, so a child
 * may do anything; it has one socket and what fork() copied, returns one
 * message, and is killed when it takes too long.
 */
#ifndef SDV_HELPER_H
#define SDV_HELPER_H

#include <stddef.h>

#include "daemon.h"

#define HELPER_RESULT_SIZE 2048

struct helper;

/**
 * typedef helper_work_fn - runs in the child
 * @arg:	memory of the daemon as it was at the fork
 * @result:	HELPER_RESULT_SIZE bytes, zeroed; all of them are passed on
 * @ret_fd:	-1, or a descriptor to pass on
 *
 * Return: 0 or -errno.
 */
typedef int (*helper_work_fn)(const void *arg, void *result, int *ret_fd);

/**
 * typedef helper_done_fn - in the daemon, once, unless cancelled
 * @arg:	as given to helper_start()
 * @error:	what the work returned; -ETIMEDOUT, or -EPIPE when the child died
 * @result:	the child's bytes
 * @fd:		the child's descriptor, now the callee's, or -1
 */
typedef void (*helper_done_fn)(void *arg, int error, const void *result, int fd);

/* Return: 0, or -errno of fork and the like; then @done is not called. */
int helper_start(struct daemon *d, helper_work_fn work, const void *work_arg, unsigned int timeout_ms,
		 helper_done_fn done, void *done_arg, struct helper **ret_helper);
/* @done will not be called.  The child may live on until its system call ends. */
void helper_cancel(struct helper *helper);
void helpers_close(struct daemon *d);

#endif
