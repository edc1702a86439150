/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backing.h: the disk or file behind an offer.  Opening may block: these are
 * functions for helper.h.
 */
#ifndef SDV_BACKING_H
#define SDV_BACKING_H

#include <stdbool.h>
#include <stdint.h>

#include "helper.h"

struct backing_request {
	char path[4096];
	bool is_read_only;
	bool is_shared;           /* with other read-only leases */
	unsigned int patience_ms; /* how long others may still hold it */
};

struct backing {
	char kind[16]; /* "disk" or "file"; empty: class without backing */
	uint64_t size; /* bytes */
	bool has_rotational, rotational;
	char error[SDV_TEXT_SIZE]; /* where the work failed */
};

_Static_assert(sizeof(struct backing) <= HELPER_RESULT_SIZE, "a helper can return it");

/* Is it something to lend, and free?  Argument: struct backing_request; result: struct backing. */
int backing_look(const void *request, void *result, int *ret_fd);

/*
 * Opens it for a lease: exclusively, locked, past the page cache where it can
 * be.  The locks are the fence between one holder of a lease and the next: they
 * are only free when the kernel has finished the last one's I/O.
 */
int backing_open(const void *request, void *result, int *ret_fd);

#endif
