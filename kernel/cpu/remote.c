// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote.c: /dev/superdev-remote.  An open file of it is a channel; a worker reads
 * requests from it and writes replies to it.  uapi/superdev_cpu.h is its manual.
 */
#include <linux/cred.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "remote.h"
#include "remote-check.h"

static struct kmem_cache *channel_cache;

static void channel_free(struct kref *refs)
{
	struct sdv_remote_channel *channel = container_of(refs, struct sdv_remote_channel, refs);

	put_pid_ns(channel->pid_ns);
	put_cred(channel->cred);
	kmem_cache_free(channel_cache, channel);
	sdv_remote_fs_put();
}

/**
 * sdv_remote_channel_get() - takes a reference
 * @channel: of which the caller has one
 */
void sdv_remote_channel_get(struct sdv_remote_channel *channel)
{
	kref_get(&channel->refs);
}

/**
 * sdv_remote_channel_put() - drops a reference
 * @channel: the channel
 *
 * Context: process, may sleep.
 */
void sdv_remote_channel_put(struct sdv_remote_channel *channel)
{
	kref_put(&channel->refs, channel_free);
}

static int channel_open(struct inode *inode, struct file *file)
{
	struct sdv_remote_channel *channel;
	int error;

	error = sdv_remote_fs_get();
	if (error)
		return error;
	channel = kmem_cache_zalloc(channel_cache, GFP_KERNEL);
	if (!channel) {
		sdv_remote_fs_put();
		return -ENOMEM;
	}
	kref_init(&channel->refs);
	spin_lock_init(&channel->lock);
	INIT_LIST_HEAD(&channel->queue);
	INIT_LIST_HEAD(&channel->interrupts);
	hash_init(channel->requests);
	hash_init(channel->files);
	init_waitqueue_head(&channel->worker_wait);
	init_waitqueue_head(&channel->slot_wait);
	channel->pid_ns = get_pid_ns(task_active_pid_ns(current));
	channel->cred = get_cred(file->f_cred);
	file->private_data = channel;
	return stream_open(inode, file);
}

/*
 * The last descriptor of the channel is closed: no worker is in read(), write() or
 * ioctl() any more.  Guests may be anywhere: waiting for an answer, which they get
 * now, for a slot, which they find out about, or about to queue, which fails under the
 * lock.  Their files hold the channel.
 */
static int channel_release(struct inode *inode, struct file *file)
{
	struct sdv_remote_channel *channel = file->private_data;
	struct sdv_remote_request *req, *next;
	struct sdv_remote_file *rf;
	struct hlist_node *node;
	LIST_HEAD(ended);
	int bucket;

	spin_lock(&channel->lock);
	channel->is_dead = true;
	hash_for_each_safe(channel->requests, bucket, node, req, node) {
		sdv_remote_request_done(req, -EIO);
		list_add(&req->entry, &ended);
	}
	/* What has no id: RELEASE. */
	list_for_each_entry_safe(req, next, &channel->queue, entry) {
		sdv_remote_request_done(req, -EIO);
		list_add(&req->entry, &ended);
	}
	hash_for_each(channel->files, bucket, rf, node)
		sdv_remote_hang_up(rf);
	wake_up_all(&channel->slot_wait);
	spin_unlock(&channel->lock);

	/* Its asker leaves the entry alone. */
	list_for_each_entry_safe(req, next, &ended, entry) {
		list_del_init(&req->entry);
		sdv_remote_request_put(req);
	}
	sdv_remote_channel_put(channel);
	return 0;
}

/* What the worker reads ------------------------------------------------------- */

static bool channel_has_work(struct sdv_remote_channel *channel)
{
	bool has_work;

	spin_lock(&channel->lock);
	has_work = !list_empty(&channel->queue) || !list_empty(&channel->interrupts);
	spin_unlock(&channel->lock);
	return has_work;
}

/*
 * Takes what the worker is to read next; *@ret_ask is the message then.
 * Return: the request, with a reference, or NULL.
 */
static struct sdv_remote_request *channel_take(struct sdv_remote_channel *channel,
					       struct superdev_remote_request *ret_ask)
{
	struct sdv_remote_request *req;

