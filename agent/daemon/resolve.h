/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolve.h: from "host", "host:port", "[addr]:port" to socket addresses.
 */
#ifndef SDV_RESOLVE_H
#define SDV_RESOLVE_H

#include <sys/socket.h>

#include "helper.h"

#define ADDRESSES_MAX 8

struct addresses {
	unsigned int count;
	struct {
		socklen_t len;
		struct sockaddr_storage addr;
	} at[ADDRESSES_MAX];
	char error[128]; /* where count is 0 */
};

/* Return: 0, -EINVAL it is no address, -EAGAIN it is a name: ask resolve_start(). */
int resolve_numeric(const char *text, unsigned int port, struct addresses *ret_addresses);

/*
 * Names are looked up in a child, by getaddrinfo(3): so /etc/hosts, DNS and
 * whatever nsswitch.conf(5) says all work, and the loop waits for none.
 * @done gets a struct addresses.
 */
int resolve_start(struct daemon *d, const char *text, unsigned int port, helper_done_fn done, void *arg,
		  struct helper **ret_helper);

#endif
