// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cgroup.c: cgroups of version 2, as paths in their hierarchy and as folders.
 */
#include "cgroup.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

/* A mount whose root is the hierarchy's; others show a part of it. */
static bool mount_line(char *line, char *ret_path, size_t size)
{
	char *field[5], *rest = line;
	const char *type;
	size_t i;

	type = strstr(line, " - ");
	if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0)
		return false;
	for (i = 0; i < 5; i++)
		field[i] = strsep(&rest, " ");
	if (!field[4] || strcmp(field[3], "/") != 0 || strlen(field[4]) >= size)
		return false;
	stpcpy(ret_path, field[4]);
	return true;
}

int cli_cgroup_mount(char *ret_path, size_t size)
{
	FILE *in = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t line_size = 0;
	int r = -ENOENT;

	if (!in)
		return -errno;
	while (r && getline(&line, &line_size, in) >= 0)
		if (mount_line(line, ret_path, size))
			r = 0;
	free(line);
	fclose(in);
	return r;
}

int cli_cgroup_of(pid_t pid, char *ret_cgroup, size_t size)
{
	char file[64], *line = NULL;
	size_t line_size = 0;
	int r = -ENOENT;
	FILE *in;

	if (pid)
		snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	else
		stpcpy(file, "/proc/self/cgroup");
	in = fopen(file, "re");
	if (!in)
		return errno == ENOENT ? -ESRCH : -errno;
	while (r && getline(&line, &line_size, in) >= 0) {
		if (strncmp(line, "0::", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = 0;
		r = strlen(line + 3) < size ? 0 : -ENAMETOOLONG;
		if (!r)
			stpcpy(ret_cgroup, line + 3);
	}
	free(line);
	fclose(in);
	return r;
}

const char *cli_cgroup_parse(const char *text, char *ret_cgroup, size_t size)
{
	char mount[CLI_CGROUP_SIZE], folder[PATH_MAX];
	struct statfs fs;
	size_t len;

	if (!*text)
		return "is empty; a cgroup is a folder below /sys/fs/cgroup";
	/* A folder first: that is what people can complete. */
	if (realpath(text, folder) && !statfs(folder, &fs)) {
		if (fs.f_type == CGROUP_SUPER_MAGIC)
			return "is a cgroup of version 1; only those of version 2 can be set to spread";
		if (fs.f_type == CGROUP2_SUPER_MAGIC) {
			if (cli_cgroup_mount(mount, sizeof(mount)))
				return "is below no mount of all cgroups of version 2";
			len = strlen(mount);
			if (strncmp(folder, mount, len) != 0 || (folder[len] && folder[len] != '/'))
				return "is below no mount of all cgroups of version 2";
			text = folder[len] ? folder + len : "/";
		}
	}
	if (*text != '/')
		return "is no cgroup; it is a folder below /sys/fs/cgroup, or its path there from '/' on";
	if (strlen(text) >= size)
		return "is too long";
	stpcpy(ret_cgroup, text);
	return NULL;
}
