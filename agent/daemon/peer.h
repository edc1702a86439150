/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * peer.h: the other machines: their control connections, whether they are
 * online, and what was reported of them to the kernel.
 */
#ifndef SDV_PEER_H
#define SDV_PEER_H

#include "conn.h"
#include "helper.h"
#include "resolve.h"

/* Round trips that are remembered, 40 seconds of them. */
#define PEER_NR_RTTS 8

/**
 * struct peer - a peer of the kernel's registry
 * @out:	the control connection that we opened, once HELLO was exchanged
 * @in:		the one that the peer opened
 * @dialing:	@out, while it is being set up
 * @session:	counts @out; what was agreed on an older one is to be resumed
 * @offers:	struct remote_offer, offer.c's
 * @pair:	pair.c's, while pairing is under way
 */
struct peer {
	struct list node;
	struct daemon *d;
	struct sdv_peer_info info; /* as the kernel last said */
	bool is_seen;              /* in the dump that is being taken */

	struct conn *out, *in, *dialing;
	uint64_t session;
	struct helper *resolver;
	struct addresses addresses;
	unsigned int next_address;
	struct timer redial, forget;
	unsigned int backoff_ms;

	enum superdev_peer_state state;
	enum superdev_transport peer_transport;
	uint32_t rtt_us;             /* the least of these */
	uint32_t rtts[PEER_NR_RTTS]; /* the last that were measured, 0: none yet */
	unsigned int next_rtt;
	char error[SDV_TEXT_SIZE];

	struct list offers;
	struct pair *pair;
};

struct peer *peer_by_name(struct daemon *d, const char *name);
struct peer *peer_by_key(struct daemon *d, const uint8_t key[SUPERDEV_KEY_LEN]);
bool peer_is_trusted(const struct peer *peer);
bool peer_is_online(const struct peer *peer);
/* What both sides together want. */
enum superdev_transport peer_transport(const struct peer *peer);

/* From the kernel's registry. */
void peer_event(struct daemon *d, const struct sdv_peer_info *info);
void peer_deleted(struct daemon *d, const char *name);
void peers_unsee(struct daemon *d);
void peers_sweep(struct daemon *d);

/* From connections. */
void peer_conn_open(struct conn *conn);
void peer_conn_closed(struct peer *peer, struct conn *conn, int error, const char *why);
void peer_measured(struct peer *peer, uint64_t rtt_us);
void peer_wants_transport(struct peer *peer, enum superdev_transport transport);

/* Somebody needs it: no waiting for the next attempt. */
void peer_dial_now(struct peer *peer);
/* Where it was last reached, for lanes; false: nowhere yet. */
bool peer_sockaddr(const struct peer *peer, const struct sockaddr **ret_addr, socklen_t *ret_len);

void peers_close(struct daemon *d);

#endif
