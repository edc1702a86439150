// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serve_lock.c: locks of the lender's programs, taken at home.
 *
 * All of them would be this process's, and one to the kernel.  So each owner
 * has a descriptor of its own for each file, and record locks are those of open
 * file descriptions, which conflict with POSIX locks of other processes as
 * POSIX locks would.  A lock that waits is tried again from time to time:
 * no thread waits in the kernel, and giving up is taking it off a list.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define HOLDERS_MAX 8192u
#define WAITERS_MAX 1024u
#define RETRY_MS    20
#define CANCELS     16u

/* What one owner holds of one file; @node with a reference. */
struct holder {
	struct holder *next;
	struct sdv_node *node;
	uint64_t owner;
	uint8_t kind;
	int fd;
};

struct waiter {
	struct waiter *next;
	struct holder *holder;
	struct sdv_fs_request request; /* without data */
	struct sdv_fs_lock lock;
};

/**
 * struct sdv_locks - all of them
 * @lock:	protects the lists
 * @has_waiter:	signalled when there is one, and when it is worth trying
 * @cancels:	tags that were given up and not found: they may overtake their locks
 */
struct sdv_locks {
	struct sdv_serve *serve;
	pthread_mutex_t lock;
	pthread_cond_t has_waiter;
	struct holder *holders;
	struct waiter *waiters;
	unsigned int nr_holders, nr_waiters;
	uint32_t cancels[CANCELS];
	unsigned int next_cancel;
};

struct sdv_locks *sdv_locks_open(struct sdv_serve *serve)
{
	struct sdv_locks *locks = calloc(1, sizeof(*locks));

	if (!locks)
		return NULL;
	locks->serve = serve;
	pthread_mutex_init(&locks->lock, NULL);
	pthread_cond_init(&locks->has_waiter, NULL);
	return locks;
}

/* Below here: under the lock. */

static struct holder *holder_find(struct sdv_locks *locks, const struct sdv_node *node, uint64_t owner,
				  uint8_t kind)
{
	struct holder *holder;

	for (holder = locks->holders; holder; holder = holder->next)
		if (holder->node == node && holder->owner == owner && holder->kind == kind)
			return holder;
	return NULL;
}

static int holder_add(struct sdv_locks *locks, struct sdv_node *node, const struct sdv_fs_lock *lock,
		      struct holder **ret_holder)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY };
	struct holder *holder;
	int fd = -EACCES;

	if (locks->nr_holders == HOLDERS_MAX)
		return -ENOLCK;
	if (node->type != S_IFREG)
		return -EINVAL;
	for (size_t i = 0; i < 3 && fd < 0; i++)
		fd = sdv_node_reopen(locks->serve, node, modes[i]);
	if (fd < 0)
		return fd;
	holder = malloc(sizeof(*holder));
	if (!holder) {
		close(fd);
		return -ENOMEM;
	}
	sdv_node_hold(locks->serve, node);
	*holder = (struct holder){ locks->holders, node, lock->owner, lock->kind, fd };
	locks->holders = holder;
	locks->nr_holders++;
	*ret_holder = holder;
	return 0;
}

/* Closing its descriptor gives back all that it holds. */
static void holder_drop(struct sdv_locks *locks, struct holder *holder)
{
	struct holder **at = &locks->holders;

	for (struct waiter *waiter = locks->waiters; waiter; waiter = waiter->next)
		if (waiter->holder == holder)
			return;
	while (*at != holder)
		at = &(*at)->next;
	*at = holder->next;
	locks->nr_holders--;
	close(holder->fd);
	sdv_node_put(locks->serve, holder->node);
	free(holder);
	pthread_cond_signal(&locks->has_waiter);
}

