/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cgroup.h: cgroups of version 2, as paths in their hierarchy and as folders.
 */
#ifndef CLI_CGROUP_H
#define CLI_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CLI_CGROUP_SIZE PATH_MAX

/* Where the hierarchy is mounted: 0, or -ENOENT where it is not. */
int cli_cgroup_mount(char *ret_path, size_t size);
/* The cgroup of a process; pid 0 is this one: 0, or -errno; -ESRCH: there is no such process. */
int cli_cgroup_of(pid_t pid, char *ret_cgroup, size_t size);
/*
 * The cgroup that somebody means by a folder or by a path in the hierarchy.  NULL, or why it is
 * none, as the end of a sentence.
 */
const char *cli_cgroup_parse(const char *text, char *ret_cgroup, size_t size);

#endif
