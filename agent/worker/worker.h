/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker.h: one lease, served to a stranger by a process that holds nothing else.
 *
 * main.c starts the process and talks to the agent, confine.c takes all else
 * from it, lane.c receives frames and sends replies, arena.c has the memory for
 * payloads.  A class is the table below; null.c is the smallest.
 *
 * After the sandbox is sealed there is no memory to be had from the kernel:
 * everything is allocated before, and what runs out is waited for.
 */
#ifndef SDV_WORKER_H
#define SDV_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "loop.h"
#include "wire.h"
#include "worker_ctl.h"

/* Files that a class may open beside its backing. */
#define SDV_WORKER_FILES 6

/* Entries of the ring's table of fixed files. */
enum {
	SDV_SLOT_CONTROL,
	SDV_SLOT_LISTEN,
	SDV_SLOT_BACKING,
	SDV_SLOT_FILES,
	SDV_SLOT_LANES = SDV_SLOT_FILES + SDV_WORKER_FILES,
	SDV_SLOT_NR = SDV_SLOT_LANES + SUPERDEV_MAX_LANES,
};

/* What is announced to home: that many requests come at most, and a few twins. */
#define SDV_WORKER_QUEUES   8u
#define SDV_WORKER_DEPTH    128u
#define SDV_WORKER_REQUESTS (SDV_WORKER_QUEUES * SDV_WORKER_DEPTH + 64u)

struct sdv_worker;
struct sdv_lane;

/**
 * struct sdv_request - one frame from home, until its reply is sent
 * @op:		the class's, while it works on the request
 * @worker:	whose it is
 * @lane:	where it came from
 * @generation:	of the lane then; if it has changed, nobody waits for the reply
 * @head:	the frame's header
 * @data:	room for @need bytes of arena, NULL for none
 * @need:	set by the class's check(); payload of the request or of the reply
 * @done:	the class's: bytes already read or written
 * @status:	enum superdev_status, once known
 * @reply:	as sent
 * @reply_len:	bytes of @data that follow it
 * @twins:	the class's: further arrivals of the same request
 * @next:	in a list of whoever has it now: pool, lane, or @twins
 */
struct sdv_request {
	struct sdv_op op;
	struct sdv_worker *worker;
	struct sdv_lane *lane;
	uint32_t generation;
	struct sdv_head head;
	uint8_t *data;
	uint32_t need;
	uint32_t done;
	uint32_t status;
	struct superdev_frame reply;
	uint32_t reply_len;
	struct sdv_request *twins;
	struct sdv_request *next;
};

/**
 * struct sdv_worker_class - what a class of worker does
 * @name:	as in offers, and superdev-worker's argument
 * @wire_class:	SUPERDEV_CLASS_*
 * @needs_backing: serves SDV_WORKER_FD_BACKING
 * @open:	still as root, before the sandbox and before any frame: looks at
 *		the backing and sets @worker->kinds, and @worker->files where it
 *		needs more; 0 or -errno
 * @config:	writes the class's attributes; returns their length or -EMSGSIZE
 * @check:	a header has come: SUPERDEV_ST_OK, and @need bytes will be there
 *		when the payload is complete; or the status of the refusal, and
 *		the payload is dropped
 * @run:	the payload is complete; ends, now or later, in
 *		sdv_request_reply() or sdv_request_put()
 * @tick:	about once a second; true where the configuration has changed.
 *		May be NULL
 */
struct sdv_worker_class {
	const char *name;
	uint8_t wire_class;
	bool needs_backing;
	int (*open)(struct sdv_worker *worker);
	int (*config)(struct sdv_worker *worker, void *data, size_t size);
	uint32_t (*check)(struct sdv_worker *worker, struct sdv_request *request);
	void (*run)(struct sdv_worker *worker, struct sdv_request *request);
	bool (*tick)(struct sdv_worker *worker);
};

extern const struct sdv_worker_class sdv_null_class;
extern const struct sdv_worker_class sdv_blk_class;
extern const struct sdv_worker_class sdv_cpu_class;

/**
 * struct sdv_worker - the process
 * @kinds:	operations the class needs, mask of 1 << enum sdv_op_kind
 * @lease, @epoch, @flags: from SDV_WORKER_START
 * @terms, @terms_len: likewise, what is lent in the class's attributes; until
 *		the class has opened
 * @files, @nr_files: what the class's open() has opened, or -1: entries of the
 *		table from SDV_SLOT_FILES on, once the descriptors are closed
 * @lanes:	SUPERDEV_MAX_LANES, by index
 * @requests:	the pool; @free those of it that are in no use
 * @waiting:	lanes that stopped receiving for want of memory, oldest first
 * @has_room:	something was freed since they were last looked at
 * @dirty:	lanes with replies that are not yet on their way
 * @nr_running:	requests taken and not yet put
 * @lane_down:	called when a lane is closed, and its entry empty
 */
struct sdv_worker {
	const struct sdv_worker_class *class;
	struct sdv_loop *loop;
	struct sdv_arena *arena;
	uint32_t kinds;
	uint64_t lease;
	uint32_t epoch;
	uint32_t flags;
	const void *terms;
	size_t terms_len;
	int files[SDV_WORKER_FILES];
	unsigned int nr_files;
	struct sdv_lane *lanes;
	struct sdv_request *requests;
	struct sdv_request *free;
	struct sdv_lane *waiting;
	bool has_room;
	struct sdv_lane *dirty;
	unsigned int nr_running;
	void (*lane_down)(struct sdv_worker *worker, unsigned int index, int error);
};

int sdv_worker_confine(struct sdv_worker *worker, const char **ret_what);
void sdv_request_reply(struct sdv_request *request, uint32_t status, uint32_t len);
void sdv_request_put(struct sdv_request *request);

#endif
