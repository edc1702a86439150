// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guest_lender.c: programs of homes that run here, and their files.
 *
 *	RUNTIME/guest				a small file system, private to root
 *	RUNTIME/guest/NUMBER-USER-SESSION	home's files, as that user sees them
 *
 * Files are shared by all guests of one session, so that what one has looked at
 * is there for the next, and end when they were of no use to anybody for a while.
 * Whatever ends is ended in this order: guests, then the mount is aborted, so
 * that nobody waits for home in the kernel, then the process behind it.
 */
#include "guest_lender.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "fdpass.h"
#include "guest_ctl.h"
#include "lease_lender.h"
#include "module.h"
#include "offer.h"
#include "processors.h"
#include "spawn.h"
#include "superdev_cpu.h"

#define READY_MS   10000  /* from the start of the mount to its first message */
#define IDLE_MS    900000 /* files without a guest; what is cached of them is for the next build */
#define STOP_MS    5000   /* from being asked to being killed */
#define FILES_MAX  64     /* of a lease */
#define GUESTS_MAX 256    /* of a lease */
#define USER_MAX   65535  /* what a guest's namespace has */
/*
 * The lender's number for home's user 0 (nobody's here), and how far apart those of
 * different leases are: what hosts guests has some behind the 65536 of its users.
 */
#define FIRST_ID   (1u << 20)
#define ID_STEP    (1u << 17)
#define SLOTS_MAX  1024

/**
 * struct files - a mount of home's files
 * @number:	of the lease
 * @first_id:	what home's user 0 is here, of this lease
 * @control:	to its process; closes when that ends
 * @host:	to the process that divides itself for each guest (guest_ctl.h); -1: none yet
 * @is_over:	its end was seen: only waiting for operations
 */
struct files {
	struct list node; /* daemon.files */
	struct daemon *d;
	uint64_t number, session;
	uint32_t epoch, user, first_id;
	char peer[SDV_NAME_SIZE];
	char dir[192];
	int control, pidfd, host;
	bool is_ready, is_stopping, is_over;
	struct sdv_op poll, host_poll;
	struct timer timer; /* for READY, for idleness, for its end */
	struct list guests;
	unsigned int nr_guests;
};

/**
 * struct guest - a program of home's, or room for one
 * @fd:		its connection, until its host is asked for; -1
 * @id:		names its cgroup; 0: not asked for yet
 * @pidfd:	of its host; -1: that has not answered yet
 */
struct guest {
	struct list node; /* files.guests */
	struct files *files;
	int fd, pidfd;
	uint32_t id;
	bool is_clear;
	struct sdv_op poll;
};

static void guest_start(struct guest *guest);
static void host_readable(struct sdv_op *op, int result, bool more);

static char *program_path(const struct daemon *d, char *buffer, size_t size, const char *name)
{
	size_t len =
		strrchr(d->conf.worker, '/') ? (size_t)(strrchr(d->conf.worker, '/') - d->conf.worker) : 0;

	/* They are installed beside the worker. */
	snprintf(buffer, size, "%.*s/%s", (int)len, d->conf.worker, name);
	return buffer;
}

static struct files *files_find(struct daemon *d, uint64_t number, uint64_t session)
{
	list_for_each(files, &d->files, struct files, node)
		if (files->number == number && files->session == session)
			return files;
	return NULL;
}

/* Directories ------------------------------------------------------------ */

static void base_path(const struct daemon *d, char *ret_path, size_t size)
{
	snprintf(ret_path, size, "%s/guest", d->conf.runtime_dir);
}

static bool is_mount(const char *path)
{
	char parent[256];
	struct stat st, above;

	snprintf(parent, sizeof(parent), "%s/..", path);
	return !stat(path, &st) && !stat(parent, &above) && st.st_dev != above.st_dev;
}

/*
 * One mount that has all the others on it: whoever copies the agent's mounts, as
 * each guest's host does, gets rid of them in one go.
 */
static int base_make(struct daemon *d)
{
	char path[128];

	base_path(d, path, sizeof(path));
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (is_mount(path))
		return 0;
	if (mount("superdev-guest", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "mode=0700,size=64k,nr_inodes=1k") < 0 ||
	    mount(NULL, path, NULL, MS_PRIVATE, NULL) < 0)
		return -errno;
	return 0;
}

