// SPDX-License-Identifier: GPL-2.0-only
/*
 * lane-io.c: frames out to and in from the socket of a lane.
 *
 * Messages are sent by who submits them where nobody else is sending, and by
 * io_work, which also receives: one item per lane, on the lane's CPU.
 */
#include <linux/iov_iter.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/skbuff.h>
#include <net/tcp.h>
#include "compat.h"
#include "lane-io.h"

/* Small frames that go out in one call, and so in one record. */
#define BATCH_FRAMES		16
/* Up to here copying a payload beside its header costs less than a call of its own. */
#define SMALL_PAYLOAD		SZ_8K
/* After so many bytes a sender or receiver looks at the other direction. */
#define SEND_BUDGET		SZ_256K
#define PUSH_BUDGET		SZ_256K
#define RECEIVE_BUDGET		SZ_256K

/*
 * RFC 8446, 5.5: at most 2^24.5 full records under one AES-GCM key.  What that
 * limits is the number of blocks, so bytes are counted rather than records;
 * a record costs the block of its tag and that of its length beside its data.
 * Lanes of one device carry about the same, and must not all end together.
 */
#define KEY_BYTES		BIT_ULL(38)
#define RECORD_COST		32

static unsigned long long lane_key_bytes = KEY_BYTES;
module_param(lane_key_bytes, ullong, 0600);
MODULE_PARM_DESC(lane_key_bytes, "bytes in a direction after which an encrypted lane is replaced");

static struct workqueue_struct *io_wq;

/**
 * sdv_lane_io_wake() - have the lane's work send and receive
 * @lane: the lane, dead or not
 *
 * Context: any.
 */
void sdv_lane_io_wake(struct sdv_lane *lane)
{
	queue_work_on(lane->cpu, io_wq, &lane->io_work);
}

/* A lane that has spent its key dies of it, and the agent makes a fresh one. */
static bool lane_key_is_spent(const struct sdv_lane *lane, u64 bytes)
{
	u64 limit = READ_ONCE(lane_key_bytes);

	return lane_is_tls(lane) && bytes > limit - (limit >> 6) * lane->index;
}

/* Message queues ----------------------------------------------------------- */

