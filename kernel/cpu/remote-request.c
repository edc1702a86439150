// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote-request.c: requests of remote files, from the asker's side: queued, waited
 * for, interrupted, abandoned.  The file operations call it; remote.c is the other end.
 */
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "remote.h"

static struct kmem_cache *request_cache;

/**
 * sdv_remote_request_init() - requests can be made
 *
 * Context: module init.
 * Return: 0 or -ENOMEM.
 */
int sdv_remote_request_init(void)
{
	request_cache = kmem_cache_create("superdev_remote_request",
					  sizeof(struct sdv_remote_request), 0,
					  SLAB_ACCOUNT, NULL);
	return request_cache ? 0 : -ENOMEM;
}

/**
 * sdv_remote_request_exit() - undoes sdv_remote_request_init()
 *
 * Context: module exit; no request is left, or the kernel complains.
 */
void sdv_remote_request_exit(void)
{
	kmem_cache_destroy(request_cache);
}

static void request_set_up(struct sdv_remote_request *req, struct sdv_remote_file *rf, u32 op)
{
	INIT_LIST_HEAD(&req->entry);
	INIT_LIST_HEAD(&req->interrupt);
	INIT_HLIST_NODE(&req->node);
	init_waitqueue_head(&req->wait);
	req->file = rf;
	req->ask.cookie = rf->cookie;
	req->ask.op = op;
}

/**
 * sdv_remote_request_alloc() - a request that the caller asks
 * @rf: of a file; a reference is taken
 * @op: enum superdev_remote_op
 * @size: bytes of question and answer, whichever is more
 *
 * The rest of ask is for the caller to fill in.
 *
 * Context: process, may sleep; memory is charged to the current task.
 * Return: the request, to be put, or ERR_PTR(-ENOMEM).
 */
struct sdv_remote_request *sdv_remote_request_alloc(struct sdv_remote_file *rf, u32 op, size_t size)
{
	struct sdv_remote_request *req;

	req = kmem_cache_zalloc(request_cache, GFP_KERNEL);
	if (!req)
		return ERR_PTR(-ENOMEM);
	if (size) {
		req->data = kvmalloc(size, GFP_KERNEL_ACCOUNT);
		if (!req->data) {
			kmem_cache_free(request_cache, req);
			return ERR_PTR(-ENOMEM);
		}
	}
	request_set_up(req, rf, op);
	refcount_set(&req->refs, 1);
	kref_get(&rf->refs);
	req->size = size;
	req->ask.pid = task_tgid_nr_ns(current, rf->channel->pid_ns);
	req->ask.tid = task_pid_nr_ns(current, rf->channel->pid_ns);
	return req;
}

/**
 * sdv_remote_request_embed() - prepares a request that is part of its file
 * @req: the request, zeroed
 * @rf: the file
 * @op: SUPERDEV_REMOTE_POLL or SUPERDEV_REMOTE_RELEASE
 *
 * It has no asker, and holds a reference on @rf while it is on its way.
 */
void sdv_remote_request_embed(struct sdv_remote_request *req, struct sdv_remote_file *rf, u32 op)
{
	request_set_up(req, rf, op);
	req->is_embedded = true;
	req->is_detached = true;
}

static void request_get(struct sdv_remote_request *req)
{
	if (req->is_embedded)
		kref_get(&req->file->refs);
	else
		refcount_inc(&req->refs);
}

/**
 * sdv_remote_request_put() - drops a reference
 * @req: the request
 *
 * Context: process, may sleep.
 */
void sdv_remote_request_put(struct sdv_remote_request *req)
{
	struct sdv_remote_file *rf = req->file;

	if (req->is_embedded) {
		sdv_remote_file_put(rf);
	} else if (refcount_dec_and_test(&req->refs)) {
		kvfree(req->data);
		kmem_cache_free(request_cache, req);
		sdv_remote_file_put(rf);
	}
}

