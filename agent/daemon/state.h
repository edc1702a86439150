/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h: what outlives a reboot, in the state directory.
 *
 * "registry": peers, offers and held leases, as superdev(8) batch commands.
 * "lent": which lease of which offer was given to whom, and under what epoch.
 */
#ifndef SDV_STATE_H
#define SDV_STATE_H

#include "daemon.h"

/* Return: 0 or -errno, logged. */
int state_open(struct daemon *d);
void state_close(struct daemon *d);

/* Something that is to be kept has changed: it is written soon. */
void state_changed(struct daemon *d);

typedef void (*state_saved_fn)(void *arg, int error);
/* Calls @fn once what is true now is on stable storage, unless state_forget(@arg). */
void state_save(struct daemon *d, state_saved_fn fn, void *arg);
void state_forget(struct daemon *d, const void *arg);
/* At the end: writes what is not yet written. */
void state_flush(struct daemon *d);

/* Feeds "registry" to a kernel that knows nothing. */
void state_restore(struct daemon *d);

/* Leases that were lent. */
uint32_t state_next_epoch(struct daemon *d, const char *offer);
/* Return: 0 or -ENOMEM. */
int state_lent(struct daemon *d, const char *offer, const uint8_t key[SUPERDEV_KEY_LEN], uint64_t number,
	       uint32_t epoch, bool read_only);
bool state_was_lent(struct daemon *d, const char *offer, const uint8_t key[SUPERDEV_KEY_LEN], uint64_t number,
		    bool *ret_read_only);
/* Whether another peer, which has not come back yet, keeps a lease of it. */
bool state_is_kept(struct daemon *d, const char *offer, const uint8_t key[SUPERDEV_KEY_LEN], bool read_only);
/* The offer, or the peer, is no more; the other one is NULL. */
void state_drop(struct daemon *d, const char *offer, const uint8_t *key);
void state_returned(struct daemon *d, const char *offer, const uint8_t key[SUPERDEV_KEY_LEN]);

#endif
