// SPDX-License-Identifier: GPL-2.0-or-later
/* worker_test.c: lanes, requests, and the classes blk and cpu, on a loop of memory. */
// LINK: agent/worker/lane.c agent/worker/arena.c agent/worker/null.c agent/worker/blk.c agent/worker/blk_table.c agent/worker/blk_disk.c agent/worker/cpu.c agent/worker/cpu_figures.c agent/worker/cpu_machine.c
#include <endian.h>

#include "../../agent/worker/cpu_figures.h"
#include "harness.h"
#include "worker_double.h"

#define ARENA (4u << 20)

static uint8_t stream[2u << 20];
static size_t stream_len;

/* Appends a frame of the open worker's lease to what will be sent. */
static void frame_add(struct sdv_head head, const void *payload, bool is_clear)
{
	struct superdev_frame frame;

	head.class = dbl.worker.class->wire_class;
	head.lease = head.lease ? head.lease : 77;
	head.epoch = head.epoch ? head.epoch : 3;
	sdv_frame_build(&frame, &head);
	if (is_clear)
		sdv_frame_seal(&frame, payload, head.length);
	memcpy(stream + stream_len, &frame, sizeof(frame));
	if (head.length)
		memcpy(stream + stream_len + sizeof(frame), payload, head.length);
	stream_len += sizeof(frame) + head.length;
}

static void stream_send(unsigned int index)
{
	double_send(index, stream, stream_len);
	stream_len = 0;
}

/* Takes the first reply off the lane's output. */
static struct sdv_head reply_take(unsigned int index, uint8_t *ret_payload)
{
	const struct sdv_frame_rules rules = {
		.class = dbl.worker.class->wire_class,
		.lease = 77,
		.epoch = 3,
		.max_length = SUPERDEV_MAX_PAYLOAD,
	};
	struct superdev_frame frame;
	struct sdv_head head;
	int r;

	CHECK(dbl.lanes[index].out_len >= sizeof(frame));
	memcpy(&frame, dbl.lanes[index].out, sizeof(frame));
	r = sdv_frame_check(&frame, &rules, &head);
	CHECK(!r || r == -ESTALE);
	CHECK(head.flags & SUPERDEV_F_REPLY);
	CHECK(dbl.lanes[index].out_len >= sizeof(frame) + head.length);
	CHECK(sdv_frame_is_intact(&frame, dbl.lanes[index].out + sizeof(frame), head.length));
	if (ret_payload)
		memcpy(ret_payload, dbl.lanes[index].out + sizeof(frame), head.length);
	dbl.lanes[index].out_len -= sizeof(frame) + head.length;
	memmove(dbl.lanes[index].out, dbl.lanes[index].out + sizeof(frame) + head.length,
		dbl.lanes[index].out_len);
	return head;
}

static uint32_t status_take(unsigned int index)
{
	return reply_take(index, NULL).status;
}

static void begin(const struct sdv_worker_class *class)
{
	stream_len = 0;
	double_open(class, ARENA, 0);
	double_lane(0, false);
}

/* One blk request alone on lane 0; returns its status. */
static uint32_t blk_ask(struct sdv_head head, const void *payload)
{
	static uint64_t seq;

	if (!head.seq)
		head.seq = ++seq + 1000000;
	frame_add(head, payload, false);
	stream_send(0);
	return status_take(0);
}

static uint8_t block_a[4096], block_b[4096], block[4096];

static struct sdv_head write_head(uint32_t tag, uint64_t seq, uint64_t offset)
{
	return (struct sdv_head){ .op = SUPERDEV_BLK_WRITE,
				  .tag = tag,
				  .seq = seq,
				  .length = 4096,
				  .count = 4096,
				  .offset = offset };
}

TEST("many small frames that come at once are answered in one send")
{
	begin(&sdv_null_class);
	for (uint32_t i = 0; i < 20; i++)
		frame_add((struct sdv_head){ .op = SUPERDEV_NULL_ECHO, .tag = i, .length = 5 }, "hello",
			  false);
	stream_send(0);
	CHECK(dbl.nr_sends == 1);
	for (uint32_t i = 0; i < 20; i++) {
		struct sdv_head reply = reply_take(0, block);

		CHECK(reply.tag == i && reply.length == 5 && !memcmp(block, "hello", 5));
	}
	CHECK(double_close());
}

