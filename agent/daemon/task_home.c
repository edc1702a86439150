// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_home.c: connections for programs of this machine that run at lenders.
 *
 * One pool for each lease and user (with the same groups: two processes of one
 * user may differ in them): a connection of files, served by a process that has
 * the user's rights, and some spare connections of tasks, each with its guest's
 * host waiting at the lender.  So that a start costs no handshake, there are
 * always a few; they go when nobody starts anything for a while.
 *
 * A pool is for one epoch and one transport.  When these change, or its files
 * end, it is retired: programs that run go on, and what is started next gets a
 * new one.
 */
#include "task_home.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "lease_home.h"
#include "peer.h"
#include "spawn.h"

#define SPARES_MIN  4
#define SPARES_MAX  16
#define DIALING_MAX 8 /* at once to one lender, which allows 16 that are not finished */
#define POOLS_MAX   64
#define IDLE_MS     30000
#define PATHS_MAX   64 /* of superdev-homefs */
/*
 * A handshake takes processor time at both ends, and just now these have a program to
 * start: as long as there are some, it waits.
 */
#define REFILL_MS   250
#define USER_MAX    65535 /* what a guest's namespace has */

/**
 * struct pool - of one user and lease
 * @id:		this machine's number of the lease; @number, @epoch the lender's
 * @transport:	what both ends together wanted when it was made
 * @files:	the connection of files, while it is being made
 * @serve:	pidfd of the process that has it then, or -1
 * @target:	how many spares to have
 * @waiting:	struct task_client
 * @is_retired:	is only there for its process
 */
struct pool {
	struct list node; /* daemon.pools */
	struct daemon *d;
	uint32_t id, epoch;
	uint64_t number, session;
	enum superdev_transport transport;
	char peer[SDV_NAME_SIZE], offer[SDV_NAME_SIZE];
	struct task_user user;
	struct conn *files;
	int serve;
	bool is_retired;
	struct sdv_op serve_poll;
	struct list spares;
	unsigned int nr_spares, nr_dialing, target;
	struct list waiting;
	struct timer idle, refill;
};

/**
 * struct spare - a connection of a task
 * @conn:	while it is being made
 * @fd:		then, armed
 */
struct spare {
	struct list node; /* pool.spares */
	struct pool *pool;
	struct conn *conn;
	int fd;
	bool is_clear;
};

static void pools_fill(struct daemon *d, const char *peer);

/* Which lease ------------------------------------------------------------ */

static bool is_current(const struct pool *pool, const struct held *held, const struct peer *peer)
{
	return held && peer && peer->out && held->phase == HELD_UP && held->info.number == pool->number &&
	       held->info.epoch == pool->epoch && peer_transport(peer) == pool->transport;
}

/* NULL: there is no way to that lender now, and @ret_why says why. */
static struct held *held_for_tasks(struct daemon *d, uint32_t id, struct peer **ret_peer, char *ret_why,
				   size_t size)
{
	struct held *held = held_by_id(d, id);

	if (!held || strcmp(held->info.class_name, "cpu") != 0) {
		snprintf(ret_why, size,
			 held ? "lease %u is of class '%s', which runs no programs" : "no lease %u is held",
			 id, held ? held->info.class_name : "");
		return NULL;
	}
	*ret_peer = peer_by_name(d, held->info.peer);
	if (held->phase != HELD_UP || !*ret_peer || !(*ret_peer)->out) {
		snprintf(ret_why, size, "lease %s/%s is not up: %s", held->info.peer, held->info.offer,
			 *ret_peer && !(*ret_peer)->out ? "its lender cannot be reached"
							: "it is not agreed on now");
		return NULL;
	}
	return held;
}

/* Every program that is started may be a cause: the same once more is not worth a line. */
static void log_failure(const struct pool *pool, struct held *held, const char *what, const char *why)
{
	if (held && !strcmp(held->task_error, why))
		return;
	if (held)
		snprintf(held->task_error, sizeof(held->task_error), "%s", why);
	sdv_log(SDV_LOG_NOTICE, "lease %s/%s: a connection for %s: %s", pool->peer, pool->offer, what, why);
}

/* Ends ------------------------------------------------------------------- */

static void pool_try_free(struct pool *pool)
{
	if (!pool->is_retired || pool->serve >= 0 || pool->serve_poll.is_active)
		return;
	list_del(&pool->node);
	free(pool);
}

static void spare_free(struct spare *spare)
{
	if (spare->conn) {
		spare->pool->nr_dialing--;
		conn_close(spare->conn);
	} else {
		spare->pool->nr_spares--;
		close(spare->fd);
	}
	list_del(&spare->node);
	free(spare);
}

