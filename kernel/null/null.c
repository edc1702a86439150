// SPDX-License-Identifier: GPL-2.0-only
/*
 * null.c: class null, the smallest whole class: template for a new one, and test
 * double for the bus and the lanes.
 *
 * A lease becomes /dev/superdev-nullN.  Opened for reading it is a source of the
 * lender's pattern, opened for writing a sink, and opened for both an echo: what
 * was written is what the next read gets, after its way to the lender and back.
 * Documentation/adding-a-class walks through this file.
 */
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include "bus.h"
#include "lane.h"

/* Open files of a device; each has a tag, and one request at a time. */
#define NULL_FILES	64
/* A lane that does not answer for so long is replaced. */
#define NULL_TIMEOUT_S	30

/**
 * struct null_device - a borrowed nothing
 * @refs:	the binding's, and one per open file
 * @sdev:	a reference on its dev
 * @lock:	protects @is_dead, @files and the state of each file's request
 * @is_dead:	no file can be opened and no request begun any more
 * @wait:	woken when a lane comes up, a request changes or the device dies
 * @files:	open files by tag
 * @seqs:	uses of each tag, which outlive the file that has it; its mutex
 */
struct null_device {
	struct kref		refs;
	struct sdv_device	*sdev;
	struct miscdevice	misc;
	char			name[32];
	spinlock_t		lock;	/* see above */
	bool			is_dead;
	wait_queue_head_t	wait;
	struct null_file	*files[NULL_FILES];
	u64			seqs[NULL_FILES];
};

/**
 * struct null_file - an open file and its request
 * @mutex:	one request at a time; protects @msg, @buffer and @have
 * @question:	@buffer on its way out
 * @answer:	@buffer on its way in; both at once where the lender answers early
 * @have:	bytes of an echo in @buffer that were not read yet, from @start
 * @lane:	that the request was sent on; the state below is under null->lock
 * @is_owned:	the lane has the message
 * @is_receiving: between header() and done()
 * @is_answered: the reply is in @buffer, with @status
 * @is_lost:	the lane died without an answer
 */
struct null_file {
	struct null_device	*null;
	unsigned int		tag;
	struct mutex		mutex;	/* see above */
	struct sdv_msg		msg;
	struct kvec		question;
	struct kvec		answer;
	u8			*buffer;
	size_t			have;
	size_t			start;
	struct sdv_lane		*lane;
	bool			is_owned;
	bool			is_receiving;
	bool			is_answered;
	bool			is_lost;
	u32			status;
};

static void null_release_device(struct kref *refs)
{
	struct null_device *null = container_of(refs, struct null_device, refs);

	put_device(&null->sdev->dev);
	kfree(null);
}

/* Requests ------------------------------------------------------------------- */

static void null_sent(struct sdv_lane *lane, struct sdv_msg *msg, int error)
{
	struct null_file *nf = container_of(msg, struct null_file, msg);
	struct null_device *null = nf->null;

	/* With an error, lane_down() follows. */
	spin_lock(&null->lock);
	nf->is_owned = false;
	wake_up_all(&null->wait);
	spin_unlock(&null->lock);
}

/* Return: 0 with the length of the payload that belongs to the answer, or why not. */
static int null_check(const struct null_file *nf, const struct sdv_lane *lane,
		      const struct superdev_frame *hdr, u32 *ret_length)
{
	const struct superdev_frame *asked = &nf->msg.hdr;

	if (nf->lane != lane || nf->is_receiving || nf->is_answered)
		return -EPROTO;
	if (!(le16_to_cpu(hdr->flags) & SUPERDEV_F_REPLY) || hdr->op != asked->op ||
	    hdr->seq != asked->seq)
		return -EPROTO;
	if (le32_to_cpu(hdr->status) == SUPERDEV_ST_STALE)
		return -ESTALE;
	*ret_length = 0;
	if (!hdr->status && hdr->op != SUPERDEV_NULL_SINK)
		*ret_length = le32_to_cpu(asked->count);
	return le32_to_cpu(hdr->length) == *ret_length ? 0 : -EPROTO;
}