TEST("in clear, a lone reply leaves while the loop sleeps, and one that does not fit wakes it")
{
	stream_len = 0;
	double_open(&sdv_null_class, ARENA, 0);
	double_lane(0, true);
	for (uint32_t i = 0; i < 3; i++) {
		struct sdv_head reply;

		dbl.max_send = i == 1 ? 20 : 0;
		frame_add((struct sdv_head){ .op = SUPERDEV_NULL_ECHO, .tag = i, .length = 5 }, "hello",
			  true);
		stream_send(0);
		CHECK(dbl.nr_quiet == (i == 0 ? 1 : i));
		reply = reply_take(0, block);
		CHECK(reply.tag == i && reply.length == 5 && !memcmp(block, "hello", 5));
	}
	CHECK(dbl.worker.nr_running == 1);
	CHECK(double_close());
}

TEST("no reply is quiet while a lane waits for the memory that it holds")
{
	unsigned int nr = ARENA / 65536 + 2;

	stream_len = 0;
	double_open(&sdv_null_class, ARENA, 0);
	double_lane(0, true);
	double_lane(1, true);
	for (uint32_t i = 0; i < nr; i++)
		frame_add((struct sdv_head){ .op = SUPERDEV_NULL_SOURCE, .tag = i, .count = 65536 }, NULL,
			  true);
	dbl.lanes[1].in = dbl.lanes[0].in = stream;
	dbl.lanes[1].in_len = dbl.lanes[0].in_len = stream_len;
	stream_len = 0;
	double_turn();
	CHECK(dbl.lanes[0].out_len == nr * (sizeof(struct superdev_frame) + 65536));
	CHECK(dbl.lanes[1].out_len == dbl.lanes[0].out_len);
	CHECK(double_close());
}

TEST("frames that come byte by byte, and replies that leave so, are the same")
{
	begin(&sdv_null_class);
	dbl.max_recv = 1;
	dbl.max_send = 1;
	for (uint32_t i = 0; i < 3; i++)
		frame_add((struct sdv_head){ .op = SUPERDEV_NULL_ECHO, .tag = i, .length = 700 }, block_b,
			  false);
	stream_send(0);
	for (uint32_t i = 0; i < 3; i++) {
		struct sdv_head reply = reply_take(0, block);

		CHECK(reply.tag == i && reply.length == 700 && !memcmp(block, block_b, 700));
	}
	CHECK(double_close());
}

TEST("long payloads arrive whole, with frames before and after them")
{
	static uint8_t big[300000], back[300000];

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 >> 4);
	for (size_t max = 1000; max < 200000; max *= 3) {
		stream_len = 0;
		double_open(&sdv_null_class, ARENA, 0);
		double_lane(0, true);
		dbl.max_recv = max;
		dbl.max_send = max;
		for (uint32_t i = 0; i < 4; i++)
			frame_add((struct sdv_head){ .op = SUPERDEV_NULL_ECHO,
						     .tag = i,
						     .length = i & 1 ? 300000 : 3 },
				  big, true);
		stream_send(0);
		for (uint32_t i = 0; i < 4; i++) {
			struct sdv_head reply = reply_take(0, back);

			CHECK(reply.tag == i && !memcmp(big, back, reply.length));
			CHECK(reply.length == (i & 1 ? 300000 : 3));
		}
		CHECK(double_close());
	}
}

TEST("a wrong checksum, a reply and garbage end their lane, and no other")
{
	begin(&sdv_null_class);
	double_lane(1, true);
	frame_add((struct sdv_head){ .op = SUPERDEV_NULL_ECHO, .length = 5 }, "hello", true);
	stream[stream_len - 1] ^= 1;
	stream_send(1);
	CHECK(dbl.down == 2 && dbl.down_error == -EBADMSG);
	double_lane(1, false);
	frame_add((struct sdv_head){ .op = SUPERDEV_NULL_ECHO, .flags = SUPERDEV_F_REPLY }, NULL, false);
	stream_send(1);
	CHECK(dbl.down_error == -EPROTO);
	double_lane(1, false);
	memset(stream, 'x', 64);
	stream_len = 64;
	dbl.down_error = 0;
	stream_send(1);
	CHECK(dbl.down_error == -EPROTO && dbl.down == 2);
	frame_add((struct sdv_head){ .op = SUPERDEV_NULL_ECHO }, NULL, false);
	stream_send(0);
	CHECK(status_take(0) == SUPERDEV_ST_OK);
	CHECK(double_close());
}

