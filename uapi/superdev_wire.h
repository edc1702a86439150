/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * superdev_wire.h: every frame that two superdev machines exchange.
 *
 * Owned by nobody at run time: the kernel modules, the agent and the workers
 * include it, and so may any other implementation.  All fields are little
 * endian; reserved fields are zero when sent and refused when they are not.
 */
#ifndef _UAPI_SUPERDEV_WIRE_H
#define _UAPI_SUPERDEV_WIRE_H

#include <linux/types.h>

#define SUPERDEV_MAGIC		0x31766473u	/* "sdv1" on the wire */
#define SUPERDEV_PORT		7338		/* TCP, unless configured */

/* No frame carries more than this; a control frame far less. */
#define SUPERDEV_MAX_PAYLOAD	(1u << 20)
#define SUPERDEV_MAX_CONTROL	(16u << 10)
#define SUPERDEV_MAX_LANES	32u

/* Whom a frame is for: superdev_frame.class. */
enum superdev_wire_class {
	SUPERDEV_CLASS_CONTROL	= 0,
	SUPERDEV_CLASS_NULL	= 1,
	SUPERDEV_CLASS_BLK	= 2,
	SUPERDEV_CLASS_ACCEL	= 3,
	SUPERDEV_CLASS_CPU	= 4,
};

/* superdev_frame.flags */
#define SUPERDEV_F_REPLY	(1u << 0)	/* answers the frame of the same tag and seq */
#define SUPERDEV_F_REPLAY	(1u << 1)	/* may have been sent before on a lane that died */
#define SUPERDEV_F_CSUM		(1u << 2)	/* csum is valid; always set on clear lanes */
#define SUPERDEV_F_FUA		(1u << 3)	/* blk: on stable storage before the reply */
#define SUPERDEV_F_NOUNMAP	(1u << 4)	/* blk write zeroes: keep the blocks allocated */
#define SUPERDEV_F_KNOWN	0x1fu

/* superdev_frame.status of a reply; a request has 0. */
enum superdev_status {
	SUPERDEV_ST_OK		= 0,
	SUPERDEV_ST_IO		= 1,	/* the medium failed */
	SUPERDEV_ST_NOSPC	= 2,	/* backing store is full */
	SUPERDEV_ST_INVAL	= 3,	/* malformed: range, alignment, flags */
	SUPERDEV_ST_ROFS	= 4,	/* write to a read-only lease */
	SUPERDEV_ST_NOTSUPP	= 5,	/* op unknown or not supported here */
	SUPERDEV_ST_STALE	= 6,	/* lease returned, revoked, or of an older epoch */
	SUPERDEV_ST_NOMEM	= 7,	/* lender is out of memory; try again */
	SUPERDEV_ST_PERM	= 8,	/* this peer may not */
	SUPERDEV_ST_NOENT	= 9,	/* no such offer or lease */
	SUPERDEV_ST_BUSY	= 10,	/* exclusive, and taken */
	SUPERDEV_ST_NR,
};

/**
 * struct superdev_frame - header of every frame
 * @magic:   SUPERDEV_MAGIC
 * @class:   enum superdev_wire_class
 * @op:      what is asked, per class; a reply repeats it
 * @flags:   SUPERDEV_F_*
 * @tag:     number of the request; unique among a lease's requests in flight,
 *           whatever lane they are on
 * @status:  enum superdev_status in replies
 * @lease:   the lender's number of the lease; 0 on control connections
 * @seq:     counts the uses of @tag, so that a replay is told from a new request
 * @epoch:   epoch of the lease that the sender acts under
 * @length:  bytes of payload that follow the header
 * @offset:  class argument (blk: first byte of the range)
 * @count:   class argument (blk: bytes of the range)
 * @csum:    the low 32 bits of the XXH64 (seed 0) of the header with @csum
 *           zero and the payload, one after the other; 0 without
 *           SUPERDEV_F_CSUM
 * @reserved: zero
 */
struct superdev_frame {
	__le32	magic;
	__u8	class;
	__u8	op;
	__le16	flags;
	__le32	tag;
	__le32	status;
	__le64	lease;
	__le64	seq;
	__le32	epoch;
	__le32	length;
	__le64	offset;
	__le32	count;
	__le32	csum;
	__le64	reserved;
};