static int null_header(struct sdv_device *sdev, struct sdv_lane *lane,
		       const struct superdev_frame *hdr,
		       struct iov_iter *ret_payload, void **ret_cookie)
{
	struct null_device *null = dev_get_drvdata(&sdev->dev);
	u32 tag = le32_to_cpu(hdr->tag);
	struct null_file *nf;
	int error = -EPROTO;
	u32 length;

	if (tag >= NULL_FILES)
		return -EPROTO;
	spin_lock(&null->lock);
	nf = null->files[tag];
	if (nf)
		error = null_check(nf, lane, hdr, &length);
	if (!error)
		nf->is_receiving = true;
	spin_unlock(&null->lock);
	if (error)
		return error;
	nf->answer.iov_base = nf->buffer;
	nf->answer.iov_len = length;
	iov_iter_kvec(ret_payload, ITER_DEST, &nf->answer, 1, length);
	*ret_cookie = nf;
	return 0;
}

static void null_done(struct sdv_device *sdev, struct sdv_lane *lane,
		      const struct superdev_frame *hdr, void *cookie, int error)
{
	struct null_file *nf = cookie;
	struct null_device *null = nf->null;

	spin_lock(&null->lock);
	nf->is_receiving = false;
	nf->is_answered = !error;
	nf->status = le32_to_cpu(hdr->status);
	wake_up_all(&null->wait);
	spin_unlock(&null->lock);
}

static int null_send(struct null_file *nf, struct sdv_lane *lane, u32 length)
{
	struct null_device *null = nf->null;
	int error;

	nf->question.iov_base = nf->buffer;
	nf->question.iov_len = length;
	iov_iter_kvec(&nf->msg.payload, ITER_SOURCE, &nf->question, 1, length);
	/* Before it is sent: the answer may be quicker than the return. */
	spin_lock(&null->lock);
	nf->lane = lane;
	nf->is_owned = true;
	nf->is_answered = false;
	nf->is_lost = false;
	spin_unlock(&null->lock);
	error = sdv_lane_send(lane, &nf->msg, true);
	if (!error) {
		sdv_lane_push(lane);
		return 0;
	}
	spin_lock(&null->lock);
	nf->lane = NULL;
	nf->is_owned = false;
	spin_unlock(&null->lock);
	return error;
}

static bool null_is_over(struct null_file *nf)
{
	bool is_over;

	spin_lock(&nf->null->lock);
	is_over = !nf->is_owned && (nf->is_answered || nf->is_lost);
	spin_unlock(&nf->null->lock);
	return is_over;
}

/*
 * Asks the lender, on one lane after the other until it answers.  @length bytes
 * of the buffer go out with the request; the answer's payload ends up there.
 * Return: 0; -ENODEV when the device died; -ERESTARTSYS for a signal while there
 * was no lane; -EIO when the lender refused.
 */
static int null_ask(struct null_file *nf, u8 op, u64 offset, u32 count, u32 length)
{
	struct null_device *null = nf->null;
	struct superdev_frame *hdr = &nf->msg.hdr;
	u16 flags = 0;

	lockdep_assert_held(&nf->mutex);
	memset(hdr, 0, sizeof(*hdr));
	hdr->op = op;
	hdr->tag = cpu_to_le32(nf->tag);
	hdr->seq = cpu_to_le64(++null->seqs[nf->tag]);
	hdr->offset = cpu_to_le64(offset);
	hdr->count = cpu_to_le32(count);
	hdr->length = cpu_to_le32(length);
	for (;;) {
		struct sdv_lane *lane = NULL;
		bool is_sent;
		int error;

		hdr->flags = cpu_to_le16(flags);
		error = wait_event_interruptible(null->wait,
						 READ_ONCE(null->is_dead) ||
						 (lane = sdv_lane_get(null->sdev, nf->tag)));
		if (error)
			return error;
		if (!lane)
			return -ENODEV;
		is_sent = !null_send(nf, lane, length);
		/* The buffer is the lane's until it is over, so no signal ends this. */
		if (is_sent && !wait_event_timeout(null->wait, null_is_over(nf),
						   NULL_TIMEOUT_S * HZ)) {
			sdv_lane_kill(lane, -ETIMEDOUT);
			wait_event(null->wait, null_is_over(nf));
		}
		sdv_lane_put(lane);
		if (is_sent && nf->is_answered)
			break;
		if (is_sent)
			flags |= SUPERDEV_F_REPLAY;
	}
	return nf->status ? -EIO : 0;
}

