/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * superdev_cpu.h: remote files, descriptors at a lender that are really home's.
 *
 * Between superdev_cpu.ko, which makes the descriptors and serves the guests that
 * use them, and a worker, which talks to home.  The kernel never sees what home
 * sent: what it reads here was written by a local process, and is checked as if
 * that process were hostile.
 *
 *	channel = open(SUPERDEV_REMOTE_DEVICE, O_RDWR | O_CLOEXEC)
 *	fd = ioctl(channel, SUPERDEV_REMOTE_NEW, &new)		give it to the guest
 *	read(channel)						a request
 *	write(channel)						its reply, or news
 *
 * A channel ends when its last descriptor is closed.  From then on every operation
 * on its files fails with EIO, at once.  So the worker alone may hold it.
 *
 * One read() gets one request, one write() brings one reply; both may be done by
 * several threads.  read() wants a buffer of SUPERDEV_REMOTE_MESSAGE_MAX bytes
 * (else EINVAL), blocks unless O_NONBLOCK (EAGAIN), and poll() tells when there is
 * something to be read; a channel can always be written.
 *
 * Numbers are the machine's own: errno, ioctls, signals and structures of home and
 * lender are the same, or the worker translates.
 */
#ifndef _UAPI_SUPERDEV_CPU_H
#define _UAPI_SUPERDEV_CPU_H

#include <linux/types.h>

#define SUPERDEV_REMOTE_DEVICE		"/dev/superdev-remote"

/* No request and no reply carries more data than this. */
#define SUPERDEV_REMOTE_DATA_MAX	(128u << 10)
/* A buffer of this size holds any request. */
#define SUPERDEV_REMOTE_MESSAGE_MAX	(SUPERDEV_REMOTE_DATA_MAX + 128u)
/* Longest name of a file, without its end. */
#define SUPERDEV_REMOTE_NAME_MAX	1023u

/* What a file is at home. */
enum superdev_remote_kind {
	SUPERDEV_REMOTE_TTY	= 1,	/* character device, a stream, terminal ioctls */
	SUPERDEV_REMOTE_PIPE	= 2,	/* FIFO, a stream, EPIPE comes with SIGPIPE */
	SUPERDEV_REMOTE_SOCKET	= 3,	/* socket, for read() and write() alone; EPIPE as above */
	SUPERDEV_REMOTE_FILE	= 4,	/* regular file; its position is home's */
	SUPERDEV_REMOTE_CHR	= 5,	/* another character device, a stream */
};

/**
 * struct superdev_remote_new - SUPERDEV_REMOTE_NEW: make a descriptor
 * @cookie:  the worker's name of the file, not 0; requests carry it.  Unique among
 *           the channel's files until RELEASE of it was read, else EEXIST
 * @kind:    enum superdev_remote_kind
 * @flags:   access mode, O_APPEND and O_NONBLOCK of the file; O_CLOEXEC of the
 *           descriptor that is made
 * @mode:    permission bits, which count when the file is opened once more by way of
 *           /proc/PID/fd; its type is @kind's
 * @uid:     owner, in the user namespace of who opened the channel
 * @gid:     likewise
 * @rdev_major: what fstat() says of a character device
 * @rdev_minor: likewise
 * @reserved: 0
 * @dev_major: st_dev, where @ino is not 0
 * @dev_minor: likewise
 * @ino:     st_ino; 0: it and st_dev are our own
 * @size:    st_size until home is asked, of a regular file
 * @name:    address of what /proc/PID/fd shows, such as "/dev/pts/3"; 0: a default
 * @name_length: its bytes, at most SUPERDEV_REMOTE_NAME_MAX, none of them 0
 * @reserved2: 0
 *
 * The ioctl returns the descriptor, or fails with EINVAL, EEXIST, EMFILE, ENFILE,
 * ENOMEM, EFAULT, or ENOSPC where the channel has SUPERDEV_REMOTE_FILES_MAX files.
 */
struct superdev_remote_new {
	__aligned_u64	cookie;
	__u32		kind;
	__u32		flags;
	__u32		mode;
	__u32		uid;
	__u32		gid;
	__u32		rdev_major;
	__u32		rdev_minor;
	__u32		reserved;
	__u32		dev_major;
	__u32		dev_minor;
	__aligned_u64	ino;
	__aligned_u64	size;
	__aligned_u64	name;
	__u32		name_length;
	__u32		reserved2;
};