/* Control operations: class SUPERDEV_CLASS_CONTROL, see Documentation/wire. */
enum superdev_control_op {
	SUPERDEV_CTL_HELLO	= 1,	/* first frame in both directions; agent set */
	SUPERDEV_CTL_PING	= 2,
	SUPERDEV_CTL_OFFER	= 3,	/* lender: an offer appeared or changed; offer set */
	SUPERDEV_CTL_OFFER_GONE	= 4,	/* lender: an offer is no more; offer set */
	SUPERDEV_CTL_LEASE	= 5,	/* home asks for an offer; lease set both ways */
	SUPERDEV_CTL_RESUME	= 6,	/* home continues a lease; lease set both ways */
	SUPERDEV_CTL_RETURN	= 7,	/* home gives a lease back; lease set */
	SUPERDEV_CTL_REVOKE	= 8,	/* lender takes a lease back; lease set */
	SUPERDEV_CTL_CONFIG	= 9,	/* lender: a lease's config changed (resize); lease set */
	SUPERDEV_CTL_PAIR_COMMIT = 10,
	SUPERDEV_CTL_PAIR_NONCE	= 11,
	SUPERDEV_CTL_PAIR_REVEAL = 12,
	SUPERDEV_CTL_PAIR_CONFIRM = 13,
	SUPERDEV_CTL_TRANSPORT	= 14,	/* what the sender wants for lanes; peer set */
};

/* What a connection is for: SUPERDEV_A_AGENT_PURPOSE of its HELLO. */
enum superdev_purpose {
	SUPERDEV_PURPOSE_CONTROL = 1,
	SUPERDEV_PURPOSE_LANE	= 2,	/* lease, epoch and index say which */
	SUPERDEV_PURPOSE_PAIR	= 3,	/* the only one an unknown key may ask for */
	/* Of a lease of class cpu; lease, epoch, user and session say which. */
	SUPERDEV_PURPOSE_TASK	= 4,	/* one program; frames SUPERDEV_TASK_* */
	SUPERDEV_PURPOSE_FILES	= 5,	/* the user's files; frames SUPERDEV_FS_* */
};

/* Operations of the null class: template and test double. */
enum superdev_null_op {
	SUPERDEV_NULL_ECHO	= 1,	/* reply carries the request's payload */
	SUPERDEV_NULL_SINK	= 2,	/* payload is dropped */
	SUPERDEV_NULL_SOURCE	= 3,	/* reply carries @count bytes: offset + i, mod 251 */
};

/* Operations of the blk class; ranges are bytes, whole logical blocks. */
enum superdev_blk_op {
	SUPERDEV_BLK_READ	= 1,	/* reply carries @count bytes */
	SUPERDEV_BLK_WRITE	= 2,	/* request carries @count bytes */
	SUPERDEV_BLK_FLUSH	= 3,
	SUPERDEV_BLK_DISCARD	= 4,
	SUPERDEV_BLK_ZEROES	= 5,
};

/* Operations of the cpu class. */
enum superdev_cpu_op {
	SUPERDEV_CPU_STATUS	= 1,	/* reply carries struct superdev_cpu_status */
};

/* Most that superdev_cpu_status.load can say. */
#define SUPERDEV_CPU_LOAD_MAX	2000u

/**
 * struct superdev_cpu_status - how a lender of processors fares, in a reply
 * @load:    in 1/1000, over about the last second: the part of its processors
 *           that was busy, plus the part of the time in which some task waited
 *           for one; at most SUPERDEV_CPU_LOAD_MAX
 * @cpus:    processors that are online there, at least 1
 * @tasks:   processes that run for this lease
 * @own:     the part of @load that comes of what runs for this lease
 * @memory:  bytes available there
 * @used_us: processor time that the lease has used, in microseconds; counts
 *           anew where the lender was booted
 * @reserved: zero
 */
struct superdev_cpu_status {
	__le32	load;
	__le32	cpus;
	__le32	tasks;
	__le32	own;
	__le64	memory;
	__le64	used_us;
	__le64	reserved[4];
};

/*
 * Operations on home's files, class SUPERDEV_CLASS_CPU, on a connection of
 * their own between the process that mounts (lender) and the one that serves
 * (home).  Lease, epoch and seq are 0.  Every payload of a request is a struct
 * superdev_fs_request, then name, second name and data; what each operation
 * uses of it is in the comment: node, node2, arg, flags, mode, umask as fields,
 * and offset and count of the header.  Requests in flight are carried out in
 * any order.  Documentation/homefs has the prose.
 *
 * A refusal has a status, and as count the errno in the numbering of
 * asm-generic; nothing follows it.  offset of a reply is SUPERDEV_FS_R_*.
 */