static const struct sdv_lane_ops null_lane_ops = {
	.header	= null_header,
	.done	= null_done,
};

/* The file -------------------------------------------------------------------- */

static int null_open(struct inode *inode, struct file *file)
{
	struct null_device *null = container_of(file->private_data, struct null_device, misc);
	struct null_file *nf;
	int error = -EMFILE;
	unsigned int tag;

	nf = kzalloc(sizeof(*nf), GFP_KERNEL);
	if (!nf)
		return -ENOMEM;
	nf->buffer = kvmalloc(SUPERDEV_MAX_PAYLOAD, GFP_KERNEL);
	if (!nf->buffer) {
		kfree(nf);
		return -ENOMEM;
	}
	mutex_init(&nf->mutex);
	nf->null = null;
	nf->msg.sent = null_sent;

	spin_lock(&null->lock);
	for (tag = 0; tag < NULL_FILES && null->files[tag]; tag++)
		;
	if (null->is_dead) {
		error = -ENODEV;
	} else if (tag < NULL_FILES) {
		error = 0;
		nf->tag = tag;
		null->files[tag] = nf;
	}
	spin_unlock(&null->lock);
	if (error) {
		kvfree(nf->buffer);
		kfree(nf);
		return error;
	}
	kref_get(&null->refs);
	file->private_data = nf;
	return 0;
}

static int null_release(struct inode *inode, struct file *file)
{
	struct null_file *nf = file->private_data;
	struct null_device *null = nf->null;

	spin_lock(&null->lock);
	null->files[nf->tag] = NULL;
	spin_unlock(&null->lock);
	kvfree(nf->buffer);
	kfree(nf);
	kref_put(&null->refs, null_release_device);
	return 0;
}

static ssize_t null_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct null_file *nf = iocb->ki_filp->private_data;
	size_t len = min_t(size_t, iov_iter_count(to), SUPERDEV_MAX_PAYLOAD);
	bool is_echo = iocb->ki_filp->f_mode & FMODE_WRITE;
	int error;

	if (!len)
		return 0;
	if (mutex_lock_interruptible(&nf->mutex))
		return -ERESTARTSYS;
	if (!is_echo) {
		nf->start = 0;
		nf->have = 0;
		error = null_ask(nf, SUPERDEV_NULL_SOURCE, iocb->ki_pos, len, 0);
		if (error)
			goto out;
		nf->have = len;
	}
	len = copy_to_iter(nf->buffer + nf->start, min(len, nf->have), to);
	error = len || !nf->have ? 0 : -EFAULT;
	nf->start += len;
	nf->have -= len;
	iocb->ki_pos += len;
out:
	mutex_unlock(&nf->mutex);
	return error ? error : len;
}

static ssize_t null_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct null_file *nf = iocb->ki_filp->private_data;
	size_t len = min_t(size_t, iov_iter_count(from), SUPERDEV_MAX_PAYLOAD);
	bool is_echo = iocb->ki_filp->f_mode & FMODE_READ;
	int error;

	if (!len)
		return 0;
	if (mutex_lock_interruptible(&nf->mutex))
		return -ERESTARTSYS;
	nf->start = 0;
	nf->have = 0;
	error = -EFAULT;
	if (copy_from_iter_full(nf->buffer, len, from))
		error = null_ask(nf, is_echo ? SUPERDEV_NULL_ECHO : SUPERDEV_NULL_SINK,
				 0, len, len);
	if (!error && is_echo)
		nf->have = len;
	mutex_unlock(&nf->mutex);
	return error ? error : len;
}

static const struct file_operations null_fops = {
	.owner		= THIS_MODULE,
	.open		= null_open,
	.release	= null_release,
	.read_iter	= null_read_iter,
	.write_iter	= null_write_iter,
	.llseek		= default_llseek,
};

