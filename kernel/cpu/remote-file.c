// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote-file.c: what a guest does with a remote file, but for ioctls and locks.
 * Each operation becomes a request; none is answered from here but poll(), and that
 * only as long as home was heard lately.
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "remote.h"
#include "remote-check.h"

/* No more than the original gives at once: a line of a terminal, a pipe's buffer. */
#define CHUNK_TTY	4096
#define CHUNK_STREAM	(64 << 10)

/**
 * sdv_remote_file_mode() - a new struct file gets the modes of its kind
 * @file: with its private_data
 *
 * A stream can't seek.  A file's position is home's, which also sees to it that
 * reads that share it take turns: f_pos is SDV_REMOTE_POSITION for ever, and not locked.
 */
void sdv_remote_file_mode(struct file *file)
{
	file->f_mode &= ~(FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE | FMODE_ATOMIC_POS);
	if (sdv_remote_can_seek(file->private_data)) {
		file->f_mode |= FMODE_LSEEK | FMODE_PREAD | FMODE_PWRITE;
		file->f_pos = SDV_REMOTE_POSITION;
	} else {
		file->f_mode |= FMODE_STREAM;
	}
}

/*
 * The first struct file is not the last user of its inode, which releases home's file;
 * one that was opened later is alone with what OPEN made.
 */
static int remote_release(struct inode *inode, struct file *file)
{
	struct sdv_remote_file *rf = file->private_data;

	if (rf == inode->i_private)
		sdv_remote_file_put(rf);
	else
		sdv_remote_file_release(rf);
	return 0;
}

/* Reading and writing ------------------------------------------------------------ */

static size_t chunk_of(const struct sdv_remote_file *rf, u32 op, size_t count)
{
	if (rf->kind == SUPERDEV_REMOTE_FILE)
		return min_t(size_t, count, SUPERDEV_REMOTE_DATA_MAX);
	if (rf->kind == SUPERDEV_REMOTE_TTY && op == SUPERDEV_REMOTE_READ)
		return min_t(size_t, count, CHUNK_TTY);
	return min_t(size_t, count, CHUNK_STREAM);
}

static struct sdv_remote_request *chunk_request(struct kiocb *iocb, u32 op, size_t length,
						size_t done)
{
	struct file *file = iocb->ki_filp;
	struct sdv_remote_file *rf = file->private_data;
	struct sdv_remote_request *req;

	req = sdv_remote_request_alloc(rf, op, length);
	if (IS_ERR(req))
		return req;
	if (file->f_flags & O_NONBLOCK)
		req->ask.flags |= SUPERDEV_REMOTE_F_NONBLOCK;
	if (sdv_remote_can_seek(rf) && iocb->ki_pos >= 0) {
		req->ask.flags |= SUPERDEV_REMOTE_F_OFFSET;
		req->ask.offset = iocb->ki_pos + done;
	}
	return req;
}

static void advance(struct kiocb *iocb, ssize_t done)
{
	if (done > 0 && iocb->ki_pos >= 0 && !(iocb->ki_filp->f_mode & FMODE_STREAM))
		iocb->ki_pos += done;
}

/* Reading a disk is not interrupted by a signal, and programs do not expect it to be. */
static bool is_interruptible(const struct sdv_remote_file *rf)
{
	return rf->kind != SUPERDEV_REMOTE_FILE;
}

static ssize_t read_chunk(struct kiocb *iocb, struct iov_iter *to, size_t length, size_t done)
{
	struct sdv_remote_request *req = chunk_request(iocb, SUPERDEV_REMOTE_READ, length, done);
	s64 result;

	if (IS_ERR(req))
		return PTR_ERR(req);
	req->ask.length = length;
	result = sdv_remote_ask(req, is_interruptible(req->file));
	if (result > 0) {
		size_t copied = copy_to_iter(req->data, result, to);

		result = copied ?: -EFAULT;
	}
	sdv_remote_request_put(req);
	return result;
}

/*
 * A stream gives what it has; a file is read to the end of the buffer, as programs
 * expect of one.
 */
static ssize_t remote_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct sdv_remote_file *rf = iocb->ki_filp->private_data;
	size_t length, done = 0;
	ssize_t result = 0;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	while (iov_iter_count(to)) {
		length = chunk_of(rf, SUPERDEV_REMOTE_READ, iov_iter_count(to));
		/* Home's data is gone once it was read: better not to ask in vain. */
		if (user_backed_iter(to) && fault_in_iov_iter_writeable(to, length) == length) {
			result = -EFAULT;
			break;
		}
		result = read_chunk(iocb, to, length, done);
		if (result > 0)
			done += result;
		if (result < 0 || (size_t)result < length || !sdv_remote_can_seek(rf))
			break;
	}
	advance(iocb, done);
	return done ?: result;
}