TEST("a frame of an older epoch is refused, and what follows it is served")
{
	begin(&sdv_null_class);
	frame_add((struct sdv_head){ .op = SUPERDEV_NULL_ECHO, .epoch = 2, .length = 4096 }, block_a, false);
	frame_add((struct sdv_head){ .op = SUPERDEV_NULL_ECHO, .lease = 78 }, NULL, false);
	frame_add((struct sdv_head){ .op = SUPERDEV_NULL_ECHO }, NULL, false);
	stream_send(0);
	CHECK(status_take(0) == SUPERDEV_ST_STALE);
	CHECK(status_take(0) == SUPERDEV_ST_STALE);
	CHECK(status_take(0) == SUPERDEV_ST_OK);
	CHECK(double_close());
}

TEST("an unknown operation is refused, its payload is dropped, the lane stays")
{
	begin(&sdv_null_class);
	frame_add((struct sdv_head){ .op = 99, .length = 4096 }, block_a, false);
	frame_add((struct sdv_head){ .op = SUPERDEV_NULL_SINK, .length = 4096 }, block_a, false);
	stream_send(0);
	CHECK(status_take(0) == SUPERDEV_ST_NOTSUPP);
	CHECK(status_take(0) == SUPERDEV_ST_OK);
	CHECK(double_close());
}

TEST("a null source makes the bytes that were asked for")
{
	begin(&sdv_null_class);
	frame_add((struct sdv_head){ .op = SUPERDEV_NULL_SOURCE, .offset = 250, .count = 3 }, NULL, false);
	stream_send(0);
	CHECK(reply_take(0, block).length == 3 && block[0] == 250 && block[1] == 0 && block[2] == 1);
	CHECK(double_close());
}

TEST("where memory runs out lanes wait, and all are served in the end")
{
	stream_len = 0;
	double_open(&sdv_blk_class, SDV_ARENA_MAX, 0);
	double_lane(0, false);
	double_lane(1, false);
	dbl.holds_disk = true;
	for (uint32_t i = 0; i < 8; i++)
		frame_add((struct sdv_head){ .op = SUPERDEV_BLK_READ, .tag = i, .count = 512 << 10 }, NULL,
			  false);
	stream_send(0);
	CHECK(dbl.nr_disk_ops == 2);
	for (uint32_t i = 0; i < 8; i++)
		frame_add((struct sdv_head){ .op = SUPERDEV_BLK_READ, .tag = 1u << 16 | i, .count = 4096 },
			  NULL, false);
	stream_send(1);
	CHECK(dbl.nr_disk_ops == 2);
	dbl.holds_disk = false;
	double_turn();
	CHECK(dbl.nr_disk_ops == 16);
	for (uint32_t i = 0; i < 8; i++) {
		CHECK(reply_take(0, NULL).length == 512 << 10);
		CHECK(reply_take(1, NULL).length == 4096);
	}
	CHECK(double_close());
}

TEST("a lane that is closed with requests running leaves nothing behind")
{
	static const uint8_t zeros[65536];

	begin(&sdv_blk_class);
	dbl.holds_disk = true;
	for (uint32_t i = 0; i < 10; i++)
		frame_add(write_head(i, 1, i * 4096), block_a, false);
	frame_add(
		(struct sdv_head){
			.op = SUPERDEV_BLK_WRITE, .tag = 11, .seq = 1, .length = 65536, .count = 65536 },
		zeros, false);
	stream_len -= 10000; /* the last one stays incomplete */
	stream_send(0);
	dbl.lanes[0].has_ended = true;
	double_turn();
	CHECK(dbl.down == 1 && dbl.down_error == -ECONNRESET);
	CHECK(dbl.worker.nr_running == 10);
	dbl.holds_disk = false;
	double_turn();
	CHECK(!dbl.worker.nr_running && !dbl.lanes[0].out_len);
	CHECK(double_close());
}

