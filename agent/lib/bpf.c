// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf.c: loads a policy's BPF object and pins the link that attaches it.
 */
#include "bpf.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#define TABLE        "superdev_policy"
/* Of what the library and the verifier say, the end is what matters. */
#define SAID_LINES   12
/* A policy that is just being detached for what it did makes room in this time. */
#define ATTACH_TRIES 50

/* The library's log has no argument of its own; who loads is one thread. */
static char said[2048];

static int say(enum libbpf_print_level level, const char *format, va_list args)
{
	size_t used = strlen(said), len;
	char *text, *line, *rest;

	/* Whole, as the end of a long log tells what was wrong. */
	if (level == LIBBPF_DEBUG || vasprintf(&text, format, args) < 0)
		return 0;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		len = strlen(line);
		/* Frames around what there is to say. */
		if (!len || len + 2 > sizeof(said) || !strncmp(line, "processed ", 10) ||
		    !strncmp(line, "-- END ", 7) || strstr(line, "failed to load"))
			continue;
		/* The oldest go. */
		while (used + len + 2 > sizeof(said)) {
			size_t first = strcspn(said, "\n") + 1;

			memmove(said, said + first, used - first + 1);
			used -= first;
		}
		memcpy(said + used, line, len);
		memcpy(said + used + len, "\n", 2);
		used += len + 1;
	}
	free(text);
	return 0;
}

/* The last lines of what was said. */
static const char *said_last(void)
{
	const char *at = said + strlen(said);
	int lines = 0;

	while (at > said) {
		if (at[-1] == '\n' && ++lines > SAID_LINES)
			break;
		at--;
	}
	return at;
}

__attribute__((format(printf, 3, 4))) static int fail(char why[SDV_BPF_WHY_SIZE], int r, const char *format,
						      ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, SDV_BPF_WHY_SIZE, format, args);
	va_end(args);
	return r;
}

/* The table in @object, if there is one and no other. */
static int find_table(const struct bpf_object *object, struct bpf_map **ret_table, char why[SDV_BPF_WHY_SIZE])
{
	const struct btf *btf = bpf_object__btf(object);
	const struct btf_type *type;
	struct bpf_map *map, *table = NULL;
	unsigned int others = 0;
	const char *name;

	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		type = btf__type_by_id(btf, bpf_map__btf_value_type_id(map));
		name = type ? btf__name_by_offset(btf, type->name_off) : "";
		if (strcmp(name, TABLE) != 0)
			others++;
		else if (table)
			return fail(why, -EINVAL, "it has more than one struct " TABLE);
		else
			table = map;
	}
	if (!table)
		return fail(why, -EINVAL, "there is no struct " TABLE " in it%s",
			    others ? ", but other tables" : "");
	if (others)
		return fail(why, -EINVAL,
			    "beside struct " TABLE " it has other tables, which would do nothing");
	if (!(bpf_map__map_flags(table) & BPF_F_LINK))
		return fail(why, -EINVAL,
			    "its struct " TABLE " is in section .struct_ops; put it into .struct_ops.link");
	*ret_table = table;
	return 0;
}

static int load_failed(int r, char why[SDV_BPF_WHY_SIZE])
{
	if (r == -EPERM)
		return fail(why, r, "not permitted; it needs CAP_BPF and CAP_PERFMON; try it with sudo");
	if (r == -ENOTSUP || r == -ESRCH || r == -ENOENT)
		return fail(why, r,
			    "the kernel lacks something that it needs: is the module of this version, and "
			    "/sys/kernel/btf/superdev there?\n%s",
			    said_last());
	return fail(why, r, "the kernel refuses it: %s\n%s", strerror(-r), said_last());
}