static void spares_drop(struct pool *pool)
{
	list_for_each_safe(spare, &pool->spares, struct spare, node)
		spare_free(spare);
	pool->target = 0;
}

static void waiting_refuse(struct pool *pool, int error, const char *why)
{
	while (!list_is_empty(&pool->waiting))
		task_client_refuse(list_entry(pool->waiting.next, struct task_client, node), error, why);
}

/* The caller does not use it afterwards. */
static void pool_retire(struct pool *pool, int error, const char *why)
{
	if (pool->is_retired)
		return;
	pool->is_retired = true;
	timer_stop(&pool->idle);
	timer_stop(&pool->refill);
	spares_drop(pool);
	if (pool->files)
		conn_close(pool->files);
	pool->files = NULL;
	waiting_refuse(pool, error, why);
	/* Its process ends when the lender has no more use for files, and says so by closing. */
	pool_try_free(pool);
}

static void serve_ended(struct sdv_op *op, int result, bool more)
{
	struct pool *pool = container_of(op, struct pool, serve_poll);

	(void)result;
	(void)more;
	close(pool->serve);
	pool->serve = -1;
	if (pool->is_retired)
		pool_try_free(pool);
	else
		pool_retire(pool, -ECONNRESET, "the lender has closed the connection of files");
}

static void idle_due(struct timer *timer)
{
	struct pool *pool = container_of(timer, struct pool, idle);

	if (!list_is_empty(&pool->waiting)) {
		timer_start(&pool->idle, IDLE_MS);
		return;
	}
	spares_drop(pool);
}

/* Spares ----------------------------------------------------------------- */

