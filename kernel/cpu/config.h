/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config.h: what a lender says of its processors, judged: the cpu-config
 * attributes of a lease, and its answers to STATUS.  Called by main.c and
 * status.c; config_test.c tries each refusal.
 */
#ifndef _SUPERDEV_CPU_CONFIG_H
#define _SUPERDEV_CPU_CONFIG_H

#include <linux/types.h>
#include <uapi/superdev.h>
#include <uapi/superdev_wire.h>

struct sdv_load;

/* More than any machine has that Linux runs on. */
#define SDV_CPU_MAX_CPUS	65536
/* More than a kernel has numbers for. */
#define SDV_CPU_MAX_TASKS	(4 << 20)

/**
 * struct sdv_cpu_config - the processors of a lender as it describes them
 *
 * Fields are the attributes of the cpu-config set; those of x86 are 0 where the
 * lender did not say, and of another architecture.
 */
struct sdv_cpu_config {
	u32 cpus;
	u64 memory;
	char architecture[SUPERDEV_NAME_LEN + 1];
	char kernel[SUPERDEV_NAME_LEN + 1];
	u32 page_size;
	u32 x86_level;
	u64 xcr0;
	u32 xsave_size;
};

int sdv_cpu_config_parse(const void *attrs, size_t len, struct sdv_cpu_config *ret_config,
			 const char **ret_why);
int sdv_cpu_config_fits(const struct sdv_cpu_config *now, const struct sdv_cpu_config *then,
			const char **ret_why);
int sdv_cpu_status_parse(const struct superdev_cpu_status *status, struct sdv_load *load);

#endif /* _SUPERDEV_CPU_CONFIG_H */