enum superdev_fs_op {
	SUPERDEV_FS_HELLO	= 64,	/* first; reply: superdev_fs_hello */
	SUPERDEV_FS_FORGET	= 65,	/* data: superdev_fs_forget[]; no reply */
	SUPERDEV_FS_LOOKUP	= 66,	/* node, name; reply: superdev_fs_entry */
	SUPERDEV_FS_READDIR	= 67,	/* node, arg: cookie; reply: superdev_fs_dirent[] */
	SUPERDEV_FS_GETATTR	= 68,	/* node; reply: superdev_fs_attr */
	SUPERDEV_FS_SETATTR	= 69,	/* node, data: superdev_fs_setattr; superdev_fs_attr */
	SUPERDEV_FS_READLINK	= 70,	/* node; reply: the target, no zero byte */
	SUPERDEV_FS_OPEN	= 71,	/* node, flags: _O_*; superdev_fs_attr */
	SUPERDEV_FS_RELEASE	= 72,	/* node, once for each OPEN and CREATE; no reply */
	SUPERDEV_FS_CREATE	= 73,	/* as MKDIR, and flags: _O_*; superdev_fs_entry */
	SUPERDEV_FS_MKDIR	= 74,	/* node, name, mode, umask; superdev_fs_entry */
	SUPERDEV_FS_MKNOD	= 75,	/* as MKDIR; regular files and FIFOs */
	SUPERDEV_FS_SYMLINK	= 76,	/* node, name, data: target; superdev_fs_entry */
	SUPERDEV_FS_LINK	= 77,	/* node: file, node2, name: where; superdev_fs_entry */
	SUPERDEV_FS_UNLINK	= 78,	/* node, name */
	SUPERDEV_FS_RMDIR	= 79,	/* node, name */
	SUPERDEV_FS_RENAME	= 80,	/* node, name, node2, name2, flags: _RENAME_* */
	SUPERDEV_FS_READ	= 81,	/* node, offset, count; reply: bytes, fewer at the end */
	SUPERDEV_FS_WRITE	= 82,	/* node, offset, flags: _W_*, data; superdev_fs_attr */
	SUPERDEV_FS_FSYNC	= 83,	/* node, flags: _SYNC_DATA */
	SUPERDEV_FS_FALLOCATE	= 84,	/* node, offset, arg: length, mode; superdev_fs_attr */
	SUPERDEV_FS_LSEEK	= 85,	/* node, offset, flags: _SEEK_*; reply: __le64 */
	SUPERDEV_FS_STATFS	= 86,	/* node; reply: superdev_fs_statfs */
	SUPERDEV_FS_GETXATTR	= 87,	/* node, name; reply: the value */
	SUPERDEV_FS_LISTXATTR	= 88,	/* node; reply: names, each with its zero byte */
	SUPERDEV_FS_SETXATTR	= 89,	/* node, name, data, flags: _X_* */
	SUPERDEV_FS_REMOVEXATTR	= 90,	/* node, name */
	SUPERDEV_FS_LOCK	= 91,	/* node, data: superdev_fs_lock; reply likewise */
	SUPERDEV_FS_UNLOCK	= 92,	/* node, arg: owner; all its POSIX locks on the file */
	SUPERDEV_FS_CANCEL	= 93,	/* arg: tag of a LOCK that waits; no reply */
	SUPERDEV_FS_COPY	= 94,	/* node, offset, node2, arg: offset there, count; __le64 */
	SUPERDEV_FS_SYNC	= 95,	/* reply when all that changed before is told */
	SUPERDEV_FS_INVAL	= 96,	/* home: node, name, flags: _I_*; no reply */
	SUPERDEV_FS_END,
};

#define SUPERDEV_FS_NAME_MAX	255u
#define SUPERDEV_FS_TARGET_MAX	4095u
#define SUPERDEV_FS_XATTR_MAX	65536u
#define SUPERDEV_FS_IO_MAX	(512u << 10)	/* data of READ and WRITE */

/* offset of a reply */
#define SUPERDEV_FS_R_LEASED	(1ull << 0)	/* an absent name, or a listing, may be kept */
#define SUPERDEV_FS_R_END	(1ull << 1)	/* READDIR: that was the last part */

