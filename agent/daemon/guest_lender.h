/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest_lender.h: programs of homes that run here, and their files.
 *
 * For each connection of files that a home opens there is one process that
 * mounts them, and for each connection of a task one superdev-guest, which is
 * ready before home asks for anything.  What they read is theirs alone.
 */
#ifndef SDV_GUEST_LENDER_H
#define SDV_GUEST_LENDER_H

#include "conn.h"
#include "peer.h"

/* HELLO for PURPOSE_TASK and PURPOSE_FILES; as conn_ops.hello. */
uint32_t guest_hello(struct conn *conn, struct peer *peer, char *error, size_t error_size);

/* The lease has ended, or begins anew here: nothing of it goes on. */
void guests_end(struct daemon *d, uint64_t number);

/* What an agent before this one left, of leases that are known by now. */
void guests_tidy(struct daemon *d);
/* The daemon ends, and with it all of them. */
void guests_close(struct daemon *d);

#endif
