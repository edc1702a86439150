// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cgroup.c: what runs here for a home, bounded and weighed.  See cgroup.h.
 */
#include "cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lease_lender.h"

#define RETRY_MS  100
#define KILL_MS   8000 /* a worker that is told to stop has less */
#define GIVE_UP   150  /* tries */
#define PERIOD_US 100000
/* Processes and threads of one home; a compile with all its jobs has fewer. */
#define PIDS_MAX  4096
/* The agent's own, below what systemd gave it (DelegateSubgroup=). */
#define OWN_LEAF  "/agent"

struct cgroups {
	struct list dropped;
	bool is_prepared; /* @base was made, if it could be */
	bool is_told;     /* that something is missing */
	char top[32];     /* where cgroup v2 is mounted; empty: nowhere */
	char base[512];
};

struct dropped {
	struct list node; /* cgroups.dropped */
	struct daemon *d;
	uint64_t number;
	unsigned int tries;
	bool may_kill;
	bool is_guests; /* and only those: the lease goes on */
	struct timer retry;
};

static int write_at(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC), r = 0;
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		r = -errno;
	close(fd);
	return r;
}

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The path of our own cgroup, as the mount has it. */
static int own_path(char *ret_path, size_t size)
{
	FILE *in = fopen("/proc/self/cgroup", "re");
	char line[512];
	int r = -ENOENT;

	if (!in)
		return -errno;
	while (r && fgets(line, sizeof(line), in)) {
		size_t len;

		line[strcspn(line, "\n")] = '\0';
		len = strlen(line);
		if (!strncmp(line, "0::/", 4) && len - 3 < size) {
			memcpy(ret_path, line + 3, len - 2);
			r = 0;
		}
	}
	fclose(in);
	return r;
}

static void enable(const char *path)
{
	static const char *const controllers[] = { "+cpu", "+memory", "+pids" };
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return;
	/* One by one: the first that is missing would keep out the others. */
	for (size_t i = 0; i < sizeof(controllers) / sizeof(*controllers); i++)
		write_at(dir, "cgroup.subtree_control", controllers[i]);
	close(dir);
}

