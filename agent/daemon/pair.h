/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pair.h: two machines that do not know each other show the same short code.
 */
#ifndef SDV_PAIR_H
#define SDV_PAIR_H

#include "conn.h"
#include "peer.h"

void pairing_open(struct daemon *d);
void pairing_close(struct daemon *d);

/* A pending peer: pairs with it, unless that has been tried or is under way. */
void pair_wanted(struct peer *peer);
/* A person here said yes. */
void pair_trusted(struct peer *peer);
/* The peer is deleted. */
void pair_forget(struct peer *peer);

/* HELLO for PURPOSE_PAIR; @peer: who has that key already, or NULL. */
uint32_t pair_accept(struct conn *conn, struct peer *peer, char *error, size_t error_size);

#endif