TEST("a block that was written is read back, and zeroes and discard clear it")
{
	struct sdv_head read = { .op = SUPERDEV_BLK_READ, .count = 4096, .offset = 8192, .seq = 9 };
	struct sdv_head zeroes = { .op = SUPERDEV_BLK_ZEROES, .count = 4096, .offset = 8192 };

	memset(block_a, 'a', sizeof(block_a));
	begin(&sdv_blk_class);
	CHECK(blk_ask(write_head(0, 0, 8192), block_a) == SUPERDEV_ST_OK);
	frame_add(read, NULL, false);
	stream_send(0);
	CHECK(reply_take(0, block).length == 4096 && !memcmp(block, block_a, 4096));
	CHECK(blk_ask(zeroes, NULL) == SUPERDEV_ST_OK && dbl.last_mode & FALLOC_FL_PUNCH_HOLE);
	frame_add(read, NULL, false);
	stream_send(0);
	CHECK(reply_take(0, block).length == 4096 && !block[0] && !block[4095]);
	zeroes.flags = SUPERDEV_F_NOUNMAP;
	CHECK(blk_ask(zeroes, NULL) == SUPERDEV_ST_OK && dbl.last_mode & FALLOC_FL_ZERO_RANGE);
	zeroes.flags = 0;
	zeroes.op = SUPERDEV_BLK_DISCARD;
	CHECK(blk_ask(zeroes, NULL) == SUPERDEV_ST_OK);
	CHECK(blk_ask((struct sdv_head){ .op = SUPERDEV_BLK_FLUSH }, NULL) == SUPERDEV_ST_OK);
	CHECK(double_close());
}

TEST("a write with FUA is stable before its reply, one without is not slowed down")
{
	struct sdv_head head = write_head(0, 0, 0);

	begin(&sdv_blk_class);
	CHECK(blk_ask(head, block_a) == SUPERDEV_ST_OK && !dbl.last_rw_flags);
	head.flags = SUPERDEV_F_FUA;
	CHECK(blk_ask(head, block_a) == SUPERDEV_ST_OK && dbl.last_rw_flags == RWF_DSYNC);
	CHECK(double_close());
}

TEST("ranges that are not whole blocks of the disk are refused before anything is done")
{
	const struct sdv_head bad[] = {
		{ .op = SUPERDEV_BLK_READ },
		{ .op = SUPERDEV_BLK_READ, .count = 100 },
		{ .op = SUPERDEV_BLK_READ, .count = 4096, .offset = 1 },
		{ .op = SUPERDEV_BLK_READ, .count = 4096, .offset = DOUBLE_DISK },
		{ .op = SUPERDEV_BLK_READ, .count = 8192, .offset = DOUBLE_DISK - 4096 },
		{ .op = SUPERDEV_BLK_READ, .count = 4096, .offset = UINT64_MAX - 4095 },
		{ .op = SUPERDEV_BLK_READ, .count = SUPERDEV_MAX_PAYLOAD + 4096 },
		{ .op = SUPERDEV_BLK_READ, .count = UINT32_MAX - 511 },
		{ .op = SUPERDEV_BLK_READ, .count = 4096, .length = 4096 },
		{ .op = SUPERDEV_BLK_READ, .count = 4096, .flags = SUPERDEV_F_FUA },
		{ .op = SUPERDEV_BLK_READ, .count = 4096, .tag = SDV_WORKER_DEPTH },
		{ .op = SUPERDEV_BLK_READ, .count = 4096, .tag = SDV_WORKER_QUEUES << 16 },
		{ .op = SUPERDEV_BLK_WRITE, .count = 8192, .length = 4096 },
		{ .op = SUPERDEV_BLK_WRITE, .count = 4096, .length = 4096, .flags = SUPERDEV_F_NOUNMAP },
		{ .op = SUPERDEV_BLK_FLUSH, .length = 4096 },
		{ .op = SUPERDEV_BLK_DISCARD, .count = 4096, .offset = DOUBLE_DISK },
		{ .op = SUPERDEV_BLK_ZEROES, .count = UINT32_MAX - 511 },
	};

	begin(&sdv_blk_class);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK(blk_ask(bad[i], block_a) == SUPERDEV_ST_INVAL);
	CHECK(blk_ask((struct sdv_head){ .op = 77 }, NULL) == SUPERDEV_ST_NOTSUPP);
	CHECK(!dbl.nr_disk_ops);
	CHECK(double_close());
}