/* Nobody waits in the kernel for home any more, and nobody finds the mount. */
static void dir_drop(const char *dir)
{
	while (!umount2(dir, MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW))
		;
	if (rmdir(dir) < 0 && errno != ENOENT)
		sdv_log(SDV_LOG_WARNING, "directory %s: %s", dir, strerror(errno));
}

/* Files ------------------------------------------------------------------ */

static void files_try_free(struct files *files)
{
	if (!files->is_over || files->poll.is_active || files->host_poll.is_active ||
	    !list_is_empty(&files->guests))
		return;
	timer_stop(&files->timer);
	list_del(&files->node);
	close(files->control);
	if (files->pidfd >= 0)
		close(files->pidfd);
	free(files);
}

static void guest_kill(struct guest *guest)
{
	/* Its host sees that, tells home, and tidies up; before it has made that cgroup there is nothing to. */
	bool is_killed = guest->id && cgroup_guest_kill(guest->files->d, guest->files->number, guest->id);

	if (guest->pidfd >= 0) {
		if (!is_killed)
			spawn_signal(guest->pidfd, SIGKILL);
		return;
	}
	/* Nothing to wait for.  Where it is asked for already, it finds its root gone. */
	if (guest->fd >= 0)
		close(guest->fd);
	list_del(&guest->node);
	guest->files->nr_guests--;
	free(guest);
}

/* Its guests go on; there is no other until one is wanted. */
static void host_end(struct files *files)
{
	if (files->host < 0)
		return;
	if (files->host_poll.is_active)
		sdv_op_cancel(files->d->loop, &files->host_poll);
	close(files->host);
	files->host = -1;
}

/* It has ended, or is to be taken for it. */
static void files_over(struct files *files)
{
	if (files->is_over)
		return;
	if (!files->is_stopping)
		sdv_log(SDV_LOG_WARNING, "lease %" PRIu64 " of '%s': files of user %u ended%s", files->number,
			files->peer, files->user, files->nr_guests ? ", and so do their guests" : "");
	files->is_over = true;
	list_for_each_safe(guest, &files->guests, struct guest, node)
		guest_kill(guest);
	host_end(files);
	dir_drop(files->dir);
	if (files->pidfd >= 0)
		spawn_signal(files->pidfd, SIGKILL);
	if (files->poll.is_active)
		sdv_op_cancel(files->d->loop, &files->poll);
	timer_stop(&files->timer);
	files_try_free(files);
}

/* Without guests: what they wrote is at home already. */
static void files_stop(struct files *files)
{
	files->is_stopping = true;
	spawn_signal(files->pidfd, SIGTERM);
	timer_start(&files->timer, STOP_MS);
}

static void files_due(struct timer *timer)
{
	struct files *files = container_of(timer, struct files, timer);

	if (!files->is_ready && !files->is_stopping) {
		sdv_log(SDV_LOG_WARNING, "lease %" PRIu64 " of '%s': files of user %u not there within %d s",
			files->number, files->peer, files->user, READY_MS / 1000);
		files->is_stopping = true;
		files_over(files);
	} else if (files->is_stopping) {
		files_over(files);
	} else {
		sdv_log(SDV_LOG_INFO, "lease %" PRIu64 " of '%s': files of user %u not used; ended",
			files->number, files->peer, files->user);
		files_stop(files);
	}
}

static void files_readable(struct sdv_op *op, int result, bool more)
{
	struct files *files = container_of(op, struct files, poll);
	char text[64];
	ssize_t n;

	(void)more;
	if (files->is_over) {
		files_try_free(files);
		return;
	}
	n = result < 0 ? 0 : recv(files->control, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		files_over(files);
		return;
	}
	/* It says nothing else unasked, and we ask nothing. */
	if (n > 0 && !files->is_ready) {
		files->is_ready = true;
		timer_start(&files->timer, IDLE_MS);
		sdv_log(SDV_LOG_INFO, "lease %" PRIu64 " of '%s': files of user %u are there", files->number,
			files->peer, files->user);
		list_for_each_safe(guest, &files->guests, struct guest, node)
			guest_start(guest);
	}
	if (sdv_op_poll(files->d->loop, &files->poll, files->control, POLLIN, false) < 0)
		files_over(files);
}

