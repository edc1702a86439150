// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * deputy_image.c: what the program would start with, were it started here.
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "deputy.h"

extern char **environ;

#define MEM_MAJOR 1

/* Which terminal it is: /dev/tty is another node of the same one. */
static bool tty_number(int fd, unsigned int *ret_number)
{
	return !ioctl(fd, TIOCGDEV, ret_number);
}

/* What kind it is, or -errno. */
static int kind_of(int fd, const struct stat *st, const char **ret_why)
{
	unsigned int number;

	*ret_why = "a descriptor is of a kind that can't be relayed";
	switch (st->st_mode & S_IFMT) {
	case S_IFIFO: return SUPERDEV_TASK_PIPE;
	case S_IFREG: return SUPERDEV_TASK_FILE;
	case S_IFSOCK: {
		int type = 0;
		socklen_t len = sizeof(type);

		/* The others have messages, and a listener has neither bytes nor messages. */
		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_STREAM)
			return -EOPNOTSUPP;
		len = sizeof(type);
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &type, &len) || type)
			return -EOPNOTSUPP;
		return SUPERDEV_TASK_SOCKET;
	}
	case S_IFCHR:
		if (major(st->st_rdev) == MEM_MAJOR) {
			switch (minor(st->st_rdev)) {
			case 3:
			case 5:
			case 7:
			case 8:
			case 9: return SUPERDEV_TASK_DEVICE;
			default: return -EOPNOTSUPP;
			}
		}
		return tty_number(fd, &number) ? SUPERDEV_TASK_TTY : -EOPNOTSUPP;
	default: return -EOPNOTSUPP;
	}
}

/* Whether two descriptors are open on one file, so that they share an offset, or an end. */
static bool is_same_file(int a, int b)
{
	struct stat st_a, st_b;
	pid_t self = getpid();
	long r = syscall(SYS_kcmp, self, self, KCMP_FILE, a, b);

	if (r >= 0)
		return !r;
	/* Without kcmp: what looks the same and has the same rights. */
	return !fstat(a, &st_a) && !fstat(b, &st_b) && st_a.st_dev == st_b.st_dev &&
	       st_a.st_ino == st_b.st_ino && fcntl(a, F_GETFL) == fcntl(b, F_GETFL);
}

/* The stream that @fd belongs to; a new one is the number after the last. */
static unsigned int stream_of(const struct sdv_deputy_table *table, int fd, int kind)
{
	unsigned int mine = 0, other = 0;

	for (unsigned int i = 0; i < table->nr; i++) {
		const struct superdev_task_fd *entry = &table->fds[i];
		int number = (int)le32toh(entry->fd);

		if (entry->kind != kind)
			continue;
		if (kind == SUPERDEV_TASK_TTY
			    ? tty_number(fd, &mine) && tty_number(number, &other) && mine == other
			    : is_same_file(fd, number))
			return le16toh(entry->stream);
	}
	return table->nr_streams;
}

/*
 * Whether @fd is one of those through which make hands out its tokens.  Reading
 * them ahead would take tokens that nobody uses.
 */
static bool is_jobserver(int fd)
{
	const char *flags = getenv("MAKEFLAGS"), *at;
	int in, out;

	if (!flags)
		return false;
	at = strstr(flags, "--jobserver-auth=");
	if (at)
		at += strlen("--jobserver-auth=");
	else if ((at = strstr(flags, "--jobserver-fds=")))
		at += strlen("--jobserver-fds=");
	return at && sscanf(at, "%d,%d", &in, &out) == 2 && (fd == in || fd == out);
}