/* flags of OPEN and CREATE */
#define SUPERDEV_FS_O_READ	(1u << 0)
#define SUPERDEV_FS_O_WRITE	(1u << 1)
#define SUPERDEV_FS_O_TRUNC	(1u << 2)
#define SUPERDEV_FS_O_EXCL	(1u << 3)
/* flags of RENAME */
#define SUPERDEV_FS_RENAME_NOREPLACE (1u << 0)
#define SUPERDEV_FS_RENAME_EXCHANGE (1u << 1)
/* flags of WRITE: at the end of the file as home knows it */
#define SUPERDEV_FS_W_APPEND	(1u << 0)
/* flags of FSYNC */
#define SUPERDEV_FS_SYNC_DATA	(1u << 0)
/* flags of LSEEK */
#define SUPERDEV_FS_SEEK_DATA	1u
#define SUPERDEV_FS_SEEK_HOLE	2u
/* flags of SETXATTR */
#define SUPERDEV_FS_X_CREATE	(1u << 0)
#define SUPERDEV_FS_X_REPLACE	(1u << 1)
/* flags of INVAL; _I_ALL: everything, node is 0 */
#define SUPERDEV_FS_I_NAME	(1u << 0)
#define SUPERDEV_FS_I_ATTR	(1u << 1)
#define SUPERDEV_FS_I_DATA	(1u << 2)
#define SUPERDEV_FS_I_ALL	(1u << 3)

struct superdev_fs_request {
	__le64	node;
	__le64	node2;
	__le64	arg;
	__le32	flags;
	__le32	mode;
	__le32	umask;
	__le16	name_len;
	__le16	name2_len;
};

/**
 * struct superdev_fs_attr - what home says of a file
 * @ino:    unique among the files of this connection
 * @blocks: of 512 bytes
 * @mode:   type and permissions, as in Linux's inode(7)
 * @access: what this user may do: 4 read, 2 write, 1 execute or search
 * @flags:  SUPERDEV_FS_A_*
 */
struct superdev_fs_attr {
	__le64	ino;
	__le64	size;
	__le64	blocks;
	__le64	atime;
	__le64	mtime;
	__le64	ctime;
	__le32	atime_nsec;
	__le32	mtime_nsec;
	__le32	ctime_nsec;
	__le32	mode;
	__le32	nlink;
	__le32	uid;
	__le32	gid;
	__le32	rdev;
	__le32	blksize;
	__le32	access;
	__le32	flags;
	__le32	reserved;
};

#define SUPERDEV_FS_A_LEASED	(1u << 0)	/* attributes and data may be kept until INVAL */
#define SUPERDEV_FS_A_NAMED	(1u << 1)	/* and so may the name that led here */
#define SUPERDEV_FS_A_NO_XATTR	(1u << 2)	/* it has no extended attributes */

/* node: the file's number from now on; counts as told once, see FORGET. */
struct superdev_fs_entry {
	__le64	node;
	struct superdev_fs_attr attr;
};

/*
 * The name follows, then zeros up to a multiple of 8.  entry.node is 0 where
 * only the type is known (mode): LOOKUP tells the rest, or refuses.
 */
struct superdev_fs_dirent {
	struct superdev_fs_entry entry;
	__le64	cookie;		/* arg of the READDIR that goes on behind this one */
	__le16	name_len;
	__u8	reserved[6];
};

struct superdev_fs_hello {
	struct superdev_fs_entry root;
	__le32	uid;		/* of the user, at home */
	__le32	gid;
};

struct superdev_fs_forget {
	__le64	node;
	__le64	count;		/* how often it was told */
};

/* Fields that are not named in @valid are 0. */
struct superdev_fs_setattr {
	__le32	valid;
	__le32	mode;
	__le32	uid;
	__le32	gid;
	__le64	size;
	__le64	atime;
	__le64	mtime;
	__le32	atime_nsec;
	__le32	mtime_nsec;
};

#define SUPERDEV_FS_S_MODE	(1u << 0)
#define SUPERDEV_FS_S_UID	(1u << 1)
#define SUPERDEV_FS_S_GID	(1u << 2)
#define SUPERDEV_FS_S_SIZE	(1u << 3)
#define SUPERDEV_FS_S_ATIME	(1u << 4)
#define SUPERDEV_FS_S_MTIME	(1u << 5)
#define SUPERDEV_FS_S_ATIME_NOW	(1u << 6)
#define SUPERDEV_FS_S_MTIME_NOW	(1u << 7)

struct superdev_fs_statfs {
	__le64	blocks;
	__le64	bfree;
	__le64	bavail;
	__le64	files;
	__le64	ffree;
	__le32	bsize;
	__le32	namelen;
};

/**
 * struct superdev_fs_lock - LOCK and its reply
 * @owner: the lender's number for who holds it
 * @start: first byte
 * @end:   last byte, 2^63 - 1 for "to the end of the file"
 * @type:  SUPERDEV_FS_L_READ, _WRITE or _UNLOCK
 * @kind:  SUPERDEV_FS_L_POSIX or _FLOCK
 * @what:  SUPERDEV_FS_L_TEST (reply: who is in the way, or _UNLOCK), _SET or _WAIT
 * @pid:   reply to _TEST: a process at home, or 0
 */