static ssize_t write_chunk(struct kiocb *iocb, struct iov_iter *from, size_t length, size_t done)
{
	struct sdv_remote_request *req = chunk_request(iocb, SUPERDEV_REMOTE_WRITE, length, done);
	s64 result = -EFAULT;
	size_t copied;

	if (IS_ERR(req))
		return PTR_ERR(req);
	copied = copy_from_iter(req->data, length, from);
	if (copied) {
		req->ask.data_length = copied;
		if (iocb->ki_flags & IOCB_APPEND)
			req->ask.flags |= SUPERDEV_REMOTE_F_APPEND;
		if (iocb->ki_flags & IOCB_DSYNC)
			req->ask.flags |= SUPERDEV_REMOTE_F_SYNC;
		result = sdv_remote_ask(req, is_interruptible(req->file));
		iov_iter_revert(from, copied - max_t(s64, result, 0));
	}
	sdv_remote_request_put(req);
	return result;
}

/* A socket's write may be a message, and is sent at once or not at all. */
static ssize_t remote_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct sdv_remote_file *rf = iocb->ki_filp->private_data;
	size_t length, done = 0;
	ssize_t result = 0;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return -EAGAIN;
	while (iov_iter_count(from)) {
		length = chunk_of(rf, SUPERDEV_REMOTE_WRITE, iov_iter_count(from));
		result = write_chunk(iocb, from, length, done);
		if (result > 0)
			done += result;
		if (result < 0 || rf->kind == SUPERDEV_REMOTE_SOCKET ||
		    (is_interruptible(rf) && signal_pending(current)))
			break;
	}
	if (result == -EPIPE &&
	    (rf->kind == SUPERDEV_REMOTE_PIPE || rf->kind == SUPERDEV_REMOTE_SOCKET))
		send_sig(SIGPIPE, current, 0);
	advance(iocb, done);
	return done ?: result;
}

/*
 * What is read from home's position and can't be passed on would be lost: the caller
 * is to read and write by itself.  A stream's is lost as it would be of a terminal.
 */
static ssize_t remote_splice_read(struct file *in, loff_t *ppos, struct pipe_inode_info *pipe,
				  size_t length, unsigned int flags)
{
	if (sdv_remote_can_seek(in->private_data) && *ppos < 0)
		return -EINVAL;
	return copy_splice_read(in, ppos, pipe, length, flags);
}

/* Other operations -------------------------------------------------------------------- */

/* Asks what has no data; only a fatal signal ends it. */
static s64 ask_plain(struct file *file, u32 op, s64 offset, u64 argument, u32 command)
{
	struct sdv_remote_request *req = sdv_remote_request_alloc(file->private_data, op, 0);
	s64 result;

	if (IS_ERR(req))
		return PTR_ERR(req);
	req->ask.offset = offset;
	req->ask.argument = argument;
	req->ask.command = command;
	result = sdv_remote_ask(req, false);
	sdv_remote_request_put(req);
	return result;
}

static loff_t remote_llseek(struct file *file, loff_t offset, int whence)
{
	if (whence < SEEK_SET || whence > SEEK_HOLE)
		return -EINVAL;
	return ask_plain(file, SUPERDEV_REMOTE_SEEK, offset, 0, whence);
}

static int remote_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	return ask_plain(file, SUPERDEV_REMOTE_SYNC, 0, 0, !!datasync);
}

static long remote_fallocate(struct file *file, int mode, loff_t offset, loff_t length)
{
	return ask_plain(file, SUPERDEV_REMOTE_ALLOCATE, offset, length, mode);
}

/* Whom a lease would have to be recalled from are processes of home. */
static int remote_setlease(struct file *file, int type, struct file_lease **lease, void **priv)
{
	return -EINVAL;
}

/* Readiness ----------------------------------------------------------------------------- */

static __poll_t ready_mask(u32 ready)
{
	__poll_t mask = (__force __poll_t)ready;

	if (mask & EPOLLIN)
		mask |= EPOLLRDNORM;
	if (mask & EPOLLOUT)
		mask |= EPOLLWRNORM;
	return mask;
}

/**
 * sdv_remote_observe() - home looked at a file
 * @rf: the file
 * @reply: with a sequence, passed sdv_remote_message_check()
 *
 * News are an event, and wake even when a younger observation is known already.
 *
 * Context: under channel->lock.
 */
void sdv_remote_observe(struct sdv_remote_file *rf, const struct superdev_remote_reply *reply)
{
	u32 gained = 0;

	lockdep_assert_held(&rf->channel->lock);
	if (reply->sequence > rf->sequence) {
		gained = reply->ready & ~rf->ready;
		rf->ready = reply->ready;
		rf->sequence = reply->sequence;
		rf->fresh_until = jiffies + msecs_to_jiffies(SUPERDEV_REMOTE_FRESH_MS);
	}
	if (reply->type == SUPERDEV_REMOTE_READY)
		wake_up_poll(&rf->wait, ready_mask(reply->ready));
	else if (gained)
		wake_up_poll(&rf->wait, ready_mask(gained));
}

