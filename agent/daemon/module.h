/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * module.h: kernel modules, by name or alias.
 */
#ifndef SDV_MODULE_H
#define SDV_MODULE_H

#include <stddef.h>

#include "helper.h"

/**
 * module_load - loads a module and what it needs, as modprobe(8) would
 * @alias:	name or alias
 * @error:	why not
 *
 * Blocks.  A module that is loaded already or built in is no error.
 * Return: 0, -ENOENT there is none, -errno.
 */
int module_load(const char *alias, char *error, size_t error_size);

/* The same for helper_start(): argument and result are text. */
int module_work(const void *alias, void *error, int *ret_fd);

#endif