struct superdev_fs_lock {
	__le64	owner;
	__le64	start;
	__le64	end;
	__u8	type;
	__u8	kind;
	__u8	what;
	__u8	reserved;
	__le32	pid;
};

#define SUPERDEV_FS_L_READ	0
#define SUPERDEV_FS_L_WRITE	1
#define SUPERDEV_FS_L_UNLOCK	2
#define SUPERDEV_FS_L_POSIX	0
#define SUPERDEV_FS_L_FLOCK	1
#define SUPERDEV_FS_L_TEST	0
#define SUPERDEV_FS_L_SET	1
#define SUPERDEV_FS_L_WAIT	2

/**
 * enum superdev_task_op - a program of home that runs at a lender
 * @SUPERDEV_TASK_EXEC: home: part of the image of what is to be started: at @offset, of @count
 *	bytes in all.  A reply says that it was started, or why not
 * @SUPERDEV_TASK_READY: lender: all but the start is done; bit n of @offset: stream n is a
 *	remote file
 * @SUPERDEV_TASK_GO: home: start it.  From here on home will not run it itself, unless the
 *	reply to EXEC says that it did not run
 * @SUPERDEV_TASK_DATA: both: bytes of stream @offset, at most what was credited
 * @SUPERDEV_TASK_EOF: both: stream @offset carries no more of the sender's bytes
 * @SUPERDEV_TASK_CLOSE: both: nobody reads stream @offset at the sender any more; the last
 *	@count bytes that came were not read
 * @SUPERDEV_TASK_CREDIT: both: @count more bytes of stream @offset may be sent
 * @SUPERDEV_TASK_MODES: both: the terminal is now so; struct superdev_task_modes
 * @SUPERDEV_TASK_SIGNAL: home: signal @count to the program; @offset 1: to its group
 * @SUPERDEV_TASK_STOPPED: lender: signal @count has stopped the program
 * @SUPERDEV_TASK_EXIT: lender: the program is over; struct superdev_task_exit
 * @SUPERDEV_TASK_GONE: lender: so is the last process that it left behind
 * @SUPERDEV_TASK_REMOTE: lender: do this to a file of home; struct superdev_task_request
 * @SUPERDEV_TASK_ANSWER: home: what came of it, or news of a file; struct superdev_task_answer
 * @SUPERDEV_TASK_USED: lender: what the program has used so far; struct superdev_task_used
 *
 * Operations of the cpu class, on a connection that carries one task; see Documentation/tasks.
 */
enum superdev_task_op {
	SUPERDEV_TASK_EXEC	= 64,
	SUPERDEV_TASK_READY	= 65,
	SUPERDEV_TASK_GO	= 66,
	SUPERDEV_TASK_DATA	= 67,
	SUPERDEV_TASK_EOF	= 68,
	SUPERDEV_TASK_CLOSE	= 69,
	SUPERDEV_TASK_CREDIT	= 70,
	SUPERDEV_TASK_MODES	= 71,
	SUPERDEV_TASK_SIGNAL	= 72,
	SUPERDEV_TASK_STOPPED	= 73,
	SUPERDEV_TASK_EXIT	= 74,
	SUPERDEV_TASK_GONE	= 75,
	SUPERDEV_TASK_REMOTE	= 76,
	SUPERDEV_TASK_ANSWER	= 77,
	SUPERDEV_TASK_USED	= 78,
};

#define SUPERDEV_TASK_MAX_DATA		(64u << 10)	/* payload of a frame, but for the next */
#define SUPERDEV_TASK_MAX_REMOTE	(128u << 10)	/* data of REMOTE and ANSWER */
#define SUPERDEV_TASK_MAX_REQUESTS	1024u		/* REMOTE without ANSWER */
#define SUPERDEV_TASK_MAX_IMAGE		(8u << 20)	/* argv and env: 6 MiB in Linux */
#define SUPERDEV_TASK_MAX_FDS		256u
#define SUPERDEV_TASK_MAX_STREAMS	64u
#define SUPERDEV_TASK_MAX_GROUPS	1024u
#define SUPERDEV_TASK_NR_RLIMITS	16u
#define SUPERDEV_TASK_NR_CC		19u
#define SUPERDEV_TASK_WINDOW		(256u << 10)	/* credit that a stream begins with */
#define SUPERDEV_TASK_NO_STREAM		0xffffu

