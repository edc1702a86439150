// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * meter.c: keeps the meter attached.  See meter.h, and bpf/meter for what it measures.
 */
#include "meter.h"

#include <string.h>
#include <unistd.h>

#include "bpf.h"
#include "helper.h"

/* The kernel's types are read for it, all of them. */
#define TIMEOUT_MS 60000

static int load(const void *arg, void *result, int *ret_fd)
{
	int r = sdv_bpf_meter_load(result, HELPER_RESULT_SIZE);

	(void)arg;
	*ret_fd = r < 0 ? -1 : r;
	return r < 0 ? r : 0;
}

static void loaded(void *arg, int error, const void *result, int fd)
{
	struct daemon *d = arg;

	d->meter = fd;
	if (!error)
		sdv_log(SDV_LOG_INFO, "programs are measured");
	else
		sdv_log(SDV_LOG_NOTICE, "policies will not know what programs cost: the meter: %s",
			result ? (const char *)result : strerror(-error));
}

void meter_start(struct daemon *d)
{
	struct helper *helper;
	int r = helper_start(d, load, NULL, TIMEOUT_MS, loaded, d, &helper);

	if (r < 0)
		sdv_log(SDV_LOG_NOTICE,
			"policies will not know what programs cost: no process for the meter: %s",
			strerror(-r));
}

void meter_close(struct daemon *d)
{
	if (d->meter >= 0)
		close(d->meter);
	d->meter = -1;
}
