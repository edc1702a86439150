/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * frame.h: what may be said of a frame without knowing its class.
 *
 * The one place where the header of a frame from another machine is judged;
 * lane.c calls it for every frame, and frame_test.c feeds it garbage.
 */
#ifndef _SUPERDEV_FRAME_H
#define _SUPERDEV_FRAME_H

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/xxhash.h>
#include <uapi/superdev_wire.h>

/**
 * struct sdv_frame_expect - what the frames of one lane have in common
 * @lease:	the lender's number of the lease
 * @epoch:	epoch of the lane
 * @class:	enum superdev_wire_class of the driver
 * @needs_csum:	every frame has to carry a checksum (lanes in clear)
 */
struct sdv_frame_expect {
	u64 lease;
	u32 epoch;
	u8 class;
	bool needs_csum;
};

/**
 * sdv_frame_check() - judge a received header
 * @hdr:	the header, all of it
 * @expect:	what the lane carries
 * @ret_why:	set to words for a log where the header is refused
 *
 * A frame that passes has a length of at most SUPERDEV_MAX_PAYLOAD, a status
 * below SUPERDEV_ST_NR that only a reply may have, and known flags alone.  Op,
 * tag, seq, offset and count are the class's to check.
 *
 * Return: 0; -ESTALE for another epoch or lease; -EMSGSIZE for a payload that
 * is too long; -EPROTO for all else.
 */
static inline int sdv_frame_check(const struct superdev_frame *hdr,
				  const struct sdv_frame_expect *expect,
				  const char **ret_why)
{
	u16 flags = le16_to_cpu(hdr->flags);
	u32 status = le32_to_cpu(hdr->status);

	if (le32_to_cpu(hdr->magic) != SUPERDEV_MAGIC) {
		*ret_why = "no frame begins here (wrong magic)";
		return -EPROTO;
	}
	if (hdr->class != expect->class) {
		*ret_why = "frame of another class";
		return -EPROTO;
	}
	if (flags & ~SUPERDEV_F_KNOWN) {
		*ret_why = "unknown flags";
		return -EPROTO;
	}
	if (hdr->reserved) {
		*ret_why = "reserved field is not zero";
		return -EPROTO;
	}
	if (status >= SUPERDEV_ST_NR || (status && !(flags & SUPERDEV_F_REPLY))) {
		*ret_why = "status out of place";
		return -EPROTO;
	}
	if (flags & SUPERDEV_F_CSUM ? false : expect->needs_csum || hdr->csum) {
		*ret_why = "checksum missing or out of place";
		return -EPROTO;
	}
	if (le32_to_cpu(hdr->length) > SUPERDEV_MAX_PAYLOAD) {
		*ret_why = "payload too long";
		return -EMSGSIZE;
	}
	if (le64_to_cpu(hdr->lease) != expect->lease) {
		*ret_why = "frame of another lease";
		return -ESTALE;
	}
	if (le32_to_cpu(hdr->epoch) != expect->epoch) {
		*ret_why = "frame of another epoch";
		return -ESTALE;
	}
	return 0;
}

/**
 * sdv_frame_csum_begin() - begin the checksum of a frame
 * @state:	set to the hash of the header, with a checksum of zero; the payload
 *		follows by xxh64_update()
 * @hdr:	the header, whatever its checksum
 */
static inline void sdv_frame_csum_begin(struct xxh64_state *state,
					const struct superdev_frame *hdr)
{
	struct superdev_frame copy = *hdr;

	copy.csum = 0;
	xxh64_reset(state, 0);
	xxh64_update(state, &copy, sizeof(copy));
}

/**
 * sdv_frame_csum() - the checksum of what was hashed
 * @state:	header and payload
 *
 * Return: what belongs into superdev_frame.csum.
 */
static inline __le32 sdv_frame_csum(const struct xxh64_state *state)
{
	return cpu_to_le32(lower_32_bits(xxh64_digest(state)));
}

#endif /* _SUPERDEV_FRAME_H */