TEST("a read-only lease reads and flushes, and refuses what would change the disk")
{
	stream_len = 0;
	double_open(&sdv_blk_class, ARENA, SDV_WORKER_F_READ_ONLY);
	double_lane(0, false);
	CHECK(blk_ask(write_head(0, 0, 0), block_a) == SUPERDEV_ST_ROFS);
	CHECK(blk_ask((struct sdv_head){ .op = SUPERDEV_BLK_ZEROES, .count = 4096 }, NULL) ==
	      SUPERDEV_ST_ROFS);
	CHECK(blk_ask((struct sdv_head){ .op = SUPERDEV_BLK_DISCARD, .count = 4096 }, NULL) ==
	      SUPERDEV_ST_ROFS);
	CHECK(!dbl.nr_disk_ops);
	CHECK(blk_ask((struct sdv_head){ .op = SUPERDEV_BLK_FLUSH }, NULL) == SUPERDEV_ST_OK);
	CHECK(blk_ask((struct sdv_head){ .op = SUPERDEV_BLK_READ, .count = 4096 }, NULL) == SUPERDEV_ST_OK);
	CHECK(double_close());
}

TEST("a write that is asked for again is answered, and not done again")
{
	memset(block_a, 'a', sizeof(block_a));
	memset(block_b, 'b', sizeof(block_b));
	begin(&sdv_blk_class);
	double_lane(1, false);
	CHECK(blk_ask(write_head(3, 5, 0), block_a) == SUPERDEV_ST_OK);
	CHECK(blk_ask(write_head(4, 1, 0), block_b) == SUPERDEV_ST_OK);
	frame_add(write_head(3, 5, 0), block_a, false);
	stream_send(1);
	CHECK(status_take(1) == SUPERDEV_ST_OK);
	CHECK(dbl.disk[0] == 'b' && dbl.nr_disk_ops == 2);
	CHECK(double_close());
}

TEST("a write that failed is answered with the same status again")
{
	begin(&sdv_blk_class);
	dbl.disk_error = -ENOSPC;
	CHECK(blk_ask(write_head(3, 5, 0), block_a) == SUPERDEV_ST_NOSPC);
	dbl.disk_error = 0;
	CHECK(blk_ask(write_head(3, 5, 0), block_a) == SUPERDEV_ST_NOSPC);
	CHECK(dbl.nr_disk_ops == 1);
	CHECK(double_close());
}

TEST("a write asked for again while it runs is done once and answered on every lane it came on")
{
	begin(&sdv_blk_class);
	double_lane(1, false);
	double_lane(2, false);
	dbl.holds_disk = true;
	for (unsigned int i = 0; i < 3; i++) {
		frame_add(write_head(3, 5, 0), block_a, false);
		stream_send(i);
	}
	CHECK(dbl.nr_disk_ops == 1);
	sdv_lane_close(&dbl.worker.lanes[0], 0); /* the one that died */
	dbl.holds_disk = false;
	double_turn();
	CHECK(status_take(1) == SUPERDEV_ST_OK && status_take(2) == SUPERDEV_ST_OK);
	CHECK(!dbl.lanes[0].out_len);
	CHECK(double_close());
}

TEST("an old write that comes late from a dead lane is dropped")
{
	begin(&sdv_blk_class);
	CHECK(blk_ask(write_head(3, 6, 0), block_b) == SUPERDEV_ST_OK);
	frame_add(write_head(3, 5, 0), block_a, false);
	stream_send(0);
	CHECK(!dbl.lanes[0].out_len && dbl.nr_disk_ops == 1 && dbl.disk[0] == block_b[0]);
	CHECK(double_close());
}

TEST("a tag that is used again before its answer ends the lane, and the first use is unharmed")
{
	begin(&sdv_blk_class);
	double_lane(1, false);
	dbl.holds_disk = true;
	frame_add(write_head(3, 5, 0), block_a, false);
	stream_send(0);
	frame_add(write_head(3, 6, 0), block_b, false);
	stream_send(1);
	CHECK(dbl.down == 2 && dbl.down_error == -EPROTO && dbl.nr_disk_ops == 1);
	dbl.holds_disk = false;
	double_turn();
	CHECK(status_take(0) == SUPERDEV_ST_OK);
	CHECK(double_close());
}