static void request_queue(struct sdv_remote_channel *channel, struct sdv_remote_request *req)
{
	lockdep_assert_held(&channel->lock);
	request_get(req);
	req->state = SDV_REMOTE_QUEUED;
	list_add_tail(&req->entry, &channel->queue);
	if (req->ask.op != SUPERDEV_REMOTE_RELEASE) {
		req->ask.id = ++channel->last_id;
		hash_add(channel->requests, &req->node, req->ask.id);
	}
	if (req->is_detached && !req->is_embedded)
		req->ask.flags |= SUPERDEV_REMOTE_F_DETACHED;
	wake_up_poll(&channel->worker_wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * sdv_remote_request_done() - a request has its outcome, and its asker is told
 * @req: queued, and not yet done
 * @result: the op's, or -errno
 *
 * The caller has the channel's reference then, to be put when the lock is not held.
 *
 * Context: under channel->lock.
 */
void sdv_remote_request_done(struct sdv_remote_request *req, s64 result)
{
	struct sdv_remote_file *rf = req->file;
	struct sdv_remote_channel *channel = rf->channel;

	lockdep_assert_held(&channel->lock);
	hash_del(&req->node);
	list_del_init(&req->entry);
	list_del_init(&req->interrupt);
	if (!req->is_detached) {
		channel->nr_requests--;
		channel->nr_bytes -= req->size;
		wake_up_all(&channel->slot_wait);
	}
	req->result = result;
	/* Pairs with request_is_done(), whose caller looks at @data then. */
	smp_store_release(&req->state, SDV_REMOTE_DONE);
	wake_up_all(&req->wait);
	if (req == &rf->poll) {
		rf->is_asking = false;
		rf->is_watched |= result >= 0;
		rf->nr_answers++;
		wake_up_all(&rf->ask_wait);
	}
}

static bool request_is_done(struct sdv_remote_request *req)
{
	/* Pairs with sdv_remote_request_done(). */
	return smp_load_acquire(&req->state) == SDV_REMOTE_DONE;
}

/* Condition of a wait: @req was queued, or never will be, which *@ret_error tells. */
static bool request_is_admitted(struct sdv_remote_request *req, int *ret_error)
{
	struct sdv_remote_channel *channel = req->file->channel;
	bool is_over = true;

	spin_lock(&channel->lock);
	if (channel->is_dead) {
		*ret_error = -EIO;
	} else if (channel->nr_requests < SDV_REMOTE_REQUESTS_MAX &&
		   channel->nr_bytes + req->size <= SDV_REMOTE_BYTES_MAX) {
		*ret_error = 0;
		channel->nr_requests++;
		channel->nr_bytes += req->size;
		request_queue(channel, req);
	} else {
		is_over = false;
	}
	spin_unlock(&channel->lock);
	return is_over;
}

static void request_interrupt(struct sdv_remote_channel *channel, struct sdv_remote_request *req)
{
	lockdep_assert_held(&channel->lock);
	if (req->is_interrupted)
		return;
	req->is_interrupted = true;
	list_add_tail(&req->interrupt, &channel->interrupts);
	wake_up_poll(&channel->worker_wait, EPOLLIN | EPOLLRDNORM);
}

/*
 * The asker has a signal.  A request that nobody has read is taken back; home is told
 * of the signal where it has been, and what home says then is how it ended: it may
 * have read data already, which must not be lost.  Who is killed does not wait for that.
 */
static void request_signal(struct sdv_remote_request *req, bool is_killed)
{
	struct sdv_remote_channel *channel = req->file->channel;
	bool is_taken_back = false;

	spin_lock(&channel->lock);
	if (req->state == SDV_REMOTE_QUEUED) {
		sdv_remote_request_done(req, -ERESTARTSYS);
		is_taken_back = true;
	} else if (req->state != SDV_REMOTE_DONE) {
		request_interrupt(channel, req);
		req->is_abandoned = is_killed;
	}
	spin_unlock(&channel->lock);
	if (is_taken_back)
		sdv_remote_request_put(req);
}

/**
 * sdv_remote_ask() - asks, and waits for the answer
 * @req: filled in; the caller keeps its reference
 * @interruptible: a signal ends it, as far as home agrees; else only a fatal one does
 *
 * When it returns a result and not an error, the answer is in req->data.  After an
 * error the request must only be put.
 *
 * Context: process, sleeps.
 * Return: the op's result, or
 * -EIO          the channel is dead, or home says so
 * -ERESTARTSYS  there was a signal, and nothing was done
 * -EINTR        the caller is being killed, or home was interrupted without our doing
 * -errno        what home said
 */
s64 sdv_remote_ask(struct sdv_remote_request *req, bool interruptible)
{
	struct sdv_remote_channel *channel = req->file->channel;
	int error = 0, signal;

	if (interruptible)
		signal = wait_event_interruptible(channel->slot_wait,
						  request_is_admitted(req, &error));
	else
		signal = wait_event_killable(channel->slot_wait, request_is_admitted(req, &error));
	if (signal || error)
		return signal ?: error;

	if (interruptible && wait_event_interruptible(req->wait, request_is_done(req)))
		request_signal(req, false);
	if (wait_event_killable(req->wait, request_is_done(req))) {
		request_signal(req, true);
		if (!request_is_done(req))
			return -EINTR;
	}
	/* Nothing restarts a system call that has no signal. */
	if (req->result == -EINTR || req->result == -ERESTARTSYS)
		return signal_pending(current) ? -ERESTARTSYS : -EINTR;
	return req->result;
}

/**
 * sdv_remote_post_locked() - asks without waiting
 * @req: filled in, with is_detached set
 *
 * Context: under channel->lock.
 * Return: false if the channel is dead.
 */
bool sdv_remote_post_locked(struct sdv_remote_request *req)
{
	struct sdv_remote_channel *channel = req->file->channel;

	if (channel->is_dead)
		return false;
	request_queue(channel, req);
	return true;
}

/**
 * sdv_remote_post() - asks what will be done whether anybody waits for it or not
 * @req: filled in, with is_detached set; the caller keeps its reference
 * @wait: until it is answered, or the caller is killed
 *
 * It waits for no others to be answered first.
 *
 * Context: process, sleeps with @wait.
 */
void sdv_remote_post(struct sdv_remote_request *req, bool wait)
{
	struct sdv_remote_channel *channel = req->file->channel;
	bool is_posted;

	spin_lock(&channel->lock);
	is_posted = sdv_remote_post_locked(req);
	spin_unlock(&channel->lock);
	if (is_posted && wait)
		wait_event_killable(req->wait, request_is_done(req));
}