/* Users of one home are nobody to the guests of another. */
static int first_id_take(struct daemon *d, uint64_t number, uint32_t *ret_first_id)
{
	for (uint32_t slot = 0; slot < SLOTS_MAX; slot++) {
		uint32_t id = FIRST_ID + slot * ID_STEP;
		bool is_free = true;

		list_for_each(files, &d->files, struct files, node) {
			if (files->number == number && files->first_id) {
				*ret_first_id = files->first_id;
				return 0;
			}
			is_free &= files->first_id != id;
		}
		if (is_free) {
			*ret_first_id = id;
			return 0;
		}
	}
	return -EUSERS;
}

/* Return: 0 or -errno; takes neither @fd nor @control. */
static int files_spawn(struct files *files, int fd, int control)
{
	char program[300], fd_text[8], control_text[8], first_id[16], path[CGROUP_PATH_SIZE];
	char *argv[] = { program,      "mount",      "--fd",   fd_text,    "--control",
			 control_text, "--first-id", first_id, files->dir, NULL };
	const int fds[] = { fd, control };
	struct spawn what = { .argv = argv, .fds = fds, .nr_fds = 2, .cgroup = -1 };
	int r;

	program_path(files->d, program, sizeof(program), "superdev-homefs");
	snprintf(fd_text, sizeof(fd_text), "%d", SPAWN_FD_FIRST);
	snprintf(control_text, sizeof(control_text), "%d", SPAWN_FD_FIRST + 1);
	snprintf(first_id, sizeof(first_id), "%u", files->first_id);
	r = cgroup_guests(files->d, files->number, path, &what.cgroup);
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	r = spawn(&what, &files->pidfd, NULL);
	if (what.cgroup >= 0)
		close(what.cgroup);
	return r;
}