/* What a descriptor is: superdev_task_fd.kind */
enum superdev_task_kind {
	SUPERDEV_TASK_PIPE	= 1,	/* bytes in one direction, or (mode 3) in both */
	SUPERDEV_TASK_SOCKET	= 2,	/* bytes both ways, each ends by itself */
	SUPERDEV_TASK_FILE	= 3,	/* a regular file, read and written in order by home */
	SUPERDEV_TASK_TTY	= 4,	/* the terminal; one stream at most is one */
	SUPERDEV_TASK_DEVICE	= 5,	/* null, zero, full, random, urandom there */
};

/* superdev_task_fd.mode, as the program may use it */
#define SUPERDEV_TASK_MODE_READ		(1u << 0)
#define SUPERDEV_TASK_MODE_WRITE	(1u << 1)

/* superdev_task_fd.flags */
#define SUPERDEV_TASK_FD_APPEND		(1u << 0)
#define SUPERDEV_TASK_FD_NONBLOCK	(1u << 1)

/**
 * struct superdev_task_fd - one descriptor that the program starts with
 * @fd:		its number; the table ascends
 * @stream:	what it is open on; several may share one.  SUPERDEV_TASK_NO_STREAM: a device
 * @kind:	enum superdev_task_kind; the same for all of a stream
 * @mode:	SUPERDEV_TASK_MODE_*; of a stream, what all its descriptors have
 * @flags:	SUPERDEV_TASK_FD_*
 * @device:	minor number of a device, major 1
 */
struct superdev_task_fd {
	__le32	fd;
	__le16	stream;
	__u8	kind;
	__u8	mode;
	__le32	flags;
	__le32	device;
};

struct superdev_task_rlimit {
	__le64	soft;		/* all ones: no limit */
	__le64	hard;
};

/* superdev_task_modes.valid */
#define SUPERDEV_TASK_MODES_TERMIOS	(1u << 0)
#define SUPERDEV_TASK_MODES_WINSIZE	(1u << 1)

/* The terminal's modes and size, in Linux' generic encoding of both. */
struct superdev_task_modes {
	__le32	valid;
	__le32	iflag;
	__le32	oflag;
	__le32	cflag;
	__le32	lflag;
	__u8	cc[SUPERDEV_TASK_NR_CC];
	__u8	line;
	__le16	rows;
	__le16	cols;
	__le16	xpixel;
	__le16	ypixel;
};

/* superdev_task_image.flags */
#define SUPERDEV_TASK_F_LEADER	(1u << 0)	/* the program leads its process group */
#define SUPERDEV_TASK_F_TTY	(1u << 1)	/* a stream is a terminal, of these @modes */

/**
 * struct superdev_task_image - what is to be started; the sections follow it
 * @size:	of the whole image
 * @path_len:	of the path of the program, with its zero byte, as of all strings
 * @cwd_len:	of the path of the working directory
 * @host_len:	of the host name
 * @argc:	strings in the section of arguments
 * @argv_len:	its bytes
 * @envc:	strings in the section of the environment
 * @envp_len:	its bytes
 * @nr_groups:	supplementary groups, a __le32 each
 * @nr_fds:	struct superdev_task_fd
 * @flags:	SUPERDEV_TASK_F_*
 * @umask:	as umask(2)
 * @nice:	as getpriority(2) says it: -20 to 19, two's complement
 * @uid:	real, effective and saved
 * @gid:	likewise
 * @personality: as personality(2)
 * @pid:	that it has at home; 0 where it may be any
 * @ppid:	of its parent
 * @pgid:	of its process group
 * @sid:	of its session
 * @sig_blocked: bit n - 1 is signal n
 * @sig_ignored: likewise
 * @rlimits:	by the numbers of setrlimit(2)
 * @modes:	of the terminal
 * @reserved:	zero
 *
 * Sections, each padded with zeros to a multiple of 8 bytes, in this order: path, cwd, host,
 * argv, envp, groups, descriptors.
 */
struct superdev_task_image {
	__le32	size;
	__le32	path_len;
	__le32	cwd_len;
	__le32	host_len;
	__le32	argc;
	__le32	argv_len;
	__le32	envc;
	__le32	envp_len;
	__le32	nr_groups;
	__le32	nr_fds;
	__le32	flags;
	__le32	umask;
	__le32	nice;
	__le32	uid;
	__le32	gid;
	__le32	personality;
	__le32	pid;
	__le32	ppid;
	__le32	pgid;
	__le32	sid;
	__le64	sig_blocked;
	__le64	sig_ignored;
	struct superdev_task_rlimit rlimits[SUPERDEV_TASK_NR_RLIMITS];
	struct superdev_task_modes modes;
	__le64	reserved;
};