/**
 * sdv_remote_hang_up() - the channel of a file is dead, and pollers hear of it
 * @rf: the file
 *
 * Context: under channel->lock.
 */
void sdv_remote_hang_up(struct sdv_remote_file *rf)
{
	lockdep_assert_held(&rf->channel->lock);
	wake_up_poll(&rf->wait, EPOLLHUP | EPOLLERR);
}

/* Return: whether *@ret_mask may be told to a poller that wants @wanted. */
static bool is_known(struct sdv_remote_file *rf, __poll_t wanted, __poll_t *ret_mask)
{
	struct sdv_remote_channel *channel = rf->channel;
	bool is_sure;

	spin_lock(&channel->lock);
	*ret_mask = ready_mask(rf->ready) | (rf->poll.result < 0 ? EPOLLERR : 0);
	is_sure = rf->is_watched &&
		  (!(*ret_mask & wanted) || time_before(jiffies, rf->fresh_until));
	if (channel->is_dead) {
		*ret_mask = EPOLLHUP | EPOLLERR;
		is_sure = true;
	}
	spin_unlock(&channel->lock);
	return is_sure;
}

/* Return: how often POLL was answered before it was asked, or will have been, now. */
static u64 ask_ready(struct sdv_remote_file *rf)
{
	u64 nr_answers;

	spin_lock(&rf->channel->lock);
	nr_answers = rf->nr_answers;
	if (!rf->is_asking)
		rf->is_asking = sdv_remote_post_locked(&rf->poll);
	spin_unlock(&rf->channel->lock);
	return nr_answers;
}

static bool is_answered(struct sdv_remote_file *rf, u64 nr_answers)
{
	bool is_over;

	spin_lock(&rf->channel->lock);
	is_over = rf->nr_answers != nr_answers || rf->channel->is_dead;
	spin_unlock(&rf->channel->lock);
	return is_over;
}

/*
 * That nothing is ready is believed once home watches, for there would be news.  That
 * something is may be over by now: another process, here or at home, may have read it.
 * So it is asked for unless it was heard just now.  Who gets a signal meanwhile finds
 * nothing ready, and the answer wakes it, should it still wait.
 */
static __poll_t remote_poll(struct file *file, poll_table *wait)
{
	struct sdv_remote_file *rf = file->private_data;
	__poll_t wanted = poll_requested_events(wait) | EPOLLERR | EPOLLHUP;
	__poll_t mask;
	u64 nr_answers;

	poll_wait(file, &rf->wait, wait);
	if (is_known(rf, wanted, &mask))
		return mask;
	nr_answers = ask_ready(rf);
	if (wait_event_interruptible(rf->ask_wait, is_answered(rf, nr_answers)))
		return 0;
	is_known(rf, wanted, &mask);
	return mask;
}

static void remote_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct sdv_remote_file *rf = file->private_data;

	seq_printf(m, "remote-cookie:\t%llu\nremote-kind:\t%u\n", rf->cookie, rf->kind);
}

/* What is not here is refused as it is of the original: fsync() of a pipe, say. */
static const struct file_operations stream_fops = {
	.owner		= THIS_MODULE,
	.open		= sdv_remote_open,
	.release	= remote_release,
	.read_iter	= remote_read_iter,
	.write_iter	= remote_write_iter,
	.splice_read	= remote_splice_read,
	.splice_write	= iter_file_splice_write,
	.poll		= remote_poll,
	.unlocked_ioctl	= sdv_remote_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.flock		= sdv_remote_flock,
	.lock		= sdv_remote_lock,
	.setlease	= remote_setlease,
	.show_fdinfo	= remote_show_fdinfo,
};

/* Without poll: a file is always ready, and epoll refuses it, by which some know it. */
static const struct file_operations file_fops = {
	.owner		= THIS_MODULE,
	.fop_flags	= FOP_UNSIGNED_OFFSET,
	.open		= sdv_remote_open,
	.release	= remote_release,
	.read_iter	= remote_read_iter,
	.write_iter	= remote_write_iter,
	.splice_read	= remote_splice_read,
	.splice_write	= iter_file_splice_write,
	.llseek		= remote_llseek,
	.fsync		= remote_fsync,
	.fallocate	= remote_fallocate,
	.unlocked_ioctl	= sdv_remote_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.flock		= sdv_remote_flock,
	.lock		= sdv_remote_lock,
	.setlease	= remote_setlease,
	.show_fdinfo	= remote_show_fdinfo,
};

/**
 * sdv_remote_fops() - the operations of a kind of files
 * @kind: enum superdev_remote_kind
 *
 * Return: a table that is there as long as the module.
 */
const struct file_operations *sdv_remote_fops(u32 kind)
{
	return kind == SUPERDEV_REMOTE_FILE ? &file_fops : &stream_fops;
}
