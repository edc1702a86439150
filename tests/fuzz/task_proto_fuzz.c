// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * task_proto_fuzz.c: what a deputy or a lender may be sent.
 *
 * The first byte chooses: frames from a stream (with what they carry), or an
 * image.  Whatever is taken for an image must come out the same when it is
 * written again, and all of it may be read.
 */
// LINK: agent/task/proto.c agent/task/proto_remote.c
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "../../agent/task/proto.h"
#include "superdev_cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

/* Every string to its end, under the sanitizer's eyes. */
static void strings_read(const char *data, uint32_t nr)
{
	char **strings = malloc((nr + (size_t)1) * sizeof(*strings));

	sdv_task_strings(data, nr, strings);
	for (uint32_t i = 0; i < nr; i++)
		sink += strlen(strings[i]);
	if (strings[nr])
		abort();
	free(strings);
}

static void image_try(const uint8_t *data, size_t size)
{
	/* As process 1 has it: aligned, and not a byte more. */
	uint8_t *copy = aligned_alloc(8, (size + 7) & ~(size_t)7), *again;
	struct sdv_task_streams streams;
	struct sdv_task_image image;

	memcpy(copy, data, size);
	if (!sdv_task_image_check(copy, size, &image, &streams)) {
		sink += strlen(image.path) + strlen(image.cwd) + strlen(image.host);
		strings_read(image.argv, image.argc);
		strings_read(image.envp, image.envc);
		for (uint32_t i = 0; i < image.nr_groups; i++)
			sink += le32toh(image.groups[i]);
		for (uint32_t i = 0; i < image.nr_fds; i++) {
			struct sdv_task_fd fd = sdv_task_fd_get(&image, i);

			if (fd.kind != SUPERDEV_TASK_DEVICE && fd.stream >= streams.nr)
				abort();
		}
		if (sdv_task_image_size(&image) != size)
			abort();
		again = calloc(1, size);
		sdv_task_image_build(&image, again);
		if (memcmp(again, copy, size))
			abort();
		free(again);
	}
	free(copy);
}

static void remote_try(const struct sdv_head *head, const uint8_t *payload)
{
	static uint8_t message[SUPERDEV_REMOTE_MESSAGE_MAX] __attribute__((aligned(8)));
	static uint8_t data[SUPERDEV_TASK_MAX_REMOTE] __attribute__((aligned(8)));
	static uint8_t again[SDV_TASK_MAX_PAYLOAD];
	struct superdev_remote_reply *reply = (void *)message;
	struct superdev_remote_request ask;
	uint64_t opened;

	if (head->op == SUPERDEV_TASK_REMOTE && !sdv_task_request_get(payload, head->length, &ask, data)) {
		if (sdv_task_request_put(&ask, data, again) != head->length)
			abort();
	} else if (head->op == SUPERDEV_TASK_ANSWER &&
		   !sdv_task_answer_get(payload, head->length, 1u << 20, reply, &opened)) {
		if (reply->length > SUPERDEV_TASK_MAX_REMOTE)
			abort();
		for (uint32_t i = 0; i < reply->length; i++)
			sink += message[sizeof(*reply) + i];
	}
}

static void payload_try(const struct sdv_head *head, const uint8_t *payload)
{
	union {
		struct superdev_task_modes modes;
		struct superdev_task_exit end;
		struct superdev_task_used used;
		struct superdev_task_refusal refusal;
	} bytes;
	struct superdev_task_used again;
	struct sdv_task_modes modes;
	struct sdv_task_used used;
	struct sdv_task_exit end;
	char text[124];

	remote_try(head, payload);
	if (head->flags & SUPERDEV_F_REPLY) {
		memcpy(&bytes, payload, sizeof(bytes.refusal));
		sink += (size_t)sdv_task_refusal_get(&bytes.refusal, text) + strlen(text);
	} else if (head->op == SUPERDEV_TASK_MODES) {
		memcpy(&bytes, payload, sizeof(bytes.modes));
		sink += !sdv_task_modes_get(&bytes.modes, &modes);
	} else if (head->op == SUPERDEV_TASK_EXIT) {
		memcpy(&bytes, payload, sizeof(bytes.end));
		if (!sdv_task_exit_get(&bytes.end, &end) && end.signal > 64)
			abort();
	} else if (head->op == SUPERDEV_TASK_USED) {
		memcpy(&bytes, payload, sizeof(bytes.used));
		sdv_task_used_get(&bytes.used, &used);
		sdv_task_used_put(&again, &used);
		if (memcmp(&again, &bytes.used, sizeof(again)) != 0)
			abort();
	}
}

static void frames_try(const uint8_t *data, size_t size, enum sdv_task_side side)
{
	const struct sdv_frame_rules rules = { .lease = 0, .epoch = 0 };
	struct sdv_task_parts parts = { 0, 0 };
	uint32_t credit = SUPERDEV_TASK_WINDOW;
	struct superdev_frame frame;
	struct sdv_head head;

	while (size >= sizeof(frame)) {
		memcpy(&frame, data, sizeof(frame));
		data += sizeof(frame);
		size -= sizeof(frame);
		if (sdv_task_frame_check(&frame, &rules, side, &head))
			return;
		if (head.length > SDV_TASK_MAX_PAYLOAD)
			abort();
		if (head.length > size)
			return;
		if (head.op == SUPERDEV_TASK_EXEC && side == SDV_TASK_LENDER) {
			if (sdv_task_parts_add(&parts, &head) >= 0 && parts.done > parts.size)
				abort();
		} else if (head.op == SUPERDEV_TASK_CREDIT) {
			if (sdv_task_credit_add(&credit, head.count) == 0 && credit > SUPERDEV_TASK_WINDOW)
				abort();
			credit = 0;
		} else if (head.op == SUPERDEV_TASK_DATA && head.offset >= SUPERDEV_TASK_MAX_STREAMS) {
			abort();
		}
		payload_try(&head, data);
		data += head.length;
		size -= head.length;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 2)
		image_try(data + 1, size - 1);
	else
		frames_try(data + 1, size - 1, data[0] & 1 ? SDV_TASK_LENDER : SDV_TASK_HOME);
	return 0;
}