	spin_lock(&channel->lock);
	req = list_first_entry_or_null(&channel->interrupts, struct sdv_remote_request, interrupt);
	if (req) {
		list_del_init(&req->interrupt);
		refcount_inc(&req->refs);
		*ret_ask = (struct superdev_remote_request) {
			.id = req->ask.id,
			.cookie = req->ask.cookie,
			.op = SUPERDEV_REMOTE_INTERRUPT,
			.pid = req->ask.pid,
			.tid = req->ask.tid,
		};
	} else {
		req = list_first_entry_or_null(&channel->queue, struct sdv_remote_request, entry);
		if (req) {
			list_del_init(&req->entry);
			req->state = SDV_REMOTE_READING;
			*ret_ask = req->ask;
		}
	}
	spin_unlock(&channel->lock);
	return req;
}

/* The INTERRUPT of @req was read, or could not be copied. */
static void channel_interrupt_taken(struct sdv_remote_channel *channel,
				    struct sdv_remote_request *req, bool is_copied)
{
	spin_lock(&channel->lock);
	if (!is_copied && req->state != SDV_REMOTE_DONE)
		list_add(&req->interrupt, &channel->interrupts);
	spin_unlock(&channel->lock);
	sdv_remote_request_put(req);
}

/* @req itself was read, or could not be copied. */
static void channel_taken(struct sdv_remote_channel *channel, struct sdv_remote_request *req,
			  bool is_copied)
{
	bool is_done = true;

	spin_lock(&channel->lock);
	if (is_copied && req->ask.op == SUPERDEV_REMOTE_RELEASE) {
		sdv_remote_request_done(req, 0);
	} else if (is_copied) {
		req->state = SDV_REMOTE_SENT;
		is_done = false;
	} else if (req->is_interrupted) {
		/* Its INTERRUPT may have been read before it, and does not come again. */
		sdv_remote_request_done(req, -EINTR);
	} else {
		req->state = SDV_REMOTE_QUEUED;
		list_add(&req->entry, &channel->queue);
		wake_up_poll(&channel->worker_wait, EPOLLIN | EPOLLRDNORM);
		is_done = false;
	}
	spin_unlock(&channel->lock);
	if (is_done)
		sdv_remote_request_put(req);
}

static ssize_t channel_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct sdv_remote_channel *channel = iocb->ki_filp->private_data;
	struct superdev_remote_request ask;
	struct sdv_remote_request *req;
	bool is_copied;
	int error;

	if (iov_iter_count(to) < SUPERDEV_REMOTE_MESSAGE_MAX)
		return -EINVAL;
	while (!(req = channel_take(channel, &ask))) {
		if (iocb->ki_filp->f_flags & O_NONBLOCK || iocb->ki_flags & IOCB_NOWAIT)
			return -EAGAIN;
		error = wait_event_interruptible_exclusive(channel->worker_wait,
							   channel_has_work(channel));
		if (error)
			return error;
	}
	/* No reply is taken while it is READING: the channel's reference keeps it. */
	is_copied = copy_to_iter(&ask, sizeof(ask), to) == sizeof(ask) &&
		    copy_to_iter(req->data, ask.data_length, to) == ask.data_length;
	if (ask.op == SUPERDEV_REMOTE_INTERRUPT)
		channel_interrupt_taken(channel, req, is_copied);
	else
		channel_taken(channel, req, is_copied);
	return is_copied ? sizeof(ask) + ask.data_length : -EFAULT;
}

/* What the worker writes ------------------------------------------------------- */

static struct sdv_remote_request *channel_find(struct sdv_remote_channel *channel, u64 id)
{
	struct sdv_remote_request *req;

	lockdep_assert_held(&channel->lock);
	hash_for_each_possible(channel->requests, req, node, id) {
		if (req->ask.id == id)
			return req;
	}
	return NULL;
}

static int channel_news(struct sdv_remote_channel *channel,
			const struct superdev_remote_reply *reply)
{
	struct sdv_remote_file *rf;
	int error = -ENOENT;

	spin_lock(&channel->lock);
	hash_for_each_possible(channel->files, rf, node, reply->cookie) {
		if (rf->cookie == reply->cookie) {
			sdv_remote_observe(rf, reply);
			error = 0;
			break;
		}
	}
	spin_unlock(&channel->lock);
	return error;
}