static void base_find(struct cgroups *cgroups)
{
	static const char *const tops[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char own[384];
	size_t len;

	for (size_t i = 0; i < sizeof(tops) / sizeof(*tops) && !cgroups->top[0]; i++)
		if (is_cgroup2(tops[i]))
			snprintf(cgroups->top, sizeof(cgroups->top), "%s", tops[i]);
	if (own_path(own, sizeof(own)) < 0)
		cgroups->top[0] = '\0';
	if (!cgroups->top[0])
		return;
	len = strlen(own);
	if (len > strlen(OWN_LEAF) && !strcmp(own + len - strlen(OWN_LEAF), OWN_LEAF)) {
		own[len - strlen(OWN_LEAF)] = '\0';
		snprintf(cgroups->base, sizeof(cgroups->base), "%s%s", cgroups->top, own);
	} else {
		snprintf(cgroups->base, sizeof(cgroups->base), "%s/superdev", cgroups->top);
	}
}

/* Makes the base, with the controllers that can be had.  Whether all can is seen by each lease. */
static int base_prepare(struct cgroups *cgroups)
{
	int r = cgroups->base[0] ? 0 : -EOPNOTSUPP;

	if (cgroups->is_prepared)
		return r;
	cgroups->is_prepared = true;
	if (!r && mkdir(cgroups->base, 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (r < 0) {
		sdv_log(SDV_LOG_WARNING, "cgroup v2 cannot be used (%s): what runs for homes is not bounded",
			strerror(-r));
		cgroups->base[0] = '\0';
		return r;
	}
	/* Of systemd's we have but ours; at the top it may not have asked for all. */
	if (!strcmp(cgroups->base + strlen(cgroups->top), "/superdev"))
		enable(cgroups->top);
	enable(cgroups->base);
	return 0;
}

static struct cgroups *cgroups_get(struct daemon *d)
{
	struct cgroups *cgroups = d->cgroups;

	if (cgroups)
		return cgroups;
	cgroups = calloc(1, sizeof(*cgroups));
	if (!cgroups)
		return NULL;
	list_init(&cgroups->dropped);
	d->cgroups = cgroups;
	base_find(cgroups);
	return cgroups;
}

/* -EOPNOTSUPP: there are no cgroups. */
static int path_of(const struct cgroups *cgroups, uint64_t number, const char *leaf, char *ret_path,
		   size_t size)
{
	int n = snprintf(ret_path, size, "%s/lease-%" PRIu64 "%s", cgroups->base, number, leaf);

	return cgroups->base[0] && n < (int)size ? 0 : -EOPNOTSUPP;
}

/* What could not be set, in one line for the life of the agent. */
static void limits_set(struct cgroups *cgroups, int dir, uint32_t cpus, uint64_t memory)
{
	char cpu_max[32], memory_max[24], pids_max[16], missing[64] = "";
	const struct {
		const char *file, *text;
	} limits[] = {
		{ "cpu.idle", "1" },
		{ "cpu.max", cpu_max },
		{ "memory.max", memory_max },
		{ "pids.max", pids_max },
	};

	snprintf(cpu_max, sizeof(cpu_max), "%" PRIu64 " %d", (uint64_t)cpus * PERIOD_US, PERIOD_US);
	snprintf(memory_max, sizeof(memory_max), "%" PRIu64, memory);
	snprintf(pids_max, sizeof(pids_max), "%d", PIDS_MAX);
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		if (write_at(dir, limits[i].file, limits[i].text) < 0)
			snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), " %s",
				 limits[i].file);
	if (missing[0] && !cgroups->is_told)
		sdv_log(SDV_LOG_WARNING, "cgroup %s: cannot set%s: what runs for homes is bounded less",
			cgroups->base, missing);
	cgroups->is_told |= missing[0];
}

static void dropped_free(struct dropped *dropped)
{
	timer_stop(&dropped->retry);
	list_del(&dropped->node);
	free(dropped);
}

static struct dropped *dropped_find(struct cgroups *cgroups, uint64_t number)
{
	list_for_each(dropped, &cgroups->dropped, struct dropped, node)
		if (dropped->number == number)
			return dropped;
	return NULL;
}

/* The path of a lease's cgroup, which is not to be removed any more. */
static int lease_path(struct daemon *d, uint64_t number, char *ret_path, size_t size)
{
	struct cgroups *cgroups = cgroups_get(d);
	struct dropped *dropped;
	int r = cgroups ? base_prepare(cgroups) : -ENOMEM;

	if (!r)
		r = path_of(cgroups, number, "", ret_path, size);
	dropped = r ? NULL : dropped_find(cgroups, number);
	if (dropped)
		dropped_free(dropped);
	return r;
}

int cgroup_make(struct daemon *d, uint64_t number, uint32_t cpus, uint64_t memory)
{
	char path[CGROUP_PATH_SIZE];
	int dir, r = lease_path(d, number, path, sizeof(path));

	if (r < 0)
		return r;
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	limits_set(d->cgroups, dir, cpus, memory);
	if (!mkdirat(dir, "worker", 0755))
		return dir;
	/* A worker that another agent started and that hangs has no other name than this. */
	if (errno == EEXIST)
		r = write_at(dir, "worker/cgroup.kill", "1");
	else
		r = -errno;
	if (!r)
		return dir;
	close(dir);
	return r;
}

int cgroup_enter(int fd, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return write_at(fd, "worker/cgroup.procs", text);
}

int cgroup_base_id(struct daemon *d, uint64_t *ret_id)
{
	struct cgroups *cgroups = cgroups_get(d);
	struct stat st;
	int r = cgroups ? base_prepare(cgroups) : -ENOMEM;

	if (r)
		return r;
	if (stat(cgroups->base, &st) < 0)
		return -errno;
	/* A cgroup's id is its directory's inode. */
	*ret_id = st.st_ino;
	return 0;
}

/* Calls back for each lease that has a cgroup, until one is wanted. */
static uint64_t find_lease(struct daemon *d, bool (*is_wanted)(struct daemon *, uint64_t, ino_t, uint64_t),
			   uint64_t arg)
{
	struct cgroups *cgroups = cgroups_get(d);
	uint64_t number, found = 0;
	struct dirent *entry;
	char *end;
	DIR *dir;

	dir = cgroups && cgroups->base[0] ? opendir(cgroups->base) : NULL;
	if (!dir)
		return 0;
	while (!found && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "lease-", 6) != 0)
			continue;
		number = strtoull(entry->d_name + 6, &end, 10);
		if (end != entry->d_name + 6 && !*end && is_wanted(d, number, entry->d_ino, arg))
			found = number;
	}
	closedir(dir);
	return found;
}