static bool is_alive(const struct spare *spare)
{
	char byte;
	ssize_t n = recv(spare->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	/* The lender says nothing before it is asked. */
	return n < 0 && errno == EAGAIN;
}

/* Hands out what there is to who waits. */
static void pool_serve(struct pool *pool)
{
	list_for_each_safe(spare, &pool->spares, struct spare, node) {
		struct task_client *client;

		if (spare->conn)
			continue;
		if (list_is_empty(&pool->waiting))
			break;
		if (is_alive(spare)) {
			client = list_entry(pool->waiting.next, struct task_client, node);
			task_client_give(client, spare->fd, pool->number, pool->epoch, spare->is_clear);
		}
		spare_free(spare);
	}
}

static void spare_open(struct conn *conn)
{
	struct spare *spare = conn->owner;
	struct pool *pool = spare->pool;
	struct held *held = held_by_id(pool->d, pool->id);

	spare->is_clear = conn->transport == SUPERDEV_TRANSPORT_CLEAR;
	spare->conn = NULL;
	spare->fd = conn_take_fd(conn);
	pool->nr_dialing--;
	pool->nr_spares++;
	if (held)
		held->task_error[0] = '\0';
	pool_serve(pool);
	pools_fill(pool->d, pool->peer);
}

static void spare_closed(struct conn *conn, int error, const char *why)
{
	struct spare *spare = conn->owner;
	struct pool *pool = spare->pool;
	struct held *held = held_by_id(pool->d, pool->id);

	spare->conn = NULL;
	pool->nr_dialing--;
	list_del(&spare->node);
	free(spare);
	log_failure(pool, held, "a program", why);
	/* Files that the lender does not know any more are made anew for who comes next. */
	if (error == -ENOENT || error == -ESTALE)
		pool_retire(pool, error, why);
	else
		waiting_refuse(pool, error, why);
	if (error == -ESTALE && held)
		held_is_stale(held);
}

static const struct conn_ops spare_ops = {
	.open = spare_open,
	.closed = spare_closed,
};

static int pool_connect(struct pool *pool, unsigned int purpose, const struct conn_ops *ops, void *owner,
			struct conn **ret_conn)
{
	struct peer *peer = peer_by_name(pool->d, pool->peer);
	struct hello hello = {
		.purpose = purpose,
		.lease = pool->number,
		.epoch = pool->epoch,
		.has_user = true,
		.user = pool->user.uid,
		.session = pool->session,
	};
	const struct sockaddr *addr;
	socklen_t len;

	if (!peer || !peer_sockaddr(peer, &addr, &len))
		return -EHOSTUNREACH;
	hello.transport = peer->info.transport;
	return conn_connect(pool->d, addr, len, peer->info.key, &hello, ops, owner, ret_conn);
}

static int spare_make(struct pool *pool)
{
	struct spare *spare = calloc(1, sizeof(*spare));
	int r;

	if (!spare)
		return -ENOMEM;
	spare->pool = pool;
	spare->fd = -1;
	r = pool_connect(pool, SUPERDEV_PURPOSE_TASK, &spare_ops, spare, &spare->conn);
	if (r < 0) {
		free(spare);
		return r;
	}
	list_add_tail(&pool->spares, &spare->node);
	pool->nr_dialing++;
	return 0;
}

static unsigned int count_dialing(struct daemon *d, const char *peer)
{
	unsigned int count = 0;

	list_for_each(pool, &d->pools, struct pool, node)
		if (!strcmp(pool->peer, peer))
			count += pool->nr_dialing;
	return count;
}

static unsigned int count_waiting(const struct pool *pool)
{
	unsigned int count = 0;

	list_for_each(client, &pool->waiting, struct task_client, node)
		count++;
	return count;
}

/* As many as wait and are wanted as a stock. */
static void pool_fill(struct pool *pool)
{
	unsigned int wanted = pool->target + count_waiting(pool);
	int r = 0;

	/* Only when its files are there can a task name them. */
	if (pool->serve < 0 || pool->is_retired)
		return;
	while (!r && pool->nr_spares + pool->nr_dialing < wanted &&
	       count_dialing(pool->d, pool->peer) < DIALING_MAX)
		r = spare_make(pool);
	if (r < 0 && !pool->nr_dialing)
		waiting_refuse(pool, r, strerror(-r));
}

/* One pool's connection is made: another pool may have waited for that. */
static void pools_fill(struct daemon *d, const char *peer)
{
	list_for_each_safe(pool, &d->pools, struct pool, node)
		if (!strcmp(pool->peer, peer) && !timer_is_armed(&pool->refill))
			pool_fill(pool);
}

static void refill_due(struct timer *timer)
{
	pool_fill(container_of(timer, struct pool, refill));
}

/* Files ------------------------------------------------------------------ */

static int serve_spawn(struct pool *pool, const struct held *held, int fd)
{
	char program[300], fd_text[8], paths[SDV_PATHS_SIZE + 32], *rest = paths, *path;
	char *argv[4 + 2 * PATHS_MAX + 1] = { program, "serve", "--fd", fd_text };
	const char *worker = pool->d->conf.worker, *slash = strrchr(worker, '/');
	const int fds[] = { fd };
	const struct spawn what = {
		.argv = argv,
		.fds = fds,
		.nr_fds = 1,
		.cgroup = -1,
		.user = &pool->user,
	};

	unsigned int n = 4;

	/* A guest's own /proc and /dev are mounted on home's, of which this shows no more than that they are. */
	snprintf(paths, sizeof(paths), "%s%s", held->info.paths,
		 held->info.paths[0] ? ":/proc:/dev/null" : "");
	while (paths[0] && (path = strsep(&rest, ":"))) {
		/* Less than what was meant would be shown, and never more. */
		if (n + 2 >= sizeof(argv) / sizeof(*argv))
			return -E2BIG;
		argv[n++] = "--path";
		argv[n++] = path;
	}
	snprintf(program, sizeof(program), "%.*s/superdev-homefs", slash ? (int)(slash - worker) : 0, worker);
	snprintf(fd_text, sizeof(fd_text), "%d", SPAWN_FD_FIRST);
	return spawn(&what, &pool->serve, NULL);
}

static void files_open(struct conn *conn)
{
	struct pool *pool = conn->owner;
	struct held *held = held_by_id(pool->d, pool->id);
	int fd, flags, r;

	pool->files = NULL;
	fd = conn_take_fd(conn);
	flags = fcntl(fd, F_GETFL);
	r = flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
	if (!r)
		r = held ? serve_spawn(pool, held, fd) : -ENOENT;
	close(fd);
	if (!r) {
		r = sdv_op_poll(pool->d->loop, &pool->serve_poll, pool->serve, POLLIN, false);
		if (r < 0) {
			spawn_signal(pool->serve, SIGKILL);
			close(pool->serve);
			pool->serve = -1;
		}
	}
	if (r < 0) {
		sdv_log(SDV_LOG_ERR, "lease %s/%s: files of user %u cannot be served: %s", pool->peer,
			pool->offer, pool->user.uid, strerror(-r));
		pool_retire(pool, r, "this machine cannot serve its files");
		return;
	}
	sdv_log(SDV_LOG_INFO, "lease %s/%s: files of user %u are served", pool->peer, pool->offer,
		pool->user.uid);
	pool_fill(pool);
}

static void files_closed(struct conn *conn, int error, const char *why)
{
	struct pool *pool = conn->owner;
	struct held *held = held_by_id(pool->d, pool->id);

	pool->files = NULL;
	log_failure(pool, held, "files", why);
	pool_retire(pool, error, why);
	if (error == -ESTALE && held)
		held_is_stale(held);
}

static const struct conn_ops files_ops = {
	.open = files_open,
	.closed = files_closed,
};

/* Asked ------------------------------------------------------------------ */

static bool has_same_rights(const struct task_user *a, const struct task_user *b)
{
	/* Both as the kernel has them: sorted. */
	return a->uid == b->uid && a->gid == b->gid && a->nr_groups == b->nr_groups &&
	       !memcmp(a->groups, b->groups, a->nr_groups * sizeof(gid_t));
}

static struct pool *pool_find(struct daemon *d, uint32_t id, const struct task_user *user)
{
	list_for_each(pool, &d->pools, struct pool, node)
		if (pool->id == id && !pool->is_retired && has_same_rights(&pool->user, user))
			return pool;
	return NULL;
}

static unsigned int count_pools(const struct daemon *d)
{
	unsigned int count = 0;

	list_for_each(pool, &d->pools, struct pool, node)
		count += !pool->is_retired;
	return count;
}

static int pool_new(struct daemon *d, const struct held *held, const struct peer *peer,
		    const struct task_client *client, struct pool **ret_pool)
{
	struct pool *pool;
	int r;

	if (count_pools(d) >= POOLS_MAX)
		return -EUSERS;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->d = d;
	pool->id = held->info.id;
	pool->number = held->info.number;
	pool->epoch = held->info.epoch;
	pool->transport = peer_transport(peer);
	pool->user = client->user;
	pool->serve = -1;
	pool->serve_poll.done = serve_ended;
	snprintf(pool->peer, sizeof(pool->peer), "%s", held->info.peer);
	snprintf(pool->offer, sizeof(pool->offer), "%s", held->info.offer);
	while (!pool->session)
		random_bytes(&pool->session, sizeof(pool->session));
	list_init(&pool->spares);
	list_init(&pool->waiting);
	timer_init(&pool->idle, &d->timers, idle_due);
	timer_init(&pool->refill, &d->timers, refill_due);
	list_add_tail(&d->pools, &pool->node);
	r = pool_connect(pool, SUPERDEV_PURPOSE_FILES, &files_ops, pool, &pool->files);
	if (r < 0) {
		pool_retire(pool, r, strerror(-r));
		return r;
	}
	*ret_pool = pool;
	return 0;
}

void task_want(struct daemon *d, struct task_client *client, uint32_t id)
{
	struct pool *pool = pool_find(d, id, &client->user);
	struct peer *peer = NULL;
	char why[SDV_TEXT_SIZE];
	struct held *held;
	int r = 0;

	held = held_for_tasks(d, id, &peer, why, sizeof(why));
	if (!held) {
		task_client_refuse(client, -ENOENT, why);
		return;
	}
	if (client->user.uid > USER_MAX) {
		snprintf(why, sizeof(why), "user %u is above %u", client->user.uid, USER_MAX);
		task_client_refuse(client, -EOVERFLOW, why);
		return;
	}
	if (pool && !is_current(pool, held, peer)) {
		pool_retire(pool, -ESTALE, "the lease has changed");
		pool = NULL;
	}
	if (!pool)
		r = pool_new(d, held, peer, client, &pool);
	if (r < 0) {
		snprintf(why, sizeof(why), "no connection to '%s': %s", held->info.peer,
			 r == -EUSERS ? "too many users run programs elsewhere" : strerror(-r));
		task_client_refuse(client, r, why);
		return;
	}
	/* Whoever has to wait shows that the stock is too small. */
	if (pool->target < SPARES_MIN)
		pool->target = SPARES_MIN;
	else if (!pool->nr_spares)
		pool->target = pool->target * 2 < SPARES_MAX ? pool->target * 2 : SPARES_MAX;
	timer_start(&pool->idle, IDLE_MS);
	list_add_tail(&pool->waiting, &client->node);
	pool_serve(pool);
	if (list_is_empty(&pool->waiting) && pool->nr_spares > pool->target / 4)
		timer_start(&pool->refill, REFILL_MS);
	else
		pool_fill(pool);
}

void tasks_lease_changed(struct held *held)
{
	struct peer *peer = peer_by_name(held->d, held->info.peer);

	list_for_each_safe(pool, &held->d->pools, struct pool, node)
		if (pool->id == held->info.id && !pool->is_retired && !is_current(pool, held, peer))
			pool_retire(pool, -ESTALE, "the lease has changed");
}

void tasks_paths_changed(struct held *held)
{
	list_for_each_safe(pool, &held->d->pools, struct pool, node)
		if (pool->id == held->info.id)
			pool_retire(pool, -ESTALE, "the lease shows other files now");
}

void tasks_close(struct daemon *d)
{
	list_for_each_safe(pool, &d->pools, struct pool, node) {
		if (pool->serve_poll.is_active)
			sdv_op_cancel(d->loop, &pool->serve_poll);
		pool_retire(pool, -ESHUTDOWN, "the agent ends");
	}
}