TEST("what could not even be started may be asked for again, and then runs")
{
	begin(&sdv_blk_class);
	dbl.start_error = -EAGAIN;
	CHECK(blk_ask(write_head(3, 5, 0), block_a) == SUPERDEV_ST_NOMEM);
	CHECK(blk_ask((struct sdv_head){ .op = SUPERDEV_BLK_READ, .count = 4096 }, NULL) ==
	      SUPERDEV_ST_NOMEM);
	dbl.start_error = 0;
	CHECK(blk_ask(write_head(3, 5, 0), block_a) == SUPERDEV_ST_OK && dbl.nr_disk_ops == 1);
	CHECK(double_close());
}

TEST("a disk that takes less than it was given is given the rest")
{
	static uint8_t big[64 << 10], back[64 << 10];
	struct sdv_head head = { .op = SUPERDEV_BLK_WRITE, .length = sizeof(big), .count = sizeof(big) };

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i >> 8);
	begin(&sdv_blk_class);
	dbl.max_disk = 4096;
	CHECK(blk_ask(head, big) == SUPERDEV_ST_OK && dbl.nr_disk_ops == 16);
	frame_add((struct sdv_head){ .op = SUPERDEV_BLK_READ, .count = sizeof(big) }, NULL, false);
	stream_send(0);
	CHECK(reply_take(0, back).length == sizeof(back) && !memcmp(big, back, sizeof(big)));
	CHECK(double_close());
}

TEST("a disk that fails fails the request, with no payload")
{
	begin(&sdv_blk_class);
	dbl.disk_error = -EIO;
	frame_add((struct sdv_head){ .op = SUPERDEV_BLK_READ, .count = 4096 }, NULL, false);
	stream_send(0);
	CHECK(dbl.lanes[0].out_len == sizeof(struct superdev_frame));
	CHECK(status_take(0) == SUPERDEV_ST_IO);
	CHECK(double_close());
}

TEST("zeroes that the disk cannot unmap are written")
{
	begin(&sdv_blk_class);
	dbl.disk_error = -EOPNOTSUPP;
	CHECK(blk_ask((struct sdv_head){ .op = SUPERDEV_BLK_ZEROES, .count = 4096 }, NULL) ==
	      SUPERDEV_ST_NOTSUPP);
	CHECK(dbl.nr_disk_ops == 2 && dbl.last_mode & FALLOC_FL_ZERO_RANGE);
	CHECK(double_close());
}

TEST("a disk that grows is noticed, and the new blocks can be used")
{
	uint8_t config[SUPERDEV_CONFIG_LEN];
	struct sdv_attr attrs[SUPERDEV_A_BLK_CONFIG_MAX + 1];
	int len;

	begin(&sdv_blk_class);
	CHECK(!ftruncate(SDV_WORKER_FD_BACKING, DOUBLE_DISK / 2));
	CHECK(sdv_blk_class.tick(&dbl.worker) && !sdv_blk_class.tick(&dbl.worker));
	CHECK(blk_ask((struct sdv_head){ .op = SUPERDEV_BLK_READ, .count = 4096, .offset = DOUBLE_DISK / 2 },
		      NULL) == SUPERDEV_ST_INVAL);
	CHECK(!ftruncate(SDV_WORKER_FD_BACKING, DOUBLE_DISK));
	CHECK(sdv_blk_class.tick(&dbl.worker));
	CHECK(blk_ask((struct sdv_head){ .op = SUPERDEV_BLK_READ, .count = 4096, .offset = DOUBLE_DISK / 2 },
		      NULL) == SUPERDEV_ST_OK);
	len = sdv_blk_class.config(&dbl.worker, config, sizeof(config));
	CHECK(len > 0 && !sdv_attr_parse(&sdv_blk_config_set, config, (size_t)len, attrs, NULL));
	CHECK(sdv_get_u64(&attrs[SUPERDEV_A_BLK_CONFIG_SIZE]) == DOUBLE_DISK);
	CHECK(double_close());
}

