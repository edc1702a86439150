/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry.h: follows the kernel's registry and hands on what it tells.
 */
#ifndef SDV_REGISTRY_H
#define SDV_REGISTRY_H

#include "daemon.h"

/* Loads the module, becomes the namespace's agent and subscribes.  Return: 0 or -errno, logged. */
int registry_open(struct daemon *d);
/* Reads all that there is, restoring it first where there is nothing. */
int registry_start(struct daemon *d);
void registry_close(struct daemon *d);

/**
 * registry_dump - all objects of one kind, as they were when it was called
 * @cmd:	SUPERDEV_CMD_{PEER,OFFER,LEASE}_GET
 * @fn:		may send requests, unlike one given to sdv_nl_dump()
 *
 * Return: 0 or -errno, logged.
 */
int registry_dump(struct daemon *d, int cmd, sdv_nl_fn fn, void *arg);

#endif
