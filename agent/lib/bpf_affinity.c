// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bpf_affinity.c: has processors that are borrowed count in a cgroup; see bpf/affinity.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "../../bpf/affinity/affinity.h"
#include "bpf.h"

#define LINK_PIN SDV_BPF_DIR "/affinity"
#define MAP_PIN  SDV_BPF_DIR "/borrowed"

/* Whoever asks does without, so nothing is said. */
static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int make_dir(void)
{
	struct statfs fs;

	if (statfs(SDV_BPF_FS, &fs) < 0)
		return -errno;
	if (fs.f_type != BPF_FS_MAGIC &&
	    mount("bpf", SDV_BPF_FS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return -errno;
	return mkdir(SDV_BPF_DIR, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* Attaches the program, for as long as the machine runs.  Return: its map, or -errno. */
static int load(void)
{
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_link *link = NULL;
	struct bpf_map *map;
	int r, fd = -1;

	libbpf_set_print(quiet);
	object = bpf_object__open_file(SDV_BPF_AFFINITY, NULL);
	if (!object)
		return -errno;
	map = bpf_object__find_map_by_name(object, "borrowed");
	program = bpf_object__find_program_by_name(object, "affinity");
	r = map && program ? bpf_object__load(object) : -EINVAL;
	if (!r)
		r = make_dir();
	if (!r) {
		link = bpf_program__attach(program);
		r = link ? 0 : -errno;
	}
	/* The map last: who finds it finds all of it. */
	if (!r) {
		unlink(LINK_PIN);
		r = bpf_link__pin(link, LINK_PIN);
	}
	if (!r)
		r = bpf_map__pin(map, MAP_PIN);
	if (!r)
		fd = bpf_obj_get(MAP_PIN);
	bpf_link__destroy(link);
	bpf_object__close(object);
	/* Somebody else was doing the same. */
	if (r == -EEXIST)
		fd = bpf_obj_get(MAP_PIN);
	return fd >= 0 ? fd : r ? r : -errno;
}

int sdv_bpf_affinity_set(uint64_t cgroup, uint32_t nr)
{
	struct sdv_borrowed borrowed = { .nr = nr };
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int fd, r;

	borrowed.first = cpus > 0 ? (uint32_t)cpus : 1;
	fd = bpf_obj_get(MAP_PIN);
	if (fd < 0 && !nr)
		return 0;
	if (fd < 0)
		fd = load();
	if (fd < 0)
		return fd;
	r = nr ? bpf_map_update_elem(fd, &cgroup, &borrowed, BPF_ANY) : bpf_map_delete_elem(fd, &cgroup);
	if (r)
		r = -errno;
	close(fd);
	return r == -ENOENT ? 0 : r;
}
