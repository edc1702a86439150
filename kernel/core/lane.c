// SPDX-License-Identifier: GPL-2.0-only
/*
 * lane.c: lanes, from the socket that the agent hands over to their end.
 *
 * netlink.c opens and closes them, class drivers take and release them, and
 * lane-io.c moves the frames.
 *
 * Life of a lane: sdv_lane_open() publishes it in sdev->lanes; whoever first
 * finds a reason ends it with sdv_lane_kill(), from any context; then
 * lane_down_work() alone takes it apart, once.
 */
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/tcp.h>
#include <net/tls.h>
#include "compat.h"
#include "lane-io.h"

/* A dead peer is noticed after 11 s when idle, 12 s with data on the way. */
#define KEEP_IDLE_S		5
#define KEEP_INTERVAL_S		2
#define KEEP_COUNT		3
#define USER_TIMEOUT_MS		12000

static struct kmem_cache *lane_cache;
static struct workqueue_struct *down_wq;

/*
 * The sockets were made by a process and may be locked there around allocations
 * that enter reclaim; ours are locked by reclaim.  They are not the same locks.
 */
static struct lock_class_key lane_sk_key[2], lane_slock_key[2], lane_tx_key;

/* Callbacks of the socket ---------------------------------------------------- */

static void lane_data_ready(struct sock *sk)
{
	struct sdv_lane *lane;

	read_lock_bh(&sk->sk_callback_lock);
	lane = sk->sk_user_data;
	if (lane)
		sdv_lane_io_wake(lane);
	read_unlock_bh(&sk->sk_callback_lock);
}