#define SUPERDEV_REMOTE_FILES_MAX	16384u
#define SUPERDEV_REMOTE_NEW		_IOW('s', 0x40, struct superdev_remote_new)

/*
 * What is asked.  "data" follows the request or the reply; "result" is the reply's.
 * Every operation may be answered with a negative errno and no data.
 */
enum superdev_remote_op {
	/*
	 * @length bytes at most, of the position of home's file, or at @offset with
	 * SUPERDEV_REMOTE_F_OFFSET.  Result and data: the bytes, 0 at the end.
	 */
	SUPERDEV_REMOTE_READ		= 1,
	/* Data, likewise.  Result: the bytes taken, at least 1. */
	SUPERDEV_REMOTE_WRITE		= 2,
	/*
	 * Result 0 and a readiness.  From this request on the worker tells of every event
	 * (see superdev_remote_reply); it must begin to watch before it looks.
	 */
	SUPERDEV_REMOTE_POLL		= 3,
	/*
	 * ioctl number @command, its argument @argument where that is a number, else
	 * data of the request and @length bytes of data in the reply, where it has
	 * these.  Result: the ioctl's.
	 */
	SUPERDEV_REMOTE_IOCTL		= 4,
	/* lseek() by @offset, whence @command.  Result: the new position. */
	SUPERDEV_REMOTE_SEEK		= 5,
	/* fsync(), of the data alone where @command is 1. */
	SUPERDEV_REMOTE_SYNC		= 6,
	/* struct superdev_remote_lock both ways; @command is F_GETLK, F_SETLK or F_SETLKW. */
	SUPERDEV_REMOTE_LOCK		= 7,
	/* Data of the reply: struct superdev_remote_attr. */
	SUPERDEV_REMOTE_GETATTR		= 8,
	/* ftruncate() to @offset. */
	SUPERDEV_REMOTE_TRUNCATE	= 9,
	/* fallocate(): mode @command, from @offset, @argument bytes. */
	SUPERDEV_REMOTE_ALLOCATE	= 10,
	/*
	 * Home's file is opened once more, as by /proc/PID/fd, with the access
	 * mode, O_APPEND, O_NONBLOCK, O_SYNC and O_NOCTTY in @command.
	 * Result 0; from then on there is a file with the cookie @argument as well.  It is
	 * of the kernel's choice, and has the highest bit, which NEW refuses.  Where the
	 * write() of the reply fails with ECANCELED there is none.
	 */
	SUPERDEV_REMOTE_OPEN		= 11,
	/* The last descriptor is closed.  No reply: @id is 0. */
	SUPERDEV_REMOTE_RELEASE		= 12,
	/*
	 * Who waits for @id got a signal.  No reply to this; the reply to @id is wanted
	 * soon: what is done is told as it is, and -EINTR means that nothing was done.
	 * An @id that was answered is ignored.  Where several threads read the channel,
	 * this may be looked at before what it interrupts.
	 */
	SUPERDEV_REMOTE_INTERRUPT	= 13,
};

#define SUPERDEV_REMOTE_COOKIE_OURS	(1ull << 63)

/* superdev_remote_request.flags */
#define SUPERDEV_REMOTE_F_OFFSET	(1u << 0)	/* @offset counts, not the position */
#define SUPERDEV_REMOTE_F_NONBLOCK	(1u << 1)	/* -EAGAIN rather than waiting */
#define SUPERDEV_REMOTE_F_APPEND	(1u << 2)	/* write at the end */
#define SUPERDEV_REMOTE_F_SYNC		(1u << 3)	/* on stable storage before the reply */
#define SUPERDEV_REMOTE_F_DETACHED	(1u << 4)	/* stands though the asker may end */

/**
 * struct superdev_remote_request - what read() gets; @data_length bytes follow
 * @id:      of the request, never used again; for INTERRUPT that of the other one
 * @cookie:  of the file
 * @op:      enum superdev_remote_op
 * @flags:   SUPERDEV_REMOTE_F_*
 * @offset:  see the op, as are @argument, @command and @length
 * @argument: "
 * @command: "
 * @length:  "
 * @data_length: bytes that follow
 * @pid:     process that asks, as the opener of the channel sees it; 0: it is out of
 *           its sight
 * @tid:     likewise the thread
 * @reserved: 0
 */