static bool has_id(struct daemon *d, uint64_t number, ino_t ino, uint64_t id)
{
	(void)d, (void)number;
	return ino == id;
}

uint64_t cgroup_lease(struct daemon *d, uint64_t id)
{
	return find_lease(d, has_id, id);
}

int cgroup_guests(struct daemon *d, uint64_t number, char *ret_path, int *ret_host)
{
	char path[CGROUP_PATH_SIZE], host[CGROUP_PATH_SIZE];
	int r = lease_path(d, number, path, sizeof(path));

	if (r < 0)
		return r;
	path_of(d->cgroups, number, "/guests", ret_path, CGROUP_PATH_SIZE);
	path_of(d->cgroups, number, "/guests/host", host, sizeof(host));
	*ret_host = open(host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_host >= 0)
		return 0;
	enable(path);
	if (mkdir(ret_path, 0755) < 0 && errno != EEXIST)
		return -errno;
	/* What a guest forks and fills is its own, so that all of it goes when there is too much. */
	enable(ret_path);
	if (mkdir(host, 0755) < 0 && errno != EEXIST)
		return -errno;
	*ret_host = open(host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_host < 0 ? -errno : 0;
}

/* Going ------------------------------------------------------------------ */

/* True: they are gone. */
static bool guests_remove(const struct cgroups *cgroups, uint64_t number)
{
	char path[CGROUP_PATH_SIZE];
	struct dirent *entry;
	DIR *dir;
	int fd;

	if (path_of(cgroups, number, "/guests", path, sizeof(path)) < 0)
		return true;
	dir = opendir(path);
	if (!dir)
		return true;
	fd = dirfd(dir);
	while (fd >= 0 && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			unlinkat(fd, entry->d_name, AT_REMOVEDIR);
	closedir(dir);
	return !rmdir(path) || errno == ENOENT;
}

/* True: it is gone. */
static bool cgroup_remove(const struct cgroups *cgroups, uint64_t number)
{
	char path[600];

	if (path_of(cgroups, number, "/worker", path, sizeof(path)) < 0)
		return true;
	rmdir(path);
	guests_remove(cgroups, number);
	path_of(cgroups, number, "", path, sizeof(path));
	return !rmdir(path) || errno == ENOENT;
}

static void drop(struct daemon *d, uint64_t number, bool may_kill, bool is_guests);

/* All that is in the lease's cgroup at or below @leaf.  Return: 0 or -errno. */
static int cgroup_kill(const struct cgroups *cgroups, uint64_t number, const char *leaf)
{
	char path[CGROUP_PATH_SIZE];
	int r = path_of(cgroups, number, leaf, path, sizeof(path)), dir;

	if (r < 0)
		return r;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	r = write_at(dir, "cgroup.kill", "1");
	close(dir);
	return r;
}

bool cgroup_guests_kill(struct daemon *d, uint64_t number)
{
	struct cgroups *cgroups = cgroups_get(d);
	int r = cgroups ? cgroup_kill(cgroups, number, "/guests") : -ENOMEM;

	if (!r)
		drop(d, number, false, true);
	return !r || r == -ENOENT;
}

/* The name is superdev-guest's, see sdv_guest_cgroup_open(). */
static void guest_leaf(uint32_t id, char *ret_leaf, size_t size)
{
	snprintf(ret_leaf, size, "/guests/guest-%u", id);
}

bool cgroup_guest_kill(struct daemon *d, uint64_t number, uint32_t id)
{
	struct cgroups *cgroups = cgroups_get(d);
	char leaf[40];

	guest_leaf(id, leaf, sizeof(leaf));
	return cgroups && !cgroup_kill(cgroups, number, leaf);
}

void cgroup_guest_tidy(struct daemon *d, uint64_t number, uint32_t id)
{
	struct cgroups *cgroups = cgroups_get(d);
	char leaf[40], path[CGROUP_PATH_SIZE];

	guest_leaf(id, leaf, sizeof(leaf));
	if (cgroups && !path_of(cgroups, number, leaf, path, sizeof(path)))
		rmdir(path);
}

static void retry_due(struct timer *timer)
{
	struct dropped *dropped = container_of(timer, struct dropped, retry);
	struct cgroups *cgroups = dropped->d->cgroups;

	if (dropped->is_guests ? guests_remove(cgroups, dropped->number)
			       : cgroup_remove(cgroups, dropped->number)) {
		dropped_free(dropped);
		return;
	}
	dropped->tries++;
	if (dropped->may_kill && dropped->tries == KILL_MS / RETRY_MS) {
		sdv_log(SDV_LOG_WARNING, "lease %" PRIu64 ": processes of it do not end; killed",
			dropped->number);
		cgroup_kill(cgroups, dropped->number, "");
	}
	if (dropped->tries == GIVE_UP) {
		sdv_log(SDV_LOG_WARNING, "cgroup of lease %" PRIu64 " cannot be removed: %s", dropped->number,
			strerror(errno));
		dropped_free(dropped);
		return;
	}
	timer_start(timer, RETRY_MS);
}

static void drop(struct daemon *d, uint64_t number, bool may_kill, bool is_guests)
{
	struct cgroups *cgroups = cgroups_get(d);
	struct dropped *dropped = cgroups ? dropped_find(cgroups, number) : NULL;

	if (dropped && !is_guests)
		dropped->is_guests = false;
	if (!cgroups || dropped ||
	    (is_guests ? guests_remove(cgroups, number) : cgroup_remove(cgroups, number)))
		return;
	dropped = calloc(1, sizeof(*dropped));
	if (!dropped)
		return;
	dropped->is_guests = is_guests;
	dropped->d = d;
	dropped->number = number;
	dropped->may_kill = may_kill;
	timer_init(&dropped->retry, &d->timers, retry_due);
	list_add_tail(&cgroups->dropped, &dropped->node);
	timer_start(&dropped->retry, RETRY_MS);
}

void cgroup_drop(struct daemon *d, uint64_t number)
{
	drop(d, number, true, false);
}

static bool tidy(struct daemon *d, uint64_t number, ino_t ino, uint64_t arg)
{
	(void)ino, (void)arg;
	if (!lender_knows(d, number))
		drop(d, number, false, false);
	return false;
}

/*
 * Only what is empty, or will be: there may be other agents, of other network
 * namespaces, and what they started is not ours to kill.
 */
void cgroups_tidy(struct daemon *d)
{
	find_lease(d, tidy, 0);
}

void cgroups_close(struct daemon *d)
{
	if (!d->cgroups)
		return;
	list_for_each_safe(dropped, &d->cgroups->dropped, struct dropped, node)
		dropped_free(dropped);
	free(d->cgroups);
	d->cgroups = NULL;
}