static int files_start(struct files *files, int fd)
{
	int pair[2], flags = fcntl(fd, F_GETFL), r;

	/* Its threads wait in the kernel, and not in a loop. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	r = first_id_take(files->d, files->number, &files->first_id);
	if (!r)
		r = base_make(files->d);
	if (r < 0)
		return r;
	if (mkdir(files->dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	files->control = pair[0];
	r = files_spawn(files, fd, pair[1]);
	close(pair[1]);
	if (!r)
		r = sdv_op_poll(files->d->loop, &files->poll, files->control, POLLIN, false);
	return r;
}

/* The module that guests have home's descriptors by; once for as long as the machine is up. */
static int remote_files_load(void)
{
	char error[SDV_TEXT_SIZE];
	int r = 0;

	if (access(SUPERDEV_REMOTE_DEVICE, F_OK) < 0)
		r = module_load("superdev_cpu", error, sizeof(error));
	if (r < 0)
		sdv_log(SDV_LOG_ERR, "%s", error);
	return r;
}

static void files_open(struct conn *conn)
{
	struct peer *peer = peer_by_key(conn->d, conn->key);
	struct files *files = calloc(1, sizeof(*files));
	struct daemon *d = conn->d;
	int fd, r;

	/* What its HELLO found may have changed since. */
	if (!files || !peer || !lender_holds(conn, "cpu") ||
	    files_find(d, conn->theirs.lease, conn->theirs.session)) {
		free(files);
		conn_close(conn);
		return;
	}
	files->d = d;
	files->number = conn->theirs.lease;
	files->epoch = conn->theirs.epoch;
	files->user = conn->theirs.user;
	files->session = conn->theirs.session;
	files->control = files->pidfd = files->host = -1;
	files->poll.done = files_readable;
	files->host_poll.done = host_readable;
	snprintf(files->peer, sizeof(files->peer), "%s", peer->info.name);
	snprintf(files->dir, sizeof(files->dir), "%s/guest/%" PRIu64 "-%u-%016" PRIx64, d->conf.runtime_dir,
		 files->number, files->user, files->session);
	list_init(&files->guests);
	timer_init(&files->timer, &d->timers, files_due);
	list_add_tail(&d->files, &files->node);
	fd = conn_take_fd(conn);
	r = remote_files_load();
	if (!r)
		r = files_start(files, fd);
	close(fd);
	if (r < 0) {
		sdv_log(SDV_LOG_ERR, "lease %" PRIu64 " of '%s': files of user %u: %s", files->number,
			files->peer, files->user, strerror(-r));
		files->is_stopping = true;
		files_over(files);
		return;
	}
	timer_start(&files->timer, READY_MS);
}

/* Guests ----------------------------------------------------------------- */

static void guest_over(struct guest *guest)
{
	struct files *files = guest->files;

	if (guest->id)
		cgroup_guest_tidy(files->d, files->number, guest->id);
	if (guest->fd >= 0)
		close(guest->fd);
	if (guest->pidfd >= 0)
		close(guest->pidfd);
	list_del(&guest->node);
	files->nr_guests--;
	free(guest);
	if (files->is_over)
		files_try_free(files);
	else if (!files->nr_guests && files->is_ready && !files->is_stopping)
		timer_start(&files->timer, IDLE_MS);
}

static void guest_ended(struct sdv_op *op, int result, bool more)
{
	(void)result;
	(void)more;
	guest_over(container_of(op, struct guest, poll));
}

/* The mount's end of a guest's own way to ask whether all is told. */
static int files_give(struct files *files, int fd)
{
	static const char line[] = "guest\n";

	return sdv_fds_send(files->control, line, sizeof(line) - 1, &fd, 1, MSG_DONTWAIT);
}

/* What the offer lends is the lease's; a guest that takes all of it is ended as a whole. */
static void limits_text(const struct files *files, const char *cgroup, char *ret_memory, size_t size)
{
	struct sdv_offer_info info;
	struct processors processors;
	char path[CGROUP_PATH_SIZE + 32];

	ret_memory[0] = '\0';
	snprintf(path, sizeof(path), "%s/host/memory.max", cgroup);
	if (access(path, F_OK) < 0 || lender_offer(files->d, files->number, &info) < 0 ||
	    processors_look(&info, &processors) < 0)
		return;
	snprintf(ret_memory, size, "%" PRIu64, processors.memory);
}

static int host_spawn(struct files *files, int control)
{
	char program[300], lease[24], epoch[16], cgroup[CGROUP_PATH_SIZE], base[128], memory[24] = "";
	char control_text[8], first_id[16];
	char *argv[24] = { program,   "--control", control_text, "--root",        files->dir,
			   "--leave", base,        "--first-id", first_id,        "--lease",
			   lease,     "--epoch",   epoch,        "--remote-files" };
	struct spawn what = { .argv = argv, .fds = &control, .nr_fds = 1, .cgroup = -1 };
	unsigned int n = 14;
	int pidfd, r;

	program_path(files->d, program, sizeof(program), "superdev-guest");
	snprintf(control_text, sizeof(control_text), "%d", SPAWN_FD_FIRST);
	snprintf(first_id, sizeof(first_id), "%u", files->first_id);
	snprintf(lease, sizeof(lease), "%" PRIu64, files->number);
	snprintf(epoch, sizeof(epoch), "%u", files->epoch);
	base_path(files->d, base, sizeof(base));
	r = cgroup_guests(files->d, files->number, cgroup, &what.cgroup);
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	if (!r) {
		argv[n++] = "--cgroup";
		argv[n++] = cgroup;
		limits_text(files, cgroup, memory, sizeof(memory));
	}
	if (memory[0]) {
		argv[n++] = "--memory";
		argv[n++] = memory;
	}
	r = spawn(&what, &pidfd, NULL);
	if (what.cgroup >= 0)
		close(what.cgroup);
	/* It ends with its socket, or is killed with all that is in that cgroup. */
	if (!r)
		close(pidfd);
	return r;
}

static int host_start(struct files *files)
{
	int pair[2], r;

	/* The one before has ended; of its poll, that may not be known yet. */
	if (files->host_poll.is_active)
		return -EBUSY;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	r = host_spawn(files, pair[1]);
	close(pair[1]);
	files->host = pair[0];
	if (!r)
		r = sdv_op_poll(files->d->loop, &files->host_poll, files->host, POLLIN, false);
	if (r < 0)
		host_end(files);
	return r;
}

/* Takes neither the guest's connection nor @sync. */
static int host_ask(struct guest *guest, int sync)
{
	struct files *files = guest->files;
	const struct sdv_guest_request request = {
		.id = ++files->d->last_guest,
		.is_clear = guest->is_clear,
	};
	const int fds[SDV_GUEST_CTL_NR_FDS] = {
		[SDV_GUEST_CTL_CONNECTION] = guest->fd,
		[SDV_GUEST_CTL_SYNC] = sync,
	};
	int r = files->host < 0 ? host_start(files) : 0;

	if (!r)
		r = sdv_fds_send(files->host, &request, sizeof(request), fds, SDV_GUEST_CTL_NR_FDS,
				 MSG_DONTWAIT);
	if (!r)
		guest->id = request.id;
	return r;
}

static void guest_failed(struct guest *guest, int error)
{
	sdv_log(SDV_LOG_ERR, "lease %" PRIu64 " of '%s': a guest could not be started: %s",
		guest->files->number, guest->files->peer, strerror(error));
	guest_over(guest);
}

/* It is there, or will not be; takes @pidfd. */
static void guest_answered(struct files *files, const struct sdv_guest_answer *answer, int pidfd)
{
	int r;

	list_for_each_safe(guest, &files->guests, struct guest, node) {
		if (guest->id != answer->id || guest->pidfd >= 0)
			continue;
		if (pidfd < 0) {
			guest_failed(guest, answer->error ? (int)answer->error : EPROTO);
			return;
		}
		guest->pidfd = pidfd;
		r = sdv_op_poll(files->d->loop, &guest->poll, guest->pidfd, POLLIN, false);
		if (r < 0) {
			spawn_signal(guest->pidfd, SIGKILL);
			guest_failed(guest, -r);
		}
		return;
	}
	if (pidfd >= 0)
		close(pidfd);
}

/* What it had not answered yet will not be hosted. */
static void host_gone(struct files *files)
{
	sdv_log(SDV_LOG_WARNING, "lease %" PRIu64 " of '%s': the host of guests of user %u ended",
		files->number, files->peer, files->user);
	host_end(files);
	list_for_each_safe(guest, &files->guests, struct guest, node)
		if (guest->id && guest->pidfd < 0)
			guest_failed(guest, ECONNRESET);
}

static void host_readable(struct sdv_op *op, int result, bool more)
{
	struct files *files = container_of(op, struct files, host_poll);
	struct sdv_guest_answer answer;
	int pidfd = -1, r = result < 0 ? result : 0;
	ssize_t n = 0;

	(void)more;
	if (files->is_over) {
		files_try_free(files);
		return;
	}
	/* Cancelled, as it is no more; there may be another soon. */
	if (files->host < 0)
		return;
	if (!r)
		n = sdv_fds_receive(files->host, &answer, sizeof(answer), &pidfd, 1, MSG_DONTWAIT);
	if (n == (ssize_t)sizeof(answer) || n == -EAGAIN)
		r = sdv_op_poll(files->d->loop, &files->host_poll, files->host, POLLIN, false);
	else
		r = -EPIPE;
	if (n == (ssize_t)sizeof(answer))
		guest_answered(files, &answer, pidfd);
	if (r < 0)
		host_gone(files);
}

/* Its end, which home sees, is all that comes of a failure. */
static void guest_start(struct guest *guest)
{
	struct files *files = guest->files;
	int pair[2] = { -1, -1 }, r = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		r = -errno;
	if (!r)
		r = files_give(files, pair[0]);
	if (!r)
		r = host_ask(guest, pair[1]);
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	close(guest->fd);
	guest->fd = -1;
	if (r)
		guest_failed(guest, -r);
}

static void task_open(struct conn *conn)
{
	struct files *files = files_find(conn->d, conn->theirs.lease, conn->theirs.session);
	struct guest *guest = calloc(1, sizeof(*guest));

	if (!guest || !files || files->is_stopping || files->is_over || !lender_holds(conn, "cpu")) {
		free(guest);
		conn_close(conn);
		return;
	}
	guest->files = files;
	guest->pidfd = -1;
	guest->is_clear = conn->transport == SUPERDEV_TRANSPORT_CLEAR;
	guest->poll.done = guest_ended;
	guest->fd = conn_take_fd(conn);
	list_add_tail(&files->guests, &guest->node);
	files->nr_guests++;
	if (!files->is_ready)
		return;
	timer_stop(&files->timer);
	guest_start(guest);
}

/* From homes ------------------------------------------------------------- */

static void closed(struct conn *conn, int error, const char *why)
{
	if (error != -ESTALE)
		sdv_log(SDV_LOG_NOTICE, "task of %s: %s", conn->text, why);
}

static const struct conn_ops files_ops = {
	.open = files_open,
	.closed = closed,
};

static const struct conn_ops task_ops = {
	.open = task_open,
	.closed = closed,
};

static unsigned int count(struct daemon *d, uint64_t number, bool of_guests)
{
	unsigned int n = 0;

	list_for_each(files, &d->files, struct files, node)
		if (files->number == number)
			n += of_guests ? files->nr_guests : 1;
	return n;
}

__attribute__((format(printf, 4, 5))) static uint32_t refuse(uint32_t status, char *error, size_t error_size,
							     const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, error_size, format, args);
	va_end(args);
	return status;
}