TEST("the arena gives pieces that are aligned and apart, and becomes whole again")
{
	struct sdv_arena *arena;
	uint8_t *pieces[64] = { NULL };
	size_t lens[64];
	uint32_t dice = 1;

	CHECK(!sdv_arena_open(&arena, 4 * SDV_ARENA_MAX));
	for (int i = 0; i < 20000; i++) {
		unsigned int at;

		dice = dice * 1103515245 + 12345;
		at = dice >> 16 & 63;
		if (pieces[at]) {
			for (size_t k = 0; k < lens[at]; k += 512)
				CHECK(pieces[at][k] == (uint8_t)at);
			sdv_arena_free(arena, pieces[at]);
			pieces[at] = NULL;
			continue;
		}
		lens[at] = 1 + (dice >> 3) % (SDV_ARENA_MAX >> (dice >> 22) % 9);
		pieces[at] = sdv_arena_alloc(arena, lens[at]);
		if (!pieces[at])
			continue;
		CHECK(!((uintptr_t)pieces[at] % SDV_ARENA_PAGE));
		memset(pieces[at], (int)at, lens[at]);
	}
	for (int i = 0; i < 64; i++)
		if (pieces[i])
			sdv_arena_free(arena, pieces[i]);
	for (int i = 0; i < 4; i++)
		CHECK((pieces[i] = sdv_arena_alloc(arena, SDV_ARENA_MAX)));
	CHECK(!sdv_arena_alloc(arena, 1) && !sdv_arena_alloc(arena, SDV_ARENA_MAX + 1));
	sdv_arena_close(arena);
}

/* The agent lends three processors and a gibibyte. */
static void begin_cpu(void)
{
	static uint8_t terms[64];
	struct sdv_attr_writer w;

	sdv_attr_begin(&w, terms, sizeof(terms));
	sdv_put_u32(&w, SUPERDEV_A_CPU_CONFIG_CPUS, 3);
	sdv_put_u64(&w, SUPERDEV_A_CPU_CONFIG_MEMORY, 1u << 30);
	dbl.worker.terms = terms;
	dbl.worker.terms_len = (size_t)sdv_attr_end(&w);
	begin(&sdv_cpu_class);
	/* They are told by dbl.texts from now on. */
	for (unsigned int i = 0; i < SDV_CPU_FILES; i++) {
		if (dbl.worker.files[i] > 2)
			close(dbl.worker.files[i]);
		dbl.worker.files[i] = 0;
		dbl.texts[i] = NULL;
	}
	dbl.nr_texts = 0;
}

static struct superdev_cpu_status cpu_ask(void)
{
	struct superdev_cpu_status status;
	struct sdv_head reply;

	frame_add((struct sdv_head){ .op = SUPERDEV_CPU_STATUS, .tag = 5, .seq = 9 }, NULL, false);
	stream_send(0);
	reply = reply_take(0, block);
	CHECK(reply.status == SUPERDEV_ST_OK && reply.tag == 5 && reply.seq == 9);
	CHECK(reply.length == sizeof(status));
	memcpy(&status, block, sizeof(status));
	CHECK(!status.reserved[0] && !status.reserved[3]);
	return status;
}

static void cpu_turn(const char *stat_text, const char *usage)
{
	dbl.texts[SDV_CPU_STAT] = stat_text;
	dbl.texts[SDV_CPU_LOADAVG] = "0.00 0.00 0.00 1/2 3\n";
	dbl.texts[SDV_CPU_MEMINFO] = "MemAvailable: 2048 kB\n";
	dbl.texts[SDV_CPU_ONLINE] = "0-3\n";
	dbl.texts[SDV_CPU_USAGE] = usage;
	CHECK(!sdv_cpu_class.tick(&dbl.worker));
	double_turn();
}

TEST("processors are described as they are lent, and the machine as it is")
{
	struct sdv_attr attrs[SUPERDEV_A_CPU_CONFIG_MAX + 1];
	uint8_t config[512];
	int len;

	begin_cpu();
	len = sdv_cpu_class.config(&dbl.worker, config, sizeof(config));
	CHECK(len > 0);
	CHECK(!sdv_attr_parse(&sdv_cpu_config_set, config, (size_t)len, attrs, NULL));
	CHECK(sdv_get_u32(&attrs[SUPERDEV_A_CPU_CONFIG_CPUS]) == 3);
	CHECK(sdv_get_u64(&attrs[SUPERDEV_A_CPU_CONFIG_MEMORY]) == 1u << 30);
	CHECK(sdv_get_u32(&attrs[SUPERDEV_A_CPU_CONFIG_PAGE_SIZE]) == (uint32_t)sysconf(_SC_PAGESIZE));
	CHECK(sdv_has(&attrs[SUPERDEV_A_CPU_CONFIG_ARCHITECTURE]) &&
	      sdv_has(&attrs[SUPERDEV_A_CPU_CONFIG_KERNEL]));
#ifdef __x86_64__
	CHECK(!strcmp(sdv_get_string(&attrs[SUPERDEV_A_CPU_CONFIG_ARCHITECTURE]), "x86_64"));
	CHECK(sdv_get_u32(&attrs[SUPERDEV_A_CPU_CONFIG_X86_LEVEL]) >= 1);
	CHECK(!sdv_has(&attrs[SUPERDEV_A_CPU_CONFIG_XCR0]) ||
	      (sdv_get_u64(&attrs[SUPERDEV_A_CPU_CONFIG_XCR0]) & 3) == 3);
#endif
	CHECK(double_close());
}