static int table_add(struct sdv_deputy_table *table, int fd, const char **ret_why)
{
	static const uint8_t modes[] = {
		[O_RDONLY] = SUPERDEV_TASK_MODE_READ,
		[O_WRONLY] = SUPERDEV_TASK_MODE_WRITE,
		[O_RDWR] = SUPERDEV_TASK_MODE_READ | SUPERDEV_TASK_MODE_WRITE,
	};
	struct sdv_task_fd entry = { .fd = (uint32_t)fd, .stream = SUPERDEV_TASK_NO_STREAM };
	int flags = fcntl(fd, F_GETFL), kind;
	struct stat st;

	if (flags < 0 || fstat(fd, &st))
		return -errno;
	kind = kind_of(fd, &st, ret_why);
	if (kind < 0)
		return kind;
	if (flags & O_PATH || (flags & O_ACCMODE) == O_ACCMODE)
		return -EOPNOTSUPP;
	if (table->nr == SUPERDEV_TASK_MAX_FDS) {
		*ret_why = "too many descriptors are open";
		return -E2BIG;
	}
	entry.kind = (uint8_t)kind;
	entry.mode = modes[flags & O_ACCMODE];
	entry.flags = (flags & O_APPEND ? SUPERDEV_TASK_FD_APPEND : 0) |
		      (flags & O_NONBLOCK ? SUPERDEV_TASK_FD_NONBLOCK : 0);
	if (kind == SUPERDEV_TASK_DEVICE) {
		entry.device = minor(st.st_rdev);
	} else {
		unsigned int stream = stream_of(table, fd, kind);

		if (stream == SUPERDEV_TASK_MAX_STREAMS ||
		    (stream == table->nr_streams && kind == SUPERDEV_TASK_TTY && table->tty >= 0)) {
			*ret_why = "more than one terminal, or too many descriptors, are open";
			return -E2BIG;
		}
		entry.stream = (uint16_t)stream;
		if (is_jobserver(fd))
			table->tokens |= 1ull << stream;
		if (stream == table->nr_streams) {
			table->first[stream] = table->nr;
			table->nr_streams++;
		}
		if (kind == SUPERDEV_TASK_TTY)
			table->tty = (int)stream;
	}
	sdv_task_fd_put(&table->fds[table->nr++], &entry);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int sdv_deputy_table_read(struct sdv_deputy_table *table, int skip, const char **ret_why)
{
	static int fds[SUPERDEV_TASK_MAX_FDS + 8];
	unsigned int nr = 0;
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/fd");
	int r = 0;

	*ret_why = "/proc/self/fd can't be read";
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] == '.' || fd == skip || fd == dirfd(dir))
			continue;
		if (nr == sizeof(fds) / sizeof(*fds)) {
			*ret_why = "too many descriptors are open";
			r = -E2BIG;
			break;
		}
		fds[nr++] = fd;
	}
	closedir(dir);
	qsort(fds, nr, sizeof(*fds), compare);
	table->nr = 0;
	table->nr_streams = 0;
	table->tty = -1;
	table->tokens = 0;
	for (unsigned int i = 0; i < nr && !r; i++)
		r = table_add(table, fds[i], ret_why);
	return r;
}

/* The strings one after the other, allocated; 0 bytes for an empty vector. */
static char *strings_join(char **strings, uint32_t *ret_nr, uint32_t *ret_len)
{
	size_t len = 0, nr = 0;
	char *joined, *at;

	for (; strings[nr]; nr++)
		len += strlen(strings[nr]) + 1;
	joined = malloc(len + 1);
	if (!joined)
		return NULL;
	at = joined;
	for (size_t i = 0; i < nr; i++)
		at = stpcpy(at, strings[i]) + 1;
	*ret_nr = (uint32_t)nr;
	*ret_len = len <= UINT32_MAX ? (uint32_t)len : UINT32_MAX;
	return joined;
}

