// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * null.c: the smallest worker class: echoes, swallows and makes bytes.
 *
 * Template for a new class (Documentation/adding-a-class) and the lanes' test
 * double: it has no backing and can't fail.
 */
#include "worker.h"

static int null_open(struct sdv_worker *worker)
{
	worker->kinds = 0;
	return 0;
}

static int null_config(struct sdv_worker *worker, void *data, size_t size)
{
	(void)worker, (void)data, (void)size;
	return 0;
}

static uint32_t null_check(struct sdv_worker *worker, struct sdv_request *request)
{
	(void)worker;
	switch (request->head.op) {
	case SUPERDEV_NULL_ECHO: request->need = request->head.length; return SUPERDEV_ST_OK;
	case SUPERDEV_NULL_SINK: return SUPERDEV_ST_OK;
	case SUPERDEV_NULL_SOURCE:
		request->need = request->head.count;
		return request->head.length ? SUPERDEV_ST_INVAL : SUPERDEV_ST_OK;
	default: return SUPERDEV_ST_NOTSUPP;
	}
}

static void null_run(struct sdv_worker *worker, struct sdv_request *request)
{
	(void)worker;
	if (request->head.op == SUPERDEV_NULL_SOURCE)
		for (uint32_t i = 0; i < request->need; i++)
			request->data[i] = (uint8_t)((request->head.offset + i) % 251);
	sdv_request_reply(request, SUPERDEV_ST_OK, request->need);
}

const struct sdv_worker_class sdv_null_class = {
	.name = "null",
	.wire_class = SUPERDEV_CLASS_NULL,
	.open = null_open,
	.config = null_config,
	.check = null_check,
	.run = null_run,
};
