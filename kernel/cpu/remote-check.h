/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * remote-check.h: what a worker wrote, held against what it was asked.  Pure
 * functions, so that remote_test.c can have them.
 */
#ifndef _SUPERDEV_REMOTE_CHECK_H
#define _SUPERDEV_REMOTE_CHECK_H

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/poll.h>
#include <linux/time64.h>

#include "uapi/superdev_cpu.h"

/* Beyond this are numbers of the kernel's own, such as ERESTARTSYS. */
#define SDV_REMOTE_ERRNO_MAX	133

#define SDV_REMOTE_READY_BITS	((__force u32)(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR |	\
						EPOLLHUP | EPOLLRDNORM | EPOLLRDBAND |	\
						EPOLLWRNORM | EPOLLWRBAND | EPOLLRDHUP))

/**
 * sdv_remote_new_check() - what NEW was given
 * @new: as the worker wrote it
 *
 * Return: 0 or -EINVAL.
 */
static inline int sdv_remote_new_check(const struct superdev_remote_new *new)
{
	if (!new->cookie || new->cookie & SUPERDEV_REMOTE_COOKIE_OURS)
		return -EINVAL;
	if (new->kind < SUPERDEV_REMOTE_TTY || new->kind > SUPERDEV_REMOTE_CHR)
		return -EINVAL;
	if (new->flags & ~(O_ACCMODE | O_APPEND | O_NONBLOCK | O_CLOEXEC) ||
	    (new->flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (new->mode & ~07777 || new->size > S64_MAX || new->reserved || new->reserved2)
		return -EINVAL;
	if (new->rdev_major > 4095 || new->rdev_minor > 1048575 ||
	    new->dev_major > 4095 || new->dev_minor > 1048575)
		return -EINVAL;
	if (!new->name != !new->name_length || new->name_length > SUPERDEV_REMOTE_NAME_MAX)
		return -EINVAL;
	return 0;
}

/**
 * sdv_remote_message_check() - a message of the worker by itself
 * @reply: its header
 * @size: bytes that were written, header and data; at least a header
 *
 * Return: 0 or -EINVAL.
 */
static inline int sdv_remote_message_check(const struct superdev_remote_reply *reply, size_t size)
{
	if (reply->length != size - sizeof(*reply) || reply->reserved)
		return -EINVAL;
	if (reply->ready & ~SDV_REMOTE_READY_BITS || (!reply->sequence && reply->ready))
		return -EINVAL;
	switch (reply->type) {
	case SUPERDEV_REMOTE_REPLY:
		return reply->id && !reply->cookie ? 0 : -EINVAL;
	case SUPERDEV_REMOTE_READY:
		return !reply->id && reply->cookie && reply->sequence && !reply->length &&
			       !reply->result ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

/**
 * sdv_remote_answer_check() - is this an answer to that?
 * @ask: the request
 * @reply: passed sdv_remote_message_check()
 *
 * The length of the data is all that is looked at of it.
 *
 * Return: 0 or -EINVAL.
 */
static inline int sdv_remote_answer_check(const struct superdev_remote_request *ask,
					  const struct superdev_remote_reply *reply)
{
	s64 min = 0, max = 0;
	u32 length = ask->length;

	if (reply->result < 0)
		return reply->result >= -SDV_REMOTE_ERRNO_MAX && !reply->length ? 0 : -EINVAL;
	switch (ask->op) {
	case SUPERDEV_REMOTE_READ:
		max = ask->length;
		length = min_t(s64, reply->result, max);
		break;
	case SUPERDEV_REMOTE_WRITE:
		min = 1;
		max = ask->data_length;
		break;
	case SUPERDEV_REMOTE_IOCTL:
		max = INT_MAX;
		break;
	case SUPERDEV_REMOTE_SEEK:
		max = S64_MAX;
		break;
	case SUPERDEV_REMOTE_POLL:
		if (!reply->sequence)
			return -EINVAL;
		break;
	}
	if (reply->result < min || reply->result > max || reply->length != length)
		return -EINVAL;
	return 0;
}

/**
 * sdv_remote_attr_check() - attributes that fstat() may show
 * @attr: data of a reply
 *
 * Return: 0 or -EIO.
 */
static inline int sdv_remote_attr_check(const struct superdev_remote_attr *attr)
{
	if (attr->size > S64_MAX || attr->blocks > S64_MAX || attr->mode & ~07777)
		return -EIO;
	if (attr->atime_ns >= NSEC_PER_SEC || attr->mtime_ns >= NSEC_PER_SEC ||
	    attr->ctime_ns >= NSEC_PER_SEC)
		return -EIO;
	return attr->blksize && attr->blksize <= 1 << 30 ? 0 : -EIO;
}

/**
 * sdv_remote_lock_check() - a lock that F_GETLK may show
 * @lock: data of a reply
 *
 * Return: 0 or -EIO.
 */
static inline int sdv_remote_lock_check(const struct superdev_remote_lock *lock)
{
	if (lock->type == F_UNLCK)
		return 0;
	if (lock->type != F_RDLCK && lock->type != F_WRLCK)
		return -EIO;
	return lock->start >= 0 && lock->end >= lock->start && lock->pid <= INT_MAX ? 0 : -EIO;
}

#endif /* _SUPERDEV_REMOTE_CHECK_H */