/* Payload of the reply to EXEC, and why a lender ends a task. */
struct superdev_task_refusal {
	__le32	error;		/* Linux' generic errno numbers; 0: started */
	__u8	text[124];	/* UTF-8, a zero at the end */
};

/*
 * What the program has used, with the children that it has waited for, as getrusage(2) counts.
 * USED: 0 where it is not known before the end, and never less than before; EXIT: in all.
 */
struct superdev_task_used {
	__le64	utime_us;
	__le64	stime_us;
	__le64	maxrss_kb;
	__le64	minflt;
	__le64	majflt;
	__le64	inblock;
	__le64	oublock;
	__le64	nvcsw;
	__le64	nivcsw;
};

/* superdev_task_exit.flags */
#define SUPERDEV_TASK_EXIT_CORE		(1u << 0)	/* a core was dumped */
#define SUPERDEV_TASK_EXIT_REMAINS	(1u << 1)	/* processes that it started run on */

/* How it ended: by @signal, or where that is 0 with @code. */
struct superdev_task_exit {
	__le32	code;
	__le32	signal;
	__le32	flags;
	__le32	reserved;
	struct superdev_task_used used;
};

/*
 * superdev_task_request.op.  Every one may be answered with an errno.  A stream that is a
 * remote file has the cookie of its number + 1.
 */
enum superdev_task_remote_op {
	/* @length bytes at most, of the file's position or @offset.  Result and data: the bytes */
	SUPERDEV_TASK_R_READ		= 1,
	/* Data, likewise.  Result: the bytes taken */
	SUPERDEV_TASK_R_WRITE		= 2,
	/* A readiness is wanted, and news from now on */
	SUPERDEV_TASK_R_POLL		= 3,
	/* Data of the answer: __le32, the bytes that can be read */
	SUPERDEV_TASK_R_NREAD		= 4,
	/* lseek() by @offset, whence @command.  Result: the position */
	SUPERDEV_TASK_R_SEEK		= 5,
	/* fsync(); @command 1: of the data alone */
	SUPERDEV_TASK_R_SYNC		= 6,
	/* struct superdev_task_lock, and one in the answer where it is a test */
	SUPERDEV_TASK_R_LOCK		= 7,
	/* Data of the answer: struct superdev_task_attr */
	SUPERDEV_TASK_R_GETATTR		= 8,
	/* ftruncate() to @offset */
	SUPERDEV_TASK_R_TRUNCATE	= 9,
	/* fallocate(): mode @command, from @offset, @argument bytes */
	SUPERDEV_TASK_R_ALLOCATE	= 10,
	/* Once more, as by /proc/PID/fd, with flags of open(2) in @command; cookie @argument */
	SUPERDEV_TASK_R_OPEN		= 11,
	/* The last descriptor is closed.  No answer, @id is 0 */
	SUPERDEV_TASK_R_RELEASE		= 12,
	/* Who waits for @id got a signal.  No answer; -EINTR to @id: nothing was done */
	SUPERDEV_TASK_R_INTERRUPT	= 13,
};

/* superdev_task_request.flags */
#define SUPERDEV_TASK_R_F_OFFSET	(1u << 0)	/* @offset counts, not the position */
#define SUPERDEV_TASK_R_F_NONBLOCK	(1u << 1)	/* -EAGAIN rather than waiting */
#define SUPERDEV_TASK_R_F_APPEND	(1u << 2)	/* write at the end */
#define SUPERDEV_TASK_R_F_SYNC		(1u << 3)	/* on stable storage before the answer */

/**
 * struct superdev_task_request - payload of REMOTE; data follows
 * @id:		of the request, never used again; of INTERRUPT that of the other one
 * @cookie:	of the file; of INTERRUPT 0
 * @offset:	see the op, as are @argument, @command and @length
 * @argument:	"
 * @op:		enum superdev_task_remote_op
 * @flags:	SUPERDEV_TASK_R_F_*
 * @command:	"
 * @length:	"
 */
struct superdev_task_request {
	__le64	id;
	__le64	cookie;
	__le64	offset;
	__le64	argument;
	__le32	op;
	__le32	flags;
	__le32	command;
	__le32	length;
};

/**
 * struct superdev_task_answer - payload of ANSWER; data follows
 * @id:		of the request; 0: news
 * @cookie:	of the file that there are news of, or that OPEN has made; else 0
 * @result:	see the op; or -errno, in Linux' generic numbers
 * @sequence:	number of the observation @ready; 0: this says nothing of it
 * @ready:	POLL* bits, as they were after the operation
 * @op:		of the request; 0: news
 */