static uint32_t check_files(struct conn *conn, char *error, size_t size)
{
	const struct hello *theirs = &conn->theirs;

	if (files_find(conn->d, theirs->lease, theirs->session))
		return refuse(SUPERDEV_ST_BUSY, error, size,
			      "there are files of session %#" PRIx64 " already", theirs->session);
	if (count(conn->d, theirs->lease, false) >= FILES_MAX)
		return refuse(SUPERDEV_ST_BUSY, error, size, "more than %d users' files at once", FILES_MAX);
	return SUPERDEV_ST_OK;
}

static uint32_t check_task(struct conn *conn, char *error, size_t size)
{
	const struct hello *theirs = &conn->theirs;
	struct files *files = files_find(conn->d, theirs->lease, theirs->session);

	if (!files || files->is_stopping || files->is_over || files->epoch != theirs->epoch)
		return refuse(SUPERDEV_ST_NOENT, error, size, "there are no files of session %#" PRIx64,
			      theirs->session);
	if (files->user != theirs->user)
		return refuse(SUPERDEV_ST_PERM, error, size,
			      "the files of session %#" PRIx64 " are user %u's", theirs->session,
			      files->user);
	if (count(conn->d, theirs->lease, true) >= GUESTS_MAX)
		return refuse(SUPERDEV_ST_BUSY, error, size, "more than %d programs at once", GUESTS_MAX);
	return SUPERDEV_ST_OK;
}

