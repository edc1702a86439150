/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hello.h: HELLO, the first frame in both directions of every connection.
 */
#ifndef SDV_HELLO_H
#define SDV_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nl.h"
#include "wire.h"

#define HELLO_SIZE_MAX (sizeof(struct superdev_frame) + 2048)

/**
 * struct hello - who speaks and what for; a reply only fills what it means
 * @name:	what the machine calls itself; not to be believed
 * @lease:	the lender's number, for PURPOSE_LANE, _TASK and _FILES; @epoch likewise
 * @user:	at home, for PURPOSE_TASK and _FILES; only there if @has_user
 * @session:	home's number of its connection of files, never 0; likewise
 * @transport:	what the sender wants for lanes with the other end
 * @error:	in a refusal, why
 */
struct hello {
	char name[SDV_NAME_SIZE];
	char version[SDV_NAME_SIZE];
	uint64_t features;
	uint16_t port;
	uint8_t purpose;
	uint64_t lease;
	uint32_t epoch, index, user;
	bool has_user;
	uint64_t session;
	enum superdev_transport transport;
	uint8_t boot[16];
	char error[SDV_TEXT_SIZE];
};

/* Whether the connection is for one program or for files of home. */
bool hello_is_for_task(const struct hello *hello);

/* Return: bytes of the whole frame. */
int hello_write(const struct hello *hello, void *ret_frame, size_t size);
int hello_write_reply(const struct hello *hello, const struct sdv_head *request, uint32_t status,
		      void *ret_frame, size_t size);

/**
 * hello_read - a HELLO that has been received, perhaps in part
 * @data:	what came so far
 * @len:	bytes of it
 * @is_reply:	whether a reply is expected, or a request
 * @ret_head:	its header
 * @ret_hello:	its contents
 *
 * Return: 0; -EAGAIN not all there; -EPROTO, -EMSGSIZE, -EBADMSG, -EINVAL: no HELLO.
 */
int hello_read(const void *data, size_t len, bool is_reply, struct sdv_head *ret_head,
	       struct hello *ret_hello);

#endif