TEST("how a lender fares is what its files said at the last tick")
{
	struct superdev_cpu_status status;

	begin_cpu();
	cpu_turn("cpu  90000000000 0 0 90000000000 0 0 0 0\n", "usage_usec 5000\n");
	cpu_turn("cpu  90000000300 0 0 90000000100 0 0 0 0\n", "usage_usec 7000\n");
	status = cpu_ask();
	CHECK(le32toh(status.load) == 750);
	/* 2 ms of four processors' seconds. */
	CHECK(le32toh(status.own) < 5);
	CHECK(le32toh(status.cpus) == 4);
	CHECK(le32toh(status.tasks) == 0);
	CHECK(le64toh(status.memory) == 2u << 20);
	CHECK(le64toh(status.used_us) == 7000);
	cpu_turn("cpu  90000000300 0 0 90000000500 0 0 0 0\n", "usage_usec 7500\n");
	status = cpu_ask();
	CHECK(le32toh(status.load) == 0 && le64toh(status.used_us) == 7500);
	CHECK(double_close());
}

TEST("home asks as often as it likes, and no file is read for it")
{
	unsigned int before;

	begin_cpu();
	cpu_turn("cpu  1 0 0 1 0 0 0 0\n", NULL);
	before = dbl.nr_texts;
	for (int i = 0; i < 100; i++)
		cpu_ask();
	CHECK(dbl.nr_texts == before && before == SDV_CPU_FILES);
	CHECK(double_close());
}

TEST("a tick that comes while files are still being read starts nothing")
{
	begin_cpu();
	dbl.holds_disk = true;
	cpu_turn("cpu  1 0 0 1 0 0 0 0\n", NULL);
	CHECK(dbl.nr_texts == SDV_CPU_FILES);
	cpu_turn("cpu  1 0 0 1 0 0 0 0\n", NULL);
	CHECK(dbl.nr_texts == SDV_CPU_FILES);
	cpu_ask();
	dbl.holds_disk = false;
	double_turn();
	cpu_turn("cpu  1 0 0 1 0 0 0 0\n", NULL);
	CHECK(dbl.nr_texts == 2 * SDV_CPU_FILES);
	CHECK(double_close());
}

TEST("a question about processors that is not one is refused, and the lane stays")
{
	begin_cpu();
	frame_add((struct sdv_head){ .op = 2 }, NULL, false);
	frame_add((struct sdv_head){ .op = SUPERDEV_CPU_STATUS, .length = 8 }, block_a, false);
	frame_add((struct sdv_head){ .op = SUPERDEV_CPU_STATUS, .offset = 1 }, NULL, false);
	frame_add((struct sdv_head){ .op = SUPERDEV_CPU_STATUS, .count = 64 }, NULL, false);
	frame_add((struct sdv_head){ .op = SUPERDEV_CPU_STATUS, .flags = SUPERDEV_F_FUA }, NULL, false);
	frame_add((struct sdv_head){ .op = SUPERDEV_CPU_STATUS, .epoch = 2 }, NULL, false);
	stream_send(0);
	CHECK(status_take(0) == SUPERDEV_ST_NOTSUPP);
	for (int i = 0; i < 4; i++)
		CHECK(status_take(0) == SUPERDEV_ST_INVAL);
	CHECK(status_take(0) == SUPERDEV_ST_STALE);
	cpu_ask();
	CHECK(double_close());
}

TEST("a worker of processors does not start without being told how many")
{
	begin_cpu();
	CHECK(double_close());
	dbl.worker.terms_len = 0;
	CHECK(sdv_cpu_class.open(&dbl.worker) == -EINVAL);
	dbl.worker.terms_len = 3;
	CHECK(sdv_cpu_class.open(&dbl.worker) == -EBADMSG);
}

int main(void)
{
	return test_main("worker");
}
