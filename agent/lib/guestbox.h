/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guestbox.h: what a guest, and what serves it, may ask the kernel for.
 *
 * Beside sandbox.h, which leaves a worker almost nothing: a guest is an ordinary
 * program that must not notice more than it has to.  Namespaces and the root
 * are agent/task's; here are capabilities, landlock and system call filters.
 * All of it fails closed: after an error the only thing left to do is to exit.
 */
#ifndef SDV_GUESTBOX_H
#define SDV_GUESTBOX_H

#include <stdint.h>

/**
 * sdv_guestbox_filter - system calls of a guest and of its process 1
 * @ret_what:	on error, what could not be done
 *
 * What is not listed does not exist (ENOSYS); what is dangerous and known to
 * programs is refused (EPERM).  Sets no_new_privs.  Return: 0 or -errno.
 */
int sdv_guestbox_filter(const char **ret_what);

/**
 * sdv_guestbox_filter_guest - takes from a guest what its process 1 still needs
 *
 * On top of sdv_guestbox_filter(), right before execve().  Return: 0 or -errno.
 */
int sdv_guestbox_filter_guest(void);

/**
 * sdv_guestbox_landlock - the second wall behind the filter
 * @ret_what:	on error, what could not be done
 *
 * No device nodes are made, no device but those of /dev takes an ioctl, no TCP,
 * and neither signals nor abstract sockets lead out.  Needs no_new_privs.
 * Return: 1: done; 0: this kernel has no landlock; -errno.
 */
int sdv_guestbox_landlock(const char **ret_what);

/**
 * sdv_guestbox_capabilities - keeps only some
 * @keep:	bit n: capability n, permitted and effective; never inheritable
 * @ret_what:	on error, what could not be done
 *
 * The bounding set becomes empty and the secure bits are locked, so nothing
 * that is executed gets any, whatever its user.  Return: 0 or -errno.
 */
int sdv_guestbox_capabilities(uint64_t keep, const char **ret_what);

/* As above, of a process that has called it once: makes it fewer. */
int sdv_guestbox_capabilities_drop(uint64_t keep);

#endif