/* The device -------------------------------------------------------------------- */

static int null_probe(struct sdv_device *sdev)
{
	struct null_device *null;
	int error;

	null = kzalloc(sizeof(*null), GFP_KERNEL);
	if (!null)
		return -ENOMEM;
	kref_init(&null->refs);
	spin_lock_init(&null->lock);
	init_waitqueue_head(&null->wait);
	get_device(&sdev->dev);
	null->sdev = sdev;
	snprintf(null->name, sizeof(null->name), "superdev-null%d", sdev->index);
	null->misc.minor = MISC_DYNAMIC_MINOR;
	null->misc.name = null->name;
	null->misc.fops = &null_fops;
	null->misc.parent = &sdev->dev;
	dev_set_drvdata(&sdev->dev, null);

	/* Before there is a file, for with it may come the first request. */
	error = sdv_device_start(sdev);
	if (error)
		goto err_put;
	error = misc_register(&null->misc);
	if (error) {
		sdv_device_error(sdev, "no node /dev/%s (%pe)", null->name, ERR_PTR(error));
		goto err_stop;
	}
	return 0;

err_stop:
	sdv_device_stop(sdev);
err_put:
	kref_put(&null->refs, null_release_device);
	return error;
}

static void null_die(struct null_device *null)
{
	spin_lock(&null->lock);
	null->is_dead = true;
	spin_unlock(&null->lock);
	wake_up_all(&null->wait);
}

/* Open files stay, and get ENODEV; the last of them frees @null. */
static void null_remove(struct sdv_device *sdev)
{
	struct null_device *null = dev_get_drvdata(&sdev->dev);

	null_die(null);
	misc_deregister(&null->misc);
	kref_put(&null->refs, null_release_device);
}

static int null_close(struct sdv_device *sdev, bool force)
{
	struct null_device *null = dev_get_drvdata(&sdev->dev);
	unsigned int tag;

	spin_lock(&null->lock);
	for (tag = 0; tag < NULL_FILES && !force; tag++) {
		if (null->files[tag]) {
			spin_unlock(&null->lock);
			return -EBUSY;
		}
	}
	null->is_dead = true;
	spin_unlock(&null->lock);
	wake_up_all(&null->wait);
	return 0;
}

static void null_lane_up(struct sdv_device *sdev, struct sdv_lane *lane)
{
	struct null_device *null = dev_get_drvdata(&sdev->dev);

	wake_up_all(&null->wait);
}

static void null_lane_down(struct sdv_device *sdev, struct sdv_lane *lane)
{
	struct null_device *null = dev_get_drvdata(&sdev->dev);
	unsigned int tag;

	spin_lock(&null->lock);
	for (tag = 0; tag < NULL_FILES; tag++) {
		struct null_file *nf = null->files[tag];

		/* Owned still: its sender is about to be refused. */
		if (nf && nf->lane == lane && !nf->is_owned && !nf->is_answered) {
			nf->lane = NULL;
			nf->is_lost = true;
		}
	}
	spin_unlock(&null->lock);
	wake_up_all(&null->wait);
}

static const char *null_node(struct sdv_device *sdev)
{
	struct null_device *null = dev_get_drvdata(&sdev->dev);

	return null->name;
}

static struct sdv_driver null_driver = {
	.driver = {
		.name	= "superdev_null",
		.owner	= THIS_MODULE,
	},
	.class		= "null",
	.wire_class	= SUPERDEV_CLASS_NULL,
	.lane_ops	= &null_lane_ops,
	.probe		= null_probe,
	.remove		= null_remove,
	.close		= null_close,
	.lane_up	= null_lane_up,
	.lane_down	= null_lane_down,
	.node		= null_node,
};

static int __init null_init(void)
{
	return sdv_driver_register(&null_driver);
}

static void __exit null_exit(void)
{
	sdv_driver_unregister(&null_driver);
}

module_init(null_init);
module_exit(null_exit);
MODULE_DESCRIPTION("superdev: class null, a template and a test double");
MODULE_LICENSE("GPL");
MODULE_ALIAS("superdev:null");
