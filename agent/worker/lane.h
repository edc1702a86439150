/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lane.h: frames of one connection in, replies out.
 *
 * Owned by the worker, which has one struct sdv_lane per index from the start
 * and reuses it.  main.c opens and closes lanes, classes never see one.
 */
#ifndef SDV_LANE_H
#define SDV_LANE_H

#include "worker.h"

/* One receive takes as many small frames as fit; one send, as many replies. */
#define SDV_LANE_STAGE (64u << 10)
#define SDV_LANE_IOV   128u

enum sdv_lane_state {
	SDV_LANE_CLOSED,
	SDV_LANE_OPENING, /* its socket is going into the fixed table */
	SDV_LANE_OPEN,
	SDV_LANE_CLOSING, /* operations are being cancelled, then the entry emptied */
};

/**
 * struct sdv_lane - one connection
 * @generation:	of this entry's use; requests of older ones have no lane
 * @is_clear:	the transport protects nothing: frames have checksums
 * @rx:		the request whose header has come and whose payload is coming
 * @rx_done:	bytes of that payload
 * @rx_csum:	checksum of header and payload so far
 * @rx_is_direct: the receive in flight goes to the payload's place, not @stage
 * @rx_frames_only: the last payload was long; receive no more than a header, so
 *		that the next one need not be copied
 * @stage:	received and not yet looked at: @stage_len - @stage_pos bytes
 * @tx:		replies to be sent; @tx_end where the next one goes
 * @tx_sent:	replies of the send in flight
 */
struct sdv_lane {
	struct sdv_worker *worker;
	unsigned int index;
	enum sdv_lane_state state;
	uint32_t generation;
	bool is_clear;
	int error;
	int fd;
	struct sdv_frame_rules rules;
	struct sdv_op install_op, recv_op, send_op;

	struct sdv_request *rx;
	uint32_t rx_done;
	struct sdv_csum rx_csum;
	bool rx_is_direct;
	bool rx_frames_only;
	bool is_waiting;
	struct sdv_lane *next_waiting;
	uint8_t *stage;
	size_t stage_pos, stage_len;

	struct sdv_request *tx, **tx_end;
	struct sdv_request *tx_sent;
	bool is_dirty;
	struct sdv_lane *next_dirty;
	struct msghdr msg;
	struct iovec iov[SDV_LANE_IOV];
};

int sdv_lanes_init(struct sdv_worker *worker);
int sdv_lane_open(struct sdv_lane *lane, int fd, bool is_clear);
void sdv_lane_close(struct sdv_lane *lane, int error);
void sdv_lanes_turn(struct sdv_worker *worker);

#endif
