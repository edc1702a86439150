// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hello.c: HELLO, the first frame in both directions of every connection.
 */
#include "hello.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool hello_is_for_task(const struct hello *hello)
{
	return hello->purpose == SUPERDEV_PURPOSE_TASK || hello->purpose == SUPERDEV_PURPOSE_FILES;
}

static int write_frame(const struct hello *hello, const struct sdv_head *request, uint32_t status,
		       void *ret_frame, size_t size)
{
	struct superdev_frame frame;
	struct sdv_attr_writer w;
	uint8_t *data = ret_frame;
	int len;

	sdv_attr_begin(&w, data + sizeof(frame), size - sizeof(frame));
	if (hello->name[0])
		sdv_put_string(&w, SUPERDEV_A_AGENT_NAME, hello->name);
	if (hello->version[0])
		sdv_put_string(&w, SUPERDEV_A_AGENT_VERSION, hello->version);
	sdv_put_u64(&w, SUPERDEV_A_AGENT_FEATURES, hello->features);
	sdv_put_u16(&w, SUPERDEV_A_AGENT_PORT, hello->port);
	sdv_put_u8(&w, SUPERDEV_A_AGENT_PURPOSE, hello->purpose);
	if (hello->purpose == SUPERDEV_PURPOSE_LANE || hello_is_for_task(hello)) {
		sdv_put_u64(&w, SUPERDEV_A_AGENT_LEASE, hello->lease);
		sdv_put_u32(&w, SUPERDEV_A_AGENT_EPOCH, hello->epoch);
	}
	if (hello->purpose == SUPERDEV_PURPOSE_LANE)
		sdv_put_u32(&w, SUPERDEV_A_AGENT_INDEX, hello->index);
	if (hello_is_for_task(hello)) {
		if (hello->has_user)
			sdv_put_u32(&w, SUPERDEV_A_AGENT_USER, hello->user);
		sdv_put_u64(&w, SUPERDEV_A_AGENT_SESSION, hello->session);
	}
	sdv_put_u32(&w, SUPERDEV_A_AGENT_TRANSPORT, hello->transport);
	sdv_put_binary(&w, SUPERDEV_A_AGENT_BOOT, hello->boot, sizeof(hello->boot));
	if (hello->error[0])
		sdv_put_string(&w, SUPERDEV_A_AGENT_ERROR, hello->error);
	len = sdv_attr_end(&w);
	if (len < 0)
		return len;
	if (request)
		sdv_frame_reply(&frame, request, status, len);
	else
		sdv_frame_build(&frame, &(struct sdv_head){ .class = SUPERDEV_CLASS_CONTROL,
							    .op = SUPERDEV_CTL_HELLO,
							    .length = len });
	memcpy(data, &frame, sizeof(frame));
	return sizeof(frame) + len;
}

int hello_write(const struct hello *hello, void *ret_frame, size_t size)
{
	return write_frame(hello, NULL, 0, ret_frame, size);
}

int hello_write_reply(const struct hello *hello, const struct sdv_head *request, uint32_t status,
		      void *ret_frame, size_t size)
{
	return write_frame(hello, request, status, ret_frame, size);
}

static void copy_string(char *dst, size_t size, const struct sdv_attr *attr)
{
	snprintf(dst, size, "%s", sdv_has(attr) ? sdv_get_string(attr) : "");
}

int hello_read(const void *data, size_t len, bool is_reply, struct sdv_head *ret_head,
	       struct hello *ret_hello)
{
	static const struct sdv_frame_rules rules = {
		.class = SUPERDEV_CLASS_CONTROL,
		.max_length = HELLO_SIZE_MAX - sizeof(struct superdev_frame),
	};
	struct sdv_attr attrs[SUPERDEV_A_AGENT_MAX + 1];
	struct superdev_frame frame;
	struct hello hello = { 0 };
	int r;

	if (len < sizeof(frame))
		return -EAGAIN;
	memcpy(&frame, data, sizeof(frame));
	r = sdv_frame_check(&frame, &rules, ret_head);
	if (r < 0)
		return r;
	if (ret_head->op != SUPERDEV_CTL_HELLO || !(ret_head->flags & SUPERDEV_F_REPLY) == is_reply)
		return -EPROTO;
	if (len < sizeof(frame) + ret_head->length)
		return -EAGAIN;
	/* Nobody may say more before the other has answered: kernel TLS takes over in between. */
	if (len > sizeof(frame) + ret_head->length)
		return -EPROTO;
	r = sdv_attr_parse(&sdv_agent_set, (const uint8_t *)data + sizeof(frame), ret_head->length, attrs,
			   NULL);
	if (r < 0)
		return r;
	copy_string(hello.name, sizeof(hello.name), &attrs[SUPERDEV_A_AGENT_NAME]);
	copy_string(hello.version, sizeof(hello.version), &attrs[SUPERDEV_A_AGENT_VERSION]);
	copy_string(hello.error, sizeof(hello.error), &attrs[SUPERDEV_A_AGENT_ERROR]);
	hello.features = sdv_get_u64(&attrs[SUPERDEV_A_AGENT_FEATURES]);
	hello.port = sdv_get_u16(&attrs[SUPERDEV_A_AGENT_PORT]);
	hello.purpose = sdv_get_u8(&attrs[SUPERDEV_A_AGENT_PURPOSE]);
	hello.lease = sdv_get_u64(&attrs[SUPERDEV_A_AGENT_LEASE]);
	hello.epoch = sdv_get_u32(&attrs[SUPERDEV_A_AGENT_EPOCH]);
	hello.index = sdv_get_u32(&attrs[SUPERDEV_A_AGENT_INDEX]);
	hello.has_user = sdv_has(&attrs[SUPERDEV_A_AGENT_USER]);
	hello.user = sdv_get_u32(&attrs[SUPERDEV_A_AGENT_USER]);
	hello.session = sdv_get_u64(&attrs[SUPERDEV_A_AGENT_SESSION]);
	hello.transport = sdv_get_u32(&attrs[SUPERDEV_A_AGENT_TRANSPORT]);
	if (sdv_has(&attrs[SUPERDEV_A_AGENT_BOOT]))
		memcpy(hello.boot, attrs[SUPERDEV_A_AGENT_BOOT].data, sizeof(hello.boot));
	*ret_hello = hello;
	return 0;
}
