/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lane.h: lanes, the sockets that carry the frames of a held lease.
 *
 * The agent hands over a connected, authenticated socket; lane.c owns it from
 * then on.  netlink.c opens and closes lanes, class drivers send on them.
 */
#ifndef _SUPERDEV_LANE_H
#define _SUPERDEV_LANE_H

#include <linux/llist.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/uio.h>
#include <uapi/superdev.h>
#include <uapi/superdev_wire.h>

struct sdv_device;
struct sdv_lane;

/**
 * struct sdv_msg - one frame on its way out; embedded in the driver's request
 * @node:	lane.c's
 * @hdr:	the frame.  The caller sets op, flags, tag, seq, offset, count and
 *		length; lane.c sets the rest, and the checksum where it is needed
 * @payload:	hdr.length bytes, ITER_SOURCE (bvec or kvec); pages may be spliced
 * @sent:	called exactly once for every message that sdv_lane_send() took:
 *		with 0 when all of it was handed to TCP and the pages may be
 *		reused (in clear: when the transport holds its own references),
 *		with -ESHUTDOWN when the lane died before.  Process context.
 *		The message belongs to the driver again when it is called.
 *		A reply may arrive, on another CPU, before it is called.
 */
struct sdv_msg {
	struct llist_node	node;
	struct superdev_frame	hdr;
	struct iov_iter		payload;
	void (*sent)(struct sdv_lane *lane, struct sdv_msg *msg, int error);
};

/**
 * struct sdv_lane_ops - how a class receives frames; process context
 * @header:	the header of a frame arrived; magic, class, lease, epoch, flags,
 *		length limit and reserved fields were checked.  Sets @ret_payload
 *		to where hdr->length bytes go (ITER_DEST) and @ret_cookie, and
 *		returns 0; any error ends the lane with that reason
 *		(-EPROTO: the frame answers nothing that was asked).
 * @done:	all of the payload is in place and the checksum held; or
 *		@error: -EBADMSG checksum wrong, -ESHUTDOWN the lane died between
 *		@header and here (then lane_down follows).  Exactly once for each
 *		@header that returned 0.
 */
struct sdv_lane_ops {
	int  (*header)(struct sdv_device *sdev, struct sdv_lane *lane,
		       const struct superdev_frame *hdr,
		       struct iov_iter *ret_payload, void **ret_cookie);
	void (*done)(struct sdv_device *sdev, struct sdv_lane *lane,
		     const struct superdev_frame *hdr, void *cookie, int error);
};

/**
 * sdv_lane_get() - a lane of a device to send on
 * @sdev:	the device
 * @hint:	index wished for, e.g. of the hardware queue; any other is
 *		taken when that one is not up
 *
 * Context: any.
 * Return: the lane with a reference, or NULL when none is up.
 */
struct sdv_lane *sdv_lane_get(struct sdv_device *sdev, unsigned int hint);
void sdv_lane_put(struct sdv_lane *lane);

/**
 * sdv_lane_send() - queue a frame
 * @lane:	a lane from sdv_lane_get()
 * @msg:	the frame; owned by the lane until msg->sent() is called
 * @more:	more frames follow at once: wait for them (a later call without
 *		@more, or sdv_lane_kick(), starts the sending)
 *
 * Context: any but hard interrupt; never sleeps.
 * Return: 0, or -ESHUTDOWN when the lane is dead (then msg->sent() is not called).
 */
int sdv_lane_send(struct sdv_lane *lane, struct sdv_msg *msg, bool more);

/* Starts the sending of what is queued, in the lane's own work.  Any context. */
void sdv_lane_kick(struct sdv_lane *lane);

/*
 * The same from process context that may sleep, and in the caller's own time
 * where nobody else is sending: saves the switch to the work.  Safe under
 * memory reclaim.  Messages may be completed, their sent() called, within.
 */
void sdv_lane_push(struct sdv_lane *lane);

/* Ends a lane from a driver: protocol violation seen, timeout.  Any context. */
void sdv_lane_kill(struct sdv_lane *lane, int reason);

unsigned int sdv_lane_index(const struct sdv_lane *lane);
int sdv_lane_cpu(const struct sdv_lane *lane);

/* For netlink.c: */
struct sdv_lane_stats {
	u32 index, epoch, transport;
	u64 tx_bytes, rx_bytes, tx_frames, rx_frames;
};

/*
 * Takes over @fd of the calling process: checks namespace, TCP, state, kernel
 * TLS as @transport demands (extack says what is wrong), hooks it and calls the
 * driver's lane_up.  An open lane of the same index is refused (-EEXIST), an
 * epoch other than the device's too (-ESTALE).  Sleeps; takes sdev->lane_mutex.
 */
int sdv_lane_open(struct sdv_device *sdev, struct net *net, unsigned int fd,
		  u32 index, u32 epoch, u32 transport, struct netlink_ext_ack *extack);
/*
 * Closes the lane of @index, or all with SUPERDEV_MAX_LANES; waits until they
 * are down.  -ENOENT where there is none.  lane_mutex must not be held.
 */
int sdv_lane_close(struct sdv_device *sdev, u32 index);
void sdv_lane_get_stats(struct sdv_lane *lane, struct sdv_lane_stats *ret_stats);

int sdv_lane_init(void);
void sdv_lane_exit(void);

/* Provided by registry.c: a lane went down, by itself or closed; notifies. */
void sdv_lease_lane_changed(struct sdv_device *sdev, u32 index, bool is_up, int reason);

#endif /* _SUPERDEV_LANE_H */