/* Has bpffs where it belongs, and our directory in it. */
static int make_dir(char why[SDV_BPF_WHY_SIZE])
{
	struct statfs fs;

	if (statfs(SDV_BPF_FS, &fs) < 0)
		return fail(why, -errno, "there is no " SDV_BPF_FS ": %s", strerror(errno));
	if (fs.f_type != BPF_FS_MAGIC &&
	    mount("bpf", SDV_BPF_FS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return fail(
			why, -errno,
			"the BPF file system, which keeps it attached, can't be mounted: %s; try: mount -t bpf bpf " SDV_BPF_FS,
			strerror(errno));
	if (mkdir(SDV_BPF_DIR, 0700) < 0 && errno != EEXIST)
		return fail(why, -errno, SDV_BPF_DIR " can't be made: %s", strerror(errno));
	return 0;
}

/* 0: the policy of the pin was replaced; -EBUSY: what is attached is not the pin's. */
static int swap(const struct bpf_map *table)
{
	int link = bpf_obj_get(SDV_BPF_POLICY_PIN), r;

	if (link < 0)
		return errno == ENOENT ? -EBUSY : -errno;
	r = bpf_link_update(link, bpf_map__fd(table), NULL);
	if (r)
		r = -errno;
	close(link);
	/* The pin is a dead link's: it was detached and another one attached. */
	return r == -ENOLINK ? -EBUSY : r;
}

static int pin(struct bpf_link *link)
{
	int r;

	/* What is left of a policy that the kernel has detached. */
	if (unlink(SDV_BPF_POLICY_PIN) < 0 && errno != ENOENT)
		return -errno;
	r = bpf_link__pin(link, SDV_BPF_POLICY_PIN);
	return r;
}

static int attach(struct bpf_map *table, char why[SDV_BPF_WHY_SIZE])
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	struct bpf_link *link = NULL;
	int r = 0, tries;

	for (tries = 0; tries < ATTACH_TRIES; tries++) {
		link = bpf_map__attach_struct_ops(table);
		if (link)
			break;
		r = -errno;
		if (r != -EBUSY)
			return fail(
				why, r,
				"the kernel refuses its " TABLE
				": %s; pick_exec has to be set, flags be 0, and name be letters, digits and . _ -\n%s",
				strerror(-r), said_last());
		/* The table is in the kernel now, and only has no place. */
		r = swap(table);
		if (r != -EAGAIN && r != -EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	if (!link) {
		if (r == -EBUSY)
			return fail(why, r,
				    "another policy is attached, and not by " SDV_BPF_POLICY_PIN
				    "; see: superdev policy unload");
		return r ? fail(why, r, "it can't take the place of the attached policy: %s", strerror(-r))
			 : 0;
	}
	r = pin(link);
	/* Its descriptor; the pin keeps it. */
	bpf_link__destroy(link);
	return r ? fail(why, r, "it can't be pinned at " SDV_BPF_POLICY_PIN ": %s", strerror(-r)) : 0;
}

int sdv_bpf_policy_load(const char *file, char why[SDV_BPF_WHY_SIZE])
{
	struct bpf_object *object;
	struct bpf_map *table = NULL;
	struct stat st;
	int r;

	why[0] = 0;
	said[0] = 0;
	if (stat(file, &st) < 0 || access(file, R_OK) < 0)
		return fail(why, -errno, "%s", errno == ENOENT ? "there is no such file" : strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fail(why, -EINVAL, "it is no file");

	libbpf_set_print(say);
	object = bpf_object__open_file(file, NULL);
	if (!object)
		return fail(
			why, -EINVAL,
			"it is no BPF object that can be read; build one with: clang -target bpf -g -O2 -c\n%s",
			said_last());
	r = find_table(object, &table, why);
	if (r)
		goto out_close;
	r = bpf_object__load(object);
	if (r) {
		load_failed(r, why);
		goto out_close;
	}
	r = make_dir(why);
	if (!r)
		r = attach(table, why);
out_close:
	bpf_object__close(object);
	return r;
}

int sdv_bpf_policy_unpin(void)
{
	return unlink(SDV_BPF_POLICY_PIN) < 0 ? -errno : 0;
}