static void lane_write_space(struct sock *sk)
{
	struct sdv_lane *lane;

	read_lock_bh(&sk->sk_callback_lock);
	lane = sk->sk_user_data;
	if (lane) {
		/* Kernel TLS sends records that are closed and wait. */
		lane->saved.write_space(sk);
		if (sk_stream_is_writeable(sk))
			sdv_lane_io_wake(lane);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

/* The work finds out what happened, after the data that came before it. */
static void lane_state_change(struct sock *sk)
{
	struct sdv_lane *lane;

	read_lock_bh(&sk->sk_callback_lock);
	lane = sk->sk_user_data;
	if (lane) {
		lane->saved.state_change(sk);
		sdv_lane_io_wake(lane);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static void lane_error_report(struct sock *sk)
{
	struct sdv_lane *lane;

	read_lock_bh(&sk->sk_callback_lock);
	lane = sk->sk_user_data;
	if (lane) {
		lane->saved.error_report(sk);
		sdv_lane_io_wake(lane);
	}
	read_unlock_bh(&sk->sk_callback_lock);
}

static int lane_hook(struct sdv_lane *lane, struct netlink_ext_ack *extack)
{
	struct sock *sk = lane->sock->sk;
	int error = 0;

	write_lock_bh(&sk->sk_callback_lock);
	if (sk->sk_user_data) {
		NL_SET_ERR_MSG(extack, "socket is already used by the kernel");
		error = -EBUSY;
	} else {
		lane->saved.data_ready = sk->sk_data_ready;
		lane->saved.write_space = sk->sk_write_space;
		lane->saved.state_change = sk->sk_state_change;
		lane->saved.error_report = sk->sk_error_report;
		sk->sk_user_data = lane;
		sk->sk_data_ready = lane_data_ready;
		sk->sk_write_space = lane_write_space;
		sk->sk_state_change = lane_state_change;
		sk->sk_error_report = lane_error_report;
	}
	write_unlock_bh(&sk->sk_callback_lock);
	return error;
}

static void lane_unhook(struct sdv_lane *lane)
{
	struct sock *sk = lane->sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_data_ready = lane->saved.data_ready;
	sk->sk_write_space = lane->saved.write_space;
	sk->sk_state_change = lane->saved.state_change;
	sk->sk_error_report = lane->saved.error_report;
	sk->sk_user_data = NULL;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* Life ----------------------------------------------------------------------- */

void sdv_lane_kill(struct sdv_lane *lane, int reason)
{
	if (test_and_set_bit(LANE_DEAD, &lane->flags))
		return;
	lane->reason = reason;
	queue_work(down_wq, &lane->down_work);
}
EXPORT_SYMBOL_GPL(sdv_lane_kill);

static void lane_free(struct rcu_head *rcu)
{
	kmem_cache_free(lane_cache, container_of(rcu, struct sdv_lane, rcu));
}

void sdv_lane_put(struct sdv_lane *lane)
{
	if (!refcount_dec_and_test(&lane->refs))
		return;
	put_device(&lane->sdev->dev);
	call_rcu(&lane->rcu, lane_free);
}
EXPORT_SYMBOL_GPL(sdv_lane_put);

/*
 * Takes a dead lane apart.  Who may still be inside: callbacks of the socket,
 * which hold sk_callback_lock; submitters in sdv_lane_send(), which are RCU
 * readers, and in sdv_lane_push(), which hold send_mutex and don't block, for
 * the socket is aborted; io_work, which is cancelled.
 */
static void lane_down_work(struct work_struct *work)
{
	struct sdv_lane *lane = container_of(work, struct sdv_lane, down_work);
	struct sdv_device *sdev = lane->sdev;
	struct sock *sk = lane->sock->sk;

	lane_unhook(lane);
	/*
	 * With a reset, whoever else holds the descriptor: nothing that is
	 * queued here may reach the lender after its request was sent again.
	 */
	tcp_abort(sk, ECONNABORTED);
	synchronize_rcu_expedited();
	sdv_lane_io_end(lane);

	mutex_lock(&sdev->lane_mutex);
	rcu_assign_pointer(sdev->lanes[lane->index], NULL);
	WRITE_ONCE(sdev->nr_lanes, sdev->nr_lanes - 1);
	sdv_device_lane_down(sdev, lane);
	mutex_unlock(&sdev->lane_mutex);

	if (lane->reason)
		dev_info(&sdev->dev, "lane %u to '%s' is down (%pe)\n", lane->index,
			 sdev->peer, ERR_PTR(lane->reason));
	sdv_lease_lane_changed(sdev, lane->index, false, lane->reason);

	lock_sock(sk);
	sk_clear_memalloc(sk);
	release_sock(sk);
	sockfd_put(lane->sock);
	complete_all(&lane->is_down);
	sdv_lane_put(lane);
}

static struct sdv_lane *lane_tryget(struct sdv_device *sdev, unsigned int index)
{
	struct sdv_lane *lane = rcu_dereference(sdev->lanes[index]);

	if (!lane || lane_is_dead(lane) || !refcount_inc_not_zero(&lane->refs))
		return NULL;
	return lane;
}

struct sdv_lane *sdv_lane_get(struct sdv_device *sdev, unsigned int hint)
{
	unsigned int nr = READ_ONCE(sdev->nr_lanes);
	struct sdv_lane *lane = NULL;
	unsigned int i;

	rcu_read_lock();
	if (hint < SUPERDEV_MAX_LANES)
		lane = lane_tryget(sdev, hint);
	/* More queues than lanes: spread them over those that are up. */
	for (i = 0; !lane && nr && i < SUPERDEV_MAX_LANES; i++)
		lane = lane_tryget(sdev, (hint % nr + i) % SUPERDEV_MAX_LANES);
	rcu_read_unlock();
	return lane;
}
EXPORT_SYMBOL_GPL(sdv_lane_get);

unsigned int sdv_lane_index(const struct sdv_lane *lane)
{
	return lane->index;
}
EXPORT_SYMBOL_GPL(sdv_lane_index);

int sdv_lane_cpu(const struct sdv_lane *lane)
{
	return lane->cpu;
}
EXPORT_SYMBOL_GPL(sdv_lane_cpu);

static int check_tls(struct sock *sk, struct netlink_ext_ack *extack)
{
	const struct tcp_ulp_ops *ulp = inet_csk(sk)->icsk_ulp_ops;
	struct tls_context *ctx;

	if (!ulp || strcmp(ulp->name, "tls")) {
		NL_SET_ERR_MSG(extack, "kernel TLS is not set on the socket");
		return -EINVAL;
	}
	ctx = tls_get_ctx(sk);
	if (ctx->tx_conf != TLS_SW || ctx->rx_conf != TLS_SW) {
		NL_SET_ERR_MSG(extack, "kernel TLS is not armed in both directions");
		return -EINVAL;
	}
	if (ctx->prot_info.version != TLS_1_3_VERSION) {
		NL_SET_ERR_MSG(extack, "kernel TLS is not of version 1.3");
		return -EINVAL;
	}
	lockdep_set_class(&ctx->tx_lock, &lane_tx_key);
	return 0;
}

static int check_clear(struct sock *sk, struct netlink_ext_ack *extack)
{
	if (inet_csk(sk)->icsk_ulp_ops) {
		NL_SET_ERR_MSG(extack, "socket of a clear lane has an upper layer protocol");
		return -EINVAL;
	}
	return 0;
}

/* Is it a socket that a lane may take over?  And prepares it. */
static int check_socket(struct sock *sk, struct net *net, u32 transport,
			struct netlink_ext_ack *extack)
{
	int error;

	if (!net_eq(sock_net(sk), net)) {
		NL_SET_ERR_MSG(extack, "socket is of another network namespace");
		return -EINVAL;
	}
	if (!sk_is_tcp(sk)) {
		NL_SET_ERR_MSG(extack, "socket is not TCP");
		return -ESOCKTNOSUPPORT;
	}
	lock_sock(sk);
	if (sk->sk_state != TCP_ESTABLISHED) {
		NL_SET_ERR_MSG(extack, "socket is not connected");
		error = -ENOTCONN;
	} else if (transport == SUPERDEV_TRANSPORT_TLS) {
		error = check_tls(sk, extack);
	} else {
		error = check_clear(sk, extack);
	}
	release_sock(sk);
	return error;
}

/* Reliable under memory pressure, prompt, and soon aware of a dead peer. */
static void tune_socket(struct sock *sk)
{
	int family = sk->sk_family == AF_INET6;

	tcp_sock_set_nodelay(sk);
	sock_set_keepalive(sk);
	tcp_sock_set_keepidle(sk, KEEP_IDLE_S);
	tcp_sock_set_keepintvl(sk, KEEP_INTERVAL_S);
	tcp_sock_set_keepcnt(sk, KEEP_COUNT);
	tcp_sock_set_user_timeout(sk, USER_TIMEOUT_MS);
	sock_no_linger(sk);

	lock_sock(sk);
	sk->sk_allocation = GFP_NOIO;
	sk->sk_use_task_frag = false;
	sk_set_memalloc(sk);
	release_sock(sk);
	lockdep_set_class_and_name(&sk->sk_lock.slock, &lane_slock_key[family],
				   "slock-superdev");
	lockdep_set_class_and_name(&sk->sk_lock, &lane_sk_key[family], "sk_lock-superdev");
}

static struct sdv_lane *lane_alloc(struct sdv_device *sdev, struct socket *sock,
				   u32 index, u32 epoch, u32 transport)
{
	struct sdv_lane *lane = kmem_cache_zalloc(lane_cache, GFP_KERNEL);

	if (!lane)
		return NULL;
	get_device(&sdev->dev);
	lane->sdev = sdev;
	lane->sock = sock;
	lane->index = index;
	lane->transport = transport;
	lane->expect.epoch = epoch;
	lane->expect.needs_csum = transport == SUPERDEV_TRANSPORT_CLEAR;
	lane->cpu = cpumask_local_spread(index, NUMA_NO_NODE);
	refcount_set(&lane->refs, 1);
	init_completion(&lane->is_down);
	INIT_WORK(&lane->down_work, lane_down_work);
	sdv_lane_io_init(lane);
	return lane;
}

/* Makes @lane one of the device's, or says why not. */
static int lane_publish(struct sdv_lane *lane, struct netlink_ext_ack *extack)
{
	struct sdv_device *sdev = lane->sdev;
	int error;

	lockdep_assert_held(&sdev->lane_mutex);
	if (sdev->is_dead) {
		NL_SET_ERR_MSG(extack, "the lease is being given back");
		return -ENODEV;
	}
	if (lane->expect.epoch != sdev->epoch) {
		NL_SET_ERR_MSG(extack, "the lease is at another epoch");
		return -ESTALE;
	}
	if (rcu_access_pointer(sdev->lanes[lane->index])) {
		NL_SET_ERR_MSG(extack, "a lane of this index is open");
		return -EEXIST;
	}
	error = lane_hook(lane, extack);
	if (error)
		return error;
	lane->expect.lease = sdev->number;
	tune_socket(lane->sock->sk);
	rcu_assign_pointer(sdev->lanes[lane->index], lane);
	WRITE_ONCE(sdev->nr_lanes, sdev->nr_lanes + 1);
	sdv_device_lane_up(sdev, lane);
	/* What arrived before the callbacks were hooked wakes nobody. */
	sdv_lane_io_wake(lane);
	return 0;
}

int sdv_lane_open(struct sdv_device *sdev, struct net *net, unsigned int fd,
		  u32 index, u32 epoch, u32 transport, struct netlink_ext_ack *extack)
{
	struct sdv_lane *lane;
	struct socket *sock;
	int error;

	if (index >= SUPERDEV_MAX_LANES) {
		NL_SET_ERR_MSG(extack, "index of a lane is too high");
		return -ERANGE;
	}
	if (transport != SUPERDEV_TRANSPORT_TLS && transport != SUPERDEV_TRANSPORT_CLEAR) {
		NL_SET_ERR_MSG(extack, "unknown transport");
		return -EINVAL;
	}
	sock = sockfd_lookup(fd, &error);
	if (!sock) {
		NL_SET_ERR_MSG(extack, "fd is not a socket");
		return error;
	}
	error = check_socket(sock->sk, net, transport, extack);
	if (error)
		goto err_put_sock;
	lane = lane_alloc(sdev, sock, index, epoch, transport);
	if (!lane) {
		error = -ENOMEM;
		goto err_put_sock;
	}

	mutex_lock(&sdev->lane_mutex);
	error = lane_publish(lane, extack);
	mutex_unlock(&sdev->lane_mutex);
	if (error)
		goto err_put_lane;
	sdv_lease_lane_changed(sdev, index, true, 0);
	return 0;

err_put_lane:
	sdv_lane_put(lane);
err_put_sock:
	sockfd_put(sock);
	return error;
}

int sdv_lane_close(struct sdv_device *sdev, u32 index)
{
	u32 first = index < SUPERDEV_MAX_LANES ? index : 0;
	u32 last = index < SUPERDEV_MAX_LANES ? index : SUPERDEV_MAX_LANES - 1;
	struct sdv_lane *closing[SUPERDEV_MAX_LANES];
	unsigned int n = 0;
	u32 i;

	might_sleep();
	lockdep_assert_not_held(&sdev->lane_mutex);
	rcu_read_lock();
	for (i = first; i <= last; i++) {
		struct sdv_lane *lane = rcu_dereference(sdev->lanes[i]);

		/* Also one that is dying: its end is waited for as well. */
		if (lane && refcount_inc_not_zero(&lane->refs))
			closing[n++] = lane;
	}
	rcu_read_unlock();
	for (i = 0; i < n; i++)
		sdv_lane_kill(closing[i], 0);
	for (i = 0; i < n; i++) {
		wait_for_completion(&closing[i]->is_down);
		sdv_lane_put(closing[i]);
	}
	return n ? 0 : -ENOENT;
}

void sdv_lane_get_stats(struct sdv_lane *lane, struct sdv_lane_stats *ret_stats)
{
	*ret_stats = (struct sdv_lane_stats) {
		.index = lane->index,
		.epoch = lane->expect.epoch,
		.transport = lane->transport,
		.tx_bytes = READ_ONCE(lane->tx_bytes),
		.rx_bytes = READ_ONCE(lane->rx_bytes),
		.tx_frames = READ_ONCE(lane->tx_frames),
		.rx_frames = READ_ONCE(lane->rx_frames),
	};
}

int sdv_lane_init(void)
{
	lane_cache = KMEM_CACHE(sdv_lane, 0);
	if (!lane_cache)
		return -ENOMEM;
	down_wq = alloc_workqueue("superdev_down", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!down_wq)
		goto err_destroy_cache;
	if (sdv_lane_io_start())
		goto err_destroy_wq;
	return 0;

err_destroy_wq:
	destroy_workqueue(down_wq);
err_destroy_cache:
	kmem_cache_destroy(lane_cache);
	return -ENOMEM;
}

/* All devices are gone, and with them all lanes; their memory may still wait. */
void sdv_lane_exit(void)
{
	destroy_workqueue(down_wq);
	sdv_lane_io_stop();
	rcu_barrier();
	kmem_cache_destroy(lane_cache);
}