struct superdev_task_answer {
	__le64	id;
	__le64	cookie;
	__le64	result;
	__le64	sequence;
	__le32	ready;
	__le32	op;
};

/**
 * struct superdev_task_lock - data of LOCK, and of the answer to a test
 * @owner:	who has it; 0: the file, as by flock()
 * @start:	first byte
 * @end:	last byte; 2^63 - 1: to the end of the file
 * @type:	SUPERDEV_FS_L_READ, _WRITE or _UNLOCK
 * @what:	SUPERDEV_FS_L_TEST (answer: who is in the way, or _UNLOCK), _SET or _WAIT
 * @reserved:	0
 * @pid:	answer to a test: a process at home, or 0
 */
struct superdev_task_lock {
	__le64	owner;
	__le64	start;
	__le64	end;
	__u8	type;
	__u8	what;
	__u8	reserved[2];
	__le32	pid;
};

/* What fstat() tells of a regular file; times in seconds, and nanoseconds below them. */
struct superdev_task_attr {
	__le64	size;
	__le64	blocks;		/* of 512 bytes */
	__le64	atime;
	__le64	mtime;
	__le64	ctime;
	__le32	atime_nsec;
	__le32	mtime_nsec;
	__le32	ctime_nsec;
	__le32	mode;		/* permissions */
	__le32	nlink;
	__le32	uid;
	__le32	gid;
	__le32	blksize;
};

/* Feature bits of a HELLO; a bit that either side lacks is not used. */
#define SUPERDEV_FEAT_BASE	(1ull << 0)	/* this header's frames and control ops */
#define SUPERDEV_FEAT_NULL	(1ull << 1)
#define SUPERDEV_FEAT_BLK	(1ull << 2)
#define SUPERDEV_FEAT_CPU	(1ull << 4)
/* Without these two machines cannot talk at all. */
#define SUPERDEV_FEAT_REQUIRED	SUPERDEV_FEAT_BASE

/* 64 bytes: one cache line, and no padding on any architecture. */
_Static_assert(sizeof(struct superdev_frame) == 64, "superdev_frame is 64 bytes");
_Static_assert(sizeof(struct superdev_cpu_status) == 64, "superdev_cpu_status is 64 bytes");

_Static_assert(sizeof(struct superdev_fs_request) == 40, "superdev_fs_request is 40 bytes");
_Static_assert(sizeof(struct superdev_fs_attr) == 96, "superdev_fs_attr is 96 bytes");
_Static_assert(sizeof(struct superdev_fs_entry) == 104, "superdev_fs_entry is 104 bytes");
_Static_assert(sizeof(struct superdev_fs_dirent) == 120, "superdev_fs_dirent is 120 bytes");
_Static_assert(sizeof(struct superdev_fs_hello) == 112, "superdev_fs_hello is 112 bytes");
_Static_assert(sizeof(struct superdev_fs_forget) == 16, "superdev_fs_forget is 16 bytes");
_Static_assert(sizeof(struct superdev_fs_setattr) == 48, "superdev_fs_setattr is 48 bytes");
_Static_assert(sizeof(struct superdev_fs_statfs) == 48, "superdev_fs_statfs is 48 bytes");
_Static_assert(sizeof(struct superdev_fs_lock) == 32, "superdev_fs_lock is 32 bytes");
_Static_assert(sizeof(struct superdev_task_fd) == 16, "superdev_task_fd is 16 bytes");
_Static_assert(sizeof(struct superdev_task_modes) == 48, "superdev_task_modes is 48 bytes");
_Static_assert(sizeof(struct superdev_task_image) == 408, "superdev_task_image is 408 bytes");
_Static_assert(sizeof(struct superdev_task_refusal) == 128, "superdev_task_refusal is 128 bytes");
_Static_assert(sizeof(struct superdev_task_used) == 72, "superdev_task_used is 72 bytes");
_Static_assert(sizeof(struct superdev_task_exit) == 88, "superdev_task_exit is 88 bytes");
_Static_assert(sizeof(struct superdev_task_request) == 48, "superdev_task_request is 48 bytes");
_Static_assert(sizeof(struct superdev_task_answer) == 40, "superdev_task_answer is 40 bytes");
_Static_assert(sizeof(struct superdev_task_lock) == 32, "superdev_task_lock is 32 bytes");
_Static_assert(sizeof(struct superdev_task_attr) == 72, "superdev_task_attr is 72 bytes");

#endif /* _UAPI_SUPERDEV_WIRE_H */