static int channel_answer(struct sdv_remote_channel *channel,
			  const struct superdev_remote_reply *reply, struct iov_iter *from)
{
	struct sdv_remote_request *req;
	bool is_copied = true;
	int error = 0;

	spin_lock(&channel->lock);
	req = channel_find(channel, reply->id);
	if (!req || req->state != SDV_REMOTE_SENT)
		error = -ENOENT;
	else
		error = sdv_remote_answer_check(&req->ask, reply);
	if (error) {
		spin_unlock(&channel->lock);
		return error;
	}
	if (reply->length) {
		/* As long as we are ANSWERING nobody else answers or ends it. */
		req->state = SDV_REMOTE_ANSWERING;
		spin_unlock(&channel->lock);
		is_copied = copy_from_iter_full(req->data, reply->length, from);
		spin_lock(&channel->lock);
	}
	if (is_copied) {
		error = req->is_abandoned ? -ECANCELED : 0;
		if (reply->sequence)
			sdv_remote_observe(req->file, reply);
		sdv_remote_request_done(req, reply->result);
	} else {
		error = -EFAULT;
		req->state = SDV_REMOTE_SENT;
	}
	spin_unlock(&channel->lock);
	if (is_copied)
		sdv_remote_request_put(req);
	return error;
}

static ssize_t channel_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct sdv_remote_channel *channel = iocb->ki_filp->private_data;
	size_t size = iov_iter_count(from);
	struct superdev_remote_reply reply;
	int error;

	if (size < sizeof(reply))
		return -EINVAL;
	if (!copy_from_iter_full(&reply, sizeof(reply), from))
		return -EFAULT;
	error = sdv_remote_message_check(&reply, size);
	if (error)
		return error;
	if (reply.type == SUPERDEV_REMOTE_READY)
		error = channel_news(channel, &reply);
	else
		error = channel_answer(channel, &reply, from);
	return error ?: size;
}

static __poll_t channel_poll(struct file *file, poll_table *wait)
{
	struct sdv_remote_channel *channel = file->private_data;

	poll_wait(file, &channel->worker_wait, wait);
	return EPOLLOUT | EPOLLWRNORM |
	       (channel_has_work(channel) ? EPOLLIN | EPOLLRDNORM : 0);
}

static long channel_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct superdev_remote_new new;
	int error;

	if (cmd != SUPERDEV_REMOTE_NEW)
		return -ENOTTY;
	if (copy_from_user(&new, (void __user *)arg, sizeof(new)))
		return -EFAULT;
	error = sdv_remote_new_check(&new);
	return error ?: sdv_remote_new(file->private_data, &new);
}

static const struct file_operations channel_fops = {
	.owner		= THIS_MODULE,
	.open		= channel_open,
	.release	= channel_release,
	.read_iter	= channel_read_iter,
	.write_iter	= channel_write_iter,
	.poll		= channel_poll,
	.unlocked_ioctl	= channel_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice remote_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "superdev-remote",
	.fops	= &channel_fops,
	.mode	= 0600,
};

/**
 * sdv_remote_init() - remote files become possible
 *
 * Context: module init.
 * Return: 0, -ENOMEM, or what misc_register() returns.
 */
int sdv_remote_init(void)
{
	int error;

	channel_cache = kmem_cache_create("superdev_remote_channel",
					  sizeof(struct sdv_remote_channel), 0,
					  SLAB_ACCOUNT, NULL);
	if (!channel_cache)
		return -ENOMEM;
	sdv_remote_lock_init();
	error = sdv_remote_request_init();
	if (error)
		goto err_channel;
	error = sdv_remote_inode_init();
	if (error)
		goto err_request;
	error = misc_register(&remote_device);
	if (error)
		goto err_inode;
	return 0;

err_inode:
	sdv_remote_inode_exit();
err_request:
	sdv_remote_request_exit();
err_channel:
	kmem_cache_destroy(channel_cache);
	return error;
}

/**
 * sdv_remote_exit() - undoes sdv_remote_init()
 *
 * No channel and no remote file is open, and none is open()ed by path: each of these
 * holds the module.  So nothing is in our caches; where something is, the kernel
 * complains.
 *
 * Context: module exit.
 */
void sdv_remote_exit(void)
{
	misc_deregister(&remote_device);
	sdv_remote_inode_exit();
	sdv_remote_request_exit();
	kmem_cache_destroy(channel_cache);
}
