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
 * @reserved: zero
 * @memory:  bytes available there
 * @used_us: processor time that the lease has used, in microseconds; counts
 *           anew where the lender was booted
 * @reserved2: zero
 */
struct superdev_cpu_status {
	__le32	load;
	__le32	cpus;
	__le32	tasks;
	__le32	reserved;
	__le64	memory;
	__le64	used_us;
	__le64	reserved2[4];
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

#endif /* _UAPI_SUPERDEV_WIRE_H */
