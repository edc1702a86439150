/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * remote.h: remote files: channels to workers, files of guests, requests between
 * the two.  Documentation/remote-files has the whole picture.
 *
 *	remote.c		the device: channels, what workers read and write
 *	remote-request.c	requests, from the asker's side
 *	remote-inode.c		the pseudo file system, fstat(), new files
 *	remote-file.c		read, write, poll, seek
 *	remote-ioctl.c		ioctls
 *	remote-lock.c		flock() and POSIX locks
 */
#ifndef _SUPERDEV_REMOTE_H
#define _SUPERDEV_REMOTE_H

#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "uapi/superdev_cpu.h"

struct cred;
struct file_lock;
struct iov_iter;
struct pid_namespace;
struct sdv_remote_file;

/* Requests that a channel has at a time, and bytes in their buffers; more wait. */
#define SDV_REMOTE_REQUESTS_MAX	1024
#define SDV_REMOTE_BYTES_MAX	(16 << 20)

/**
 * struct sdv_remote_channel - an open /dev/superdev-remote
 * @refs:	the device's file one, each remote file one
 * @pid_ns:	of the opener; requests say who asks in its terms
 * @cred:	of the opener; owners of files are meant in its user namespace
 * @lock:	protects all below, the state of the channel's requests and what
 *		is said to be so in its files.  Wait queues are woken under it, so
 *		it nests outside of their locks and of epoll's.
 * @is_dead:	the worker is gone; nothing is queued any more
 * @last_id:	of a request
 * @last_cookie: that we chose
 * @queue:	requests that no worker has read, oldest first
 * @interrupts:	requests whose INTERRUPT no worker has read
 * @requests:	requests that will be answered, by id
 * @files:	by cookie, until their RELEASE is queued
 * @nr_requests: in @requests, without those of no asker
 * @nr_bytes:	of their buffers
 * @nr_files:	in @files
 * @worker_wait: workers that read or poll
 * @slot_wait:	askers that wait for others to be answered
 */
struct sdv_remote_channel {
	struct kref		refs;
	struct pid_namespace	*pid_ns;
	const struct cred	*cred;
	spinlock_t		lock;	/* see above */
	bool			is_dead;
	u64			last_id;
	u64			last_cookie;
	struct list_head	queue;
	struct list_head	interrupts;
	DECLARE_HASHTABLE(requests, 8);
	DECLARE_HASHTABLE(files, 8);
	unsigned int		nr_requests;
	size_t			nr_bytes;
	unsigned int		nr_files;
	wait_queue_head_t	worker_wait;
	wait_queue_head_t	slot_wait;
};

/* Where a request is; channel->lock. */
enum sdv_remote_state {
	SDV_REMOTE_IDLE,	/* its asker's alone */
	SDV_REMOTE_QUEUED,	/* in channel->queue */
	SDV_REMOTE_READING,	/* a worker copies it out */
	SDV_REMOTE_SENT,	/* may be answered */
	SDV_REMOTE_ANSWERING,	/* a worker copies its answer in */
	SDV_REMOTE_DONE,	/* its asker's again, with @result */
};

/**
 * struct sdv_remote_request - a request
 * @refs:	the asker's, and one of the channel from queueing until it is done
 * @file:	whose it is; a reference
 * @node:	in channel->requests; hashed while it may yet be answered
 * @entry:	in channel->queue, or a list of those to be put
 * @interrupt:	in channel->interrupts
 * @wait:	the asker
 * @state:	enum sdv_remote_state; channel->lock, but DONE is read without
 * @is_embedded: it is file->poll or file->release, and has no asker
 * @is_detached: it has no asker, or one that does without the answer
 * @is_interrupted: the asker got a signal after it was READING
 * @is_abandoned: the asker was killed and is gone
 * @ask:	what the worker reads; complete once queued
 * @data:	of the question, then of the answer: ask.data_length and ask.length
 *		bytes; the asker's while IDLE and DONE, the worker's while READING and
 *		ANSWERING
 * @size:	of @data
 * @result:	when DONE
 */
struct sdv_remote_request {
	refcount_t		refs;
	struct sdv_remote_file	*file;
	struct hlist_node	node;
	struct list_head	entry;
	struct list_head	interrupt;
	wait_queue_head_t	wait;
	enum sdv_remote_state	state;
	bool			is_embedded;
	bool			is_detached;
	bool			is_interrupted;
	bool			is_abandoned;
	struct superdev_remote_request ask;
	void			*data;
	size_t			size;
	s64			result;
};

