/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listen.h: the listening socket, and strangers: connections whose other end
 * has not yet shown that it is anybody.
 */
#ifndef SDV_LISTEN_H
#define SDV_LISTEN_H

#include "daemon.h"

int listener_open(struct daemon *d);
void listener_close(struct daemon *d);

#endif
