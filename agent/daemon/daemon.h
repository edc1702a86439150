/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.h: what all of superdevd shares: its configuration, its loop, and
 * the heads of the lists that the other files own.
 */
#ifndef SDV_DAEMON_H
#define SDV_DAEMON_H

#include <limits.h>
#include <stdint.h>

#include "list.h"
#include "log.h"
#include "loop.h"
#include "nl.h"
#include "superdev.h"
#include "superdev_wire.h"
#include "timer.h"
#include "tls.h"

#define FEATURES (SUPERDEV_FEAT_BASE | SUPERDEV_FEAT_NULL | SUPERDEV_FEAT_BLK | SUPERDEV_FEAT_CPU)

struct daemon_conf {
	char name[SDV_NAME_SIZE]; /* announced to peers; the host name unless set */
	char listen[64];          /* numeric address */
	char state_dir[256];
	char runtime_dir[64]; /* sockets are in it: sun_path is short */
	char worker[256];
	uint32_t port;
	uint32_t lanes;     /* most lanes of one lease, held or lent */
	uint32_t strangers; /* most connections that are not authenticated */
	uint32_t strangers_per_source;
	uint32_t log_level;
};

struct daemon {
	struct daemon_conf conf;
	bool is_ending;
	int result;
	struct sdv_loop *loop;
	struct sdv_nl *nl;
	struct sdv_key *key;
	const uint8_t *public_key;
	uint8_t boot[16];
	struct timers timers;

	struct list conns; /* conn.c */
	uint64_t last_conn_id;
	struct list peers;         /* peer.c */
	struct list offers;        /* offer.c: of this machine */
	struct list helds;         /* lease_home.c */
	struct list lents, parked; /* lease_lender.c */
	struct list workers;       /* worker_proc.c */
	struct list helpers;       /* helper.c */
	struct list files;         /* guest_lender.c */
	uint32_t last_guest;       /* likewise */
	struct list pools;         /* task_home.c */

	struct listener *listener;
	struct registry *registry;
	struct state *state;
	struct pairing *pairing;
	struct lane_watch *lane_watch;
	struct cgroups *cgroups; /* cgroup.c */
	struct guard *guard;     /* guard.c */
	int meter;               /* meter.c: a descriptor that keeps it, or -1 */
	struct task_sock *task_sock;
};

/* Ends the daemon as soon as what runs now returns; @result: 0 or -errno. */
void daemon_end(struct daemon *d, int result);

/* Bytes that nobody can guess; the daemon ends where there are none. */
void random_bytes(void *ret_data, size_t len);

#endif