struct superdev_remote_request {
	__aligned_u64	id;
	__aligned_u64	cookie;
	__u32		op;
	__u32		flags;
	__aligned_s64	offset;
	__aligned_u64	argument;
	__u32		command;
	__u32		length;
	__u32		data_length;
	__u32		pid;
	__u32		tid;
	__u32		reserved;
};

/* superdev_remote_reply.type */
enum superdev_remote_type {
	SUPERDEV_REMOTE_REPLY	= 1,	/* answers @id */
	SUPERDEV_REMOTE_READY	= 2,	/* news: an event of the file @cookie; @id is 0 */
};

/**
 * struct superdev_remote_reply - what write() takes; @length bytes follow
 * @id:      of the request
 * @cookie:  of the file
 * @type:    enum superdev_remote_type
 * @length:  bytes of data that follow
 * @result:  see the op, or -errno, -133 to -1; 0 in news
 * @sequence: number of the observation of @ready; 0: this says nothing of it
 * @ready:   POLL* bits that hold at home: of a poll() for everything, after the
 *           operation
 * @reserved: 0
 *
 * Home counts its observations of a file, in replies and news alike, and a younger
 * one replaces an older one, in whatever order they arrive.  News wake whoever polls
 * in any case: they stand for an event (as edge-triggered epoll reports it), a
 * reply only when it has bits that were not known.  What holds according to the last
 * observation is believed for SUPERDEV_REMOTE_FRESH_MS and then asked for anew before
 * it is told to a guest; what does not hold is believed, from the first POLL on, until
 * there are news.
 *
 * write() fails with
 * EINVAL     the message is malformed, or not an answer to what was asked; the request
 *            waits on
 * ENOENT     there is no such request (answered already, never asked) or file
 * ECANCELED  the asker was killed: the data of this reply reached nobody, and if home
 *            can give it back, it should
 * EFAULT     the message can't be read; nothing happened
 */
struct superdev_remote_reply {
	__aligned_u64	id;
	__aligned_u64	cookie;
	__u32		type;
	__u32		length;
	__aligned_s64	result;
	__aligned_u64	sequence;
	__u32		ready;
	__u32		reserved;
};

#define SUPERDEV_REMOTE_FRESH_MS	10u

/**
 * struct superdev_remote_lock - a lock, of a LOCK request, or that which is in its way
 * @owner:   who has it: locks of the same owner do not conflict, and the same number
 *           never means two owners at a time.  0 for flock(): home's file has it
 * @start:   first byte
 * @end:     last byte; S64_MAX: to the end
 * @type:    F_RDLCK, F_WRLCK or F_UNLCK
 * @pid:     as in the request; in a reply to F_GETLK the pid to be shown
 */
struct superdev_remote_lock {
	__aligned_u64	owner;
	__aligned_s64	start;
	__aligned_s64	end;
	__u32		type;
	__u32		pid;
};

/**
 * struct superdev_remote_attr - what fstat() tells of a regular file
 * @size:    bytes
 * @blocks:  of 512 bytes
 * @atime:   seconds; likewise @mtime, @ctime
 * @atime_ns: and below them
 * @mode:    permission bits
 * @nlink:   names
 * @uid:     owner, in the user namespace of who opened the channel
 * @gid:     likewise
 * @blksize: best size of a read
 */
struct superdev_remote_attr {
	__aligned_u64	size;
	__aligned_u64	blocks;
	__aligned_s64	atime;
	__aligned_s64	mtime;
	__aligned_s64	ctime;
	__u32		atime_ns;
	__u32		mtime_ns;
	__u32		ctime_ns;
	__u32		mode;
	__u32		nlink;
	__u32		uid;
	__u32		gid;
	__u32		blksize;
};

#ifdef __cplusplus
#define SUPERDEV_REMOTE_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define SUPERDEV_REMOTE_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif
SUPERDEV_REMOTE_SIZE(struct superdev_remote_new, 80);
SUPERDEV_REMOTE_SIZE(struct superdev_remote_request, 64);
SUPERDEV_REMOTE_SIZE(struct superdev_remote_reply, 48);
SUPERDEV_REMOTE_SIZE(struct superdev_remote_lock, 32);
SUPERDEV_REMOTE_SIZE(struct superdev_remote_attr, 72);
#undef SUPERDEV_REMOTE_SIZE

#endif /* _UAPI_SUPERDEV_CPU_H */