static int lock_try(const struct holder *holder, struct sdv_fs_lock *lock)
{
	static const short types[] = { F_RDLCK, F_WRLCK, F_UNLCK };
	static const int operations[] = { LOCK_SH, LOCK_EX, LOCK_UN };
	struct flock range = {
		.l_type = types[lock->type],
		.l_whence = SEEK_SET,
		.l_start = (off_t)lock->start,
		/* 0 is "to the end", and what the largest offset means. */
		.l_len = lock->end == INT64_MAX ? 0 : (off_t)(lock->end - lock->start + 1),
	};
	int r;

	if (lock->kind == SUPERDEV_FS_L_FLOCK)
		r = flock(holder->fd, operations[lock->type] | LOCK_NB);
	else
		r = fcntl(holder->fd, lock->what == SUPERDEV_FS_L_TEST ? F_OFD_GETLK : F_OFD_SETLK, &range);
	if (r < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	if (lock->kind == SUPERDEV_FS_L_FLOCK || lock->what != SUPERDEV_FS_L_TEST)
		return 0;
	lock->type = range.l_type == F_UNLCK   ? SUPERDEV_FS_L_UNLOCK
		     : range.l_type == F_WRLCK ? SUPERDEV_FS_L_WRITE
					       : SUPERDEV_FS_L_READ;
	if (range.l_type == F_UNLCK)
		return 0;
	lock->start = (uint64_t)range.l_start;
	lock->end = range.l_len ? (uint64_t)(range.l_start + range.l_len - 1) : INT64_MAX;
	lock->pid = range.l_pid > 0 ? (uint32_t)range.l_pid : 0;
	return 0;
}

static int waiter_add(struct sdv_locks *locks, struct holder *holder, const struct sdv_work *work,
		      const struct sdv_fs_lock *lock)
{
	struct waiter *waiter;

	if (locks->nr_waiters == WAITERS_MAX)
		return -ENOLCK;
	waiter = malloc(sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){ locks->waiters, holder, work->request, *lock };
	locks->waiters = waiter;
	locks->nr_waiters++;
	pthread_cond_signal(&locks->has_waiter);
	return 0;
}

/* Takes a waiter off the list and answers it. */
static void waiter_end(struct sdv_locks *locks, struct waiter **at, int error)
{
	struct waiter *waiter = *at;
	uint8_t reply[sizeof(struct superdev_fs_lock)];

	*at = waiter->next;
	locks->nr_waiters--;
	sdv_fs_lock_store(reply, &waiter->lock);
	sdv_serve_reply(locks->serve, &waiter->request, error, 0, reply, error ? 0 : sizeof(reply));
	free(waiter);
}

static bool is_cancelled(const struct sdv_locks *locks, uint32_t tag)
{
	for (unsigned int i = 0; i < CANCELS; i++)
		if (tag && locks->cancels[i] == tag)
			return true;
	return false;
}

static int lock_run(struct sdv_work *work, struct sdv_node *node, struct sdv_fs_lock *lock)
{
	struct sdv_locks *locks = work->serve->locks;
	struct holder *holder = holder_find(locks, node, lock->owner, lock->kind);
	bool is_new = !holder;
	int r = 0;

	if (!holder && lock->type == SUPERDEV_FS_L_UNLOCK)
		return 0;
	if (!holder)
		r = holder_add(locks, node, lock, &holder);
	if (r)
		return r;
	r = lock_try(holder, lock);
	if (r == -EAGAIN && lock->what == SUPERDEV_FS_L_WAIT && is_cancelled(locks, work->request.tag))
		r = -EINTR;
	if (r == -EAGAIN && lock->what == SUPERDEV_FS_L_WAIT) {
		r = waiter_add(locks, holder, work, lock);
		work->is_kept = !r;
		if (!r)
			return 0;
	}
	if (lock->type == SUPERDEV_FS_L_UNLOCK && lock->what != SUPERDEV_FS_L_TEST) {
		bool is_all = lock->kind == SUPERDEV_FS_L_FLOCK || (!lock->start && lock->end == INT64_MAX);

		if (is_all)
			holder_drop(locks, holder);
		pthread_cond_signal(&locks->has_waiter);
	} else if (is_new && (r || lock->what == SUPERDEV_FS_L_TEST)) {
		holder_drop(locks, holder);
	}
	return r;
}

/* Each takes the lock itself, from here on. */

int sdv_do_lock(struct sdv_work *work)
{
	struct sdv_locks *locks = work->serve->locks;
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);
	struct sdv_fs_lock lock;
	int r = sdv_fs_lock_load(work->request.data, &lock);

	if (!node)
		return -ESTALE;
	if (!r) {
		pthread_mutex_lock(&locks->lock);
		r = lock_run(work, node, &lock);
		pthread_mutex_unlock(&locks->lock);
	}
	sdv_node_put(work->serve, node);
	if (!r) {
		sdv_fs_lock_store(work->out, &lock);
		work->out_len = sizeof(struct superdev_fs_lock);
	}
	return r;
}

int sdv_do_unlock(struct sdv_work *work)
{
	struct sdv_locks *locks = work->serve->locks;
	struct sdv_node *node = sdv_node_get(work->serve, work->request.node);
	struct holder *holder;

	if (!node)
		return -ESTALE;
	pthread_mutex_lock(&locks->lock);
	holder = holder_find(locks, node, work->request.arg, SUPERDEV_FS_L_POSIX);
	if (holder)
		holder_drop(locks, holder);
	pthread_mutex_unlock(&locks->lock);
	sdv_node_put(work->serve, node);
	return 0;
}

int sdv_do_cancel(struct sdv_work *work)
{
	struct sdv_locks *locks = work->serve->locks;
	uint32_t tag = (uint32_t)work->request.arg;
	struct waiter **at;

	pthread_mutex_lock(&locks->lock);
	for (at = &locks->waiters; *at && (*at)->request.tag != tag; at = &(*at)->next)
		;
	if (*at)
		waiter_end(locks, at, -EINTR);
	else
		locks->cancels[locks->next_cancel++ % CANCELS] = tag;
	pthread_mutex_unlock(&locks->lock);
	return 0;
}

void sdv_locks_run(struct sdv_locks *locks)
{
	struct timespec until;

	pthread_mutex_lock(&locks->lock);
	while (!sdv_link_is_over(&locks->serve->link)) {
		if (!locks->waiters) {
			pthread_cond_wait(&locks->has_waiter, &locks->lock);
			continue;
		}
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += RETRY_MS * 1000000L;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&locks->has_waiter, &locks->lock, &until);
		for (struct waiter **at = &locks->waiters; *at;) {
			int r = lock_try((*at)->holder, &(*at)->lock);

			if (r == -EAGAIN)
				at = &(*at)->next;
			else
				waiter_end(locks, at, r);
		}
	}
	pthread_mutex_unlock(&locks->lock);
}