static void msg_queue_init(struct msg_queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static void msg_queue_add(struct msg_queue *queue, struct llist_node *node)
{
	node->next = NULL;
	*queue->last = node;
	queue->last = &node->next;
}

static struct sdv_msg *msg_queue_first(const struct msg_queue *queue)
{
	return queue->first ? llist_entry(queue->first, struct sdv_msg, node) : NULL;
}

static struct sdv_msg *msg_queue_take(struct msg_queue *queue)
{
	struct sdv_msg *msg = msg_queue_first(queue);

	if (msg) {
		queue->first = msg->node.next;
		if (!queue->first)
			queue->last = &queue->first;
	}
	return msg;
}

static void lane_take_submitted(struct sdv_lane *lane)
{
	struct llist_node *node, *next;

	if (llist_empty(&lane->submitted))
		return;
	node = llist_reverse_order(llist_del_all(&lane->submitted));
	for (; node; node = next) {
		next = node->next;
		msg_queue_add(&lane->pending, node);
	}
}

/* Sending ------------------------------------------------------------------ */

static size_t csum_step(void *from, size_t progress, size_t len, void *priv, void *priv2)
{
	xxh64_update(priv, from, len);
	return 0;
}

static __le32 msg_csum(const struct sdv_msg *msg)
{
	struct iov_iter payload = msg->payload;
	struct xxh64_state state;

	sdv_frame_csum_begin(&state, &msg->hdr);
	iterate_and_advance_kernel(&payload, iov_iter_count(&payload), &state, NULL, csum_step);
	return sdv_frame_csum(&state);
}

/* Something follows the first pending message, so its record stays open. */
static bool lane_has_more(const struct sdv_lane *lane)
{
	return lane->pending.first->next || !llist_empty(&lane->submitted);
}

static void lane_release_corked(struct sdv_lane *lane)
{
	struct sdv_msg *msg;

	while ((msg = msg_queue_take(&lane->corked)))
		msg->sent(lane, msg, 0);
}

/* The first pending message went out whole. */
static void lane_finish_first(struct sdv_lane *lane)
{
	struct sdv_msg *msg = msg_queue_take(&lane->pending);
	bool is_spliced = lane->is_spliced;

	lane->header_sent = 0;
	lane->is_spliced = false;
	WRITE_ONCE(lane->tx_frames, lane->tx_frames + 1);
	/*
	 * Kernel TLS reads spliced pages when the record is closed, and not
	 * again; plain TCP holds references of its own.
	 */
	if (is_spliced && lane_is_tls(lane))
		msg_queue_add(&lane->corked, &msg->node);
	else
		msg->sent(lane, msg, 0);
}

static int lane_sendmsg(struct sdv_lane *lane, struct msghdr *mh, bool more)
{
	int ret;

	mh->msg_flags |= MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	ret = sock_sendmsg(lane->sock, mh);
	if (ret > 0) {
		WRITE_ONCE(lane->tx_bytes, lane->tx_bytes + ret);
		lane->tx_key_bytes += ret + RECORD_COST;
		return ret;
	}
	switch (ret) {
	case 0:
	case -ENOMEM:
	case -ENOBUFS:
	case -EINTR:
	case -ERESTARTSYS:	/* a submitter with a signal pending */
		return -EAGAIN;
	}
	return ret;
}

/* The payload, where it is small and lies in one place; or NULL. */
static void *small_payload(const struct sdv_msg *msg)
{
	const struct iov_iter *iter = &msg->payload;
	size_t len = iov_iter_count(iter);

	if (!iov_iter_is_bvec(iter) || len > SMALL_PAYLOAD ||
	    len > iter->bvec->bv_len - iter->iov_offset || PageHighMem(iter->bvec->bv_page))
		return NULL;
	return page_address(iter->bvec->bv_page) + iter->bvec->bv_offset + iter->iov_offset;
}

/* @sent bytes of the first pending messages went out, all of them copied. */
static void lane_sent_copies(struct sdv_lane *lane, size_t sent)
{
	struct sdv_msg *msg;
	size_t len;

	while (sent) {
		msg = msg_queue_first(&lane->pending);
		len = min(sent, sizeof(msg->hdr) - lane->header_sent);
		lane->header_sent += len;
		sent -= len;
		len = min(sent, iov_iter_count(&msg->payload));
		iov_iter_advance(&msg->payload, len);
		sent -= len;
		if (lane->header_sent < sizeof(msg->hdr) || iov_iter_count(&msg->payload))
			break;
		lane_finish_first(lane);
	}
}

/*
 * The first pending messages, by copying: headers and small payloads, up to the
 * header of one that has a large one.  Of the first the header is not all out.
 */
static int lane_send_copies(struct sdv_lane *lane)
{
	struct kvec vec[2 * BATCH_FRAMES];
	struct msghdr mh = {};
	struct llist_node *node;
	size_t skip = lane->header_sent;
	size_t len = 0;
	bool more = false;
	unsigned int n = 0;
	int ret;

	for (node = lane->pending.first; node && n < ARRAY_SIZE(vec) - 1; node = node->next) {
		struct sdv_msg *msg = llist_entry(node, struct sdv_msg, node);
		void *payload;

		vec[n].iov_base = (u8 *)&msg->hdr + skip;
		vec[n].iov_len = sizeof(msg->hdr) - skip;
		len += vec[n++].iov_len;
		skip = 0;
		if (!iov_iter_count(&msg->payload))
			continue;
		payload = small_payload(msg);
		if (!payload) {
			more = true;
			break;
		}
		vec[n].iov_base = payload;
		vec[n].iov_len = iov_iter_count(&msg->payload);
		len += vec[n++].iov_len;
	}
	more = more || node || !llist_empty(&lane->submitted);

	iov_iter_kvec(&mh.msg_iter, ITER_SOURCE, vec, n, len);
	ret = lane_sendmsg(lane, &mh, more);
	if (ret < 0)
		return ret;
	lane_sent_copies(lane, ret);
	if (ret == len && !more)
		lane_release_corked(lane);
	return ret;
}

/*
 * How many bytes at the start of a bvec iterator are alike: pages that may be
 * spliced, as @ret_can_splice says, or the first segment where they may not
 * (slab memory, of which block requests may consist).
 */
static size_t payload_run(const struct iov_iter *iter, bool *ret_can_splice)
{
	const struct bio_vec *bvec = iter->bvec;
	size_t left = iov_iter_count(iter);
	size_t skip = iter->iov_offset;
	size_t run = 0;

	*ret_can_splice = true;
	for (; run < left; bvec++, skip = 0) {
		if (!sendpages_ok(bvec->bv_page, bvec->bv_len, bvec->bv_offset)) {
			if (run)
				break;
			*ret_can_splice = false;
			return min(left, bvec->bv_len - skip);
		}
		run += bvec->bv_len - skip;
	}
	return min(run, left);
}

static int lane_send_payload(struct sdv_lane *lane, struct sdv_msg *msg)
{
	size_t left = iov_iter_count(&msg->payload);
	size_t run = left;
	struct msghdr mh = { .msg_iter = msg->payload };
	struct kvec vec;
	bool more;
	int ret;

	if (iov_iter_is_bvec(&msg->payload)) {
		const struct bio_vec *bvec = msg->payload.bvec;
		bool can_splice;

		run = payload_run(&msg->payload, &can_splice);
		if (can_splice) {
			iov_iter_truncate(&mh.msg_iter, run);
			mh.msg_flags = MSG_SPLICE_PAGES;
			lane->is_spliced = true;
		} else {
			vec.iov_base = page_address(bvec->bv_page) + bvec->bv_offset +
				       msg->payload.iov_offset;
			vec.iov_len = run;
			iov_iter_kvec(&mh.msg_iter, ITER_SOURCE, &vec, 1, run);
		}
	}
	more = run < left || lane_has_more(lane);
	ret = lane_sendmsg(lane, &mh, more);
	if (ret < 0)
		return ret;

	/* The socket's copy of the iterator may have gone further than it sent. */
	iov_iter_advance(&msg->payload, ret);
	if (!iov_iter_count(&msg->payload)) {
		lane_finish_first(lane);
		if (!more)
			lane_release_corked(lane);
	}
	return ret;
}

/*
 * Sends until @budget bytes are gone, nothing is left or the socket is full.
 * Return: whether there is something left that can be sent.
 */
static bool lane_send_some(struct sdv_lane *lane, int budget)
{
	unsigned int noio = memalloc_noio_save();
	unsigned int noreclaim = memalloc_noreclaim_save();
	bool is_left = false;
	int ret;

	lockdep_assert_held(&lane->send_mutex);
	while (!lane_is_dead(lane)) {
		struct sdv_msg *msg;

		lane_take_submitted(lane);
		msg = msg_queue_first(&lane->pending);
		if (!msg)
			break;
		if (budget <= 0) {
			is_left = true;
			break;
		}
		if (lane->header_sent < sizeof(msg->hdr))
			ret = lane_send_copies(lane);
		else
			ret = lane_send_payload(lane, msg);
		if (ret == -EAGAIN) {
			/* Not full: memory was short, and nobody will wake us. */
			is_left = sk_stream_is_writeable(lane->sock->sk);
			break;
		}
		if (ret < 0) {
			sdv_lane_kill(lane, ret);
			break;
		}
		budget -= ret;
	}
	if (lane_key_is_spent(lane, lane->tx_key_bytes))
		sdv_lane_kill(lane, -EKEYEXPIRED);
	memalloc_noreclaim_restore(noreclaim);
	memalloc_noio_restore(noio);
	return is_left;
}

/*
 * Sends unless somebody else is at it.  Who queues a message and then fails to
 * get the mutex leaves it to the holder, which is why that looks once more
 * after it let go.
 * Return: whether the work has to go on.
 */
static bool lane_try_send(struct sdv_lane *lane, int budget)
{
	bool is_left;

	if (!mutex_trylock(&lane->send_mutex))
		return false;
	is_left = lane_send_some(lane, budget);
	mutex_unlock(&lane->send_mutex);
	/* Pairs with the barrier of llist_add() in sdv_lane_send(). */
	smp_mb();
	return (is_left || !llist_empty(&lane->submitted)) && !lane_is_dead(lane);
}

int sdv_lane_send(struct sdv_lane *lane, struct sdv_msg *msg, bool more)
{
	const struct sdv_driver *driver = sdv_device_driver(lane->sdev);
	const struct sdv_frame_expect *expect = &lane->expect;
	u16 flags = le16_to_cpu(msg->hdr.flags) & ~SUPERDEV_F_CSUM;

	/* The caller's driver is going, and with it this lane went. */
	if (!driver)
		return -ESHUTDOWN;
	if (expect->needs_csum)
		flags |= SUPERDEV_F_CSUM;
	msg->hdr.magic = cpu_to_le32(SUPERDEV_MAGIC);
	msg->hdr.class = driver->wire_class;
	msg->hdr.flags = cpu_to_le16(flags);
	msg->hdr.status = 0;
	msg->hdr.lease = cpu_to_le64(expect->lease);
	msg->hdr.epoch = cpu_to_le32(expect->epoch);
	msg->hdr.csum = 0;
	msg->hdr.reserved = 0;
	if (expect->needs_csum)
		msg->hdr.csum = msg_csum(msg);

	/* lane_down_work() waits for a grace period before it empties the queue. */
	rcu_read_lock();
	if (lane_is_dead(lane)) {
		rcu_read_unlock();
		return -ESHUTDOWN;
	}
	llist_add(&msg->node, &lane->submitted);
	rcu_read_unlock();
	if (!more)
		sdv_lane_io_wake(lane);
	return 0;
}
EXPORT_SYMBOL_GPL(sdv_lane_send);

void sdv_lane_kick(struct sdv_lane *lane)
{
	sdv_lane_io_wake(lane);
}
EXPORT_SYMBOL_GPL(sdv_lane_kick);

void sdv_lane_push(struct sdv_lane *lane)
{
	might_sleep();
	if (lane_try_send(lane, PUSH_BUDGET))
		sdv_lane_io_wake(lane);
}
EXPORT_SYMBOL_GPL(sdv_lane_push);

/* Receiving ---------------------------------------------------------------- */

static void lane_complain(struct sdv_lane *lane, const char *why)
{
	dev_warn_ratelimited(&lane->sdev->dev, "lane %u: from '%s': %s\n",
			     lane->index, lane->sdev->peer, why);
}

/* The frame is complete.  Return: 0, or what ends the lane. */
static int lane_frame_done(struct sdv_lane *lane)
{
	const struct superdev_frame *hdr = &lane->rx_header;
	int error = 0;

	if (le16_to_cpu(hdr->flags) & SUPERDEV_F_CSUM &&
	    sdv_frame_csum(&lane->rx_csum) != hdr->csum) {
		lane_complain(lane, "checksum of a frame is wrong");
		error = -EBADMSG;
	}
	lane->rx_in_payload = false;
	lane->rx_have = 0;
	WRITE_ONCE(lane->rx_frames, lane->rx_frames + 1);
	lane->rx_ops->done(lane->sdev, lane, hdr, lane->rx_cookie, error);
	return error;
}

/* All of a header arrived.  Return: 0, or what ends the lane. */
static int lane_frame_begin(struct sdv_lane *lane)
{
	const struct sdv_driver *driver = sdv_device_driver(lane->sdev);
	const struct superdev_frame *hdr = &lane->rx_header;
	const char *why = "";
	int error;

	if (!driver) {
		lane_complain(lane, "frame for a device without driver");
		return -EPROTO;
	}
	lane->expect.class = driver->wire_class;
	error = sdv_frame_check(hdr, &lane->expect, &why);
	if (error) {
		lane_complain(lane, why);
		return error;
	}
	if (le16_to_cpu(hdr->flags) & SUPERDEV_F_CSUM)
		sdv_frame_csum_begin(&lane->rx_csum, hdr);

	error = driver->lane_ops->header(lane->sdev, lane, hdr, &lane->rx_payload,
					 &lane->rx_cookie);
	if (error)
		return error;
	lane->rx_ops = driver->lane_ops;
	lane->rx_in_payload = true;
	lane->rx_have = 0;
	return hdr->length ? 0 : lane_frame_done(lane);
}

static void csum_skb(struct xxh64_state *state, struct sk_buff *skb,
		     unsigned int offset, size_t len)
{
	struct skb_seq_state seq;
	unsigned int done = 0;
	unsigned int n;
	const u8 *data;

	skb_prepare_seq_read(skb, offset, offset + len, &seq);
	/* What it returns ends with a fragment, also behind the range. */
	while ((n = skb_seq_read(done, &data, &seq))) {
		n = min_t(size_t, n, len - done);
		xxh64_update(state, data, n);
		done += n;
	}
}

/* Takes what one state wants of @skb.  Return: bytes taken, or an error. */
static int lane_receive_skb(struct sdv_lane *lane, struct sk_buff *skb,
			    unsigned int offset, size_t len)
{
	int error;

	if (!lane->rx_in_payload) {
		len = min(len, sizeof(lane->rx_header) - lane->rx_have);
		error = skb_copy_bits(skb, offset,
				      (u8 *)&lane->rx_header + lane->rx_have, len);
		if (error)
			return error;
		lane->rx_have += len;
		if (lane->rx_have == sizeof(lane->rx_header))
			error = lane_frame_begin(lane);
		return error ? error : len;
	}

	len = min(len, le32_to_cpu(lane->rx_header.length) - lane->rx_have);
	error = skb_copy_datagram_iter(skb, offset, &lane->rx_payload, len);
	if (error)
		return error;
	if (le16_to_cpu(lane->rx_header.flags) & SUPERDEV_F_CSUM)
		csum_skb(&lane->rx_csum, skb, offset, len);
	lane->rx_have += len;
	if (lane->rx_have == le32_to_cpu(lane->rx_header.length))
		error = lane_frame_done(lane);
	return error ? error : len;
}

/*
 * Actor of read_sock.  Consumes all of @skb, a record or what came in one TCP
 * segment: kernel TLS of 6.12 loses the rest of a record that is left over
 * while desc->count is not zero.
 */
static int lane_actor(read_descriptor_t *desc, struct sk_buff *skb,
		      unsigned int offset, size_t len)
{
	struct sdv_lane *lane = desc->arg.data;
	size_t taken = 0;

	while (taken < len) {
		int ret = -ESHUTDOWN;

		if (!lane_is_dead(lane))
			ret = lane_receive_skb(lane, skb, offset + taken, len - taken);
		if (ret < 0) {
			desc->count = 0;
			sdv_lane_kill(lane, ret);
			return ret;
		}
		taken += ret;
	}
	WRITE_ONCE(lane->rx_bytes, lane->rx_bytes + len);
	lane->rx_key_bytes += len + RECORD_COST;
	desc->count = desc->count > len ? desc->count - len : 0;
	return len;
}

/* Return: whether there may be more to receive now. */
static bool lane_receive(struct sdv_lane *lane)
{
	struct sock *sk = lane->sock->sk;
	read_descriptor_t desc = {
		.arg.data = lane,
		.count = RECEIVE_BUDGET,
	};
	int error = 0;
	int ret;

	lock_sock(sk);
	ret = READ_ONCE(lane->sock->ops)->read_sock(sk, &desc, lane_actor);
	/* Bad headers of records show in sk_err only, and stay unread. */
	if (ret <= 0) {
		if (ret < 0 && ret != -EAGAIN)
			error = ret;
		else if (sk->sk_err)
			error = -sk->sk_err;
		else if (sk->sk_shutdown & RCV_SHUTDOWN)
			error = -EPIPE;
	}
	release_sock(sk);

	/* A record that is no data: the other end closes, or wants new keys. */
	if (error == -EINVAL && lane_is_tls(lane))
		error = -ECONNABORTED;
	if (error)
		sdv_lane_kill(lane, error);
	if (lane_key_is_spent(lane, lane->rx_key_bytes))
		sdv_lane_kill(lane, -EKEYEXPIRED);
	return ret > 0;
}

static void io_work(struct work_struct *work)
{
	struct sdv_lane *lane = container_of(work, struct sdv_lane, io_work);
	unsigned long deadline = jiffies + msecs_to_jiffies(1);
	unsigned int noio = memalloc_noio_save();
	bool is_pending;

	do {
		is_pending = lane_try_send(lane, SEND_BUDGET);
		is_pending |= lane_receive(lane);
		if (lane_is_dead(lane))
			is_pending = false;
	} while (is_pending && time_before(jiffies, deadline));
	memalloc_noio_restore(noio);
	if (is_pending)
		sdv_lane_io_wake(lane);
}

/* Beginning and end ----------------------------------------------------------- */

/**
 * sdv_lane_io_init() - a lane that has sent and received nothing
 * @lane: the lane
 */
void sdv_lane_io_init(struct sdv_lane *lane)
{
	INIT_WORK(&lane->io_work, io_work);
	init_llist_head(&lane->submitted);
	mutex_init(&lane->send_mutex);
	msg_queue_init(&lane->pending);
	msg_queue_init(&lane->corked);
}

/**
 * sdv_lane_io_end() - give back what a dead lane still has
 * @lane: the lane; its socket is aborted and does not call back any more, and an
 *	RCU grace period has passed since it died, so nobody submits to it
 *
 * Each message that it owns goes to sent(), a frame that it was receiving to
 * done(), both with -ESHUTDOWN.  It never sends or receives again.
 *
 * Context: process, sleeps.
 */
void sdv_lane_io_end(struct sdv_lane *lane)
{
	struct sdv_msg *msg;

	disable_work_sync(&lane->io_work);
	mutex_lock(&lane->send_mutex);
	lane_take_submitted(lane);
	while ((msg = msg_queue_take(&lane->corked)) ||
	       (msg = msg_queue_take(&lane->pending)))
		msg->sent(lane, msg, -ESHUTDOWN);
	mutex_unlock(&lane->send_mutex);
	if (lane->rx_in_payload)
		lane->rx_ops->done(lane->sdev, lane, &lane->rx_header, lane->rx_cookie,
				   -ESHUTDOWN);
}

int sdv_lane_io_start(void)
{
	io_wq = alloc_workqueue("superdev_io", WQ_MEM_RECLAIM | WQ_HIGHPRI | SDV_WQ_PERCPU, 0);
	return io_wq ? 0 : -ENOMEM;
}

void sdv_lane_io_stop(void)
{
	destroy_workqueue(io_wq);
}