uint32_t guest_hello(struct conn *conn, struct peer *peer, char *error, size_t error_size)
{
	bool is_files = conn->theirs.purpose == SUPERDEV_PURPOSE_FILES;
	const struct hello *theirs = &conn->theirs;

	conn->ops = is_files ? &files_ops : &task_ops;
	if (!theirs->has_user || !theirs->session)
		return refuse(SUPERDEV_ST_INVAL, error, error_size, "user or session is missing");
	if (theirs->user > USER_MAX)
		return refuse(SUPERDEV_ST_NOTSUPP, error, error_size, "user %u is above %u", theirs->user,
			      USER_MAX);
	if (!lender_holds(conn, NULL))
		return refuse(SUPERDEV_ST_STALE, error, error_size,
			      "'%s' has no lease %" PRIu64 " at epoch %u", peer->info.name, theirs->lease,
			      theirs->epoch);
	if (!lender_holds(conn, "cpu"))
		return refuse(SUPERDEV_ST_NOTSUPP, error, error_size,
			      "lease %" PRIu64 " is of another class than cpu", theirs->lease);
	return is_files ? check_files(conn, error, error_size) : check_task(conn, error, error_size);
}

/* Ends ------------------------------------------------------------------- */

void guests_end(struct daemon *d, uint64_t number)
{
	bool is_any = false;

	list_for_each_safe(files, &d->files, struct files, node) {
		if (files->number != number || files->is_over)
			continue;
		is_any = true;
		if (files->nr_guests)
			sdv_log(SDV_LOG_NOTICE, "lease %" PRIu64 " of '%s': %u guests of user %u ended",
				number, files->peer, files->nr_guests, files->user);
		files->is_stopping = true;
		files_over(files);
	}
	/* Hosts and all; what of them is not in it sees its other half go. */
	if (is_any)
		cgroup_guests_kill(d, number);
}

void guests_tidy(struct daemon *d)
{
	struct dirent *entry;
	char path[128], dir[400];
	DIR *base;

	lender_each_number(d, cgroup_guests_kill);
	base_path(d, path, sizeof(path));
	base = opendir(path);
	if (!base)
		return;
	while ((entry = readdir(base))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(dir, sizeof(dir), "%s/%s", path, entry->d_name);
		dir_drop(dir);
	}
	closedir(base);
	while (!umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW))
		;
}

void guests_close(struct daemon *d)
{
	char path[128];

	list_for_each_safe(files, &d->files, struct files, node) {
		uint64_t number = files->number;

		files->is_stopping = true;
		files_over(files);
		cgroup_guests_kill(d, number);
	}
	/* Their ends are all that is waited for; who does not end in time is the next agent's to tidy. */
	list_for_each_safe(files, &d->files, struct files, node)
		list_for_each_safe(guest, &files->guests, struct guest, node)
			if (guest->poll.is_active)
				sdv_op_cancel(d->loop, &guest->poll);
	base_path(d, path, sizeof(path));
	umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
}
