// SPDX-License-Identifier: GPL-2.0-only
/*
 * remote-lock.c: flock() and POSIX locks of remote files, which home grants: other
 * holders are there.
 *
 * A POSIX lock that was granted is noted at the lender too, so that the kernel asks
 * for its end when the process closes the file.  flock() is home's file's own, which
 * descriptors at home may share, and ends with the last of them.
 */
#include <linux/filelock.h>
#include <linux/pid.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/siphash.h>
#include <linux/slab.h>

#include "remote.h"
#include "remote-check.h"

/* Owners are told apart by address, and addresses of the kernel are not to be told. */
static siphash_key_t owner_key;

/**
 * sdv_remote_lock_init() - draws what hides owners of locks
 *
 * Context: module init, may sleep.
 */
void sdv_remote_lock_init(void)
{
	get_random_bytes(&owner_key, sizeof(owner_key));
}

static struct sdv_remote_request *lock_request(struct file *file, int cmd,
					       const struct file_lock *fl)
{
	struct sdv_remote_request *req;
	struct superdev_remote_lock *lock;

	req = sdv_remote_request_alloc(file->private_data, SUPERDEV_REMOTE_LOCK, sizeof(*lock));
	if (IS_ERR(req))
		return req;
	lock = req->data;
	*lock = (struct superdev_remote_lock) {
		.start = fl->fl_start,
		.end = fl->fl_end,
		.type = fl->c.flc_type,
		.pid = req->ask.pid,
	};
	if (fl->c.flc_flags & FL_POSIX)
		lock->owner = siphash_1u64((unsigned long)fl->c.flc_owner, &owner_key) ?: 1;
	req->ask.command = cmd;
	req->ask.data_length = sizeof(*lock);
	if (cmd == F_GETLK)
		req->ask.length = sizeof(*lock);
	return req;
}

static int lock_test(struct sdv_remote_request *req, struct file_lock *fl)
{
	const struct superdev_remote_lock *lock = req->data;
	int error = sdv_remote_ask(req, false);

	if (!error)
		error = sdv_remote_lock_check(lock);
	if (error)
		return error;
	fl->c.flc_type = lock->type;
	if (lock->type == F_UNLCK)
		return 0;
	fl->fl_start = lock->start;
	fl->fl_end = lock->end;
	/* A process of home has no pid here: negative, it is shown as it is. */
	fl->c.flc_pid = -(pid_t)lock->pid;
	return 0;
}

/*
 * A process closes the file, or ends, and its locks end with that.  The note of them
 * goes in any case, though memory is short or the channel dead: the kernel would miss
 * who has the lock.  Who ends does not wait for home, nor does a thread of the kernel.
 */
static int lock_close(struct file *file, struct sdv_remote_request *req, struct file_lock *fl)
{
	posix_lock_file(file, fl, NULL);
	if (IS_ERR(req))
		return PTR_ERR(req);
	req->is_detached = true;
	sdv_remote_post(req, !(current->flags & (PF_EXITING | PF_KTHREAD)));
	sdv_remote_request_put(req);
	return 0;
}

/**
 * sdv_remote_lock() - the operation of fcntl() locks
 * @file: the file
 * @cmd: F_GETLK, F_SETLK or F_SETLKW
 * @fl: the lock
 *
 * Return: 0, -EAGAIN or another error that home gives, -ENOMEM, -EIO, -ERESTARTSYS.
 */
int sdv_remote_lock(struct file *file, int cmd, struct file_lock *fl)
{
	struct sdv_remote_request *req = lock_request(file, cmd, fl);
	int error;

	if (fl->c.flc_type == F_UNLCK && fl->c.flc_flags & FL_CLOSE)
		return lock_close(file, req, fl);
	if (IS_ERR(req))
		return PTR_ERR(req);
	if (cmd == F_GETLK)
		error = lock_test(req, fl);
	else
		error = sdv_remote_ask(req, cmd == F_SETLKW && fl->c.flc_type != F_UNLCK);
	sdv_remote_request_put(req);
	if (error || cmd == F_GETLK)
		return error;
	/*
	 * Home has decided, so a conflict here can only be one with a lock that home has
	 * taken back by now; without a note its end comes with that of the file.
	 */
	fl->c.flc_flags &= ~FL_SLEEP;
	posix_lock_file(file, fl, NULL);
	return 0;
}

/**
 * sdv_remote_flock() - the operation of flock()
 * @file: the file
 * @cmd: F_SETLK or F_SETLKW
 * @fl: the lock
 *
 * Return: 0, -EAGAIN or another error that home gives, -ENOMEM, -EIO, -ERESTARTSYS.
 */
int sdv_remote_flock(struct file *file, int cmd, struct file_lock *fl)
{
	struct sdv_remote_request *req = lock_request(file, cmd, fl);
	int error;

	if (IS_ERR(req))
		return PTR_ERR(req);
	error = sdv_remote_ask(req, cmd == F_SETLKW && fl->c.flc_type != F_UNLCK);
	sdv_remote_request_put(req);
	return error;
}