/**
 * struct sdv_remote_file - an open file of home
 * @refs:	struct file one, each request one; the inode one to that which NEW made
 * @channel:	a reference
 * @cookie:	what the worker knows it by
 * @kind:	enum superdev_remote_kind
 * @name:	what /proc shows, or NULL
 * @dev:	st_dev, where @ino is not 0
 * @ino:	st_ino
 * @node:	in channel->files; channel->lock, as all below
 * @is_announced: the worker has to be told of its end
 * @ready:	what holds at home, according to observation number @sequence
 * @sequence:	0: there was none
 * @is_watched:	home was asked by POLL, and tells of events
 * @fresh_until: jiffies until which @ready is believed
 * @is_asking:	@poll is on its way
 * @nr_answers:	to @poll
 * @wait:	pollers
 * @ask_wait:	pollers that wait for the answer to @poll
 * @poll:	the POLL request, one at a time for all pollers; here, because poll()
 *		can not fail for want of memory
 * @release:	the RELEASE request; here, because close() can not either
 */
struct sdv_remote_file {
	struct kref		refs;
	struct sdv_remote_channel *channel;
	u64			cookie;
	u32			kind;
	char			*name;
	dev_t			dev;
	u64			ino;
	struct hlist_node	node;
	bool			is_announced;
	u32			ready;
	u64			sequence;
	unsigned long		fresh_until;
	bool			is_watched;
	bool			is_asking;
	u64			nr_answers;
	wait_queue_head_t	wait;
	wait_queue_head_t	ask_wait;
	struct sdv_remote_request poll;
	struct sdv_remote_request release;
};

/* The position of a file that can seek is home's: so f_pos is this, which no user can ask for. */
#define SDV_REMOTE_POSITION	(-S64_MAX)

/* Its position is home's, and pread() is possible. */
static inline bool sdv_remote_can_seek(const struct sdv_remote_file *rf)
{
	return rf->kind == SUPERDEV_REMOTE_FILE;
}

/* remote.c */
int sdv_remote_init(void);
void sdv_remote_exit(void);
void sdv_remote_channel_get(struct sdv_remote_channel *channel);
void sdv_remote_channel_put(struct sdv_remote_channel *channel);

/* remote-request.c */
int sdv_remote_request_init(void);
void sdv_remote_request_exit(void);
struct sdv_remote_request *sdv_remote_request_alloc(struct sdv_remote_file *rf, u32 op,
						    size_t size);
void sdv_remote_request_embed(struct sdv_remote_request *req, struct sdv_remote_file *rf, u32 op);
void sdv_remote_request_put(struct sdv_remote_request *req);
s64 sdv_remote_ask(struct sdv_remote_request *req, bool interruptible);
void sdv_remote_post(struct sdv_remote_request *req, bool wait);
bool sdv_remote_post_locked(struct sdv_remote_request *req);
void sdv_remote_request_done(struct sdv_remote_request *req, s64 result);

/* remote-inode.c */
int sdv_remote_inode_init(void);
void sdv_remote_inode_exit(void);
int sdv_remote_fs_get(void);
void sdv_remote_fs_put(void);
int sdv_remote_new(struct sdv_remote_channel *channel, const struct superdev_remote_new *new);
int sdv_remote_open(struct inode *inode, struct file *file);
void sdv_remote_file_put(struct sdv_remote_file *rf);
void sdv_remote_file_release(struct sdv_remote_file *rf);

/* remote-file.c */
const struct file_operations *sdv_remote_fops(u32 kind);
void sdv_remote_file_mode(struct file *file);
void sdv_remote_observe(struct sdv_remote_file *rf, const struct superdev_remote_reply *reply);
void sdv_remote_hang_up(struct sdv_remote_file *rf);

/* remote-ioctl.c */
long sdv_remote_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* remote-lock.c */
void sdv_remote_lock_init(void);
int sdv_remote_flock(struct file *file, int cmd, struct file_lock *fl);
int sdv_remote_lock(struct file *file, int cmd, struct file_lock *fl);

#endif /* _SUPERDEV_REMOTE_H */