static int ids_read(struct sdv_task_image *image, __le32 *groups)
{
	gid_t list[SUPERDEV_TASK_MAX_GROUPS];
	uid_t real, effective, saved;
	gid_t gid, effective_gid, saved_gid;
	int nr;

	if (getresuid(&real, &effective, &saved) || getresgid(&gid, &effective_gid, &saved_gid))
		return -errno;
	if (real != effective || real != saved || gid != effective_gid || gid != saved_gid)
		return -EOPNOTSUPP;
	nr = getgroups(SUPERDEV_TASK_MAX_GROUPS, list);
	if (nr < 0)
		return -errno;
	for (int i = 0; i < nr; i++)
		groups[i] = htole32(list[i]);
	image->uid = real;
	image->gid = gid;
	image->groups = groups;
	image->nr_groups = (uint32_t)nr;
	return 0;
}

static int limits_read(struct sdv_task_image *image)
{
	for (unsigned int i = 0; i < SUPERDEV_TASK_NR_RLIMITS; i++) {
		struct rlimit limit;

		if (getrlimit((__rlimit_resource_t)i, &limit))
			return -errno;
		image->rlimits[i].soft = limit.rlim_cur;
		image->rlimits[i].hard = limit.rlim_max;
	}
	return 0;
}

static void signals_read(struct sdv_task_image *image, const sigset_t *mask)
{
	struct sigaction action;

	for (int sig = 1; sig <= 64; sig++) {
		if (sigismember(mask, sig) == 1)
			image->sig_blocked |= 1ull << (sig - 1);
		if (!sigaction(sig, NULL, &action) && action.sa_handler == SIG_IGN)
			image->sig_ignored |= 1ull << (sig - 1);
	}
}

static int image_fill(struct sdv_task_image *image, char *cwd, size_t cwd_size, struct utsname *host,
		      __le32 *groups)
{
	mode_t mask = umask(0);
	int r;

	umask(mask);
	image->umask = mask & 0777;
	if (!getcwd(cwd, cwd_size) || uname(host))
		return -errno;
	/* "(unreachable)…": it is not below the root, and there is no name for it there. */
	if (cwd[0] != '/')
		return -EOPNOTSUPP;
	image->cwd = cwd;
	image->host = host->nodename;
	errno = 0;
	image->nice = getpriority(PRIO_PROCESS, 0);
	image->personality = (uint32_t)personality(0xffffffff);
	image->pid = (uint32_t)getpid();
	image->ppid = (uint32_t)getppid();
	image->pgid = (uint32_t)getpgrp();
	image->sid = (uint32_t)getsid(0);
	if (image->pgid == image->pid)
		image->flags |= SUPERDEV_TASK_F_LEADER;
	r = ids_read(image, groups);
	return r ? r : limits_read(image);
}

int sdv_deputy_image_make(const char *path, char **argv, const struct sdv_deputy_table *table,
			  const sigset_t *mask, void **ret_data, size_t *ret_len)
{
	static __le32 groups[SUPERDEV_TASK_MAX_GROUPS];
	static char cwd[4096];
	static struct utsname host;
	struct sdv_task_image image = { .path = path, .fds = table->fds, .nr_fds = table->nr };
	char *args, *env;
	int r = image_fill(&image, cwd, sizeof(cwd), &host, groups);

	if (r)
		return r;
	signals_read(&image, mask);
	if (table->tty >= 0) {
		const struct superdev_task_fd *fd = &table->fds[table->first[table->tty]];

		image.flags |= SUPERDEV_TASK_F_TTY;
		if (!sdv_deputy_tty_modes((int)le32toh(fd->fd), &image.modes))
			return -ENOTTY;
	}
	args = strings_join(argv, &image.argc, &image.argv_len);
	env = strings_join(environ, &image.envc, &image.envp_len);
	if (!args || !env) {
		free(args);
		free(env);
		return -ENOMEM;
	}
	image.argv = args;
	image.envp = env;
	*ret_len = sdv_task_image_size(&image);
	/* calloc: aligned, and what pads is zero. */
	*ret_data = *ret_len ? calloc(1, *ret_len) : NULL;
	r = !*ret_len ? -E2BIG : !*ret_data ? -ENOMEM : 0;
	if (!r)
		sdv_task_image_build(&image, *ret_data);
	free(args);
	free(env);
	return r;
}
