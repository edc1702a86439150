// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * worker_fuzz.c: a home that sends what it likes to a blk worker.
 *
 * The input is a script: {command, lane, u16 length, bytes} each.  Magic, class,
 * lease, epoch and checksum of a frame are put right unless the command says
 * otherwise, or nothing behind them would ever be reached.  The worker runs on
 * a loop of memory, which aborts where it touches anything that is not its
 * disk; in the end nothing may be left over.
 */
// LINK: agent/worker/lane.c agent/worker/arena.c agent/worker/blk.c agent/worker/blk_table.c agent/worker/blk_disk.c
#include <endian.h>

#include "../unit/worker_double.h"

#define LANES 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum command {
	SEND,    /* bytes as they are */
	FRAME,   /* a frame put right, then the bytes after it */
	OPEN,    /* a lane; clear where the length is odd */
	END,     /* of a lane, by home */
	CLOSE,   /* of a lane, by the agent */
	HOLD,    /* the disk answers no more */
	RELEASE, /* it does again */
	ERROR,   /* the disk fails from now on, where the length is odd */
	SHORT,   /* receives, sends and transfers of at most that many bytes */
	COMMANDS,
};

static void frame_right(uint8_t *bytes, size_t len, bool is_clear)
{
	struct superdev_frame frame;
	size_t length;

	if (len < sizeof(frame))
		return;
	memcpy(&frame, bytes, sizeof(frame));
	frame.magic = htole32(SUPERDEV_MAGIC);
	frame.class = SUPERDEV_CLASS_BLK;
	frame.flags &= htole16(SUPERDEV_F_REPLAY | SUPERDEV_F_FUA | SUPERDEV_F_NOUNMAP);
	frame.status = 0;
	frame.lease = htole64(77);
	frame.epoch = htole32(3);
	frame.reserved = 0;
	frame.csum = 0;
	length = le32toh(frame.length);
	if (length > len - sizeof(frame))
		length = len - sizeof(frame);
	if (is_clear)
		sdv_frame_seal(&frame, bytes + sizeof(frame), length);
	memcpy(bytes, &frame, sizeof(frame));
}

static void command_run(enum command command, unsigned int lane, uint8_t *bytes, size_t len)
{
	struct sdv_lane *target = &dbl.worker.lanes[lane];
	size_t limit = len ? len : 0;

	switch (command) {
	case FRAME:
		frame_right(bytes, len, target->is_clear);
		double_send(lane, bytes, len);
		break;
	case SEND: double_send(lane, bytes, len); break;
	case OPEN:
		if (target->state == SDV_LANE_CLOSED)
			double_lane(lane, len & 1);
		break;
	case END: dbl.lanes[lane].has_ended = true; break;
	case CLOSE: sdv_lane_close(target, 0); break;
	case HOLD: dbl.holds_disk = true; break;
	case RELEASE: dbl.holds_disk = false; break;
	case ERROR: dbl.disk_error = len & 1 ? -EIO : 0; break;
	case SHORT:
		dbl.max_recv = dbl.max_send = limit;
		dbl.max_disk = limit ? (limit + 511) / 512 * 512 : 0;
		break;
	case COMMANDS: break;
	}
	double_turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* One copy: what a lane has not taken yet must stay where it is. */
	uint8_t *copy = malloc(size ? size : 1), *at = copy, *end = copy + size;

	memcpy(copy, data, size);
	double_open(&sdv_blk_class, SDV_ARENA_MAX, size & 1 ? 0 : SDV_WORKER_F_READ_ONLY);
	double_lane(0, false);
	double_lane(1, true);
	while (end - at >= 4) {
		size_t len = (size_t)(at[2] | at[3] << 8);
		uint8_t *bytes = at + 4;

		if (len > (size_t)(end - bytes))
			len = (size_t)(end - bytes);
		command_run(at[0] % COMMANDS, at[1] % LANES, bytes, len);
		at = bytes + (at[0] % COMMANDS <= FRAME ? len : 0);
	}
	if (!double_close())
		abort();
	free(copy);
	return 0;
}
